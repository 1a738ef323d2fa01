"""What the masks of dropout and zoneout do to one step. The masks themselves come from the caller.

    input      x_t is replaced by  m . x_t                     m (B,I): 0 or 1/(1-p), the same for all t
    recurrent  U_k h' is replaced by  U_k (m_k . h')           m (G,B,R): one per gate, the same for all t
    zoneout    s = z . s' + (1 - z) . s_new  for a state s     z (T,B,.): 1 keeps the old value, 0 takes the new

Zoneout (Krueger et al. 2017) without a mask takes z = its probability: the expectation, which is what inference
uses. With a mask nothing is scaled. The old value itself is never dropped: only what U reads is.
"""

from typing import NamedTuple

import numpy as np


class Masks(NamedTuple):
    """The masks of one layer and direction, or, after `at`, of one step's live rows; None where absent."""

    input: np.ndarray | None = None
    recurrent: np.ndarray | None = None
    zoneout_h: np.ndarray | None = None
    zoneout_c: np.ndarray | None = None

    def at(self, t, rows):
        def pick(mask, *index):
            return None if mask is None else mask[index]

        return Masks(pick(self.input, rows), pick(self.recurrent, slice(None), rows),
                     pick(self.zoneout_h, t, rows), pick(self.zoneout_c, t, rows))


def scaled(x, mask):
    """m . x, and the transpose of that."""
    return x if mask is None else mask * x


def recurrent_fwd(h, u, mask=None):
    """U (m . h), with each gate's own mask: h (B,R), u (GH,R), mask (G,B,R) -> (B,GH)."""
    if mask is None:
        return h @ u.T
    return np.concatenate([(m * h) @ u_k.T for m, u_k in zip(mask, np.split(u, len(mask)), strict=True)], axis=1)


def recurrent_bwd(da, h, u, mask=None):
    """The transpose of `recurrent_fwd`: dh (B,R) and du (GH,R)."""
    if mask is None:
        return da @ u, da.T @ h
    dh, du = np.zeros_like(h), []
    for m, u_k, da_k in zip(mask, np.split(u, len(mask)), np.split(da, len(mask), axis=1), strict=True):
        dh += m * (da_k @ u_k)
        du.append(da_k.T @ (m * h))
    return dh, np.concatenate(du)


def zoned(z, old, new):
    """z . old + (1 - z) . new; z = None is no zoneout."""
    return new if z is None else z * old + (1.0 - z) * new


def unzoned(z, ds):
    """The transpose of `zoned`: the gradients of old and new."""
    return (0.0, ds) if z is None else (z * ds, (1.0 - z) * ds)


def zone(mask, probability):
    """The z of a step: its mask, or else the probability, or None where there is no zoneout."""
    return mask if mask is not None else probability or None
