"""Orders of gates, transposes and biases of other frameworks, to PyTorch's and back."""

import numpy as np
import pytest

from lstmc import layouts
from lstmc.layouts import LAYOUTS

pytestmark = pytest.mark.reference

# What a matrix whose blocks are the gates i f g o, r z n, h of PyTorch looks like elsewhere.
STACKED = {
    ("pytorch", "lstm"): "ifgo", ("keras", "lstm"): "ifgo", ("onnx", "lstm"): "iofg",
    ("pytorch", "gru"): "rzn", ("keras", "gru"): "zrn", ("onnx", "gru"): "zrn",
    ("keras 1", "lstm"): "igfo", ("keras 1", "gru"): "zrn", ("cudnn", "lstm"): "ifgo", ("cudnn", "gru"): "zrn",
    ("pytorch", "rnn"): "h", ("keras", "rnn"): "h", ("onnx", "rnn"): "h",
}


def rows_of(letters, H=2):
    """(G*H,): a number per gate and unit that names both."""
    return np.array([100 * (1 + ord(letter)) + j for letter in letters for j in range(H)], float)


@pytest.mark.parametrize(("layout", "cell"), STACKED)
def test_matrices_and_biases_go_to_pytorch_and_back(layout, cell):
    ours, theirs = rows_of(STACKED["pytorch", cell]), rows_of(STACKED[layout, cell])
    ours, theirs = ours[:, None] + np.arange(3) / 8, theirs[:, None] + np.arange(3) / 8
    foreign = theirs.T if layout in ("keras", "keras 1", "cudnn") else theirs
    assert np.array_equal(layouts.matrix_in(foreign, cell, layout), ours)
    assert np.array_equal(layouts.matrix_out(ours, cell, layout), foreign)
    x, h, foreign_x, foreign_h = ours[:, 1], ours[:, 2], theirs[:, 1], theirs[:, 2]
    for biases, b in {"two": (foreign_x, foreign_h), "rows": np.stack([foreign_x, foreign_h]), "joined": np.concatenate([foreign_x, foreign_h])}.items():
        assert np.array_equal(layouts.biases_in(b, cell, layout, biases), (x, h))
        assert np.array_equal(layouts.biases_out(x, h, cell, layout, biases), b)
    assert np.array_equal(layouts.biases_in(foreign_x, cell, layout, "one"), (x, np.zeros_like(x)))
    assert np.array_equal(layouts.biases_out(x, h, cell, layout, "one"), foreign_x + foreign_h)


def test_the_kind_of_biases_of_each_row():
    assert {name: row.biases for name, row in LAYOUTS.items()} == {"pytorch": "two", "keras": "one", "keras 1": "one", "cudnn": "joined", "onnx": "joined"}


def test_matrices_of_cudnn():
    """Each gate's block of columns holds, row after row, what PyTorch has of the gate."""
    for cell, letters in (("lstm", "ifgo"), ("gru", "zrn")):
        gates = {letter: np.arange(6.0).reshape(2, 3) + 10 * n for n, letter in enumerate(letters)}      # (H, inputs)
        foreign = np.concatenate([gates[letter].reshape(3, 2) for letter in letters], 1)
        ours = np.concatenate([gates[letter] for letter in STACKED["pytorch", cell]])
        assert np.array_equal(layouts.matrix_in(layouts.of_cudnn(foreign, cell), cell, "keras"), ours)


def test_orders():
    a = np.arange(6)
    assert layouts.reordered(a, "gru", "keras", "pytorch").tolist() == [2, 3, 0, 1, 4, 5]
    assert layouts.reordered(a, "lstm", "keras", "pytorch") is a
    assert layouts.reordered(np.arange(4), "lstm", "fico", "pytorch").tolist() == [1, 0, 2, 3]
    assert layouts.blocks(np.arange(6), "iof", "ifo").tolist() == [0, 1, 4, 5, 2, 3]
    for wrong in ("ifg", "ifgg", "keras2", None, 4):
        with pytest.raises(ValueError, match="order: expected the letters of 'ifgo'"):
            layouts.order(wrong, "lstm")
