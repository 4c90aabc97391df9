"""The regression gate: what committed results said in a baseline, and what they say now.

A baseline is one JSON file. It holds for every run its card (hash and content), data fingerprint,
scores and the digest of its predictions, and for every claim of the papers what the results said of
it. Against it are regressions: a run that is gone, a card that decides numbers otherwise, other
data, a score that got worse by more than is tolerated, and a verdict that fell: a claim that held,
a fact that was met, a cell that was reproduced and is no longer. What got better is reported and
passes.

Digests are verified on the way: a run whose files are not those of its record is not read at all
(`runs.run_integrity`), and one whose predictions are others than in the baseline is named.

Baselines of schema 1 hold neither verdicts nor digests; they are read, and that is said.
`rescore_runs` looks behind the stored scores: it derives them again from the predictions, with
today's code, wherever the truth is at hand.
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

from . import check_papers
from .tolerances import Tolerances
from .verdicts import NOT_MEASURED, VERDICTS, Verdict, standing_of

if TYPE_CHECKING:
    import numpy as np

SCHEMA = 2
_READ_SCHEMAS = (1, SCHEMA)
_RELATIVE = 1e-6  # between machines the last bits differ
_LARGEST = 1 << 26  # bytes
RUN, CLAIM = "run", "claim"


@dataclass(frozen=True)
class Change:
    """One difference from a baseline, in words."""

    place: str  # "300w-full/glsr/glsr/1"; of a claim its identity
    text: str
    regression: bool
    about: str = RUN  # run | claim


@dataclass(frozen=True)
class BaselineComparison:
    """What differs from a baseline, and how much was compared."""

    changes: tuple[Change, ...]
    runs: int  # of the baseline that are here
    digests: int  # of their predictions, found to be the baseline's
    verdicts: int  # of the baseline that were judged again
    notes: tuple[str, ...]  # what was not compared

    def describe(self) -> str:
        """Say in one line how much was compared."""
        runs = "1 run" if self.runs == 1 else f"{self.runs} runs"
        verdicts = "1 verdict" if self.verdicts == 1 else f"{self.verdicts} verdicts"
        worse = sum(change.regression for change in self.changes)
        outcome = "nothing got worse"
        if worse:
            outcome = f"{worse} got worse"
        return (
            f"compared with the baseline: {runs}, digests of {self.digests} as they were;"
            f" {verdicts}; {outcome}"
        )


@dataclass(frozen=True)
class _Baseline:
    """A baseline as it is read."""

    schema: int
    runs: Mapping[str, Any]
    verdicts: Mapping[str, str]  # identity → verdict


def write_baseline(results: Path, file: Path, verdicts: Sequence[Verdict] | None = None) -> int:
    """Write the baseline of every readable run below `results`; return how many there are.

    `verdicts` are what the results say of papers; they are judged where they are not given. Raises
    ResultError where there is no run: against nothing nothing ever gets worse.
    """
    scored, unreadable = run_folders.list_scored_runs(results)
    if not scored:
        raise ResultError(_why_no_runs(results, unreadable))
    if verdicts is None:
        verdicts = check_papers.judge_runs(scored, results)
    runs = {_run_path(run): _run_facts(run, results) for run in scored}
    said = {}
    for verdict in verdicts:
        if verdict.verdict != NOT_MEASURED:
            said[verdict.identity] = verdict.verdict
    run_folders.write_json(file, {"schema": SCHEMA, "runs": runs, "verdicts": said})
    return len(runs)


def find_changes(results: Path, file: Path) -> list[Change]:
    """Return what differs from a baseline; raises ResultError for a file that is none."""
    return list(compare_baseline(results, file).changes)


def compare_baseline(
    results: Path,
    file: Path,
    verdicts: Sequence[Verdict] | None = None,
    tolerances: Tolerances | None = None,
) -> BaselineComparison:
    """Hold results against a baseline; raises ResultError for a file that is none.

    `verdicts` are what the results say of papers now, without the facts where these were not
    counted; they are judged where they are not given.
    """
    tolerances = tolerances or Tolerances()
    before = _read_baseline(file)
    scored, left_out = run_folders.list_scored_runs(results)
    now = {_run_path(run): run for run in scored}
    changes = _missing_runs(before.runs, now, left_out)
    compared = digests = 0
    for place, run in now.items():
        if place not in before.runs:
            changes.append(Change(place, "is new", False))
            continue
        facts = _run_facts(run, results)
        compared += 1
        digests += bool(facts["digest"]) and before.runs[place].get("digest") == facts["digest"]
        for text, worse in _differences(place, before.runs[place], facts, tolerances):
            changes.append(Change(place, text, worse))
    if verdicts is None and before.verdicts:
        verdicts = check_papers.judge_runs(scored, results, tolerances.training)
    notes = []
    if before.schema < SCHEMA:
        notes.append(
            f"{file}: is of schema {before.schema}, without verdicts and digests; "
            "--write-baseline FILE makes one that guards them"
        )
    judged = verdicts or ()
    fallen, guarded, uncounted = _verdict_changes(before.verdicts, judged)
    if uncounted:
        notes.append(f"{uncounted} facts of the baseline are not looked at; --facts counts them")
    return BaselineComparison((*changes, *fallen), compared, digests, guarded, tuple(notes))


def _missing_runs(
    before: Mapping[str, Any],
    now: Mapping[str, Run],
    left_out: Sequence[run_folders.UnreadableRun],
) -> list[Change]:
    unreadable = _reasons_by_place(left_out)
    changes = []
    for place in before:
        if place in now:
            continue
        text = "was in the baseline and is gone"
        if place in unreadable:
            text = f"cannot be read: {unreadable[place]}"
        changes.append(Change(place, text, True))
    return changes


def _verdict_changes(
    before: Mapping[str, str], verdicts: Sequence[Verdict]
) -> tuple[list[Change], int, int]:
    """Return verdicts that differ, how many were compared, and how many facts were not."""
    now = {verdict.identity: verdict for verdict in verdicts}
    counts_facts = any(verdict.kind == "fact" for verdict in verdicts)
    changes: list[Change] = []
    compared = uncounted = 0
    for identity, said in before.items():
        if identity.startswith("fact |") and not counts_facts:
            uncounted += 1
            continue
        compared += 1
        if identity not in now:
            if standing_of(said):
                text = f"was: {said}; is no longer judged, as its claim or its runs are gone"
                changes.append(Change(identity, text, True, CLAIM))
            continue
        verdict = now[identity]
        if verdict.verdict == said:
            continue
        text = f"was: {said}; is: {verdict.verdict}"
        if verdict.reasons:
            text += f" ({'; '.join(verdict.reasons)})"
        worse = verdict.standing < standing_of(said)
        changes.append(Change(identity, text, worse, CLAIM))
    return changes, compared, uncounted


def rescore_runs(results: Path, data: Path) -> tuple[list[Change], list[str]]:
    """Score every run again from its predictions.

    Return what differs from its stored scores, and what was left out: runs whose data,
    predictions or card are not here.
    """
    changes: list[Change] = []
    left_out: list[str] = []
    scored, unreadable = run_folders.list_scored_runs(results)
    for place, reason in _reasons_by_place(unreadable).items():
        changes.append(Change(place, f"cannot be read: {reason}", True))
    for run in scored:
        place = _run_path(run)
        if not run_folders.predictions_file(run.folder).is_file():
            left_out.append(f"{place}: not scored again: its predictions are not kept here")
            continue
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
    values = stored.values_by_group(), again.values_by_group()
    for text, _ in _value_differences(_run_path(run), *values, Tolerances()):
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
        "digest": run.record.digests.predictions,
        "scores": run_folders.read_scores(run).values_by_group(),
    }


def _card_content(protocol: str) -> dict[str, Any] | None:
    try:
        card = protocol_card.load_protocol(protocol)
    except BenchboxError:
        return None
    return dict(json.loads(protocol_card.canonical_json(card)))


def _read_baseline(file: Path) -> _Baseline:
    if not file.exists():
        raise ResultError(f"{file}: there is no such file; --write-baseline makes one")
    document = read_json_table(
        file, largest=_LARGEST, fault=ResultError, advice="--write-baseline makes one"
    )
    if document.get("schema") not in _READ_SCHEMAS:
        raise ResultError(_no_baseline(file))
    runs, verdicts = document.get("runs"), document.get("verdicts", {})
    if not isinstance(runs, dict) or not isinstance(verdicts, dict):
        raise ResultError(_no_baseline(file))
    if not runs:
        raise ResultError(
            f"{file}: a baseline of 0 runs, against which nothing gets worse; "
            "--write-baseline FILE makes one from --results DIR"
        )
    for place, facts in runs.items():
        if place.count("/") != 3 or not _are_run_facts(facts):
            raise ResultError(
                f"{file}: {place} is no run of a baseline; --write-baseline makes one"
            )
    for identity, verdict in verdicts.items():
        if verdict not in VERDICTS:
            raise ResultError(
                f"{file}: {verdict!r} is no verdict ({identity}); --write-baseline makes one"
            )
    return _Baseline(document["schema"], runs, verdicts)


_RUN_KEYS = {"card", "content", "data", "scores"}


def _are_run_facts(facts: object) -> bool:
    """Tell whether an entry of a baseline has the keys of a run, and scores that are numbers."""
    if not isinstance(facts, dict) or not facts.keys() >= _RUN_KEYS:
        return False
    groups = facts["scores"]
    if not isinstance(groups, dict) or not all(
        isinstance(group, dict) for group in groups.values()
    ):
        return False
    values = [value for group in groups.values() for value in group.values()]
    return all(value is None or type(value) in (int, float) for value in values)


def _no_baseline(file: Path) -> str:
    schemas = " or ".join(map(str, _READ_SCHEMAS))
    return f"{file}: is no baseline of schema {schemas}; --write-baseline makes one"


def _differences(
    place: str, before: Mapping[str, Any], now: Mapping[str, Any], tolerances: Tolerances
) -> Iterator[tuple[str, bool]]:
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
    if before.get("digest") and now["digest"] and before["digest"] != now["digest"]:
        digests = (run_identity.short_digest(str(facts["digest"])) for facts in (before, now))
        yield f"its predictions are others ({', now '.join(digests)})", False
    yield from _value_differences(place, before["scores"], now["scores"], tolerances)


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
    place: str, before: Mapping[str, Any], now: Mapping[str, Any], tolerances: Tolerances
) -> Iterator[tuple[str, bool]]:
    """Yield the values (group → metric → value) that differ, each with whether it got worse."""
    for group, metrics in before.items():
        for name, old in metrics.items():
            new = now.get(group, {}).get(name)
            if old is None or new is None:
                if old != new:
                    yield f"{group} {name} was {old}, is {new}", True
            elif abs(new - old) > _RELATIVE * max(abs(old), 1e-3):
                allowed = tolerances.allowance(place, group, name, old)
                yield _value_difference(group, name, old, new, allowed)


def _value_difference(
    group: str, name: str, old: float, new: float, allowed: float
) -> tuple[str, bool]:
    metric = parse_metric(name)
    worse = (new > old) == metric.lower_is_better
    unit = "" if metric.unit == "1" else f" {metric.unit}"
    direction = "worse" if worse else "better"
    if worse and abs(new - old) <= allowed:
        worse, direction = False, f"worse, within the tolerance of {allowed:.2g}"
    return f"{group} {name} was {old:.4g}, is {new:.4g}{unit} ({direction})", worse
