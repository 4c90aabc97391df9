"""GazeCapture in degrees, as FAZE's and ST-ED's programs write it, made up small."""

import json

import numpy as np
import pytest

from benchbox.datasets.gaze import gazecapture_degrees
from benchbox.errors import DataError
from benchbox.geometry import angles_to_vectors

h5py = pytest.importorskip("h5py")
SETS = {one.name: one for one in (gazecapture_degrees.FAZE, gazecapture_degrees.STED)}
PEOPLE = {"00002": 3, "00028": 2, "00141": 4}
SPLIT = {"train": ["00002", "09999"], "val": ["00028"], "test": ["00141"]}


def labels_of(one, person, count):
    random = np.random.default_rng(int(person))
    return random.normal(0, 0.1, (count, one.angles)).astype(np.float32)


def write(root, one, split=SPLIT, change=lambda labels: labels):
    folder = root / one.ACCESS.folder
    folder.mkdir(parents=True)
    (folder / "gazecapture_split.json").write_text(json.dumps(split))
    with h5py.File(folder / "GazeCapture.h5", "w") as file:
        for person, count in PEOPLE.items():
            pixels = np.zeros((count, *one.shape, 3), np.uint8)
            pixels[..., 0] = np.arange(count)[:, None, None]
            file[f"{person}/pixels"] = pixels
            file[f"{person}/labels"] = change(labels_of(one, person, count))
    return root


@pytest.mark.parametrize("name", SETS)
def test_labels_are_house_angles_and_people_keep_their_part(tmp_path, name):
    one = SETS[name]
    frames = one.index(write(tmp_path, one))
    assert frames.ids.tolist()[:4] == ["00002/00000", "00002/00001", "00002/00002", "00028/00000"]
    assert frames.parts.tolist() == ["train"] * 3 + ["val"] * 2 + ["test"] * 4
    angles = labels_of(one, "00141", 4).astype(np.float64)
    np.testing.assert_allclose(frames.values[5:], angles_to_vectors(angles[:, :2]), atol=1e-12)
    np.testing.assert_allclose(frames.meta["head_pose"][5:], angles[:, 2:4])
    height, width = one.shape
    assert frames.boxes["patch"][0].tolist() == [-0.5, -0.5, width - 0.5, height - 0.5]
    pixels = frames.read(7)
    assert pixels.shape == (height, width, 3)
    assert pixels[0, 0].tolist() == [2, 0, 0]  # red stands first in the file
    assert len({frames.cache_key(row) for row in range(9)}) == 9


def test_the_other_preparation_is_refused(tmp_path):
    """Trap: eye strips under the card of faces; both are called GazeCapture.h5."""
    faze, sted = SETS["gazecapture-faze"], SETS["gazecapture-sted"]
    write(tmp_path, faze)
    (tmp_path / "gazecapture-faze").rename(tmp_path / "gazecapture-sted")
    with pytest.raises(DataError, match="pixels"):
        sted.index(tmp_path)


@pytest.mark.parametrize("name", SETS)
def test_degrees_other_columns_and_unknown_people_are_refused(tmp_path, name):
    one = SETS[name]
    with pytest.raises(DataError, match="no radians"):
        one.index(write(tmp_path / "a", one, change=np.degrees))
    with pytest.raises(DataError, match="another preparation"):
        one.index(write(tmp_path / "b", one, change=lambda labels: labels[:, :3]))
    with pytest.raises(DataError, match="is in no list"):
        one.index(write(tmp_path / "c", one, split={**SPLIT, "test": []}))
    with pytest.raises(DataError, match="listed in train and in test"):
        one.index(write(tmp_path / "d", one, split={**SPLIT, "test": ["00002", "00141"]}))
    assert one.verify(tmp_path / "a")[0].level == "wrong"


def test_a_link_in_the_file_is_refused(tmp_path):
    one = SETS["gazecapture-faze"]
    write(tmp_path, one)
    path = tmp_path / "gazecapture-faze/GazeCapture.h5"
    with h5py.File(path, "a") as file:
        file["00003"] = h5py.ExternalLink("/etc/passwd", "/")
    with pytest.raises(DataError, match="link to another place"):
        one.index(tmp_path)


def test_what_is_missing_and_what_is_there_is_said(tmp_path):
    one = SETS["gazecapture-sted"]
    (finding,) = one.verify(tmp_path)
    assert finding.level == "missing"
    found = one.verify(write(tmp_path, one))
    assert found[0].level == "partial"
    assert "test: 4 pictures of 1 people, of 150 in the official list" in [f.what for f in found]
