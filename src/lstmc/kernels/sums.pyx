"""The second half of backward: weight gradients, and dx, from the gradients of all steps' slots.

Sums over the (t, b) pairs of a band run in pieces of at most KBLOCK pairs, each summed from zero. Pieces go from the last block of
steps to the first, so that a sequence whose states are computed again chunk by chunk is summed in the same order, and in a
block from its first pair to its last; the sums of bands are added in their order. No bit depends on the number of threads.
Output tiles of a band are divided among its threads, and each packs what its tiles read: no thread waits for another.
"""

from cython.parallel cimport parallel, prange, threadid
from libc.string cimport memcpy, memset

from lstmc.kernels.cells cimport across, merged, round_up
from lstmc.kernels.contention cimport Region, enter, judge, leave
from lstmc.kernels.core cimport (LSTMC_KBLOCK, LSTMC_NORM_SUMS, LSTMC_SLOTS, Span, balanced, lstmc_features, lstmc_matrix, lstmc_outer, lstmc_tile, lstmc_walk,
                                 span, span_or_null)
from lstmc.kernels.norm cimport sum_norms
from lstmc.kernels.plan cimport Load, side_by_side, threads_for, work_of
from lstmc.kernels.schedule cimport n_active, row_of, step_of, x_at
from lstmc.kernels.tape cimport fed_by_h, fed_by_x, gate_rows, load_of, mask_of, slot_at, state_row
from lstmc.kernels.team cimport Stop, lstmc_team_size, must_stop, raise_error
from lstmc.kernels.weights cimport Operands, block

from lstmc.kernels import arena

# Pieces whose gradients become weight gradients and dx at a time: about what a shared cache holds of dG.
cdef enum: PIECES = 8
# Gammas and betas of layer normalisation, at most.
cdef enum: NORM_ROWS = 6
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


cdef void sum_tiles(const Sums *g, const Batch *b, Py_ssize_t first, Py_ssize_t last, Py_ssize_t u0, Py_ssize_t u1, char *packed, char *masked) noexcept nogil:
    """Output tiles u0 .. u1-1 (tile after tile of features, group after group) over pieces first .. last-1."""
    cdef const Record *r = g.r
    cdef const Part *part
    cdef const Source *from_source
    cdef Py_ssize_t panels = LSTMC_SLOTS if across(r.w.cell) or g.projection else 1     # of a group
    cdef Py_ssize_t q, i, n, low, high, from_, to, at = 0, tile0 = u0 // g.groups, tile1 = (u1 - 1) // g.groups + 1
    cdef Py_ssize_t features = g.before[tile1 - 1] + g.tiles[tile1 - 1].mr - g.before[tile0]
    cdef lstmc_outer a
    memset(&a, 0, sizeof(a))
    for i in range(first, last):
        pack_features(g, b.pieces[i], tile0, tile1 - tile0, packed + at * features * r.es, masked)
        at += b.pieces[i].n1 - b.pieces[i].n0
    for q in range(g.groups):
        low, high = (u0 - q + g.groups - 1) // g.groups, (u1 - q + g.groups - 1) // g.groups
        for n in range(g.n_parts):
            part = &g.part[n]
            from_, to = max(low, part.tile0), min(high, part.tile0 + part.tiles)
            if from_ >= to:
                continue
            a.m_tiles, a.n_tiles = g.tiles + from_, to - from_
            a.nb = min(part.blocks, g.all_blocks - LSTMC_SLOTS * q) if across(r.w.cell) or g.projection else part.blocks
            a.c, a.ldc = part.sums + (q * part.group_stride - part.first * part.ld) * r.es, part.ld
            at = 0
            for i in range(first, last):
                a.n = a.a_rows = b.pieces[i].n1 - b.pieces[i].n0
                a.first = i == 0 and not g.begun
                a.a = packed + (at * features + (g.before[from_] - g.before[tile0]) * a.n) * r.es
                from_source = &g.source[part.factor]
                a.b = from_source.p + (q * panels * from_source.ps + b.pieces[i].n0 * from_source.rs + part.slot * r.nu) * r.es
                a.bs = from_source.rs
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
    a.q1 = (a.blocks + LSTMC_SLOTS - 1) // LSTMC_SLOTS
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
    while first < b.n_pieces and not must_stop(stop, caller):
        last = min(first + PIECES, b.n_pieces)
        if u0 < u1:     # a tile that two threads share is in the packed features of both
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


cdef void add_part(Sums *g, Py_ssize_t first, Py_ssize_t features, Py_ssize_t slot, Py_ssize_t blocks, int factor) noexcept nogil:
    cdef Part *p = &g.part[g.n_parts]
    g.n_parts += 1
    p.first, p.features, p.slot, p.blocks, p.factor = first, features, slot, blocks, factor
    p.mask, p.tile0 = 0, g.n_tiles
    p.tiles = balanced(g.tiles + g.n_tiles, first, features, g.r.k.mr)
    g.n_tiles += p.tiles


cdef Py_ssize_t sums_of(const Record *r) noexcept nogil:
    """Sums of a band: one, or one for each stage, or one for each slot where h is masked before a stage."""
    if not r.w.cell.first:
        return 1
    return 2 if r.mask == NULL else r.w.cell.slots


cdef bint as_one(const Record *r) noexcept nogil:
    """Whether all features of a band's sums meet the same gradients, and all gradients the same h."""
    return merged(r.w.cell) and r.w.norm == NULL and (r.mask == NULL or r.w.cell.first)


cdef void set_sources(Sums *g, const Record *r, char *products, char *dp) noexcept nogil:
    """Where the factors are in a chunk of time."""
    cdef Source *s = g.source
    cdef Py_ssize_t i
    for i in range(FACTORS):
        s[i].ps, s[i].rs = r.gates_ps, r.gates_rs
    g.r, g.dp = r, dp
    s[SLOTS].p, s[FED_BY_X].p, s[FED_BY_H].p, s[PRODUCTS].p = r.gates, fed_by_x(r), fed_by_h(r), products
    s[FULL_H].p, s[FULL_H].ps, s[FULL_H].rs = r.hf, r.nu, r.ldf


cdef int lay_out(Sums *g, const Record *r, bint projection, Py_ssize_t number, bint peephole, list keep) except -1:
    """The parts of a band's gradients, or of its projection's, and their sums; number: which of a band's sums."""
    cdef Py_ssize_t I = r.w.I, R = r.w.R, i, at = 0, nu = r.nu
    cdef bint wide = across(r.w.cell) or projection
    cdef Part *p
    g.r, g.projection = r, projection
    g.slot, g.slots = 0, r.w.cell.slots
    if r.w.cell.first and r.mask != NULL:
        g.slot, g.slots = number, 1
    elif r.w.cell.first:
        g.slot = r.w.cell.first if number else 0
        g.slots = r.w.cell.slots - r.w.cell.first if number else r.w.cell.first
    g.all_blocks = r.w.panels * (g.slots if r.w.cell.first else 1)
    g.groups = (g.all_blocks + LSTMC_SLOTS - 1) // LSTMC_SLOTS if wide else r.w.panels
    g.tiles = <lstmc_tile *>block(keep, (I + LSTMC_SLOTS * R + r.w.P + 4) * sizeof(lstmc_tile))
    g.before = <Py_ssize_t *>block(keep, (I + LSTMC_SLOTS * R + r.w.P + 4) * sizeof(Py_ssize_t))
    if projection:
        add_part(g, 0, r.w.P, 0, LSTMC_SLOTS, FULL_H)
    elif as_one(r):
        add_part(g, 0, I + R + 1, slot_at(r, g.slot) // nu, LSTMC_SLOTS, SLOTS)
        if r.mask != NULL and g.slot < r.w.cell.first:
            g.part[0].mask = 1 + g.slot
    else:
        add_part(g, 0, I, r.w.cell.x_slot, r.w.cell.x_slots, FED_BY_X)
        if r.mask == NULL:
            add_part(g, I, R, r.w.cell.h_slot, r.w.cell.h_slots, FED_BY_H)
        for i in range(r.w.cell.h_slots if r.mask != NULL else 0):
            add_part(g, I, R, r.w.cell.h_slot + i, 1, FED_BY_H)
            g.part[g.n_parts - 1].mask = 1 + i
        g.biases = g.n_parts
        if r.w.norm == NULL:
            add_part(g, I + R, 1, 0, r.w.cell.slots, SLOTS)
        else:                           # gradients of biases are among its sums
            add_part(g, I + R, 1, 0, LSTMC_NORM_SUMS, NORMS)
            g.n_tiles -= 1
            g.part[g.n_parts - 1].tiles = 0
        for i in range(g.n_parts if wide else 0):
            g.part[i].blocks = LSTMC_SLOTS
    if peephole:
        add_part(g, I + R, 1, 0, LSTMC_SLOTS, PRODUCTS)
    for i in range(g.n_tiles):
        g.before[i] = at
        at += g.tiles[i].mr
    for i in range(g.n_parts):
        p = &g.part[i]
        p.ld = g.all_blocks * nu if wide else p.blocks * nu
        p.group_stride = LSTMC_SLOTS * nu if wide else p.features * p.ld
        p.sums = block(keep, (p.features * p.ld if wide else g.groups * p.features * p.ld) * r.es)
    return 0


cdef lstmc_matrix matrix_of(const Sums *g, Py_ssize_t part, Span w, Py_ssize_t feature, Py_ssize_t K, const int *gate, Py_ssize_t gates, Py_ssize_t slot,
                            bint vector) noexcept nogil:
    """The gradient w of gates `gate`, whose K values are features from `feature` of a part on and whose slots begin at `slot` of it."""
    cdef lstmc_matrix m
    cdef const Part *p = &g.part[part]
    m.w, m.rs, m.H, m.K = w.p, (1 if vector else w.stride[0]), g.r.w.H, K
    m.gate, m.G = gate, gates
    m.k_stride, m.panel_stride = p.ld, g.r.nu if across(g.r.w.cell) else p.group_stride
    m.panels = p.sums + ((feature - p.first) * p.ld + slot * g.r.nu) * g.r.es
    return m


cdef int norm_matrices(const Sums *g, lstmc_matrix *m, Py_ssize_t *of, list grads) except -1:
    """The rows of d_norm_ih, d_norm_hh and d_norm_c, of which the first is gamma and the second beta; returns their number."""
    cdef Py_ssize_t n = 0, i, j, slot, feature = g.r.w.I + g.r.w.R
    cdef Span s
    for i, array in enumerate(grads):
        s = span(array.reshape(-1, array.shape[array.ndim - 1]), True)
        for j in range(s.shape[0]):
            of[n] = g.biases
            slot = 3 * LSTMC_SLOTS + j if i == 2 else 2 * LSTMC_SLOTS if j else i * LSTMC_SLOTS     # a beta of a product is a bias
            m[n] = matrix_of(g, g.biases, s, feature, 1, g.r.w.cell.x_gate, 1 if i == 2 else LSTMC_SLOTS, slot, True)
            m[n].w = s.p + j * s.stride[0] * g.r.es
            n += 1
    return n


cdef void write_panel(const Sums *g, const Sums *second, const Py_ssize_t *of, const lstmc_matrix *m, Py_ssize_t n, Py_ssize_t p) noexcept nogil:
    """Panel p of n matrices, matrix i from part of[i], summed over bands."""
    cdef Py_ssize_t i
    for i in range(n):
        if m[i].w != NULL:
            g.r.k.unpack_panels(&m[i], NULL if second == NULL else second.part[of[i]].sums + (<char *>m[i].panels - g.part[of[i]].sums), p, p + 1)


cdef class WeightSums:

    def __cinit__(self):
        memset(self.g, 0, sizeof(self.g))
        self.keep = []

    cdef int add(self, const Record *records, Py_ssize_t bands, Py_ssize_t steps, char **products, char *dp, Span dx, bint add_dx, object threads) except -1:
        """Add the pairs of one chunk of time, whose slots hold gradients, in blocks of `steps`, and compute its dx (add_dx: added
        to what is there; dx.p NULL: not wanted). products: of each band; dp: of a projection."""
        cdef Batch b[MAX_BANDS]
        cdef Record *r = self.record
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
                    lay_out(&g[i], r + j, P and i == bands, i // bands, products[j] != NULL and i < bands, self.keep)
                set_sources(&g[i], r + j, products[j], dp)
                g[i].cap = min(PIECES * LSTMC_KBLOCK, r[j].s.N)
                if r[j].mask != NULL:
                    g[i].masked = block(scratch, each * LSTMC_KBLOCK * r[j].ldh * r.es)
                g[i].packed = block(scratch, (g[i].before[g[i].n_tiles - 1] + (each + 1) * r.k.mr) * g[i].cap * r.es)
            for i in range(bands):
                b[i].n_pieces = count_pieces(r + i, steps, NULL)
                b[i].pieces = <Piece *>block(scratch, b[i].n_pieces * sizeof(Piece))
                count_pieces(r + i, steps, b[i].pieces)
                b[i].dx, b[i].add_dx = dx, add_dx
                b[i].dx_rows = min(max(NEAR // (r.w.panels * r.w.cell.slots * r.nu * r.es), LEAST_TILES * r.k.mr), LSTMC_KBLOCK)
                b[i].dx_rows = min(b[i].dx_rows, round_up((min(r[i].s.N, <Py_ssize_t>LSTMC_KBLOCK) + each - 1) // each, r.k.mr))      # something for every thread
                b[i].dx_row = <void **>block(scratch, each * b[i].dx_rows * sizeof(void *))
                b[i].dx_tiles = <lstmc_tile *>block(scratch, each * b[i].dx_rows * sizeof(lstmc_tile))
            with nogil:
                while at < jobs and not stop.stopped:
                    enter(&region, at_once * each, False)
                    with parallel(num_threads=at_once * each):
                        run_thread(&g[at], &b[at % bands], at_once, each, threadid(), lstmc_team_size(), &stop)
                        leave(&region, threadid())
                    judge(&region, 0, False)
                    at += at_once
                if r.w.norm != NULL:
                    for i in range(bands):
                        sum_norms(r + i, g[i].part[g[i].biases].sums, g[i].begun, each * at_once)
                if P and not stop.stopped:
                    with parallel(num_threads=each):
                        run_thread(&g[bands], &b[0], 1, each, threadid(), lstmc_team_size(), &stop)
            raise_error(&stop)
            for i in range(jobs + P):
                g[i].begun = True
        finally:
            arena.give(*scratch)
        return 0

    cdef int write(self, list grads, object threads) except -1:
        """d_ih (G*H, I), d_hh (G*H, R), d_b_ih, d_b_hh (G*H,) or None each, d_hr (P, H) or None, d_peephole or None, d_norm_ih,
        d_norm_hh, d_norm_c or None each, in PyTorch's layout."""
        cdef const Sums *g = &self.g[0]
        cdef const Sums *second = &self.g[1] if self.bands > 1 else NULL
        cdef const Operands *w = g.r.w
        cdef Span gi = span(grads[0], True), gh = span(grads[1], True), bi = span_or_null(grads[2], True), bh = span_or_null(grads[3], True)
        cdef lstmc_matrix m[5 + LSTMC_SLOTS + NORM_ROWS]
        cdef Py_ssize_t of[5 + LSTMC_SLOTS + NORM_ROWS]
        cdef int row[LSTMC_SLOTS]
        cdef Py_ssize_t I = w.I, R = w.R, i, p, n, nt = threads_for(8.0 * w.panels * g.r.nu * (I + R), w.panels, threads)
        cdef Py_ssize_t last, slot = 0 if w.norm == NULL else 2 * LSTMC_SLOTS      # of a bias in its part
        cdef Span gp
        if w.cell.first:
            self.write_stages(gi, gh, bi, bh, nt)
            return 0
        of[0] = 0
        of[1] = of[2] = g.biases
        m[0] = matrix_of(g, 0, gi, 0, I, w.cell.x_gate, w.cell.x_slots, 0, False)
        m[1] = matrix_of(g, g.biases, bi, I + R, 1, w.cell.x_gate, w.cell.x_slots, w.cell.x_slot + slot, True)
        m[2] = matrix_of(g, g.biases, bh, I + R, 1, w.cell.h_gate, w.cell.h_slots, w.cell.h_slot + slot, True)
        n = 3
        if g.part[1].mask:
            for i in range(w.cell.h_slots):
                of[n] = 1 + i
                m[n] = matrix_of(g, of[n], gh, I, R, &w.cell.h_gate[i], 1, 0, False)
                n += 1
        else:
            of[n] = 0 if as_one(g.r) else 1
            m[n] = matrix_of(g, of[n], gh, I, R, w.cell.h_gate, w.cell.h_slots, 0, False)
            n += 1
        if grads[5] is not None:        # like a matrix with one column: rows i, f (and g), and o, whose slot is the last
            gp = span(grads[5], True)
            last = gp.shape[0] - 1
            for i in range(LSTMC_SLOTS):
                row[i] = i
            of[n] = of[n + 1] = g.n_parts - 1
            m[n] = matrix_of(g, of[n], gp, I + R, 1, row, last, 0, True)
            m[n + 1] = matrix_of(g, of[n], gp, I + R, 1, &row[last], 1, LSTMC_SLOTS - 1, True)
            n += 2
        if w.norm != NULL:
            n += norm_matrices(g, &m[n], &of[n], grads[6:9])
        for p in prange(w.panels, nogil=True, schedule="static", num_threads=nt):
            write_panel(g, second, of, m, n, p)
        if w.P:
            gp = span(grads[4], True)
            for i in range(w.P):
                memcpy(gp.p + i * gp.stride[0] * g.r.es, self.g[self.bands].part[0].sums + i * self.g[self.bands].part[0].ld * g.r.es, w.H * g.r.es)
        return 0

    cdef int write_stages(self, Span d_ih, Span d_hh, Span d_b_ih, Span d_b_hh, Py_ssize_t threads) except -1:
        """The same for a cell of two stages, whose slots are in PyTorch's order and have blocks of their own."""
        cdef const Sums *g
        cdef const Sums *second
        cdef const Operands *w = self.g[0].r.w
        cdef lstmc_matrix m[4 * LSTMC_SLOTS]
        cdef Py_ssize_t of[4 * LSTMC_SLOTS]
        cdef Py_ssize_t n, p, slot, at, i
        memset(of, 0, sizeof(of))
        for i in range(sums_of(self.g[0].r)):
            g, n = &self.g[i * self.bands], 0
            second = g + 1 if self.bands > 1 else NULL
            for slot in range(g.slot, g.slot + g.slots):
                at = (slot - g.slot) * w.panels
                m[n] = matrix_of(g, 0, d_ih, 0, w.I, &w.cell.x_gate[slot], 1, at, False)
                m[n + 1] = matrix_of(g, 0, d_hh, w.I, w.R, &w.cell.h_gate[slot], 1, at, False)
                m[n + 2] = matrix_of(g, 0, d_b_ih, w.I + w.R, 1, &w.cell.x_gate[slot], 1, at, True)
                m[n + 3] = matrix_of(g, 0, d_b_hh, w.I + w.R, 1, &w.cell.h_gate[slot], 1, at, True)
                n += 4
            for p in prange(w.panels, nogil=True, schedule="static", num_threads=threads):
                write_panel(g, second, of, m, n, p)
        return 0

    def __dealloc__(self):
        arena.give(*self.keep)
