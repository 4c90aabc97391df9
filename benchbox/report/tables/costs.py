"""What a row's network weighs and takes.

Counted by its own run, else by `benchbox profile` at the paper's sizes. A latency is always a saved
profile's. It is a row's only where the networks are: a run of a smaller budget may train smaller
ones than those that were timed, and a profile of other code may be of another network.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchbox.report.inputs.results import Result
from benchbox.runs.run_record import CodeVersion

# (method, variant) → what `benchbox profile --json` says
Profiles = Mapping[tuple[str, str], Mapping[str, Any]]
_DEVICES = ("cuda", "cpu")  # the first that was measured counts
_COUNTS = ("params", "macs")


@dataclass(frozen=True)
class Cost:
    """What a network weighs and takes; None where it was not measured."""

    params: float | None = None
    macs: float | None = None
    latency_ms: float | None = None
    paper: bool = False  # counted at the paper's sizes, not by the run itself
    machine: str = ""  # where the latency was taken

    def __bool__(self) -> bool:
        return any((self.params, self.macs, self.latency_ms))


NO_COST = Cost()


def network_cost(result: Result, profiles: Profiles) -> Cost:
    """Return what is known of a run's network.

    Anything that is no positive number was not measured.
    """
    own = _positive_counts(result.run.record.profile)
    saved: Mapping[str, Any] = {}
    if not result.overrides:
        saved = profiles.get((result.run.method, result.variant), {})
    counts = _positive_counts(saved)
    if own and own != counts:
        return Cost(own.get("params"), own.get("macs"))
    if not own and _is_of_other_code(saved, result.run.record.code):
        return NO_COST
    latency, machine = _latency(saved)
    return Cost(
        params=counts.get("params"),
        macs=counts.get("macs"),
        latency_ms=latency,
        paper=bool(counts) and not own,
        machine=machine,
    )


def _is_of_other_code(saved: Mapping[str, Any], code: CodeVersion) -> bool:
    """Tell whether a profile says that it is of other code of the method than a run is."""
    content = find_nested(saved, "code", "method")
    meaning = find_nested(saved, "code", "method_meaning")
    if content in (None, code.method):
        return False
    return meaning is None or meaning != code.method_meaning


def _positive_counts(table: object) -> dict[str, float]:
    counts: dict[str, float] = {}
    if isinstance(table, Mapping):
        for name in _COUNTS:
            count = _positive_number(table.get(name))
            if count:
                counts[name] = count
    return counts


def _latency(saved: Mapping[str, Any]) -> tuple[float | None, str]:
    """Return the median of one item in milliseconds, PyTorch as it is, and where it was taken."""
    for device in _DEVICES:
        latency = _positive_number(find_nested(saved, "latency_ms", device, "eager", "1", "median"))
        if latency:
            return latency, _machine(saved.get("environment"), device)
    return None, ""


def find_nested(table: object, *keys: str) -> object:
    """Follow keys through tables inside tables; None where one is not there."""
    for key in keys:
        if not isinstance(table, Mapping):
            return None
        table = table.get(key)
    return table


def _machine(environment: object, device: str) -> str:
    if not isinstance(environment, Mapping):
        return device
    if device == "cuda":
        return str(environment.get("gpu") or device)
    name = str(environment.get("cpu") or device)
    if "threads" in environment:
        name += f", {environment['threads']} threads"
    return name


def _positive_number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not 0 < value < math.inf:
        return None
    return float(value)
