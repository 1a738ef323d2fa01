"""What the machine can do at best, measured now: multiply-adds, reads by size of the buffer, a meeting of threads.

The limits of benchmarks. The instruction set is the one in use. Every thread starts at one barrier and works on memory of
its own; a rate is the work of all over the time from the first start to the last end.
"""

from cython.parallel cimport parallel, threadid
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memset

from lstmc.kernels.clock cimport lstmc_clock
from lstmc.kernels.core cimport lstmc_kernels, table
from lstmc.kernels.team cimport lstmc_team_size, lstmc_progress, lstmc_barrier
from lstmc.kernels.plan cimport threads_for

cdef extern from *:
    """
    /* binds to the parallel region that the caller is in */
    static void lstmc_wait_for_all(void)
    {
    #ifdef _OPENMP
    #pragma omp barrier
    #endif
    }
    """
    void lstmc_wait_for_all() noexcept nogil

cdef struct Run:
    double start, end, done

cdef enum:
    LINE = 64


def fma(Py_ssize_t itemsize, Py_ssize_t threads=1, double seconds=0.01):
    """Floating-point operations a second of `threads` cores together, in multiply-adds of 4- or 8-byte numbers."""
    return measured(itemsize, 0, threads, seconds)


def read(Py_ssize_t size, Py_ssize_t threads=1, double seconds=0.01):
    """Bytes a second that `threads` cores together read, each again and again from `size` bytes of its own.

    Parameters
    ----------
    size : int
        At least 4096; remainders of 512 bytes are not read.
    threads : int
    seconds : float
        About how long to measure.
    """
    if size < 4096:
        raise ValueError(f"size: expected at least 4096 bytes, received {size}")
    return measured(4, size, threads, seconds)


def meet(Py_ssize_t threads, long times=2000):
    """Seconds that threads which share rows need to wait for each other once; 0.0 where they cannot share."""
    cdef Py_ssize_t nt = threads_for(0, threads, threads)
    cdef lstmc_progress *progress
    cdef Run run
    if nt < 2:
        return 0.0
    progress = <lstmc_progress *>calloc(nt, sizeof(lstmc_progress))
    if progress == NULL:
        raise MemoryError
    run.done = 0
    progress[0].start = lstmc_clock()
    with nogil, parallel(num_threads=nt):
        meet_often(progress, threadid(), times, &run)
    free(progress)
    return (run.end - run.start) / run.done


cdef void meet_often(lstmc_progress *progress, Py_ssize_t i, long times, Run *run) noexcept nogil:
    """A thread's part of `meet`; the first keeps the time. A team whose first thread goes on alone has met less often."""
    cdef long epoch = 0
    cdef double start
    lstmc_wait_for_all()
    start = lstmc_clock()
    while epoch < times:
        epoch += 1
        if lstmc_barrier(progress, lstmc_team_size(), i, epoch):
            break
    if i == 0:
        run.start, run.end, run.done = start, lstmc_clock(), epoch


cdef double measured(Py_ssize_t itemsize, Py_ssize_t size, Py_ssize_t threads, double seconds) except -1:
    """Repeat until it takes about `seconds`; the rate of that last run."""
    cdef const lstmc_kernels *k = table(itemsize)
    cdef Py_ssize_t nt = threads_for(0, max(threads, 1), max(threads, 1)), n = 1 + 65536 // max(size, 64)
    cdef double elapsed = 0, rate = together(k, nt, size, n, &elapsed)
    while elapsed < seconds / 4:
        n *= 2
        rate = together(k, nt, size, n, &elapsed)
    return together(k, nt, size, max(1, <Py_ssize_t>(n * seconds / elapsed)), &elapsed)


cdef double together(const lstmc_kernels *k, Py_ssize_t nt, Py_ssize_t size, Py_ssize_t n, double *elapsed) except -1:
    """One run of n rounds on nt threads: work a second; size 0 for multiply-adds."""
    cdef Run *runs = <Run *>calloc(nt, sizeof(Run))
    cdef Py_ssize_t i
    cdef double done = 0, start = 0, end = 0
    if runs == NULL:
        raise MemoryError
    with nogil, parallel(num_threads=nt):
        one_thread(k, &runs[threadid()], size, n)
    for i in range(nt):
        if runs[i].done > 0:        # OpenMP may give fewer threads than were asked for
            start = runs[i].start if done == 0 else min(start, runs[i].start)
            end = max(end, runs[i].end)
            done += runs[i].done
    free(runs)
    if done == 0:
        raise MemoryError(f"{size} bytes for each of {nt} threads")
    elapsed[0] = max(end - start, 1e-9)
    return done / elapsed[0]


cdef void one_thread(const lstmc_kernels *k, Run *run, Py_ssize_t size, Py_ssize_t n) noexcept nogil:
    """A thread's part of `together`; its memory is touched by itself before the barrier."""
    cdef char *memory = NULL
    cdef char *p = NULL
    if size:
        memory = <char *>malloc(size + LINE)
        if memory != NULL:
            p = memory + (LINE - <size_t>memory % LINE)
            memset(p, 0, size)
            k.probe_read(p, size, 1)
    lstmc_wait_for_all()
    run.start = lstmc_clock()
    if not size:
        run.done = k.probe_fma(n)
    elif p != NULL:
        run.done = k.probe_read(p, size, n)
    run.end = lstmc_clock()
    free(memory)
