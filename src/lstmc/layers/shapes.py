"""Layers that change shapes: Reshape, Permute, RepeatVector, and pooling over time."""

import math
from typing import ClassVar

import numpy as np

from lstmc.arguments import CHANNELS_LAST
from lstmc.layers.base import Layer, Plain
from lstmc.layers.steps import Steps
from lstmc.layers.sums import total
from lstmc.nn import checks


class Reshape(Plain):
    """`(batch, ...)` to `(batch, *target_shape)`.

    Parameters
    ----------
    target_shape : tuple of int
        One of them may be -1: what is left.
    name, dtype
        See `Layer`.
    """

    fixed = Layer.fixed | {"target_shape"}
    supports_masking = False

    def __init__(self, target_shape, *, name=None, dtype=None, **arguments):
        super().__init__(name, dtype, **arguments)
        if not isinstance(target_shape, (tuple, list)):
            raise TypeError(f"target_shape: expected a tuple, received {type(target_shape).__name__}")
        self.target_shape = tuple(checks.size(n, "target_shape", -1) for n in target_shape)
        if self.target_shape.count(-1) > 1:
            raise ValueError(f"target_shape: expected -1 once, received {self.target_shape}")

    def check_shape(self, shape):
        rest = shape[1:]
        size = math.prod(n for n in self.target_shape if n != -1)
        if None not in rest and (math.prod(rest) % size if -1 in self.target_shape and size else math.prod(rest) != size):
            raise self.wrong_shape(f"of sizes that make {checks.shape_text(self.target_shape)}", shape)

    def compute_output_shape(self, input_shape):
        rest, size = input_shape[1:], math.prod(n for n in self.target_shape if n != -1)
        left = None if None in rest else math.prod(rest) // max(size, 1)
        return (input_shape[0], *(left if n == -1 else n for n in self.target_shape))

    def forward(self, x, mask=None, training=False, step=0):
        return x.reshape(self.compute_output_shape(x.shape)), None, x.shape if training else None

    def backward(self, tape, dy, need_dx=True):
        return dy.reshape(tape), []


class Permute(Plain):
    """Axes in another order.

    Parameters
    ----------
    dims : tuple of int
        The axes of the input, without the batch's, numbered from 1: (2, 1) exchanges time and features.
    name, dtype
        See `Layer`.
    """

    fixed = Layer.fixed | {"dims"}
    supports_masking = False

    def __init__(self, dims, *, name=None, dtype=None, **arguments):
        super().__init__(name, dtype, **arguments)
        if not isinstance(dims, (tuple, list)):
            raise TypeError(f"dims: expected a tuple, received {type(dims).__name__}")
        self.dims = tuple(checks.integer(n, "dims", 1) for n in dims)
        if sorted(self.dims) != list(range(1, len(dims) + 1)):
            raise ValueError(f"dims: expected each of 1 to {len(dims)} once, received {self.dims}")

    def check_shape(self, shape):
        if len(shape) != len(self.dims) + 1:
            raise self.wrong_shape(f"of {len(self.dims) + 1} axes", shape)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], *(input_shape[n] for n in self.dims))

    def forward(self, x, mask=None, training=False, step=0):
        return np.ascontiguousarray(x.transpose(0, *self.dims)), None, () if training else None

    def backward(self, tape, dy, need_dx=True):
        return np.ascontiguousarray(dy.transpose(np.argsort((0, *self.dims)))), []


class RepeatVector(Plain):
    """(batch, features) to (batch, n, features), n times the same.

    Parameters
    ----------
    n : int
    name, dtype
        See `Layer`.
    """

    fixed = Layer.fixed | {"n"}
    supports_masking = False

    def __init__(self, n, *, name=None, dtype=None, **arguments):
        super().__init__(name, dtype, **arguments)
        self.n = checks.size(n, "n")

    def check_shape(self, shape):
        if len(shape) != 2:
            raise self.wrong_shape("(batch, features)", shape, "; a recurrent layer before it needs return_sequences=False" if len(shape) == 3 else "")

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.n, input_shape[1])

    def forward(self, x, mask=None, training=False, step=0):
        return np.repeat(x[:, None], self.n, 1), None, () if training else None

    def backward(self, tape, dy, need_dx=True):
        return total(dy, 1), []


class _GlobalPooling(Steps):
    """(batch, time, features) to (batch, features), or to (batch, 1, features) with keepdims."""

    fixed = Steps.fixed | {"keepdims"}
    unsupported: ClassVar = CHANNELS_LAST

    def __init__(self, data_format=None, keepdims=False, *, name=None, dtype=None, **arguments):
        super().__init__(name, dtype, data_format=data_format, **arguments)
        self.keepdims = checks.flag(keepdims, "keepdims")

    def compute_output_shape(self, input_shape):
        return (input_shape[0], *(1,) * self.keepdims, input_shape[2])

    def pool(self, x, mask):
        """((batch, features), how the gradient of an output divides: an array that multiplies it into that of x)."""
        raise NotImplementedError

    def forward(self, x, mask=None, training=False, step=0):
        y, shares = self.pool(x, mask)
        return y[:, None] if self.keepdims else y, None, shares if training else None

    def backward(self, tape, dy, need_dx=True):
        return (dy if self.keepdims else dy[:, None]) * tape, []


class GlobalAveragePooling1D(_GlobalPooling):
    """The mean over time; with a mask, over the valid steps. 0 where there is none, for which Keras has NaN.

    Parameters
    ----------
    data_format : {None, "channels_last"}
    keepdims : bool
        Whether time stays, as an axis of 1.
    name, dtype
        See `Layer`.
    """

    supports_masking = True

    def pool(self, x, mask):
        one = self.dtype.type(1)
        if mask is None:
            shares = np.broadcast_to(one / max(x.shape[1], 1), x.shape)
            return total(x, 1) / self.dtype.type(max(x.shape[1], 1)), shares
        valid = mask[:, :, None]
        n = np.maximum(valid.sum(1), 1).astype(self.dtype)
        return total(np.where(valid, x, 0 * one), 1) / n, np.where(valid, one / n[:, None], 0 * one)


class GlobalMaxPooling1D(_GlobalPooling):
    """The largest value over time, padding included, as in Keras. Its gradient divides between steps that share it.

    Parameters
    ----------
    data_format : {None, "channels_last"}
    keepdims : bool
        Whether time stays, as an axis of 1.
    name, dtype
        See `Layer`.
    """

    def check_shape(self, shape):
        super().check_shape(shape)
        if shape[1] == 0:
            raise self.wrong_shape("(batch, at least one step, features)", shape)

    def pool(self, x, mask):
        y = x.max(1)
        largest = x == y[:, None]
        return y, largest / largest.sum(1, keepdims=True).astype(self.dtype)
