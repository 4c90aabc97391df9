"""What may follow a protocol's name after plus signs: `300w-full+box=ground_truth`, `300w-full+draw=1+labelled=0.1`.

A card offers values for keys; a chosen value is a field of the protocol, so it is part of the
card's hash and of the name under which results are kept. A value that is the card's own changes
nothing, not even the name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchbox.errors import ProtocolError
from benchbox.types import Protocol


@dataclass(frozen=True)
class Option:
    """One key: how its values are read, which are allowed, what it means to a newcomer."""

    parse: Callable[[str], Any]  # raises ValueError
    allowed: Callable[[Any], bool]
    meaning: str


def _finite_number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


OPTIONS: Mapping[str, Option] = {
    "box": Option(str, bool, "another source of boxes"),
    "draw": Option(int, lambda v: v >= 0, "another draw of the labelled share, for repetitions"),
    "extra": Option(str, bool, "pictures of another set join the training, without their labels"),
    "folds": Option(
        str,
        lambda v: v == "cluster" or v in map(str, range(2, 100)),
        "so many folds of whole clusters, for quick trials",
    ),
    "labelled": Option(
        _finite_number, lambda v: 0 < v <= 1, "this share of the training set keeps its labels"
    ),
    "noise": Option(
        _finite_number,
        lambda v: 0 <= v <= 64,
        "training points moved at random, up to so many px on a 256-px face",
    ),
    "rotation": Option(
        _finite_number,
        lambda v: 0 <= v <= 180,
        "test pictures turned by so many degrees, left or right",
    ),
    "scale": Option(_finite_number, lambda v: 0 <= v <= 4, "test boxes extended by this ratio"),
    "translation": Option(
        _finite_number,
        lambda v: 0 <= v <= 1,
        "test boxes moved by this share of their size, in any direction",
    ),
}


def format_value(value: Any) -> str:
    """Write a value as a name does: 0.05, 3, ground_truth."""
    return f"{value:g}" if isinstance(value, float | int) else str(value)


def offered_values(
    protocol: Protocol, choices: Mapping[str, Sequence[Any]]
) -> dict[str, tuple[str, ...]]:
    """Return key → values as names write them, the card's own among them.

    Raises ValueError for a value not allowed.
    """
    found = {}
    for key, values in choices.items():
        texts = [format_value(value) for value in values]
        if any(
            isinstance(v, bool) or not OPTIONS[key].allowed(OPTIONS[key].parse(t))
            for v, t in zip(values, texts, strict=True)
        ):
            raise ValueError(key)
        own = format_value(getattr(protocol, key))
        if texts:
            found[key] = tuple(texts) if own in texts or not own else (own, *texts)
    return found


def apply_options(protocol: Protocol, options: Sequence[str]) -> Protocol:
    """Apply `key=value` options.

    Each changed one is appended to the name, in the order of their keys.

    The card's hash is left to the caller. Raises ProtocolError for what is not offered or makes no
    sense.
    """
    chosen: dict[str, Any] = {}
    for option in options:
        key, equals, value = option.partition("=")
        if key not in protocol.options or not equals:
            keys = ", ".join(f"+{k}=…" for k in protocol.options)
            raise ProtocolError(f"{protocol.name}: no option {option!r}; allowed: {keys}")
        if value not in protocol.options[key]:
            allowed = ", ".join(f"+{key}={v}" for v in protocol.options[key])
            raise ProtocolError(f"{protocol.name}: no option '+{option}'; allowed: {allowed}")
        if key in chosen:
            raise ProtocolError(f"{protocol.name}: the option {key!r} is given twice")
        chosen[key] = OPTIONS[key].parse(value)
    changed = {
        key: value for key, value in sorted(chosen.items()) if getattr(protocol, key) != value
    }
    if changed.get("draw") and changed.get("labelled", protocol.labelled) == 1:
        raise ProtocolError(
            f"{protocol.name}: +draw= needs +labelled=: there is nothing to draw where all are labelled"
        )
    if not changed:
        return protocol
    name = "+".join(
        [protocol.name, *(f"{key}={format_value(value)}" for key, value in changed.items())]
    )
    return replace(protocol, name=name, **changed)


def describe_options(protocol: Protocol) -> list[str]:
    """Tell a newcomer what may be appended to the name, one line per key."""
    base = protocol.name.partition("+")[0]
    lines = []
    for key, values in protocol.options.items():
        others = [value for value in values if value != format_value(getattr(protocol, key))]
        if others:
            lines.append(f"  or          {base}+{key}={'|'.join(others)}: {OPTIONS[key].meaning}")
    return lines
