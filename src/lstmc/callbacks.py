"""Callbacks by Keras' names: what runs between epochs and batches of `fit`, `evaluate` and `predict`."""

import math
import operator
import warnings

from lstmc import names
from lstmc.console import say, verbosity
from lstmc.nn import checks


class Callback:
    """Base class: override the hooks of interest.

    Attributes
    ----------
    model : lstmc.Sequential
        Setting `model.stop_training = True` ends training after the current batch.
    params : dict
        `epochs`, `steps` and `verbose` of the call.
    """

    model = None
    params = None

    def get_state(self):
        """What `set_state` needs to go on in another process, after `on_train_begin`: JSON types and arrays."""
        return {}

    def set_state(self, state):
        """Go on from a state of `get_state`."""

    def set_model(self, model):
        """Called before the first hook."""
        self.model = model

    def set_params(self, params):
        """Called before the first hook."""
        self.params = params

    def on_train_begin(self, logs=None):
        """Before the first epoch of `fit`."""

    def on_train_end(self, logs=None):
        """After the last epoch of `fit`."""

    def on_epoch_begin(self, epoch, logs=None):
        """Before an epoch; epochs count from 0."""

    def on_epoch_end(self, epoch, logs=None):
        """After an epoch and its validation; logs holds all results, those of validation with a val_ prefix."""

    def on_train_batch_begin(self, batch, logs=None):
        """Before a batch of `fit`."""

    def on_train_batch_end(self, batch, logs=None):
        """After a batch of `fit`; logs holds the means of the epoch so far."""

    def on_test_begin(self, logs=None):
        """Before `evaluate`, also as validation in `fit`."""

    def on_test_end(self, logs=None):
        """After `evaluate`."""

    def on_test_batch_begin(self, batch, logs=None):
        """Before a batch of `evaluate`."""

    def on_test_batch_end(self, batch, logs=None):
        """After a batch of `evaluate`."""

    def on_predict_begin(self, logs=None):
        """Before `predict`."""

    def on_predict_end(self, logs=None):
        """After `predict`."""

    def on_predict_batch_begin(self, batch, logs=None):
        """Before a batch of `predict`."""

    def on_predict_batch_end(self, batch, logs=None):
        """After a batch of `predict`; logs["outputs"] holds its output."""


HOOKS = tuple(name for name in vars(Callback) if name.startswith("on_"))


class CallbackList:
    """Calls every hook of several callbacks, in order."""

    def __init__(self, callbacks, model, params):
        self.callbacks = [] if callbacks is None else list(callbacks) if isinstance(callbacks, (list, tuple)) else [callbacks]
        for c in self.callbacks:
            if not isinstance(c, Callback):
                raise TypeError(f"callbacks: expected lstmc.callbacks.Callback objects, received {type(c).__name__}")
            c.set_params(params)
            c.set_model(model)

    def call(self, hook, *arguments):
        """Call the hook of this name on all."""
        for c in self.callbacks:
            getattr(c, hook)(*arguments)


class History(Callback):
    """What `fit` returns: `history`, name -> one value per epoch; `epoch`, their numbers; `params`."""

    def __init__(self):
        self.history, self.epoch = {}, []

    def on_train_begin(self, logs=None):
        self.epoch = []

    def on_epoch_end(self, epoch, logs=None):
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)


class LambdaCallback(Callback):
    """A callback from functions.

    Parameters
    ----------
    **hooks : callable
        By hook name, such as ``on_epoch_end=lambda epoch, logs: print(logs)``.
    """

    def __init__(self, **hooks):
        for name, function in hooks.items():
            if name not in HOOKS:
                raise TypeError(f"LambdaCallback: expected hooks from {', '.join(HOOKS)}, received {name!r}")
            if function is not None:
                if not callable(function):
                    raise TypeError(f"{name}: expected a function, received {type(function).__name__}")
                setattr(self, name, function)


class EarlyStopping(Callback):
    """Stop when a result has not improved for some epochs.

    Parameters
    ----------
    monitor : str
        Name in the epoch's logs.
    min_delta : float
        Smallest change that counts.
    patience : int
        Epochs without improvement after which training stops.
    verbose : int
        1 prints when it acts.
    mode : {"auto", "min", "max"}
        auto goes by the metric: accuracies up, losses and errors down.
    baseline : float, optional
        Improvements count only beyond it.
    restore_best_weights : bool
        Whether to go back to the weights of the best epoch at the end.
    start_from_epoch : int
        Epochs before this one are ignored.
    """

    def __init__(self, monitor="val_loss", min_delta=0, patience=0, verbose=0, mode="auto", baseline=None,
                 restore_best_weights=False, start_from_epoch=0):
        if not isinstance(mode, str) or mode not in ("auto", "min", "max"):
            raise ValueError(f"mode: expected 'auto', 'min' or 'max', received {mode!r}")
        if not isinstance(monitor, str):
            raise TypeError(f"monitor: expected a name among the results, received {type(monitor).__name__}")
        self.monitor, self.min_delta, self.patience = monitor, abs(checks.number(min_delta, "min_delta")), checks.integer(patience, "patience", 0)
        self.verbose, self.mode = verbosity(verbose), mode
        self.baseline = None if baseline is None else checks.number(baseline, "baseline")
        self.restore_best_weights = checks.flag(restore_best_weights, "restore_best_weights")
        self.start_from_epoch = checks.integer(start_from_epoch, "start_from_epoch", 0)
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best = self.best_weights = None

    def on_train_begin(self, logs=None):
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best = self.best_weights = None

    def on_epoch_end(self, epoch, logs=None):
        value = (logs or {}).get(self.monitor)
        if value is None:
            warnings.warn(f"EarlyStopping: {self.monitor!r} is not among the results: {', '.join(logs or {})}", stacklevel=2)
            return
        if epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self.best_epoch, self.best_weights = epoch, self.model.get_weights()
        self.wait += 1
        if self._better(value, self.best):
            self.best, self.best_epoch = value, epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.baseline is None or self._better(value, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def get_state(self):
        names = ("wait", "stopped_epoch", "best", "best_epoch", "best_weights")
        return {name: getattr(self, name) for name in names}

    def set_state(self, state):
        for name, value in state.items():
            setattr(self, name, value)

    def on_train_end(self, logs=None):
        if self.stopped_epoch and self.verbose:
            say(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.best_weights is not None:
            if self.verbose:
                say(f"Restoring model weights from the end of the best epoch: {self.best_epoch + 1}.")
            self.model.set_weights(self.best_weights)

    def _better(self, value, than):
        if than is None:
            return True
        down = self._direction() == "min"
        return operator.lt(value + self.min_delta, than) if down else operator.gt(value - self.min_delta, than)

    def _direction(self):
        if self.mode != "auto":
            return self.mode
        name = self.monitor.removeprefix("val_")
        directions = {m.name: m.direction for m in self.model.metrics} | {"loss": "down"}
        if directions.get(name) is None:
            raise ValueError(f"EarlyStopping: pass mode='min' or mode='max'; it is not known which is better for {self.monitor!r}")
        return "min" if directions[name] == "down" else "max"


class TerminateOnNaN(Callback):
    """Stop when the loss is NaN or infinite.

    Parameters
    ----------
    raise_error : bool
        Raise RuntimeError instead of ending training in order.
    """

    def __init__(self, raise_error=False):
        self.raise_error = checks.flag(raise_error, "raise_error")

    def on_train_batch_end(self, batch, logs=None):
        loss = (logs or {}).get("loss")
        if loss is not None and not math.isfinite(loss):
            if self.raise_error:
                raise RuntimeError(f"batch {batch}: the loss is {loss}")
            say(f"Batch {batch}: the loss is {loss}, stopping training")
            self.model.stop_training = True


__all__ = ["BackupAndRestore", "Callback", "CallbackList", "EarlyStopping", "History", "LambdaCallback", "TerminateOnNaN"]

__getattr__, __dir__ = names.face(__name__, __all__, {"BackupAndRestore": "lstmc.training.backup"})
