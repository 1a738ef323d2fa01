/* train.h -- what a training step needs beside the layers: softmax, the squared norm, optimizer updates.
 *
 * Sums over features use sixteen virtual lanes and one combining tree on every instruction set; the squared
 * norm sums blocks of 4096 that way and adds the blocks in index order in double. Updates are elementwise, so
 * they may be split anywhere. They follow Keras 3:
 *   adam     m += (g - m)(1 - beta1);  v += (g^2 - v)(1 - beta2);  w -= lr m / (sqrt(v) + eps)
 *            (lr already holds sqrt(1 - beta2^t) / (1 - beta1^t))
 *   rmsprop  v = rho v + (1 - rho) g^2;  d = lr g / sqrt(v + eps);  m = momentum m + d;  w -= m (or d)
 *   sgd      m = momentum m - lr g;  w += m, or momentum m - lr g with nesterov, or -lr g without momentum
 * g is first multiplied by `scale` (clipping) and w by 1 - lr*decay where decay is given. */
enum { FN(LANES) = 16, FN(NV16) = FN(LANES) / VL, FN(SUM_BLOCK) = 4096 };

INLINE T FN(tree16)(const V *acc)
{
    T t[FN(LANES)];
    for (int i = 0; i < FN(NV16); i++) v_store(t + i * VL, acc[i]);
    for (int w = FN(LANES) / 2; w; w /= 2)
        for (int i = 0; i < w; i++) t[i] += t[i + w];
    return t[0];
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

static T FN(sum_products)(const T *a, const T *b, ptrdiff_t n)
{
    V acc[FN(NV16)];
    for (int l = 0; l < FN(NV16); l++) acc[l] = v_set1(0);
    for (ptrdiff_t i = 0; i < n; i += FN(LANES))
        for (int l = 0; l < FN(NV16); l++)
            acc[l] = v_fma(FN(load_upto)(a, i + l * VL, n), b ? FN(load_upto)(b, i + l * VL, n) : v_set1(1), acc[l]);
    return FN(tree16)(acc);
}

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
        const V total = v_set1(FN(sum_products)(y, NULL, n));
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

#define UPDATE_BEGIN(w_, g_)                                                                         \
    T *w = w_;                                                                                       \
    const T *g0 = g_;                                                                                \
    const V scale = v_set1((T)u->scale), keep = v_set1((T)(1 - u->lr * u->decay)), lr = v_set1((T)u->lr); \
    for (ptrdiff_t i = 0; i < n; i += VL) {                                                          \
        const V g = v_mul(FN(load_upto)(g0, i, n), scale);                                           \
        V x = v_mul(FN(load_upto)(w, i, n), keep);
#define UPDATE_END                                                                                   \
        FN(store_upto)(w, i, n, x);                                                                  \
    }

static void FN(adam)(void *w_, const void *g_, void *m_, void *v_, ptrdiff_t n, const lstmc_update *u)
{
    T *m = m_, *v = v_;
    const V b1 = v_set1((T)(1 - u->beta1)), b2 = v_set1((T)(1 - u->beta2)), eps = v_set1((T)u->eps);
    UPDATE_BEGIN(w_, g_)
    const V mi = FN(load_upto)(m, i, n), vi = FN(load_upto)(v, i, n);
    const V m1 = v_fma(v_sub(g, mi), b1, mi), v1 = v_fma(v_sub(v_mul(g, g), vi), b2, vi);
    FN(store_upto)(m, i, n, m1);
    FN(store_upto)(v, i, n, v1);
    x = v_sub(x, v_div(v_mul(lr, m1), v_add(v_sqrt(v1), eps)));
    UPDATE_END
}

static void FN(rmsprop)(void *w_, const void *g_, void *m_, void *v_, ptrdiff_t n, const lstmc_update *u)
{
    T *m = m_, *v = v_;
    const V rho = v_set1((T)u->beta2), rest = v_set1((T)(1 - u->beta2)), eps = v_set1((T)u->eps);
    const V momentum = v_set1((T)u->momentum);
    UPDATE_BEGIN(w_, g_)
    const V v1 = v_fma(rho, FN(load_upto)(v, i, n), v_mul(rest, v_mul(g, g)));
    V d = v_div(v_mul(lr, g), v_sqrt(v_add(v1, eps)));
    FN(store_upto)(v, i, n, v1);
    if (m) {
        d = v_fma(momentum, FN(load_upto)(m, i, n), d);
        FN(store_upto)(m, i, n, d);
    }
    x = v_sub(x, d);
    UPDATE_END
}

static void FN(sgd)(void *w_, const void *g_, void *m_, ptrdiff_t n, const lstmc_update *u)
{
    T *m = m_;
    const V momentum = v_set1((T)u->momentum);
    UPDATE_BEGIN(w_, g_)
    V d = v_mul(lr, g);
    if (m) {
        const V m1 = v_sub(v_mul(momentum, FN(load_upto)(m, i, n)), d);
        FN(store_upto)(m, i, n, m1);
        d = u->nesterov ? v_sub(d, v_mul(momentum, m1)) : v_sub(v_set1(0), m1);
    }
    x = v_sub(x, d);
    UPDATE_END
}
#undef UPDATE_BEGIN
#undef UPDATE_END
