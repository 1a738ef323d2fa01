"""The threads of one call.

Usually a thread owns rows of the batch for the whole time loop and needs no other thread. With few rows and recurrent
weights too large to read fast on one core, the threads share all rows, each owns a part of the units, and waits at every
step for what the others own of h. A step may have several walks, stages, each of which needs what all have made in the one
before. Chains run over that in the order of its owners, so a thread whose own part comes early begins with it, and threads
that follow each other at a distance need not wait. Where threads lose their cores to other processes, the first goes on
alone (and contention.pyx hears of it). Nothing of this changes a bit of the result.
"""

from cpython.exc cimport PyErr_CheckSignals
from cpython.ref cimport Py_INCREF, Py_DECREF
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from lstmc.kernels.contention cimport at_most, judge
from lstmc.kernels.core cimport balanced, lstmc_operand
from lstmc.kernels.plan cimport can_start, plan_of
from lstmc.kernels.schedule cimport len_of

import os
import threading

cdef extern from "pythread.h":
    unsigned long PyThread_get_thread_ident() noexcept nogil

# Seconds between looks at the clock, and between questions to Python, for which a thread needs the interpreter's lock.
LOOK_SECONDS = 5e-3
ASK_SECONDS = 50e-3

cdef double look_seconds = LOOK_SECONDS, ask_seconds = ASK_SECONDS
# Python handles signals in this thread alone. Others must not ask inside a parallel region: when the interpreter ends, a thread that waits
# for its lock is ended where it stands, and the OpenMP library frees what such a thread did not own.
cdef unsigned long main_thread

# What a step costs a thread beside its rows, in rows: reading the weights. With 3 two threads take 2 to 4 % longer for T100 B32 H64.
cdef enum: STEP_ROWS = 1


def better_alone(long long_waits, double waited, double seconds, Py_ssize_t n):
    """Whether the first of n threads goes on alone after so many long waits, `waited` of all `seconds`."""
    return bool(lstmc_better_alone(long_waits, waited, seconds, n))


cdef void look(Stop *s) noexcept nogil:
    """Ask Python for signals if it was not asked for a while and this is its main thread; look again when about LOOK seconds have passed."""
    cdef double now = lstmc_clock()
    cdef Py_ssize_t steps = s.every
    if steps == 0:
        s.asked = now
        s.every = 1
    else:
        s.every = max(min(<Py_ssize_t>(look_seconds * steps / max(now - s.looked, 1e-9)), 16 * steps), <Py_ssize_t>1)
    s.left, s.looked = s.every - 1, now
    if now - s.asked > ask_seconds and PyThread_get_thread_ident() == main_thread:
        s.asked = now
        ask(s)


def _note_main_thread():
    global main_thread
    main_thread = threading.main_thread().ident


_note_main_thread()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_main_thread)


cdef void ask(Stop *s) noexcept with gil:
    try:
        PyErr_CheckSignals()
    except BaseException as error:      # whatever the handler raises ends the call
        Py_INCREF(error)
        s.error = <void *>error
        lstmc_raise_flag(&s.stopped)


cdef int raise_error(Stop *s) except -1:
    """Raise what ended the call, after its parallel region."""
    cdef object error
    if s.error == NULL:
        return 0
    error = <object>s.error
    s.error = NULL
    Py_DECREF(error)
    raise error


cdef Plan plan_of_call(const Load *load, object threads, dict forced) except *:
    """The plan of one whole sequence, with as many threads as can be had and as there are cores for at present, and the entries that tests
    force. Once a call: its jobs must agree."""
    cdef Plan plan = plan_of(load, threads, at_most())
    cdef Py_ssize_t n = plan.at_once * plan.threads, started = can_start(n)
    if started < n:
        plan = plan_of(load, threads, started)
        can_start(plan.at_once * plan.threads)     # fewer still, perhaps
    if forced is not None:
        plan.one_by_one, plan.alone_from = forced.get("one_by_one", False), forced.get("alone_from", 0)
    return plan


cdef int deal(Team *team, const Rows *s, const Plan *plan, Py_ssize_t parts) except -1:
    """Deal the rows as planned; parts: groups of units, of which each sharing thread gets one at least."""
    cdef Py_ssize_t B = s.B, nt, i
    memset(team, 0, sizeof(Team))
    team.shared, team.eager, team.one_by_one = plan.shared, plan.eager, plan.one_by_one
    nt = team.threads = min(plan.threads, parts) if team.shared else max(min(plan.threads, B), 1)
    team.tiles_each = padded(B + 1, sizeof(lstmc_tile))
    team.tiles = <lstmc_tile *>malloc(nt * team.tiles_each * sizeof(lstmc_tile))
    team.row = <Py_ssize_t *>malloc((nt + 1) * sizeof(Py_ssize_t))
    if team.tiles == NULL or team.row == NULL:
        raise MemoryError
    if team.shared:
        team.progress = <lstmc_progress *>malloc(nt * sizeof(lstmc_progress))
        if team.progress == NULL:
            raise MemoryError
        memset(team.progress, 0, nt * sizeof(lstmc_progress))
        team.progress[0].alone_from, team.progress[0].start = plan.alone_from, lstmc_clock()
    if s.ragged and nt > 1 and not team.shared:
        deal_ragged(team, s)
        return 0
    for i in range(nt + 1):
        team.row[i] = i * B // nt
    return 0


cdef void deal_ragged(Team *team, const Rows *s) noexcept:
    """Consecutive rows of descending length, so that the work of the busiest thread is the least that can be."""
    cdef Py_ssize_t low = 0, high = s.N + STEP_ROWS * s.T, middle
    while low < high:
        middle = (low + high) // 2
        if fits(team, s, middle):
            high = middle
        else:
            low = middle + 1
    fits(team, s, high)


cdef bint fits(Team *team, const Rows *s, Py_ssize_t most) noexcept:
    """Deal so that no thread but the last has more work than `most`; whether the last has not either."""
    cdef Py_ssize_t i, j = 0, work = 0
    for i in range(team.threads):
        team.row[i] = j
        work = STEP_ROWS * len_of(s, j) if j < s.B else 0
        while j < s.B and (work + len_of(s, j) <= most or i == team.threads - 1):
            work += len_of(s, j)
            j += 1
    team.row[team.threads] = s.B
    return work <= most


cdef Py_ssize_t cut_tiles(const Team *team, Py_ssize_t i, Py_ssize_t low, Py_ssize_t high, Py_ssize_t mr) noexcept nogil:
    """Cut thread i's rows within low <= j < high into tiles, in its scratch; returns their number."""
    cdef Py_ssize_t a = max(first_row(team, i), low), b = min(end_row(team, i), high)
    return balanced(tiles_of(team, i), a, b - a, mr) if a < b else 0


cdef Py_ssize_t shares(const Team *team, Py_ssize_t jobs, Py_ssize_t n) noexcept nogil:
    """Shares of each of so many jobs if n threads came, fewer perhaps than were asked for: threads that divide units must
    all be there, shares of rows are taken one after the other."""
    return max(n // jobs, 1) if team.shared else team.threads


cdef void join(Member *m, const Team *team, const lstmc_kernels *k, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    """Thread i of the n that came."""
    memset(m, 0, sizeof(Member))
    m.team, m.k, m.i, m.n, m.sharing, m.stages = team, k, i, n, team.shared, 1


cdef void divide(Member *m) noexcept nogil:
    """Give each stage the groups of this thread: all, unless it shares them with others."""
    cdef Py_ssize_t j, i = m.i if m.sharing else 0, n = m.n if m.sharing else 1
    cdef Stage *s
    for j in range(m.stages):
        s = &m.stage[j]
        s.walk.q0, s.walk.q1 = i * s.groups // n, (i + 1) * s.groups // n
        if s.sums != NULL:
            s.walk.sums = s.sums + sums_bytes(s.walk.q0, end_row(m.team, i), m.k.mr)


cdef bint may_begin(const Member *m) noexcept nogil:
    """Whether this thread begins another stage; one that shares waits for thread 0, which may go on alone."""
    if m.sharing and m.i:
        lstmc_wait_for(m.team.progress, m.i, 0, m.epoch)
        return not lstmc_alone_after(m.team.progress, m.epoch)
    return True


cdef void wait_for_all(const Member *m) noexcept nogil:
    """Until those that this thread shares with have finished what it has."""
    cdef Py_ssize_t j
    for j in range(m.n if m.sharing else 0):
        lstmc_wait_for(m.team.progress, m.i, j, m.epoch)


cdef void walk_stage(const Member *m, Stage *s) noexcept nogil:
    """The walk of a stage. Who shares follows the owners of what it reads, as far as these have come: who waits has done what it could,
    so it costs nothing that a thread is somewhat later than those before it."""
    cdef lstmc_walk *a = &s.walk
    cdef const lstmc_operand *read = &a.product[a.n_products - 1].a[a.product[a.n_products - 1].n_operands - 1]
    cdef Py_ssize_t k0 = a.k0, K = a.k1, j = 0, to, row, p
    if not m.sharing:
        m.k.walk(a)
    if not m.sharing or a.q0 == a.q1:
        return
    while j < m.n:
        to = wait_from(m.team, m.n, m.i, j, m.epoch)
        if read.n_full == 1 and (to > m.i + 1 or j != m.i):      # not its own part alone: what others wrote comes from their caches
            for row in range(a.tiles[a.n_tiles - 1].row + a.tiles[a.n_tiles - 1].mr):
                for p in range(made_by(s, j, m.n) // m.k.nu, (made_by(s, to, m.n) + m.k.nu - 1) // m.k.nu):
                    lstmc_prefetch(<const char *>read.a + row * read.row_stride * m.k.itemsize + p * LSTMC_BLOCK_BYTES)
        j = to
        a.ends = j == m.n
        a.k1 = K if a.ends else min(s.first + made_by(s, j, m.n), K)
        if a.k0 < a.k1 or a.ends:
            m.k.walk(a)
            a.k0, a.begins = a.k1, False
    a.k0, a.begins = k0, True


cdef void cut_rows(const Member *m, Py_ssize_t *low, Py_ssize_t *high) noexcept nogil:
    """Of these rows of its, those that a stage of whole rows is this thread's to make."""
    cdef Py_ssize_t first = low[0], rows = high[0] - first
    if m.sharing:
        low[0], high[0] = first + m.i * rows // m.n, first + (m.i + 1) * rows // m.n


cdef Py_ssize_t made_by(const Stage *s, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    """How many of the values that a stage reads the first i of n threads make."""
    return min(i * s.made // n * s.each, s.most)


cdef bint end_stage(Member *m, bint stop) noexcept nogil:
    """This thread has finished a stage; stop: it is the first, and the call ends. Whether it goes on alone just now: then all groups are its."""
    if not m.sharing:
        return False
    m.epoch += 1
    if stop:
        lstmc_go_alone(m.team.progress, m.epoch)
    if not lstmc_arrive(m.team.progress, m.n, m.i, m.epoch):
        return False
    m.sharing = False
    divide(m)
    return True


cdef Py_ssize_t wait_from(const Team *team, Py_ssize_t n, Py_ssize_t i, Py_ssize_t j, long epoch) noexcept nogil:
    """Wait until thread j has finished `epoch`, or all have if the team is not eager; the first thread after it that has not,
    n if all have."""
    lstmc_wait_for(team.progress, i, j, epoch)
    j += 1
    while j < n and not team.one_by_one and (not team.eager or lstmc_reached(team.progress, j, epoch)):
        lstmc_wait_for(team.progress, i, j, epoch)
        j += 1
    return j


cdef void end(Region *r, const lstmc_progress *progress) noexcept nogil:
    """After a parallel region that came to its end; progress: of the team of its first thread, NULL if that waited for nobody."""
    if progress != NULL:
        r.waited, r.spun, r.gave_up = progress[0].waited, progress[0].spun, progress[0].gave_up
    judge(r)


cdef Py_ssize_t padded(Py_ssize_t n, Py_ssize_t size) noexcept nogil:
    """Items from one thread's n items to the next thread's, so that no two threads write to one cache line."""
    return n + 128 // size


cdef void release(Team *team) noexcept:
    free(team.tiles)
    free(team.row)
    free(team.progress)
    memset(team, 0, sizeof(Team))
