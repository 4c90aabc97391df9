"""Single faces for the twins of WFLW, COFW, AFLW and the 300-W challenge.

What makes each hard is chosen, then drawn.

As in `scene` a person, a moment and a look have streams of their own. What an attribute names (a
large pose, an expression, light, make-up, something before the face, blur) is decided first, and
the rest of the picture is kept mild, so that a group means what its name says.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np

from benchbox.face_renderer.camera import Pose, aim_camera, place_points
from benchbox.face_renderer.head import appearance
from benchbox.face_renderer.head.model import model_points, model_points68
from benchbox.face_renderer.head.surface import EYE
from benchbox.face_renderer.image.simulated_detector import detect_face

from .scene import (
    CANVAS_PX,
    PICTURE_PX,
    Conditions,
    Scene,
    draw_identity,
    draw_pose,
    draw_shape,
    parallel_axes,
    random_stream,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchbox.types import Floats

PORTRAIT_VERSION = 1  # raise it with every change that moves a landmark or a pixel of these sets
ATTRIBUTES = ("largepose", "expression", "illumination", "makeup", "occlusion", "blur")
_SHARES = (0.14, 0.13, 0.28, 0.09, 0.29, 0.30)  # of faces that have each attribute in WFLW, about
_WHO, _LOOK, _MOMENT, _PICTURE, _DETECTOR, _TRAITS = range(6)
# shares of the kinds of expression, see `scene.draw_shape`
_CALM = (0.50, 0.22, 0.13, 0.15, 0.0, 0.0, 0.0)
_LIVELY = (0.0, 0.0, 0.0, 0.0, 0.45, 0.25, 0.30)


@dataclass(frozen=True, eq=False)
class Portrait:
    """A face with the further points of its set's layout, and what its picture is marked as."""

    scene: Scene
    traits: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True)
class Gallery:
    """A set of single faces.

    Parts with their sizes, the layout beside the 68 points, how faces are made hard.
    """

    name: str
    parts: tuple[tuple[str, int], ...]
    layout: str
    kind: str  # "attributes", "occluded", "turned", "places"


@dataclass(frozen=True)
class _Plan:
    """How one face is to be."""

    pose: Pose
    hard: bool
    conditions: Conditions
    kinds: tuple[float, ...] | None = None
    changes: dict[str, Any] = field(default_factory=dict)
    traits: dict[str, bool] = field(default_factory=dict)


def draw_portrait(gallery: Gallery, part: str, number: int) -> Portrait:
    """Draw face `number` of a part."""
    key = _face_key(gallery, part, number)
    identity = draw_identity(random_stream(*key, _WHO))
    child = identity["length"] < -1.5
    usual = appearance.draw_look(random_stream(*key, _LOOK), child=child)
    plan = _PLANS[gallery.kind](random_stream(*key, _TRAITS), usual, part)
    rng = random_stream(*key, _MOMENT)
    shape = draw_shape(rng, identity, plan.pose, plan.hard, plan.kinds)
    axes = parallel_axes(*shape.gaze)
    points = model_points68().at(shape, plan.pose, axes)
    nearest_mm = 420 if plan.hard else 600
    distance = float(np.exp(rng.uniform(np.log(nearest_mm), np.log(2600))))
    camera = aim_camera(points, distance, *_draw_framing(rng))
    landmarks = camera.project(points)[0]
    further = np.zeros((0, 3))
    if gallery.layout != "ibug68":
        further = model_points(gallery.layout).at(shape, plan.pose, axes)
    scene = Scene(
        person=f"{part}-{number:05d}",
        shape=shape,
        pose=plan.pose,
        camera=camera,
        points=points,
        landmarks=landmarks,
        detected=detect_face(landmarks, random_stream(*key, _DETECTOR), hard=plan.hard),
        conditions=plan.conditions,
        person_key=(*key, _LOOK),
        look_key=(*key, _PICTURE),
        axes=axes,
        changes=plan.changes,
        further=further,
        canvas=CANVAS_PX,
    )
    return Portrait(scene, plan.traits)


def turned_yaw(gallery: Gallery, part: str, number: int) -> float:
    """Return the yaw in radians of a "turned" face, without drawing the rest of it."""
    plan = _plan_turned(random_stream(*_face_key(gallery, part, number), _TRAITS), None, part)
    return plan.pose.yaw


def _face_key(gallery: Gallery, part: str, number: int) -> tuple[int, int, int]:
    name = f"{gallery.name}-{PORTRAIT_VERSION}"
    return (crc32(name.encode()), crc32(part.encode()), number)


def _draw_framing(rng: np.random.Generator) -> tuple[float, Floats]:
    """Draw how large a face is in its picture, and where (2,) px."""
    side = rng.uniform(0.45, 0.65) * PICTURE_PX
    room = PICTURE_PX / 2 - side / 2 - 5
    return side, (PICTURE_PX - 1) / 2 + np.array([0, 10.0]) + rng.normal(0, 10, 2).clip(-room, room)


def aflw_rect(scene: Scene) -> Floats:
    """Return a face box (4,) px as AFLW computes them.

    A square some eye distances wide, its middle below the eyes.

    It follows from where the head is and how large, not from where its points are, and may leave
    the picture. Our heads are a little longer than AFLW's model, so the square is 2.95 instead of
    2.56 eye distances wide.
    """
    apart = 2 * float(EYE[0])
    middle = place_points(np.array([[0.0, EYE[1] + 0.62 * apart, EYE[2]]]), np.zeros(1), scene.pose)
    flat, depth = scene.camera.project(middle)
    half = 0.5 * 2.95 * apart * scene.camera.scale / depth[0]
    return np.concatenate([flat[0] - half, flat[0] + half])


# --- WFLW: six attributes -------------------------------------------------------------------------


def _plan_attributes(rng: np.random.Generator, usual: appearance.Look, part: str) -> _Plan:
    del part
    traits = {
        name: bool(rng.random() < share) for name, share in zip(ATTRIBUTES, _SHARES, strict=True)
    }
    cover = str(rng.choice(["hand", "thing", "foreground", "sunglasses"], p=[0.4, 0.3, 0.15, 0.15]))
    glasses = usual.glasses % 4
    if not traits["occlusion"]:
        cover = "nothing"
    elif cover == "sunglasses":
        cover, glasses = "nothing", 4
    changes: dict[str, Any] = {"fringe": traits["occlusion"], "glasses": glasses}
    changes |= _makeup_changes(rng, usual, traits["makeup"])
    conditions = Conditions(
        light=traits["illumination"],
        lens=traits["blur"],
        cover_rate=0.0,
        cover=cover,
        blur_px=float(rng.uniform(1.8, 3.6)) if traits["blur"] else 0.0,
        harsh=traits["illumination"],
    )
    pose = _large_pose(rng) if traits["largepose"] else _mild_pose(rng)
    lively = traits["expression"]
    return _Plan(pose, lively, conditions, _LIVELY if lively else _CALM, changes, traits)


def _makeup_changes(
    rng: np.random.Generator, usual: appearance.Look, painted: bool
) -> dict[str, Any]:
    """Return what make-up changes: thick and on a shaven face, or next to none."""
    if not painted:
        return {"makeup": 0.25 * usual.makeup}
    return {"makeup": float(rng.uniform(0.75, 1.0)), "beard": 0.0, "moustache": 0.0, "goatee": 0.0}


def _large_pose(rng: np.random.Generator) -> Pose:
    yaw = float(rng.choice([-1, 1]) * rng.uniform(38, 78))
    pitch, roll = float(rng.normal(2, 10)), float(rng.normal(0, 14))
    if rng.random() < 0.2:
        yaw, pitch = 0.3 * yaw, float(rng.choice([-1, 1]) * rng.uniform(24, 34))
    return Pose(*np.radians([yaw, np.clip(pitch, -34, 34), np.clip(roll, -40, 40)]))


def _mild_pose(rng: np.random.Generator) -> Pose:
    spread = np.array([13.0, 7.0, 7.0])
    return Pose(*np.radians(spread * rng.normal(0, 1, 3).clip(-2, 2)))


# --- COFW: something before most faces ------------------------------------------------------------


def _plan_occluded(rng: np.random.Generator, usual: appearance.Look, part: str) -> _Plan:
    cover_rate = 0.82 if part == "test" else 0.72
    kinds = ["hand", "thing", "foreground", "nothing"]
    cover = str(
        rng.choice(
            kinds, p=[0.45 * cover_rate, 0.38 * cover_rate, 0.17 * cover_rate, 1 - cover_rate]
        )
    )
    pose = draw_pose(rng, hard=bool(rng.random() < 0.35))
    glasses = 4 if rng.random() < 0.12 else usual.glasses
    hard = bool(rng.random() < 0.4)
    return _Plan(
        pose,
        hard,
        Conditions(hard, hard, cover_rate=0.0, cover=cover),
        changes={"glasses": glasses},
    )


# --- AFLW: heads turned to any side ---------------------------------------------------------------


def _plan_turned(rng: np.random.Generator, usual: appearance.Look | None, part: str) -> _Plan:
    del usual, part
    if rng.random() < 0.4:
        yaw = rng.normal(0, 12)
    else:
        yaw = rng.choice([-1, 1]) * rng.uniform(10, 85)
    pitch = np.clip(rng.normal(0, 11), -30, 30)
    roll = np.clip(rng.normal(0, 11), -40, 40)
    hard = bool(rng.random() < 0.4)
    pose = Pose(*np.radians([yaw, pitch, roll]))
    return _Plan(pose, hard, Conditions(hard, hard, cover_rate=0.3))


# --- the 300-W challenge: indoors and outdoors ----------------------------------------------------


def _plan_places(rng: np.random.Generator, usual: appearance.Look, part: str) -> _Plan:
    del usual
    hard = bool(rng.random() < 0.45)
    outside = part == "outdoor"
    conditions = Conditions(
        outside or hard, hard, cover_rate=0.5, harsh=outside and bool(rng.random() < 0.4)
    )
    return _Plan(draw_pose(rng, hard), hard, conditions)


_PLANS = {
    "attributes": _plan_attributes,
    "occluded": _plan_occluded,
    "turned": _plan_turned,
    "places": _plan_places,
}
