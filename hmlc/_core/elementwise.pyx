"""Functions of one number at a time; the mathematics is in c/vmath.h."""

from hmlc._core._types cimport real

cdef extern from "elementwise.h" nogil:
    """
    HMLC_DISPATCH(elementwise)
    #define elementwise_all_finite(x, ...) HMLC_CALL(elementwise, all_finite, x, __VA_ARGS__)
    #define elementwise_exponential(x, ...) HMLC_CALL(elementwise, exponential, x, __VA_ARGS__)
    #define elementwise_hyperbolic_tangent(x, ...) HMLC_CALL(elementwise, hyperbolic_tangent, x, __VA_ARGS__)
    #define elementwise_softplus(x, ...) HMLC_CALL(elementwise, softplus, x, __VA_ARGS__)
    #define elementwise_sigmoid(x, ...) HMLC_CALL(elementwise, sigmoid, x, __VA_ARGS__)
    #define elementwise_sigmoid_gradient(x, ...) HMLC_CALL(elementwise, sigmoid_gradient, x, __VA_ARGS__)
    """
    int hmlc_elementwise_select()
    const char *hmlc_variant_name(int variant)
    void elementwise_all_finite(const void *x, Py_ssize_t n, int *answer) noexcept
    void elementwise_exponential(const void *x, Py_ssize_t n, void *out) noexcept
    void elementwise_hyperbolic_tangent(const void *x, Py_ssize_t n, void *out) noexcept
    void elementwise_softplus(const void *x, Py_ssize_t n, void *out) noexcept
    void elementwise_sigmoid(const void *x, Py_ssize_t n, void *out) noexcept
    void elementwise_sigmoid_gradient(const void *x, Py_ssize_t n, void *out) noexcept

cdef int variant = hmlc_elementwise_select()
if variant < 0:
    raise ImportError("HMLC_ISA names an instruction set that this build or processor has not")


# Not a kernel: it has no twin.
def _instruction_set():
    """Return the name of the instruction set that the compiled kernels use."""
    return hmlc_variant_name(variant).decode()


cdef bint is_finite(const real *x, Py_ssize_t n) noexcept nogil:
    """Return all_finite's answer to other families."""
    cdef int answer = 1
    elementwise_all_finite(x, n, &answer)
    return answer


def all_finite(const real[::1] x):
    cdef bint answer = True
    if x.shape[0] > 0:
        with nogil:
            answer = is_finite(&x[0], x.shape[0])
    return answer


def exponential(const real[::1] x, real[::1] out):
    if out.shape[0] != x.shape[0]:
        raise ValueError("exponential: out is not of x's length")
    if x.shape[0] > 0:
        with nogil:
            elementwise_exponential(&x[0], x.shape[0], &out[0])


def hyperbolic_tangent(const real[::1] x, real[::1] out):
    if out.shape[0] != x.shape[0]:
        raise ValueError("hyperbolic_tangent: out is not of x's length")
    if x.shape[0] > 0:
        with nogil:
            elementwise_hyperbolic_tangent(&x[0], x.shape[0], &out[0])


def softplus(const real[::1] x, real[::1] out):
    if out.shape[0] != x.shape[0]:
        raise ValueError("softplus: out is not of x's length")
    if x.shape[0] > 0:
        with nogil:
            elementwise_softplus(&x[0], x.shape[0], &out[0])


def sigmoid(const real[::1] x, real[::1] out):
    if out.shape[0] != x.shape[0]:
        raise ValueError("sigmoid: out is not of x's length")
    if x.shape[0] > 0:
        with nogil:
            elementwise_sigmoid(&x[0], x.shape[0], &out[0])


def sigmoid_gradient(const real[::1] x, real[::1] out):
    if out.shape[0] != x.shape[0]:
        raise ValueError("sigmoid_gradient: out is not of x's length")
    if x.shape[0] > 0:
        with nogil:
            elementwise_sigmoid_gradient(&x[0], x.shape[0], &out[0])
