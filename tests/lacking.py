"""A call for whose every allocation there is no memory, once: what test_lack_of_memory.py runs in a process of its own, under failing_malloc.c.

    LD_PRELOAD=failing_malloc.so python tests/lacking.py NAME

The arrays of NumPy and the kernels' blocks come from malloc. With PYTHONMALLOC=malloc so do all objects of the interpreter, down to the
smallest: then a call meets a lack wherever there can be one, and the interpreter itself sometimes loses a reference, so what is lost is looked for
without it.
"""

import ctypes
import gc
import os
import sys
import traceback
import weakref
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent)]

import numpy as np  # noqa: E402

from cases import Case  # noqa: E402
from cells import make_mask  # noqa: E402
from conftest import module_of, named, numbers_of, state_in  # noqa: E402
from lstmc import Sequential  # noqa: E402
from lstmc.kernels import arena, core  # noqa: E402
from lstmc.kernels.linear import linear_bwd, linear_fwd  # noqa: E402
from lstmc.layers import LSTM, Bidirectional, Dense, Input  # noqa: E402
from lstmc.nn import step_many  # noqa: E402

SMALL = Case(6, 4, 3, 9)
RAGGED = Case(7, 6, 5, 17, D=2, ragged=True)
STACK = Case(5, 4, 3, 9, L=2, P=2)
SHARED = Case(2, 2, 4, 300)
BANDS = Case(20, 30, 3, 5)


def numbers(case, name):
    return numbers_of(case, "float32", name=name), module_of(case, "float32", name=name)


def inference(case, name="lstm", new=False, masked=False, **how):
    """A call; new: of a module that has packed no weights."""
    n, m = numbers(case, name)
    valid = {"mask": make_mask(case)} if masked else {"lengths": n["lengths"]}

    def run():
        if new:
            m._packed = None
        return named(*m(n["x"], state_in(n), **valid, **how)[:2])

    return run


def training(case, name="lstm", every=None, masked=False, **how):
    n, m = numbers(case, name)
    valid = {"mask": make_mask(case)} if masked else {"lengths": n["lengths"]}

    def run():
        m.step = 0
        y, state, tape = m.forward(n["x"], state_in(n), checkpoint_every=every, **valid, **how)
        return named(y, state, m.backward(tape, n["dy"], state_in(n, "d{}_n"), **how))

    return run


def backward(case, name="lstm", every=None):
    """The tape of a call that fails serves the next one."""
    n, m = numbers(case, name)
    tapes = []

    def run():
        if not tapes:
            m.step = 0
            tapes.append(m.forward(n["x"], state_in(n), n["lengths"], checkpoint_every=every))
        y, state, tape = tapes[0]
        g = m.backward(tape, n["dy"], state_in(n, "d{}_n"))
        tapes.clear()
        return named(y, state, g)

    return run


def session(case, name="lstm"):
    """A session that ends a step with an error has either made the step or not."""
    n, m = numbers(case, name)

    def run():
        s = m.session(case.B)
        s.state = state_in(n)
        other = s.fork()
        y = np.concatenate([s.run(n["x"][:2]), [s.step(n["x"][2])], step_many([s, other], [n["x"][3], n["x"][0]])])
        return named(y, s.state)

    return run


def dense():
    rng = np.random.default_rng(0)
    x, w, b, dy = (rng.standard_normal(shape, np.float32) for shape in ((9, 5), (5, 17), (17,), (9, 17)))

    def run():
        y, dx, dw, db = map(np.zeros_like, (dy, x, w, b))
        linear_fwd(x, w, b, y)
        linear_bwd(x, w, dy, dx, dw, db)
        return {"y": y, "dx": dx, "dw": dw, "db": db}

    return run


def predict():
    model = Sequential([Input((None, 3)), Bidirectional(LSTM(9)), Dense(4)])
    model.build()
    x = numbers_of(SMALL, "float32")["x"]
    return lambda: {"y": model.predict(x, batch_size=2, verbose=0)}


CALLS = {
    "inference": lambda: inference(SMALL),
    "inference-new": lambda: inference(STACK, new=True),
    "inference-ragged": lambda: inference(RAGGED, threads=2),
    "inference-masked": lambda: inference(Case(7, 6, 5, 17, L=2), "gru", masked=True),
    "inference-shared": lambda: inference(SHARED, threads=2),
    "inference-taps": lambda: inference(SMALL, return_cells=True, return_gates=True),
    "inference-norm": lambda: inference(SMALL, "lstm-haste-all", new=True),
    "training": lambda: training(STACK),
    "training-ragged": lambda: training(RAGGED, threads=3),
    "training-masked": lambda: training(Case(7, 6, 5, 17), masked=True),
    "training-checkpoints": lambda: training(Case(9, 4, 3, 9, L=2), every=2),
    "training-dropped": lambda: training(SMALL, "lstm-haste-dropped-all"),
    "training-gru-before": lambda: training(SMALL, "gru-before-dropped-zoneout-clip"),
    "training-rnn": lambda: training(RAGGED, "rnn-dropped"),
    "training-bands": lambda: training(BANDS, threads=2),
    "training-shared": lambda: training(SHARED, threads=2),
    "backward": lambda: backward(STACK),
    "backward-ragged": lambda: backward(RAGGED, "gru"),
    "backward-checkpoints": lambda: backward(Case(9, 4, 3, 9, L=2), every=2),
    "session": lambda: session(STACK),
    "session-gru-before": lambda: session(SMALL, "gru-before"),
    "dense": dense,
    "predict": predict,
}


class Malloc:
    """The functions of failing_malloc.c, which is in this process."""

    def __init__(self):
        lib = ctypes.CDLL(None)
        self.fail, self.count, self.failed, self._ours = lib.lstmc_fail, lib.lstmc_count, lib.lstmc_failed, lib.lstmc_ours
        self.fail.argtypes, self.count.restype = [ctypes.c_long], ctypes.c_long

    def ours(self):
        """Blocks that the kernels' modules have taken by malloc, and those that are not free."""
        numbers = ctypes.c_long(), ctypes.c_long()
        self._ours(*map(ctypes.byref, numbers))
        return tuple(n.value for n in numbers)


def lacks(error):
    """Whether an error says that memory lacks. A lock of CPython that is not to be had is a RuntimeError, and NumPy's functions
    sometimes forget to say what is wrong."""
    where = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__)][-1]
    return (isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and str(error) == "can't allocate lock")
            or (isinstance(error, SystemError) and (f"numpy{os.sep}" in where or str(error).startswith("<ufunc"))))


def attempt(malloc, run, n):
    """(results, or None after an error; allocations; whether one failed) of a call whose allocation n fails."""
    found = None
    arena.current().clear()           # or workspaces would come from the store
    try:
        malloc.fail(n)
        found = run()
    except Exception as error:
        malloc.count()
        if not lacks(error):
            raise
    return found, malloc.count(), malloc.failed()


def faults(malloc, run):
    """For each allocation of a call its number and the results of the call without it, or None after an error. At the end nothing has failed."""
    n, failed, count = 1, True, 0
    while failed or n <= count:
        found, count, failed = attempt(malloc, run, n)
        if failed:
            yield n, found
        found = None
        n += 1
        if n % 100 == 0:
            gc.collect()


def bits(found):
    return {name: (a.dtype, a.shape, a.tobytes()) for name, a in found.items()}


class Workspaces(arena.Store):
    """A store that knows the workspaces taken since, by weak references."""

    def __init__(self):
        self.taken = {}

    def take(self, nbytes):
        found = super().take(nbytes)
        self.taken[id(found.memory)] = weakref.ref(found.memory)
        return found

    def out(self):
        """Workspaces that are neither here nor no more."""
        gc.collect()
        return sum(found() is not None for found in self.taken.values()) - self.blocks


def lack(name):
    malloc, workspaces, unraisable = Malloc(), Workspaces(), []
    usual = arena.use(workspaces)
    run = CALLS[name]()
    want = bits(run())
    for _ in range(3):
        assert bits(run()) == want
    sys.unraisablehook = lambda u: unraisable.append(u.exc_type)
    gc.collect()
    gc.disable()            # the same allocations at every attempt
    out, (taken, left) = workspaces.out(), malloc.ours()
    failed = errors = 0
    for n, found in faults(malloc, run):
        failed += 1
        errors += found is None
        assert found is None or bits(found) == want, f"allocation {n}: other bits from a call that went on without"
        assert bits(run()) == want, f"allocation {n}: other bits from the next call"
        found = None
    lost, still = workspaces.out() - out, malloc.ours()
    if os.environ.get("PYTHONMALLOC") != "malloc":
        assert lost == 0, f"{lost} workspaces were lost"
        assert still[1] == left, f"{still[1] - left} blocks were not freed"
    assert set(unraisable) <= {MemoryError}, unraisable
    print(f"{name}: {failed} allocations failed, {errors} calls raised; the kernels' modules took {still[0] - taken} blocks", flush=True)
    arena.use(usual)
    gc.enable()


if __name__ == "__main__":
    core.use_isa(sys.argv[2] if len(sys.argv) > 2 else core.isa())
    for name in CALLS if sys.argv[1] == "all" else sys.argv[1].split(","):
        lack(name)
