"""The plain recurrent cell.

    a = W x + b_ih + U h' + b_hh
    h = phi(a)                         phi = tanh or relu, or any other activation

With a clip, a is first clipped to [-clip, clip].
"""

from functools import partial
from typing import NamedTuple

import numpy as np

from .activations import activation, clipped, passes
from .arguments import clip_of
from .dropout import recurrent_bwd, recurrent_fwd, scaled
from .sequence import Cell, backward, forward


class Saved(NamedTuple):
    """What the backward of one step reads: x (B,I) after its mask, h' (B,H), a, h, and the masks."""

    x: np.ndarray
    h_prev: np.ndarray
    a: np.ndarray
    h: np.ndarray
    masks: NamedTuple

    @property
    def gates(self):
        return self.h[:, None]

    @property
    def pre(self):
        return self.a[:, None]


def rnn_step_fwd(phi, clip, x, state, w, masks):
    """One step of B sequences: x (B,I), state (h (B,H),) -> new state, Saved."""
    (h_prev,) = state
    x = scaled(x, masks.input)
    a = x @ w["weight_ih"].T + recurrent_fwd(h_prev, w["weight_hh"], masks.recurrent)
    if "bias_ih" in w:
        a = a + w["bias_ih"] + w["bias_hh"]
    h = phi.of(clipped(a, clip))
    return (h,), Saved(x, h_prev, a, h, masks)


def rnn_step_bwd(phi, clip, dstate, saved, w):
    """The transpose of `rnn_step_fwd`: dx, (dh',), gradients of the weights."""
    (dh,) = dstate
    da = dh * phi.slope(saved.h) * passes(saved.a, clip)
    dh_prev, du = recurrent_bwd(da, saved.h_prev, w["weight_hh"], saved.masks.recurrent)
    dw = {"weight_ih": da.T @ saved.x, "weight_hh": du, "bias_ih": da.sum(0), "bias_hh": da.sum(0)}
    return scaled(da @ w["weight_ih"], saved.masks.input), (dh_prev,), dw


def rnn_shapes(H, I):
    """The parameters of one layer and direction that reads I features."""
    return {"weight_ih": (H, I), "weight_hh": (H, H), "bias_ih": (H,), "bias_hh": (H,)}


def rnn_fwd(x, params, hx=None, *, hidden_size, num_layers=1, bidirectional=False, nonlinearity="tanh", clip=None,
            lengths=None, mask=None, masks=None, taps=False):
    """All layers and directions; arguments and results as of `gru_fwd`, but for the settings.

    nonlinearity : "tanh", "relu", or any setting of `activation`
    clip : as of `gru_fwd`
    masks : ``input_l0`` (B,I) and ``recurrent_l0`` (1,B,H)
    """
    H, settings = hidden_size, (activation(nonlinearity), clip_of(clip))
    cell = Cell((H,), 1, partial(rnn_shapes, H), ("input", "recurrent"),
                partial(rnn_step_fwd, *settings), partial(rnn_step_bwd, *settings))
    return forward(cell, x, params, hx, num_layers=num_layers, bidirectional=bidirectional, lengths=lengths,
                   mask=mask, masks=masks, taps=taps)


def rnn_bwd(tape, dy=None, dstate=None):
    """The transpose of `rnn_fwd`: dy (T,B,D*H) and dstate = dh_n, zeros if absent -> Grads."""
    return backward(tape, dy, dstate)
