"""The transformers and the feature map: against scikit-learn, and bad input."""

import numpy as np
import pytest
from sklearn.preprocessing import PolynomialFeatures as PeerPolynomials
from sklearn.preprocessing import StandardScaler as PeerScaler

from hmlc import NotFittedError, PolynomialFeatures, SinusoidFeatures, StandardScaler
from hmlc.features import FeatureMap

MAKERS = [
    lambda **p: StandardScaler(**p),
    lambda **p: PolynomialFeatures(degree=3, **p),
    lambda **p: SinusoidFeatures(degree=3, **p),
]
LAYOUTS = {
    "fortran": np.asfortranarray,
    "strided": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "swapped": lambda X: X.astype(X.dtype.newbyteorder()),
    "reversed": lambda X: X[::-1].copy()[::-1],
    "object": lambda X: X.astype(object) if X.dtype == np.float64 else X,
}


@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (300, 20), (260, 70)])
def test_scaler_equals_scikit_learn(shape, dtype, rng, backend):
    X = rng.normal(3, 5, shape).astype(dtype)
    made = StandardScaler().fit_transform(X)
    assert made.dtype == dtype
    # float32 means carry an error of order epsilon of the block's sums on both sides.
    tolerance = 2e-5 if dtype == np.float32 else 1e-12
    expected = PeerScaler().fit_transform(X)
    np.testing.assert_allclose(made, expected, rtol=tolerance, atol=tolerance)


def test_scaled_column_is_the_rounded_quotient(dtype, rng):
    X = (rng.normal(size=(5000, 3)) * [1e-3, 1, 1e6]).astype(dtype)
    scaler = StandardScaler().fit(X)
    mean, scale = scaler.mean_.astype(dtype), scaler.scale_.astype(dtype)
    np.testing.assert_allclose(
        scaler.transform(X), (X - mean) / scale, rtol=np.finfo(dtype).eps, atol=0
    )


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("degree", [1, 2, 5])
def test_polynomials_and_their_names_equal_scikit_learn(degree, bias, rng, backend):
    X = rng.normal(size=(300, 3))
    mine = PolynomialFeatures(degree=degree, include_bias=bias)
    peer = PeerPolynomials(degree, include_bias=bias)
    np.testing.assert_array_equal(mine.fit_transform(X), peer.fit_transform(X))
    for names in (None, ["a", "b", "c d"]):
        expected = peer.get_feature_names_out(names).tolist()
        assert mine.get_feature_names_out(names).tolist() == expected
    assert mine.n_output_features_ == peer.n_output_features_


def test_sinusoids_and_their_names(dtype, rng, backend):
    X = rng.normal(size=(50, 2)).astype(dtype)
    made = SinusoidFeatures(degree=3)
    expected = np.concatenate([np.sin(k * X.astype(float)) for k in (1, 2, 3)], axis=1)
    out = made.fit_transform(X)
    assert out.dtype == dtype
    assert out.shape == (50, made.n_output_features_)
    np.testing.assert_allclose(out, expected, rtol=0, atol=14 * np.finfo(dtype).eps)
    assert made.get_feature_names_out(["u", "v"]).tolist() == (
        ["sin(u)", "sin(v)", "sin(2 u)", "sin(2 v)", "sin(3 u)", "sin(3 v)"]
    )


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layout_leaves_no_trace(make, layout, dtype, rng):
    X = rng.normal(size=(1500, 9)).astype(dtype)
    expected = make().fit_transform(X)
    assert make().fit_transform(LAYOUTS[layout](X)).tobytes() == expected.tobytes()


@pytest.mark.parametrize("make", MAKERS)
def test_bytes_are_taken_as_numbers(make, rng):
    X = rng.integers(0, 256, (600, 4), dtype=np.uint8)
    X.flags.writeable = False
    expected = make().fit_transform(X.astype(np.float64))
    np.testing.assert_array_equal(make().fit_transform(X), expected)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("n_jobs", [2, 3, 7])
def test_threads_leave_no_trace(make, n_jobs, rng):
    X = rng.normal(size=(60_000, 10))
    one, many = (make(n_jobs=jobs).fit_transform(X) for jobs in (1, n_jobs))
    assert one.tobytes() == many.tobytes()


@pytest.mark.parametrize("make", MAKERS)
def test_bad_input_changes_nothing(make, backend):
    made = make()
    with pytest.raises(NotFittedError):
        made.transform([[1.0]])
    for bad, message in [
        ([[1.0, np.nan]], "NaN; the first is in row 0"),
        ([[0.0], [1.0], [np.inf]], "infinity; the first is in row 2"),
        ([1.0, 2.0], "Expected 2D array"),
        (np.empty((0, 2)), "minimum of 1 is required"),
        (np.empty((2, 0)), "minimum of 1 is required"),
        ([[1j]], "Complex"),
    ]:
        for function in (made.fit, made.fit_transform):
            with pytest.raises(ValueError, match=message):
                function(bad)
    assert not hasattr(made, "n_features_in_")
    made.fit([[1.0, 2.0], [3.0, 5.0]])
    with pytest.raises(ValueError, match=r"X has 1 features, but .* is expecting 2"):
        made.transform([[1.0]])
    with pytest.raises(ValueError, match="NaN"):
        made.transform([[1.0, np.nan]])


@pytest.mark.parametrize("make", [PolynomialFeatures, SinusoidFeatures])
@pytest.mark.parametrize(
    ("degree", "error"), [(0, ValueError), (-1, ValueError), (2.0, TypeError), (True, TypeError)]
)
def test_bad_degree(make, degree, error):
    with pytest.raises(error, match="degree must be an integer >= 1"):
        make(degree=degree).fit([[1.0]])


@pytest.mark.parametrize("degree", [40, 10**9, 10**18])
def test_absurd_polynomials_are_refused_at_once(degree):
    made = PolynomialFeatures(degree=degree)
    with pytest.raises(ValueError, match=f"degree {degree} of 50 columns .* 2,147,483,647"):
        made.fit(np.ones((3, 50)))
    with pytest.raises(ValueError, match="expected a smaller degree"):
        FeatureMap(polynomial_degree=degree, sinusoid_degree=0, normalize=True).fit(np.ones((3, 9)))


def test_absurd_sinusoids_are_refused_at_once():
    with pytest.raises(ValueError, match="expected a degree up to 1,000,000"):
        SinusoidFeatures(degree=10**12).fit([[1.0]])
    with pytest.raises(ValueError, match="expected a degree up to 214,748"):
        SinusoidFeatures(degree=300_000).fit(np.ones((1, 10_000)))


def test_more_than_memory_is_refused():
    X = np.broadcast_to(np.float32(1), (100_000, 60))
    made = PolynomialFeatures(degree=6).fit(X)
    with pytest.raises(
        ValueError, match=r"90,858,767 columns for 100,000 rows need 33,8\d\d\.\d G"
    ):
        made.transform(X)


def test_variance_that_overflows_is_refused(backend):
    with pytest.raises(ValueError, match="Column 1 of X is too large: its variance overflows"):
        StandardScaler().fit([[1.0, 1e200], [2.0, -1e200]])


def test_bad_names():
    made = PolynomialFeatures().fit([[1.0, 2.0]])
    with pytest.raises(ValueError, match=r"number of features \(2\), got 1"):
        made.get_feature_names_out(["a"])


def reference_columns(X, Z, polynomial_degree, sinusoid_degree):
    powers = PeerPolynomials(polynomial_degree, include_bias=False).fit_transform(Z)
    sines = [np.sin(k * Z) for k in range(1, sinusoid_degree + 1)]
    return np.concatenate([X, powers[:, X.shape[1] :], *sines], axis=1)


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("degrees", [(3, 0), (1, 2), (2, 3)])
def test_feature_map(degrees, normalize, dtype, rng, backend):
    X, new = rng.normal(2, 3, (500, 4)).astype(dtype), rng.normal(2, 3, (1, 4)).astype(dtype)
    columns = FeatureMap(
        polynomial_degree=degrees[0], sinusoid_degree=degrees[1], normalize=normalize
    )
    fitted = columns.fit(X)
    mean, deviation = X.mean(axis=0, dtype=float), X.std(axis=0, dtype=float)
    tolerance = 1e-4 if dtype == np.float32 else 1e-11
    for rows, made in ((X, fitted), (new, columns.transform(new))):
        Z = (rows - mean) / deviation if normalize else rows
        expected = reference_columns(rows, Z, *degrees)
        assert made.dtype == dtype
        np.testing.assert_allclose(made, expected, rtol=tolerance, atol=tolerance)
    assert len(columns.names()) == fitted.shape[1]


def test_feature_map_identity_is_the_array_itself(rng):
    X = rng.integers(0, 9, (5, 2))
    columns = FeatureMap(polynomial_degree=1, sinusoid_degree=0, normalize=True)
    assert columns.fit(X) is X
    assert columns.names() == ["x0", "x1"]


def test_feature_map_names(rng):
    columns = FeatureMap(polynomial_degree=2, sinusoid_degree=2, normalize=True)
    columns.fit(rng.normal(size=(5, 2)))
    assert columns.names() == [
        *("x0", "x1", "z0^2", "z0 z1", "z1^2"),
        *("sin(z0)", "sin(z1)", "sin(2 z0)", "sin(2 z1)"),
    ]
    assert columns.names(["age", "pay"])[:4] == ["age", "pay", "z(age)^2", "z(age) z(pay)"]
    columns.normalize = False
    assert columns.names()[2:6] == ["x0^2", "x0 x1", "x1^2", "sin(x0)"]
