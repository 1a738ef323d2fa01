"""Dropout masks: 0 where an element is dropped, else 1/(1-p), as a function of seed, step, layer, purpose and position.

The word that decides about (sequence, time, unit) is that of csrc/random.h, so a mask does not change with the shape it
is part of, with threads, or with the instruction set. Rows of units are independent and divided between threads.
"""

from cython.parallel cimport prange
from libc.stdint cimport uint32_t, uint64_t

from lstmc.kernels.core cimport Span, lstmc_kernels, span, table
from lstmc.kernels.plan cimport threads_for

# Operations that take as long as one element of a mask, by which the cost model measures (plan.pyx).
cdef enum: WORK = 200
# Sequences, times and groups of four units are counted in 32 bits.
cdef enum: MOST = 0xFFFFFFFF
# In place of a probability: words are asked for.
cdef enum: RAW = -1


cdef Key key_of(uint64_t seed, uint64_t step, uint32_t layer, uint32_t purpose) except *:
    """The key of one call's masks."""
    cdef Key key
    table(4).derive(key.words, seed, step, layer, purpose)
    return key


def derived_key(uint64_t seed, uint64_t step, uint32_t layer, uint32_t purpose):
    """The two words of the key, for tests and for showing."""
    cdef Key key = key_of(seed, step, layer, purpose)
    return key.words[0], key.words[1]


def keep_mask(out, double p, uint64_t seed, uint64_t step, uint32_t layer, uint32_t purpose, threads=None, Py_ssize_t first=0):
    """Fill `out` with 0 where an element is dropped, which has probability p, and with 1/(1-p) elsewhere.

    Parameters
    ----------
    out : ndarray
        (T, B, W) of float32 or float64: times, sequences, units. Units lie one after the other, other strides are any.
        A mask that is fixed in time has T = 1.
    p : float
        At least 0 and below 1.
    seed, step, layer, purpose : int
        What the key is derived from; see `Purpose`.
    threads : int, optional
    first : int
        Number of the first sequence.
    """
    if out.dtype.kind != "f":
        raise TypeError(f"out: expected float32 or float64, received {out.dtype}")
    if not 0 <= p < 1:
        raise ValueError(f"p: expected at least 0 and below 1, received {p}")
    fill_all(out, p, key_of(seed, step, layer, purpose), threads, first)


def words(out, uint64_t seed, uint64_t step, uint32_t layer, uint32_t purpose, threads=None, Py_ssize_t first=0):
    """Fill `out`, of uint32 and otherwise as of `keep_mask`, with the words themselves."""
    if out.dtype != "uint32":
        raise TypeError(f"out: expected uint32, received {out.dtype}")
    fill_all(out, RAW, key_of(seed, step, layer, purpose), threads, first)


cdef void fill_all(out, double p, Key key, threads, Py_ssize_t first) except *:
    cdef Span s = span(out, True)
    cdef const lstmc_kernels *k = table(s.itemsize)
    cdef Py_ssize_t T, B, W, rows, nt, i
    if s.ndim != 3:
        raise ValueError(f"out: expected 3 axes (time, sequence, unit), received {s.ndim}")
    T, B, W = s.shape[0], s.shape[1], s.shape[2]
    if W > 1 and s.stride[2] != 1:
        raise ValueError(f"out: expected units one after the other, received a stride of {s.stride[2]}")
    if T > MOST or not 0 <= first <= MOST or B > MOST - first or W // 4 > MOST:
        raise ValueError(f"out: expected at most 2**32 - 1 times and sequences and 2**34 units, received {out.shape} from sequence {first}")
    rows = T * B
    nt = threads_for(<double>WORK * rows * W, rows, threads)
    if nt == 1:
        with nogil:
            fill(k, &s, &key, p, first, 0, rows)
        return
    for i in prange(nt, nogil=True, num_threads=nt, schedule="static", chunksize=1):
        fill(k, &s, &key, p, first, i * rows // nt, (i + 1) * rows // nt)


cdef void fill(const lstmc_kernels *k, const Span *s, const Key *key, double p, Py_ssize_t first, Py_ssize_t r0, Py_ssize_t r1) noexcept nogil:
    """Rows r0 .. r1-1 of a mask, or of words if p is RAW, counted along time and, within it, sequences."""
    cdef Py_ssize_t r, t, b
    cdef char *row
    for r in range(r0, r1):
        t, b = r // s.shape[1], r % s.shape[1]
        row = s.p + (t * s.stride[0] + b * s.stride[1]) * s.itemsize
        if p == RAW:
            k.words_row(<uint32_t *>row, s.shape[2], key.words, <uint32_t>t, <uint32_t>(first + b))
        else:
            k.keep_rows(row, s.shape[2], key.words, p, <uint32_t>t, <uint32_t>(first + b))
