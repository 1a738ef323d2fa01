"""A contender is one library on one case; here are its interface, lstmc's own side, and the check that all compute the same.

A contender has `run()`, one call as a user would make it, which is what is timed, and `results()`, the arrays of such a
call by name: y, and in training dx and "d" + the name of every weight that the library has under PyTorch's name.
"""

from contextlib import contextmanager, nullcontext

import numpy as np

from lstmc import nn, reference
from lstmc.bench.cases import numbers
from lstmc.kernels import core

# Largest difference from the float64 reference, relative to the largest value of the array.
TOLERANCE = {"float32": 2e-5, "float64": 1e-12}
# Others may approximate: wide enough for their tanh, far too narrow for a wrong gate order or a missing bias.
PEER_TOLERANCE = {"float32": 1e-3, "float64": 1e-9}


class Unsupported(Exception):
    """The library cannot run this case; the text says why."""


class WrongResult(AssertionError):
    """A contender computes something else than the reference."""


@contextmanager
def using(isa):
    """Inside, the kernels of one instruction set are in use."""
    before = core.isa()
    core.use_isa(isa)
    try:
        yield
    finally:
        core.use_isa(before)


class Contender:
    """A base for all: the method named by the case's kind is `run`."""

    tolerance = PEER_TOLERANCE
    ready = staticmethod(nullcontext)       # a context manager around every block of calls
    array = staticmethod(np.array)          # a copy of the library's array as NumPy's

    def __init__(self, case):
        self.case = case
        self.weights, self.x, self.dy = numbers(case)
        self.run = getattr(self, case.kind, None)
        if self.run is None:
            raise Unsupported(f"has no {case.kind}")

    def reset(self):
        """Back to a state of zeros."""

    def results(self):
        """Of a stream, the second step on the same x, so that a state that is not carried does not pass."""
        self.reset()
        if self.case.kind == "step":
            self.run()
        return {name: self.array(a) for name, a in self.run().items()}


class Lstmc(Contender):
    """`lstmc.nn.LSTM`, and its session for steps, on one instruction set."""

    tolerance = TOLERANCE

    def __init__(self, case, isa):
        super().__init__(case)
        self.ready = lambda: using(isa)
        with self.ready():
            self.module = nn.LSTM(case.I, case.H, case.L, bidirectional=case.D == 2, dtype=case.dtype, seed=0)
            self.module.load_state_dict(self.weights)
            if case.kind == "step":
                self.session, self.out, self.x_t = self.module.session(case.B), np.empty((case.B, case.H), case.dtype), self.x[0]
                self.y = {"y": self.out[None]}

    def forward(self):
        y, _ = self.module(self.x)
        return {"y": y}

    def train(self):
        y, _, tape = self.module.forward(self.x)
        g = self.module.backward(tape, self.dy)
        return {"y": y, "dx": g.x, **{f"d{name}": d for name, d in g.params.items()}}

    def step(self):
        self.session.step(self.x_t, out=self.out)
        return self.y

    def reset(self):
        if self.case.kind == "step":
            self.session.reset()


def expected(case):
    """What the float64 reference says, by name."""
    weights, x, dy = numbers(case)
    if case.kind == "step":
        x = np.concatenate([x, x])
    y, _, tape = reference.lstm_fwd(x, weights, hidden_size=case.H, num_layers=case.L, bidirectional=case.D == 2)
    found = {"y": y[-1:] if case.kind == "step" else y}
    if case.kind == "train":
        g = reference.lstm_bwd(tape, dy)
        found |= {"dx": g.dx, **{f"d{key}": d for key, d in g.dparams.items()}}
    return found


def verify(side, want):
    """Raise WrongResult unless all results of a contender agree with `expected`."""
    with side.ready():
        found = side.results()
    allowed = side.tolerance[side.case.dtype]
    missing = sorted(want.keys() - found.keys() - getattr(side, "withheld", set()))
    if missing:
        raise WrongResult(f"no {', '.join(missing)}")
    for key in want.keys() & found.keys():
        if found[key].shape != want[key].shape:
            raise WrongResult(f"{key} has shape {found[key].shape}, expected {want[key].shape}")
        error = np.abs(found[key] - want[key]).max() / np.abs(want[key]).max()
        if not error <= allowed:
            raise WrongResult(f"{key} is {error:.1e} of its largest value away from the reference, allowed {allowed:.0e}")
