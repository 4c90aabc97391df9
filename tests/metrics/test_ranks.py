"""Ranks with ties: hand-made boards, the paired t-test as a twin, false ranks at their rate."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as reference

from benchbox.metrics import ranks


def ties(values, clusters=None, **options):
    values = np.asarray(values, float)
    labels = np.arange(len(values)) if clusters is None else np.asarray(clusters)
    return ranks.rank_methods(values, np.ones_like(values), labels, **options)


def board(*means, count=400, spread=0.1, seed=0):
    """Methods that see the same hard and easy faces and differ by little noise of their own."""
    rng = np.random.default_rng(seed)
    return (
        rng.gamma(4, 1, (count, 1)) + np.array(means) + rng.normal(0, spread, (count, len(means)))
    )


def test_methods_that_the_set_tells_apart_have_ranks_of_their_own():
    assert ties(board(0.3, 0.1, 0.2)).ranks == (3, 1, 2)


def test_twins_share_a_rank_and_the_next_one_counts_them():
    assert ties(board(0.5, 0.1, 0.1001, 0.1002)).ranks == (4, 1, 1, 1)


def test_two_ties_one_after_the_other():
    assert ties(board(0.2, 0.1, 0.2001, 0.1001)).ranks == (3, 1, 3, 1)


def test_where_more_is_better():
    assert ties(board(0.3, 0.1, 0.2), lower_is_better=False).ranks == (1, 3, 2)


def test_pairing_resolves_what_separate_intervals_cannot():
    """Trap: judged by whether the intervals overlap, 0.1 of 4.0 ± 0.2 would be a tie."""
    values = board(0.1, 0.2)
    half = 1.96 * values.std(axis=0) / math.sqrt(len(values))
    assert (half > 0.15).all()
    assert ties(values).ranks == (1, 2)


def test_frames_of_few_videos_do_not_separate_what_videos_do_not():
    """Trap: 100 frames each of eight videos.

    Method 1 is better in five and worse in three of them.
    """
    rng = np.random.default_rng(1)
    difference = np.repeat([0.3, 0.2, 0.4, -0.2, 0.3, -0.3, 0.2, -0.1], 100)
    values = np.stack([np.zeros(800), difference], axis=1) + rng.normal(0, 0.1, (800, 2))
    videos = np.repeat(np.arange(8), 100)
    assert ties(values).ranks == (1, 2)
    assert ties(values, videos).ranks == (1, 1)


def test_a_pair_is_the_paired_t_test():
    values = board(0.0, 0.02, count=50)
    p = reference.ttest_rel(values[:, 0], values[:, 1]).pvalue
    assert ties(values, level=1 - 1.01 * p).ranks == (1, 2)
    assert ties(values, level=1 - 0.99 * p).ranks == (1, 1)


def test_many_methods_are_corrected_together():
    """Of 20 equal methods the best and the worst look different.

    A board without correction would say so.
    """
    values = board(*[0.0] * 20, count=100, seed=1)
    order = np.argsort(values.mean(axis=0))
    assert reference.ttest_rel(values[:, order[0]], values[:, order[-1]]).pvalue < 0.05
    assert set(ties(values).ranks) == {1}


def test_false_ranks_come_at_their_rate():
    """Six equal methods on 25 clusters of 4: any rank above 1 is a false one.

    Noise of 300 boards is 0.013.
    """
    rng = np.random.default_rng(5)
    labels = np.repeat(np.arange(25), 4)
    alarms = 0
    for _ in range(300):
        values = (rng.normal(0, 1, (25, 1, 6)) + rng.normal(0, 1, (25, 4, 6))).reshape(100, 6)
        alarms += max(ties(values, labels).ranks) > 1
    assert alarms / 300 <= 0.09


def test_the_resolvable_difference_is_found_in_80_of_100_sets():
    rng = np.random.default_rng(6)
    found = 0
    # spread of the mean, 60 clusters
    step = ties(rng.normal(0, 1, (200_000, 2)), np.arange(200_000) % 60).detectable
    step *= math.sqrt(200_000 / 240)  # to sets of 240
    for _ in range(400):
        values = rng.normal(0, 1, (240, 2)) + np.array([0, step])
        found += ties(values, np.arange(240) % 60).ranks == (1, 2)
    assert found / 400 == pytest.approx(0.8, abs=0.06)


def test_the_resolvable_difference_by_hand():
    # d = ±1: SE = √(n/(n−1) · n · (1/n)²) = 1/√(n−1); n = 101
    values = np.stack([np.zeros(101), np.resize([1.0, -1.0], 101)], axis=1)
    values[-1, 1] = 0.0
    got = ties(values)
    error = math.sqrt(100 / 101**2 * 101 / 100)
    factor = reference.t.ppf(0.975, 100) + reference.t.ppf(0.8, 100)
    assert got.detectable == pytest.approx(factor * error, rel=1e-12)
    assert got.pairs == 1
    assert got.ranks == (1, 1)


def test_one_method_alone_is_compared_with_an_unrelated_one():
    values = board(0.0)
    got = ties(values)
    assert (got.ranks, got.pairs) == ((1,), 0)
    error = math.sqrt(2) * values.std(ddof=1) / math.sqrt(400)
    assert got.detectable == pytest.approx((1.96 + 0.8416) * error, rel=0.01)


def test_one_cluster_ties_everything():
    got = ties(board(0.1, 0.9), np.zeros(400, int))
    assert got == ranks.Ranking((1, 1), None, 0)


def test_a_method_without_a_value_has_no_rank():
    values = board(0.2, 0.1, 0.0)
    counts = np.ones_like(values)
    values[:, 2] = counts[:, 2] = 0
    assert ranks.rank_methods(values, counts, np.arange(400)).ranks == (2, 1, 0)


def test_an_equal_method_ties_and_a_constant_gap_does_not():
    values = board(0.0)
    assert ties(np.concatenate([values, values], axis=1)).ranks == (1, 1)
    assert ties(np.concatenate([np.zeros((9, 1)), np.ones((9, 1))], axis=1)).ranks == (1, 2)


@settings(max_examples=40, deadline=None)
@given(st.permutations(range(4)), st.floats(0.01, 100), st.floats(-50, 50))
def test_order_unit_and_offset_do_not_matter(order, scale, shift):
    values = board(0.1, 0.1001, 0.3, 0.5)
    expected = ties(values)
    got = ties(values[:, order] * scale + shift)
    assert got.ranks == tuple(expected.ranks[k] for k in order)
    assert got.detectable == pytest.approx(expected.detectable * scale, rel=1e-6)


def test_bad_levels_are_refused():
    with pytest.raises(ValueError, match="between 0 and 1"):
        ties(board(0.1, 0.2), level=95)


# --- several seeds --------------------------------------------------------------------------------


def test_seeds_of_one_method_are_one_contestant():
    values = board(0.1, 0.3, 0.11)
    got = ties(values, owners=[0, 1, 0])
    mean = np.stack([values[:, [0, 2]].mean(axis=1), values[:, 1]], axis=1)
    assert got.ranks == ties(mean).ranks == (1, 2)
    assert got.detectable == pytest.approx(ties(mean).detectable, rel=1e-12)


def test_training_noise_does_not_make_false_ranks():
    """Trap: two equal methods, three seeds each.

    The test set tells seeds apart, and so it would their means.
    """
    rng = np.random.default_rng(7)
    alarms = {"with": 0, "without": 0}
    for _ in range(200):
        training = rng.normal(0, 0.1, 6)
        values = rng.gamma(4, 1, (200, 1)) + training + rng.normal(0, 0.1, (200, 6))
        owners = np.repeat([0, 1], 3)
        alarms["with"] += max(ties(values, owners=owners).ranks) > 1
        means = np.stack([values[:, :3].mean(axis=1), values[:, 3:].mean(axis=1)], axis=1)
        alarms["without"] += max(ties(means).ranks) > 1
    assert alarms["with"] / 200 <= 0.08
    assert alarms["without"] / 200 > 0.5


def test_seeds_alone_are_welchs_test():
    """Every face is shifted alike: all of the variance lies between seeds."""
    shifts = np.array([0.10, 0.14, 0.12, 0.20, 0.28, 0.25, 0.22])
    values = board(0.0, spread=0.0) + shifts
    p = reference.ttest_ind(shifts[:3], shifts[3:], equal_var=False).pvalue
    owners = [0, 0, 0, 1, 1, 1, 1]
    assert ties(values, owners=owners, level=1 - 1.01 * p).ranks == (1, 2)
    assert ties(values, owners=owners, level=1 - 0.99 * p).ranks == (1, 1)


def test_a_seed_without_a_value_leaves_its_method_without_a_rank():
    values = board(0.2, 0.1, 0.0)
    counts = np.ones_like(values)
    values[:, 2] = counts[:, 2] = 0
    assert ranks.rank_methods(values, counts, np.arange(400), owners=[0, 1, 1]).ranks == (1, 0)


def test_what_a_test_set_resolves_is_about_its_faces_alone():
    values = board(0.1, 0.3)
    shifted = np.concatenate([values, values[:, :1] + 5.0], axis=1)
    labels = np.arange(len(values))
    got = ranks.smallest_detectable_difference(
        shifted, np.ones_like(shifted), labels, owners=[0, 1, 0]
    )
    assert got == pytest.approx(ties(values).detectable, rel=1e-9)
    with pytest.raises(ValueError, match="must name one method for each of 3 columns"):
        ranks.smallest_detectable_difference(shifted, np.ones_like(shifted), labels, owners=[0, 1])
