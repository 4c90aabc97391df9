"""Numbers of a file, written as `notation` says, to house gaze; the only place that turns them.

House gaze is (N, 2) cm from the camera, x right and y up as the viewer sees them, or (N, 3) the
vectors of `angles`: those of the camera's frame (x right of the picture, y down, z away) from the
eye to the target with every sign turned.

A point (x, y) cm is (-10 x, -10 y, 0) mm in the camera's frame: the viewer faces the camera, so x
turns round. With an eye's position it becomes a direction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from benchbox.errors import DataError
from benchbox.geometry import angles_to_vectors
from benchbox.types import GazeConvention, GazeScreen

from . import notation

if TYPE_CHECKING:
    from benchbox.types import Floats

_TOLERANCE_DEG = 0.06  # what rounding to three decimals of a radian leaves
_CM = {"cm": 1.0, "mm": 0.1, "m": 100.0}
_LENGTH_TOLERANCE = 0.01
_FEWEST_POINTS = 4  # of which a unit can be told
_FAR_OFF = 4.0  # screens


@dataclass(frozen=True, eq=False)
class GazeRows:
    """What is known of the rows of own gaze files, beside their gaze, to read further files by.

    Further files are those of predictions. Columns are (N, …); None where the set has none.
    """

    task: str  # "gaze2d" or "gaze3d"
    ids: tuple[str, ...]
    conventions: tuple[GazeConvention, ...]  # of the labels, the usual one first
    aliases: Mapping[str, str] = field(default_factory=dict)  # another name of an item → its id
    screens: tuple[GazeScreen, ...] | None = None
    eyes_mm: Floats | None = None  # (N, 3) in the camera's frame
    rotations: Floats | None = None  # (N, 3, 3) camera's frame → normalised frame

    def take(self, ids: Sequence[str]) -> GazeRows:
        """Return the rows of some ids, in their order; raises KeyError for an unknown one."""
        row_of = {name: row for row, name in enumerate(self.ids)}
        rows = [row_of[name] for name in ids]
        screens, eyes_mm, rotations = self.screens, self.eyes_mm, self.rotations
        if screens is not None:
            screens = tuple(screens[row] for row in rows)
        if eyes_mm is not None:
            eyes_mm = eyes_mm[rows]
        if rotations is not None:
            rotations = rotations[rows]
        return replace(self, ids=tuple(ids), screens=screens, eyes_mm=eyes_mm, rotations=rotations)


def read_numbers(
    numbers: Floats,
    convention: GazeConvention,
    rows: GazeRows,
    where: Sequence[str],
    *,
    labels: bool = False,
) -> Floats:
    """Turn numbers (N, D) of all rows into house gaze; a row that is wholly NaN stays NaN.

    `where` names each row in messages. `labels` demands vectors of length 1.

    Raises
    ------
    DataError
        A number cannot be what the convention says, or the set lacks what the conversion needs.
    """
    kind = notation.kind_of(convention.columns)
    if kind == "points":
        points_cm = _points_to_cm(numbers, convention, rows)
        if rows.task == "gaze2d":
            return points_cm
        return _points_to_directions(points_cm, rows)
    if rows.task == "gaze2d":
        raise DataError(
            f"{where[0] if where else 'gaze'}: {' and '.join(convention.columns)} are directions; "
            "task gaze2d wants points on the screen: columns x and y"
        )
    if kind == "angles":
        vectors = angles_to_vectors(_house_angles(numbers, convention, where))
    else:
        vectors = _house_vectors(numbers, convention, where, labels=labels)
    if convention.frame == "normalised":
        if rows.rotations is None:
            raise DataError(
                "frame normalised: the set says of no frame how it was normalised; "
                "give directions in the camera's frame"
            )
        vectors = np.einsum("nji,nj->ni", rows.rotations, vectors)
    return vectors


# --- directions -----------------------------------------------------------------------------------


def _house_angles(numbers: Floats, convention: GazeConvention, where: Sequence[str]) -> Floats:
    """Return (pitch, yaw) (N, 2) rad, up and to the picture's left positive."""
    quantities, _ = notation.split_columns(convention.columns)
    pitch_at, yaw_at = quantities.index("pitch"), quantities.index("yaw")
    degrees = np.asarray(numbers, np.float64)
    if convention.unit == "rad":
        degrees = np.degrees(degrees)
    pitch, yaw = degrees[:, pitch_at], degrees[:, yaw_at]
    too_steep = np.abs(pitch) > 90 + _TOLERANCE_DEG
    too_far = np.abs(yaw) > 180 + _TOLERANCE_DEG
    off = too_steep | too_far
    if off.any():
        row = int(np.argmax(off))
        raise DataError(
            f"{where[row]}: pitch {pitch[row]:.6g}°, yaw {yaw[row]:.6g}°: pitch lies within ±90° "
            f"and yaw within ±180°; {int(off.sum())} rows like it: another order or unit than "
            f"{', '.join(convention.columns)} in {convention.unit}, or a damaged file"
        )
    if convention.positive[pitch_at] == "down":
        pitch = -pitch
    if convention.positive[yaw_at] == "right":
        yaw = -yaw
    return np.asarray(np.radians(np.stack([pitch, yaw], axis=1)))


def _house_vectors(
    numbers: Floats, convention: GazeConvention, where: Sequence[str], *, labels: bool
) -> Floats:
    """Return unit vectors (N, 3) from the target to the eye."""
    gaze = np.zeros((len(numbers), 3))
    for column, word in enumerate(convention.positive):
        axis, sign = notation.AXES[word]
        gaze[:, axis] = sign * numbers[:, column]
    lengths = np.linalg.norm(gaze, axis=1)
    off = lengths == 0
    fault = "a vector of length 0, which has no direction"
    if labels and not off.any():
        off = np.abs(lengths - 1) > _LENGTH_TOLERANCE
        fault = "is no unit vector"
    if off.any():
        row = int(np.argmax(off))
        shown = ", ".join(f"{number:.6g}" for number in numbers[row])
        raise DataError(
            f"{where[row]}: ({shown}) {fault}; {int(off.sum())} rows like it: "
            "other columns, or a damaged file"
        )
    return np.asarray(-gaze / lengths[:, None])


# --- points ---------------------------------------------------------------------------------------


def _points_to_cm(numbers: Floats, convention: GazeConvention, rows: GazeRows) -> Floats:
    """Return points (N, 2) cm from the camera, x right and y up as the viewer sees them."""
    right_down = np.zeros((len(numbers), 2))
    for column, word in enumerate(convention.positive):
        axis, sign = notation.AXES[word]
        right_down[:, axis] = sign * numbers[:, column]
    if convention.origin == "camera":
        return np.asarray(right_down * _CM[convention.unit] * np.array([1.0, -1.0]))
    screens = rows.screens
    if screens is None:
        raise DataError(
            "points from the corner of a screen need the screen: source.gaze.screen = {width_mm, "
            "height_mm, camera_x_mm, camera_above_mm} (and width_px, height_px for pixels)"
        )
    size_mm = np.array([(screen.width_mm, screen.height_mm) for screen in screens])
    size_px = np.array([(screen.width_px, screen.height_px) for screen in screens])
    camera_mm = np.array([(screen.camera_x_mm, -screen.camera_above_mm) for screen in screens])
    _check_on_screen(right_down, size_px, convention.unit)
    if convention.unit == "px":
        if not (size_px > 0).all():
            raise DataError(
                "points in pixels need width_px and height_px of every screen in source.gaze"
            )
        corner_mm = right_down / size_px.reshape(-1, 2) * size_mm.reshape(-1, 2)
    elif convention.unit == "share":
        corner_mm = right_down * size_mm.reshape(-1, 2)
    else:
        corner_mm = right_down * (10 * _CM[convention.unit])
    return np.asarray((corner_mm - camera_mm.reshape(-1, 2)) / 10 * np.array([1.0, -1.0]))


def _check_on_screen(right_down: Floats, size_px: Floats, unit: str) -> None:
    """Refuse pixels that are shares and shares that are pixels; single points may lie far off."""
    if len(right_down) < _FEWEST_POINTS:
        return
    if unit == "share":
        off = (np.abs(right_down) > _FAR_OFF).any(axis=1)
        if off.mean() > 0.5:
            raise DataError(
                f"points reach {np.abs(right_down).max():.6g} as shares of the screen, which lie "
                "about 0 … 1: pixels or millimetres? (unit)"
            )
    if unit == "px" and size_px.size:
        off = (np.abs(right_down) > _FAR_OFF * size_px.reshape(-1, 2)).any(axis=1)
        if off.mean() > 0.5:
            raise DataError("most points lie several screens off as pixels: another unit? (unit)")
        if np.abs(right_down).max() <= 2:
            raise DataError(
                f"points reach {np.abs(right_down).max():.3g} px at most: shares of the screen? "
                "(unit)"
            )


def _points_to_directions(points_cm: Floats, rows: GazeRows) -> Floats:
    """Return the unit vectors (N, 3) from points of the camera's plane to the eyes."""
    if rows.eyes_mm is None:
        raise DataError(
            "points become directions where the eye is known: source.gaze.eye = {columns = "
            '["x=eye_x", …], positive = ["right", "down", "away"], unit = "mm"}; else task = '
            '"gaze2d"'
        )
    targets_mm = np.zeros((len(points_cm), 3))
    targets_mm[:, :2] = -10 * points_cm
    towards_eye = rows.eyes_mm - targets_mm
    lengths = np.linalg.norm(towards_eye, axis=1, keepdims=True)
    if (lengths == 0).any():
        row = int(np.argmax(lengths == 0))
        raise DataError(f"{rows.ids[row]}: the eye lies on the point it looks at; mend the file")
    vectors: Floats = towards_eye / lengths
    return vectors


def read_positions_mm(numbers: Floats, positive: Sequence[str], unit: str) -> Floats:
    """Return positions (N, 3) mm in the camera's frame: x right of the picture, y down, z away.

    >>> read_positions_mm(np.array([[1.0, 2.0, 60.0]]), ["left", "up", "away"], "cm").tolist()
    [[-10.0, -20.0, 600.0]]
    """
    positions = np.zeros((len(numbers), 3))
    for column, word in enumerate(positive):
        axis, sign = notation.AXES[word]
        positions[:, axis] = sign * numbers[:, column] * (10 * _CM[unit])
    return positions
