"""What a recurrent layer shows at masked steps, as in Keras: its last valid output, and what that means for gradients."""

import numpy as np


def last_valid(mask):
    """(B, T) number of the last valid step up to each, -1 where there is none."""
    return np.maximum.accumulate(np.where(mask, np.arange(mask.shape[1]), -1), axis=1)


def held(y, mask, first=None):
    """(B, T, H) outputs, 0 at masked steps, with the last valid output there instead; `first` (B, H) before any, 0 if None."""
    last = last_valid(mask)
    shown = np.take_along_axis(y, np.maximum(last, 0)[:, :, None], 1)
    return shown if first is None else np.where((last < 0)[:, :, None], first[:, None], shown)


def held_bwd(dy, mask):
    """(dy, dlast, dfirst): the gradient of what `held` shows, as those of y at valid steps, of the final state and of `first`.

    Steps after the last valid one show the final state, also those of a sequence that has no valid one.
    """
    last = last_valid(mask)
    more = np.maximum.accumulate(mask[:, ::-1], axis=1)[:, ::-1]      # whether a valid step is there or later
    zero = dy.dtype.type(0)
    dlast = np.where(more[:, :, None], zero, dy).sum(1)
    holes, early = ~mask & more & (last >= 0), more & (last < 0)
    dfirst = np.where(early[:, :, None], dy, zero).sum(1) if early.any() else None
    if holes.any():
        b, t = np.nonzero(holes)
        dy = dy.copy()
        np.add.at(dy, (b, last[b, t]), dy[b, t])
    return dy, dlast, dfirst
