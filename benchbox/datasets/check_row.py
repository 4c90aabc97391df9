"""A row of the table of checks, which the documentation shows: what is looked at, and how."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One check: in words what it looks at, its limit, what that rests on, what comes of it."""

    name: str
    looks_at: str
    limit: str
    evidence: str
    outcome: str  # what `data verify` and `run` make of it
