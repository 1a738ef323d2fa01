# lstm_fwd.pxd -- the state of a forward call.
from lstmc.kernels.core cimport Span, lstmc_kernels, lstmc_tile
from lstmc.kernels.crew cimport Crew
from lstmc.kernels.schedule cimport MAX_BANDS, Rows
from lstmc.kernels.weights cimport Operands


cdef enum:
    MAX_STRANDS = 2 * MAX_BANDS


# A strand: one band of the rows in one direction. Strands of a call know nothing of each other.
cdef struct Forward:
    Rows s
    Crew crew
    const Operands *w
    const lstmc_kernels *k
    Span x, y
    Py_ssize_t nu, es
    bint reverse, train
    # states: live rows n of step t at B + n with B initial rows before them (train); or, for each part of the rows, two
    # slots of h and one of c (inference), apart from those of other parts
    Py_ssize_t parts
    char *h
    char *c
    char *gates
    char *hf                 # projection: h before it
    Py_ssize_t ldh, ldf, c_ps, gates_ps
    void **rows              # per thread: x, y and h row pointers, [threads][3][B]
    char *sums               # of threads that share: what waits for the others' part of h
    # z = bias + W x for z_steps steps: per thread a buffer of z_rows rows
    Py_ssize_t z_steps, z_rows
    char *z
    const void **zx
    lstmc_tile *z_tiles
    Py_ssize_t *z_first
