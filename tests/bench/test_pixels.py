"""Samples per second from JPEG files to batches of 256 px on one core: ours, installed peers, the
limits."""

import importlib.util

import cv2
import numpy as np
import pytest
import torch

from benchbox.training import process_setup

from . import pictures as files
from . import pipelines
from .sizes import ROUNDS, pick

COUNTS = {files.SMALL_PX: pick(6, 256), files.LARGE_PX: pick(2, 64)}
PIPELINES = {
    "ours, later epochs": pipelines.ours,
    "ours, first epoch (decode, store, warp)": pipelines.ours_first,
    "albumentations + OpenCV": pipelines.albumentations,
    "MMPose 300-W, points": pipelines.mmpose_points,
    "MMPose 300-W, heat maps": pipelines.mmpose,
    "HRNet-style class, points": pipelines.hrnet_style_points,
    "HRNet-style class, heat maps": pipelines.hrnet_style,
}
LIMITS = {
    "limit: decode alone": pipelines.bare_decode,
    "limit: warp alone, decoded": pipelines.bare_warp,
}
NEEDS = {"albumentations": ("albumentations",), "MMPose": ("mmpose", "mmengine", "mmcv")}


@pytest.fixture(scope="module", params=COUNTS, ids="{}px".format)
def pictures(request, tmp_path_factory):
    side = request.param
    return files.make(tmp_path_factory.mktemp(f"jpeg{side}"), COUNTS[side], side)


def group(pictures):
    return f"{pictures.side}-px JPEG to 256 px ({len(pictures)} {pictures.source}), one core"


def require(name):
    for package in NEEDS.get(name.split()[0], ()):
        if importlib.util.find_spec(package) is None:
            pytest.skip(
                f"{package} is not installed here; docs/performance.md says how to get the peers"
            )


def last(epoch):
    """Run an epoch as training does, letting go of each batch, and return the last one."""
    for batch in epoch():
        found = batch
    return found


@pytest.mark.usefixtures("one_core")
@pytest.mark.parametrize("name", PIPELINES)
def test_pipeline(name, pictures, measure):
    require(name)
    process_setup.keep_memory()  # a gift to the peers: without it all of them are slower
    epoch = PIPELINES[name](pictures)
    slow = pictures.side == files.LARGE_PX or not name.startswith("ours")
    images, _ = measure(
        lambda: last(epoch),
        group(pictures),
        name,
        len(pictures),
        "samples/s",
        ours=name == "ours, later epochs",
        rounds=min(ROUNDS, 5) if slow else ROUNDS,
    )
    assert images.dtype == torch.float32
    assert images.shape[1:] == (3, 256, 256)
    assert images.std() > 0.2  # a warp that misses the face is black


@pytest.mark.usefixtures("one_core")
@pytest.mark.parametrize("name", LIMITS)
def test_limit(name, pictures, measure):
    epoch = LIMITS[name](pictures)
    image, _ = measure(lambda: last(epoch), group(pictures), name, len(pictures), "samples/s")
    assert image.dtype == np.uint8
    assert image.std() > 20


def unit(points):
    return (points + 1) * 128 - 0.5


POINTS = {  # how each pipeline hands out the points, turned into pixels of the view
    "ours, later epochs": unit,
    "HRNet-style class, points": lambda targets: targets[0],
    "albumentations + OpenCV": lambda targets: targets[0],
    "MMPose 300-W, points": lambda found: torch.from_numpy(
        np.concatenate([256 * sample.gt_instance_labels.keypoint_labels for sample in found])
    ),
}


@pytest.mark.parametrize("name", POINTS)
def test_pipelines_that_are_compared_warp_picture_and_points_alike(name, tmp_path):
    """A pipeline that forgets half of the turn would be fast: the eyes must lie where the points
    say."""
    require(name)
    made = files.make(tmp_path, 4, files.SMALL_PX)
    # white dots on black at two eye corners
    for path, points in zip(made.paths, made.points, strict=True):
        dots = np.zeros((files.SMALL_PX, files.SMALL_PX, 3), np.uint8)
        for x, y in points[[36, 45]]:
            cv2.circle(dots, (round(x), round(y)), 5, (255, 255, 255), -1)
        cv2.imwrite(str(path), dots)
    images, targets = last(PIPELINES[name](made))
    points = POINTS[name](targets)
    for image, eyes in zip(images, points[:, [36, 45]], strict=True):
        for x, y in eyes.round().long().clamp(0, 255):
            assert image[0, y, x] > 0.9 * image[0].max()
