"""Callbacks: what Keras' do for the same results, files, state that survives a restart, hooks, messages."""

import inspect
import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest

import lstmc
from lstmc import callbacks, optimizers
from lstmc.optimizers import schedules
from recipes import build

pytestmark = pytest.mark.once

BATCHES = 4
FUNCTIONS = {"two": lambda epoch, rate: rate * 0.5 if epoch else rate, "one": lambda epoch: 0.1 / (1 + epoch)}


def cases():
    with np.load(Path(__file__).parent / "golden" / "keras_optimizers.npz") as f:
        return json.loads(str(f["callbacks"]))


class Model:
    """What a callback sees of a model."""

    metrics = ()
    stop_training = False

    def directions(self):
        return {m.name: m.direction for m in self.metrics} | {"loss": "down"}

    def __init__(self):
        self.optimizer, self.saved = optimizers.SGD(0.1), []

    def save(self, path):
        self.saved.append(Path(path).name.removesuffix(".safetensors"))

    def save_weights(self, path):
        self.saved.append(f"weights of {Path(path).name}")

    def get_weights(self):
        return [np.full(2, float(len(self.saved)))]

    def set_weights(self, weights):
        self.saved.append(weights)


def made(case, folder):
    config = dict(case["config"])
    if "filepath" in config:
        config["filepath"] = folder / f"{config['filepath']}.safetensors"
    if "filename" in config:
        config["filename"] = folder / config["filename"]
    if "schedule" in config:
        config["schedule"] = FUNCTIONS[config["schedule"]]
    return getattr(callbacks, case["class"])(**config)


def epochs(callback, model, case, first=0):
    """Show it the results of the epochs from this one on; the learning rate after each."""
    for epoch, value in list(enumerate(case["values"]))[first:]:
        callback.on_epoch_begin(epoch)
        for batch in range(BATCHES):
            callback.on_train_batch_begin(batch)
            callback.on_train_batch_end(batch, {"loss": 1.0})
        callback.on_epoch_end(epoch, {"loss": 2 * value, case["monitor"]: value})
        yield float(model.optimizer.learning_rate)
        if model.stop_training:
            break


def started(case, folder, model=None):
    callback, model = made(case, folder), model or Model()
    if case["monitor"] == "accuracy" and case["config"].get("mode") is None:
        model.metrics = [lstmc.metrics.SparseCategoricalAccuracy(name="accuracy")]
    callback.set_model(model)
    callback.on_train_begin()
    return callback, model


@pytest.mark.parametrize("case", cases(), ids=lambda c: "-".join([c["class"], *c["config"]]))
def test_as_keras(case, tmp_path):
    callback, model = started(case, tmp_path)
    assert list(epochs(callback, model, case)) == pytest.approx(case["rates"], rel=1e-12)
    callback.on_train_end()
    assert model.saved == case["saved"]
    if case["text"] is not None:
        assert (tmp_path / "log.csv").read_bytes().decode() == case["text"]


@pytest.mark.parametrize("case", [c for c in cases() if c["class"] not in ("LearningRateScheduler", "CSVLogger")],
                         ids=lambda c: "-".join([c["class"], *c["config"]]))
def test_state_survives_a_restart_at_any_epoch(case, tmp_path):
    for stop in range(1, len(case["rates"])):
        callback, model = started(case, tmp_path)
        before = list(itertools.islice(epochs(callback, model, case), stop))
        state = json.loads(json.dumps(callback.get_state()))
        other, _ = started(case, tmp_path, model)
        other.set_state(state)
        assert before + list(epochs(other, model, case, stop)) == pytest.approx(case["rates"], rel=1e-12)
        assert model.saved == case["saved"]


def test_early_stopping_keeps_its_best_weights_in_its_state():
    model, callback = Model(), callbacks.EarlyStopping("loss", patience=1, restore_best_weights=True)
    callback.set_model(model)
    callback.on_train_begin()
    callback.on_epoch_end(0, {"loss": 1.0})
    state = callback.get_state()
    assert [w.tolist() for w in state["best_weights"]] == [[0, 0]]
    other = callbacks.EarlyStopping("loss", patience=1, restore_best_weights=True)
    other.set_model(model)
    other.on_train_begin()
    other.set_state(state)
    other.on_epoch_end(1, {"loss": 2.0})
    assert model.stop_training
    other.on_train_end()
    assert model.saved == [state["best_weights"]]


@pytest.mark.parametrize("state", [{}, {"wait": 1}, {"wait": 0, "best": 1.0, "cooldown_counter": 0, "more": 1}, None])
def test_a_state_of_something_else_is_refused(state):
    with pytest.raises(ValueError, match=r"state: expected the state of ReduceLROnPlateau \(wait, best, cooldown_counter\), received"):
        callbacks.ReduceLROnPlateau().set_state(state)


# Files ------------------------------------------------------------------------------------------------------

def test_checkpoints_of_a_model(tmp_path, capsys):
    model, x, y, _ = build("last")
    seen = []
    record = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(b"".join(w.tobytes() for w in model.get_weights())))
    save = callbacks.ModelCheckpoint(tmp_path / "new folder" / "{epoch:02d}-{loss:.2f}.safetensors", verbose=1)
    history = model.fit(x, y, epochs=3, verbose=0, callbacks=[save, record]).history["loss"]
    paths = [tmp_path / "new folder" / f"{n + 1:02d}-{loss:.2f}.safetensors" for n, loss in enumerate(history)]
    assert sorted(paths[0].parent.iterdir()) == paths
    assert [b"".join(w.tobytes() for w in lstmc.load(path).get_weights()) for path in paths] == seen
    assert capsys.readouterr().out.startswith(f"\nEpoch 1: saving model to {paths[0]}\n\nEpoch 1: finished saving model to {paths[0]}\n\nEpoch 2")


def test_best_checkpoints_say_so(tmp_path, capsys):
    model = Model()
    save = callbacks.ModelCheckpoint(str(tmp_path / "best.safetensors"), "loss", 1, save_best_only=True, save_weights_only=True)
    save.set_model(model)
    for epoch, loss in enumerate((0.5, 0.75, 0.25)):
        save.on_epoch_end(epoch, {"loss": loss})
    assert model.saved == ["weights of best.safetensors"] * 2
    lines = [line for line in capsys.readouterr().out.splitlines() if line and "finished" not in line]
    assert lines == [f"Epoch 1: loss improved from None to 0.50000, saving model to {tmp_path / 'best.safetensors'}",
                     "Epoch 2: loss did not improve from 0.50000",
                     f"Epoch 3: loss improved from 0.50000 to 0.25000, saving model to {tmp_path / 'best.safetensors'}"]
    with pytest.warns(UserWarning, match="ModelCheckpoint: 'loss' is not among the results: accuracy"):
        save.on_epoch_end(3, {"accuracy": 1.0})
    assert len(model.saved) == 3


def test_a_csv_file_can_be_gone_on_with(tmp_path):
    path = tmp_path / "log.csv"
    for append, logs in ((False, {"loss": 1.0}), (True, {"loss": 0.5, "other": np.array([1, 2])}), (True, {"loss": "a,b"})):
        log = callbacks.CSVLogger(path, append=append)
        log.on_train_begin()
        log.on_epoch_end(0, logs)
    assert path.read_text().splitlines() == ["epoch,loss,val_loss", "0,1.0,NA", '0,0.5,"""[1, 2]""",NA,NA', '0,"a,b",NA']
    anew = callbacks.CSVLogger(path)
    anew.on_train_begin()
    anew.on_epoch_begin(0)
    assert path.read_bytes() == b""


@pytest.mark.parametrize("callback", [callbacks.EarlyStopping, callbacks.ReduceLROnPlateau, callbacks.ModelCheckpoint])
def test_a_result_of_several_numbers_is_not_monitored(callback, tmp_path):
    model, one = Model(), callback(**{"filepath": tmp_path / "a.safetensors", "save_best_only": True} if callback is callbacks.ModelCheckpoint else {},
                                   monitor="f1_score")
    one.set_model(model)
    one.on_train_begin()
    with pytest.raises(ValueError, match=r"monitor: expected a result that is one number, received 'f1_score' of 3; .*average='macro'"):
        one.on_epoch_end(0, {"loss": 1.0, "f1_score": np.ones(3)})


# Hooks ------------------------------------------------------------------------------------------------------

def test_functions_of_logs_are_given_logs():
    model, x, y, _ = build("last")
    seen = []
    spy = callbacks.LambdaCallback(on_train_begin=lambda logs: seen.append(logs), on_epoch_begin=lambda epoch, logs: seen.append((epoch, logs)),
                                   on_train_batch_begin=lambda batch, logs: seen.append((batch, logs)))
    model.fit(x, y, callbacks=spy, verbose=0)
    assert seen == [{}, (0, {}), (0, {})]


def test_the_old_names_of_batch_hooks():
    class Old(callbacks.Callback):
        def on_batch_end(self, batch, logs=None):
            seen.append((batch, sorted(logs)))

    seen = []
    model, x, y, _ = build("last")
    model.fit(x, y, batch_size=8, callbacks=[Old()], verbose=0)
    assert seen == [(0, ["accuracy", "loss"]), (1, ["accuracy", "loss"])]


def test_a_list_of_callbacks_in_a_loop_of_ones_own():
    calls, model = [], Model()
    spy = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: calls.append((epoch, logs)))
    several = callbacks.CallbackList([spy], model=model, add_history=True, epochs=2)
    other = callbacks.LambdaCallback(on_train_end=lambda logs: calls.append(logs))
    several.append(other)
    several.on_train_begin()
    several.on_epoch_begin(0)
    several.on_epoch_end(0, logs={"loss": 1.0})
    several.on_epoch_end(1, {"loss": 0.5})
    several.on_epoch_end(epoch=2, logs={"loss": 0.25})
    several.on_train_end()
    assert calls == [(0, {"loss": 1.0}), (1, {"loss": 0.5}), (2, {"loss": 0.25}), {}]
    assert several.callbacks[1].history == {"loss": [1.0, 0.5, 0.25]}
    for hook in callbacks.HOOKS:
        assert str(inspect.signature(getattr(several, hook))) == str(inspect.signature(getattr(callbacks.Callback(), hook)))
    assert spy.params == other.params == {"epochs": 2}
    with pytest.raises(TypeError, match=r"callbacks: expected lstmc\.callbacks\.Callback objects, received function"):
        several.append(build)


def test_rates_of_a_training_reach_the_history(capsys):
    model, x, y, _ = build("last")
    history = model.fit(x, y, epochs=3, verbose=0, callbacks=[
        callbacks.LearningRateScheduler(lambda epoch: 0.1 / (1 + epoch), verbose=1),
        callbacks.ReduceLROnPlateau("loss", mode="max", min_delta=10, patience=1, factor=0.5, verbose=1),
    ]).history
    assert history["learning_rate"] == pytest.approx([0.1, 0.05, 0.1 / 3])
    assert capsys.readouterr().out == ("\nEpoch 1: LearningRateScheduler setting learning rate to 0.1.\n"
                                       "\nEpoch 2: LearningRateScheduler setting learning rate to 0.05.\n"
                                       "\nEpoch 2: ReduceLROnPlateau reducing learning rate to 0.025.\n"
                                       f"\nEpoch 3: LearningRateScheduler setting learning rate to {0.1 / 3}.\n"
                                       f"\nEpoch 3: ReduceLROnPlateau reducing learning rate to {0.1 / 3 * 0.5}.\n")
    model.compile(optimizers.SGD(schedules.ExponentialDecay(0.1, 10, 0.9)), model.loss)
    with pytest.raises(TypeError, match=r"learning_rate: expected none, since this optimizer was made with a schedule"):
        model.fit(x, y, verbose=0, callbacks=[callbacks.LearningRateScheduler(lambda epoch: 0.1)])


# Messages ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("make", "error", "message"), [
    (lambda: callbacks.ModelCheckpoint("best.keras"), ValueError, r"filepath: expected a name that ends in \.safetensors.*, received 'best\.keras'"),
    (lambda: callbacks.ModelCheckpoint("best.h5"), ValueError, r"filepath: expected a name that ends in \.safetensors"),
    (lambda: callbacks.ModelCheckpoint(Path("a.weights.h5"), save_weights_only=True), ValueError, r"ends in \.safetensors.* received 'a\.weights\.h5'"),
    (lambda: callbacks.ModelCheckpoint("{val_los:.2f}.safetensors").path({"epoch": 1, "val_loss": 1.0}), ValueError,
     "filepath: expected names from epoch, val_loss in braces, .*'val_los'"),
    (lambda: callbacks.ModelCheckpoint("{epoch:q}.safetensors").path({"epoch": 1}), ValueError, "filepath: expected names from epoch"),
    (lambda: callbacks.ModelCheckpoint("a.safetensors", save_freq="batch"), ValueError, "save_freq: expected 'epoch' or a number of batches"),
    (lambda: callbacks.ModelCheckpoint("a.safetensors", save_freq=0), ValueError, "save_freq: expected at least 1"),
    (lambda: callbacks.ModelCheckpoint("a.safetensors", mode="least"), ValueError, "mode: expected 'auto', 'min' or 'max'"),
    (lambda: callbacks.ReduceLROnPlateau(factor=1.0), ValueError, "factor: expected at least 0 and below 1"),
    (lambda: callbacks.ReduceLROnPlateau(min_lr=-1), ValueError, "min_lr: expected at least 0"),
    (lambda: callbacks.LearningRateScheduler(0.1), TypeError, "schedule: expected a function"),
    (lambda: rate(lambda epoch: None), TypeError, "schedule: its result: expected a number, received NoneType"),
    (lambda: rate(lambda epoch, rate: math.nan), ValueError, "schedule: its result: expected a finite number"),
    (lambda: callbacks.CSVLogger("a.csv", separator="::"), ValueError, "separator: expected one character"),
    (lambda: callbacks.LambdaCallback(on_epoch=print), TypeError, "LambdaCallback: expected hooks from"),
])  # fmt: skip
def test_messages(make, error, message):
    with pytest.raises(error, match=message):
        make()


def rate(function):
    callback = callbacks.LearningRateScheduler(function)
    callback.set_model(Model())
    callback.on_epoch_begin(0)
