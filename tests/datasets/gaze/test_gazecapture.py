"""GazeCapture and sets of its shape.

What counts as a frame, where its boxes and labels lie, who is tested on.
"""

from dataclasses import replace

import numpy as np
import pytest

from benchbox import datasets
from benchbox.datasets import split
from benchbox.datasets.gaze import apple_devices, gazecapture, recording_folders
from benchbox.errors import DataError
from benchbox.protocols import protocol_card

from .gaze_folders import recording


def levels(findings, level):
    return [finding.what for finding in findings if finding.level == level]


def test_recordings_become_columns(tmp_path):
    cm = recording(tmp_path / "gazecapture", "00002", orientation=(1, 1, 3, 3, 4))
    recording(tmp_path / "gazecapture", "01234", split="test", device="iPad 2", orientation=(2, 2))
    index = datasets.open_dataset("gazecapture").index(tmp_path)
    assert index.ids.tolist() == [f"00002/0000{k}" for k in range(5)] + [
        "01234/00000",
        "01234/00001",
    ]
    assert index.parts.tolist() == ["train"] * 5 + ["test"] * 2
    assert index.clusters.tolist() == ["00002"] * 5 + ["01234"] * 2
    np.testing.assert_allclose(index.values[:5], cm)
    assert index.attributes["phone"].tolist() == [True] * 5 + [False] * 2
    assert index.attributes["tablet"].tolist() == [False] * 5 + [True] * 2
    assert index.attributes["orientation_3"].tolist() == [
        False,
        False,
        True,
        True,
        False,
        False,
        False,
    ]
    assert index.meta["orientation"].tolist() == [1, 1, 3, 3, 4, 2, 2]
    assert index.meta["device"].tolist() == ["iPhone 6"] * 5 + ["iPad 2"] * 2
    assert index.sequences.tolist() == [
        "00002/0",
        "00002/0",
        "00002/1",
        "00002/1",
        "00002/2",
        "01234/0",
        "01234/0",
    ]
    pixels = index.read(3)
    assert (pixels.shape, pixels[0, 0].tolist()) == ((480, 640, 3), [200, 23, 10])  # RGB


def test_eye_boxes_are_moved_from_the_face_crop_into_the_frame(tmp_path):
    """The trap: appleLeftEye counts from the face crop's corner."""
    recording(tmp_path / "gazecapture")
    index = gazecapture.index(tmp_path)
    assert index.boxes["face"][0].tolist() == [40.5, 100.25, 340.5, 400.25]
    assert index.boxes["left_eye"][0].tolist() == [210.5, 180.25, 300.5, 270.25]
    np.testing.assert_allclose(index.boxes["right_eye"][0], [81.2, 185.45, 171.2, 275.45])
    # "Left" is the person's own: further right in the picture.
    assert index.boxes["left_eye"][0, 0] > index.boxes["right_eye"][0, 0]
    # boxes count from the picture's edge, half a pixel before the first centre
    assert index.origin == 0.5


def test_itrackers_preparation_is_there_as_sources_of_its_own(tmp_path):
    """Worked out by hand.

    Cut to int, face + (-1, -1, 1, 1), eye + (0, -1, 0, 0), then by the moved face.
    """
    recording(tmp_path / "gazecapture")
    index = gazecapture.index(tmp_path)
    assert index.boxes["itracker_face"][0].tolist() == [39, 99, 340, 400]
    assert index.boxes["itracker_left_eye"][0].tolist() == [209, 178, 299, 268]
    assert index.boxes["itracker_right_eye"][0].tolist() == [79, 183, 169, 273]


def test_itrackers_preparation_comes_whole_as_an_option_of_the_card(tmp_path):
    recording(tmp_path / "gazecapture", "00002")
    recording(tmp_path / "gazecapture", "00003", split="test", device="iPad 2")
    recording(tmp_path / "gazecapture", "00004", split="test")
    index = gazecapture.index(tmp_path)
    for name, left in (
        ("gazecapture", [210.5, 180.25]),
        ("gazecapture+box=itracker_face", [209, 178]),
    ):
        card = replace(protocol_card.load_protocol(name), test_expected=12)
        sample = split.split_index(card, index).labelled.samples[0]
        assert set(sample.boxes) == {"left_eye", "right_eye"}
        assert (sample.boxes["left_eye"][:2] + 0.5).tolist() == left


def test_the_official_validation_people_are_neither_trained_nor_tested_on(tmp_path):
    for name, part in (("00002", "train"), ("00003", "val"), ("00004", "test"), ("00005", "test")):
        recording(
            tmp_path / "gazecapture",
            name,
            split=part,
            device="iPad 2" if name == "00005" else "iPhone 6",
        )
    got = split.split_index(
        replace(protocol_card.load_protocol("gazecapture"), test_expected=12),
        gazecapture.index(tmp_path),
    )
    assert got.validation is not None
    people = [set(part.clusters.tolist()) for part in (got.labelled, got.validation, got.truth)]
    assert people == [{"00002"}, {"00003"}, {"00004", "00005"}]
    assert {group: int(inside.sum()) for group, inside in got.truth.groups.items()} == {
        "total": 12,
        "phone": 6,
        "tablet": 6,
    }


def test_the_face_grid_counts_from_0_here_and_from_1_in_the_files(tmp_path):
    recording(tmp_path / "gazecapture")
    assert gazecapture.index(tmp_path).meta["face_grid"][0].tolist() == [5, 9, 13, 13]


def test_frames_that_are_not_wholly_valid_are_masked_before_any_arithmetic(tmp_path):
    """The trap: what invalid entries hold is meaningless; faceGrid.IsValid alone does not tell."""

    def spoil(files):
        for key in ("X", "Y", "W", "H"):
            files["appleLeftEye"][key][1] = -1e300
        files["appleFace"]["IsValid"][3] = 0
        files["faceGrid"]["IsValid"][4] = 0

    recording(tmp_path / "gazecapture", invalid=(1,), change=spoil)
    index = gazecapture.index(tmp_path)
    assert index.ids.tolist() == ["00002/00000", "00002/00002", "00002/00005"]
    assert "3 of 6 frames lack a valid face, eye or grid and are left out" in index.notes
    assert np.isfinite(index.boxes["left_eye"]).all()


def test_a_recording_without_a_valid_frame_counts_as_recording_and_not_as_data(tmp_path):
    """1,274 training recordings, of which 1,271 have a valid frame: both numbers are told."""
    recording(tmp_path / "gazecapture", "00002")
    recording(tmp_path / "gazecapture", "00003", invalid=range(6))
    index = gazecapture.index(tmp_path)
    assert set(index.clusters.tolist()) == {"00002"}
    assert "1 of 2 recordings have no valid frame" in index.notes
    found = gazecapture.verify(tmp_path)
    assert "train: 2 of 1274 recordings, 1 of 1271 with a valid frame" in levels(found, "partial")
    assert "test: 0 of 150 recordings, 0 of 150 with a valid frame" in levels(found, "missing")


def test_labels_in_cm_follow_from_the_dot_on_the_screen():
    """By hand, iPhone 6 in portrait, the screen's middle: (29.25 - 18.61, -8.03 - 52.025) mm."""
    size, middle = np.array([[320.0, 568.0]]), np.array([[160.0, 284.0]])
    device = apple_devices.DEVICES["iPhone 6"]
    np.testing.assert_allclose(
        apple_devices.screen_to_camera_cm(device, middle, size, np.array([1])), [[1.064, -6.0055]]
    )
    upside_down = apple_devices.screen_to_camera_cm(device, middle, size, np.array([2]))
    assert upside_down[0, 1] > 0  # the camera is below the screen
    for orientation in (3, 4):
        held = apple_devices.screen_to_camera_cm(
            device, middle[:, ::-1], size[:, ::-1], np.array([orientation])
        )
        np.testing.assert_allclose(np.abs(held), [[6.0055, 1.064]])
    assert len(apple_devices.DEVICES) == 15


@pytest.mark.parametrize(
    ("turn", "said"),
    [
        (lambda x, y: ([10 * v for v in x], [10 * v for v in y]), "in millimetres"),
        (lambda x, y: (y, x), "with x and y swapped"),
        (lambda x, y: (x, [-v for v in y]), "with y counted downwards"),
        (lambda x, y: ([-v for v in x], y), "with x counted to the left"),
    ],
)
def test_labels_of_another_convention_are_recognised_and_refused(tmp_path, turn, said):
    def change(files):
        dot = files["dotInfo"]
        dot["XCam"], dot["YCam"] = turn(dot["XCam"], dot["YCam"])

    recording(tmp_path / "gazecapture", change=change)
    with pytest.raises(DataError, match=rf"dotInfo\.json: XCam, YCam are written {said}"):
        gazecapture.index(tmp_path)


def test_labels_off_their_dots_are_a_finding(tmp_path):
    def change(files):
        files["dotInfo"]["XCam"][2] += 0.05

    recording(tmp_path / "gazecapture", change=change)
    gazecapture.index(tmp_path)  # not a known other convention: told, not refused
    (wrong,) = levels(gazecapture.verify(tmp_path), "wrong")
    assert (
        wrong == "1 recordings have labels off their dots by more than 0.01 cm; 00002 by 0.050 cm"
    )


def test_frames_without_a_picture_are_left_out_of_a_run_but_not_of_scoring(tmp_path):
    recording(tmp_path / "gazecapture")
    (tmp_path / "gazecapture/00002/frames/00003.jpg").unlink()
    assert len(gazecapture.index(tmp_path, pixels=False).ids) == 6
    index = gazecapture.index(tmp_path)
    assert "00002/00003" not in index.ids.tolist()
    assert (
        len(index.values)
        == len(index.sequences)
        == len(index.boxes["face"])
        == len(index.meta["device"])
        == 5
    )
    assert "1 of 6 valid frames have no picture and are left out" in index.notes
    assert "1 valid frames have no picture" in levels(gazecapture.verify(tmp_path), "missing")


def test_a_face_beside_its_picture_is_found(tmp_path):
    recording(
        tmp_path / "gazecapture", change=lambda files: files["appleFace"].update(X=[900.0] * 6)
    )
    (wrong,) = levels(gazecapture.verify(tmp_path), "wrong")
    assert "the face box lies beside the 640 x 480 picture" in wrong


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda f: f["dotInfo"]["XCam"].pop(),
            r"dotInfo\.json: XCam: 5 entries, frames\.json names 6 frames",
        ),
        (lambda f: f["screen"].pop("W"), r"screen\.json: has no list 'W'"),
        (
            lambda f: f["appleFace"]["X"].__setitem__(2, "a"),
            r"appleFace\.json: X: frame 00002\.jpg: 'a' is no number",
        ),
        (
            lambda f: f["dotInfo"]["YCam"].__setitem__(4, 1e9),
            r"frame 00004\.jpg: XCam .*, YCam 1e\+09 are no cm",
        ),
        (
            lambda f: f["screen"]["Orientation"].__setitem__(1, 7),
            r"frame 00001\.jpg: Orientation 7 is none of 1, 2",
        ),
        (
            lambda f: f["info"].update(Dataset="dev"),
            r"info\.json: Dataset 'dev' is none of train, val, test",
        ),
        (
            lambda f: f["info"].update(DeviceName="Pixel"),
            r"info\.json: DeviceName 'Pixel' is no iPhone and no iPad",
        ),
        (lambda f: f["info"].pop("DeviceName"), r"info\.json: has no text 'DeviceName'"),
        (
            lambda f: f["frames"].__setitem__(0, "../../x.jpg"),
            r"frames\.json: entry 0: '\.\./\.\./x\.jpg' is no name",
        ),
        (
            lambda f: f["frames"].__setitem__(1, "00000.jpg"),
            r"frames\.json: a frame is named twice",
        ),
    ],
)
def test_a_malformed_file_is_refused_by_frame(tmp_path, change, message):
    recording(tmp_path / "gazecapture", change=change)
    with pytest.raises(DataError, match=message):
        gazecapture.index(tmp_path)


def test_broken_json_is_refused_by_line(tmp_path):
    recording(tmp_path / "gazecapture")
    (tmp_path / "gazecapture/00002/screen.json").write_text('{"W":\n[1,,2]}')
    with pytest.raises(DataError, match=r"screen\.json:2: is no JSON"):
        gazecapture.index(tmp_path)
    (tmp_path / "gazecapture/00002/screen.json").unlink()
    with pytest.raises(DataError, match=r"screen\.json: cannot be read"):
        gazecapture.index(tmp_path)


def test_packed_recordings_are_to_be_unpacked(tmp_path):
    (tmp_path / "gazecapture").mkdir()
    (tmp_path / "gazecapture/00002.tar.gz").write_bytes(b"")
    with pytest.raises(DataError, match=r"1 recordings are packed; unpack each 00002\.tar\.gz"):
        gazecapture.index(tmp_path)


def test_an_absent_folder_is_empty(tmp_path):
    for name in ("gazecapture", "gazecn", "gazestare"):
        index = datasets.open_dataset(name).index(tmp_path)
        assert (index.values.shape, index.sequences.shape, index.meta["face_grid"].shape) == (
            (0, 2),
            (0,),
            (0, 4),
        )
        assert any(f"there is no folder {tmp_path / name}" in note for note in index.notes)


def test_gazecn_takes_any_device(tmp_path):
    recording(tmp_path / "gazecn", "00001", device="Galaxy S8")
    recording(tmp_path / "gazecn", "00002", device="Galaxy S8", split="test")
    index = datasets.open_dataset("gazecn").index(tmp_path)
    assert index.attributes["phone"].all()
    assert index.parts.tolist() == ["train"] * 6 + ["test"] * 6
    found = datasets.open_dataset("gazecn").verify(tmp_path)
    assert "labels of Galaxy S8 cannot be checked: devices not in the table" in levels(found, "ok")


def test_gazestare_is_tested_on_and_gazecn_beside_it_trained_on(tmp_path):
    recording(tmp_path / "gazecn", "00001", device="Galaxy S8")
    recording(
        tmp_path / "gazestare", "00001", device="Galaxy S8", split="test", orientation=(1,) * 4
    )
    module = datasets.open_dataset("gazestare")
    index = module.index(tmp_path)
    assert sorted(set(index.parts.tolist())) == ["gazecn/train", "stare"]
    assert index.ids[[0, 6]].tolist() == ["gazecn/00001/00000", "00001/00000"]
    # two people, whatever their number
    assert sorted(set(index.clusters.tolist())) == ["00001", "gazecn/00001"]
    assert sorted(set(index.sequences[6:].tolist())) == ["00001/0", "00001/1"]
    assert index.read(7)[0, 0].tolist() == [200, 21, 10]
    assert "2 stares, 0 of a single frame" in levels(module.verify(tmp_path), "ok")


@pytest.mark.data
def test_the_real_recording(data_root):
    index = gazecapture.index(data_root)
    mine = index.clusters == "00002"
    assert int(mine.sum()) == 56
    one = recording_folders.read_recording(data_root / "gazecapture" / "00002")
    assert (one.total, len(one.frames), one.device, one.split) == (99, 56, "iPhone 6", "train")
    assert one.gap_cm is not None
    assert one.gap_cm < recording_folders.CLOSE_CM
    assert np.bincount(one.orientation).tolist() == [0, 32, 0, 12, 12]
    assert index.read(0).shape == (640, 480, 3)
    assert not [what for what in levels(gazecapture.verify(data_root), "wrong") if "00002" in what]
