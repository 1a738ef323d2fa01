"""Writes `lstm_torch.npz`, `gru_torch.npz` and `rnn_torch.npz`: what torch.nn.LSTM, GRU and RNN compute, in float64.

To regenerate, from the root of the repository, in an environment that has torch 2.13 and NumPy::

    python tests/golden/make_golden.py

Same versions on the same processor, same bytes; elsewhere the last digits of the results differ. Inputs and
weights are multiples of 2^-12: float32 holds them exactly, and they compress well. None is zero. Keys are
"case/name", with "case/params/..." and "case/dparams/..." for what has PyTorch's parameter names,
"case/config" a JSON text, and one "torch_version" for the file. Gradients are those of sum(dy*y) +
sum(dh_n*h_n) + sum(dc_n*c_n), taken by autograd. Ragged batches go through pack_padded_sequence, which knows
no empty sequence; that case is left to the central differences.
"""

import json
from pathlib import Path

import numpy as np
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

# name: (T, B, I, H, settings of the module, lengths, scale of the weights)
LSTM = {
    "one": (1, 1, 1, 1, {}, None, 1.5),
    "thin": (7, 3, 1, 1, {"bidirectional": True, "num_layers": 2}, None, 1.5),
    "uni": (7, 3, 5, 17, {}, None, 1.5),
    "no_bias": (4, 3, 5, 9, {"bias": False}, None, 1.5),
    "saturated": (6, 3, 5, 7, {}, None, 40.0),
    "long": (61, 2, 3, 4, {}, None, 2.5),
    "two_layers": (7, 3, 5, 8, {"num_layers": 2}, None, 1.5),
    "bidirectional": (7, 3, 5, 7, {"bidirectional": True}, None, 1.5),
    "proj": (7, 3, 5, 17, {"proj_size": 3}, None, 1.5),
    "proj_two_layers_bidirectional": (
        5, 3, 4, 7, {"proj_size": 3, "num_layers": 2, "bidirectional": True}, None, 1.5),
    "ragged": (7, 4, 5, 9, {}, [3, 7, 1, 5], 1.5),
    "ragged_short": (7, 3, 5, 8, {"bidirectional": True}, [2, 5, 5], 1.5),
    "ragged_two_layers_bidirectional": (
        7, 4, 5, 4, {"num_layers": 2, "bidirectional": True}, [4, 1, 7, 6], 1.5),
    "ragged_proj_no_bias": (
        6, 4, 3, 7, {"proj_size": 3, "num_layers": 2, "bidirectional": True, "bias": False},
        [5, 6, 1, 3], 1.5),
}
GRU = {
    "one": (1, 1, 1, 1, {}, None, 1.5),
    "uni": (6, 3, 5, 9, {}, None, 1.5),
    "no_bias": (4, 3, 5, 7, {"bias": False}, None, 1.5),
    "saturated": (5, 3, 4, 5, {}, None, 40.0),
    "long": (61, 2, 3, 4, {}, None, 2.5),
    "two_layers_bidirectional": (5, 3, 4, 5, {"num_layers": 2, "bidirectional": True}, None, 1.5),
    "ragged": (7, 4, 5, 8, {}, [3, 7, 1, 5], 1.5),
    "ragged_two_layers_bidirectional": (
        7, 4, 3, 4, {"num_layers": 2, "bidirectional": True}, [4, 1, 7, 6], 1.5),
}
RNN = {
    "one": (1, 1, 1, 1, {}, None, 1.5),
    "uni": (6, 3, 5, 9, {}, None, 1.5),
    "no_bias": (4, 3, 5, 7, {"bias": False}, None, 1.5),
    "ragged_two_layers_bidirectional": (
        7, 4, 3, 4, {"num_layers": 2, "bidirectional": True}, [4, 1, 7, 6], 1.5),
    "relu": (6, 3, 5, 9, {"nonlinearity": "relu"}, None, 1.0),
    "relu_long": (41, 2, 3, 4, {"nonlinearity": "relu"}, None, 1.0),
    "relu_ragged_two_layers_bidirectional": (
        7, 4, 3, 4, {"num_layers": 2, "bidirectional": True, "nonlinearity": "relu"}, [4, 1, 7, 6], 1.0),
}


def run(kind, number, T, B, I, H, settings, lengths, scale):
    """One case as a dict of arrays."""
    rng = np.random.default_rng(number)
    module = kind(I, H, **settings, dtype=torch.float64)
    D, LD, R = 1 + module.bidirectional, module.num_layers * (1 + module.bidirectional), module.proj_size or H
    widths = {"h": R, "c": H} if kind is torch.nn.LSTM else {"h": R}

    def leaf(*shape, scale=1.5):
        numbers = rng.choice([-scale, scale], shape) * rng.uniform(0.05, 1.0, shape)
        return torch.tensor(np.rint(numbers * 4096) / 4096, requires_grad=True)

    with torch.no_grad():
        for w in module.parameters():
            w.copy_(leaf(*w.shape, scale=scale / np.sqrt(H)))
    x = leaf(T, B, I)
    state = tuple(leaf(LD, B, width) for width in widths.values())
    dy = leaf(T, B, D * R).detach()
    dstate = tuple(leaf(LD, B, width).detach() for width in widths.values())
    hx = state if len(state) > 1 else state[0]
    if lengths is None:
        y, last = module(x, hx)
    else:
        packed, last = module(pack_padded_sequence(x, lengths, enforce_sorted=False), hx)
        y, _ = pad_packed_sequence(packed, total_length=T)
    last = last if len(state) > 1 else (last,)
    torch.autograd.backward([y, *last], [dy, *dstate])

    def named(name, parts):
        return {name.format(part): a for part, a in zip(widths, parts, strict=True)}

    arrays = {"x": x, **named("{}0", state), "dy": dy, **named("d{}_n", dstate), "y": y, **named("{}_n", last)}
    arrays |= {"dx": x.grad, **named("d{}0", [s.grad for s in state])}
    for name, w in module.named_parameters():
        arrays |= {f"params/{name}": w, f"dparams/{name}": w.grad}
    arrays = {name: a.detach().numpy() for name, a in arrays.items()}
    if lengths is not None:
        arrays["lengths"] = np.array(lengths)
    config = {"hidden_size": H, "num_layers": module.num_layers, "bidirectional": module.bidirectional}
    config |= {name: getattr(module, name) for name in _SETTINGS[kind]}
    return arrays | {"config": np.array(json.dumps(config))}


_SETTINGS = {torch.nn.LSTM: ("proj_size",), torch.nn.GRU: (), torch.nn.RNN: ("nonlinearity",)}


def write(name, kind, cases):
    golden = {"torch_version": np.array(str(torch.__version__))}
    for number, (case, spec) in enumerate(cases.items()):
        golden |= {f"{case}/{part}": a for part, a in run(kind, number, *spec).items()}
    path = Path(__file__).with_name(name)
    np.savez_compressed(path, **golden)
    print(f"{path.name}: {len(cases)} cases, {path.stat().st_size} bytes, torch {torch.__version__}")


def main():
    torch.set_num_threads(1)
    write("lstm_torch.npz", torch.nn.LSTM, LSTM)
    write("gru_torch.npz", torch.nn.GRU, GRU)
    write("rnn_torch.npz", torch.nn.RNN, RNN)


if __name__ == "__main__":
    main()
