"""Backward over a whole sequence, one layer of any cell in one direction or in both: from tapes to jobs, their workspaces and gradients.

Phase 1 goes back in time (backward_loop.pyx), turns the slots of the tape into gradients and ends with the gradients of the initial
state. Phase 2 (sums.pyx) is what sums over all steps. Jobs are as in forward.pyx.
"""

from cython.parallel cimport parallel, threadid
from libc.stdint cimport uint64_t
from libc.string cimport memset

from lstmc.kernels.arena cimport block, give_back
from lstmc.kernels.backward_loop cimport Backward, c0_gradient, final_gradient, run_thread
from lstmc.kernels.cells cimport blocks_of, groups_of
from lstmc.kernels.contention cimport BACKWARD, Region, begin_share, end_share, enter, kind_of
from lstmc.kernels.core cimport Span, span, span_or_null
from lstmc.kernels.norm cimport take_sums
from lstmc.kernels.parts cimport write_sums
from lstmc.kernels.plan cimport Load, Plan
from lstmc.kernels.schedule cimport MAX_BANDS, Rows, Schedule, bands_of, block_steps, by_time
from lstmc.kernels.states cimport direction
from lstmc.kernels.sums cimport Chunk, WeightSums
from lstmc.kernels.tape cimport Record, Tape, load_of
from lstmc.kernels.team cimport Stop, deal, end, lstmc_team_size, padded, plan_of_call, raise_error, release, sums_bytes
from lstmc.kernels.weights cimport Operands, Weights
from lstmc.kernels.workspace cimport MAX_JOBS


cdef int set_up(Backward *g, Record *r, const Plan *plan, Py_ssize_t steps, list scratch) except -1:
    """Deal the rows and take the workspaces of one job."""
    cdef const Operands *w = r.w
    cdef Py_ssize_t es = r.es, B = r.s.B
    g.dc_ps = B * r.nu
    g.groups, g.cell_groups = groups_of(blocks_of(w.R, r.nu)), groups_of(w.panels)
    g.passes = w.cell.states == 1 and w.cell.slots > 1 or r.projected.zoneout_h > 0
    deal(&g.team, &r.s, plan, g.cell_groups)
    g.dh = block(scratch, B * r.ldh * es)
    if r.c != NULL:
        g.dc = block(scratch, w.panels * g.dc_ps * es)
    if g.team.shared:
        g.sums = block(scratch, sums_bytes(g.groups + g.cell_groups, B, r.k.mr))
    if w.P:
        g.dp = block(scratch, r.s.N * r.ldh * es)
    if w.peephole != NULL:
        g.products = block(scratch, w.panels * r.gates_ps * es)
    if w.norm != NULL:
        g.normed = take_sums(r, steps, scratch)
    g.rows = <void **>block(scratch, g.team.threads * padded(2 * B, sizeof(void *)) * sizeof(void *))
    if r.options.random:
        g.numbers = <Py_ssize_t *>block(scratch, g.team.threads * padded(2 * B, sizeof(Py_ssize_t)) * sizeof(Py_ssize_t))
    return 0


def block_steps_of(list weights not None, Schedule schedule not None):
    """Steps between the places where a chunk of time may begin without changing a bit of a weight gradient of this layer."""
    cdef Weights w = weights[0]
    cdef Record r
    cdef Load load
    memset(&r, 0, sizeof(r))
    r.w, r.k, r.es = &w.o, w.k, w.itemsize
    load = load_of(&r, &schedule.rows, 1, 1)
    return block_steps(&schedule.rows, bands_of(&schedule.rows, <double>load.weights * w.itemsize, w.o.P))


def backward(list tapes not None, dy, tuple dfinal, dx, tuple dstate, list sums=None, threads=None, Py_ssize_t direction0=0,
             dict forced=None, bint wanted=True):
    """Gradients of one `forward`; uses its tapes, one for each direction, up. Returns the sums of weight gradients, a WeightSums a
    direction, for `weight_gradients`.

    dy (T, B, D*R) with any strides or None; dfinal: gradients of the final state, shaped like it with unit feature stride, or
    None each. Written: dx (T, B, I), 0 at steps that are not live, dstate: gradients of the initial state; None: not wanted. sums: of the chunks of
    time after this one. direction0: as of `forward`. forced: entries of the plan, for tests. wanted: whether the sums are, or dx and dstate alone.
    """
    cdef Backward g[MAX_JOBS]
    cdef Record r[MAX_JOBS]
    cdef Chunk chunk
    cdef Tape tape = tapes[0]
    cdef Schedule schedule = tape.schedule
    cdef Span sdx = by_time(span_or_null(dx, True), &schedule.rows), none, dh_in, dc_in, dh_out, dc_out
    cdef Py_ssize_t D = len(tapes), bands = tape.bands, jobs = D * bands, d, i, at = 0, pairs = 0, steps
    cdef Load load
    cdef Rows s
    cdef Plan plan
    cdef Region region
    cdef uint64_t kind
    cdef Stop stop
    cdef WeightSums total
    cdef list scratch = []
    memset(g, 0, jobs * sizeof(Backward))
    memset(&stop, 0, sizeof(stop))
    memset(&none, 0, sizeof(none))
    dh_in = span_or_null(None if dfinal is None else dfinal[0])
    dc_in = span_or_null(None if dfinal is None or len(dfinal) < 2 else dfinal[1])
    dh_out = span_or_null(None if dstate is None else dstate[0], True)
    dc_out = span_or_null(None if dstate is None or len(dstate) < 2 else dstate[1], True)
    if sums is None:
        sums = []
        for d in range(D):          # no comprehension: Cython 3.3 frees an item twice where memory lacks for its list
            sums.append(WeightSums())
    for i in range(jobs):
        d = i // bands
        tape = tapes[d]
        r[i] = tape.record[i % bands]
        pairs += r[i].s.N
        g[i].r = &r[i]
        g[i].has_dy, g[i].has_dh = dy is not None, dh_in.p != NULL
        if dy is not None:
            g[i].dy = by_time(span(dy), &schedule.rows)
            g[i].dy.p += (direction0 + d) * r[i].w.R * g[i].dy.stride[2] * r[i].es
        g[i].dhn, g[i].dcn, g[i].dh0, g[i].dc0 = direction(dh_in, d), direction(dc_in, d), direction(dh_out, d), direction(dc_out, d)
        g[i].dx = none if direction0 + d else sdx       # the first direction begins dx, and the second adds to it
    s = r[0].s
    s.N = pairs // D
    s.B = schedule.rows.B
    load = load_of(r, &s, D, bands)
    load.parts = groups_of(r[0].w.panels)
    kind = kind_of(BACKWARD, load.pairs, load.weights * load.itemsize, load.T)
    plan = plan_of_call(&load, threads, forced)
    steps = block_steps(&schedule.rows, bands)
    try:
        for i in range(jobs):
            set_up(&g[i], &r[i], &plan, steps, scratch)
        with nogil:
            for i in range(jobs):
                if g[i].team.shared:
                    final_gradient(&g[i], 0)
            while at < jobs and not stop.stopped:
                enter(&region, plan.at_once * g[at].team.threads, kind)
                if region.threads == 1:
                    run_thread(&g[at], plan.at_once, 0, 1, &stop)
                else:
                    with parallel(num_threads=region.threads):
                        begin_share(&region, threadid())
                        run_thread(&g[at], plan.at_once, threadid(), lstmc_team_size(), &stop)
                        end_share(&region, threadid())
                if not stop.stopped:
                    end(&region, g[at].team.progress)
                at += plan.at_once
        raise_error(&stop)
        for i in range(jobs):
            if g[i].team.shared:
                c0_gradient(&g[i], 0)
        for d in range(D if s.T and pairs and (wanted or dx is not None) else 0):
            total = sums[d]
            chunk.records, chunk.bands, chunk.steps, chunk.dp = &r[d * bands], bands, steps, g[d * bands].dp
            for i in range(bands):
                chunk.products[i] = g[d * bands + i].products
            total.add(&chunk, sdx, direction0 + d > 0, wanted, threads)
    finally:
        for i in range(jobs):
            release(&g[i].team)
        give_back(scratch)
        for d in reversed(range(D)):
            (<Tape>tapes[d]).release()
    return sums


def weight_gradients(list sums not None, dict grads not None, list names not None, threads=None):
    """Write the weight gradients of a layer into arrays with contiguous rows. names: for each direction a list of those in `grads` of d_ih (G*H, I),
    d_hh (G*H, R), d_b_ih, d_b_hh (G*H,), d_hr (P, H), d_peephole, d_norm_ih, d_norm_hh, d_norm_c, which has none where it is not wanted."""
    cdef WeightSums total
    cdef list arrays
    cdef Py_ssize_t d
    for d in range(len(sums)):
        total, arrays = sums[d], []
        for name in <list>names[d]:
            arrays.append(grads.get(name))
        if total.bands:
            write_sums(total.g, total.bands, arrays, threads)
        else:                               # no step at all
            for array in arrays:
                if array is not None:
                    array[...] = 0
