"""Each slip of coordinates is made on purpose and named; methods, however poor, are not blamed."""

import dataclasses

import numpy as np
import pytest

from benchbox.layouts import IBUG68
from benchbox.runs import prediction_files, run_data
from benchbox.scoring import slips, wrong_frame
from benchbox.types import Predictions, Truth

FACES = 60
FLIP = list(IBUG68.flip)


def flat_face() -> np.ndarray:
    """68 points of a face as a child draws it, (68, 2), between 0 and 1 and nearly mirrored."""
    face = np.zeros((68, 2))
    angles = np.linspace(np.pi, 0, 17)
    face[:17] = np.stack([0.5 + 0.5 * np.cos(angles), 0.3 + 0.7 * np.sin(angles)], axis=1)
    face[17:22] = np.stack([np.linspace(0.1, 0.4, 5), [0.15, 0.1, 0.08, 0.1, 0.14]], axis=1)
    face[27:31] = np.stack([np.full(4, 0.5), np.linspace(0.28, 0.5, 4)], axis=1)
    face[31:36] = np.stack([np.linspace(0.4, 0.6, 5), [0.56, 0.58, 0.59, 0.58, 0.56]], axis=1)
    left_eye = [[0.18, 0.3], [0.24, 0.26], [0.31, 0.26], [0.37, 0.3], [0.31, 0.33], [0.24, 0.33]]
    face[36:42] = left_eye
    outer = np.linspace(np.pi, -np.pi, 12, endpoint=False)
    face[48:60] = np.stack([0.5 + 0.2 * np.cos(outer), 0.76 - 0.08 * np.sin(outer)], axis=1)
    inner = np.linspace(np.pi, -np.pi, 8, endpoint=False)
    face[60:68] = np.stack([0.5 + 0.15 * np.cos(inner), 0.76 - 0.03 * np.sin(inner)], axis=1)
    for k in (*range(22, 27), *range(42, 48)):
        face[k] = [1 - face[FLIP[k], 0], face[FLIP[k], 1]]
    return face


@pytest.fixture
def truth() -> Truth:
    """Faces of different people, sizes and places."""
    rng = np.random.default_rng(0)
    shapes = flat_face() + rng.normal(0, 0.015, (FACES, 68, 2))
    shapes[..., 1] *= rng.uniform(0.8, 1.2, (FACES, 1))
    size, place = rng.uniform(90, 300, (FACES, 1, 1)), rng.uniform(100, 700, (FACES, 1, 2))
    ids = np.array([f"a/{row:02d}" for row in range(FACES)])
    return Truth(ids, shapes * size + place, {"all": np.ones(FACES, bool)}, ids)


def good(truth: Truth, seed: int = 1) -> np.ndarray:
    """What a method answers: 3 % of the face off."""
    sides = np.ptp(truth.values, axis=1).max(axis=1)[:, None, None]
    return truth.values + 0.03 * sides * np.random.default_rng(seed).normal(
        0, 1, truth.values.shape
    )


def found(truth: Truth, values: np.ndarray, failed: tuple[int, ...] = ()) -> list[str]:
    flags = np.isin(np.arange(len(values)), failed)
    given = Predictions(truth.ids, np.where(flags[:, None, None], np.nan, values), flags)
    return list(wrong_frame.find_slips(IBUG68, truth, given))


def heights(count: int = FACES) -> np.ndarray:
    return np.random.default_rng(5).integers(900, 1500, (count, 1))


def from_below(values: np.ndarray) -> np.ndarray:
    return np.stack([values[..., 0], heights() - values[..., 1]], axis=-1)


def from_the_right(values: np.ndarray) -> np.ndarray:
    return np.stack([heights() - values[..., 0], values[..., 1]], axis=-1)


def in_crops(values: np.ndarray) -> np.ndarray:
    low, sides = values.min(axis=1, keepdims=True), np.ptp(values, axis=1).max(axis=1)
    return (values - low) / sides[:, None, None] * 200 + 28


SLIPS = {
    "left and right points exchanged": lambda v: v[:, FLIP],
    "x and y exchanged": lambda v: v[..., ::-1],
    "y counted from the lower border": from_below,
    "x counted from the right border": from_the_right,
    "points of the mirrored picture": lambda v: from_the_right(v)[:, FLIP],
    "turned by 180": lambda v: heights()[..., None] - v,
    "turned by 90": lambda v: np.stack([v[..., 1], heights() - v[..., 0]], axis=-1),
    "the rows are in another order": lambda v: np.roll(v, 7, axis=0),
    "points are in another order": lambda v: v[:, np.random.default_rng(2).permutation(68)],
    "predicted on pictures of another size": lambda v: v / 2,
    "points in the frame of the crop": in_crops,
    "of their own, with y upwards": lambda v: in_crops(v) * [1, -1] + [0, 256],
    "between 0 and 1": lambda v: v / 1500,
    "makes faces of the points": lambda v: np.random.default_rng(3).uniform(0, 900, v.shape),
}


@pytest.mark.parametrize("said", SLIPS)
def test_every_slip_is_named_alone(truth, said):
    lines = found(truth, SLIPS[said](good(truth)))
    assert len(lines) == 1
    assert said in lines[0]


@pytest.mark.parametrize(("said", "slip"), [*SLIPS.items()][:6])
def test_a_part_of_the_faces_is_enough(truth, said, slip):
    """The trap: a mean over all faces hides the tenth whose pictures were mirrored."""
    values = good(truth)
    values[:6] = slip(values)[:6]
    (line,) = found(truth, values)
    assert said in line
    assert line.startswith("6 of 6 faces far from their true points (a/00, a/01, a/02, …) fit with")


def test_one_mirrored_face_is_named_but_one_turned_face_proves_nothing(truth):
    values = good(truth)
    values[3] = values[3][FLIP]
    assert "1 of 1 faces far from their true points (a/03) fit with left" in found(truth, values)[0]
    values = good(truth)
    values[3] = from_below(values)[3]
    assert found(truth, values) == []


def test_rows_of_crops_that_are_all_alike_are_found_in_another_order(truth):
    """The trap: in centred crops a wrong row costs no more than a poor method does."""
    crops = dataclasses.replace(truth, values=in_crops(truth.values))
    values = crops.values + np.random.default_rng(1).normal(0, 0.6, crops.values.shape)
    # faces as alike as these differ by their heights and a little noise
    (line,) = found(crops, np.roll(values, 1, axis=0))
    assert "(a/00 where a/59 is): the rows are in another order" in line
    assert found(crops, values) == []


def test_a_mirrored_picture_with_the_face_in_its_middle_is_named(truth):
    """The trap: mirrored there, a face lies nearer than a quarter of itself, and nothing is far."""
    centre = truth.values.mean(axis=1, keepdims=True)
    turn = np.radians(np.random.default_rng(8).uniform(8, 20, FACES))
    turn *= np.random.default_rng(9).choice([-1, 1], FACES)
    rows = np.stack([np.cos(turn), -np.sin(turn), np.sin(turn), np.cos(turn)], axis=1)
    amid = (truth.values - centre) @ rows.reshape(-1, 2, 2) + [200.0, 150.0]
    crops = dataclasses.replace(truth, values=amid)
    values = amid + np.random.default_rng(1).normal(0, 0.6, amid.shape)
    mirrored = values[:, FLIP] * [-1, 1] + [400, 0]
    (line,) = found(crops, mirrored)
    assert line.startswith("60 of 60 faces looked at fit with points of the mirrored picture")
    assert found(crops, values) == []
    assert found(crops, values + np.array([20, 0])) == []  # a shift is no mirror


def test_poor_methods_are_not_blamed(truth):
    """A mean shape in a bad box, one shape for all, a shift that a method may have, wild faces."""
    rng = np.random.default_rng(4)
    low = truth.values.min(axis=1, keepdims=True)
    wide = np.ptp(truth.values, axis=1)[:, None]
    mean = ((truth.values - low) / wide).mean(axis=0)
    assert found(truth, mean * wide + low) == []
    moved = mean * wide * 1.25 + low + 0.12 * wide * rng.normal(size=(FACES, 1, 2))
    assert found(truth, moved) == []
    astray = mean * wide * 1.5 + low + 0.3 * wide * rng.normal(size=(FACES, 1, 2))
    (line,) = found(truth, astray)  # a box for the wrong face is no frame of a crop
    assert "far outside" in line
    assert found(truth, good(truth) + 0.15 * wide) == []
    wild = good(truth)
    wild[:5] += rng.normal(0, 60, (5, 68, 2))
    assert found(truth, wild) == []
    (line,) = found(truth, np.repeat(good(truth)[:1], FACES, axis=0))
    assert "far outside" in line  # and no frame is blamed for it
    assert found(truth, good(truth), failed=tuple(range(FACES))) == []


def test_half_of_the_faces_far_off_is_said(truth):
    """All of the bodies of a crowd, in the place of their faces."""
    wide = np.ptp(truth.values, axis=1).max(axis=1)[:, None, None]
    away = np.random.default_rng(6).choice([-0.5, 0.5], (FACES, 1, 2))
    assert found(truth, truth.values + 0.4 * away * wide) == []
    (line,) = found(truth, truth.values + away * wide)
    # 0.5 on both axes is 0.7 of the longer side
    assert "71 % of the face's size or more away" in line


def test_points_that_are_not_marked_are_left_out(truth):
    """A dataset says of some points that they are not there: NaN in the truth."""
    values = truth.values.copy()
    values[:50, 3] = np.nan
    partly = dataclasses.replace(truth, values=values)
    assert found(partly, good(truth)) == []
    (line,) = found(partly, good(truth)[:, FLIP])
    assert "10 of 10 faces far from their true points (a/50, a/51, a/52, …) fit with left" in line
    values[:, 3] = np.nan
    (line,) = found(partly, good(truth)[:, FLIP])
    assert "far outside what any face detector or method leaves" in line


# --- the published predictions for 300-W ----------------------------------------------------------

PUBLISHED = ("CE-CLM_general", "CFAN", "CFSS", "CLM", "CLNF_general", "TCDCN")


@pytest.mark.data
@pytest.mark.parametrize("method", PUBLISHED)
def test_published_files_raise_no_alarm_and_their_slips_are_named(data_root, method):
    from benchbox.datasets import split
    from benchbox.protocols import protocol_card
    from benchbox.runs import score_file

    root = data_root / "300w-published"
    if not root.is_dir():
        pytest.skip("the published predictions for 300-W are not here")
    card = protocol_card.load_protocol("300w-full")
    index = run_data.open_index(card, root / "annotations", pixels=False)
    truth = split.ground_truth(card, index)
    file = root / "predictions" / f"{method}.npz"
    said: list[str] = []
    given, _ = score_file.read_submitted(file, card, index, truth, said.append)
    assert (said, given.failed.sum()) == ([], 0)
    plain = prediction_files.read_predictions(file, truth)
    np.testing.assert_array_equal(given.values, plain.values)
    assert slips.find_slips(card, truth, given) == ()
    spoilt = given.values.copy()
    spoilt[::9] = spoilt[::9][:, FLIP]
    (line,) = slips.find_slips(card, truth, dataclasses.replace(given, values=spoilt))
    assert "left and right points exchanged" in line
    rolled = dataclasses.replace(given, values=np.roll(given.values, 1, axis=0))
    (line,) = slips.find_slips(card, truth, rolled)
    assert "rows are in another order" in line
