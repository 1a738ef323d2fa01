"""Layers whose outputs are made of windows, some steps each: Conv1D, MaxPooling1D, AveragePooling1D.

Windows overlap and are read where they are; dilated ones alone are copied for a product. What steps of several windows give is summed in the order
of the steps in a window.
"""

from typing import ClassVar

import numpy as np

from lstmc.arguments import CHANNELS_LAST
from lstmc.kernels import linear
from lstmc.layers.activations import where
from lstmc.layers.base import reshaping
from lstmc.layers.core import Product, in_rows
from lstmc.layers.steps import Steps
from lstmc.nn import checks


class Windows(Steps):
    """Base: windows of some steps, which are `apart` from each other, begin every `strides` steps."""

    fixed = Steps.fixed | {"padding", "strides"}
    unsupported: ClassVar = CHANNELS_LAST
    paddings = ("valid", "same")

    def _set(self, strides, padding, size, apart=1):
        self.padding = padding.lower() if isinstance(padding, str) else padding
        if self.padding not in self.paddings:
            raise ValueError(f"padding: expected one of {', '.join(self.paddings)}, received {padding!r}")
        self.strides, self._size, self._apart, self._reach = one(strides, "strides"), size, apart, (size - 1) * apart + 1

    def check_shape(self, shape):
        super().check_shape(shape)
        if self.padding == "valid" and shape[1] is not None and shape[1] < self._reach:
            raise self.wrong_shape(f"(batch, at least {self._reach} steps, features)", shape, '; padding="same" takes fewer')

    def _ends(self, T):
        return ends(T, self.padding, self.strides, self._reach)

    def compute_output_shape(self, input_shape):
        B, T, F = input_shape
        return (B, None if T is None else self._ends(T)[0], F)

    def _padded(self, x, fill=0):
        (B, T, F), (_, before, behind) = x.shape, self._ends(x.shape[1])
        if not before + behind:
            return x
        wide = np.full((B, before + T + behind, F), fill, x.dtype)
        wide[:, before:before + T] = x
        return wide

    def _steps(self, wide):
        """The first steps of all windows of a padded array, their second ones, and so on."""
        reach = wide.shape[1] - self._reach + 1
        return [wide[:, j:j + reach:self.strides] for j in range(0, self._reach, self._apart)]


def ends(T, padding, stride, reach):
    """(number of windows, steps of padding before, behind) of T steps, where a window is in `reach` steps."""
    if padding == "same":
        n = -(-T // stride)
        more = max((n - 1) * stride + reach - T, 0)
        return n, more // 2, more - more // 2
    before = reach - 1 if padding == "causal" else 0
    return (T + before - reach) // stride + 1, before, 0


def one(value, name):
    """A size, which may be in a tuple."""
    return checks.size(value[0] if isinstance(value, (tuple, list)) and len(value) == 1 else value, name)


def windows(x, n, size, stride=1, apart=1):
    """(B, n, size * F): n windows of each sequence of x (B, T, F), a view of it where memory allows."""
    (B, _, F), (b, t, f) = x.shape, x.strides
    return np.lib.stride_tricks.as_strided(x, (B, n, size, F), (b, stride * t, apart * t, f)).reshape(B, n, size * F)


class Conv1D(Windows, Product):
    """y[t] = activation(b + the sum over j of x[strides t + dilation_rate j] w[j]); kernel (kernel_size, features, filters), bias (filters,).

    Parameters
    ----------
    filters : int
    kernel_size : int
        How many steps make a window.
    strides : int
        How many steps one begins behind the other.
    padding : {"valid", "same", "causal"}
        No zeros around sequences; as many on both sides as give an output for every step, or for one in `strides`; all of them before.
    data_format : {None, "channels_last"}
    dilation_rate : int
        How far steps of a window are apart; 1 if strides are not.
    groups : {1}
    activation : str or function of lstmc.activations, optional
    use_bias : bool
    kernel_initializer, bias_initializer : str or lstmc.initializers.Initializer
    kernel_regularizer, bias_regularizer : str or lstmc.regularizers.Regularizer, optional
    name, dtype, seed
        See `Layer`.
    """

    fixed = Windows.fixed | Product.fixed | {"dilation_rate", "filters", "kernel_size"}
    unsupported: ClassVar = {**Product.unsupported, **CHANNELS_LAST, "groups": (1, "give parts of the features to a Conv1D each, and join what they give")}
    paddings = ("valid", "same", "causal")

    def __init__(self, filters, kernel_size, strides=1, padding="valid", data_format=None, dilation_rate=1, groups=1, activation=None, use_bias=True,
                 kernel_initializer="glorot_uniform", bias_initializer="zeros", kernel_regularizer=None, bias_regularizer=None, *, name=None, dtype=None,
                 seed=None, **arguments):
        Product.__init__(self, activation, use_bias, kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, name, dtype, seed,
                         data_format=data_format, groups=groups, **arguments)
        self.filters, self.kernel_size = checks.size(filters, "filters"), one(kernel_size, "kernel_size")
        self.dilation_rate = one(dilation_rate, "dilation_rate")
        self._set(strides, padding, self.kernel_size, self.dilation_rate)
        if self.strides > 1 and self.dilation_rate > 1:
            raise ValueError(f"dilation_rate: expected 1 with strides of {self.strides}, received {self.dilation_rate}")

    def check_shape(self, shape):
        features = self._kernel.shape[1] if self.built else None
        if len(shape) != 3 or shape[2] is None or (features is not None and shape[2] != features):
            raise self.wrong_shape(f"(batch, time, {features or 'features'})", shape, reshaping(shape, None, features))
        super().check_shape(shape)

    def compute_output_shape(self, input_shape):
        return (*super().compute_output_shape(input_shape)[:2], self.filters)

    def _kernel_shape(self, features):
        return (self.kernel_size, features, self.filters)

    def _rows(self, x):
        return windows(self._padded(x), self._ends(x.shape[1])[0], self.kernel_size, self.strides, self.dilation_rate)

    def _rows_bwd(self, dz, shape):
        """The same with stride 1: of dz with zeros around it and between its steps, and the kernel from its last step to its first."""
        B, T, _ = shape
        n, before, _ = self._ends(T)
        wide, dx = np.zeros((B, T + self._reach - 1, self.filters), self.dtype), np.empty(shape, self.dtype)
        first = self._reach - 1 - before
        wide[:, first:first + n * self.strides:self.strides] = dz
        w = in_rows(self._kernel[::-1].swapaxes(1, 2))
        linear.linear_fwd(windows(wide, T, self.kernel_size, 1, self.dilation_rate), w, None, in_rows(dx))
        return dx

    def get_config(self):
        return {**super().get_config(), **Product.get_config(self)}


class _Pooling(Windows):
    """One value of each window and feature. Subclasses have `_pool` and `_shares` of the windows' first steps, second ones, ...; T is that of x."""

    fixed = Windows.fixed | {"pool_size"}
    fill = 0

    def __init__(self, pool_size=2, strides=None, padding="valid", data_format=None, *, name=None, dtype=None, **arguments):
        super().__init__(name, dtype, data_format=data_format, **arguments)
        self.pool_size = one(pool_size, "pool_size")
        self._set(self.pool_size if strides is None else strides, padding, self.pool_size)

    def forward(self, x, mask=None, training=False, step=0):
        y = self._pool(self._steps(self._padded(x, self.fill)), x.shape[1])
        return y, None, (x, y) if training else None

    def backward(self, tape, dy, need_dx=True):
        x, y = tape
        wide, T = self._padded(x, self.fill), x.shape[1]
        dx, before = np.zeros(wide.shape, self.dtype), self._ends(T)[1]
        for d, share in zip(self._steps(dx), self._shares(self._steps(wide), T, y, dy), strict=True):
            d += share
        return np.ascontiguousarray(dx[:, before:before + T]), []


class MaxPooling1D(_Pooling):
    """The largest value of each window. Its gradient is that of the first step that has it.

    Parameters
    ----------
    pool_size : int
        How many steps make a window.
    strides : int, optional
        How many steps one begins behind the other; pool_size if None.
    padding : {"valid", "same"}
        Whether windows stay within sequences or reach beyond their ends, where nothing is.
    data_format : {None, "channels_last"}
    name, dtype
        See `Layer`.
    """

    fill = -np.inf

    def _pool(self, steps, T):
        y = steps[0].copy()
        for a in steps[1:]:
            np.maximum(y, a, out=y)
        return y

    def _shares(self, steps, T, y, dy):
        free = np.ones(y.shape, bool)
        for a in steps:
            here = free & (a == y)
            free ^= here
            yield where(here, dy)


class AveragePooling1D(_Pooling):
    """The mean of each window; arguments are those of `MaxPooling1D`."""

    def _counts(self, T):
        return sum(self._steps(self._padded(np.ones((1, T, 1), self.dtype))))

    def _pool(self, steps, T):
        return sum(steps) / self._counts(T)

    def _shares(self, steps, T, y, dy):
        return [dy / self._counts(T)] * len(steps)
