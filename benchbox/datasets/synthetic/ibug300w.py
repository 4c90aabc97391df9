"""`synth-300w`: our own faces in the shape of 300-W.

Rendered on this machine the first time they are asked for.

Parts `train` (3,148 faces), `common` (554) and `challenging` (135); ids `common/00017`; 256-px
pictures; 68 points in the pixel frame (origin 0). All points count as visible, as in 300-W; the
truth about that lies in the cache.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox.face_renderer import GENERATOR_VERSION, cache
from benchbox.face_renderer.image_sets import FACES
from benchbox.face_renderer.render import render_picture
from benchbox.face_renderer.scenes.scene import Scene, draw_scene, person_name
from benchbox.geometry import tight_box
from benchbox.types import Access, Finding, Index

if TYPE_CHECKING:
    from benchbox.types import Bools, Bytes, Floats, Strings

SIZES: Mapping[str, int] = dict(FACES.parts)
PLAN = cache.RenderPlan("300w", tuple(SIZES.items()))

ACCESS = Access(
    title="Synthetic twin of 300-W",
    folder="",
    where="nowhere to go: benchbox renders it the first time it is used (about 0.8 GB in the cache folder)",
    terms="MIT, as benchbox itself; no real person is shown",
    citation="benchbox face world",
    layout="kept under BENCHBOX_CACHE, else in the user's cache folder: face-renderer-v<version>/300w/*.npy",
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
    """Render faces start … start + count - 1 of a part in this process, some 25 ms each, without the cache."""
    scenes = [draw_scene(part, number) for number in range(start, start + count)]
    pictures = [render_picture(scene) for scene in scenes]
    return Faces(
        np.array([_id(part, number) for number in range(start, start + count)]),
        np.stack([p.pixels for p in pictures]),
        np.stack([s.landmarks for s in scenes]),
        np.stack([s.detected for s in scenes]),
        np.stack([p.visible for p in pictures]),
        np.array([s.person for s in scenes]),
    )


def tiny(train: int = 16, test: int = 6) -> Index:
    """Return a small set with the same three parts, rendered in memory: for tests and first steps."""
    sets = [
        render_faces("train", train),
        render_faces("common", test),
        render_faces("challenging", test),
    ]
    images = np.concatenate([s.images for s in sets])
    values = np.concatenate([s.values for s in sets])
    return Index(
        dataset="synth-300w",
        ids=np.concatenate([s.ids for s in sets]),
        parts=np.array([str(name).partition("/")[0] for s in sets for name in s.ids]),
        values=values,
        boxes=_box_sources(values, np.concatenate([s.boxes for s in sets])),
        clusters=np.concatenate([s.clusters for s in sets]),
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
    if pixels or not cache.find_fault(PLAN):
        columns = cache.load_columns(PLAN)
        values, detected = np.array(columns["values"]), np.array(columns["detected"])
    else:  # landmarks are geometry: seconds, and no picture is needed
        values, detected = _stack_annotations(draw_scene(part, number) for part, number in numbers)

    def read(row: int) -> Bytes:
        return np.array(
            cache.load_columns(PLAN)["pixels"][row] if not pixels else columns["pixels"][row]
        )

    return Index(
        dataset="synth-300w",
        ids=np.array([_id(part, number) for part, number in numbers]),
        parts=np.array([part for part, _ in numbers]),
        values=values,
        boxes=_box_sources(values, detected),
        clusters=np.array([person_name(part, number) for part, number in numbers]),
        read=read,
        notes=(_generator_note(),),
        stamp=lambda row: f"{GENERATOR_VERSION}:{row}",  # every pixel follows from these
    )


def verify(root: Path) -> list[Finding]:
    """Say whether the rendered set is in the cache and whole."""
    del root
    fault = cache.find_fault(PLAN)
    at = cache.cache_folder(PLAN)
    if not fault:
        return [
            Finding("ok", f"{part}: {size:,} of {size:,} faces in {at}")
            for part, size in SIZES.items()
        ]
    if not at.exists():
        return [Finding("missing", f"{at}: {fault}; the first run renders it")]
    return [Finding("wrong", f"{at}: {fault}; the next run renders it again")]


def _id(part: str, number: int) -> str:
    return f"{part}/{number:05d}"


def _generator_note() -> str:
    return f"synthetic faces, generator version {GENERATOR_VERSION}"


def _box_sources(values: Floats, detected: Floats) -> dict[str, Floats]:
    return {"detector": detected, "ground_truth": tight_box(values)}


def _stack_annotations(scenes: Iterable[Scene]) -> tuple[Any, Any]:
    pairs = [(scene.landmarks, scene.detected) for scene in scenes]
    return np.stack([p for p, _ in pairs]), np.stack([d for _, d in pairs])


def tiny_gaze2d() -> Index:
    """Return a few frames of `synth-gazecapture`, rendered in memory in a second or two."""
    from . import gazecapture

    return gazecapture.tiny()


def tiny_gaze3d() -> Index:
    """Return a few patches of `synth-eth-xgaze`, rendered in memory in a second."""
    from . import eth_xgaze

    return eth_xgaze.tiny()
