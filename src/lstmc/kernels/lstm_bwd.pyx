"""LSTM backward over a whole sequence, one layer in one direction or in both.

Phase 1 goes back in time, each thread for its own rows (or its own units of all rows, see crew.pyx), turns the gates of
the tape into gate gradients and ends with the gradients of the initial state.
Phase 2 is the weight gradients, split over output tiles, and dx, split over rows. Sums over the (t, b) pairs
run in blocks of KBLOCK pairs in schedule order, so no bit depends on the number of threads.
"""

from cython.parallel cimport parallel, prange, threadid
from libc.string cimport memcpy, memset

from lstmc.kernels.core cimport (LSTMC_GATES, LSTMC_KBLOCK, Span, balanced, lstmc_features, lstmc_outer, lstmc_product,
                                 lstmc_runs, lstmc_tile, span)
from lstmc.kernels.crew cimport Crew, apart, dismiss, gather, live_of, live_tiles, lstmc_crew_size, lstmc_meet
from lstmc.kernels.linear cimport weight_gradient
from lstmc.kernels.lstm_fwd cimport Forward, Tape, copy_blocks, direction, load_of, load_state
from lstmc.kernels.plan cimport Load, Plan, plan_of, team, work_of
from lstmc.kernels.schedule cimport Rows, n_active, row_of, seq, step_of, x_at
from lstmc.kernels.weights cimport Operands, Weights, block

from lstmc.kernels import arena

# Live pairs whose gate gradients are turned into weight gradients and dx at a time: a multiple of LSTMC_KBLOCK.
cdef Py_ssize_t CHUNK = 8 * LSTMC_KBLOCK


cdef struct Backward:
    Crew crew
    const Forward *f
    Span dy, dx, dh0, dc0
    bint has_dy, has_dh, add_dx
    lstmc_runs d_gates       # how a row of dG is read as an operand
    char *dc                 # [p][B][NU]
    char *dh                 # gradient of the final h, sorted rows, [B][ldh]
    Py_ssize_t dc_ps, groups # column groups of dh
    char *dp                 # projection: dh of every live pair, [N][ldh]
    void **rows              # per thread: dy and dp row pointers, [threads][2][B]
    # weight gradients
    Py_ssize_t M, m_tiles    # features x | h | 1 and their tiles
    lstmc_tile *tiles
    char *a                  # packed features of a chunk
    char *dw                 # [p][M][4][NU]
    void **dxrow
    lstmc_tile *row_tiles


cdef void backward_thread(const Backward *g, const Rows *s, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    """Back in time for the rows of thread i, or, if n threads share them, for its part of the units: gates become
    dG, dc becomes the gradient of c_0."""
    cdef const Forward *f = g.f
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
    a.gates_ps, a.c_prev_ps, a.c_ps, a.dc_ps, a.dc = f.gates_ps, f.c_ps, f.c_ps, g.dc_ps, g.dc
    a.out, a.outs = prow, 1
    if sharing:
        a.q0, a.q1 = i * g.groups // n, (i + 1) * g.groups // n
    memset(&c, 0, sizeof(c))
    c.tiles = a.tiles
    c.N, c.b, c.K = w.H, w.hr_cols, w.P
    c.a.row_stride, c.a.k_stride, c.a.n_full, c.a.full_len = f.ldh, 1, 1, w.P
    c.gates_ps, c.c_prev_ps, c.c_ps, c.dc_ps, c.dc = f.gates_ps, f.c_ps, f.c_ps, g.dc_ps, g.dc
    for t in range(s.T - 1, -1, -1):
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
            a.a = g.d_gates
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
            else:
                f.k.lstm_step_bwd(&a)
        if w.P:
            c.n_tiles = live_tiles(&g.crew, i, 0, n_active(s, t))
            c.a.a = g.dp + row_of(s, t) * f.ldh * es
            if c.n_tiles:
                f.k.lstm_step_bwd(&c)
        if sharing and lstmc_meet(g.crew.flags, n, i, s.T - t):
            if i:
                return
            sharing, a.q0, a.q1 = False, 0, g.groups
    h0_gradient(g, s, i, &a)


cdef void h0_gradient(const Backward *g, const Rows *s, Py_ssize_t i, lstmc_product *a) noexcept nogil:
    """dh_0 = dG_0 U for rows of thread i that have a step, in its units; the final gradient passes through the others."""
    cdef const Forward *f = g.f
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
    a.a = g.d_gates
    a.a.a = f.gates
    f.k.product(a)


cdef void run_thread(const Backward *g, const Rows *s, Py_ssize_t D, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    """The share of thread i of the n that came, in D directions: fewer may come than were asked for."""
    cdef Py_ssize_t each
    if g.crew.shared:
        each = max(n // D, 1)
        while i < D * each:
            backward_thread(g + i // each, s, i % each, each)
            i += n
        return
    while i < D * g.crew.threads:
        backward_thread(g + i // g.crew.threads, s, i % g.crew.threads, 1)
        i += n


cdef void pack_features(const Backward *g, const Rows *s, Py_ssize_t n0, Py_ssize_t n1, char *dst) noexcept nogil:
    """Pack x | h' | 1 of live pairs n0 .. n1-1 (at most a block) for the outer products."""
    cdef const void *xr[LSTMC_KBLOCK]
    cdef const void *hr[LSTMC_KBLOCK]
    cdef lstmc_features a
    cdef const Forward *f = g.f
    cdef Py_ssize_t n, t = step_of(s, n0), j = n0 - row_of(s, t), prev, m
    for n in range(n1 - n0):
        if j == n_active(s, t):
            t, j = t + 1, 0
        prev = 0 if t == 0 else s.B + row_of(s, t - 1)
        xr[n] = x_at(&f.x, s, t, j, f.reverse)
        hr[n] = f.h + (prev + j) * f.ldh * f.es
        j += 1
    a.n, a.I, a.R, a.x, a.h, a.xs, a.hs = n1 - n0, f.w.I, f.w.R, xr, hr, f.x.stride[2], 1
    for m in range(g.m_tiles):
        f.k.pack_outer(dst + g.tiles[m].row * (n1 - n0) * f.es, &a, g.tiles[m].row, g.tiles[m].mr)


cdef void gate_gradient(const Backward *g, Py_ssize_t n0, Py_ssize_t n1, Py_ssize_t u0, Py_ssize_t u1) noexcept nogil:
    """Add live pairs n0 .. n1-1 (whole blocks of a chunk) to output tiles u0 .. u1-1, numbered panel by panel."""
    cdef lstmc_outer a
    cdef const Forward *f = g.f
    cdef Py_ssize_t p, q, low, high, n, panel_row = LSTMC_GATES * f.nu
    memset(&a, 0, sizeof(a))
    a.nb, a.bs, a.ldc = LSTMC_GATES, panel_row, panel_row
    p = u0 // g.m_tiles
    while p * g.m_tiles < u1:
        low, high = max(u0 - p * g.m_tiles, 0), min(u1 - p * g.m_tiles, g.m_tiles)
        a.m_tiles, a.n_tiles = g.tiles + low, high - low
        a.c = g.dw + p * g.M * panel_row * f.es
        for q in range((n1 - n0 + LSTMC_KBLOCK - 1) // LSTMC_KBLOCK):
            n = n0 + q * LSTMC_KBLOCK
            a.n = a.a_rows = min(n1 - n, LSTMC_KBLOCK)
            a.first = n == 0
            a.a = g.a + ((n - n0) * g.M + g.tiles[low].row * a.n) * f.es
            a.b = f.gates + (p * f.gates_ps + n * panel_row) * f.es
            f.k.outer(&a)
        p += 1


cdef void x_gradient(const Backward *g, const Rows *s, Py_ssize_t n0, Py_ssize_t a0, Py_ssize_t a1) noexcept nogil:
    """dx of live pairs n0+a0 .. n0+a1-1, with that part of the scratch."""
    cdef lstmc_product a
    cdef const Forward *f = g.f
    cdef const Operands *w = f.w
    cdef Py_ssize_t n, t, j
    if a0 >= a1:
        return
    memset(&a, 0, sizeof(a))
    t = step_of(s, n0 + a0)
    j = n0 + a0 - row_of(s, t)
    for n in range(a0, a1):
        if j == n_active(s, t):
            t, j = t + 1, 0
        g.dxrow[n] = x_at(&g.dx, s, t, j, f.reverse)
        j += 1
    a.tiles = g.row_tiles + a0
    a.n_tiles = balanced(g.row_tiles + a0, a0, a1 - a0, f.k.mr)
    a.N, a.b, a.K = w.I, w.w_cols, LSTMC_GATES * w.H
    a.a = g.d_gates
    a.a.a = f.gates + n0 * LSTMC_GATES * f.nu * f.es
    a.add = <const void **>g.dxrow if g.add_dx else NULL
    a.adds = a.outs = g.dx.stride[2]
    a.out = g.dxrow
    f.k.product(&a)


cdef int projection_gradient(const Backward *g, const Rows *s, object d_hr, object threads) except -1:
    """dW_hr (P, H) = sum over live pairs of dh^T h_full: the weight gradient of a linear map."""
    cdef const Forward *f = g.f
    cdef Span dh, h_full, none
    dh.p, dh.shape[0], dh.shape[1], dh.stride[0], dh.stride[1], dh.itemsize, dh.ndim = g.dp, s.N, f.w.P, f.ldh, 1, f.es, 2
    h_full = dh
    h_full.p, h_full.shape[1], h_full.stride[0] = f.hf, f.w.H, f.ldf
    none.p = NULL
    return weight_gradient(f.k, dh, h_full, span(d_hr, True), none, threads)


cdef int set_up(Backward *g, const Rows *s, const Plan *plan, list scratch) except -1:
    """Deal the rows and take the workspaces of phase 1 of one direction."""
    cdef const Forward *f = g.f
    cdef const Operands *w = f.w
    cdef Py_ssize_t es = f.es, nu = f.nu, B = s.B, whole = w.H // nu, panel_row = LSTMC_GATES * nu
    g.d_gates.row_stride, g.d_gates.k_stride = panel_row, 1
    g.d_gates.n_full, g.d_gates.full_len, g.d_gates.full_stride = whole, panel_row, f.gates_ps
    g.d_gates.n_tail, g.d_gates.tail_len, g.d_gates.tail_stride = (LSTMC_GATES if w.H % nu else 0), w.H % nu, nu
    g.dc_ps = B * nu
    g.groups = (w.panels + 3) // 4
    gather(&g.crew, s, plan, g.groups, f.k.mr)
    g.dh = block(scratch, B * f.ldh * es)
    g.dc = block(scratch, w.panels * g.dc_ps * es)
    if w.P:
        g.dp = block(scratch, s.N * f.ldh * es)
    g.rows = <void **>block(scratch, g.crew.threads * apart(2 * B, sizeof(void *)) * sizeof(void *))
    return 0


cdef int sum_up(Backward *g, const Rows *s, object grads, object threads) except -1:
    """Phase 2 of one direction: dx and the weight gradients; grads: d_ih, d_hh, d_b or None, d_hr or None."""
    cdef const Forward *f = g.f
    cdef const Operands *w = f.w
    cdef Py_ssize_t es = f.es, G = LSTMC_GATES, panel_row = G * f.nu, i, p, n0, n1, units, n, blocks
    cdef Span gi = span(grads[0], True), gh = span(grads[1], True), gb
    cdef Load load = load_of(w, s, 1, 1, es, f.k.mr)
    cdef list scratch = []
    gb.p = NULL
    if grads[2] is not None:
        gb = span(grads[2], True)
    g.M = w.I + w.R + 1
    try:
        g.tiles = <lstmc_tile *>block(scratch, g.M * sizeof(lstmc_tile))
        g.m_tiles = balanced(g.tiles, 0, g.M, f.k.mr)
        g.a = block(scratch, min(CHUNK, s.N) * g.M * es)
        g.dw = block(scratch, w.panels * g.M * panel_row * es)
        g.dxrow = <void **>block(scratch, CHUNK * sizeof(void *))
        g.row_tiles = <lstmc_tile *>block(scratch, CHUNK * sizeof(lstmc_tile))
        units = w.panels * g.m_tiles
        n = team(work_of(&load), units, threads)
        for n0 in range(0, s.N, CHUNK):
            n1 = min(n0 + CHUNK, s.N)
            blocks = (n1 - n0 + LSTMC_KBLOCK - 1) // LSTMC_KBLOCK
            with nogil:
                for i in prange(blocks, schedule="static", num_threads=n):
                    pack_features(g, s, n0 + i * LSTMC_KBLOCK, min(n1, n0 + (i + 1) * LSTMC_KBLOCK),
                                  g.a + i * LSTMC_KBLOCK * g.M * es)
                for i in prange(n, schedule="static", chunksize=1, num_threads=n):
                    gate_gradient(g, n0, n1, i * units // n, (i + 1) * units // n)
                    if g.dx.p != NULL:
                        x_gradient(g, s, n0, i * (n1 - n0) // n, (i + 1) * (n1 - n0) // n)
        with nogil:
            for p in prange(w.panels, schedule="static", num_threads=n):
                f.k.unpack_gates(gi.p, gi.stride[0], gi.stride[1], g.dw, g.M * panel_row, G, w.H, w.I, p, p + 1)
                f.k.unpack_gates(gh.p, gh.stride[0], gh.stride[1], g.dw + w.I * panel_row * es, g.M * panel_row, G, w.H, w.R,
                                 p, p + 1)
                if gb.p != NULL:
                    f.k.unpack_gates(gb.p, 1, 1, g.dw + (w.I + w.R) * panel_row * es, g.M * panel_row, G, w.H, 1, p, p + 1)
    finally:
        arena.give(*scratch)
    if w.P:
        projection_gradient(g, s, grads[3], threads)
    return 0


cdef int zero(object grads) except -1:
    for array in grads:
        if array is not None:
            array[...] = 0
    return 0


def lstm_backward(list tapes not None, dy, dh_n, dc_n, dx, dh0, dc0, list grads not None, threads=None):
    """Gradients of one `lstm_forward`; uses its tapes, one for each direction, up.

    dy (T, B, D*R) with any strides or None; dh_n (D, B, R), dc_n (D, B, H) with unit feature stride or None. Written:
    dx (T, B, I) at live steps (None: not wanted), dh0 (D, B, R), dc0 (D, B, H), and for each direction the arrays of
    grads[d]: d_ih (4H, I), d_hh (4H, R), d_b (4H,) or None, d_hr (P, H) with a projection or None.
    """
    cdef Backward g[2]
    cdef Forward f[2]
    cdef Tape tape = tapes[0]
    cdef const Rows *s = &tape.schedule.rows
    cdef Span dh_in, dc_in
    cdef Span[2] dh, dc
    cdef Span dh_out = span(dh0, True), dc_out = span(dc0, True)
    cdef Py_ssize_t D = len(tapes), d, at = 0, j
    cdef Weights w = tape.w
    cdef Load load = load_of(&w.o, s, D, (w.o.panels + 3) // 4, w.itemsize, w.k.mr)
    cdef Plan plan = plan_of(&load, threads)
    cdef list scratch = []
    memset(g, 0, sizeof(g))
    dh_in.p = dc_in.p = NULL
    if dh_n is not None:
        dh_in = span(dh_n)
    if dc_n is not None:
        dc_in = span(dc_n)
    try:
        for d in range(D):
            tape = tapes[d]
            f[d] = tape.f
            g[d].f = &f[d]
            g[d].has_dy, g[d].has_dh, g[d].add_dx = dy is not None, dh_n is not None, d > 0
            if dy is not None:
                g[d].dy = span(dy)
                g[d].dy.p += d * f[d].w.R * g[d].dy.stride[2] * f[d].es
            if dx is not None:
                g[d].dx = span(dx, True)
            dh[d], dc[d] = direction(dh_in, d), direction(dc_in, d)
            g[d].dh0, g[d].dc0 = direction(dh_out, d), direction(dc_out, d)
            set_up(&g[d], s, &plan, scratch)
        with nogil:
            for d in range(D):
                load_state(s, 0, s.B, g[d].dh, f[d].ldh, g[d].dc, g[d].dc_ps, &dh[d], &dc[d], f[d].w.R, f[d].w.H, f[d].nu, f[d].es)
            while at < D:
                with parallel(num_threads=plan.directions * g[at].crew.threads):
                    run_thread(&g[at], s, plan.directions, threadid(), lstmc_crew_size())
                at += plan.directions
            for d in range(D):
                for j in range(s.B):
                    copy_blocks(g[d].dc0.p + seq(s, j) * g[d].dc0.stride[0] * f[d].es, f[d].nu * f[d].es,
                                g[d].dc + j * f[d].nu * f[d].es, g[d].dc_ps * f[d].es, f[d].w.H, f[d].nu, f[d].es)
        for d in range(D):
            if s.N == 0:
                zero(grads[d])
            else:
                sum_up(&g[d], s, grads[d], threads)
    finally:
        for d in range(D):
            dismiss(&g[d].crew)
            (<Tape>tapes[d]).release()
        arena.give(*scratch)
