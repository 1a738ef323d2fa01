"""The time loop of backward: what one thread does, from the last step to the first and to the gradient of the initial state.

A thread has its own rows, or its own units of all rows (team.pyx). Each step's slots become gradients in place, with what comes from
the step after it, from dy and from the final state.
"""

from libc.string cimport memcpy, memset

from lstmc.kernels.cells cimport slots_of_h
from lstmc.kernels.core cimport LSTMC_BLOCK_BYTES, LSTMC_MAX_ACC, LSTMC_SLOTS, dense, lstmc_walk
from lstmc.kernels.norm cimport end_in_rows, norm_backward
from lstmc.kernels.schedule cimport Rows, n_active, n_beyond, row_of, seq, time_of
from lstmc.kernels.states cimport StateRows, clear_rest, copy_blocks, load_state
from lstmc.kernels.tape cimport fed_by_h, gate_rows, mask_of, slot_at, state_row
from lstmc.kernels.team cimport (cut_tiles, end_row, first_row, lstmc_arrive, lstmc_go_alone, may_go_on, must_stop, padded, shares, tiles_of,
                                 wait_from)
from lstmc.kernels.weights cimport Operands


cdef void final_gradient(const Backward *g, Py_ssize_t i) noexcept nogil:
    """The gradients of h_n (B, R) and c_n (B, H), with which the way back begins, of thread i's sequences, or, if threads share them, of all."""
    cdef const Record *r = g.r
    load_state(StateRows(g.dh, r.ldh, g.dc, g.dc_ps, r.w.R, r.w.H, r.nu, r.es), &r.s, first_row(&g.team, i), end_row(&g.team, i), &g.dhn, &g.dcn)


cdef void c0_gradient(const Backward *g, Py_ssize_t i) noexcept nogil:
    """dc_0 (B, H) of the same sequences."""
    cdef const Record *r = g.r
    cdef Py_ssize_t j
    if r.c == NULL or g.dc0.p == NULL:
        return
    for j in range(first_row(&g.team, i), end_row(&g.team, i)):
        copy_blocks(g.dc0.p + seq(&r.s, j) * g.dc0.stride[0] * r.es, r.nu * r.es, g.dc + j * r.nu * r.es, g.dc_ps * r.es,
                    r.w.H, r.nu, r.es)


cdef void backward_thread(const Backward *g, Py_ssize_t i, Py_ssize_t n, Stop *stop, bint caller) noexcept nogil:
    """Back in time for the rows of thread i, or, if n threads share them, for its part of the units: slots become
    dG, dc becomes the gradient of c_0."""
    cdef const Record *r = g.r
    cdef const Rows *s = &r.s
    cdef const Operands *w = r.w
    cdef Py_ssize_t t, j, part, next_live, es = r.es, B = s.B, prev, low, high
    cdef const void **yrow = <const void **>g.rows + i * padded(2 * B, sizeof(void *))
    cdef void **prow = <void **>yrow + B
    cdef Py_ssize_t *sequence = NULL
    cdef Py_ssize_t bound[4]
    cdef lstmc_walk a, c, d
    cdef lstmc_walk *cell = &c if w.P else &a
    cdef bint sharing = g.team.shared
    cdef Py_ssize_t slots = slots_of_h(w.cell), then_at = slot_at(r, w.cell.first)      # of the second stage
    cdef Py_ssize_t dy_time = g.dy.stride[0] * es, dy_row = g.dy.stride[1] * es, time, b
    cdef const char *dy = g.dy.p
    if not sharing:
        final_gradient(g, i)
    memset(&a, 0, sizeof(a))
    bound[0] = 0
    a.tiles = tiles_of(&g.team, i)
    a.begins = a.ends = True
    a.N, a.product[0].b, a.product[0].n_operands = w.R, w.u_cols, 1
    a.product[0].K, a.product[0].a[0] = slots * w.H, gate_rows(r, w.cell.h_slot, slots)
    a.blocks, a.q1 = (w.R + r.nu - 1) // r.nu, g.groups
    a.adds, a.ld_add2 = g.dy.stride[2], r.ldh
    a.add_ahead = 0 if s.when != NULL else (dy_time if r.reverse else -dy_time)
    a.out, a.outs = prow, 1
    if sharing:
        a.q0, a.q1 = i * g.groups // n, (i + 1) * g.groups // n
        a.sums = g.sums + a.q0 * ((B + r.k.mr - 1) // r.k.mr) * LSTMC_MAX_ACC * LSTMC_BLOCK_BYTES
    if w.P:
        memset(&c, 0, sizeof(c))
        c.tiles = a.tiles
        c.begins = c.ends = True
        c.N, c.product[0].b, c.product[0].K, c.product[0].n_operands, c.n_products, c.k1 = w.H, w.hr_cols, w.P, 1, 1, w.P
        c.product[0].a[0] = dense(NULL, r.ldh, 1, w.P)
        c.blocks = w.panels
        c.q1 = (w.panels + LSTMC_SLOTS - 1) // LSTMC_SLOTS
    cell.finish = w.cell.backward[0 if r.plain else 1]
    cell.step.H, cell.step.options = w.H, &r.options
    cell.step.gates_ps, cell.step.gates_rs, cell.step.c_prev_ps, cell.step.c_ps = r.gates_ps, r.gates_rs, r.c_ps, r.c_ps
    cell.step.dc, cell.step.dc_ps = g.dc, g.dc_ps
    cell.step.ld_prev = cell.step.ld = cell.step.ld_dh = r.ldh
    if w.P:
        a.step.options, a.step.ld, a.step.dh, a.step.ld_dh = &r.projected, r.ldh, g.dh, r.ldh
        if r.projected.zoneout_h > 0:
            a.finish = r.k.zone_bwd
    elif g.passes:
        cell.step.dh = g.dh
    if w.cell.first:
        memset(&c, 0, sizeof(c))
        c.tiles = a.tiles
        c.begins = c.ends = True
        c.N, c.product[0].b, c.product[0].n_operands, c.n_products = w.H, w.then.u_cols, 1, 1
        c.k1 = c.product[0].K = (w.cell.slots - w.cell.first) * w.H
        c.product[0].a[0] = gate_rows(r, w.cell.first, w.cell.slots - w.cell.first)
        c.blocks, c.q1 = a.blocks, a.q1
        c.step = a.step
        c.step.mask = mask_of(r, w.cell.first)
        c.finish = w.cell.then_backward[0 if r.plain and r.mask == NULL else 1]
    if r.mask != NULL:
        d = a
        d.product[0].K = d.k1 = w.H
        d.product[0].a[0] = gate_rows(r, w.cell.h_slot, 1)
        d.n_products, d.finish, d.step.dh, d.step.ld_dh, d.step.gates = 1, r.k.add_masked, g.dh, r.ldh, NULL
    if g.numbers != NULL:
        sequence = g.numbers + i * padded(2 * B, sizeof(Py_ssize_t))
        a.step.sequence = cell.step.sequence = sequence
        a.step.time = cell.step.time = sequence + B
    if w.norm != NULL:
        end_in_rows(cell, r, g.normed)
    for t in range(s.T - 1, -1, -1):
        if not sharing and must_stop(stop, caller) or sharing and not may_go_on(&g.team, i, s.T - 1 - t):
            return
        next_live = n_active(s, t + 1) if t + 1 < s.T else 0
        prev = state_row(r, t - 1)
        a.back = c.back = t & 1
        cell.step.gates = r.gates + row_of(s, t) * r.gates_rs * es
        if g.products != NULL:
            cell.step.products = g.products + row_of(s, t) * r.gates_rs * es
        cell.step.h_prev, cell.step.h = r.h + prev * r.ldh * es, r.h + state_row(r, t) * r.ldh * es
        if r.c != NULL:
            cell.step.c_prev, cell.step.c = r.c + prev * r.nu * es, r.c + state_row(r, t) * r.nu * es
        bound[1], bound[2], bound[3] = next_live, n_beyond(s) if t == s.T - 1 else next_live, n_active(s, t)
        if r.mask != NULL and next_live:
            add_dropped(g, i, &d, t + 1)
        for part in range(3):       # rows that go on, rows that go on after the last step of this chunk, rows whose last step is t
            low, high = bound[part], bound[part + 1]
            a.n_tiles = cut_tiles(&g.team, i, low, high, r.k.mr)
            if a.n_tiles == 0:
                continue
            a.n_products = 0 if part or r.mask != NULL else 1
            a.k0, a.k1 = 0, a.product[0].K if a.n_products else 0
            a.product[0].a[0].a = fed_by_h(r) + ((0 if part else row_of(s, t + 1)) * r.gates_rs + w.cell.h_slot * r.nu) * es
            a.add = yrow if g.has_dy and part != 1 else NULL       # what comes from the next chunk has it
            if w.P:
                a.step.h = g.dp + row_of(s, t) * r.ldh * es
            a.add2 = g.dh if g.passes or part and g.has_dh or not part and r.mask != NULL else NULL
            for j in range(a.tiles[0].row, a.tiles[a.n_tiles - 1].row + a.tiles[a.n_tiles - 1].mr):
                time, b = time_of(s, t, j, r.reverse), seq(s, j)
                yrow[j] = dy + time * dy_time + b * dy_row
                if w.P:
                    prow[j] = g.dp + (row_of(s, t) + j) * r.ldh * es
                if sequence != NULL:
                    sequence[j], sequence[B + j] = r.first + b, time
            if sharing and not part:
                share_step(g, &a, i, n, s.T - 1 - t)
            else:
                r.k.walk(&a)
        if w.cell.first:
            c.n_tiles = cut_tiles(&g.team, i, 0, n_active(s, t), r.k.mr)
            c.product[0].a[0].a = <char *>a.step.gates + then_at * es
            c.step.gates, c.step.h_prev = a.step.gates, a.step.h_prev
            if c.n_tiles:
                r.k.walk(&c)
        if w.P:
            c.n_tiles = cut_tiles(&g.team, i, 0, n_active(s, t), r.k.mr)
            c.product[0].a[0].a = g.dp + row_of(s, t) * r.ldh * es
            if c.n_tiles:
                r.k.walk(&c)
        if w.norm != NULL:
            norm_backward(r, &g.team, i, t, cell)
        if sharing and i == 0 and must_stop(stop, caller):
            lstmc_go_alone(g.team.progress, s.T - t)
        if sharing and lstmc_arrive(g.team.progress, n, i, s.T - t):
            sharing, a.q0, a.q1 = False, 0, g.groups
    if i == 0 or not g.team.shared:
        clear_rest(&g.dx, s, i, 1 if g.team.shared else g.team.threads, w.I)
    if not g.team.shared:
        c0_gradient(g, i)
    if g.dh0.p == NULL:
        return
    if sharing:
        if not may_go_on(&g.team, i, s.T):
            return
        j = 0
        while j < n:
            j = wait_from(&g.team, n, i, j, s.T)
    if r.mask != NULL and s.T:
        add_dropped(g, i, &d, 0)
    if w.norm != NULL:
        a.out, a.blocks_out = prow, NULL
    h0_gradient(g, i, &a)


cdef void add_dropped(const Backward *g, Py_ssize_t i, lstmc_walk *d, Py_ssize_t t) noexcept nogil:
    """Where masks are fixed in time: what step t's dG leaves of dh of the step before, mask times dG U for each slot, joins what
    passes."""
    cdef const Record *r = g.r
    cdef const Operands *w = r.w
    cdef Py_ssize_t slot, low, rows
    d.n_tiles = cut_tiles(&g.team, i, 0, n_active(&r.s, t), r.k.mr)
    if d.n_tiles == 0:
        return
    if not g.passes:
        low = d.tiles[0].row
        rows = d.tiles[d.n_tiles - 1].row + d.tiles[d.n_tiles - 1].mr - low
        memset(g.dh + low * r.ldh * r.es, 0, rows * r.ldh * r.es)
    for slot in range(slots_of_h(w.cell)):
        d.product[0].a[0].a = fed_by_h(r) + (row_of(&r.s, t) * r.gates_rs + slot_at(r, w.cell.h_slot + slot)) * r.es
        d.product[0].b = w.dropped.u_cols[slot]
        d.step.mask = mask_of(r, slot)
        d.back = slot & 1
        r.k.walk(d)


cdef void share_step(const Backward *g, lstmc_walk *a, Py_ssize_t i, Py_ssize_t n, long epoch) noexcept nogil:
    """A step in the units of thread i, whose chains run over dG in the order of its owners, as in forward_loop.pyx."""
    cdef Py_ssize_t j = 0, K = a.k1, panel = g.r.w.cell.h_slots * g.r.nu
    a.begins, a.ends = True, False
    while j < n:
        j = wait_from(&g.team, n, i, j, epoch)
        a.ends = j == n
        a.k1 = K if a.ends else min(LSTMC_SLOTS * (j * g.groups // n), g.r.w.H // g.r.nu) * panel
        g.r.k.walk(a)
        a.k0, a.begins = a.k1, False
    a.begins = True


cdef void h0_gradient(const Backward *g, Py_ssize_t i, lstmc_walk *a) noexcept nogil:
    """dh before step 0 = dG_0 U + what passes, and dy where that is a step too, for rows of thread i that have a step, in its units; the
    final gradient passes through the others."""
    cdef const Record *r = g.r
    cdef const Rows *s = &r.s
    cdef void **row = <void **>a.out
    cdef const void **yrow = <const void **>row - s.B
    cdef Py_ssize_t j, n = n_active(s, 0) if s.T else 0, es = r.es, R = r.w.R
    for j in range(first_row(&g.team, i), end_row(&g.team, i)):
        row[j] = g.dh0.p + seq(s, j) * g.dh0.stride[0] * es
        if j >= n and a.q0 == 0:
            if g.has_dh:
                memcpy(row[j], g.dh + j * r.ldh * es, R * es)
            else:
                memset(row[j], 0, R * es)
    a.n_tiles = cut_tiles(&g.team, i, 0, n, r.k.mr)
    if a.n_tiles == 0:
        return
    a.add = NULL
    if s.begin and g.has_dy:
        for j in range(a.tiles[0].row, a.tiles[a.n_tiles - 1].row + a.tiles[a.n_tiles - 1].mr):
            yrow[j] = g.dy.p + (time_of(s, -1, j, r.reverse) * g.dy.stride[0] + seq(s, j) * g.dy.stride[1]) * es
        a.add = yrow
    a.add_ahead = 0
    a.add2 = g.dh if g.passes or r.mask != NULL else NULL
    a.finish = NULL
    a.n_products = 0 if r.mask != NULL else 1
    a.k0, a.k1 = 0, a.product[0].K if a.n_products else 0
    a.begins = a.ends = True
    a.sums = NULL
    a.product[0].a[0].a = fed_by_h(r) + r.w.cell.h_slot * r.nu * es
    r.k.walk(a)


cdef void run_thread(const Backward *g, Py_ssize_t jobs, Py_ssize_t i, Py_ssize_t n, Stop *stop) noexcept nogil:
    """The share of thread i of the n that came, in so many jobs: fewer may come than were asked for."""
    cdef Py_ssize_t each = shares(&g.team, jobs, n)
    cdef bint caller = i == 0
    while i < jobs * each:
        backward_thread(g + i // each, i % each, each, stop, caller)
        i += n
