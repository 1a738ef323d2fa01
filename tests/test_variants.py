"""What the settings of nn.LSTM, GRU and RNN and the arguments of their calls refuse: every message names the argument, what was
expected and what was received. `test_errors` has what the modules have in common.
"""

import numpy as np
import pytest

from cases import Case
from conftest import MODULES, assert_same_bits, module_of, numbers_of, train

FUNCTIONS = "expected one of sigmoid, tanh, relu, affine, linear, leaky_relu, thresholded_relu, scaled_tanh, hard_sigmoid, elu, softsign, softplus"
SETTINGS = [
    ("lstm", ValueError, "peephole: expected False, True or 'all', received 'some'", {"peephole": "some"}),
    ("lstm", ValueError, "peephole: expected False, True or 'all', received None", {"peephole": None}),
    ("lstm", ValueError, "peephole: expected False, True or 'all', received 1", {"peephole": 1}),
    ("lstm", TypeError, "coupled: expected True or False, received 1", {"coupled": 1}),
    ("lstm", ValueError, "clip: expected a number above 0, or None, received 0", {"clip": 0}),
    ("gru", ValueError, "clip: expected a number above 0, or None, received -1.0", {"clip": -1.0}),
    ("gru", ValueError, "clip: expected a finite number, received inf", {"clip": np.inf}),
    ("rnn", ValueError, "clip: expected a number above 0, or None, received 0", {"clip": 0}),
    ("lstm", ValueError, "clip: expected a finite number, received nan", {"clip": np.nan}),
    ("lstm", TypeError, "clip: expected a number, received str", {"clip": "1"}),
    ("lstm", TypeError, "clip: expected a number, received bool", {"clip": True}),
    ("lstm", ValueError, r"activations: expected 3 of them, received \('sigmoid', 'tanh'\)", {"activations": ("sigmoid", "tanh")}),
    ("lstm", ValueError, "activations: expected 3 of them, received 'tanh'", {"activations": "tanh"}),
    ("gru", ValueError, r"activations: expected 2 of them, received \('sigmoid', 'tanh', 'tanh'\)", {"activations": ("sigmoid", "tanh", "tanh")}),
    ("lstm", ValueError, rf"activations\[1\]: {FUNCTIONS}, alone or as \(name, alpha, beta\), received 'swish'",
     {"activations": ("sigmoid", "swish", "tanh")}),
    ("gru", ValueError, r"activations\[0\]: expected one of .*, received \(\)", {"activations": ((), "tanh")}),
    ("gru", ValueError, r"activations\[0\]: expected one of .*, received 3", {"activations": (3, "tanh")}),
    ("gru", ValueError, r"activations\[1\]: expected one of .*, received \('elu', 1, 2, 3\)", {"activations": ("sigmoid", ("elu", 1, 2, 3))}),
    ("gru", TypeError, r"activations\[1\]: alpha: expected a number, received str", {"activations": ("sigmoid", ("elu", "1"))}),
    ("gru", ValueError, r"activations\[1\]: beta: expected a finite number, received nan", {"activations": ("sigmoid", ("affine", 1, np.nan))}),
    ("lstm", ValueError, r"activations\[2\]: leaky_relu with alpha -0.1 is not supported", {"activations": ("sigmoid", "tanh", ("leaky_relu", -0.1))}),
    ("lstm", ValueError, r"activations\[2\]: elu with alpha -1.0 is not supported", {"activations": ("sigmoid", "tanh", ("elu", -1))}),
    ("rnn", ValueError, "nonlinearity: scaled_tanh with alpha 0 is the constant 0", {"nonlinearity": ("scaled_tanh", 0)}),
    ("rnn", ValueError, "nonlinearity: expected one of sigmoid, .*, received 'ReLU'", {"nonlinearity": "ReLU"}),
    ("rnn", ValueError, "nonlinearity: expected one of sigmoid, .*, received None", {"nonlinearity": None}),
    ("lstm", ValueError, "zoneout: expected at least 0 and below 1, received 1", {"zoneout": 1}),
    ("lstm", ValueError, r"zoneout\[1\]: expected at least 0 and below 1, received -0.5", {"zoneout": (0.1, -0.5)}),
    ("lstm", ValueError, r"zoneout: expected a number or a pair \(h, c\), received \(0.1,\)", {"zoneout": (0.1,)}),
    ("gru", ValueError, r"zoneout: expected a number, received \(0.1, 0.2\)", {"zoneout": (0.1, 0.2)}),
    ("gru", TypeError, "zoneout: expected a number, received NoneType", {"zoneout": None}),
    ("lstm", ValueError, "input_dropout: expected at least 0 and below 1, received 1.0", {"input_dropout": 1.0}),
    ("gru", ValueError, "input_dropout: expected at least 0 and below 1, received -0.5", {"input_dropout": -0.5}),
    ("rnn", TypeError, "input_dropout: expected a number, received NoneType", {"input_dropout": None}),
    ("lstm", ValueError, r"gates_off: expected some of 'i', 'f', 'o', received \('g',\)", {"gates_off": ("g",)}),
    ("lstm", ValueError, "gates_off: expected some of 'i', 'f', 'o', received 'ix'", {"gates_off": "ix"}),
    ("lstm", TypeError, "gates_off: expected some of 'i', 'f', 'o', received None", {"gates_off": None}),
    ("lstm", ValueError, r"gates_off: expected neither 'i' nor 'f' with coupled=True, .* received \['f'\]", {"gates_off": ["f"], "coupled": True}),
    ("gru", TypeError, "unexpected keyword argument 'proj_size'", {"proj_size": 2}),
    ("rnn", TypeError, "unexpected keyword argument 'zoneout'", {"zoneout": 0.1}),
    ("rnn", ValueError, "hidden_size: expected at least 1, received 0", {"hidden_size": 0}),
]


@pytest.mark.parametrize(("cell", "error", "text", "settings"), SETTINGS)
def test_settings(cell, error, text, settings):
    with pytest.raises(error, match=text):
        MODULES[cell](**{"input_size": 3, "hidden_size": 4, **settings})


# T = 4, B = 3, I = 2, H = 5, L*D = 4
CASE = Case(4, 3, 2, 5, L=2, D=2)
N = {cell: numbers_of(CASE, "float32", name=cell) for cell in MODULES}
X, H0 = N["gru"]["x"], N["gru"]["h0"]
MASK = np.ones((4, 3), bool)
LIST = [X[:, 0], X[:2, 1]]
CALLS = [
    ("gru", TypeError, "hx: expected one array, the h of GRU, received a tuple of 2", {"hx": (H0, H0)}),
    ("rnn", TypeError, "hx: expected one array, the h of RNN, received a list of 1", {"hx": [H0]}),
    ("gru", ValueError, r"hx: expected shape \(L\*D, B, H\) = \(4, 3, 5\), received \(2, 3, 5\)", {"hx": H0[:2]}),
    ("rnn", TypeError, "hx: expected dtype float32, received float64", {"hx": H0.astype(float)}),
    ("lstm", ValueError, r"hx: expected a pair \(h_0, c_0\), received ndarray", {"hx": H0}),
    ("gru", ValueError, "mask: expected None with lengths, received both", {"mask": MASK, "lengths": [1, 2, 3]}),
    ("gru", TypeError, "mask: expected bool, True at valid steps, received dtype float64", {"mask": MASK * 1.0}),
    ("lstm", TypeError, "mask: expected bool, True at valid steps, received dtype int64", {"mask": np.ones((4, 3), np.int64)}),
    ("lstm", TypeError, "mask: expected bool, True at valid steps, received dtype object", {"mask": [[True, None, True]] * 4}),
    ("rnn", ValueError, r"mask: expected shape \(T, B\) = \(4, 3\), received \(3, 4\)", {"mask": MASK.T}),
    ("rnn", ValueError, r"mask: expected shape \(T,\) = \(4,\), received \(4, 3\)", {"x": X[:, 0], "mask": MASK}),
    ("lstm", ValueError, r"mask: expected shape \(T, B\) = \(4, 3\), received \(4,\)", {"mask": MASK[:, 0]}),
    ("lstm", ValueError, r"x\[1\]: expected shape \(T, I\) with I = 2, received \(4, 3\)", {"x": [X[:, 0], np.zeros((4, 3), np.float32)]}),
    ("lstm", TypeError, r"x\[1\]: expected dtype float32, received float64", {"x": [X[:, 0], X[:, 1].astype(float)]}),
    ("gru", ValueError, "x: expected one array with lengths, received a list of 2 arrays", {"x": LIST, "lengths": [4, 2]}),
    ("gru", ValueError, "x: expected one array with mask, received a list of 2 arrays", {"x": LIST, "mask": MASK[:, :2]}),
    ("gru", ValueError, r"hx: expected shape \(L\*D, B, H\) = \(4, 2, 5\), received \(4, 3, 5\)", {"x": LIST, "hx": H0}),
]


@pytest.mark.parametrize(("cell", "error", "text", "arguments"), CALLS)
def test_call_and_forward(cell, error, text, arguments):
    m = module_of(CASE, "float32", name=cell)
    for run in (m, m.forward):
        with pytest.raises(error, match=text):
            run(**{"x": X} | arguments)
    assert m.step == 0


@pytest.mark.parametrize(("cell", "error", "text", "arguments"), [
    ("gru", ValueError, "return_cells: expected False, since a GRU has no cell state", {"return_cells": True}),
    ("rnn", ValueError, "return_cells: expected False, since a RNN has no cell state", {"return_cells": True}),
    ("lstm", TypeError, "return_cells: expected True or False, received 1", {"return_cells": 1}),
    ("rnn", TypeError, "return_gates: expected True or False, received None", {"return_gates": None}),
    ("gru", ValueError, "out: expected None with a list of arrays", {"x": LIST, "out": np.zeros((4, 2, 10), np.float32)}),
    ("gru", ValueError, "out: expected memory apart from hx: h_0, received an overlapping array",
     {"x": np.zeros((4, 3, 2), np.float32), "hx": np.zeros((4, 3, 10), np.float32)[:, :, :5]}),
])
def test_call_alone(cell, error, text, arguments):
    m = module_of(CASE, "float32", name=cell)
    if "hx" in arguments:
        arguments = arguments | {"out": arguments["hx"].base}
    with pytest.raises(error, match=text):
        m(**{"x": X} | arguments)


@pytest.mark.parametrize(("error", "text", "every"), [
    (ValueError, "checkpoint_every: expected at least 1, received 0", 0),
    (ValueError, "checkpoint_every: expected at least 1, received -2", -2),
    (TypeError, "checkpoint_every: expected an int, received float", 2.0),
    (TypeError, "checkpoint_every: expected an int, received bool", True),
])
def test_checkpoints(error, text, every):
    with pytest.raises(error, match=text):
        module_of(CASE, "float32", name="gru").forward(X, checkpoint_every=every)


@pytest.mark.parametrize(("error", "text", "arguments"), [
    (TypeError, "dstate: expected one array, the h of GRU, received a tuple of 2", {"dstate": (H0, H0)}),
    (ValueError, r"dstate: expected shape \(L\*D, B, H\) = \(4, 3, 5\), received \(1, 3, 5\)", {"dstate": H0[:1]}),
    (ValueError, r"dy: expected shape \(T, B, D\*R\) = \(4, 3, 10\), received \(4, 3, 5\)", {"dy": N["gru"]["dy"][..., :5]}),
])
def test_backward_refuses_and_leaves_the_tape_usable(error, text, arguments):
    m = module_of(CASE, "float32", name="gru")
    want = train(m, N["gru"])
    _, _, tape = m.forward(X, H0, checkpoint_every=2)
    with pytest.raises(error, match=text):
        m.backward(tape, **arguments)
    assert_same_bits(m.backward(tape, N["gru"]["dy"], N["gru"]["dh_n"]).x, want["dx"])


@pytest.mark.parametrize(("text", "dy"), [
    ("dy: expected a list of 2 arrays, shaped like y, received ndarray", np.zeros((4, 2, 10), np.float32)),
    ("dy: expected a list of 2 arrays, shaped like y, received a list of 1", [np.zeros((4, 10), np.float32)]),
    (r"dy\[1\]: expected shape \(T, D\*R\) = \(2, 10\), received \(4, 10\)", [np.zeros((4, 10), np.float32)] * 2),
])
def test_backward_of_a_list(text, dy):
    m = module_of(CASE, "float32", name="rnn")
    _, _, tape = m.forward(LIST)
    with pytest.raises(ValueError, match=text):
        m.backward(tape, dy)
    m.backward(tape, [np.zeros((4, 10), np.float32), np.zeros((2, 10), np.float32)])


def test_sessions_of_a_cell_without_c():
    m = module_of(Case(4, 3, 2, 5), "float32", name="gru")
    s = m.session(3)
    assert s.state.shape == (1, 3, 5)
    for error, text, value in ((TypeError, "state: expected one array, the h of GRU, received a tuple of 2", (H0, H0)),
                               (ValueError, r"state: expected shape \(L\*D, B, H\) = \(1, 3, 5\), received \(4, 3, 5\)", H0)):
        with pytest.raises(error, match=text):
            s.state = value
    assert not s.state.any()
