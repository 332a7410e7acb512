/* Vectors of a fixed logical width: 64 bytes, 16 float32 or 8 float64 lanes, built from whatever
 * registers the variant has (1 zmm, 2 ymm, 4 xmm, 4 NEON q). Every operation is per lane, and a
 * reduction over lanes is a fixed tree, so the variants that have FMA give the same bits.
 *
 * Rejected: plain loops (a third of the speed under GCC 12), and GCC's vector extensions (whether
 * they fuse a product and a sum depends on the compiler).
 */
#ifndef HMLC_SIMD_H
#define HMLC_SIMD_H

#include "registers.h"

/* HALF: registers of which half of a vector is made. */
enum { REG_LANES = LANES / REGS, HALF = REGS == 1 ? 1 : REGS / 2 };

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
/* The bits of a mask that is true in all lanes. */
enum { ALL_LANES = (1 << LANES) - 1 };

INLINE int v_all(mask m) {
    return v_bits(m) == ALL_LANES;
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

/* sums[l] += (double)lane l, l < count; and the same of the first `regs` registers. */
INLINE void v_add_part_to(double *sums, ptrdiff_t count, vec a) {
    real lanes[LANES];
    v_store(lanes, a);
    for (ptrdiff_t l = 0; l < LANES && l < count; l++)
        sums[l] += (double)lanes[l];
}
INLINE void v_add_to(double *sums, int regs, vec a) {
#if HMLC_REAL_BITS == 64
    EACH if (i < regs) STORE(sums + i * REG_LANES, ADD(LOAD(sums + i * REG_LANES), a.r[i]));
#else
    v_add_part_to(sums, regs * REG_LANES, a);
#endif
}

/* v_load_part and v_store_part, but of any count: all lanes where there are LANES or more. */
INLINE vec v_load_upto(const real *p, ptrdiff_t count, real fill) {
    return count >= LANES ? v_load(p) : v_load_part(p, count, fill);
}

INLINE void v_store_upto(real *p, ptrdiff_t count, vec a) {
    if (count >= LANES)
        v_store(p, a);
    else
        v_store_part(p, count, a);
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
    UNROLL for (int half = REGS / 2; half > 0; half /= 2) {
        UNROLL for (int i = 0; i < half; i++) {
            a.r[i] = ADD(a.r[i], a.r[i + half]);
        }
    }
    return SUM(a.r[0]);
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

/* Lane r is the sum of row r of LANES rows: of whole vectors where `width` is LANES, of what
 * v_store_folded left where it is FOLDED. In either v_sum's order. */
INLINE vec v_sum_rows(const real *rows, int width) {
    vec lane[LANES];
    UNROLL for (int i = 0; i < width; i += QUAD) {
        v_transpose(rows + i, width, lane + i);
    }
    UNROLL for (int half = width / 2; half > 0; half /= 2) {
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
