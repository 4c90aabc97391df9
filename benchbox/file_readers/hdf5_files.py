"""HDF5 files of strangers: a dataset's size is believed before it is made."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchbox.errors import BenchboxError, DataError

from . import bounds
from .regular_files import check_file, library_faults

_LONGEST_TEXT = 4096  # letters: ids, names
_LARGEST = 1 << 50  # sets of pictures are larger than any memory, and read row by row


def open_kept(path: Path, kind: str = "HDF5", fault: type[BenchboxError] = DataError) -> Any:
    """Return an `h5py.File` that stays open for reading.

    Raises `fault` when h5py is not installed, or the file is no whole HDF5 file.
    """
    check_file(path, _LARGEST, fault)
    try:
        import h5py
    except ImportError as error:
        raise fault(f"{path}: is read by h5py, which is not here; pip install h5py") from error
    with hdf5_faults(path, kind, fault):
        return h5py.File(path, "r", locking=False)


@contextmanager
def open_hdf5(
    path: Path, kind: str = "HDF5", fault: type[BenchboxError] = DataError
) -> Iterator[Any]:
    """Open a file as an `h5py.File`; raises `fault` as `open_kept`, and for damage met inside."""
    with open_kept(path, kind, fault) as file, hdf5_faults(path, kind, fault):
        yield file


@contextmanager
def hdf5_faults(
    path: Path, kind: str = "HDF5", fault: type[BenchboxError] = DataError
) -> Iterator[None]:
    """Turn what h5py throws about a broken file into `fault`."""
    with library_faults(path, f"whole {kind} file", fault):
        try:
            yield
        except OSError as error:  # what the C library found, not what the system said
            raise ValueError(str(error)) from error


def find_member(group: Any, name: str, where: str, fault: type[BenchboxError] = DataError) -> Any:
    """Return a member of an open file or group, None where there is none; follows no link.

    Raises `fault` for a link: an external one opens another file.
    """
    link = group.get(name, getlink=True)
    if link is not None and type(link).__name__ != "HardLink":
        raise fault(f"{where}: {name!r} is a link to another place, which is refused")
    return None if link is None else group[name]


def require_own_values(dataset: Any, where: str, fault: type[BenchboxError] = DataError) -> None:
    """Raise `fault` for a dataset whose values lie in another file.

    External storage, or a virtual dataset.
    """
    if getattr(dataset, "is_virtual", False) or getattr(dataset, "external", None):
        raise fault(f"{where}: keeps its values in another file, which is refused")


def check_dataset_size(dataset: Any, where: str, fault: type[BenchboxError] = DataError) -> None:
    """Raise `fault` for a dataset beyond the bounds, or that promises more than was stored.

    A dataset without its chunks is as large as its header says, and full of one value. One that
    keeps its values in another file is refused, too: a data file never names a path to read.
    """
    require_own_values(dataset, where, fault)
    needed = math.prod(dataset.shape) * dataset.dtype.itemsize
    stored = int(dataset.id.get_storage_size())
    allowed = bounds.FREE_UNPACKED + bounds.HIGHEST_RATIO * stored
    if needed > min(bounds.LARGEST_COLUMN, allowed):
        raise fault(
            f"{where}: {needed} bytes, of which {stored} are stored; more than "
            f"{min(bounds.LARGEST_COLUMN, allowed)} bytes; not the file of this dataset"
        )


def read_texts(
    file: Any, dataset: Any, where: str, fault: type[BenchboxError] = DataError
) -> list[str]:
    """Return the texts of a dataset of an open file, a MATLAB 7.3 cell of texts included.

    Raises `fault` that begins with `where` for what holds no texts.
    """
    if dataset.dtype.kind == "O" and dataset.dtype.metadata and "ref" in dataset.dtype.metadata:
        texts: list[str] = []
        for reference in np.ravel(read_dataset(dataset, where, fault).T):
            with library_faults(where, "cell of texts", fault):
                cell = file[reference]
            # many entries may refer to one large array
            if cell.dtype.kind not in "ui" or cell.size > _LONGEST_TEXT:
                raise fault(f"{where}: entry {len(texts) + 1} is no text")
            codes = np.ravel(read_dataset(cell, where, fault))
            with library_faults(where, "cell of texts", fault):
                texts.append("".join(map(chr, codes.tolist())).strip())
        return texts
    if dataset.dtype.kind not in "SO":
        raise fault(f"{where}: holds no texts")
    with library_faults(where, "dataset of texts", fault):
        return [
            text.decode() if isinstance(text, bytes) else str(text)
            for text in np.ravel(read_dataset(dataset, where, fault)).tolist()
        ]


def read_dataset(dataset: Any, where: str, fault: type[BenchboxError] = DataError) -> np.ndarray:
    """Read a whole dataset of an open file; raises `fault` that begins with `where`."""
    check_dataset_size(dataset, where, fault)
    with library_faults(where, "whole dataset", fault):
        values: np.ndarray = dataset[()]
        return values
