"""From JPEG files to training batches: ours, peers, and what no pipeline can beat.

All do the same: decode, mirror one face in two, rotate by up to 30°, scale by 0.75 to 1.25, warp
the box x 1.25 to
256 px, normalise to float, carry the 68 points along, collate batches of 64. Those with "heat
maps" also make the
68 x 64 x 64 targets of heat-map networks, which ours has no use for. An epoch is a generator of
(images, targets).
"""

from __future__ import annotations

import sys
import types
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import default_collate

from benchbox import geometry
from benchbox.layouts import IBUG68
from benchbox.training import crops

from .pictures import Pictures

SIDE, BATCH, HEAT, SIGMA = 256, 64, 64, 1.5
EXPANSION, ROTATION_DEG, SCALE = 1.25, 30.0, 0.25
CROP, STORED = 448, 2.0  # ours: the stored square, as G&LSR has it
MEAN, STD = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
FLIP = list(IBUG68.flip)

Batches = Iterator[tuple[torch.Tensor, Any]]
Epoch = Callable[[], Batches]


# --- ours -----------------------------------------------------------------------------------------


def ours(pictures: Pictures) -> Epoch:
    """Later epochs: the crops are stored."""
    return _views(pictures, crops.cut_crops(pictures.samples(), CROP, STORED))


def ours_first(pictures: Pictures) -> Epoch:
    """The first epoch: decode, store, then as later."""

    def epoch() -> Batches:
        yield from _views(pictures, crops.cut_crops(pictures.samples(), CROP, STORED))()

    return epoch


def _views(pictures: Pictures, stored: crops.Crops) -> Epoch:
    views, rng = crops.CropViews(stored, "cpu"), np.random.default_rng(0)
    to_crop = geometry.box_to_unit(geometry.square_boxes(pictures.boxes, STORED))
    points = geometry.transform_points(to_crop, pictures.points)

    def epoch() -> Batches:
        order = rng.permutation(len(pictures))
        for first in range(0, len(order), BATCH):
            rows = order[first : first + BATCH]
            frame, mirrored = _frames(rng, len(rows))
            shape = geometry.transform_points(geometry.invert_maps(frame), points[rows])
            shape[mirrored] = shape[mirrored][:, FLIP]
            yield (
                views.sampler(rows)(torch.from_numpy(frame), SIDE),
                torch.from_numpy(shape).float(),
            )

    return epoch


def _frames(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw maps (n, 2, 3) from the view to the stored crop, both [-1, 1]²."""
    half = EXPANSION / STORED * rng.uniform(1 - SCALE, 1 + SCALE, count)
    angle = np.deg2rad(rng.uniform(-ROTATION_DEG, ROTATION_DEG, count))
    mirrored = rng.random(count) < 0.5
    sign, cos, sin, zero = (
        np.where(mirrored, -1.0, 1.0),
        np.cos(angle) * half,
        np.sin(angle) * half,
        np.zeros(count),
    )
    rows = [np.stack([cos * sign, -sin, zero], -1), np.stack([sin * sign, cos, zero], -1)]
    return np.stack(rows, axis=1), mirrored


# --- peers ----------------------------------------------------------------------------------------


def _collated(pictures: Pictures, one: Callable[[int], tuple[Any, ...]]) -> Epoch:
    """Batch what a dataset class returns as torch's DataLoader does, without worker processes."""
    rng = np.random.default_rng(0)

    def epoch() -> Batches:
        order = rng.permutation(len(pictures))
        for first in range(0, len(order), BATCH):
            images, *targets = default_collate(
                [one(int(row)) for row in order[first : first + BATCH]]
            )
            yield images, targets

    return epoch


def albumentations(pictures: Pictures) -> Epoch:
    """As its documentation shows it: cv2.imread, slice the box, Compose with keypoints."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import albumentations as A
        from albumentations.pytorch import ToTensorV2

        limits = {"rotate": (-ROTATION_DEG, ROTATION_DEG), "scale": (1 - SCALE, 1 + SCALE)}
        steps = [
            A.Resize(SIDE, SIDE),
            A.HorizontalFlip(p=0.5),
            A.Affine(**limits, p=1.0),
            A.Normalize(),
            ToTensorV2(),
        ]
        compose = A.Compose(
            steps, keypoint_params=A.KeypointParams("xy", remove_invisible=False), seed=0
        )
    boxes = geometry.square_boxes(pictures.boxes, EXPANSION).round().astype(int)

    def one(row: int) -> tuple[Any, ...]:
        image = cv2.cvtColor(cv2.imread(str(pictures.paths[row])), cv2.COLOR_BGR2RGB)
        x0, y0, x1, y1 = boxes[row]
        x0, y0 = max(x0, 0), max(y0, 0)
        made = compose(image=image[y0:y1, x0:x1], keypoints=pictures.points[row] - (x0, y0))
        return made["image"], np.float32(made["keypoints"])

    return _collated(pictures, one)


def hrnet_style(pictures: Pictures, heat_maps: bool = True) -> Epoch:
    """A dataset class as HRNet's face classes work, with OpenCV: float picture, one affine,
    normalise, targets."""
    rng = np.random.default_rng(0)
    boxes = geometry.square_boxes(pictures.boxes, EXPANSION)

    def one(row: int) -> tuple[Any, ...]:
        image = cv2.cvtColor(cv2.imread(str(pictures.paths[row])), cv2.COLOR_BGR2RGB).astype(
            np.float32
        )
        points, (x0, y0, x1, y1) = pictures.points[row], boxes[row]
        centre = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
        if rng.random() < 0.5:
            image = np.fliplr(image)
            points = (points * [-1, 1] + [image.shape[1] - 1, 0])[FLIP]
            centre[0] = image.shape[1] - 1 - centre[0]
        scale = SIDE / ((x1 - x0) * rng.uniform(1 - SCALE, 1 + SCALE))
        matrix = cv2.getRotationMatrix2D(
            tuple(centre), rng.uniform(-ROTATION_DEG, ROTATION_DEG), scale
        )
        matrix[:, 2] += SIDE / 2 - centre
        image = cv2.warpAffine(
            np.ascontiguousarray(image), matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR
        )
        points = geometry.transform_points(matrix, points)
        image = ((image / 255.0 - MEAN) / STD).transpose(2, 0, 1)
        targets = (_heat_maps(points * HEAT / SIDE),) if heat_maps else ()
        return np.ascontiguousarray(image), np.float32(points), *targets

    return _collated(pictures, one)


def hrnet_style_points(pictures: Pictures) -> Epoch:
    """The same without heat maps: the same work as ours."""
    return hrnet_style(pictures, heat_maps=False)


def _heat_maps(points: np.ndarray) -> np.ndarray:
    """Gaussian targets (68, 64, 64), point by point: a patch of three sigmas pasted where it
    fits."""
    reach = int(3 * SIGMA)
    grid = np.arange(-reach, reach + 1)
    patch = np.exp(-(grid[:, None] ** 2 + grid**2) / (2 * SIGMA**2)).astype(np.float32)
    maps = np.zeros((len(points), HEAT, HEAT), np.float32)
    for target, (x, y) in zip(maps, points.round().astype(int), strict=True):
        left, top, right, low = x - reach, y - reach, x + reach + 1, y + reach + 1
        if left >= HEAT or top >= HEAT or right <= 0 or low <= 0:
            continue
        across, down = slice(max(left, 0), min(right, HEAT)), slice(max(top, 0), min(low, HEAT))
        target[down, across] = patch[
            down.start - top : down.stop - top, across.start - left : across.stop - left
        ]
    return maps


def mmpose(pictures: Pictures, heat_maps: bool = True) -> Epoch:
    """The training pipeline of its 300-W configuration, and its normaliser (mean, std, BGR to
    RGB) on the batch."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        without_coco()
        from mmengine.model import ImgDataPreprocessor
        from mmpose.datasets import transforms as T

        codec = {"type": "MSRAHeatmap", "heatmap_size": (HEAT, HEAT), "sigma": SIGMA}
        codec = codec if heat_maps else {"type": "RegressionLabel"}
        steps = [
            T.LoadImage(),
            T.GetBBoxCenterScale(),
            T.RandomFlip(direction="horizontal"),
            T.RandomBBoxTransform(
                shift_prob=0, rotate_factor=2 * ROTATION_DEG, scale_factor=(1 - SCALE, 1 + SCALE)
            ),
            T.TopdownAffine(input_size=(SIDE, SIDE)),
            T.GenerateTarget(encoder={**codec, "input_size": (SIDE, SIDE)}),
            T.PackPoseInputs(),
        ]
    normalise = ImgDataPreprocessor(mean=255 * MEAN, std=255 * STD, bgr_to_rgb=True)
    rng, boxes = np.random.default_rng(0), pictures.boxes.astype(np.float32)

    def one(row: int) -> dict[str, Any]:
        facts: dict[str, Any] = {
            "img_path": str(pictures.paths[row]),
            "bbox": boxes[row : row + 1],
            "bbox_score": np.ones(1, np.float32),
            "keypoints": pictures.points[row : row + 1].astype(np.float32),
            "keypoints_visible": np.ones((1, 68), np.float32),
            "flip_indices": FLIP,
        }
        for step in steps:
            facts = step(facts)
        return facts

    def epoch() -> Batches:
        order = rng.permutation(len(pictures))
        for first in range(0, len(order), BATCH):
            made = [one(int(row)) for row in order[first : first + BATCH]]
            yield (
                normalise({"inputs": [m["inputs"] for m in made]})["inputs"],
                [m["data_samples"] for m in made],
            )

    return epoch


def mmpose_points(pictures: Pictures) -> Epoch:
    """The same with coordinates as targets: the same work as ours."""
    return mmpose(pictures, heat_maps=False)


def without_coco() -> None:
    """Let MMPose be imported without its COCO tools: their wheel is built for NumPy 1, and
    nothing here uses them."""
    try:
        import xtcocotools.mask  # noqa: F401
    except (ImportError, ValueError):
        for name in ("xtcocotools", "xtcocotools.coco", "xtcocotools.cocoeval", "xtcocotools.mask"):
            absent: Any = types.ModuleType(name)
            absent.COCO = absent.COCOeval = absent.mask = object
            sys.modules[name] = absent


# --- limits ---------------------------------------------------------------------------------------


def bare_decode(pictures: Pictures) -> Epoch:
    """Decode from memory and nothing else."""
    files = [np.frombuffer(path.read_bytes(), np.uint8) for path in pictures.paths]

    def epoch() -> Batches:
        for raw in files:
            yield cv2.imdecode(raw, cv2.IMREAD_COLOR), None

    return epoch


def bare_warp(pictures: Pictures) -> Epoch:
    """Warp decoded pictures into a kept buffer and nothing else."""
    decoded = [cv2.imread(str(path)) for path in pictures.paths]
    rng, out = np.random.default_rng(0), np.empty((SIDE, SIDE, 3), np.uint8)
    frames = _frames(rng, len(decoded))[0]
    to_unit = geometry.box_to_unit(geometry.square_boxes(pictures.boxes, STORED))
    view = geometry.invert_maps(geometry.unit_to_crop(SIDE))
    maps = geometry.compose_maps(geometry.invert_maps(to_unit), geometry.compose_maps(frames, view))

    def epoch() -> Batches:
        for image, matrix in zip(decoded, maps, strict=True):
            cv2.warpAffine(
                image, matrix, (SIDE, SIDE), dst=out, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            )
            yield out, None

    return epoch
