"""Named parameters: views on one flat buffer, with PyTorch's names, shapes and default initialisation.

The arrays are live, as in PyTorch: writing to them changes the layer. The buffer's fingerprint, taken at every
call, notices it, so packed copies of the weights are never out of date. What is lent are views made for the loan, so
that whoever sets their shape, strides or dtype in place changes nothing here.

Reading all weights is a good part of a small call, so it is left out while nobody can have written: since the last
fingerprint no array was lent, and when it was taken none was out. Reference counts tell, where they are exact.
"""

import itertools
import math
import sys
import weakref
from typing import NamedTuple

import numpy as np

from lstmc.kernels import core
from lstmc.nn import checks

# Without the interpreter's lock a count may be behind; other interpreters do not count.
COUNTS_ARE_EXACT = sys.implementation.name == "cpython" and "free-threading" not in sys.version
references, weak_references = getattr(sys, "getrefcount", id), weakref.getweakrefcount

# Parameters of one layer and direction in the order in which kernels take them and give their gradients.
KINDS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr", "peephole", "norm_ih", "norm_hh", "norm_c")


def torch_shapes(suffix, G, I, H, P, D, bias):
    """name -> shape of PyTorch's parameters of the layer and direction with this suffix, "l0" or "l1_reverse"."""
    R, GH = P or H, G * H
    shapes = {f"weight_ih_{suffix}": (GH, I if suffix.startswith("l0") else R * D), f"weight_hh_{suffix}": (GH, R)}
    if bias:
        shapes |= {f"bias_ih_{suffix}": (GH,), f"bias_hh_{suffix}": (GH,)}
    return shapes | {f"weight_hr_{suffix}": (R, H)} if P else shapes


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
        self._memory = np.zeros(at, dtype)      # the base of every view, so within reach of whoever has one: not used itself
        self.flat = self._memory[:]
        self.arrays = self._views(self.flat)
        # name of the first -> (2, n) view of two biases, which are neighbours, for layers that have them as rows of one
        self.pairs = {name: self.flat[part.start:then.stop].reshape(2, -1) for (name, part, _), (_, then, _) in itertools.pairwise(self._parts)
                      if name.startswith("bias_ih")}
        self._count = references(self._memory)
        self._state = object()          # another one after every loan and every write of our own
        self._known = None, 0           # state, fingerprint in it; only from when no array was out

    def __getstate__(self):
        """For copy and pickle: shapes and the buffer. Views and counts belong to this object."""
        state = {"shapes": {name: shape for name, _, shape in self._parts}, "flat": self.flat}
        self._state = object()          # whoever asked has the buffer now: a loan
        return state

    def __setstate__(self, state):
        """Into a buffer of its own, of which the arrays are views again."""
        flat = state["flat"]
        self.__init__(state["shapes"], checks.float_dtype(flat.dtype))
        self.flat[...] = flat

    def _views(self, flat):
        """name -> view of its part of a flat buffer."""
        return {name: flat[part].reshape(shape) for name, part, shape in self._parts}

    def like(self):
        """name -> array like it, uninitialised."""
        return dict(zip(self.arrays, map(np.empty_like, self.arrays.values()), strict=True))

    def lend(self):
        """name -> live array, a view of its own, for others to keep and write."""
        found = {name: array.view() for name, array in self.arrays.items()}
        self._state = object()          # after the references are made: `fingerprint` looks in the other order
        return found

    def touch(self):
        """Whoever lends or writes `arrays` or `pairs` says so: of a loan when its references are made, of a write before and after, for Ctrl-C may end it."""
        self._state = object()

    def _lent_out(self):
        """Whether someone else may have an array, or a way to get at one: every view, and every view of one, is a reference to the memory."""
        return not COUNTS_ARE_EXACT or references(self._memory) != self._count or weak_references(self._memory) > 0

    def fingerprint(self, training=False):
        """A number that changes when any value changes. In training, where most calls meet new values, it may be a mere token, which changes at
        every loan and write, if nobody else can write: that reads no value."""
        state = self._state
        if training and not self._lent_out():
            return state
        known, value = self._known
        if known is not state:
            lent_out = self._lent_out()
            value = core.fingerprint(self.flat)
            if not lent_out:
                self._known = state, value
        return value

    def uniform(self, bound, seed):
        """U(-bound, bound) for every value (PyTorch's default for recurrent layers, bound = 1/sqrt(H))."""
        self.flat[...] = np.random.default_rng(seed).uniform(-bound, bound, self.flat.size)
        self._state = object()

    def norms(self):
        """Gamma 1 and beta 0 for every parameter of a layer normalisation, which is gamma alone or two rows."""
        for name, array in self.arrays.items():
            if name.startswith("norm_"):
                array[...] = 1
                if array.ndim == 2:
                    array[1] = 0
        self._state = object()

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
            value = checks.plain(d[name], name)
            expected = self.arrays[name]
            if value.shape != expected.shape:
                raise ValueError(f"{name}: expected shape {checks.shape_text(expected.shape)}, "
                                 f"received {checks.shape_text(value.shape)}")
            if value.dtype.kind != "f" or not np.can_cast(value.dtype, expected.dtype, "safe"):
                raise TypeError(f"{name}: expected dtype {expected.dtype}, received {value.dtype}")
            checked[name] = value
        for name, value in checked.items():
            self.arrays[name][...] = value
        self._state = object()
        return result
