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
from contextlib import suppress
from dataclasses import MISSING, asdict, fields, replace
from pathlib import Path
from typing import Any

from benchbox.errors import ProtocolError
from benchbox.file_readers.toml_files import read_toml
from benchbox.plugins import discovery
from benchbox.types import Protocol

from . import consistency, options, schema
from .describe import describe_protocol, describe_size

__all__ = [
    "ENTRY_POINT_GROUP",
    "FOLDERS_VARIABLE",
    "canonical_json",
    "describe_protocol",
    "describe_size",
    "load_protocol",
    "missing_folders",
    "protocol_names",
    "read_card",
    "read_cards",
    "scan_cards",
]
ENTRY_POINT_GROUP = discovery.PROTOCOLS
# environment: folders of cards that join the installed ones
FOLDERS_VARIABLE = discovery.FOLDERS_VARIABLE
CARD_SUFFIX = ".toml"
_MAX_BYTES = 64 * 1024
# These decide no number, so are no part of the hash; of `extras` the chosen one is, of `source` all
# but its paths.
_NOT_HASHED = ("name", "title", "notes", "twin", "options", "card", "extras")
# Of own gaze files: paths, and what is expected of them by `data verify`.
_GAZE_NOT_HASHED: dict[str, Any] = {"people": "", "screens_file": "", "expect": ()}
# Keys that came later are part of the hash where they are used only: a card that does not know them
# keeps its own.
_ADDED_LATER = {
    field.name: field.default for field in fields(Protocol) if field.default is not MISSING
}
_ROTATION_INVARIANT = {"inter_ocular", "inter_pupil"}  # normalisers, equal in a turned picture


# --- finding --------------------------------------------------------------------------------------


def protocol_names() -> list[str]:
    """Name every installed card, without reading any."""
    return list(_find_paths()[0])


def read_cards() -> list[Protocol]:
    """Read every installed card; raises ProtocolError for the first one that is wrong."""
    return [read_card(path) for path in _find_paths()[0].values()]


def scan_cards() -> tuple[list[Protocol], list[ProtocolError]]:
    """Read every installed card that can be read, and say what is wrong with the others."""
    paths, doubled = _find_paths()
    cards, faults = [], list(doubled.values())
    for path in paths.values():
        try:
            cards.append(read_card(path))
        except ProtocolError as fault:
            faults.append(fault)
    for entry in discovery.find_faults(ENTRY_POINT_GROUP):
        faults.append(ProtocolError(entry.reason))
    return cards, faults


def missing_folders() -> list[str]:
    """Name what BENCHBOX_PROTOCOLS lists and is no folder."""
    return [str(folder) for folder in discovery.listed_folders() if not folder.is_dir()]


def is_card_file(name: str) -> bool:
    """Tell whether a protocol is named by the path of its card, with or without options."""
    return name.partition("+")[0].endswith(CARD_SUFFIX)


def locate_card_file(name: str) -> Path:
    """Return the path of a card that was typed, options aside; `~` is the home folder."""
    path = Path(name.partition("+")[0])
    with suppress(RuntimeError):  # nobody's home is known: a folder of that name
        return path.expanduser()
    return path


def load_protocol(name: str) -> Protocol:
    """Read the card of a protocol, with options after plus signs: `300w-full+box=ground_truth`.

    `mine/card.toml` (a path with its suffix) is read as it stands, `mine` as `mine.toml` of the
    working folder where no installed card is called so. An option that is the card's own
    choice changes nothing, not even the name.

    Raises
    ------
    ProtocolError
        The protocol is unknown (with the nearest names), its card is wrong, or an option is not
        offered.

    >>> load_protocol("300w-full+box=ground_truth").box
    'ground_truth'
    """
    base, *chosen = name.split("+")
    beside = Path(f"{base}.toml")
    if base.endswith(CARD_SUFFIX):
        path = locate_card_file(base)
    elif beside.is_file() and not any(base in names for names in _find_paths()):
        path = beside  # as `new protocol` leaves it in the working folder
    else:
        path = _find_card(base)
    card = read_card(path)
    varied = options.apply_options(card, chosen)
    if varied is card:
        return card
    return replace(varied, card=_card_hash(varied))


def _find_card(name: str) -> Path:
    paths, doubled = _find_paths()
    if name in paths:
        return paths[name]
    if name in doubled:
        raise doubled[name]
    nearest = difflib.get_close_matches(name, paths, n=3, cutoff=0.4)
    suggestion = ""
    if nearest:
        suggestion = f"did you mean {' or '.join(nearest)}? "
    message = (
        f"no protocol is called {name!r}; {suggestion}`benchbox list protocols` names them all;"
        f" a card of your own is found by its path, or in a folder that {FOLDERS_VARIABLE} lists"
    )
    # the card may be one of a package that cannot be found
    for entry in discovery.find_faults(ENTRY_POINT_GROUP):
        message += f"; {entry.reason}"
    raise ProtocolError(message)


def _find_paths() -> tuple[dict[str, Path], dict[str, ProtocolError]]:
    """Map the name of every installed card to its file.

    A name that two files claim has none: a result would not say whose it is. Also return what to
    say of each such name.
    """
    folders = [collection.folder for collection in discovery.find_collections(ENTRY_POINT_GROUP)]
    folders += discovery.listed_folders()
    paths: dict[str, Path] = {}
    doubled: dict[str, ProtocolError] = {}
    for folder in folders:
        for path in sorted(folder.glob("*.toml")):
            first = paths.setdefault(path.stem, path)
            if first.resolve() != path.resolve():
                doubled[path.stem] = ProtocolError(
                    f"two cards are called {path.stem!r}: {first} and {path}; rename one"
                )
    for name in doubled:
        del paths[name]
    return paths, doubled


# --- reading --------------------------------------------------------------------------------------


def read_card(path: Path) -> Protocol:
    """Read and check one card; raises ProtocolError naming file, key and what is allowed."""
    content = read_toml(path, largest=_MAX_BYTES, fault=ProtocolError)
    values = schema.read_fields(content, path)
    choices: dict[str, tuple[Any, ...]] = {"box": values.pop("box_choices") or (values["box"],)}
    for key in schema.OPTION_KEYS:
        choices[key] = values.pop(f"{key}_choices")
    if values["extras"]:
        choices["extra"] = tuple(values["extras"])
    protocol = Protocol(**values, options={"box": choices["box"]}, card="")
    choices["holdout"] = options.holdout_shares(protocol)
    consistency.check_consistency(protocol, path)
    try:
        offered = options.offered_values(protocol, choices)
    except ValueError as error:
        raise ProtocolError(
            f"{path}: options.{error}: a value is not allowed; see `benchbox.protocols.options`"
        ) from error
    if "rotation" in offered and not set(protocol.normalisers) <= _ROTATION_INVARIANT:
        invariant = ", ".join(sorted(_ROTATION_INVARIANT))
        raise ProtocolError(
            f"{path}: options.rotation: goes with normalisers that do not turn: {invariant}"
        )
    protocol = replace(protocol, options=offered)
    return replace(protocol, card=_card_hash(protocol))


# --- hashing --------------------------------------------------------------------------------------


def canonical_json(protocol: Protocol) -> str:
    """Return everything that decides a number under a protocol, as JSON.

    Its SHA-256 is the card's hash.
    """
    content: dict[str, Any] = {}
    for field in fields(Protocol):
        value = getattr(protocol, field.name)
        unused = field.name in _ADDED_LATER and value == _ADDED_LATER[field.name]
        if field.name not in _NOT_HASHED and not unused:
            content[field.name] = value
    content["groups"] = dict(protocol.groups)
    if protocol.extra:
        content["extra"] = {"name": protocol.extra, **asdict(protocol.extras[protocol.extra])}
    if protocol.source:
        content["source"] = {
            "parts": sorted(protocol.source.parts),
            "origin": protocol.source.origin,
            "visible": protocol.source.visible,
        }
        for key in ("format", "sides", "field", "orientation"):
            if getattr(protocol.source, key):
                content["source"][key] = getattr(protocol.source, key)
        if protocol.source.gaze:
            content["source"]["gaze"] = asdict(replace(protocol.source.gaze, **_GAZE_NOT_HASHED))
    if protocol.own_layout:
        content["own_layout"] = asdict(protocol.own_layout)
    return json.dumps(
        content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def _card_hash(protocol: Protocol) -> str:
    return "sha256:" + hashlib.sha256(canonical_json(protocol).encode()).hexdigest()
