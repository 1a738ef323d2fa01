# loss.pxd -- what train.pyx does inside with the arrays of losses: their elements, rows, sums and products.
#
# Values and gradients of a batch are small arrays, for which NumPy's functions take microseconds each, most of them for code that nothing else
# of a step runs. Sums and products here have NumPy's bits.
from libc.stdint cimport int64_t

from lstmc.kernels.core cimport Span, lstmc_kernels, row_major, span
from lstmc.kernels.update cimport moved


cdef inline Py_ssize_t size(Span s) noexcept nogil:
    cdef Py_ssize_t n = 1
    cdef int i
    for i in range(s.ndim):
        n *= s.shape[i]
    return n


cdef inline Span flat(str name, object array, Py_ssize_t n, Py_ssize_t itemsize, bint writable) except *:
    """The elements of a C-contiguous array that must have n of them (n < 0: any number)."""
    cdef Span s
    cdef Py_ssize_t got
    s = span(array, writable)
    if not row_major(&s) and size(s):
        raise ValueError(f"{name}: expected a C-contiguous array")
    got = size(s)
    if (n >= 0 and got != n) or (itemsize and s.itemsize != itemsize):
        raise ValueError(f"{name}: expected {n} elements of {itemsize} bytes, received {got} of {s.itemsize}")
    return s


cdef inline void some_rows(bint crossed, const lstmc_kernels *k, char *values, char *d, const char *p, const char *y, char *labels, Py_ssize_t r0, Py_ssize_t r1,
                           Py_ssize_t n) noexcept nogil:
    """Rows r0 .. r1-1 of a loss."""
    cdef Py_ssize_t at = r0 * n * k.itemsize
    if crossed:
        k.crossentropy(<double *>moved(values, r0 * 8), moved(d, at), p + at, y + at, <const int64_t *>moved(labels, r0 * 8), r1 - r0, n)
    else:
        k.squared_error(<double *>moved(values, r0 * 8), moved(d, at), p + at, y + at, r1 - r0, n)


cdef inline double sum_of(const double *v, Py_ssize_t n, double count) noexcept nogil:
    """The sum of n values, each times `count`: NumPy's tree, as in csrc/loss.h."""
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


cdef inline void multiply(const lstmc_kernels *k, char *y, const char *a, const char *b, Py_ssize_t n, bint number) noexcept nogil:
    """y = a b of n elements; number: b is one."""
    cdef Py_ssize_t i, whole = 0 if number else n // k.vl * k.vl
    if whole:
        k.multiply(y, a, b, whole)
    if k.itemsize == 4:
        for i in range(whole, n):
            (<float *>y)[i] = (<const float *>a)[i] * (<const float *>b)[0 if number else i]
    else:
        for i in range(whole, n):
            (<double *>y)[i] = (<const double *>a)[i] * (<const double *>b)[0 if number else i]
