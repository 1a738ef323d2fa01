"""Keras' loss functions: the values per sample of the loss of the same name with these settings, in the dtype of the predictions."""

from lstmc.losses import crossentropy, focal, margins, probabilistic, regression, temporal
from lstmc.losses.base import per_sample


def mean_squared_error(y_true, y_pred):
    """Values of `MeanSquaredError`, (B, ...), for y_true and y_pred."""
    return per_sample(regression.MeanSquaredError(), y_true, y_pred)


def mean_absolute_error(y_true, y_pred):
    """Values of `MeanAbsoluteError`, (B, ...), for y_true and y_pred."""
    return per_sample(regression.MeanAbsoluteError(), y_true, y_pred)


def mean_absolute_percentage_error(y_true, y_pred):
    """Values of `MeanAbsolutePercentageError`, (B, ...), for y_true and y_pred."""
    return per_sample(regression.MeanAbsolutePercentageError(), y_true, y_pred)


def mean_squared_logarithmic_error(y_true, y_pred):
    """Values of `MeanSquaredLogarithmicError`, (B, ...), for y_true and y_pred."""
    return per_sample(regression.MeanSquaredLogarithmicError(), y_true, y_pred)


def huber(y_true, y_pred, delta=1.0):
    """Values of `Huber`, (B, ...), for y_true and y_pred."""
    return per_sample(regression.Huber(delta), y_true, y_pred)


def log_cosh(y_true, y_pred):
    """Values of `LogCosh`, (B, ...), for y_true and y_pred."""
    return per_sample(regression.LogCosh(), y_true, y_pred)


def cosine_similarity(y_true, y_pred, axis=-1):
    """Values of `CosineSimilarity`, (B, ...), for y_true and y_pred."""
    return per_sample(regression.CosineSimilarity(axis), y_true, y_pred)


def quantile(y_true, y_pred, quantile=None, quantiles=None):
    """Values of `Quantile`, (B, ...), for y_true and y_pred."""
    return per_sample(regression.Quantile(quantile, quantiles), y_true, y_pred)


def hinge(y_true, y_pred):
    """Values of `Hinge`, (B, ...), for y_true and y_pred."""
    return per_sample(margins.Hinge(), y_true, y_pred)


def squared_hinge(y_true, y_pred):
    """Values of `SquaredHinge`, (B, ...), for y_true and y_pred."""
    return per_sample(margins.SquaredHinge(), y_true, y_pred)


def categorical_hinge(y_true, y_pred):
    """Values of `CategoricalHinge`, (B, ...), for y_true and y_pred."""
    return per_sample(margins.CategoricalHinge(), y_true, y_pred)


def poisson(y_true, y_pred):
    """Values of `Poisson`, (B, ...), for y_true and y_pred."""
    return per_sample(probabilistic.Poisson(), y_true, y_pred)


def kl_divergence(y_true, y_pred):
    """Values of `KLDivergence`, (B, ...), for y_true and y_pred."""
    return per_sample(probabilistic.KLDivergence(), y_true, y_pred)


def binary_crossentropy(y_true, y_pred, from_logits=False, label_smoothing=0.0, axis=-1):
    """Values of `BinaryCrossentropy`, (B, ...), for y_true and y_pred."""
    return per_sample(crossentropy.BinaryCrossentropy(from_logits, label_smoothing, axis), y_true, y_pred)


def categorical_crossentropy(y_true, y_pred, from_logits=False, label_smoothing=0.0, axis=-1):
    """Values of `CategoricalCrossentropy`, (B, ...), for y_true and y_pred."""
    return per_sample(crossentropy.CategoricalCrossentropy(from_logits, label_smoothing, axis), y_true, y_pred)


def sparse_categorical_crossentropy(y_true, y_pred, from_logits=False, ignore_class=None, axis=-1):
    """Values of `SparseCategoricalCrossentropy`, (B, ...), for y_true and y_pred."""
    return per_sample(crossentropy.SparseCategoricalCrossentropy(from_logits, ignore_class, axis=axis), y_true, y_pred)


def binary_focal_crossentropy(y_true, y_pred, apply_class_balancing=False, alpha=0.25, gamma=2.0, from_logits=False, label_smoothing=0.0, axis=-1):
    """Values of `BinaryFocalCrossentropy`, (B, ...), for y_true and y_pred."""
    return per_sample(focal.BinaryFocalCrossentropy(apply_class_balancing, alpha, gamma, from_logits, label_smoothing, axis), y_true, y_pred)


def categorical_focal_crossentropy(y_true, y_pred, alpha=0.25, gamma=2.0, from_logits=False, label_smoothing=0.0, axis=-1):
    """Values of `CategoricalFocalCrossentropy`, (B, ...), for y_true and y_pred."""
    return per_sample(focal.CategoricalFocalCrossentropy(alpha, gamma, from_logits, label_smoothing, axis), y_true, y_pred)


def ctc(y_true, y_pred):
    """Values of `CTC`, (B, ...), for y_true and y_pred."""
    return per_sample(temporal.CTC(), y_true, y_pred)
