"""COFW (29 points, MATLAB 7.3) and COFW-68 (v5 files beside it).

Their traps: transposed arrays, boxes x y w h, int16, grey pictures.
"""

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from benchbox import datasets
from benchbox.datasets.landmarks import cofw, cofw68
from benchbox.errors import DataError


def picture(row):
    """A picture of 40 x 30 whose left upper corner is red; every third one grey."""
    if row % 3 == 2:
        return np.full((30, 40), 50 + row, np.uint8)
    made = np.zeros((30, 40, 3), np.uint8)
    made[:10, :10, 0] = 200
    return made


def phis(row):
    rng = np.random.default_rng(row)
    return np.concatenate([rng.uniform(5, 38, 29), rng.uniform(5, 28, 29), rng.integers(0, 2, 29)])


def hdf5(path, part, count, change=None):
    """Write a MATLAB 7.3 file as MATLAB does.

    With a 512-byte head, arrays transposed, cells as references.
    """
    suffix = {"train": "Tr", "test": "T"}[part]
    columns = {
        f"phis{suffix}": np.stack([phis(row) for row in range(count)]).T,
        f"bboxes{suffix}": np.array([[4.0 + row, 3, 20, 22] for row in range(count)]).T,
    } | (change or {})
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in columns.items():
            file[name] = array
        cells = file.create_dataset(f"Is{suffix}", (1, count), h5py.ref_dtype)
        for row in range(count):
            cells[0, row] = file.create_dataset(f"#refs#/{row}", data=picture(row).T).ref
    head = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created by a test HDF5 schema 1.00 ."
    with path.open("r+b") as raw:
        raw.write(head.ljust(124) + b"\0\2IM")


@pytest.fixture
def root(tmp_path):
    hdf5(tmp_path / "cofw/COFW_train_color.mat", "train", 4)
    hdf5(tmp_path / "cofw/COFW_test_color.mat", "test", 3)
    return tmp_path


def levels(findings, level):
    return [finding.what for finding in findings if finding.level == level]


# --- COFW -----------------------------------------------------------------------------------------


def test_rows_are_ids_counted_from_1_and_arrays_are_turned_back(root):
    index = datasets.open_dataset("cofw").index(root)
    assert index.ids.tolist() == [f"train/000{k}" for k in (1, 2, 3, 4)] + [
        f"test/000{k}" for k in (1, 2, 3)
    ]
    np.testing.assert_array_equal(index.values[5, :, 0], phis(1)[:29])
    np.testing.assert_array_equal(index.values[5, :, 1], phis(1)[29:58])
    assert index.visible is not None
    np.testing.assert_array_equal(index.visible[5], phis(1)[58:] == 0)  # 1 is occluded
    assert index.origin == 1.0


def test_boxes_are_x_y_width_height_in_the_frame_of_the_points(root):
    """Trap: MMPose subtracts 1 from the points and not from the boxes."""
    assert cofw.index(root).boxes["detector"][1].tolist() == [5, 3, 25, 25]


def test_pictures_are_turned_back_rgb_and_grey_ones_get_three_channels(root):
    index = cofw.index(root)
    colour, grey = index.read(0), index.read(2)
    # one file holds them all: the row is part of the key
    assert len({index.cache_key(row) for row in (0, 1, 2)}) == 3
    assert colour.shape == (30, 40, 3)
    assert colour[5, 5].tolist() == [200, 0, 0]  # red stays red, above and to the left
    assert colour[5, 35].tolist() == colour[25, 5].tolist() == [0, 0, 0]
    assert grey[0, 0].tolist() == [52, 52, 52]


def test_the_grey_release_is_read_and_named(root):
    (root / "cofw/COFW_test_color.mat").rename(root / "cofw/COFW_test.mat")
    assert cofw.index(root).notes == ("test: COFW_test.mat is read, whose pictures are grey",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        # not transposed
        ({"phisT": np.ones((3, 87))}, r"phisT is float64 \(87, 3\), must be N x 87 numbers"),
        ({"phisT": np.full((87, 3), 0.5)}, r"phisT row 1: an occlusion flag is neither 0 nor 1"),
        (
            {"phisT": np.ones((87, 2)), "bboxesT": np.ones((4, 2))},
            r"3 pictures and 2 rows of points",
        ),
        (
            {"bboxesT": np.array([[9.0, 9, 0, 5]] * 3).T},
            r"bboxesT row 1 .* is not x y width height",
        ),
        ({"bboxesT": np.array([b"text"])}, r"holds no matrix of numbers 'bboxesT'"),
    ],
)
def test_another_file_is_refused(tmp_path, change, message):
    hdf5(tmp_path / "cofw/COFW_test_color.mat", "test", 3, change)
    with pytest.raises(DataError, match=message):
        cofw.index(tmp_path)


def save_again(root, part, suffix, change=None):
    """Save a file as people do whom SciPy tells to use an HDF5 reader: MATLAB 5, cells as cells."""
    count = {"train": 4, "test": 3}[part]
    cells = np.empty((count, 1), object)
    for row in range(count):
        cells[row, 0] = picture(row)
    content = {
        f"phis{suffix}": np.stack([phis(row) for row in range(count)]),
        f"bboxes{suffix}": np.array([[4 + row, 3, 20, 22] for row in range(count)], np.uint8),
        f"Is{suffix}": cells,
    } | (change or {})
    savemat(root / f"cofw/COFW_{part}_color.mat", content)


def test_a_file_that_was_saved_again_as_matlab_5_is_the_same_and_noted(root):
    """Trap: the file is whole, and was called broken; its boxes may come back as uint8."""
    whole = cofw.index(root)
    save_again(root, "train", "Tr")
    save_again(root, "test", "T")
    again = cofw.index(root)
    np.testing.assert_array_equal(again.values, whole.values)
    np.testing.assert_array_equal(again.boxes["detector"], whole.boxes["detector"])
    np.testing.assert_array_equal(again.visible, whole.visible)
    np.testing.assert_array_equal(again.read(5), whole.read(5))
    assert "test: COFW_test_color.mat was saved again, as MATLAB 5" in again.notes[1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"IsT": np.ones((3, 1))}, "no cell array of pictures 'IsT'"),
        ({"phisT": np.ones((87, 3))}, r"phisT is .* must be N x 87 numbers"),
    ],
)
def test_another_file_saved_again_is_refused(root, change, message):
    save_again(root, "test", "T", change)
    with pytest.raises(DataError, match=message):
        cofw.index(root)


def test_verify_decodes_every_picture(root):
    findings = cofw.verify(root)
    assert levels(findings, "partial") == ["train: 4 of 1345 faces", "test: 3 of 507 faces"]
    assert "7 pictures are whole and hold their points" in levels(findings, "ok")


# --- COFW-68 --------------------------------------------------------------------------------------


def points(number):
    made = np.random.default_rng(100 + number).uniform([6, 6], [39, 29], (68, 2))
    made[0, 0] = -17.6  # as two faces of the release have it
    return made


def write68(root, numbers=(1, 2, 3), boxes=True):
    folder = root / "cofw68/test_annotations"
    folder.mkdir(parents=True)
    for number in numbers:
        occluded = np.zeros((1, 68), np.uint8)
        occluded[0, number] = 1
        savemat(folder / f"{number}_points.mat", {"Points": points(number), "Occ": occluded})
    if boxes:
        table = np.zeros((507, 4), np.int16) + np.array([-24, 3, 200, 300], np.int16)
        table[1] = [30000, 5, 30000, 7]  # would wrap in int16
        savemat(root / "cofw68/cofw68_test_bboxes.mat", {"bboxes": table})
    return root


def test_68_points_occlusion_and_boxes_of_small_storage_types(root):
    index = datasets.open_dataset("cofw68").index(write68(root))
    assert index.ids.tolist() == ["test/0001", "test/0002", "test/0003"]
    np.testing.assert_array_equal(index.values[2], points(3))
    assert index.visible is not None
    assert np.argwhere(~index.visible).tolist() == [[0, 1], [1, 2], [2, 3]]
    assert index.boxes["detector"][0].tolist() == [-24, 3, 176, 303]
    assert index.boxes["detector"][1].tolist() == [30000, 5, 60000, 12]
    assert index.origin == 1.0


def test_numbers_sort_as_numbers_and_name_the_row_of_cofws_pictures(root):
    hdf5(root / "cofw/COFW_test_color.mat", "test", 11)
    index = cofw68.index(write68(root, (1, 2, 10)))
    assert index.ids.tolist() == ["test/0001", "test/0002", "test/0010"]
    assert index.read(2)[5, 5].tolist() == [200, 0, 0]  # row 10 counted from 1, the tenth
    assert index.boxes["detector"][2].tolist() == [-24, 3, 176, 303]


def test_scoring_needs_no_pictures_and_a_run_says_where_they_are(tmp_path):
    write68(tmp_path)
    assert len(cofw68.index(tmp_path, pixels=False).ids) == 3
    index = cofw68.index(tmp_path)
    assert len(index.ids) == 0
    assert "the pictures are COFW's: there is no file" in index.notes[0]


def test_without_the_box_file_there_are_no_boxes_made_up(tmp_path):
    index = cofw68.index(write68(tmp_path, boxes=False), pixels=False)
    assert np.isnan(index.boxes["detector"]).all()
    assert "+box=ground_truth needs none" in index.notes[0]


def test_a_malformed_annotation_is_refused_by_file(tmp_path):
    write68(tmp_path)
    savemat(
        tmp_path / "cofw68/test_annotations/2_points.mat",
        {"Points": np.ones((29, 2)), "Occ": np.zeros((1, 68))},
    )
    with pytest.raises(
        DataError, match=r"2_points\.mat: Points is float64 \(29, 2\), must be 68 x 2 numbers"
    ):
        cofw68.index(tmp_path, pixels=False)
    assert len(levels(cofw68.verify(tmp_path), "wrong")) == 1


def test_verify_counts_annotations_boxes_and_pictures(root):
    findings = cofw68.verify(write68(root))
    assert levels(findings, "partial") == ["test_annotations: 3 of 507 faces"]
    assert "3 pictures are whole and hold their points" in levels(findings, "ok")
    assert "1.5% of the points are occluded" in levels(findings, "ok")
