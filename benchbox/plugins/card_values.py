"""Read the values of TOML cards: method cards, protocol cards and the claims of papers.

A card is described by a table of `CardKey`s: each has a name, a `ValueKind` (how its value is read
and what is allowed, in words) and perhaps a default. Whatever is wrong is raised in the words
"file: key: what is wrong; allowed: …", as the error class of the card's own room.

>>> place = CardPlace("mine.toml", ValueError)
>>> keys = [CardKey("name", TEXT), CardKey("folds", integer_from(2), default=5)]
>>> read_values({"name": "tiny"}, keys, place)
{'name': 'tiny', 'folds': 5}
>>> read_values({"name": "tiny", "folds": 1}, keys, place)
Traceback (most recent call last):
    ...
ValueError: mine.toml: folds: 1 is not allowed; allowed: a whole number from 2
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchbox.file_readers.bounds import LARGEST_INTEGER

_DEVICES = {"con", "prn", "aux", "nul"}
for _number_word in "0123456789":
    _DEVICES |= {f"com{_number_word}", f"lpt{_number_word}"}
_LONGEST_SHOWN = 120  # letters of a value or key in a message


@dataclass(frozen=True)
class ValueKind:
    """A kind of value: how it is read, and what is allowed, in words."""

    parse: Callable[[Any], Any]  # raises ValueError for a value that is not allowed
    allowed: str


class _Required:
    """The default of a key that a card must have."""


_REQUIRED = _Required()


class InnerValueError(ValueError):
    """What is wrong inside a table that is the value of a key."""


@dataclass(frozen=True)
class CardKey:
    """One key of a card."""

    name: str  # "title", "score.auc"
    kind: ValueKind
    allowed: str = ""  # in words, where the kind's own are too general
    target: str = ""  # what the value is called by who reads it; the last word of the name if ""
    default: Any = _REQUIRED  # what is returned where the card lacks the key

    @property
    def field(self) -> str:
        """Return the name under which `read_values` returns the value."""
        return self.target or self.name.rpartition(".")[2]

    @property
    def required(self) -> bool:
        """Tell whether a card must have it."""
        return self.default is _REQUIRED

    @property
    def words(self) -> str:
        """Say what is allowed."""
        return self.allowed or self.kind.allowed


@dataclass(frozen=True)
class CardPlace:
    """Where in which card values stand; makes the errors that name them."""

    file: str  # "…/method.toml", "references/claims.toml: orderings 1"
    error: Callable[[str], Exception]  # class of the errors
    section: str = ""  # "variants.big."

    def inside(self, section: str) -> CardPlace:
        """Return the place of a table in this one."""
        return replace(self, section=f"{self.section}{section}.")

    def fault(self, key: str, message: str) -> Exception:
        """Return the error that says what is wrong with a key."""
        return self.error(f"{self.file}: {self.section}{_shorten(key)}: {message}")

    def refusal(self, key: str, value: object, allowed: str) -> Exception:
        """Return the error for a value that is not allowed."""
        return self.fault(key, f"{_shorten(repr(value))} is not allowed; allowed: {allowed}")


def _shorten(text: str) -> str:
    """Cut what a message would otherwise drown in: a value may be as long as the file."""
    if len(text) <= _LONGEST_SHOWN:
        return text
    return f"{text[:_LONGEST_SHOWN]}…"


# --- reading --------------------------------------------------------------------------------------


def check_keys(table: Iterable[str], allowed: Iterable[str], place: CardPlace) -> None:
    """Raise the error of `place` for a key that is not allowed, with what may have been meant."""
    known = list(allowed)
    for key in table:
        if key in known:
            continue
        nearest = difflib.get_close_matches(key, known, n=1)
        suggestion = f"did you mean {nearest[0]}? " if nearest else ""
        raise place.fault(key, f"no such key; {suggestion}allowed: {', '.join(known) or 'none'}")


def read_values(
    table: Mapping[str, Any], keys: Sequence[CardKey], place: CardPlace
) -> dict[str, Any]:
    """Read a table whose keys are all described; return field → value, in the order of `keys`.

    Raises the error of `place` for the first key that is unknown, missing or not allowed; with the
    first that is missing it names all others.
    """
    check_keys(table, [key.name for key in keys], place)
    required = [key.name for key in keys if key.default is _REQUIRED]
    missing = [name for name in required if name not in table]
    return {key.field: read_value(table, key, place, missing) for key in keys}


def read_value(
    table: Mapping[str, Any], key: CardKey, place: CardPlace, missing: Sequence[str] = ()
) -> Any:
    """Read one key of a table; raises the error of `place` when it is missing or not allowed.

    `missing` names what the table lacks: a card is mended in one go.
    """
    if key.name not in table:
        if key.default is _REQUIRED:
            others = ", ".join(name for name in missing if name != key.name)
            besides = f"; missing besides: {others}" if others else ""
            raise place.fault(key.name, f"is missing; allowed: {key.words}{besides}")
        return key.default
    value = table[key.name]
    try:
        return key.kind.parse(value)
    except InnerValueError as fault:
        raise place.fault(key.name, str(fault)) from fault
    except ValueError as fault:
        raise place.refusal(key.name, value, key.words) from fault


# --- kinds of values ------------------------------------------------------------------------------


def _parse_text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("no text")
    return value


def _parse_switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("neither true nor false")
    return value


def _parse_number(value: Any) -> int | float:
    # bool is an int to Python, not to the writer of a card.
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("no number")
    return value


def _parse_table(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("no table")
    return value


def _parse_line(value: Any) -> str:
    # a line break would leave the row of a table, or the field of a citation
    return " ".join(_parse_text(value).split())


TEXT = ValueKind(_parse_text, "a text")
LINE = ValueKind(_parse_line, "a text")  # read as one line
SWITCH = ValueKind(_parse_switch, "true | false")
NUMBER = ValueKind(_parse_number, "a number")  # as it stands: an int stays one
TABLE = ValueKind(_parse_table, "a table")


def text_matching(pattern: re.Pattern[str], allowed: str) -> ValueKind:
    """Describe texts that match a pattern as a whole."""

    def parse(value: Any) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise ValueError(f"does not match {pattern.pattern}")
        return value

    return ValueKind(parse, allowed)


def is_portable_name(name: str) -> bool:
    """Tell whether every system can hold a file or folder of this name.

    Windows keeps the names of devices for itself, whatever follows a dot, and drops a dot at the
    end.

    >>> is_portable_name("conv"), is_portable_name("con"), is_portable_name("nul.v2")
    (True, False, False)
    """
    return name.partition(".")[0].lower() not in _DEVICES and not name.endswith((".", " "))


def portable_name(pattern: re.Pattern[str], allowed: str) -> ValueKind:
    """Describe names that match a pattern and that every system can hold as a folder's."""
    plain = text_matching(pattern, allowed)

    def parse(value: Any) -> str:
        name: str = plain.parse(value)
        if not is_portable_name(name):
            raise ValueError("no name that Windows can hold")
        return name

    return ValueKind(parse, f"{allowed}; no dot at the end, and not con, nul or another device")


def one_of(*choices: str) -> ValueKind:
    """Describe a text out of a few.

    >>> one_of("l1", "l2").allowed
    'l1 | l2'
    """

    def parse(value: Any) -> str:
        if not isinstance(value, str) or value not in choices:
            raise ValueError("none of the choices")
        return value

    return ValueKind(parse, " | ".join(choices))


def integer_from(least: int, most: int = LARGEST_INTEGER) -> ValueKind:
    """Describe whole numbers from `least`, up to `most`."""

    def parse(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError("no such whole number")
        return value

    upwards = f" to {most:,}" if most < LARGEST_INTEGER else ""
    return ValueKind(parse, f"a whole number from {least}{upwards}")


def number_where(test: Callable[[float], bool], allowed: str) -> ValueKind:
    """Describe finite numbers that pass a test; they are read as floats."""

    def parse(value: Any) -> float:
        number = float(_parse_number(value))
        if not math.isfinite(number) or not test(number):
            raise ValueError("out of range")
        return number

    return ValueKind(parse, allowed)


def list_of(kind: ValueKind, *, least: int = 0) -> ValueKind:
    """Describe lists of `least` or more values of one kind, each once; they are read as tuples.

    >>> list_of(one_of("photo", "video")).parse(["photo"])
    ('photo',)
    """

    def parse(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list) or len(value) < least:
            raise ValueError("no list, or too short")
        items = tuple(kind.parse(item) for item in value)
        if len(set(items)) < len(items):
            raise ValueError("a value stands there twice")
        return items

    return ValueKind(parse, f"a list of {kind.allowed}")


def table_of(keys: ValueKind, values: ValueKind, *, least: int = 0) -> ValueKind:
    """Describe tables whose keys are of one kind and values of another."""

    def parse(value: Any) -> dict[str, Any]:
        table = _parse_table(value)
        if len(table) < least:
            raise ValueError("too few entries")
        return {keys.parse(key): values.parse(item) for key, item in table.items()}

    return ValueKind(parse, f"a table: {keys.allowed} = {values.allowed}")


def table_with(make: Callable[..., Any], keys: Sequence[CardKey], allowed: str) -> ValueKind:
    """Describe tables with keys of their own; they are read as `make(field=value, …)`.

    What is wrong inside such a table is said by an `InnerValueError`.
    """

    def parse(value: Any) -> Any:
        place = CardPlace("inside", InnerValueError)
        try:
            return make(**read_values(_parse_table(value), keys, place))
        except InnerValueError as fault:
            raise InnerValueError(str(fault).removeprefix("inside: ")) from fault

    return ValueKind(parse, allowed)
