/* lstm.h -- long short-term memory; slots i, f, g, o.
 *
 *   a = W x + U h' + b      i = s(a_i)   f = s(a_f)   g = tanh(a_g)   c = f c' + i g   o = s(a_o)   h = o tanh(c)
 *
 *   dc += dh o (1 - tanh(c)^2)
 *   da_i = dc g i (1-i)   da_f = dc c' f (1-f)   da_g = dc i (1-g^2)   da_o = dh tanh(c) o (1-o)   dc' = dc f
 *
 * With options: peepholes p . c' join a_i, a_f and a_g, p_o . c joins a_o; arguments are bounded; s, tanh and tanh are any
 * functions; f = 1 - i (coupled); a slot that is off is 1; zoneout keeps c' or h' where it is drawn, by its probability in
 * inference: c~ and h~ are the values without it. Sources: Gers et al. 2002 (peepholes), Greff et al. 2017 (coupled, off),
 * Krueger et al. 2017 (zoneout), ONNX (clip, functions). */

/* n cells: a[j*4 ..] become i, f, g, o; c becomes the new c; h is written */
INLINE void FN(lstm_cells_fwd)(V *a, V *c, V *h, const int n)
{
    enum { G = LSTMC_SLOTS };
    FN(sigmoid_each)(a, G, n);
    FN(tanh_each)(a + 2, G, n);
    FN(sigmoid_each)(a + 1, G, n);
    UNROLL
    for (int j = 0; j < n; j++) c[j] = h[j] = v_fma(a[j * G + 1], c[j], v_mul(a[j * G], a[j * G + 2]));
    FN(tanh_each)(h, 1, n);
    FN(sigmoid_each)(a + 3, G, n);
    UNROLL
    for (int j = 0; j < n; j++) h[j] = v_mul(a[j * G + 3], h[j]);
}

/* The end of mr rows by nq slices whose sums are a: lstm_step_fwd. */
INLINE void FN(lstm_end)(const lstmc_walk *w, const lstmc_spot *at, V *a, const int mr, const int nq)
{
    enum { G = LSTMC_SLOTS };
    const lstmc_step *s = &w->step;
    V c[FN(MAX_ACC) / G], h[FN(MAX_ACC) / G];
    UNROLL
    for (int j = 0; j < mr * nq; j++) {
        const ptrdiff_t q = at->q + j % nq;
        c[j] = v_load((const T *)s->c_prev + FN(panel_at)(q / FN(NS), s->c_prev_ps, at->row + j / nq, q % FN(NS) * VL));
    }
    FN(lstm_cells_fwd)(a, c, h, mr * nq);
    UNROLL
    for (int j = 0; j < mr * nq; j++) {
        const ptrdiff_t q = at->q + j % nq, r = at->row + j / nq, p = q / FN(NS), lane = q % FN(NS) * VL;
        FN(store_slots)(s, p, r, lane, a + j * G);
        v_store((T *)s->c + FN(panel_at)(p, s->c_ps, r, lane), c[j]);
        FN(store_h)(s, p, r, lane, h[j]);
    }
}
PLAIN_FORWARD(lstm, 4)

/* gates (i, f, g, o at a distance of NU) become dG; dc becomes dc'; tc = tanh(c) */
INLINE void FN(lstm_cell_bwd)(T *gates, const T *c_prev, T *dc, V tc, V dh)
{
    const V one = v_set1(1);
    const V i = v_load(gates), f = v_load(gates + FN(NU)), g = v_load(gates + 2 * FN(NU)), o = v_load(gates + 3 * FN(NU));
    const V d = v_fma(v_mul(dh, o), v_fnma(tc, tc, one), v_load(dc));
    v_store(gates, v_mul(v_mul(d, g), v_mul(i, v_sub(one, i))));
    v_store(gates + FN(NU), v_mul(v_mul(d, v_load(c_prev)), v_mul(f, v_sub(one, f))));
    v_store(gates + 2 * FN(NU), v_mul(v_mul(d, i), v_fnma(g, g, one)));
    v_store(gates + 3 * FN(NU), v_mul(v_mul(dh, tc), v_mul(o, v_sub(one, o))));
    v_store(dc, v_mul(d, f));
}

/* nb cells of row j, slice `lane` of panels p .. p+nb-1; tanh(c) of all of them side by side */
INLINE void FN(lstm_row_bwd)(const lstmc_step *s, ptrdiff_t p, ptrdiff_t j, ptrdiff_t lane, const int nb, const T *dh)
{
    V tc[LSTMC_SLOTS];
    UNROLL
    for (int v = 0; v < nb; v++) tc[v] = v_load((const T *)s->c + FN(panel_at)(p + v, s->c_ps, j, lane));
    FN(tanhs)(tc, tc, nb);
    UNROLL
    for (int v = 0; v < nb; v++)
        FN(lstm_cell_bwd)((T *)s->gates + (p + v) * s->gates_ps + j * s->gates_rs + lane,
                          (const T *)s->c_prev + FN(panel_at)(p + v, s->c_prev_ps, j, lane),
                          (T *)s->dc + FN(panel_at)(p + v, s->dc_ps, j, lane), tc[v], v_load(dh + v * FN(NU)));
}

static void FN(lstm_step_bwd)(const lstmc_walk *w, const lstmc_spot *at)
{
    for (ptrdiff_t i = 0; i < at->nq; i++)
        for (ptrdiff_t r = 0; r < at->mr; r++) {
            const T *dh = FN(sums_at)(at, i) + r * FN(sums_rs)(at);
            const ptrdiff_t q = at->q + i, p = q / FN(NS) * LSTMC_SLOTS, lane = q % FN(NS) * VL;
            if (at->nb == 4) FN(lstm_row_bwd)(&w->step, p, at->row + r, lane, 4, dh);
            else
                for (ptrdiff_t v = 0; v < at->nb; v++) FN(lstm_row_bwd)(&w->step, p + v, at->row + r, lane, 1, dh + v * FN(NU));
        }
}

/* With options -------------------------------------------------------------------------------------------------------- */

INLINE V FN(peephole)(const lstmc_options *o, ptrdiff_t p, int slot, ptrdiff_t lane)
{
    return v_load((const T *)o->peephole + (p * LSTMC_SLOTS + slot) * FN(NU) + lane);
}

/* Cells side by side: their number, and where each is */
enum { FN(LSTM_CELLS) = FN(MAX_ACC) / LSTMC_SLOTS };
typedef struct { ptrdiff_t p, r, lane; } FN(place);

/* The sums a[slot][cell] become i, f, g, o, and c' becomes c~. */
INLINE void FN(lstm_gates)(const lstmc_options *o, V (*a)[FN(LSTM_CELLS)], V *c, const FN(place) *at, const int n)
{
    for (int j = 0; j < n; j++)
        for (int g = 0; g < 3; g++) {
            if (o->peephole) a[g][j] = v_fma(FN(peephole)(o, at[j].p, g, at[j].lane), c[j], a[g][j]);
            a[g][j] = FN(clipped)(a[g][j], o->clip);
        }
    for (int g = 0; g < 3; g++) {
        if (!o->off[g] && !(g == 1 && o->coupled)) FN(activate)(&o->of[g == 2], a[g], n);
        for (int j = 0; j < n && o->off[g]; j++) a[g][j] = v_set1(1);
    }
    for (int j = 0; j < n; j++) {
        if (o->coupled) a[1][j] = v_sub(v_set1(1), a[0][j]);
        c[j] = v_fma(a[1][j], c[j], v_mul(a[0][j], a[2][j]));
        if (o->peephole) a[3][j] = v_fma(FN(peephole)(o, at[j].p, 3, at[j].lane), c[j], a[3][j]);
        a[3][j] = o->off[3] ? v_set1(1) : FN(clipped)(a[3][j], o->clip);
    }
    if (!o->off[3]) FN(activate)(&o->of[0], a[3], n);
}

/* One cell's next states: c, and h = o hc, each as far as zoneout lets it */
INLINE void FN(lstm_states)(const lstmc_step *s, const lstmc_options *o, FN(place) at, V c, V out, V hc)
{
    V h = v_mul(out, hc);
    if (o->zoneout_c > 0) {
        const V before = v_load((const T *)s->c_prev + FN(panel_at)(at.p, s->c_prev_ps, at.r, at.lane));
        c = v_fma(FN(kept)(s, o->key_c, o->zoneout_c, at.p, at.r, at.lane), v_sub(before, c), c);
    }
    if (o->zoneout_h > 0) {
        const V before = v_load((const T *)s->h_prev + at.r * s->ld_prev + at.p * FN(NU) + at.lane);
        h = v_fma(FN(kept)(s, o->key_h, o->zoneout_h, at.p, at.r, at.lane), v_sub(before, h), h);
    }
    v_store((T *)s->c + FN(panel_at)(at.p, s->c_ps, at.r, at.lane), c);
    FN(store_h)(s, at.p, at.r, at.lane, h);
}

static void FN(lstm_step_fwd_options)(const lstmc_walk *w, const lstmc_spot *at)
{
    enum { G = LSTMC_SLOTS };
    const lstmc_step *s = &w->step;
    const ptrdiff_t nq = at->nq;
    const int n = (int)(at->mr * nq);
    V a[G][FN(LSTM_CELLS)], c[FN(LSTM_CELLS)], h[FN(LSTM_CELLS)];
    FN(place) is[FN(LSTM_CELLS)];
    for (int j = 0; j < n; j++) {
        const ptrdiff_t q = at->q + j % nq;
        is[j] = (FN(place)){q / FN(NS), at->row + j / nq, q % FN(NS) * VL};
        c[j] = v_load((const T *)s->c_prev + FN(panel_at)(is[j].p, s->c_prev_ps, is[j].r, is[j].lane));
        for (int g = 0; g < G; g++) a[g][j] = v_load(FN(sums_of)(at, j) + g * FN(NU));
    }
    FN(lstm_gates)(s->options, a, c, is, n);
    for (int j = 0; j < n; j++) h[j] = c[j];
    FN(activate)(&s->options->of[2], h, n);
    for (int j = 0; j < n; j++) {
        if (s->gates)
            for (int g = 0; g < G; g++)
                v_store((T *)s->gates + is[j].p * s->gates_ps + is[j].r * s->gates_rs + g * FN(NU) + is[j].lane, a[g][j]);
        FN(lstm_states)(s, s->options, is[j], c[j], a[3][j], h[j]);
    }
}

/* The parts of dh and dc that reach this step's h~ and c~; zoneout keeps the rest: that of dh is stored, that of dc returned. */
INLINE V FN(lstm_unkept)(const lstmc_step *s, const lstmc_options *o, FN(place) at, V *dh, V *dc)
{
    const V one = v_set1(1);
    V kept_c = v_set1(0);
    if (s->dh) {
        const V keep = FN(kept)(s, o->key_h, o->zoneout_h, at.p, at.r, at.lane);
        v_store((T *)s->dh + at.r * s->ld_dh + at.p * FN(NU) + at.lane, v_mul(*dh, keep));
        *dh = v_mul(*dh, v_sub(one, keep));
    }
    if (o->zoneout_c > 0) {
        const V keep = FN(kept)(s, o->key_c, o->zoneout_c, at.p, at.r, at.lane);
        kept_c = v_mul(*dc, keep);
        *dc = v_mul(*dc, v_sub(one, keep));
    }
    return kept_c;
}

/* From du, the gradient of slot o, and dc, that of c~ through h: those of all slots replace them, and that of c', with what was
 * kept, dc. bf, bg: see bounds_of. */
INLINE void FN(lstm_slots_bwd)(const lstmc_step *s, const lstmc_options *o, FN(place) at, V du, V dc, V dc_prev, const V *bf, const V *bg)
{
    const V zero = v_set1(0);
    const ptrdiff_t slots = at.p * s->gates_ps + at.r * s->gates_rs + at.lane;
    T *gates = (T *)s->gates + slots;
    const V i = v_load(gates), f = v_load(gates + FN(NU)), g = v_load(gates + 2 * FN(NU));
    const V c_prev = v_load((const T *)s->c_prev + FN(panel_at)(at.p, s->c_prev_ps, at.r, at.lane));
    if (o->peephole) dc = v_fma(du, FN(peephole)(o, at.p, 3, at.lane), dc);
    const V di = o->off[0] ? zero
                 : v_mul(v_mul(dc, o->coupled && !o->off[1] ? v_sub(g, c_prev) : g), FN(slope)(&o->of[0], i, bf));
    const V df = o->off[1] || o->coupled ? zero : v_mul(v_mul(dc, c_prev), FN(slope)(&o->of[0], f, bf));
    const V dg = v_mul(v_mul(dc, i), FN(slope)(&o->of[1], g, bg));
    dc_prev = v_fma(dc, f, dc_prev);
    if (o->peephole) {
        dc_prev = v_fma(di, FN(peephole)(o, at.p, 0, at.lane), dc_prev);
        dc_prev = v_fma(df, FN(peephole)(o, at.p, 1, at.lane), dc_prev);
        dc_prev = v_fma(dg, FN(peephole)(o, at.p, 2, at.lane), dc_prev);
    }
    v_store(gates, di);
    v_store(gates + FN(NU), df);
    v_store(gates + 2 * FN(NU), dg);
    v_store(gates + 3 * FN(NU), du);
    v_store((T *)s->dc + FN(panel_at)(at.p, s->dc_ps, at.r, at.lane), dc_prev);
    if (s->products) {
        T *products = (T *)s->products + slots;
        v_store(products, v_mul(di, c_prev));
        v_store(products + FN(NU), v_mul(df, c_prev));
        v_store(products + 2 * FN(NU), v_mul(dg, c_prev));
        v_store(products + 3 * FN(NU), v_mul(du, v_fma(f, c_prev, v_mul(i, g))));
    }
}

/* c~ of a cell, as it was forward: the tape has it only where zoneout and normalisation leave it the next c */
INLINE V FN(lstm_new_c)(const lstmc_step *s, FN(place) at)
{
    const T *gates = (const T *)s->gates + at.p * s->gates_ps + at.r * s->gates_rs + at.lane;
    const V c_prev = v_load((const T *)s->c_prev + FN(panel_at)(at.p, s->c_prev_ps, at.r, at.lane));
    return v_fma(v_load(gates + FN(NU)), c_prev, v_mul(v_load(gates), v_load(gates + 2 * FN(NU))));
}

static void FN(lstm_step_bwd_options)(const lstmc_walk *w, const lstmc_spot *at)
{
    enum { G = LSTMC_SLOTS };
    const lstmc_step *s = &w->step;
    const lstmc_options *o = s->options;
    V bound_f[2], bound_g[2];
    const V *bf = FN(bounds_of)(&o->of[0], o->clip, bound_f) ? bound_f : NULL, *bg = FN(bounds_of)(&o->of[1], o->clip, bound_g) ? bound_g : NULL;
    for (ptrdiff_t i0 = 0; i0 < at->nq; i0++)
        for (ptrdiff_t r = at->row; r < at->row + at->mr; r++) {
            const T *in = FN(sums_at)(at, i0) + (r - at->row) * FN(sums_rs)(at);
            const ptrdiff_t q = at->q + i0, lane = q % FN(NS) * VL;
            V hc[G];
            for (ptrdiff_t v = 0; v < at->nb; v++) hc[v] = FN(lstm_new_c)(s, (FN(place)){q / FN(NS) * G + v, r, lane});
            FN(activate)(&o->of[2], hc, (int)at->nb);      /* h(c~) of all blocks together */
            for (ptrdiff_t v = 0; v < at->nb; v++) {
                const FN(place) is = {q / FN(NS) * G + v, r, lane};
                const V out = v_load((const T *)s->gates + is.p * s->gates_ps + r * s->gates_rs + 3 * FN(NU) + lane);
                V dh = v_load(in + v * FN(NU)), dc = v_load((const T *)s->dc + FN(panel_at)(is.p, s->dc_ps, r, lane));
                const V kept = FN(lstm_unkept)(s, o, is, &dh, &dc);
                const V du = o->off[3] ? v_set1(0) : v_mul(v_mul(dh, hc[v]), FN(slope)(&o->of[0], out, bf));
                dc = v_fma(v_mul(dh, out), FN(slope)(&o->of[2], hc[v], NULL), dc);
                FN(lstm_slots_bwd)(s, o, is, du, dc, kept, bf, bg);
            }
        }
}
