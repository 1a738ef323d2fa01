# team.pxd -- the threads of one call: what each owns, and how those that share rows wait for each other.
from lstmc.kernels.clock cimport lstmc_clock, lstmc_cpu_clock
from lstmc.kernels.contention cimport Region
from lstmc.kernels.core cimport LSTMC_BLOCK_BYTES, LSTMC_MAX_ACC, lstmc_kernels, lstmc_tile, lstmc_walk
from lstmc.kernels.plan cimport Load, Plan
from lstmc.kernels.schedule cimport Rows

cdef extern from *:
    """
    #ifdef _OPENMP
    #include <omp.h>
    static inline int lstmc_team_size(void) { return omp_get_num_threads(); }
    #else
    static inline int lstmc_team_size(void) { return 1; }
    #endif

    #define LSTMC_PATIENCE 2        /* long waits before thread 0 considers to go on alone */
    /* Whether thread 0 of n, which has worked in all but `waited` of those seconds, would be further had it done all alone. */
    static inline int lstmc_better_alone(long long_waits, double waited, double seconds, Py_ssize_t n)
    {
        return long_waits >= LSTMC_PATIENCE && waited > (n - 1) * (seconds - waited);
    }

    /* The progress of one thread, a cache line of its own. An epoch is a stage of a step of the sequence, counted from 1. */
    #include "system.h"
    #define LSTMC_SPINS 2000        /* polls, a few microseconds, before a waiting thread yields its core at every poll */
    #define LSTMC_LONG 200e-6       /* seconds that make a wait long: the other thread has lost its core, or was asleep */
    typedef struct {
        long epoch;                 /* the last one that this thread has finished */
        long alone_from;            /* of thread 0: the epoch from which on it works alone, 0: never */
        long long_waits, gave_up;
        double start, waited, spun; /* seconds: when the call began; how long thread 0 has waited, and what of that it had a core */
        char pad[64 - 4 * sizeof(long) - 3 * sizeof(double)];
    } lstmc_progress;

    static inline int lstmc_reached(const lstmc_progress *team, Py_ssize_t j, long epoch)
    {
        return __atomic_load_n(&team[j].epoch, __ATOMIC_ACQUIRE) >= epoch;
    }
    /* whether thread 0 works alone after `epoch`; known to those who have waited for it to reach that epoch */
    static inline int lstmc_alone_after(const lstmc_progress *team, long epoch)
    {
        const long from = __atomic_load_n(&team[0].alone_from, __ATOMIC_RELAXED);
        return from && epoch >= from;
    }
    static inline int lstmc_flag(const int *p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }
    static inline void lstmc_raise_flag(int *p) { __atomic_store_n(p, 1, __ATOMIC_RELAXED); }
    /* thread i waits until thread j has finished `epoch` */
    static inline void lstmc_wait_for(lstmc_progress *team, Py_ssize_t i, Py_ssize_t j, long epoch)
    {
        double since = 0, cpu = 0;
        for (long spins = 0; !lstmc_reached(team, j, epoch); spins++) {
            if (spins == LSTMC_SPINS && i == 0) since = lstmc_clock(), cpu = lstmc_cpu_clock();
            if (spins >= LSTMC_SPINS) lstmc_yield();
    #if defined(__x86_64__) || defined(__i386__)
            else if (spins % 16 == 15) __builtin_ia32_pause();
    #endif
        }
        if (since > 0) {
            const double waited = lstmc_clock() - since;
            team[0].waited += waited;
            team[0].spun += lstmc_cpu_clock() - cpu;
            team[0].long_waits += waited > LSTMC_LONG;
        }
    }
    static inline void lstmc_consider_alone(lstmc_progress *team, Py_ssize_t n, long epoch)
    {
        if (!team[0].long_waits || team[0].alone_from) return;
        if (!lstmc_better_alone(team[0].long_waits, team[0].waited, lstmc_clock() - team[0].start, n)) return;
        team[0].gave_up = 1;
        __atomic_store_n(&team[0].alone_from, epoch, __ATOMIC_RELAXED);
    }
    /* Thread i has finished `epoch`. Thread 0 may decide here to go on alone: then it waits for what the others still write, and
     * 1 is returned. */
    static inline int lstmc_arrive(lstmc_progress *team, Py_ssize_t n, Py_ssize_t i, long epoch)
    {
        if (i == 0) lstmc_consider_alone(team, n, epoch);
        __atomic_store_n(&team[i].epoch, epoch, __ATOMIC_RELEASE);
        if (i || !lstmc_alone_after(team, epoch)) return 0;
        for (Py_ssize_t j = 1; j < n; j++) lstmc_wait_for(team, 0, j, epoch);
        return 1;
    }
    /* Thread 0 will work alone after `epoch`, which it is about to finish. */
    static inline void lstmc_go_alone(lstmc_progress *team, long epoch)
    {
        if (!team[0].alone_from) __atomic_store_n(&team[0].alone_from, epoch, __ATOMIC_RELAXED);
    }
    /* All wait for all; whether thread 0 works alone from here on. */
    static inline int lstmc_barrier(lstmc_progress *team, Py_ssize_t n, Py_ssize_t i, long epoch)
    {
        lstmc_arrive(team, n, i, epoch);
        for (Py_ssize_t j = 0; j < n; j++) lstmc_wait_for(team, i, j, epoch);
        return lstmc_alone_after(team, epoch);
    }
    #define lstmc_prefetch(p) __builtin_prefetch(p)
    """
    int lstmc_team_size() noexcept nogil
    int lstmc_flag(const int *p) noexcept nogil
    void lstmc_raise_flag(int *p) noexcept nogil
    ctypedef struct lstmc_progress:
        long epoch, alone_from, gave_up
        double start, waited, spun
    int lstmc_reached(const lstmc_progress *team, Py_ssize_t j, long epoch) noexcept nogil
    bint lstmc_alone_after(const lstmc_progress *team, long epoch) noexcept nogil
    void lstmc_wait_for(lstmc_progress *team, Py_ssize_t i, Py_ssize_t j, long epoch) noexcept nogil
    bint lstmc_better_alone(long long_waits, double waited, double seconds, Py_ssize_t n) noexcept nogil
    bint lstmc_arrive(lstmc_progress *team, Py_ssize_t n, Py_ssize_t i, long epoch) noexcept nogil
    void lstmc_go_alone(lstmc_progress *team, long epoch) noexcept nogil
    bint lstmc_barrier(lstmc_progress *team, Py_ssize_t n, Py_ssize_t i, long epoch) noexcept nogil
    void lstmc_prefetch(const void *p) noexcept nogil


cdef struct Team:
    Py_ssize_t threads       # asked for; a team that shares works with those that came
    bint shared, eager, one_by_one       # as in the plan
    Py_ssize_t *row          # [threads + 1]: thread i has sorted rows row[i] .. row[i+1]-1; sharing, all have all
    lstmc_tile *tiles        # scratch for the tiles of each thread, with a gap between threads
    Py_ssize_t tiles_each
    lstmc_progress *progress # [threads] if shared


cdef enum: MAX_STAGES = 3

# A part of each step that needs all of the one before. Mostly a walk, of which threads that share divide the groups: its chains run over `first` values that are there already, then over what
# the stage before has made, in the order of its groups: `each` values in each of `made` groups, as far as they lie so, which is `most`.
cdef struct Stage:
    lstmc_walk walk
    bint in_rows             # no walk: what is made of whole rows, which they divide
    Py_ssize_t groups
    Py_ssize_t first, made, each, most
    char *sums               # of threads that share: what waits for values of others, [groups][tiles of all rows]


# Thread i of the n of a team, at work.
cdef struct Member:
    const Team *team
    const lstmc_kernels *k
    Py_ssize_t i, n
    bint sharing             # with the others; no longer, once thread 0 is alone
    long epoch               # stages that it has finished
    Py_ssize_t stages
    Stage stage[MAX_STAGES]


# Signals during a call: the thread that called, if it is Python's main thread, asks for them every now and then, and all stop at their next step.
cdef struct Stop:
    int stopped
    void *error              # the exception that a signal's handler raised, owned
    Py_ssize_t left, every   # steps until the clock is looked at again
    double looked, asked     # when it was, and when Python was asked


cdef void look(Stop *s) noexcept nogil
cdef int raise_error(Stop *s) except -1
cdef Plan plan_of_call(const Load *load, object threads, dict forced) except *
cdef int deal(Team *team, const Rows *s, const Plan *plan, Py_ssize_t parts) except -1
cdef Py_ssize_t shares(const Team *team, Py_ssize_t jobs, Py_ssize_t n) noexcept nogil
cdef void join(Member *m, const Team *team, const lstmc_kernels *k, Py_ssize_t i, Py_ssize_t n) noexcept nogil
cdef void divide(Member *m) noexcept nogil
cdef bint may_begin(const Member *m) noexcept nogil
cdef void wait_for_all(const Member *m) noexcept nogil
cdef void walk_stage(const Member *m, Stage *s) noexcept nogil
cdef void cut_rows(const Member *m, Py_ssize_t *low, Py_ssize_t *high) noexcept nogil
cdef bint end_stage(Member *m, bint stop) noexcept nogil
cdef void end(Region *r, const lstmc_progress *progress) noexcept nogil
cdef Py_ssize_t padded(Py_ssize_t n, Py_ssize_t size) noexcept nogil
cdef void release(Team *team) noexcept


cdef inline bint must_stop(Stop *s, bint caller) noexcept nogil:
    """Whether the call ends here; asked at each step. caller: this thread is the one that called."""
    if caller:
        s.left -= 1
        if s.left < 0:
            look(s)
    return lstmc_flag(&s.stopped)


cdef inline Py_ssize_t first_row(const Team *team, Py_ssize_t i) noexcept nogil:
    return 0 if team.shared else team.row[i]


cdef inline Py_ssize_t end_row(const Team *team, Py_ssize_t i) noexcept nogil:
    return team.row[team.threads] if team.shared else team.row[i + 1]


cdef inline Py_ssize_t sums_bytes(Py_ssize_t groups, Py_ssize_t B, Py_ssize_t mr) noexcept nogil:
    """Of the sums of so many groups of B rows."""
    return groups * ((B + mr - 1) // mr) * LSTMC_MAX_ACC * LSTMC_BLOCK_BYTES


cdef inline lstmc_tile *tiles_of(const Team *team, Py_ssize_t i) noexcept nogil:
    """Thread i's scratch for tiles."""
    return team.tiles + i * team.tiles_each


cdef Py_ssize_t cut_tiles(const Team *team, Py_ssize_t i, Py_ssize_t low, Py_ssize_t high, Py_ssize_t mr) noexcept nogil
