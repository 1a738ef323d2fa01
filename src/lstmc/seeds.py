"""Where random numbers come from: one root seed per process, from which every layer and model derives its own.

All draws use NumPy's counter-based Philox generator on one thread, so they depend on seeds and positions only. Dropout
masks depend on them too, and are drawn by `lstmc.kernels.random` under the seeds that layers get here.
Python's and NumPy's global generators are neither read nor changed.
"""

import secrets

import numpy as np

from lstmc.locks import Lock
from lstmc.nn import checks

_lock = Lock()
_root = None        # drawn from the operating system at first use, unless set
_drawn = 0


def check_seed(seed, name="seed"):
    """`seed` as a Python int from 0 to 2**64 - 1."""
    return checks.integer(seed, name, 0, 2**64 - 1)


def set_random_seed(seed):
    """Make everything that is built afterwards reproducible: initial weights, shuffling, dropout.

    Parameters
    ----------
    seed : int
        0 to 2**64 - 1. Layers with a `seed` of their own do not depend on it.
    """
    global _root, _drawn
    seed = check_seed(seed)
    with _lock.now:
        _root, _drawn = seed, 0


def next_seed():
    """A new seed, the next in the sequence that the root seed determines."""
    global _root, _drawn
    with _lock.now:
        if _root is None:
            _root = secrets.randbits(64)
        key = [_root, _drawn]
        _drawn += 1
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0])


def generator(*key):
    """A fresh generator whose stream is a function of the given whole numbers."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(key)))
