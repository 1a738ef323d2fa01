"""Activation layers and functions beyond Keras' numbers, masks that meet masks, noise_shape, two outputs of Bidirectional, layers inside layers."""

import copy
import pickle

import numpy as np
import pytest

import lstmc
from lstmc import activations, layers
from lstmc.layers import (
    ELU,
    GRU,
    LSTM,
    Activation,
    Bidirectional,
    Cropping1D,
    Dense,
    Dropout,
    Embedding,
    Input,
    LeakyReLU,
    Masking,
    Permute,
    PReLU,
    ReLU,
    RepeatVector,
    Reshape,
    SimpleRNN,
    Softmax,
    SpatialDropout1D,
    TimeDistributed,
    UpSampling1D,
    ZeroPadding1D,
)
from lstmc.layers.activations import _ALL
from lstmc.training.graph import Padded
from test_layers import F64, FIVE_STEPS, assert_gradients, inputs

pytestmark = pytest.mark.once


@pytest.mark.parametrize("name", [a.name for a in _ALL])
def test_every_activation(name):
    assert_gradients(Dense(4, name, **F64), 2 * inputs(3, 2, 4))
    function = getattr(activations, name)
    x = inputs(4, 7, dtype=np.float32)
    assert Activation(function)(x).tobytes() == function(x).tobytes()
    assert Activation(name)(x[:2]).tobytes() == function(x)[:2].tobytes()
    assert np.abs(function(x.astype(np.float64)) - function(x)).max() < 1e-6
    assert np.isnan(function(np.full((1, 2), np.nan))).all()
    assert pickle.loads(pickle.dumps(layers.activations.get(name))) is copy.deepcopy(layers.activations.get(name))
    for_all = np.array([[-1e30, 1e30], [-40.0, 40.0]])
    assert np.isfinite(function(for_all)).all() or name == "exponential"


def test_activations_with_arguments():
    f, x = activations, np.array([-3.0, -0.4, 0.0, 0.4, 3.0])
    assert np.allclose(f.celu(x, alpha=2.0), np.where(x > 0, x, 2 * np.expm1(x / 2)), rtol=1e-14)
    assert np.allclose(f.gelu(x, approximate=True), x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))), rtol=1e-13)
    assert np.array_equal(f.hard_shrink(x, threshold=1), [-3, 0, 0, 0, 3])
    assert np.array_equal(f.soft_shrink(x, threshold=1), [-2, 0, 0, 0, 2])
    assert np.allclose(f.squareplus(x, b=0), np.maximum(x, 0))
    assert np.allclose(f.log_softmax(np.zeros((2, 4)), axis=0), -np.log(2))
    assert np.array_equal(f.relu(np.array([-np.inf])), [0.0])
    assert np.array_equal(f.relu(np.array([-np.inf, 1.0, 9.0]), max_value=6, threshold=2), [0, 0, 6])
    assert f.get("swish") is f.swish is f.silu
    assert Activation("hard_swish").get_config()["activation"] == "hard_silu"


@pytest.mark.parametrize("layer", [ReLU(1.0, 0.2, 0.3, dtype="float64"), ReLU(dtype="float64"), LeakyReLU(dtype="float64"), ELU(0.7, dtype="float64"),
                                   PReLU(**F64), PReLU(shared_axes=1, **F64), Softmax(dtype="float64"), Softmax(1, dtype="float64"),
                                   Permute((2, 1), dtype="float64")], ids=lambda layer: str(list(layer.get_config().values())[:3]))
def test_gradients(layer):
    assert_gradients(layer, inputs(4, 5, 3))
    again = layers.from_config(type(layer).__name__, layer.get_config())
    assert again.get_config() == layer.get_config()


def test_a_softmax_layer_is_part_of_the_loss():
    x, y = inputs(20, 4, dtype=np.float32), np.arange(20) % 3
    results = []
    for ends in ([Dense(3, "softmax", seed=1)], [Dense(3, seed=1), Softmax()], [Dense(3, seed=1), Activation("softmax")]):
        model = lstmc.Sequential([Input((4,)), *ends])
        model.compile("adam", "sparse_categorical_crossentropy")
        lstmc.utils.set_random_seed(2)
        model.fit(1e3 * x, y, epochs=2, shuffle=False, verbose=0)
        results.append([w.tobytes() for w in model.get_weights()])
    assert results[0] == results[1] == results[2]


def test_steps_at_one_end_or_none():
    """Cropping takes back what padding gave, also in the gradients; what Keras calls channels_last is the only layout."""
    x, dy = inputs(2, 5, 3), inputs(2, 8, 3, seed=1)
    pad, crop = ZeroPadding1D((1, 2), "channels_last", dtype="float64"), Cropping1D((1, 2), dtype="float64")
    padded, _, of_pad = pad.forward(x, None, True)
    assert not padded[:, :1].any()
    assert not padded[:, 6:].any()
    back, _, of_crop = crop.forward(padded, None, True)
    assert np.array_equal(back, x)
    assert np.array_equal(pad.backward(of_pad, dy)[0], dy[:, 1:6])
    assert np.array_equal(crop.backward(of_crop, x)[0], padded)
    for layer in (ZeroPadding1D(0, dtype="float64"), Cropping1D(0, dtype="float64"), UpSampling1D(1, dtype="float64")):
        y, _, tape = layer.forward(x, None, True)
        assert np.array_equal(y, x)
        assert np.array_equal(layer.backward(tape, x)[0], x)


def test_leaky_relu_by_its_older_name():
    with pytest.warns(DeprecationWarning, match="negative_slope"):
        assert LeakyReLU(alpha=0.1).negative_slope == 0.1


def test_masks_meet_masks():
    x = np.array([[1, 0, 2, 0], [3, 4, 0, 5]])
    before = np.array([[True, True, False, True], [True, True, True, True]])
    assert np.array_equal(masks_of(Embedding(9, 2, mask_zero=True), x, before), before & (x != 0))
    assert np.array_equal(masks_of(Embedding(9, 2), x, before), before)
    assert masks_of(Embedding(9, 2), x, None) is None
    values = x[:, :, None].astype(np.float32)
    assert np.array_equal(masks_of(Masking(), values, before), before & (x != 0))
    assert not Masking().forward(values, before)[0][~before].any()


def masks_of(layer, x, mask):
    layer.build((None, *x.shape[1:]))
    return layer.forward(x, mask)[1]


def test_ragged_numbers_have_a_mask():
    lists = [[1, 2, 3], [4], [5, 6]]
    model = lstmc.Sequential([Input((None,)), Embedding(9, 3), GRU(2)])
    alone = np.concatenate([model.predict(np.array([s]), verbose=0) for s in lists])
    assert np.array_equal(model.predict(lists, verbose=0), alone)
    assert isinstance(model.accept(lists)[0][0][:], Padded)


def test_noise_shape():
    x = np.ones((30, 6, 8), np.float32)
    whole, steps = Dropout(0.5, (None, 1, None), seed=3), SpatialDropout1D(0.5, seed=3)
    for layer in (whole, steps):
        layer.build(x.shape)
    y, _, scale = whole.forward(x, None, True, 4)
    assert np.array_equal(y, steps.forward(x, None, True, 4)[0])
    assert np.array_equal(whole.backward(scale, x)[0], y)
    assert (y == y[:, :1]).all()
    assert set(np.unique(y)) == {0.0, 2.0}
    assert layers.from_config("Dropout", whole.get_config()).noise_shape == (None, 1, None)


# Recurrent layers --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", [LSTM, GRU, SimpleRNN])
def test_zeros_at_masked_steps(kind):
    x = inputs(4, 5, 2)
    plain, zeros = kind(3, return_sequences=True, **F64), kind(3, return_sequences=True, zero_output_for_mask=True, **F64)
    y, free = zeros(x, FIVE_STEPS), plain(x, FIVE_STEPS)
    assert np.array_equal(y, np.where(FIVE_STEPS[:, :, None], free, 0))
    assert np.array_equal(zeros(x), plain(x))
    assert_gradients(zeros, x, FIVE_STEPS)
    last = kind(3, zero_output_for_mask=True, **F64)      # says something of sequences alone
    assert np.array_equal(last(x, FIVE_STEPS), kind(3, **F64)(x, FIVE_STEPS))
    assert zeros.get_config()["zero_output_for_mask"]
    assert kind(2, activation=None).get_config()["activation"] == "linear"


@pytest.mark.parametrize("sequences", [False, True])
def test_two_outputs_of_bidirectional(sequences):
    x = inputs(4, 5, 2)
    two, one = (Bidirectional(GRU(3, return_sequences=sequences, **F64), mode) for mode in (None, "concat"))
    a, b = two(x, FIVE_STEPS)
    assert np.array_equal(np.concatenate((a, b), -1), one(x, FIVE_STEPS))
    masks = two.forward(x, FIVE_STEPS)[1]
    assert len(masks) == 2
    assert all(m is (FIVE_STEPS if sequences else None) for m in masks)
    for dy in ((a, b), (a, None), (None, b)):
        dx, grads = two.backward(two.forward(x, FIVE_STEPS, True)[2], dy)
        together = np.concatenate([np.zeros_like(a) if d is None else d for d in dy], -1)
        want, expected = one.backward(one.forward(x, FIVE_STEPS, True)[2], together)
        assert np.array_equal(dx, want)
        assert all(np.array_equal(g, h) for g, h in zip(grads, expected, strict=True))
    assert two.compute_output_shape((None, 5, 2)) == (((None, 5, 3),) * 2 if sequences else ((None, 3),) * 2)
    given = Input((None, 2))
    f, r = Bidirectional(LSTM(2, return_sequences=True), merge_mode=None)(given)
    model = lstmc.Model(given, layers.add([f, r]))
    assert model.output_shape == (None, None, 2)


def test_a_backward_layer_of_its_own():
    forward, backward = GRU(3, seed=1), GRU(3, go_backwards=True, kernel_initializer="zeros", recurrent_regularizer="l2", seed=2)
    layer = Bidirectional(forward, backward_layer=backward)
    layer(np.zeros((2, 4, 5)))
    assert layer.get_weights()[0].any()
    assert not layer.get_weights()[3].any()
    assert [v.regularizer is not None for v in layer.variables] == [False] * 4 + [True, False]
    again = layers.from_config("Bidirectional", layer.get_config())
    assert again.get_config() == layer.get_config()
    for wrong, error, message in (
        (LSTM(3, go_backwards=True), TypeError, "backward_layer: expected GRU, as layer is, received LSTM"),
        (GRU(3), ValueError, "backward_layer: expected go_backwards=True"),
        (GRU(4, go_backwards=True), ValueError, "backward_layer: expected units=3, as of layer, received 4"),
        (GRU(3, go_backwards=True, trainable=False), ValueError, "backward_layer: expected trainable=True"),
    ):
        with pytest.raises(error, match=message):
            Bidirectional(GRU(3), backward_layer=wrong)


def test_layers_inside_layers_are_trained_or_not_together():
    inner = Dense(3, trainable=False)
    outer = TimeDistributed(inner)
    assert not outer.trainable
    outer.trainable = True
    assert inner.trainable
    outer(np.zeros((2, 3, 4)))
    assert len(outer.trainable_variables) == 2
    outer.trainable = False
    assert not inner.trainable


@pytest.mark.parametrize(("make", "message"), [
    (lambda: ReLU(max_value=-1), "max_value: expected at least 0"),
    (lambda: LeakyReLU(-0.1), "negative_slope: expected at least 0"),
    (lambda: ELU("x"), "alpha: expected a number"),
    (lambda: PReLU()(Input((None, 3))), "sizes are fixed but along shared_axes"),
    (lambda: PReLU(shared_axes=(3,))(np.zeros((2, 3))), "p_re_lu: expected input of shape|prelu|PReLU"),
    (lambda: Softmax(2)(np.zeros((2, 3))), "with an axis 2 that is not the batch's"),
    (lambda: Permute((1, 3)), "dims: expected each of 1 to 2 once"),
    (lambda: Permute((2, 1))(np.zeros((2, 3))), "permute: expected input of shape of 3 axes"),
    (lambda: Permute(2), "dims: expected a tuple, received int"),
    (lambda: Reshape(6), "target_shape: expected a tuple, received int"),
    (lambda: Reshape((-1, 2, -1)), r"target_shape: expected -1 once, received \(-1, 2, -1\)"),
    (lambda: Reshape((2, 4))(np.zeros((2, 6))), r"reshape: expected input of shape of sizes that make \(2, 4\), received \(2, 6\)"),
    (lambda: Reshape((-1, 4))(np.zeros((2, 6))), r"reshape: expected input of shape of sizes that make \(-1, 4\), received \(2, 6\)"),
    (lambda: RepeatVector(2)(np.zeros((2, 5, 3))), r"shape \(batch, features\), received \(2, 5, 3\); a recurrent layer .* return_sequences=False"),
    (lambda: Cropping1D((1, 2, 3)), r"cropping: expected a whole number or two, received \(1, 2, 3\)"),
    (lambda: ZeroPadding1D((1, -1)), "padding: expected .* received -1"),
    (lambda: ZeroPadding1D(1, "channels_first"), "data_format"),
    (lambda: Cropping1D((2, 3))(np.zeros((2, 5, 3))), r"expected input of shape \(batch, more than 5 steps, features\), received \(2, 5, 3\)"),
    (lambda: UpSampling1D(2)(np.zeros((2, 3))), r"expected input of shape \(batch, time, features\), received \(2, 3\)"),
    (lambda: TimeDistributed(Bidirectional(GRU(2), merge_mode=None)), "expected one input and one output"),
    (lambda: lstmc.Sequential([Input((None, 2)), Bidirectional(GRU(2), merge_mode=None)]), "with merge_mode=None, which has two"),
])  # fmt: skip
def test_what_is_refused(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()
