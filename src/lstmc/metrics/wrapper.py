"""A metric from a function."""

import inspect

import numpy as np

from lstmc import losses
from lstmc.layers.casts import as_floats
from lstmc.metrics import accuracies
from lstmc.metrics.base import F64, PairMean

ACCURACIES = (accuracies.binary_accuracy, accuracies.categorical_accuracy, accuracies.sparse_categorical_accuracy,
              accuracies.top_k_categorical_accuracy, accuracies.sparse_top_k_categorical_accuracy)
FUNCTIONS = {f.__name__: f for f in (*ACCURACIES, *losses.FUNCTIONS) if f is not losses.ctc}
NAMES = FUNCTIONS | losses.SHORT


class MeanMetricWrapper(PairMean):
    """The mean of `fn(y_true, y_pred, **arguments)`, which gives one or more values per sample. A mask of steps counts where they have values.

    Parameters
    ----------
    fn : callable, or str
        A function of this module by its name, or any other.
    name : str, optional
    dtype : {"float32", "float64"}, optional
        As of `Metric`.
    **arguments
        Of the function.
    """

    def __init__(self, fn, name=None, dtype=None, **arguments):
        super().__init__(name, dtype)
        if isinstance(fn, str) and fn in NAMES:
            fn = NAMES[fn]
        if not callable(fn):
            raise TypeError(f"fn: expected a function of (y_true, y_pred), received {fn!r}")
        self.fn, self.arguments = fn, arguments
        if self.known:
            inspect.signature(fn).bind(None, None, **arguments)
            self.direction = "up" if fn in ACCURACIES else "down"

    @property
    def known(self):
        """The name of the function if it is one of this module, or None."""
        return next((name for name, f in FUNCTIONS.items() if f is self.fn), None)

    def values(self, y, p):
        return as_floats(self.fn(y, p, **self.arguments), F64, f"metric {self.name}")

    def take(self, values, sample_weight):
        if isinstance(sample_weight, np.ndarray) and sample_weight.dtype == bool and sample_weight.ndim > values.ndim:
            sample_weight = None        # a model's mask of steps, which the function has made one value of
        super().take(values, sample_weight)

    def get_config(self):
        if self.known is None:
            raise ValueError(f"metric: expected one of the functions {', '.join(FUNCTIONS)}, which a file can name, received {self.fn!r}")
        return {**super().get_config(), "fn": self.known, **self.arguments}
