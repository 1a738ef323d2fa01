/* k_lstm.h -- the LSTM cell: one step forward fused with its gate products, and the pointwise backward.
 *
 *   a = W x + U h' + b      i = sigmoid(a_i)   f = sigmoid(a_f)   g = tanh(a_g)   o = sigmoid(a_o)
 *   c = f c' + i g          h = o tanh(c)
 *
 *   dc += dh o (1 - tanh(c)^2)
 *   da_i = dc g i (1-i)   da_f = dc c' f (1-f)   da_g = dc i (1-g^2)   da_o = dh tanh(c) o (1-o)   dc' = dc f */

/* y[j*stride] = op(y[j*stride]) for j < n, as many side by side as the functions take */
#define MATH_STRIDED(name, op)                                                          \
    INLINE void FN(name)(V *y, const int stride, const int n)                           \
    {                                                                                   \
        V t[FN(MATH_N)];                                                                \
        UNROLL                                                                          \
        for (int j0 = 0; j0 < n; j0 += FN(MATH_N)) {                                    \
            const int m = n - j0 < FN(MATH_N) ? n - j0 : FN(MATH_N);                    \
            UNROLL                                                                      \
            for (int j = 0; j < m; j++) t[j] = y[(j0 + j) * stride];                    \
            FN(op)(t, t, m);                                                            \
            UNROLL                                                                      \
            for (int j = 0; j < m; j++) y[(j0 + j) * stride] = t[j];                    \
        }                                                                               \
    }
MATH_STRIDED(sigmoid_each, sigmoids)
MATH_STRIDED(tanh_each, tanhs)
#undef MATH_STRIDED

/* n cells: a[j*4 ..] become i, f, g, o; c becomes the new c; h is written */
INLINE void FN(lstm_cells_fwd)(V *a, V *c, V *h, const int n)
{
    enum { G = LSTMC_GATES };
    FN(sigmoid_each)(a, G, n);
    FN(tanh_each)(a + 2, G, n);
    FN(sigmoid_each)(a + 1, G, n);
    UNROLL
    for (int j = 0; j < n; j++) c[j] = h[j] = v_fma(a[j * G + 1], c[j], v_mul(a[j * G], a[j * G + 2]));
    FN(tanh_each)(h, 1, n);
    FN(sigmoid_each)(a + 3, G, n);
    UNROLL
    for (int j = 0; j < n; j++) h[j] = v_mul(a[j * G + 3], h[j]);
}

/* gates (i, f, g, o at a distance of NU) become dG; dc becomes dc'; tc = tanh(c) */
INLINE void FN(lstm_cell_bwd)(T *gates, const T *c_prev, T *dc, V tc, V dh)
{
    const V one = v_set1(1);
    const V i = v_load(gates), f = v_load(gates + FN(NU)), g = v_load(gates + 2 * FN(NU)), o = v_load(gates + 3 * FN(NU));
    const V d = v_fma(v_mul(dh, o), v_fnma(tc, tc, one), v_load(dc));
    v_store(gates, v_mul(v_mul(d, g), v_mul(i, v_sub(one, i))));
    v_store(gates + FN(NU), v_mul(v_mul(d, v_load(c_prev)), v_mul(f, v_sub(one, f))));
    v_store(gates + 2 * FN(NU), v_mul(v_mul(d, i), v_fnma(g, g, one)));
    v_store(gates + 3 * FN(NU), v_mul(v_mul(dh, tc), v_mul(o, v_sub(one, o))));
    v_store(dc, v_mul(d, f));
}

/* Rows row .. row+mr-1 and nq slices from slice q0, k0 <= k < k1 of x | h; only_x stops after bias + W x, stored in z. */
INLINE void FN(lstm_fwd_tile)(const lstmc_lstm_fwd *s, ptrdiff_t q0, ptrdiff_t row, const FN(visit) *v, const int mr,
                              const int nq, const int only_x)
{
    enum { G = LSTMC_GATES };
    const ptrdiff_t bs = G * FN(NU), K = s->I + s->R, k1 = v->k1;
    ptrdiff_t k0 = v->k0;
    const int begins = k0 == (s->z && !only_x ? s->I : 0), ends = k1 == (only_x ? s->I : K);
    const T *a[LSTMC_MAX_ROWS], *b[TILE_SLICES_1];
    FN(fetch) next = v->next, mine = {(const char *)v->acc, 0};
    T *gates = only_x ? (T *)s->z : s->gates;
    const ptrdiff_t gates_ps = only_x ? s->z_ps : s->gates_ps;
    V acc[FN(MAX_ACC)];
    UNROLL
    for (int q = 0; q < nq; q++) {
        const ptrdiff_t p = (q0 + q) / FN(NS), lane = (q0 + q) % FN(NS) * VL;
        const T *bias = (const T *)s->bias + p * bs + lane;
        b[q] = (const T *)s->w + (p * K + k0) * bs + lane;
        UNROLL
        for (int r = 0; r < mr; r++) {
            const T *z = s->z && !only_x ? (const T *)s->z + p * s->z_ps + (row + r) * bs + lane : bias;
            UNROLL
            for (int g = 0; g < G; g++)
                acc[(r * nq + q) * G + g] = begins ? v_load(z + g * FN(NU)) : v_load(v->acc + ((r * nq + q) * G + g) * VL);
        }
    }
    if (ends && gates && VL == FN(NU)) {        /* the lines that the end writes come while the chain runs */
        mine.at = (const char *)(gates + q0 * gates_ps + row * bs);
        mine.step = (mr * G * LSTMC_BLOCK_BYTES + k1 - k0 - 1) / (k1 - k0 > 0 ? k1 - k0 : 1);
        UNROLL
        for (int r = 0; r < mr && !only_x; r++) {
            PREFETCH_OWN((T *)s->c + q0 * s->c_ps + (row + r) * FN(NU));
            PREFETCH_OWN((T *)s->h_out + (row + r) * s->ld_out + q0 * FN(NU));
            if (s->y) PREFETCH_OWN((T *)s->y[row + r] + q0 * FN(NU));
        }
    }
    if (k0 < s->I) {
        const ptrdiff_t n = (k1 < s->I ? k1 : s->I) - k0;
        UNROLL
        for (int r = 0; r < mr; r++) a[r] = (const T *)s->x[row + r] + k0 * s->xs;
        FN(fetch_rows)(a, mr, s->x_ahead, q0 / FN(NS), (s->H + FN(NU) - 1) / FN(NU), s->xs, n);
        FN(tile_fma)(acc, mr, nq, G, a, s->xs, b, bs, n, next, mine);
        next = FN(after)(next, n);
        mine = FN(after)(mine, n);
        k0 += n;
        UNROLL
        for (int q = 0; q < nq; q++) b[q] += n * bs;
    }
    if (!only_x && k0 < k1) {
        UNROLL
        for (int r = 0; r < mr; r++) a[r] = (const T *)s->h + (row + r) * s->ldh + (k0 - s->I);
        FN(tile_fma)(acc, mr, nq, G, a, 1, b, bs, k1 - k0, next, mine);
    }
    if (!ends) {
        UNROLL
        for (int i = 0; i < mr * nq * G; i++) v_store(v->acc + i * VL, acc[i]);
        return;
    }
    V c[FN(MAX_ACC) / G], h[FN(MAX_ACC) / G];
    if (!only_x) {
        UNROLL
        for (int j = 0; j < mr * nq; j++) {
            const ptrdiff_t p = (q0 + j % nq) / FN(NS), lane = (q0 + j % nq) % FN(NS) * VL;
            c[j] = v_load((const T *)s->c_prev + p * s->c_prev_ps + (row + j / nq) * FN(NU) + lane);
        }
        FN(lstm_cells_fwd)(acc, c, h, mr * nq);
    }
    UNROLL
    for (int j = 0; j < mr * nq; j++) {
        const ptrdiff_t p = (q0 + j % nq) / FN(NS), lane = (q0 + j % nq) % FN(NS) * VL, r = row + j / nq;
        if (gates) {
            UNROLL
            for (int g = 0; g < G; g++) v_store(gates + p * gates_ps + r * bs + lane + g * FN(NU), acc[j * G + g]);
        }
        if (!only_x) {
            v_store((T *)s->c + p * s->c_ps + r * FN(NU) + lane, c[j]);
            v_store((T *)s->h_out + r * s->ld_out + p * FN(NU) + lane, h[j]);
            if (s->y) FN(store_cols)(s->y[r], 1, p * FN(NU) + lane, s->H, h[j]);
        }
    }
}

typedef void (*FN(fwd_fn))(const lstmc_lstm_fwd *, ptrdiff_t q0, ptrdiff_t row, const FN(visit) *);
#define FWD_VISIT(stem, mr, nq, only_x)                                                                                  \
    static void FN(stem##_##mr##x##nq)(const lstmc_lstm_fwd *s, ptrdiff_t q0, ptrdiff_t row, const FN(visit) *v) \
    { FN(lstm_fwd_tile)(s, q0, row, v, mr, nq, only_x); }
#define FWD_TILE(mr, nq) FWD_VISIT(fwd, mr, nq, 0) FWD_VISIT(gates_x, mr, nq, 1)
FWD_TILE(1, 1)
FWD_TILE(1, 2)
FWD_TILE(2, 1)
FWD_TILE(3, 1)
#if TILE_SLICES_1 == 4
FWD_TILE(1, 3)
FWD_TILE(1, 4)
FWD_TILE(2, 2)
FWD_TILE(3, 2)
FWD_TILE(4, 1)
FWD_TILE(5, 1)
FWD_TILE(6, 1)
#define ROW_MENU(stem) {{FN(stem##_1x1), FN(stem##_1x2), FN(stem##_1x3), FN(stem##_1x4)}, {FN(stem##_2x1), FN(stem##_2x2)}, \
                        {FN(stem##_3x1), FN(stem##_3x2)}, {FN(stem##_4x1)}, {FN(stem##_5x1)}, {FN(stem##_6x1)}}
#else
#define ROW_MENU(stem) {{FN(stem##_1x1), FN(stem##_1x2)}, {FN(stem##_2x1)}, {FN(stem##_3x1)}}
#endif
static const FN(fwd_fn) FN(fwd_menu)[][TILE_SLICES_1] = ROW_MENU(fwd);
static const FN(fwd_fn) FN(gates_x_menu)[][TILE_SLICES_1] = ROW_MENU(gates_x);
#undef FWD_TILE
#undef FWD_VISIT

/* Panels outside, row tiles inside: a strip of a panel is read once a step and then served from cache. A lone tile
 * of few rows takes several slices at once, for as many independent chains as the multipliers need. */
INLINE void FN(fwd_tiles)(const lstmc_lstm_fwd *s, const FN(fwd_fn) menu[][TILE_SLICES_1], const int only_x)
{
    const ptrdiff_t begin = s->p0 * FN(NS), end = s->p1 * FN(NS), bs = LSTMC_GATES * FN(NU), K = s->I + s->R;
    const ptrdiff_t start = s->z && !only_x ? s->I : 0, end_k = only_x ? s->I : K;
    const ptrdiff_t first = s->k0 ? s->k0 : start, last = s->k1 ? s->k1 : end_k;
    const ptrdiff_t depth = FN(strip_depth)(last - first, FN(STRIP_K), s->n_tiles);
    const ptrdiff_t total = (s->p1 - s->p0) * (end_k - start) * LSTMC_GATES;
    const ptrdiff_t block = FN(block_slices)(s->tiles, s->n_tiles, end - begin, total), blocks = (end - begin + block - 1) / block;
    T acc[LSTMC_BATCH][FN(NS)][FN(MAX_ACC) * VL];
    for (ptrdiff_t turn = 0; turn < blocks; turn++) {
        const ptrdiff_t at = s->back ? blocks - 1 - turn : turn, then = turn + 1 == blocks ? at : s->back ? at - 1 : at + 1;
        const ptrdiff_t q0 = begin + at * block, stop = q0 + block < end ? q0 + block : end;
        const T *w = (const T *)s->w + q0 / FN(NS) * K * bs;
        const T *panel = (const T *)s->w + ((begin + then * block) / FN(NS) * K + first) * bs;
        for (ptrdiff_t i0 = 0; i0 < s->n_tiles; i0 += LSTMC_BATCH) {
            const ptrdiff_t i1 = i0 + LSTMC_BATCH < s->n_tiles ? i0 + LSTMC_BATCH : s->n_tiles;
            ptrdiff_t k0 = first;
            do {
                FN(visit) v = {k0, k0 + depth < last ? k0 + depth : last, 0, {(const char *)w, 0}};
                const T *next = v.k1 < last ? w + v.k1 * bs : i1 < s->n_tiles ? w + first * bs : panel;
                for (ptrdiff_t i = i0; i < i1; i++) {
                    const ptrdiff_t row = s->tiles[i].row, m = s->tiles[i].mr - 1, most = FN(slices)[m];
                    for (ptrdiff_t q = q0, n; q < stop; q += n) {
                        n = FN(width)(stop - q, most);
                        v.acc = FN(waiting)(s->sums, i, q - begin, end - begin, acc[i - i0][q % FN(NS)]);
                        FN(fetch_part)(&v, next, depth * LSTMC_GATES, (i - i0) * FN(NS) + q - q0, depth, total, n);
                        menu[m][n - 1](s, q, row, &v);
                    }
                }
                k0 = v.k1;
            } while (k0 < last);
        }
    }
}
static void FN(lstm_gates_x)(const lstmc_lstm_fwd *s) { FN(fwd_tiles)(s, FN(gates_x_menu), 1); }
static void FN(lstm_step_fwd)(const lstmc_lstm_fwd *s) { FN(fwd_tiles)(s, FN(fwd_menu), 0); }
