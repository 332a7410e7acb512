/* Means and centred cross-products of columns: what least squares and a Gaussian need of rows. */
#include "tile.h"

#include "scatter.h"

/* A tile is ROWS rows, which lie in one panel, by PANELS panels: two, where the registers hold
 * them, for then a broadcast feeds two products. */
enum { ROWS = LANES % TILE_ROWS ? 4 : TILE_ROWS, PANELS = REGS == 1 ? 2 : 1 };

/* A block of rows of the joined columns [X | Y], centred and packed: column j of row p is lane
 * j % LANES of vector p of panel j / LANES; the lanes past the last column are 0. */
typedef struct {
    const real *X, *Y;
    ptrdiff_t rows, d, t;
    ptrdiff_t stop; /* columns that are wanted */
    real *shift, *sums, *panels;
} block;

/* A vector more than the rows, or all panels would compete for the same lines of the cache. */
enum { PANEL = (HMLC_BLOCK_ROWS + 1) * LANES };

INLINE ptrdiff_t min_of(ptrdiff_t a, ptrdiff_t b) {
    return a < b ? a : b;
}

INLINE real *panel_at(const block *b, ptrdiff_t column) {
    return b->panels + column / LANES * PANEL;
}

/* Rows that are read side by side, along all their columns: as memory likes it. */
enum { STREAMS = 8 };

/* X's columns [c, c + LANES) less the shift, rows [first, last). A row's last vector may run into
 * the next row, whose lanes are masked; past the end of X nothing is read. */
INLINE void centre_x(const block *b, ptrdiff_t c, ptrdiff_t first, ptrdiff_t last) {
    static const real lane_index[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const mask inside = v_less(v_load(lane_index), v_set((real)min_of(b->d - c, LANES)));
    const vec shift = v_load(b->shift + c);
    const real *x = b->X + first * b->d + c;
    real *panel = panel_at(b, c);
    for (ptrdiff_t p = first; p < last; p++, x += b->d) {
        const ptrdiff_t left = (b->rows - p) * b->d - c;
        const vec values = left >= LANES ? v_load(x) : v_load_part(x, left, 0);
        v_store(panel + p * LANES, v_select(inside, v_sub(values, shift), v_set(0)));
    }
}

/* Y's columns less the shift, into the lanes that X's left. */
static void centre_y(const block *b) {
    for (ptrdiff_t c = panels_of(b->d) * LANES; c < b->stop; c += LANES)
        memset(panel_at(b, c), 0, (size_t)(b->rows * LANES) * sizeof(real));
    for (ptrdiff_t j = b->d; j < b->stop; j++) {
        real *lane = panel_at(b, j) + j % LANES;
        for (ptrdiff_t p = 0; p < b->rows; p++)
            lane[p * LANES] = b->Y[p * b->t + j - b->d] - b->shift[j];
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

/* Packs the block's deviations from its shift, and sums them. */
static void centre(const block *b) {
    for (ptrdiff_t first = 0; first < b->rows; first += STREAMS)
        for (ptrdiff_t c = 0; c < min_of(b->d, b->stop); c += LANES)
            centre_x(b, c, first, min_of(first + STREAMS, b->rows));
    centre_y(b);
    for (ptrdiff_t c = 0; c < b->stop; c += LANES)
        v_store(b->sums + c, sum_panel(panel_at(b, c), b->rows));
}

/* The first block's shift: its first row, then its mean. */
static void first_mean(const block *b, double *mean) {
    for (ptrdiff_t j = 0; j < b->stop; j++)
        b->shift[j] = j < b->d ? b->X[j] : b->Y[j - b->d];
    centre(b);
    for (ptrdiff_t j = 0; j < b->stop; j++)
        mean[j] = (double)b->shift[j] + (double)b->sums[j] / (double)b->rows;
}

/* Chan's rule for one element of S: the block's products about its shift become products about
 * its mean, which lies `inner` from the shift and `outer` from the mean so far. */
typedef struct {
    const double *inner, *outer;
    double inner_weight, outer_weight;
} join;

INLINE void join_row(const real *products, ptrdiff_t width, const join *w, ptrdiff_t i, ptrdiff_t c,
                     double *restrict S) {
    const double *restrict inner = w->inner + c, *restrict outer = w->outer + c;
    const double inner_i = w->inner[i] * w->inner_weight, outer_i = w->outer[i] * w->outer_weight;
    for (ptrdiff_t l = 0; l < width; l++)
        S[l] += (double)products[l] + (outer_i * outer[l] - inner_i * inner[l]);
}

/* The next block, which a tile asks memory for a part of at each row: so the products hide the
 * wait for the rows. */
typedef struct {
    uintptr_t address;
    ptrdiff_t stride;
} fetch;

/* acc[r][g] += sum over the block's rows of column r of `left` times panel g of `right`. */
INLINE void tile_products(int panels, const real *left, const real *right, ptrdiff_t rows,
                          fetch next, vec acc[ROWS][PANELS]) {
    for (ptrdiff_t p = 0; p < rows; p++) {
        prefetch(next.address + (uintptr_t)(p * next.stride));
        vec b[PANELS];
        for (int g = 0; g < panels; g++)
            b[g] = v_load(right + g * PANEL + p * LANES);
#if defined(__GNUC__)
#pragma GCC unroll 8
#endif
        for (int r = 0; r < ROWS; r++) {
            const vec a = v_set(left[p * LANES + r]);
            for (int g = 0; g < panels; g++)
                acc[r][g] = v_fma(a, b[g], acc[r][g]);
        }
    }
}

/* S's rows [i, i + ROWS) and the columns of `panels` panels from c on. */
INLINE void add_tile(int panels, const block *b, const join *w, ptrdiff_t i, ptrdiff_t c,
                     fetch next, double *S) {
    const ptrdiff_t m = b->d + b->t;
    vec acc[ROWS][PANELS];
    for (int r = 0; r < ROWS; r++)
        for (int g = 0; g < panels; g++)
            acc[r][g] = v_set(0);
    tile_products(panels, panel_at(b, i) + i % LANES, panel_at(b, c), b->rows, next, acc);
    for (int r = 0; r < ROWS && i + r < m; r++)
        for (int g = 0; g < panels; g++) {
            const ptrdiff_t column = c + g * LANES;
            real products[LANES];
            v_store(products, acc[r][g]);
            if (column + LANES <= b->stop)
                join_row(products, LANES, w, i + r, column, S + (i + r) * m + column);
            else
                join_row(products, b->stop - column, w, i + r, column, S + (i + r) * m + column);
        }
}

static void add_products(const block *b, const join *w, ptrdiff_t start, double *S) {
    ptrdiff_t tiles = 0;
    for (ptrdiff_t c = start; c < b->stop; c += PANELS * LANES)
        tiles += (min_of(c + PANELS * LANES, b->stop) + ROWS - 1) / ROWS;
    const ptrdiff_t bytes = b->rows * b->d * (ptrdiff_t)sizeof(real);
    fetch next = {(uintptr_t)(b->X + b->rows * b->d), (bytes / tiles + b->rows - 1) / b->rows};
    for (ptrdiff_t c = start; c < b->stop; c += PANELS * LANES) {
        const ptrdiff_t end = min_of(c + PANELS * LANES, b->stop);
        for (ptrdiff_t i = 0; i < end; i += ROWS) {
            if (b->stop - c > LANES)
                add_tile(PANELS, b, w, i, c, next, S);
            else
                add_tile(1, b, w, i, c, next, S);
            next.address += (uintptr_t)(next.stride * b->rows);
        }
    }
}

/* Adds n rows to the count, the means and the centred cross-products S of the columns [X | Y].
 *   X n x d; Y n x t, or t = 0; m = d + t; count 1; mean m; S m x m; scratch
 *   (HMLC_BLOCK_ROWS + 3) * (m rounded up to LANES); change 2 * m.
 * Of S only the columns [start, stop) are added to, down to the diagonal (what lies below it near
 * there is not kept clean), and of mean the elements [0, stop). `start` is a multiple of LANES.
 * Blocks of HMLC_BLOCK_ROWS are centred at the mean so far (the first: at its own), and joined by
 * Chan, Golub and LeVeque's rule (1979, eq. 2.1), in float64. Within a block each product is
 * summed in order of rows, by FMA. Nothing cancels when means are far from 0; the products of a
 * constant column are exactly 0. */
static void update(const real *X, const real *Y, ptrdiff_t n, ptrdiff_t d, ptrdiff_t t,
                   double *count, double *mean, double *S, ptrdiff_t start, ptrdiff_t stop,
                   real *scratch, double *change) {
    const ptrdiff_t width = panels_of(d + t) * LANES;
    double *inner = change, *outer = change + d + t;
    for (ptrdiff_t first = 0; first < n; first += HMLC_BLOCK_ROWS) {
        const ptrdiff_t rows = min_of(n - first, HMLC_BLOCK_ROWS);
        const block b = {X + first * d,   Y + first * t,      rows, d, t, stop, scratch,
                         scratch + width, scratch + 2 * width};
        const double before = *count, after = before + (double)rows;
        const join w = {inner, outer, (double)rows, before * (double)rows / after};
        if (before == 0)
            first_mean(&b, mean);
        for (ptrdiff_t j = 0; j < stop; j++)
            b.shift[j] = (real)mean[j];
        centre(&b);
        for (ptrdiff_t j = 0; j < stop; j++) {
            inner[j] = (double)b.sums[j] / (double)rows;
            outer[j] = (double)b.shift[j] + inner[j] - mean[j];
            mean[j] += outer[j] * ((double)rows / after);
        }
        add_products(&b, &w, start, S);
        *count = after;
    }
}

HMLC_TABLE(scatter, SCATTER_KERNELS)
