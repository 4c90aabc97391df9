"""`synth-300w`: our own faces in the shape of 300-W.

Rendered on this machine the first time they are asked for.

Parts `train` (3,148 faces), `common` (554) and `challenging` (135); ids `common/00017`; 256-px
pictures; 68 points in the pixel frame (origin 0). All points count as visible, as in 300-W; the
truth about that lies in the cache.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchbox.face_renderer import GENERATOR_VERSION, cache
from benchbox.face_renderer.image_sets import FACES
from benchbox.face_renderer.render import render_picture
from benchbox.face_renderer.scenes.scene import draw_scene, person_name
from benchbox.geometry import tight_box
from benchbox.types import Access, Finding, Index

from . import from_renderer
from .twin_table import ETH_XGAZE, GAZECAPTURE

if TYPE_CHECKING:
    from benchbox.types import Bools, Bytes, Floats, Strings

SIZES: Mapping[str, int] = dict(FACES.parts)
PLAN = cache.RenderPlan("300w", tuple(SIZES.items()))

ACCESS = Access(
    title="Synthetic twin of 300-W",
    folder="",
    where=(
        "nowhere to go: benchbox renders it the first time it is used "
        "(about 0.8 GB in the cache folder)"
    ),
    terms="MIT, as benchbox itself; no real person is shown",
    citation="benchbox face world",
    layout=(
        "kept under BENCHBOX_CACHE, else in the user's cache folder: "
        "face-renderer-v<version>/300w/*.npy"
    ),
)


@dataclass(frozen=True, eq=False)
class Faces:
    """Rendered faces of one part, in memory."""

    ids: Strings  # (n,)
    images: Bytes  # (n, 256, 256, 3) RGB
    values: Floats  # (n, 68, 2) px
    boxes: Floats  # (n, 4) simulated detector, px
    visible: Bools  # (n, 68)
    clusters: Strings  # (n,) person


def render_faces(part: str, count: int, start: int = 0) -> Faces:
    """Render faces start … start + count - 1 of a part in this process, without the cache.

    Each takes some 25 ms.
    """
    numbers = range(start, start + count)
    scenes = [draw_scene(part, number) for number in numbers]
    pictures = [render_picture(scene) for scene in scenes]
    return Faces(
        np.array([_face_id(part, number) for number in numbers]),
        np.stack([picture.pixels for picture in pictures]),
        np.stack([scene.landmarks for scene in scenes]),
        np.stack([scene.detected for scene in scenes]),
        np.stack([picture.visible for picture in pictures]),
        np.array([scene.person for scene in scenes]),
    )


def tiny(train: int = 16, test: int = 6) -> Index:
    """Return a small set of the same three parts, rendered in memory: for tests, first steps."""
    counts = {"train": train, "common": test, "challenging": test}
    faces = [render_faces(part, count) for part, count in counts.items()]
    images = np.concatenate([part_faces.images for part_faces in faces])
    values = np.concatenate([part_faces.values for part_faces in faces])
    detected = np.concatenate([part_faces.boxes for part_faces in faces])
    return Index(
        dataset="synth-300w",
        ids=np.concatenate([part_faces.ids for part_faces in faces]),
        parts=np.repeat(list(counts), list(counts.values())),
        values=values,
        boxes={"detector": detected, "ground_truth": tight_box(values)},
        clusters=np.concatenate([part_faces.clusters for part_faces in faces]),
        read=lambda row: np.array(images[row]),
        notes=(_generator_note(),),
        variant=f"tiny: {train} train, {test} common, {test} challenging",
    )


def index(root: Path, *, pixels: bool = True) -> Index:
    """Return the set; renders it into the cache first when pixels are asked for and not there yet.

    `root` is not looked at: this data set needs no folder. Raises DataError when the cache cannot
    be written.
    """
    del root
    numbers = [(part, number) for part, size in SIZES.items() for number in range(size)]
    columns = cache.read_columns(PLAN, pixels=pixels)
    values = columns["values"]
    return Index(
        dataset="synth-300w",
        ids=np.array([_face_id(part, number) for part, number in numbers]),
        parts=np.array([part for part, _ in numbers]),
        values=values,
        boxes={"detector": columns["detected"], "ground_truth": tight_box(values)},
        clusters=np.array([person_name(part, number) for part, number in numbers]),
        read=from_renderer.pixel_reader(PLAN, columns),
        notes=(_generator_note(),),
        cache_key=lambda row: f"{GENERATOR_VERSION}:{row}",  # every pixel follows from these
    )


def verify(root: Path) -> list[Finding]:
    """Say whether the rendered set is in the cache and whole."""
    del root
    return from_renderer.check_cache(PLAN, "faces")


def _face_id(part: str, number: int) -> str:
    return f"{part}/{number:05d}"


def _generator_note() -> str:
    return f"synthetic faces, generator version {GENERATOR_VERSION}"


def tiny_gaze2d() -> Index:
    """Return a few frames of `synth-gazecapture`, rendered in memory in a second or two."""
    return GAZECAPTURE.tiny()


def tiny_gaze3d() -> Index:
    """Return a few patches of `synth-eth-xgaze`, rendered in memory in a second."""
    return ETH_XGAZE.tiny()
