/* peak.c -- how many multiply-adds a core can do: ACC independent chains of a*m + a in registers, nothing else.
 *
 * Compiled by peak.py once per instruction set and type: -DREAL=float or double, and the flags of the instruction
 * set, from which the width follows. 2 * LANES * ACC operations an iteration. An empty asm statement that claims to
 * change a chain keeps the compiler from shortening it. */

#ifndef REAL
#define REAL float
#endif

#if defined(__AVX512F__)
#define BYTES 64
#define IN_REGISTER "+v"
#elif defined(__AVX2__) && defined(__FMA__)
#define BYTES 32
#define IN_REGISTER "+x"
#elif defined(__aarch64__)
#define BYTES 16
#define IN_REGISTER "+w"
#else
#define BYTES 16 /* SSE2: a multiplication and an addition */
#define IN_REGISTER "+x"
#endif

typedef REAL V __attribute__((vector_size(BYTES)));

/* 16 chains cover 4 cycles of latency on 4 ports; with 16 registers there is room for 12 and the two constants. */
#if BYTES == 64 || defined(__aarch64__)
#define EACH(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
#define ACC 16
#else
#define EACH(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)
#define ACC 12
#endif

int peak_lanes(void) { return BYTES / sizeof(REAL); }

int peak_flops(void) { return 2 * ACC * peak_lanes(); }

/* `n` iterations of peak_flops() operations. The chains settle at 1: neither overflow nor subnormals. */
REAL peak_run(long n)
{
    V m = {0}, a = {0}, sum = {0};
    m += (REAL)0.5;
    a += (REAL)0.5;
    __asm__ volatile("" : IN_REGISTER(m), IN_REGISTER(a));
#define DECLARE(i) V c##i = a;
#define STEP(i) c##i = c##i * m + a;
#define KEEP(i) __asm__ volatile("" : IN_REGISTER(c##i));
#define ADD(i) sum += c##i;
    EACH(DECLARE)
    for (long k = 0; k < n; k++) {
        EACH(STEP)
        EACH(KEEP)
    }
    EACH(ADD)
    return sum[0];
}
