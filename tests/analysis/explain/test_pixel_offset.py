"""The constant offset: found exactly, and told from a bias that grows with the face."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchbox.analysis.explain import pixel_offset
from benchbox.metrics import landmarks


def scale(case):
    from benchbox.layouts import IBUG68

    return landmarks.normaliser_lengths("inter_ocular", case.truth.values, IBUG68)


@settings(max_examples=20, deadline=None)
@given(st.tuples(st.floats(-5, 5), st.floats(-5, 5)))
def test_a_pure_offset_is_found_to_the_last_digit(shift):
    rng = np.random.default_rng(0)
    truth = rng.uniform(0, 100, (6, 5, 2))
    found = pixel_offset.fit_offset(truth, truth - np.array(shift), np.full(6, 50.0))
    assert (found.dx, found.dy) == pytest.approx(shift, abs=1e-6)
    assert found.after == pytest.approx(0, abs=1e-6)


def test_it_is_found_under_noise_and_no_shift_nearby_is_better(case):
    found = pixel_offset.fit_offset(
        case.truth.values, case.noisy() - np.array([1.3, -0.7]), scale(case)
    )
    assert (found.dx, found.dy) == (pytest.approx(1.3, abs=0.15), pytest.approx(-0.7, abs=0.15))
    given_ = case.noisy() - np.array([1.3, -0.7])
    for step in ([0.05, 0], [-0.05, 0], [0, 0.05], [0, -0.05]):
        moved = given_ + np.array([found.dx, found.dy]) + step
        assert pixel_offset.nme_percent(case.truth.values, moved, scale(case)) > found.after


def test_an_origin_slip_is_named(case):
    """Trap: predictions that count from 0 against files that count from 1."""
    found = pixel_offset.fit_offset(case.truth.values, case.truth.values - 1, scale(case))
    assert found.named == 1.0
    assert found.named_after == pytest.approx(0, abs=1e-9)
    assert not found.grows


def test_no_slip_has_no_name(case):
    found = pixel_offset.fit_offset(case.truth.values, case.truth.values, scale(case))
    assert (found.named, found.named_after, found.before) == (None, None, 0.0)


def test_a_bias_in_proportion_to_the_face_is_told_apart(case):
    wide = scale(case)[:, None, None]
    found = pixel_offset.fit_offset(
        case.truth.values, case.truth.values - np.array([0.02, 0.01]) * wide, scale(case)
    )
    assert found.grows
    assert found.relative == (pytest.approx(2.0, abs=1e-4), pytest.approx(1.0, abs=1e-4))
    assert found.relative_after == pytest.approx(0, abs=1e-4)


def test_faces_without_an_answer_are_left_out(case):
    given_ = case.truth.values - 1.0
    given_[3] = np.nan
    assert pixel_offset.fit_offset(case.truth.values, given_, scale(case)).dx == pytest.approx(
        1.0, abs=1e-6
    )


def test_the_median_of_few_wild_points_is_not_pulled():
    """Trap: a mean offset would follow the faces that went wrong."""
    points = np.array([[1.0, 1.0]] * 9 + [[1000.0, -500.0]])
    np.testing.assert_allclose(
        pixel_offset.geometric_median(points, np.ones(10)), [1, 1], atol=1e-4
    )
