"""Softmax, squared norm and optimizer updates: values against float64 NumPy, equal bits for any split."""

import itertools

import numpy as np
import pytest

from lstmc.kernels import core, train

DTYPES = [np.float32, np.float64]
TOLERANCE = {np.float32: 1e-6, np.float64: 1e-14}


@pytest.fixture(autouse=True)
def restored():
    isa = core.isa()
    yield
    core.use_isa(isa)


def every_way():
    """(isa, threads) pairs that must give the same bits."""
    isas = [isa for isa in core.usable_isas() if isa != "baseline"] or ["baseline"]
    for isa, threads in itertools.product(isas, (1, 2, 3)):
        core.use_isa(isa)
        yield threads


def same_bits(compute):
    results = [compute(threads) for threads in every_way()]
    for other in results[1:]:
        for got, want in zip(other, results[0], strict=True):
            assert np.asarray(got).tobytes() == np.asarray(want).tobytes()
    return results[0]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 1), (7, 9), (5, 16), (3, 17), (64, 31), (0, 4), (2, 1000)], ids=str)
def test_softmax(shape, dtype):
    rng = np.random.default_rng(1)
    x, dy = (4 * rng.standard_normal(shape)).astype(dtype), rng.standard_normal(shape).astype(dtype)

    def compute(threads):
        y, dx = np.empty_like(x), np.empty_like(x)
        train.softmax(x, y, threads)
        train.softmax_bwd(y, dy, dx, threads)
        return y, dx

    y, dx = same_bits(compute)
    e = np.exp(x.astype(np.float64) - x.max(1, keepdims=True, initial=-np.inf))
    want = e / e.sum(1, keepdims=True)
    assert np.abs(y - want).max(initial=0) <= TOLERANCE[dtype]
    want = want * (dy - (want * dy).sum(1, keepdims=True))
    assert np.abs(dx - want).max(initial=0) <= 4 * TOLERANCE[dtype]


def test_softmax_extremes():
    x = np.array([[1e4, -1e4, 0], [-np.inf, 0, 0], [np.nan, 0, 1], [88, 89, 90]], np.float32)
    y = np.empty_like(x)
    train.softmax(x, y)
    assert y[0].tolist() == [1, 0, 0]
    assert y[1].tolist() == [0, 0.5, 0.5]
    assert np.isnan(y[2]).all()
    assert np.abs(y[3].sum() - 1) < 1e-6


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [0, 1, 15, 4095, 4096, 4097, 50021])
def test_sumsq(n, dtype):
    x = np.random.default_rng(n).standard_normal(n).astype(dtype)
    (got,) = same_bits(lambda threads: (train.sumsq(x, threads),))
    want = float((x.astype(np.float64) ** 2).sum())
    assert abs(got - want) <= 1e-6 * max(want, 1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 17, 5000])
def test_adam(n, dtype):
    start = np.random.default_rng(2).standard_normal((6, n)).astype(dtype)

    def compute(threads):
        w, m, v = start[0].copy(), np.zeros(n, dtype), np.zeros(n, dtype)
        for t, g in enumerate(start[1:], 1):
            lr = 0.01 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
            train.adam(w, g, m, v, lr, 0.9, 0.999, 1e-7, 0.01 / lr * 0.1, 0.5, threads)
        return w, m, v

    got = same_bits(compute)
    w, m, v = start[0].astype(np.float64), np.zeros(n), np.zeros(n)
    for t, g in enumerate(start[1:], 1):
        g = 0.5 * g.astype(np.float64)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        w = w * (1 - 0.01 * 0.1) - 0.01 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-7 / np.sqrt(1 - 0.999**t))
    for a, want in zip(got, (w, m, v), strict=True):
        assert np.abs(a - want).max() <= 20 * TOLERANCE[dtype] * np.abs(want).max()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_rmsprop(momentum, dtype):
    n = 4099
    start = np.random.default_rng(3).standard_normal((6, n)).astype(dtype)

    def compute(threads):
        w, v, m = start[0].copy(), np.zeros(n, dtype), np.zeros(n, dtype) if momentum else None
        for g in start[1:]:
            train.rmsprop(w, g, m, v, 0.01, 0.9, 1e-7, momentum, 0.1, 2.0, threads)
        return w, v

    got = same_bits(compute)
    w, m, v = start[0].astype(np.float64), np.zeros(n), np.zeros(n)
    for g in start[1:]:
        g = 2 * g.astype(np.float64)
        v = 0.9 * v + 0.1 * g**2
        m = momentum * m + 0.01 * g / np.sqrt(v + 1e-7)
        w = w * (1 - 0.01 * 0.1) - m
    for a, want in zip(got, (w, v), strict=True):
        assert np.abs(a - want).max() <= 20 * TOLERANCE[dtype] * np.abs(want).max()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True)])
def test_sgd(momentum, nesterov, dtype):
    n = 4099
    start = np.random.default_rng(4).standard_normal((6, n)).astype(dtype)

    def compute(threads):
        w, m = start[0].copy(), np.zeros(n, dtype) if momentum else None
        for g in start[1:]:
            train.sgd(w, g, m, 0.1, momentum, nesterov, 0.01, 0.5, threads)
        return (w,)

    (got,) = same_bits(compute)
    w, m = start[0].astype(np.float64), np.zeros(n)
    for g in start[1:]:
        step = 0.1 * 0.5 * g.astype(np.float64)
        m = momentum * m - step
        w = w * (1 - 0.1 * 0.01) + (momentum * m - step if nesterov else m)
    assert np.abs(got - w).max() <= 20 * TOLERANCE[dtype] * np.abs(w).max()


def test_disagreeing_arrays_are_refused():
    w, g = np.zeros(5, np.float32), np.zeros(4, np.float32)
    with pytest.raises(ValueError, match=r"^g: expected 5 elements"):
        train.sgd(w, g, None, 0.1)
    with pytest.raises(ValueError, match=r"^g: expected 5 elements"):
        train.sgd(w, np.zeros(5), None, 0.1)
    with pytest.raises(ValueError, match=r"^w: expected a C-contiguous array"):
        train.sgd(np.zeros(10, np.float32)[::2], np.zeros(5, np.float32), None, 0.1)
