/* Logistic losses with their gradients and Hessians, in one read of the rows; and scores.
 *
 *   n, d     rows and columns of X; depth = d + 1: a last column of ones carries the bias
 *   k        columns of scores, Z = A W' where row i of A is ((X[i] - shift) * inverse_scale, 1)
 *   units    2 x d: shift, then inverse_scale
 *   W        k x depth: a score column's weights, then its bias
 *   codes    n: each row's class
 *
 * Rows are taken a stretch at a time (hmlc_logistic_rows): brought to standard units in scratch
 * that stays in cache, where the scores, the residuals dloss/dZ and their products with A follow.
 * Folding the shift into the bias instead would need no copy, but cancels where a column's mean is
 * far larger than its deviation.
 *
 * For k > 1 scores lie in panels, LANES columns wide (tile.h). For k = 1 that would leave all lanes
 * but one idle: there rows are dotted with the weights, and scores lie one after another.
 *
 * Sums over rows go in order within a block of HMLC_BLOCK_ROWS, then in float64 over blocks; losses
 * in float64 over stretches. */
#include "tile.h"
#include "vmath.h"

#include "logistic.h"

/* A stretch's scratch. A product may compute, and a tile read, up to TILE_ROWS - 1 rows too many:
 * SPARE holds them. */
enum { SPARE = 8 };
typedef struct {
    ptrdiff_t d, depth, width, k, panels, capacity;
    real *block;     /* (capacity + SPARE) x width: A, then zeros */
    real *weights;   /* W: panels of depth x LANES; for k = 1 width, zeros after depth */
    real *gradient;  /* the block's sum: panels of (depth + SPARE) x LANES; for k = 1 width */
    real *z;         /* scores, then residuals: panels of (capacity + SPARE) x LANES */
    real *curvature; /* d2loss/dz2, laid out as z */
    real *panel;   /* (capacity + SPARE) x LANES: LANES columns of A times a curvature, or signs */
    real *classes; /* k padded: the class of each score column */
    real *hessian; /* the block's sums: per score column, panels of (depth + SPARE) x LANES */
} stretch;

static real *take(real **scratch, ptrdiff_t count) {
    real *start = *scratch;
    *scratch += panels_of(count) * LANES;
    return start;
}

/* Lays out scratch, on cache lines, and packs W. */
static stretch prepare(ptrdiff_t d, const real *W, ptrdiff_t k, real *scratch) {
    stretch s = {.d = d, .depth = d + 1, .k = k, .panels = panels_of(k)};
    /* An odd number of vectors: rows a power of two apart would share a few sets of the cache. */
    s.width = (panels_of(s.depth) | 1) * LANES;
    s.capacity = hmlc_logistic_rows(d);
    scratch += (size_t)(-(uintptr_t)scratch & 63) / sizeof(real);
    s.block = take(&scratch, (s.capacity + SPARE) * s.width);
    s.weights = take(&scratch, k == 1 ? s.width : s.panels * s.depth * LANES);
    s.gradient = take(&scratch, k == 1 ? s.width : s.panels * (s.depth + SPARE) * LANES);
    s.z = take(&scratch, s.panels * (s.capacity + SPARE) * LANES);
    s.curvature = take(&scratch, s.panels * (s.capacity + SPARE) * LANES);
    s.panel = take(&scratch, (s.capacity + SPARE) * LANES);
    s.classes = take(&scratch, s.panels * LANES);
    s.hessian = scratch;
    if (k == 1) {
        memset(s.weights, 0, (size_t)s.width * sizeof(real));
        memcpy(s.weights, W, (size_t)s.depth * sizeof(real));
    } else
        for (ptrdiff_t p = 0; p < s.panels; p++)
            pack_panel(W, 1, s.depth, s.depth, p * LANES, k, s.weights + p * s.depth * LANES);
    return s;
}

/* A product's `rows` rounded up to whole tiles. */
INLINE ptrdiff_t whole_tiles(ptrdiff_t rows) {
    return (rows + TILE_ROWS - 1) / TILE_ROWS * TILE_ROWS;
}

/* block = A of these rows, and zeros in the rows that a tile may read beyond. */
static void standard_rows(const stretch *s, const real *X, ptrdiff_t rows, const real *units) {
    const ptrdiff_t d = s->d;
    const real *inverse_scale = units + d;
    real *a = s->block;
    for (ptrdiff_t r = 0; r < rows; r++, X += d, a += s->width) {
        ptrdiff_t j = 0;
        for (; j + LANES <= d; j += LANES)
            v_store(a + j,
                    v_mul(v_sub(v_load(X + j), v_load(units + j)), v_load(inverse_scale + j)));
        if (j < d && d >= LANES) {
            j = d - LANES;
            v_store(a + j,
                    v_mul(v_sub(v_load(X + j), v_load(units + j)), v_load(inverse_scale + j)));
        } else
            for (; j < d; j++)
                a[j] = (X[j] - units[j]) * inverse_scale[j];
        a[d] = 1;
        for (j = d + 1; j < s->width; j++)
            a[j] = 0;
    }
    const ptrdiff_t extra = whole_tiles(rows) + 1 - rows;
    memset(a, 0, (size_t)(extra * s->width) * sizeof(real));
}

/* out += a tile of TILE_ROWS x LANES; see tile_fma. */
INLINE void add_tile(const real *A, ptrdiff_t a_row, ptrdiff_t a_depth, const real *panel,
                     ptrdiff_t depth, real *out) {
    vec acc[TILE_ROWS];
#if defined(__GNUC__)
#pragma GCC unroll 8
#endif
    for (int i = 0; i < TILE_ROWS; i++)
        acc[i] = v_load(out + i * LANES);
    tile_fma(TILE_ROWS, A, a_row, a_depth, panel, depth, acc);
#if defined(__GNUC__)
#pragma GCC unroll 8
#endif
    for (int i = 0; i < TILE_ROWS; i++)
        v_store(out + i * LANES, acc[i]);
}

/* z[r] = dot(block[r], weights), as r_dot sums; `count` constant after inlining. */
INLINE void dot_rows(int count, const stretch *s, ptrdiff_t r) {
    vec sum[4];
    const real *a = s->block + r * s->width;
    for (int i = 0; i < count; i++)
        sum[i] = v_set(0);
    for (ptrdiff_t j = 0; j < s->width; j += LANES) {
        const vec w = v_load(s->weights + j);
#if defined(__GNUC__)
#pragma GCC unroll 4
#endif
        for (int i = 0; i < count; i++)
            sum[i] = v_fma(v_load(a + i * s->width + j), w, sum[i]);
    }
    for (int i = 0; i < count; i++)
        s->z[r + i] = v_sum(sum[i]);
}

/* z = block W' of these rows; for k = 1 zeros follow, to fill a vector. */
static void score(const stretch *s, ptrdiff_t rows) {
    if (s->k == 1) {
        ptrdiff_t r = 0;
        for (; r + 4 <= rows; r += 4)
            dot_rows(4, s, r);
        for (; r < rows; r++)
            dot_rows(1, s, r);
        memset(s->z + rows, 0, LANES * sizeof(real));
        return;
    }
    const ptrdiff_t stride = (s->capacity + SPARE) * LANES;
    memset(s->z, 0, (size_t)(s->panels * stride) * sizeof(real));
    for (ptrdiff_t p = 0; p < s->panels; p++)
        for (ptrdiff_t r = 0; r < rows; r += TILE_ROWS)
            add_tile(s->block + r * s->width, s->width, 1, s->weights + p * s->depth * LANES,
                     s->depth, s->z + p * stride + r * LANES);
}

/* gradient[j ...] += sum over rows of z[r] * block[r][j ...], `count` vectors wide. */
INLINE void add_scaled_rows(int count, const stretch *s, ptrdiff_t rows, ptrdiff_t j) {
    vec sum[4];
    for (int i = 0; i < count; i++)
        sum[i] = v_load(s->gradient + j + i * LANES);
    const real *a = s->block + j;
    for (ptrdiff_t r = 0; r < rows; r++, a += s->width) {
        const vec residual = v_set(s->z[r]);
#if defined(__GNUC__)
#pragma GCC unroll 4
#endif
        for (int i = 0; i < count; i++)
            sum[i] = v_fma(residual, v_load(a + i * LANES), sum[i]);
    }
    for (int i = 0; i < count; i++)
        v_store(s->gradient + j + i * LANES, sum[i]);
}

/* gradient += z' block, z holding residuals. */
static void add_gradient(const stretch *s, ptrdiff_t rows) {
    if (s->k == 1) {
        ptrdiff_t j = 0;
        for (; j + 4 * LANES <= s->width; j += 4 * LANES)
            add_scaled_rows(4, s, rows, j);
        switch ((s->width - j) / LANES) {
        case 3:
            add_scaled_rows(3, s, rows, j);
            break;
        case 2:
            add_scaled_rows(2, s, rows, j);
            break;
        case 1:
            add_scaled_rows(1, s, rows, j);
            break;
        }
        return;
    }
    for (ptrdiff_t p = 0; p < s->panels; p++)
        for (ptrdiff_t j = 0; j < s->depth; j += TILE_ROWS)
            add_tile(s->block + j, 1, s->width, s->z + p * (s->capacity + SPARE) * LANES, rows,
                     s->gradient + (p * (s->depth + SPARE) + j) * LANES);
}

/* Where row 0 of score column c lies in z and curvature, and how far row 1 is from it. */
INLINE ptrdiff_t column_start(const stretch *s, ptrdiff_t c) {
    return c / LANES * (s->capacity + SPARE) * LANES + c % LANES;
}
INLINE ptrdiff_t row_step(const stretch *s) {
    return s->k == 1 ? 1 : LANES;
}

/* hessian of score column c += block' diag(curvature) block, its lower triangle's panels. */
static void add_hessian(const stretch *s, ptrdiff_t rows, ptrdiff_t c) {
    const real *curvature = s->curvature + column_start(s, c);
    const ptrdiff_t panels = panels_of(s->depth), stride = (s->depth + SPARE) * LANES;
    for (ptrdiff_t p = 0; p < panels; p++) {
        for (ptrdiff_t r = 0; r < rows; r++)
            v_store(s->panel + r * LANES, v_mul(v_set(curvature[r * row_step(s)]),
                                                v_load(s->block + r * s->width + p * LANES)));
        for (ptrdiff_t i = p * LANES; i < s->depth; i += TILE_ROWS)
            add_tile(s->block + i, 1, s->width, s->panel, rows,
                     s->hessian + (c * panels + p) * stride + i * LANES);
    }
}

static void clear_sums(const stretch *s, int with_hessian) {
    const ptrdiff_t tall = (s->depth + SPARE) * LANES;
    const ptrdiff_t gradient = s->k == 1 ? s->width : s->panels * tall;
    memset(s->gradient, 0, (size_t)gradient * sizeof(real));
    if (with_hessian)
        memset(s->hessian, 0, (size_t)(s->k * panels_of(s->depth) * tall) * sizeof(real));
}

/* Adds a block's sums to the float64 results. */
static void flush_gradient(const stretch *s, double *gradient) {
    const ptrdiff_t depth = s->depth;
    for (ptrdiff_t c = 0; c < s->k; c++) {
        const real *sums = s->gradient + c / LANES * (depth + SPARE) * LANES + c % LANES;
        for (ptrdiff_t j = 0; j < depth; j++)
            gradient[c * depth + j] += sums[j * row_step(s)];
    }
}
static void flush_hessian(const stretch *s, double *hessian) {
    const ptrdiff_t depth = s->depth, panels = panels_of(depth);
    for (ptrdiff_t c = 0; c < s->k; c++)
        for (ptrdiff_t i = 0; i < depth; i++)
            for (ptrdiff_t j = 0; j <= i; j++) {
                const ptrdiff_t p = c * panels + j / LANES;
                hessian[(c * depth + i) * depth + j] +=
                    s->hessian[(p * (depth + SPARE) + i) * LANES + j % LANES];
            }
}

/* With m = sign * z: loss = log(1 + exp(m)), dloss/dz = sign * sigmoid(m), and
 * d2loss/dz2 = sigmoid(m) sigmoid(-m); all three from t = exp(-|m|), which cannot overflow. A sign
 * is -1 where the row is of the column's class, 1 where not (so no digits cancel), and 0 where
 * there is no row, which makes all three 0. */
INLINE vec logistic(vec z, vec sign, vec *residual, vec *curvature) {
    const vec m = v_mul(sign, z), one = v_set(1);
    const vec t = v_exp(v_sub(v_set(0), v_abs(m)));
    const vec q = v_div(one, v_add(one, t)), tq = v_mul(t, q), there = v_mul(sign, sign);
    *residual = v_mul(sign, v_select(v_less(m, v_set(0)), tq, q));
    *curvature = v_mul(there, v_mul(tq, q));
    return v_mul(there, v_add(v_max(m, v_set(0)), v_log1p01(t)));
}

/* -1 where a code is the class, else 1; without a branch, for labels are as good as random. */
INLINE vec class_sign(vec code, vec class) {
    const vec far = v_abs(v_sub(code, class));
    return v_select(v_less(far, v_set(R(0.5))), v_set(-1), v_set(1));
}

/* For k = 1: lanes are rows. */
static void sigmoid_rows(const stretch *s, ptrdiff_t rows, const ptrdiff_t *codes, double *loss) {
    const vec class = v_set(s->classes[0]);
    real *sign = s->panel;
    for (ptrdiff_t r = 0; r < rows; r++)
        sign[r] = (real)codes[r];
    for (ptrdiff_t r = 0; r < rows; r += LANES)
        v_store(sign + r, class_sign(v_load(sign + r), class));
    memset(sign + rows, 0, LANES * sizeof(real));
    vec total = v_set(0), residual, curvature;
    for (ptrdiff_t r = 0; r < rows; r += LANES) {
        total = v_add(total, logistic(v_load(s->z + r), v_load(sign + r), &residual, &curvature));
        v_store(s->z + r, residual);
        v_store(s->curvature + r, curvature);
    }
    *loss += v_sum(total);
}

/* For k > 1: lanes are score columns. */
static void sigmoid_columns(const stretch *s, ptrdiff_t rows, const ptrdiff_t *codes,
                            double *loss) {
    for (ptrdiff_t p = 0; p < s->panels; p++) {
        const vec class = v_load(s->classes + p * LANES);
        real *z = s->z + p * (s->capacity + SPARE) * LANES;
        real *curvature = s->curvature + p * (s->capacity + SPARE) * LANES;
        vec total = v_set(0), residual, second;
        for (ptrdiff_t r = 0; r < rows; r++, z += LANES, curvature += LANES) {
            const vec sign = class_sign(v_set((real)codes[r]), class);
            total = v_add(total, logistic(v_load(z), sign, &residual, &second));
            v_store(z, residual);
            v_store(curvature, second);
        }
        real lanes[LANES];
        v_store(lanes, total);
        for (ptrdiff_t c = p * LANES; c < s->k && c < (p + 1) * LANES; c++)
            loss[c] += lanes[c % LANES];
    }
}

INLINE void sigmoid_pass(const real *X, ptrdiff_t n, ptrdiff_t d, const ptrdiff_t *codes,
                         const ptrdiff_t *classes, const real *W, ptrdiff_t k, const real *units,
                         double *loss, double *gradient, double *hessian, real *scratch) {
    const stretch s = prepare(d, W, k, scratch);
    for (ptrdiff_t c = 0; c < s.panels * LANES; c++)
        s.classes[c] = c < k ? (real)classes[c] : -1;
    for (ptrdiff_t r = 0; r < n; r += s.capacity) {
        const ptrdiff_t rows = n - r < s.capacity ? n - r : s.capacity;
        if (r % HMLC_BLOCK_ROWS == 0)
            clear_sums(&s, hessian != NULL);
        standard_rows(&s, X + r * d, rows, units);
        score(&s, rows);
        if (k == 1)
            sigmoid_rows(&s, rows, codes + r, loss);
        else
            sigmoid_columns(&s, rows, codes + r, loss);
        add_gradient(&s, rows);
        for (ptrdiff_t c = 0; hessian && c < k; c++)
            add_hessian(&s, rows, c);
        if ((r + rows) % HMLC_BLOCK_ROWS == 0 || r + rows == n) {
            flush_gradient(&s, gradient);
            if (hessian)
                flush_hessian(&s, hessian);
        }
    }
}

/* k independent two-class problems: column c's loss, log(1 + exp(z)) - [code = classes[c]] z summed
 * over rows, and its gradient.
 *   X n x d; codes n; classes k; W k x depth; units 2 x d; += loss k, gradient k x depth. */
static void sigmoid_loss(const real *X, ptrdiff_t n, ptrdiff_t d, const ptrdiff_t *codes,
                         const ptrdiff_t *classes, const real *W, ptrdiff_t k, const real *units,
                         double *loss, double *gradient, real *scratch) {
    sigmoid_pass(X, n, d, codes, classes, W, k, units, loss, gradient, NULL, scratch);
}

/* The same, and += hessian k x depth x depth, the lower triangles A' diag(p (1 - p)) A. */
static void sigmoid_loss_hessian(const real *X, ptrdiff_t n, ptrdiff_t d, const ptrdiff_t *codes,
                                 const ptrdiff_t *classes, const real *W, ptrdiff_t k,
                                 const real *units, double *loss, double *gradient, double *hessian,
                                 real *scratch) {
    sigmoid_pass(X, n, d, codes, classes, W, k, units, loss, gradient, hessian, scratch);
}

/* log(1 + x), x >= 0 */
INLINE real r_log1p(real x) {
    real lanes[LANES];
    if (x > 1)
        return r_log(1 + x);
    v_store(lanes, v_log1p01(v_set(x)));
    return lanes[0];
}

typedef struct {
    ptrdiff_t at; /* the largest score's column */
    real peak;    /* that score */
    real others;  /* sum of exp(z - peak) over the other columns: log-sum-exp = peak + log1p(others)
                   */
} softmax_sums;

/* z = exp(z - peak) / (1 + others). z has k columns, then room up to whole vectors. Leaving the
 * peak out of the sum keeps the digits of a loss that is nearly 0. */
static softmax_sums softmax_row(real *z, ptrdiff_t k) {
    softmax_sums s = {0, z[0], 0};
    for (ptrdiff_t c = 1; c < k; c++)
        if (z[c] > s.peak) {
            s.peak = z[c];
            s.at = c;
        }
    z[s.at] = (real)-INFINITY;
    for (ptrdiff_t c = k; c < panels_of(k) * LANES; c++)
        z[c] = (real)-INFINITY;
    vec sum = v_set(0);
    for (ptrdiff_t c = 0; c < k; c += LANES) {
        const vec e = v_exp(v_sub(v_load(z + c), v_set(s.peak)));
        sum = v_add(sum, e);
        v_store(z + c, e);
    }
    s.others = v_sum(sum);
    z[s.at] = 1;
    for (ptrdiff_t c = 0; c < k; c += LANES)
        v_store(z + c, v_div(v_load(z + c), v_set(1 + s.others)));
    return s;
}

/* z = residuals p - [code = c]; returns the stretch's loss, summed in order of rows. `row` holds
 * panels * LANES. */
static double softmax_rows(const stretch *s, ptrdiff_t rows, const ptrdiff_t *codes, real *row) {
    const ptrdiff_t stride = (s->capacity + SPARE) * LANES;
    double loss = 0;
    for (ptrdiff_t r = 0; r < rows; r++) {
        for (ptrdiff_t p = 0; p < s->panels; p++)
            v_store(row + p * LANES, v_load(s->z + p * stride + r * LANES));
        const real target = row[codes[r]];
        const softmax_sums sums = softmax_row(row, s->k);
        const real p_others = sums.others / (1 + sums.others);
        loss += (double)(r_log1p(sums.others) + (sums.peak - target));
        row[codes[r]] = sums.at == codes[r] ? -p_others : row[codes[r]] - 1;
        for (ptrdiff_t p = 0; p < s->panels; p++)
            v_store(s->z + p * stride + r * LANES, v_load(row + p * LANES));
    }
    return loss;
}

/* loss (1) += sum over rows of log(sum_c exp(z_c)) - z_code, and += its gradient, k x depth; k > 1.
 *   X n x d; codes n, each less than k; W k x depth; units 2 x d. */
static void softmax_loss(const real *X, ptrdiff_t n, ptrdiff_t d, const ptrdiff_t *codes,
                         const real *W, ptrdiff_t k, const real *units, double *loss,
                         double *gradient, real *scratch) {
    const stretch s = prepare(d, W, k, scratch);
    for (ptrdiff_t r = 0; r < n; r += s.capacity) {
        const ptrdiff_t rows = n - r < s.capacity ? n - r : s.capacity;
        if (r % HMLC_BLOCK_ROWS == 0)
            clear_sums(&s, 0);
        standard_rows(&s, X + r * d, rows, units);
        score(&s, rows);
        *loss += softmax_rows(&s, rows, codes + r, s.classes);
        add_gradient(&s, rows);
        if ((r + rows) % HMLC_BLOCK_ROWS == 0 || r + rows == n)
            flush_gradient(&s, gradient);
    }
}

/* out = A W'. X n x d; W k x depth; units 2 x d; out n x k. */
static void scores(const real *X, ptrdiff_t n, ptrdiff_t d, const real *W, ptrdiff_t k,
                   const real *units, real *out, real *scratch) {
    const stretch s = prepare(d, W, k, scratch);
    for (ptrdiff_t r = 0; r < n; r += s.capacity) {
        const ptrdiff_t rows = n - r < s.capacity ? n - r : s.capacity;
        standard_rows(&s, X + r * d, rows, units);
        score(&s, rows);
        for (ptrdiff_t c = 0; c < k; c++)
            for (ptrdiff_t i = 0; i < rows; i++)
                out[(r + i) * k + c] = s.z[column_start(&s, c) + i * row_step(&s)];
    }
}

/* Each of the n rows z of Z (n x k) becomes exp(z) / sum(exp(z)); scratch k + LANES. */
static void softmax(real *Z, ptrdiff_t n, ptrdiff_t k, real *scratch) {
    for (ptrdiff_t r = 0; r < n; r++, Z += k) {
        memcpy(scratch, Z, (size_t)k * sizeof(real));
        softmax_row(scratch, k);
        memcpy(Z, scratch, (size_t)k * sizeof(real));
    }
}

/* Each of the n rows z of Z (n x k) becomes z - log(sum(exp(z))); scratch k + LANES. */
static void log_softmax(real *Z, ptrdiff_t n, ptrdiff_t k, real *scratch) {
    for (ptrdiff_t r = 0; r < n; r++, Z += k) {
        memcpy(scratch, Z, (size_t)k * sizeof(real));
        const softmax_sums s = softmax_row(scratch, k);
        const real log_others = r_log1p(s.others);
        for (ptrdiff_t c = 0; c < k; c++)
            Z[c] = (Z[c] - s.peak) - log_others;
    }
}

HMLC_TABLE(logistic, LOGISTIC_KERNELS)
