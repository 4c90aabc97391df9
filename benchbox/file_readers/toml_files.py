"""TOML of strangers: depth and digits bounded."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from benchbox.errors import BenchboxError, DataError

from . import bounds
from .regular_files import library_faults, read_text


def read_toml(
    path: Path, *, largest: int, fault: type[BenchboxError] = DataError, where: object = ""
) -> dict[str, Any]:
    """Read a TOML file; raises `fault`, whose message begins with `where`, else with the path."""
    text = read_text(path, largest, fault)
    where = where or path
    with library_faults(where, "TOML", fault, advice="mend it"):
        try:
            found = tomllib.loads(text)
        except RecursionError:
            raise ValueError("lists within lists without end") from None
        _check_values(found)
    return found


def _check_values(table: dict[str, Any]) -> None:
    """Walk without recursion: dotted keys nest as deep as the file is long."""
    level: list[Any] = [table]
    for _ in range(bounds.DEEPEST_TABLE):
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                below += value.values()
            elif isinstance(value, list):
                below += value
            else:
                _check_number(value)
        if not below:
            return
        level = below
    raise ValueError(f"tables within tables, more than {bounds.DEEPEST_TABLE} deep")


def _check_number(value: object) -> None:
    if isinstance(value, int) and abs(value) > bounds.LARGEST_INTEGER:
        raise ValueError("a whole number beyond 64 bits")
