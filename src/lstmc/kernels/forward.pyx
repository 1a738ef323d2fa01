"""Forward over a whole sequence, one layer of any cell in one direction or in both: from arrays to jobs, their workspaces and states.

What directions and bands of rows (schedule.pyx) have in common is the weights: each pair of them is a job. The whole time loop
of a job runs in one parallel region; what a thread does there is in forward_loop.pyx.
Arguments are checked by the faces. Arrays have axes (T, B, features) with any strides unless said otherwise;
y and states have unit feature stride. With a packed schedule (schedule.pyx), arrays (T, B, features) are (N, features) here and in backward.
"""

from cython.parallel cimport parallel, threadid
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset

from lstmc.kernels.arena cimport block, give_back
from lstmc.kernels.cells cimport across, blocks_of, groups_of, row_stride, slots_of_h
from lstmc.kernels.contention cimport FORWARD, Region, begin_share, end_share, enter, kind_of
from lstmc.kernels.core cimport LSTMC_SLOTS, Span, lstmc_tile, span, span_or_null
from lstmc.kernels.forward_loop cimport final_state, initial_state, run_thread
from lstmc.kernels.inputs cimport spread_masks, z_blocks
from lstmc.kernels.norm cimport keep_normed
from lstmc.kernels.options cimport Options
from lstmc.kernels.plan cimport Load, Plan
from lstmc.kernels.random cimport RECURRENT, ZONEOUT_C, ZONEOUT_H, Key, key_of
from lstmc.kernels.schedule cimport MAX_BANDS, Rows, Schedule, band_of, bands_of, by_time, chunk_of, seq, whole_rows
from lstmc.kernels.states cimport direction
from lstmc.kernels.tape cimport Record, Tape, load_of, mask_of
from lstmc.kernels.team cimport Stop, deal, end, end_row, first_row, lstmc_team_size, padded, plan_of_call, raise_error, release, sums_bytes
from lstmc.kernels.weights cimport Operands, Weights
from lstmc.kernels.workspace cimport GAP, MAX_JOBS, Forward

# Operations, far less than a millisecond's, before the first look at the clock: two looks are a hundredth of a small call.
cdef enum: UNSEEN_WORK = 1000000

# Blocks between two panels of slots. A row's panels a multiple of a page apart are one place to a processor that compares the low bits of
# addresses: what is read of one then waits for what was just written to another. No row of a few panels and steps has its like so.
cdef enum: PANEL_GAP = 5


cdef int set_up(Forward *f, const Plan *plan, list keep, list scratch) except -1:
    """Deal the rows and take the workspaces of one job; keep: those that a tape needs."""
    cdef Record *r = &f.r
    cdef const Rows *s = &r.s
    cdef const Operands *w = r.w
    cdef Py_ssize_t es = r.es, nu = r.nu, B = s.B, rows, c_rows, z_rows, z_size, i, cap = 0, panel = w.cell.slots * nu
    deal(&f.team, s, plan, max(w.groups, w.then.groups))
    r.ldh, r.ldf = row_stride(w.R, nu, es), row_stride(w.H, nu, es)
    f.parts = 1 if f.train or f.team.shared else f.team.threads
    rows, c_rows = (B + s.N, B + s.N) if f.train else (2 * B + (f.parts - 1) * GAP, B + (f.parts - 1) * GAP)
    r.c_ps = (B + s.N if f.train else B) * nu
    r.gates_rs, r.gates_ps = (row_stride((w.cell.slots - 1) * w.panels * nu + w.H, nu, es), nu) if across(w.cell) else (panel, s.N * panel + PANEL_GAP * nu)
    r.h = block(keep, rows * r.ldh * es)
    if w.cell.states > 1:
        r.c = block(keep, w.panels * c_rows * nu * es)
    if f.train:
        r.gates = block(keep, (s.N * r.gates_rs if across(w.cell) else w.panels * r.gates_ps) * es)
    elif w.cell.first:
        r.gates = block(keep, B * r.gates_rs * es)
    if w.P or w.cell.first:
        r.hf = block(keep, (s.N if f.train else B) * r.ldf * es)
    f.rows = <void **>block(scratch, f.team.threads * padded(3 * B, sizeof(void *)) * sizeof(void *))
    if r.options.random:
        f.numbers = <Py_ssize_t *>block(scratch, f.team.threads * padded(2 * B, sizeof(Py_ssize_t)) * sizeof(Py_ssize_t))
    if f.team.shared:
        f.sums = block(scratch, sums_bytes(w.groups + max(w.then.groups, groups_of(blocks_of(w.P, r.nu))), B, r.k.mr))
    f.z_steps = plan.z_steps
    if f.z_steps:
        for i in range(f.team.threads):
            cap = max(cap, end_row(&f.team, i) - first_row(&f.team, i))
        f.z_rows = f.z_steps * cap
        f.z_rs, f.z_gs = (z_blocks(f) * nu, LSTMC_SLOTS * nu) if across(w.cell) or w.norm != NULL else (LSTMC_SLOTS * nu, f.z_rows * LSTMC_SLOTS * nu)
        z_rows, z_size = f.team.threads * f.z_rows, f.team.threads * f.z_rows * z_blocks(f) * nu * es
        f.z = block(scratch, z_size + z_rows * (sizeof(void *) + sizeof(lstmc_tile)) + f.team.threads * f.z_steps * sizeof(Py_ssize_t))
        f.zx = <const void **>(f.z + z_size)
        f.z_tiles = <lstmc_tile *>(f.zx + z_rows)
        f.z_first = <Py_ssize_t *>(f.z_tiles + z_rows)
    if w.norm != NULL:
        keep_normed(f, keep, scratch)
    return 0


cdef int draw_masks(Forward *f, Options options, Py_ssize_t d, list keep, list scratch) except -1:
    """Recurrent dropout in direction d: for each slot that U feeds a mask of every sequence, fixed in time."""
    cdef Record *r = &f.r
    cdef Key key
    cdef Py_ssize_t i, j, B = r.s.B, row = r.ldh * r.es, nbytes = r.w.cell.h_slots * B * row
    r.mask = block(keep, nbytes)
    memset(r.mask, 0, nbytes)
    for i in range(r.w.cell.h_slots):
        key = key_of(options.seed, options.step, 2 * options.layer + d, RECURRENT + r.w.cell.h_gate[i])
        for j in range(B):
            r.k.keep_rows(mask_of(r, i) + j * row, r.w.R, key.words, options.recurrent_dropout, 0, <uint32_t>(r.first + seq(&r.s, j)))
    if r.w.cell.first:
        f.masked = block(scratch, slots_of_h(r.w.cell) * B * row)
    else:
        spread_masks(f, scratch)
    return 0


cdef int set_options(Record *r, Options options, Py_ssize_t d) except -1:
    """The options of direction d, with the keys of its random numbers."""
    r.plain, r.options, r.options.peephole, r.first = options.plain, options.o, r.w.peephole, options.first
    if options.o.random:
        r.options.key_h = key_of(options.seed, options.step, 2 * options.layer + d, ZONEOUT_H).words
        r.options.key_c = key_of(options.seed, options.step, 2 * options.layer + d, ZONEOUT_C).words
    r.projected = r.options
    if r.w.P:
        r.options.zoneout_h = 0
    return 0


def forward(list weights not None, Schedule schedule, x, y, tuple state, tuple final not None, Options options not None,
            bint train=False, threads=None, chunk=None, Py_ssize_t direction0=0, dict forced=None):
    """Run a sequence through one layer; returns a Tape for each direction if train, else None.

    weights: of the forward direction and, if there is one, of the reverse direction: D = 1 or 2. schedule None: of whole sequences, in
    inference, and x is (B, T, I). x (T, B, I) with any strides; y (T, B, D*R) or None is written, with 0 at steps that are not live; state: h0 (D, B, R) and, for the LSTM, c0 (D, B, H) with unit feature
    stride, or None for zeros; final, like it, is written: of an LSTM too h alone, if that is all there is in it. chunk: (t0, t1), run these steps of the schedule only, from the
    state that they begin with. direction0: 1 if the only direction is the reverse one. forced: entries of the plan, for tests.
    """
    cdef Forward f[MAX_JOBS]
    cdef Rows s, rows
    cdef Span none, h_in, c_in, h_out, c_out, sx = span(x), sy = span_or_null(y, True)
    cdef Weights w = weights[0]
    cdef Py_ssize_t D = len(weights), bands = 1, jobs, i, d, at = 0
    cdef bint dropping = options.o.random and options.recurrent_dropout > 0
    cdef list keep = [], scratch = [], tapes = []
    cdef Load load
    cdef Plan plan
    cdef Region region
    cdef uint64_t kind
    cdef Stop stop
    cdef Tape tape
    memset(f, 0, D * (MAX_BANDS if train else 1) * sizeof(Forward))
    memset(&stop, 0, sizeof(stop))
    memset(&none, 0, sizeof(none))
    if schedule is None:
        rows = whole_rows(sx.shape[1], sx.shape[0])
        sx.stride[0], sx.stride[1] = sx.stride[1], sx.stride[0]
    else:
        rows = schedule.rows
        sx, sy = by_time(sx, &rows), by_time(sy, &rows)
    h_in, c_in = span_or_null(None if state is None else state[0]), span_or_null(None if state is None or len(state) < 2 else state[1])
    h_out, c_out = span(final[0], True), span(final[1], True) if len(final) > 1 else none
    if train:
        f[0].r.w, f[0].r.k, f[0].r.es = &w.o, w.k, w.itemsize
        load = load_of(&f[0].r, &rows, D, 1)
        bands = bands_of(&rows, <double>load.weights * w.itemsize, w.o.P)
    jobs = D * bands
    s = rows if chunk is None else chunk_of(&rows, chunk[0], chunk[1])
    for i in range(jobs):
        d = i // bands
        w = weights[d]
        f[i].r.s = band_of(&s, i % bands, bands)
        f[i].r.w, f[i].r.k, f[i].r.nu, f[i].r.es, f[i].r.reverse = &w.o, w.k, w.k.nu, w.itemsize, direction0 + d == 1
        f[i].r.x, f[i].y, f[i].train = sx, sy, train
        f[i].h0, f[i].c0, f[i].hn, f[i].cn = direction(h_in, d), direction(c_in, d), direction(h_out, d), direction(c_out, d)
        if y is not None:
            f[i].y.p += (direction0 + d) * w.o.R * sy.stride[2] * sy.itemsize
        set_options(&f[i].r, options, direction0 + d)
        if i % bands == 0:
            keep.append([])
    load = load_of(&f[0].r, &s, D, bands)
    load.undivided |= dropping
    load.x_apart |= dropping and w.o.cell.first > 0
    kind = kind_of(FORWARD, load.pairs, load.weights * load.itemsize, 2 * load.T + train)
    plan = plan_of_call(&load, threads, forced)
    stop.left = <Py_ssize_t>(UNSEEN_WORK * load.T / max(2.0 * load.pairs * load.weights, 1.0))
    try:
        for i in range(jobs):
            set_up(&f[i], &plan, keep[i // bands], scratch)
            if dropping:
                draw_masks(&f[i], options, direction0 + i // bands, keep[i // bands], scratch)
        with nogil:
            for i in range(jobs):
                if f[i].team.shared:
                    initial_state(&f[i], 0)
            while at < jobs and not stop.stopped:
                enter(&region, plan.at_once * f[at].team.threads, kind)
                if region.threads == 1:
                    run_thread(&f[at], plan.at_once, 0, 1, &stop)
                else:
                    with parallel(num_threads=region.threads):
                        begin_share(&region, threadid())
                        run_thread(&f[at], plan.at_once, threadid(), lstmc_team_size(), &stop)
                        end_share(&region, threadid())
                if not stop.stopped:
                    end(&region, f[at].team.progress)
                at += plan.at_once
            for i in range(0 if stop.stopped else jobs):
                if f[i].team.shared:
                    final_state(&f[i], 0)
        raise_error(&stop)
    finally:
        for i in range(jobs):
            release(&f[i].team)
        give_back(scratch)
        if not train:
            for d in range(len(keep)):
                give_back(keep[d])
    if not train:
        return None
    for d in range(D):
        tape = Tape.__new__(Tape)
        tape.schedule, tape.w, tape.x, tape.keep, tape.bands, tape.options = schedule, weights[d], x, keep[d], bands, options
        for i in range(bands):
            tape.record[i] = f[d * bands + i].r
        tapes.append(tape)
    return tapes
