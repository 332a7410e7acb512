/* How a kernel is chosen.
 *
 * A family of kernels is one C file, compiled once for each instruction set (HMLC_VARIANT) and each
 * float type (HMLC_REAL_BITS). Every compilation leaves one table of function pointers. At import a
 * family's module asks for the best variant that the processor runs, and from then on calls through
 * that variant's two tables; HMLC_CALL picks the table by the type of its first argument.
 *
 * A family's header lists its kernels once, as KERNELS(K, real) with an entry
 * K(name, argument types...) each, and then says HMLC_FAMILY(family, KERNELS).
 */
#ifndef HMLC_DISPATCH_H
#define HMLC_DISPATCH_H

#include <stddef.h>
#include <stdint.h>

/* Rows are summed in blocks of this many: a kernel called over rows [a, b) and then over [b, c)
 * leaves the same bits as one called over [a, c), provided that b - a is a multiple of it. */
enum { HMLC_BLOCK_ROWS = 256 };

/* So few rows cost less one by one, with the parameters as they lie, than packing those does. */
enum { HMLC_FEW_ROWS = 4 };

enum { HMLC_BASELINE, HMLC_NEON, HMLC_AVX2, HMLC_AVX512, HMLC_VARIANTS };

/* The variant in use: the best one compiled that the processor runs, or the one that the
 * environment's HMLC_ISA names; -1 where that name is unknown or cannot run here. */
int hmlc_variant(void);
const char *hmlc_variant_name(int variant);

#ifdef HMLC_WITH_BASELINE
#define HMLC_IF_BASELINE(x) x
#else
#define HMLC_IF_BASELINE(x)
#endif
#ifdef HMLC_WITH_NEON
#define HMLC_IF_NEON(x) x
#else
#define HMLC_IF_NEON(x)
#endif
#ifdef HMLC_WITH_AVX2
#define HMLC_IF_AVX2(x) x
#else
#define HMLC_IF_AVX2(x)
#endif
#ifdef HMLC_WITH_AVX512
#define HMLC_IF_AVX512(x) x
#else
#define HMLC_IF_AVX512(x)
#endif

#define HMLC_FIELD(name, ...) void (*name)(__VA_ARGS__);
#define HMLC_ENTRY(name, ...) name,

#define HMLC_FAMILY(family, KERNELS)                                                               \
    typedef struct {                                                                               \
        KERNELS(HMLC_FIELD, float)                                                                 \
    } hmlc_##family##_f32;                                                                         \
    typedef struct {                                                                               \
        KERNELS(HMLC_FIELD, double)                                                                \
    } hmlc_##family##_f64;

/* In the family's C file, after its kernels: the table of this compilation. */
#define HMLC_PASTE(family, bits, variant) hmlc_##family##_f##bits##_##variant
#define HMLC_TABLE_NAME(family, bits, variant) HMLC_PASTE(family, bits, variant)
#define HMLC_TYPE_PASTE(family, bits) hmlc_##family##_f##bits
#define HMLC_TYPE(family, bits) HMLC_TYPE_PASTE(family, bits)
#define HMLC_TABLE(family, KERNELS)                                                                \
    extern const HMLC_TYPE(family, HMLC_REAL_BITS)                                                 \
        HMLC_TABLE_NAME(family, HMLC_REAL_BITS, HMLC_VARIANT);                                     \
    const HMLC_TYPE(family, HMLC_REAL_BITS)                                                        \
        HMLC_TABLE_NAME(family, HMLC_REAL_BITS, HMLC_VARIANT) = {KERNELS(HMLC_ENTRY, real)};

/* In the family's Cython module: every variant's tables, and the pair in use. */
#define HMLC_EXTERN(family, variant)                                                               \
    extern const hmlc_##family##_f32 hmlc_##family##_f32_##variant;                                \
    extern const hmlc_##family##_f64 hmlc_##family##_f64_##variant;
#define HMLC_SLOT(index, family, bits, variant) [index] = &hmlc_##family##_f##bits##_##variant,
#define HMLC_SLOTS(family, bits)                                                                   \
    {HMLC_IF_BASELINE(HMLC_SLOT(HMLC_BASELINE, family, bits, baseline))                            \
         HMLC_IF_NEON(HMLC_SLOT(HMLC_NEON, family, bits, neon))                                    \
             HMLC_IF_AVX2(HMLC_SLOT(HMLC_AVX2, family, bits, avx2))                                \
                 HMLC_IF_AVX512(HMLC_SLOT(HMLC_AVX512, family, bits, avx512))}
#define HMLC_DISPATCH(family)                                                                      \
    HMLC_IF_BASELINE(HMLC_EXTERN(family, baseline))                                                \
    HMLC_IF_NEON(HMLC_EXTERN(family, neon))                                                        \
    HMLC_IF_AVX2(HMLC_EXTERN(family, avx2))                                                        \
    HMLC_IF_AVX512(HMLC_EXTERN(family, avx512))                                                    \
    static const hmlc_##family##_f32 *hmlc_##family##_in_use_f32;                                  \
    static const hmlc_##family##_f64 *hmlc_##family##_in_use_f64;                                  \
    static int hmlc_##family##_select(void) {                                                      \
        static const hmlc_##family##_f32 *const f32[HMLC_VARIANTS] = HMLC_SLOTS(family, 32);       \
        static const hmlc_##family##_f64 *const f64[HMLC_VARIANTS] = HMLC_SLOTS(family, 64);       \
        int variant = hmlc_variant();                                                              \
        if (variant < 0)                                                                           \
            return -1;                                                                             \
        hmlc_##family##_in_use_f32 = f32[variant];                                                 \
        hmlc_##family##_in_use_f64 = f64[variant];                                                 \
        return variant;                                                                            \
    }
#define HMLC_CALL(family, kernel, first, ...)                                                      \
    _Generic((first),                                                                              \
        const float *: hmlc_##family##_in_use_f32->kernel,                                         \
        float *: hmlc_##family##_in_use_f32->kernel,                                               \
        const double *: hmlc_##family##_in_use_f64->kernel,                                        \
        double *: hmlc_##family##_in_use_f64->kernel)(first, __VA_ARGS__)

#endif
