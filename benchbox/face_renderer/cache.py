"""Rendered sets on disk: made once by a pool of processes, resumable, safe against kills.

`<cache>/face-renderer-v<version>/<set>.partial/` holds columns of full length that workers fill in
place, chunk by chunk, with a marker per finished chunk. When every marker is there the manifest is
written and the folder takes its final name. Two makers write the same bytes to the same places, so
neither harms the other.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
import zlib
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import Any

import numpy as np

from benchbox.atomic_write import write_whole
from benchbox.cache_place import cache_root
from benchbox.errors import DataError
from benchbox.file_readers.json_files import read_json_table
from benchbox.file_readers.numpy_files import map_npy
from benchbox.progress import progress_bar

from . import GENERATOR_VERSION, set_digests
from .image_sets import SETS, ImageSet
from .worker import render_chunk, start_worker

CHUNK_SIZE = 32  # pictures
_SETTLED_S = 3600.0  # after which a folder that one step makes is a leftover
_PIECE_BYTES = 1 << 24  # of a file that is read for its checksum


@dataclass(frozen=True)
class Chunk:
    """Pictures that one task of a worker renders."""

    part: str
    first: int  # number of the first picture in its part
    count: int
    row: int  # of the first picture in the columns

    def marker(self, partial: Path) -> Path:
        """Return the file that says that the chunk is finished."""
        return partial / "done" / f"{self.part}-{self.first:05d}"


@dataclass(frozen=True)
class RenderPlan:
    """A set to be rendered, or so much of it: parts and their sizes, rows in this order."""

    name: str
    parts: tuple[tuple[str, int], ...]
    kind: str = "300w"  # a key of SETS

    @property
    def image_set(self) -> ImageSet:
        """What is rendered."""
        return SETS[self.kind]

    @property
    def count(self) -> int:
        """Pictures in all."""
        return sum(size for _, size in self.parts)

    @property
    def gigabytes(self) -> float:
        """Room that the set takes on disk."""
        row_bytes = 0
        for dtype, shape in self.image_set.columns.values():
            row_bytes += np.dtype(dtype).itemsize * int(np.prod(shape, dtype=int))
        return self.count * row_bytes / 1e9

    def chunks(self) -> list[Chunk]:
        """List the work.

        >>> for chunk in RenderPlan("few", (("train", 40), ("test", 3))).chunks():
        ...     print(chunk.part, chunk.first, chunk.count, chunk.row)
        train 0 32 0
        train 32 8 32
        test 0 3 40
        """
        chunks = []
        start = 0  # row of the part's first picture
        for part, size in self.parts:
            for first in range(0, size, CHUNK_SIZE):
                chunks.append(Chunk(part, first, min(CHUNK_SIZE, size - first), start + first))
            start += size
        return chunks


def cache_folder(plan: RenderPlan) -> Path:
    """Return where a finished set lies."""
    return cache_root() / f"face-renderer-v{GENERATOR_VERSION}" / plan.name


def plan_set(kind: str) -> RenderPlan:
    """Return the plan of a whole set, given its key in SETS."""
    return RenderPlan(kind, SETS[kind].parts, kind)


def _column_paths(plan: RenderPlan, folder: Path) -> dict[str, Path]:
    return {name: folder / f"{name}.npy" for name in plan.image_set.columns}


# --- reading --------------------------------------------------------------------------------------


def find_fault(plan: RenderPlan, folder: Path | None = None, checked: Collection[str] = ()) -> str:
    """Return "" when a finished set is whole, else what is wrong with it.

    The files of the columns `checked` are read and held against their checksums.
    """
    folder = folder or cache_folder(plan)
    if not folder.is_dir():
        return "not rendered yet"
    try:
        manifest = read_json_table(folder / "manifest.json")
    except DataError:
        return "manifest.json is missing or unreadable"
    parts = [list(part) for part in plan.parts]
    if manifest.get("version") != plan.image_set.version or manifest.get("parts") != parts:
        return "manifest.json describes another set"
    for name, path in _column_paths(plan, folder).items():
        sizes = manifest.get("bytes")
        expected = sizes.get(name) if isinstance(sizes, dict) else None
        size = path.stat().st_size if path.is_file() else -1
        if size != expected:
            return f"{path.name} has {size} bytes instead of {expected}"
        if name in checked and _is_damaged(path, manifest):
            return f"{path.name} is not what was written"
    return ""


def _is_damaged(path: Path, manifest: Mapping[str, Any]) -> bool:
    """Tell whether a file has another checksum than its manifest says; older ones say none."""
    checksums = manifest.get("crc32")
    if not isinstance(checksums, dict):
        return False
    return bool(checksums.get(path.stem) != _checksum(path))


def _checksum(path: Path) -> int:
    total = 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            total = zlib.crc32(piece, total)
    return total


def load_columns(
    plan: RenderPlan, *, workers: int | None = None
) -> dict[str, np.ndarray[Any, Any]]:
    """Return the columns of a set, all memory-mapped, rendering what is missing first.

    Raises DataError when the cache folder cannot be written or has no room, or a worker is killed.
    """
    return _load_checked(plan, list(plan.image_set.columns), workers or os.cpu_count() or 1)


def _load_checked(
    plan: RenderPlan, checked: Collection[str], workers: int
) -> dict[str, np.ndarray[Any, Any]]:
    """Load a set whose columns `checked` are held against their checksums, labels against theirs.

    What is damaged is rendered again.
    """
    folder = cache_folder(plan)
    with _explain_disk_faults(plan, folder):
        if find_fault(plan, checked=checked):
            _make_set(plan, folder, workers, checked)
        paths = _column_paths(plan, folder)
        columns: dict[str, np.ndarray[Any, Any]] = {}
        for name, path in paths.items():
            columns[name] = map_npy(path)
    set_digests.require_known_labels(plan, columns)
    return columns


def read_columns(plan: RenderPlan, *, pixels: bool) -> dict[str, np.ndarray[Any, Any]]:
    """Return the columns of a set; pixels stay memory-mapped, all others are read.

    Without pixels it renders nothing: columns that take a picture may be absent.

    Raises DataError as `load_columns` does.
    """
    if not pixels and find_fault(plan):
        return {name: column.copy() for name, column in draw_labels(plan).items()}
    checked = [name for name in plan.image_set.columns if pixels or name != "pixels"]
    columns = _load_checked(plan, checked, os.cpu_count() or 1)
    for name, column in columns.items():
        if name != "pixels":
            columns[name] = np.array(column)
    return columns


@lru_cache(maxsize=4)
def draw_labels(plan: RenderPlan) -> dict[str, np.ndarray[Any, Any]]:
    """Return the columns that take no picture: seconds of work, which many runs share."""
    parts = []
    for part, size in plan.parts:
        parts.append(plan.image_set.render_columns(part, range(size), pixels=False))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


# --- making ---------------------------------------------------------------------------------------


@contextmanager
def _explain_disk_faults(plan: RenderPlan, folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        raise DataError(
            f"cannot keep the synthetic faces in {folder}: {fault.strerror or fault}; "
            "set BENCHBOX_CACHE to a folder that can be written "
            f"and has {plan.gigabytes:.1f} GB of room"
        ) from fault


def _make_set(plan: RenderPlan, folder: Path, workers: int, checked: Collection[str] = ()) -> None:
    partial = folder.with_name(f"{folder.name}.partial")
    if folder.exists():
        _discard_broken(plan, folder, checked)
    try:
        _lay_out_columns(plan, partial)
        _render_chunks(plan, partial, workers)
        sizes = {name: path.stat().st_size for name, path in _column_paths(plan, partial).items()}
        manifest = {
            "version": plan.image_set.version,
            "parts": plan.parts,
            "bytes": sizes,
            "crc32": {name: _checksum(path) for name, path in _column_paths(plan, partial).items()},
        }
        write_whole(partial / "manifest.json", json.dumps(manifest))
        partial.rename(folder)
    except (OSError, DataError):  # a worker's guarded reader tells of a file that is gone
        if find_fault(plan):  # else another process was faster; what it made is the same
            raise
        shutil.rmtree(partial, ignore_errors=True)
    shutil.rmtree(folder / "done", ignore_errors=True)


def _discard_broken(plan: RenderPlan, folder: Path, checked: Collection[str] = ()) -> None:
    """Move a broken set out of the way in one step, then delete it.

    Put it back if it turns out to be whole.
    """
    grave = Path(tempfile.mkdtemp(prefix=f"{folder.name}.broken-", dir=folder.parent))
    moved = grave / folder.name
    folder.rename(moved)
    if not find_fault(plan, moved, checked):  # another process repaired it since it was looked at
        with suppress(OSError):
            moved.rename(folder)
    shutil.rmtree(grave, ignore_errors=True)


def _lay_out_columns(plan: RenderPlan, partial: Path) -> None:
    """Lay out columns of full length, unless an earlier or a parallel maker has done so."""
    if _is_laid_out(plan, partial):
        return
    if partial.exists():
        _discard_broken(plan, partial)
    partial.parent.mkdir(parents=True, exist_ok=True)
    _sweep_leftovers(partial)
    fresh = Path(tempfile.mkdtemp(prefix=f"{partial.name}-", dir=partial.parent))
    try:
        (fresh / "done").mkdir()
        for name, path in _column_paths(plan, fresh).items():
            dtype, shape = plan.image_set.columns[name]
            _allocate_column(path, np.dtype(dtype), (plan.count, *shape))
        fresh.rename(partial)
    except OSError:
        shutil.rmtree(fresh, ignore_errors=True)
        if not _is_laid_out(plan, partial):
            raise


def _sweep_leftovers(partial: Path) -> None:
    """Delete layouts and broken sets that killed makers left; to make one takes moments."""
    name = partial.name.removesuffix(".partial")
    latest = time.time() - _SETTLED_S
    for pattern in (f"{partial.name}-*", f"{name}.broken-*"):
        for path in partial.parent.glob(pattern):
            with suppress(OSError):
                if path.stat().st_mtime < latest:
                    shutil.rmtree(path)


def _allocate_column(path: Path, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    """Make a column file; a full disk shows now and not by a crash later."""
    column = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    offset, size = int(column.offset), column.nbytes
    del column
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), offset, size)


def _is_laid_out(plan: RenderPlan, partial: Path) -> bool:
    columns = plan.image_set.columns
    try:
        for name, path in _column_paths(plan, partial).items():
            _, shape = columns[name]
            if map_npy(path).shape != (plan.count, *shape):
                return False
    except DataError:
        return False
    return (partial / "done").is_dir()


def _render_chunks(plan: RenderPlan, partial: Path, workers: int) -> None:
    """Render the chunks without a marker.

    After a fault or Ctrl-C no further chunk is begun; those at hand are finished and kept.

    Raises DataError when a worker is killed.
    """
    missing = [chunk for chunk in plan.chunks() if not chunk.marker(partial).exists()]
    if not missing:
        return
    bar = _progress_bar(plan, done=plan.count - sum(chunk.count for chunk in missing))
    # Fresh processes instead of forks: the caller may hold torch's or OpenCV's threads.
    pool = ProcessPoolExecutor(
        min(workers, len(missing)), mp_context=get_context("spawn"), initializer=start_worker
    )
    try:
        with bar:
            tasks = {}
            with _hidden_main_module():
                for chunk in missing:
                    tasks[pool.submit(render_chunk, plan.kind, partial.absolute(), chunk)] = chunk
            for task in as_completed(tasks):
                task.result()
                bar.update(tasks[task].count)
    except BrokenProcessPool as fault:
        raise DataError(
            f"a process that renders synthetic faces for {partial} was killed; "
            "finished faces are kept, run the command again to go on"
        ) from fault
    finally:
        pool.shutdown(cancel_futures=True)


_MAIN_LOCK = Lock()


@contextmanager
def _hidden_main_module() -> Iterator[None]:
    """Keep processes that are spawned in here from running the caller's script again.

    Spawned Python imports the main module of its parent; a script without `if __name__ ==
    "__main__"` would ask for the faces in every worker once more.
    """
    with _MAIN_LOCK:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = main


def _progress_bar(plan: RenderPlan, done: int) -> Any:
    return progress_bar(
        total=plan.count, initial=done, desc=f"rendering {plan.name}", unit="picture"
    )
