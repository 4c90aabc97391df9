"""A method that is another program, in an environment of its own: manifest in, predictions out.

The section [run] of its card names the command. It is called once for all items: the manifest
(`manifest`) lists them with a PNG of each, written below the run's work folder, so that neither the
dataset's layout nor its labels reach it; the predictions file is read as `benchbox score` reads
one, in the pixel frame (the centre of the first pixel is (0, 0)). The module offers what a method's
module offers.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox.errors import PluginError
from benchbox.plugins import method_card
from benchbox.types import Layout, MethodCard, OutsideProgram, Sample, Task, Truth

from . import limited_process, prediction_files
from . import manifest as manifests

if TYPE_CHECKING:
    from benchbox.types import Floats

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
        run_program(command, self._folder, self._program)
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


def run_program(command: Sequence[str], folder: Path, program: OutsideProgram) -> None:
    """Run a card's program in a folder, within its limits.

    Raises PluginError for one that is not there, fails, or takes more than it may.
    """
    name = Path(command[0]).name
    limits = limited_process.Limits(
        program.seconds, program.memory_gb, "run.seconds", "run.memory_gb"
    )
    try:
        # its output is progress
        code = limited_process.run_limited(command, name, limits, cwd=folder, stdout=2)
    except OSError as fault:
        raise PluginError(
            f"run.command: {command[0]} cannot be run in {folder}: {fault.strerror}"
        ) from fault
    if code:
        raise PluginError(
            f"run.command: {name} ended with code {code}; what it said is above, and "
            "`benchbox data manifest` writes what it was given"
        )


def open_method(method: MethodCard) -> Any:
    """Return the module that does what a method's card names: its own, an adapter's, or this one.

    Raises PluginError for a module that cannot be imported.
    """
    if method.program is not None:
        return sys.modules[__name__]
    return method_card.import_method(method)
