"""From arrays to batches: checks, validation split, class weights, and how much every value counts."""

import itertools
import math
from typing import NamedTuple

import numpy as np

from lstmc import losses
from lstmc.nn import checks


class Data(NamedTuple):
    """Arrays with one entry per sample: x, y as given, y as the loss wants it, weights or None."""

    x: np.ndarray
    y: np.ndarray
    targets: np.ndarray
    weights: np.ndarray | None

    def __getitem__(self, index):
        return Data(*(None if a is None else a[index] for a in self))

    @property
    def size(self):
        """Number of samples."""
        return len(self.x)


def prepare(model, x, y, sample_weight=None, class_weight=None):
    """Checked `Data` for a compiled model, which is built if need be."""
    x, shape = model.accept(x)
    if y is None:
        raise ValueError("y: expected targets, received None")
    y = checks.plain(y, "y")
    if y.ndim == 0 or len(y) != len(x):
        raise ValueError(f"y: expected {len(x)} entries, one per sample of x, received {'a scalar' if y.ndim == 0 else len(y)}")
    targets = model.loss.targets(y, shape, model.dtype)
    weights = None
    if class_weight is not None:
        if sample_weight is not None:
            raise ValueError("sample_weight: expected None together with class_weight; multiply them into sample_weight")
        sample_weight = class_weights(y, class_weight)
    if sample_weight is not None:
        weights = checks.plain(sample_weight, "sample_weight")
        if weights.dtype.kind not in "biuf":
            raise TypeError(f"sample_weight: expected numbers, received dtype {weights.dtype}")
        weights = losses.spread(weights.astype(np.float64), shape[:-1])
    return Data(x, y, targets, weights)


def class_weights(y, class_weight):
    """A weight per sample from its label, or from the largest entry of its one-hot target; 1 for classes not named."""
    if not isinstance(class_weight, dict):
        raise TypeError(f"class_weight: expected a dict of class to weight, received {type(class_weight).__name__}")
    if y.ndim > 2:
        raise ValueError(f"class_weight: expected one label per sample, received y of shape {checks.shape_text(y.shape)}; "
                         "use sample_weight")
    weight_of = {checks.number(c, "class_weight: a class"): checks.number(w, f"class_weight: the weight of {c!r}") for c, w in class_weight.items()}
    label = y.argmax(-1) if y.ndim == 2 and y.shape[1] != 1 else np.round(y.reshape(-1))
    weights = np.ones(len(y))
    for c, w in weight_of.items():
        weights[label == c] = w
    return weights


def split(data, fraction):
    """(training, validation): the last `fraction` of the samples validates, before any shuffling; validation is None if it is 0 or None."""
    if fraction is None or checks.number(fraction, "validation_split") == 0:
        return data, None
    if not 0 < fraction < 1:
        raise ValueError(f"validation_split: expected 0 or a fraction below 1, received {fraction}")
    at = math.floor(data.size * (1 - fraction))
    if at in (0, data.size):
        raise ValueError(f"validation_split: expected to leave samples on both sides, received {fraction} of {data.size} samples")
    return data[:at], data[at:]


def unpack(validation_data):
    """(x, y, sample_weight) of validation_data."""
    if not isinstance(validation_data, (tuple, list)) or len(validation_data) not in (2, 3):
        raise ValueError("validation_data: expected (x, y) or (x, y, sample_weight)")
    return (*validation_data, None)[:3]


def batches(n, batch_size, order=None):
    """Indices of consecutive batches of n samples, in `order` if given."""
    for start in range(0, n, batch_size):
        yield slice(start, start + batch_size) if order is None else order[start:start + batch_size]


def counts(shape, weights, mask):
    """What each of the values of this shape contributes to the loss: a number, or an array of float64.

    Without weights and mask, 1 / size. A mask takes the mean over valid steps instead; weights multiply, and the
    divisor stays, as in Keras.
    """
    size = math.prod(shape)
    c = 1 / size if size else 0.0
    if mask is not None and mask.shape == tuple(shape[:mask.ndim]):
        c = mask * (c * mask.size / max(mask.sum(), 1))
        c = c.reshape(mask.shape + (1,) * (len(shape) - mask.ndim))
    if weights is not None:
        c = weights * c
    return np.broadcast_to(c, shape) if np.ndim(c) else c


def gives_batches(x):
    """Whether x is no array but an iterable of batches."""
    arrays = (np.ndarray, list, tuple, str, bytes, bytearray, memoryview, dict, set, frozenset, type)
    return hasattr(x, "__iter__") and not isinstance(x, arrays) and not any(hasattr(x, a) for a in ("__array__", "__array_interface__", "__buffer__"))


class Batches:
    """Batches from an iterable, pass by pass.

    Parameters
    ----------
    source : iterable
        Of (x, y), (x, y, sample_weight), or x alone where no targets are needed.
    steps : int, optional
        Batches of a pass; each pass then goes on where the last one stopped, from the beginning again after the end. None: all
        there are, every time.
    name : str
        Of the argument.
    """

    def __init__(self, source, steps=None, name="x"):
        self.source, self.name = source, name
        self.least = 1 if steps is None else steps
        self.steps = len(source) if steps is None and hasattr(source, "__len__") else steps     # None: not known
        self.stream = None if steps is None else self._endless()

    def _endless(self):
        some = True
        while some:         # an iterator that has come to its end gives nothing
            some = False
            for batch in self.source:
                some = True
                yield batch

    def one_pass(self):
        """The batches of a pass as (x, y, sample_weight)."""
        n = 0
        for batch in itertools.islice(self.stream or iter(self.source), self.steps):
            yield self._unpacked(batch)
            n += 1
        if n < self.least:
            raise ValueError(f"{self.name}: expected at least {self.least} batches in a pass, received {n}; an iterator gives its batches once, "
                             "an object with __iter__ as often as needed")

    def _unpacked(self, batch):
        if not isinstance(batch, (tuple, list)):
            return batch, None, None
        if len(batch) not in (1, 2, 3):
            raise ValueError(f"{self.name}: expected batches (x, y) or (x, y, sample_weight), received one of {len(batch)} parts")
        return (*batch, None, None)[:3]
