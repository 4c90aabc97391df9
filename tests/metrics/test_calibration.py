"""k-shot calibration: what calibrates is not scored, dots are drawn whole, people are named."""

from itertools import combinations

import numpy as np
import pytest

from benchbox.geometry import angles_to_vectors
from benchbox.metrics import aggregate, calibration, gaze
from benchbox.metrics.metric_names import is_task_metric, parse_metric


@pytest.fixture
def random():
    return np.random.default_rng(5)


def test_every_subset_is_left_out_of_its_own_score(random):
    """A brute-force twin; scoring the calibration frames, too, gives less."""
    truth = random.normal(0, 3, (7, 2))
    given = truth + np.array([2.0, -1.0]) + random.normal(0, 1, (7, 2))
    people = np.full(7, "a")
    errors = calibration.calibrated_errors(truth, given, people, None, np.ones(7, bool), 2)
    per_draw, with_them = [], []
    for draw in combinations(range(7), 2):
        moved = given + (truth - given)[list(draw)].mean(axis=0)
        distance = gaze.distance_cm(truth, moved)
        rest = [row for row in range(7) if row not in draw]
        per_draw.append(distance[rest].mean())
        with_them.append(distance.mean())
    assert errors.mean() == pytest.approx(np.mean(per_draw), abs=1e-12)
    assert errors.mean() > np.mean(with_them) + 0.1


def test_yaw_goes_the_short_way_round():
    """Labels at +179°, answers at -179°: an offset of -358° would be a full turn, 2° are right."""
    truth = angles_to_vectors(np.radians([[0.0, 179.0]] * 4))
    given = angles_to_vectors(np.radians([[0.0, -179.0]] * 4))
    errors = calibration.calibrated_errors(truth, given, np.full(4, "a"), None, np.ones(4, bool), 1)
    np.testing.assert_allclose(errors, 0, atol=1e-9)
    mixed = angles_to_vectors(np.radians([[0.0, -179.0], [0.0, 177.0]] * 2))
    errors = calibration.calibrated_errors(truth, mixed, np.full(4, "a"), None, np.ones(4, bool), 2)
    assert errors.max() < 4.1  # an offset that mixed -358° with 2° would be off by half a turn


def test_no_frame_of_a_drawn_dot_is_scored():
    """Frames of one dot are one point: each dot has an error of its own, gone where it is drawn."""
    dots = np.array(["d1", "d1", "d2", "d2"])
    truth = np.zeros((4, 2))
    given = np.array([[1.0, 0.0], [1.0, 0.0], [5.0, 0.0], [5.0, 0.0]])
    people = np.full(4, "a")
    errors = calibration.calibrated_errors(truth, given, people, dots, np.ones(4, bool), 1)
    assert errors.tolist() == [4.0, 4.0, 4.0, 4.0]  # without dots: 0 from a frame's own dot


def test_short_people_do_not_count_and_are_named(random):
    truth = random.normal(0, 3, (9, 2))
    given = truth + random.normal(0, 1, (9, 2))
    people = np.array(["a"] * 6 + ["b"] * 3)
    answered = np.ones(9, bool)
    errors = calibration.calibrated_errors(truth, given, people, None, answered, 2)
    assert np.isfinite(errors[:6]).all()
    assert np.isnan(errors[6:]).all()
    assert calibration.people_left_out(people, None, answered, 2) == ["b"]
    answered[0] = False
    unanswered = calibration.calibrated_errors(truth, given, people, None, answered, 2)
    assert np.isinf(unanswered[0])
    assert np.isfinite(unanswered[1:6]).all()


def test_draws_of_many_frames_are_seeded_by_the_name(random):
    truth = random.normal(0, 3, (60, 2))
    given = truth + 1.0 + random.normal(0, 1, (60, 2))
    people, answered = np.full(60, "a"), np.ones(60, bool)
    first, again = (
        calibration.calibrated_errors(truth, given, people, None, answered, 9) for _ in range(2)
    )
    np.testing.assert_array_equal(first, again)
    assert 1.1 < first.mean() < 1.5  # noise alone: 1.25, times sqrt(1 + 1/9)


def test_the_metric_is_a_mean_of_people_and_named_by_k():
    rows = {
        "error_cm_calibrated_3": np.array([1.0, 3.0, 6.0, np.nan]),
        "cluster": np.array([0, 0, 1, 2]),
    }
    assert aggregate.metric_terms("error_cm_calibrated_3", rows).score == 4.0
    metric = parse_metric("error_cm_calibrated_3")
    assert (metric.name, metric.shots, metric.unit) == ("error_cm_calibrated_3", 3, "cm")
    assert is_task_metric("error_cm_calibrated_3", "gaze2d")
    for name in ("error_cm_calibrated_0", "error_cm_calibrated_", "error_px_calibrated_3"):
        with pytest.raises(ValueError, match="no metric name"):
            parse_metric(name)
    assert not is_task_metric("error_cm_calibrated_3", "gaze3d")


def test_the_uncalibrated_error_is_of_the_same_frames():
    """The trap: a person whose dots differ in frames is not scored alike before and after."""
    truth = np.array([[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [4.0, 0.0]])
    predictions = truth + np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [5.0, 0.0]])
    people = np.array(["a"] * 4)
    dots = np.array(["centre", "centre", "centre", "edge"])
    given = (truth, predictions, people, dots, np.ones(4, bool), 1)
    plain = calibration.calibrated_errors(*given, plain=True)
    assert plain.tolist() == [1.0, 1.0, 1.0, 5.0]
    # of a draw at the edge the centre is scored with an offset of -5, and the other way round -1
    assert calibration.calibrated_errors(*given).tolist() == [4.0, 4.0, 4.0, 4.0]
    lone = np.array(["a", "a", "a", "b"])
    left = calibration.calibrated_errors(truth, predictions, lone, None, given[4], 1, plain=True)
    assert left[:3].tolist() == [1.0, 1.0, 1.0]
    assert np.isnan(left[3])  # too few dots: in neither figure
