"""LayerNormalization and BatchNormalization: gradients, moving statistics, inference, masks, bits."""

import numpy as np
import pytest

import lstmc
from lstmc.layers import LSTM, BatchNormalization, Dense, Input, LayerNormalization, Masking, TimeDistributed
from test_layers import F64, FIVE_STEPS, assert_gradients, inputs

pytestmark = pytest.mark.once


@pytest.mark.parametrize(("layer", "mask"), [
    (LayerNormalization(**F64), FIVE_STEPS), (LayerNormalization([1, 2], center=False, **F64), None), (LayerNormalization(1, scale=False, **F64), None),
    (BatchNormalization(**F64), None), (BatchNormalization(**F64), FIVE_STEPS), (BatchNormalization(1, epsilon=0.1, **F64), FIVE_STEPS),
    (BatchNormalization(scale=False, center=False, **F64), None),
], ids=lambda a: f"{a.name}{a.axis}" if hasattr(a, "axis") else "mask" if a is not None else "all")  # fmt: skip
def test_gradients(layer, mask):
    """Of gamma and beta, which come first: moving statistics have none."""
    gradients_of = layer.backward

    def backward(tape, dy, need_dx=True):
        dx, grads = gradients_of(tape, dy, need_dx)
        return dx, [np.zeros(v.shape) if g is None else g for v, g in zip(layer.variables, grads, strict=True)]

    layer.backward = backward
    layer.build((None, 5, 2))
    assert_gradients(layer, inputs(4, 5, 2), mask, 1e-7)


def test_frozen_gradients():
    layer = BatchNormalization(trainable=False, **F64)
    layer.build((None, 5, 2))
    layer.set_weights([*inputs(2, 2), inputs(2), inputs(2) ** 2])
    x, before = inputs(4, 5, 2), layer.get_weights()
    y, _, tape = layer.forward(x, None, True)
    gamma, beta, mean, variance = before
    assert np.allclose(y, (x - mean) / np.sqrt(variance + 1e-3) * gamma + beta)
    assert np.array_equal(y, layer(x))
    dx, _ = layer.backward(tape, np.ones_like(x))
    assert np.allclose(dx, gamma / np.sqrt(variance + 1e-3) * np.ones_like(x))
    assert all(np.array_equal(a, b) for a, b in zip(before, layer.get_weights(), strict=True))


def test_moving_statistics_and_inference():
    x = 3 + 2 * inputs(40, 6, 3, dtype=np.float32)
    layer = BatchNormalization(momentum=0.9)
    y = layer(x, training=True)
    assert np.abs(y.mean((0, 1))).max() < 1e-5
    assert np.abs(y.std((0, 1)) - 1).max() < 1e-3
    mean, variance = layer.get_weights()[2:]
    assert np.allclose(mean, 0.1 * x.mean((0, 1)), rtol=1e-5)
    assert np.allclose(variance, 0.9 + 0.1 * x.var((0, 1)), rtol=1e-5)
    before = layer.get_weights()
    layer(x)
    assert all(np.array_equal(a, b) for a, b in zip(before, layer.get_weights(), strict=True))
    for _ in range(200):
        layer(x, training=True)
    assert np.abs(layer(x) - y).max() < 1e-4


def trained(threads=None):
    lstmc.utils.set_random_seed(1)
    model = lstmc.Sequential([Input((None, 3)), Masking(), BatchNormalization(), LSTM(4, return_sequences=True), LayerNormalization(), LSTM(3),
                              BatchNormalization(), Dense(1)])
    model.compile("adam", "mse")
    x = inputs(12, 5, 3, dtype=np.float32) * (np.arange(5) < np.arange(12)[:, None] % 5 + 1)[:, :, None]
    with lstmc.threads(threads or 1):
        model.fit(x, inputs(12, 1), batch_size=4, epochs=2, verbose=0)
    return model, x


def test_training(tmp_path):
    model, x = trained()
    assert [w.tobytes() for w in trained(2)[0].get_weights()] == [w.tobytes() for w in model.get_weights()]
    moving = model.layers[1].get_weights()[2]
    assert moving.any()
    assert [a.shape for a in model.non_trainable_weights] == [(3,), (3,), (3,), (3,)]
    assert len(model.trainable_weights) == len(model.weights) - 4
    assert len(model.optimizer.state) == len(model.trainable_weights)
    padded = np.concatenate([x, np.zeros((12, 4, 3), np.float32)], 1)
    assert np.array_equal(model.predict(padded, verbose=0), model.predict(x, verbose=0))
    model.save(tmp_path / "m.safetensors")
    again = lstmc.load(tmp_path / "m.safetensors")
    assert again.predict(x, verbose=0).tobytes() == model.predict(x, verbose=0).tobytes()
    for m in (model, again):
        m.fit(x, inputs(12, 1), verbose=0)
    assert [a.tobytes() for a in again.get_weights()] == [a.tobytes() for a in model.get_weights()]
    model.layers[1].trainable = False
    model.compile("adam", "mse")
    before = model.layers[1].get_weights()
    model.fit(x, inputs(12, 1), verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.layers[1].get_weights(), strict=True))


def test_layer_normalization_of_a_sample_is_its_own():
    x = inputs(9, 4, 37, dtype=np.float32)
    layer = LayerNormalization()
    y = layer(x)
    assert layer(x[:2]).tobytes() == y[:2].tobytes()
    assert layer(x[:, :1]).tobytes() == y[:, :1].tobytes()
    assert np.abs(y.mean(-1)).max() < 1e-6
    assert layer(np.zeros((2, 4, 37))).tolist() == np.zeros((2, 4, 37)).tolist()


@pytest.mark.parametrize(("make", "error", "message"), [
    (lambda: LayerNormalization(rms_scaling=True), ValueError, "rms_scaling=True is not supported"),
    (lambda: LayerNormalization("last"), TypeError, "axis: expected an int"),
    (lambda: LayerNormalization(0)(np.zeros((2, 3))), ValueError, "of which axis=0 is not the batch's"),
    (lambda: LayerNormalization(3)(np.zeros((2, 3))), ValueError, "of which axis=3 is not the batch's"),
    (lambda: LayerNormalization(1)(Input((None, 3))), ValueError, "that are fixed"),
    (lambda: BatchNormalization(renorm=True), ValueError, "renorm=True is not supported .* LayerNormalization"),
    (lambda: BatchNormalization(epsilon=-1), ValueError, "epsilon: expected at least 0"),
    (lambda: BatchNormalization()(np.zeros((2, 3, 4)), np.ones((2, 3, 4))), ValueError, r"mask: expected shape \(2, 3\), received \(2, 3, 4\)"),
    (lambda: TimeDistributed(BatchNormalization()), ValueError, "BatchNormalization itself takes sequences"),
])  # fmt: skip
def test_what_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_built_layers_know_their_sizes():
    layer = BatchNormalization()
    layer(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="expected input of shape with sizes"):
        layer(np.zeros((2, 4)))
