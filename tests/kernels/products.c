/* products.c -- products into rows, and outer products, with every kind of beginning, operand and stride. */
#include "harness.h"

enum { FROM_ZERO, FROM_BIAS, FROM_ROWS, FROM_TWO, BEGINNINGS };     /* where sums begin */

static void product(ptrdiff_t M, ptrdiff_t K, ptrdiff_t N, ptrdiff_t mr, int way, int from)
{
    static const char *const names[] = {"product", "product+bias", "product+add", "product+add+add2"};
    const int transposed = from != FROM_BIAS, apart = from >= FROM_ROWS;
    const ptrdiff_t outs = apart ? 2 : 1, as = from == FROM_TWO ? 3 : 1, ld2 = N + 3;
    char *a = dyadic(1, M * K * as, 0), *w = dyadic(2, K * N, 1), *bias = dyadic(3, up(N), 0), *out = dyadic(4, M * N * outs, 0);
    lstmc_tile tiles[MAX_ROWS];
    void *rows[MAX_ROWS];
    const void *a_rows[MAX_ROWS];
    lstmc_walk s;
    memset(&s, 0, sizeof s);
    for (ptrdiff_t j = 0; j < M; j++) rows[j] = at(out, j * N * outs), a_rows[j] = at(a, j * K * as);
    s.tiles = tiles, s.n_tiles = cut(tiles, M, mr);
    s.n_products = 1;
    s.product[0] = (lstmc_product){.a = {dense(a, K * as, as, K)}, .n_operands = 1, .K = K};
    s.product[0].b = columns((lstmc_columns){w, transposed ? 1 : N, transposed ? K : 1, K, N, NULL, 0});
    if (from == FROM_TWO) s.product[0].a[0].a = NULL, s.product[0].a[0].rows = a_rows;
    s.k1 = K;
    s.N = N, s.out = rows, s.outs = outs;
    s.blocks = up(N) / nu, s.q1 = (s.blocks + G - 1) / G;
    if (from == FROM_BIAS) s.start = bias, s.start_gs = G * nu;
    if (apart) s.add = (const void *const *)rows, s.adds = outs;
    if (from == FROM_TWO) s.add2 = dyadic(5, M * ld2, 0), s.ld_add2 = ld2;
    go(&s, way, K / 2);
    begin();
    hash(out, M * N * outs);
    end("%s %td %td %td", names[from], M, K, N);
    forget(0);
}

/* features x | h | 1 of n pairs, in pieces of KBLOCK, times nb blocks of columns */
static void outer(ptrdiff_t n, ptrdiff_t I, ptrdiff_t R, ptrdiff_t nb, ptrdiff_t mr)
{
    enum { MOST = 2 * LSTMC_KBLOCK, MOST_FEATURES = 64 };
    static const void *x_rows[MOST], *h_rows[MOST];
    lstmc_tile tiles[MOST_FEATURES];
    const ptrdiff_t M = I + R + 1, bs = G * nu, ldc = nb * nu, n_tiles = cut(tiles, M, mr), split = n_tiles / 2;
    char *x = dyadic(1, n * I * 2, 0), *h = dyadic(2, n * R, 0), *b = dyadic(3, n * bs, 0), *c = take(M * ldc);
    char *packed = take(n * M);
    for (ptrdiff_t i = 0; i < n; i++) x_rows[i] = at(x, i * I * 2), h_rows[i] = at(h, i * R);
    for (ptrdiff_t from = 0; from < n; from += LSTMC_KBLOCK) {
        const ptrdiff_t len = n - from < LSTMC_KBLOCK ? n - from : LSTMC_KBLOCK;
        lstmc_features f = {.n = len, .I = I, .R = R, .x = x_rows + from, .h = h_rows + from, .xs = 2, .hs = 1};
        k->pack_outer(packed, &f, tiles, n_tiles);
        lstmc_outer o = {.n = len, .nb = nb, .a_rows = len, .b = at(b, from * bs), .bs = bs, .c = c, .ldc = ldc, .first = from == 0};
        o.m_tiles = tiles, o.n_tiles = split, o.a = packed;
        if (split) k->outer(&o);
        o.m_tiles = tiles + split, o.n_tiles = n_tiles - split, o.a = at(packed, tiles[split].row * len);
        k->outer(&o);
    }
    begin();
    hash(c, M * ldc);
    end("outer %td %td %td %td", n, I, R, nb);
    forget(0);
}

void check_products(void)
{
    static const ptrdiff_t sizes[][3] = {     /* M K N */
        {1, 1, 1}, {2, 3, 5}, {3, 16, 7}, {4, 17, 8}, {5, 9, 15}, {6, 33, 16}, {7, 5, 17}, {1, 40, 131}, {13, 8, 63}, {2, 19, 64},
        {3, 11, 65}, {1, 7, 257}, {7, 211, 19}, {37, 13, 9}, {7, 1427, 17},
    };
    static const ptrdiff_t outers[][3] = {    /* n I R */
        {1, 1, 1}, {5, 2, 3}, {17, 5, 7}, {33, 0, 9}, {31, 8, 0}, {256, 3, 4}, {257, 4, 13}, {300, 17, 1},
    };
    static const int ways[] = {AT_ONCE, BACK, GROUPWISE, PARTS};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int from = 0; from < BEGINNINGS; from++)
            for (ptrdiff_t mr = 1; mr <= most_rows(sizes[i][0]); mr++)
                for (size_t w = 0; w < sizeof ways / sizeof *ways; w++)
                    product(sizes[i][0], sizes[i][1], sizes[i][2], mr, ways[w], from);
    for (size_t i = 0; i < sizeof outers / sizeof *outers; i++)
        for (ptrdiff_t nb = 1; nb <= G; nb++)
            for (ptrdiff_t mr = 1; mr <= most_rows(outers[i][1] + outers[i][2] + 1); mr++) outer(outers[i][0], outers[i][1], outers[i][2], nb, mr);
}
