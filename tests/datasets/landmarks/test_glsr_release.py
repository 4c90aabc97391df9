"""The five photographs of G&LSR's release: read strictly, with nothing to train on."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchbox.datasets import split
from benchbox.datasets.landmarks import glsr_release
from benchbox.errors import DataError
from benchbox.protocols import protocol_card as protocols


def write(folder: Path, name: str, seed: int) -> np.ndarray:
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(seed)
    points = rng.uniform(20, 100, (98, 2)).round(6)
    (folder / f"{name}.txt").write_text("98\n" + "".join(f"{x:.6f} {y:.6f}\n" for x, y in points))
    (folder / f"{name}.rct").write_text("10.000000 12.000000 110.000000 118.000000\n")
    (folder / f"{name}.jpg").write_bytes(
        cv2.imencode(".jpg", rng.integers(0, 256, (128, 130, 3), np.uint8))[1].tobytes()
    )
    return points


def test_points_boxes_and_pictures_come_out_as_written(tmp_path):
    points = {
        name: write(tmp_path / "glsr-release", name, seed)
        for seed, name in enumerate(("b_0", "a_0"))
    }
    found = glsr_release.index(tmp_path)
    assert found.ids.tolist() == ["a_0", "b_0"]
    assert found.values[0] == pytest.approx(points["a_0"])
    assert found.boxes["rct"].tolist() == [[10, 12, 110, 118]] * 2
    assert found.read(1).shape == (128, 130, 3)
    assert found.origin == 0


@pytest.mark.parametrize(
    ("suffix", "text", "match"),
    [
        ("txt", "97\n1 2\n", r"a.txt:1: '97' and 1 lines of points; 98 are needed"),
        ("txt", "98\n" + "1 2\n" * 97 + "1 x\n", r"a.txt:99: .*.*is no number"),
        ("txt", "98\n" + "1 2\n" * 97 + "1 nan\n", r"a.txt:99: '1 nan'; 2 coordinates are needed"),
        ("rct", "10 12 5 118\n", r"a.rct:1: .* is no box x1 y1 x2 y2"),
        ("rct", "10 12 5\n", r"a.rct:1: '10 12 5'; 4 coordinates are needed"),
    ],
)
def test_a_malformed_file_is_named_with_its_line(tmp_path, suffix, text, match):
    write(tmp_path / "glsr-release", "a", 0)
    (tmp_path / "glsr-release" / f"a.{suffix}").write_text(text)
    with pytest.raises(DataError, match=match):
        glsr_release.index(tmp_path)


def test_an_absent_folder_is_an_empty_set_and_the_card_says_what_is_missing(tmp_path):
    found = glsr_release.index(tmp_path)
    assert len(found.ids) == 0
    with pytest.raises(DataError, match=r"needs 5 test items, this copy has 0"):
        split.split_index(protocols.load_protocol("glsr-release"), found)


def test_the_card_has_nothing_to_train_on(tmp_path):
    for seed in range(5):
        write(tmp_path / "glsr-release", f"n_{seed}", seed)
    made = split.split_index(protocols.load_protocol("glsr-release"), glsr_release.index(tmp_path))
    assert (len(made.labelled), len(made.unlabelled), made.validation, len(made.test)) == (
        0,
        0,
        None,
        5,
    )
    assert (made.data.variant, made.data.train) == ("complete", 0)
    levels = {
        finding.what.split(":")[-1]: finding.level for finding in glsr_release.verify(tmp_path)
    }
    assert levels[" needed by method glsr, variant release"] == "missing"
