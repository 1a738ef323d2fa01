/* gru_before.h -- the gated recurrent unit with reset before the product, in two stages a step; slots r, z | n.
 *
 *   first   r = s(W_r x + U_r h' + b_r)   z = s(W_z x + U_z h' + b_z)   q = r h'
 *   then    n = tanh(W_n x + U_n q + b_n)   h = n + z (h' - n)
 *
 *   first   dn = dh (1-z) (1-n^2)   dz = dh (h'-n) z (1-z)   and dh z passes to h' by itself
 *   then    dq = dn U_n   dr = dq h' r (1-r)   and dq r passes to h' too
 *
 * U_n needs all of q, so a stage is a walk of its own. A group is four blocks of one slot, as in rnn.h: the blocks of r, then those
 * of z, are the groups of the first walk, those of n the groups of the second. The step's h is q in the first stage. Gates are rows
 * of blocks, r, z and n one after the other; a call without a tape has them too, since z waits for n. Back in time the first stage
 * has the columns of h for groups, and the second again.
 *
 * With options: as in gru.h. Recurrent dropout: U_r reads m_r h', U_z reads m_z h' and q is m_n (r h'), so dq is m_n (dn U_n). Slots of
 * the first stage then have rows of their own and a walk each, because a group of four blocks may be of two; that of z writes no h.
 * Sources: Cho et al. 2014; ONNX linear_before_reset = 0; Keras reset_after=False. */

/* blocks of a slot */
INLINE ptrdiff_t FN(slot_blocks)(const lstmc_step *s) { return (s->H + FN(NU) - 1) / FN(NU); }

/* A spot's sums, row by row within a slice, as arguments bounded and of a function; returns their number */
INLINE int FN(spot_values)(const lstmc_walk *w, const lstmc_spot *at, V *a, const int plain, const int which)
{
    const int n = (int)(at->mr * at->nq * at->nb);
    V *in = a;
    for (ptrdiff_t i = 0; i < at->nq; i++)
        for (ptrdiff_t r = 0; r < at->mr; r++)
            for (ptrdiff_t v = 0; v < at->nb; v++) *in++ = v_load(FN(sums_at)(at, i) + r * FN(sums_rs)(at) + v * FN(NU));
    if (!plain) {
        for (int j = 0; j < n; j++) a[j] = FN(clipped)(a[j], w->step.options->clip);
        FN(activate)(&w->step.options->of[which], a, n);
        return n;
    }
    int j = 0;
    for (; j + 6 <= n; j += 6) which ? FN(tanhs)(a + j, a + j, 6) : FN(sigmoids)(a + j, a + j, 6);
    for (; j + 2 <= n; j += 2) which ? FN(tanhs)(a + j, a + j, 2) : FN(sigmoids)(a + j, a + j, 2);
    for (; j < n; j++) a[j] = which ? FN(v_tanh)(a[j]) : FN(v_sigmoid)(a[j]);
    return n;
}

INLINE void FN(gru_before_first_spot)(const lstmc_walk *w, const lstmc_spot *at, const int plain)
{
    const lstmc_step *s = &w->step;
    V a[FN(MAX_ACC)];
    const V *g = a;
    FN(spot_values)(w, at, a, plain, 0);
    EACH_OF_SPOT(
        v_store((T *)s->gates + r * s->gates_rs + p * FN(NU) + lane, *g);
        if (p < FN(slot_blocks)(s) && (plain || s->h)) {
            V q = v_mul(*g, v_load((const T *)s->h_prev + r * s->ld_prev + p * FN(NU) + lane));
            if (!plain && s->mask) q = v_mul(q, v_load((const T *)s->mask + r * s->ld_dh + p * FN(NU) + lane));
            v_store((T *)s->h + r * s->ld + p * FN(NU) + lane, q);
        }
        g++;
    )
}
static void FN(gru_before_first)(const lstmc_walk *w, const lstmc_spot *at) { FN(gru_before_first_spot)(w, at, 1); }
static void FN(gru_before_first_options)(const lstmc_walk *w, const lstmc_spot *at) { FN(gru_before_first_spot)(w, at, 0); }

INLINE void FN(gru_before_then_spot)(const lstmc_walk *w, const lstmc_spot *at, const int plain)
{
    const lstmc_step *s = &w->step;
    const lstmc_options *o = s->options;
    const ptrdiff_t slot = FN(slot_blocks)(s) * FN(NU);
    V a[FN(MAX_ACC)];
    const V *n = a;
    FN(spot_values)(w, at, a, plain, 1);
    EACH_OF_SPOT(
        T *gates = (T *)s->gates + r * s->gates_rs + p * FN(NU) + lane;
        const V before = v_load((const T *)s->h_prev + r * s->ld_prev + p * FN(NU) + lane);
        V h = v_fma(v_load(gates + slot), v_sub(before, *n), *n);
        if (!plain && o->zoneout_h > 0) h = v_fma(FN(kept)(s, o->key_h, o->zoneout_h, p, r, lane), v_sub(before, h), h);
        v_store(gates + 2 * slot, *n++);
        FN(store_h)(s, p, r, lane, h);
    )
}
static void FN(gru_before_then)(const lstmc_walk *w, const lstmc_spot *at) { FN(gru_before_then_spot)(w, at, 1); }
static void FN(gru_before_then_options)(const lstmc_walk *w, const lstmc_spot *at) { FN(gru_before_then_spot)(w, at, 0); }

/* sums are dh */
INLINE void FN(gru_before_first_spot_bwd)(const lstmc_walk *w, const lstmc_spot *at, const int plain)
{
    const lstmc_step *s = &w->step;
    const lstmc_options *o = s->options;
    const ptrdiff_t slot = FN(slot_blocks)(s) * FN(NU);
    const V one = v_set1(1);
    V bound_f[2], bound_g[2];
    const V *bf = !plain && FN(bounds_of)(&o->of[0], o->clip, bound_f) ? bound_f : NULL;
    const V *bg = !plain && FN(bounds_of)(&o->of[1], o->clip, bound_g) ? bound_g : NULL;
    EACH_OF_SPOT(
        T *gates = (T *)s->gates + r * s->gates_rs + p * FN(NU) + lane;
        const V z = v_load(gates + slot), n = v_load(gates + 2 * slot);
        const V before = v_load((const T *)s->h_prev + r * s->ld_prev + p * FN(NU) + lane);
        V dh = v_load(FN(sums_at)(at, i) + (r - at->row) * FN(sums_rs)(at) + v * FN(NU)), pass = v_set1(0);
        if (!plain && o->zoneout_h > 0) {
            const V keep = FN(kept)(s, o->key_h, o->zoneout_h, p, r, lane);
            pass = v_mul(dh, keep);
            dh = v_mul(dh, v_sub(one, keep));
        }
        v_store(gates + 2 * slot, v_mul(v_mul(dh, v_sub(one, z)), plain ? v_fnma(n, n, one) : FN(slope)(&o->of[1], n, bg)));
        v_store(gates + slot, v_mul(v_mul(dh, v_sub(before, n)), plain ? v_mul(z, v_sub(one, z)) : FN(slope)(&o->of[0], z, bf)));
        v_store((T *)s->dh + r * s->ld_dh + p * FN(NU) + lane, v_fma(dh, z, pass));
    )
}
static void FN(gru_before_first_bwd)(const lstmc_walk *w, const lstmc_spot *at) { FN(gru_before_first_spot_bwd)(w, at, 1); }
static void FN(gru_before_first_bwd_options)(const lstmc_walk *w, const lstmc_spot *at) { FN(gru_before_first_spot_bwd)(w, at, 0); }

/* sums are dq, before its mask */
INLINE void FN(gru_before_then_spot_bwd)(const lstmc_walk *w, const lstmc_spot *at, const int plain)
{
    const lstmc_step *s = &w->step;
    const lstmc_options *o = s->options;
    const V one = v_set1(1);
    V bound[2];
    const V *bf = !plain && FN(bounds_of)(&o->of[0], o->clip, bound) ? bound : NULL;
    EACH_OF_SPOT(
        T *gates = (T *)s->gates + r * s->gates_rs + p * FN(NU) + lane;
        T *pass = (T *)s->dh + r * s->ld_dh + p * FN(NU) + lane;
        const V reset = v_load(gates), before = v_load((const T *)s->h_prev + r * s->ld_prev + p * FN(NU) + lane);
        V dq = v_load(FN(sums_at)(at, i) + (r - at->row) * FN(sums_rs)(at) + v * FN(NU));
        if (!plain && s->mask) dq = v_mul(dq, v_load((const T *)s->mask + r * s->ld_dh + p * FN(NU) + lane));
        v_store(gates, v_mul(v_mul(dq, before), plain ? v_mul(reset, v_sub(one, reset)) : FN(slope)(&o->of[0], reset, bf)));
        v_store(pass, v_fma(dq, reset, v_load(pass)));
    )
}
static void FN(gru_before_then_bwd)(const lstmc_walk *w, const lstmc_spot *at) { FN(gru_before_then_spot_bwd)(w, at, 1); }
static void FN(gru_before_then_bwd_options)(const lstmc_walk *w, const lstmc_spot *at) { FN(gru_before_then_spot_bwd)(w, at, 0); }
