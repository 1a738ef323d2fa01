/* vec_sse2.h -- the vector vocabulary of every x86-64: 4 float32 or 2 float64 a register, no fused multiply-add.
 * Products are rounded before they are added, so results differ in the last bits from the FMA machines. */
#include <emmintrin.h>
#include <string.h>
#define TILE_ROWS 3
#define TILE_SLICES_1 2
#define TILE_SLICES_2 1
#define TILE_SLICES_3 1
#define HAVE_FMA 0
#define VEC_TAIL_BUFFER 1
#define v_fma(a, b, c) v_add(v_mul(a, b), c)
#define v_fnma(a, b, c) v_sub(c, v_mul(a, b))
#if REAL == 32
#define T float
#define V __m128
#define VL 4
#define v_load(p) _mm_loadu_ps(p)
#define v_store(p, v) _mm_storeu_ps(p, v)
#define v_set1(s) _mm_set1_ps(s)
#define v_add(a, b) _mm_add_ps(a, b)
#define v_sub(a, b) _mm_sub_ps(a, b)
#define v_mul(a, b) _mm_mul_ps(a, b)
#define v_div(a, b) _mm_div_ps(a, b)
#define v_sqrt(a) _mm_sqrt_ps(a)
#define v_max(a, b) _mm_max_ps(a, b)
#define v_min(a, b) _mm_min_ps(a, b)
#define v_zip_lo(a, b) _mm_unpacklo_ps(a, b)
#define v_zip_hi(a, b) _mm_unpackhi_ps(a, b)
#define v_abs(a) _mm_andnot_ps(_mm_set1_ps(-0.0f), a)
#define v_neg_abs(a) _mm_or_ps(_mm_set1_ps(-0.0f), a)
#define v_copysign(a, s) _mm_or_ps(v_abs(a), _mm_and_ps(_mm_set1_ps(-0.0f), s))
#define v_pow2(k) _mm_castsi128_ps(_mm_add_epi32(_mm_slli_epi32(_mm_castps_si128(k), 23), _mm_set1_epi32(0x3f800000)))
#define v_exponent(a) _mm_castsi128_ps(_mm_add_epi32(_mm_srli_epi32(_mm_castps_si128(a), 23), _mm_set1_epi32(0x4b400000 - 127)))
static inline __m128 v_sel_neg32(__m128 x, __m128 a, __m128 b)
{
    __m128 m = _mm_cmplt_ps(x, _mm_setzero_ps());
    return _mm_or_ps(_mm_and_ps(m, a), _mm_andnot_ps(m, b));
}
#define v_sel_neg v_sel_neg32
#else
#define T double
#define V __m128d
#define VL 2
#define v_load(p) _mm_loadu_pd(p)
#define v_store(p, v) _mm_storeu_pd(p, v)
#define v_set1(s) _mm_set1_pd(s)
#define v_add(a, b) _mm_add_pd(a, b)
#define v_sub(a, b) _mm_sub_pd(a, b)
#define v_mul(a, b) _mm_mul_pd(a, b)
#define v_div(a, b) _mm_div_pd(a, b)
#define v_sqrt(a) _mm_sqrt_pd(a)
#define v_max(a, b) _mm_max_pd(a, b)
#define v_min(a, b) _mm_min_pd(a, b)
#define v_zip_lo(a, b) _mm_unpacklo_pd(a, b)
#define v_zip_hi(a, b) _mm_unpackhi_pd(a, b)
#define v_abs(a) _mm_andnot_pd(_mm_set1_pd(-0.0), a)
#define v_neg_abs(a) _mm_or_pd(_mm_set1_pd(-0.0), a)
#define v_copysign(a, s) _mm_or_pd(v_abs(a), _mm_and_pd(_mm_set1_pd(-0.0), s))
#define v_pow2(k) _mm_castsi128_pd(_mm_add_epi64(_mm_slli_epi64(_mm_castpd_si128(k), 52), _mm_set1_epi64x(0x3ff0000000000000)))
#define v_exponent(a) _mm_castsi128_pd(_mm_add_epi64(_mm_srli_epi64(_mm_castpd_si128(a), 52), _mm_set1_epi64x(0x4338000000000000 - 1023)))
static inline __m128d v_sel_neg64(__m128d x, __m128d a, __m128d b)
{
    __m128d m = _mm_cmplt_pd(x, _mm_setzero_pd());
    return _mm_or_pd(_mm_and_pd(m, a), _mm_andnot_pd(m, b));
}
#define v_sel_neg v_sel_neg64
#endif
