"""The functions that `import benchbox` offers; each does what the command of its name does."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from benchbox.analysis import compare as comparing
from benchbox.data_place import data_root
from benchbox.errors import ProtocolError, ResultError
from benchbox.papers import reference_rows
from benchbox.plugins import method_card
from benchbox.protocols import protocol_card
from benchbox.protocols.protocol_card import load_protocol
from benchbox.report.inputs import results as result_inputs
from benchbox.runs import (
    execute,
    protocol_manifest,
    reading_options,
    run_plan,
    score_file,
)
from benchbox.runs import manifest as manifests
from benchbox.types import Predictions, Protocol, Run

from . import frames
from .result_values import FinishedRun, RunComparison, ScoredPredictions, StoredResults

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["compare", "load_protocol", "load_results", "manifest", "references", "run", "score"]

Say = Callable[[str], None]


def score(
    protocol: str | Path | Protocol,
    predictions: str | Path | Predictions | Mapping[str, Any] | pd.DataFrame,
    *,
    method: str = "mine",
    data: str | Path | None = None,
    results: str | Path | None = None,
    say: Say = print,
    **written: Any,
) -> ScoredPredictions:
    """Score predictions of your own; needs annotations, no pictures.

    Parameters
    ----------
    protocol
        Its name, options appended (`300w-full+box=ground_truth`), the path of a card, or what
        `load_protocol` returned.
    predictions
        A file as `benchbox score` reads it; `Predictions`; a mapping with `ids` (N,) and `values`
        (N, K, 2) px, (N, 2) cm or (N, 3), perhaps `failed` (N,); a mapping from an id to its
        values; or a frame with a column `id` and `x0, y0, x1, y1, …`, `x, y` or `x, y, z`.
        Values are in the dataset's own frame.
    method
        The name to score under.
    data
        Data root; else BENCHBOX_DATA, else ./data.
    results
        Keep them as a submitted run in this folder.
    say
        Is told notes and warnings, a line each.
    written
        How a file is written, as the options of `benchbox score`: `columns`, `positive`, `unit`,
        `origin`, `frame`, `in_order`, `layout`, `field`, `frames`, `sizes`, `names`, `missing`.

    Raises BenchboxError for what you can mend: unknown, missing or doubled ids, a wrong shape.
    """
    card = protocol
    if not isinstance(card, Protocol):
        card = load_protocol(str(card))
    reading, hints = reading_options.read_options(**written)
    notes: list[str] = []
    folder = None if results is None else Path(results).expanduser()
    with tempfile.TemporaryDirectory() as place:
        file = _predictions_file(predictions, Path(place))
        is_given = isinstance(predictions, str | Path)

        def note(line: str) -> None:
            told = line if is_given else _without_file(line, file)
            notes.append(told)
            say(told)

        try:
            result = score_file.score_predictions_file(
                file, card, method, data_root(data), folder, note, reading, hints
            )
        except ResultError as fault:
            if is_given:
                raise
            raise ResultError(_without_file(str(fault), file)) from fault
    return ScoredPredictions(result, tuple(notes))


def run(
    method: str | Path,
    protocol: str | Path | Protocol,
    *,
    variant: str = "",
    seed: int = 0,
    budget: str = "quick",
    device: str = "auto",
    overrides: Mapping[str, Any] | None = None,
    data: str | Path | None = None,
    results: str | Path = "results",
    methods: Sequence[str | Path] = (),
    fresh: bool = False,
    stale: bool = False,
    say: Say = print,
) -> FinishedRun:
    """Train a method, predict the test items, score, and leave a record: `benchbox run`.

    Parameters
    ----------
    method
        Its name, or the path of its folder.
    protocol
        As for `score`; a `Protocol` must be an installed one.
    overrides
        Parameters to change, as `--set`; such a row is not ranked.
    methods
        Folders of methods beside the installed ones.
    fresh, stale
        Redo a finished run; or only where it was made with another card, data or parameters.

    Raises BenchboxError for what you can mend. A finished run is returned as it stands.
    """
    folders = tuple(Path(folder).expanduser() for folder in methods)
    name = str(method)
    if isinstance(method, Path) or "/" in name:
        folder = Path(method).expanduser()
        name = method_card.read_card(folder, module="", source=f"--methods {folder}").name
        folders = (*folders, folder)
    request = run_plan.RunRequest(
        method=name,
        protocol=_protocol_name(protocol),
        variant=variant,
        seed=seed,
        device=device,
        budget=budget,
        overrides={key: _override_text(value) for key, value in (overrides or {}).items()},
        data=data_root(data),
        results=Path(results).expanduser(),
        methods=folders,
        fresh=fresh,
        stale=stale,
    )
    return FinishedRun(execute.run_method(request, say))


def compare(
    baseline: str | Path | Run | FinishedRun,
    *others: str | Path | Run | FinishedRun,
    results: str | Path = "results",
    metrics: Sequence[str] = (),
    everything: bool = False,
) -> RunComparison:
    """Compare runs with the first one: paired differences, intervals, p-values.

    A run is what `run` returned, a run's folder, or `PROTOCOL/METHOD/VARIANT[/SEED]` below
    `results`; without a seed all seeds of the variant. Raises ResultError for runs that are not
    comparable.
    """
    names = [_run_place(one) for one in (baseline, *others)]
    folder = Path(results).expanduser()
    return RunComparison(comparing.compare_runs(names, folder, metrics, everything=everything))


def load_results(folder: str | Path = "results") -> StoredResults:
    """Read every finished run below a folder; raises ResultError where there is no such folder."""
    place = Path(folder).expanduser()
    if not place.is_dir():
        raise ResultError(f"{place}: no such folder of results; benchbox.run(…) makes one")
    found, problems = result_inputs.read_results(place)
    return StoredResults(place, tuple(found), tuple(problems))


def manifest(
    protocol: str | Path | Protocol,
    split: str = "test",
    *,
    data: str | Path | None = None,
    pictures: str | Path | Literal[False] | None = None,
    labels: bool = False,
) -> pd.DataFrame:
    """Return what a method sees, a row for each item: id, path, boxes, rotation, origin.

    In the pixel frame: the centre of the first pixel is (0, 0). `pictures` names a folder to write
    PNGs to, where pictures are no files of their own; with False there are none. `labels` adds
    those of training items.
    """
    card = protocol if isinstance(protocol, Protocol) else str(protocol)
    folder = Path(pictures).expanduser() if isinstance(pictures, str | Path) else pictures
    made = protocol_manifest.make_manifest(
        card, split, data_root(data), pictures=folder, labels=labels
    )
    columns = manifests.manifest_columns(made)
    return frames.make_frame(manifests.manifest_rows(made), columns)


def references() -> pd.DataFrame:
    """Return what papers print, a row for each number, with paper, table and conventions."""
    return frames.reference_frame(reference_rows.load_references())


# --- what may be given ----------------------------------------------------------------------------


def _predictions_file(predictions: Any, folder: Path) -> Path:
    """Return predictions as a file, which is read, checked and named like anybody's."""
    if isinstance(predictions, str | Path):
        return Path(predictions).expanduser()
    if isinstance(predictions, Predictions):
        return _save_arrays(folder, predictions.ids, predictions.values, predictions.failed)
    if hasattr(predictions, "to_csv"):
        table = predictions
        if "id" not in table.columns and table.index.name == "id":
            table = table.reset_index()
        file = folder / "predictions.csv"
        table.to_csv(file, index=False)
        return file
    if not isinstance(predictions, Mapping):
        raise ResultError(
            f"predictions are a {type(predictions).__name__}; give a file, a frame, or a mapping "
            "with ids and values"
        )
    if {"ids", "values"} <= set(predictions):
        return _save_arrays(
            folder, predictions["ids"], predictions["values"], predictions.get("failed")
        )
    if not predictions:
        raise ResultError("predictions are empty; give ids and values")
    shapes = {np.shape(value) for value in predictions.values()}
    if len(shapes) > 1:
        words = ", ".join(map(str, sorted(shapes, key=str)))
        raise ResultError(f"predictions have several shapes: {words}")
    return _save_arrays(folder, list(predictions), np.stack(list(predictions.values())), None)


def _without_file(text: str, file: Path) -> str:
    """Take the name of a file that nobody has out of a message, and commands that would read it.

    Numbers that a frame was read as have lost their leading zeros: that has a remedy here.
    """
    text = re.sub(rf"; benchbox \w+ {re.escape(file.name)} .*? says more", "", text)
    text = text.replace(str(file), file.stem).replace(file.name, file.stem)
    if file.suffix == ".csv" and text.endswith("differs in leading zeros"):
        text += ': read the table with dtype={"id": str}'
    return text


def _save_arrays(folder: Path, ids: Any, values: Any, failed: Any) -> Path:
    try:
        arrays = {"ids": np.asarray(ids, np.str_), "values": np.asarray(values, np.float64)}
    except (TypeError, ValueError) as fault:
        raise ResultError(f"values are no array of numbers: {fault}") from fault
    if failed is not None:
        arrays["failed"] = np.asarray(failed)
    file = folder / "predictions.npz"
    with file.open("wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]  # stubs take `allow_pickle` for one
    return file


def _protocol_name(protocol: str | Path | Protocol) -> str:
    """Return how `run` is told of a protocol, which it reads itself."""
    if not isinstance(protocol, Protocol):
        return str(protocol)
    if protocol_card.load_protocol(protocol.name).card != protocol.card:
        raise ProtocolError(f"{protocol.name}: not the installed protocol; give its card's path")
    return protocol.name


def _override_text(value: Any) -> str:
    """Write a parameter as `--set` takes it.

    >>> _override_text(True), _override_text([1, 2])
    ('on', '1,2')
    """
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list | tuple):
        return ",".join(map(_override_text, value))
    return str(value)


def _run_place(run: str | Path | Run | FinishedRun) -> str:
    if isinstance(run, Run | FinishedRun):
        return str(run.folder)
    return str(run)
