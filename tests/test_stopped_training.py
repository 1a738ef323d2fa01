"""Ctrl-C and losses that are not finite: training stops between two steps, or says which batch it was."""

import gc
import inspect
import itertools
import os
import signal
import sys
import threading
import warnings

import numpy as np
import pytest

from lstmc import callbacks, losses, optimizers, turn, whole
from lstmc.training import batches, interrupts
from recipes import LABELS, SPARSE, X, bits, build

pytestmark = pytest.mark.once


@pytest.fixture(autouse=True)
def _pythons_handler():
    """Python's own: a shell that runs the tests in the background has SIGINT ignored, and so has what it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)


class Interrupted(optimizers.SGD):
    """Gets Ctrl-C in step number `at`, before the weights are changed, where a handler runs."""

    at = 5

    def numbers(self, rate, decay, t):
        if t == self.at and not getattr(self, "done", False):
            self.done = True
            ctrl_c()
        return super().numbers(rate, decay, t)


class InterruptedLoss(losses.SparseCategoricalCrossentropy):
    calls = 0

    def values(self, y, p):
        self.calls += 1
        if self.calls == 5:
            ctrl_c()
        return super().values(y, p)


def five_steps():
    """(bits of the weights, results of the epoch that is whole) after 5 of 6 steps."""
    model, x, y, _ = build("last")
    model.compile(optimizers.SGD(0.1, 0.9), SPARSE, metrics=["accuracy"])

    def stop(batch, logs):
        model.stop_training = model.step == 5

    history = model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0, callbacks=[callbacks.LambdaCallback(on_train_batch_end=stop)])
    return bits(model), {name: values[:1] for name, values in history.history.items()}


@pytest.mark.parametrize(("optimizer", "loss"), [(Interrupted(0.1, 0.9), SPARSE), (optimizers.SGD(0.1, 0.9), InterruptedLoss())], ids=["update", "loss"])
def test_ctrl_c_leaves_the_model_of_a_whole_step(optimizer, loss):
    model, x, y, _ = build("last")
    model.compile(optimizer, loss, metrics=["accuracy"])
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0)
    assert signal.getsignal(signal.SIGINT) is before
    weights, history = five_steps()
    assert bits(model) == weights
    assert (model.step, model.optimizer.iterations) == (5, 5)
    assert model.history.history == history
    assert model.history.epoch == [0]
    model.fit(x, y, batch_size=4, epochs=1, verbose=0)      # and it can go on
    assert model.step == 8


def test_ctrl_c_in_train_on_batch():
    model, x, y, _ = build("last")
    model.compile(Interrupted(0.1, 0.9), SPARSE)
    other, _, _, _ = build("last")
    other.compile(optimizers.SGD(0.1, 0.9), SPARSE)
    for _ in range(4):
        model.train_on_batch(x, y)
        other.train_on_batch(x, y)
    other.train_on_batch(x, y)
    with pytest.raises(KeyboardInterrupt):
        model.train_on_batch(x, y)
    assert bits(model) == bits(other)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_reader_ahead_is_stopped():
    class Batches:
        def __len__(self):
            return 100

        def __getitem__(self, index):
            return X[:4], LABELS[:4]

    model, _, _, _ = build("last")
    model.compile(Interrupted(0.1, 0.9), SPARSE)
    with pytest.raises(KeyboardInterrupt):
        model.fit(Batches(), verbose=0)
    assert [t.name for t in threading.enumerate() if "lstmc" in t.name] == []


def test_a_reader_ahead_whose_beginning_is_stopped(monkeypatch):
    """Before anybody could have closed it."""
    start, begun = threading.Thread.start, []

    def stopped(thread):
        start(thread)
        if "lstmc" in thread.name:
            ctrl_c()
            begun.append(thread)        # a thread is started whole

    def read():
        found = batches.ahead(iter(range(100)))
        try:
            next(found)
        except KeyboardInterrupt:
            return True

    monkeypatch.setattr(threading.Thread, "start", stopped)
    assert read()
    begun[0].join(10)
    assert not begun[0].is_alive()


@pytest.mark.parametrize(("owner", "name", "call"), [
    (turn.Turn, "leave", lambda model, x, y: model.train_on_batch(x, y)),
    (whole.Reading, "__exit__", lambda model, x, y: model.get_weights()),
])
def test_what_a_stopped_thread_holds_is_free_when_its_frames_are_gone(owner, name, call, monkeypatch):
    """Ctrl-C at the moment at which it would have given it back."""
    model, x, y, _ = build("last")
    model.compile("sgd", SPARSE)
    with monkeypatch.context() as m:
        m.setattr(owner, name, lambda *_: ctrl_c())
        with pytest.raises(KeyboardInterrupt):
            call(model, x, y)
    gc.collect()
    found = []
    other = threading.Thread(target=lambda: found.append(model.train_on_batch(x, y)), daemon=True)
    other.start()
    other.join(30)
    assert len(found) == 1


def test_a_reader_ahead_whose_end_is_stopped():
    """Before it is told to end: it ends when the frame that would have told it is no more."""
    lines, first = inspect.getsourcelines(batches.ahead)
    end = first + next(n for n, line in enumerate(lines) if "over.append" in line)

    def stop(frame, event, argument):
        if frame.f_code is batches.ahead.__code__ and frame.f_lineno == end:
            raise KeyboardInterrupt
        return stop

    def read():
        sys.settrace(stop)
        try:
            found = batches.ahead(itertools.count())
            assert next(found) == 0
            with pytest.raises(KeyboardInterrupt):
                found.close()
        finally:
            sys.settrace(before)

    before = sys.gettrace()
    read()
    gc.collect()
    for thread in threading.enumerate():
        if "lstmc" in thread.name:
            thread.join(10)
    assert [t.name for t in threading.enumerate() if "lstmc" in t.name] == []


def test_ctrl_c_at_the_beginning_and_at_the_end_of_fit(monkeypatch):
    """Where a handler of its own is there already, or still."""
    model, x, y, _ = build("last")
    model.compile("sgd", SPARSE)
    before = signal.getsignal(signal.SIGINT)
    for owner, name in ((interrupts.Interrupts, "install"), (batches.Stream, "close")):
        real = getattr(owner, name)
        with monkeypatch.context() as m:
            m.setattr(owner, name, lambda *a, real=real: (real(*a), ctrl_c())[0])
            with pytest.raises(KeyboardInterrupt):
                model.fit(x, y, verbose=0)
        assert signal.getsignal(signal.SIGINT) is before
        assert model._fitting is None
        if name == "install":
            with monkeypatch.context() as m:
                m.setattr(owner, name, lambda *a, real=real: (real(*a), ctrl_c())[0])
                with pytest.raises(KeyboardInterrupt):
                    model.train_on_batch(x, y)
            assert signal.getsignal(signal.SIGINT) is before
    model.fit(x, y, verbose=0)


def test_a_second_ctrl_c_waits_no_longer(monkeypatch):
    monkeypatch.setattr(interrupts, "PATIENCE", 0)

    class Impatient(optimizers.SGD):
        def numbers(self, rate, decay, t):
            ctrl_c()
            ctrl_c()
            raise AssertionError

    model, x, y, _ = build("last")
    model.compile(Impatient(0.1), SPARSE)
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, verbose=0)


def test_handlers_of_the_caller(monkeypatch):
    calls = []
    mine = lambda number, frame: calls.append((number, model.step))  # noqa: E731
    before = signal.signal(signal.SIGINT, mine)
    try:
        model, x, y, _ = build("last")
        model.compile(Interrupted(0.1, 0.9), SPARSE)
        model.fit(x, y, batch_size=4, epochs=2, verbose=0)
        assert calls == [(signal.SIGINT, 5)]
        assert signal.getsignal(signal.SIGINT) is mine
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        model.compile(Interrupted(0.1, 0.9), SPARSE)
        model.fit(x, y, batch_size=4, epochs=2, verbose=0)
        assert model.step == 6
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
        replaced = callbacks.LambdaCallback(on_train_begin=lambda logs=None: signal.signal(signal.SIGINT, mine))
        signal.signal(signal.SIGINT, signal.default_int_handler)
        model.fit(x, y, callbacks=[replaced], verbose=0)
        assert signal.getsignal(signal.SIGINT) is mine
    finally:
        signal.signal(signal.SIGINT, before)


def test_another_thread_trains_without_handlers():
    model, x, y, _ = build("last")
    thread = threading.Thread(target=lambda: model.fit(x, y, verbose=0))
    thread.start()
    thread.join()
    assert model.history.epoch == [0]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


# A loss that is not finite --------------------------------------------------------------------------------------


def warned(model, *arguments, **more):
    """The message of the only warning of a fit."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        model.fit(*arguments, verbose=0, shuffle=False, batch_size=4, **more)
    assert [w.category for w in found] == [RuntimeWarning]
    assert found[0].filename == __file__
    return str(found[0].message)


def test_the_first_batch_whose_loss_is_not_finite():
    model, x, y, _ = build("last")
    x = x.copy()
    x[6, 2, 1] = np.nan
    x[9, 0, 0] = np.inf
    assert warned(model, x, y, epochs=2) == (
        "epoch 1, batch 1 (of 0, 1, ...): the loss is nan; x has NaN or infinite values in 1 of the 4 samples of this batch: leave these out or replace them. "
        "Training goes on; callbacks=[lstmc.callbacks.TerminateOnNaN()] stops it")
    model, x, y, _ = build("backwards-flat")
    y = y.copy()
    y[2:4, 0] = np.inf
    assert "epoch 1, batch 0 (of 0, 1, ...): the loss is inf; y has NaN or infinite values in 2 of the 4 samples" in warned(model, x, y)


def test_weights_that_have_grown_too_large():
    for optimizer, hint in ((optimizers.SGD(1e30), "a smaller learning_rate than 1e+30 or global_clipnorm=1.0 in"),
                            (optimizers.SGD(1e30, clipvalue=1e20), "a smaller learning_rate than 1e+30 in")):
        model, x, y, _ = build("backwards-flat")
        model.compile(optimizer, "mse")
        text = warned(model, x, y * 1e15, epochs=3)
        assert text.startswith("epoch 1, batch 1 ")
        assert f"x and y of this batch are finite, so the weights have grown too large: try {hint} the optimizer" in text


def test_terminate_on_nan_speaks_for_itself(capsys):
    model, x, y, _ = build("last")
    model.fit(x * np.nan, y, callbacks=[callbacks.TerminateOnNaN()], verbose=0)
    assert capsys.readouterr().out.startswith("Batch 0: the loss is nan")


def test_a_fit_within_a_fit():
    class Within(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                self.model.stop_training = stops
                inner.append(self.model.fit(x, y, epochs=3, verbose=0, callbacks=[callbacks.EarlyStopping("loss", min_delta=9)]))
                assert self.model.history.epoch == [0]       # the one around it
                with pytest.raises(RuntimeError, match="compile: expected a model that is not trained at present"):
                    self.model.compile("sgd", "mse")

    for stops in (False, True):
        (model, x, y, _), inner = build("last"), []
        history = model.fit(x, y, epochs=4, verbose=0, callbacks=[Within()])
        assert history is model.history
        assert history.epoch == list(range(2 if stops else 4))
        assert inner[0].epoch == [0, 1]
        assert model._fitting is None
    model.compile("sgd", "mse")
