/* norm.h -- one step of an LSTM with layer normalisation; the cell's own equations are in cells/lstm.h.
 *
 *   N(v) = gamma u + beta,  u = (v - mean v) k,  k = 1 / sqrt(mean (v - mean v)^2 + eps)     means over all values of a row
 *   a = N_x(W x) + N_h(U h') + b      i, f, g, o and c~ from a and c'      h = o v(N_c(c~))      c = c~ ("haste") or N_c(c~) ("tfa")
 *
 *   of N, for a gradient d:  dgamma = sum d u,  dbeta = sum d,  dv = k (d gamma - mean d gamma - u mean(d gamma u))
 *
 * With recurrent dropout U h' are the sums of U_g (m_g h') of every gate. Products end in rows of blocks, because a mean needs the whole row. Sums over a row: sixteen virtual lanes of each slot, units in
 * the order of storage, then the slots, then one tree, on every instruction set; lanes beyond H are left out.
 * Sources: Ba et al. 2016; haste's LayerNormLSTM; TensorFlow Addons' LayerNormLSTMCell. */

/* blocks of units that fill the virtual lanes, and vectors of sums of one row */
enum { FN(NORM_BLOCKS) = FN(LANES) / FN(NU), FN(NORM_ACC) = LSTMC_SLOTS * FN(NV16) };

/* The sum of all lanes of acc[slot][NV16] */
INLINE T FN(norm_total)(V *acc, const int slots)
{
    UNROLL
    for (int w = slots / 2; w; w /= 2)
        UNROLL
        for (int i = 0; i < w * FN(NV16); i++) acc[i] = v_add(acc[i], acc[i + w * FN(NV16)]);
    return FN(tree16)(acc);
}

/* the first n lanes of v, 0 in the others. Out of line: it is written where rows end, in texts for every vector of a row. */
static NOINLINE V FN(first_lanes)(V v, ptrdiff_t n)
{
    T t[VL];
    v_store(t, v);
    for (ptrdiff_t i = n > 0 ? n : 0; i < VL; i++) t[i] = 0;
    return v_load(t);
}

/* `v` becomes 0 in lanes of unit block p beyond H */
INLINE V FN(within)(V v, ptrdiff_t H, ptrdiff_t p, ptrdiff_t lane)
{
    const ptrdiff_t n = H - p * FN(NU) - lane;
    return n >= VL ? v : FN(first_lanes)(v, n);
}

/* A text for every vector of a row, unit blocks outside, slots inside. It sees p, g, lane, and i, where its sums are. The few machines
 * without FMA loop over them, for a fifth of the code. */
#if HAVE_FMA
#define EACH_UNROLL UNROLL
#else
#define EACH_UNROLL
#endif
#define EACH_VECTOR(slots, ...)                                                                    \
    for (ptrdiff_t p0 = 0; p0 < panels; p0 += FN(NORM_BLOCKS)) {                                   \
        EACH_UNROLL                                                                                \
        for (int b = 0; b < FN(NORM_BLOCKS); b++) {                                                \
            const ptrdiff_t p = p0 + b;                                                            \
            if (p >= panels) break;                                                                \
            EACH_UNROLL                                                                            \
            for (int g = 0; g < (slots); g++) {                                                    \
                EACH_UNROLL                                                                        \
                for (int l = 0; l < FN(NS); l++) {                                                 \
                    const int i = g * FN(NV16) + b * FN(NS) + l;                                   \
                    const ptrdiff_t lane = l * VL;                                                 \
                    (void)i;                                                                       \
                    __VA_ARGS__                                                                    \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }

/* mean and k of a row of blocks [p][LSTMC_SLOTS][NU], of which the first `slots` count; lanes beyond H are zero. Its place on the tape, panels
 * `ps` apart (NULL: none), comes meanwhile. */
INLINE void FN(norm_stats)(const T *row, ptrdiff_t H, const int slots, double eps, T *mean, T *k, const T *place, ptrdiff_t ps)
{
    const ptrdiff_t panels = (H + FN(NU) - 1) / FN(NU);
    V acc[FN(NORM_ACC)], m;
    T t[VL];
    UNROLL
    for (int i = 0; i < slots * FN(NV16); i++) acc[i] = v_set1(0);
    EACH_VECTOR(slots,
        acc[i] = v_add(acc[i], v_load(row + (p * LSTMC_SLOTS + g) * FN(NU) + lane));
        if (place) PREFETCH_OWN(place + p * ps + g * FN(NU) + lane);)
    *mean = FN(norm_total)(acc, slots) / (T)(slots * H);
    m = v_set1(*mean);
    UNROLL
    for (int i = 0; i < slots * FN(NV16); i++) acc[i] = v_set1(0);
    EACH_VECTOR(slots,
        const V d = FN(within)(v_sub(v_load(row + (p * LSTMC_SLOTS + g) * FN(NU) + lane), m), H, p, lane);
        acc[i] = v_fma(d, d, acc[i]);)
    m = v_set1(FN(norm_total)(acc, slots) / (T)(slots * H));
    v_store(t, v_div(v_set1(1), v_sqrt(v_add(m, v_set1((T)eps)))));
    *k = t[0];
}

/* The same of all slots. Out of line: a row has two such sums. */
static NOINLINE void FN(norm_stats_of_slots)(const T *row, ptrdiff_t H, double eps, T *mean, T *k, const T *place, ptrdiff_t ps)
{
    FN(norm_stats)(row, H, LSTMC_SLOTS, eps, mean, k, place, ps);
}

/* The n cells, at most LSTM_CELLS, of row r from slice q on */
INLINE int FN(norm_places)(FN(place) *at, ptrdiff_t H, ptrdiff_t q, ptrdiff_t r)
{
    const ptrdiff_t rest = (H + FN(NU) - 1) / FN(NU) * FN(NS) - q;
    const int n = rest < FN(LSTM_CELLS) ? (int)rest : FN(LSTM_CELLS);
    for (int j = 0; j < n; j++) at[j] = (FN(place)){(q + j) / FN(NS), r, (q + j) % FN(NS) * VL};
    return n;
}

/* n cells of a row whose moments are known: sums become gates, and, in the sums of U h', slot o stays and c~ is slot i */
INLINE void FN(norm_gates)(const lstmc_step *s, const lstmc_norm *m, const FN(place) *at, int n, const V *mean, const V *k)
{
    enum { G = LSTMC_SLOTS };
    V a[G][FN(LSTM_CELLS)], c[FN(LSTM_CELLS)];
    for (int j = 0; j < n; j++) {
        const ptrdiff_t u = at[j].p * G * FN(NU) + at[j].lane, kept = at[j].p * s->gates_ps + at[j].r * s->gates_rs + at[j].lane;
        const T *x = (const T *)m->sums_x + at[j].r * m->sums_x_rs + u, *h = (const T *)m->sums_h + at[j].r * m->sums_h_rs + u;
        UNROLL
        for (int g = 0; g < G; g++) {
            const V ux = v_mul(v_sub(v_load(x + g * FN(NU)), mean[0]), k[0]), uh = v_mul(v_sub(v_load(h + g * FN(NU)), mean[1]), k[1]);
            if (m->x) {
                v_store((T *)m->x + kept + g * FN(NU), ux);
                v_store((T *)m->h + kept + g * FN(NU), uh);
            }
            a[g][j] = v_fma(v_load((const T *)m->gamma_h + u + g * FN(NU)), uh, v_load((const T *)m->bias + u + g * FN(NU)));
            a[g][j] = v_fma(v_load((const T *)m->gamma_x + u + g * FN(NU)), ux, a[g][j]);
        }
        c[j] = v_load((const T *)s->c_prev + FN(panel_at)(at[j].p, s->c_prev_ps, at[j].r, at[j].lane));
    }
    FN(lstm_gates)(s->options, a, c, at, n);
    for (int j = 0; j < n; j++) {
        T *h = (T *)m->sums_h + at[j].r * m->sums_h_rs + at[j].p * G * FN(NU) + at[j].lane;
        v_store(h, FN(within)(c[j], s->H, at[j].p, at[j].lane));
        v_store(h + 3 * FN(NU), a[3][j]);
        if (s->gates)
            for (int g = 0; g < G; g++)
                v_store((T *)s->gates + at[j].p * s->gates_ps + at[j].r * s->gates_rs + g * FN(NU) + at[j].lane, a[g][j]);
    }
}

static void FN(norm_fwd)(const lstmc_step *s, const lstmc_norm *m, ptrdiff_t row0, ptrdiff_t row1)
{
    enum { G = LSTMC_SLOTS };
    const ptrdiff_t slices = (s->H + FN(NU) - 1) / FN(NU) * FN(NS);
    const lstmc_options *o = s->options;
    FN(place) at[FN(LSTM_CELLS)];
    for (ptrdiff_t r = row0; r < row1; r++) {
        const T *h = (const T *)m->sums_h + r * m->sums_h_rs;
        const T *kept_x = m->x ? (const T *)m->x + r * s->gates_rs : NULL, *kept_h = m->x ? (const T *)m->h + r * s->gates_rs : NULL;
        T mean[3], k[3];
        FN(norm_stats_of_slots)((const T *)m->sums_x + r * m->sums_x_rs, s->H, o->norm_eps, mean, k, kept_x, s->gates_ps);
        FN(norm_stats_of_slots)(h, s->H, o->norm_eps, mean + 1, k + 1, kept_h, s->gates_ps);
        const V means[2] = {v_set1(mean[0]), v_set1(mean[1])}, ks[2] = {v_set1(k[0]), v_set1(k[1])};
        for (ptrdiff_t q = 0; q < slices; q += FN(LSTM_CELLS)) FN(norm_gates)(s, m, at, FN(norm_places)(at, s->H, q, r), means, ks);
        FN(norm_stats)(h, s->H, 1, o->norm_eps, mean + 2, k + 2, NULL, 0);
        if (m->stats) {
            T *stats = (T *)m->stats + r * 4;
            stats[0] = k[0], stats[1] = k[1], stats[2] = mean[2], stats[3] = k[2];
        }
        for (ptrdiff_t q = 0; q < slices; q += FN(LSTM_CELLS)) {
            V c[FN(LSTM_CELLS)], hc[FN(LSTM_CELLS)];
            const int n = FN(norm_places)(at, s->H, q, r);
            for (int j = 0; j < n; j++) {
                const ptrdiff_t u = at[j].p * FN(NU) + at[j].lane;
                c[j] = v_load(h + at[j].p * G * FN(NU) + at[j].lane);
                hc[j] = v_fma(v_load((const T *)m->gamma_c + u), v_mul(v_sub(c[j], v_set1(mean[2])), v_set1(k[2])),
                              v_load((const T *)m->beta_c + u));
                if (o->norm_state) c[j] = hc[j];
            }
            FN(activate)(&o->of[2], hc, n);
            for (int j = 0; j < n; j++) FN(lstm_states)(s, o, at[j], c[j], v_load(h + (at[j].p * G + 3) * FN(NU) + at[j].lane), hc[j]);
        }
    }
}

/* The way back through one N of a row, unit block p at p times each pitch: u becomes dv; d u, and d unless its place is NULL, are
 * added to sums. */
typedef struct {
    const T *d, *gamma;
    T *u, *sum_du, *sum_d;
    ptrdiff_t d_ps, u_ps, sums_ps;
} FN(norm_way);

INLINE void FN(norm_row_bwd)(const FN(norm_way) *w, ptrdiff_t H, const int slots, T k)
{
    const T *d = w->d, *gamma = w->gamma;
    T *u = w->u, *sum_du = w->sum_du, *sum_d = w->sum_d;
    const ptrdiff_t d_ps = w->d_ps, u_ps = w->u_ps, sums_ps = w->sums_ps;
    const ptrdiff_t panels = (H + FN(NU) - 1) / FN(NU);
    V acc[FN(NORM_ACC)], acc_u[FN(NORM_ACC)];
    UNROLL
    for (int i = 0; i < slots * FN(NV16); i++) acc[i] = acc_u[i] = v_set1(0);
    EACH_VECTOR(slots,
        const ptrdiff_t e = g * FN(NU) + lane, to = p * sums_ps + e;
        const V dn = v_load(d + p * d_ps + e), by = v_load(gamma + p * slots * FN(NU) + e), du = v_mul(dn, v_load(u + p * u_ps + e));
        v_store(sum_du + to, v_add(v_load(sum_du + to), du));
        if (sum_d) v_store(sum_d + to, v_add(v_load(sum_d + to), dn));
        acc[i] = v_fma(dn, by, acc[i]);
        acc_u[i] = v_fma(du, by, acc_u[i]);)
    const V mean = v_set1(FN(norm_total)(acc, slots) / (T)(slots * H)), mean_u = v_set1(FN(norm_total)(acc_u, slots) / (T)(slots * H));
    const V by = v_set1(k);
    EACH_VECTOR(slots,
        const ptrdiff_t e = g * FN(NU) + lane;
        const V dv = v_sub(v_mul(v_load(d + p * d_ps + e), v_load(gamma + p * slots * FN(NU) + e)), mean);
        v_store(u + p * u_ps + e, v_mul(by, v_fnma(v_load(u + p * u_ps + e), mean_u, dv)));)
}

/* The same of all slots. Out of line: a row has two such ways. */
static NOINLINE void FN(norm_slots_bwd)(const FN(norm_way) *w, ptrdiff_t H, T k)
{
    FN(norm_row_bwd)(w, H, LSTMC_SLOTS, k);
}

/* n cells: dh becomes u of c~, slot o its gradient, and dN_c(c~) is left in the scratch behind dh */
INLINE void FN(norm_out_bwd)(const lstmc_step *s, const lstmc_norm *m, const FN(place) *at, int n, V mean, V k, const V *bf)
{
    const lstmc_options *o = s->options;
    V u[FN(LSTM_CELLS)], hc[FN(LSTM_CELLS)];
    for (int j = 0; j < n; j++) {
        const ptrdiff_t e = at[j].p * FN(NU) + at[j].lane;
        u[j] = FN(within)(v_mul(v_sub(FN(lstm_new_c)(s, at[j]), mean), k), s->H, at[j].p, at[j].lane);
        hc[j] = v_fma(v_load((const T *)m->gamma_c + e), u[j], v_load((const T *)m->beta_c + e));
    }
    FN(activate)(&o->of[2], hc, n);
    for (int j = 0; j < n; j++) {
        T *row = (T *)m->dh + at[j].r * m->ld_dh + at[j].p * FN(NU) + at[j].lane;
        T *slot = (T *)s->gates + at[j].p * s->gates_ps + at[j].r * s->gates_rs + 3 * FN(NU) + at[j].lane;
        const V out = v_load(slot);
        V dh = v_load(row), dc = v_load((const T *)s->dc + FN(panel_at)(at[j].p, s->dc_ps, at[j].r, at[j].lane));
        FN(lstm_unkept)(s, o, at[j], &dh, &dc);
        const V through = v_mul(v_mul(dh, out), FN(slope)(&o->of[2], hc[j], NULL));
        v_store(slot, o->off[3] ? v_set1(0) : v_mul(v_mul(dh, hc[j]), FN(slope)(&o->of[0], out, bf)));
        v_store(row + (s->H + FN(NU) - 1) / FN(NU) * FN(NU), o->norm_state ? v_add(through, dc) : through);
        v_store(row, u[j]);
    }
}

static void FN(norm_bwd)(const lstmc_step *s, const lstmc_norm *m, ptrdiff_t row0, ptrdiff_t row1)
{
    const ptrdiff_t slices = (s->H + FN(NU) - 1) / FN(NU) * FN(NS), ps = s->gates_ps, of_slots = LSTMC_SLOTS * FN(NU);
    const lstmc_options *o = s->options;
    lstmc_step once = *s;               /* what passes to h' was stored when dh was at hand */
    FN(place) at[FN(LSTM_CELLS)];
    V bound_f[2], bound_g[2];
    const V *bf = FN(bounds_of)(&o->of[0], o->clip, bound_f) ? bound_f : NULL, *bg = FN(bounds_of)(&o->of[1], o->clip, bound_g) ? bound_g : NULL;
    once.dh = NULL;
    for (ptrdiff_t r = row0; r < row1; r++) {
        const T *stats = (const T *)m->stats + r * 4;
        T *sums = (T *)m->sums + r * LSTMC_NORM_SUMS * FN(NU), *dv = (T *)m->dh + r * m->ld_dh, *sums_c = sums + 3 * of_slots;
        const ptrdiff_t row = r * s->gates_rs;
        for (ptrdiff_t q = 0; q < slices; q += FN(LSTM_CELLS))
            FN(norm_out_bwd)(s, m, at, FN(norm_places)(at, s->H, q, r), v_set1(stats[2]), v_set1(stats[3]), bf);
        FN(norm_row_bwd)(&(FN(norm_way)){dv + slices * VL, m->gamma_c, dv, sums_c, sums_c + FN(NU), FN(NU), FN(NU), m->sums_ps}, s->H, 1, stats[3]);
        for (ptrdiff_t q = 0; q < slices; q++) {
            const FN(place) is = {q / FN(NS), r, q % FN(NS) * VL};
            V none = v_set1(0), dc = v_load((const T *)s->dc + FN(panel_at)(is.p, s->dc_ps, r, is.lane));
            const V kept = FN(lstm_unkept)(&once, o, is, &none, &dc);
            const V through = FN(within)(v_load(dv + is.p * FN(NU) + is.lane), s->H, is.p, is.lane);
            const V du = v_load((const T *)s->gates + is.p * ps + row + 3 * FN(NU) + is.lane);
            FN(lstm_slots_bwd)(s, o, is, du, o->norm_state ? through : v_add(dc, through), kept, bf, bg);
        }
        const T *da = (const T *)s->gates + row;
        FN(norm_slots_bwd)(&(FN(norm_way)){da, m->gamma_x, (T *)m->x + row, sums, sums + 2 * of_slots, ps, ps, m->sums_ps}, s->H, stats[0]);
        FN(norm_slots_bwd)(&(FN(norm_way)){da, m->gamma_h, (T *)m->h + row, sums + of_slots, NULL, ps, ps, m->sums_ps}, s->H, stats[1]);
    }
}
#undef EACH_VECTOR
#undef EACH_UNROLL
