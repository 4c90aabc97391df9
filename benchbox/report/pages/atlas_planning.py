"""Which protocols have an atlas, and which pictures it shows."""

from __future__ import annotations

from dataclasses import dataclass, replace

from benchbox.report.inputs import synthetic_items
from benchbox.types import Protocol

from . import atlas_page, gaze_atlas, rendered_pictures, sample_atlas
from .atlas_page import AtlasPage
from .rendered_pictures import PlannedPicture
from .shared_data import SharedData, board_group


@dataclass(frozen=True)
class PlannedAtlas:
    """An atlas before it is laid out, or as it was when its pictures were asked for."""

    path: str
    group: str
    work: float
    protocol: Protocol
    page: AtlasPage | None = None

    def hash_inputs(self, shared: SharedData) -> str:
        """Hash what the leaderboard rests on."""
        return shared.board_digest(self.protocol)

    def build(self, shared: SharedData) -> AtlasPage:
        """Lay out the atlas."""
        if self.page:
            return self.page
        first_convention = shared.conventions_of(self.protocol)[0]
        samples, problems = shared.item_errors(self.protocol, first_convention)
        build_page = gaze_atlas.build_gaze_atlas_page
        if self.protocol.task == "landmarks":
            build_page = sample_atlas.build_atlas_page
        return build_page(self.protocol, samples, shared.methods, problems)


def plan_pages(shared: SharedData) -> list[PlannedAtlas | PlannedPicture]:
    """Plan the atlas of every protocol that has runs, and the pictures that it shows."""
    planned: list[PlannedAtlas | PlannedPicture] = []
    for protocol in shared.sources.protocols:
        runs = shared.runs_of(protocol)
        if not atlas_page.has_atlas(runs) or not shared.conventions_of(protocol):
            continue
        path = atlas_page.atlas_path(protocol.name)
        atlas = PlannedAtlas(path, board_group(protocol), shared.board_work(protocol), protocol)
        # only then the page must be known to know its pictures
        if synthetic_items.is_synthetic(protocol.dataset):
            page = atlas.build(shared)
            atlas = replace(atlas, page=page)
            planned += rendered_pictures.plan_pictures(page.pictures)
        planned.append(atlas)
    return planned
