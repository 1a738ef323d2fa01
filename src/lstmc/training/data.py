"""From arrays to batches: checks, validation split, class weights."""

import math
from typing import NamedTuple

import numpy as np

from lstmc import received
from lstmc.losses.base import spread
from lstmc.nn import checks
from lstmc.training import hints, ragged
from lstmc.training.graph import Padded


class Data(NamedTuple):
    """Samples: for each input x; for each output y as given, y as the loss wants it, and weights, each None where there is none."""

    x: tuple
    y: tuple
    targets: tuple
    weights: tuple

    def __getitem__(self, index):
        return self.made(lambda a: taken(a, index))

    def part(self, index):
        """The samples of a slice, neither padded nor cast yet where that is done batch by batch."""
        return self.made(lambda a: None if a is None else ragged.part(a, index))

    def made(self, some):
        """`Data` of some(array) of each array or None. Most losses take targets as they are given."""
        x, y, targets, weights = self
        found = tuple(map(some, y))
        return Data(tuple(map(some, x)), found, found if targets is y else tuple(map(some, targets)), tuple(map(some, weights)))

    @property
    def size(self):
        """Number of samples."""
        return len(values_of(self.x[0]))


def taken(a, index):
    """Some samples of an array or of sequences, by a slice or an array of numbers; None of None."""
    if type(a) is np.ndarray and type(index) is np.ndarray:
        return a.take(index, 0)        # as a[index], in a third of the time
    return None if a is None else a[index]


def whole(data):
    """All samples as one batch."""
    return data.made(ragged.whole)


def prepare(model, x, y, sample_weight=None, class_weight=None):
    """Checked `Data` for a compiled model, which is built if need be."""
    xs, shapes = model.accept(x)
    n = len(xs[0])
    if y is None and any(model.losses):
        raise ValueError("y: expected targets, received None")
    names = model.output_names
    ys, targets = [], []
    for name, shape, one in zip(names, shapes, by_output(y, names, "y", arrays=True), strict=True):
        label = "y" if len(names) == 1 else f"y[{name!r}]"
        one = checked_targets(one, n, label)
        loss = model.chosen_loss(len(ys), one)
        if one is None and loss is not None:
            raise ValueError(f"{label}: expected targets, received None")
        if isinstance(one, ragged.Sequences) and loss is not None and loss.uses_mask:
            one = filled(one)
        if isinstance(one, ragged.Sequences):
            same_lengths(one, xs[0], label)
            check = one.parts
            made = None if loss is None else ragged.Sequences(check, lambda s, loss=loss, shape=shape: loss.targets(
                s[None], (1, len(s), *shape[2:]), model.dtype)[0], label)
        else:
            made = None if loss is None or one is None else checked(loss, one, shape, model.dtype, label)
        ys.append(one)
        targets.append(made)
    if class_weight is not None:
        if sample_weight is not None:
            raise ValueError("sample_weight: expected None together with class_weight; multiply them into sample_weight")
        if len(names) > 1:
            raise ValueError("class_weight: expected None for a model of several outputs; use sample_weight")
        if isinstance(ys[0], ragged.Sequences):
            raise ValueError("class_weight: expected one label per sample, received sequences; use sample_weight")
        if model.losses[0] is not None and model.losses[0].uses_mask:
            raise ValueError("class_weight: expected one label per sample, received a loss of sequences of labels; use sample_weight")
        sample_weight = class_weights(ys[0], class_weight)
    # A loss that uses the mask itself has one value for a sequence.
    shapes = [shape[:1] if loss is not None and loss.uses_mask else shape[:-1] for shape, loss in zip(shapes, model.losses, strict=True)]
    ys = tuple(ys)
    targets = ys if all(a is b for a, b in zip(targets, ys, strict=True)) else tuple(targets)
    return Data(xs, ys, targets, tuple(weights_of(sample_weight, names, shapes, n)))


def checked_targets(y, n, label):
    """y as an array or `Sequences` with an entry per sample, or None."""
    if y is None:
        return None
    if ragged.is_ragged(y):
        y = ragged.Sequences(y, lambda s: checks.plain(s, "y"), label)
    else:
        y = checks.plain(y, label)
        hints.refuse_text(y, label)
    if y.ndim == 0 or len(y) != n:
        raise ValueError(f"{label}: expected {n} entries, one per sample of x, received {'a scalar' if y.ndim == 0 else len(y)}")
    return y


def filled(y):
    """Labels of unequal lengths as one array, -1 behind them."""
    found = np.full((len(y), int(y.lengths.max(initial=0))), -1, np.int64)
    for row, a in zip(found, y.parts, strict=True):
        row[:len(a)] = a
    return found


def same_lengths(y, x, label):
    """Raise ValueError unless sequences of targets are as long as those of x."""
    if not isinstance(x, ragged.Sequences):
        raise ValueError(f"{label}: expected an array where x is one, received sequences of unequal lengths")
    different = np.flatnonzero(y.lengths != x.lengths)
    if len(different):
        i = different[0]
        raise ValueError(f"{label}[{i}]: expected {x.lengths[i]} steps, as x[{i}] has, received {y.lengths[i]}")


def checked(loss, y, shape, dtype, label):
    """y as a loss wants it; what may be done is said behind errors."""
    return named(lambda: loss.targets(y, shape, dtype), label, hint=lambda: hints.of_targets(loss, y, shape))


def named(make, label, name="y", hint=str):
    """make(), with a label in place of the name of an argument in errors, and what hint() gives behind them."""
    try:
        return make()
    except (TypeError, ValueError) as error:
        text = f"{error}{hint()}"
        text = label + text[len(name):] if text.startswith(f"{name}:") else text
        if text == str(error):
            raise
        raise type(error)(text) from None


def by_output(value, names, what, arrays=False):
    """value as a list with an entry per output: a dict by their names, or a list where there are several; None gives None to all."""
    if value is None:
        return [None] * len(names)
    if isinstance(value, dict):
        unknown = [k for k in value if k not in names]
        if unknown:
            raise ValueError(f"{what}: expected a dict by the outputs {', '.join(map(repr, names))}, received {unknown[0]!r}")
        return [value.get(name) for name in names]
    if len(names) == 1:
        alone = arrays and isinstance(value, (list, tuple)) and len(value) == 1 and isinstance(value[0], np.ndarray) and value[0].ndim > 1
        return [value[0] if alone else value]
    if not isinstance(value, (list, tuple)) or len(value) != len(names):
        raise ValueError(f"{what}: expected a list with an entry for each of the {len(names)} outputs {', '.join(map(repr, names))}, "
                         f"received {received.length(value)}")
    return list(value)


def weights_of(sample_weight, names, shapes, n):
    """For each output None, or float64 weights that can be multiplied into its values."""
    if sample_weight is not None and not isinstance(sample_weight, dict) and len(names) > 1 and not (
            isinstance(sample_weight, (list, tuple)) and len(sample_weight) == len(names)):
        sample_weight = [sample_weight] * len(names)        # one for all outputs
    for one, shape in zip(by_output(sample_weight, names, "sample_weight"), shapes, strict=True):
        if one is None:
            yield None
            continue
        if ragged.is_ragged(one):
            yield ragged.Sequences(one, lambda s: _numbers(s).astype(np.float64), "sample_weight")
            continue
        w = _numbers(one).astype(np.float64)
        if None in shape[1:] and w.ndim > 1:
            raise ValueError(f"sample_weight: expected a weight per sample, or a list of sequences as x is one, received shape {checks.shape_text(w.shape)}")
        yield spread(w, (n, *shape[1:]))


def _numbers(value):
    a = checks.plain(value, "sample_weight")
    if a.dtype.kind not in "biuf":
        raise TypeError(f"sample_weight: expected numbers, received dtype {a.dtype}")
    return a


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
    return data.part(slice(None, at)), data.part(slice(at, None))


def unpack(validation_data):
    """(x, y, sample_weight) of validation_data."""
    if not isinstance(validation_data, (tuple, list)) or len(validation_data) not in (2, 3):
        raise ValueError(f"validation_data: expected (x, y) or (x, y, sample_weight), received {received.length(validation_data)}")
    return (*validation_data, None)[:3]


def slices(n, batch_size):
    """Consecutive batches of n samples."""
    for start in range(0, n, batch_size):
        yield slice(start, start + batch_size)


def values_of(a):
    """An entry of a batch as an array: sequences are padded in it."""
    return a.values if isinstance(a, Padded) else a
