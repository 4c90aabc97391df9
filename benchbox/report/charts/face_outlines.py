"""Lines that make a face of landmarks: contour, brows, nose, eyes and mouth, by layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from benchbox.layouts import LAYOUTS

from .chart_values import FaceLine

# Lines through the points of a layout in their order; layouts without any are drawn as dots.
_CLOSED: Mapping[str, tuple[range, ...]] = {
    "ibug68": (range(36, 42), range(42, 48), range(48, 60), range(60, 68)),
    "wflw98": (
        range(33, 42),
        range(42, 51),
        range(60, 68),
        range(68, 76),
        range(76, 88),
        range(88, 96),
    ),
}
_OPEN: Mapping[str, tuple[range, ...]] = {
    "ibug68": (range(17), range(17, 22), range(22, 27), range(27, 31), range(31, 36)),
    "wflw98": (range(33), range(51, 55), range(55, 60)),
}
_PARTS_OF_68 = {"ibug66": 66, "ibug51": 51, "ibug49": 49}


@cache
def outline_of(layout: str) -> tuple[FaceLine, ...]:
    """Return the lines of a layout, () where none are known.

    >>> [line.points[0] for line in outline_of("ibug51")], outline_of("five")
    ([0, 5, 10, 14, 19, 25, 31, 43], ())
    """
    if layout in _PARTS_OF_68:
        return _lines_of_subset(LAYOUTS["ibug68"].subsets[_PARTS_OF_68[layout]])
    lines = [FaceLine(tuple(part), closed=False) for part in _OPEN.get(layout, ())]
    lines += [FaceLine(tuple(part), closed=True) for part in _CLOSED.get(layout, ())]
    return tuple(lines)


def _lines_of_subset(points: Sequence[int]) -> tuple[FaceLine, ...]:
    """Return the lines of the 68 points that have some of `points`, in the numbers of those."""
    places = {point: place for place, point in enumerate(points)}
    lines = []
    for line in outline_of("ibug68"):
        kept = tuple(places[point] for point in line.points if point in places)
        if kept:
            lines.append(FaceLine(kept, line.closed))
    return tuple(lines)
