"""The gradient of a table of which a batch has looked up a few rows: these rows alone.

Rows that were looked up several times are summed by a fixed tree over their places in the batch, in elementwise additions: bits do not depend
on the NumPy in use.
"""

from typing import NamedTuple

import numpy as np

from lstmc.kernels import train


class Rows(NamedTuple):
    """Values (n, D) of the rows with these numbers, each once and in ascending order, of a table of a shape that is 0 elsewhere."""

    numbers: np.ndarray
    values: np.ndarray
    shape: tuple

    def dense(self):
        """The whole table."""
        found = np.zeros(self.shape, self.values.dtype)
        found[self.numbers] = self.values
        return found


def summed(numbers, values, shape):
    """`Rows` from values (N, D) for the row numbers (N,), which may repeat."""
    numbers = np.ascontiguousarray(numbers, np.int64)
    if shape[0] <= 8 * len(numbers):
        order = np.empty(len(numbers), np.int64)
        train.stable_order(numbers, order, np.zeros(shape[0] + 1, np.int64))
    else:       # a large table, of which this is a small part
        order = np.argsort(numbers, kind="stable")
    numbers, values = numbers[order], values.take(order, axis=0)
    if not len(numbers):
        return Rows(numbers, values, shape)
    start = np.flatnonzero(np.concatenate(([True], numbers[1:] != numbers[:-1], [True])))
    train.sum_runs(values, start)
    return Rows(numbers[start[:-1]], values.take(start[:-1], axis=0), shape)
