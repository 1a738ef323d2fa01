"""The time loop of forward: what one thread does, step after step.

A thread owns rows of the batch in one direction and needs no other thread, or, with few rows, owns units of all rows and needs
the others' part of h at each step (plan.pyx, team.pyx). Nothing here is allocated, and nothing asks Python but for signals.
"""

from libc.string cimport memcpy, memset

from lstmc.kernels.cells cimport across
from lstmc.kernels.core cimport LSTMC_BLOCK_BYTES, LSTMC_MAX_ACC, LSTMC_SLOTS, dense, lstmc_walk
from lstmc.kernels.inputs cimport fill_z, mask_h, set_products, set_then, walk_slots, z_of
from lstmc.kernels.norm cimport norm_forward
from lstmc.kernels.schedule cimport Rows, len_of, n_active, row_of, seq, time_of
from lstmc.kernels.states cimport StateRows, clear_rest, copy_blocks, load_state
from lstmc.kernels.tape cimport Record, mask_of, state_row
from lstmc.kernels.team cimport (cut_tiles, end_row, first_row, lstmc_arrive, lstmc_go_alone, lstmc_prefetch, may_go_on, must_stop, padded, shares,
                                 tiles_of, wait_from)
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


cdef void share_step(const Forward *f, lstmc_walk *a, Py_ssize_t i, Py_ssize_t n, Py_ssize_t t) noexcept nogil:
    """Step t in the units of thread i. The chains run over x and over h in the order of its owners, as far as these have come:
    who waits has done what it could, so it costs nothing that a thread is somewhat later than those before it."""
    cdef const Record *r = &f.r
    cdef Py_ssize_t j = 0, to, p, row, groups = r.w.groups, units = (LSTMC_SLOTS if across(r.w.cell) else 1) * r.nu, K = a.k1
    a.begins, a.ends = True, False
    while j < n:
        to = wait_from(&f.team, n, i, j, t)
        if to > i + 1 or j != i:        # not its own part alone: what others wrote comes from their caches
            for row in range(a.tiles[a.n_tiles - 1].row + a.tiles[a.n_tiles - 1].mr):
                for p in range(j * groups // n * units // r.nu, to * groups // n * units // r.nu):
                    lstmc_prefetch(<const char *>a.step.h_prev + row * r.ldh * r.es + p * LSTMC_BLOCK_BYTES)
        j = to
        a.ends = j == n
        a.k1 = K if a.ends else min(r.w.I + j * groups // n * units, K)
        r.k.walk(a)
        a.k0, a.begins = a.k1, False


cdef void forward_thread(const Forward *f, Py_ssize_t i, Py_ssize_t n, Stop *stop, bint caller) noexcept nogil:
    """The whole time loop for the rows of thread i, or, if n threads share them, for its part of the units."""
    cdef const Record *r = &f.r
    cdef const Rows *s = &r.s
    cdef const Operands *w = r.w
    cdef Py_ssize_t t, j, q, prev, cur, B = s.B, es = r.es, K = w.I + w.R, k0 = w.I if f.z_steps else 0
    cdef const void **xrow = <const void **>f.rows + i * padded(3 * B, sizeof(void *))
    cdef void **yrow = <void **>xrow + B
    cdef void **hrow = yrow + B
    cdef Py_ssize_t *sequence = NULL
    cdef lstmc_walk a, proj, then       # the first walk of a step; of a projection, or the second of two stages
    cdef Py_ssize_t live = -1       # rows for which the tiles were made
    cdef Py_ssize_t z0 = -1         # first step that z holds, -1: none
    cdef bint sharing = f.team.shared
    cdef States part = states_of(f, i if f.parts > 1 else 0)
    cdef Py_ssize_t x_time = r.x.stride[0] * es, x_row = r.x.stride[1] * es, y_time = f.y.stride[0] * es, y_row = f.y.stride[1] * es, time, b
    cdef char *x = r.x.p
    cdef char *y = f.y.p
    cdef char *h
    if not sharing:
        initial_state(f, i)
    memset(&a, 0, sizeof(a))
    memset(&proj, 0, sizeof(proj))
    set_products(f, &a, xrow)
    a.product[0].a[0].ahead = 0 if s.when != NULL else (-x_time if r.reverse else x_time)
    a.tiles = proj.tiles = tiles_of(&f.team, i)
    a.q1 = w.groups
    if sharing:
        a.q0, a.q1 = i * w.groups // n, (i + 1) * w.groups // n
        a.sums = f.sums + a.q0 * ((B + r.k.mr - 1) // r.k.mr) * LSTMC_MAX_ACC * LSTMC_BLOCK_BYTES
    a.begins = a.ends = True
    a.finish = w.cell.forward[0 if r.plain and r.mask == NULL else 1]       # the plain one may want all slots of the last product
    a.fused = w.cell.fused if r.plain and r.mask == NULL else NULL
    a.step.H, a.step.options = w.H, &r.options
    a.step.ld_prev, a.step.ld = r.ldh, r.ldf if w.P or w.cell.first else r.ldh
    a.step.c_prev_ps = a.step.c_ps = part.c_ps
    a.step.gates_ps, a.step.gates_rs = r.gates_ps, r.gates_rs
    a.step.y = NULL if w.P or w.cell.first or f.y.p == NULL else yrow
    if f.numbers != NULL:
        sequence = f.numbers + i * padded(2 * B, sizeof(Py_ssize_t))
        a.step.sequence, a.step.time = sequence, sequence + B
    if w.P:
        proj.begins = proj.ends = True
        proj.n_products, proj.product[0].n_operands = 1, 1
        proj.k1 = proj.product[0].K = w.H
        proj.product[0].a[0] = dense(NULL, r.ldf, 1, w.H)
        proj.product[0].b, proj.N = w.hr, w.P
        proj.blocks = (w.P + r.nu - 1) // r.nu
        proj.q1 = (proj.blocks + LSTMC_SLOTS - 1) // LSTMC_SLOTS
        proj.out, proj.outs = hrow, 1
        proj.step.options, proj.step.ld_prev, proj.step.ld = &r.projected, r.ldh, r.ldh
        proj.step.sequence, proj.step.time = a.step.sequence, a.step.time
        if r.projected.zoneout_h > 0:
            proj.finish = r.k.zone_fwd
    if w.cell.first:
        set_then(f, &then, &a)
        then.finish = w.cell.then_forward[0 if r.plain else 1]
        then.step.ld, then.step.y = r.ldh, NULL if f.y.p == NULL else yrow
        then.product[1].a[0].row_stride, then.product[1].K = r.ldf, w.H
        a.step.gates = then.step.gates = r.gates
        a.step.mask, a.step.ld_dh = mask_of(r, w.cell.first), r.ldh
    for t in range(s.T):
        if not sharing and must_stop(stop, caller):
            return
        if live != n_active(s, t):
            live = n_active(s, t)
            a.n_tiles = proj.n_tiles = cut_tiles(&f.team, i, 0, live, r.k.mr)
        if a.n_tiles == 0:
            break
        if f.z_steps:
            if z0 < 0 or t - z0 >= f.z_steps:
                z0 = t
                fill_z(f, i, a.q0, a.q1, t)
            a.start, a.start_rs, a.start_gs = z_of(f, i, t - z0, a.tiles[0].row), f.z_rs, f.z_gs
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
        a.back = proj.back = t & 1
        a.step.h = h
        if w.P:
            proj.step.h_prev, proj.step.h = a.step.h_prev, h
            proj.product[0].a[0].a = a.step.h = r.hf + (row_of(s, t) * r.ldf * es if f.train else 0)
        if w.cell.first:
            then.step.h, then.step.h_prev, then.step.gates = h, a.step.h_prev, a.step.gates
            then.product[1].a[0].a = a.step.h = r.hf + (row_of(s, t) * r.ldf * es if f.train else 0)
            then.n_tiles, then.back = a.n_tiles, a.back
            if f.z_steps:
                then.start, then.start_rs, then.start_gs = <const char *>a.start + w.blocks * r.nu * es, a.start_rs, a.start_gs
        if r.mask != NULL:
            mask_h(f, <const char *>a.step.h_prev, a.tiles[0].row, a.tiles[a.n_tiles - 1].row + a.tiles[a.n_tiles - 1].mr)
        elif w.u == NULL:
            a.product[0].a[1].a = a.step.h_prev
        else:
            a.product[1].a[0].a = a.step.h_prev
        for j in range(a.tiles[0].row, a.tiles[a.n_tiles - 1].row + a.tiles[a.n_tiles - 1].mr):
            time, b = time_of(s, t, j, r.reverse), seq(s, j)
            xrow[j] = x + time * x_time + b * x_row
            yrow[j] = y + time * y_time + b * y_row
            if w.P:
                hrow[j] = h + j * r.ldh * es
            if sequence != NULL:
                sequence[j], sequence[B + j] = r.first + b, time
        a.k0 = a.k_start = k0
        a.k1 = K
        if w.norm != NULL:
            norm_forward(f, &a, i, t)
        elif r.mask != NULL and w.cell.first:
            walk_slots(f, &a)
        elif not sharing:
            r.k.walk(&a)
        elif not may_go_on(&f.team, i, t):
            return
        else:
            share_step(f, &a, i, n, t)
            if i == 0 and must_stop(stop, caller):
                lstmc_go_alone(f.team.progress, t + 1)
            if lstmc_arrive(f.team.progress, n, i, t + 1):
                sharing, a.q0, a.q1, z0 = False, 0, w.groups, -1
                a.begins = a.ends = True
        if w.cell.first:
            then.k0, then.k1 = k0, K
            r.k.walk(&then)
        if w.P:
            r.k.walk(&proj)
            for q in range(a.n_tiles if f.y.p != NULL else 0):
                for j in range(a.tiles[q].row, a.tiles[q].row + a.tiles[q].mr):
                    memcpy(yrow[j], hrow[j], w.P * es)
    if not f.team.shared:
        final_state(f, i)
    if i == 0 or not f.team.shared:
        clear_rest(&f.y, s, i, 1 if f.team.shared else f.team.threads, w.R)


cdef void run_thread(const Forward *f, Py_ssize_t jobs, Py_ssize_t i, Py_ssize_t n, Stop *stop) noexcept nogil:
    """The share of thread i of the n that came, in so many jobs: fewer may come than were asked for."""
    cdef Py_ssize_t each = shares(&f.team, jobs, n)
    cdef bint caller = i == 0
    while i < jobs * each:
        forward_thread(f + i // each, i % each, each, stop, caller)
        i += n
