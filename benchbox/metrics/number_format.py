"""Numbers, counts and intervals as tables and pages print them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchbox.types import Protocol, Score

_ITEMS = {"landmarks": "faces", "gaze2d": "frames", "gaze3d": "samples"}


def unit_word(unit: str) -> str:
    """Print a unit in a column head; a fraction has none.

    >>> unit_word("cm"), unit_word("1")
    ('cm', '')
    """
    return "" if unit == "1" else unit


def format_number(value: float | None, unit: str) -> str:
    """Print a measured value: two digits, three for a fraction; a dash for one that does not exist.

    >>> format_number(3.414, "%"), format_number(0.62149, "1"), format_number(None, "%")
    ('3.41', '0.621', '–')
    """
    if value is None or not math.isfinite(value):
        return "–"
    digits = 3 if unit == "1" else 2
    return f"{round(value, digits) + 0.0:.{digits}f}"  # adding zero: no "-0.000"


def format_count(count: float | None) -> str:
    """Print a count of parameters or operations; a count that was not measured is a dash.

    >>> format_count(48_496_768), format_count(950), format_count(None)
    ('48.5 M', '950', '–')
    """
    if count is None:
        return "–"
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:.3g} {letter}"
    return f"{count:.0f}"


def format_milliseconds(value: float | None) -> str:
    """Print a latency; one that was not measured is a dash."""
    return "–" if value is None else f"{value:.3g}"


def format_interval(score: Score) -> str:
    """Print a score's confidence interval, "" where there is none."""
    if score.low is None or score.high is None:
        return ""
    return f"{format_number(score.low, score.unit)}–{format_number(score.high, score.unit)}"


def item_plural(protocol: Protocol | None) -> str:
    """Name what a protocol tests on: one face of a gaze set is in many frames."""
    return "items" if protocol is None else _ITEMS[protocol.task]


def item_singular(protocol: Protocol) -> str:
    """Name one of what a protocol tests on."""
    return item_plural(protocol).removesuffix("s")


def percent_scale(unit: str) -> float:
    """Return the factor from a stored error to the printed number: fractions become per cent."""
    return 100.0 if unit == "%" else 1.0


def ced_limit(protocol: Protocol) -> float:
    """Return the error (a fraction) at which a CED of landmarks ends: the largest threshold."""
    return max((*protocol.auc, *protocol.fr), default=0.1)
