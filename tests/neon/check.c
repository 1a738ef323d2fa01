/* check.c -- runs every kernel of one instruction set on awkward sizes and prints a hash of each result.
 *
 * The program is built once per instruction set; equal lines mean equal bits. Inputs are whole numbers times
 * powers of two from an integer generator, and nothing here calls a mathematical function, so the inputs are the
 * same on every machine. Only results that a caller may read are hashed, never padding. Every case is computed in
 * tiles of 1 .. mr rows, by panels and at once, so that all register tiles meet the same data: one hash for all.
 *
 *   check ISA
 */
#include "lstmc.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { G = LSTMC_GATES };

static const lstmc_kernels *k;
static size_t es;
static ptrdiff_t nu;
static int failures;

/* Memory: cache-line aligned, filled with a pattern, forgotten at the end of a case ------------------------- */

static void *blocks[256];
static int n_blocks;

static char *take(ptrdiff_t n)
{
    const size_t bytes = ((size_t)(n > 0 ? n : 1) * es + 127) / 64 * 64;
    char *p = aligned_alloc(64, bytes);
    if (!p || n_blocks == 256) {
        fprintf(stderr, "out of memory\n");
        exit(2);
    }
    memset(p, 0x7f, bytes);
    blocks[n_blocks++] = p;
    return p;
}

static void forget(void)
{
    while (n_blocks) free(blocks[--n_blocks]);
}

static ptrdiff_t up(ptrdiff_t n) { return (n + nu - 1) / nu * nu; }

/* Inputs ------------------------------------------------------------------------------------------------------ */

static void put(char *p, ptrdiff_t i, double v)
{
    if (es == 4) ((float *)(void *)p)[i] = (float)v;
    else ((double *)(void *)p)[i] = v;
}

static double get(const char *p, ptrdiff_t i)
{
    return es == 4 ? (double)((const float *)(const void *)p)[i] : ((const double *)(const void *)p)[i];
}

/* n odd numbers of all the bits that the type holds, times 2^-shift: magnitudes below 1 for shift 0. Their products
 * and sums must be rounded, so that the order of a sum shows in its bits. */
static char *dyadic(uint64_t seed, ptrdiff_t n, int shift)
{
    char *p = take(n);
    const int bits = es == 4 ? 24 : 53;
    for (ptrdiff_t i = 0; i < n; i++) {
        uint64_t z = ((uint64_t)i + 1 + (seed << 32)) * 0x9E3779B97F4A7C15ull;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
        const int64_t v = (int64_t)(z >> (65 - bits)) * 2 + 1 - ((int64_t)1 << (bits - 1));
        put(p, i, (double)v / (double)((int64_t)1 << (bits - 1)) / (double)(1 << shift));
    }
    return p;
}

static char *zeros(ptrdiff_t n)
{
    char *p = take(n);
    memset(p, 0, (size_t)n * es);
    return p;
}

/* Hashes: FNV-1a over the bytes; any NaN counts as one, for its sign and payload are nobody's promise ------------ */

static uint64_t fnv;

static void hash_bytes(const void *p, size_t n)
{
    const unsigned char *b = p;
    for (size_t i = 0; i < n; i++) fnv = (fnv ^ b[i]) * 0x100000001B3ull;
}

static void hash(const char *p, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        const double v = get(p, i);
        if (v != v) hash_bytes("nan", 3);
        else hash_bytes(p + (size_t)i * es, es);
    }
}

/* rows of blocked data [p][row][g][NU] */
static void hash_blocks(const char *p, ptrdiff_t ps, ptrdiff_t rows, ptrdiff_t g_n, ptrdiff_t H)
{
    for (ptrdiff_t j = 0; j < rows; j++)
        for (ptrdiff_t g = 0; g < g_n; g++)
            for (ptrdiff_t u = 0; u < H; u++)
                hash(p + (size_t)(u / nu * ps + (j * g_n + g) * nu + u % nu) * es, 1);
}

static void begin(void) { fnv = 0xCBF29CE484222325ull; }

/* Prints a result's hash the first time; the same case in other tiles must have the same hash. */
static void end(const char *name, ptrdiff_t a, ptrdiff_t b, ptrdiff_t c, ptrdiff_t d)
{
    static struct { char text[64]; uint64_t fnv; } seen[1024];
    static int n;
    char text[64];
    snprintf(text, sizeof text, "f%d %s %td %td %td %td", (int)es * 8, name, a, b, c, d);
    for (int i = n; i-- > 0;)
        if (!strcmp(seen[i].text, text)) {
            if (seen[i].fnv == fnv) return;
            printf("%s: bits depend on the tile or on the way\n", text);
            failures++;
            return;
        }
    if (n == 1024) {
        fprintf(stderr, "too many cases\n");
        exit(2);
    }
    memcpy(seen[n].text, text, sizeof text);
    seen[n++].fnv = fnv;
    printf("%s %016llx\n", text, (unsigned long long)fnv);
}

/* Tiles of at most mr rows, the last one what is left ------------------------------------------------------------ */

static ptrdiff_t cut(lstmc_tile *tiles, ptrdiff_t rows, ptrdiff_t mr)
{
    ptrdiff_t n = 0;
    for (ptrdiff_t row = 0; row < rows; row += mr, n++) {
        tiles[n].row = row;
        tiles[n].mr = rows - row < mr ? rows - row : mr;
    }
    return n;
}

enum { MAX_ROWS = 64 };
static lstmc_tile tiles[MAX_ROWS];
static const void *in_rows[MAX_ROWS], *add_rows[MAX_ROWS];
static void *out_rows[MAX_ROWS];

/* The cell --------------------------------------------------------------------------------------------------------- */

static void cell(ptrdiff_t B, ptrdiff_t I, ptrdiff_t H, ptrdiff_t mr, ptrdiff_t xs, int panelwise)
{
    const ptrdiff_t R = H, P = up(H) / nu, bs = G * nu, ld = up(H), panel = (I + R) * bs;
    char *wi = dyadic(1, G * H * I, 1), *wh = dyadic(2, G * H * R, 2), *b1 = dyadic(3, G * H, 0), *b2 = dyadic(4, G * H, 0);
    char *w = take(P * panel), *bias = take(P * bs), *x = dyadic(5, B * I * xs, 0), *h = zeros(B * ld), *c = zeros(P * B * nu);
    char *h0 = dyadic(6, B * R, 0), *c0 = dyadic(7, B * H, 0), *y = take(B * H), *h1 = take(B * ld), *c1 = take(P * B * nu);
    char *gates = take(P * B * bs), *z = take(P * B * bs), *h2 = take(B * ld);
    for (ptrdiff_t j = 0; j < B; j++) {
        in_rows[j] = x + (size_t)(j * I * xs) * es;
        out_rows[j] = y + (size_t)(j * H) * es;
        for (ptrdiff_t u = 0; u < H; u++) {
            put(h, j * ld + u, get(h0, j * R + u));
            put(c, u / nu * B * nu + j * nu + u % nu, get(c0, j * H + u));
        }
    }
    k->pack_gates(w, panel, wi, I, G, H, I, 0, P);
    k->pack_gates(w + (size_t)(I * bs) * es, panel, wh, R, G, H, R, 0, P);
    k->pack_bias(bias, b1, b2, G, H);

    lstmc_lstm_fwd a;
    memset(&a, 0, sizeof a);
    a.tiles = tiles;
    a.n_tiles = cut(tiles, B, mr);
    a.p1 = P;
    a.I = I, a.R = R, a.H = H;
    a.x = in_rows, a.xs = xs;
    a.h = h, a.ldh = ld;
    a.w = w, a.bias = bias;
    a.z_ps = a.gates_ps = B * bs;
    a.c_prev = c, a.c = c1, a.c_prev_ps = a.c_ps = B * nu;
    a.gates = gates;
    a.h_out = h1, a.ld_out = ld;
    a.y = out_rows;
    const ptrdiff_t step = panelwise ? 1 : P;
    for (ptrdiff_t p = 0; p < P; p += step) {
        a.p0 = p, a.p1 = p + step;
        k->lstm_step_fwd(&a);
    }
    begin();
    for (ptrdiff_t j = 0; j < B; j++) hash(h1 + (size_t)(j * ld) * es, H);
    hash(y, B * H);
    hash_blocks(c1, B * nu, B, 1, H);
    hash_blocks(gates, B * bs, B, G, H);
    end("lstm_step_fwd", B, I, H, xs);

    /* the same through z = bias + W x */
    a.p0 = 0, a.p1 = P;
    a.z = z;
    k->lstm_gates_x(&a);
    begin();
    hash_blocks(z, B * bs, B, G, H);
    end("lstm_gates_x", B, I, H, xs);
    memset(h1, 0x7f, (size_t)(B * ld) * es);
    memset(y, 0x7f, (size_t)(B * H) * es);
    memset(c1, 0x7f, (size_t)(P * B * nu) * es);
    k->lstm_step_fwd(&a);
    begin();
    for (ptrdiff_t j = 0; j < B; j++) hash(h1 + (size_t)(j * ld) * es, H);
    hash(y, B * H);
    hash_blocks(c1, B * nu, B, 1, H);
    hash_blocks(gates, B * bs, B, G, H);
    end("lstm_step_fwd", B, I, H, xs);

    /* inference: without gates and y, in place in c */
    char *c2 = take(P * B * nu);
    memcpy(c2, c, (size_t)(P * B * nu) * es);
    a.z = NULL, a.gates = NULL, a.y = NULL, a.c_prev = a.c = c2, a.h_out = h2;
    k->lstm_step_fwd(&a);
    begin();
    for (ptrdiff_t j = 0; j < B; j++) hash(h2 + (size_t)(j * ld) * es, H);
    hash(y, B * H);
    hash_blocks(c2, B * nu, B, 1, H);
    hash_blocks(gates, B * bs, B, G, H);
    end("lstm_step_fwd", B, I, H, xs);

    /* backward: dh = dy + dh_n + dG_next U, with dG of the next step from the generator */
    char *u_cols = take(G * H * ld), *next = dyadic(8, P * B * bs, 1), *dy = dyadic(9, B * H * xs, 0), *dh = dyadic(10, B * ld, 0);
    char *dc = dyadic(11, P * B * nu, 0);
    const ptrdiff_t groups = (P + 3) / 4;
    k->pack_columns(u_cols, wh, R, 1, G * H, R, G, 0, groups);
    lstmc_product b;
    memset(&b, 0, sizeof b);
    b.tiles = tiles, b.n_tiles = a.n_tiles;
    b.N = R;
    b.a.a = next, b.a.row_stride = bs, b.a.k_stride = 1;
    b.a.n_full = H / nu, b.a.full_len = bs, b.a.full_stride = B * bs;
    b.a.n_tail = H % nu ? G : 0, b.a.tail_len = H % nu, b.a.tail_stride = nu;
    b.b = u_cols, b.K = G * H;
    for (ptrdiff_t j = 0; j < B; j++) add_rows[j] = dy + (size_t)(j * H * xs) * es;
    b.add = add_rows, b.adds = xs;
    b.add2 = dh, b.ld_add2 = ld;
    b.gates = gates, b.c_prev = c, b.c = c1, b.dc = dc;
    b.gates_ps = B * bs, b.c_prev_ps = b.c_ps = b.dc_ps = B * nu;
    if (panelwise)
        for (ptrdiff_t q = 0; q < groups; q++) {
            b.q0 = q, b.q1 = q + 1;
            k->lstm_step_bwd(&b);
        }
    else
        k->lstm_step_bwd(&b);
    begin();
    hash_blocks(gates, B * bs, B, G, H);
    hash_blocks(dc, B * nu, B, 1, H);
    end("lstm_step_bwd", B, I, H, xs);
    forget();
}

/* Products ---------------------------------------------------------------------------------------------------------- */

static void product(ptrdiff_t M, ptrdiff_t K, ptrdiff_t N, ptrdiff_t mr, int with_bias)
{
    const ptrdiff_t groups = (up(N) / nu + 3) / 4, outs = with_bias ? 1 : 2;
    char *a = dyadic(1, M * K, 0), *w = dyadic(2, K * N, 1), *bias = dyadic(3, up(N), 0), *b = take(K * up(N));
    char *out = dyadic(4, M * N * outs, 0);
    lstmc_product s;
    memset(&s, 0, sizeof s);
    k->pack_columns(b, w, with_bias ? N : 1, with_bias ? 1 : K, K, N, 0, 0, groups);
    s.tiles = tiles, s.n_tiles = cut(tiles, M, mr);
    s.N = N, s.K = K, s.b = b;
    s.a.a = a, s.a.row_stride = K, s.a.k_stride = 1, s.a.n_full = 1, s.a.full_len = K;
    for (ptrdiff_t j = 0; j < M; j++) add_rows[j] = out_rows[j] = out + (size_t)(j * N * outs) * es;
    s.out = out_rows, s.outs = outs;
    if (with_bias) s.bias = bias;
    else s.add = add_rows, s.adds = outs;
    k->product(&s);
    begin();
    hash(out, M * N * outs);
    end(with_bias ? "product+bias" : "product+add", M, K, N, outs);
    forget();
}

static void outer(ptrdiff_t n, ptrdiff_t I, ptrdiff_t R, ptrdiff_t nb, ptrdiff_t mr)
{
    const ptrdiff_t M = I + R + 1, bs = nb * nu;
    static const void *x_rows[2 * LSTMC_KBLOCK], *h_rows[2 * LSTMC_KBLOCK];
    static lstmc_tile m_tiles[256];
    char *x = dyadic(1, n * I * 2, 0), *h = dyadic(2, n * R, 0), *b = dyadic(3, n * bs, 0), *packed = take(n * M), *c = take(M * bs);
    const ptrdiff_t n_tiles = cut(m_tiles, M, mr);
    for (ptrdiff_t i = 0; i < n; i++) {
        x_rows[i] = x + (size_t)(i * I * 2) * es;
        h_rows[i] = h + (size_t)(i * R) * es;
    }
    for (ptrdiff_t at = 0; at < n; at += LSTMC_KBLOCK) {
        const ptrdiff_t len = n - at < LSTMC_KBLOCK ? n - at : LSTMC_KBLOCK;
        lstmc_features f = {len, I, R, x_rows + at, h_rows + at, 2, 1};
        k->pack_outer(packed, &f, m_tiles, n_tiles);
        lstmc_outer o;
        memset(&o, 0, sizeof o);
        o.m_tiles = m_tiles, o.n_tiles = n_tiles, o.n = len, o.nb = nb;
        o.a = packed, o.a_rows = len;
        o.b = b + (size_t)(at * bs) * es, o.bs = bs;
        o.c = c, o.ldc = bs;
        o.first = at == 0;
        k->outer(&o);
    }
    begin();
    hash(c, M * bs);
    end("outer", n, I, R, nb);
    forget();
}

/* Elementwise ------------------------------------------------------------------------------------------------------- */

/* steps through all bit patterns: special values, subnormals, infinities and NaN are among them */
static void elementary(const char *name, void (*fn)(void *, const void *, ptrdiff_t))
{
    enum { N = 65521 };
    char *x = take(N), *y = take(N);
    for (ptrdiff_t i = 0; i < N; i++) {
        if (es == 4) {
            const uint32_t u = (uint32_t)i * 65551u;
            memcpy(x + (size_t)i * 4, &u, 4);
        } else {
            const uint64_t u = (uint64_t)i * 281543696187391ull;
            memcpy(x + (size_t)i * 8, &u, 8);
        }
    }
    fn(y, x, N);
    begin();
    hash(y, N);
    end(name, N, 0, 0, 0);
    /* and densely where they bend */
    for (ptrdiff_t i = 0; i < N; i++) put(x, i, (double)(i - N / 2) / 1024.0);
    fn(y, x, N);
    begin();
    hash(y, N);
    end(name, N, 1, 0, 0);
    for (ptrdiff_t n = 0; n < 37; n++) {
        char *part = take(n + 1);
        memset(part, 0x7f, (size_t)(n + 1) * es);
        fn(part, x + (size_t)(N / 2) * es, n);
        if (memcmp(part, y + (size_t)(N / 2) * es, (size_t)n * es) != 0 || (unsigned char)part[(size_t)n * es] != 0x7f) {
            printf("f%d %s: a run of %td differs from the whole\n", (int)es * 8, name, n);
            failures++;
        }
    }
    forget();
}

static void training(ptrdiff_t n)
{
    char *x = dyadic(1, 5 * n, 0), *y = take(5 * n), *dy = dyadic(2, 5 * n, 0), *dx = take(5 * n);
    k->softmax(y, x, 5, n);
    begin();
    hash(y, 5 * n);
    end("softmax", 5, n, 0, 0);
    k->softmax_bwd(dx, y, dy, 5, n);
    begin();
    hash(dx, 5 * n);
    end("softmax_bwd", 5, n, 0, 0);
    const double total = k->sumsq(x, 5 * n);
    begin();
    hash_bytes(&total, sizeof total);
    end("sumsq", 5 * n, 0, 0, 0);

    const lstmc_update u = {0.01, 0.9, 0.999, 1e-7, 0.7, 0.04, 0.3, 1};
    char *w = dyadic(3, n, 0), *g = dyadic(4, n, 0), *m = zeros(n), *v = zeros(n);
    for (int i = 0; i < 3; i++) k->adam(w, g, m, v, n, &u);
    begin();
    hash(w, n), hash(m, n), hash(v, n);
    end("adam", n, 0, 0, 0);
    for (int i = 0; i < 3; i++) k->rmsprop(w, g, m, v, n, &u);
    for (int i = 0; i < 3; i++) k->rmsprop(w, g, NULL, v, n, &u);
    begin();
    hash(w, n), hash(m, n), hash(v, n);
    end("rmsprop", n, 0, 0, 0);
    for (int i = 0; i < 3; i++) k->sgd(w, g, m, n, &u);
    for (int i = 0; i < 3; i++) k->sgd(w, g, NULL, n, &u);
    begin();
    hash(w, n), hash(m, n);
    end("sgd", n, 0, 0, 0);
    forget();
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
        if (key[0] == known[i].key[0] && key[1] == known[i].key[1]) continue;
        printf("philox: not the known answer %d\n", (int)i);
        failures++;
    }
    for (ptrdiff_t n = 1; n <= 130; n += n % 16 ? 1 : 14) {
        char *row = take(n);
        begin();
        for (int i = 1; i < 16; i++) {
            k->keep_rows(row, n, key, i / 16.0, (uint32_t)i, (uint32_t)n);
            hash(row, n);
        }
        end("keep_rows", n, 0, 0, 0);
        forget();
    }
}

static void everything(void)
{
    static const ptrdiff_t cells[][4] = {    /* B I H xs */
        {1, 1, 1, 1}, {2, 3, 5, 1}, {3, 1, 7, 1}, {4, 5, 8, 2}, {5, 7, 9, 1}, {6, 8, 15, 1}, {7, 9, 16, 3}, {1, 13, 17, 1},
        {13, 16, 31, 1}, {2, 17, 33, 1}, {3, 5, 65, 2}, {1, 4, 129, 1}, {19, 3, 47, 1}, {1, 2, 193, 1},
    };
    static const ptrdiff_t products[][3] = {     /* M K N */
        {1, 1, 1}, {2, 3, 5}, {3, 16, 7}, {4, 17, 8}, {5, 9, 15}, {6, 33, 16}, {7, 5, 17}, {1, 40, 131}, {13, 8, 63}, {2, 19, 64},
        {3, 11, 65}, {1, 7, 257},
    };
    static const ptrdiff_t outers[][4] = {       /* n I R nb */
        {1, 1, 1, 1}, {5, 2, 3, 2}, {17, 5, 7, 3}, {33, 0, 9, 4}, {256, 3, 4, 4}, {257, 4, 13, 4}, {300, 17, 1, 4},
    };
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
        const ptrdiff_t *s = cells[i];
        for (ptrdiff_t mr = 1; mr <= k->mr; mr++)
            for (int panelwise = 0; panelwise < 2; panelwise++) cell(s[0], s[1], s[2], mr, s[3], panelwise);
    }
    for (size_t i = 0; i < sizeof products / sizeof *products; i++)
        for (int with_bias = 0; with_bias < 2; with_bias++)
            for (ptrdiff_t mr = 1; mr <= k->mr; mr++)
                product(products[i][0], products[i][1], products[i][2], mr, with_bias);
    for (size_t i = 0; i < sizeof outers / sizeof *outers; i++)
        for (ptrdiff_t mr = 1; mr <= k->mr; mr++) outer(outers[i][0], outers[i][1], outers[i][2], outers[i][3], mr);
    elementary("exp", k->vexp);
    elementary("sigmoid", k->vsigmoid);
    elementary("tanh", k->vtanh);
    static const ptrdiff_t widths[] = {1, 3, 7, 8, 15, 16, 17, 33, 1000};
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) training(widths[i]);
    masks();
}

int main(int argc, char **argv)
{
    for (int bits = 32; bits <= 64; bits += 32) {
        k = argc == 2 ? lstmc_table(argv[1], bits / 8) : NULL;
        if (!k) {
            fprintf(stderr, "usage: check ISA, one that this program was built with and this machine can run\n");
            return 2;
        }
        es = (size_t)k->itemsize, nu = k->nu;
        everything();
    }
    return failures != 0;
}
