"""From a scene to its picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from .camera import place
from .head import deform, eyeballs
from .model import corners, mesh
from .raster import grid_triangles, rasterise
from .scene import SIZE, Scene
from .surface import surface

if TYPE_CHECKING:
    from benchbox.types import Bools, Bytes

CANVAS = 384  # px, side of the picture while it is made


@dataclass(frozen=True, eq=False)
class Picture:
    """What comes out of the camera."""

    pixels: Bytes  # (256, 256, 3) RGB
    visible: Bools  # (68,) landmarks that nothing hides


def picture(scene: Scene) -> Picture:
    """Photograph a scene."""
    body = mesh()
    rows, columns = surface().shape
    points = place(deform(body, scene.shape, eyeballs(corners(), scene.shape)), body.body, scene.pose)
    grid = points.reshape(rows, columns, 3)
    normal = np.cross(np.gradient(grid, axis=1), np.gradient(grid, axis=0)).reshape(-1, 3)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9
    flat, depth = scene.camera.resized(CANVAS / SIZE).project(points)
    seen = rasterise(flat, depth, grid_triangles(rows, columns), CANVAS)
    light = np.clip(normal @ np.array([-0.55, -0.55, 0.62]) * 0.7 + 0.3, 0, 1)
    canvas = np.full((CANVAS * CANVAS, 3), 0.5, np.float32)
    canvas[seen.pixels] = seen.interpolate(light)[:, None] * np.array([0.9, 0.7, 0.6])
    small = cv2.resize(canvas.reshape(CANVAS, CANVAS, 3), (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    return Picture((small * 255).astype(np.uint8), np.ones(68, bool))
