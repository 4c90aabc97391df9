"""Rendered sets on disk: made once by several processes, resumable, safe against a second maker and against a kill.

`<cache>/face-renderer-v<version>/<set>.partial/` holds columns of full length that workers fill in
place, chunk by chunk, with a marker per finished chunk. When every marker is there the manifest is
written and the folder takes its final name. Two makers write the same bytes to the same places, so
neither harms the other.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import numpy as np
from platformdirs import user_cache_dir
from tqdm import tqdm

from benchbox.errors import DataError

from . import GENERATOR_VERSION
from .image_sets import SETS, ImageSet

CHUNK_SIZE = 32  # faces


@dataclass(frozen=True)
class RenderPlan:
    """A set to be rendered, or so much of it: parts and their sizes, rows in this order."""

    name: str
    parts: tuple[tuple[str, int], ...]
    kind: str = "300w"  # a key of SETS

    @property
    def set(self) -> ImageSet:
        """What is rendered."""
        return SETS[self.kind]

    @property
    def count(self) -> int:
        """Pictures in all."""
        return sum(n for _, n in self.parts)

    @property
    def gigabytes(self) -> float:
        """Room that the set takes on disk."""
        sizes = (
            np.dtype(kind).itemsize * int(np.prod(shape, dtype=int))
            for kind, shape in self.set.columns.values()
        )
        return self.count * sum(sizes) / 1e9

    def chunks(self) -> list[tuple[str, int, int, int]]:
        """List the work: part, first number, count, first row."""
        found, row = [], 0
        for part, size in self.parts:
            found += [
                (part, k, min(CHUNK_SIZE, size - k), row + k) for k in range(0, size, CHUNK_SIZE)
            ]
            row += size
        return found


def cache_root() -> Path:
    """Return the folder that all caches live in: BENCHBOX_CACHE, else the user's cache folder."""
    chosen = os.environ.get("BENCHBOX_CACHE")
    return Path(chosen) if chosen else Path(user_cache_dir("benchbox"))


def cache_folder(plan: RenderPlan) -> Path:
    """Return where a finished set lies."""
    return cache_root() / f"face-renderer-v{GENERATOR_VERSION}" / plan.name


def plan_set(kind: str) -> RenderPlan:
    """Return the plan of a whole set."""
    return RenderPlan(kind, SETS[kind].parts, kind)


def _column_paths(plan: RenderPlan, at: Path) -> dict[str, Path]:
    return {name: at / f"{name}.npy" for name in plan.set.columns}


def find_fault(plan: RenderPlan, at: Path | None = None) -> str:
    """Return "" when a finished set is whole, else what is wrong with it."""
    at = at or cache_folder(plan)
    if not at.is_dir():
        return "not rendered yet"
    try:
        manifest = json.loads((at / "manifest.json").read_text("utf-8"))
    except (OSError, ValueError):
        return "manifest.json is missing or unreadable"
    if manifest.get("version") != plan.set.version or manifest.get("parts") != [
        list(p) for p in plan.parts
    ]:
        return "manifest.json describes another set"
    for name, path in _column_paths(plan, at).items():
        size = path.stat().st_size if path.is_file() else -1
        if size != manifest["bytes"].get(name):
            return f"{path.name} has {size} bytes instead of {manifest['bytes'].get(name)}"
    return ""


def load_columns(
    plan: RenderPlan, *, workers: int | None = None
) -> dict[str, np.ndarray[Any, Any]]:
    """Return the columns of a set, pixels memory-mapped, rendering what is missing first.

    Raises DataError when the cache folder cannot be written or has no room.
    """
    at = cache_folder(plan)
    with _explain_disk_faults(plan, at):
        if find_fault(plan):
            _make_set(plan, at, min(workers or os.cpu_count() or 1, len(plan.chunks())))
        return {
            name: np.load(path, mmap_mode="r") for name, path in _column_paths(plan, at).items()
        }


def read_columns(plan: RenderPlan, *, pixels: bool) -> dict[str, np.ndarray[Any, Any]]:
    """Return the columns of a set.

    Without pixels it renders nothing: columns that take a picture may be absent.

    Raises DataError as `load` does.
    """
    if pixels or not find_fault(plan):
        columns = load_columns(plan)
        return {
            name: column if name == "pixels" else np.array(column)
            for name, column in columns.items()
        }
    return {name: column.copy() for name, column in _geometry_columns(plan).items()}


@lru_cache(maxsize=4)
def _geometry_columns(plan: RenderPlan) -> dict[str, np.ndarray[Any, Any]]:
    """Return the columns that take no picture: seconds of work, which scoring many runs would spend once per run."""
    parts = [plan.set.rows(part, range(size), pixels=False) for part, size in plan.parts]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


@contextmanager
def _explain_disk_faults(plan: RenderPlan, at: Path) -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        raise DataError(
            f"cannot keep the synthetic faces in {at}: {fault.strerror or fault}; "
            f"set BENCHBOX_CACHE to a folder that can be written and has {plan.gigabytes:.1f} GB of room"
        ) from fault


def _make_set(plan: RenderPlan, at: Path, workers: int) -> None:
    partial = at.with_name(f"{at.name}.partial")
    if at.exists():
        _discard_broken(plan, at)
    try:
        _lay_out_columns(plan, partial)
        _render_chunks(plan, partial, workers)
        sizes = {name: path.stat().st_size for name, path in _column_paths(plan, partial).items()}
        manifest = {"version": plan.set.version, "parts": plan.parts, "bytes": sizes}
        _write(partial / "manifest.json", json.dumps(manifest))
        partial.rename(at)
    except OSError:
        if find_fault(plan):  # else another process was faster; what it made is the same
            raise
        shutil.rmtree(partial, ignore_errors=True)
    shutil.rmtree(at / "done", ignore_errors=True)


def _discard_broken(plan: RenderPlan, at: Path) -> None:
    """Move a broken set out of the way in one step, then delete it.

    Put it back if it turns out to be whole.
    """
    grave = Path(tempfile.mkdtemp(prefix=f"{at.name}.broken-", dir=at.parent))
    at.rename(grave / at.name)
    if not find_fault(plan, grave / at.name):  # another process repaired it since it was looked at
        with suppress(OSError):
            (grave / at.name).rename(at)
    shutil.rmtree(grave, ignore_errors=True)


def _lay_out_columns(plan: RenderPlan, partial: Path) -> None:
    """Lay out columns of full length, unless an earlier or a parallel maker has done so."""
    if _is_laid_out(plan, partial):
        return
    if partial.exists():
        _discard_broken(plan, partial)
    partial.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f"{partial.name}-", dir=partial.parent))
    (fresh / "done").mkdir()
    for name, path in _column_paths(plan, fresh).items():
        kind, shape = plan.set.columns[name]
        column = np.lib.format.open_memmap(
            path, mode="w+", dtype=np.dtype(kind), shape=(plan.count, *shape)
        )
        offset, size = int(column.offset), column.nbytes
        del column
        # find out now that the disk is full, not by a crash later
        if hasattr(os, "posix_fallocate"):
            with path.open("r+b") as file:
                os.posix_fallocate(file.fileno(), offset, size)
    try:
        fresh.rename(partial)
    except OSError:
        shutil.rmtree(fresh, ignore_errors=True)
        if not _is_laid_out(plan, partial):
            raise


def _is_laid_out(plan: RenderPlan, partial: Path) -> bool:
    try:
        shapes = {
            name: np.load(path, mmap_mode="r").shape
            for name, path in _column_paths(plan, partial).items()
        }
    except (OSError, ValueError):
        return False
    fits = all(
        shapes[name] == (plan.count, *shape) for name, (_, shape) in plan.set.columns.items()
    )
    return fits and (partial / "done").is_dir()


def _render_chunks(plan: RenderPlan, partial: Path, workers: int) -> None:
    queue: Queue[tuple[str, int, int, int]] = Queue()
    for chunk in plan.chunks():
        queue.put(chunk)
    # a log file wants a line now and then, not a moving bar
    pause_s = 0.5 if sys.stderr.isatty() else 15.0
    bar = tqdm(
        total=plan.count,
        desc=f"rendering {plan.name}",
        unit="picture",
        file=sys.stderr,
        mininterval=pause_s,
    )
    with bar, ThreadPoolExecutor(workers) as pool:
        jobs = [pool.submit(_drive, plan, queue, partial, bar) for _ in range(workers)]
        try:
            for job in jobs:
                job.result()
        finally:
            # after a fault or Ctrl-C the other workers find nothing more to do
            with suppress(Empty):
                while True:
                    queue.get_nowait()


def _drive(
    plan: RenderPlan, queue: Queue[tuple[str, int, int, int]], partial: Path, bar: Any
) -> None:
    """Keep one worker process busy until the queue is empty."""
    process: subprocess.Popen[str] | None = None
    try:
        while True:
            try:
                part, first, count, row = queue.get_nowait()
            except Empty:
                return
            marker = partial / "done" / f"{part}-{first:05d}"
            if not marker.exists():
                process = process or _start(plan, partial)
                _ask(process, f"{part} {first} {count} {row}")
            bar.update(count)
    finally:
        if process is not None:
            process.kill()
            process.communicate()


def _ask(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(f"{line}\n")
        process.stdin.flush()
        answer = process.stdout.readline().strip()
    except BrokenPipeError:
        answer = ""
    if answer != "ok":
        raise DataError(
            f"a process that renders synthetic faces stopped at {line!r}: {answer or f'exit {process.wait()}'}; "
            "finished faces are kept, run the command again to go on"
        )


def _start(plan: RenderPlan, partial: Path) -> subprocess.Popen[str]:
    # A process of its own instead of a fork: the caller may hold torch's or OpenCV's threads.
    package = str(Path(__file__).resolve().parents[2])
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "benchbox.face_renderer.worker", plan.kind, str(partial)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **single, "PYTHONPATH": os.pathsep.join(paths)},
    )


def _write(path: Path, text: str) -> None:
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
        file.write(text)
    Path(file.name).replace(path)


def write_rows(partial: Path, name: str, row: int, rows: np.ndarray[Any, Any]) -> None:
    """Write rows of a column in place; plain writes report a full disk, memory maps crash."""
    column = np.load(partial / f"{name}.npy", mmap_mode="r")
    offset = (
        int(column.offset) + row * int(np.prod(column.shape[1:], dtype=int)) * column.dtype.itemsize
    )
    with (partial / f"{name}.npy").open("r+b") as file:
        file.seek(offset)
        file.write(np.ascontiguousarray(rows, dtype=column.dtype).tobytes())
