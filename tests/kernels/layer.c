/* layer.c -- weights and states of a layer: which matrices feed which slots, and how they are packed for it. */
#include "layer.h"

const ptrdiff_t sequence[MAX_ROWS] = {5, 0, 7, 1, 1000003, 2, 3, 4, 6, 8, 9, 11, 10}, time_of[MAX_ROWS] = {3, 3, 3, 2, 0, 70000, 1};

/* rows of H values as states: panels of blocks, or rows of whole blocks with zeros beyond */
static char *panels_of(const char *rows, ptrdiff_t B, ptrdiff_t H)
{
    char *p = zeros(up(H) * B);
    for (ptrdiff_t j = 0; j < B; j++)
        for (ptrdiff_t u = 0; u < H; u++) put(p, u / nu * B * nu + j * nu + u % nu, get(rows, j * H + u));
    return p;
}

static char *blocks_of(const char *rows, ptrdiff_t B, ptrdiff_t H, ptrdiff_t ld)
{
    char *p = zeros(B * ld);
    for (ptrdiff_t j = 0; j < B; j++)
        for (ptrdiff_t u = 0; u < H; u++) put(p, j * ld + u, get(rows, j * H + u));
    return p;
}

/* a matrix as values `from` .. of K in panels of these gates */
static void pack(const layer *l, char *dst, const char *w, ptrdiff_t columns, const int *gate, ptrdiff_t gates, ptrdiff_t from, ptrdiff_t K)
{
    lstmc_matrix m = {(void *)w, columns, l->H, columns, gate, gates, at(dst, from * gates * nu), K * gates * nu, gates * nu};
    for (ptrdiff_t p = 0; p < l->panels; p++) k->pack_panels(&m, p, p + 1);
}

void make_layer(layer *l, const char *name, int cell, const ptrdiff_t size[5], lstmc_options *options)
{
    const lstmc_cell *c = &k->cells[cell];
    memset(l, 0, sizeof *l);
    l->name = name, l->cell = c, l->options = options;
    l->B = size[0], l->I = size[1], l->H = size[2], l->P = size[3], l->xs = size[4];
    l->R = l->P ? l->P : l->H;
    l->across = c->slots == 1;
    l->merged = c->x_slot == c->h_slot && c->x_slots == c->h_slots;
    const ptrdiff_t B = l->B, I = l->I, H = l->H, R = l->R, panels = up(H) / nu;
    l->panels = panels;
    l->blocks = l->across ? panels : panels * G;
    l->groups = (l->blocks + G - 1) / G;
    l->ld = up(R) + (B % 2 ? nu : 0);
    l->ldf = up(H);
    l->gates_rs = l->across ? up(H) : c->slots * nu;
    l->gates_ps = l->across ? nu : B * l->gates_rs;
    l->gates_size = l->across ? B * l->gates_rs : panels * l->gates_ps;

    char *wi = dyadic(1, c->gates * H * I, 1), *wh = dyadic(2, c->gates * H * R, 2), *hr = dyadic(12, l->P * H, 1);
    l->bias = take(l->blocks * nu);
    k->pack_bias(l->bias, c, dyadic(3, c->gates * H, 0), dyadic(4, c->gates * H, 0), H);
    if (l->across) {
        l->w = columns((lstmc_columns){wi, 1, I, I, H, NULL, 0});
        l->u = columns((lstmc_columns){wh, 1, R, R, H, NULL, 0});
    } else if (l->merged) {
        l->w = take(panels * (I + R) * c->x_slots * nu);
        pack(l, l->w, wi, I, c->x_gate, c->x_slots, 0, I + R);
        pack(l, l->w, wh, R, c->h_gate, c->h_slots, I, I + R);
    } else {
        l->w = take(panels * I * c->x_slots * nu);
        l->u = take(panels * R * c->h_slots * nu);
        pack(l, l->w, wi, I, c->x_gate, c->x_slots, 0, I);
        pack(l, l->u, wh, R, c->h_gate, c->h_slots, 0, R);
    }
    l->u_cols = columns((lstmc_columns){wh, R, 1, c->h_slots * H, R, c->h_gate, c->h_slots});
    l->w_cols = columns((lstmc_columns){wi, I, 1, c->x_slots * H, I, c->x_gate, c->x_slots});
    if (l->P) {
        l->hr = columns((lstmc_columns){hr, 1, H, H, R, NULL, 0});
        l->hr_cols = columns((lstmc_columns){hr, H, 1, R, H, NULL, 0});
    }
    if (options && options->peephole) {     /* asked for, not yet there */
        char *rows = dyadic(13, G * H, 1);
        options->peephole = panels_of(rows, G, H);
    }

    l->x = dyadic(5, B * I * l->xs, 0);
    for (ptrdiff_t j = 0; j < B; j++) l->x_rows[j] = at(l->x, j * I * l->xs);
    l->h_prev = blocks_of(dyadic(6, B * R, 0), B, R, l->ld);
    l->c_prev = c->states > 1 ? panels_of(dyadic(7, B * H, 0), B, H) : NULL;
    l->h = take(B * l->ld);
    l->c = c->states > 1 ? take(panels * B * nu) : NULL;
    l->hf = l->P ? take(B * l->ldf) : NULL;
    l->gates = take(l->gates_size);
    l->next = dyadic(8, l->gates_size, 1);
    l->dy = dyadic(9, B * R * l->xs, 0);
    l->dh = dyadic(10, B * l->ld, 0);
    l->dc = c->states > 1 ? dyadic(11, panels * B * nu, 0) : NULL;
    l->dx = dyadic(14, B * I * l->xs, 0);
}

void end_step(const layer *l, const char *what)
{
    end("%s %s %td %td %td %td %td", l->name, what, l->B, l->I, l->H, l->P, l->xs);
}
