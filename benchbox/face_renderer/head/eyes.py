"""What lies behind the slits.

Eyeballs that look somewhere, and the inside of the mouth with its teeth.

Both are met by the camera's rays exactly: a sphere for the eye, the dental arch as an upright
elliptic cylinder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox.face_renderer.light import Light

from .appearance import Look
from .surface import EYE_RADIUS, MOUTH_Y

if TYPE_CHECKING:
    from benchbox.types import Floats

IRIS_RADIUS_MM = 5.9  # mm, radius
_ARCH = np.array([25.0, 27.0])  # mm, half width and half depth of the dental arch


def gaze_direction(yaw: float, pitch: float) -> Floats:
    """Return the unit vector (3,) of a gaze in the head's frame.

    Yaw to the picture's right, pitch down.
    """
    return np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])


def _smooth_step(low: float, high: float, value: Any) -> Any:
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def shade_eyeball(
    origin: Floats,
    rays: Any,
    centre: Floats,
    gaze: Floats,
    key: Floats,
    depth: Any,
    look: Look,
    light: Light,
) -> Any:
    """Return the colours (P, 3) of an eyeball along rays (P, 3), all in the head's frame.

    `key` is the key light's direction there; `depth` (P,) runs from 0 at the upper lid to 1 at the
    lower one.
    """
    to = origin - centre
    b = rays @ to
    root = np.sqrt(np.maximum(b * b - (to @ to - EYE_RADIUS**2), 0))
    normal = (to + (-b - root)[:, None] * rays) / EYE_RADIUS
    along = normal @ gaze
    r = EYE_RADIUS * np.sqrt(np.maximum(1 - along**2, 0)) + 20 * (along < 0)
    side = np.cross(gaze, [0.0, 1.0, 0.0])
    angle = np.arctan2(normal @ np.cross(side, gaze), normal @ side)
    fibre = (
        0.5 + 0.28 * np.sin(angle * 23 + 3 * np.sin(angle * 7)) + 0.22 * np.sin(angle * 41 + r * 2)
    )
    ring = 1 - 0.75 * _smooth_step(IRIS_RADIUS_MM - 1.5, IRIS_RADIUS_MM, r)
    glow = (0.55 + 0.35 * fibre) * ring
    iris = (
        look.iris
        * (0.55 + glow * 1.2)[:, None]
        * (1.25 - 0.35 * _smooth_step(look.pupil, look.pupil + 1.6, r))[:, None]
    )
    iris = iris * _smooth_step(look.pupil - 0.35, look.pupil + 0.35, r)[:, None] + 0.004
    vein = 0.14 + 0.10 * look.wrinkles
    away = _smooth_step(IRIS_RADIUS_MM, 11.5, r)[:, None]
    white = np.array([0.62, 0.58, 0.55]) * (1 - away * vein * np.array([0.3, 1.3, 1.3]))
    colour = (
        white
        + (iris - white) * _smooth_step(IRIS_RADIUS_MM + 0.5, IRIS_RADIUS_MM - 0.4, r)[:, None]
    )
    lit = np.clip((normal @ key + 0.25) / 1.25, 0, None)
    shade = 0.22 + 0.78 * _smooth_step(0.0, 0.42, depth)  # lid and lashes shade the top
    shade = shade * (0.6 + 0.4 * _smooth_step(1.0, 0.8, depth))
    result = colour * (light.ambient * 0.9 + lit[:, None] * light.colour * 0.75) * shade[:, None]
    return (
        result
        + _catchlight(normal, rays, gaze, key, r, light) * _smooth_step(0.05, 0.25, depth)[:, None]
    )


def _catchlight(normal: Any, rays: Any, gaze: Floats, key: Floats, r: Any, light: Light) -> Any:
    # The cornea bulges: its normal tilts away from the gaze faster than the eyeball's.
    bulge = normal + gaze * -0.45 * (r < IRIS_RADIUS_MM)[:, None]
    bulge = bulge / np.linalg.norm(bulge, axis=1, keepdims=True)
    half = key - rays
    half = half / np.linalg.norm(half, axis=1, keepdims=True)
    spark = np.clip((bulge * half).sum(1), 0, 1)
    window = _smooth_step(0.984, 0.994, spark) * 1.3 + 0.05 * spark**12
    return window[:, None] * light.colour * 0.8 + 0.015


def shade_mouth(
    origin: Floats, rays: Any, lip_z: float, jaw_drop: float, edge: Any, light: Light, tilt: float
) -> Any:
    """Return the colours (P, 3) of the open mouth along rays (P, 3), in the head's frame.

    `lip_z` is the depth of the lips, `jaw_drop` how far the lower teeth have gone down, `edge` (P,)
    runs from 0 at the upper lip to 1 at the lower one; `tilt` in [0, 1] says how far the lower
    teeth show.
    """
    centre_z = lip_z - 8.5 - _ARCH[1]
    ox, oz = origin[0] / _ARCH[0], (origin[2] - centre_z) / _ARCH[1]
    dx, dz = rays[:, 0] / _ARCH[0], rays[:, 2] / _ARCH[1]
    a, b, c = dx * dx + dz * dz, ox * dx + oz * dz, ox * ox + oz * oz - 1
    inside = b * b - a * c
    t = (-b - np.sqrt(np.maximum(inside, 0))) / a
    hit = origin + t[:, None] * rays
    x, y = hit[:, 0], hit[:, 1]
    arc = np.arcsin(np.clip(x / _ARCH[0], -1, 1)) * 25.0
    width = np.where(np.abs(arc) < 8.6, 8.6, 7.0)
    phase = np.where(np.abs(arc) < 8.6, np.abs(arc), np.abs(arc) - 8.6) / width
    gap = np.minimum(phase % 1, 1 - phase % 1)
    crown = 0.72 + 0.28 * _smooth_step(0.0, 0.14, gap)
    upper_edge = MOUTH_Y + 1.2 - 0.9 * _smooth_step(0.1, 0.0, gap) - 0.02 * np.abs(arc) ** 1.2
    lower_edge = MOUTH_Y + 2.2 + jaw_drop + 0.02 * np.abs(arc)
    ivory = np.array([0.66, 0.60, 0.50])
    round_ = np.sqrt(np.clip(1 - (x / _ARCH[0]) ** 2, 0.02, 1))[:, None]
    deep = np.array([0.055, 0.012, 0.012])
    tongue = (
        np.array([0.30, 0.075, 0.075]) * (0.25 + 0.75 * _smooth_step(0.35, 0.95, edge))[:, None]
    )
    low = _smooth_step(0.45, 0.8, edge)[:, None] * _smooth_step(20, 12, np.abs(x))[:, None]
    colour = deep + (tongue - deep) * low
    gum = np.array([0.36, 0.13, 0.13])
    upper = ivory + (gum - ivory) * _smooth_step(upper_edge - 9.0, upper_edge - 10.2, y)[:, None]
    is_upper = (_smooth_step(0.5, -0.3, y - upper_edge) * (inside > 0))[:, None]
    is_lower = (_smooth_step(-0.5, 0.5, y - lower_edge) * (inside > 0) * tilt)[:, None]
    colour = colour + (ivory * 0.8 * crown[:, None] * round_ - colour) * is_lower
    colour = colour + (upper * crown[:, None] * round_ - colour) * is_upper
    shade = (0.35 + 0.65 * _smooth_step(0.0, 0.3, edge)) * (
        0.6 + 0.4 * _smooth_step(1.0, 0.85, edge)
    )
    return colour * shade[:, None] * (light.ambient + 0.42 * light.colour)
