"""How frameworks lay out the weights of a recurrent cell: a row each. The layout inside is PyTorch's.

A word has a letter per gate in the order in which they are stacked: LSTM input i, forget f, candidate g, output o; GRU reset r, update z,
candidate n; RNN h. Others write c for g and h for n. Functions turn arrays from one row's layout to another's; nothing else knows a foreign order.
"""

from typing import NamedTuple

import numpy as np


class Layout(NamedTuple):
    """One framework's.

    lstm, gru, rnn: order of the gates. transposed: matrices are (inputs, G*H) instead of (G*H, inputs).
    biases: "two" arrays (G*H,), that of x and that of h; both in "rows" (2, G*H); "joined" (2*G*H,); "one" (G*H,), their sum.
    peephole: order of the LSTM's peepholes, where there are.
    """

    lstm: str = "ifgo"
    gru: str = "rzn"
    rnn: str = "h"
    transposed: bool = False
    biases: str = "two"
    peephole: str = ""


LAYOUTS = {
    "pytorch": Layout(peephole="ifo"),
    # Of a GRU with reset_after the biases are "rows".
    "keras": Layout(gru="zrn", transposed=True, biases="one"),
    # The arrays of Keras 1, one for each gate, in the order in which they are stored.
    "keras 1": Layout(lstm="igfo", gru="zrn", transposed=True, biases="one"),
    # CuDNNLSTM and CuDNNGRU of Keras 2: as "keras", but for `of_cudnn`.
    "cudnn": Layout(gru="zrn", transposed=True, biases="joined"),
    "onnx": Layout(lstm="iofg", gru="zrn", biases="joined", peephole="iof"),
}


def order(layout, cell):
    """The word of a cell's gates, by the name of a row or as it is given, if it has the letters of the cell; an LSTM's g may be a c, a GRU's n an h."""
    word = getattr(LAYOUTS[layout], cell) if isinstance(layout, str) and layout in LAYOUTS else layout
    if isinstance(word, str):
        word = word.replace(*{"lstm": "cg", "gru": "hn", "rnn": "hh"}[cell])
    if not isinstance(word, str) or sorted(word) != sorted(getattr(LAYOUTS["pytorch"], cell)):
        raise ValueError(f"order: expected the letters of {getattr(LAYOUTS['pytorch'], cell)!r} in some order, or one of {', '.join(LAYOUTS)}, "
                         f"received {layout!r}")
    return word


def reordered(a, cell, source, target):
    """a, whose last axis is the gates of a cell one after the other, from one order to another; itself if they are the same."""
    return blocks(a, order(source, cell), order(target, cell))


def blocks(a, source, target):
    """a, whose last axis is blocks of one size, a letter of `source` each, in the order of `target`."""
    if source == target:
        return a
    parts = a.reshape(*a.shape[:-1], len(source), -1)
    return parts[..., [source.index(letter) for letter in target], :].reshape(*a.shape[:-1], -1)


def count(cell):
    """Number of gates."""
    return len(getattr(LAYOUTS["pytorch"], cell))


def of_cudnn(w, cell):
    """A matrix (inputs, G*H) of "cudnn", as "keras" has it: each block of H columns holds, row after row, the matrix (H, inputs) of its gate."""
    parts = [block.reshape(block.shape[::-1]).T for block in np.split(w, count(cell), -1)]
    return np.concatenate(parts, -1)


# Between PyTorch's layout and that of a row ---------------------------------------------------------------------


def matrix_in(w, cell, layout):
    """A matrix of a row, as PyTorch has it: (G*H, inputs)."""
    w = w if LAYOUTS[layout].transposed else w.T
    return reordered(w, cell, layout, "pytorch").T


def matrix_out(w, cell, layout):
    """PyTorch's matrix, as a row has it."""
    w = reordered(w.T, cell, "pytorch", layout)
    return w if LAYOUTS[layout].transposed else w.T


def biases_in(b, cell, layout, biases=None):
    """(bias of x, bias of h) as PyTorch has them, from what a row has; of one sum the second is 0.

    biases: how they are stored, where it is not as the row says.
    """
    biases = biases or LAYOUTS[layout].biases
    if biases == "one":
        x, h = b, np.zeros_like(b)
    else:
        x, h = b.reshape(2, -1) if biases in ("joined", "rows") else b
    return reordered(x, cell, layout, "pytorch"), reordered(h, cell, layout, "pytorch")


def biases_out(x, h, cell, layout, biases=None):
    """PyTorch's two biases of a layer as a row has them."""
    biases = biases or LAYOUTS[layout].biases
    x, h = (reordered(b, cell, "pytorch", layout) for b in (x, h))
    return {"one": lambda: x + h, "rows": lambda: np.stack([x, h]), "joined": lambda: np.concatenate([x, h]), "two": lambda: (x, h)}[biases]()
