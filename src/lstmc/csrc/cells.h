/* cells.h -- the table of cells: what each keeps, what feeds what, and its functions. An equation is in cells/.
 *
 * Each function exists twice: plain, in which every option folds away, and with options, which tests their flags once a tile.
 * Plain forward steps of cells with several slots are compiled into the chains of each tile shape, so that sums stay in registers:
 * without that they take 5 % longer at 64 units and 12 % with one row. */

/* where unit block p, row j, lane of a panel array is */
INLINE ptrdiff_t FN(panel_at)(ptrdiff_t p, ptrdiff_t ps, ptrdiff_t j, ptrdiff_t lane) { return p * ps + j * FN(NU) + lane; }

/* The sums of cell j of a spot, cells counted along its slices and then its rows: those of slot g at + g*NU */
INLINE const T *FN(sums_of)(const lstmc_spot *at, ptrdiff_t j)
{
    if (FN(NS) == 1) return (const T *)at->acc + j * LSTMC_SLOTS * FN(NU);
    return FN(sums_at)(at, j % at->nq) + j / at->nq * FN(sums_rs)(at);
}

/* h of row j, lanes `lane` on of unit block p, to the state and to y */
INLINE void FN(store_h)(const lstmc_step *s, ptrdiff_t p, ptrdiff_t j, ptrdiff_t lane, V h)
{
    v_store((T *)s->h + j * s->ld + p * FN(NU) + lane, h);
    if (s->y) FN(store_cols)(s->y[j], 1, p * FN(NU) + lane, s->H, h);
}

/* the values of a unit's slots, a vector of units, to the tape if there is one */
INLINE void FN(store_slots)(const lstmc_step *s, ptrdiff_t p, ptrdiff_t j, ptrdiff_t lane, const V *a)
{
    if (!s->gates) return;
    UNROLL
    for (int g = 0; g < LSTMC_SLOTS; g++) v_store((T *)s->gates + p * s->gates_ps + j * s->gates_rs + g * FN(NU) + lane, a[g]);
}

/* y[j*stride] = op(y[j*stride]) for j < n, as many side by side as the functions take */
#define MATH_STRIDED(name, op)                                                          \
    INLINE void FN(name)(V *y, const int stride, const int n)                           \
    {                                                                                   \
        V t[FN(MATH_N)];                                                                \
        UNROLL                                                                          \
        for (int j0 = 0; j0 < n; j0 += FN(MATH_N)) {                                    \
            const int m = n - j0 < FN(MATH_N) ? n - j0 : FN(MATH_N);                    \
            UNROLL                                                                      \
            for (int j = 0; j < m; j++) t[j] = y[(j0 + j) * stride];                    \
            FN(op)(t, t, m);                                                            \
            UNROLL                                                                      \
            for (int j = 0; j < m; j++) y[(j0 + j) * stride] = t[j];                    \
        }                                                                               \
    }
MATH_STRIDED(sigmoid_each, sigmoids)
MATH_STRIDED(tanh_each, tanhs)
#undef MATH_STRIDED

/* The visits of a cell's plain form forward: a chain of nb blocks, whose sums cell_end takes from registers. The few machines without
 * FMA take the function with options in their place: the same values from a fifth less code. */
#if HAVE_FMA
#define PLAIN_FINISH(cell) NULL
#define PLAIN_FUSED(cell) FN(cell##_visits)
#define FUSED_VISIT(cell, nb, mr, nq)                                                                                              \
    static void FN(cell##_visit_##mr##x##nq)(const void *visit, const lstmc_product *P, const lstmc_walk *w, const lstmc_spot *at)  \
    {                                                                                                                             \
        V acc[FN(MAX_ACC)];                                                                                                       \
        const FN(shape) tile = {mr, nq, nb};                                                                                      \
        FN(take)(acc, visit, tile);                                                                                               \
        FN(extend)(acc, visit, tile, P, 0);                                                                                       \
        FN(cell##_end)(w, at, acc, mr, nq);                                                                                       \
    }
#if TILE_SLICES_1 == 4
#define PLAIN_FORWARD(cell, nb)                                                                                                   \
    FUSED_VISIT(cell, nb, 1, 1) FUSED_VISIT(cell, nb, 1, 2) FUSED_VISIT(cell, nb, 1, 3) FUSED_VISIT(cell, nb, 1, 4)                \
    FUSED_VISIT(cell, nb, 2, 1) FUSED_VISIT(cell, nb, 2, 2) FUSED_VISIT(cell, nb, 3, 1) FUSED_VISIT(cell, nb, 3, 2)                \
    FUSED_VISIT(cell, nb, 4, 1) FUSED_VISIT(cell, nb, 5, 1) FUSED_VISIT(cell, nb, 6, 1)                                            \
    static const lstmc_fused FN(cell##_visits)[] = {                                                                              \
        FN(cell##_visit_1x1), FN(cell##_visit_1x2), FN(cell##_visit_1x3), FN(cell##_visit_1x4), FN(cell##_visit_2x1),              \
        FN(cell##_visit_2x2), 0, 0, FN(cell##_visit_3x1), FN(cell##_visit_3x2), 0, 0, FN(cell##_visit_4x1), 0, 0, 0,               \
        FN(cell##_visit_5x1), 0, 0, 0, FN(cell##_visit_6x1), 0, 0, 0};
#else
#define PLAIN_FORWARD(cell, nb)                                                                                                   \
    FUSED_VISIT(cell, nb, 1, 1) FUSED_VISIT(cell, nb, 1, 2) FUSED_VISIT(cell, nb, 2, 1) FUSED_VISIT(cell, nb, 3, 1)                \
    static const lstmc_fused FN(cell##_visits)[] = {                                                                              \
        FN(cell##_visit_1x1), FN(cell##_visit_1x2), FN(cell##_visit_2x1), 0, FN(cell##_visit_3x1), 0};
#endif
#else
#define PLAIN_FINISH(cell) FN(cell##_step_fwd_options)
#define PLAIN_FUSED(cell) NULL
#define PLAIN_FORWARD(cell, nb)
#endif

/* The same for every value of a spot: row r, lanes `lane` on of block p of the walk; slice i and block v of its sums */
#define EACH_OF_SPOT(...)                                                                                   \
    for (ptrdiff_t i = 0; i < at->nq; i++)                                                                  \
        for (ptrdiff_t r = at->row; r < at->row + at->mr; r++)                                              \
            for (ptrdiff_t v = 0; v < at->nb; v++) {                                                        \
                const ptrdiff_t p = (at->q + i) / FN(NS) * LSTMC_SLOTS + v, lane = (at->q + i) % FN(NS) * VL; \
                __VA_ARGS__                                                                                 \
            }

#include "activations.h"
/* mask[u] = 1 where unit unit0 + u is drawn, with probability p, else 0, for a block of units */
static void FN(drawn)(T *mask, const uint32_t *key, double p, uint32_t unit0, uint32_t time, uint32_t sequence)
{
    const uint32_t below = random_below(p), first = unit0 / RANDOM_UNITS * RANDOM_UNITS;
    uint32_t words[RANDOM_UNITS];
    random_words(words, key, first, time, sequence);
    for (int u = 0; u < FN(NU); u++) mask[u] = (T)(words[unit0 - first + u] < below);
}

/* what zoneout keeps: 0 or 1 if it is drawn, else its probability */
INLINE V FN(kept)(const lstmc_step *s, const uint32_t *key, double p, ptrdiff_t panel, ptrdiff_t j, ptrdiff_t lane)
{
    T mask[FN(NU)];
    if (p == 0 || !s->options->random) return v_set1((T)p);
    FN(drawn)(mask, key, p, (uint32_t)(panel * FN(NU)), (uint32_t)s->time[j], (uint32_t)s->sequence[j]);
    return v_load(mask + lane);
}

#include "cells/lstm.h"
#include "cells/gru.h"
#include "cells/rnn.h"
#include "cells/gru_before.h"

#define CELLS {                                                                                                                   \
    {"lstm", 4, 2, 4, 0, 4, 0, 4, {0, 1, 2, 3}, {0, 1, 2, 3},                                                                     \
     {PLAIN_FINISH(lstm), FN(lstm_step_fwd_options)}, {FN(lstm_step_bwd), FN(lstm_step_bwd_options)}, PLAIN_FUSED(lstm),          \
     0, {0}, {0}},                                                                                                                \
    {"gru", 4, 1, 3, 0, 3, 1, 3, {2, 0, 1}, {0, 1, 2},                                                                            \
     {PLAIN_FINISH(gru), FN(gru_step_fwd_options)}, {FN(gru_step_bwd), FN(gru_step_bwd_options)}, PLAIN_FUSED(gru), 0, {0}, {0}}, \
    {"rnn", 1, 1, 1, 0, 1, 0, 1, {0}, {0},                                                                                        \
     {FN(rnn_step_fwd), FN(rnn_step_fwd_options)}, {FN(rnn_step_bwd), FN(rnn_step_bwd_options)}, NULL, 0, {0}, {0}},              \
    {"gru_before", 3, 1, 3, 0, 3, 0, 3, {0, 1, 2}, {0, 1, 2},                                                                     \
     {FN(gru_before_first), FN(gru_before_first_options)}, {FN(gru_before_first_bwd), FN(gru_before_first_bwd_options)}, NULL,    \
     2, {FN(gru_before_then), FN(gru_before_then_options)}, {FN(gru_before_then_bwd), FN(gru_before_then_bwd_options)}},          \
}
