"""AFLW2000-3D: two releases of one set's labels, groups by yaw, rows that follow names."""

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from benchbox.datasets.landmarks import aflw2000_3d, ibug300w_lp
from benchbox.errors import DataError

NAMES = ("image00002", "image00004", "image00010")
YAW_DEG = (-30.0, 45.0, 88.0)
ORIGINAL, REANNOTATED = aflw2000_3d.ORIGINAL, aflw2000_3d.REANNOTATED
JPG = cv2.imencode(".jpg", np.full((100, 100, 3), 80, np.uint8))[1].tobytes()


def points(row):
    """Points (68, 2) of a face, counted from 1: every face lies elsewhere."""
    rng = np.random.default_rng(7)
    return rng.uniform(20, 50, (68, 2)) + 15.0 * row


def write(root, order=(0, 1, 2), shift=2.0, axes=3, listed=False, **changes):
    folder = root / "aflw2000-3d"
    (folder / "AFLW2000").mkdir(parents=True)
    for row, name in enumerate(NAMES):
        content = {
            "pt3d_68": np.concatenate([points(row).T, np.full((1, 68), 9.0)]).astype(np.float32),
            "pt2d": np.full((2, 21), -1.0),
            "Pose_Para": np.array([[0.1, np.radians(YAW_DEG[row]), 0.0, 5, 5, 5, 1e-4]]),
        }
        savemat(folder / "AFLW2000" / f"{name}.mat", content | changes)
        (folder / "AFLW2000" / f"{name}.jpg").write_bytes(JPG)
    rows = np.stack([points(row).T + shift for row in order])
    if axes == 3:
        rows = np.concatenate([rows, np.zeros((3, 1, 68))], axis=1)
    np.save(folder / "AFLW2000-3D-Reannotated.pts68.npy", rows.astype(np.float32))
    if listed:
        lines = [f"{NAMES[row]}.jpg" for row in order]
        (folder / "AFLW2000-3D_crop.list").write_text("\n".join(lines) + "\n")
    return root


def test_x_and_y_of_the_68_points_are_read_and_not_the_21(tmp_path):
    """Trap: the .mat holds two sets of points, and `pt2d` comes first."""
    faces = ORIGINAL.index(write(tmp_path))
    assert faces.ids.tolist() == list(NAMES)
    np.testing.assert_allclose(faces.values[1], points(1), atol=1e-4)
    assert faces.origin == 1.0
    assert faces.boxes["ground_truth"][0].tolist() == pytest.approx(
        [*points(0).min(axis=0), *points(0).max(axis=0)], abs=1e-4
    )
    assert faces.read(0).shape == (100, 100, 3)


def test_groups_are_by_yaw_in_radians_with_the_edge_below(tmp_path):
    """3DDFA's tool counts 30 degrees to the first group. Trap: pitch stands before yaw."""
    faces = ORIGINAL.index(write(tmp_path))
    groups = {name: rows.tolist() for name, rows in faces.attributes.items()}
    assert groups == {
        "yaw_30": [True, False, False],
        "yaw_60": [False, True, False],
        "yaw_90": [False, False, True],
    }
    with pytest.raises(DataError, match="not pitch, yaw, roll in radians"):
        ORIGINAL.index(write(tmp_path / "degrees", Pose_Para=np.array([[1.0, 45.0, 0.0]])))


@pytest.mark.parametrize("axes", [2, 3])
def test_the_second_release_follows_the_names(tmp_path, axes):
    faces = REANNOTATED.index(write(tmp_path, axes=axes))
    assert faces.dataset == "aflw2000-3d-reannotated"
    np.testing.assert_allclose(faces.values[2], points(2) + 2.0, atol=1e-4)
    assert faces.attributes["yaw_90"].tolist() == [False, False, True]


def test_a_list_says_which_face_a_row_shows(tmp_path):
    faces = REANNOTATED.index(write(tmp_path, order=(2, 0, 1), listed=True))
    np.testing.assert_allclose(faces.values[2], points(2) + 2.0, atol=1e-4)


def test_rows_of_other_faces_are_refused(tmp_path):
    """Trap: rows one further look like a bad method, not like a bad file."""
    with pytest.raises(DataError, match="rows are those of other faces"):
        REANNOTATED.index(write(tmp_path, order=(1, 2, 0)))
    (tmp_path / "aflw2000-3d/AFLW2000/image00004.mat").unlink()
    with pytest.raises(DataError, match="3 rows, and 2 faces"):
        REANNOTATED.index(tmp_path)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((3, 68, 2)), "must be"),
        (np.full((3, 2, 68), np.nan), "points"),
        (np.array([{}], object), "pickled"),
    ],
)
def test_another_array_is_refused(tmp_path, array, message):
    write(tmp_path)
    path = tmp_path / "aflw2000-3d/AFLW2000-3D-Reannotated.pts68.npy"
    np.save(path, array, allow_pickle=True)
    with pytest.raises(DataError, match=message):
        REANNOTATED.index(tmp_path)
    assert REANNOTATED.verify(tmp_path)[0].level == "wrong"


def test_what_is_missing_is_named(tmp_path):
    for release in (ORIGINAL, REANNOTATED):
        (finding,) = release.verify(tmp_path)
        assert finding.level == "missing"
        assert "AFLW2000" in finding.what
    write(tmp_path)
    found = {finding.level for finding in ORIGINAL.verify(tmp_path)}
    assert found == {"partial", "ok"}
    (tmp_path / "aflw2000-3d/AFLW2000/image00004.jpg").unlink()
    faces = REANNOTATED.index(tmp_path)
    assert faces.ids.tolist() == ["image00002", "image00010"]
    np.testing.assert_allclose(faces.values[1], points(2) + 2.0, atol=1e-4)
    assert faces.notes == ("1 of 3 faces have no picture and are left out",)


# --- what it is trained on ------------------------------------------------------------------------


def write_lp(root):
    for part, name, row in (("AFW", "A_1_0", 0), ("AFW", "A_1_11", 1), ("IBUG", "B_0", 2)):
        folder = root / "300w-lp/300W_LP"
        (folder / "landmarks" / part).mkdir(parents=True, exist_ok=True)
        (folder / part).mkdir(exist_ok=True)
        savemat(
            folder / "landmarks" / part / f"{name}_pts.mat",
            {"pts_2d": points(row) - 5.0, "pts_3d": points(row)},
        )
        (folder / part / f"{name}.jpg").write_bytes(JPG)
    return root


def test_300w_lp_takes_the_models_jaw_and_keeps_a_photograph_together(tmp_path):
    """Trap: `pts_2d` has the jaw on the outline; turned copies in training and hold-out."""
    faces = ibug300w_lp.index(write_lp(tmp_path))
    assert faces.ids.tolist() == ["AFW/A_1_0", "AFW/A_1_11", "IBUG/B_0"]
    assert faces.clusters.tolist() == ["AFW/A_1", "AFW/A_1", "IBUG/B"]
    np.testing.assert_allclose(faces.values[1], points(1))
    assert faces.read(2).shape == (100, 100, 3)
    levels = [finding.level for finding in ibug300w_lp.verify(tmp_path)]
    assert levels[:4] == ["partial", "missing", "partial", "missing"]
    assert ibug300w_lp.verify(tmp_path / "empty")[0].level == "missing"
