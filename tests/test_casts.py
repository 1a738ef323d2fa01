"""What is cast and what is not: Python's numbers take the module's dtype, whatever has a dtype must have that one, and no mask is dropped."""

import array
import ctypes

import numpy as np
import pytest

from conftest import assert_same_bits
from lstmc import activations, layers, losses, metrics, nn, regularizers, utils
from lstmc.layers.casts import as_floats
from lstmc.training import Sequential

X = np.linspace(-1, 1, 4 * 3 * 2).reshape(4, 3, 2)          # float64, most of it no float32
F = X.astype(np.float32)
HINT = "if a cast is meant, write it: np.asarray"


class Tensor:
    """Another library's array."""

    def __init__(self, a):
        self.__array_interface__, self.keep = a.__array_interface__, a


class Frame:
    """Another library's table: an array if asked for."""

    def __init__(self, a):
        self.shape, self.values = a.shape, a

    def __array__(self, dtype=None, copy=None):
        return self.values


def nested(a, leaf):
    """The rows of `a` as leaves of lists."""
    return [[leaf(row) for row in rows] for rows in a]


def doubles(row):
    return (ctypes.c_double * len(row))(*row)


@pytest.mark.parametrize("value", [
    memoryview(X),
    Tensor(X),
    nested(X, np.array),
    nested(X, list),                                        # of np.float64
    nested(X, memoryview),
    nested(X, doubles),
    nested(X, lambda row: array.array("d", row)),
    [[row.tolist() for row in X[0]], X[1]],                 # one array among numbers
    ((X[0].tolist(), X[1].tolist()), tuple(X[2:])),
    [Tensor(a) for a in X],
], ids=["memoryview", "interface", "arrays", "numpy-numbers", "memoryviews", "ctypes", "array.array", "one-array", "tuples", "interfaces"])
@pytest.mark.parametrize("where", ["x", "hx", "dy", "x_t"])
def test_float64_in_any_dress(value, where):
    m = nn.RNN(2, 2, seed=0)
    calls = {
        "x": lambda: m(value),
        "hx": lambda: m(np.zeros((1, 3, 2), np.float32), value),
        "dy": lambda: m.backward(m.forward(F)[2], value),
        "x_t": lambda: m.session(3).step(value),
    }
    text = rf"{where}: expected dtype float32, received float64; {HINT}\(..., 'float32'\)"
    with pytest.raises(TypeError, match=rf"^{text}|^hx: expected one array, the h of RNN, received a list of 2"):
        calls[where]()


@pytest.mark.parametrize("value", [X.astype(int), memoryview(X.astype(int)), nested(X.astype(int), np.array), nested(X.astype(int), list)],
                         ids=["array", "memoryview", "arrays", "numpy-numbers"])
def test_whole_numbers_with_a_dtype(value):
    for dtype in ("float32", "float64"):
        with pytest.raises(TypeError, match=rf"x: expected dtype {dtype}, received int64; {HINT}\(..., '{dtype}'\)"):
            nn.RNN(2, 2, dtype=dtype)(value)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_accepted(dtype):
    """Literals of any kind, and the right dtype in any dress."""
    m, a = nn.RNN(2, 2, dtype=dtype, seed=0), X.astype(dtype)
    want = m(a)[0]
    for value in (X.tolist(), tuple(map(tuple, X.tolist()))):
        assert_same_bits(m(value)[0], want)
    for value in (memoryview(a), Tensor(a), nested(a, np.array), nested(a, memoryview), list(map(list, a)), a.astype(a.dtype.newbyteorder()),
                  np.ma.masked_array(a), np.ma.masked_array(a, np.zeros(a.shape, bool))):
        assert_same_bits(m(value)[0], want)
    assert_same_bits(m([[[1, 0.5]] * 3])[0], m(np.array([[[1, 0.5]] * 3], dtype))[0])
    assert_same_bits(m([[[1, True]] * 3])[0], m(np.ones((1, 3, 2), dtype))[0])


@pytest.mark.parametrize("lengths", [(3, 1, 2), (3, 3, 3)])
def test_sequences_as_tables(lengths):
    """A list of tables or tensors is one of sequences, also where they have one length, as a list of arrays is."""
    m, parts = nn.RNN(2, 2, seed=0), [F[0, :n] for n in lengths]
    for found, wanted in zip(m([Frame(a) for a in parts])[0], m(parts)[0], strict=True):
        assert_same_bits(found, wanted)
    with pytest.raises(TypeError, match=r"x\[1\]: expected dtype float32, received float64"):
        m([Frame(parts[0]), Frame(parts[1].astype(float))])


def test_a_list_in_itself():
    endless = []
    endless.append(endless)
    with pytest.raises(ValueError, match="x: expected an array of float32, received something ragged"):
        nn.RNN(2, 2)(endless)


# Masks ------------------------------------------------------------------------------------------------------

def hide(a, n=1):
    """`a` with its first n values masked."""
    return np.ma.masked_array(a, np.arange(a.size).reshape(a.shape) < n)


M = nn.LSTM(2, 2, batch_first=True, seed=0)
MASKED = {
    "x": lambda: M(hide(F)),
    "x[1]": lambda: M([F[0], hide(F[1])]),
    "x-nested": lambda: M([[hide(a) for a in F[0]]]),
    "hx: h_0": lambda: M(F, (hide(np.zeros((1, 4, 2), np.float32)), np.zeros((1, 4, 2), np.float32))),
    "dy": lambda: M.backward(M.forward(F)[2], hide(F)),
    "lengths": lambda: M(F, lengths=hide(np.ones(4, int))),
    "mask": lambda: M(F, mask=hide(np.ones((4, 3), bool))),
    "x_t": lambda: M.session(4).step(hide(F[:, 0])),
    "weight_ih_l0": lambda: M.load_state_dict(M.state_dict() | {"weight_ih_l0": hide(M.state_dict()["weight_ih_l0"])}),
}


@pytest.mark.parametrize("name", MASKED)
def test_no_mask_is_dropped(name):
    before = {key: w.copy() for key, w in M.state_dict().items()}
    text = rf"^{name.replace('[', '.').split('-')[0].replace(']', '.')}: expected no masked values, .* received 1 of \d+; fill them"
    with pytest.raises(ValueError, match=text):
        MASKED[name]()
    assert_same_bits(M.state_dict(), before)


def fit(**more):
    model = Sequential([layers.LSTM(3, seed=0), layers.Dense(1, seed=0)])
    model.compile("sgd", "mse", metrics=["mae"])
    return model.fit(**{"x": X, "y": np.ones((4, 1)), "verbose": 0} | more)


def set_masked_weights():
    layer = layers.Dense(1)
    layer.build((None, 2))
    layer.set_weights([hide(np.ones((2, 1))), np.zeros(1)])


IN_MODELS = {
    "x": lambda: fit(x=hide(X)),
    "y": lambda: fit(y=hide(np.ones((4, 1)))),
    "sample_weight": lambda: fit(sample_weight=hide(np.ones(4))),
    "x-call": lambda: layers.Dense(2)(hide(X)),
    "mask": lambda: layers.LSTM(2)(X, mask=hide(np.ones((4, 3), bool))),
    "dense/kernel": set_masked_weights,
    "y_pred": lambda: losses.MeanSquaredError()(X, hide(X)),
    "y_true-loss": lambda: losses.MeanSquaredError()(hide(X), X),
    "y_true-labels": lambda: losses.SparseCategoricalCrossentropy()(hide(np.zeros(4, int)), X[:, 0]),
    "y_true": lambda: metrics.MeanAbsoluteError().update_state(hide(X), X),
}


@pytest.mark.parametrize("name", IN_MODELS)
def test_no_mask_is_dropped_in_models(name):
    with pytest.raises(ValueError, match=rf"^{name.split('-')[0]}: expected no masked values, .* received 1 of \d+; fill them"):
        IN_MODELS[name]()


# Layers, which cast as Keras does ---------------------------------------------------------------------------

def test_layers_cast_and_say_so():
    """From float64 to float32 layers cast by design; what float32 cannot hold at all raises."""
    layer = layers.Dense(2, seed=0)
    assert_same_bits(layer(X), layer(F))
    assert_same_bits(layer(X > 0), layer((X > 0).astype(np.float32)))
    assert_same_bits(layer(np.where(X > 0, np.inf, X)), layer(np.where(F > 0, np.float32(np.inf), F)))
    for big in (np.full((1, 2), 1e39), [[1e39, 0.0]]):
        with pytest.raises(ValueError, match="x: expected numbers in the range of float32, received float64 beyond it"):
            layer(big)
    assert as_floats([1e39], np.dtype(np.float64), "x")[0] == 1e39
    assert fit().history.keys() == {"loss", "mae"}


def test_masks_of_layers():
    layer, lengths = layers.LSTM(2, seed=0), np.array([3, 1, 0, 2])
    mask = np.arange(3) < lengths[:, None]
    want = layer(X, mask=mask)
    for same in (mask.tolist(), mask.astype(int), mask.astype(float)):
        assert_same_bits(layer(X, mask=same), want)
    for wrong in (mask * 0.5, mask * 2, np.where(mask, np.nan, 0), mask.astype(str)):
        with pytest.raises(ValueError, match="mask: expected True at valid steps and False at others, received other values of dtype"):
            layer(X, mask=wrong)


@pytest.mark.parametrize("call", [
    lambda y, p: losses.mean_squared_error(y, p), lambda y, p: losses.Huber(reduction=None)(y, p), lambda y, p: activations.tanh(p),
    lambda y, p: activations.softmax(p), lambda y, p: utils.ctc_decode(p[None], None)[1], lambda y, p: regularizers.L2(0.1)(p),
    lambda y, p: metrics.Precision(thresholds=[0.1, 0.5])(y > 0.5, p),
], ids=range(7))
def test_float64_stays_that_in_any_byte_order(call):
    y, p = np.random.default_rng(0).random((2, 4, 3))
    want, got = (np.asarray(call(y.astype(dtype), p.astype(dtype))) for dtype in ("=f8", ">f8"))
    assert got.dtype == want.dtype == np.float64
    assert np.array_equal(got, want)


@pytest.mark.parametrize("layer", [layers.Dense(2), layers.Masking(), layers.GlobalAveragePooling1D(), layers.LSTM(2), layers.Add()],
                         ids=lambda layer: layer.name)
def test_masks_and_training_of_a_call(layer):
    x, listed = np.ones((4, 3, 2), np.float32), isinstance(layer, layers.Add)
    x, right = ([x, x], [np.ones((4, 3)), None]) if listed else (x, np.ones((4, 3)))
    layer(x, mask=right)
    for wrong in (np.ones((2, 2), bool), np.ones((4, 2)), np.ones(3, bool), np.array(True)):
        with pytest.raises(ValueError, match=r"mask: expected shape .*\(4, 3\).*, received \("):
            layer(x, mask=[wrong, None] if listed else wrong)
    with pytest.raises(TypeError, match="training: expected True or False, received 'no'"):
        layer(x, training="no")
