"""Paired tests: exact small cases, a slow twin, false alarms at their stated rate with clusters and
not without.
"""

import itertools
import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from benchbox.metrics import bootstrap, paired_tests

PINNED = [0.149, 0.515, 0.629]


def slow_p(sums):
    """Every sign pattern, one by one."""
    wanted = abs(sum(sums))
    patterns = list(itertools.product((1, -1), repeat=len(sums)))
    hits = sum(
        abs(sum(s * d for s, d in zip(signs, sums, strict=True))) >= wanted - 1e-12
        for signs in patterns
    )
    return hits / len(patterns)


def p_of(values, clusters, **options):
    return float(
        paired_tests.sign_flip_test(
            np.asarray(values, float)[:, None], np.asarray(clusters), **options
        )[0]
    )


def test_three_clusters_by_hand():
    # D = 1, 2, 3: only +++ and --- reach 6, of 8 patterns
    assert p_of([1, 2, 3], [0, 1, 2]) == 2 / 8
    # D = 3, -1, 1: |T| = 3; T* of the 8 patterns: ±3, ±5, ±3, ±1 → six reach it
    assert p_of([3, -1, 1], [0, 1, 2]) == 6 / 8


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-5, 5), min_size=2, max_size=9))
def test_few_clusters_equal_every_pattern(values):
    assert p_of(values, np.arange(len(values))) == pytest.approx(slow_p(values), abs=1e-12)


def test_random_flips_approach_all_patterns():
    values = np.random.default_rng(0).normal(0.4, 1, 12)
    exact = p_of(values, np.arange(12))
    assert exact == pytest.approx(slow_p(values.tolist()))
    assert p_of(values, np.arange(12), flips=4000) == pytest.approx(exact, abs=0.03)


def test_no_difference_is_p_one_and_a_p_is_never_zero():
    assert p_of(np.zeros(30), np.arange(30)) == 1.0
    assert p_of(np.ones(100), np.arange(100), flips=999) == 1 / 1000


def test_four_videos_are_never_significant():
    """Trap: thousands of frames of four videos look like much evidence; the smallest p is 2/16."""
    assert p_of(np.ones(4000), np.repeat(np.arange(4), 1000)) == 2 / 16


def test_one_cluster_says_nothing():
    assert math.isnan(p_of([1.0, 2.0], [0, 0]))
    assert math.isnan(p_of([1.0, 2.0], [0, 1], flips=0))


def test_direction_and_scale_do_not_matter():
    values = np.random.default_rng(1).normal(0.3, 1, (40, 1))
    labels = np.arange(40) // 2
    expected = paired_tests.sign_flip_test(values, labels)
    np.testing.assert_array_equal(paired_tests.sign_flip_test(-values, labels), expected)
    np.testing.assert_array_equal(paired_tests.sign_flip_test(1e6 * values, labels), expected)


def test_columns_share_their_flips():
    values = np.random.default_rng(2).normal(0.2, 1, (60, 3))
    together = paired_tests.sign_flip_test(values, np.arange(60))
    for column in range(3):
        assert (
            paired_tests.sign_flip_test(values[:, [column]], np.arange(60))[0] == together[column]
        )


def false_alarms(clustered):
    """Share of p < 5 % where nothing differs: 30 videos of 8 frames, half of the spread between
    videos.
    """
    rng = np.random.default_rng(3)
    values = (rng.normal(0, 1, (30, 1, 400)) + rng.normal(0, 1, (30, 8, 400))).reshape(240, 400)
    labels = np.repeat(np.arange(30), 8) if clustered else np.arange(240)
    return float((paired_tests.sign_flip_test(values, labels, flips=600) < 0.05).mean())


def test_false_alarms_come_at_their_rate_with_clusters_and_not_without():
    """Binomial noise of 400 trials is 0.011."""
    assert 0.02 <= false_alarms(clustered=True) <= 0.085
    assert false_alarms(clustered=False) > 0.25


def test_very_many_clusters_are_flipped_in_bins(monkeypatch):
    monkeypatch.setattr(bootstrap, "MAX_UNITS", 300)
    values = np.random.default_rng(4).normal(0.015, 1, 20_000)
    z = values.mean() / values.std() * math.sqrt(20_000)
    expected = math.erfc(abs(z) / math.sqrt(2))
    assert p_of(values, np.arange(20_000), flips=4000) == pytest.approx(expected, abs=0.03)


def test_the_same_seed_gives_the_same_bits_for_ever():
    """Pinned: the signs are the raw PCG64 stream; a change here moves every published p."""
    values = np.stack(
        [np.arange(50.0) % 7 - 2.5, np.arange(50.0) % 11 - 4.4, np.arange(50.0) % 5 - 1.9], axis=1
    )
    assert paired_tests.sign_flip_test(values, np.arange(50), flips=999).tolist() == PINNED


def test_holm_by_hand():
    # 0.01 x 4, 0.02 x 3, 0.03 x 2, 0.5 x 1; never below the one before
    np.testing.assert_allclose(
        paired_tests.holm_correction(np.array([0.5, 0.01, 0.03, 0.02])), [0.5, 0.04, 0.06, 0.06]
    )
    np.testing.assert_allclose(
        paired_tests.holm_correction(np.array([0.6, math.nan, 0.7])), [1.0, math.nan, 1.0]
    )
    assert len(paired_tests.holm_correction(np.empty(0))) == 0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_keeps_order_and_only_raises(p):
    raw = np.array(p)
    adjusted = paired_tests.holm_correction(raw)
    assert (adjusted >= raw).all()
    # never stricter than Bonferroni
    assert (adjusted <= np.minimum(1, raw * len(raw)) + 1e-15).all()
    assert (np.diff(adjusted[np.argsort(raw, kind="stable")]) >= 0).all()


def test_what_would_spread_silently_is_refused():
    with pytest.raises(ValueError, match="must be finite"):
        paired_tests.sign_flip_test(np.array([[math.inf], [1.0]]), np.arange(2))


def test_seeds_add_their_variance_by_hand():
    """SE of the items 1 (29 degrees), of two seeds 1 (1 degree): 2 = √2², degrees 4 / (1/29 + 1) =
    3.867.
    """
    bounds = (3 - 2.0452296, 3 + 2.0452296)
    low, high, p = paired_tests.add_seed_variance(3.0, bounds, 0.001, 30, [(1.0, 1.0)], 0.95)
    t = scipy.stats.t(4 / (1 / 29 + 1))
    assert (low, high) == (
        pytest.approx(3 - 2**0.5 * t.ppf(0.975)),
        pytest.approx(3 + 2**0.5 * t.ppf(0.975)),
    )
    assert p == pytest.approx(2 * t.sf(3 / 2**0.5))
    assert paired_tests.add_seed_variance(3.0, bounds, 0.001, 30, [], 0.95) == (*bounds, 0.001)
    assert paired_tests.add_seed_variance(3.0, bounds, 0.001, 30, [(0.0, 2.0)], 0.95) == (
        *bounds,
        0.001,
    )


@pytest.mark.parametrize(("seeds", "most"), [(2, 0.14), (3, 0.08), (10, 0.06)])
def test_equal_methods_of_few_seeds_are_seldom_told_apart(seeds, most):
    """Half of the noise hides in two seeds: the limit that the module's head tells."""
    rng = np.random.default_rng(seeds)
    wrong = 0
    for _ in range(4000):
        trained = rng.normal(0, 1, seeds)
        gap = trained.mean() + rng.normal(0, 0.1)
        spread = (trained.var(ddof=1) / seeds, seeds - 1.0)
        low, high, p = paired_tests.add_seed_variance(
            gap, (gap - 0.196, gap + 0.196), 0.0, 1000, [spread], 0.95
        )
        wrong += p < 0.05
        assert (p < 0.05) == (not low < 0 < high)
    assert 0.03 < wrong / 4000 < most
