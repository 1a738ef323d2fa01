"""Layers that take, add and repeat steps at the ends of sequences and within: Cropping1D, ZeroPadding1D, UpSampling1D."""

from typing import ClassVar

import numpy as np

from lstmc.arguments import CHANNELS_LAST
from lstmc.layers.base import Layer, Plain
from lstmc.layers.sums import total
from lstmc.nn import checks


class Steps(Plain):
    """Base of layers of (batch, time, features) that end a mask, as in Keras."""

    supports_masking = False

    def check_shape(self, shape):
        if len(shape) != 3:
            raise self.wrong_shape("(batch, time, features)", shape)


def both_ends(value, name):
    """(before, behind) of one number or two."""
    values = value if isinstance(value, (tuple, list)) else (value, value)
    if len(values) != 2:
        raise ValueError(f"{name}: expected a whole number or two, received {value!r}")
    return tuple(checks.size(n, name, 0) for n in values)


class Cropping1D(Steps):
    """Sequences without their first and last steps.

    Parameters
    ----------
    cropping : int or tuple of two
        How many steps to leave out at either end, or before and behind.
    name, dtype
        See `Layer`.
    """

    fixed = Layer.fixed | {"cropping"}

    def __init__(self, cropping=(1, 1), *, name=None, dtype=None, **arguments):
        super().__init__(name, dtype, **arguments)
        self.cropping = both_ends(cropping, "cropping")

    def check_shape(self, shape):
        super().check_shape(shape)
        if shape[1] is not None and shape[1] <= sum(self.cropping):
            raise self.wrong_shape(f"(batch, more than {sum(self.cropping)} steps, features)", shape)

    def compute_output_shape(self, input_shape):
        B, T, F = input_shape
        return (B, None if T is None else T - sum(self.cropping), F)

    def forward(self, x, mask=None, training=False, step=0):
        before, behind = self.cropping
        return np.ascontiguousarray(x[:, before:x.shape[1] - behind]), None, x.shape if training else None

    def backward(self, tape, dy, need_dx=True):
        dx, (before, behind) = np.zeros(tape, dy.dtype), self.cropping
        dx[:, before:tape[1] - behind] = dy
        return dx, []


class ZeroPadding1D(Steps):
    """Sequences with steps of zeros before and behind them.

    Parameters
    ----------
    padding : int or tuple of two
        How many at either end, or before and behind.
    data_format : {None, "channels_last"}
    name, dtype
        See `Layer`.
    """

    fixed = Layer.fixed | {"padding"}
    unsupported: ClassVar = CHANNELS_LAST

    def __init__(self, padding=1, data_format=None, *, name=None, dtype=None, **arguments):
        super().__init__(name, dtype, data_format=data_format, **arguments)
        self.padding = both_ends(padding, "padding")

    def compute_output_shape(self, input_shape):
        B, T, F = input_shape
        return (B, None if T is None else T + sum(self.padding), F)

    def forward(self, x, mask=None, training=False, step=0):
        return np.pad(x, ((0, 0), self.padding, (0, 0))), None, () if training else None

    def backward(self, tape, dy, need_dx=True):
        before, behind = self.padding
        return np.ascontiguousarray(dy[:, before:dy.shape[1] - behind]), []


class UpSampling1D(Steps):
    """Every step several times, one after the other.

    Parameters
    ----------
    size : int
        How many times.
    name, dtype
        See `Layer`.
    """

    fixed = Layer.fixed | {"size"}

    def __init__(self, size=2, *, name=None, dtype=None, **arguments):
        super().__init__(name, dtype, **arguments)
        self.size = checks.size(size, "size")

    def compute_output_shape(self, input_shape):
        B, T, F = input_shape
        return (B, None if T is None else T * self.size, F)

    def forward(self, x, mask=None, training=False, step=0):
        return np.repeat(x, self.size, 1), None, () if training else None

    def backward(self, tape, dy, need_dx=True):
        B, T, F = dy.shape
        return total(dy.reshape(B, T // self.size, self.size, F), 2), []
