"""Metrics against scikit-learn's, and the split's promises."""

import tracemalloc

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from hmlc.metrics import (
    accuracy,
    confusion_matrix,
    f1,
    mean_squared_error,
    r2,
    silhouette_samples,
    silhouette_score,
    train_test_split,
)

LABELS = st.lists(st.tuples(st.integers(-1, 3), st.integers(-1, 3)), min_size=1, max_size=40)


@pytest.mark.filterwarnings("ignore:A single label was found")
@given(LABELS, st.booleans())
def test_labels_equal_scikit_learn(pairs, as_text):
    true, predicted = np.array(pairs).T
    if as_text:
        true, predicted = true.astype(str), predicted.astype(str)
    expected = sklearn.metrics.confusion_matrix(
        true, predicted, labels=np.unique([true, predicted])
    )
    np.testing.assert_array_equal(confusion_matrix(true, predicted), expected)
    assert accuracy(true, predicted) == sklearn.metrics.accuracy_score(true, predicted)
    positive = "1" if as_text else 1
    expected = sklearn.metrics.f1_score(
        true == positive, predicted == positive, average="binary", zero_division=0
    )
    assert f1(true, predicted, positive=positive) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize("shape", [(1,), (9,), (9, 1), (50, 3)])
def test_targets_equal_scikit_learn(shape, rng):
    true = rng.normal(size=shape)
    predicted = true + rng.normal(size=shape)
    mean = sklearn.metrics.mean_squared_error(true, predicted)
    assert mean_squared_error(true, predicted) == pytest.approx(mean, rel=1e-14)
    if shape[0] > 1:
        assert r2(true, predicted) == pytest.approx(
            sklearn.metrics.r2_score(true, predicted), rel=1e-13
        )


def test_r2_of_a_constant_target():
    assert r2([2.0, 2.0], [2.0, 2.0]) == 1
    assert r2([2.0, 2.0], [2.0, 3.0]) == 0
    assert r2([[1.0, 2.0], [3.0, 2.0]], [[1.0, 2.0], [3.0, 0.0]]) == 0.5


def test_object_labels_and_columns():
    true = np.array(["cat", "dog", "cat"], dtype=object)
    assert accuracy(true, ["cat", "dog", "dog"]) == pytest.approx(2 / 3)
    assert accuracy([[1], [0]], [1, 0]) == 1


@pytest.mark.parametrize(
    ("function", "true", "predicted", "error", "message"),
    [
        (accuracy, [1, 2], [1], ValueError, "inconsistent numbers of samples"),
        (accuracy, [], [], ValueError, "empty"),
        (accuracy, [1, 2], ["1", "2"], TypeError, "labels of one kind"),
        (accuracy, [1, 0], [0.5, 0.1], ValueError, "continuous"),
        (confusion_matrix, [[1, 2]], [[1, 2]], ValueError, "1d array|inconsistent"),
        (r2, [1.0, 2.0], [1.0], ValueError, "inconsistent numbers of samples"),
        (r2, [1.0, np.nan], [1.0, 2.0], ValueError, "NaN"),
        (r2, [], [], ValueError, "empty"),
        (mean_squared_error, [1.0, 2.0], [[1.0, 2.0], [2.0, 3.0]], ValueError, "targets; got 1"),
    ],
)
def test_bad_input(function, true, predicted, error, message):
    with pytest.raises(error, match=message):
        function(true, predicted)


@given(st.integers(2, 60), st.floats(0.01, 0.99), st.integers(0, 99))
def test_split_keeps_every_row_once_and_together(n, share, seed):
    expected = int(np.ceil(share * n))
    if expected == n:
        return
    X, y = np.arange(2 * n).reshape(n, 2), np.arange(n) * 10
    parts = train_test_split(X, y, test_size=share, random_state=seed)
    X_train, X_test, y_train, y_test = parts
    assert len(X_test) == expected
    for rows, target in ((X_train, y_train), (X_test, y_test)):
        np.testing.assert_array_equal(rows[:, 0] * 5, target)
    assert sorted([*y_train, *y_test]) == y.tolist()
    again = train_test_split(X, y, test_size=share, random_state=seed)
    assert all(np.array_equal(a, b) for a, b in zip(parts, again, strict=True))


def test_split_shuffles_and_takes_counts():
    train, test = train_test_split(np.arange(1000), test_size=3, random_state=0)
    assert len(test) == 3
    assert not np.array_equal(train, np.sort(train))


@pytest.mark.parametrize(
    ("arrays", "size", "error", "message"),
    [
        ((), 0.5, ValueError, "at least one array"),
        (([1, 2], [1]), 0.5, ValueError, "inconsistent"),
        (([1, 2],), 0.0, ValueError, "test_size"),
        (([1, 2],), 1.0, ValueError, "test_size"),
        (([1, 2],), 2, ValueError, "leave a row in each part; got 2 of 2 rows"),
        (([1],), 0.2, ValueError, "leave a row"),
        (([1, 2],), "half", TypeError, "test_size"),
    ],
)
def test_bad_split(arrays, size, error, message):
    with pytest.raises(error, match=message):
        train_test_split(*arrays, test_size=size)


@given(st.integers(0, 999), st.integers(3, 40), st.integers(1, 4), st.booleans())
def test_silhouettes_equal_scikit_learn(seed, n, d, is_single):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) + 1000
    labels = rng.integers(0, rng.integers(2, n), n)
    labels[:2] = 0, 1
    if len(np.unique(labels)) == n:
        labels[2] = 0
    if is_single:
        X = X.astype(np.float32)
    samples = silhouette_samples(X, labels)
    expected = sklearn.metrics.silhouette_samples(X.astype(np.float64), labels)
    # scikit-learn subtracts squares: near 1000 that leaves 1e6 eps of the squared distances, 1e-9.
    tolerance = 1e-5 if is_single else 1e-6
    np.testing.assert_allclose(samples, expected, atol=tolerance)
    assert silhouette_score(X, labels) == pytest.approx(samples.mean(), abs=1e-15)


def test_silhouettes_by_hand(backend):
    X, labels = [[0.0], [1.0], [4.0], [9.0], [50.0]], ["a", "a", "b", "b", "c"]
    expected = [(6.5 - 1) / 6.5, (5.5 - 1) / 5.5, (3.5 - 5) / 5, (8.5 - 5) / 8.5, 0]
    np.testing.assert_allclose(silhouette_samples(X, labels), expected, rtol=1e-15)
    same = [[1.0], [1.0], [1.0], [1.0]]
    np.testing.assert_array_equal(silhouette_samples(same, [0, 0, 1, 1]), [0, 0, 0, 0])


def test_silhouettes_hold_no_matrix_of_all_distances(rng):
    """5,000 rows have 200 MB of distances; the tiles of two threads are 8 MiB."""
    X, labels = rng.normal(size=(5000, 3)), rng.integers(0, 4, 5000)
    tracemalloc.start()
    several = silhouette_samples(X, labels, n_jobs=2)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 20e6
    assert several.tobytes() == silhouette_samples(np.asfortranarray(X), labels, n_jobs=1).tobytes()
    expected = sklearn.metrics.silhouette_samples(X, labels)
    np.testing.assert_allclose(several, expected, atol=1e-9)


@pytest.mark.parametrize(
    ("X", "labels", "error", "message"),
    [
        ([[1.0], [2.0], [3.0]], [0, 0, 0], ValueError, "at least 2 clusters.*got 1 clusters of 3"),
        ([[1.0], [2.0], [3.0]], [0, 1, 2], ValueError, "got 3 clusters of 3 rows"),
        ([[1.0], [2.0], [3.0]], [0, 1], ValueError, "inconsistent"),
        ([[1.0], [np.nan], [3.0]], [0, 1, 1], ValueError, "NaN"),
        ([1.0, 2.0, 3.0], [0, 1, 1], ValueError, "2D"),
    ],
)
def test_bad_silhouettes(X, labels, error, message):
    with pytest.raises(error, match=message):
        silhouette_samples(X, labels)
