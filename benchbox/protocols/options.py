"""What may follow a protocol's name after plus signs: `300w-full+box=ground_truth+labelled=0.1`.

A card offers values for keys; a chosen value is a field of the protocol, so it is part of the
card's hash and of the name under which results are kept. A value that is the card's own changes
nothing, not even the name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchbox import number_text
from benchbox.datasets.select import HOLDOUT
from benchbox.errors import ProtocolError
from benchbox.metrics.metric_names import is_further_error, is_task_metric
from benchbox.types import Protocol


@dataclass(frozen=True)
class Option:
    """One key: how its values are read, which are allowed, what it means to a newcomer."""

    parse: Callable[[str], Any]  # raises ValueError
    allowed: Callable[[Any], bool]
    meaning: str


def _finite_number(text: str) -> float:
    value = number_text.parse_number(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _is_fold_count(text: str) -> bool:
    return text == "cluster" or text in map(str, range(2, 100))


_HOLDOUT_SHARES = (0.1, 0.15, 0.2)
OPTIONS: Mapping[str, Option] = {
    "box": Option(str, bool, "another source of boxes"),
    "draw": Option(
        number_text.parse_integer,
        lambda draw: draw >= 0,
        "another draw of the labelled share, for repetitions",
    ),
    "extra": Option(str, bool, "pictures of another set join the training, without their labels"),
    "folds": Option(str, _is_fold_count, "so many folds of whole clusters, for quick trials"),
    "holdout": Option(
        _finite_number,
        lambda share: 0 <= share <= 0.5,
        "tested on this share of the training set, by whole photos or people: for choosing a "
        "recipe without a look at the test set",
    ),
    "labelled": Option(
        _finite_number,
        lambda share: 0 < share <= 1,
        "this share of the training set keeps its labels",
    ),
    "noise": Option(
        _finite_number,
        lambda noise_px: 0 <= noise_px <= 64,
        "training points moved at random, up to so many px on a 256-px face",
    ),
    "rotation": Option(
        _finite_number,
        lambda angle_deg: 0 <= angle_deg <= 180,
        "test pictures turned by so many degrees, left or right",
    ),
    "scale": Option(
        _finite_number, lambda ratio: 0 <= ratio <= 4, "test boxes extended by this ratio"
    ),
    "translation": Option(
        _finite_number,
        lambda share: 0 <= share <= 1,
        "test boxes moved by this share of their size, in any direction",
    ),
}


def format_value(value: Any) -> str:
    """Write a value as a name does.

    >>> format_value(0.05), format_value(3.0), format_value("ground_truth")
    ('0.05', '3', 'ground_truth')
    """
    if isinstance(value, float | int):
        return f"{value:g}"
    return str(value)


def offered_values(
    protocol: Protocol, choices: Mapping[str, Sequence[Any]]
) -> dict[str, tuple[str, ...]]:
    """Return key → values as names write them, the card's own among them.

    Raises ValueError for a value not allowed.
    """
    offered: dict[str, tuple[str, ...]] = {}
    for key, values in choices.items():
        if not values:
            continue
        texts = []
        for value in values:
            text = format_value(value)
            option = OPTIONS[key]
            if isinstance(value, bool) or not option.allowed(option.parse(text)):
                raise ValueError(key)
            texts.append(text)
        default = format_value(getattr(protocol, key))
        if default and default not in texts:
            texts.insert(0, default)
        offered[key] = tuple(texts)
    return offered


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
            keys = ", ".join(f"+{offered}=…" for offered in protocol.options)
            raise ProtocolError(f"{protocol.name}: no option {option!r}; allowed: {keys}")
        if value not in protocol.options[key]:
            allowed = ", ".join(f"+{key}={offered}" for offered in protocol.options[key])
            message = f"{protocol.name}: no option '+{option}'; allowed: {allowed}"
            if option == "box=own":
                message += "; +box=own goes with `benchbox run` of a method that has a detector"
            raise ProtocolError(message)
        if key in chosen:
            raise ProtocolError(f"{protocol.name}: the option {key!r} is given twice")
        chosen[key] = OPTIONS[key].parse(value)
    changed: dict[str, Any] = {}
    for key, value in sorted(chosen.items()):
        if getattr(protocol, key) != value:
            changed[key] = value
    if changed.get("draw") and changed.get("labelled", protocol.labelled) == 1:
        raise ProtocolError(
            f"{protocol.name}: +draw= needs +labelled=:"
            " there is nothing to draw where all are labelled"
        )
    if not changed:
        return protocol
    suffixes = [f"{key}={format_value(value)}" for key, value in changed.items()]
    varied = replace(protocol, name="+".join([protocol.name, *suffixes]), **changed)
    if varied.holdout:
        return _test_on_holdout(varied)
    return varied


def _test_on_holdout(protocol: Protocol) -> Protocol:
    """Put the hold-out in the test set's place; what compares groups of that one has none."""
    held_out = replace(
        protocol,
        title=f"{protocol.title}: hold-out of the training set",
        groups={HOLDOUT: (HOLDOUT,)},
        overall=HOLDOUT,
        test_expected=0,
        test_clusters=0,
    )
    kept = []
    for name in protocol.metrics:
        if is_task_metric(name, protocol.task) or is_further_error(name, held_out):
            kept.append(name)
    return replace(held_out, metrics=tuple(kept))


def holdout_shares(protocol: Protocol) -> tuple[float, ...]:
    """Return the shares that every card offers which trains on the dataset it tests on."""
    if protocol.folds or protocol.train_dataset or not protocol.train_parts:
        return ()
    return _HOLDOUT_SHARES


def describe_options(protocol: Protocol) -> list[str]:
    """Tell a newcomer what may be appended to the name, one line per key."""
    base = protocol.name.partition("+")[0]
    lines = []
    for key, values in protocol.options.items():
        current = format_value(getattr(protocol, key))
        others = [value for value in values if value != current]
        if others:
            lines.append(f"  or          {base}+{key}={'|'.join(others)}: {OPTIONS[key].meaning}")
    return lines
