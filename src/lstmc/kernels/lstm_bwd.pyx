"""LSTM backward over a whole sequence, one layer in one direction or in both.

Phase 1 goes back in time, each thread for its own rows (or its own units of all rows, see crew.pyx), turns the gates of
the tape into gate gradients and ends with the gradients of the initial state. Phase 2, in lstm_sums.pyx, is what
sums over all steps. Strands are as in lstm_fwd.pyx.
"""

from cython.parallel cimport parallel, threadid
from libc.string cimport memcpy, memset

from lstmc.kernels.core cimport LSTMC_BLOCK_BYTES, LSTMC_GATES, LSTMC_MAX_ACC, Span, lstmc_product, lstmc_tile, span, span_or_null
from lstmc.kernels.crew cimport (Crew, apart, await_from, consider_rest, dismiss, gather, live_of, live_tiles, lstmc_crew_size, lstmc_tell,
                                 may_go_on, shares)
from lstmc.kernels.linear cimport weight_gradient
from lstmc.kernels.lstm_fwd cimport MAX_STRANDS, Forward
from lstmc.kernels.lstm_sums cimport sum_up
from lstmc.kernels.lstm_tape cimport Tape, gate_rows, load_of
from lstmc.kernels.plan cimport Load, Plan, plan_of
from lstmc.kernels.schedule cimport Rows, Schedule, n_active, row_of, seq, x_at
from lstmc.kernels.states cimport copy_blocks, direction, load_state
from lstmc.kernels.weights cimport Operands, block

from lstmc.kernels import arena


cdef struct Backward:
    Crew crew
    const Forward *f
    Span dy, dh0, dc0
    bint has_dy, has_dh
    char *dc                 # [p][B][NU]
    char *dh                 # gradient of the final h, sorted rows, [B][ldh]
    Py_ssize_t dc_ps, groups # column groups of dh
    char *dp                 # projection: dh of every live pair, [N][ldh]
    char *sums               # of threads that share: what waits for the others' part of dG
    void **rows              # per thread: dy and dp row pointers, [threads][2][B]


cdef void backward_thread(const Backward *g, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    """Back in time for the rows of thread i, or, if n threads share them, for its part of the units: gates become
    dG, dc becomes the gradient of c_0."""
    cdef const Forward *f = g.f
    cdef const Rows *s = &f.s
    cdef const Operands *w = f.w
    cdef const void **yrow = <const void **>g.rows + i * apart(2 * s.B, sizeof(void *))
    cdef void **prow = <void **>yrow + s.B
    cdef lstmc_product a, c
    cdef Py_ssize_t t, j, q, part, next_live, es = f.es, B = s.B, prev, low, high, panel_row = LSTMC_GATES * f.nu
    cdef bint sharing = g.crew.shared
    memset(&a, 0, sizeof(a))
    a.tiles = live_of(&g.crew, i)
    a.N, a.b, a.K = w.R, w.u_cols, LSTMC_GATES * w.H
    a.adds, a.ld_add2 = g.dy.stride[2], f.ldh
    a.add_ahead = (g.dy.stride[0] if f.reverse else -g.dy.stride[0]) * es
    a.gates_ps, a.c_prev_ps, a.c_ps, a.dc_ps, a.dc = f.gates_ps, f.c_ps, f.c_ps, g.dc_ps, g.dc
    a.out, a.outs = prow, 1
    if sharing:
        a.q0, a.q1 = i * g.groups // n, (i + 1) * g.groups // n
        a.sums = g.sums + a.q0 * g.crew.first[1] * LSTMC_MAX_ACC * LSTMC_BLOCK_BYTES
    memset(&c, 0, sizeof(c))
    c.tiles = a.tiles
    c.N, c.b, c.K = w.H, w.hr_cols, w.P
    c.a.row_stride, c.a.k_stride, c.a.n_full, c.a.full_len = f.ldh, 1, 1, w.P
    c.gates_ps, c.c_prev_ps, c.c_ps, c.dc_ps, c.dc = f.gates_ps, f.c_ps, f.c_ps, g.dc_ps, g.dc
    for t in range(s.T - 1, -1, -1):
        if sharing and not may_go_on(&g.crew, i, s.T - 1 - t):
            return
        next_live = n_active(s, t + 1) if t + 1 < s.T else 0
        prev = 0 if t == 0 else B + row_of(s, t - 1)
        a.back = c.back = t & 1
        a.gates = c.gates = f.gates + row_of(s, t) * panel_row * es
        a.c_prev = c.c_prev = f.c + prev * f.nu * es
        a.c = c.c = f.c + (B + row_of(s, t)) * f.nu * es
        for part in range(2):                   # rows that go on after t, rows whose last step is t
            low = next_live if part else 0
            high = n_active(s, t) if part else next_live
            a.n_tiles = live_tiles(&g.crew, i, low, high)
            if a.n_tiles == 0:
                continue
            a.a = gate_rows(f)
            a.a.a = NULL if part else f.gates + row_of(s, t + 1) * panel_row * es
            a.add = yrow if g.has_dy else NULL
            a.add2 = g.dh if part and g.has_dh else NULL
            for q in range(a.n_tiles):
                for j in range(a.tiles[q].row, a.tiles[q].row + a.tiles[q].mr):
                    if g.has_dy:
                        yrow[j] = x_at(&g.dy, s, t, j, f.reverse)
                    if w.P:
                        prow[j] = g.dp + (row_of(s, t) + j) * f.ldh * es
            if w.P:
                f.k.product(&a)
            elif sharing and not part:
                share_step(g, &a, i, n, s.T - 1 - t)
            else:
                f.k.lstm_step_bwd(&a)
        if w.P:
            c.n_tiles = live_tiles(&g.crew, i, 0, n_active(s, t))
            c.a.a = g.dp + row_of(s, t) * f.ldh * es
            if c.n_tiles:
                f.k.lstm_step_bwd(&c)
        if sharing and lstmc_tell(g.crew.flags, n, i, s.T - t):
            sharing, a.q0, a.q1 = False, 0, g.groups
    if sharing:
        if not may_go_on(&g.crew, i, s.T):
            return
        j = 0
        while j < n:
            j = await_from(&g.crew, n, i, j, s.T)
    h0_gradient(g, i, &a)


cdef void share_step(const Backward *g, lstmc_product *a, Py_ssize_t i, Py_ssize_t n, long epoch) noexcept nogil:
    """A step in the units of thread i, whose chains run over dG in the order of its owners, as in lstm_fwd.pyx."""
    cdef Py_ssize_t j = 0
    while j < n:
        j = await_from(&g.crew, n, i, j, epoch)
        a.r1 = min(4 * (j * g.groups // n), a.a.n_full) if j < n else 0
        g.f.k.lstm_step_bwd(a)
        a.r0 = a.r1


cdef void h0_gradient(const Backward *g, Py_ssize_t i, lstmc_product *a) noexcept nogil:
    """dh_0 = dG_0 U for rows of thread i that have a step, in its units; the final gradient passes through the others."""
    cdef const Forward *f = g.f
    cdef const Rows *s = &f.s
    cdef void **row = <void **>a.out
    cdef const lstmc_tile *tile
    cdef Py_ssize_t j, q, n = n_active(s, 0) if s.T else 0, es = f.es, R = f.w.R
    for q in range(g.crew.first[i], g.crew.first[i + 1]):
        tile = g.crew.tiles + q
        for j in range(tile.row, tile.row + tile.mr):
            row[j] = g.dh0.p + seq(s, j) * g.dh0.stride[0] * es
            if j >= n and a.q0 == 0:
                if g.has_dh:
                    memcpy(row[j], g.dh + j * f.ldh * es, R * es)
                else:
                    memset(row[j], 0, R * es)
    a.n_tiles = live_tiles(&g.crew, i, 0, n)
    a.add = NULL
    a.add2 = NULL
    a.a = gate_rows(f)
    a.a.a = f.gates
    f.k.product(a)


cdef void run_thread(const Backward *g, Py_ssize_t strands, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    """The share of thread i of the n that came, in so many strands: fewer may come than were asked for."""
    cdef Py_ssize_t each = shares(&g.crew, strands, n)
    while i < strands * each:
        backward_thread(g + i // each, i % each, each)
        i += n


cdef int projection_gradient(const Backward *g, object d_hr, object threads) except -1:
    """dW_hr (P, H) = sum over live pairs of dh^T h_full: the weight gradient of a linear map."""
    cdef const Forward *f = g.f
    cdef Span dh, h_full, none
    dh.p, dh.shape[0], dh.shape[1], dh.stride[0], dh.stride[1], dh.itemsize, dh.ndim = g.dp, f.s.N, f.w.P, f.ldh, 1, f.es, 2
    h_full = dh
    h_full.p, h_full.shape[1], h_full.stride[0] = f.hf, f.w.H, f.ldf
    none.p = NULL
    return weight_gradient(f.k, dh, h_full, span(d_hr, True), none, threads)


cdef int set_up(Backward *g, const Plan *plan, list scratch) except -1:
    """Deal the rows and take the workspaces of one strand."""
    cdef const Forward *f = g.f
    cdef const Operands *w = f.w
    cdef Py_ssize_t es = f.es, B = f.s.B
    g.dc_ps = B * f.nu
    g.groups = (w.panels + 3) // 4
    gather(&g.crew, &f.s, plan, g.groups, f.k.mr)
    g.dh = block(scratch, B * f.ldh * es)
    g.dc = block(scratch, w.panels * g.dc_ps * es)
    if g.crew.shared:
        g.sums = block(scratch, g.groups * g.crew.first[1] * LSTMC_MAX_ACC * LSTMC_BLOCK_BYTES)
    if w.P:
        g.dp = block(scratch, f.s.N * f.ldh * es)
    g.rows = <void **>block(scratch, g.crew.threads * apart(2 * B, sizeof(void *)) * sizeof(void *))
    return 0


cdef void final_gradient(Backward *g, const Span *dh, const Span *dc) noexcept nogil:
    """The gradients of h_n (B, R) and c_n (B, H), with which the way back begins."""
    cdef const Forward *f = g.f
    load_state(&f.s, 0, f.s.B, g.dh, f.ldh, g.dc, g.dc_ps, dh, dc, f.w.R, f.w.H, f.nu, f.es)


cdef void c0_gradient(const Backward *g) noexcept nogil:
    """dc_0 (B, H) of every sequence."""
    cdef const Forward *f = g.f
    cdef Py_ssize_t j
    for j in range(f.s.B):
        copy_blocks(g.dc0.p + seq(&f.s, j) * g.dc0.stride[0] * f.es, f.nu * f.es, g.dc + j * f.nu * f.es, g.dc_ps * f.es,
                    f.w.H, f.nu, f.es)


cdef int zero(object grads) except -1:
    for array in grads:
        if array is not None:
            array[...] = 0
    return 0


def lstm_backward(list tapes not None, dy, dh_n, dc_n, dx, dh0, dc0, list grads not None, threads=None):
    """Gradients of one `lstm_forward`; uses its tapes, one for each direction, up.

    dy (T, B, D*R) with any strides or None; dh_n (D, B, R), dc_n (D, B, H) with unit feature stride or None. Written:
    dx (T, B, I) at live steps (None: not wanted), dh0 (D, B, R), dc0 (D, B, H), and for each direction the arrays of
    grads[d]: d_ih (4H, I), d_hh (4H, R), d_b (4H,) or None, d_hr (P, H) with a projection or None, with contiguous rows.
    """
    cdef Backward g[MAX_STRANDS]
    cdef Forward f[MAX_STRANDS]
    cdef Tape tape = tapes[0]
    cdef Schedule schedule = tape.schedule
    cdef Span dh_in = span_or_null(dh_n), dc_in = span_or_null(dc_n), sdx = span_or_null(dx, True), dh, dc
    cdef Span dh_out = span(dh0, True), dc_out = span(dc0, True)
    cdef Py_ssize_t D = len(tapes), bands = tape.bands, strands = D * bands, d, i, at = 0
    cdef Load load
    cdef Plan plan
    cdef list scratch = []
    memset(g, 0, sizeof(g))
    for i in range(strands):
        d = i // bands
        tape = tapes[d]
        f[i] = tape.f[i % bands]
        g[i].f = &f[i]
        g[i].has_dy, g[i].has_dh = dy is not None, dh_n is not None
        if dy is not None:
            g[i].dy = span(dy)
            g[i].dy.p += d * f[i].w.R * g[i].dy.stride[2] * f[i].es
        g[i].dh0, g[i].dc0 = direction(dh_out, d), direction(dc_out, d)
    load = load_of(f, &schedule.rows, D, bands, (f[0].w.panels + 3) // 4)
    plan = plan_of(&load, threads)
    consider_rest(&plan)
    try:
        for i in range(strands):
            set_up(&g[i], &plan, scratch)
        with nogil:
            for i in range(strands):
                dh, dc = direction(dh_in, i // bands), direction(dc_in, i // bands)
                final_gradient(&g[i], &dh, &dc)
            while at < strands:
                with parallel(num_threads=plan.abreast * g[at].crew.threads):
                    run_thread(&g[at], plan.abreast, threadid(), lstmc_crew_size())
                at += plan.abreast
            for i in range(strands):
                c0_gradient(&g[i])
        for d in range(D):
            if schedule.rows.N == 0:
                zero(grads[d])
                continue
            sum_up(&f[d * bands], bands, sdx, d > 0, grads[d], threads)
            if f[d].w.P:
                projection_gradient(&g[d], grads[d][3], threads)
    finally:
        for i in range(strands):
            dismiss(&g[i].crew)
        arena.give(*scratch)
        for d in reversed(range(D)):
            (<Tape>tapes[d]).release()
