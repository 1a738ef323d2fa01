"""What `predict` gathers of one output, batch by batch."""

import numpy as np


class Collected:
    """An output of all samples: one array, or a list of sequences where inputs were such and it has a value per step.

    Parameters
    ----------
    shape : tuple or None
        Of the array, if it is known.
    """

    def __init__(self, shape, dtype):
        self.array = None if shape is None or None in shape else np.empty(shape, dtype)
        self.parts, self.at, self.unequal = [], 0, False

    def take(self, y, lengths):
        """The output of a batch; lengths (B,) of its sequences, None if they are of one length or y has no steps."""
        if lengths is not None:
            self.unequal, self.array = True, None
            self.parts += [a[:n].copy() for a, n in zip(y, lengths.tolist(), strict=True)]
        elif self.array is not None:
            self.array[self.at:self.at + len(y)] = y
        else:
            self.parts.append(y)
        self.at += len(y)

    def result(self):
        """All of it."""
        if self.array is not None:
            return self.array[:self.at]
        return self.parts if self.unequal or not self.parts else np.concatenate(self.parts)
