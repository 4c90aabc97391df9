"""One face drawn at random: who, what it does, from where, in which light and with what before it.

Three streams of random numbers per face keep its parts independent: the person, the moment
(geometry: all that the landmarks depend on) and the look (all that only pixels depend on).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox.face_renderer import GENERATOR_VERSION
from benchbox.face_renderer.camera import Camera, Pose, aim_camera, place_points
from benchbox.face_renderer.head.deformation import EXPRESSION, IDENTITY, Shape
from benchbox.face_renderer.head.eyes import gaze_direction
from benchbox.face_renderer.head.model import model_points68
from benchbox.face_renderer.image.simulated_detector import detect_face

if TYPE_CHECKING:
    from benchbox.types import Floats

PICTURE_PX = 256  # px, side of a picture
CANVAS_PX = 288  # px, side of a picture while it is made
PARTS = ("train", "common", "challenging")
_PERSON, _MOMENT, _LOOK, _DETECTOR = range(4)


@dataclass(frozen=True)
class Conditions:
    """What makes a picture hard beyond pose and expression."""

    light: bool = False  # light and surroundings of any kind instead of mostly friendly ones
    lens: bool = False  # noise, blur and compression of a poor camera
    sharp: bool = False  # a good camera in focus
    cover_rate: float = 0.22  # how often something comes before the face; 1 is often
    cover: str = ""  # "hand", "thing", "foreground", "nothing"; "" leaves it to chance
    blur_px: float = 0.0  # blur on top of what chance gives
    harsh: bool = False  # the light comes from the side, from behind or from below

    @classmethod
    def of(cls, hard: bool) -> Conditions:
        """Return the conditions of a hard or an easy picture of 300-W."""
        return cls(hard, hard, cover_rate=1.0 if hard else 0.22)


@dataclass(frozen=True, eq=False)
class Room:
    """A laboratory.

    Its light belongs to a moment, whichever camera looks, and there is a plain wall behind.
    """

    light_key: tuple[int, ...]  # stream of random numbers
    turn: Floats  # (3, 3) from the room's axes to the camera's


@dataclass(frozen=True, eq=False)
class Scene:
    """Everything that the picture is a function of."""

    person: str
    shape: Shape
    pose: Pose
    camera: Camera  # for a picture of `size` px
    points: Floats  # (68, 3) mm in the camera's axes
    landmarks: Floats  # (68, 2) px
    detected: Floats  # (4,) px
    conditions: Conditions
    # streams of random numbers: what stays with the person (skin, hair, eyes)
    person_key: tuple[int, ...]
    look_key: tuple[int, ...]  # what pixels alone depend on (light, occluders, background, lens)
    # a frame's own noise where the look belongs to a whole sequence
    grain_key: tuple[int, ...] = ()
    # where the eyeballs point, head's frame
    axes: Floats = field(default_factory=lambda: np.zeros((2, 3)))
    # fields of the person's look that differ here
    changes: Mapping[str, Any] = field(default_factory=dict)
    # (M, 3) mm, points of another layout
    further: Floats = field(default_factory=lambda: np.zeros((0, 3)))
    # light and wall of a laboratory, where several cameras see the same moment
    room: Room | None = None
    # skin and hair are made once per person, not per picture: for many pictures of few persons
    settled: bool = False
    size: int = PICTURE_PX  # px, side of the picture
    canvas: int = CANVAS_PX  # px, side of the picture while it is made

    def person_rng(self) -> np.random.Generator:
        """Start the stream of what stays with the person."""
        return random_stream(*self.person_key)

    def look_rng(self) -> np.random.Generator:
        """Start the stream of what pixels alone depend on."""
        return random_stream(*self.look_key)

    def grain_rng(self) -> np.random.Generator | None:
        """Start the stream of a frame's own noise; None where the look has it."""
        return random_stream(*self.grain_key) if self.grain_key else None


def random_stream(*key: int) -> np.random.Generator:
    """Start the stream of random numbers that belongs to a key."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([GENERATOR_VERSION, *key])))


def _person_key(part: str, number: int) -> tuple[int, int]:
    """Two of three neighbours in train share a person; every test face is its own."""
    if part == "train":
        number = number * 2 // 3
    return PARTS.index(part), number


def person_name(part: str, number: int) -> str:
    """Name the person, the unit that is resampled together."""
    return f"{part}-{_person_key(part, number)[1]:05d}"


def draw_identity(rng: np.random.Generator) -> dict[str, float]:
    """Draw how a person's head differs from the neutral one; one of eight is a child."""
    values = dict(
        zip(IDENTITY, rng.normal(0, 0.85, len(IDENTITY)).clip(-1.9, 1.9).tolist(), strict=True)
    )
    if rng.random() < 0.12:  # a child: short lower face, large eyes, small nose, full cheeks
        young = rng.uniform(0.8, 2.0)
        for name, sign in _CHILD.items():
            values[name] = 0.6 * values[name] + sign * young
    return values


_CHILD = {
    "length": -1.2,
    "lower_length": -1.1,
    "eye_width": 1.0,
    "eye_open": 1.2,
    "nose_length": -1.1,
    "nose_forward": -1.1,
    "nose_bridge": -1.0,
    "fullness": 1.1,
    "jaw_width": -0.8,
    "brow_ridge": -1.2,
    "forehead": 0.9,
    "neck_width": -1.6,
    "shoulders": -1.8,
}


def draw_pose(rng: np.random.Generator, hard: bool) -> Pose:
    """Draw how a head is turned: mostly towards the camera, in hard pictures to any side."""
    if not hard:
        if rng.random() < 0.14:
            yaw = rng.choice([-1, 1]) * rng.uniform(16, 36)
        else:
            yaw = rng.normal(0, 10)
        return Pose(np.radians(yaw), np.radians(rng.normal(1, 7)), np.radians(rng.normal(0, 5.5)))
    kind = rng.random()
    if kind < 0.52:
        yaw = rng.normal(0, 18)
    elif kind < 0.95:
        yaw = rng.choice([-1, 1]) * rng.uniform(20, 52)
    else:
        yaw = rng.choice([-1, 1]) * rng.uniform(52, 82)
    pitch = np.clip(rng.normal(2, 12), -30, 32)
    roll = np.clip(rng.normal(0, 13), -40, 40)
    return Pose(np.radians(yaw), np.radians(pitch), np.radians(roll))


def draw_shape(
    rng: np.random.Generator,
    identity: dict[str, float],
    pose: Pose,
    hard: bool,
    kinds: Sequence[float] | None = None,
) -> Shape:
    """Draw what a face does.

    `kinds` are the shares of the seven kinds of expression, neutral first.
    """
    face = {name: rng.normal(0, 0.16) for name in EXPRESSION}
    face["closed"] = rng.uniform(0.85, 1.0)
    jaw = 0.0
    strength = rng.uniform(0.5, 1.35) * (1.2 if hard else 1.0)
    kind = rng.choice(7, p=kinds or (_KINDS_HARD if hard else _KINDS))
    if kind in (1, 2):  # a smile, closed or with teeth
        face["smile"] += strength
        face["cheeks_up"] += 0.6 * strength
        if kind == 2:
            face["closed"] = rng.uniform(-0.3, 0.3)
            face["upper_lip_raise"] += rng.uniform(0.2, 0.9)
            jaw = rng.uniform(0.0, 0.1) * strength
    elif kind == 3:  # speaking
        face["closed"] = rng.uniform(-0.2, 0.6)
        jaw = rng.uniform(0.02, 0.16)
        face["pucker"] += rng.normal(0, 0.4)
    elif kind == 4:  # mouth wide open
        face["closed"] = 0.0
        jaw = rng.uniform(0.15, 0.36)
        face["brows_up"] += rng.uniform(0, 1)
        face["smile"] += max(rng.normal(0, 0.6), 0)
    elif kind == 5:  # displeased
        face["frown"] += strength
        face["brows_down"] += 0.8 * strength
    elif kind == 6:  # grimace
        for name in rng.choice(list(EXPRESSION)[:-1], 4, replace=False):
            if name != "closed":
                face[str(name)] += abs(rng.normal(0, 0.9))
    face["brows_up"] += max(rng.normal(0, 0.35), -0.3)
    face["brows_down"] += max(rng.normal(0, 0.3), -0.3)
    return Shape(identity, face, jaw, *_draw_eyes(rng, pose, face, hard))


_KINDS = (0.36, 0.16, 0.22, 0.12, 0.05, 0.05, 0.04)
_KINDS_HARD = (0.24, 0.10, 0.18, 0.14, 0.16, 0.09, 0.09)


def _draw_eyes(
    rng: np.random.Generator, pose: Pose, face: dict[str, float], hard: bool
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return lids and gaze; people mostly look at the camera as far as their eyes turn."""
    attention = rng.choice([1.0, 0.0], p=[0.65, 0.35])
    yaw = float(
        np.clip(-attention * pose.yaw + rng.normal(0, 0.1 + 0.14 * (1 - attention)), -0.6, 0.6)
    )
    pitch = float(
        np.clip(-attention * pose.pitch + rng.normal(0, 0.06 + 0.1 * (1 - attention)), -0.45, 0.5)
    )
    shut = -0.05 + 0.10 * rng.normal() + 0.55 * max(pitch, -0.25) + 0.10 * max(face["smile"], 0)
    if rng.random() < (0.10 if hard else 0.05):
        shut = rng.uniform(0.75, 1.0)
    both = np.clip(shut + rng.normal(0, 0.02, 2), -0.28, 1.0)
    if rng.random() < 0.02:
        both[rng.integers(2)] = 1.0  # a wink
    return (float(both[0]), float(both[1])), (yaw, pitch)


def draw_scene(part: str, number: int) -> Scene:
    """Draw face `number` of a part of the world.

    256-px landmarks and everything that the renderer needs.
    """
    identity = draw_identity(random_stream(_PERSON, *_person_key(part, number), 0))
    rng = random_stream(_MOMENT, PARTS.index(part), number)
    hard = part == "challenging" or (part == "train" and rng.random() < 0.22)
    pose = draw_pose(rng, hard)
    shape = draw_shape(rng, identity, pose, hard)
    layout = model_points68()
    points = place_points(layout.of(shape), layout.share, pose)
    distance = float(np.exp(rng.uniform(np.log(420 if hard else 600), np.log(2600))))
    side = rng.uniform(0.45, 0.65) * PICTURE_PX
    room = PICTURE_PX / 2 - side / 2 - 5
    centre = (PICTURE_PX - 1) / 2 + np.array([0, 10.0]) + rng.normal(0, 10, 2).clip(-room, room)
    camera = aim_camera(points, distance, side, centre)
    landmarks = camera.project(points)[0]
    detected = detect_face(
        landmarks, random_stream(_DETECTOR, PARTS.index(part), number), hard=hard
    )
    return Scene(
        person_name(part, number),
        shape,
        pose,
        camera,
        points,
        landmarks,
        detected,
        Conditions.of(hard),
        (_PERSON, *_person_key(part, number), 1),
        (_LOOK, PARTS.index(part), number),
        axes=parallel_axes(*shape.gaze),
    )


def parallel_axes(yaw: float, pitch: float) -> Floats:
    """Return where the eyeballs point (2, 3), picture left first, when they meet far off."""
    return np.stack([gaze_direction(yaw + turn, pitch) for turn in (0.02, -0.02)])
