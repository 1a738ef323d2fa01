"""What LSTM, GRU and RNN share: sizes, parameters, and the one loop over layers, forward and backward.

A subclass names its cell and the parts of its state, adds its own settings and says which parameters they bring.
"""

import math
import warnings

import numpy as np

from lstmc.kernels import core
from lstmc.kernels.backward import backward, block_steps_of, weight_gradients
from lstmc.kernels.cells import gate_count
from lstmc.kernels.forward import forward
from lstmc.kernels.random import Purpose
from lstmc.kernels.weights import Weights
from lstmc.locks import Lock
from lstmc.nn import checks
from lstmc.nn.dropout import keep_mask
from lstmc.nn.explain import explain
from lstmc.nn.module import MAX_UNITS, Module
from lstmc.nn.params import Packed, Parameters
from lstmc.nn.session import Session
from lstmc.nn.tape import Gradients, Layer, Tape, describe


def _parts(state, part):
    """Some layers and directions of a state, which may be None or have parts that are."""
    return None if state is None else tuple([None if s is None else s[part] for s in state])


MAX_LAYERS = 1000

_drawing = Lock()
# Parameters of one layer and direction in the order in which kernels give their gradients.
KINDS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr", "peephole", "norm_ih", "norm_hh", "norm_c")


class Recurrent(Module):
    """Base of the modules; see `nn.LSTM` for what all have in common."""

    fixed = frozenset((
        "cell", "input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional", "proj_size", "dtype", "nonlinearity",
        "reset_after", "peephole", "coupled", "clip", "activations", "gates_off", "layer_norm", "zoneout", "input_dropout", "recurrent_dropout",
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
        if self.dropout and self.num_layers == 1:
            warnings.warn(f"dropout={self.dropout} has no effect with num_layers=1: it acts between layers", stacklevel=3)
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

    @property
    def num_directions(self):
        """D: 2 if bidirectional, else 1."""
        return 2 if self.bidirectional else 1

    @property
    def output_size(self):
        """R: values of h per direction."""
        return self.proj_size or self.hidden_size

    def _suffixes(self):
        return [f"l{layer}{way}" for layer in range(self.num_layers) for way in ("", "_reverse")[: self.num_directions]]

    def _shapes(self):
        GH, R = gate_count(self.cell) * self.hidden_size, self.output_size
        for s in self._suffixes():
            I = self.input_size if s.startswith("l0") else R * self.num_directions
            yield f"weight_ih_{s}", (GH, I)
            yield f"weight_hh_{s}", (GH, R)
            if self.bias:
                yield f"bias_ih_{s}", (GH,)
                yield f"bias_hh_{s}", (GH,)
            if self.proj_size:
                yield f"weight_hr_{s}", (R, self.hidden_size)
            for kind, shape in self._more_shapes():
                yield f"{kind}_{s}", shape

    def _weights(self, train):
        """Packed weights of every layer and direction, packed again only when a value has changed."""
        key = (self._params.fingerprint(), core.isa())
        packed = self._packed
        if packed is None or packed.key != key or (train and not packed.train):
            a = self._params.arrays
            packed = Packed(key, train, [Weights(self.cell, *(a.get(f"{kind}_{s}") for kind in KINDS), train,
                                                 train and self.recurrent_dropout > 0) for s in self._suffixes()])
            self._packed = packed
        return packed

    def _options_of(self, layer=0, draw=None):
        """The kernels' options; in training, with the keys of the random numbers of (seed, step)."""
        if self._options is None:
            self._options = self._make_options()
        o = self._options
        return o.for_call(*draw, layer) if draw and (o.zoneout_h or o.zoneout_c or o.recurrent_dropout) else o

    @property
    def step(self):
        """Number of `forward(train=True)` calls so far."""
        return self._step

    @step.setter
    def step(self, value):
        self._step = checks.integer(value, "step", 0, 2**64 - 1)

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
        y, state, _, taps = self._run(x, hx, lengths, mask, False, threads, out, (cells, gates))
        return (y, state, *taps) if taps else (y, state)

    def forward(self, x, hx=None, lengths=None, train=True, *, mask=None, threads=None, checkpoint_every=None):
        """Like a call, and with train=True keep what `backward` needs and apply dropout and zoneout.

        Parameters
        ----------
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
        return self._run(x, hx, lengths, mask, checks.flag(train, "train"), threads, every=checkpoint_every)[:3]

    def _run(self, x, hx, lengths, mask, train, threads, out=None, wanted=(False, False), every=None):
        call = self._check(x, hx, lengths, mask)
        if train and call.state is not None:        # backward may need it again, and it is the caller's
            call = call._replace(state=tuple(s.copy() for s in call.state))
        threads = checks.threads(threads)
        R, D, L = self.output_size, self.num_directions, self.num_layers
        result = None if out is None else self._check_out(out, call, D * R, x, hx, mask if lengths is None else lengths)
        weights = self._weights(train).weights
        T, B, _ = call.x.shape
        final = self._new_state(B)
        tape, draw = (Tape(self, call, weights), self._draw()) if train else (None, None)
        below, taps = call.x, ()
        for layer in range(L):
            last, options = layer == L - 1, self._options_of(layer, draw)
            below, dropped = self._drop(below, layer, draw, threads) if train else (below, None)
            y = result if last else None
            if y is None:
                y = self._output(T, B, D * R, call.schedule.ragged, last and self.batch_first and call.batched)
            part = slice(layer * D, (layer + 1) * D)
            state, ends = _parts(call.state, part), _parts(final, part)
            tapes = chunks = None
            if train and every:
                chunks = self._run_chunks(weights[part], call.schedule, below, y, state, ends, options, threads, every)
            else:
                tapes = forward(weights[part], call.schedule, below, y, state, ends, options, train or (last and any(wanted)), threads)
            if train:
                tape.layers.append(Layer(below, tapes, chunks, options, dropped))
            elif tapes:
                taps = self._taps(tapes, call, wanted)
            below = y
        if train:
            tape.y_shape = below.shape
        return self._outside(below, call) if out is None else out, self._state_outside(final, call.batched), tape, taps

    def _draw(self):
        """(seed, step) of the random numbers of a training call, a step of its own: threads may train with one module at once."""
        with _drawing.now:
            step = self.step
            self.step = step + 1
        return self.seed, step

    def _drop(self, below, layer, draw, threads):
        """The input of a layer after dropout, and the mask, None if there is none."""
        _, B, width = below.shape
        mask = None
        if self.dropout and layer:
            mask = keep_mask(self.dropout, below.shape, self.dtype, *draw, layer, threads=threads)
        if self.input_dropout:
            fixed = keep_mask(self.input_dropout, (1, B, width), self.dtype, *draw, 2 * layer, Purpose.INPUT, threads)
            mask = fixed if mask is None else mask * fixed
        if mask is None:
            return below, None
        with np.errstate(all="ignore"):         # what is past the end of a sequence may be anything, and is not read
            return below * mask, mask

    def _run_chunks(self, weights, schedule, x, y, state, final, options, threads, every):
        """Forward chunk by chunk of time, keeping the state before each."""
        step = block_steps_of(weights, schedule)
        size, T, chunks = -(-every // step) * step, schedule.steps, []
        for t0 in range(0, max(T, 1), size):
            chunks.append((t0, min(t0 + size, T), state))
            after = final if t0 + size >= T else self._new_state(x.shape[1], len(weights))
            forward(weights, schedule, x, y, state, after, options, False, threads, (t0, t0 + size))
            state = after
        return chunks

    def _taps(self, tapes, call, wanted):
        """c_t and gates of the last layer, as wanted."""
        T, B, _ = call.x.shape
        D, H, G = self.num_directions, self.hidden_size, gate_count(self.cell)
        cells = np.zeros((T, B, D * H), self.dtype) if wanted[0] else None
        gates = np.zeros((T, B, D * G, H), self.dtype) if wanted[1] else None
        for d, tape in enumerate(tapes):
            tape.taps(None if cells is None else cells[:, :, d * H:(d + 1) * H], None if gates is None else gates[:, :, d * G:(d + 1) * G])
            tape.release()
        return tuple(self._outside(a, call) for a in (cells, gates) if a is not None)

    def backward(self, tape, dy=None, dstate=None, *, need_dx=True, threads=None):
        """Gradients of a scalar whose gradients with respect to y and the final state are given.

        Parameters
        ----------
        tape : Tape
            From `forward` of this module; used up, unless something is raised. After a lack of memory or Ctrl-C it serves another backward,
            with the same bits, that computes again what was kept.
        dy : ndarray or list of ndarray, optional
            Shaped like y; values past a sequence's length are not read. None: zeros.
        dstate : tuple of ndarray, or ndarray
            Shaped like the state: (dh_n, dc_n) of an LSTM, of which either may be None, dh_n of the others. None: zeros.
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
            The tape belongs to another module or has served its backward, or a shape does not fit.
        TypeError
            tape is no tape, or a dtype does not fit.
        """
        if not isinstance(tape, Tape):
            raise TypeError(f"tape: expected the tape that forward(train=True) returned, received {describe(tape)}")
        if tape.module is not self:
            raise ValueError(f"tape: expected a tape of this module, received one of another {type(tape.module).__name__}")
        call, B = tape.call, tape.y_shape[1]
        dfinal = self._check_state(dstate, "dstate", "d{}_n", B, call.batched, optional=True)
        if dy is not None:
            dy = self._check_dy(dy, call, tape.y_shape)
        need_dx, threads = checks.flag(need_dx, "need_dx"), checks.threads(threads)
        tape.take()
        try:
            found = self._backward(tape, dy, dfinal, need_dx, threads)
        except BaseException:
            self._renew(tape)
            raise
        tape.layers.clear()
        return found

    def _backward(self, tape, dy, dfinal, need_dx, threads):
        call, (T, B, width) = tape.call, tape.y_shape
        D, L = self.num_directions, self.num_layers
        dinitial, grads, suffixes = self._new_state(B), self._params.like(), self._suffixes()
        for layer in reversed(range(L)):
            below = None
            if layer or need_dx:
                batch_major = not layer and self.batch_first and call.batched
                below = self._output(T, B, self.input_size if not layer else width, call.schedule.ragged, batch_major)
            part = slice(layer * D, (layer + 1) * D)
            sums = self._back(tape.layers[layer], tape.weights[part], call.schedule, dy,
                              _parts(dfinal, part), below, _parts(dinitial, part), threads)
            weight_gradients(sums, [[grads.get(f"{kind}_{s}") for kind in KINDS] for s in suffixes[part]], threads)
            if below is not None and tape.layers[layer].mask is not None:
                below *= tape.layers[layer].mask
            dy = below
        dx = None if below is None else self._outside(below, call)
        return Gradients(dx, self._state_outside(dinitial, call.batched), grads)

    def _renew(self, tape):
        """Make a tape usable after a backward that did not come to its end: its kernel tapes may be used up, and are made again."""
        D, T = self.num_directions, tape.y_shape[0]
        for n, layer in enumerate(tape.layers):
            if layer.tapes is not None:
                tape.layers[n] = layer._replace(tapes=None, chunks=[(0, T, _parts(tape.call.state, slice(n * D, (n + 1) * D)))])
        tape.give_back()

    def _check_dy(self, dy, call, y_shape):
        if call.listed is not None:
            if not isinstance(dy, (list, tuple)) or len(dy) != len(call.listed):
                raise ValueError(f"dy: expected a list of {len(call.listed)} arrays, shaped like y, received {describe(dy)}")
            return self._together([checks.shaped(a, f"dy[{i}]", self.dtype, (n, y_shape[2]), "(T, D*R)")
                                   for i, (a, n) in enumerate(zip(dy, call.listed, strict=True))])
        shape, axes = self._shape_outside(*y_shape, "D*R", call.batched)
        return self._inside(checks.shaped(dy, "dy", self.dtype, shape, axes), call.batched)

    def _back(self, layer, weights, schedule, dy, dfinal, dx, dinitial, threads):
        """Backward of one layer, chunk by chunk from the last if its states were not all kept; the sums of weight gradients."""
        if layer.tapes is not None:
            return backward(layer.tapes, dy, dfinal, dx, dinitial, None, threads)
        found, B = [], layer.below.shape[1]
        for d in range(len(weights)):       # a chunk of the reverse direction is at other times
            one = slice(d, d + 1)
            after, sums = _parts(dfinal, one), None
            for t0, t1, state in reversed(layer.chunks):
                tapes = forward(weights[one], schedule, layer.below, None, _parts(state, one), self._new_state(B, 1), layer.options, True, threads,
                                (t0, t1), d)
                before = _parts(dinitial, one) if t0 == 0 else self._new_state(B, 1)
                sums = backward(tapes, dy, after, dx, before, sums, threads, d)
                after = before
            found += sums
        return found

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
