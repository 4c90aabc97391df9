"""Metric names taken apart, and numbers as printed."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from benchbox.metrics import aggregate, landmarks, metric_names, number_format
from benchbox.papers import reference_rows
from benchbox.protocols import describe, protocol_card
from benchbox.types import Score


@pytest.mark.parametrize(
    ("name", "measure", "threshold", "convention", "unit"),
    [
        ("nme_inter_ocular", "nme", None, "inter_ocular", "%"),
        ("nme_inter_pupil_51", "nme", None, "inter_pupil_51", "%"),
        ("auc_0.08_inter_ocular", "auc", 0.08, "inter_ocular", "1"),
        ("auc_5e-05_inter_ocular", "auc", 5e-5, "inter_ocular", "1"),
        ("fr_0.1_face_size_49", "fr", 0.1, "face_size_49", "%"),
        ("error_cm", "error", None, "cm", "cm"),
        ("msd_cm", "msd", None, "cm", "cm"),
        ("error_cm_dot", "error", None, "cm", "cm"),
        ("error_deg_person", "error", None, "deg", "deg"),
        ("bias_px", "bias", None, "px", "px"),
        ("nme_inter_ocular_visible", "nme", None, "inter_ocular_visible", "%"),
        ("fr_0.08_inter_ocular_51_visible", "fr", 0.08, "inter_ocular_51_visible", "%"),
    ],
)
def test_a_metric_name_is_taken_apart_and_put_together(name, measure, threshold, convention, unit):
    metric = metric_names.parse_metric(name)
    assert (metric.measure, metric.threshold, metric.convention, metric.unit) == (
        measure,
        threshold,
        convention,
        unit,
    )
    assert str(metric) == metric.name == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "nme_x",
        "nme_0.08_inter_ocular",
        "auc_inter_ocular",
        "auc_0.080_inter_ocular",  # the trap: a second name of one metric
        "nme_inter_ocular_051",
        "bias_cm",
        "error_cm_frame",
        "<odd>",
    ],
)
def test_what_is_no_metric_is_refused_and_stored_names_stand_for_themselves(name):
    with pytest.raises(ValueError, match="is no metric name"):
        metric_names.parse_metric(name)
    stored = metric_names.parse_stored_metric(name)
    assert (stored.name, stored.title, stored.convention, stored.unit) == (name, name, name, "")


def test_every_metric_of_every_card_is_read_back():
    for name in protocol_card.protocol_names():
        card = protocol_card.load_protocol(name)
        for metric in metric_names.list_metrics(card):
            assert str(metric_names.parse_metric(metric)) == metric


def test_every_metric_has_its_words_and_its_computation():
    assert set(metric_names.NORMALISERS) == set(landmarks.NORMALISER_FUNCTIONS)
    assert set(metric_names.NORMALISERS) < set(metric_names.SHORT_NAMES)
    assert set(metric_names.TASKS) == set(metric_names.TASK_METRICS)
    for names in metric_names.TASK_METRICS.values():
        assert set(names) <= set(describe._METRIC_MEANING)


def test_names_are_read_without_numpy():
    code = "import sys; from benchbox.metrics import metric_names; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.fixture
def demo():
    card = protocol_card.load_protocol("300w-full")
    return replace(
        card, normalisers=("inter_ocular", "inter_pupil"), points=(51,), auc=(0.08,), fr=(0.08,)
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
    assert metric_names.parse_metric("nme_inter_ocular").lower_is_better
    assert not metric_names.parse_metric("auc_0.08_inter_ocular").lower_is_better
    assert not metric_names.parse_metric("auc_5e-05_inter_ocular").lower_is_better


def test_words():
    assert (
        metric_names.describe_convention("inter_pupil_51")
        == "error over inter-pupil distance (centres of the eyes), 51 points"
    )
    assert metric_names.short_convention("inter_ocular") == "inter-ocular"
    assert metric_names.describe_convention("cm") == "error in centimetres"


def test_numbers():
    assert number_format.format_number(3.414, "%") == "3.41"
    assert number_format.format_number(0.62149, "1") == "0.621"
    assert number_format.format_number(-1e-17, "1") == "0.000"  # the trap: an AUC of minus zero
    assert number_format.format_number(None, "%") == "–"
    assert number_format.format_number(float("inf"), "%") == "–"
    assert number_format.format_interval(Score(3.0, "%", 2.5, 3.5)) == "2.50–3.50"
    assert number_format.format_interval(Score(3.0, "%")) == ""


def test_a_curve_ends_at_the_largest_threshold(demo):
    assert number_format.ced_limit(demo) == 0.08
    assert number_format.ced_limit(replace(demo, auc=(), fr=(0.1,))) == 0.1


def test_a_measure_names_the_errors_that_it_is_made_of():
    columns = {
        "auc_0.08_inter_ocular_51": "nme_inter_ocular_51",
        "error_deg_person": "error_deg",
        "msd_cm": "msd_cm",
    }
    assert {name: metric_names.parse_metric(name).column for name in columns} == columns
    assert metric_names.parse_metric("error_deg_person").title == "Error, mean of persons"


def test_sizes():
    assert [number_format.format_count(n) for n in (None, 950, 257_828, 48_496_768, 4.4e9)] == [
        "–",
        "950",
        "258 k",
        "48.5 M",
        "4.4 G",
    ]


@pytest.mark.parametrize("name", ["bias_px", "auc_5e-05_inter_ocular", "error_cm_dot"])
def test_cards_scorer_and_reference_rows_agree_on_a_metric(name):
    """The trap: seven parsers, of which one refused bias_px and one ranked a small AUC as NME."""
    metric = metric_names.parse_metric(name)
    rows = {metric.column: np.array([0.0, 1.0]), "sequence": np.array([0, 1])}
    terms = aggregate.metric_terms(name, rows)
    assert (terms.unit, terms.lower_is_better) == (metric.unit, metric.measure != "auc")
    assert terms.score == 0.5

    def refuse(column, reason):
        pytest.fail(f"{column}: {reason}")

    row = {"metric": name, "normaliser": metric.normaliser, "apart": "", "unit": metric.unit}
    reference_rows._check_metric(refuse, row)
