"""GaussianNoise, GaussianDropout, AlphaDropout: which numbers they draw, what these depend on, gradients, settings. Keras' formulas: test_keras_layers.py."""

import statistics

import numpy as np
import pytest

from conftest import DTYPES, assert_same_bits
from lstmc import Model, Sequential, layers
from lstmc.layers.normal import quantile
from lstmc.reference import random as law

RNG = np.random.default_rng(5)
X = RNG.normal(size=(6, 4, 5))
KINDS = {"GaussianNoise": 0.5, "GaussianDropout": 0.3, "AlphaDropout": 0.3}


def test_the_quantile_of_the_normal_distribution(isa):
    p = np.concatenate([np.linspace(0.0005, 0.9995, 1999), 2.0 ** -np.arange(2, 34), 1 - 2.0 ** -np.arange(2, 34)])
    want = np.array([statistics.NormalDist().inv_cdf(v) for v in p])
    z = quantile(p)
    assert np.abs(z / np.where(want == 0, 1, want) - (want != 0)).max() < 2e-7


@pytest.mark.parametrize("dtype", DTYPES)
def test_noise_is_a_function_of_seed_step_and_position(dtype, isa):
    """The word of the law decides; sizes of batch and time do not matter."""
    noise = layers.GaussianNoise(1.0, seed=9, dtype=dtype)
    zero = np.zeros((6, 4, 5), dtype)
    y = noise.forward(zero, None, True, 3)[0]
    words = law.words(range(4), range(6), range(5), law.derived_key(9, 3, 0, 4)).transpose(1, 0, 2)
    want = np.array([statistics.NormalDist().inv_cdf((int(w) + 0.5) / 2**32) for w in words.ravel()]).reshape(y.shape)
    assert y.dtype == dtype
    assert np.abs(y - want).max() < 2e-6
    assert_same_bits(noise.forward(zero[:2, :3], None, True, 3)[0], np.ascontiguousarray(y[:2, :3]))
    others = (noise.forward(zero, None, True, 4)[0], layers.GaussianNoise(1.0, seed=8, dtype=dtype).forward(zero, None, True, 3)[0])
    assert all(np.abs(other - y).max() > 1 for other in others)


@pytest.mark.once
def test_mean_and_variance():
    x = np.random.default_rng(0).standard_normal((200, 50, 10)).astype(np.float32)
    for kind, amount in KINDS.items():
        y = getattr(layers, kind)(amount, seed=1).forward(x, None, True, 0)[0]
        variance = {"GaussianNoise": 1.25, "GaussianDropout": 1 / 0.7, "AlphaDropout": 1}[kind]
        assert abs(y.mean()) < 0.02
        assert abs(y.var() - variance) < 0.02


@pytest.mark.once
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_inference_and_settings(kind):
    layer, mask = getattr(layers, kind)(KINDS[kind], seed=2, dtype="float64"), np.ones((6, 4), bool)
    y, out_mask, tape = layer.forward(X, mask, True, 1)
    assert out_mask is mask
    dy = RNG.normal(size=X.shape)
    dx, grads = layer.backward(tape, dy)
    along = RNG.normal(size=X.shape)
    d = [(layer.forward(X + e * along, None, True, 1)[0] * dy).sum() for e in (1e-6, -1e-6)]
    assert np.isclose((d[0] - d[1]) / 2e-6, (dx * along).sum(), rtol=1e-6)
    assert grads == []
    assert layer(X) is not y
    assert np.array_equal(layer(X), X)
    none = getattr(layers, kind)(0)
    assert np.array_equal(none.forward(X, None, True, 1)[0], X)
    assert np.array_equal(none.backward(none.forward(X, None, True, 1)[2], dy)[0], dy)
    with pytest.raises((TypeError, ValueError), match=r"^(stddev|rate): expected"):
        getattr(layers, kind)(-0.1)


@pytest.mark.once
@pytest.mark.parametrize("make", [*(lambda kind=k: getattr(layers, kind)(KINDS[kind], seed=1) for k in KINDS), lambda: layers.Dropout(0.5, seed=1),
                                  lambda: layers.GRU(5, return_sequences=True, seed=1, dropout=0.5),
                                  lambda: layers.LSTM(5, return_sequences=True, seed=1, recurrent_dropout=0.5)])
def test_a_layer_that_is_called_twice_draws_twice(make):
    """Its first call draws what it draws alone."""
    a, layer = layers.Input((4, 5)), make()
    model = Model(a, [layer(a), layer(a)])
    alone = Sequential([a, layer])
    x = X.astype(np.float32)
    first, second = model(x, training=True)
    assert_same_bits(alone(x, training=True), first)
    assert np.abs(first - second).max() > 0.01
    assert np.array_equal(*model.predict(x, verbose=0))
    again = model(x, training=True)
    assert_same_bits(again[1], second)
    model.step = 1
    assert np.abs(model(x, training=True)[1] - second).max() > 0.01
