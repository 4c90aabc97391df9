"""Read numbers as people write them, from an option, a card's name or a table.

Python's own `int` and `float` also take `1_5`, which is 15 to them and a slip to everybody else,
and digits of other scripts.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress


def parse_integer(text: str) -> int:
    """Read a whole number; raises ValueError for what is none.

    >>> parse_integer(" -3 ")
    -3
    >>> parse_integer("1_5")
    Traceback (most recent call last):
        ...
    ValueError: '1_5' is no whole number
    """
    try:
        _refuse_other_signs(text)
        return int(text)
    except ValueError as fault:
        raise ValueError(f"{text[:40]!r} is no whole number") from fault


def parse_number(text: str) -> float:
    """Read a number, NaN and infinity included; raises ValueError for what is none.

    >>> parse_number("1e-3")
    0.001
    >>> parse_number("1_5")
    Traceback (most recent call last):
        ...
    ValueError: '1_5' is no number
    """
    try:
        _refuse_other_signs(text)
        return float(text)
    except ValueError as fault:
        raise ValueError(f"{text[:40]!r} is no number") from fault


def is_number(text: str) -> bool:
    """Tell whether `parse_number` reads a text.

    >>> is_number("1e-3"), is_number("yaw")
    (True, False)
    """
    try:
        parse_number(text)
    except ValueError:
        return False
    return True


def parse_numbers(texts: Sequence[str]) -> list[float]:
    """Read a row of numbers, as `parse_number` reads one; fast where all are plain.

    >>> parse_numbers(["1.5", "-2"])
    [1.5, -2.0]
    >>> parse_numbers(["1.5", "1_5"])
    Traceback (most recent call last):
        ...
    ValueError: '1_5' is no number
    """
    together = "".join(texts)
    if "_" not in together and together.isascii():
        with suppress(ValueError):
            return [float(text) for text in texts]
    return [parse_number(text) for text in texts]


def _refuse_other_signs(text: str) -> None:
    if "_" in text or not text.isascii():
        raise ValueError("underscores, or digits of another script")
