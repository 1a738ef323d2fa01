/* gru.h -- the gated recurrent unit with reset after the product; slots n, r, z, u: W feeds n r z, U feeds r z u.
 *
 *   r = s(W_r x + U_r h' + b_r)   z = s(W_z x + U_z h' + b_z)   u = U_n h' + b_hn   n = tanh(W_n x + b_in + r u)
 *   h = n + z (h' - n)
 *
 *   dn = dh (1-z) (1-n^2)   dz = dh (h'-n) z (1-z)   dr = dn u r (1-r)   du = dn r   and dh z passes to h' by itself
 *
 * With options: arguments are bounded, that of n after r u has joined it; s and tanh are any functions; zoneout keeps h' where
 * it is drawn, by its probability in inference. Sources: Cho et al. 2014; torch.nn.GRU; ONNX linear_before_reset = 1. */

/* The end of mr rows by nq slices: acc holds r, z and u, the sums of n wait: gru_step_fwd. */
INLINE void FN(gru_end)(const lstmc_walk *w, const lstmc_spot *at, const V *acc, const int mr, const int nq)
{
    enum { G = LSTMC_SLOTS };
    const lstmc_step *s = &w->step;
    V a[FN(MAX_ACC)], h[FN(MAX_ACC) / G];
    UNROLL
    for (int j = 0; j < mr * nq; j++) {
        a[j * G] = v_load(FN(sums_of)(at, j));
        UNROLL
        for (int g = 1; g < G; g++) a[j * G + g] = acc[j * (G - 1) + g - 1];
        h[j] = v_load((const T *)s->h_prev + (at->row + j / nq) * s->ld_prev + (at->q + j % nq) * VL);
    }
    FN(sigmoid_each)(a + 1, G, mr * nq);
    UNROLL
    for (int j = 0; j < mr * nq; j++) a[j * G] = v_fma(a[j * G + 1], a[j * G + 3], a[j * G]);
    FN(tanh_each)(a, G, mr * nq);
    FN(sigmoid_each)(a + 2, G, mr * nq);
    UNROLL
    for (int j = 0; j < mr * nq; j++) h[j] = v_fma(a[j * G + 2], v_sub(h[j], a[j * G]), a[j * G]);
    UNROLL
    for (int j = 0; j < mr * nq; j++) {
        const ptrdiff_t q = at->q + j % nq, r = at->row + j / nq, p = q / FN(NS), lane = q % FN(NS) * VL;
        FN(store_slots)(s, p, r, lane, a + j * G);
        FN(store_h)(s, p, r, lane, h[j]);
    }
}
PLAIN_FORWARD(gru, 3)

static void FN(gru_step_fwd_options)(const lstmc_walk *w, const lstmc_spot *at)
{
    enum { G = LSTMC_SLOTS, N = FN(MAX_ACC) / G };
    const lstmc_step *s = &w->step;
    const lstmc_options *o = s->options;
    const ptrdiff_t nq = at->nq;
    const int n = (int)(at->mr * nq);
    V a[G][N];
    for (int j = 0; j < n; j++)
        for (int g = 0; g < G; g++) {
            a[g][j] = v_load(FN(sums_of)(at, j) + g * FN(NU));
            if (g == 1 || g == 2) a[g][j] = FN(clipped)(a[g][j], o->clip);
        }
    FN(activate)(&o->of[0], a[1], n);
    FN(activate)(&o->of[0], a[2], n);
    for (int j = 0; j < n; j++) a[0][j] = FN(clipped)(v_fma(a[1][j], a[3][j], a[0][j]), o->clip);
    FN(activate)(&o->of[1], a[0], n);
    for (int j = 0; j < n; j++) {
        const ptrdiff_t q = at->q + j % nq, r = at->row + j / nq, p = q / FN(NS), lane = q % FN(NS) * VL;
        const V before = v_load((const T *)s->h_prev + r * s->ld_prev + q * VL);
        V h = v_fma(a[2][j], v_sub(before, a[0][j]), a[0][j]);
        if (o->zoneout_h > 0) h = v_fma(FN(kept)(s, o->key_h, o->zoneout_h, p, r, lane), v_sub(before, h), h);
        if (s->gates)
            for (int g = 0; g < G; g++) v_store((T *)s->gates + p * s->gates_ps + r * s->gates_rs + g * FN(NU) + lane, a[g][j]);
        FN(store_h)(s, p, r, lane, h);
    }
}

/* One body: slopes are written out if plain, and asked of the functions otherwise. */
INLINE void FN(gru_spot_bwd)(const lstmc_walk *w, const lstmc_spot *at, const int plain)
{
    const lstmc_step *s = &w->step;
    const lstmc_options *o = s->options;
    const V one = v_set1(1);
    V bound_f[2], bound_g[2];
    const V *bf = !plain && FN(bounds_of)(&o->of[0], o->clip, bound_f) ? bound_f : NULL;
    const V *bg = !plain && FN(bounds_of)(&o->of[1], o->clip, bound_g) ? bound_g : NULL;
    for (ptrdiff_t i = 0; i < at->nq; i++)
        for (ptrdiff_t j = at->row; j < at->row + at->mr; j++)
            for (ptrdiff_t v = 0; v < at->nb; v++) {
                const T *in = FN(sums_at)(at, i) + (j - at->row) * FN(sums_rs)(at) + v * FN(NU);
                const ptrdiff_t q = at->q + i, p = q / FN(NS) * LSTMC_SLOTS + v, lane = q % FN(NS) * VL;
                T *gates = (T *)s->gates + p * s->gates_ps + j * s->gates_rs + lane;
                const V n = v_load(gates), r = v_load(gates + FN(NU)), z = v_load(gates + 2 * FN(NU)), u = v_load(gates + 3 * FN(NU));
                const V before = v_load((const T *)s->h_prev + j * s->ld_prev + p * FN(NU) + lane);
                V dh = v_load(in), pass = v_set1(0);
                if (!plain && o->zoneout_h > 0) {
                    const V keep = FN(kept)(s, o->key_h, o->zoneout_h, p, j, lane);
                    pass = v_mul(dh, keep);
                    dh = v_mul(dh, v_sub(one, keep));
                }
                const V dn = v_mul(v_mul(dh, v_sub(one, z)), plain ? v_fnma(n, n, one) : FN(slope)(&o->of[1], n, bg));
                const V dz = v_mul(v_mul(dh, v_sub(before, n)), plain ? v_mul(z, v_sub(one, z)) : FN(slope)(&o->of[0], z, bf));
                const V dr = v_mul(v_mul(dn, u), plain ? v_mul(r, v_sub(one, r)) : FN(slope)(&o->of[0], r, bf));
                v_store(gates, dn);
                v_store(gates + FN(NU), dr);
                v_store(gates + 2 * FN(NU), dz);
                v_store(gates + 3 * FN(NU), v_mul(dn, r));
                v_store((T *)s->dh + j * s->ld_dh + p * FN(NU) + lane, v_fma(dh, z, pass));
            }
}
static void FN(gru_step_bwd)(const lstmc_walk *w, const lstmc_spot *at) { FN(gru_spot_bwd)(w, at, 1); }
static void FN(gru_step_bwd_options)(const lstmc_walk *w, const lstmc_spot *at) { FN(gru_spot_bwd)(w, at, 0); }
