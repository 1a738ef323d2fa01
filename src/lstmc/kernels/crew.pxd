# crew.pxd -- the threads of one call: what each owns, and the barrier between those that share rows.
from lstmc.kernels.core cimport lstmc_tile
from lstmc.kernels.schedule cimport Rows

cdef extern from *:
    """
    #ifdef _OPENMP
    #include <omp.h>
    static inline int lstmc_crew_size(void) { return omp_get_num_threads(); }
    #else
    static inline int lstmc_crew_size(void) { return 1; }
    #endif

    /* One cache line a thread. wait: publish that this thread has finished `epoch` and wait for the other n-1.
     * It spins for some microseconds, then yields the processor each time, so that an oversubscribed machine
     * goes on. Nothing waits here between calls. */
    #if defined(__GNUC__) || defined(__clang__)
    #include <sched.h>
    #define LSTMC_CAN_WAIT 1
    typedef struct { _Alignas(64) unsigned long epoch; } lstmc_flag;
    static void lstmc_wait(lstmc_flag *flags, Py_ssize_t n, Py_ssize_t i, unsigned long epoch)
    {
        __atomic_store_n(&flags[i].epoch, epoch, __ATOMIC_RELEASE);
        for (Py_ssize_t j = 0; j < n; j++)
            for (unsigned spins = 0; __atomic_load_n(&flags[j].epoch, __ATOMIC_ACQUIRE) < epoch; spins++) {
                if (spins > 2000) sched_yield();
    #if defined(__x86_64__) || defined(__i386__)
                else if (spins % 16 == 15) __builtin_ia32_pause();
    #endif
            }
    }
    #else
    #define LSTMC_CAN_WAIT 0
    typedef struct { unsigned long epoch; } lstmc_flag;
    static void lstmc_wait(lstmc_flag *flags, Py_ssize_t n, Py_ssize_t i, unsigned long epoch) {}
    #endif
    """
    int lstmc_crew_size() noexcept nogil
    ctypedef struct lstmc_flag:
        pass
    void lstmc_wait(lstmc_flag *flags, Py_ssize_t n, Py_ssize_t i, unsigned long epoch) noexcept nogil
    bint LSTMC_CAN_WAIT


cdef struct Crew:
    Py_ssize_t threads       # asked for; a shared crew works with those that came
    bint shared              # every thread has all rows and a part of the units, and waits after each step
    lstmc_tile *tiles        # all tiles, thread after thread, ascending rows within a thread
    lstmc_tile *live         # scratch of the same size
    Py_ssize_t *first        # [threads + 1]
    lstmc_flag *flags        # [threads] if shared


cdef int gather(Crew *crew, const Rows *s, Py_ssize_t mr, double flops, Py_ssize_t parts, Py_ssize_t shared_bytes,
                object threads) except -1
cdef void dismiss(Crew *crew) noexcept
cdef Py_ssize_t live_tiles(const Crew *crew, Py_ssize_t i, Py_ssize_t low, Py_ssize_t high) noexcept nogil
