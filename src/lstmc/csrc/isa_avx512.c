/* isa_avx512.c -- the AVX-512 tables. The build file gives this file its flags; without them it does not build. */
#if !(defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512BW__) && defined(__AVX512VL__))
#error "isa_avx512.c needs AVX-512 F, DQ, BW and VL"
#endif
#define ISA_NAME "avx512"
#define ISA_SYMBOL lstmc_avx512
#define VOCABULARY "vec_avx512.h"
#include "kernels.h"
