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
from benchbox.plugins.discovery import find_collections
from benchbox.types import Protocol

from . import options, schema
from .describe import describe_protocol, describe_size

__all__ = [
    "ENTRY_POINT_GROUP",
    "FOLDERS_VARIABLE",
    "canonical_json",
    "describe_protocol",
    "describe_size",
    "load_protocol",
    "protocol_names",
    "read_card",
    "read_cards",
    "scan_cards",
]
ENTRY_POINT_GROUP = "benchbox.protocols"
_MAX_BYTES = 64 * 1024  # bytes
# These decide no number, so are no part of the hash; of `extras` the chosen one is, of `source` all
# but its paths.
_NOT_HASHED = ("name", "title", "notes", "twin", "options", "card", "extras")
_ROTATION_INVARIANT = {"inter_ocular", "inter_pupil"}  # equal in a turned picture
FOLDERS_VARIABLE = (
    "BENCHBOX_PROTOCOLS"  # environment: folders of cards that join the installed ones
)
# Keys that came later are part of the hash where they are used only: a card that does not know them
# keeps its own.
_ADDED_LATER = {
    field.name: field.default for field in fields(Protocol) if field.default is not MISSING
}


# --- reading --------------------------------------------------------------------------------------


def protocol_names() -> list[str]:
    """Name every installed card, without reading any.

    Raises ProtocolError when two collections share a name.
    """
    return list(_card_paths())


def read_cards() -> list[Protocol]:
    """Read every installed card; raises ProtocolError for the first one that is wrong."""
    return [read_card(path) for path in _card_paths().values()]


def scan_cards() -> tuple[list[Protocol], list[ProtocolError]]:
    """Read every installed card that can be read, and say what is wrong with the others."""
    found, faults = [], []
    for path in _card_paths().values():
        try:
            found.append(read_card(path))
        except ProtocolError as fault:
            faults.append(fault)
    return found, faults


def load_protocol(name: str) -> Protocol:
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
    paths = {base: Path(base)} if base.endswith(".toml") else _card_paths()
    if base not in paths:
        near = difflib.get_close_matches(base, paths, n=3, cutoff=0.4)
        meant = f"did you mean {' or '.join(near)}? " if near else ""
        raise ProtocolError(
            f"no protocol is called {base!r}; {meant}`benchbox list protocols` names them all"
        )
    found = read_card(paths[base])
    other = options.apply_options(found, chosen)
    return found if other is found else replace(other, card=_card_hash(other))


def read_card(path: Path) -> Protocol:
    """Read and check one card; raises ProtocolError naming file, key and what is allowed."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ProtocolError(f"{path}: a card of more than {_MAX_BYTES} bytes is no card")
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ProtocolError(f"{path}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProtocolError(f"{path}: is not TOML: {error}") from error
    values = schema.check_keys(content, path)
    choices = {
        "box": values.pop("choices") or (values["box"],),
        **{key: values.pop(f"{key}_choices") for key in schema.OPTION_KEYS},
    }
    if values["extras"]:
        choices["extra"] = tuple(values["extras"])
    protocol = Protocol(**values, options={"box": choices["box"]}, card="")
    schema.check_consistency(protocol, path)
    try:
        protocol = replace(protocol, options=options.offered_values(protocol, choices))
    except ValueError as error:
        raise ProtocolError(
            f"{path}: options.{error}: a value is not allowed; see `benchbox.protocols.options`"
        ) from error
    if "rotation" in protocol.options and not set(protocol.normalisers) <= _ROTATION_INVARIANT:
        raise ProtocolError(
            f"{path}: options.rotation: goes with normalisers that do not turn: {', '.join(sorted(_ROTATION_INVARIANT))}"
        )
    return replace(protocol, card=_card_hash(protocol))


def _card_paths() -> dict[str, Path]:
    found: dict[str, Path] = {}
    folders = [collection.folder for collection in find_collections(ENTRY_POINT_GROUP)]
    folders += [
        Path(text) for text in os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep) if text
    ]
    for folder in folders:
        for path in sorted(folder.glob("*.toml")):
            if path.stem in found:
                raise ProtocolError(
                    f"two cards are called {path.stem!r}: {found[path.stem]} and {path}; rename one"
                )
            found[path.stem] = path
    return found


def canonical_json(protocol: Protocol) -> str:
    """Return everything that decides a number under a protocol, as JSON.

    Its SHA-256 is the card's hash.
    """
    content: dict[str, Any] = {
        f.name: getattr(protocol, f.name) for f in fields(Protocol) if f.name not in _NOT_HASHED
    }
    content = {
        key: value
        for key, value in content.items()
        if key not in _ADDED_LATER or value != _ADDED_LATER[key]
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


def _card_hash(protocol: Protocol) -> str:
    return "sha256:" + hashlib.sha256(canonical_json(protocol).encode()).hexdigest()
