"""The k-means kernels against direct differences in float64, and against each other."""

import itertools

import numpy as np
import pytest
from cluster_steps import lengths_or_more, ones
from hypothesis import given
from hypothesis import strategies as st

import hmlc
from hmlc._backend import kernels

SHAPES = [
    (1, 1, 1),
    (5, 2, 3),
    (33, 7, 4),
    (257, 3, 9),
    (300, 17, 16),
    (530, 70, 5),
    (40, 5, 39),
    (99, 131, 8),
]


def whole_numbers(rng, shape, dtype):
    """Return small whole numbers: every product and sum of them here is exact in float32."""
    return rng.integers(-9, 10, shape).astype(dtype)


def squares(X, centres):
    X, centres = X.astype(np.float64), centres.astype(np.float64)
    return ((X[:, np.newaxis] - centres) ** 2).sum(axis=2)


def one_step(X, shift, centres, weights=None):
    k, d = centres.shape
    sums, counts = np.zeros((k, d)), np.zeros(k)
    weights = ones(X) if weights is None else weights
    kernels().k_means.lloyd(X, weights, shift, centres, sums, counts)
    return sums, counts


def settled(X, shift, near, centres, weights=None):
    labels, counts = np.full(len(X), -1, np.int32), np.zeros(len(centres))
    total, weights = np.zeros(1), ones(X) if weights is None else weights
    kernels().k_means.settle(X, weights, shift, near, centres, labels, counts, total)
    return labels, counts, total


@pytest.mark.parametrize(("n", "d", "k"), SHAPES)
def test_lloyd_is_exact_on_whole_numbers(n, d, k, dtype, rng, backend):
    X, shift = whole_numbers(rng, (n, d), dtype), whole_numbers(rng, d, dtype)
    centres = whole_numbers(rng, (k, d), dtype)
    expected = squares(X - shift, centres).argmin(axis=1)
    sums, counts = one_step(X, shift, centres)
    np.testing.assert_array_equal(counts, np.bincount(expected, minlength=k))
    for j in range(k):
        np.testing.assert_array_equal(sums[j], (X - shift)[expected == j].sum(axis=0))

    labels, found, total = settled(X, shift, centres, centres + shift)
    np.testing.assert_array_equal(labels, expected)
    np.testing.assert_array_equal(found, counts)
    assert total[0] == squares(X - shift, centres).min(axis=1).sum()
    assigned = np.empty(n, np.int32)
    kernels().k_means.assign(X, shift, centres, assigned)
    np.testing.assert_array_equal(assigned, labels)


@pytest.mark.parametrize(("n", "d", "k"), SHAPES)
def test_whole_weights_are_repetitions(n, d, k, dtype, rng, backend):
    """Sums of whole numbers are exact, whatever their order."""
    X, centres = whole_numbers(rng, (n, d), dtype), whole_numbers(rng, (k, d), dtype)
    shift, times = whole_numbers(rng, d, dtype), rng.integers(0, 4, n)
    repeated, weights, family = X.repeat(times, axis=0), times.astype(dtype), kernels().k_means
    found = [*one_step(X, shift, centres, weights)]
    expected = [*one_step(repeated, shift, centres)]
    found += settled(X, shift, centres, centres + shift, weights)[1:]
    expected += settled(repeated, shift, centres, centres + shift)[1:]
    for rows, own, answers in ((X, weights, found), (repeated, ones(repeated), expected)):
        total, totals, closest = np.zeros(1), np.zeros(k), np.empty(len(rows), dtype)
        family.inertia(rows, own, centres, np.zeros(len(rows), np.int32), closest, total)
        block_totals = np.zeros(-(-len(rows) // 256))
        family.approach(rows, own, centres[k // 2], centres, closest, block_totals, totals)
        answers += [total, totals, block_totals.sum()]
    for left, right in zip(found, expected, strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("k", [2, 7, 8, 9, 40])
def test_ties_go_to_the_lowest_index(k, dtype, rng, backend):
    X = whole_numbers(rng, (50, 6), dtype)
    ones = np.ones((k, 6), dtype)
    _, counts = one_step(X, np.zeros(6, dtype), ones)
    assert counts[0] == 50
    labels, counts, _ = settled(X, np.zeros(6, dtype), ones, ones)
    np.testing.assert_array_equal(labels, 0)
    assert counts[0] == 50


@pytest.mark.parametrize(("n", "d", "k"), SHAPES)
def test_inertia_approach_and_distances(n, d, k, dtype, rng, backend):
    X = rng.normal(size=(n, d)).astype(dtype)
    centres = rng.normal(size=(k, d)).astype(dtype)
    exact = squares(X, centres)
    # Each value is a sum of d squares of rounded differences: a relative error of order d eps.
    tolerance = {"rtol": 4 * (d + 4) * np.finfo(dtype).eps}
    family = kernels().k_means

    labels = rng.integers(0, k, n).astype(np.int32)
    own, total = np.empty(n, dtype), np.full(1, 5.0)
    family.inertia(X, ones(X), centres, labels, own, total)
    np.testing.assert_allclose(own, exact[np.arange(n), labels], **tolerance)
    np.testing.assert_allclose(total - 5, own.astype(np.float64).sum(), rtol=1e-6)

    out = np.empty((n, k), dtype)
    family.distances(X, centres, out)
    np.testing.assert_allclose(out, np.sqrt(exact), **tolerance)

    closest = rng.uniform(0, 2 * d, n).astype(dtype)
    lowered = np.minimum(closest.astype(np.float64), exact[:, 0])
    totals, block_totals = np.full(k, 3.0), np.full(-(-n // 256), np.nan)
    family.approach(X, ones(X), centres[0], centres, closest, block_totals, totals)
    remaining = np.minimum(lowered[:, np.newaxis], exact)
    # 256 rows more are summed in the kernels' type.
    of_sums = 4 * (d + 300) * np.finfo(dtype).eps
    np.testing.assert_allclose(totals - 3, remaining.sum(axis=0), rtol=of_sums)
    np.testing.assert_allclose(closest, lowered, **tolerance)
    expected = np.add.reduceat(lowered, np.arange(0, n, 256))
    np.testing.assert_allclose(block_totals, expected, rtol=of_sums)

    # Without candidates the closest are lowered all the same.
    none, alone = np.empty((0, d), dtype), np.full(n, np.inf, dtype)
    family.approach(X, ones(X), centres[-1], none, alone, block_totals, np.empty(0))
    np.testing.assert_allclose(alone, exact[:, -1], **tolerance)
    assert block_totals.sum() == pytest.approx(exact[:, -1].sum(), rel=float(of_sums))


def new_bounds(n, k, dtype):
    """Return labels, lower and upper bounds of rows of which nothing is known."""
    return np.full(n, -1, np.int32), np.zeros((k, n), dtype), np.full(n, np.inf, dtype)


def walk(X, shift, centres, path, dtype):
    """Yield, after each move of the centres, labels and statistics with bounds, and `lower`."""
    n, k = len(X), len(centres)
    labels, lower, upper = new_bounds(n, k, dtype)
    sums, before = np.zeros(centres.shape), centres
    for move in path:
        centres = (centres + move).astype(dtype)
        steps = lengths_or_more(centres, before)
        state = (labels, lower, upper)
        kernels().k_means.lloyd_bounded(X, ones(X), shift, centres, steps, *state, sums)
        before = centres
        yield centres, labels, sums, lower, upper


@given(
    st.sampled_from([(1, 128, 2), (40, 128, 8), (300, 133, 5), (531, 400, 17), (257, 784, 10)]),
    st.sampled_from([np.float32, np.float64]),
    st.sampled_from([0.0, 1e-6, 1e-2, 1.0]),
    st.sampled_from([1e-30, 1.0, 1e15]),
    st.integers(0, 2**32 - 1),
)
def test_bounds_change_no_label(shape, dtype, pace, scale, seed):
    """Rows near borders and centres that tie: labels are those of looking at every row."""
    n, d, k = shape
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(k, d))
    centres[k // 2] = centres[0]
    midway = (centres[rng.integers(0, k, n)] + centres[rng.integers(0, k, n)]) / 2
    X = midway + rng.choice([0, 1e-7, 0.3], (n, 1)) * rng.normal(size=(n, d))
    X, centres = (scale * X).astype(dtype), (scale * centres).astype(dtype)
    shift = X.mean(axis=0)
    path = [
        scale * pace**step * rng.normal(size=(k, 1)) * (rng.normal(size=d)) for step in range(6)
    ]
    path[0] *= 0
    expected = np.empty(n, np.int32)
    for near, labels, sums, lower, upper in walk(X, shift, centres, path, dtype):
        kernels().k_means.assign(X, shift, near, expected)
        np.testing.assert_array_equal(labels, expected)
        plain_sums, _ = one_step(X, shift, near)
        # Sums in the kernels' type over blocks of 256 rows, and differences kept over six steps.
        slack = 600 * np.finfo(dtype).eps * np.abs(X - shift).sum(axis=0).max()
        np.testing.assert_allclose(sums, plain_sums, rtol=0, atol=slack)
        exact = np.sqrt(squares((X - shift) / scale, near / scale)) * scale
        each = np.arange(n)
        assert (upper >= exact[each, labels] * (1 - 1e-12)).all()
        lower = lower.T.copy()
        assert np.isinf(lower[each, labels]).all()
        lower[each, labels] = 0
        assert (lower <= exact * (1 + 1e-12)).all()


def test_bounds_pass_over_rows(dtype, rng):
    """A row that its bounds decide is not read: NaN in its place is not seen."""
    centres = (10 * np.eye(4, 128)).astype(dtype)
    X = (centres[rng.integers(0, 4, 600)] + rng.normal(0, 0.1, (600, 128))).astype(dtype)
    shift, (labels, lower, upper) = np.zeros(128, dtype), new_bounds(600, 4, dtype)
    sums = np.zeros((4, 128))
    step, rest = kernels().k_means.lloyd_bounded, (labels, lower, upper, sums)
    step(X, ones(X), shift, centres, np.zeros(4, dtype), *rest)
    known = sums.copy()
    step(np.full_like(X, np.nan), ones(X), shift, centres, np.full(4, 1e-3, dtype), *rest)
    np.testing.assert_array_equal(labels, squares(X, centres).argmin(axis=1))
    np.testing.assert_array_equal(sums, known)


@given(
    st.integers(1, 300),
    st.integers(1, 140),
    st.integers(1, 9),
    st.sampled_from([np.float32, np.float64]),
    st.integers(0, 2**32 - 1),
)
def test_twins_agree_on_bounds(n, d, k, dtype, seed):
    rng = np.random.default_rng(seed)
    X, centres = whole_numbers(rng, (n, d), dtype), whole_numbers(rng, (k, d), dtype)
    shift = whole_numbers(rng, d, dtype)
    path = [np.zeros((k, d)), rng.integers(0, 2, (k, d)), np.zeros((k, d))]
    results = []
    for name in ("c", "numpy", "python"):
        with hmlc.use_backend(name):
            found = walk(X, shift, centres, path, dtype)
            results.append([[array.copy() for array in state[1:]] for state in found])
    for other in results[1:]:
        for mine, theirs in zip(results[0], other, strict=True):
            for left, right in zip(mine[:2], theirs[:2], strict=True):
                np.testing.assert_array_equal(left, right)
            for left, right in zip(mine[2:], theirs[2:], strict=True):
                # Square roots of whole numbers that are wrong by the slack, which the twins share.
                np.testing.assert_allclose(left, right, rtol=1e-2, atol=0.3)


@given(
    st.integers(1, 600),
    st.integers(1, 40),
    st.integers(1, 30),
    st.sampled_from([np.float32, np.float64]),
    st.integers(0, 2**32 - 1),
)
def test_twins_agree(n, d, k, dtype, seed):
    rng = np.random.default_rng(seed)
    X, centres = whole_numbers(rng, (n, d), dtype), whole_numbers(rng, (k, d), dtype)
    shift, weights = whole_numbers(rng, d, dtype), rng.integers(0, 4, n).astype(dtype)
    results = []
    for name in ("c", "numpy", "python"):
        with hmlc.use_backend(name):
            labels, *rest = settled(X, shift, centres, centres + shift, weights)
            found = [labels, *rest, *one_step(X, shift, centres, weights)]
            own, total = np.empty(n, dtype), np.zeros(1)
            kernels().k_means.inertia(X, weights, centres, labels, own, total)
            closest = own.copy()
            totals = np.zeros(k)
            block_totals = np.empty(-(-n // 256))
            sums = block_totals, totals
            kernels().k_means.approach(X, weights, centres[0], centres, closest, *sums)
            results.append([*found, own, total, totals, closest, block_totals])
    for other in results[1:]:
        for left, right in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(left, right)


def test_a_shift_keeps_what_lies_far_from_the_origin(dtype, rng, backend):
    # Powers of two and whole numbers: X is exact, and so is everything relative to the shift.
    offset = 2.0**20
    X = (whole_numbers(rng, (200, 3), dtype) + offset).astype(dtype)
    centres = whole_numbers(rng, (5, 3), dtype)
    labels = np.empty(200, np.int32)
    kernels().k_means.assign(X, np.full(3, offset, dtype), centres, labels)
    np.testing.assert_array_equal(labels, squares(X - offset, centres).argmin(axis=1))


@pytest.mark.parametrize(("d", "k"), [(1, 2), (2, 3), (3, 13), (11, 13), (21, 90), (64, 30)])
def test_cutting_at_whole_blocks_leaves_no_trace(d, k, dtype, rng):
    n = 1201
    X, shift = rng.normal(size=(n, d)).astype(dtype), np.zeros(d, dtype)
    centres, weights = rng.normal(size=(k, d)).astype(dtype), rng.uniform(size=n).astype(dtype)
    results = []
    for cuts in ([0, n], [0, 256, 768, n], [0, 1024, n]):
        counts, sums, totals = np.zeros((2, k)), np.zeros((k, d)), np.zeros(k)
        squares, total = np.zeros(1), np.zeros(1)
        labels, own = np.zeros(n, np.int32), np.empty(n, dtype)
        family, block_totals = kernels().k_means, np.empty(-(-n // 256))
        for a, b in itertools.pairwise(cuts):
            rows = X[a:b], weights[a:b]
            family.lloyd(*rows, shift, centres, sums, counts[0])
            family.settle(*rows, shift, centres, centres, labels[a:b], counts[1], squares)
            family.inertia(*rows, centres, labels[a:b], own[a:b], total)
            blocks = block_totals[a // 256 : -(-b // 256)]
            family.approach(*rows, centres[0], centres, own[a:b], blocks, totals)
        found = labels, counts, sums, squares, totals, own, total, block_totals
        results.append([x.tobytes() for x in found])
    assert results[0] == results[1] == results[2]


def test_rows_past_the_end_are_not_read(dtype, rng):
    """A call over the first rows of a buffer whose rest is NaN gives what the rows alone give."""
    for n, d in [(1, 1), (2, 2), (3, 5), (31, 9), (70, 2), (257, 20), (300, 7)]:
        k = min(n, 4)
        whole = np.full((n + 40, d), np.nan, dtype)
        whole[:n] = rng.normal(size=(n, d))
        centres = whole[:k].copy()
        shift = np.zeros(d, dtype)
        first, second = (
            [*one_step(X, shift, centres), *settled(X, shift, centres, centres)]
            for X in (whole[:n], whole[:n].copy())
        )
        for a, b in zip(first, second, strict=True):
            assert a.tobytes() == b.tobytes()
            assert np.isfinite(a).all()


DIGEST = """
import hashlib, numpy as np
from hmlc._backend import kernels
family, rng, digest = kernels().k_means, np.random.default_rng(7), hashlib.sha256()
SHAPES = [(700, 1, 3), (700, 2, 3), (531, 9, 16), (600, 33, 21), (300, 130, 10), (300, 333, 7)]
SHAPES += [(531, 3, 4), (700, 2, 9), (531, 70, 90), (531, 7, 400)]
for dtype in (np.float32, np.float64):
    for n, d, k in SHAPES:
        X = rng.normal(size=(n, d)).astype(dtype)
        shift, centres = X.mean(axis=0), rng.normal(size=(k, d)).astype(dtype)
        labels, own, total = np.zeros(n, np.int32), np.empty(n, dtype), np.zeros(1)
        counts, squares, w = np.zeros(k), np.zeros(1), rng.uniform(size=n).astype(dtype)
        sums, totals, out = np.zeros((k, d)), np.zeros(k), np.empty((n, k), dtype)
        block_totals = np.empty(-(-n // 256))
        family.lloyd(X, w, shift, centres, sums, counts)
        family.settle(X, w, shift, centres, centres + shift, labels, counts, squares)
        relabelled, upper = np.full(n, -1, np.int32), np.full(n, np.inf, dtype)
        lower, steps = np.zeros((k, n), dtype), np.full(k, 0.01, dtype)
        bounded = (relabelled, lower, upper, sums)
        family.lloyd_bounded(X, w, shift, centres, steps, *bounded)
        family.lloyd_bounded(X, w, shift, centres + steps[0] / d, steps, *bounded)
        family.inertia(X, w, centres, labels, own, total)
        family.approach(X, w, centres[0], centres, own, block_totals, totals)
        family.distances(X, centres, out)
        found = (labels, *bounded, counts, squares, total, totals, own, block_totals, out)
        for array in found:
            digest.update(array.tobytes())
print(digest.hexdigest())
"""


def test_instruction_sets_give_the_same_bytes(printed_by):
    assert printed_by("avx2", DIGEST) == printed_by("avx512", DIGEST)


def test_lengths_are_checked(dtype):
    family = hmlc._core.k_means
    X, centres, shift = np.zeros((4, 3), dtype), np.zeros((2, 3), dtype), np.zeros(3, dtype)
    labels, one = np.zeros(4, np.int32), np.zeros(1)
    steps, counts, w = np.zeros(2, dtype), np.zeros(2), np.ones(4, dtype)

    def bounded(**wrong):
        state = {"labels": labels, "lower": np.zeros((2, 4), dtype), "upper": np.ones(4, dtype)}
        state = {"steps": steps, **state, **wrong}
        family.lloyd_bounded(X, w, shift, centres, *state.values(), np.zeros((2, 3)))

    bounded()
    for call in (
        lambda: family.assign(X, shift[:2], centres, labels),
        lambda: family.assign(X, shift, centres[:, :2].copy(), labels),
        lambda: family.assign(X, shift, centres, labels[:3]),
        lambda: one_step(X, shift[:2], centres),
        lambda: one_step(X, shift, centres, w[:3]),
        lambda: one_step(X, shift, centres, np.repeat(w, 2)[::2]),
        lambda: family.lloyd(X, w, shift, centres, np.zeros((2, 3)), counts[:1]),
        lambda: family.settle(X, w, shift, centres[:1], centres, labels, counts, one),
        lambda: family.settle(X, w, shift, centres, centres, labels[:3], counts, one),
        lambda: family.settle(X, w, shift, centres, centres, labels, counts[:1], one),
        lambda: bounded(steps=steps[:1]),
        lambda: bounded(labels=labels + 2),
        lambda: bounded(lower=np.zeros((4, 2), dtype)),
        lambda: bounded(lower=np.zeros((4, 2), dtype).T),
        lambda: bounded(upper=np.zeros(3, dtype)),
        lambda: family.inertia(X, w, centres, labels, np.zeros(3, dtype), one),
        lambda: family.inertia(X, w, centres, labels + 2, np.zeros(4, dtype), one),
        lambda: family.inertia(X, w, centres, labels - 1, np.zeros(4, dtype), one),
        lambda: family.approach(X, w, shift, centres, np.zeros(4, dtype), one, one),
        lambda: family.approach(X, w, shift[:2], centres, np.zeros(4, dtype), one, counts),
        lambda: family.approach(X, w, shift, centres, np.zeros(4, dtype), np.zeros(2), counts),
        lambda: family.distances(X, centres, np.zeros((4, 3), dtype)),
    ):
        with pytest.raises(ValueError, match=r"fit|length|entr|label|shape|next to"):
            call()


def test_no_rows_are_no_work(dtype, backend):
    X, shift, centres = np.zeros((0, 3), dtype), np.zeros(3, dtype), np.zeros((2, 3), dtype)
    for array in (*one_step(X, shift, centres), *settled(X, shift, centres, centres)):
        assert not array.any()


@pytest.mark.parametrize(("n", "d", "k"), [(5, 2, 3), (300, 17, 16), (533, 9, 4), (257, 130, 8)])
def test_settling_takes_squares_by_differences(n, d, k, dtype, rng, backend):
    """Far from the origin the squares are as right as near it: nothing cancels."""
    centres = whole_numbers(rng, (k, d), dtype)
    X = (centres[rng.integers(0, k, n)] + 0.25 * rng.normal(size=(n, d))).astype(dtype)
    offset = np.full(d, 4096, dtype)
    labels, _, total = settled(X + offset, offset, centres, centres + offset)
    exact = squares(X + offset, centres + offset)
    # 64 rows of a block are summed in each lane, then the lanes.
    expected = exact[np.arange(n), labels].sum()
    assert total[0] == pytest.approx(expected, rel=2 * (d + 80) * float(np.finfo(dtype).eps))


def test_relative_centres_are_rounded_once(dtype, rng, backend):
    centres, shift = rng.normal(size=(5, 3)).astype(dtype), rng.normal(size=3).astype(dtype)
    out = np.empty_like(centres)
    kernels().k_means.relative(centres, shift, out)
    expected = (centres.astype(np.float64) - shift.astype(np.float64)).astype(dtype)
    np.testing.assert_array_equal(out, expected)


def test_lengths_of_relative_centres_are_checked(dtype):
    centres, shift = np.zeros((2, 3), dtype), np.zeros(3, dtype)
    for wrong in ((centres, shift[:2], centres), (centres, shift, np.zeros((3, 3), dtype))):
        with pytest.raises(ValueError, match="relative"):
            hmlc._core.k_means.relative(*wrong)
