"""BackupAndRestore: a `fit` that was killed goes on in another process to the weights and the history of one that was not."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

import lstmc
from lstmc import Model, Sequential, callbacks
from lstmc.layers import GRU, LSTM, Dense, Dropout, Input

pytestmark = pytest.mark.once

PROGRAM = '''
import json, os, signal, sys
import numpy as np
import lstmc
from lstmc import callbacks
from lstmc.layers import GRU, Dense, Dropout, Input, LSTM
backup, kill_at, kind = sys.argv[1], int(sys.argv[2]), sys.argv[3]
lstmc.utils.set_random_seed(int(sys.argv[4]))       # another one in the process that goes on: what was drawn comes from the backup
rng = np.random.default_rng(0)
x, y = rng.normal(size=(50, 5, 2)), rng.integers(0, 3, 50)
model = lstmc.Sequential([Input((5, 2)), GRU(6, dropout=0.2, recurrent_dropout=0.1, return_sequences=True), Dropout(0.3), LSTM(5), Dense(3, "softmax")])
model.compile(lstmc.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
seen = []
def kill(batch, logs):
    seen.append(batch)
    if len(seen) == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)
series = lstmc.utils.timeseries_dataset_from_array(x[:, 0], y, 5, batch_size=8, shuffle=True, seed=3)
steps = {"steps": 4}.get(kind)
arguments = {"windows": {"x": series}}.get(kind, {"x": x, "y": y, "batch_size": 8, "steps_per_epoch": steps, "validation_split": 0.2})
# The one that kills comes after: its batch is written.
history = model.fit(**arguments, epochs=5, verbose=0, callbacks=[
    callbacks.EarlyStopping("loss", patience=4, restore_best_weights=True), callbacks.BackupAndRestore(backup, 2),
    callbacks.LambdaCallback(on_train_batch_end=kill)])
print(json.dumps({"weights": [w.tobytes().hex() for w in model.get_weights()], "history": history.history, "epochs": history.epoch, "batches": len(seen)}))
'''


def run(folder, kill_at, kind, seed):
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, str(folder), str(kill_at), kind, str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if kill_at:
        assert done.returncode == -signal.SIGKILL, done.stderr
        return None
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(("kind", "kills"), [("plain", (3, 11)), ("steps", (7,)), ("windows", (9, 4))])
def test_killed_and_gone_on(kind, kills, tmp_path):
    whole = run(tmp_path / "whole", 0, kind, 1)
    assert not os.listdir(tmp_path / "whole")
    for n, at in enumerate(kills):
        run(tmp_path / "killed", at, kind, 1 + n)
    assert (tmp_path / "killed" / "backup.safetensors").exists()
    rest = run(tmp_path / "killed", 0, kind, 9)
    assert 0 < rest.pop("batches") < whole.pop("batches")
    assert rest == whole
    assert not os.listdir(tmp_path / "killed")


def small(seed=None):
    model = Sequential([Input((4, 2)), LSTM(3, seed=seed, dropout=0.2), Dense(1, seed=seed)])
    model.compile("adam", "mse")
    return model


X, Y = np.ones((12, 4, 2)), np.ones(12)


class Stop(callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        raise InterruptedError


def interrupted(model, folder, **arguments):
    with pytest.raises(InterruptedError):
        model.fit(X, Y, batch_size=4, verbose=0, callbacks=[callbacks.BackupAndRestore(folder, 1), Stop()], **arguments)


def test_a_backup_of_another_model_is_refused(tmp_path):
    interrupted(small(), tmp_path)
    assert type(lstmc.load(tmp_path / "backup.safetensors")) is Sequential
    other = Sequential([Input((4, 2)), GRU(3), Dense(1)])
    other.compile("adam", "mse")
    other.build()
    for model, message in ((other, "expected a backup of this model"), (small(), "callbacks: expected Stop beside BackupAndRestore")):
        before = model.get_weights()
        with pytest.raises(ValueError, match=message):
            model.fit(X, Y, verbose=0, callbacks=[callbacks.BackupAndRestore(tmp_path)])
        if model is other:
            assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    model = small()
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="expected the optimizer of the backup, Adam, received SGD"):
        model.fit(X, Y, verbose=0, callbacks=[callbacks.BackupAndRestore(tmp_path)])
    small().save(tmp_path / "backup.safetensors")
    with pytest.raises(ValueError, match="received a model that was saved without the progress"):
        small().fit(X, Y, verbose=0, callbacks=[callbacks.BackupAndRestore(tmp_path)])
    (tmp_path / "backup.safetensors").write_bytes(b"nothing")
    with pytest.raises(lstmc.FormatError):
        small().fit(X, Y, verbose=0, callbacks=[callbacks.BackupAndRestore(tmp_path)])


def test_kept_if_asked_and_states_go_along(tmp_path):
    def model():
        a = Input(batch_shape=(4, 4, 2))
        found = Model(a, Dense(1, seed=2)(Dropout(0.5, seed=3)(LSTM(3, stateful=True, seed=1)(a))))
        found.compile("sgd", "mse")
        found.shuffle_seed = 3
        return found

    whole = model()
    whole.fit(X, Y, batch_size=4, shuffle=False, verbose=0, epochs=2)
    part = model()
    interrupted(part, tmp_path, shuffle=False, epochs=2)
    again = model()

    class Go(callbacks.Callback):
        pass

    Go.__name__ = "Stop"
    again.fit(X, Y, batch_size=4, shuffle=False, verbose=0, epochs=2, callbacks=[callbacks.BackupAndRestore(tmp_path, 1, delete_checkpoint=False), Go()])
    assert all(np.array_equal(a, b) for a, b in zip(whole.get_weights(), again.get_weights(), strict=True))
    assert (tmp_path / "backup.safetensors").exists()


def test_files_and_curves_know_the_epochs_before(tmp_path):
    class Kill(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == kill:
                raise InterruptedError

    def fit(folder, file):
        log = callbacks.CSVLogger(tmp_path / file)
        return small(1).fit(X, Y, epochs=4, verbose=0, validation_split=0.5, validation_freq=2, callbacks=[callbacks.BackupAndRestore(folder), log, Kill()])

    (tmp_path / "b").write_text("of another run\n")
    kill = None
    whole = fit(tmp_path / "whole", "a")
    kill = 2            # its line is written, and the epoch not in the backup
    with pytest.raises(InterruptedError):
        fit(tmp_path / "killed", "b")
    kill = None
    rest = fit(tmp_path / "killed", "b")
    assert (tmp_path / "a").read_text() == (tmp_path / "b").read_text()
    assert len((tmp_path / "a").read_text().splitlines()) == 5
    assert rest.places == whole.places == {"loss": [0, 1, 2, 3], "val_loss": [1, 3]}


@pytest.mark.parametrize(("arguments", "error", "message"), [
    ((3,), TypeError, "backup_dir: expected a directory's name, received int"),
    (("",), ValueError, "backup_dir: expected a directory's name, received an empty one"),
    (("a", 0), ValueError, "save_freq: expected at least 1"),
    (("a", "batch"), TypeError, "save_freq: expected an int"),
])
def test_wrong_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        callbacks.BackupAndRestore(*arguments)
