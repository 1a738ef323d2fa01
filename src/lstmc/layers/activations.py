"""Activation functions on whole arrays: value, and gradient from the value.

exp, tanh and sigmoid are the package's own, so that bits do not depend on the NumPy in use.
"""

import sys
from typing import NamedTuple

import numpy as np

from lstmc.kernels import core, train


class Activation(NamedTuple):
    """name, y = forward(x), dx = backward(y, dy); forward may return x itself."""

    name: str
    forward: object
    backward: object

    def __reduce__(self):
        """Copies are the same object, and a pickle holds the name: no pickle can hold these functions."""
        return get, (self.name,)


def _elementary(name):
    def forward(x):
        y = np.empty(x.shape, x.dtype)
        core.elementary(name, np.ascontiguousarray(x).reshape(-1), y.reshape(-1))
        return y

    return forward


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


def elu(x, alpha=1.0):
    """x, or alpha (exp(x) - 1) below 0, where exp(x) - 1 is 2 t / (1 - t) with t = tanh(x / 2)."""
    t = _elementary("tanh")(np.minimum(x, 0) / 2)
    return np.where(x > 0, x, alpha * (2 * t / (1 - t))).astype(x.dtype, copy=False)


def _of_sign(y, dy, positive, other):
    """dy times one of two slopes."""
    return np.where(y > 0, dy * positive, dy * other).astype(y.dtype, copy=False)


LINEAR = Activation("linear", lambda x: x, lambda y, dy: dy)
_ALL = (
    LINEAR,
    # A NaN stays one: np.maximum passes it on.
    Activation("relu", lambda x: np.maximum(x, 0), lambda y, dy: np.where(y > 0, dy, 0).astype(y.dtype, copy=False)),
    Activation("sigmoid", _elementary("sigmoid"), lambda y, dy: dy * (y * (1 - y))),
    Activation("tanh", _elementary("tanh"), lambda y, dy: dy * (1 - y * y)),
    Activation("softmax", _softmax, _softmax_bwd),
    Activation("leaky_relu", lambda x: np.where(x < 0, x * x.dtype.type(0.2), x), lambda y, dy: _of_sign(y, dy, 1, y.dtype.type(0.2))),
    Activation("elu", elu, lambda y, dy: _of_sign(y, dy, 1, y + 1)),
    Activation("hard_sigmoid", lambda x: np.clip(x / 6 + x.dtype.type(0.5), 0, 1),
               lambda y, dy: np.where((y > 0) & (y < 1), dy / 6, 0).astype(y.dtype, copy=False)),
    Activation("softsign", lambda x: x / (1 + np.abs(x)), lambda y, dy: dy * (1 - np.abs(y)) ** 2),
    Activation("exponential", _elementary("exp"), lambda y, dy: dy * y),
)
_BY_NAME = {a.name: a for a in _ALL}
# What recurrent layers have, and its name, alpha and beta in lstmc.nn.
CELLS = {"tanh": "tanh", "sigmoid": "sigmoid", "relu": "relu", "linear": "linear", "hard_sigmoid": ("hard_sigmoid", 1 / 6, 0.5), "elu": "elu",
         "leaky_relu": ("leaky_relu", 0.2), "softsign": "softsign", "softplus": "softplus"}


def get(identifier, argument="activation"):
    """An Activation by its name or by its function in `lstmc.activations`; None is linear."""
    if identifier is None:
        return LINEAR
    identifier = name_of(identifier)
    if not isinstance(identifier, str) or identifier not in _BY_NAME:
        raise ValueError(f"{argument}: expected one of {', '.join(_BY_NAME)}, or None; received {identifier!r}")
    return _BY_NAME[identifier]


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
