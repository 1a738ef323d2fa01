"""Layers: gradients by central differences in float64, Keras' weights, masks and errors, equal bits for any threads."""

import numpy as np
import pytest

import lstmc
from lstmc import initializers, layers
from lstmc.layers import GRU, LSTM, Activation, Bidirectional, Dense, Dropout, Flatten, Input, InputLayer, Masking, SimpleRNN

FIVE_STEPS = np.arange(5) < np.array([5, 2, 0, 4])[:, None]
F64 = {"dtype": "float64", "seed": 3}


def inputs(*shape, dtype=np.float64, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def spread_out(layer, seed=5):
    """Weights larger than initial ones, so that every term of a gradient counts."""
    layer.set_weights([0.6 * inputs(*w.shape, seed=seed + i) for i, w in enumerate(layer.get_weights())])


def assert_gradients(layer, x, mask=None, tolerance=1e-8):
    layer.build((None, *x.shape[1:]))
    spread_out(layer)
    y, _, tape = layer.forward(x, mask, True, 7)
    r = inputs(*y.shape, seed=9)
    dx, grads = layer.backward(tape, r)
    assert len(grads) == len(layer.variables)

    def value():
        return float((layer.forward(x, mask, True, 7)[0] * r).sum())

    for array, gradient in [(x, dx), *zip(layer.weights, grads, strict=True)]:
        assert gradient.shape == array.shape
        numeric = np.empty_like(array)
        for i in np.ndindex(array.shape):
            kept = array[i]
            ends = []
            for step in (1e-6, -1e-6):
                array[i] = kept + step
                ends.append(value())
            array[i] = kept
            numeric[i] = (ends[0] - ends[1]) / 2e-6
        assert np.abs(gradient - numeric).max(initial=0) < tolerance * max(1, np.abs(numeric).max(initial=0)) * 10


@pytest.mark.parametrize("activation", [None, "relu", "sigmoid", "tanh", "softmax", "leaky_relu", "elu", "hard_sigmoid", "softsign", "exponential"])
@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 4)], ids=str)
def test_gradients_of_dense_and_activation(shape, activation):
    assert_gradients(Dense(5, activation, use_bias=len(shape) == 2, **F64), inputs(*shape))
    assert_gradients(Activation(activation, dtype="float64"), inputs(*shape))


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("sequences", [False, True])
def test_gradients_of_lstm(sequences, masked):
    mask = FIVE_STEPS if masked else None
    assert_gradients(LSTM(3, return_sequences=sequences, use_bias=sequences, **F64), inputs(4, 5, 2), mask)
    if not masked:
        assert_gradients(LSTM(3, return_sequences=sequences, go_backwards=True, **F64), inputs(4, 5, 2))


@pytest.mark.parametrize("merge", Bidirectional.MERGES)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("sequences", [False, True])
def test_gradients_of_bidirectional(sequences, masked, merge):
    layer = Bidirectional(LSTM(2, return_sequences=sequences, **F64), merge)
    assert_gradients(layer, inputs(4, 5, 2), FIVE_STEPS if masked else None)


def test_gradients_of_the_rest():
    assert_gradients(Dropout(0.4, **F64), inputs(4, 5, 2))
    assert_gradients(Flatten(dtype="float64"), inputs(4, 5, 2))
    x = inputs(4, 5, 2) * FIVE_STEPS[:, :, None] + 0.5 * ~FIVE_STEPS[:, :, None]
    layer = Masking(0.5, dtype="float64")
    y, mask, tape = layer.forward(x, None, True)
    assert (mask == FIVE_STEPS).all()
    assert not y[~mask].any()
    assert np.array_equal(layer.backward(tape, np.ones_like(x))[0], np.broadcast_to(mask[:, :, None], x.shape))


def keras_lstm(x, kernel, recurrent, bias):
    """Keras' equations on Keras' weights, all outputs: the gates are i, f, c, o."""
    def sigmoid(v):
        return 1 / (1 + np.exp(-v))

    h = c = np.zeros((len(x), len(recurrent)))
    outputs = []
    for t in range(x.shape[1]):
        i, f, g, o = np.split(x[:, t] @ kernel + h @ recurrent + bias, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs, 1)


def test_weights_have_keras_layout():
    x = inputs(4, 5, 2)
    one, both = LSTM(3, return_sequences=True, **F64), Bidirectional(LSTM(3, return_sequences=True, **F64))
    for layer in (one, both):
        layer.build((None, None, 2))
        spread_out(layer)
    assert [w.shape for w in both.get_weights()] == 2 * [(2, 12), (3, 12), (12,)]
    assert [v.name for v in both.variables][:4] == ["forward/kernel", "forward/recurrent_kernel", "forward/bias", "backward/kernel"]
    assert np.abs(one(x) - keras_lstm(x, *one.get_weights())).max() < 1e-14
    want = [keras_lstm(x, *both.get_weights()[:3]), keras_lstm(x[:, ::-1], *both.get_weights()[3:])[:, ::-1]]
    assert np.abs(both(x) - np.concatenate(want, -1)).max() < 1e-14
    dense = Dense(4, "relu", **F64)
    dense.build((None, 2))
    assert [w.shape for w in dense.get_weights()] == [(2, 4), (4,)]
    assert np.abs(dense(x) - np.maximum(x @ dense.get_weights()[0], 0)).max() < 1e-14


def test_masked_steps_repeat_the_last_output_and_bidirectional_zeroes_them():
    x = inputs(4, 5, 2)
    layer, both = LSTM(3, return_sequences=True, **F64), Bidirectional(LSTM(3, return_sequences=True, **F64))
    y, free = layer(x, FIVE_STEPS), layer(x)
    assert np.array_equal(y[FIVE_STEPS], free[FIVE_STEPS])
    assert (y[1, 2:] == y[1, 1]).all()
    assert (y[3, 4] == y[3, 3]).all()
    assert not y[2].any()
    assert not both(x, FIVE_STEPS)[~FIVE_STEPS].any()
    last = LSTM(3, **F64)
    assert np.array_equal(last(x, FIVE_STEPS), y[:, -1])


def test_padding_reaches_nothing():
    x, garbage = inputs(4, 5, 2), inputs(4, 5, 2)
    garbage[FIVE_STEPS] = x[FIVE_STEPS]
    garbage[~FIVE_STEPS] = np.nan
    for layer in (LSTM(3, return_sequences=True, **F64), Bidirectional(LSTM(3, **F64), "sum")):
        layer(x)
        results = []
        for data in (x, garbage):
            y, _, tape = layer.forward(data, FIVE_STEPS, True)
            dx, grads = layer.backward(tape, np.ones_like(y))
            results.append([y, dx, *grads])
            assert not dx[~FIVE_STEPS].any()
        for a, b in zip(*results, strict=True):
            assert a.tobytes() == b.tobytes()


def test_empty_sequences_and_batches():
    for layer in (LSTM(3, return_sequences=True, **F64), LSTM(3, **F64), Bidirectional(LSTM(3, **F64))):
        for shape in ((2, 0, 4), (0, 5, 4)):
            y, _, tape = layer.forward(inputs(*shape), None, True) if layer.built else (layer(inputs(*shape)), None, None)
            assert y.shape == layer.compute_output_shape(shape)
            assert not y.any()
            if tape:
                dx, grads = layer.backward(tape, np.ones_like(y))
                assert dx.shape == shape
                assert not any(g.any() for g in grads)


def test_bits_do_not_depend_on_threads():
    x = inputs(37, 9, 11, dtype=np.float32)

    def results(n):
        with lstmc.threads(n):
            found = []
            for layer in (LSTM(21, seed=1), Bidirectional(LSTM(40, return_sequences=True, seed=2)), Dense(150, "tanh", seed=3)):
                layer.build((None, None, 11))
                y, _, tape = layer.forward(x, None, True)
                dx, grads = layer.backward(tape, y)
                found += [*layer.get_weights(), y, dx, *grads]
            return [a.tobytes() for a in found]

    one = results(1)
    assert results(2) == one
    assert results(3) == one


# Behaviour of the small layers -------------------------------------------------------------------------------

def test_dropout():
    x = np.ones((50, 40), np.float32)
    layer = Dropout(0.3, seed=1)
    layer.build(x.shape)
    y = layer.forward(x, None, True, 5)[0]
    kept = y != 0
    assert abs(kept.mean() - 0.7) < 0.03
    assert (y[kept] == np.float32(1 / 0.7)).all()
    assert np.array_equal(layer.forward(x, None, True, 5)[0], y)
    assert not np.array_equal(layer.forward(x, None, True, 6)[0], y)
    assert layer.forward(x)[0] is x


def test_inputs_are_cast_and_not_written():
    layer = Dense(3, seed=1)
    for x in (np.arange(8).reshape(4, 2), inputs(4, 2), inputs(4, 2) > 0, [[1, 2], [3, 4]], inputs(4, 2, dtype=np.float16)):
        before = np.array(x)
        assert layer(x).dtype == np.float32
        assert np.array_equal(before, x)
    x = inputs(3, 4, 2, dtype=np.float32)
    x.flags.writeable = False
    for layer in (LSTM(3), Masking(), Bidirectional(LSTM(3)), Activation("tanh"), Flatten(), Dropout(0.5)):
        layer.build(x.shape)
        y, _, tape = layer.forward(x, None, True)
        y = y.copy()
        y.flags.writeable = False
        layer.backward(tape, y)


@pytest.mark.parametrize("layer", [
    InputLayer((None, 3), name="in"), InputLayer(batch_shape=(4, None, 3)), GRU(4, reset_after=False, stateful=True), SimpleRNN(4, "relu", dropout=0.5),
    Bidirectional(GRU(3, recurrent_dropout=0.5)), LSTM(4, return_sequences=True, unit_forget_bias=False, seed=1), Masking(-1.0), Flatten(),
    Bidirectional(LSTM(4, use_bias=False), "ave", dtype="float32"), Dense(3, "softmax", bias_initializer="ones"),
    Activation("relu", dtype="float64"), Dropout(0.25, seed=2), LSTM(3, kernel_initializer=initializers.Orthogonal(2.0, 5)),
], ids=lambda layer: layer.name)  # fmt: skip
def test_config_rebuilds_the_layer(layer):
    again = layers.from_config(type(layer).__name__, layer.get_config())
    assert type(layer).from_config(layer.get_config()).get_config() == again.get_config()
    assert again.get_config() == layer.get_config()


# Errors ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("make", "error", "message"), [
    (lambda: LSTM(0), ValueError, "units: expected at least 1"),
    (lambda: LSTM(2.0), TypeError, "units: expected an int"),
    (lambda: LSTM(2, activation="gelu"), ValueError, "activation: expected one of tanh, sigmoid, relu"),
    (lambda: GRU(2, recurrent_activation="softmax"), ValueError, "recurrent_activation: expected one of tanh, .* received 'softmax'"),
    (lambda: SimpleRNN(2, recurrent_activation="tanh"), TypeError, "unexpected argument 'recurrent_activation'|recurrent_activation"),
    (lambda: LSTM(2, dropout=1.0), ValueError, "dropout: expected at least 0 and below 1, received 1.0"),
    (lambda: GRU(2, reset_after=1), TypeError, "reset_after: expected True or False"),
    (lambda: LSTM(2, unroll=True), ValueError, "LSTM: unroll=True is not supported .* compiled"),
    (lambda: LSTM(2, kernel_regularizer="l3"), ValueError, "kernel_regularizer: expected one of l1, l1_l2, .* received 'l3'"),
    (lambda: LSTM(2, zero_output_for_mask=1), TypeError, "zero_output_for_mask: expected True or False"),
    (lambda: LSTM(2, input_shape=3), ValueError, "input_shape: expected a tuple, received 3"),
    (lambda: LSTM(2, input_shape=(3, 4), batch_shape=(2, 3, 4)), ValueError, "batch_shape: expected None with input_shape"),
    (lambda: LSTM(2, input_dim=4), ValueError, "input_dim=4 is not supported .* input_shape"),
    (lambda: LSTM(2, return_sequence=True), TypeError, "unexpected argument 'return_sequence'"),
    (lambda: LSTM(2, kernel_initializer="glorot"), ValueError, "kernel_initializer: expected one of"),
    (lambda: LSTM(2, dtype="float16"), ValueError, "dtype: expected"),
    (lambda: LSTM(2, seed=-1), ValueError, "seed: expected 0"),
    (lambda: LSTM(2, name="a b"), ValueError, "name: expected letters"),
    (lambda: Dense(3, "glu"), ValueError, "activation: expected one of linear, relu"),
    (lambda: Bidirectional(Dense(3)), TypeError, "layer: expected an LSTM, GRU or SimpleRNN layer, received Dense"),
    (lambda: Bidirectional(LSTM(3), "max"), ValueError, "merge_mode: expected one of"),
    (lambda: Bidirectional(LSTM(3), 0), ValueError, "merge_mode: expected one of"),
    (lambda: Bidirectional(LSTM(3, go_backwards=True)), ValueError, "go_backwards=False"),
    (lambda: Dropout(1.0), ValueError, "rate: expected"),
    (lambda: Dropout(0.1, noise_shape=1), TypeError, "noise_shape: expected a tuple with the batch axis"),
    (lambda: Dropout(0.1, noise_shape=(None, 0)), ValueError, "noise_shape: expected at least 1"),
    (lambda: Dropout(0.1, noise_shape=(None, 2))(np.zeros((4, 3))), ValueError, r"dropout: expected input of shape that noise_shape=\(None, 2\) fits"),
    (lambda: Masking("0"), TypeError, "mask_value: expected a number"),
    (lambda: Input(3), ValueError, "shape: expected a tuple"),
    (lambda: Input((3, -1)), ValueError, "shape: expected at least 1"),
    (lambda: Input((3,), batch_size=0), ValueError, "batch_size: expected at least 1"),
    (lambda: Input((3,), batch_shape=(4, 3)), ValueError, "batch_shape: expected None with shape or batch_size"),
    (lambda: Input(batch_shape=4), ValueError, "batch_shape: expected a tuple with the batch axis"),
])  # fmt: skip
def test_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(("layer", "x", "error", "message"), [
    (LSTM(2), np.zeros((4, 3)), ValueError, r"lstm: expected input of shape \(batch, time, features\), received \(4, 3\); .*return_sequences"),
    (Bidirectional(LSTM(2)), np.zeros((4, 3, 2, 1)), ValueError, "bidirectional: expected input of shape"),
    (Masking(), np.zeros((4, 3)), ValueError, "masking: expected input of shape"),
    (Dense(2), np.zeros(4), ValueError, "dense: expected input of shape"),
    (Dense(2), np.zeros((4, 3), complex), TypeError, "x: expected real numbers, received dtype complex128"),
    (Dense(2), np.array([["a"]]), TypeError, "x: expected real numbers"),
    (Dense(2), np.array([[None]]), TypeError, "x: expected numbers, received dtype object"),
    (Dense(2), [[1, 2], [3]], ValueError, "x: expected a rectangular array; lstmc.utils.pad_sequences"),
])  # fmt: skip
def test_wrong_inputs(layer, x, error, message):
    with pytest.raises(error, match=message):
        layer(x)


def test_built_layers_know_their_features():
    layer = LSTM(2)
    layer(np.zeros((4, 3, 5)))
    with pytest.raises(ValueError, match=r"expected input of shape \(batch, time, 5\), received \(4, 3, 6\)"):
        layer(np.zeros((4, 3, 6)))
    with pytest.raises(ValueError, match=r"lstm/bias: expected shape \(8,\), received \(7,\)"):
        layer.set_weights([np.ones((5, 8)), np.ones((2, 8)), np.ones(7)])
    assert (layer.get_weights()[0] != 1).any()
    with pytest.raises(ValueError, match=r"weights: expected a list of the 3 of lstm \(kernel, recurrent_kernel, bias\), received a list of 1"):
        layer.set_weights([np.ones((5, 8))])
