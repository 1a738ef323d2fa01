"""nn.LSTM against the numbers of torch.nn.LSTM in golden/lstm_torch.npz: forward and every gradient, without torch."""

import json
from pathlib import Path

import numpy as np
import pytest

from conftest import DTYPES, TOLERANCE, assert_close, train
from lstmc import nn

GOLDEN = dict(np.load(Path(__file__).parent / "golden" / "lstm_torch.npz"))
INPUTS = ("x", "h0", "c0", "dy", "dh_n", "dc_n")


def names():
    return sorted({key.split("/")[0] for key in GOLDEN if "/" in key})


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", names())
def test_torch_numbers(case, dtype, isa):
    golden = {key.removeprefix(f"{case}/"): a for key, a in GOLDEN.items() if key.startswith(f"{case}/")}
    # Inputs and weights are multiples of 2^-12 that float32 holds exactly.
    params = {key.removeprefix("params/"): a.astype(dtype) for key, a in golden.items() if key.startswith("params/")}
    numbers = {name: golden[name].astype(dtype) for name in INPUTS} | {"lengths": golden.get("lengths")}
    assert all(np.array_equal(numbers[name], golden[name]) for name in INPUTS)
    config = json.loads(str(golden["config"]))
    m = nn.LSTM(golden["x"].shape[2], **config, bias="bias_ih_l0" in params, dtype=dtype)
    m.load_state_dict(params)
    expected = {name: golden[name] for name in ("y", "h_n", "c_n", "dx", "dh0", "dc0")}
    expected |= {f"d{name}": golden[f"dparams/{name}"] for name in params}
    assert_close(train(m, numbers), expected, TOLERANCE[dtype])


def test_every_golden_case_is_run():
    assert len(names()) >= 14
