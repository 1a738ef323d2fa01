"""What LSTM, GRU and RNN share: sizes, parameters, and the calls, whose loops over layers are in passes.py.

A subclass names its cell and the parts of its state, adds its own settings and says which parameters they bring.
"""

import functools
import math

import numpy as np

from lstmc import received
from lstmc.kernels import core
from lstmc.kernels.cells import gate_count
from lstmc.kernels.weights import Weights
from lstmc.locks import Lock
from lstmc.nn import checks
from lstmc.nn.dropout import first_sequence
from lstmc.nn.exchange import Exchanged
from lstmc.nn.explain import explain
from lstmc.nn.module import MAX_UNITS, Module
from lstmc.nn.params import KINDS, Packed, Parameters, torch_shapes
from lstmc.nn.passes import backward_pass, forward_pass
from lstmc.nn.session import Session
from lstmc.nn.tape import Gradients, Tape
from lstmc.warned import warn

MAX_LAYERS = 1000
LAST_STEP = 2**64 - 1

_drawing = Lock()


@functools.cache
def names_of(layers, directions):
    """`Recurrent._names` of so many layers and directions."""
    return [[[f"{kind}_l{layer}{way}" for kind in KINDS] for way in ("", "_reverse")[:directions]] for layer in range(layers)]


class Recurrent(Exchanged, Module):
    """Base of the modules; see `nn.LSTM` for what all have in common."""

    fixed = frozenset((
        "cell", "input_size", "hidden_size", "output_size", "num_layers", "num_directions", "bias", "batch_first", "dropout", "bidirectional",
        "proj_size", "dtype", "nonlinearity", "reset_after", "peephole", "coupled", "clip", "activations", "gates_off", "layer_norm", "zoneout",
        "input_dropout", "recurrent_dropout",
    ))
    cell = None             # its name in the kernels
    _parts = ("h",)         # of the state
    proj_size = 0
    layer_norm = None
    _drawn = True           # whether weights begin at random

    def _set_up(self, input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype, seed, input_dropout,
                recurrent_dropout):
        """Check and keep what all have; a subclass then sets its own and calls `_create`."""
        self.input_size = checks.integer(input_size, "input_size", 1)
        self.hidden_size = checks.integer(hidden_size, "hidden_size", 1)
        self.num_layers = checks.integer(num_layers, "num_layers", 1)
        if self.num_layers > MAX_LAYERS:
            raise ValueError(f"num_layers: expected at most {MAX_LAYERS}, received {self.num_layers}")
        self.bias = checks.flag(bias, "bias")
        self.batch_first = checks.flag(batch_first, "batch_first")
        self.dropout = checks.probability(dropout, "dropout")
        self.input_dropout = checks.probability(input_dropout, "input_dropout")
        self.recurrent_dropout = checks.probability(recurrent_dropout, "recurrent_dropout")
        self.bidirectional = checks.flag(bidirectional, "bidirectional")
        self.output_size, self.num_directions = self.hidden_size, 2 if self.bidirectional else 1
        if self.dropout and self.num_layers == 1:
            warn(f"dropout={self.dropout} has no effect with num_layers=1: it acts between layers")
        self.dtype = checks.float_dtype(dtype)
        self.seed = int(np.random.SeedSequence().entropy % 2**63) if seed is None else checks.integer(seed, "seed", 0, 2**64 - 1)

    @classmethod
    def _blank(cls, *sizes, **settings):
        """A module whose weights and biases are 0 instead of drawn, for who sets them all next."""
        m = cls.__new__(cls)
        m._drawn = False
        m.__init__(*sizes, **settings)
        return m

    def _create(self):
        self.step = 0
        shapes = dict(self._shapes())
        if sum(map(math.prod, shapes.values())) > MAX_UNITS:
            raise ValueError(f"input_size, hidden_size, num_layers: expected sizes whose weights fit into memory, received {self.input_size}, "
                             f"{self.hidden_size} and {self.num_layers}")
        self._params = Parameters(shapes, self.dtype)
        if self._drawn:
            self._params.uniform(1 / np.sqrt(self.hidden_size), self.seed)
        self._start()
        self._packed = self._options = None

    # What a subclass may add -------------------------------------------------------------------------------

    def _more_shapes(self):
        """Parameters of one layer and direction beyond PyTorch's: (kind, shape)."""
        return ()

    def _start(self):
        """Set the parameters that do not begin at random."""

    def _make_options(self):
        """The kernels' options."""
        raise NotImplementedError

    def _settings(self):
        """Settings of the subclass, name -> default, for the repr."""
        return {}

    # Parameters --------------------------------------------------------------------------------------------

    def _suffixes(self):
        return [f"l{layer}{way}" for layer in range(self.num_layers) for way in ("", "_reverse")[: self.num_directions]]

    def _names(self):
        """For each layer, for each direction, the names that its parameters have or would have, in the order of KINDS."""
        return names_of(self.num_layers, self.num_directions)

    def _shapes(self):
        G = gate_count(self.cell)
        for s in self._suffixes():
            yield from torch_shapes(s, G, self.input_size, self.hidden_size, self.proj_size, self.num_directions, self.bias).items()
            for kind, shape in self._more_shapes():
                yield f"{kind}_{s}", shape

    def _weights(self, train):
        """Packed weights of every layer and direction, packed again only when a value has changed."""
        params = self._params
        key = (params.fingerprint(train), core.isa())
        packed = self._packed
        if packed is None or packed.key != key or (train and not packed.train):
            packed = Packed(key, train, [Weights(self.cell, *map(params.arrays.get, names), train, train and self.recurrent_dropout > 0)
                                         for ways in self._names() for names in ways])
            self.__dict__["_packed"] = packed               # at every step of training: without the checks of who sets attributes
        return packed

    def _options_of(self, layer=0, draw=None):
        """The kernels' options; in training, with the keys of the random numbers of (seed, step)."""
        if self._options is None:
            self._options = self._make_options()
        o = self._options
        return o.for_call(*draw, layer, first_sequence()) if draw and o.drawing else o

    @property
    def step(self):
        """Number of `forward(train=True)` calls so far."""
        return self._step

    @step.setter
    def step(self, value):
        self._step = checks.integer(value, "step", 0, LAST_STEP)

    def _draw(self):
        """(seed, step) of the random numbers of a training call, a step of its own: threads may train with one module at once."""
        with _drawing.now:
            step = self._step
            if step == LAST_STEP:
                raise ValueError(f"step: expected less than {LAST_STEP} before a training call, received {step}")
            self.__dict__["_step"] = step + 1       # at every training call: without the checks of who sets `step`
        return self.seed, step

    # Calls -------------------------------------------------------------------------------------------------

    def __call__(self, x, hx=None, lengths=None, *, mask=None, threads=None, out=None, return_cells=False, return_gates=False):
        """Run sequences through the module (inference: no dropout, zoneout at its expectation).

        Parameters
        ----------
        x : ndarray or list of ndarray
            (T, B, I), (B, T, I) with batch_first, or (T, I) unbatched; of the module's dtype, any strides. A list has a (T, I)
            array for each sequence, of any lengths. Python's numbers have no dtype: in lists of lists they take the module's, everywhere.
        hx : tuple of ndarray, or ndarray
            Initial state: (h_0 (L*D, B, R), c_0 (L*D, B, H)) of an LSTM, h_0 of the others, without B if unbatched; zeros if None.
        lengths : array_like of int, optional
            (B,) valid steps of each sequence, 0 to T, in any order; all T if None.
        mask : ndarray of bool, optional
            (T, B), (B, T) with batch_first, or (T,): the valid steps, in place of `lengths`. At others the state stays what it is,
            and y is 0: gaps and padding on either side.
        threads : int, optional
            For this call; by default the process setting, fewer for small work.
        out : ndarray, optional
            Written and returned as y: of y's shape and the module's dtype, features one after the other, other strides any;
            must not overlap itself, x or hx.
        return_cells, return_gates : bool
            Also return, after the state, c_t of the last layer at every step, laid out like y (T, B, D*H), and the values of
            its gates, (T, B, D*G, H) in PyTorch's order; 0 at steps that are not valid.

        Returns
        -------
        y : ndarray or list of ndarray
            (T, B, D*R), (B, T, D*R) with batch_first, or (T, D*R); 0 past a sequence's length. A list for a list.
        state : tuple of ndarray, or ndarray
            Final state, shaped like hx: after the last valid step; of the reverse direction, after the first.

        Raises
        ------
        ValueError, TypeError
            An argument has a wrong shape, value or dtype.
        """
        cells, gates = checks.flag(return_cells, "return_cells"), checks.flag(return_gates, "return_gates")
        if cells and "c" not in self._parts:
            raise ValueError(f"return_cells: expected False, since a {type(self).__name__} has no cell state")
        call, threads = self._check(x, hx, lengths, mask), checks.threads(threads)
        result = None if out is None else self._check_out(out, call, self.num_directions * self.output_size, x, hx, mask if lengths is None else lengths)
        y, state, _, taps = forward_pass(self, call, False, threads, result, (cells, gates))
        return (y if out is None else out, self._state_outside(state, call.batched), *taps)

    def forward(self, x, hx=None, lengths=None, train=True, *, mask=None, threads=None, checkpoint_every=None):
        """Like a call, and with train=True keep what `backward` needs and apply dropout and zoneout.

        Parameters
        ----------
        x, hx, lengths, mask, threads
            As of a call.
        train : bool
            Whether to train.
        checkpoint_every : int, optional
            Keep the states of about every k-th step only, of a k that is rounded up so that no bit of a gradient changes, and
            compute the others again in `backward`: less memory for a third of the time.

        Returns
        -------
        y, state
            As from a call.
        tape : Tape or None
            None with train=False. x must not be changed while the tape is in use.
        """
        if checkpoint_every is not None:
            checkpoint_every = min(checks.integer(checkpoint_every, "checkpoint_every", 1), MAX_UNITS)
        train, call = checks.flag(train, "train"), self._check(x, hx, lengths, mask)
        y, state, tape, _ = forward_pass(self, call, train, checks.threads(threads), every=checkpoint_every)
        return y, self._state_outside(state, call.batched), tape

    def backward(self, tape, dy=None, dstate=None, *, need_dx=True, threads=None):
        """Gradients of a scalar whose gradients with respect to y and the final state are given.

        Parameters
        ----------
        tape : Tape
            From `forward` of this module; used up, unless something is raised. After a lack of memory or Ctrl-C it serves another backward,
            with the same bits, that computes again what was kept.
        dy : ndarray or list of ndarray, optional
            Shaped like y; values past a sequence's length are not read. None: zeros, beside a dstate.
        dstate : tuple of ndarray, or ndarray, optional
            Shaped like the state: (dh_n, dc_n) of an LSTM, of which either may be None, dh_n of the others. None: zeros, beside a dy.
        need_dx : bool
            Whether to compute the gradient of x.
        threads : int, optional

        Returns
        -------
        Gradients
            x, hx (of the initial state), params.

        Raises
        ------
        ValueError
            The tape belongs to another module or has served its backward, a shape does not fit, or there is no gradient at all.
        TypeError
            tape is no tape, or a dtype does not fit.
        """
        if not isinstance(tape, Tape):
            raise TypeError(f"tape: expected the tape that forward(train=True) returned, received {received.length(tape)}")
        if tape.module is not self:
            raise ValueError(f"tape: expected a tape of this module, received one of another {type(tape.module).__name__}")
        need_dx, threads, dstate = checks.flag(need_dx, "need_dx"), checks.threads(threads), self._state_inside(dstate, "dstate", "d{}_n")
        if dy is None and (dstate is None or all(part is None for part in dstate)):
            raise ValueError("dy: expected the gradient of y, or in dstate that of the final state, received neither")
        grads = self._params.like()
        dx, dinitial = self._backward(tape, dy, dstate, grads, need_dx, True, threads)
        return Gradients(dx, self._state_outside(dinitial, tape.call.batched), grads)

    def _backward(self, tape, dy, dstate, grads, need_dx, need_state, threads=None):
        """`backward_pass` of a tape of this module, with dy and the first parts of dstate, or None, as they were given."""
        if dstate is not None:
            dstate = self._check_parts(dstate, "dstate", "d{}_n", tape.y_shape[1], tape.call.batched, optional=True)
        if dy is not None:
            dy = self._check_dy(dy, tape.call, tape.y_shape)
        return backward_pass(self, tape, dy, dstate, grads, need_dx, threads, need_state)

    def session(self, batch_size=1):
        """A stream of steps with carried state; see `Session`."""
        return Session(self, batch_size)

    def explain(self):
        """Which kernels this module runs on, what its threads divide for batches of 1, 4 and 32, and why.

        Returns
        -------
        str
        """
        return explain(self)

    def __repr__(self):
        shown = {"num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0, "bidirectional": False, **self._settings()}
        extra = "".join(f", {k}={getattr(self, k)!r}" for k, default in shown.items() if getattr(self, k) != default)
        dtype = "" if self.dtype == np.float32 else f", dtype={str(self.dtype)!r}"
        return f"{type(self).__name__}({self.input_size}, {self.hidden_size}{extra}{dtype})"
