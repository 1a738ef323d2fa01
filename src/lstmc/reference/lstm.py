"""The LSTM and all of its variants.

Gate rows in the order i, f, g, o; `h'` and `c'` are the state before the step, `.` the elementwise product; s, t
and v are the activations, in this order (sigmoid, tanh and tanh by default)::

    i = s(W_i x + b_i + U_i h' + p_i . c')
    f = s(W_f x + b_f + U_f h' + p_f . c')
    g = t(W_g x + b_g + U_g h' + p_g . c')
    c = f . c' + i . g
    o = s(W_o x + b_o + U_o h' + p_o . c)
    m = o . v(c)
    h = W_hr m   with a projection,   h = m   without one

b is the sum of the two biases, so both have the gradient of the sum. The options change this as follows; all of
them go together, except that `coupled` leaves no gate i or f to switch off.

peephole    False: no p. True: p (3,H), rows i, f, o, and no p_g. "all": p (4,H), rows i, f, g, o.
coupled     f = 1 - i. The f rows of the weights are still there, unused.
clip        What goes into s and t, peepholes included, is first clipped to [-clip, clip].
gates_off   Some of i, f, o are the constant 1. Their rows of the weights are still there, unused.
layer_norm  W x and U h' (with recurrent masks the four U_k (m_k . h')) are each normalised over all their 4H
            values, before the bias and the peepholes are added.
            "haste" (gamma alone there, eps 1e-5):  m = o . v(LN(c)), and c itself is the next state.
            "tfa" (gamma and beta, eps 1e-3):  m = o . v(LN(c)), and LN(c) is the next state.
            In both p_o sees the c that is not normalised, and LN(c) has gamma and beta.
zoneout     (zh, zc), Krueger et al. 2017:  the next states are zh . h' + (1 - zh) . h and zc . c' + (1 - zc) . c;
            within the step o and m see the new c, as above.

Masks of dropout and zoneout: see `dropout`. An unused row has the gradient 0, but for what it does to the means of
layer_norm.
"""

from functools import partial
from typing import NamedTuple

import numpy as np

from .activations import Activation, activations, clipped, passes
from .arguments import choice, clip_of, probability
from .dropout import recurrent_bwd, recurrent_fwd, scaled, unzoned, zone, zoned
from .norms import SavedNorm, norm_bwd, norm_fwd
from .sequence import Cell, backward, forward

PEEPHOLE_ROWS = {False: "", True: "ifo", "all": "ifgo"}
EPS = {None: 0.0, "haste": 1e-5, "tfa": 1e-3}


class Options(NamedTuple):
    """The settings of an LSTM, checked; clip is inf for none."""

    peephole: bool | str
    coupled: bool
    clip: float
    s: Activation
    t: Activation
    v: Activation
    gates_off: frozenset
    layer_norm: str | None
    zoneout_h: float
    zoneout_c: float


class Saved(NamedTuple):
    """What the backward of one step reads: x (B,I) after its mask, h' (B,R), c' (B,H), pre and gates (B,4,H), the
    new c (B,H) before normalisation and zoneout, v(c) or v(LN(c)) (B,H), the norms of W x, U h' and c, and masks."""

    x: np.ndarray
    h_prev: np.ndarray
    c_prev: np.ndarray
    pre: np.ndarray
    gates: np.ndarray
    c: np.ndarray
    v_c: np.ndarray
    norm_x: SavedNorm | None
    norm_h: SavedNorm | None
    norm_c: SavedNorm | None
    masks: NamedTuple


def lstm_step_fwd(options, x, state, w, masks):
    """One step of B sequences: x (B,I), state (h (B,R), c (B,H)) -> new state, Saved."""
    eps, clip = EPS[options.layer_norm], options.clip
    h_prev, c_prev = state
    x = scaled(x, masks.input)
    a_x, norm_x = norm_fwd(x @ w["weight_ih"].T, w.get("norm_ih"), eps)
    a_h, norm_h = norm_fwd(recurrent_fwd(h_prev, w["weight_hh"], masks.recurrent), w.get("norm_hh"), eps)
    a = a_x + a_h
    if "bias_ih" in w:
        a = a + (w["bias_ih"] + w["bias_hh"])
    a = dict(zip("ifgo", np.split(a, 4, axis=1), strict=True))
    p = _peepholes(options, w)
    for k in p.keys() - {"o"}:
        a[k] = a[k] + p[k] * c_prev

    def gate(k):
        return np.ones_like(a[k]) if k in options.gates_off else options.s.of(clipped(a[k], clip))

    i = gate("i")
    f = 1.0 - i if options.coupled else gate("f")
    g = options.t.of(clipped(a["g"], clip))
    c = f * c_prev + i * g
    if "o" in p:
        a["o"] = a["o"] + p["o"] * c
    o = gate("o")
    normed_c, norm_c = norm_fwd(c, w.get("norm_c"), eps)
    v_c = options.v.of(normed_c)
    m = o * v_c
    h = m @ w["weight_hr"].T if "weight_hr" in w else m
    state = (zoned(zone(masks.zoneout_h, options.zoneout_h), h_prev, h),
             zoned(zone(masks.zoneout_c, options.zoneout_c), c_prev, normed_c if options.layer_norm == "tfa" else c))
    pre, gates = np.stack([a[k] for k in "ifgo"], 1), np.stack([i, f, g, o], 1)
    return state, Saved(x, h_prev, c_prev, pre, gates, c, v_c, norm_x, norm_h, norm_c, masks)


def lstm_step_bwd(options, dstate, saved, w):
    """The transpose of `lstm_step_fwd`: dx, (dh', dc'), gradients of the weights."""
    dh, dc = dstate
    x, h_prev, c_prev, pre, gates, c, v_c, norm_x, norm_h, norm_c, masks = saved
    i, f, g, o = gates.swapaxes(0, 1)
    through = dict(zip("ifgo", passes(pre, options.clip).swapaxes(0, 1), strict=True))
    p = _peepholes(options, w)
    dw = {}

    def gate(k, dvalue, value):
        return np.zeros_like(value) if k in options.gates_off else dvalue * options.s.slope(value) * through[k]

    dh_kept, dh = unzoned(zone(masks.zoneout_h, options.zoneout_h), dh)
    dc_kept, dc = unzoned(zone(masks.zoneout_c, options.zoneout_c), dc)
    dm = dh
    if "weight_hr" in w:
        dm, dw["weight_hr"] = dh @ w["weight_hr"], dh.T @ (o * v_c)
    dnormed_c = dm * o * options.v.slope(v_c)
    if options.layer_norm == "tfa":
        dc, dw["norm_c"] = norm_bwd(dnormed_c + dc, norm_c, w["norm_c"])
    else:
        dc_out, dw["norm_c"] = norm_bwd(dnormed_c, norm_c, w.get("norm_c"))
        dc = dc + dc_out
    da = {"o": gate("o", dm * v_c, o)}
    if "o" in p:
        dc = dc + da["o"] * p["o"]
    if options.coupled:
        da |= {"i": gate("i", dc * (g - c_prev), i), "f": np.zeros_like(f)}
    else:
        da |= {"i": gate("i", dc * g, i), "f": gate("f", dc * c_prev, f)}
    da["g"] = dc * i * options.t.slope(g) * through["g"]
    dc_prev = dc * f + dc_kept
    for k in p.keys() - {"o"}:
        dc_prev = dc_prev + da[k] * p[k]
    if p:
        dw["peephole"] = np.stack([(da[k] * (c if k == "o" else c_prev)).sum(0) for k in p])

    da = np.concatenate([da[k] for k in "ifgo"], axis=1)
    dw |= {"bias_ih": da.sum(0), "bias_hh": da.sum(0)}
    da_x, dw["norm_ih"] = norm_bwd(da, norm_x, w.get("norm_ih"))
    da_h, dw["norm_hh"] = norm_bwd(da, norm_h, w.get("norm_hh"))
    dw["weight_ih"] = da_x.T @ x
    dh_prev, dw["weight_hh"] = recurrent_bwd(da_h, h_prev, w["weight_hh"], masks.recurrent)
    return scaled(da_x @ w["weight_ih"], masks.input), (dh_prev + dh_kept, dc_prev), dw


def _peepholes(options, w):
    """The rows of p by the gate that reads them."""
    rows = PEEPHOLE_ROWS[options.peephole]
    return dict(zip(rows, w["peephole"], strict=True)) if rows else {}


def lstm_shapes(H, P, peephole, layer_norm, I):
    """The parameters of one layer and direction that reads I features."""
    shapes = {"weight_ih": (4 * H, I), "weight_hh": (4 * H, P or H), "bias_ih": (4 * H,), "bias_hh": (4 * H,)}
    if P:
        shapes["weight_hr"] = (P, H)
    if peephole:
        shapes["peephole"] = (len(PEEPHOLE_ROWS[peephole]), H)
    if layer_norm:
        rows = (4 * H,) if layer_norm == "haste" else (2, 4 * H)
        shapes |= {"norm_ih": rows, "norm_hh": rows, "norm_c": (2, H)}
    return shapes


def lstm_fwd(x, params, hx=None, *, hidden_size, num_layers=1, bidirectional=False, proj_size=0, peephole=False,
             coupled=False, clip=None, activations=("sigmoid", "tanh", "tanh"), gates_off=(), layer_norm=None,
             zoneout=(0.0, 0.0), lengths=None, mask=None, masks=None, taps=False):
    """All layers and directions.

    Parameters
    ----------
    x : (T,B,I) array
    params : dict of arrays with PyTorch's names and shapes
        For layer 0: ``weight_ih_l0`` (4H,I), ``weight_hh_l0`` (4H,R), optionally both of ``bias_ih_l0`` and
        ``bias_hh_l0`` (4H,), and with a projection ``weight_hr_l0`` (P,H). With peepholes ``peephole_l0`` (3,H) or
        (4,H). With layer_norm ``norm_ih_l0`` and ``norm_hh_l0``, (4H,) for "haste", (2,4H) for "tfa", and
        ``norm_c_l0`` (2,H); of two rows the first is gamma. Layer k > 0 reads D*R features. The backward
        direction adds ``_reverse``.
    hx : (h_0 (L*D,B,R), c_0 (L*D,B,H)), optional
        Zeros if absent. Entry ``layer * D + direction``.
    peephole, coupled, clip, activations, gates_off, layer_norm, zoneout
        As stated at the head of this file; a single number for zoneout is zh = zc.
    lengths : (B,) integers in 0..T, in any order, optional
    mask : (T,B) booleans, optional
        The steps to take; excludes `lengths`.
    masks : dict of arrays, optional
        ``input_l0`` (B,I), ``recurrent_l0`` (4,B,R), ``zoneout_h_l0`` (T,B,R), ``zoneout_c_l0`` (T,B,H); see
        `dropout`. Names as in `params`.
    taps : bool
        Whether ``tape.taps`` lists the Taps of each layer and direction.

    Returns
    -------
    y : (T,B,D*R) array
        The last layer's output, forward features first; 0 at steps that were not taken.
    (h_n, c_n) : shaped like `hx`
        The state after the last step taken: after the last valid step forwards, after the first one backwards.
    tape : Tape
        For `lstm_bwd`, which may use it any number of times; shares no memory with the arguments.
    """
    H, P = hidden_size, proj_size
    options = _options(peephole, coupled, clip, activations, gates_off, layer_norm, zoneout)
    cell = Cell((P or H, H), 4, partial(lstm_shapes, H, P, peephole, layer_norm),
                ("input", "recurrent", "zoneout_h", "zoneout_c"),
                partial(lstm_step_fwd, options), partial(lstm_step_bwd, options))
    return forward(cell, x, params, hx, num_layers=num_layers, bidirectional=bidirectional, lengths=lengths,
                   mask=mask, masks=masks, taps=taps)


def lstm_bwd(tape, dy=None, dstate=None):
    """The transpose of `lstm_fwd`: dy (T,B,D*R) and dstate = (dh_n, dc_n), zeros if absent -> Grads."""
    return backward(tape, dy, dstate)


def _options(peephole, coupled, clip, settings, gates_off, layer_norm, zoneout):
    gates_off = frozenset(gates_off)
    if not gates_off <= set("ifo"):
        raise ValueError(f"gates_off must be a subset of i, f, o, got {sorted(gates_off)}")
    if coupled and gates_off & set("if"):
        raise ValueError("coupled=True makes f of i: gates_off cannot have i or f")
    zh, zc = zoneout if isinstance(zoneout, (tuple, list)) else (zoneout, zoneout)
    return Options(choice("peephole", peephole, (False, True, "all")), choice("coupled", coupled, (False, True)),
                   clip_of(clip), *activations(settings, 3), gates_off,
                   choice("layer_norm", layer_norm, (None, "haste", "tfa")),
                   probability("zoneout[0]", zh), probability("zoneout[1]", zc))
