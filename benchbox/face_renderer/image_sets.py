"""What is rendered under which name: for each set its parts, its columns and the function that fills rows of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox.face_renderer.scenes.scene import PICTURE_PX, draw_scene
from benchbox.layouts import LAYOUTS

from . import GENERATOR_VERSION
from .render import render_picture
from .scenes import multi_camera, phone_and_tablet, portraits, videos

if TYPE_CHECKING:
    Rows = Mapping[str, np.ndarray[Any, Any]]
    Column = tuple[str, tuple[int, ...]]  # NumPy's name of the type, shape of one row


@dataclass(frozen=True)
class ImageSet:
    """A rendered set. `rows(part, numbers, pixels=…)` returns its columns.

    Without pixels those that geometry gives.
    """

    version: int
    parts: tuple[tuple[str, int], ...]  # parts with their sizes, rows in this order
    columns: Mapping[str, Column]
    drawn: tuple[str, ...]  # columns that take a picture
    rows: Callable[..., Rows]


_TEXT_TYPE = "<U24"


def _face_columns(part: str, numbers: Sequence[int], *, pixels: bool = True) -> Rows:
    scenes = [draw_scene(part, number) for number in numbers]
    known = {
        "values": np.stack([s.landmarks for s in scenes]),
        "detected": np.stack([s.detected for s in scenes]),
    }
    if not pixels:
        return known
    pictures = [render_picture(scene) for scene in scenes]
    seen = {
        "pixels": np.stack([p.pixels for p in pictures]),
        "visible": np.stack([p.visible for p in pictures]),
    }
    return {**known, **seen}


FACES = ImageSet(
    GENERATOR_VERSION,
    (("train", 3148), ("common", 554), ("challenging", 135)),
    {
        "pixels": ("u1", (PICTURE_PX, PICTURE_PX, 3)),
        "values": ("f8", (68, 2)),
        "detected": ("f8", (4,)),
        "visible": ("?", (68,)),
    },
    ("pixels", "visible"),
    _face_columns,
)


# --- single faces of other sets -------------------------------------------------------------------


def _portrait_columns(
    gallery: portraits.Gallery, part: str, numbers: Sequence[int], *, pixels: bool = True
) -> Rows:
    drawn = [portraits.draw_portrait(gallery, part, number) for number in numbers]
    scenes = [p.scene for p in drawn]
    known = {
        "values68": np.stack([s.landmarks for s in scenes]),
        "detected": np.stack([s.detected for s in scenes]),
    }
    if gallery.layout != "ibug68":
        known["values"] = np.stack([s.camera.project(s.further)[0] for s in scenes])
    if gallery.kind == "attributes":
        known["traits"] = np.array([list(p.traits.values()) for p in drawn])
    if gallery.kind == "turned":
        known["rect"] = np.stack([portraits.aflw_rect(s) for s in scenes])
    if not pixels:
        return known
    pictures = [render_picture(scene) for scene in scenes]
    seen = {
        "pixels": np.stack([p.pixels for p in pictures]),
        "visible68": np.stack([p.visible[:68] for p in pictures]),
    }
    if gallery.layout != "ibug68":
        seen["visible"] = np.stack([p.visible[68:] for p in pictures])
    return {**known, **seen}


def _portrait_set(gallery: portraits.Gallery) -> ImageSet:
    columns: dict[str, Column] = {
        "pixels": ("u1", (PICTURE_PX, PICTURE_PX, 3)),
        "values68": ("f8", (68, 2)),
        "visible68": ("?", (68,)),
        "detected": ("f8", (4,)),
    }
    if gallery.layout != "ibug68":
        count = LAYOUTS[gallery.layout].count
        columns |= {"values": ("f8", (count, 2)), "visible": ("?", (count,))}
    if gallery.kind == "attributes":
        columns["traits"] = ("?", (len(portraits.ATTRIBUTES),))
    if gallery.kind == "turned":
        columns["rect"] = ("f8", (4,))
    drawn = tuple(name for name in columns if name == "pixels" or name.startswith("visible"))
    return ImageSet(
        portraits.PORTRAIT_VERSION,
        gallery.parts,
        columns,
        drawn,
        partial(_portrait_columns, gallery),
    )


WFLW = portraits.Gallery("wflw", (("train", 2000), ("test", 1000)), "wflw98", "attributes")
COFW = portraits.Gallery("cofw", (("train", 1345), ("test", 507)), "cofw29", "occluded")
AFLW = portraits.Gallery("aflw", (("train", 2500), ("test", 800)), "aflw19", "turned")
PRIVATE = portraits.Gallery("300w-private", (("indoor", 300), ("outdoor", 300)), "ibug68", "places")


def _video_columns(
    reel: videos.Reel, part: str, numbers: Sequence[int], *, pixels: bool = True
) -> Rows:
    scenes = [videos.draw_frame(reel, part, number) for number in numbers]
    known = {
        "values": np.stack([s.landmarks for s in scenes]),
        "detected": np.stack([s.detected for s in scenes]),
        "video": np.array([s.person for s in scenes]),
    }
    return (
        known
        if not pixels
        else {**known, "pixels": np.stack([render_picture(scene).pixels for scene in scenes])}
    )


def _video_set(reel: videos.Reel) -> ImageSet:
    columns: dict[str, Column] = {
        "pixels": ("u1", (PICTURE_PX, PICTURE_PX, 3)),
        "values": ("f8", (68, 2)),
        "detected": ("f8", (4,)),
        "video": (_TEXT_TYPE, ()),
    }
    return ImageSet(
        portraits.PORTRAIT_VERSION,
        reel.sizes(),
        columns,
        ("pixels",),
        partial(_video_columns, reel),
    )


VIDEOS = videos.Reel("300vw", (("videos", 20), ("a", 8), ("b", 8), ("c", 14)), frames=48)


# --- phones and tablets ---------------------------------------------------------------------------

_FRAME_BYTES = phone_and_tablet.FRAME_SIDE_PX * phone_and_tablet.FRAME_SIDE_PX * 3 * 3 // 4


def _device_columns(
    study: phone_and_tablet.Study, part: str, numbers: Sequence[int], *, pixels: bool = True
) -> Rows:
    shots = [phone_and_tablet.draw_shot(study, part, number) for number in numbers]
    known = {
        "values": np.stack([s.target_cm for s in shots]),
        "face": np.stack([s.face for s in shots]),
        "left_eye": np.stack([s.left_eye for s in shots]),
        "right_eye": np.stack([s.right_eye for s in shots]),
        "orientation": np.array([s.orientation for s in shots]),
        "device": np.array([s.device.name for s in shots]),
        "person": np.array([s.person for s in shots]),
        "dot": np.array([s.dot for s in shots]),
    }
    if not pixels:
        return known
    frames = [
        render_picture(s.scene).pixels[phone_and_tablet.frame_slices(s.orientation)].ravel()
        for s in shots
    ]
    return {**known, "pixels": np.stack(frames)}


def _device_set(study: phone_and_tablet.Study) -> ImageSet:
    boxes: dict[str, Column] = dict.fromkeys(
        ("face", "left_eye", "right_eye", "face_grid"), ("f8", (4,))
    )
    words: dict[str, Column] = dict.fromkeys(("device", "person", "dot"), (_TEXT_TYPE, ()))
    own: dict[str, Column] = {
        "pixels": ("u1", (_FRAME_BYTES,)),
        "values": ("f8", (2,)),
        "orientation": ("i8", ()),
    }
    return ImageSet(
        phone_and_tablet.DESK_VERSION,
        study.sizes(),
        {**own, **boxes, **words},
        ("pixels",),
        partial(_device_columns, study),
    )


# Many persons and few frames of each: what keeps a short training from new people is their faces,
# not their frames.
GAZECAPTURE = phone_and_tablet.Study(
    "gazecapture", (("train", 800), ("val", 28), ("test", 84)), 6, 2, single=("train",)
)
GAZECN = phone_and_tablet.Study(
    "gazecn", (("train", 480), ("test", 40)), 6, 2, single=("train",), tablets=False, upright=True
)
GAZESTARE = phone_and_tablet.Study(
    "gazestare", (("stare", 14),), 4, 30, tablets=False, upright=True, sway=0.6
)


# --- normalised patches ---------------------------------------------------------------------------


def _patch_columns(
    study: multi_camera.Rig, part: str, numbers: Sequence[int], *, pixels: bool = True
) -> Rows:
    patches = [multi_camera.draw_patch(study, part, number) for number in numbers]
    known = {
        "values": np.stack([p.gaze for p in patches]),
        "head_pose": np.stack([multi_camera.pitch_yaw(p.head) for p in patches]),
        "camera": np.array([p.camera for p in patches]),
        "right": np.array([p.mirrored for p in patches]),
        "person": np.array([p.person for p in patches]),
    }
    if not pixels:
        return known
    return {
        **known,
        "pixels": np.stack(
            [multi_camera.cut_patch(p, render_picture(p.scene).pixels) for p in patches]
        ),
    }


def _rig_set(study: multi_camera.Rig) -> ImageSet:
    columns: dict[str, Column] = {
        "pixels": ("u1", (*multi_camera.patch_shape(study), 3)),
        "values": ("f8", (3,)),
        "head_pose": ("f8", (2,)),
        "camera": ("i8", ()),
        "right": ("?", ()),
        "person": (_TEXT_TYPE, ()),
    }
    return ImageSet(
        study.version, study.sizes(), columns, ("pixels",), partial(_patch_columns, study)
    )


ETH_XGAZE = multi_camera.Rig(
    "eth-xgaze", (("train", 100), ("validation", 20)), frames=54, cameras=18, version=2
)
MPIIGAZE = multi_camera.Rig("mpiigaze", (("eyes", 15),), frames=200, eyes=True)
MPIIFACEGAZE = multi_camera.Rig("mpiifacegaze", (("faces", 15),), frames=120)

SETS: Mapping[str, ImageSet] = {
    "300w": FACES,
    **{gallery.name: _portrait_set(gallery) for gallery in (WFLW, COFW, AFLW, PRIVATE)},
    VIDEOS.name: _video_set(VIDEOS),
    **{study.name: _device_set(study) for study in (GAZECAPTURE, GAZECN, GAZESTARE)},
    **{study.name: _rig_set(study) for study in (ETH_XGAZE, MPIIGAZE, MPIIFACEGAZE)},
}
