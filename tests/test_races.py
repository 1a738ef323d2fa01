"""What serves once, or one thread at a time, while several threads want it: one call goes through, the others raise, nothing else happens.

Every test brings about the meeting by itself: a call is held in the middle by an argument or a function that waits.
"""

import copy
import sys
import threading

import numpy as np
import pytest

from conftest import assert_same_bits, named
from lstmc import callbacks, initializers, layers, nn, seeds
from lstmc.nn import module, passes, session, step_many
from lstmc.optimizers import Adam
from lstmc.training import Sequential, set_random_seed

SECONDS = 20        # longer than anything here takes: a test that waits so long has failed
X = np.random.default_rng(0).standard_normal((6, 4, 5), dtype=np.float32)


def at_once(n, work):
    """What work(i) returns or raises in n threads."""
    found = [None] * n

    def run(i):
        try:
            found[i] = work(i)
        except Exception as error:
            found[i] = error

    threads = [threading.Thread(target=run, args=(i,)) for i in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(SECONDS)
        assert not t.is_alive()
    return found


# Tapes ------------------------------------------------------------------------------------------------------

class Meeting:
    """An argument whose conversion ends when all threads are in theirs: so all have begun the call before any has got far."""

    def __init__(self, array, n):
        self.array, self.barrier = array, threading.Barrier(n)

    def __array__(self, dtype=None, copy=None):
        self.barrier.wait(SECONDS)
        return self.array


@pytest.mark.parametrize("every", [None, 2])
def test_one_backward_of_a_tape(every):
    m = nn.LSTM(5, 8, 2, bidirectional=True, seed=0)
    y, state, tape = m.forward(X, checkpoint_every=every)
    want = named(y, state, m.backward(tape, y))
    for _ in range(5):
        y, state, tape = m.forward(X, checkpoint_every=every)
        dy = Meeting(y, 4)
        found = at_once(4, lambda i, tape=tape, dy=dy: m.backward(tape, dy))
        errors = [e for e in found if isinstance(e, Exception)]
        assert [str(e) for e in errors] == ["tape: expected a tape that has not been used, received one that has served its backward"] * 3
        assert all(type(e) is ValueError for e in errors)
        assert tape.used
        assert_same_bits(named(y, state, next(g for g in found if not isinstance(g, Exception))), want)


def test_lengths_that_another_thread_writes_during_the_call(monkeypatch):
    """What has been checked is a copy."""
    m, lengths = nn.LSTM(5, 8, seed=0), np.array([6, 0, 3, 5])
    want, real = m(X, lengths=lengths.copy()), module.Schedule

    def late(*arguments):
        lengths.fill(1000)
        return real(*arguments)

    monkeypatch.setattr(module, "Schedule", late)
    assert_same_bits(named(*m(X, lengths=lengths)), named(*want))


def test_training_calls_at_once_have_steps_of_their_own():
    m, alone = (nn.LSTM(5, 8, 2, dropout=0.5, zoneout=0.1, seed=0) for _ in range(2))
    want = sorted(alone.forward(X)[0].tobytes() for _ in range(32))
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        found = at_once(4, lambda i: [m.forward(X)[0].tobytes() for _ in range(8)])
    finally:
        sys.setswitchinterval(before)
    assert sorted(y for ys in found for y in ys) == want
    assert m.step == 32


def test_a_step_is_drawn_once_a_call(monkeypatch):
    """Whatever others do to the counter meanwhile, all layers of a call have one step."""
    m, same = (nn.LSTM(5, 8, 3, dropout=0.5, input_dropout=0.2, zoneout=0.1, seed=0) for _ in range(2))
    drop = passes.drop

    def counted(caller, *arguments):
        if caller is m:
            m.step += 1
        return drop(caller, *arguments)

    monkeypatch.setattr(passes, "drop", counted)
    assert_same_bits(m.forward(X)[0], same.forward(X)[0])


# Sessions ---------------------------------------------------------------------------------------------------

USES = {
    "step": lambda s, other: s.step(X[0]),
    "step-out": lambda s, other: s.step(X[0], np.empty((4, 8), np.float32)),
    "run": lambda s, other: s.run(X),
    "state": lambda s, other: s.state,
    "set-state": lambda s, other: setattr(s, "state", other.state),
    "reset": lambda s, other: s.reset(),
    "snapshot": lambda s, other: s.snapshot(),
    "restore": lambda s, other: s.restore(other.snapshot()),
    "fork": lambda s, other: s.fork(),
    "step_many": lambda s, other: step_many([other, s], [X[1], X[0]]),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_session_in_use_refuses_all_else(use, monkeypatch):
    m = nn.LSTM(5, 8, 2, seed=0)
    s, other = m.session(4), m.session(4)
    inside, over, real, y = threading.Event(), threading.Event(), session.forward, []

    def held(*arguments, **more):
        inside.set()
        assert over.wait(SECONDS)
        return real(*arguments, **more)

    monkeypatch.setattr(session, "forward", held)
    thread = threading.Thread(target=lambda: y.append(s.run(X)))
    thread.start()
    assert inside.wait(SECONDS)
    try:
        with pytest.raises(RuntimeError, match="session: expected one call at a time, received one while another"):
            use(s, other)
        assert not any(part.any() for part in other.state)      # step_many too has done nothing, and let go of the others
    finally:
        over.set()
        thread.join(SECONDS)
    monkeypatch.undo()
    assert_same_bits(y[0], m(X)[0])
    assert_same_bits(s.step(X[0]), m(np.concatenate((X, X[:1])))[0][-1])
    use(s, other)


def test_a_session_is_free_again_after_an_error():
    m = nn.LSTM(5, 8, seed=0)
    s = m.session(4)
    for wrong in (lambda: s.step(X[0], threads=0), lambda: s.run(X[:, :3]), lambda: step_many([s, s], [X[0], X[0]]), lambda: s._stream.step(X[0], None)):
        with pytest.raises((TypeError, ValueError, BufferError)):
            wrong()
    assert_same_bits(s.step(X[0]), m(X[:1])[0][0])


def test_steps_of_one_session_from_many_threads():
    m = nn.LSTM(5, 8, seed=0)
    s, x = m.session(1), X[0, :1]
    taken = []

    def work(i):
        own = 0
        while own < 50:
            try:
                y = s.step(x)
            except RuntimeError:
                continue
            own += 1
            taken.append(y.tobytes())

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        assert at_once(6, work) == [None] * 6
    finally:
        sys.setswitchinterval(before)
    alone = m.session(1)
    assert sorted(taken) == sorted(alone.step(x).tobytes() for _ in range(300))


# Layers and models ------------------------------------------------------------------------------------------

class Slow(initializers.RandomNormal):
    """Gives a second thread the time to begin as well, if it can."""

    def __init__(self):
        super().__init__()
        self.calls, self.second = 0, threading.Event()

    def values(self, shape, rng):
        self.calls += 1
        if self.calls > 1:
            self.second.set()
        self.second.wait(0.2)
        return super().values(shape, rng)


@pytest.mark.parametrize("make", [
    lambda slow: layers.Dense(4, kernel_initializer=slow),
    lambda slow: layers.LSTM(4, kernel_initializer=slow),
    lambda slow: layers.Bidirectional(layers.LSTM(4, recurrent_initializer=slow)),
    lambda slow: Sequential([layers.LSTM(3, return_sequences=True), layers.Dropout(0.5), layers.Dense(4, kernel_initializer=slow)]),
], ids=["Dense", "LSTM", "Bidirectional", "Sequential"])
def test_an_unbuilt_layer_is_built_once(make):
    slow = Slow()
    layer = make(slow)
    found = at_once(8, lambda i: layer(X))
    want = layer(X)
    for y in found:
        assert_same_bits(y, want)
    assert slow.calls == (2 if isinstance(layer, layers.Bidirectional) else 1)


@pytest.mark.parametrize("make", [
    lambda slow: layers.Dense(4, kernel_initializer=slow),
    lambda slow: Sequential([layers.Dense(4, kernel_initializer=slow)]),
], ids=["Dense", "Sequential"])
def test_whoever_comes_second_with_other_features_is_refused(make):
    slow = Slow()
    layer = make(slow)
    found = at_once(4, lambda i: layer(X[..., :3 + i % 2]))
    errors = [e for e in found if isinstance(e, Exception)]
    assert len(errors) == 2
    for e in errors:
        assert type(e) is ValueError
        assert "expected input of shape (batch, ..., " in str(e)
    assert slow.calls == 1


def test_seeds_are_drawn_once_each():
    seeds.set_random_seed(0)
    want = [seeds.next_seed() for _ in range(200)]
    seeds.set_random_seed(0)
    found = at_once(4, lambda i: [seeds.next_seed() for _ in range(50)])
    assert sorted(s for part in found for s in part) == sorted(want)


def trainable(seed=3):
    """A compiled model."""
    set_random_seed(seed)
    model = Sequential([layers.Input((None, 5)), layers.LSTM(6), layers.Dropout(0.3), layers.Dense(2)])
    model.compile("adam", "mse", metrics=["mae"])
    model.build()
    return model


def everything(model):
    """Bytes of all that training changes."""
    return [a.tobytes() for a in (*model.get_weights(), *(a for slots in model.optimizer.state or () for a in slots.values()))], model.step, model.passes


XB = X.swapaxes(0, 1)
YB = np.ones((4, 2), np.float32)
TRAINS = {
    "fit": lambda m: m.fit(XB, YB, verbose=0),
    "train_on_batch": lambda m: m.train_on_batch(XB, YB),
    "evaluate": lambda m: m.evaluate(XB, YB, verbose=0),
    "test_on_batch": lambda m: m.test_on_batch(XB, YB),
}


class Held(callbacks.Callback):
    """Stops a fit after its first batch until it may go on."""

    def __init__(self):
        super().__init__()
        self.inside, self.over = threading.Event(), threading.Event()

    def on_train_batch_end(self, batch, logs=None):
        self.inside.set()
        assert self.over.wait(SECONDS)


@pytest.mark.parametrize("name", TRAINS)
def test_a_model_in_training_refuses_who_would_change_it(name):
    model, alone, held, found = trainable(), trainable(), Held(), []
    want = alone.fit(XB, YB, 2, epochs=2, verbose=0).history
    thread = threading.Thread(target=lambda: found.append(model.fit(XB, YB, 2, epochs=2, verbose=0, callbacks=[held]).history))
    thread.start()
    assert held.inside.wait(SECONDS)
    try:
        before, history = everything(model), model.history
        with pytest.raises(RuntimeError, match=f"^{name}: expected a model that one thread at a time trains or evaluates, received one in another"):
            TRAINS[name](model)
        assert everything(model) == before
        assert model.history is history
        assert model.predict(XB, verbose=0).shape == (4, 2)     # reads only
        TRAINS[name](copy.deepcopy(model))
    finally:
        held.over.set()
        thread.join(SECONDS)
    assert found == [want]
    assert everything(model) == everything(alone)
    TRAINS[name](model)


def test_a_model_in_training_refuses_who_would_change_its_settings_or_weights(tmp_path):
    model, alone, held, path = trainable(), trainable(), Held(), tmp_path / "m.safetensors"
    alone.fit(XB, YB, 2, verbose=0)
    other = Sequential([layers.Input((None, 5)), model.layers[0], layers.Dense(1)])
    other.compile("sgd", "mse")
    other.build()
    other.save_weights(path)
    layer = model.layers[0]
    head = Sequential([layers.Input((None, 6)), layers.TimeDistributed(model.layers[-1])])
    head.compile("sgd", "mse")
    thread = threading.Thread(target=lambda: model.fit(XB, YB, 2, verbose=0, callbacks=[held]))
    thread.start()
    assert held.inside.wait(SECONDS)
    changes = {
        "compile": lambda: model.compile("sgd", "mae"), "set_weights": lambda: model.set_weights([0 * w for w in model.get_weights()]),
        "load_weights": lambda: model.load_weights(path), "add": lambda: model.add(layers.Dense(3)), "pop": model.pop,
        "set_weights of a layer": lambda: layer.set_weights([0 * w for w in layer.get_weights()]),
        "set_weights of a model that shares a layer": lambda: other.set_weights([0 * w for w in other.get_weights()]),
        "load_weights of one": lambda: other.load_weights(path), "fit of one": lambda: other.fit(XB, YB[:, :1], verbose=0),
        "train_on_batch of one": lambda: other.train_on_batch(XB, YB[:, :1]),
        "train_on_batch of a model that wraps a layer": lambda: head.train_on_batch(np.ones((2, 3, 6)), np.ones((2, 3, 2))),
    }
    try:
        before = everything(model)
        for what, change in changes.items():
            with pytest.raises(RuntimeError, match=f"^{what.partition(' ')[0]}: expected a model that one thread at a time trains or evaluates, received"):
                change()
        model.build()
        other.evaluate(XB, YB[:, :1], verbose=0)                # reads only
        layer.trainable = False                                 # frozen, it is read alone
        other.compile("sgd", "mse")
        other.train_on_batch(XB, YB[:, :1])
        layer.trainable = True
        assert everything(model) == before
        assert isinstance(model.optimizer, Adam)
    finally:
        held.over.set()
        thread.join(SECONDS)
    assert everything(model) == everything(alone)
    for what in ("fit of one", "set_weights of a layer", "train_on_batch of a model that wraps a layer"):
        changes[what]()


def test_of_two_models_that_share_layers_one_trains():
    """Whoever comes first; of any number at once, one."""
    shared = layers.Dense(4)
    models = [Sequential([layers.Input((5,)), shared, layers.Dense(1)]) for _ in range(4)]
    inside, wins, lost = threading.Event(), [], []

    class Waits(callbacks.Callback):
        def on_train_begin(self, logs=None):
            assert inside.wait(SECONDS)

    for model in models:
        model.compile("sgd", "mse")

    def train(i):
        try:
            wins.append(models[i].fit(X[:, 0], np.ones(6), verbose=0, callbacks=[Waits()]))
        except RuntimeError as error:
            lost.append(str(error))
        if len(lost) == 3:
            inside.set()

    assert at_once(4, train) == [None] * 4
    assert len(wins) == 1
    assert all("in another thread's call" in text for text in lost)


def test_a_callback_may_use_and_change_the_model_that_trains(tmp_path):
    class Measures(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            m = self.model
            seen.append(m.evaluate(XB, YB, verbose=0))
            m.train_on_batch(XB, YB)
            m.predict(XB, verbose=0)
            m.save_weights(tmp_path / "m.safetensors")
            m.set_weights([0 * w for w in m.get_weights()])
            m.layers[0].set_weights(m.layers[0].get_weights())
            m.load_weights(tmp_path / "m.safetensors")

    model, seen = trainable(), []
    model.fit(XB, YB, epochs=3, verbose=0, callbacks=[Measures()])
    assert len(seen) == 3
    assert model.step == 6


def test_a_model_is_free_again_after_an_error():
    model = trainable()
    for wrong in (lambda: model.fit(XB, YB[:3], verbose=0), lambda: model.train_on_batch(XB[..., :3], YB), lambda: model.evaluate(XB, YB, verbose=7)):
        with pytest.raises(ValueError, match="expected"):
            wrong()
        assert at_once(1, lambda i: TRAINS["test_on_batch"](model))[0] == model.test_on_batch(XB, YB)
