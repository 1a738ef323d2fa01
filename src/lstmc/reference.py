"""The law: every recurrent cell of the package in float64 NumPy, forward and backward.

Kernels are right when they agree with this file, and this file is right because `tests/test_reference.py`
proves it by central differences and by numbers from PyTorch. It is written to be read, is never fast,
and imports NumPy alone.

Letters: T time, B batch, I input features, H hidden units, P projection, L layers, D directions, and
R = P with a projection, H without one: the width of `h`. A gradient is `d` + name. Sequences are (T,B,.).

LSTM, gate rows in the order i, f, g, o; `h'` and `c'` are the state before the step, `p` the optional
diagonal peepholes, `.` the elementwise product::

    a_i = W_i x + b_i + U_i h' + p_i . c'      i = sigmoid(a_i)
    a_f = W_f x + b_f + U_f h' + p_f . c'      f = sigmoid(a_f)
    a_g = W_g x + b_g + U_g h'                 g = tanh(a_g)
    c   = f . c' + i . g
    a_o = W_o x + b_o + U_o h' + p_o . c       o = sigmoid(a_o)
    m   = o . tanh(c)
    h   = W_hr m   with a projection,   h = m   without one

Ragged batches: sequence b is live at step t when t < lengths[b]. Every step *selects* the live rows and
computes only those, so that a NaN in padding or in another sequence has no way in; a multiplication by
a 0/1 mask would let it through. A row that is not live keeps its state, which makes both directions one
loop: forwards, the state stops changing after the last valid step; backwards, it first changes there.
"""

from typing import NamedTuple

import numpy as np


class Weights(NamedTuple):
    """One layer in one direction: w_ih (4H,I), w_hh (4H,R), b (4H,), w_hr (P,H), peephole (3,H).

    `b` is the sum of the two biases. The rows of `peephole` are p_i, p_f, p_o. Absent parts are None.
    """

    w_ih: np.ndarray
    w_hh: np.ndarray
    b: np.ndarray | None = None
    w_hr: np.ndarray | None = None
    peephole: np.ndarray | None = None


class Saved(NamedTuple):
    """What the backward of one step reads: x (B,I), h' (B,R), and c', i, f, g, o, c (B,H) each."""

    x: np.ndarray
    h_prev: np.ndarray
    c_prev: np.ndarray
    i: np.ndarray
    f: np.ndarray
    g: np.ndarray
    o: np.ndarray
    c: np.ndarray


class Tape(NamedTuple):
    """What `lstm_fwd` leaves for `lstm_bwd`; the lists but `names` have one entry per (layer, direction)."""

    names: list
    suffixes: list
    weights: list
    steps: list
    shape: tuple
    directions: int


class Grads(NamedTuple):
    """dx (T,B,I), dhx = (dh_0 (L*D,B,R), dc_0 (L*D,B,H)), dparams keyed like params and peepholes."""

    dx: np.ndarray
    dhx: tuple
    dparams: dict


def sigmoid(a):
    """1 / (1 + exp(-a)), with the exponential only ever taken of a number <= 0 so that it cannot overflow."""
    e = np.exp(-np.abs(a))
    return np.where(a >= 0, 1.0, e) / (1.0 + e)


def lstm_step_fwd(x, h, c, w_ih, w_hh, b=None, w_hr=None, peephole=None):
    """One step of B sequences: x (B,I), h (B,R), c (B,H) -> new h (B,R), new c (B,H), Saved."""
    h_prev, c_prev = h, c
    a = x @ w_ih.T + h_prev @ w_hh.T
    if b is not None:
        a = a + b
    a_i, a_f, a_g, a_o = np.split(a, 4, axis=1)
    if peephole is not None:
        a_i = a_i + peephole[0] * c_prev
        a_f = a_f + peephole[1] * c_prev
    i, f, g = sigmoid(a_i), sigmoid(a_f), np.tanh(a_g)
    c = f * c_prev + i * g
    if peephole is not None:
        a_o = a_o + peephole[2] * c
    o = sigmoid(a_o)
    m = o * np.tanh(c)
    h = m if w_hr is None else m @ w_hr.T
    return h, c, Saved(x, h_prev, c_prev, i, f, g, o, c)


def lstm_step_bwd(dh, dc, saved, w_ih, w_hh, w_hr=None, peephole=None):
    """The transpose of `lstm_step_fwd`.

    dh (B,R) and dc (B,H) are the gradients of the state after the step. Returns dx (B,I), dh' (B,R),
    dc' (B,H) and the gradients of the weights, summed over B, as Weights.
    """
    x, h_prev, c_prev, i, f, g, o, c = saved
    tanh_c = np.tanh(c)
    dm = dh if w_hr is None else dh @ w_hr
    da_o = dm * tanh_c * o * (1.0 - o)
    dc = dc + dm * o * (1.0 - tanh_c**2)
    if peephole is not None:
        dc = dc + da_o * peephole[2]
    da_i = dc * g * i * (1.0 - i)
    da_f = dc * c_prev * f * (1.0 - f)
    da_g = dc * i * (1.0 - g**2)
    dc_prev = dc * f
    dpeephole = None
    if peephole is not None:
        dc_prev = dc_prev + da_i * peephole[0] + da_f * peephole[1]
        dpeephole = np.stack([(da_i * c_prev).sum(0), (da_f * c_prev).sum(0), (da_o * c).sum(0)])
    da = np.concatenate([da_i, da_f, da_g, da_o], axis=1)
    dw_hr = None if w_hr is None else dh.T @ (o * tanh_c)
    dweights = Weights(da.T @ x, da.T @ h_prev, da.sum(0), dw_hr, dpeephole)
    return da @ w_ih, da @ w_hh, dc_prev, dweights


def lstm_sequence_fwd(x, h_0, c_0, weights, lengths, reverse=False):
    """One layer in one direction: x (T,B,I), h_0 (B,R), c_0 (B,H) -> y (T,B,R), h_n, c_n, steps.

    `steps` lists (t, live rows, Saved) in the order in which the steps were taken.
    """
    T, B, _ = x.shape
    h, c = h_0.copy(), c_0.copy()
    y = np.zeros((T, B, h.shape[1]))
    steps = []
    for t in reversed(range(T)) if reverse else range(T):
        rows = np.flatnonzero(t < lengths)
        h[rows], c[rows], saved = lstm_step_fwd(x[t, rows], h[rows], c[rows], *weights)
        y[t, rows] = h[rows]
        steps.append((t, rows, saved))
    return y, h, c, steps


def lstm_sequence_bwd(dy, dh_n, dc_n, weights, steps):
    """The transpose of `lstm_sequence_fwd`: dx (T,B,I), dh_0 (B,R), dc_0 (B,H), dweights.

    The direction is not asked for: walking `steps` from its end undoes either one.
    """
    w_ih, w_hh, _, w_hr, peephole = weights
    dh, dc = dh_n.copy(), dc_n.copy()
    dx = np.zeros(dy.shape[:2] + w_ih.shape[1:])
    zeros = [None if w is None else np.zeros_like(w) for w in weights]
    dweights = Weights(*zeros)._replace(b=np.zeros(len(w_ih)))
    for t, rows, saved in reversed(steps):
        dx[t, rows], dh[rows], dc[rows], dstep = lstm_step_bwd(
            dh[rows] + dy[t, rows], dc[rows], saved, w_ih, w_hh, w_hr, peephole
        )
        for total, part in zip(dweights, dstep, strict=True):
            if total is not None:
                total += part
    return dx, dh, dc, dweights


def lstm_fwd(x, params, hx=None, *, hidden_size, num_layers=1, bidirectional=False, proj_size=0,
             lengths=None, peepholes=None):
    """All layers and directions.

    Parameters
    ----------
    x : (T,B,I) array
    params : dict of arrays with PyTorch's names and shapes
        For layer 0: ``weight_ih_l0`` (4H,I), ``weight_hh_l0`` (4H,R), optionally both of ``bias_ih_l0`` and
        ``bias_hh_l0`` (4H,), and with a projection ``weight_hr_l0`` (P,H). Layer k > 0 reads D*R features.
        The backward direction adds ``_reverse``.
    hx : (h_0 (L*D,B,R), c_0 (L*D,B,H)), optional
        Zeros if absent. Entry ``layer * D + direction``.
    lengths : (B,) integers in 0..T, in any order, optional
    peepholes : dict, optional
        ``peephole_l0`` (3,H), rows i, f, o, for every layer and direction; names as in `params`.

    Returns
    -------
    y : (T,B,D*R) array
        The last layer's output, forward features first; 0 from a sequence's length on.
    (h_n, c_n) : shaped like `hx`
        The state after the last step taken: after step lengths[b]-1 forwards, after step 0 backwards.
    tape : Tape
        For `lstm_bwd`, which may use it any number of times; shares no memory with the arguments.
    """
    H, R, D = hidden_size, proj_size or hidden_size, 2 if bidirectional else 1
    x = _float64("x", x)
    if x.ndim != 3:
        raise ValueError(f"x must have shape (T, B, I), got {x.shape}")
    T, B, I = x.shape
    suffixes = [f"l{k}{r}" for k in range(num_layers) for r in ("", "_reverse")[:D]]
    given = {name: _float64(name, w) for name, w in {**params, **(peepholes or {})}.items()}
    weights = [_weights(given, s, D * R if n >= D else I, H, proj_size, peepholes is not None)
               for n, s in enumerate(suffixes)]
    known = {f"{part}_{s}" for s in suffixes for part in _PARTS}
    if unknown := sorted(set(given) - known):
        raise ValueError(f"params has entries that this LSTM does not have: {unknown}")
    lengths = _lengths(lengths, T, B)
    h, c = _state("hx", hx, len(suffixes), B, R, H)

    tape = Tape(list(given), suffixes, weights, [], x.shape, D)
    y = x
    for first in range(0, len(suffixes), D):
        outputs = []
        for n in range(first, first + D):
            y_d, h[n], c[n], steps = lstm_sequence_fwd(y, h[n], c[n], weights[n], lengths, reverse=n > first)
            outputs.append(y_d)
            tape.steps.append(steps)
        y = np.concatenate(outputs, axis=2)
    return y, (h, c), tape


def lstm_bwd(tape, dy=None, dstate=None):
    """The transpose of `lstm_fwd`: dy (T,B,D*R) and dstate = (dh_n, dc_n), zeros if absent -> Grads.

    What `dy` holds beyond a sequence's length is not read, and `dx` is 0 there.
    """
    T, B, _ = tape.shape
    D, (H4, R) = tape.directions, tape.weights[0].w_hh.shape
    dh, dc = _state("dstate", dstate, len(tape.suffixes), B, R, H4 // 4)
    dy = np.zeros((T, B, D * R)) if dy is None else _float64("dy", dy, (T, B, D * R))
    dparams = {}
    for first in reversed(range(0, len(tape.suffixes), D)):
        dx = np.zeros((T, B, tape.weights[first].w_ih.shape[1]))
        for n in range(first, first + D):
            dy_d = dy[:, :, (n - first) * R : (n - first + 1) * R]
            dx_d, dh[n], dc[n], dw = lstm_sequence_bwd(dy_d, dh[n], dc[n], tape.weights[n], tape.steps[n])
            dx += dx_d
            # The cell sees the sum of the two biases, so both have the gradient of the sum.
            named = zip(_PARTS, (dw.w_ih, dw.w_hh, dw.b, dw.b.copy(), dw.w_hr, dw.peephole), strict=True)
            dparams.update({f"{part}_{tape.suffixes[n]}": g for part, g in named})
        dy = dx
    return Grads(dy, (dh, dc), {name: dparams[name] for name in tape.names})


_PARTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr", "peephole")


def _weights(given, suffix, I, H, P, peephole):
    """One layer and direction of `given`; shapes are checked, since NumPy would broadcast some wrong ones."""
    bias = f"bias_ih_{suffix}" in given or f"bias_hh_{suffix}" in given
    shapes = ((4 * H, I), (4 * H, P or H), (4 * H,), (4 * H,), (P, H), (3, H))
    wanted = (True, True, bias, bias, P > 0, peephole)
    parts = []
    for part, shape, want in zip(_PARTS, shapes, wanted, strict=True):
        name = f"{part}_{suffix}"
        if want and name not in given:
            raise ValueError(f"params lacks {name} {shape}")
        if not want and name in given:
            raise ValueError(f"params has {name}, which this LSTM does not have")
        parts.append(_float64(name, given[name], shape) if want else None)
    w_ih, w_hh, b_ih, b_hh, w_hr, p = parts
    return Weights(w_ih, w_hh, b_ih + b_hh if bias else None, w_hr, p)


def _state(name, pair, LD, B, R, H):
    """Own copies of a pair ((L*D,B,R), (L*D,B,H)), zeros for None."""
    if pair is None:
        return np.zeros((LD, B, R)), np.zeros((LD, B, H))
    h, c = pair
    return _float64(f"{name}[0]", h, (LD, B, R)), _float64(f"{name}[1]", c, (LD, B, H))


def _lengths(lengths, T, B):
    if lengths is None:
        return np.full(B, T)
    lengths = np.array(lengths)
    if lengths.dtype.kind not in "iu":
        raise TypeError(f"lengths must be integers, got dtype {lengths.dtype}")
    if lengths.shape != (B,) or np.any(lengths < 0) or np.any(lengths > T):
        raise ValueError(f"lengths must have shape ({B},) and lie in 0..{T}, got {lengths.tolist()}")
    return lengths


def _float64(name, array, shape=None):
    """A float64 copy: exact or a TypeError, so that a complex or object array cannot slip through."""
    try:
        array = np.asarray(array).astype(np.float64, casting="safe")
    except TypeError as error:
        raise TypeError(f"{name} must be a real array that float64 holds exactly: {error}") from None
    if shape is not None and array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {array.shape}")
    return array
