"""HDF5 files (`.h5`, MATLAB v7.3 `.mat`) to arrays, read with suspicion.

* A dataset that keeps its values in another file (external storage, a virtual dataset, an external
  link) is refused: a data file never names a path to read.
* Type, number of axes and size are read from the header and believed before a value is.
* MATLAB's axes come out reversed: what MATLAB calls (448, 448, 3, N) is (N, 3, 448, 448) here.
* Open files are kept, a few per process, because pictures are read one row at a time.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox.errors import DataError
from benchbox.file_readers import hdf5_files
from benchbox.file_readers.bounds import LARGEST_ROW
from benchbox.file_readers.regular_files import stat_file

from . import images

if TYPE_CHECKING:
    import h5py

_OPEN = 16  # files kept open in each process


def read_column(path: Path, name: str, axes: tuple[int | None, ...]) -> np.ndarray:
    """Read a whole dataset of numbers; never use it for pictures.

    Parameters
    ----------
    path
        An HDF5 file.
    name
        The dataset's name in it, "group/name".
    axes
        The shape it must have, None for any length.

    Raises
    ------
    DataError
        The dataset is absent, of another shape, no numbers or absurdly large; names file and
        dataset.
    """
    with hdf5_files.hdf5_faults(path):
        dataset = _find_dataset(_open_file(path), path, name)
        _check_dataset(dataset, path, name, axes)
        return hdf5_files.read_dataset(dataset, f"{path}: {name}")


def count_rows(path: Path, name: str, axes: tuple[int | None, ...]) -> int:
    """Return the number of rows of a dataset of pictures; checks shape and type, reads no picture.

    `axes` is the shape it must have, None for any length.

    Raises
    ------
    DataError
        The dataset is absent, of another shape, no numbers or absurdly large.
    """
    with hdf5_files.hdf5_faults(path):
        dataset = _find_dataset(_open_file(path), path, name)
        _check_dataset(dataset, path, name, axes)
        rows, *picture_shape = dataset.shape
        if dataset.size > LARGEST_ROW * max(1, rows):
            raise DataError(
                f"{path}: {name}: pictures of {tuple(picture_shape)} "
                f"are more than {LARGEST_ROW} values"
            )
        return int(rows)


def read_row(path: Path, name: str, number: int) -> np.ndarray:
    """Read one row, counted from 0, of a dataset that `count_rows` has checked.

    Raises
    ------
    DataError
        It cannot be read.
    """
    with hdf5_files.hdf5_faults(path):
        dataset = _find_dataset(_open_file(path), path, name)
        values: np.ndarray = dataset[number]
        return values


def has_dataset(path: Path, name: str) -> bool:
    """Say whether a file has a dataset of this name; raises DataError when it is no HDF5 file."""
    with hdf5_files.hdf5_faults(path):
        return name in _open_file(path)


def list_groups(path: Path) -> list[str]:
    """Return the names of a file's groups, sorted.

    Raises
    ------
    DataError
        It is no HDF5 file, or a name in it is a link to another place or no group.
    """
    import h5py

    with hdf5_files.hdf5_faults(path):
        file = _open_file(path)
        for name in file:
            if not isinstance(hdf5_files.find_member(file, name, str(path)), h5py.Group):
                raise DataError(f"{path}: {name!r} is no group; not the file of this dataset")
        return sorted(file)


def convert_to_uint8(pixels: np.ndarray, where: str) -> np.ndarray:
    """Return a picture as uint8 of the same shape; floats must be whole numbers from 0 to 255.

    Raises
    ------
    DataError
        They are not; the message begins with `where`.

    Examples
    --------
    >>> convert_to_uint8(np.array([[0.0, 255.0]]), "a.h5: face_patch").tolist()
    [[0, 255]]
    >>> convert_to_uint8(np.array([[0.0, 0.5]]), "a.h5: face")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    benchbox.errors.DataError: a.h5: face: pixels are not whole numbers from 0 to 255; ...
    """
    if pixels.dtype == np.uint8:
        return pixels
    whole = np.isfinite(pixels).all() and (pixels == np.rint(pixels)).all()
    if not whole or pixels.min() < 0 or pixels.max() > 255:
        raise DataError(
            f"{where}: pixels are not whole numbers from 0 to 255; this copy was converted"
        )
    return pixels.astype(np.uint8)


def row_cache_key(places: Sequence[tuple[Path, int]], row: int) -> str:
    """Name what changes when the file of a row does, for caches of decoded pixels.

    `places` holds file and row in it, per row of an index. Raises DataError when the file is gone.
    """
    path, number = places[row]
    return f"{images.file_cache_key(path)}:{number}"


# --- files that stay open -------------------------------------------------------------------------


def _open_file(path: Path) -> h5py.File:
    state = stat_file(path)
    # A handle must not cross a fork, nor outlive the file it was opened on.
    return _open_cached(str(path), os.getpid(), state.st_ino, state.st_mtime_ns)


@lru_cache(maxsize=_OPEN)
def _open_cached(path: str, process: int, inode: int, changed: int) -> h5py.File:
    del process, inode, changed
    return hdf5_files.open_kept(Path(path))


# --- checks ---------------------------------------------------------------------------------------


def _find_dataset(file: h5py.File, path: Path, name: str) -> h5py.Dataset:
    """Follow a name through the groups of a file; refuses links to other places."""
    import h5py

    node: Any = file
    for part in name.split("/"):
        inner = None
        if isinstance(node, h5py.Group):
            inner = hdf5_files.find_member(node, part, str(path))
        if inner is None:
            has = ", ".join(sorted(file)[:8]) or "nothing"
            raise DataError(
                f"{path}: has no dataset {name!r}, only {has}; not the file of this dataset"
            )
        node = inner
    if not isinstance(node, h5py.Dataset):
        raise DataError(f"{path}: {name!r} is a group and no dataset")
    hdf5_files.require_own_values(node, f"{path}: {name!r}")
    return node


def _check_dataset(
    dataset: h5py.Dataset, path: Path, name: str, axes: tuple[int | None, ...]
) -> None:
    if dataset.dtype.kind not in "fiu":
        raise DataError(f"{path}: {name}: holds {dataset.dtype}, not numbers")
    if not _has_axes(dataset.shape, axes):
        wanted = ", ".join(str(length) for length in axes).replace("None", "N")
        raise DataError(f"{path}: {name}: has the shape {dataset.shape}, must be ({wanted})")


def _has_axes(shape: tuple[int, ...], axes: tuple[int | None, ...]) -> bool:
    if len(shape) != len(axes):
        return False
    return all(wanted in (None, length) for wanted, length in zip(axes, shape, strict=True))
