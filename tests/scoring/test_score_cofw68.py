"""`benchbox score` takes the COFW-68 benchmark's text files as they are.

Annotations alone are enough.
"""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.io import savemat

from benchbox import cli


def points(number: int) -> np.ndarray:
    return np.random.default_rng(number).uniform(20, 200, (68, 2)).round(3)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """All 507 annotations in their official form, no picture and no box anywhere."""
    root = tmp_path_factory.mktemp("data")
    folder = root / "cofw68/test_annotations"
    folder.mkdir(parents=True)
    for number in range(1, 508):
        occluded = np.zeros((1, 68), np.uint8)
        occluded[0, 5] = 1
        savemat(folder / f"{number}_points.mat", {"Points": points(number), "Occ": occluded})
    return root


# the points here are drawn at random
ACCEPTED = ["--accept", "no face of the layout"]


def answers(root, shift):
    """Write the benchmark's four lines per face, in another order.

    Every point is off by `shift`, one by 100 more.
    """
    lines = []
    for number in np.random.default_rng(0).permutation(np.arange(1, 508)):
        found = points(number) + shift
        found[5, 0] += 100  # the occluded point
        lines += [
            f"{number} ",
            *(" ".join(f"{v:.6f}" for v in found[:, axis]) + " " for axis in (0, 1)),
            "0 " * 68,
        ]
    path = root / "results.txt"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_text_files_of_the_benchmark_are_scored_as_they_are(root):
    file = answers(root, np.array([3.0, 4.0]))  # 5 px
    arguments = [
        "score",
        str(file),
        "--protocol",
        "cofw68",
        "--method",
        "occlusion-coherence",
        "--data",
        str(root),
    ]
    ran = CliRunner().invoke(cli.main, [*arguments, *ACCEPTED, "--json"])
    assert ran.exit_code == 0, ran.output
    scores = json.loads(ran.stdout)["scores"]["test"]
    corners = np.array([np.linalg.norm(points(n)[36] - points(n)[45]) for n in range(1, 508)])
    occluded = np.hypot(103, 4)
    everything = 100 * np.mean((67 * 5 + occluded) / 68 / corners)
    assert scores["nme_inter_ocular"]["value"] == pytest.approx(everything, rel=1e-4)
    assert scores["nme_inter_ocular_visible"]["value"] == pytest.approx(
        100 * np.mean(5 / corners), rel=1e-4
    )
    centres = [
        np.linalg.norm(points(n)[36:42].mean(0) - points(n)[42:48].mean(0)) for n in range(1, 508)
    ]
    failed = 100 * np.mean((67 * 5 + occluded) / 68 / np.array(centres) > 0.1)
    assert scores["fr_0.1_inter_pupil"]["value"] == pytest.approx(failed, abs=1e-6)


def test_a_face_that_is_left_out_is_named(root):
    file = answers(root, np.zeros(2))
    file.write_text("\n".join(file.read_text().splitlines()[4:]))
    arguments = ["score", str(file), "--protocol", "cofw68", "--method", "x", "--data", str(root)]
    ran = CliRunner().invoke(cli.main, [*arguments, *ACCEPTED])
    assert ran.exit_code == 2
    assert "missing of the 507 of cofw68" in ran.output
