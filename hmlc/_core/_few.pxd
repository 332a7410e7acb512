"""What a family needs to answer a few rows in one call.

A typed memoryview costs more than a row's answer does; a plain array gives its address in 30 ns.
"""

from cpython.buffer cimport (
    PyBUF_FORMAT,
    PyBUF_ND,
    PyBUF_SIMPLE,
    PyBUF_WRITABLE,
    PyBuffer_Release,
    PyObject_GetBuffer,
)

from hmlc._core._types cimport real

cdef extern from "dispatch.h":
    enum: HMLC_FEW_ROWS

cdef struct plain:
    const void *data  # NULL where it is not what was wanted
    char type         # b"f" or b"d"
    int dimensions
    Py_ssize_t rows, columns  # a vector is one row


cdef inline plain as_plain(object values) noexcept:
    """Return where values' numbers are, if it is a C-contiguous array of native floats.

    They stay there as long as the array is referred to, for NumPy resizes none that is.
    """
    cdef plain answer = plain(NULL, 0, 0, 0, 0)
    cdef Py_buffer view
    try:
        PyObject_GetBuffer(values, &view, PyBUF_FORMAT | PyBUF_ND)
    except Exception:
        return answer
    cdef bint is_real = (view.format != NULL and view.format[1] == 0
                         and (view.format[0] == b"f" or view.format[0] == b"d"))
    if is_real and view.ndim <= 2 and view.len > 0 and <size_t>view.buf % view.itemsize == 0:
        answer.data = view.buf
        answer.type = view.format[0]
        answer.dimensions = view.ndim
        answer.rows = view.shape[0] if view.ndim == 2 else 1
        answer.columns = view.shape[view.ndim - 1] if view.ndim > 0 else 1
    PyBuffer_Release(&view)
    return answer


cdef inline void *address_of(object array) except NULL:
    """Return where an array's values are that a family itself made, and knows the type of."""
    cdef Py_buffer view
    PyObject_GetBuffer(array, &view, PyBUF_SIMPLE)
    PyBuffer_Release(&view)
    return view.buf


cdef inline Py_ssize_t *places_for(object array, Py_ssize_t n) except? NULL:
    """Return where n indices may be written; NULL if it is no C-contiguous np.intp of length n."""
    cdef Py_buffer view
    PyObject_GetBuffer(array, &view, PyBUF_FORMAT | PyBUF_ND | PyBUF_WRITABLE)
    cdef bint is_it = (view.ndim == 1 and view.shape[0] == n
                       and view.itemsize == sizeof(Py_ssize_t) and view.format[1] == 0
                       and (view.format[0] == b"l" or view.format[0] == b"q"
                            or view.format[0] == b"i"))
    PyBuffer_Release(&view)
    return <Py_ssize_t *>view.buf if is_it else NULL


cdef inline plain few_rows(object X, Py_ssize_t columns) noexcept:
    """Return where X's numbers are, if it is a plain matrix of few rows of so many columns."""
    cdef plain x = as_plain(X)
    if x.data != NULL and (x.dimensions != 2 or x.rows > HMLC_FEW_ROWS or x.columns != columns):
        x.data = NULL
    return x


cdef inline const real *in_type(plain values, real *room) noexcept nogil:
    """Return values' numbers as they are, or of the other float type converted into `room`."""
    cdef Py_ssize_t i, n = values.rows * values.columns
    if (values.type == b"f") == (sizeof(real) == sizeof(float)):
        return <const real *>values.data
    for i in range(n):
        if real is float:
            room[i] = <float>(<const double *>values.data)[i]
        else:
            room[i] = (<const float *>values.data)[i]
    return room
