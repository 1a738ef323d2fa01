# contention.pxd -- whether all threads pay at present; see contention.pyx.
from lstmc.kernels.clock cimport lstmc_clock, lstmc_cpu_clock


# One parallel region of a call, as its first thread sees it; in seconds.
cdef struct Region:
    Py_ssize_t threads
    bint shared              # threads wait for each other inside: work is what is not waiting, else what the processor's clock says
    double start, cpu
    double worked, finished  # of the first thread: its share's work, and when it was done


cdef Py_ssize_t at_most() noexcept nogil
cdef void judge(const Region *r, double waited, bint gave_up, double usual=*) noexcept nogil


cdef inline void enter(Region *r, Py_ssize_t threads, bint shared) noexcept nogil:
    """Before a region of so many threads."""
    r.threads, r.shared = threads, shared
    if threads > 1:
        r.start = lstmc_clock()
        r.cpu = 0 if shared else lstmc_cpu_clock()


cdef inline void leave(Region *r, Py_ssize_t i) noexcept nogil:
    """In the region, when thread i has done its share."""
    if i == 0 and r.threads > 1:
        r.finished = lstmc_clock()
        r.worked = r.finished - r.start if r.shared else lstmc_cpu_clock() - r.cpu
