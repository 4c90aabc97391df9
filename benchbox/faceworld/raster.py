"""Grids of points to pixels without a compiled extension: whole classes of equal triangles at once, nearest last.

Triangles of a dense grid are a few pixels wide, so they are sorted by the size of their bounding box and each class is
tested against its pixels in one broadcast. Painting order stands for a depth buffer: triangles are ranked far to near
and each pixel keeps the highest rank. What is stored per pixel is the place on the grid; everything else (texture,
light, depth) is read there afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Single = npt.NDArray[np.float32]
    Ints = npt.NDArray[np.int32]

_LARGEST = 96  # px, side of the largest triangle that is drawn; larger ones touch the camera
_SIDES = np.array([1, 2, 3, 4, 6, 9, 14, 24, 48, _LARGEST])  # windows that bounding boxes are rounded up to
_SLACK = np.float32(1e-3)  # share of a triangle that it reaches over its edge, against cracks


@dataclass(frozen=True, eq=False)
class Fragments:
    """The visible pixels of a grid and the place on the grid that each shows."""

    pixels: npt.NDArray[np.intp]  # (P,) flat indices into the picture
    column: Single  # (P,)
    row: Single  # (P,)

    def read(self, image: Any, scale: float = 1.0) -> Any:
        """Read an image over the grid (`scale` texels per cell, grid points at scale * k) at the pixels: (P, …)."""
        image = np.ascontiguousarray(image, dtype=np.float32)
        u, v = self.column, self.row
        if scale != 1.0:
            u, v = u * np.float32(scale), v * np.float32(scale)
        return _remap(image, u, v)

    def put(self, canvas: Any, colour: Any, alpha: Any = None) -> None:
        """Lay colours (P, 3) over a flat canvas (H * W, 3), by alpha (P,) if given; in place."""
        if alpha is not None:
            under = canvas.take(self.pixels, axis=0)
            colour = under + alpha[:, None] * (colour - under)
        canvas[self.pixels] = colour

    def where(self, mask: Any) -> Fragments:
        """Keep the pixels where the mask (P,) holds."""
        return Fragments(self.pixels[mask], self.column[mask], self.row[mask])


def _remap(image: Any, u: Single, v: Single) -> Any:
    # cv2.remap wants maps below 32768 on a side: fold the list of places into rows.
    count, wide = len(u), 256
    high = max(-(-count // wide), 1)
    fold = np.zeros((2, high * wide), np.float32)
    fold[0, :count], fold[1, :count] = u, v
    maps = fold.reshape(2, high, wide)
    read = cv2.remap(image, maps[0], maps[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return read.reshape(high * wide, -1)[:count] if image.ndim == 3 else read.reshape(-1)[:count]


def _corners(grid: Single, chosen: npt.NDArray[np.intp]) -> tuple[Single, Single, Single]:
    """Read the corners of chosen triangles: all a-b-c (upper left) come first, then all d-c-b (lower right)."""
    columns = grid.shape[1]
    cells = (grid.shape[0] - 1) * (columns - 1)
    lower = chosen >= cells
    row, column = np.divmod(chosen - cells * lower, columns - 1)
    a = row * columns + column
    flat = grid.reshape(-1)
    right, down = flat[a + 1], flat[a + columns]
    return flat[a + lower * (columns + 1)], np.where(lower, down, right), np.where(lower, right, down)


def _areas(x: Single, y: Single) -> Single:
    """Return twice the signed areas of all triangles, in their order."""
    ax, ay, bx, by = x[:-1, :-1], y[:-1, :-1], x[:-1, 1:], y[:-1, 1:]
    cx, cy, dx, dy = x[1:, :-1], y[1:, :-1], x[1:, 1:], y[1:, 1:]
    first = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
    second = (cx - dx) * (by - dy) - (bx - dx) * (cy - dy)
    return np.concatenate([first.ravel(), second.ravel()])


def rasterise(points: Any, depth: Any, size: int, *, facing: int = 1) -> Fragments:
    """Find what of a grid is seen in a size x size picture.

    `points` (R, C, 2) px, `depth` (R, C) growing away from the viewer. Shows the side whose columns run rightwards as
    rows run down (`facing` 1), the other one (-1), or both (0).
    """
    x, y = (np.ascontiguousarray(points[..., k], dtype=np.float32) for k in (0, 1))
    area = _areas(x, y)
    chosen = np.flatnonzero(np.abs(area) > 1e-5 if facing == 0 else area * facing > 1e-5)
    xs, ys = _corners(x, chosen), _corners(y, chosen)
    x0, y0 = (np.ceil(np.minimum(np.minimum(c[0], c[1]), c[2])) for c in (xs, ys))
    x1, y1 = (np.floor(np.maximum(np.maximum(c[0], c[1]), c[2])) for c in (xs, ys))
    seen = (x1 >= np.maximum(x0, 0)) & (y1 >= np.maximum(y0, 0)) & (x0 < size) & (y0 < size)
    seen &= np.maximum(x1 - x0, y1 - y0) < _LARGEST
    zs = _corners(np.ascontiguousarray(depth, dtype=np.float32), chosen)
    far = np.where(seen, -(zs[0] + zs[1] + zs[2]), np.inf)
    rank = np.argsort(far, kind="stable")[: int(seen.sum())]
    chosen = chosen[rank]
    plane = _planes(tuple(c[rank] for c in xs), tuple(c[rank] for c in ys), area[chosen])
    box = np.stack([x0[rank], y0[rank], x1[rank], y1[rank]]).astype(np.int32)
    front = _paint(plane, box, size)
    return _places(front, plane, chosen, depth.shape, size)


def _paint(plane: Any, box: Ints, size: int) -> Ints:
    """Return the rank of the triangle seen in each pixel, -1 where there is none."""
    front = np.full(size * size, -1, dtype=np.int32)
    if not box.shape[1]:
        return front
    wide, high = np.searchsorted(_SIDES, box[2:] - box[:2] + 1)
    kind = wide * len(_SIDES) + high
    order = np.argsort(kind, kind="stable").astype(np.int32)
    starts = np.flatnonzero(np.diff(kind[order], prepend=-1))
    for members in np.split(order, starts[1:]):
        k = members[0]
        _fill(front, members, plane, box, int(_SIDES[wide[k]]), int(_SIDES[high[k]]), size)
    return front


@lru_cache(maxsize=256)
def _window(wide: int, high: int, size: int) -> tuple[Single, Single, Ints]:
    """Return the pixels of a window as offsets right, down and in the flat picture."""
    dx, dy = np.tile(np.arange(wide), high), np.repeat(np.arange(high), wide)
    return dx.astype(np.float32), dy.astype(np.float32), (dy * size + dx).astype(np.int32)


def _places(front: Ints, plane: Any, chosen: Any, shape: tuple[int, ...], size: int) -> Fragments:
    """Turn the weights' planes into planes of column and row, then read those at the visible pixels."""
    cells = (shape[0] - 1) * (shape[1] - 1)
    lower = chosen >= cells
    row, column = np.divmod(chosen - cells * lower, shape[1] - 1)
    place = plane * np.where(lower, np.float32(-1), np.float32(1))
    place[2] += column + lower
    place[5] += row + lower
    pixels = np.flatnonzero(front >= 0)
    p = place.take(front[pixels], axis=1)
    py = (pixels // size).astype(np.float32)
    px = pixels.astype(np.float32) - py * np.float32(size)
    return Fragments(pixels, p[0] * px + p[1] * py + p[2], p[3] * px + p[4] * py + p[5])


def _planes(xs: tuple[Single, ...], ys: tuple[Single, ...], area: Single) -> Any:
    """Return the weights of the second and third corner as planes over the picture: a x + b y + c, (6, T)."""
    inverse = 1 / area
    a1, b1 = (ys[2] - ys[0]) * inverse, (xs[0] - xs[2]) * inverse
    a2, b2 = (ys[0] - ys[1]) * inverse, (xs[1] - xs[0]) * inverse
    c1, c2 = -(a1 * xs[0] + b1 * ys[0]), -(a2 * xs[0] + b2 * ys[0])
    return np.stack([a1, b1, c1, a2, b2, c2])


def _fill(front: Ints, members: Ints, plane: Any, box: Ints, wide: int, high: int, size: int) -> None:
    """Enter triangles whose bounding boxes fit the same window into the picture of ranks."""
    dx, dy, step = _window(wide, high, size)
    a1, b1, c1, a2, b2, c2 = plane.take(members, axis=1)[:, :, None]
    x0, y0 = box[:2].take(members, axis=1)
    fx, fy = x0.astype(np.float32)[:, None], y0.astype(np.float32)[:, None]
    w1 = (a1 * fx + b1 * fy + (c1 + _SLACK)) + (a1 * dx + b1 * dy)
    w2 = (a2 * fx + b2 * fy + (c2 + _SLACK)) + (a2 * dx + b2 * dy)
    inside = np.minimum(np.minimum(w1, w2), np.float32(1 + 3 * _SLACK) - (w1 + w2)) >= 0
    if x0.min() < 0 or y0.min() < 0 or x0.max() + wide > size or y0.max() + high > size:
        inside &= (fx + dx >= 0) & (fy + dy >= 0) & (fx + dx < size) & (fy + dy < size)
    hit = np.flatnonzero(inside)
    which, offset = hit // len(step), hit % len(step)
    np.maximum.at(front, (y0 * size + x0).take(which) + step.take(offset), members.take(which))
