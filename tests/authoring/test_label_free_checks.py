"""Each misread convention fails its own check, and the right reading passes them all.

The "network" finds the bright blob of a picture and puts a symmetrical face about it.
"""

import re
from functools import partial

import numpy as np
import pytest

from benchbox import layouts
from benchbox.authoring import label_free_checks
from benchbox.types import Sample

LAYOUT = layouts.LAYOUTS["five"]
# offsets of the five points; swapping eyes and mouth corners mirrors it
SHAPE = np.array([[-10.0, -8], [10, -8], [0, 0], [-7, 9], [7, 9]])
SIDE = 40.0


def make_samples(count: int = 8) -> list[Sample]:
    """Pictures with a blob in the red channel, noise in blue, boxes that miss it a little."""
    rng = np.random.default_rng(5)
    rows, columns = np.mgrid[:120, :140]
    samples = []
    for number in range(count):
        x, y = rng.uniform(40, 100), rng.uniform(40, 80)
        picture = np.zeros((120, 140, 3), np.uint8)
        blob = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 50)
        picture[:, :, 0] = np.round(250 * blob)
        picture[:, :, 2] = rng.integers(0, 256, (120, 140)) * (rng.random((120, 140)) < 0.002)
        centre = np.array([x, y]) + rng.uniform(-3, 3, 2)
        box = np.concatenate([centre - SIDE / 2, centre + SIDE / 2])
        samples.append(Sample(str(number), box, partial(np.copy, picture)))
    return samples


def find_blob(sample: Sample, channel: int = 0) -> np.ndarray:
    picture = sample.pixels()[:, :, channel].astype(float)
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]]
    total = picture.sum() + 1e-9
    return np.array([(picture * columns).sum(), (picture * rows).sum()]) / total


def right(sample: Sample) -> np.ndarray:
    return find_blob(sample) + SHAPE


def failures(one, layout=LAYOUT) -> dict[str, str]:
    checks = label_free_checks.check_without_labels(
        lambda samples: np.stack([one(sample) for sample in samples]), make_samples(), layout
    )
    return {check.name: check.detail for check in checks if not check.ok}


def test_a_network_that_is_read_right_passes():
    assert failures(right) == {}


@pytest.mark.parametrize(
    ("one", "name", "meaning"),
    [
        (
            lambda s: find_blob(s) + SHAPE[[0, 1, 3, 2, 4]],
            "mirrored picture and box",
            r"another order than five's|do not meet their twins|wrong order of points",
        ),
        (
            lambda s: right(s) + np.array([2.0, 0.0]),
            "mirrored picture and box",
            r"a rest of \+2\.00 px in x, to one side on every face: a wrong half-pixel map",
        ),
        (
            lambda s: (s.box[:2] + s.box[2:]) / 2 + SHAPE + find_blob(s) * [0.0, 0.1],
            "box moved by 3 %",
            r"points follow 100 % of a move by 3 %: they belong to the crop",
        ),
        (
            lambda s: (s.box[:2] + s.box[2:]) / 2 + SHAPE,
            "equal answers",
            r"every face gets the same answer: a wrong scaling",
        ),
        (
            lambda s: right(s) * 30,
            "points by the face",
            r"100\.0 % of the points lie more than a box away",
        ),
        (
            lambda s: find_blob(s, channel=2) + SHAPE,
            "channels exchanged",
            r"the network does better so; try the other input\.channels",
        ),
    ],
)
def test_each_misreading_fails_a_check_that_says_what_it_means(one, name, meaning):
    found = failures(one)
    assert name in found, found
    assert re.search(meaning, found[name]), found[name]


# --- gaze -----------------------------------------------------------------------------------------


def look(sample: Sample, order: str = "right") -> np.ndarray:
    """Stored directions: yaw from where the blob lies across the picture, pitch from its height."""
    x, y = (find_blob(sample) - [69.5, 59.5]) / 200
    if order == "exchanged":
        x, y = y, x
    if order == "yaw stays":
        x = y * 2 + 0.3
    return np.array([np.cos(y) * np.sin(x), np.sin(y), np.cos(y) * np.cos(x)])


def test_a_gaze_network_that_is_read_right_passes():
    assert failures(look, None) == {}


@pytest.mark.parametrize(
    ("order", "meaning"),
    [
        ("exchanged", "pitch changes its sign and yaw does not: their order is exchanged"),
        ("yaw stays", "yaw stays: it is not the horizontal angle"),
    ],
)
def test_a_yaw_that_does_not_change_its_sign_is_noticed(order, meaning):
    found = failures(partial(look, order=order), None)
    assert meaning in found["mirrored picture and box"]


def test_a_direction_that_turns_with_the_box_is_noticed():
    def one(sample):
        x, y = (sample.box[:2] - [50, 40]) / 4
        return np.array([np.cos(y) * np.sin(x), np.sin(y), np.cos(y) * np.cos(x)])

    assert "a wrong crop" in failures(one, None)["box moved by 3 %"]


def test_mirroring_is_about_the_middle_of_the_pixel_frame():
    """A point on the last pixel's centre lands on the first one's, and twice is as before."""
    sample = make_samples(1)[0]
    mirrored = label_free_checks.mirror_sample(sample)
    assert mirrored.box[0] == 139 - sample.box[2]
    np.testing.assert_array_equal(
        label_free_checks.mirror_sample(mirrored).pixels(), sample.pixels()
    )
    points = label_free_checks.mirror_points(np.full((1, 5, 2), 139.0), [sample], LAYOUT)
    np.testing.assert_array_equal(points[0, :, 0], 0.0)
