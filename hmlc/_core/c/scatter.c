/* Means and centred cross-products of columns: what least squares and a Gaussian need of rows.
 *
 * The state of a sum over rows z of weight w, of m columns, is about an origin: count = sum of w,
 * sums = sum of w (z - origin), S = sum of w (z - origin)(z - origin)^T, of which only the lower
 * triangle is kept (what lies above the diagonal near there is not clean). About its mean, S is
 * less by sums sums^T / count.
 */
#include "deviations.h"
#include "row_weights.h"

#include "scatter.h"

/* A tile is at most ROWS rows of S, which lie in one panel, by PANELS panels: as many sums as the
 * registers hold, for a broadcast then feeds several products. */
enum {
    ROWS = TILE_ROWS,
    PANELS = REGS == 1 ? 3 : 1,
    WIDEST = PANELS * REGS, /* registers of a row */
    LEFT_PANELS = 15,       /* of S, whose rows are taken together: whole tiles */
    /* Where a panel meets the diagonal, rows that reach one register only. */
    FIRST_ROWS = REGS > 1 && REG_LANES > ROWS ? REG_LANES : ROWS,
};

/* The origin is moved to the mean whenever rows weigh so many times what those did that it was the
 * mean of, or to a block's mean where that outweighs all before. So the squares about it exceed
 * those about the mean by about that factor at most, for the rows that it was the mean of are
 * themselves as far from the mean. */
enum { GROWTH = 8 };

/* The largest tile of any instruction set. */
enum { MOST_ROWS = 8, MOST_PANELS = 3, MOST_REGS = 4 };

/* The block's mean as its origin: summed about its first row of any weight, so it is exact for a
 * constant column. */
static void mean_of_block(const block *b, const real *weights, double weight) {
    const ptrdiff_t first = first_weighty(weights, b->step);
    const real *x = b->X + first * b->d, *y = b->Y + first * b->t;
    for (ptrdiff_t j = 0; j < b->stop; j++)
        b->origin[j] = j < b->d ? x[j] : y[j - b->d];
    pack(b);
    for (ptrdiff_t j = 0; j < b->stop; j++)
        b->origin[j] = (real)((double)b->origin[j] + (double)b->sums[j] / weight);
}

/* The next block, which a tile asks memory for a part of at each row: so the products hide the
 * wait for the rows. */
typedef struct {
    uintptr_t address;
    ptrdiff_t stride;
} fetch;

/* acc[r][g] += sum over the block's rows of column left[r] times panel g of `right`, in the first
 * `regs` registers of the panels. */
INLINE void tile_products(int rows, int regs, const real *const left[], const real *right,
                          ptrdiff_t depth, fetch next, vec acc[MOST_ROWS][MOST_PANELS]) {
    for (ptrdiff_t p = 0; p < depth; p++) {
        prefetch(next.address + (uintptr_t)(p * next.stride));
        vec b[MOST_PANELS];
        UNROLL
        for (int g = 0; g < panels_in(regs); g++)
            b[g] = v_load(right + g * PANEL + p * LANES);
        UNROLL
        for (int r = 0; r < rows; r++) {
            const vec a = v_set(left[r][p * LANES]);
            UNROLL
            for (int g = 0; g < panels_in(regs); g++)
                acc[r][g] = v_fma_first(regs - g * REGS, a, b[g], acc[r][g]);
        }
    }
}

/* The products of a strip wait for the block's next. */
INLINE void hold_tile(int rows, int panels, const block *b, ptrdiff_t i, ptrdiff_t c,
                      vec acc[MOST_ROWS][MOST_PANELS]) {
    UNROLL
    for (int r = 0; r < rows; r++) {
        UNROLL
        for (int g = 0; g < panels; g++)
            v_store(held_at(b, i + r, c + g * LANES), acc[r][g]);
    }
}

/* S[r][l] += (double)acc[r] lane l, of the lanes that `regs` registers and `columns` hold. */
INLINE void widen_tile(int rows, int regs, ptrdiff_t columns, ptrdiff_t m,
                       vec acc[MOST_ROWS][MOST_PANELS], double *S) {
    UNROLL
    for (int r = 0; r < rows; r++) {
        double *row = S + r * m;
        UNROLL
        for (int g = 0; g < panels_in(regs); g++) {
            if (columns >= regs * REG_LANES)
                v_add_to(row + g * LANES, regs - g * REGS, acc[r][g]);
            else
                v_add_part_to(row + g * LANES, columns - g * LANES, acc[r][g]);
        }
    }
}

/* S's rows [i, i + rows) and as many columns from c on as `regs` registers hold. */
INLINE void add_tile(int rows, int regs, const block *b, ptrdiff_t i, ptrdiff_t c, fetch next,
                     double *S) {
    const int panels = panels_in(regs);
    vec acc[MOST_ROWS][MOST_PANELS];
    const real *left[MOST_ROWS];
    UNROLL
    for (int r = 0; r < rows; r++) {
        left[r] = panel_at(b, i + r) + (size_t)(i + r) % LANES;
        UNROLL
        for (int g = 0; g < panels; g++)
            acc[r][g] = b->before ? v_load(held_at(b, i + r, c + g * LANES)) : v_set(0);
    }
    const ptrdiff_t m = b->d + b->t;
    /* The last of each 8: where they straddle lines, the tile to their left has had the first. */
    for (int r = 0; r < rows; r++)
        for (int g = 0; g < regs * REG_LANES; g += 8)
            prefetch((uintptr_t)(S + (i + r) * m + c + g + 7));
    tile_products(rows, regs, left, panel_at(b, c), b->rows, next, acc);
    if (b->after)
        hold_tile(rows, panels, b, i, c, acc);
    else
        widen_tile(rows, regs, b->stop - c, m, acc, S + i * m + c);
}

/* One function for each shape of tile, so that its sums stay in registers. */
typedef void tile(const block *b, ptrdiff_t i, ptrdiff_t c, fetch next, double *S);
#define TILE(rows, regs)                                                                           \
    static void tile_##rows##_##regs(const block *b, ptrdiff_t i, ptrdiff_t c, fetch next,         \
                                     double *S) {                                                  \
        add_tile(rows, regs, b, i, c, next, S);                                                    \
    }
#define TILES(rows) TILE(rows, 1) TILE(rows, 2) TILE(rows, 3) TILE(rows, 4)
#define SHAPE(rows, regs)                                                                          \
    ((rows) <= ((regs) == 1 ? FIRST_ROWS : ROWS) && (regs) <= WIDEST) ? tile_##rows##_##regs : NULL
#define SHAPES(rows) {SHAPE(rows, 1), SHAPE(rows, 2), SHAPE(rows, 3), SHAPE(rows, 4)},
#define FOR_ROWS(each) each(1) each(2) each(3) each(4) each(5) each(6) each(7) each(8)
FOR_ROWS(TILES)
static tile *const tiles[MOST_ROWS][MOST_REGS] = {FOR_ROWS(SHAPES)};

/* How many of the rows that are left a tile takes: all tiles about as many, for the sums of a short
 * one wait for each other. */
INLINE ptrdiff_t share_of(ptrdiff_t rows) {
    const ptrdiff_t tiles = (rows + ROWS - 1) / ROWS, lacking = tiles * ROWS - rows;
    return tiles == 1 ? rows : ROWS - (lacking >= tiles) - (lacking >= 2 * tiles);
}

/* S's rows [start, stop), of at most LEFT_PANELS panels, down to the diagonal. */
static void add_rows_of(const block *b, ptrdiff_t start, ptrdiff_t stop, fetch *next, double *S) {
    for (ptrdiff_t c = 0; c < stop; c += PANELS * LANES)
        for (ptrdiff_t i = max_of(start, c), rows; i < stop; i += rows) {
            rows = i == c ? min_of(FIRST_ROWS, stop - i) : share_of(stop - i);
            const ptrdiff_t regs = min_of(WIDEST, (i + rows - c + REG_LANES - 1) / REG_LANES);
            tiles[rows - 1][regs - 1](b, i, c, *next, S);
            next->address += (uintptr_t)(next->stride * b->rows);
        }
}

/* How many bytes of each row to come a tile has to ask for. */
static ptrdiff_t pace_of(ptrdiff_t d, ptrdiff_t start, ptrdiff_t stop) {
    ptrdiff_t tiles = 0;
    for (ptrdiff_t c = 0; c < stop; c += PANELS * LANES)
        tiles += (stop - max_of(start, c) + ROWS - 1) / ROWS;
    return (d * (ptrdiff_t)sizeof(real) + tiles - 1) / tiles;
}

/* S's rows [start, stop), down to the diagonal: some of them with all columns before the next, so
 * that their panels stay in L2 while those of the columns go through L1. */
static void add_products(const block *b, ptrdiff_t start, double *S) {
    fetch next = {(uintptr_t)(b->X + b->rows * b->d), b->pace};
    for (ptrdiff_t i = start; i < b->stop; i += LEFT_PANELS * LANES)
        add_rows_of(b, i, min_of(i + LEFT_PANELS * LANES, b->stop), &next, S);
}

/* S's rows [start, stop), down to the diagonal, += weight v v^T. */
static void add_square(double weight, const double *restrict v, ptrdiff_t m, ptrdiff_t start,
                       ptrdiff_t stop, double *restrict S) {
    for (ptrdiff_t i = start; i < stop; i++) {
        const double scaled = weight * v[i];
        double *row = S + i * m;
        ptrdiff_t j = 0;
        for (; j + 8 <= i + 1; j += 8)
            for (int l = 0; l < 8; l++)
                row[j + l] += scaled * v[j + l];
        for (; j <= i; j++)
            row[j] += scaled * v[j];
    }
}

/* The mean, as near as `real` comes to it. */
static void mean_of_state(double count, const double *origin, const double *sums, ptrdiff_t stop,
                          real *mean) {
    for (ptrdiff_t j = 0; j < stop; j++)
        mean[j] = (real)(origin[j] + sums[j] / count);
}

/* Makes sums and S about `origin` those about `to`. */
static void move_origin(const real *to, double count, ptrdiff_t m, ptrdiff_t start, ptrdiff_t stop,
                        const double *origin, double *sums, double *S) {
    add_square(-1 / count, sums, m, start, stop, S);
    for (ptrdiff_t j = 0; j < stop; j++)
        sums[j] = count * (origin[j] + sums[j] / count - (double)to[j]);
    add_square(1 / count, sums, m, start, stop, S);
}

/* Sets the block's origin: the state's, which is moved first where that is due. */
static void settle_origin(const block *b, const real *weights, double weight, ptrdiff_t start,
                          double *count, double *origin, double *sums, double *S) {
    const int outweighs = weight > GROWTH * count[0];
    if (!outweighs && count[0] < count[1]) {
        for (ptrdiff_t j = 0; j < b->stop; j++)
            b->origin[j] = (real)origin[j];
        return;
    }
    if (outweighs)
        mean_of_block(b, weights, weight);
    else
        mean_of_state(count[0], origin, sums, b->stop, b->origin);
    count[1] = GROWTH * (outweighs ? weight : count[0]);
    if (count[0] > 0)
        move_origin(b->origin, count[0], b->d + b->t, start, b->stop, origin, sums, S);
    for (ptrdiff_t j = 0; j < b->stop; j++)
        origin[j] = (double)b->origin[j];
}

/* The square roots of a block's weights, of which there is one where step is 0. */
static void roots_of(const real *weights, ptrdiff_t step, ptrdiff_t rows, real *roots) {
    for (ptrdiff_t r = 0; r < (step == 0 ? 1 : rows); r++)
        roots[r] = HMLC_REAL_BITS == 32 ? (real)sqrtf((float)weights[r]) : (real)sqrt(weights[r]);
}

static block strip_of(const block *whole, ptrdiff_t before, ptrdiff_t rows) {
    block b = *whole;
    b.X += before * b.d;
    b.Y += before * b.t;
    b.roots += before * b.step;
    b.rows = rows;
    b.before = before;
    b.after = whole->rows - before - rows;
    return b;
}

/* Adds a strip's deviations and their products. */
static void add_strip(block b, ptrdiff_t start, double *sums, double *S) {
    pack(&b);
    for (ptrdiff_t j = 0; j < b.stop; j++)
        sums[j] += (double)b.sums[j];
    add_products(&b, start, S);
}

/* Adds n rows of the columns [X | Y] to the state (count, origin, sums, S).
 *   X n x d; Y n x t, or t = 0; m = d + t; weights n, step 1, or one weight for all, step 0; count
 *   2: the sum of weights, and the one from which on the origin is to be moved; origin, sums m;
 *   S m x m; scratch (HMLC_BLOCK_ROWS + 3) * (m rounded up to LANES) + HMLC_BLOCK_ROWS + LANES.
 * Of S only the rows [start, stop) are added to, of origin and sums the elements [0, stop).
 * `start` is a multiple of LANES. The first origin is the mean of the first HMLC_BLOCK_ROWS rows.
 * Within a block of so many each product is summed in order of rows, by FMA; blocks are summed in
 * float64. Rows of weight 0 are as if absent, but for what is no number. Nothing cancels when means
 * are far from 0; the products of a constant column are exactly 0. Chan, Golub and LeVeque,
 * Algorithms for computing the sample variance (1983), eq. 1.6. */
static void update(const real *X, const real *Y, ptrdiff_t n, ptrdiff_t d, ptrdiff_t t,
                   const real *weights, ptrdiff_t step, double *count, double *origin, double *sums,
                   double *S, ptrdiff_t start, ptrdiff_t stop, real *scratch) {
    const ptrdiff_t m = d + t, width = panels_of(m) * LANES;
    /* A vector that straddles lines of the cache is loaded as two. */
    scratch += (64 - (uintptr_t)scratch % 64) % 64 / sizeof(real);
    real *roots = scratch + (HMLC_BLOCK_ROWS + 3) * width;
    /* Lanes past the last column, of panels that are not X's alone. */
    memset(scratch, 0, (size_t)width * sizeof(real));
    memset(scratch + 2 * width + d / LANES * PANEL, 0,
           (size_t)((panels_of(m) - d / LANES) * PANEL) * sizeof(real));
    const ptrdiff_t pace = pace_of(d, start, stop), panels = panels_of(m);
    const ptrdiff_t strip = panels == 1 || panels > STRIPPED ? HMLC_BLOCK_ROWS : STRIP_ROWS;
    for (ptrdiff_t first = 0; first < n; first += HMLC_BLOCK_ROWS) {
        const ptrdiff_t rows = min_of(n - first, HMLC_BLOCK_ROWS);
        const block b = {
            X + first * d,   Y + first * t,       rows, d, t, stop, roots, step, scratch,
            scratch + width, scratch + 2 * width, pace, 0, 0};
        const real *w = weights + first * step;
        const double weight = total_weight(w, step, rows);
        if (weight == 0)
            continue;
        roots_of(w, step, rows, roots);
        settle_origin(&b, w, weight, start, count, origin, sums, S);
        for (ptrdiff_t before = 0; before < rows; before += strip)
            add_strip(strip_of(&b, before, min_of(strip, rows - before)), start, sums, S);
        *count += weight;
    }
}

/* Adds the state (more, more_origin, more_sums, T) of later rows, and moves the origin to the mean.
 *   S, T m x m; origin, sums, more_origin, more_sums m; scratch 2 * m; count, more > 0.
 * Chan, Golub and LeVeque (1979), eq. 2.1, in float64. */
static void merge(double *S, const double *T, ptrdiff_t m, double *count, double *origin,
                  double *sums, double more, const double *more_origin, const double *more_sums,
                  double *scratch) {
    const double before = *count, after = before + more;
    double *change = scratch, *mean = scratch + m;
    for (ptrdiff_t j = 0; j < m; j++) {
        mean[j] = origin[j] + sums[j] / before;
        change[j] = more_origin[j] + more_sums[j] / more - mean[j];
    }
    add_square(-1 / before, sums, m, 0, m, S);
    for (ptrdiff_t i = 0; i < m; i++)
        for (ptrdiff_t j = 0; j <= i; j++)
            S[i * m + j] += T[i * m + j];
    add_square(-1 / more, more_sums, m, 0, m, S);
    add_square(before / after * more, change, m, 0, m, S);
    for (ptrdiff_t j = 0; j < m; j++) {
        origin[j] = mean[j] + change[j] * (more / after);
        sums[j] = 0;
    }
    *count = after;
}

/* Moves the origin to the mean, and mirrors S's lower triangle into the upper.
 *   S m x m; origin, sums m; count > 0. */
static void centre(double *S, ptrdiff_t m, double count, double *origin, double *sums) {
    enum { SQUARE = 16 };
    add_square(-1 / count, sums, m, 0, m, S);
    for (ptrdiff_t j = 0; j < m; j++) {
        origin[j] += sums[j] / count;
        sums[j] = 0;
    }
    for (ptrdiff_t first = 0; first < m; first += SQUARE)
        for (ptrdiff_t i = first; i < m; i++)
            for (ptrdiff_t j = first; j < min_of(first + SQUARE, i); j++)
                S[j * m + i] = S[i * m + j];
}

HMLC_TABLE(scatter, SCATTER_KERNELS)
