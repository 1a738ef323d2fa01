# schedule.pxd -- the rows of a (possibly ragged) batch, step by step.
from lstmc.kernels.core cimport Span


cdef struct Rows:
    Py_ssize_t T, B, N           # steps that have a live row, sequences, live (t, b) pairs
    Py_ssize_t first             # sequence of row 0, if not ragged
    bint ragged
    Py_ssize_t *perm             # [B] sorted row -> sequence; NULL with the others when not ragged
    Py_ssize_t *lens             # [B] length of a sorted row
    Py_ssize_t *active           # [T] live rows
    Py_ssize_t *offset           # [T] live pairs before step t


cdef class Schedule:
    cdef Rows rows


cdef enum:
    MAX_BANDS = 2


cdef Py_ssize_t bands_of(const Rows *s, Py_ssize_t I, Py_ssize_t R, Py_ssize_t H, Py_ssize_t P, Py_ssize_t itemsize) noexcept nogil
cdef Rows band_of(const Rows *s, Py_ssize_t b, Py_ssize_t bands) noexcept nogil
cdef Py_ssize_t step_of(const Rows *s, Py_ssize_t n) noexcept nogil


cdef inline Py_ssize_t n_active(const Rows *s, Py_ssize_t t) noexcept nogil:
    return s.active[t] if s.ragged else s.B


cdef inline Py_ssize_t row_of(const Rows *s, Py_ssize_t t) noexcept nogil:
    """Number of the first live pair of step t."""
    return s.offset[t] if s.ragged else t * s.B


cdef inline Py_ssize_t seq(const Rows *s, Py_ssize_t j) noexcept nogil:
    return s.perm[j] if s.ragged else s.first + j


cdef inline Py_ssize_t len_of(const Rows *s, Py_ssize_t j) noexcept nogil:
    return s.lens[j] if s.ragged else s.T


cdef inline char *x_at(const Span *x, const Rows *s, Py_ssize_t t, Py_ssize_t j, bint reverse) noexcept nogil:
    """Where step t of sorted row j is in an array (T, B, features): reverse starts at the last valid step."""
    cdef Py_ssize_t time = len_of(s, j) - 1 - t if reverse else t
    return x.p + (time * x.stride[0] + seq(s, j) * x.stride[1]) * x.itemsize
