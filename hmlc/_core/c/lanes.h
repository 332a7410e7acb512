/* Rows laid across the lanes: LANES of them, a column in each vector. */
#ifndef HMLC_LANES_H
#define HMLC_LANES_H

#include "simd.h"

/* to[c * LANES + r] = from[r * row + c] for c < columns; of LANES rows, those past `rows` are 0. */
static inline void transpose(const real *from, ptrdiff_t row, ptrdiff_t rows, ptrdiff_t columns,
                             real *to) {
    if (rows < LANES || columns < QUAD) {
        for (ptrdiff_t c = 0; c < columns; c++)
            for (ptrdiff_t r = 0; r < LANES; r++)
                to[c * LANES + r] = r < rows ? from[r * row + c] : 0;
        return;
    }
    for (ptrdiff_t next = 0; next < columns; next += QUAD) {
        /* The last columns may overlap those before. */
        const ptrdiff_t c = next + QUAD <= columns ? next : columns - QUAD;
        vec quad[QUAD];
        v_transpose(from + c, row, quad);
        UNROLL for (ptrdiff_t q = 0; q < QUAD; q++) {
            v_store(to + (c + q) * LANES, quad[q]);
        }
    }
}

#endif
