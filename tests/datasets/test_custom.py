"""Custom datasets: CSV and COCO-style json named by the card, HRNet's columns.

Also on the samples that others publish.
"""

import csv
import json

import cv2
import numpy as np
import pytest

from benchbox.datasets.custom import CustomDataset
from benchbox.errors import DataError
from benchbox.layouts import LAYOUTS, layouts_with
from benchbox.types import CustomFiles

K = 19


def points(row):
    return np.random.default_rng(row).uniform(5, 40, (K, 2)).round(2)


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, np.full((45, 50, 3), 7, np.uint8))[1].tobytes())


def reader(origin=0.0, visible="", **parts):
    return CustomDataset(
        "mine",
        CustomFiles("mine/pictures", parts or {"test": "mine/test.csv"}, origin, visible),
        LAYOUTS["aflw19"],
    )


def table(root, rows, header=None, name="test.csv"):
    path = root / "mine" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    header = header or ["image", *(f"{axis}{k}" for k in range(K) for axis in "xy")]
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])
    return header


def rows(count=3):
    return [[f"p{row // 2}.png", *points(row).ravel()] for row in range(count)]


def coco(root, change=lambda content: content, name="test.json"):
    marks = [
        [number for k, p in enumerate(points(row).tolist()) for number in (*p, 1 + (k + row) % 2)]
        for row in range(2)
    ]
    content = {
        "images": [{"id": 5, "file_name": "a/p0.jpg"}, {"id": 6, "file_name": "p1.jpg"}],
        "annotations": [
            {"id": 11, "image_id": 6, "keypoints": marks[0], "bbox": [4, 3, 30, 40]},
            {"id": 12, "image_id": 5, "keypoints": marks[1], "center": [20, 22], "box_size": 30},
        ],
    }
    path = root / "mine" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    change(content)
    path.write_text(json.dumps(content))
    return root


# --- csv ------------------------------------------------------------------------------------------


def test_a_csv_of_names_and_points_is_enough(tmp_path):
    table(tmp_path, rows())
    for name in ("p0.png", "p1.png"):
        picture(tmp_path / "mine/pictures" / name)
    index = reader().index(tmp_path)
    assert index.ids.tolist() == ["test/00001", "test/00002", "test/00003"]
    np.testing.assert_array_equal(index.values, [points(row) for row in range(3)])
    # faces of one picture belong together
    assert index.clusters.tolist() == ["p0.png", "p0.png", "p1.png"]
    assert set(index.boxes) == {"ground_truth"}
    assert index.read(2).shape == (45, 50, 3)
    assert index.cache_key(2)


def test_every_further_column_is_read(tmp_path):
    extra = [
        "id",
        "cluster",
        "box_x0",
        "box_y0",
        "box_x1",
        "box_y1",
        *(f"v{k}" for k in range(K)),
        "is_hard",
    ]
    header = ["image", *(f"{axis}{k}" for k in range(K) for axis in "xy"), *extra]
    more = [
        ["one", "ann", 1, 2, 41, 42, 0, *[1] * (K - 1), 1],
        ["two", "bob", "", "", "", "", *[1] * K, 0],
    ]
    table(tmp_path, [[*row, *m] for row, m in zip(rows(2), more, strict=True)], header)
    index = reader(origin=1.0).index(tmp_path, pixels=False)
    assert (index.ids.tolist(), index.clusters.tolist()) == (["one", "two"], ["ann", "bob"])
    assert index.boxes["bbox"][0].tolist() == [1, 2, 41, 42]
    assert np.isnan(index.boxes["bbox"][1]).all()
    assert index.visible is not None
    assert np.argwhere(~index.visible).tolist() == [[0, 0]]
    assert index.attributes["hard"].tolist() == [True, False]
    assert index.origin == 1.0


def test_the_columns_of_hrnets_lists_are_known(tmp_path):
    header = [
        "image_name",
        "scale",
        "center_w",
        "center_h",
        *(f"original_{k}_{a}" for k in range(K) for a in "xy"),
    ]
    table(tmp_path, [["a/b.jpg", 1.5, 20, 21, *points(4).ravel()]], header)
    index = reader(origin=1.0).index(tmp_path, pixels=False)  # raw iBUG numbers: they count from 1
    np.testing.assert_array_equal(index.values[0], points(4))
    assert index.clusters.tolist() == ["a/b.jpg"]


@pytest.mark.parametrize(
    ("change", "header", "message"),
    [
        (lambda r: [r[0][:-1]], None, r"test\.csv:2: 38 cells, the header names 39"),
        (lambda r: [[*r[0][:-1], "x"]], None, r"test\.csv:2: 'x' is not a number"),
        (lambda r: [[*r[0][:-1], "inf"]], None, r"test\.csv:2: 'inf' is no coordinate"),
        (lambda r: [[*r[0][:-1], "nan"]], None, r"test\.csv:2: point 18 has one coordinate"),
        (
            lambda r: [["../a.png", *r[0][1:]]],
            None,
            r"test\.csv:2: '\.\./a\.png' is not the name of a file inside",
        ),
        (lambda r: r, ["image", *"ab"], r"test\.csv:1: 0 point columns, 38 are needed"),
        (
            lambda r: r,
            [*(f"{a}{k}" for k in range(K) for a in "xy"), "z"],
            r"test\.csv:1: there is no column 'image'",
        ),
    ],
)
def test_a_malformed_csv_is_refused_by_line(tmp_path, change, header, message):
    table(tmp_path, change(rows(1)), header)
    with pytest.raises(DataError, match=message):
        reader().index(tmp_path, pixels=False)


# --- json -----------------------------------------------------------------------------------------


def test_a_json_of_images_and_annotations(tmp_path):
    coco(tmp_path)
    picture(tmp_path / "mine/pictures/a/p0.jpg")
    picture(tmp_path / "mine/pictures/p1.jpg")
    index = reader(test="mine/test.json").index(tmp_path)
    assert index.ids.tolist() == ["test/11", "test/12"]
    assert index.clusters.tolist() == ["p1.jpg", "a/p0.jpg"]  # by id, not by position
    np.testing.assert_array_equal(index.values, [points(0), points(1)])
    assert index.boxes["bbox"][0].tolist() == [4, 3, 34, 43]  # x y width height
    assert index.visible is None
    assert index.read(1).shape == (45, 50, 3)


def test_cocos_third_number_is_visibility_only_where_the_card_says_so(tmp_path):
    """Trap: most converters write 1 for every point, which COCO would call hidden."""
    index = reader(visible="coco", test="mine/test.json").index(coco(tmp_path), pixels=False)
    assert index.visible is not None
    assert index.visible[0, :4].tolist() == [False, True, False, True]


def test_a_point_that_is_not_marked_is_absent_in_a_json(tmp_path):
    """COCO writes 0, 0, 0; others null. Its place stays, and no box is made of it."""

    def unmark(content):
        content["annotations"][0]["keypoints"][3:6] = [0, 0, 0]
        content["annotations"][1]["keypoints"][0:3] = [None, None, None]

    index = reader(test="mine/test.json").index(coco(tmp_path, unmark), pixels=False)
    assert np.argwhere(index.absent).tolist() == [[0, 1], [1, 0]]
    assert np.isnan(index.values[0, 1]).all()
    assert index.values[0, 2].tolist() == points(0)[2].tolist()
    others = np.delete(points(0), 1, axis=0)
    assert index.boxes["ground_truth"][0].tolist() == [*others.min(axis=0), *others.max(axis=0)]


def test_a_point_that_is_not_marked_is_absent_in_a_csv(tmp_path):
    """Empty, nan, or hidden at a place that stands for nothing."""
    header = ["image", *(f"{axis}{k}" for k in range(K) for axis in "xy")]
    given = rows(3)
    given[0][1:3] = ["", ""]
    given[1][3:5] = ["NaN", "nan"]
    given[2][5:7] = [-1, -1]
    flags = [[1] * K, [1] * K, [1, 1, 0] + [1] * (K - 3)]
    table(
        tmp_path,
        [[*row, *marks] for row, marks in zip(given, flags, strict=True)],
        [*header, *(f"v{k}" for k in range(K))],
    )
    index = reader().index(tmp_path, pixels=False)
    assert np.argwhere(index.absent).tolist() == [[0, 0], [1, 1], [2, 2]]
    given[0][1] = 3.0
    table(tmp_path, given, header)
    with pytest.raises(DataError, match=r"test.csv:2: point 0 has one coordinate"):
        reader().index(tmp_path, pixels=False)


def test_box_size_scales_the_face_where_all_have_it(tmp_path):
    def both(content):
        content["annotations"][0] |= {"center": [10, 10], "box_size": 8}

    one = reader(test="mine/test.json").index(coco(tmp_path), pixels=False)
    assert np.isnan(one.scale_boxes[0]).all()  # refused where it is scored: see `split`
    assert one.scale_boxes[1].tolist() == [5, 7, 35, 37]
    assert one.notes[-1] == (
        "mine/test.json: 1 of 2 faces do not say the size of faces (box_size); first test/11"
    )
    index = reader(test="mine/test.json").index(coco(tmp_path, both), pixels=False)
    assert index.scale_boxes.tolist() == [[6, 6, 14, 14], [5, 7, 35, 37]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda c: c["annotations"][1].update(image_id=9),
            r"annotation 2 \(id 12\): its image 9 is not in 'images'",
        ),
        (
            lambda c: c["annotations"][0]["keypoints"].pop(),
            r"annotation 1 \(id 11\): keypoints has 56 numbers",
        ),
        (lambda c: c["annotations"][0].update(bbox=[1, 2, 0, 4]), r"the box .* has no area"),
        (
            lambda c: c["images"][0].update(file_name="/etc/passwd"),
            r"image 1: '/etc/passwd' is not the name",
        ),
        (lambda c: c.pop("images"), r"holds no lists 'images' and 'annotations'"),
    ],
)
def test_a_malformed_json_is_refused(tmp_path, change, message):
    coco(tmp_path, change)
    with pytest.raises(DataError, match=message):
        reader(test="mine/test.json").index(tmp_path, pixels=False)


def test_parts_may_mix_both_kinds_and_an_absent_file_is_noted(tmp_path):
    table(tmp_path, rows(2), name="train.csv")
    coco(tmp_path)
    index = reader(train="mine/train.csv", test="mine/test.json", more="mine/more.csv").index(
        tmp_path, pixels=False
    )
    assert index.parts.tolist() == ["train", "train", "test", "test"]
    assert "there is no file" in index.notes[0]


def test_verify_counts_and_looks_at_the_pictures(tmp_path):
    table(tmp_path, rows())
    picture(tmp_path / "mine/pictures/p0.png")
    findings = reader().verify(tmp_path)
    assert [(f.level, f.what) for f in findings][:2] == [
        ("ok", "test: 3 faces"),
        (
            "missing",
            f"1 items have no picture; first test/00003: {tmp_path}/mine/pictures/p1.png",
        ),
    ]


# --- the published samples ------------------------------------------------------------------------


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "count", "faces", "visible"),
    [("wflw", 98, 4, ""), ("300w", 68, 2, ""), ("cofw", 29, 2, "coco"), ("aflw", 19, 2, "")],
)
def test_samples_as_mmpose_writes_them(data_root, name, count, faces, visible):
    folder = f"coco-json-samples/{name}"
    if not (data_root / folder).is_dir():
        pytest.skip(f"no {folder} under the data root")
    own = CustomDataset(
        name,
        CustomFiles(folder, {"test": f"{folder}/test_{name}.json"}, float(name == "300w"), visible),
        LAYOUTS[layouts_with(count)[0]],
    )
    index = own.index(data_root)
    assert index.values.shape == (faces, count, 2)
    assert (index.scale_boxes is not None) == (name == "aflw")
    assert {finding.level for finding in own.verify(data_root)} == {"ok"}
    for row in range(faces):
        assert index.read(row).shape[2] == 3


# --- a face that stands there twice ---------------------------------------------------------------


def test_a_face_twice_in_a_csv_is_refused_with_both_lines(tmp_path):
    table(tmp_path, [*rows(3), rows(3)[1]])
    with pytest.raises(DataError, match=r"test\.csv:5: p0\.png with the same points as .*csv:3"):
        reader().index(tmp_path, pixels=False)
    # two faces of one picture are two faces
    table(tmp_path, rows(2))
    assert len(reader().index(tmp_path, pixels=False).ids) == 2


def test_a_face_twice_in_a_json_is_refused(tmp_path):
    def repeat(content):
        content["annotations"].append({**content["annotations"][0], "id": 13})

    with pytest.raises(DataError, match=r"annotation 3: p1\.jpg with the same points as .* 1;"):
        reader(test="mine/test.json").index(coco(tmp_path, repeat), pixels=False)


def test_a_number_with_an_underscore_is_none(tmp_path):
    row = rows(1)[0]
    table(tmp_path, [[row[0], "1_5", *row[2:]]])
    with pytest.raises(DataError, match=r"test\.csv:2: '1_5' is not a number"):
        reader().index(tmp_path, pixels=False)


# --- paths ----------------------------------------------------------------------------------------


def test_a_link_may_carry_a_dataset_to_another_disk_and_not_a_picture_out_of_it(tmp_path):
    """The trap: an unpacked archive whose `face.png` is a link to somebody's file."""
    disk, root = tmp_path / "disk", tmp_path / "data"
    table(disk, rows(3))
    for name in ("p0.png", "p1.png"):
        picture(disk / "mine" / "pictures" / name)
    root.mkdir()
    (root / "mine").symlink_to(disk / "mine")
    assert len(reader().index(root).ids) == 3
    picture(tmp_path / "secret.png")
    (disk / "mine" / "pictures" / "p1.png").unlink()
    (disk / "mine" / "pictures" / "p1.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(DataError, match=r"p1\.png: a link leads out of .*mine, which is refused"):
        reader().index(root)
    (disk / "mine" / "pictures" / "p1.png").unlink()
    (disk / "mine" / "test.csv").rename(tmp_path / "test.csv")
    (disk / "mine" / "test.csv").symlink_to(tmp_path / "test.csv")
    with pytest.raises(DataError, match=r"test\.csv: a link leads out of .*mine"):
        reader().index(root)


def test_a_linked_folder_of_pictures_inside_a_dataset_may_not_lead_out(tmp_path):
    table(tmp_path, rows(1))
    picture(tmp_path / "elsewhere" / "p0.png")
    (tmp_path / "mine" / "pictures").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match=r"p0\.png: a link leads out of .*mine, which is refused"):
        reader().index(tmp_path)
