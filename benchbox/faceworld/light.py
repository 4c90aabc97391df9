"""Light: an ambient field, a key light with cast shadows, a rim light; evaluated at the points of a mesh."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from benchbox.types import Floats

_WRAP = np.array([0.38, 0.20, 0.14])  # red light travels further under skin and softens the shadow's edge
_CELL = 4.0  # mm, a cell of the shadow map


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


def draw(rng: np.random.Generator, *, hard: bool) -> Light:
    """Draw a lighting: mostly friendly, in hard scenes from any side, dim, coloured or from behind."""
    kind = rng.choice(4, p=[0.25, 0.35, 0.25, 0.15] if hard else [0.5, 0.35, 0.12, 0.03])
    azimuth = rng.normal(0, (28, 45, 65, 95)[kind])
    height = rng.normal((25, 38, 35, 10)[kind], 18)
    a, h = np.radians(azimuth), np.radians(np.clip(height, -35, 80))
    key = np.array([np.sin(a) * np.cos(h), -np.sin(h), np.cos(a) * np.cos(h)])
    share = (rng.uniform(0.35, 0.6), rng.uniform(0.5, 0.75), rng.uniform(0.7, 0.92), rng.uniform(0.4, 0.9))[kind]
    warm = np.exp(rng.normal(0.03, 0.12 if hard else 0.06) * np.array([1.0, 0.1, -1.0]))
    sky = np.exp(rng.normal(0, 0.07) * np.array([-1.0, 0, 1.0]))
    total = rng.uniform(0.9, 1.5)
    ambient = total * (1 - share) * sky
    slope = np.outer([rng.normal(0, 0.25), -abs(rng.normal(0.3, 0.15)), rng.normal(0.15, 0.1)], np.ones(3))
    slope = slope + rng.normal(0, 0.04, (3, 3))
    rim_side = rng.choice([-1.0, 1.0])
    rim = np.array([rim_side * 0.85, -0.4, -0.35])
    rim_colour = rng.uniform(0, 0.9) * float(rng.random() < 0.35) * np.exp(rng.normal(0, 0.2, 3))
    return Light(ambient, slope * ambient, key, total * share * 1.35 * warm, rng.uniform(0, 1), rim, rim_colour)


def cast_shadows(points: Any, casters: Any, light: Light) -> Any:
    """Return how much key light (V,) reaches points (V, 3), given casters (W, 3): 0 shadow … 1 lit."""
    x_axis = np.cross(light.key, [0.0, 1.0, 0.2])
    x_axis = x_axis / np.linalg.norm(x_axis)
    y_axis = np.cross(light.key, x_axis)
    frame = np.stack([x_axis, y_axis, light.key]).astype(np.float32)
    c, p = casters @ frame.T, points @ frame.T
    side = 128
    cell = np.clip((c[:, :2] / _CELL + side / 2), 1, side - 2).astype(np.int32)
    top = np.full(side * side, -1e4, np.float32)
    np.maximum.at(top, cell[:, 1] * side + cell[:, 0], c[:, 2].astype(np.float32))
    raised = cv2.morphologyEx(top.reshape(side, side), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    raised = cv2.blur(np.maximum(raised, -150.0), (3, 3))
    where = p[:, :2] / _CELL + side / 2 - 0.5
    above = cv2.remap(
        raised,
        np.ascontiguousarray(where[:, :1], np.float32),
        np.ascontiguousarray(where[:, 1:], np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )[:, 0]
    gap = above - p[:, 2] - 5.0
    return 1 - np.clip(gap / (4 + 8 * (1 - light.hard)), 0, 1)


def diffuse(normal: Any, open_: Any, lit: Any, light: Light) -> Any:
    """Return the light (V, 3) that skin scatters back; `open_` (V,) is the share of the sky that is seen."""
    n = normal.astype(np.float32)
    ambient = (light.ambient + n @ light.slope).clip(0.02).astype(np.float32) * open_[:, None]
    facing = (n @ light.key.astype(np.float32))[:, None]
    wrap = _WRAP.astype(np.float32)
    key = ((facing + wrap) / (1 + wrap)).clip(0)
    # A shadow's edge and the terminator stay reddish: red light leaks into both.
    shade = lit[:, None] ** (1 / (1 + 1.5 * wrap))
    total = ambient + key * shade * light.colour.astype(np.float32)
    if light.rim_colour.any():
        total += (n @ light.rim.astype(np.float32)).clip(0)[:, None] * light.rim_colour.astype(np.float32)
    return total


def glint(normal: Any, half: Any, lit: Any, sharp: float) -> Any:
    """Return mirrored key light (V,) off a surface of a given sharpness; `half` (V, 3) lies between eye and light."""
    return (normal * half).sum(-1).clip(0) ** np.float32(sharp) * lit * np.float32(0.6)
