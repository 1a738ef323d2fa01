"""Metrics by Keras' names: what training reports beside the loss.

A metric takes in batches and has a result. `base.py` says what a metric is and how weights count; the others are in `accuracies.py`,
`errors.py`, `confusion.py`, `auc.py`, `scores.py`, and `wrapper.py` makes one of a function. Training passes the mask of the predictions as
weights, so that masked steps count in no metric; sample weights are not applied, as with Keras' `metrics=`.
"""

from lstmc import losses, names
from lstmc.metrics.accuracies import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
)
from lstmc.metrics.auc import AUC
from lstmc.metrics.base import LossMean as LossMean
from lstmc.metrics.base import Mean, Metric, Sum
from lstmc.metrics.confusion import FalseNegatives, FalsePositives, Precision, Recall, TrueNegatives, TruePositives
from lstmc.metrics.errors import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalHinge,
    CosineSimilarity,
    Hinge,
    KLDivergence,
    LogCoshError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    RootMeanSquaredError,
    SparseCategoricalCrossentropy,
    SquaredHinge,
)
from lstmc.metrics.scores import F1Score, FBetaScore, R2Score
from lstmc.metrics.wrapper import FUNCTIONS, MeanMetricWrapper
from lstmc.reprs import default_name

_PAIRS = (Accuracy, BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy, TopKCategoricalAccuracy, SparseTopKCategoricalAccuracy,
          MeanSquaredError, RootMeanSquaredError, MeanAbsoluteError, MeanAbsolutePercentageError, MeanSquaredLogarithmicError, LogCoshError,
          CosineSimilarity, R2Score, AUC, Precision, Recall, TruePositives, FalsePositives, TrueNegatives, FalseNegatives, F1Score, FBetaScore,
          Hinge, SquaredHinge, CategoricalHinge, Poisson, KLDivergence, BinaryCrossentropy, CategoricalCrossentropy,
          SparseCategoricalCrossentropy)
CLASSES = {c.__name__: c for c in (*_PAIRS, MeanMetricWrapper, Mean, Sum)}
_SHORT = {"mse": MeanSquaredError, "mae": MeanAbsoluteError, "mape": MeanAbsolutePercentageError, "msle": MeanSquaredLogarithmicError,
          "bce": BinaryCrossentropy}
_BY_NAME = {default_name(c.__name__): c for c in _PAIRS} | _SHORT | {name.upper(): c for name, c in _SHORT.items()} | {c.__name__: c for c in _PAIRS}
_CHOSEN = ("accuracy", "acc")       # by the targets


def _chosen(identifier):
    return isinstance(identifier, str) and identifier.lower() in _CHOSEN


def check(identifier):
    """identifier, if `get` knows it."""
    if isinstance(identifier, Metric):
        if type(identifier) in (Mean, Sum):
            raise TypeError(f"metrics: expected metrics of targets and predictions, received {identifier!r}, which takes values; "
                            "MeanMetricWrapper makes one of a function")
        return identifier
    if isinstance(identifier, type) and issubclass(identifier, Metric):
        return check(identifier())
    if callable(identifier) or _chosen(identifier):
        return identifier
    if not isinstance(identifier, str) or identifier not in _BY_NAME:
        known = ", ".join(dict.fromkeys((*_CHOSEN, *(name for name in _BY_NAME if name.islower()))))
        raise ValueError(f"metrics: expected names from {known}, functions or lstmc.metrics objects, received {identifier!r}")
    return identifier


def get(identifier, y=None, shape=None):
    """A Metric from an `identifier`: its name, its class, a Metric or a function; "accuracy" depends on the targets y and the shape of predictions."""
    identifier = check(identifier)
    if isinstance(identifier, Metric):
        return identifier
    if callable(identifier):
        return MeanMetricWrapper(identifier, getattr(identifier, "__name__", type(identifier).__name__))
    if not _chosen(identifier):
        return _BY_NAME[identifier](name=identifier)
    if y is None:
        raise ValueError(f"y: expected targets, which {identifier!r} depends on, received None")
    if shape[-1] == 1:
        return BinaryAccuracy(identifier)
    sparse = y.ndim < len(shape) or y.shape[-1] == 1
    return (SparseCategoricalAccuracy if sparse else CategoricalAccuracy)(identifier)


globals().update(FUNCTIONS | losses.SHORT)      # Keras has its functions here, too

__all__ = [*CLASSES, *FUNCTIONS, *losses.SHORT, "Metric", "get"]

__getattr__, __dir__ = names.face(__name__, __all__)
