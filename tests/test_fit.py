"""The loop: order of batches and hooks, callbacks, progress, results, and the errors of wrong arguments."""

import os
import subprocess
import sys

import numpy as np
import pytest

from lstmc import callbacks
from recipes import LABELS, SPARSE, X, bits, build


def test_shuffling_and_steps_per_epoch():
    model, x, _, _ = build("last")
    seen = []
    model._train = lambda batch: seen.append(batch.y[0].tolist())
    ids = np.arange(11) % 4
    model.fit(x, ids, batch_size=4, epochs=2, verbose=0)
    assert [len(b) for b in seen] == [4, 4, 3] * 2
    first, second = ([label for b in part for label in b] for part in (seen[:3], seen[3:]))
    assert sorted(first) == sorted(second) == sorted(ids)
    assert first != second
    seen.clear()
    three = [[0, 1, 2, 3], [0, 1, 2, 3], [0, 1, 2]]
    with pytest.warns(UserWarning, match="x ran out of data before the epoch had its steps"):
        model.fit(x, ids, batch_size=4, epochs=3, steps_per_epoch=2, shuffle=False, verbose=0)
    assert seen == [*three, *three[:2]]     # Keras: an epoch goes on where the one before stopped, and ends where the data do
    seen.clear()
    model.fit(x, ids, epochs=2, steps_per_epoch=2, shuffle=False, verbose=0)
    assert [len(b) for b in seen] == [6, 5, 6, 5]       # without a batch size the steps make a pass


def test_callbacks_are_called_in_order():
    model, x, y, _ = build("last")
    calls = []
    spy = callbacks.LambdaCallback(**{hook: lambda *a, hook=hook: calls.append(hook.removeprefix("on_")) for hook in callbacks.HOOKS})
    history = model.fit(x, y, batch_size=8, epochs=4, initial_epoch=3, validation_data=(x[:3], y[:3]), callbacks=[spy], verbose=0)
    batch = ["train_batch_begin", "train_batch_end"]
    test = ["test_begin", "test_batch_begin", "test_batch_end", "test_end"]
    assert calls == ["train_begin", "epoch_begin", *batch, *batch, *test, "epoch_end", "train_end"]
    assert history.epoch == [3]
    assert history.params == {"verbose": 0, "epochs": 4, "steps": 2}
    assert model.history is history
    calls.clear()
    model.evaluate(x[:3], y[:3], callbacks=spy, verbose=0)
    model.predict(x, batch_size=8, callbacks=spy, verbose=0)
    predict = ["predict_batch_begin", "predict_batch_end"]
    assert calls == [*test, "predict_begin", *predict, *predict, "predict_end"]


def test_early_stopping():
    model, x, y, _ = build("last")
    model.optimizer.learning_rate = 5.0
    stop = callbacks.EarlyStopping("loss", patience=2, restore_best_weights=True)
    weights = []
    keep = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: weights.append(bits(model)))
    history = model.fit(x, y, epochs=50, callbacks=[stop, keep], verbose=0).history["loss"]
    best = int(np.argmin(history))
    assert len(history) == best + 3 < 50
    assert stop.best == min(history)
    assert bits(model) == weights[best]
    with pytest.warns(UserWarning, match="'val_loss' is not among the results: accuracy, loss"):
        model.fit(x, y, callbacks=[callbacks.EarlyStopping()], verbose=0)
    add = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(lr=1.0))
    with pytest.raises(ValueError, match="mode: expected 'min' or 'max' for 'lr', of which it is not known"):
        model.fit(x, y, epochs=2, callbacks=[add, callbacks.EarlyStopping("lr")], verbose=0)


def test_terminate_on_nan(capsys):
    model, x, y, _ = build("last")
    x = x.copy()
    x[:] = np.nan
    history = model.fit(x, y, batch_size=2, epochs=3, callbacks=[callbacks.TerminateOnNaN()], verbose=0)
    assert history.epoch == [0]
    assert capsys.readouterr().out == "Batch 0: the loss is nan, stopping training\n"
    with pytest.raises(RuntimeError, match="the loss is nan"):
        model.fit(x, y, callbacks=[callbacks.TerminateOnNaN(raise_error=True)], verbose=0)


def test_progress(capsys, monkeypatch):
    model, x, y, _ = build("last")
    model.fit(x, y, epochs=2, verbose=0)
    assert capsys.readouterr().out == ""
    model.fit(x, y, epochs=2, validation_data=(x, y))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("Epoch 1/2 - 1/1 - 0.")
    assert [part.split(":")[0] for part in lines[1].split(" - ")[3:]] == ["accuracy", "loss", "val_accuracy", "val_loss"]
    monkeypatch.setattr("lstmc.training.progress.INTERVAL", 0)
    model.fit(x, y, batch_size=4, epochs=2, verbose=1)
    out = capsys.readouterr().out
    assert out.count("\n") == 2
    assert out.count("\r") == 2 * 4
    model.evaluate(x, y, verbose=2)
    model.predict(x, verbose=2)
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_results():
    model, x, y, _ = build("last")
    loss, accuracy = model.evaluate(x, y, verbose=0)
    assert model.metrics_names == ["loss", "accuracy"]
    assert model.evaluate(x, y, verbose=0, return_dict=True) == {"accuracy": accuracy, "loss": loss}
    assert model.test_on_batch(x, y) == [loss, accuracy]
    p = model.predict_on_batch(x)
    assert p.dtype == np.float32
    assert np.array_equal(model(x), p)
    assert accuracy == (p.argmax(1) == y).mean()
    assert loss == pytest.approx(-np.log(p[np.arange(11), y]).mean(), rel=1e-6)
    assert model.predict(x[:0], verbose=0).shape == (0, 4)
    assert model.train_on_batch(x, y)[0] == pytest.approx(loss)
    model.compile("sgd", SPARSE)
    assert isinstance(model.evaluate(x, y, verbose=0), float)


@pytest.mark.parametrize(("arguments", "error", "message"), [
    ({"y": LABELS[:10]}, ValueError, "y: expected 11 entries, one per sample of x, received 10"),
    ({"y": LABELS + 1}, ValueError, "y: expected labels from 0 to 3 for 4 outputs, received values from 1 to 4"),
    ({"y": None}, ValueError, "y: expected targets, received None"),
    ({"y": LABELS.astype(str)}, TypeError, "y: expected numbers, received dtype <U[0-9]*: text; labels, y = numpy.unique"),
    ({"x": X[:, 0]}, ValueError, r"input_layer: expected input of shape \(batch, 6, 3\), received \(11, 3\)"),
    ({"x": X[:, :, :2]}, ValueError, r"input_layer: expected input of shape \(batch, 6, 3\), received \(11, 6, 2\)"),
    ({"x": X[:, :5]}, ValueError, r"input_layer: expected input of shape \(batch, 6, 3\), received \(11, 5, 3\)"),
    ({"x": X.astype(complex)}, TypeError, "x: expected real numbers, received dtype complex128"),
    ({"x": X.astype(object)}, TypeError, "x: expected numbers, received dtype object"),
    ({"x": [[[1, 2, 3]], [[1, 2], [3, 1]]]}, ValueError, r"x\[1\]: expected a sequence of entries of shape \(3,\), received shape \(2, 2\)"),
    ({"x": X[:0], "y": LABELS[:0]}, ValueError, "x: expected at least one sample"),
    ({"batch_size": 0}, ValueError, "batch_size: expected at least 1"),
    ({"epochs": 1.5}, TypeError, "epochs: expected an int"),
    ({"validation_split": 1.0}, ValueError, "validation_split: expected 0 or a fraction below 1"),
    ({"validation_split": 0.99}, ValueError, "validation_split: expected to leave samples on both sides"),
    ({"validation_data": X}, ValueError, r"validation_data: expected \(x, y\)"),
    ({"validation_data": (X, LABELS[:3])}, ValueError, "y: expected 11 entries"),
    ({"sample_weight": np.ones(5)}, ValueError, r"sample_weight: expected shape \(11,\)"),
    ({"class_weight": [1, 2]}, TypeError, "class_weight: expected a dict"),
    ({"class_weight": {0: 1}, "sample_weight": np.ones(11)}, ValueError, "sample_weight: expected None together with class_weight"),
    ({"callbacks": [print]}, TypeError, "callbacks: expected lstmc.callbacks.Callback objects"),
    ({"verbose": 3}, ValueError, "verbose: expected 0, 1, 2 or 'auto'"),
    ({"steps_per_epoch": 0}, ValueError, "steps_per_epoch: expected at least 1"),
])  # fmt: skip
def test_wrong_arguments_of_fit(arguments, error, message):
    model, x, y, _ = build("last")
    before = bits(model)
    with pytest.raises(error, match=message):
        model.fit(**{"x": x, "y": y, "verbose": 0, **arguments})
    assert bits(model) == before


FIT = """
import os, sys, threading
import os
import subprocess
import sys

import numpy as np
from recipes import build
from lstmc import callbacks
model, x, y, fit = build("last")
{}
stop = callbacks.EarlyStopping("loss", min_delta=100, patience=1, verbose=1, restore_best_weights=True)
history = model.fit(x, y, epochs=5, callbacks=[stop])
model.evaluate(x, y)
model.predict(x, verbose=1)
model.layers[1].set_weights([w * np.nan for w in model.layers[1].get_weights()])
model.fit(x, y, callbacks=[callbacks.TerminateOnNaN()], verbose=1)
sys.stderr.write(f"{{len(history.epoch)}} epochs")
sys.stderr.flush()
os._exit(0)     # without the interpreter's own attempt to write what is left
"""


@pytest.mark.parametrize("lost", [
    "sys.stdout = None",
    "sys.stdout.close()",
    "os.close(1)",
    "r, w = os.pipe(); os.dup2(w, 1); os.close(w); os.close(r)",
    "class Full:\n    isatty = bool\n    def write(self, text): raise OSError(28, 'No space left on device')\nsys.stdout = Full()",
    "sys.stdout = open(os.devnull, 'w', encoding='ascii')\nmodel.compile('adam', model.loss, [type('µ', (), {'__call__': lambda self, y, p: y})()])",
], ids=["None", "closed", "descriptor closed", "no reader", "full", "no such character"])
def test_fit_goes_on_without_a_standard_output(lost):
    done = subprocess.run([sys.executable, "-c", FIT.format(lost)], capture_output=True, text=True, timeout=120, cwd=os.path.dirname(__file__))
    assert (done.returncode, done.stderr) == (0, "2 epochs")
