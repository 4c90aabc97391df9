"""Landmark layouts: what each index means, which points swap in a mirror, where the eyes are.

Left and right are the picture's: point 36 of the 68 is the outer corner of the eye on the image's
left, which is the subject's right. Sources: iBUG 300-W mark-up (the 51, 49 and 66 subsets are those
of the 300-W and 300-VW challenges); WFLW's 98 points; COFW's 29; the 19 points that AFLW keeps when
its two ears are dropped.

98 points have no standard reduction to 68: `CONVERSIONS` names the three that are in use, and
`convert_points` applies one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .types import Layout

if TYPE_CHECKING:
    from .types import Floats


def _flip(
    count: int, *runs: tuple[range | tuple[int, ...], range | tuple[int, ...]]
) -> tuple[int, ...]:
    """Build a flip table from runs of swapping points; points in no run map to themselves."""
    table = list(range(count))
    for left, right in runs:
        for a, b in zip(left, right, strict=True):
            table[a], table[b] = b, a
    return tuple(table)


_JAW = tuple(range(17))
_INNER_LIP_CORNERS = (60, 64)

IBUG68 = Layout(
    name="ibug68",
    count=68,
    flip=_flip(
        68,
        (range(8), range(16, 8, -1)),
        (range(17, 22), range(26, 21, -1)),
        ((31, 32), (35, 34)),
        ((36, 37, 38, 39, 40, 41), (45, 44, 43, 42, 47, 46)),
        ((48, 49, 50, 59, 58), (54, 53, 52, 55, 56)),
        ((60, 61, 67), (64, 63, 65)),
    ),
    eye_corners=(36, 45),
    inner_eye_corners=(39, 42),
    eyes=(tuple(range(36, 42)), tuple(range(42, 48))),
    parts={
        "contour": _JAW,
        "left_brow": tuple(range(17, 22)),
        "right_brow": tuple(range(22, 27)),
        "nose": tuple(range(27, 36)),
        "left_eye": tuple(range(36, 42)),
        "right_eye": tuple(range(42, 48)),
        "mouth": tuple(range(48, 68)),
    },
    subsets={
        66: tuple(k for k in range(68) if k not in _INNER_LIP_CORNERS),
        51: tuple(range(17, 68)),
        49: tuple(k for k in range(17, 68) if k not in _INNER_LIP_CORNERS),
    },
)

WFLW98 = Layout(
    name="wflw98",
    count=98,
    flip=_flip(
        98,
        (range(16), range(32, 16, -1)),
        (range(33, 38), range(46, 41, -1)),  # upper edges of the brows
        (range(38, 42), range(50, 46, -1)),  # lower edges
        ((55, 56), (59, 58)),
        (range(60, 68), (72, 71, 70, 69, 68, 75, 74, 73)),
        ((76, 77, 78, 87, 86), (82, 81, 80, 83, 84)),
        ((88, 89, 95), (92, 91, 93)),
        ((96,), (97,)),
    ),
    eye_corners=(60, 72),
    inner_eye_corners=(64, 68),
    eyes=((96,), (97,)),  # the pupils themselves
    parts={
        "contour": tuple(range(33)),
        "left_brow": tuple(range(33, 42)),
        "right_brow": tuple(range(42, 51)),
        "nose": tuple(range(51, 60)),
        "left_eye": (*range(60, 68), 96),
        "right_eye": (*range(68, 76), 97),
        "mouth": tuple(range(76, 96)),
    },
    subsets={},
)

COFW29 = Layout(
    name="cofw29",
    count=29,
    flip=_flip(
        29,
        ((0, 2, 4, 5), (1, 3, 6, 7)),
        ((8, 10, 12, 13, 16), (9, 11, 14, 15, 17)),
        ((18, 22), (19, 23)),
    ),
    eye_corners=(8, 9),
    inner_eye_corners=(10, 11),
    eyes=((16,), (17,)),  # the pupils themselves
    parts={
        "contour": (28,),
        "left_brow": (0, 2, 4, 5),
        "right_brow": (1, 3, 6, 7),
        "nose": tuple(range(18, 22)),
        "left_eye": (8, 10, 12, 13, 16),
        "right_eye": (9, 11, 14, 15, 17),
        "mouth": tuple(range(22, 28)),
    },
    subsets={},
)

AFLW19 = Layout(
    name="aflw19",
    count=19,
    flip=_flip(19, ((0, 1, 2), (5, 4, 3)), ((6, 7, 8), (11, 10, 9)), ((12, 15), (14, 17))),
    eye_corners=(6, 11),
    inner_eye_corners=(8, 9),
    eyes=((7,), (10,)),  # the marked eye centres
    parts={
        "contour": (18,),
        "left_brow": (0, 1, 2),
        "right_brow": (3, 4, 5),
        "nose": (12, 13, 14),
        "left_eye": (6, 7, 8),
        "right_eye": (9, 10, 11),
        "mouth": (15, 16, 17),
    },
    subsets={},
)

LAYOUTS = {layout.name: layout for layout in (IBUG68, WFLW98, COFW29, AFLW19)}


# --- from 98 points to 68 -------------------------------------------------------------------------

# a coordinate as a weighted sum: (point of the source, weight) …
Terms = tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Conversion:
    """A reduction of one layout to another: weighted sums of the source coordinates."""

    name: str
    source: str
    target: str
    x: tuple[Terms, ...]  # one per target point
    y: tuple[Terms, ...]


def convert_points(points: Floats, conversion: Conversion) -> Floats:
    """Apply a conversion to points (…, K, 2); returns (…, target count, 2).

    Raises ValueError when K is not the source layout's count.
    """
    import numpy as np

    count = LAYOUTS[conversion.source].count
    if points.shape[-2:] != (count, 2):
        raise ValueError(f"points are {points.shape}, {conversion.source} has (…, {count}, 2)")
    axes = []
    for axis, rows in enumerate((conversion.x, conversion.y)):
        weights = np.zeros((len(rows), count))
        for row, terms in enumerate(rows):
            for point, weight in terms:
                weights[row, point] += weight
        axes.append(points[..., axis] @ weights.T)
    return np.stack(axes, axis=-1)


_UPPER_BROWS = (*range(33, 38), *range(42, 47))
# PIPNet leaves the brows' outer ends where they are
_LOWER_BROWS = (None, 41, 40, 39, 38, 50, 49, 48, 47, None)
_LIDS = (
    (37, 61, 62),
    (38, 63, 62),
    (40, 65, 66),
    (41, 67, 66),
    (43, 69, 70),
    (44, 71, 70),
    (46, 73, 74),
    (47, 75, 74),
)
_CORNERS = ((36, 60), (39, 64), (42, 68), (45, 72))


def _reduction(name: str, lids: Mapping[int, Terms], *, brows_in_the_middle: bool) -> Conversion:
    """Build a conversion: contour, nose, mouth and eye corners are common to all.

    Brows and lids differ.
    """
    rows: dict[int, Terms] = {target: ((2 * target, 1.0),) for target in range(17)}
    rows |= {27 + k: ((51 + k, 1.0),) for k in range(9)}
    rows |= {48 + k: ((76 + k, 1.0),) for k in range(20)}
    rows |= {target: ((source, 1.0),) for target, source in _CORNERS}
    rows |= dict(lids)
    rows |= {17 + k: ((upper, 1.0),) for k, upper in enumerate(_UPPER_BROWS)}
    heights = dict(rows)
    if brows_in_the_middle:
        for k, (upper, lower) in enumerate(zip(_UPPER_BROWS, _LOWER_BROWS, strict=True)):
            if lower is not None:
                heights[17 + k] = ((upper, 0.5), (lower, 0.5))
    return Conversion(name, "wflw98", "ibug68", _in_target_order(rows), _in_target_order(heights))


def _in_target_order(rows: Mapping[int, Terms]) -> tuple[Terms, ...]:
    return tuple(rows[target] for target in range(len(rows)))


def _midpoint_lids() -> dict[int, Terms]:
    """Lids half-way between corner and mid-lid, as PFLD_68points does it."""
    ends: Sequence[tuple[int, int, int]] = (
        (37, 60, 62), (38, 62, 64), (40, 64, 66), (41, 60, 66),
        (43, 68, 70), (44, 70, 72), (46, 72, 74), (47, 68, 74),
    )  # fmt: skip
    return {target: ((a, 0.5), (b, 0.5)) for target, a, b in ends}


CONVERSIONS = {
    conversion.name: conversion
    for conversion in (
        # PIPNet: brows half-way down (y only), lids two thirds of the way; its weights sum to
        # 0.999, which pulls those eight points a thousandth of the way to the picture's corner.
        _reduction(
            "pipnet",
            {target: ((near, 0.666), (mid, 0.333)) for target, near, mid in _LIDS},
            brows_in_the_middle=True,
        ),
        # PFLD_68points_Pytorch: upper brow edge as it is, lids at plain midpoints.
        _reduction("pfld68", _midpoint_lids(), brows_in_the_middle=False),
        # The mapping of indices that most scripts copy (WFLW_98_TO_DLIB_68): no arithmetic, the
        # nearest lid points.
        _reduction(
            "dlib68",
            {target: ((near, 1.0),) for target, near, _ in _LIDS},
            brows_in_the_middle=False,
        ),
    )
}
