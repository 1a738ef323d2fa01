/* vec_neon.h -- the vector vocabulary of AArch64: 4 float32 or 2 float64 a register, fused multiply-add.
 * 32 registers: 6 rows x 4 gates. */
#include <arm_neon.h>
#include <string.h>
#define TILE_ROWS 6
#define TILE_SLICES_1 4
#define TILE_SLICES_2 2
#define TILE_SLICES_3 2
#define HAVE_FMA 1
#define VEC_TAIL_BUFFER 1
#if REAL == 32
#define T float
#define V float32x4_t
#define VL 4
#define v_load(p) vld1q_f32(p)
#define v_store(p, v) vst1q_f32(p, v)
#define v_set1(s) vdupq_n_f32(s)
#define v_add(a, b) vaddq_f32(a, b)
#define v_sub(a, b) vsubq_f32(a, b)
#define v_mul(a, b) vmulq_f32(a, b)
#define v_div(a, b) vdivq_f32(a, b)
#define v_sqrt(a) vsqrtq_f32(a)
#define v_max(a, b) vbslq_f32(vcgtq_f32(a, b), a, b)    /* as on x86: the second of equal zeros or with NaN */
#define v_min(a, b) vbslq_f32(vcltq_f32(a, b), a, b)
#define v_zip_lo(a, b) vzip1q_f32(a, b)
#define v_zip_hi(a, b) vzip2q_f32(a, b)
#define v_fma(a, b, c) vfmaq_f32(c, a, b)
#define v_fnma(a, b, c) vfmsq_f32(c, a, b)
#define v_abs(a) vabsq_f32(a)
#define v_neg_abs(a) vnegq_f32(vabsq_f32(a))
#define v_copysign(a, s) vbslq_f32(vdupq_n_u32(0x80000000u), s, a)
#define v_sel_neg(x, a, b) vbslq_f32(vcltzq_f32(x), a, b)
#define v_pow2(k) vreinterpretq_f32_s32(vaddq_s32(vshlq_n_s32(vreinterpretq_s32_f32(k), 23), vdupq_n_s32(0x3f800000)))
#define v_exponent(a) vreinterpretq_f32_u32(vaddq_u32(vshrq_n_u32(vreinterpretq_u32_f32(a), 23), vdupq_n_u32(0x4b400000 - 127)))
#else
#define T double
#define V float64x2_t
#define VL 2
#define v_load(p) vld1q_f64(p)
#define v_store(p, v) vst1q_f64(p, v)
#define v_set1(s) vdupq_n_f64(s)
#define v_add(a, b) vaddq_f64(a, b)
#define v_sub(a, b) vsubq_f64(a, b)
#define v_mul(a, b) vmulq_f64(a, b)
#define v_div(a, b) vdivq_f64(a, b)
#define v_sqrt(a) vsqrtq_f64(a)
#define v_max(a, b) vbslq_f64(vcgtq_f64(a, b), a, b)    /* as on x86: the second of equal zeros or with NaN */
#define v_min(a, b) vbslq_f64(vcltq_f64(a, b), a, b)
#define v_zip_lo(a, b) vzip1q_f64(a, b)
#define v_zip_hi(a, b) vzip2q_f64(a, b)
#define v_fma(a, b, c) vfmaq_f64(c, a, b)
#define v_fnma(a, b, c) vfmsq_f64(c, a, b)
#define v_abs(a) vabsq_f64(a)
#define v_neg_abs(a) vnegq_f64(vabsq_f64(a))
#define v_copysign(a, s) vbslq_f64(vdupq_n_u64(0x8000000000000000ull), s, a)
#define v_sel_neg(x, a, b) vbslq_f64(vcltzq_f64(x), a, b)
#define v_pow2(k) vreinterpretq_f64_s64(vaddq_s64(vshlq_n_s64(vreinterpretq_s64_f64(k), 52), vdupq_n_s64(0x3ff0000000000000)))
#define v_exponent(a) vreinterpretq_f64_u64(vaddq_u64(vshrq_n_u64(vreinterpretq_u64_f64(a), 52), vdupq_n_u64(0x4338000000000000 - 1023)))
#endif
