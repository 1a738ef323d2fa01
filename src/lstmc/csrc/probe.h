/* probe.h -- what one core can do at best: multiply-adds out of registers, bytes out of a buffer. For benchmarks only.
 *
 * Written in the kernels' own vocabulary, so that a limit belongs to the instruction set that it is a limit of. Both
 * return how much work they have done, so that a caller need not know widths. The sums decide a branch that is never
 * taken; a compiler that may not reassociate has to compute them for it. */

/* chains: two units with a latency of four need eight; more than a dozen do not fit into 16 registers */
enum { FN(CHAINS) = TILE_ROWS * LSTMC_SLOTS < 24 ? 12 : 24, FN(READS) = 8 };

INLINE double FN(folded)(const V *c, const int n)
{
    T lanes[VL];
    double total = 0;
    for (int i = 0; i < n; i++) {
        v_store(lanes, c[i]);
        for (int j = 0; j < VL; j++) total += lanes[j];
    }
    return total;
}

/* n rounds of c = c m + a in every chain; returns floating-point operations. All tend to a / (1 - m) = 1, so that nothing
 * overflows or becomes subnormal, each from a start of its own, so that no two are the same computation. */
static double FN(probe_fma)(ptrdiff_t n)
{
    const V m = v_set1((T)0.5), a = v_set1((T)0.5);
    V c[FN(CHAINS)];
    UNROLL
    for (int i = 0; i < FN(CHAINS); i++) c[i] = v_set1((T)i);
    for (ptrdiff_t k = 0; k < n; k++) {
        UNROLL
        for (int i = 0; i < FN(CHAINS); i++) c[i] = v_fma(c[i], m, a);
    }
    return FN(folded)(c, FN(CHAINS)) < 0 ? 0 : 2.0 * FN(CHAINS) * VL * (double)n;
}

/* `repeats` passes over a buffer of numbers that are not negative; returns bytes read. What does not fill a round of
 * READS vectors at the end is left out. */
static double FN(probe_read)(const void *src, ptrdiff_t bytes, ptrdiff_t repeats)
{
    const T *p = src;
    const ptrdiff_t step = FN(READS) * VL, n = bytes / (ptrdiff_t)sizeof(T) / step * step;
    V c[FN(READS)];
    UNROLL
    for (int j = 0; j < FN(READS); j++) c[j] = v_set1(0);
    for (ptrdiff_t r = 0; r < repeats; r++)
        for (ptrdiff_t i = 0; i < n; i += step) {
            UNROLL
            for (int j = 0; j < FN(READS); j++) c[j] = v_add(c[j], v_load(p + i + j * VL));
        }
    return FN(folded)(c, FN(READS)) < 0 ? 0 : (double)sizeof(T) * (double)n * (double)repeats;
}
