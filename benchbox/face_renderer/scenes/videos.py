"""Videos.

One person before one camera, who moves, speaks and looks about without a jump from frame to frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from benchbox.face_renderer.camera import Camera, Pose, aim_camera
from benchbox.face_renderer.head.deformation import Shape
from benchbox.face_renderer.head.model import model_points68
from benchbox.face_renderer.image.simulated_detector import detect_face

from .portraits import PORTRAIT_VERSION
from .scene import (
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
    from benchbox.types import Floats

_WHO, _LOOK, _MOMENT, _PICTURE, _DETECTOR, _GRAIN, _HARD = range(7)
# of videos with large poses, poor light and poor cameras; 300-VW's categories
_HARD_SHARES = {"a": 0.0, "b": 0.3}
_MOMENT_FRAMES = 12  # frames from one drawn moment to the next; between them all is blended


@dataclass(frozen=True)
class Reel:
    """A set of videos: parts with their numbers of videos, frames per video."""

    name: str
    parts: tuple[tuple[str, int], ...]
    frames: int

    def sizes(self) -> tuple[tuple[str, int], ...]:
        """Return the parts with their numbers of frames."""
        return tuple((part, videos * self.frames) for part, videos in self.parts)


def draw_frame(reel: Reel, part: str, number: int) -> Scene:
    """Draw frame `number` of a part; a video's frames follow each other."""
    video, at = divmod(number, reel.frames)
    key = (crc32(f"{reel.name}-{PORTRAIT_VERSION}".encode()), crc32(part.encode()), video)
    hard = bool(random_stream(*key, _HARD).random() < _HARD_SHARES.get(part, 0.5))
    pose, shape = _blend_moments(key, at, hard)
    axes = parallel_axes(*shape.gaze)
    points68 = model_points68().at(shape, pose, axes)
    camera = _video_camera(key, hard)
    flat = camera.project(points68)[0]
    return Scene(
        f"{part}-{video:03d}",
        shape,
        pose,
        camera,
        points68,
        flat,
        detect_face(flat, random_stream(*key, _DETECTOR, at), hard=hard),
        Conditions.of(hard),
        (*key, _LOOK),
        (*key, _PICTURE),
        (*key, _GRAIN, at),
        axes=axes,
    )


@lru_cache(maxsize=64)
def _draw_moment(key: tuple[int, ...], beat: int, hard: bool) -> tuple[Pose, Shape]:
    """Draw the moment that a video passes through at a beat.

    Near the video's own pose, of any expression.
    """
    home = draw_pose(random_stream(*key, _MOMENT), hard)
    rng = random_stream(*key, _MOMENT, beat + 1)
    yaw, pitch, roll = np.radians([11.0, 6.0, 5.0]) * rng.normal(0, 1, 3).clip(-2, 2)
    pose = Pose(
        0.8 * home.yaw + float(yaw), 0.8 * home.pitch + float(pitch), 0.8 * home.roll + float(roll)
    )
    return pose, draw_shape(rng, draw_identity(random_stream(*key, _WHO)), pose, hard)


def _blend_moments(key: tuple[int, ...], at: int, hard: bool) -> tuple[Pose, Shape]:
    """Blend the moments before and after a frame, at rest at each."""
    beat, step = divmod(at, _MOMENT_FRAMES)
    (pose, shape), (later, next_) = _draw_moment(key, beat, hard), _draw_moment(key, beat + 1, hard)
    t = step / _MOMENT_FRAMES
    t = t * t * (3 - 2 * t)

    def mix(a: float, b: float) -> float:
        return float(a + (b - a) * t)

    return (
        Pose(mix(pose.yaw, later.yaw), mix(pose.pitch, later.pitch), mix(pose.roll, later.roll)),
        Shape(
            shape.identity,
            {name: mix(value, next_.expression[name]) for name, value in shape.expression.items()},
            mix(shape.jaw, next_.jaw),
            (mix(shape.lids[0], next_.lids[0]), mix(shape.lids[1], next_.lids[1])),
            (mix(shape.gaze[0], next_.gaze[0]), mix(shape.gaze[1], next_.gaze[1])),
        ),
    )


@lru_cache(maxsize=64)
def _video_camera(key: tuple[int, ...], hard: bool) -> Camera:
    """Set up a video's camera by its first frame; then it stands still."""
    pose, shape = _draw_moment(key, 0, hard)
    rng = random_stream(*key, _MOMENT, 0)
    distance = float(np.exp(rng.uniform(np.log(500), np.log(2200))))
    centre: Floats = (PICTURE_PX - 1) / 2 + np.array([0, 10.0]) + rng.normal(0, 5, 2)
    return aim_camera(
        model_points68().at(shape, pose, parallel_axes(*shape.gaze)),
        distance,
        rng.uniform(0.42, 0.54) * PICTURE_PX,
        centre,
    )
