"""WFLW: list files of 207 words, subsets from the flags, several faces on a photograph."""

import cv2
import numpy as np
import pytest

from benchbox import datasets
from benchbox.datasets.landmarks import wflw
from benchbox.errors import DataError

PHOTOS = ["0--Parade/0_Parade_1_1.jpg", "0--Parade/0_Parade_1_1.jpg", "9--Press/9_Press_2_2.jpg"]
FLAGS = ["1 0 0 0 0 0", "0 1 0 0 1 0", "0 0 0 0 0 0"]


def points(row):
    return np.random.default_rng(row).uniform(5, 45, (98, 2)).round(6)


def line(row, rect="4 3 46 47", flags=None, photo=None):
    numbers = " ".join(f"{v:.6f}" for v in points(row).ravel())
    return f"{numbers} {rect} {flags or FLAGS[row % 3]} {photo or PHOTOS[row % 3]}"


def write(root, train=None, test=None, pictures=True):
    lists = root / "wflw/WFLW_annotations/list_98pt_rect_attr_train_test"
    lists.mkdir(parents=True)
    train = train or [line(7, photo="5--Car/5_Car_1_9.jpg")]
    for name, lines in (("train", train), ("test", test or [line(row) for row in range(3)])):
        (lists / f"list_98pt_rect_attr_{name}.txt").write_text(
            "".join(f"{text} \n" for text in lines)
        )
    if pictures:
        for photo in (*PHOTOS, "5--Car/5_Car_1_9.jpg"):
            path = root / "wflw/WFLW_images" / photo
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(cv2.imencode(".jpg", np.full((50, 50, 3), 99, np.uint8))[1].tobytes())
    return root


def levels(findings, level):
    return [finding.what for finding in findings if finding.level == level]


def test_an_id_is_the_line_since_a_photograph_carries_several_faces(tmp_path):
    index = datasets.open_dataset("wflw").index(write(tmp_path))
    assert index.ids.tolist() == ["train/0001", "test/0001", "test/0002", "test/0003"]
    assert index.parts.tolist() == ["train", "test", "test", "test"]
    assert index.clusters.tolist()[1:] == PHOTOS
    np.testing.assert_array_equal(index.values[1:], [points(row) for row in range(3)])
    assert index.origin == 0.0
    assert index.read(3).shape == (50, 50, 3)
    assert index.cache_key(3)  # crops of it may be kept


def test_subsets_are_the_bits_in_their_order(tmp_path):
    """Trap: a match by file name puts both faces of a photograph into a subset."""
    index = wflw.index(write(tmp_path), pixels=False)
    flagged = {name: index.ids[index.attributes[name]].tolist() for name in wflw.ATTRIBUTES}
    assert flagged == {
        "largepose": ["test/0001"], "expression": ["train/0001", "test/0002"],
        "illumination": [], "makeup": [],
        "occlusion": ["train/0001", "test/0002"], "blur": [],
    }  # fmt: skip


def test_the_rectangle_is_not_the_box_of_the_points(tmp_path):
    index = wflw.index(write(tmp_path, test=[line(0, rect="60 60 70 80"), line(1)]), pixels=False)
    assert index.boxes["rect"][1].tolist() == [60, 60, 70, 80]
    assert index.boxes["ground_truth"][1].tolist() == [
        *points(0).min(axis=0),
        *points(0).max(axis=0),
    ]
    assert index.attributes["misplaced_rect"].tolist() == [False, True, False]


def test_points_outside_the_picture_are_kept(tmp_path):
    text = "-104.8 " + line(0).partition(" ")[2]
    root = write(tmp_path, test=[text])
    assert wflw.index(root).values[1, 0, 0] == -104.8
    assert wflw.index(root).read(1).shape == (50, 50, 3)
    assert "1 points lie outside their picture and are kept" in levels(wflw.verify(root), "ok")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (line(0).rpartition(" ")[0], r"test\.txt:2: 206 words, 207 are needed"),
        (line(0) + " x", r"test\.txt:2: 208 words"),
        ("nan " + line(0).partition(" ")[2], r"test\.txt:2: 'nan' is no coordinate"),
        (
            "1,5 " + line(0).partition(" ")[2],
            r"test\.txt:2: .*is no number; all but the path are numbers",
        ),
        (line(0, flags="2 0 0 0 0 0"), r"test\.txt:2: a flag is neither 0 nor 1"),
        (
            line(0, photo="../../etc/passwd"),
            r"test\.txt:2: '\.\./\.\./etc/passwd' is not the name of a file inside",
        ),
        (line(0, photo="/etc/passwd"), r"test\.txt:2: '/etc/passwd' is not"),
    ],
)
def test_a_malformed_line_is_refused_by_number(tmp_path, text, message):
    write(tmp_path, test=[line(0), text], pictures=False)
    with pytest.raises(DataError, match=message):
        wflw.index(tmp_path, pixels=False)
    assert len(levels(wflw.verify(tmp_path), "wrong")) == 1


def test_scoring_needs_no_picture_and_a_run_leaves_such_faces_out(tmp_path):
    write(tmp_path, pictures=False)
    assert len(wflw.index(tmp_path, pixels=False).ids) == 4
    index = wflw.index(tmp_path)
    assert len(index.ids) == 0
    assert index.notes == ("4 of 4 faces have no picture and are left out",)


def test_lists_without_the_outer_folder_are_found(tmp_path):
    write(tmp_path)
    inner = tmp_path / "wflw/WFLW_annotations/list_98pt_rect_attr_train_test"
    inner.rename(tmp_path / "wflw" / inner.name)
    assert len(wflw.index(tmp_path).ids) == 4


def test_verify_compares_subset_lists_and_names_what_is_known(tmp_path):
    bad = "28--Sports_Fan/28_Sports_Fan_Sports_Fan_28_959.jpg"
    root = write(tmp_path, train=[line(0, rect="60 60 70 80", photo=bad), line(2, photo=PHOTOS[2])])
    subsets = root / "wflw/WFLW_annotations/list_98pt_test"
    subsets.mkdir()
    words = [line(row).split() for row in range(3)]
    (subsets / "list_98pt_test_largepose.txt").write_text(
        " ".join([*words[0][:196], words[0][-1]]) + "\n"
    )
    (subsets / "list_98pt_test_occlusion.txt").write_text(
        " ".join([*words[0][:196], words[0][-1]]) + "\n"
    )
    findings = wflw.verify(root)
    assert "list of train: 2 of 7500 faces" in levels(findings, "partial")
    assert "list_98pt_test_largepose.txt: holds the faces that the flags name" in levels(
        findings, "ok"
    )
    # The same photograph, the other face: only points tell them apart.
    assert "list_98pt_test_occlusion.txt: does not hold the faces that the flags name" in levels(
        findings, "wrong"
    )
    assert f"1 photos have faces in train and in test; first {PHOTOS[2]}" in levels(findings, "ok")
    assert "1 rectangles lie away from their points, as released; first train/0001" in levels(
        findings, "ok"
    )
    assert "known bad photographs, kept: train/0001" in levels(findings, "ok")


def test_sums_of_the_official_list_are_held():
    assert dict(zip(wflw.ATTRIBUTES, wflw.TEST_SUMS, strict=True)) == {
        "largepose": 326, "expression": 314, "illumination": 698,
        "makeup": 206, "occlusion": 736, "blur": 773
    }  # fmt: skip
