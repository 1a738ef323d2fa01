/* isa_avx2.c -- the AVX2 + FMA tables. The build file gives this file its flags; without them it does not build. */
#if !defined(__AVX2__) || !defined(__FMA__)
#error "isa_avx2.c needs AVX2 and FMA"
#endif
#define ISA_NAME "avx2"
#define ISA_SYMBOL lstmc_avx2
#define VOCABULARY "vec_avx2.h"
#include "kernels.h"
