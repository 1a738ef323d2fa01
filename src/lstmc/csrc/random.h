/* random.h -- random words from a counter: Philox4x32-10 (Salmon, Moraes, Dror and Shaw 2011). Once per instruction set.
 *
 * A word is a function of (key, sequence, time, unit) alone, so that no mask depends on shapes, order or threads: it is
 * word unit % 4 of philox(counter = (unit / 4, time, sequence, 0)). The key of a call is the first two words of
 * philox(counter = (step, layer, purpose)) under the user's seed. An element is dropped where its word < random_below(p).
 *
 * A lane of 64 bits holds one word of one counter. What is above the word is never read, because random_times multiplies
 * lower halves: one instruction, which compilers do not find by themselves and x86 names here. Elsewhere a vector is a
 * plain number. random_put pairs lanes within 16 bytes, hence lane l holds counter l/2, and half of the lanes more where
 * l is odd. */
#if defined(__AVX2__)
#include <immintrin.h>
enum { RANDOM_ABREAST = 2 };
typedef uint64_t random_lanes __attribute__((vector_size(32)));
INLINE random_lanes random_times(random_lanes a, uint32_t m)
{
    return (random_lanes)_mm256_mul_epu32((__m256i)a, _mm256_set1_epi64x(m));
}
INLINE void random_put(uint32_t *out, random_lanes a, random_lanes b, random_lanes c, random_lanes d)
{
    const __m256i ab = (__m256i)((a & 0xFFFFFFFFu) | b << 32), cd = (__m256i)((c & 0xFFFFFFFFu) | d << 32);
    _mm256_storeu_si256((__m256i *)(void *)out, _mm256_unpacklo_epi64(ab, cd));
    _mm256_storeu_si256((__m256i *)(void *)(out + 8), _mm256_unpackhi_epi64(ab, cd));
}
#else
enum { RANDOM_ABREAST = 1 };
typedef uint64_t random_lanes;
INLINE random_lanes random_times(random_lanes a, uint32_t m) { return (uint64_t)(uint32_t)a * m; }
INLINE void random_put(uint32_t *out, random_lanes a, random_lanes b, random_lanes c, random_lanes d)
{
    out[0] = (uint32_t)a;
    out[1] = (uint32_t)b;
    out[2] = (uint32_t)c;
    out[3] = (uint32_t)d;
}
#endif
#if defined(__AVX512F__)
typedef uint64_t random_wide __attribute__((vector_size(64)));
INLINE random_wide random_times_wide(random_wide a, uint32_t m)
{
    return (random_wide)_mm512_mul_epu32((__m512i)a, _mm512_set1_epi64(m));
}
INLINE void random_put_wide(uint32_t *out, random_wide a, random_wide b, random_wide c, random_wide d)
{
    const __m512i ab = (__m512i)((a & 0xFFFFFFFFu) | b << 32), cd = (__m512i)((c & 0xFFFFFFFFu) | d << 32);
    _mm512_storeu_si512(out, _mm512_unpacklo_epi64(ab, cd));
    _mm512_storeu_si512(out + 16, _mm512_unpackhi_epi64(ab, cd));
}
#else
typedef random_lanes random_wide;
#define random_times_wide random_times
#define random_put_wide random_put
#endif

enum { RANDOM_UNITS = 16, RANDOM_WIDE = 64 };       /* units of a block; of as many blocks as keep wide vectors busy */

/* out[4*i .. 4*i+3] = philox(counter = (first + i, c1, c2, c3)) for 4 i < UNITS, NV vectors side by side */
#define PHILOX(name, UNITS, NV, V, TIMES, PUT)                                                                    \
    INLINE void name(uint32_t *out, const uint32_t key[2], uint32_t first, uint32_t c1, uint32_t c2, uint32_t c3) \
    {                                                                                                             \
        enum { LANES = sizeof(V) / 8 };                                                                           \
        const V zero = {0};                                                                                       \
        for (int i = 0; i < UNITS / 4; i += NV * LANES) {                                                         \
            V a[NV], b[NV], c[NV], d[NV];                                                                         \
            uint32_t k0 = key[0], k1 = key[1];                                                                    \
            UNROLL                                                                                                \
            for (int v = 0; v < NV; v++) {                                                                        \
                uint64_t at[LANES];                                                                               \
                for (int l = 0; l < LANES; l++) at[l] = (uint64_t)(v * LANES + l / 2 + l % 2 * (LANES / 2));      \
                memcpy(&a[v], at, sizeof a[v]);                                                                   \
                a[v] += first + (uint32_t)i;                                                                      \
                b[v] = zero + c1;                                                                                 \
                c[v] = zero + c2;                                                                                 \
                d[v] = zero + c3;                                                                                 \
            }                                                                                                     \
            UNROLL                                                                                                \
            for (int round = 0; round < 10; round++) {                                                            \
                UNROLL                                                                                            \
                for (int v = 0; v < NV; v++) {                                                                    \
                    const V p = TIMES(a[v], 0xD2511F53u), q = TIMES(c[v], 0xCD9E8D57u);                           \
                    a[v] = q >> 32 ^ b[v] ^ (zero + k0);                                                          \
                    b[v] = q;                                                                                     \
                    c[v] = p >> 32 ^ d[v] ^ (zero + k1);                                                          \
                    d[v] = p;                                                                                     \
                }                                                                                                 \
                k0 += 0x9E3779B9u;                                                                                \
                k1 += 0xBB67AE85u;                                                                                \
            }                                                                                                     \
            UNROLL                                                                                                \
            for (int v = 0; v < NV; v++) PUT(out + 4 * (i + v * LANES), a[v], b[v], c[v], d[v]);                  \
        }                                                                                                         \
    }
PHILOX(philox_block, RANDOM_UNITS, 1, random_lanes, random_times, random_put)
PHILOX(philox_wide, RANDOM_WIDE, RANDOM_ABREAST, random_wide, random_times_wide, random_put_wide)
#undef PHILOX
#undef random_times_wide
#undef random_put_wide

/* the words of units unit0 .. unit0+15; unit0 is a multiple of 4 */
INLINE void random_words(uint32_t out[RANDOM_UNITS], const uint32_t key[2], uint32_t unit0, uint32_t time, uint32_t sequence)
{
    philox_block(out, key, unit0 / 4, time, sequence, 0);
}

/* p 2^32 rounded to a whole number, ties to even, at most 2^32 - 1; for 0 <= p <= 1 */
INLINE uint32_t random_below(double p)
{
    const double scaled = p * 4294967296.0;
    uint64_t whole = (uint64_t)scaled;
    const double rest = scaled - (double)whole;
    whole += rest > 0.5 || (rest == 0.5 && whole % 2);
    return whole > 0xFFFFFFFFu ? 0xFFFFFFFFu : (uint32_t)whole;
}

static void derive(uint32_t key[2], uint64_t seed, uint64_t step, uint32_t layer, uint32_t purpose)
{
    const uint32_t root[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t words[RANDOM_UNITS];
    philox_block(words, root, (uint32_t)step, (uint32_t)(step >> 32), layer, purpose);
    key[0] = words[0];
    key[1] = words[1];
}

/* dst[u] = the word of unit u < n */
static void words_row(uint32_t *dst, ptrdiff_t n, const uint32_t key[2], uint32_t time, uint32_t sequence)
{
    uint32_t words[RANDOM_UNITS];
    for (ptrdiff_t u = 0; u < n; u += RANDOM_UNITS) {
        random_words(words, key, (uint32_t)u, time, sequence);
        memcpy(dst + u, words, sizeof(uint32_t) * (size_t)(n - u < RANDOM_UNITS ? n - u : RANDOM_UNITS));
    }
}

/* dst[u] = 0 where dropped, else 1/(1-p), for units u < n of one sequence at one time. U: whole numbers as wide as T;
 * the choice is made with their bits, because a branch on a random word is guessed wrong half of the time. */
#define KEEP_ROWS(name, T, U)                                                                                   \
    INLINE void name##_put(T *dst, ptrdiff_t n, const uint32_t *words, int units, uint32_t below, T factor)     \
    {                                                                                                           \
        U bits, row[RANDOM_WIDE];                                                                               \
        memcpy(&bits, &factor, sizeof bits);                                                                    \
        for (int i = 0; i < units; i++) row[i] = bits & ((U)(words[i] < below) - 1);                            \
        if (n >= units) memcpy(dst, row, (size_t)units * sizeof(U));                                            \
        else memcpy(dst, row, (size_t)n * sizeof(U));                                                           \
    }                                                                                                           \
    static void name(void *dst, ptrdiff_t n, const uint32_t key[2], double p, uint32_t time, uint32_t sequence) \
    {                                                                                                           \
        const uint32_t below = random_below(p);                                                                 \
        const T factor = (T)(1 / (1 - p));                                                                      \
        uint32_t words[RANDOM_WIDE];                                                                            \
        for (ptrdiff_t u = 0; u < n; u += RANDOM_WIDE) {                                                        \
            T *row = (T *)dst + u;                                                                              \
            if (n - u > RANDOM_UNITS) {                                                                         \
                philox_wide(words, key, (uint32_t)(u / 4), time, sequence, 0);                                  \
                name##_put(row, n - u, words, RANDOM_WIDE, below, factor);                                      \
            } else {                                                                                            \
                random_words(words, key, (uint32_t)u, time, sequence);                                          \
                name##_put(row, n - u, words, RANDOM_UNITS, below, factor);                                     \
            }                                                                                                   \
        }                                                                                                       \
    }
KEEP_ROWS(keep_rows_f32, float, uint32_t)
KEEP_ROWS(keep_rows_f64, double, uint64_t)
#undef KEEP_ROWS
