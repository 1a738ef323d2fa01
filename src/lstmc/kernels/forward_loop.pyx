"""The time loop of forward: what one thread does, step after step.

A thread owns rows of the batch in one direction and needs no other thread, or, with few rows, owns units of all rows and needs
the others' part of h at each step (plan.pyx, team.pyx). Nothing here is allocated, and nothing asks Python but for signals.
"""

from libc.string cimport memcpy

from lstmc.kernels.cells cimport across, blocks_of, groups_of
from lstmc.kernels.core cimport LSTMC_SLOTS, dense, lstmc_cell, lstmc_walk
from lstmc.kernels.inputs cimport fill_z, mask_h, set_products, set_then, walk_slots, z_of
from lstmc.kernels.norm cimport end_in_sums, norm_forward, sums_of_h
from lstmc.kernels.schedule cimport Rows, len_of, n_active, row_of, seq, time_of
from lstmc.kernels.states cimport StateRows, clear_rest, copy_blocks, load_state
from lstmc.kernels.tape cimport Record, mask_of, state_row
from lstmc.kernels.team cimport (Member, Stage, cut_tiles, divide, end_row, end_stage, first_row, join, may_begin, must_stop, padded, shares,
                                 sums_bytes, tiles_of, wait_for_all, walk_stage)
from lstmc.kernels.weights cimport Operands
from lstmc.kernels.workspace cimport States, states_of


cdef void initial_state(const Forward *f, Py_ssize_t i) noexcept nogil:
    """h_0 (B, R) and c_0 (B, H) of thread i's sequences, or, if threads share them, of all. A thread's rows are in its own core's cache: another's would
    have to be fetched from there and back."""
    cdef const Record *r = &f.r
    cdef States part = states_of(f, i if f.parts > 1 else 0)
    load_state(StateRows(part.h, r.ldh, part.c, part.c_ps, r.w.R, r.w.H, r.nu, r.es), &r.s, first_row(&f.team, i), end_row(&f.team, i), &f.h0, &f.c0)


cdef void final_state(const Forward *f, Py_ssize_t i) noexcept nogil:
    """h_n (B, R) and c_n (B, H) of the same sequences."""
    cdef const Record *r = &f.r
    cdef const Rows *s = &r.s
    cdef Py_ssize_t j, row, c_row
    cdef States part = states_of(f, i if f.parts > 1 else 0)
    for j in range(first_row(&f.team, i), end_row(&f.team, i)):
        row = c_row = j
        if f.train and len_of(s, j):
            row = c_row = state_row(r, len_of(s, j) - 1) + j
        elif not f.train and len_of(s, j) % 2:
            row = j + part.j1 - part.j0
        memcpy(f.hn.p + seq(s, j) * f.hn.stride[0] * r.es, part.h + row * r.ldh * r.es, r.w.R * r.es)
        if r.c != NULL and f.cn.p != NULL:
            copy_blocks(f.cn.p + seq(s, j) * f.cn.stride[0] * r.es, r.nu * r.es,
                        part.c + c_row * r.nu * r.es, part.c_ps * r.es, r.w.H, r.nu, r.es)


cdef void set_stages(const Forward *f, Member *m, const void **xrow, void **yrow, void **hrow, Py_ssize_t c_ps) noexcept nogil:
    """The walks of a step, but for what changes from step to step: of the cell, with layer normalisation after it, then of a projection, or the
    second of the cell's two."""
    cdef const Record *r = &f.r
    cdef const Operands *w = r.w
    cdef Stage *first = &m.stage[0]
    cdef Stage *last = first
    cdef lstmc_walk *a = &first.walk
    cdef lstmc_walk *b
    cdef bint plain = r.plain and r.mask == NULL        # the plain one may want all slots of the last product
    set_products(f, a, xrow)
    a.product[0].a[0].ahead = 0 if r.s.when != NULL else (-1 if r.reverse else 1) * r.x.stride[0] * r.es
    a.tiles = tiles_of(&f.team, m.i)
    a.begins = a.ends = True
    a.finish, a.fused = w.cell.forward[0 if plain else 1], w.cell.fused if plain else NULL
    a.step.H, a.step.options = w.H, &r.options
    a.step.ld_prev, a.step.ld = r.ldh, r.ldf if w.P or w.cell.first else r.ldh
    a.step.c_prev_ps = a.step.c_ps = c_ps
    a.step.gates_ps, a.step.gates_rs = r.gates_ps, r.gates_rs
    a.step.y = NULL if w.P or w.cell.first or f.y.p == NULL else yrow
    if f.numbers != NULL:
        a.step.sequence = f.numbers + m.i * padded(2 * r.s.B, sizeof(Py_ssize_t))
        a.step.time = a.step.sequence + r.s.B
    first.groups, first.sums = w.groups, f.sums
    if w.norm != NULL:
        end_in_sums(a, w, sums_of_h(f, m.i), r.nu)
        m.stage[m.stages].in_rows = True
        m.stages += 1
    if w.P or w.cell.first:
        last = &m.stage[m.stages]
        m.stages += 1
        last.made, last.each, last.most = w.groups, block_units(w.cell, r.nu), 0 if w.norm != NULL else w.H
        last.sums = NULL if f.sums == NULL else f.sums + sums_bytes(w.groups, r.s.B, r.k.mr)
    b = &last.walk
    if w.P:
        b.tiles, b.begins, b.ends = a.tiles, True, True
        b.n_products, b.product[0].n_operands = 1, 1
        b.k1 = b.product[0].K = w.H
        b.product[0].a[0] = dense(NULL, r.ldf, 1, w.H)
        b.product[0].b, b.N = w.hr, w.P
        b.blocks = blocks_of(w.P, r.nu)
        last.groups = groups_of(b.blocks)
        b.out, b.outs = hrow, 1
        b.step.options, b.step.ld_prev, b.step.ld = &r.projected, r.ldh, r.ldh
        b.step.sequence, b.step.time = a.step.sequence, a.step.time
        if r.projected.zoneout_h > 0:
            b.finish = r.k.zone_fwd
    elif w.cell.first:
        set_then(f, b, a)
        last.groups, last.first = w.then.groups, w.I
        b.finish = w.cell.then_forward[0 if r.plain else 1]
        b.step.ld, b.step.y = r.ldh, NULL if f.y.p == NULL else yrow
        b.product[1].a[0].row_stride, b.product[1].K = r.ldf, w.H
        a.step.gates = b.step.gates = r.gates
        a.step.mask, a.step.ld_dh = mask_of(r, w.cell.first), r.ldh
    first.first, first.made, first.each = w.I, last.groups, LSTMC_SLOTS * r.nu if w.P else block_units(w.cell, r.nu)
    first.most = 0 if m.stage[m.stages - 1].in_rows else w.R
    divide(m)


cdef Py_ssize_t block_units(const lstmc_cell *cell, Py_ssize_t nu) noexcept nogil:
    """Units of a group of the cell's."""
    return LSTMC_SLOTS * nu if across(cell) else nu


cdef void forward_thread(const Forward *f, Py_ssize_t i, Py_ssize_t n, Stop *stop, bint caller) noexcept nogil:
    """The whole time loop for the rows of thread i, or, if n threads share them, for its part of the units."""
    cdef const Record *r = &f.r
    cdef const Rows *s = &r.s
    cdef const Operands *w = r.w
    cdef Py_ssize_t t, j, k, prev, cur, B = s.B, es = r.es, k0 = w.I if f.z_steps else 0
    cdef const void **xrow = <const void **>f.rows + i * padded(3 * B, sizeof(void *))
    cdef void **yrow = <void **>xrow + B
    cdef void **hrow = yrow + B
    cdef Member m
    cdef lstmc_walk *a = &m.stage[0].walk
    cdef lstmc_walk *b
    cdef Py_ssize_t *sequence = NULL if f.numbers == NULL else f.numbers + i * padded(2 * B, sizeof(Py_ssize_t))
    cdef Py_ssize_t live = -1       # rows for which the tiles were made
    cdef Py_ssize_t z0 = -1         # first step that z holds, -1: none
    cdef States part = states_of(f, i if f.parts > 1 else 0)
    cdef Py_ssize_t x_time = r.x.stride[0] * es, x_row = r.x.stride[1] * es, y_time = f.y.stride[0] * es, y_row = f.y.stride[1] * es, time, number
    cdef char *x = r.x.p
    cdef char *y = f.y.p
    cdef char *h
    join(&m, &f.team, r.k, i, n)
    if not m.sharing:
        initial_state(f, i)
    set_stages(f, &m, xrow, yrow, hrow, part.c_ps)
    b = &m.stage[m.stages - 1].walk         # what makes h
    for t in range(s.T):
        if not m.sharing and must_stop(stop, caller):
            return
        if live != n_active(s, t):
            live = n_active(s, t)
            a.n_tiles = cut_tiles(&f.team, i, 0, live, r.k.mr)
        if a.n_tiles == 0:
            break
        if f.train:
            prev, cur = state_row(r, t - 1), state_row(r, t)
            a.step.h_prev, h = r.h + prev * r.ldh * es, r.h + cur * r.ldh * es
            if r.c != NULL:
                a.step.c_prev, a.step.c = r.c + prev * r.nu * es, r.c + cur * r.nu * es
            if r.gates != NULL and w.cell.slots > 1:
                a.step.gates = r.gates + row_of(s, t) * r.gates_rs * es
        else:
            a.step.c_prev = a.step.c = part.c
            a.step.h_prev, h = part.other if t & 1 else part.h, part.h if t & 1 else part.other
        a.back = t & 1
        a.step.h = h
        a.k_start = a.k0 = k0
        a.k1 = w.I + w.R
        if w.P or w.cell.first:
            b.n_tiles, b.back = a.n_tiles, a.back
            b.step.h_prev, b.step.h = a.step.h_prev, h
            a.step.h = r.hf + (row_of(s, t) * r.ldf * es if f.train else 0)
        if w.P:
            b.product[0].a[0].a = a.step.h
        elif w.cell.first:
            b.step.gates = a.step.gates
            b.product[1].a[0].a = a.step.h
            b.k0, b.k1 = k0, w.I + w.H
        if r.mask != NULL:
            mask_h(f, <const char *>a.step.h_prev, a.tiles[0].row, a.tiles[a.n_tiles - 1].row + a.tiles[a.n_tiles - 1].mr)
        elif w.u == NULL:
            a.product[0].a[1].a = a.step.h_prev
        else:
            a.product[1].a[0].a = a.step.h_prev
        for j in range(a.tiles[0].row, a.tiles[a.n_tiles - 1].row + a.tiles[a.n_tiles - 1].mr):
            time, number = time_of(s, t, j, r.reverse), seq(s, j)
            xrow[j] = x + time * x_time + number * x_row
            yrow[j] = y + time * y_time + number * y_row
            if w.P:
                hrow[j] = h + j * r.ldh * es
            if sequence != NULL:
                sequence[j], sequence[B + j] = r.first + number, time
        for k in range(m.stages):
            if f.z_steps and (z0 < 0 or t - z0 >= f.z_steps):
                z0 = t
                if w.norm != NULL:      # z is in one buffer: the first may be alone there, or who normalises it not have come so far
                    if not may_begin(&m):
                        return
                    wait_for_all(&m)
                fill_z(f, &m, t)
            if f.z_steps and w.norm == NULL and m.stage[k].walk.start != NULL:      # not a projection
                m.stage[k].walk.start, m.stage[k].walk.start_rs = z_of(f, i, t - z0, k, a.tiles[0].row), f.z_rs
                m.stage[k].walk.start_gs = f.z_gs
            if not may_begin(&m):
                return
            if m.stage[k].in_rows:
                wait_for_all(&m)
                norm_forward(f, &m, z_of(f, i, t - z0, 0, a.tiles[0].row), t)
            elif k == 0 and r.mask != NULL and w.cell.first:
                walk_slots(f, a)
            else:
                walk_stage(&m, &m.stage[k])
            if w.P and k == m.stages - 1 and f.y.p != NULL:
                copy_projected(b, yrow, hrow, r.nu, es)
            if end_stage(&m, m.sharing and i == 0 and k == m.stages - 1 and must_stop(stop, caller)):
                z0 = -1
    if not f.team.shared:
        final_state(f, i)
    if i == 0 or not f.team.shared:
        clear_rest(&f.y, s, i, 1 if f.team.shared else f.team.threads, w.R)


cdef void copy_projected(const lstmc_walk *a, void **y, void **h, Py_ssize_t nu, Py_ssize_t es) noexcept nogil:
    """What a thread has made of h, to y."""
    cdef Py_ssize_t j, first = LSTMC_SLOTS * a.q0 * nu, end = min(LSTMC_SLOTS * a.q1 * nu, a.N)
    if first < end:
        for j in range(a.tiles[0].row, a.tiles[a.n_tiles - 1].row + a.tiles[a.n_tiles - 1].mr):
            memcpy(<char *>y[j] + first * es, <char *>h[j] + first * es, (end - first) * es)


cdef void run_thread(const Forward *f, Py_ssize_t jobs, Py_ssize_t i, Py_ssize_t n, Stop *stop) noexcept nogil:
    """The share of thread i of the n that came, in so many jobs: fewer may come than were asked for."""
    cdef Py_ssize_t each = shares(&f.team, jobs, n)
    cdef bint caller = i == 0
    while i < jobs * each:
        forward_thread(f + i // each, i % each, each, stop, caller)
        i += n
