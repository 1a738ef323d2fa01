"""A weight of a layer: the live array that kernels read, its layout in Keras, whether training changes it, and its penalty."""

import numpy as np

from lstmc import layouts


def nothing():
    """To do where nobody keeps what was made of an array."""


class Variable:
    """One weight: the live array that kernels read, whether Keras' layout is its transpose, and the cell whose gates it has, if any.

    Attributes
    ----------
    trainable : bool
        False for statistics that forward keeps.
    regularizer : lstmc.regularizers.Regularizer or None
        Its penalty is part of the loss.
    touch : callable
        Called when the array is lent, and before and after it is written: `lstmc.nn.params` has packed copies of its own.
    """

    __slots__ = ("_array", "cell", "name", "regularizer", "touch", "trainable", "transposed")

    def __init__(self, name, array, transposed=False, cell=None, trainable=True, regularizer=None, touch=nothing):
        self.name, self._array, self.transposed, self.cell, self.touch = name, array, transposed, cell, touch
        self.trainable, self.regularizer = trainable, regularizer

    @property
    def array(self):
        """The live array, as a view made for the caller: who sets its shape or dtype in place changes nothing here."""
        lent = self._array.view()
        self.touch()
        return lent

    @property
    def shape(self):
        """In Keras' layout."""
        return self._array.T.shape if self.transposed else self._array.shape

    def outward(self, a):
        """An array like the live one, in Keras' layout."""
        a = a.T if self.transposed else a
        return a if self.cell is None else layouts.reordered(a, self.cell, "pytorch", "keras")

    def inward(self, a):
        """An array in Keras' layout, like the live one."""
        a = a if self.cell is None else layouts.reordered(a, self.cell, "keras", "pytorch")
        return a.T if self.transposed else a

    def get(self):
        """A copy in Keras' layout."""
        return self.outward(self._array).copy()

    def set(self, value):
        self.touch()
        self._array[...] = self.inward(value)
        self.touch()

    # The penalty ---------------------------------------------------------------------------------------------

    def penalty(self):
        """What the regularizer adds to the loss: a float."""
        return float(self.regularizer.penalty(self._regularized()))

    def penalty_gradient(self):
        """The gradient of the penalty, like the live array."""
        g = self.regularizer.gradient(self._regularized())
        return g if self.regularizer.elementwise else np.ascontiguousarray(self.inward(g))

    def _regularized(self):
        return self.array if self.regularizer.elementwise else self.outward(self.array)
