"""Landmark schemes as facts: what each index means, which points swap in a mirrored picture, where the eyes are.

Left and right are the picture's: point 36 of the 68 is the outer corner of the eye on the image's left, which is the
subject's right. Sources: iBUG 300-W mark-up; the 51, 49 and 66 subsets are those of the 300-W and 300-VW challenges.
"""

from __future__ import annotations

from .types import Layout


def _flip(count: int, *runs: tuple[range | tuple[int, ...], range | tuple[int, ...]]) -> tuple[int, ...]:
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

LAYOUTS = {layout.name: layout for layout in (IBUG68,)}
