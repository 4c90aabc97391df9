"""Weights that are a few arrays: a safetensors file without torch, whole or not there, checked.

For methods that need no network. The facts and the checksum of the arrays are one entry of the
header: several would stand in an order of chance, and equal weights would differ in bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from benchbox.atomic_write import replace_when_done
from benchbox.errors import ResultError
from benchbox.file_readers.json_files import parse_json
from benchbox.file_readers.regular_files import library_faults
from benchbox.file_readers.weight_files import check_safetensors

_FACTS_KEY = "facts"
_CHECKSUM = "arrays_sha256"  # among the facts
_AGAIN = "run again with --fresh"

Arrays = Mapping[str, np.ndarray[Any, Any]]


def save_arrays(path: Path, arrays: Arrays, facts: Mapping[str, str] | None = None) -> None:
    """Write arrays and a few facts about them, atomically; equal ones give equal bytes."""
    header = json.dumps({**(facts or {}), _CHECKSUM: _hash_arrays(arrays)}, sort_keys=True)
    # safetensors writes an array's memory as it lies: one in Fortran's order would come back mixed.
    in_order = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    with replace_when_done(path) as beside:
        save_file(in_order, beside, metadata={_FACTS_KEY: header})


def load_arrays(path: Path) -> tuple[dict[str, np.ndarray[Any, Any]], dict[str, str]]:
    """Read arrays and facts; raises ResultError when the file is missing or damaged.

    Files that earlier versions wrote have an entry per fact and no checksum.
    """
    facts = check_safetensors(path, ResultError, _AGAIN)
    with library_faults(path, "whole safetensors file", ResultError, _AGAIN):
        arrays = load_file(path)
    if _FACTS_KEY in facts:
        facts = parse_json(facts[_FACTS_KEY], path, fault=ResultError, advice=_AGAIN)
        if not isinstance(facts, dict):
            raise ResultError(f"{path}: its facts are no table; {_AGAIN}")
    recorded = facts.pop(_CHECKSUM, None)
    if recorded is not None and recorded != _hash_arrays(arrays):
        raise ResultError(
            f"{path}: damaged weights, they are not those that were saved; run again with --fresh"
        )
    return arrays, facts


def _hash_arrays(arrays: Arrays) -> str:
    """Hash names, types, shapes and bytes of arrays, in the order of their names."""
    total = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        total.update(f"{name} {array.dtype.str} {list(array.shape)}\n".encode())
        total.update(array.tobytes())
    return total.hexdigest()
