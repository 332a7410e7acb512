/* Means and centred cross-products of columns: what least squares and a Gaussian need of rows.
 *
 * The state of a sum over `count` rows z of m columns is about an origin: sums = sum of z - origin,
 * S = sum of (z - origin)(z - origin)^T, of which only the lower triangle is kept (what lies above
 * the diagonal near there is not clean). About its mean, S is less by sums sums^T / count.
 */
#include "tile.h"

#include "scatter.h"

/* A tile is at most ROWS rows of S, which lie in one panel, by PANELS panels: as many sums as the
 * registers hold, for a broadcast then feeds several products. */
enum {
    ROWS = LANES % TILE_ROWS && LANES < 16 ? 4 : TILE_ROWS,
    PANELS = REGS == 1 ? 3 : 1,
};

/* The origin is moved to the mean whenever there are so many times the rows that it was the mean
 * of. Until then the squares about it exceed those about the mean by at most that factor, for the
 * rows that it was the mean of are themselves as far from the mean. */
enum { GROWTH = 8 };

/* The largest tile of any instruction set. */
enum { MOST_ROWS = 8, MOST_PANELS = 3 };

/* A block of rows of the joined columns [X | Y], less the origin and packed: column j of row p is
 * lane j % LANES of vector p of panel j / LANES; the lanes past the last column are 0. */
typedef struct {
    const real *X, *Y;
    ptrdiff_t rows, d, t;
    ptrdiff_t stop; /* columns that are wanted */
    real *origin, *sums, *panels;
} block;

/* A vector more than the rows, or all panels would compete for the same lines of the cache. */
enum { PANEL = (HMLC_BLOCK_ROWS + 1) * LANES };

INLINE ptrdiff_t min_of(ptrdiff_t a, ptrdiff_t b) {
    return a < b ? a : b;
}

INLINE ptrdiff_t max_of(ptrdiff_t a, ptrdiff_t b) {
    return a > b ? a : b;
}

INLINE real *panel_at(const block *b, ptrdiff_t column) {
    return b->panels + column / LANES * PANEL;
}

/* X's columns [c, c + LANES) less the origin. A row's last vector runs into the next rows, whose
 * lanes are masked; where those are not the block's, only the row's own columns are read. */
static void pack_x(const block *b, ptrdiff_t c) {
    static const real lane_index[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const mask inside = v_less(v_load(lane_index), v_set((real)min_of(b->d - c, LANES)));
    const vec origin = v_load(b->origin + c), zero = v_set(0);
    const ptrdiff_t over = max_of(c + LANES - b->d, 0);
    const ptrdiff_t whole = b->rows - (over + b->d - 1) / b->d;
    const real *x = b->X + c;
    real *panel = panel_at(b, c);
    ptrdiff_t p = 0;
    for (; p < whole; p++, x += b->d, panel += LANES)
        v_store(panel, v_select(inside, v_sub(v_load(x), origin), zero));
    for (; p < b->rows; p++, x += b->d, panel += LANES)
        v_store(panel, v_select(inside, v_sub(v_load_part(x, b->d - c, 0), origin), zero));
}

/* Y's columns less the origin, into the lanes of panel c that X's left. */
static void pack_y(const block *b, ptrdiff_t c) {
    for (ptrdiff_t j = max_of(c, b->d); j < min_of(c + LANES, b->stop); j++) {
        const real *y = b->Y + (j - b->d), origin = b->origin[j];
        real *lane = panel_at(b, c) + j % LANES;
        for (ptrdiff_t p = 0; p < b->rows; p++)
            lane[p * LANES] = y[p * b->t] - origin;
    }
}

/* The sum over rows of each lane of a panel: rows r, r + 4, ... in order, then those in a tree. */
static vec sum_panel(const real *panel, ptrdiff_t rows) {
    vec sum[4] = {v_set(0), v_set(0), v_set(0), v_set(0)};
    ptrdiff_t p = 0;
    for (; p + 4 <= rows; p += 4) {
        sum[0] = v_add(sum[0], v_load(panel + (p + 0) * LANES));
        sum[1] = v_add(sum[1], v_load(panel + (p + 1) * LANES));
        sum[2] = v_add(sum[2], v_load(panel + (p + 2) * LANES));
        sum[3] = v_add(sum[3], v_load(panel + (p + 3) * LANES));
    }
    for (; p < rows; p++)
        sum[0] = v_add(sum[0], v_load(panel + p * LANES));
    return v_add(v_add(sum[0], sum[1]), v_add(sum[2], sum[3]));
}

/* Packs the block's deviations from the origin, and sums them. */
static void pack(const block *b) {
    for (ptrdiff_t c = 0; c < b->stop; c += LANES) {
        if (c < b->d)
            pack_x(b, c);
        else
            memset(panel_at(b, c), 0, (size_t)(b->rows * LANES) * sizeof(real));
        pack_y(b, c);
        v_store(b->sums + c, sum_panel(panel_at(b, c), b->rows));
    }
}

/* The first origin: the block's mean, summed about its first row; exact for a constant column. */
static void first_origin(const block *b, double *origin) {
    for (ptrdiff_t j = 0; j < b->stop; j++)
        b->origin[j] = j < b->d ? b->X[j] : b->Y[j - b->d];
    pack(b);
    for (ptrdiff_t j = 0; j < b->stop; j++)
        origin[j] = (real)((double)b->origin[j] + (double)b->sums[j] / (double)b->rows);
}

/* The next block, which a tile asks memory for a part of at each row: so the products hide the
 * wait for the rows. */
typedef struct {
    uintptr_t address;
    ptrdiff_t stride;
} fetch;

#if defined(__GNUC__)
#define UNROLL _Pragma("GCC unroll 8")
#else
#define UNROLL
#endif

/* acc[r][g] += sum over the block's rows of column r of `left` times panel g of `right`. */
INLINE void tile_products(int rows, int panels, const real *left, const real *right,
                          ptrdiff_t depth, fetch next, vec acc[MOST_ROWS][MOST_PANELS]) {
    for (ptrdiff_t p = 0; p < depth; p++) {
        prefetch(next.address + (uintptr_t)(p * next.stride));
        vec b[MOST_PANELS];
        UNROLL
        for (int g = 0; g < panels; g++)
            b[g] = v_load(right + g * PANEL + p * LANES);
        UNROLL
        for (int r = 0; r < rows; r++) {
            const vec a = v_set(left[p * LANES + r]);
            UNROLL
            for (int g = 0; g < panels; g++)
                acc[r][g] = v_fma(a, b[g], acc[r][g]);
        }
    }
}

/* sums[l] += (double)values[l], l < count: of constant count a vector at a time. */
INLINE void widen(const real *restrict values, ptrdiff_t count, double *restrict sums) {
    for (ptrdiff_t l = 0; l < count; l++)
        sums[l] += (double)values[l];
}

/* S's rows [i, i + rows) and the columns of `panels` panels from c on. */
INLINE void add_tile(int rows, int panels, const block *b, ptrdiff_t i, ptrdiff_t c, fetch next,
                     double *S) {
    vec acc[MOST_ROWS][MOST_PANELS];
    UNROLL
    for (int r = 0; r < rows; r++) {
        UNROLL
        for (int g = 0; g < panels; g++)
            acc[r][g] = v_set(0);
    }
    tile_products(rows, panels, panel_at(b, i) + i % LANES, panel_at(b, c), b->rows, next, acc);
    real products[MOST_ROWS][MOST_PANELS][LANES];
    UNROLL
    for (int r = 0; r < rows; r++) {
        UNROLL
        for (int g = 0; g < panels; g++)
            v_store(products[r][g], acc[r][g]);
    }
    for (int r = 0; r < rows; r++)
        for (int g = 0; g < panels; g++) {
            const ptrdiff_t column = c + g * LANES, width = b->stop - column;
            double *row = S + (i + r) * (b->d + b->t) + column;
            if (width >= LANES)
                widen(products[r][g], LANES, row);
            else
                widen(products[r][g], width, row);
        }
}

/* One function for each shape of tile, so that its sums stay in registers. */
typedef void tile(const block *b, ptrdiff_t i, ptrdiff_t c, fetch next, double *S);
#define TILE(rows, panels)                                                                         \
    static void tile_##rows##_##panels(const block *b, ptrdiff_t i, ptrdiff_t c, fetch next,       \
                                       double *S) {                                                \
        add_tile(rows, panels, b, i, c, next, S);                                                  \
    }
#define TILES(rows) TILE(rows, 1) TILE(rows, 2) TILE(rows, 3)
#define SHAPE(rows, panels) ((rows) <= ROWS && (panels) <= PANELS) ? tile_##rows##_##panels : NULL
#define SHAPES(rows) {SHAPE(rows, 1), SHAPE(rows, 2), SHAPE(rows, 3)},
#define FOR_ROWS(each) each(1) each(2) each(3) each(4) each(5) each(6) each(7) each(8)
FOR_ROWS(TILES)
static tile *const tiles[MOST_ROWS][MOST_PANELS] = {FOR_ROWS(SHAPES)};

/* S's rows [start, stop), down to the diagonal. */
static void add_products(const block *b, ptrdiff_t start, double *S) {
    ptrdiff_t count = 0;
    for (ptrdiff_t c = 0; c < b->stop; c += PANELS * LANES)
        count += (b->stop - max_of(start, c) + ROWS - 1) / ROWS;
    const ptrdiff_t bytes = b->rows * b->d * (ptrdiff_t)sizeof(real);
    fetch next = {(uintptr_t)(b->X + b->rows * b->d), (bytes / count + b->rows - 1) / b->rows};
    for (ptrdiff_t c = 0; c < b->stop; c += PANELS * LANES)
        for (ptrdiff_t i = max_of(start, c), rows; i < b->stop; i += rows) {
            rows = min_of(min_of(ROWS, LANES - i % LANES), b->stop - i);
            const ptrdiff_t panels = min_of(PANELS, panels_of(i + rows) - c / LANES);
            tiles[rows - 1][panels - 1](b, i, c, next, S);
            next.address += (uintptr_t)(next.stride * b->rows);
        }
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

/* Moves the origin to the mean, as near as `real` comes to it. */
static void move_origin(double count, ptrdiff_t m, ptrdiff_t start, ptrdiff_t stop, double *origin,
                        double *sums, double *S) {
    add_square(-1 / count, sums, m, start, stop, S);
    for (ptrdiff_t j = 0; j < stop; j++) {
        const double mean = origin[j] + sums[j] / count;
        origin[j] = (real)mean;
        sums[j] = count * (mean - origin[j]);
    }
    add_square(1 / count, sums, m, start, stop, S);
}

/* Whether so many rows are GROWTH, GROWTH^2, ... blocks. */
static int is_due(double rows) {
    double due = GROWTH * HMLC_BLOCK_ROWS;
    while (due < rows)
        due *= GROWTH;
    return due == rows;
}

/* Adds n rows of the columns [X | Y] to the state (count, origin, sums, S).
 *   X n x d; Y n x t, or t = 0; m = d + t; count 1; origin, sums m; S m x m; scratch
 *   (HMLC_BLOCK_ROWS + 3) * (m rounded up to LANES) + LANES.
 * Of S only the rows [start, stop) are added to, of origin and sums the elements [0, stop).
 * `start` is a multiple of LANES. With count 0 the origin is chosen: the mean of the first
 * HMLC_BLOCK_ROWS rows. Within a block of so many each product is summed in order of rows, by FMA;
 * blocks are summed in float64. Nothing cancels when means are far from 0; the products of a
 * constant column are exactly 0. Chan, Golub and LeVeque, Algorithms for computing the sample
 * variance (1983), eq. 1.6. */
static void update(const real *X, const real *Y, ptrdiff_t n, ptrdiff_t d, ptrdiff_t t,
                   double *count, double *origin, double *sums, double *S, ptrdiff_t start,
                   ptrdiff_t stop, real *scratch) {
    const ptrdiff_t m = d + t, width = panels_of(m) * LANES;
    /* A vector that straddles lines of the cache is loaded as two. */
    scratch += (64 - (uintptr_t)scratch % 64) % 64 / sizeof(real);
    for (ptrdiff_t first = 0; first < n; first += HMLC_BLOCK_ROWS) {
        const ptrdiff_t rows = min_of(n - first, HMLC_BLOCK_ROWS);
        const block b = {X + first * d,   Y + first * t,      rows, d, t, stop, scratch,
                         scratch + width, scratch + 2 * width};
        if (*count == 0)
            first_origin(&b, origin);
        else if (is_due(*count))
            move_origin(*count, m, start, stop, origin, sums, S);
        for (ptrdiff_t j = 0; j < stop; j++)
            b.origin[j] = (real)origin[j];
        pack(&b);
        for (ptrdiff_t j = 0; j < stop; j++)
            sums[j] += (double)b.sums[j];
        add_products(&b, start, S);
        *count += (double)rows;
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
