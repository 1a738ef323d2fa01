"""The rows of a batch, step by step.

Sequences are sorted by descending length, so the rows that are live at a step are a prefix and a (t, b) pair has
one number: pairs of step 0 first, then step 1, and so on, live pairs only. Tapes are stored in that order, and
sums over pairs run in an order that depends on the lengths alone, never on threads.

A step that a mask leaves out keeps the state, so a masked sequence is a shorter one whose steps have times of their own.

Packed arrays (N, features) have live pairs alone, those of time 0 first, sequences sorted as here: pair (t, j) is row offset[t] + j, which is
a masked sequence's arithmetic with other times and strides.

A large batch is trained in two bands, halves of its rows with a tape and sums over pairs of their own: then threads
of one band never need what those of the other wrote. Where the two have no cache in common, that is 5 to 30 % of the time.
If sequences differ in length, every other one of the sorted rows is in a band: both have as many steps, but for one sequence's.
A long one is trained in chunks of time, whose states are computed again: a chunk is a schedule too.
"""

from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from lstmc.kernels.core cimport LSTMC_KBLOCK, Span, span

import numpy as np

# Two bands from so many pairs and, on average over steps, live rows on, more of these if a core's own cache does not hold the weights, which each
# band passes at every step; and up to so many bytes of weights, for each band has sums as large. On two threads T10 B32 H50 takes 0.73 of the
# time of one band, T60 B12 and B16 H128 0.94, ragged T100 B32 H64 0.94; on one thread 1.00 to 1.03. Ragged B16, of which 8 are live, would take
# 1.02 to 1.07. These constants are part of the order of summation, so of every bit.
cdef enum:
    BAND_PAIRS = 256
    BAND_ROWS = 12
    BAND_FAR_ROWS = 24
    BAND_NEAR_WEIGHTS = 768 * 1024
    BAND_WEIGHTS = 3 * 1024 * 1024


cdef Py_ssize_t bands_of(const Rows *s, double weight_bytes, Py_ssize_t P) noexcept nogil:
    """Number of bands in which a layer with that much in its matrices and a projection to P (0: none) is trained."""
    cdef bint large = s.N >= BAND_PAIRS and s.N >= s.T * (BAND_ROWS if weight_bytes <= BAND_NEAR_WEIGHTS else BAND_FAR_ROWS)
    return MAX_BANDS if large and not P and weight_bytes <= BAND_WEIGHTS else 1


cdef Rows band_of(const Rows *s, Py_ssize_t b, Py_ssize_t bands) noexcept nogil:
    """The rows of band b, of a schedule or of a chunk of it."""
    cdef Rows band = s[0]
    cdef Py_ssize_t *at
    cdef Py_ssize_t i
    if bands == 1:
        return band
    if not s.ragged:
        band.first = b * s.B // bands
        band.B = (b + 1) * s.B // bands - band.first
        band.N = band.T * band.B
        return band
    at = s.offset + s.whole + 1
    for i in range(b + 1):
        band.B = (s.B + MAX_BANDS - 1 - i) // MAX_BANDS
        at = place(&band, at)
    band.N = row_of(&band, band.T)
    return band


cdef Py_ssize_t *place(Rows *s, Py_ssize_t *at) noexcept nogil:
    """The arrays of ragged rows, one after the other; returns where they end. Those of a schedule are followed by those of its bands."""
    s.perm, s.lens = at, at + s.B
    s.active = s.lens + s.B
    s.offset = s.active + s.whole
    return s.offset + s.whole + 1


cdef void sort_rows(Rows *s, const int64_t *lengths) noexcept nogil:
    """Rows by descending length, those of one length in their order; `offset` is scratch for where each length begins."""
    cdef Py_ssize_t j, t, n, at = 0
    memset(s.offset, 0, (s.whole + 1) * sizeof(Py_ssize_t))
    for j in range(s.B):
        s.offset[lengths[j]] += 1
    for t in range(s.whole, -1, -1):
        n, s.offset[t] = s.offset[t], at
        at += n
    for j in range(s.B):
        at = s.offset[lengths[j]]
        s.offset[lengths[j]] += 1
        s.perm[at], s.lens[at] = j, lengths[j]


cdef void count_live(Rows *s) noexcept nogil:
    """How many rows are live at each step, from their lengths."""
    cdef Py_ssize_t j = s.B, t
    s.N = 0
    for t in range(s.whole):
        while j > 0 and s.lens[j - 1] <= t:
            j -= 1
        s.active[t] = j
        s.offset[t] = s.N
        s.N += j
    s.offset[s.whole] = s.N


cdef Rows chunk_of(const Rows *s, Py_ssize_t t0, Py_ssize_t t1) noexcept nogil:
    """Steps t0 .. t1-1 of a whole schedule."""
    cdef Rows chunk = s[0]
    chunk.begin, chunk.T = t0, max(min(t1, s.T) - t0, 0)
    chunk.N = s.offset[t0 + chunk.T] - s.offset[t0] if s.ragged else chunk.T * s.B
    return chunk


cdef Py_ssize_t block_steps(const Rows *s, Py_ssize_t bands) noexcept nogil:
    """Steps whose pairs are summed from zero in a band's weight gradient: about LSTMC_KBLOCK pairs. Chunks of time must not cut them."""
    return max(LSTMC_KBLOCK * s.T // max(s.N // bands, 1), 1)


cdef Rows whole_rows(Py_ssize_t T, Py_ssize_t B) noexcept nogil:
    """B sequences of T steps."""
    cdef Rows s
    memset(&s, 0, sizeof(Rows))
    s.T, s.B, s.N, s.length = T if B else 0, B, T * B, T
    s.whole = s.T
    return s


def first_outside(lengths not None, Py_ssize_t T):
    """Index of the first of some int64 lengths that is not in 0..T, -1 if all are: two reductions of NumPy's take longer than all that is done
    with a batch's lengths."""
    cdef Span s = span(lengths)
    cdef Py_ssize_t i
    for i in range(s.shape[0]):
        if not 0 <= (<int64_t *>s.p)[i * s.stride[0]] <= T:
            return i
    return -1


cdef class Schedule:
    """Schedule(T, B, lengths=None, mask=None, packed=False): lengths is a C-contiguous int64 array of B values in 0..T; mask, instead, a
    (T, B) bool array of the steps that are valid; packed: of arrays with live pairs alone, for lengths that descend and are not all T."""

    def __cinit__(self, Py_ssize_t T, Py_ssize_t B, lengths=None, mask=None, bint packed=False):
        cdef Rows *s = &self.rows
        cdef int64_t *by_row
        cdef int64_t *times
        cdef Py_ssize_t *at
        cdef Py_ssize_t i, j, t, least = T, most = 0
        cdef Rows band
        s[0] = whole_rows(T, B)
        if mask is not None and B and T:
            lengths = mask.sum(0, dtype=np.int64)
        if lengths is None or B == 0:
            return
        by_row = <int64_t *>span(lengths).p
        for j in range(B):
            least, most = min(least, by_row[j]), max(most, by_row[j])
        if least == T:
            return
        s.ragged = True
        s.T = s.whole = most
        at = <Py_ssize_t *>malloc((4 * B + (1 + MAX_BANDS) * (2 * s.T + 1)) * sizeof(Py_ssize_t))
        if at == NULL:
            raise MemoryError
        place(s, at)
        sort_rows(s, by_row)
        count_live(s)
        for i in range(MAX_BANDS):
            band = band_of(s, i, MAX_BANDS)
            for j in range(band.B):
                band.perm[j], band.lens[j] = s.perm[i + MAX_BANDS * j], s.lens[i + MAX_BANDS * j]
            count_live(&band)
        if packed:
            s.packed, s.when = True, s.offset
            return
        if mask is None or np.array_equal(mask, np.arange(T)[:, None] < lengths):
            return
        valid_first = np.ascontiguousarray(np.argsort(~mask, axis=0, kind="stable").T, dtype=np.int64)
        times = <int64_t *>span(valid_first).p
        s.when_ld = T
        s.when = <Py_ssize_t *>malloc(B * T * sizeof(Py_ssize_t))
        if s.when == NULL:
            raise MemoryError
        for j in range(B):
            for t in range(T):
                s.when[j * T + t] = times[j * T + t]

    def __dealloc__(self):
        free(self.rows.perm)
        if not self.rows.packed:
            free(self.rows.when)

    @property
    def steps(self):
        """Steps of the longest sequence."""
        return self.rows.T

    @property
    def sequences(self):
        """B."""
        return self.rows.B

    @property
    def packed(self):
        """Whether arrays have live pairs alone."""
        return self.rows.packed

    @property
    def batch_sizes(self):
        """Live rows of each step, if ragged."""
        return np.array([self.rows.active[t] for t in range(self.rows.T)], np.int64)

    @property
    def ragged(self):
        """Whether a sequence ends before T, or leaves a step out."""
        return self.rows.ragged

    @property
    def live(self):
        """Number of live (t, b) pairs."""
        return self.rows.N


cdef Py_ssize_t step_of(const Rows *s, Py_ssize_t n) noexcept nogil:
    """The step that live pair n belongs to."""
    cdef Py_ssize_t low = 0, high = s.T - 1, mid
    if not s.ragged:
        return n // s.B
    while low < high:
        mid = (low + high + 1) // 2
        if row_of(s, mid) <= n:
            low = mid
        else:
            high = mid - 1
    return low
