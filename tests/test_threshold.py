"""The threshold sweep against exact rational arithmetic, scikit-learn and the twins."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, precision_recall_curve

import hmlc
from hmlc import _passes, select_threshold


def exact_figures(labels, flagged):
    """Return precision, recall and F1 of a set of flagged rows as fractions."""
    caught = sum(1 for label, flag in zip(labels, flagged, strict=True) if flag and label)
    precision = Fraction(caught, sum(map(bool, flagged)))
    recall = Fraction(caught, sum(map(bool, labels)))
    f1 = 2 * precision * recall / (precision + recall) if caught else Fraction(0)
    return precision, recall, f1


def check_exactly(labels, scores):
    """Assert each figure of a selection by counting rows, for each threshold that it names."""
    result = select_threshold(labels, scores)
    scores = np.asarray(scores)
    distinct = sorted(set(scores.tolist()))
    assert len(result.thresholds) == len(distinct)
    assert np.all(np.diff(result.thresholds) > 0)
    curves = zip(result.thresholds, result.precisions, result.recalls, result.f1s, strict=True)
    f1s = []
    for score, (threshold, precision, recall, f1) in zip(distinct, curves, strict=True):
        flagged = scores < threshold
        np.testing.assert_array_equal(flagged, scores <= score)
        exact = exact_figures(labels, flagged)
        assert (precision, recall, f1) == tuple(map(float, exact))
        f1s.append(exact[2])
    best = f1s.index(max(f1s))
    assert result[:4] == (
        float(result.thresholds[best]),
        result.f1s[best],
        result.precisions[best],
        result.recalls[best],
    )
    assert exact_figures(labels, scores < result.threshold)[2] == max(f1s)
    return result


EDGES = [-np.inf, -np.finfo(np.float32).max, -1.0, -1e-40, -0.0, 0.0, 1e-45, 1e-40, 0.5]
NEIGHBOURS = [1.0, float(np.nextafter(np.float32(1), np.float32(2))), np.nextafter(1.0, 2.0)]


@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.one_of(
                st.sampled_from([*EDGES, *NEIGHBOURS, np.finfo(np.float32).max]),
                st.integers(-3, 3).map(float),
                st.floats(allow_nan=False, allow_infinity=False, width=32),
            ),
        ),
        min_size=1,
        max_size=40,
    ),
    st.sampled_from([np.float32, np.float64]),
    st.sampled_from(["c", "numpy", "python"]),
)
def test_matches_counting_in_fractions(rows, dtype, name):
    labels = np.array([label for label, _ in rows])
    labels[0] = True
    with hmlc.use_backend(name):
        check_exactly(labels, np.array([score for _, score in rows], dtype))


@pytest.mark.parametrize("n", [1, 2, 300, 4000])
@pytest.mark.parametrize("share", [0.01, 0.5, 1.0])
@pytest.mark.parametrize("decimals", [1, 15])
def test_matches_scikit_learn(n, share, decimals, dtype, rng, backend):
    labels = rng.random(n) < share
    labels[0] = True
    scores = np.round(rng.normal(-20, 3, n) - 4 * labels, decimals).astype(dtype)
    result = select_threshold(labels, scores)
    # Its curve runs from all rows flagged to one, then adds (1, 0); it flags score >= threshold.
    precisions, recalls, _ = precision_recall_curve(labels, -scores)
    np.testing.assert_allclose(result.precisions, precisions[-2::-1], rtol=1e-15)
    np.testing.assert_allclose(result.recalls, recalls[-2::-1], rtol=1e-15)
    best = f1_score(labels, scores < result.threshold)
    assert result.f1 == pytest.approx(best, rel=1e-15)
    assert result.f1 == result.f1s.max()


def all_sizes(dtype, rng):
    """Return numbers of every size and sign, so that every digit of the radix sort counts."""
    bits = rng.integers(0, 2 ** (8 * np.dtype(dtype).itemsize), 30_000, dtype=np.uint64)
    scores = bits.astype(f"u{np.dtype(dtype).itemsize}").view(dtype)
    return scores[np.isfinite(scores)]


def clusters(dtype, rng):
    """Return numbers of which 3, 60, 300 and 20,000 share their upper bits, among all sizes."""
    near = [
        sign * 2.0**exponent * (1 + rng.integers(0, 2**30, n) * 2.0**-52)
        for n, exponent in ((3, 0), (60, 7), (300, -80), (20_000, 90))
        for sign in (-1, 1)
    ]
    return rng.permutation(np.concatenate([all_sizes(dtype, rng), *near]).astype(dtype))


@pytest.mark.parametrize("make", [all_sizes, clusters])
def test_twins_agree_whatever_the_bits(make, dtype, rng):
    scores = make(dtype, rng)
    labels = rng.random(len(scores)) < 0.2
    results = []
    for name in ("c", "numpy", "python"):
        with hmlc.use_backend(name):
            results.append(select_threshold(labels, scores))
    for other in results[1:]:
        assert results[0][:4] == other[:4]
        for left, right in zip(results[0][4:], other[4:], strict=True):
            np.testing.assert_array_equal(left, right)


def few_values(dtype, rng):
    """Return numbers of which most are the same, so that threads' ranges meet among equals."""
    return np.where(rng.random(20_000) < 0.9, 3.0, rng.integers(0, 9, 20_000)).astype(dtype)


def of_team(threads, scores, labels, weights):
    """Return what the kernel finds on so many threads."""
    threshold, n = hmlc._backend.kernels().threshold, len(scores)
    outputs = [np.empty(n, scores.dtype), *(np.empty(n) for _ in range(3))]
    memory = threshold._new_memory(weights, threads)
    answers = {}

    def take_part(thread, count):
        assert count == threads
        sweep = threshold.sweep
        answers[thread] = sweep(scores, labels, weights, *outputs, thread, count, memory)

    _passes.run_together(take_part, threads)
    return answers[0], *(output[: answers[0][0]].tobytes() for output in outputs)


@pytest.mark.parametrize("make", [all_sizes, clusters, few_values])
@pytest.mark.parametrize("share", [0.0001, 0.5, 1.0])
@pytest.mark.parametrize("is_weighted", [False, True])
def test_any_number_of_threads_finds_the_same_bits(make, share, is_weighted, dtype, rng):
    scores = make(dtype, rng)
    labels = (rng.random(len(scores)) < share).astype(np.uint8)
    labels[0] = 1
    weights = rng.random(len(scores)).astype(dtype) + dtype(0.5)
    weights = weights if is_weighted else np.broadcast_to(dtype(1), len(scores))
    alone = of_team(1, scores, labels, weights)
    for threads in (2, 3, 7):
        assert of_team(threads, scores, labels, weights) == alone


def test_more_threads_than_scores(rng):
    scores, labels = rng.normal(size=3), np.array([0, 1, 1], np.uint8)
    weights = np.ones(3)
    assert of_team(5, scores, labels, weights) == of_team(1, scores, labels, weights)


def test_scores_enough_for_threads(rng, monkeypatch):
    labels, scores = rng.random(250_000) < 0.1, rng.normal(size=250_000)
    results = []
    for threads in ("1", "4"):
        monkeypatch.setenv("HMLC_NUM_THREADS", threads)
        results.append(select_threshold(labels, scores - labels, rng.random(1)[0]))
    for one, four in zip(*results, strict=True):
        np.testing.assert_array_equal(one, four)


def test_weights_count_as_repeated_rows(dtype, rng, backend):
    n = 3000
    scores = np.round(rng.normal(size=n), 2).astype(dtype)
    labels, weights = rng.random(n) < 0.3, rng.integers(0, 4, n)
    weighted = select_threshold(labels, scores, weights)
    repeated = select_threshold(np.repeat(labels, weights), np.repeat(scores, weights))
    for one, other in zip(weighted, repeated, strict=True):
        np.testing.assert_array_equal(one, other)


def test_f1_of_densities_and_of_log_densities_is_one(rng, backend):
    labels = rng.random(500) < 0.1
    log_density = rng.normal(-40, 20, 500) - 30 * labels
    log_result, result = (select_threshold(labels, s) for s in (log_density, np.exp(log_density)))
    np.testing.assert_array_equal(log_result.f1s, result.f1s)
    np.testing.assert_array_equal(
        log_density < log_result.threshold, np.exp(log_density) < result.threshold
    )


def test_equal_scores_fall_together(backend):
    result = check_exactly([1, 0, 1, 0, 0], [1.0, 1.0, 2.0, 2.0, 3.0])
    np.testing.assert_array_equal(result.thresholds, [1.5, 2.5, np.nextafter(3, 4)])
    np.testing.assert_array_equal(result.precisions, [0.5, 0.5, 0.4])


def test_of_equal_f1_the_lowest_threshold(backend):
    """One of two anomalies, rightly: 2/3. All four rows: 4/6."""
    result = check_exactly([1, 0, 0, 1], [0.0, 1.0, 2.0, 3.0])
    assert result[:2] == (0.5, 2 / 3)


def test_no_number_between_neighbours(dtype, backend):
    one = dtype(1)
    scores = np.array([one, np.nextafter(one, dtype(2))])
    result = check_exactly([1, 0], scores)
    assert result.threshold == scores[1]
    assert result.f1 == 1


def test_every_row_is_an_anomaly(dtype, backend):
    result = check_exactly([True, True], np.array([2, 5], dtype))
    assert result.f1 == 1
    assert result.threshold == np.nextafter(dtype(5), dtype(6))


def test_above_the_largest_number_is_infinity(dtype, backend):
    result = check_exactly([0, 1], np.array([np.finfo(dtype).max, -np.inf], dtype))
    np.testing.assert_array_equal(result.thresholds, [np.finfo(dtype).max, np.inf])
    assert result[:2] == (float(np.finfo(dtype).max), 1)


@pytest.mark.parametrize(
    ("convert_labels", "convert_scores"),
    [
        (list, list),
        (lambda v: v.astype(bool), lambda v: v.astype(">f8")),
        (lambda v: v.astype(float), lambda v: np.repeat(v, 2)[::2]),
        (lambda v: v[:, None], lambda v: v[:, None]),
        (lambda v: v.astype(object), lambda v: v.astype(object)),
    ],
)
def test_any_kind_of_array(convert_labels, convert_scores, rng):
    labels, scores = rng.integers(0, 2, 50), rng.normal(size=50)
    expected = select_threshold(labels, scores)
    actual = select_threshold(convert_labels(labels), convert_scores(scores))
    assert actual[:4] == expected[:4]
    assert actual.thresholds.tobytes() == expected.thresholds.tobytes()


def test_inputs_are_left_alone(rng):
    labels, scores = rng.integers(0, 2, 50), rng.normal(size=50)
    before = labels.copy(), scores.copy()
    select_threshold(labels, scores)
    np.testing.assert_array_equal(labels, before[0])
    np.testing.assert_array_equal(scores, before[1])


@pytest.mark.parametrize(
    ("labels", "scores", "error", "match"),
    [
        ([0, 0], [1.0, 2.0], ValueError, "at least one anomaly"),
        ([], [], ValueError, "one row or more"),
        ([0, 1], [1.0], ValueError, "2 labels, 1 scores"),
        ([0, 1], [1.0, np.nan], ValueError, "NaN"),
        ([0, 1], [1.0, np.inf], ValueError, "infinity"),
        ([0, 2], [1.0, 2.0], ValueError, "0 or 1 .* got 2"),
        ([-1, 1], [1.0, 2.0], ValueError, "0 or 1 .* got -1"),
        ([0.0, np.nan], [1.0, 2.0], ValueError, "0 or 1 .* got nan"),
        (["no", "yes"], [1.0, 2.0], ValueError, "labels must hold real numbers"),
        ([0, 1], ["low", "high"], ValueError, "scores must hold real numbers"),
        ([[0, 1]], [1.0, 2.0], ValueError, "labels should be a 1d array"),
        ([0, 1], [[1.0, 2.0]], ValueError, "scores should be a 1d array"),
        ([0, object()], [1.0, 2.0], TypeError, "labels must hold real numbers"),
    ],
)
def test_bad_input(labels, scores, error, match):
    with pytest.raises(error, match=match):
        select_threshold(labels, scores)


def test_lengths_that_do_not_fit(dtype):
    scores, labels = np.ones(3, dtype), np.ones(3, np.uint8)
    weights = np.ones(3, dtype)
    outputs = [np.empty(3, dtype), np.empty(3), np.empty(3), np.empty(3)]
    threshold = hmlc._backend.kernels().threshold
    memory = threshold._new_memory(weights, 2)
    for short in range(6):
        arguments = [labels, weights, *outputs]
        arguments[short] = arguments[short][:2]
        with pytest.raises(ValueError, match=r"not of scores' length|weights are not one a row"):
            threshold.sweep(scores, *arguments, 0, 2, memory)
    for thread, threads in ((-1, 1), (2, 2), (0, 3)):
        with pytest.raises(ValueError, match=r"thread must be one of|memory is too small"):
            threshold.sweep(scores, labels, weights, *outputs, thread, threads, memory)
