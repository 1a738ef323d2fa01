"""Layers that put several inputs together: Concatenate and Dot; and their functions."""

import math

import numpy as np

from lstmc.kernels import linear
from lstmc.layers.base import Layer
from lstmc.layers.merging import Merging, any_of, function
from lstmc.layers.sums import total
from lstmc.nn import checks


class Concatenate(Merging):
    """Inputs one after the other along an axis.

    Parameters
    ----------
    axis : int
        Not that of the batch.
    name, dtype
        See `Layer`.
    """

    fixed = Layer.fixed | {"axis"}

    def __init__(self, axis=-1, *, name=None, dtype=None, **arguments):
        super().__init__(name, dtype, **arguments)
        self.axis = checks.integer(axis, "axis", -16, 16)

    def check_shape(self, shape):
        super().check_shape(shape)
        n = len(shape[0])
        if any(len(s) != n for s in shape) or not -n < self.axis < n or self.axis == 0:
            raise self.unlike(f"as many axes, of which {self.axis} is not the batch's", shape)
        for sizes in (set(sizes) - {None} for axis, sizes in enumerate(zip(*shape, strict=True)) if axis not in (0, self.axis % n)):
            if len(sizes) > 1:
                raise self.unlike(f"shapes that differ along axis {self.axis} alone", shape)

    def compute_output_shape(self, input_shape):
        at = self.axis % len(input_shape[0])
        known = [next((n for n in sizes if n is not None), None) for sizes in zip(*input_shape, strict=True)]
        along = [s[at] for s in input_shape]
        known[at] = None if None in along else sum(along)
        return tuple(known)

    def forward(self, x, mask=None, training=False, step=0):
        return np.concatenate(x, self.axis), self.merged(x, mask), [a.shape[self.axis] for a in x] if training else None

    def merged(self, xs, masks):
        """The masks of the inputs xs one after the other, or where any is valid if steps are not put together; as in Keras, no mask is one of True."""
        if masks is None or all(m is None for m in masks):
            return None
        axes = max(m.ndim for m in masks if m is not None)
        full = [np.ones(x.shape[:axes], bool) if m is None else np.broadcast_to(m.reshape(m.shape + (1,) * (axes - m.ndim)), x.shape[:axes])
                for x, m in zip(xs, masks, strict=True)]
        at = self.axis % xs[0].ndim
        return np.concatenate(full, at) if at < axes else any_of(full)

    def backward(self, tape, dy, need_dx=True):
        return [np.ascontiguousarray(a) for a in np.split(dy, np.cumsum(tape)[:-1], self.axis)], []

    def get_config(self):
        return {"axis": self.axis, **self.plain_config()}


class Dot(Merging):
    """The products of two inputs, summed along an axis of each: (batch, rest of the first, rest of the second), and (batch, 1) if nothing rests.

    Parameters
    ----------
    axes : int or pair of int
        Not those of the batch.
    normalize : bool
        Scale both to length 1 along their axes first: the result is the cosine.
    name, dtype
        See `Layer`.
    """

    fixed = Layer.fixed | {"axes", "normalize"}
    least = most = 2

    def __init__(self, axes, normalize=False, *, name=None, dtype=None, **arguments):
        super().__init__(name, dtype, **arguments)
        if isinstance(axes, (tuple, list)):
            if len(axes) != 2:
                raise ValueError(f"axes: expected a number or two, received {axes!r}")
            self.axes = tuple(checks.integer(n, "axes", -16, 16) for n in axes)
        else:
            self.axes = checks.integer(axes, "axes", -16, 16)
        self.normalize = checks.flag(normalize, "normalize")

    def places(self, shapes):
        """The axis of each input, counted from 0."""
        axes = self.axes if isinstance(self.axes, tuple) else (self.axes,) * 2
        return [a % len(s) if -len(s) <= a < len(s) else 0 for a, s in zip(axes, shapes, strict=True)]

    def check_shape(self, shape):
        super().check_shape(shape)
        places = self.places(shape)
        sizes = [s[a] for s, a in zip(shape, places, strict=True)]
        if 0 in places or (None not in sizes and sizes[0] != sizes[1]):
            raise self.unlike(f"one size along axes={self.axes}, which are not the batch's", shape)

    def compute_output_shape(self, input_shape):
        rests = [[n for axis, n in enumerate(s) if axis not in (0, at)] for s, at in zip(input_shape, self.places(input_shape), strict=True)]
        batch = next((s[0] for s in input_shape if s[0] is not None), None)
        return (batch, *(rests[0] + rests[1] or [1]))

    def forward(self, x, mask=None, training=False, step=0):
        moved = [np.moveaxis(a, at, -1) for a, at in zip(x, self.places([a.shape for a in x]), strict=True)]
        flat = [np.ascontiguousarray(a).reshape(len(a), math.prod(a.shape[1:-1]), a.shape[-1]) for a in moved]
        scales = [None, None]
        if self.normalize:
            # As in Keras, no longer than by 1e7.
            scales = [1 / np.maximum(np.sqrt(total(a * a, -1)), self.dtype.type(1e-7))[..., None] for a in flat]
            flat = [a * s for a, s in zip(flat, scales, strict=True)]
        a, b = flat
        y = np.empty((len(a), a.shape[1], b.shape[1]), self.dtype)
        for n in range(len(a)):
            linear.linear_fwd(a[n], b[n].T, None, y[n])
        shape = self.compute_output_shape([v.shape for v in x])
        return y.reshape(shape), None, (flat, scales, [v.shape for v in moved], [v.shape for v in x]) if training else None

    def backward(self, tape, dy, need_dx=True):
        (a, b), scales, moved, shapes = tape
        dy = np.ascontiguousarray(dy).reshape(len(a), a.shape[1], b.shape[1])
        grads = [np.empty_like(a), np.empty_like(b)]
        for n in range(len(a)):
            linear.linear_fwd(dy[n], b[n], None, grads[0][n])
            linear.linear_fwd(dy[n].T, a[n], None, grads[1][n])
        found = []
        for g, u, s, shape, at in zip(grads, (a, b), scales, moved, self.places(shapes), strict=True):
            if s is not None:
                g = (g - u * total(g * u, -1)[..., None]) * s
            found.append(np.ascontiguousarray(np.moveaxis(g.reshape(shape), -1, at)))
        return found, []

    def get_config(self):
        return {"axes": list(self.axes) if isinstance(self.axes, tuple) else self.axes, "normalize": self.normalize, **self.plain_config()}


concatenate, dot = function(Concatenate), function(Dot)
