# options.pxd -- what a module's cell does beyond its plain equations, as the kernels read it.
from lstmc.kernels.core cimport lstmc_options


cdef class Options:
    cdef lstmc_options o
    cdef readonly bint plain         # nothing beyond
    cdef readonly bint drawing       # a call in training draws random numbers
    cdef readonly double recurrent_dropout
    cdef object seed, step, layer    # of random numbers in this call; seed None: zoneout at its expectation
    cdef Py_ssize_t first            # number of the batch's first sequence, for them
