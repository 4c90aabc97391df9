"""Pictures that look whole and are not, and pictures that are stored turned."""

import struct
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image

from benchbox.datasets import check_table, picture_checks, sample_checks, shape_fit
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

    faults, _ = picture_faults(index_reading(read))
    assert faults["damage"].final
    assert "1 of 3 test pictures" in faults["damage"].what
    assert "first test/00003: c.png" in faults["damage"].what


def picture_faults(index, files=None, tested=None):
    """What a run finds before it begins, by check, and its notes."""
    tested = np.arange(len(index.ids)) if tested is None else np.asarray(tested, np.intp)
    trained = np.setdiff1d(np.arange(len(index.ids)), tested)
    faults, notes = picture_checks.find_picture_faults(index, tested, trained, files or {})
    return {fault.check: fault for fault in faults}, notes


def test_a_run_refuses_damage_with_the_id(tmp_path):
    bad = damage(write(tmp_path / "bad.jpg"))
    files = [write(tmp_path / "a.jpg"), bad, write(tmp_path / "c.jpg")]
    index = index_reading(lambda row: images.decode_picture(files[row]))
    faults, _ = picture_faults(index, tested=[])
    assert "1 of 3 training pictures looked at are damaged inside" in faults["damage"].what
    assert "test/00002" in faults["damage"].what
    assert not faults["damage"].final


def test_a_run_looks_at_bits_orientation_and_shared_pictures_as_verify_does(tmp_path):
    """Trap: `data verify` called them wrong, `run` made a number of them."""
    dark = (photograph()[..., 0].astype(np.uint16)) << 2
    cv2.imwrite(str(tmp_path / "dark.png"), dark)
    index = index_reading(lambda row: photograph())
    same = write(tmp_path / "same.jpg")
    files = {"test/00001": same, "test/00002": tmp_path / "dark.png", "test/00003": same}
    faults, notes = picture_faults(index, files, tested=[0])
    assert "10 bits in 16" in faults["bits"].what
    assert notes == [
        "1 pictures are in train and in test, byte for byte; first test/00003 = test/00001"
    ]
    faults, _ = picture_faults(replace(index, dataset="300w"), files, tested=[0])
    assert "test/00003 = test/00001" in faults["pictures in train and test"].what
    check_table.require_known_checks(faults)


@pytest.mark.parametrize(
    ("mode", "suffix", "words"),
    [
        ("CMYK", ".jpg", "CMYK"),
        ("RGBA", ".png", "transparency"),
        ("LA", ".png", "transparency"),
        ("L", ".png", ""),
        ("P", ".png", ""),
        ("1", ".png", ""),
        ("L", ".jpg", ""),
        ("RGB", ".png", ""),
    ],
)
def test_pictures_of_every_mode_are_read_and_what_is_lost_is_said(tmp_path, mode, suffix, words):
    grey = photograph()[..., :1].repeat(3, axis=2)
    path = tmp_path / f"a{suffix}"
    Image.fromarray(grey).convert(mode).save(path)
    pixels = images.decode_picture(path).astype(int)
    if mode not in ("1", "P"):  # which are dithered
        assert np.abs(pixels - grey).mean() < 4
    assert words in images.unusual_mode(path)
    assert bool(words) == bool(picture_checks.describe_modes([path]))


def test_of_an_animated_picture_the_first_frame_is_taken_and_it_is_said(tmp_path):
    first = Image.fromarray(photograph())
    first.save(tmp_path / "a.png", save_all=True, append_images=[Image.fromarray(photograph())])
    assert images.unusual_mode(tmp_path / "a.png").startswith("animated")


def test_of_many_pictures_some_are_looked_at_and_of_a_video_its_first_frame(monkeypatch):
    monkeypatch.setattr(picture_checks, "LOOKED_AT", 4)
    seen = []
    _, (note,) = picture_faults(index_reading(seen.append, 50))
    assert note.startswith("4 of 50 test pictures are decoded before the run")
    assert sorted(seen) == [0, 16, 33, 49]
    seen.clear()
    videos = np.array(["a", "a", "b"])
    index = index_reading(seen.append, sequences=videos)
    picture_faults(index)
    assert sorted(seen) == [0, 2]
    seen.clear()  # trap: pictures in no sequence were taken for one sequence of that name
    index = index_reading(seen.append, sequences=np.array(["", "a", ""]))
    picture_faults(index)
    assert sorted(seen) == [0, 1, 2]
