"""What else people print: parts of the face, RMSE over points, medians, (w + h)/2, by hand."""

import dataclasses

import numpy as np
import pytest

from benchbox.analysis import compare
from benchbox.errors import ProtocolError
from benchbox.layouts import IBUG68, LAYOUTS
from benchbox.metrics import aggregate, landmarks
from benchbox.metrics.metric_names import (
    describe_convention,
    is_further_error,
    list_metrics,
    parse_metric,
    short_convention,
    split_convention,
)
from benchbox.protocols import consistency, protocol_card
from benchbox.scoring import score
from benchbox.types import Predictions

from .test_score import CARD, answers, toy_truth

PARTS = ("contour", "brows", "eyes", "nose", "mouth")


def card(*metrics, **changes):
    return dataclasses.replace(CARD, metrics=metrics, auc=(), fr=(), **changes)


def off_by(points, px, rest=0.0):
    """Predictions of four faces off by `px` at some points and by `rest` at the others."""
    truth = toy_truth()
    values = truth.values.copy()
    values[..., 0] += rest
    values[:, points, 0] += px - rest
    return truth, Predictions(truth.ids, values, np.zeros(4, bool))


@pytest.mark.parametrize("name", PARTS)
def test_a_part_is_divided_by_the_normaliser_of_the_whole_face(name):
    """G&LSR's Table 1; trap: a nose divided by its own size. Eye corners are 100 px apart."""
    points = landmarks.part_points(IBUG68, name)
    truth, given = off_by(points, 7.0, rest=1.0)
    metrics = [f"nme_inter_ocular_{part}" for part in PARTS]
    found = score.score_predictions(card(*metrics), truth, given).groups["all"]
    for part, metric in zip(PARTS, metrics, strict=True):
        assert found[metric].value == pytest.approx(7.0 if part == name else 1.0)
    whole = (7 * len(points) + 68 - len(points)) / 68
    assert found["nme_inter_ocular"].value == pytest.approx(whole)


def test_the_parts_are_those_of_the_papers_table():
    sizes = [len(landmarks.part_points(IBUG68, name)) for name in PARTS]
    assert sizes == [17, 10, 12, 9, 20]
    assert len(landmarks.part_points(LAYOUTS["wflw98"], "contour")) == 33
    assert landmarks.part_points(LAYOUTS["five"], "contour") == []


def test_rmse_over_points_by_hand():
    """34 points off by 3 px and 34 by 4: √((9 + 16)/2), and 3.5 as a mean."""
    truth, given = off_by(list(range(34)), 3.0, rest=4.0)
    found = score.score_predictions(card("rmse_inter_ocular"), truth, given).groups["all"]
    assert found["rmse_inter_ocular"].value == pytest.approx(np.sqrt(12.5))
    assert found["nme_inter_ocular"].value == pytest.approx(3.5)
    assert found["rmse_inter_ocular"].unit == "%"
    visible = np.ones((4, 68), bool)
    visible[:, :34] = False
    got = landmarks.rms_errors(truth.values, given.values, visible=visible)
    assert got == pytest.approx([4.0] * 4)


@pytest.mark.parametrize(
    ("off", "failed", "median"),
    [([1, 2, 9, 90], (), 5.5), ([1, 2, 9, 90], (3,), 2.0), ([5, 5, 5, 5], (), 5.0)],
)
def test_the_median_face_by_hand_without_an_interval(off, failed, median):
    truth = toy_truth()
    found = score.score_predictions(
        card("median_inter_ocular"), truth, answers(truth, off, failed=failed)
    )
    entry = found.groups["all"]["median_inter_ocular"]
    assert (entry.value, entry.low, entry.high) == (pytest.approx(median), None, None)
    known = [error for row, error in enumerate(off) if row not in failed]
    assert entry.value == pytest.approx(np.median(known))


def test_a_median_is_not_compared(tmp_path):
    assert not compare._is_mean("median_inter_ocular")
    assert compare._is_mean("nme_inter_ocular_nose")
    assert compare._is_mean("loss_of_2031")


def test_mean_side_is_half_of_width_plus_height():
    truth = np.full((1, 68, 2), 50.0)
    truth[0, 0], truth[0, 8] = [10.0, 50.0], [50.0, 70.0]
    assert landmarks.normaliser_lengths("mean_side", truth, IBUG68).tolist() == [30.0]
    scored = card(normalisers=("mean_side",))
    faces = toy_truth()
    side = np.ptp(faces.values[0], axis=0).mean()
    got = score.score_predictions(scored, faces, answers(faces, [3] * 4)).groups["all"]
    assert got["nme_mean_side"].value == pytest.approx(100 * 3 / side)


@pytest.mark.parametrize(
    ("name", "convention", "words"),
    [
        ("nme_inter_ocular_nose", "inter_ocular_nose", "inter-ocular, nose"),
        ("nme_mean_side_51_brows", "mean_side_51_brows", "mean side, brows, 51 points"),
        ("rmse_diagonal_eyes_visible", "diagonal_eyes_visible", "diagonal, eyes, visible only"),
        ("fr_0.08_inter_ocular_mouth", "inter_ocular_mouth", "inter-ocular, mouth"),
        ("median_height", "height", "height"),
    ],
)
def test_names_say_everything(name, convention, words):
    metric = parse_metric(name)
    assert (str(metric), metric.convention) == (name, convention)
    assert short_convention(convention) == words
    assert describe_convention(convention).endswith(words.partition(", ")[2])
    assert split_convention(convention)[1:] == (metric.points, metric.visible)


def test_a_card_names_them_under_its_own_normalisers_and_nothing_else_changes():
    plain = protocol_card.load_protocol("300w-full")
    wide = dataclasses.replace(plain, metrics=("nme_inter_ocular_nose", "median_inter_pupil"))
    assert list_metrics(wide) == [*list_metrics(plain), *wide.metrics]
    assert consistency._metrics_fit_task(wide) is None
    for name in ("nme_inter_ocular", "nme_height_nose", "rmse_inter_ocular_visible", "nonsense"):
        assert not is_further_error(name, plain), name
    refused = dataclasses.replace(plain, metrics=("nme_height_nose",))
    assert "under the card's own normalisers" in str(consistency._metrics_fit_task(refused))


def test_a_part_that_the_layout_does_not_have_is_refused():
    truth = toy_truth()
    protocol = card("nme_inter_ocular_contour", layout="ibug68")
    without = dataclasses.replace(IBUG68, parts={"nose": (27,)})
    with pytest.raises(ProtocolError, match="has no such points; its parts are nose"):
        score.error_table._further_errors(
            protocol, without, truth, truth.values, parse_metric("nme_inter_ocular_contour")
        )


def test_terms_of_the_median_are_the_middle_items():
    rows = {"nme_height": np.array([0.5, 0.1, np.inf, 0.3, 0.2])}
    terms = aggregate.metric_terms("median_height", rows)
    assert terms.counts.tolist() == [0, 0, 0, 1, 1]
    assert terms.score == pytest.approx(25.0)


# --- balanced over groups -------------------------------------------------------------------------


def balanced_card(**groups):
    return card(
        "nme_inter_ocular_balanced",
        groups={"all": ("test",), **dict.fromkeys(groups, ("test",))},
    )


def test_a_balanced_error_is_the_mean_of_the_groups_means():
    """AFLW2000-3D's printed mean: three groups by yaw of 1,312, 383 and 305 faces count alike."""
    truth, given = off_by(range(68), 1.0)
    given.values[3, :, 0] += 6.0
    groups = {"front": np.array([1, 1, 1, 0], bool), "side": np.array([0, 0, 0, 1], bool)}
    truth = dataclasses.replace(truth, groups={"all": np.ones(4, bool), **groups})
    found = score.score_predictions(balanced_card(**groups), truth, given).groups
    assert found["all"]["nme_inter_ocular"].value == pytest.approx((1 + 1 + 1 + 7) / 4)
    assert found["all"]["nme_inter_ocular_balanced"].value == pytest.approx((1 + 7) / 2)
    assert found["side"]["nme_inter_ocular_balanced"].value == pytest.approx(7.0)
    given.failed[0] = True  # the rest of its group stands for it
    found = score.score_predictions(balanced_card(**groups), truth, given).groups
    assert found["all"]["nme_inter_ocular_balanced"].value == pytest.approx((1 + 7) / 2)


def test_groups_that_share_faces_have_no_balanced_error():
    truth, given = off_by(range(68), 1.0)
    groups = {"front": np.array([1, 1, 1, 0], bool), "side": np.array([0, 0, 1, 1], bool)}
    truth = dataclasses.replace(truth, groups={"all": np.ones(4, bool), **groups})
    with pytest.raises(ProtocolError, match="side and front share items"):
        score.score_predictions(balanced_card(**groups), truth, given)


def test_balanced_is_a_name_of_means_alone():
    assert parse_metric("nme_face_size_balanced").column == "nme_face_size"
    assert parse_metric("nme_face_size_balanced").title == "NME, mean of groups"
    for name in ("auc_0.07_face_size_balanced", "rmse_face_size_balanced"):
        with pytest.raises(ValueError, match="no metric name"):
            parse_metric(name)
    metric = "nme_inter_ocular_balanced"
    assert not is_further_error(metric, card(groups={"all": ("test",), "one": ("test",)}))
    assert is_further_error(metric, balanced_card(front=0, side=0))
