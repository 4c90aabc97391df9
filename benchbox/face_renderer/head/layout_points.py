"""The layouts of WFLW (98 points), COFW (29) and AFLW (19) on the head, beside iBUG's 68.

Each is given for the picture's left half and the middle; the right half mirrors it, as the layout's
flip table says. Points that mean the same are the same place in every mark-up. Pupils move with the
eyes: their rows hold the middle of the eye's slit, and `model.ModelPoints.at` puts them where the
iris is.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from benchbox.layouts import LAYOUTS

from .landmarks import (
    SurfacePoints,
    ibug68_positions,
    nearest_position,
    position_on_midline,
    position_on_row,
    surface_points,
)
from .surface import EYE_INNER, EYE_OUTER, Surface, neutral_surface

if TYPE_CHECKING:
    from benchbox.types import Floats

    Place = tuple[float, float]  # row and column on the grid

PUPILS: dict[str, tuple[int, int] | None] = {
    "ibug68": None,
    "wflw98": (96, 97),
    "cofw29": (16, 17),
    "aflw19": None,
}
_BROW_X = (54.0, 46.5, 37.0, 26.5, 15.0)  # from the outer end to the inner one
# y of a brow's middle
_SPINE = ((10, 14.5, 26, 37, 47, 54, 59), (-15.6, -16.0, -19.6, -21.2, -19.0, -13.6, -9.5))
_HALF = ((9, 13, 18, 30, 42, 52, 58), (1.0, 3.8, 4.4, 4.0, 3.1, 1.9, 0.5))  # half its thickness


@lru_cache(maxsize=4)
def layout_positions(layout: str) -> SurfacePoints:
    """Return the points of a layout, in its order."""
    head = neutral_surface()
    left = {"ibug68": _ibug68, "wflw98": _wflw98, "cofw29": _cofw29, "aflw19": _aflw19}[layout](
        head
    )
    flip, last = LAYOUTS[layout].flip, head.shape[1] - 1
    places = np.full((len(flip), 2), np.nan)
    for point, (row, column) in left.items():
        places[flip[point]] = row, last - column
    for point, place in left.items():
        places[point] = place
    return surface_points(head.shape, places[:, 0], places[:, 1])


def _brow_position(head: Surface, x: float, edge: float) -> Place:
    """Return the place on the left brow at |x|.

    Edge -1 its upper rim, 0 its middle, 1 its lower rim.
    """
    y = float(np.interp(x, *_SPINE)) + 0.85 * edge * float(np.interp(x, *_HALF))
    column = round(position_on_row(head, _row_at_height(head, x, y), -x)[1])
    return nearest_position(
        head, (-x, y, float(head.points[_row_at_height(head, x, y), column, 2]))
    )


def _row_at_height(head: Surface, x: float, y: float) -> int:
    """Return the row that is nearest to a height on the left half of the face, at |x|."""
    front = np.flatnonzero((np.abs(head.azimuth) < 1.2) & (head.azimuth < 0))
    column = front[np.abs(head.points[head.eye_rows[0], front, 0] + x).argmin()]
    return int(np.abs(head.points[:, column, 1] - y).argmin())


def _lid_position(head: Surface, share: float, *, row: float) -> Place:
    """Return the place in the left eye's slit: share 0 at the outer corner, 1 the inner.

    Row 0 upper lid, 1 lower.
    """
    x = EYE_OUTER + share * (EYE_INNER - EYE_OUTER)
    upper, lower = (position_on_row(head, r, -x) for r in head.eye_rows)
    return upper[0] + row, upper[1] + row * (lower[1] - upper[1])


def _positions_from_68(*points: int) -> list[Place]:
    return [(float(row), float(column)) for row, column in ibug68_positions()[list(points)]]


def _ibug68(head: Surface) -> dict[int, Place]:
    del head
    return dict(enumerate(_positions_from_68(*range(68))))


def _wflw98(head: Surface) -> dict[int, Place]:
    jaw = ibug68_positions()[:9]
    contour = np.empty((17, 2))
    contour[::2], contour[1::2] = jaw, (jaw[1:] + jaw[:-1]) / 2  # twice as many as iBUG's
    found = {k: (float(row), float(column)) for k, (row, column) in enumerate(contour)}
    rims = [(x, -1.0) for x in _BROW_X] + [(x, 1.0) for x in _BROW_X[:0:-1]]
    rims[0] = (_BROW_X[0], 0.0)
    found |= {33 + k: _brow_position(head, x, edge) for k, (x, edge) in enumerate(rims)}
    found |= dict(
        zip(
            (51, 52, 53, 54, 55, 56, 57),
            _positions_from_68(27, 28, 29, 30, 31, 32, 33),
            strict=True,
        )
    )
    found |= {60 + k: _lid_position(head, k / 4, row=0) for k in range(5)}
    found |= {65 + k: _lid_position(head, 0.75 - k / 4, row=1) for k in range(3)}
    mouth = (0, 1, 2, 3, 9, 10, 11, 12, 13, 14, 18, 19)  # the left half, and the middle
    found |= dict(
        zip((76 + k for k in mouth), _positions_from_68(*(48 + k for k in mouth)), strict=True)
    )
    return {**found, 96: _lid_position(head, 0.5, row=0.5)}


def _cofw29(head: Surface) -> dict[int, Place]:
    brow = {
        0: _brow_position(head, 54, 0),
        2: _brow_position(head, 15, 0),
        4: _brow_position(head, 35, -1),
        5: _brow_position(head, 35, 1),
    }
    eye = {8: (0, 0), 10: (1, 0), 12: (0.5, 0), 13: (0.5, 1), 16: (0.5, 0.5)}
    rest = dict(
        zip(
            (18, 20, 21, 22, 24, 25, 26, 27, 28),
            _positions_from_68(31, 30, 33, 48, 51, 62, 66, 57, 8),
            strict=True,
        )
    )
    return {
        **brow,
        **{k: _lid_position(head, share, row=row) for k, (share, row) in eye.items()},
        **rest,
    }


def _aflw19(head: Surface) -> dict[int, Place]:
    brow = {k: _brow_position(head, x, 0) for k, x in enumerate((54, 36, 15))}
    eye = {
        6: _lid_position(head, 0, row=0),
        7: _lid_position(head, 0.5, row=0.5),
        8: _lid_position(head, 1, row=0),
    }
    rest = dict(zip((12, 13, 15, 18), _positions_from_68(31, 30, 48, 8), strict=True))
    middle = position_on_midline(head, 73.0)[1]
    return {**brow, **eye, **rest, 16: (head.mouth_rows[0] + 0.5, middle)}


def mirror_points(points: Floats, layout: str) -> Floats:
    """Return points (K, 3) of the head's frame as a mirror shows them, in the layout's order."""
    turned: Floats = points[list(LAYOUTS[layout].flip)] * np.array([-1.0, 1.0, 1.0])
    return turned
