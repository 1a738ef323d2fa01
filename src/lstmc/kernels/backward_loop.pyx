"""The time loop of backward: what one thread does, from the last step to the first and to the gradient of the initial state.

A thread has its own rows, or its own units of all rows (team.pyx). Each step's slots become gradients in place, with what comes from
the step after it, from dy and from the final state.
"""

from libc.string cimport memcpy, memset

from lstmc.kernels.cells cimport across, slots_of_h
from lstmc.kernels.core cimport LSTMC_SLOTS, dense, lstmc_walk
from lstmc.kernels.norm cimport end_in_rows, norm_backward
from lstmc.kernels.schedule cimport Rows, n_active, n_beyond, row_of, seq, time_of
from lstmc.kernels.states cimport StateRows, clear_rest, copy_blocks, load_state
from lstmc.kernels.tape cimport fed_by_h, gate_rows, mask_of, slot_at, state_row
from lstmc.kernels.team cimport (Member, Stage, cut_tiles, divide, end_row, end_stage, first_row, join, may_begin, must_stop, padded, shares,
                                 sums_bytes, tiles_of, wait_for_all, walk_stage)
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


cdef void set_stages(const Backward *g, Member *m, void **prow) noexcept nogil:
    """The walks of a step, but for what changes from step to step: that which gives dh of what U reads, and ends in the cell, or in a projection of which
    another gives dh of the cell, or in the second of the cell's two stages, of which another gives that of the first. Layer normalisation is the last."""
    cdef const Record *r = g.r
    cdef const Operands *w = r.w
    cdef Py_ssize_t slots = slots_of_h(w.cell), units = LSTMC_SLOTS * r.nu
    cdef Py_ssize_t run = r.nu if across(w.cell) else slots * r.nu         # values of a block of dG; what is left of H lies otherwise
    cdef Stage *first = &m.stage[0]
    cdef Stage *last = first
    cdef lstmc_walk *a = &first.walk
    cdef lstmc_walk *c = &m.stage[1].walk
    cdef lstmc_walk *cell = c if w.P else a
    a.tiles = tiles_of(&g.team, m.i)
    a.begins = a.ends = True
    a.N, a.product[0].b, a.product[0].n_operands = w.R, w.u_cols, 1
    a.product[0].K, a.product[0].a[0] = slots * w.H, gate_rows(r, w.cell.h_slot, slots)
    a.blocks = (w.R + r.nu - 1) // r.nu
    a.adds, a.ld_add2 = g.dy.stride[2], r.ldh
    a.add_ahead = 0 if r.s.when != NULL else (1 if r.reverse else -1) * g.dy.stride[0] * r.es
    a.out, a.outs = prow, 1
    first.groups, first.sums = g.groups, g.sums
    if w.P or w.cell.first:
        m.stages, last = 2, &m.stage[1]
        last.groups, last.made, last.each, last.most = g.cell_groups, g.groups, units, w.R
        last.sums = NULL if g.sums == NULL else g.sums + sums_bytes(g.groups, r.s.B, r.k.mr)
    if w.norm != NULL:
        m.stage[m.stages].in_rows = True
        m.stages += 1
    first.made, first.each, first.most = last.groups, LSTMC_SLOTS * run, 0 if w.norm != NULL else w.H // r.nu * run
    if w.P:
        c.tiles, c.begins, c.ends = a.tiles, True, True
        c.N, c.product[0].b, c.product[0].K, c.product[0].n_operands, c.n_products, c.k1 = w.H, w.hr_cols, w.P, 1, 1, w.P
        c.product[0].a[0] = dense(NULL, r.ldh, 1, w.P)
        c.blocks = w.panels
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
    if g.numbers != NULL:
        a.step.sequence = cell.step.sequence = g.numbers + m.i * padded(2 * r.s.B, sizeof(Py_ssize_t))
        a.step.time = cell.step.time = a.step.sequence + r.s.B
    if w.cell.first:
        c.tiles, c.begins, c.ends = a.tiles, True, True
        c.N, c.product[0].b, c.product[0].n_operands, c.n_products = w.H, w.then.u_cols, 1, 1
        c.k1 = c.product[0].K = (w.cell.slots - w.cell.first) * w.H
        c.product[0].a[0] = gate_rows(r, w.cell.first, w.cell.slots - w.cell.first)
        c.blocks, c.step = a.blocks, a.step
        c.step.mask = mask_of(r, w.cell.first)
        c.finish = w.cell.then_backward[0 if r.plain and r.mask == NULL else 1]
    divide(m)


cdef void backward_thread(const Backward *g, Py_ssize_t i, Py_ssize_t n, Stop *stop, bint caller) noexcept nogil:
    """Back in time for the rows of thread i, or, if n threads share them, for its part of the units: slots become
    dG, dc becomes the gradient of c_0."""
    cdef const Record *r = g.r
    cdef const Rows *s = &r.s
    cdef const Operands *w = r.w
    cdef Py_ssize_t t, j, part, next_live, es = r.es, B = s.B, prev, low, high
    cdef const void **yrow = <const void **>g.rows + i * padded(2 * B, sizeof(void *))
    cdef void **prow = <void **>yrow + B
    cdef Py_ssize_t *sequence = NULL if g.numbers == NULL else g.numbers + i * padded(2 * B, sizeof(Py_ssize_t))
    cdef Py_ssize_t bound[4]
    cdef Member m
    cdef lstmc_walk *a = &m.stage[0].walk
    cdef lstmc_walk *c = &m.stage[1].walk
    cdef lstmc_walk *cell = c if w.P else a
    cdef lstmc_walk d
    cdef Py_ssize_t then_at = slot_at(r, w.cell.first)      # of the second stage
    cdef Py_ssize_t dy_time = g.dy.stride[0] * es, dy_row = g.dy.stride[1] * es, time, b
    cdef const char *dy = g.dy.p
    join(&m, &g.team, r.k, i, n)
    if not m.sharing:
        final_gradient(g, i)
    bound[0] = 0
    set_stages(g, &m, prow)
    if r.mask != NULL:
        d = a[0]
        d.product[0].K = d.k1 = w.H
        d.product[0].a[0] = gate_rows(r, w.cell.h_slot, 1)
        d.n_products, d.finish, d.step.dh, d.step.ld_dh, d.step.gates = 1, r.k.add_masked, g.dh, r.ldh, NULL
    if w.norm != NULL:
        end_in_rows(cell, r, g.normed)
    for t in range(s.T - 1, -1, -1):
        if not m.sharing and must_stop(stop, caller) or not may_begin(&m):
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
            if a.n_products:
                walk_stage(&m, &m.stage[0])
            else:
                r.k.walk(a)
        if w.P or w.cell.first:
            end_stage(&m, False)
            if not may_begin(&m):
                return
            c.n_tiles = cut_tiles(&g.team, i, 0, n_active(s, t), r.k.mr)
            if w.P:
                c.product[0].a[0].a = g.dp + row_of(s, t) * r.ldh * es
            else:
                c.product[0].a[0].a = <char *>a.step.gates + then_at * es
                c.step.gates, c.step.h_prev = a.step.gates, a.step.h_prev
            if c.n_tiles:
                walk_stage(&m, &m.stage[1])
        if w.norm != NULL:
            end_stage(&m, False)
            if not may_begin(&m):
                return
            wait_for_all(&m)
            norm_backward(r, &m, t, cell)
        end_stage(&m, m.sharing and i == 0 and must_stop(stop, caller))
    if i == 0 or not g.team.shared:
        clear_rest(&g.dx, s, i, 1 if g.team.shared else g.team.threads, w.I)
    if not g.team.shared:
        c0_gradient(g, i)
    if g.dh0.p == NULL:
        return
    if not may_begin(&m):
        return
    wait_for_all(&m)
    if r.mask != NULL and s.T:
        add_dropped(g, i, &d, 0)
    if w.norm != NULL:
        a.out, a.blocks_out = prow, NULL
    h0_gradient(g, i, a)


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
