"""Cross-entropies of yes-or-no outputs and of classes, one-hot or as integer labels.

Reported probabilities are clipped to [1e-7, 1 - 1e-7] as in Keras. Where the model ends in the matching activation,
gradients are taken with respect to its input (softmax: p - y), which neither clips nor divides.
"""

import numpy as np

from lstmc.kernels import train
from lstmc.layers import activations
from lstmc.layers.casts import as_floats
from lstmc.losses.base import EPSILON, Loss, check_range, last_axis, mean_of_last, plain, shared, within
from lstmc.nn import checks
from lstmc.reprs import default_name


class Crossentropy(Loss):
    """Of the probabilities that an activation gives, or with from_logits of what goes into it."""

    _activation = "softmax"

    @property
    def fuses(self):
        """The activation before the loss that its gradient can be taken through, None with from_logits."""
        return None if self.from_logits else self._activation


class BinaryCrossentropy(Crossentropy):
    """mean of -(y log p + (1 - y) log(1 - p)) over the last axis.

    Parameters
    ----------
    from_logits : bool
        Predictions are z with p = sigmoid(z).
    label_smoothing : float
        s moves targets to y (1 - s) + s / 2.
    axis : int
        -1.
    """

    _activation = "sigmoid"

    def __init__(self, from_logits=False, label_smoothing=0.0, axis=-1, reduction="sum_over_batch_size", name=None, dtype=None):
        super().__init__(name, reduction, dtype)
        self.from_logits = checks.flag(from_logits, "from_logits")
        self.label_smoothing = checks.probability(label_smoothing, "label_smoothing")
        self.axis = last_axis(axis)

    def targets(self, y, shape, dtype):
        return smoothed(super().targets(y, shape, dtype), self, 2)

    def values(self, y, p):
        p = p.astype(np.float64)
        if self.from_logits:
            # max(z, 0) - z y + log(1 + exp(-|z|)): no overflow for any z
            return mean_of_last(np.maximum(p, 0) - p * y + np.log1p(np.exp(-np.abs(p))))
        return mean_of_last(binary(y, within(p, EPSILON, 1 - EPSILON)))

    def gradient(self, y, p, fused=False):
        if self.from_logits or fused:
            d = (activations.get("sigmoid").forward(p) if self.from_logits else p) - y
            return shared(d, p.shape[-1])
        return binary_gradient(y, p, p.dtype.type(1 / p.shape[-1]))


class CategoricalCrossentropy(Crossentropy):
    """-sum of y log p over the last axis, p scaled to sum to 1.

    Parameters
    ----------
    from_logits : bool
        Predictions are z with p = softmax(z).
    label_smoothing : float
        s moves targets to y (1 - s) + s / C.
    axis : int
        -1.
    """

    def __init__(self, from_logits=False, label_smoothing=0.0, axis=-1, reduction="sum_over_batch_size", name=None, dtype=None):
        super().__init__(name, reduction, dtype)
        self.from_logits = checks.flag(from_logits, "from_logits")
        self.label_smoothing = checks.probability(label_smoothing, "label_smoothing")
        self.axis = last_axis(axis)

    def targets(self, y, shape, dtype):
        return smoothed(one_hot(y, shape, dtype), self, shape[-1])

    def both(self, y, p, fused=False):
        """As `Loss.both`, behind a softmax in one pass."""
        return train.crossentropy(y, p) if fused and self.fuses and plain(self, CategoricalCrossentropy) else super().both(y, p, fused)

    def values(self, y, p):
        if not self.from_logits:
            return train.crossentropy(y, p, gradient=False)[0]
        p = p.astype(np.float64)
        p -= np.maximum.reduce(p, -1, keepdims=True, initial=-np.inf)
        p -= np.log(np.add.reduce(np.exp(p), -1, keepdims=True))
        p *= y
        return -np.add.reduce(p, -1)

    def gradient(self, y, p, fused=False):
        if self.from_logits or fused:
            return train.crossentropy(y, activations.get("softmax").forward(p) if self.from_logits else p, values=False)[1]
        s = p.sum(-1, keepdims=True)
        kept = np.where((p > EPSILON * s) & (p < (1 - EPSILON) * s), y, 0)
        return (kept.sum(-1, keepdims=True) / s - kept / np.maximum(p, EPSILON * s)).astype(p.dtype)


class SparseCategoricalCrossentropy(Crossentropy):
    """-log of the probability of the true class, given as an integer label.

    Parameters
    ----------
    from_logits : bool
        Predictions are z with p = softmax(z).
    ignore_class : int, optional
        A label of what does not count: its value and gradient are 0, and means are taken without it, as under a mask.
    axis : int
        -1.
    """

    def __init__(self, from_logits=False, ignore_class=None, reduction="sum_over_batch_size", axis=-1, name=None, dtype=None):
        super().__init__(name, reduction, dtype)
        self.from_logits = checks.flag(from_logits, "from_logits")
        self.ignore_class = None if ignore_class is None else checks.integer(ignore_class, "ignore_class", -2**31, 2**31)
        self.axis = last_axis(axis)

    def targets(self, y, shape, dtype):
        """(B, ...) labels; -1 for those that do not count."""
        return labels(y, shape, self.ignore_class)

    def valid(self, y):
        return None if self.ignore_class is None else y >= 0

    def both(self, y, p, fused=False):
        """As `Loss.both`, behind a softmax in one pass."""
        return train.crossentropy(y, p) if fused and self.fuses and plain(self, SparseCategoricalCrossentropy) else super().both(y, p, fused)

    def values(self, y, p):
        if not self.from_logits:
            return train.crossentropy(y, p, gradient=False)[0]
        rows, at = p.astype(np.float64).reshape(-1, p.shape[-1]), y.reshape(-1)
        rows -= np.maximum.reduce(rows, -1, keepdims=True, initial=-np.inf)
        values = np.log(np.add.reduce(np.exp(rows), -1)) - rows[np.arange(len(rows)), at]
        if self.ignore_class is not None:
            values[at < 0] = 0
        return values.reshape(y.shape)

    def gradient(self, y, p, fused=False):
        if self.from_logits or fused:
            return train.crossentropy(y, activations.get("softmax").forward(p) if self.from_logits else p, values=False)[1]
        d = p.copy()
        rows, at = d.reshape(-1, p.shape[-1]), y.reshape(-1)
        each = np.arange(len(rows))
        q, s = rows[each, at], rows.sum(-1)
        inside = ((q > EPSILON * s) & (q < (1 - EPSILON) * s)).astype(p.dtype)
        rows[...] = (inside / s)[:, None]
        rows[each, at] -= inside / np.maximum(q, EPSILON * s)
        if self.ignore_class is not None:
            rows[at < 0] = 0
        return d


def binary(y, p):
    """-(y log p + (1 - y) log(1 - p)) of clipped float64 p."""
    a = np.log(p)
    a *= y
    np.negative(p, out=p)
    b = np.log1p(p, out=p)
    b *= 1 - y
    a += b
    return np.negative(a, out=a)


def binary_gradient(y, p, share):
    """The derivative of `binary` at clipped p, 0 where it is clipped, times share."""
    inside = (p > EPSILON) & (p < 1 - EPSILON)
    q = within(p, EPSILON, 1 - EPSILON)
    return np.where(inside, (q - y) / (q * (1 - q)) * share, 0).astype(p.dtype)


def smoothed(y, loss, n):
    """Checked targets, moved towards 1 / n."""
    check_range(y, default_name(type(loss).__name__))
    s = loss.label_smoothing
    return y * y.dtype.type(1 - s) + y.dtype.type(s / n)


def one_hot(y, shape, dtype):
    """Targets (B, ..., C) for predictions of the same shape."""
    y = as_floats(y, dtype, "y")
    if y.shape != tuple(shape):
        raise ValueError(f"y: expected one-hot targets of shape {checks.shape_text(shape)}, received "
                         f"{checks.shape_text(y.shape)}; sparse_categorical_crossentropy takes integer labels")
    return y


def labels(y, shape, ignored=None):
    """Integer labels (B, ...) for predictions of shape (B, ..., C); -1 where they are `ignored`."""
    a = checks.plain(y, "y")
    if a.dtype.kind not in "biuf":
        raise TypeError(f"y: expected integer labels, received dtype {a.dtype}")
    if a.ndim == len(shape) and a.shape[-1] == 1:
        a = a[..., 0]
    if a.shape != tuple(shape[:-1]):
        raise ValueError(f"y: expected integer labels of shape {checks.shape_text(tuple(shape[:-1]))}, received "
                         f"{checks.shape_text(np.shape(y))}; categorical_crossentropy takes one-hot targets")
    if a.size and a.dtype.kind == "f" and not (a == np.floor(a)).all():
        raise ValueError("y: expected integer labels, received values with a fraction or NaN")
    out = None if ignored is None else a == ignored
    some = a if out is None else a[~out]
    if some.size and (some.min() < 0 or some.max() >= shape[-1]):
        raise ValueError(f"y: expected labels from 0 to {shape[-1] - 1} for {shape[-1]} outputs, "
                         f"received values from {some.min()} to {some.max()}")
    found = (a if out is None else np.where(out, 0, a)).astype(np.int64)
    if out is not None:
        found[out] = -1
    return found
