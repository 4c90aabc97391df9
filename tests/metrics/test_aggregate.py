"""Metric names to terms: every kind of metric by hand, on one small table of errors."""

import math

import numpy as np
import pytest

from benchbox.metrics import aggregate


def table(**columns):
    arrays = {name: np.asarray(column) for name, column in columns.items()}
    rows = np.empty(
        len(next(iter(arrays.values()))), [(name, column.dtype) for name, column in arrays.items()]
    )
    for name, column in arrays.items():
        rows[name] = column
    return rows


LANDMARKS = table(
    nme_inter_ocular=[0.02, 0.04, 0.10, math.inf],
    nme_inter_ocular_visible=[0.01, math.nan, 0.10, math.inf],
    nme_inter_ocular_51=[0.01, 0.01, 0.02, math.inf],
    cluster=np.array([0, 0, 1, 2], np.int32),
)
GAZE = table(
    error_cm=[1.0, 3.0, 5.0, math.inf, 2.0],
    error_cm_dot=[2.0, 2.0, 6.0, 6.0, math.nan],
    msd_cm=[1.0, 1.0, math.nan, math.nan, math.nan],
    sequence=np.array([0, 0, 1, 1, -1], np.int32),
    cluster=np.array([0, 0, 1, 1, 1], np.int32),
)


@pytest.mark.parametrize(
    ("metric", "unit", "falls", "score"),
    [
        ("nme_inter_ocular", "%", True, 16 / 3),
        ("nme_inter_ocular_visible", "%", True, 5.5),
        ("nme_inter_ocular_51", "%", True, 4 / 3),
        ("auc_0.08_inter_ocular", "1", False, (0.75 + 0.5) / 4),
        ("auc_0.1_inter_ocular", "1", False, (0.8 + 0.6) / 4),
        ("fr_0.08_inter_ocular", "%", True, 50.0),
        ("fr_0.1_inter_ocular_51", "%", True, 25.0),
    ],
)
def test_landmarks_by_hand(metric, unit, falls, score):
    got = aggregate.metric_terms(metric, LANDMARKS)
    assert (got.unit, got.lower_is_better) == (unit, falls)
    assert got.score == pytest.approx(score, rel=1e-14)
    assert np.isfinite(got.values).all()


@pytest.mark.parametrize(
    ("metric", "unit", "score"),
    [
        ("error_cm", "cm", 11 / 4),
        ("error_cm_person", "cm", (2.0 + 3.5) / 2),
        ("error_cm_dot", "cm", 4.0),
        ("msd_cm", "cm", 1.0),
    ],
)
def test_gaze_by_hand(metric, unit, score):
    got = aggregate.metric_terms(metric, GAZE)
    assert (got.unit, got.lower_is_better) == (unit, True)
    assert got.score == pytest.approx(score, rel=1e-14)


def test_a_mean_of_persons_is_no_mean_of_frames():
    """Trap: 'average error' of leave-one-person-out sets weighs persons alike, whatever their
    number of frames.
    """
    rows = table(error_deg=[1.0, 1.0, 1.0, 9.0], cluster=np.array([0, 0, 0, 1], np.int32))
    assert aggregate.metric_terms("error_deg", rows).score == 3.0
    assert aggregate.metric_terms("error_deg_person", rows).score == 5.0


def test_counts_are_taken_among_the_rows_that_are_given():
    first = GAZE["cluster"] == 1
    got = aggregate.metric_terms("error_cm_person", GAZE[first])
    assert got.score == 3.5
    assert got.counts.sum() == pytest.approx(1.0)
    half = GAZE[[0, 4]]  # one frame of a sequence stands for it
    assert aggregate.metric_terms("msd_cm", half).score == 1.0


def test_who_counts():
    assert aggregate.counted_rows("nme_inter_ocular", LANDMARKS).tolist() == [
        True,
        True,
        True,
        False,
    ]
    assert aggregate.counted_rows("nme_inter_ocular_visible", LANDMARKS).tolist() == [
        True,
        False,
        True,
        False,
    ]
    assert aggregate.counted_rows("fr_0.08_inter_ocular", LANDMARKS).all()
    assert aggregate.counted_rows("error_cm", GAZE).tolist() == [True, True, True, False, True]


def test_nobody_is_none():
    assert aggregate.metric_terms("nme_inter_ocular", LANDMARKS[3:]).score is None
    assert aggregate.metric_terms("msd_cm", GAZE[2:]).score is None


@pytest.mark.parametrize("metric", ["nme_inter_pupil", "wit", "msd_cm"])
def test_a_metric_without_a_column_is_refused(metric):
    with pytest.raises((KeyError, ValueError), match=metric.removeprefix("nme_")):
        aggregate.metric_terms(metric, LANDMARKS)


def test_an_error_on_the_threshold_is_no_failure_in_what_a_board_prints():
    """Trap: `curves.failure_rate` was tested, and every published FR comes from these terms."""
    rows = {"nme_inter_ocular": np.array([0.08, 0.1, np.nextafter(0.08, 1)])}
    terms = aggregate.metric_terms("fr_0.08_inter_ocular", rows)
    assert terms.values.tolist() == [0.0, 100.0, 100.0]
    assert aggregate.metric_terms("fr_0.1_inter_ocular", rows).score == 0.0
