"""Fixtures shared by the whole suite."""

import importlib
import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchbox.datasets import shape_fit


def pytest_configure(config: pytest.Config) -> None:
    """Give each of several workers one thread: with more threads than cores, torch's sleep."""
    if hasattr(config, "workerinput"):
        os.environ["OMP_NUM_THREADS"] = "1"  # read when torch is loaded, here and in children


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The licensed sample data, or a skip that says how to get the tests to run."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    root = Path(os.environ.get("BENCHBOX_DATA", beside))
    if not root.is_dir():
        pytest.skip("licensed samples not here: point BENCHBOX_DATA at a data root")
    return root


_TINY = """
name = "tiny"
title = "Noise with points"
version = 1
task = "landmarks"
dataset = "ytf68"
layout = "ibug68"
twin = "synth-300w-common"
train = {parts = ["train"], expected = 12, labelled = 1.0, validation = 0.0}
test = {overall = "unseen", expected = 6, groups = {unseen = ["test"]}}
box = {source = "ground_truth", choices = ["ground_truth"], expansion = 1.0}

[score]
normalisers = ["inter_ocular", "inter_pupil"]
auc = [0.08]
fr = [0.08]
points = [51]
average = "macro"
failed = "infinite"
cluster = "person"
interval = 0.95
resamples = 100
"""

TESTED = [
    f"{person}_0{frame}" for person in ("Abdullah_Gul", "Ahmad_Masood") for frame in "012"
]  # held out by the list


@dataclass(frozen=True)
class World:
    """A small world on disk: a protocol `tiny` (12 faces to train, 6 to test), its data, room for
    methods, results."""

    data: Path
    methods: Path
    results: Path
    site: Path  # on the module path: holds the collection that brings the card

    @property
    def tested(self) -> list[str]:
        """The ids of the test faces, in their order."""
        return list(TESTED)

    @property
    def truth(self) -> np.ndarray:
        """The points (6, 68, 2) of the test faces, in their order."""
        lines = (self.data / "ytf68" / "training_frames_keypoints.csv").read_text().splitlines()[1:]
        rows = [line.split(",") for line in lines if line.startswith("A") and "Train" not in line]
        return np.array([row[1:] for row in rows], dtype=float).reshape(-1, 68, 2)

    def method(self, name: str, code: str, card: str = "") -> Path:
        """Write a method folder; `card` adds to the least that a card needs."""
        folder = self.methods / name.replace("-", "_")
        folder.mkdir(parents=True)
        head = f'name = "{name}"\ntitle = "T"\ntask = ["landmarks"]\nsummary = "S"\ndefault = "v"\n'
        (folder / "method.toml").write_text(f'{head}{card}\n[variants.v]\ntitle = "V"\n')
        (folder / "__init__.py").write_text(code)
        return folder

    def collection(self, group: str, package: str) -> Path:
        """Install a third party's empty collection; return its folder."""
        info = self.site / f"{package}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{group}]\n{package} = {package}\n")
        folder = self.site / package
        folder.mkdir()
        (folder / "__init__.py").write_text("")
        importlib.invalidate_caches()
        return folder


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Lay out the small world and put its collection on the module path.

    The working folder is empty.
    """
    made = World(tmp_path / "data", tmp_path / "methods", tmp_path / "results", tmp_path / "site")
    (made.collection("benchbox.protocols", "tiny_cards") / "tiny.toml").write_text(_TINY)
    _write_faces(made.data / "ytf68")
    (tmp_path / "here").mkdir()
    monkeypatch.syspath_prepend(made.site)
    monkeypatch.setenv("PYTHONPATH", str(made.site))
    monkeypatch.delenv("BENCHBOX_DATA", raising=False)
    monkeypatch.chdir(tmp_path / "here")
    return made


def _write_faces(folder: Path) -> None:
    """Write 18 noise pictures with a face's points in the layout of ytf68.

    12 of two people to train, 6 to test.
    """
    rng = np.random.default_rng(7)
    middle = shape_fit.mean_face("ibug68")[:, :2]
    middle = 48 + 0.35 * (middle - (middle.min(axis=0) + middle.max(axis=0)) / 2)
    (folder / "training").mkdir(parents=True)
    header = ["", *(str(column) for column in range(136))]
    lines = [",".join(header)]
    trained = [
        f"{person}_Train_{video}{frame}"
        for person in ("Anna", "Berta")
        for video in "01"
        for frame in "012"
    ]
    for name in (f"{stem}.jpg" for stem in (*trained, *TESTED)):
        points = np.rint(middle + rng.normal(0, 2, (68, 2))).astype(int).ravel()
        lines.append(",".join([name, *map(str, points)]))
        picture = cv2.imencode(".png", rng.integers(0, 256, (96, 96, 3), dtype=np.uint8))[1]
        (folder / "training" / name).write_bytes(picture.tobytes())
    (folder / "training_frames_keypoints.csv").write_text("\n".join(lines) + "\n")
