"""What all rendered sets share: how they are had, how they are examined, how rows are taken for a small one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox.face_renderer import cache
from benchbox.face_renderer.cache import RenderPlan
from benchbox.types import Access, Finding, Index

if TYPE_CHECKING:
    Columns = Mapping[str, np.ndarray[Any, Any]]


def describe_access(title: str, kind: str, megabytes: int) -> Access:
    """Say that a set is made on this machine and belongs to benchbox."""
    return Access(
        title=title,
        folder="",
        where=f"nowhere to go: benchbox renders it when it is first used (about {megabytes} MB in the cache folder)",
        terms="MIT, as benchbox itself; no real person is shown",
        citation="benchbox face world",
        layout=f"kept under BENCHBOX_CACHE, else in the user's cache folder: face-renderer-v<version>/{kind}/*.npy",
    )


def generator_note(plan: RenderPlan) -> str:
    """Say which generator made a set."""
    return f"synthetic pictures, generator {plan.kind} version {plan.image_set.version}"


def check_cache(plan: RenderPlan) -> list[Finding]:
    """Say whether a rendered set is in the cache and whole."""
    fault, at = cache.find_fault(plan), cache.cache_folder(plan)
    if not fault:
        return [
            Finding("ok", f"{part}: {size:,} of {size:,} pictures in {at}")
            for part, size in plan.parts
        ]
    if not at.exists():
        return [Finding("missing", f"{at}: {fault}; the first run renders it")]
    return [Finding("wrong", f"{at}: {fault}; the next run renders it again")]


def plan_rows(plan: RenderPlan) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return part (N,) and number in the part (N,) of every row of a set."""
    names = np.concatenate([np.full(size, part) for part, size in plan.parts])
    return names, np.concatenate([np.arange(size) for _, size in plan.parts])


def render_rows(
    plan: RenderPlan, chosen: Mapping[str, Sequence[int]]
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], Columns]:
    """Render some numbers of each part in memory; return their parts, numbers and columns."""
    made = [plan.image_set.render_columns(part, numbers) for part, numbers in chosen.items()]
    parts = np.concatenate([np.full(len(numbers), part) for part, numbers in chosen.items()])
    numbers = np.concatenate([np.asarray(numbers) for numbers in chosen.values()])
    return parts, numbers, {name: np.concatenate([rows[name] for rows in made]) for name in made[0]}


def name_variant(index: Index, variant: str) -> Index:
    """Return an index that says which part of a set it is."""
    return replace(index, variant=variant)


def cache_keys(plan: RenderPlan, parts: Any, numbers: Any) -> Callable[[int], str]:
    """Return what names the pixels of a row, for caches of them: every pixel follows from it."""
    return lambda row: f"{plan.kind}-{plan.image_set.version}:{parts[row]}/{numbers[row]}"


def join_keys(first: Index, second: Index) -> Callable[[int], str] | None:
    """Return the stamps of two sets one below the other; None when one has none."""
    one, other = first.stamp, second.stamp
    if one is None or other is None:
        return None
    return lambda row: one(row) if row < len(first.ids) else other(row - len(first.ids))


def select_keys(stamp: Callable[[int], str], rows: Any) -> Callable[[int], str]:
    """Return the stamps of chosen rows."""
    return lambda row: stamp(int(rows[row]))
