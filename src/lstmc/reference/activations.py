"""The activation functions, each with its derivative, and the clip of what goes into them.

A setting is a name, (name, alpha) or (name, alpha, beta); the functions are the eleven of ONNX with its default
parameters, and `linear`. `y` is the function's value at `a`::

                        y                                 dy/da              alpha, beta
    relu                max(0, a)                         1 if y > 0
    tanh                tanh(a)                           1 - y^2
    sigmoid             1 / (1 + exp(-a))                 y (1 - y)
    affine              alpha a + beta                    alpha              1, 0
    leaky_relu          a if a > 0 else alpha a           1 if y > 0 else alpha          0.01
    thresholded_relu    a if a > alpha else 0             1 if y != 0        1
    scaled_tanh         alpha tanh(beta a)                beta (alpha - y^2 / alpha)     1, 1
    hard_sigmoid        max(0, min(1, alpha a + beta))    alpha if 0 < y < 1             0.2, 0.5
    elu                 a if a > 0 else alpha (exp(a)-1)  1 if y > 0 else y + alpha      1
    softsign            a / (1 + |a|)                     (1 - |y|)^2
    softplus            log(1 + exp(a))                   1 - exp(-y)
    linear              a                                 1

Every derivative is a function of y alone, so a tape keeps y and not a. That is possible for all of them because
leaky_relu and elu are asked for alpha >= 0 and scaled_tanh for alpha != 0; at a kink y decides as the table
says. (thresholded_relu with alpha < 0 has y = 0 at a = 0 too, and its derivative there is taken as 0.)

The hard_sigmoid of Keras 2 is the default one; that of Keras 3 is ("hard_sigmoid", 1/6, 0.5).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Activation(NamedTuple):
    """A function `of` a and its `slope` as a function of the value y."""

    of: Callable
    slope: Callable


def sigmoid(a):
    """1 / (1 + exp(-a)), with the exponential only ever taken of a number <= 0 so that it cannot overflow."""
    e = np.exp(-np.abs(a))
    return np.where(a >= 0, 1.0, e) / (1.0 + e)


def softplus(a):
    """log(1 + exp(a)), without overflow for the same reason."""
    return np.maximum(a, 0.0) + np.log1p(np.exp(-np.abs(a)))


def elu(a, alpha):
    """The exponential is only taken where it is used, so that it cannot overflow."""
    return np.where(a > 0, a, alpha * np.expm1(np.minimum(a, 0.0)))


# name: (default parameters, of, slope)
_FUNCTIONS = {
    "relu": ((), lambda a: np.maximum(a, 0.0), lambda y: np.where(y > 0, 1.0, 0.0)),
    "tanh": ((), np.tanh, lambda y: 1.0 - y**2),
    "sigmoid": ((), sigmoid, lambda y: y * (1.0 - y)),
    "affine": ((1.0, 0.0), lambda a, p, q: p * a + q, lambda y, p, q: np.full_like(y, p)),
    "leaky_relu": ((0.01,), lambda a, p: np.where(a > 0, a, p * a), lambda y, p: np.where(y > 0, 1.0, p)),
    "thresholded_relu": ((1.0,), lambda a, p: np.where(a <= p, 0.0, a), lambda y, p: np.where(y != 0, 1.0, 0.0)),
    "scaled_tanh": ((1.0, 1.0), lambda a, p, q: p * np.tanh(q * a), lambda y, p, q: q * (p - y**2 / p)),
    "hard_sigmoid": ((0.2, 0.5), lambda a, p, q: np.clip(p * a + q, 0.0, 1.0),
                     lambda y, p, q: np.where((y > 0) & (y < 1), p, 0.0)),
    "elu": ((1.0,), elu, lambda y, p: np.where(y > 0, 1.0, y + p)),
    "softsign": ((), lambda a: a / (1.0 + np.abs(a)), lambda y: (1.0 - np.abs(y)) ** 2),
    "softplus": ((), softplus, lambda y: -np.expm1(-y)),
    "linear": ((), lambda a: 1.0 * a, np.ones_like),
}


def activation(setting):
    """The Activation of a setting: a name, (name, alpha) or (name, alpha, beta)."""
    name, *given = (setting,) if isinstance(setting, str) else tuple(setting)
    if name not in _FUNCTIONS:
        raise ValueError(f"activation must be one of {sorted(_FUNCTIONS)}, got {name!r}")
    defaults, of, slope = _FUNCTIONS[name]
    if len(given) > len(defaults):
        raise ValueError(f"activation {name} takes {len(defaults)} parameters, got {len(given)}")
    values = (*map(float, given), *defaults[len(given):])
    if name in ("leaky_relu", "elu") and values[0] < 0:
        raise ValueError(f"activation {name} must have alpha >= 0, got {values[0]}")
    if name == "scaled_tanh" and values[0] == 0:
        raise ValueError("activation scaled_tanh must have alpha != 0")
    return Activation(lambda a: of(a, *values), lambda y: slope(y, *values))


def activations(settings, count):
    """`count` Activations, one for each setting."""
    if isinstance(settings, str) or len(settings) != count:
        raise ValueError(f"activations must be {count} settings, got {settings!r}")
    return tuple(map(activation, settings))


def clipped(a, clip):
    """a within [-clip, clip]; clip = inf changes nothing."""
    return np.clip(a, -clip, clip)


def passes(a, clip):
    """1 where a clip lets the gradient through, 0 where |a| > clip."""
    return np.where(np.abs(a) > clip, 0.0, 1.0)
