"""The gradient of a table of which a batch has looked up a few rows: these rows alone.

Rows that were looked up several times are summed by a fixed tree over their places in the batch, in elementwise additions: bits do not depend
on the NumPy in use.
"""

from typing import NamedTuple

import numpy as np


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
    order = np.argsort(numbers, kind="stable")
    numbers, values = numbers[order], values[order]
    if not len(numbers):
        return Rows(numbers, values, shape)
    first = np.concatenate(([True], numbers[1:] != numbers[:-1]))
    starts = np.flatnonzero(first)
    counts = np.diff(starts, append=len(numbers))
    place = np.arange(len(numbers)) - np.repeat(starts, counts)
    left = np.repeat(counts, counts) - place        # values of this row from here on
    step = 1
    while step < counts.max():
        at = np.flatnonzero((place % (2 * step) == 0) & (left > step))
        values[at] += values[at + step]
        step *= 2
    return Rows(numbers[starts], values[starts], shape)
