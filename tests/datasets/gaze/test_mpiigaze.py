"""MPIIGaze in its three forms.

Small HDF5, evaluation eyes in v5 .mat, normalised faces in v7.3 .mat.
"""

import numpy as np
import pytest

from benchbox import datasets
from benchbox.datasets.gaze import mpiigaze, mpiigaze_small
from benchbox.errors import DataError
from benchbox.geometry import angles_to_vectors, vectors_to_angles

from .gaze_folders import face_person, mpiigaze_day, mpiigaze_list, small_person


def levels(findings, level):
    return [finding.what for finding in findings if finding.level == level]


# --- small HDF5 -----------------------------------------------------------------------------------


def test_small_files_hold_yaw_and_pitch_and_the_number_is_the_person(tmp_path):
    """The trap: the columns are (yaw, pitch) here and (pitch, yaw) in the usual files."""
    folder = tmp_path / "mpiigaze-small"
    angles = {person: small_person(folder, person) for person in (0, 10)}
    index = datasets.open_dataset("mpiigaze-small").index(tmp_path)
    assert index.ids[[0, 6]].tolist() == ["p00/0000", "p10/0000"]
    assert index.clusters.tolist() == ["p00"] * 6 + ["p10"] * 6
    np.testing.assert_allclose(
        index.values, angles_to_vectors(np.concatenate([angles[0], angles[10]])), atol=1e-12
    )
    # pitch, yaw
    np.testing.assert_allclose(index.meta["head_pose"][[0, 6]], [[0.1, -0.2], [0.2, -0.2]])
    pixels = index.read(6 + 4)
    assert pixels.shape == (9, 15, 3)
    assert (pixels[0, 0].tolist(), pixels[1, 0].tolist()) == ([10] * 3, [4] * 3)
    assert index.boxes["patch"][0].tolist() == [-0.5, -0.5, 14.5, 8.5]
    assert "13 of 15 people are not in" in index.notes[0]
    found = mpiigaze_small.verify(tmp_path)
    assert levels(found, "partial") == [
        "people: 2 of 15 people",
        "p00: 6 of 3000 eyes",
        "p10: 6 of 3000 eyes",
    ]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (lambda pitch_yaw: pitch_yaw, "the columns look swapped"),
        (lambda pitch_yaw: pitch_yaw[:, ::-1] * [1, -1], "the sign of pitch looks turned"),
        (lambda pitch_yaw: np.degrees(pitch_yaw[:, ::-1]), "row 0: .* are no radians"),
        (lambda pitch_yaw: pitch_yaw[:-1, ::-1], "6 pictures, 5 gaze and 6 headpose rows"),
        (angles_to_vectors, r"gaze: has the shape \(6, 3\), must be \(N, 2\)"),
    ],
)
def test_small_files_in_another_convention_are_refused(tmp_path, columns, message):
    small_person(tmp_path / "mpiigaze-small", 3, columns=columns)
    with pytest.raises(DataError, match=rf"loocv3\.h5.*{message}"):
        mpiigaze_small.index(tmp_path)
    assert len(levels(mpiigaze_small.verify(tmp_path), "wrong")) == 1


@pytest.mark.data
def test_the_real_small_set(data_root):
    index = mpiigaze_small.index(data_root)
    people, counts = np.unique(index.clusters, return_counts=True)
    assert people.tolist() == [f"p{person:02d}" for person in range(15)]
    assert set(counts.tolist()) == {3000}
    np.testing.assert_allclose(np.linalg.norm(index.values, axis=1), 1)
    angles = vectors_to_angles(index.values)
    for person in people:
        pitch, yaw = angles[index.clusters == person].mean(axis=0)
        assert -0.19 < pitch < -0.11
        assert abs(yaw) < 0.01
    assert {finding.level for finding in mpiigaze_small.verify(data_root)} == {"ok"}


# --- evaluation eyes ------------------------------------------------------------------------------


def camera(pitch, yaw):
    """The unit vector from eye to target in a camera frame, by the release's definition.

    Asin(-y), atan2(-x, -z).
    """
    return -angles_to_vectors(np.array([pitch, yaw]))


def write_eyes(tmp_path, lines=None, turn=lambda v: v):
    folder = tmp_path / "mpiigaze"
    pictures = ["0001.jpg", "0002.jpg"]
    gaze = {"left": [turn(camera(-0.2, 0.05)), turn(camera(-0.1, -0.05))],
            "right": [turn(camera(-0.2, 0.07)), turn(camera(-0.1, -0.04))]}  # fmt: skip
    image = {side: np.zeros((2, 36, 60), np.uint8) for side in gaze}
    image["left"][1, 0, 0], image["right"][1, 0, 0] = 7, 9
    mpiigaze_day(folder, "p00", "day01", pictures, gaze, image)
    one = {side: vectors[:1] for side, vectors in gaze.items()}
    mpiigaze_day(folder, "p00", "day02", pictures[:1], one, {side: image[side][1:] for side in one})
    mpiigaze_list(
        folder,
        "p00",
        lines
        or [
            "day02/0001.jpg left",
            "day01/0002.jpg right",
            "day01/0001.jpg left",
            "day01/0002.jpg left",
        ],
    )


def test_evaluation_eyes_follow_the_lists(tmp_path):
    write_eyes(tmp_path)
    index = datasets.open_dataset("mpiigaze").index(tmp_path)
    ids = [
        "p00/day01/0001/left",
        "p00/day01/0002/left",
        "p00/day01/0002/right",
        "p00/day02/0001/left",
    ]
    assert index.ids.tolist() == ids
    assert index.attributes["right"].tolist() == [False, False, True, False]
    np.testing.assert_allclose(
        index.values[0], angles_to_vectors(np.array([-0.2, 0.05])), atol=1e-12
    )
    assert index.read(1)[0, 0].tolist() == [7, 7, 7]
    # a day of one picture: MATLAB's axes are squeezed
    assert index.read(3)[0, 0].tolist() == [7, 7, 7]


def test_a_right_eye_is_mirrored_with_its_direction_and_its_head(tmp_path):
    write_eyes(tmp_path)
    index = mpiigaze.index(tmp_path)
    # yaw turned
    np.testing.assert_allclose(vectors_to_angles(index.values[2]), [-0.1, 0.04], atol=1e-12)
    assert index.read(2)[0, -1].tolist() == [9, 9, 9]  # the first column is the last
    np.testing.assert_allclose(index.meta["head_pose"][[1, 2]], [[0, 0.3], [0, -0.3]], atol=1e-12)


def test_eyes_that_no_file_holds_are_noted_and_doubled_lines_count_twice(tmp_path):
    write_eyes(
        tmp_path,
        [
            "day01/0001.jpg left",
            "day01/0001.jpg left",
            "day01/0009.jpg left",
            "day07/0001.jpg left",
        ],
    )
    index = mpiigaze.index(tmp_path)
    assert index.ids.tolist() == ["p00/day01/0001/left", "p00/day01/0001/left#2"]
    assert "2 of 4 listed eyes are in no file and are left out" in index.notes
    assert "1 lines name an eye a second time, and count twice" in levels(
        mpiigaze.verify(tmp_path), "ok"
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("day01/0001.jpg", r"p00\.txt:2: 'day01/0001\.jpg' is not"),
        ("day01/0001.jpg both", r"p00\.txt:2: .* is not 'day01/0005\.jpg left' or 'right'"),
        ("../../x.jpg left", r"p00\.txt:2: '\.\./\.\./x\.jpg left' is not"),
    ],
)
def test_a_malformed_list_is_refused_by_line(tmp_path, line, message):
    write_eyes(tmp_path, ["day01/0001.jpg left", line])
    with pytest.raises(DataError, match=message):
        mpiigaze.index(tmp_path)


@pytest.mark.parametrize(
    ("turn", "message"),
    [
        (lambda v: v * [1, -1, 1], "the sign of pitch looks turned"),
        (lambda v: v[[1, 0, 2]], "the columns look swapped"),
        (lambda v: 600 * v, "not unit vectors; this copy was converted"),
    ],
)
def test_eyes_in_another_convention_are_refused(tmp_path, turn, message):
    write_eyes(tmp_path, turn=turn)
    with pytest.raises(DataError, match=message):
        mpiigaze.index(tmp_path)


def test_a_day_file_that_is_none_is_named(tmp_path):
    write_eyes(tmp_path)
    (tmp_path / "mpiigaze/Data/Normalized/p00/day01.mat").write_bytes(b"words" * 100)
    with pytest.raises(DataError, match=r"day01\.mat: is no MATLAB v5 file"):
        mpiigaze.index(tmp_path)


# --- normalised faces -----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("inner", ["", "MPIIFaceGaze_normalizad"])
def test_faces_are_blue_green_red_planes_in_the_files_and_rgb_here(tmp_path, dtype, inner):
    folder = tmp_path / "mpiifacegaze" / inner
    angles = {person: face_person(folder, person, dtype=dtype) for person in (0, 7)}
    index = datasets.open_dataset("mpiifacegaze").index(tmp_path)
    assert index.ids[[0, 4]].tolist() == ["p00/0000", "p07/0000"]
    np.testing.assert_allclose(
        index.values, angles_to_vectors(np.concatenate([angles[0], angles[7]])), atol=1e-12
    )
    np.testing.assert_allclose(index.meta["head_pose"][0], [0.25, -0.5])
    pixels = index.read(5)
    assert (pixels.dtype, pixels.shape) == (np.uint8, (8, 8, 3))
    assert (pixels[0, 0].tolist(), pixels[0, 1].tolist()) == ([3, 2, 1], [9, 2, 1])
    assert index.boxes["patch"][0].tolist() == [-0.5, -0.5, 7.5, 7.5]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (lambda pitch_yaw: pitch_yaw[:, ::-1], "the columns look swapped"),
        (lambda pitch_yaw: -pitch_yaw, "the sign of pitch looks turned"),
        (np.degrees, "are no radians"),
    ],
)
def test_faces_in_another_convention_are_refused(tmp_path, columns, message):
    face_person(tmp_path / "mpiifacegaze", 0, columns=columns)
    module = datasets.open_dataset("mpiifacegaze")
    with pytest.raises(DataError, match=rf"p00\.mat: Data/label.*{message}"):
        module.index(tmp_path)
    assert len(levels(module.verify(tmp_path), "wrong")) == 1


def test_absent_folders_are_empty(tmp_path):
    for name in ("mpiigaze", "mpiigaze-small", "mpiifacegaze"):
        module = datasets.open_dataset(name)
        index = module.index(tmp_path)
        assert index.values.shape == (0, 3)
        assert index.boxes["patch"].shape == (0, 4)
        assert levels(module.verify(tmp_path), "missing") == ["people: 0 of 15 people"]
