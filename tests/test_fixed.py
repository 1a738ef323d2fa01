"""What an object was made of stays: attributes that weights, packed operands and states were made by cannot be set again."""

import copy
import inspect
import pickle

import numpy as np
import pytest

from conftest import assert_same_bits
from lstmc import layers, nn

X = np.random.default_rng(0).standard_normal((4, 3, 5), dtype=np.float32)
OTHER = {"dtype": np.dtype(np.float64), "batch_first": True, "bidirectional": True, "bias": False, "use_bias": False, "return_sequences": True,
         "go_backwards": True, "merge_mode": "sum", "layer": layers.LSTM(3), "shape": (None, 3), "rate": 2.0, "nonlinearity": "relu"}
FREE = {"seed", "name", "self", "noise_shape", "batch_size", "arguments"}


def arguments_of(kind):
    """The constructor's arguments that a module keeps."""
    return [name for name in inspect.signature(kind).parameters if name not in FREE]


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in (nn.LSTM, nn.GRU, nn.RNN)
                                            for name in [*arguments_of(kind), *{"cell", "proj_size", "layer_norm"} - {*arguments_of(kind)}]])
@pytest.mark.parametrize("called", [False, True])
def test_a_modules_facts(kind, name, called):
    m, same = kind(5, 8, seed=0), kind(5, 8, seed=0)
    if called:
        m(X)
        m.forward(X)
        same.forward(X)
    before = getattr(m, name)
    with pytest.raises(AttributeError, match=f"^{name}: expected to stay .*; build a new {kind.__name__}$"):
        setattr(m, name, OTHER.get(name, 3))
    with pytest.raises(AttributeError, match=f"{name}: expected to stay"):
        delattr(m, name)
    assert getattr(m, name) is before
    assert repr(m) == repr(same)
    assert_same_bits(m(X)[0], same(X)[0])
    assert_same_bits(m.forward(X)[0], same.forward(X)[0])


@pytest.mark.parametrize("name", ["num_directions", "output_size"])
def test_what_follows_from_them_cannot_be_set_either(name):
    with pytest.raises(AttributeError):
        setattr(nn.LSTM(5, 8), name, 2)


def test_seed_and_step_may_be_set():
    m = nn.LSTM(5, 8, 2, dropout=0.5, seed=0)
    first = m.forward(X)[0]
    m.seed, m.step = 3, 7
    second = m.forward(X)[0]
    assert m.step == 8
    assert not np.array_equal(first, second)
    m.seed, m.step = 0, 0
    assert_same_bits(m.forward(X)[0], first)


@pytest.mark.parametrize(("name", "value"), [("batch_size", 2), ("module", nn.LSTM(5, 9))])
def test_a_sessions_facts(name, value):
    m = nn.LSTM(5, 8, seed=0)
    s = m.session(3)
    for one in (s, s.fork()):
        with pytest.raises(AttributeError, match=f"^{name}: expected to stay .*; build a new Session$"):
            setattr(one, name, value)
        assert [part.shape for part in one.state] == [(1, 3, 8)] * 2
        assert_same_bits(one.step(X[0]), m(X[:1])[0][0])


def test_a_tapes_facts():
    m, other = nn.LSTM(5, 8, seed=0), nn.LSTM(5, 80, seed=0)
    y, _, tape = m.forward(X)
    for name, value in {"module": other, "call": None, "weights": [], "layers": [], "y_shape": (4, 3, 80)}.items():
        with pytest.raises(AttributeError, match=f"^{name}: expected to stay .*; build a new Tape$"):
            setattr(tape, name, value)
    with pytest.raises(ValueError, match="tape: expected a tape of this module"):
        other.backward(tape)
    same = nn.LSTM(5, 8, seed=0)
    assert_same_bits(m.backward(tape, y).params, same.backward(same.forward(X)[2], y).params)


@pytest.mark.parametrize(("make", "names"), [
    (lambda: layers.InputLayer((None, 5)), "shape dtype"),
    (lambda: layers.LSTM(4, seed=1), "units use_bias return_sequences go_backwards dtype"),
    (lambda: layers.Bidirectional(layers.LSTM(4, seed=1)), "layer merge_mode return_sequences dtype"),
    (lambda: layers.Dense(4, seed=1), "units use_bias dtype"),
    (lambda: layers.Dropout(0.5, seed=1), "rate dtype"),
], ids=["Input", "LSTM", "Bidirectional", "Dense", "Dropout"])
@pytest.mark.parametrize("called", [False, True])
def test_a_layers_facts(make, names, called):
    layer = make()
    if called:
        layer(X)
    for name in names.split():
        with pytest.raises(AttributeError, match=f"^{name}: expected to stay .*; build a new {type(layer).__name__}$"):
            setattr(layer, name, OTHER.get(name, 3))
    assert_same_bits(layer(X), make()(X))


def test_the_layer_inside_a_bidirectional_one():
    layer = layers.Bidirectional(layers.LSTM(4, seed=1), "sum")
    want = layer(X)
    with pytest.raises(AttributeError, match="units: expected to stay 4"):
        layer.layer.units = 2
    assert_same_bits(layer(X), want)


class Named(nn.LSTM):
    """A user's module, with attributes of its own, some from before there are weights."""

    def __init__(self, label, *sizes):
        self.label = label
        super().__init__(*sizes, seed=0)
        self.calls = 0

    def __call__(self, x):
        self.calls += 1
        return super().__call__(x)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["copy", "deepcopy", "pickle"])
def test_subclasses_and_copies(duplicate):
    m = Named("mine", 5, 8)
    m(X)
    other = duplicate(m)
    other.label = "yours"
    assert_same_bits(other(X)[0], nn.LSTM(5, 8, seed=0)(X)[0])
    assert (m.label, m.calls, other.label, other.calls) == ("mine", 1, "yours", 2)
    for one in (m, other):
        with pytest.raises(AttributeError, match="hidden_size: expected to stay 8, as this Named was made, received 4; build a new Named"):
            one.hidden_size = 4
    with pytest.raises(AttributeError, match="input_size: expected to stay 5"):
        other.__init__("again", 6, 8)
