"""Recurrent layers beyond Keras's numbers: dropout, states from call to call, copies, weights that are live in the module."""

import copy
import pickle
import threading

import numpy as np
import pytest

import lstmc
from lstmc.kernels import core
from lstmc.layers import GRU, LSTM, Bidirectional, Dense, Input, SimpleRNN
from lstmc.layers.variable import Variable
from lstmc.nn.params import COUNTS_ARE_EXACT
from lstmc.training import Sequential
from test_layers import F64, assert_gradients, inputs

KINDS = (LSTM, GRU, SimpleRNN)
HOLED = np.array([[1, 1, 1, 1, 1], [0, 1, 0, 1, 0], [0, 0, 0, 0, 0], [0, 0, 1, 1, 1]], bool)
DROPPED = {"dropout": 0.4, "recurrent_dropout": 0.3}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("both", [False, True])
def test_gradients_with_dropout_and_masks(kind, both):
    layer = kind(3, return_sequences=True, **DROPPED, **F64)
    assert_gradients(Bidirectional(layer) if both else layer, inputs(4, 5, 2), HOLED)


def trained_on(layer, x, step):
    y, _, tape = layer.forward(x, None, True, step)
    dx, grads = layer.backward(tape, np.ones_like(y))
    return b"".join(a.tobytes() for a in (y, dx, *grads))


@pytest.mark.parametrize("kind", KINDS)
def test_dropout_is_of_seed_and_step_and_of_training_alone(kind):
    x = inputs(6, 7, 5, dtype=np.float32)
    layer, plain, other = kind(8, seed=1, **DROPPED), kind(8, seed=1), kind(8, seed=2, **DROPPED)
    for each in (layer, plain, other):
        each.build(x.shape)
    other.set_weights(plain.get_weights())
    assert np.array_equal(layer(x), plain(x))
    assert trained_on(layer, x, 3) == trained_on(layer, x, 3) != trained_on(layer, x, 4)
    assert trained_on(layer, x, 3) != trained_on(other, x, 3)
    assert not np.array_equal(layer(x, training=True), layer(x))
    with lstmc.threads(2):
        two = trained_on(layer, x, 3)
    assert two == trained_on(layer, x, 3)
    assert np.array_equal(layer.forward(x[:2], None, True, 3)[0], layer.forward(x, None, True, 3)[0][:2])


def test_threads_that_train_one_layer_at_once_drop_what_their_steps_say():
    x = inputs(3, 6, 4, dtype=np.float32)
    layer = LSTM(5, seed=1, **DROPPED)
    layer.build(x.shape)
    expected = [trained_on(layer, x, step) for step in range(8)]
    found = [None] * 8

    def train(step):
        found[step] = [trained_on(layer, x, step) for _ in range(5)]

    threads = [threading.Thread(target=train, args=(step,)) for step in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert found == [[bits] * 5 for bits in expected]


@pytest.mark.parametrize("kind", KINDS)
def test_a_stateful_layer_goes_on(kind):
    x = inputs(3, 8, 2)
    layer, plain = kind(4, stateful=True, return_sequences=True, **F64), kind(4, return_sequences=True, **F64)
    plain.build(x.shape)
    whole = plain(x)
    parts = [layer(x[:, t:t + 2]) for t in range(0, 8, 2)]
    assert np.array_equal(np.concatenate(parts, 1), whole)
    with pytest.raises(ValueError, match=r"states\[0\]: expected shape \(batch, units\) = \(2, 4\), received \(3, 4\); call reset_states"):
        layer(x[:2])
    assert not np.array_equal(layer(x), whole)
    twin = copy.deepcopy(layer)
    assert np.array_equal(twin(x), layer(x))
    layer.reset_states()
    assert np.array_equal(layer(x[:2]), whole[:2])
    layer.reset_state()
    assert np.array_equal(layer(x), whole)
    begun = [np.ones((3, 4))] * layer.parts
    assert np.array_equal(layer(x, initial_state=begun), plain(x, initial_state=begun))


def test_a_stateful_model():
    x, y = inputs(4, 6, 2, dtype=np.float32), np.zeros((4, 1))
    model = Sequential([Input(batch_shape=(2, None, 2)), Bidirectional(GRU(3, stateful=True, return_sequences=True)), LSTM(3, stateful=True), Dense(1)])
    model.compile("sgd", "mse")
    model.fit(x, y, batch_size=2, epochs=2, shuffle=False, verbose=0)
    with pytest.raises(ValueError, match="call reset_states"):
        model.predict(x[:1], verbose=0)
    model.reset_states()
    first = model.predict(x[:2], verbose=0)
    assert not np.array_equal(model.predict(x[:2], verbose=0), first)
    model.reset_states()
    assert np.array_equal(model.predict(x[:2], verbose=0), first)
    before = [s.copy() for s in model.layers[1].states]
    model.predict(x[2:], verbose=0)
    assert len(before) == 2
    assert not np.array_equal(before[0], model.layers[1].states[0])


@pytest.mark.parametrize("kind", KINDS)
def test_states_come_back_and_go_in(kind):
    x = inputs(3, 7, 2)
    layer = kind(4, return_state=True, **F64)
    y, *state = layer(x[:, :4])
    assert len(state) == layer.parts
    assert np.array_equal(state[0], y)
    again, *_ = layer(x[:, 4:], initial_state=state)
    assert np.array_equal(again, layer(x)[0])
    assert np.array_equal(layer(x, initial_state=[np.zeros((3, 4))] * layer.parts)[0], layer(x)[0])
    before = [s.copy() for s in state]
    out, _, tape = layer.forward(x, None, True, initial_state=state)
    layer.backward(tape, tuple(None for _ in out))
    dx, grads = layer.backward(layer.forward(x, None, True)[2], (np.zeros_like(y), *[None] * layer.parts))
    assert not dx.any()
    assert not any(g.any() for g in grads)
    assert all(np.array_equal(a, b) for a, b in zip(before, state, strict=True))


LAYOUTS = {
    "by columns": np.asfortranarray,
    "every other": lambda a: np.repeat(a, 2, 1)[:, ::2],
    "backwards": lambda a: a[::-1].copy()[::-1],
    "swapped bytes": lambda a: a.astype(">f4"),
    "float64": lambda a: a.astype(float),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("both", [False, True])
def test_initial_states_have_any_layout(kind, both, layout):
    layer, x = kind(5, return_sequences=True, return_state=True, seed=1), inputs(3, 4, 2, dtype=np.float32)
    state = list(inputs(layer.parts * (1 + both), 3, 5, dtype=np.float32))
    layer = Bidirectional(layer) if both else layer
    want = layer(x, initial_state=state)
    for training in (False, True):
        found = layer(x, initial_state=[LAYOUTS[layout](h) for h in state], training=training)
        assert all(map(np.array_equal, found, want))


@pytest.mark.parametrize(("layer", "state", "message"), [
    (LSTM(4), [np.zeros((3, 4))], "initial_state: expected a list of the 2 states of lstm, received a list of 1"),
    (LSTM(4), np.zeros((2, 3, 4)), "initial_state: expected a list of the 2 states of lstm, received ndarray"),
    (GRU(4), [np.zeros((2, 4))], r"gru: initial_state\[0\]: expected shape \(batch, units\) = \(3, 4\), received \(2, 4\)$"),
    (Bidirectional(GRU(4)), [np.zeros((3, 4))], "expected a list of the 2 states of bidirectional"),
    (GRU(4), [np.array([["a"]])], r"initial_state\[0\]: expected real numbers"),
])  # fmt: skip
def test_wrong_states(layer, state, message):
    with pytest.raises((TypeError, ValueError), match=message):
        layer(np.zeros((3, 5, 2)), initial_state=state)


@pytest.mark.parametrize("make", [LSTM, GRU, lambda n, **d: GRU(n, reset_after=False, **d), SimpleRNN, lambda n, **d: Bidirectional(GRU(n, **d))])
def test_weights_are_live_and_copies_have_their_own(make):
    layer = make(3, seed=1)
    x = inputs(2, 4, 5, dtype=np.float32)
    before = layer(x)
    weights = [inputs(*w.shape, seed=i).astype(np.float32) for i, w in enumerate(layer.get_weights())]
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        twin.set_weights(weights)
        assert all(np.array_equal(a, b) for a, b in zip(twin.get_weights(), weights, strict=True))
        after = twin(x)
        assert not np.array_equal(after, before)
        assert np.array_equal(layer(x), before)
        for w in twin.weights:
            w[...] = 0
        assert not twin(x).any()
        assert not any(a.any() for _, a in twin.module.named_parameters())


@pytest.mark.parametrize("get", [
    lambda layer: layer.weights,
    lambda layer: [v.array for v in layer.variables],
    lambda layer: list(layer.module.state_dict().values()),
    lambda layer: [w.base for w in layer.weights],
    lambda layer: [memoryview(w) for w in layer.weights],
], ids=["weights", "variables", "module", "base", "memoryviews"])
@pytest.mark.parametrize("make", [LSTM, GRU, lambda n, **d: GRU(n, reset_after=False, **d), lambda n, **d: Bidirectional(GRU(n, **d))],
                         ids=["LSTM", "GRU", "reset before", "Bidirectional"])
def test_a_write_is_noticed_whoever_holds_the_array(make, get):
    """Held over calls or only for the write, and by a copy that shares the module."""
    layer, x = make(3, seed=1), inputs(2, 4, 5, dtype=np.float32)
    layer(x)
    sharing = copy.copy(layer)

    def noticed():
        fresh = make(3, seed=2)
        fresh(x)
        fresh.set_weights(layer.get_weights())
        return all(np.array_equal(one(x), fresh(x)) for one in (layer, sharing))

    held = get(layer)
    for owner in (layer, sharing):
        for n in range(len(held)):
            for arrays in (held, get(owner)):
                assert noticed()
                np.asarray(arrays[n])[...] *= np.float32(1.5)
                assert noticed()
    del held, arrays
    for owner in (layer, sharing):
        owner.set_weights([w + np.float32(0.25) for w in layer.get_weights()])
        assert noticed()


def test_weights_are_read_again_only_if_someone_may_have_written(monkeypatch):
    """Also after training, for a model keeps no arrays of its layers."""
    model, x, read = Sequential([Input((4, 5)), LSTM(3), Dense(1)]), inputs(2, 4, 5, dtype=np.float32), []
    real, few = core.fingerprint, (1, 0) if COUNTS_ARE_EXACT else (3, 3)
    monkeypatch.setattr(core, "fingerprint", lambda a: read.append(1) or real(a))

    def reads():
        read.clear()
        for _ in range(3):
            model.predict(x, verbose=0)
        return len(read)

    model.compile("adam", "mse")
    assert (reads(), reads()) == few
    for train in (model.train_on_batch, lambda x, y: model.fit(x, y, epochs=2, verbose=0), lambda x, y: model.set_weights(model.get_weights())):
        train(x, np.ones(2))
        assert (reads(), reads()) == few
    held = model.weights
    assert reads() == 3
    del held
    assert (reads(), reads()) == few


def test_a_write_that_ctrl_c_ends_is_noticed(monkeypatch):
    layer, x = LSTM(3), inputs(2, 4, 5, dtype=np.float32)
    before = layer(x)

    def stopped(variable, value):
        variable._array[...] = 0
        raise KeyboardInterrupt

    monkeypatch.setattr(Variable, "inward", stopped)
    for v in layer.variables:
        with pytest.raises(KeyboardInterrupt):
            v.set(None)
    assert not np.array_equal(layer(x), before)


def test_a_write_is_noticed_though_weights_are_read_meanwhile(monkeypatch):
    layer, x = LSTM(3, seed=1), inputs(2, 4, 5, dtype=np.float32)
    y = layer(x)

    def reading(variable, value):
        layer(x)
        return value

    monkeypatch.setattr(Variable, "inward", reading)
    for v in layer.variables:
        before, y = y, None
        v.set(np.full(v._array.shape, 0.75))
        y = layer(x)
        assert not np.array_equal(y, before)


def test_the_bias_of_f_begins_as_one():
    layer = LSTM(3)
    layer.build((None, None, 2))
    assert layer.get_weights()[2].tolist() == [0] * 3 + [1] * 3 + [0] * 6
    for kind, shape in ((GRU, (2, 9)), (SimpleRNN, (3,))):
        layer = kind(3, bias_initializer="ones")
        layer.build((None, None, 2))
        assert np.array_equal(layer.get_weights()[2], np.ones(shape))
