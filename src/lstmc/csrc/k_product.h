/* k_product.h -- rows times packed columns, and the block of a weight gradient.
 *
 * `product` serves dx, projections and dense layers; with the cell backward as its sink it is the recurrent
 * half of backward, dh_t = dy_t + dG_{t+1} U, finished into dG_t while the tile is in the first-level cache. */

/* Rows of the next full run of dG, which is in another panel, far from run `run` of them at a; consecutive rows lie side by side. */
INLINE FN(fetch) FN(run_after)(const lstmc_runs *A, ptrdiff_t run, const T *a, const int mr)
{
    const ptrdiff_t more = run + 1 < A->n_full;
    return (FN(fetch)){(const char *)(a + more * A->full_stride), more * (mr * (ptrdiff_t)sizeof(T))};
}

/* v->acc[(r*nq + q)*nb + v][VL] is loaded, extended by runs v->k0 .. v->k1 - 1 of the chain and stored again. */
INLINE void FN(chain)(const FN(visit) *v, const FN(lines) *lines, const lstmc_runs *A, ptrdiff_t row, const T *const *b0,
                      ptrdiff_t bs, const int mr, const int nq, const int nb)
{
    V acc[FN(MAX_ACC)];
    const T *a[LSTMC_MAX_ROWS], *b[TILE_SLICES_1];
    UNROLL
    for (int q = 0; q < nq; q++) b[q] = b0[q];
    UNROLL
    for (int i = 0; i < mr * nq * nb; i++) acc[i] = v_load(v->acc + i * VL);
    const ptrdiff_t tail = v->k0 - A->n_full;
    const T *first = (const T *)A->a + (tail < 0 ? v->k0 * A->full_stride : A->n_full * A->full_stride + tail * A->tail_stride);
    UNROLL
    for (int r = 0; r < mr; r++) a[r] = first + (row + r) * A->row_stride;
    FN(fetch) next = v->next;
    for (ptrdiff_t run = v->k0; run < v->k1; run++) {
        const int full = run < A->n_full;
        const ptrdiff_t len = full ? A->full_len : A->tail_len, stride = full ? A->full_stride : A->tail_stride;
        const FN(fetch) own = run < lines->n ? lines->run[run] : FN(run_after)(A, run, a[0], mr);
        if (A->k_stride == 1)
            FN(tile_fma)(acc, mr, nq, nb, a, 1, b, bs, len, next, own);
        else
            FN(tile_fma)(acc, mr, nq, nb, a, A->k_stride, b, bs, len, next, own);
        next = FN(after)(next, len);
        UNROLL
        for (int q = 0; q < nq; q++) b[q] += len * bs;
        UNROLL
        for (int r = 0; r < mr; r++) a[r] += stride;
    }
    UNROLL
    for (int i = 0; i < mr * nq * nb; i++) v_store(v->acc + i * VL, acc[i]);
}

/* c[r][v] = acc or c + acc, acc = sum over n of a[n*mr + r] b[n][v], from zero; the next tile's a comes meanwhile */
INLINE void FN(outer_tile)(T *c, ptrdiff_t ldc, const T *a0, const T *b0, ptrdiff_t bs, ptrdiff_t n, int first,
                           const int mr, const int nb)
{
    V acc[FN(MAX_ACC)];
    const T *a[LSTMC_MAX_ROWS], *b[1] = {b0};
    UNROLL
    for (int r = 0; r < mr; r++) a[r] = a0 + r;
    if (!first)                     /* the sums so far are far away: they come while the chain runs */
        UNROLL
        for (int r = 0; r < mr; r++)
            UNROLL
            for (int v = 0; v < nb; v++) PREFETCH(c + r * ldc + v * FN(NU));
    UNROLL
    for (int i = 0; i < mr * nb; i++) acc[i] = v_set1(0);
    FN(tile_fma)(acc, mr, 1, nb, a, mr, b, bs, n, (FN(fetch)){(const char *)(a0 + n * mr), mr * sizeof(T)}, (FN(fetch)){(const char *)c, 0});
    UNROLL
    for (int r = 0; r < mr; r++)
        UNROLL
        for (int v = 0; v < nb; v++) {
            T *d = c + r * ldc + v * FN(NU);
            v_store(d, first ? acc[r * nb + v] : v_add(v_load(d), acc[r * nb + v]));
        }
}

typedef void (*FN(chain_fn))(const FN(visit) *, const FN(lines) *, const lstmc_runs *, ptrdiff_t, const T *const *, ptrdiff_t);
typedef void (*FN(outer_fn))(T *, ptrdiff_t, const T *, const T *, ptrdiff_t, ptrdiff_t, int);
#define CHAIN(mr, nq, nb)                                                                               \
    static void FN(chain_##mr##x##nq##x##nb)(const FN(visit) *v, const FN(lines) *l, const lstmc_runs *A, ptrdiff_t row, \
                                             const T *const *b, ptrdiff_t bs)                           \
    { FN(chain)(v, l, A, row, b, bs, mr, nq, nb); }
#define OUTER(mr, nb)                                                                                   \
    static void FN(outer_##mr##x##nb)(T *c, ptrdiff_t ldc, const T *a, const T *b, ptrdiff_t bs,        \
                                      ptrdiff_t n, int first)                                           \
    { FN(outer_tile)(c, ldc, a, b, bs, n, first, mr, nb); }
#define BOTH(mr, nb) CHAIN(mr, 1, nb) OUTER(mr, nb)
#define ROW(mr) BOTH(mr, 1) BOTH(mr, 2) BOTH(mr, 3) BOTH(mr, 4)
#define CHAIN_ROW(mr) {FN(chain_##mr##x1x1), FN(chain_##mr##x1x2), FN(chain_##mr##x1x3), FN(chain_##mr##x1x4)}
#define OUTER_ROW(mr) {FN(outer_##mr##x1), FN(outer_##mr##x2), FN(outer_##mr##x3), FN(outer_##mr##x4)}
ROW(1)
ROW(2)
ROW(3)
#if TILE_SLICES_1 == 4
ROW(4)
ROW(5)
ROW(6)
CHAIN(1, 2, 4)
CHAIN(1, 3, 4)
CHAIN(1, 4, 4)
CHAIN(2, 2, 4)
CHAIN(3, 2, 4)
static const FN(chain_fn) FN(chain_menu)[][4] = {CHAIN_ROW(1), CHAIN_ROW(2), CHAIN_ROW(3), CHAIN_ROW(4), CHAIN_ROW(5), CHAIN_ROW(6)};
static const FN(outer_fn) FN(outer_menu)[][4] = {OUTER_ROW(1), OUTER_ROW(2), OUTER_ROW(3), OUTER_ROW(4), OUTER_ROW(5), OUTER_ROW(6)};
static const FN(chain_fn) FN(chain_wide)[][4] = {{0, FN(chain_1x2x4), FN(chain_1x3x4), FN(chain_1x4x4)}, {0, FN(chain_2x2x4)},
                                                 {0, FN(chain_3x2x4)}};
#else
CHAIN(1, 2, 4)
static const FN(chain_fn) FN(chain_menu)[][4] = {CHAIN_ROW(1), CHAIN_ROW(2), CHAIN_ROW(3)};
static const FN(outer_fn) FN(outer_menu)[][4] = {OUTER_ROW(1), OUTER_ROW(2), OUTER_ROW(3)};
static const FN(chain_fn) FN(chain_wide)[][4] = {{0, FN(chain_1x2x4)}};
#endif
#undef CHAIN
#undef OUTER

enum { FN(SINK_ROWS), FN(SINK_LSTM_BWD) };

/* nb cells of row j, slice `lane` of panels p .. p+nb-1, whose dh are dh[v*VL]; tanh(c) of all of them side by side */
INLINE void FN(lstm_cells_bwd)(const lstmc_product *s, ptrdiff_t p, ptrdiff_t j, ptrdiff_t lane, const int nb, const T *dh)
{
    const ptrdiff_t at = j * FN(NU) + lane;
    V tc[4];
    UNROLL
    for (int v = 0; v < nb; v++) tc[v] = v_load((const T *)s->c + (p + v) * s->c_ps + at);
    FN(tanhs)(tc, tc, nb);
    UNROLL
    for (int v = 0; v < nb; v++)
        FN(lstm_cell_bwd)((T *)s->gates + (p + v) * s->gates_ps + j * LSTMC_GATES * FN(NU) + lane,
                          (const T *)s->c_prev + (p + v) * s->c_prev_ps + at, (T *)s->dc + (p + v) * s->dc_ps + at,
                          tc[v], v_load(dh + v * VL));
}

/* The gates, then the cell states before, of a tile's rows in panels p .. p+nb-1: a panel a run */
INLINE void FN(lines_of_tape)(FN(lines) *l, const lstmc_product *s, lstmc_tile tile, ptrdiff_t p, const int nb)
{
    const ptrdiff_t bytes = tile.mr * LSTMC_BLOCK_BYTES, len = s->a.full_len > 0 ? s->a.full_len : 1;
    UNROLL
    for (int v = 0; v < nb; v++) {
        const T *gates = (const T *)s->gates + (p + v) * s->gates_ps + tile.row * LSTMC_GATES * FN(NU);
        const T *c_prev = (const T *)s->c_prev + (p + v) * s->c_prev_ps + tile.row * FN(NU);
        l->run[v] = (FN(fetch)){(const char *)gates, (LSTMC_GATES * bytes + len - 1) / len};
        l->run[nb + v] = (FN(fetch)){(const char *)c_prev, (bytes + len - 1) / len};
    }
    l->n = s->a.n_full < 2 * nb ? (int)s->a.n_full : 2 * nb;
}

/* elements before run i of a row's chain */
INLINE ptrdiff_t FN(run_at)(const lstmc_runs *a, ptrdiff_t i)
{
    return i < a->n_full ? i * a->full_len : a->n_full * a->full_len + (i - a->n_full) * a->tail_len;
}

/* Slices q0 .. q0+nq-1 of the columns (slice q is slice q % NS of group q / NS, nb blocks a group), one visit. */
INLINE void FN(product_tile)(const lstmc_product *s, lstmc_tile tile, ptrdiff_t q0, const FN(visit) *visit, const int nq,
                             const int nb, const int sink)
{
    T *buf = visit->acc;
    const T *b[TILE_SLICES_1];
    const ptrdiff_t wide = 4 * FN(NU), runs = s->a.a ? s->a.n_full + s->a.n_tail : 0;
    UNROLL
    for (int q = 0; q < nq; q++) {
        const ptrdiff_t group = (q0 + q) / FN(NS), lane = (q0 + q) % FN(NS) * VL;
        b[q] = (const T *)s->b + group * wide * s->K + FN(run_at)(&s->a, visit->k0) * nb * FN(NU) + lane;
        for (int r = 0; r < tile.mr && visit->k0 == 0; r++) {
            const ptrdiff_t j = tile.row + r;
            UNROLL
            for (int v = 0; v < nb; v++) {
                const ptrdiff_t u = group * wide + v * FN(NU) + lane;
                V acc = v_set1(0);
                if (s->bias) acc = v_load((const T *)s->bias + u);
                if (s->add) {
                    acc = FN(load_cols)(s->add[j], s->adds, u, s->N);
                    PREFETCH((const char *)((const T *)s->add[j] + u * s->adds) + s->add_ahead);
                }
                if (s->add2) acc = v_add(acc, FN(load_cols)((const T *)s->add2 + j * s->ld_add2, 1, u, s->N));
                v_store(buf + ((r * nq + q) * nb + v) * VL, acc);
            }
        }
    }
    if (runs) {
        const FN(chain_fn) fn = nq > 1 ? FN(chain_wide)[tile.mr - 1][nq - 1] : FN(chain_menu)[tile.mr - 1][nb - 1];
        FN(lines) lines;
        lines.n = 0;
        if (sink == FN(SINK_LSTM_BWD) && nq == 1 && visit->k0 == 0) FN(lines_of_tape)(&lines, s, tile, q0 / FN(NS) * 4, nb);
        fn(visit, &lines, &s->a, tile.row, b, nb * FN(NU));
    }
    if (visit->k1 < runs) return;
    UNROLL
    for (int q = 0; q < nq; q++) {
        const ptrdiff_t p = (q0 + q) / FN(NS) * 4, lane = (q0 + q) % FN(NS) * VL;
        for (int r = 0; r < tile.mr; r++) {
            const T *row = buf + (r * nq + q) * nb * VL;
            if (sink == FN(SINK_LSTM_BWD)) {
                FN(lstm_cells_bwd)(s, p, tile.row + r, lane, nb, row);
                continue;
            }
            UNROLL
            for (int v = 0; v < nb; v++)
                FN(store_cols)(s->out[tile.row + r], s->outs, (p + v) * FN(NU) + lane, s->N, v_load(row + v * VL));
        }
    }
}

INLINE void FN(product_tiles)(const lstmc_product *s, const int sink)
{
    const ptrdiff_t blocks = (s->N + FN(NU) - 1) / FN(NU), whole = blocks / 4 * FN(NS);
    const ptrdiff_t begin = s->q0 * FN(NS), end = (s->q1 ? s->q1 : (blocks + 3) / 4) * FN(NS);
    const ptrdiff_t runs = s->a.a ? s->a.n_full + s->a.n_tail : 0, wide_group = 4 * FN(NU) * s->K;
    const ptrdiff_t most = s->a.full_len > 0 && s->a.full_len < FN(STRIP_K) ? FN(STRIP_K) / s->a.full_len : 1;
    const ptrdiff_t first = s->r0, last = s->r1 ? s->r1 : runs, depth = FN(strip_depth)(last - first, most, s->n_tiles);
    const ptrdiff_t total = (end - begin) / FN(NS) * 4 * s->K;
    const ptrdiff_t step = FN(block_slices)(s->tiles, s->n_tiles, end - begin, total), steps = (end - begin + step - 1) / step;
    T acc[LSTMC_BATCH][FN(NS)][FN(MAX_ACC) * VL];
    for (ptrdiff_t n = 0; n < steps; n++) {
        const ptrdiff_t at = s->back ? steps - 1 - n : n, then = n + 1 == steps ? at : s->back ? at - 1 : at + 1;
        const ptrdiff_t q0 = begin + at * step, q1 = q0 + step < end ? q0 + step : end;
        for (ptrdiff_t i0 = 0; i0 < s->n_tiles; i0 += LSTMC_BATCH) {
            const ptrdiff_t i1 = i0 + LSTMC_BATCH < s->n_tiles ? i0 + LSTMC_BATCH : s->n_tiles;
            const ptrdiff_t nb = q0 < whole ? 4 : blocks % 4;
            const T *group = (const T *)s->b + q0 / FN(NS) * wide_group;
            const T *other = (const T *)s->b + (begin + then * step) / FN(NS) * wide_group;
            ptrdiff_t k0 = first;
            do {
                FN(visit) v = {k0, k0 + depth < last ? k0 + depth : last, 0, {(const char *)group, 0}};
                const ptrdiff_t len = FN(run_at)(&s->a, v.k1) - FN(run_at)(&s->a, k0);
                const T *next = v.k1 < last ? group + FN(run_at)(&s->a, v.k1) * nb * FN(NU)
                                : i1 == s->n_tiles && q0 < whole && begin + then * step < whole ? other : group;
                for (ptrdiff_t i = i0; i < i1; i++) {
                    const lstmc_tile tile = s->tiles[i];
                    const ptrdiff_t stop = q1 < whole ? q1 : whole;
                    for (ptrdiff_t q = q0, wide; q < q1; q += wide) {
                        wide = FN(width)(stop - q, FN(slices)[tile.mr - 1]);
                        v.acc = FN(waiting)(s->sums, i, q - begin, end - begin, acc[i - i0][q % FN(NS)]);
                        FN(fetch_part)(&v, next, len * nb, (i - i0) * FN(NS) + q - q0, len, total, wide);
                        if (wide == 4) FN(product_tile)(s, tile, q, &v, TILE_SLICES_1, 4, sink);
                        else if (wide == 3) FN(product_tile)(s, tile, q, &v, TILE_SLICES_1 - 1, 4, sink);
                        else if (wide == 2) FN(product_tile)(s, tile, q, &v, 2, 4, sink);
                        else if (q < whole) FN(product_tile)(s, tile, q, &v, 1, 4, sink);
                        else if (blocks % 4 == 3) FN(product_tile)(s, tile, q, &v, 1, 3, sink);
                        else if (blocks % 4 == 2) FN(product_tile)(s, tile, q, &v, 1, 2, sink);
                        else FN(product_tile)(s, tile, q, &v, 1, 1, sink);
                    }
                }
                k0 = v.k1;
            } while (k0 < last);
        }
    }
}
static void FN(product)(const lstmc_product *s) { FN(product_tiles)(s, FN(SINK_ROWS)); }
static void FN(lstm_step_bwd)(const lstmc_product *s) { FN(product_tiles)(s, FN(SINK_LSTM_BWD)); }

/* columns 0 .. width-1 of dst[n][mr] from values at, at + stride, ... of each row, whose next line comes meanwhile */
INLINE void FN(pack_part)(T *dst, ptrdiff_t mr, ptrdiff_t n, const void *const *rows, ptrdiff_t at, ptrdiff_t stride,
                          ptrdiff_t width)
{
    for (ptrdiff_t i = 0; i < n; i++, dst += mr) {
        const T *row = (const T *)rows[i] + at;
        PREFETCH(row + FN(NU));
        if (stride == 1 && width == TILE_ROWS) {
            memcpy(dst, row, TILE_ROWS * sizeof(T));
        } else if (stride == 1 && width == TILE_ROWS - 1) {
            memcpy(dst, row, (TILE_ROWS - 1) * sizeof(T));
        } else {
            for (ptrdiff_t r = 0; r < width; r++) dst[r] = row[r * stride];
        }
    }
}

/* Tile after tile of dst[n][mr]: the features of x | h | 1 for every row n. */
static void FN(pack_outer)(void *dst, const lstmc_features *f, const lstmc_tile *tiles, ptrdiff_t n_tiles)
{
    const ptrdiff_t IR = f->I + f->R;
    T *d = dst;
    for (ptrdiff_t i = 0; i < n_tiles; d += f->n * tiles[i].mr, i++) {
        const ptrdiff_t mr = tiles[i].mr, m0 = tiles[i].row, m1 = m0 + mr;
        const ptrdiff_t a = m0 > f->I ? m0 : f->I, b = m1 < IR ? m1 : IR;
        if (m0 < f->I) FN(pack_part)(d, mr, f->n, f->x, m0 * f->xs, f->xs, (m1 < f->I ? m1 : f->I) - m0);
        if (a < b) FN(pack_part)(d + (a - m0), mr, f->n, f->h, (a - f->I) * f->hs, f->hs, b - a);
        for (ptrdiff_t n = 0; n < f->n && m1 > IR; n++) d[n * mr + mr - 1] = 1;
    }
}

static void FN(outer)(const lstmc_outer *s)
{
    for (ptrdiff_t i = 0; i < s->n_tiles; i++) {
        const lstmc_tile t = s->m_tiles[i];
        const T *a = (const T *)s->a + (t.row - s->m_tiles[0].row) * s->a_rows;
        T *c = (T *)s->c + t.row * s->ldc;
        for (int lane = 0; lane < FN(NU); lane += VL)
            FN(outer_menu)[t.mr - 1][s->nb - 1](c + lane, s->ldc, a, (const T *)s->b + lane, s->bs, s->n, s->first);
    }
}
