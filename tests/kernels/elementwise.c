/* elementwise.c -- what has no product: functions over all bit patterns, cells whose sums hold them, training, random masks,
 * CTC. */
#include "harness.h"
#include <math.h>

static void elementary(const char *name, void (*fn)(void *, const void *, ptrdiff_t))
{
    enum { N = 65521 };
    char *x = patterns(N), *y = take(N);
    fn(y, x, N);
    begin();
    hash(y, N);
    end("%s patterns", name);
    /* and densely where they bend */
    for (ptrdiff_t i = 0; i < N; i++) put(x, i, (double)(i - N / 2) / 1024.0);
    fn(y, x, N);
    begin();
    hash(y, N);
    end("%s dense", name);
    for (ptrdiff_t n = 0; n < 37; n++) {
        char *part = take(n + 1);
        fn(part, at(x, N / 2), n);
        if (memcmp(part, at(y, N / 2), (size_t)n * es) != 0 || (unsigned char)*at(part, n) != 0x7f)
            fail("%s: a run of %td differs from the whole", name, n);
    }
    forget(0);
}

/* One row of a cell whose sums, and whose gradient of h, hold bit patterns: the ends of chains alone. */
static void cell_of_patterns(int cell, const char *what, const lstmc_options *o)
{
    enum { H = 4112 };        /* whole blocks: no pattern is lost beyond the last unit */
    const lstmc_cell *c = &k->cells[cell];
    const ptrdiff_t panels = up(H) / nu, blocks = c->slots == 1 ? panels : panels * G, slots = c->slots;
    static const ptrdiff_t zero = 0;
    const lstmc_tile tile = {0, 1};
    char *z = patterns(up(blocks * nu)), *h_prev = dyadic(1, up(H), 0), *c_prev = dyadic(2, up(H), 0), *h = take(up(H)), *c_new = take(up(H));
    char *gates = take(panels * slots * nu), *dc = dyadic(3, up(H), 0), *dh = take(up(H)), *dy = patterns(H);
    const void *dy_row = dy;
    lstmc_walk a;
    memset(&a, 0, sizeof a);
    a.tiles = &tile, a.n_tiles = 1;
    a.blocks = blocks, a.q1 = (blocks + G - 1) / G;
    a.start = z, a.start_gs = G * nu;
    a.finish = c->forward[o != NULL];
    a.step.H = H, a.step.options = o;
    a.step.h_prev = h_prev, a.step.h = h, a.step.ld_prev = a.step.ld = a.step.ld_dh = up(H);
    a.step.c_prev = c_prev, a.step.c = c_new, a.step.c_prev_ps = a.step.c_ps = a.step.dc_ps = nu;
    a.step.gates_ps = a.step.gates_rs = slots * nu;
    a.step.gates = slots > 1 ? gates : NULL;
    a.step.sequence = a.step.time = &zero;
    go(&a, AT_ONCE, 0);
    begin();
    hash(h, H);
    if (c->states > 1) hash(c_new, H);
    if (slots > 1) hash_panels(gates, slots * nu, 1, slots, H);
    end("%s/%s patterns", c->name, what);

    a.start = NULL;
    a.add = &dy_row, a.adds = 1, a.N = H;
    a.blocks = panels, a.q1 = (panels + G - 1) / G;
    a.finish = c->backward[o != NULL];
    a.step.gates = gates;
    a.step.dc = dc, a.step.dh = c->states == 1 ? dh : NULL;
    go(&a, AT_ONCE, 0);
    begin();
    hash_panels(gates, slots * nu, 1, slots, H);
    if (c->states > 1) hash(dc, H);
    else if (slots > 1) hash(dh, H);
    end("%s/%s patterns.back", c->name, what);
    forget(0);
}

static void cells_of_patterns(void)
{
    for (int cell = LSTM; cell <= RNN; cell++) {
        if (cell == RNN) cell_of_patterns(cell, "plain", NULL);     /* others: compiled into their chains; options compute the same */
        for (int f = 0; f < FUNCTIONS; f++)
            for (int clip = 0; clip < (cell == RNN ? 1 : 2); clip++) {
                char name[32];
                lstmc_options o = no_options(cell);
                o.of[0] = o.of[1] = o.of[2] = functions[f].f;
                if (clip) o.clip = 0.6;
                snprintf(name, sizeof name, "%s%s", functions[f].name, clip ? "+clip" : "");
                cell_of_patterns(cell, name, &o);
            }
    }
}

static void training(ptrdiff_t n)
{
    char *x = dyadic(1, 5 * n, 0), *y = take(5 * n), *dy = dyadic(2, 5 * n, 0), *dx = take(5 * n);
    k->softmax(y, x, 5, n);
    begin();
    hash(y, 5 * n);
    end("softmax %td", n);
    k->softmax_bwd(dx, y, dy, 5, n);
    begin();
    hash(dx, 5 * n);
    end("softmax_bwd %td", n);
    uint64_t word;
    const double total = k->sumsq(x, 5 * n);
    begin();
    memcpy(&word, &total, sizeof word);
    hash_word(word);
    end("sumsq %td", 5 * n);

    const lstmc_update u = {.lr = 0.01, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-7, .momentum = 0.7, .decay = 0.04, .gain = 1 - 0.999,
                            .of_m = 0.6, .of_g = 0.8, .of_v = 0.3, .scale = 0.3, .clip = INFINITY, .nesterov = 1};
    char *w = dyadic(3, n, 0), *g = dyadic(4, n, 0), *m = zeros(n), *v = zeros(n), *more = zeros(n);
    for (int i = 0; i < 3; i++) k->rules[LSTMC_ADAM](w, g, m, v, NULL, n, &u);
    begin();
    hash(w, n), hash(m, n), hash(v, n);
    end("adam %td", n);
    for (int i = 0; i < 3; i++) k->rules[LSTMC_RMSPROP](w, g, v, m, NULL, n, &u);
    for (int i = 0; i < 3; i++) k->rules[LSTMC_RMSPROP](w, g, v, NULL, NULL, n, &u);
    begin();
    hash(w, n), hash(m, n), hash(v, n);
    end("rmsprop %td", n);
    for (int i = 0; i < 3; i++) k->rules[LSTMC_SGD](w, g, m, NULL, NULL, n, &u);
    for (int i = 0; i < 3; i++) k->rules[LSTMC_SGD](w, g, NULL, NULL, NULL, n, &u);
    begin();
    hash(w, n), hash(m, n);
    end("sgd %td", n);

    lstmc_update clipped = u;
    clipped.clip = 0.1;
    for (int rule = 0; rule < LSTMC_RULES; rule++) {
        char *slot = zeros(n), *other = zeros(n);
        for (int i = 0; i < 3; i++) k->rules[rule](w, i == 1 ? NULL : g, slot, other, more, n, &clipped);
        begin();
        hash(w, n), hash(slot, n), hash(other, n), hash(more, n);
        end("rule %d with all slots %td", rule, n);
    }
    forget(0);
}

/* The known answers of philox4x32-10 that come with Random123, and masks of every width around a vector. */
static void masks(void)
{
    static const struct { uint64_t seed, step; uint32_t layer, purpose, key[2]; } known[] = {
        {0, 0, 0, 0, {0x6627E8D5u, 0xE169C58Du}},
        {~0ull, ~0ull, ~0u, ~0u, {0x408F276Du, 0x41C83B0Eu}},
        {0x299F31D0A4093822ull, 0x85A308D3243F6A88ull, 0x13198A2Eu, 0x03707344u, {0xD16CFE09u, 0x94FDCCEBu}},
    };
    uint32_t key[2];
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        k->derive(key, known[i].seed, known[i].step, known[i].layer, known[i].purpose);
        if (key[0] != known[i].key[0] || key[1] != known[i].key[1]) fail("philox: not the known answer %d", (int)i);
    }
    for (ptrdiff_t n = 1; n <= 130; n += n % 16 ? 1 : 14) {
        char *row = take(n);
        begin();
        for (int i = 1; i < 16; i++) {
            k->keep_rows(row, n, key, i / 16.0, (uint32_t)i, (uint32_t)n);
            hash(row, n);
        }
        end("keep_rows %td", n);
        forget(0);
    }
}

/* CTC of labels with and without repetitions, with and without a gradient, and of too few frames. */
static void ctc(ptrdiff_t T, ptrdiff_t C, ptrdiff_t L)
{
    const size_t before = es;
    int64_t labels[16];
    lstmc_ctc s = {T, C, L, labels, 0, NULL, (C + LSTMC_CTC_BLOCK - 1) / LSTMC_CTC_BLOCK * LSTMC_CTC_BLOCK, 1, NULL,
                   (2 * L + 2 + LSTMC_CTC_PAD - 1) / LSTMC_CTC_PAD * LSTMC_CTC_PAD + 2 * LSTMC_CTC_PAD};
    es = sizeof(double);        /* whatever the table */
    for (ptrdiff_t i = 0; i < L; i++) labels[i] = 1 + i / 2 % (C - 1);
    char *x = dyadic(9, T * C, -3), *rows = take(T * s.ld), *work = take(s.ld + (T + 4) * s.lds);
    begin();
    for (s.gradient = 0; s.gradient < 2; s.gradient++) {
        for (ptrdiff_t i = 0; i < T * s.ld; i++) put(rows, i, i % s.ld < C ? get(x, i / s.ld * C + i % s.ld) : -INFINITY);
        s.rows = (double *)(void *)rows, s.work = (double *)(void *)work;
        const double loss = k->ctc(&s);
        uint64_t word;
        memcpy(&word, &loss, sizeof word);
        hash_word(word);
    }
    hash_rows(rows, s.ld, T, C);
    end("ctc T%td C%td L%td", T, C, L);
    forget(0);
    es = before;
}

void check_elementwise(void)
{
    static const ptrdiff_t widths[] = {1, 3, 7, 8, 15, 16, 17, 33, 1000};
    elementary("exp", k->vexp);
    elementary("sigmoid", k->vsigmoid);
    elementary("tanh", k->vtanh);
    elementary("log", k->vlog);
    cells_of_patterns();
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) training(widths[i]);
    masks();
    for (ptrdiff_t L = 0; L <= 16; L += L < 4 ? 1 : 4)
        for (ptrdiff_t T = 1; T < 40; T += 6) ctc(T, 3 + T, L);
}
