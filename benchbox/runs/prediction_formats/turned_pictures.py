"""Predictions on pictures with an EXIF turn: of the stored pixels, or of the upright picture.

One program reads a phone's picture as it is stored (PIL, NumPy), another upright (OpenCV, a
browser). The points that both find are the same, counted in two frames; which one a file means is
decided for all of its turned pictures together, by what fits the annotations, said and recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchbox.datasets import open_protocol_dataset
from benchbox.datasets.annotated_files import box_of_marked
from benchbox.datasets.formats import exif, images
from benchbox.types import Predictions, Protocol, Truth

from .found_face import FoundFace

if TYPE_CHECKING:
    from benchbox.types import Floats

_CLOSE = 0.2  # of the face's diagonal: what a prediction in the right frame lies within
_FAR = 3.0  # times as far off in the frame that is not meant


@dataclass(frozen=True)
class TurnedPicture:
    """A picture that carries an EXIF turn."""

    orientation: int
    applied: int  # what the annotations' frame rests on: `orientation`, or 1: the stored picture
    stored: tuple[int, int]  # width, height

    @property
    def other_words(self) -> str:
        """Say which frame is not that of the annotations."""
        if self.applied == exif.UPRIGHT:
            return "the upright picture"
        return "the stored pixels"

    def from_other(self, points: Floats, *, shares: bool = False) -> Floats:
        """Bring points (…, 2), pixel frame, of the other frame into that of the annotations.

        `shares` were multiplied by width and height of the picture as it is read here.
        """
        upright = exif.turn_size(self.stored, self.orientation)
        read, other = upright, self.stored
        if self.applied == exif.UPRIGHT:
            read, other = self.stored, upright
        if shares:
            points = (points + 0.5) / np.array(read) * np.array(other) - 0.5
        if self.applied == exif.UPRIGHT:
            return exif.unturn_points(points, self.orientation, self.stored)
        return exif.turn_points(points, self.orientation, self.stored)


def find_turned(protocol: Protocol, truth: Truth, data: Path) -> dict[str, TurnedPicture]:
    """Find the test items whose pictures carry an EXIF turn; {} where no pictures are here."""
    dataset = open_protocol_dataset(protocol)
    find = getattr(dataset, "picture_files", None)
    if protocol.task != "landmarks" or find is None:
        return {}
    files: Mapping[str, Path] = find(data)
    turned: dict[str, TurnedPicture] = {}
    applied: Mapping[str, int] | None = None
    for item in truth.ids.tolist():
        file = files.get(item)
        if file is None or not file.is_file():
            continue
        orientation = exif.read_orientation(file)
        if orientation == exif.UPRIGHT:
            continue
        if applied is None:
            applied = getattr(dataset, "picture_turns", lambda _: {})(data)
        read_as = applied.get(item, exif.UPRIGHT)
        turned[item] = TurnedPicture(orientation, read_as, images.picture_size(file))
    return turned


def size_as_read(protocol: Protocol, data: Path, item: str, file: Path) -> tuple[int, int]:
    """Return width and height of a picture in the annotations' frame."""
    stored = images.picture_size(file)
    if exif.read_orientation(file) == exif.UPRIGHT:
        return stored
    dataset = open_protocol_dataset(protocol)
    applied: Mapping[str, int] = getattr(dataset, "picture_turns", lambda _: {})(data)
    return exif.turn_size(stored, applied.get(item, exif.UPRIGHT))


def turn_predictions(
    truth: Truth,
    predictions: Predictions,
    turned: Mapping[str, TurnedPicture],
    origin: float,
) -> tuple[Predictions, str]:
    """Bring predictions of the other frame into that of the annotations; "" where none are.

    Predictions are in the order of the truth, both in the dataset's own frame.
    """
    rows = [row for row, item in enumerate(truth.ids.tolist()) if item in turned]
    if not rows:
        return predictions, ""
    moved = predictions.values.copy()
    for row in rows:
        picture = turned[str(truth.ids[row])]
        moved[row] = picture.from_other(predictions.values[row] - origin) + origin
    other = replace(predictions, values=moved)
    if not fits_better(truth, predictions, other, rows):
        return predictions, ""
    return other, describe_turn([turned[str(truth.ids[row])] for row in rows])


def fits_better(truth: Truth, given: Predictions, other: Predictions, rows: Sequence[int]) -> bool:
    """Tell whether predictions of turned pictures fit in the other frame, and not as given."""
    as_given, turned = _typical_error(truth, given, rows), _typical_error(truth, other, rows)
    return turned < _CLOSE and turned * _FAR < as_given


def turn_faces(
    faces: Sequence[FoundFace],
    picture_of: Callable[[FoundFace], TurnedPicture | None],
    origin: float,
    *,
    shares: bool,
) -> list[FoundFace]:
    """Return detections with those on turned pictures brought over from the other frame."""
    moved = []
    for face in faces:
        picture = picture_of(face)
        points = face.points
        if picture is not None:
            points = picture.from_other(points - origin, shares=shares) + origin
        moved.append(replace(face, points=points))
    return moved


def describe_turn(pictures: Sequence[TurnedPicture]) -> str:
    """Say for the record that predictions were turned.

    >>> describe_turn([TurnedPicture(6, 6, (640, 480))])
    'predictions on 1 pictures with an EXIF turn count on the stored pixels: turned like the labels'
    """
    return (
        f"predictions on {len(pictures)} pictures with an EXIF turn count on "
        f"{pictures[0].other_words}: turned like the labels"
    )


def _typical_error(truth: Truth, predictions: Predictions, rows: Sequence[int]) -> float:
    """Return the median over faces of the mean distance, in diagonals; infinite without answers."""
    boxes = box_of_marked(truth.values[rows])
    diagonals = np.hypot(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    distances = np.linalg.norm(predictions.values[rows] - truth.values[rows], axis=2)
    known = np.isfinite(distances)
    sums = np.where(known, distances, 0.0).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        errors = sums / known.sum(axis=1) / diagonals
    return float(np.median(np.where(np.isfinite(errors), errors, np.inf)))
