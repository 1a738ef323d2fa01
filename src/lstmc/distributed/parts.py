"""A partition on its way to a worker, and an output on its way back: few large arrays in place of many small ones, in files if both share a machine."""

import os
from typing import Any, NamedTuple

import numpy as np

from lstmc.training import ragged

LEAST = 1 << 16     # bytes of an array that is worth a file
ALIGNED = 64


class Packed(NamedTuple):
    """A list of arrays, one after the other, and how long each is. Thousands of small arrays take longer to send than to predict."""

    values: Any     # an array, or a `Mapped`
    lengths: np.ndarray


class Mapped(NamedTuple):
    """Where an array lies in a file; a call gives it."""

    path: str
    dtype: np.dtype
    shape: tuple
    offset: int

    def __call__(self):
        return np.asarray(np.memmap(self.path, self.dtype, "r", self.offset, self.shape))


def packed(part):
    """A part, or an output, as `Packed` if it is a list of arrays that fit together."""
    if not isinstance(part, (list, tuple)) or not part or not all(isinstance(a, np.ndarray) and a.ndim for a in part):
        return part
    if len({(a.dtype, a.shape[1:]) for a in part}) > 1:
        return part
    return joined(part, np.array([len(a) for a in part]))


def joined(arrays, lengths):
    """`Packed`, of arrays that fit together."""
    return Packed(np.concatenate(arrays), lengths)


def unpacked(part):
    """The list again."""
    if not isinstance(part, Packed):
        return part
    ends = np.cumsum(part.lengths).tolist()
    return [part.values[a:b] for a, b in zip([0, *ends[:-1]], ends, strict=True)]


def given(part, layer):
    """A part as `predict` takes it, cast at once, not sequence by sequence, for the layer that takes it."""
    part = part() if callable(part) else part
    if not isinstance(part, Packed):
        return part
    if (part.lengths == part.lengths[0]).all():
        return unpacked(part)
    return ragged.Sequences.cast_already(unpacked(part._replace(values=layer.cast(part.values))), part.lengths)


def stowed(part, path):
    """A part whose large arrays lie in a file, which may be there; as it is where there is no room for one."""
    try:
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600), "r+b", buffering=0) as file:
            return _stowed(part, path, file)
    except OSError:
        return part


def _stowed(part, path, file):
    if isinstance(part, Packed):
        return part._replace(values=_stowed(part.values, path, file))
    if isinstance(part, list):
        return [_stowed(a, path, file) for a in part]
    if not isinstance(part, np.ndarray) or part.nbytes < LEAST or part.dtype.hasobject:
        return part
    at = file.seek(-(-file.tell() // ALIGNED) * ALIGNED)
    left = memoryview(np.ascontiguousarray(part).reshape(-1).view(np.uint8))
    while left:
        left = left[file.write(left):]
    return Mapped(path, part.dtype, part.shape, at)


def brought(part, copy=False):
    """A part with the arrays that lie in a file: read-only until others write there, or copies."""
    if isinstance(part, Packed):
        return part._replace(values=brought(part.values, copy))
    if isinstance(part, list):
        return [brought(a, copy) for a in part]
    if not isinstance(part, Mapped):
        return part
    return np.array(part()) if copy else part()
