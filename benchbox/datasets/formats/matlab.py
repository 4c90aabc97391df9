"""MATLAB files, the old kind (v5, read by SciPy) and the new (7.3, which is HDF5, read by h5py).

Three traps, closed here or named for those who read: SciPy returns the type MATLAB happened to
store, uint8 and int16 included, in which differences wrap, so `check_numbers` casts at once; h5py
returns arrays transposed; cells are references.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox.errors import DataError

if TYPE_CHECKING:
    from benchbox.types import Floats


def read_v5(path: Path, names: Sequence[str], largest_bytes: int) -> Mapping[str, Any]:
    """Read variables of a v5 file, as SciPy returns them.

    Raises
    ------
    DataError
        The file is absent, larger than `largest_bytes`, none of the kind, or lacks a variable.
    """
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        if path.stat().st_size > largest_bytes:
            raise DataError(
                f"{path}: more than {largest_bytes} bytes; not the file of this dataset"
            )
        content = loadmat(path, variable_names=list(names))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    except NotImplementedError as error:
        raise DataError(
            f"{path}: is not a MATLAB v5 file (it is of version 7.3); fetch the official one"
        ) from error
    except (
        MatReadError,
        ValueError,
        TypeError,
        LookupError,
        EOFError,
        struct.error,
        zlib.error,
    ) as error:
        raise DataError(f"{path}: is not a MATLAB v5 file ({error}); fetch it again") from error
    for name in names:
        if name not in content:
            raise DataError(f"{path}: holds no variable {name!r}; is it the official file?")
    return {name: content[name] for name in names}


@contextmanager
def open_v73(path: Path) -> Iterator[Any]:
    """Open a 7.3 file for reading as an `h5py.File`.

    Raises
    ------
    DataError
        h5py is not installed, or the file is no whole HDF5 file.
    """
    try:
        import h5py
    except ImportError as error:
        raise DataError(f"{path}: is read by h5py, which is not here; pip install h5py") from error
    if _is_v5(path):
        raise DataError(
            f"{path}: is a MATLAB 5 file, saved again from the original, which is of version 7.3 "
            "(HDF5); put the original one here"
        )
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise DataError(
            f"{path}: is no whole MATLAB 7.3 (HDF5) file; fetch it again ({error})"
        ) from error
    with file:
        yield file


def _is_v5(path: Path) -> bool:
    """Say whether a file calls itself MATLAB 5 and is no HDF5 file behind such a header."""
    try:
        with path.open("rb") as file:
            return file.read(128).startswith(b"MATLAB 5.0")
    except OSError:
        return False


def read_matrix(file: Any, path: Path, name: str) -> Floats:
    """Return a matrix of an open 7.3 file as MATLAB shows it (rows, columns), float64.

    Raises
    ------
    DataError
        There is no matrix of numbers of this name; the message begins with `path`.
    """
    dataset = file.get(name)
    if dataset is None or getattr(dataset, "ndim", 0) != 2 or dataset.dtype.kind not in "fiu":
        raise DataError(f"{path}: holds no matrix of numbers {name!r}; is it the official file?")
    # h5py shows MATLAB's column-major arrays transposed.
    return np.ascontiguousarray(dataset[()].T).astype(np.float64)


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
    return result


def _has_shape(array: np.ndarray, shape: tuple[int, ...]) -> bool:
    if array.ndim != len(shape):
        return False
    return all(wanted in (-1, length) for wanted, length in zip(shape, array.shape, strict=True))
