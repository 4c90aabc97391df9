"""MATLAB files, the old kind (v5, read by SciPy) and the new (7.3, which is HDF5, read by h5py).

Three traps, closed here or named for those who read: SciPy returns the type MATLAB happened to
store, uint8 and int16 included, in which differences wrap, so `check_numbers` casts at once; h5py
returns arrays transposed; cells are references.

SciPy believes what a v5 file says of its sizes: two megabytes unpack to gigabytes, and a cell of a
billion is made before one of it is read. So `matlab_elements` unpacks the variables that are asked
for within bounds and walks them first; SciPy gets what has passed.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox.errors import BenchboxError, DataError

from . import bounds, hdf5_files, matlab_elements
from .regular_files import library_faults, open_file, read_bytes

if TYPE_CHECKING:
    from benchbox.types import Floats

_V5 = "MATLAB v5 file"
_HDF5 = b"\x89HDF\r\n\x1a\n"


def read_v5(
    path: Path,
    names: Sequence[str] | None,
    largest_bytes: int = bounds.LARGEST_MATLAB,
    fault: type[BenchboxError] = DataError,
    *,
    largest_unpacked: int = bounds.LARGEST_UNPACKED,
    **options: bool,
) -> Mapping[str, Any]:
    """Read variables of a v5 file, all where `names` is None, as SciPy returns them.

    `options` are those of `scipy.io.loadmat`.

    Raises
    ------
    DataError
        Or `fault`: the file is absent, larger than `largest_bytes`, none of the kind, lacks a
        variable, or would become more than the bounds allow.
    """
    from scipy.io import loadmat

    content = read_bytes(path, largest_bytes, fault)
    if _is_v73(content[:1024]):
        raise fault(f"{path}: is no {_V5} (it is of version 7.3); fetch the official one")
    with library_faults(path, _V5, fault):
        checked, found = matlab_elements.unpack_variables(content, names, largest_unpacked)
    del content
    missing = [name for name in names or () if name not in found]
    if missing:
        raise fault(f"{path}: holds no variable {missing[0]!r}; is it the official file?")
    wanted = list(found if names is None else names)
    with library_faults(path, _V5, fault):
        loaded = loadmat(io.BytesIO(checked), variable_names=wanted, **options)
        return {name: loaded[name] for name in wanted}


def list_v5(
    path: Path,
    largest_bytes: int = bounds.LARGEST_MATLAB,
    fault: type[BenchboxError] = DataError,
) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of a v5 file's variables without reading them; raises `fault`."""
    content = read_bytes(path, largest_bytes, fault)
    with library_faults(path, _V5, fault):
        return matlab_elements.list_variables(content)


def is_v73(path: Path, fault: type[BenchboxError] = DataError) -> bool:
    """Tell whether a file is of version 7.3; raises `fault` when it cannot be read."""
    with open_file(path, bounds.LARGEST_MATLAB * 64, fault) as stream:
        return _is_v73(stream.read(1024))


def is_v5(path: Path, fault: type[BenchboxError] = DataError) -> bool:
    """Tell whether a file calls itself MATLAB 5; raises `fault` when it cannot be read."""
    with open_file(path, bounds.LARGEST_MATLAB * 64, fault) as stream:
        return stream.read(128).startswith(b"MATLAB 5.0")


def _is_v73(head: bytes) -> bool:
    return head.startswith((_HDF5, b"MATLAB 7.3")) or head[512:].startswith(_HDF5)


@contextmanager
def open_v73(path: Path) -> Iterator[Any]:
    """Open a 7.3 file for reading as an `h5py.File`.

    Raises
    ------
    DataError
        h5py is not installed, or the file is no whole HDF5 file, or its user ran into damage.
    """
    if is_v5(path):
        raise DataError(
            f"{path}: is a MATLAB 5 file, saved again from the original, which is of version 7.3 "
            "(HDF5); put the original one here"
        )
    with hdf5_files.open_hdf5(path, "MATLAB 7.3 (HDF5)") as file:
        yield file


def read_matrix(file: Any, path: Path, name: str) -> Floats:
    """Return a matrix of an open 7.3 file as MATLAB shows it (rows, columns), float64.

    Raises
    ------
    DataError
        There is no matrix of numbers of this name; the message begins with `path`.
    """
    dataset = hdf5_files.find_member(file, name, str(path))
    if dataset is None or getattr(dataset, "ndim", 0) != 2 or dataset.dtype.kind not in "fiu":
        raise DataError(f"{path}: holds no matrix of numbers {name!r}; is it the official file?")
    # h5py shows MATLAB's column-major arrays transposed.
    values = hdf5_files.read_dataset(dataset, f"{path}: {name}")
    return np.ascontiguousarray(values.T).astype(np.float64)


def read_texts(value: Any, where: str, fault: type[BenchboxError] = DataError) -> list[str]:
    """Return the texts of a cell, without blanks about them; raises `fault` for another content.

    >>> read_texts(np.array([np.array(["a_1 "]), np.array(["b_2"])], object), "a.mat: ids")
    ['a_1', 'b_2']
    """
    texts = []
    for number, cell in enumerate(np.asarray(value).ravel().tolist(), start=1):
        text = np.asarray(cell).ravel()
        if text.size != 1 or text.dtype.kind not in "US":
            raise fault(f"{where}: entry {number} is no text; it must be a cell of texts")
        texts.append(str(text[0]).strip())
    return texts


def check_numbers(value: Any, shape: tuple[int, ...], where: str) -> Floats:
    """Return a variable as finite float64 of a shape, where -1 fits any length.

    Raises
    ------
    DataError
        It is of another type or shape, or not finite; the message begins with `where`.

    Examples
    --------
    >>> stored = np.array([[250, 10]], np.uint8)
    >>> (stored[:, 1] - stored[:, 0]).tolist()  # the stored type wraps
    [16]
    >>> numbers = check_numbers(stored, (-1, 2), "boxes.mat: bboxes")
    >>> (numbers[:, 1] - numbers[:, 0]).tolist()
    [-240.0]
    >>> check_numbers(stored, (-1, 4), "boxes.mat: bboxes")
    Traceback (most recent call last):
    ...
    benchbox.errors.DataError: boxes.mat: bboxes is uint8 (1, 2), must be N x 4 numbers
    """
    array = np.asarray(value)
    if array.dtype.kind not in "fiub" or not _has_shape(array, shape):
        wanted = " x ".join(str(length) for length in shape).replace("-1", "N")
        raise DataError(f"{where} is {array.dtype} {array.shape}, must be {wanted} numbers")
    result = array.astype(np.float64)
    if not np.isfinite(result).all():
        raise DataError(f"{where} holds a value that is not a number")
    if (np.abs(result) > bounds.LARGEST_PX).any():
        raise DataError(f"{where} holds a value beyond {bounds.LARGEST_PX:g}")
    return result


def _has_shape(array: np.ndarray, shape: tuple[int, ...]) -> bool:
    if array.ndim != len(shape):
        return False
    return all(wanted in (-1, length) for wanted, length in zip(shape, array.shape, strict=True))
