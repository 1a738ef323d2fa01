"""Losses of distributions and counts."""

import numpy as np

from lstmc.losses.base import EPSILON, Simple, check_range, mean_of_last, within


class Poisson(Simple):
    """mean of p - y log(p + 1e-7) over the last axis: for counts y with mean p."""

    def values(self, y, p):
        p = p.astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):        # a mean below 0 has no logarithm: NaN
            p -= y * np.log(p + EPSILON)
        return mean_of_last(p)

    def gradient(self, y, p, fused=False):
        with np.errstate(divide="ignore"):
            return (1 - y / (p + p.dtype.type(EPSILON))) * p.dtype.type(1 / p.shape[-1])


class KLDivergence(Simple):
    """sum of y log(y / p) over the last axis, y and p within 1e-7 and 1."""

    def targets(self, y, shape, dtype):
        y = super().targets(y, shape, dtype)
        check_range(y, "kl_divergence")
        return np.maximum(y, dtype.type(EPSILON))

    def values(self, y, p):
        return (y * np.log(y / within(p.astype(np.float64), EPSILON, 1))).sum(-1)

    def gradient(self, y, p, fused=False):
        d = -y / np.maximum(p, p.dtype.type(EPSILON))
        return np.where((p >= EPSILON) & (p <= 1), d, 0).astype(p.dtype, copy=False)
