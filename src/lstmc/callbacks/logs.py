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

    Parameters
    ----------
    filename : path-like
    separator : str
        One character.
    append : bool
        Go on with a file that is there, instead of writing it anew.
    """

    kept: ClassVar = ("keys",)

    def __init__(self, filename, separator=",", append=False):
        if not isinstance(filename, (str, os.PathLike)):
            raise TypeError(f"filename: expected a path, received {type(filename).__name__}")
        if not isinstance(separator, str):
            raise TypeError(f"separator: expected a string, received {type(separator).__name__}")
        if len(separator) != 1 or separator in '"\r\n':
            raise ValueError(f"separator: expected one character, which ends no line and quotes nothing, received {separator!r}")
        self.filename, self.sep, self.append = os.fspath(filename), separator, checks.flag(append, "append")
        self.keys = None

    def on_train_begin(self, logs=None):
        self.keys = None
        if not self.append:
            self._open("w").close()

    def on_epoch_end(self, epoch, logs=None):
        logs = logs or {}
        if self.keys is None:
            self.keys = sorted(logs)
            if not any(key.startswith("val_") for key in self.keys):
                self.keys += [f"val_{key}" for key in self.keys]      # as in Keras: a later epoch may be validated
        with self._open("a") as file:
            writer = csv.writer(file, delimiter=self.sep)
            if not file.tell():
                writer.writerow(["epoch", *self.keys])
            writer.writerow([epoch, *(_cell(logs.get(key, "NA")) for key in self.keys)])

    def _open(self, mode):
        return open(self.filename, mode, encoding="utf-8", newline="")


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
