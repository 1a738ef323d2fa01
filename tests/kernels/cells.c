/* cells.c -- which cells, options and sizes are computed, and in which tiles and ways. */
#include "layer.h"

static const int all_ways[] = {AT_ONCE, BACK, GROUPWISE, PARTS, THROUGH_Z, THROUGH_Z | PARTS | BACK, GROUPWISE | PARTS | THROUGH_Z,
                               INFERENCE, INFERENCE | THROUGH_Z | BACK};
static const int few_ways[] = {AT_ONCE, PARTS | BACK, INFERENCE | THROUGH_Z | GROUPWISE};

static void run(const char *name, int cell, const ptrdiff_t size[5], lstmc_options *options, const int *ways, size_t n_ways)
{
    layer l;
    lstmc_options own;
    if (options) own = *options;
    make_layer(&l, name, cell, size, options ? &own : NULL);
    const int mark = held();
    for (ptrdiff_t mr = 1; mr <= most_rows(l.B); mr++)
        for (size_t i = 0; i < n_ways; i++) {
            forward(&l, mr, ways[i]);
            if (!(ways[i] & (INFERENCE | THROUGH_Z))) backward(&l, mr, ways[i]);
            forget(mark);
        }
    forget(0);
}

static void plain(int cell)
{
    static const ptrdiff_t sizes[][5] = {    /* B I H P xs */
        {1, 1, 1, 0, 1}, {2, 3, 5, 0, 1}, {3, 1, 7, 0, 1}, {4, 5, 8, 0, 2}, {5, 7, 9, 0, 1}, {6, 8, 15, 0, 1}, {7, 9, 16, 0, 3},
        {1, 13, 17, 0, 1}, {13, 16, 31, 0, 1}, {2, 17, 33, 0, 1}, {3, 5, 65, 0, 2}, {1, 4, 129, 0, 1}, {35, 3, 47, 0, 1},
        {1, 2, 193, 0, 1}, {7, 40, 65, 0, 1}, {7, 761, 5, 0, 1},
        {1, 2, 3, 1, 1}, {5, 3, 17, 7, 2}, {13, 4, 33, 16, 1}, {2, 1, 9, 67, 1},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (!sizes[i][3] || cell == LSTM)
            run(k->cells[cell].name, cell, sizes[i], NULL, all_ways, sizeof all_ways / sizeof *all_ways);
}

static void with_options(int cell, const char *what, const lstmc_options *o)
{
    static const ptrdiff_t sizes[][5] = {
        {1, 2, 1, 0, 1}, {1, 3, 67, 0, 1}, {2, 1, 16, 0, 1}, {3, 2, 41, 0, 2}, {7, 3, 17, 0, 1}, {5, 2, 11, 5, 1},
    };
    char name[48];
    snprintf(name, sizeof name, "%s/%s", k->cells[cell].name, what);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        lstmc_options own = *o;
        if (!sizes[i][3] || (cell == LSTM && o->zoneout_h == 0))
            run(name, cell, sizes[i], &own, few_ways, sizeof few_ways / sizeof *few_ways);
    }
}

/* every activation function in every place, bounded and not */
static void activations(int cell)
{
    for (int f = 0; f < FUNCTIONS; f++) {
        char name[32];
        lstmc_options o = no_options(cell);
        o.of[0] = o.of[1] = o.of[2] = functions[f].f;
        with_options(cell, functions[f].name, &o);
        if (cell == RNN) continue;
        o.clip = 0.6;
        snprintf(name, sizeof name, "%s+clip", functions[f].name);
        with_options(cell, name, &o);
    }
}

static void zoneout(int cell)
{
    lstmc_options o = no_options(cell);
    o.zoneout_h = 0.3;
    with_options(cell, "zoneout_h", &o);
    o.zoneout_c = 0.2;
    with_options(cell, "zoneout", &o);
    o.random = 1;
    k->derive(o.key_h, 1, 2, 3, 4);
    k->derive(o.key_c, 1, 2, 3, 5);
    with_options(cell, "zoneout+random", &o);
    o.zoneout_h = 0;
    if (cell == LSTM) with_options(cell, "zoneout_c+random", &o);
}

static void of_lstm(void)
{
    static const char here = 0;
    lstmc_options o = no_options(LSTM);
    with_options(LSTM, "defaults", &o);
    o.peephole = &here;
    with_options(LSTM, "peephole", &o);
    o.coupled = 1;
    with_options(LSTM, "peephole+coupled", &o);
    o.clip = 0.4, o.zoneout_c = 0.1, o.zoneout_h = 0.2, o.random = 1;
    o.key_h[0] = 1, o.key_c[1] = 2;
    with_options(LSTM, "peephole+coupled+clip+zoneout", &o);
    o = no_options(LSTM);
    o.coupled = 1;
    with_options(LSTM, "coupled", &o);
    o = no_options(LSTM);
    o.clip = 0.4;
    with_options(LSTM, "clip", &o);
    for (int off = 1; off < 8; off++) {         /* of i, f and o; g is never off */
        char name[16];
        o = no_options(LSTM);
        o.off[0] = off & 1, o.off[1] = off >> 1 & 1, o.off[3] = off >> 2;
        snprintf(name, sizeof name, "off-%s%s%s", off & 1 ? "i" : "", off & 2 ? "f" : "", off & 4 ? "o" : "");
        o.peephole = off == 7 ? &here : NULL;
        with_options(LSTM, name, &o);
    }
}

void check_cells(void)
{
    for (int cell = LSTM; cell <= RNN; cell++) {
        plain(cell);
        activations(cell);
        if (cell != RNN) zoneout(cell);
    }
    of_lstm();
    lstmc_options o = no_options(GRU);
    with_options(GRU, "defaults", &o);
    o.clip = 0.4;
    with_options(GRU, "clip", &o);
}
