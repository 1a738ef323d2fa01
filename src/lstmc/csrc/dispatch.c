/* dispatch.c -- which tables were built and which of them this CPU and operating system can run.
 * The CPU questions include the operating system's part: __builtin_cpu_supports and xgetbv both ask whether
 * the wide registers are saved on a context switch. No state: whoever chooses keeps the choice. */
#include "lstmc.h"
#include <string.h>
#if defined(_WIN32) && defined(__x86_64__)
#include <cpuid.h>
#endif

extern const lstmc_kernels *const lstmc_baseline[2];
#ifdef LSTMC_HAVE_AVX2
extern const lstmc_kernels *const lstmc_avx2[2];
#endif
#ifdef LSTMC_HAVE_AVX512
extern const lstmc_kernels *const lstmc_avx512[2];
#endif
#ifdef LSTMC_HAVE_NEON
extern const lstmc_kernels *const lstmc_neon[2];
#endif

#if defined(_WIN32) && defined(__x86_64__)
/* What __builtin_cpu_supports needs of the compiler's library is missing beside Visual Studio's. Whether bits `need` of register `reg` of a CPUID leaf are set, and the system keeps the registers of `xcr0` */
static int cpu_bits(unsigned leaf, int reg, unsigned need, unsigned xcr0)
{
    unsigned r[4], low, high;
    if (!__get_cpuid(1, &r[0], &r[1], &r[2], &r[3]) || !(r[2] & 1u << 27)) return 0;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    if ((low & xcr0) != xcr0 || !__get_cpuid_count(leaf, 0, &r[0], &r[1], &r[2], &r[3])) return 0;
    return (r[reg] & need) == need;
}
#define CPU_AVX2 (cpu_bits(7, 1, 1u << 5, 6) && cpu_bits(1, 2, 1u << 12, 6))
#define CPU_AVX512 (CPU_AVX2 && cpu_bits(7, 1, 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31, 0xe6))
#elif defined(__x86_64__)
#define CPU_AVX2 (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
#define CPU_AVX512 (CPU_AVX2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && \
                    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
#else
#define CPU_AVX2 0
#define CPU_AVX512 0
#endif

const char *const *lstmc_known_isas(void)
{
    static const char *const names[] = {"avx512", "avx2", "neon", "baseline", NULL};
    return names;
}

static const lstmc_kernels *const *tables_of(const char *isa)
{
#if defined(__x86_64__) && !defined(_WIN32)
    __builtin_cpu_init();
#endif
#ifdef LSTMC_HAVE_AVX512
    if (!strcmp(isa, "avx512") && CPU_AVX512) return lstmc_avx512;
#endif
#ifdef LSTMC_HAVE_AVX2
    if (!strcmp(isa, "avx2") && CPU_AVX2) return lstmc_avx2;
#endif
#ifdef LSTMC_HAVE_NEON
    if (!strcmp(isa, "neon")) return lstmc_neon;
#endif
    if (!strcmp(isa, "baseline")) return lstmc_baseline;
    return NULL;
}

int lstmc_isa_usable(const char *isa) { return tables_of(isa) != NULL; }

const lstmc_kernels *lstmc_table(const char *isa, int itemsize)
{
    const lstmc_kernels *const *t = tables_of(isa);
    return !t ? NULL : itemsize == 4 ? t[0] : itemsize == 8 ? t[1] : NULL;
}
