"""Grids of points to pixels without a compiled extension.

The scan lines of all triangles at once, nearest last.

Painting order stands for a depth buffer: the small triangles of a grid are sorted far to near, and
where several write a pixel the last one stays. What is stored per pixel is the place on the grid;
everything else (texture, light, depth) is read there afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Single = npt.NDArray[np.float32]
    Ints = npt.NDArray[np.int32]

_LARGEST = 96  # px, side of the largest triangle that is drawn; larger ones touch the camera
_SLACK = np.float32(1e-3)  # share of a triangle that it reaches over its edge, against cracks


@dataclass(frozen=True, eq=False)
class Fragments:
    """The visible pixels of a grid and the place on the grid that each shows."""

    pixels: npt.NDArray[np.intp]  # (P,) flat indices into the picture
    column: Single  # (P,)
    row: Single  # (P,)

    def read(self, image: Any, scale: float = 1.0) -> Any:
        """Read an image over the grid at the pixels: (P, …).

        The image has `scale` texels per cell; grid points are at scale * k.
        """
        image = np.ascontiguousarray(image, dtype=np.float32)
        u, v = self.column, self.row
        if scale != 1.0:
            u, v = u * np.float32(scale), v * np.float32(scale)
        return _remap_list(image, u, v)

    def put(self, canvas: Any, colour: Any, alpha: Any = None) -> None:
        """Lay colours (P, 3) over a flat canvas (H * W, 3), by alpha (P,) if given; in place."""
        if alpha is not None:
            under = canvas.take(self.pixels, axis=0)
            colour = under + alpha[:, None] * (colour - under)
        canvas[self.pixels] = colour

    def where(self, mask: Any) -> Fragments:
        """Keep the pixels where the mask (P,) holds."""
        return Fragments(self.pixels[mask], self.column[mask], self.row[mask])


def _remap_list(image: Any, u: Single, v: Single) -> Any:
    # cv2.remap wants maps below 32768 on a side: fold the list of places into rows.
    count, wide = len(u), 256
    high = max(-(-count // wide), 1)
    fold = np.zeros((2, high * wide), np.float32)
    fold[0, :count], fold[1, :count] = u, v
    maps = fold.reshape(2, high, wide)
    read = cv2.remap(image, maps[0], maps[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return read.reshape(high * wide, -1)[:count] if image.ndim == 3 else read.reshape(-1)[:count]


def _triangle_corners(grid: Single, chosen: npt.NDArray[np.intp]) -> tuple[Single, Single, Single]:
    """Read the corners of chosen triangles.

    All a-b-c (upper left) come first, then all d-c-b (lower right).
    """
    columns = grid.shape[1]
    cells = (grid.shape[0] - 1) * (columns - 1)
    lower = chosen >= cells
    row, column = np.divmod(chosen - cells * lower, columns - 1)
    a = row * columns + column
    flat = grid.reshape(-1)
    right, down = flat[a + 1], flat[a + columns]
    return (
        flat[a + lower * (columns + 1)],
        np.where(lower, down, right),
        np.where(lower, right, down),
    )


def _signed_areas(x: Single, y: Single) -> Single:
    """Return twice the signed areas of all triangles, in their order."""
    ax, ay, bx, by = x[:-1, :-1], y[:-1, :-1], x[:-1, 1:], y[:-1, 1:]
    cx, cy, dx, dy = x[1:, :-1], y[1:, :-1], x[1:, 1:], y[1:, 1:]
    first = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
    second = (cx - dx) * (by - dy) - (bx - dx) * (cy - dy)
    return np.concatenate([first.ravel(), second.ravel()])


def rasterise_grid(points: Any, depth: Any, size: int, *, facing: int = 1) -> Fragments:
    """Find what of a grid is seen in a size x size picture.

    `points` (R, C, 2) px, `depth` (R, C) growing away from the viewer. Shows the side whose columns
    run rightwards as rows run down (`facing` 1), the other one (-1), or both (0).
    """
    x, y = (np.ascontiguousarray(points[..., k], dtype=np.float32) for k in (0, 1))
    area = _signed_areas(x, y)
    chosen = np.flatnonzero(np.abs(area) > 1e-5 if facing == 0 else area * facing > 1e-5)
    xs, ys = _triangle_corners(x, chosen), _triangle_corners(y, chosen)
    x0, y0 = (np.ceil(np.minimum(np.minimum(c[0], c[1]), c[2])) for c in (xs, ys))
    x1, y1 = (np.floor(np.maximum(np.maximum(c[0], c[1]), c[2])) for c in (xs, ys))
    seen = (x1 >= np.maximum(x0, 0)) & (y1 >= np.maximum(y0, 0)) & (x0 < size) & (y0 < size)
    seen &= np.maximum(x1 - x0, y1 - y0) < _LARGEST
    zs = _triangle_corners(np.ascontiguousarray(depth, dtype=np.float32), chosen)
    rank = _sort_far_to_near(zs[0] + zs[1] + zs[2], seen)
    chosen = chosen[rank]
    plane = _weight_planes(tuple(c[rank] for c in xs), tuple(c[rank] for c in ys), area[chosen])
    box = np.stack([x0[rank], y0[rank], x1[rank], y1[rank]]).astype(np.int32)
    front = _front_triangles(plane, box, size)
    return _grid_positions(front, plane, chosen, depth.shape, size)


def _sort_far_to_near(depth: Single, seen: Any) -> Any:
    """Order the seen triangles; sixteen bits of depth are plenty and sort several times as fast."""
    kept = np.flatnonzero(seen)
    if not len(kept):
        return kept
    z = depth[kept]
    near, far = float(z.min()), float(z.max())
    steps = ((far - z) * np.float32(65535 / max(far - near, 1e-3))).astype(np.uint16)
    return kept[np.argsort(steps, kind="stable")]


def _front_triangles(plane: Any, box: Ints, size: int) -> Ints:
    """Return the rank of the triangle seen in each pixel, -1 where there is none."""
    front = np.full(size * size, -1, dtype=np.int32)
    y0, y1 = np.maximum(box[1], 0), np.minimum(box[3], size - 1)
    tall = y1 - y0 + 1
    which = np.repeat(np.arange(len(tall), dtype=np.int32), tall)
    y = np.arange(len(which), dtype=np.int32) - (np.cumsum(tall, dtype=np.int32) - tall - y0).take(
        which
    )
    left, right = _line_spans(plane, box, size, which, y.astype(np.float32))
    wide = np.maximum(right - left + 1, 0)
    # Triangles come far to near and the last write stays, so the nearest is seen.
    first = y * size + left - (np.cumsum(wide, dtype=np.int32) - wide)
    front[np.repeat(first, wide) + np.arange(int(wide.sum()), dtype=np.int32)] = np.repeat(
        which, wide
    )
    return front


def _line_spans(plane: Any, box: Ints, size: int, which: Ints, y: Single) -> tuple[Ints, Ints]:
    """Return the first and last pixel of each triangle's stretch of a line.

    Where all three weights are positive.
    """
    a1, b1, c1, a2, b2, c2 = plane
    a = np.stack([a1, a2, -a1 - a2])
    level = np.abs(a) < 1e-9  # an edge along the line bounds nothing that the box does not
    inverse = -1 / np.where(level, np.float32(1), a)
    slope = np.stack([b1, b2, -b1 - b2]) * inverse
    start = (np.stack([c1, c2, 1 - c1 - c2]) + _SLACK) * inverse
    left = np.maximum(box[0], 0).astype(np.float32).take(which)
    right = np.minimum(box[2], size - 1).astype(np.float32).take(which)
    count, each = a.shape[1], np.arange(a.shape[1])
    # One or two edges bound a triangle on either side; where it is one, it is taken twice.
    for side, bound, limit in (
        ((a > 0) & ~level, left, np.maximum),
        ((a < 0) & ~level, right, np.minimum),
    ):
        for first, last in ((0, 2), (2, 0)):
            edge = (
                np.where(side[first], first * count, np.where(side[1], count, last * count)) + each
            )
            m, q = slope.take(edge).take(which), start.take(edge).take(which)
            m *= y
            m += q
            limit(bound, m, out=bound)
    return np.ceil(left).astype(np.int32), np.floor(right).astype(np.int32)


def _grid_positions(
    front: Ints, plane: Any, chosen: Any, shape: tuple[int, ...], size: int
) -> Fragments:
    """Turn the weights' planes into planes of column and row, read at the visible pixels."""
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


def _weight_planes(xs: tuple[Single, ...], ys: tuple[Single, ...], area: Single) -> Any:
    """Return the weights of the second and third corner as planes over the picture.

    A x + b y + c, (6, T).
    """
    inverse = 1 / area
    a1, b1 = (ys[2] - ys[0]) * inverse, (xs[0] - xs[2]) * inverse
    a2, b2 = (ys[0] - ys[1]) * inverse, (xs[1] - xs[0]) * inverse
    c1, c2 = -(a1 * xs[0] + b1 * ys[0]), -(a2 * xs[0] + b2 * ys[0])
    return np.stack([a1, b1, c1, a2, b2, c2])
