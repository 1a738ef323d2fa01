"""The law of dropout and zoneout masks: which word decides about which element.

Words come from Philox4x32-10, a bijection of a counter of four 32-bit words under a key of two (Salmon, Moraes, Dror and
Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3"). The word of an element is a function of its position alone::

    key  = philox(counter = (step low, step high, layer, purpose), key = (seed low, seed high)), words 0 and 1
    word = philox(counter = (unit // 4, time, sequence, 0), key)[unit % 4]

An element is dropped (dropout) or keeps its old value (zoneout) where word < round(p 2**32), at most 2**32 - 1. Kept
elements of a dropout mask are 1/(1-p). Kernels are right when they agree with this file, which imports NumPy alone.
"""

import numpy as np

MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
WEYL = 0x9E3779B9, 0xBB67AE85       # what the key grows by in a round: golden ratio, sqrt(3) - 1
ROUNDS = 10
LOW = 0xFFFFFFFF


def philox(counter, key):
    """The four output words for a counter of four words and a key of two; entries may be arrays that broadcast.

    Returns
    -------
    tuple of ndarray
        Four arrays of uint64 below 2**32.
    """
    c = np.broadcast_arrays(*(np.asarray(word, np.uint64) for word in counter))
    k = [int(word) for word in key]
    for _ in range(ROUNDS):
        p, q = c[0] * np.uint64(MULTIPLIERS[0]), c[2] * np.uint64(MULTIPLIERS[1])
        high = [product >> np.uint64(32) for product in (p, q)]
        low = [product & np.uint64(LOW) for product in (p, q)]
        c = high[1] ^ c[1] ^ np.uint64(k[0]), low[1], high[0] ^ c[3] ^ np.uint64(k[1]), low[0]
        k = [(word + step) & LOW for word, step in zip(k, WEYL, strict=True)]
    return c


def derived_key(seed, step, layer, purpose):
    """The key of one call's masks: two whole numbers."""
    words = philox((step & LOW, step >> 32, layer, purpose), (seed & LOW, seed >> 32))
    return int(words[0]), int(words[1])


def words(times, sequences, units, key):
    """(T, B, W) uint32: the word of every element, for index arrays of times, sequences and units."""
    t, b, u = np.ix_(times, sequences, units)
    return np.choose(u % 4, philox((u // 4, t, b, 0), key)).astype(np.uint32)


def threshold(p):
    """An element is dropped where its word is below this."""
    return min(round(p * 2**32), LOW)


def keep_mask(p, shape, dtype, seed, step, layer, purpose):
    """(T, B, W): 0 where dropped, else 1/(1-p) rounded to dtype."""
    w = words(*(np.arange(n) for n in shape), derived_key(seed, step, layer, purpose))
    return np.where(w < threshold(p), 0, 1 / (1 - p)).astype(dtype)
