"""What a training step needs beside the layers: softmax, the squared norm, optimizer updates.

All arrays are C-contiguous and of one float type. Rows of a softmax and elements of an update are independent
and may be split between threads anywhere; the squared norm is split at its fixed blocks, whose sums are added
in index order. The equations are in csrc/train.h.
"""

from cython.parallel cimport prange
from libc.string cimport memset

from lstmc.kernels.contention cimport UPDATE, Region, enter, judge, kind_of, leave
from lstmc.kernels.core cimport Span, lstmc_kernels, lstmc_update, span, table
from lstmc.kernels.plan cimport threads_for

import numpy as np

# Elements per block of `sumsq`: SUM_BLOCK of train.h.
cdef enum: SUM_BLOCK = 4096


cdef Py_ssize_t size(Span s) noexcept nogil:
    cdef Py_ssize_t n = 1
    cdef int i
    for i in range(s.ndim):
        n *= s.shape[i]
    return n


cdef Span flat(str name, object array, Py_ssize_t n, Py_ssize_t itemsize, bint writable) except *:
    """The elements of a C-contiguous array that must have n of them (n < 0: any number)."""
    cdef Span s
    cdef Py_ssize_t got
    if not array.flags.c_contiguous:
        raise ValueError(f"{name}: expected a C-contiguous array")
    s = span(array, writable)
    got = size(s)
    if (n >= 0 and got != n) or (itemsize and s.itemsize != itemsize):
        raise ValueError(f"{name}: expected {n} elements of {itemsize} bytes, received {got} of {s.itemsize}")
    return s


# Softmax ---------------------------------------------------------------------------------------------------

def softmax(x, y, threads=None):
    """y = exp(x) / sum exp(x) along the last axis of (rows, n) arrays; x is not y."""
    cdef Span sx = flat("x", x, -1, 0, False), sy = flat("y", y, size(sx), sx.itemsize, True)
    cdef const lstmc_kernels *k = table(sx.itemsize)
    cdef Py_ssize_t es = sx.itemsize, rows = sx.shape[0], n = sx.shape[1], nt = threads_for(40.0 * rows * n, rows, threads), i
    for i in prange(nt, nogil=True, num_threads=nt, schedule="static", chunksize=1):
        k.softmax(sy.p + i * rows // nt * n * es, sx.p + i * rows // nt * n * es, (i + 1) * rows // nt - i * rows // nt, n)


def softmax_bwd(y, dy, dx, threads=None):
    """dx = y (dy - sum y dy) along the last axis of (rows, n) arrays; no two are the same."""
    cdef Span sy = flat("y", y, -1, 0, False), sdy = flat("dy", dy, size(sy), sy.itemsize, False)
    cdef Span sdx = flat("dx", dx, size(sy), sy.itemsize, True)
    cdef const lstmc_kernels *k = table(sy.itemsize)
    cdef Py_ssize_t es = sy.itemsize, rows = sy.shape[0], n = sy.shape[1], nt = threads_for(5.0 * rows * n, rows, threads), i, at
    for i in prange(nt, nogil=True, num_threads=nt, schedule="static", chunksize=1):
        at = i * rows // nt * n * es
        k.softmax_bwd(sdx.p + at, sy.p + at, sdy.p + at, (i + 1) * rows // nt - i * rows // nt, n)


# Squared norm ----------------------------------------------------------------------------------------------

def sumsq(array, threads=None):
    """Sum of squares of all elements, as a float64 number.

    A block of 4096 elements is summed in the array's precision, the blocks in float64.
    """
    cdef Span s = flat("array", array, -1, 0, False)
    cdef const lstmc_kernels *k = table(s.itemsize)
    cdef Py_ssize_t n = size(s), blocks = (n + SUM_BLOCK - 1) // SUM_BLOCK, nt = threads_for(2.0 * n, blocks, threads), i
    cdef double total = 0
    cdef double *p
    if nt == 1:
        with nogil:
            total = k.sumsq(s.p, n)
        return total
    parts = np.empty(blocks)
    p = <double *>span(parts, True).p
    for i in prange(blocks, nogil=True, num_threads=nt, schedule="static"):
        p[i] = k.sumsq(s.p + i * SUM_BLOCK * s.itemsize, min(<Py_ssize_t>SUM_BLOCK, n - i * SUM_BLOCK))
    for i in range(blocks):
        total += p[i]
    return total


# Updates ---------------------------------------------------------------------------------------------------

cdef enum Rule:
    ADAM, RMSPROP, SGD


cdef int update(Rule rule, object w, object g, object m, object v, lstmc_update u, object threads) except -1:
    cdef Span sw = flat("w", w, -1, 0, True), sg, sm, sv
    cdef const lstmc_kernels *k = table(sw.itemsize)
    cdef Py_ssize_t n = size(sw), es = sw.itemsize, nt = threads_for(10.0 * n, (n + 1023) // 1024, threads), i
    cdef Region region
    memset(&sm, 0, sizeof(sm))
    memset(&sv, 0, sizeof(sv))
    sg = flat("g", g, n, es, False)
    if m is not None:
        sm = flat("m", m, n, es, True)
    if v is not None:
        sv = flat("v", v, n, es, True)
    enter(&region, nt, False, kind_of(UPDATE, <int>rule, n, es))
    for i in prange(nt, nogil=True, num_threads=nt, schedule="static", chunksize=1):
        slice_of(k, rule, sw.p, sg.p, sm.p, sv.p, es, i * n // nt, (i + 1) * n // nt, &u)
        leave(&region, i)
    judge(&region)
    return 0


cdef void slice_of(const lstmc_kernels *k, Rule rule, char *w, char *g, char *m, char *v, Py_ssize_t es, Py_ssize_t n0,
                   Py_ssize_t n1, const lstmc_update *u) noexcept nogil:
    """Elements n0 .. n1-1 of one update; m may be NULL."""
    cdef Py_ssize_t at = n0 * es
    cdef char *moment = m + at if m != NULL else NULL
    if rule == ADAM:
        k.adam(w + at, g + at, moment, v + at, n1 - n0, u)
    elif rule == RMSPROP:
        k.rmsprop(w + at, g + at, moment, v + at, n1 - n0, u)
    else:
        k.sgd(w + at, g + at, moment, n1 - n0, u)


def adam(w, g, m, v, double lr, double beta1, double beta2, double eps, double decay=0.0, double scale=1.0, threads=None):
    """One Adam step in place on w, m and v. lr holds the bias correction; w first loses lr*decay of itself."""
    cdef lstmc_update u
    memset(&u, 0, sizeof(u))
    u.lr, u.beta1, u.beta2, u.eps, u.decay, u.scale = lr, beta1, beta2, eps, decay, scale
    update(ADAM, w, g, m, v, u, threads)


def rmsprop(w, g, m, v, double lr, double rho, double eps, double momentum=0.0, double decay=0.0, double scale=1.0,
            threads=None):
    """One RMSprop step in place on w, v and, with momentum, m (else None)."""
    cdef lstmc_update u
    memset(&u, 0, sizeof(u))
    u.lr, u.beta2, u.eps, u.momentum, u.decay, u.scale = lr, rho, eps, momentum, decay, scale
    update(RMSPROP, w, g, m, v, u, threads)


def sgd(w, g, m, double lr, double momentum=0.0, bint nesterov=False, double decay=0.0, double scale=1.0, threads=None):
    """One SGD step in place on w and, with momentum, m (else None)."""
    cdef lstmc_update u
    memset(&u, 0, sizeof(u))
    u.lr, u.momentum, u.nesterov, u.decay, u.scale = lr, momentum, nesterov, decay, scale
    update(SGD, w, g, m, None, u, threads)
