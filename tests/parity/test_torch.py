"""nn.LSTM against a live torch.nn.LSTM: random configurations, forward and every gradient, weights both ways.

Needs torch and is therefore collected only when named: python -m pytest tests/parity
"""

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from conftest import DTYPES, TOLERANCE, assert_close, assert_same_bits, named, train
from lstmc import nn

NUMBER = 60
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def configuration(number):
    """Sizes and settings by number; every setting takes part in many of them."""
    rng = np.random.default_rng([2, number])

    def some(*values):
        return values[rng.integers(len(values))]

    H = int(some(1, 2, 3, 5, 7, 8, 9, 13, 15, 16, 17, 31, 33, 47, 65))
    sizes = {"T": int(some(1, 2, 3, 5, 8, 13, 29)), "B": int(some(1, 2, 3, 5, 6, 7, 11, 17)), "I": int(some(1, 2, 5, 8, 13, 16, 33))}
    settings = {
        "hidden_size": H, "num_layers": int(some(1, 1, 2, 3)), "bias": bool(some(True, True, False)),
        "bidirectional": bool(some(False, True)), "batch_first": bool(some(False, True)),
        "proj_size": int(rng.integers(1, H)) if H > 1 and number % 3 == 0 else 0,
    }
    ragged = rng.integers(1, sizes["T"] + 1, sizes["B"]) if some(False, True) else None
    if ragged is not None:
        ragged[0] = sizes["T"]      # pad_packed_sequence would otherwise return fewer steps
    return sizes, settings, ragged, bool(some(True, True, False)), rng


def torch_run(module, n, lengths, with_state, batch_first):
    """Forward and backward of torch.nn.LSTM on NumPy numbers; results by name."""
    leaf = {name: torch.tensor(n[name], requires_grad=True) for name in ("x", "h0", "c0")}
    state = (leaf["h0"], leaf["c0"]) if with_state else None
    if lengths is None:
        y, (h, c) = module(leaf["x"], state)
    else:
        packed = pack_padded_sequence(leaf["x"], lengths, batch_first, enforce_sorted=False)
        packed, (h, c) = module(packed, state)
        y, _ = pad_packed_sequence(packed, batch_first)
    torch.autograd.backward([y, h, c], [torch.tensor(n[name]) for name in ("dy", "dh_n", "dc_n")])
    found = {"y": y, "h_n": h, "c_n": c, "dx": leaf["x"].grad}
    if with_state:
        found |= {"dh0": leaf["h0"].grad, "dc0": leaf["c0"].grad}
    found |= {f"d{name}": w.grad for name, w in module.named_parameters()}
    return {name: a.detach().numpy() for name, a in found.items()}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("number", range(NUMBER))
def test_random_configurations(number, dtype):
    sizes, settings, lengths, with_state, rng = configuration(number)
    T, B, I = sizes["T"], sizes["B"], sizes["I"]
    theirs = torch.nn.LSTM(I, **settings, dtype=getattr(torch, dtype))
    torch.manual_seed(number)
    with torch.no_grad():
        for w in theirs.parameters():
            w.uniform_(-1.5 / settings["hidden_size"] ** 0.5, 1.5 / settings["hidden_size"] ** 0.5)
    ours = nn.LSTM(I, **settings, dtype=dtype)
    result = ours.load_state_dict({name: w.numpy() for name, w in theirs.state_dict().items()})
    assert result == ([], [])
    D, LD, R = ours.num_directions, ours.num_layers * ours.num_directions, ours.output_size
    shapes = {"x": (T, B, I), "h0": (LD, B, R), "c0": (LD, B, settings["hidden_size"]), "dy": (T, B, D * R), "dh_n": (LD, B, R),
              "dc_n": (LD, B, settings["hidden_size"])}
    n = {name: rng.standard_normal(shape).astype(dtype) for name, shape in shapes.items()} | {"lengths": lengths}
    if settings["batch_first"]:
        n |= {name: n[name].swapaxes(0, 1).copy() for name in ("x", "dy")}
    if lengths is not None:             # torch's packed backward reads no padding; neither may we
        past = np.arange(T)[:, None] >= lengths
        n["dy"][past.T if settings["batch_first"] else past] = 1e3
        n["x"][past.T if settings["batch_first"] else past] = 1e3

    want = torch_run(theirs, n, lengths, with_state, settings["batch_first"])
    if with_state:
        got = train(ours, n)
    else:
        y, state, tape = ours.forward(n["x"], lengths=lengths)
        got = named(y, state, ours.backward(tape, n["dy"], (n["dh_n"], n["dc_n"])))
        del got["dh0"], got["dc0"]
    assert_close(got, want, TOLERANCE[dtype])


@pytest.mark.parametrize("number", range(0, NUMBER, 4))
def test_weights_go_both_ways(number):
    sizes, settings, _, _, _ = configuration(number)
    ours, theirs = nn.LSTM(sizes["I"], **settings, seed=number), torch.nn.LSTM(sizes["I"], **settings)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    theirs.load_state_dict({name: torch.from_numpy(w) for name, w in ours.state_dict().items()}, strict=True)
    assert_same_bits({name: w.numpy() for name, w in theirs.state_dict().items()}, ours.state_dict())
    back = nn.LSTM(sizes["I"], **settings, seed=number + 1)
    back.load_state_dict(theirs.state_dict())       # torch tensors are taken as they are
    assert_same_bits(back.state_dict(), ours.state_dict())


@pytest.mark.parametrize("dtype", DTYPES)
def test_unbatched(dtype):
    theirs = torch.nn.LSTM(5, 9, 2, bidirectional=True, proj_size=3, dtype=getattr(torch, dtype))
    ours = nn.LSTM(5, 9, 2, bidirectional=True, proj_size=3, dtype=dtype)
    ours.load_state_dict(theirs.state_dict())
    rng = np.random.default_rng(0)
    shapes = {"x": (7, 5), "h0": (4, 3), "c0": (4, 9), "dy": (7, 6), "dh_n": (4, 3), "dc_n": (4, 9)}
    n = {name: rng.standard_normal(shape).astype(dtype) for name, shape in shapes.items()} | {"lengths": None}
    assert_close(train(ours, n), torch_run(theirs, n, None, True, False), TOLERANCE[dtype])


def test_the_configurations_cover_what_they_should():
    found = [configuration(number) for number in range(NUMBER)]
    for ragged in (False, True):
        for state in (False, True):
            assert sum((f[2] is not None) == ragged and f[3] == state for f in found) >= 5
    for key, least in (("bidirectional", 15), ("batch_first", 15), ("proj_size", 10), ("bias", 15)):
        assert sum(bool(f[1][key]) for f in found) >= least
        assert sum(not f[1][key] for f in found) >= least
    assert {f[1]["num_layers"] for f in found} == {1, 2, 3}
