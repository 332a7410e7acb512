/* The perceptron's answer to a few rows, with the parameters as they lie. */
#ifndef HMLC_PERCEPTRON_FEW_H
#define HMLC_PERCEPTRON_FEW_H

#include "perceptron_inputs.h"

/* How many vectors of a row of W are read at once: the more, the longer are the runs of memory. */
enum { FEW_PANELS = 7, FEW_AHEAD = 8 };

/* acc[i] += A W for depths [p, end), one row A in panels and `count` vectors of columns of W, which
 * lies as in the parameters. What a vector reads past the last column is the next row's, and lands
 * in lanes where nobody looks. */
INLINE void row_tile(int count, const real *A, ptrdiff_t stride, const real *W, ptrdiff_t columns,
                     ptrdiff_t p, ptrdiff_t end, vec acc[]) {
    for (; p < end; p++) {
        const vec a = v_set(A[p / LANES * stride + p % LANES]);
        const real *w = W + p * columns;
        UNROLL
        for (int i = 0; i < count; i++)
            acc[i] = v_fma(a, v_load(w + i * LANES), acc[i]);
        for (int i = 0; i < count; i++)
            prefetch((uintptr_t)(w + FEW_AHEAD * columns + i * LANES));
    }
}

/* row_tile where W ends with its layer, `left` numbers on. */
INLINE void last_row_tile(int count, const real *A, ptrdiff_t stride, const real *W,
                          ptrdiff_t columns, ptrdiff_t p, ptrdiff_t end, ptrdiff_t left,
                          vec acc[]) {
    for (; p < end; p++) {
        const vec a = v_set(A[p / LANES * stride + p % LANES]);
        for (int i = 0; i < count; i++) {
            const ptrdiff_t at = p * columns + i * LANES;
            acc[i] = v_fma(a, v_load_upto(W + at, left - at, 0), acc[i]);
        }
    }
}

/* A layer's values for one row, with the layer's parameters W as they lie, and `count` vectors of
 * columns from `first` on. */
INLINE void forward_columns(int count, const net *v, ptrdiff_t l, const real *W, ptrdiff_t r,
                            ptrdiff_t first) {
    const ptrdiff_t depth = v->size[l], columns = v->size[l + 1];
    const ptrdiff_t activation = l + 1 < v->layers ? v->activation : PERCEPTRON_IDENTITY;
    const ptrdiff_t left = (depth + 1) * columns - first, width = count * LANES;
    /* Rows of W before which no vector reads past the layer's end. */
    const ptrdiff_t whole = left < width ? 0 : least(depth, (left - width) / columns + 1);
    /* A[p / LANES * stride + p % LANES] is number p. */
    const real *A = l == 0 ? v->inputs[r] : values_of(v, l) + r * LANES;
    const ptrdiff_t stride = l == 0 ? LANES : v->stride;
    real *out = values_of(v, l + 1) + first / LANES * v->stride + r * LANES;
    vec acc[FEW_PANELS];
    for (int i = 0; i < count; i++)
        acc[i] =
            v_load_upto(W + first + depth * columns + i * LANES, columns - first - i * LANES, 0);
    row_tile(count, A, stride, W + first, columns, 0, whole, acc);
    last_row_tile(count, A, stride, W + first, columns, whole, depth, left, acc);
    for (int i = 0; i < count; i++)
        v_store(out + i * v->stride, activate(activation, acc[i]));
}

/* forward_rows for a few rows, with the parameters as they lie: to bring them into panels would
 * cost more. */
static void forward_few(const net *v, const batch *b, const real *parameters, ptrdiff_t rows) {
    read_rows(v, b, 0, rows, 0);
    for (ptrdiff_t l = 0; l < v->layers; l++) {
        const ptrdiff_t vectors = panels_of(v->size[l + 1]),
                        tiles = (vectors + FEW_PANELS - 1) / FEW_PANELS;
        for (ptrdiff_t t = 0; t < tiles; t++) {
            const ptrdiff_t first = vectors * t / tiles * LANES;
            const ptrdiff_t count = vectors * (t + 1) / tiles - first / LANES;
            for (ptrdiff_t r = 0; r < rows; r++)
                switch (count) {
                case 1:
                    forward_columns(1, v, l, parameters, r, first);
                    break;
                case 2:
                    forward_columns(2, v, l, parameters, r, first);
                    break;
                case 3:
                    forward_columns(3, v, l, parameters, r, first);
                    break;
                case 4:
                    forward_columns(4, v, l, parameters, r, first);
                    break;
                case 5:
                    forward_columns(5, v, l, parameters, r, first);
                    break;
                case 6:
                    forward_columns(6, v, l, parameters, r, first);
                    break;
                case 7:
                    forward_columns(7, v, l, parameters, r, first);
                    break;
                }
        }
        parameters += (v->size[l] + 1) * v->size[l + 1];
    }
}

#endif
