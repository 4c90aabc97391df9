"""A method that is another program, in an environment of its own: manifest in, predictions out.

The section [run] of its card names the command. It is called once for all items: the manifest
(`manifest`) lists them with a PNG of each, written below the run's work folder, so that neither the
dataset's layout nor its labels reach it; the predictions file is read as `benchbox score` reads
one, in the pixel frame (the centre of the first pixel is (0, 0)). The module offers what a method's
module offers.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox.errors import PluginError
from benchbox.plugins import method_card
from benchbox.types import Layout, MethodCard, OutsideProgram, Sample, Task, Truth

from . import manifest as manifests
from . import prediction_files

if TYPE_CHECKING:
    from benchbox.types import Floats

_PAUSE_S = 0.2  # between two looks at a program's memory
_SHAPES: Mapping[Task, tuple[int, ...]] = {"gaze3d": (3,), "gaze2d": (2,)}


def predictor(
    weights: Path,
    device: str,
    params: Mapping[str, Any],
    task: Task,
    layout: Layout | None,
    folder: Path,
) -> ProgramPredictor:
    """Return samples → (n, K, 2) px | (n, 2) cm | (n, 3), for which the card's program is run."""
    program = _read_program(folder)
    return ProgramPredictor(program, weights, device, params, task, layout, folder)


def weights_files(folder: Path) -> dict[str, Path]:
    """Return the files that the card says the program reads, so that a record holds their hashes.

    Raises PluginError for one that is not there.
    """
    found = {}
    for name in _read_program(folder).files:
        path = Path(name).expanduser()
        if not path.is_absolute():
            path = folder / path
        if not path.is_file():
            raise PluginError(f"{folder}: run.files: no file {path}")
        found[path.name] = path
    return found


class ProgramPredictor:
    """Runs a program for all samples at once."""

    batch_size = 0  # all of them

    def __init__(
        self,
        program: OutsideProgram,
        weights: Path,
        device: str,
        params: Mapping[str, Any],
        task: Task,
        layout: Layout | None,
        folder: Path,
    ) -> None:
        self._program, self._weights, self._device = program, weights, device
        self._params, self._task, self._layout, self._folder = params, task, layout, folder

    def __call__(self, samples: Sequence[Sample]) -> Floats:
        """Write the manifest, run the program, read its predictions; NaN rows are no answer.

        Raises PluginError for a program that fails or takes too much, ResultError for its file.
        """
        self._weights.mkdir(parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(prefix="program-", dir=self._weights.absolute()))
        try:
            return self._predict(samples, place)
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def _predict(self, samples: Sequence[Sample], place: Path) -> Floats:
        files = {
            "manifest": place / f"manifest.{self._program.manifest}",
            "predictions": place / f"predictions.{self._program.predictions}",
            "params": place / "params.json",
        }
        pictures = manifests.write_pictures(samples, place / "pictures")
        items = []
        for sample, picture in zip(samples, pictures, strict=True):
            items.append(manifests.manifest_item(sample, picture))
        points = None if self._layout is None else self._layout.count
        listed = manifests.Manifest(task=self._task, points=points, origin=0.0, items=items)
        manifests.write_manifest(listed, files["manifest"])
        files["params"].write_text(json.dumps(dict(self._params)), encoding="utf-8")
        words = {key: str(file) for key, file in files.items()}
        words |= {"folder": str(self._folder), "device": self._device}
        command = [word.format(**words) for word in self._program.command]
        run_limited(command, self._folder, self._program.seconds, self._program.memory_gb)
        return self._read(files["predictions"], samples)

    def _read(self, file: Path, samples: Sequence[Sample]) -> Floats:
        if not file.is_file():
            raise PluginError(
                f"{self._program.command[0]}: ended well and left no {file.name}; it must write "
                "the file that {predictions} names"
            )
        shape = _SHAPES.get(self._task)
        if shape is None:
            if self._layout is None:
                raise PluginError("landmarks without a layout")
            shape = (self._layout.count, 2)
        names = np.array([sample.id for sample in samples], np.str_)
        wanted = Truth(names, np.zeros((len(samples), *shape)), {}, names)
        return prediction_files.read_predictions(file, wanted, protocol="the manifest").values


def _read_program(folder: Path) -> OutsideProgram:
    program = method_card.read_card(folder).program
    if program is None:
        raise PluginError(f"{folder}: method.toml has no section [run]")
    return program


# --- a process with limits ------------------------------------------------------------------------


def run_limited(command: Sequence[str], folder: Path, seconds: float, memory_gb: float) -> None:
    """Run a program in a folder; end it and all that it started when it takes too much.

    Memory is what it and its children hold at a time, looked at on Linux. Raises PluginError for a
    program that is not there, fails, or takes longer or more than it may.
    """
    name = Path(command[0]).name
    if memory_gb and not Path("/proc").is_dir():
        sys.stderr.write(f"note: {name}: its memory cannot be watched on this system\n")
    try:
        # its output is progress; a session of its own, so that its children end with it
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=2, start_new_session=True
        )
    except OSError as fault:
        raise PluginError(
            f"run.command: {command[0]} cannot be run in {folder}: {fault.strerror}"
        ) from fault
    try:
        code = _wait_within_limits(process, name, seconds, memory_gb)
    finally:
        _end_session(process)
    if code:
        raise PluginError(
            f"run.command: {name} ended with code {code}; what it said is above, and "
            "`benchbox data manifest` writes what it was given"
        )


def _wait_within_limits(
    process: subprocess.Popen[bytes], name: str, seconds: float, memory_gb: float
) -> int:
    end = time.monotonic() + seconds
    while True:
        try:
            return process.wait(timeout=_PAUSE_S)
        except subprocess.TimeoutExpired:
            pass
        if time.monotonic() > end:
            raise PluginError(f"{name}: took longer than run.seconds = {seconds:g}; it was ended")
        taken = _session_memory_gb(process.pid) if memory_gb else 0.0
        if taken > memory_gb:
            raise PluginError(
                f"{name}: took {taken:.2f} GB, more than run.memory_gb = {memory_gb:g}; it was "
                "ended"
            )


def _end_session(process: subprocess.Popen[bytes]) -> None:
    """End a process and its children, whether or not it ended by itself."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    elif process.poll() is None:
        process.kill()
    process.wait()


def _session_memory_gb(session: int) -> float:
    """Return the resident memory of a session's processes."""
    pages = 0
    for place in Path("/proc").glob("[0-9]*"):
        try:
            # the name, in brackets, may hold blanks
            fields = (place / "stat").read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session:
            pages += int(fields[21])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**30


def open_method(method: MethodCard) -> Any:
    """Return the module that does what a method's card names: its own, an adapter's, or this one.

    Raises PluginError for a module that cannot be imported.
    """
    if method.program is not None:
        return sys.modules[__name__]
    return method_card.import_method(method)
