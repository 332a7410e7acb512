/* The operations of one register, for each instruction set: all that is written once for each.
 *
 * AVX-512, AVX2 with FMA, SSE2 (the x86-64 baseline), NEON, and plain C, for one float type `real`,
 * which HMLC_REAL_BITS chooses. simd.h makes vectors of them.
 */
#ifndef HMLC_REGISTERS_H
#define HMLC_REGISTERS_H

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if HMLC_REAL_BITS == 32
typedef float real;
typedef int32_t real_int;
#define R(x) x##f
#define MANTISSA 23
#define BIAS 127
#define EPSILON FLT_EPSILON
#define LEAST_NORMAL FLT_MIN
#else
typedef double real;
typedef int64_t real_int;
#define R(x) x
#define MANTISSA 52
#define BIAS 1023
#define EPSILON DBL_EPSILON
#define LEAST_NORMAL DBL_MIN
#endif

#ifdef _MSC_VER
#define INLINE static __forceinline
#define restrict __restrict
#else
#define INLINE static inline __attribute__((always_inline, unused))
#endif

enum { LANES = 512 / HMLC_REAL_BITS };

/* REG: a register of reals; REGS: how many make a vector; MASK: a comparison's answer;
 * TILE_ROWS: rows of a matrix product's register tile (tile.h). */
#if defined(__AVX512F__) && defined(__AVX512DQ__)
#include <immintrin.h>
#if HMLC_REAL_BITS == 32
#define EVEN(a, b)                                                                                 \
    _mm512_permutex2var_ps(                                                                        \
        a, _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0), b)
#define ODD(a, b)                                                                                  \
    _mm512_permutex2var_ps(                                                                        \
        a, _mm512_set_epi32(31, 29, 27, 25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1), b)
#define MM(op) _mm512_##op##_ps
#define REG __m512
#define MASK __mmask16
#define COMPARE _mm512_cmp_ps_mask
#define POW2(a) _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(a), 23))
#define WIDEN(p) _mm512_castps128_ps512(_mm_loadu_ps(p))
#define INSERT(a, p, place) _mm512_insertf32x4(a, _mm_loadu_ps(p), place)
#define PART(a, place) _mm512_extractf32x4_ps(a, place)
#else
#define EVEN(a, b) _mm512_permutex2var_pd(a, _mm512_set_epi64(14, 12, 10, 8, 6, 4, 2, 0), b)
#define ODD(a, b) _mm512_permutex2var_pd(a, _mm512_set_epi64(15, 13, 11, 9, 7, 5, 3, 1), b)
#define MM(op) _mm512_##op##_pd
#define REG __m512d
#define MASK __mmask8
#define COMPARE _mm512_cmp_pd_mask
#define POW2(a) _mm512_castsi512_pd(_mm512_slli_epi64(_mm512_castpd_si512(a), 52))
#define WIDEN(p) _mm512_castpd128_pd512(_mm_loadu_pd(p))
#define INSERT(a, p, place) _mm512_insertf64x2(a, _mm_loadu_pd(p), place)
#define PART(a, place) _mm512_extractf64x2_pd(a, place)
#endif
#define QUADS(p, step)                                                                             \
    INSERT(INSERT(INSERT(WIDEN(p), (p) + (step), 1), (p) + 2 * (step), 2), (p) + 3 * (step), 3)
#define FOLD(a) ADD_QUADS(ADD_QUADS(PART(a, 0), PART(a, 2)), ADD_QUADS(PART(a, 1), PART(a, 3)))
#define FMA(a, b, c) MM(fmadd)(a, b, c)
#define LESS(a, b) COMPARE(a, b, _CMP_LT_OQ)
#define EQUAL(a, b) COMPARE(a, b, _CMP_EQ_OQ)
#define SELECT(m, a, b) MM(mask_blend)(m, b, a)
#define BITS(m) ((unsigned)(m))
enum { REGS = 1, TILE_ROWS = 8 };

#elif defined(__AVX2__)
#include <immintrin.h>
#if HMLC_REAL_BITS == 32
#define UNZIP(a, b, pick)                                                                          \
    _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(_mm256_shuffle_ps(a, b, pick)), 0xd8))
#define EVEN(a, b) UNZIP(a, b, 0x88)
#define ODD(a, b) UNZIP(a, b, 0xdd)
#define MM(op) _mm256_##op##_ps
#define REG __m256
#define POW2(a) _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(a), 23))
#define WIDEN(p) _mm256_castps128_ps256(_mm_loadu_ps(p))
#define INSERT(a, p, place) _mm256_insertf128_ps(a, _mm_loadu_ps(p), place)
#define PART(a, place) _mm256_extractf128_ps(a, place)
#else
#define EVEN(a, b) _mm256_permute4x64_pd(_mm256_unpacklo_pd(a, b), 0xd8)
#define ODD(a, b) _mm256_permute4x64_pd(_mm256_unpackhi_pd(a, b), 0xd8)
#define MM(op) _mm256_##op##_pd
#define REG __m256d
#define POW2(a) _mm256_castsi256_pd(_mm256_slli_epi64(_mm256_castpd_si256(a), 52))
#define WIDEN(p) _mm256_castpd128_pd256(_mm_loadu_pd(p))
#define INSERT(a, p, place) _mm256_insertf128_pd(a, _mm_loadu_pd(p), place)
#define PART(a, place) _mm256_extractf128_pd(a, place)
#endif
#define QUADS(p, step) INSERT(WIDEN(p), (p) + (step), 1)
#define FOLD(a) ADD_QUADS(PART(a, 0), PART(a, 1))
#define MASK REG
#define FMA(a, b, c) MM(fmadd)(a, b, c)
#define LESS(a, b) MM(cmp)(a, b, _CMP_LT_OQ)
#define EQUAL(a, b) MM(cmp)(a, b, _CMP_EQ_OQ)
#define SELECT(m, a, b) MM(blendv)(b, a, m)
#define BITS(m) ((unsigned)MM(movemask)(m))
enum { REGS = 2, TILE_ROWS = 6 };

#elif defined(__SSE2__) || defined(_M_X64)
/* The x86-64 baseline has no FMA: its results agree with the others' to rounding, not in bits. */
#include <emmintrin.h>
#if HMLC_REAL_BITS == 32
#define EVEN(a, b) _mm_shuffle_ps(a, b, 0x88)
#define ODD(a, b) _mm_shuffle_ps(a, b, 0xdd)
#define MM(op) _mm_##op##_ps
#define REG __m128
#define POW2(a) _mm_castsi128_ps(_mm_slli_epi32(_mm_castps_si128(a), 23))
#else
#define EVEN(a, b) _mm_unpacklo_pd(a, b)
#define ODD(a, b) _mm_unpackhi_pd(a, b)
#define MM(op) _mm_##op##_pd
#define REG __m128d
#define POW2(a) _mm_castsi128_pd(_mm_slli_epi64(_mm_castpd_si128(a), 52))
#endif
#define MASK REG
#define QUADS(p, step) ((void)(step), LOAD(p))
#define FOLD(a) (a)
#define FMA(a, b, c) MM(add)(MM(mul)(a, b), c)
#define LESS(a, b) MM(cmplt)(a, b)
#define EQUAL(a, b) MM(cmpeq)(a, b)
#define SELECT(m, a, b) MM(or)(MM (and)(m, a), MM(andnot)(m, b))
#define BITS(m) ((unsigned)MM(movemask)(m))
enum { REGS = 4, TILE_ROWS = 2 };

#elif defined(__aarch64__) || defined(_M_ARM64)
#include <arm_neon.h>
#if HMLC_REAL_BITS == 32
#define NEON(op) v##op##q_f32
#define REG float32x4_t
#define MASK uint32x4_t
#define NEON_SET1 vdupq_n_f32
#define NEON_LOAD vld1q_f32
#define NEON_STORE vst1q_f32
#define SUM(a) vpadds_f32(vadd_f32(vget_low_f32(a), vget_high_f32(a)))
#define BITS(m) vaddvq_u32(vandq_u32(m, vld1q_u32((const uint32_t[]){1, 2, 4, 8})))
#define POW2(a) vreinterpretq_f32_s32(vshlq_n_s32(vreinterpretq_s32_f32(a), 23))
#else
#define NEON(op) v##op##q_f64
#define REG float64x2_t
#define MASK uint64x2_t
#define NEON_SET1 vdupq_n_f64
#define NEON_LOAD vld1q_f64
#define NEON_STORE vst1q_f64
#define SUM(a) vpaddd_f64(a)
#define BITS(m) ((unsigned)vaddvq_u64(vandq_u64(m, vld1q_u64((const uint64_t[]){1, 2}))))
#define POW2(a) vreinterpretq_f64_s64(vshlq_n_s64(vreinterpretq_s64_f64(a), 52))
#endif
#define QUADS(p, step) ((void)(step), LOAD(p))
#define FMA(a, b, c) NEON(fma)(c, a, b)
#define LESS(a, b) NEON(clt)(a, b)
#define EQUAL(a, b) NEON(ceq)(a, b)
#define SELECT(m, a, b) NEON(bsl)(m, a, b)
enum { REGS = 4, TILE_ROWS = 4 };

#else
#define REG real
#define MASK int
#ifdef FP_FAST_FMA
#define FMA(a, b, c) (sizeof(real) == 4 ? (real)fmaf(a, b, c) : (real)fma(a, b, c))
#else
#define FMA(a, b, c) ((a) * (b) + (c))
#endif
#define LESS(a, b) ((a) < (b))
#define EQUAL(a, b) ((a) == (b))
#define SELECT(m, a, b) ((m) ? (a) : (b))
#define BITS(m) ((unsigned)(m))
#define POW2(a) r_pow2(a)
static inline real r_pow2(real a) {
    real_int bits;
    memcpy(&bits, &a, sizeof a);
    bits = (real_int)((uint64_t)bits << MANTISSA);
    memcpy(&a, &bits, sizeof a);
    return a;
}
enum { REGS = LANES, TILE_ROWS = 1 };
#endif

#if defined(MM)
#define LOAD(p) MM(loadu)(p)
#define STORE(p, a) MM(storeu)(p, a)
#define SET1(x) MM(set1)(x)
#define ADD(a, b) MM(add)(a, b)
#define SUB(a, b) MM(sub)(a, b)
#define MUL(a, b) MM(mul)(a, b)
#define DIV(a, b) MM(div)(a, b)
#define SQRT(a) MM(sqrt)(a)
/* x86 answers with its second operand where either is NaN, or both are zeros. */
#define LARGER(a, b) MM(max)(b, a)
#define SMALLER(a, b) MM(min)(b, a)
#define ZIP_LOW(a, b) MM(unpacklo)(a, b)
#define ZIP_HIGH(a, b) MM(unpackhi)(a, b)
#define QUAD (128 / HMLC_REAL_BITS)
/* The sum of a register's lanes: lane i and lane i + half, then halves of that. */
#define SUM(a) sum_quad(FOLD(a))
#if HMLC_REAL_BITS == 32
#define ADD_QUADS(a, b) _mm_add_ps(a, b)
INLINE real sum_quad(__m128 a) {
    a = _mm_add_ps(a, _mm_movehl_ps(a, a));
    return _mm_cvtss_f32(_mm_add_ss(a, _mm_shuffle_ps(a, a, 1)));
}
#else
#define ADD_QUADS(a, b) _mm_add_pd(a, b)
INLINE real sum_quad(__m128d a) {
    return _mm_cvtsd_f64(_mm_add_sd(a, _mm_unpackhi_pd(a, a)));
}
#endif
#elif defined(NEON)
#define LOAD(p) NEON_LOAD(p)
#define STORE(p, a) NEON_STORE(p, a)
#define SET1(x) NEON_SET1(x)
#define ADD(a, b) NEON(add)(a, b)
#define SUB(a, b) NEON(sub)(a, b)
#define MUL(a, b) NEON(mul)(a, b)
#define DIV(a, b) NEON(div)(a, b)
#define SQRT(a) NEON(sqrt)(a)
#define ZIP_LOW(a, b) NEON(zip1)(a, b)
#define ZIP_HIGH(a, b) NEON(zip2)(a, b)
#define EVEN(a, b) NEON(uzp1)(a, b)
#define ODD(a, b) NEON(uzp2)(a, b)
#define QUAD (128 / HMLC_REAL_BITS)
#else
#define LOAD(p) (*(p))
#define STORE(p, a) (*(p) = (a))
#define SUM(a) (a)
#define SET1(x) (x)
#define ADD(a, b) ((a) + (b))
#define SUB(a, b) ((a) - (b))
#define MUL(a, b) ((a) * (b))
#define DIV(a, b) ((a) / (b))
#define SQRT(a) ((real)sqrt(a))
#define QUAD 1
#endif

#ifndef LARGER
#define LARGER(a, b) SELECT(LESS(a, b), b, a)
#define SMALLER(a, b) SELECT(LESS(b, a), b, a)
#endif

/* What was loaded stays in its register, where compilers would read memory again for each use. */
#if defined(__GNUC__) && defined(MM)
#define HOLD(a) __asm__("" : "+x"(a))
#else
#define HOLD(a) (void)(a)
#endif

#endif
