"""What one check of a method found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One promise: whether it was kept and, if not, what to change."""

    name: str
    ok: bool
    detail: str
