"""COFW: 29 points with occlusion flags on 1,345 training and 507 test faces, from two MATLAB 7.3 (HDF5) files.

The files name no picture: an id is split and row, counted from 1 as MATLAB does: `test/0001` (HRNet's export calls it
`test/000.jpg`, MMPose's `001346.jpg`). `phis` is x(29) | y(29) | occluded(29); h5py shows it transposed. Boxes are
x y width height, from a detector as far as anybody says. Points count pixels from 1 (`Index.origin`), which MMPose
subtracts from the points but not from the boxes; here both keep the files' frame. Pictures are RGB; some are grey.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox.datasets import sample_checks
from benchbox.datasets.formats import images, matlab
from benchbox.errors import DataError
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
        "X. P. Burgos-Artizzu, P. Perona, P. Dollár: Robust Face Landmark Estimation under Occlusion. ICCV 2013"
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


def index(root: Path, *, pixels: bool = True) -> Index:
    """Read both files' annotations under `root/cofw`.

    Pictures stay in them and are decoded one by one.

    Raises DataError for a file that is not the official one in type, shape or meaning; an absent
    one gives no rows.
    """
    del pixels  # annotations and pictures are in the same files
    folder = root / ACCESS.folder
    notes = []
    tables: dict[str, tuple[Floats, Floats]] = {}
    for part in FACES:
        path = find_file(folder, part)
        if path is None:
            notes.append(f"there is no file {folder / f'COFW_{part}_color.mat'}")
            tables[part] = np.empty((0, 3 * _POINTS)), np.empty((0, 4))
            continue
        if "color" not in path.name:
            notes.append(f"{part}: {path.name} is read, whose pictures are grey")
        tables[part] = _read_annotations(path, part)
    phis = np.concatenate([table for table, _ in tables.values()])
    boxes = np.concatenate([table for _, table in tables.values()])
    values = np.stack([phis[:, :_POINTS], phis[:, _POINTS : 2 * _POINTS]], axis=-1)
    parts = [part for part, (table, _) in tables.items() for _ in range(len(table))]
    rows = [row for table, _ in tables.values() for row in range(len(table))]
    ids = np.array(
        [f"{part}/{row + 1:04d}" for part, row in zip(parts, rows, strict=True)], np.str_
    )
    return Index(
        dataset="cofw",
        ids=ids,
        parts=np.array(parts, np.str_),
        values=values,
        boxes={
            "detector": boxes,
            "ground_truth": tight_box(values) if len(ids) else np.empty((0, 4)),
        },
        clusters=ids,
        read=partial(_read_row, folder, tuple(parts), tuple(rows), values),
        stamp=partial(_cache_key, folder, tuple(parts), tuple(rows)),
        origin=1.0,
        visible=phis[:, 2 * _POINTS :] == 0,
        notes=tuple(notes),
    )


def find_file(folder: Path, part: str) -> Path | None:
    """Find the file of a split: the colour one, else the grey one."""
    names = (f"COFW_{part}_color.mat", f"COFW_{part}.mat")
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _read_annotations(path: Path, part: str) -> tuple[Floats, Floats]:
    """Return phis (N, 87) and corner boxes (N, 4)."""
    suffix = _SUFFIX[part]
    with matlab.open_v73(path) as file:
        phis, boxes = (
            matlab.read_matrix(file, path, f"{name}{suffix}") for name in ("phis", "bboxes")
        )
        pictures = len(_references(file, path, part))
    where = f"{path}: phis{suffix}"
    phis = matlab.check_numbers(phis, (-1, 3 * _POINTS), where)
    boxes = matlab.check_numbers(boxes, (len(phis), 4), f"{path}: bboxes{suffix}")
    if pictures != len(phis):
        raise DataError(
            f"{path}: {pictures} pictures and {len(phis)} rows of points; fetch it again"
        )
    odd = np.flatnonzero(~np.isin(phis[:, 2 * _POINTS :], (0, 1)).all(axis=1))
    if len(odd):
        raise DataError(
            f"{where} row {odd[0] + 1}: an occlusion flag is neither 0 nor 1; is it x | y | occluded?"
        )
    flat = np.flatnonzero(~(boxes[:, 2:] > 0).all(axis=1))
    if len(flat):
        raise DataError(
            f"{path}: bboxes{suffix} row {flat[0] + 1} {boxes[flat[0]]} is not x y width height"
        )
    return phis, np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


def _references(file: Any, path: Path, part: str) -> Any:
    name = f"Is{_SUFFIX[part]}"
    cells = file.get(name)
    if cells is None or not hasattr(cells, "dtype") or cells.dtype.kind != "O":
        raise DataError(
            f"{path}: holds no cell array of pictures {name!r}; is it the official file?"
        )
    return cells[()].ravel()


def read_picture(path: Path, part: str, row: int) -> Bytes:
    """Read one picture of a file as RGB (H, W, 3) uint8; grey ones become three equal channels."""
    where = f"{path}: picture {row + 1}"
    with matlab.open_v73(path) as file:
        references = _references(file, path, part)
        if row >= len(references):
            raise DataError(f"{where}: there are only {len(references)}")
        cell = file[references[row]]
        if cell.dtype != np.uint8 or cell.ndim not in (2, 3) or cell.size > 3 * LARGEST_PICTURE:
            raise DataError(f"{where} is {cell.dtype} {cell.shape}, no picture of this dataset")
        stored = np.asarray(cell[()]).T  # MATLAB's H x W x 3 arrives as (3, W, H)
    if stored.ndim == 2:
        stored = np.stack([stored] * 3, axis=-1)
    if stored.shape[2] != 3:
        raise DataError(f"{where} has {stored.shape[2]} channels, 3 are needed")
    return np.ascontiguousarray(stored)


def _read_row(
    folder: Path, parts: tuple[str, ...], rows: tuple[int, ...], values: Floats, row: int
) -> Bytes:
    path = find_file(folder, parts[row])
    if path is None:
        raise DataError(f"{folder}: the file of {parts[row]} is gone")
    pixels = read_picture(path, parts[row], rows[row])
    sample_checks.check_points_fit(
        Path(f"{path}#{rows[row] + 1}"), values[row] - 1.0, (pixels.shape[1], pixels.shape[0])
    )
    return pixels


def _cache_key(folder: Path, parts: tuple[str, ...], rows: tuple[int, ...], row: int) -> str:
    path = find_file(folder, parts[row])
    return f"{images.file_cache_key(path)}:{rows[row]}" if path else ""


def verify(root: Path) -> list[Finding]:
    """Examine a copy: rows of both files, occlusion, every picture against its points."""
    try:
        found = index(root)
    except DataError as error:
        return [Finding("wrong", str(error))]
    findings = [
        sample_checks.check_count(part, int((found.parts == part).sum()), expected, "faces")
        for part, expected in FACES.items()
    ]
    if not len(found.ids):
        return findings
    assert found.visible is not None
    findings.append(Finding("ok", f"{1 - found.visible.mean():.1%} of the points are occluded"))
    findings += [Finding("partial", note) for note in found.notes if "grey" in note]
    return [*findings, *sample_checks.check_decoding(found)]
