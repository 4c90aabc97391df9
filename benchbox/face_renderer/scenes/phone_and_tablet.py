"""Studies with phones and tablets.

A person holds a device, dots appear on its screen, its camera takes frames.

Geometry is exact: the camera stands in the plane of the screen, a dot is so many centimetres from
it, and both eyes are turned to that point in space. How large and where in the frame the face is
follows from where the device is held.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

import numpy as np

from benchbox.face_renderer.camera import Camera, Pose
from benchbox.face_renderer.image.simulated_detector import detect_eyes
from benchbox.geometry import square_boxes

from . import device_screens
from .gaze_targets import View, draw_mood, draw_person, look_at_target, pose_facing
from .scene import Conditions, Scene, random_stream

if TYPE_CHECKING:
    import numpy.typing as npt

    from benchbox.types import Floats

    from .device_screens import Device

_PEOPLE_VERSION = 3  # since when the people, what they look at and their pictures are these
FRAME_SIDE_PX = 288  # px, side of the square that is rendered; frames are its middle, 3 : 4
GRID_CELLS = 25  # cells on a side of the face grid
# how a device is held, an equal number of dots each
_ORIENTATIONS = {"phone": (1, 1, 1, 1, 3, 4), "tablet": (1, 2, 3, 4)}
_TABLET_OF = 7  # persons: one of them holds a tablet
_HOLD, _SESSION, _DOT, _FRAME, _GRAIN, _PATH, _MOOD, _LIGHT, _EYES = range(9)


@dataclass(frozen=True)
class Study:
    """Who takes part and what is recorded."""

    name: str
    # parts with their persons, dots that each is shown, frames of each dot
    parts: tuple[tuple[str, int, int, int], ...]
    tablets: bool = True  # every seventh person holds a tablet
    upright: bool = False  # the device is only held upright
    sway: float = 1.0  # how much heads move while a dot is looked at
    version: int = 4  # raise it with every change that moves a pixel or a label of the set

    def sizes(self) -> tuple[tuple[str, int], ...]:
        """Return the parts with their numbers of frames."""
        return tuple((part, persons * dots * frames) for part, persons, dots, frames in self.parts)

    def shown(self, part: str) -> tuple[int, int]:
        """Return the dots that a person of a part is shown, and the frames taken of each."""
        return {name: (dots, frames) for name, _, dots, frames in self.parts}[part]


@dataclass(frozen=True, eq=False)
class Shot:
    """A frame and all that is known about it; boxes and scene in px of the frame."""

    scene: Scene
    person: str
    dot: str
    device: Device
    orientation: int
    target_cm: Floats  # (2,) from the camera
    face: Floats  # (4,)
    left_eye: Floats  # (4,) the subject's own left, in the picture's right
    right_eye: Floats  # (4,)


def frame_slices(orientation: int) -> tuple[slice, slice]:
    """Return rows and columns of the square that a frame shows.

    Upright frames are tall, others wide.
    """
    rim = slice(FRAME_SIDE_PX // 8, FRAME_SIDE_PX - FRAME_SIDE_PX // 8)
    whole = slice(0, FRAME_SIDE_PX)
    if orientation in (1, 2):
        return whole, rim
    return rim, whole


def face_grid(faces: Floats, orientations: npt.NDArray[np.int64]) -> Floats:
    """Return the cells (N, 4) that face boxes (N, 4) cover: column and row from 0, width, height.

    As in GazeCapture's files the grid lies over the square around the frame, not over the frame.
    """
    corners = np.array(
        [[part.start for part in frame_slices(int(o))[::-1]] for o in orientations], float
    )
    cells: Floats = np.round((faces + 0.5 + np.tile(corners, 2)) / FRAME_SIDE_PX * GRID_CELLS)
    cells[:, 2:] = np.round((faces[:, 2:] - faces[:, :2]) / FRAME_SIDE_PX * GRID_CELLS)
    return cells


def split_number(study: Study, part: str, number: int) -> tuple[int, int, int]:
    """Return person, dot and frame of frame `number` of a part."""
    dots, frames = study.shown(part)
    person, rest = divmod(number, dots * frames)
    return person, *divmod(rest, frames)


def _person_key(study: Study, part: str, person: int) -> tuple[int, ...]:
    return (
        crc32(f"desk-{_PEOPLE_VERSION}".encode()),
        crc32(study.name.encode()),
        crc32(part.encode()),
        person,
    )


def held_device(study: Study, part: str, person: int, dot: int) -> tuple[Device, int]:
    """Return the device of a person and its orientation while a dot is shown."""
    kind = "phone"
    if study.tablets and person % _TABLET_OF == _TABLET_OF - 1:
        kind = "tablet"
    devices = [device for device in device_screens.DEVICES if device.kind == kind]
    rng = random_stream(*_person_key(study, part, person), _HOLD)
    device = devices[int(rng.integers(len(devices)))]
    if study.upright:
        return device, 1
    orientations = _ORIENTATIONS[kind]
    dots, _ = study.shown(part)
    return device, orientations[dot * len(orientations) // dots]


@lru_cache(maxsize=64)
def _head_path(key: tuple[int, ...], frames: int) -> Floats:
    """Return a smooth wander (frames, 8) of about unit spread: neighbouring frames are alike."""
    rng = random_stream(*key, _PATH)
    steps = rng.normal(0, 1, (frames, 8))
    for k in range(1, frames):
        steps[k] = 0.92 * steps[k - 1] + np.sqrt(1 - 0.92**2) * steps[k]
    return steps


def _draw_hold(study: Study, part: str, person: int, dot: int, frame: int) -> Floats:
    """Return where head and camera are: aside x, y, distance mm; yaw, pitch, roll rad off.

    Aim x, y mm.
    """
    device, orientation = held_device(study, part, person, dot)
    key = _person_key(study, part, person)
    spread = np.array([8.0, 8.0, 26.0, *np.radians([2.5, 3.0, 2.5]), 0.0, 0.0])
    always = random_stream(*key, _HOLD, 1).normal(0, spread)
    session = random_stream(*key, _SESSION, orientation).normal(0, 0.6 * spread)
    moment = random_stream(*key, _DOT, dot).normal(
        0, np.array([4.0, 4.0, 9.0, *np.radians([1.4, 1.4, 1.0]), 0.0, 0.0])
    )
    wander = _head_path((*key, _DOT, dot), study.shown(part)[1])[frame] * study.sway
    wander = wander * np.array([1.2, 1.2, 2.0, *np.radians([0.7, 0.7, 0.5]), 0.9, 0.9])
    near = 310.0 if device.kind == "phone" else 420.0
    whole: Floats = (
        always + session + moment + wander + np.array([0.0, 4.0, near, 0.0, 0.0, 0.0, 0.0, 0.0])
    )
    whole[:2] = whole[:2].clip(-18, 22)
    whole[2] = whole[2].clip(0.8 * near, 1.35 * near)
    return whole


def draw_shot(study: Study, part: str, number: int) -> Shot:
    """Draw frame `number` of a part: geometry and labels, no pixel yet."""
    person, dot, frame = split_number(study, part, number)
    look = _draw_look(study, part, number)
    scene, orientation = look.scene, look.orientation
    rows, columns = frame_slices(orientation)
    corner = np.array([columns.start, rows.start], float)
    # as in a recording the face is detected once a dot, in its first frame, eyes in every frame
    first = _draw_look(study, part, number - frame).scene
    face = square_boxes(first.detected - np.tile(corner, 2), 1.05)
    flat = scene.landmarks - corner
    lids = np.stack([flat[42:48], flat[36:42]])
    stream = random_stream(*_person_key(study, part, person), _EYES, dot, frame)
    left_eye, right_eye = detect_eyes(lids, face, stream, upright=orientation in (1, 2))
    name = f"{part}-{person:03d}"
    return Shot(
        scene,
        name,
        f"{name}-{dot:02d}",
        look.device,
        orientation,
        look.target_cm,
        face,
        left_eye,
        right_eye,
    )


class _Look(NamedTuple):
    """A person who looks at a dot."""

    scene: Scene
    device: Device
    orientation: int
    target_cm: Floats  # (2,) from the camera


@lru_cache(maxsize=64)  # frames of a dot ask for its first one again
def _draw_look(study: Study, part: str, number: int) -> _Look:
    """Draw the person, the camera and the eyes that look at the dot."""
    person, dot, frame = split_number(study, part, number)
    key = _person_key(study, part, person)
    device, orientation = held_device(study, part, person, dot)
    target_cm = device_screens.draw_dot_cm(device, orientation, random_stream(*key, _DOT, dot, 1))
    middle_cm = device_screens.screen_middle_cm(device, orientation)
    x, y, distance, yaw, pitch, roll, aim_x, aim_y = _draw_hold(study, part, person, dot, frame)
    camera = Camera(
        distance, device.focal * FRAME_SIDE_PX, np.full(2, (FRAME_SIDE_PX - 1) / 2), (x, y)
    )
    centre = _screen_to_space(camera, middle_cm + 0.3 * (target_cm - middle_cm))
    direction = pose_facing(centre)
    pose = Pose(direction.yaw + yaw, direction.pitch + pitch, roll)
    face, jaw = draw_mood(random_stream(*key, _MOOD, dot))
    light_key = (*key, _LIGHT, orientation)
    chance = random_stream(*light_key, 1).random(2)
    conditions = Conditions(
        light=bool(chance[0] < 0.2), sharp=bool(chance[1] < 0.8), cover="nothing"
    )
    view = View(
        pose,
        camera,
        face,
        jaw,
        conditions,
        FRAME_SIDE_PX,
        FRAME_SIDE_PX * 9 // 8,
        light_key,
        (*key, _GRAIN, dot, frame),
    )
    looked_at = _screen_to_space(camera, target_cm) + np.array([aim_x, aim_y, 0.0])
    scene = look_at_target(
        draw_person(*key), view, looked_at, random_stream(*key, _FRAME, dot, frame)
    )
    return _Look(scene, device, orientation, target_cm)


def _screen_to_space(camera: Camera, place_cm: Floats) -> Floats:
    """Return a point of the screen (3,) mm in the camera's axes.

    The user's right is the picture's left.
    """
    point: Floats = camera.position + 10 * np.array([-place_cm[0], -place_cm[1], 0.0])
    return point
