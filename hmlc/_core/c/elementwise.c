/* Functions of one number at a time; n numbers in x, n in out. */
#include "simd.h"
#include "vmath.h"

#include "elementwise.h"

/* answer = 1 where every x is a finite number. x * 0 is 0 just for those, and NaN stays in a sum;
 * the order of sums cannot show. */
static void all_finite(const real *x, ptrdiff_t n, int *answer) {
    vec sum[4] = {v_set(0), v_set(0), v_set(0), v_set(0)};
    const vec zero = v_set(0);
    ptrdiff_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES) {
        sum[0] = v_fma(v_load(x + i), zero, sum[0]);
        sum[1] = v_fma(v_load(x + i + LANES), zero, sum[1]);
        sum[2] = v_fma(v_load(x + i + 2 * LANES), zero, sum[2]);
        sum[3] = v_fma(v_load(x + i + 3 * LANES), zero, sum[3]);
    }
    real rest = v_sum(v_add(v_add(sum[0], sum[1]), v_add(sum[2], sum[3])));
    for (; i < n; i++)
        rest += x[i] * 0;
    *answer = rest == 0;
}

#define ELEMENTWISE(name, function)                                                                \
    static void name(const real *x, ptrdiff_t n, real *out) {                                      \
        ptrdiff_t i = 0;                                                                           \
        for (; i + LANES <= n; i += LANES)                                                         \
            v_store(out + i, function(v_load(x + i)));                                             \
        if (i < n)                                                                                 \
            v_store_part(out + i, n - i, function(v_load_part(x + i, n - i, 0)));                  \
    }

/* g(x) (1 - g(x)) = g(x) g(-x): the second form keeps its digits where g is near 1. */
INLINE vec v_sigmoid_gradient(vec x) {
    return v_mul(v_sigmoid(x), v_sigmoid(v_sub(v_set(0), x)));
}

ELEMENTWISE(exponential, v_exp)
ELEMENTWISE(hyperbolic_tangent, v_tanh)
ELEMENTWISE(softplus, v_softplus)
ELEMENTWISE(sigmoid, v_sigmoid)
ELEMENTWISE(sigmoid_gradient, v_sigmoid_gradient)

HMLC_TABLE(elementwise, ELEMENTWISE_KERNELS)
