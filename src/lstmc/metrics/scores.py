"""Scores of whole outputs: F1 and its kin, and the coefficient of determination. Sequences (B, T, C) count as B T samples."""


import numpy as np

from lstmc.losses.base import EPSILON
from lstmc.metrics.base import Metric, rows
from lstmc.nn import checks
from lstmc.warned import warn

AVERAGES, AGGREGATIONS = ("micro", "macro", "weighted"), ("uniform_average", "variance_weighted_average")


class FBetaScore(Metric):
    """(1 + beta^2) precision recall / (beta^2 precision + recall), for one-hot or yes-or-no targets.

    Parameters
    ----------
    average : {None, "micro", "macro", "weighted"}
        None gives a score for each output; macro their mean, weighted their mean by how often each is true; micro that of all outputs together.
    beta : float
        How many times as much recall counts as precision.
    threshold : float, optional
        Above which predictions are positive; if None, the largest of each sample is.
    name : str, optional
    dtype : {"float32", "float64"}, optional
        As of `Metric`.
    """

    default_name = "fbeta_score"
    direction = "up"
    state = ("true_positives", "false_positives", "false_negatives", "intermediate_weights")

    def __init__(self, average=None, beta=1.0, threshold=None, name=None, dtype=None):
        self.average = _one_of(average, "average", AVERAGES)
        self.beta = checks.positive(beta, "beta")
        self.threshold = None if threshold is None else checks.number(threshold, "threshold")
        if threshold is not None and not 0 < self.threshold <= 1:
            raise ValueError(f"threshold: expected above 0 and at most 1, received {threshold}")
        super().__init__(dtype, name)

    def zeros(self, outputs=None):
        return {name: 0.0 if self.average == "micro" else None if outputs is None else np.zeros(outputs) for name in self.state}

    def update_state(self, y_true, y_pred, sample_weight=None):
        y, p, w = rows(y_true, y_pred, sample_weight)
        self.start(p.shape[-1])
        p = (p >= p.max(-1, keepdims=True)) & (np.abs(p) > 1e-9) if self.threshold is None else p > self.threshold
        axis = None if self.average == "micro" else 0
        for name, counts in zip(self.state, (p * y, p * (1 - y), (1 - p) * y, y), strict=True):
            setattr(self, name, getattr(self, name) + (counts * w).sum(axis))

    def result(self):
        """A float, or an array with a score for each output."""
        if self.true_positives is None:
            return 0.0
        precision = self.true_positives / (self.true_positives + self.false_positives + EPSILON)
        recall = self.true_positives / (self.true_positives + self.false_negatives + EPSILON)
        scores = precision * recall / (self.beta**2 * precision + recall + EPSILON) * (1 + self.beta**2)
        if self.average == "weighted":
            return float((scores * self.intermediate_weights / (self.intermediate_weights.sum() + EPSILON)).sum())
        return scores if self.average is None else float(np.mean(scores))

    def get_config(self):
        return {**super().get_config(), "average": self.average, "beta": self.beta, "threshold": self.threshold}


class F1Score(FBetaScore):
    """2 precision recall / (precision + recall); the arguments are those of `FBetaScore`."""

    default_name = "f1_score"

    def __init__(self, average=None, threshold=None, name=None, dtype=None):
        super().__init__(average, 1.0, threshold, name, dtype)

    def get_config(self):
        return {name: value for name, value in super().get_config().items() if name != "beta"}


class R2Score(Metric):
    """1 - sum of (y - p)^2 / sum of (y - mean of y)^2.

    Parameters
    ----------
    class_aggregation : {"uniform_average", "variance_weighted_average", None}
        How the scores of several outputs become one; None gives each.
    num_regressors : int
        Independent variables, for the adjusted score; 0 for none.
    name : str, optional
    dtype : {"float32", "float64"}, optional
        As of `Metric`.
    """

    direction = "up"
    state = ("squared_sum", "sum", "residual", "count", "num_samples")

    def __init__(self, class_aggregation="uniform_average", num_regressors=0, name=None, dtype=None):
        self.class_aggregation = _one_of(class_aggregation, "class_aggregation", AGGREGATIONS)
        self.num_regressors = checks.integer(num_regressors, "num_regressors", 0)
        super().__init__(dtype, name)

    def zeros(self, outputs=None):
        return {name: None if outputs is None else np.zeros(outputs) for name in self.state[:-1]} | {"num_samples": 0.0}

    def update_state(self, y_true, y_pred, sample_weight=None):
        y, p, w = rows(y_true, y_pred, sample_weight)
        self.start(p.shape[-1])
        self.squared_sum = self.squared_sum + (y * y * w).sum(0)
        self.sum = self.sum + (y * w).sum(0)
        self.residual = self.residual + (np.square(y - p) * w).sum(0)
        self.count = self.count + np.broadcast_to(w, y.shape).sum(0)
        self.num_samples += float(np.size(y_true))      # all, as in Keras, of every output

    def result(self):
        """A float, or an array with a score for each output; NaN where there is nothing to explain."""
        if self.count is None:
            return 0.0
        with np.errstate(divide="ignore", invalid="ignore"):
            total = self.squared_sum - self.sum * (self.sum / self.count)
            scores = 1 - self.residual / total
            scores = np.where(np.isinf(scores), 0.0, scores)
            if self.class_aggregation == "variance_weighted_average":
                scores = (total * scores).sum() / total.sum()
        if self.class_aggregation == "uniform_average":
            scores = scores.mean()
        free = self.num_samples - self.num_regressors - 1
        if self.num_regressors and free <= 0:
            warn(f"R2Score: {self.num_samples:.0f} values are too few for {self.num_regressors} regressors; the score is not adjusted")
        elif self.num_regressors:
            scores = 1 - (1 - scores) * (self.num_samples - 1) / free
        return scores if self.class_aggregation is None else float(scores)

    def get_config(self):
        return {**super().get_config(), "class_aggregation": self.class_aggregation, "num_regressors": self.num_regressors}


def _one_of(value, name, known):
    if not (value is None or (isinstance(value, str) and value in known)):
        raise ValueError(f"{name}: expected one of {', '.join(known)}, or None; received {value!r}")
    return value
