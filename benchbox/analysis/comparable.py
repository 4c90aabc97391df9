"""Which runs may stand beside a printed number, and why another may not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchbox.errors import ProtocolError
from benchbox.runs import kept_cards, run_identity
from benchbox.types import Run


def part_by_data(runs: Sequence[Run]) -> tuple[list[Run], list[tuple[Run, str]]]:
    """Part runs by the data of most of their protocol: those on them, the others with what differs.

    A mean or an ordering over two versions of the annotations would be of neither.
    """
    comparable, others = [], []
    found = run_identity.find_other_data([run.record for run in runs])
    for run, other in zip(runs, found, strict=True):
        if other.words:
            others.append((run, other.words))
        else:
            comparable.append(run)
    return comparable, others


def runs_by_system(runs: Iterable[Run]) -> dict[tuple[str, str], list[Run]]:
    """Gather finished runs without overrides by (protocol, "method/variant"), of all budgets.

    Where a variant was trained under a protocol itself, weights from another one do not count.
    """
    runs_of: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        if run.record.kind == "submitted" or run.record.overrides:
            continue
        system = f"{run.method}/{run.variant.partition('+')[0]}"
        runs_of.setdefault((run.protocol, system), []).append(run)
    return {key: choose_trainings(alike) for key, alike in runs_of.items()}


def choose_trainings(runs: Sequence[Run]) -> list[Run]:
    """Keep of one variant's runs, for each budget, those of one training protocol: its own first.

    Else that of the most runs, by name among equals.
    """
    of_budget: dict[str | None, dict[str, list[Run]]] = {}
    for run in runs:
        trained_under = ""
        if run.record.trained_by is not None:
            trained_under = run.record.trained_by.protocol
        of_protocol = of_budget.setdefault(run.record.budget, {})
        of_protocol.setdefault(trained_under, []).append(run)
    chosen: list[Run] = []
    for of_protocol in of_budget.values():
        names = sorted(of_protocol, key=lambda name: (name != "", -len(of_protocol[name]), name))
        chosen += of_protocol[names[0]]
    return chosen


def list_differences(runs: Sequence[Run]) -> list[str]:
    """Say why runs are not comparable with a printed number, each reason once."""
    reasons: dict[str, None] = {}
    for run in runs:
        if difference := run_identity.unofficial_data(run.record.data.variant, run.record.kind):
            reasons[f"other data: {difference}"] = None
        if run.record.budget != "paper" and run.record.kind == "trained":
            reasons[f"smaller budget: {run.record.budget}"] = None
        if _card_hash(run) != run.record.card:
            reasons["the card has changed since this run"] = None
    return list(reasons)


def _card_hash(run: Run) -> str | None:
    try:
        return kept_cards.load_card_of_run(run).card
    except ProtocolError:
        return None
