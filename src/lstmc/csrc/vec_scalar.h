/* vec_scalar.h -- the vector vocabulary of a machine about which nothing is known: one lane, no fused multiply-add. */
#define TILE_ROWS 3
#define TILE_SLICES_1 2
#define TILE_SLICES_2 1
#define TILE_SLICES_3 1
#define HAVE_FMA 0
#define VEC_TAIL_BUFFER 1
#define VL 1
#define v_load(p) (*(p))
#define v_store(p, v) (*(p) = (v))
#define v_add(a, b) ((a) + (b))
#define v_sub(a, b) ((a) - (b))
#define v_mul(a, b) ((a) * (b))
#define v_div(a, b) ((a) / (b))
#define v_fma(a, b, c) ((a) * (b) + (c))
#define v_fnma(a, b, c) ((c) - (a) * (b))
#define v_max(a, b) scalar_max(a, b)
#define v_min(a, b) scalar_min(a, b)
#define v_zip_lo(a, b) (a)
#define v_zip_hi(a, b) (b)
#define v_neg_abs(a) (-v_abs(a))
#define v_sel_neg(x, a, b) ((x) < 0 ? (a) : (b))
#define scalar_max FN(scalar_max)
#define scalar_min FN(scalar_min)
#define scalar_pow2 FN(scalar_pow2)
#define scalar_exponent FN(scalar_exponent)
#define v_pow2(k) scalar_pow2(k)
#define v_exponent(a) scalar_exponent(a)
#include <math.h>
#if REAL == 32
#define T float
#define V float
#define v_set1(s) ((float)(s))
#define v_sqrt(a) sqrtf(a)
#define v_abs(a) fabsf(a)
#define v_copysign(a, s) copysignf(a, s)
INLINE float scalar_pow2(float k)
{
    uint32_t u;
    memcpy(&u, &k, sizeof u);
    u = (u << 23) + 0x3f800000u;
    memcpy(&k, &u, sizeof u);
    return k;
}
INLINE float scalar_exponent(float a)
{
    uint32_t u;
    memcpy(&u, &a, sizeof u);
    u = (u >> 23) + 0x4b400000u - 127;
    memcpy(&a, &u, sizeof u);
    return a;
}
#else
#define T double
#define V double
#define v_set1(s) ((double)(s))
#define v_sqrt(a) sqrt(a)
#define v_abs(a) fabs(a)
#define v_copysign(a, s) copysign(a, s)
INLINE double scalar_pow2(double k)
{
    uint64_t u;
    memcpy(&u, &k, sizeof u);
    u = (u << 52) + 0x3ff0000000000000u;
    memcpy(&k, &u, sizeof u);
    return k;
}
INLINE double scalar_exponent(double a)
{
    uint64_t u;
    memcpy(&u, &a, sizeof u);
    u = (u >> 52) + 0x4338000000000000u - 1023;
    memcpy(&a, &u, sizeof u);
    return a;
}
#endif
/* the second operand if either is NaN, as on x86 */
INLINE T scalar_max(T a, T b) { return a > b ? a : b; }
INLINE T scalar_min(T a, T b) { return a < b ? a : b; }
