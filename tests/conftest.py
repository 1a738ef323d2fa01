"""What the engine's tests share: instruction sets to run on, cases with enough rows, modules built from a case,
results by name, and the two comparisons (close to a reference, equal bit for bit).
"""

from functools import cache

import numpy as np
import pytest

from cases import AWKWARD, Case, make
from lstmc import nn, reference
from lstmc.kernels import core

ISAS = core.usable_isas()
# The promise of equal bits is about machines with fused multiply-add; the baseline keeps it for itself.
FMA_ISAS = [name for name in ISAS if name != "baseline"] or ["baseline"]
DTYPES = ("float32", "float64")
TOLERANCE = {"float32": 2e-5, "float64": 1e-12}

# Enough live pairs for several blocks of a weight gradient (256 pairs) and several chunks (2048); rows for every
# register tile; W x of a narrow batch in several portions of time.
LONG = [
    Case(67, 7, 5, 9, ragged=True),
    Case(113, 19, 3, 5, ragged=True),
    Case(97, 23, 2, 3, P=2),
    Case(150, 1, 3, 17, D=2),
]
CASES = AWKWARD + LONG


@pytest.fixture(params=ISAS)
def isa(request):
    """Runs the test on every usable instruction set."""
    before = core.isa()
    core.use_isa(request.param)
    yield request.param
    core.use_isa(before)


@pytest.fixture
def any_isa():
    """For tests that call `core.use_isa` themselves: what was in use is in use again afterwards."""
    before = core.isa()
    yield core.use_isa
    core.use_isa(before)


@cache
def numbers_of(case, dtype="float64", seed=0):
    """`cases.make`, once per case: read only, so that no test can disturb another."""
    numbers = make(case, seed, np.dtype(dtype))
    for a in [*numbers.values(), *numbers["params"].values()]:
        if isinstance(a, np.ndarray):
            a.flags.writeable = False
    return numbers


def module_of(case, dtype="float64", params=None, **more):
    """nn.LSTM of a case's sizes with a case's weights."""
    m = nn.LSTM(case.I, case.H, case.L, case.bias, bidirectional=case.D == 2, proj_size=case.P, dtype=dtype, seed=0, **more)
    m.load_state_dict(numbers_of(case, dtype)["params"] if params is None else params)
    return m


def named(y, state, grads=None):
    """Results by name: y, h_n, c_n, and with gradients dx (if any), dh0, dc0 and "d" + every parameter."""
    found = {"y": y, "h_n": state[0], "c_n": state[1]}
    if grads is not None:
        found |= {"dx": grads.x} if grads.x is not None else {}
        found |= {"dh0": grads.hx[0], "dc0": grads.hx[1]} | {f"d{name}": g for name, g in grads.params.items()}
    return found


def train(m, n, threads=None, **changed):
    """Forward and backward of a module on numbers as `cases.make` gives them; results by name."""
    n = {**n, **changed}
    y, state, tape = m.forward(n["x"], (n["h0"], n["c0"]), n["lengths"], threads=threads)
    return named(y, state, m.backward(tape, n["dy"], (n["dh_n"], n["dc_n"]), threads=threads))


@cache
def expected_of(case, dtype):
    """What the reference says, by name, for the numbers that `dtype` holds."""
    n = numbers_of(case, dtype)
    y, state, tape = reference.lstm_fwd(n["x"], n["params"], (n["h0"], n["c0"]), hidden_size=case.H, num_layers=case.L,
                                        bidirectional=case.D == 2, proj_size=case.P, lengths=n["lengths"])
    dx, dhx, dparams = reference.lstm_bwd(tape, n["dy"], (n["dh_n"], n["dc_n"]))
    return named(y, state, nn.Gradients(dx, dhx, dparams))


def assert_close(got, expected, tolerance):
    """Two dicts of arrays agree within `tolerance` of the largest value of each array; NaN never passes."""
    assert got.keys() == expected.keys()
    for name, want in expected.items():
        assert got[name].shape == want.shape, name
        if want.size:
            error = np.max(np.abs(got[name] - want)) / max(np.max(np.abs(want)), 1e-3)
            assert error <= tolerance, f"{name}: relative error {error:.2e}"


def assert_same_bits(got, want):
    """Two arrays, or two dicts of arrays, are equal bit for bit: shape, dtype, signs of zero and NaN included."""
    if not isinstance(want, dict):
        got, want = {"array": got}, {"array": want}
    assert got.keys() == want.keys()
    for name, w in want.items():
        assert (got[name].shape, got[name].dtype) == (w.shape, w.dtype), name
        differ = np.count_nonzero(got[name] != w)
        assert got[name].tobytes() == w.tobytes(), f"{name}: {differ} of {w.size} values differ"
