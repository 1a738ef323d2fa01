"""Layers that take lists: gradients, masks, shapes that broadcast, their functions, what they refuse."""

import numpy as np
import pytest

import lstmc
from lstmc import layers
from lstmc.layers import Add, Average, Concatenate, Dense, Dot, Embedding, Input, Maximum, Minimum, Multiply, Subtract
from test_layers import FIVE_STEPS, inputs

pytestmark = pytest.mark.once
OTHER = np.roll(FIVE_STEPS, 1, 0)


@pytest.mark.parametrize("layer", [Add(), Average(), Subtract(), Multiply(), Maximum(), Minimum(), Concatenate(), Concatenate(1), Dot(1), Dot((2, 2), True)],
                         ids=lambda layer: f"{layer.name}{getattr(layer, 'axis', getattr(layer, 'axes', ''))}")
@pytest.mark.parametrize("masks", [[None, None], [FIVE_STEPS, OTHER], [FIVE_STEPS, None], [None, OTHER]], ids=["none", "both", "first", "second"])
def test_gradients(layer, masks):
    layer = type(layer)(**{**layer.get_config(), "dtype": "float64"})
    xs = [inputs(4, 5, 3), inputs(4, 5, 3, seed=1)]
    layer.build([(None, 5, 3)] * 2)
    y, _, tape = layer.forward(xs, masks, True)
    r = inputs(*y.shape, seed=2)
    dxs, grads = layer.backward(tape, r)
    assert grads == []
    for x, dx in zip(xs, dxs, strict=True):
        numeric = np.empty_like(x)
        for i in np.ndindex(x.shape):
            kept, ends = x[i], []
            for step in (1e-6, -1e-6):
                x[i] = kept + step
                ends.append(float((layer.forward(xs, masks)[0] * r).sum()))
            x[i] = kept
            numeric[i] = (ends[0] - ends[1]) / 2e-6
        assert np.abs(dx - numeric).max() < 1e-7


def test_functions_and_calls_on_arrays():
    a, b = inputs(4, 3, dtype=np.float32), inputs(4, 3, seed=1, dtype=np.float32)
    f = layers
    for function, want in ((f.add, a + b), (f.subtract, a - b), (f.multiply, a * b), (f.average, (a + b) / 2), (f.maximum, np.maximum(a, b)),
                           (f.minimum, np.minimum(a, b)), (f.concatenate, np.concatenate([a, b], 1))):
        assert np.array_equal(function([a, b]), want)
    assert np.allclose(f.dot([a, b], axes=1), (a * b).sum(1, keepdims=True), atol=1e-6)
    assert f.concatenate([a, b], axis=-1, name="joined").shape == (4, 6)
    assert f.add.__name__ == "add"
    assert np.array_equal(Add()([a, b], mask=None), a + b)
    assert f.add([Input((3,)), Input((3,))]).shape == (None, 3)
    assert f.add([Input((None, 3)), Input((3,))]).shape == (None, None, 3)
    assert f.concatenate([Input((None, 3)), Input((None, 4))]).shape == (None, None, 7)
    assert f.dot([Input((5, 3)), Input((None, 3))], axes=2).shape == (None, 5, None)


def test_bits_do_not_depend_on_the_batch_or_threads():
    xs = [inputs(30, 7, 5, dtype=np.float32, seed=n) for n in range(2)]
    for layer in (Dot(2), Multiply(), Maximum()):
        whole = layer(xs)
        with lstmc.threads(2):
            assert layer(xs).tobytes() == whole.tobytes()
        assert layer([x[:4] for x in xs]).tobytes() == whole[:4].tobytes()


def test_masks_meet_in_a_model():
    first, second = Input((None,)), Input((None,))
    table = Embedding(9, 4, mask_zero=True)
    h = layers.LSTM(3)(Concatenate()([table(first), table(second)]))
    model = lstmc.Model([first, second], Dense(1)(h))
    x = np.array([[1, 2, 0, 0], [3, 0, 0, 0]])
    one = model.predict([x, x], verbose=0)
    cut = model.predict([x[:, :2], x[:, :2]], verbose=0)
    assert np.array_equal(one, cut)      # where both are padding nothing is seen
    assert not np.array_equal(one, model.predict([x, np.where(x == 0, 5, x)], verbose=0))


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: Add()(np.zeros((2, 3))), TypeError, "add: expected a list of inputs, received ndarray"),
    (lambda: Add()(Input((3,))), TypeError, "add: expected a list of inputs, received SymbolicTensor"),
    (lambda: Add()([np.zeros((2, 3)), np.zeros((2, 4))]), ValueError, r"inputs of shapes that broadcast, received shapes \(None, 3\), \(None, 4\)"),
    (lambda: Add()([np.zeros((2, 3)), np.zeros((4, 3))]), ValueError, "add: expected inputs of the same number of samples"),
    (lambda: Subtract()([np.zeros((2, 3))] * 3), ValueError, "subtract: expected a list of 2 inputs, received 3"),
    (lambda: Add()([]), ValueError, "add: expected a list of at least 1 inputs, received 0"),
    (lambda: Add()([np.zeros((2, 3))] * 2, mask=[None]), ValueError, "mask: expected a list of 2"),
    (lambda: Concatenate(0)([np.zeros((2, 3))] * 2), ValueError, "of which 0 is not the batch's"),
    (lambda: Concatenate()([np.zeros((2, 3)), np.zeros((2, 3, 1))]), ValueError, "concatenate: expected inputs of as many axes"),
    (lambda: Concatenate(1)([np.zeros((2, 3, 4)), np.zeros((2, 3, 5))]), ValueError, "shapes that differ along axis 1 alone"),
    (lambda: Dot(1)([np.zeros((2, 3)), np.zeros((2, 4))]), ValueError, "dot: expected inputs of one size along axes=1"),
    (lambda: Dot(0)([np.zeros((2, 3)), np.zeros((2, 3))]), ValueError, "not the batch's"),
    (lambda: Dot((1, 1, 1)), ValueError, "axes: expected a number or two"),
    (lambda: Concatenate("time"), TypeError, "axis: expected an int"),
    (lambda: lstmc.Sequential([Input((3,)), Add()]), ValueError, "layer: expected one input, received 'add'"),
    (lambda: layers.TimeDistributed(Add()), ValueError, "layer: expected one input and one output, received 'add'"),
])  # fmt: skip
def test_what_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
