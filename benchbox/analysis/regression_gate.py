"""The regression gate: what committed results said in a baseline, and what they say now.

A baseline is one JSON file: for every run its card (hash and content), data fingerprint and scores.
Against it, a run that is gone, a card that decides numbers otherwise, other data and a score that
got worse are regressions; a score that got better is reported and passes. `rescore_runs` looks
behind the stored scores: it derives them again from the predictions, with today's code, wherever
the truth is at hand.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchbox.errors import BenchboxError, DataError, ResultError
from benchbox.metrics.metric_names import parse_metric
from benchbox.protocols import protocol_card
from benchbox.runs import run_folders, score_file
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
    """Write the baseline of every readable run below `results`; return how many there are."""
    runs = {_run_path(run): _run_facts(run) for run in _readable_runs(results)}
    run_folders.write_json(file, {"schema": SCHEMA, "runs": runs})
    return len(runs)


def find_changes(results: Path, file: Path) -> list[Change]:
    """Return what differs from a baseline; raises ResultError for a file that is none."""
    before = _read_baseline(file)
    now = {_run_path(run): run for run in _readable_runs(results)}
    unreadable = _unreadable_runs(results)
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
        for text, worse in _differences(before[place], _run_facts(run)):
            changes.append(Change(place, text, worse))
    return changes


def rescore_runs(results: Path, data: Path) -> tuple[list[Change], list[str]]:
    """Score every run again from its predictions.

    Return what differs from its stored scores, and what was left out.
    """
    changes: list[Change] = []
    left_out: list[str] = []
    for place, reason in _unreadable_runs(results).items():
        changes.append(Change(place, f"cannot be read: {reason}", True))
    for run in _readable_runs(results):
        place = _run_path(run)
        try:
            texts = _rescore_run(run, data)
        except DataError as fault:
            left_out.append(f"{place}: not scored again: {fault}")
        except BenchboxError as fault:
            changes.append(Change(place, str(fault), True))
        else:
            changes += [Change(place, text, True) for text in texts]
    return changes, left_out


def _rescore_run(run: Run, data: Path) -> list[str]:
    """Return how the scores of a run's predictions differ from those that are stored."""
    card = protocol_card.load_protocol(run.protocol)
    if card.card != run.record.card:
        return [f"the card of {run.protocol} has changed since this run was made"]
    predictions = run_folders.predictions_file(run.folder)
    scored = score_file.score_predictions_file(predictions, run.protocol, run.method, data)
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


def _readable_runs(results: Path) -> Iterator[Run]:
    for run in run_folders.list_runs(results):
        if isinstance(run, Run) and run_folders.has_scores(run):
            yield run


def _unreadable_runs(results: Path) -> dict[str, str]:
    """Return why runs cannot be read, by place."""
    reasons = {}
    for run in run_folders.list_runs(results):
        if not isinstance(run, Run):
            reasons["/".join(run.folder.parts[-4:])] = run.reason
    return reasons


def _run_path(run: Run) -> str:
    return "/".join((run.protocol, run.method, run.variant, run.seed))


def _run_facts(run: Run) -> dict[str, Any]:
    return {
        "card": run.record.card,
        "content": _card_content(run.protocol),
        "data": run.record.data.fingerprint,
        "scores": run_folders.read_scores(run).values_by_group(),
    }


def _card_content(protocol: str) -> dict[str, Any] | None:
    try:
        card = protocol_card.load_protocol(protocol)
    except BenchboxError:
        return None
    return dict(json.loads(protocol_card.canonical_json(card)))


def _read_baseline(file: Path) -> Mapping[str, Any]:
    try:
        if file.stat().st_size > _LARGEST:
            raise ResultError(f"{file}: larger than {_LARGEST:,} bytes; no baseline")
        document = json.loads(file.read_text(encoding="utf-8"))
    except OSError as fault:
        raise ResultError(
            f"{file}: cannot be read ({fault.strerror}); --write-baseline makes one"
        ) from fault
    except ValueError as fault:
        raise ResultError(f"{file}: is not JSON: {fault}") from fault
    is_baseline = isinstance(document, dict) and document.get("schema") == SCHEMA
    if not is_baseline or not isinstance(document.get("runs"), dict):
        raise ResultError(f"{file}: is no baseline of schema {SCHEMA}; --write-baseline makes one")
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
    if before["data"] != now["data"]:
        yield "was made on other data (another fingerprint)", True
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
