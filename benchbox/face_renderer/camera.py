"""Pose and perspective: from the head's frame to pixels.

The head turns about the neck, the shoulders follow in part. The camera looks along -z; a picture's
frame has y down.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from benchbox.types import Floats

NECK_PIVOT_MM = np.array([0.0, 110.0, -20.0])  # the head turns about this point of the neck


@dataclass(frozen=True)
class Pose:
    """Angles of the head in radians, relative to a head that faces the camera."""

    yaw: float  # towards the picture's right
    pitch: float  # down
    roll: float  # clockwise in the picture


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole at a distance that looks along -z; `scale` and `shift` crop the picture."""

    distance_mm: float
    scale: float  # px per unit of x/z
    shift: Floats  # (2,) px
    aside_mm: tuple[float, float] = (0.0, 0.0)  # where it stands, to the picture's right and down

    @property
    def position(self) -> Floats:
        """Where the pinhole is (3,) mm, in axes whose origin is the head's middle."""
        return np.array([*self.aside_mm, self.distance_mm])

    def project(self, points: Floats) -> tuple[Floats, Floats]:
        """Project points (V, 3) mm in the camera's axes to pixels (V, 2) and depths (V,) mm."""
        depth = self.distance_mm - points[:, 2]
        return (points[:, :2] - self.aside_mm) * (self.scale / depth)[:, None] + self.shift, depth

    def resized(self, factor: float) -> Camera:
        """Return the camera of the same picture at another size.

        Pixel centres are at integers in both.
        """
        return Camera(
            self.distance_mm, self.scale * factor, (self.shift + 0.5) * factor - 0.5, self.aside_mm
        )


def rotation_matrix(pose: Pose) -> Floats:
    """Return the matrix (3, 3) that turns the head's frame to the camera's axes."""
    cy, sy = np.cos(pose.yaw), np.sin(pose.yaw)
    cp, sp = np.cos(pose.pitch), np.sin(pose.pitch)
    cr, sr = np.cos(pose.roll), np.sin(pose.roll)
    yaw = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    pitch = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    roll = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    matrix: Floats = roll @ pitch @ yaw
    return matrix


def shoulder_pose(pose: Pose) -> Pose:
    """Return the pose of the shoulders, which follow the head in part."""
    return Pose(0.4 * pose.yaw, 0.15 * pose.pitch, 0.25 * pose.roll)


def place_points(points: Floats, body: Floats, pose: Pose) -> Floats:
    """Turn points (V, 3) of the head's frame.

    `body` (V,) is each point's share of the shoulders' pose.
    """
    arm = points - NECK_PIVOT_MM
    head = arm @ rotation_matrix(pose).T
    trunk = arm @ rotation_matrix(shoulder_pose(pose)).T
    # The head's own middle stays in front of the camera, whatever the pose.
    middle = (np.array([0.0, 30.0, 0.0]) - NECK_PIVOT_MM) @ rotation_matrix(pose).T
    turned: Floats = head + (trunk - head) * body[:, None] - middle
    return turned


def aim_camera(points: Floats, distance_mm: float, side_px: float, centre: Floats) -> Camera:
    """Set the camera so that the points (K, 3) appear in a given size and place.

    Their tight box has its longer side `side_px` and is centred at `centre`.
    """
    flat = Camera(distance_mm, 1.0, np.zeros(2)).project(points)[0]
    low, high = flat.min(0), flat.max(0)
    scale = side_px / float((high - low).max())
    return Camera(distance_mm, scale, centre - scale * (low + high) / 2)
