"""Every annotation sample of the shared pack, through `new protocol`: points, boxes, visibility.

The pack is no part of the tree; the same kinds with samples of our own are in `test_writers.py`.
"""

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest

from benchbox.authoring.new_protocol import Wishes, new_protocol
from benchbox.datasets import open_protocol_dataset
from benchbox.errors import DataError
from benchbox.runs.run_data import open_index

PACK = Path(__file__).resolve().parents[4] / "shared" / "formats" / "landmarks"
pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not PACK.is_dir(), reason="needs ../shared/formats"),
]
BY_NAME = {"sides": "picture"}
# sample → what a person says of it, expected values, visibility, what is asked without a word
SAMPLES = {
    "ibug-pts": ({}, "expected", ""),
    "dlib-imglab/faces68.xml": ({}, "expected_faces68", ""),
    "dlib-imglab/names5.xml": (BY_NAME, "expected_names5", ""),
    "dlib-imglab/numbers19.xml": ({}, "expected_numbers19", ""),
    "coco-keypoints/faces68.json": ({"origin": 0.0}, "expected_faces68", "visible_faces68"),
    "coco-keypoints/names5.json": (
        BY_NAME | {"origin": 0.0},
        "expected_names5",
        "visible_names5",
    ),
    "cvat-images/points68.xml": ({}, "expected_points68", ""),
    "cvat-images/skeleton5.xml": (BY_NAME, "expected_skeleton5", "visible_skeleton5"),
    "datumaro/annotations/default.json": (BY_NAME | {"origin": 0.5}, "expected", "visible"),
    "labelme": (BY_NAME, "expected", "visible"),
    "label-studio/export.json": (BY_NAME, "expected", ""),
    "label-studio/export_min.json": (BY_NAME, "expected", ""),
    "via/via_export.csv": (BY_NAME, "expected", ""),
    "via/via_export.json": (BY_NAME, "expected", ""),
    "via/via_project.json": (BY_NAME, "expected", ""),
    "hrnet-lists/face_landmarks_300w_test.csv": ({"origin": 1.0}, "expected_300w", ""),
    "hrnet-lists/face_landmarks_wflw_test.csv": ({"origin": 0.0}, "expected_wflw", ""),
    "hrnet-lists/face_landmarks_aflw_test.csv": ({"origin": 0.0}, "expected_aflw", ""),
    "hrnet-lists/mmpose_cofw_test.json": (
        {"origin": 0.0},
        "expected_mmpose_cofw",
        "visible_mmpose_cofw",
    ),
    "hrnet-lists/mmpose_300w_valid.json": ({"origin": 1.0}, "expected_mmpose_300w", ""),
    "wflw-list/list_98pt_rect_attr_test.txt": ({}, "expected", ""),
    "merl-rav": ({}, "expected", "visible"),
    "lapa-106": ({"layout": "lapa106"}, "expected", ""),
    "helen-194": ({}, "expected", ""),
    "300w-lp-mat/300W_LP": ({}, "../300w-lp-mat/expected_300w_lp", ""),
    "300w-lp-mat/AFLW2000": ({"field": "pt3d_68"}, "../300w-lp-mat/expected_aflw2000_pt3d_68", ""),
    "300w-lp-mat/AFLW2000#21": (
        {"field": "pt2d"},
        "../300w-lp-mat/expected_aflw2000_pt2d_21",
        "",
    ),
}


def read_rows(path):
    with path.open(newline="") as stream:
        return {row["id"]: row for row in csv.DictReader(stream)}


def numbers(row, names):
    return [float(row[name]) if row.get(name) else np.nan for name in names]


def expected_beside(source, name):
    folder = source if source.is_dir() else source.parent
    found = folder / f"{name}.csv"
    return found if found.is_file() else folder.parent / f"{name}.csv"


def read_sample(sample, said, folder):
    source = PACK / "annotations" / sample.partition("#")[0]
    made = new_protocol("mine", Wishes(source=source, **said), folder)
    return source, made, open_index(made.protocol, made.root, pixels=False)


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_sample_reads_as_it_is_expected(sample, tmp_path, monkeypatch):
    monkeypatch.delenv("BENCHBOX_DATA", raising=False)
    said, expected, visible = SAMPLES[sample]
    source, _, index = read_sample(sample, said, tmp_path)
    right = read_rows(expected_beside(source, expected))
    assert sorted(index.ids.tolist()) == sorted(right)
    marks = read_rows(expected_beside(source, visible)) if visible else {}
    for row, name in enumerate(index.ids.tolist()):
        count = index.values.shape[1]
        wanted = np.transpose(
            [
                numbers(right[name], [f"x{k}" for k in range(count)]),
                numbers(right[name], [f"y{k}" for k in range(count)]),
            ]
        )
        points = index.values[row] - index.origin
        np.testing.assert_allclose(points, wanted, atol=0.002)
        if right[name].get("box_x0"):
            box = numbers(right[name], ["box_x0", "box_y0", "box_x1", "box_y1"])
            np.testing.assert_allclose(index.boxes["bbox"][row] - index.origin, box, atol=0.002)
        if marks:
            seen = numbers(marks[name], [f"v{k}" for k in range(count)])
            placed = ~np.isnan(wanted[:, 0])
            assert index.visible[row][placed].tolist() == [v == 1 for v in np.array(seen)[placed]]


@pytest.mark.parametrize(
    ("sample", "asked"),
    [
        ("coco-keypoints/faces68.json", "--origin 0"),
        ("datumaro/annotations/default.json", "--origin 0.*--sides picture"),
        ("dlib-imglab/names5.xml", "--sides picture"),
        ("hrnet-lists/face_landmarks_300w_test.csv", "--origin 0"),
        ("lapa-106", "--layout lapa106 | insightface106 | sensetime106"),
        ("300w-lp-mat/AFLW2000", "--field pt3d_68"),
    ],
)
def test_what_a_file_cannot_say_is_asked_for(sample, asked, tmp_path):
    with pytest.raises(DataError, match=asked.replace(" | ", r" \| ")):
        read_sample(sample, {}, tmp_path)
    assert not list(tmp_path.iterdir())


def test_pictures_are_found_by_the_names_in_the_files(tmp_path, monkeypatch):
    monkeypatch.delenv("BENCHBOX_DATA", raising=False)
    _, made, index = read_sample("dlib-imglab/faces68.xml", {}, tmp_path)
    with_pictures = open_protocol_dataset(made.protocol).index(made.root)
    assert with_pictures.ids.tolist() == index.ids.tolist()
    assert with_pictures.read(0).shape == (220, 240, 3)
    assert dataclasses.asdict(made.protocol.source)["images"] == "pictures"
