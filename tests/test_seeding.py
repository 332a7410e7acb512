"""k-means++ by many candidates at a time, against all distances and against its own definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hmlc
from hmlc import _seeding
from hmlc._backend import kernels
from hmlc._cluster_rows import Rows, _apart
from hmlc._seeding import _Queue, plus_plus_seeds


def whole_numbers(rng, shape, dtype):
    """Return small whole numbers: every product and sum of them here is exact in float32."""
    return rng.integers(-9, 10, shape).astype(dtype)


def ones(X):
    """Return weights of 1, of stride 0."""
    return np.broadcast_to(X.dtype.type(1), len(X))


def all_squares(X, candidates):
    """Return |x - z|^2 as the kernel of the inertia takes them, which compares nothing."""
    out = np.empty((len(X), len(candidates)), X.dtype)
    for t in range(len(candidates)):
        labels, own = np.full(len(X), t, np.int32), np.empty(len(X), X.dtype)
        kernels().k_means.inertia(X, ones(X), candidates, labels, own, np.zeros(1))
        out[:, t] = own
    return out


def unlabelled(X, candidates):
    """Return labels that name no seed, and what seeds would tell."""
    return np.full(len(X), -1, np.int32), np.empty((0, len(candidates)), X.dtype)


def listed(X, shift, candidates, closest, first=0, seeds=None):
    """Return (candidate, row, square) of all that are nearer, in order."""
    room = len(X) * len(candidates)
    which, rows = np.empty(room, np.int32), np.empty(room, np.int64)
    found = np.empty(room, X.dtype)
    call = kernels().k_means.nearer
    near = unlabelled(X, candidates) if seeds is None else (seeds[0], _apart(seeds[1], candidates))
    count = call(X, shift, candidates, closest, *near, first, which, rows, found)
    return sorted(
        zip(which[:count].tolist(), rows[:count].tolist(), found[:count].tolist(), strict=True)
    )


@pytest.mark.parametrize("offset", [0, 1, 1000])
@pytest.mark.parametrize(
    ("n", "d", "k"), [(1, 1, 1), (31, 2, 3), (33, 9, 8), (257, 3, 40), (300, 130, 17), (90, 33, 9)]
)
def test_nearer_rows_are_those_of_all_squares(n, d, k, offset, dtype, rng):
    """Bit for bit, also where products cancel: rows lie next to candidates, far from the shift."""
    X = (rng.normal(size=(n, d)) + offset).astype(dtype)
    X[: n // 2] = X[0] + (1e-3 * rng.normal(size=(n // 2, d))).astype(dtype)
    candidates = X[rng.integers(n, size=k)]
    shift = rng.normal(size=d).astype(dtype)
    squares = all_squares(X, candidates)
    # Of each row the closest so far is exactly that of some candidate, or next to it.
    closest = squares[np.arange(n), rng.integers(k, size=n)]
    closest = np.nextafter(closest, closest * rng.choice([0, 1, 2], n).astype(dtype))
    near = np.argwhere((squares < closest[:, np.newaxis]).T)
    expected = [(t, r + 7, float(squares[r, t])) for t, r in near.tolist()]
    assert listed(X, shift, candidates, closest, 7) == expected


@pytest.mark.parametrize(("n", "d", "k"), [(300, 2, 9), (700, 33, 24), (600, 70, 40)])
@pytest.mark.parametrize("scale", [1e-20, 1.0, 1e17])
def test_seeds_keep_away_none_that_is_nearer(n, d, k, scale, dtype, rng):
    """Candidates half way between rows and seeds, or nearly: the answer is that of all squares."""
    seeds = (scale * rng.normal(size=(20, d))).astype(dtype)
    tight = (scale * 0.02 * rng.normal(size=(n, d))).astype(dtype)
    X = seeds[rng.integers(20, size=n)] + tight
    squares = all_squares(X, seeds)
    labels, closest = squares.argmin(axis=1).astype(np.int32), squares.min(axis=1)
    # As far behind rows, or a rounding less, as their seeds are before them; or other rows.
    mirrored = (2 * X - seeds[labels])[rng.integers(n, size=k // 2)]
    mirrored *= 1 - dtype(2) * np.finfo(dtype).eps * rng.integers(0, 2, (k // 2, 1)).astype(dtype)
    candidates = np.concatenate([mirrored, X[rng.integers(n, size=k - k // 2)]])
    shift = X.mean(axis=0)
    found = listed(X, shift, candidates, closest, seeds=(labels, seeds))
    assert found == listed(X, shift, candidates, closest)
    stays = closest[:, np.newaxis] < _apart(seeds, candidates)[labels]
    assert stays.mean() > 0.5 or scale != 1
    near = np.argwhere((all_squares(X, candidates) < closest[:, np.newaxis]).T)
    assert [(t, r) for t, r, _ in found] == [tuple(pair) for pair in near.tolist()]


def test_a_list_without_room_says_how_many(dtype, rng, backend):
    X = whole_numbers(rng, (60, 3), dtype)
    which, rows, squares = np.full(8, -1, np.int32), np.full(8, -1), np.zeros(8, dtype)
    candidates, closest = X[:5].copy(), np.full(60, np.inf, dtype)
    whole = whole_numbers(rng, 3, dtype)
    call = kernels().k_means.nearer
    near = (closest, *unlabelled(X, candidates))
    assert call(X, whole, candidates, *near, 0, which[:4], rows[:4], squares[:4]) == 300
    assert (which[4:] == -1).all()
    assert (rows[4:] == -1).all()


@given(
    st.integers(1, 400),
    st.integers(1, 20),
    st.integers(1, 30),
    st.integers(1, 5),
    st.sampled_from([np.float32, np.float64]),
    st.integers(0, 2**32 - 1),
)
def test_twins_agree(n, d, k, tries, dtype, seed):
    rng = np.random.default_rng(seed)
    X, shift = whole_numbers(rng, (n, d), dtype), whole_numbers(rng, d, dtype)
    seeds, places = X[rng.integers(n, size=3)], rng.integers(n, size=k)
    before = all_squares(X, seeds).min(axis=1)
    draws, weights = rng.random(k) * before[places], rng.integers(0, 4, n).astype(dtype)
    results = []
    for name in ("c", "numpy", "python"):
        with hmlc.use_backend(name):
            near = listed(X, shift, X[places], before)
            which, rows, squares = zip(*near, strict=True) if near else ((), (), ())
            starts = np.searchsorted(np.array(which), np.arange(k + 1))
            closest, chosen = before.copy(), np.full(4, -1)
            lists = np.array(rows, np.int64), np.array(squares, dtype), starts
            labels = np.zeros(n, np.int32)
            state = (closest, labels, 1, weights)
            answer = kernels().k_means.choose(*state, *lists, places, draws, tries, chosen)
            found = (closest.tolist(), labels.tolist(), chosen.tolist())
            results.append((near, *found, answer))
    assert results[0] == results[1] == results[2]


def test_the_best_of_the_accepted_is_chosen(dtype, backend):
    """Rows on a line; of candidates 10, 2 and 9, tried two at a time, one is refused."""
    X = np.array([[0], [1], [2], [8], [9], [10]], dtype)
    closest = np.array([0, 1, 4, 64, 81, 100], dtype)
    places = np.array([5, 2, 4, 3], np.int64)
    near = listed(X, np.zeros(1, dtype), X[places], closest)
    which, rows, squares = (np.array(part) for part in zip(*near, strict=True))
    lists = rows, squares.astype(dtype), np.searchsorted(which, np.arange(5))
    chosen = np.full(2, -1)
    draws = np.array([0.0, 4.0, 80.0, 2.0])
    labels = np.zeros(6, np.int32)
    state = (closest, labels, 5, ones(X))
    answer = kernels().k_means.choose(*state, *lists, places, draws, 2, chosen)
    # 2 is refused. 10 leaves 4 + 1 of the right group, 9 leaves 1 + 1. Then 8 alone is too few.
    assert answer == (1, 3)
    assert chosen.tolist() == [2, -1]
    assert closest.tolist() == [0, 1, 4, 1, 0, 1]
    assert labels.tolist() == [0, 0, 0, 5, 5, 5]


def test_a_queue_draws_by_the_distances_of_now(rng):
    """Those drawn by older distances and kept, and those drawn since, are distributed alike."""
    before, now = np.array([4.0, 1.0, 3.0, 0.0, 2.0]), np.array([1.0, 1.0, 0.5, 0.0, 2.0])
    weights, size = np.array([1.0, 2.0, 1.5, 1.0, 0.5]), 40_000
    queue = _Queue(weights, rng)
    queue.refill(before, size)
    assert len(queue.places) == size
    kept = np.bincount(queue.places[queue.draws < now[queue.places]], minlength=5)
    queue.refill(now, size)
    assert len(queue.places) == size
    chances = weights * now / (weights * now).sum()
    for counts in (kept, np.bincount(queue.places, minlength=5)):
        expected = counts.sum() * chances
        # Binomial counts: five standard deviations leave a chance of 6e-7 each.
        assert (np.abs(counts - expected) <= 5 * np.sqrt(expected * (1 - chances))).all()


def clouds(rng, n, d, k, dtype):
    places = 3 * rng.normal(size=(k, d))
    return (places[rng.integers(k, size=n)] + rng.normal(size=(n, d))).astype(dtype)


def seeds_of(X, k, n_jobs=None):
    return plus_plus_seeds(Rows(X, X.mean(axis=0), n_jobs), k, np.random.default_rng(3))


def test_every_seed_is_another_row(dtype, rng, backend):
    X = clouds(rng, 400, 5, 30, dtype)
    seeds = seeds_of(X, 120)
    assert len(np.unique(seeds, axis=0)) == 120
    assert all((seed == X).all(axis=1).any() for seed in seeds)


def test_backends_choose_the_same_seeds(dtype, rng):
    """The NumPy twin takes all squares of differences: on whole numbers both are exact."""
    X = np.round(3 * clouds(rng, 900, 6, 40, dtype))
    ours = seeds_of(X, 150)
    with hmlc.use_backend("numpy"):
        np.testing.assert_array_equal(seeds_of(X, 150), ours)


def test_threads_and_layouts_leave_no_trace(dtype, rng):
    X = clouds(rng, 5000, 40, 50, dtype)
    first = seeds_of(X, 130, 1).tobytes()
    for n_jobs in (2, 3):
        assert seeds_of(X, 130, n_jobs).tobytes() == first
    rows = Rows(np.asfortranarray(X), X.mean(axis=0), 2)
    assert plus_plus_seeds(rows, 130, np.random.default_rng(3)).tobytes() == first


def test_seeds_are_as_good_as_one_candidate_set_at_a_time(rng, monkeypatch):
    """A queue of one round is the textbook's loop; what longer ones leave is no worse."""
    X = clouds(rng, 3000, 4, 60, np.float64)

    def left():
        rngs = (np.random.default_rng(seed) for seed in range(10))
        rows = Rows(X, X.mean(axis=0), None)
        runs = [plus_plus_seeds(rows, 100, each) for each in rngs]
        return np.array([all_squares(X, seeds).min(axis=1).sum() for seeds in runs])

    many = left()
    monkeypatch.setattr(_seeding, "CANDIDATES", 1)
    one = left()
    # Means of ten runs each: four standard errors of their difference.
    assert abs(many.mean() - one.mean()) <= 4 * np.sqrt((many.var() + one.var()) / 9)


def test_lists_that_outgrow_their_room_are_taken_in_parts(dtype, rng, monkeypatch):
    """Far outliers are the first seeds; then every candidate is nearer to every other row."""
    bulk = rng.normal(size=(3000, 3))
    X = np.concatenate([bulk, 1e4 * np.array([[j, j % 3, 1] for j in range(1, 41)])]).astype(dtype)
    refused = []
    nearer = Rows.nearer

    def spied(*arguments):
        refused.append(nearer(*arguments))
        return refused[-1]

    monkeypatch.setattr(Rows, "nearer", spied)
    seeds = seeds_of(X, 60)
    assert None in refused
    assert len(np.unique(seeds, axis=0)) == 60
    assert (np.abs(seeds).max(axis=1) > 100).sum() == 40


def test_more_seeds_than_different_rows(dtype, backend):
    X = np.repeat(np.arange(30, dtype=dtype)[:, np.newaxis], 4, axis=0)
    assert len(np.unique(seeds_of(X, 60))) == 30


def test_distances_too_large_for_numbers():
    X = 1e19 * np.random.default_rng(0).normal(size=(300, 9)).astype(np.float32)
    assert seeds_of(X, 70).shape == (70, 9)


DIGEST = """
import hashlib, numpy as np
from hmlc._cluster_rows import Rows
from hmlc._seeding import plus_plus_seeds
rng, digest = np.random.default_rng(7), hashlib.sha256()
for dtype in (np.float32, np.float64):
    for n, d, k in [(700, 2, 50), (531, 9, 60), (600, 33, 90), (800, 130, 70)]:
        X = rng.normal(size=(n, d)).astype(dtype)
        rows = Rows(X, X.mean(axis=0), None)
        digest.update(plus_plus_seeds(rows, k, np.random.default_rng(1)).tobytes())
        near = rows.nearer(X[:20], np.full(n, d, dtype), np.full(n, -1, np.int32), X[:0], 20)
        for array in near:
            digest.update(array.tobytes())
print(digest.hexdigest())
"""


def test_instruction_sets_give_the_same_bytes(printed_by):
    assert printed_by("avx2", DIGEST) == printed_by("avx512", DIGEST)


def test_lengths_are_checked(dtype):
    family = hmlc._core.k_means
    X, shift, closest = np.zeros((4, 3), dtype), np.zeros(3, dtype), np.ones(4, dtype)
    lists = np.zeros(5, np.int32), np.zeros(5, np.int64), np.zeros(5, dtype)
    rows, squares, starts = np.zeros(2, np.int64), np.zeros(2, dtype), np.array([0, 1, 2])
    places, draws, chosen = np.zeros(2, np.int64), np.zeros(2), np.zeros(1, np.int64)

    def choose(**wrong):
        given = {"closest": closest, "labels": lists[0][:4], "n_seeds": 1}
        given |= {"weights": closest, "rows": rows}
        given |= {"squares": squares, "starts": starts}
        given |= {"places": places, "draws": draws, "tries": 1, "chosen": chosen} | wrong
        family.choose(*given.values())

    labels, apart = np.zeros(4, np.int32), np.zeros((1, 4), dtype)

    def nearer(X=X, shift=shift, z=X, near=closest, labels=labels, apart=apart, lists=lists):
        family.nearer(X, shift, z, near, labels, apart, 0, *lists)

    choose()
    nearer()
    for call in (
        lambda: nearer(shift=shift[:2]),
        lambda: nearer(z=X[:, :2].copy()),
        lambda: nearer(near=closest[:3]),
        lambda: nearer(labels=labels[:3]),
        lambda: nearer(labels=labels + 1),
        lambda: nearer(apart=apart[:, :3].copy()),
        lambda: nearer(lists=(lists[0][:4], *lists[1:])),
        lambda: choose(labels=labels[:3]),
        lambda: choose(weights=closest[:3]),
        lambda: choose(rows=rows[:1]),
        lambda: choose(rows=rows + 4),
        lambda: choose(starts=starts[:2]),
        lambda: choose(starts=starts[::-1].copy()),
        lambda: choose(places=places - 1),
        lambda: choose(draws=draws[:1]),
        lambda: choose(tries=0),
    ):
        with pytest.raises(ValueError, match=r"fit|length|point|positive|label"):
            call()


def test_candidates_beyond_a_seed_are_drawn_by_what_will_be(rng, dtype):
    """Draws before `closest` counts a seed are distributed as draws after it does."""
    X = np.array([[0], [1], [2], [4], [7]], dtype)
    weights = np.array([1, 2, 0, 1, 3], dtype)
    rows = Rows(X, np.zeros(1), None, weights)
    closest = np.full(5, np.inf, dtype)
    totals, _ = rows.approach(X[0], X[:0], closest)
    drawn = np.zeros(5)
    for _ in range(400):
        places = _seeding._sample_beyond(rows, X[3], closest, totals, 10, rng)
        drawn += np.bincount(places, minlength=5)
    # Of distances 0, 1, 2, 0, 3 from 0 or 4: w D^2 is 0, 2, 0, 0 and 27.
    assert (drawn > 0).tolist() == [False, True, False, False, True]
    assert drawn[1] / drawn.sum() == pytest.approx(2 / 29, abs=0.02)


def test_no_candidate_is_drawn_where_all_rows_are_at_seeds(rng, dtype):
    X = np.ones((300, 2), dtype)
    rows, closest = Rows(X, np.zeros(2), None), np.full(300, np.inf, dtype)
    totals, _ = rows.approach(X[0], X[:0], closest)
    assert _seeding._sample_beyond(rows, X[0], closest, totals, 3, rng) == []
