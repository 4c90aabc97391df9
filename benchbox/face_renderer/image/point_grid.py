"""A grid of points placed before the camera, with its normals.

Arrays are planes, (3, R, C): NumPy's inner loops then run over the grid and not over three numbers,
several times as fast at these sizes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from .raster import Fragments, rasterise_grid

if TYPE_CHECKING:
    from benchbox.face_renderer.camera import Camera
    from benchbox.face_renderer.light import Light
    from benchbox.types import Floats


@dataclass(frozen=True, eq=False)
class SurfaceGrid:
    """A part of the scene's surface; float32."""

    points: Any  # (3, R, C) mm in the camera's axes
    normal: Any  # (3, R, C) unit vectors
    flat: Any  # (R, C, 2) px on the canvas
    depth: Any  # (R, C) mm

    def rasterise(self, size: int, *, facing: int = 1) -> Fragments:
        """Return the pixels of a size x size canvas that show it."""
        return rasterise_grid(self.flat, self.depth, size, facing=facing)


def place_grid(points: Floats, shape: tuple[int, int], camera: Camera) -> SurfaceGrid:
    """Make a patch of placed points (R * C, 3)."""
    flat, depth = camera.project(points)
    grid = np.ascontiguousarray(points.T, dtype=np.float32).reshape(3, *shape)
    du, dv = np.empty_like(grid), np.empty_like(grid)
    np.subtract(grid[:, :, 2:], grid[:, :, :-2], out=du[:, :, 1:-1])
    np.subtract(grid[:, 2:], grid[:, :-2], out=dv[:, 1:-1])
    du[:, :, 0], du[:, :, -1] = grid[:, :, 1] - grid[:, :, 0], grid[:, :, -1] - grid[:, :, -2]
    dv[:, 0], dv[:, -1] = grid[:, 1] - grid[:, 0], grid[:, -1] - grid[:, -2]
    normal = np.stack(
        [
            du[1] * dv[2] - du[2] * dv[1],
            du[2] * dv[0] - du[0] * dv[2],
            du[0] * dv[1] - du[1] * dv[0],
        ]
    )
    return SurfaceGrid(
        grid, unit_vectors(normal), flat.reshape(*shape, 2), depth.reshape(shape).astype(np.float32)
    )


def unit_vectors(vectors: Any) -> Any:
    """Scale vectors (3, …) to length one; in place."""
    vectors /= np.sqrt(dot_products(vectors, vectors)) + np.float32(1e-6)
    return vectors


def dot_products(a: Any, b: Any) -> Any:
    """Return the inner products of vectors (3, …)."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def sky_openness(part: SurfaceGrid) -> Any:
    """Return the share of sky (R, C) that each point sees.

    Hollows are dark, ridges a little brighter.
    """
    dark = np.zeros_like(part.depth)
    for reach, weight in ((5, 0.16), (13, 0.10)):
        bump = dot_products(
            np.stack([cv2.blur(plane, (reach, reach)) for plane in part.points]) - part.points,
            part.normal,
        )
        dark += np.clip(bump, -1.0, 6.0) * np.float32(weight)
    return np.clip(1 - dark, 0.3, 1.08)


def camera_directions(part: SurfaceGrid, camera: Camera) -> Any:
    """Return unit vectors (3, R, C) from the points to the camera."""
    view = -part.points
    view += camera.position.astype(np.float32)[:, None, None]
    return unit_vectors(view)


def halfway_vectors(part: SurfaceGrid, camera: Camera, light: Light) -> Any:
    """Return unit vectors (3, R, C) half-way between camera and key light.

    Where a mirror would have to point.
    """
    half = camera_directions(part, camera)
    half += light.key.astype(np.float32)[:, None, None]
    return unit_vectors(half)
