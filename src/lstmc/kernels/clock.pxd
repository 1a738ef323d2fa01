# clock.pxd -- seconds: of the wall, and of the calling thread's own work.
cdef extern from *:
    """
    #ifndef LSTMC_CLOCK
    #define LSTMC_CLOCK
    #ifdef _OPENMP
    #include <omp.h>
    static inline double lstmc_clock(void) { return omp_get_wtime(); }
    #else
    #include <time.h>
    static inline double lstmc_clock(void)
    {
        struct timespec t;
    #ifdef _WIN32
        timespec_get(&t, TIME_UTC);
    #else
        clock_gettime(CLOCK_MONOTONIC, &t);
    #endif
        return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
    }
    #endif
    #if defined(_OPENMP) && !defined(_WIN32)
    #include <time.h>
    static inline double lstmc_cpu_clock(void)
    {
        struct timespec t;
        return clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) ? 0 : (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
    }
    #else       /* stands still: nobody asks, or, on Windows, it has ticks of 16 ms */
    static inline double lstmc_cpu_clock(void) { return 0; }
    #endif
    #endif
    """
    double lstmc_clock() noexcept nogil
    double lstmc_cpu_clock() noexcept nogil
