/* Sines of any finite number, by Cody and Waite's reduction and, far out, Payne and Hanek's. */
#ifndef HMLC_SINE_H
#define HMLC_SINE_H

#include "simd.h"

/* pi in three parts, the first two short: a product with a whole number below 2^11 (float32) or
 * 2^21 (float64) is exact, with FMA or without. */
#if HMLC_REAL_BITS == 32
#define PI_HIGH R(3.14111328125)
#define PI_MIDDLE R(0.00047934055328369140625)
#define PI_LOW R(3.1786509547056393e-8)
#define TURN_LIMIT R(6e3)
enum { SINE_TERMS = 7 };
#else
#define PI_HIGH 3.1415926534682512
#define PI_MIDDLE 1.2154201012607932e-10
#define PI_LOW 4.0445324975919015e-21
#define TURN_LIMIT 6e6
enum { SINE_TERMS = 11 };
#endif

/* x - n pi for a whole number n, |n pi| <= TURN_LIMIT */
INLINE vec v_minus_pi(vec x, vec n) {
    x = v_fma(n, v_set(-PI_HIGH), x);
    x = v_fma(n, v_set(-PI_MIDDLE), x);
    return v_fma(n, v_set(-PI_LOW), x);
}

/* x less whole turns: between -pi and pi to rounding, for |x| <= TURN_LIMIT. */
INLINE vec v_turn(vec x) {
    const vec n = v_round(v_mul(x, v_set(R(0.15915494309189533577))));
    return v_minus_pi(x, v_add(n, n));
}

/* sin(x) for |x| <= TURN_LIMIT: x = n pi + r, |r| <= pi / 2, sin(x) = (-1)^n sin(r), and
 * sin(r) = r - r^3/3! + r^5/5! - ... by Taylor. */
INLINE vec v_sin(vec x) {
    static const real coefficient[] = {1,
                                       R(-1.) / 6,
                                       R(1.) / 120,
                                       R(-1.) / 5040,
                                       R(1.) / 362880,
                                       R(-1.) / 39916800,
                                       R(1.) / R(6227020800.),
                                       R(-1.) / R(1307674368000.),
                                       R(1.) / R(355687428096000.),
                                       R(-1.) / R(121645100408832000.),
                                       R(1.) / R(51090942171709440000.)};
    const vec n = v_round(v_mul(x, v_set(R(0.31830988618379067154))));
    const vec r = v_minus_pi(x, n), r2 = v_mul(r, r);
    vec p = v_set(coefficient[SINE_TERMS - 1]);
#if defined(__GNUC__)
#pragma GCC unroll 11
#endif
    for (int k = SINE_TERMS - 2; k >= 1; k--)
        p = v_fma(p, r2, v_set(coefficient[k]));
    p = v_fma(v_mul(r, r2), p, r);
    /* n is odd where n / 2 is not whole, half off the nearest whole number. */
    const vec half = v_mul(n, v_set(R(0.5)));
    const vec odd = v_abs(v_sub(half, v_round(half)));
    return v_fma(v_mul(v_set(-4), odd), p, p);
}

/* Bits of 1 / (2 pi) after two words of zeros: word w holds those of weight 2^(64 - 32 w - 1) and
 * the 31 below. */
static const uint32_t inverse_turn[] = {
    0x00000000, 0x00000000, 0x28BE60DB, 0x9391054A, 0x7F09D5F4, 0x7D4D3770, 0x36D8A566, 0x4F10E410,
    0x7F9458EA, 0xF7AEF158, 0x6DC91B8E, 0x909374B8, 0x01924BBA, 0x82746487, 0x3F877AC7, 0x2C4A69CF,
    0xBA208D7D, 0x4BAED121, 0x3A671C09, 0xAD17DF90, 0x4E64758E, 0x60D4CE7D, 0x272117E2, 0xEF7E4A0E,
    0xC7FE25FF, 0xF7816603, 0xFBCBC462, 0xD6829B47, 0xDB4D9FB3, 0xC9F2C26D, 0xD3D18FD9, 0xA797FA8B,
    0x5D49EEB1, 0xFAF97C5E, 0xCF41CE7D, 0xE294A4BA, 0x9AFED7EC, 0x47E35742};

/* 64 bits of inverse_turn from bit `first` on. */
INLINE uint64_t inverse_turn_bits(int first) {
    const uint32_t *word = inverse_turn + first / 32;
    const int shift = first % 32;
    const uint64_t high = (uint64_t)word[0] << 32 | word[1];
    return shift == 0 ? high : high << shift | word[2] >> (32 - shift);
}

/* v_turn for one number of any finite size of at least 1, to half a unit in the last place of pi:
 * Payne and Hanek (1983). With |x| = m 2^e and m whole, the fraction of |x| / (2 pi) needs only the
 * bits of 1 / (2 pi) from 2^(-e - 1) on: those above it make whole turns. 128 of them leave an
 * error of m 2^-128 < 2^-75. The fraction is kept modulo 2^64, where whole turns overflow. */
static real r_turn(real x) {
    int e;
    const uint64_t m = (uint64_t)ldexp(frexp(fabs((double)x), &e), 53);
    const int first = 64 + e - 53;
    const uint64_t high = inverse_turn_bits(first), low = inverse_turn_bits(first + 64);
    const uint64_t m1 = m >> 32, m0 = m & 0xFFFFFFFF, l1 = low >> 32, l0 = low & 0xFFFFFFFF;
    const uint64_t fraction = m * high + m1 * l1 + ((m1 * l0) >> 32) + ((m0 * l1) >> 32);
    /* Unsigned to signed by hand: fractions from half a turn on are negative. */
    const double turns = fraction >> 63 ? -(double)(0 - fraction) : (double)fraction;
    const double angle = turns * (6.283185307179586 / 18446744073709551616.);
    return (real)(x < 0 ? -angle : angle);
}

#endif
