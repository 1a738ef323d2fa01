# tape.pxd -- what a forward call leaves for backward: the states and slots of every step of one layer and direction.
from lstmc.kernels.cells cimport across
from lstmc.kernels.core cimport Span, lstmc_kernels, lstmc_operand, lstmc_options
from lstmc.kernels.plan cimport Load
from lstmc.kernels.schedule cimport MAX_BANDS, Rows, Schedule
from lstmc.kernels.weights cimport Operands, Weights


# Layer normalisation: what lstmc_norm names likewise, of every live pair; all NULL without it.
cdef struct Normed:
    char *x                  # beside the slots of the same row
    char *h
    char *stats
    char *sums               # of backward: of each row over the steps of a block, [p][block][row][LSTMC_NORM_SUMS][NU]
    Py_ssize_t sums_ps, steps


# One band of rows in one direction. Live pair n of h, c and hf is at B + n with B initial rows before them, slots at n.
cdef struct Record:
    Rows s
    const Operands *w
    const lstmc_kernels *k
    Span x
    Py_ssize_t nu, es
    bint reverse
    bint plain               # no option: the cell's first function
    lstmc_options options
    Py_ssize_t first        # number of sequence 0, for random numbers
    lstmc_options projected  # of h after a projection: then the cell itself keeps none of it
    char *h                  # [B + N][ldh]
    char *c                  # [p][B + N][NU], NULL without c
    char *gates              # slots by strides
    char *hf                 # h before a projection, or what the first of two stages leaves for the second, masked if need be, [N][ldf]
    char *mask               # recurrent dropout: of what U reads for each slot that it feeds, [h_slots][B][ldh], NULL without
    Normed normed
    Py_ssize_t ldh, ldf, c_ps, gates_ps, gates_rs


cdef class Tape:
    cdef Schedule schedule
    cdef Weights w
    cdef object x, options
    cdef list keep
    cdef Record record[MAX_BANDS]
    cdef Py_ssize_t bands
    cdef bint spent


cdef Load load_of(const Record *r, const Rows *s, Py_ssize_t D, Py_ssize_t bands) noexcept nogil
cdef lstmc_operand gate_rows(const Record *r, Py_ssize_t slot, Py_ssize_t slots) noexcept nogil


cdef inline char *fed_by_x(const Record *r) noexcept nogil:
    """Where backward leaves the gradients of W x, laid out like slots."""
    return r.gates if r.normed.x == NULL else r.normed.x


cdef inline char *fed_by_h(const Record *r) noexcept nogil:
    """The same of U h."""
    return r.gates if r.normed.h == NULL else r.normed.h


cdef inline char *mask_of(const Record *r, Py_ssize_t slot) noexcept nogil:
    """The mask of a slot, counted from the first that U feeds; NULL without."""
    return NULL if r.mask == NULL else r.mask + slot * r.s.B * r.ldh * r.es


cdef inline Py_ssize_t slot_at(const Record *r, Py_ssize_t slot) noexcept nogil:
    """Values from the beginning of a row of slots to those of this one."""
    return slot * (r.w.panels if across(r.w.cell) else 1) * r.nu


cdef inline Py_ssize_t state_row(const Record *r, Py_ssize_t t) noexcept nogil:
    """Row of the first state after step t; of t = -1, the initial states."""
    return 0 if t < 0 else r.s.B + (r.s.offset[r.s.begin + t] - r.s.offset[r.s.begin] if r.s.ragged else t * r.s.B)
