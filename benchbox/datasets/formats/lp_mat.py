"""The `.mat` files of 300W-LP and AFLW2000-3D, one per picture, MATLAB 5.

`pt2d` (2, K), `pt3d_68` (3, 68): rows are x, y (and z), points run along the columns; `pts_2d` and
`pts_3d` (68, 2) in 300W-LP's folder `landmarks/`. Origin 1, as MATLAB counts. `pt2d` is 68 points
in one set and AFLW's 21 in the other, where (-1, -1) is an absent point: `field` says which
variable is meant where a file has both.
"""

from __future__ import annotations

from pathlib import Path

from benchbox.errors import DataError
from benchbox.file_readers import matlab_files

from .marked_face import Mark, MarkedFace, MarkedFaces, list_files

FIELDS = ("pt2d", "pt3d_68", "pts_2d", "pts_3d")
_LARGEST = 16 * 1024 * 1024
_BY_ROW = {"pts_2d", "pts_3d"}  # a point per row


def read_aflw2000(path: Path, field: str = "") -> MarkedFaces:
    """Read a folder of AFLW2000-3D; `field` must say pt3d_68 or pt2d."""
    if field not in ("pt2d", "pt3d_68"):
        raise DataError(
            f"{path}: holds two sets of points: say --field pt3d_68 (68 of the model) or "
            "--field pt2d (AFLW's 21)"
        )
    return _read_folder(path, field)


def read_300w_lp(path: Path, field: str = "") -> MarkedFaces:
    """Read a folder of 300W-LP; `field` is pt2d, or pts_2d or pts_3d of its `landmarks/`."""
    return _read_folder(path, field or "pt2d")


def variables(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of the points' variables in a file; {} if it is no v5 file."""
    try:
        found = matlab_files.list_v5(path, _LARGEST)
    except DataError:
        return {}
    return {name: shape for name, shape in found.items() if name in FIELDS}


def _read_folder(path: Path, field: str) -> MarkedFaces:
    faces = []
    count, passed = 0, 0
    for file in list_files(path, (".mat",)):
        if field not in variables(file):
            passed += 1
            continue
        value = matlab_files.read_v5(file, [field], _LARGEST)[field]
        if field in _BY_ROW:
            value = value.T
        points = matlab_files.check_numbers(value[:2], (2, -1), f"{file}: {field}")
        count = count or points.shape[1]
        if points.shape[1] != count:
            raise DataError(f"{file}: {field} has {points.shape[1]} points, others have {count}")
        marks = {}
        for row, (x, y) in enumerate(points.T.tolist()):
            if (x, y) != (-1.0, -1.0):
                marks[str(row)] = Mark(x, y)
        stem = file.stem
        if path.is_dir():
            stem = file.relative_to(path).with_suffix("").as_posix()
        if field in _BY_ROW:
            stem = stem.removesuffix("_pts")
        faces.append(MarkedFace(image=stem, marks=marks, where=str(file), name=stem))
    notes = [f"the variable {field} is read"]
    if passed:
        notes.append(f"{passed} .mat files without {field} are passed over")
    return MarkedFaces(faces, count=count, notes=tuple(notes), folder=path)
