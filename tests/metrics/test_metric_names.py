"""Metric names taken apart, and numbers as printed."""

from dataclasses import replace

import pytest

from benchbox.metrics import metric_names
from benchbox.types import Score


@pytest.mark.parametrize(
    ("name", "measure", "threshold", "convention", "unit"),
    [
        ("nme_inter_ocular", "nme", "", "inter_ocular", "%"),
        ("nme_inter_pupil_51", "nme", "", "inter_pupil_51", "%"),
        ("auc_0.08_inter_ocular", "auc", "0.08", "inter_ocular", "1"),
        ("fr_0.1_face_size_49", "fr", "0.1", "face_size_49", "%"),
        ("error_cm", "error", "", "cm", "cm"),
        ("msd_cm", "msd", "", "cm", "cm"),
        ("error_cm_dot", "error", "", "cm", "cm"),
        ("error_deg_person", "error", "", "deg", "deg"),
        ("bias_px", "bias", "", "px", "px"),
        ("nme_inter_ocular_visible", "nme", "", "inter_ocular_visible", "%"),
        ("fr_0.08_inter_ocular_51_visible", "fr", "0.08", "inter_ocular_51_visible", "%"),
        ("<odd>", "<odd>", "", "<odd>", ""),
    ],
)
def test_a_metric_name_is_taken_apart(name, measure, threshold, convention, unit):
    metric = metric_names.parse_metric(name)
    assert (metric.measure, metric.threshold, metric.convention, metric.unit) == (
        measure,
        threshold,
        convention,
        unit,
    )


def test_conventions_follow_the_card_and_all_points_come_first(demo):
    names = [
        "fr_0.1_inter_ocular",
        "auc_0.1_inter_ocular",
        "fr_0.08_inter_ocular",
        "nme_inter_ocular_51",
    ]
    names += ["auc_0.08_inter_ocular", "nme_inter_pupil", "nme_inter_ocular"]
    ordered = metric_names.group_by_convention(names, demo)
    assert list(ordered) == ["inter_ocular", "inter_pupil", "inter_ocular_51"]
    assert [metric.title for metric in ordered["inter_ocular"]] == [
        "NME",
        "AUC @ 0.08",
        "Failure rate @ 0.08",
        "AUC @ 0.1",
        "Failure rate @ 0.1",
    ]
    assert (
        next(
            iter(
                metric_names.group_by_convention(names, replace(demo, normalisers=("inter_pupil",)))
            )
        )
        == "inter_pupil"
    )


def test_smaller_is_better_except_for_auc():
    assert metric_names.parse_metric("nme_inter_ocular").falls
    assert not metric_names.parse_metric("auc_0.08_inter_ocular").falls


def test_words():
    assert (
        metric_names.describe_convention("inter_pupil_51")
        == "error over inter-pupil distance (centres of the eyes), 51 points"
    )
    assert metric_names.short_convention("inter_ocular") == "inter-ocular"
    assert metric_names.describe_convention("cm") == "error in centimetres"


def test_numbers():
    assert metric_names.format_number(3.414, "%") == "3.41"
    assert metric_names.format_number(0.62149, "1") == "0.621"
    assert metric_names.format_number(-1e-17, "1") == "0.000"  # the trap: an AUC of minus zero
    assert metric_names.format_number(None, "%") == "–"
    assert metric_names.format_number(float("inf"), "%") == "–"
    assert metric_names.format_interval(Score(3.0, "%", 2.5, 3.5)) == "2.50–3.50"
    assert metric_names.format_interval(Score(3.0, "%")) == ""


def test_a_curve_ends_at_the_largest_threshold(demo):
    assert metric_names.ced_limit(demo) == 0.08
    assert metric_names.ced_limit(replace(demo, auc=(), fr=(0.1,))) == 0.1


def test_a_measure_names_the_errors_that_it_is_made_of():
    columns = {
        "auc_0.08_inter_ocular_51": "nme_inter_ocular_51",
        "error_deg_person": "error_deg",
        "msd_cm": "msd_cm",
    }
    assert {name: metric_names.parse_metric(name).column for name in columns} == columns
    assert metric_names.parse_metric("error_deg_person").title == "Error, mean of persons"


def test_sizes():
    assert [metric_names.format_count(n) for n in (None, 950, 257_828, 48_496_768, 4.4e9)] == [
        "–",
        "950",
        "258 k",
        "48.5 M",
        "4.4 G",
    ]
