"""copy and pickle: of modules, layers, models and optimizers, in this process and between processes; and what refuses."""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest

import lstmc
from cases import Case
from conftest import assert_same_bits, module_of, named, numbers_of, train
from lstmc import layers, nn, optimizers
from lstmc.kernels import core

STACK = Case(6, 5, 4, 9, L=2, D=2, P=3, ragged=True)
X = np.random.default_rng(0).standard_normal((4, 3, 5), dtype=np.float32)
WAYS = {"deepcopy": copy.deepcopy} | {
    f"pickle{n}": lambda a, n=n: pickle.loads(pickle.dumps(a, n)) for n in range(2, pickle.HIGHEST_PROTOCOL + 1)
}


@pytest.fixture(params=WAYS)
def duplicate(request):
    return WAYS[request.param]


@pytest.mark.parametrize("before", ["new", "called", "trained", "lent"])
def test_a_copy_of_a_module_is_the_same_and_independent(before, duplicate, isa):
    n, m = numbers_of(STACK), module_of(STACK)
    held = None
    if before == "called":
        m(n["x"])
    elif before == "trained":
        train(m, n)
    elif before == "lent":
        held = m.state_dict()
    other = duplicate(m)
    assert repr(other) == repr(m)
    assert all(w.flags.writeable and not np.shares_memory(w, v)
               for w, v in zip(other.parameters(), m.parameters(), strict=True))
    assert_same_bits(other.state_dict(), m.state_dict())
    want = train(m, n)
    assert_same_bits(train(other, n), want)
    for first, second in ((m, other), (other, m)):
        expected = train(second, n)
        for name in first.state_dict():
            was = named(*first(n["x"]))
            first.state_dict()[name][...] *= 1.5
            assert any(a.tobytes() != was[k].tobytes() for k, a in named(*first(n["x"])).items()), name
        assert_same_bits(train(second, n), expected)
        fresh = module_of(STACK, params=first.state_dict())
        assert_same_bits(train(first, n), train(fresh, n))
    del held


def test_a_copy_of_a_copy_loads_and_steps(duplicate):
    m = duplicate(duplicate(nn.LSTM(5, 4, seed=1)))
    source = nn.LSTM(5, 4, seed=2)
    m.load_state_dict(source.state_dict())
    s = duplicate(m).session(3)
    y = [s.step(x_t) for x_t in X]
    assert_same_bits(np.stack(y), source(X)[0])
    assert m.dtype is np.dtype("float32")


def test_what_was_written_after_a_copy_through_an_array_from_before_is_noticed(duplicate):
    m = nn.LSTM(5, 4, seed=1)
    weight = m.state_dict()["weight_hh_l0"]
    y = m(X)[0]
    other = duplicate(m)
    weight *= 2
    assert not np.array_equal(m(X)[0], y)
    assert_same_bits(other(X)[0], y)


def test_a_write_through_the_state_itself_is_noticed():
    m = nn.LSTM(5, 4, seed=1)
    for _ in range(2):
        y = m(X)[0]
    m._params.__getstate__()["flat"][...] = 0.5
    assert not np.array_equal(m(X)[0], y)


def test_dropout_goes_on_as_in_the_original(duplicate):
    m = nn.LSTM(5, 4, 2, dropout=0.5, seed=3)
    m.forward(X)
    other = duplicate(m)
    assert (other.seed, other.step) == (3, 1)
    want = m.forward(X)[0]
    assert_same_bits(other.forward(X)[0], want)
    m.forward(X)
    assert (m.step, other.step) == (3, 2)


@pytest.mark.parametrize("called", [False, True])
def test_a_shallow_copy_shares_the_parameters(called):
    m = nn.LSTM(5, 4, 2, dropout=0.5, seed=3)
    if called:
        m(X)
    other = copy.copy(m)
    assert all(w.ctypes.data == v.ctypes.data for w, v in zip(other.parameters(), m.parameters(), strict=True))
    for writer, value in ((m, 0.25), (other, 0.5)):
        before = m(X)[0], other(X)[0]
        assert_same_bits(*before)
        for w in writer.parameters():
            w[...] = value
        assert not np.array_equal(m(X)[0], before[0])
        assert_same_bits(m(X)[0], other(X)[0])
    m.forward(X)
    assert (m.step, other.step) == (1, 0)


def test_packed_weights_are_no_part_of_a_pickle():
    m = nn.LSTM(64, 64, seed=0)
    before = len(pickle.dumps(m))
    m.forward(np.zeros((2, 2, 64), np.float32))
    assert abs(len(pickle.dumps(m)) - before) < 16
    assert before < 1.1 * sum(w.nbytes for w in m.parameters())


def test_a_copy_works_on_another_instruction_set(any_isa):
    m = nn.LSTM(5, 4, seed=1)
    for a in core.usable_isas():
        any_isa(a)
        m(X)
        data = pickle.dumps(m)
        for b in core.usable_isas():
            any_isa(b)
            assert_same_bits(pickle.loads(data)(X)[0], m(X)[0])


# Layers, models, optimizers ---------------------------------------------------------------------------------

@pytest.mark.parametrize("make", [
    lambda: layers.LSTM(4, seed=1),
    lambda: layers.LSTM(4, seed=1, return_sequences=True, use_bias=False, dtype="float64"),
    lambda: layers.Bidirectional(layers.LSTM(4, seed=1)),
    lambda: layers.Dense(4, seed=1),
], ids=["LSTM", "LSTM-sequences", "Bidirectional", "Dense"])
@pytest.mark.parametrize("state", ["unbuilt", "called"])
def test_layers(make, state, duplicate):
    layer = make()
    if state == "called":
        layer(X)
    other = duplicate(layer)
    want = layer(X)
    assert_same_bits(other(X), want)
    assert_same_bits(copy.copy(layer)(X), want)
    for i, w in enumerate(other.get_weights()):
        before = other(X)
        other.variables[i].set(w * 2 + 1)
        assert not np.array_equal(other(X), before)
        assert_same_bits(other.get_weights()[i], w * 2 + 1)
    assert_same_bits(layer(X), want)
    layer.set_weights(other.get_weights())
    assert_same_bits(layer(X), other(X))


def compiled():
    model = lstmc.Sequential([layers.Input((None, 5)), layers.Bidirectional(layers.LSTM(4, return_sequences=True, seed=1)),
                              layers.Dropout(0.5, seed=2), layers.LSTM(6, seed=3), layers.Dense(2, seed=4)])
    model.compile(optimizers.Adam(0.01), "mse")
    return model


def test_a_model_goes_on_training_as_the_original(duplicate):
    y = np.random.default_rng(1).standard_normal((4, 2)).astype(np.float32)
    model = compiled()
    model.fit(X, y, epochs=2, verbose=0, shuffle=False)
    other = duplicate(model)
    before = model.get_weights()
    other.fit(X, y, epochs=2, verbose=0, shuffle=False)
    for w, v in zip(model.get_weights(), before, strict=True):
        assert_same_bits(w, v)
    model.fit(X, y, epochs=2, verbose=0, shuffle=False)
    for w, v in zip(model.get_weights(), other.get_weights(), strict=True):
        assert_same_bits(w, v)
    assert_same_bits(model.predict(X, verbose=0), other.predict(X, verbose=0))


# Between processes ------------------------------------------------------------------------------------------

def test_through_another_process():
    """A module there and back: it computes there what it computes here."""
    m = nn.LSTM(5, 4, 2, dropout=0.25, seed=3)
    m.forward(X)
    script = ("import pickle, sys\n"
              "m, x = pickle.load(sys.stdin.buffer)\n"
              "pickle.dump((m, m(x)[0], m.forward(x)[0]), sys.stdout.buffer)\n")
    done = subprocess.run([sys.executable, "-c", script], input=pickle.dumps((m, X)), capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    other, y, dropped = pickle.loads(done.stdout)
    assert_same_bits(y, m(X)[0])
    assert_same_bits(dropped, m.forward(X)[0])
    assert other.step == m.step
    assert_same_bits(other(X)[0], y)


# What refuses -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("take", [copy.copy, copy.deepcopy, pickle.dumps])
def test_sessions_and_tapes_say_what_to_do_instead(take):
    m = nn.LSTM(5, 4, seed=1)
    s, (y, _, tape) = m.session(3), m.forward(X)
    with pytest.raises(TypeError, match=r"Session: cannot be copied or pickled; fork\(\) .* snapshot\(\) .* restore\(\)"):
        take(s)
    with pytest.raises(TypeError, match=r"Tape: .* cannot be copied or pickled"):
        take(tape)
    take(m.backward(tape, y))


def test_a_snapshot_moves_to_a_session_of_a_copy(duplicate):
    m = nn.LSTM(5, 4, seed=1)
    s = m.session(3)
    s.step(X[0])
    other = duplicate(m).session(3)
    other.restore(duplicate(s.snapshot()))
    assert_same_bits(other.step(X[1]), s.step(X[1]))
