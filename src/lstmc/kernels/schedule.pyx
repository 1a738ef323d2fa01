"""The rows of a batch, step by step.

Sequences are sorted by descending length, so the rows that are live at a step are a prefix and a (t, b) pair has
one number: pairs of step 0 first, then step 1, and so on, live pairs only. Tapes are stored in that order, and
sums over pairs run in it; it depends on the lengths alone, never on threads.
"""

from libc.stdlib cimport free, malloc

from lstmc.kernels.core cimport balanced, lstmc_tile

import numpy as np


cdef class Schedule:
    """Schedule(T, B, lengths=None): lengths is a C-contiguous int64 array of B values in 0..T."""

    def __cinit__(self, Py_ssize_t T, Py_ssize_t B, lengths=None):
        cdef const long long[::1] by_row
        cdef const long long[::1] order
        cdef Rows *s = &self.rows
        cdef Py_ssize_t j, t
        s.T, s.B, s.N = T if B else 0, B, T * B
        if lengths is None or B == 0 or (lengths == T).all():
            return
        s.ragged = True
        by_row = lengths
        order = np.argsort(-lengths, kind="stable").astype(np.longlong, copy=False)
        s.T = by_row[order[0]]
        s.perm = <Py_ssize_t *>malloc((2 * B + 2 * s.T) * sizeof(Py_ssize_t))
        if s.perm == NULL:
            raise MemoryError
        s.lens = s.perm + B
        s.active = s.lens + B
        s.offset = s.active + s.T
        for j in range(B):
            s.perm[j] = order[j]
            s.lens[j] = by_row[order[j]]
        s.N = 0
        j = B
        for t in range(s.T):
            while j > 0 and s.lens[j - 1] <= t:
                j -= 1
            s.active[t] = j
            s.offset[t] = s.N
            s.N += j

    def __dealloc__(self):
        free(self.rows.perm)

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
        if s.offset[mid] <= n:
            low = mid
        else:
            high = mid - 1
    return low


cdef int deal(Team *team_, const Rows *s, Py_ssize_t mr) except -1:
    """Give each of team_.threads threads its tiles: even slices, or ragged tiles to the least loaded thread."""
    cdef Py_ssize_t nt = team_.threads, B = s.B, i, j, n, at, best
    cdef Py_ssize_t *load
    team_.tiles = <lstmc_tile *>malloc(3 * (B + nt) * sizeof(lstmc_tile))
    team_.first = <Py_ssize_t *>malloc((2 * nt + 1 + B) * sizeof(Py_ssize_t))
    if team_.tiles == NULL or team_.first == NULL:
        raise MemoryError
    team_.live = team_.tiles + B + nt
    if nt == 1 or not s.ragged:
        n = 0
        for i in range(nt):
            team_.first[i] = n
            n += balanced(team_.tiles + n, i * B // nt, (i + 1) * B // nt - i * B // nt, mr)
        team_.first[nt] = n
        return 0
    load = team_.first + nt + 1
    cdef Py_ssize_t *owner = load + nt
    cdef lstmc_tile *cut = team_.live + B + nt
    for i in range(nt):
        load[i] = 0
    n = balanced(cut, 0, B, min(mr, max(B // nt, 1)))
    for i in range(n):
        best = 0
        for j in range(1, nt):
            if load[j] < load[best]:
                best = j
        owner[i] = best
        for j in range(cut[i].row, cut[i].row + cut[i].mr):
            load[best] += s.lens[j]
    at = 0
    for j in range(nt):
        team_.first[j] = at
        for i in range(n):
            if owner[i] == j:
                team_.tiles[at] = cut[i]
                at += 1
    team_.first[nt] = at
    return 0


cdef Py_ssize_t live_tiles(const Team *team_, Py_ssize_t i, Py_ssize_t low, Py_ssize_t high) noexcept nogil:
    """Fill thread i's scratch with the parts of its tiles in rows low <= j < high; returns their number."""
    cdef lstmc_tile *out = team_.live + team_.first[i]
    cdef Py_ssize_t n = 0, a, b, q
    for q in range(team_.first[i], team_.first[i + 1]):
        a = max(team_.tiles[q].row, low)
        b = min(team_.tiles[q].row + team_.tiles[q].mr, high)
        if a < b:
            out[n].row = a
            out[n].mr = b - a
            n += 1
    return n


cdef void undeal(Team *team_) noexcept:
    free(team_.tiles)
    free(team_.first)
    team_.tiles = NULL
    team_.first = NULL
