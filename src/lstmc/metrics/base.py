"""What every metric has: a state that batches are taken into, a result, and weights; means and sums.

Weights and masks broadcast against values as in Keras: of shape (B,), (B, T), or that of the values, with an axis of 1 more or less at the end.
What weighs 0 is left out, also if it is not a number.
"""

import math
from typing import ClassVar

import numpy as np

from lstmc.layers.casts import as_floats, own_float
from lstmc.nn import checks
from lstmc.reprs import constructed, text_name

F64 = np.dtype(np.float64)


class Metric:
    """Base class: `update_state` and `result` define a metric, with what it keeps in the attributes that `state` names.

    Parameters
    ----------
    dtype : {"float32", "float64"}, optional
        Kept for Keras' sake: metrics compute in float64.
    name : str, optional
        Made from the class name if None.

    Attributes
    ----------
    direction : {"up", "down", None}
        Whether more is better.
    state : tuple of str
        Attributes that hold what was seen: numbers, or arrays; None before the first batch where it decides on their shape.
    """

    direction = None
    __repr__ = constructed
    default_name = None
    state: ClassVar = ()

    def __init__(self, dtype=None, name=None):
        self.name = text_name(self.default_name if name is None else name, self)
        self.dtype = None if dtype is None else str(checks.float_dtype(dtype))
        self.reset_state()

    def zeros(self, outputs=None):
        """The state, by name, before anything was seen; `outputs` is how many a prediction has, None where that is not known yet."""
        return dict.fromkeys(self.state, 0.0)

    def reset_state(self):
        """Forget what was seen."""
        vars(self).update(self.zeros())

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Take in a batch.

        Parameters
        ----------
        y_true, y_pred : array
            Targets and predictions.
        sample_weight : array, optional
            How much each value counts, or a mask.
        """
        raise NotImplementedError

    def result(self):
        """The value so far: a float, or an array."""
        raise NotImplementedError

    def __call__(self, *arguments, **named):
        """Take in a batch; the result with it."""
        self.update_state(*arguments, **named)
        return self.result()

    def get_state(self):
        """What was seen, as float64 arrays by name, copied."""
        return {name: np.array(getattr(self, name), F64) for name in self.state if getattr(self, name) is not None}

    def set_state(self, state):
        """Go on from what `get_state` gave; nothing changes unless all fits."""
        if not isinstance(state, dict):
            raise TypeError(f"state: expected a dict of arrays, received {type(state).__name__}")
        found, zeros = {name: np.array(as_floats(a, F64, f"state: {name}")) for name, a in state.items()}, self.zeros()
        free = [a for name, a in found.items() if name in zeros and zeros[name] is None and a.ndim]
        zeros = self.zeros(free[0].shape[-1]) if free else {name: z for name, z in zeros.items() if z is not None}
        expected, shapes = {name: np.shape(z) for name, z in zeros.items()}, {name: a.shape for name, a in found.items()}
        if shapes != expected:
            raise ValueError(f"state: expected arrays of shapes {expected}, received {shapes}")
        self.reset_state()
        vars(self).update({name: a if a.ndim else float(a) for name, a in found.items()})

    def start(self, outputs):
        """Give the state its shape, for so many outputs, at the first batch."""
        if any(getattr(self, name) is None for name in self.state):
            vars(self).update(self.zeros(outputs))
        for name, z in self.zeros(outputs).items():
            if np.shape(z) != np.shape(getattr(self, name)):
                raise ValueError(f"y_pred: expected as many outputs as before, received {outputs}")

    def get_config(self):
        """Constructor arguments that rebuild the metric; JSON types only."""
        return {"name": self.name, "dtype": self.dtype}


class Sum(Metric):
    """The sum of all values, each times its weight."""

    state = ("total",)

    def __init__(self, name=None, dtype=None):
        super().__init__(dtype, name)

    def update_state(self, values, sample_weight=None):
        """Take in values of any shape, with `sample_weight` as of `Metric.update_state`."""
        self.total += weighted(as_floats(values, F64, "values"), sample_weight)[0]

    def result(self):
        """The sum so far."""
        return self.total


class Mean(Metric):
    """The weighted mean of all values. Every sample counts alike, whatever the length of its batch: its values (T, ...) count 1 / T each, as in Keras."""

    state = ("total", "count")

    def __init__(self, name=None, dtype=None):
        super().__init__(dtype, name)

    def update_state(self, values, sample_weight=None):
        """Take in values of any shape, with `sample_weight` as of `Metric.update_state`."""
        self.take(as_floats(values, F64, "values"), sample_weight)

    def take(self, values, sample_weight):
        """Take in an array of floats or booleans, with `sample_weight` or None."""
        total, count = weighted(values, sample_weight)
        inner = math.prod(values.shape[1:])
        if inner > 1:
            total, count = total / inner, count / inner
        self.total += total
        self.count += count

    def result(self):
        """The mean so far, 0 if nothing was seen."""
        return self.total / self.count if self.count else 0.0


class PairMean(Mean):
    """A mean of `values(y, p)`."""

    def values(self, y, p):
        """(B, ...) floats or booleans of targets y and predictions p."""
        raise NotImplementedError

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Take in a batch of targets and predictions; see `Metric.update_state`."""
        self.take(self.values(checks.plain(y_true, "y_true"), checks.plain(y_pred, "y_pred")), sample_weight)


class LossMean(Metric):
    """Mean of the batch losses, each counting as often as its batch has samples."""

    direction = "down"
    state = ("total", "count")

    def update_state(self, loss, samples):
        """Take in the loss of a batch."""
        self.total += loss * samples
        self.count += samples

    result = Mean.result


def weighted(values, sample_weight):
    """(sum of values times weights, sum of weights)."""
    if type(sample_weight) is np.ndarray and sample_weight.dtype == bool and sample_weight.shape == values.shape[:sample_weight.ndim]:
        values, sample_weight = values[sample_weight], None     # the mask of a model
    if sample_weight is None:
        return float(np.count_nonzero(values) if values.dtype == bool else np.add.reduce(values, None, F64)), float(values.size)
    w = np.broadcast_to(against(sample_weight, values.shape), values.shape)
    some = w != 0
    return float((values[some] * w[some]).sum()), float(w.sum())


def against(sample_weight, shape):
    """Weights as float64 with the axes of values of this shape, to be broadcast."""
    w = as_floats(sample_weight, F64, "sample_weight")
    if w.ndim == len(shape) + 1 and w.shape[-1] == 1:
        w = w[..., 0]
    if w.ndim > len(shape) or any(n not in (1, m) for n, m in zip(w.shape, shape, strict=False)):
        raise ValueError(f"sample_weight: expected the shape of values {checks.shape_text(shape)} or of their first axes, "
                         f"received {checks.shape_text(w.shape)}")
    return w.reshape(w.shape + (1,) * (len(shape) - w.ndim))


def alike(y, p):
    """(y, p) of one shape, from which a last axis of 1 may be missing in either."""
    if y.ndim == p.ndim + 1 and y.shape[-1] == 1:
        y, p = (y, p[:, None]) if p.ndim == 1 else (y[..., 0], p)
    elif p.ndim == y.ndim + 1 and p.shape[-1] == 1:
        y = y[..., None]
    if y.shape != p.shape:
        raise ValueError(f"y_true: expected the shape of y_pred {checks.shape_text(p.shape)}, received {checks.shape_text(y.shape)}")
    return numeric(y, "y_true"), numeric(p, "y_pred")


def numeric(a, name):
    """a, if it holds numbers."""
    if a.dtype.kind not in "biuf":
        raise TypeError(f"{name}: expected numbers, received dtype {a.dtype}")
    return a


def floats(a):
    """a as it is compared with thresholds: float64 stays, others become float32, as in Keras."""
    return a.astype(own_float(a), copy=False)


def rows(y_true, y_pred, sample_weight):
    """(y, p, w): targets (N, C) in float64, predictions and weights (N, 1), of samples and steps that count."""
    y, p = alike(checks.plain(y_true, "y_true"), checks.plain(y_pred, "y_pred"))
    if p.ndim < 2:
        raise ValueError(f"y_pred: expected shape (B, C), received {checks.shape_text(p.shape)}")
    w = np.ones(p.shape[:-1]) if sample_weight is None else np.broadcast_to(against(sample_weight, p.shape[:-1]), p.shape[:-1])
    some = w != 0
    return y[some].astype(F64), floats(p[some]), w[some][:, None]
