"""Streaming: a session steps a unidirectional module with carried state, and many sessions can step together."""

from contextlib import ExitStack
from typing import NamedTuple

import numpy as np

from lstmc.kernels.forward import forward
from lstmc.kernels.schedule import Schedule
from lstmc.kernels.stream import Stream
from lstmc.nn import checks
from lstmc.nn.fixed import Fixed
from lstmc.nn.module import MAX_UNITS


class Snapshot(NamedTuple):
    """State of a session at one moment."""

    parts: tuple        # h (L, B, R) and, of an LSTM, c (L, B, H)


class Session(Fixed):
    """Carried state of `batch_size` streams of one module; made by `session` of the module.

    The session keeps the weights that the module had when the session was opened. Its outputs are bit for bit those
    of the module on the whole sequence. One Python thread may use a session at a time: while one does, all that others ask of it
    raises RuntimeError. It cannot be copied or pickled: `fork` gives a second session, and what `snapshot` gives can be pickled.

    Parameters
    ----------
    module : LSTM, GRU or RNN
        Not bidirectional: a reverse direction would have to know the future.
    batch_size : int
        B, streams that advance together.

    Raises
    ------
    ValueError
        The module is bidirectional.
    """

    fixed = frozenset(("module", "batch_size"))
    _made_with = "_stream"

    def __init__(self, module, batch_size=1):
        if module.bidirectional:
            raise ValueError("session: expected a unidirectional module, received a bidirectional one, "
                             "whose reverse direction needs the end of the sequence first")
        self.module = module
        self.batch_size = checks.integer(batch_size, "batch_size", 1)
        self._open(module._weights(False))
        self._stream.set_state(None)

    def __reduce_ex__(self, protocol):
        # Its weights are those of the moment it was opened: a copy of the module may have others by now.
        raise TypeError("Session: cannot be copied or pickled; fork() gives a second session, snapshot() a state that can be "
                        "copied and pickled, for restore() in a session of the same module or of a copy of it")

    def _open(self, packed):
        m, B = self.module, self.batch_size
        if B * (m.hidden_size + 16) * m.num_layers > MAX_UNITS:
            raise MemoryError(f"batch_size: {B} streams of {m.hidden_size} units do not fit into any memory")
        self._dtype, self._x_shape, self._y_shape = m.dtype, (B, m.input_size), (B, m.output_size)
        self._packed, self._stream = packed, Stream(packed.weights, m._options_of(), B, checks.apart)

    def step(self, x_t, out=None, *, threads=None):
        """Advance by one step.

        Parameters
        ----------
        x_t : ndarray
            (B, I), any strides.
        out : ndarray, optional
            (B, R) C-contiguous, written and returned; must not overlap x_t. With it, nothing is allocated.
        threads : int, optional
            By default one; more only where the weights are large and the last step was less than a third of a
            millisecond ago, because most steps are too short to wake a sleeping thread.

        Returns
        -------
        ndarray
            (B, R): the top layer's output.
        """
        # The plain case is recognised in a few attribute look-ups; anything else takes the full checks.
        dtype = self._dtype
        if type(x_t) is not np.ndarray or x_t.dtype is not dtype or x_t.shape != self._x_shape or not x_t.flags.aligned:
            x_t = checks.shaped(x_t, "x_t", dtype, self._x_shape, "(B, I)")
        if out is None:
            out = np.empty(self._y_shape, dtype)
        elif type(out) is not np.ndarray or out.dtype is not dtype or out.shape != self._y_shape or not out.flags.carray:
            self._check_out(out)
        self._stream.step(x_t, out, None if threads is None else checks.threads(threads))      # which sees whether they overlap
        return out

    def _check_out(self, out):
        shape = self._y_shape
        checks.writable(out, self._dtype)
        flags = out.flags
        if out.shape != shape or not flags.c_contiguous or not flags.writeable or not flags.aligned:
            raise ValueError(f"out: expected a writable C-contiguous array of shape (B, R) = {checks.shape_text(shape)}, "
                             f"received shape {checks.shape_text(out.shape)}, strides {out.strides}")

    def run(self, x, *, threads=None):
        """Advance by a block of steps.

        Parameters
        ----------
        x : ndarray
            (T, B, I), or (B, T, I) if the module is batch_first; any strides.
        threads : int, optional

        Returns
        -------
        ndarray
            (T, B, R), or (B, T, R) if the module is batch_first.
        """
        m, B = self.module, self.batch_size
        x = checks.array(x, "x", m.dtype)
        axes = "(B, T, I)" if m.batch_first else "(T, B, I)"
        steps_axis = 1 if m.batch_first else 0
        if x.ndim != 3 or x.shape[2] != m.input_size or x.shape[1 - steps_axis] != B:
            raise ValueError(f"x: expected shape {axes} with B = {B}, I = {m.input_size}, received {checks.shape_text(x.shape)}")
        x = x.swapaxes(0, steps_axis)
        y = x
        schedule, threads = Schedule(x.shape[0], B), checks.threads(threads)
        state, options = m._new_state(B), m._options_of()
        with self._stream:
            self._stream.get_state(state)
            for layer, weights in enumerate(self._packed.weights):
                batch_major = m.batch_first and layer == m.num_layers - 1
                below = y
                y = m._output((x.shape[0], B), m.output_size, batch_major)
                part = tuple(s[layer:layer + 1] for s in state)
                forward([weights], schedule, below, y, tuple(s.copy() for s in part), part, options, False, threads)
            self._stream.set_state(state)
        return y.swapaxes(0, steps_axis)

    @property
    def state(self):
        """Copies of the current state: (h (L, B, R), c (L, B, H)) of an LSTM, h of the others. May be set to such a state."""
        return self.module._state_outside(self._state(), True)

    @state.setter
    def state(self, value):
        state = self.module._check_state(value, "state", "{}", self.batch_size, True)
        with self._stream:
            self._stream.set_state(state)

    def _state(self):
        state = self.module._new_state(self.batch_size)
        with self._stream:
            self._stream.get_state(state)
        return state

    def reset(self):
        """Go back to a state of zeros."""
        with self._stream:
            self._stream.set_state(None)

    def snapshot(self):
        """The current state, for `restore`."""
        return Snapshot(self._state())

    def restore(self, snapshot):
        """Return to a state from `snapshot`, of this session or of another of the same shape."""
        if not isinstance(snapshot, Snapshot):
            raise TypeError(f"snapshot: expected what snapshot() returned, received {type(snapshot).__name__}")
        self.state = self.module._state_outside(snapshot.parts, True)

    def fork(self):
        """A second session with the same weights and state, independent from here on."""
        twin = object.__new__(type(self))
        twin.module, twin.batch_size = self.module, self.batch_size
        twin._open(self._packed)
        twin._stream.set_state(self._state())
        return twin


def step_many(sessions, xs, *, threads=None):
    """Advance many independent sessions of one module by one step in one call.

    Parameters
    ----------
    sessions : sequence of Session
        All opened on the same module with the same weights, each at most once; batch sizes may differ.
    xs : sequence of ndarray
        x_t (B, I) of each session.
    threads : int, optional

    Returns
    -------
    list of ndarray
        y_t (B, R) of each session: the bits that its own `step` would have given.
    """
    sessions, xs = list(sessions), list(xs)
    if len(sessions) != len(xs):
        raise ValueError(f"xs: expected one input for each of {len(sessions)} sessions, received {len(xs)}")
    if not sessions:
        return []
    for s in sessions:
        if not isinstance(s, Session):
            raise TypeError(f"sessions: expected Session objects, received {type(s).__name__}")
        if s.module is not sessions[0].module or s._packed.key != sessions[0]._packed.key:
            raise ValueError("sessions: expected sessions of one module opened with the same weights, received others")
    if len({id(s) for s in sessions}) != len(sessions):
        raise ValueError("sessions: expected each session once, received one twice")
    m = sessions[0].module
    x = [checks.shaped(x_t, f"xs[{i}]", m.dtype, (s.batch_size, m.input_size), "(B, I)")
         for i, (s, x_t) in enumerate(zip(sessions, xs, strict=True))]
    threads, states = checks.threads(threads), [m._new_state(s.batch_size) for s in sessions]
    with ExitStack() as stack:
        for s, state in zip(sessions, states, strict=True):
            stack.enter_context(s._stream)
            s._stream.get_state(state)
        state = tuple(np.concatenate(part, axis=1) for part in zip(*states, strict=True))
        B = state[0].shape[1]
        stream = Stream(sessions[0]._packed.weights, m._options_of(), B)
        stream.set_state(state)
        y = np.empty((B, m.output_size), m.dtype)
        stream.step(np.concatenate(x), y, threads)
        stream.get_state(state)
        out, at = [], 0
        for s in sessions:
            part = slice(at, at + s.batch_size)
            s._stream.set_state(tuple(a[:, part] for a in state))
            out.append(y[part])
            at = part.stop
    return out
