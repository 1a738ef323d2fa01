#include "harness.h"
#include <math.h>
#include <stdarg.h>
#ifdef _WIN32
#include <malloc.h>
#define aligned_alloc(alignment, bytes) _aligned_malloc(bytes, alignment)
#define free _aligned_free
#endif

const lstmc_kernels *k;
size_t es;
ptrdiff_t nu;
int failures;

static void *blocks[256];
static int n_blocks;

static size_t bytes_of(ptrdiff_t n) { return ((size_t)(n > 0 ? n : 1) * es + 127) / 64 * 64; }

char *take(ptrdiff_t n)
{
    char *p = aligned_alloc(64, bytes_of(n));
    if (!p || n_blocks == 256) {
        fprintf(stderr, "out of memory\n");
        exit(3);
    }
    memset(p, 0x7f, bytes_of(n));
    blocks[n_blocks++] = p;
    return p;
}

int held(void) { return n_blocks; }

void forget(int mark)
{
    while (n_blocks > mark) free(blocks[--n_blocks]);
}

void poison(char *p, ptrdiff_t n) { memset(p, 0x7f, (size_t)n * es); }
char *at(char *p, ptrdiff_t i) { return p ? p + (size_t)i * es : NULL; }
ptrdiff_t up(ptrdiff_t n) { return (n + nu - 1) / nu * nu; }

void put(char *p, ptrdiff_t i, double v)
{
    if (es == 4) ((float *)(void *)p)[i] = (float)v;
    else ((double *)(void *)p)[i] = v;
}

double get(const char *p, ptrdiff_t i)
{
    return es == 4 ? (double)((const float *)(const void *)p)[i] : ((const double *)(const void *)p)[i];
}

char *zeros(ptrdiff_t n)
{
    char *p = take(n);
    memset(p, 0, (size_t)n * es);
    return p;
}

char *copy(const char *p, ptrdiff_t n) { return memcpy(take(n), p, (size_t)n * es); }

char *dyadic(uint64_t seed, ptrdiff_t n, int shift)
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

char *patterns(ptrdiff_t n)
{
    static const double special[] = {-0.0, INFINITY, -INFINITY, NAN, 1, -1, 0.5, -0.5};
    enum { SPECIAL = sizeof special / sizeof *special };
    char *p = take(n);
    const uint64_t step = (es == 4 ? 0xFFFFFFFFull : ~0ull) / (uint64_t)n | 1;
    for (ptrdiff_t i = 0; i < n; i++) {
        const uint64_t u = (uint64_t)i * step;
        const uint32_t low = (uint32_t)u;
        if (i % 31 == 30) put(p, i, special[i / 31 % SPECIAL]);
        else if (es == 4) memcpy(at(p, i), &low, 4);
        else memcpy(at(p, i), &u, 8);
    }
    return p;
}

static uint64_t digest;

void begin(void) { digest = 1; }

void hash_word(uint64_t word)
{
    digest = (digest ^ word) * 0x9E3779B97F4A7C15ull;
    digest ^= digest >> 32;
}

void hash(const char *p, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        const char *value = p + (size_t)i * es;
        uint64_t word = 0;
        uint32_t half;
        if (es == 4) {
            memcpy(&half, value, 4);
            word = (half & 0x7FFFFFFFu) > 0x7F800000u ? 0x7FC00000u : half;
        } else {
            memcpy(&word, value, 8);
            if ((word & ~0ull >> 1) > 0x7FF0000000000000ull) word = 0x7FF8000000000000ull;
        }
        hash_word(word);
    }
}

void hash_rows(const char *p, ptrdiff_t ld, ptrdiff_t rows, ptrdiff_t n)
{
    for (ptrdiff_t j = 0; j < rows; j++) hash(p + (size_t)(j * ld) * es, n);
}

void hash_panels(const char *p, ptrdiff_t ps, ptrdiff_t rows, ptrdiff_t slots, ptrdiff_t H)
{
    for (ptrdiff_t j = 0; j < rows; j++)
        for (ptrdiff_t s = 0; s < slots; s++)
            for (ptrdiff_t u = 0; u < H; u += nu)
                hash(p + (size_t)(u / nu * ps + (j * slots + s) * nu) * es, H - u < nu ? H - u : nu);
}

void fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("f%d ", (int)es * 8);
    vprintf(format, args);
    printf("\n");
    va_end(args);
    failures++;
}

void end(const char *format, ...)
{
    static struct { size_t es; char text[88]; uint64_t digest; } seen[16384];
    static int n;
    char text[sizeof seen->text];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (int i = n; i-- > 0;)
        if (seen[i].es == es && !strcmp(seen[i].text, text)) {
            if (seen[i].digest != digest) fail("%s: bits depend on the tile or on the way", text);
            return;
        }
    if (n == sizeof seen / sizeof *seen) {
        fprintf(stderr, "too many cases\n");
        exit(3);
    }
    memcpy(seen[n].text, text, sizeof text);
    seen[n].es = es;
    seen[n++].digest = digest;
    printf("f%d %s %016llx\n", (int)es * 8, text, (unsigned long long)digest);
}

ptrdiff_t most_rows(ptrdiff_t rows) { return rows < k->mr ? rows : k->mr; }

ptrdiff_t cut(lstmc_tile *tiles, ptrdiff_t rows, ptrdiff_t mr)
{
    ptrdiff_t n = 0;
    for (ptrdiff_t row = 0; row < rows; row += mr, n++) {
        tiles[n].row = row;
        tiles[n].mr = rows - row < mr ? rows - row : mr;
    }
    return n;
}

void go(lstmc_walk *a, int way, ptrdiff_t place)
{
    const ptrdiff_t q1 = a->q1, k0 = a->k0, k1 = a->k1, step = way & GROUPWISE ? 1 : q1;
    const ptrdiff_t cuts[] = {k0 + 1, (2 * k0 + k1) / 3, place, k1 - 1};
    const size_t bytes = (size_t)(a->n_tiles * q1 * LSTMC_MAX_ACC) * LSTMC_BLOCK_BYTES;
    void *sums = way & PARTS ? aligned_alloc(64, bytes) : NULL;
    if (way & PARTS && !sums) exit(3);
    a->back = (way & BACK) != 0;
    for (ptrdiff_t q = 0; q < q1; q += step) {
        a->q0 = q, a->q1 = q + step;
        a->begins = 1;
        a->sums = sums;
        for (size_t i = 0; sums && i < sizeof cuts / sizeof *cuts; i++)
            if (cuts[i] > a->k0 && cuts[i] < k1) {
                a->ends = 0;
                a->k1 = cuts[i];
                k->walk(a);
                a->begins = 0;
                a->k0 = cuts[i];
            }
        a->k1 = k1;
        a->ends = 1;
        k->walk(a);
        a->k0 = k0;
    }
    a->q0 = 0, a->q1 = q1;
    a->sums = NULL;
    free(sums);
}

lstmc_operand dense(const void *a, ptrdiff_t row_stride, ptrdiff_t k_stride, ptrdiff_t len)
{
    lstmc_operand o = {.a = a, .row_stride = row_stride, .k_stride = k_stride, .n_full = 1, .full_len = len};
    return o;
}

char *columns(lstmc_columns B)
{
    char *dst = take(B.K * up(B.N));
    const ptrdiff_t groups = (up(B.N) / nu + G - 1) / G;
    for (ptrdiff_t q = 0; q < groups; q++) k->pack_columns(dst, &B, q, q + 1);
    return dst;
}

const named_function functions[FUNCTIONS] = {
    {"sigmoid", {LSTMC_SIGMOID, 0, 0}},
    {"tanh", {LSTMC_TANH, 0, 0}},
    {"relu", {LSTMC_RELU, 0, 0}},
    {"affine", {LSTMC_AFFINE, 0.8, 0.1}},
    {"leaky_relu", {LSTMC_LEAKY_RELU, 0.01, 0}},
    {"thresholded_relu", {LSTMC_THRESHOLDED_RELU, 0.2, 0}},
    {"scaled_tanh", {LSTMC_SCALED_TANH, 1.7, 0.6}},
    {"hard_sigmoid", {LSTMC_HARD_SIGMOID, 0.2, 0.5}},
    {"elu", {LSTMC_ELU, 0.9, 0}},
    {"softsign", {LSTMC_SOFTSIGN, 0, 0}},
    {"softplus", {LSTMC_SOFTPLUS, 0, 0}},
};

lstmc_options no_options(int cell)
{
    lstmc_options o;
    memset(&o, 0, sizeof o);
    o.of[0].function = cell == RNN ? LSTMC_TANH : LSTMC_SIGMOID;
    o.of[1].function = o.of[2].function = LSTMC_TANH;
    o.clip = INFINITY;
    return o;
}
