# lstm_fwd.pxd -- the state of a forward call, and the tape that it leaves for backward.
from lstmc.kernels.core cimport Span, lstmc_kernels, lstmc_runs, lstmc_tile
from lstmc.kernels.crew cimport Crew
from lstmc.kernels.plan cimport Load
from lstmc.kernels.schedule cimport MAX_BANDS, Rows, Schedule
from lstmc.kernels.weights cimport Operands, Weights


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
    # z = bias + W x for z_steps steps: per thread a buffer of z_rows rows
    Py_ssize_t z_steps, z_rows
    char *z
    const void **zx
    lstmc_tile *z_tiles
    Py_ssize_t *z_first


cdef class Tape:
    cdef Schedule schedule
    cdef Weights w
    cdef object x
    cdef list keep
    cdef Forward f[MAX_BANDS]
    cdef Py_ssize_t bands
    cdef bint spent


cdef void copy_blocks(char *dst, Py_ssize_t ds, const char *src, Py_ssize_t ss, Py_ssize_t n, Py_ssize_t nu,
                      Py_ssize_t es) noexcept nogil
cdef lstmc_runs gate_rows(const Forward *f) noexcept nogil
cdef void load_state(const Rows *s, Py_ssize_t j0, Py_ssize_t j1, char *rows, Py_ssize_t ld, char *c, Py_ssize_t c_ps,
                     const Span *h0, const Span *c0, Py_ssize_t R, Py_ssize_t H, Py_ssize_t nu, Py_ssize_t es) noexcept nogil
cdef Span direction(Span a, Py_ssize_t d) noexcept nogil
cdef Load load_of(const Forward *f, const Rows *s, Py_ssize_t D, Py_ssize_t bands, Py_ssize_t parts) noexcept nogil
