"""What a step of training does element by element with arrays of a batch: small ones, for which NumPy's functions take microseconds each, most of them
for code that nothing else of a step runs. Bits are NumPy's, and so is the work on arrays of other layouts and dtypes.
"""

from lstmc.kernels.core cimport Span, lstmc_kernels, row_major, span, table

import numpy as np


cdef Py_ssize_t size(const Span *s) noexcept nogil:
    cdef Py_ssize_t n = 1
    cdef int i
    for i in range(s.ndim):
        n *= s.shape[i]
    return n


def times(a, b):
    """a b, as a new array; b is an array or a number of NumPy's."""
    cdef Span sa, sb, sy
    cdef Py_ssize_t n, whole, i
    cdef const lstmc_kernels *k
    cdef bint number = b.shape == ()
    if type(a) is not np.ndarray or a.dtype is not b.dtype or a.dtype.char not in "fd" or a.ndim > 4 or not (number or a.shape == b.shape):
        return a * b
    y = np.empty(a.shape, a.dtype)
    sa, sb, sy = span(a), span(b), span(y, True)
    n, k = size(&sy), table(sy.itemsize)
    if not row_major(&sa) or not row_major(&sb) or size(&sa) != n or size(&sb) != (1 if number else n):
        return a * b
    with nogil:
        whole = 0 if number else n // k.vl * k.vl
        if whole:
            k.multiply(sy.p, sa.p, sb.p, whole)
        if sa.itemsize == 4:
            for i in range(whole, n):
                (<float *>sy.p)[i] = (<float *>sa.p)[i] * (<float *>sb.p)[0 if number else i]
        else:
            for i in range(whole, n):
                (<double *>sy.p)[i] = (<double *>sa.p)[i] * (<double *>sb.p)[0 if number else i]
    return y


def total(values, double count):
    """The sum of the values (float64), each times `count`: a float."""
    cdef Span s
    if type(values) is np.ndarray and values.dtype.char == "d" and values.ndim <= 4:
        s = span(values)
        if row_major(&s):
            return sum_of(<const double *>s.p, size(&s), count)
    return float(np.add.reduce(values * count, None))


cdef double sum_of(const double *v, Py_ssize_t n, double count) noexcept nogil:
    """NumPy's tree, as in csrc/loss.h."""
    cdef Py_ssize_t half, i = 0
    cdef double s[8]
    cdef double found = 0
    if n > 128:
        half = n // 2 - n // 2 % 8
        return sum_of(v, half, count) + sum_of(v + half, n - half, count)
    if n >= 8:
        for i in range(8):
            s[i] = v[i] * count
        for i in range(8, n - n % 8):
            s[i % 8] += v[i] * count
        found = ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]))
    for i in range(n - n % 8 if n >= 8 else 0, n):
        found += v[i] * count
    return found
