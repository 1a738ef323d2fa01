"""Named parameters: views on one flat buffer, with PyTorch's names, shapes and default initialisation.

The arrays are live, as in PyTorch: writing to them changes the layer. The buffer's fingerprint, taken at every
call, notices it, so packed copies of the weights are never out of date.
"""

import math
from typing import NamedTuple

import numpy as np

from lstmc.kernels import core
from lstmc.nn import checks


class Packed(NamedTuple):
    """Packed weights of all layers and directions."""

    key: tuple          # fingerprint of the parameters they were made from, instruction set
    train: bool         # whether the operands of backward are among them
    weights: list


class LoadResult(NamedTuple):
    """What `load_state_dict` did not match."""

    missing_keys: list
    unexpected_keys: list


class Parameters:
    """An ordered set of named arrays of one dtype.

    Parameters
    ----------
    shapes : dict
        name -> shape, in order.
    dtype : numpy.dtype
    """

    def __init__(self, shapes, dtype):
        self._parts, at = [], 0         # (name, slice of the buffer, shape)
        for name, shape in shapes.items():
            end = at + math.prod(shape)
            self._parts.append((name, slice(at, end), shape))
            at = end
        self.flat = np.zeros(at, dtype)
        self.arrays = self._views(self.flat)

    def _views(self, flat):
        """name -> view of its part of a flat buffer."""
        return {name: flat[part].reshape(shape) for name, part, shape in self._parts}

    def like(self):
        """name -> array, uninitialised: views on one new buffer of the same layout."""
        return self._views(np.empty(self.flat.size, self.flat.dtype))

    def fingerprint(self):
        """A number that changes when any value changes."""
        return core.fingerprint(self.flat)

    def uniform(self, bound, seed):
        """U(-bound, bound) for every value (PyTorch's default for recurrent layers, bound = 1/sqrt(H))."""
        self.flat[...] = np.random.default_rng(seed).uniform(-bound, bound, self.flat.size)

    def load(self, d, strict=True):
        """Copy arrays by name; everything is checked before anything is written."""
        if not hasattr(d, "items"):
            raise TypeError(f"state_dict: expected a dict of arrays, received {type(d).__name__}")
        d = dict(d.items())
        result = LoadResult([k for k in self.arrays if k not in d], [k for k in d if k not in self.arrays])
        if strict and (result.missing_keys or result.unexpected_keys):
            raise ValueError(
                f"state_dict: expected the keys {list(self.arrays)}; "
                f"missing {result.missing_keys}, unexpected {result.unexpected_keys}"
            )
        checked = {}
        for name in self.arrays.keys() & d.keys():
            value = np.asarray(d[name])
            expected = self.arrays[name]
            if value.shape != expected.shape:
                raise ValueError(f"{name}: expected shape {checks.shape_text(expected.shape)}, "
                                 f"received {checks.shape_text(value.shape)}")
            if value.dtype.kind != "f" or not np.can_cast(value.dtype, expected.dtype, "safe"):
                raise TypeError(f"{name}: expected dtype {expected.dtype}, received {value.dtype}")
            checked[name] = value
        for name, value in checked.items():
            self.arrays[name][...] = value
        return result
