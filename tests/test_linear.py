"""linear_fwd and linear_bwd: values against float64 NumPy, equal bits for any threads and instruction set."""

import itertools

import numpy as np
import pytest

from conftest import assert_close
from lstmc.kernels import core, linear

TOLERANCE = {np.float32: 2e-6, np.float64: 1e-14}
# (M, K, N): around blocks and tiles, primes, one, none, more rows than one block of a weight gradient
SIZES = [
    (1, 1, 1),
    (5, 15, 16),
    (6, 16, 17),
    (7, 17, 15),
    (13, 31, 67),
    (3, 100, 131),
    (257, 8, 9),
    (600, 33, 5),
    (101, 97, 64),
    (0, 5, 7),
    (4, 0, 3),
    (4, 3, 0),
]


@pytest.fixture(autouse=True)
def restored():
    isa = core.isa()
    yield
    core.use_isa(isa)


def problem(M, K, N, dtype, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(s).astype(dtype) for s in ((M, K), (K, N), (N,), (M, N))]


def run(x, w, b, dy, threads=None):
    y, dx, dw, db = np.full_like(dy, np.nan), np.full_like(x, np.nan), np.full_like(w, np.nan), np.full_like(b, np.nan)
    linear.linear_fwd(x, w, b, y, threads)
    linear.linear_bwd(x, w, dy, dx, dw, db, threads)
    return y, dx, dw, db


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_values(size, dtype):
    x, w, b, dy = problem(*size, dtype)
    x_, w_, b_, dy_ = (a.astype(np.float64) for a in (x, w, b, dy))
    wanted = x_ @ w_ + b_, dy_ @ w_.T, x_.T @ dy_, dy_.sum(0)
    for got, want in zip(run(x, w, b, dy), wanted, strict=True):
        assert_close(got, want, TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_bits(size, dtype):
    arrays = problem(*size, dtype)
    isas = [isa for isa in core.usable_isas() if isa != "baseline"] or ["baseline"]
    core.use_isa(isas[0])
    first = run(*arrays, threads=1)
    for isa, threads in itertools.product(isas, (1, 2, 3)):
        core.use_isa(isa)
        for got, want in zip(run(*arrays, threads=threads), first, strict=True):
            assert got.tobytes() == want.tobytes()


def test_baseline_agrees():
    arrays = problem(37, 40, 21, np.float32)
    first = run(*arrays)
    core.use_isa("baseline")
    for got, want in zip(run(*arrays), first, strict=True):
        assert_close(got, want.astype(np.float64), TOLERANCE[np.float32])


def test_a_row_does_not_depend_on_its_batch():
    x, w, b, _ = problem(23, 19, 18, np.float32)
    whole = np.empty((23, 18), np.float32)
    linear.linear_fwd(x, w, b, whole)
    for i in range(23):
        alone = np.empty((1, 18), np.float32)
        linear.linear_fwd(x[i:i + 1], w, b, alone)
        assert alone.tobytes() == whole[i].tobytes()


def test_strides():
    x, w, b, dy = problem(29, 13, 18, np.float32)
    want = run(x, w, b, dy)
    spread = [np.zeros([2 * n for n in a.shape], a.dtype) for a in (x, w, b, dy)]
    views = [s[tuple(slice(None, None, 2) for _ in s.shape)] for s in spread]
    for view, a in zip(views, (x, w, b, dy), strict=True):
        view[...] = a
    outs = [np.zeros([3 * n for n in a.shape], a.dtype)[tuple(slice(None, None, 3) for _ in a.shape)] for a in want]
    linear.linear_fwd(*views[:3], outs[0])
    linear.linear_bwd(views[0], views[1], views[3], *outs[1:])
    transposed = np.empty((18, 29), np.float32).T
    linear.linear_fwd(np.asfortranarray(x)[::-1], np.asfortranarray(w), b, transposed)
    for got, expected in zip([*outs, transposed[::-1]], [*want, want[0]], strict=True):
        assert np.ascontiguousarray(got).tobytes() == expected.tobytes()
    # What lies between the strided elements is not touched.
    assert not outs[0].base[1::3].any()
    assert not outs[0].base[:, 1::3].any()


def test_a_batch_of_matrices_that_overlap():
    """x (B, R, K) that is a view of sequences (B, T, F) has the bits of its copy, forward and backward."""
    for dtype, (B, T, F, size, stride) in itertools.product((np.float32, np.float64), ((3, 150, 7, 5, 1), (5, 31, 16, 3, 2), (1, 9, 1, 9, 1))):
        sequences = problem(B * T, F, 1, dtype)[0].reshape(B, T, F)
        windows = np.lib.stride_tricks.sliding_window_view(sequences.reshape(B, -1), size * F, 1)[:, ::stride * F]
        rows = np.ascontiguousarray(windows).reshape(-1, size * F)
        _, w, b, dy = problem(len(rows), size * F, 18, dtype)
        want = run(rows, w, b, dy)
        for threads in (1, 3):
            y, dx, dw, db = (np.full_like(a, np.nan) for a in want)
            linear.linear_fwd(windows, w, b, y.reshape(B, -1, 18)[:, ::-1], threads)
            linear.linear_bwd(windows, w, dy.reshape(B, -1, 18), dx.reshape(windows.shape), dw, db, threads)
            y = np.ascontiguousarray(y.reshape(B, -1, 18)[:, ::-1]).reshape(y.shape)
            for got, expected in zip((y, dx, dw, db), want, strict=True):
                assert got.tobytes() == expected.tobytes()
    for wrong in (windows[..., :-1], windows[:, :-1], windows[None]):
        with pytest.raises(ValueError, match=r"^[xy]: expected shape"):
            linear.linear_fwd(wrong, w, b, y)


def test_absent_parts():
    x, w, b, dy = problem(9, 6, 20, np.float64)
    y, dw, full = np.empty_like(dy), np.empty_like(w), run(x, w, np.zeros_like(b), dy)
    linear.linear_fwd(x, w, None, y)
    linear.linear_bwd(x, w, dy, None, dw, None)
    assert y.tobytes() == full[0].tobytes()
    assert dw.tobytes() == full[2].tobytes()


def test_inputs_are_not_written():
    arrays = problem(300, 7, 9, np.float32)
    before = [a.copy() for a in arrays]
    x, w, b, dy = arrays
    linear.linear_fwd(x, w, b, np.empty((300, 9), np.float32))
    linear.linear_bwd(x, w, dy, np.empty((300, 7), np.float32), np.empty((7, 9), np.float32), np.empty(9, np.float32))
    assert all(np.array_equal(*pair) for pair in zip(arrays, before, strict=True))


def test_nan_stays_in_its_row():
    x, w, b, dy = problem(8, 5, 6, np.float32)
    x[3, 2] = np.nan
    y = run(x, w, b, dy)[0]
    assert np.isnan(y[3]).all()
    assert np.isfinite(np.delete(y, 3, 0)).all()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("x", lambda a: {**a, "x": a["x"][:, :-1]}),
        ("x", lambda a: {**a, "x": a["x"].astype(np.float64)}),
        ("b", lambda a: {**a, "b": a["b"][:-1]}),
        ("y", lambda a: {**a, "y": a["y"][:-1]}),
    ],
)
def test_disagreeing_shapes_are_refused(name, change):
    x, w, b, y = problem(4, 5, 6, np.float32)
    arguments = change({"x": x, "w": w, "b": b, "y": y})
    with pytest.raises(ValueError, match=f"^{name}: expected"):
        linear.linear_fwd(*arguments.values())
