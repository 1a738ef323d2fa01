"""nn.LSTM: PyTorch's LSTM on NumPy arrays, forward and backward on the fused kernels."""

import warnings

import numpy as np

from lstmc.kernels import core
from lstmc.kernels.lstm_bwd import lstm_backward
from lstmc.kernels.lstm_fwd import lstm_forward
from lstmc.kernels.weights import Weights
from lstmc.nn import checks
from lstmc.nn.dropout import keep_mask
from lstmc.nn.explain import explain
from lstmc.nn.module import Module
from lstmc.nn.params import Packed, Parameters
from lstmc.nn.session import Session
from lstmc.nn.tape import Gradients, Tape, describe


class LSTM(Module):
    r"""Long short-term memory over sequences, with the conventions of ``torch.nn.LSTM``.

    .. math::
        i_t = \sigma(W_{ii} x_t + b_{ii} + W_{hi} h_{t-1} + b_{hi}), \quad
        f_t = \sigma(\ldots), \quad g_t = \tanh(\ldots), \quad o_t = \sigma(\ldots), \\
        c_t = f_t c_{t-1} + i_t g_t, \qquad h_t = W_{hr}\,(o_t \tanh c_t) \text{ with, or } o_t \tanh c_t \text{ without projection}

    Parameters
    ----------
    input_size, hidden_size : int
        I and H, at least 1.
    num_layers : int
        L. Layer l > 0 reads the concatenated outputs of layer l-1.
    bias : bool
        Whether the layers have `bias_ih` and `bias_hh`.
    batch_first : bool
        x and y are (B, T, ...) instead of (T, B, ...). States are not affected.
    dropout : float
        Probability of zeroing an output of every layer but the last, in `forward(train=True)` only.
    bidirectional : bool
        D = 2: a second set of weights runs from the last valid step to the first; outputs are concatenated.
    proj_size : int
        P > 0 projects h to P < H values; R below is P with, H without projection.
    dtype : {"float32", "float64"}
    seed : int, optional
        Of the initial weights, U(-1/sqrt(H), 1/sqrt(H)), and of dropout. Chosen at random if None.

    Attributes
    ----------
    seed : int
    step : int
        Number of `forward(train=True)` calls so far; with `seed` it determines the dropout masks. May be set.

    Notes
    -----
    For one dtype, the result for a sequence is bit for bit the same whatever batch it is in, for any number of
    threads, whole, in blocks or step by step, and on AVX2, AVX-512 and NEON. Gradients are the same for any number
    of threads and on those instruction sets. The baseline without fused multiply-add has bits of its own.

    `copy.deepcopy` and `pickle` give an independent module, with `seed` and `step` as they are; `copy.copy` gives one that
    shares the parameters with this one.

    Source: torch.nn.LSTM of PyTorch 2.13; Hochreiter and Schmidhuber 1997, Sak et al. 2014 (projection).
    """

    def __init__(self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
                 bidirectional=False, proj_size=0, *, dtype="float32", seed=None):
        self.input_size = checks.integer(input_size, "input_size", 1)
        self.hidden_size = checks.integer(hidden_size, "hidden_size", 1)
        self.num_layers = checks.integer(num_layers, "num_layers", 1)
        self.bias = checks.flag(bias, "bias")
        self.batch_first = checks.flag(batch_first, "batch_first")
        self.dropout = checks.probability(dropout, "dropout")
        self.bidirectional = checks.flag(bidirectional, "bidirectional")
        self.proj_size = checks.integer(proj_size, "proj_size", 0)
        if self.proj_size >= self.hidden_size:
            raise ValueError(f"proj_size: expected less than hidden_size = {self.hidden_size}, received {self.proj_size}")
        if self.dropout and self.num_layers == 1:
            warnings.warn(f"dropout={self.dropout} has no effect with num_layers=1: it acts between layers", stacklevel=2)
        self.dtype = checks.float_dtype(dtype)
        self.seed = int(np.random.SeedSequence().entropy % 2**63) if seed is None else checks.integer(seed, "seed", 0, 2**64 - 1)
        self.step = 0
        self._params = Parameters(dict(self._shapes()), self.dtype)
        self._params.uniform(1 / np.sqrt(self.hidden_size), self.seed)
        self._packed = None

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
        H, R = self.hidden_size, self.output_size
        for s in self._suffixes():
            I = self.input_size if s.startswith("l0") else R * self.num_directions
            yield f"weight_ih_{s}", (4 * H, I)
            yield f"weight_hh_{s}", (4 * H, R)
            if self.bias:
                yield f"bias_ih_{s}", (4 * H,)
                yield f"bias_hh_{s}", (4 * H,)
            if self.proj_size:
                yield f"weight_hr_{s}", (R, H)

    def _weights(self, train):
        """Packed weights of every layer and direction, packed again only when a value has changed."""
        key = (self._params.fingerprint(), core.isa())
        packed = self._packed
        if packed is None or packed.key != key or (train and not packed.train):
            a = self._params.arrays
            packed = Packed(key, train, [
                Weights(a[f"weight_ih_{s}"], a[f"weight_hh_{s}"], a.get(f"bias_ih_{s}"), a.get(f"bias_hh_{s}"),
                        a.get(f"weight_hr_{s}"), train)
                for s in self._suffixes()
            ])
            self._packed = packed
        return packed

    # Calls -------------------------------------------------------------------------------------------------

    def __call__(self, x, hx=None, lengths=None, *, threads=None, out=None):
        """Run sequences through the module (inference: no dropout).

        Parameters
        ----------
        x : ndarray
            (T, B, I), (B, T, I) with batch_first, or (T, I) unbatched; of the module's dtype, any strides.
        hx : tuple of ndarray, optional
            (h_0 (L*D, B, R), c_0 (L*D, B, H)), without B if unbatched; zeros if None.
        lengths : array_like of int, optional
            (B,) valid steps of each sequence, 0 to T, in any order; all T if None.
        threads : int, optional
            For this call; by default the process setting, fewer for small work.
        out : ndarray, optional
            Written and returned as y: of y's shape and the module's dtype, features one after the other, other strides any;
            must not overlap x or hx.

        Returns
        -------
        y : ndarray
            (T, B, D*R), (B, T, D*R) with batch_first, or (T, D*R); 0 past a sequence's length.
        state : tuple of ndarray
            (h_n, c_n), shaped like hx: after the last valid step; of the reverse direction, after the first.

        Raises
        ------
        ValueError, TypeError
            An argument has a wrong shape, value or dtype.
        """
        y, state, _ = self._run(x, hx, lengths, False, threads, out)
        return y, state

    def forward(self, x, hx=None, lengths=None, train=True, *, threads=None):
        """Like a call, and with train=True keep what `backward` needs and apply dropout.

        Returns
        -------
        y, state
            As from a call.
        tape : Tape or None
            None with train=False. x must not be changed while the tape is in use.
        """
        return self._run(x, hx, lengths, checks.flag(train, "train"), threads)

    def _run(self, x, hx, lengths, train, threads, out=None):
        call = self._check(x, hx, lengths)
        threads = checks.threads(threads)
        R, D, H, L, dtype = self.output_size, self.num_directions, self.hidden_size, self.num_layers, self.dtype
        result = None if out is None else self._check_out(out, call, D * R, x, hx, lengths)
        weights = self._weights(train).weights
        T, B, _ = call.x.shape
        h_n, c_n = np.empty((L * D, B, R), dtype), np.empty((L * D, B, H), dtype)
        tape = Tape(self, call, None) if train else None
        below = call.x
        for layer in range(L):
            last = layer == L - 1
            mask = None
            if train and self.dropout and layer:
                mask = keep_mask(self.dropout, below.shape, self.dtype, self.seed, self.step, layer, threads=threads)
                below *= mask
            y = result if last else None
            if y is None:
                y = self._output(T, B, D * R, call.schedule.ragged, last and self.batch_first and call.batched)
            part = slice(layer * D, (layer + 1) * D)
            tapes = lstm_forward(
                weights[part], call.schedule, below, y, None if call.h0 is None else call.h0[part],
                None if call.c0 is None else call.c0[part], h_n[part], c_n[part], train, threads)
            if train:
                tape.layers.append(tapes)
                tape.masks.append(mask)
            below = y
        if train:
            self.step += 1
            tape.y_shape = below.shape
        return self._outside(below, call.batched) if out is None else out, self._state_outside(h_n, c_n, call.batched), tape

    def backward(self, tape, dy=None, dstate=None, *, need_dx=True, threads=None):
        """Gradients of a scalar whose gradients with respect to y and the final state are given.

        Parameters
        ----------
        tape : Tape
            From `forward` of this module; used up.
        dy : ndarray, optional
            Shaped like y; values past a sequence's length are not read. None: zeros.
        dstate : tuple of ndarray, optional
            (dh_n, dc_n) shaped like the state; either may be None.
        need_dx : bool
            Whether to compute the gradient of x.
        threads : int, optional

        Returns
        -------
        Gradients
            x, hx = (dh_0, dc_0), params.

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
        if tape.used:
            raise ValueError("tape: expected a tape that has not been used, received one that has served its backward")
        call, (T, B, width) = tape.call, tape.y_shape
        dh_n, dc_n = self._check_state(dstate, "dstate", ("dh_n", "dc_n"), B, call.batched, optional=True)
        if dy is not None:
            shape, axes = self._shape_outside(*tape.y_shape, "D*R", call.batched)
            dy = self._inside(checks.shaped(dy, "dy", self.dtype, shape, axes), call.batched)
        threads = checks.threads(threads)
        tape.used = True
        R, D, H, L = self.output_size, self.num_directions, self.hidden_size, self.num_layers
        dh0, dc0 = np.empty((L * D, B, R), self.dtype), np.empty((L * D, B, H), self.dtype)
        grads = self._params.like()
        suffixes = self._suffixes()
        for layer in reversed(range(L)):
            below = None
            if layer or need_dx:
                batch_major = not layer and self.batch_first and call.batched
                below = self._output(T, B, self.input_size if not layer else width, call.schedule.ragged, batch_major)
            part = slice(layer * D, (layer + 1) * D)
            names = [[f"{kind}_{s}" for kind in ("weight_ih", "weight_hh", "bias_ih", "weight_hr")] for s in suffixes[part]]
            lstm_backward(
                tape.layers[layer], dy, None if dh_n is None else dh_n[part], None if dc_n is None else dc_n[part],
                below, dh0[part], dc0[part], [[grads.get(name) for name in d] for d in names], threads)
            if self.bias:
                for s in suffixes[part]:
                    grads[f"bias_hh_{s}"][...] = grads[f"bias_ih_{s}"]
            if tape.masks[layer] is not None:
                below *= tape.masks[layer]
            dy = below
        tape.layers.clear()
        dx = None if below is None else self._outside(below, call.batched)
        return Gradients(dx, self._state_outside(dh0, dc0, call.batched), grads)

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
        shown = {"num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0, "bidirectional": False, "proj_size": 0}
        extra = "".join(f", {k}={getattr(self, k)}" for k, default in shown.items() if getattr(self, k) != default)
        dtype = "" if self.dtype == np.float32 else f", dtype={str(self.dtype)!r}"
        return f"LSTM({self.input_size}, {self.hidden_size}{extra}{dtype})"
