"""Input checks: what is let through as it is, and what each refusal says."""

import numpy as np
import pytest

from hmlc import _labels, _validate


@pytest.mark.parametrize(
    ("X", "kind", "message"),
    [
        ([1.0, 2.0], ValueError, "Expected 2D array, got 1D array instead"),
        (3.0, ValueError, "Expected 2D array, got scalar"),
        (np.zeros((2, 2, 2)), ValueError, "Expected 2D array, got 3D"),
        (np.zeros((0, 3)), ValueError, r"Found array with 0 sample\(s\) \(shape=\(0, 3\)\)"),
        (np.zeros((3, 0)), ValueError, r"Found array with 0 feature\(s\) \(shape=\(3, 0\)\)"),
        ([[1.0, np.nan]], ValueError, "contains NaN; the first is in row 0"),
        ([[1.0], [np.inf]], ValueError, "contains infinity; the first is in row 1"),
        ([[1j]], ValueError, "Complex data not supported"),
        ([["a"]], ValueError, "could not convert"),
        ([[object()]], TypeError, "could not convert"),
        (np.array([["2020-01-01"]], "datetime64[D]"), TypeError, "must hold real numbers"),
        ([[1, 2], [3]], ValueError, "inhomogeneous"),
    ],
)
def test_bad_matrices(X, kind, message, backend):
    with pytest.raises(kind, match=message):
        _validate.check_matrix(X)


def test_sparse_is_refused():
    sparse = pytest.importorskip("scipy.sparse", reason="scipy is not installed")
    with pytest.raises(TypeError, match="Sparse data was passed for X"):
        _validate.check_matrix(sparse.eye(3).tocsr())


def test_an_array_is_not_copied(rng):
    for X in (
        rng.normal(size=(4, 3)),
        np.asfortranarray(rng.normal(size=(4, 3))),
        rng.integers(0, 9, (4, 3)).astype(np.uint8),
    ):
        assert _validate.check_matrix(X) is X


def test_the_bad_row_is_found_in_every_layout(rng):
    X = rng.normal(size=(5000, 3))
    X[4321, 1] = np.nan
    for layout in (X, np.asfortranarray(X), X.astype(">f8"), X.astype(np.float32)):
        with pytest.raises(ValueError, match="row 4321"):
            _validate.check_matrix(layout)


def test_objects_that_are_numbers_become_numbers():
    np.testing.assert_array_equal(_validate.check_matrix(np.array([[1, 2.5]], object)), [[1, 2.5]])
    np.testing.assert_array_equal(_validate.check_matrix([["1.5"]]), [[1.5]])


def test_long_doubles_that_float64_cannot_hold_are_refused():
    if np.finfo(np.longdouble).max == np.finfo(np.float64).max:
        pytest.skip("long double is float64 here")
    with (
        np.errstate(over="ignore"),
        pytest.raises(ValueError, match="contains infinity"),
    ):
        _validate.check_matrix(np.array([[np.finfo(np.longdouble).max]]))


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        ((np.float32,), np.float32),
        ((np.float16, ">f4"), np.float32),
        ((np.float32, np.float64), np.float64),
        ((np.uint8,), np.float64),
    ],
)
def test_compute_dtype(types, expected):
    assert _validate.compute_dtype(*(np.zeros(1, t) for t in types)) == expected


@pytest.mark.parametrize(
    ("y", "kind", "message"),
    [
        (None, ValueError, "requires y to be passed"),
        ([1.0, 2.0], ValueError, "X has 3 rows, y has 2"),
        (5.0, ValueError, "got shape"),
        (np.zeros((3, 0)), ValueError, "1d or 2d"),
        ([1.0, np.nan, 2.0], ValueError, "Input y contains NaN"),
    ],
)
def test_bad_targets(y, kind, message):
    with pytest.raises(kind, match=message):
        _validate.check_target(y, 3)


@pytest.mark.parametrize(
    ("y", "kind", "message"),
    [
        (None, ValueError, "requires y to be passed"),
        ([1, 2], ValueError, "X has 3 rows, y has 2"),
        ([0.5, 1.0, 2.0], ValueError, "Unknown label type"),
        ([0.0, np.nan, 1.0], ValueError, "NaN"),
        (np.zeros((3, 2)), ValueError, "1d array"),
        ([1, "a", None], TypeError, "cannot be sorted"),
        (np.zeros(3, complex), TypeError, "must hold labels"),
    ],
)
def test_bad_labels(y, kind, message):
    y = np.array(y, object) if isinstance(y, list) and None in y else y
    with pytest.raises(kind, match=message):
        _labels.check_labels(y, 3)


@pytest.mark.parametrize("y", [["b", "a", "b"], [True, False, True], [5, -3, 5], [1.0, 0.0, 1.0]])
def test_labels_become_codes(y):
    classes, codes = _labels.check_labels(y, 3)
    np.testing.assert_array_equal(classes[codes], y)
    assert codes.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("check", "kind", "message"),
    [
        (lambda: _validate.check_number("1", "l2", low=0), TypeError, "l2 must be a number >= 0"),
        (lambda: _validate.check_number(True, "l2"), TypeError, "l2 must be a number"),
        (lambda: _validate.check_number(-1, "l2", low=0), ValueError, "got -1"),
        (lambda: _validate.check_number(0, "tol", low=0, open_low=True), ValueError, "> 0"),
        (lambda: _validate.check_number(np.nan, "l2", low=0), ValueError, "got nan"),
        (lambda: _validate.check_number(2, "c", low=0, high=1), ValueError, "<= 1"),
        (lambda: _validate.check_integer(2.5, "k"), TypeError, "integer >= 1"),
        (lambda: _validate.check_integer(0, "k"), ValueError, "integer >= 1; got 0"),
        (lambda: _validate.check_choice("x", "solver", ["a", "b"]), ValueError, "'a', 'b'"),
        (lambda: _validate.check_bool(1, "normalize"), TypeError, "True or False"),
        (lambda: _validate.check_n_jobs(0), ValueError, "other than 0"),
        (lambda: _validate.check_n_jobs(1.5), TypeError, "n_jobs"),
        (lambda: _validate.random_generator(-1), ValueError, "seed >= 0"),
        (lambda: _validate.random_generator("a"), TypeError, "random_state"),
    ],
)
def test_bad_parameters(check, kind, message):
    with pytest.raises(kind, match=message):
        check()


def test_a_seed_gives_the_same_numbers_again():
    def draw(state):
        return _validate.random_generator(state).integers(0, 1 << 40, 5).tolist()

    assert draw(7) == draw(7) != draw(8)
    assert draw(np.random.RandomState(3)) == draw(np.random.RandomState(3))
    shared = np.random.default_rng(1)
    assert draw(shared) != draw(shared)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8, np.int64, np.uint64, float, ">i4"])
@pytest.mark.parametrize(("low", "high"), [(0, 1), (-3, 4), (100, 127), (-128, 127), (-999, 5000)])
@pytest.mark.parametrize("n", [1, 300, 70_000])
def test_labels_are_numbered_as_by_unique(dtype, low, high, n, rng):
    dtype = np.dtype(dtype)
    if dtype.kind in "iu":
        low, high = max(low, np.iinfo(dtype).min), min(high, np.iinfo(dtype).max)
    y = rng.integers(low, high + 1, n).astype(dtype)
    for labels in (y, y[::-1], np.repeat(y, 2)[::2]):
        classes, codes = _labels.check_labels(labels, n, dtype=None)
        expected, inverse = np.unique(labels, return_inverse=True)
        np.testing.assert_array_equal(classes, expected)
        np.testing.assert_array_equal(codes, inverse)
        assert classes.dtype == expected.dtype
        assert codes.dtype == (np.uint8 if len(classes) <= 256 else np.int32)
