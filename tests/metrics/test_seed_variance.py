"""What trainings vary by, pooled: by hand, and at its edges."""

import pytest

from benchbox.metrics.seed_variance import PRIOR_DEGREES, moderate_variance, pool_variances


def test_variances_are_pooled_over_their_means_by_degrees_of_freedom():
    """0.02 / 4.1² with one degree and 0 with two: a third of it."""
    pooled = pool_variances([[4.0, 4.2], [8.0, 8.0, 8.0]])
    assert (pooled.degrees, pooled.variants) == (3, 2)
    assert pooled.relative == pytest.approx(0.02 / 4.1**2 / 3)
    assert pooled.at_level(10.0) == pytest.approx(100 * pooled.relative)
    assert pooled.deviation**2 == pytest.approx(pooled.relative)


def test_a_larger_error_varies_by_more_and_counts_alike():
    assert pool_variances([[4.0, 4.2]]).relative == pytest.approx(
        pool_variances([[40.0, 42.0]]).relative
    )


@pytest.mark.parametrize("scores", [[], [[]], [[1.0]], [[0.0, 0.0]], [[1.0], [2.0]]])
def test_single_seeds_tell_nothing(scores):
    assert pool_variances(scores) is None


def test_own_and_pooled_variance_are_averaged_by_their_degrees():
    assert moderate_variance(4.0, 2, 1.0, 2) == (2.5, 4.0)
    assert moderate_variance(4.0, 0, 1.0, 3) == (1.0, 3.0)


def test_a_pooled_variance_never_outweighs_more_than_its_prior_degrees():
    """The trap: with 100 variants a method's own five seeds would have had no say."""
    assert PRIOR_DEGREES == 4
    assert moderate_variance(4.0, 4, 1.0, 200) == (2.5, 8.0)
