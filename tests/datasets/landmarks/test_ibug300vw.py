"""300-VW: frame k belongs to annotation k, counted from 1; frames are counted, not believed.

Bad frames are known.
"""

import re

import cv2
import numpy as np
import pytest

from benchbox import datasets
from benchbox.datasets.landmarks import ibug300vw as vw
from benchbox.errors import DataError


def points(video, number):
    return np.random.default_rng([int(video), number]).uniform([8, 8], [90, 70], (68, 2)).round(3)


def shade(number):
    return 20 * number


def film(path, count):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25, (96, 80))
    assert writer.isOpened()
    for number in range(1, count + 1):
        # OpenCV writes BGR: red
        writer.write(np.full((80, 96, 3), (0, 0, shade(number)), np.uint8))
    writer.release()


def write(root, videos=("410", "001", "540"), count=6, filmed=None, release=True):
    home = root / "300vw" / ("300VW_Dataset_2015_12_14" if release else "")
    for video in videos:
        place = home / video / "annot"
        place.mkdir(parents=True)
        for number in range(1, count + 1):
            lines = "".join(f"{x} {y}\n" for x, y in points(video, number))
            (place / f"{number:06d}.pts").write_text(f"version: 1\nn_points: 68\n{{\n{lines}}}\n")
        if filmed != 0:
            film(home / video / "vid.avi", filmed or count)
    return home


def levels(findings, level):
    return [finding.what for finding in findings if finding.level == level]


def test_videos_fall_into_categories_and_frames_count_from_1(tmp_path):
    write(tmp_path)
    index = datasets.open_dataset("300vw").index(tmp_path)
    assert index.ids.tolist()[:2] == ["001/000001", "001/000002"]
    assert dict(zip(index.clusters.tolist(), index.parts.tolist(), strict=True)) == {
        "001": "train",
        "540": "a",
        "410": "c",
    }
    assert index.sequences is not None
    assert index.sequences.tolist() == index.clusters.tolist()
    np.testing.assert_array_equal(index.values[1], points("001", 2))
    assert index.origin == 1.0


def test_the_official_lists_have_their_sizes_and_share_no_video():
    assert {part: len(videos) for part, videos in vw.PARTS.items()} == {
        "train": 50,
        "a": 31,
        "b": 19,
        "c": 14,
    }
    assert len({video for videos in vw.PARTS.values() for video in videos}) == 114


def test_the_known_bad_frames_are_those_of_the_release():
    known = vw.broken_frames()
    assert {video: len(frames) for video, frames in known.items()} == {
        "401": 120, "402": 109, "410": 148, "411": 316,
        "508": 99, "518": 208, "529": 134, "530": 109, "531": 14,
        "533": 234, "540": 6, "547": 30, "548": 139, "551": 36, "553": 31, "557": 394,
    }  # fmt: skip
    assert sum(map(len, known.values())) == vw.BROKEN == 2127
    assert not set(known) & set(vw.PARTS["train"])
    assert known["540"] == {744, 746, 747, 748, 749, 750}


def test_bad_frames_are_an_attribute_of_their_rows(tmp_path):
    write(tmp_path, ("557",), count=24, filmed=0)
    index = vw.index(tmp_path, pixels=False)
    # of 1 … 24 only frame 22 is on the list
    assert index.ids[index.attributes["broken"]].tolist() == ["557/000022"]


def test_frame_k_of_the_video_belongs_to_annotation_k_in_any_order(tmp_path):
    """Trap: counting frames from 0 shifts every annotation by one frame."""
    write(tmp_path)
    index = vw.index(tmp_path)
    for row in (0, 1, 2, 5, 3, 0, 13, 4, 12):  # forwards, back, another video, back again
        number = row % 6 + 1
        pixel = index.read(row)[40, 48].astype(int)
        assert abs(pixel[0] - shade(number)) < 6, row  # red: RGB, not OpenCV's order
        assert pixel[2] < 6


@pytest.mark.parametrize("filmed", [5, 7])
def test_another_number_of_frames_than_annotations_is_refused(tmp_path, filmed):
    """Trap: a decoder that drops or doubles frames would score the wrong pictures."""
    write(tmp_path, ("410",), filmed=filmed)
    index = vw.index(tmp_path)
    with pytest.raises(DataError, match=rf"vid\.avi: {filmed} frames decode and 6 are annotated"):
        index.read(0)
    (wrong,) = levels(vw.verify(tmp_path), "wrong")
    assert f"{filmed} frames and 6 annotations" in wrong


def test_extracted_frames_are_read_first(tmp_path):
    home = write(tmp_path, ("410",))
    folder = home / "410/extraction"
    folder.mkdir()
    for number in range(1, 7):
        cv2.imwrite(str(folder / f"{number:06d}.png"), np.full((80, 96, 3), 255 - number, np.uint8))
    assert vw.index(tmp_path).read(2)[0, 0].tolist() == [252, 252, 252]


@pytest.mark.parametrize(
    ("name", "first", "wanted"),
    [("{:04d}.png", 1, "000001"), ("{:06d}.png", 0, "000006"), ("frame{:06d}.png", 1, "000001")],
)
def test_frames_that_are_numbered_otherwise_are_wrong_before_anything_trains(
    tmp_path, name, first, wanted
):
    """Trap: as many frames as annotations, so verify called the video whole."""
    home = write(tmp_path, ("410",))
    folder = home / "410/extraction"
    folder.mkdir()
    for number in range(first, first + 6):
        cv2.imwrite(str(folder / name.format(number)), np.zeros((80, 100, 3), np.uint8))
    message = f"extraction: {wanted}.png (or .jpg) is not there"
    (wrong,) = [text for text in levels(vw.verify(tmp_path), "wrong") if "410" in text]
    assert message in wrong
    with pytest.raises(DataError, match=re.escape(message)):
        vw.index(tmp_path)
    assert len(vw.index(tmp_path, pixels=False).ids) == 6


def test_droppings_of_file_managers_are_no_frames_and_no_annotations(tmp_path):
    home = write(tmp_path, ("410",))
    folder = home / "410/extraction"
    folder.mkdir()
    for number in range(1, 7):
        cv2.imwrite(str(folder / f"{number:06d}.png"), np.zeros((80, 100, 3), np.uint8))
        (folder / f"._{number:06d}.png").write_bytes(b"")
        (home / f"410/annot/._{number:06d}.pts").write_bytes(b"")
    (folder / "Thumbs.db").write_bytes(b"")
    assert levels(vw.verify(tmp_path), "wrong") == []
    assert len(vw.index(tmp_path).ids) == 6


def test_a_gap_in_the_annotations_is_refused(tmp_path):
    home = write(tmp_path, ("410",), filmed=0)
    (home / "410/annot/000003.pts").unlink()
    with pytest.raises(DataError, match=r"annot: 000003\.pts is not there \(000004\.pts is\)"):
        vw.index(tmp_path, pixels=False)


def test_a_file_that_is_no_video_is_refused(tmp_path):
    home = write(tmp_path, ("410",))
    (home / "410/vid.avi").write_bytes(b"<html>" * 100)
    with pytest.raises(DataError, match=r"vid\.avi: no decoder opens this video"):
        vw.index(tmp_path).read(0)


def test_videos_without_pictures_are_left_out_and_scoring_needs_none(tmp_path):
    write(tmp_path, filmed=0, release=False)
    assert len(vw.index(tmp_path, pixels=False).ids) == 18
    index = vw.index(tmp_path)
    assert len(index.ids) == 0
    assert "c: 1 videos have no vid.avi and no frames and are left out" in index.notes


def test_verify_counts_videos_and_frames(tmp_path):
    write(tmp_path)
    findings = vw.verify(tmp_path)
    assert "c: 1 of 14 videos" in levels(findings, "partial")
    assert "b: 0 of 19 videos" in levels(findings, "missing")
    assert "3 videos have as many frames as annotations" in levels(findings, "ok")
    assert "c: 6 frames, 0 of them known to be annotated badly" in levels(findings, "ok")
