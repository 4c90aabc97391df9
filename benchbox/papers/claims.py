"""What papers claim beyond single cells: `references/claims.toml` of the collections of protocols.

* `[[systems]]`: which printed label is which variant, so that every reference row of that label is
  a claim about it.
* `[[cells]]`: where the columns of one label are several variants, or none of ours: which is which.
* `[[orderings]]`: variants from best to worst under a metric and group, and the protocols that can
  show it. An entry may carry options of the card: `glsr/b1+noise=3` on 300w-full is that variant on
  300w-full+noise=3. With `or_equal` each is no worse than the next by more than `margin`, a share
  of the error.
* `[[facts]]`: parameters and multiply-accumulates as printed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchbox.errors import DataError
from benchbox.file_readers.toml_files import read_toml
from benchbox.plugins import discovery
from benchbox.plugins.card_values import (
    SWITCH,
    TEXT,
    CardKey,
    CardPlace,
    list_of,
    number_where,
    one_of,
    read_values,
    table_of,
    text_matching,
)

from .reference_rows import ReferenceRow

QUANTITIES = ("params", "macs", "macs_plus_bias", "bytes")
_MAX_BYTES = 1_000_000
_PRINTED = re.compile(r"(\d+(?:\.\d+)?) ?([KMG]?)B?")
_SCALE = {"": 1.0, "K": 1e3, "M": 1e6, "G": 1e9}
MARGIN = 0.01  # of `or_equal`, where the claim states none
# A metric of orderings that no test set measures: the error on people held out of training less
# that on people trained on, as a recipe notes both of its last network.
TRAINING_GAP = "training_gap"


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
    margin: float = MARGIN  # of or_equal: a share of the error
    beats: str = ""  # "method/variant" that the first must be surely better than; "": none


@dataclass(frozen=True)
class CellSystems:
    """Which variant the cells of some labels are in the columns whose subset holds a text."""

    paper: str
    subset: str
    labels: Mapping[str, str]  # printed label → "method/variant"
    none: tuple[str, ...] = ()  # labels of which no variant is there
    why: str = ""


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

    def compare_count(self, counted: float) -> tuple[bool, str]:
        """Tell whether a count is the printed number to its digits.

        If not, by how much it is off and what is known.
        """
        if abs(counted - self.value) <= self.half_digit:
            return True, ""
        difference = f"{100 * (counted / self.value - 1):+.2f} %"
        if self.why:
            return False, f"{difference}; {self.why}"
        return False, difference

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
    cells: tuple[CellSystems, ...] = ()

    def find_system(self, row: ReferenceRow) -> tuple[str, str]:
        """Return the variant that a printed cell is, and "" and why where it is none of ours."""
        for cells in self.cells:
            if cells.paper != row.paper or cells.subset not in row.subset:
                continue
            if row.method in cells.labels:
                return cells.labels[row.method], ""
            if row.method in cells.none:
                return "", cells.why
        return self.systems.get((row.paper, row.method), ""), ""

    def list_systems(self) -> set[str]:
        """Return every "method/variant" that is spoken of."""
        named = {*self.systems.values(), *(fact.system for fact in self.facts)}
        for cells in self.cells:
            named.update(cells.labels.values())
        for ordering in self.orderings:
            named.update(split_options(entry)[0] for entry in ordering.order)
            named.update([ordering.beats] if ordering.beats else [])
        return named


def split_options(entry: str) -> tuple[str, tuple[str, ...]]:
    """Take an entry of an ordering apart: the variant and the options of the card.

    >>> split_options("glsr/b1+noise=3+scale=0.1")
    ('glsr/b1', ('noise=3', 'scale=0.1'))
    """
    system, *options = entry.split("+")
    return system, tuple(options)


def name_protocol(protocol: str, options: Sequence[str]) -> str:
    """Add options to a protocol's name, in the order of their keys, as `apply_options` does.

    >>> name_protocol("300w-full+noise=3", ["box=mtcnn"])
    '300w-full+box=mtcnn+noise=3'
    """
    base, *given = protocol.split("+")
    return "+".join([base, *sorted([*given, *options])])


# --- keys -----------------------------------------------------------------------------------------

_SYSTEM = text_matching(re.compile(r"[a-z0-9][a-z0-9-]*/[a-z0-9][a-z0-9.-]*"), "method/variant")
_ENTRY = text_matching(
    re.compile(r"[a-z0-9][a-z0-9-]*/[a-z0-9][a-z0-9.-]*(\+[a-z_]+=[a-z0-9_.]+)*"),
    "method/variant, or method/variant+key=value",
)
_SHARE = number_where(lambda share: 0 <= share <= 1, "a share of the error, 0 to 1: 0.01")
_SETTING = text_matching(re.compile(".*"), '"value"')  # --set takes an empty one, too

_SYSTEM_KEYS = (
    CardKey("paper", TEXT),
    CardKey(
        "labels",
        table_of(TEXT, _SYSTEM, least=1),
        'a table: "printed label" = "method/variant"',
    ),
)
_ORDERING_KEYS = (
    CardKey("id", TEXT),
    CardKey("paper", TEXT),
    CardKey("table", TEXT),
    CardKey("text", TEXT),
    CardKey("order", list_of(_ENTRY, least=2), "method/variant, two or more, best first"),
    CardKey("metric", TEXT),
    CardKey("group", TEXT),
    CardKey("protocols", list_of(TEXT, least=1), "a list of texts"),
    CardKey("or_equal", SWITCH, default=False),
    CardKey("margin", _SHARE, default=MARGIN),
    CardKey("beats", _SYSTEM, default=""),
)
_CELL_KEYS = (
    CardKey("paper", TEXT),
    CardKey("subset", TEXT),
    CardKey(
        "labels", table_of(TEXT, _SYSTEM), 'a table: "printed label" = "method/variant"', default={}
    ),
    CardKey("none", list_of(TEXT), "a list of printed labels", default=()),
    CardKey("why", TEXT, default=""),
)
_FACT_KEYS = (
    CardKey("paper", TEXT),
    CardKey("table", TEXT),
    CardKey("system", _SYSTEM),
    CardKey("quantity", one_of(*QUANTITIES)),
    CardKey("printed", text_matching(_PRINTED, 'a number as printed: "48.5 M"')),
    CardKey("why", TEXT, default=""),
    CardKey(
        "settings",
        table_of(TEXT, _SETTING),
        'a table: parameter = "value", as --set takes it',
        default={},
    ),
)
_TABLES = ("systems", "cells", "orderings", "facts")


# --- reading --------------------------------------------------------------------------------------


def load_claims() -> Claims:
    """Read the claims of every installed collection.

    A third party's file that cannot be read is left out; `scan_claims` says why. Raises DataError
    naming file and key for a fault of our own.
    """
    return scan_claims()[0]


def scan_claims() -> tuple[Claims, list[str]]:
    """Read the claims of every collection; also say which files were left out, and why."""
    kept: list[Path] = []
    faults: list[str] = []
    found = Claims({}, (), ())
    for number, (source, folder) in enumerate(discovery.reference_folders()):
        file = folder / "claims.toml"
        if not file.is_file():
            continue
        try:
            found = read_claims(*kept, file)
        except (DataError, OSError) as fault:
            if number == 0:  # our own come first
                raise
            faults.append(f"{source}: {fault}")
        else:
            kept.append(file)
    return found, faults


def read_claims(*files: Path) -> Claims:
    """Read files of claims; raises DataError naming file, entry and key of the first fault."""
    systems: dict[tuple[str, str], str] = {}
    orderings: list[OrderingClaim] = []
    facts: list[SizeClaim] = []
    cells: list[CellSystems] = []
    for file in files:
        name = f"references/{file.name}"
        content = read_toml(file, largest=_MAX_BYTES, where=name)
        for table in content:
            if table not in _TABLES:
                allowed = ", ".join(_TABLES)
                raise DataError(f"{name}: no such table [[{table}]]; allowed: {allowed}")
        for entry in _read_entries(content, "systems", name, _SYSTEM_KEYS):
            for label, system in entry["labels"].items():
                systems[entry["paper"], label] = system
        for entry in _read_entries(content, "cells", name, _CELL_KEYS):
            cells.append(CellSystems(**entry))
        for entry in _read_entries(content, "orderings", name, _ORDERING_KEYS):
            orderings.append(OrderingClaim(**entry))
        for entry in _read_entries(content, "facts", name, _FACT_KEYS):
            facts.append(SizeClaim(**entry))
    _check_distinct_ids(orderings)
    return Claims(systems, tuple(orderings), tuple(facts), tuple(cells))


def _read_entries(
    content: Mapping[str, Any], table: str, file_name: str, keys: Sequence[CardKey]
) -> list[dict[str, Any]]:
    """Return the checked entries of one array of tables."""
    entries = []
    for number, entry in enumerate(content.get(table, []), start=1):
        place = CardPlace(f"{file_name}: {table} {number}", DataError)
        if not isinstance(entry, dict):
            raise DataError(f"{place.file}: is no table [[{table}]]")
        entries.append(read_values(entry, keys, place))
    return entries


def _check_distinct_ids(orderings: Sequence[OrderingClaim]) -> None:
    seen: set[str] = set()
    for ordering in orderings:
        if ordering.id in seen:
            raise DataError(
                f"references/claims.toml: two orderings are called {ordering.id!r}; rename one"
            )
        seen.add(ordering.id)
