"""NumPy's `.npy` and `.npz` of strangers: headers believed before values, no pickles, no bombs."""

from __future__ import annotations

import io
import math
import struct
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np

from benchbox.errors import BenchboxError, DataError

from . import bounds
from .regular_files import check_file, library_faults, open_file

_END_RECORD = b"PK\5\6"
_ZIP64_LOCATOR = b"PK\6\7"
_END_RECORD_BYTES, _LOCATOR_BYTES, _LONGEST_COMMENT = 22, 20, 1 << 16
_MOST_AXES = 8
_MAGIC = b"\x93NUMPY"
_LENGTHS = {(1, 0): "<H", (2, 0): "<I"}  # version → how the length of the header is written

Header = tuple[tuple[int, ...], bool, np.dtype[Any]]  # shape, column-major, type


def read_npy(
    path: Path, *, largest: int = bounds.LARGEST_ARRAYS, fault: type[BenchboxError] = DataError
) -> np.ndarray:
    """Read an `.npy`; raises `fault` for a damaged one, a pickle, and a header that lies."""
    with open_file(path, largest, fault) as stream:
        return read_array(stream, path.stat().st_size, path, fault)


def map_npy(
    path: Path,
    *,
    mode: Literal["r", "c"] = "r",
    largest: int = 1 << 50,
    fault: type[BenchboxError] = DataError,
) -> np.memmap[Any, Any]:
    """Map an `.npy` into memory without reading it; raises `fault` as `read_npy`."""
    with open_file(path, largest, fault) as stream:
        shape, by_columns, dtype = read_array_header(stream, path.stat().st_size, path, fault)
        start = stream.tell()
    order: Literal["F", "C"] = "F" if by_columns else "C"
    with library_faults(path, "whole .npy file", fault):
        mapped: np.memmap[Any, Any] = np.memmap(path, dtype, mode, start, shape, order)
    return mapped


def read_npz(
    path: Path,
    *,
    largest: int = bounds.LARGEST_ARRAYS,
    most_rows: int | None = None,
    fault: type[BenchboxError] = DataError,
) -> dict[str, np.ndarray]:
    """Read all arrays of an `.npz`; raises `fault` as `read_npy`, and for what unpacks to more.

    No array may have more rows than `most_rows`.
    """
    with open_npz(path, largest=largest, most_rows=most_rows, fault=fault) as arrays:
        return dict(arrays.items())


class NpzArrays(Mapping[str, np.ndarray]):
    """The arrays of an open `.npz`, each read when it is asked for."""

    def __init__(
        self,
        archive: zipfile.ZipFile,
        path: Path,
        most_rows: int | None,
        fault: type[BenchboxError],
    ) -> None:
        self._archive, self._path, self._fault = archive, path, fault
        self._most_rows = most_rows
        self._members = {name.removesuffix(".npy"): name for name in archive.namelist()}

    def __getitem__(self, name: str) -> np.ndarray:
        where = f"{self._path}: array {name[:60]!r}"
        with self._open_member(name) as (stream, size):
            return read_array(stream, size, where, self._fault, self._most_rows)

    def __contains__(self, name: object) -> bool:
        return name in self._members  # Mapping's own would read the array

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def header(self, name: str) -> Header:
        """Return shape, order and type of an array without reading it."""
        where = f"{self._path}: array {name[:60]!r}"
        with self._open_member(name) as (stream, size):
            return read_array_header(stream, size, where, self._fault, self._most_rows)

    @contextmanager
    def _open_member(self, name: str) -> Iterator[tuple[IO[bytes], int]]:
        member = self._archive.getinfo(self._members[name])
        with (
            library_faults(self._path, "whole .npz file", self._fault),
            self._archive.open(member) as stream,
        ):
            yield stream, member.file_size


@contextmanager
def open_npz(
    path: Path,
    *,
    largest: int = bounds.LARGEST_ARRAYS,
    most_rows: int | None = None,
    fault: type[BenchboxError] = DataError,
) -> Iterator[NpzArrays]:
    """Open an `.npz` whose arrays are read one by one; raises `fault` as `read_npz`."""
    size = check_file(path, largest, fault)
    with open_file(path, largest, fault) as stream:
        _check_directory(stream, size, path, fault)
        with library_faults(path, "whole .npz file", fault):
            archive = zipfile.ZipFile(stream)
        unpacked = sum(member.file_size for member in archive.infolist())
        if unpacked > bounds.unpacked_bound(size):
            raise fault(
                f"{path}: {size} bytes unpack to {unpacked}, more than "
                f"{bounds.unpacked_bound(size)} bytes; save the arrays with np.savez"
            )
        with archive:
            yield NpzArrays(archive, path, most_rows, fault)


def _check_directory(stream: IO[bytes], size: int, path: Path, fault: type[BenchboxError]) -> None:
    """Refuse a list of members that alone would fill the memory; zipfile reads it all at once."""
    stream.seek(max(0, size - _END_RECORD_BYTES - _LOCATOR_BYTES - _LONGEST_COMMENT))
    tail = stream.read()
    stream.seek(0)
    end = tail.rfind(_END_RECORD)
    if end < 0 or len(tail) - end < _END_RECORD_BYTES:
        raise fault(f"{path}: is no whole .npz file (no end of a zip); save or copy it again")
    (directory,) = struct.unpack_from("<I", tail, end + 12)
    has_locator = tail[max(0, end - _LOCATOR_BYTES) : end].startswith(_ZIP64_LOCATOR)
    if has_locator or directory > bounds.LARGEST_DIRECTORY:
        raise fault(
            f"{path}: more than {bounds.MOST_MEMBERS} arrays, or names beyond "
            f"{bounds.LARGEST_DIRECTORY} bytes; no .npz that benchbox reads"
        )


# --- one array ------------------------------------------------------------------------------------


def read_array(
    stream: IO[bytes],
    size: int,
    where: object,
    fault: type[BenchboxError] = DataError,
    most_rows: int | None = None,
) -> np.ndarray:
    """Read an array from a stream of `size` bytes at its start; raises `fault`."""
    shape, by_columns, dtype = read_array_header(stream, size, where, fault, most_rows)
    needed = math.prod(shape) * dtype.itemsize
    with library_faults(where, "whole .npy array", fault, "save it again"):
        content = bytearray(needed)
        view = memoryview(content)
        done = 0
        while done < needed:
            count = stream.readinto(view[done : done + bounds.MIB])  # type: ignore[attr-defined]
            if not count:
                raise EOFError(f"{done} bytes instead of {needed}")
            done += count
        if stream.read(1) and isinstance(stream, zipfile.ZipExtFile):
            while stream.read(bounds.MIB):  # to the end: the checksum is looked at there
                pass
        array = np.frombuffer(content, dtype, math.prod(shape))
        return array.reshape(shape, order="F" if by_columns else "C")


@lru_cache(maxsize=256)
def _parse_header(version: tuple[int, ...], content: bytes) -> Header:
    """Parse a header; runs of one protocol share theirs, and parsing it is most of the work."""
    read = np.lib.format.read_array_header_1_0
    if version == (2, 0):
        read = np.lib.format.read_array_header_2_0
    return read(io.BytesIO(content), max_header_size=bounds.LARGEST_HEADER)


def read_array_header(
    stream: IO[bytes],
    size: int,
    where: object,
    fault: type[BenchboxError] = DataError,
    most_rows: int | None = None,
) -> Header:
    """Read what an `.npy` says of itself, and hold it against its size; raises `fault`."""
    with library_faults(where, ".npy array", fault, "save it again"):
        start = stream.read(len(_MAGIC))
        if start != _MAGIC:
            raise ValueError("it does not begin as one")
        version = tuple(stream.read(2))
        if version not in _LENGTHS:
            raise fault(f"{where}: is in .npy version {version}; save it with np.savez")
        width = struct.calcsize(_LENGTHS[version])
        stated = stream.read(width)
        (length,) = struct.unpack(_LENGTHS[version], stated)
        if length > bounds.LARGEST_HEADER:
            raise ValueError(f"a header of {length} bytes")
        shape, by_columns, dtype = _parse_header(version, stated + stream.read(length))
        begin = len(_MAGIC) + 2 + width + length
    if dtype.hasobject:
        raise fault(
            f"{where}: holds pickled objects, which are refused: save a plain array of numbers or "
            "texts"
        )
    if len(shape) > _MOST_AXES or min(shape, default=0) < 0:
        raise fault(f"{where}: the shape {str(shape)[:60]} is none; the file is damaged")
    if math.prod(shape) * max(1, dtype.itemsize) > size - begin or max(shape, default=0) > size:
        raise fault(f"{where}: is shorter than its header says; the file is damaged")
    if most_rows is not None and shape and shape[0] > most_rows:
        raise fault(f"{where}: {shape[0]} rows, there must be {most_rows} or fewer")
    return shape, by_columns, dtype
