/* train.h -- what a training step needs beside the layers: softmax, the squared norm, optimizer updates.
 *
 * Sums over features use sixteen virtual lanes and one combining tree on every instruction set; the squared
 * norm sums blocks of 4096 that way and adds the blocks in index order in double. Updates are elementwise, so
 * they may be split anywhere. They follow Keras 3, with slots s0, s1, s2 in the order of their names here; those in
 * brackets are NULL unless an option wants them:
 *   sgd       m          m = momentum m - lr g;  w += m, or momentum m - lr g with nesterov, or -lr g without [m]
 *   rmsprop   v [m] [a]  v = rho v + gain g^2;  a = rho a + gain g, which makes v - a^2 of v below;
 *                        d = lr g / sqrt(v + eps);  m = momentum m + d;  w -= m (or d)
 *                        (gain is 1 - rho; adagrad is rho = gain = 1)
 *   adam      m v [h]    m += (g - m)(1 - beta1);  v += (g^2 - v)(1 - beta2);  h = max(h, v), which replaces v below;
 *                        w -= lr m / (sqrt(v) + eps)    (lr already holds sqrt(1 - beta2^t) / (1 - beta1^t))
 *   nadam     m v        m, v as above;  w -= lr (of_m m + of_g g) / (sqrt(v / of_v) + eps)
 *   adamax    m v        m as above;  v = max(beta2 v, |g|);  w -= lr m / (v + eps)    (lr already holds 1 / (1 - beta1^t))
 *   adadelta  v d        v = rho v + gain g^2;  x = g sqrt(d + eps) / sqrt(v + eps);  d = rho d + gain x^2;  w -= lr x
 *   lion      m          w -= lr sign(beta1 m + (1 - beta1) g);  m = beta2 m + (1 - beta2) g
 * rho is beta2. A slot's new value is 0 where it is below the smallest normal number, but not lion's, whose sign counts. Before that, g is multiplied by `scale` and brought to -clip .. clip, and w is multiplied by 1 - lr*decay. Where g is
 * NULL it is 0 throughout. */
enum { FN(LANES) = 16, FN(NV16) = FN(LANES) / VL, FN(SUM_BLOCK) = 4096 };

INLINE T FN(tree16)(const V *acc)
{
    T t[FN(LANES)];
    for (int i = 0; i < FN(NV16); i++) v_store(t + i * VL, acc[i]);
    for (int i = 0; i < 8; i++) t[i] += t[i + 8];
    for (int i = 0; i < 4; i++) t[i] += t[i + 4];
    return (t[0] + t[2]) + (t[1] + t[3]);
}

/* the vector at i .. i+VL-1 of n, zero beyond n */
INLINE V FN(load_upto)(const T *p, ptrdiff_t i, ptrdiff_t n)
{
    return i + VL <= n ? v_load(p + i) : i < n ? v_load_n(p + i, n - i) : v_set1(0);
}
INLINE void FN(store_upto)(T *p, ptrdiff_t i, ptrdiff_t n, V v)
{
    if (i + VL <= n) v_store(p + i, v);
    else v_store_n(p + i, v, n - i);
}

/* the sum of a[i] b[i], of a[i] without `two` */
INLINE T FN(sum_terms)(const T *a, const T *b, ptrdiff_t n, const int two)
{
    V acc[FN(NV16)];        /* in registers only if all is unrolled */
    ptrdiff_t i = 0;
    UNROLL
    for (int l = 0; l < FN(NV16); l++) acc[l] = v_set1(0);
    for (; i + FN(LANES) <= n; i += FN(LANES))
        UNROLL
        for (int l = 0; l < FN(NV16); l++) acc[l] = v_fma(v_load(a + i + l * VL), two ? v_load(b + i + l * VL) : v_set1(1), acc[l]);
    UNROLL
    for (int l = 0; l < FN(NV16); l++)
        if (i + l * VL < n)
            acc[l] = v_fma(FN(load_upto)(a, i + l * VL, n), two ? FN(load_upto)(b, i + l * VL, n) : v_set1(1), acc[l]);
    return FN(tree16)(acc);
}
static T FN(sum_products)(const T *a, const T *b, ptrdiff_t n) { return FN(sum_terms)(a, b, n, 1); }
static T FN(sum)(const T *a, ptrdiff_t n) { return FN(sum_terms)(a, NULL, n, 0); }

static double FN(sumsq)(const void *src, ptrdiff_t n)
{
    double total = 0;
    for (ptrdiff_t i = 0; i < n; i += FN(SUM_BLOCK)) {
        const T *s = (const T *)src + i;
        total += (double)FN(sum_products)(s, s, n - i < FN(SUM_BLOCK) ? n - i : FN(SUM_BLOCK));
    }
    return total;
}

/* dst = exp(x - max x) / sum; a row with a NaN becomes NaN throughout */
static void FN(softmax)(void *dst, const void *src, ptrdiff_t rows, ptrdiff_t n)
{
    for (ptrdiff_t r = 0; r < rows; r++) {
        const T *x = (const T *)src + r * n;
        T *y = (T *)dst + r * n, top = n ? x[0] : 0;
        for (ptrdiff_t i = 1; i < n; i++) top = x[i] > top || x[i] != x[i] ? x[i] : top;
        for (ptrdiff_t i = 0; i < n; i += VL)
            FN(store_upto)(y, i, n, FN(v_exp)(v_sub(FN(load_upto)(x, i, n), v_set1(top))));
        const V total = v_set1(FN(sum)(y, n));
        for (ptrdiff_t i = 0; i < n; i += VL) FN(store_upto)(y, i, n, v_div(FN(load_upto)(y, i, n), total));
    }
}

/* dx = y (dy - sum y dy) */
static void FN(softmax_bwd)(void *dst, const void *y_, const void *dy_, ptrdiff_t rows, ptrdiff_t n)
{
    for (ptrdiff_t r = 0; r < rows; r++) {
        const T *y = (const T *)y_ + r * n, *dy = (const T *)dy_ + r * n;
        const V dot = v_set1(FN(sum_products)(y, dy, n));
        for (ptrdiff_t i = 0; i < n; i += VL)
            FN(store_upto)((T *)dst + r * n, i, n, v_mul(FN(load_upto)(y, i, n), v_sub(FN(load_upto)(dy, i, n), dot)));
    }
}

static const T FN(zeros)[VL];

/* what is left after the last whole vector, n < VL elements: the rule on one vector of copies */
static NOINLINE void FN(update_rest)(lstmc_rule rule, T *w, const T *g, T *s0, T *s1, T *s2, ptrdiff_t n, const lstmc_update *u)
{
    T copies[5][VL] = {{0}}, *const live[5] = {w, s0, s1, s2, (T *)g};
    for (int k = 0; k < 5; k++)
        if (live[k]) memcpy(copies[k], live[k], n * sizeof(T));
    rule(copies[0], g ? copies[4] : NULL, s0 ? copies[1] : NULL, s1 ? copies[2] : NULL, s2 ? copies[3] : NULL, VL, u);
    for (int k = 0; k < 4; k++)
        if (live[k]) memcpy(live[k], copies[k], n * sizeof(T));
}

/* A mean of gradients that have become 0 decays; among the subnormal numbers it would stay, and each operation on one takes a processor up to a
 * hundred times as long: a step of Adam with 1,900 such values of 10,400 took 71 us instead of 13. */
INLINE V FN(or_zero)(V v)
{
    return v_sel_neg(v_sub(v_abs(v), v_set1((T)(REAL == 32 ? 0x1p-126 : 0x1p-1022))), v_set1(0), v);
}

#define UPDATE(name) static void FN(name)(void *w_, const void *g_, void *s0_, void *s1_, void *s2_, ptrdiff_t n, const lstmc_update *u)
#define UPDATE_EACH                                                                                  \
    T *w = w_, *s0 = s0_, *s1 = s1_, *s2 = s2_;                                                      \
    const T *g0 = g_ ? g_ : FN(zeros);                                                               \
    const ptrdiff_t along = g_ ? VL : 0;                                                             \
    const V scale = v_set1((T)u->scale), most = v_set1((T)u->clip), least = v_set1((T)-u->clip);     \
    const V keep = v_set1((T)(1 - u->lr * u->decay)), lr = v_set1((T)u->lr), eps = v_set1((T)u->eps); \
    (void)eps;                                                                                       \
    for (; n >= VL; n -= VL, w += VL, g0 += along, s0 += s0 ? VL : 0, s1 += s1 ? VL : 0, s2 += s2 ? VL : 0) { \
        /* a NaN passes both bounds: they give the second where one is NaN */                        \
        const V g = v_min(most, v_max(least, v_mul(v_load(g0), scale)));                             \
        V x = v_mul(v_load(w), keep);
#define UPDATE_DONE(name)                                                                            \
        v_store(w, x);                                                                               \
    }                                                                                                \
    if (n) FN(update_rest)(FN(name), w, g_ ? g0 : NULL, s0, s1, s2, n, u);

UPDATE(sgd)
{
    const V momentum = v_set1((T)u->momentum);
    UPDATE_EACH
    V d = v_mul(lr, g);
    if (s0) {
        const V m = FN(or_zero)(v_sub(v_mul(momentum, v_load(s0)), d));
        v_store(s0, m);
        d = u->nesterov ? v_sub(d, v_mul(momentum, m)) : v_sub(v_set1(0), m);
    }
    x = v_sub(x, d);
    UPDATE_DONE(sgd)
}

UPDATE(rmsprop)
{
    const V rho = v_set1((T)u->beta2), gain = v_set1((T)u->gain), momentum = v_set1((T)u->momentum);
    UPDATE_EACH
    V v = FN(or_zero)(v_fma(rho, v_load(s0), v_mul(gain, v_mul(g, g))));
    v_store(s0, v);
    if (s2) {
        const V a = FN(or_zero)(v_fma(rho, v_load(s2), v_mul(gain, g)));
        v_store(s2, a);
        v = v_sub(v, v_mul(a, a));
    }
    V d = v_div(v_mul(lr, g), v_sqrt(v_add(v, eps)));
    if (s1) {
        d = FN(or_zero)(v_fma(momentum, v_load(s1), d));
        v_store(s1, d);
    }
    x = v_sub(x, d);
    UPDATE_DONE(rmsprop)
}

/* the moments of adam: the running means of g and of g^2 */
INLINE V FN(moment)(T *p, V g, V rest)
{
    const V old = v_load(p), m = FN(or_zero)(v_fma(v_sub(g, old), rest, old));
    v_store(p, m);
    return m;
}

UPDATE(adam)
{
    const V rest1 = v_set1((T)(1 - u->beta1)), rest2 = v_set1((T)(1 - u->beta2));
    UPDATE_EACH
    const V m = FN(moment)(s0, g, rest1);
    V v = FN(moment)(s1, v_mul(g, g), rest2);
    if (s2) {
        v = v_max(v_load(s2), v);
        v_store(s2, v);
    }
    x = v_sub(x, v_div(v_mul(lr, m), v_add(v_sqrt(v), eps)));
    UPDATE_DONE(adam)
}

UPDATE(nadam)
{
    const V rest1 = v_set1((T)(1 - u->beta1)), rest2 = v_set1((T)(1 - u->beta2));
    const V of_m = v_set1((T)u->of_m), of_g = v_set1((T)u->of_g), of_v = v_set1((T)u->of_v);
    UPDATE_EACH
    const V m = FN(moment)(s0, g, rest1), v = FN(moment)(s1, v_mul(g, g), rest2);
    x = v_sub(x, v_div(v_mul(lr, v_fma(of_g, g, v_mul(of_m, m))), v_add(v_sqrt(v_div(v, of_v)), eps)));
    UPDATE_DONE(nadam)
}

UPDATE(adamax)
{
    const V rest1 = v_set1((T)(1 - u->beta1)), beta2 = v_set1((T)u->beta2);
    UPDATE_EACH
    const V m = FN(moment)(s0, g, rest1), v = FN(or_zero)(v_max(v_mul(beta2, v_load(s1)), v_abs(g)));
    v_store(s1, v);
    x = v_sub(x, v_div(v_mul(lr, m), v_add(v, eps)));
    UPDATE_DONE(adamax)
}

UPDATE(adadelta)
{
    const V rho = v_set1((T)u->beta2), gain = v_set1((T)u->gain);
    UPDATE_EACH
    const V v = FN(or_zero)(v_fma(rho, v_load(s0), v_mul(gain, v_mul(g, g)))), old = v_load(s1);
    const V d = v_div(v_mul(v_sqrt(v_add(old, eps)), g), v_sqrt(v_add(v, eps)));
    v_store(s0, v);
    v_store(s1, FN(or_zero)(v_fma(rho, old, v_mul(gain, v_mul(d, d)))));
    x = v_sub(x, v_mul(lr, d));
    UPDATE_DONE(adadelta)
}

UPDATE(lion)
{
    const V beta1 = v_set1((T)u->beta1), rest1 = v_set1((T)(1 - u->beta1)), beta2 = v_set1((T)u->beta2), rest2 = v_set1((T)(1 - u->beta2));
    const V huge = v_set1((T)(REAL == 32 ? 0x1p100 : 0x1p600)), one = v_set1(1);     /* any number but 0 times both of these is beyond 1 */
    UPDATE_EACH
    const V old = v_load(s0), c = v_mul(v_mul(v_fma(beta1, old, v_mul(rest1, g)), huge), huge);
    v_store(s0, v_fma(beta2, old, v_mul(rest2, g)));
    x = v_sub(x, v_mul(lr, v_min(one, v_max(v_set1(-1), c))));
    UPDATE_DONE(lion)
}
#undef UPDATE
#undef UPDATE_EACH
#undef UPDATE_DONE
