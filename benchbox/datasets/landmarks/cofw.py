"""COFW: 29 points with occlusion flags on 1,345 training and 507 test faces, from two .mat.

The files are HDF5; what somebody saved again as MATLAB 5 is read, too. They name no picture: an id
is split and row, counted from 1 as MATLAB does: `test/0001` (HRNet's export calls it
`test/000.jpg`, MMPose's `001346.jpg`). `phis` is x(29) | y(29) | occluded(29); h5py shows it
transposed. Boxes are x y width height, from a detector as far as anybody says. Points count pixels
from 1 (`Index.origin`), which MMPose subtracts from the points but not from the boxes; here both
keep the files' frame. Pictures are RGB; some are grey.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox.datasets import sample_checks
from benchbox.datasets.formats import images
from benchbox.errors import DataError
from benchbox.file_readers import hdf5_files, matlab_files
from benchbox.geometry import tight_box
from benchbox.types import Access, Finding, Index

if TYPE_CHECKING:
    from benchbox.types import Bytes, Floats

ACCESS = Access(
    title="COFW (Caltech Occluded Faces in the Wild), 29 points",
    folder="cofw",
    where="https://data.caltech.edu/records/bc0bf-nc666 (COFW_color.zip)",
    terms="see the record page; research use by custom",
    citation=(
        "X. P. Burgos-Artizzu, P. Perona, P. Dollár: Robust Face Landmark Estimation under "
        "Occlusion. ICCV 2013"
    ),
    layout="""\
cofw/COFW_train_color.mat    1345 faces (or the grey COFW_train.mat)
cofw/COFW_test_color.mat      507 faces (or the grey COFW_test.mat)
(ids: test/0001 is the first row of the test file)""",
)
FACES = {"train": 1345, "test": 507}
_SUFFIX = {"train": "Tr", "test": "T"}  # phisTr, bboxesTr, IsTr; phisT, bboxesT, IsT
_POINTS = 29
LARGEST_PICTURE = 16_000_000  # pixels
LARGEST_FILE = 2 * 1024**3  # bytes of a file that was saved again, which is read whole


def index(root: Path, *, pixels: bool = True) -> Index:
    """Read both files' annotations under `root/cofw`.

    Values are (N, 29, 2) px, counted from 1. Pictures stay in the files and are decoded one by one;
    an absent file gives no rows and a note.

    Raises
    ------
    DataError
        A file is not the official one in type, shape or meaning.
    """
    del pixels  # annotations and pictures are in the same files
    folder = root / ACCESS.folder
    notes: list[str] = []
    parts: list[str] = []
    rows: list[int] = []  # of each part's own file, counted from 0
    phis_tables = []
    box_tables = []
    for part in FACES:
        phis, boxes = _read_part(folder, part, notes)
        phis_tables.append(phis)
        box_tables.append(boxes)
        parts += [part] * len(phis)
        rows += range(len(phis))
    phis = np.concatenate(phis_tables)
    x, y, occluded = np.split(phis, 3, axis=1)
    values = np.stack([x, y], axis=-1)
    ids = np.array(
        [f"{part}/{row + 1:04d}" for part, row in zip(parts, rows, strict=True)], np.str_
    )
    return Index(
        dataset="cofw",
        ids=ids,
        parts=np.array(parts, np.str_),
        values=values,
        boxes={"detector": np.concatenate(box_tables), "ground_truth": tight_box(values)},
        clusters=ids,
        read=partial(_read_row, folder, tuple(parts), tuple(rows), values),
        cache_key=partial(_cache_key, folder, tuple(parts), tuple(rows)),
        origin=1.0,
        visible=occluded == 0,
        notes=tuple(notes),
        label_place=partial(_label_place, folder, tuple(parts), tuple(rows)),
    )


def find_file(folder: Path, part: str) -> Path | None:
    """Find the file of a part: the colour one, else the grey one, else None."""
    for name in (f"COFW_{part}_color.mat", f"COFW_{part}.mat"):
        if (folder / name).is_file():
            return folder / name
    return None


# --- annotations ----------------------------------------------------------------------------------


def _read_part(folder: Path, part: str, notes: list[str]) -> tuple[Floats, Floats]:
    """Return phis (N, 87) and corner boxes (N, 4) of a part, and note what is unusual."""
    path = find_file(folder, part)
    if path is None:
        notes.append(f"there is no file {folder / f'COFW_{part}_color.mat'}")
        return np.empty((0, 3 * _POINTS)), np.empty((0, 4))
    if "color" not in path.name:
        notes.append(f"{part}: {path.name} is read, whose pictures are grey")
    if matlab_files.is_v5(path):
        notes.append(f"{part}: {path.name} was saved again, as MATLAB 5; the release is 7.3")
    return _read_annotations(path, part)


def _read_annotations(path: Path, part: str) -> tuple[Floats, Floats]:
    """Return phis (N, 87) and corner boxes (N, 4) of a file."""
    suffix = _SUFFIX[part]
    if matlab_files.is_v5(path):
        table = _read_v5(path, part)
        phis, boxes, pictures = table.phis, table.boxes, len(table.pictures)
    else:
        with matlab_files.open_v73(path) as file:
            phis = matlab_files.read_matrix(file, path, f"phis{suffix}")
            boxes = matlab_files.read_matrix(file, path, f"bboxes{suffix}")
            pictures = len(_references(file, path, part))
    where = f"{path}: phis{suffix}"
    phis = matlab_files.check_numbers(phis, (-1, 3 * _POINTS), where)
    boxes = matlab_files.check_numbers(boxes, (len(phis), 4), f"{path}: bboxes{suffix}")
    if pictures != len(phis):
        raise DataError(
            f"{path}: {pictures} pictures and {len(phis)} rows of points; fetch it again"
        )
    is_flag = np.isin(phis[:, 2 * _POINTS :], (0, 1)).all(axis=1)
    if not is_flag.all():
        row = int(np.argmin(is_flag))
        raise DataError(
            f"{where} row {row + 1}: an occlusion flag is neither 0 nor 1; is it x | y | occluded?"
        )
    return phis, corners_of_sizes(boxes, f"{path}: bboxes{suffix}")


@dataclass(frozen=True, eq=False)
class _SavedAgain:
    """What a file holds that was saved again as MATLAB 5, as MATLAB shows it."""

    phis: np.ndarray
    boxes: np.ndarray
    pictures: np.ndarray  # (N,) of pictures


def _read_v5(path: Path, part: str) -> _SavedAgain:
    """Read a file that was saved again as MATLAB 5, once for each state of the file."""
    return _read_v5_state(path, part, images.file_cache_key(path))


@lru_cache(maxsize=2)  # training and test
def _read_v5_state(path: Path, part: str, state: str) -> _SavedAgain:
    del state
    suffix = _SUFFIX[part]
    names = [f"phis{suffix}", f"bboxes{suffix}", f"Is{suffix}"]
    variables = matlab_files.read_v5(path, names, LARGEST_FILE, largest_unpacked=LARGEST_FILE)
    phis, boxes, cells = variables.values()
    if cells.dtype != object:
        raise DataError(
            f"{path}: holds no cell array of pictures {names[2]!r}; is it the official file?"
        )
    return _SavedAgain(phis, boxes, cells.ravel())


def corners_of_sizes(boxes: Floats, where: str) -> Floats:
    """Return boxes (N, 4), stored as x y width height, as corners x0 y0 x1 y1 in the same frame.

    Raises
    ------
    DataError
        A box has no area; the message begins with `where` and names the row, counted from 1.

    Examples
    --------
    >>> corners_of_sizes(np.array([[10.0, 20.0, 30.0, 40.0]]), "test.mat: bboxes").tolist()
    [[10.0, 20.0, 40.0, 60.0]]
    """
    has_area = (boxes[:, 2:] > 0).all(axis=1)
    if not has_area.all():
        row = int(np.argmin(has_area))
        raise DataError(f"{where} row {row + 1} {boxes[row]} is not x y width height")
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


def _references(file: Any, path: Path, part: str) -> Any:
    """Return the references (N,) to the pictures of an open file."""
    name = f"Is{_SUFFIX[part]}"
    cells = hdf5_files.find_member(file, name, str(path))
    if cells is None or not hasattr(cells, "dtype") or cells.dtype.kind != "O":
        raise DataError(
            f"{path}: holds no cell array of pictures {name!r}; is it the official file?"
        )
    return hdf5_files.read_dataset(cells, f"{path}: {name}").ravel()


# --- pictures -------------------------------------------------------------------------------------


def read_picture(path: Path, part: str, row: int) -> Bytes:
    """Read one picture of a file as RGB (H, W, 3) uint8; grey ones become three equal channels.

    `row` counts from 0.

    Raises
    ------
    DataError
        The file has no such row, or what it holds there is no picture.
    """
    where = f"{path}: picture {row + 1}"
    if matlab_files.is_v5(path):
        pictures = _read_v5(path, part).pictures
        if row >= len(pictures):
            raise DataError(f"{where}: there are only {len(pictures)}")
        _require_picture(pictures[row], where)
        stored = pictures[row]
    else:
        with matlab_files.open_v73(path) as file:
            references = _references(file, path, part)
            if row >= len(references):
                raise DataError(f"{where}: there are only {len(references)}")
            cell = file[references[row]]
            _require_picture(cell, where)
            stored = hdf5_files.read_dataset(cell, where).T  # H x W x 3 arrives as (3, W, H)
    if stored.ndim == 2:
        stored = np.stack([stored] * 3, axis=-1)
    if stored.shape[2] != 3:
        raise DataError(f"{where} has {stored.shape[2]} channels, 3 are needed")
    return np.ascontiguousarray(stored)


def _require_picture(cell: Any, where: str) -> None:
    """Refuse a cell that holds no picture: an array, or a dataset of a file."""
    if not hasattr(cell, "shape") or not hasattr(cell, "dtype"):
        raise DataError(f"{where} is a group, no picture of this dataset")
    if cell.dtype != np.uint8 or cell.ndim not in (2, 3) or cell.size > 3 * LARGEST_PICTURE:
        raise DataError(f"{where} is {cell.dtype} {cell.shape}, no picture of this dataset")


def _read_row(
    folder: Path, parts: tuple[str, ...], rows: tuple[int, ...], values: Floats, row: int
) -> Bytes:
    path = find_file(folder, parts[row])
    if path is None:
        raise DataError(f"{folder}: the file of {parts[row]} is gone")
    pixels = read_picture(path, parts[row], rows[row])
    height, width = pixels.shape[:2]
    where = Path(f"{path}#{rows[row] + 1}")
    sample_checks.check_points_fit(where, values[row] - 1.0, (width, height))
    return pixels


def _label_place(folder: Path, parts: tuple[str, ...], rows: tuple[int, ...], row: int) -> str:
    return f"{find_file(folder, parts[row])} row {rows[row] + 1}"


def _cache_key(folder: Path, parts: tuple[str, ...], rows: tuple[int, ...], row: int) -> str:
    path = find_file(folder, parts[row])
    if path is None:
        return ""
    return f"{images.file_cache_key(path)}:{rows[row]}"


# --- examination ----------------------------------------------------------------------------------


def verify(root: Path) -> list[Finding]:
    """Examine a copy: rows of both files, occlusion, every picture against its points."""
    try:
        faces = index(root)
    except DataError as error:
        return [Finding("wrong", str(error))]
    findings = []
    for part, expected in FACES.items():
        count = int((faces.parts == part).sum())
        findings.append(sample_checks.check_count(part, count, expected, "faces"))
    if not len(faces.ids):
        return findings
    assert faces.visible is not None
    findings.append(Finding("ok", f"{1 - faces.visible.mean():.1%} of the points are occluded"))
    for note in faces.notes:
        if "grey" in note:
            findings.append(Finding("partial", note))
    findings += sample_checks.check_decoding(faces)
    return findings
