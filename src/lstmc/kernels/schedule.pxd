# schedule.pxd -- the rows of a (possibly ragged) batch, step by step.
from lstmc.kernels.core cimport Span


cdef struct Rows:
    Py_ssize_t T, B, N           # steps that have a live row, sequences, live (t, b) pairs
    Py_ssize_t first             # sequence of row 0, if not ragged
    Py_ssize_t begin             # step 0 is this one of the whole schedule: more than 0 in a chunk of time
    Py_ssize_t whole             # steps of the whole schedule
    Py_ssize_t length            # of all sequences, if not ragged
    bint ragged
    bint packed                  # arrays have a row for each live pair, in their order: `when` is `offset`
    Py_ssize_t *perm             # [B] sorted row -> sequence; NULL with the others when not ragged
    Py_ssize_t *lens             # [B] length of a sorted row
    Py_ssize_t *active           # [T] live rows
    Py_ssize_t *offset           # [T + 1] live pairs before step t
    Py_ssize_t *when             # [sequence][whole T] the time of each of its valid steps; NULL: they are the first
    Py_ssize_t when_ld


cdef class Schedule:
    cdef Rows rows


cdef enum:
    MAX_BANDS = 2


cdef Py_ssize_t bands_of(const Rows *s, double weight_bytes, Py_ssize_t P) noexcept nogil
cdef Rows band_of(const Rows *s, Py_ssize_t b, Py_ssize_t bands) noexcept nogil
cdef Rows chunk_of(const Rows *s, Py_ssize_t t0, Py_ssize_t t1) noexcept nogil
cdef Py_ssize_t block_steps(const Rows *s, Py_ssize_t bands) noexcept nogil
cdef Py_ssize_t step_of(const Rows *s, Py_ssize_t n) noexcept nogil


cdef inline Py_ssize_t n_active(const Rows *s, Py_ssize_t t) noexcept nogil:
    return s.active[s.begin + t] if s.ragged else s.B


cdef inline Py_ssize_t n_beyond(const Rows *s) noexcept nogil:
    """Rows that go on after the last step of a chunk."""
    return 0 if s.begin + s.T >= s.whole else n_active(s, s.T)


cdef inline Py_ssize_t row_of(const Rows *s, Py_ssize_t t) noexcept nogil:
    """Number of the first live pair of step t; of step T, the number of live pairs."""
    return s.offset[s.begin + t] - s.offset[s.begin] if s.ragged else t * s.B


cdef inline Py_ssize_t seq(const Rows *s, Py_ssize_t j) noexcept nogil:
    return s.perm[j] if s.ragged else s.first + j


cdef inline Py_ssize_t len_of(const Rows *s, Py_ssize_t j) noexcept nogil:
    """Steps of sorted row j; in a chunk, those within it."""
    cdef Py_ssize_t n = (s.lens[j] if s.ragged else s.length) - s.begin
    return 0 if n < 0 else s.T if n > s.T else n


cdef inline Py_ssize_t time_of(const Rows *s, Py_ssize_t t, Py_ssize_t j, bint reverse) noexcept nogil:
    """The time at which sorted row j takes step t: reverse starts at the last valid one."""
    cdef Py_ssize_t time = s.begin + t
    if reverse:
        time = (s.lens[j] if s.ragged else s.length) - 1 - time
    return time if s.when == NULL else s.when[seq(s, j) * s.when_ld + time]


cdef Rows whole_rows(Py_ssize_t T, Py_ssize_t B) noexcept nogil


cdef inline Span by_time(Span a, const Rows *s) noexcept nogil:
    """An array of a call as one of (T, B, features): a packed one (N, features) has its row of a time and a sequence at their sum."""
    if s.packed:
        a.stride[2], a.stride[1] = a.stride[1], a.stride[0]
    return a


cdef inline char *x_at(const Span *x, const Rows *s, Py_ssize_t t, Py_ssize_t j, bint reverse) noexcept nogil:
    """Where step t of sorted row j is in an array (T, B, features)."""
    return x.p + (time_of(s, t, j, reverse) * x.stride[0] + seq(s, j) * x.stride[1]) * x.itemsize
