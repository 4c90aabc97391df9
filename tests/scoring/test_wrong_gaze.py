"""Gaze that is worse than one constant answer: the reading that mends it is named, bad luck is
not."""

import dataclasses

import numpy as np
import pytest

from benchbox import geometry
from benchbox.protocols import protocol_card
from benchbox.scoring import wrong_gaze
from benchbox.types import Predictions, Truth

FRAMES = 240


def found(task: str, labels: np.ndarray, given: np.ndarray) -> tuple[str, ...]:
    name = {"gaze2d": "synth-gazecapture", "gaze3d": "synth-mpiigaze"}[task]
    card = dataclasses.replace(protocol_card.load_protocol(name), task=task)
    ids = np.arange(len(labels)).astype(str)
    truth = Truth(ids, labels, {"all": np.ones(len(ids), bool)}, np.char.add("p", ids))
    return wrong_gaze.find_slips(card, truth, Predictions(ids, given, np.zeros(len(ids), bool)))


@pytest.fixture
def points() -> np.ndarray:
    return np.random.default_rng(0).uniform([-3, -9], [5, -1], (FRAMES, 2))


@pytest.fixture
def angles() -> np.ndarray:
    return np.random.default_rng(1).uniform([-0.5, -0.7], [0.1, 0.7], (FRAMES, 2))


def noise(like: np.ndarray, size: float) -> np.ndarray:
    return np.random.default_rng(2).normal(0, size, like.shape)


@pytest.mark.parametrize(
    ("slip", "said"),
    [
        (lambda p: p * [1, -1], "y reversed"),
        (lambda p: p * 10, "in millimetres"),
        (lambda p: p[:, ::-1], "x and y exchanged"),
        (lambda p: p / 2.54, "in inches"),
        (lambda p: (p - [-3, -1]) * [1, -1] / 8, "shares of the screen, 0 … 1"),
        (lambda p: (p - [1, -5]) / 4.5, "shares of the screen, -1 … 1"),
        (lambda p: (p - p.mean(axis=0)) / p.std(axis=0), "divided by their spread"),
        (lambda p: (p - [-3, -1]) * [40, -40], "pixels of a screen"),
        (lambda p: (p - [-3, -1]) * [10, -10], "millimetres"),
        (lambda p: p[:, ::-1] * 40, "once x and y are exchanged"),
        (lambda p: p / 100, "in metres"),
        (lambda p: (p - [-40, 30]) * [1, -1], "another origin"),
        (lambda p: np.random.default_rng(3).permutation(p), "in the order of their ids?"),
        (lambda p: np.roll(p, 1, axis=0), "moved up by 1, the rows fit"),
        (lambda p: np.roll(p, -7, axis=0), "moved down by 7, the rows fit"),
        (lambda p: p[::-1], "read from the other end, the rows fit"),
        (lambda p: np.roll(p[::-1], -1, axis=0), "read from the other end and moved up by 1"),
        (lambda p: p[np.argsort(np.arange(FRAMES).astype(str))], "taken as sorted by name"),
        (lambda p: np.random.default_rng(3).permutation(p) / 3 + [1, -4], ""),
        (lambda p: p + np.array([1.5, -1.0]), ""),
        (lambda p: p * 0 + 40, "far outside what eyes allow"),
    ],
)
def test_points_on_a_screen(points, slip, said):
    lines = found("gaze2d", points, slip(points + noise(points, 0.8)))
    assert len(lines) == bool(said)
    assert said in "".join(lines)


def test_what_a_poor_method_answers_is_no_other_unit(points):
    """One that has hardly learnt answers near the middle: small slopes are its own."""
    middle = points.mean(axis=0)
    shy = middle + 0.1 * (points - middle) + noise(points, 0.1)
    assert found("gaze2d", points, shy) == ()
    assert found("gaze2d", points, shy + np.array([0.7, 0])) == ()  # about a constant's error
    assert (
        found("gaze2d", points, points * 0 + np.array([0.4, 0.6])) == ()
    )  # one place, within 0 … 1
    assert found("gaze2d", points, points / 2.54 + noise(points, 1.5)) == ()  # no telling


def test_inches_are_named_below_the_error_of_a_constant():
    points = np.random.default_rng(0).uniform(-8, 8, (FRAMES, 2))
    (line,) = found("gaze2d", points, (points + noise(points, 0.5)) / 2.54)
    assert "in inch leaves" in line


def test_shares_that_go_little_with_the_labels_are_named_by_their_range(points):
    shares = np.random.default_rng(5).uniform(0, 1, points.shape)
    (line,) = found("gaze2d", points, shares)
    assert "all 240 places lie within 0 … 1" in line


@pytest.mark.parametrize(
    ("slip", "said"),
    [
        (lambda a: a * [1, -1], "yaw reversed"),
        (lambda a: a[:, ::-1], "pitch and yaw exchanged"),
        (np.radians, "taken for degrees"),
        (lambda a: a + np.array([0, 0.2]), ""),
        (lambda a: np.roll(a, 1, axis=0), "moved up by 1, the rows fit"),
        (lambda a: np.random.default_rng(3).permutation(a), "in the order of their ids?"),
    ],
)
def test_directions(angles, slip, said):
    given = geometry.angles_to_vectors(slip(angles + noise(angles, 0.05)))
    lines = found("gaze3d", geometry.angles_to_vectors(angles), given)
    assert len(lines) == bool(said)
    assert said in "".join(lines)


def test_a_vector_that_points_the_other_way_is_named(angles):
    vectors = geometry.angles_to_vectors(angles)
    (line,) = found("gaze3d", vectors, -geometry.angles_to_vectors(angles + noise(angles, 0.05)))
    assert "the vector points the other way" in line


def test_nobody_answered():
    values = np.full((3, 2), np.nan)
    ids = np.array(["a", "b", "c"])
    truth = Truth(ids, np.zeros((3, 2)), {"all": np.ones(3, bool)}, ids)
    card = protocol_card.load_protocol("synth-gazecapture")
    assert wrong_gaze.find_slips(card, truth, Predictions(ids, values, np.ones(3, bool))) == ()
