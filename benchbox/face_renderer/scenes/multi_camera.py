"""Studies with fixed cameras.

Patches as normalisation makes them, with head pose and gaze as directions.

A normalised camera looks straight at the middle of the face (or of an eye) from a fixed distance,
the head upright in its picture, so what is left of a pose is yaw and pitch. Directions leave here
as v(pitch, yaw) = (cos p sin y, sin p, cos p cos y), the flipped line of sight of ETH-XGaze: pitch
up and yaw to the picture's left are positive.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from benchbox.face_renderer.camera import Camera, Pose, place_points, rotation_matrix
from benchbox.face_renderer.head.eyes import gaze_direction

from .gaze_targets import (
    Person,
    View,
    draw_mood,
    draw_person,
    eyeball_positions,
    look_at_target,
    nose_direction,
    pose_facing,
)
from .scene import Conditions, Room, Scene, random_stream

if TYPE_CHECKING:
    from benchbox.types import Bytes, Floats

RIG_VERSION = 1  # raise it with every change that moves a pixel or a label of these sets
FACE_PX = 96  # side of a face patch
EYE_PX = (36, 60)  # rows and columns of an eye patch
_CAMERA_DISTANCE_MM = 600.0  # from the normalised camera to what it looks at
_FACE_MM, _EYE_MM = 150.0, 37.5  # what a patch's width shows
_FACE_MIDDLE = np.array([[0.0, 24.0, 84.0]])  # between eyes and wings of the nose, head's frame
_MAX_EYE_TURN_RAD = (0.65, 0.5)  # rad, eyes turn no further than this: the head does the rest
_MAX_HEAD_TURN_RAD = (
    1.15,
    0.75,
)  # rad, a head turned further away shows no eye and no detector finds it
_PROFILE_RAD = 1.4  # rad, a head in profile
_HEAD, _FRAME, _GRAIN, _MOOD, _LIGHT = range(5)

# Where the eighteen cameras stand as seen by the person: degrees to the picture's right, degrees
# down.
CAMERA_ANGLES_DEG = tuple(
    (x + 4.0 * (row - 1), y)
    for row, y in enumerate((-28.0, 0.0, 26.0))
    for x in (-58, -35, -12, 12, 35, 58)
)


@dataclass(frozen=True)
class Rig:
    """Who takes part and what is recorded.

    Parts with their numbers of persons, frames per person.
    """

    name: str
    parts: tuple[tuple[str, int], ...]
    frames: int  # patches per person
    eyes: bool = False  # patches of single eyes instead of faces
    # 1: a camera above the screen; else the rig's, in a laboratory: plain wall, light of the moment
    cameras: int = 1
    version: int = RIG_VERSION  # raised for a change that moves this set alone
    # where people look, with one camera: "below" it, at a notebook's screen; "above" it, at a
    # screen behind it; "around": anywhere, heads turned to either side; "held": at a phone or
    # tablet in the hand, its camera above the screen or beside it
    aim: str = "below"

    def sizes(self) -> tuple[tuple[str, int], ...]:
        """Return the parts with their numbers of patches."""
        return tuple((part, persons * self.frames) for part, persons in self.parts)


@dataclass(frozen=True, eq=False)
class Patch:
    """A patch and all that is known about it."""

    scene: Scene
    person: str
    camera: int
    # a right eye, shown mirrored so that all look like left ones; directions are mirrored along
    mirrored: bool
    gaze: Floats  # (3,)
    head: Floats  # (3,)


def _person_key(rig: Rig, part: str, person: int) -> tuple[int, ...]:
    return (
        crc32(f"rig-{RIG_VERSION}".encode()),
        crc32(rig.name.encode()),
        crc32(part.encode()),
        person,
    )


def _draw_angles(
    rng: np.random.Generator, yaw: tuple[float, float], pitch: tuple[float, float]
) -> Floats:
    """Draw yaw and pitch (2,) rad from normal distributions, cut at two standard deviations.

    Each is given as mean and standard deviation in degrees.
    """
    middle, spread = np.array([yaw[0], pitch[0]]), np.array([yaw[1], pitch[1]])
    drawn: Floats = np.radians(middle + spread * rng.normal(0, 1, 2).clip(-2, 2))
    return drawn


def _draw_attention(rig: Rig, key: tuple[int, ...], frame: int) -> tuple[Floats, Floats]:
    """Return where nose and eyes point (3,), (3,).

    X to the person's left, y down, z to the screen before them.
    """
    habit, rng = random_stream(*key, _HEAD), random_stream(*key, _FRAME, frame)
    if rig.aim == "above":  # heads as they will: of EyeDiap's gaze 6 % of the spread is theirs
        eyes = _draw_angles(rng, (0, 10.2), (-12.8, 4.7))
        head = _draw_angles(habit, (0, 4), (0, 4)) + _draw_angles(rng, (0, 8), (0, 5))
    elif rig.aim == "around":
        head = _draw_angles(rng, (0, 42), (4, 9))
        eyes = head + _draw_angles(rng, (0, 16), (3, 10))
    elif rig.aim == "held":  # a hand lowers the device, and the head follows it
        eyes = np.radians([rng.uniform(-11, 11), rng.uniform(-6, 19)])
        head = _draw_angles(habit, (0, 4), (9, 6)) + _draw_angles(rng, (0, 7), (0, 6))
    elif rig.cameras == 1:  # a notebook: the screen hangs below its camera
        eyes = np.radians([rng.uniform(-20, 20), rng.uniform(-2, 24)])
        head = (
            _draw_angles(habit, (0, 4), (6, 5))
            + _draw_angles(rng, (0, 6), (0, 4))
            + 0.35 * (eyes - np.radians([0, 11]))
        )
    else:
        eyes = np.radians([rng.uniform(-42, 42), rng.uniform(-32, 30)])
        head = _draw_angles(habit, (0, 3), (2, 4)) + _draw_angles(rng, (0, 13), (0, 9)) + 0.4 * eyes
    return gaze_direction(*head), gaze_direction(*eyes)


def _to_camera_axes(camera: int, cameras: int, direction: Floats) -> Floats:
    """Return a direction (3,) in the axes of a camera that looks at the person."""
    if cameras == 1:
        return direction
    return _camera_rotation(camera) @ direction


def _camera_rotation(camera: int) -> Floats:
    """Return the rotation (3, 3) from the person's axes to those of one of the rig's cameras."""
    z = gaze_direction(*np.radians(CAMERA_ANGLES_DEG[camera]))
    x = np.cross([0.0, 1.0, 0.0], z)
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z])


def _limit_gaze(pose: Pose, line: Floats) -> Floats:
    """Return the line of sight (3,) that is nearest to one wished for and that eyes can take."""
    max_yaw, max_pitch = _MAX_EYE_TURN_RAD
    x, y, z = line @ rotation_matrix(pose)
    yaw = np.clip(np.arctan2(x, z), -max_yaw, max_yaw)
    pitch = np.clip(np.arcsin(np.clip(y, -1, 1)), -max_pitch, max_pitch)
    turned: Floats = rotation_matrix(pose) @ gaze_direction(yaw, pitch)
    return turned


def draw_patch(rig: Rig, part: str, number: int) -> Patch:
    """Draw patch `number` of a part: geometry and labels, no pixel yet."""
    person, shown = divmod(number, rig.frames)
    frame, camera = divmod(shown, rig.cameras)
    key = _person_key(rig, part, person)
    onlooker = draw_person(*key)
    rng = random_stream(*key, _FRAME, frame, camera + 1)
    nose, line = (
        _to_camera_axes(camera, rig.cameras, direction)
        for direction in _draw_attention(rig, key, frame)
    )
    pose = pose_facing(nose)
    max_yaw, max_pitch = _MAX_HEAD_TURN_RAD
    if rig.aim == "around":
        max_yaw = _PROFILE_RAD
    yaw = float(np.clip(pose.yaw, -max_yaw, max_yaw))
    pitch = float(np.clip(pose.pitch, -max_pitch, max_pitch))
    pose = Pose(yaw, pitch, float(rng.normal(0, 0.03)))
    expression, jaw = draw_mood(random_stream(*key, _MOOD, frame))
    side, size = -1, FACE_PX
    if rig.eyes:
        side, size = shown % 2, EYE_PX[1]
    middle = _looked_at_point(onlooker, pose, expression, side)
    target = middle + _limit_gaze(pose, line) * rng.uniform(550, 950)
    conditions, look_key, room = _draw_conditions(rig, key, frame, camera)
    view = View(
        pose,
        _normalised_camera(middle, size, rig, rng),
        expression,
        jaw,
        conditions,
        size=size,
        canvas=2 * size,
        look_key=look_key,
        frame_key=(*key, _GRAIN, shown),
        room=room,
    )
    scene = look_at_target(onlooker, view, target, rng)
    mirrored = side == 0  # the subject's right eye is in the picture's left
    gaze = _flip_direction((target - middle) / np.linalg.norm(target - middle))
    head = _flip_direction(nose_direction(pose))
    if mirrored:
        mirror = np.array([-1.0, 1.0, 1.0])
        gaze, head = mirror * gaze, mirror * head
    return Patch(scene, f"{part}-{person:03d}", camera, mirrored, gaze, head)


def _draw_conditions(
    rig: Rig, key: tuple[int, ...], frame: int, camera: int
) -> tuple[Conditions, tuple[int, ...], Room | None]:
    """Return a picture's conditions, the stream of the rest of its look, and its room if any.

    Before a notebook every moment has its own surroundings. In a laboratory a person sits before
    one wall, the light changes from moment to moment, and eighteen good cameras see both.
    """
    if rig.cameras > 1:
        room = Room((*key, _LIGHT, frame), _camera_rotation(camera))
        return Conditions(sharp=True, cover="nothing"), (*key, _LIGHT), room
    light_key = (*key, _LIGHT, frame, camera)
    chance = random_stream(*light_key, 1).random(2)
    return (
        Conditions(light=bool(chance[0] < 0.4), sharp=bool(chance[1] < 0.8), cover="nothing"),
        light_key,
        None,
    )


def _looked_at_point(onlooker: Person, pose: Pose, face: dict[str, float], side: int) -> Floats:
    """Return what the camera looks at (3,).

    An eye, picture left 0 or right 1, or the middle of the face.
    """
    if side >= 0:
        eye: Floats = eyeball_positions(onlooker, pose, face)[side]
        return eye
    face_: Floats = place_points(_FACE_MIDDLE, np.zeros(1), pose)[0]
    return face_


def _normalised_camera(middle: Floats, size: int, rig: Rig, rng: np.random.Generator) -> Camera:
    """Return the camera that normalisation imagines.

    Landmarks err a little, so does where it looks.
    """
    wide = _EYE_MM if rig.eyes else _FACE_MM
    x, y, z = middle + rng.normal(0, 0.012 * wide, 3)
    return Camera(
        _CAMERA_DISTANCE_MM + z,
        size / wide * _CAMERA_DISTANCE_MM,
        np.full(2, (size - 1) / 2),
        (x, y),
    )


def _flip_direction(line: Floats) -> Floats:
    """Turn a line of sight (3,) into the flipped form.

    It is given in the camera's axes: x right, y down, z to the camera.
    """
    flipped: Floats = line * np.array([-1.0, -1.0, 1.0])
    return flipped


def pitch_yaw(line: Floats) -> Floats:
    """Return pitch and yaw (2,) rad of a flipped line of sight (3,).

    >>> pitch_yaw(np.array([0.0, 0.0, 1.0])).tolist()
    [0.0, 0.0]
    >>> pitch_yaw(np.array([0.6, 0.0, 0.8])).round(3).tolist()
    [0.0, 0.644]
    """
    return np.array([np.arcsin(np.clip(line[1], -1, 1)), np.arctan2(line[0], line[2])])


def patch_shape(rig: Rig) -> tuple[int, int]:
    """Return rows and columns of a study's patches."""
    if rig.eyes:
        return EYE_PX
    return FACE_PX, FACE_PX


def cut_patch(patch: Patch, square: Bytes) -> Bytes:
    """Cut a patch out of the square that was rendered for it; right eyes are mirrored."""
    if patch.scene.size == FACE_PX:
        return square
    above = (EYE_PX[1] - EYE_PX[0]) // 2
    eye = square[above : above + EYE_PX[0]]
    if patch.mirrored:
        return eye[:, ::-1]
    return eye
