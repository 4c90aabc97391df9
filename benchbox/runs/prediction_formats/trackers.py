"""OpenFace's and OpenSeeFace's CSV.

OpenFace: `x_0 … x_67, y_0 … y_67`, lower case, are the landmarks in px (upper case are mm,
`eye_lmk` the eyes); blanks stand before names. A row with success 0 holds numbers all the same
and is a face without an answer. FaceLandmarkImg writes a CSV per picture, with `face` and without
`frame`; a picture without a face has a header only. OpenSeeFace: `Landmark[0].X …`, 66 points
that are not those of 300-VW. Both count from 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchbox.datasets.formats.marked_face import list_files
from benchbox.errors import ResultError
from benchbox.number_text import parse_number, parse_numbers

from .found_face import FoundFace, FoundFaces, Hints, read_frame_names, read_rows


def read_openface(path: Path, hints: Hints) -> FoundFaces:
    """Read a sequence, or a folder of CSVs of single pictures (or one of them)."""
    files = [path]
    if path.is_dir():
        files = list_files(path, (".csv",))
    faces: list[FoundFace] = []
    lost = 0
    for file in files:
        rows = read_rows(file)
        if rows and "frame" in rows[0]:
            names = read_frame_names(hints.frames, file.name)
            for row in rows:
                if row.get("success") == "0":
                    lost += 1
                    continue
                image = _frame_image(names, row["frame"], file)
                faces.append(FoundFace(_openface_points(row, file), image=image))
            continue
        for row in rows:
            faces.append(FoundFace(_openface_points(row, file), image=file.stem))
    notes = []
    if lost:
        notes.append(f"{lost} rows say success 0: faces without an answer")
    return FoundFaces(faces, 0.0, "OpenFace counts from 0", notes=notes)


def read_openseeface(path: Path, hints: Hints) -> FoundFaces:
    """Read a log of facetracker.py."""
    names = read_frame_names(hints.frames, path.name)
    faces = []
    for row in read_rows(path):
        points = _columns(row, "Landmark[{}].X", "Landmark[{}].Y", path)
        faces.append(FoundFace(points, image=_frame_image(names, row.get("Frame", ""), path)))
    return FoundFaces(faces, 0.0, "OpenSeeFace counts from 0", layout="openseeface66")


def _openface_points(row: Mapping[str, str], path: Path) -> np.ndarray:
    return _columns(row, "x_{}", "y_{}", path)


def _columns(row: Mapping[str, str], across: str, down: str, path: Path) -> np.ndarray:
    points: list[Sequence[float]] = []
    while across.format(len(points)) in row:
        number = len(points)
        try:
            x, y = row[across.format(number)], row[down.format(number)]
            points.append(tuple(parse_numbers([x, y])))
        except (KeyError, ValueError) as fault:
            raise ResultError(f"{path.name}: point {number} is not two numbers") from fault
    if not points:
        raise ResultError(f"{path.name}: has no columns {across.format(0)}, {down.format(0)} …")
    return np.array(points)


def _frame_image(names: Mapping[int, str], text: str, path: Path) -> str:
    try:
        frame = int(parse_number(text))
    except ValueError as fault:
        raise ResultError(f"{path.name}: the frame {text[:20]!r} is no number") from fault
    if frame not in names:
        raise ResultError(f"{path.name}: frame {frame} is not in --frames: which picture is it?")
    return names[frame]
