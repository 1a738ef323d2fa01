"""Losses of numbers: squares, absolute values and what lies between, relative and logarithmic errors, angles, quantiles.

Where an absolute value has a corner, the gradient is 0.
"""

import numpy as np

from lstmc.kernels import train
from lstmc.layers import activations
from lstmc.layers.casts import as_floats
from lstmc.losses.base import EPSILON, Loss, Simple, difference, last_axis, mean_of_last, plain, same_shape, shared
from lstmc.nn import checks


class MeanSquaredError(Simple):
    """mean of (p - y)^2 over the last axis."""

    def both(self, y, p, fused=False):
        """As `Loss.both`, in one pass."""
        return train.squared_error(y, p) if plain(self, MeanSquaredError) else super().both(y, p, fused)

    def values(self, y, p):
        return train.squared_error(y, p, gradient=False)[0]

    def gradient(self, y, p, fused=False):
        return train.squared_error(y, p, values=False)[1]


class MeanAbsoluteError(Simple):
    """mean of abs(p - y) over the last axis."""

    def values(self, y, p):
        d = difference(y, p)
        return mean_of_last(np.abs(d, out=d))

    def gradient(self, y, p, fused=False):
        d = p - y
        return shared(np.sign(d, out=d), p.shape[-1])


class MeanAbsolutePercentageError(Simple):
    """100 times the mean of abs(p - y) / max(abs(y), 1e-7) over the last axis."""

    def values(self, y, p):
        d = difference(y, p)
        d /= np.maximum(np.abs(y), EPSILON)
        return 100 * mean_of_last(np.abs(d, out=d))

    def gradient(self, y, p, fused=False):
        d = np.sign(p - y)
        d *= p.dtype.type(100 / p.shape[-1])
        d /= np.maximum(np.abs(y), p.dtype.type(EPSILON))
        return d


class MeanSquaredLogarithmicError(Simple):
    """mean of (log(1 + p) - log(1 + y))^2 over the last axis, where p and y are at least 1e-7."""

    @staticmethod
    def _difference(y, p):
        return np.log1p(np.maximum(p, EPSILON, dtype=np.float64)) - np.log1p(np.maximum(y, EPSILON, dtype=np.float64))

    def values(self, y, p):
        return mean_of_last(np.square(self._difference(y, p)))

    def gradient(self, y, p, fused=False):
        d = self._difference(y, p) * (2 / p.shape[-1]) / (1 + np.maximum(p, EPSILON, dtype=np.float64))
        return np.where(p < EPSILON, 0, d).astype(p.dtype)


class Huber(Loss):
    """mean of e^2 / 2 up to e = delta, delta (e - delta / 2) beyond, over the last axis, with e = abs(p - y).

    Parameters
    ----------
    delta : float
        Where the square becomes a line.
    """

    default_name = "huber_loss"

    def __init__(self, delta=1.0, reduction="sum_over_batch_size", name=None, dtype=None):
        super().__init__(name, reduction, dtype)
        self.delta = checks.positive(delta, "delta")

    def values(self, y, p):
        e = np.abs(difference(y, p))
        inner = np.minimum(e, self.delta)
        return mean_of_last(inner * (e - inner / 2))

    def gradient(self, y, p, fused=False):
        delta = p.dtype.type(self.delta)
        return shared(np.minimum(np.maximum(p - y, -delta), delta), p.shape[-1])


class LogCosh(Simple):
    """mean of log(cosh(p - y)) over the last axis."""

    def values(self, y, p):
        e = np.abs(difference(y, p))        # log((exp(e) + exp(-e)) / 2) without overflow
        return mean_of_last(e + np.log1p(np.exp(-2 * e)) - np.log(2))

    def gradient(self, y, p, fused=False):
        return shared(activations.get("tanh").forward(p - y), p.shape[-1])


class CosineSimilarity(Loss):
    """-cos of the angle between y and p along the last axis: -1 where they point the same way; a vector of zeros counts as orthogonal to all.

    Lengths below 1e-7 count as 1e-7.

    Parameters
    ----------
    axis : int
        -1.
    """

    def __init__(self, axis=-1, reduction="sum_over_batch_size", name=None, dtype=None):
        super().__init__(name, reduction, dtype)
        self.axis = last_axis(axis)

    @staticmethod
    def _direction(a):
        """(a of length 1, its length), in float64."""
        a = a.astype(np.float64)
        length = np.maximum(np.sqrt(np.square(a).sum(-1, keepdims=True)), EPSILON)
        return a / length, length

    def values(self, y, p):
        return -(self._direction(y)[0] * self._direction(p)[0]).sum(-1)

    def gradient(self, y, p, fused=False):
        (toward, _), (u, length) = self._direction(y), self._direction(p)
        along = np.where(length > EPSILON, (toward * u).sum(-1, keepdims=True), 0)
        return ((along * u - toward) / length).astype(p.dtype)


class Quantile(Loss):
    """mean of q (y - p) where y is above p, (1 - q) (p - y) where it is below, over the last axis: p is least wrong at the quantile q of y.

    Keras has no such loss.

    Parameters
    ----------
    quantile : float, optional
        q, above 0 and below 1; 0.5, the median, if neither is given.
    quantiles : sequence of float, optional
        One for each column of the predictions (B, ..., Q); y then has shape (B, ...), (B, ..., 1), or that of the predictions.
    """

    def __init__(self, quantile=None, quantiles=None, reduction="sum_over_batch_size", name=None, dtype=None):
        super().__init__(name, reduction, dtype)
        if quantile is not None and quantiles is not None:
            raise ValueError("quantiles: expected None together with quantile")
        self.quantile = 0.5 if quantile is None and quantiles is None else None if quantile is None else between(quantile, "quantile")
        if quantiles is not None and not (isinstance(quantiles, (list, tuple, np.ndarray)) and np.ndim(quantiles) == 1 and len(quantiles)):
            raise TypeError(f"quantiles: expected a sequence of numbers, received {quantiles!r}")
        self.quantiles = None if quantiles is None else [between(q, "quantiles") for q in quantiles]

    def targets(self, y, shape, dtype):
        if self.quantiles is None:
            return super().targets(y, shape, dtype)
        if shape[-1] != len(self.quantiles):
            raise ValueError(f"quantiles: expected {shape[-1]}, one for each output of the model, received {len(self.quantiles)}")
        y = as_floats(y, dtype, "y")
        one = (*shape[:-1], 1)
        return y if y.shape == tuple(shape) else y[..., None] if y.shape == one[:-1] else same_shape(y, one)

    def _slopes(self, y, p, q):
        """d / dp: -q where y is above p, 1 - q where it is below."""
        above, below = y > p, y < p
        return np.where(above, -q, np.where(below, 1 - q, 0))

    def values(self, y, p):
        d = difference(y, p)
        d *= self._slopes(y, p, np.asarray(self.quantiles or self.quantile))
        return mean_of_last(d)

    def gradient(self, y, p, fused=False):
        return shared(self._slopes(y, p, np.asarray(self.quantiles or self.quantile)).astype(p.dtype), p.shape[-1])


def between(value, name):
    """value as a float above 0 and below 1."""
    value = checks.number(value, name)
    if not 0 < value < 1:
        raise ValueError(f"{name}: expected above 0 and below 1, received {value}")
    return value
