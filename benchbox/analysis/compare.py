"""Runs against a baseline on the same test items: paired differences, intervals, corrected p.

Compared are **contestants**: a single run, or all seeds of one variant, whose errors are averaged
item by item before anything else. Two of them are compared over the seeds that both have, over all
where they share none: three seeds of one side against one of the other would take what that one
seed happened to be for a difference. For every group and metric: the difference from the baseline
over the items that every run of both answered, its cluster-bootstrap interval, the p of the
sign-flip test by cluster, both widened by the variance between seeds (`metrics.paired_tests`), and
that p corrected for everything that the table shows (Holm). AUC and FR count items without an
answer; a mean cannot, and says how many it left out. So that leaving out hard items pays nothing,
two means differ only where they do so a second time with those items counted as lost
(`metrics.unanswered`): p is the larger one of both comparisons, 1 where they contradict each other.

Runs that are not comparable are refused, with the reason: another card, other test data, other
training data (unless that is what is asked about), another scorer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox.errors import ProtocolError, ResultError
from benchbox.metrics import (
    aggregate,
    bootstrap,
    paired_tests,
    ranks,
    seed_variance,
    unanswered,
)
from benchbox.metrics.metric_names import MEASURES, parse_metric, parse_stored_metric
from benchbox.metrics.seed_variance import PooledVariance
from benchbox.runs import kept_cards, run_folders, run_identity
from benchbox.runs.run_record import ScoreFile
from benchbox.text_table import stack_columns
from benchbox.types import Run

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchbox.types import Bools, Floats

    # group, metric → what trainings of the protocol vary by; None where nothing is known
    Pool = Callable[[str, str], PooledVariance | None]

LEVEL, RESAMPLES = 0.95, 10_000
_REMEDIES = {
    "protocol": "score both under one protocol with `benchbox score PREDICTIONS --protocol P`",
    "card": "the card has changed between them; run the older one again with --fresh",
    "test data": "their annotations differ, so the same prediction would get another number",
    "scorer": "delete the older scores.json; the same `benchbox run` derives it again",
}


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
    lower_is_better: bool
    baseline: float
    other: float
    name: str  # of the other contestant
    seeds: tuple[str, ...]  # that both have; empty: all of either side
    baseline_std: float | None  # between seeds; None for a single run
    other_std: float | None
    difference: float
    low: float | None  # confidence interval
    high: float | None
    p: float | None
    p_holm: float | None
    items: int  # test items that the difference rests on
    left_out: int  # items that one of the runs did not answer
    # the difference with those counted as lost; None where every run answered the same items
    counted: float | None
    clusters: int
    detectable: float | None  # smallest detectable difference of this test set (80 % power)

    def verdict(self, level: float) -> str:
        """Say who is better, or that it cannot be told."""
        if self.p_holm is None or self.p_holm >= 1 - level or self.difference == 0:
            return "cannot tell"
        return "better" if (self.difference < 0) == self.lower_is_better else "worse"


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
    any_training: bool = False,
    pool: Pool | None = None,
    other_options: bool = False,
) -> Comparison:
    """Compare runs with the first of them.

    An argument is a run's folder, or the folder of a variant for all its seeds, as it stands or
    below `results`. `metrics` names what is compared; without it, the metrics of the card's first
    convention, with `everything` all. `any_training` compares trainings on different data, too.
    With `pool` the variance between seeds that other variants have counts, too, also for single
    seeds. `other_options` lets runs of one card with other options (`+noise=3`, `+scale=0.1`) and
    so other training data be compared, as long as the test annotations are the same.
    Raises ResultError for what is no run, for runs that are not comparable, and for a metric that
    they do not have.
    """
    contestants = [_read_contestant(argument, results) for argument in arguments]
    if len(contestants) < 2:
        raise ResultError("compare needs two runs or more: benchbox compare RUN RUN…")
    all_runs: list[Run] = []
    for contestant in contestants:
        all_runs += contestant.runs
    _require_comparable(all_runs, other_options=other_options)
    if not any_training and not other_options:
        _require_one_training(all_runs)
    _require_distinct(all_runs)
    baseline, *others = _distinct_names(contestants)
    first = baseline.runs[0]
    level, cluster = _level_and_cluster(first)
    chosen = _chosen_metrics(run_folders.read_scores(first), metrics, everything)
    differences: list[Difference] = []
    for other in others:
        differences += _differences(*_pair_differences(baseline, other), chosen, level, pool)
    return Comparison(
        protocol=first.protocol,
        card=first.record.card,
        cluster=cluster,
        level=level,
        contestants=tuple(contestant.facts for contestant in (baseline, *others)),
        differences=tuple(_holm_corrected(differences)),
        notes=(*_notes(baseline, others), *_note_few_clusters(differences, cluster, level)),
    )


def comparison_to_json(comparison: Comparison) -> dict[str, Any]:
    """Return the document of `benchbox compare --json`."""
    document = {"schema": 1, **asdict(comparison)}
    entries = []
    for difference in comparison.differences:
        entry = {_JSON_KEYS.get(key, key): value for key, value in asdict(difference).items()}
        entries.append({**entry, "verdict": difference.verdict(comparison.level)})
    document["differences"] = entries
    return document


_JSON_KEYS = {"lower_is_better": "falls", "detectable": "resolvable"}  # of schema 1


def format_comparison(comparison: Comparison, width: int = 200) -> str:
    """Return the comparison as aligned text, best read from the column `is`.

    A table wider than `width` letters goes on below.
    """
    level = comparison.level
    interval = f"{100 * level:g} % interval"
    values = ("group", "metric", "baseline", "other", "difference", interval)
    head = (*values, "p", "p (Holm)", "is", "detectable")
    lines = [f"baseline: {comparison.contestants[0]['name']} on {comparison.protocol}"]
    for contestant in comparison.contestants[1:]:
        own = [d for d in comparison.differences if d.name == contestant["name"]]
        over = ""
        if own and len(own[0].seeds) > 1:
            over = f", seeds {', '.join(own[0].seeds)} of both"
        rows = [_table_row(d, level) for d in own]
        lines += ["", f"{contestant['name']} against the baseline{over}"]
        lines += stack_columns([head, *rows], keys=2, width=width)
    lines += [
        "",
        f"interval and p from whole clusters ({comparison.cluster}), with several seeds from the "
        "variance between "
        f"them, too; p (Holm) allows for all {len(comparison.differences)} comparisons shown",
        "detectable: the smallest difference that this test set shows with 80 % power",
    ]
    if any(d.counted is not None for d in comparison.differences):
        lines.append(
            "left out: items without a prediction; means differ only where they also do with those "
            "counted as lost, and p is of both"
        )
    lines += [f"note: {note}" for note in comparison.notes]
    return "\n".join(lines)


# --- what is compared -----------------------------------------------------------------------------


def _read_contestant(argument: str, results: Path) -> Contestant:
    """Read the runs that an argument names; raises ResultError for none."""
    for folder in (Path(argument).expanduser(), results / argument):
        if run_folders.is_finished(folder):
            run = run_folders.read_run(folder)
            name = f"{run.method}/{run.variant} seed {run.seed}"
            return Contestant(name, (run,), (run_folders.read_errors(run),))
        seeds = sorted(path for path in folder.glob("*") if run_folders.is_finished(path))
        if seeds:
            runs = tuple(run_folders.read_run(path) for path in seeds)
            tables = tuple(run_folders.read_errors(run) for run in runs)
            return Contestant(f"{runs[0].method}/{runs[0].variant}", runs, tables)
        variants = sorted({path.parent.parent.name for path in folder.glob("*/*/run.json")})
        if variants:
            raise ResultError(
                f"{argument}: holds the variants {', '.join(variants)}; name one: "
                f"{argument}/{variants[0]}"
            )
    raise ResultError(
        f"{argument}: no finished run, and no variant's folder with runs in it, here or below "
        f"{results}; "
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
    position = {run.seed: row for row, run in enumerate(side.runs)}
    rows = [position[seed] for seed in seeds]
    runs = tuple(side.runs[row] for row in rows)
    return Contestant(side.name, runs, tuple(side.tables[row] for row in rows))


def _require_distinct(runs: Sequence[Run]) -> None:
    """Refuse a run that stands on two sides."""
    seen: set[Path] = set()
    for run in runs:
        folder = run.folder.resolve()
        if folder in seen:
            raise ResultError(f"{run.folder}: given twice; a run compared with itself says nothing")
        seen.add(folder)


def _distinct_names(contestants: Sequence[Contestant]) -> list[Contestant]:
    """Call contestants of equal names by their folders, too."""
    names = [contestant.name for contestant in contestants]
    named = []
    for contestant in contestants:
        if names.count(contestant.name) == 1:
            named.append(contestant)
        else:
            name = f"{contestant.name} ({contestant.runs[0].folder})"
            named.append(Contestant(name, contestant.runs, contestant.tables))
    return named


def _require_comparable(runs: Sequence[Run], *, other_options: bool = False) -> None:
    """Raise ResultError unless all runs were measured by one card on one set of test items."""
    first, expected = runs[0], _data_identity(runs[0], other_options=other_options)
    for run in runs[1:]:
        for key, value in _data_identity(run, other_options=other_options).items():
            if value != expected[key]:
                raise ResultError(
                    f"unlike things are not compared: {first.folder} has {key} "
                    f"{run_identity.short_digest(expected[key])}, {run.folder} "
                    f"has {run_identity.short_digest(value)}; {_REMEDIES[key]}"
                )


def _require_one_training(runs: Sequence[Run]) -> None:
    """Raise ResultError unless all trainings saw the same data, as one board ranks them."""
    trained = [run for run in runs if run.record.kind == "trained"]
    for run in trained[1:]:
        then, now = (run_identity.name_data(one.record.data) for one in (trained[0], run))
        if then != now:
            raise ResultError(
                f"{trained[0].folder} was trained on {run_identity.short_digest(then)}, "
                f"{run.folder} on other data or boxes ({run_identity.short_digest(now)}): their "
                "difference is not the methods' alone; --any-training compares them all the same"
            )


def _data_identity(run: Run, *, other_options: bool = False) -> dict[str, str]:
    protocol, card = run.protocol, run.record.card
    if other_options:  # are part of the name, and so of the card's hash
        protocol, card = protocol.partition("+")[0], ""
    return {
        "protocol": protocol,
        "card": card,
        "test data": run_identity.name_truth(run.record.data),
        "scorer": str(run_folders.read_scores(run).scorer),
    }


def _chosen_metrics(
    stored: ScoreFile, metrics: Sequence[str], everything: bool
) -> dict[str, list[str]]:
    """Return the metrics to compare, by group."""
    names_of_group = {group: list(scores) for group, scores in stored.groups.items()}
    known: dict[str, None] = {}
    for names in names_of_group.values():
        known |= dict.fromkeys(names)
    for metric in metrics:
        if metric not in known:
            raise ResultError(f"no metric {metric!r} in these runs; they have {', '.join(known)}")
        if not _is_mean(metric):
            raise ResultError(
                f"{metric} is no mean over items, so it has no paired test; compare the NME"
            )
    wanted = set(metrics or known)
    if not metrics and not everything:
        wanted = set(_of_first_convention(list(known)))
    chosen = {}
    for group, names in names_of_group.items():
        chosen[group] = [name for name in names if name in wanted and _is_mean(name)]
    return chosen


def _is_mean(name: str) -> bool:
    """Tell whether a metric is a mean over items, which alone has a paired test: no median."""
    measure = MEASURES.get(parse_stored_metric(name).measure)
    return measure is None or measure.is_mean


def _of_first_convention(names: Sequence[str]) -> Sequence[str]:
    """Return the metrics of the first one's convention; all where the first is no NME (gaze)."""
    first = parse_stored_metric(names[0])
    if first.measure != "nme":
        return names
    return [name for name in names if parse_stored_metric(name).convention == first.convention]


def _level_and_cluster(run: Run) -> tuple[float, str]:
    """Return the interval's level and the word for a cluster, by the card if unchanged."""
    try:
        card = kept_cards.load_card_of_run(run)
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
    pool: Pool | None = None,
) -> list[Difference]:
    """Return the differences of two contestants for the chosen metrics of each group."""
    folders = [run.folder for run in (*baseline.runs, *other.runs)]
    _require_rows([*baseline.tables, *other.tables], folders)
    differences: list[Difference] = []
    for group, metrics in chosen.items():
        inside = baseline.tables[0][f"in_{group}"]
        clusters = baseline.tables[0]["cluster"][inside]
        baseline_tables = [table[inside] for table in baseline.tables]
        other_tables = [table[inside] for table in other.tables]
        columns = []
        for metric in metrics:
            column = _metric_column(metric, baseline_tables, other_tables)
            if pool is not None and not _is_one_training(baseline, other, seeds):
                trained = (_is_trained(baseline), _is_trained(other))
                column = replace(column, pooled=pool(group, metric), trained=trained)
            if column.counts.any():
                columns.append(column)
        if columns:
            differences += _group_differences(
                group, columns, clusters, level, name=other.name, seeds=seeds
            )
    return differences


@dataclass(frozen=True, eq=False)
class _Column:
    """One metric of one group: both sides' terms over the items that count on both."""

    metric: str
    baseline: Floats  # (N,) mean over the seeds; 0 where the item does not count
    other: Floats
    counts: Floats
    baseline_scores: tuple[float, ...]  # of every run
    other_scores: tuple[float, ...]
    # (N, 2) difference and count with unanswered items counted as lost; None: there are none
    counted: Floats | None = None
    pooled: PooledVariance | None = None  # what trainings vary by beyond these runs
    trained: tuple[bool, bool] = (True, True)  # baseline, other: else seeds change nothing


def _is_one_training(baseline: Contestant, other: Contestant, seeds: Sequence[str]) -> bool:
    """Tell whether two variants are, seed by seed, one training asked in two ways.

    SIR's iterations are: all their stages are the same files, all but the file that bundles them
    with the parameters, which is called as the method. What trainings vary by is then no reason for
    a difference beyond what the seeds of the two show themselves.
    """
    if not seeds:
        return False
    for one, two in zip(baseline.runs, other.runs, strict=True):
        stages = _stage_digests(one)
        if not stages or stages != _stage_digests(two):
            return False
    return True


def _stage_digests(run: Run) -> dict[str, str]:
    digests = {}
    for name, digest in run.record.digests.weights.items():
        if Path(name).stem != run.method:
            digests[name] = str(digest)
    return digests


def _is_trained(contestant: Contestant) -> bool:
    return contestant.runs[0].record.kind == "trained"


def _metric_column(
    metric: str, baseline: Sequence[np.ndarray], other: Sequence[np.ndarray]
) -> _Column:
    tables = [*baseline, *other]
    counted: Bools = np.logical_and.reduce(
        [aggregate.counted_rows(metric, table) for table in tables]
    )
    counts = np.zeros(len(counted))
    values = np.zeros((len(tables), len(counted)))
    scores = []
    for row, table in enumerate(tables):
        terms = aggregate.metric_terms(metric, table[counted])
        values[row, counted], counts[counted] = terms.values, terms.counts
        if terms.score is not None:
            scores.append(terms.score)
    split = len(baseline)
    return _Column(
        metric,
        values[:split].mean(axis=0),
        values[split:].mean(axis=0),
        counts,
        tuple(scores[:split]),
        tuple(scores[split:]),
        _counted_difference(metric, baseline, other),
    )


def _counted_difference(
    metric: str, baseline: Sequence[np.ndarray], other: Sequence[np.ndarray]
) -> Floats | None:
    """Return difference and count (N, 2) of each item with unanswered items counted as lost.

    None where all runs answered the same items.
    """
    tables = [*baseline, *other]
    unanswered_by_run = unanswered.unanswered_items(metric, tables)
    if not any(items.any() for items in unanswered_by_run):
        return None
    lost = unanswered.lost_error(metric, tables)
    values = []
    counts = np.zeros(len(tables[0]))
    for table, items in zip(tables, unanswered_by_run, strict=True):
        terms = unanswered.counted_terms(metric, table, items, lost)
        values.append(terms.values)
        counts = terms.counts
    split = len(baseline)
    gap = np.mean(values[split:], axis=0) - np.mean(values[:split], axis=0)
    return np.stack([gap, counts], axis=1)


def _allow_for_unanswered(
    difference: float, p: float, column: _Column, clusters: np.ndarray
) -> tuple[float, float | None]:
    """Return p of both comparisons, and the difference with unanswered items counted as lost."""
    if column.counted is None:
        return p, None
    gap, counts = column.counted.T
    counted = float(gap.sum() / counts.sum())
    if counted * difference <= 0:
        return 1.0, counted
    return max(p, float(paired_tests.sign_flip_test(gap[:, None], clusters)[0])), counted


def _seed_variances(column: _Column, *, paired: bool) -> list[tuple[float, float]]:
    """Return the variances that seeds add to a difference, with their degrees of freedom."""
    baseline, other = np.asarray(column.baseline_scores), np.asarray(column.other_scores)
    parts = [other - baseline] if paired else [baseline, other]
    priors = _pooled_variances(column, paired=paired)
    variances = []
    for scores, prior in zip(parts, priors, strict=True):
        own, own_degrees = 0.0, max(0, len(scores) - 1)
        if own_degrees:
            own = float(scores.var(ddof=1))
        if prior is not None and column.pooled is not None:
            variance, degrees = seed_variance.moderate_variance(
                own, own_degrees, prior, column.pooled.degrees
            )
            variances.append((variance / len(scores), degrees))
        elif own_degrees:
            variances.append((own / len(scores), float(own_degrees)))
    return variances


def _pooled_variances(column: _Column, *, paired: bool) -> list[float | None]:
    """Return what the pooled variance expects of each part; None where it says nothing.

    Parts are the differences of shared seeds, or either side. Seeds of two variants count as
    independent: where they share a part of their training, that is too much rather than too little.
    """
    sides: list[float | None] = []
    scores_of_sides = (column.baseline_scores, column.other_scores)
    for scores, trained in zip(scores_of_sides, column.trained, strict=True):
        if column.pooled is None or not scores or not trained:
            sides.append(None)
        else:
            sides.append(column.pooled.at_level(float(np.mean(scores))))
    if not paired:
        return sides
    known = [side for side in sides if side is not None]
    return [sum(known) if known else None]


def _group_differences(
    group: str,
    columns: Sequence[_Column],
    clusters: np.ndarray,
    level: float,
    *,
    name: str,
    seeds: tuple[str, ...],
) -> Iterable[Difference]:
    """Yield the differences of one group.

    All intervals and p from the same resamples and flips.
    """
    gaps = np.stack([column.other - column.baseline for column in columns], axis=1)
    counts = np.stack([column.counts for column in columns], axis=1)
    intervals = bootstrap.bootstrap_intervals(
        gaps, counts, clusters, level=level, resamples=RESAMPLES
    )
    p_values = paired_tests.sign_flip_test(gaps, clusters)
    for place, (column, interval) in enumerate(zip(columns, intervals, strict=True)):
        metric = parse_metric(column.metric)
        total = counts[:, place].sum()
        difference = float(gaps[:, place].sum() / total)
        cluster_count = len(np.unique(clusters[column.counts > 0]))
        low, high, p = None, None, float(p_values[place])
        if interval is not None:
            variances = _seed_variances(column, paired=bool(seeds))
            low, high, p = paired_tests.add_seed_variance(
                difference, interval, p, cluster_count, variances, level
            )
        p, counted = _allow_for_unanswered(difference, p, column, clusters)
        yield Difference(
            group=group,
            metric=column.metric,
            unit=metric.unit,
            lower_is_better=metric.lower_is_better,
            baseline=float(column.baseline.sum() / total),
            other=float(column.other.sum() / total),
            name=name,
            seeds=seeds,
            baseline_std=bootstrap.mean_and_seed_std(column.baseline_scores)[1],
            other_std=bootstrap.mean_and_seed_std(column.other_scores)[1],
            difference=difference,
            low=low,
            high=high,
            p=None if np.isnan(p) else p,
            p_holm=None,
            items=int((column.counts > 0).sum()),
            left_out=int((column.counts == 0).sum()),
            counted=counted,
            clusters=cluster_count,
            detectable=_detectable_difference(column, clusters, level),
        )


def _detectable_difference(column: _Column, clusters: np.ndarray, level: float) -> float | None:
    both = np.stack([column.baseline, column.other], axis=1)
    counts = np.stack([column.counts, column.counts], axis=1)
    return ranks.rank_methods(both, counts, clusters, level=level).detectable


def _holm_corrected(differences: Sequence[Difference]) -> list[Difference]:
    """Correct every p for all that is shown."""
    raw = np.array([np.nan if d.p is None else d.p for d in differences])
    corrected = []
    for difference, p in zip(differences, paired_tests.holm_correction(raw), strict=True):
        if np.isnan(p):
            corrected.append(difference)
        else:
            corrected.append(replace(difference, p_holm=float(p)))
    return corrected


def _require_rows(tables: Sequence[np.ndarray], folders: Sequence[Path]) -> None:
    """Raise ResultError unless the tables' rows are the same items in the same order."""
    first = tables[0]
    names = [
        name for name in first.dtype.names or () if name == "cluster" or name.startswith("in_")
    ]
    for table, folder in zip(tables[1:], folders[1:], strict=True):
        if len(table) != len(first):
            raise ResultError(f"{folder}: {len(table)} test items, {folders[0]} has {len(first)}")
        columns = table.dtype.names or ()
        for name in names:
            if name not in columns or not np.array_equal(table[name], first[name]):
                raise ResultError(
                    f"{folder}: its errors.npz stands in another order than that of {folders[0]} "
                    f"(column {name}); "
                    "delete it, the same `benchbox run` derives it again"
                )


# --- words ----------------------------------------------------------------------------------------


def _note_few_clusters(differences: Sequence[Difference], cluster: str, level: float) -> list[str]:
    """Say that so few clusters show no difference whatever it is: signs flip in 2ⁿ ways."""
    fewest = min((d.clusters for d in differences), default=0)
    least_p = 2.0 ** (1 - fewest)
    if not fewest or least_p < 1 - level:
        return []
    return [
        f"{fewest} clusters ({cluster}): no p is below {least_p:.2g}, however large a difference; "
        "intervals over so few say little, too"
    ]


def _notes(baseline: Contestant, others: Sequence[Contestant]) -> list[str]:
    """Say what differs beside the method, and what the seeds say."""
    notes = []
    for other in others:
        for key in ("budget", "data"):
            ours, theirs = baseline.facts[key], other.facts[key]
            if ours != theirs and None not in (ours, theirs):
                notes.append(
                    f"{other.name} has another {key} ({theirs}; baseline: {ours}): the difference "
                    "is not the "
                    "method's alone"
                )
        if (
            _trained_on(baseline)
            and _trained_on(other)
            and _trained_on(baseline) != _trained_on(other)
        ):
            notes.append(
                f"{other.name} was trained on other data or boxes than {baseline.name}: the "
                "difference is not the method's alone"
            )
        shared = _shared_seeds(baseline, other)
        if shared and max(len(baseline.runs), len(other.runs)) > len(shared):
            notes.append(
                f"{baseline.name} and {other.name} are compared over the seeds that both have: "
                f"{', '.join(shared)}"
            )
    single = []
    for contestant in (baseline, *others):
        mixed = run_identity.describe_mixed_code([run.record for run in contestant.runs])
        if mixed:
            notes.append(f"{contestant.name}: {mixed}")
        if len(contestant.runs) == 1 and contestant.facts["kind"] == "trained":
            single.append(contestant.name)
    if single:
        notes.append(
            f"one seed only of {', '.join(single)}: interval and p cover the choice of test items, "
            "not of seeds"
        )
    return notes


def _trained_on(contestant: Contestant) -> set[str]:
    """Return what the data of a contestant's trainings are known by; empty where none trained."""
    names = set()
    for run in contestant.runs:
        if run.record.kind == "trained":
            names.add(run_identity.name_data(run.record.data))
    return names


def _table_row(d: Difference, level: float) -> tuple[str, ...]:
    digits, metric = 3, f"{d.metric} ({d.unit})"
    if d.unit == "1":
        digits, metric = 4, d.metric
    interval = "–"
    if d.low is not None and d.high is not None:
        interval = f"[{d.low:+.{digits}f}, {d.high:+.{digits}f}]"
    verdict = d.verdict(level)
    if d.left_out:
        verdict += f" ({d.left_out} left out)"
    return (
        d.group,
        metric,
        _value_text(d.baseline, d.baseline_std, digits),
        _value_text(d.other, d.other_std, digits),
        f"{d.difference:+.{digits}f}",
        interval,
        _or_dash(d.p, 4),
        _or_dash(d.p_holm, 4),
        verdict,
        _or_dash(d.detectable, digits),
    )


def _or_dash(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _value_text(value: float, std: float | None, digits: int) -> str:
    text = f"{value:.{digits}f}"
    if std is not None:
        text += f" ± {std:.{digits}f}"
    return text
