"""A batch as pieces: rows of data that are read, cast and padded when a piece is asked for, by who needs it."""

import numpy as np

from lstmc.training import ragged
from lstmc.training.data import Data
from lstmc.training.graph import Padded


class Cut:
    """Some samples of `Data`, in pieces.

    Parameters
    ----------
    data : Data
    index : slice or array of int
        Of the batch's samples.
    most : int
        Samples of a piece; the last may have fewer.

    Attributes
    ----------
    size : int
        Samples of the batch.
    count : int
        Number of pieces.
    cause : str or None
        Why its loss is not a number, for `training.nonfinite`; None where pieces do not say it.
    """

    x = y = weights = ()        # none that `nonfinite.cause` need look at

    def __init__(self, data, index, most):
        self.data, self.most, self.cause = data, most, None
        self.index = range(*index.indices(data.size)) if isinstance(index, slice) else index
        self.size = len(self.index)
        self.count = -(-self.size // most)
        self._steps = {}        # of entries that are padded: to the longest of the batch, that a piece is what the whole is in these rows

    def piece(self, number):
        """`Data` of a piece."""
        some = self.index[number * self.most:(number + 1) * self.most]
        rows = slice(some.start, some.stop) if isinstance(some, range) else some
        return Data(*(tuple([self._part(a, rows) for a in several]) for several in self.data))

    def kinds(self):
        """Which inputs bring masks: what a mask of an output depends on, beside the model."""
        return tuple([isinstance(a, (ragged.Sequences, Padded)) for a in self.data.x])

    def _part(self, a, rows):
        if a is None:
            return None
        if isinstance(a, Padded):
            return Padded(a.values[rows], a.mask[rows])
        if not isinstance(a, ragged.Sequences):
            return a[rows]
        steps = self._steps.get(id(a))
        if steps is None:
            whole = slice(self.index.start, self.index.stop) if isinstance(self.index, range) else self.index
            steps = self._steps[id(a)] = int(a.lengths[whole].max(initial=0))
        found = a[rows]
        more = [(0, 0), (0, steps - found.values.shape[1])]
        return Padded(np.pad(found.values, more + [(0, 0)] * (found.values.ndim - 2)), np.pad(found.mask, more)) if more[1][1] else found
