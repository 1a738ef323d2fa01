"""Rows of a table that are looked up by number, and the sums of the gradients of each.

Arrays are C-contiguous. What is looked up is independent and split between threads anywhere. The values of one number are summed by a tree that
depends on how many they are alone, so no bit depends on threads, nor on which of two ways sorted the numbers.
"""

from cython cimport floating
from cython.parallel cimport prange
from libc.stdint cimport int64_t
from libc.string cimport memcpy, memset

from lstmc.kernels.arena cimport block, give_back
from lstmc.kernels.core cimport Span, span
from lstmc.kernels.plan cimport threads_for

import numpy as np

cdef enum:
    WORK = 16               # operations that moving one value is worth, by which the cost model measures
    SPARSE = 8              # rows of a table for each number from which on comparing sorts faster than counting
    LEVELS = 64             # of the tree of a sum


def gather(numbers, table, y, threads=None):
    """Write the rows of table (V, D) with these numbers (N,), of int64, to y (N, D); the place of the first number that is not from 0 to V - 1, after
    which nothing is written, or -1."""
    cdef Span sn = span(numbers), st = span(table), sy = span(y, True)
    cdef const int64_t *number = <const int64_t *>sn.p
    cdef Py_ssize_t N = sn.shape[0], V = st.shape[0], row = st.shape[1] * st.itemsize, nt, i
    if sn.itemsize != 8 or sn.ndim != 1 or st.ndim != 2 or sy.ndim != 2 or sy.shape[0] != N or sy.shape[1] != st.shape[1] or sy.itemsize != st.itemsize:
        raise ValueError(f"numbers, table, y: expected N numbers of 8 bytes and rows of one size, received {numbers.shape}, {table.shape}, {y.shape}")
    for i in range(N):
        if not 0 <= number[i] < V:
            return i
    nt = threads_for(<double>WORK * N * st.shape[1], N, threads)
    if nt == 1:
        with nogil:
            copy_rows(sy.p, st.p, number, row, 0, N)
    else:
        for i in prange(nt, nogil=True, num_threads=nt, schedule="static", chunksize=1):
            copy_rows(sy.p, st.p, number, row, i * N // nt, (i + 1) * N // nt)
    return -1


cdef void copy_rows(char *y, const char *table, const int64_t *number, Py_ssize_t row, Py_ssize_t n0, Py_ssize_t n1) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n0, n1):
        memcpy(y + i * row, table + number[i] * row, row)


def sum_rows(numbers, values, Py_ssize_t V, threads=None):
    """(numbers, sums): each of the numbers (N,), of int64 and from 0 to V - 1, once and in ascending order, and the sum of its rows of values (N, D)."""
    cdef Span sn = span(numbers), sv = span(values), so, sf
    cdef const int64_t *number = <const int64_t *>sn.p
    cdef Py_ssize_t N = sn.shape[0], D = sv.shape[1], runs = 0, nt, i
    cdef int64_t *order
    cdef int64_t *start
    cdef int64_t *first
    cdef char *spare
    cdef list keep = []
    if sn.itemsize != 8 or sn.ndim != 1 or sv.ndim != 2 or sv.shape[0] != N or sv.itemsize not in (4, 8):
        raise ValueError(f"numbers, values: expected N numbers of 8 bytes and N rows of floats, received {numbers.shape}, {values.shape}")
    for i in range(N):
        if not 0 <= number[i] < V:
            raise ValueError(f"numbers: expected numbers from 0 to {V - 1}, received {number[i]}")
    start = <int64_t *>block(keep, (N + 1) * sizeof(int64_t))
    if V <= SPARSE * N:
        order = <int64_t *>block(keep, N * sizeof(int64_t))
        first = <int64_t *>block(keep, (V + 1) * sizeof(int64_t))
        with nogil:
            sort_by_counting(order, number, N, first, V)
    else:
        sorting = np.argsort(numbers, kind="stable").astype(np.int64, copy=False)
        so = span(sorting)
        order = <int64_t *>so.p
    for i in range(N):
        if i == 0 or number[order[i]] != number[order[i - 1]]:
            start[runs] = i
            runs += 1
    start[runs] = N
    found, sums = np.empty(runs, np.int64), np.empty((runs, D), values.dtype)
    sf, so = span(found, True), span(sums, True)
    for i in range(runs):
        (<int64_t *>sf.p)[i] = number[order[start[i]]]
    nt = threads_for(<double>WORK * N * D, max(runs, 1), threads)
    spare = block(keep, nt * LEVELS * D * sv.itemsize)
    for i in prange(nt, nogil=True, num_threads=nt, schedule="static", chunksize=1):
        if sv.itemsize == 4:
            add_runs(<float *>so.p, <const float *>sv.p, order, start, run_at(start, runs, i * N // nt), run_at(start, runs, (i + 1) * N // nt), D,
                     <float *>spare + i * LEVELS * D)
        else:
            add_runs(<double *>so.p, <const double *>sv.p, order, start, run_at(start, runs, i * N // nt), run_at(start, runs, (i + 1) * N // nt), D,
                     <double *>spare + i * LEVELS * D)
    give_back(keep)
    return found, sums


cdef void sort_by_counting(int64_t *order, const int64_t *number, Py_ssize_t N, int64_t *first, Py_ssize_t V) noexcept nogil:
    """The order in which the numbers are sorted, equal ones as they come; first: V + 1, overwritten."""
    cdef Py_ssize_t i
    memset(first, 0, (V + 1) * sizeof(int64_t))
    for i in range(N):
        first[number[i] + 1] += 1
    for i in range(V):
        first[i + 1] += first[i]
    for i in range(N):
        order[first[number[i]]] = i
        first[number[i]] += 1


cdef Py_ssize_t run_at(const int64_t *start, Py_ssize_t runs, Py_ssize_t n) noexcept nogil:
    """The first run that starts at n or later."""
    cdef Py_ssize_t low = 0, high = runs, middle
    while low < high:
        middle = (low + high) // 2
        if start[middle] < n:
            low = middle + 1
        else:
            high = middle
    return low


cdef void add_runs(floating *sums, const floating *values, const int64_t *order, const int64_t *start, Py_ssize_t r0, Py_ssize_t r1, Py_ssize_t D,
                   floating *spare) noexcept nogil:
    cdef Py_ssize_t r
    for r in range(r0, r1):
        add_rows(sums + r * D, values, order + start[r], start[r + 1] - start[r], D, spare)


cdef void add_rows(floating *into, const floating *values, const int64_t *order, Py_ssize_t n, Py_ssize_t D, floating *spare) noexcept nogil:
    """The sum of n rows of values: that of the first 2^k of them, as many as are less than n, plus that of the others."""
    cdef Py_ssize_t half = 1, c
    cdef const floating *a = values + order[0] * D
    cdef const floating *b
    if n == 1:
        memcpy(into, a, D * sizeof(floating))
        return
    while 2 * half < n:
        half *= 2
    if half > 1:
        add_rows(into, values, order, half, D, spare)
        a = into
    b = values + order[half] * D
    if n > half + 1:
        add_rows(spare, values, order + half, n - half, D, spare + D)
        b = spare
    for c in range(D):
        into[c] = a[c] + b[c]
