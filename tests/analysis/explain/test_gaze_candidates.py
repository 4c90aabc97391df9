"""Gaze slips made on purpose are named, with units, averages and rules of other code."""

import dataclasses
import math

import numpy as np
import pytest

from benchbox import geometry
from benchbox.analysis import explain
from benchbox.analysis.explain import convention_grid, gaze_candidates
from benchbox.metrics import gaze as errors_of
from benchbox.protocols import protocol_card as protocols
from benchbox.scoring import score
from benchbox.types import Predictions, Truth

PEOPLE, DOTS, FRAMES = 6, 3, 4
ROWS = PEOPLE * DOTS * FRAMES


@pytest.fixture
def screen():
    """Six people look at three dots each, four frames a dot; the last person has few frames."""
    rng = np.random.default_rng(0)
    dots = np.repeat(rng.uniform([-3, -9], [6, -1], (PEOPLE * DOTS, 2)), FRAMES, axis=0)
    keep = np.ones(ROWS, bool)
    keep[-FRAMES * DOTS :] = np.arange(FRAMES * DOTS) < 5
    people = np.repeat([f"p{k}" for k in range(PEOPLE)], DOTS * FRAMES)[keep]
    sequences = np.repeat([f"p{k // DOTS}/{k % DOTS}" for k in range(PEOPLE * DOTS)], FRAMES)[keep]
    ids = np.arange(ROWS).astype(str)[keep]
    groups = {"total": np.ones(len(ids), bool), "phone": people < "p3"}
    truth = Truth(ids, dots[keep], groups, people, sequences=sequences)
    metrics = ("error_cm", "error_cm_dot", "error_cm_person", "msd_cm")
    return dataclasses.replace(
        protocols.load_protocol("gazecapture"), metrics=metrics, resamples=100
    ), truth


@pytest.fixture
def sight():
    rng = np.random.default_rng(1)
    angles = rng.uniform([-0.5, -0.4], [0.2, 0.6], (120, 2))
    people = np.repeat([f"p{k}" for k in range(6)], 20)
    keep = np.arange(120) < 110
    truth = Truth(
        np.arange(110).astype(str),
        geometry.angles_to_vectors(angles[keep]),
        {"unseen": np.ones(110, bool)},
        people[keep],
    )
    card = protocols.load_protocol("mpiigaze-small")
    return dataclasses.replace(
        card, metrics=("error_deg", "error_deg_person"), resamples=100
    ), truth


def answer(truth, values, failed=()):
    flags = np.isin(np.arange(len(values)), failed)
    return Predictions(truth.ids, np.where(flags[:, None], np.nan, values), flags)


def fair(truth, off, seed=2):
    return truth.values + np.random.default_rng(seed).normal(0, off, truth.values.shape)


def landing(case, answers, claimed, metric, group):
    protocol, truth = case
    found = convention_grid.measure_variants(
        gaze_candidates.gaze_axes(protocol, truth, answers, metric, group),
        gaze_candidates.gaze_measure(protocol, truth, answers),
    )
    return [
        variant.name
        for variant in convention_grid.nearest_variants(
            found, convention_grid.Claim.read(f"{claimed:.8f}")
        )[0]
    ]


@pytest.mark.parametrize("metric", ["error_cm", "error_cm_dot", "error_cm_person", "msd_cm"])
@pytest.mark.parametrize("group", ["total", "phone"])
def test_the_card_itself_is_the_first_variant_on_the_screen(screen, metric, group):
    protocol, truth = screen
    answers = answer(truth, fair(truth, 1.0), failed=(0, 7))
    value = score.score_predictions(protocol, truth, answers).groups[group][metric].value
    assert landing(screen, answers, value, metric, group)[0] == "as the card says"


@pytest.mark.parametrize("metric", ["error_deg", "error_deg_person"])
def test_the_card_itself_is_the_first_variant_in_space(sight, metric):
    protocol, truth = sight
    answers = answer(truth, fair(truth, 0.05), failed=(3,))
    value = score.score_predictions(protocol, truth, answers).groups["unseen"][metric].value
    assert landing(sight, answers, value, metric, "unseen")[0] == "as the card says"


def test_units_averages_and_axes_on_the_screen(screen):
    protocol, truth = screen
    values = fair(truth, 1.0)
    answers, change = answer(truth, values), values - truth.values
    each = [math.hypot(*row) for row in change]
    mean = sum(each) / len(each)
    people = [
        np.mean([e for e, p in zip(each, truth.clusters, strict=True) if p == name])
        for name in set(truth.clusters)
    ]
    for claimed, name in (
        (10 * mean, "unit mm"),
        (float(np.abs(change[:, 1]).mean()), "rule y_only"),
        (float(np.abs(change).mean()), "rule mean_axis"),
        (math.sqrt(sum(e * e for e in each) / len(each)), "middle rms"),
        (float(np.mean(people)), "average person"),
        (
            score.score_predictions(protocol, truth, answers).groups["total"]["error_cm_dot"].value,
            "average dot",
        ),
        (
            score.score_predictions(protocol, truth, answers).groups["phone"]["error_cm"].value,
            "group phone",
        ),
    ):
        assert landing(screen, answers, claimed, "error_cm", "total")[0] == name


@pytest.mark.parametrize(
    ("name", "undo"),
    [
        ("reading x and y exchanged", lambda p: p[:, ::-1]),
        ("reading y reversed", lambda p: p * [1, -1]),
        ("reading in mm", lambda p: 10 * p),
    ],
)
def test_a_spoilt_screen_is_mended_and_warned_of(screen, name, undo):
    protocol, truth = screen
    clean = fair(truth, 0.5)
    mean = float(errors_of.distance_cm(truth.values, clean).mean())
    answers = answer(truth, undo(clean))
    assert landing(screen, answers, mean, "error_cm", "total")[0] == name
    assert (
        name.removeprefix("reading ") in gaze_candidates.gaze_warnings(protocol, truth, answers)[0]
    )


def test_swapped_angles_are_found_in_space(sight):
    """Trap: (yaw, pitch) stored as (pitch, yaw)."""
    protocol, truth = sight
    clean = fair(truth, 0.03)
    angles = geometry.vectors_to_angles(clean)
    answers = answer(truth, geometry.angles_to_vectors(angles[:, ::-1]))
    claimed = float(errors_of.angular_error_deg(truth.values, clean).mean())
    assert (
        landing(sight, answers, claimed, "error_deg", "unseen")[0]
        == "reading pitch and yaw exchanged"
    )
    assert "pitch and yaw exchanged" in gaze_candidates.gaze_warnings(protocol, truth, answers)[0]
    assert gaze_candidates.gaze_warnings(protocol, truth, answer(truth, clean)) == ()


def test_radians_and_rules_of_other_code_in_space(sight):
    _, truth = sight
    clean = fair(truth, 0.05)
    answers = answer(truth, clean)
    exact = float(errors_of.angular_error_deg(truth.values, clean).mean())
    assert landing(sight, answers, math.radians(exact), "error_deg", "unseen")[0] == "unit rad"
    halves = float(errors_of.mean_axis_deg(truth.values, clean).mean())
    assert landing(sight, answers, halves, "error_deg", "unseen")[0] == "rule mean_axis"


def test_every_choice_says_what_it_means(screen, sight):
    for (protocol, truth), metric, group in (
        (screen, "error_cm", "total"),
        (sight, "error_deg", "unseen"),
    ):
        axes = gaze_candidates.gaze_axes(
            protocol, truth, answer(truth, fair(truth, 0.1)), metric, group
        )
        assert all(choice.means for choices in axes.values() for choice in choices[1:])


@pytest.mark.data
def test_eyes_of_mpiigaze_with_their_columns_exchanged(data_root, tmp_path):
    """End to end on real labels: a file whose pitch and yaw are exchanged is read, warned of and
    explained.
    """
    from benchbox import datasets
    from benchbox.datasets import split

    pytest.importorskip("h5py")
    if not (data_root / "mpiigaze-small").is_dir():
        pytest.skip("the eyes of MPIIGaze are not here")
    card = protocols.load_protocol("mpiigaze-small")
    truth = split.ground_truth(
        card, datasets.open_dataset(card.dataset).index(data_root, pixels=False)
    )
    angles = geometry.vectors_to_angles(truth.values) + np.random.default_rng(0).normal(
        0, 0.02, (len(truth.ids), 2)
    )
    np.savez(tmp_path / "mine.npz", ids=truth.ids, values=angles[:, ::-1])
    exact = float(
        errors_of.angular_error_deg(truth.values, geometry.angles_to_vectors(angles)).mean()
    )
    found = explain.explain_predictions(
        tmp_path / "mine.npz", card.name, data_root, f"{exact:.4f}", "error_deg"
    )
    assert found.landing[0].name == "reading pitch and yaw exchanged"
    assert "pitch and yaw exchanged" in found.warnings[0]
    assert "one is (pitch, yaw) and the other (yaw, pitch)" in explain.format_explanation(found)
