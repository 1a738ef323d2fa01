"""The area under a curve, from counts at many thresholds."""

import numpy as np

from lstmc.layers import activations
from lstmc.losses.base import EPSILON
from lstmc.metrics.base import Metric
from lstmc.metrics.confusion import at_thresholds, divided, share, triple
from lstmc.nn import checks

CURVES, METHODS = ("ROC", "PR"), ("interpolation", "minoring", "majoring")


class AUC(Metric):
    """The area under the curve of true positives over false ones, or of precision over recall; predictions are probabilities.

    Parameters
    ----------
    num_thresholds : int
        At which the curve is drawn, evenly spaced.
    curve : {"ROC", "PR"}
    summation_method : {"interpolation", "minoring", "majoring"}
        What is between two points.
    name : str, optional
    dtype : {"float32", "float64"}, optional
        As of `Metric`.
    thresholds : sequence of float, optional
        Others, from 0 to 1, instead of `num_thresholds`.
    multi_label : bool
        Whether each output has a curve of its own, of whose areas the mean is taken.
    num_labels : int, optional
        Number of outputs, with multi_label; that of the first batch if None.
    label_weights : sequence of float, optional
        Weights of the outputs.
    from_logits : bool
        Predictions are z with p = sigmoid(z).
    """

    direction = "up"
    state = ("true_positives", "false_positives", "false_negatives", "true_negatives")

    def __init__(self, num_thresholds=200, curve="ROC", summation_method="interpolation", name=None, dtype=None, thresholds=None,
                 multi_label=False, num_labels=None, label_weights=None, from_logits=False):
        inner, self.thresholds = None, None
        if thresholds is not None:
            inner = self.thresholds = sorted(_numbers(thresholds, "thresholds", share))
        self.num_thresholds = checks.integer(num_thresholds, "num_thresholds", 2, 10**6) if inner is None else len(inner) + 2
        if inner is None:
            inner = [(i + 1) / (self.num_thresholds - 1) for i in range(self.num_thresholds - 2)]
        self._all = np.array([-EPSILON, *inner, 1 + EPSILON])
        self.curve = _one_of(curve, "curve", CURVES, str.upper)
        self.summation_method = _one_of(summation_method, "summation_method", METHODS, str.lower)
        self.multi_label, self.from_logits = checks.flag(multi_label, "multi_label"), checks.flag(from_logits, "from_logits")
        self.num_labels = None if num_labels is None else checks.integer(num_labels, "num_labels", 1)
        if num_labels is not None and not self.multi_label:
            raise ValueError(f"num_labels: expected None without multi_label=True, received {num_labels}")
        self.label_weights = None if label_weights is None else _numbers(label_weights, "label_weights", checks.number)
        super().__init__(dtype, name)

    def zeros(self, outputs=None):
        outputs = self.num_labels if self.num_labels is not None else outputs
        shape = (self.num_thresholds, outputs) if self.multi_label else (self.num_thresholds,)
        return {name: None if None in shape else np.zeros(shape) for name in self.state}

    def update_state(self, y_true, y_pred, sample_weight=None):
        y, p, w = triple(y_true, y_pred, sample_weight)
        if self.label_weights is not None and p.shape[-1:] != (len(self.label_weights),):
            raise ValueError(f"label_weights: expected one for each of the {p.shape[-1]} outputs, received {len(self.label_weights)}")
        if self.from_logits:
            p = activations.get("sigmoid").forward(p)
        p = np.clip(p, 0, 1)
        if self.multi_label:
            if p.ndim < 2:
                raise ValueError(f"y_pred: expected shape (B, C) with multi_label=True, received {checks.shape_text(p.shape)}")
            if self.num_labels not in (None, p.shape[-1]):
                raise ValueError(f"num_labels: expected the {p.shape[-1]} outputs, received {self.num_labels}")
            self.start(p.shape[-1])
            each = [at_thresholds(self._all, y[..., i], p[..., i], w[..., i]) for i in range(p.shape[-1])]
            found = [np.stack(counts, -1) for counts in zip(*each, strict=True)]
        else:
            found = at_thresholds(self._all, y, p, w if self.label_weights is None else w * self.label_weights)
        for name, counts in zip(self.state, found, strict=True):
            setattr(self, name, getattr(self, name) + counts)

    def result(self):
        """The area so far, 0 if nothing was seen."""
        if self.true_positives is None:
            return 0.0
        tp, fp, fn, tn = self.true_positives, self.false_positives, self.false_negatives, self.true_negatives
        recall = divided(tp, tp + fn)
        if self.curve == "PR" and self.summation_method == "interpolation":
            terms = self._between(tp, fp, fn)
        else:
            x, y = (divided(fp, fp + tn), recall) if self.curve == "ROC" else (recall, divided(tp, tp + fp))
            middle = {"interpolation": lambda a, b: (a + b) / 2, "minoring": np.minimum, "majoring": np.maximum}[self.summation_method]
            terms = (x[:-1] - x[1:]) * middle(y[:-1], y[1:])
        areas = terms.sum(0)
        if not self.multi_label:
            return float(areas)
        if self.label_weights is None:
            return float(areas.mean())
        return float(divided((areas * self.label_weights).sum(), sum(self.label_weights)))

    @staticmethod
    def _between(tp, fp, fn):
        """Areas between points of precision over recall, where true positives are a line of all positives (Davis and Goadrich 2006)."""
        found, right = tp + fp, tp[:-1] - tp[1:]
        slope = divided(right, np.maximum(found[:-1] - found[1:], 0))
        intercept = tp[1:] - slope * found[1:]
        both = (found[:-1] > 0) & (found[1:] > 0)
        ratio = np.divide(found[:-1], found[1:], out=np.ones(both.shape), where=both)
        return divided(slope * (right + intercept * np.log(ratio)), np.maximum(tp[1:] + fn[1:], 0))

    def get_config(self):
        return {**super().get_config(), "num_thresholds": self.num_thresholds, "curve": self.curve, "summation_method": self.summation_method,
                "thresholds": self.thresholds, "multi_label": self.multi_label, "num_labels": self.num_labels,
                "label_weights": self.label_weights, "from_logits": self.from_logits}


def _numbers(values, name, check):
    if not isinstance(values, (list, tuple, np.ndarray)) or np.ndim(values) != 1:
        raise TypeError(f"{name}: expected a sequence of numbers, received {values!r}")
    return [check(v, name) for v in values]


def _one_of(value, name, known, case):
    found = case(value) if isinstance(value, str) else None
    if found not in known:
        raise ValueError(f"{name}: expected one of {', '.join(known)}, received {value!r}")
    return found
