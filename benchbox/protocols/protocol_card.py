"""Protocol cards: TOML files read into frozen values, checked key by key, hashed by content.

A card is `<name>.toml` in the folder of any package registered under the entry-point group
`benchbox.protocols`. Every key is listed in `benchbox.protocols.schema`; a key that is unknown,
missing, of the wrong type or out of range is a ProtocolError that names the file, the key and what
is allowed there. `card` is the SHA-256 of everything that decides a number; titles, notes, the list
of choices and the twin may be reworded without moving it.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import tomllib
from dataclasses import MISSING, asdict, fields, replace
from pathlib import Path
from typing import Any

from benchbox.errors import ProtocolError
from benchbox.plugins.discovery import collections
from benchbox.types import Protocol

from . import options, schema
from .describe import amount, describe

__all__ = [
    "FOLDERS",
    "GROUP",
    "amount",
    "canonical",
    "cards",
    "describe",
    "load",
    "names",
    "read",
    "scan",
]
GROUP = "benchbox.protocols"
_LARGEST_CARD = 64 * 1024  # bytes
# These decide no number, so are no part of the hash; of `extras` the chosen one is, of `source` all
# but its paths.
_WORDS = ("name", "title", "notes", "twin", "options", "card", "extras")
_UPRIGHT = {"inter_ocular", "inter_pupil"}  # equal in a turned picture
FOLDERS = "BENCHBOX_PROTOCOLS"  # environment: folders of cards that join the installed ones
# Keys that came later are part of the hash where they are used only: a card that does not know them
# keeps its own.
_LATER = {field.name: field.default for field in fields(Protocol) if field.default is not MISSING}


# --- reading --------------------------------------------------------------------------------------


def names() -> list[str]:
    """Name every installed card, without reading any.

    Raises ProtocolError when two collections share a name.
    """
    return list(_paths())


def cards() -> list[Protocol]:
    """Read every installed card; raises ProtocolError for the first one that is wrong."""
    return [read(path) for path in _paths().values()]


def scan() -> tuple[list[Protocol], list[ProtocolError]]:
    """Read every installed card that can be read, and say what is wrong with the others."""
    found, faults = [], []
    for path in _paths().values():
        try:
            found.append(read(path))
        except ProtocolError as fault:
            faults.append(fault)
    return found, faults


def load(name: str) -> Protocol:
    """Read the card of a protocol, with options after plus signs: `300w-full+box=ground_truth`.

    `mine/card.toml` (a path with its suffix) is read as it stands. An option that is the card's own
    choice changes nothing, not even the name.

    Raises
    ------
    ProtocolError
        The protocol is unknown (with the nearest names), its card is wrong, or an option is not
        offered.
    """
    base, *chosen = name.split("+")
    paths = {base: Path(base)} if base.endswith(".toml") else _paths()
    if base not in paths:
        near = difflib.get_close_matches(base, paths, n=3, cutoff=0.4)
        meant = f"did you mean {' or '.join(near)}? " if near else ""
        raise ProtocolError(
            f"no protocol is called {base!r}; {meant}`benchbox list protocols` names them all"
        )
    found = read(paths[base])
    other = options.choose(found, chosen)
    return found if other is found else replace(other, card=_digest(other))


def read(path: Path) -> Protocol:
    """Read and check one card; raises ProtocolError naming file, key and what is allowed."""
    try:
        if path.stat().st_size > _LARGEST_CARD:
            raise ProtocolError(f"{path}: a card of more than {_LARGEST_CARD} bytes is no card")
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ProtocolError(f"{path}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProtocolError(f"{path}: is not TOML: {error}") from error
    values = schema.checked(content, path)
    choices = {
        "box": values.pop("choices") or (values["box"],),
        **{key: values.pop(f"{key}_choices") for key in schema.CHOICES},
    }
    if values["extras"]:
        choices["extra"] = tuple(values["extras"])
    protocol = Protocol(**values, options={"box": choices["box"]}, card="")
    schema.consistent(protocol, path)
    try:
        protocol = replace(protocol, options=options.offered(protocol, choices))
    except ValueError as error:
        raise ProtocolError(
            f"{path}: options.{error}: a value is not allowed; see `benchbox.protocols.options`"
        ) from error
    if "rotation" in protocol.options and not set(protocol.normalisers) <= _UPRIGHT:
        raise ProtocolError(
            f"{path}: options.rotation: goes with normalisers that do not turn: {', '.join(sorted(_UPRIGHT))}"
        )
    return replace(protocol, card=_digest(protocol))


def _paths() -> dict[str, Path]:
    found: dict[str, Path] = {}
    folders = [collection.folder for collection in collections(GROUP)]
    folders += [Path(text) for text in os.environ.get(FOLDERS, "").split(os.pathsep) if text]
    for folder in folders:
        for path in sorted(folder.glob("*.toml")):
            if path.stem in found:
                raise ProtocolError(
                    f"two cards are called {path.stem!r}: {found[path.stem]} and {path}; rename one"
                )
            found[path.stem] = path
    return found


def canonical(protocol: Protocol) -> str:
    """Return everything that decides a number under a protocol, as JSON.

    Its SHA-256 is the card's hash.
    """
    content: dict[str, Any] = {
        f.name: getattr(protocol, f.name) for f in fields(Protocol) if f.name not in _WORDS
    }
    content = {
        key: value for key, value in content.items() if key not in _LATER or value != _LATER[key]
    }
    content["groups"] = dict(protocol.groups)
    if protocol.extra:
        content["extra"] = {"name": protocol.extra, **asdict(protocol.extras[protocol.extra])}
    if protocol.source:
        source = protocol.source
        content["source"] = {
            "parts": sorted(source.parts),
            "origin": source.origin,
            "visible": source.visible,
        }
    return json.dumps(
        content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def _digest(protocol: Protocol) -> str:
    return "sha256:" + hashlib.sha256(canonical(protocol).encode()).hexdigest()
