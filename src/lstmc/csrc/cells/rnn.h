/* rnn.h -- the vanilla recurrent network; one slot, four blocks of units a group, so that a tile has as many chains as others.
 *
 *   h = tanh(W x + U h' + b)      da = dh (1 - h^2)
 *
 * With options: any function in place of tanh, of an argument that is bounded. Sources: Elman 1990; torch.nn.RNN. The tape keeps h alone; `gates` receive da. */

INLINE void FN(rnn_spot_fwd)(const lstmc_walk *w, const lstmc_spot *at, const int plain)
{
    const lstmc_step *s = &w->step;
    const int n = (int)(at->mr * at->nq * at->nb);
    V a[FN(MAX_ACC)];
    V *in = a;
    for (ptrdiff_t i = 0; i < at->nq; i++)
        for (ptrdiff_t r = 0; r < at->mr; r++)
            for (ptrdiff_t v = 0; v < at->nb; v++) *in++ = v_load(FN(sums_at)(at, i) + r * FN(sums_rs)(at) + v * FN(NU));
    if (plain) {
        int j = 0;
        for (; j + 6 <= n; j += 6) FN(tanhs)(a + j, a + j, 6);
        for (; j + 2 <= n; j += 2) FN(tanhs)(a + j, a + j, 2);
        for (; j < n; j++) a[j] = FN(v_tanh)(a[j]);
    } else {
        for (int j = 0; j < n; j++) a[j] = FN(clipped)(a[j], s->options->clip);
        FN(activate)(&s->options->of[0], a, n);
    }
    const V *h = a;
    for (ptrdiff_t i = 0; i < at->nq; i++)
        for (ptrdiff_t r = at->row; r < at->row + at->mr; r++)
            for (ptrdiff_t v = 0; v < at->nb; v++)
                FN(store_h)(s, (at->q + i) / FN(NS) * LSTMC_SLOTS + v, r, (at->q + i) % FN(NS) * VL, *h++);
}
static void FN(rnn_step_fwd)(const lstmc_walk *w, const lstmc_spot *at) { FN(rnn_spot_fwd)(w, at, 1); }
static void FN(rnn_step_fwd_options)(const lstmc_walk *w, const lstmc_spot *at) { FN(rnn_spot_fwd)(w, at, 0); }

INLINE void FN(rnn_spot_bwd)(const lstmc_walk *w, const lstmc_spot *at, const int plain)
{
    const lstmc_step *s = &w->step;
    V bound[2];
    const V *b = !plain && FN(bounds_of)(&s->options->of[0], s->options->clip, bound) ? bound : NULL;
    for (ptrdiff_t i = 0; i < at->nq; i++)
        for (ptrdiff_t r = at->row; r < at->row + at->mr; r++)
            for (ptrdiff_t v = 0; v < at->nb; v++) {
                const T *dh = FN(sums_at)(at, i) + (r - at->row) * FN(sums_rs)(at) + v * FN(NU);
                const ptrdiff_t q = at->q + i, p = q / FN(NS) * LSTMC_SLOTS + v, lane = q % FN(NS) * VL;
                const V h = v_load((const T *)s->h + r * s->ld + p * FN(NU) + lane);
                const V d = plain ? v_fnma(h, h, v_set1(1)) : FN(slope)(&s->options->of[0], h, b);
                v_store((T *)s->gates + p * s->gates_ps + r * s->gates_rs + lane, v_mul(v_load(dh), d));
            }
}
static void FN(rnn_step_bwd)(const lstmc_walk *w, const lstmc_spot *at) { FN(rnn_spot_bwd)(w, at, 1); }
static void FN(rnn_step_bwd_options)(const lstmc_walk *w, const lstmc_spot *at) { FN(rnn_spot_bwd)(w, at, 0); }
