"""Boxes of a detector of one's own: matched by id, digest in the notes, refused by line."""

import hashlib

import numpy as np
import pytest

from benchbox.datasets.formats import box_csv
from benchbox.errors import DataError
from benchbox.types import Index

IDS = np.array(["ibug/image_092 _01", "afw/1_1", "afw/2_1"])


def index():
    boxes = {"ground_truth": np.tile([1.0, 2, 3, 4], (3, 1))}
    return Index(
        "300w",
        IDS,
        np.array(["ibug", "afw", "afw"]),
        np.zeros((3, 68, 2)),
        boxes,
        IDS,
        lambda row: None,
    )


def write(folder, *lines, header="id,x0,y0,x1,y1"):
    path = folder / "boxes/mtcnn.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def test_boxes_are_matched_by_id_and_the_file_is_named_by_its_digest(tmp_path):
    path = write(tmp_path, "afw/2_1,1,2,30.5,40", "ibug/image_092_01,5,6,7,8", "helen/x_1,1,1,2,2")
    found = box_csv.add_boxes(index(), tmp_path, "mtcnn")
    assert found.boxes["mtcnn"][[0, 2]].tolist() == [[5, 6, 7, 8], [1, 2, 30.5, 40]]
    assert np.isnan(found.boxes["mtcnn"][1]).all()  # nothing is made up for a face without a row
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert found.notes == (
        f"mtcnn boxes from boxes/mtcnn.csv, sha256:{digest}",
        "boxes/mtcnn.csv: 1 rows of other items ignored; first 'helen/x_1'",
    )


def test_the_datasets_own_boxes_are_never_replaced(tmp_path):
    write(tmp_path).rename(tmp_path / "boxes/ground_truth.csv")
    assert box_csv.add_boxes(index(), tmp_path, "ground_truth").boxes["ground_truth"][
        0
    ].tolist() == [
        1,
        2,
        3,
        4,
    ]
    assert set(box_csv.add_boxes(index(), tmp_path, "retinaface").boxes) == {"ground_truth"}


@pytest.mark.parametrize(
    ("lines", "header", "message"),
    [
        (["afw/1_1,1,2,3"], None, r"mtcnn\.csv:2: .* is not id,x0,y0,x1,y1"),
        (["afw/1_1,1,2,3,x"], None, r"mtcnn\.csv:2: .* is not id,x0,y0,x1,y1"),
        (["afw/1_1,10,20,5,30"], None, r"mtcnn\.csv:2: .* are not corners"),
        (["afw/1_1,1,2,3,nan"], None, r"mtcnn\.csv:2: .* are not corners"),
        (["afw/1_1,1,2,3,4", "afw/1_1,1,2,3,5"], None, r"mtcnn\.csv:3: 'afw/1_1' is there twice"),
        ([], "name,x,y,w,h", r"mtcnn\.csv:1: the header must be id,x0,y0,x1,y1"),
    ],
)
def test_a_malformed_file_is_refused_by_line(tmp_path, lines, header, message):
    write(tmp_path, *lines, header=header or "id,x0,y0,x1,y1")
    with pytest.raises(DataError, match=message):
        box_csv.add_boxes(index(), tmp_path, "mtcnn")
