"""Placeholders are no answers, real points at the border are, and what is no pixel is refused."""

import dataclasses

import numpy as np
import pytest

from benchbox.errors import ResultError
from benchbox.scoring import prediction_checks
from benchbox.types import Predictions, Truth

FACES, POINTS = 12, 29


def made_truth(values: np.ndarray) -> Truth:
    ids = np.array([f"set/{row:02d}" for row in range(len(values))])
    return Truth(ids, values, {"all": np.ones(len(ids), bool)}, ids)


@pytest.fixture
def truth() -> Truth:
    """Faces of some 200 px, the first with its corner at the picture's own."""
    rng = np.random.default_rng(0)
    corners = rng.uniform(50, 400, (FACES, 1, 2))
    corners[0] = 1.0
    return made_truth(corners + rng.uniform(0, 200, (1, POINTS, 2)))


def answers(truth: Truth, **rows: np.ndarray) -> Predictions:
    """Predictions 2 px off; `row3=…` puts something else in the place of row 3."""
    values = truth.values + np.random.default_rng(1).normal(0, 2, truth.values.shape)
    for name, given in rows.items():
        values[int(name.removeprefix("row"))] = given
    return Predictions(truth.ids, values, np.zeros(len(values), bool))


def checked(truth: Truth, given: Predictions) -> tuple[list[str], list[str]]:
    """Return the ids that count as failed, and what was said."""
    said: list[str] = []
    found = prediction_checks.drop_placeholders(truth, given, where="p.csv", say=said.append)
    assert np.isnan(found.values[found.failed]).all()
    kept = ~found.failed
    np.testing.assert_array_equal(found.values[kept], given.values[kept])
    return truth.ids[found.failed].tolist(), said


MOSTLY = np.concatenate([np.zeros((15, 2)), np.full((POINTS - 15, 2), 180.0)])


@pytest.mark.parametrize("given", [0.0, -1.0, 1.0, -999.0, 250.5, MOSTLY], ids=str)
def test_a_face_in_one_place_has_failed_and_is_named(truth, given):
    """Zero rows of a tracker that has lost the face were scored as errors of 87 %."""
    failed, said = checked(truth, answers(truth, row3=given, row7=given))
    assert failed == ["set/03", "set/07"]
    (line,) = said
    assert line.startswith("warning: p.csv: 2 rows (set/03, set/07) are no face")
    assert "counts as failed" in line


def test_nearly_one_place_is_one_place(truth):
    """A lost crop is one pixel of the picture, up to rounding."""
    speck = 300 + np.random.default_rng(2).uniform(-0.05, 0.05, (POINTS, 2))
    assert checked(truth, answers(truth, row3=speck))[0] == ["set/03"]


def test_points_at_the_border_are_points(truth):
    """The trap: a face at the picture's corner, clipped to it, has points at exactly (0, 0)."""
    clipped = np.maximum(truth.values[0] - 40, 0)
    clipped[np.hypot(*truth.values[0].T).argsort()[:3]] = 0
    border = truth.values[3].copy()
    border[:, 0] = 0
    assert checked(truth, answers(truth, row0=clipped, row3=border)) == ([], [])


def test_a_mouth_whose_lips_meet_is_no_placeholder(truth):
    lips = truth.values[3].copy()
    lips[20:28] = lips[20]
    assert checked(truth, answers(truth, row3=lips)) == ([], [])


@pytest.mark.parametrize("place", [0.0, -1.0])
def test_single_points_that_were_not_found_are_refused(truth, place):
    spoilt = truth.values[3].copy()
    spoilt[4] = place
    with pytest.raises(ResultError, match=r"p\.csv: 1 row \(set/03\) is partly placeholders"):
        checked(truth, answers(truth, row3=spoilt))


def test_a_file_of_zeros_is_refused(truth):
    given = dataclasses.replace(answers(truth), values=np.zeros_like(truth.values))
    with pytest.raises(ResultError, match=r"12 rows .* no row is left to score"):
        checked(truth, given)


@pytest.mark.parametrize("frame", [lambda unit: unit, lambda unit: 2 * unit - 1], ids=["01", "-11"])
def test_shares_of_the_picture_are_no_pixels(truth, frame):
    """Also with a placeholder among them, which lies in 0 … 1 as well."""
    values = frame(truth.values / 620)
    values[5] = 0
    given = Predictions(truth.ids, values, np.zeros(FACES, bool))
    with pytest.raises(ResultError, match=r"11 rows .* are between 0 and 1 \(or -1 and 1\)"):
        checked(truth, given)


def test_a_tiny_picture_is_not_taken_for_shares():
    small = made_truth(np.random.default_rng(0).uniform(0, 1.4, (3, POINTS, 2)))
    assert checked(small, answers(small)) == ([], [])


def test_flagged_rows_are_not_looked_at(truth):
    given = answers(truth, row3=np.nan)
    given = dataclasses.replace(given, failed=truth.ids == "set/03")
    assert checked(truth, given) == (["set/03"], [])


# --- gaze -----------------------------------------------------------------------------------------


def gaze(*empty: int, like: tuple[float, ...] = (0.0, 0.0)) -> tuple[Truth, Predictions]:
    values = np.random.default_rng(3).normal(0, 4, (FACES, len(like)))
    truth = made_truth(values)
    given = values + 1.0
    given[list(empty)] = like
    return truth, Predictions(truth.ids, given, np.zeros(FACES, bool))


@pytest.mark.parametrize("place", [(0.0, 0.0), (-1.0, -1.0), (0.0, 0.0, 1.0), (0.0, 0.0, -1.0)])
def test_gaze_that_is_exactly_nothing_has_failed(place):
    """Centimetres of 0 or -1 to the last bit, or angles of 0: no frame had a face."""
    failed, said = checked(*gaze(2, 5, like=place))
    assert failed == ["set/02", "set/05"]
    assert "2 rows (set/02, set/05) are exactly zero or -1" in said[0]


def test_a_constant_gaze_is_a_baseline():
    """The trap: `always at the camera` is a bad answer, and an answer."""
    truth, given = gaze(*range(FACES))
    assert checked(truth, given) == ([], [])
    classes = given.values.copy()
    classes[::2] = [3.0, -1.0]
    assert checked(truth, dataclasses.replace(given, values=classes)) == ([], [])


# --- repeats --------------------------------------------------------------------------------------


def repeats(truth: Truth, given: Predictions) -> list[str]:
    said: list[str] = []
    prediction_checks.note_repeated_rows(truth, given, where="p.csv", say=said.append)
    return said


def test_a_shape_that_comes_again_is_noted_and_counts(truth):
    frozen = truth.values[4] + 1
    given = answers(truth, row4=frozen, row5=frozen, row6=frozen)
    (line,) = repeats(truth, given)
    assert line.startswith("note: p.csv: 3 rows (set/04, set/05, set/06) are equal to another row")
    assert checked(truth, given) == ([], [])
    assert repeats(truth, answers(truth)) == []


def test_a_photograph_that_is_there_twice_is_not_noted(truth):
    """300-W has ibug/image_105 and image_105_01: every method answers both alike."""
    values = truth.values.copy()
    values[5] = values[4] + 3
    twice = made_truth(values)
    assert repeats(twice, answers(twice, row4=values[4], row5=values[4])) == []
