# forward_loop.pxd -- the time loop of forward, one thread's, and the states before and after it.
from lstmc.kernels.team cimport Stop
from lstmc.kernels.workspace cimport Forward

cdef void initial_state(const Forward *f, Py_ssize_t i) noexcept nogil
cdef void final_state(const Forward *f, Py_ssize_t i) noexcept nogil
cdef void run_thread(const Forward *f, Py_ssize_t jobs, Py_ssize_t i, Py_ssize_t n, Stop *stop) noexcept nogil
