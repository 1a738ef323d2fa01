/* walk.h -- the one walk over groups, strips and tiles, forward and backward.
 *
 * Groups outside, row tiles inside: weights come in strips, a group wide and at most STRIP_K deep, small enough to stay in the
 * second-level cache while all tiles meet them. Tiles of few rows ask too much of that cache: their strips stay in the first.
 * While they do, the strip after it comes closer, a line per k: a first tile that waited for its strip would cost more than
 * the others together. A lone tile of few rows takes several slices at once, for as many independent chains as the
 * multipliers need. */

/* What stays the same for all visits of a walk */
typedef struct {
    ptrdiff_t begin, end;         /* slices */
    ptrdiff_t whole, last;        /* slices of groups with all their blocks, and blocks of the one after them */
    ptrdiff_t total;              /* lines of weights that the walk reads */
} FN(range);

/* blocks of the group of slice q */
INLINE ptrdiff_t FN(group_blocks)(const FN(range) *range, ptrdiff_t q)
{
    return q < range->whole ? LSTMC_SLOTS : range->last;
}

/* weights of product P for the group of slice q, at value k */
INLINE const T *FN(weights_at)(const lstmc_product *P, const FN(range) *range, ptrdiff_t q, ptrdiff_t k)
{
    const ptrdiff_t most = P->slots ? P->slots : LSTMC_SLOTS, nb = P->slots ? P->slots : FN(group_blocks)(range, q);
    return (const T *)P->b + (q / FN(NS) * most * P->K + k * nb) * FN(NU);
}

/* where the sums of slice q+i of a spot's first row are, and how far its rows are apart */
INLINE T *FN(sums_at)(const lstmc_spot *at, ptrdiff_t i)
{
    return (T *)at->acc + ((at->q + i) / FN(NS) - at->q / FN(NS)) * at->nb * FN(NU) + (at->q + i) % FN(NS) * VL;
}
INLINE ptrdiff_t FN(sums_rs)(const lstmc_spot *at)
{
    return ((at->q + at->nq - 1) / FN(NS) - at->q / FN(NS) + 1) * at->nb * FN(NU);
}

/* The sums of a spot at the beginning of their chains. Out of line: the loads below are for rows that a caller laid out. */
static void FN(begin)(const lstmc_walk *s, const lstmc_spot *at)
{
    for (ptrdiff_t i = 0; i < at->nq; i++) {
        const ptrdiff_t group = (at->q + i) / FN(NS), lane = (at->q + i) % FN(NS) * VL;
        T *acc = FN(sums_at)(at, i);
        for (ptrdiff_t r = 0; r < at->mr; r++, acc += FN(sums_rs)(at)) {
            const ptrdiff_t j = at->row + r;
            if (s->start) {
                const T *start = (const T *)s->start + group * s->start_gs + j * s->start_rs + lane;
                for (ptrdiff_t v = 0; v < at->nb; v++) v_store(acc + v * FN(NU), v_load(start + v * FN(NU)));
                continue;
            }
            for (ptrdiff_t v = 0; v < at->nb; v++) {
                const ptrdiff_t u = (group * LSTMC_SLOTS + v) * FN(NU) + lane;
                V x = v_set1(0);
                if (s->add) {
                    x = FN(load_cols)(s->add[j], s->adds, u, s->N);
                    PREFETCH((const char *)((const T *)s->add[j] + u * s->adds) + s->add_ahead);
                }
                if (s->add2) x = v_add(x, FN(load_cols)((const T *)s->add2 + j * s->ld_add2, 1, u, s->N));
                v_store(acc + v * FN(NU), x);
            }
        }
    }
}

/* Where chains end that no cell takes: rows, or blocks that the last of several products left in `acc`. */
static void FN(store_sums)(const lstmc_walk *s, const lstmc_spot *at)
{
    for (ptrdiff_t i = 0; i < at->nq; i++) {
        const ptrdiff_t group = (at->q + i) / FN(NS), lane = (at->q + i) % FN(NS) * VL, rs = FN(sums_rs)(at);
        const ptrdiff_t u = group * LSTMC_SLOTS * FN(NU) + lane;
        const int whole = s->outs == 1 && u + (at->nb - 1) * FN(NU) + VL <= s->N;
        const T *acc = FN(sums_at)(at, i);
        for (ptrdiff_t j = at->row; j < at->row + at->mr; j++, acc += rs) {
            T *row = s->out ? (T *)s->out[j] + u * s->outs : (T *)s->blocks_out + group * s->out_gs + j * s->out_rs + lane;
            if (!s->out || whole)
                for (ptrdiff_t v = 0; v < at->nb; v++) v_store(row + v * FN(NU), v_load(acc + v * FN(NU)));
            else
                for (ptrdiff_t v = 0; v < at->nb; v++)
                    FN(store_cols)(s->out[j], s->outs, u + v * FN(NU), s->N, v_load(acc + v * FN(NU)));
        }
    }
}

/* Part i of n of what the next step reads of these rows of an operand, a line a prefetch */
INLINE void FN(fetch_rows)(const lstmc_operand *A, lstmc_tile tile, ptrdiff_t i, ptrdiff_t n)
{
    const ptrdiff_t len = A->full_len, part = ((len + FN(NU) - 1) / FN(NU) + n - 1) / n * FN(NU);
    const ptrdiff_t end = (i + 1) * part < len ? (i + 1) * part : len;
    for (ptrdiff_t k = i * part; k < end; k += FN(NU))
        for (ptrdiff_t r = 0; r < tile.mr; r++) PREFETCH((const char *)(FN(row_of)(A, tile.row + r) + k * A->k_stride) + A->ahead);
}

/* Visit i of a strip fetches the i-th part of the strip at b, `lines` long; those after its end fetch its end again. Only where the
 * weights of a step are too many for caches and prefetchers of the machine; a tile of few rows, `width` slices wide, reads them as
 * fast as they come anyway. */
INLINE FN(fetch) FN(fetch_part)(const FN(range) *range, const T *b, ptrdiff_t lines, ptrdiff_t i, ptrdiff_t depth, ptrdiff_t width)
{
    const ptrdiff_t last = lines > depth ? lines - depth : 0;
    const int far = width == 1 && range->total > LSTMC_FAR_BYTES / LSTMC_BLOCK_BYTES;
    const ptrdiff_t step = far ? LSTMC_BLOCK_BYTES : 0;
    return (FN(fetch)){(const char *)b + step * (i * depth < last ? i * depth : last), step};
}

/* The lines that the end of a chain over `len` values touches in group `group` come while the chain runs: of a cell
 * forward the slots it writes; of one backward, run by run, the slots and then the states before. */
INLINE void FN(fetch_lines)(FN(visit) *v, const lstmc_walk *s, lstmc_tile tile, ptrdiff_t group, ptrdiff_t nb, const lstmc_product *P)
{
    const lstmc_step *t = &s->step;
    const ptrdiff_t gates = t->gates_rs * (ptrdiff_t)sizeof(T) * tile.mr, c = tile.mr * LSTMC_BLOCK_BYTES;
    if (P->a[0].n_full < 2) {
        const ptrdiff_t len = v->k1 - v->k0;
        for (int i = 0; i < P->n_operands; i++)
            v->line[i] = (FN(fetch)){(const char *)((T *)t->gates + group * t->gates_ps + tile.row * t->gates_rs), (gates + len - 1) / len};
        v->n_lines = (int)P->n_operands;
        if (v->n_lines == 2) v->line[1] = FN(after)(v->line[1], P->a[0].full_len > v->k0 ? P->a[0].full_len - v->k0 : 0);
        for (ptrdiff_t r = 0; r < tile.mr; r++) {
            if (t->c) PREFETCH_OWN((T *)t->c + group * t->c_ps + (tile.row + r) * FN(NU));
            if (t->h) PREFETCH_OWN((T *)t->h + (tile.row + r) * t->ld + group * FN(NU));
            if (t->y) PREFETCH_OWN((T *)t->y[tile.row + r] + group * FN(NU));
        }
        return;
    }
    const ptrdiff_t len = P->a[0].full_len, most = P->a[0].n_full < LSTMC_MAX_LINES ? P->a[0].n_full : LSTMC_MAX_LINES;
    for (ptrdiff_t i = 0; i < nb; i++) {
        const ptrdiff_t p = group * LSTMC_SLOTS + i;
        v->line[i] = (FN(fetch)){(const char *)((const T *)t->gates + p * t->gates_ps + tile.row * t->gates_rs), (gates + len - 1) / len};
        v->line[nb + i] = t->c_prev ? (FN(fetch)){(const char *)((const T *)t->c_prev + p * t->c_prev_ps + tile.row * FN(NU)), (c + len - 1) / len}
                                    : v->line[i];
    }
    v->n_lines = (int)(most < 2 * nb ? most : 2 * nb);
}

/* What of the chains a visit makes: values k0 .. k1-1 of product P (NULL: none), whether they begin, whether they end */
typedef struct {
    const lstmc_product *P;
    ptrdiff_t k0, k1;
    FN(fetch) next;
    int begins, ends;
} FN(part);

/* Extend the sums of a spot, at `acc` or, if `direct`, where the walk starts. */
INLINE void FN(visit_strip)(const lstmc_walk *s, const FN(range) *range, const lstmc_spot *at, FN(part) part, int direct)
{
    const lstmc_product *P = part.P;
    const ptrdiff_t k0 = part.k0, k1 = part.k1;
    const int ends = part.ends;
    const ptrdiff_t slots = P->slots ? P->slots : at->nb;
    FN(visit) v;
    v.row = at->row;
    v.k0 = k0, v.k1 = k1;
    v.next = part.next;
    v.n_lines = 0;
    const int out = ends && s->blocks_out && slots == at->nb;       /* blocks may be left where they are wanted */
    v.acc_rs = out ? s->out_rs : FN(sums_rs)(at);
    v.from_rs = direct ? s->start_rs : FN(sums_rs)(at);
    UNROLL
    for (int i = 0; i < TILE_SLICES_1; i++) {       /* written out: vectors of addresses take longer to set up than to use */
        if (i == at->nq) break;
        const ptrdiff_t group = (at->q + i) / FN(NS), lane = (at->q + i) % FN(NS) * VL;
        T *acc = FN(sums_at)(at, i) + P->slot * FN(NU);
        v.acc[i] = out ? (T *)s->blocks_out + group * s->out_gs + at->row * s->out_rs + lane : acc;
        v.from[i] = direct ? (const T *)s->start + group * s->start_gs + at->row * s->start_rs + lane : acc;
        v.b[i] = FN(weights_at)(P, range, at->q + i, k0) + lane;
    }
    if (ends && VL == FN(NU) && at->nq == 1 && (s->finish || s->fused || s->blocks_out) && s->step.gates)
        FN(fetch_lines)(&v, s, (lstmc_tile){at->row, at->mr}, at->q, at->nb, P);
    if (k0 == 0 && P->a[0].ahead) FN(fetch_rows)(&P->a[0], (lstmc_tile){at->row, at->mr}, at->q / FN(NS), (range->end + FN(NS) - 1) / FN(NS));
    if (ends && s->fused) s->fused[(at->mr - 1) * TILE_SLICES_1 + at->nq - 1](&v, P, s, at);
    else FN(chain_menu)[at->mr - 1][at->nq - 1][slots](&v, P);
}

/* One visit of a tile to a strip: begin if need be, extend, end if need be. */
INLINE void FN(visit_tile)(const lstmc_walk *s, const FN(range) *range, const lstmc_spot *at, FN(part) part)
{
    const lstmc_product *P = part.P;
    /* the chain takes its first sums from where they are, if it takes them all */
    const int direct = part.begins && P && s->start && (!P->slots || P->slots == at->nb);
    if (part.begins && !direct) FN(begin)(s, at);
    if (P) FN(visit_strip)(s, range, at, part, direct);
    if (!part.ends || (P && s->fused)) return;
    if (s->finish) s->finish(s, at);
    else if (!P || !s->blocks_out || (P->slots && P->slots != at->nb)) FN(store_sums)(s, at);
}

/* Values k0 <= k < k1, of those of this call, that product i has, counted from its own beginning, which is value `base` of all */
INLINE ptrdiff_t FN(part_of)(const lstmc_walk *s, ptrdiff_t i, ptrdiff_t base, ptrdiff_t *k0)
{
    const ptrdiff_t K = s->product[i].K, k1 = s->k1 - base;
    *k0 = s->k0 > base ? s->k0 - base : 0;
    return k1 < K ? k1 : K;
}

static void FN(walk)(const lstmc_walk *s)
{
    FN(range) range = {s->q0 * FN(NS), s->q1 * FN(NS), s->blocks / LSTMC_SLOTS * FN(NS), s->blocks % LSTMC_SLOTS, 0};
    ptrdiff_t from[1 + LSTMC_SLOTS], to[1 + LSTMC_SLOTS], deep[1 + LSTMC_SLOTS], first = s->n_products, last = 0;
    ptrdiff_t lines = 0;            /* of the whole chain: how sums wait must not depend on the part */
    int narrow = 0;                 /* a product of which a tile takes one slice: it has few slots, or an operand of values apart */
    for (ptrdiff_t i = 0, base = 0; i < s->n_products; base += s->product[i++].K) {
        const ptrdiff_t wide = (s->q1 - s->q0) * (s->product[i].slots ? s->product[i].slots : LSTMC_SLOTS);
        const ptrdiff_t before = s->k_start > base ? s->k_start - base : 0;
        if (before < s->product[i].K) lines += wide * (s->product[i].K - before);
        to[i] = FN(part_of)(s, i, base, &from[i]);
        if (from[i] >= to[i]) continue;
        range.total += wide * (to[i] - from[i]);
        narrow |= (s->product[i].slots && s->product[i].slots < LSTMC_SLOTS - 1) || s->product[i].a[s->product[i].n_operands - 1].apart;
        if (first == s->n_products) first = i;
        last = i;
    }
    const int products = first < s->n_products;
    for (ptrdiff_t i = first; i <= last && products; i++) {
        const lstmc_operand *a = s->product[i].a;
        const int near = TILE_ROWS == 6 && a->n_full == 1 && range.total * LSTMC_BLOCK_BYTES <= LSTMC_NEAR_BYTES;
        deep[i] = FN(strip_depth)(to[i] - from[i], a->n_full > 1 ? a->full_len : 1, s->n_tiles, near ? LSTMC_STRIP_K_NEAR : FN(STRIP_K));
    }
    const ptrdiff_t step = FN(block_slices)(s->tiles, s->n_tiles, range.end - range.begin, lines);
    const ptrdiff_t steps = step >= range.end - range.begin ? 1 : step == 1 ? range.end - range.begin : (range.end - range.begin + step - 1) / step;
    _Alignas(LSTMC_BLOCK_BYTES) T acc[LSTMC_BATCH][FN(MAX_ACC) * FN(NU)];         /* vectors that cross a line are forwarded slowly */
    for (ptrdiff_t n = 0; n < steps; n++) {
        const ptrdiff_t at = s->back ? steps - 1 - n : n, then = n + 1 == steps ? at : s->back ? at - 1 : at + 1;
        const ptrdiff_t q0 = range.begin + at * step, q1 = q0 + step < range.end ? q0 + step : range.end;
        const ptrdiff_t whole = q1 < range.whole ? q1 : range.whole;
        for (ptrdiff_t i0 = 0; i0 < s->n_tiles; i0 += LSTMC_BATCH) {
            const ptrdiff_t i1 = i0 + LSTMC_BATCH < s->n_tiles ? i0 + LSTMC_BATCH : s->n_tiles;
            ptrdiff_t product = first, k0 = products ? from[first] : 0;
            int done, begins = s->begins;
            do {
                const lstmc_product *P = products ? &s->product[product] : NULL;
                ptrdiff_t k1 = k0, depth = 0;
                const T *next = NULL;
                if (P) {
                    depth = deep[product];
                    k1 = k0 + depth < to[product] ? k0 + depth : to[product];
                    next = k1 < to[product] ? FN(weights_at)(P, &range, q0, k1)
                           : product < last ? FN(weights_at)(&s->product[product + 1], &range, q0, from[product + 1])
                                            : FN(weights_at)(&s->product[first], &range, i1 < s->n_tiles ? q0 : range.begin + then * step,
                                                             from[first]);
                }
                done = !P || (product == last && k1 == to[product]);
                for (ptrdiff_t i = i0; i < i1; i++) {
                    const lstmc_tile tile = s->tiles[i];
                    for (ptrdiff_t q = q0, wide; q < q1; q += wide) {
                        wide = q < whole && !narrow ? FN(width)(whole - q, FN(slices)[tile.mr - 1]) : 1;
                        const ptrdiff_t slot = s->sums ? i * (s->q1 - s->q0) + q / FN(NS) - s->q0 : i - i0;
                        const ptrdiff_t into = s->sums ? 0 : q / FN(NS) - q0 / FN(NS);
                        const lstmc_spot spot = {tile.row, tile.mr, q, wide, FN(group_blocks)(&range, q),
                                                 (s->sums ? (T *)s->sums : acc[0]) + slot * FN(MAX_ACC) * FN(NU)
                                                     + into * LSTMC_SLOTS * tile.mr * FN(NU)};
                        const FN(fetch) ahead = P ? FN(fetch_part)(&range, next, depth * LSTMC_SLOTS, (i - i0) * FN(NS) + q - q0, depth, wide)
                                                  : (FN(fetch)){NULL, 0};
                        FN(visit_tile)(s, &range, &spot, (FN(part)){P, k0, k1, ahead, begins, done && s->ends});
                    }
                }
                begins = 0;
                k0 = k1;
                if (P && k1 == to[product] && product < last) {
                    product++;
                    k0 = from[product];
                }
            } while (!done);
        }
    }
}
