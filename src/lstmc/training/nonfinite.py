"""A loss that is NaN or infinite: which batch was the first, and what is likely to be the cause."""

import math

import numpy as np

from lstmc.callbacks import TerminateOnNaN
from lstmc.training.data import values_of
from lstmc.warned import warn


class Watch:
    """Warns once in a `fit`, which goes on; not where `TerminateOnNaN`, or a callback with `watches_loss`, speaks for itself."""

    def __init__(self, callbacks):
        self.told = any(isinstance(c, TerminateOnNaN) or getattr(c, "watches_loss", False) for c in callbacks)

    def step(self, epoch, n, batch, loss, optimizer):
        """After batch n of an epoch, whose mean loss is this so far; both count from 0."""
        if self.told or math.isfinite(loss):
            return
        self.told, why = True, getattr(batch, "cause", None) or cause(batch, optimizer)     # of pieces of a batch it is known
        warn(f"epoch {epoch + 1}, batch {n} (of 0, 1, ...): the loss is {loss}; {why}. Training goes on; "
             "callbacks=[lstmc.callbacks.TerminateOnNaN()] stops it", RuntimeWarning)


def cause(batch, optimizer):
    """What is wrong with the batch, or else what the optimizer should do."""
    for name, arrays in (("x", batch.x), ("y", batch.y), ("sample_weight", batch.weights)):
        for a in arrays:
            a = None if a is None else np.asarray(values_of(a))
            if a is None or a.dtype.kind != "f" or not a.size:
                continue
            bad = ~np.isfinite(a.reshape(len(a), -1)).all(1)
            if bad.any():
                return f"{name} has NaN or infinite values in {bad.sum()} of the {len(a)} samples of this batch: leave these out or replace them"
    rate = optimizer.learning_rate
    clips = "" if any(getattr(optimizer, name, None) for name in ("clipnorm", "global_clipnorm", "clipvalue")) else " or global_clipnorm=1.0"
    return f"x and y of this batch are finite, so the weights have grown too large: try a smaller learning_rate than {rate:g}{clips} in the optimizer"
