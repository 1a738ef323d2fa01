"""The second half of LSTM backward: weight gradients, and dx, from the gate gradients of all steps.

Sums over the (t, b) pairs of a band run in blocks of KBLOCK pairs in schedule order, and the sums of bands are added in
their order, so no bit depends on the number of threads. Output tiles of a band are divided among its threads, and each
packs what its tiles read: between the first pair and the last, no thread waits for another.
"""

from cython.parallel cimport parallel, prange, threadid
from libc.string cimport memset

from lstmc.kernels.core cimport (LSTMC_GATES, LSTMC_KBLOCK, Span, balanced, lstmc_features, lstmc_outer, lstmc_product,
                                 lstmc_tile, span, span_or_null)
from lstmc.kernels.crew cimport lstmc_crew_size
from lstmc.kernels.lstm_fwd cimport Forward
from lstmc.kernels.lstm_tape cimport gate_rows, load_of
from lstmc.kernels.plan cimport Load, side_by_side, team, work_of
from lstmc.kernels.schedule cimport MAX_BANDS, n_active, row_of, step_of, x_at
from lstmc.kernels.weights cimport Operands, block

from lstmc.kernels import arena

# Live pairs whose gate gradients are turned into weight gradients and dx at a time: a multiple of LSTMC_KBLOCK.
cdef Py_ssize_t CHUNK = 8 * LSTMC_KBLOCK
# Pairs whose dx is computed at a time: their gate gradients stay near while the columns of W pass by. So many bytes of
# them, but at least so many register tiles, which share each piece of W.
cdef Py_ssize_t NEAR = 512 * 1024
cdef Py_ssize_t LEAST_TILES = 16


cdef struct Sums:
    const Forward *f
    Span dx
    bint add_dx
    Py_ssize_t M, m_tiles        # features x | h | 1 and their tiles
    lstmc_tile *tiles
    Py_ssize_t cap               # pairs of a chunk
    char *a                      # packed features of a chunk, thread after thread
    char *dw                     # [p][M][4][NU]
    Py_ssize_t piece             # pairs of a piece of dx, and per thread their pointers and tiles
    void **dxrow
    lstmc_tile *row_tiles


cdef void pack_features(const Sums *g, Py_ssize_t n0, Py_ssize_t n1, Py_ssize_t m0, Py_ssize_t m1, char *dst) noexcept nogil:
    """Pack tiles m0 .. m1-1 of x | h' | 1 of live pairs n0 .. n1-1 (at most a block) for the outer products."""
    cdef const void *xr[LSTMC_KBLOCK]
    cdef const void *hr[LSTMC_KBLOCK]
    cdef lstmc_features a
    cdef const Forward *f = g.f
    cdef Py_ssize_t n, t = step_of(&f.s, n0), j = n0 - row_of(&f.s, t), prev
    for n in range(n1 - n0):
        if j == n_active(&f.s, t):
            t, j = t + 1, 0
        prev = 0 if t == 0 else f.s.B + row_of(&f.s, t - 1)
        xr[n] = x_at(&f.x, &f.s, t, j, f.reverse)
        hr[n] = f.h + (prev + j) * f.ldh * f.es
        j += 1
    a.n, a.I, a.R, a.x, a.h, a.xs, a.hs = n1 - n0, f.w.I, f.w.R, xr, hr, f.x.stride[2], 1
    f.k.pack_outer(dst, &a, g.tiles + m0, m1 - m0)


cdef void gate_gradient(const Sums *g, Py_ssize_t n0, Py_ssize_t n1, Py_ssize_t u0, Py_ssize_t u1, char *packed) noexcept nogil:
    """Add live pairs n0 .. n1-1 (whole blocks of a chunk) to output tiles u0 .. u1-1, numbered feature by feature."""
    cdef lstmc_outer a
    cdef const Forward *f = g.f
    cdef Py_ssize_t p, q, low, high, n, panel_row = LSTMC_GATES * f.nu, panels = f.w.panels
    cdef Py_ssize_t m0 = u0 // panels, m1 = (u1 + panels - 1) // panels, blocks = (n1 - n0 + LSTMC_KBLOCK - 1) // LSTMC_KBLOCK
    cdef Py_ssize_t first = g.tiles[m0].row, features = g.tiles[m1 - 1].row + g.tiles[m1 - 1].mr - first
    for q in range(blocks):
        n = n0 + q * LSTMC_KBLOCK
        pack_features(g, n, min(n + LSTMC_KBLOCK, n1), m0, m1, packed + (n - n0) * features * f.es)
    memset(&a, 0, sizeof(a))
    a.nb, a.bs, a.ldc = LSTMC_GATES, panel_row, panel_row
    for p in range(panels):
        low, high = (u0 - p + panels - 1) // panels, (u1 - p + panels - 1) // panels
        a.m_tiles, a.n_tiles = g.tiles + low, high - low
        a.c = g.dw + p * g.M * panel_row * f.es
        for q in range(blocks if low < high else 0):
            n = n0 + q * LSTMC_KBLOCK
            a.n = a.a_rows = min(n1 - n, LSTMC_KBLOCK)
            a.first = n == 0
            a.a = packed + ((n - n0) * features + (g.tiles[low].row - first) * a.n) * f.es
            a.b = f.gates + (p * f.gates_ps + n * panel_row) * f.es
            f.k.outer(&a)


cdef void x_gradient(const Sums *g, Py_ssize_t n0, Py_ssize_t n1, void **dxrow, lstmc_tile *tiles) noexcept nogil:
    """dx of live pairs n0 .. n1-1, at most a piece, with that scratch."""
    cdef lstmc_product a
    cdef const Forward *f = g.f
    cdef const Operands *w = f.w
    cdef Py_ssize_t n, t = step_of(&f.s, n0), j = n0 - row_of(&f.s, t)
    memset(&a, 0, sizeof(a))
    for n in range(n1 - n0):
        if j == n_active(&f.s, t):
            t, j = t + 1, 0
        dxrow[n] = x_at(&g.dx, &f.s, t, j, f.reverse)
        j += 1
    a.tiles = tiles
    a.n_tiles = balanced(tiles, 0, n1 - n0, f.k.mr)
    a.N, a.b, a.K = w.I, w.w_cols, LSTMC_GATES * w.H
    a.a = gate_rows(f)
    a.a.a = f.gates + n0 * LSTMC_GATES * f.nu * f.es
    a.add = <const void **>dxrow if g.add_dx else NULL
    a.adds = a.outs = g.dx.stride[2]
    a.out = dxrow
    f.k.product(&a)


cdef void sum_thread(const Sums *g, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    """The share of thread i of n in one strand."""
    cdef Py_ssize_t N = g.f.s.N, panels = g.f.w.panels, units = panels * g.m_tiles, u0 = i * units // n, u1 = (i + 1) * units // n
    cdef Py_ssize_t n0 = 0, n1, a, last
    cdef void **dxrow = g.dxrow + i * g.piece
    cdef lstmc_tile *tiles = g.row_tiles + i * g.piece
    while n0 < N:
        n1 = min(n0 + g.cap, N)
        if u0 < u1:     # a tile that two threads share is in the packed features of both
            gate_gradient(g, n0, n1, u0, u1, g.a + (g.tiles[u0 // panels].row + i * g.f.k.mr) * g.cap * g.f.es)
        if g.dx.p != NULL:
            a, last = n0 + i * (n1 - n0) // n, n0 + (i + 1) * (n1 - n0) // n
            while a < last:
                x_gradient(g, a, min(a + g.piece, last), dxrow, tiles)
                a += g.piece
        n0 = n1


cdef void unpack(const Sums *g, Py_ssize_t bands, Span gi, Span gh, Span gb, Py_ssize_t p) noexcept nogil:
    """Panel p of the weight gradients, summed over bands, in PyTorch's layout; gb.p is NULL without biases."""
    cdef const Forward *f = g.f
    cdef const Operands *w = f.w
    cdef Py_ssize_t G = LSTMC_GATES, panel_row = G * f.nu, ps = g.M * panel_row
    cdef char *dw = g.dw
    cdef char *more = g[1].dw if bands > 1 else NULL
    cdef Py_ssize_t h = w.I * panel_row * f.es, b = (w.I + w.R) * panel_row * f.es
    f.k.unpack_gates(gi.p, gi.stride[0], dw, more, ps, G, w.H, w.I, p, p + 1)
    f.k.unpack_gates(gh.p, gh.stride[0], dw + h, more + h if more else NULL, ps, G, w.H, w.R, p, p + 1)
    if gb.p != NULL:
        f.k.unpack_gates(gb.p, 1, dw + b, more + b if more else NULL, ps, G, w.H, 1, p, p + 1)


cdef int set_up(Sums *g, const Forward *f, Py_ssize_t threads, list scratch) except -1:
    """Take the workspaces of one strand, for that many threads."""
    cdef Py_ssize_t panel_row = LSTMC_GATES * f.nu, mr = f.k.mr
    g.f = f
    g.M = f.w.I + f.w.R + 1
    g.tiles = <lstmc_tile *>block(scratch, g.M * sizeof(lstmc_tile))
    g.m_tiles = balanced(g.tiles, 0, g.M, mr)
    g.cap = min(CHUNK, f.s.N)
    g.a = block(scratch, (g.M + threads * mr) * g.cap * f.es)
    g.dw = block(scratch, f.w.panels * g.M * panel_row * f.es)
    g.piece = min(max(NEAR // (f.w.panels * panel_row * f.es), LEAST_TILES * mr), g.cap)
    g.dxrow = <void **>block(scratch, threads * g.piece * sizeof(void *))
    g.row_tiles = <lstmc_tile *>block(scratch, threads * g.piece * sizeof(lstmc_tile))
    return 0


cdef void run_thread(const Sums *g, Py_ssize_t strands, Py_ssize_t each, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    """The share of thread i of the n that came, in so many strands of `each` shares."""
    while i < strands * each:
        sum_thread(g + i // each, i % each, each)
        i += n


cdef int sum_up(const Forward *f, Py_ssize_t bands, Span dx, bint add_dx, list grads, object threads) except -1:
    """dx (add_dx: added to what is there; dx.p NULL: not wanted) and the weight gradients of one direction.

    f: its bands, whose gates hold the gate gradients; grads: d_ih, d_hh, d_b or None are written.
    """
    cdef Sums g[MAX_BANDS]
    cdef Span gi = span(grads[0], True), gh = span(grads[1], True), gb = span_or_null(grads[2], True)
    cdef Load load = load_of(f, &f.s, 1, bands, 1)
    cdef Py_ssize_t b, p, n, abreast, at = 0
    cdef list scratch = []
    memset(g, 0, sizeof(g))
    load.pairs = bands * f.s.N
    n = team(work_of(&load), bands * f.w.panels * ((f.w.I + f.w.R) // f.k.mr + 1), threads)
    abreast = side_by_side(n, bands)
    n //= abreast
    try:
        for b in range(bands):
            set_up(&g[b], f + b, n, scratch)
            g[b].dx, g[b].add_dx = dx, add_dx
        with nogil:
            while at < bands:
                with parallel(num_threads=abreast * n):
                    run_thread(&g[at], abreast, n, threadid(), lstmc_crew_size())
                at += abreast
            for p in prange(f.w.panels, schedule="static", num_threads=abreast * n):
                unpack(g, bands, gi, gh, gb, p)
    finally:
        arena.give(*scratch)
    return 0
