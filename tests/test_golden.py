"""The numbers of PyTorch and Keras in golden/, forward and every gradient, without either: on the reference and on nn.LSTM,
GRU and RNN.
"""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from cells import BACKWARD, FORWARD, STATES, VARIANTS, by_part, state_of
from conftest import DTYPES, MODULES, TOLERANCE, assert_close, train

FILES = {name: dict(np.load(Path(__file__).parent / "golden" / f"{name}.npz"))
         for name in ("lstm_torch", "gru_torch", "rnn_torch", "keras")}
INPUTS = ("x", "h0", "c0", "dy", "dh_n", "dc_n")


def names(file):
    return sorted({key.split("/")[0] for key in FILES[file] if "/" in key})


def numbers_of(file, case):
    """The arrays of a case, its params, its config."""
    found = {key.removeprefix(f"{case}/"): a for key, a in FILES[file].items() if key.startswith(f"{case}/")}
    params = {key.removeprefix("params/"): a for key, a in found.items() if key.startswith("params/")}
    return found, params, json.loads(str(found["config"]))


def results_of(golden, params):
    """What a run of the case must give, by name."""
    found = {name: a for name, a in golden.items() if name in ("y", "h_n", "c_n", "dx", "dh0", "dc0")}
    return found | {f"d{name}": golden[f"dparams/{name}"] for name in params}


def run_engine(cell, golden, params, config, dtype):
    """nn's module on a case, by name. Inputs and weights are multiples of 2^-12, which float32 holds exactly."""
    params = {name: a.astype(dtype) for name, a in params.items()}
    numbers = {name: golden[name].astype(dtype) for name in INPUTS if name in golden} | {"lengths": golden.get("lengths")}
    assert all(np.array_equal(numbers[name], golden[name]) for name in INPUTS if name in golden)
    m = MODULES[cell](golden["x"].shape[2], **config, bias="bias_ih_l0" in params, dtype=dtype)
    m.load_state_dict(params)
    return train(m, numbers, how={"mask": golden.get("mask")})


def run(cell, golden, params, config):
    """The reference on a case, by name."""
    variant = VARIANTS[cell]
    y, state, tape = FORWARD[cell](golden["x"], params, state_of(variant, golden), lengths=golden.get("lengths"),
                                   mask=golden.get("mask"), **config)
    g = BACKWARD[cell](tape, golden["dy"], state_of(variant, golden, "d{}_n"))
    found = {"y": y, **by_part(variant, state, "{}_n"), "dx": g.dx, **by_part(variant, g.dhx, "d{}0")}
    return found | {f"d{name}": dw for name, dw in g.dparams.items()}


TORCH = pytest.mark.parametrize(("cell", "case"), [(cell, case) for cell in STATES for case in names(f"{cell}_torch")])


@TORCH
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_engine_on_torch_numbers(cell, case, dtype, isa):
    golden, params, config = numbers_of(f"{cell}_torch", case)
    assert_close(run_engine(cell, golden, params, config, dtype), results_of(golden, params), TOLERANCE[dtype])


@TORCH
def test_the_reference_on_torch_numbers(cell, case):
    golden, params, config = numbers_of(f"{cell}_torch", case)
    assert_close(run(cell, golden, params, config), results_of(golden, params), 1e-13)


def beside_nothing(golden, params):
    """The backward direction alone as one of two directions, of which the forward one has weights and gradients of 0."""
    both = {name: np.concatenate([0 * a, a]) for name, a in golden.items() if name[:2] in ("h0", "c0", "dh", "dc") or name[1:] == "_n"}
    both |= {name: np.concatenate([0 * golden[name], golden[name]], axis=2) for name in ("y", "dy")}
    return golden | both, {f"{name}{suffix}": w if suffix else 0 * w for suffix in ("", "_reverse") for name, w in params.items()}


def check_keras(case, run, tolerance):
    """Hold what `run` gives for a case of Keras against its numbers."""
    golden, params, config = numbers_of("keras", case)
    cell, reverse = config.pop("cell"), config.pop("reverse")
    expected = results_of(golden, params)
    if not reverse:
        assert_close(run(cell, golden, params, config), expected, tolerance)
        return
    found = run(cell, *beside_nothing(golden, params), config | {"bidirectional": True})
    last = {name: found[name][1:] for name in found if name in ("h_n", "c_n", "dh0", "dc0")}
    weights = {f"d{name}": found[f"d{name}_reverse"] for name in params}
    assert_close({"y": found["y"][:, :, config["hidden_size"]:], "dx": found["dx"], **last, **weights}, expected, tolerance)


@pytest.mark.parametrize("case", names("keras"))
def test_the_reference_on_keras_numbers(case):
    check_keras(case, run, 1e-13)


@pytest.mark.parametrize("case", names("keras"))
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_engine_on_keras_numbers(case, dtype, isa):
    check_keras(case, partial(run_engine, dtype=dtype), TOLERANCE[dtype])


def test_the_files_are_what_they_say():
    for file, least in (("lstm_torch", 14), ("gru_torch", 8), ("rnn_torch", 7), ("keras", 15)):
        assert len(names(file)) >= least
        version, number = ("keras_version", "3.15.") if file == "keras" else ("torch_version", "2.13.")
        assert str(FILES[file][version]).startswith(number)
    masks = [a for key, a in FILES["keras"].items() if key.endswith("/mask")]
    assert len(masks) >= 4
    for mask in masks:
        steps = [np.flatnonzero(row) for row in mask.T]
        assert any(row[0] > 0 for row in steps)
        assert any(np.any(np.diff(row) > 1) for row in steps)
