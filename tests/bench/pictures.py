"""JPEG files with faces to measure on: small ones as 300-W's after cropping, and large ones as
its originals.

They come from 300-W itself where the licensed samples are at hand (BENCHBOX_DATA), from the face
world otherwise. Large ones are enlarged small ones with fresh grain, so that a JPEG decoder has as
much to do as in a photograph.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchbox import datasets, geometry
from benchbox.datasets.formats import images
from benchbox.datasets.synthetic import ibug300w
from benchbox.types import Sample

SMALL_PX, LARGE_PX = 300, 1000  # longer side; 1 Mpx is as much to decode as an original
GRAIN = 5.0  # of 255, standard deviation; what a camera leaves in a picture of either size


@dataclass(frozen=True, eq=False)
class Pictures:
    """Files on disk with a box and 68 points each, pixel frame."""

    source: str
    side: int  # px, longer side
    paths: list[Path]
    boxes: np.ndarray  # (N, 4)
    points: np.ndarray  # (N, 68, 2)

    def __len__(self) -> int:
        return len(self.paths)

    def samples(self) -> list[Sample]:
        """The faces as a method gets them: decoded when asked for."""
        return [
            Sample(path.stem, box, lambda path=path: images.decode_picture(path))
            for path, box in zip(self.paths, self.boxes, strict=True)
        ]


def make(folder: Path, count: int, side: int) -> Pictures:
    """Write `count` JPEG files of about `side` px below a folder."""
    faces, points, source = _real(count) or _rendered(count)
    rng = np.random.default_rng(0)
    paths, placed = [], []
    for number, (face, shape) in enumerate(zip(faces, points, strict=True)):
        scale = side / max(face.shape[:2])
        size = (round(face.shape[1] * scale), round(face.shape[0] * scale))
        large = cv2.resize(face, size, interpolation=cv2.INTER_CUBIC).astype(np.float32)
        if scale > 1.2 or source.startswith("rendered"):
            large += rng.normal(0, GRAIN, (*large.shape[:2], 1)).astype(np.float32)
        paths.append(folder / f"{side}-{number:04d}.jpg")
        placed.append((shape + 0.5) * scale - 0.5)
        bgr = cv2.cvtColor(large.clip(0, 255).astype(np.uint8), cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(paths[-1]), bgr, [cv2.IMWRITE_JPEG_QUALITY, 92])
    shapes = np.stack(placed)
    return Pictures(source, side, paths, geometry.tight_box(shapes), shapes)


def _real(count: int) -> tuple[list[np.ndarray], np.ndarray, str] | None:
    root = Path(
        os.environ.get("BENCHBOX_DATA", Path(__file__).resolve().parents[3] / "shared" / "data")
    )
    if not (root / "300w").is_dir():
        return None
    index = datasets.open_dataset("300w").index(root)
    if not len(index.ids):
        return None
    rows = np.linspace(0, len(index.ids) - 1, count).astype(int)
    return [index.read(row) for row in rows], index.values[rows] - index.origin, "300-W photographs"


def _rendered(count: int) -> tuple[list[np.ndarray], np.ndarray, str]:
    # rendering takes longer than the benchmark; each file still has its own grain
    different = min(count, 32)
    faces = ibug300w.render_faces("train", different)
    rows = np.arange(count) % different
    return [faces.images[row] for row in rows], faces.values[rows], "rendered faces"
