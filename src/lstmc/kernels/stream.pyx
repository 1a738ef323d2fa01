"""One step of a stack of LSTM layers with carried state: nothing is allocated, looked up or packed per step.

A Stream owns the states of B sequences in the kernels' layout and borrows packed weights. Its step is the same
chain per element as a whole sequence, so the bits are the same. One thread may use a Stream at a time.

Where the weights are too many for one core to read fast, threads divide the units of each layer and meet after it.
Most steps are too short to wake a sleeping thread, so they are asked only when the last step has just been, and not for
a while when they came late.
"""

from cython.parallel cimport parallel, threadid
from libc.string cimport memcpy, memset

from lstmc.kernels.core cimport LSTMC_GATES, Span, balanced, lstmc_kernels, lstmc_lstm_fwd, lstmc_product, lstmc_tile, span
from lstmc.kernels.crew cimport LSTMC_CAN_MEET, lstmc_clock, lstmc_crew_size, lstmc_flag, lstmc_meet
from lstmc.kernels.plan cimport step_team
from lstmc.kernels.schedule cimport Schedule
from lstmc.kernels.states cimport copy_blocks, load_state
from lstmc.kernels.weights cimport Weights, block, row_stride

from lstmc.kernels import arena
from lstmc.kernels.plan import AWAKE_SECONDS, REST_SECONDS, SLOW_FACTOR

cdef enum:
    MAX_TEAM = 64

cdef double awake_seconds = AWAKE_SECONDS, rest_seconds = REST_SECONDS, slow_factor = SLOW_FACTOR


cdef struct Layer:
    lstmc_lstm_fwd step
    lstmc_product project
    char *h                  # two slots of [B][ldh]
    void **rows              # [2][B] rows of h
    Py_ssize_t ldh, panels, groups, I, R, H, P


cdef class Stream:
    """Stream(weights of each layer, B)."""

    cdef list weights, keep
    cdef const lstmc_kernels *k
    cdef Schedule schedule
    cdef Layer *layers
    cdef Py_ssize_t L, B, es, nu, slot, n_tiles, parts
    cdef const void **xrow
    cdef lstmc_flag *flags
    cdef double flops, weight_bytes
    cdef double last, quickest, rest        # when the last step ended, the time of the best with threads, no threads until

    def __cinit__(self, list weights, Py_ssize_t B):
        cdef Weights w = weights[0]
        cdef Layer *a
        cdef lstmc_tile *tiles
        cdef Py_ssize_t i, j, ldf
        self.weights, self.keep, self.k = weights, [], w.k
        self.schedule = Schedule(1, B)
        self.L, self.B, self.es, self.nu = len(weights), B, w.itemsize, w.k.nu
        self.parts, self.quickest = MAX_TEAM if LSTMC_CAN_MEET else 1, 1e9
        self.layers = <Layer *>block(self.keep, self.L * sizeof(Layer))
        memset(self.layers, 0, self.L * sizeof(Layer))
        self.flags = <lstmc_flag *>block(self.keep, MAX_TEAM * sizeof(lstmc_flag))
        tiles = <lstmc_tile *>block(self.keep, B * sizeof(lstmc_tile))
        self.n_tiles = balanced(tiles, 0, B, w.k.mr)
        self.xrow = <const void **>block(self.keep, B * sizeof(void *))
        for i in range(self.L):
            w = weights[i]
            a = &self.layers[i]
            a.panels, a.I, a.R, a.H, a.P = w.o.panels, w.o.I, w.o.R, w.o.H, w.o.P
            a.groups = (a.P + 4 * self.nu - 1) // (4 * self.nu)
            self.parts = min(self.parts, a.panels)
            a.ldh, ldf = row_stride(a.R, self.nu, self.es), row_stride(a.H, self.nu, self.es)
            a.h = block(self.keep, 2 * B * a.ldh * self.es)
            a.rows = <void **>block(self.keep, 2 * B * sizeof(void *))
            for j in range(2 * B):
                a.rows[j] = a.h + j * a.ldh * self.es
            a.step.tiles, a.step.n_tiles, a.step.p1 = tiles, self.n_tiles, a.panels
            a.step.I, a.step.R, a.step.H, a.step.w, a.step.bias = a.I, a.R, a.H, w.o.w, w.o.bias
            a.step.xs, a.step.ldh = 1, a.ldh
            a.step.c = block(self.keep, a.panels * B * self.nu * self.es)
            a.step.c_prev, a.step.c_ps, a.step.c_prev_ps = a.step.c, B * self.nu, B * self.nu
            a.step.ld_out = a.ldh
            self.flops += 2.0 * B * (LSTMC_GATES * a.H * (a.I + a.R) + a.P * a.H)
            self.weight_bytes += <double>self.es * (LSTMC_GATES * a.H * (a.I + a.R) + a.P * a.H)
            if a.P:
                a.step.h_out, a.step.ld_out = block(self.keep, B * ldf * self.es), ldf
                a.project.tiles, a.project.n_tiles = tiles, self.n_tiles
                a.project.N, a.project.K, a.project.b = a.P, a.H, w.o.hr
                a.project.a.a, a.project.a.row_stride, a.project.a.k_stride = a.step.h_out, ldf, 1
                a.project.a.n_full, a.project.a.full_len = 1, a.H
                a.project.outs = 1

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
            load_state(&self.schedule.rows, 0, self.B, a.h, a.ldh, <char *>a.step.c, self.B * self.nu, &sh, &sc, a.R, a.H, self.nu, self.es)

    def get_state(self, h, c):
        """Write the state into h (L, B, R) and c (L, B, H), unit feature stride."""
        cdef Span sh, sc
        cdef Py_ssize_t i, j
        cdef Layer *a
        for i in range(self.L):
            sh, sc = span(h[i], True), span(c[i], True)
            a = &self.layers[i]
            for j in range(self.B):
                memcpy(sh.p + j * sh.stride[0] * self.es, a.rows[self.slot * self.B + j], a.R * self.es)
                copy_blocks(sc.p + j * sc.stride[0] * self.es, self.nu * self.es,
                            <char *>a.step.c + j * self.nu * self.es, self.B * self.nu * self.es, a.H, self.nu, self.es)

    def step(self, x, y, threads=None):
        """y (B, R) = the top layer's output after x (B, I); y has unit feature stride, x any strides."""
        cdef Span sx = span(x), sy = span(y, True)
        cdef double start = lstmc_clock() if self.parts > 1 else 0, end
        cdef bint awake = start - self.last < awake_seconds and start > self.rest
        cdef Py_ssize_t n = step_team(self.flops, self.weight_bytes, self.parts, awake, threads), j
        cdef Layer *top = &self.layers[self.L - 1]
        with nogil:
            for j in range(self.B):
                self.xrow[j] = sx.p + j * sx.stride[0] * self.es
            if n <= 1:
                self.part(sx.stride[1], 0, 1)
            else:
                memset(self.flags, 0, n * sizeof(lstmc_flag))
                self.flags[0].since = start
                with parallel(num_threads=n):
                    self.part(sx.stride[1], threadid(), lstmc_crew_size())
            self.slot = 1 - self.slot
            for j in range(self.B):
                memcpy(sy.p + j * sy.stride[0] * self.es, top.rows[self.slot * self.B + j], top.R * self.es)
            if self.parts > 1:
                self.last = end = lstmc_clock()
                if n > 1:
                    self.quickest = min(self.quickest, end - start)
                    if end - start > slow_factor * self.quickest:
                        self.rest = end + rest_seconds

    cdef void part(self, Py_ssize_t xs, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
        """The units of thread i of n in every layer; those of all, should the crew dissolve."""
        cdef Py_ssize_t layer, before = self.slot * self.B, after = (1 - self.slot) * self.B
        cdef Layer *a
        cdef lstmc_lstm_fwd step
        cdef lstmc_product project
        cdef long meeting = 0
        for layer in range(self.L):
            a = &self.layers[layer]
            step = a.step
            step.back = self.slot
            if layer:
                step.x = <const void **>self.layers[layer - 1].rows + after
            else:
                step.x, step.xs = self.xrow, xs
            step.h = a.rows[before]
            if not a.P:
                step.h_out = a.rows[after]
            step.p0, step.p1 = i * a.panels // n, (i + 1) * a.panels // n
            self.k.lstm_step_fwd(&step)
            if n > 1 and (a.P or layer + 1 < self.L):
                meeting += 1
                if lstmc_meet(self.flags, n, i, meeting):
                    if i:
                        return
                    n = 1
            if a.P:
                project = a.project
                project.back = self.slot
                project.out = a.rows + after
                project.q0, project.q1 = i * a.groups // n, (i + 1) * a.groups // n
                if project.q0 < project.q1:
                    self.k.product(&project)
                if n > 1 and layer + 1 < self.L:
                    meeting += 1
                    if lstmc_meet(self.flags, n, i, meeting):
                        if i:
                            return
                        n = 1
