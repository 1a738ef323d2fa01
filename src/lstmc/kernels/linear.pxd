# linear.pxd -- the weight gradient of a linear map, for other kernels that end in one.
from lstmc.kernels.core cimport Span, lstmc_kernels


cdef int weight_gradient(const lstmc_kernels *k, Span x, Span dy, Span dw, Span db, object threads) except -1
