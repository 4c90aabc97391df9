"""Gaze errors: hand-computed cases, slow twins, invariances, and the traps of clips, order and
sequences.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchbox import geometry
from benchbox.metrics import gaze

angles = st.tuples(st.floats(-1.4, 1.4), st.floats(-3, 3))


def slow_angle(a, b):
    """The law of cosines on unit vectors: 2·asin(|a − b|/2), from angles by their formula."""
    vectors = [
        (math.cos(p) * math.sin(y), math.sin(p), math.cos(p) * math.cos(y)) for p, y in (a, b)
    ]
    return math.degrees(2 * math.asin(min(1.0, math.dist(*vectors) / 2)))


def test_centimetres_by_hand():
    np.testing.assert_array_equal(
        gaze.distance_cm(np.array([[0, 0], [1, 1]]), np.array([[3, 4], [1, 0]])), [5, 1]
    )


def test_degrees_by_hand():
    truth = np.array([[0, 0, 1], [0, 0, 1], [0, 0, 1], [1, 0, 0]], float)
    given_ = np.array([[0, 0, 5], [0, 3, 0], [0, 0, -1], [1, 1, 0]], float)
    np.testing.assert_allclose(gaze.angular_error_deg(truth, given_), [0, 90, 180, 45], rtol=1e-15)


def test_a_vector_without_direction_is_nan():
    assert np.isnan(gaze.angular_error_deg(np.array([[0, 0, 1.0]]), np.zeros((1, 3)))[0])


@pytest.mark.parametrize("tiny", [1e-3, 1e-6, 1e-9, 1e-12])
def test_there_is_no_floor(tiny):
    """Trap: arccos of a clipped dot product cannot tell 0.08 degrees from 0."""
    truth, given_ = np.array([[0, 0, 1.0]]), np.array([[math.sin(tiny), 0, math.cos(tiny)]])
    assert gaze.angular_error_deg(truth, given_)[0] == pytest.approx(math.degrees(tiny), rel=1e-9)


@settings(max_examples=100, deadline=None)
@given(a=angles, b=angles, length=st.floats(0.01, 100))
def test_angles_equal_a_slow_formula_at_any_length(a, b, length):
    expected = slow_angle(a, b)
    assert gaze.pitch_yaw_error_deg(np.array([a]), np.array([b]))[0] == pytest.approx(
        expected, abs=1e-6
    )
    vectors = [geometry.angles_to_vectors(np.array([pair])) for pair in (a, b)]
    assert gaze.angular_error_deg(vectors[0] * length, vectors[1])[0] == pytest.approx(
        expected, abs=1e-6
    )


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 999))
def test_a_common_rotation_changes_nothing(seed):
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    truth, given_ = rng.normal(size=(2, 7, 3))
    np.testing.assert_allclose(
        gaze.angular_error_deg(truth @ turn.T, given_ @ turn.T),
        gaze.angular_error_deg(truth, given_),
        rtol=1e-9,
    )


def test_swapped_order_shows_as_a_large_error():
    """Trap: (yaw, pitch) read as (pitch, yaw): looking 20° to the left becomes looking 20° up."""
    truth = np.radians([[0.0, 20.0]])
    assert gaze.pitch_yaw_error_deg(truth, truth[:, ::-1])[0] == pytest.approx(27.99, abs=0.01)


# --- sequences ------------------------------------------------------------------------------------


def test_msd_of_a_constant_answer_is_zero_and_of_one_cm_is_one():
    codes = np.array([0, 0, 1, 1])
    given_ = np.array([[5, 5], [5, 5], [-1, 0], [1, 0]], float)
    np.testing.assert_array_equal(gaze.msd_per_sequence(given_, codes, 2), [0, 1])


def test_msd_divides_by_all_frames():
    """Trap: the sample variance of two frames would be 41 % larger."""
    assert gaze.msd_per_sequence(np.array([[0, 0], [2, 0]], float), np.zeros(2, int), 1)[0] == 1.0


def test_one_answered_frame_has_no_spread():
    """Trap: a method that fails on all frames but one would be perfectly steady."""
    given_ = np.array([[1, 1], [np.nan, np.nan], [2, 2]], float)
    got = gaze.msd_per_sequence(given_, np.array([0, 0, 1]), 3)
    assert np.isnan(got).all()


def test_dots_average_answers_before_measuring():
    truth = np.zeros((4, 2))
    given_ = np.array([[-3, 0], [3, 0], [0, 4], [np.nan, np.nan]], float)
    np.testing.assert_array_equal(
        gaze.dot_error_cm(truth, given_, np.array([0, 0, 1, 1]), 2), [0, 4]
    )


def test_rows_outside_sequences_count_nowhere():
    truth, given_ = np.zeros((3, 2)), np.array([[1, 0], [9, 9], [1, 0]], float)
    codes = np.array([0, -1, 0])
    assert gaze.dot_error_cm(truth, given_, codes, 1)[0] == 1
    assert gaze.msd_per_sequence(given_, codes, 1)[0] == 0


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 999), count=st.integers(1, 40))
def test_sequences_equal_slow_loops(seed, count):
    rng = np.random.default_rng(seed)
    truth, given_ = rng.normal(0, 5, (2, count, 2))
    given_[rng.random(count) < 0.2] = np.nan
    codes = rng.integers(-1, 4, count)
    dots, spreads = (
        gaze.dot_error_cm(truth, given_, codes, 4),
        gaze.msd_per_sequence(given_, codes, 4),
    )
    for code in range(4):
        rows = [
            row for row in range(count) if codes[row] == code and not math.isnan(given_[row, 0])
        ]
        if not rows:
            assert math.isnan(dots[code])
            continue
        mean = [sum(given_[row, axis] for row in rows) / len(rows) for axis in (0, 1)]
        wanted = [sum(truth[row, axis] for row in rows) / len(rows) for axis in (0, 1)]
        assert dots[code] == pytest.approx(math.dist(mean, wanted), abs=1e-12)
        spread = math.sqrt(sum(math.dist(given_[row], mean) ** 2 for row in rows) / len(rows))
        assert spreads[code] == pytest.approx(
            spread if len(rows) > 1 else math.nan, abs=1e-12, nan_ok=True
        )


@settings(max_examples=30, deadline=None)
@given(st.tuples(st.floats(-50, 50), st.floats(-50, 50)), st.floats(0.1, 9))
def test_msd_survives_a_shift_and_scales(shift, scale):
    given_ = np.random.default_rng(0).normal(0, 3, (12, 2))
    codes = np.arange(12) // 4
    expected = gaze.msd_per_sequence(given_, codes, 3)
    np.testing.assert_allclose(
        gaze.msd_per_sequence(given_ * scale + shift, codes, 3), expected * scale, rtol=1e-9
    )


def test_averaging_a_dot_never_hurts():
    rng = np.random.default_rng(1)
    truth = np.repeat(rng.normal(0, 5, (6, 2)), 5, axis=0)
    given_ = truth + rng.normal(0, 2, truth.shape)
    codes = np.arange(30) // 5
    assert (
        gaze.dot_error_cm(truth, given_, codes, 6)
        <= gaze.distance_cm(truth, given_).reshape(6, 5).mean(axis=1)
    ).all()


# --- rules of other code --------------------------------------------------------------------------


def vectors(count=200, off_rad=0.1):
    rng = np.random.default_rng(2)
    truth = rng.uniform(-0.4, 0.4, (count, 2))
    return geometry.angles_to_vectors(truth), geometry.angles_to_vectors(
        truth + rng.normal(0, off_rad, truth.shape)
    )


@pytest.mark.parametrize(
    ("rule", "floor"), [("faze", 0.08103), ("gazetr", 0.02562), ("eth_xgaze", 0.0)]
)
def test_clips_have_the_floors_that_the_table_says(rule, floor):
    truth, _ = vectors()
    assert gaze.PARITY_RULES[rule].error(truth, truth).mean() == pytest.approx(floor, abs=2e-5)


@pytest.mark.parametrize("rule", ["exact", "faze", "gazetr", "eth_xgaze"])
def test_away_from_zero_they_agree(rule):
    truth, given_ = vectors()
    apart = gaze.angular_error_deg(truth, given_) > 1
    np.testing.assert_allclose(
        gaze.PARITY_RULES[rule].error(truth, given_)[apart],
        gaze.angular_error_deg(truth, given_)[apart],
        atol=1e-5,
    )


def test_the_mean_of_two_axes_is_no_angle():
    """Trap: half of a pure yaw error; an error table in these 'degrees' is a third lower."""
    truth, given_ = (geometry.angles_to_vectors(np.radians([[0.0, yaw]])) for yaw in (0.0, 10.0))
    assert gaze.mean_axis_deg(truth, given_)[0] == pytest.approx(5)
    assert gaze.pitch_yaw_plane_deg(truth, given_)[0] == pytest.approx(10)
    high, given_ = (geometry.angles_to_vectors(np.radians([[60.0, yaw]])) for yaw in (0.0, 10.0))
    assert gaze.pitch_yaw_plane_deg(high, given_)[0] > 1.9 * gaze.angular_error_deg(high, given_)[0]


def test_yaw_goes_the_short_way_round():
    truth, given_ = (
        geometry.angles_to_vectors(np.radians([[0.0, yaw]])) for yaw in (179.0, -179.0)
    )
    assert gaze.pitch_yaw_plane_deg(truth, given_)[0] == pytest.approx(2)


def test_shapes_are_checked():
    with pytest.raises(ValueError, match=r"must both be \(N, 3\)"):
        gaze.angular_error_deg(np.zeros((2, 2)), np.zeros((2, 2)))
