# clock.pxd -- seconds: of the wall, and of the calling thread's own work.
cdef extern from "system.h":
    double lstmc_clock() noexcept nogil
    double lstmc_cpu_clock() noexcept nogil
