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
@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (6, 5), (5, 8), (3, 4, 17), (2, 700), (300, 129)], ids=str)
def test_losses(shape, dtype):
    """Gradients, and sums along a row, have the bits of NumPy's operations; all of it any split."""
    rng = np.random.default_rng(2)
    p, y = rng.random(shape).astype(dtype), rng.random(shape).astype(dtype)
    labels = rng.integers(-1, shape[-1], shape[:-1])

    def compute(threads):
        found = []
        for kernel, targets in ((train.squared_error, y), (train.crossentropy, y), (train.crossentropy, labels)):
            values, d = kernel(targets, p, threads=threads)
            assert kernel(targets, p, values=False)[1].tobytes() == d.tobytes()
            found += [values, d]
        return found

    squares, d_squares, soft, d_soft, hard, d_hard = same_bits(compute)
    wide = p.astype(np.float64)
    q = np.clip(wide / wide.sum(-1, keepdims=True), 1e-7, 1 - 1e-7)
    one_hot = np.where(labels[..., None] == np.arange(shape[-1]), 1, 0).astype(dtype)
    assert squares.tobytes() == (np.square(wide - y).sum(-1) / shape[-1]).tobytes()
    assert d_squares.tobytes() == ((p - y) * dtype(2 / shape[-1])).tobytes()
    np.testing.assert_allclose(soft, -(y * np.log(q)).sum(-1), 1e-13)
    assert d_soft.tobytes() == (p * y.sum(-1, keepdims=True) - y).tobytes()
    np.testing.assert_allclose(hard, -(one_hot * np.log(q)).sum(-1), 1e-13)
    assert d_hard.tobytes() == np.where(labels[..., None] < 0, dtype(0), p - one_hot).tobytes()


def test_losses_of_any_layout():
    p, y = np.random.default_rng(3).random((2, 2, 3, 2, 3, 5)).T, np.random.default_rng(4).random((2, 2, 3, 2, 3, 5), np.float32).T
    for kernel in (train.squared_error, train.crossentropy):
        for a, b in zip(kernel(y, p), kernel(np.ascontiguousarray(y, float).reshape(-1, 2), np.ascontiguousarray(p).reshape(-1, 2)), strict=True):
            assert a.shape == (p.shape if a.size == p.size else p.shape[:-1])
            assert a.tobytes() == b.tobytes()


def test_losses_at_the_edges():
    nan = float("nan")
    values, _ = train.crossentropy(np.array([0, 1, 1]), np.array([[nan, 0], [1, 0], [np.inf, np.inf]]))
    assert np.isnan(values[[0, 2]]).all()
    assert values[1] == -np.log(1e-7)
    values, d = train.crossentropy(np.array([[0, 1.0]] * 3), np.array([[nan, 1], [0, 0], [0, 2]]), gradient=False)
    assert d is None
    assert np.isnan(values[:2]).all()
    assert values[2] == -np.log(1 - 1e-7)
    with pytest.raises(ValueError, match=r"y: expected labels below 2, received 2"):
        train.crossentropy(np.array([0, 2, 1]), np.ones((3, 2)))
    with pytest.raises(ValueError, match=r"y: expected 6 elements of 8 bytes"):
        train.squared_error(np.ones((3, 1)), np.ones((3, 2)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [0, 1, 15, 4095, 4096, 4097, 50021])
def test_sumsq(n, dtype):
    x = np.random.default_rng(n).standard_normal(n).astype(dtype)
    (got,) = same_bits(lambda threads: (train.sumsq(x, threads),))
    want = float((x.astype(np.float64) ** 2).sum())
    assert abs(got - want) <= 1e-6 * max(want, 1)


# name: the rule, its slots, the numbers of three steps, a step of (w, g, slots, numbers) in float64
def sgd(w, g, s, u):
    s[0] = u["momentum"] * s[0] - u["lr"] * g
    return w + (u["momentum"] * s[0] - u["lr"] * g if u["nesterov"] else s[0])


def rmsprop(w, g, s, u):
    s[0] = u["beta2"] * s[0] + u["gain"] * g**2
    s[2] = u["beta2"] * s[2] + u["gain"] * g
    s[1] = u["momentum"] * s[1] + u["lr"] * g / np.sqrt(s[0] - s[2] ** 2 + u["eps"])
    return w - s[1]


def adam(w, g, s, u):
    s[0] = u["beta1"] * s[0] + (1 - u["beta1"]) * g
    s[1] = u["beta2"] * s[1] + (1 - u["beta2"]) * g**2
    s[2] = np.maximum(s[2], s[1])
    return w - u["lr"] * s[0] / (np.sqrt(s[2]) + u["eps"])


def nadam(w, g, s, u):
    s[0] = u["beta1"] * s[0] + (1 - u["beta1"]) * g
    s[1] = u["beta2"] * s[1] + (1 - u["beta2"]) * g**2
    return w - u["lr"] * (u["of_m"] * s[0] + u["of_g"] * g) / (np.sqrt(s[1] / u["of_v"]) + u["eps"])


def adamax(w, g, s, u):
    s[0] = u["beta1"] * s[0] + (1 - u["beta1"]) * g
    s[1] = np.maximum(u["beta2"] * s[1], np.abs(g))
    return w - u["lr"] * s[0] / (s[1] + u["eps"])


def adadelta(w, g, s, u):
    s[0] = u["beta2"] * s[0] + u["gain"] * g**2
    x = np.sqrt(s[1] + u["eps"]) * g / np.sqrt(s[0] + u["eps"])
    s[1] = u["beta2"] * s[1] + u["gain"] * x**2
    return w - u["lr"] * x


def lion(w, g, s, u):
    c = u["beta1"] * s[0] + (1 - u["beta1"]) * g
    s[0] = u["beta2"] * s[0] + (1 - u["beta2"]) * g
    return w - u["lr"] * np.sign(c)


NUMBERS = {"lr": 0.1, "beta1": 0.9, "beta2": 0.75, "eps": 0.01, "momentum": 0.5, "nesterov": True, "decay": 0.3, "gain": 0.3, "of_m": 0.7, "of_g": 0.2,
           "of_v": 0.6}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 17, 5000])
@pytest.mark.parametrize(("rule", "slots"), [(sgd, 1), (rmsprop, 3), (adam, 3), (nadam, 2), (adamax, 2), (adadelta, 2), (lion, 1)])
def test_updates(rule, slots, n, dtype):
    """Scaled by its norm, a gradient of all slots; some of it is 0, and some almost."""
    rng = np.random.default_rng(2)
    start = rng.standard_normal((4, n)).astype(dtype)
    start[1:, ::5] = 0
    start[1:, 1::5] *= np.finfo(dtype).smallest_normal
    names = tuple("abc"[:slots])

    def compute(threads):
        w, state = start[0].copy(), [{name: np.zeros(n, dtype) for name in names}]
        for g in start[1:]:
            train.apply(train.RULES[rule.__name__], [g], [w], state, names, {**NUMBERS, "clipnorm": 0.5}, threads)
        return (w, *state[0].values())

    got = same_bits(compute)
    w, s = start[0].astype(np.float64), [np.zeros(n) for _ in range(slots)]
    for g in start[1:].astype(np.float64):
        w = rule(w * (1 - NUMBERS["lr"] * NUMBERS["decay"]), g * 0.5 / max(np.linalg.norm(g), 0.5), s, NUMBERS)
    for a, want in zip(got, (w, *s), strict=True):
        assert np.abs(a - want).max() <= 20 * TOLERANCE[dtype] * np.abs(want).max()


@pytest.mark.parametrize(("rule", "slots"), [(sgd, 1), (rmsprop, 3), (adam, 3), (nadam, 2), (adamax, 2), (adadelta, 2)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_means_of_gradients_that_have_become_0_end_at_0(rule, slots, dtype):
    names, tiny = tuple("abc"[:slots]), np.finfo(dtype).smallest_normal
    state = [{name: np.repeat([4, -4, 1.5, 0.0], 5).astype(dtype) * tiny for name in names}]
    for slot in state[0].values():
        slot[-1] = np.nan
    for _ in range(40):
        train.apply(train.RULES[rule.__name__], [np.zeros(20, dtype)], [np.ones(20, dtype)], state, names, NUMBERS)
    largest = rule in (adam, rmsprop, adamax, adadelta)
    for name, slot in state[0].items():
        assert not ((np.abs(slot) < tiny) & (slot != 0)).any(), name
        assert np.isnan(slot[-1]) or (rule in (adam, adamax) and largest)


@pytest.mark.parametrize(("rule", "names"), [("adam", ("m",)), ("adam", (None, "v")), ("lion", ()), ("rmsprop", (None,)), ("sgd", ("a", "b", "c", "d"))])
def test_rules_without_their_slots_are_refused(rule, names):
    a = np.zeros(5, np.float32)
    with pytest.raises(ValueError, match="expected "):
        train.apply(train.RULES[rule], [a], [a], [dict.fromkeys("mvabcd", a)], names, {"lr": 0.1})
    with pytest.raises(ValueError, match="expected a known rule"):
        train.apply(99, [a], [a], [{}], (), {"lr": 0.1})
