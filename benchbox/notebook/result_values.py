"""What the functions of `import benchbox` return: values with frames and a notebook's table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchbox.analysis import compare as comparing
from benchbox.errors import ResultError
from benchbox.report.inputs import results as result_inputs
from benchbox.report.inputs.results import Problem, Result
from benchbox.runs import run_folders
from benchbox.runs.run_outcome import RunOutcome, ScoreResult
from benchbox.scoring import headline
from benchbox.scoring import score as scoring
from benchbox.types import Protocol, Run, Score

from . import frames, html_tables

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

_SHOWN_RUNS = 200  # in a notebook's table


@dataclass(frozen=True, eq=False, repr=False)
class ScoredPredictions:
    """Predictions of your own, scored: `benchbox.score`."""

    result: ScoreResult
    notes: tuple[str, ...] = ()

    @property
    def protocol(self) -> Protocol:
        """Return what they were scored under."""
        return self.result.protocol

    @property
    def document(self) -> Mapping[str, Any]:
        """Return the document that `benchbox score --json` prints."""
        return self.result.document

    @property
    def headline(self) -> str:
        """Return the score that ranks them, in a line."""
        return headline.format_headline(self.result.scores, self.protocol)

    def value(self, metric: str = "", group: str = "") -> Score:
        """Return one score; without names the one that ranks.

        Raises ResultError for a group or metric that the protocol does not have.
        """
        overall, first, _ = headline.ranking_score(self.result.scores, self.protocol)
        return _find_score(self.result.scores.groups, group or overall, metric or first)

    def frame(self) -> pd.DataFrame:
        """Return the scores, a row for each group and metric."""
        document = self.document
        facts = {
            "protocol": self.protocol.name,
            "method": document["method"],
            "variant": document["variant"],
            "seed": None,
            "kind": document["kind"],
            "budget": None,
            "items": document["n"],
            "failed": document["failed"],
            "data": document["data"]["variant"],
            "card": document["card"],
            "folder": None,
        }
        rows = frames.score_rows(facts, self.result.scores.groups)
        return frames.make_frame(rows, frames.SCORE_COLUMNS)

    def errors(self) -> pd.DataFrame:
        """Return the error of every test item, a row for each."""
        if self.result.ids is None:
            raise ResultError("these scores were read back without their items' ids")
        return frames.error_frame(self.result.scores.errors, self.result.ids)

    def __repr__(self) -> str:
        return f"<{self.protocol.name}: {self.headline}>"

    def __str__(self) -> str:
        """Return the scores as `benchbox score` prints them."""
        return scoring.format_scores(self.result.scores, self.protocol)

    def _repr_html_(self) -> str:
        table = _score_table(self.result.scores.groups)
        return html_tables.format_table(*table, self.headline) + html_tables.format_notes(
            self.notes
        )


@dataclass(frozen=True, eq=False, repr=False)
class FinishedRun:
    """A finished run and its scores: `benchbox.run`."""

    outcome: RunOutcome

    @property
    def run(self) -> Run:
        """Return the run and its record."""
        return self.outcome.run

    @property
    def folder(self) -> Path:
        """Return where it lies."""
        return self.run.folder

    @property
    def protocol(self) -> Protocol:
        """Return what it was scored under."""
        return self.outcome.scored.protocol

    @property
    def headline(self) -> str:
        """Return the score that ranks it, in a line."""
        return headline.format_headline(self.outcome.scored.scores, self.protocol)

    def value(self, metric: str = "", group: str = "") -> Score:
        """Return one score, as `ScoredPredictions.value` does."""
        return ScoredPredictions(self.outcome.scored).value(metric, group)

    def frame(self) -> pd.DataFrame:
        """Return the scores, a row for each group and metric."""
        return _runs_frame([result_inputs.read_result(self.run)])

    def errors(self) -> pd.DataFrame:
        """Return the error of every test item, a row for each."""
        return _run_errors(self.run)

    def __repr__(self) -> str:
        return f"<{self.folder}: {self.headline}>"

    def __str__(self) -> str:
        """Return the scores as `benchbox run` prints them."""
        return scoring.format_scores(self.outcome.scored.scores, self.protocol)

    def _repr_html_(self) -> str:
        title = f"{self.run.method}/{self.run.variant} on {self.protocol.name}: {self.headline}"
        table = _score_table(self.outcome.scored.scores.groups)
        return html_tables.format_table(*table, title) + html_tables.format_notes(
            self.outcome.notes
        )


@dataclass(frozen=True, eq=False, repr=False)
class RunComparison:
    """Two runs or more against the first of them: `benchbox.compare`."""

    comparison: comparing.Comparison

    def frame(self) -> pd.DataFrame:
        """Return the differences, a row for each group, metric and contestant."""
        return frames.comparison_frame(self.comparison)

    def __repr__(self) -> str:
        return f"<{len(self.comparison.differences)} differences on {self.comparison.protocol}>"

    def __str__(self) -> str:
        """Return the comparison as `benchbox compare` prints it."""
        return comparing.format_comparison(self.comparison)

    def _repr_html_(self) -> str:
        level = self.comparison.level
        names = [str(contestant["name"]) for contestant in self.comparison.contestants]
        head = ["group", "metric", "baseline", "other", "difference"]
        head += [f"{100 * level:g} % interval", "p (Holm)", "is"]
        rows = []
        for one in self.comparison.differences:
            interval = ""
            if one.low is not None and one.high is not None:
                interval = f"{one.low:.3f} … {one.high:.3f}"
            numbers = [f"{one.baseline:.3f}", f"{one.other:.3f}", f"{one.difference:+.3f}"]
            p = "" if one.p_holm is None else f"{one.p_holm:.3g}"
            words = [interval, p, f"{one.name} {one.verdict(level)}"]
            rows.append([one.group, one.metric, *numbers, *words])
        title = f"{', '.join(names[1:])} against {names[0]} on {self.comparison.protocol}"
        table = html_tables.format_table(head, rows, title)
        return table + html_tables.format_notes(self.comparison.notes)


@dataclass(frozen=True, eq=False, repr=False)
class StoredResults:
    """The finished runs of a folder: `benchbox.load_results`."""

    folder: Path
    results: tuple[Result, ...]
    problems: tuple[Problem, ...]  # what could not be read, and why

    def __repr__(self) -> str:
        return f"<{len(self.results)} runs below {self.folder}>"

    def __len__(self) -> int:
        return len(self.results)

    def __iter__(self) -> Iterator[Run]:
        return iter(result.run for result in self.results)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Return the runs as `errors` and `benchbox.compare` take them."""
        return tuple(_run_name(result.run) for result in self.results)

    def frame(self) -> pd.DataFrame:
        """Return all scores, a row for each run, group and metric."""
        return _runs_frame(self.results)

    def errors(self, run: str | Path | Run | FinishedRun) -> pd.DataFrame:
        """Return the error of every test item of a run, a row for each.

        `run` is `PROTOCOL/METHOD/VARIANT/SEED`, a run's folder or a run. Raises ResultError for one
        that is not among them.
        """
        return _run_errors(self._find_run(run))

    def _find_run(self, wanted: str | Path | Run | FinishedRun) -> Run:
        if isinstance(wanted, FinishedRun):
            return wanted.run
        if isinstance(wanted, Run):
            return wanted
        for result in self.results:
            run = result.run
            if str(wanted) == _run_name(run) or Path(wanted).absolute() == run.folder.absolute():
                return run
        example = self.names[0] if self.names else "PROTOCOL/METHOD/VARIANT/SEED"
        raise ResultError(f"{wanted}: no run of {self.folder}; write as {example}")

    def _repr_html_(self) -> str:
        head = ["protocol", "method", "variant", "seed", "kind", "budget", "score"]
        rows = []
        for result in self.results[:_SHOWN_RUNS]:
            run = result.run
            names = [run.protocol, run.method, run.variant, run.seed, result.kind, result.budget]
            rows.append([*names, _first_score(result)])
        notes = [f"{problem.place}: {problem.reason}" for problem in self.problems]
        if len(self.results) > _SHOWN_RUNS:
            notes.append(f"and {len(self.results) - _SHOWN_RUNS} more")
        title = f"{len(self.results)} runs below {self.folder}"
        return html_tables.format_table(head, rows, title) + html_tables.format_notes(notes)


def _run_name(run: Run) -> str:
    return f"{run.protocol}/{run.method}/{run.variant}/{run.seed}"


def _run_errors(run: Run) -> pd.DataFrame:
    errors = run_folders.read_errors(run)
    return frames.error_frame(errors, result_inputs.read_ids(run, len(errors)))


def _first_score(result: Result) -> str:
    """Write the first score of the first group, which ranks most protocols."""
    found = headline.first_score(result.scores, None)
    if found is None:
        return ""
    _, name, score = found
    return headline.format_score(score, name)


def _find_score(groups: Mapping[str, Mapping[str, Score]], group: str, metric: str) -> Score:
    if group not in groups:
        raise ResultError(f"no group {group!r}; there are {', '.join(groups)}")
    if metric not in groups[group]:
        raise ResultError(f"no metric {metric!r}; there are {', '.join(groups[group])}")
    return groups[group][metric]


def _score_table(
    groups: Mapping[str, Mapping[str, Score]],
) -> tuple[list[str], list[list[str]]]:
    rows = []
    for group, scores in groups.items():
        for metric, score in scores.items():
            interval = ""
            if score.low is not None and score.high is not None:
                interval = f"{score.low:.4g} … {score.high:.4g}"
            value = "–" if score.value is None else f"{score.value:.4g}"
            rows.append([group, metric, value, interval, score.unit])
    return ["group", "metric", "value", "interval", "unit"], rows


def _runs_frame(results: Sequence[Result]) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for result in results:
        run = result.run
        facts = {
            "protocol": run.protocol,
            "method": run.method,
            "variant": run.variant,
            "seed": run.record.seed,
            "kind": result.kind,
            "budget": run.record.budget,
            "items": result.n,
            "failed": result.failed,
            "data": result.data,
            "card": result.card,
            "folder": str(run.folder),
        }
        rows += frames.score_rows(facts, result.scores)
    return frames.make_frame(rows, frames.SCORE_COLUMNS)
