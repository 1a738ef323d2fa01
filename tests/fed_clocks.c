/* Clocks for test_clocks.py: each reading of the one on the wall is LSTMC_WALL seconds after the one before, of a thread's work LSTMC_WORK,
 * in ticks of LSTMC_TICK seconds if that is set. Put before the C library's with LD_PRELOAD. */
#define _GNU_SOURCE
#include <math.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static double number(const char *name)
{
    const char *text = getenv(name);
    return text ? atof(text) : 0;
}

double omp_get_wtime(void)
{
    static double now = 1;
    return now += number("LSTMC_WALL");
}

int clock_gettime(clockid_t clock, struct timespec *t)
{
    static double worked = 1;
    double now, tick = number("LSTMC_TICK");
    if (clock != CLOCK_THREAD_CPUTIME_ID) return (int)syscall(SYS_clock_gettime, clock, t);
    now = worked += number("LSTMC_WORK");
    if (tick > 0) now = floor(now / tick) * tick;
    t->tv_sec = (time_t)now;
    t->tv_nsec = (long)((now - (double)t->tv_sec) * 1e9);
    return 0;
}
