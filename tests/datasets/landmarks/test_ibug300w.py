"""300-W: the official layout and its traps.

On sets in the true format, written here, and on the samples.
"""

import shutil
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from benchbox import datasets
from benchbox.datasets.landmarks import ibug300w
from benchbox.errors import DataError
from benchbox.geometry import tight_box

FACES = {
    "afw": ["18489332_1", "18489332_10", "815038_2"],
    "helen/trainset": ["296814969_1", "100032540_1"],
    "lfpw/trainset": ["image_0001", "image_0871"],
    "helen/testset": ["296814969_3"],
    "lfpw/testset": ["image_0001"],
    "ibug": ["image_003_1", "image_014", "image_014_01", "image_09", "image_092 _01"],
}
OFFICIAL = {"afw": "jpg", "helen": "jpg", "lfpw": "png", "ibug": "jpg"}


def points(name: str) -> np.ndarray:
    """68 points inside a 60 x 50 picture, counted from 1, other ones for every face."""
    return np.random.default_rng(sum(name.encode())).uniform([6, 6], [55, 45], (68, 2)).round(3)


def shade(name: str) -> int:
    return sum(name.encode()) % 200


def picture(path: Path, level: int, shape=(50, 60)) -> None:
    ok, raw = cv2.imencode(path.suffix, np.full((*shape, 3), level, np.uint8))
    assert ok
    path.write_bytes(raw.tobytes())


def boxes_file(path: Path, rows: dict[str, tuple], dtype=np.float64) -> None:
    kind = [("imgName", object), ("bb_detector", object), ("bb_ground_truth", object)]
    cells = np.empty((1, len(rows)), object)
    for column, (name, boxes) in enumerate(rows.items()):
        detector, truth = (np.asarray(box, dtype)[None] for box in boxes)
        cells[0, column] = np.array([[(name, detector, truth)]], kind)
    savemat(path, {"bounding_boxes": cells})


def make(root: Path, faces=FACES, *, pictures=True, boxes=True) -> Path:
    folder = root / "300w"
    (folder / "Bounding Boxes").mkdir(parents=True)
    for part, stems in faces.items():
        (folder / part).mkdir(parents=True, exist_ok=True)
        rows = {}
        for number, stem in enumerate(stems):
            values = points(f"{part}/{stem}")
            lines = "".join(f"{x:.6f} {y:.6f}\n" for x, y in values)
            (folder / part / f"{stem}.pts").write_text(
                f"version: 1\nn_points:  68\n{{\n{lines}}}\n"
            )
            suffix = OFFICIAL[part.partition("/")[0]]
            if pictures:
                picture(folder / part / f"{stem}.{suffix}", shade(f"{part}/{stem}"))
            rows[f"{stem.replace(' ', '')}.{suffix}"] = (
                [number, 2, 40 + number, 44.5],
                tight_box(values),
            )
        if boxes:
            name = f"bounding_boxes_{part.replace('/', '_')}.mat"
            boxes_file(folder / "Bounding Boxes" / name, dict(reversed(rows.items())))
    return root


@pytest.fixture
def root(tmp_path):
    return make(tmp_path)


def row(index, name):
    return index.ids.tolist().index(name)


def levels(findings, level):
    return [finding.what for finding in findings if finding.level == level]


# --- index ----------------------------------------------------------------------------------------


def test_ids_are_set_split_and_stem_so_that_lfpw_names_do_not_clash(root):
    index = datasets.open_dataset("300w").index(root)
    assert index.ids.tolist() == [
        f"{part}/{stem}" for part, stems in FACES.items() for stem in sorted(stems)
    ]
    first, second = row(index, "lfpw/trainset/image_0001"), row(index, "lfpw/testset/image_0001")
    assert not np.array_equal(index.values[first], index.values[second])
    assert index.read(first)[0, 0, 0] != index.read(second)[0, 0, 0]


def test_values_stay_in_the_frame_of_the_files_and_the_origin_says_1(root):
    index = ibug300w.index(root)
    assert index.origin == 1.0
    for name, values in zip(index.ids, index.values, strict=True):
        np.testing.assert_array_equal(values, points(name))
    np.testing.assert_array_equal(index.boxes["ground_truth"], tight_box(index.values))


def test_the_name_with_a_blank_is_found_with_its_picture_and_its_box(root):
    index = ibug300w.index(root)
    blank = row(index, "ibug/image_092 _01")
    assert index.read(blank)[0, 0].tolist() == [shade("ibug/image_092 _01")] * 3
    # The box file of the fixture spells it without the blank.
    assert index.boxes["detector"][blank].tolist() == [4, 2, 44, 44.5]


def test_boxes_are_matched_by_name_never_by_position(root):
    index = ibug300w.index(root)  # the fixture's rows are in reverse order
    for part, stems in FACES.items():
        for number, stem in enumerate(stems):
            assert index.boxes["detector"][row(index, f"{part}/{stem}")].tolist() == [
                number,
                2,
                40 + number,
                44.5,
            ]


def test_stray_afw_rows_in_the_ibug_file_are_ignored(root):
    # The official file has 202 of them, and they come first.
    strays = {f"{k}_1.jpg": ([1, 1, 9, 9], [1, 1, 9, 9]) for k in range(202)}
    own = {
        f"{stem}.jpg": ([5, 5, 30 + k, 31], tight_box(points(f"ibug/{stem}")))
        for k, stem in enumerate(FACES["ibug"])
    }
    boxes_file(root / "300w/Bounding Boxes/bounding_boxes_ibug.mat", {**strays, **own})
    index = ibug300w.index(root)
    rows = index.parts == "ibug"
    assert rows.sum() == 5
    assert index.boxes["detector"][rows][:, 2].tolist() == [30, 31, 32, 33, 34]
    text = (
        "bounding_boxes_ibug.mat: 5 of 5 faces matched by name, 202 rows of other pictures ignored"
    )
    assert text in levels(ibug300w.verify(root), "ok")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16])
def test_boxes_of_small_storage_types_do_not_wrap(root, dtype):
    # SciPy hands out MATLAB's storage type; 10 - 200 would be 66 in uint8.
    rows = {f"{stem}.jpg": ([200, 10, 250, 240], [1, 1, 9, 9]) for stem in FACES["afw"]}
    boxes_file(root / "300w/Bounding Boxes/bounding_boxes_afw.mat", rows, dtype)
    boxes = ibug300w.index(root).boxes["detector"][:3]
    assert boxes.dtype == np.float64
    assert (boxes[:, 1] - boxes[:, 0]).tolist() == [-190, -190, -190]


def test_faces_of_one_photograph_are_one_cluster_across_splits(root):
    index = ibug300w.index(root)
    clusters = dict(zip(index.ids.tolist(), index.clusters.tolist(), strict=True))
    assert clusters["afw/18489332_1"] == clusters["afw/18489332_10"] == "afw/18489332"
    assert (
        clusters["helen/trainset/296814969_1"]
        == clusters["helen/testset/296814969_3"]
        == "helen/296814969"
    )
    assert clusters["ibug/image_014"] == clusters["ibug/image_014_01"] == "ibug/image_014"
    assert (
        clusters["ibug/image_09"]
        == "ibug/image_09"
        != clusters["ibug/image_092 _01"]
        == "ibug/image_092"
    )
    # Equal names in LFPW's splits are different photographs.
    assert clusters["lfpw/trainset/image_0001"] != clusters["lfpw/testset/image_0001"]


def test_pictures_may_be_png_or_jpg_and_the_official_format_wins(root):
    folder = root / "300w"
    (folder / "lfpw/testset/image_0001.png").unlink()
    # a copy that was made smaller, with a camera's suffix
    picture(folder / "lfpw/testset/image_0001.JPG", 70)
    picture(folder / "lfpw/trainset/image_0001.jpg", 71)  # beside the png
    picture(folder / "afw/815038_2.png", 72)  # beside the jpg
    index = ibug300w.index(root)
    assert index.read(row(index, "lfpw/testset/image_0001"))[0, 0, 0] == 70
    assert index.read(row(index, "lfpw/trainset/image_0001"))[0, 0, 0] == shade(
        "lfpw/trainset/image_0001"
    )
    assert index.read(row(index, "afw/815038_2"))[0, 0, 0] == shade("afw/815038_2")
    assert index.notes == (
        "afw: 1 pictures are there as png and jpg; .jpg is read",
        "lfpw/trainset: 1 pictures are there as png and jpg; .png is read",
    )


def test_annotations_alone_are_enough_without_pixels(tmp_path):
    make(tmp_path, pictures=False, boxes=False)
    index = ibug300w.index(tmp_path, pixels=False)
    assert len(index.ids) == 14
    assert np.isnan(index.boxes["detector"]).all()
    assert index.notes == ()
    with pytest.raises(
        DataError, match=r"afw/18489332_1: no picture beside .*; put 18489332_1\.png or \.jpg there"
    ):
        index.read(0)


def test_a_face_without_a_picture_is_left_out_and_noted(root):
    (root / "300w/afw/815038_2.jpg").unlink()
    index = ibug300w.index(root)
    assert len(index.ids) == 13
    assert "afw/815038_2" not in index.ids
    assert index.notes == ("afw: 1 of 3 faces have no picture and are left out",)


def test_indexing_opens_no_picture(root):
    for path in (root / "300w").rglob("*.[jp][pn]g"):
        path.write_bytes(b"not a picture")
    index = ibug300w.index(root)
    assert len(index.ids) == 14
    with pytest.raises(DataError, match=r"18489332_1\.jpg: is neither a PNG nor a JPEG"):
        index.read(0)


def test_a_picture_of_another_copy_is_refused(root):
    # Trap: original annotations beside pictures that were cropped or shrunk.
    picture(root / "300w/afw/815038_2.jpg", 9, shape=(10, 12))
    index = ibug300w.index(root)
    with pytest.raises(
        DataError, match=r"815038_2\.jpg: \d+ of 68 points lie outside the 12 x 10 picture"
    ):
        index.read(row(index, "afw/815038_2"))


def test_droppings_of_file_managers_are_no_faces(root):
    (root / "300w/afw/._18489332_1.pts").write_bytes(b"\0\5\x16\7")
    (root / "300w/afw/Thumbs.db").write_bytes(b"x")
    assert len(ibug300w.index(root).ids) == 14


def test_a_malformed_annotation_stops_the_index_and_is_named_by_verify(root):
    path = root / "300w/afw/815038_2.pts"
    path.write_text(path.read_text().rstrip("}\n"))
    with pytest.raises(
        DataError, match=r"815038_2\.pts:\d+: the file ends without a closing brace"
    ):
        ibug300w.index(root)
    wrong = levels(ibug300w.verify(root), "wrong")
    assert any(
        "afw: 1 annotations are malformed; first" in what and "815038_2.pts" in what
        for what in wrong
    )


def test_an_absent_folder_is_an_empty_index_with_a_hint(tmp_path):
    index = ibug300w.index(tmp_path)
    assert (index.values.shape, index.boxes["detector"].shape) == ((0, 68, 2), (0, 4))
    assert index.notes == (f"there is no folder {tmp_path / '300w'}",)
    (tmp_path / "helen").mkdir()
    assert "--data names the folder that holds 300w/" in ibug300w.index(tmp_path).notes[0]


# --- boxes ----------------------------------------------------------------------------------------


def put_boxes(root, rows):
    boxes_file(root / "300w/Bounding Boxes/bounding_boxes_afw.mat", rows)


def test_a_face_without_a_row_has_no_box_and_a_note(root):
    put_boxes(root, {"815038_2.jpg": ([1, 1, 9, 9], [1, 1, 9, 9])})
    index = ibug300w.index(root)
    assert np.isnan(index.boxes["detector"][:2]).all()
    assert index.boxes["detector"][2].tolist() == [1, 1, 9, 9]
    assert index.notes == ("afw: 2 of 3 faces are not in bounding_boxes_afw.mat",)


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ([9, 1, 1, 9], r"row 1 is not imgName, bb_detector, bb_ground_truth \(.*are not corners"),
        ([1, 1, 9, np.nan], r"row 1 .*are not corners"),
        ([1, 1, 9], r"row 1 .*are not corners"),
    ],
)
def test_an_impossible_box_is_refused_by_row(root, box, message):
    put_boxes(root, {"815038_2.jpg": (box, [1, 1, 9, 9])})
    with pytest.raises(DataError, match=r"bounding_boxes_afw\.mat: " + message):
        ibug300w.index(root)


def test_one_name_with_two_boxes_is_refused(root):
    put_boxes(
        root,
        {
            "815038_2.jpg": ([1, 1, 9, 9], [1, 1, 9, 9]),
            "815038_2.png": ([1, 1, 8, 9], [1, 1, 9, 9]),
        },
    )
    with pytest.raises(
        DataError, match=r"row 2: '815038_2\.png' is there twice with different boxes"
    ):
        ibug300w.index(root)


@pytest.mark.parametrize(
    "raw", [b"", b"not a mat file at all" * 20, b"MATLAB 5.0 MAT-file" + b"\0" * 300]
)
def test_what_is_no_box_file_is_refused(root, raw):
    (root / "300w/Bounding Boxes/bounding_boxes_afw.mat").write_bytes(raw)
    with pytest.raises(
        DataError, match=r"bounding_boxes_afw\.mat: (is no MATLAB v5 file|holds no variable)"
    ):
        ibug300w.index(root)
    assert any("bounding_boxes_afw.mat" in what for what in levels(ibug300w.verify(root), "wrong"))


def test_another_variable_or_shape_is_refused(root):
    path = root / "300w/Bounding Boxes/bounding_boxes_afw.mat"
    savemat(path, {"boxes": np.zeros((1, 4))})
    with pytest.raises(DataError, match=r"holds no variable 'bounding_boxes'"):
        ibug300w.index(root)
    savemat(path, {"bounding_boxes": np.zeros((1, 4))})
    with pytest.raises(DataError, match=r"row 1 is not imgName"):
        ibug300w.index(root)


# --- which annotations ----------------------------------------------------------------------------


def test_the_digest_forgives_spelling_and_order_but_not_a_moved_point():
    ids, values = ["ibug/image_092 _01", "ibug/b"], np.stack([points("a"), points("b")])
    same = ibug300w.annotation_digest(["ibug/b", "ibug/image_092_01"], values[::-1] + 1e-5)
    assert ibug300w.annotation_digest(ids, values) == same
    moved = values.copy()
    moved[0, 3, 0] += 0.01
    assert ibug300w.annotation_digest(ids, moved) != same
    assert ibug300w.annotation_digest(ids, values[::-1]) != same


def test_an_incomplete_test_set_is_not_compared(root):
    assert ibug300w.index(root).variant == "unverified annotations"


# --- examination ----------------------------------------------------------------------------------


def test_verify_counts_every_part(root):
    findings = ibug300w.verify(root)
    for what in ("afw: 3 of 337 faces", "helen/trainset: 2 of 2000 faces", "ibug: 5 of 135 faces"):
        assert what in levels(findings, "partial")
    assert "14 pictures are whole and hold their points" in levels(findings, "ok")
    assert "no picture file is in train and in test" in levels(findings, "ok")
    assert (
        "photo helen/296814969 has faces in train and in test, as in the official split"
        in levels(findings, "ok")
    )
    assert levels(findings, "wrong") == []


def test_verify_of_nothing_says_where_to_get_it(tmp_path):
    (finding,) = ibug300w.verify(tmp_path)
    assert finding.level == "missing"
    assert "https://ibug.doc.ic.ac.uk" in finding.what
    assert "no commercial use" in finding.what


def test_verify_finds_what_is_wrong(root):
    folder = root / "300w"
    shutil.copy(folder / "helen/trainset/100032540_1.jpg", folder / "helen/testset/296814969_3.jpg")
    (folder / "afw/815038_2.jpg").write_bytes(b"<html>")
    picture(folder / "afw/18489332_1.jpg", 5, shape=(8, 8))
    whole = (folder / "lfpw/trainset/image_0871.png").read_bytes()
    (folder / "lfpw/trainset/image_0871.png").write_bytes(whole[:-20])
    (folder / "ibug/image_09.jpg").unlink()
    put_boxes(root, {f"{stem}.jpg": ([1, 1, 9, 9], [1, 1, 9, 9]) for stem in FACES["afw"]})
    (folder / "Bounding Boxes/bounding_boxes_lfpw_testset.mat").unlink()
    findings = ibug300w.verify(root)
    wrong = "\n".join(levels(findings, "wrong"))
    assert (
        "1 pictures are in train and in test, byte for byte; "
        "first helen/trainset/100032540_1 = helen/testset/296814969_3" in wrong
    )
    assert "2 pictures cannot be read; first" in wrong
    assert "1 pictures do not fit their points; first" in wrong
    assert (
        "bounding_boxes_afw.mat: 3 boxes are not around their points; first afw/18489332_1" in wrong
    )
    missing = levels(findings, "missing")
    absent = [text for text in missing if "first ibug/image_09: " in text]
    assert absent[0].startswith("1 items have no picture")
    assert absent[0].endswith("300w/ibug/image_09.jpg")
    assert "bounding_boxes_lfpw_testset.mat: no such file in 'Bounding Boxes'" in missing


def test_a_photo_in_train_and_test_that_the_official_split_keeps_apart_is_wrong(tmp_path):
    make(tmp_path, {"helen/trainset": ["5_1"], "helen/testset": ["5_2"]})
    assert "photo helen/5 has faces in train and in test" in levels(
        ibug300w.verify(tmp_path), "wrong"
    )


def test_more_faces_than_the_release_has_are_wrong(tmp_path, monkeypatch):
    monkeypatch.setitem(ibug300w.PARTS, "afw", ibug300w._Part(2, "bounding_boxes_afw.mat", ".jpg"))
    make(tmp_path, {"afw": FACES["afw"]})
    wrong = levels(ibug300w.verify(tmp_path), "wrong")
    assert "afw: 3 of 2 faces; 1 do not belong to the official release" in wrong


# --- the licensed samples -------------------------------------------------------------------------


@pytest.mark.data
def test_the_samples_are_a_partial_training_set_and_a_whole_common_test_set(data_root):
    index = ibug300w.index(data_root)
    assert Counter(index.parts.tolist()) == {
        "afw": 337,
        "helen/trainset": 870,
        "lfpw/trainset": 805,
        "helen/testset": 330,
        "lfpw/testset": 224,
    }
    assert index.variant == "moved annotations"
    assert np.isfinite(index.boxes["detector"]).all()
    assert len(set(index.clusters[index.parts == "afw"])) == 185
    assert len(set(index.clusters[index.parts == "helen/testset"])) == 298
    pixels = index.read(row(index, "helen/testset/296814969_3"))
    assert pixels.dtype == np.uint8
    assert max(pixels.shape) == 336


@pytest.mark.data
def test_verify_says_exactly_what_the_samples_hold(data_root):
    findings = ibug300w.verify(data_root)
    assert levels(findings, "wrong") == []
    assert levels(findings, "missing") == [
        "ibug: 0 of 135 faces",
        "bounding_boxes_ibug.mat: no such file in 'Bounding Boxes'",
    ]
    partial = levels(findings, "partial")
    assert partial[:2] == ["helen/trainset: 870 of 2000 faces", "lfpw/trainset: 805 of 811 faces"]
    assert partial[2].startswith("moved annotations: ")
    assert "2566 pictures are whole and hold their points" in levels(findings, "ok")


@pytest.mark.data
def test_the_published_annotations_are_the_original_ones_and_need_no_picture(data_root):
    root = data_root / "300w-published" / "annotations"
    index = ibug300w.index(root, pixels=False)
    assert len(index.ids) == 689
    assert index.variant == "original annotations"
    assert len(ibug300w.index(root).ids) == 0
    eyes = np.linalg.norm(index.values[:, 36] - index.values[:, 45], axis=1)
    # Known of the official set: the median inter-ocular distance is 176 px, the smallest 22.8.
    assert round(float(np.median(eyes))) == 176
    assert round(float(eyes.min()), 1) == 22.8
