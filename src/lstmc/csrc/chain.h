/* chain.h -- the multiply-accumulate loop, the chain of runs around it, and the one menu of tile shapes.
 *
 * A tile is mr rows by nq slices by nb blocks of sums: acc[(r*nq + q)*nb + v]. `tile_fma` adds A[r][k] * B[k][v][slice] for
 * ascending k, blocks of B bg apart; everything that multiplies matrices in the core calls it. With `apart`, block v takes A[r][k][v]. A chain takes sums where
 * they are, extends them by its part of a product and leaves them for whoever comes next: it knows no cell and no layer. */

/* Lines fetched while a loop over k runs: at + k*step. Nothing to fetch is a line that is near, and if it would be owned, the
 * thread's own, again and again: cheaper than a branch, and never an address without a page. */
typedef struct {
    const char *at;
    ptrdiff_t step;
} FN(fetch);

/* One visit of a tile to values k0 <= k < k1 of a product */
typedef struct {
    ptrdiff_t row, k0, k1;
    const T *from[TILE_SLICES_1];       /* the sums so far of slice q: those of row r, block v at from[q] + r*from_rs + v*NU */
    ptrdiff_t from_rs;
    T *acc[TILE_SLICES_1];              /* receive them, rows acc_rs apart */
    ptrdiff_t acc_rs;
    const T *b[TILE_SLICES_1];          /* weights of slice q at k0 */
    FN(fetch) next;                     /* weights of later visits */
    FN(fetch) line[LSTMC_MAX_LINES];    /* what the end of the chain needs: range i is fetched while run i passes */
    int n_lines;
} FN(visit);

INLINE FN(fetch) FN(after)(FN(fetch) f, ptrdiff_t k)
{
    f.at += k * f.step;
    return f;
}

/* mr rows by nq slices by nb blocks; constants wherever it is used */
typedef struct { int mr, nq, nb; } FN(shape);

/* What a tile multiplies: row r and slice q begin at a[r] and b[q]; steps of k, and from block to block of b */
typedef struct {
    const T *const *a, *const *b;
    ptrdiff_t as, bs, bg;
} FN(factors);

/* Lines that come meanwhile: to be read from afar, to be written, and (NULL: none) to be read */
typedef struct {
    FN(fetch) next, own;
    const FN(fetch) *read;
} FN(fetches);

INLINE void FN(tile_fma)(V *acc, const FN(shape) tile, FN(factors) f, ptrdiff_t K, FN(fetches) come, const int apart)
{
    const int mr = tile.mr, nq = tile.nq, nb = tile.nb;
    const T *ar[LSTMC_MAX_ROWS], *bq[TILE_SLICES_1];
    UNROLL
    for (int r = 0; r < mr; r++) ar[r] = f.a[r];
    UNROLL
    for (int q = 0; q < nq; q++) bq[q] = f.b[q];
    const char *to_read = come.read ? come.read->at : NULL;
    const T *const end = f.b[0] + K * f.bs;
    /* Nothing is found from k: registers are scarce. A tile of several slices ends by its weights: by a count it takes 6 % longer. */
    for (ptrdiff_t ka = 0; nq > 1 ? bq[0] != end : K > 0; K--, ka += f.as) {
        if (nq == 1) {      /* a tile of several slices reads weights as fast as they come, and loads are its limit */
            PREFETCH_FAR(come.next.at);
            PREFETCH_OWN(come.own.at);
            if (come.read) PREFETCH(to_read);
            come.next.at += come.next.step, come.own.at += come.own.step;
            if (come.read) to_read += come.read->step;
        }
        UNROLL
        for (int q = 0; q < nq; q++) {
            if (TILE_ROWS * nb < 16) {       /* 16 registers: broadcasts stay, weight vectors pass through */
                V av[LSTMC_MAX_ROWS];
                UNROLL
                for (int r = 0; r < mr; r++) av[r] = v_set1(ar[r][ka]);
                UNROLL
                for (int g = 0; g < nb; g++) {
                    V bv = v_load(bq[q] + g * f.bg);
                    UNROLL
                    for (int r = 0; r < mr; r++)
                        acc[(r * nq + q) * nb + g] = v_fma(apart ? v_set1(ar[r][ka + g]) : av[r], bv, acc[(r * nq + q) * nb + g]);
                }
            } else {                         /* 32 registers: weight vectors stay, broadcasts pass through */
                V bv[LSTMC_SLOTS];
                UNROLL
                for (int g = 0; g < nb; g++) {
                    bv[g] = v_load(bq[q] + g * f.bg);
                    if (mr == 2 || mr == 3) v_hold(bv[g]);
                }
                UNROLL
                for (int r = 0; r < mr; r++) {
                    V av = v_set1(ar[r][ka]);
                    UNROLL
                    for (int g = 0; g < nb; g++)
                        acc[(r * nq + q) * nb + g] = v_fma(apart ? v_set1(ar[r][ka + g]) : av, bv[g], acc[(r * nq + q) * nb + g]);
                }
            }
            bq[q] += f.bs;
            if (nq > 2) HOLD(bq[q]);
        }
    }
}

/* row j of an operand */
INLINE const T *FN(row_of)(const lstmc_operand *A, ptrdiff_t j)
{
    return A->rows ? (const T *)A->rows[j] : (const T *)A->a + j * A->row_stride;
}

/* the sums of a visit, from where they are */
INLINE void FN(take)(V *acc, const FN(visit) *v, const FN(shape) tile)
{
    const int mr = tile.mr, nq = tile.nq, nb = tile.nb;
    UNROLL
    for (int r = 0; r < mr; r++)
        UNROLL
        for (int q = 0; q < nq; q++)
            UNROLL
            for (int g = 0; g < nb; g++) acc[(r * nq + q) * nb + g] = v_load(v->from[q] + r * v->from_rs + g * FN(NU));
}

/* How far a visit has come: rows and weights at value k */
typedef struct {
    const T *a[LSTMC_MAX_ROWS], *b[TILE_SLICES_1];
    FN(fetch) next;
    ptrdiff_t k;
    int line;
} FN(progress);

/* The next m values, which lie `as` apart from c->a on. */
INLINE void FN(extend_run)(V *acc, FN(progress) *c, const FN(visit) *v, const FN(shape) tile, ptrdiff_t as, ptrdiff_t m, const FN(fetch) *read,
                           const int apart)
{
    const ptrdiff_t bs = tile.nb * FN(NU);
    const char *line = (const char *)v->acc[0];
    ptrdiff_t step = 0;
    if (c->line < v->n_lines) line = v->line[c->line].at, step = v->line[c->line].step;
    FN(tile_fma)(acc, tile, (FN(factors)){c->a, c->b, as, bs, FN(NU)}, m, (FN(fetches)){c->next, {line, step}, read}, apart);
    c->next = FN(after)(c->next, m);
    c->line++;
    c->k += m;
    UNROLL
    for (int q = 0; q < tile.nq; q++) c->b[q] += m * bs;
}

/* The runs of an operand that the visit has, full ones and then those of the tail; `begin`: the operand's first value in the chain */
INLINE void FN(extend_runs)(V *acc, FN(progress) *c, const FN(visit) *v, const FN(shape) tile, const lstmc_operand *A, ptrdiff_t begin)
{
    const int mr = tile.mr;
    ptrdiff_t n = A->n_full, len = A->full_len, stride = A->full_stride, origin = 0;
    for (int tail = 0; tail < 2; tail++) {
        const ptrdiff_t all = begin + n * len, end = all < v->k1 ? all : v->k1;
        if (c->k < end) {
            const ptrdiff_t run = c->k == begin ? 0 : (c->k - begin) / len;
            ptrdiff_t skip = c->k - begin - run * len;
            UNROLL
            for (int r = 0; r < mr; r++) c->a[r] = FN(row_of)(A, v->row + r) + origin + run * stride + skip * A->k_stride;
            do {
                const ptrdiff_t m = len - skip < end - c->k ? len - skip : end - c->k, more = c->k + m < end;
                /* rows of the next run are in another panel; consecutive rows lie side by side there */
                const FN(fetch) read = {(const char *)(c->a[0] + more * stride), more * (mr * (ptrdiff_t)sizeof(T))};
                FN(extend_run)(acc, c, v, tile, A->k_stride, m, &read, 0);
                UNROLL
                for (int r = 0; r < mr; r++) c->a[r] += stride - skip * A->k_stride;
                skip = 0;
            } while (c->k < end);
        }
        begin = all, origin = n * stride;
        n = A->n_tail, len = A->tail_len, stride = A->tail_stride;
    }
}

/* ... extended by its part of the product, whose operands may have several runs or have one each ... */
INLINE void FN(extend)(V *acc, const FN(visit) *v, const FN(shape) tile, const lstmc_product *P, const int runs)
{
    FN(progress) c;
    c.next = v->next, c.k = v->k0, c.line = 0;
    UNROLL
    for (int q = 0; q < tile.nq; q++) c.b[q] = v->b[q];
    ptrdiff_t begin = 0, end;
    for (const lstmc_operand *A = P->a; c.k < v->k1; A++, begin = end) {
        end = begin + A->n_full * A->full_len + A->n_tail * A->tail_len;
        if (c.k >= end) continue;
        if (runs && (A->n_full != 1 || A->n_tail)) {
            FN(extend_runs)(acc, &c, v, tile, A, begin);
            continue;
        }
        UNROLL
        for (int r = 0; r < tile.mr; r++) c.a[r] = FN(row_of)(A, v->row + r) + (c.k - begin) * A->k_stride;
        const ptrdiff_t m = (end < v->k1 ? end : v->k1) - c.k;
        if (runs && tile.nq == 1 && tile.nb >= LSTMC_SLOTS - 1 && A->apart) FN(extend_run)(acc, &c, v, tile, A->k_stride, m, NULL, 1);
        else FN(extend_run)(acc, &c, v, tile, A->k_stride, m, NULL, 0);
    }
}

/* ... and left where they wait or are wanted. */
INLINE void FN(leave)(const V *acc, const FN(visit) *v, const FN(shape) tile)
{
    const int mr = tile.mr, nq = tile.nq, nb = tile.nb;
    UNROLL
    for (int r = 0; r < mr; r++)
        UNROLL
        for (int q = 0; q < nq; q++)
            UNROLL
            for (int g = 0; g < nb; g++) v_store(v->acc[q] + r * v->acc_rs + g * FN(NU), acc[(r * nq + q) * nb + g]);
}

typedef void (*FN(chain_fn))(const FN(visit) *, const lstmc_product *);
#define CHAIN(mr, nq, nb)                                                                   \
    static void FN(chain_##mr##x##nq##x##nb)(const FN(visit) *v, const lstmc_product *P)    \
    {                                                                                       \
        V acc[FN(MAX_ACC)];                                                                 \
        const FN(shape) tile = {mr, nq, nb};                                                \
        FN(take)(acc, v, tile);                                                             \
        FN(extend)(acc, v, tile, P, 1);                                                     \
        FN(leave)(acc, v, tile);                                                            \
    }
#define ROW(mr) CHAIN(mr, 1, 1) CHAIN(mr, 1, 2) CHAIN(mr, 1, 3) CHAIN(mr, 1, 4)
#define WIDE(mr, nq) CHAIN(mr, nq, 3) CHAIN(mr, nq, 4)
#define ROW_MENU(mr) {0, FN(chain_##mr##x1x1), FN(chain_##mr##x1x2), FN(chain_##mr##x1x3), FN(chain_##mr##x1x4)}
#define WIDE_MENU(mr, nq) {0, 0, 0, FN(chain_##mr##x##nq##x3), FN(chain_##mr##x##nq##x4)}
ROW(1)
ROW(2)
ROW(3)
WIDE(1, 2)
/* [mr - 1][nq - 1][nb]: several slices at once only of three blocks and more */
#if TILE_SLICES_1 == 4
ROW(4)
ROW(5)
ROW(6)
WIDE(1, 3)
WIDE(1, 4)
WIDE(2, 2)
WIDE(3, 2)
static const FN(chain_fn) FN(chain_menu)[][TILE_SLICES_1][LSTMC_SLOTS + 1] = {
    {ROW_MENU(1), WIDE_MENU(1, 2), WIDE_MENU(1, 3), WIDE_MENU(1, 4)}, {ROW_MENU(2), WIDE_MENU(2, 2)},
    {ROW_MENU(3), WIDE_MENU(3, 2)}, {ROW_MENU(4)}, {ROW_MENU(5)}, {ROW_MENU(6)}};
#else
static const FN(chain_fn) FN(chain_menu)[][TILE_SLICES_1][LSTMC_SLOTS + 1] = {
    {ROW_MENU(1), WIDE_MENU(1, 2)}, {ROW_MENU(2)}, {ROW_MENU(3)}};
#endif
#undef CHAIN
#undef ROW
#undef WIDE
#undef ROW_MENU
#undef WIDE_MENU
