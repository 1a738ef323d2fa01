"""What the engine's tests share: instruction sets to run on, cases with enough rows, modules built from a case and a
variant, results by name, and the two comparisons (close to a reference, equal bit for bit).
"""

from functools import cache, partial

import numpy as np
import pytest

from cases import AWKWARD, Case
from cells import VARIANTS, expected, make
from lstmc import nn
from lstmc.kernels import contention, core
from lstmc.kernels.backward import backward
from lstmc.kernels.forward import forward
from lstmc.nn import passes

ISAS = core.usable_isas()
# The promise of equal bits is about machines with fused multiply-add; the baseline keeps it for itself.
FMA_ISAS = [name for name in ISAS if name != "baseline"] or ["baseline"]
DTYPES = ("float32", "float64")
MODULES = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
TOLERANCE = {"float32": 2e-5, "float64": 1e-12}

# Tests ask for threads because of what they do, so they get them on a crowded machine too: an hour is won in advance.
CREDIT = 3600.0
contention.start_with(CREDIT)

# Enough live pairs for several blocks of a weight gradient (256 pairs) and several chunks (2048); rows for every
# register tile; W x of a narrow batch in several portions of time.
LONG = [
    Case(67, 7, 5, 9, ragged=True),
    Case(113, 19, 3, 5, ragged=True),
    Case(97, 23, 2, 3, P=2),
    Case(150, 1, 3, 17, D=2),
]
CASES = AWKWARD + LONG


# About processes, files, words and races, and long: no instruction set and no build answers them otherwise. (Signals: a build without
# OpenMP has another clock.)
ONCE = {f"test_{name}" for name in ("bad_files", "bench_processes", "files", "fuzz", "guarded", "lack_of_memory", "races", "storms", "words")}

# About what a build may change and no instruction set does.
EACH_BUILD = {f"test_{name}" for name in ("bent_arrays", "bench", "cli", "cpus", "errors", "fit", "forks", "imports", "interrupts", "memory_errors",
                                          "optimizers", "readme", "runtime", "saving")}


def pytest_collection_modifyitems(items):
    """Tests that visit every instruction set themselves need not run again where one is forced: -m "not every_isa"."""
    for item in items:
        if "any_isa" in getattr(item, "fixturenames", ()) or item.path.stem in EACH_BUILD:
            item.add_marker("each_build")
        if "isa" in getattr(item, "fixturenames", ()):
            item.add_marker("every_isa")
        if item.path.stem in ONCE:
            item.add_marker("once")


@pytest.fixture(params=ISAS)
def isa(request):
    """Runs the test on every usable instruction set."""
    before = core.isa()
    core.use_isa(request.param)
    yield request.param
    core.use_isa(before)


@pytest.fixture
def any_isa():
    """For tests that call `core.use_isa` themselves: what was in use is in use again afterwards."""
    before = core.isa()
    yield core.use_isa
    core.use_isa(before)


@pytest.fixture
def forced(monkeypatch):
    """forced(alone_from=3, one_by_one=True): entries of the plan of every whole sequence from here on."""
    def force(**entries):
        monkeypatch.setattr(passes, "forward", partial(forward, forced=entries))
        monkeypatch.setattr(passes, "backward", partial(backward, forced=entries))

    return force


@cache
def numbers_of(case, dtype="float64", seed=0, name="lstm"):
    """`cells.make`, once per case and variant: read only, so that no test can disturb another."""
    numbers = make(case, VARIANTS[name], seed, np.dtype(dtype))
    for a in [*numbers.values(), *numbers["params"].values()]:
        if isinstance(a, np.ndarray):
            a.flags.writeable = False
    return numbers


def module_of(case, dtype="float64", params=None, name="lstm", **more):
    """nn.LSTM, GRU or RNN of a case's sizes and a variant's settings, with their weights."""
    variant = VARIANTS[name]
    sizes = {"proj_size": case.P} if variant.cell == "lstm" else {}
    m = MODULES[variant.cell](case.I, case.H, case.L, case.bias, bidirectional=case.D == 2, dtype=dtype, seed=0,
                              **sizes | variant.settings | more)
    m.load_state_dict(numbers_of(case, dtype, name=name)["params"] if params is None else params)
    return m


def state_in(numbers, name="{}0"):
    """A state as a module takes it: a pair where there is a c, else h."""
    parts = [numbers[name.format(part)] for part in "hc" if name.format(part) in numbers]
    return tuple(parts) if len(parts) > 1 else parts[0]


def parts_of(state, name):
    """The parts of a state by name, such as "{}_n"."""
    return dict(zip(map(name.format, "hc"), state if isinstance(state, tuple) else (state,), strict=False))


def named(y, state, grads=None):
    """Results by name: y, h_n, c_n, and with gradients dx (if any), dh0, dc0 and "d" + every parameter."""
    found = {"y": y, **parts_of(state, "{}_n")}
    if grads is not None:
        found |= {"dx": grads.x} if grads.x is not None else {}
        found |= parts_of(grads.hx, "d{}0") | {f"d{name}": g for name, g in grads.params.items()}
    return found


def call(m, n, **more):
    """A call of a module on numbers as `cells.make` gives them; results by name."""
    return named(*m(n["x"], state_in(n), n["lengths"], **more))


def train(m, n, threads=None, how=None, **changed):
    """Forward (with arguments `how`) and backward of a module on numbers as `cells.make` gives them; results by name."""
    n = {**n, **changed}
    y, state, tape = m.forward(n["x"], state_in(n), n["lengths"], threads=threads, **how or {})
    return named(y, state, m.backward(tape, n["dy"], state_in(n, "d{}_n"), threads=threads))


@cache
def expected_of(case, dtype, name="lstm"):
    """What the reference says, by name, for the numbers that `dtype` holds."""
    return expected(case, VARIANTS[name], numbers_of(case, dtype, name=name))


def assert_close(got, want, tolerance):
    """Two arrays, or two dicts of arrays, agree within `tolerance` of the largest value of each array; NaN never passes."""
    if not isinstance(want, dict):
        got, want = {"array": got}, {"array": want}
    assert got.keys() == want.keys()
    for name, w in want.items():
        assert got[name].shape == w.shape, name
        if w.size:
            error = np.max(np.abs(got[name] - w)) / max(np.max(np.abs(w)), 1e-3)
            assert error <= tolerance, f"{name}: relative error {error:.2e}"


def assert_same_bits(got, want):
    """Two arrays, or two dicts of arrays, are equal bit for bit: shape, dtype, signs of zero and NaN included."""
    if not isinstance(want, dict):
        got, want = {"array": got}, {"array": want}
    assert got.keys() == want.keys()
    for name, w in want.items():
        assert (got[name].shape, got[name].dtype) == (w.shape, w.dtype), name
        differ = np.count_nonzero(got[name] != w)
        assert got[name].tobytes() == w.tobytes(), f"{name}: {differ} of {w.size} values differ"
