"""Initial weights: Keras' distributions, orthogonality, and what a seed determines."""

import numpy as np
import pytest

import lstmc
from lstmc import initializers
from lstmc.layers import LSTM, Bidirectional


def test_initial_weights():
    layer = LSTM(40, seed=0)
    layer.build((None, None, 60))
    kernel, recurrent, bias = layer.get_weights()
    limit = np.sqrt(6 / (60 + 160))
    assert np.abs(kernel).max() <= limit
    assert abs(kernel.std() - limit / np.sqrt(3)) < 0.02 * limit
    assert np.abs(recurrent @ recurrent.T - np.eye(40)).max() < 1e-6
    assert bias.tolist() == [0] * 40 + [1] * 40 + [0] * 80
    plain = LSTM(4, unit_forget_bias=False, bias_initializer="ones", kernel_initializer=initializers.Constant(0.5))
    plain.build((None, None, 2))
    assert (plain.get_weights()[0] == 0.5).all()
    assert (plain.get_weights()[2] == 1).all()
    assert not layer.module.state_dict()["bias_hh_l0"].any()


def test_seeds():
    def weights(seed=None, **arguments):
        layer = Bidirectional(LSTM(3, **arguments), seed=seed)
        layer.build((None, None, 2))
        return layer.get_weights()

    first, again, other = weights(1), weights(1), weights(2)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])
    assert not np.array_equal(first[0], first[3])
    lstmc.training.set_random_seed(4)
    drawn = [weights(), weights()]
    lstmc.training.set_random_seed(4)
    assert np.array_equal(weights()[1], drawn[0][1])
    assert np.array_equal(weights()[1], drawn[1][1])
    assert not np.array_equal(drawn[0][0], drawn[1][0])
    fixed = [weights(s, kernel_initializer=initializers.GlorotUniform(seed=8))[0] for s in (1, 2)]
    assert np.array_equal(*fixed)


@pytest.mark.parametrize(("name", "deviation"), [
    ("glorot_uniform", np.sqrt(2 / 500)), ("glorot_normal", np.sqrt(2 / 500)), ("he_uniform", np.sqrt(2 / 200)),
    ("he_normal", np.sqrt(2 / 200)), ("lecun_uniform", np.sqrt(1 / 200)), ("lecun_normal", np.sqrt(1 / 200)),
    ("random_normal", 0.05), ("truncated_normal", 0.05 * 0.87962566), ("random_uniform", 0.1 / np.sqrt(12)), ("orthogonal", np.sqrt(1 / 300)),
])  # fmt: skip
def test_initializers(name, deviation):
    initializer = initializers.get(name)
    values = initializer((200, 300), np.random.default_rng(0))
    assert values.shape == (200, 300)
    assert abs(values.std() / deviation - 1) < 0.02
    again = initializers.get(initializers.config_of(initializer))
    assert np.array_equal(values, again((200, 300), np.random.default_rng(0)))


def test_truncated_normal_ends_at_two_deviations():
    values = initializers.TruncatedNormal(1.0, 0.5)((100, 300), np.random.default_rng(0))
    assert 1.99 < values.max() <= 2
    assert 0 <= values.min() < 0.01


def test_identity_keeps_the_state_of_a_relu_network():
    layer = lstmc.layers.SimpleRNN(5, activation="relu", kernel_initializer="zeros", recurrent_initializer=initializers.Identity(), return_sequences=True)
    start = np.arange(10, dtype=np.float32).reshape(2, 5)
    assert np.array_equal(layer(np.ones((2, 3, 4), np.float32), initial_state=start), np.repeat(start[:, None], 3, 1))
    wide = initializers.get(initializers.config_of(initializers.Identity(0.5)))((2, 3), None)
    assert wide.tolist() == [[0.5, 0, 0], [0, 0.5, 0]]
    with pytest.raises(ValueError, match=r"identity: expected a matrix shape, received \(3,\)"):
        initializers.get("identity")((3,), None)


@pytest.mark.parametrize("shape", [(3, 3), (70, 50), (33, 32), (1, 5)], ids=str)
def test_orthonormal_is_q_of_a_qr(shape):
    a = np.random.default_rng(0).standard_normal(sorted(shape, reverse=True))
    q, r = np.linalg.qr(a)
    assert np.abs(initializers.orthonormal(a) - q * np.sign(np.diag(r))).max() < 1e-13
