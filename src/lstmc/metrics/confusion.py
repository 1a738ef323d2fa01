"""Right and wrong positives and negatives, at one or several thresholds, and the shares of them that are called precision and recall.

A prediction is positive above a threshold, compared in its own precision; a target is, if it is not 0.
"""

import numpy as np

from lstmc.metrics.base import F64, Metric, against, alike, floats
from lstmc.nn import checks

LOWEST = -1e10      # Keras' prediction of what is not among the top k


class Confusion(Metric):
    """Counts, by threshold, that `state` names.

    Parameters
    ----------
    thresholds : float or sequence of float, optional
        From 0 to 1; 0.5 if None, or with top_k, any prediction among them.
    top_k : int, optional
        Only so many predictions of each sample, the largest, can be positive.
    class_id : int, optional
        Only this output counts.
    """

    def __init__(self, thresholds=None, top_k=None, class_id=None, name=None, dtype=None):
        several = isinstance(thresholds, (list, tuple)) or (isinstance(thresholds, np.ndarray) and thresholds.ndim == 1)
        self.thresholds = None if thresholds is None else [share(t, "thresholds") for t in thresholds] if several else share(thresholds, "thresholds")
        if several and not self.thresholds:
            raise ValueError("thresholds: expected at least one, received none")
        self.top_k = None if top_k is None else checks.integer(top_k, "top_k", 1)
        self.class_id = None if class_id is None else checks.integer(class_id, "class_id", 0)
        self._all = np.atleast_1d(self.thresholds if thresholds is not None else 0.5 if top_k is None else LOWEST).astype(F64)
        super().__init__(dtype, name)

    def zeros(self, outputs=None):
        return {name: np.zeros(len(self._all)) for name in self.state}

    def update_state(self, y_true, y_pred, sample_weight=None):
        y, p, w = triple(y_true, y_pred, sample_weight)
        outputs = p.shape[-1]
        if self.top_k is not None:
            if self.top_k > outputs:
                raise ValueError(f"top_k: expected at most the {outputs} outputs, received {self.top_k}")
            kept = np.zeros(p.shape, bool)
            np.put_along_axis(kept, np.argsort(-p, -1, kind="stable")[..., :self.top_k], True, -1)
            p = np.where(kept, p, p.dtype.type(LOWEST))
        if self.class_id is not None:
            if p.ndim < 2 or self.class_id >= outputs:
                raise ValueError(f"class_id: expected below the number of outputs, received {self.class_id} for predictions of shape "
                                 f"{checks.shape_text(p.shape)}")
            y, p, w = (a[..., self.class_id] for a in (y, p, w))
        order = np.argsort(self._all, kind="stable")
        found = dict(zip(("true_positives", "false_positives", "false_negatives", "true_negatives"), at_thresholds(self._all[order], y, p, w), strict=True))
        for name in self.state:
            vars(self)[name][order] += found[name]

    def _share(self, wrong):
        """true_positives as a share of these and the wrong ones; 0 where there are none."""
        found = divided(self.true_positives, self.true_positives + wrong)
        return float(found[0]) if len(found) == 1 else found

    def get_config(self):
        return {**super().get_config(), "thresholds": self.thresholds, "top_k": self.top_k, "class_id": self.class_id}


class Precision(Confusion):
    """How many of the positive predictions are right."""

    direction = "up"
    state = ("true_positives", "false_positives")

    def result(self):
        """A float, or an array with several thresholds; 0 where nothing was positive."""
        return self._share(self.false_positives)


class Recall(Confusion):
    """How many of the positive targets are found."""

    direction = "up"
    state = ("true_positives", "false_negatives")

    def result(self):
        """A float, or an array with several thresholds; 0 where there were none."""
        return self._share(self.false_negatives)


class _Count(Confusion):
    """One of the counts."""

    def __init__(self, thresholds=None, name=None, dtype=None):
        super().__init__(thresholds, None, None, name, dtype)

    def result(self):
        """A float, or an array with several thresholds."""
        found = getattr(self, self.state[0])
        return float(found[0]) if len(found) == 1 else found.copy()

    def get_config(self):
        return {name: value for name, value in super().get_config().items() if name not in ("top_k", "class_id")}


class TruePositives(_Count):
    """The weight of positive targets that are found."""

    state = ("true_positives",)


class FalsePositives(_Count):
    """The weight of positive predictions that are wrong."""

    state = ("false_positives",)


class TrueNegatives(_Count):
    """The weight of negative predictions that are right."""

    state = ("true_negatives",)


class FalseNegatives(_Count):
    """The weight of positive targets that are not found."""

    state = ("false_negatives",)


def share(value, name):
    """value as a float from 0 to 1."""
    value = checks.number(value, name)
    if not 0 <= value <= 1:
        raise ValueError(f"{name}: expected 0 to 1, received {value}")
    return value


def triple(y_true, y_pred, sample_weight):
    """Targets, predictions and weights of one shape."""
    y, p = alike(checks.plain(y_true, "y_true"), checks.plain(y_pred, "y_pred"))
    if p.ndim == 0:
        raise ValueError("y_pred: expected at least one axis, received a number")
    return y, floats(p), np.broadcast_to(1.0 if sample_weight is None else against(sample_weight, p.shape), p.shape)


def at_thresholds(thresholds, y, p, w):
    """(true positives, false positives, false negatives, true negatives) for each of the ascending thresholds."""
    some = w != 0
    y, p, w = y[some] != 0, p[some], w[some]
    below = np.searchsorted(thresholds.astype(p.dtype), p, "left")      # how many thresholds each prediction is above
    below[np.isnan(p)] = 0
    found = []
    for weights in (w * y, w * ~y):
        found.append(np.cumsum(np.bincount(below, weights, len(thresholds) + 1)[::-1])[::-1])       # [i + 1]: above threshold i; [0]: all
    (right, wrong) = found
    return right[1:], wrong[1:], right[0] - right[1:], wrong[0] - wrong[1:]


def divided(a, b):
    """a / b, 0 where b is 0."""
    a, b = np.broadcast_arrays(a, b)
    return np.divide(a, b, out=np.zeros(a.shape), where=b != 0)
