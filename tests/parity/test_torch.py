"""nn.LSTM, GRU and RNN against live torch.nn: random configurations, forward and every gradient, weights both ways.

Needs torch and is therefore collected only when named: python -m pytest tests/parity
"""

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from conftest import DTYPES, MODULES, TOLERANCE, assert_close, assert_same_bits, named, parts_of, state_in, train

NUMBER = 60
THEIRS = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}
KINDS = [("lstm", {}), ("gru", {}), ("rnn", {"nonlinearity": "tanh"}), ("rnn", {"nonlinearity": "relu"})]
every_kind = pytest.mark.parametrize(("cell", "more"), KINDS, ids=lambda value: value if isinstance(value, str) else "-".join(value.values()) or "plain")
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")


def configuration(number, cell="lstm"):
    """Sizes and settings by number; every setting takes part in many of them. An LSTM alone has a projection."""
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
    if cell != "lstm":
        del settings["proj_size"]
    ragged = rng.integers(1, sizes["T"] + 1, sizes["B"]) if some(False, True) else None
    if ragged is not None:
        ragged[0] = sizes["T"]      # pad_packed_sequence would otherwise return fewer steps
    return sizes, settings, ragged, bool(some(True, True, False)), rng


def draw(rng, ours, T, B, dtype, batch_first=False):
    """Inputs, states and gradients of the sizes of one of our modules; B None for an unbatched run."""
    batch = () if B is None else (B,)
    LD, R, D = ours.num_layers * ours.num_directions, ours.output_size, ours.num_directions
    shapes = {"x": (T, *batch, ours.input_size), "h0": (LD, *batch, R), "c0": (LD, *batch, ours.hidden_size), "dy": (T, *batch, D * R),
              "dh_n": (LD, *batch, R), "dc_n": (LD, *batch, ours.hidden_size)}
    n = {name: rng.standard_normal(shape).astype(dtype) for name, shape in shapes.items() if ours.cell == "lstm" or "c" not in name}
    return n | ({name: n[name].swapaxes(0, 1).copy() for name in ("x", "dy")} if batch_first else {})


def torch_run(module, n, lengths, with_state, batch_first):
    """Forward and backward of a module of torch on NumPy numbers; results by name."""
    leaf = {name: torch.tensor(n[name], requires_grad=True) for name in ("x", "h0", "c0") if name in n}
    state = state_in(leaf) if with_state else None
    if lengths is None:
        y, state = module(leaf["x"], state)
    else:
        packed = pack_padded_sequence(leaf["x"], lengths, batch_first, enforce_sorted=False)
        packed, state = module(packed, state)
        y, _ = pad_packed_sequence(packed, batch_first)
    last = parts_of(state, "{}_n")
    torch.autograd.backward([y, *last.values()], [torch.tensor(n[f"d{name}"]) for name in ("y", *last)])
    found = {"y": y, **last, "dx": leaf["x"].grad}
    if with_state:
        found |= {f"d{name}": leaf[name].grad for name in ("h0", "c0") if name in leaf}
    found |= {f"d{name}": w.grad for name, w in module.named_parameters()}
    return {name: a.detach().numpy() for name, a in found.items()}


@every_kind
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("number", range(NUMBER))
def test_random_configurations(number, dtype, cell, more):
    sizes, settings, lengths, with_state, rng = configuration(number, cell)
    T, B, I = sizes["T"], sizes["B"], sizes["I"]
    theirs = THEIRS[cell](I, **settings, **more, dtype=getattr(torch, dtype))
    torch.manual_seed(number)
    scale = (0.8 if "relu" in more.values() else 1.5) / settings["hidden_size"] ** 0.5
    with torch.no_grad():
        for w in theirs.parameters():
            w.uniform_(-scale, scale)
    ours = MODULES[cell](I, **settings, **more, dtype=dtype)
    result = ours.load_state_dict({name: w.numpy() for name, w in theirs.state_dict().items()})
    assert result == ([], [])
    n = draw(rng, ours, T, B, dtype, settings["batch_first"]) | {"lengths": lengths}
    if lengths is not None:             # torch's packed backward reads no padding; neither may we
        past = np.arange(T)[:, None] >= lengths
        n["dy"][past.T if settings["batch_first"] else past] = 1e3
        n["x"][past.T if settings["batch_first"] else past] = 1e3

    want = torch_run(theirs, n, lengths, with_state, settings["batch_first"])
    if with_state:
        got = train(ours, n)
    else:
        y, state, tape = ours.forward(n["x"], lengths=lengths)
        got = named(y, state, ours.backward(tape, n["dy"], state_in(n, "d{}_n")))
        got = {name: a for name, a in got.items() if name not in ("dh0", "dc0")}
    assert_close(got, want, TOLERANCE[dtype])


@every_kind
@pytest.mark.parametrize("number", range(0, NUMBER, 4))
def test_weights_go_both_ways(number, cell, more):
    sizes, settings, _, _, _ = configuration(number, cell)
    ours, theirs = MODULES[cell](sizes["I"], **settings, **more, seed=number), THEIRS[cell](sizes["I"], **settings, **more)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    theirs.load_state_dict({name: torch.from_numpy(w) for name, w in ours.state_dict().items()}, strict=True)
    assert_same_bits({name: w.numpy() for name, w in theirs.state_dict().items()}, ours.state_dict())
    back = MODULES[cell](sizes["I"], **settings, **more, seed=number + 1)
    back.load_state_dict(theirs.state_dict())       # torch tensors are taken as they are
    assert_same_bits(back.state_dict(), ours.state_dict())


@every_kind
@pytest.mark.parametrize("dtype", DTYPES)
def test_unbatched(dtype, cell, more):
    settings = {"bidirectional": True, **more, **({"proj_size": 3} if cell == "lstm" else {})}
    theirs = THEIRS[cell](5, 9, 2, **settings, dtype=getattr(torch, dtype))
    ours = MODULES[cell](5, 9, 2, **settings, dtype=dtype)
    ours.load_state_dict(theirs.state_dict())
    n = draw(np.random.default_rng(0), ours, 7, None, dtype) | {"lengths": None}
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
