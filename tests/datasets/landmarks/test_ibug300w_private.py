"""300-W private: folders known by the end of their name, 68 points counted from 1.

One copy has 599 faces.
"""

import cv2
import numpy as np
import pytest

from benchbox import datasets
from benchbox.datasets.landmarks import ibug300w_private as private
from benchbox.errors import DataError


def points(name):
    return np.random.default_rng(sum(name.encode())).uniform([6, 6], [55, 45], (68, 2)).round(3)


def write(root, folders=("01_Indoor", "02_Outdoor"), count=2, pictures=True):
    for folder in folders:
        place = root / "300w-private" / folder
        place.mkdir(parents=True)
        part = folder.lower().rpartition("_")[2]
        for number in range(1, count + 1):
            stem = f"{part}_{number:03d}"
            lines = "".join(f"{x} {y}\n" for x, y in points(stem))
            (place / f"{stem}.pts").write_text(f"version: 1\nn_points: 68\n{{\n{lines}}}")
            if pictures:
                raw = cv2.imencode(".png", np.full((50, 60, 3), number, np.uint8))[1]
                (place / f"{stem}.png").write_bytes(raw.tobytes())
    return root


def levels(findings, level):
    return [finding.what for finding in findings if finding.level == level]


@pytest.mark.parametrize(
    "folders",
    [
        ("01_Indoor", "02_Outdoor"),
        ("02_INDOOR", "01_Outdoor"),
        ("Test/01_Indoor", "Test/02_Outdoor"),
    ],
)
def test_folders_are_known_by_the_end_of_their_name(tmp_path, folders):
    index = datasets.open_dataset("300w-private").index(write(tmp_path, folders))
    assert index.ids.tolist() == [
        "indoor/indoor_001", "indoor/indoor_002", "outdoor/outdoor_001", "outdoor/outdoor_002"
    ]  # fmt: skip
    assert index.parts.tolist() == ["indoor", "indoor", "outdoor", "outdoor"]
    assert index.read(1)[0, 0, 0] == 2


def test_points_keep_the_frame_of_the_files_and_there_is_no_detector(tmp_path):
    index = private.index(write(tmp_path))
    assert index.origin == 1.0
    np.testing.assert_array_equal(index.values[0], points("indoor_001"))
    assert set(index.boxes) == {"ground_truth"}


def test_the_unknown_photographs_are_said(tmp_path):
    index = private.index(write(tmp_path))
    assert index.clusters.tolist() == index.ids.tolist()
    assert "399 photographs" in index.notes[0]


def test_two_folders_for_one_part_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"could both be 'indoor'; leave one of them"):
        private.index(write(tmp_path, ("01_Indoor", "Test/01_Indoor")))


def test_a_face_without_a_picture_is_left_out_and_scoring_needs_none(tmp_path):
    write(tmp_path, pictures=False)
    assert len(private.index(tmp_path, pixels=False).ids) == 4
    index = private.index(tmp_path)
    assert "outdoor: 2 of 2 faces have no picture and are left out" in index.notes
    assert index.values.shape == (0, 68, 2)


def test_the_copy_with_599_faces_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(private, "FACES", 2)
    write(tmp_path)
    (tmp_path / "300w-private/02_Outdoor/outdoor_002.pts").unlink()
    partial = levels(private.verify(tmp_path), "partial")
    assert partial == [
        "outdoor: 1 of 2 faces",
        "599 faces: this is a copy with one face lost, not the official archive",
    ]


def test_verify_of_a_whole_copy(tmp_path, monkeypatch):
    monkeypatch.setattr(private, "FACES", 2)
    findings = private.verify(write(tmp_path))
    assert {finding.level for finding in findings} == {"ok"}
    assert "4 pictures are whole and hold their points" in levels(findings, "ok")
