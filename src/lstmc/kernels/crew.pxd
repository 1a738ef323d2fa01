# crew.pxd -- the threads of one call: what each owns, and where those that share rows meet.
from lstmc.kernels.core cimport lstmc_tile
from lstmc.kernels.plan cimport Plan
from lstmc.kernels.schedule cimport Rows

cdef extern from *:
    """
    #ifdef _OPENMP
    #include <omp.h>
    static inline int lstmc_crew_size(void) { return omp_get_num_threads(); }
    static inline double lstmc_clock(void) { return omp_get_wtime(); }
    #else
    static inline int lstmc_crew_size(void) { return 1; }
    static inline double lstmc_clock(void) { return 0; }
    #endif

    /* One cache line a thread. tell: this thread has finished `epoch`. await: until thread j has; it spins for some
     * microseconds, then yields the processor each time, so that an oversubscribed machine goes on. When thread 0 has
     * waited long more than once, and so long that it would be further alone, it dissolves the crew: from the epoch in `solo` on it works alone, and the others leave;
     * left: whether that epoch has come, for those who have awaited thread 0. meet: tell, and await all; whether the crew
     * has dissolved. Nothing waits here between calls. */
    #if defined(__GNUC__) || defined(__clang__)
    #include <sched.h>
    #define LSTMC_CAN_MEET 1
    #define LSTMC_SPINS 2000        /* a few microseconds */
    #define LSTMC_LONG 200e-6       /* seconds that make a wait long: another thread has lost its core, or was asleep at first */
    #define LSTMC_PATIENCE 2        /* long waits before it is considered whether thread 0 should go on alone */
    typedef struct { long epoch, solo, waits, tired; double since, waited; char apart[64 - 4 * sizeof(long) - 2 * sizeof(double)]; } lstmc_flag;
    static inline int lstmc_told(const lstmc_flag *flags, Py_ssize_t j, long epoch)
    {
        return __atomic_load_n(&flags[j].epoch, __ATOMIC_ACQUIRE) >= epoch;
    }
    static inline int lstmc_left(const lstmc_flag *flags, long epoch)
    {
        const long solo = __atomic_load_n(&flags[0].solo, __ATOMIC_RELAXED);
        return solo && epoch >= solo;
    }
    static inline void lstmc_await(lstmc_flag *flags, Py_ssize_t i, Py_ssize_t j, long epoch)
    {
        double since = 0;
        for (long spins = 0; !lstmc_told(flags, j, epoch); spins++) {
            if (spins == LSTMC_SPINS) since = lstmc_clock();
            if (spins >= LSTMC_SPINS) sched_yield();
    #if defined(__x86_64__) || defined(__i386__)
            else if (spins % 16 == 15) __builtin_ia32_pause();
    #endif
        }
        if (i == 0 && since) {
            const double waited = lstmc_clock() - since;
            flags[0].waited += waited;
            flags[0].waits += waited > LSTMC_LONG;
        }
    }
    static inline int lstmc_tell(lstmc_flag *flags, Py_ssize_t n, Py_ssize_t i, long epoch)
    {
        if (i == 0 && flags[0].waits >= LSTMC_PATIENCE && !flags[0].solo && flags[0].waited * n > (n - 1) * (lstmc_clock() - flags[0].since)) {
            flags[0].tired = 1;
            __atomic_store_n(&flags[0].solo, epoch, __ATOMIC_RELAXED);
        }
        __atomic_store_n(&flags[i].epoch, epoch, __ATOMIC_RELEASE);
        if (i || !lstmc_left(flags, epoch)) return 0;
        for (Py_ssize_t j = 1; j < n; j++) lstmc_await(flags, 0, j, epoch);
        return 1;
    }
    static inline int lstmc_meet(lstmc_flag *flags, Py_ssize_t n, Py_ssize_t i, long epoch)
    {
        lstmc_tell(flags, n, i, epoch);
        for (Py_ssize_t j = 0; j < n; j++) lstmc_await(flags, i, j, epoch);
        return lstmc_left(flags, epoch);
    }
    #define lstmc_prefetch(p) __builtin_prefetch(p)
    #else
    #define LSTMC_CAN_MEET 0
    typedef struct { long epoch, solo, waits, tired; double since, waited; } lstmc_flag;
    static int lstmc_told(const lstmc_flag *flags, Py_ssize_t j, long epoch) { return 1; }
    static int lstmc_left(const lstmc_flag *flags, long epoch) { return 0; }
    static void lstmc_await(lstmc_flag *flags, Py_ssize_t i, Py_ssize_t j, long epoch) {}
    static int lstmc_tell(lstmc_flag *flags, Py_ssize_t n, Py_ssize_t i, long epoch) { return 0; }
    static int lstmc_meet(lstmc_flag *flags, Py_ssize_t n, Py_ssize_t i, long epoch) { return 0; }
    #define lstmc_prefetch(p) ((void)(p))
    #endif
    """
    int lstmc_crew_size() noexcept nogil
    double lstmc_clock() noexcept nogil     # seconds; 0 where there are no threads
    ctypedef struct lstmc_flag:
        long epoch, solo, tired
        double since
    int lstmc_told(const lstmc_flag *flags, Py_ssize_t j, long epoch) noexcept nogil
    bint lstmc_left(const lstmc_flag *flags, long epoch) noexcept nogil
    void lstmc_await(lstmc_flag *flags, Py_ssize_t i, Py_ssize_t j, long epoch) noexcept nogil
    bint lstmc_tell(lstmc_flag *flags, Py_ssize_t n, Py_ssize_t i, long epoch) noexcept nogil
    void lstmc_prefetch(const void *p) noexcept nogil
    bint lstmc_meet(lstmc_flag *flags, Py_ssize_t n, Py_ssize_t i, long epoch) noexcept nogil
    bint LSTMC_CAN_MEET


cdef struct Crew:
    Py_ssize_t threads       # asked for; a shared crew works with those that came
    bint shared, eager       # as in the plan
    lstmc_tile *tiles        # all tiles, thread after thread, ascending rows within a thread
    lstmc_tile *live         # scratch of the same size, with a gap between threads
    Py_ssize_t *first        # [threads + 1]
    lstmc_flag *flags        # [threads] if shared


cdef void consider_rest(Plan *plan) noexcept nogil
cdef int gather(Crew *crew, const Rows *s, const Plan *plan, Py_ssize_t parts, Py_ssize_t mr) except -1
cdef Py_ssize_t shares(const Crew *crew, Py_ssize_t strands, Py_ssize_t n) noexcept nogil
cdef bint may_go_on(const Crew *crew, Py_ssize_t i, long epoch) noexcept nogil
cdef Py_ssize_t await_from(const Crew *crew, Py_ssize_t n, Py_ssize_t i, Py_ssize_t j, long epoch) noexcept nogil
cdef Py_ssize_t apart(Py_ssize_t n, Py_ssize_t size) noexcept nogil
cdef lstmc_tile *live_of(const Crew *crew, Py_ssize_t i) noexcept nogil
cdef void dismiss(Crew *crew) noexcept
cdef Py_ssize_t live_tiles(const Crew *crew, Py_ssize_t i, Py_ssize_t low, Py_ssize_t high) noexcept nogil
