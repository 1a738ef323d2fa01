/* compilers.h -- what compilers and systems name differently: attributes, hints, the clocks, giving a core away.
 *
 * GCC or Clang. On Windows that is clang-cl: vectors of `random.h` and `fingerprint.h`, `__atomic` functions and unrolling, without which
 * sums leave registers, are not to be had from MSVC's own compiler. */
#ifndef LSTMC_COMPILERS_H
#define LSTMC_COMPILERS_H
#if !defined(__GNUC__) && !defined(__clang__)
#error "lstmc is compiled by GCC or Clang, on Windows by clang-cl"
#endif

#define INLINE static inline __attribute__((always_inline, unused))
#define NOINLINE __attribute__((noinline))
#define UNROLL _Pragma("GCC unroll 24")
#define HOLD(p) __asm__("" : "+r"(p))                   /* p is used as it is, not found anew from another address */
#define PREFETCH(p) __builtin_prefetch(p)
#define PREFETCH_FAR(p) __builtin_prefetch(p, 0, 2)     /* to the second-level cache */
#define PREFETCH_OWN(p) __builtin_prefetch(p, 1)        /* to be written: taken from other cores too */
#endif
