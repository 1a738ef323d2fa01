"""The two sides of the benchmark behind one interface, and the check that both compute the same thing.

A contender has `run()`, one call as a user would make it, which is what is timed, and `results()`, the same call's arrays
by name. Training computes the gradients of x and of all weights on both sides. Torch runs inference under no_grad and
training through autograd.
"""

import os

import numpy as np

from cases import numbers
from lstmc import nn, reference

# Largest difference from the float64 reference, relative to the largest value of the array.
TOLERANCE = {"float32": 2e-5, "float64": 1e-12}


class Lstmc:
    """`lstmc.nn.LSTM`, and its session for steps."""

    def __init__(self, case, dtype):
        weights, self.x, self.dy = numbers(case, dtype)
        self.module = nn.LSTM(case.I, case.H, dtype=dtype, seed=0)
        self.module.load_state_dict(weights)
        self.run = getattr(self, case.kind)
        if case.kind == "step":
            self.session, self.out = self.module.session(case.B), np.empty((case.B, case.H), dtype)
            self.x_t = self.x[0]

    def forward(self):
        y, _ = self.module(self.x)
        return {"y": y}

    def train(self):
        y, _, tape = self.module.forward(self.x)
        g = self.module.backward(tape, self.dy)
        return {"y": y, "dx": g.x, **{f"d{name}": d for name, d in g.params.items()}}

    def step(self):
        self.session.step(self.x_t, out=self.out)

    def results(self):
        found = self.run()
        if found is None:
            self.session.reset()
            self.run()
            found = {"y": self.out[None].copy()}
        return found


class Torch:
    """`torch.nn.LSTM`; its step is a call with T = 1 that carries the state."""

    def __init__(self, case, dtype, torch):
        self.torch = torch
        weights, x, dy = numbers(case, dtype)
        self.x, self.dy = torch.from_numpy(x), torch.from_numpy(dy)
        self.module = torch.nn.LSTM(case.I, case.H, dtype=getattr(torch, dtype))
        self.module.load_state_dict({name: torch.from_numpy(w) for name, w in weights.items()})
        self.run = getattr(self, case.kind)
        self.x.requires_grad_(case.kind == "train")
        self.state = None

    def forward(self):
        with self.torch.no_grad():
            return {"y": self.module(self.x)[0]}

    def train(self):
        self.module.zero_grad(set_to_none=True)
        self.x.grad = None
        y, _ = self.module(self.x)
        y.backward(self.dy)
        return {"y": y, "dx": self.x.grad, **{f"d{name}": p.grad for name, p in self.module.named_parameters()}}

    def step(self):
        with self.torch.no_grad():
            y, self.state = self.module(self.x, self.state)
            return {"y": y}

    def results(self):
        self.state = None
        return {name: a.detach().numpy() for name, a in self.run().items()}


def use_torch(threads):
    """The torch module set to `threads` threads, or None where it is not installed."""
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(threads)
    return torch


def verify(name, side, case, dtype):
    """Raise unless all results of a contender agree with the float64 reference."""
    weights, x, dy = numbers(case, dtype)
    y, _, tape = reference.lstm_fwd(x, weights, hidden_size=case.H)
    expected = {"y": y}
    if case.kind == "train":
        g = reference.lstm_bwd(tape, dy)
        expected |= {"dx": g.dx, **{f"d{key}": d for key, d in g.dparams.items()}}
    found = side.results()
    for key, want in expected.items():
        error = np.abs(found[key] - want).max() / np.abs(want).max()
        if not error <= TOLERANCE[dtype]:
            raise AssertionError(f"{case.id}: {key} of {name} is {error:.1e} of its largest value away from the reference, "
                                 f"allowed {TOLERANCE[dtype]:.0e}; nothing was timed")
