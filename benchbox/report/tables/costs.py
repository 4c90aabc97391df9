"""What a row's network weighs and takes: counted by its own run, else by `benchbox profile` at the paper's sizes.

A latency is always a saved profile's. It is a row's only where the networks are: a run of a smaller
budget may train smaller ones than those that were timed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchbox.report.inputs.results import Result

# (method, variant) → what `benchbox profile --json` says
Profiles = Mapping[tuple[str, str], Mapping[str, Any]]
_DEVICES = ("cuda", "cpu")  # the first that was measured counts


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
    own = _counts(result.run.record.get("profile"))
    saved = {} if result.overrides else profiles.get((result.run.method, result.variant), {})
    counts = _counts(saved)
    paper = not own and bool(counts)
    if own and own != counts:
        return Cost(own.get("params"), own.get("macs"))
    latency, machine = _latency(saved)
    return Cost(counts.get("params"), counts.get("macs"), latency, paper, machine)


def _counts(table: object) -> dict[str, float]:
    found = (
        {key: _positive(table.get(key)) for key in ("params", "macs")}
        if isinstance(table, Mapping)
        else {}
    )
    return {key: value for key, value in found.items() if value}


def _latency(saved: Mapping[str, Any]) -> tuple[float | None, str]:
    """Return the median of one face in milliseconds, PyTorch as it is, and where it was taken."""
    for device in _DEVICES:
        found: object = saved.get("latency_ms")
        for key in (device, "eager", "1", "median"):
            found = found.get(key) if isinstance(found, Mapping) else None
        if value := _positive(found):
            return value, _machine(saved.get("environment"), device)
    return None, ""


def _machine(environment: object, device: str) -> str:
    facts = environment if isinstance(environment, Mapping) else {}
    name = str(facts.get("gpu" if device == "cuda" else "cpu") or device)
    return f"{name}, {facts['threads']} threads" if device == "cpu" and "threads" in facts else name


def _positive(value: object) -> float | None:
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if numeric and 0 < value < float("inf") else None  # type: ignore[operator, arg-type]
