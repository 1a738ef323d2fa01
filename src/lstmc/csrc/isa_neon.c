/* isa_neon.c -- the AArch64 tables; NEON with float64 and FMA is part of every AArch64. */
#if !defined(__aarch64__)
#error "isa_neon.c needs AArch64"
#endif
#define ISA_NAME "neon"
#define ISA_SYMBOL lstmc_neon
#define VOCABULARY "vec_neon.h"
#include "kernels.h"
