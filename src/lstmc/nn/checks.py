"""What a call may be given. Every error names the argument, what was expected and what was received.

Nothing is cast in a way that loses information and nothing is written; arrays are viewed, and copied only where
the kernels cannot follow their memory (foreign byte order, odd alignment).
"""

import math
import operator
import reprlib
import sys

import numpy as np

from lstmc.kernels.schedule import first_outside

LITERALS = {float, int, bool, complex, str, type(None)}     # Python's values, which have no dtype
FLOAT_NAMES = {"float32", "float64", "float", "single", "double", "f", "d", *(f"{order}f{n}" for order in ("", "<", ">", "=") for n in (4, 8))}
MOST = 2**50            # elements: more than any address space holds; below it no size that is computed in the kernels overflows
NESTED = 64             # axes that an array can have
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


def size(value, name, low=1):
    """value as an int that may be the length of an axis."""
    n = integer(value, name, low)
    if n > MOST:
        raise ValueError(f"{name}: expected a size that fits into memory, received {n}")
    return n


def probability(value, name):
    """value as a float in [0, 1)."""
    found = number(value, name)
    if not 0 <= found < 1:
        raise ValueError(f"{name}: expected at least 0 and below 1, received {value}")
    return found


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


def at_least_0(value, name):
    """value as a finite float that is not negative."""
    found = number(value, name)
    if found < 0:
        raise ValueError(f"{name}: expected at least 0, received {value}")
    return found


def positive(value, name):
    """value as a finite float above 0."""
    found = number(value, name)
    if found <= 0:
        raise ValueError(f"{name}: expected above 0, received {value}")
    return found


def flag(value, name):
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name}: expected True or False, received {value!r}")
    return bool(value)


def float_dtype(dtype):
    try:        # other strings are parsed, as a record's fields, or are names that NumPy warns of
        found = None if dtype is None or (isinstance(dtype, str) and dtype not in FLOAT_NAMES) else np.dtype(dtype)
    except (SyntaxError, TypeError, ValueError):
        found = None
    if found is None or found not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise ValueError(f"dtype: expected 'float32' or 'float64', received {reprlib.repr(dtype)}")
    return np.dtype(found.type)


def is_plain(value, dtype):
    """Whether value is an array that kernels take as it is, as most are; found in a few attribute look-ups."""
    return type(value) is np.ndarray and value.dtype is dtype and value.flags.aligned


def array(value, name, dtype):
    """value as an array of exactly this dtype in native order and alignment; Python's numbers, in lists too, take the dtype.

    Raises TypeError for another dtype, also that of one array or NumPy number in a list: a cast, if it is wanted, belongs into the
    caller's text.
    """
    if is_plain(value, dtype):
        return value
    typed = has_dtype(value, name)
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
    cast = f"; if a cast is meant, write it: np.asarray(..., {str(dtype)!r})" if a.dtype.kind in "fiu" else ""
    received = a.dtype if a.ndim or a.dtype != object else "None" if value is None else type(value).__name__
    raise TypeError(f"{name}: expected dtype {dtype}, received {received}{cast}")


def has_dtype(value, name, depth=0):
    """Whether value, or something in its lists, is an array, a NumPy number or memory with a dtype of its own. Raises if part of it is masked."""
    if type(value) in LITERALS or depth > NESTED:
        return False
    if isinstance(value, np.ndarray):
        if is_masked(value):
            raise ValueError(f"{name}: expected no masked values, which a plain array cannot tell from others, received "
                             f"{np.ma.count_masked(value)} of {value.size}; fill them, as with filled(0)")
        return True
    if isinstance(value, np.generic) or any(hasattr(value, a) for a in ("dtype", "__array__", "__array_interface__", "__array_struct__")):
        return True
    if hasattr(value, "__len__") and hasattr(value, "__getitem__") and not lends_memory(value):
        try:
            values = list(value)
        except TypeError:               # a dtype, for instance, which has fields but does not count them
            return False
        found = [] if LITERALS.issuperset(map(type, values)) else [has_dtype(v, name, depth + 1) for v in values]
        return any(found)       # not before all have been looked at, because each may be masked
    return lends_memory(value)


def is_masked(a):
    """Whether an array hides values; nobody can have such an array who has not imported numpy.ma."""
    return type(a) is not np.ndarray and "numpy.ma" in sys.modules and np.ma.is_masked(a)


def lends_memory(value):
    """Whether value has the buffer protocol, as memoryview and array.array have."""
    try:
        memoryview(value)
    except TypeError:
        return False
    return True


def is_table(value):
    """Whether value is an array of two axes, or another package's: a DataFrame, a tensor."""
    return len(getattr(value, "shape", ())) == 2 and (isinstance(value, np.ndarray) or hasattr(value, "__array__"))


def plain(value, name):
    """np.asarray(value), if no masked value would come out bare."""
    has_dtype(value, name)
    return np.asarray(value)


def shaped(value, name, dtype, shape, axes):
    """`array` of one shape; axes names its letters for the message."""
    a = array(value, name, dtype)
    if a.shape != tuple(shape):
        raise ValueError(f"{name}: expected shape {axes} = {shape_text(shape)}, received {shape_text(a.shape)}")
    return a


def output(value, dtype, shape, axes):
    """value, if it can receive a result, as a plain ndarray: a writable array of this dtype and shape with unit feature stride."""
    writable(value, dtype)
    if type(value) is not np.ndarray:
        value = value.view(np.ndarray)
    if value.shape != tuple(shape):
        raise ValueError(f"out: expected shape {axes} = {shape_text(shape)}, received {shape_text(value.shape)}")
    flags = value.flags
    if not flags.writeable or not flags.aligned:
        raise ValueError("out: expected a writable, aligned array, received "
                         f"{'a read-only' if not flags.writeable else 'an unaligned'} one")
    if value.shape[-1] > 1 and value.strides[-1] != value.itemsize and value.size:
        raise ValueError(f"out: expected features one after the other (a last stride of {value.itemsize} bytes), "
                         f"received strides {value.strides}")
    if overlaps_itself(value):
        raise ValueError(f"out: expected elements that have memory of their own each, received shape {shape_text(value.shape)} with strides "
                         f"{value.strides}")
    return value


def writable(out, dtype):
    """Raise TypeError if `out` is no array of this dtype; a masked one would hide what is written to it."""
    if not isinstance(out, np.ndarray) or out.dtype != dtype:
        raise TypeError(f"out: expected an ndarray of {dtype}, received {getattr(out, 'dtype', type(out).__name__)}")
    if is_masked(out):
        raise TypeError(f"out: expected an ndarray without a mask, received {np.ma.count_masked(out)} masked values of {out.size}")


def overlaps_itself(a):
    """Whether elements of an array whose last axis is dense share memory."""
    if not a.size or a.flags.c_contiguous:
        return False
    width = reach = a.shape[-1] * a.itemsize
    for stride, n in sorted((abs(s), n) for s, n in zip(a.strides[:-1], a.shape[:-1], strict=True) if n > 1):
        if stride < reach:
            break
        reach += stride * (n - 1)
    else:
        return False                # every axis steps over all of those below
    starts = np.zeros(1, np.intp)
    for stride, n in zip(a.strides[:-1], a.shape[:-1], strict=True):
        starts = np.add.outer(starts, np.arange(n) * stride).ravel()
    return bool((np.diff(np.sort(starts)) < width).any())


def apart(out, name, a):
    """Raise if `out` has an element in common with the argument a, of whatever type: NumPy finds the memory of both."""
    if a is None:
        return
    a = np.asarray(a)
    if a is not out and a.flags.owndata and out.flags.owndata:
        return
    if np.may_share_memory(out, a) and np.may_share_memory(out, a, max_work=OVERLAP_WORK):      # by bounds; if they meet, exactly
        raise ValueError(f"out: expected memory apart from {name}, received an overlapping array")


def unit_stride(a):
    """a, or a copy if its last axis is not laid out one after the other."""
    return a if a.shape[-1] <= 1 or a.strides[-1] == a.itemsize else np.ascontiguousarray(a)


def lengths(value, B, T, name="lengths"):
    """(B,) int64 array of lengths in 0..T, or None; a copy, so that what is checked here stays so."""
    if value is None:
        return None
    a = np.array(plain(value, name))
    if a.dtype.kind not in "iu" and not (a.size == 0 and a.ndim == 1 and not hasattr(value, "dtype")):
        raise TypeError(f"{name}: expected integers, received dtype {a.dtype}")
    if a.shape != (B,):
        raise ValueError(f"{name}: expected shape (B,) = ({B},), received {shape_text(a.shape)}")
    found = np.ascontiguousarray(a, dtype=np.int64)
    wrong = first_outside(found, T)         # an unsigned one beyond int64 is negative there
    if wrong >= 0:
        raise ValueError(f"{name}: expected values from 0 to T = {T}, received {int(a[wrong])}")
    return found


def mask(value, shape, axes):
    """A bool array of this shape."""
    a = plain(value, "mask")
    if a.dtype != np.bool_:
        raise TypeError(f"mask: expected bool, True at valid steps, received dtype {a.dtype}")
    if a.shape != tuple(shape):
        raise ValueError(f"mask: expected shape {axes} = {shape_text(shape)}, received {shape_text(a.shape)}")
    return a


def threads(value):
    """None, or a thread count for one call."""
    return None if value is None else integer(value, "threads", 1, 1024)
