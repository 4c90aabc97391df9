"""The neutral head as a surface.

A grid of points around a vertical axis, found on a smooth union of simple solids.

Frame of the head, in millimetres: x to the picture's right, y down, z towards the viewer; the
origin lies between the ears at the height of the eyes. Proportions are those of common
anthropometric tables (head breadth 150, eye corners 90 apart, eye line to chin 113). Grid rows run
from the crown to the chest, columns once around from back to back. Three slits (two eyes, one
mouth) lie between neighbouring rows, so that lids and lips open and close without any change of
topology.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from benchbox.types import Floats

EYE = np.array([31.0, 0.5, 74.0])  # centre of the eyeball on the picture's right
EYE_RADIUS = 12.4
EYE_INNER, EYE_OUTER = 16.0, 46.0  # |x| of the corners
EYE_Y = 0.5
MOUTH_Y = 73.0
MOUTH_HALF = 25.5
_SLIT = 0.3  # half gap between the rows of a closed slit

_ROWS = (
    (-121.5, -118.0, 3),
    (-118.0, -60.0, 9),
    (-60.0, -30.0, 6),
    (-30.0, 100.0, 54),
    (100.0, 126.0, 9),
    (126.0, 190.0, 7),
    (190.0, 330.0, 7),
)
_COLUMNS = ((0.0, 48.0, 32), (48.0, 100.0, 15), (100.0, 180.0, 8))


@dataclass(frozen=True, eq=False)
class Surface:
    """The neutral grid: positions and the coordinates that fields and textures are painted in."""

    points: Floats  # (R, C, 3) mm
    # (R, C) mm, y of the row before the slits were opened: tells upper from lower lip
    height: Floats
    azimuth: Floats  # (C,) rad from the front
    eye_rows: tuple[int, int]  # rows of the upper and the lower lid margin
    mouth_rows: tuple[int, int]  # rows of the upper and the lower lip's inner edge

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.height.shape[0], self.height.shape[1]


def smooth_step(low: float, high: float, value: Floats) -> Floats:
    """Rise from 0 at `low` to 1 at `high` with flat ends; falls when `low` > `high`."""
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    rise: Floats = t * t * (3 - 2 * t)
    return rise


def _ellipsoid(
    p: Floats, centre: tuple[float, float, float], radii: tuple[float, float, float]
) -> Floats:
    q = (p - np.array(centre)) / np.array(radii)
    near = np.sqrt((q**2).sum(-1)) + 1e-9
    slope = np.sqrt(((q / np.array(radii)) ** 2).sum(-1)) + 1e-9
    distance: Floats = near * (near - 1) / slope
    return distance


def _capsule(
    p: Floats, a: tuple[float, float, float], b: tuple[float, float, float], ra: float, rb: float
) -> Floats:
    start, along = np.array(a), np.array(b) - np.array(a)
    t = np.clip(((p - start) @ along) / (along @ along), 0, 1)
    distance: Floats = np.sqrt(((p - start - t[..., None] * along) ** 2).sum(-1)) - (
        ra + (rb - ra) * t
    )
    return distance


def _union(a: Floats, b: Floats, blend: float) -> Floats:
    h = np.maximum(blend - np.abs(a - b), 0) / blend
    return np.minimum(a, b) - h * h * blend / 4


def _carve(a: Floats, b: Floats, blend: float) -> Floats:
    return -_union(-a, b, blend)


def signed_distance(points: Floats) -> Floats:
    """Return the signed distance of points (…, 3) to the neutral head's surface.

    It is roughly in mm and negative inside.
    """
    p = np.concatenate([np.abs(points[..., :1]), points[..., 1:]], axis=-1)
    d = _ellipsoid(p, (0, -38, -4), (72, 83, 96))  # cranium
    d = _union(d, _ellipsoid(p, (0, 15, 15), (66, 72, 72)), 24)  # zygomatic level
    d = _union(d, _ellipsoid(p, (0, 46, 36), (55, 64, 54)), 24)  # middle face
    d = _union(d, _capsule(p, (46, 70, 10), (14, 96, 66), 16, 16), 30)  # mandible
    d = _union(d, _ellipsoid(p, (0, 97, 74), (20, 17, 18)), 22)  # chin
    d = _union(d, _ellipsoid(p, (40, 30, 54), (23, 22, 25)), 34)  # cheek
    d = _union(d, _ellipsoid(p, (0, 70, 68), (36, 26, 31)), 22)  # mouth barrel
    d = _union(d, _capsule(p, (4, -13, 79), (42, -15, 58), 15, 14), 26)  # brow ridge
    d = _carve(d, _ellipsoid(p, (31, 3, 103), (19, 11, 20)), 22)  # eye socket
    d = _carve(d, _ellipsoid(p, (17, 3, 106), (6, 9, 17)), 14)  # between eye and nose
    d = _union(d, _capsule(p, (0, -6, 84), (0, 36, 101), 7, 9), 14)  # bridge of the nose
    d = _union(d, _ellipsoid(p, (0, 43, 104), (10, 9, 11)), 9)  # tip
    d = _union(d, _ellipsoid(p, (11, 47.5, 95.5), (6.5, 7.5, 9.5)), 6)  # wing
    # lids over the eyeball
    d = _union(d, np.sqrt(((p - EYE) ** 2).sum(-1)) - (EYE_RADIUS + 0.4), 9)
    d = _union(d, _capsule(p, (0, 100, 62), (0, 118, 18), 12, 22), 24)  # under the chin
    d = _union(d, _capsule(p, (0, 70, -26), (0, 330, -40), 51, 56), 30)  # neck
    return _union(d, _ellipsoid(p, (0, 338, -30), (208, 166, 92)), 60)  # shoulders


def _grid_lines(parts: tuple[tuple[float, float, int], ...]) -> Floats:
    runs = [np.linspace(a, b, n, endpoint=False) for a, b, n in parts]
    return np.concatenate([*runs, [parts[-1][1]]])


def _cast_rays(azimuth: Floats, y: Floats) -> Floats:
    """Find the outermost surface points (…, 3) along horizontal rays from the axis."""
    direction = np.stack([np.sin(azimuth), np.zeros_like(azimuth), np.cos(azimuth)], axis=-1)
    axis = np.stack(
        [np.zeros_like(y), y, np.interp(y, [-120, 60, 110, 200], [0, 0, -12, -20])], axis=-1
    )
    far = np.full(y.shape, 250.0)
    for _ in range(30):
        far = np.maximum(far - 0.95 * signed_distance(axis + far[..., None] * direction), 0.0)
    found: Floats = axis + far[..., None] * direction
    return found


def _lens_profile(t: Floats, power: float) -> Floats:
    lens: Floats = (4 * np.clip(t, 0, 1) * (1 - np.clip(t, 0, 1))) ** power
    return lens


def _open_slit(y: Floats, centre: Floats | float, up: Floats, down: Floats, reach: float) -> Floats:
    """Part rows at a slit: rows at `centre` move up and down, rows beyond `reach` stay."""
    away = y - centre
    fade = np.maximum(1 - np.abs(away) / reach, 0)
    parted: Floats = y + np.where(away < 0, -up, down) * fade
    return parted


def _slit_rows(rows: Floats, centre: float) -> tuple[Floats, int]:
    """Replace the row nearest to a slit by its two edges.

    Return the rows and the index of the upper edge.
    """
    at = int(np.abs(rows - centre).argmin())
    return np.concatenate([rows[:at], [centre - _SLIT, centre + _SLIT], rows[at + 1 :]]), at


def upper_lid(x: Floats) -> Floats:
    """Height in mm of the open upper lid above the slit at |x|."""
    t = (x - EYE_INNER) / (EYE_OUTER - EYE_INNER)
    return 6.0 * _lens_profile(np.clip(t, 0, 1) ** 0.92, 0.72)


def lower_lid(x: Floats) -> Floats:
    """Depth in mm of the open lower lid below the slit at |x|."""
    t = (x - EYE_INNER) / (EYE_OUTER - EYE_INNER)
    return 4.7 * _lens_profile(np.clip(t, 0, 1) ** 1.15, 0.85)


def lip_edge(x: Floats, *, upper: bool) -> Floats:
    """Return the y in mm of the outer edge of a lip at |x|; both edges meet in the corner."""
    if upper:
        return np.interp(
            x, [0, 4.5, 8, 15, 22, MOUTH_HALF], [65.4, 63.7, 64.4, 67.6, 71.0, MOUTH_Y]
        )
    return np.interp(x, [0, 8, 15, 22, MOUTH_HALF], [83.5, 82.7, 79.8, 75.6, MOUTH_Y])


def _raise_lips(points: Floats) -> Floats:
    """Raise the lips from the mouth barrel, and the ridges of the philtrum; points with x >= 0."""
    x, y = points[..., 0], points[..., 1]
    front = (points[..., 2] > 40) * smooth_step(MOUTH_HALF + 2, 12, x)
    top, bottom = lip_edge(x, upper=True), lip_edge(x, upper=False)
    inner_top, inner_bottom = MOUTH_Y - 2 * front, MOUTH_Y + 2 * front
    up = np.clip((y - top + 2.5) / np.maximum(inner_top - top + 2.5, 1), 0, 1)
    down = np.clip((bottom + 2 - y) / np.maximum(bottom + 2 - inner_bottom, 1), 0, 1)
    rise = 3.4 * np.sin(np.pi * up**1.3 * 0.78) * (y <= MOUTH_Y) + 4.4 * np.sin(
        np.pi * down * 0.8
    ) * (y > MOUTH_Y)
    under = -2.5 * np.exp(-(((y - 88) / 4.5) ** 2) - (x / 18) ** 2)
    ridge = (np.exp(-(((x - 4.5) / 2.0) ** 2)) - 0.9 * np.exp(-((x / 2.4) ** 2))) * np.exp(
        -(((y - 60) / 5.0) ** 2)
    )
    raised = points.copy()
    raised[..., 2] += front * rise + (under + 0.9 * ridge) * (points[..., 2] > 40)
    return raised


@lru_cache(maxsize=1)
def neutral_surface() -> Surface:
    """Build the neutral surface once per process (a fraction of a second)."""
    half = np.radians(_grid_lines(_COLUMNS))
    rows, eye = _slit_rows(_grid_lines(_ROWS), EYE_Y)
    rows, mouth = _slit_rows(rows, MOUTH_Y)
    azimuth, height = np.meshgrid(half, rows)
    lines = np.array([EYE_Y, MOUTH_Y])
    x = _cast_rays(*np.meshgrid(half, lines))[..., 0]
    y = _open_slit(height, EYE_Y, upper_lid(x[0])[None], lower_lid(x[0])[None], 19.0)
    gap = _lens_profile(x[1] / (2 * MOUTH_HALF) + 0.5, 0.8)[None]
    y = _open_slit(y, MOUTH_Y, 2.0 * gap, 2.0 * gap, 12.0)
    right = _cast_rays(azimuth, y)
    right = _raise_lips(right)
    left = right[:, :0:-1] * np.array([-1.0, 1.0, 1.0])
    both = np.concatenate([left, right], axis=1)
    tall = np.concatenate([height[:, :0:-1], height], axis=1)
    return Surface(
        both, tall, np.concatenate([-half[:0:-1], half]), (eye, eye + 1), (mouth, mouth + 1)
    )
