"""Weights that are read while another thread trains are those between two of its steps, and one optimizer trains one set of weights."""

import copy
import pickle
import threading

import pytest

import lstmc
from lstmc import layers, whole
from lstmc.losses import Loss, MeanSquaredError
from lstmc.optimizers import SGD, Adam
from lstmc.training import Sequential, set_random_seed
from test_races import SECONDS, XB, YB, at_once, everything

pytestmark = pytest.mark.once


class Held:
    """Stops the third step, between its forward pass, after which weights are written, and its end, until it may go on."""

    def __init__(self, monkeypatch):
        self.steps, self.inside, self.over = 0, threading.Event(), threading.Event()
        both = Loss.both

        def slow(*arguments, **named):
            self.steps += 1
            if self.steps == 3:
                self.inside.set()
                assert self.over.wait(SECONDS)
            return both(*arguments, **named)

        monkeypatch.setattr(MeanSquaredError, "both", slow, raising=False)


def model_of(optimizer, units=6, **settings):
    set_random_seed(0)
    model = Sequential([layers.Input((None, 5)), layers.LSTM(units, **settings), layers.Dense(2)])
    model.compile(optimizer, "mse")
    model.build()
    return model


def the_bytes(arrays):
    return [a.tobytes() for a in arrays]


def saved(name):
    def read(model, path):
        getattr(model, name)(path / f"{name}.safetensors")
        if name == "save":
            again = lstmc.load(path / "save.safetensors")
            assert again.step == again.optimizer.iterations == 3
            return again.get_weights()
        again = copy.deepcopy(model)
        again.load_weights(path / "save_weights.safetensors")
        return again.get_weights()
    return read


READS = {
    "get_weights": lambda model, path: model.get_weights(),
    "of layers": lambda model, path: [w for layer in model.layers for w in layer.get_weights()],
    "of a model that shares layers": lambda model, path: Sequential([layers.Input((None, 5)), *model.layers]).get_weights(),
    "save": saved("save"),
    "save_weights": saved("save_weights"),
}


def test_who_reads_waits_for_the_end_of_a_step(tmp_path, monkeypatch):
    alone, found = model_of("adam"), {}
    alone.fit(XB, YB, 1, epochs=1, steps_per_epoch=3, shuffle=False, verbose=0)
    want = the_bytes(alone.get_weights())
    for name, read in READS.items():
        step, model = Held(monkeypatch), model_of("adam")
        training = threading.Thread(target=lambda m=model: m.fit(XB, YB, 1, epochs=1, steps_per_epoch=3, shuffle=False, verbose=0))
        training.start()
        assert step.inside.wait(SECONDS)
        reading = threading.Thread(target=lambda m=model, r=read, n=name: found.update({n: the_bytes(r(m, tmp_path))}))
        reading.start()
        while not whole._meetings.reading:
            assert reading.is_alive()
        assert name not in found
        step.over.set()
        for thread in (training, reading):
            thread.join(SECONDS)
        assert found[name] == want, name
    assert not whole._meetings.reading
    assert not whole._meetings.changing


def test_states_are_not_forgotten_in_the_middle_of_a_step(monkeypatch):
    step, model = Held(monkeypatch), model_of("sgd", stateful=True)
    training = threading.Thread(target=lambda: model.fit(XB, YB, 4, epochs=3, verbose=0))
    training.start()
    assert step.inside.wait(SECONDS)
    resetting = threading.Thread(target=model.reset_states)
    resetting.start()
    while not whole._meetings.reading:
        assert resetting.is_alive()
    assert model.layers[0].states is not None
    step.over.set()
    for thread in (training, resetting):
        thread.join(SECONDS)
    assert model.layers[0].states is None


def test_readers_among_quick_steps_see_weights_of_whole_steps():
    passed = [the_bytes(model_of("adam").get_weights())]
    steps = model_of("adam")
    for _ in range(60):
        steps.train_on_batch(XB, YB)
        passed.append(the_bytes(steps.get_weights()))
    model, found = model_of("adam"), []

    def work(i):
        if i == 0:
            for _ in range(60):
                model.train_on_batch(XB, YB)
        else:
            found.extend(the_bytes(model.get_weights()) for _ in range(50))

    assert at_once(3, work) == [None] * 3
    assert len(found) == 100
    assert all(some in passed for some in found)
    assert everything(model) == everything(steps)


def test_an_optimizer_trains_one_model():
    optimizer = Adam()
    first, second, wider = model_of(optimizer), model_of(optimizer), model_of(optimizer, units=7)
    first.fit(XB, YB, verbose=0)
    for other in (second, wider):
        before = everything(other)[:2]
        for train in (lambda m: m.fit(XB, YB, verbose=0), lambda m: m.train_on_batch(XB, YB)):
            with pytest.raises(ValueError, match=r"^optimizer: expected the weights that it has trained before, .* received others: 5 of lstm"):
                train(other)
        assert everything(other)[:2] == before
    first.compile(optimizer, "mae")                 # as in Keras, it goes on
    first.fit(XB, YB, verbose=0)
    assert optimizer.iterations == 2
    first.layers[0].trainable = False
    first.compile(optimizer, "mae")
    with pytest.raises(ValueError, match=r"2 of dense\S* instead of 5 of lstm"):
        first.fit(XB, YB, verbose=0)


def test_copies_of_an_optimizer_train_other_models(tmp_path):
    model = model_of(SGD(momentum=0.9))
    model.fit(XB, YB, verbose=0)
    model.save(tmp_path / "m.safetensors")
    copies = [copy.deepcopy(model), pickle.loads(pickle.dumps(model)), lstmc.load(tmp_path / "m.safetensors")]
    other = model_of(copy.deepcopy(model.optimizer))
    other.set_weights(model.get_weights())
    for again in (model, *copies, other):
        again.fit(XB, YB, shuffle=False, verbose=0)
        assert the_bytes(again.get_weights()) == the_bytes(model.get_weights())
        assert again.optimizer.iterations == 2


def test_a_step_begins_when_nobody_reads():
    model, begun = model_of("sgd"), threading.Event()

    def step():
        with whole.Changing(whole.turns_of(model)):
            begun.set()

    other = threading.Thread(target=step)
    with whole.Reading(whole.turns_of(model)):
        other.start()
        assert not begun.wait(0.2)
    assert begun.wait(SECONDS)
    other.join()
