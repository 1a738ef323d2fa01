"""The gradient of a table of which a batch has looked up a few rows: these rows alone.

Rows that were looked up several times are summed by a fixed tree over their places in the batch, in elementwise additions.
"""

from typing import NamedTuple

import numpy as np

from lstmc.kernels import rows


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
    return Rows(*rows.sum_rows(np.ascontiguousarray(numbers, np.int64), np.ascontiguousarray(values), shape[0]), shape)
