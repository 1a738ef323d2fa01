"""CTC as a loss: of labels whose times are not known. What targets are, the numbers and decoding are in `lstmc.ctc`."""

import numpy as np

from lstmc import ctc
from lstmc.losses.base import Loss, plain
from lstmc.nn import checks


class CTC(Loss):
    """-log of the probability that a sequence of frames says its labels: Connectionist Temporal Classification.

    Predictions (B, T, C) are logits, from a `Dense` layer without activation. Targets (B, L) are integer labels, with the blank or -1 behind
    the labels of sequences that have fewer. A model's mask says which frames a sequence has. The loss is one value a sequence.

    Parameters
    ----------
    blank : int
        The class that stands for no label; -1 for the last, as in Keras 2's `ctc_batch_cost`.
    zero_infinity : bool
        Whether the loss is 0 where the frames are too few for the labels, else infinity. The gradient is 0 there either way.
    name, reduction, dtype
        See `Loss`.
    """

    uses_mask = True

    def __init__(self, blank=0, zero_infinity=False, name=None, reduction="sum_over_batch_size", dtype=None):
        super().__init__(name, reduction, dtype)
        self.blank = checks.integer(blank, "blank", -1, 2**31 - 1)
        self.zero_infinity = checks.flag(zero_infinity, "zero_infinity")

    def targets(self, y, shape, dtype):
        return ctc.labels(y, shape, self.blank)

    def values(self, y, p, mask=None):
        return self.finite(ctc.losses(y, p, self.blank, mask)[0])

    def gradient(self, y, p, fused=False, mask=None):
        return ctc.losses(y, p, self.blank, mask, gradient=True)[1]

    def both(self, y, p, fused=False, mask=None):
        """As `Loss.both`, of y and p, in one pass forward."""
        if not plain(self, CTC):
            return super().both(y, p, fused, mask=mask)
        found, dp = ctc.losses(y, p, self.blank, mask, gradient=True)
        return self.finite(found), dp

    def finite(self, values):
        """What counts as the loss where it is infinite."""
        return np.where(values == np.inf, 0.0, values) if self.zero_infinity else values
