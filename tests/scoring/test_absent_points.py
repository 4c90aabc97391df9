"""Hidden and absent points: no normaliser is made of them, and nothing is measured at them."""

import csv
import dataclasses
import json

import numpy as np
import pytest
from click.testing import CliRunner

from benchbox.cli import main
from benchbox.datasets import shape_fit
from benchbox.errors import DataError, ResultError
from benchbox.layouts import IBUG68
from benchbox.metrics import landmarks
from benchbox.runs import prediction_files
from benchbox.scoring import score
from benchbox.types import Predictions, Truth

from .test_score import CARD, answers, toy_truth

CARD_TOML = """\
name = "card"
title = "Mine"
dataset = "files"
layout = "ibug68"
source = {images = ".", parts = {train = "train.SUFFIX", test = "test.SUFFIX"}, visible = "VISIBLE"}
train = {parts = ["train"], expected = 4}
test = {overall = "test", expected = 4, groups = {test = ["test"]}}
box = {source = "ground_truth", choices = ["ground_truth"]}
score = {normalisers = ["diagonal"], masked = true}
"""

BOX_NORMALISERS = ("face_size", "diagonal", "height")


def card(*normalisers, masked=True):
    return dataclasses.replace(CARD, masked=masked, normalisers=normalisers, auc=(), fr=())


def face() -> np.ndarray:
    """68 points in a box of 80 x 60 px, its corners on the contour; eyes 40 px apart."""
    points = np.tile([50.0, 50.0], (68, 1))
    points[0], points[8], points[16] = [10.0, 30.0], [50.0, 90.0], [90.0, 30.0]
    points[36], points[45] = [30.0, 40.0], [70.0, 40.0]
    return points


def truth_of(values, visible=None, **changes) -> Truth:
    return toy_truth(values=values, visible=visible, **changes)


def nme(protocol, truth, predictions, name):
    return score.score_predictions(protocol, truth, predictions).groups["all"][name].value


@pytest.mark.parametrize(
    ("normaliser", "length"),
    [("face_size", np.sqrt(80 * 60)), ("diagonal", 100.0), ("height", 60.0)],
)
def test_a_hidden_point_at_nowhere_enters_no_normaliser(normaliser, length):
    """Trap: v = 0 written as (0, 0) made the face larger: 2.68 % where 5.84 % is right."""
    values = np.stack([face()] * 4)
    values[:, 5] = 1000.0
    visible = np.ones((4, 68), bool)
    visible[:, 5] = False
    truth = truth_of(values, visible)
    given = answers(truth, [3, 3, 3, 3])
    got = nme(card(normaliser), truth, given, f"nme_{normaliser}_visible")
    assert got == pytest.approx(100 * 3 / length, rel=1e-12)


@pytest.mark.parametrize("normaliser", BOX_NORMALISERS)
def test_a_card_without_masks_counts_every_point_as_before(normaliser):
    values = np.stack([face()] * 4)
    visible = np.ones((4, 68), bool)
    visible[:, 8] = False
    truth = truth_of(values, visible)
    plain = truth_of(values)
    given = answers(truth, [3, 3, 3, 3])
    name = f"nme_{normaliser}"
    unmasked = card(normaliser, masked=False)
    assert nme(unmasked, truth, given, name) == nme(unmasked, plain, given, name)
    assert nme(card(normaliser), truth, given, name) > nme(unmasked, plain, given, name)


def test_the_eye_corners_of_a_masked_card_count_though_they_are_hidden():
    """COFW's hidden points stand where annotators believed them; published numbers use them."""
    values = np.stack([face()] * 4)
    visible = np.ones((4, 68), bool)
    visible[:, 36] = False
    truth = truth_of(values, visible)
    got = nme(card("inter_ocular"), truth, answers(truth, [2] * 4), "nme_inter_ocular_visible")
    assert got == pytest.approx(100 * 2 / 40)


def test_nan_is_an_absent_point_where_the_card_is_masked():
    values = np.stack([face()] * 4)
    values[1, 5] = np.nan
    truth = truth_of(values, np.ones((4, 68), bool))
    off = np.full((4, 68, 2), 0.0)
    off[1, :, 0] = 6.0
    given = Predictions(truth.ids, face() + off, np.zeros(4, bool))
    table = score.score_predictions(card("height"), truth, given).errors
    assert table["nme_height"].tolist() == pytest.approx([0, 0.1, 0, 0])
    assert table["nme_height_visible"].tolist() == pytest.approx([0, 0.1, 0, 0])
    with pytest.raises(DataError, match="toy/1: a true point is not a number"):
        score.score_predictions(card("height", masked=False), truth, given)


def test_a_reader_may_say_that_a_point_is_absent():
    """`Truth.absent` holds for every card; its coordinates are never looked at."""
    values = np.stack([face()] * 4)
    values[:, 5] = -999.0
    absent = np.zeros((4, 68), bool)
    absent[:, 5] = True
    truth = truth_of(values, absent=absent)
    given = answers(truth_of(np.stack([face()] * 4)), [6] * 4)
    plain = card("diagonal", masked=False)
    assert nme(plain, truth, given, "nme_diagonal") == pytest.approx(6.0)


@pytest.mark.parametrize(
    ("normaliser", "change", "said"),
    [
        (
            "inter_ocular",
            lambda v, s: v.__setitem__((2, 36), np.nan),
            "toy/2: .*inter_ocular is nan",
        ),
        ("inter_pupil", lambda v, s: v.__setitem__((2, 40), np.nan), "toy/2: .*inter_pupil is nan"),
        ("height", lambda v, s: s.__setitem__((2, slice(1, None)), False), "toy/2: .*height is 0"),
        ("diagonal", lambda v, s: s.__setitem__(2, False), "toy/2: .*diagonal is nan"),
        ("face_size", lambda v, s: s.__setitem__(2, False), "toy/2: .*face_size is nan"),
    ],
)
def test_a_face_without_its_normaliser_is_named(normaliser, change, said):
    values, visible = np.stack([face()] * 4), np.ones((4, 68), bool)
    change(values, visible)
    truth = truth_of(values, visible)
    with pytest.raises(DataError, match=said) as caught:
        score.score_predictions(card(normaliser), truth, answers(truth, [1] * 4))
    assert "name another normaliser in the card" in str(caught.value)


def test_a_face_without_a_marked_point_is_named():
    values = np.stack([face()] * 4)
    values[2] = np.nan
    truth = truth_of(values, np.ones((4, 68), bool), boxes=np.tile([0.0, 0, 9, 9], (4, 1)))
    given = answers(truth_of(np.stack([face()] * 4)), [1] * 4)
    with pytest.raises(DataError, match="toy/2: no point of this face is marked"):
        score.score_predictions(card("face_size"), truth, given)


def test_tight_boxes_leave_absent_points_out():
    values = face()[None]
    values[0, 8] = np.nan
    lengths = landmarks.normaliser_lengths("height", values, IBUG68)
    assert lengths.tolist() == [20.0]  # from the brow of the box to the middle


# --- files ----------------------------------------------------------------------------------------


@pytest.fixture
def truth():
    values = np.stack([face()] * 4)
    values[1, 5] = np.nan
    return truth_of(values, np.ones((4, 68), bool))


def write_csv(path, ids, values):
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", *(f"{axis}{k}" for k in range(68) for axis in "xy")])
        for name, points in zip(ids, values.reshape(len(ids), -1), strict=True):
            writer.writerow([name, *("" if np.isnan(x) else x for x in points)])


@pytest.mark.parametrize("suffix", [".npz", ".csv"])
def test_predictions_may_be_nan_at_absent_points_and_nowhere_else(truth, tmp_path, suffix):
    def write(values):
        path = tmp_path / f"given{suffix}"
        if suffix == ".npz":
            np.savez(path, ids=truth.ids, values=values)
        else:
            write_csv(path, truth.ids, values)
        return path

    values = np.stack([face()] * 4)
    values[1, 5] = np.nan
    values[3] = np.nan
    read = prediction_files.read_predictions(write(values), truth)
    assert read.failed.tolist() == [False, False, False, True]
    table = score.score_predictions(card("height"), truth, read).errors
    assert table["nme_height"].tolist() == [0, 0, 0, np.inf]
    values[0, 5] = np.nan
    with pytest.raises(ResultError, match=r"1 row \(toy/0\) is partly NaN"):
        prediction_files.read_predictions(write(values), truth)


def write_set(folder, suffix, points):
    """Write a training and a test file of faces with an absent and a hidden point."""
    marks = np.full(68, 2)
    marks[5], marks[6] = 0, 1
    names = [f"{axis}{k}" for k in range(68) for axis in "xy"]
    if suffix == "csv":
        with (folder / "test.csv").open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["image", *names, *(f"v{k}" for k in range(68))])
            for row, face_points in enumerate(points):
                cells = face_points.astype(object)
                cells[5] = ""
                writer.writerow([f"{row}.png", *cells.ravel(), *(marks == 2).astype(int)])
        return
    annotations = []
    for row, face_points in enumerate(points):
        keypoints = np.column_stack([face_points, marks])
        keypoints[5] = 0
        entry = {"id": row, "image_id": row, "keypoints": keypoints.ravel().tolist()}
        annotations.append(entry)
    images = [{"id": row, "file_name": f"{row}.png"} for row in range(len(points))]
    (folder / "test.json").write_text(json.dumps({"images": images, "annotations": annotations}))


@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_a_masked_card_over_files_from_the_command_line(tmp_path, suffix):
    """The whole way: an absent and a hidden point in a file, NaN in the predictions, one number."""
    mean = 100 + 2 * shape_fit.mean_face("ibug68")[:, :2]
    points = np.stack([mean + 3.0 * row for row in range(4)])
    hidden = points.copy()
    hidden[:, 6] = [400.0, 420.0]  # hidden, and far from where it could be
    write_set(tmp_path, suffix, hidden)
    (tmp_path / "card.toml").write_text(
        CARD_TOML.replace("SUFFIX", suffix).replace("VISIBLE", {"json": "coco", "csv": ""}[suffix])
    )
    ids = [f"test/{row}" if suffix == "json" else f"test/{row + 1:05d}" for row in range(4)]
    values = points + np.array([2.0, 0.0])
    values[:, 5] = np.nan
    np.savez(tmp_path / "given.npz", ids=ids, values=values)
    arguments = ["score", str(tmp_path / "given.npz"), "--protocol", str(tmp_path / "card.toml")]
    outcome = CliRunner().invoke(
        main,
        [
            *(*arguments, "--method", "mine", "--data", str(tmp_path), "--json"),
            *("--accept", "a point far off"),  # the hidden one, in every face
            *("--accept", "points in another order, over a set"),
        ],
    )
    assert outcome.exit_code == 0, outcome.output
    document = json.loads(outcome.stdout)
    seen = np.delete(mean, [5, 6], axis=0)
    diagonal = np.hypot(*np.ptp(seen, axis=0))
    got = document["scores"]["test"]["nme_diagonal_visible"]["value"]
    assert got == pytest.approx(100 * 2 / diagonal, rel=1e-9)
