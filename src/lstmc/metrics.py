"""Metrics by Keras' names: means over samples that training reports beside the loss.

A metric gives one value for each of the (B, ...) predictions of shape (B, ..., C) and keeps a running mean.
Masked steps do not count; sample weights are not applied, as with Keras' `metrics=`.
"""

import numpy as np

from lstmc import names
from lstmc.layers.base import default_name, text_name
from lstmc.losses.base import same_shape
from lstmc.nn import checks


class Metric:
    """Base class: a running mean of `values`.

    Attributes
    ----------
    direction : {"up", "down", None}
        Whether more is better.
    """

    direction = None

    def __init__(self, name=None):
        self.name = text_name(name, self)
        self.reset_state()

    def values(self, y, p):
        """(B, ...) values of targets y and predictions p (B, ..., C)."""
        raise NotImplementedError

    def reset_state(self):
        """Forget what was seen."""
        self.total, self.count = 0.0, 0

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Take in a batch; sample_weight (B,) or (B, ...): how much values count, or a mask."""
        p = checks.plain(y_pred, "y_pred")
        values = np.asarray(self.values(checks.plain(y_true, "y_true"), p), np.float64)
        w = None if sample_weight is None else np.asarray(sample_weight)
        if w is not None and w.shape == values.shape[:w.ndim]:
            if w.dtype == bool:
                values = values[w]
            else:
                w = w.reshape(w.shape + (1,) * (values.ndim - w.ndim))
                self.total += float((values * w).sum())
                self.count += float(np.broadcast_to(w, values.shape).sum())
                return
        self.total += float(values.sum())
        self.count += values.size

    def result(self):
        """The mean so far, 0 if nothing was seen."""
        return self.total / self.count if self.count else 0.0

    def get_config(self):
        return {"name": self.name}

    def get_state(self):
        """What was seen, name -> number or array, for `set_state`."""
        return {"total": self.total, "count": self.count}

    def set_state(self, state):
        """Go on from what was seen."""
        self.total, self.count = state["total"], state["count"]


class SparseCategoricalAccuracy(Metric):
    """How often the largest prediction is that of the integer label."""

    direction = "up"

    def values(self, y, p):
        y = y[..., 0] if y.ndim == p.ndim and y.shape[-1] == 1 else y
        return p.argmax(-1) == y


class CategoricalAccuracy(Metric):
    """How often the largest prediction is that of the one-hot target."""

    direction = "up"

    def values(self, y, p):
        return p.argmax(-1) == same_shape(y, p.shape).argmax(-1)


class BinaryAccuracy(Metric):
    """How often predictions above 0.5 agree with targets of 0 and 1."""

    direction = "up"

    def values(self, y, p):
        return ((p > 0.5) == same_shape(y, p.shape)).mean(-1)


class MeanSquaredError(Metric):
    """mean of (p - y)^2."""

    direction = "down"

    def values(self, y, p):
        return np.square(p.astype(np.float64) - same_shape(y, p.shape)).mean(-1)


class MeanAbsoluteError(Metric):
    """mean of abs(p - y)."""

    direction = "down"

    def values(self, y, p):
        return np.abs(p.astype(np.float64) - same_shape(y, p.shape)).mean(-1)


class MeanOf(Metric):
    """A running mean of `function(y_true, y_pred)`, which gives one value per sample."""

    def __init__(self, function, name=None):
        self.function = function
        super().__init__(name or getattr(function, "__name__", type(function).__name__))

    def values(self, y, p):
        return self.function(y, p)


class LossMean(Metric):
    """Mean of the batch losses, each counting as often as its batch has samples."""

    def update_state(self, loss, samples):
        """Take in the loss of a batch."""
        self.total += loss * samples
        self.count += samples


_ALL = (SparseCategoricalAccuracy, CategoricalAccuracy, BinaryAccuracy, MeanSquaredError, MeanAbsoluteError)
_BY_NAME = {default_name(c.__name__): c for c in _ALL} | {"mse": MeanSquaredError, "mae": MeanAbsoluteError}
CLASSES = {c.__name__: c for c in _ALL}


def check(identifier):
    """identifier, if `get` knows it."""
    if isinstance(identifier, Metric) or callable(identifier):
        return identifier
    known = ["accuracy", "acc", *_BY_NAME]
    if not isinstance(identifier, str) or identifier not in known:
        raise ValueError(f"metrics: expected names from {', '.join(known)}, functions or lstmc.metrics objects, received {identifier!r}")
    return identifier


def get(identifier, y, shape):
    """A Metric from its name, a Metric or a function; "accuracy" depends on the targets y and the shape of predictions."""
    if isinstance(identifier, Metric):
        return identifier
    if callable(identifier):
        return MeanOf(identifier)
    if identifier in ("accuracy", "acc"):
        if shape[-1] == 1:
            return BinaryAccuracy(identifier)
        sparse = y.ndim < len(shape) or y.shape[-1] == 1
        return (SparseCategoricalAccuracy if sparse else CategoricalAccuracy)(identifier)
    return _BY_NAME[check(identifier)](identifier)


__all__ = [*CLASSES, "Metric", "get"]

__getattr__, __dir__ = names.face(__name__, __all__)
