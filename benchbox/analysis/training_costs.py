"""What the trainings of compared variants took: draws and time, so that no gain hides in either."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchbox.runs import run_folders


@dataclass(frozen=True)
class TrainingCost:
    """Of one variant, medians over the seeds that recorded it."""

    draws: int  # samples drawn in a training
    minutes: float  # of the training loops, whatever ran beside them
    processors: frozenset[str]


def describe_training_costs(names: Sequence[str], folders: Sequence[Path]) -> str:
    """Say what a training of each variant took, "" where none is recorded.

    Args:
        names: one per variant.
        folders: as many folders of a variant, whose entries are its seeds.
    """
    costs = [_find_cost(folder) for folder in folders]
    if not any(costs):
        return ""
    parts = []
    for name, cost in zip(names, costs, strict=True):
        words = "not recorded"
        if cost is not None:
            words = f"{cost.draws:,} draws in {cost.minutes:.1f} min"
        parts.append(f"{name} {words}")
    processors = frozenset[str]().union(*(cost.processors for cost in costs if cost is not None))
    place = "" if len(processors) == 1 else ", on different processors"
    return f"a training of {', of '.join(parts)}{place}"


def _find_cost(folder: Path) -> TrainingCost | None:
    draws: list[int] = []
    seconds: list[float] = []
    processors: set[str] = set()
    for place in sorted(folder.iterdir()):
        if not run_folders.is_finished(place):
            continue
        record = run_folders.read_record(place).record
        count, time = record.training.get("samples"), record.training.get("seconds")
        if isinstance(count, int) and isinstance(time, float) and count > 0:
            draws.append(count)
            seconds.append(time)
            processors.add(record.environment.cpu or "")
    if not draws:
        return None
    return TrainingCost(round(median(draws)), median(seconds) / 60, frozenset(processors))
