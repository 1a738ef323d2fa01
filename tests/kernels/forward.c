/* forward.c -- one step of a layer forward: W x and U h into a cell, in one walk or through z = bias + W x. */
#include "layer.h"

/* starts at the bias; W x, then U h: one product where both feed the same slots, else two */
static void set_products(const layer *l, lstmc_walk *a)
{
    const lstmc_cell *c = l->cell;
    const lstmc_operand x = {.rows = l->x_rows, .k_stride = l->xs, .n_full = 1, .full_len = l->I};
    const lstmc_operand h = dense(l->h_prev, l->ld, 1, l->R);
    a->start = l->bias, a->start_gs = G * nu;
    a->blocks = l->blocks, a->q1 = l->groups;
    a->n_products = 1;
    a->product[0] = (lstmc_product){.a = {x, h}, .n_operands = 2, .b = l->w, .K = l->I + l->R};
    if (l->u) {
        a->n_products = 2;
        a->product[0].n_operands = 1, a->product[0].K = l->I;
        a->product[1] = (lstmc_product){.a = {h}, .n_operands = 1, .b = l->u, .K = l->R};
    }
    if (!l->across) {
        a->product[0].slot = c->x_slot, a->product[0].slots = c->x_slots;
        a->product[1].slot = c->h_slot, a->product[1].slots = c->h_slots;
    }
}

/* z of all rows; from here on the walk starts there and lacks W x */
static void through_z(const layer *l, lstmc_walk *a, int way)
{
    const ptrdiff_t rs = l->across ? l->blocks * nu : G * nu, gs = l->across ? G * nu : l->B * G * nu;
    char *z = take(l->B * l->blocks * nu);
    a->k0 = 0, a->k1 = l->I;
    a->blocks_out = z, a->out_rs = rs, a->out_gs = gs;
    go(a, way, l->I / 2);
    begin();
    if (l->across) hash_rows(z, rs, l->B, l->H);
    else hash_panels(z, gs, l->B, G, l->H);
    end_step(l, "z");
    a->blocks_out = NULL;
    a->start = z, a->start_rs = rs, a->start_gs = gs;
    a->k0 = l->I;
}

/* h = h_full W_hr */
static void project(const layer *l, const lstmc_tile *tiles, ptrdiff_t n_tiles, int way)
{
    void *rows[MAX_ROWS];
    lstmc_walk a;
    memset(&a, 0, sizeof a);
    for (ptrdiff_t j = 0; j < l->B; j++) rows[j] = at(l->h, j * l->ld);
    a.tiles = tiles, a.n_tiles = n_tiles;
    a.n_products = 1;
    a.product[0] = (lstmc_product){.a = {dense(l->hf, l->ldf, 1, l->H)}, .n_operands = 1, .b = l->hr, .K = l->H};
    a.k1 = l->H;
    a.N = l->P, a.out = rows, a.outs = 1;
    a.blocks = up(l->P) / nu, a.q1 = (a.blocks + G - 1) / G;
    go(&a, way, l->H / 2);
}

static void check_y(const layer *l, const char *y)
{
    const char *h = l->P ? l->hf : l->h;
    const ptrdiff_t ld = l->P ? l->ldf : l->ld;
    for (ptrdiff_t j = 0; j < l->B; j++) {
        if (memcmp(y + (size_t)(j * l->H) * es, h + (size_t)(j * ld) * es, (size_t)l->H * es) != 0) fail("%s: y is not h", l->name);
        for (ptrdiff_t u = l->H; u < up(l->H) && !l->options; u++)
            if (get(h, j * ld + u) != 0) fail("%s: h beyond the last unit is not 0", l->name);
    }
}

void forward(layer *l, ptrdiff_t mr, int way)
{
    lstmc_tile tiles[MAX_ROWS];
    void *y_rows[MAX_ROWS];
    const lstmc_options defaults = no_options((int)(l->cell - k->cells));
    lstmc_walk a;
    lstmc_step *s = &a.step;
    char *y = take(l->B * l->H), *c = l->c;
    memset(&a, 0, sizeof a);
    for (ptrdiff_t j = 0; j < l->B; j++) y_rows[j] = at(y, j * l->H);
    poison(l->h, l->B * l->ld);
    if (l->P) poison(l->hf, l->B * l->ldf);
    if (c) poison(c, l->panels * l->B * nu);

    a.tiles = tiles, a.n_tiles = cut(tiles, l->B, mr);
    set_products(l, &a);
    if (way & THROUGH_Z) through_z(l, &a, way);
    a.k1 = l->I + l->R;
    a.finish = l->cell->forward[l->options != NULL];
    a.fused = l->options ? NULL : l->cell->fused;
    s->H = l->H, s->options = l->options ? l->options : &defaults;
    s->sequence = sequence, s->time = time_of;
    s->h_prev = l->h_prev, s->ld_prev = l->ld;
    s->h = l->P ? l->hf : l->h, s->ld = l->P ? l->ldf : l->ld;
    s->c_prev = l->c_prev, s->c = c;
    s->c_prev_ps = s->c_ps = l->B * nu;
    s->gates_ps = l->gates_ps, s->gates_rs = l->gates_rs;
    if (way & INFERENCE) {                      /* in place in c */
        if (c) memcpy(c, l->c_prev, (size_t)(l->panels * l->B * nu) * es);
        s->c_prev = c;
    } else {
        if (!l->across) {
            poison(l->gates, l->gates_size);
            s->gates = l->gates;
        }
        s->y = y_rows;
    }
    go(&a, way, l->I);
    if (!(way & INFERENCE)) check_y(l, y);
    if (l->P) project(l, tiles, a.n_tiles, way);

    begin();
    hash_rows(l->h, l->ld, l->B, l->R);
    if (c) hash_panels(c, l->B * nu, l->B, 1, l->H);
    end_step(l, "h");
    if (!s->gates) return;
    begin();
    hash_panels(l->gates, l->gates_ps, l->B, l->cell->slots, l->H);
    end_step(l, "slots");
}
