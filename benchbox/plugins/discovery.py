"""Find the folders of plugin collections without importing anything.

One mechanism for our collections and for everybody else's: an entry point in the group
`benchbox.methods` or `benchbox.protocols` whose value is a package; the folders of that package
hold the cards. An entry point that leads to no such folder is a fault with its distribution's name,
never passed over: its author would look for the mistake elsewhere.

Folders of protocol cards may also be listed in the environment variable `BENCHBOX_PROTOCOLS`, for a
repository that keeps its cards without being a package.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path

METHODS = "benchbox.methods"
PROTOCOLS = "benchbox.protocols"
FOLDERS_VARIABLE = "BENCHBOX_PROTOCOLS"
# what a package of a group holds: patterns of files, one of which is enough, and their name
_CONTENTS: Mapping[str, tuple[tuple[str, ...], str]] = {
    METHODS: (("*/method.toml",), "method folders"),
    PROTOCOLS: (("*.toml", "references/*"), "protocol cards"),
}


@dataclass(frozen=True)
class Collection:
    """One installed package of cards."""

    source: str  # distribution and version, for messages
    package: str  # "benchbox_methods"
    folder: Path


@dataclass(frozen=True)
class CollectionFault:
    """An entry point that leads to no folder of cards."""

    name: str  # of the entry point
    reason: str  # names distribution, group, value and what was expected


def find_collections(group: str) -> list[Collection]:
    """Locate every collection of an entry-point group, ours first, the others by name."""
    found = []
    seen: set[Path] = set()
    for point in _entry_points(group):
        for folder in _card_folders(point, group):
            # two distributions may name one package: an older installation of this one beside it
            if folder.resolve() not in seen:
                seen.add(folder.resolve())
                found.append(Collection(_distribution(point), point.value, folder))
    return found


def listed_folders() -> list[Path]:
    """Return the folders of protocol cards that BENCHBOX_PROTOCOLS lists."""
    listed = os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep)
    return [Path(text).expanduser() for text in listed if text]


def reference_folders() -> list[tuple[str, Path]]:
    """Return who brings references and claims, and their folders: ours first.

    They lie in `references` beside protocol cards.
    """
    beside = [(collection.source, collection.folder) for collection in find_collections(PROTOCOLS)]
    beside += [(str(folder), folder) for folder in listed_folders()]
    folders = []
    for source, folder in beside:
        if (folder / "references").is_dir():
            folders.append((source, folder / "references"))
    return folders


def find_faults(group: str) -> list[CollectionFault]:
    """Name the entry points of a group that lead to no folder of cards."""
    faults = []
    for point in _entry_points(group):
        if not any(_card_folders(point, group)):
            reason = (
                f"{_distribution(point)}: {group} entry point '{point.name} = {point.value}' names"
                f" no package of {_CONTENTS[group][1]}; write that package's dotted name"
            )
            faults.append(CollectionFault(point.name, reason))
    return faults


def _entry_points(group: str) -> list[EntryPoint]:
    return sorted(entry_points(group=group), key=lambda p: (p.name != "benchbox", p.name))


def _distribution(point: EntryPoint) -> str:
    if point.dist is None:
        return point.name
    return f"{point.dist.name} {point.dist.version}"


def _card_folders(point: EntryPoint, group: str) -> Iterator[Path]:
    """Yield the folders of an entry point's package that hold cards; none where it is wrong."""
    # A top-level package's spec is found without running its code, so a broken one cannot break a
    # listing.
    top, *inner = point.value.split(".")
    try:
        spec = find_spec(top)
    except (ValueError, ImportError):  # "my_faces:METHODS", ":x": no name of a module
        return
    if spec is None:
        return
    patterns, _ = _CONTENTS[group]
    for place in spec.submodule_search_locations or []:
        folder = Path(place).joinpath(*inner)
        for pattern in patterns:
            if any(folder.glob(pattern)):
                yield folder
                break
