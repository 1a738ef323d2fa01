/* k_tile.h -- the one multiply-accumulate loop, and the row, column and addend loads around it.
 *
 * A tile is mr rows by nq slices by nb blocks of accumulators: acc[(r*nq + q)*nb + g]. `tile_fma` adds
 * A[r][k] * B[k][g][slice] for ascending k; everything that multiplies matrices in the core calls it.
 *
 * Weights come in strips: one panel (or column group) wide, at most STRIP_K deep, small enough to stay in the second-level
 * cache while all row tiles meet it. Tiles of few rows ask too much of that cache: their strips stay in the first. While they
 * do, the strip after it comes closer, a cache line per k: a first tile that waited for its strip would cost more than the
 * others together. */

enum { FN(MAX_ACC) = LSTMC_MAX_ACC, FN(STRIP_K) = TILE_ROWS < 6 ? LSTMC_STRIP_K_SHORT : LSTMC_STRIP_K };

/* Lines fetched while a loop over k runs: at + k*step. Nothing to fetch is a line that is near, and if it would be owned,
 * the thread's own, again and again: cheaper than a branch, and never an address without a page. */
typedef struct {
    const char *at;
    ptrdiff_t step;
} FN(fetch);

/* One visit of a tile to a strip of the runs or values k0 <= k < k1 of its chain; sums wait in `acc` between visits. */
typedef struct {
    ptrdiff_t k0, k1;
    T *acc;
    FN(fetch) next;         /* the weights that it fetches for later visits */
} FN(visit);

/* What the end of a chain needs, fetched while its first n runs pass */
typedef struct {
    FN(fetch) run[8];
    int n;
} FN(lines);

INLINE FN(fetch) FN(after)(FN(fetch) f, ptrdiff_t k)
{
    f.at += k * f.step;
    return f;
}

/* depth of the strips into which a chain of K is cut; a lone tile reads every weight once anyway */
INLINE ptrdiff_t FN(strip_depth)(ptrdiff_t K, ptrdiff_t most, ptrdiff_t n_tiles)
{
    const ptrdiff_t n = (K + most - 1) / most;
    return n_tiles == 1 || n < 2 ? K : (K + n - 1) / n;
}

/* Where the sums of tile i from slice q of n on wait between visits: in `sums`, should another call go on with them. */
INLINE T *FN(waiting)(void *sums, ptrdiff_t i, ptrdiff_t q, ptrdiff_t n, T *otherwise)
{
    return sums ? (T *)sums + (i * n + q) * FN(MAX_ACC) * VL : otherwise;
}

/* slices that a tile of mr rows takes at once, where it can: [mr - 1] */
static const int FN(slices)[] = {TILE_SLICES_1, TILE_SLICES_2, TILE_SLICES_3, 1, 1, 1};

/* the width of the first of as few pieces as possible, none wider than `most`, into which n slices are cut evenly */
INLINE ptrdiff_t FN(width)(ptrdiff_t n, ptrdiff_t most)
{
    const ptrdiff_t pieces = (n + most - 1) / most;
    return n > 0 ? (n + pieces - 1) / pieces : 1;
}

/* Slices, of n, between two turns of the outer loop: a block of units, or what a lone tile takes at once. The loop runs
 * up in one time step and down in the next, so that a step begins with the weights that caches still hold; a lone row
 * whose `lines` of weights nearly fit the first-level cache takes fewer, so that there is an up and a down. */
INLINE ptrdiff_t FN(block_slices)(const lstmc_tile *tiles, ptrdiff_t n_tiles, ptrdiff_t n, ptrdiff_t lines)
{
    const ptrdiff_t most = n_tiles == 1 ? FN(slices)[tiles[0].mr - 1] : 1;
    const ptrdiff_t wide = FN(width)(n, most == 4 && lines * LSTMC_BLOCK_BYTES <= LSTMC_NARROW_BYTES ? 2 : most);
    return wide > FN(NS) ? wide : FN(NS);
}

/* Visit i of a strip fetches the i-th part of the strip at b, `lines` long; those after its end fetch its end again.
 * Only where the weights of a time step, `total` lines, are too many for caches and prefetchers of the machine; a tile of
 * few rows, `width` slices wide, reads them as fast as they come anyway. */
INLINE void FN(fetch_part)(FN(visit) *v, const T *b, ptrdiff_t lines, ptrdiff_t i, ptrdiff_t depth, ptrdiff_t total,
                           ptrdiff_t width)
{
    const ptrdiff_t last = lines > depth ? lines - depth : 0, far = width == 1 && total > LSTMC_FAR_BYTES / LSTMC_BLOCK_BYTES;
    v->next.step = far ? LSTMC_BLOCK_BYTES : 0;
    v->next.at = (const char *)b + v->next.step * (i * depth < last ? i * depth : last);
}

/* Part i of n of what the next step reads of these rows, len values of stride s: `ahead` bytes from here, 0: unknown. */
INLINE void FN(fetch_rows)(const T *const *a, const int mr, ptrdiff_t ahead, ptrdiff_t i, ptrdiff_t n, ptrdiff_t s, ptrdiff_t len)
{
    const ptrdiff_t part = ((len + FN(NU) - 1) / FN(NU) + n - 1) / n * FN(NU), end = (i + 1) * part < len ? (i + 1) * part : len;
    for (ptrdiff_t k = i * part; ahead && k < end; k += FN(NU))
        UNROLL
        for (int r = 0; r < mr; r++) PREFETCH((const char *)(a[r] + k * s) + ahead);
}

INLINE void FN(tile_fma)(V *acc, const int mr, const int nq, const int nb, const T *const *a, ptrdiff_t as,
                         const T *const *b, ptrdiff_t bs, ptrdiff_t K, FN(fetch) next, FN(fetch) own)
{
    const T *ar[LSTMC_MAX_ROWS], *bq[TILE_SLICES_1];
    UNROLL
    for (int r = 0; r < mr; r++) ar[r] = a[r];
    UNROLL
    for (int q = 0; q < nq; q++) bq[q] = b[q];
    for (ptrdiff_t k = 0, ka = 0; k < K; k++, ka += as) {
        PREFETCH_FAR(next.at + k * next.step);
        PREFETCH_OWN(own.at + k * own.step);
        UNROLL
        for (int q = 0; q < nq; q++) {
            if (TILE_ROWS * nb < 16) {       /* 16 registers: broadcasts stay, weight vectors pass through */
                V av[LSTMC_MAX_ROWS];
                UNROLL
                for (int r = 0; r < mr; r++) av[r] = v_set1(ar[r][ka]);
                UNROLL
                for (int g = 0; g < nb; g++) {
                    V bv = v_load(bq[q] + g * FN(NU));
                    UNROLL
                    for (int r = 0; r < mr; r++)
                        acc[(r * nq + q) * nb + g] = v_fma(av[r], bv, acc[(r * nq + q) * nb + g]);
                }
            } else {                         /* 32 registers: weight vectors stay, broadcasts pass through */
                V bv[LSTMC_GATES];
                UNROLL
                for (int g = 0; g < nb; g++) bv[g] = v_load(bq[q] + g * FN(NU));
                UNROLL
                for (int r = 0; r < mr; r++) {
                    V av = v_set1(ar[r][ka]);
                    UNROLL
                    for (int g = 0; g < nb; g++)
                        acc[(r * nq + q) * nb + g] = v_fma(av, bv[g], acc[(r * nq + q) * nb + g]);
                }
            }
            bq[q] += bs;
        }
    }
}

/* n of the block's VL lanes starting at column c0 of a row of N values with stride s; lanes beyond N read 0 */
INLINE V FN(load_cols)(const T *row, ptrdiff_t s, ptrdiff_t c0, ptrdiff_t N)
{
    ptrdiff_t n = N - c0;
    T t[VL];
    if (s == 1 && n >= VL) return v_load(row + c0);
    if (s == 1 && n > 0) return v_load_n(row + c0, n);
    for (int i = 0; i < VL; i++) t[i] = i < n ? row[(c0 + i) * s] : (T)0;
    return v_load(t);
}

INLINE void FN(store_cols)(T *row, ptrdiff_t s, ptrdiff_t c0, ptrdiff_t N, V v)
{
    ptrdiff_t n = N - c0;
    T t[VL];
    if (s == 1 && n >= VL) {
        v_store(row + c0, v);
    } else if (s == 1 && n > 0) {
        v_store_n(row + c0, v, n);
    } else if (n > 0) {
        v_store(t, v);
        for (int i = 0; i < VL && i < n; i++) row[(c0 + i) * s] = t[i];
    }
}
