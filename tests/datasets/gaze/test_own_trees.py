"""Gaze360's and MPIIFaceGaze's original trees, made up small: identities, boxes, frames, traps."""

import cv2
import numpy as np
import pytest
from scipy.io import savemat
from scipy.spatial.transform import Rotation

from benchbox.datasets.custom_gaze import CustomGazeDataset
from benchbox.datasets.gaze import conventions, mpiifacegaze_original
from benchbox.errors import DataError
from benchbox.types import CustomFiles, GazeConvention, GazeFiles


def picture(path, width=40, height=30):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".jpg", np.full((height, width, 3), 90, np.uint8))[1].tobytes())


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


# --- Gaze360 --------------------------------------------------------------------------------------

FRAMES = 6


@pytest.fixture
def gaze360(tmp_path):
    """Two recordings, each with an identity 0; the rig's z points up."""
    random = np.random.default_rng(2)
    eyes = random.uniform([1, -1, -0.2], [3, 1, 0.2], (FRAMES, 3))
    targets = random.uniform([-1, -1, -0.5], [1, 1, 0.5], (FRAMES, 3))
    away = unit(eyes)
    left = unit(np.cross([0.0, 0.0, 1.0], away))
    axes = np.stack([left, np.cross(away, left), away], axis=1)
    gaze = unit(np.einsum("nij,nj->ni", axes, targets - eyes))
    head = np.tile([0.4, 0.3, 0.2, 0.1], (FRAMES, 1))
    face = np.tile([0.45, 0.32, 0.1, 0.05], (FRAMES, 1))
    face[0] = -1
    recording = np.array([0, 0, 0, 1, 1, 1])
    content = {
        "recording": recording,
        "frame": np.arange(FRAMES),
        "person_identity": np.zeros(FRAMES, int),
        "split": np.full(FRAMES, 2),
        "recordings": np.array(["rec_000", "rec_001"], object),
        "gaze_dir": gaze.astype(np.float32),
        "target_pos3d": targets,
        "person_eyes3d": eyes,
        "person_head_bbox": head,
        "person_face_bbox": face,
        "person_eye_left_bbox": face,
        "person_eye_right_bbox": face,
    }
    lines = []
    for row in range(FRAMES):
        name = f"rec_00{recording[row]}/head/000000/{row:06d}.jpg"
        picture(tmp_path / "imgs" / name)
        lines.append(f"{name} {' '.join(map(str, gaze[row]))} ")
    savemat(tmp_path / "metadata.mat", content)
    (tmp_path / "test.txt").write_text("\n".join(lines) + "\n")
    return tmp_path, gaze, content


def tree(folder, files, images, parts, boxes=("picture", "face")):
    source = CustomFiles(images, parts, gaze=GazeFiles(files=files))
    return CustomGazeDataset("mine", source, "gaze3d", boxes)


def test_gaze360_counts_identities_inside_a_recording(gaze360):
    """x of gaze_dir points to the picture's left, y up, z away: the house turns z alone."""
    folder, gaze, _ = gaze360
    index = tree(folder, "gaze360", "imgs", {"test": "test.txt"}).index(folder)
    np.testing.assert_allclose(index.values, gaze * [1, 1, -1], atol=1e-12)
    assert np.unique(index.clusters).tolist() == ["rec_000/0", "rec_001/0"]


def test_gaze360_moves_boxes_into_the_head_picture(gaze360):
    """Shares of the whole picture become pixels of the head's; -1 four times is none."""
    folder, _, _ = gaze360
    index = tree(folder, "gaze360", "imgs", {"test": "test.txt"}).index(folder)
    assert np.isnan(index.boxes["face"][0]).all()
    # a quarter from the left, a fifth from the top; half as wide and as high as the head
    np.testing.assert_allclose(index.boxes["face"][1], [9.5, 5.5, 29.5, 20.5], atol=1e-9)
    assert index.attributes["face"].tolist() == [False, *[True] * 5]


def test_gaze360_groups_are_of_the_label(gaze360):
    folder, gaze, _ = gaze360
    attributes = tree(folder, "gaze360", "imgs", {"test": "test.txt"}).index(folder).attributes
    yaw = np.degrees(np.arctan2(gaze[:, 0], -gaze[:, 2]))
    camera = np.degrees(np.arccos(-gaze[:, 2]))
    np.testing.assert_array_equal(attributes["front_180"], np.abs(yaw) <= 90)
    np.testing.assert_array_equal(attributes["front_20_yaw"], np.abs(yaw) <= 20)
    np.testing.assert_array_equal(attributes["front_20_camera"], camera <= 20)


def test_gaze360_refuses_a_list_whose_axes_were_turned(gaze360):
    folder, gaze, _ = gaze360
    lines = (folder / "test.txt").read_text().splitlines()
    turned = []
    for line, (x, y, z) in zip(lines, gaze, strict=True):
        turned.append(f"{line.split()[0]} {-x} {y} {z}")
    (folder / "test.txt").write_text("\n".join(turned))
    with pytest.raises(DataError, match=r"test.txt:\d+: gaze is .*° off gaze_dir of metadata.mat"):
        tree(folder, "gaze360", "imgs", {"test": "test.txt"}).index(folder)


def test_gaze360_holds_directions_against_positions(gaze360):
    folder, _, content = gaze360
    dataset = tree(folder, "gaze360", "imgs", {"test": "test.txt"})
    assert "wrong" not in {finding.level for finding in dataset.verify(folder)}
    savemat(folder / "metadata.mat", content | {"target_pos3d": -content["target_pos3d"]})
    wrong = [finding.what for finding in dataset.verify(folder) if finding.level == "wrong"]
    assert "turned or exchanged axes" in wrong[0]


# --- MPIIFaceGaze ---------------------------------------------------------------------------------

MODEL = np.array(
    [[-45.0, -21, 21, 45, -26, 26], [-19, -18, -18, -19, 49, 49], [4, -5, -5, 4, -5, -5]]
)


@pytest.fixture
def mpiifacegaze(tmp_path):
    """Two people of five frames on a screen that stands 20 mm below the camera, turned about y."""
    random = np.random.default_rng(4)
    screen_turn, screen_at = np.array([0.0, np.pi, 0.0]), np.array([150.0, 20.0, 0.0])
    numbers = {}
    for name in ("p00", "p01"):
        lines, numbers[name] = [], []
        for row in range(5):
            picture(tmp_path / name / "day01" / f"{row:04d}.jpg")
            px = random.uniform([0, 0], [1280, 800])
            head = random.normal(0, 0.2, 3)
            at = random.normal([0, 30, 550], [30, 10, 20])
            centre = Rotation.from_rotvec(head).as_matrix() @ MODEL.mean(axis=1) + at
            on_screen = np.array([px[0] / 1280 * 300, px[1] / 800 * 190, 0.0])
            target = Rotation.from_rotvec(screen_turn).as_matrix() @ on_screen + screen_at
            values = [*px, *random.uniform(10, 30, 12), *head, *at, *centre, *target]
            numbers[name].append(values)
            lines.append(f"day01/{row:04d}.jpg {' '.join(map(str, values))} left")
        (tmp_path / name / f"{name}.txt").write_text("\n".join(lines))
        folder = tmp_path / name / "Calibration"
        folder.mkdir()
        savemat(folder / "monitorPose.mat", {"rvects": screen_turn[:, None], "tvecs": screen_at})
        sizes = {"width_pixel": 1280, "height_pixel": 800, "width_mm": 300, "height_mm": 190}
        savemat(folder / "screenSize.mat", sizes)
    savemat(tmp_path / mpiifacegaze_original.MODEL, {"model": MODEL})
    return tmp_path, np.array([*numbers["p00"], *numbers["p01"]])


def test_mpiifacegaze_looks_from_the_face_centre(mpiifacegaze):
    """The head's translation is no face centre: it would be off by a degree or more."""
    folder, numbers = mpiifacegaze
    index = tree(folder, "mpiifacegaze-txt", ".", {"faces": "."}).index(folder)
    gaze = unit(numbers[:, 23:26] - numbers[:, 20:23])
    np.testing.assert_allclose(index.values, -gaze, atol=1e-12)
    assert index.ids[0] == "p00/day01/0000.jpg"
    assert np.unique(index.clusters).tolist() == ["p00", "p01"]


def test_both_frames_of_mpiifacegaze_give_one_direction(mpiifacegaze):
    """Normalised by rotation alone: the face centre lies on z, and what is turned comes back."""
    folder, numbers = mpiifacegaze
    index = tree(folder, "mpiifacegaze-txt", ".", {"faces": "."}).index(folder)
    rotations = index.gaze.rotations
    centres = np.einsum("nij,nj->ni", rotations, numbers[:, 20:23])
    np.testing.assert_allclose(centres[:, :2], 0, atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(rotations), 1)
    normalised = np.einsum("nij,nj->ni", rotations, -index.values)
    written = GazeConvention(("x", "y", "z"), ("right", "down", "away"), frame="normalised")
    back = conventions.read_numbers(normalised, written, index.gaze, index.ids.tolist())
    np.testing.assert_allclose(back, index.values, atol=1e-12)


def test_mpiifacegaze_holds_targets_against_the_screen(mpiifacegaze):
    """Face centre and target exchanged read as a gaze that comes out of the screen."""
    folder, _ = mpiifacegaze
    dataset = tree(folder, "mpiifacegaze-txt", ".", {"faces": "."})
    assert "wrong" not in {finding.level for finding in dataset.verify(folder)}
    path = folder / "p01" / "p01.txt"
    lines = []
    for line in path.read_text().splitlines():
        cells = line.split()
        lines.append(" ".join([*cells[:21], *cells[24:27], *cells[21:24], cells[27]]))
    path.write_text("\n".join(lines))
    wrong = [finding.what for finding in dataset.verify(folder) if finding.level == "wrong"]
    assert "p01: " in wrong[0]
    assert "exchanged fields" in wrong[0]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (" left", "", r"p00.txt:1: 27 fields, a line of this set has 28"),
        (" left", " both", r"p00.txt:1: the last field 'both' is neither left nor right"),
        ("day01/0000", "../0000", r"p00.txt:1: '../0000.jpg' is not the name of a file"),
    ],
)
def test_a_bad_line_is_named(mpiifacegaze, old, new, message):
    folder, _ = mpiifacegaze
    path = folder / "p00" / "p00.txt"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(DataError, match=message):
        tree(folder, "mpiifacegaze-txt", ".", {"faces": "."}).index(folder)
