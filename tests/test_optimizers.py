"""Optimizers: several steps against a plain NumPy transcription of Keras' equations, clipping, arguments."""

import numpy as np
import pytest

import lstmc
from lstmc import optimizers

SHAPES = [(7, 5), (5,), (40, 31)]
STEPS = 5


def numbers(dtype):
    rng = np.random.default_rng(0)
    return ([rng.standard_normal(s).astype(dtype) for s in SHAPES],
            [[rng.standard_normal(s).astype(dtype) for s in SHAPES] for _ in range(STEPS)])


def clip(grads, clipnorm=None, global_clipnorm=None, clipvalue=None):
    if clipvalue:
        return [np.clip(g, -clipvalue, clipvalue) for g in grads]
    if clipnorm:
        return [g * clipnorm / max(np.sqrt((g**2).sum()), clipnorm) for g in grads]
    if global_clipnorm:
        norm = np.sqrt(sum((g**2).sum() for g in grads))
        return [g * global_clipnorm / max(norm, global_clipnorm) for g in grads]
    return grads


def plain(rule, weights, steps, lr, decay=None, clips=None, **s):
    """Keras' order: clip, decay, update."""
    weights = [w.astype(np.float64) for w in weights]
    m, v = [np.zeros_like(w) for w in weights], [np.zeros_like(w) for w in weights]
    for t, grads in enumerate(steps, 1):
        grads = clip([g.astype(np.float64) for g in grads], **(clips or {}))
        for k, (w, g) in enumerate(zip(weights, grads, strict=True)):
            w -= w * (decay or 0) * lr
            if rule == "sgd":
                m[k] = s["momentum"] * m[k] - lr * g
                w += s["momentum"] * m[k] - lr * g if s.get("nesterov") else m[k]
            elif rule == "rmsprop":
                v[k] = s["rho"] * v[k] + (1 - s["rho"]) * g**2
                m[k] = s["momentum"] * m[k] + lr * g / np.sqrt(v[k] + 1e-7)
                w -= m[k]
            else:
                alpha = lr * np.sqrt(1 - s["beta_2"] ** t) / (1 - s["beta_1"] ** t)
                m[k] += (g - m[k]) * (1 - s["beta_1"])
                v[k] += (g**2 - v[k]) * (1 - s["beta_2"])
                w -= m[k] * alpha / (np.sqrt(v[k]) + 1e-7)
    return weights


ADAM = {"beta_1": 0.9, "beta_2": 0.999}
CASES = [
    (optimizers.SGD(0.1), ("sgd", 0.1), {"momentum": 0}),
    (optimizers.SGD(0.1, 0.9), ("sgd", 0.1), {"momentum": 0.9}),
    (optimizers.SGD(0.1, 0.9, True, weight_decay=0.2), ("sgd", 0.1, 0.2), {"momentum": 0.9, "nesterov": True}),
    (optimizers.SGD(0.1, clipvalue=0.3), ("sgd", 0.1, None, {"clipvalue": 0.3}), {"momentum": 0}),
    (optimizers.RMSprop(), ("rmsprop", 0.001), {"rho": 0.9, "momentum": 0}),
    (optimizers.RMSprop(0.01, 0.8, 0.5, weight_decay=0.1, clipnorm=1.0), ("rmsprop", 0.01, 0.1, {"clipnorm": 1.0}),
     {"rho": 0.8, "momentum": 0.5}),
    (optimizers.Adam(), ("adam", 0.001), ADAM),
    (optimizers.Adam(0.02, 0.8, 0.99, global_clipnorm=2.0), ("adam", 0.02, None, {"global_clipnorm": 2.0}),
     {"beta_1": 0.8, "beta_2": 0.99}),
    (optimizers.Adam(0.02, clipnorm=1e6), ("adam", 0.02), ADAM),
    (optimizers.AdamW(0.02), ("adam", 0.02, 0.004), ADAM),
    (optimizers.AdamW(0.02, 0.5, clipvalue=0.3), ("adam", 0.02, 0.5, {"clipvalue": 0.3}), ADAM),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{type(case[0]).__name__}-{case[1][1:]}-{case[2]}".replace(" ", ""))
def test_steps(case, dtype):
    template, (rule, *settings), s = case
    weights, steps = numbers(dtype)
    want = plain(rule, weights, steps, *settings, **s)
    optimizer = type(template)(**template.get_config())
    for grads in steps:
        before = [g.copy() for g in grads]
        optimizer.apply(grads, weights)
        assert all(np.array_equal(a, b) for a, b in zip(before, grads, strict=True))
    assert optimizer.iterations == STEPS
    # One block of a squared norm is summed in the array's precision, so factors of clipping carry its rounding.
    tolerance = 1e-6 if dtype == np.float32 else 1e-13
    for got, expected in zip(weights, want, strict=True):
        assert got.dtype == dtype
        assert np.abs(got - expected).max() <= tolerance * np.abs(expected).max()


@pytest.mark.parametrize("clipping", optimizers.CLIPS)
def test_bits_do_not_depend_on_threads(clipping):
    def run(n):
        rng = np.random.default_rng(1)
        weights = [rng.standard_normal(300_000).astype(np.float32)]
        optimizer = optimizers.AdamW(0.01, **{clipping: 0.5})
        with lstmc.threads(n):
            for _ in range(2):
                optimizer.apply([rng.standard_normal(300_000).astype(np.float32)], weights)
        return weights[0].tobytes()

    assert run(1) == run(2) == run(3)


def test_a_gradient_that_is_not_finite_shows():
    for clipping in optimizers.CLIPS[:2]:
        for bad in (np.nan, np.inf):
            weights = [np.ones(3, np.float32), np.ones(2, np.float32)]
            optimizers.SGD(0.1, **{clipping: 1.0}).apply([np.array([bad, 1, 1], np.float32), np.ones(2, np.float32)], weights)
            assert np.isnan(weights[0][0])
            assert np.isnan(weights[1]).all() == (clipping == "global_clipnorm")


def test_learning_rate_may_change():
    optimizer, weights = optimizers.SGD(0.1), [np.zeros(2, np.float32)]
    optimizer.apply([np.ones(2, np.float32)], weights)
    optimizer.learning_rate = 0.5
    optimizer.apply([np.ones(2, np.float32)], weights)
    assert np.allclose(weights[0], -0.6)


@pytest.mark.parametrize(("make", "error", "message"), [
    (lambda: optimizers.Adam(0.1, clipnorm=1, clipvalue=1), ValueError, "at most one of clipnorm, global_clipnorm, clipvalue"),
    (lambda: optimizers.Adam(-0.1), ValueError, "learning_rate: expected at least 0"),
    (lambda: optimizers.Adam("fast"), TypeError, "learning_rate: expected a number"),
    (lambda: optimizers.Adam(lambda step: 0.1), TypeError, "learning_rate: expected a number; .* schedule"),
    (lambda: optimizers.Adam(amsgrad=True), ValueError, "amsgrad=True is not supported"),
    (lambda: optimizers.RMSprop(centered=True), ValueError, "centered=True is not supported"),
    (lambda: optimizers.Adam(beta_1=1.0), ValueError, "beta_1: expected at least 0 and below 1"),
    (lambda: optimizers.SGD(momentun=0.9), TypeError, "unexpected argument 'momentun'"),
    (lambda: optimizers.SGD(clipnorm=0), ValueError, "clipnorm: expected above 0"),
    (lambda: optimizers.get("adagrad"), ValueError, "optimizer: expected one of sgd, rmsprop, adam, adamw"),
])  # fmt: skip
def test_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_names_and_other_weights():
    assert type(optimizers.get("AdamW")) is optimizers.AdamW
    optimizer = optimizers.get("adam")
    optimizer.apply([np.ones(2, np.float32)], [np.ones(2, np.float32)])
    with pytest.raises(ValueError, match="expected 1 weights and gradients"):
        optimizer.apply([], [])
