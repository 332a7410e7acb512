"""The logistic kernels against finite differences, mpmath and each other."""

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hmlc
from hmlc._backend import kernels


def problem(n, d, k, dtype, seed, spread=1.0, code=np.uint8):
    rng = np.random.default_rng(seed)
    X = rng.normal(3, 2, (n, d)).astype(dtype)
    codes = rng.integers(0, max(k, 2), n).astype(code)
    W = (spread * rng.normal(size=(k, d + 1)) / np.sqrt(d + 1)).astype(dtype)
    units = np.stack([rng.normal(3, 0.1, d), rng.uniform(0.4, 0.6, d)]).astype(dtype)
    return X, codes, W, units


def even(X):
    """A weight of 1 for each row, of stride 0."""
    return np.broadcast_to(X.dtype.type(1), len(X))


def sigmoid_loss(X, codes, W, units, classes=None, weights=None):
    k, depth = W.shape
    classes = np.arange(k, dtype=np.intp) if classes is None else classes
    weights = even(X) if weights is None else weights
    loss, gradient = np.zeros(k), np.zeros((k, depth))
    kernels().logistic.sigmoid_loss(X, codes, weights, classes, W, units, loss, gradient)
    return loss, gradient


def sigmoid_loss_hessian(X, codes, W, units, weights=None):
    k, depth = W.shape
    weights, classes = even(X) if weights is None else weights, np.arange(k, dtype=np.intp)
    out = np.zeros(k), np.zeros((k, depth)), np.zeros((k, depth, depth))
    kernels().logistic.sigmoid_loss_hessian(X, codes, weights, classes, W, units, *out)
    return out


def softmax_loss(X, codes, W, units, weights=None):
    weights = even(X) if weights is None else weights
    loss, gradient = np.zeros(1), np.zeros(W.shape)
    kernels().logistic.softmax_loss(X, codes, weights, W, units, loss, gradient)
    return loss, gradient


def scores(X, W, units):
    out = np.empty((len(X), len(W)), X.dtype)
    kernels().logistic.scores(X, W, units, out)
    return (out,)


def slope(function, W, at, h=1e-5):
    """The central difference of a function of W along one entry."""
    step = np.zeros_like(W)
    step[at] = h
    return (function(W + step) - function(W - step)) / (2 * h)


@pytest.mark.parametrize("k", [1, 3, 17])
def test_gradients_are_slopes_of_the_losses(k, backend):
    X, codes, W, units = problem(40, 3, k, np.float64, 1)
    _, gradient = sigmoid_loss(X, codes, W, units)
    for at in np.ndindex(W.shape):
        numeric = slope(lambda V: sigmoid_loss(X, codes, V, units)[0].sum(), W, at)
        # A central difference errs by h^2 f'''/6 and eps f/h: about 1e-8 here.
        assert gradient[at] == pytest.approx(numeric, abs=1e-6)
    if k > 1:
        _, gradient = softmax_loss(X, codes, W, units)
        for at in np.ndindex(W.shape):
            numeric = slope(lambda V: softmax_loss(X, codes, V, units)[0][0], W, at)
            assert gradient[at] == pytest.approx(numeric, abs=1e-6)


@pytest.mark.parametrize("k", [1, 2])
def test_hessian_is_the_slope_of_the_gradient(k, backend):
    X, codes, W, units = problem(40, 4, k, np.float64, 2)
    _, _, hessian = sigmoid_loss_hessian(X, codes, W, units)
    for c in range(k):
        np.testing.assert_array_equal(np.triu(hessian[c], 1), 0)
        for i, j in zip(*np.tril_indices(5), strict=True):
            at = (c, i)
            numeric = slope(lambda V, c=c, j=j: sigmoid_loss(X, codes, V, units)[1][c, j], W, at)
            assert hessian[c, i, j] == pytest.approx(numeric, abs=1e-6)


def repeated(X, codes, weights):
    times = weights.astype(int)
    return np.repeat(X, times, axis=0), np.repeat(codes, times)


@pytest.mark.parametrize("n", [5, 16, 64, 100, 700])
@pytest.mark.parametrize("k", [1, 3, 17])
def test_a_weight_is_a_repetition(n, k, dtype, backend, rng):
    n = n if backend != "python" else min(n, 70)
    X, codes, W, units = problem(n, 5, k, dtype, n)
    weights = rng.integers(0, 4, n).astype(dtype)
    rows = repeated(X, codes, weights)
    for function in [sigmoid_loss, sigmoid_loss_hessian] + [softmax_loss] * (k > 1):
        answers = function(X, codes, W, units, weights=weights)
        for left, right in zip(answers, function(*rows, W, units), strict=True):
            rtol = 1e-4 if dtype == np.float32 else 1e-11
            np.testing.assert_allclose(left, right, rtol=rtol, atol=rtol * n)


@pytest.mark.parametrize("k", [1, 3])
def test_weighted_gradients_are_slopes(k, backend, rng):
    X, codes, W, units = problem(40, 3, k, np.float64, 1)
    weights = rng.uniform(0, 2, 40)
    functions = [lambda V: sigmoid_loss(X, codes, V, units, weights=weights)]
    functions += [lambda V: softmax_loss(X, codes, V, units, weights=weights)] * (k > 1)
    for function in functions:
        _, gradient = function(W)
        for at in np.ndindex(W.shape):
            numeric = slope(lambda V, f=function: f(V)[0].sum(), W, at)
            assert gradient[at] == pytest.approx(numeric, abs=1e-6)
    _, _, hessian = sigmoid_loss_hessian(X, codes, W, units, weights)
    for c, i, j in np.ndindex(hessian.shape):
        numeric = slope(lambda V, c=c, j=j: functions[0](V)[1][c, j], W, (c, i))
        assert hessian[c, i, j] == pytest.approx(numeric if j <= i else 0, abs=1e-6)


@pytest.mark.parametrize("k", [1, 3, 17])
def test_wide_codes_are_the_bits_of_narrow_ones(k, dtype):
    X, codes, W, units = problem(700, 5, k, dtype, 8)
    for function in [sigmoid_loss, sigmoid_loss_hessian] + [softmax_loss] * (k > 1):
        answers = function(X, codes, W, units), function(X, codes.astype(np.int32), W, units)
        for left, right in zip(*answers, strict=True):
            assert left.tobytes() == right.tobytes()


@pytest.mark.parametrize("k", [1, 3, 17])
def test_even_weights_are_the_bits_of_a_row_of_ones(k, dtype):
    X, codes, W, units = problem(700, 5, k, dtype, 8)
    for function in [sigmoid_loss, sigmoid_loss_hessian] + [softmax_loss] * (k > 1):
        answers = function(X, codes, W, units), function(X, codes, W, units, weights=even(X).copy())
        for left, right in zip(*answers, strict=True):
            assert left.tobytes() == right.tobytes()


@pytest.mark.parametrize("z", [0.0, 0.5, -3.0, 30.0, -30.0, 80.0, -80.0, 1e4, -1e4, 1e30])
@pytest.mark.parametrize("code", [0, 1])
def test_loss_of_one_row_at_any_score(z, code, dtype, backend):
    X, codes = np.array([[z]], dtype), np.array([code], np.int32)
    units = np.array([[0], [1]], dtype)
    value = float(X[0, 0])
    with mpmath.workdps(60):
        exact = mpmath.log1p(mpmath.exp(-value if code else value))
    # exp returns 0 where its result would not be a normal number.
    floor = float(np.finfo(dtype).tiny)
    near = pytest.approx(float(exact), rel=2e-6 if dtype == np.float32 else 1e-14, abs=floor)
    one = np.array([[1, 0]], dtype)
    loss, gradient = sigmoid_loss(X, codes, one, units, np.ones(1, np.intp))
    assert loss[0] == near
    assert abs(gradient[0, 1]) == pytest.approx(-np.expm1(-loss[0]), rel=2e-6, abs=floor)
    loss, gradient = softmax_loss(X, codes, np.array([[0, 0], [1, 0]], dtype), units)
    assert loss[0] == near
    assert np.isfinite(gradient).all()


@given(
    st.integers(0, 600),
    st.integers(1, 40),
    st.sampled_from([1, 2, 3, 16, 17]),
    st.sampled_from([np.float32, np.float64]),
    st.integers(0, 2**32 - 1),
)
def test_twins_agree(n, d, k, dtype, seed):
    n = n if d * k < 100 else n % 60
    X, codes, W, units = problem(n, d, k, dtype, seed)
    functions = [sigmoid_loss, lambda *a: scores(a[0], a[2], a[3])]
    functions += [softmax_loss] if k > 1 else []
    functions += [sigmoid_loss_hessian] if n * k * d * d < 20_000 else []
    for function in functions:
        answers = []
        for name in ("c", "numpy", "python"):
            with hmlc.use_backend(name):
                answers.append(function(X, codes, W, units))
        # Relative to a sum over n rows of numbers of order 1.
        tolerance = (2e-5 if dtype == np.float32 else 1e-12) * max(n, 1)
        for other in answers[1:]:
            for left, right in zip(answers[0], other, strict=True):
                np.testing.assert_allclose(left, right, atol=tolerance, rtol=0)


@pytest.mark.parametrize(("d", "k"), [(1, 1), (20, 1), (130, 1), (9, 3), (200, 17)])
def test_cuts_at_whole_blocks_leave_no_trace(d, k, dtype):
    X, codes, W, units = problem(1300, d, k, dtype, 3)
    classes = np.arange(k, dtype=np.intp)
    one = [np.zeros(k), np.zeros(W.shape), np.zeros((k, d + 1, d + 1))]
    many = [np.zeros_like(array) for array in one]
    whole, pieces = [np.zeros(1), np.zeros(W.shape)], [np.zeros(1), np.zeros(W.shape)]
    logistic = kernels().logistic
    hessian = logistic.sigmoid_loss_hessian
    weights = np.random.default_rng(4).uniform(0, 2, 1300).astype(dtype)
    hessian(X, codes, weights, classes, W, units, *one)
    for a, b in ((0, 256), (256, 1024), (1024, 1300)):
        hessian(X[a:b], codes[a:b], weights[a:b], classes, W, units, *many)
    if k > 1:
        logistic.softmax_loss(X, codes, weights, W, units, *whole)
        for a, b in ((0, 256), (256, 1024), (1024, 1300)):
            logistic.softmax_loss(X[a:b], codes[a:b], weights[a:b], W, units, *pieces)
    for left, right in zip(one + whole, many + pieces, strict=True):
        assert left.tobytes() == right.tobytes()


def test_log_softmax_keeps_its_digits(dtype, backend):
    Z = np.array([[0, 40], [-50, 60], [3, 3], [0, 5000], [-1e30, 1e30]], dtype)
    Z = np.concatenate([Z, Z - 80], axis=1)
    out, p = Z.copy(), Z.copy()
    kernels().logistic.log_softmax(out)
    kernels().logistic.softmax(p)
    with mpmath.workdps(60):
        for z, logs in zip(Z, out, strict=True):
            values = [mpmath.mpf(float(v)) for v in z]
            peak = values.index(max(values))
            others = sum(mpmath.exp(v - values[peak]) for i, v in enumerate(values) if i != peak)
            exact = [float(v - values[peak] - mpmath.log1p(others)) for v in values]
            rtol = 5e-7 if dtype == np.float32 else 1e-15
            np.testing.assert_allclose(logs, exact, rtol=4 * rtol, atol=np.finfo(dtype).tiny)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(p, np.exp(out), rtol=2e-5, atol=1e-37)


def test_wrong_shapes_raise():
    X, codes, W, units = problem(5, 2, 3, np.float64, 4)
    logistic, classes = kernels().logistic, np.arange(3, dtype=np.intp)
    loss, gradient = np.zeros(3), np.zeros((3, 3))
    with pytest.raises(ValueError, match="codes"):
        logistic.sigmoid_loss(X, codes[:4], even(X), classes, W, units, loss, gradient)
    with pytest.raises(ValueError, match="W must"):
        logistic.sigmoid_loss(X, codes, even(X), classes, W[:, :2].copy(), units, loss, gradient)
    with pytest.raises(ValueError, match="loss"):
        logistic.softmax_loss(X, codes, even(X), W, units, loss, gradient)
    with pytest.raises(ValueError, match="code"):
        logistic.softmax_loss(X, codes + 3, even(X), W, units, loss[:1], gradient)
    with pytest.raises(ValueError, match="hessian"):
        logistic.sigmoid_loss_hessian(
            X, codes, even(X), classes, W, units, loss, gradient, np.zeros((3, 2, 2))
        )
    for wrong in (even(X)[:4], np.ones(10)[::2], np.ones(5)[::-1]):
        with pytest.raises(ValueError, match="weights"):
            logistic.softmax_loss(X, codes, wrong, W, units, loss[:1], gradient)
    with pytest.raises(ValueError, match="out"):
        logistic.scores(X, W, units, np.zeros((5, 2)))


BYTES = """
import hashlib
import numpy as np
from hmlc._backend import kernels
rng, digest, logistic = np.random.default_rng(5), hashlib.sha256(), kernels().logistic
for dtype in (np.float32, np.float64):
    for n, d, k in ((300, 1, 1), (700, 20, 1), (515, 130, 1), (300, 33, 3), (131, 200, 17)):
        X = rng.normal(3, 2, (n, d)).astype(dtype)
        codes = rng.integers(0, max(k, 2), n, dtype=np.int32)
        W = rng.normal(size=(k, d + 1)).astype(dtype)
        units = np.stack([np.full(d, 3), np.full(d, 0.5)]).astype(dtype)
        loss, gradient, hessian = np.zeros(k), np.zeros(W.shape), np.zeros((k, d + 1, d + 1))
        out = np.empty((n, k), dtype)
        weights, classes = rng.uniform(0, 2, n).astype(dtype), np.arange(k, dtype=np.intp)
        logistic.sigmoid_loss(X, codes, weights, classes, W, units, loss, gradient)
        logistic.sigmoid_loss_hessian(X, codes, weights, classes, W, units, loss, gradient, hessian)
        if k > 1:
            logistic.softmax_loss(X, codes, weights, W, units, loss[:1], gradient)
        logistic.scores(X, W, units, out)
        logs, p = out.copy(), out.copy()
        logistic.log_softmax(logs), logistic.softmax(p)
        for array in (loss, gradient, hessian, out, logs, p):
            digest.update(array.tobytes())
print(digest.hexdigest())
"""


def test_vector_width_leaves_no_trace(printed_by):
    assert printed_by("avx2", BYTES) == printed_by("avx512", BYTES)


@pytest.mark.parametrize("k", [2, 3, 8, 9, 40, 1000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equal_scores_share_alike(k, dtype):
    """To two units in the last place: one of 1 + x, one of the logarithm."""
    Z = np.full((37, k), 3, dtype)
    kernels().logistic.log_softmax(Z)
    assert np.all(Z[0, 0] == Z)
    assert abs(float(Z[0, 0]) + mpmath.log(k)) <= 2 * np.spacing(dtype(np.log(k)))


@pytest.mark.parametrize("k", [1, 2, 3, 10, 17])
def test_most_probable_is_the_first_of_the_largest(k, dtype, rng, backend):
    Z = rng.integers(-2, 3, size=(50, k)).astype(dtype)
    codes = np.empty(50, np.intp)
    kernels().logistic.most_probable(Z, codes)
    expected = Z[:, 0] > 0 if k == 1 else Z.argmax(axis=1)
    np.testing.assert_array_equal(codes, expected)


def test_most_probable_takes_a_plain_matrix_with_a_row_for_each_code(dtype):
    Z, codes = np.zeros((4, 3), dtype), np.empty(4, np.intp)
    for wrong in (
        Z[:3],
        Z.T,
        np.asfortranarray(Z),
        Z[0],
        Z.astype(int),
        Z.astype(Z.dtype.newbyteorder()),
    ):
        with pytest.raises(ValueError, match="most_probable"):
            hmlc._core.logistic.most_probable(wrong, codes)
    for wrong in (codes[:3], codes.reshape(2, 2), codes.astype(np.int16), codes.astype(float)):
        with pytest.raises(ValueError, match="most_probable"):
            hmlc._core.logistic.most_probable(Z, wrong)
