# sums.pxd -- the second half of backward: what sums gradients over all steps.
from lstmc.kernels.core cimport LSTMC_SLOTS, Span
from lstmc.kernels.parts cimport Sums
from lstmc.kernels.schedule cimport MAX_BANDS
from lstmc.kernels.tape cimport Record


# What the way back of a chunk of time leaves: all slots have become gradients.
cdef struct Chunk:
    const Record *records    # of each band
    Py_ssize_t bands
    Py_ssize_t steps         # of a block that is summed from zero
    char *products[MAX_BANDS]
    char *dp                 # of a projection


cdef class WeightSums:
    """Sums of one layer in one direction over chunks of time, from the last to the first."""
    cdef Sums g[LSTMC_SLOTS * MAX_BANDS]     # of each band, then of its next slots if there are several sums, or of the projection
    cdef Record record[MAX_BANDS]    # of the chunk of time that is added, and last was
    cdef Py_ssize_t bands
    cdef list keep

    cdef int add(self, const Chunk *chunk, Span dx, bint add_dx, bint wanted, object threads) except -1
