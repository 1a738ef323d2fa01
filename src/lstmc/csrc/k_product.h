/* k_product.h -- rows times packed columns, and the block of a weight gradient.
 *
 * `product` serves dx, projections and dense layers; with the cell backward as its sink it is the recurrent
 * half of backward, dh_t = dy_t + dG_{t+1} U, finished into dG_t while the tile is in the first-level cache. */

/* buf[(r*nq + q)*nb + v][VL] is loaded, extended by the whole k chain and stored again. */
INLINE void FN(chain)(T *buf, const lstmc_runs *A, ptrdiff_t row, const T *const *b0, ptrdiff_t bs,
                      const int mr, const int nq, const int nb)
{
    V acc[FN(MAX_ACC)];
    const T *a[LSTMC_MAX_ROWS], *b[TILE_SLICES_1];
    UNROLL
    for (int q = 0; q < nq; q++) b[q] = b0[q];
    UNROLL
    for (int i = 0; i < mr * nq * nb; i++) acc[i] = v_load(buf + i * VL);
    for (ptrdiff_t run = 0; run < A->n_full + A->n_tail; run++) {
        const ptrdiff_t tail = run - A->n_full, len = tail < 0 ? A->full_len : A->tail_len;
        const ptrdiff_t at = tail < 0 ? run * A->full_stride : A->n_full * A->full_stride + tail * A->tail_stride;
        UNROLL
        for (int r = 0; r < mr; r++) a[r] = (const T *)A->a + (row + r) * A->row_stride + at;
        if (run + 1 < A->n_full) {      /* the next run of dG is in another panel, far from this one */
            UNROLL
            for (int r = 0; r < mr; r++)
                for (ptrdiff_t k = 0; k < A->full_len; k += FN(NU)) PREFETCH(a[r] + A->full_stride + k);
        }
        if (A->k_stride == 1)
            FN(tile_fma)(acc, mr, nq, nb, a, 1, b, bs, len);
        else
            FN(tile_fma)(acc, mr, nq, nb, a, A->k_stride, b, bs, len);
        UNROLL
        for (int q = 0; q < nq; q++) b[q] += len * bs;
    }
    UNROLL
    for (int i = 0; i < mr * nq * nb; i++) v_store(buf + i * VL, acc[i]);
}

/* c[r][v] = acc or c + acc, acc = sum over n of a[n*mr + r] b[n][v], from zero */
INLINE void FN(outer_tile)(T *c, ptrdiff_t ldc, const T *a0, const T *b0, ptrdiff_t bs, ptrdiff_t n, int first,
                           const int mr, const int nb)
{
    V acc[FN(MAX_ACC)];
    const T *a[LSTMC_MAX_ROWS], *b[1] = {b0};
    UNROLL
    for (int r = 0; r < mr; r++) a[r] = a0 + r;
    UNROLL
    for (int i = 0; i < mr * nb; i++) acc[i] = v_set1(0);
    FN(tile_fma)(acc, mr, 1, nb, a, mr, b, bs, n);
    UNROLL
    for (int r = 0; r < mr; r++)
        UNROLL
        for (int v = 0; v < nb; v++) {
            T *d = c + r * ldc + v * FN(NU);
            v_store(d, first ? acc[r * nb + v] : v_add(v_load(d), acc[r * nb + v]));
        }
}

typedef void (*FN(chain_fn))(T *, const lstmc_runs *, ptrdiff_t, const T *const *, ptrdiff_t);
typedef void (*FN(outer_fn))(T *, ptrdiff_t, const T *, const T *, ptrdiff_t, ptrdiff_t, int);
#define CHAIN(mr, nq, nb)                                                                               \
    static void FN(chain_##mr##x##nq##x##nb)(T *buf, const lstmc_runs *A, ptrdiff_t row,                \
                                             const T *const *b, ptrdiff_t bs)                           \
    { FN(chain)(buf, A, row, b, bs, mr, nq, nb); }
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
CHAIN(1, 4, 4)
CHAIN(2, 2, 4)
CHAIN(3, 2, 4)
static const FN(chain_fn) FN(chain_menu)[][4] = {CHAIN_ROW(1), CHAIN_ROW(2), CHAIN_ROW(3), CHAIN_ROW(4), CHAIN_ROW(5), CHAIN_ROW(6)};
static const FN(outer_fn) FN(outer_menu)[][4] = {OUTER_ROW(1), OUTER_ROW(2), OUTER_ROW(3), OUTER_ROW(4), OUTER_ROW(5), OUTER_ROW(6)};
static const FN(chain_fn) FN(chain_wide)[] = {FN(chain_1x4x4), FN(chain_2x2x4), FN(chain_3x2x4), 0, 0, 0};
#else
CHAIN(1, 2, 4)
static const FN(chain_fn) FN(chain_menu)[][4] = {CHAIN_ROW(1), CHAIN_ROW(2), CHAIN_ROW(3)};
static const FN(outer_fn) FN(outer_menu)[][4] = {OUTER_ROW(1), OUTER_ROW(2), OUTER_ROW(3)};
static const FN(chain_fn) FN(chain_wide)[] = {FN(chain_1x2x4), 0, 0};
#endif
#undef CHAIN
#undef OUTER

enum { FN(SINK_ROWS), FN(SINK_LSTM_BWD) };

/* tc[(r*nq + q)*nb + v][VL] = tanh(c) of a tile, MATH_N vectors side by side */
INLINE void FN(tanh_cells)(T *tc, const lstmc_product *s, lstmc_tile tile, ptrdiff_t q0, int nq, int nb)
{
    V t[FN(MATH_N)];
    const int n = tile.mr * nq * nb;
    for (int i = 0; i < n; i++) {
        const ptrdiff_t q = q0 + i / nb % nq, p = q / FN(NS) * 4 + i % nb, j = tile.row + i / nb / nq;
        v_store(tc + i * VL, v_load((const T *)s->c + p * s->c_ps + j * FN(NU) + q % FN(NS) * VL));
    }
    for (int i = n; i % FN(MATH_N); i++) v_store(tc + i * VL, v_set1(0));
    for (int i = 0; i < n; i += FN(MATH_N)) {
        UNROLL
        for (int j = 0; j < FN(MATH_N); j++) t[j] = v_load(tc + (i + j) * VL);
        FN(tanhs)(t, t, FN(MATH_N));
        UNROLL
        for (int j = 0; j < FN(MATH_N); j++) v_store(tc + (i + j) * VL, t[j]);
    }
}

/* Slices q0 .. q0+nq-1 of the columns (slice q is slice q % NS of group q / NS, nb blocks a group). */
INLINE void FN(product_tile)(const lstmc_product *s, lstmc_tile tile, ptrdiff_t q0, int nq, int nb, const int sink)
{
    T buf[FN(MAX_ACC) * VL];
    const T *b[TILE_SLICES_1];
    const ptrdiff_t wide = 4 * FN(NU);
    for (int q = 0; q < nq; q++) {
        const ptrdiff_t group = (q0 + q) / FN(NS), lane = (q0 + q) % FN(NS) * VL;
        b[q] = (const T *)s->b + group * wide * s->K + lane;
        for (int r = 0; r < tile.mr; r++)
            for (int v = 0; v < nb; v++) {
                const ptrdiff_t j = tile.row + r, u = group * wide + v * FN(NU) + lane;
                V acc = v_set1(0);
                if (s->bias) acc = v_load((const T *)s->bias + u);
                if (s->add) acc = FN(load_cols)(s->add[j], s->adds, u, s->N);
                if (s->add2) acc = v_add(acc, FN(load_cols)((const T *)s->add2 + j * s->ld_add2, 1, u, s->N));
                v_store(buf + ((r * nq + q) * nb + v) * VL, acc);
            }
    }
    if (s->a.a) {
        const FN(chain_fn) fn = nq > 1 ? FN(chain_wide)[tile.mr - 1] : FN(chain_menu)[tile.mr - 1][nb - 1];
        fn(buf, &s->a, tile.row, b, nb * FN(NU));
    }
    T tc[FN(MAX_ACC) * VL];
    if (sink == FN(SINK_LSTM_BWD)) FN(tanh_cells)(tc, s, tile, q0, nq, nb);
    for (int q = 0; q < nq; q++) {
        const ptrdiff_t group = (q0 + q) / FN(NS), lane = (q0 + q) % FN(NS) * VL;
        for (int r = 0; r < tile.mr; r++)
            for (int v = 0; v < nb; v++) {
                const ptrdiff_t j = tile.row + r, p = group * 4 + v, i = ((r * nq + q) * nb + v) * VL;
                if (sink == FN(SINK_ROWS))
                    FN(store_cols)(s->out[j], s->outs, p * FN(NU) + lane, s->N, v_load(buf + i));
                else
                    FN(lstm_cell_bwd)((T *)s->gates + p * s->gates_ps + j * LSTMC_GATES * FN(NU) + lane,
                                      (const T *)s->c_prev + p * s->c_prev_ps + j * FN(NU) + lane,
                                      (T *)s->dc + p * s->dc_ps + j * FN(NU) + lane, v_load(tc + i), v_load(buf + i));
            }
    }
}

INLINE void FN(product_tiles)(const lstmc_product *s, const int sink)
{
    const ptrdiff_t blocks = (s->N + FN(NU) - 1) / FN(NU), whole = blocks / 4 * FN(NS);
    const ptrdiff_t begin = s->q0 * FN(NS), end = (s->q1 ? s->q1 : (blocks + 3) / 4) * FN(NS);
    const ptrdiff_t step = s->n_tiles == 1 ? end - begin : FN(NS);
    for (ptrdiff_t q0 = begin; q0 < end; q0 += step)
        for (ptrdiff_t i = 0; i < s->n_tiles; i++) {
            const lstmc_tile tile = s->tiles[i];
            const int wide = FN(slices)[tile.mr - 1];
            ptrdiff_t q = q0;
            if (wide > 1)
                for (; q + wide <= q0 + step && q + wide <= whole; q += wide) FN(product_tile)(s, tile, q, wide, 4, sink);
            for (; q < q0 + step; q++) FN(product_tile)(s, tile, q, 1, q < whole ? 4 : (int)(blocks % 4), sink);
        }
}
static void FN(product)(const lstmc_product *s) { FN(product_tiles)(s, FN(SINK_ROWS)); }
static void FN(lstm_step_bwd)(const lstmc_product *s) { FN(product_tiles)(s, FN(SINK_LSTM_BWD)); }

/* columns r .. r+width-1 of dst[n][mr] from values at, at + stride, ... of each row */
INLINE void FN(pack_part)(T *dst, ptrdiff_t mr, ptrdiff_t n, const void *const *rows, ptrdiff_t at, ptrdiff_t stride,
                          ptrdiff_t width)
{
    for (ptrdiff_t i = 0; i < n; i++, dst += mr) {
        const T *row = (const T *)rows[i] + at;
        if (stride == 1 && width == TILE_ROWS) {
            UNROLL
            for (int r = 0; r < TILE_ROWS; r++) dst[r] = row[r];
        } else {
            for (ptrdiff_t r = 0; r < width; r++) dst[r] = row[r * stride];
        }
    }
}

/* dst[n][mr]: features m0 .. m0+mr-1 of x | h | 1 for every row n */
static void FN(pack_outer)(void *dst, const lstmc_features *f, ptrdiff_t m0, ptrdiff_t mr)
{
    T *d = dst;
    const ptrdiff_t m1 = m0 + mr, IR = f->I + f->R;
    if (m0 < f->I) FN(pack_part)(d, mr, f->n, f->x, m0 * f->xs, f->xs, (m1 < f->I ? m1 : f->I) - m0);
    const ptrdiff_t a = m0 > f->I ? m0 : f->I, b = m1 < IR ? m1 : IR;
    if (a < b) FN(pack_part)(d + (a - m0), mr, f->n, f->h, (a - f->I) * f->hs, f->hs, b - a);
    if (m1 > IR)
        for (ptrdiff_t n = 0; n < f->n; n++) d[n * mr + mr - 1] = 1;
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
