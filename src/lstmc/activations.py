"""Keras' activation functions on NumPy arrays, as far as layers have them.

float32 and float64 stay what they are; other numbers become float32, as in Keras. exp, tanh and sigmoid are the package's own.
"""

import numpy as np

from lstmc import names
from lstmc.layers import activations as _of_layers
from lstmc.layers.casts import as_floats
from lstmc.nn import checks

__all__ = ["elu", "exponential", "get", "hard_sigmoid", "leaky_relu", "linear", "relu", "sigmoid", "softmax", "softsign", "tanh"]


def _floats(x):
    dtype = getattr(x, "dtype", None)
    return as_floats(x, np.dtype(np.float64 if dtype == np.float64 else np.float32), "x")


def linear(x):
    """x."""
    return _floats(x)


def relu(x, negative_slope=0.0, max_value=None, threshold=0.0):
    """x from `threshold` up to at most `max_value`; negative_slope (x - threshold) below."""
    x = _floats(x)
    slope, threshold = checks.number(negative_slope, "negative_slope"), checks.number(threshold, "threshold")
    y = np.where(x < threshold, slope * (x - threshold), x).astype(x.dtype, copy=False)
    return y if max_value is None else np.minimum(y, checks.number(max_value, "max_value"))


def leaky_relu(x, negative_slope=0.2):
    """x, or negative_slope x below 0."""
    return relu(x, negative_slope)


def elu(x, alpha=1.0):
    """x, or alpha (exp(x) - 1) below 0."""
    return _of_layers.elu(_floats(x), checks.number(alpha, "alpha"))


def sigmoid(x):
    """1 / (1 + exp(-x))."""
    return _of_layers.get("sigmoid").forward(_floats(x))


def hard_sigmoid(x):
    """x / 6 + 1/2, within 0 and 1."""
    return _of_layers.get("hard_sigmoid").forward(_floats(x))


def tanh(x):
    """The hyperbolic tangent."""
    return _of_layers.get("tanh").forward(_floats(x))


def exponential(x):
    """exp(x)."""
    return _of_layers.get("exponential").forward(_floats(x))


def softsign(x):
    """x / (1 + |x|)."""
    return _of_layers.get("softsign").forward(_floats(x))


def softmax(x, axis=-1):
    """exp(x) / sum exp(x) along an axis."""
    x = _floats(x)
    axis = checks.integer(axis, "axis", -x.ndim, x.ndim - 1)
    return np.moveaxis(_of_layers.get("softmax").forward(np.moveaxis(x, axis, -1)), -1, axis)


def get(identifier):
    """The function of a name; None is linear, and a function is itself."""
    if callable(identifier):
        return identifier
    return globals()[_of_layers.get(identifier, "identifier").name]


__getattr__, __dir__ = names.face(__name__, __all__)
