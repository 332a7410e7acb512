/* Basis expansion: products of powers of columns, and sines of their multiples. */
#include "sine.h"

#include "basis.h"

/* Rows that go through a degree together: a monomial is read long after it was written. */
enum { POLYNOMIAL_ROWS = 16, SINUSOID_VALUES = 256 };

/* dst[j] = x * source[j], j < length. `room` is what may be written from dst on: a full vector may
 * run past `length` into places that are written later. */
INLINE void scale(real x, const real *source, ptrdiff_t length, real *dst, ptrdiff_t room) {
    const vec factor = v_set(x);
    ptrdiff_t j = 0;
    for (; j < length && j + LANES <= room; j += LANES)
        v_store(dst + j, v_mul(factor, v_load(source + j)));
    for (; j < length; j++)
        dst[j] = x * source[j];
}

/* Monomials of degree k of variables i, i + 1, ..., d - 1 are x_i times all monomials of degree
 * k - 1 of those variables, then the monomials without x_i. In this order the factors for x_i are
 * the end of the list of degree k - 1: there are C(m + k - 2, k - 1) of them, m = d - i. */
static void multiply_up(const real *Z, ptrdiff_t rows, ptrdiff_t d, ptrdiff_t degree, real *out,
                        ptrdiff_t width, ptrdiff_t row_stride) {
    const real *source = Z;
    ptrdiff_t source_stride = d + LANES, source_length = d, column = d;
    for (ptrdiff_t k = 2; k <= degree; k++) {
        const ptrdiff_t first = column;
        ptrdiff_t length = source_length;
        for (ptrdiff_t i = 0; i < d; i++) {
            const real *factors = source + source_length - length;
            for (ptrdiff_t r = 0; r < rows; r++)
                scale(Z[r * (d + LANES) + i], factors + r * source_stride, length,
                      out + r * row_stride + column, width - column);
            column += length;
            length = length * (d - i - 1) / (d - i + k - 2);
        }
        source = out + first;
        source_stride = row_stride;
        source_length = column - first;
    }
}

/* out = X, then all products of 2 to `degree` columns of Z in graded lexicographic order:
 * z0 z0, z0 z1, ..., z1 z1, ... Each is one column times a product of one degree less.
 *   X, Z n x d; out n x width, its rows row_stride apart, width = C(d + degree, degree) - 1;
 *   scratch POLYNOMIAL_ROWS * (d + LANES). */
static void polynomials(const real *X, const real *Z, ptrdiff_t n, ptrdiff_t d, ptrdiff_t degree,
                        real *out, ptrdiff_t width, ptrdiff_t row_stride, real *scratch) {
    for (ptrdiff_t r = 0; r < n; r += POLYNOMIAL_ROWS) {
        const ptrdiff_t rows = n - r < POLYNOMIAL_ROWS ? n - r : POLYNOMIAL_ROWS;
        for (ptrdiff_t i = 0; i < rows; i++) {
            for (ptrdiff_t j = 0; j < d; j++) {
                out[(r + i) * row_stride + j] = X[(r + i) * d + j];
                scratch[i * (d + LANES) + j] = Z[(r + i) * d + j];
            }
        }
        multiply_up(scratch, rows, d, degree, out + r * row_stride, width, row_stride);
    }
}

/* angle[j] = x[j] less whole turns, j < length; up to a whole vector more of angle is written. */
static void turn(const real *x, ptrdiff_t length, real *angle) {
    real lanes[LANES];
    vec peak = v_set(0);
    for (ptrdiff_t j = 0; j < length; j += LANES) {
        const vec a = length - j < LANES ? v_load_part(x + j, length - j, 0) : v_load(x + j);
        peak = v_max(peak, v_abs(a));
        v_store(angle + j, v_turn(a));
    }
    v_store(lanes, peak);
    real largest = 0;
    for (int i = 0; i < LANES; i++)
        largest = lanes[i] > largest ? lanes[i] : largest;
    if (largest <= TURN_LIMIT)
        return;
    for (ptrdiff_t j = 0; j < length; j++)
        if (fabs((double)x[j]) > (double)TURN_LIMIT)
            angle[j] = r_turn(x[j]);
}

/* Columns (k - 1) d ... k d - 1 of out = sin(k Z), k = 1 ... degree.
 *   Z n x d; out n x degree d, its rows row_stride apart;
 *   scratch 2 * (max(d, SINUSOID_VALUES) + LANES).
 * Z is brought to an angle a between -pi and pi once, within 2 epsilon; then sin(k a) is within
 * (4 k + 2) epsilon. No number is too large. */
static void sinusoids(const real *Z, ptrdiff_t n, ptrdiff_t d, ptrdiff_t degree, real *out,
                      ptrdiff_t row_stride, real *scratch) {
    const ptrdiff_t block = d < SINUSOID_VALUES ? SINUSOID_VALUES / d : 1;
    real *angle = scratch, *sine = scratch + block * d + LANES;
    for (ptrdiff_t r = 0; r < n; r += block) {
        const ptrdiff_t rows = n - r < block ? n - r : block, length = rows * d;
        turn(Z + r * d, length, angle);
        for (ptrdiff_t k = 1; k <= degree; k++) {
            for (ptrdiff_t j = 0; j < length; j += LANES)
                v_store(sine + j, v_sin(v_mul(v_set((real)k), v_load(angle + j))));
            for (ptrdiff_t i = 0; i < rows; i++)
                memcpy(out + (r + i) * row_stride + (k - 1) * d, sine + i * d,
                       (size_t)d * sizeof(real));
        }
    }
}

HMLC_TABLE(basis, BASIS_KERNELS)
