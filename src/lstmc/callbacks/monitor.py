"""Callbacks that watch one result and act when it gets better, or does not."""

from typing import ClassVar

import numpy as np

from lstmc.callbacks.base import Callback
from lstmc.console import say, verbosity
from lstmc.nn import checks
from lstmc.warned import warn


class MonitorCallback(Callback):
    """Base class: which result, in which direction it is better, and the best so far.

    Parameters
    ----------
    monitor : str
        Name in the logs.
    mode : {"auto", "min", "max"}
        auto goes by the metric: accuracies up, losses and errors down.
    baseline : float, optional
        What is to be beaten first.
    min_delta : float
        Smallest change that counts.
    """

    def __init__(self, monitor="val_loss", mode="auto", baseline=None, min_delta=0):
        if not isinstance(mode, str) or mode not in ("auto", "min", "max"):
            raise ValueError(f"mode: expected 'auto', 'min' or 'max', received {mode!r}")
        if not isinstance(monitor, str):
            raise TypeError(f"monitor: expected a name among the results, received {type(monitor).__name__}")
        self.monitor, self.mode, self.best, self.min_delta = monitor, mode, baseline, abs(checks.number(min_delta, "min_delta"))

    def value(self, logs):
        """The result, or None with a warning if it is not there."""
        found = (logs or {}).get(self.monitor)
        if found is None:
            warn(f"{type(self).__name__}: {self.monitor!r} is not among the results: {', '.join(logs or {})}")
        if np.ndim(found):
            raise ValueError(f"monitor: expected a result that is one number, received {self.monitor!r} of {np.size(found)}; a metric of the mean is one, "
                             "as F1Score(average='macro')")
        return None if found is None else float(found)

    def better(self, value, than):
        """Whether `value` is better `than` another; anything is better than None."""
        down = self.direction() == "min"
        if than is None:
            return True
        return value + self.min_delta < than if down else value - self.min_delta > than

    def direction(self):
        """min or max: which results are better."""
        if self.mode != "auto":
            return self.mode
        name = self.monitor.removeprefix("val_")
        directions = self.model.directions()
        if directions.get(name) is None:
            raise ValueError(f"mode: expected 'min' or 'max' for {self.monitor!r}, of which it is not known which is better, received 'auto'")
        return "min" if directions[name] == "down" else "max"


class EarlyStopping(MonitorCallback):
    """Stop when a result has not improved for some epochs.

    Parameters
    ----------
    monitor, mode, min_delta
        See `MonitorCallback`.
    patience : int
        Epochs without improvement after which training stops.
    verbose : int
        1 prints when it acts.
    baseline : float, optional
        Improvements count only beyond it.
    restore_best_weights : bool
        Whether to go back to the weights of the best epoch at the end.
    start_from_epoch : int
        Epochs before this one are ignored.
    """

    kept: ClassVar = ("wait", "best", "best_epoch", "stopped_epoch", "best_weights")

    def __init__(self, monitor="val_loss", min_delta=0, patience=0, verbose=0, mode="auto", baseline=None,
                 restore_best_weights=False, start_from_epoch=0):
        super().__init__(monitor, mode, min_delta=min_delta)
        self.patience, self.verbose = checks.integer(patience, "patience", 0), verbosity(verbose)
        self.baseline = None if baseline is None else checks.number(baseline, "baseline")
        self.restore_best_weights = checks.flag(restore_best_weights, "restore_best_weights")
        self.start_from_epoch = checks.integer(start_from_epoch, "start_from_epoch", 0)
        EarlyStopping.on_train_begin(self)

    def on_train_begin(self, logs=None):
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best = self.best_weights = None

    def on_epoch_end(self, epoch, logs=None):
        value = self.value(logs)
        if value is None or epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self.best_epoch, self.best_weights = epoch, self.model.get_weights()
        self.wait += 1
        if self.better(value, self.best):
            self.best, self.best_epoch = value, epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.baseline is None or self.better(value, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs=None):
        if self.stopped_epoch and self.verbose:
            say(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.best_weights is not None:
            if self.verbose:
                say(f"Restoring model weights from the end of the best epoch: {self.best_epoch + 1}.")
            self.model.set_weights(self.best_weights)


class ReduceLROnPlateau(MonitorCallback):
    """Lower the learning rate when a result has not improved for some epochs; the logs get a learning_rate.

    Parameters
    ----------
    monitor, mode, min_delta
        See `MonitorCallback`.
    factor : float
        The new rate is the old one times this, below 1.
    patience : int
        Epochs without improvement after which the rate is lowered.
    verbose : int
        1 prints when it acts.
    cooldown : int
        Epochs after that which do not count.
    min_lr : float
        Smallest rate.
    """

    kept: ClassVar = ("wait", "best", "cooldown_counter")

    def __init__(self, monitor="val_loss", factor=0.1, patience=10, verbose=0, mode="auto", min_delta=1e-4, cooldown=0, min_lr=0.0):
        super().__init__(monitor, mode, min_delta=min_delta)
        self.factor, self.min_lr = checks.probability(factor, "factor"), checks.at_least_0(min_lr, "min_lr")
        self.patience, self.cooldown = checks.integer(patience, "patience", 0), checks.integer(cooldown, "cooldown", 0)
        self.verbose = verbosity(verbose)
        ReduceLROnPlateau.on_train_begin(self)

    def on_train_begin(self, logs=None):
        self.best, self.wait, self.cooldown_counter = None, 0, 0

    def in_cooldown(self):
        """Whether epochs do not count at present."""
        return self.cooldown_counter > 0

    def on_epoch_end(self, epoch, logs=None):
        logs, optimizer = {} if logs is None else logs, self.model.optimizer
        rate = logs["learning_rate"] = optimizer.learning_rate
        value = self.value(logs)
        if value is None:
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self.better(value, self.best):
            self.best, self.wait = value, 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience and rate > self.min_lr:
                optimizer.learning_rate = max(rate * self.factor, self.min_lr)
                self.cooldown_counter, self.wait = self.cooldown, 0
                if self.verbose:
                    say(f"\nEpoch {epoch + 1}: ReduceLROnPlateau reducing learning rate to {optimizer.learning_rate}.")
