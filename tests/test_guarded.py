"""Every kind of call on workspaces of exactly the size asked for, full of NaN, between pages that may not be touched (guarded.py), and on
arguments that end there: the bits of the usual ones. And that such workspaces find what they are there for.
"""

import ctypes

import numpy as np
import pytest

from cases import AWKWARD, Case
from cells import VARIANTS, make_mask, name_of, variants_on
from conftest import DTYPES, LONG, assert_same_bits, call, module_of, named, numbers_of, state_in, train
from guarded import Guarded, guarded, like
from lstmc.kernels import arena
from lstmc.kernels.linear import linear_bwd, linear_fwd
from lstmc.nn import step_many
from processes import python
from test_ctc import ctc, drawn

PLAIN = variants_on(AWKWARD + LONG, ("lstm", "gru", "rnn"))
SOME = {"float32": [Case(5, 7, 6, 8, L=2, bias=False), Case(5, 4, 3, 16, L=2, P=5)], "float64": [Case(7, 6, 5, 17, D=2, ragged=True)]}


def guarded_numbers(n):
    """The numbers of a case, in memory that ends where forbidden pages begin."""
    return {k: like(a) if isinstance(a, np.ndarray) else a for k, a in n.items()}


def trains_and_calls(case, name, dtype, threads, n, mask=None):
    """Bits of a training call, whole and in chunks of time, of inference and of a session; with a module of its own."""
    m = module_of(case, dtype, name=name)
    found = {}
    for every in (None, 2):
        m.step = 3
        found |= {f"{k} of {every}": a for k, a in train(m, n, threads, {"checkpoint_every": every}).items()}
    found |= {f"{k} called": a for k, a in call(m, n, threads=threads).items()}
    if mask is not None:
        m.step = 3
        y, state, tape = m.forward(n["x"], state_in(n), mask=mask, threads=threads)
        found |= {f"{k} masked": a for k, a in named(y, state, m.backward(tape, n["dy"], threads=threads)).items()}
    if case.D == 1 and case.T and case.B:
        s = m.session(case.B)
        s.state = state_in(n)
        found["y stepped"] = np.stack([s.step(x, threads=threads) for x in n["x"]])
        found["y of many"] = np.stack(step_many([s, s.fork()], [n["x"][0], n["x"][-1]]))
    return found


def the_same(case, name, dtype, threads, mask=None):
    n = numbers_of(case, dtype, name=name)
    arena.current().clear()
    want = trains_and_calls(case, name, dtype, threads, n, mask)
    with guarded() as guard:
        assert_same_bits(trains_and_calls(case, name, dtype, threads, guarded_numbers(n), mask), want)
    assert guard.taken > 10


@pytest.mark.parametrize(("case", "name"), PLAIN, ids=name_of)
def test_plain_cells(case, name, isa):
    the_same(case, name, "float32", 1)


@pytest.mark.parametrize(("dtype", "case", "name"), [(dtype, *pair) for dtype in DTYPES for pair in variants_on(SOME[dtype])], ids=name_of)
def test_variants(case, name, dtype, isa):
    the_same(case, name, dtype, 1)


@pytest.mark.parametrize("name", VARIANTS)
def test_masks_and_threads(name):
    case = Case(7, 9, 5, 17, D=2)
    the_same(case, name, "float32", 3, make_mask(case))


@pytest.mark.parametrize("case", [Case(4, 2, 70, 330), Case(30, 40, 9, 20), Case(15, 35, 3, 5), Case(21, 40, 3, 5, ragged=True)], ids=name_of)
@pytest.mark.parametrize("name", ["lstm", "lstm-haste", "gru", "gru-before", "rnn"])
def test_threads_that_share_and_bands(case, name, isa, forced):
    """Few rows of large weights, whose threads divide units, and enough rows for two bands; alone_from: as on a crowded machine."""
    the_same(case, name, "float32", 2)
    forced(alone_from=2)
    the_same(case, name, "float32", 4)


@pytest.mark.parametrize("name", ["lstm", "lstm-zoneout"])
@pytest.mark.parametrize("case", [Case(4, 2, 70, 330, P=170), Case(3, 1, 5, 700, P=20)], ids=name_of)
@pytest.mark.parametrize("epoch", [1, 2])
def test_threads_that_share_a_projection(epoch, case, name, isa, forced):
    the_same(case, name, "float32", 2)
    forced(alone_from=epoch)
    the_same(case, name, "float32", 4)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("M", "K", "N"), [(1, 1, 1), (5, 7, 3), (33, 17, 31), (300, 100, 9), (0, 3, 4), (65, 1, 130)])
def test_dense_layers(M, K, N, dtype, isa):
    rng = np.random.default_rng(0)
    x, w, b, dy = (rng.standard_normal(shape).astype(dtype) for shape in ((M, K), (K, N), (N,), (M, N)))

    def run(x, w, b, dy, threads):
        y, dx, dw, db = (like(np.zeros(a.shape, dtype)) for a in (dy, x, w, b))
        linear_fwd(x, w, b, y, threads)
        linear_bwd(x, w, dy, dx, dw, db, threads)
        return {"y": y, "dx": dx, "dw": dw, "db": db}

    for threads in (1, 3):
        want = run(x, w, b, dy, threads)
        with guarded():
            assert_same_bits(run(*map(like, (x, w, b, dy)), threads), want)


# That it notices -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("nbytes", [0, 1, 64, 100, 4095, 4096, 5000])
def test_a_workspace_is_as_large_as_asked_for_and_full_of_nan(nbytes):
    guard = Guarded()
    block = guard.take(nbytes)
    a = block.memory
    assert a.size == nbytes
    assert a.ctypes.data % arena.ALIGN == 0
    assert (a == 0xFF).all()
    assert np.isnan(a[:nbytes // 8 * 8].view(np.float32)).all()
    a[:] = 0
    guard.give([block])
    assert not guard.wrong
    assert not guard.around


@pytest.mark.parametrize(("at", "where"), [(-1, "before"), (100, "after"), (127, "after")])
def test_a_byte_written_beside_a_workspace(at, where):
    def write():
        with guarded():
            store = arena.current()
            a = store.take(100)
            ctypes.memset(a.memory.ctypes.data + at, 1, 1)
            store.give([a])

    with pytest.raises(AssertionError, match=f"1 bytes {where} a workspace of 100 were written"):
        write()


def test_a_value_that_nobody_wrote():
    store = arena.current()
    with guarded():
        assert np.isnan(np.empty((2, 3), np.float32)).all()
        a = arena.current().take(8)
        assert np.isnan(a.memory.view(np.float64)[0])
        arena.current().give([a])
    assert arena.current() is store


def test_a_workspace_that_is_not_given_back():
    def keep():
        with guarded():
            kept.append(arena.current().take(8))

    kept = []
    with pytest.raises(AssertionError):
        keep()
    store = arena.current()
    store.clear()
    store.give(kept)
    assert store.blocks == 0                # where all are larger


@pytest.mark.parametrize("touch", ["a.ctypes.data + 128", "a.ctypes.data + 128 - PAGE - 1"])
def test_a_touch_of_forbidden_pages_ends_the_process(touch):
    done = python(f"""
    import sys
    sys.path.insert(0, {str(__file__).rpartition("/")[0]!r})
    import ctypes
    from guarded import PAGE, Guarded
    a = Guarded().take(100).memory
    print("taken", flush=True)
    ctypes.string_at({touch}, 1)
    """)
    assert done.stdout == "taken\n"
    assert done.returncode < 0, done.returncode


@pytest.mark.parametrize("dtype", DTYPES)
def test_ctc(dtype, isa):
    for seed in range(12):
        x, y, lengths, frames, blank = drawn(seed, dtype)
        want, alone = ctc(x, y, lengths, frames, blank), ctc(x, y, lengths, frames, blank, gradient=False)
        with guarded():
            assert_same_bits(ctc(like(x), like(y), lengths, frames, blank, threads=2), want)
            assert_same_bits(ctc(like(x), like(y), lengths, frames, blank, gradient=False), alone)
