"""Sums along an axis as a fixed tree of elementwise additions: bits do not depend on the NumPy in use, nor on threads."""

import numpy as np


def total(x, axis):
    """The sum along an axis."""
    axes = list(range(x.ndim))
    x = np.array(x.transpose(axes.pop(axis), *axes), order="C")     # a copy, summed in rows
    n = len(x)
    while n > 1:
        half = n // 2
        first = x[:half]
        np.add(first, x[n - half:n], first)
        n -= half
    return x[0] if n else np.zeros(x.shape[1:], x.dtype)


def onto(x, shape):
    """x summed to a shape that was broadcast to its own, of as many axes."""
    for axis, n in enumerate(shape):
        if n == 1 and x.shape[axis] != 1:
            x = np.expand_dims(total(x, axis), axis)
    return x
