"""The second half of backward: weight gradients, and dx, from the gradients of all steps' slots.

Sums over the (t, b) pairs of a band run in pieces of at most KBLOCK pairs, each summed from zero. Pieces go from the last block of
steps to the first, so that a sequence whose states are computed again chunk by chunk is summed in the same order, and in a
block from its first pair to its last; the sums of bands are added in their order. No bit depends on the number of threads.
Output tiles of a band are divided among its threads, and each packs what its tiles read: no thread waits for another. What is summed
where, and what becomes of it, is in parts.pyx.
"""

from cython.parallel cimport parallel, threadid
from libc.string cimport memcpy, memset

from lstmc.kernels.arena cimport block, give_back
from lstmc.kernels.cells cimport across, groups_of, round_up
from lstmc.kernels.contention cimport SUMS, Region, begin_share, end_share, enter, judge, kind_of
from lstmc.kernels.core cimport LSTMC_KBLOCK, LSTMC_SLOTS, Span, balanced, lstmc_features, lstmc_outer, lstmc_tile, lstmc_walk
from lstmc.kernels.norm cimport sum_norms
from lstmc.kernels.parts cimport Part, Source, Sums, lay_out, set_sources, sums_of
from lstmc.kernels.plan cimport Load, side_by_side, threads_for, work_of
from lstmc.kernels.schedule cimport n_active, row_of, step_of, x_at
from lstmc.kernels.tape cimport Record, fed_by_x, gate_rows, load_of, mask_of, state_row
from lstmc.kernels.team cimport Stop, lstmc_team_size, must_stop, raise_error
from lstmc.kernels.weights cimport Operands

# Pieces whose gradients become weight gradients and dx at a time: about what a shared cache holds of dG.
cdef enum: PIECES = 8
# Pairs whose dx is computed at a time: their gradients stay near while the columns of W pass by. So many bytes of
# them, but at least so many register tiles, which share each piece of W.
cdef Py_ssize_t NEAR = 512 * 1024
cdef Py_ssize_t LEAST_TILES = 16


cdef struct Piece:
    Py_ssize_t n0, n1


# What a batch of work needs beside the sums
cdef struct Batch:
    Piece *pieces
    Py_ssize_t n_pieces
    bint wanted                  # whether sums are, or dx alone
    Span dx
    bint add_dx
    Py_ssize_t dx_rows           # pairs of dx at a time, and per thread their pointers and tiles
    void **dx_row
    lstmc_tile *dx_tiles


cdef Py_ssize_t count_pieces(const Record *r, Py_ssize_t steps, Piece *pieces) noexcept nogil:
    """The pieces of a band in the order of summation, for blocks of so many steps; pieces NULL: only their number."""
    cdef Py_ssize_t n = 0, t0 = (r.s.T - 1) // steps * steps, at, end
    while t0 >= 0:
        at, end = row_of(&r.s, t0), row_of(&r.s, min(t0 + steps, r.s.T))
        while at < end:
            if pieces != NULL:
                pieces[n].n0, pieces[n].n1 = at, min(at + LSTMC_KBLOCK, end)
            at += LSTMC_KBLOCK
            n += 1
        t0 -= steps
    return n


cdef void pack_features(const Sums *g, Piece piece, Py_ssize_t tile0, Py_ssize_t tiles, char *dst, char *masked) noexcept nogil:
    """Pack the features of some tiles for the pairs of a piece; masked: scratch."""
    cdef const void *xr[LSTMC_KBLOCK]
    cdef const void *hr[LSTMC_KBLOCK]
    cdef lstmc_features a
    cdef const Record *r = g.r
    cdef Py_ssize_t n, t = step_of(&r.s, piece.n0), j = piece.n0 - row_of(&r.s, t), i, low, high
    a.n, a.x, a.h = piece.n1 - piece.n0, xr, hr
    if g.projection:
        a.I, a.R, a.xs, a.hs = r.w.P, 0, 1, 1
        for n in range(a.n):
            xr[n] = hr[n] = g.dp + (piece.n0 + n) * r.ldh * r.es
    else:
        a.I, a.R, a.xs, a.hs = r.w.I, r.w.R, r.x.stride[2], 1
        for n in range(a.n):
            if j == n_active(&r.s, t):
                t, j = t + 1, 0
            xr[n] = x_at(&r.x, &r.s, t, j, r.reverse)
            if r.w.cell.first and g.slot >= r.w.cell.first:
                hr[n] = r.hf + (piece.n0 + n) * r.ldf * r.es
            else:
                hr[n] = r.h + (state_row(r, t - 1) + j) * r.ldh * r.es
            j += 1
    if r.mask == NULL or g.projection:
        r.k.pack_outer(dst, &a, g.tiles + tile0, tiles)
        return
    for i in range(g.n_parts):              # each part has its own h
        low, high = max(tile0, g.part[i].tile0), min(tile0 + tiles, g.part[i].tile0 + g.part[i].tiles)
        if low >= high:
            continue
        if g.part[i].mask:
            mask_rows(g, piece, g.part[i].mask - 1, masked)
            for n in range(a.n):
                hr[n] = masked + n * r.ldh * r.es
        r.k.pack_outer(dst + (g.before[low] - g.before[tile0]) * a.n * r.es, &a, g.tiles + low, high - low)


cdef void mask_rows(const Sums *g, Piece piece, Py_ssize_t i, char *masked) noexcept nogil:
    """h before the steps of a piece, times mask i of the record; rows of a step lie side by side."""
    cdef const Record *r = g.r
    cdef Py_ssize_t n = piece.n0, t = step_of(&r.s, n), j = n - row_of(&r.s, t), rows
    while n < piece.n1:
        rows = min(n_active(&r.s, t) - j, piece.n1 - n)
        r.k.multiply(masked + (n - piece.n0) * r.ldh * r.es, r.h + (state_row(r, t - 1) + j) * r.ldh * r.es,
                     mask_of(r, i) + j * r.ldh * r.es, rows * r.ldh)
        n += rows
        t, j = t + 1, 0


cdef const char *factors(const Record *r, const Part *part, const Source *s, Py_ssize_t panel, Py_ssize_t n) noexcept nogil:
    """Where those of pair n are in a panel."""
    return s.p + (panel * s.ps + n * s.rs + part.slot * r.nu) * r.es


cdef void sum_tiles(const Sums *g, const Batch *b, Py_ssize_t first, Py_ssize_t last, Py_ssize_t u0, Py_ssize_t u1, char *packed, char *masked) noexcept nogil:
    """Output tiles u0 .. u1-1 (tile after tile of features, group after group) over pieces first .. last-1."""
    cdef const Record *r = g.r
    cdef const Part *part
    cdef const Source *from_source
    cdef Py_ssize_t panels = LSTMC_SLOTS if across(r.w.cell) or g.projection else 1     # of a group
    cdef Py_ssize_t q, i, n, low, high, from_, to, single, at = 0, tile0 = u0 // g.groups, tile1 = (u1 - 1) // g.groups + 1
    cdef Py_ssize_t features = g.before[tile1 - 1] + g.tiles[tile1 - 1].mr - g.before[tile0]
    cdef bint near
    cdef lstmc_outer a
    memset(&a, 0, sizeof(a))
    for i in range(first, last):
        pack_features(g, b.pieces[i], tile0, tile1 - tile0, packed + at * features * r.es, masked)
        at += b.pieces[i].n1 - b.pieces[i].n0
    for q in range(g.groups):
        low, high = (u0 - q + g.groups - 1) // g.groups, (u1 - q + g.groups - 1) // g.groups
        for n in range(g.n_parts):
            part = &g.part[n]
            from_source = &g.source[part.factor]
            from_, to = max(low, part.tile0), min(high, part.tile0 + part.tiles)
            single = part.mask and part.blocks == 1     # slots of several groups at once, for sums that fill the registers
            if from_ >= to or single and q % LSTMC_SLOTS:
                continue
            near = panels == 1 and not single           # lines of consecutive pairs lie side by side
            a.b_apart, a.c_apart = from_source.ps if single else 0, part.group_stride if single else 0
            a.m_tiles, a.n_tiles = g.tiles + from_, to - from_
            if single:
                a.nb = min(<Py_ssize_t>LSTMC_SLOTS, g.groups - q)
            else:
                a.nb = min(part.blocks, g.all_blocks - LSTMC_SLOTS * q) if across(r.w.cell) or g.projection else part.blocks
            a.c, a.ldc = part.sums + (q * part.group_stride - part.first * part.ld) * r.es, part.ld
            at = 0
            for i in range(first, last):
                a.n = a.a_rows = b.pieces[i].n1 - b.pieces[i].n0
                a.first = i == 0 and not g.begun
                a.a = packed + (at * features + (g.before[from_] - g.before[tile0]) * a.n) * r.es
                a.b, a.bs = factors(r, part, from_source, q * panels, b.pieces[i].n0), from_source.rs
                a.b_next = NULL
                if i + 1 < last and near:
                    a.b_next = factors(r, part, from_source, q, b.pieces[i + 1].n0)
                elif q + 1 < g.groups and near:
                    a.b_next = factors(r, part, from_source, q + 1, b.pieces[first].n0)
                r.k.outer(&a)
                at += a.n


cdef void x_gradient(const Record *r, const Batch *b, Py_ssize_t n0, Py_ssize_t n1, void **row, lstmc_tile *tiles) noexcept nogil:
    """dx of live pairs n0 .. n1-1, with that scratch."""
    cdef lstmc_walk a
    cdef const Operands *w = r.w
    cdef Py_ssize_t n, t = step_of(&r.s, n0), j = n0 - row_of(&r.s, t)
    memset(&a, 0, sizeof(a))
    for n in range(n1 - n0):
        if j == n_active(&r.s, t):
            t, j = t + 1, 0
        row[n] = x_at(&b.dx, &r.s, t, j, r.reverse)
        j += 1
    a.tiles = tiles
    a.n_tiles = balanced(tiles, 0, n1 - n0, r.k.mr)
    a.n_products, a.product[0].n_operands = 1, 1
    a.k1 = a.product[0].K = w.cell.x_slots * w.H
    a.begins = a.ends = True
    a.N, a.product[0].b = w.I, w.w_cols
    a.blocks = (w.I + r.nu - 1) // r.nu
    a.q1 = groups_of(a.blocks)
    a.product[0].a[0] = gate_rows(r, w.cell.x_slot, w.cell.x_slots)
    a.product[0].a[0].a = fed_by_x(r) + (n0 * r.gates_rs + w.cell.x_slot * r.nu) * r.es
    a.add = <const void **>row if b.add_dx else NULL
    a.adds = a.outs = b.dx.stride[2]
    a.out = row
    r.k.walk(&a)


cdef void sum_thread(const Sums *g, const Batch *b, Py_ssize_t i, Py_ssize_t n, Stop *stop, bint caller) noexcept nogil:
    """The share of thread i of n in one band."""
    cdef Py_ssize_t units = g.groups * g.n_tiles, u0 = i * units // n, u1 = (i + 1) * units // n
    cdef Py_ssize_t first = 0, last, p, at, turn = 0
    cdef char *packed
    if g.r.mask != NULL:                    # whole tiles, because several groups of one are summed at once
        u0, u1 = u0 // g.groups * g.groups, u1 // g.groups * g.groups
    while first < b.n_pieces and not must_stop(stop, caller):
        last = min(first + PIECES, b.n_pieces)
        if u0 < u1 and b.wanted:        # a tile that two threads share is in the packed features of both
            packed = g.packed + (g.before[u0 // g.groups] + i * g.r.k.mr) * g.cap * g.r.es
            sum_tiles(g, b, first, last, u0, u1, packed, NULL if g.r.mask == NULL else g.masked + i * LSTMC_KBLOCK * g.r.ldh * g.r.es)
        if b.dx.p != NULL and not g.projection and not g.slot:
            for p in range(first, last):
                at = b.pieces[p].n0
                while at < b.pieces[p].n1:
                    if turn % n == i:
                        x_gradient(g.r, b, at, min(at + b.dx_rows, b.pieces[p].n1), b.dx_row + i * b.dx_rows, b.dx_tiles + i * b.dx_rows)
                    at += b.dx_rows
                    turn += 1
        first = last


cdef void run_thread(const Sums *g, const Batch *b, Py_ssize_t jobs, Py_ssize_t each, Py_ssize_t i, Py_ssize_t n, Stop *stop) noexcept nogil:
    """The share of thread i of the n that came, in so many bands of `each` shares."""
    cdef bint caller = i == 0
    while i < jobs * each:
        sum_thread(g + i // each, b + i // each, i % each, each, stop, caller)
        i += n


cdef class WeightSums:

    def __cinit__(self):
        self.keep = []

    cdef int add(self, const Chunk *chunk, Span dx, bint add_dx, bint wanted, object threads) except -1:
        """Add the pairs of one chunk of time, and compute its dx (add_dx: added to what is there; dx.p NULL: not wanted). wanted: whether there
        are sums."""
        cdef Batch b[MAX_BANDS]
        cdef Record *r = self.record
        cdef const Record *records = chunk.records
        cdef Py_ssize_t bands = chunk.bands
        cdef Load load = load_of(records, &records.s, 1, bands)
        cdef list scratch = []
        cdef Region region
        cdef Stop stop
        cdef Sums *g = self.g
        cdef Py_ssize_t i, n, at = 0, each, at_once, j, jobs = bands * sums_of(records)
        cdef bint P = records.w.P > 0
        self.bands = bands
        memcpy(r, records, bands * sizeof(Record))
        memset(b, 0, sizeof(b))
        memset(&stop, 0, sizeof(stop))
        load.pairs = bands * r.s.N
        n = threads_for(work_of(&load), bands * r.w.panels * ((r.w.I + r.w.R) // r.k.mr + 1), threads)
        at_once = side_by_side(n, bands)
        each = n // at_once
        try:
            for i in range(jobs + P):
                j = i % bands
                if g[i].tiles == NULL:
                    lay_out(&g[i], r + j, P and i == bands, i // bands, chunk.products[j] != NULL and i < bands, self.keep)
                set_sources(&g[i], r + j, chunk.products[j], chunk.dp)
                g[i].cap = min(PIECES * LSTMC_KBLOCK, r[j].s.N)
                if r[j].mask != NULL:
                    g[i].masked = block(scratch, each * LSTMC_KBLOCK * r[j].ldh * r.es)
                if wanted:
                    g[i].packed = block(scratch, (g[i].before[g[i].n_tiles - 1] + (each + 1) * r.k.mr) * g[i].cap * r.es)
            for i in range(bands):
                b[i].n_pieces = count_pieces(r + i, chunk.steps, NULL)
                b[i].pieces = <Piece *>block(scratch, b[i].n_pieces * sizeof(Piece))
                count_pieces(r + i, chunk.steps, b[i].pieces)
                b[i].wanted, b[i].dx, b[i].add_dx = wanted, dx, add_dx
                if dx.p == NULL:
                    continue
                b[i].dx_rows = min(max(NEAR // (r.w.panels * r.w.cell.slots * r.nu * r.es), LEAST_TILES * r.k.mr), LSTMC_KBLOCK)
                b[i].dx_rows = min(b[i].dx_rows, round_up((min(r[i].s.N, <Py_ssize_t>LSTMC_KBLOCK) + each - 1) // each, r.k.mr))      # something for every thread
                b[i].dx_row = <void **>block(scratch, each * b[i].dx_rows * sizeof(void *))
                b[i].dx_tiles = <lstmc_tile *>block(scratch, each * b[i].dx_rows * sizeof(lstmc_tile))
            with nogil:
                while at < jobs and not stop.stopped:
                    enter(&region, at_once * each, kind_of(SUMS, load.pairs, load.weights * load.itemsize, 4 * at + 2 * wanted + (dx.p != NULL)))
                    if region.threads == 1:
                        run_thread(&g[at], &b[at % bands], at_once, each, 0, 1, &stop)
                    else:
                        with parallel(num_threads=region.threads):
                            begin_share(&region, threadid())
                            run_thread(&g[at], &b[at % bands], at_once, each, threadid(), lstmc_team_size(), &stop)
                            end_share(&region, threadid())
                    if not stop.stopped:
                        judge(&region)
                    at += at_once
                if r.w.norm != NULL and wanted:
                    for i in range(bands):
                        sum_norms(r + i, g[i].part[g[i].biases].sums, g[i].begun, each * at_once)
                if P and wanted and not stop.stopped:
                    with parallel(num_threads=each):
                        run_thread(&g[bands], &b[0], 1, each, threadid(), lstmc_team_size(), &stop)
            raise_error(&stop)
            for i in range(jobs + P):       # a band may have no pair in the last steps: then its sums are still to be written
                g[i].begun |= b[i % bands].n_pieces > 0
        finally:
            give_back(scratch)
        return 0

    def __dealloc__(self):
        give_back(self.keep)
