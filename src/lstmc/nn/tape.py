"""What a call hands on: its checked arguments, the tape for backward, the gradients."""

from typing import NamedTuple

import numpy as np

from lstmc.kernels.schedule import Schedule
from lstmc.nn.fixed import Fixed


class Gradients(NamedTuple):
    """What `backward` returns.

    Attributes
    ----------
    x : ndarray
        Gradient of x, shaped like it (a list for a list); None if it was not asked for.
    hx : tuple of ndarray, or ndarray
        Gradient of the initial state, with the structure of the state: (h_0, c_0) or h_0.
    params : dict
        Gradients by parameter name, keyed and shaped like `state_dict`.
    """

    x: np.ndarray
    hx: tuple
    params: dict


class Call(NamedTuple):
    """The checked arguments of one call, time-major."""

    x: np.ndarray           # (T, B, I), or (N, I) with a packed schedule, as every array of that shape is then (kernels/schedule.pyx)
    state: tuple            # of (L*D, B, ·) arrays, or None
    schedule: Schedule
    batched: bool
    listed: tuple           # lengths of the arrays of a list, or None


class Layer(NamedTuple):
    """What backward needs of one layer."""

    below: np.ndarray       # its input, after dropout
    tapes: list             # a kernel tape for each direction, or None ...
    chunks: list            # ... and then (first step, end, state before) of each chunk of time, whose tapes are made again
    options: object
    mask: np.ndarray        # dropout on its input, or None


class Tape(Fixed):
    """What one backward needs, made by `forward(train=True)`. It serves one `backward` of the same module.

    x itself is kept, not a copy: it must not be changed before `backward`.
    """

    fixed = frozenset(("module", "call", "weights", "layers", "y_shape"))

    def __init__(self, module, call, weights, y_shape):
        # `_turns` has one item, which the backward that the tape serves takes; all at once, since a tape is made at every step of training
        self.__dict__.update(module=module, call=call, weights=weights, y_shape=y_shape, layers=[], _turns=[None])

    @property
    def used(self):
        """Whether it has served its backward."""
        return not self._turns

    def take(self):
        """Use the tape up; of threads that try at once, one does."""
        try:
            self._turns.pop()
        except IndexError:
            raise ValueError("tape: expected a tape that has not been used, received one that has served its backward") from None

    def give_back(self):
        """For another backward, after one that did not come to its end."""
        self._turns.append(None)

    def __reduce_ex__(self, protocol):
        raise TypeError("Tape: expected to be used by the module that made it, cannot be copied or pickled; "
                        "the Gradients from backward(tape) can")
