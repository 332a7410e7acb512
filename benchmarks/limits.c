/* What the machine can do at most: multiply-adds from registers, and moves from memory. */

#include <stddef.h>

#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#elif defined(__AVX__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif

/* Enough independent chains for two pipes of latency 4 to 6; AVX2 has 16 registers. */
enum { CHAINS = 12 };

#define LIMITS(real)                                                                               \
    typedef real vector_##real __attribute__((vector_size(VECTOR_BYTES)));                         \
                                                                                                   \
    /* Return the operations done in `rounds` rounds of one multiply-add a chain. */               \
    double multiply_add_##real(ptrdiff_t rounds, real *out) {                                      \
        const vector_##real zero = {0};                                                            \
        const vector_##real x = zero + (real)0.999, y = zero + (real)0.001;                        \
        vector_##real a[CHAINS];                                                                   \
        for (int i = 0; i < CHAINS; i++) a[i] = zero + (real)i;                                    \
        for (ptrdiff_t r = 0; r < rounds; r++) {                                                   \
            _Pragma("GCC unroll 12") for (int i = 0; i < CHAINS; i++) a[i] = a[i] * x + y;         \
        }                                                                                          \
        for (int i = 1; i < CHAINS; i++) a[0] += a[i];                                             \
        *out = a[0][0];                                                                            \
        return 2.0 * CHAINS * (VECTOR_BYTES / sizeof(real)) * (double)rounds;                      \
    }

LIMITS(float)
LIMITS(double)

/* Read n floats, a multiple of 64, from a[0] on; their sum keeps the loop alive. */
float read_all(ptrdiff_t n, const float *a) {
    enum { WIDTH = VECTOR_BYTES / sizeof(float), STREAMS = 4 };
    vector_float sums[STREAMS] = {{0}};
    for (ptrdiff_t i = 0; i < n; i += STREAMS * WIDTH) {
        _Pragma("GCC unroll 4") for (int s = 0; s < STREAMS; s++) {
            vector_float v;
            __builtin_memcpy(&v, a + i + s * WIDTH, sizeof v);
            sums[s] += v;
        }
    }
    return (sums[0] + sums[1] + sums[2] + sums[3])[0];
}

/* a = b + scale * c: McCalpin's triad, two arrays read and one written. */
void triad(ptrdiff_t n, float *restrict a, const float *restrict b, const float *restrict c) {
    for (ptrdiff_t i = 0; i < n; i++) a[i] = b[i] + 3.0f * c[i];
}
