from hmlc._core._types cimport real

cdef bint is_finite(const real *x, Py_ssize_t n) noexcept nogil
