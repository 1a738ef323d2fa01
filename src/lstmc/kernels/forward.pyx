"""Forward over a whole sequence, one layer of any cell in one direction or in both.

The whole time loop runs in one parallel region: a thread owns rows of the batch in one direction and needs no other
thread, or, with few rows, owns units of all rows and needs the others' part of h at each step (plan.pyx, team.pyx).
What directions and bands of rows (schedule.pyx) have in common is the weights: each pair of them is a job.
Arguments are checked by the faces. Arrays have axes (T, B, features) with any strides unless said otherwise;
y and states have unit feature stride.
"""

from cython.parallel cimport parallel, threadid
from libc.stdint cimport uint32_t
from libc.string cimport memcpy, memset

from lstmc.kernels.cells cimport across, row_stride, slots_of_h
from lstmc.kernels.contention cimport Region, enter, leave
from lstmc.kernels.core cimport (LSTMC_BLOCK_BYTES, LSTMC_MAX_ACC, LSTMC_SLOTS, Span, dense, lstmc_step, lstmc_walk, span,
                                 lstmc_tile, span_or_null)
from lstmc.kernels.inputs cimport fill_z, mask_h, set_products, set_then, walk_slots, z_blocks, z_of
from lstmc.kernels.norm cimport keep_normed, norm_forward
from lstmc.kernels.options cimport Options
from lstmc.kernels.plan cimport Load, Plan
from lstmc.kernels.random cimport RECURRENT, ZONEOUT_C, ZONEOUT_H, Key, key_of
from lstmc.kernels.schedule cimport Rows, Schedule, band_of, bands_of, chunk_of, len_of, n_active, row_of, seq, time_of
from lstmc.kernels.states cimport copy_blocks, direction, load_state
from lstmc.kernels.tape cimport Record, Tape, load_of, mask_of, state_row
from lstmc.kernels.team cimport (Stop, cut_tiles, deal, end, end_row, first_row, lstmc_arrive, lstmc_go_alone, lstmc_prefetch, lstmc_team_size, may_go_on,
                                 must_stop, padded, plan_of_call, raise_error, release, shares, tiles_of, wait_from)
from lstmc.kernels.weights cimport Operands, Weights, block
from lstmc.kernels.workspace cimport MAX_JOBS, Forward

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
    cdef const Record *r = &f.r
    a.j0, a.j1, a.h, a.c, a.c_ps = 0, r.s.B, r.h, r.c, r.c_ps
    if f.parts > 1:
        a.j0, a.j1 = first_row(&f.team, i), end_row(&f.team, i)
        a.h = r.h + (a.j0 + i * GAP) * r.ldh * r.es
        if r.c != NULL:
            a.c = r.c + ((r.w.panels - 1) * a.j0 + r.w.panels * i * GAP) * r.nu * r.es
        a.c_ps = (a.j1 - a.j0) * r.nu
    a.other = a.h + (a.j1 - a.j0) * r.ldh * r.es
    return a


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
    cdef Py_ssize_t t, j, q, prev, cur, B = s.B, es = r.es, K = w.I + (w.cell.h_slots if r.mask != NULL and not w.cell.first else 1) * w.R, k0 = w.I if f.z_steps else 0
    cdef const void **xrow = <const void **>f.rows + i * padded(3 * B, sizeof(void *))
    cdef void **yrow = <void **>xrow + B
    cdef void **hrow = yrow + B
    cdef Py_ssize_t *sequence = NULL
    cdef lstmc_walk a, proj, then       # the first walk of a step; of a projection, or the second of two stages
    cdef Py_ssize_t live = -1       # rows for which the tiles were made
    cdef Py_ssize_t z0 = -1         # first step that z holds, -1: none
    cdef bint sharing = f.team.shared
    cdef Part part = part_of(f, i if f.parts > 1 else 0)
    cdef Py_ssize_t x_time = r.x.stride[0] * es, x_row = r.x.stride[1] * es, y_time = f.y.stride[0] * es, y_row = f.y.stride[1] * es, time, b
    cdef char *x = r.x.p
    cdef char *y = f.y.p
    cdef char *h
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
            mask_h(f, <const char *>a.step.h_prev, a.tiles[0].row, a.tiles[a.n_tiles - 1].row + a.tiles[a.n_tiles - 1].mr - a.tiles[0].row)
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
                sequence[j], sequence[B + j] = b, time
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


cdef void run_thread(const Forward *f, Py_ssize_t jobs, Py_ssize_t i, Py_ssize_t n, Stop *stop) noexcept nogil:
    """The share of thread i of the n that came, in so many jobs: fewer may come than were asked for."""
    cdef Py_ssize_t each = shares(&f.team, jobs, n)
    cdef bint caller = i == 0
    while i < jobs * each:
        forward_thread(f + i // each, i % each, each, stop, caller)
        i += n


cdef int set_up(Forward *f, const Plan *plan, list keep, list scratch) except -1:
    """Deal the rows and take the workspaces of one job; keep: those that a tape needs."""
    cdef Record *r = &f.r
    cdef const Rows *s = &r.s
    cdef const Operands *w = r.w
    cdef Py_ssize_t es = r.es, nu = r.nu, B = s.B, rows, c_rows, i, cap = 0, held = (1 if w.norm == NULL else 3) * w.cell.slots
    deal(&f.team, s, plan, w.groups)
    r.ldh, r.ldf = row_stride(w.R, nu, es), row_stride(w.H, nu, es)
    f.parts = 1 if f.train or f.team.shared else f.team.threads
    rows, c_rows = (B + s.N, B + s.N) if f.train else (2 * B + (f.parts - 1) * GAP, B + (f.parts - 1) * GAP)
    r.c_ps = (B + s.N if f.train else B) * nu
    r.gates_rs, r.gates_ps = (row_stride((w.cell.slots - 1) * w.panels * nu + w.H, nu, es), nu) if across(w.cell) else (held * nu, s.N * held * nu)
    r.h = block(keep, rows * r.ldh * es)
    if w.cell.states > 1:
        r.c = block(keep, w.panels * c_rows * nu * es)
    if f.train:
        r.gates = block(keep, s.N * (r.gates_rs if across(w.cell) else w.panels * r.gates_rs) * es)
    elif w.cell.first:
        r.gates = block(keep, B * r.gates_rs * es)
    if w.P or w.cell.first:
        r.hf = block(keep, (s.N if f.train else B) * r.ldf * es)
    f.rows = <void **>block(scratch, f.team.threads * padded(3 * B, sizeof(void *)) * sizeof(void *))
    if r.options.random:
        f.numbers = <Py_ssize_t *>block(scratch, f.team.threads * padded(2 * B, sizeof(Py_ssize_t)) * sizeof(Py_ssize_t))
    if f.team.shared:
        f.sums = block(scratch, w.groups * ((B + r.k.mr - 1) // r.k.mr) * LSTMC_MAX_ACC * LSTMC_BLOCK_BYTES)
    f.z_steps = plan.z_steps
    if f.z_steps:
        for i in range(f.team.threads):
            cap = max(cap, end_row(&f.team, i) - first_row(&f.team, i))
        f.z_rows = f.z_steps * cap
        f.z_rs, f.z_gs = (z_blocks(f) * nu, LSTMC_SLOTS * nu) if across(w.cell) or w.norm != NULL else (LSTMC_SLOTS * nu, f.z_rows * LSTMC_SLOTS * nu)
        f.z = block(scratch, f.team.threads * f.z_rows * z_blocks(f) * nu * es)
        f.zx = <const void **>block(scratch, f.team.threads * f.z_rows * sizeof(void *))
        f.z_tiles = <lstmc_tile *>block(scratch, f.team.threads * f.z_rows * sizeof(lstmc_tile))
        f.z_first = <Py_ssize_t *>block(scratch, f.team.threads * f.z_steps * sizeof(Py_ssize_t))
    if w.norm != NULL:
        keep_normed(f, keep, scratch)
    return 0


cdef int draw_masks(Forward *f, Options options, Py_ssize_t d, list keep, list scratch) except -1:
    """Recurrent dropout in direction d: for each slot that U feeds a mask of every sequence, fixed in time."""
    cdef Record *r = &f.r
    cdef Key key
    cdef Py_ssize_t i, j, B = r.s.B, row = r.ldh * r.es, nbytes = r.w.cell.h_slots * B * row
    r.mask, f.masked = block(keep, nbytes), block(scratch, slots_of_h(r.w.cell) * B * row)
    memset(r.mask, 0, nbytes)
    for i in range(r.w.cell.h_slots):
        key = key_of(options.seed, options.step, 2 * options.layer + d, RECURRENT + r.w.cell.h_gate[i])
        for j in range(B):
            r.k.keep_rows(mask_of(r, i) + j * row, r.w.R, key.words, options.recurrent_dropout, 0, <uint32_t>seq(&r.s, j))
    return 0


cdef void initial_state(const Forward *f, const Span *h, const Span *c) noexcept nogil:
    """h_0 (B, R) and c_0 (B, H) of every sequence."""
    cdef const Record *r = &f.r
    cdef Py_ssize_t i
    cdef Part part
    for i in range(f.parts):
        part = part_of(f, i)
        load_state(&r.s, part.j0, part.j1, part.h, r.ldh, part.c, part.c_ps, h, c, r.w.R, r.w.H, r.nu, r.es)


cdef void final_state(const Forward *f, const Span *h, const Span *c) noexcept nogil:
    """h_n (B, R) and c_n (B, H) of every sequence."""
    cdef const Record *r = &f.r
    cdef const Rows *s = &r.s
    cdef Py_ssize_t i, j, row, c_row
    cdef Part part
    for i in range(f.parts):
        part = part_of(f, i)
        for j in range(part.j0, part.j1):
            row = c_row = j
            if f.train and len_of(s, j):
                row = c_row = state_row(r, len_of(s, j) - 1) + j
            elif not f.train and len_of(s, j) % 2:
                row = j + part.j1 - part.j0
            memcpy(h.p + seq(s, j) * h.stride[0] * r.es, part.h + row * r.ldh * r.es, r.w.R * r.es)
            if r.c != NULL:
                copy_blocks(c.p + seq(s, j) * c.stride[0] * r.es, r.nu * r.es,
                            part.c + c_row * r.nu * r.es, part.c_ps * r.es, r.w.H, r.nu, r.es)


cdef int set_options(Record *r, Options options, Py_ssize_t d) except -1:
    """The options of direction d, with the keys of its random numbers."""
    r.plain, r.options, r.options.peephole = options.plain, options.o, r.w.peephole
    if options.o.random:
        r.options.key_h = key_of(options.seed, options.step, 2 * options.layer + d, ZONEOUT_H).words
        r.options.key_c = key_of(options.seed, options.step, 2 * options.layer + d, ZONEOUT_C).words
    r.projected = r.options
    if r.w.P:
        r.options.zoneout_h = 0
    return 0


def forward(list weights not None, Schedule schedule not None, x, y, tuple state, tuple final not None, Options options not None,
            bint train=False, threads=None, chunk=None, Py_ssize_t direction0=0, dict forced=None):
    """Run a sequence through one layer; returns a Tape for each direction if train, else None.

    weights: of the forward direction and, if there is one, of the reverse direction: D = 1 or 2. x (T, B, I) with any
    strides; y (T, B, D*R) or None is written at live steps only; state: h0 (D, B, R) and, for the LSTM, c0 (D, B, H) with unit feature
    stride, or None for zeros; final, like it, is written. chunk: (t0, t1), run these steps of the schedule only, from the
    state that they begin with. direction0: 1 if the only direction is the reverse one. forced: entries of the plan, for tests.
    """
    cdef Forward f[MAX_JOBS]
    cdef Rows s
    cdef Span none, h_in, c_in, h_out, c_out, sh, sc, sx = span(x), sy = span_or_null(y, True)
    cdef Weights w = weights[0]
    cdef Py_ssize_t D = len(weights), bands = 1, jobs, i, d, at = 0
    cdef bint dropping = options.o.random and options.recurrent_dropout > 0
    cdef list keep = [], scratch = [], tapes = []
    cdef Load load
    cdef Plan plan
    cdef Region region
    cdef Stop stop
    cdef Tape tape
    memset(f, 0, sizeof(f))
    memset(&stop, 0, sizeof(stop))
    memset(&none, 0, sizeof(none))
    h_in, c_in = span_or_null(None if state is None else state[0]), span_or_null(None if state is None or len(state) < 2 else state[1])
    h_out, c_out = span(final[0], True), span(final[1], True) if len(final) > 1 else none
    if train:
        f[0].r.w, f[0].r.k, f[0].r.es = &w.o, w.k, w.itemsize
        load = load_of(&f[0].r, &schedule.rows, D, 1)
        bands = bands_of(&schedule.rows, <double>load.weights * w.itemsize, w.o.P)
    jobs = D * bands
    s = schedule.rows if chunk is None else chunk_of(&schedule.rows, chunk[0], chunk[1])
    for i in range(jobs):
        d = i // bands
        w = weights[d]
        f[i].r.s = band_of(&s, i % bands, bands)
        f[i].r.w, f[i].r.k, f[i].r.nu, f[i].r.es, f[i].r.reverse = &w.o, w.k, w.k.nu, w.itemsize, direction0 + d == 1
        f[i].r.x, f[i].y, f[i].train = sx, sy, train
        if y is not None:
            f[i].y.p += (direction0 + d) * w.o.R * sy.stride[2] * sy.itemsize
        set_options(&f[i].r, options, direction0 + d)
        if i % bands == 0:
            keep.append([])
    load = load_of(&f[0].r, &s, D, bands)
    load.undivided |= dropping
    load.x_apart |= dropping and w.o.cell.first > 0
    plan = plan_of_call(&load, threads, forced)
    try:
        for i in range(jobs):
            set_up(&f[i], &plan, keep[i // bands], scratch)
            if dropping:
                draw_masks(&f[i], options, direction0 + i // bands, keep[i // bands], scratch)
        with nogil:
            for i in range(jobs):
                sh, sc = direction(h_in, i // bands), direction(c_in, i // bands)
                initial_state(&f[i], &sh, &sc)
            while at < jobs and not stop.stopped:
                enter(&region, plan.at_once * f[at].team.threads, f[at].team.shared)
                with parallel(num_threads=plan.at_once * f[at].team.threads):
                    run_thread(&f[at], plan.at_once, threadid(), lstmc_team_size(), &stop)
                    leave(&region, threadid())
                end(&region, &f[at].team)
                at += plan.at_once
        raise_error(&stop)
        with nogil:
            for i in range(jobs):
                sh, sc = direction(h_out, i // bands), direction(c_out, i // bands)
                final_state(&f[i], &sh, &sc)
    finally:
        for i in range(jobs):
            release(&f[i].team)
        arena.give(*scratch)
        if not train:
            for d in range(len(keep)):
                arena.give(*keep[d])
    if not train:
        return None
    for d in range(D):
        tape = Tape.__new__(Tape)
        tape.schedule, tape.w, tape.x, tape.keep, tape.bands, tape.options = schedule, weights[d], x, keep[d], bands, options
        for i in range(bands):
            tape.record[i] = f[d * bands + i].r
        tapes.append(tape)
    return tapes
