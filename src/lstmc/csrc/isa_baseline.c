/* isa_baseline.c -- the tables every machine can run: SSE2 on x86-64, one lane at a time elsewhere.
 * It is compiled with the compiler's own floor and has no fused multiply-add. */
#if defined(__AVX__)
#error "isa_baseline.c must not be compiled for AVX"
#endif
#define ISA_NAME "baseline"
#define ISA_SYMBOL lstmc_baseline
#if defined(__SSE2__)
#define VOCABULARY "vec_sse2.h"
#else
#define VOCABULARY "vec_scalar.h"
#endif
#include "kernels.h"
