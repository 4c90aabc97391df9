"""Runs against a baseline on the same test items: paired differences, their intervals, and p-values kept honest.

Compared are **contestants**: a single run, or all seeds of one variant, whose errors are averaged face by face before
anything else. Two of them are compared over the seeds that both have, over all where they share none: three seeds of
one side against one of the other would take what that one seed happened to be for a difference. For every group and
metric: the difference from the baseline over the items that every run of both answered, its cluster-bootstrap interval,
the p of the sign-flip test by cluster, both widened by what several seeds vary by (`metrics.paired_tests`), and that p
corrected for everything that the table shows (Holm). AUC and FR count items without an answer; a mean cannot, and says
how many it left out.

Unlike things are refused, with the reason: another card, other test data, another scorer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox.errors import ProtocolError, ResultError
from benchbox.metrics import aggregate, bootstrap, paired_tests, ranks
from benchbox.protocols import protocol_card as protocols
from benchbox.runs import run_folders
from benchbox.runs.run_record import ScoreFile
from benchbox.types import Run

if TYPE_CHECKING:
    from benchbox.types import Bools, Floats

LEVEL, RESAMPLES = 0.95, 10_000


@dataclass(frozen=True, eq=False)
class Contestant:
    """One run, or every seed of one variant."""

    name: str  # "glsr/gsr", "glsr/gsr seed 1", "submitted/sdm"
    runs: tuple[Run, ...]
    tables: tuple[np.ndarray, ...]  # errors of each run, rows in one order

    @property
    def facts(self) -> dict[str, Any]:
        """Return what a reader must know of it."""
        first = self.runs[0]
        return {
            "name": self.name,
            "method": first.method,
            "variant": first.variant,
            "seeds": [run.seed for run in self.runs],
            "kind": first.record.kind,
            "budget": first.record.budget,
            "data": first.record.data.variant,
        }


@dataclass(frozen=True)
class Difference:
    """One metric of one group: a contestant minus the baseline."""

    group: str
    metric: str
    unit: str
    falls: bool
    baseline: float
    other: float
    name: str  # of the other contestant
    seeds: tuple[str, ...]  # that both have; empty: all of either side
    baseline_std: float | None  # between seeds; None for a single run
    other_std: float | None
    difference: float
    low: float | None
    high: float | None
    p: float | None
    p_holm: float | None
    items: int  # test items that the difference rests on
    left_out: int  # items that one of the runs did not answer
    clusters: int
    # smallest difference that this test set tells apart in 80 of 100 cases
    resolvable: float | None

    def verdict(self, level: float) -> str:
        """Say who is better, or that it cannot be told."""
        if self.p_holm is None or self.p_holm >= 1 - level or self.difference == 0:
            return "cannot tell"
        return "better" if (self.difference < 0) == self.falls else "worse"


@dataclass(frozen=True)
class Comparison:
    """Everything that `benchbox compare` says."""

    protocol: str
    card: str
    cluster: str  # what is resampled together
    level: float
    contestants: tuple[Mapping[str, Any], ...]  # the baseline first
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]


def compare_runs(
    arguments: Sequence[str],
    results: Path,
    metrics: Sequence[str] = (),
    *,
    everything: bool = False,
) -> Comparison:
    """Compare runs with the first of them.

    An argument is a run's folder, or the folder of a variant for all its seeds, as it stands or
    below `results`. `metrics` names what is compared; without it, the metrics of the card's first
    convention, with `everything` all. Raises ResultError for what is no run, for unlike runs, and
    for a metric that they do not have.
    """
    contestants = [_read_contestant(argument, results) for argument in arguments]
    if len(contestants) < 2:
        raise ResultError("compare needs two runs or more: benchbox compare RUN RUN…")
    _require_comparable([run for contestant in contestants for run in contestant.runs])
    contestants = _distinct_names(contestants)
    baseline, *others = contestants
    first = baseline.runs[0]
    level, cluster = _convention(first)
    chosen = _chosen_metrics(run_folders.read_scores(first), metrics, everything)
    found = [_differences(*_pair_differences(baseline, other), chosen, level) for other in others]
    return Comparison(
        protocol=first.protocol,
        card=first.record.card,
        cluster=cluster,
        level=level,
        contestants=tuple(contestant.facts for contestant in contestants),
        differences=tuple(_holm_corrected([difference for part in found for difference in part])),
        notes=tuple(_notes(baseline, others)),
    )


def comparison_to_json(comparison: Comparison) -> dict[str, Any]:
    """Return the document of `benchbox compare --json`."""
    document = {"schema": 1, **asdict(comparison)}
    for entry, difference in zip(document["differences"], comparison.differences, strict=True):
        entry["verdict"] = difference.verdict(comparison.level)
    return document


def format_comparison(comparison: Comparison) -> str:
    """Return the comparison as aligned text, best read from the last column."""
    level = comparison.level
    first = (
        "group",
        "metric",
        "baseline",
        "other",
        "difference",
        f"{100 * level:g} % interval",
        "p",
        "p (Holm)",
    )
    head = (*first, "is", "can tell from")
    lines = [f"baseline: {comparison.contestants[0]['name']} on {comparison.protocol}"]
    for contestant in comparison.contestants[1:]:
        own = [d for d in comparison.differences if d.name == contestant["name"]]
        over = f", seeds {', '.join(own[0].seeds)} of both" if own and len(own[0].seeds) > 1 else ""
        rows = [_table_row(d, level) for d in own]
        lines += ["", f"{contestant['name']} against the baseline{over}", *_aligned([head, *rows])]
    lines += [
        "",
        f"interval and p from whole clusters ({comparison.cluster}), with several seeds from their spread, too; "
        "p (Holm) allows for all "
        f"{len(comparison.differences)} comparisons shown",
        '"can tell from": the smallest difference that this test set shows in 80 of 100 cases',
    ]
    return "\n".join([*lines, *(f"note: {note}" for note in comparison.notes)])


# --- what is compared -----------------------------------------------------------------------------


def _read_contestant(argument: str, results: Path) -> Contestant:
    """Find the runs that an argument names; raises ResultError for none."""
    for place in (Path(argument), results / argument):
        if run_folders.is_finished(place):
            run = run_folders.read_run(place)
            return Contestant(
                f"{run.method}/{run.variant} seed {run.seed}",
                (run,),
                (run_folders.read_errors(run),),
            )
        seeds = (
            sorted(path for path in place.glob("*") if run_folders.is_finished(path))
            if place.is_dir()
            else []
        )
        if seeds:
            runs = tuple(run_folders.read_run(path) for path in seeds)
            return Contestant(
                f"{runs[0].method}/{runs[0].variant}",
                runs,
                tuple(map(run_folders.read_errors, runs)),
            )
        inside = sorted({path.parent.parent.name for path in place.glob("*/*/run.json")})
        if inside:
            raise ResultError(
                f"{argument}: holds the variants {', '.join(inside)}; name one: {argument}/{inside[0]}"
            )
    raise ResultError(
        f"{argument}: no finished run, and no variant's folder with runs in it, here or below {results}; "
        "`benchbox list results` names them: PROTOCOL/METHOD/VARIANT[/SEED]"
    )


def _pair_differences(
    baseline: Contestant, other: Contestant
) -> tuple[Contestant, Contestant, tuple[str, ...]]:
    """Keep the seeds that both have, in one order.

    All, and no seed named, where they share none.
    """
    shared = _shared_seeds(baseline, other)
    if not shared:
        return baseline, other, ()
    return _only_seeds(baseline, shared), _only_seeds(other, shared), shared


def _shared_seeds(baseline: Contestant, other: Contestant) -> tuple[str, ...]:
    return tuple(sorted({run.seed for run in baseline.runs} & {run.seed for run in other.runs}))


def _only_seeds(side: Contestant, seeds: Sequence[str]) -> Contestant:
    there = {run.seed: (run, table) for run, table in zip(side.runs, side.tables, strict=True)}
    runs, tables = zip(*(there[seed] for seed in seeds), strict=True)
    return Contestant(side.name, runs, tables)


def _distinct_names(contestants: Sequence[Contestant]) -> list[Contestant]:
    """Refuse a run that stands on two sides; call equal names by their folders."""
    seen: set[Path] = set()
    for run in (run for contestant in contestants for run in contestant.runs):
        if run.folder.resolve() in seen:
            raise ResultError(f"{run.folder}: given twice; a run compared with itself says nothing")
        seen.add(run.folder.resolve())
    names = [contestant.name for contestant in contestants]
    return [
        c
        if names.count(c.name) == 1
        else Contestant(f"{c.name} ({c.runs[0].folder})", c.runs, c.tables)
        for c in contestants
    ]


def _require_comparable(runs: Sequence[Run]) -> None:
    """Raise ResultError unless all runs were measured by one card on one set of test items."""
    first, expected = runs[0], _data_identity(runs[0])
    for run in runs[1:]:
        for word, there in _data_identity(run).items():
            if there != expected[word]:
                raise ResultError(
                    f"unlike things are not compared: {first.folder} has {word} {expected[word][:19]}, {run.folder} "
                    f"has {there[:19]}; {_remedy(word)}"
                )


def _data_identity(run: Run) -> dict[str, str]:
    return {
        "protocol": run.protocol,
        "card": run.record.card,
        "test data": run.record.data.truth,
        "scorer": str(run_folders.read_scores(run).scorer),
    }


def _remedy(word: str) -> str:
    return {
        "protocol": "score both under one protocol with `benchbox score PREDICTIONS --protocol P`",
        "card": "the card has changed between them; run the older one again with --fresh",
        "test data": "their annotations differ, so the same prediction would get another number",
        "scorer": "delete the older scores.json; the same `benchbox run` derives it again",
    }[word]


def _chosen_metrics(
    stored: ScoreFile, metrics: Sequence[str], everything: bool
) -> dict[str, list[str]]:
    """Return the metrics to compare, by group."""
    groups = {group: list(scores) for group, scores in stored.groups.items()}
    known = list(dict.fromkeys(name for names in groups.values() for name in names))
    for metric in metrics:
        if metric not in known:
            raise ResultError(f"no metric {metric!r} in these runs; they have {', '.join(known)}")
    if not metrics and not everything:
        convention = known[0].removeprefix("nme_")
        metrics = [name for name in known if name == known[0] or _convention_of(name) == convention]
        if not known[0].startswith("nme_"):
            metrics = known
    wanted = set(metrics or known)
    return {group: [name for name in names if name in wanted] for group, names in groups.items()}


def _convention_of(metric: str) -> str:
    measure, _, rest = metric.partition("_")
    return rest.partition("_")[2] if measure in ("auc", "fr") else rest


def _convention(run: Run) -> tuple[float, str]:
    """Return the interval's level and the word for a cluster, from the card where it is still the same."""
    try:
        card = protocols.load_protocol(run.protocol)
    except ProtocolError:
        return LEVEL, "as the run's card says"
    if card.card != run.record.card:
        return LEVEL, "as the run's card says"
    return card.interval, card.cluster


# --- differences ----------------------------------------------------------------------------------


def _differences(
    baseline: Contestant,
    other: Contestant,
    seeds: tuple[str, ...],
    chosen: Mapping[str, Sequence[str]],
    level: float,
) -> list[Difference]:
    _require_rows(
        [*baseline.tables, *other.tables], [run.folder for run in (*baseline.runs, *other.runs)]
    )
    found: list[Difference] = []
    for group, metrics in chosen.items():
        inside = baseline.tables[0][f"in_{group}"]
        clusters = baseline.tables[0]["cluster"][inside]
        sides = [[table[inside] for table in side.tables] for side in (baseline, other)]
        columns = [_metric_column(metric, *sides) for metric in metrics]
        columns = [column for column in columns if column.counts.any()]
        if columns:
            found += _group_differences(
                group, columns, clusters, level, name=other.name, seeds=seeds
            )
    return found


@dataclass(frozen=True, eq=False)
class _Column:
    """One metric of one group: both sides' terms over the items that count on both."""

    metric: str
    baseline: Floats  # (N,) mean over the seeds; 0 where the item does not count
    other: Floats
    counts: Floats
    seeds: tuple[tuple[float, ...], tuple[float, ...]]  # score of every run of both sides


def _metric_column(
    metric: str, baseline: Sequence[np.ndarray], other: Sequence[np.ndarray]
) -> _Column:
    tables = [*baseline, *other]
    both: Bools = np.logical_and.reduce([aggregate.counted_rows(metric, table) for table in tables])
    counts = np.zeros(len(both))
    values = np.zeros((len(tables), len(both)))
    scores = []
    for place, table in enumerate(tables):
        found = aggregate.metric_terms(metric, table[both])
        values[place, both], counts[both] = found.values, found.counts
        scores.append(found.score)
    known = tuple(score for score in scores if score is not None)
    split = len(baseline)
    return _Column(
        metric,
        values[:split].mean(axis=0),
        values[split:].mean(axis=0),
        counts,
        (known[:split], known[split:]),
    )


def _seed_variances(
    sides: tuple[Sequence[float], Sequence[float]], *, paired: bool
) -> list[tuple[float, float]]:
    """Return what several seeds vary a difference by: variances of means with their degrees of freedom."""
    several = [np.subtract(sides[1], sides[0])] if paired else [np.asarray(side) for side in sides]
    return [
        (float(scores.var(ddof=1)) / len(scores), len(scores) - 1.0)
        for scores in several
        if len(scores) > 1
    ]


def _group_differences(
    group: str,
    columns: Sequence[_Column],
    clusters: np.ndarray,
    level: float,
    *,
    name: str,
    seeds: tuple[str, ...],
) -> Iterable[Difference]:
    """Return the differences of one group.

    All intervals and p from the same resamples and flips.
    """
    gaps = np.stack([column.other - column.baseline for column in columns], axis=1)
    counts = np.stack([column.counts for column in columns], axis=1)
    bounds = bootstrap.bootstrap_intervals(gaps, counts, clusters, level=level, resamples=RESAMPLES)
    p_values = paired_tests.sign_flip_test(gaps, clusters)
    for place, (column, bound) in enumerate(zip(columns, bounds, strict=True)):
        total = counts[:, place].sum()
        both = np.stack([column.baseline, column.other], axis=1)
        gap, groups = (
            float(gaps[:, place].sum() / total),
            len(np.unique(clusters[column.counts > 0])),
        )
        (low, high), p = bound or (None, None), float(p_values[place])
        if low is not None and high is not None:
            spreads = _seed_variances(column.seeds, paired=bool(seeds))
            low, high, p = paired_tests.add_seed_variance(
                gap, (low, high), p, groups, spreads, level
            )
        yield Difference(
            group=group,
            metric=column.metric,
            unit=aggregate.metric_unit(column.metric),
            falls=aggregate.is_lower_better(column.metric),
            baseline=float(column.baseline.sum() / total),
            other=float(column.other.sum() / total),
            name=name,
            seeds=seeds,
            baseline_std=bootstrap.mean_and_seed_std(column.seeds[0])[1],
            other_std=bootstrap.mean_and_seed_std(column.seeds[1])[1],
            difference=gap,
            low=low,
            high=high,
            p=None if np.isnan(p) else p,
            p_holm=None,
            items=int((column.counts > 0).sum()),
            left_out=int((column.counts == 0).sum()),
            clusters=groups,
            resolvable=ranks.rank_methods(
                both, np.stack([column.counts] * 2, axis=1), clusters, level=level
            ).resolvable,
        )


def _holm_corrected(differences: Sequence[Difference]) -> list[Difference]:
    """Correct every p for all that is shown."""
    raw = np.array([np.nan if d.p is None else d.p for d in differences])
    corrected = paired_tests.holm_correction(raw)
    return [
        replace(d, p_holm=None if np.isnan(p) else float(p))
        for d, p in zip(differences, corrected, strict=True)
    ]


def _require_rows(tables: Sequence[np.ndarray], folders: Sequence[Path]) -> None:
    """Raise ResultError unless the tables' rows are the same items in the same order."""
    first = tables[0]
    names = [
        name for name in first.dtype.names or () if name == "cluster" or name.startswith("in_")
    ]
    for table, folder in zip(tables[1:], folders[1:], strict=True):
        if len(table) != len(first):
            raise ResultError(f"{folder}: {len(table)} test items, {folders[0]} has {len(first)}")
        for name in names:
            if name not in (table.dtype.names or ()) or not np.array_equal(
                table[name], first[name]
            ):
                raise ResultError(
                    f"{folder}: its errors.npy stands in another order than that of {folders[0]} (column {name}); "
                    "delete it, the same `benchbox run` derives it again"
                )


# --- words ----------------------------------------------------------------------------------------


def _notes(baseline: Contestant, others: Sequence[Contestant]) -> list[str]:
    """Say what differs beside the method, and what the seeds say."""
    notes = []
    for other in others:
        for key, word in (("budget", "budget"), ("data", "data")):
            here, there = baseline.facts[key], other.facts[key]
            if here != there and None not in (here, there):
                notes.append(
                    f"{other.name} has another {word} ({there}; baseline: {here}): the difference is not the "
                    "method's alone"
                )
        shared = _shared_seeds(baseline, other)
        if shared and max(len(baseline.runs), len(other.runs)) > len(shared):
            notes.append(
                f"{baseline.name} and {other.name} are compared over the seeds that both have: {', '.join(shared)}"
            )
    single = [
        c.name for c in (baseline, *others) if len(c.runs) == 1 and c.facts["kind"] == "trained"
    ]
    if single:
        notes.append(
            f"one seed only of {', '.join(single)}: interval and p cover the choice of test items, not of seeds"
        )
    return notes


def _table_row(d: Difference, level: float) -> tuple[str, ...]:
    digits = 4 if d.unit == "1" else 3
    interval = (
        "–" if d.low is None or d.high is None else f"[{d.low:+.{digits}f}, {d.high:+.{digits}f}]"
    )
    return (
        d.group,
        f"{d.metric} ({d.unit})" if d.unit != "1" else d.metric,
        _value_text(d.baseline, d.baseline_std, digits),
        _value_text(d.other, d.other_std, digits),
        f"{d.difference:+.{digits}f}",
        interval,
        "–" if d.p is None else f"{d.p:.4f}",
        "–" if d.p_holm is None else f"{d.p_holm:.4f}",
        d.verdict(level) + (f" ({d.left_out} left out)" if d.left_out else ""),
        "–" if d.resolvable is None else f"{d.resolvable:.{digits}f}",
    )


def _value_text(value: float, std: float | None, digits: int) -> str:
    return f"{value:.{digits}f}" + ("" if std is None else f" ± {std:.{digits}f}")


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
