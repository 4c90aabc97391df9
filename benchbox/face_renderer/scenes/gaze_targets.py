"""People who look at a known point: eyeballs turn until their lines of sight meet there.

The line of sight is not the eyeball's axis: it leaves the eye a few degrees towards the nose, by an
amount that differs from person to person (the angle kappa). A picture shows the axis, a label names
the line of sight, so no method that has not met a person can be exact, as in life.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox.face_renderer.camera import Camera, Pose, place_points, rotation_matrix
from benchbox.face_renderer.head import appearance
from benchbox.face_renderer.head.deformation import EXPRESSION, Shape, eyeball_centres
from benchbox.face_renderer.head.eyes import gaze_direction
from benchbox.face_renderer.head.model import ModelPoints, eye_corner_body, model_points68
from benchbox.face_renderer.image.simulated_detector import detect_face

from .scene import CANVAS_PX, PICTURE_PX, Conditions, Room, Scene, draw_identity, random_stream

if TYPE_CHECKING:
    from benchbox.types import Floats

_KAPPA_NASAL_DEG, _KAPPA_UP_DEG, _KAPPA_SPREAD_DEG = 2.5, 0.5, 0.4
_WHO, _LOOK, _KAPPA = range(3)
EYE_REACH_RAD = (0.75, 0.6)  # rad, how far an eye turns to a side, and up or down


@dataclass(frozen=True, eq=False)
class Person:
    """What stays with a person."""

    name: str
    key: tuple[int, ...]
    identity: Mapping[str, float]
    # (2, 2) rad: per eye, picture left first, the line of sight's yaw and pitch against the axis
    kappa: Floats
    changes: Mapping[str, Any]  # nothing that hides the eyes


@dataclass(frozen=True, eq=False)
class View:
    """How a camera and a moment see a person."""

    pose: Pose
    camera: Camera
    mood: Mapping[str, float] = field(default_factory=dict)  # expression
    jaw: float = 0.0
    conditions: Conditions = field(default_factory=Conditions)
    size: int = PICTURE_PX
    canvas: int = CANVAS_PX
    look_key: tuple[int, ...] = ()
    frame_key: tuple[int, ...] = ()
    room: Room | None = None


@lru_cache(maxsize=256)
def draw_person(*key: int) -> Person:
    """Draw the person that belongs to a key."""
    onlooker = draw_identity(random_stream(*key, _WHO))
    look = appearance.draw_look(random_stream(*key, _LOOK), child=onlooker["length"] < -1.5)
    rng = random_stream(*key, _KAPPA)
    spread = np.radians(_KAPPA_SPREAD_DEG)
    nasal = np.radians(_KAPPA_NASAL_DEG) + rng.normal(0, spread, 2).clip(-2 * spread, 2 * spread)
    up = np.radians(_KAPPA_UP_DEG) + rng.normal(0, spread) + rng.normal(0, spread / 3, 2)
    changes = {
        "fringe": False,
        "part": 0.2 * look.part,
        "style": "short" if look.style == "fringe" else look.style,
        "glasses": 1 if look.glasses == 4 else look.glasses,
    }
    return Person("", key, onlooker, np.stack([nasal * [1, -1], -up], axis=1), changes)


def draw_mood(rng: np.random.Generator) -> tuple[dict[str, float], float]:
    """Draw the face of someone who attends to a screen.

    Calm, now and then a smile or parted lips.
    """
    face = {name: rng.normal(0, 0.12) for name in EXPRESSION}
    face["closed"] = rng.uniform(0.85, 1.0)
    if rng.random() < 0.2:
        face["smile"] += rng.uniform(0.3, 1.0)
        face["cheeks_up"] += rng.uniform(0.1, 0.5)
    if rng.random() < 0.15:
        face["closed"] = rng.uniform(0.2, 0.7)
        return face, rng.uniform(0.0, 0.05)
    return face, 0.0


def eyeball_positions(onlooker: Person, pose: Pose, face: Mapping[str, float]) -> Floats:
    """Return where the eyeballs' centres are (2, 3) mm in the camera's axes, picture left first."""
    return place_points(
        eyeball_centres(eye_corner_body(), Shape(onlooker.identity, face)), np.zeros(2), pose
    )


def pose_facing(direction: Floats) -> Pose:
    """Return the pose, without roll, of a head whose nose points along a direction (3,)."""
    x, y, z = direction / np.linalg.norm(direction)
    return Pose(float(np.arcsin(np.clip(x, -1, 1))), float(np.arctan2(y, z)), 0.0)


def nose_direction(pose: Pose) -> Floats:
    """Return where a head's nose points: a unit vector (3,) in the camera's axes."""
    forward: Floats = rotation_matrix(pose)[:, 2]
    return forward


def turn_eyes(onlooker: Person, pose: Pose, lines: Floats) -> tuple[Floats, float]:
    """Return the eyeballs' axes (2, 3), head's frame, for lines of sight (2, 3), camera's axes.

    And the mean pitch.
    """
    sight = (lines / np.linalg.norm(lines, axis=1, keepdims=True)) @ rotation_matrix(pose)
    yaw, pitch = np.arctan2(sight[:, 0], sight[:, 2]), np.arcsin(np.clip(sight[:, 1], -1, 1))
    yaw, pitch = yaw - onlooker.kappa[:, 0], pitch - onlooker.kappa[:, 1]
    return np.stack([gaze_direction(a, b) for a, b in zip(yaw, pitch, strict=True)]), float(
        pitch.mean()
    )


def look_at_target(
    onlooker: Person,
    view: View,
    target: Floats,
    rng: np.random.Generator,
    layout: ModelPoints | None = None,
) -> Scene:
    """Return the scene of a person who looks at a point (3,) mm.

    The point is in the camera's axes, whose origin is in the head's middle.
    """
    lines = target - eyeball_positions(onlooker, view.pose, view.mood)
    axes, pitch = turn_eyes(onlooker, view.pose, lines)
    squint = 0.10 * max(view.mood.get("smile", 0.0), 0.0)
    lid_closure = float(
        np.clip(-0.06 + rng.normal(0, 0.04) + 0.62 * max(pitch, -0.3) + squint, -0.28, 0.62)
    )
    shape = Shape(onlooker.identity, view.mood, view.jaw, (lid_closure, lid_closure))
    layout = layout or model_points68()
    points = place_points(layout.of(shape), layout.share, view.pose)
    flat = view.camera.project(points)[0]
    return Scene(
        onlooker.name,
        shape,
        view.pose,
        view.camera,
        points,
        flat,
        detect_face(flat, rng, hard=False),
        view.conditions,
        (*onlooker.key, _LOOK),
        view.look_key,
        view.frame_key,
        axes=axes,
        changes=onlooker.changes,
        room=view.room,
        settled=True,
        size=view.size,
        canvas=view.canvas,
    )
