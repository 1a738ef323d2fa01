/* k_tile.h -- the one multiply-accumulate loop, and the row, column and addend loads around it.
 *
 * A tile is mr rows by nq slices by nb blocks of accumulators: acc[(r*nq + q)*nb + g]. `tile_fma` adds
 * A[r][k] * B[k][g][slice] for ascending k; everything that multiplies matrices in the core calls it. */

enum { FN(MAX_ACC) = 24 };

INLINE void FN(tile_fma)(V *acc, const int mr, const int nq, const int nb, const T *const *a, ptrdiff_t as,
                         const T *const *b, ptrdiff_t bs, ptrdiff_t K)
{
    const T *ar[LSTMC_MAX_ROWS], *bq[TILE_SLICES_1];
    UNROLL
    for (int r = 0; r < mr; r++) ar[r] = a[r];
    UNROLL
    for (int q = 0; q < nq; q++) bq[q] = b[q];
    for (ptrdiff_t k = 0, ka = 0; k < K; k++, ka += as) {
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
