"""Pictures that look whole and are not, and pictures that are stored turned."""

import struct

import cv2
import numpy as np
import pytest

from benchbox.datasets import picture_checks, sample_checks, shape_fit
from benchbox.datasets.formats import exif, images
from benchbox.errors import DataError
from benchbox.types import Index


def photograph(seed=0):
    """A smooth picture (200, 160, 3) with enough detail to fill a JPEG."""
    rng = np.random.default_rng(seed)
    small = rng.uniform(0, 255, (40, 32, 3)).astype(np.float32)
    return np.clip(cv2.resize(small, (160, 200)), 0, 255).astype(np.uint8)


def write(path, suffix=".jpg", pixels=None):
    picture = photograph() if pixels is None else pixels
    path.write_bytes(cv2.imencode(suffix, picture)[1].tobytes())
    return path


def damage(path):
    """Spoil bytes in the middle; beginning and end stay sound."""
    raw = bytearray(path.read_bytes())
    middle = len(raw) // 2
    raw[middle : middle + 60] = np.random.default_rng(3).bytes(60).replace(b"\xff", b"\xfe")
    path.write_bytes(bytes(raw))
    return path


def with_exif(path, orientation):
    """Put an EXIF segment behind the start of a JPEG."""
    raw = path.read_bytes()
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    block = b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 1) + entry + b"\0\0\0\0"
    segment = b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block
    path.write_bytes(raw[:2] + segment + raw[2:])
    return path


def upright_faces(count=1):
    face = shape_fit.mean_face("ibug68")[:, :2] * 0.5
    return np.repeat((face + np.array([80, 90]))[None], count, axis=0)


def said(findings, level):
    return [finding.what for finding in findings if finding.level == level]


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_damage_inside_a_whole_looking_file_is_named(tmp_path, suffix, capfd):
    """Trap: libjpeg fills in and complains to the error stream without a name."""
    good = write(tmp_path / f"good{suffix}", suffix)
    bad = damage(write(tmp_path / f"bad{suffix}", suffix))
    assert images.picture_size(bad) == (160, 200)
    assert images.has_end_marker(bad)
    findings = sample_checks.check_pictures(["a", "b"], [good, bad], upright_faces(2))
    (wrong,) = said(findings, "wrong")
    assert wrong.startswith("1 pictures are damaged")
    assert f"first {bad}" in wrong
    assert not any("are whole" in text for text in said(findings, "ok"))
    assert "Corrupt JPEG" not in capfd.readouterr().err


def test_good_pictures_are_whole_and_many_faces_share_one(tmp_path):
    path = write(tmp_path / "a.jpg")
    findings = sample_checks.check_pictures(["a", "b"], [path, path], upright_faces(2))
    assert said(findings, "ok") == ["2 pictures are whole and hold their points"]
    assert said(findings, "wrong") == []


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_the_orientation_of_a_jpeg_is_read(tmp_path, orientation):
    assert exif.read_orientation(with_exif(write(tmp_path / "a.jpg"), orientation)) == orientation


def test_the_orientation_of_a_png_is_read_and_broken_exif_is_none(tmp_path):
    path = write(tmp_path / "a.png", ".png")
    assert exif.read_orientation(path) == 1
    block = b"II*\0" + struct.pack("<IH", 8, 1) + struct.pack("<HHIHH", 0x0112, 3, 1, 8, 0)
    raw = path.read_bytes()
    chunk = struct.pack(">I", len(block)) + b"eXIf" + block + b"\0\0\0\0"
    path.write_bytes(raw[:33] + chunk + raw[33:])
    assert exif.read_orientation(path) == 8
    assert exif.parse_orientation(b"II*\0" + struct.pack("<I", 1 << 30)) == 1


def test_upright_points_on_a_picture_that_is_stored_turned_are_wrong(tmp_path):
    """Trap: all points lie inside either frame."""
    path = with_exif(write(tmp_path / "a.jpg"), 6)
    findings = sample_checks.check_pictures(["a"], [path], upright_faces())
    (wrong,) = said(findings, "wrong")
    assert "EXIF orientation, which is not applied" in wrong
    assert str(path) in wrong
    sideways = upright_faces()[..., ::-1] * [1, -1] + [0, 180]
    findings = sample_checks.check_pictures(["a"], [path], sideways)
    assert said(findings, "wrong") == []
    assert "1 pictures carry an EXIF orientation" in said(findings, "note")[0]


def test_ten_bits_in_sixteen_are_wrong_and_sixteen_are_not(tmp_path):
    wide = np.random.default_rng(0).integers(0, 65536, (200, 160, 3)).astype(np.uint16)
    full = write(tmp_path / "full.png", ".png", wide)
    dark = write(tmp_path / "dark.png", ".png", wide >> 6)
    findings = sample_checks.check_pictures(["a", "b"], [full, dark], upright_faces(2))
    (wrong,) = said(findings, "wrong")
    assert wrong.startswith(f"1 pictures would be read nearly black; first {dark} holds 10 bits")


# --- before a run ---------------------------------------------------------------------------------


def index_reading(read, count=3, **columns):
    ids = np.array([f"test/{row:05d}" for row in range(1, count + 1)])
    return Index(
        dataset="files",
        ids=ids,
        parts=np.array(["test"] * count),
        values=upright_faces(count),
        boxes={},
        clusters=ids,
        read=read,
        **columns,
    )


def test_a_run_stops_before_it_trains_at_a_picture_that_cannot_be_read():
    def read(row):
        if row == 2:
            raise DataError("c.png: cannot be decoded")
        return photograph()

    with pytest.raises(DataError, match=r"1 of 3 test pictures .* first test/00003: c\.png"):
        picture_checks.check_before_run(index_reading(read), [0, 1, 2], "test pictures")


def test_a_run_warns_of_damage_with_the_id(tmp_path):
    bad = damage(write(tmp_path / "bad.jpg"))
    files = [write(tmp_path / "a.jpg"), bad, write(tmp_path / "c.jpg")]
    index = index_reading(lambda row: images.decode_picture(files[row]))
    (warning,) = picture_checks.check_before_run(index, [0, 1, 2], "training pictures")
    assert warning.startswith("1 of 3 training pictures looked at are damaged inside")
    assert "test/00002" in warning


def test_of_many_pictures_some_are_looked_at_and_of_a_video_its_first_frame(monkeypatch):
    monkeypatch.setattr(picture_checks, "LOOKED_AT", 4)
    seen = []
    (note,) = picture_checks.check_before_run(
        index_reading(seen.append, 50), range(50), "test pictures"
    )
    assert note.startswith("4 of 50 test pictures are decoded before the run")
    assert sorted(seen) == [0, 16, 33, 49]
    seen.clear()
    videos = np.array(["a", "a", "b"])
    index = index_reading(seen.append, sequences=videos)
    picture_checks.check_before_run(index, [0, 1, 2], "test pictures")
    assert sorted(seen) == [0, 2]
    seen.clear()  # trap: pictures in no sequence were taken for one sequence of that name
    index = index_reading(seen.append, sequences=np.array(["", "a", ""]))
    picture_checks.check_before_run(index, [0, 1, 2], "test pictures")
    assert sorted(seen) == [0, 1, 2]
