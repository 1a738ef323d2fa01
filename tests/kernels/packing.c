/* packing.c -- matrices and biases into panels and columns, and panels back into matrices. */
#include "harness.h"

static void check_zeros(const char *what, const char *p, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++)
        if (get(p, i) != 0) {
            fail("%s: not 0 beyond the last unit", what);
            return;
        }
}

/* `gates` rows of H units, in any order, rs apart, to panels and back */
static void panels(ptrdiff_t H, ptrdiff_t K, const int *gate, ptrdiff_t gates)
{
    const ptrdiff_t rs = K + 2, n = up(H) / nu, panel = (K + 1) * G * nu, size = n * panel;
    char *w = dyadic(1, G * H * rs, 0), *dst = take(size), *back = dyadic(2, G * H * rs, 0), *more = dyadic(3, size, 0);
    lstmc_matrix m = {w, rs, H, K, gate, gates, dst, panel, G * nu};
    for (ptrdiff_t p = 0; p < n; p++) k->pack_panels(&m, p, p + 1);
    begin();
    for (ptrdiff_t p = 0; p < n; p++)
        for (ptrdiff_t i = 0; i < K; i++)
            for (ptrdiff_t g = 0; g < gates; g++) {
                const ptrdiff_t units = H - p * nu < nu ? H - p * nu : nu;
                const char *block = at(dst, p * panel + i * G * nu + g * nu);
                hash(block, units);
                check_zeros("pack_panels", block + (size_t)units * es, nu - units);
            }
    end("pack_panels %td %td %td", H, K, gates);

    m.w = back;
    k->unpack_panels(&m, NULL, 0, n);
    for (ptrdiff_t r = 0; r < gates * H; r++) {
        const ptrdiff_t row = gate[r / H] * H + r % H;
        if (memcmp(at(back, row * rs), at(w, row * rs), (size_t)K * es) != 0) fail("unpack_panels: not what was packed");
    }
    for (ptrdiff_t p = 0; p < n; p++) k->unpack_panels(&m, more, p, p + 1);
    begin();
    hash(back, G * H * rs);         /* the other gates and what is between rows too: they stay */
    end("unpack_panels %td %td %td", H, K, gates);
    forget(0);
}

static void pack_columns(ptrdiff_t K, ptrdiff_t N, ptrdiff_t ks, ptrdiff_t ns, const int *gate, ptrdiff_t gates)
{
    const ptrdiff_t wide = G * nu, units = gates ? K / gates : K;
    char *w = dyadic(1, (gates ? G * units : K) * ks + N * ns, 0), *dst = columns((lstmc_columns){w, ks, ns, K, N, gate, gates});
    begin();
    for (ptrdiff_t n = 0; n < up(N); n += wide)
        for (ptrdiff_t i = 0; i < K; i++) {
            const ptrdiff_t width = up(N) - n < wide ? up(N) - n : wide, used = N - n < width ? N - n : width;
            const char *row = at(dst, n * K + i * width);
            hash(row, used);
            check_zeros("pack_columns", row + (size_t)used * es, width - used);
        }
    end("pack_columns %td %td %td %td %td", K, N, ks, ns, gates);
    forget(0);
}

static void pack_bias(const lstmc_cell *c, ptrdiff_t H, int which)
{
    const ptrdiff_t n = up(H) / nu;
    char *dst = take(n * c->slots * nu), *b1 = dyadic(1, c->gates * H, 0), *b2 = dyadic(2, c->gates * H, 0);
    k->pack_bias(dst, c, which & 1 ? b1 : NULL, which & 2 ? b2 : NULL, H);
    begin();
    hash_panels(dst, c->slots * nu, 1, c->slots, H);
    end("pack_bias %s %td %d", c->name, H, which);
    for (ptrdiff_t s = 0; s < c->slots && H % nu; s++)
        check_zeros("pack_bias", at(dst, ((n - 1) * c->slots + s) * nu + H % nu), nu - H % nu);
    forget(0);
}

void check_packing(void)
{
    static const ptrdiff_t widths[] = {1, 3, 7, 8, 9, 15, 16, 17, 31, 67}, depths[] = {1, 5, 8, 17};
    static const int order[] = {2, 0, 3, 1};
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++)
        for (size_t j = 0; j < sizeof depths / sizeof *depths; j++) {
            const ptrdiff_t H = widths[i], K = depths[j];
            for (ptrdiff_t gates = 1; gates <= G; gates++) panels(H, K, order, gates);
            pack_columns(H, K, 1, H, NULL, 0);
            pack_columns(H, K, K, 1, NULL, 0);
            for (ptrdiff_t gates = 1; gates <= G; gates++) pack_columns(gates * H, K, K, 1, order, gates);
        }
    for (int cell = LSTM; cell <= RNN; cell++)
        for (size_t i = 0; i < sizeof widths / sizeof *widths; i++)
            for (int which = 0; which < 4; which++) pack_bias(&k->cells[cell], widths[i], which);
}
