# core.pxd -- the only extern block: mirrors csrc/lstmc.h. Other kernel modules cimport from here.
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memset

cdef extern from "lstmc.h" nogil:
    enum: LSTMC_NORM_SUMS, LSTMC_SLOTS, LSTMC_MAX_ROWS, LSTMC_MAX_ACC, LSTMC_BLOCK_BYTES, LSTMC_KBLOCK

    ctypedef struct lstmc_tile:
        Py_ssize_t row, mr

    ctypedef struct lstmc_operand:
        const void *a
        const void **rows
        Py_ssize_t row_stride, k_stride, n_full, full_len, full_stride, n_tail, tail_len, tail_stride, ahead, apart

    ctypedef struct lstmc_product:
        lstmc_operand a[2]
        Py_ssize_t n_operands
        const void *b
        Py_ssize_t K, slot, slots

    enum:
        LSTMC_SIGMOID, LSTMC_TANH, LSTMC_RELU, LSTMC_AFFINE, LSTMC_LEAKY_RELU, LSTMC_THRESHOLDED_RELU, LSTMC_SCALED_TANH
        LSTMC_HARD_SIGMOID, LSTMC_ELU, LSTMC_SOFTSIGN, LSTMC_SOFTPLUS

    ctypedef struct lstmc_activation:
        int function
        double alpha, beta

    ctypedef struct lstmc_options:
        lstmc_activation of[3]
        double clip
        const void *peephole
        int coupled
        int off[4]
        double zoneout_h, zoneout_c
        double norm_eps
        bint norm_state
        int random
        uint32_t key_h[2]
        uint32_t key_c[2]

    ctypedef struct lstmc_step:
        Py_ssize_t H
        const void *h_prev
        Py_ssize_t ld_prev
        void *h
        Py_ssize_t ld
        const void *c_prev
        void *c
        Py_ssize_t c_prev_ps, c_ps
        void *gates
        Py_ssize_t gates_ps, gates_rs
        void **y
        void *dc
        Py_ssize_t dc_ps
        void *dh
        Py_ssize_t ld_dh
        const void *mask
        void *products
        const lstmc_options *options
        const Py_ssize_t *sequence
        const Py_ssize_t *time

    ctypedef struct lstmc_norm:
        const void *gamma_x
        const void *gamma_h
        const void *bias
        const void *gamma_c
        const void *beta_c
        const void *sums_x
        void *sums_h
        Py_ssize_t sums_x_rs, sums_h_rs
        void *x
        void *h
        void *stats
        void *dh
        Py_ssize_t ld_dh
        void *sums
        Py_ssize_t sums_ps

    ctypedef struct lstmc_spot:
        pass

    ctypedef struct lstmc_walk
    ctypedef void (*lstmc_finish)(const lstmc_walk *, const lstmc_spot *) noexcept nogil
    ctypedef void (*lstmc_fused)(const void *, const lstmc_product *, const lstmc_walk *, const lstmc_spot *) noexcept nogil

    ctypedef struct lstmc_walk:
        const lstmc_tile *tiles
        Py_ssize_t n_tiles, q0, q1
        bint back
        Py_ssize_t blocks
        lstmc_product product[5]
        Py_ssize_t n_products, k_start, k0, k1
        bint begins, ends
        void *sums
        const void *start
        Py_ssize_t start_rs, start_gs
        const void **add
        Py_ssize_t adds, add_ahead, N
        const void *add2
        Py_ssize_t ld_add2
        lstmc_finish finish
        const lstmc_fused *fused
        lstmc_step step
        void **out
        Py_ssize_t outs
        void *blocks_out
        Py_ssize_t out_rs, out_gs

    ctypedef struct lstmc_cell:
        const char *name
        int slots, states, gates, x_slot, x_slots, h_slot, h_slots
        int x_gate[4]
        int h_gate[4]
        lstmc_finish forward[2]
        lstmc_finish backward[2]
        const lstmc_fused *fused
        int first
        lstmc_finish then_forward[2]
        lstmc_finish then_backward[2]

    ctypedef struct lstmc_matrix:
        void *w
        Py_ssize_t rs, H, K
        const int *gate
        Py_ssize_t G
        void *panels
        Py_ssize_t panel_stride, k_stride

    ctypedef struct lstmc_columns:
        const void *w
        Py_ssize_t ks, ns, K, N
        const int *gate
        Py_ssize_t G

    ctypedef struct lstmc_outer:
        const lstmc_tile *m_tiles
        Py_ssize_t n_tiles, n, nb
        const void *a
        Py_ssize_t a_rows
        const void *b
        Py_ssize_t bs, b_apart
        const void *b_next
        void *c
        Py_ssize_t ldc, c_apart
        int first

    ctypedef struct lstmc_features:
        Py_ssize_t n, I, R
        const void **x
        const void **h
        Py_ssize_t xs, hs

    ctypedef struct lstmc_update:
        double lr, beta1, beta2, eps, momentum, decay, gain, of_m, of_g, of_v, scale, clip
        int nesterov

    enum: LSTMC_SGD, LSTMC_RMSPROP, LSTMC_ADAM, LSTMC_NADAM, LSTMC_ADAMAX, LSTMC_ADADELTA, LSTMC_LION
    ctypedef void (*lstmc_rule)(void *, const void *, void *, void *, void *, Py_ssize_t, const lstmc_update *) noexcept nogil

    enum: LSTMC_CTC_BLOCK, LSTMC_CTC_PAD

    ctypedef struct lstmc_ctc:
        Py_ssize_t n_frames, n_classes, n_labels
        const int64_t *labels
        Py_ssize_t blank
        double *rows
        Py_ssize_t ld
        bint gradient
        double *work
        Py_ssize_t lds

    ctypedef struct lstmc_kernels:
        const char *isa
        int itemsize, nu, vl, mr, fma
        lstmc_cell cells[4]
        void pack_panels(const lstmc_matrix *, Py_ssize_t, Py_ssize_t) noexcept nogil
        void unpack_panels(const lstmc_matrix *, const void *, Py_ssize_t, Py_ssize_t) noexcept nogil
        void pack_bias(void *, const lstmc_cell *, const void *, const void *, Py_ssize_t) noexcept nogil
        void pack_columns(void *, const lstmc_columns *, Py_ssize_t, Py_ssize_t) noexcept nogil
        void walk(const lstmc_walk *) noexcept nogil
        void norm_fwd(const lstmc_step *, const lstmc_norm *, Py_ssize_t, Py_ssize_t) noexcept nogil
        void norm_bwd(const lstmc_step *, const lstmc_norm *, Py_ssize_t, Py_ssize_t) noexcept nogil
        void pack_outer(void *, const lstmc_features *, const lstmc_tile *, Py_ssize_t) noexcept nogil
        void outer(const lstmc_outer *) noexcept nogil
        void vexp(void *, const void *, Py_ssize_t) noexcept nogil
        void vsigmoid(void *, const void *, Py_ssize_t) noexcept nogil
        void vtanh(void *, const void *, Py_ssize_t) noexcept nogil
        void vlog(void *, const void *, Py_ssize_t) noexcept nogil
        void softmax(void *, const void *, Py_ssize_t, Py_ssize_t) noexcept nogil
        void softmax_bwd(void *, const void *, const void *, Py_ssize_t, Py_ssize_t) noexcept nogil
        void squared_error(double *, void *, const void *, const void *, Py_ssize_t, Py_ssize_t) noexcept nogil
        void crossentropy(double *, void *, const void *, const void *, const int64_t *, Py_ssize_t, Py_ssize_t) noexcept nogil
        double sumsq(const void *, Py_ssize_t) noexcept nogil
        lstmc_rule rules[7]
        double ctc(const lstmc_ctc *) noexcept nogil
        void derive(uint32_t *, uint64_t, uint64_t, uint32_t, uint32_t) noexcept nogil
        void words_row(uint32_t *, Py_ssize_t, const uint32_t *, uint32_t, uint32_t) noexcept nogil
        void keep_rows(void *, Py_ssize_t, const uint32_t *, double, uint32_t, uint32_t) noexcept nogil
        void multiply(void *, const void *, const void *, Py_ssize_t) noexcept nogil
        void multiply_apart(void *, const void *, const void *, Py_ssize_t, Py_ssize_t) noexcept nogil
        lstmc_finish add_masked, zone_fwd, zone_bwd
        uint64_t fingerprint(const void *, Py_ssize_t, uint64_t) noexcept nogil
        double probe_fma(Py_ssize_t) noexcept nogil
        double probe_read(const void *, Py_ssize_t, Py_ssize_t) noexcept nogil


cdef struct Span:
    char *p                 # element 0
    Py_ssize_t shape[4]
    Py_ssize_t stride[4]    # in elements
    Py_ssize_t itemsize
    int ndim


cdef const lstmc_kernels *table(Py_ssize_t itemsize) except NULL
cdef Span span(object array, bint writable=*) except *
cdef Span span_or_null(object array, bint writable=*) except *
cpdef Py_ssize_t max_threads() except -1
cdef Py_ssize_t most_threads() noexcept
cdef bint alone() noexcept
cdef Py_ssize_t balanced(lstmc_tile *tiles, Py_ssize_t first, Py_ssize_t rows, Py_ssize_t mr) noexcept nogil


cdef inline bint row_major(const Span *s) noexcept nogil:
    """Whether an array is C-contiguous."""
    cdef Py_ssize_t n = 1
    cdef int i
    for i in range(s.ndim - 1, -1, -1):
        if s.stride[i] != n and s.shape[i] != 1:
            return False
        n *= s.shape[i]
    return True


cdef inline lstmc_operand dense(const void *a, Py_ssize_t row_stride, Py_ssize_t k_stride, Py_ssize_t len) noexcept nogil:
    """An operand whose rows are one run of `len` values."""
    cdef lstmc_operand o
    memset(&o, 0, sizeof(o))
    o.a, o.row_stride, o.k_stride, o.n_full, o.full_len = a, row_stride, k_stride, 1, len
    return o


cdef inline lstmc_columns columns_of(Span w, bint transposed) noexcept nogil:
    """A matrix, or its transpose, as columns to be packed."""
    cdef inline lstmc_columns B
    cdef int k = 1 if transposed else 0
    memset(&B, 0, sizeof(B))
    B.w, B.ks, B.ns, B.K, B.N = w.p, w.stride[k], w.stride[1 - k], w.shape[k], w.shape[1 - k]
    return B
