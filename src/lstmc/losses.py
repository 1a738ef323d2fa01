"""Losses by Keras' names and equations: the value per sample, and its gradient with respect to the predictions.

Predictions have shape (B, ..., C); a loss gives one value for each of (B, ...). Values are computed in float64
for the report; gradients in the dtype of the predictions. The model divides by the number of values and applies
sample weights and masks.

Reported probabilities are clipped to [1e-7, 1 - 1e-7] as in Keras. Where the model ends in the matching activation,
gradients are taken with respect to its input (softmax: p - y), which neither clips nor divides.
"""

import numpy as np

from lstmc import names
from lstmc.layers import activations
from lstmc.layers.base import default_name, text_name
from lstmc.layers.casts import as_floats
from lstmc.nn import checks

EPSILON = 1e-7


class Loss:
    """Base class: `targets`, `values` and `gradient` define a loss.

    Attributes
    ----------
    fuses : str or None
        Activation whose input `gradient(..., fused=True)` refers to.
    uses_mask : bool
        Whether `values` and `gradient` also take `mask=`, that of the predictions or None, instead of being multiplied by it.
    """

    fuses = None
    uses_mask = False

    def __init__(self, name=None):
        self.name = text_name(name, self)

    def targets(self, y, shape, dtype):
        """y as the array that `values` expects for predictions of this shape, or an error."""
        return same_shape(as_floats(y, dtype, "y"), shape)

    def values(self, y, p):
        """(B, ...) float64 losses of targets y and predictions p (B, ..., C)."""
        raise NotImplementedError

    def gradient(self, y, p, fused=False):
        """d values / d p, or with respect to the input of the activation `fuses`; shaped like p."""
        raise NotImplementedError

    def __call__(self, y_true, y_pred, sample_weight=None):
        """The mean over samples, weighted by `sample_weight`, as a float."""
        p = checks.plain(y_pred, "y_pred")
        p = p if p.dtype in (np.float32, np.float64) else as_floats(p, np.float32, "y_pred")
        values = self.values(self.targets(y_true, p.shape, p.dtype), p)
        if sample_weight is not None:
            values = values * spread(checks.plain(sample_weight, "sample_weight").astype(np.float64), values.shape)
        return float(values.mean()) if values.size else 0.0

    def get_config(self):
        return dict(vars(self))


def same_shape(y, shape):
    """y with the shape of the predictions: a last axis of 1 may be missing or extra."""
    if y.ndim + 1 == len(shape) and shape[-1] == 1:
        y = y[..., None]
    if y.shape != tuple(shape):
        raise ValueError(f"y: expected shape {checks.shape_text(shape)} of the model's output, "
                         f"received {checks.shape_text(y.shape)}")
    return y


def spread(weights, shape):
    """Weights of samples, or of samples and steps, against values of this shape."""
    if weights.ndim > 1 and weights.shape[-1] == 1 and weights.shape != tuple(shape):
        weights = weights[..., 0]
    if weights.ndim == 0 or weights.shape != tuple(shape[:weights.ndim]):
        raise ValueError(f"sample_weight: expected shape ({shape[0]},) or {checks.shape_text(shape)}, "
                         f"received {checks.shape_text(weights.shape)}")
    return weights.reshape(weights.shape + (1,) * (len(shape) - weights.ndim))


class MeanSquaredError(Loss):
    """mean of (p - y)^2 over the last axis."""

    def values(self, y, p):
        return np.square(p.astype(np.float64) - y).mean(-1)

    def gradient(self, y, p, fused=False):
        return (p - y) * p.dtype.type(2 / p.shape[-1])


class MeanAbsoluteError(Loss):
    """mean of abs(p - y) over the last axis."""

    def values(self, y, p):
        return np.abs(p.astype(np.float64) - y).mean(-1)

    def gradient(self, y, p, fused=False):
        return np.sign(p - y) * p.dtype.type(1 / p.shape[-1])


class BinaryCrossentropy(Loss):
    """mean of -(y log p + (1 - y) log(1 - p)) over the last axis.

    Parameters
    ----------
    from_logits : bool
        Predictions are z with p = sigmoid(z).
    label_smoothing : float
        s moves targets to y (1 - s) + s / 2.
    """

    def __init__(self, from_logits=False, label_smoothing=0.0, name=None):
        super().__init__(name)
        self.from_logits = checks.flag(from_logits, "from_logits")
        self.label_smoothing = checks.probability(label_smoothing, "label_smoothing")

    @property
    def fuses(self):
        return None if self.from_logits else "sigmoid"

    def targets(self, y, shape, dtype):
        y = super().targets(y, shape, dtype)
        check_range(y, "binary_crossentropy")
        return y * dtype.type(1 - self.label_smoothing) + dtype.type(self.label_smoothing / 2)

    def values(self, y, p):
        p = p.astype(np.float64)
        if self.from_logits:
            # max(z, 0) - z y + log(1 + exp(-|z|)): no overflow for any z
            return (np.maximum(p, 0) - p * y + np.log1p(np.exp(-np.abs(p)))).mean(-1)
        p = np.clip(p, EPSILON, 1 - EPSILON)
        return -(y * np.log(p) + (1 - y) * np.log1p(-p)).mean(-1)

    def gradient(self, y, p, fused=False):
        share = p.dtype.type(1 / p.shape[-1])
        if self.from_logits:
            return (activations.get("sigmoid").forward(p) - y) * share
        if fused:
            return (p - y) * share
        inside = (p > EPSILON) & (p < 1 - EPSILON)
        q = np.clip(p, EPSILON, 1 - EPSILON)
        return np.where(inside, (q - y) / (q * (1 - q)) * share, 0).astype(p.dtype)


class CategoricalCrossentropy(Loss):
    """-sum of y log p over the last axis, p scaled to sum to 1.

    Parameters
    ----------
    from_logits : bool
        Predictions are z with p = softmax(z).
    label_smoothing : float
        s moves targets to y (1 - s) + s / C.
    """

    def __init__(self, from_logits=False, label_smoothing=0.0, name=None):
        super().__init__(name)
        self.from_logits = checks.flag(from_logits, "from_logits")
        self.label_smoothing = checks.probability(label_smoothing, "label_smoothing")

    @property
    def fuses(self):
        return None if self.from_logits else "softmax"

    def targets(self, y, shape, dtype):
        y = as_floats(y, dtype, "y")
        if y.shape != tuple(shape):
            raise ValueError(f"y: expected one-hot targets of shape {checks.shape_text(shape)}, received "
                             f"{checks.shape_text(y.shape)}; sparse_categorical_crossentropy takes integer labels")
        check_range(y, "categorical_crossentropy")
        return y * dtype.type(1 - self.label_smoothing) + dtype.type(self.label_smoothing / shape[-1])

    def values(self, y, p):
        return -(y * log_probabilities(p, self.from_logits)).sum(-1)

    def gradient(self, y, p, fused=False):
        total = y.sum(-1, keepdims=True)
        if self.from_logits:
            return activations.get("softmax").forward(p) * total - y
        if fused:
            return p * total - y
        s = p.sum(-1, keepdims=True)
        kept = np.where((p > EPSILON * s) & (p < (1 - EPSILON) * s), y, 0)
        return (kept.sum(-1, keepdims=True) / s - kept / np.maximum(p, EPSILON * s)).astype(p.dtype)


class SparseCategoricalCrossentropy(Loss):
    """-log of the probability of the true class, given as an integer label.

    Parameters
    ----------
    from_logits : bool
        Predictions are z with p = softmax(z).
    """

    def __init__(self, from_logits=False, name=None):
        super().__init__(name)
        self.from_logits = checks.flag(from_logits, "from_logits")

    @property
    def fuses(self):
        return None if self.from_logits else "softmax"

    def targets(self, y, shape, dtype):
        return labels(y, shape)

    def values(self, y, p):
        return -np.take_along_axis(log_probabilities(p, self.from_logits), y[..., None], -1)[..., 0]

    def gradient(self, y, p, fused=False):
        where = y[..., None]
        if self.from_logits or fused:
            d = activations.get("softmax").forward(p) if self.from_logits else p.copy()
            np.put_along_axis(d, where, np.take_along_axis(d, where, -1) - 1, -1)
            return d
        one_hot = np.zeros_like(p)
        np.put_along_axis(one_hot, where, 1, -1)
        return CategoricalCrossentropy().gradient(one_hot, p)


def labels(y, shape):
    """Integer labels (B, ...) for predictions of shape (B, ..., C)."""
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
    if a.size and (a.min() < 0 or a.max() >= shape[-1]):
        raise ValueError(f"y: expected labels from 0 to {shape[-1] - 1} for {shape[-1]} outputs, "
                         f"received values from {a.min()} to {a.max()}")
    return a.astype(np.intp)


def check_range(y, loss):
    """Targets of a cross-entropy are probabilities."""
    if y.size and not (y.min() >= 0 and y.max() <= 1):
        raise ValueError(f"y: expected values from 0 to 1 for {loss}, received values from {y.min()} to {y.max()}")


def log_probabilities(p, from_logits):
    """float64 log of softmax(p), or of p scaled to sum to 1 and clipped."""
    p = p.astype(np.float64)
    if from_logits:
        p -= p.max(-1, keepdims=True, initial=-np.inf)
        return p - np.log(np.exp(p).sum(-1, keepdims=True))
    return np.log(np.clip(p / p.sum(-1, keepdims=True), EPSILON, 1 - EPSILON))


_ALL = (MeanSquaredError, MeanAbsoluteError, BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy)
_BY_NAME = {default_name(c.__name__): c for c in _ALL} | {"mse": MeanSquaredError, "mae": MeanAbsoluteError}
CLASSES = {c.__name__: c for c in _ALL}


def get(identifier):
    """A Loss from its name or a Loss."""
    if isinstance(identifier, Loss):
        return identifier
    if callable(identifier):
        raise TypeError(f"loss: expected a name or an lstmc.losses.Loss, received {identifier!r}; "
                        "a subclass of Loss gives its own gradient")
    if not isinstance(identifier, str) or identifier not in _BY_NAME:
        raise ValueError(f"loss: expected one of {', '.join(_BY_NAME)}, received {identifier!r}")
    return _BY_NAME[identifier]()


__all__ = [*CLASSES, "Loss", "get"]

__getattr__, __dir__ = names.face(__name__, __all__)
