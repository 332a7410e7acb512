/* exp, expm1, log1p, tanh, sigmoid and log by the project's own polynomials, since libm's differ
 * between machines. Range reduction and Taylor series; a degree more than a minimax fit would need
 * buys coefficients that can be read. Errors are bounded by tests against mpmath
 * (tests/test_vmath.py).
 */
#ifndef HMLC_VMATH_H
#define HMLC_VMATH_H

#include "simd.h"

#if HMLC_REAL_BITS == 32
/* exp is a normal number between these. */
#define EXP_LOW R(-87.33654)
#define EXP_HIGH R(88.37626)
#define LN2_HIGH R(0.693359375)
#define LN2_LOW R(-2.12194440e-4)
enum { EXP_DEGREE = 7, ATANH_TERMS = 6 };
#else
#define EXP_LOW R(-708.396418532264)
#define EXP_HIGH R(709.4361393)
#define LN2_HIGH R(6.93147180369123816490e-01)
#define LN2_LOW R(1.90821492927058770002e-10)
enum { EXP_DEGREE = 13, ATANH_TERMS = 11 };
#endif

/* x = n ln 2 + r with |r| <= ln 2 / 2. Then exp(x) = 2^n exp(r), and p = exp(r) - 1 by Taylor:
 * r + r^2/2! + ... + r^D/D!. LN2_HIGH has trailing zeros, so n * LN2_HIGH is exact. */
INLINE vec v_exp_parts(vec x, vec *scale) {
    static const real inverse_factorial[] = {1,
                                             1,
                                             R(1.) / 2,
                                             R(1.) / 6,
                                             R(1.) / 24,
                                             R(1.) / 120,
                                             R(1.) / 720,
                                             R(1.) / 5040,
                                             R(1.) / 40320,
                                             R(1.) / 362880,
                                             R(1.) / 3628800,
                                             R(1.) / 39916800,
                                             R(1.) / 479001600,
                                             R(1.) / R(6227020800.)};
    const vec n = v_round(v_mul(x, v_set(R(1.44269504088896340736))));
    vec r = v_fma(n, v_set(-LN2_HIGH), x);
    r = v_fma(n, v_set(-LN2_LOW), r);
    vec p = v_set(inverse_factorial[EXP_DEGREE]);
#if defined(__GNUC__)
#pragma GCC unroll 13
#endif
    for (int k = EXP_DEGREE - 1; k >= 2; k--)
        p = v_fma(p, r, v_set(inverse_factorial[k]));
    *scale = v_pow2(n);
    return v_fma(v_mul(r, r), p, r);
}

/* exp(x): 0 where the result would not be a normal number, infinity above, NaN for NaN. */
INLINE vec v_exp(vec x) {
    vec scale;
    const vec inside = v_min(v_max(x, v_set(EXP_LOW)), v_set(EXP_HIGH));
    const vec p = v_exp_parts(inside, &scale);
    vec y = v_fma(p, scale, scale);
    y = v_select(v_less(x, v_set(EXP_LOW)), v_set(0), y);
    y = v_select(v_less(v_set(EXP_HIGH), x), v_set((real)INFINITY), y);
    return y;
}

/* 1 / (1 + exp(-x)) */
INLINE vec v_sigmoid(vec x) {
    return v_div(v_set(1), v_add(v_set(1), v_exp(v_sub(v_set(0), x))));
}

/* tanh(x) = -m / (2 + m), m = exp(-2|x|) - 1 = 2^n p + (2^n - 1), with the sign of x. */
INLINE vec v_tanh(vec x) {
    vec scale;
    const vec low = v_set(-40);
    const vec t = v_max(v_mul(v_set(-2), v_abs(x)), low);
    const vec p = v_exp_parts(t, &scale);
    const vec m = v_fma(scale, p, v_sub(scale, v_set(1)));
    const vec y = v_div(v_sub(v_set(0), m), v_add(v_set(2), m));
    return v_select(v_less(x, v_set(0)), v_sub(v_set(0), y), y);
}

/* 2 atanh(s) = 2 (s + s^3/3 + s^5/5 + ...) for |s| <= 3 - 2 sqrt 2 = 0.172 */
INLINE vec v_twice_atanh(vec s) {
    const vec s2 = v_mul(s, s);
    vec p = v_set(R(2.) / (2 * ATANH_TERMS + 1));
#if defined(__GNUC__)
#pragma GCC unroll 13
#endif
    for (int k = ATANH_TERMS - 1; k >= 1; k--)
        p = v_fma(p, s2, v_set(R(2.) / (2 * k + 1)));
    return v_fma(v_mul(s, s2), p, v_add(s, s));
}

/* log(1 + t) for t in [0, 1]. Up to sqrt 2 - 1 it is 2 atanh(t / (2 + t)); above,
 * log 2 + log((1 + t) / 2) = log 2 + 2 atanh((t - 1) / (t + 3)). */
INLINE vec v_log1p01(vec t) {
    const mask large = v_less(v_set(R(0.41421356)), t);
    const vec above = v_select(large, v_sub(t, v_set(1)), t);
    const vec below = v_select(large, v_add(t, v_set(3)), v_add(t, v_set(2)));
    const vec y = v_twice_atanh(v_div(above, below));
    return v_select(large, v_add(y, v_set(R(0.69314718055994530942))), y);
}

/* log(1 + x) for 0 <= x < 2^31. Above 1 it is log(m) + e log 2, 1 + x = m 2^e with m in [1, 2]. */
INLINE vec v_log1p(vec x) {
    vec m = v_add(v_set(1), x), e = v_set(0);
    for (int bits = 16; bits > 0; bits /= 2) {
        const mask above = v_less(v_set((real)(1 << bits)), m);
        m = v_select(above, v_mul(m, v_set(R(1.) / (real)(1 << bits))), m);
        e = v_select(above, v_add(e, v_set((real)bits)), e);
    }
    const vec t = v_select(v_less(x, v_set(1)), x, v_sub(m, v_set(1)));
    return v_fma(e, v_set(LN2_HIGH), v_fma(e, v_set(LN2_LOW), v_log1p01(t)));
}

/* log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|)) */
INLINE vec v_softplus(vec x) {
    const vec t = v_exp(v_sub(v_set(0), v_abs(x)));
    return v_add(v_max(x, v_set(0)), v_log1p01(t));
}

/* log(x) of one normal positive number: x = m 2^e with m in [sqrt 1/2, sqrt 2). */
INLINE real r_log(real x) {
    int e;
    real m = (real)frexp(x, &e);
    if (m < R(0.70710678118654752440)) {
        m += m;
        e -= 1;
    }
    const real s = (m - 1) / (m + 1), s2 = s * s;
    real p = R(2.) / (2 * ATANH_TERMS + 1);
    for (int k = ATANH_TERMS - 1; k >= 1; k--)
        p = r_fma(p, s2, R(2.) / (2 * k + 1));
    return r_fma((real)e, LN2_HIGH, r_fma(s * s2, p, s + s) + (real)e * LN2_LOW);
}

#endif
