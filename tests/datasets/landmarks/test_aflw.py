"""AFLW-19: the split is a permutation, boxes are left-right-top-bottom.

Hidden points have coordinates, too.
"""

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from benchbox import datasets
from benchbox.datasets.landmarks import aflw
from benchbox.errors import DataError

NAMES = ["0/image00001.jpg", "0/image00001.jpg", "2/image00002.png", "3/image00003.jpg"]


def tables():
    rng = np.random.default_rng(1)
    x, y = rng.uniform(12, 38, (2, 4, 19))
    mask = np.ones((4, 19), np.uint8)
    mask[1, 3] = 0
    x[1, 3] = -366  # coordinates exist where the point is not visible
    x[2, 0] = 45  # outside its box, inside the picture
    names = np.empty((4, 1), object)
    names[:, 0] = NAMES
    return {
        # left right top bottom, in a small storage type
        "bbox": np.array([[10, 40, 11, 41]] * 4, np.uint8),
        "data": np.concatenate([x, y], axis=1),
        "mask_new": mask,
        "nameList": names,
        "ra": np.array([[3, 1, 4, 2]], np.uint16),
    }


def write(root, pictures=True, **changes):
    folder = root / "aflw"
    folder.mkdir(parents=True)
    savemat(folder / "AFLWinfo_release.mat", {**tables(), **changes})
    if pictures:
        # the listed png is a jpg on disk
        for name in ("0/image00001.jpg", "2/image00002.jpg", "3/image00003.jpg"):
            path = folder / "data/flickr" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(cv2.imencode(".jpg", np.full((50, 60, 3), 80, np.uint8))[1].tobytes())
    return root


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setattr(aflw, "TRAINING_FACES", 2)
    return write(tmp_path)


def levels(findings, level):
    return [finding.what for finding in findings if finding.level == level]


def test_the_split_follows_the_permutation_that_counts_from_1(root):
    """Trap: the first rows of the list are not the training set."""
    index = datasets.open_dataset("aflw").index(root)
    assert index.ids.tolist() == [
        "0/image00001-00001",
        "0/image00001-00002",
        "2/image00002-00003",
        "3/image00003-00004",
    ]
    assert index.parts.tolist() == ["train", "test", "train", "test"]  # ra = 3 1 | 4 2
    assert index.clusters.tolist() == [
        "0/image00001",
        "0/image00001",
        "2/image00002",
        "3/image00003",
    ]


def test_points_are_all_x_then_all_y_and_hidden_ones_are_flagged(root):
    index = aflw.index(root)
    data = tables()["data"]
    np.testing.assert_array_equal(index.values[..., 0], data[:, :19])
    np.testing.assert_array_equal(index.values[..., 1], data[:, 19:])
    assert index.visible is not None
    assert np.argwhere(~index.visible).tolist() == [[1, 3]]
    assert index.values[1, 3, 0] == -366


def test_boxes_are_left_right_top_bottom_and_scale_the_face_size(root):
    """Trap: read as x0 y0 x1 y1 they would still look like boxes; uint8 would wrap."""
    index = aflw.index(root)
    assert index.boxes["rect"].tolist() == [[10, 11, 40, 41]] * 4
    assert index.boxes["rect"].dtype == np.float64
    np.testing.assert_array_equal(index.scale_boxes, index.boxes["rect"])


def test_frontal_is_a_matter_of_visibility_in_two_definitions(root):
    index = aflw.index(root)
    assert index.attributes["frontal"].tolist() == [True, False, True, True]
    assert index.attributes["frontal_inside"].tolist() == [True, False, False, True]
    assert (aflw.FRONTAL, aflw.FRONTAL_INSIDE) == (1314, 1211)  # 1,165 is made by no rule known


def test_a_listed_png_may_be_a_jpg_on_disk(root):
    assert aflw.index(root).read(2).shape == (50, 60, 3)
    assert aflw.index(root).cache_key(2)


def test_a_face_with_hidden_points_far_outside_is_still_read(root):
    assert aflw.index(root).read(1).shape == (50, 60, 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ra": np.array([[1, 2, 3, 3]])}, r"ra is no permutation of 1 … 4"),
        ({"ra": np.array([[0, 1, 2, 3]])}, r"ra is no permutation of 1 … 4"),
        (
            {"bbox": np.array([[20.0, 10, 9, 41]] * 4)},
            r"bbox row 1 .* is not \[left right top bottom\]",
        ),
        ({"data": np.ones((4, 42))}, r"data is float64 \(4, 42\), must be N x 38 numbers"),
        ({"data": np.full((4, 38), np.nan)}, r"data holds a value that is not a number"),
        ({"mask_new": np.full((4, 19), 2)}, r"mask_new holds something other than 0 and 1"),
        (
            {"nameList": np.array([["../x.jpg"], ["a"], ["b"], ["c"]], object)},
            r"nameList row 1: '\.\./x\.jpg' is not",
        ),
    ],
)
def test_another_file_is_refused(tmp_path, changes, message):
    write(tmp_path, **changes)
    with pytest.raises(DataError, match=message):
        aflw.index(tmp_path)


def test_a_file_that_is_no_matlab_file_is_refused(tmp_path):
    (tmp_path / "aflw").mkdir()
    (tmp_path / "aflw/AFLWinfo_release.mat").write_bytes(b"<html>log in first</html>" * 20)
    with pytest.raises(DataError, match=r"AFLWinfo_release\.mat: is no MATLAB v5 file"):
        aflw.index(tmp_path)


def test_verify_counts_and_names_photographs_in_both_splits(root):
    findings = aflw.verify(root)
    assert "AFLWinfo_release.mat: 4 of 24386 faces" in levels(findings, "partial")
    assert "1 points are not visible and carry inferred coordinates" in levels(findings, "ok")
    shared = (
        "1 photos have faces in train and in test, as in the official split; first 0/image00001"
    )
    assert shared in levels(findings, "ok")
    assert levels(findings, "wrong") == []


def test_boxes_in_another_order_are_noticed_by_their_shape(root):
    """Trap: 8 official boxes are not square; read in the wrong order, hardly any is."""
    write(root / "other", bbox=np.array([[10, 11, 30, 41]] * 4))
    (wrong,) = levels(aflw.verify(root / "other"), "wrong")
    assert wrong.startswith("4 of 4 face boxes are not square")


def test_an_absent_set_is_empty_and_says_what_is_missing(tmp_path):
    index = aflw.index(tmp_path)
    assert index.values.shape == (0, 19, 2)
    assert "AFLWinfo_release.mat" in index.notes[0]
