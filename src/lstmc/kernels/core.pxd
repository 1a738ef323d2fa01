# core.pxd -- the only extern block: mirrors csrc/lstmc.h. Other kernel modules cimport from here.
from libc.stdint cimport uint32_t, uint64_t

cdef extern from "lstmc.h" nogil:
    enum: LSTMC_GATES, LSTMC_MAX_ROWS, LSTMC_MAX_ACC, LSTMC_BLOCK_BYTES, LSTMC_KBLOCK

    ctypedef struct lstmc_tile:
        Py_ssize_t row, mr

    ctypedef struct lstmc_lstm_fwd:
        const lstmc_tile *tiles
        Py_ssize_t n_tiles, p0, p1
        bint back
        Py_ssize_t k0, k1
        void *sums
        Py_ssize_t I, R, H
        const void **x
        Py_ssize_t xs, x_ahead
        const void *h
        Py_ssize_t ldh
        const void *w
        const void *bias
        const void *z
        Py_ssize_t z_ps
        const void *c_prev
        void *c
        Py_ssize_t c_prev_ps, c_ps
        void *gates
        Py_ssize_t gates_ps
        void *h_out
        Py_ssize_t ld_out
        void **y

    ctypedef struct lstmc_runs:
        const void *a
        Py_ssize_t row_stride, k_stride, n_full, full_len, full_stride, n_tail, tail_len, tail_stride

    ctypedef struct lstmc_product:
        const lstmc_tile *tiles
        Py_ssize_t n_tiles, N, q0, q1
        bint back
        lstmc_runs a
        Py_ssize_t r0, r1
        void *sums
        const void *b
        Py_ssize_t K
        const void *bias
        const void **add
        Py_ssize_t adds, add_ahead
        const void *add2
        Py_ssize_t ld_add2
        void **out
        Py_ssize_t outs
        void *gates
        const void *c_prev
        const void *c
        void *dc
        Py_ssize_t gates_ps, c_prev_ps, c_ps, dc_ps

    ctypedef struct lstmc_outer:
        const lstmc_tile *m_tiles
        Py_ssize_t n_tiles, n, nb
        const void *a
        Py_ssize_t a_rows
        const void *b
        Py_ssize_t bs
        void *c
        Py_ssize_t ldc
        int first

    ctypedef struct lstmc_features:
        Py_ssize_t n, I, R
        const void **x
        const void **h
        Py_ssize_t xs, hs

    ctypedef struct lstmc_update:
        double lr, beta1, beta2, eps, momentum, decay, scale
        int nesterov

    ctypedef struct lstmc_kernels:
        const char *isa
        int itemsize, nu, vl, mr, fma
        void pack_gates(void *, Py_ssize_t, const void *, Py_ssize_t, Py_ssize_t, Py_ssize_t, Py_ssize_t, Py_ssize_t,
                        Py_ssize_t) noexcept nogil
        void pack_bias(void *, const void *, const void *, Py_ssize_t, Py_ssize_t) noexcept nogil
        void pack_columns(void *, const void *, Py_ssize_t, Py_ssize_t, Py_ssize_t, Py_ssize_t, Py_ssize_t, Py_ssize_t,
                          Py_ssize_t) noexcept nogil
        void unpack_gates(void *, Py_ssize_t, const void *, const void *, Py_ssize_t, Py_ssize_t, Py_ssize_t, Py_ssize_t,
                          Py_ssize_t, Py_ssize_t) noexcept nogil
        void lstm_gates_x(const lstmc_lstm_fwd *) noexcept nogil
        void lstm_step_fwd(const lstmc_lstm_fwd *) noexcept nogil
        void lstm_step_bwd(const lstmc_product *) noexcept nogil
        void product(const lstmc_product *) noexcept nogil
        void pack_outer(void *, const lstmc_features *, const lstmc_tile *, Py_ssize_t) noexcept nogil
        void outer(const lstmc_outer *) noexcept nogil
        void vexp(void *, const void *, Py_ssize_t) noexcept nogil
        void vsigmoid(void *, const void *, Py_ssize_t) noexcept nogil
        void vtanh(void *, const void *, Py_ssize_t) noexcept nogil
        void softmax(void *, const void *, Py_ssize_t, Py_ssize_t) noexcept nogil
        void softmax_bwd(void *, const void *, const void *, Py_ssize_t, Py_ssize_t) noexcept nogil
        double sumsq(const void *, Py_ssize_t) noexcept nogil
        void adam(void *, const void *, void *, void *, Py_ssize_t, const lstmc_update *) noexcept nogil
        void rmsprop(void *, const void *, void *, void *, Py_ssize_t, const lstmc_update *) noexcept nogil
        void sgd(void *, const void *, void *, Py_ssize_t, const lstmc_update *) noexcept nogil
        uint64_t fingerprint(const void *, Py_ssize_t, uint64_t) noexcept nogil
        void derive(uint32_t *, uint64_t, uint64_t, uint32_t, uint32_t) noexcept nogil
        void keep_rows(void *, Py_ssize_t, const uint32_t *, double, uint32_t, uint32_t) noexcept nogil
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
cdef bint alone() noexcept
cdef Py_ssize_t balanced(lstmc_tile *tiles, Py_ssize_t first, Py_ssize_t rows, Py_ssize_t mr) noexcept nogil
