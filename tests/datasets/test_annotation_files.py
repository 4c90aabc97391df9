"""Files as people's tools write them: nothing is dropped, doubled or taken for something else."""

import json

import cv2
import numpy as np
import pytest

from benchbox.datasets import shape_fit, split
from benchbox.datasets.annotation_json import order_by_names
from benchbox.datasets.custom import CustomDataset
from benchbox.datasets.formats import paths
from benchbox.errors import DataError
from benchbox.layouts import AFLW19
from benchbox.protocols import protocol_card
from benchbox.types import CustomFiles

K = 19
CARD = """
name = "mine"
title = "My faces"
dataset = "files"
layout = "aflw19"
source = {images = "p", parts = {train = "train.csv", test = "test.csv"}}
train = {parts = ["train"], expected = 2}
test = {overall = "all", expected = 2, groups = {all = ["test"]}}
box = {source = "ground_truth"}
score = {normalisers = ["face_size"]}
"""


def face(number=0):
    return shape_fit.mean_face("aflw19")[:, :2] * 0.5 + 80 + number


def write_csv(path, count=2, more=None):
    """A CSV of faces; `more` maps further columns to the cells of its rows."""
    more = more or {}
    header = ["image", *(f"{a}{k}" for k in range(K) for a in "xy"), *more]
    lines = [",".join(header)]
    for row in range(count):
        extra = [str(cells[row]) for cells in more.values()]
        lines.append(
            ",".join([f"{path.stem}{row}.png", *map(str, face(row).round(2).ravel()), *extra])
        )
    path.write_text("\n".join(lines) + "\n")


def content(count=2):
    """A COCO-style json as a value."""
    images, annotations = [], []
    for row in range(count):
        images.append({"id": row + 1, "file_name": f"{row}.png"})
        keypoints = np.c_[face(row), np.full(K, 2)].ravel().tolist()
        annotations.append({"id": row + 1, "image_id": row + 1, "keypoints": keypoints})
    return {"images": images, "annotations": annotations}


def read(root, parts, *, pixels=False):
    own = CustomDataset("mine", CustomFiles(images="p", parts=parts), AFLW19)
    return own.index(root, pixels=pixels)


def read_json(root, value, encoding="utf-8"):
    (root / "a.json").write_text(json.dumps(value), encoding=encoding)
    return read(root, {"test": "a.json"})


# --- json -----------------------------------------------------------------------------------------


def test_an_image_id_that_names_two_pictures_is_refused(tmp_path):
    """Trap: of two exports put together the later picture won, and faces sat on others'
    pictures."""
    value = content()
    value["images"].append({"id": 1, "file_name": "other.png"})
    with pytest.raises(DataError, match=r"image 3: the id 1 names 0\.png and other\.png"):
        read_json(tmp_path, value)


def test_an_annotation_id_twice_is_refused_with_both_places(tmp_path):
    value = content(3)
    value["annotations"][2]["id"] = 1
    with pytest.raises(DataError, match=r"annotation 3: the id 1 is that of annotation 1, too"):
        read_json(tmp_path, value)


def test_a_byte_order_mark_is_read(tmp_path):
    assert len(read_json(tmp_path, content(), encoding="utf-8-sig").ids) == 2


def test_points_are_put_in_the_order_of_their_names_and_it_is_said(tmp_path):
    """Trap: exporters sort names as text; the corners that divide were other points."""
    plain = read_json(tmp_path, content()).values
    names = sorted(f"p{k}" for k in range(K))
    value = content()
    value["categories"] = [{"id": 7, "name": "face", "keypoints": names}]
    for row, annotation in enumerate(value["annotations"]):
        points = face(row)[[int(name[1:]) for name in names]]
        annotation |= {"keypoints": np.c_[points, np.full(K, 2)].ravel().tolist(), "category_id": 7}
    index = read_json(tmp_path, value)
    np.testing.assert_allclose(index.values, plain)
    assert "points are put in the order of their names" in index.notes[0]


def test_numbers_of_names_that_are_no_order_are_refused_and_words_are_noted():
    assert order_by_names(["3", "1", "2"], "a") == (1, 2, 0)
    with pytest.raises(DataError, match=r"a: the numbers in the names .* are not 0 … 2 or 1 … 3"):
        order_by_names(["p0", "p1", "p7"], "a")
    assert order_by_names(["chin", "nose", "p3"], "a") is None


def test_keys_that_are_not_read_are_named(tmp_path):
    value = content()
    value["annotations"][1]["occlusion"] = [1]
    assert read_json(tmp_path, value).notes == (
        "a.json: 1 keys of annotations are not read: occlusion",
    )


def test_a_picture_of_another_size_than_the_file_says_is_refused_and_wrong(tmp_path):
    (tmp_path / "p").mkdir()
    for row in range(2):
        cv2.imwrite(str(tmp_path / f"p/{row}.png"), np.zeros((200, 160, 3), np.uint8))
    value = content()
    value["images"][0] |= {"width": 160, "height": 200}
    value["images"][1] |= {"width": 320, "height": 400}
    index = read_json(tmp_path, value)
    assert index.read(0).shape == (200, 160, 3)
    with pytest.raises(DataError, match=r"1\.png: is 160 x 200 pixels large, .* says 320 x 400"):
        index.read(1)
    own = CustomDataset("mine", CustomFiles(images="p", parts={"test": "a.json"}), AFLW19)
    wrong = [finding.what for finding in own.verify(tmp_path) if finding.level == "wrong"]
    assert wrong[0].startswith("1 pictures are not as large as their annotation file says; first ")


# --- csv ------------------------------------------------------------------------------------------


def test_columns_that_are_not_read_are_named_with_a_hint(tmp_path):
    write_csv(tmp_path / "a.csv", more={"visible0": [1, 0], "score": [1, 1]})
    (note,) = read(tmp_path, {"test": "a.csv"}).notes
    assert note.startswith(
        "a.csv: 2 columns are not read: visible0, score; visibility is read from"
    )


def test_some_of_a_group_of_columns_are_refused(tmp_path):
    write_csv(tmp_path / "a.csv", more={"v0": [1, 0], "v1": [1, 1]})
    with pytest.raises(DataError, match=r"a\.csv:1: there is a column 'v0' and none 'v2'"):
        read(tmp_path, {"test": "a.csv"})


def test_box_size_of_hrnets_lists_divides_and_stands_about_its_centre(tmp_path):
    more = {"box_size": [40, 60], "center_w": [80, 81], "center_h": [90, 91], "scale": [1, 1]}
    write_csv(tmp_path / "a.csv", more=more)
    index = read(tmp_path, {"test": "a.csv"})
    assert index.scale_boxes.tolist() == [[60, 70, 100, 110], [51, 61, 111, 121]]
    assert index.notes == ()


@pytest.mark.parametrize("lacking", ["train", "test"])
def test_a_training_row_without_box_size_moves_no_divisor_and_a_test_row_is_refused(
    tmp_path, lacking
):
    """Trap: one training annotation without it changed the divisor of every test face."""
    for part in ("train", "test"):
        sizes = [40, "" if part == lacking else 60]
        write_csv(tmp_path / f"{part}.csv", more={"box_size": sizes})
    (tmp_path / "mine.toml").write_text(CARD)
    card = protocol_card.load_protocol(str(tmp_path / "mine.toml"))
    index = read(tmp_path, {"train": "train.csv", "test": "test.csv"})
    assert any(f"{lacking}.csv: 1 of 2 faces do not say the size" in note for note in index.notes)
    if lacking == "test":
        with pytest.raises(DataError, match=r"box_size, which 1 of 2 test items lack.*test/00002"):
            split.ground_truth(card, index)
        return
    boxes = split.ground_truth(card, index).boxes
    assert (boxes[:, 2] - boxes[:, 0]).tolist() == [40, 60]


def test_flags_in_one_file_only_are_used_and_the_other_file_is_named(tmp_path):
    """Trap: they were called absent, and which file lacks them was not said."""
    flags = {f"v{k}": [1, int(k > 3)] for k in range(K)}
    write_csv(tmp_path / "train.csv")
    write_csv(tmp_path / "test.csv", more=flags)
    index = read(tmp_path, {"train": "train.csv", "test": "test.csv"})
    assert index.visible.sum(axis=1).tolist() == [19, 19, 19, 15]
    assert "train.csv: 2 of 2 faces do not say what is visible" in index.notes[0]


def test_an_id_of_two_files_is_refused_with_both_places(tmp_path):
    write_csv(tmp_path / "a.csv", more={"id": ["x", "y"]})
    write_csv(tmp_path / "b.csv", more={"id": ["z", "x"]})
    with pytest.raises(DataError, match=r"b\.csv:3: the id 'x' is that of .*a\.csv:2, too"):
        read(tmp_path, {"train": "a.csv", "test": "b.csv"})


def test_blanks_between_columns_are_called_so(tmp_path):
    """Trap: "0 point columns, 4 are needed", though all stand in the line."""
    (tmp_path / "a.csv").write_text("image x0 y0 x1 y1\nx.png 1 2 3 4\n")
    with pytest.raises(DataError) as fault:
        read(tmp_path, {"test": "a.csv"})
    assert str(fault.value).endswith("a.csv:1: blanks separate nothing in a .csv: use commas")


def test_semicolons_are_called_so(tmp_path):
    write_csv(tmp_path / "a.csv")
    text = (tmp_path / "a.csv").read_text().replace(",", ";")
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(DataError, match=r"a\.csv:1: .*semicolons"):
        read(tmp_path, {"test": "a.csv"})


# --- names of files -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("there", "wanted"),
    [
        ("face.JPG", "face.jpg"),
        ("face 1.png", "face1.png"),
        ("face.png", "face.jpg"),
        ("cafe\u0301.png", "caf\u00e9.png"),
    ],
)
def test_a_name_that_is_nearly_there_is_said_with_the_path(tmp_path, there, wanted):
    (tmp_path / there).write_bytes(b"")
    assert paths.describe_absence(tmp_path / wanted) == f"{tmp_path / wanted} (there is {there!r})"
    assert paths.describe_absence(tmp_path / "other.png") == f"{tmp_path}/other.png"


def test_the_path_that_was_looked_for_is_in_the_note_of_a_run(tmp_path):
    write_csv(tmp_path / "a.csv", count=1)
    (tmp_path / "p").mkdir()
    (tmp_path / "p/A0.png").write_bytes(b"")
    (note,) = read(tmp_path, {"test": "a.csv"}, pixels=True).notes
    assert note.endswith(f"first test/00001: {tmp_path}/p/a0.png (there is 'A0.png')")


def test_droppings_of_file_managers_are_no_pictures(tmp_path):
    for name in ("a.png", "._a.png", ".DS_Store", "Thumbs.db", "a.pts", "._a.pts"):
        (tmp_path / name).write_bytes(b"")
    assert list(paths.pictures_below(tmp_path)) == ["a"]
    (pair,) = paths.pair_pictures(tmp_path, ".png")
    assert pair.picture == tmp_path / "a.png"
