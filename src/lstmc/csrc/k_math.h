/* k_math.h -- exp, sigmoid and tanh on vectors: one sequence of IEEE operations on every instruction set.
 *
 *   z = n ln2 + t, |t| <= ln2/2        n by adding and subtracting 1.5*2^(mantissa bits)
 *   expm1(t) = r = t + t^2 q(t)        q interpolates (e^t - 1 - t)/t^2 at Chebyshev nodes
 *   e^z = 2^n (1 + r)
 *   sigmoid(x) = {e^-|x| if x < 0, else 1} / (1 + e^-|x|)
 *   tanh(x) = copysign(-m / (m + 2), x), m = expm1(-2|x|) = 2^n r + (2^n - 1)
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
static const float FN(m_q)[] = {0x1.6d113cp-10f, 0x1.120ba2p-7f, 0x1.55551ap-5f, 0x1.5554dcp-3f, 0x1p-1f};
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
static const double FN(m_q)[] = {0x1.1f731ea5352cap-29, 0x1.af4e196027428p-26, 0x1.27e4db57442fbp-22,
    0x1.71de021a90822p-19, 0x1.a01a01a6dcaffp-16, 0x1.a01a01abef415p-13, 0x1.6c16c16c162ccp-10,
    0x1.11111111100cep-7, 0x1.5555555555556p-5, 0x1.5555555555557p-3, 0x1p-1};
#endif
enum { FN(M_DEGREE) = sizeof FN(m_q) / sizeof FN(m_q)[0] };

/* r = expm1(t) of the reduced argument; *k = magic + n */
INLINE V FN(expm1_reduced)(V z, V *k)
{
    V magic = v_set1(M_MAGIC), q = v_set1(FN(m_q)[0]), n, t;
    *k = v_fma(z, v_set1(M_LOG2E), magic);
    n = v_sub(*k, magic);
    t = v_fnma(n, v_set1(M_LN2_HI), z);
    t = v_fnma(n, v_set1(M_LN2_LO), t);
    UNROLL
    for (int i = 1; i < FN(M_DEGREE); i++) q = v_fma(q, t, v_set1(FN(m_q)[i]));
    return v_fma(v_mul(t, t), q, t);
}

/* e^z for z <= 0 */
INLINE V FN(v_exp_neg)(V z)
{
    V k, r;
    z = v_max(v_set1(M_EXP_MIN), z);
    r = FN(expm1_reduced)(z, &k);
    k = v_pow2(v_add(k, v_set1(M_SPLIT)));
    return v_mul(v_fma(k, r, k), v_set1(M_UNSPLIT));
}

INLINE V FN(v_exp)(V x)
{
    V k, r, z = v_max(v_set1(M_EXP_MIN), v_min(v_set1(M_EXP_MAX), x));
    r = FN(expm1_reduced)(z, &k);
    k = v_pow2(v_add(k, v_sel_neg(z, v_set1(M_SPLIT), v_set1(-M_SPLIT))));
    return v_mul(v_fma(k, r, k), v_sel_neg(z, v_set1(M_UNSPLIT), v_set1(M_RESPLIT)));
}

INLINE V FN(v_sigmoid)(V x)
{
    V one = v_set1(1), e = FN(v_exp_neg)(v_neg_abs(x));
    return v_div(v_sel_neg(x, e, one), v_add(one, e));
}

INLINE V FN(v_tanh)(V x)
{
    V k, m, s, z = v_abs(x);
    z = v_max(v_set1(M_TANH_MIN), v_mul(z, v_set1(-2)));
    m = FN(expm1_reduced)(z, &k);
    s = v_pow2(k);
    m = v_fma(s, m, v_sub(s, v_set1(1)));
    return v_copysign(v_div(m, v_add(m, v_set1(2))), x);
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
