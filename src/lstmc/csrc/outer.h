/* outer.h -- one block of a weight gradient: features times gradients, summed over (t, b) pairs. */

/* c[r][v] = acc or c + acc, acc = sum over n of a[n*mr + r] b[n][v], from zero; the next tile's a and `next` come meanwhile */
INLINE void FN(outer_tile)(const lstmc_outer *s, T *c, const T *a0, const T *b0, FN(fetch) next, const int mr, const int nb)
{
    V acc[FN(MAX_ACC)];
    const T *a[LSTMC_MAX_ROWS], *b[1] = {b0};
    const ptrdiff_t ldc = s->ldc, bg = s->b_apart ? s->b_apart : FN(NU), cg = s->c_apart ? s->c_apart : FN(NU), n = s->n;
    UNROLL
    for (int r = 0; r < mr; r++) a[r] = a0 + r;
    if (!s->first)                  /* the sums so far are far away: they come while the chain runs */
        UNROLL
        for (int r = 0; r < mr; r++)
            UNROLL
            for (int v = 0; v < nb; v++) PREFETCH(c + r * ldc + v * cg);
    UNROLL
    for (int i = 0; i < mr * nb; i++) acc[i] = v_set1(0);
    const FN(fetches) come = {{(const char *)(a0 + n * mr), mr * sizeof(T)}, next, NULL};
    FN(tile_fma)(acc, (FN(shape)){mr, 1, nb}, (FN(factors)){a, b, mr, s->bs, bg}, n, come, 0);
    UNROLL
    for (int r = 0; r < mr; r++)
        UNROLL
        for (int v = 0; v < nb; v++) {
            T *d = c + r * ldc + v * cg;
            v_store(d, s->first ? acc[r * nb + v] : v_add(v_load(d), acc[r * nb + v]));
        }
}

typedef void (*FN(outer_fn))(const lstmc_outer *, T *, const T *, const T *, FN(fetch));
#define OUTER(mr, nb)                                                                                    \
    static void FN(outer_##mr##x##nb)(const lstmc_outer *s, T *c, const T *a, const T *b, FN(fetch) next) { FN(outer_tile)(s, c, a, b, next, mr, nb); }
#define ROW(mr) OUTER(mr, 1) OUTER(mr, 2) OUTER(mr, 3) OUTER(mr, 4)
#define ROW_MENU(mr) {FN(outer_##mr##x1), FN(outer_##mr##x2), FN(outer_##mr##x3), FN(outer_##mr##x4)}
ROW(1)
ROW(2)
ROW(3)
#if TILE_ROWS == 6
ROW(4)
ROW(5)
ROW(6)
static const FN(outer_fn) FN(outer_menu)[][LSTMC_SLOTS] = {ROW_MENU(1), ROW_MENU(2), ROW_MENU(3), ROW_MENU(4), ROW_MENU(5), ROW_MENU(6)};
#else
static const FN(outer_fn) FN(outer_menu)[][LSTMC_SLOTS] = {ROW_MENU(1), ROW_MENU(2), ROW_MENU(3)};
#endif
#undef OUTER
#undef ROW
#undef ROW_MENU

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
    /* each tile fetches its part of what the first tile of the next call would wait for */
    const ptrdiff_t step = s->b_next ? (s->bs * (ptrdiff_t)sizeof(T) + s->n_tiles - 1) / s->n_tiles : 0;
    for (ptrdiff_t i = 0; i < s->n_tiles; i++) {
        const lstmc_tile t = s->m_tiles[i];
        const T *a = (const T *)s->a + (t.row - s->m_tiles[0].row) * s->a_rows;
        T *c = (T *)s->c + t.row * s->ldc;
        const FN(fetch) next = {s->b_next ? (const char *)s->b_next + i * s->n * step : (const char *)c, step};
        for (int lane = 0; lane < FN(NU); lane += VL)
            FN(outer_menu)[t.mr - 1][s->nb - 1](s, c + lane, a, (const T *)s->b + lane, next);
    }
}
