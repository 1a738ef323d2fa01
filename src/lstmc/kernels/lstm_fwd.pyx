"""LSTM forward over a whole sequence, one layer in one direction or in both.

The whole time loop runs in one parallel region: a thread owns rows of the batch in one direction and needs no other
thread, or, with few rows, owns units of all rows and needs the others' part of h at each step (plan.pyx, crew.pyx).
What directions and bands of rows (schedule.pyx) have in common is the weights: each pair of them is a strand.
Arguments are checked by the faces. Arrays have axes (T, B, features) with any strides unless said otherwise;
y and states have unit feature stride.
"""

from cython.parallel cimport parallel, threadid
from libc.string cimport memcpy, memset

from lstmc.kernels.core cimport LSTMC_BLOCK_BYTES, LSTMC_GATES, LSTMC_MAX_ACC, Span, lstmc_lstm_fwd, lstmc_product, lstmc_tile, span, span_or_null
from lstmc.kernels.crew cimport (apart, await_from, consider_rest, dismiss, gather, live_of, live_tiles, lstmc_crew_size, lstmc_prefetch,
                                 lstmc_tell, may_go_on, shares)
from lstmc.kernels.lstm_inputs cimport fill_z, z_of
from lstmc.kernels.lstm_tape cimport Tape, load_of
from lstmc.kernels.plan cimport Load, Plan, plan_of
from lstmc.kernels.schedule cimport Rows, Schedule, band_of, bands_of, len_of, n_active, row_of, seq, x_at
from lstmc.kernels.states cimport copy_blocks, direction, load_state
from lstmc.kernels.weights cimport Operands, Weights, block, row_stride

from lstmc.kernels import arena

# Rows between the states of two threads. What one writes at every step must not come near what the other writes: the
# processor fetches lines ahead, and would fetch its neighbour's.
cdef enum:
    GAP = 16


cdef struct Part:
    Py_ssize_t j0, j1        # sorted rows
    char *h                  # where rows 0 of the two slots would be
    char *other
    char *c
    Py_ssize_t c_ps


cdef Part part_of(const Forward *f, Py_ssize_t i) noexcept nogil:
    """The states of part i of the rows: with more than one part, those of thread i."""
    cdef Part a
    cdef Py_ssize_t n, last
    a.j0, a.j1, a.h, a.c, a.c_ps = 0, f.s.B, f.h, f.c, f.c_ps
    if f.parts > 1:
        last = f.crew.first[i + 1] - 1
        a.j0, a.j1 = f.crew.tiles[f.crew.first[i]].row, f.crew.tiles[last].row + f.crew.tiles[last].mr
        n = a.j1 - a.j0
        a.h = f.h + (a.j0 + i * GAP) * f.ldh * f.es
        a.c = f.c + ((f.w.panels - 1) * a.j0 + f.w.panels * i * GAP) * f.nu * f.es
        a.c_ps = n * f.nu
    a.other = a.h + (a.j1 - a.j0) * f.ldh * f.es
    return a


cdef void share_step(const Forward *f, lstmc_lstm_fwd *a, Py_ssize_t i, Py_ssize_t n, Py_ssize_t t) noexcept nogil:
    """Step t in the units of thread i. The chains run over x and over h in the order of its owners, as far as these have come:
    who waits has done what it could, so it costs nothing that a thread is somewhat later than those before it."""
    cdef Py_ssize_t j = 0, to, p, row, panels = f.w.panels
    while j < n:
        to = await_from(&f.crew, n, i, j, t)
        if to > i + 1 or j != i:        # not its own part alone: what others wrote comes from their caches
            for row in range(a.tiles[a.n_tiles - 1].row + a.tiles[a.n_tiles - 1].mr):
                for p in range(j * panels // n, to * panels // n):
                    lstmc_prefetch(<const char *>a.h + row * f.ldh * f.es + p * LSTMC_BLOCK_BYTES)
        j = to
        a.k1 = a.I + j * panels // n * f.nu if j < n else 0
        f.k.lstm_step_fwd(a)
        a.k0 = a.k1


cdef void forward_thread(const Forward *f, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    """The whole time loop for the rows of thread i, or, if n threads share them, for its part of the units."""
    cdef const Rows *s = &f.s
    cdef const void **xrow = <const void **>f.rows + i * apart(3 * s.B, sizeof(void *))
    cdef void **yrow = <void **>xrow + s.B
    cdef void **hrow = yrow + s.B
    cdef lstmc_lstm_fwd a
    cdef lstmc_product proj
    cdef const Operands *w = f.w
    cdef Py_ssize_t t, j, q, prev, cur, B = s.B, es = f.es, panel_row = LSTMC_GATES * f.nu
    cdef Py_ssize_t live = -1       # rows for which the tiles were made
    cdef Py_ssize_t z0 = -1         # first step that z holds, -1: none
    cdef bint sharing = f.crew.shared
    cdef Part part = part_of(f, i if f.parts > 1 else 0)
    cdef char *h
    memset(&a, 0, sizeof(a))
    memset(&proj, 0, sizeof(proj))
    a.tiles = proj.tiles = live_of(&f.crew, i)
    a.p1 = w.panels
    if sharing:
        a.p0, a.p1 = i * w.panels // n, (i + 1) * w.panels // n
        a.sums = f.sums + a.p0 * f.crew.first[1] * LSTMC_MAX_ACC * LSTMC_BLOCK_BYTES
    a.I, a.R, a.H = w.I, w.R, w.H
    a.x, a.xs = xrow, f.x.stride[2]
    a.x_ahead = (-f.x.stride[0] if f.reverse else f.x.stride[0]) * es
    a.w, a.bias = w.w, w.bias
    a.ldh = f.ldh
    a.c_prev_ps = a.c_ps = part.c_ps
    a.gates_ps = f.gates_ps
    a.ld_out = f.ldf if w.P else f.ldh
    a.y = NULL if w.P else yrow
    if w.P:
        proj.N, proj.K, proj.b = w.P, w.H, w.hr
        proj.a.row_stride, proj.a.k_stride, proj.a.n_full, proj.a.full_len = f.ldf, 1, 1, w.H
        proj.out, proj.outs = hrow, 1
    for t in range(s.T):
        if live != n_active(s, t):
            live = n_active(s, t)
            a.n_tiles = proj.n_tiles = live_tiles(&f.crew, i, 0, live)
        if a.n_tiles == 0:
            break
        if f.z_steps:
            if z0 < 0 or t - z0 >= f.z_steps:
                z0 = t
                fill_z(f, i, a.p0, a.p1, t)
            a.z, a.z_ps = z_of(f, i, t - z0, a.tiles[0].row), f.z_rows * panel_row
        if f.train:
            prev, cur = 0 if t == 0 else B + row_of(s, t - 1), B + row_of(s, t)
            a.c_prev, a.c = f.c + prev * f.nu * es, f.c + cur * f.nu * es
            a.gates = f.gates + row_of(s, t) * panel_row * es
            a.h, h = f.h + prev * f.ldh * es, f.h + cur * f.ldh * es
        else:
            a.c_prev = a.c = part.c
            a.h, h = part.other if t & 1 else part.h, part.h if t & 1 else part.other
        a.back = proj.back = t & 1
        a.h_out = h
        if w.P:
            proj.a.a = a.h_out = f.hf + (row_of(s, t) * f.ldf * es if f.train else 0)
        for q in range(a.n_tiles):
            for j in range(a.tiles[q].row, a.tiles[q].row + a.tiles[q].mr):
                xrow[j] = x_at(&f.x, s, t, j, f.reverse)
                yrow[j] = x_at(&f.y, s, t, j, f.reverse)
                hrow[j] = h + j * f.ldh * es
        if not sharing:
            f.k.lstm_step_fwd(&a)
        elif not may_go_on(&f.crew, i, t):
            return
        else:
            share_step(f, &a, i, n, t)
            if lstmc_tell(f.crew.flags, n, i, t + 1):
                sharing, a.p0, a.p1, z0 = False, 0, w.panels, -1
        if w.P:
            f.k.product(&proj)
            for q in range(a.n_tiles):
                for j in range(a.tiles[q].row, a.tiles[q].row + a.tiles[q].mr):
                    memcpy(yrow[j], hrow[j], w.P * es)


cdef void run_thread(const Forward *f, Py_ssize_t strands, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    """The share of thread i of the n that came, in so many strands: fewer may come than were asked for."""
    cdef Py_ssize_t each = shares(&f.crew, strands, n)
    while i < strands * each:
        forward_thread(f + i // each, i % each, each)
        i += n


cdef int set_up(Forward *f, const Plan *plan, list keep, list scratch) except -1:
    """Deal the rows and take the workspaces of one strand; keep: those that a tape needs."""
    cdef const Rows *s = &f.s
    cdef const Operands *w = f.w
    cdef Py_ssize_t es = f.es, nu = f.nu, B = s.B, panel_row = LSTMC_GATES * nu, cap
    cdef Py_ssize_t rows, c_rows
    f.ldh, f.ldf = row_stride(w.R, nu, es), row_stride(w.H, nu, es)
    gather(&f.crew, s, plan, w.panels, f.k.mr)
    f.parts = 1 if f.train or f.crew.shared or s.ragged else f.crew.threads
    rows, c_rows = (B + s.N, B + s.N) if f.train else (2 * B + (f.parts - 1) * GAP, B + (f.parts - 1) * GAP)
    f.c_ps = (B + s.N if f.train else B) * nu
    f.gates_ps = s.N * panel_row
    f.h = block(keep, rows * f.ldh * es)
    f.c = block(keep, w.panels * c_rows * nu * es)
    if f.train:
        f.gates = block(keep, w.panels * f.gates_ps * es)
    if w.P:
        f.hf = block(keep, (s.N if f.train else B) * f.ldf * es)
    f.rows = <void **>block(scratch, f.crew.threads * apart(3 * B, sizeof(void *)) * sizeof(void *))
    if f.crew.shared:
        f.sums = block(scratch, w.panels * f.crew.first[1] * LSTMC_MAX_ACC * LSTMC_BLOCK_BYTES)
    f.z_steps = plan.z_steps
    if f.z_steps:
        cap = B if f.crew.shared else (B + f.crew.threads - 1) // f.crew.threads
        f.z_rows = f.z_steps * cap
        f.z = block(scratch, f.crew.threads * f.z_rows * w.panels * panel_row * es)
        f.zx = <const void **>block(scratch, f.crew.threads * f.z_rows * sizeof(void *))
        f.z_tiles = <lstmc_tile *>block(scratch, f.crew.threads * f.z_rows * sizeof(lstmc_tile))
        f.z_first = <Py_ssize_t *>block(scratch, f.crew.threads * f.z_steps * sizeof(Py_ssize_t))
    return 0


cdef void initial_state(const Forward *f, const Span *h, const Span *c) noexcept nogil:
    """h_0 (B, R) and c_0 (B, H) of every sequence."""
    cdef Py_ssize_t i
    cdef Part part
    for i in range(f.parts):
        part = part_of(f, i)
        load_state(&f.s, part.j0, part.j1, part.h, f.ldh, part.c, part.c_ps, h, c, f.w.R, f.w.H, f.nu, f.es)


cdef void final_state(const Forward *f, const Span *h, const Span *c) noexcept nogil:
    """h_n (B, R) and c_n (B, H) of every sequence."""
    cdef const Rows *s = &f.s
    cdef Py_ssize_t i, j, row, c_row
    cdef Part part
    for i in range(f.parts):
        part = part_of(f, i)
        for j in range(part.j0, part.j1):
            row = c_row = j
            if f.train and len_of(s, j):
                row = c_row = s.B + row_of(s, len_of(s, j) - 1) + j
            elif not f.train and len_of(s, j) % 2:
                row = j + part.j1 - part.j0
            memcpy(h.p + seq(s, j) * h.stride[0] * f.es, part.h + row * f.ldh * f.es, f.w.R * f.es)
            copy_blocks(c.p + seq(s, j) * c.stride[0] * f.es, f.nu * f.es,
                        part.c + c_row * f.nu * f.es, part.c_ps * f.es, f.w.H, f.nu, f.es)


def lstm_forward(list weights not None, Schedule schedule not None, x, y, h0, c0, h_n, c_n, bint train=False, threads=None):
    """Run a sequence through one layer; returns a Tape for each direction if train, else None.

    weights: of the forward direction and, if there is one, of the reverse direction: D = 1 or 2. x (T, B, I) with any
    strides; y (T, B, D*R) is written at live steps only; h0 (D, B, R), c0 (D, B, H) with unit feature stride, or None
    for zeros; h_n, c_n like them are written.
    """
    cdef Forward f[MAX_STRANDS]
    cdef const Rows *s = &schedule.rows
    cdef Span h_in = span_or_null(h0), c_in = span_or_null(c0), sh, sc
    cdef Span h_out = span(h_n, True), c_out = span(c_n, True), sx = span(x), sy = span(y, True)
    cdef Weights w = weights[0]
    cdef Py_ssize_t D = len(weights), bands = bands_of(s, w.o.I, w.o.R, w.o.H, w.o.P, w.itemsize) if train else 1
    cdef Py_ssize_t strands = D * bands, i, d, at = 0
    cdef list keep = [], scratch = [], tapes = []
    cdef Load load
    cdef Plan plan
    cdef Tape tape
    memset(f, 0, sizeof(f))
    for i in range(strands):
        d = i // bands
        w = weights[d]
        f[i].s = band_of(s, i % bands, bands)
        f[i].w, f[i].k, f[i].nu, f[i].es, f[i].reverse, f[i].train = &w.o, w.k, w.k.nu, w.itemsize, d == 1, train
        f[i].x, f[i].y = sx, sy
        f[i].y.p += d * w.o.R * sy.stride[2] * sy.itemsize
        if i % bands == 0:
            keep.append([])
    load = load_of(f, s, D, bands, f.w.panels)
    plan = plan_of(&load, threads)
    consider_rest(&plan)
    try:
        for i in range(strands):
            set_up(&f[i], &plan, keep[i // bands], scratch)
        with nogil:
            for i in range(strands):
                sh, sc = direction(h_in, i // bands), direction(c_in, i // bands)
                initial_state(&f[i], &sh, &sc)
            while at < strands:
                with parallel(num_threads=plan.abreast * f[at].crew.threads):
                    run_thread(&f[at], plan.abreast, threadid(), lstmc_crew_size())
                at += plan.abreast
            for i in range(strands):
                sh, sc = direction(h_out, i // bands), direction(c_out, i // bands)
                final_state(&f[i], &sh, &sc)
    finally:
        for i in range(strands):
            dismiss(&f[i].crew)
        arena.give(*scratch)
        if not train:
            for d in range(len(keep)):
                arena.give(*keep[d])
    if not train:
        return None
    for d in range(D):
        tape = Tape.__new__(Tape)
        tape.schedule, tape.w, tape.x, tape.keep, tape.bands = schedule, weights[d], x, keep[d], bands
        for i in range(bands):
            tape.f[i] = f[d * bands + i]
        tapes.append(tape)
    return tapes
