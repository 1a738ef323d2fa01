"""Keras' `utils` on NumPy arrays: padding, one-hot targets, windows over a series, the seed of everything; and Keras' `ops.ctc_decode`."""


import numpy as np

from lstmc import names, seeds
from lstmc.ctc import ctc_decode
from lstmc.nn import checks
from lstmc.seeds import set_random_seed
from lstmc.warned import warn

__all__ = ["ctc_decode", "pad_sequences", "set_random_seed", "timeseries_dataset_from_array", "to_categorical"]


def pad_sequences(sequences, maxlen=None, dtype="int32", padding="pre", truncating="pre", value=0.0):
    """Sequences of unequal lengths as one array.

    Parameters
    ----------
    sequences : list of sequences
        Each of numbers, or of arrays of one shape.
    maxlen : int, optional
        T; the longest length if None.
    dtype : dtype
        Of the result; NumPy's cast, so numbers are cut to integers by the default.
    padding, truncating : {"pre", "post"}
        Where `value` is put before or after a short sequence, and where a long one is cut.
    value : number or str
        The padding.

    Returns
    -------
    (len(sequences), T, ...) array
    """
    for name, where in (("padding", padding), ("truncating", truncating)):
        if not isinstance(where, str) or where not in ("pre", "post"):
            raise ValueError(f"{name}: expected 'pre' or 'post', received {where!r}")
    if isinstance(sequences, (str, bytes)) or not hasattr(sequences, "__len__") or getattr(sequences, "ndim", 1) == 0:
        raise TypeError(f"sequences: expected a list of sequences, received {type(sequences).__name__}")
    try:
        kind = np.dtype(dtype)
    except (TypeError, ValueError):
        raise TypeError(f"dtype: expected a dtype, received {dtype!r}") from None
    if kind.kind not in "biufcSUO":
        raise TypeError(f"dtype: expected one of numbers, text or objects, received {dtype!r}")
    dtype, cut = kind, []
    found = [_as_sequence(s, i, dtype, cut) for i, s in enumerate(sequences)]
    if cut:
        warn(f"sequences[{cut[0]}]: numbers are cut to dtype {dtype}, as in Keras; pass dtype=\"float32\" to keep them")
    longest = max(map(len, found), default=0)
    length = longest if maxlen is None else checks.integer(maxlen, "maxlen", 0)
    inner = next((s.shape[1:] for s in found if len(s)), ())
    if len(found) * length > checks.MOST:
        raise MemoryError(f"maxlen: {len(found)} sequences of {length} entries do not fit into any memory")
    checks.has_dtype(value, "value")            # which raises if something is masked
    try:
        if dtype.kind in "iu" and fits(value, dtype):
            warn(f"value: {value!r} is cut to dtype {dtype}, as in Keras; pass dtype=\"float32\" to keep it")
        y = np.full((len(found), length, *inner), value, dtype)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"value: expected one that dtype {dtype} can hold, received {value!r}") from None
    for i, s in enumerate(found):
        if not len(s):
            continue
        if s.shape[1:] != inner:
            raise ValueError(f"sequences[{i}]: expected entries of shape {checks.shape_text(inner)}, received {checks.shape_text(s.shape[1:])}")
        n = min(len(s), length)
        s = s[len(s) - n:] if truncating == "pre" else s[:n]
        y[i, length - n if padding == "pre" else 0:][:n] = s
    return y


def _as_sequence(s, i, dtype, cut):
    if isinstance(s, (str, bytes)) or not hasattr(s, "__len__"):
        raise TypeError(f"sequences[{i}]: expected a sequence, received {type(s).__name__}")
    checks.has_dtype(s, f"sequences[{i}]")      # which raises if something is masked
    try:
        if dtype.kind in "iu" and fits(s, dtype):
            cut.append(i)
        a = np.asarray(s, dtype)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"sequences[{i}]: expected what dtype {dtype} can hold ({error})") from None
    if not a.ndim:
        raise TypeError(f"sequences[{i}]: expected a sequence, received {type(s).__name__}")
    return a


def fits(value, dtype):
    """Whether floats among value lose their fractions as whole numbers of a dtype; ValueError if it cannot hold one."""
    a, limits = np.asarray(value), np.iinfo(dtype)
    if a.dtype.kind != "f" or not a.size:
        return False
    whole = np.trunc(a)
    if not ((whole >= limits.min) & (whole <= limits.max)).all():
        raise ValueError(f"{a[~((whole >= limits.min) & (whole <= limits.max))].flat[0]} is outside of {limits.min} to {limits.max}")
    return bool((whole != a).any())


def to_categorical(x, num_classes=None):
    """One-hot vectors of labels.

    Parameters
    ----------
    x : array of int
        Labels from 0; a last axis of 1 is dropped.
    num_classes : int, optional
        C; the largest label and 1 if None.

    Returns
    -------
    (..., C) array of float64
    """
    a = checks.plain(x, "x")
    if a.dtype.kind not in "biuf" or not (np.isfinite(a).all() and (a == np.floor(a)).all()):
        raise TypeError(f"x: expected whole numbers, received {a.dtype if a.dtype.kind not in 'biuf' else 'others'}")
    a = a.astype(np.int64)
    if a.ndim > 1 and a.shape[-1] == 1:
        a = a[..., 0]
    if num_classes is None and not a.size:
        raise ValueError("num_classes: expected the number of classes where x has no labels, received None")
    n = int(a.max()) + 1 if num_classes is None else checks.integer(num_classes, "num_classes", 1)
    if a.size and (a.min() < 0 or a.max() >= n):
        raise ValueError(f"x: expected labels from 0 to {n - 1}, received {a[(a < 0) | (a >= n)][0]}")
    if a.size * n > checks.MOST:
        raise MemoryError(f"x, num_classes: {a.size} vectors of {n} classes do not fit into any memory")
    y = np.zeros((a.size, n))
    y[np.arange(a.size), a.reshape(-1)] = 1
    return y.reshape(*a.shape, n)


class TimeseriesDataset:
    """Batches of windows over a series, made one by one whenever it is iterated; `timeseries_dataset_from_array` describes them.

    Iteration k of one that shuffles has an order of its own, a function of the seed and k.
    """

    def __init__(self, data, targets, starts, offsets, batch_size, seed):
        self.data, self.targets, self.starts, self.offsets = data, targets, starts, offsets
        self.batch_size, self.seed, self.passes = batch_size, seed, 0

    def __len__(self):
        return -(-len(self.starts) // (self.batch_size or 1))

    def __iter__(self):
        starts = self.starts
        if self.seed is not None:
            starts = seeds.generator(self.seed, self.passes).permutation(starts)
            self.passes += 1
        for at in range(0, len(starts), self.batch_size or 1):
            chosen = starts[at:at + self.batch_size] if self.batch_size else starts[at]
            x = self.data[chosen[..., None] + self.offsets]
            yield x if self.targets is None else (x, self.targets[chosen])


def timeseries_dataset_from_array(data, targets, sequence_length, sequence_stride=1, sampling_rate=1, batch_size=128, shuffle=False, seed=None,
                                  start_index=None, end_index=None):
    """Windows over a series, in batches that `fit`, `evaluate` and `predict` take.

    Parameters
    ----------
    data : (N, ...) array
        One entry per time.
    targets : (M, ...) array or None
        The window that begins at `data[i]` has the target `targets[i]`; without targets, batches are x alone.
    sequence_length : int
        T, entries of a window.
    sequence_stride : int
        Times from the begin of one window to that of the next.
    sampling_rate : int
        Times from one entry of a window to the next.
    batch_size : int or None
        Windows in a batch; the last may have fewer. None: windows one by one, without the batch axis.
    shuffle : bool
        Whether windows come in random order, another one at each iteration.
    seed : int, optional
        Of that order; drawn from `set_random_seed`'s sequence if None.
    start_index, end_index : int, optional
        Only data[start_index:end_index] is used, and targets from start_index on.

    Returns
    -------
    TimeseriesDataset
        Iterable any number of times, with `len()`.
    """
    data = checks.plain(data, "data")
    if not data.ndim:
        raise ValueError("data: expected an entry per time, received a scalar")
    length, stride = checks.integer(sequence_length, "sequence_length", 1), checks.integer(sequence_stride, "sequence_stride", 1)
    rate, n = checks.integer(sampling_rate, "sampling_rate", 1), len(data)
    batch_size = None if batch_size is None else checks.integer(batch_size, "batch_size", 1)
    shuffle = checks.flag(shuffle, "shuffle")
    start = 0 if start_index is None else checks.integer(start_index, "start_index", 0, max(n - 1, 0))
    end = n if end_index is None else checks.integer(end_index, "end_index", min(start + 1, n), n)
    count = end - start - (length - 1) * rate
    if targets is not None:
        targets = checks.plain(targets, "targets")
        if not targets.ndim:
            raise ValueError("targets: expected an entry per window, received a scalar")
        targets = targets[start:end]
        count = min(count, len(targets))
    if shuffle or seed is not None:
        seed = seeds.next_seed() if seed is None else seeds.check_seed(seed)
    count = max(count, 0)
    starts = np.arange(0, count, min(stride, count + 1))
    offsets = np.arange(length) * min(rate, n) if count else np.arange(0)
    return TimeseriesDataset(data[start:end], targets, starts, offsets, batch_size, seed if shuffle else None)


__getattr__, __dir__ = names.face(__name__, __all__)
