"""Whether our measurement is the number that a paper prints.

The paper measured the same test items, so their choice is no reason why two numbers differ. What
is: other seeds, the print's rounding, and everything about a training that no paper says in full. A
print is **reproduced** when it lies no farther from our mean than::

    half a unit of the last printed digit + √((2 s √(1 + 1/n))² + (tolerance · print)²)

with s the standard deviation between single trainings (of our own seeds from three on, else pooled
over the protocol's variants, as the reasons say; nothing where nobody knows), n our seeds and the
paper's one training, and a tolerance of 2 % (`--tolerances` sets another). Else ours is **better**
or **worse**.

That is worth nothing where the paper's own rows are closer to each other. So where the number of
another row of that table's column, under the same conditions, lies within that distance of the
print or of our mean, the verdict is **too close to tell**.

Where our runs are not comparable (another variant of the data, a smaller budget, another box or
normaliser, a changed card), the verdict is **not comparable**, with every reason, and both numbers
are given all the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import hypot, sqrt
from statistics import fmean, stdev

from benchbox.metrics.metric_names import parse_metric
from benchbox.papers.claims import Claims
from benchbox.papers.reference_rows import ReferenceRow, References
from benchbox.runs import run_folders
from benchbox.types import Run

from . import comparable
from .seed_pool import SeedPool
from .verdicts import NOT_COMPARABLE, NOT_MEASURED, TOO_CLOSE, Verdict

TRAINING_TOLERANCE = 0.02  # share of a printed number
_OWN_SEEDS = 3  # from so many on their own standard deviation counts
_FLOAT_SLACK = 1e-9


@dataclass(frozen=True)
class _Band:
    """How far a print may lie from a measurement, and why."""

    half: float
    words: tuple[str, ...]


def judge_cells(
    runs: Mapping[tuple[str, str], Sequence[Run]],
    rows: References,
    known: Claims,
    pool: SeedPool | None = None,
    tolerance: float = TRAINING_TOLERANCE,
) -> list[Verdict]:
    """Return a verdict for every claimed cell that has a run beside it.

    `runs` are those of (protocol, "method/variant"); `pool` knows what trainings vary by, from
    `runs` themselves where it is not given.
    """
    if pool is None:
        pool = SeedPool(run for alike in runs.values() for run in alike)
    columns = _group_columns(rows)
    verdicts = []
    for row in rows.rows:
        system, _ = known.find_system(row)
        if not system or row.value is None:
            continue
        for protocol in row.protocols:
            for seeds in _split_by_budget(runs.get((protocol, system), ())):
                neighbours = columns[_column_of(row)]
                verdicts.append(
                    _judge_cell(row, system, protocol, seeds, neighbours, pool, tolerance)
                )
    return verdicts


def _split_by_budget(runs: Sequence[Run]) -> list[list[Run]]:
    budgets: dict[str, list[Run]] = {}
    for run in runs:
        budgets.setdefault(str(run.record.budget), []).append(run)
    return list(budgets.values())


def _column_of(row: ReferenceRow) -> tuple[object, ...]:
    """Return what rows of one table's column under the same conditions have in common."""
    return row.paper, row.table, row.subset, row.protocols, row.group, row.metric


def _group_columns(rows: References) -> dict[tuple[object, ...], list[ReferenceRow]]:
    columns: dict[tuple[object, ...], list[ReferenceRow]] = {}
    for row in rows.rows:
        columns.setdefault(_column_of(row), []).append(row)
    return columns


def _judge_cell(
    row: ReferenceRow,
    system: str,
    protocol: str,
    seeds: Sequence[Run],
    neighbours: Sequence[ReferenceRow],
    pool: SeedPool,
    tolerance: float,
) -> Verdict:
    values = _read_values(seeds, row)
    reasons = [row.apart] if row.apart else []
    reasons += comparable.list_differences(seeds)
    measured, low, high = None, None, None
    verdict = NOT_MEASURED
    if values:
        measured = fmean(values)
        band = _find_band(row, protocol, seeds, values, pool, tolerance)
        low, high = measured - band.half, measured + band.half
        if reasons:
            verdict = NOT_COMPARABLE
        else:
            verdict, blur = _compare_with_print(row, measured, band.half, neighbours)
            reasons += [*blur, *band.words]
    return Verdict(
        kind="cell",
        paper=row.paper,
        table=row.table,
        claim=f"{row.method}: {row.group} {row.metric}",
        system=system,
        protocol=protocol,
        group=row.group,
        metric=row.metric,
        claimed=row.printed,
        measured=measured,
        low=low,
        high=high,
        unit=parse_metric(row.metric).unit,
        verdict=verdict,
        reasons=tuple(reasons),
        budget=str(seeds[0].record.budget),
        line=row.line,
    )


def _read_values(runs: Sequence[Run], row: ReferenceRow) -> list[float]:
    """Return the score of every run that has one."""
    values = []
    for run in runs:
        score = run_folders.read_scores(run).groups.get(row.group, {}).get(row.metric)
        if score is not None and score.value is not None:
            values.append(score.value)
    return values


def _find_band(
    row: ReferenceRow,
    protocol: str,
    seeds: Sequence[Run],
    values: Sequence[float],
    pool: SeedPool,
    tolerance: float,
) -> _Band:
    assert row.value is not None
    deviation, words = _seed_deviation(row, protocol, seeds, values, pool)
    count = len(values)
    from_seeds = 2 * deviation * sqrt(1 + 1 / count)
    from_training = 0.0
    if seeds[0].record.kind == "trained":
        from_training = tolerance * row.value
    half = _half_digit(row) + hypot(from_seeds, from_training)
    seed_count = f"{count} seeds"
    if count == 1:
        seed_count = "one seed" if from_training else "one run"
    parts = [f"±{half:.2g} of {seed_count}: half a digit"]
    if from_training:
        parts.append(f"{100 * tolerance:g} % for training")
    return _Band(half, (", ".join([*parts, words]),))


def _seed_deviation(
    row: ReferenceRow,
    protocol: str,
    seeds: Sequence[Run],
    values: Sequence[float],
    pool: SeedPool,
) -> tuple[float, str]:
    """Return the standard deviation between single trainings, and where it comes from."""
    if seeds[0].record.kind != "trained":
        return 0.0, "no training"
    if len(values) >= _OWN_SEEDS:
        deviation = stdev(values)
        return deviation, f"seeds ±{deviation:.2g} (their own)"
    found = pool.find_variance(protocol, str(seeds[0].record.budget), row.group, row.metric)
    if found is None:
        return 0.0, "nothing for seeds: what trainings vary by is not known"
    return found.pooled.deviation * fmean(values), f"seeds ±{found.words}"


def _half_digit(row: ReferenceRow) -> float:
    """Return half a unit of the last printed digit, in the metric's unit."""
    half = 0.5 * 10.0 ** -len(row.printed.partition(".")[2])
    if row.unit == "%" and parse_metric(row.metric).unit == "1":
        half /= 100
    return half


def _compare_with_print(
    row: ReferenceRow, measured: float, half: float, neighbours: Sequence[ReferenceRow]
) -> tuple[str, list[str]]:
    """Return the verdict on a comparable measurement, and which rows it does not tell apart."""
    assert row.value is not None
    half += _FLOAT_SLACK
    if abs(measured - row.value) > half:
        lower_is_better = parse_metric(row.metric).lower_is_better
        return "better" if (measured < row.value) == lower_is_better else "worse", []
    blurred = []
    for other in neighbours:
        if other.value is None or other.value == row.value:
            continue
        if abs(other.value - row.value) <= half or abs(other.value - measured) <= half:
            blurred.append(f"{other.method} {other.printed}")
    if not blurred:
        return "reproduced", []
    return TOO_CLOSE, [f"cannot be told from the table's {', '.join(dict.fromkeys(blurred))}"]
