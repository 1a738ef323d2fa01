/* system.h -- what the threads of a call ask of the operating system: seconds of the wall, seconds of the calling thread's own work,
 * and to give their core away. */
#ifndef LSTMC_SYSTEM_H
#define LSTMC_SYSTEM_H
#ifdef _WIN32
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>
#else
#include <sched.h>
#include <time.h>
#endif
#ifdef _OPENMP
#include <omp.h>
#endif

static inline double lstmc_clock(void)
{
#if defined(_OPENMP)
    return omp_get_wtime();
#elif defined(_WIN32)
    LARGE_INTEGER now, each;
    QueryPerformanceCounter(&now);
    QueryPerformanceFrequency(&each);
    return (double)now.QuadPart / (double)each.QuadPart;
#else
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
#endif
}

static inline double lstmc_cpu_clock(void)
{
#if defined(_OPENMP) && !defined(_WIN32)
    struct timespec t;
    return clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) ? 0 : (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
#else
    return 0;       /* stands still: nobody asks, or, on Windows, it has ticks of 16 ms */
#endif
}

static inline void lstmc_yield(void)
{
#ifdef _WIN32
    SwitchToThread();
#else
    sched_yield();
#endif
}
#endif
