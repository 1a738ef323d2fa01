/* fingerprint.h -- the fingerprint of a buffer, which tells whether weights have been written. Once per instruction set:
 * it reads bytes, whatever their type, and its values differ from one instruction set to the next.
 *
 * PRINT_CHAINS words of 64-bit lanes each take in every PRINT_CHAINS-th word of the buffer: lane ^= word, then stir. Both
 * are bijections, of the lane for a fixed word and of the word for a fixed lane, and so is every step of the fold at the
 * end: one changed value always changes the result. Several cancel only where a later word of the same lane changes by
 * exactly what the lane has made of the earlier change. That depends on all the words before, up to a few bits at the
 * top of a half, and those the rotation takes to the middle of a mantissa: not where another sign, exponent, last
 * place or whole value is. */
#if defined(__AVX2__) || defined(__ARM_NEON)
#if defined(__AVX512F__)
enum { PRINT_WORD = 64 };
#elif defined(__AVX2__)
enum { PRINT_WORD = 32 };
#else
enum { PRINT_WORD = 16 };
#endif
typedef uint64_t print_word __attribute__((vector_size(PRINT_WORD)));
typedef uint32_t print_half __attribute__((vector_size(PRINT_WORD)));
#define PRINT_TIMES(s) ((print_word)((print_half)(s) * 0x9E3779B1u))    /* both halves: few machines multiply 64 bits */
#else
/* SSE2 multiplies no vectors of 32 bits either */
enum { PRINT_WORD = 8 };
typedef uint64_t print_word;
#define PRINT_TIMES(s) ((s) * 0x9E3779B97F4A7C15ull)
#endif
enum { PRINT_CHAINS = 8, PRINT_STRIPE = PRINT_CHAINS * PRINT_WORD, PRINT_LANES = PRINT_WORD / 8 };

INLINE void print_stripe(print_word *s, const unsigned char *p)
{
    UNROLL
    for (int i = 0; i < PRINT_CHAINS; i++) {
        print_word w;
        memcpy(&w, p + i * PRINT_WORD, sizeof w);
        w = PRINT_TIMES(s[i] ^ w);
        s[i] = w << 13 | w >> 51;
    }
}

static uint64_t fingerprint(const void *data, ptrdiff_t bytes, uint64_t seed)
{
    const uint64_t prime = 0x9E3779B97F4A7C15ull;
    const unsigned char *p = data;
    unsigned char rest[PRINT_STRIPE] = {0};         /* what does not fill a stripe; the length tells it from zeros */
    print_word s[PRINT_CHAINS];
    uint64_t lane[PRINT_LANES], h = seed ^ (uint64_t)bytes;
    ptrdiff_t left = bytes;
    for (int j = 0; j < PRINT_LANES; j++) lane[j] = prime * (uint64_t)(j + 1);
    memcpy(s, lane, sizeof lane);
    s[0] ^= seed;
    UNROLL
    for (int i = 1; i < PRINT_CHAINS; i++) s[i] = s[i - 1] * prime;      /* a start of its own for every lane */
    for (; left >= PRINT_STRIPE; left -= PRINT_STRIPE, p += PRINT_STRIPE) print_stripe(s, p);
    if (left) {
        memcpy(rest, p, (size_t)left);
        print_stripe(s, rest);
    }
    /* Not by stirring once more: a word of chain i + 1 would then count like the next word of chain i. */
    print_word v = s[0] * prime;
    UNROLL
    for (int i = 1; i < PRINT_CHAINS; i++) v = (v ^ v >> 32 ^ s[i]) * prime;
    memcpy(lane, &v, sizeof lane);
    for (int j = 0; j < PRINT_LANES; j++) {
        h = (h ^ lane[j]) * prime;
        h ^= h >> 32;
    }
    return h;
}
#undef PRINT_TIMES
