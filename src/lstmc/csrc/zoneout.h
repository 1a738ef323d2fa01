/* zoneout.h -- zoneout of an h that a projection makes; cells without one do it themselves.
 *
 *   h = h~ + k (h' - h~), h~ what comes out of the projection, k of `kept`        dh~ = (1-k) dh, and k dh passes to h' */

/* the end of the projection: h */
static void FN(zone_fwd)(const lstmc_walk *w, const lstmc_spot *at)
{
    const lstmc_step *s = &w->step;
    EACH_OF_SPOT(
        const V h = v_load(FN(sums_at)(at, i) + (r - at->row) * FN(sums_rs)(at) + v * FN(NU));
        const V before = v_load((const T *)s->h_prev + r * s->ld_prev + p * FN(NU) + lane);
        const V keep = FN(kept)(s, s->options->key_h, s->options->zoneout_h, p, r, lane);
        v_store((T *)s->h + r * s->ld + p * FN(NU) + lane, v_fma(keep, v_sub(before, h), h));
    )
}

/* sums are dh: h becomes dh~, dh what passes */
static void FN(zone_bwd)(const lstmc_walk *w, const lstmc_spot *at)
{
    const lstmc_step *s = &w->step;
    EACH_OF_SPOT(
        const V dh = v_load(FN(sums_at)(at, i) + (r - at->row) * FN(sums_rs)(at) + v * FN(NU));
        const V keep = FN(kept)(s, s->options->key_h, s->options->zoneout_h, p, r, lane);
        v_store((T *)s->dh + r * s->ld_dh + p * FN(NU) + lane, v_mul(dh, keep));
        v_store((T *)s->h + r * s->ld + p * FN(NU) + lane, v_mul(dh, v_sub(v_set1(1), keep)));
    )
}
