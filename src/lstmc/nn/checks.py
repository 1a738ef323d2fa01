"""What a call may be given. Every error names the argument, what was expected and what was received.

Nothing is cast in a way that loses information and nothing is written; arrays are viewed, and copied only where
the kernels cannot follow their memory (foreign byte order, odd alignment).
"""

import math
import operator
import reprlib

import numpy as np

OVERLAP_WORK = 1000     # steps of the exact search for a common element, after which arrays count as overlapping


def shape_text(shape):
    return "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"


def integer(value, name, low, high=None):
    """value as an int within low..high."""
    try:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        n = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: expected an int, received {type(value).__name__}") from None
    if n < low or (high is not None and n > high):
        span = f"at least {low}" if high is None else f"{low} to {high}"
        raise ValueError(f"{name}: expected {span}, received {n}")
    return n


def probability(value, name):
    """value as a float in [0, 1)."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name}: expected a number, received {type(value).__name__}")
    if not 0 <= value < 1:
        raise ValueError(f"{name}: expected at least 0 and below 1, received {value}")
    return float(value)


def number(value, name):
    """value as a finite float."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name}: expected a number, received {type(value).__name__}")
    try:
        found = float(value)
    except OverflowError:
        found = math.inf
    if not math.isfinite(found):
        raise ValueError(f"{name}: expected a finite number, received {value}")
    return found


def flag(value, name):
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name}: expected True or False, received {value!r}")
    return bool(value)


def float_dtype(dtype):
    try:        # a string is parsed as a record's fields: not one that is longer than any name of these two
        found = None if dtype is None or (isinstance(dtype, str) and len(dtype) > 8) else np.dtype(dtype)
    except (SyntaxError, TypeError, ValueError):
        found = None
    if found is None or found not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise ValueError(f"dtype: expected 'float32' or 'float64', received {reprlib.repr(dtype)}")
    return np.dtype(found.type)


def array(value, name, dtype):
    """value as an array of exactly this dtype in native order and alignment; plain Python numbers take the dtype.

    Raises TypeError for another dtype: a cast, if it is wanted, belongs into the caller's text.
    """
    if type(value) is np.ndarray and value.dtype is dtype and value.flags.aligned:
        return value        # the plain case, in a few attribute look-ups
    typed = hasattr(value, "dtype") or hasattr(value, "__array__") or hasattr(value, "__array_interface__")
    try:
        a = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name}: expected an array of {dtype}, received something ragged ({error})") from None
    if not typed and a.dtype.kind in "fiu":
        a = a.astype(dtype)
    if a.dtype.kind == "f" and a.dtype.newbyteorder("=") == dtype:
        if not a.dtype.isnative or not a.flags.aligned:
            a = a.astype(dtype)
        return a
    raise TypeError(f"{name}: expected dtype {dtype}, received {a.dtype}")


def shaped(value, name, dtype, shape, axes):
    """`array` of one shape; axes names its letters for the message."""
    a = array(value, name, dtype)
    if a.shape != tuple(shape):
        raise ValueError(f"{name}: expected shape {axes} = {shape_text(shape)}, received {shape_text(a.shape)}")
    return a


def output(value, dtype, shape, axes):
    """value, if it can receive a result: a writable array of this dtype and shape with unit feature stride."""
    if not isinstance(value, np.ndarray) or value.dtype != dtype:
        raise TypeError(f"out: expected an ndarray of {dtype}, received {getattr(value, 'dtype', type(value).__name__)}")
    if value.shape != tuple(shape):
        raise ValueError(f"out: expected shape {axes} = {shape_text(shape)}, received {shape_text(value.shape)}")
    flags = value.flags
    if not flags.writeable or not flags.aligned:
        raise ValueError("out: expected a writable, aligned array, received "
                         f"{'a read-only' if not flags.writeable else 'an unaligned'} one")
    if value.shape[-1] > 1 and value.strides[-1] != value.itemsize and value.size:
        raise ValueError(f"out: expected features one after the other (a last stride of {value.itemsize} bytes), "
                         f"received strides {value.strides}")
    return value


def apart(out, name, a):
    """Raise if `out` has an element in common with the argument a; what is no array has none."""
    if not isinstance(a, np.ndarray) or (a.base is None and out.base is None and a is not out):
        return
    if np.may_share_memory(out, a) and np.may_share_memory(out, a, max_work=OVERLAP_WORK):      # by bounds; if they meet, exactly
        raise ValueError(f"out: expected memory apart from {name}, received an overlapping array")


def unit_stride(a):
    """a, or a copy if its last axis is not laid out one after the other."""
    return a if a.shape[-1] <= 1 or a.strides[-1] == a.itemsize else np.ascontiguousarray(a)


def lengths(value, B, T):
    """(B,) int64 array of lengths in 0..T, or None."""
    if value is None:
        return None
    a = np.asarray(value)
    if a.dtype.kind not in "iu" and not (a.size == 0 and a.ndim == 1 and not hasattr(value, "dtype")):
        raise TypeError(f"lengths: expected integers, received dtype {a.dtype}")
    if a.shape != (B,):
        raise ValueError(f"lengths: expected shape (B,) = ({B},), received {shape_text(a.shape)}")
    if B and (a.min() < 0 or a.max() > T):
        wrong = int(a[(a < 0) | (a > T)][0])
        raise ValueError(f"lengths: expected values from 0 to T = {T}, received {wrong}")
    return np.ascontiguousarray(a, dtype=np.int64)


def mask(value, shape, axes):
    """A bool array of this shape."""
    a = np.asarray(value)
    if a.dtype != np.bool_:
        raise TypeError(f"mask: expected bool, True at valid steps, received dtype {a.dtype}")
    if a.shape != tuple(shape):
        raise ValueError(f"mask: expected shape {axes} = {shape_text(shape)}, received {shape_text(a.shape)}")
    return a


def threads(value):
    """None, or a thread count for one call."""
    return None if value is None else integer(value, "threads", 1, 1024)
