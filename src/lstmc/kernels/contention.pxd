# contention.pxd -- whether all threads pay at present; see contention.pyx.
from libc.stdint cimport uint64_t

from lstmc.kernels.clock cimport lstmc_clock, lstmc_cpu_clock


# What regions do, for `kind_of`.
cdef enum Task:
    FORWARD, BACKWARD, SUMS, PRODUCT, GRADIENT, UPDATE, CTC


# One parallel region of a call, as its first thread sees it; in seconds.
cdef struct Region:
    Py_ssize_t threads
    bint limited             # no call may use more threads
    uint64_t kind            # regions of one kind take about the same time; 0: too short for the processor's clock
    double start             # of the region, where the first thread may spin until the others are back from the last one
    double began, finished   # of the first thread's share
    double cpu               # what the thread had of a core for it
    double waited, spun      # for others inside, and what of that it had a core
    bint gave_up             # it waited in vain, and did the rest alone
    double usual             # what its work takes at most while it keeps its core; 0: not known


cdef Py_ssize_t at_most() noexcept nogil
cdef Py_ssize_t limit_in_force() noexcept nogil
cdef void judge(Region *r) noexcept nogil


cdef inline uint64_t mixed(uint64_t kind, uint64_t n) noexcept nogil:
    kind = (kind ^ n) * <uint64_t>0x9E3779B97F4A7C15
    return kind ^ kind >> 31


cdef inline uint64_t kind_of(Task task, double a, double b, double c) noexcept nogil:
    """A number for regions that do the same with sizes a, b and c."""
    return mixed(mixed(mixed(1 + task, <uint64_t>a), <uint64_t>b), <uint64_t>c)


cdef inline void enter(Region *r, Py_ssize_t threads, uint64_t kind) noexcept nogil:
    """Before a region of so many threads."""
    r.threads, r.limited, r.gave_up = threads, kind and threads == limit_in_force(), False
    r.waited = r.spun = r.usual = 0
    r.kind = mixed(kind, threads) if kind else 0
    if threads > 1 or r.limited:
        r.start = r.began = lstmc_clock()


cdef inline void begin_share(Region *r, Py_ssize_t i) noexcept nogil:
    """In the region, before thread i does its share."""
    if i == 0 and r.threads > 1:
        r.began = lstmc_clock()
        r.cpu = lstmc_cpu_clock() if r.kind else 0


cdef inline void end_share(Region *r, Py_ssize_t i) noexcept nogil:
    """In the region, when thread i has done its share."""
    if i == 0 and r.threads > 1:
        r.finished = lstmc_clock()
        r.cpu = lstmc_cpu_clock() - r.cpu if r.kind else 0
