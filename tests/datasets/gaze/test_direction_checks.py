"""What a set of gaze shows of its signs and its order, and what it is said not to show."""

import dataclasses

import numpy as np
import pytest

from benchbox.datasets import label_checks
from benchbox.datasets.gaze import direction_checks
from benchbox.geometry import angles_to_vectors
from benchbox.protocols import protocol_card
from benchbox.types import GazeScreen, Index

FRAMES = 90
PEOPLE = np.repeat(["a", "b", "c"], FRAMES // 3)
TRAINED = np.arange(FRAMES) < FRAMES // 2


@pytest.fixture
def angles():
    """Pitch and yaw of people before a notebook: below the camera, wider than high."""
    return np.random.default_rng(0).normal([-0.3, 0.02], [0.1, 0.25], (FRAMES, 2))


def check(angles, head=None, expect=()):
    values = angles_to_vectors(angles)
    return direction_checks.check_gaze(values, PEOPLE, head, expect, trained=TRAINED)


def notes_of_unseen(findings):
    return [found.what for found in findings if "cannot be seen" in found.what]


def test_without_heads_it_is_said_which_signs_nothing_tells(angles):
    """The trap: a sign that labels and predictions share moves no error, and was passed over."""
    (line,) = notes_of_unseen(check(angles))
    assert "the signs of pitch and yaw shared by all labels cannot be seen" in line
    (line,) = notes_of_unseen(check(angles, expect=["below_camera"]))
    assert line.endswith("the sign of yaw shared by all labels cannot be seen")
    assert notes_of_unseen(check(angles, head=angles * 0.5)) == []
    assert all(found.level == "note" for found in check(angles) if "cannot" in found.what)


def test_pitch_and_yaw_exchanged_show_in_their_spreads(angles):
    wrong = [found.what for found in check(angles[:, ::-1]) if found.level == "wrong"]
    assert len(wrong) == 1
    assert "pitch spreads more than yaw: is the order exchanged" in wrong[0]


def places(seed=1):
    """Places on a notebook's screen, in cm from a camera above its middle."""
    return np.random.default_rng(seed).uniform([-13, -19], [13, -2], (FRAMES, 2))


SCREEN = GazeScreen(
    width_mm=280, height_mm=180, width_px=1280, height_px=800, camera_x_mm=140, camera_above_mm=10
)


def test_a_screen_tells_what_it_can_and_says_what_not():
    """The trap: below a camera in the middle a mirrored x lies on the screen as well."""
    findings = direction_checks.check_screens(places(), [SCREEN] * FRAMES)
    assert [found.level for found in findings] == ["ok", "note"]
    assert findings[1].what == "with x turned as many would: the screen does not tell"
    beside = dataclasses.replace(SCREEN, camera_x_mm=20)
    findings = direction_checks.check_screens(places() + np.array([11, 0]), [beside] * FRAMES)
    assert [found.level for found in findings] == ["ok"]
    (found,) = direction_checks.check_screens(places() * [1, -1], [SCREEN] * FRAMES)
    assert found.level == "wrong"
    assert "y turned 100%" in found.what


def test_without_a_screen_it_is_said_what_places_do_not_show():
    findings = direction_checks.check_gaze(places(), PEOPLE, None, (), trained=TRAINED)
    assert [found.level for found in findings] == ["ok", "note"]
    assert "x and y exchanged, the sign of x, that of y, shared by all labels" in findings[1].what
    known = direction_checks.check_gaze(places(), PEOPLE, None, (), trained=TRAINED, screen=True)
    assert notes_of_unseen(known) == []


def test_what_verify_calls_wrong_in_a_public_set_a_run_refuses(angles):
    """The trap: `data verify mpiigaze-small` ended with 1, and `run` trained."""
    card = protocol_card.load_protocol("mpiigaze-small")
    ids = np.array([f"p00/{row:04d}" for row in range(FRAMES)])
    good = Index(
        dataset="mpiigaze-small",
        ids=ids,
        parts=np.full(FRAMES, next(iter(card.groups[card.overall]))),
        values=angles_to_vectors(angles),
        boxes={},
        clusters=PEOPLE,
        read=str,
    )
    assert label_checks.find_used_faults(card, good) == []
    turned = dataclasses.replace(good, values=angles_to_vectors(angles * [-1, 1]))
    (fault,) = label_checks.find_used_faults(card, turned)
    assert fault.check == label_checks.OWN_CHECKS
    assert "gaze lies above the camera" in fault.what
