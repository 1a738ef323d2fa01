/* tile.h -- sizes of tiles and strips, and loads and stores of rows whose columns may end or be apart. */

enum { FN(MAX_ACC) = LSTMC_MAX_ACC, FN(STRIP_K) = TILE_ROWS < 6 ? LSTMC_STRIP_K_SHORT : LSTMC_STRIP_K };

/* slices that a tile of mr rows takes at once, where it can: [mr - 1] */
static const int FN(slices)[] = {TILE_SLICES_1, TILE_SLICES_2, TILE_SLICES_3, 1, 1, 1};

/* the width of the first of as few pieces as possible, none wider than `most`, into which n slices are cut evenly */
INLINE ptrdiff_t FN(width)(ptrdiff_t n, ptrdiff_t most)
{
    if (n <= most || most == 1) return n < most ? n : most;
    const ptrdiff_t pieces = (n + most - 1) / most;
    return (n + pieces - 1) / pieces;
}

/* depth of the strips, of `deepest` at most, into which a chain of K, in runs of `run`, is cut; a lone tile reads every weight once anyway */
INLINE ptrdiff_t FN(strip_depth)(ptrdiff_t K, ptrdiff_t run, ptrdiff_t n_tiles, ptrdiff_t deepest)
{
    if (n_tiles == 1 || K <= deepest) return K;
    const ptrdiff_t most = run < deepest ? deepest / run * run : run, n = (K + most - 1) / most;
    return ((K + n - 1) / n + run - 1) / run * run;
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

/* VL lanes from column c0 on of a row of N values with stride s; lanes beyond N read 0 */
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
