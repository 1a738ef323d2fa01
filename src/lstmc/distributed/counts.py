"""How much the values of a piece count in the loss of the whole batch, for each reduction: the law is `losses.Loss.counts`.

A loss is the sum over the values v of c v / N. c and the piece's share of N follow from the piece alone; N is the sum of the shares. Without
masks it is known before: the number of values. With masks, N is known when all pieces have been seen.
"""

import math

import numpy as np


def is_counted(loss, y, shape, mask):
    """Whether N is known only when all pieces have been seen."""
    if loss.reduction == "sum":
        return False
    return loss.reduction == "mean_with_sample_weight" or loss.counting(y, shape, mask) is not None


def counted(loss, y, shape, weights, mask):
    """(c, share of N) of values of this shape: c a number or an array of that shape. The arguments are those of `Loss.counts`."""
    if loss.reduction in (None, "none"):
        loss.counts(y, shape)       # which raises
    mask = loss.counting(y, shape, mask)
    c, n = 1.0, float(math.prod(shape))
    if mask is not None:
        n = float(mask.sum()) * math.prod(shape[mask.ndim:])
        c = mask.astype(np.float64).reshape(mask.shape + (1,) * (len(shape) - mask.ndim))
    if weights is not None:
        c = weights * c
    c = np.broadcast_to(c, shape) if np.ndim(c) else c
    if loss.reduction == "mean_with_sample_weight":
        n = float(np.broadcast_to(c, shape).sum())
    return c, 1.0 if loss.reduction == "sum" else n
