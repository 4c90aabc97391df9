"""What is rendered under which name.

For each set its parts, its columns and the function that fills rows of them.
"""

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
    from benchbox.types import Bytes

    from .scenes.scene import Scene

    Columns = Mapping[str, np.ndarray[Any, Any]]
    ColumnType = tuple[str, tuple[int, ...]]  # NumPy's name of the type, shape of one row


@dataclass(frozen=True)
class ImageSet:
    """A rendered set.

    `render_columns(part, numbers, pixels=True)` returns its columns; without pixels, only those
    that need no picture.
    """

    version: int
    parts: tuple[tuple[str, int], ...]  # parts with their sizes, rows in this order
    columns: Mapping[str, ColumnType]
    render_columns: Callable[..., Columns]


_TEXT_TYPE = "<U24"


def _face_columns(part: str, numbers: Sequence[int], *, pixels: bool = True) -> Columns:
    scenes = [draw_scene(part, number) for number in numbers]
    columns = _scene_columns(scenes, "values")
    if pixels:
        pictures = [render_picture(scene) for scene in scenes]
        columns["pixels"] = np.stack([picture.pixels for picture in pictures])
        columns["visible"] = np.stack([picture.visible for picture in pictures])
    return columns


def _scene_columns(scenes: Sequence[Scene], landmarks: str) -> dict[str, np.ndarray[Any, Any]]:
    """Return the 68 landmarks (N, 68, 2) under a name, and detector boxes (N, 4)."""
    return {
        landmarks: np.stack([scene.landmarks for scene in scenes]),
        "detected": np.stack([scene.detected for scene in scenes]),
    }


FACES = ImageSet(
    GENERATOR_VERSION,
    (("train", 3148), ("common", 554), ("challenging", 135)),
    {
        "pixels": ("u1", (PICTURE_PX, PICTURE_PX, 3)),
        "values": ("f8", (68, 2)),
        "detected": ("f8", (4,)),
        "visible": ("?", (68,)),
    },
    _face_columns,
)


# --- single faces of other sets -------------------------------------------------------------------


def _portrait_columns(
    gallery: portraits.Gallery, part: str, numbers: Sequence[int], *, pixels: bool = True
) -> Columns:
    drawn = [portraits.draw_portrait(gallery, part, number) for number in numbers]
    scenes = [portrait.scene for portrait in drawn]
    further_points = gallery.layout != "ibug68"
    columns = _scene_columns(scenes, "values68")
    if further_points:
        columns["values"] = np.stack([s.camera.project(s.further)[0] for s in scenes])
    if gallery.kind == "attributes":
        columns["traits"] = np.array([list(portrait.traits.values()) for portrait in drawn])
    if gallery.kind == "turned":
        columns["rect"] = np.stack([portraits.aflw_rect(scene) for scene in scenes])
    if pixels:
        pictures = [render_picture(scene) for scene in scenes]
        visible = np.stack([picture.visible for picture in pictures])
        columns["pixels"] = np.stack([picture.pixels for picture in pictures])
        columns["visible68"] = visible[:, :68]
        if further_points:
            columns["visible"] = visible[:, 68:]
    return columns


def _portrait_set(gallery: portraits.Gallery) -> ImageSet:
    columns: dict[str, ColumnType] = {
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
    render_columns = partial(_portrait_columns, gallery)
    return ImageSet(portraits.PORTRAIT_VERSION, gallery.parts, columns, render_columns)


WFLW = portraits.Gallery("wflw", (("train", 2000), ("test", 1000)), "wflw98", "attributes")
COFW = portraits.Gallery("cofw", (("train", 1345), ("test", 507)), "cofw29", "occluded")
AFLW = portraits.Gallery("aflw", (("train", 2500), ("test", 800)), "aflw19", "turned")
PRIVATE = portraits.Gallery("300w-private", (("indoor", 300), ("outdoor", 300)), "ibug68", "places")


def _video_columns(
    reel: videos.Reel, part: str, numbers: Sequence[int], *, pixels: bool = True
) -> Columns:
    scenes = [videos.draw_frame(reel, part, number) for number in numbers]
    columns = _scene_columns(scenes, "values")
    columns["video"] = np.array([scene.person for scene in scenes])
    if pixels:
        columns["pixels"] = np.stack([render_picture(scene).pixels for scene in scenes])
    return columns


def _video_set(reel: videos.Reel) -> ImageSet:
    columns: dict[str, ColumnType] = {
        "pixels": ("u1", (PICTURE_PX, PICTURE_PX, 3)),
        "values": ("f8", (68, 2)),
        "detected": ("f8", (4,)),
        "video": (_TEXT_TYPE, ()),
    }
    render_columns = partial(_video_columns, reel)
    return ImageSet(portraits.PORTRAIT_VERSION, reel.sizes(), columns, render_columns)


VIDEOS = videos.Reel("300vw", (("videos", 20), ("a", 8), ("b", 8), ("c", 14)), frames=48)


# --- phones and tablets ---------------------------------------------------------------------------

_FRAME_BYTES = phone_and_tablet.FRAME_SIDE_PX * phone_and_tablet.FRAME_SIDE_PX * 3 * 3 // 4


def _device_columns(
    study: phone_and_tablet.Study, part: str, numbers: Sequence[int], *, pixels: bool = True
) -> Columns:
    shots = [phone_and_tablet.draw_shot(study, part, number) for number in numbers]
    columns: dict[str, np.ndarray[Any, Any]] = {
        "values": np.stack([shot.target_cm for shot in shots]),
        "orientation": np.array([shot.orientation for shot in shots]),
        "device": np.array([shot.device.name for shot in shots]),
        "person": np.array([shot.person for shot in shots]),
        "dot": np.array([shot.dot for shot in shots]),
    }
    for name in ("face", "left_eye", "right_eye"):
        columns[name] = np.stack([getattr(shot, name) for shot in shots])
    if pixels:
        columns["pixels"] = np.stack([_frame_bytes(shot) for shot in shots])
    return columns


def _frame_bytes(shot: phone_and_tablet.Shot) -> Bytes:
    """Render a frame (216 * 288 * 3,) or (288 * 216 * 3,): one row length for both orientations."""
    rows_and_columns = phone_and_tablet.frame_slices(shot.orientation)
    return render_picture(shot.scene).pixels[rows_and_columns].ravel()


def _device_set(study: phone_and_tablet.Study) -> ImageSet:
    columns: dict[str, ColumnType] = {
        "pixels": ("u1", (_FRAME_BYTES,)),
        "values": ("f8", (2,)),
        "orientation": ("i8", ()),
    }
    for box in ("face", "left_eye", "right_eye"):
        columns[box] = ("f8", (4,))
    for text in ("device", "person", "dot"):
        columns[text] = (_TEXT_TYPE, ())
    render_columns = partial(_device_columns, study)
    return ImageSet(study.version, study.sizes(), columns, render_columns)


# Many persons and few frames of each: what keeps a short training from new people is their faces,
# not their frames, and it is people in whom two methods differ. Nothing is learned from twice;
# what is tested on has several frames of a dot.
GAZECAPTURE = phone_and_tablet.Study(
    "gazecapture", (("train", 800, 12, 1), ("val", 28, 6, 2), ("test", 84, 6, 2))
)
GAZECN = phone_and_tablet.Study(
    "gazecn", (("train", 480, 12, 1), ("test", 120, 2, 2)), tablets=False, upright=True
)
GAZESTARE = phone_and_tablet.Study(
    "gazestare", (("stare", 56, 2, 15),), tablets=False, upright=True, sway=0.6
)


# --- normalised patches ---------------------------------------------------------------------------


def _patch_columns(
    study: multi_camera.Rig, part: str, numbers: Sequence[int], *, pixels: bool = True
) -> Columns:
    patches = [multi_camera.draw_patch(study, part, number) for number in numbers]
    columns: dict[str, np.ndarray[Any, Any]] = {
        "values": np.stack([patch.gaze for patch in patches]),
        "head_pose": np.stack([multi_camera.pitch_yaw(patch.head) for patch in patches]),
        "camera": np.array([patch.camera for patch in patches]),
        "right": np.array([patch.mirrored for patch in patches]),
        "person": np.array([patch.person for patch in patches]),
    }
    if pixels:
        columns["pixels"] = np.stack([_patch_pixels(patch) for patch in patches])
    return columns


def _patch_pixels(patch: multi_camera.Patch) -> Bytes:
    return multi_camera.cut_patch(patch, render_picture(patch.scene).pixels)


def _rig_set(study: multi_camera.Rig) -> ImageSet:
    columns: dict[str, ColumnType] = {
        "pixels": ("u1", (*multi_camera.patch_shape(study), 3)),
        "values": ("f8", (3,)),
        "head_pose": ("f8", (2,)),
        "camera": ("i8", ()),
        "right": ("?", ()),
        "person": (_TEXT_TYPE, ()),
    }
    return ImageSet(study.version, study.sizes(), columns, partial(_patch_columns, study))


ETH_XGAZE = multi_camera.Rig(
    "eth-xgaze", (("train", 100), ("validation", 20)), frames=54, cameras=18, version=2
)
MPIIGAZE = multi_camera.Rig("mpiigaze", (("eyes", 15),), frames=200, eyes=True)
MPIIFACEGAZE = multi_camera.Rig("mpiifacegaze", (("faces", 15),), frames=120)
GAZE360 = multi_camera.Rig("gaze360", (("train", 40), ("test", 15)), frames=30, aim="around")
EYEDIAP = multi_camera.Rig("eyediap", (("faces", 14),), frames=60, aim="above")
GAZECAPTURE_DEGREES = multi_camera.Rig(
    "gazecapture-degrees", (("train", 80), ("val", 10), ("test", 20)), frames=20, aim="held"
)

_RIGS = (ETH_XGAZE, MPIIGAZE, MPIIFACEGAZE, GAZE360, EYEDIAP, GAZECAPTURE_DEGREES)

SETS: Mapping[str, ImageSet] = {
    "300w": FACES,
    **{gallery.name: _portrait_set(gallery) for gallery in (WFLW, COFW, AFLW, PRIVATE)},
    VIDEOS.name: _video_set(VIDEOS),
    **{study.name: _device_set(study) for study in (GAZECAPTURE, GAZECN, GAZESTARE)},
    **{study.name: _rig_set(study) for study in _RIGS},
}
