"""Dropout masks from a counter, so that they depend on seed, step and layer, never on threads or the order of calls."""

import numpy as np


def keep_mask(p, shape, dtype, seed, step, layer):
    """0 with probability p, else 1/(1-p), for every element.

    Element e takes the e-th 32-bit word of the Philox 4x64 stream with key (seed, layer) and counter word `step`.
    """
    size = int(np.prod(shape))
    stream = np.random.Philox(key=np.array([seed, layer], np.uint64), counter=np.array([0, 0, 0, step], np.uint64))
    words = stream.random_raw((size + 1) // 2).astype("<u8", copy=False).view("<u4")[:size]
    mask = (words >= np.uint32(min(round(p * 2**32), 2**32 - 1))).astype(dtype)
    mask *= dtype.type(1 / (1 - p))
    return mask.reshape(shape)
