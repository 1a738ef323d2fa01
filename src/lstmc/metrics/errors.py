"""Means of what losses measure, and the root of a mean square. What a loss ignores does not count here either."""

import math

import numpy as np

from lstmc import losses
from lstmc.losses.base import pair
from lstmc.metrics.base import F64, Mean, PairMean, against, alike


class LossMetric(Mean):
    """The mean of a loss; `loss` makes it from the arguments in `settings`."""

    direction = "down"
    kind = None

    def __init__(self, name=None, dtype=None, **settings):
        super().__init__(name, dtype)
        self.loss, self.settings = self.kind(**settings), tuple(settings)

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Take in a batch of targets and predictions; see `Metric.update_state`."""
        y, p = pair(self.loss, y_true, y_pred)
        values, valid = self.loss.values(y, p), self.loss.valid(y)
        if valid is not None:
            sample_weight = valid if sample_weight is None else valid * against(sample_weight, values.shape)
        self.take(values, sample_weight)

    def get_config(self):
        return {**super().get_config(), **{name: getattr(self.loss, name) for name in self.settings}}


class _Plain(LossMetric):
    """Of a loss without settings."""

    def __init__(self, name=None, dtype=None):
        super().__init__(name, dtype)


class MeanSquaredError(_Plain):
    """mean of (p - y)^2."""

    kind = losses.MeanSquaredError


class MeanAbsoluteError(_Plain):
    """mean of abs(p - y)."""

    kind = losses.MeanAbsoluteError


class MeanAbsolutePercentageError(_Plain):
    """100 times the mean of abs(p - y) / abs(y)."""

    kind = losses.MeanAbsolutePercentageError


class MeanSquaredLogarithmicError(_Plain):
    """mean of (log(1 + p) - log(1 + y))^2."""

    kind = losses.MeanSquaredLogarithmicError


class LogCoshError(_Plain):
    """mean of log(cosh(p - y))."""

    kind, default_name = losses.LogCosh, "logcosh"


class Hinge(_Plain):
    """mean of max(1 - y p, 0), for labels of -1 and 1, or 0 and 1."""

    kind = losses.Hinge


class SquaredHinge(_Plain):
    """mean of max(1 - y p, 0)^2, for labels of -1 and 1, or 0 and 1."""

    kind = losses.SquaredHinge


class CategoricalHinge(_Plain):
    """mean of the categorical hinge loss, for one-hot targets."""

    kind = losses.CategoricalHinge


class Poisson(_Plain):
    """mean of p - y log p."""

    kind = losses.Poisson


class KLDivergence(_Plain):
    """mean of the sum of y log(y / p)."""

    kind = losses.KLDivergence


class BinaryCrossentropy(LossMetric):
    """mean of the binary cross-entropy; from_logits and label_smoothing are as of the loss."""

    kind = losses.BinaryCrossentropy

    def __init__(self, name=None, dtype=None, from_logits=False, label_smoothing=0.0):
        super().__init__(name, dtype, from_logits=from_logits, label_smoothing=label_smoothing)


class CategoricalCrossentropy(LossMetric):
    """mean of the cross-entropy of one-hot targets; from_logits, label_smoothing and axis are as of the loss."""

    kind = losses.CategoricalCrossentropy

    def __init__(self, name=None, dtype=None, from_logits=False, label_smoothing=0.0, axis=-1):
        super().__init__(name, dtype, from_logits=from_logits, label_smoothing=label_smoothing, axis=axis)


class SparseCategoricalCrossentropy(LossMetric):
    """mean of the cross-entropy of integer labels; those that are `ignore_class` do not count; from_logits and axis are as of the loss."""

    kind = losses.SparseCategoricalCrossentropy

    def __init__(self, name=None, dtype=None, from_logits=False, ignore_class=None, axis=-1):
        super().__init__(name, dtype, from_logits=from_logits, ignore_class=ignore_class, axis=axis)


class CosineSimilarity(LossMetric):
    """mean of the cosine of the angle between y and p: 1 where they point the same way; the loss of this name is its negative; `axis` is -1."""

    direction = "up"
    kind = losses.CosineSimilarity

    def __init__(self, name=None, dtype=None, axis=-1):
        super().__init__(name, dtype, axis=axis)

    def result(self):
        """The mean so far, 0 if nothing was seen."""
        return -super().result() or 0.0


class RootMeanSquaredError(PairMean):
    """The root of the mean of (p - y)^2."""

    direction = "down"

    def values(self, y, p):
        y, p = alike(y, p)
        return np.square(np.subtract(p, y, dtype=F64))

    def result(self):
        """The root so far, 0 if nothing was seen."""
        return math.sqrt(super().result())
