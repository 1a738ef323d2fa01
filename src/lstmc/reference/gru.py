"""The GRU, in both of its forms.

Gate rows in the order r, z, n; `h'` is the state before the step, `.` the elementwise product, s and t the
activations (sigmoid and tanh by default); both biases are kept, since b_hn stands inside the reset::

    r = s(W_r x + b_ir + U_r h' + b_hr)
    z = s(W_z x + b_iz + U_z h' + b_hz)
    n = t(W_n x + b_in + r . (U_n h' + b_hn))        reset_after=True
    n = t(W_n x + b_in + U_n (r . h') + b_hn)        reset_after=False
    h = (1 - z) . n + z . h'

With a clip, what goes into s and t is first clipped to [-clip, clip]: for n, after everything is summed. With
zoneout, h = zh . h' + (1 - zh) . (the h above). Masks: see `dropout`; z . h' reads the h' that is not
dropped, and with reset_after=False the recurrent mask of n multiplies r . h'.
"""

from functools import partial
from typing import NamedTuple

import numpy as np

from .activations import Activation, activations, clipped, passes
from .arguments import choice, clip_of, probability
from .dropout import recurrent_bwd, recurrent_fwd, scaled, unzoned, zone, zoned
from .sequence import Cell, backward, forward


class Options(NamedTuple):
    """The settings of a GRU, checked; clip is inf for none."""

    reset_after: bool
    clip: float
    s: Activation
    t: Activation
    zoneout: float


class Saved(NamedTuple):
    """What the backward of one step reads: x (B,I) after its mask, h' (B,H), pre and gates (B,3,H), masks, and
    q_n (B,H), what the reset multiplies (reset_after)."""

    x: np.ndarray
    h_prev: np.ndarray
    pre: np.ndarray
    gates: np.ndarray
    q_n: np.ndarray
    masks: NamedTuple


def gru_step_fwd(options, x, state, w, masks):
    """One step of B sequences: x (B,I), state (h (B,H),) -> new state, Saved."""
    clip, s, t = options.clip, options.s, options.t
    (h_prev,) = state
    x = scaled(x, masks.input)
    u_rz, u_n, mask_rz, mask_n = _parts(w, masks)
    p = x @ w["weight_ih"].T
    b_hn = 0.0
    if "bias_ih" in w:
        p = p + w["bias_ih"]
        b_hr, b_hz, b_hn = np.split(w["bias_hh"], 3)
    p_r, p_z, p_n = np.split(p, 3, axis=1)
    a_r, a_z = np.split(recurrent_fwd(h_prev, u_rz, mask_rz), 2, axis=1)
    a_r, a_z = p_r + a_r, p_z + a_z
    if "bias_ih" in w:
        a_r, a_z = a_r + b_hr, a_z + b_hz
    r, z = s.of(clipped(a_r, clip)), s.of(clipped(a_z, clip))
    q_n = recurrent_fwd(h_prev if options.reset_after else r * h_prev, u_n, mask_n) + b_hn
    a_n = p_n + (r * q_n if options.reset_after else q_n)
    n = t.of(clipped(a_n, clip))
    h = (1.0 - z) * n + z * h_prev
    h = zoned(zone(masks.zoneout_h, options.zoneout), h_prev, h)
    return (h,), Saved(x, h_prev, np.stack([a_r, a_z, a_n], 1), np.stack([r, z, n], 1), q_n, masks)


def gru_step_bwd(options, dstate, saved, w):
    """The transpose of `gru_step_fwd`: dx, (dh',), gradients of the weights."""
    (dh,) = dstate
    x, h_prev, pre, gates, q_n, masks = saved
    (r, z, n), (through_r, through_z, through_n) = (v.swapaxes(0, 1) for v in (gates, passes(pre, options.clip)))
    u_rz, u_n, mask_rz, mask_n = _parts(w, masks)
    dh_kept, dh = unzoned(zone(masks.zoneout_h, options.zoneout), dh)
    da_n = dh * (1.0 - z) * options.t.slope(n) * through_n
    da_z = dh * (h_prev - n) * options.s.slope(z) * through_z
    if options.reset_after:
        dq_n, dr = da_n * r, da_n * q_n
        dh_n, du_n = recurrent_bwd(dq_n, h_prev, u_n, mask_n)
    else:
        dq_n = da_n
        drh, du_n = recurrent_bwd(dq_n, r * h_prev, u_n, mask_n)
        dr, dh_n = drh * h_prev, drh * r
    da_r = dr * options.s.slope(r) * through_r
    dh_rz, du_rz = recurrent_bwd(np.concatenate([da_r, da_z], 1), h_prev, u_rz, mask_rz)
    dp, dq = np.concatenate([da_r, da_z, da_n], 1), np.concatenate([da_r, da_z, dq_n], 1)
    dw = {"weight_ih": dp.T @ x, "weight_hh": np.concatenate([du_rz, du_n]), "bias_ih": dp.sum(0), "bias_hh": dq.sum(0)}
    return scaled(dp @ w["weight_ih"], masks.input), (dh * z + dh_rz + dh_n + dh_kept,), dw


def _parts(w, masks):
    """U and the recurrent masks, cut into the part of r and z and the part of n."""
    u, m = w["weight_hh"], masks.recurrent
    two = len(u) // 3 * 2
    return (u[:two], u[two:], None, None) if m is None else (u[:two], u[two:], m[:2], m[2:])


def gru_shapes(H, I):
    """The parameters of one layer and direction that reads I features."""
    return {"weight_ih": (3 * H, I), "weight_hh": (3 * H, H), "bias_ih": (3 * H,), "bias_hh": (3 * H,)}


def gru_fwd(x, params, hx=None, *, hidden_size, num_layers=1, bidirectional=False, reset_after=True, clip=None,
            activations=("sigmoid", "tanh"), zoneout=0.0, lengths=None, mask=None, masks=None, taps=False):
    """All layers and directions.

    Parameters
    ----------
    x : (T,B,I) array
    params : dict of arrays with PyTorch's names and shapes
        For layer 0: ``weight_ih_l0`` (3H,I), ``weight_hh_l0`` (3H,H), optionally both of ``bias_ih_l0`` and
        ``bias_hh_l0`` (3H,). Layer k > 0 reads D*H features. The backward direction adds ``_reverse``.
    hx : (L*D,B,H) array, optional
        h_0, zeros if absent. Entry ``layer * D + direction``.
    reset_after, clip, activations, zoneout
        As stated at the head of this file; activations are those of r and z, and of n.
    lengths : (B,) integers in 0..T, in any order, optional
    mask : (T,B) booleans, optional
        The steps to take; excludes `lengths`.
    masks : dict of arrays, optional
        ``input_l0`` (B,I), ``recurrent_l0`` (3,B,H), ``zoneout_h_l0`` (T,B,H); see `dropout`. Names as in `params`.
    taps : bool
        Whether ``tape.taps`` lists the Taps of each layer and direction.

    Returns
    -------
    y : (T,B,D*H) array
        The last layer's output, forward features first; 0 at steps that were not taken.
    h_n : (L*D,B,H) array
        The state after the last step taken: after the last valid step forwards, after the first one backwards.
    tape : Tape
        For `gru_bwd`, which may use it any number of times; shares no memory with the arguments.
    """
    H, options = hidden_size, _options(reset_after, clip, activations, zoneout)
    cell = Cell((H,), 3, partial(gru_shapes, H), ("input", "recurrent", "zoneout_h"),
                partial(gru_step_fwd, options), partial(gru_step_bwd, options))
    return forward(cell, x, params, hx, num_layers=num_layers, bidirectional=bidirectional, lengths=lengths,
                   mask=mask, masks=masks, taps=taps)


def gru_bwd(tape, dy=None, dstate=None):
    """The transpose of `gru_fwd`: dy (T,B,D*H) and dstate = dh_n, zeros if absent -> Grads."""
    return backward(tape, dy, dstate)


def _options(reset_after, clip, settings, zoneout):
    return Options(choice("reset_after", reset_after, (True, False)), clip_of(clip), *activations(settings, 2),
                   probability("zoneout", zoneout))
