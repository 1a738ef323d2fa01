"""Dropout masks for modules and layers: what is a time, a sequence and a unit of their arrays.

The masks are those of `lstmc.kernels.random`: a function of seed, step, layer, purpose and position, never of shapes,
threads or the order of calls.
"""

import contextlib
import math
from contextvars import ContextVar

import numpy as np

from lstmc.kernels import random
from lstmc.kernels.random import Purpose

_first = ContextVar("lstmc_first_sequence", default=0)
first_sequence = _first.get     # the number of the first sequence of what is trained on now


@contextlib.contextmanager
def sequences_from(first):
    """Let the sequences of what is trained on within count from `first`: a piece of a batch draws what it draws in the whole."""
    token = _first.set(first)
    try:
        yield
    finally:
        _first.reset(token)


def keep_mask(p, shape, dtype, seed, step, layer, purpose=Purpose.DROPOUT, threads=None):
    """0 with probability p, else 1/(1-p), for every element of (time, sequence, unit)."""
    mask = np.empty(shape, dtype)
    random.keep_mask(mask, p, seed, step, layer, purpose, threads, first_sequence())
    return mask


def layer_uniform(shape, seed, step):
    """Uniform numbers (float64) between 0 and 1, of which neither occurs, for the array of a layer of noise, as `layer_mask` has masks."""
    words = np.empty(shape, np.uint32)
    random.words(in_rows(words), seed, step, 0, Purpose.NOISE, None, first_sequence())
    return (words + 0.5) * 2.0**-32


def in_rows(a):
    """An array of a layer, batch first, as (time, sequence, unit)."""
    if a.ndim == 2:
        return a[None]
    steps = a.shape[1] if a.ndim == 3 else 1
    return a.reshape(a.shape[0], steps, math.prod(a.shape[1:]) // max(steps, 1)).transpose(1, 0, 2)


def layer_mask(p, shape, dtype, seed, step):
    """As `keep_mask`, for the array of a Dropout layer: batch first, time second if there are three axes.

    All axes that are neither sequence nor time are units, in the order of memory.
    """
    mask = np.empty(shape, dtype)
    random.keep_mask(in_rows(mask), p, seed, step, 0, Purpose.LAYER, None, first_sequence())
    return mask
