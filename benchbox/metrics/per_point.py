"""Where each landmark goes wrong: its mean error, bias and covariance over many faces.

Definition
----------
For face i and point j with true point g, predicted point p, normaliser d_i
(`landmarks.normaliser_lengths`) and the angle a_i of the line from the left to the right outer eye
corner of the truth::

    u_ij = R(−a_i) (p_ij − g_ij) / d_i

so x runs along the eyes to the picture's right and y down the face, however the head is rolled.
Over the faces of a group: `error` = mean |u|, `bias` = mean u, and the covariance of u (population,
1/n).

Conventions
-----------
Fractions of the normaliser. Faces without an answer are left out. The mean of `error` over all
points is the group's NME. A group with fewer than `MIN_FACES` answered faces has no statistics: an
ellipse of a handful says little, and from means over very few faces beside stored predictions an
annotation could be had back, which a licensed set forbids.

Known differences of other code
-------------------------------
G&LSR's Figure 8 draws upright ellipses from the standard deviations of x and y in the picture's
axes; here ellipses lean with the covariance and the axes are the face's own, so a rolled head does
not blur what happens along a contour.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from .landmarks import CHUNK_FACES

if TYPE_CHECKING:
    from benchbox.types import Bools, Floats, Layout

MIN_FACES = 30  # answered faces of a group, below which nothing is kept
_SUMS = ("error", "x", "y", "xx", "yy", "xy")


def point_statistics(
    truth: Floats,
    predictions: Floats,
    scale: Floats,
    layout: Layout,
    groups: Mapping[str, Bools],
    failed: Bools,
) -> np.ndarray:
    """Return one row per group and point.

    Columns: group, point, count, error, bias_x, bias_y, var_x, var_y, cov_xy.

    Truth and predictions (N, K, 2) px, scale (N,) px, groups → (N,), failed (N,). Values are
    fractions in float32: below its digits machines differ. Raises ValueError for shapes that do not
    fit.
    """
    if truth.shape != predictions.shape or truth.shape[1:] != (layout.count, 2):
        raise ValueError(
            f"truth {truth.shape} and predictions {predictions.shape}, must be (N, {layout.count}, "
            "2)"
        )
    masks = np.array([inside & ~failed for inside in groups.values()]).reshape(
        len(groups), len(truth)
    )
    counts = masks.sum(axis=1)
    sums = np.zeros((len(_SUMS), len(groups), layout.count))
    for start in range(0, len(truth), CHUNK_FACES):
        rows = slice(start, start + CHUNK_FACES)
        answered = np.flatnonzero(~failed[rows])
        u = _errors_in_face_axes(
            truth[rows][answered], predictions[rows][answered], scale[rows][answered], layout
        )
        x, y = u[..., 0], u[..., 1]
        inside = masks[:, rows][:, answered].astype(np.float64)
        for place, values in enumerate((np.hypot(x, y), x, y, x * x, y * y, x * y)):
            sums[place] += inside @ values
    return _statistics_rows(
        [name for name, count in zip(groups, counts, strict=True) if count >= MIN_FACES],
        counts,
        sums,
    )


def _errors_in_face_axes(
    truth: Floats, predictions: Floats, scale: Floats, layout: Layout
) -> Floats:
    """Return the errors (N, K, 2) in the axes of each face, over its normaliser."""
    if layout.eye_corners is None:
        raise ValueError(f"layout {layout.name} marks no eye corners")
    left, right = layout.eye_corners
    along = np.subtract(truth[:, right], truth[:, left], dtype=np.float64)
    along /= np.hypot(along[:, 0], along[:, 1])[:, None]
    off = np.subtract(predictions, truth, dtype=np.float64) / scale[:, None, None]
    x = off[..., 0] * along[:, None, 0] + off[..., 1] * along[:, None, 1]
    y = off[..., 1] * along[:, None, 0] - off[..., 0] * along[:, None, 1]
    return np.stack([x, y], axis=-1)


def _statistics_rows(kept: list[str], counts: np.ndarray, sums: Floats) -> np.ndarray:
    enough = counts >= MIN_FACES
    size = sums.shape[2]
    width = max(map(len, kept), default=1)
    fields = ("error", "bias_x", "bias_y", "var_x", "var_y", "cov_xy")
    table = np.zeros(
        len(kept) * size,
        [
            ("group", f"<U{width}"),
            ("point", "<i4"),
            ("count", "<i4"),
            *((name, "<f4") for name in fields),
        ],
    )
    error, x, y, xx, yy, xy = sums[:, enough] / counts[enough][:, None]
    columns = (error, x, y, np.maximum(xx - x * x, 0), np.maximum(yy - y * y, 0), xy - x * y)
    for name, column in zip(fields, columns, strict=True):
        table[name] = column.ravel()
    table["group"] = np.repeat(np.array(kept, f"<U{width}"), size)
    table["point"] = np.tile(np.arange(size), len(kept))
    table["count"] = np.repeat(counts[enough], size)
    return table
