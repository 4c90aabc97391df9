"""Detections per picture: dlib's XML, MediaPipe's json, InsightFace's npz.

dlib: parts by name as numbers, origin 0. MediaPipe: x and y are shares of the picture's width and
height, from its corner, so pixels = share x size and the origin is 0.5; the sizes are not in the
file. InsightFace: `<picture>/kps`, `/landmark_2d_106`, `/landmark_3d_68` with a row per face,
origin 0; the third column is depth, no score.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchbox.datasets.formats.imglab import read_imglab
from benchbox.datasets.formats.marked_face import number
from benchbox.datasets.formats.point_names import number_points
from benchbox.errors import ResultError
from benchbox.file_readers.json_files import read_json
from benchbox.file_readers.numpy_files import open_npz
from benchbox.types import Layout

from .found_face import FoundFace, FoundFaces, Hints

_MEDIAPIPE = {468, 478}
# what InsightFace calls its points → layout
_INSIGHTFACE = {"kps": "five", "landmark_3d_68": "ibug68", "landmark_2d_106": "insightface106"}


def read_dlib_xml(path: Path, layout: Layout) -> FoundFaces:
    """Read boxes with parts; a part that the layout lacks is named."""
    marked = read_imglab(path)
    numbers = number_points(marked.names, layout, "", path.name)
    faces = []
    for face in marked.faces:
        points = np.full((layout.count, 2), np.nan)
        for name, mark in face.marks.items():
            points[numbers[name]] = mark.x, mark.y
        faces.append(FoundFace(points, image=face.image))
    return FoundFaces(faces, 0.0, "dlib counts from 0", layout=layout.name)


def read_mediapipe(path: Path, size_of: Callable[[str], tuple[int, int]]) -> FoundFaces:
    """Read a json picture → faces, of face_mesh or of the newer tasks.

    `size_of` returns width and height of a picture, or raises ResultError.
    """
    content = read_json(path)
    faces = []
    for image, entry in content.items():
        for row, points in enumerate(_mediapipe_faces(entry, f"{path.name}: {image}"), start=1):
            where = f"{path.name}: {image}, face {row}"
            if len(points) not in _MEDIAPIPE:
                raise ResultError(f"{where}: {len(points)} points, MediaPipe has 478 or 468")
            pairs = [(number(p.get("x"), where), number(p.get("y"), where)) for p in points]
            shares = np.full((478, 2), np.nan)
            shares[: len(pairs)] = pairs
            faces.append(FoundFace(shares * np.array(size_of(image)), image=image))
    return FoundFaces(
        faces, 0.5, "shares count from the corner", layout="mediapipe478", shares=True
    )


def _mediapipe_faces(entry: Any, where: str) -> list[list[dict[str, Any]]]:
    """Return the points of each face, of either shape of the json."""
    found: Any = entry
    if isinstance(entry, dict):
        found = entry.get("faceLandmarks", entry.get("face_landmarks", []))
    if not isinstance(found, list):
        raise ResultError(f"{where}: holds no list of faces")
    faces = []
    for face in found:
        points = face
        if isinstance(face, dict):
            points = face.get("landmark", face.get("landmarks"))
        if not isinstance(points, list) or not all(isinstance(point, dict) for point in points):
            raise ResultError(f"{where}: a face is not a list of x, y, z")
        faces.append(points)
    return faces


def read_insightface(path: Path, hints: Hints, wanted: Layout) -> FoundFaces:
    """Read an npz of faces per picture; the array whose layout is the card's, or `field`."""
    kind = hints.field or {layout: name for name, layout in _INSIGHTFACE.items()}.get(wanted.name)
    if kind is None or kind not in _INSIGHTFACE:
        raise ResultError(
            f"{path.name}: say --field {' | '.join(_INSIGHTFACE)} (and --layout MAP to "
            f"{wanted.name})"
        )
    faces = []
    with open_npz(path, fault=ResultError) as archive:
        for key in archive:
            image, slash, name = key.rpartition("/")
            if not slash or name != kind:
                continue
            values = archive[key]
            if values.ndim != 3 or values.shape[2] not in (2, 3) or values.dtype.kind not in "fiu":
                raise ResultError(f"{path.name}: {key} is {values.shape}, must be faces x K x 2")
            for points in values:
                faces.append(FoundFace(np.asarray(points[:, :2], np.float64), image=image))
    if not faces:
        raise ResultError(f"{path.name}: holds no <picture>/{kind}")
    return FoundFaces(faces, 0.0, "InsightFace counts from 0", layout=_INSIGHTFACE[kind])
