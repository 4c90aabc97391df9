"""The regression gate: what committed results said in a baseline, and what they say now.

A baseline is one JSON file: for every run its card (hash and content), data fingerprint and scores.
Against it, a run that is gone, a card that decides numbers otherwise, other data and a score that
got worse are regressions; a score that got better is reported and passes. `rescore_runs` looks
behind the stored scores: it derives them again from the predictions, with today's code, wherever
the truth is at hand.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchbox.errors import BenchboxError, DataError, ProtocolError, ResultError
from benchbox.file_readers.json_files import read_json_table
from benchbox.metrics.metric_names import parse_metric
from benchbox.protocols import protocol_card
from benchbox.runs import kept_cards, run_folders, run_identity, score_file
from benchbox.runs.run_record import ScoreFile, parse_scores
from benchbox.types import Run

if TYPE_CHECKING:
    import numpy as np

SCHEMA = 1
_RELATIVE = 1e-6  # between machines the last bits differ
_LARGEST = 1 << 26  # bytes


@dataclass(frozen=True)
class Change:
    """One difference from a baseline, in words."""

    place: str  # "300w-full/glsr/glsr/1"
    text: str
    regression: bool


def write_baseline(results: Path, file: Path) -> int:
    """Write the baseline of every readable run below `results`; return how many there are.

    Raises ResultError where there is none: against nothing nothing ever gets worse.
    """
    scored, unreadable = run_folders.list_scored_runs(results)
    if not scored:
        raise ResultError(_why_no_runs(results, unreadable))
    runs = {_run_path(run): _run_facts(run, results) for run in scored}
    run_folders.write_json(file, {"schema": SCHEMA, "runs": runs})
    return len(runs)


def find_changes(results: Path, file: Path) -> list[Change]:
    """Return what differs from a baseline; raises ResultError for a file that is none."""
    before = _read_baseline(file)
    scored, left_out = run_folders.list_scored_runs(results)
    now = {_run_path(run): run for run in scored}
    unreadable = _reasons_by_place(left_out)
    changes = []
    for place in before:
        if place in now:
            continue
        text = "was in the baseline and is gone"
        if place in unreadable:
            text = f"cannot be read: {unreadable[place]}"
        changes.append(Change(place, text, True))
    for place, run in now.items():
        if place not in before:
            changes.append(Change(place, "is new", False))
            continue
        for text, worse in _differences(before[place], _run_facts(run, results)):
            changes.append(Change(place, text, worse))
    return changes


def rescore_runs(results: Path, data: Path) -> tuple[list[Change], list[str]]:
    """Score every run again from its predictions.

    Return what differs from its stored scores, and what was left out: runs whose data or whose card
    are not here.
    """
    changes: list[Change] = []
    left_out: list[str] = []
    scored, unreadable = run_folders.list_scored_runs(results)
    for place, reason in _reasons_by_place(unreadable).items():
        changes.append(Change(place, f"cannot be read: {reason}", True))
    for run in scored:
        place = _run_path(run)
        try:
            card = kept_cards.locate_card(results, run.protocol)
            texts = _rescore_run(run, card, data)
        except (DataError, ProtocolError) as fault:
            left_out.append(f"{place}: not scored again: {fault}")
        except BenchboxError as fault:
            changes.append(Change(place, str(fault), True))
        else:
            changes += [Change(place, text, True) for text in texts]
    return changes, left_out


def _rescore_run(run: Run, card_name: str, data: Path) -> list[str]:
    """Return how the scores of a run's predictions differ from those that are stored."""
    card = protocol_card.load_protocol(card_name)
    if card.card != run.record.card:
        return [f"the card of {run.protocol} has changed since this run was made"]
    predictions = run_folders.predictions_file(run.folder)
    scored = score_file.score_predictions_file(predictions, card_name, run.method, data)
    truth = str(scored.document["data"]["fingerprint"])
    if run_identity.is_known_by_bytes(run.record.data) and run.record.data.truth != truth:
        return ["the annotations here are not those that it was scored with"]
    again = parse_scores(scored.document, "scored again")
    stored = run_folders.read_scores(run)
    differences = []
    for text, _ in _value_differences(stored.values_by_group(), again.values_by_group()):
        differences.append(f"scored again from its predictions, {text}")
    differences += _interval_differences(stored, again)
    differences += _table_differences(run_folders.read_errors(run), scored.scores.errors)
    return differences


def _interval_differences(stored: ScoreFile, again: ScoreFile) -> list[str]:
    """Name the first interval that scoring again does not give."""
    for group, scores in stored.groups.items():
        for name, score in scores.items():
            other = again.groups.get(group, {}).get(name)
            if other is None:
                continue
            ends, ends_again = (score.low, score.high), (other.low, other.high)
            for end, end_again in zip(ends, ends_again, strict=True):
                if not _nearly_equal(end, end_again):
                    return [
                        f"scored again from its predictions, the interval of {group} {name} was"
                        f" {ends}, is {ends_again}"
                    ]
    return []


def _table_differences(stored: np.ndarray, again: np.ndarray) -> list[str]:
    """Name the columns (N,) of an error table that scoring again does not give.

    Columns that came with later versions are not in an older table.
    """
    import numpy as np

    if len(stored) != len(again):
        return [f"its error table holds {len(stored)} items, scored again there are {len(again)}"]
    differences = []
    for name in stored.dtype.names or ():
        if name not in (again.dtype.names or ()):
            differences.append(f"its error table has a column {name} that nothing gives")
            continue
        before, now = stored[name].astype(np.float64), again[name].astype(np.float64)
        same = np.isclose(before, now, rtol=_RELATIVE, atol=_RELATIVE, equal_nan=True)
        if not same.all():
            row = int(np.argmin(same))
            differences.append(
                f"scored again from its predictions, {int((~same).sum())} of {len(same)} values of"
                f" the error table's {name} differ, the first in row {row}: {before[row]:.6g},"
                f" is {now[row]:.6g}"
            )
    return differences


def _nearly_equal(first: float | None, second: float | None) -> bool:
    if first is None or second is None:
        return first is second
    return abs(first - second) <= _RELATIVE * max(abs(first), 1e-3)


# --- parts ----------------------------------------------------------------------------------------


def _reasons_by_place(unreadable: Sequence[run_folders.UnreadableRun]) -> dict[str, str]:
    return {"/".join(run.folder.parts[-4:]): run.reason for run in unreadable}


def require_runs(results: Path) -> None:
    """Raise ResultError for a folder without a run that can be read: nothing would be compared."""
    scored, unreadable = run_folders.list_scored_runs(results)
    if not scored:
        raise ResultError(_why_no_runs(results, unreadable))


def _why_no_runs(results: Path, unreadable: Sequence[run_folders.UnreadableRun]) -> str:
    if not unreadable:
        return run_folders.explain_no_runs(results)
    return f"{results}: none of its {len(unreadable)} runs can be used; {unreadable[0].reason}"


def _run_path(run: Run) -> str:
    return "/".join((run.protocol, run.method, run.variant, run.seed))


def _run_facts(run: Run, results: Path) -> dict[str, Any]:
    return {
        "card": run.record.card,
        "content": _card_content(kept_cards.locate_card(results, run.protocol)),
        "data": run.record.data.fingerprint,
        "data_name": run_identity.name_data(run.record.data),
        "code": run.record.code.method,
        "scores": run_folders.read_scores(run).values_by_group(),
    }


def _card_content(protocol: str) -> dict[str, Any] | None:
    try:
        card = protocol_card.load_protocol(protocol)
    except BenchboxError:
        return None
    return dict(json.loads(protocol_card.canonical_json(card)))


def _read_baseline(file: Path) -> Mapping[str, Any]:
    document = read_json_table(
        file, largest=_LARGEST, fault=ResultError, advice="--write-baseline makes one"
    )
    if document.get("schema") != SCHEMA or not isinstance(document.get("runs"), dict):
        raise ResultError(f"{file}: is no baseline of schema {SCHEMA}; --write-baseline makes one")
    if not document["runs"]:
        raise ResultError(
            f"{file}: a baseline of 0 runs, against which nothing gets worse; "
            "--write-baseline FILE makes one from --results DIR"
        )
    return dict(document["runs"])


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """Yield what differs between the facts of a run, each with whether it is a regression."""
    if before["content"] != now["content"]:
        keys = _changed_keys(before["content"], now["content"])
        yield f"the protocol now decides numbers otherwise: {keys}", True
    elif before["card"] != now["card"]:
        yield (
            f"was made under another card ({str(now['card'])[:19]} instead of "
            f"{str(before['card'])[:19]})",
            True,
        )
    if before["data"] != now["data"] and before.get("data_name") != now["data_name"]:
        yield "was made on other data (another fingerprint)", True
    if "code" in before and before["code"] != now["code"]:
        yield "was made by another version of the method's code", False
    yield from _value_differences(before["scores"], now["scores"])


def _changed_keys(before: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> str:
    if now is None:
        return "its card is gone"
    if before is None:
        return "its card is new"
    changed = []
    for key in sorted({*before, *now}):
        if before.get(key) != now.get(key):
            changed.append(f"{key} was {before.get(key)}, is {now.get(key)}")
    return "; ".join(changed)


def _value_differences(
    before: Mapping[str, Any], now: Mapping[str, Any]
) -> Iterator[tuple[str, bool]]:
    """Yield the values (group → metric → value) that differ, each with whether it got worse."""
    for group, metrics in before.items():
        for name, old in metrics.items():
            new = now.get(group, {}).get(name)
            if old is None or new is None:
                if old != new:
                    yield f"{group} {name} was {old}, is {new}", True
            elif abs(new - old) > _RELATIVE * max(abs(old), 1e-3):
                yield _value_difference(group, name, old, new)


def _value_difference(group: str, name: str, old: float, new: float) -> tuple[str, bool]:
    metric = parse_metric(name)
    worse = (new > old) == metric.lower_is_better
    unit = "" if metric.unit == "1" else f" {metric.unit}"
    direction = "worse" if worse else "better"
    return f"{group} {name} was {old:.4g}, is {new:.4g}{unit} ({direction})", worse
