"""Light: an ambient field, a key light with cast shadows, a rim light.

Evaluated at the points of a mesh.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from benchbox.types import Floats

# red light travels further under skin and softens the shadow's edge
_WRAP = np.array([0.38, 0.20, 0.14])
_SHADOW_CELL_MM = 4.0  # mm, a cell of the shadow map


@dataclass(frozen=True, eq=False)
class Light:
    """Light in the camera's axes; directions point towards the source."""

    ambient: Floats  # (3,) linear RGB
    slope: Floats  # (3, 3) ambient change along x, y, z
    key: Floats  # (3,) direction
    colour: Floats  # (3,)
    hard: float  # 0 soft … 1 crisp shadows
    rim: Floats  # (3,) direction
    rim_colour: Floats  # (3,)

    def rotated(self, turn: Floats) -> Light:
        """Return the same light in other axes; `turn` (3, 3) takes directions there."""
        return replace(self, slope=turn @ self.slope, key=turn @ self.key, rim=turn @ self.rim)


def draw_light(rng: np.random.Generator, *, hard: bool, harsh: bool = False) -> Light:
    """Draw a lighting.

    Mostly friendly, in hard scenes from any side or dim or coloured, in harsh ones always.
    """
    kind = rng.choice(4, p=[0.25, 0.35, 0.25, 0.15] if hard else [0.5, 0.35, 0.12, 0.03])
    if harsh:
        kind = int(rng.integers(2, 4))
    azimuth = rng.normal(0, (28, 45, 65, 95)[kind])
    height = rng.normal((25, 38, 35, 10)[kind], 18)
    a, h = np.radians(azimuth), np.radians(np.clip(height, -35, 80))
    key = np.array([np.sin(a) * np.cos(h), -np.sin(h), np.cos(a) * np.cos(h)])
    share = (
        rng.uniform(0.35, 0.6),
        rng.uniform(0.5, 0.75),
        rng.uniform(0.7, 0.92),
        rng.uniform(0.4, 0.9),
    )[kind]
    warm = np.exp(rng.normal(0.03, 0.12 if hard else 0.06) * np.array([1.0, 0.1, -1.0]))
    sky = np.exp(rng.normal(0, 0.07) * np.array([-1.0, 0, 1.0]))
    total = rng.uniform(0.9, 1.5)
    ambient = total * (1 - share) * sky
    slope = np.outer(
        [rng.normal(0, 0.25), -abs(rng.normal(0.3, 0.15)), rng.normal(0.15, 0.1)], np.ones(3)
    )
    slope = slope + rng.normal(0, 0.04, (3, 3))
    rim_side = rng.choice([-1.0, 1.0])
    rim = np.array([rim_side * 0.85, -0.4, -0.35])
    rim_colour = rng.uniform(0, 0.9) * float(rng.random() < 0.35) * np.exp(rng.normal(0, 0.2, 3))
    return Light(
        ambient,
        slope * ambient,
        key,
        total * share * 1.35 * warm,
        rng.uniform(0, 1),
        rim,
        rim_colour,
    )


def cast_shadows(points: Any, casters: Any, light: Light) -> Any:
    """Return how much key light (R, C) reaches points (3, R, C), given casters (3, W).

    0 shadow … 1 lit.
    """
    x_axis = np.cross(light.key, [0.0, 1.0, 0.2])
    x_axis = x_axis / np.linalg.norm(x_axis)
    frame = np.stack([x_axis, np.cross(light.key, x_axis), light.key]).astype(np.float32)
    side = 128
    c = frame @ casters
    x, y = np.clip(c[:2] / np.float32(_SHADOW_CELL_MM) + np.float32(side / 2), 1, side - 2).astype(
        np.int32
    )
    top = np.full(side * side, -150.0, np.float32)
    np.maximum.at(top, y * side + x, c[2])
    raised = cv2.morphologyEx(top.reshape(side, side), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    raised = cv2.blur(raised, (3, 3))
    p = (frame @ points.reshape(3, -1)).reshape(points.shape)
    u, v = p[:2] / np.float32(_SHADOW_CELL_MM) + np.float32(side / 2 - 0.5)
    gap = (
        cv2.remap(raised, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        - p[2]
        - np.float32(5)
    )
    return 1 - np.clip(gap / np.float32(4 + 8 * (1 - light.hard)), 0, 1)


def diffuse_light(normal: Any, open_: Any, lit: Any, light: Light) -> Any:
    """Return the light (R, C, 3) that skin scatters back.

    `normal` (3, R, C), `open_` (R, C) the share of the sky that is seen, `lit` (R, C) the share of
    the key light.
    """
    flat = normal.reshape(3, -1)
    slope, key, rim = (a.astype(np.float32) for a in (light.slope, light.key, light.rim))
    ambient = (slope.T @ flat).reshape(normal.shape)
    facing, behind = (key @ flat).reshape(lit.shape), (rim @ flat).reshape(lit.shape)
    planes = []
    for k in range(3):
        wrap = np.float32(_WRAP[k])
        plane = np.maximum(ambient[k] + np.float32(light.ambient[k]), np.float32(0.02)) * open_
        direct = np.maximum((facing + wrap) * np.float32(light.colour[k] / (1 + _WRAP[k])), 0)
        # A shadow's edge stays reddish like the terminator: red light leaks into both.
        plane += direct * lit ** np.float32(1 / (1 + 1.5 * _WRAP[k]))
        if light.rim_colour[k]:
            plane += np.maximum(behind, 0) * np.float32(light.rim_colour[k])
        planes.append(plane)
    return cv2.merge(planes)


def specular_light(facing: Any, lit: Any, sharp: float) -> Any:
    """Return mirrored key light (R, C) off a surface of a given sharpness.

    `facing` (R, C) is the cosine between the normal and the direction half-way between eye and
    light.
    """
    return np.maximum(facing, 0) ** np.float32(sharp) * lit * np.float32(0.6)
