"""What a page is: planned as data, built as a value, printed by a template.

Each kind of page has a module. Its `plan_pages` says which pages there are, from data alone; a
planned page knows what it rests on and how it is laid out.
"""

from __future__ import annotations

import typing

from .atlas_page import AtlasPage
from .claims_page import ClaimsPage
from .compare_page import ComparePage
from .guide import GuidePage
from .index_page import IndexPage
from .leaderboard_page import BoardPage
from .method_page import MethodPage
from .pseudo_label_page import PseudoLabelPage
from .run_page import RunPage
from .shared_data import SharedData

Page = (
    IndexPage
    | ClaimsPage
    | BoardPage
    | MethodPage
    | RunPage
    | ComparePage
    | AtlasPage
    | GuidePage
    | PseudoLabelPage
)


class PlannedPage(typing.Protocol):
    """A page or file of the site before it is laid out."""

    @property
    def path(self) -> str:
        """Its place inside the site."""

    @property
    def group(self) -> str:
        """Files of one group read much the same."""

    @property
    def work(self) -> float:
        """About how much it is to make it; a run's page is 1."""

    def hash_inputs(self, shared: SharedData) -> str:
        """Hash all that it is made from."""

    def build(self, shared: SharedData) -> Page | str | bytes:
        """Lay out the page, or write what a file holds."""
