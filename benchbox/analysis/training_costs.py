"""What the trainings of compared variants took: draws and time, so that no gain hides in either."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchbox.runs import run_folders
from benchbox.runs.run_record import RunRecord

_MORE = 1.2  # times as many draws or minutes are more


@dataclass(frozen=True)
class TrainingCost:
    """Of one variant, medians over the seeds that recorded it."""

    draws: int  # samples drawn in a training
    minutes: float  # of the training loops, whatever ran beside them
    least: tuple[tuple[str, float], ...]  # minutes of the fastest training on each processor

    @property
    def least_minutes(self) -> Mapping[str, float]:
        """Of each processor: what runs beside a training can only lengthen it."""
        return dict(self.least)


def learned_more(ahead: TrainingCost | None, behind: TrainingCost | None) -> bool:
    """Tell whether who is ahead drew a fifth more, and took a fifth longer.

    Times are compared on the processors that both were trained on; without any, draws decide.
    """
    if ahead is None or behind is None:
        return False
    if ahead.draws <= _MORE * behind.draws:
        return False
    ours, theirs = ahead.least_minutes, behind.least_minutes
    shared = ours.keys() & theirs.keys()
    return not shared or any(ours[name] > _MORE * theirs[name] for name in shared)


def describe_training_costs(names: Sequence[str], costs: Sequence[TrainingCost | None]) -> str:
    """Say what a training of each variant took, "" where none is recorded."""
    if not any(costs):
        return ""
    if len(set(costs)) == 1:  # one training asked in several ways
        return f"a training of each {_describe_cost(costs[0])}"
    parts = [f"{name} {_describe_cost(cost)}" for name, cost in zip(names, costs, strict=True)]
    processors = {name for cost in costs if cost is not None for name in cost.least_minutes}
    place = "" if len(processors) == 1 else ", on different processors"
    return f"a training of {', of '.join(parts)}{place}"


def _describe_cost(cost: TrainingCost | None) -> str:
    if cost is None:
        return "not recorded"
    return f"{cost.draws:,} draws in {cost.minutes:.1f} min"


def find_training_cost(folder: Path, results: Path) -> TrainingCost | None:
    """Return what a training of a variant took, None where no run in its folder recorded it.

    Of runs that test another protocol's training (`run --weights-of`) that one counts.
    """
    records = _read_records(folder)
    if records and records[0].trained_by is not None:
        records = _read_records((results / records[0].trained_by.run).parent)
    counted = [record for record in records if _count_draws(record)]
    if not counted:
        return None
    minutes: dict[str, list[float]] = {}
    for record in counted:
        spent = record.training["seconds"] / 60
        minutes.setdefault(record.environment.cpu or "", []).append(spent)
    return TrainingCost(
        draws=round(median(_count_draws(record) for record in counted)),
        minutes=median(spent for on_one in minutes.values() for spent in on_one),
        least=tuple(sorted((name, min(on_one)) for name, on_one in minutes.items())),
    )


def _read_records(folder: Path) -> list[RunRecord]:
    return [
        run_folders.read_record(place).record
        for place in sorted(folder.glob("*"))
        if run_folders.is_finished(place)
    ]


def _count_draws(record: RunRecord) -> int:
    """Return how many samples a training drew, 0 where its record does not say so."""
    draws, seconds = record.training.get("samples"), record.training.get("seconds")
    if isinstance(draws, int) and isinstance(seconds, int | float):
        return draws
    return 0
