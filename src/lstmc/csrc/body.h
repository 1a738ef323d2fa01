/* body.h -- everything that exists once per instruction set and dtype, and the table that names it. */
enum { FN(NU) = LSTMC_BLOCK_BYTES / sizeof(T), FN(NS) = FN(NU) / VL };  /* units and slices of a block */

#ifndef v_hold
#define v_hold(v) ((void)0)
#endif
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

#include "functions.h"
#include "tile.h"
#include "chain.h"
#include "walk.h"
#include "cells.h"
#include "dropout.h"
#include "zoneout.h"
#include "outer.h"
#include "pack.h"
#include "train.h"
#include "loss.h"
#include "norm.h"
#include "probe.h"
#if REAL == 64
#include "ctc.h"
#endif

static const lstmc_kernels FN(table) = {
    ISA_NAME, sizeof(T), FN(NU), VL, TILE_ROWS, HAVE_FMA,
    CELLS,
    FN(pack_panels), FN(unpack_panels), FN(pack_bias), FN(pack_columns),
    FN(walk), FN(norm_fwd), FN(norm_bwd), FN(pack_outer), FN(outer),
    FN(vexp), FN(vsigmoid), FN(vtanh), FN(vlog),
    FN(softmax), FN(softmax_bwd), FN(squared_error), FN(crossentropy), FN(sumsq),
    {FN(sgd), FN(rmsprop), FN(adam), FN(nadam), FN(adamax), FN(adadelta), FN(lion)}, ctc_f64,
    derive, words_row, PASTE(keep_rows, REAL), FN(multiply), FN(multiply_apart), FN(add_masked), FN(zone_fwd), FN(zone_bwd),
    fingerprint,
    FN(probe_fma), FN(probe_read),
};
#undef CELLS
