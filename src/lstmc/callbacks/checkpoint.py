"""ModelCheckpoint: the model, or its weights, in files at the ends of epochs or after so many batches."""

import os
from pathlib import Path
from typing import ClassVar

from lstmc.callbacks.monitor import MonitorCallback
from lstmc.console import say, verbosity
from lstmc.nn import checks

SUFFIX = ".safetensors"


class ModelCheckpoint(MonitorCallback):
    """Save the model during training.

    Parameters
    ----------
    filepath : path-like
        Ends in .safetensors. Names in braces become the epoch, which counts from 1 here, the batch and the results, as in
        "{epoch:02d}-{val_loss:.2f}.safetensors". Folders are made.
    monitor, mode
        See `MonitorCallback`.
    verbose : int
        1 prints when it acts.
    save_best_only : bool
        Save only if the result is better than at the last time.
    save_weights_only : bool
        `model.save_weights` instead of `model.save`.
    save_freq : int or "epoch"
        After every epoch, or after every so many batches.
    initial_value_threshold : float, optional
        What is to be beaten first.
    """

    kept: ClassVar = ("best", "batches")

    def __init__(self, filepath, monitor="val_loss", verbose=0, save_best_only=False, save_weights_only=False, mode="auto", save_freq="epoch",
                 initial_value_threshold=None):
        baseline = None if initial_value_threshold is None else checks.number(initial_value_threshold, "initial_value_threshold")
        super().__init__(monitor, mode, baseline)
        if not isinstance(filepath, (str, os.PathLike)) or not isinstance(os.fspath(filepath), str):
            raise TypeError(f"filepath: expected a path, received {type(filepath).__name__}")
        self.filepath = os.fspath(filepath)
        if not self.filepath.endswith(SUFFIX):
            raise ValueError(f"filepath: expected a name that ends in {SUFFIX}, the only format of this package, received {self.filepath!r}")
        self.verbose = verbosity(verbose)
        self.save_best_only = checks.flag(save_best_only, "save_best_only")
        self.save_weights_only = checks.flag(save_weights_only, "save_weights_only")
        if isinstance(save_freq, str) and save_freq != "epoch":
            raise ValueError(f"save_freq: expected 'epoch' or a number of batches, received {save_freq!r}")
        self.save_freq = save_freq if isinstance(save_freq, str) else checks.integer(save_freq, "save_freq", 1)
        self.batches = self.epoch = 0       # since the last file; of this training

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.save_freq != "epoch":
            self.batches += 1
            if self.batches >= self.save_freq:
                self.batches = 0
                self.save({"batch": batch + 1, **(logs or {})}, logs)

    def on_epoch_end(self, epoch, logs=None):
        if self.save_freq == "epoch":
            self.epoch = epoch
            self.save(logs or {}, logs)

    def save(self, fields, logs):
        """Write the file, if it is due by `logs`, at the path that `fields` make."""
        epoch = self.epoch + 1
        path = self.path({**fields, "epoch": epoch})
        value = self.value(logs) if self.save_best_only else None
        if value is None:
            text = f"saving model to {path}"
        elif self.better(value, self.best):
            text = f"{self.monitor} improved from {self.best if self.best is None else f'{self.best:.5f}'} to {value:.5f}, saving model to {path}"
            self.best = value
        else:
            text, path = f"{self.monitor} did not improve from {self.best:.5f}", None
        if self.verbose:
            say(f"\nEpoch {epoch}: {text}")
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            (self.model.save_weights if self.save_weights_only else self.model.save)(path)
            if self.verbose:
                say(f"\nEpoch {epoch}: finished saving model to {path}")

    def path(self, fields):
        """The file's path, with the values of `fields` in the place of their names."""
        try:
            return Path(self.filepath.format(**fields))
        except (AttributeError, LookupError, ValueError) as error:
            raise ValueError(f"filepath: expected names from {', '.join(sorted(fields))} in braces, with formats that fit them, received "
                             f"{self.filepath!r}: {error}") from None
