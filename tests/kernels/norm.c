/* norm.c -- steps of an LSTM with layer normalisation, forward and back: all rows at once and one by one, in training and in inference. */
#include "layer.h"

enum { SUMS = LSTMC_NORM_SUMS };

/* What a step reads; `row` is a row of [p][G][nu] */
typedef struct {
    const char *name;
    const lstmc_options *options;
    ptrdiff_t B, H, panels, row;
    char *sums_x, *sums_h, *h_prev, *c_prev, *gamma_x, *gamma_h, *bias, *gamma_c, *beta_c;
    char *dh, *dc, *sums;
} norms;

/* n numbers, whose panels come every ps of them: 0 in lanes beyond H */
static char *within(uint64_t seed, ptrdiff_t n, ptrdiff_t ps, ptrdiff_t H, int shift)
{
    char *p = dyadic(seed, n, shift);
    for (ptrdiff_t i = 0; i < n; i++)
        if (i / ps % (up(H) / nu) * nu + i % nu >= H) put(p, i, 0);
    return p;
}

static void end_norm(const norms *l, const char *what) { end("%s %s %td %td", l->name, what, l->B, l->H); }

static lstmc_step step_of(const norms *l, char *h, char *c, char *gates)
{
    const ptrdiff_t ps = l->B * nu;
    lstmc_step s;
    memset(&s, 0, sizeof s);
    s.H = l->H, s.options = l->options;
    s.sequence = sequence, s.time = time_of;
    s.h_prev = l->h_prev, s.h = h, s.ld_prev = s.ld = up(l->H);
    s.c_prev = l->c_prev, s.c = c, s.c_prev_ps = s.c_ps = s.dc_ps = ps;
    s.gates = gates, s.gates_ps = G * ps, s.gates_rs = G * nu;
    return s;
}

/* rows 0 .. B-1, `rows` a call */
static void go_norm(const norms *l, void (*kernel)(const lstmc_step *, const lstmc_norm *, ptrdiff_t, ptrdiff_t), const lstmc_step *s,
                    const lstmc_norm *m, ptrdiff_t rows)
{
    for (ptrdiff_t j = 0; j < l->B; j += rows) kernel(s, m, j, j + rows < l->B ? j + rows : l->B);
}

/* forward, and, if there is a tape, back */
static void norm_step(const norms *l, int train, ptrdiff_t rows)
{
    const ptrdiff_t B = l->B, H = l->H, ps = B * nu, all = l->panels * ps, padded = up(H);
    char *h = take(B * padded), *c = train ? take(all) : copy(l->c_prev, all), *gates = train ? take(G * all) : NULL;
    lstmc_step s = step_of(l, h, c, gates);
    lstmc_norm m = {.gamma_x = l->gamma_x, .gamma_h = l->gamma_h, .bias = l->bias, .gamma_c = l->gamma_c, .beta_c = l->beta_c};
    m.sums_x = l->sums_x, m.sums_h = copy(l->sums_h, B * l->row), m.sums_x_rs = m.sums_h_rs = l->row;
    if (train) m.x = take(G * all), m.h = take(G * all), m.stats = take(4 * B);
    else s.c_prev = c;                          /* in place */
    go_norm(l, k->norm_fwd, &s, &m, rows);
    begin();
    hash_rows(h, padded, B, H);
    hash_panels(c, ps, B, 1, H);
    end_norm(l, "h");
    if (!train) return;
    begin();
    hash_panels(gates, G * ps, B, G, H);
    hash_panels(m.x, G * ps, B, G, H);
    hash_panels(m.h, G * ps, B, G, H);
    hash(m.stats, 4 * B);
    end_norm(l, "tape");

    const int zoneout = l->options->zoneout_h > 0, peephole = l->options->peephole != NULL;
    m.dh = take(2 * B * padded), m.ld_dh = 2 * padded;
    for (ptrdiff_t j = 0; j < B; j++) memcpy(at(m.dh, j * m.ld_dh), at(l->dh, j * padded), (size_t)padded * es);
    m.sums = copy(l->sums, SUMS * all), m.sums_ps = SUMS * ps;
    s.dc = copy(l->dc, all);
    s.dh = zoneout ? take(B * padded) : NULL, s.ld_dh = padded;
    s.products = peephole ? take(G * all) : NULL;
    go_norm(l, k->norm_bwd, &s, &m, rows);
    begin();
    hash_panels(gates, G * ps, B, G, H);
    hash_panels(m.x, G * ps, B, G, H);
    hash_panels(m.h, G * ps, B, G, H);
    hash_panels(m.sums, SUMS * ps, B, SUMS, H);
    hash_panels(s.dc, ps, B, 1, H);
    if (zoneout) hash_rows(s.dh, padded, B, H);
    if (peephole) hash_panels(s.products, G * ps, B, G, H);
    end_norm(l, "back");
}

/* sizes around a vector, a block and the sixteen lanes of a sum, both forms of these options */
static void both_forms(const char *what, lstmc_options o)
{
    static const ptrdiff_t sizes[][2] = {{1, 1}, {2, 3}, {7, 5}, {3, 8}, {1, 15}, {2, 16}, {5, 17}, {1, 31}, {2, 33}, {3, 67}, {1, 129}, {2, 200}};
    char name[48];
    norms l;
    for (int form = 0; form < 2; form++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            const ptrdiff_t B = sizes[i][0], H = sizes[i][1], panels = up(H) / nu, row = panels * G * nu, all = panels * B * nu;
            lstmc_options own = o;
            own.norm_eps = form ? 0x1p-10 : 0x1p-17, own.norm_state = form;
            if (o.peephole) own.peephole = within(13, row, G * nu, H, 1);       /* asked for, not yet there */
            snprintf(name, sizeof name, "norm/%s/%s", form ? "tfa" : "haste", what);
            l = (norms){name, &own, B, H, panels, row, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL};
            l.sums_x = within(1, B * row, G * nu, H, 0), l.sums_h = within(2, B * row, G * nu, H, 0);
            l.h_prev = within(3, B * up(H), nu, H, 0), l.c_prev = within(4, all, B * nu, H, 0);
            l.gamma_x = within(5, row, G * nu, H, 0), l.gamma_h = within(6, row, G * nu, H, 0), l.bias = within(7, row, G * nu, H, 0);
            l.gamma_c = within(8, up(H), nu, H, 0), l.beta_c = within(9, up(H), nu, H, 1);
            l.dh = within(10, B * up(H), nu, H, 0), l.dc = within(11, all, B * nu, H, 0), l.sums = within(12, SUMS * all, SUMS * B * nu, H, 0);
            const int mark = held();
            for (int way = 0; way < 4; way++) {
                norm_step(&l, way & 1, way & 2 ? 1 : B);
                forget(mark);
            }
            forget(0);
        }
}

void check_norms(void)
{
    static const char here = 0;
    lstmc_options o = no_options(LSTM);
    both_forms("defaults", o);
    o.coupled = 1, o.clip = 0.4, o.peephole = &here;
    both_forms("peephole+coupled+clip", o);
    o = no_options(LSTM);
    o.off[0] = o.off[3] = 1;
    both_forms("off-io", o);
    o = no_options(LSTM);
    o.zoneout_h = 0.3, o.zoneout_c = 0.2;
    both_forms("zoneout", o);
    o.random = 1;
    k->derive(o.key_h, 1, 2, 3, 4);
    k->derive(o.key_c, 1, 2, 3, 5);
    both_forms("zoneout+random", o);
    for (int f = 0; f < FUNCTIONS; f++) {
        o = no_options(LSTM);
        o.of[0] = o.of[1] = o.of[2] = functions[f].f;
        both_forms(functions[f].name, o);
    }
}
