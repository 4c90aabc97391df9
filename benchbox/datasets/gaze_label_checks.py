"""Whether gaze can be gaze: unit length, sides, units, and how it goes with the head's pose."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from benchbox.geometry import vectors_to_angles
from benchbox.types import Index

from .label_fault import LabelFault, count_items, name_items

if TYPE_CHECKING:
    from benchbox.types import Floats

UNIT_SLACK = 1e-3  # of the length of a direction
LARGEST_GAZE_CM = 100.0
LEAST_GAZE_SPREAD_DEG = 0.5  # standard deviation over a set of many
LEAST_GAZE_SPREAD_CM = 0.2
FEWEST_DIRECTIONS = 30  # of which sign, spread and the head tell something
LARGEST_SHARE = 1.05  # cm: no screen is as small
_STRAIGHT_ON = ((0.0, 0.0, 1.0), (0.0, 0.0, -1.0))  # angles of 0
_NOWHERE = ((0.0, 0.0), (-1.0, -1.0))
MANY_ITEMS = 50  # of which a spread or a mean tells something


def find_direction_faults(index: Index) -> Iterator[LabelFault]:
    """Look at directions (N, 3): unit length, towards the camera, not all the same."""
    values = np.asarray(index.values, np.float64)
    length = np.linalg.norm(values, axis=1)
    off = np.flatnonzero(~(np.abs(length - 1) <= UNIT_SLACK))
    if len(off):
        what = (
            f"{count_items(off, index)} have a direction that is no unit vector, the first one of "
            f"length {length[off[0]]:.3g}: {name_items(index, off)}"
        )
        yield LabelFault("directions of gaze", what, final=True)
        return
    yield from _repeated_answer_faults(index, values, _STRAIGHT_ON, "straight on, to the last bit")
    if len(values) < FEWEST_DIRECTIONS:
        return
    if values[:, 2].mean() < 0:
        what = (
            "most directions point away from the camera: the sign of gaze looks turned (a "
            f"direction points from the target to the eye); first {name_items(index, [0])}"
        )
        yield LabelFault("directions of gaze", what)
        return
    angles_deg = np.degrees(vectors_to_angles(values))
    spread = angles_deg.std(axis=0)
    if (spread < LEAST_GAZE_SPREAD_DEG).all():
        what = (
            f"gaze spreads over {spread[0]:.2f}° of pitch and {spread[1]:.2f}° of yaw in "
            f"{len(values)} items: radians that were taken for degrees, or one label throughout? "
            f"First {name_items(index, [0])}"
        )
        yield LabelFault("directions of gaze", what)
        return
    yield from _head_faults(index, angles_deg)


def _head_faults(index: Index, gaze_deg: Floats) -> Iterator[LabelFault]:
    """Compare gaze with the head's pose, within each person: eyes and head turn the same way."""
    head = index.meta.get("head_pose")
    if head is None or head.shape != gaze_deg.shape or not np.isfinite(head).all():
        return
    gaze, pose = _centre_per_cluster(gaze_deg, index), _centre_per_cluster(head, index)
    scale = np.outer(gaze.std(axis=0), pose.std(axis=0))
    if not (scale > 0).all():
        return
    together = (gaze.T @ pose / len(gaze)) / scale  # [pitch, yaw] of gaze against those of the head
    straight = float(np.trace(together))
    crosswise = float(np.abs(together[0, 1]) + np.abs(together[1, 0]))
    fault = ""
    if crosswise > abs(straight) + 0.5:
        fault = "pitch and yaw of one of them look exchanged"
    elif together[1, 1] < -0.3:
        fault = "the sign of one yaw looks turned"
    elif together[0, 0] < -0.3:
        fault = "the sign of one pitch looks turned"
    if fault:
        what = (
            f"gaze goes against the head's pose ({fault}): pitch with pitch {together[0, 0]:.2f}, "
            f"yaw with yaw {together[1, 1]:.2f}, crosswise {together[0, 1]:.2f} and "
            f"{together[1, 0]:.2f}; first {name_items(index, [0])}"
        )
        yield LabelFault("pitch and yaw", what)


def _centre_per_cluster(columns: Floats, index: Index) -> Floats:
    """Subtract from columns (N, 2) the mean of each cluster."""
    _, which, counts = np.unique(index.clusters, return_inverse=True, return_counts=True)
    means = np.empty((len(counts), 2))
    for axis in range(2):
        means[:, axis] = np.bincount(which, columns[:, axis]) / counts
    return np.asarray(columns - means[which])


def find_screen_faults(index: Index) -> Iterator[LabelFault]:
    """Look at places on a screen (N, 2) cm."""
    values = np.asarray(index.values, np.float64)
    off = np.flatnonzero(~(np.abs(values) <= LARGEST_GAZE_CM).all(axis=1))
    if len(off):
        x, y = values[off[0]]
        what = (
            f"{count_items(off, index)} look further than {LARGEST_GAZE_CM:.0f} cm from the "
            f"camera, the first one at ({x:g}, {y:g}): millimetres or pixels of a screen? "
            f"{name_items(index, off)}"
        )
        yield LabelFault("places on a screen", what, final=True)
        return
    yield from _repeated_answer_faults(index, values, _NOWHERE, "at exactly (0, 0) or (-1, -1)")
    spread = values.std(axis=0)
    if len(values) >= MANY_ITEMS and (spread < LEAST_GAZE_SPREAD_CM).all():
        what = (
            f"places on the screen spread over {spread[0]:.2f} x {spread[1]:.2f} cm in "
            f"{len(values)} items: metres, shares of the screen, or one label throughout? "
            f"First {name_items(index, [0])}"
        )
        yield LabelFault("places on a screen", what)
        return
    if len(values) >= MANY_ITEMS and (np.abs(values) <= LARGEST_SHARE).all():
        what = (
            f"all {len(values)} places on the screen lie within {LARGEST_SHARE:g} cm of the "
            "camera: shares of the screen, or metres, where centimetres belong? "
            f"First {name_items(index, [0])}"
        )
        yield LabelFault("places on a screen", what)


def _repeated_answer_faults(
    index: Index, values: Floats, places: tuple[tuple[float, ...], ...], words: str
) -> Iterator[LabelFault]:
    """Name labels that are one exact number which stands for "not known", among others.

    Where labels repeat anyway, as those of a grid of targets do, nothing is found.
    """
    here = np.zeros(len(values), bool)
    for place in places:
        here |= (values == np.array(place)).all(axis=1)
    others = values[~here]
    if not here.any() or 2 * len(np.unique(others, axis=0)) <= len(others):
        return
    rows = np.flatnonzero(here)
    what = f"{count_items(rows, index)} look {words}, as no other does: placeholders? "
    yield LabelFault("placeholder of gaze", what + name_items(index, rows))
