"""What a call hands on: its checked arguments, the tape for backward, the gradients."""

from typing import NamedTuple

import numpy as np

from lstmc.kernels.schedule import Schedule


class Gradients(NamedTuple):
    """What `LSTM.backward` returns.

    Attributes
    ----------
    x : ndarray
        Gradient of x, shaped like it; None if it was not asked for.
    hx : tuple of ndarray
        Gradients of (h_0, c_0), shaped like the state.
    params : dict
        Gradients by parameter name, keyed and shaped like `state_dict`.
    """

    x: np.ndarray
    hx: tuple
    params: dict


class Call(NamedTuple):
    """The checked arguments of one call, time-major."""

    x: np.ndarray           # (T, B, I)
    h0: np.ndarray          # (L*D, B, R) or None
    c0: np.ndarray          # (L*D, B, H) or None
    schedule: Schedule
    batched: bool


class Tape:
    """What one backward needs, made by `LSTM.forward(train=True)`. It serves one `backward` of the same module.

    x itself is kept, not a copy: it must not be changed before `backward`.
    """

    def __init__(self, module, call, y_shape):
        self.module, self.call, self.y_shape = module, call, y_shape
        self.layers = []        # one list of kernel tapes (a direction each) a layer
        self.masks = []         # dropout mask on the input of layer l, or None
        self.used = False

    def __reduce_ex__(self, protocol):
        raise TypeError("Tape: expected to be used by the module that made it, cannot be copied or pickled; "
                        "the Gradients from backward(tape) can")


def describe(value):
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {len(value)}"
    return type(value).__name__
