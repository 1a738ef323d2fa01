"""y = x w + b over the rows of a matrix, and its gradients: the product of dense layers.

w has Keras' shape (K, N). Every element of y and dx is one fused multiply-add chain over ascending k. A weight
gradient is summed over blocks of KBLOCK rows in row order, each block from zero. Threads share output tiles
and never a sum, so no bit depends on their number or on the instruction set (among those with FMA).

Arrays may have any strides, and x may be a batch (B, R, K) of matrices, which may overlap: windows of sequences, read
where they are. The callers own dtypes; shapes are compared here because a mistake would write outside an array.
"""

from cython.parallel cimport prange
from libc.string cimport memset

from lstmc.kernels.arena cimport block, give_back
from lstmc.kernels.contention cimport GRADIENT, PRODUCT, Region, begin_share, end_share, enter, judge, kind_of
from lstmc.kernels.core cimport (LSTMC_KBLOCK, LSTMC_SLOTS, Span, balanced, columns_of, lstmc_columns, lstmc_features, lstmc_kernels, lstmc_outer,
                                 lstmc_tile, lstmc_walk, dense, span, table)
from lstmc.kernels.plan cimport can_start, threads_for
from lstmc.kernels.cells cimport blocks_of, groups_of, round_up

# Rows of x per call of `product`: they stay in the second-level cache while the columns of w pass by.
# Features per packed operand of a weight gradient, for the same reason.
cdef enum:
    ROW_CHUNK = 96
    FEATURE_CHUNK = 96


cdef int agree(str name, Span s, Py_ssize_t rows, Py_ssize_t cols, Py_ssize_t itemsize) except -1:
    if s.ndim != 2 or s.shape[0] != rows or s.shape[1] != cols or s.itemsize != itemsize:
        raise ValueError(f"{name}: expected shape ({rows}, {cols}) and {itemsize}-byte items, "
                         f"received {tuple(s.shape[i] for i in range(s.ndim))} and {s.itemsize}-byte items")
    return 0


cdef Span matrix(object array, bint writable=False) except *:
    """The span of a matrix; that of a batch of them (B, R, K), as one of B R rows, has R as shape[2] and the way to the next as stride[2]."""
    cdef Span s = span(array, writable)
    cdef Py_ssize_t B = 1, hop = 0
    if s.ndim == 3:
        B, hop, s.ndim = s.shape[0], s.stride[0], 2
        s.shape[0], s.shape[1], s.stride[0], s.stride[1] = s.shape[1], s.shape[2], s.stride[1], s.stride[2]
    s.shape[2], s.stride[2] = s.shape[0], hop
    s.shape[0] *= B
    return s


cdef void point(const void **rows, const Span *s) noexcept nogil:
    """Where the rows of a `matrix` begin."""
    cdef Py_ssize_t i, r = 0
    cdef char *first = s.p
    for i in range(s.shape[0]):
        if r == s.shape[2]:
            first += s.stride[2] * s.itemsize
            r = 0
        rows[i] = first + r * s.stride[0] * s.itemsize
        r += 1


cdef Span vector(str name, object array, Py_ssize_t n, Py_ssize_t itemsize, bint writable) except *:
    cdef Span s = span(array, writable)
    if s.ndim != 1 or s.shape[0] != n or s.itemsize != itemsize:
        raise ValueError(f"{name}: expected shape ({n},) and {itemsize}-byte items, "
                         f"received {tuple(s.shape[i] for i in range(s.ndim))} and {s.itemsize}-byte items")
    return s


# Products --------------------------------------------------------------------------------------------------

cdef int rows_times_columns(const lstmc_kernels *k, Span x, lstmc_columns B, const Span *b, Span y, object threads) except -1:
    """y = x B + b; b is a vector of N values, or NULL."""
    cdef Py_ssize_t K = B.K, N = B.N, es = x.itemsize, M = x.shape[0], nu = k.nu, groups = groups_of(blocks_of(N, nu)), wide = round_up(N, nu)
    cdef Py_ssize_t most = round_up(M, k.mr) // k.mr, i, j, nt, n_tiles
    cdef list keep = []
    cdef Region region
    cdef char *columns
    cdef lstmc_columns bias
    cdef const void **rows
    cdef lstmc_tile *tiles
    cdef lstmc_walk s
    if M == 0 or N == 0:
        return 0
    nt = threads_for(2.0 * M * K * N, most, threads)
    columns = block(keep, (K + 1) * wide * es + 2 * M * sizeof(void *) + most * sizeof(lstmc_tile))
    rows = <const void **>(columns + (K + 1) * wide * es)
    tiles = <lstmc_tile *>(rows + 2 * M)
    memset(&s, 0, sizeof(s))
    s.begins = s.ends = True
    s.n_products, s.product[0].n_operands = 1, 1
    s.k1 = s.product[0].K = K
    s.product[0].a[0] = dense(NULL, 0, x.stride[1], K)
    s.product[0].a[0].rows = rows
    s.product[0].b = columns
    s.blocks = wide // nu
    s.q1, s.start_gs = groups, LSTMC_SLOTS * nu
    s.N, s.out, s.outs = N, <void **>(rows + M), y.stride[1]
    with nogil:
        if b != NULL:
            memset(&bias, 0, sizeof(bias))
            bias.w, bias.ns, bias.K, bias.N = b.p, b.stride[0], 1, N
            s.start = columns + K * wide * es
            k.pack_columns(columns + K * wide * es, &bias, 0, groups)
        point(rows, &x)
        point(rows + M, &y)
        n_tiles = balanced(tiles, 0, M, k.mr)
        if nt == 1:
            k.pack_columns(columns, &B, 0, groups)
            multiply(k, s, tiles, n_tiles)
        else:
            for i in prange(groups, num_threads=nt, schedule="static"):
                k.pack_columns(columns, &B, i, i + 1)
            enter(&region, nt, kind_of(PRODUCT, M, K, N * es))
            for i in prange(nt, num_threads=nt, schedule="static", chunksize=1):
                begin_share(&region, i)
                multiply(k, s, tiles + i * n_tiles // nt, (i + 1) * n_tiles // nt - i * n_tiles // nt)
                end_share(&region, i)
            judge(&region)
    give_back(keep)
    return 0


cdef void multiply(const lstmc_kernels *k, lstmc_walk s, lstmc_tile *tiles, Py_ssize_t n_tiles) noexcept nogil:
    """A walk over so many tiles, a chunk of rows after the other."""
    cdef Py_ssize_t step = max(ROW_CHUNK // k.mr, 1), done = 0
    while done < n_tiles:
        s.tiles = tiles + done
        s.n_tiles = min(step, n_tiles - done)
        k.walk(&s)
        done += s.n_tiles


def linear_fwd(x, w, b, y, threads=None):
    """y = x w + b.

    Parameters
    ----------
    x : (M, K) or (B, R, K) array, B R = M
    w : (K, N) array
    b : (N,) array or None
    y : (M, N) array, written
    threads : int, optional
        Overrides the rule that decides by the amount of work.
    """
    cdef Span sx = matrix(x), sw = span(w), sy = matrix(y, True), sb
    cdef const lstmc_kernels *k = table(sw.itemsize)
    cdef Py_ssize_t es = sw.itemsize, K = sw.shape[0], N = sw.shape[1]
    agree("w", sw, K, N, es)
    agree("x", sx, sx.shape[0], K, es)
    agree("y", sy, sx.shape[0], N, es)
    if b is not None:
        sb = vector("b", b, N, es, False)
    rows_times_columns(k, sx, columns_of(sw, False), NULL if b is None else &sb, sy, threads)


# Weight gradients ------------------------------------------------------------------------------------------

cdef void pad_rows(Span dy, char *dst, Py_ssize_t wide, Py_ssize_t n0, Py_ssize_t n1) noexcept nogil:
    """Rows n0 .. n1-1 of dy, zero-filled to `wide` columns."""
    cdef Py_ssize_t es = dy.itemsize, n, i
    for n in range(n0, n1):
        if es == 4:
            for i in range(dy.shape[1]):
                (<float *>dst)[n * wide + i] = (<float *>dy.p)[n * dy.stride[0] + i * dy.stride[1]]
        else:
            for i in range(dy.shape[1]):
                (<double *>dst)[n * wide + i] = (<double *>dy.p)[n * dy.stride[0] + i * dy.stride[1]]
        memset(dst + (n * wide + dy.shape[1]) * es, 0, (wide - dy.shape[1]) * es)


# The gradient of a linear map: dw = x^T dy, and db, of features x | 1, in chunks of `per` features
cdef struct Gradient:
    const lstmc_kernels *k
    Span x, dw, db                   # db.p NULL: without a bias
    const void **rows                # of x
    char *dy                         # [M][dys], whole blocks of columns
    Py_ssize_t dys
    Py_ssize_t M, N, features, per
    char *sums                       # [features][wide]
    Py_ssize_t wide


cdef void sum_features(const Gradient *g, Py_ssize_t m0, Py_ssize_t m1, char *pack) noexcept nogil:
    """Features m0 .. m1-1 of sums = (x | 1)^T dy."""
    cdef lstmc_features f
    cdef lstmc_outer s
    cdef lstmc_tile tiles[FEATURE_CHUNK]
    cdef Py_ssize_t es = g.x.itemsize, group = LSTMC_SLOTS * g.k.nu, blocks = g.wide // g.k.nu, n0 = 0, q
    memset(&f, 0, sizeof(f))
    memset(&s, 0, sizeof(s))
    f.I, f.xs = g.x.shape[1], g.x.stride[1]
    s.m_tiles = tiles
    s.n_tiles = balanced(tiles, m0, m1 - m0, g.k.mr)
    s.bs, s.ldc, s.a = g.dys, g.wide, pack
    while n0 < g.M:
        f.x = f.h = g.rows + n0     # R = 0: no feature is read through h
        f.n = s.n = s.a_rows = min(<Py_ssize_t>LSTMC_KBLOCK, g.M - n0)
        s.first = n0 == 0
        g.k.pack_outer(pack, &f, tiles, s.n_tiles)
        for q in range(groups_of(blocks)):
            s.nb = min(<Py_ssize_t>LSTMC_SLOTS, blocks - LSTMC_SLOTS * q)
            s.b = g.dy + (n0 * g.dys + q * group) * es
            s.c = g.sums + q * group * es
            g.k.outer(&s)
        n0 += LSTMC_KBLOCK


cdef void copy_out(Span dst, Py_ssize_t r, char *src, Py_ssize_t n, Py_ssize_t stride) noexcept nogil:
    """n values to row r of dst."""
    cdef Py_ssize_t i
    for i in range(n):
        if dst.itemsize == 4:
            (<float *>dst.p)[r * dst.stride[0] + i * stride] = (<float *>src)[i]
        else:
            (<double *>dst.p)[r * dst.stride[0] + i * stride] = (<double *>src)[i]


def linear_bwd(x, w, dy, dx, dw, db, threads=None):
    """Gradients of y = x w + b: dx = dy w^T, dw = x^T dy, db = the sum of dy over rows.

    Parameters
    ----------
    x : (M, K) or (B, R, K) array, B R = M
    w : (K, N) array
    dy : (M, N) array
    dx : (M, K) array, written, or None
    dw : (K, N) array, written
    db : (N,) array, written, or None
    threads : int, optional
        Overrides the rule that decides by the amount of work.
    """
    cdef Span sx = matrix(x), sw = span(w), sdy = matrix(dy), sdw = span(dw, True), sdx, sdb
    cdef const lstmc_kernels *k = table(sw.itemsize)
    cdef Py_ssize_t es = sw.itemsize, M = sx.shape[0], K = sw.shape[0], N = sw.shape[1]
    agree("w", sw, K, N, es)
    agree("x", sx, M, K, es)
    agree("dy", sdy, M, N, es)
    agree("dw", sdw, K, N, es)
    sdb.p = NULL
    if db is not None:
        sdb = vector("db", db, N, es, True)
    if dx is not None:
        sdx = matrix(dx, True)
        agree("dx", sdx, M, K, es)
        rows_times_columns(k, sdy, columns_of(sw, True), NULL, sdx, threads)
    weight_gradient(k, sx, sdy, sdw, sdb, threads)


cdef int weight_gradient(const lstmc_kernels *k, Span x, Span dy, Span dw, Span db, object threads) except -1:
    """dw = x^T dy, and db = the sum of dy over rows unless db.p is NULL."""
    cdef Gradient g
    cdef Region region
    cdef Py_ssize_t es = x.itemsize, M = max(x.shape[0], 1), i, nt, chunks, pack_size, sums_size, dy_size
    cdef bint padded
    cdef list keep = []
    cdef char *packs
    g.k, g.x, g.dw, g.db, g.dy, g.dys = k, x, dw, db, dy.p, dy.stride[0]
    g.M, g.N, g.features, g.wide = x.shape[0], dy.shape[1], x.shape[1] + (db.p != NULL), round_up(dy.shape[1], k.nu)
    if g.features == 0 or g.N == 0:
        return 0
    nt = threads_for(2.0 * g.M * g.features * g.N, round_up(g.features, k.mr) // k.mr, threads)
    g.per = min(<Py_ssize_t>FEATURE_CHUNK, round_up(round_up(g.features, nt) // nt, k.mr))
    chunks = round_up(g.features, g.per) // g.per
    nt = can_start(min(nt, chunks))
    pack_size, sums_size, padded = g.per * LSTMC_KBLOCK * es, g.features * g.wide * es, dy.stride[1] != 1 or g.wide != g.N
    dy_size = M * g.wide * es if padded else 0
    g.sums = block(keep, sums_size + nt * pack_size + dy_size + M * sizeof(void *))
    packs = g.sums + sums_size
    if padded:
        g.dy, g.dys = packs + nt * pack_size, g.wide
    g.rows = <const void **>(packs + nt * pack_size + dy_size)
    with nogil:
        point(g.rows, &x)
        if g.M == 0:
            memset(g.sums, 0, sums_size)
        if nt == 1:
            if padded:
                pad_rows(dy, g.dy, g.wide, 0, g.M)
            share(&g, 0, chunks, packs)
        else:
            if padded:
                for i in prange(nt, num_threads=nt, schedule="static", chunksize=1):
                    pad_rows(dy, g.dy, g.wide, i * g.M // nt, (i + 1) * g.M // nt)
            enter(&region, nt, kind_of(GRADIENT, g.M, g.features, g.N * es))
            for i in prange(nt, num_threads=nt, schedule="static", chunksize=1):
                begin_share(&region, i)
                share(&g, i * chunks // nt, (i + 1) * chunks // nt, packs + i * pack_size)
                end_share(&region, i)
            judge(&region)
    give_back(keep)
    return 0


cdef void share(const Gradient *g, Py_ssize_t chunk0, Py_ssize_t chunk1, char *pack) noexcept nogil:
    """One thread's part: some chunks of features, summed and handed out."""
    cdef Py_ssize_t c, m, m1
    for c in range(chunk0, chunk1):
        m1 = min((c + 1) * g.per, g.features)
        if g.M:
            sum_features(g, c * g.per, m1, pack)
        for m in range(c * g.per, m1):
            if m < g.x.shape[1]:
                copy_out(g.dw, m, g.sums + m * g.wide * g.x.itemsize, g.N, g.dw.stride[1])
            else:
                copy_out(g.db, 0, g.sums + m * g.wide * g.x.itemsize, g.N, g.db.stride[0])
