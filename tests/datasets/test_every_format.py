"""The same faults in the files of every tool: each is named, and verify and run agree.

What `data verify` finds wrong `run` refuses before it trains, with the item and its file; a set
without a fault raises nothing. The faces are made up.
"""

import re

import numpy as np
import pytest

from benchbox import datasets
from benchbox.datasets import split, verify
from benchbox.errors import BenchboxError, DataError
from benchbox.layouts import LAYOUTS
from benchbox.protocols import protocol_card
from benchbox.runs import checks_before_run, run_data

from .face_writers import TESTED, TOOLS, TRAINED, draw_faces, write_set

SECOND = TRAINED + 1  # the second tested face
BOXED = [tool for tool, (_, _, _, has_boxes) in TOOLS.items() if has_boxes]
STATED = ["json", "coco", "cvat", "labelme", "datumaro"]  # width and height stand in their files
FLAGGED = ["csv", "benchbox-csv", "coco", "labelme"]  # say of single points what is hidden


def examine(card_file):
    """Return what verify calls wrong or missing, its notes, and what run says before training."""
    card, root = protocol_card.load_protocol(str(card_file)), card_file.parent
    module = datasets.open_protocol_dataset(card)
    found = list(verify.examine_dataset("files", module, root, [card]))
    faults = [finding.what for finding in found if finding.level not in ("ok", "note")]
    notes = [finding.what for finding in found if finding.level == "note"]
    refusal = ""
    try:
        index = run_data.open_index(card, root)
        split.ground_truth(card, index)
        checks_before_run.require_sound_data(card, index, root, (), notes.append)
        split.split_index(card, index, split.fold_names(card, index)[0])
    except BenchboxError as fault:
        refusal = str(fault)
    assert bool(faults) == bool(refusal), (faults, refusal)
    return "\n".join(faults), notes, refusal


def all_faces(change):
    def spoil(faces):
        for face in faces:
            face.points = change(face.points)

    return spoil


def second(change):
    def spoil(faces):
        faces[SECOND].points = change(faces[SECOND].points.copy())

    return spoil


def at(point, place):
    def change(points):
        points[point] = place
        return points

    return change


def labels_of_the_next(faces):
    faces[SECOND].points, faces[SECOND].box = faces[SECOND + 1].points, faces[SECOND + 1].box


FLIP = list(LAYOUTS["ibug68"].flip)
FAULTS = {
    "a point at zero": (second(at(10, (0, 0))), "placeholders .* point"),
    "a point at -1": (second(at(10, (-1, -1))), "placeholders .* point"),
    "a face in one place": (second(lambda points: points * 0 + 90), "placeholders .* all points"),
    "shares": (all_faces(lambda points: points / [240, 200]), "shares of the picture"),
    "mirrored": (all_faces(lambda points: points[:, [0, 1]][FLIP]), "left and right exchanged"),
    "rows and columns": (all_faces(lambda points: points[:, ::-1]), "x and y exchanged"),
    "one place on": (all_faces(lambda points: np.roll(points, 1, axis=0)), "every point 1 place"),
    "upside down": (second(lambda points: [240, 200] - points), "stand on their head"),
    "another's labels": (labels_of_the_next, "the labels of another one"),
}


@pytest.mark.parametrize("tool", TOOLS)
def test_a_good_set_raises_nothing(tool, tmp_path):
    faults, _, refusal = examine(write_set(tmp_path, tool, draw_faces()))
    assert (faults, refusal) == ("", "")


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("tool", TOOLS)
def test_labels_that_are_none_are_named_in_every_format(tool, fault, tmp_path):
    spoil, words = FAULTS[fault]
    faces = draw_faces()
    spoil(faces)
    faults, _, refusal = examine(write_set(tmp_path, tool, faces))
    if (tool, fault) == ("cvat", "shares"):  # no box holds such points: that is said first
        assert words in faults
        return
    assert re.search(words, refusal), refusal
    assert refusal.partition("set: ")[2].partition(";")[0] in faults
    assert "labels/t" in refusal


@pytest.mark.parametrize("tool", TOOLS)
def test_a_damaged_picture_is_named_though_its_face_lacks_a_point(tool, tmp_path):
    """The trap: a face that is not labelled throughout is scored all the same."""
    faces = draw_faces()
    if tool not in ("cvat", "pts", "hrnet-csv"):  # these cannot leave a point out
        faces[SECOND].points[3] = np.nan
    card = write_set(tmp_path, tool, faces)
    picture = tmp_path / "pictures" / f"test{SECOND:03d}.jpg"
    picture.write_bytes(picture.read_bytes()[:2000])
    faults, _, refusal = examine(card)
    assert f"{picture}: the picture stops before its end" in faults
    assert f"{picture}: the picture stops before its end" in refusal


@pytest.mark.parametrize("tool", TOOLS)
def test_the_path_that_was_looked_for_is_said(tool, tmp_path):
    card = write_set(tmp_path, tool, draw_faces())
    picture = tmp_path / "pictures" / f"test{SECOND:03d}.jpg"
    picture.rename(picture.with_name("elsewhere.jpg"))
    faults, _, refusal = examine(card)
    for said in (faults, refusal):
        assert str(picture.with_suffix("")) in said


@pytest.mark.parametrize("tool", STATED)
def test_a_picture_of_another_size_than_stated_is_refused(tool, tmp_path):
    faces = draw_faces()
    faces[SECOND].stated = (480, 400)
    faults, _, refusal = examine(write_set(tmp_path, tool, faces))
    assert "240 x 200" in faults
    assert "240 x 200" in refusal


@pytest.mark.parametrize("tool", BOXED)
def test_a_box_without_an_area_is_named_with_file_and_picture(tool, tmp_path):
    faces = draw_faces()
    faces[SECOND].box[2] = faces[SECOND].box[0]
    faults, _, refusal = examine(write_set(tmp_path, tool, faces))
    for said in (faults, refusal):
        assert "area" in said
        assert "labels/test" in said
        if tool != "labelme":  # a file a picture
            assert f"test{SECOND:03d}" in said


@pytest.mark.parametrize("tool", BOXED)
def test_a_face_without_a_box_is_named_with_the_file(tool, tmp_path):
    if tool == "imglab":
        pytest.skip("a face of imglab is a box")
    faces = draw_faces()
    faces[SECOND].box = None
    _, _, refusal = examine(write_set(tmp_path, tool, faces))
    assert "1 items have none" in refusal
    assert "1 of 4 faces do not say boxes" in refusal


# --- what one file lacks --------------------------------------------------------------------------


@pytest.mark.parametrize("tool", ["json", "coco"])
def test_no_face_is_divided_by_something_else_than_the_others(tool, tmp_path):
    """The trap: one face without its size made all be divided by their tight boxes."""
    faces = draw_faces()
    for face in faces[1:]:
        face.face_size = 120.0
    card = write_set(tmp_path / "a", tool, faces, normaliser="face_size")
    faults, notes, _ = examine(card)
    assert faults == ""
    assert any("1 of 5 faces do not say the size of faces" in note for note in notes)
    protocol = protocol_card.load_protocol(str(card))
    index = run_data.open_index(protocol, card.parent, pixels=False)
    sides = np.diff(split.ground_truth(protocol, index).boxes.reshape(-1, 2, 2), axis=1)
    np.testing.assert_allclose(sides.ravel(), 120)
    faces[0].face_size, faces[SECOND].face_size = 120.0, None
    _, _, refusal = examine(write_set(tmp_path / "b", tool, faces, normaliser="face_size"))
    assert "1 of 4 test items lack" in refusal


@pytest.mark.parametrize("tool", FLAGGED)
def test_flags_of_one_file_are_used(tool, tmp_path):
    """The trap: a training file without flags took those of the tested faces away."""
    faces = draw_faces()
    for face in faces[TRAINED:]:
        face.hidden = frozenset(range(9))
    card = write_set(tmp_path, tool, faces, masked=True)
    faults, _, refusal = examine(card)
    assert (faults, refusal) == ("", "")
    protocol = protocol_card.load_protocol(str(card))
    truth = split.ground_truth(protocol, run_data.open_index(protocol, tmp_path, pixels=False))
    assert truth.visible.sum(axis=1).tolist() == [59] * TESTED


def test_a_card_that_masks_is_refused_before_training_where_nothing_is_hidden(tmp_path):
    """The trap: a whole training ran before the score said so."""
    faults, _, refusal = examine(write_set(tmp_path, "pts", draw_faces(), masked=True))
    assert "says of no point what is visible" in faults
    assert "says of no point what is visible" in refusal


@pytest.mark.parametrize("tool", ["csv", "benchbox-csv"])
@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (",box_x1,", ",right,", "no.* column|none 'box_x1'"),
        (",v3,", ",seen3,", "no.* column|none 'v3'"),
        (",", ";", "semicolons"),
    ],
)
def test_columns_of_a_group_are_all_there_or_refused(tool, old, new, words, tmp_path):
    """The trap: without one of its columns a box, or a flag, was dropped without a word."""
    faces = draw_faces()
    for face in faces:
        face.hidden = frozenset(range(9))
    card = write_set(tmp_path, tool, faces)
    table = tmp_path / "labels" / "test.csv"
    header, _, rows = table.read_text().partition("\n")
    table.write_text(f"{header.replace(old, new)}\n{rows}")
    _, _, refusal = examine(card)
    assert re.search(words, refusal), refusal
    assert "test.csv:1" in refusal


# --- pictures by their names ----------------------------------------------------------------------


def test_two_names_of_one_picture_are_refused(tmp_path):
    """The trap: `a/1.jpg` and `b/1.jpg`, one of which is there, became the same picture."""
    faces = draw_faces()
    faces[TRAINED].image, faces[SECOND].image = "a/test005.jpg", "b/test005.jpg"
    card = write_set(tmp_path, "coco", faces)
    protocol = protocol_card.load_protocol(str(card))
    with pytest.raises(DataError, match=r"'b/test005.jpg' is not below .* and so would 'a/test005"):
        run_data.open_index(protocol, tmp_path)


def test_a_face_far_smaller_than_the_others_is_noted(tmp_path):
    """Labels of a small face beside the one that is meant look like a face."""
    faces = draw_faces()
    faces[SECOND].points = faces[SECOND].points * 0.2 + 10
    _, notes, refusal = examine(write_set(tmp_path, "pts", faces))
    assert refusal == ""
    (line,) = [note for note in notes if "times as large in their picture" in note]
    assert line.endswith(f"is it the face that is meant? test{SECOND:03d}")
