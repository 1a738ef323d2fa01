# weights.pxd -- packed weights of one layer and direction, and workspaces.
from lstmc.kernels.core cimport LSTMC_SLOTS, Span, lstmc_cell, lstmc_kernels, lstmc_norm


# Products of the second of two stages
cdef struct Then:
    char *w                              # as below, in groups of their own
    char *u
    char *bias
    char *u_cols
    Py_ssize_t blocks, groups


# Where h is masked for each slot by itself: products of one slot that U feeds
cdef struct Dropped:
    char *u[LSTMC_SLOTS]                 # of the first of two stages: columns, K=R, N=H
    char *u_cols[LSTMC_SLOTS]            # columns, K=H, N=R


cdef struct Operands:
    const lstmc_cell *cell
    Py_ssize_t I, H, P, R
    Py_ssize_t panels                    # blocks of units
    Py_ssize_t blocks, groups            # what a forward product computes, in blocks and in groups of them
    char *w                              # groups of [I + R][blocks][NU]; of [I] where W and U feed different slots ...
    char *u                              # ... and then of [R], else NULL
    char *bias                           # [p][slots][NU]
    char *peephole                       # NULL or [p][LSTMC_SLOTS][NU]
    const lstmc_norm *norm               # NULL or gammas and betas; then `bias` is zeros, where both products begin
    char *hr                             # projection forward: columns, K=H, N=P
    char *u_cols                         # backward: columns of W_hh, K=gates*H, N=R
    char *w_cols                         # backward: columns of W_ih, K=gates*H, N=I
    char *hr_cols                        # backward: columns of W_hr, K=P, N=H
    Dropped dropped                      # NULL unless asked for
    Then then                            # of a cell of two stages; the above are of the first, but for w_cols, all of W_ih


cdef class Weights:
    cdef readonly Py_ssize_t itemsize
    cdef readonly bint train
    cdef const lstmc_kernels *k
    cdef Operands o
    cdef object _keep                    # arrays behind the pointers

    cdef int panels_of(self, char *dst, Span w, const int *gate, int gates, Py_ssize_t at, Py_ssize_t K) except -1
    cdef int pack_dropped(self, list keep, Span w_hh) except -1
    cdef int pack_stages(self, list keep, object w_ih, object w_hh, char *b_ih, char *b_hh, bint train) except -1
    cdef int pack_peephole(self, list keep, object peephole) except -1
    cdef int pack_norm(self, list keep, object b_ih, object b_hh, object norm_ih, object norm_hh, object norm_c) except -1
    cdef char *slots_of(self, list keep, object values) except NULL
    cdef char *units_of(self, list keep, object values) except NULL
    cdef char *columns(self, list keep, Span w, bint transposed, Py_ssize_t K, Py_ssize_t N, const int *gate, int gates) except NULL
