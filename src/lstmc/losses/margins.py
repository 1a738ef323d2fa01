"""Losses of classes with a margin. Labels are -1 and 1; where all are 0 or 1, 0 means -1, as in Keras."""

import numpy as np

from lstmc.losses.base import Simple, mean_of_last, shared


class Hinge(Simple):
    """mean of max(1 - y p, 0) over the last axis."""

    def targets(self, y, shape, dtype):
        y = super().targets(y, shape, dtype)
        return 2 * y - 1 if ((y == 0) | (y == 1)).all() else y

    @staticmethod
    def _margin(y, p, dtype):
        m = np.multiply(y, p, dtype=dtype)
        return np.maximum(np.subtract(1, m, out=m), 0, out=m)

    def values(self, y, p):
        return mean_of_last(self._margin(y, p, np.float64))

    def gradient(self, y, p, fused=False):
        return shared(np.where(self._margin(y, p, p.dtype) > 0, -y, 0), p.shape[-1])


class SquaredHinge(Hinge):
    """mean of max(1 - y p, 0)^2 over the last axis."""

    def values(self, y, p):
        return mean_of_last(np.square(self._margin(y, p, np.float64)))

    def gradient(self, y, p, fused=False):
        d = self._margin(y, p, p.dtype)
        d *= y
        d *= p.dtype.type(-2 / p.shape[-1])
        return d


class CategoricalHinge(Simple):
    """max(1 + largest of (1 - y) p - sum of y p, 0), both over the last axis, for one-hot y. Of equals, the first is the largest."""

    def values(self, y, p):
        p = p.astype(np.float64)
        return np.maximum(((1 - y) * p).max(-1) - (y * p).sum(-1) + 1, 0)

    def gradient(self, y, p, fused=False):
        others = (1 - y) * p
        first = others.argmax(-1)[..., None]
        d = np.where(np.arange(p.shape[-1]) == first, 1 - y, 0) - y
        active = self.values(y, p)[..., None] > 0
        return np.where(active, d, 0).astype(p.dtype, copy=False)
