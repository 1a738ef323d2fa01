# lstm_sums.pxd -- the second half of backward: what sums gate gradients over all steps.
from lstmc.kernels.core cimport Span
from lstmc.kernels.lstm_fwd cimport Forward

cdef int sum_up(const Forward *f, Py_ssize_t bands, Span dx, bint add_dx, list grads, object threads) except -1
