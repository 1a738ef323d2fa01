"""One step of a stack of layers with carried state: nothing is allocated, looked up or packed per step.

A Stream owns the states of B sequences in the kernels' layout and borrows packed weights. Its step is the same
chain per element as a whole sequence, so the bits are the same. One thread may use a Stream at a time: `step` sees to it by
itself, around other methods it is `with stream:`.

Where the weights are too many for one core to read fast, threads divide the units of each layer and meet after it.
Most steps are too short to wake a sleeping thread, so they are asked only when the last step has just been.
"""

from cython.parallel cimport parallel, threadid
from libc.string cimport memcpy, memset

from lstmc.kernels.arena cimport block, give_back
from lstmc.kernels.cells cimport Sizes, blocks_of, count, groups_of, row_stride
from lstmc.kernels.contention cimport Region, at_most, begin_share, end_share, enter
from lstmc.kernels.clock cimport lstmc_clock
from lstmc.kernels.core cimport LSTMC_SLOTS, Span, balanced, dense, lstmc_kernels, lstmc_options, lstmc_product, lstmc_tile, lstmc_walk, span
from lstmc.kernels.workspace cimport Forward
from lstmc.kernels.inputs cimport set_products, set_then
from lstmc.kernels.norm cimport norm_step
from lstmc.kernels.options cimport Options
from lstmc.kernels.plan cimport can_start, step_threads
from lstmc.kernels.schedule cimport Schedule
from lstmc.kernels.states cimport StateRows, copy_blocks, load_state
from lstmc.kernels.team cimport end, lstmc_barrier, lstmc_progress, lstmc_team_size
from lstmc.kernels.turn cimport lstmc_enter, lstmc_leave
from lstmc.kernels.weights cimport Operands, Weights

from lstmc.kernels.plan import AWAKE_SECONDS

cdef enum:
    MAX_TEAM = 64
    USUAL = 4                # times the quickest work: what takes longer has lost its core, which is cheaper to see than to ask the system

cdef double awake_seconds = AWAKE_SECONDS


cdef struct Layer:
    lstmc_walk step
    lstmc_walk second        # of a projection, or of the second of two stages
    lstmc_options options, projected
    char *h                  # two slots of [B][ldh]
    void **rows              # [2][B] rows of h
    const Operands *w
    char *sums               # layer normalisation: W x and U h of all rows
    Py_ssize_t ldh, panels, groups, I, R, H, P


cdef int check(const Span *a, Py_ssize_t rows, Py_ssize_t n, Py_ssize_t itemsize) except -1:
    """The faces have looked at shapes, but an array may get another one before it is read here."""
    if a.ndim != 2 or a.shape[0] != rows or a.shape[1] != n or a.itemsize != itemsize:
        raise ValueError(f"expected shape ({rows}, {n}) and {itemsize}-byte items, received {tuple(a.shape[i] for i in range(a.ndim))} and "
                         f"{a.itemsize}-byte items")
    return 0


cdef char *first_byte(const Span *a) noexcept:
    """Where the lowest element of two axes begins."""
    return a.p + (min((a.shape[0] - 1) * a.stride[0], 0) + min((a.shape[1] - 1) * a.stride[1], 0)) * a.itemsize


cdef char *end_byte(const Span *a) noexcept:
    """Where the highest one ends."""
    return a.p + (max((a.shape[0] - 1) * a.stride[0], 0) + max((a.shape[1] - 1) * a.stride[1], 0) + 1) * a.itemsize


cdef class Stream:
    """Stream(weights of each layer, options, B, apart=None).

    apart(y, "x_t", x) is called, and may raise, where the x and y of a step lie so that they could have an element in common.
    """

    cdef list weights, keep
    cdef object apart
    cdef const lstmc_kernels *k
    cdef Schedule schedule
    cdef Layer *layers
    cdef Py_ssize_t L, B, es, nu, slot, n_tiles, parts
    cdef const void **xrow
    cdef lstmc_progress *progress
    cdef double flops, weight_bytes
    cdef long taken          # a thread is using it
    cdef double last         # when the last step ended
    cdef double alone, work  # seconds of the quickest step on one thread, and of the first thread's work in those on more

    def __cinit__(self, list weights, Options options, Py_ssize_t B, apart=None):
        cdef Weights w = weights[0]
        cdef Layer *a
        cdef Forward f
        cdef Sizes size
        cdef lstmc_tile *tiles
        cdef Py_ssize_t i, j, ldf
        self.weights, self.keep, self.k, self.apart = weights, [], w.k, apart
        self.schedule = Schedule(1, B)
        self.L, self.B, self.es, self.nu = len(weights), B, w.itemsize, w.k.nu
        self.parts, self.alone, self.work = MAX_TEAM, 1, 1
        self.layers = <Layer *>block(self.keep, self.L * sizeof(Layer))
        memset(self.layers, 0, self.L * sizeof(Layer))
        self.progress = <lstmc_progress *>block(self.keep, MAX_TEAM * sizeof(lstmc_progress))
        tiles = <lstmc_tile *>block(self.keep, B * sizeof(lstmc_tile))
        self.n_tiles = balanced(tiles, 0, B, w.k.mr)
        self.xrow = <const void **>block(self.keep, B * sizeof(void *))
        memset(&f, 0, sizeof(f))
        for i in range(self.L):
            w = weights[i]
            a = &self.layers[i]
            a.panels, a.I, a.R, a.H, a.P = w.o.panels, w.o.I, w.o.R, w.o.H, w.o.P
            a.groups = groups_of(blocks_of(a.P, self.nu))
            a.w = &w.o
            self.parts = min(self.parts, w.o.groups)
            if w.o.norm != NULL:        # a mean needs whole rows
                self.parts, a.sums = 1, block(self.keep, 2 * B * w.o.blocks * self.nu * self.es)
            a.ldh, ldf = row_stride(a.R, self.nu, self.es), row_stride(a.H, self.nu, self.es)
            a.h = block(self.keep, 2 * B * a.ldh * self.es)
            a.rows = <void **>block(self.keep, 2 * B * sizeof(void *))
            for j in range(2 * B):
                a.rows[j] = a.h + j * a.ldh * self.es
            f.r.w, f.r.nu, f.r.ldh, f.r.x.stride[2] = &w.o, self.nu, a.ldh, 1
            set_products(&f, &a.step, NULL)
            a.step.tiles, a.step.n_tiles = tiles, self.n_tiles
            a.step.begins = a.step.ends = True
            a.step.k1 = a.I + a.R
            a.options, a.options.peephole, a.projected = options.o, w.o.peephole, options.o
            if w.o.P:
                a.options.zoneout_h = 0
            a.step.finish, a.step.fused = w.o.cell.forward[0 if options.plain else 1], w.o.cell.fused if options.plain else NULL
            a.step.step.options, a.step.step.H = &a.options, a.H
            a.step.step.ld_prev = a.step.step.ld = a.ldh
            if w.o.cell.states > 1:
                a.step.step.c = block(self.keep, a.panels * B * self.nu * self.es)
                a.step.step.c_prev, a.step.step.c_ps, a.step.step.c_prev_ps = a.step.step.c, B * self.nu, B * self.nu
            size = count(w.o.cell, a.I, a.H, a.R, a.P, a.panels)
            self.flops += 2.0 * B * size.weights
            self.weight_bytes += <double>self.es * size.weights
            if a.P:
                a.step.step.h, a.step.step.ld = block(self.keep, B * ldf * self.es), ldf
                a.second.tiles, a.second.n_tiles = tiles, self.n_tiles
                a.second.begins = a.second.ends = True
                a.second.n_products, a.second.product[0].n_operands = 1, 1
                a.second.k1 = a.second.product[0].K = a.H
                a.second.product[0].a[0] = dense(a.step.step.h, ldf, 1, a.H)
                a.second.product[0].b, a.second.N, a.second.outs = w.o.hr, a.P, 1
                a.second.blocks = (a.P + self.nu - 1) // self.nu
                a.second.step.options, a.second.step.ld_prev, a.second.step.ld = &a.projected, a.ldh, a.ldh
                if a.projected.zoneout_h > 0:
                    a.second.finish = w.k.zone_fwd
            if w.o.cell.first:
                set_then(&f, &a.second, &a.step)
                a.second.finish = w.o.cell.then_forward[0 if options.plain else 1]
                a.step.step.h, a.step.step.ld = block(self.keep, B * ldf * self.es), ldf
                a.step.step.gates_rs, a.step.step.gates_ps = row_stride(w.o.cell.slots * w.o.panels * self.nu, self.nu, self.es), self.nu
                a.step.step.gates = block(self.keep, B * a.step.step.gates_rs * self.es)
                a.second.step.gates, a.second.step.gates_rs, a.second.step.gates_ps = a.step.step.gates, a.step.step.gates_rs, self.nu
                a.second.product[1].a[0] = dense(a.step.step.h, ldf, 1, a.H)
                a.groups = w.o.then.groups

    def __dealloc__(self):
        give_back(self.keep)

    cdef int enter(self) except -1:
        if not lstmc_enter(&self.taken):
            raise RuntimeError("session: expected one call at a time, received one while another thread's is in it")
        return 0

    def __enter__(self):
        self.enter()

    def __exit__(self, *error):
        lstmc_leave(&self.taken)

    def set_state(self, state):
        """Load h (L, B, R) and, for the LSTM, c (L, B, H), unit feature stride; None: zeros."""
        cdef Span sh, sc
        cdef Py_ssize_t i
        cdef Layer *a
        self.slot = 0
        for i in range(self.L):
            sh.p = sc.p = NULL
            if state is not None:
                sh = span(state[0][i])
                if len(state) > 1:
                    sc = span(state[1][i])
            a = &self.layers[i]
            load_state(StateRows(a.h, a.ldh, <char *>a.step.step.c, self.B * self.nu, a.R, a.H, self.nu, self.es), &self.schedule.rows, 0, self.B, &sh, &sc)

    def get_state(self, state):
        """Write the state into h (L, B, R) and, for the LSTM, c (L, B, H), unit feature stride."""
        cdef Span sh, sc
        cdef Py_ssize_t i, j
        cdef Layer *a
        for i in range(self.L):
            sh = span(state[0][i], True)
            a = &self.layers[i]
            for j in range(self.B):
                memcpy(sh.p + j * sh.stride[0] * self.es, a.rows[self.slot * self.B + j], a.R * self.es)
            if len(state) > 1:
                sc = span(state[1][i], True)
                for j in range(self.B):
                    copy_blocks(sc.p + j * sc.stride[0] * self.es, self.nu * self.es,
                                <char *>a.step.step.c + j * self.nu * self.es, self.B * self.nu * self.es, a.H, self.nu, self.es)

    def step(self, x, y, threads=None, dict forced=None):
        """y (B, R) = the top layer's output after x (B, I); y has unit feature stride, x any strides. forced: as of `forward`, for tests."""
        self.enter()
        try:
            self.advance(x, y, threads, forced)
        finally:
            lstmc_leave(&self.taken)

    cdef int advance(self, object x, object y, object threads, dict forced) except -1:
        cdef Span sx = span(x), sy = span(y, True)
        cdef double start = lstmc_clock() if self.parts > 1 else 0
        cdef bint awake = start - self.last < awake_seconds
        cdef Region region
        cdef Py_ssize_t n = can_start(step_threads(self.flops, self.weight_bytes, self.parts, awake, threads, at_most())), j
        cdef Layer *top = &self.layers[self.L - 1]
        cdef long alone_from = 0 if forced is None else forced.get("alone_from", 0)
        check(&sx, self.B, self.layers[0].I, self.es)
        check(&sy, self.B, top.R, self.es)
        if self.apart is not None and first_byte(&sx) < end_byte(&sy) and first_byte(&sy) < end_byte(&sx):
            self.apart(y, "x_t", x)
        with nogil:
            for j in range(self.B):
                self.xrow[j] = sx.p + j * sx.stride[0] * self.es
            if n <= 1:
                self.part(sx.stride[1], 0, 1)
            else:
                memset(self.progress, 0, n * sizeof(lstmc_progress))
                self.progress[0].start, self.progress[0].alone_from = start, alone_from
                enter(&region, n, 0)
                with parallel(num_threads=n):
                    begin_share(&region, threadid())
                    self.part(sx.stride[1], threadid(), lstmc_team_size())
                    end_share(&region, threadid())
                self.work = min(self.work, region.finished - region.start - self.progress[0].waited)
                region.usual = min(USUAL * self.work, self.alone)
                end(&region, self.progress)
            self.slot = 1 - self.slot
            for j in range(self.B):
                memcpy(sy.p + j * sy.stride[0] * self.es, top.rows[self.slot * self.B + j], top.R * self.es)
            if self.parts > 1:
                self.last = lstmc_clock()
                if n <= 1:
                    self.alone = min(self.alone, self.last - start)
        return 0

    cdef void part(self, Py_ssize_t xs, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
        """The units of thread i of n in every layer; those of all, should the first go on alone."""
        cdef Py_ssize_t layer, before = self.slot * self.B, after = (1 - self.slot) * self.B, groups
        cdef Layer *a
        cdef lstmc_walk step, second
        cdef long epoch = 0
        for layer in range(self.L):
            a = &self.layers[layer]
            memcpy(&step, &a.step, sizeof(lstmc_walk) - (1 + LSTMC_SLOTS - a.step.n_products) * sizeof(lstmc_product))
            step.back = self.slot
            if layer:
                step.product[0].a[0].rows = <const void **>self.layers[layer - 1].rows + after
            else:
                step.product[0].a[0].rows, step.product[0].a[0].k_stride = self.xrow, xs
            step.step.h_prev = a.rows[before]
            if step.n_products == 1:
                step.product[0].a[1].a = a.rows[before]
            else:
                step.product[1].a[0].a = a.rows[before]
            if a.groups:
                second = a.second
                second.step.h_prev, second.step.h = a.rows[before], a.rows[after]
            if a.P:
                second.out = a.rows + after
            elif a.groups:
                second.product[0].a[0] = step.product[0].a[0]
            else:
                step.step.h = a.rows[after]
            groups = groups_of(step.blocks)
            step.q0, step.q1 = i * groups // n, (i + 1) * groups // n
            if a.w.norm == NULL:
                self.k.walk(&step)
            else:
                norm_step(a.w, &step, a.sums, self.B, self.nu, self.es, self.k)
            if n > 1 and (a.groups or layer + 1 < self.L):
                epoch += 1
                if lstmc_barrier(self.progress, n, i, epoch):
                    if i:
                        return
                    n = 1
            if a.groups:
                second.back = self.slot
                second.q0, second.q1 = i * a.groups // n, (i + 1) * a.groups // n
                if second.q0 < second.q1:
                    self.k.walk(&second)
                if n > 1 and layer + 1 < self.L:
                    epoch += 1
                    if lstmc_barrier(self.progress, n, i, epoch):
                        if i:
                            return
                        n = 1
