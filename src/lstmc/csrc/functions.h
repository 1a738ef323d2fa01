/* functions.h -- exp, sigmoid, tanh and log on vectors: one sequence of IEEE operations on every instruction set.
 *
 *   z = n ln2 + t, |t| <= ln2/2        n by adding and subtracting 1.5*2^(mantissa bits)
 *   expm1(t) = r = t + t^2 q(t)        q interpolates (e^t - 1 - t)/t^2 at Chebyshev nodes
 *   e^z = 2^n (1 + r)
 *   sigmoid(x) = {e^-|x| if x < 0, else 1} / (1 + e^-|x|)
 *   tanh(x) = copysign(-m / (m + 2), x), m = expm1(-2|x|) = 2^n r + (2^n - 1)
 *   log(x) = n ln2 + log(1 + f), x = 2^n (1 + f), 1 + f in [sqrt(1/2), sqrt(2))
 *   log(1 + f) = 2 atanh(s) = f - s (f - s^2 l(s^2)), s = f / (2 + f)      l interpolates (2 atanh(s)/s - 2)/s^2
 *
 * True division only, no estimate instructions. Measured over every float32, in units in the last place of
 * the correctly rounded value: see docs in README ("Accuracy"); at most 2 is the contract. Results that are
 * subnormal are produced as such (nothing is flushed). NaN in, NaN out: max(constant, x) keeps a NaN x. */

#if REAL == 32
#define M_MAGIC 12582912.0f                    /* 1.5 * 2^23 */
#define M_LOG2E 0x1.715476p+0f
#define M_LN2_HI 0x1.62ep-1f                   /* short: n * LN2_HI is exact */
#define M_LN2_LO 0x1.0bfbe8p-15f
#define M_SPLIT 25.0f                          /* 2^(n+25) stays normal where e^z is subnormal */
#define M_UNSPLIT 0x1p-25f
#define M_RESPLIT 0x1p+25f
#define M_EXP_MIN -104.0f                      /* below: e^z rounds to 0 */
#define M_EXP_MAX 89.0f                        /* above: infinity */
#define M_TANH_MIN -40.0f                      /* below: expm1 is -1 */
#define M_LOG_SMALL 0x1p-100f                  /* below, log takes x 2^25: it needs numbers that are far from subnormal */
#define M_LEAST 0x1p-149f
#define M_MOST 0x1.fffffep+127f
static const float FN(m_q)[] = {0x1.6d113cp-10f, 0x1.120ba2p-7f, 0x1.55551ap-5f, 0x1.5554dcp-3f, 0x1p-1f};
static const float FN(m_l)[] = {0x1.2ef516p-2f, 0x1.997bdcp-2f, 0x1.55555cp-1f};
#else
#define M_MAGIC 6755399441055744.0             /* 1.5 * 2^52 */
#define M_LOG2E 0x1.71547652b82fep+0
#define M_LN2_HI 0x1.62e42fecp-1
#define M_LN2_LO 0x1.d1cf79abc9e3bp-32
#define M_SPLIT 54.0
#define M_UNSPLIT 0x1p-54
#define M_RESPLIT 0x1p+54
#define M_EXP_MIN -746.0
#define M_EXP_MAX 710.0
#define M_TANH_MIN -60.0
#define M_LOG_SMALL 0x1p-1000
#define M_LEAST 0x1p-1074
#define M_MOST 0x1.fffffffffffffp+1023
static const double FN(m_q)[] = {0x1.1f731ea5352cap-29, 0x1.af4e196027428p-26, 0x1.27e4db57442fbp-22,
    0x1.71de021a90822p-19, 0x1.a01a01a6dcaffp-16, 0x1.a01a01abef415p-13, 0x1.6c16c16c162ccp-10,
    0x1.11111111100cep-7, 0x1.5555555555556p-5, 0x1.5555555555557p-3, 0x1p-1};
static const double FN(m_l)[] = {0x1.2b7fa64da1a6ap-3, 0x1.39fb2efe206abp-3, 0x1.7462cd53e5318p-3, 0x1.c71c628e9e0c9p-3,
    0x1.2492492e35998p-2, 0x1.9999999995077p-2, 0x1.5555555555558p-1};
#endif
enum { FN(M_DEGREE) = sizeof FN(m_q) / sizeof FN(m_q)[0], FN(M_LOG_DEGREE) = sizeof FN(m_l) / sizeof FN(m_l)[0] };

/* Functions work on n <= MATH_N vectors side by side: step by step over all of them, since one value is a chain of
 * some twenty dependent operations and the processor's window holds only a few such chains. */
enum { FN(MATH_N) = 6 };
#define EACH UNROLL for (int j = 0; j < n; j++)

/* r = expm1(t) of the reduced argument; k = magic + n */
INLINE void FN(expm1_reduced)(V *r, V *k, const V *z, const int n)
{
    const V magic = v_set1(M_MAGIC);
    V q[FN(MATH_N)], t[FN(MATH_N)];
    EACH k[j] = v_fma(z[j], v_set1(M_LOG2E), magic);
    EACH q[j] = v_sub(k[j], magic);
    EACH t[j] = v_fnma(q[j], v_set1(M_LN2_HI), z[j]);
    EACH t[j] = v_fnma(q[j], v_set1(M_LN2_LO), t[j]);
    EACH q[j] = v_fma(v_set1(FN(m_q)[0]), t[j], v_set1(FN(m_q)[1]));
    UNROLL
    for (int i = 2; i < FN(M_DEGREE); i++) EACH q[j] = v_fma(q[j], t[j], v_set1(FN(m_q)[i]));
    EACH r[j] = v_mul(t[j], t[j]);
    EACH r[j] = v_fma(r[j], q[j], t[j]);
}

/* a 2^n for k = magic + n, n <= 0, a in [0.5, 2]: rounded once, where the result is subnormal */
INLINE V FN(v_scaled)(V a, V k)
{
#ifdef v_scalef
    return v_scalef(a, v_sub(k, v_set1(M_MAGIC)));
#else
    return v_mul(v_mul(v_pow2(v_add(k, v_set1(M_SPLIT))), a), v_set1(M_UNSPLIT));
#endif
}

INLINE V FN(v_exp)(V x)
{
    V k, r, z = v_max(v_set1(M_EXP_MIN), v_min(v_set1(M_EXP_MAX), x));
    FN(expm1_reduced)(&r, &k, &z, 1);
    k = v_pow2(v_add(k, v_sel_neg(z, v_set1(M_SPLIT), v_set1(-M_SPLIT))));
    return v_mul(v_fma(k, r, k), v_sel_neg(z, v_set1(M_UNSPLIT), v_set1(M_RESPLIT)));
}

/* e^x - 1 for x <= 0 */
INLINE V FN(v_expm1)(V x)
{
    V k, r, z = v_max(v_set1(M_TANH_MIN), x);
    FN(expm1_reduced)(&r, &k, &z, 1);
    k = v_pow2(k);
    return v_fma(k, r, v_sub(k, v_set1(1)));
}

/* y may be x in these */
INLINE void FN(sigmoids)(V *y, const V *x, const int n)
{
    const V one = v_set1(1);
    V z[FN(MATH_N)], k[FN(MATH_N)], e[FN(MATH_N)];
    EACH z[j] = v_max(v_set1(M_EXP_MIN), v_neg_abs(x[j]));
    FN(expm1_reduced)(e, k, z, n);
    EACH e[j] = v_add(one, e[j]);
    EACH e[j] = FN(v_scaled)(e[j], k[j]);
    EACH k[j] = v_sel_neg(x[j], e[j], one);
    EACH e[j] = v_add(one, e[j]);
    EACH y[j] = v_div(k[j], e[j]);
}

INLINE void FN(tanhs)(V *y, const V *x, const int n)
{
    V z[FN(MATH_N)], k[FN(MATH_N)], m[FN(MATH_N)];
    EACH z[j] = v_neg_abs(x[j]);
    EACH z[j] = v_max(v_set1(M_TANH_MIN), v_add(z[j], z[j]));
    FN(expm1_reduced)(m, k, z, n);
    EACH k[j] = v_pow2(k[j]);
    EACH z[j] = v_sub(k[j], v_set1(1));
    EACH m[j] = v_fma(k[j], m[j], z[j]);
    EACH z[j] = v_add(m[j], v_set1(2));
    EACH m[j] = v_div(m[j], z[j]);
    EACH y[j] = v_copysign(m[j], x[j]);
}
#undef EACH

INLINE V FN(v_sigmoid)(V x)
{
    FN(sigmoids)(&x, &x, 1);
    return x;
}

INLINE V FN(v_tanh)(V x)
{
    FN(tanhs)(&x, &x, 1);
    return x;
}

/* log(x) - shift ln2 of x from M_LOG_SMALL on; a NaN stays one */
INLINE V FN(log_normal)(V x, V shift)
{
    const V magic = v_set1(M_MAGIC), one = v_set1(1);
    const V k = v_exponent(v_mul(x, v_set1(0x1.6a09e6p-1f)));       /* that of x / sqrt(2): n - 1 */
    const V n = v_sub(v_add(v_sub(k, magic), one), shift);
    const V f = v_sub(v_mul(v_mul(x, v_set1(0.25f)), v_pow2(v_add(v_sub(magic, v_sub(k, magic)), one))), one);
    const V s = v_div(f, v_add(f, v_set1(2))), z = v_mul(s, s);
    V r = v_fma(v_set1(FN(m_l)[0]), z, v_set1(FN(m_l)[1]));
    UNROLL
    for (int i = 2; i < FN(M_LOG_DEGREE); i++) r = v_fma(r, z, v_set1(FN(m_l)[i]));
    r = v_fnma(z, r, f);
    return v_fma(n, v_set1(M_LN2_HI), v_sub(f, v_fnma(n, v_set1(M_LN2_LO), v_mul(s, r))));
}

/* -infinity of both zeros, NaN of what is less */
INLINE V FN(v_log)(V x)
{
    const V below = v_sub(x, v_set1(M_LOG_SMALL));
    const V y = FN(log_normal)(v_mul(x, v_sel_neg(below, v_set1(M_RESPLIT), v_set1(1))), v_sel_neg(below, v_set1(M_SPLIT), v_set1(0)));
    const V none = v_sel_neg(v_add(x, v_set1(0)), v_set1(NAN), v_set1(-INFINITY));
    return v_sel_neg(v_sub(x, v_set1(M_LEAST)), none, v_sel_neg(v_sub(v_set1(M_MOST), x), x, y));
}

#define VMAP(name, op)                                                               \
    static void FN(name)(void *dst, const void *src, ptrdiff_t n)                    \
    {                                                                                \
        T *d = dst;                                                                  \
        const T *s = src;                                                            \
        ptrdiff_t i = 0;                                                             \
        for (; i + VL <= n; i += VL) v_store(d + i, op(v_load(s + i)));              \
        if (i < n) v_store_n(d + i, op(v_load_n(s + i, n - i)), n - i);              \
    }
VMAP(vexp, FN(v_exp))
VMAP(vsigmoid, FN(v_sigmoid))
VMAP(vtanh, FN(v_tanh))
VMAP(vlog, FN(v_log))
#undef VMAP
#undef M_MAGIC
#undef M_LOG2E
#undef M_LN2_HI
#undef M_LN2_LO
#undef M_SPLIT
#undef M_UNSPLIT
#undef M_RESPLIT
#undef M_EXP_MIN
#undef M_EXP_MAX
#undef M_TANH_MIN
#undef M_LOG_SMALL
#undef M_LEAST
#undef M_MOST
