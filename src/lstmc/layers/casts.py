"""A caller's numbers as arrays that layers take, as in Keras: floats of the layer's dtype, whole numbers, masks."""

import numpy as np

from lstmc.nn import checks


def as_floats(value, dtype, name):
    """value as an array of dtype: numbers and booleans are cast, as in Keras; anything else raises.

    The cast from float64 to float32 rounds and is deliberate: pass dtype="float64" to layers to compute in it. A masked value and a number
    beyond the dtype's range raise.
    """
    a = rectangular(value, name)
    if a.dtype.kind not in "biuf":
        raise no_numbers(value, a, name, "numbers" if a.dtype == object else "real numbers")
    if a.dtype == dtype and a.dtype.isnative and a.flags.aligned:
        return a
    try:
        with np.errstate(over="raise"):
            return a.astype(dtype)
    except FloatingPointError:
        raise ValueError(f"{name}: expected numbers in the range of {dtype}, received {a.dtype} beyond it") from None


def own_float(value):
    """float32 or float64, in native order: the dtype of an array of one of them in any, and float32 of all else, as in Keras."""
    kind = getattr(getattr(value, "dtype", None), "type", None)
    return np.dtype(kind if kind in (np.float32, np.float64) else np.float32)


def as_numbers(value, name):
    """value as an array of int64: whole numbers, of whatever dtype."""
    a = rectangular(value, name)
    if a.dtype == np.int64:
        return a
    if a.dtype.kind not in "biuf":
        raise no_numbers(value, a, name, "whole numbers")
    if a.dtype.kind == "f" and not (np.abs(a) < 2.0**63).all():
        raise ValueError(f"{name}: expected whole numbers, received {a[~(np.abs(a) < 2.0**63)][0]}")
    found = a.astype(np.int64)
    if not np.array_equal(found, a):
        raise ValueError(f"{name}: expected whole numbers, received {a[found != a][0]}")
    return found


def rectangular(value, name):
    """value as an array, of whatever dtype."""
    checks.has_dtype(value, name)       # which raises if something is masked
    try:
        return np.asarray(value)
    except ValueError as error:
        if isinstance(value, (list, tuple)):
            odd = next((i for i, s in enumerate(value) if not hasattr(s, "__len__")), None)
            if odd is not None:
                raise ValueError(f"{name}[{odd}]: expected a sequence, as others are, received {type(value[odd]).__name__}") from None
        raise ValueError(f"{name}: expected a rectangular array; lstmc.utils.pad_sequences makes one ({error})") from None


def no_numbers(value, a, name, expected):
    """The TypeError for a value that is no array of numbers, but this one."""
    first = a.flat[0] if a.size else None
    if value is None or (a.ndim == 0 and a.dtype == object):
        received = "None" if value is None else type(value).__name__
        hint = "; fit, evaluate and predict take batches that are given one by one" if hasattr(value, "__next__") else ""
    elif a.dtype.kind in "SU" or isinstance(first, (str, bytes)):
        received = f"dtype {a.dtype}: text"
        hint = "; give every word or character a number, of which lstmc.utils.pad_sequences makes one array, for an Embedding"
    elif a.dtype == object:
        several = isinstance(first, (list, tuple, np.ndarray))
        received, hint = "dtype object", "; pad sequences of unequal length to one array" if several else f'; if all are numbers, pass {name}.astype("float32")'
    else:
        received, hint = f"dtype {a.dtype}", ""
    return TypeError(f"{name}: expected {expected}, received {received}{hint}")


def as_mask(value, shape):
    """value as a bool array, booleans, or numbers that are 0 or 1, for an x of this shape, whose first axes it has."""
    a = checks.plain(value, "mask")
    if a.dtype.kind not in "biuf" or not ((a == 0) | (a == 1)).all():
        raise ValueError(f"mask: expected True at valid steps and False at others, received other values of dtype {a.dtype}")
    if not a.ndim or a.shape != tuple(shape[:a.ndim]):
        raise ValueError(f"mask: expected shape {checks.shape_text(shape[:2])}, as the first axes of x are, received {checks.shape_text(a.shape)}")
    return a.astype(bool, copy=False)
