"""Inputs and targets that are no arrays yet: sequences of unequal lengths, padded batch by batch, and arrays on disk, cast batch by batch.

Both are indexed by batches as arrays are, and know their length and their shape, None where a size is free.
"""

import numpy as np

from lstmc.nn import checks
from lstmc.training.graph import Padded


class Sequences:
    """A list of sequences (T_i, ...) of unequal lengths.

    Parameters
    ----------
    sequences : list of arrays
    cast : callable
        Makes an array of the dtype that is needed, or raises.
    name : str
        Of the argument.
    """

    def __init__(self, sequences, cast, name):
        parts = []
        for i, s in enumerate(sequences):
            try:
                parts.append(cast(s))
            except (TypeError, ValueError) as error:
                text = str(error)
                raise type(error)(f"{name}[{i}]{text[1:]}" if text[:2] in ("x:", "y:") else f"{name}[{i}]: {text}") from None
        inner = next((a.shape[1:] for a in parts if a.ndim), ())
        for i, a in enumerate(parts):
            if not a.ndim or a.shape[1:] != inner:
                raise ValueError(f"{name}[{i}]: expected a sequence of entries of shape {checks.shape_text(inner)}, "
                                 f"received shape {checks.shape_text(a.shape)}")
        self.parts, self.lengths = parts, np.array([len(a) for a in parts], np.int64)
        self.shape = (len(parts), None, *inner)
        self.ndim = len(self.shape)

    def __len__(self):
        return len(self.parts)

    def __getitem__(self, index):
        """A batch, padded behind with 0 to its longest sequence; a part of the list for a slice that keeps it."""
        chosen = self.parts[index] if isinstance(index, slice) else [self.parts[i] for i in index]
        lengths = self.lengths[index]
        values = np.zeros((len(chosen), int(lengths.max(initial=0)), *self.shape[2:]), chosen[0].dtype if chosen else None)
        for row, a in zip(values, chosen, strict=True):
            row[:len(a)] = a
        return Padded(values, np.arange(values.shape[1]) < lengths[:, None])

    def part(self, index):
        """The sequences of a slice, as `Sequences`."""
        return Sequences.cast_already(self.parts[index], self.lengths[index], self.shape[2:])

    @classmethod
    def cast_already(cls, parts, lengths, inner=None):
        """`Sequences` of arrays that are of the dtype needed, of these lengths, with entries of one shape."""
        found = object.__new__(cls)
        found.parts, found.lengths = parts, lengths
        found.shape = (len(parts), None, *(parts[0].shape[1:] if inner is None else inner))
        found.ndim = len(found.shape)
        return found


class Lazy:
    """An array on disk of another dtype than is needed: a batch is cast when it is taken."""

    def __init__(self, array, cast):
        self.array, self.cast = array, cast
        self.shape, self.ndim = array.shape, array.ndim

    def __len__(self):
        return len(self.array)

    def __getitem__(self, index):
        return self.cast(self.array[index])

    def part(self, index):
        """The entries of a slice, on disk still."""
        return Lazy(self.array[index], self.cast)


def part(a, index):
    """The entries of a slice, without reading or padding what is not read or padded yet."""
    return a.part(index) if isinstance(a, (Sequences, Lazy)) else a[index]


def whole(a):
    """All of an input as one batch."""
    return a[:] if isinstance(a, (Sequences, Lazy)) else a


def is_ragged(x):
    """Whether x is a list of sequences that have not one length, or an object array or column of a table with sequences in it."""
    listed = isinstance(x, (list, tuple))
    if not (listed or (getattr(x, "ndim", None) == 1 and getattr(x, "dtype", None) == np.dtype(object))) or not len(x) or not all(map(_is_sequence, x)):
        return False
    return not listed or len({len(s) for s in x}) > 1


def _is_sequence(s):
    return isinstance(s, (list, tuple)) or (hasattr(s, "__array__") and len(getattr(s, "shape", ())) > 0)


def on_disk(x, layer):
    """Whether x is a memory map that would have to be cast as a whole."""
    return isinstance(x, np.memmap) and x.ndim > 1 and x.dtype != layer.cast(x[:0]).dtype
