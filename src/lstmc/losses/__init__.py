"""Losses by Keras' names and equations: the value per sample, and its gradient with respect to the predictions.

Each is a class, `Huber(delta=2.0)`; a function of (y_true, y_pred) that gives the value of each sample, `huber`; and a name for `compile`,
"huber". `base.py` says what a loss is; the others are in `regression.py`, `margins.py`, `probabilistic.py`, `crossentropy.py`, `focal.py`,
`temporal.py`, and `functions.py`. The model applies sample weights and masks.
"""

from lstmc import names
from lstmc.losses.base import Loss
from lstmc.losses.crossentropy import BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy
from lstmc.losses.focal import BinaryFocalCrossentropy, CategoricalFocalCrossentropy
from lstmc.losses.functions import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_hinge,
    cosine_similarity,
    ctc,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    quantile,
    sparse_categorical_crossentropy,
    squared_hinge,
)
from lstmc.losses.margins import CategoricalHinge, Hinge, SquaredHinge
from lstmc.losses.probabilistic import KLDivergence, Poisson
from lstmc.losses.regression import (
    CosineSimilarity,
    Huber,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Quantile,
)
from lstmc.losses.temporal import CTC

# Each function, which gives the values per sample, and its class.
FUNCTIONS = {
    mean_squared_error: MeanSquaredError, mean_absolute_error: MeanAbsoluteError, mean_absolute_percentage_error: MeanAbsolutePercentageError,
    mean_squared_logarithmic_error: MeanSquaredLogarithmicError, huber: Huber, log_cosh: LogCosh, cosine_similarity: CosineSimilarity,
    quantile: Quantile, hinge: Hinge, squared_hinge: SquaredHinge, categorical_hinge: CategoricalHinge, poisson: Poisson,
    kl_divergence: KLDivergence, binary_crossentropy: BinaryCrossentropy, categorical_crossentropy: CategoricalCrossentropy,
    sparse_categorical_crossentropy: SparseCategoricalCrossentropy, binary_focal_crossentropy: BinaryFocalCrossentropy,
    categorical_focal_crossentropy: CategoricalFocalCrossentropy, ctc: CTC,
}
CLASSES = {c.__name__: c for c in FUNCTIONS.values()}
SHORT = {"mse": mean_squared_error, "mae": mean_absolute_error, "mape": mean_absolute_percentage_error, "msle": mean_squared_logarithmic_error,
         "bce": binary_crossentropy, "kld": kl_divergence}
SHORT |= {name.upper(): f for name, f in SHORT.items()}
_BY_NAME = {f.__name__: c for f, c in FUNCTIONS.items()} | {name: FUNCTIONS[f] for name, f in SHORT.items()} | CLASSES
_CHOSEN = ("crossentropy", "ce")        # by the targets

globals().update(SHORT)


def chosen(identifier):
    """Whether it is a name that stands for a cross-entropy which targets and predictions choose."""
    return isinstance(identifier, str) and identifier.lower() in _CHOSEN


def check(identifier):
    """What compile keeps: a Loss, or the name of one that is yet to be chosen."""
    return identifier if chosen(identifier) else get(identifier)


def get(identifier, y=None, shape=None):
    """A Loss from an `identifier`: name, class, function of this module, or Loss; "crossentropy" depends on the targets y and the shape of predictions."""
    if chosen(identifier):
        if y is None:
            raise ValueError(f"loss: expected one that does not depend on targets, such as 'binary_crossentropy', received {identifier!r}")
        sparse = y.ndim < len(shape) or y.shape[-1] == 1
        return BinaryCrossentropy() if shape[-1] == 1 else SparseCategoricalCrossentropy() if sparse else CategoricalCrossentropy()
    if isinstance(identifier, Loss):
        return identifier
    if isinstance(identifier, type) and issubclass(identifier, Loss):
        return identifier()
    if callable(identifier):
        for function, kind in FUNCTIONS.items():
            if identifier is function:
                return kind()
        raise TypeError(f"loss: expected a name or an lstmc.losses.Loss, received {identifier!r}; a function of (y_true, y_pred) has no "
                        "gradient: a subclass of Loss gives `values` and `gradient`")
    if not isinstance(identifier, str) or identifier not in _BY_NAME:
        raise ValueError(f"loss: expected one of {', '.join((*(name for name in _BY_NAME if name.islower()), *_CHOSEN))}, received {identifier!r}")
    return _BY_NAME[identifier]()


__all__ = [*CLASSES, *(f.__name__ for f in FUNCTIONS), *SHORT, "Loss", "get"]

__getattr__, __dir__ = names.face(__name__, __all__)
