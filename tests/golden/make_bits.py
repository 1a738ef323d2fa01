"""Writes `bits.json`: a SHA-256 of outputs and gradients of nn.LSTM, GRU and RNN for the runs below, one for every machine with fused
multiply-add and one for the baseline.

To regenerate, from the root of the repository, after a change that is meant to change bits::

    python tests/golden/make_bits.py

It refuses to write if the instruction sets with fused multiply-add disagree. Inputs and weights are whole
numbers times powers of two, made with integer arithmetic alone, so they are the same on every machine.
"""

import hashlib
import json
import math
from pathlib import Path

import numpy as np

from lstmc import nn
from lstmc.kernels import core

PATH = Path(__file__).with_name("bits.json")

# name: (module, T, B, I, H, its settings, lengths, arguments of forward)
RUNS = {
    "one sequence": (nn.LSTM, 97, 1, 5, 17, {}, None, {}),
    "row tiles": (nn.LSTM, 9, 23, 7, 33, {}, None, {}),
    "wide": (nn.LSTM, 3, 7, 131, 141, {"bias": False}, None, {}),
    "blocks of a weight gradient": (nn.LSTM, 131, 17, 3, 5, {}, None, {}),
    "two bands": (nn.LSTM, 23, 25, 5, 17, {"bidirectional": True}, None, {}),
    "two ragged bands": (nn.LSTM, 29, 23, 5, 17, {"bidirectional": True}, [3, *range(29, 0, -2), 0, *[29] * 6], {}),
    "many rows, few of them live": (nn.LSTM, 41, 13, 5, 17, {}, [7, *range(41, 0, -4), 41], {}),
    "ragged stack": (nn.LSTM, 12, 9, 6, 19, {"num_layers": 2, "bidirectional": True}, [3, 12, 0, 7, 12, 1, 9, 5, 2], {}),
    "ragged projection": (nn.LSTM, 11, 7, 5, 65, {"num_layers": 2, "proj_size": 9}, [4, 11, 11, 0, 2, 8, 5], {}),
    "masked": (nn.LSTM, 12, 9, 6, 19, {"num_layers": 2, "bidirectional": True}, None, {"mask": True}),
    "checkpoints": (nn.LSTM, 131, 17, 3, 5, {"num_layers": 2, "bidirectional": True}, None, {"checkpoint_every": 20}),
    "peephole": (nn.LSTM, 9, 7, 5, 33, {"peephole": "all"}, None, {}),
    "coupled, clipped": (nn.LSTM, 9, 7, 5, 17, {"coupled": True, "clip": 0.5, "peephole": True}, None, {}),
    "zoneout": (nn.LSTM, 9, 7, 5, 17, {"zoneout": (0.25, 0.125), "bidirectional": True}, None, {}),
    "activations": (nn.LSTM, 9, 7, 5, 17, {"activations": ("hard_sigmoid", "softsign", ("elu", 0.5))}, None, {}),
    "GRU": (nn.GRU, 97, 1, 5, 17, {}, None, {}),
    "GRU, two bands": (nn.GRU, 23, 25, 5, 33, {}, None, {}),
    "GRU, ragged stack": (nn.GRU, 12, 9, 6, 19, {"num_layers": 2, "bidirectional": True}, [3, 12, 0, 7, 12, 1, 9, 5, 2], {}),
    "GRU, masked": (nn.GRU, 12, 9, 6, 19, {"num_layers": 2, "bidirectional": True}, None, {"mask": True, "checkpoint_every": 5}),
    "GRU, hard sigmoid": (nn.GRU, 9, 7, 5, 17, {"activations": ("hard_sigmoid", "tanh"), "clip": 0.75}, None, {}),
    "GRU, zoneout": (nn.GRU, 9, 7, 5, 17, {"zoneout": 0.25}, None, {}),
    "RNN": (nn.RNN, 97, 1, 5, 17, {}, None, {}),
    "RNN, two bands": (nn.RNN, 23, 25, 5, 67, {}, None, {}),
    "RNN, ragged stack": (nn.RNN, 12, 9, 6, 19, {"num_layers": 2, "bidirectional": True}, [3, 12, 0, 7, 12, 1, 9, 5, 2], {}),
    "RNN, relu": (nn.RNN, 9, 23, 5, 67, {"nonlinearity": "relu", "num_layers": 2}, None, {"checkpoint_every": 4}),
}


def dyadic(seed, shape, dtype, shift=0):
    """Odd numbers of all the bits that the type holds, times a power of two: splitmix64 of the element's index.

    Magnitudes are below 2**-shift. Products and sums of such numbers must be rounded, so that the order of a sum
    shows in its bits.
    """
    bits = np.finfo(dtype).nmant + 1
    z = (np.arange(1, math.prod(shape) + 1, dtype=np.uint64) + np.uint64(seed << 32)) * np.uint64(0x9E3779B97F4A7C15)
    for right, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z = (z ^ (z >> np.uint64(right))) * np.uint64(factor)
    k = (z >> np.uint64(65 - bits)).astype(np.int64) * 2 + 1 - 2 ** (bits - 1)
    return (k / 2.0 ** (bits - 1 + shift)).astype(dtype).reshape(shape)


def digest(name, dtype, threads=None):
    """SHA-256 of y, the final state and every gradient of a run, and of y in inference, on the instruction set in use."""
    kind, T, B, I, H, settings, lengths, how = RUNS[name]
    m = kind(I, H, **settings, dtype=dtype, seed=0)
    shift = H.bit_length() // 2 - 1
    m.load_state_dict({k: dyadic(i, w.shape, dtype, shift) for i, (k, w) in enumerate(m.state_dict().items())})
    D, R, LD = m.num_directions, m.output_size, m.num_layers * m.num_directions
    shapes = ((T, B, I), (LD, B, R), (LD, B, H), (T, B, D * R), (LD, B, R), (LD, B, H))
    x, h0, c0, dy, dh_n, dc_n = (dyadic(100 + i, shape, dtype) for i, shape in enumerate(shapes))
    pair = kind is nn.LSTM
    hx, dstate = ((h0, c0), (dh_n, dc_n)) if pair else (h0, dh_n)
    mask = dyadic(200, (T, B), "float32") > -0.25 if how.get("mask") else None
    y, state, tape = m.forward(x, hx, lengths, threads=threads, **(how | {"mask": mask}))
    grads = m.backward(tape, dy, dstate, threads=threads)
    called, _ = m(x, hx, lengths, mask=mask, threads=threads)
    states = (*state, grads.x, *grads.hx) if pair else (state, grads.x, grads.hx)
    found = hashlib.sha256()
    for a in (y, *states, *grads.params.values(), called):
        found.update(np.ascontiguousarray(a, a.dtype.newbyteorder("<")).tobytes())
    return found.hexdigest()


def key(name, dtype, isa):
    return f"{name}, {dtype}, {'baseline' if isa == 'baseline' else 'fma'}"


def main():
    bits = {}
    for isa in core.usable_isas():
        core.use_isa(isa)
        for name in RUNS:
            for dtype in ("float32", "float64"):
                found, k = digest(name, dtype), key(name, dtype, isa)
                if bits.setdefault(k, found) != found:
                    raise SystemExit(f"{k}: {isa} has other bits than the instruction sets before it; nothing written")
    if len(bits) < 4 * len(RUNS):
        raise SystemExit("this machine has no usable instruction set with fused multiply-add; nothing written")
    PATH.write_text(json.dumps(bits, indent=1, sort_keys=True) + "\n")
    print(f"{PATH.name}: {len(bits)} digests from {', '.join(core.usable_isas())}")


if __name__ == "__main__":
    main()
