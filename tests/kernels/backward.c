/* backward.c -- one step of a layer backward: dG U of the step after it into dh and the cell, and dG W into dx. */
#include "layer.h"

/* rows of some slots of dG; they begin at `slot` */
static lstmc_operand gate_rows(const layer *l, const char *gates, ptrdiff_t slot, ptrdiff_t slots)
{
    const ptrdiff_t rest = l->H % nu;
    lstmc_operand o = dense(gates, l->gates_rs, 1, l->H);
    if (l->across) return o;
    o.a = gates + (size_t)(slot * nu) * es;
    o.n_full = l->H / nu, o.full_len = slots * nu, o.full_stride = l->gates_ps;
    o.n_tail = rest ? slots : 0, o.tail_len = rest, o.tail_stride = nu;
    return o;
}

/* dx (+)= dG W, values `xs` apart, from the gradients that the step has left */
static void x_gradient(const layer *l, const char *gates, const lstmc_tile *tiles, ptrdiff_t n_tiles, int way, int add)
{
    const lstmc_cell *c = l->cell;
    char *dx = copy(l->dx, l->B * l->I * l->xs);
    void *rows[MAX_ROWS];
    lstmc_walk a;
    memset(&a, 0, sizeof a);
    for (ptrdiff_t j = 0; j < l->B; j++) rows[j] = at(dx, j * l->I * l->xs);
    a.tiles = tiles, a.n_tiles = n_tiles;
    a.n_products = 1;
    a.product[0] = (lstmc_product){.a = {gate_rows(l, gates, c->x_slot, c->x_slots)}, .n_operands = 1, .b = l->w_cols, .K = c->x_slots * l->H};
    a.k1 = a.product[0].K;
    a.N = l->I, a.out = rows;
    a.add = add ? (const void *const *)rows : NULL;
    a.adds = a.outs = l->xs;
    a.blocks = up(l->I) / nu, a.q1 = (a.blocks + G - 1) / G;
    go(&a, way, a.k1 / 2);
    begin();
    hash(dx, l->B * l->I * l->xs);
    end_step(l, add ? "dx.add" : "dx");
}

/* dh = dy + dh_n + dG U, each if it is there, into the cell, through the projection if there is one */
static void step_back(const layer *l, ptrdiff_t mr, int way, int product, int dy, int dh_n)
{
    const lstmc_cell *c = l->cell;
    const ptrdiff_t B = l->B;
    const int zoneout = l->options && l->options->zoneout_h > 0, passes = (c->states == 1 && !l->across) || zoneout;
    lstmc_tile tiles[MAX_ROWS];
    const void *dy_rows[MAX_ROWS];
    void *dp_rows[MAX_ROWS];
    char *dh = copy(l->dh, B * l->ld), *dp = take(B * l->ld), *dc = l->dc ? copy(l->dc, l->panels * B * nu) : NULL;
    char *gates = copy(l->gates, l->gates_size), *products = l->options && l->options->peephole ? take(l->gates_size) : NULL;
    lstmc_walk a, b;
    memset(&a, 0, sizeof a);
    for (ptrdiff_t j = 0; j < B; j++) dy_rows[j] = at(l->dy, j * l->R * l->xs), dp_rows[j] = at(dp, j * l->ld);

    a.tiles = tiles, a.n_tiles = cut(tiles, B, mr);
    a.N = l->R, a.blocks = up(l->R) / nu, a.q1 = (a.blocks + G - 1) / G;
    a.product[0] = (lstmc_product){.a = {gate_rows(l, l->next, c->h_slot, c->h_slots)}, .n_operands = 1, .b = l->u_cols, .K = c->h_slots * l->H};
    a.n_products = product;
    a.k1 = product ? a.product[0].K : 0;
    a.add = dy ? dy_rows : NULL, a.adds = l->xs;
    a.add2 = dh_n ? dh : NULL, a.ld_add2 = l->ld;
    a.out = dp_rows, a.outs = 1;
    b = a;
    if (l->P) {
        go(&a, way, c->h_slots * nu);
        b.start = NULL, b.add = NULL, b.add2 = NULL, b.out = NULL;
        b.N = l->H, b.blocks = l->panels, b.q1 = (l->panels + G - 1) / G;
        b.product[0] = (lstmc_product){.a = {dense(dp, l->ld, 1, l->P)}, .n_operands = 1, .b = l->hr_cols, .K = l->P};
        b.n_products = 1;
        b.k1 = l->P;
    }
    b.finish = c->backward[l->options != NULL];
    lstmc_step *s = &b.step;
    s->H = l->H, s->options = l->options;
    s->sequence = sequence, s->time = time_of;
    s->h_prev = l->h_prev, s->h = l->h, s->c_prev = l->c_prev, s->c = l->c, s->dc = dc;
    s->ld_prev = s->ld = s->ld_dh = l->ld;
    s->c_prev_ps = s->c_ps = s->dc_ps = B * nu;
    s->gates = gates, s->products = products;
    s->gates_ps = l->gates_ps, s->gates_rs = l->gates_rs;
    s->dh = passes ? dh : NULL;                 /* may be what is added: a group reads it before it writes it */
    go(&b, way, l->P ? l->P / 2 : c->h_slots * nu);

    begin();
    if (l->P) hash_rows(dp, l->ld, B, l->P);
    if (l->across) hash_rows(gates, l->gates_rs, B, l->H);
    else hash_panels(gates, l->gates_ps, B, c->slots, l->H);
    if (dc) hash_panels(dc, B * nu, B, 1, l->H);
    if (passes) hash_rows(dh, l->ld, B, l->H);
    if (products) hash_panels(products, l->gates_ps, B, c->slots, l->H);
    end_step(l, product && dy && dh_n ? "back" : product ? "back.product" : "back.last");
    if (!product || !dy) return;
    x_gradient(l, gates, tiles, a.n_tiles, way, 0);
    x_gradient(l, gates, tiles, a.n_tiles, way, 1);
}

void backward(layer *l, ptrdiff_t mr, int way)
{
    step_back(l, mr, way, 1, 1, 1);
    step_back(l, mr, way, 1, 0, 0);
    if (!(way & PARTS)) step_back(l, mr, way, 0, 1, 1);
}
