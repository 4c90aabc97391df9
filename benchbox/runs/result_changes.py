"""Results that get another name, another folder, or go: their records stay true.

A run's folder and its record name the protocol and the method. Renaming changes both together, with
the scores beside them, and leaves in the record what it was called before. A protocol is renamed
only where its card decides every number as the old one did; another version of a card is no new
name, and its runs are to be made again (`run --stale`).

Each run is changed in a copy, which takes its place when it is whole.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchbox.datasets import split as splits
from benchbox.errors import PluginError, ProtocolError, ResultError
from benchbox.file_readers.json_files import read_json_table
from benchbox.plugins import method_card
from benchbox.protocols import protocol_card
from benchbox.types import Run

from . import (
    kept_cards,
    other_training,
    run_data,
    run_folders,
    run_identity,
    run_integrity,
    run_outcome,
)
from .run_record import TrainingOrigin

_UNDER_WAY = ".moving"
_OPTION = "+"


@dataclass(frozen=True)
class StaleRun:
    """A run that was made otherwise than the cards that are here say, and how."""

    run: Run
    reason: str


# --- names ----------------------------------------------------------------------------------------


def rename_method(results: Path, old: str, new: str) -> list[Path]:
    """Give all runs and profiles of a method another name; return the new folders.

    Raises ResultError where there is none, or where the new name has a run in the same place.
    """
    method_card.check_method_name(new)
    runs = [run for run in _all_runs(results) if run.method == old]
    profiles = results / "profiles" / old
    if not runs and not profiles.is_dir():
        raise ResultError(f"{results}: no results of method {old!r}; `benchbox list results`")
    targets = []
    for run in runs:
        targets.append(run_folders.run_folder(results, run.protocol, new, run.variant, run.seed))
    _require_free(targets)
    for run, target in zip(runs, targets, strict=True):
        _change_run(results, run, target, {"method": new}, f"--method {old}", f"--method {new}")
    for file in sorted(profiles.glob("*.json")):
        document = run_folders.read_profile(file)
        run_folders.save_profile(results, {**document, "method": new})
        file.unlink()
    _remove_empty(profiles)
    return targets


def rename_protocol(results: Path, old: str, new: str) -> list[Path]:
    """Give all runs of a protocol, its options included, another name; return the new folders.

    Raises ProtocolError where no card has the new name, ResultError where that card decides numbers
    otherwise than the runs' own did, or a place is taken.
    """
    runs = [run for run in _all_runs(results) if run.protocol.partition(_OPTION)[0] == old]
    if not runs:
        raise ResultError(f"{results}: no results of protocol {old!r}; `benchbox list results`")
    targets = []
    for run in runs:
        name = new + run.protocol.removeprefix(old)
        _require_same_card(results, run, name)
        targets.append(run_folders.run_folder(results, name, run.method, run.variant, run.seed))
    _require_free(targets)
    for run, target in zip(runs, targets, strict=True):
        name = target.relative_to(results).parts[0]
        words = f"--protocol {run.protocol}", f"--protocol {name}"
        _change_run(results, run, target, {"protocol": name}, *words)
    return targets


def _require_same_card(results: Path, run: Run, name: str) -> None:
    """Raise ResultError unless the card of a new name decides numbers as the run's own did."""
    card = protocol_card.load_protocol(kept_cards.locate_card(results, name))
    if card.card != run.record.card:
        raise ResultError(
            f"{run.folder}: was made under another card than {name} is, in more than its name; "
            "`benchbox results prune` names such runs, `benchbox run --stale` redoes one"
        )


def _change_run(
    results: Path, run: Run, target: Path, facts: dict[str, str], old_word: str, new_word: str
) -> None:
    before = {key: getattr(run.record, key) for key in facts}

    def change(folder: Path) -> None:
        record = folder / "run.json"
        document = read_json_table(record, fault=ResultError)
        document |= facts
        document["command"] = f"{document.get('command', '')} ".replace(
            f"{old_word} ", f"{new_word} "
        ).strip()
        if document.get("trained_by"):
            document["trained_by"] = other_training.rename_origin(document["trained_by"], facts)
        document["renamed"] = [*document.get("renamed", []), before]
        run_folders.write_json(record, document)
        _change_scores(folder / "scores.json", facts)

    _replace_folder(results, run.folder, target, change)


def _change_scores(file: Path, facts: dict[str, str]) -> None:
    """Change facts in a scores.json that was found intact, and seal it with the changed record."""
    if not file.is_file():
        return
    document = read_json_table(file, fault=ResultError)
    run_folders.write_json(file, document | facts)
    run_folders.seal_again(file.parent)


# --- folders --------------------------------------------------------------------------------------


def move_runs(results: Path, places: Sequence[str], other: Path) -> list[Path]:
    """Move runs to another results folder, where they have the same place; return their folders.

    A place is PROTOCOL, PROTOCOL/METHOD and so on. Raises ResultError for a place without a run, or
    one that is taken there.
    """
    if other.resolve() == results.resolve():
        raise ResultError(f"--to {other}: is the folder that they are in")
    runs = []
    for place in places:
        runs += _runs_below(results, place)
    targets = [other / run.folder.relative_to(results) for run in runs]
    _require_free(targets)
    for run, target in zip(runs, targets, strict=True):
        _replace_folder(other, run.folder, target, _leave_unchanged)
    return targets


def _runs_below(results: Path, place: str) -> list[Run]:
    inside = Path(place)
    if inside.is_absolute() or ".." in inside.parts:
        raise ResultError(f"{place}: name a place below {results}: PROTOCOL/METHOD/VARIANT/SEED")
    folder = results / inside
    found = [run for run in _all_runs(results) if run.folder.is_relative_to(folder)]
    if not found:
        raise ResultError(f"{folder}: no run that can be read; `benchbox list results` names them")
    return found


def _leave_unchanged(folder: Path) -> None:
    """Change nothing of a copy."""


# --- what is out of date --------------------------------------------------------------------------


def find_stale_runs(results: Path) -> list[StaleRun]:
    """Return the runs whose card or parameters are not those of the cards that are here.

    What has no card here is not judged: a new name is not a reason to delete.
    """
    stale = []
    for run in _all_runs(results):
        reasons = list(_stale_reasons(run))
        if reasons:
            stale.append(StaleRun(run, ", ".join(reasons)))
    return stale


def _stale_reasons(run: Run) -> Iterator[str]:
    record = run.record
    try:
        card = kept_cards.load_card_of_run(run)
    except ProtocolError:
        return
    if record.card != card.card:
        then, now = run_identity.short_digest(record.card), run_identity.short_digest(card.card)
        yield f"another protocol card ({then}, now {now})"
    if record.kind == "submitted":
        return
    if record.trained_by is not None:
        yield from _stale_training(run, record.trained_by)
    try:
        method = method_card.find_card(run.method)
        overrides = {key: str(value) for key, value in record.overrides.items()}
        budget = record.budget or "quick"
        params = method_card.merge_params(method, record.variant, budget, overrides)
    except PluginError:
        return
    wanted = run_identity.RunIdentity(record.card, params, record.seed or 0, budget)
    for difference in run_identity.describe_differences(record, wanted, method.before):
        if difference.startswith("other params"):
            yield difference


def _stale_training(run: Run, origin: TrainingOrigin) -> Iterator[str]:
    """Say that the card has changed under which somebody else's training was made."""
    results = run.folder.absolute().parents[3]
    try:
        card = protocol_card.load_protocol(kept_cards.locate_card(results, origin.protocol))
    except ProtocolError:
        return
    if card.card != origin.card:
        then, now = run_identity.short_digest(origin.card), run_identity.short_digest(card.card)
        yield f"weights trained under another card of {origin.protocol} ({then}, now {now})"


def delete_run(run: Run) -> None:
    """Delete a run's folder; raises ResultError while another process works in it."""
    with run_folders.claim_folder(run.folder):
        shutil.rmtree(run.folder)
    _remove_empty(run.folder.parent)


def rescore_run(run: Run, data: Path) -> None:
    """Derive scores and error tables of a run again from its predictions.

    Raises ResultError where the annotations here are not those that it was scored with, or record,
    predictions or log were changed since.
    """
    run_integrity.require_same_facts(run)
    protocol = kept_cards.load_card_of_run(run)
    if protocol.card != run.record.card:
        raise ResultError(
            f"{run.folder}: the card of {run.protocol} has changed since; `benchbox run --stale`"
        )
    index = run_data.open_index(protocol, data, pixels=False)
    if not run_data.has_truth_of(protocol, index, run.record.data):
        raise ResultError(
            f"{run.folder}: {data} holds other annotations than it was scored with; --data ROOT"
        )
    truth = splits.ground_truth(protocol, index)
    facts = run.record.data
    with run_folders.claim_folder(run.folder):
        run_outcome.derive_scores(run.folder, protocol, truth, facts, run.method, run.record.kind)
    run_folders.read_run(run.folder)


# --- parts ----------------------------------------------------------------------------------------


def _all_runs(results: Path) -> list[Run]:
    return [run for run in run_folders.list_runs(results) if isinstance(run, Run)]


def _require_free(targets: Sequence[Path]) -> None:
    """Raise ResultError before anything is changed where a place is taken."""
    seen = set()
    for target in targets:
        if target in seen or target.exists():
            raise ResultError(f"{target}: is there already; move or delete one of the two first")
        seen.add(target)


def _replace_folder(
    results: Path, source: Path, target: Path, change: Callable[[Path], None]
) -> None:
    """Copy a run, change the copy, put it in its place whole, and delete the original."""
    copy = results / _UNDER_WAY / hashlib.sha256(str(target).encode()).hexdigest()[:16]
    try:
        with run_folders.claim_folder(source):
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(source, copy, symlinks=True)
            change(copy)
            target.parent.mkdir(parents=True, exist_ok=True)
            copy.rename(target)
            run_folders.read_run(target)
            shutil.rmtree(source)
    except OSError as fault:
        shutil.rmtree(copy, ignore_errors=True)
        raise ResultError(f"{target}: cannot be written: {_first_reason(fault)}") from fault
    finally:
        _remove_empty(copy.parent)
    _remove_empty(source.parent)


def _first_reason(fault: OSError) -> str:
    """Say why a file could not be written; copying a folder gathers a reason for each."""
    if isinstance(fault, shutil.Error) and fault.args and fault.args[0]:
        return str(fault.args[0][0][-1])
    return fault.strerror or str(fault)


def _remove_empty(folder: Path) -> None:
    """Remove a folder and those above it, up to a protocol's, as far as they are empty."""
    for place in (folder, folder.parent, folder.parent.parent):
        if not place.is_dir() or any(place.iterdir()):
            return
        place.rmdir()
