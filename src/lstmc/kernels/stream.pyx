"""One step of a stack of LSTM layers with carried state: nothing is allocated, looked up or packed per step.

A Stream owns the states of B sequences in the kernels' layout and borrows packed weights. Its step is the same
chain per element as a whole sequence, so the bits are the same. One thread may use a Stream at a time.
"""

from cython.parallel cimport prange
from libc.string cimport memcpy, memset

from lstmc.kernels.core cimport Span, balanced, lstmc_kernels, lstmc_lstm_fwd, lstmc_product, lstmc_tile, span, team
from lstmc.kernels.lstm_fwd cimport copy_blocks, load_state
from lstmc.kernels.schedule cimport Schedule
from lstmc.kernels.weights cimport Weights, block, row_stride

from lstmc.kernels import arena

cdef enum:
    MAX_TEAM = 64


cdef struct Layer:
    lstmc_lstm_fwd step
    lstmc_product project
    char *h                  # two slots of [B][ldh]
    Py_ssize_t ldh, panels, I, R, H, P


cdef class Stream:
    """Stream(weights of each layer, B)."""

    cdef list weights, keep
    cdef const lstmc_kernels *k
    cdef Schedule schedule
    cdef Layer *layers
    cdef Py_ssize_t L, B, es, nu, slot, n_tiles
    cdef const void **xrow
    cdef void **yrow
    cdef double flops

    def __cinit__(self, list weights, Py_ssize_t B):
        cdef Weights w = weights[0]
        cdef Layer *a
        cdef lstmc_tile *tiles
        cdef Py_ssize_t i, ldf
        self.weights, self.keep, self.k = weights, [], w.k
        self.schedule = Schedule(1, B)
        self.L, self.B, self.es, self.nu = len(weights), B, w.itemsize, w.k.nu
        self.layers = <Layer *>block(self.keep, self.L * sizeof(Layer))
        memset(self.layers, 0, self.L * sizeof(Layer))
        tiles = <lstmc_tile *>block(self.keep, B * sizeof(lstmc_tile))
        self.n_tiles = balanced(tiles, 0, B, w.k.mr)
        self.xrow = <const void **>block(self.keep, B * sizeof(void *))
        self.yrow = <void **>block(self.keep, B * sizeof(void *))
        for i in range(self.L):
            w = weights[i]
            a = &self.layers[i]
            a.panels, a.I, a.R, a.H, a.P = w.panels, w.I, w.R, w.H, w.P
            a.ldh, ldf = row_stride(w.R, self.nu, self.es), row_stride(w.H, self.nu, self.es)
            a.h = block(self.keep, 2 * B * a.ldh * self.es)
            a.step.tiles, a.step.n_tiles, a.step.p1 = tiles, self.n_tiles, w.panels
            a.step.I, a.step.R, a.step.H, a.step.w, a.step.bias = w.I, w.R, w.H, w.w, w.bias
            a.step.x, a.step.xs, a.step.ldh = self.xrow, 1, a.ldh
            a.step.c = block(self.keep, w.panels * B * self.nu * self.es)
            a.step.c_prev, a.step.c_ps, a.step.c_prev_ps = a.step.c, B * self.nu, B * self.nu
            a.step.ld_out = a.ldh
            self.flops += 2.0 * B * (4 * w.H * (w.I + w.R) + w.P * w.H)
            if w.P:
                a.step.h_out, a.step.ld_out = block(self.keep, B * ldf * self.es), ldf
                a.project.tiles, a.project.n_tiles = tiles, self.n_tiles
                a.project.N, a.project.K, a.project.b = w.P, w.H, w.hr
                a.project.a.a, a.project.a.row_stride, a.project.a.k_stride = a.step.h_out, ldf, 1
                a.project.a.n_full, a.project.a.full_len = 1, w.H
                a.project.out, a.project.outs = self.yrow, 1

    def __dealloc__(self):
        if self.keep is not None:
            arena.give(*self.keep)

    def set_state(self, h, c):
        """Load h (L, B, R) and c (L, B, H), unit feature stride; None: zeros."""
        cdef Span sh, sc
        cdef Py_ssize_t i
        cdef Layer *a
        self.slot = 0
        for i in range(self.L):
            sh.p = sc.p = NULL
            if h is not None:
                sh, sc = span(h[i]), span(c[i])
            a = &self.layers[i]
            load_state(&self.schedule.rows, a.h, a.ldh, <char *>a.step.c, self.B * self.nu, &sh, &sc, a.R, a.H, self.nu, self.es)

    def get_state(self, h, c):
        """Write the state into h (L, B, R) and c (L, B, H), unit feature stride."""
        cdef Span sh, sc
        cdef Py_ssize_t i, j
        cdef Layer *a
        for i in range(self.L):
            sh, sc = span(h[i], True), span(c[i], True)
            a = &self.layers[i]
            for j in range(self.B):
                memcpy(sh.p + j * sh.stride[0] * self.es, a.h + (self.slot * self.B + j) * a.ldh * self.es, a.R * self.es)
                copy_blocks(sc.p + j * sc.stride[0] * self.es, self.nu * self.es,
                            <char *>a.step.c + j * self.nu * self.es, self.B * self.nu * self.es, a.H, self.nu, self.es)

    def step(self, x, y, threads=None):
        """y (B, R) = the top layer's output after x (B, I); y has unit feature stride, x any strides."""
        cdef Span sx = span(x), sy = span(y, True)
        cdef Py_ssize_t n = team(self.flops, self.layers[0].panels, threads)
        if n > MAX_TEAM:
            n = MAX_TEAM
        with nogil:
            self.run(&sx, &sy, n)

    cdef void run(self, const Span *x, const Span *y, Py_ssize_t threads) noexcept nogil:
        cdef Py_ssize_t i, j, q, es = self.es
        cdef Layer *a
        cdef lstmc_lstm_fwd part[MAX_TEAM]
        cdef const char *h
        for j in range(self.B):
            self.xrow[j] = x.p + j * x.stride[0] * es
        for i in range(self.L):
            a = &self.layers[i]
            a.step.xs = x.stride[1] if i == 0 else 1
            a.step.back = a.project.back = self.slot
            a.step.h = a.h + self.slot * self.B * a.ldh * es
            h = a.h + (1 - self.slot) * self.B * a.ldh * es
            if a.P == 0:
                a.step.h_out = <void *>h
            if threads <= 1:
                self.k.lstm_step_fwd(&a.step)
            else:
                for q in prange(threads, schedule="static", chunksize=1, num_threads=threads):
                    part[q] = a.step
                    part[q].p0, part[q].p1 = q * a.panels // threads, (q + 1) * a.panels // threads
                    self.k.lstm_step_fwd(&part[q])
            if a.P:
                for j in range(self.B):
                    self.yrow[j] = <void *>(h + j * a.ldh * es)
                self.k.product(&a.project)
            for j in range(self.B):
                self.xrow[j] = h + j * a.ldh * es
        for j in range(self.B):
            memcpy(y.p + j * y.stride[0] * es, self.xrow[j], a.R * es)
        self.slot = 1 - self.slot
