"""Predictions as bare arrays: a folder of .pts, .mat, .npy with names, Parquet.

What they cannot say is asked for: `.mat` its origin, `.npy` its names. Pickled objects are refused
with the way out. A `.mat` of N x 2K numbers holds x y x y … or all x before all y: the one that is
a face is taken, the other is nonsense.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox.datasets import shape_fit
from benchbox.datasets.formats.marked_face import list_files
from benchbox.datasets.formats.pts import read_any_pts
from benchbox.errors import ResultError
from benchbox.file_readers import hdf5_files, matlab_files, parquet_files
from benchbox.file_readers.bounds import LARGEST_ARRAYS
from benchbox.file_readers.numpy_files import map_npy
from benchbox.file_readers.regular_files import read_text

from .found_face import FoundFace, FoundFaces, Hints

if TYPE_CHECKING:
    from benchbox.types import Floats, Layout

_ANNOTATED = re.compile(r"(.+)#(\d+)")  # pair#2: the second annotated face of pair
_COORDINATE = re.compile(r"([xy])_?(\d+)")


def read_pts(path: Path, hints: Hints) -> FoundFaces:
    """Read a folder of .pts files, called as the test items are; all zero or NaN is no answer."""
    del hints
    faces = []
    for file in list_files(path, (".pts",)):
        points = read_any_pts(file)
        if not points.any():
            continue
        name = file.stem
        if path.is_dir():
            name = file.relative_to(path).with_suffix("").as_posix()
        faces.append(FoundFace(points, item=name))
    return FoundFaces(
        faces, 1.0, ".pts count from 1, as iBUG's; --origin 0 where a script wrote them"
    )


# --- npy ------------------------------------------------------------------------------------------


def read_npy(path: Path, hints: Hints) -> FoundFaces:
    """Read a stack (N, K, 2 or 3) whose rows a text of the same name, or --names, calls."""
    stack = map_npy(path, largest=LARGEST_ARRAYS, fault=ResultError)
    if stack.ndim != 3 or stack.shape[2] not in (2, 3) or stack.dtype.kind not in "fiu":
        raise ResultError(f"{path.name}: is {stack.dtype} {stack.shape}, must be N x K x 2 numbers")
    names_file = hints.names or path.with_suffix(".txt")
    if not names_file.is_file():
        raise ResultError(
            f"{path.name}: rows have no names: say --names FILE, the id of each row in a line"
        )
    names = [line.strip() for line in read_text(names_file).splitlines() if line.strip()]
    if len(names) != len(stack):
        raise ResultError(
            f"{names_file.name}: {len(names)} names, {path.name} has {len(stack)} rows"
        )
    faces = []
    for name, points in zip(names, stack, strict=True):
        faces.append(_named_face(name, np.asarray(points[:, :2], np.float64)))
    return FoundFaces(faces, 0.0, "arrays count from 0")


def _named_face(name: str, points: Floats) -> FoundFace:
    match = _ANNOTATED.fullmatch(name)
    if match:
        return FoundFace(points, image=match[1], number=int(match[2]))
    return FoundFace(points, item=name)


# --- mat ------------------------------------------------------------------------------------------


def read_mat(path: Path, hints: Hints, layout: Layout) -> FoundFaces:
    """Read a variable of points and one of names, MATLAB 5 or 7.3."""
    if matlab_files.is_v73(path, ResultError):
        variables, names = _read_v73(path)
    else:
        variables, names = _read_v5(path)
    if hints.field:
        variables = {key: value for key, value in variables.items() if key == hints.field}
    if len(variables) != 1:
        found = ", ".join(variables) or "none"
        raise ResultError(f"{path.name}: which variable? --field NAME; arrays of numbers: {found}")
    if not names:
        raise ResultError(f"{path.name}: holds no cell of names, one for each face")
    key, value = next(iter(variables.items()))
    stack = _stack(value, len(names), layout, f"{path.name}: {key}")
    faces = [FoundFace(points, item=name) for name, points in zip(names, stack, strict=True)]
    return FoundFaces(faces, None, "a .mat does not say; MATLAB itself counts from 1")


def _read_v5(path: Path) -> tuple[dict[str, np.ndarray], list[str]]:
    content = matlab_files.read_v5(path, None, fault=ResultError)
    variables: dict[str, np.ndarray] = {}
    names: list[str] = []
    for key, value in content.items():
        if value.dtype.kind in "fiu" and value.size > 2:
            variables[key] = np.asarray(value, np.float64)
        elif value.dtype.kind == "O":
            names = matlab_files.read_texts(value, f"{path.name}: {key}", ResultError)
        elif value.dtype.kind == "U":
            names = [str(text).strip() for text in value.ravel()]
    return variables, names


def _read_v73(path: Path) -> tuple[dict[str, np.ndarray], list[str]]:
    variables: dict[str, np.ndarray] = {}
    names: list[str] = []
    with matlab_files.open_v73(path) as file:
        for key in file:
            value = hdf5_files.find_member(file, key, path.name, ResultError)
            if key.startswith("#") or not hasattr(value, "dtype"):
                continue
            if value.dtype.kind == "O":  # references to texts
                names += hdf5_files.read_texts(file, value, f"{path.name}: {key}", ResultError)
            elif value.dtype.kind in "fiu" and value.size > 2:
                # h5py shows MATLAB's column-major arrays transposed
                stored = hdf5_files.read_dataset(value, f"{path.name}: {key}", ResultError)
                variables[key] = np.asarray(stored.T, np.float64)
    return variables, names


def _stack(value: np.ndarray, count: int, layout: Layout, where: str) -> Floats:
    """Bring (K, 2, N), (N, K, 2), (2, K, N) or (N, 2K) into (N, K, 2)."""
    if value.ndim == 2 and value.shape[0] == 2 and count == 1:
        value = value.T[:, :, None]
    if value.ndim == 3:
        return _stack_of_three(value, count, where)
    if value.ndim == 2 and value.shape[0] == count and value.shape[1] % 2 == 0:
        return _stack_of_rows(value, layout, where)
    raise ResultError(f"{where} is {value.shape}, which does not go with {count} names")


def _stack_of_three(value: np.ndarray, count: int, where: str) -> Floats:
    axes: list[tuple[int, int, int]] = []
    for order in ((2, 0, 1), (0, 1, 2), (2, 1, 0), (0, 2, 1)):
        turned = value.transpose(order).shape
        if turned[0] == count and turned[2] == 2 and order not in axes:
            axes.append(order)
    if len(axes) != 1:
        raise ResultError(f"{where} is {value.shape}, {len(axes)} readings go with {count} names")
    return np.ascontiguousarray(value.transpose(axes[0]))


def _stack_of_rows(value: np.ndarray, layout: Layout, where: str) -> Floats:
    pairs: Floats = value.reshape(len(value), -1, 2)
    halves: Floats = np.ascontiguousarray(value.reshape(len(value), 2, -1).transpose(0, 2, 1))
    if pairs.shape[1] != layout.count or not shape_fit.has_mean_face(layout.name):
        raise ResultError(
            f"{where} is {value.shape}: x y x y … or all x before all y? reshape it to N x K x 2"
        )
    fits = []
    for stack in (pairs, halves):
        fits.append(float(np.median(shape_fit.fit_mean_face(stack, layout.name).residual)))
    return pairs if fits[0] <= fits[1] else halves


# --- parquet --------------------------------------------------------------------------------------


def read_parquet(path: Path, hints: Hints) -> FoundFaces:
    """Read a table: id (else image) and x0, y0, …, or landmarks; or image, face, point, x, y."""
    del hints
    table = parquet_files.read_parquet(path, ResultError)
    columns = table.column_names
    doubled = [name for name in columns if columns.count(name) > 1]
    if doubled:
        raise ResultError(f"{path.name}: the column {doubled[0][:40]!r} is there twice")
    if {"point", "x", "y"} <= set(columns) and {"image", "id"} & set(columns):
        faces = _long_faces(table, path)
    elif {"image", "id"} & set(columns) and "landmarks" in columns:
        faces = _nested_faces(table, path)
    elif {"image", "id"} & set(columns) and "x0" in columns:
        faces = _wide_faces(table, path)
    else:
        raise ResultError(
            f"{path.name}: has the columns {', '.join(columns[:8])}; needs id,x0,y0,… or "
            "id,landmarks or image,face,point,x,y"
        )
    return FoundFaces(faces, in_own_frame=True, origin_reason="the annotations' frame")


def _wide_faces(table: Any, path: Path) -> list[FoundFace]:
    columns = set(table.column_names)
    count = (sum(_COORDINATE.fullmatch(name) is not None for name in columns) + 1) // 2
    axes = []
    for axis in "xy":
        names = [f"{axis}{point}" for point in range(count)]
        lacking = [name for name in names if name not in columns]
        if lacking:
            raise ResultError(f"{path.name}: the column {lacking[0]} lacks, of {count} points")
        axes.append(np.stack([_numbers(table, name, path) for name in names], axis=1))
    stack = np.stack(axes, axis=2)
    return [
        FoundFace(points, item=name) for name, points in zip(_ids(table, path), stack, strict=True)
    ]


def _ids(table: Any, path: Path) -> list[str]:
    name = "id" if "id" in table.column_names else "image"
    return parquet_files.read_texts(table, name, path, ResultError)


def _numbers(table: Any, name: str, path: Path) -> Floats:
    numbers: Floats = parquet_files.read_numbers(table, name, path, ResultError)
    return numbers


def _nested_faces(table: Any, path: Path) -> list[FoundFace]:
    faces = []
    names, landmarks = _ids(table, path), table.column("landmarks").to_pylist()
    for name, points in zip(names, landmarks, strict=True):
        try:
            stack = np.array(points, np.float64)
        except (TypeError, ValueError) as fault:
            raise ResultError(f"{path.name}: {name}: landmarks are not [[x, y], …]") from fault
        if stack.ndim != 2 or stack.shape[1] not in (2, 3):
            raise ResultError(f"{path.name}: {name}: landmarks are not [[x, y], …]")
        faces.append(FoundFace(stack[:, :2], item=name))
    return faces


def _long_faces(table: Any, path: Path) -> list[FoundFace]:
    """Gather a row per point; a point without a row has no answer."""
    by_image = "image" in table.column_names
    keys = parquet_files.read_texts(table, "image" if by_image else "id", path, ResultError)
    faces_of = ["0"] * len(keys)
    if "face" in table.column_names:
        faces_of = parquet_files.read_texts(table, "face", path, ResultError)
    counted = _numbers(table, "point", path)
    if not all(0 <= point < 10_000 and point == int(point) for point in counted):
        raise ResultError(f"{path.name}: point is not a whole number, counted from 0, in each row")
    points = counted.astype(int).tolist()
    count = max(points, default=-1) + 1
    x, y = _numbers(table, "x", path), _numbers(table, "y", path)
    found: dict[tuple[str, str], Floats] = {}
    for row, key in enumerate(keys):
        face = found.setdefault((key, faces_of[row]), np.full((count, 2), np.nan))
        if not np.isnan(face[points[row]]).all():
            raise ResultError(f"{path.name}: {key}: point {points[row]} is there twice")
        face[points[row]] = x[row], y[row]
    faces: list[FoundFace] = []
    for (key, _), stack in found.items():
        faces.append(FoundFace(stack, image=key) if by_image else FoundFace(stack, item=key))
    return faces
