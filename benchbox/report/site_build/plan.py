"""The plan of a site: each kind of page says which pages it makes.

Laying out and printing a page costs milliseconds and reads the run's arrays; what it rests on is a
digest. The code and the templates are no part of these digests: `cache` holds them against all
pages at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchbox.report.pages import (
    atlas_planning,
    claims_page,
    compare_page,
    export_files,
    guide,
    index_page,
    leaderboard_page,
    method_page,
    pseudo_label_page,
    run_page,
)
from benchbox.report.pages.page_types import PlannedPage
from benchbox.report.pages.shared_data import SharedData

_KINDS: tuple[Callable[[SharedData], Sequence[PlannedPage]], ...] = (
    leaderboard_page.plan_pages,
    export_files.plan_pages,
    compare_page.plan_pages,
    atlas_planning.plan_pages,
    method_page.plan_pages,
    run_page.plan_pages,
    pseudo_label_page.plan_pages,
    index_page.plan_pages,
    claims_page.plan_pages,
    guide.plan_pages,
)


def plan_pages(shared: SharedData) -> list[PlannedPage]:
    """Plan every page and file of the site; none is laid out before it is asked for."""
    planned: list[PlannedPage] = []
    for plan_kind in _KINDS:
        planned += plan_kind(shared)
    return planned
