"""Focal cross-entropies: what the model is already sure of counts less."""

import numpy as np

from lstmc.layers import activations
from lstmc.losses.base import EPSILON, Loss, last_axis, mean_of_last, within
from lstmc.losses.crossentropy import binary, binary_gradient, one_hot, smoothed
from lstmc.nn import checks


class BinaryFocalCrossentropy(Loss):
    """mean of (1 - r)^gamma times the binary cross-entropy over the last axis, where r = y p + (1 - y) (1 - p) is how right p is.

    Parameters
    ----------
    apply_class_balancing : bool
        Whether to multiply by y alpha + (1 - y) (1 - alpha).
    alpha : float
        Weight of 1; that of 0 is 1 - alpha.
    gamma : float
        How much less what is right counts.
    from_logits : bool
        Predictions are z with p = sigmoid(z).
    label_smoothing : float
        s moves targets to y (1 - s) + s / 2.
    axis : int
        -1.
    """

    def __init__(self, apply_class_balancing=False, alpha=0.25, gamma=2.0, from_logits=False, label_smoothing=0.0, axis=-1,
                 reduction="sum_over_batch_size", name=None, dtype=None):
        super().__init__(name, reduction, dtype)
        self.apply_class_balancing = checks.flag(apply_class_balancing, "apply_class_balancing")
        self.alpha, self.gamma = checks.number(alpha, "alpha"), checks.at_least_0(gamma, "gamma")
        self.from_logits = checks.flag(from_logits, "from_logits")
        self.label_smoothing = checks.probability(label_smoothing, "label_smoothing")
        self.axis = last_axis(axis)

    def targets(self, y, shape, dtype):
        return smoothed(super().targets(y, shape, dtype), self, 2)

    def _parts(self, y, p):
        """(p, 1 - r, the weight of the class), in float64."""
        p = (activations.get("sigmoid").forward(p) if self.from_logits else p).astype(np.float64)
        y = y.astype(np.float64)
        balance = y * self.alpha + (1 - y) * (1 - self.alpha) if self.apply_class_balancing else 1.0
        return p, np.maximum(1 - (y * p + (1 - y) * (1 - p)), 0), balance

    def values(self, y, p):
        p, wrong, balance = self._parts(y, p)
        return mean_of_last(balance * wrong**self.gamma * binary(y, within(p, EPSILON, 1 - EPSILON)))

    def gradient(self, y, p, fused=False):
        dtype, n = p.dtype, p.shape[-1]
        p, wrong, balance = self._parts(y, p)
        d = wrong**self.gamma * binary_gradient(y, p, 1.0)
        d -= slope(wrong, self.gamma) * (2.0 * y - 1) * binary(y, within(p, EPSILON, 1 - EPSILON))
        if self.from_logits:
            d *= p * (1 - p)
        return (d * balance / n).astype(dtype)


class CategoricalFocalCrossentropy(Loss):
    """sum of -alpha (1 - p)^gamma y log p over the last axis, p scaled to sum to 1.

    Parameters
    ----------
    alpha : float, or sequence of float
        Weight of all classes, or of each.
    gamma : float
        How much less what is right counts.
    from_logits : bool
        Predictions are z with p = softmax(z).
    label_smoothing : float
        s moves targets to y (1 - s) + s / C.
    axis : int
        -1.
    """

    def __init__(self, alpha=0.25, gamma=2.0, from_logits=False, label_smoothing=0.0, axis=-1, reduction="sum_over_batch_size", name=None,
                 dtype=None):
        super().__init__(name, reduction, dtype)
        several = isinstance(alpha, (list, tuple)) or (isinstance(alpha, np.ndarray) and alpha.ndim == 1)
        self.alpha = [checks.number(a, "alpha") for a in alpha] if several else checks.number(alpha, "alpha")
        self.gamma = checks.at_least_0(gamma, "gamma")
        self.from_logits = checks.flag(from_logits, "from_logits")
        self.label_smoothing = checks.probability(label_smoothing, "label_smoothing")
        self.axis = last_axis(axis)

    def targets(self, y, shape, dtype):
        if np.ndim(self.alpha) and len(self.alpha) != shape[-1]:
            raise ValueError(f"alpha: expected {shape[-1]} numbers, one for each output of the model, received {len(self.alpha)}")
        return smoothed(one_hot(y, shape, dtype), self, shape[-1])

    def _parts(self, p):
        """(p scaled to sum to 1, its sum, p clipped), in float64."""
        p = (activations.get("softmax").forward(p) if self.from_logits else p).astype(np.float64)
        s = p.sum(-1, keepdims=True)
        p /= s
        return p, s, within(p, EPSILON, 1 - EPSILON)

    def values(self, y, p):
        q = self._parts(p)[2]
        return -(np.asarray(self.alpha) * (1 - q)**self.gamma * y * np.log(q)).sum(-1)

    def gradient(self, y, p, fused=False):
        dtype = p.dtype
        p, s, q = self._parts(p)
        d = np.asarray(self.alpha) * y * (slope(1 - q, self.gamma) * np.log(q) - (1 - q)**self.gamma / q)
        d = np.where(p == q, d, 0)
        d -= (d * p).sum(-1, keepdims=True)
        return (d * p if self.from_logits else d / s).astype(dtype)


def slope(wrong, gamma):
    """The derivative of wrong^gamma; 0 where nothing is wrong, also if gamma < 1."""
    return np.where(wrong > 0, gamma * np.where(wrong > 0, wrong, 1.0)**(gamma - 1), 0)
