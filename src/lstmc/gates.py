"""The order in which frameworks stack the gates of a cell in one matrix: a word, a letter per gate. That of lstmc.nn is PyTorch's."""

import numpy as np

ORDERS = {
    "pytorch": {"lstm": "ifgo", "gru": "rzn", "rnn": "h"},
    "keras": {"lstm": "ifgo", "gru": "zrn", "rnn": "h"},
}


def reordered(a, cell, source, target):
    """a, whose last axis is the gates of a cell one after the other, from one framework's order to another's; itself if they are the same."""
    source, target = ORDERS[source][cell], ORDERS[target][cell]
    if source == target:
        return a
    blocks = a.reshape(*a.shape[:-1], len(source), -1)
    return blocks[..., [source.index(gate) for gate in target], :].reshape(a.shape)


def count(cell):
    """Number of gates."""
    return len(ORDERS["pytorch"][cell])


def joined(first, second):
    """(2, n): two arrays (n,) that lie one after the other in memory, as one view that keeps both."""
    if first.ctypes.data + first.nbytes != second.ctypes.data or not (first.flags.c_contiguous and second.flags.c_contiguous):
        raise ValueError("second: expected memory right after that of first, received other memory")
    return np.lib.stride_tricks.as_strided(first, (2, first.size), (first.nbytes, first.itemsize))
