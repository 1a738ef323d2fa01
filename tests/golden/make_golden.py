"""Writes `lstm_torch.npz`: what torch.nn.LSTM computes, in float64, for the cases below.

To regenerate, from the root of the repository, in an environment that has torch 2.13 and NumPy::

    python tests/golden/make_golden.py

Same versions, same bytes. Inputs and weights are multiples of 2^-12: float32 holds them exactly, and they
compress well. None is zero. Keys are "case/name", with "case/params/..." and "case/dparams/..." for what
has PyTorch's parameter names, "case/config" a JSON text, and one "torch_version" for the file. Gradients
are those of sum(dy*y) + sum(dh_n*h_n) + sum(dc_n*c_n), taken by autograd. Ragged batches go through
pack_padded_sequence, which knows no empty sequence; that case is left to the central differences.
"""

import json
from pathlib import Path

import numpy as np
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

# name: (T, B, I, H, settings of torch.nn.LSTM, lengths, scale of the weights)
CASES = {
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


def run(number, T, B, I, H, settings, lengths, scale):
    """One case as a dict of arrays."""
    rng = np.random.default_rng(number)
    module = torch.nn.LSTM(I, H, **settings, dtype=torch.float64)
    D, LD, R = 1 + module.bidirectional, module.num_layers * (1 + module.bidirectional), module.proj_size or H

    def leaf(*shape, scale=1.5):
        numbers = rng.choice([-scale, scale], shape) * rng.uniform(0.05, 1.0, shape)
        return torch.tensor(np.rint(numbers * 4096) / 4096, requires_grad=True)

    with torch.no_grad():
        for w in module.parameters():
            w.copy_(leaf(*w.shape, scale=scale / np.sqrt(H)))
    x, h0, c0 = leaf(T, B, I), leaf(LD, B, R), leaf(LD, B, H)
    dy, dh_n, dc_n = (leaf(*shape).detach() for shape in ((T, B, D * R), (LD, B, R), (LD, B, H)))
    if lengths is None:
        y, (h_n, c_n) = module(x, (h0, c0))
    else:
        packed, (h_n, c_n) = module(pack_padded_sequence(x, lengths, enforce_sorted=False), (h0, c0))
        y, _ = pad_packed_sequence(packed, total_length=T)
    torch.autograd.backward([y, h_n, c_n], [dy, dh_n, dc_n])

    arrays = {"x": x, "h0": h0, "c0": c0, "dy": dy, "dh_n": dh_n, "dc_n": dc_n, "y": y, "h_n": h_n, "c_n": c_n}
    arrays |= {"dx": x.grad, "dh0": h0.grad, "dc0": c0.grad}
    for name, w in module.named_parameters():
        arrays |= {f"params/{name}": w, f"dparams/{name}": w.grad}
    arrays = {name: a.detach().numpy() for name, a in arrays.items()}
    if lengths is not None:
        arrays["lengths"] = np.array(lengths)
    config = {"hidden_size": H, "num_layers": module.num_layers, "bidirectional": module.bidirectional,
              "proj_size": module.proj_size}
    return arrays | {"config": np.array(json.dumps(config))}


def main():
    torch.set_num_threads(1)
    golden = {"torch_version": np.array(str(torch.__version__))}
    for number, (case, spec) in enumerate(CASES.items()):
        golden |= {f"{case}/{name}": a for name, a in run(number, *spec).items()}
    path = Path(__file__).with_name("lstm_torch.npz")
    np.savez_compressed(path, **golden)
    print(f"{path.name}: {len(CASES)} cases, {path.stat().st_size} bytes, torch {torch.__version__}")


if __name__ == "__main__":
    main()
