"""The threads of one call.

Usually a thread owns rows of the batch for the whole time loop and needs no other thread. With few rows and
recurrent weights too large to read fast on one core, the threads share all rows, each owns a part of the units,
and waits at every step for what the others own of h. Chains run over h in the order of its owners, so a thread whose
own part comes early begins with it, and threads that follow each other at a distance need not wait. A crew whose threads lose their cores to other processes dissolves, the first goes on
alone, and for a while no other is formed. Nothing of this changes a bit of the result.
"""

from libc.stdlib cimport free, malloc
from libc.string cimport memset

from lstmc.kernels.core cimport balanced

from lstmc.kernels.plan import CREW_REST_SECONDS

cdef double crew_rest_seconds = CREW_REST_SECONDS
# Until then nobody shares, because a crew has just lost a core.
cdef double rest = 0

# For tests: whether threads that share do one part of a step after the other.
cdef bint each_alone = False

# For tests: the epoch at which every sharing crew dissolves; 0: only when threads wait long.
cdef long solo_from = 0


def dissolve_at(long epoch):
    """Make every sharing crew dissolve after this many steps, 0 for never without need. For tests."""
    global solo_from
    solo_from = epoch


def one_by_one(bint on):
    """Make threads that share take the parts of h one by one even if more of them are there. For tests."""
    global each_alone
    each_alone = on


def rest_for(double seconds):
    """Let no crew share for so long, as if one had just dissolved; 0 ends it. For tests."""
    global rest
    rest = lstmc_clock() + seconds if seconds else 0


cdef void consider_rest(Plan *plan) noexcept nogil:
    """Plan without sharing for as long as a crew that has just dissolved says. Once a call: its strands must agree."""
    if plan.shared and rest and lstmc_clock() <= rest:
        plan.shared, plan.threads = False, plan.apart


cdef int gather(Crew *crew, const Rows *s, const Plan *plan, Py_ssize_t parts, Py_ssize_t mr) except -1:
    """Deal the row tiles as planned; parts: groups of units, of which each sharing thread gets one at least."""
    cdef Py_ssize_t B = s.B, nt, i, n, live
    memset(crew, 0, sizeof(Crew))
    crew.shared, crew.eager = plan.shared, plan.eager
    nt = crew.threads = min(plan.threads, parts) if crew.shared else max(min(plan.threads, B), 1)
    n = nt * B if crew.shared else B + nt
    live = n + nt * apart(0, sizeof(lstmc_tile))
    crew.tiles = <lstmc_tile *>malloc((n + live + B + 1) * sizeof(lstmc_tile))
    crew.first = <Py_ssize_t *>malloc((2 * nt + 1 + B) * sizeof(Py_ssize_t))
    if crew.tiles == NULL or crew.first == NULL:
        raise MemoryError
    crew.live = crew.tiles + n
    if crew.shared:
        crew.flags = <lstmc_flag *>malloc(nt * sizeof(lstmc_flag))
        if crew.flags == NULL:
            raise MemoryError
        memset(crew.flags, 0, nt * sizeof(lstmc_flag))
        crew.flags[0].solo, crew.flags[0].since = solo_from, lstmc_clock()
    if s.ragged and nt > 1 and not crew.shared:
        deal_ragged(crew, s, mr, crew.live + live)
        return 0
    crew.first[0] = n = 0
    for i in range(nt):
        if crew.shared:
            n += balanced(crew.tiles + n, 0, B, mr)
        else:
            n += balanced(crew.tiles + n, i * B // nt, (i + 1) * B // nt - i * B // nt, mr)
        crew.first[i + 1] = n
    return 0


cdef void deal_ragged(Crew *crew, const Rows *s, Py_ssize_t mr, lstmc_tile *cut) noexcept:
    """Tiles in order of descending length, each to the thread with the least work so far."""
    cdef Py_ssize_t nt = crew.threads, i, j, n, at = 0, best
    cdef Py_ssize_t *load = crew.first + nt + 1
    cdef Py_ssize_t *owner = load + nt
    for i in range(nt):
        load[i] = 0
    n = balanced(cut, 0, s.B, min(mr, max(s.B // nt, 1)))
    for i in range(n):
        best = 0
        for j in range(1, nt):
            if load[j] < load[best]:
                best = j
        owner[i] = best
        for j in range(cut[i].row, cut[i].row + cut[i].mr):
            load[best] += s.lens[j]
    for j in range(nt):
        crew.first[j] = at
        for i in range(n):
            if owner[i] == j:
                crew.tiles[at] = cut[i]
                at += 1
    crew.first[nt] = at


cdef Py_ssize_t shares(const Crew *crew, Py_ssize_t strands, Py_ssize_t n) noexcept nogil:
    """Shares of each of so many strands if n threads came, fewer perhaps than were asked for: threads that divide units
    must all be there, shares of rows are taken one after the other."""
    return max(n // strands, 1) if crew.shared else crew.threads


cdef bint may_go_on(const Crew *crew, Py_ssize_t i, long epoch) noexcept nogil:
    """Whether thread i, which shares, may begin what comes after `epoch`; it waits for thread 0, which may have dissolved the crew."""
    if i:
        lstmc_await(crew.flags, i, 0, epoch)
        return not lstmc_left(crew.flags, epoch)
    return True


cdef Py_ssize_t await_from(const Crew *crew, Py_ssize_t n, Py_ssize_t i, Py_ssize_t j, long epoch) noexcept nogil:
    """Wait until thread j has finished `epoch`, or all have if the crew is not eager; the first thread after it that has not,
    n if all have."""
    lstmc_await(crew.flags, i, j, epoch)
    j += 1
    while j < n and not each_alone and (not crew.eager or lstmc_told(crew.flags, j, epoch)):
        lstmc_await(crew.flags, i, j, epoch)
        j += 1
    return j


cdef Py_ssize_t apart(Py_ssize_t n, Py_ssize_t size) noexcept nogil:
    """Items from one thread's n items to the next thread's, so that no two threads write to one cache line."""
    return n + 128 // size


cdef lstmc_tile *live_of(const Crew *crew, Py_ssize_t i) noexcept nogil:
    """Thread i's scratch for tiles."""
    return crew.live + crew.first[i] + i * apart(0, sizeof(lstmc_tile))


cdef Py_ssize_t live_tiles(const Crew *crew, Py_ssize_t i, Py_ssize_t low, Py_ssize_t high) noexcept nogil:
    """Fill thread i's scratch with the parts of its tiles in rows low <= j < high; returns their number."""
    cdef lstmc_tile *out = live_of(crew, i)
    cdef Py_ssize_t n = 0, a, b, q
    for q in range(crew.first[i], crew.first[i + 1]):
        a = max(crew.tiles[q].row, low)
        b = min(crew.tiles[q].row + crew.tiles[q].mr, high)
        if a < b:
            out[n].row = a
            out[n].mr = b - a
            n += 1
    return n


cdef void dismiss(Crew *crew) noexcept:
    global rest
    if crew.flags != NULL and crew.flags[0].tired:
        rest_for(crew_rest_seconds)
    free(crew.tiles)
    free(crew.first)
    free(crew.flags)
    memset(crew, 0, sizeof(Crew))
