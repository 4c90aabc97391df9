"""Find the folders of plugin collections without importing anything.

One mechanism for our collections and for everybody else's: an entry point in the group
`benchbox.methods` or `benchbox.protocols` whose value is a package; the folders of that package
hold the cards.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path


@dataclass(frozen=True)
class Collection:
    """One installed package of cards."""

    source: str  # distribution and version, for messages
    package: str  # "benchbox_methods"
    folder: Path


def find_collections(group: str) -> list[Collection]:
    """Locate every collection of an entry-point group, ours first, the others by name."""
    found = []
    for point in sorted(entry_points(group=group), key=lambda p: (p.name != "benchbox", p.name)):
        source = f"{point.dist.name} {point.dist.version}" if point.dist else point.name
        # A top-level package's spec is found without running its code, so a broken one cannot break
        # a listing.
        spec = find_spec(point.value.partition(".")[0])
        for place in (spec.submodule_search_locations or []) if spec else []:
            folder = Path(place).joinpath(*point.value.split(".")[1:])
            if folder.is_dir():
                found.append(Collection(source, point.value, folder))
    return found
