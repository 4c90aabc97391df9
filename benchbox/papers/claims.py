"""What papers claim beyond single cells: `references/claims.toml` of every collection of protocols, read strictly.

* `[[systems]]`: which printed label is which variant, so that every reference row of that label is
  a claim about it.
* `[[orderings]]`: variants from best to worst under a metric and group, and the protocols that can
  show it.
* `[[facts]]`: parameters and multiply-accumulates as printed.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchbox.errors import DataError
from benchbox.plugins import discovery

QUANTITIES = ("params", "macs", "macs_plus_bias", "bytes")
_MAX_BYTES = 1_000_000  # bytes
_SYSTEM = re.compile(r"[a-z0-9][a-z0-9-]*/[a-z0-9][a-z0-9.-]*")
_PRINTED = re.compile(r"(\d+(?:\.\d+)?) ?([KMG]?)B?")
_SCALE = {"": 1.0, "K": 1e3, "M": 1e6, "G": 1e9}


@dataclass(frozen=True)
class OrderingClaim:
    """Variants from best to worst."""

    id: str
    paper: str
    table: str
    text: str
    order: tuple[str, ...]  # "method/variant"
    metric: str
    group: str
    protocols: tuple[str, ...]
    or_equal: bool = False


@dataclass(frozen=True)
class SizeClaim:
    """A printed size of a network."""

    paper: str
    table: str
    system: str
    quantity: str  # one of QUANTITIES
    printed: str
    why: str = ""  # what is known about a print that the variant does not meet
    settings: Mapping[str, str] = field(default_factory=dict)  # as of --set: with them it is met

    @property
    def value(self) -> float:
        """Return the printed number."""
        number, scale = self._parts()
        return float(number) * _SCALE[scale]

    @property
    def half_digit(self) -> float:
        """Return half a unit of the last printed digit."""
        number, scale = self._parts()
        return 0.5 * 10.0 ** -len(number.partition(".")[2]) * _SCALE[scale]

    def beside(self, counted: float) -> tuple[bool, str]:
        """Tell whether a count is the printed number to its digits.

        If not, by how much it is off and what is known.
        """
        if abs(counted - self.value) <= self.half_digit:
            return True, ""
        return False, "; ".join(
            filter(None, (f"{100 * (counted / self.value - 1):+.2f} %", self.why))
        )

    def _parts(self) -> tuple[str, str]:
        match = _PRINTED.fullmatch(self.printed)
        assert match
        return match[1], match[2]


@dataclass(frozen=True)
class Claims:
    """Everything that the collections claim."""

    systems: Mapping[tuple[str, str], str]  # (paper, label) → "method/variant"
    orderings: tuple[OrderingClaim, ...]
    facts: tuple[SizeClaim, ...]


def load_claims() -> Claims:
    """Read the claims of every installed collection; raises DataError naming file and key."""
    folders = [
        collection.folder / "references"
        for collection in discovery.find_collections("benchbox.protocols")
    ]
    return read_claims(
        *(folder / "claims.toml" for folder in folders if (folder / "claims.toml").is_file())
    )


def read_claims(*files: Path) -> Claims:
    """Read files of claims; raises DataError naming file, entry and key of the first fault."""
    systems: dict[tuple[str, str], str] = {}
    orderings: list[OrderingClaim] = []
    facts: list[SizeClaim] = []
    for file in files:
        content = _toml(file)
        for entry in _entries(content, "systems", file, {"paper": _text, "labels": _labels}):
            systems |= {
                (entry["paper"], label): system for label, system in entry["labels"].items()
            }
        orderings += [
            OrderingClaim(**entry) for entry in _entries(content, "orderings", file, _ORDERING)
        ]
        facts += [SizeClaim(**entry) for entry in _entries(content, "facts", file, _FACT)]
        unknown = sorted(set(content) - {"systems", "orderings", "facts"})
        if unknown:
            raise DataError(
                f"references/{file.name}: no such table [[{unknown[0]}]]; systems, orderings, facts"
            )
    ids = [ordering.id for ordering in orderings]
    doubled = {name for name in ids if ids.count(name) > 1}
    if doubled:
        raise DataError(
            f"references/claims.toml: two orderings are called {min(doubled)!r}; rename one"
        )
    return Claims(systems, tuple(orderings), tuple(facts))


# --- schema ---------------------------------------------------------------------------------------


def _toml(file: Path) -> dict[str, Any]:
    try:
        if file.stat().st_size > _MAX_BYTES:
            raise DataError(f"references/{file.name}: larger than {_MAX_BYTES:,} bytes")
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as fault:
        raise DataError(f"references/{file.name}: cannot be read ({fault.strerror})") from fault
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise DataError(f"references/{file.name}: is not TOML: {fault}") from fault


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("a text")
    return value


def _system(value: Any) -> str:
    if not isinstance(value, str) or not _SYSTEM.fullmatch(value):
        raise ValueError("method/variant")
    return value


def _labels(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not value:
        raise ValueError('a table: "printed label" = "method/variant"')
    return {_text(label): _system(system) for label, system in value.items()}


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError("a list of texts")
    return tuple(map(_text, value))


def _order(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) < 2 or len(set(map(str, value))) < len(value):
        raise ValueError("two or more of method/variant, best first")
    return tuple(map(_system, value))


def _settings(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(word, str) for word in value.values()):
        raise ValueError('a table: parameter = "value", as --set takes it')
    return {_text(key): _text(word) for key, word in value.items()}


def _switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true | false")
    return value


def _quantity(value: Any) -> str:
    if value not in QUANTITIES:
        raise ValueError(" | ".join(QUANTITIES))
    return str(value)


def _printed(value: Any) -> str:
    if not isinstance(value, str) or not _PRINTED.fullmatch(value):
        raise ValueError('a number as printed: "48.5 M"')
    return value


_ORDERING: Mapping[str, Callable[[Any], Any]] = {
    "id": _text,
    "paper": _text,
    "table": _text,
    "text": _text,
    "order": _order,
    "metric": _text,
    "group": _text,
    "protocols": _texts,
    "or_equal": _switch,
}
_FACT: Mapping[str, Callable[[Any], Any]] = {
    "paper": _text,
    "table": _text,
    "system": _system,
    "quantity": _quantity,
    "printed": _printed,
    "why": _text,
    "settings": _settings,
}
_OPTIONAL = {"or_equal", "why", "settings"}


def _entries(
    content: Mapping[str, Any], table: str, file: Path, schema: Mapping[str, Callable[[Any], Any]]
) -> list[dict[str, Any]]:
    """Return the checked entries of one array of tables."""
    found = []
    for number, entry in enumerate(content.get(table, []), start=1):
        where = f"references/{file.name}: {table} {number}"
        if not isinstance(entry, dict):
            raise DataError(f"{where}: is no table [[{table}]]")
        for key in entry:
            if key not in schema:
                raise DataError(f"{where}: {key}: no such key; allowed: {', '.join(schema)}")
        values = {}
        for key, parse in schema.items():
            if key not in entry:
                if key not in _OPTIONAL:
                    raise DataError(f"{where}: {key}: is missing")
                continue
            try:
                values[key] = parse(entry[key])
            except ValueError as fault:
                raise DataError(
                    f"{where}: {key}: {entry[key]!r} is not allowed; allowed: {fault}"
                ) from fault
        found.append(values)
    return found
