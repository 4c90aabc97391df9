"""Crops that are decoded once and kept.

Memory-mapped, addressed by what they were made from, bounded, removable.

`<cache>/crops-v1/<key>.npy` holds one set; `<cache>` is BENCHBOX_CACHE, else the user's cache
folder. The key hashes the size and, of each sample, its id, its box and its picture's cache key
(file size and time of change), so a changed picture or another box makes another set and nothing is
ever updated in place. A set is written row by row into a `.partial` file that takes its final name
when it is whole: a kill costs no decoded row, a second process waits for the first and then maps
the same bytes. Behind the pixels stands their checksum, which is looked at whenever a set is
opened (0.4 s of a core per GB): a flipped bit costs the decoding, never a number. The folder may
be deleted at any time. It is held below BENCHBOX_CACHE_GB (64) by deleting the sets that were not
used for longest; processes that map a deleted set keep it until they end. A set that was used
within the last hour stays, so that sets that do not fit together do not make each other anew at
every turn: the one that comes last is not kept. The folder may be shared by several users.

A set that may not or cannot be kept is held in memory where all that are held so take less than a
quarter of what this process may use, and decoded on demand otherwise: `StreamedCrops`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
import weakref
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchbox import progress
from benchbox.cache_place import cache_root
from benchbox.errors import BenchboxError, DataError
from benchbox.file_lock import lock_file
from benchbox.file_readers.numpy_files import map_npy

from .crops import Crops, crop_maps, cut_crops, fill_crops
from .memory_limit import memory_limit_bytes

if TYPE_CHECKING:
    from benchbox.types import Bytes, Floats, Sample

CHUNK_ROWS = 64  # rows in memory at a time while a set is written
_CHECKSUM_HEAD = "crc32 "
_CHECKSUM_BYTES = len(_CHECKSUM_HEAD) + 8
_LIMIT_GB = 64.0
_MEMORY_PART = 4  # all sets together are held in memory up to a quarter of it
_RECENT_S = 3600.0  # a set that was used so lately makes no room for another
_FREE_SHARE, _FREE_BYTES = 0.1, 2e9  # of a disk stays free: the smaller of the two


_held: list[weakref.ref[Bytes]] = []  # pictures of sets that are held in memory


class StreamedCrops:
    """Crops of a set that is too large to keep: decoded when asked for, by several threads.

    Nothing is held.
    """

    def __init__(self, samples: Sequence[Sample], size: int, expansion: float) -> None:
        self.samples, self._side = samples, size
        self.maps = crop_maps(samples, size, expansion)

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def side(self) -> int:
        """Width of a square, px."""
        return self._side

    def take(self, rows: np.ndarray, out: Bytes | None = None) -> Bytes:
        """Decode and cut the given rows; (n, S, S, 3), written into `out` when given."""
        if out is None:
            out = np.empty((len(rows), self.side, self.side, 3), np.uint8)
        return fill_crops(out, [self.samples[row] for row in rows], self.maps[rows])


def cached_crops(samples: Sequence[Sample], size: int, expansion: float) -> Crops | StreamedCrops:
    """Return the crops of `crops.cut_crops`.

    Decoded at most once per machine where pictures have cache keys.
    """
    needed = len(samples) * size * size * 3
    name = ""
    if samples and needed < cache_limit_bytes():
        name = cache_key(samples, size, expansion)
    if name:
        place = cache_folder() / f"{name}.npy"
        maps = crop_maps(samples, size, expansion)
        try:
            return Crops(_cached_images(place, samples, maps, size), maps)
        except OSError as fault:
            why = fault.strerror or str(fault)
            progress.print_note(f"decoded pictures are not kept in {place.parent}: {why}")
    if _held_bytes() + needed < memory_limit_bytes() // _MEMORY_PART:
        made = cut_crops(samples, size, expansion)
        _held.append(weakref.ref(made.images))
        return made
    return StreamedCrops(samples, size, expansion)


def _held_bytes() -> int:
    """Return what the sets take that are held in memory and still used."""
    _held[:] = [reference for reference in _held if reference() is not None]
    return sum(
        images.nbytes for images in (reference() for reference in _held) if images is not None
    )


def cache_folder() -> Path:
    """Return where sets are kept."""
    return cache_root() / "crops-v1"


def cache_limit_bytes() -> int:
    """Return how large the folder may grow.

    Raises BenchboxError when BENCHBOX_CACHE_GB is not a number.
    """
    given = os.environ.get("BENCHBOX_CACHE_GB") or _LIMIT_GB
    try:
        return int(float(given) * 1e9)
    except (ValueError, OverflowError):
        raise BenchboxError(
            f"BENCHBOX_CACHE_GB={given}: must be a number of gigabytes, such as 64"
        ) from None


def cache_key(samples: Sequence[Sample], size: int, expansion: float) -> str:
    """Hash everything that decides a set's bytes; "" when a picture has no cache key."""
    digest = hashlib.sha256(f"1 {size} {expansion!r} {len(samples)}\n".encode())
    for sample in samples:
        picture_key = sample.cache_key() if sample.cache_key else ""
        if not picture_key:
            return ""
        digest.update(
            f"{sample.id}\0{picture_key}\0".encode() + np.asarray(sample.box, "<f8").tobytes()
        )
    return digest.hexdigest()[:32]


def _cached_images(place: Path, samples: Sequence[Sample], maps: Floats, size: int) -> Bytes:
    shape = (len(samples), size, size, 3)
    found = _open_mapped(place, shape)
    if found is None:
        place.parent.mkdir(parents=True, exist_ok=True)
        with _exclusive_lock(place.with_suffix(".lock")):
            found = _open_mapped(place, shape)  # another process may have made it meanwhile
            if found is None:
                _make_room(place, int(np.prod(shape, dtype=np.int64)))
                _write_crops(place, samples, maps, shape)
                found = _open_mapped(place, shape)
    assert found is not None
    with suppress(OSError):  # a cache that is only read, another user's
        os.utime(place)  # last used now
    return found


def _open_mapped(place: Path, shape: tuple[int, ...]) -> Bytes | None:
    try:
        # "c": a stray write stays in this process
        found: Bytes = map_npy(place, mode="c")
    except DataError:
        return None
    if found.shape != shape or found.dtype != np.uint8:
        return None
    if _read_checksum(place) != _checksum(found):
        progress.print_note(f"{place.name} in {place.parent} is damaged and decoded again")
        return None
    return found


def _checksum(images: Bytes) -> bytes:
    """Return what stands behind the pixels of a set: a CRC-32, which one bit changes."""
    rows = images.reshape(len(images), -1)
    total = 0
    for first in range(0, len(rows), CHUNK_ROWS):
        total = zlib.crc32(rows[first : first + CHUNK_ROWS].data, total)
    return f"{_CHECKSUM_HEAD}{total:08x}".encode()


def _read_checksum(place: Path) -> bytes:
    """Return what a set's file ends with; sets of earlier versions end with pixels."""
    with place.open("rb") as file:
        file.seek(-_CHECKSUM_BYTES, os.SEEK_END)
        return file.read()


def _write_crops(
    place: Path, samples: Sequence[Sample], maps: Floats, shape: tuple[int, ...]
) -> None:
    """Append rows to the partial file, going on after the last whole row that is there."""
    partial = place.with_suffix(".partial")
    row_bytes = int(np.prod(shape[1:]))
    with partial.open("ab") as file:
        if not file.tell():
            np.lib.format.write_array_header_1_0(
                file, {"descr": "|u1", "fortran_order": False, "shape": shape}
            )
            head = file.tell()
        else:
            with partial.open("rb") as start:
                np.lib.format.read_magic(start)
                np.lib.format.read_array_header_1_0(start)
                head = start.tell()
        done = (file.tell() - head) // row_bytes
        file.truncate(head + done * row_bytes)
        buffer = np.empty((min(CHUNK_ROWS, shape[0]), *shape[1:]), np.uint8)
        with progress.progress_bar(
            total=len(samples), initial=done, desc="decoding", unit="face"
        ) as bar:
            for first in range(done, len(samples), CHUNK_ROWS):
                chunk = samples[first : first + CHUNK_ROWS]
                fill_crops(buffer[: len(chunk)], chunk, maps[first : first + CHUNK_ROWS])
                file.write(buffer[: len(chunk)].data)
                bar.update(len(chunk))
        file.flush()
        file.write(_checksum(map_npy(partial)))
        file.flush()
        os.fsync(file.fileno())
    partial.replace(place)


@contextmanager
def _exclusive_lock(lock: Path) -> Iterator[None]:
    """Wait until no other process makes this set; a killed one holds nothing."""
    try:
        stream = lock.open("w")
    except PermissionError:  # another user's, who shares the folder: read, it locks as well
        stream = lock.open()
    with stream:
        # without locks on this disk two processes may make the same set; the last one counts
        with suppress(OSError):
            lock_file(stream, wait=True)
        yield  # the file stays: were it deleted, a third process could lock another one of its name


def _make_room(place: Path, needed: int) -> None:
    """Delete the sets not used for longest until a new one fits.

    Raises OSError when the disk has no room for it.
    """
    sets = []
    for path in place.parent.glob("*.[np]*"):
        with suppress(FileNotFoundError):  # another process has just deleted it
            if path.stem != place.stem:
                facts = path.stat()
                sets.append((facts.st_mtime, facts.st_size, path))
    spare, held = _spare_bytes(place.parent), sum(size for _, size, _ in sets)
    over = max(held + needed - cache_limit_bytes(), needed - spare)
    idle = [entry for entry in sorted(sets) if entry[0] < time.time() - _RECENT_S]
    if over > sum(size for _, size, _ in idle):
        raise OSError(
            f"{needed / 1e6:,.1f} MB are needed; the disk has {max(spare, 0) / 1e6:,.1f} MB to "
            f"spare, and sets of the last hour take {(held - sum(e[1] for e in idle)) / 1e6:,.1f} "
            f"of {cache_limit_bytes() / 1e6:,.1f} MB"
        )
    for _, size, path in idle:
        if over <= 0:
            break
        with suppress(PermissionError):  # of another user, in a folder where each has his own
            path.unlink(missing_ok=True)
            over -= size
    if over > 0:
        raise OSError("what would have to make room is another user's")


def _spare_bytes(folder: Path) -> int:
    disk = shutil.disk_usage(folder)
    return int(disk.free - min(_FREE_SHARE * disk.total, _FREE_BYTES))
