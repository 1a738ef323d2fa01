/* vec_avx512.h -- the vector vocabulary for AVX-512: 16 float32 or 8 float64 a register, fused multiply-add.
 * Included once per REAL (32 or 64). A vocabulary defines T, V, VL, the tile sizes and the v_* operations
 * listed in kernels.h; nothing else in the core knows an intrinsic. 32 registers: 6 rows x 4 gates. */
#include <immintrin.h>
#define TILE_ROWS 6
#define TILE_SLICES_1 4
#define TILE_SLICES_2 2
#define TILE_SLICES_3 2
#define HAVE_FMA 1
#define v_hold(v) __asm__("" : "+v"(v))
#if REAL == 32
#define T float
#define V __m512
#define VL 16
#define v_load(p) _mm512_loadu_ps(p)
#define v_store(p, v) _mm512_storeu_ps(p, v)
#define v_load_n(p, n) _mm512_maskz_loadu_ps((__mmask16)((1u << (n)) - 1), p)
#define v_store_n(p, v, n) _mm512_mask_storeu_ps(p, (__mmask16)((1u << (n)) - 1), v)
#define v_set1(s) _mm512_set1_ps(s)
#define v_add(a, b) _mm512_add_ps(a, b)
#define v_sub(a, b) _mm512_sub_ps(a, b)
#define v_mul(a, b) _mm512_mul_ps(a, b)
#define v_div(a, b) _mm512_div_ps(a, b)
#define v_sqrt(a) _mm512_sqrt_ps(a)
#define v_max(a, b) _mm512_max_ps(a, b)
#define v_min(a, b) _mm512_min_ps(a, b)
#define v_zip_lo(a, b) _mm512_permutex2var_ps(a, _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23), b)
#define v_zip_hi(a, b) _mm512_permutex2var_ps(a, _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31), b)
#define v_fma(a, b, c) _mm512_fmadd_ps(a, b, c)
#define v_fnma(a, b, c) _mm512_fnmadd_ps(a, b, c)
#define v_abs(a) _mm512_andnot_ps(_mm512_set1_ps(-0.0f), a)
#define v_neg_abs(a) _mm512_or_ps(_mm512_set1_ps(-0.0f), a)
#define v_copysign(a, s) _mm512_castsi512_ps(_mm512_ternarylogic_epi32(_mm512_set1_epi32(INT32_MIN), _mm512_castps_si512(s), _mm512_castps_si512(a), 0xca))
#define v_sel_neg(x, a, b) _mm512_castsi512_ps(_mm512_ternarylogic_epi32(_mm512_srai_epi32(_mm512_castps_si512(x), 31), _mm512_castps_si512(a), _mm512_castps_si512(b), 0xca))
#define v_scalef(a, n) _mm512_scalef_ps(a, n)
#define v_pow2(k) _mm512_castsi512_ps(_mm512_add_epi32(_mm512_slli_epi32(_mm512_castps_si512(k), 23), _mm512_set1_epi32(0x3f800000)))
#define v_exponent(a) _mm512_castsi512_ps(_mm512_add_epi32(_mm512_srli_epi32(_mm512_castps_si512(a), 23), _mm512_set1_epi32(0x4b400000 - 127)))
#else
#define T double
#define V __m512d
#define VL 8
#define v_load(p) _mm512_loadu_pd(p)
#define v_store(p, v) _mm512_storeu_pd(p, v)
#define v_load_n(p, n) _mm512_maskz_loadu_pd((__mmask8)((1u << (n)) - 1), p)
#define v_store_n(p, v, n) _mm512_mask_storeu_pd(p, (__mmask8)((1u << (n)) - 1), v)
#define v_set1(s) _mm512_set1_pd(s)
#define v_add(a, b) _mm512_add_pd(a, b)
#define v_sub(a, b) _mm512_sub_pd(a, b)
#define v_mul(a, b) _mm512_mul_pd(a, b)
#define v_div(a, b) _mm512_div_pd(a, b)
#define v_sqrt(a) _mm512_sqrt_pd(a)
#define v_max(a, b) _mm512_max_pd(a, b)
#define v_min(a, b) _mm512_min_pd(a, b)
#define v_zip_lo(a, b) _mm512_permutex2var_pd(a, _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11), b)
#define v_zip_hi(a, b) _mm512_permutex2var_pd(a, _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15), b)
#define v_fma(a, b, c) _mm512_fmadd_pd(a, b, c)
#define v_fnma(a, b, c) _mm512_fnmadd_pd(a, b, c)
#define v_abs(a) _mm512_andnot_pd(_mm512_set1_pd(-0.0), a)
#define v_neg_abs(a) _mm512_or_pd(_mm512_set1_pd(-0.0), a)
#define v_copysign(a, s) _mm512_castsi512_pd(_mm512_ternarylogic_epi64(_mm512_set1_epi64(INT64_MIN), _mm512_castpd_si512(s), _mm512_castpd_si512(a), 0xca))
#define v_sel_neg(x, a, b) _mm512_castsi512_pd(_mm512_ternarylogic_epi64(_mm512_srai_epi64(_mm512_castpd_si512(x), 63), _mm512_castpd_si512(a), _mm512_castpd_si512(b), 0xca))
#define v_scalef(a, n) _mm512_scalef_pd(a, n)
#define v_pow2(k) _mm512_castsi512_pd(_mm512_add_epi64(_mm512_slli_epi64(_mm512_castpd_si512(k), 52), _mm512_set1_epi64(0x3ff0000000000000)))
#define v_exponent(a) _mm512_castsi512_pd(_mm512_add_epi64(_mm512_srli_epi64(_mm512_castpd_si512(a), 52), _mm512_set1_epi64(0x4338000000000000 - 1023)))
#endif
