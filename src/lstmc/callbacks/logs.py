"""Callbacks that write results down, or end training where there are none."""

import csv
import math
import os
from collections.abc import Iterable
from typing import ClassVar

import numpy as np

from lstmc.callbacks.base import Callback
from lstmc.console import say
from lstmc.nn import checks


class CSVLogger(Callback):
    """Write the results of each epoch as a line of a file, which is complete and closed between epochs.

    Training that `BackupAndRestore` takes up goes on with the file, from the first epoch of which the backup does not know.

    Parameters
    ----------
    filename : path-like
    separator : str
        One character.
    append : bool
        Go on with a file that is there, instead of writing it anew.
    """

    kept: ClassVar = ("keys", "size")

    def __init__(self, filename, separator=",", append=False):
        if not isinstance(filename, (str, os.PathLike)):
            raise TypeError(f"filename: expected a path, received {type(filename).__name__}")
        if not isinstance(separator, str):
            raise TypeError(f"separator: expected a string, received {type(separator).__name__}")
        if len(separator) != 1 or separator in '"\r\n':
            raise ValueError(f"separator: expected one character, which ends no line and quotes nothing, received {separator!r}")
        self.filename, self.sep, self.append = os.fspath(filename), separator, checks.flag(append, "append")
        self.keys, self.size, self._cut = None, 0, False

    def on_train_begin(self, logs=None):
        self.keys, self._cut = None, False
        with self._open() as file:      # which raises now if it cannot be written
            self.size = file.tell() if self.append else 0

    def on_epoch_begin(self, epoch, logs=None):
        if not self._cut:       # by now it is known whether training is taken up, and how much of the file is of the part before
            self._cut = True
            with self._open() as file:
                if file.tell() > self.size:
                    file.truncate(self.size)

    def on_epoch_end(self, epoch, logs=None):
        self.on_epoch_begin(epoch)
        logs = logs or {}
        if self.keys is None:
            self.keys = sorted(logs)
            if not any(key.startswith("val_") for key in self.keys):
                self.keys += [f"val_{key}" for key in self.keys]      # as in Keras: a later epoch may be validated
        with self._open() as file:
            writer = csv.writer(file, delimiter=self.sep)
            if not file.tell():
                writer.writerow(["epoch", *self.keys])
            writer.writerow([epoch, *(_cell(logs.get(key, "NA")) for key in self.keys)])
            self.size = file.tell()

    def _open(self):
        return open(self.filename, "a", encoding="utf-8", newline="")


def _cell(value):
    several = isinstance(value, Iterable) and not isinstance(value, str) and np.ndim(value)
    return f'"[{", ".join(map(str, value))}]"' if several else value


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
