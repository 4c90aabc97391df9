"""Run folders that were made on another machine, as bytes, and put into the results here."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
import tempfile
from pathlib import Path

from benchbox.atomic_write import flush_files
from benchbox.errors import ResultError

from . import run_folders


def pack_run(run: Path) -> bytes:
    """Return a run's folder as an archive, empty where there is none."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for path in sorted(run.rglob("*")):
            if path.is_file() and not path.is_symlink() and path.name != run_folders.LOCK:
                archive.add(path, path.relative_to(run).as_posix())
    return made.getvalue()


def put_run(run: Path, packed: bytes) -> None:
    """Put a run that `pack_run` packed into the place of what is there, its record last.

    Raises ResultError when the folder cannot be written or another process works in it.
    """
    with run_folders.claim_folder(run):
        try:
            beside = Path(tempfile.mkdtemp(prefix=f".{run.name}.", dir=run.parent))
        except OSError as fault:
            raise ResultError(f"{run}: cannot be written: {fault.strerror}") from fault
        try:
            with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
                archive.extractall(beside, filter="data")
            paths = [path for path in beside.rglob("*") if path.is_file()]
            flush_files(paths)
            run_folders.delete_run(run)
            for path in sorted(paths, key=run_folders.is_record):
                target = run / path.relative_to(beside)
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(path, target)
        except (OSError, tarfile.TarError) as fault:
            raise ResultError(f"{run}: cannot be fetched from its node: {fault}") from fault
        finally:
            shutil.rmtree(beside, ignore_errors=True)
