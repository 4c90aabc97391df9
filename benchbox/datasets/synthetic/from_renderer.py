"""What all rendered sets share: access, examination, and rows before they become an index."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from benchbox.face_renderer import cache
from benchbox.face_renderer.cache import RenderPlan
from benchbox.types import Access, Finding, Index

if TYPE_CHECKING:
    from benchbox.types import Bytes, Strings

    Columns = Mapping[str, np.ndarray[Any, Any]]


class RenderedRows(NamedTuple):
    """Rows of a rendered set: where each comes from, and what was rendered."""

    parts: Strings  # (N,)
    numbers: np.ndarray[Any, Any]  # (N,) number in the part
    columns: Columns  # name → (N, …)


def describe_access(title: str, kind: str, megabytes: int) -> Access:
    """Say that a set is made on this machine and belongs to benchbox."""
    return Access(
        title=title,
        folder="",
        where=(
            "nowhere to go: benchbox renders it when it is first used "
            f"(about {megabytes} MB in the cache folder)"
        ),
        terms="MIT, as benchbox itself; no real person is shown",
        citation="benchbox face world",
        layout=(
            "kept under BENCHBOX_CACHE, else in the user's cache folder: "
            f"face-renderer-v<version>/{kind}/*.npy"
        ),
    )


def generator_note(plan: RenderPlan) -> str:
    """Say which generator made a set."""
    return f"synthetic pictures, generator {plan.kind} version {plan.image_set.version}"


def check_cache(plan: RenderPlan, items: str = "pictures") -> list[Finding]:
    """Say whether a rendered set is in the cache and whole; `items` is what it holds."""
    fault = cache.find_fault(plan, checked=list(plan.image_set.columns))
    folder = cache.cache_folder(plan)
    if not fault:
        return [
            Finding("ok", f"{part}: {size:,} of {size:,} {items} in {folder}")
            for part, size in plan.parts
        ]
    if not folder.exists():
        return [Finding("missing", f"{folder}: {fault}; the first run renders it")]
    return [Finding("wrong", f"{folder}: {fault}; the next run renders it again")]


def read_rows(plan: RenderPlan, *, pixels: bool) -> RenderedRows:
    """Return all rows of a set.

    With pixels it is rendered into the cache first where it is not there yet; without, columns that
    take a picture may be absent.
    """
    parts = [np.full(size, part) for part, size in plan.parts]
    numbers = [np.arange(size) for _, size in plan.parts]
    columns = cache.read_columns(plan, pixels=pixels)
    return RenderedRows(np.concatenate(parts), np.concatenate(numbers), columns)


def render_rows(plan: RenderPlan, chosen: Mapping[str, Sequence[int]]) -> RenderedRows:
    """Render some numbers of each part in memory."""
    parts, numbers, rendered = [], [], []
    for part, part_numbers in chosen.items():
        parts.append(np.full(len(part_numbers), part))
        numbers.append(np.asarray(part_numbers))
        rendered.append(plan.image_set.render_columns(part, part_numbers))
    columns = {}
    for name in rendered[0]:
        columns[name] = np.concatenate([part_columns[name] for part_columns in rendered])
    return RenderedRows(np.concatenate(parts), np.concatenate(numbers), columns)


def name_variant(index: Index, variant: str) -> Index:
    """Return an index that says which part of a set it is."""
    return replace(index, variant=variant)


# --- fields of an index ---------------------------------------------------------------------------


def pixel_reader(plan: RenderPlan, columns: Columns) -> Callable[[int], Bytes]:
    """Return the function that reads the pixels of a row, as they lie in the column.

    Where the columns have no pixels, the set is rendered into the cache when one is asked for.
    """

    def read(row: int) -> Bytes:
        held = columns if "pixels" in columns else cache.load_columns(plan)
        return np.array(held["pixels"][row])

    return read


def person_ids(rows: RenderedRows) -> Strings:
    """Return ids (N,) of person and number: `test-003/00017`."""
    pairs = zip(rows.columns["person"], rows.numbers, strict=True)
    return np.array([f"{person}/{number:05d}" for person, number in pairs])


# --- cache keys of pixels -------------------------------------------------------------------------


def cache_keys(plan: RenderPlan, rows: RenderedRows) -> Callable[[int], str]:
    """Return what names the pixels of a row, for caches of them: every pixel follows from it."""
    generator = f"{plan.kind}-{plan.image_set.version}"
    return lambda row: f"{generator}:{rows.parts[row]}/{rows.numbers[row]}"
