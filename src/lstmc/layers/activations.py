"""Activation functions on whole arrays: value, and gradient from the value or from the argument.

exp, tanh and sigmoid are the package's own, so that bits do not depend on the NumPy in use.
"""

import math
import sys
from typing import NamedTuple

import numpy as np

from lstmc.kernels import train
from lstmc.layers.elementary import erf, exp, log, log1p, sigmoid, tanh
from lstmc.layers.sums import total


class Activation(NamedTuple):
    """name, y = forward(x), dx = backward(y, dy), or backward(x, dy) if of_x; forward may return x itself."""

    name: str
    forward: object
    backward: object
    of_x: bool = False

    def kept(self, x, y):
        """What backward needs."""
        return x if self.of_x else y

    def __reduce__(self):
        """Copies are the same object, and a pickle holds the name: no pickle can hold these functions."""
        return get, (self.name,)


def _rows(a):
    return np.ascontiguousarray(a).reshape(-1, a.shape[-1])


def _softmax(x):
    y = np.empty(x.shape, x.dtype)
    if y.size:
        train.softmax(_rows(x), _rows(y))
    return y


def _softmax_bwd(y, dy):
    dx = np.empty(y.shape, y.dtype)
    if y.size:
        train.softmax_bwd(_rows(y), _rows(dy), _rows(dx))
    return dx


def _log_softmax(x):
    z = x - np.maximum.reduce(x, -1, keepdims=True, initial=-np.inf)
    z -= log(total(exp(z), -1))[..., None]
    return z


def _log_softmax_bwd(y, dy):
    return dy - exp(y) * total(dy, -1)[..., None]


# Functions with arguments ------------------------------------------------------------------------------------

def relu(x, negative_slope=0.0, max_value=None, threshold=0.0):
    """x above threshold, at most max_value; negative_slope (x - threshold) elsewhere. A NaN stays one."""
    t = x.dtype.type
    if not negative_slope and max_value is None and not threshold:
        return np.maximum(x, 0)
    y = np.where(x > threshold, x, t(negative_slope) * np.minimum(x - t(threshold), 0) if negative_slope else np.where(np.isnan(x), x, t(0)))
    return y if max_value is None else np.minimum(y, t(max_value))


def relu_bwd(x, dy, negative_slope=0.0, max_value=None, threshold=0.0):
    """The gradient of relu at x: dy below max_value from threshold on, negative_slope dy below it."""
    t = x.dtype.type
    dx = np.where(x > threshold, dy, dy * t(negative_slope))
    return dx if max_value is None else np.where(x < max_value, dx, t(0))


def elu(x, alpha=1.0):
    """x, or alpha (exp(x) - 1) below 0."""
    return np.where(x > 0, x, x.dtype.type(alpha) * expm1(np.minimum(x, 0)))


def elu_bwd(x, dy, alpha=1.0):
    """The gradient of elu at x."""
    return np.where(x > 0, dy, dy * (x.dtype.type(alpha) * exp(np.minimum(x, 0))))


def expm1(x):
    """exp(x) - 1 for x <= 0: 2 t / (1 - t) with t = tanh(x / 2)."""
    t = tanh(x / 2)
    return 2 * t / (1 - t)


def celu(x, alpha=1.0):
    """x, or alpha (exp(x / alpha) - 1) below 0."""
    return elu(x, alpha) if alpha == 1 else np.where(x > 0, x, x.dtype.type(alpha) * expm1(np.minimum(x, 0) / x.dtype.type(alpha)))


def gelu(x, approximate=False):
    """x Phi(x), Phi the distribution function of the normal distribution, or a tanh close to it."""
    t = x.dtype.type
    if approximate:
        return x * (t(0.5) * (1 + tanh(t(GELU_SCALE) * (x + t(GELU_CUBE) * (x * x * x)))))
    return x * _normal(x)


GELU_SCALE, GELU_CUBE = math.sqrt(2 / math.pi), 0.044715


def _normal(x):
    return x.dtype.type(0.5) * (1 + erf(x * x.dtype.type(math.sqrt(0.5))))


def _gelu_bwd(x, dy):
    return dy * (_normal(x) + x * (x.dtype.type(1 / math.sqrt(2 * math.pi)) * exp(x * x * x.dtype.type(-0.5))))


def hard_shrink(x, threshold=0.5):
    """x where abs(x) > threshold, else 0."""
    return np.where(np.abs(x) <= threshold, x.dtype.type(0), x)


def soft_shrink(x, threshold=0.5):
    """x moved by threshold towards 0, as far as 0."""
    t = x.dtype.type(threshold)
    return np.where(np.abs(x) <= t, x.dtype.type(0), x - np.copysign(t, x))


def squareplus(x, b=4):
    """(x + sqrt(x^2 + b)) / 2."""
    return (x + np.sqrt(x * x + x.dtype.type(b))) / 2


# The table ---------------------------------------------------------------------------------------------------

def _of_sign(y, dy, positive, other):
    """dy times one of two slopes."""
    return np.where(y > 0, dy * positive, dy * other).astype(y.dtype, copy=False)


def where(inside, dx):
    """dx, and 0 where not inside: its bits times 1 or 0, which takes no branch and so an eighth of the time of np.where."""
    return (dx.view(f"i{dx.itemsize}") * inside).view(dx.dtype)


def softplus(x):
    """log(1 + exp(x)) = max(x, 0) + log(1 + exp(-abs(x)))."""
    return np.maximum(x, 0) + log1p(exp(-np.abs(x)))


def _silu_bwd(x, dy):
    s = sigmoid(x)
    return dy * (s * (1 + x * (1 - s)))


def _mish_bwd(x, dy):
    t, s = tanh(softplus(x)), sigmoid(x)
    return dy * (t + x * (1 - t * t) * s)


def _hard_sigmoid(x):
    return np.clip(x / 6 + x.dtype.type(0.5), 0, 1)


def _hard_sigmoid_2(x):
    return np.clip(x.dtype.type(0.2) * x + x.dtype.type(0.5), 0, 1)


SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805

LINEAR = Activation("linear", lambda x: x, lambda y, dy: dy)
_ALL = (
    LINEAR,
    Activation("relu", relu, lambda y, dy: where(y > 0, dy)),
    Activation("sigmoid", sigmoid, lambda y, dy: dy * (y * (1 - y))),
    Activation("tanh", tanh, lambda y, dy: dy * (1 - y * y)),
    Activation("softmax", _softmax, _softmax_bwd),
    Activation("leaky_relu", lambda x: np.where(x < 0, x * x.dtype.type(0.2), x), lambda y, dy: _of_sign(y, dy, 1, y.dtype.type(0.2))),
    Activation("elu", elu, lambda y, dy: _of_sign(y, dy, 1, y + 1)),
    Activation("hard_sigmoid", _hard_sigmoid, lambda y, dy: where((y > 0) & (y < 1), dy / 6)),
    # That of Keras 1 and 2, whose models `lstmc.from_keras` takes.
    Activation("hard_sigmoid_keras2", _hard_sigmoid_2, lambda y, dy: where((y > 0) & (y < 1), dy * y.dtype.type(0.2))),
    Activation("softsign", lambda x: x / (1 + np.abs(x)), lambda y, dy: dy * (1 - np.abs(y)) ** 2),
    Activation("exponential", exp, lambda y, dy: dy * y),
    Activation("gelu", gelu, _gelu_bwd, True),
    Activation("silu", lambda x: x * sigmoid(x), _silu_bwd, True),
    Activation("selu", lambda x: x.dtype.type(SELU_SCALE) * elu(x, SELU_ALPHA),
               lambda x, dy: x.dtype.type(SELU_SCALE) * elu_bwd(x, dy, SELU_ALPHA), True),
    Activation("celu", celu, elu_bwd, True),
    Activation("softplus", softplus, lambda x, dy: dy * sigmoid(x), True),
    Activation("mish", lambda x: x * tanh(softplus(x)), _mish_bwd, True),
    Activation("relu6", lambda x: np.clip(x, 0, 6), lambda y, dy: where((y > 0) & (y < 6), dy)),
    Activation("hard_tanh", lambda x: np.clip(x, -1, 1), lambda y, dy: where(np.abs(y) < 1, dy)),
    Activation("hard_silu", lambda x: x * _hard_sigmoid(x),
               lambda x, dy: dy * np.where(x <= -3, x.dtype.type(0), np.where(x < 3, x / 3 + x.dtype.type(0.5), x.dtype.type(1))), True),
    Activation("log_sigmoid", lambda x: -softplus(-x), lambda x, dy: dy * sigmoid(-x), True),
    Activation("log_softmax", _log_softmax, _log_softmax_bwd),
    Activation("tanh_shrink", lambda x: x - tanh(x), lambda x, dy: dy * np.square(tanh(x)), True),
    Activation("hard_shrink", hard_shrink, lambda y, dy: where(y != 0, dy)),
    Activation("soft_shrink", soft_shrink, lambda y, dy: where(y != 0, dy)),
    Activation("squareplus", squareplus, lambda x, dy: dy * ((1 + x / np.sqrt(x * x + 4)) / 2), True),
    Activation("sparse_plus", lambda x: np.where(x <= -1, x.dtype.type(0), np.where(x < 1, (x + 1) * (x + 1) / 4, x)),
               lambda x, dy: dy * np.clip((x + 1) / 2, 0, 1), True),
    Activation("sparse_sigmoid", lambda x: np.clip((x + 1) / 2, 0, 1), lambda y, dy: where((y > 0) & (y < 1), dy / 2)),
)
_BY_NAME = {a.name: a for a in _ALL}
ALIASES = {"swish": "silu", "hard_swish": "hard_silu"}
# What recurrent layers have, and its name, alpha and beta in lstmc.nn.
CELLS = {"tanh": "tanh", "sigmoid": "sigmoid", "relu": "relu", "linear": "linear", "hard_sigmoid": ("hard_sigmoid", 1 / 6, 0.5),
         "hard_sigmoid_keras2": ("hard_sigmoid", 0.2, 0.5), "elu": "elu", "leaky_relu": ("leaky_relu", 0.2), "softsign": "softsign", "softplus": "softplus"}


def get(identifier, argument="activation"):
    """An Activation by its name or by its function in `lstmc.activations`; None is linear."""
    if identifier is None:
        return LINEAR
    identifier = name_of(identifier)
    found = _BY_NAME.get(ALIASES.get(identifier, identifier)) if isinstance(identifier, str) else None
    if found is None:
        raise ValueError(f"{argument}: expected one of {', '.join(_BY_NAME)}, or None; received {identifier!r}")
    return found


def in_cell(identifier, argument):
    """The name of an activation that a recurrent layer has."""
    name = "linear" if identifier is None else name_of(identifier)
    if not isinstance(name, str) or name not in CELLS:
        raise ValueError(f"{argument}: expected one of {', '.join(CELLS)}, or None; received {identifier!r}")
    return name


def name_of(identifier):
    """The name of a function of `lstmc.activations`; anything else is itself."""
    public = sys.modules.get("lstmc.activations")       # whoever has a function of it has imported it
    name = getattr(identifier, "__name__", None)
    return name if public and callable(identifier) and isinstance(name, str) and getattr(public, name, None) is identifier else identifier
