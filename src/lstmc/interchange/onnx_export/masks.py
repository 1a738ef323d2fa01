"""Which steps of (batch, time, ...) count: sequences that end, as the `sequence_lens` of a node, or any steps.

A node knows lengths alone. Steps of a mask with gaps, or with padding before a sequence, are moved to its beginning first and back
afterwards: a state does not see the difference, in either direction.
"""

import numpy as np


class Mask:
    """Steps (B, T) that count: the first `lengths` (B,) int32 of each sequence, or those of a bool array `valid`; x is of (B, T, ...).

    What follows from them is in the graph once it is asked for.
    """

    def __init__(self, b, x, lengths=None, valid=None):
        self.b, self.x, self.prefix = b, x, lengths is not None
        self._found = {"lengths": lengths} if self.prefix else {"valid": valid}

    def _get(self, name, make):
        if name not in self._found:
            self._found[name] = make()
        return self._found[name]

    def _numbers(self):
        """(1, T) int64: 0, 1, ...."""
        b = self.b
        return b.unsqueeze(b.op("Range", b.constant(0, np.int64), b.squeeze(b.size(self.x, 1), 0), b.constant(1, np.int64)), 0)

    @property
    def numbers(self):
        return self._get("numbers", self._numbers)

    @property
    def valid(self):
        """(B, T) bool."""
        b = self.b
        return self._get("valid", lambda: b.op("Less", self.numbers, b.unsqueeze(b.cast(self.lengths, np.int64), 1)))

    @property
    def upto(self):
        """(B, T) int64: how many steps up to each count, itself included."""
        b = self.b
        return self._get("upto", lambda: b.op("CumSum", b.cast(self.valid, np.int64), b.constant(1, np.int64)))

    @property
    def lengths(self):
        """(B,) int32: how many count."""
        b = self.b
        return self._get("lengths", lambda: b.reduce("ReduceSum", b.cast(self.valid, np.int32), [1], keepdims=False))

    def _order(self):
        """(B, T, 1) int64: the steps that count, then the others, each as they follow."""
        b = self.b
        left = b.op("Sub", b.size(self.x, 1), self.numbers)
        key = b.op("Where", self.valid, left, b.op("Neg", self.numbers))
        return b.unsqueeze(b.op("TopK", key, b.size(self.x, 1), outputs=2, axis=1)[1], 2)

    def together(self, x):
        """x (B, T, features) whose first steps are those that count."""
        return x if self.prefix else self.b.op("GatherND", x, self._get("order", self._order), batch_dims=1)

    def _last(self):
        """(B, T, 1) int64: where the last step that counts, up to each, is in what `together` gives; 0 if there is none."""
        b = self.b
        seen = b.op("Min", b.op("Add", self.numbers, b.ints(1)), b.unsqueeze(b.cast(self.lengths, np.int64), 1)) if self.prefix else self.upto
        return b.unsqueeze(b.op("Max", b.op("Sub", seen, b.ints(1)), b.ints(0)), 2)

    def held(self, y, first):
        """y (B, T, features) of `together`'s steps at their own, the last one before at others, and before all `first` (B, features)."""
        b = self.b
        y = b.op("GatherND", y, self._get("last", self._last), batch_dims=1)
        none = b.unsqueeze(self.lengths, 1) if self.prefix else self.upto
        none = b.op("Equal", none, b.constant(0, np.int32 if self.prefix else np.int64))
        return b.op("Where", b.unsqueeze(none, 2), b.unsqueeze(first, 1), y)

    def zeroed(self, y):
        """y (B, T, features) of `together`'s steps at their own, and 0 at others; what a node gives after a sequence's end is 0 already."""
        b = self.b
        if self.prefix:
            return y
        return self.where(b.op("GatherND", y, self._get("last", self._last), batch_dims=1), 0, 3)

    def against(self, axes):
        """The mask against values of so many axes."""
        return self.valid if axes == 2 else self.b.unsqueeze(self.valid, *range(2, axes))

    def where(self, x, other, axes):
        """x of so many axes, or a number where steps do not count."""
        return self.b.op("Where", self.against(axes), x, self.b.constant(other))

    def reversed(self):
        """Of x from its last step to its first."""
        return Mask(self.b, self.x, valid=self.b.reverse(self.valid, 1))


def either(masks):
    """Where any of some masks counts; None if one is None."""
    if any(m is None for m in masks):
        return None
    found = masks[0]
    for m in masks[1:]:
        if m is not found:
            found = Mask(found.b, found.x, valid=found.b.op("Or", found.valid, m.valid))
    return found


def one_after_the_other(b, xs, masks):
    """(B, T) bool: the mask of inputs that are joined along time, of which some have one."""
    full = []
    for x, m in zip(xs, masks, strict=True):
        shape = b.op("Concat", b.size(x, 0), b.size(x, 1), axis=0)
        full.append(b.op("Expand", b.constant(True, bool), shape) if m is None else m.valid)
    return b.op("Concat", *full, axis=1)
