/* vec_avx2.h -- the vector vocabulary for AVX2 + FMA: 8 float32 or 4 float64 a register.
 * 16 registers: 3 rows x 4 gates of accumulators, 3 broadcasts and one weight vector. Masked stores are slow
 * on several CPUs, so partial vectors go through a small buffer. */
#include <immintrin.h>
#include <string.h>
#define TILE_ROWS 3
#define TILE_SLICES_1 2
#define TILE_SLICES_2 1
#define TILE_SLICES_3 1
#define HAVE_FMA 1
#define VEC_TAIL_BUFFER 1
#if REAL == 32
#define T float
#define V __m256
#define VL 8
#define v_load(p) _mm256_loadu_ps(p)
#define v_store(p, v) _mm256_storeu_ps(p, v)
#define v_set1(s) _mm256_set1_ps(s)
#define v_add(a, b) _mm256_add_ps(a, b)
#define v_sub(a, b) _mm256_sub_ps(a, b)
#define v_mul(a, b) _mm256_mul_ps(a, b)
#define v_div(a, b) _mm256_div_ps(a, b)
#define v_sqrt(a) _mm256_sqrt_ps(a)
#define v_max(a, b) _mm256_max_ps(a, b)
#define v_min(a, b) _mm256_min_ps(a, b)
#define v_zip_lo(a, b) _mm256_permute2f128_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b), 0x20)
#define v_zip_hi(a, b) _mm256_permute2f128_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b), 0x31)
#define v_fma(a, b, c) _mm256_fmadd_ps(a, b, c)
#define v_fnma(a, b, c) _mm256_fnmadd_ps(a, b, c)
#define v_abs(a) _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a)
#define v_neg_abs(a) _mm256_or_ps(_mm256_set1_ps(-0.0f), a)
#define v_copysign(a, s) _mm256_or_ps(v_abs(a), _mm256_and_ps(_mm256_set1_ps(-0.0f), s))
#define v_sel_neg(x, a, b) _mm256_blendv_ps(b, a, x)
#define v_pow2(k) _mm256_castsi256_ps(_mm256_add_epi32(_mm256_slli_epi32(_mm256_castps_si256(k), 23), _mm256_set1_epi32(0x3f800000)))
#define v_exponent(a) _mm256_castsi256_ps(_mm256_add_epi32(_mm256_srli_epi32(_mm256_castps_si256(a), 23), _mm256_set1_epi32(0x4b400000 - 127)))
#else
#define T double
#define V __m256d
#define VL 4
#define v_load(p) _mm256_loadu_pd(p)
#define v_store(p, v) _mm256_storeu_pd(p, v)
#define v_set1(s) _mm256_set1_pd(s)
#define v_add(a, b) _mm256_add_pd(a, b)
#define v_sub(a, b) _mm256_sub_pd(a, b)
#define v_mul(a, b) _mm256_mul_pd(a, b)
#define v_div(a, b) _mm256_div_pd(a, b)
#define v_sqrt(a) _mm256_sqrt_pd(a)
#define v_max(a, b) _mm256_max_pd(a, b)
#define v_min(a, b) _mm256_min_pd(a, b)
#define v_zip_lo(a, b) _mm256_permute2f128_pd(_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b), 0x20)
#define v_zip_hi(a, b) _mm256_permute2f128_pd(_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b), 0x31)
#define v_fma(a, b, c) _mm256_fmadd_pd(a, b, c)
#define v_fnma(a, b, c) _mm256_fnmadd_pd(a, b, c)
#define v_abs(a) _mm256_andnot_pd(_mm256_set1_pd(-0.0), a)
#define v_neg_abs(a) _mm256_or_pd(_mm256_set1_pd(-0.0), a)
#define v_copysign(a, s) _mm256_or_pd(v_abs(a), _mm256_and_pd(_mm256_set1_pd(-0.0), s))
#define v_sel_neg(x, a, b) _mm256_blendv_pd(b, a, x)
#define v_pow2(k) _mm256_castsi256_pd(_mm256_add_epi64(_mm256_slli_epi64(_mm256_castpd_si256(k), 52), _mm256_set1_epi64x(0x3ff0000000000000)))
#define v_exponent(a) _mm256_castsi256_pd(_mm256_add_epi64(_mm256_srli_epi64(_mm256_castpd_si256(a), 52), _mm256_set1_epi64x(0x4338000000000000 - 1023)))
#endif
