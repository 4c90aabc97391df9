"""The cluster bootstrap: exact small cases, normal theory, coverage with and without clusters, the
same bits again.
"""

import math
from collections import Counter
from itertools import combinations_with_replacement

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from benchbox.metrics import aggregate, bootstrap

# Resampled means of the seven squares below, seed 0.
PINNED = [24.0, 7.66666666667, 33.7142857143, 29.0, 19.0]


def means(values, clusters, **options):
    """Intervals for the plain mean of values (N,)."""
    column = np.asarray(values, float)[:, None]
    return bootstrap.bootstrap_intervals(
        column, np.ones_like(column), np.asarray(clusters), **options
    )[0]


def test_resamples_of_three_clusters_are_the_multinomial_ones():
    """Every ratio of sums that can come up does, as often as it should.

    Whole clusters of unequal size are drawn.
    """
    values = np.array([1.0, 2.0, 10.0, 20.0, 30.0, 100.0])
    counts = np.array([1.0, 1.0, 1.0, 0.0, 1.0, 1.0])  # the fourth face does not count
    values[3] = 0.0
    clusters = np.array(["a", "a", "b", "b", "b", "c"])
    total = {"a": 3.0, "b": 40.0, "c": 100.0}
    size = {"a": 2, "b": 2, "c": 1}
    expected = Counter()
    for draw in combinations_with_replacement("abc", 3):
        ways = math.factorial(3) / math.prod(math.factorial(draw.count(name)) for name in "abc")
        expected[round(sum(total[n] for n in draw) / sum(size[n] for n in draw), 9)] += ways / 27
    got = bootstrap.resample_scores(values[:, None], counts[:, None], clusters, resamples=20_000)[
        :, 0
    ]
    seen = Counter(np.round(got, 9).tolist())
    assert seen.keys() == expected.keys()
    for value, share in expected.items():
        assert seen[value] / 20_000 == pytest.approx(share, abs=0.012)  # 3.5 standard deviations


def test_interval_of_independent_faces_is_the_normal_one():
    values = np.random.default_rng(0).normal(5, 2, 400)
    low, high = means(values, np.arange(400))
    half = 1.96 * values.std() / math.sqrt(400)
    assert low == pytest.approx(values.mean() - half, abs=0.015)
    assert high == pytest.approx(values.mean() + half, abs=0.015)
    narrow = means(values, np.arange(400), level=0.5)
    assert narrow[1] - narrow[0] == pytest.approx(2 * 0.6745 / 1.96 * half, rel=0.05)


def test_copies_in_one_cluster_add_nothing():
    """Trap: ten frames of one video are not ten times the evidence."""
    values = np.random.default_rng(1).normal(0, 1, 60)
    one = means(values, np.arange(60))
    assert means(np.repeat(values, 10), np.repeat(np.arange(60), 10)) == pytest.approx(
        one, rel=1e-12
    )
    naive = means(np.repeat(values, 10), np.arange(600))
    assert (one[1] - one[0]) / (naive[1] - naive[0]) == pytest.approx(math.sqrt(10), rel=0.05)


def simulate(clustered):
    """Share of 95 % intervals that hold the true mean 0: 40 videos of 8 frames, half the variance
    between videos.
    """
    rng = np.random.default_rng(7)
    hits = 0
    for trial in range(300):
        values = (rng.normal(0, 1, (40, 1)) + rng.normal(0, 1, (40, 8))).ravel()
        labels = np.repeat(np.arange(40), 8) if clustered else np.arange(320)
        low, high = means(values, labels, resamples=400, seed=trial)
        hits += low <= 0 <= high
    return hits / 300


def test_intervals_cover_at_their_rate_with_clusters_and_not_without():
    """Binomial noise of 300 trials is 0.013.

    Frames taken as independent would be trusted far too much.
    """
    assert 0.90 <= simulate(clustered=True) <= 0.98
    assert simulate(clustered=False) < 0.75


def coverage(make, metric, clustered, trials, resamples=300):
    """Share of 95 % intervals that hold the expected value of a metric of `make(rng)`, a table of
    errors.
    """
    rng = np.random.default_rng(8)
    expected = np.mean([aggregate.metric_terms(metric, make(rng)).score for _ in range(4 * trials)])
    hits = 0
    for trial in range(trials):
        rows = make(rng)
        found = aggregate.metric_terms(metric, rows)
        labels = rows["cluster"] if clustered else np.arange(len(rows))
        low, high = bootstrap.bootstrap_intervals(
            found.values[:, None], found.counts[:, None], labels, resamples=resamples, seed=trial
        )[0]
        hits += low <= expected <= high
    return hits / trials


def videos(rng, count=40, frames=8):
    """Errors of videos of which some are harder than others, per frame.

    A stare's spread per sequence.
    """
    rows = np.zeros(
        count * frames,
        [
            ("nme_inter_ocular", "<f8"),
            ("error_cm", "<f8"),
            ("msd_cm", "<f8"),
            ("sequence", "<i4"),
            ("cluster", "<i4"),
        ],
    )
    video = np.repeat(np.arange(count), frames)
    hard = rng.gamma(4, 0.01, count)[video]
    rows["nme_inter_ocular"] = hard * rng.gamma(6, 1 / 6, len(rows))
    rows["error_cm"] = 100 * rows["nme_inter_ocular"]
    # four stares a person, two frames each
    rows["cluster"], rows["sequence"] = video, np.arange(len(rows)) // 2
    rows["msd_cm"] = (100 * hard * np.repeat(rng.gamma(9, 1 / 9, len(rows) // 2), 2)).round(9)
    return rows


COVERED = [
    "nme_inter_ocular",
    "auc_0.08_inter_ocular",
    "fr_0.05_inter_ocular",
    "error_cm_person",
    "msd_cm",
]


@pytest.mark.parametrize("metric", COVERED)
def test_every_kind_of_metric_covers_with_clusters_and_not_without(metric):
    """Binomial noise of 150 trials is 0.018.

    What was taken as independent is trusted far too much.
    """
    assert 0.87 <= coverage(videos, metric, clustered=True, trials=150) <= 0.99
    assert coverage(videos, metric, clustered=False, trials=150) < 0.82


@pytest.mark.slow
@pytest.mark.parametrize("metric", COVERED)
def test_every_kind_of_metric_covers_closely(metric):
    """2,000 trials, noise 0.005: intervals of 40 videos are a little short, as the module says."""
    assert 0.92 <= coverage(videos, metric, clustered=True, trials=2000, resamples=1000) <= 0.965


def test_the_same_seed_gives_the_same_bits_for_ever():
    """Pinned: the draws are the raw PCG64 stream, which NumPy guarantees.

    A change here moves every stored interval.
    """
    values, labels = (np.arange(1.0, 8.0) ** 2)[:, None], np.array([0, 0, 1, 2, 3, 3, 4])
    counts = np.ones_like(values)
    first = bootstrap.resample_scores(values, counts, labels, resamples=5)
    np.testing.assert_allclose(first[:, 0], PINNED, rtol=1e-11)
    assert (
        bootstrap.resample_scores(values, counts, labels, resamples=5).tobytes() == first.tobytes()
    )
    assert not np.isin(
        bootstrap.resample_scores(values, counts, labels, resamples=5, seed=1), first
    ).all()
    assert means(values[:, 0], labels) == means(values[:, 0], labels)


def test_scores_share_their_resamples():
    """One score beside others gets the numbers that it gets alone, up to the order of additions."""
    rng = np.random.default_rng(2)
    values, counts, labels = rng.random((50, 3)), np.ones((50, 3)), rng.integers(0, 20, 50)
    together = bootstrap.resample_scores(values, counts, labels, resamples=500)
    for column in range(3):
        alone = bootstrap.resample_scores(
            values[:, [column]], counts[:, [column]], labels, resamples=500
        )
        np.testing.assert_allclose(together[:, [column]], alone, rtol=1e-13)


def test_tables_share_their_draws_to_the_bit():
    """Groups of one score: the same weights, drawn once where they have equally many units."""
    rng = np.random.default_rng(4)
    tables = [
        rng.random((count, width))
        for count, width in ((30, 4), (30, 4), (12, 4), (1, 6), (0, 2), (30, 2))
    ]
    together = bootstrap.resample_tables(tables, resamples=6000, seed=3)
    for totals, found in zip(tables, together, strict=True):
        np.testing.assert_array_equal(
            found, bootstrap.resample_sums(totals, resamples=6000, seed=3)
        )
    assert [len(found) for found in together] == [6000, 6000, 6000, 0, 0, 6000]
    assert [found.shape for found in bootstrap.resample_tables(tables[:1], resamples=0)] == [(0, 2)]


def test_products_are_held_to_one_thread_for_a_while():
    """The trap: two threads of a busy machine spun 16 seconds on a second's work."""

    def threads():
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    before = threads()
    with bootstrap.limit_blas_threads():
        assert threads() <= {1}
    assert threads() == before


def test_equal_random_numbers_keep_their_order():
    numbers = np.random.default_rng(5).integers(0, 50, 3000).astype(np.uint64)
    np.testing.assert_array_equal(
        bootstrap._stable_order(numbers), np.argsort(numbers, kind="stable")
    )
    apart = np.random.default_rng(5).permutation(3000).astype(np.uint64)
    np.testing.assert_array_equal(bootstrap._stable_order(apart), np.argsort(apart))


def test_order_of_faces_and_kind_of_label_do_not_matter():
    rng = np.random.default_rng(3)
    values, labels = rng.random(80), rng.integers(0, 9, 80)
    order = rng.permutation(80)
    expected = means(values, labels)
    assert means(values[order], labels[order]) == pytest.approx(expected, rel=1e-12)
    assert means(values, np.array([f"video{k}" for k in labels])) == expected


def test_a_ratio_leaves_out_faces_that_do_not_count_in_every_resample():
    """A failed face (0 of 0) changes nothing beside the faces of its own cluster."""
    values = np.array([[1.0], [2.0], [0.0], [4.0], [5.0]])
    counts = np.array([[1.0], [1.0], [0.0], [1.0], [1.0]])
    labels = np.array([0, 1, 1, 2, 3])
    without = [0, 1, 3, 4]
    np.testing.assert_array_equal(
        bootstrap.resample_scores(values, counts, labels, resamples=200),
        bootstrap.resample_scores(values[without], counts[without], labels[without], resamples=200),
    )


def test_nothing_to_say_is_none():
    one = np.ones((4, 2))
    same = np.zeros(4, int)
    assert bootstrap.bootstrap_intervals(one, one, same) == [None, None]
    assert bootstrap.bootstrap_intervals(one, one, np.arange(4), resamples=0) == [None, None]
    assert bootstrap.bootstrap_intervals(np.empty((0, 2)), np.empty((0, 2)), np.empty(0, int)) == [
        None,
        None,
    ]
    nobody = np.array([[0.0, 1.0]] * 4)
    assert bootstrap.bootstrap_intervals(nobody, nobody, np.arange(4)) == [None, (1.0, 1.0)]


def test_resamples_in_which_nobody_counts_are_left_out():
    values, counts = np.array([[3.0], [5.0], [0.0], [0.0]]), np.array([[1.0], [1.0], [0.0], [0.0]])
    scores = bootstrap.resample_scores(values, counts, np.arange(4), resamples=4000)
    assert np.isnan(scores).mean() == pytest.approx(0.5**4, abs=0.02)
    assert bootstrap.bootstrap_intervals(values, counts, np.arange(4), resamples=1000) == [
        (3.0, 5.0)
    ]


def test_one_cluster_that_counts_says_nothing_about_others():
    """Trap: one answer among many persons was printed with an interval of width 0."""
    values, counts = np.array([[3.0], [0.0]]), np.array([[1.0], [0.0]])
    assert bootstrap.bootstrap_intervals(values, counts, np.arange(2), resamples=1000) == [None]


def test_very_many_clusters_are_dealt_into_bins_without_changing_the_spread(monkeypatch):
    monkeypatch.setattr(bootstrap, "MAX_UNITS", 800)
    rng = np.random.default_rng(4)
    # pairs: a bin that split them would halve the variance
    values = np.repeat(rng.normal(0, 1, 10_000), 2)
    low, high = means(values, np.repeat(np.arange(10_000), 2), resamples=2000)
    assert high - low == pytest.approx(2 * 1.96 / math.sqrt(10_000), rel=0.1)
    assert low < values.mean() < high


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
def test_a_level_is_a_share(level):
    with pytest.raises(ValueError, match="level must lie between 0 and 1"):
        means([1.0, 2.0], [0, 1], level=level)


def test_what_would_spread_silently_is_refused():
    ok = np.ones((2, 1))
    with pytest.raises(ValueError, match="must be finite"):
        bootstrap.bootstrap_intervals(np.array([[1.0], [math.inf]]), ok, np.arange(2))
    with pytest.raises(ValueError, match=r"clusters \(3,\)"):
        bootstrap.bootstrap_intervals(ok, ok, np.arange(3))


@pytest.mark.parametrize("kind", [np.int32, np.int64, np.uint8, "str"])
def test_clusters_are_numbered_in_their_order_without_sorting(kind):
    """The draws go by the number: another numbering would move every published interval."""
    rng = np.random.default_rng(0)
    for few in (
        rng.integers(3, 200, 500),
        rng.integers(0, 5, 40),
        np.array([7]),
        np.array([], int),
    ):
        clusters = few.astype(kind)
        np.testing.assert_array_equal(
            bootstrap.number_clusters(clusters), np.unique(clusters, return_inverse=True)[1]
        )
    negative = np.array([-3, 5, -3, 10**9])
    np.testing.assert_array_equal(bootstrap.number_clusters(negative), [0, 1, 0, 2])


@pytest.mark.parametrize(
    "names",
    [
        # a short name is before its longer one
        ["face/10", "face/9", "face/1", "face/10", "face/"],
        ["é/2", "e/2", "é/1"],
        ["视频1", "a", "视频0"],  # too wide for a byte
        ["abcdefghi", "bcdefghij", "abcdefghk"],  # nine characters differ
        ["same", "same"],
        [f"face/{k % 7001}" for k in range(9000)],  # more than are looked at at a time
        ["", ""],
    ],
)
def test_names_are_numbered_in_their_order(names):
    """Another order would deal clusters into other bins: the same predictions, other intervals."""
    clusters = np.array(names)
    np.testing.assert_array_equal(
        bootstrap.number_clusters(clusters), np.unique(clusters, return_inverse=True)[1]
    )
    swapped = clusters.astype(clusters.dtype.newbyteorder())
    np.testing.assert_array_equal(
        bootstrap.number_clusters(swapped), np.unique(clusters, return_inverse=True)[1]
    )


def test_ten_thousand_resamples_where_nothing_else_is_said():
    """As cards state it; an interval of a run and of `compare` rest on equally many."""
    ones = np.ones((3, 1))
    assert bootstrap.resample_scores(ones, ones, np.arange(3)).shape == (10_000, 1)
    totals = np.ones((3, 2))
    assert bootstrap.resample_sums(totals).shape == (10_000, 1)
    assert bootstrap.resample_tables([totals])[0].shape == (10_000, 1)
