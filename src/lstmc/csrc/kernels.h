/* kernels.h -- assembles the core for one instruction set. An isa_*.c file checks its flags, names its
 * vocabulary in VOCABULARY and includes this text; it exports lstmc_<isa>, a pair of tables (float32, float64).
 *
 * A vocabulary gives, for REAL = 32 and 64:  T V VL  TILE_ROWS TILE_SLICES_{1,2,3} HAVE_FMA
 *   v_load v_store v_set1  v_add v_sub v_mul v_div v_sqrt v_max v_min  v_fma(a,b,c) = ab+c  v_fnma(a,b,c) = c-ab
 *   v_abs v_neg_abs v_copysign  v_sel_neg(x,a,b) = x<0 ? a : b (either, for x = -0 or NaN)
 *   v_scalef(a,n) = a 2^n for whole n, rounded once (optional)
 *   v_pow2(k) = 2^n for k = 1.5*2^mantissa + n, n in the normal exponent range
 *   v_exponent(a) = 1.5*2^mantissa + n for a in [2^n, 2^(n+1)), n in the same range
 *   v_zip_lo v_zip_hi  the lower, the upper half of both in turn: a0 b0 a1 b1 ..
 *   v_hold(v)  keeps v, which was loaded, in a register: GCC loads what two or three rows use for each of them (optional)
 *   v_load_n v_store_n  the first n < VL lanes, others read as 0 (VEC_TAIL_BUFFER: generic ones below) */
#include "compilers.h"
#include "lstmc.h"
#include <math.h>
#include <string.h>

#define PASTE_(a, b) a##_f##b
#define PASTE(a, b) PASTE_(a, b)
#define FN(name) PASTE(name, REAL)

#include "fingerprint.h"
#include "random.h"
static double ctc_f64(const lstmc_ctc *);     /* of both tables: ctc.h */
static void vlog_f64(void *, const void *, ptrdiff_t);       /* and of losses of both: loss.h */

#define REAL 32
#include VOCABULARY
#include "body.h"
#include "vec_undef.h"
#undef REAL
#define REAL 64
#include VOCABULARY
#include "body.h"
#include "vec_undef.h"
#undef REAL

const lstmc_kernels *const ISA_SYMBOL[2] = {&table_f32, &table_f64};
