"""How good predictions are, and the split of rows into those to fit and those to judge by."""

import math
import numbers
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmlc import _labels, _passes, _scores, _validate, _weights
from hmlc._backend import kernels

Array = NDArray[Any]

TILE_ROWS, TILE_COLUMNS = 256, 2048
"""Distances that a thread of `silhouette_samples` holds at a time: 4 MiB of float64."""


def train_test_split(*arrays: Any, test_size: float = 0.2, random_state: Any = None) -> list[Array]:
    """Split arrays of one length, the same rows of each, into two parts at random.

    Parameters
    ----------
    *arrays : array-likes of shape (n_rows, ...)
    test_size : float or int
        The share of rows in the second part, between 0 and 1, rounded up; or their number.
    random_state : None, int or Generator
        Seed of the shuffle.

    Returns
    -------
    list of arrays
        First and second part of each array in turn: X_train, X_test, y_train, y_test.

    Raises
    ------
    ValueError
        If no array is given, their lengths differ, or a part would be empty.

    Examples
    --------
    >>> from hmlc.metrics import train_test_split
    >>> train, test = train_test_split([10, 20, 30, 40, 50], test_size=0.4, random_state=0)
    >>> len(train), len(test)
    (3, 2)
    """
    if not arrays:
        raise ValueError("train_test_split needs at least one array; got none")
    given = [np.asarray(array) for array in arrays]
    n_rows = len(given[0]) if given[0].ndim else 0
    for index, array in enumerate(given):
        _validate.check_same_length(array, n_rows, f"array {index}")
    n_test = _test_rows(test_size, n_rows)
    order = _validate.random_generator(random_state).permutation(n_rows)
    return [part for array in given for part in (array[order[n_test:]], array[order[:n_test]])]


def _test_rows(test_size: Any, n_rows: int) -> int:
    is_count = isinstance(test_size, numbers.Integral)
    size = _validate.check_number(test_size, "test_size", low=0, open_low=True)
    n_test = int(size) if is_count else math.ceil(size * n_rows)
    if (not is_count and size >= 1) or not 0 < n_test < n_rows:
        raise ValueError(
            "test_size must be between 0 and 1, or a number of rows, and leave a row in each part; "
            f"got {test_size!r} of {n_rows} rows"
        )
    return n_test


def _both_labels(y_true: Any, y_predicted: Any) -> tuple[Array, NDArray[np.intp], NDArray[np.intp]]:
    """Return the sorted distinct labels of both, and for every row the indices of its two."""
    true, predicted = np.asarray(y_true), np.asarray(y_predicted)
    n_rows = true.size
    if n_rows == 0:
        raise ValueError("y_true is empty: at least one label is required")
    true_classes, true_codes = _labels.check_labels(true, n_rows, "y_true")
    predicted_classes, predicted_codes = _labels.check_labels(predicted, n_rows, "y_predicted")
    if (true.dtype.kind in "US") != (predicted.dtype.kind in "US") and "O" not in (
        true.dtype.kind,
        predicted.dtype.kind,
    ):
        raise TypeError(
            f"y_true and y_predicted must hold labels of one kind; got dtypes {true.dtype} and "
            f"{predicted.dtype}"
        )
    classes = np.unique(np.concatenate([true_classes, predicted_classes]))
    return (
        classes,
        np.searchsorted(classes, true_classes)[true_codes],
        np.searchsorted(classes, predicted_classes)[predicted_codes],
    )


def _row_weights(sample_weight: Any, n_rows: int) -> Array:
    return _weights.check_sample_weight(sample_weight, n_rows, np.dtype(np.float64))


def accuracy(y_true: Any, y_predicted: Any, sample_weight: Any = None) -> float:
    """Return the share of labels that were predicted right.

    Parameters
    ----------
    y_true, y_predicted : array-likes of shape (n_rows,)
        Labels.
    sample_weight : array-like of shape (n_rows,) or float, optional
        How many rows each counts as; 1 by default.

    Examples
    --------
    >>> from hmlc.metrics import accuracy
    >>> accuracy(["a", "b", "b", "a"], ["a", "b", "a", "a"])
    0.75
    """
    _, true, predicted = _both_labels(y_true, y_predicted)
    weights = _row_weights(sample_weight, len(true))
    return _scores.accuracy(true, predicted, weights)


def confusion_matrix(y_true: Any, y_predicted: Any, sample_weight: Any = None) -> NDArray[Any]:
    """Count how often each label was taken for each.

    Parameters
    ----------
    y_true, y_predicted : array-likes of shape (n_rows,)
        Labels.
    sample_weight : array-like of shape (n_rows,) or float, optional
        How many rows each counts as; 1 by default.

    Returns
    -------
    array of shape (n_labels, n_labels)
        int64, or float64 with weights. Rows are the true labels, columns the predicted ones,
        sorted; all that occur in either.

    Examples
    --------
    >>> from hmlc.metrics import confusion_matrix
    >>> confusion_matrix([0, 0, 1, 1], [0, 1, 1, 1])
    array([[1, 1],
           [0, 2]])
    """
    classes, true, predicted = _both_labels(y_true, y_predicted)
    n = len(classes)
    places = true * n + predicted
    if sample_weight is None:
        return np.bincount(places, minlength=n * n).reshape(n, n).astype(np.int64)
    weights = _row_weights(sample_weight, len(true))
    return np.bincount(places, weights, minlength=n * n).reshape(n, n)


def f1(y_true: Any, y_predicted: Any, sample_weight: Any = None, *, positive: Any = 1) -> float:
    """Return the harmonic mean of precision and recall: 2 TP / (2 TP + FP + FN).

    Parameters
    ----------
    y_true, y_predicted : array-likes of shape (n_rows,)
        Labels.
    sample_weight : array-like of shape (n_rows,) or float, optional
        How many rows each counts as; 1 by default.
    positive : label
        The label to find. 0 is returned where it is neither present nor predicted.

    Examples
    --------
    >>> from hmlc.metrics import f1
    >>> f1([1, 1, 0, 0], [1, 0, 1, 0])
    0.5
    """
    classes, true, predicted = _both_labels(y_true, y_predicted)
    is_true, is_predicted = (classes == positive)[true], (classes == positive)[predicted]
    weights = _row_weights(sample_weight, len(true))
    hits = float(np.sum(weights[is_true & is_predicted]))
    named = float(np.sum(weights[is_true])) + float(np.sum(weights[is_predicted]))
    return 2 * hits / named if named else 0.0


def mean_squared_error(y_true: Any, y_predicted: Any, sample_weight: Any = None) -> float:
    """Return the mean of squared differences, over all rows and targets, in y's units squared.

    Parameters
    ----------
    y_true, y_predicted : array-likes of shape (n_rows,) or (n_rows, n_targets)
        Numbers.
    sample_weight : array-like of shape (n_rows,) or float, optional
        How many rows each counts as; 1 by default.

    Examples
    --------
    >>> from hmlc.metrics import mean_squared_error
    >>> mean_squared_error([1.0, 2.0], [1.0, 4.0])
    2.0
    """
    true, predicted = _targets(y_true, y_predicted)
    weights = _row_weights(sample_weight, len(true))
    return float(np.average(np.mean((true - predicted) ** 2, axis=1), weights=weights))


def r2(y_true: Any, y_predicted: Any, sample_weight: Any = None) -> float:
    """Return the share of variance that is explained: 1 - sum (y - p)^2 / sum (y - mean)^2.

    Of several targets it is the mean of theirs. Of a constant target it is 1 where the prediction
    is exact, else 0.

    Parameters
    ----------
    y_true, y_predicted : array-likes of shape (n_rows,) or (n_rows, n_targets)
        Numbers.
    sample_weight : array-like of shape (n_rows,) or float, optional
        How many rows each counts as, in the mean too; 1 by default.

    Examples
    --------
    >>> from hmlc.metrics import r2
    >>> r2([1.0, 2.0, 3.0], [1.0, 2.0, 2.0])
    0.5
    """
    true, predicted = _targets(y_true, y_predicted)
    weights = _row_weights(sample_weight, len(true))
    return _scores.r2(true, predicted, weights)


def _targets(y_true: Any, y_predicted: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return both as float64 of shape (n_rows, n_targets)."""
    n_rows = np.asarray(y_true).shape[0] if np.ndim(y_true) else 0
    true = _validate.check_target(y_true, n_rows, "y_true")
    predicted = _validate.check_target(y_predicted, n_rows, "y_predicted")
    if n_rows == 0:
        raise ValueError("y_true is empty: at least one row is required")
    true, predicted = (y.reshape(n_rows, -1).astype(np.float64) for y in (true, predicted))
    if true.shape != predicted.shape:
        raise ValueError(
            f"y_true and y_predicted must have the same number of targets; got {true.shape[1]} and "
            f"{predicted.shape[1]}"
        )
    return true, predicted


def silhouette_samples(X: Any, labels: Any, *, n_jobs: int | None = None) -> NDArray[np.float64]:
    """Return how much nearer each row is to its own cluster than to the next: from -1 to 1.

    With a the mean distance of a row from the others of its cluster, and b the least mean distance
    from the rows of another, it is (b - a) / max(a, b); 0 for a row alone in its cluster.

    Parameters
    ----------
    X : array-like of shape (n_rows, n_features)
    labels : array-like of shape (n_rows,)
        The rows' clusters: at least two, and fewer than rows.
    n_jobs : int, optional
        Threads: None is HMLC_NUM_THREADS or all processors, -1 all.

    Returns
    -------
    float64 array of shape (n_rows,)

    Raises
    ------
    ValueError, TypeError
        If X is not a finite real matrix, or `labels` is not as above.

    Notes
    -----
    Rousseeuw, "Silhouettes: a graphical aid to the interpretation and validation of cluster
    analysis", J. Comput. Appl. Math. 20 (1987), eq. 1 to 3. All n^2 distances are computed, by
    differences, but never held at once: memory is that of X, n_rows x n_clusters sums and a few
    MiB a thread.

    Examples
    --------
    >>> from hmlc.metrics import silhouette_samples
    >>> silhouette_samples([[0.0], [1.0], [4.0], [9.0]], [0, 0, 1, 1]).round(3)
    array([ 0.846,  0.818, -0.3  ,  0.412])
    """
    matrix = _validate.check_matrix(X)
    clusters, codes = _labels.check_labels(labels, len(matrix), "labels")
    if not 2 <= len(clusters) < len(matrix):
        raise ValueError(
            "labels must name at least 2 clusters, and fewer than there are rows; got "
            f"{len(clusters)} clusters of {len(matrix)} rows"
        )
    sizes = np.bincount(codes)
    totals = _distance_totals(matrix, codes, sizes, _validate.check_n_jobs(n_jobs))
    rows = np.arange(len(matrix))
    own = totals[rows, codes] / np.maximum(sizes[codes] - 1, 1)
    totals /= sizes
    totals[rows, codes] = np.inf
    other = totals.min(axis=1)
    # Rows without any distance from either cluster are between the two.
    larger = np.maximum(np.maximum(own, other), np.finfo(np.float64).tiny)
    return np.where(sizes[codes] > 1, (other - own) / larger, 0.0)


def silhouette_score(X: Any, labels: Any, *, n_jobs: int | None = None) -> float:
    """Return the mean of all rows' silhouettes: near 1 for clusters far apart, near 0 for none.

    See `silhouette_samples` for parameters and errors.

    Examples
    --------
    >>> from hmlc.metrics import silhouette_score
    >>> round(silhouette_score([[0.0], [1.0], [4.0], [9.0]], [0, 0, 1, 1]), 3)
    0.444
    """
    samples = silhouette_samples(X, labels, n_jobs=n_jobs)
    return math.fsum(samples) / len(samples)


def _distance_totals(
    X: Array, codes: NDArray[np.intp], sizes: NDArray[np.intp], n_jobs: int | None
) -> NDArray[np.float64]:
    """Return the sum of every row's distances from the rows of each cluster, (n_rows, clusters)."""
    dtype = _validate.compute_dtype(X)
    by_cluster = np.ascontiguousarray(X[np.argsort(codes, kind="stable")], dtype)
    ends = np.cumsum(sizes)
    totals = np.zeros((len(X), len(sizes)))
    distances = kernels().k_means.distances

    def add(rows: Array, first: int, last: int) -> None:
        """Go through tiles of distances: some rows' from some rows of one cluster."""
        for top in range(0, len(rows), TILE_ROWS):
            some = rows[top : top + TILE_ROWS]
            for cluster, (end, size) in enumerate(zip(ends, sizes, strict=True)):
                for start in range(end - size, end, TILE_COLUMNS):
                    others = by_cluster[start : min(start + TILE_COLUMNS, end)]
                    tile = np.empty((len(some), len(others)), dtype)
                    distances(some, others, tile)
                    place = slice(first + top, first + top + len(some))
                    totals[place, cluster] += np.sum(tile, axis=1, dtype=np.float64)

    _passes.map_rows(X, dtype, add, n_jobs=n_jobs, flops_per_row=3.0 * X.size)
    return totals
