/* Vectors of a fixed logical width: 64 bytes, 16 float32 or 8 float64 lanes, built from whatever
 * registers the variant has (1 zmm, 2 ymm, 4 xmm, 4 NEON q). Every operation is per lane, and a
 * reduction over lanes is a fixed tree, so the variants that have FMA give the same bits.
 *
 * Rejected: plain loops (a third of the speed under GCC 12), and GCC's vector extensions (whether
 * they fuse a product and a sum depends on the compiler).
 */
#ifndef HMLC_SIMD_H
#define HMLC_SIMD_H

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
#endif
#define QUADS(p, step)                                                                             \
    INSERT(INSERT(INSERT(WIDEN(p), (p) + (step), 1), (p) + 2 * (step), 2), (p) + 3 * (step), 3)
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
#else
#define EVEN(a, b) _mm256_permute4x64_pd(_mm256_unpacklo_pd(a, b), 0xd8)
#define ODD(a, b) _mm256_permute4x64_pd(_mm256_unpackhi_pd(a, b), 0xd8)
#define MM(op) _mm256_##op##_pd
#define REG __m256d
#define POW2(a) _mm256_castsi256_pd(_mm256_slli_epi64(_mm256_castpd_si256(a), 52))
#define WIDEN(p) _mm256_castpd128_pd256(_mm_loadu_pd(p))
#define INSERT(a, p, place) _mm256_insertf128_pd(a, _mm_loadu_pd(p), place)
#endif
#define QUADS(p, step) INSERT(WIDEN(p), (p) + (step), 1)
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
#define BITS(m) vaddvq_u32(vandq_u32(m, vld1q_u32((const uint32_t[]){1, 2, 4, 8})))
#define POW2(a) vreinterpretq_f32_s32(vshlq_n_s32(vreinterpretq_s32_f32(a), 23))
#else
#define NEON(op) v##op##q_f64
#define REG float64x2_t
#define MASK uint64x2_t
#define NEON_SET1 vdupq_n_f64
#define NEON_LOAD vld1q_f64
#define NEON_STORE vst1q_f64
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

/* HALF: registers of which half of a vector is made. */
enum { REG_LANES = LANES / REGS, HALF = REGS == 1 ? 1 : REGS / 2 };

/* What was loaded stays in its register, where compilers would read memory again for each use. */
#if defined(__GNUC__) && defined(MM)
#define HOLD(a) __asm__("" : "+x"(a))
#else
#define HOLD(a) (void)(a)
#endif

typedef struct {
    REG r[REGS];
} vec;
typedef struct {
    MASK r[REGS];
} mask;

/* Runs the statement for every register of a vector, unrolled: an array of registers that is
 * indexed by a variable would live in memory. */
#if defined(__GNUC__) && !defined(__clang__)
#define EACH _Pragma("GCC unroll 16") for (int i = 0; i < REGS; i++)
#elif defined(__clang__)
#define EACH _Pragma("clang loop unroll(full)") for (int i = 0; i < REGS; i++)
#else
#define EACH for (int i = 0; i < REGS; i++)
#endif

/* Unrolls the loop that follows, of a constant length, for the same reason. */
#if defined(__GNUC__)
#define UNROLL _Pragma("GCC unroll 16")
#else
#define UNROLL
#endif

INLINE vec v_load(const real *p) {
    vec a;
    EACH a.r[i] = LOAD(p + i * REG_LANES);
    return a;
}
INLINE void v_store(real *p, vec a) {
    EACH STORE(p + i * REG_LANES, a.r[i]);
}
INLINE vec v_set(real x) {
    vec a;
    EACH a.r[i] = SET1(x);
    return a;
}
INLINE vec v_add(vec a, vec b) {
    EACH a.r[i] = ADD(a.r[i], b.r[i]);
    return a;
}
INLINE vec v_sub(vec a, vec b) {
    EACH a.r[i] = SUB(a.r[i], b.r[i]);
    return a;
}
INLINE vec v_mul(vec a, vec b) {
    EACH a.r[i] = MUL(a.r[i], b.r[i]);
    return a;
}
INLINE vec v_div(vec a, vec b) {
    EACH a.r[i] = DIV(a.r[i], b.r[i]);
    return a;
}
INLINE vec v_sqrt(vec a) {
    EACH a.r[i] = SQRT(a.r[i]);
    return a;
}
/* a * b + c, rounded once where the processor can. */
INLINE vec v_fma(vec a, vec b, vec c) {
    EACH c.r[i] = FMA(a.r[i], b.r[i], c.r[i]);
    return c;
}
/* v_fma in the first `regs` registers; the others stay as in c. */
INLINE vec v_fma_first(int regs, vec a, vec b, vec c) {
    EACH if (i < regs) c.r[i] = FMA(a.r[i], b.r[i], c.r[i]);
    return c;
}
/* The first `regs` registers from memory; the others are 0. */
INLINE vec v_load_first(int regs, const real *p) {
    vec a;
    EACH a.r[i] = i < regs ? LOAD(p + i * REG_LANES) : SET1(0);
    return a;
}
INLINE void v_store_first(int regs, real *p, vec a) {
    EACH if (i < regs) STORE(p + i * REG_LANES, a.r[i]);
}
/* acc[r * step] += a[r] * b in the first `regs` registers, r < rows; each of b is loaded once. */
INLINE void v_fma_rows(int rows, int regs, const vec a[], const real *b, vec acc[], int step) {
    EACH if (i < regs) {
        const REG once = LOAD(b + i * REG_LANES);
        UNROLL
        for (int r = 0; r < rows; r++)
            acc[r * step].r[i] = FMA(a[r].r[i], once, acc[r * step].r[i]);
    }
}
/* False where either side is NaN. */
INLINE mask v_less(vec a, vec b) {
    mask m;
    EACH m.r[i] = LESS(a.r[i], b.r[i]);
    return m;
}
INLINE mask v_equal(vec a, vec b) {
    mask m;
    EACH m.r[i] = EQUAL(a.r[i], b.r[i]);
    return m;
}
/* Bit i is lane i. */
INLINE unsigned v_bits(mask m) {
    unsigned bits = 0;
    EACH bits |= BITS(m.r[i]) << i * REG_LANES;
    return bits;
}
/* Whether all lanes are true. */
INLINE int v_all(mask m) {
    return v_bits(m) == (1u << LANES) - 1;
}
/* m ? a : b */
INLINE vec v_select(mask m, vec a, vec b) {
    EACH a.r[i] = SELECT(m.r[i], a.r[i], b.r[i]);
    return a;
}
/* The larger; a where either is NaN. */
INLINE vec v_max(vec a, vec b) {
    EACH a.r[i] = LARGER(a.r[i], b.r[i]);
    return a;
}
INLINE vec v_min(vec a, vec b) {
    EACH a.r[i] = SMALLER(a.r[i], b.r[i]);
    return a;
}
INLINE vec v_abs(vec a) {
    return v_max(a, v_sub(v_set(0), a));
}

/* The integer next to each lane's value (ties to even), for |a| < 2^(MANTISSA - 1): adding
 * 1.5 * 2^MANTISSA leaves no room for a fraction. */
INLINE vec v_round(vec a) {
    const vec shift = v_set((real)1.5 * (real)((int64_t)1 << MANTISSA));
    return v_sub(v_add(a, shift), shift);
}
/* 2^a for whole numbers a between 1 - BIAS and BIAS: the sum's low bits are a + BIAS, which the
 * shift moves into the exponent's place. */
INLINE vec v_pow2(vec a) {
    const vec shift = v_set((real)1.5 * (real)((int64_t)1 << MANTISSA) + BIAS);
    a = v_add(a, shift);
    EACH a.r[i] = POW2(a.r[i]);
    return a;
}

/* Asks for the cache line at an address, which need not be anybody's. */
INLINE void prefetch(uintptr_t address) {
#if defined(__GNUC__)
    __builtin_prefetch((const void *)address, 0, 2);
#elif defined(_M_X64)
    _mm_prefetch((const char *)address, _MM_HINT_T1);
#else
    (void)address;
#endif
}

/* True in the first `count` lanes. */
INLINE mask v_first(ptrdiff_t count) {
    real lanes[LANES];
    for (int i = 0; i < LANES; i++)
        lanes[i] = (real)i;
    return v_less(v_load(lanes), v_set((real)count));
}

/* The first `count` lanes from memory, the others `fill`; nothing is read past the end. */
INLINE vec v_load_part(const real *p, ptrdiff_t count, real fill) {
    real lanes[LANES];
    for (int i = 0; i < LANES; i++)
        lanes[i] = i < count ? p[i] : fill;
    return v_load(lanes);
}
INLINE void v_store_part(real *p, ptrdiff_t count, vec a) {
    real lanes[LANES];
    v_store(lanes, a);
    for (ptrdiff_t i = 0; i < count; i++)
        p[i] = lanes[i];
}

/* Lane r = from[r * row]. */
INLINE vec v_load_column(const real *from, ptrdiff_t row) {
    real lanes[LANES];
    for (ptrdiff_t r = 0; r < LANES; r++)
        lanes[r] = from[r * row];
    return v_load(lanes);
}

/* even lane r = from[2 r], odd lane r = from[2 r + 1]: LANES rows of two columns. */
INLINE void v_unzip(const real *from, vec *even, vec *odd) {
#if QUAD == 1
    EACH even->r[i] = LOAD(from + 2 * i);
    EACH odd->r[i] = LOAD(from + 2 * i + 1);
#else
    EACH {
        const REG a = LOAD(from + 2 * i * REG_LANES), b = LOAD(from + (2 * i + 1) * REG_LANES);
        even->r[i] = EVEN(a, b);
        odd->r[i] = ODD(a, b);
    }
#endif
}

/* columns[c] lane r = from[r * row + c]: LANES rows of QUAD columns, transposed. Quads of QUAD
 * reals (128 bits) are read from rows QUAD apart into each register, for zips do not cross quads.
 */
INLINE void v_transpose(const real *from, ptrdiff_t row, vec columns[]) {
#if QUAD == 1
    EACH columns[0].r[i] = LOAD(from + i * row);
#else
    const ptrdiff_t step = QUAD * row;
    EACH {
        const real *p = from + i * REG_LANES * row;
#if QUAD == 2
        const REG a = QUADS(p, step), b = QUADS(p + row, step);
        columns[0].r[i] = ZIP_LOW(a, b);
        columns[1].r[i] = ZIP_HIGH(a, b);
#else
        const REG a = QUADS(p, step), b = QUADS(p + row, step);
        const REG c = QUADS(p + 2 * row, step), d = QUADS(p + 3 * row, step);
        const REG ac = ZIP_LOW(a, c), ac_high = ZIP_HIGH(a, c);
        const REG bd = ZIP_LOW(b, d), bd_high = ZIP_HIGH(b, d);
        columns[0].r[i] = ZIP_LOW(ac, bd);
        columns[1].r[i] = ZIP_HIGH(ac, bd);
        columns[2].r[i] = ZIP_LOW(ac_high, bd_high);
        columns[3].r[i] = ZIP_HIGH(ac_high, bd_high);
#endif
    }
#endif
}

/* The sum of the lanes: lane i and lane i + half, then halves of that. */
INLINE real v_sum(vec a) {
    real lanes[LANES];
    v_store(lanes, a);
#if defined(__GNUC__)
#pragma GCC unroll 4
#endif
    for (int half = LANES / 2; half > 0; half /= 2)
#if defined(__GNUC__)
#pragma GCC unroll 8
#endif
        for (int i = 0; i < half; i++)
            lanes[i] += lanes[i + half];
    return lanes[0];
}

/* Lanes that are left of a sum once a vector's registers are added in halves. */
enum { FOLDED = REGS == 1 ? LANES : LANES / 2 };

/* The first step of v_sum: p[i] = lane i + lane i + FOLDED, or the lanes where there is but one
 * register. */
INLINE void v_store_folded(real *p, vec a) {
    if (REGS == 1) {
        v_store(p, a);
        return;
    }
#if defined(__GNUC__)
#pragma GCC unroll 8
#endif
    for (int i = 0; i < REGS / 2; i++)
        STORE(p + i * REG_LANES, ADD(a.r[i], a.r[i + REGS / 2]));
}

/* Lane r = v_sum of the vector that v_store_folded left at folded + r * FOLDED. */
INLINE vec v_sum_rows(const real *folded) {
    vec lane[FOLDED];
    UNROLL for (int i = 0; i < FOLDED; i += QUAD) {
        v_transpose(folded + i, FOLDED, lane + i);
    }
    UNROLL for (int half = FOLDED / 2; half > 0; half /= 2) {
        UNROLL for (int i = 0; i < half; i++) {
            lane[i] = v_add(lane[i], lane[i + half]);
        }
    }
    return lane[0];
}

INLINE real r_fma(real a, real b, real c) {
#if defined(__FMA__) || defined(__aarch64__) || defined(FP_FAST_FMA)
    return HMLC_REAL_BITS == 32 ? (real)fmaf((float)a, (float)b, (float)c) : (real)fma(a, b, c);
#else
    return a * b + c;
#endif
}

/* The sum of a[0..n-1] * b[0..n-1]: whole 4 LANES by as many interleaved partial sums, which pairs
 * of four make LANES; to those the rest is added, and the tree of v_sum ends it. */
INLINE real r_dot(const real *a, const real *b, ptrdiff_t n) {
    vec sum = v_set(0);
    ptrdiff_t j = 0;
    if (n >= 4 * LANES) {
        vec part[4] = {sum, sum, sum, sum};
        for (; j + 4 * LANES <= n; j += 4 * LANES) {
            part[0] = v_fma(v_load(a + j), v_load(b + j), part[0]);
            part[1] = v_fma(v_load(a + j + LANES), v_load(b + j + LANES), part[1]);
            part[2] = v_fma(v_load(a + j + 2 * LANES), v_load(b + j + 2 * LANES), part[2]);
            part[3] = v_fma(v_load(a + j + 3 * LANES), v_load(b + j + 3 * LANES), part[3]);
        }
        sum = v_add(v_add(part[0], part[1]), v_add(part[2], part[3]));
    }
    for (; j + LANES <= n; j += LANES)
        sum = v_fma(v_load(a + j), v_load(b + j), sum);
    if (j < n)
        sum = v_fma(v_load_part(a + j, n - j, 0), v_load_part(b + j, n - j, 0), sum);
    return v_sum(sum);
}

#endif
