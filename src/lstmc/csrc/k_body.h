/* k_body.h -- everything that exists once per instruction set and dtype, and the table that names it. */
enum { FN(NU) = LSTMC_BLOCK_BYTES / sizeof(T), FN(NS) = FN(NU) / VL };  /* units and slices of a block */

#ifdef VEC_TAIL_BUFFER
INLINE V FN(v_load_n)(const T *p, ptrdiff_t n)
{
    T t[VL] = {0};
    for (ptrdiff_t i = 0; i < n; i++) t[i] = p[i];
    return v_load(t);
}
INLINE void FN(v_store_n)(T *p, V v, ptrdiff_t n)
{
    T t[VL];
    v_store(t, v);
    for (ptrdiff_t i = 0; i < n; i++) p[i] = t[i];
}
#define v_load_n FN(v_load_n)
#define v_store_n FN(v_store_n)
#endif

#include "k_math.h"
#include "k_tile.h"
#include "k_pack.h"
#include "k_lstm.h"
#include "k_product.h"
#include "k_train.h"
#include "k_probe.h"

static const lstmc_kernels FN(table) = {
    ISA_NAME, sizeof(T), FN(NU), VL, TILE_ROWS, HAVE_FMA,
    FN(pack_gates), FN(pack_bias), FN(pack_columns), FN(unpack_gates),
    FN(lstm_gates_x), FN(lstm_step_fwd), FN(lstm_step_bwd), FN(product), FN(pack_outer), FN(outer),
    FN(vexp), FN(vsigmoid), FN(vtanh),
    FN(softmax), FN(softmax_bwd), FN(sumsq), FN(adam), FN(rmsprop), FN(sgd),
    fingerprint,
    derive, FN(keep_rows),
    FN(probe_fma), FN(probe_read),
};
