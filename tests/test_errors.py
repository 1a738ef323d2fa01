"""Bad input: the right exception, naming the argument, what was expected and what was received, and nothing changed."""

import subprocess
import sys

import numpy as np
import pytest

from cases import Case
from conftest import assert_same_bits, module_of, named, numbers_of, train
from lstmc import nn

# T = 4, B = 3, I = 2, H = 5, P = 2, L*D = 4
CASE = Case(4, 3, 2, 5, L=2, D=2, P=2)
N = numbers_of(CASE, "float32")
X, H0, C0, DY = N["x"], N["h0"], N["c0"], N["dy"]


def module(**more):
    return module_of(CASE, "float32", **more)


@pytest.mark.parametrize(("error", "text", "arguments"), [
    (ValueError, "input_size: expected at least 1, received 0", {"input_size": 0}),
    (ValueError, "hidden_size: expected at least 1, received -3", {"hidden_size": -3}),
    (TypeError, "hidden_size: expected an int, received float", {"hidden_size": 4.0}),
    (TypeError, "input_size: expected an int, received bool", {"input_size": True}),
    (TypeError, "input_size: expected an int, received str", {"input_size": "3"}),
    (ValueError, "num_layers: expected at least 1, received 0", {"num_layers": 0}),
    (TypeError, "num_layers: expected an int, received NoneType", {"num_layers": None}),
    (TypeError, "bias: expected True or False, received 1", {"bias": 1}),
    (TypeError, "batch_first: expected True or False, received 'yes'", {"batch_first": "yes"}),
    (TypeError, "bidirectional: expected True or False, received None", {"bidirectional": None}),
    (ValueError, "proj_size: expected at least 0, received -1", {"proj_size": -1}),
    (ValueError, "proj_size: expected less than hidden_size = 4, received 4", {"proj_size": 4}),
    (TypeError, "proj_size: expected an int, received float", {"proj_size": 2.0}),
    (ValueError, "dropout: expected at least 0 and below 1, received 1", {"num_layers": 2, "dropout": 1}),
    (ValueError, "dropout: expected at least 0 and below 1, received -0.1", {"num_layers": 2, "dropout": -0.1}),
    (ValueError, "dropout: expected a finite number, received nan", {"num_layers": 2, "dropout": np.nan}),
    (TypeError, "dropout: expected a number, received str", {"num_layers": 2, "dropout": "0.1"}),
    (ValueError, "dtype: expected 'float32' or 'float64', received 'float16'", {"dtype": "float16"}),
    (ValueError, "dtype: expected 'float32' or 'float64', received 'elephant'", {"dtype": "elephant"}),
    (ValueError, "dtype: expected 'float32' or 'float64', received <class 'int'>", {"dtype": int}),
    (ValueError, "dtype: expected 'float32' or 'float64', received None", {"dtype": None}),
    (ValueError, "dtype: expected 'float32' or 'float64', received <class 'complex'>", {"dtype": complex}),
    (ValueError, "seed: expected 0 to 18446744073709551615, received -1", {"seed": -1}),
    (ValueError, "seed: expected 0 to 18446744073709551615, received 18446744073709551616", {"seed": 2**64}),
    (TypeError, "seed: expected an int, received float", {"seed": 1.0}),
])
def test_constructor(error, text, arguments):
    with pytest.raises(error, match=text):
        nn.LSTM(**{"input_size": 3, "hidden_size": 4} | arguments)


SHAPE_X = r"x: expected shape \(T, B, I\) or unbatched \(T, I\) with I = 2, received "
INPUTS = [
    (ValueError, SHAPE_X + r"\(4, 3, 3\)", {"x": np.zeros((4, 3, 3), np.float32)}),
    (ValueError, SHAPE_X + r"\(2,\)", {"x": X[0, 0]}),
    (ValueError, SHAPE_X + r"\(1, 4, 3, 2\)", {"x": X[None]}),
    (ValueError, SHAPE_X + r"\(\)", {"x": np.float32(1)}),
    (ValueError, SHAPE_X + r"\(0,\)", {"x": []}),
    (TypeError, "x: expected dtype float32, received float64", {"x": X.astype(np.float64)}),
    (TypeError, "x: expected dtype float32, received float16", {"x": X.astype(np.float16)}),
    (TypeError, "x: expected dtype float32, received int64", {"x": X.astype(np.int64)}),
    (TypeError, "x: expected dtype float32, received bool", {"x": X > 0}),
    (TypeError, "x: expected dtype float32, received complex64", {"x": X.astype(np.complex64)}),
    (TypeError, "x: expected dtype float32, received object", {"x": X.astype(object)}),
    (TypeError, "x: expected dtype float32, received None", {"x": None}),
    (TypeError, "x: expected dtype float32, received complex128", {"x": [[[1j, 0.0]]]}),
    (TypeError, "x: expected dtype float32, received bool", {"x": [[[True, False]]]}),
    (TypeError, "x: expected dtype float32, received <U5", {"x": "hello"}),
    (ValueError, "x: expected an array of float32, received something ragged", {"x": [[[1.0, 2.0]], [[1.0]]]}),
    (ValueError, r"hx: expected a pair \(h_0, c_0\), received a tuple of 1", {"hx": (H0,)}),
    (ValueError, r"hx: expected a pair \(h_0, c_0\), received a list of 3", {"hx": [H0, C0, C0]}),
    (ValueError, r"hx: expected a pair \(h_0, c_0\), received ndarray", {"hx": H0}),
    (ValueError, r"hx: h_0: expected shape \(L\*D, B, P\) = \(4, 3, 2\), received \(4, 3, 5\)", {"hx": (C0, H0)}),
    (ValueError, r"hx: h_0: expected shape \(L\*D, B, P\) = \(4, 3, 2\), received \(2, 3, 2\)", {"hx": (H0[:2], C0)}),
    (ValueError, r"hx: c_0: expected shape \(L\*D, B, H\) = \(4, 3, 5\), received \(4, 1, 5\)", {"hx": (H0, C0[:, :1])}),
    (ValueError, r"hx: c_0: expected shape \(L\*D, B, H\) = \(4, 3, 5\), received \(3, 5\)", {"hx": (H0, C0[0])}),
    (ValueError, r"hx: h_0: expected shape \(L\*D, P\) = \(4, 2\), received \(4, 3, 2\)", {"x": X[:, 0], "hx": (H0, C0)}),
    (TypeError, "hx: h_0: expected dtype float32, received float64", {"hx": (H0.astype(float), C0)}),
    (TypeError, "hx: c_0: expected dtype float32, received complex64", {"hx": (H0, C0.astype(np.complex64))}),
    (TypeError, "hx: c_0: expected dtype float32, received None", {"hx": (H0, None)}),
    (ValueError, "lengths: expected values from 0 to T = 4, received -1", {"lengths": [1, -1, 2]}),
    (ValueError, "lengths: expected values from 0 to T = 4, received 5", {"lengths": [1, 5, 2]}),
    (ValueError, "lengths: expected values from 0 to T = 4, received 18446744073709551615",
     {"lengths": np.array([1, 2**64 - 1, 2], np.uint64)}),
    (ValueError, r"lengths: expected shape \(B,\) = \(3,\), received \(2,\)", {"lengths": [1, 2]}),
    (ValueError, r"lengths: expected shape \(B,\) = \(3,\), received \(3, 1\)", {"lengths": [[1], [2], [3]]}),
    (ValueError, r"lengths: expected shape \(B,\) = \(3,\), received \(\)", {"lengths": 3}),
    (TypeError, "lengths: expected integers, received dtype float64", {"lengths": [1.0, 2.0, 3.0]}),
    (TypeError, "lengths: expected integers, received dtype bool", {"lengths": [True, False, True]}),
    (TypeError, "lengths: expected integers, received dtype object", {"lengths": [1, None, 2]}),
    (TypeError, "lengths: expected integers, received dtype <U1", {"lengths": ["1", "2", "3"]}),
    (ValueError, r"lengths: expected shape \(B,\) = \(3,\), received \(0,\)", {"lengths": []}),
    (ValueError, "threads: expected 1 to 1024, received 0", {"threads": 0}),
    (ValueError, "threads: expected 1 to 1024, received 1025", {"threads": 1025}),
    (TypeError, "threads: expected an int, received float", {"threads": 2.0}),
    (TypeError, "threads: expected an int, received bool", {"threads": True}),
]


@pytest.mark.parametrize(("error", "text", "arguments"), INPUTS)
def test_call_and_forward(error, text, arguments):
    m = module()
    for run in (m, m.forward):
        with pytest.raises(error, match=text):
            run(**{"x": X} | arguments)
    assert m.step == 0


def test_batch_first_names_its_axes():
    m = module(batch_first=True)
    with pytest.raises(ValueError, match=r"x: expected shape \(B, T, I\) or unbatched \(T, I\) with I = 2, received \(3, 4, 5\)"):
        m(np.zeros((3, 4, 5), np.float32))
    _, _, tape = m.forward(X.swapaxes(0, 1))
    with pytest.raises(ValueError, match=r"dy: expected shape \(B, T, D\*R\) = \(3, 4, 4\), received \(4, 3, 4\)"):
        m.backward(tape, DY)


def test_train_must_be_a_flag():
    with pytest.raises(TypeError, match="train: expected True or False, received 1"):
        module().forward(X, train=1)


def test_a_wrong_array_does_not_become_a_dtype_it_is_not():
    double = module_of(CASE, "float64")
    with pytest.raises(TypeError, match="x: expected dtype float64, received float32"):
        double(X)


@pytest.mark.parametrize(("error", "text", "arguments"), [
    (ValueError, r"dy: expected shape \(T, B, D\*R\) = \(4, 3, 4\), received \(4, 3, 2\)", {"dy": DY[..., :2]}),
    (ValueError, r"dy: expected shape \(T, B, D\*R\) = \(4, 3, 4\), received \(3, 4\)", {"dy": DY[0]}),
    (TypeError, "dy: expected dtype float32, received float64", {"dy": DY.astype(float)}),
    (TypeError, "dy: expected dtype float32, received complex64", {"dy": DY.astype(np.complex64)}),
    (TypeError, "dy: expected dtype float32, received object", {"dy": DY.astype(object)}),
    (ValueError, r"dstate: expected a pair \(dh_n, dc_n\), received ndarray", {"dstate": H0}),
    (ValueError, r"dstate: dh_n: expected shape \(L\*D, B, P\) = \(4, 3, 2\), received \(4, 3, 5\)", {"dstate": (C0, C0)}),
    (ValueError, r"dstate: dc_n: expected shape \(L\*D, B, H\) = \(4, 3, 5\), received \(4, 3, 2\)", {"dstate": (None, H0)}),
    (TypeError, "dstate: dc_n: expected dtype float32, received int64", {"dstate": (None, C0.astype(np.int64))}),
    (ValueError, "threads: expected 1 to 1024, received -1", {"threads": -1}),
])
def test_backward_refuses_and_leaves_the_tape_usable(error, text, arguments):
    m = module()
    want = train(m, N)
    y, state, tape = m.forward(X, (H0, C0))
    with pytest.raises(error, match=text):
        m.backward(tape, **arguments)
    assert_same_bits(named(y, state, m.backward(tape, DY, (N["dh_n"], N["dc_n"]))), want)


def test_unbatched_backward_names_its_axes():
    m = module()
    _, _, tape = m.forward(X[:, 0])
    with pytest.raises(ValueError, match=r"dy: expected shape \(T, D\*R\) = \(4, 4\), received \(4, 3, 4\)"):
        m.backward(tape, DY)


def test_a_tape_serves_once():
    m = module()
    _, _, tape = m.forward(X)
    m.backward(tape, DY)
    for _ in range(2):
        with pytest.raises(ValueError, match="tape: expected a tape that has not been used, received one that has served its backward"):
            m.backward(tape, DY)


def test_a_tape_serves_its_module():
    m, twin = module(), module()
    _, _, tape = m.forward(X)
    with pytest.raises(ValueError, match="tape: expected a tape of this module, received one of another LSTM"):
        twin.backward(tape, DY)
    m.backward(tape, DY)


@pytest.mark.parametrize("wrong", [None, DY, (DY, DY), "tape"], ids=["None", "array", "tuple", "str"])
def test_what_is_no_tape(wrong):
    with pytest.raises(TypeError, match="tape: expected the tape that forward"):
        module().backward(wrong, DY)


def test_errors_leave_arguments_and_weights_alone():
    m = module()
    before = {name: w.copy() for name, w in m.state_dict().items()}
    arrays = [X, H0, C0, DY]
    bytes_before = [a.tobytes() for a in arrays]
    for _, _, arguments in INPUTS:
        with pytest.raises((TypeError, ValueError)):
            m(**{"x": X, "hx": (H0, C0)} | arguments)
    assert_same_bits(m.state_dict(), before)
    assert [a.tobytes() for a in arrays] == bytes_before


# Sizes that no machine has: an exception, never a crash. Each in a process of its own, for a crash would end the suite.
HUGE = {
    "hidden_size 2**31": "nn.LSTM(1, 2**31)",
    "hidden_size 2**60": "nn.LSTM(1, 2**60)",
    "hidden_size 2**62": "nn.LSTM(1, 2**62)",
    "hidden_size 2**100": "nn.LSTM(1, 2**100)",
    "input_size 2**60": "nn.LSTM(2**60, 4)",
    "input_size 2**62": "nn.LSTM(2**62, 4)",
    "x broadcast": "m(np.broadcast_to(np.float32(1), (2**30, 2**28, 2)))",
    "x broadcast in time": "m(np.broadcast_to(np.float32(1), (2**50, 3, 2)))",
    "x broadcast in training": "m.forward(np.broadcast_to(np.float32(1), (2**30, 2**28, 2)))",
    "empty x of 2**59 sequences": "m(np.zeros((0, 2**59, 2), np.float32))",
    "batch_size 2**45": "m.session(2**45)",
    "batch_size 2**60": "m.session(2**60)",
    "batch_size 2**62": "m.session(2**62)",
    "batch_size 2**100": "m.session(2**100)",
}


@pytest.mark.parametrize("text", HUGE.values(), ids=HUGE.keys())
def test_huge_sizes_raise(text):
    script = f"""
import numpy as np
from lstmc import nn
m = nn.LSTM(2, 3)
try:
    {text}
except (MemoryError, ValueError, OverflowError) as error:
    print("raised", type(error).__name__)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith("raised"), (done.returncode, done.stdout, done.stderr)
