"""A contender is one library on one case; here are its interface and lstmc's own side. `truth` has the check that all compute the same.

A contender has `run()`, one call as a user would make it, which is what is timed, and `results()`, the arrays of such a
call by name: y, and in training dx and "d" + the name of every weight that the library has under PyTorch's name.
"""

import inspect
from contextlib import contextmanager, nullcontext

import numpy as np

import lstmc
from lstmc import nn
from lstmc.bench.cases import lengths, numbers
from lstmc.kernels import core

# Largest difference from the float64 reference, relative to the largest value of the array.
TOLERANCE = {"float32": 2e-5, "float64": 1e-12}
# Others may approximate: wide enough for their tanh, far too narrow for a wrong gate order or a missing bias.
PEER_TOLERANCE = {"float32": 1e-3, "float64": 1e-9}
LAYERS = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN"}       # by cell, lstmc's and torch's alike


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
    """A base for all: the method named by the case's kind is `run`; the first attributes say what else it has."""

    cells = ("lstm",)
    settings = ()                           # keywords of variants
    ragged = False
    checkpoints = False
    tolerance = PEER_TOLERANCE
    ready = staticmethod(nullcontext)       # a context manager around every block of calls
    array = staticmethod(np.array)          # a copy of the library's array as NumPy's

    @staticmethod
    def use(threads):
        """Import the library and set its threads; what a reader must know about it in one line."""
        return f"{threads} threads"

    def __init__(self, case):
        self.case = case
        self.weights, self.x, self.dy = numbers(case)
        self.lengths = lengths(case)
        self.run = getattr(self, case.kind, None)
        needs = {case.kind: self.run is not None, case.cell: case.cell in self.cells,
                 "lengths": self.ragged or not case.ragged, "checkpoints": self.checkpoints or not case.checkpoint,
                 **{name: name in self.settings for name, _ in case.settings}}
        if lacks := [name for name, has in needs.items() if not has]:
            raise Unsupported(f"has no {', '.join(lacks)}")

    def reset(self):
        """Back to a state of zeros."""

    def results(self):
        """Of a stream, the second step on the same x, so that a state that is not carried does not pass."""
        self.reset()
        if self.case.kind == "step":
            self.run()
        return {name: self.array(a) for name, a in self.run().items()}


class Lstmc(Contender):
    """`lstmc.nn`, and its sessions for steps, on one instruction set."""

    cells, ragged, checkpoints = tuple(LAYERS), True, True
    tolerance = TOLERANCE

    @staticmethod
    def use(threads):
        lstmc.set_num_threads(threads)
        return f"{lstmc.__version__}, {threads} threads"

    def __init__(self, case, isa):
        self.settings = tuple(name for name, _ in case.settings)
        super().__init__(case)
        self.ready = lambda: using(isa)
        with self.ready():
            self.module = module(case)
            if case.kind == "step":
                self.session, self.out, self.x_t = self.module.session(case.B), np.empty((case.B, case.R), case.dtype), self.x[0]
                self.y = {"y": self.out[None]}
        self.more = {"checkpoint_every": case.checkpoint} if case.checkpoint else {}
        if self.more and "checkpoint_every" not in inspect.signature(self.module.forward).parameters:
            raise Unsupported("forward has no checkpoint_every")

    def forward(self):
        y, _ = self.module(self.x, lengths=self.lengths)
        return {"y": y}

    def train(self):
        y, _, tape = self.module.forward(self.x, lengths=self.lengths, **self.more)
        g = self.module.backward(tape, self.dy)
        return {"y": y, "dx": g.x, **{f"d{name}": d for name, d in g.params.items()}}

    def step(self):
        self.session.step(self.x_t, out=self.out)
        return self.y

    def reset(self):
        if self.case.kind == "step":
            self.session.reset()


def module(case):
    """The layer of `lstmc.nn` for a case, with `numbers` as weights; what only a variant has is moved off its initial value.

    Raises
    ------
    Unsupported
        This version of lstmc lacks the cell or a keyword.
    """
    layer = getattr(nn, LAYERS[case.cell], None)
    if layer is None:
        raise Unsupported(f"lstmc.nn has no {LAYERS[case.cell]}")
    try:
        made = layer(case.I, case.H, case.L, bidirectional=case.D == 2, dtype=case.dtype, seed=0, **dict(case.settings))
    except TypeError as error:
        if "keyword" not in str(error):
            raise
        raise Unsupported(f"lstmc.nn: {error}") from None
    except NotImplementedError as error:
        raise Unsupported(f"lstmc.nn: {error}") from None
    given, rng, weights = numbers(case)[0], np.random.default_rng(case.H), {}
    for name, w in made.state_dict().items():
        known = name in given and given[name].shape == w.shape
        weights[name] = given[name] if known else (w + rng.uniform(-0.1, 0.1, w.shape)).astype(case.dtype)
    made.load_state_dict(weights)
    return made
