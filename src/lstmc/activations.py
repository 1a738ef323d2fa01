"""Keras' activation functions on NumPy arrays.

float32 and float64 stay what they are; other numbers become float32, as in Keras. exp, tanh and sigmoid are the package's own.
"""

import numpy as np

from lstmc import names
from lstmc.layers import activations as _of_layers
from lstmc.layers.casts import as_floats, own_float
from lstmc.nn import checks

__all__ = ["celu", "elu", "exponential", "gelu", "get", "hard_shrink", "hard_sigmoid", "hard_sigmoid_keras2", "hard_silu", "hard_swish", "hard_tanh",
           "leaky_relu", "linear", "log_sigmoid", "log_softmax", "mish", "relu", "relu6", "selu", "sigmoid", "silu", "soft_shrink", "softmax", "softplus",
           "softsign", "sparse_plus", "sparse_sigmoid", "squareplus", "swish", "tanh", "tanh_shrink"]


def _floats(x):
    return as_floats(x, own_float(x), "x")


def _made(name, doc):
    """The function of this name that has no arguments."""
    forward = _of_layers.get(name).forward

    def function(x):
        return forward(_floats(x))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function


linear = _made("linear", "x.")
sigmoid = _made("sigmoid", "1 / (1 + exp(-x)).")
hard_sigmoid = _made("hard_sigmoid", "x / 6 + 1/2, within 0 and 1.")
hard_sigmoid_keras2 = _made("hard_sigmoid_keras2", "0.2 x + 1/2, within 0 and 1: the hard_sigmoid of Keras 1 and 2.")
tanh = _made("tanh", "The hyperbolic tangent of x.")
exponential = _made("exponential", "exp(x).")
softsign = _made("softsign", "x / (1 + abs(x)).")
softplus = _made("softplus", "log(1 + exp(x)).")
selu = _made("selu", "1.0507... elu(x, 1.6732...).")
silu = swish = _made("silu", "x sigmoid(x).")
hard_silu = hard_swish = _made("hard_silu", "x hard_sigmoid(x).")
hard_tanh = _made("hard_tanh", "x, within -1 and 1.")
relu6 = _made("relu6", "x, within 0 and 6.")
mish = _made("mish", "x tanh(softplus(x)).")
log_sigmoid = _made("log_sigmoid", "log(sigmoid(x)).")
tanh_shrink = _made("tanh_shrink", "x - tanh(x).")
sparse_plus = _made("sparse_plus", "0 up to -1, (x + 1)^2 / 4 up to 1, x from there.")
sparse_sigmoid = _made("sparse_sigmoid", "(x + 1) / 2, within 0 and 1.")


def relu(x, negative_slope=0.0, max_value=None, threshold=0.0):
    """x from `threshold` up to at most `max_value`; negative_slope (x - threshold) below."""
    return _of_layers.relu(_floats(x), checks.number(negative_slope, "negative_slope"),
                           None if max_value is None else checks.number(max_value, "max_value"), checks.number(threshold, "threshold"))


def leaky_relu(x, negative_slope=0.2):
    """x, or negative_slope x below 0."""
    return relu(x, negative_slope)


def elu(x, alpha=1.0):
    """x, or alpha (exp(x) - 1) below 0."""
    return _of_layers.elu(_floats(x), checks.number(alpha, "alpha"))


def celu(x, alpha=1.0):
    """x, or alpha (exp(x / alpha) - 1) below 0."""
    return _of_layers.celu(_floats(x), checks.number(alpha, "alpha"))


def gelu(x, approximate=False):
    """x times the distribution function of the normal distribution at x; with `approximate`, by a tanh close to it."""
    return _of_layers.gelu(_floats(x), checks.flag(approximate, "approximate"))


def hard_shrink(x, threshold=0.5):
    """x where abs(x) > threshold, else 0."""
    return _of_layers.hard_shrink(_floats(x), checks.number(threshold, "threshold"))


def soft_shrink(x, threshold=0.5):
    """x moved by threshold towards 0, as far as 0."""
    return _of_layers.soft_shrink(_floats(x), checks.number(threshold, "threshold"))


def squareplus(x, b=4):
    """(x + sqrt(x^2 + b)) / 2."""
    return _of_layers.squareplus(_floats(x), checks.number(b, "b"))


def softmax(x, axis=-1):
    """exp(x) / sum exp(x) along an axis."""
    return _along("softmax", x, axis)


def log_softmax(x, axis=-1):
    """log(softmax(x)) along an axis."""
    return _along("log_softmax", x, axis)


def _along(name, x, axis):
    x = _floats(x)
    axis = checks.integer(axis, "axis", -x.ndim, x.ndim - 1)
    return np.moveaxis(_of_layers.get(name).forward(np.moveaxis(x, axis, -1)), -1, axis)


def get(identifier):
    """The function named `identifier`; None is linear, and a function is itself."""
    if callable(identifier):
        return identifier
    return globals()[_of_layers.get(identifier, "identifier").name]


__getattr__, __dir__ = names.face(__name__, __all__)
