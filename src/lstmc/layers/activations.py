"""Activation functions on whole arrays: value, and gradient from the value.

exp, tanh and sigmoid are the package's own, so that bits do not depend on the NumPy in use.
"""

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


LINEAR = Activation("linear", lambda x: x, lambda y, dy: dy)
_ALL = (
    LINEAR,
    # A NaN stays one: np.maximum passes it on.
    Activation("relu", lambda x: np.maximum(x, 0), lambda y, dy: np.where(y > 0, dy, 0).astype(y.dtype, copy=False)),
    Activation("sigmoid", _elementary("sigmoid"), lambda y, dy: dy * (y * (1 - y))),
    Activation("tanh", _elementary("tanh"), lambda y, dy: dy * (1 - y * y)),
    Activation("softmax", _softmax, _softmax_bwd),
)
_BY_NAME = {a.name: a for a in _ALL}


def get(identifier, argument="activation"):
    """An Activation by name; None is linear."""
    if identifier is None:
        return LINEAR
    if not isinstance(identifier, str) or identifier not in _BY_NAME:
        raise ValueError(f"{argument}: expected one of {', '.join(_BY_NAME)}, or None; received {identifier!r}")
    return _BY_NAME[identifier]
