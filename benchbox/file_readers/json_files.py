"""JSON of strangers: nesting, count of values and digits bounded, no NaN, no half characters."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

from benchbox.errors import BenchboxError, DataError

from . import bounds
from .regular_files import library_faults, read_bytes, short_reason

_ESCAPE = re.compile(rb"\\.", re.DOTALL)
_QUOTED = re.compile(rb'"[^"]*"')
_BRACKETS = bytes.maketrans(b"{}", b"[]")
_NO_MARK = bytes(set(range(256)) - set(b'[]{}",'))
# digits or an exponent that may leave the range of a number, once every digit is a 0: looked for
# as plain bytes, in a fifth of the time that a pattern takes
_DIGITS = bytes.maketrans(b"123456789E", b"000000000e")
_SUSPECTS = (b"0" * 19, b"e000", b"e+000")
# half of a character
_HALF_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")


def read_json(
    path: Path,
    *,
    largest: int = bounds.LARGEST_JSON,
    fault: type[BenchboxError] = DataError,
    allow_nan: bool = False,
    advice: str = "fetch it again",
) -> Any:
    """Read a JSON file; raises `fault` with file and line.

    `allow_nan` takes the NaN and Infinity that Python writes, which are no JSON.
    """
    content = read_bytes(path, largest, fault)
    return parse_json(content, path, fault=fault, allow_nan=allow_nan, advice=advice)


def read_json_table(
    path: Path,
    *,
    largest: int = bounds.LARGEST_JSON,
    fault: type[BenchboxError] = DataError,
    advice: str = "fetch it again",
) -> dict[str, Any]:
    """Read a JSON file that holds a table, "{…}"; raises `fault`."""
    found = read_json(path, largest=largest, fault=fault, advice=advice)
    if not isinstance(found, dict):
        raise fault(f"{path}: holds no table (JSON object), but {type(found).__name__}; {advice}")
    return found


def parse_json(
    content: bytes | str,
    where: object,
    *,
    fault: type[BenchboxError] = DataError,
    allow_nan: bool = False,
    advice: str = "fetch it again",
) -> Any:
    """Parse JSON; raises `fault` that begins with `where`.

    >>> parse_json('{"a": [1, 2.5]}', "a.json")
    {'a': [1, 2.5]}
    >>> parse_json("[NaN]", "a.json")
    Traceback (most recent call last):
        ...
    benchbox.errors.DataError: a.json: is no JSON (NaN is no JSON number); fetch it again
    >>> parse_json("[" * 1000, "a.json")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    benchbox.errors.DataError: a.json: is no JSON (lists within lists, more than 64 deep); ...
    """
    raw = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    with library_faults(where, "JSON", fault, advice):
        _check_structure(raw)
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise fault(f"{where}: is not a text in UTF-8 (byte {error.start})") from error
        hooks: dict[str, Any] = {}
        digits = raw.translate(_DIGITS)
        if any(suspect in digits for suspect in _SUSPECTS):
            hooks = {"parse_int": _parse_integer, "parse_float": _parse_finite}
        if not allow_nan:
            hooks["parse_constant"] = _refuse_constant
        try:
            found = json.loads(text, **hooks)
        except json.JSONDecodeError as error:
            raise fault(
                f"{where}:{error.lineno}: is no JSON ({short_reason(error)}); {advice}"
            ) from error
        if _HALF_CHARACTER.search(text):
            _check_characters(found)
    return found


def _check_structure(raw: bytes) -> None:
    """Count what will be made, and how deep, before the parser makes it."""
    marks = raw
    if b"\\" in marks:
        marks = _ESCAPE.sub(b"", marks)
    # strings without a mark first: a pattern would make an object of each
    marks = _QUOTED.sub(b"", marks.translate(None, _NO_MARK).replace(b'""', b""))
    if marks.count(b",") > bounds.MOST_JSON_VALUES:
        raise ValueError(f"more than {bounds.MOST_JSON_VALUES} values")
    brackets = marks.translate(_BRACKETS, b',"')
    if brackets.count(b"[") > bounds.MOST_CONTAINERS:
        raise ValueError(f"more than {bounds.MOST_CONTAINERS} lists and tables")
    for _ in range(bounds.DEEPEST_NESTING):
        brackets = brackets.replace(b"[]", b"")  # the innermost of each
    if b"[]" in brackets or b"[" * bounds.DEEPEST_NESTING in brackets:
        raise ValueError(f"lists within lists, more than {bounds.DEEPEST_NESTING} deep")


def _parse_integer(digits: str) -> int:
    if len(digits) > 20 or abs(int(digits)) > bounds.LARGEST_INTEGER:
        raise ValueError(f"a whole number of {len(digits)} digits, beyond 64 bits")
    return int(digits)


def _parse_finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits[:40]} is beyond the range of numbers")
    return number


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _check_characters(found: Any) -> None:
    try:
        json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("a text holds half of a character (a lone surrogate)") from None
