"""Packed sequences: torch's layout of ragged batches, which the kernels read and write as it is.

Packed data hold the live rows of step 0, then those of step 1 and so on, the longest sequence first. Where all are equally long, that is a plain
(T, B, features) array and is viewed as one; else the kernels follow a packed schedule (kernels/schedule.pyx).
"""

import numpy as np

from lstmc.kernels.schedule import Schedule
from lstmc.nn import checks
from lstmc.nn.tape import Call


class Packing:
    """The layout of one PackedSequence.

    Parameters
    ----------
    data, batch_sizes : Tensor
        Those of the sequence: live rows, and how many of them each step has.

    Raises
    ------
    ValueError
        They are not those of packed sequences.
    """

    def __init__(self, data, batch_sizes):
        if data.dim() != 2:
            raise ValueError(f"input: expected packed data of shape (N, I), received {checks.shape_text(data.shape)}")
        sizes, N = batch_sizes.numpy().astype(np.int64), data.shape[0]
        if sizes.ndim != 1 or not sizes.size or sizes[-1] < 1 or (sizes[1:] > sizes[:-1]).any() or sizes.sum() != N:
            raise ValueError(f"input: expected batch_sizes from the largest to the smallest, at least 1, that sum to N = {N}, received {batch_sizes}")
        self.steps, self.rows = len(sizes), int(sizes[0])
        self.schedule = None        # of equal lengths
        if sizes[-1] < self.rows:
            lengths = np.searchsorted(-sizes, -np.arange(self.rows)).astype(np.int64, copy=False)       # steps with more rows than this one's number
            self.schedule = Schedule(self.steps, self.rows, lengths, packed=True)

    def call(self, engine, x, state):
        """The checked call of an engine on packed data and a state."""
        if x.shape[1] != engine.input_size:
            raise ValueError(f"input: expected packed data of shape (N, I) with I = {engine.input_size}, received {checks.shape_text(x.shape)}")
        if self.schedule is None:
            return engine._check(self.inside(x), state, None, None)
        return Call(checks.array(x, "input", engine.dtype), engine._check_state(state, "hx", "{}_0", self.rows, True), self.schedule, True, None)

    def inside(self, packed):
        """An array (N, features) as the kernels take it."""
        return packed if packed is None or self.schedule is not None else packed.reshape(self.steps, self.rows, -1)

    def outside(self, array):
        """What the kernels gave as (N, features)."""
        return array if array is None or self.schedule is not None else array.reshape(self.steps * self.rows, -1)


def permuted(state, order, rows):
    """The parts of a state with their sequences in the order of packed data, or back; as they are where order is None or they do not fit."""
    if order is None or any(s.dim() != 3 or s.shape[1] != rows for s in state):
        return state
    return tuple(s.index_select(1, order) for s in state)
