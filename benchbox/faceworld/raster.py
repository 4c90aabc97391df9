"""Triangles to pixels without a compiled extension: all candidate pixels of all triangles at once, nearest last.

Small triangles painted far to near make a z-buffer unnecessary; what is stored per pixel is the triangle, and every
interpolated quantity follows from barycentric weights afterwards, for visible pixels only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from benchbox.types import Floats

    Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Fragments:
    """The visible pixels of a mesh."""

    pixels: Ints  # (P,) flat indices into the picture
    corners: Ints  # (P, 3) vertices of the triangle seen there
    weights: Floats  # (P, 3) barycentric

    def interpolate(self, values: Floats) -> Floats:
        """Interpolate vertex values (V,) or (V, D) at the pixels, in the values' own precision."""
        w = self.weights.astype(values.dtype)
        if values.ndim == 1:
            single: Floats = (values[self.corners] * w).sum(-1)
            return single
        total: Floats = values[self.corners[:, 0]] * w[:, :1]
        total += values[self.corners[:, 1]] * w[:, 1:2]
        total += values[self.corners[:, 2]] * w[:, 2:]
        return total


def grid_triangles(rows: int, columns: int, start: int = 0) -> Ints:
    """List the triangles (T, 3) of a grid of vertices, counter-clockwise seen from outside with y down."""
    at = np.arange(rows * columns).reshape(rows, columns) + start
    a, b, c, d = at[:-1, :-1].ravel(), at[:-1, 1:].ravel(), at[1:, :-1].ravel(), at[1:, 1:].ravel()
    return np.concatenate([np.stack([a, b, c], -1), np.stack([b, d, c], -1)])


def rasterise(points: Floats, depth: Floats, triangles: Ints, size: int, *, both: bool = False) -> Fragments:
    """Find what is seen in every pixel of a size x size picture.

    `points` (V, 2) px, `depth` (V,) growing away from the viewer, `triangles` (T, 3) clockwise on the screen (y down);
    others face away and are dropped unless `both`.
    """
    x, y = points[:, 0].astype(np.float32), points[:, 1].astype(np.float32)
    tx, ty = x[triangles], y[triangles]
    area = (tx[:, 1] - tx[:, 0]) * (ty[:, 2] - ty[:, 0]) - (tx[:, 2] - tx[:, 0]) * (ty[:, 1] - ty[:, 0])
    x0, x1 = np.ceil(tx.min(1)).clip(0, size), np.floor(tx.max(1)).clip(-1, size - 1)
    y0, y1 = np.ceil(ty.min(1)).clip(0, size), np.floor(ty.max(1)).clip(-1, size - 1)
    keep = (x1 >= x0) & (y1 >= y0) & (np.abs(area) > 1e-6 if both else area > 1e-6)
    chosen = np.flatnonzero(keep)
    chosen = chosen[np.argsort(-depth[triangles[chosen]].sum(1), kind="stable")]
    tx, ty, area = tx[chosen], ty[chosen], area[chosen]
    x0, y0 = x0[chosen].astype(np.int32), y0[chosen].astype(np.int32)
    wide = x1[chosen].astype(np.int32) - x0 + 1
    count = wide * (y1[chosen].astype(np.int32) - y0 + 1)
    which = np.repeat(np.arange(len(chosen), dtype=np.int32), count)
    step = np.arange(len(which), dtype=np.int32) - np.repeat(np.cumsum(count, dtype=np.int32) - count, count)
    down = step // wide[which]
    px = step - down * wide[which] + x0[which]
    py = down + y0[which]
    # Edge functions are affine in the pixel: weight = a x + b y + c, already divided by the area.
    inverse = 1 / area
    a0, b0 = (ty[:, 1] - ty[:, 2]) * inverse, (tx[:, 2] - tx[:, 1]) * inverse
    c0 = (tx[:, 1] * ty[:, 2] - tx[:, 2] * ty[:, 1]) * inverse
    a1, b1 = (ty[:, 2] - ty[:, 0]) * inverse, (tx[:, 0] - tx[:, 2]) * inverse
    c1 = (tx[:, 2] * ty[:, 0] - tx[:, 0] * ty[:, 2]) * inverse
    w0 = a0[which] * px + b0[which] * py + c0[which]
    w1 = a1[which] * px + b1[which] * py + c1[which]
    inside = np.flatnonzero((w0 >= -1e-3) & (w1 >= -1e-3) & (w0 + w1 <= 1.001))
    flat = py[inside] * size + px[inside]
    front = np.full(size * size, -1, dtype=np.int32)
    front[flat] = inside  # the last write, the nearest triangle, stays
    pixels = np.flatnonzero(front >= 0)
    best = front[pixels]
    u, v = w0[best], w1[best]
    return Fragments(pixels, triangles[chosen[which[best]]], np.stack([u, v, 1 - u - v], -1))
