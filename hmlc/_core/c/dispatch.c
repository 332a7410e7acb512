/* Which instruction set this processor runs, among those compiled. */
#include "dispatch.h"

#include <stdlib.h>
#include <string.h>

static const char *const names[HMLC_VARIANTS] = {
    [HMLC_BASELINE] = "baseline",
    [HMLC_NEON] = "neon",
    [HMLC_AVX2] = "avx2",
    [HMLC_AVX512] = "avx512",
};

#if defined(_M_X64) || defined(__x86_64__)
#ifdef _MSC_VER
#include <intrin.h>
static void cpuid(int leaf, unsigned out[4]) {
    __cpuidex((int *)out, leaf, 0);
}
static uint64_t xgetbv(void) {
    return _xgetbv(0);
}
#else
#include <cpuid.h>
static void cpuid(int leaf, unsigned out[4]) {
    __cpuid_count(leaf, 0, out[0], out[1], out[2], out[3]);
}
static uint64_t xgetbv(void) {
    uint32_t low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}
#endif

/* Intel SDM vol. 1, 14.3 and 15.2: the processor must have the instructions, and the operating
 * system must save the registers (XCR0 bits 1-2 for ymm, 5-7 for zmm as well). */
static int x86_runs(int variant) {
    unsigned leaf0[4], leaf1[4], leaf7[4] = {0};
    cpuid(0, leaf0);
    cpuid(1, leaf1);
    if (leaf0[0] >= 7)
        cpuid(7, leaf7);
    const unsigned fma_osxsave_avx = 1u << 12 | 1u << 27 | 1u << 28;
    if ((leaf1[2] & fma_osxsave_avx) != fma_osxsave_avx)
        return 0;
    const uint64_t saved = xgetbv();
    if (variant == HMLC_AVX2)
        return (saved & 0x6) == 0x6 && (leaf7[1] >> 5 & 1);
    const unsigned f_dq_bw_vl = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;
    return (saved & 0xe6) == 0xe6 && (leaf7[1] & f_dq_bw_vl) == f_dq_bw_vl;
}
#else
static int x86_runs(int variant) {
    (void)variant;
    return 0;
}
#endif

static int runs(int variant) {
    switch (variant) {
        HMLC_IF_BASELINE(case HMLC_BASELINE : return 1;)
        HMLC_IF_NEON(case HMLC_NEON : return 1;)
        HMLC_IF_AVX2(case HMLC_AVX2 : return x86_runs(HMLC_AVX2);)
        HMLC_IF_AVX512(case HMLC_AVX512 : return x86_runs(HMLC_AVX512);)
    default:
        return 0 * x86_runs(variant);
    }
}

const char *hmlc_variant_name(int variant) {
    return variant >= 0 && variant < HMLC_VARIANTS ? names[variant] : NULL;
}

int hmlc_variant(void) {
    const char *wanted = getenv("HMLC_ISA");
    for (int variant = HMLC_VARIANTS - 1; variant >= 0; variant--) {
        if (wanted && *wanted && strcmp(wanted, names[variant]) != 0)
            continue;
        if (runs(variant))
            return variant;
    }
    return -1;
}
