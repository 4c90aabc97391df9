"""Landmarks as fixed points of the head's surface, so that every layout reads off the same head.

A point is a place on the grid: row and column with fractions. Lid and lip points lie on the rows
that edge a slit; others are given by the place in millimetres where an annotator would click on the
neutral head.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from .surface import EYE_INNER, EYE_OUTER, MOUTH_HALF, Surface, lip_edge, neutral_surface

if TYPE_CHECKING:
    import numpy.typing as npt

    from benchbox.types import Floats

_JAW_HALF = (
    (15.5, 111.5, 77),
    (29.5, 104.5, 66),
    (41, 94, 52),
    (50.5, 80.5, 39),
    (57.5, 64, 30),
    (62.5, 45, 25),
    (65.5, 25, 22),
    (67, 4, 20),
)
# outer to inner
_BROW = ((54, -14, 60), (47, -19.6, 68), (37, -22, 77), (26, -20.6, 85), (14.5, -16.5, 92))
_NOSE = (2.0, 15.5, 29.0, 42.5)  # y down the bridge
_NOSTRILS = ((15.5, 52, 93), (7.5, 55, 99))
_BASE = 56.5  # y where the nose meets the upper lip
_CHIN = 116.0


@dataclass(frozen=True, eq=False)
class SurfacePoints:
    """Places on the grid, as weighted vertices."""

    corners: npt.NDArray[np.int64]  # (K, 4) vertices
    weights: Floats  # (K, 4)

    def of(self, values: Floats) -> Floats:
        """Read vertex values (V, D) at the points: (K, D)."""
        read: Floats = np.einsum("kc,kcd->kd", self.weights, values[self.corners])
        return read


def surface_points(shape: tuple[int, int], rows: Floats, columns: Floats) -> SurfacePoints:
    """Make surface points from fractional rows and columns (K,)."""
    r = np.clip(np.floor(rows), 0, shape[0] - 2).astype(np.int64)
    c = np.clip(np.floor(columns), 0, shape[1] - 2).astype(np.int64)
    fr, fc = rows - r, columns - c
    at = r * shape[1] + c
    corners = np.stack([at, at + 1, at + shape[1], at + shape[1] + 1], axis=-1)
    return SurfacePoints(
        corners, np.stack([(1 - fr) * (1 - fc), (1 - fr) * fc, fr * (1 - fc), fr * fc], axis=-1)
    )


def position_on_row(head: Surface, row: int, x: float) -> tuple[float, float]:
    """Return the place on a row of the face where x is reached."""
    front = np.flatnonzero((head.points[row, :, 2] > 20) & (np.abs(head.azimuth) < 1.4))
    return float(row), float(np.interp(x, head.points[row, front, 0], front))


def position_on_midline(head: Surface, y: float) -> tuple[float, float]:
    """Return the place on the middle of the face at a height in mm."""
    middle = head.shape[1] // 2
    return float(np.interp(y, head.points[:, middle, 1], np.arange(head.shape[0]))), float(middle)


def nearest_position(head: Surface, target: tuple[float, float, float]) -> tuple[float, float]:
    """Return the place on the grid that is nearest to a point in space, to a 40th of a cell."""
    away = ((head.points - np.array(target)) ** 2).sum(-1)
    row, column = (int(k) for k in np.unravel_index(away.argmin(), away.shape))
    fine = np.linspace(-1, 1, 81)
    rows, columns = (a.ravel() for a in np.meshgrid(row + fine, column + fine, indexing="ij"))
    found = surface_points(head.shape, rows, columns).of(head.points.reshape(-1, 3))
    best = int(((found - np.array(target)) ** 2).sum(-1).argmin())
    return float(rows[best]), float(columns[best])


def _mirror_targets(
    points: tuple[tuple[float, float, float], ...],
) -> list[tuple[float, float, float]]:
    return [(-x, y, z) for x, y, z in points]


def _eye_positions(head: Surface, side: int) -> list[tuple[float, float]]:
    """Six lid points of one eye in the order of the image-left eye.

    Outer corner, over the top, inner, back below.
    """
    upper, lower = head.eye_rows
    third = (EYE_OUTER - EYE_INNER) / 3
    xs = [
        EYE_OUTER,
        EYE_OUTER - third,
        EYE_INNER + third,
        EYE_INNER,
        EYE_INNER + third,
        EYE_OUTER - third,
    ]
    rows = [upper, upper, upper, upper, lower, lower]
    return [position_on_row(head, row, side * x) for row, x in zip(rows, xs, strict=True)]


def _mouth_positions(head: Surface) -> list[tuple[float, float]]:
    upper, lower = head.mouth_rows

    def edge(x: float, *, top: bool) -> tuple[float, float]:
        y = float(lip_edge(np.array(abs(x)), upper=top))
        column = head.points[:, round(position_on_row(head, upper, x)[1])]
        inside = np.flatnonzero((column[:, 1] > 50) & (column[:, 1] < 95))
        return nearest_position(
            head, (x, y, float(np.interp(y, column[inside, 1], column[inside, 2])))
        )

    corner = MOUTH_HALF - 0.2
    outer = [
        position_on_row(head, upper, -corner),
        *(edge(x, top=True) for x in (-15.5, -4.8, 0, 4.8, 15.5)),
    ]
    outer += [
        position_on_row(head, upper, corner),
        *(edge(x, top=False) for x in (15.5, 8, 0, -8, -15.5)),
    ]
    inner = [position_on_row(head, upper, x) for x in (-(corner - 3), -8, 0, 8, corner - 3)]
    inner += [position_on_row(head, lower, x) for x in (8, 0, -8)]
    return outer + inner


@lru_cache(maxsize=1)
def ibug68_positions() -> Floats:
    """Return the places on the grid (68, 2) of the iBUG mark-up, in its order: row, column."""
    head = neutral_surface()
    middle = position_on_midline(head, _CHIN)
    jaw = [
        *(nearest_position(head, t) for t in reversed(_mirror_targets(_JAW_HALF))),
        middle,
        *(nearest_position(head, t) for t in _JAW_HALF),
    ]
    brows = [nearest_position(head, t) for t in (*_mirror_targets(_BROW), *reversed(_BROW))]
    nose = [position_on_midline(head, y) for y in _NOSE] + [
        nearest_position(head, t) for t in _mirror_targets(_NOSTRILS)
    ]
    nose += [
        position_on_midline(head, _BASE),
        *(nearest_position(head, t) for t in reversed(_NOSTRILS)),
    ]
    left, right = _eye_positions(head, -1), _eye_positions(head, 1)
    eyes = [*left, right[3], right[2], right[1], right[0], right[5], right[4]]
    return np.array(jaw + brows + nose + eyes + _mouth_positions(head))


@lru_cache(maxsize=1)
def ibug68_points() -> SurfacePoints:
    """Return the 68 points of the iBUG mark-up."""
    places = ibug68_positions()
    return surface_points(neutral_surface().shape, places[:, 0], places[:, 1])


@lru_cache(maxsize=1)
def eye_corners() -> SurfacePoints:
    """Return the four eye corners: left inner, left outer, right inner, right outer."""
    head = neutral_surface()
    places = np.array(
        [
            position_on_row(head, head.eye_rows[0], s * x)
            for s in (-1, 1)
            for x in (EYE_INNER, EYE_OUTER)
        ]
    )
    return surface_points(head.shape, places[:, 0], places[:, 1])


@lru_cache(maxsize=1)
def eye_spans() -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the columns between which the eyes' slits lie, left and right."""
    head = neutral_surface()
    ends = [
        [position_on_row(head, head.eye_rows[0], s * x)[1] for x in (EYE_INNER, EYE_OUTER)]
        for s in (-1, 1)
    ]
    return (min(ends[0]), max(ends[0])), (min(ends[1]), max(ends[1]))


@lru_cache(maxsize=1)
def mouth_span() -> tuple[float, float]:
    """Return the columns between which the mouth's slit lies."""
    head = neutral_surface()
    row = head.mouth_rows[0]
    return position_on_row(head, row, -MOUTH_HALF)[1], position_on_row(head, row, MOUTH_HALF)[1]
