"""The k-means kernels against direct differences in float64, and against each other."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hmlc
from hmlc._backend import kernels

SHAPES = [(1, 1, 1), (5, 2, 3), (33, 7, 4), (257, 3, 9), (300, 17, 16), (530, 70, 5), (40, 5, 39)]


def whole_numbers(rng, shape, dtype):
    """Return small whole numbers: every product and sum of them here is exact in float32."""
    return rng.integers(-9, 10, shape).astype(dtype)


def squares(X, centres):
    X, centres = X.astype(np.float64), centres.astype(np.float64)
    return ((X[:, np.newaxis] - centres) ** 2).sum(axis=2)


def one_step(X, shift, centres, labels):
    k, d = centres.shape
    changed, counts = np.zeros(1, np.int64), np.zeros(k, np.int64)
    sums = np.zeros((k, d))
    kernels().k_means.lloyd(X, shift, centres, labels, changed, sums, counts)
    return changed, sums, counts


@pytest.mark.parametrize(("n", "d", "k"), SHAPES)
def test_lloyd_is_exact_on_whole_numbers(n, d, k, dtype, rng, backend):
    X, shift = whole_numbers(rng, (n, d), dtype), whole_numbers(rng, d, dtype)
    centres = whole_numbers(rng, (k, d), dtype)
    labels = rng.integers(0, k, n).astype(np.int32)
    before = labels.copy()
    changed, sums, counts = one_step(X, shift, centres, labels)
    expected = squares(X - shift, centres).argmin(axis=1)
    np.testing.assert_array_equal(labels, expected)
    assert changed[0] == np.count_nonzero(before != expected)
    np.testing.assert_array_equal(counts, np.bincount(expected, minlength=k))
    for j in range(k):
        np.testing.assert_array_equal(sums[j], (X - shift)[expected == j].sum(axis=0))
    assigned = np.empty(n, np.int32)
    kernels().k_means.assign(X, shift, centres, assigned)
    np.testing.assert_array_equal(assigned, labels)


@pytest.mark.parametrize("k", [2, 7, 8, 9, 40])
def test_ties_go_to_the_lowest_index(k, dtype, rng, backend):
    X = whole_numbers(rng, (50, 6), dtype)
    labels = np.full(50, -1, np.int32)
    changed, _, counts = one_step(X, np.zeros(6, dtype), np.ones((k, 6), dtype), labels)
    np.testing.assert_array_equal(labels, 0)
    assert changed[0] == 50
    assert counts[0] == 50


@pytest.mark.parametrize(("n", "d", "k"), SHAPES)
def test_inertia_potentials_and_distances(n, d, k, dtype, rng, backend):
    X = rng.normal(size=(n, d)).astype(dtype)
    centres = rng.normal(size=(k, d)).astype(dtype)
    exact = squares(X, centres)
    # Each value is a sum of d squares of rounded differences: a relative error of order d eps.
    tolerance = {"rtol": 4 * (d + 4) * np.finfo(dtype).eps}
    family = kernels().k_means

    labels = rng.integers(0, k, n).astype(np.int32)
    own, total = np.empty(n, dtype), np.full(1, 5.0)
    family.inertia(X, centres, labels, own, total)
    np.testing.assert_allclose(own, exact[np.arange(n), labels], **tolerance)
    np.testing.assert_allclose(total - 5, own.astype(np.float64).sum(), rtol=1e-6)

    out = np.empty((n, k), dtype)
    family.distances(X, centres, out)
    np.testing.assert_allclose(out, np.sqrt(exact), **tolerance)

    closest = rng.uniform(0, 2 * d, n).astype(dtype)
    totals = np.full(k, 3.0)
    family.potentials(X, centres, closest, totals)
    remaining = np.minimum(closest[:, np.newaxis].astype(np.float64), exact)
    # 256 rows more are summed in the kernels' type.
    np.testing.assert_allclose(
        totals - 3, remaining.sum(axis=0), rtol=4 * (d + 300) * np.finfo(dtype).eps
    )

    block_totals = np.full(-(-n // 256), np.nan)
    family.approach(X, centres[0], closest, block_totals)
    np.testing.assert_allclose(closest, remaining[:, 0], **tolerance)
    expected = np.add.reduceat(remaining[:, 0], np.arange(0, n, 256))
    np.testing.assert_allclose(block_totals, expected, rtol=4 * (d + 300) * np.finfo(dtype).eps)


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
    shift = whole_numbers(rng, d, dtype)
    results = []
    for name in ("c", "numpy", "python"):
        with hmlc.use_backend(name):
            labels = np.zeros(n, np.int32)
            found = [labels, *one_step(X, shift, centres, labels)]
            own, total = np.empty(n, dtype), np.zeros(1)
            kernels().k_means.inertia(X, centres, labels, own, total)
            closest = own.copy()
            totals = np.zeros(k)
            kernels().k_means.potentials(X, centres, closest, totals)
            block_totals = np.empty(-(-n // 256))
            kernels().k_means.approach(X, centres[0], closest, block_totals)
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


def test_cutting_at_whole_blocks_leaves_no_trace(dtype, rng):
    n, d, k = 1200, 11, 13
    X, shift = rng.normal(size=(n, d)).astype(dtype), np.zeros(d, dtype)
    centres = rng.normal(size=(k, d)).astype(dtype)
    results = []
    for cuts in ([0, n], [0, 256, 768, n], [0, 1024, n]):
        changed, counts = np.zeros(1, np.int64), np.zeros(k, np.int64)
        sums, totals, total = np.zeros((k, d)), np.zeros(k), np.zeros(1)
        labels, own = np.zeros(n, np.int32), np.empty(n, dtype)
        family = kernels().k_means
        for a, b in itertools.pairwise(cuts):
            family.lloyd(X[a:b], shift, centres, labels[a:b], changed, sums, counts)
            family.inertia(X[a:b], centres, labels[a:b], own[a:b], total)
            family.potentials(X[a:b], centres, own[a:b], totals)
        results.append([x.tobytes() for x in (labels, changed, counts, sums, totals, own, total)])
    assert results[0] == results[1] == results[2]


def test_rows_past_the_end_are_not_read(dtype, rng):
    """A call over the first rows of a buffer whose rest is NaN gives what the rows alone give."""
    for n, d in [(1, 1), (3, 5), (31, 9), (257, 20)]:
        k = min(n, 4)
        whole = np.full((n + 40, d), np.nan, dtype)
        whole[:n] = rng.normal(size=(n, d))
        centres = whole[:k].copy()
        left = np.zeros(n, np.int32), np.zeros(n, np.int32)
        shift = np.zeros(d, dtype)
        first = one_step(whole[:n], shift, centres, left[0])
        second = one_step(whole[:n].copy(), shift, centres, left[1])
        np.testing.assert_array_equal(left[0], left[1])
        for a, b in zip(first, second, strict=True):
            assert a.tobytes() == b.tobytes()
            assert np.isfinite(a).all()


DIGEST = """
import hashlib, numpy as np
from hmlc._backend import kernels
family, rng, digest = kernels().k_means, np.random.default_rng(7), hashlib.sha256()
for dtype in (np.float32, np.float64):
    for n, d, k in [(700, 1, 3), (700, 2, 3), (531, 9, 16), (600, 33, 21), (300, 130, 10)]:
        X = rng.normal(size=(n, d)).astype(dtype)
        shift, centres = X.mean(axis=0), rng.normal(size=(k, d)).astype(dtype)
        labels, own, total = np.zeros(n, np.int32), np.empty(n, dtype), np.zeros(1)
        changed, counts = np.zeros(1, np.int64), np.zeros(k, np.int64)
        sums, totals, out = np.zeros((k, d)), np.zeros(k), np.empty((n, k), dtype)
        block_totals = np.empty(-(-n // 256))
        family.lloyd(X, shift, centres, labels, changed, sums, counts)
        family.inertia(X, centres, labels, own, total)
        family.potentials(X, centres, own, totals)
        family.approach(X, centres[0], own, block_totals)
        family.distances(X, centres, out)
        for array in (labels, changed, counts, sums, total, totals, own, block_totals, out):
            digest.update(array.tobytes())
print(digest.hexdigest())
"""


def test_instruction_sets_give_the_same_bytes(printed_by):
    assert printed_by("avx2", DIGEST) == printed_by("avx512", DIGEST)


def test_lengths_are_checked(dtype):
    family = hmlc._core.k_means
    X, centres, shift = np.zeros((4, 3), dtype), np.zeros((2, 3), dtype), np.zeros(3, dtype)
    labels, one = np.zeros(4, np.int32), np.zeros(1)
    for call in (
        lambda: family.assign(X, shift[:2], centres, labels),
        lambda: family.assign(X, shift, centres[:, :2].copy(), labels),
        lambda: family.assign(X, shift, centres, labels[:3]),
        lambda: one_step(X, shift, centres, labels[:3]),
        lambda: family.inertia(X, centres, labels, np.zeros(3, dtype), one),
        lambda: family.inertia(X, centres, labels + 2, np.zeros(4, dtype), one),
        lambda: family.inertia(X, centres, labels - 1, np.zeros(4, dtype), one),
        lambda: family.potentials(X, centres, np.zeros(4, dtype), one),
        lambda: family.approach(X, shift, np.zeros(4, dtype), np.zeros(2)),
        lambda: family.distances(X, centres, np.zeros((4, 3), dtype)),
    ):
        with pytest.raises(ValueError, match=r"fit|length|entry|label|shapes"):
            call()


def test_no_rows_are_no_work(dtype, backend):
    labels = np.zeros(0, np.int32)
    changed, sums, counts = one_step(
        np.zeros((0, 3), dtype), np.zeros(3, dtype), np.zeros((2, 3), dtype), labels
    )
    assert not changed.any()
    assert not sums.any()
    assert not counts.any()
