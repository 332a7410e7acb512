/* A stretch of rows in cache: brought to standard units, scored, and summed into gradients and
 * Hessians. Legend: see logistic.c.
 *
 * Folding the shift into the bias would need no copy of the rows, but cancels where a column's mean
 * is far larger than its deviation.
 *
 * For k > 1 scores lie in panels, LANES columns wide (tile.h). For k = 1 that would leave all lanes
 * but one idle: there rows are dotted with the weights, and scores lie one after another.
 *
 * Each sum goes in order of depth or of rows (a dot product by LANES partial sums), so how rows are
 * cut into stretches does not show within a block of HMLC_BLOCK_ROWS. */
#ifndef HMLC_STRETCH_H
#define HMLC_STRETCH_H

#include "tile.h"

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
    real *panel;     /* (capacity + SPARE) x LANES: LANES columns of A times a curvature */
    real *classes;   /* k padded: the class of each score column */
    real *hessian;   /* the block's sums: per score column, panels of (depth + SPARE) x LANES */
} stretch;

static real *take(real **scratch, ptrdiff_t count) {
    real *start = *scratch;
    *scratch += panels_of(count) * LANES;
    return start;
}

static stretch sizes_of(ptrdiff_t d, ptrdiff_t k) {
    stretch s = {.d = d, .depth = d + 1, .k = k, .panels = panels_of(k)};
    /* An odd number of vectors: rows a power of two apart would share a few sets of the cache. */
    s.width = (panels_of(s.depth) | 1) * LANES;
    return s;
}

/* weights = the only row of W, and zeros. */
static void widen_weights(const stretch *s, const real *W) {
    memset(s->weights, 0, (size_t)s->width * sizeof(real));
    memcpy(s->weights, W, (size_t)s->depth * sizeof(real));
}

/* Lays out scratch for one row at a time, with zeros after it; W is not packed. */
static stretch prepare_few(ptrdiff_t d, const real *W, ptrdiff_t k, real *scratch) {
    stretch s = sizes_of(d, k);
    s.block = scratch;
    s.weights = scratch + s.width;
    s.z = s.weights + s.width;
    if (k == 1) {
        memset(s.block, 0, (size_t)s.width * sizeof(real));
        widen_weights(&s, W);
    }
    return s;
}

/* Lays out scratch, on cache lines, and packs W. */
static stretch prepare(ptrdiff_t d, const real *W, ptrdiff_t k, real *scratch) {
    stretch s = sizes_of(d, k);
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
    if (k == 1)
        widen_weights(&s, W);
    else
        for (ptrdiff_t p = 0; p < s.panels; p++)
            pack_panel(W, 1, s.depth, s.depth, p * LANES, k, s.weights + p * s.depth * LANES);
    return s;
}

/* A product's `rows` rounded up to whole tiles. */
INLINE ptrdiff_t whole_tiles(ptrdiff_t rows) {
    return (rows + TILE_ROWS - 1) / TILE_ROWS * TILE_ROWS;
}

/* a = a row of A: d standard units, and 1. */
INLINE void standard_row(const real *x, ptrdiff_t d, const real *units, real *a) {
    const real *inverse_scale = units + d;
    ptrdiff_t j = 0;
    for (; j + LANES <= d; j += LANES)
        v_store(a + j, v_mul(v_sub(v_load(x + j), v_load(units + j)), v_load(inverse_scale + j)));
    if (j < d && d >= LANES) {
        j = d - LANES;
        v_store(a + j, v_mul(v_sub(v_load(x + j), v_load(units + j)), v_load(inverse_scale + j)));
    } else
        for (; j < d; j++)
            a[j] = (x[j] - units[j]) * inverse_scale[j];
    a[d] = 1;
}

/* block = A of these rows, and zeros in the rows that a tile may read beyond. */
static void standard_rows(const stretch *s, const real *X, ptrdiff_t rows, const real *units) {
    real *a = s->block;
    for (ptrdiff_t r = 0; r < rows; r++, X += s->d, a += s->width) {
        standard_row(X, s->d, units, a);
        for (ptrdiff_t j = s->depth; j < s->width; j++)
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

/* z[r] = dot(block[r], weights), by LANES partial sums; `count` constant after inlining. */
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

/* Depths of a panel that stay in the nearest cache while all tiles of a stretch pass. */
enum { SCORE_DEPTHS = 256 };

/* What comes after a stretch: products ask memory for it as they go, `pace` bytes at each depth. */
typedef struct {
    uintptr_t address;
    size_t pace;
} coming;

/* z += block W' in the first `regs` registers of panel p, for `rows` rows from r on and the depths
 * from `start` up to `end`. */
INLINE void score_tile(int rows, int regs, const stretch *s, ptrdiff_t p, ptrdiff_t r,
                       ptrdiff_t start, ptrdiff_t end, coming next) {
    const real *a = s->block + r * s->width + start;
    const real *b = s->weights + (p * s->depth + start) * LANES;
    real *z = s->z + (p * (s->capacity + SPARE) + r) * LANES;
    vec sum[TILE_ROWS];
    UNROLL
    for (int i = 0; i < rows; i++)
        sum[i] = v_load(z + i * LANES);
    for (ptrdiff_t j = 0; j < end - start; j++) {
        prefetch(next.address + (uintptr_t)j * next.pace);
        tile_step(rows, regs, a + j, s->width, b + j * LANES, 0, sum);
    }
    UNROLL
    for (int i = 0; i < rows; i++)
        v_store(z + i * LANES, sum[i]);
}

/* A function for each shape, or sums would not stay in registers. */
typedef void score_shape(const stretch *s, ptrdiff_t p, ptrdiff_t r, ptrdiff_t start, ptrdiff_t end,
                         coming next);
#define SCORE_SHAPE(name, rows, regs)                                                              \
    static void name(const stretch *s, ptrdiff_t p, ptrdiff_t r, ptrdiff_t start, ptrdiff_t end,   \
                     coming next) {                                                                \
        score_tile(rows, regs, s, p, r, start, end, next);                                         \
    }
SCORE_SHAPE(score_whole, TILE_ROWS, REGS)
SCORE_SHAPE(score_narrow, TILE_ROWS, HALF)
SCORE_SHAPE(score_less, TILE_ROWS - 1, REGS)
SCORE_SHAPE(score_less_narrow, TILE_ROWS - 1, HALF)
static score_shape *const score_shapes[2][2] = {{score_whole, score_narrow},
                                                {score_less, score_less_narrow}};

/* The scores of rows in panels. Tiles are of TILE_ROWS rows, or where that is enough for all one
 * less. */
static void score_panels(const stretch *s, ptrdiff_t rows, coming next) {
    const ptrdiff_t tiles = whole_tiles(rows) / TILE_ROWS;
    const int is_even = rows / tiles >= TILE_ROWS - 1;
    for (ptrdiff_t p = 0; p < s->panels; p++) {
        const int is_narrow = s->k - p * LANES <= HALF * REG_LANES;
        for (ptrdiff_t start = 0; start < s->depth; start += SCORE_DEPTHS) {
            const ptrdiff_t end = start + SCORE_DEPTHS < s->depth ? start + SCORE_DEPTHS : s->depth;
            for (ptrdiff_t t = 0; t < tiles; t++) {
                const ptrdiff_t r = is_even ? rows * t / tiles : t * TILE_ROWS;
                const int is_less = is_even && rows * (t + 1) / tiles - r < TILE_ROWS;
                score_shapes[is_less][is_narrow](s, p, r, start, end, next);
                next.address += (uintptr_t)(end - start) * next.pace;
            }
        }
    }
}

/* z = block W' of these rows, the next of which lie at `next`; for k = 1 zeros follow, to fill a
 * vector. */
static void score(const stretch *s, ptrdiff_t rows, const real *next) {
    if (s->k == 1) {
        ptrdiff_t r = 0;
        for (; r + 4 <= rows; r += 4)
            dot_rows(4, s, r);
        for (; r < rows; r++)
            dot_rows(1, s, r);
        memset(s->z + rows, 0, LANES * sizeof(real));
        return;
    }
    memset(s->z, 0, (size_t)(s->panels * (s->capacity + SPARE) * LANES) * sizeof(real));
    const size_t steps = (size_t)(s->panels * (whole_tiles(rows) / TILE_ROWS) * s->depth);
    const size_t bytes = (size_t)(rows * s->d) * sizeof(real);
    score_panels(s, rows, (coming){(uintptr_t)next, (bytes + steps - 1) / steps});
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

#endif
