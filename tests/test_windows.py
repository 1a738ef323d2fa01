"""Conv1D and pooling beyond Keras' numbers: gradients, bits, what equals what, and what is refused."""

import itertools

import numpy as np
import pytest

import lstmc
from lstmc import initializers, layers
from lstmc.layers import AveragePooling1D, Conv1D, Dense, Embedding, GlobalMaxPooling1D, Input, MaxPooling1D, TimeDistributed, ZeroPadding1D
from test_layers import F64, assert_gradients, inputs

pytestmark = pytest.mark.once


def test_gradients():
    x = inputs(3, 9, 4)
    for padding, strides, size in itertools.product(("valid", "same", "causal"), (1, 2, 5), (1, 4)):
        assert_gradients(Conv1D(5, size, strides, padding, activation="tanh", **F64), x)
    for padding in ("valid", "same", "causal"):
        assert_gradients(Conv1D(5, 3, 1, padding, dilation_rate=2, use_bias=False, **F64), x)
    for padding, strides, size in itertools.product(("valid", "same"), (None, 2, 5), (1, 4)):
        assert_gradients(MaxPooling1D(size, strides, padding, dtype="float64"), x)
        assert_gradients(AveragePooling1D(size, strides, padding, dtype="float64"), x)
    assert_gradients(TimeDistributed(Conv1D(3, 2, activation="softmax", **F64)), inputs(2, 3, 4, 2))


def results(layer, x, dy=None):
    """(y, dx, gradients) of a layer."""
    layer.build(x.shape)
    y, mask, tape = layer.forward(x, None, True)
    assert mask is None
    dx, grads = layer.backward(tape, inputs(*y.shape, dtype=y.dtype) if dy is None else dy)
    return y, dx, *grads


def same(found, wanted):
    return [np.ascontiguousarray(a).tobytes() for a in found] == [np.ascontiguousarray(a).tobytes() for a in wanted]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bits_of_what_is_the_same(dtype):
    """Padding that is zeros, dilation that is a kernel with zeros, one step that is a Dense, a sequence alone, memory in another order."""
    x = inputs(4, 50, 6, dtype=dtype)
    layer = Conv1D(20, 4, padding="same", seed=1, dtype=dtype)
    y, dx, dw, db = results(layer, x)
    plain = Conv1D(20, 4, seed=1, dtype=dtype)
    wide = ZeroPadding1D((1, 2), dtype=dtype)(x)
    assert same([y, dx, dw, db], [(found := results(plain, wide))[0], found[1][:, 1:-2], *found[2:]])
    causal, before = Conv1D(20, 4, padding="causal", seed=1, dtype=dtype), results(plain, ZeroPadding1D((3, 0), dtype=dtype)(x))
    assert same(results(causal, x), [before[0], before[1][:, 3:], *before[2:]])
    for n in range(4):
        assert same([layer(x[n:n + 1])], [y[n:n + 1]])
    for other in (np.asfortranarray(x), x[::-1].copy()[::-1], np.repeat(x, 2, 2)[:, :, ::2]):
        assert same(results(layer, other), [y, dx, dw, db])
    dilated, sparse = (Conv1D(7, size, dilation_rate=rate, seed=1, dtype=dtype) for size, rate in ((3, 3), (7, 1)))
    y, dx, dw, db = results(dilated, x)
    sparse.build(x.shape)
    kernel = np.zeros((7, 6, 7), dtype)
    kernel[::3] = dilated.get_weights()[0]
    sparse.set_weights([kernel, dilated.get_weights()[1]])
    other = results(sparse, x)
    assert same([y, dx, dw, db], [*other[:2], other[2][::3], other[3]])
    one, dense = Conv1D(9, 1, activation="tanh", seed=1, dtype=dtype), Dense(9, "tanh", seed=1, dtype=dtype)
    dense.build(x.shape)
    one.build(x.shape)
    one.set_weights([dense.get_weights()[0][None], dense.get_weights()[1]])
    assert same([a.reshape(-1) for a in results(one, x)], [a.reshape(-1) for a in results(dense, x)])
    assert same([MaxPooling1D(50, dtype=dtype)(x)[:, 0]], [GlobalMaxPooling1D(dtype=dtype)(x)])


def test_inputs_stay_and_nan_stays_in_its_windows():
    x = inputs(2, 9, 3, dtype=np.float32)
    x[1, 4, 2] = np.nan
    before = x.tobytes()
    for layer, near in ((Conv1D(4, 3), {2, 3, 4}), (Conv1D(4, 3, 2), {1, 2}), (Conv1D(4, 2, padding="causal", dilation_rate=3), {4, 7}),
                        (MaxPooling1D(3, 1), {2, 3, 4}), (AveragePooling1D(2), {2})):
        y = layer(x)
        assert set(np.nonzero(np.isnan(y).any(-1))[1]) == near
        assert np.isfinite(y[0]).all()
        results(layer, x, np.ones_like(y))
        assert x.tobytes() == before


def test_the_largest_value_that_is_there_twice_has_one_gradient():
    x = np.array([[[1.0], [3.0], [3.0], [3.0], [0.0]]], np.float32)
    y, dx = results(MaxPooling1D(3, 1), x, np.array([[[1.0], [10.0], [100.0]]], np.float32))
    assert y.ravel().tolist() == [3, 3, 3]
    assert dx.ravel().tolist() == [0, 11, 100, 0, 0]


def test_masks_end_with_a_warning():
    for layer in (Conv1D(3, 2), MaxPooling1D(), AveragePooling1D()):
        model = lstmc.Sequential([Input((None,)), Embedding(5, 3, mask_zero=True), layer, layers.LSTM(2)])
        with pytest.warns(UserWarning, match="the mask ends here"):
            y = model.predict([[1, 2, 3, 0], [2, 4, 1, 3]], verbose=0)
        assert y.shape == (2, 2)


def test_names_of_keras():
    assert (layers.MaxPool1D, layers.AvgPool1D, layers.Convolution1D) == (MaxPooling1D, AveragePooling1D, Conv1D)
    assert layers.GlobalMaxPool1D is GlobalMaxPooling1D
    for name in ("Conv2D", "SeparableConv1D"):
        with pytest.raises(AttributeError, match=f"no attribute '{name}'; .*use Conv1D"):
            getattr(layers, name)
    assert repr(Conv1D(8, (3,), padding="SAME")) == "Conv1D(filters=8, kernel_size=3, padding='same', name='conv1d')"
    assert layers.Flatten("channels_last")(np.ones((1, 2, 3))).shape == (1, 6)


def test_any_number_of_steps():
    for layer, steps in ((Conv1D(2, 3), (7, 3)), (Conv1D(2, 3, 2, "same"), (7, 1, 0)), (MaxPooling1D(3, padding="same"), (7, 2, 0)), (MaxPooling1D(), (7, 2))):
        for T in steps:
            x = inputs(2, T, 4, dtype=np.float32)
            y, dx, *_ = results(layer, x)
            assert y.shape == layer.compute_output_shape(x.shape)
            assert dx.shape == x.shape
        assert layer.compute_output_shape((None, None, 4)) == (None, None, y.shape[2])
    assert Conv1D(2, 3)(np.zeros((0, 5, 4))).shape == (0, 3, 2)


def test_initial_kernels():
    """Fans count the steps of a window; an orthogonal kernel has orthonormal filters."""
    rng = np.random.default_rng(0)
    limit = np.sqrt(6 / (3 * 4 + 3 * 50))
    found = initializers.GlorotUniform()((3, 4, 50), rng)
    assert 0.95 * limit < np.abs(found).max() <= limit
    found = initializers.Orthogonal()((3, 4, 5), rng).reshape(12, 5)
    assert np.allclose(found.T @ found, np.eye(5), rtol=0, atol=1e-12)
    found = initializers.Orthogonal()((1, 2, 5), rng)[0]
    assert np.allclose(found @ found.T, np.eye(2), rtol=0, atol=1e-12)


def test_what_is_refused():
    for make, error, message in (
        (lambda: Conv1D(3, 4)(np.zeros((2, 3, 1))), ValueError, r"conv1d: expected input of shape \(batch, at least 4 steps, features\), received \(2, 3, 1\)"),
        (lambda: Conv1D(3, 2, dilation_rate=5)(np.zeros((2, 5, 1))), ValueError, 'at least 6 steps, .*; padding="same" takes fewer'),
        (lambda: MaxPooling1D(5)(np.zeros((2, 3, 2))), ValueError, r"max_pooling1d: .*at least 5 steps"),
        (lambda: Conv1D(3, 4)(np.zeros((2, 8))), ValueError, r"\(batch, time, features\), received \(2, 8\); x.reshape\(-1, 8, 1\) makes sequences"),
        (lambda: Conv1D(3, 4).build((None, 5, None)), ValueError, r"\(batch, time, features\), received \(None, 5, None\)"),
        (lambda: AveragePooling1D()(np.zeros((2, 8))), ValueError, r"\(batch, time, features\), received \(2, 8\)"),
        (lambda: Conv1D(2, 2, groups=2), ValueError, r"groups=2 is not supported \(only 1\); give parts of the features to a Conv1D each"),
        (lambda: Conv1D(2, 2, data_format="channels_first"), ValueError, r"data_format='channels_first' is not supported \(only None or 'channels_last'\)"),
        (lambda: MaxPooling1D(data_format="channels_first"), ValueError, "the layout is channels last"),
        (lambda: Conv1D(2, 2, kernel_constraint="max_norm"), ValueError, "kernel_constraint='max_norm' is not supported"),
        (lambda: Conv1D(2, 2, strides=2, dilation_rate=2), ValueError, "dilation_rate: expected 1 with strides of 2, received 2"),
        (lambda: MaxPooling1D(padding="causal"), ValueError, "padding: expected one of valid, same, received 'causal'"),
        (lambda: Conv1D(2, 2, padding=1), ValueError, "padding: expected one of valid, same, causal, received 1"),
        (lambda: Conv1D(2, (1, 2)), TypeError, "kernel_size: expected an int, received tuple"),
        (lambda: Conv1D(0, 2), ValueError, "filters: expected at least 1"),
        (lambda: Conv1D(2, 0), ValueError, "kernel_size: expected at least 1"),
        (lambda: AveragePooling1D(2, 0), ValueError, "strides: expected at least 1"),
        (lambda: setattr(Conv1D(2, 3), "strides", 2), AttributeError, "strides: expected to stay 1"),
    ):
        with pytest.raises(error, match=message):
            make()
    layer = Conv1D(2, 3)
    layer(np.zeros((1, 5, 4)))
    with pytest.raises(ValueError, match=r"expected input of shape \(batch, time, 4\), received \(1, 5, 3\)"):
        layer(np.zeros((1, 5, 3)))
