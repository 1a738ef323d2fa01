"""`from_gates`: weights in any order of gates, transposed or not, with one bias or two, become the module that they are of."""

import numpy as np
import pytest

from conftest import assert_same_bits
from lstmc import layouts, nn

pytestmark = pytest.mark.once

KINDS = {"LSTM": ("ifgo", "iofc", "fico", "onnx", "keras"), "GRU": ("rzn", "zrn", "zrh", "nzr", "keras", "onnx"), "RNN": ("h", "pytorch")}
LETTERS = {"LSTM": "ifgo", "GRU": "rzn", "RNN": "h"}


def stacked(a, kind, order):
    """A parameter of PyTorch's with its gates in another order."""
    word = {"onnx": {"LSTM": "iofg", "GRU": "zrn"}, "keras": {"LSTM": "ifgo", "GRU": "zrn"}, "pytorch": LETTERS}.get(order, {}).get(kind, order)
    word = word.replace("c", "g") if kind == "LSTM" else word.replace("h", "n") if kind == "GRU" else word
    blocks = dict(zip(LETTERS[kind], np.split(a, len(word)), strict=True))
    return np.concatenate([blocks[letter] for letter in word])


@pytest.mark.parametrize(("kind", "order"), [(kind, order) for kind, orders in KINDS.items() for order in orders])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_order_and_both_transposes(kind, order, dtype):
    for sizes in ({}, {"num_layers": 2, "bidirectional": True}, {"num_layers": 2, "proj_size": 2}, {"bidirectional": True, "bias": False}):
        if "proj_size" in sizes and kind != "LSTM":
            continue
        m = getattr(nn, kind)(3, 4, seed=1, dtype=dtype, **sizes)
        p, ways = m.state_dict(), ["", "_reverse"][:m.num_directions]

        def listed(name, turn, p=p, m=m, ways=ways, gates=True):
            arrays = [[p[f"{name}_l{layer}{way}"] for way in ways] for layer in range(m.num_layers)]
            arrays = [[stacked(a, kind, order) if gates else a for a in way] for way in arrays]
            return [[a.T if turn else a for a in way] for way in arrays]

        for turn in (False, True):
            W, R = listed("weight_ih", turn), listed("weight_hh", turn)
            given = {"order": order} if turn == (order == "keras") else {"order": order, "transposed": turn}
            if m.proj_size:
                given["projection"] = listed("weight_hr", turn, gates=False)
            for joined in (np.stack, np.concatenate) if m.bias else (None,):
                b = [[joined(pair) for pair in zip(*layer, strict=True)]
                     for layer in zip(listed("bias_ih", False), listed("bias_hh", False), strict=True)] if joined else None
                found = type(m).from_gates(W, R, b, batch_first=True, seed=7, **given)
                assert found.dtype == m.dtype
                assert (found.batch_first, found.seed) == (True, 7)
                assert found.state_dict().keys() == p.keys()
                for name, a in found.state_dict().items():
                    assert_same_bits(a, p[name])


def test_plain_arrays_lists_and_one_bias():
    rng = np.random.default_rng(0)
    W, R, b = rng.standard_normal((12, 3)), rng.standard_normal((12, 4)), rng.standard_normal(12)
    m = nn.GRU.from_gates(W, R, b)
    assert repr(m) == "GRU(3, 4, dtype='float64')"
    found = m.state_dict()
    assert np.array_equal(found["bias_ih_l0"], b)
    assert not found["bias_hh_l0"].any()
    two = nn.GRU.from_gates([W, rng.standard_normal((12, 4))], [R, R], dropout=0.5)
    assert repr(two) == "GRU(3, 4, num_layers=2, bias=False, dropout=0.5, dtype='float64')"
    assert np.array_equal(two.state_dict()["weight_hh_l1"], R)
    assert nn.GRU.from_gates([[W]], [[R]], dtype="float64", reset_after=False).cell == "gru_before"
    small = nn.LSTM.from_gates(np.zeros((8, 3), np.float16), np.zeros((8, 2), np.float32), peephole=True, layer_norm="haste")
    assert small.dtype == np.float32
    assert (small.state_dict()["norm_ih_l0"] == 1).all()


@pytest.mark.parametrize(("change", "message"), [
    ({"W": np.zeros((11, 3))}, r"W\[0\]\[0\]: expected shape \(G\*H, I\) = \(12, 3\) with G\*H = 3\*4, received \(11, 3\)"),
    ({"R": np.zeros((12, 5))}, r"R\[0\]\[0\]: expected shape \(G\*H, H\) = \(12, 4\) with G\*H = 3\*4, received \(12, 5\)"),
    ({"R": np.zeros((2, 4))}, r"W\[0\]\[0\]: expected shape"),
    ({"W": np.zeros((3, 12)), "R": np.zeros((3, 12)), "transposed": True}, r"R\[0\]\[0\]: expected shape \(H, G\*H\) = \(4, 12\) .* received \(3, 12\)"),
    ({"W": [np.zeros((12, 3)), np.zeros((12, 3))], "R": [np.zeros((12, 4))] * 2}, r"W\[1\]\[0\]: expected shape \(G\*H, D\*H\) = \(12, 4\)"),
    ({"W": [np.zeros((12, 3))] * 2}, "R: expected layers and directions as W has them, 2 x 1, received 1 x 1"),
    ({"W": []}, "W: expected an array, a list of one per layer, .* received a list of none"),
    ({"W": [[np.zeros((12, 3))] * 3]}, "W: expected .* received a list of 3"),
    ({"b": np.zeros(13)}, r"b\[0\]\[0\]: expected shape \(12,\) of one bias, \(2, 12\) or \(24,\) .* received \(13,\)"),
    ({"b": np.zeros((1, 2, 12))}, r"b\[0\]\[0\]: expected one or two axes"),
    ({"order": "rzz"}, "order: expected the letters of 'rzn'"),
    ({"order": []}, "order: expected the letters of 'rzn'"),
])
def test_what_does_not_fit_is_named(change, message):
    given = {"W": np.zeros((12, 3)), "R": np.zeros((12, 4)), **change}
    with pytest.raises(ValueError, match=message):
        nn.GRU.from_gates(given.pop("W"), given.pop("R"), **given)


def test_wrong_kinds():
    W, R = np.zeros((12, 3)), np.zeros((12, 4))
    with pytest.raises(TypeError, match=r"W\[0\]\[0\]: expected float32 or float64, received int64"):
        nn.GRU.from_gates(W.astype("int64"), R)
    with pytest.raises(TypeError, match=r"W\[0\]\[0\]: expected an array, received float"):
        nn.GRU.from_gates([[1.0, 2.0]], R)
    with pytest.raises(ValueError, match="projection: expected None, since GRU has none, received ndarray"):
        nn.GRU.from_gates(W, R, projection=np.zeros((2, 4)))
    with pytest.raises(TypeError, match="received float64"):
        nn.GRU.from_gates(W, R, dtype="float32")
    with pytest.raises(TypeError, match="transposed: expected True or False"):
        nn.GRU.from_gates(W, R, transposed=1)
    with pytest.raises(TypeError, match="multiple values"):
        nn.GRU.from_gates(W, R, num_layers=2)


def test_words_with_other_letters():
    assert layouts.order("zrh", "gru") == "zrn"
    assert layouts.order("ifco", "lstm") == "ifgo"
    assert layouts.order("h", "rnn") == "h"
