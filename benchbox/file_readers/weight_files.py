"""Weights of strangers: safetensors, tensors of torch.save, networks in ONNX."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

from benchbox.errors import BenchboxError, DataError

from . import bounds
from .json_files import parse_json
from .regular_files import check_file, library_faults, open_file

_LARGEST_FACTS = 16 * bounds.MIB
_KIND = "whole safetensors file"
_FACTS = "__metadata__"


def check_weights(path: Path, fault: type[BenchboxError] = DataError) -> int:
    """Return the size of a file of weights; raises `fault` as `check_file`."""
    return check_file(path, bounds.LARGEST_WEIGHTS, fault)


def check_safetensors(
    path: Path, fault: type[BenchboxError] = DataError, advice: str = "fetch it again"
) -> dict[str, str]:
    """Read the header of a safetensors file and hold it against its size; return its facts.

    Raises `fault` for a file that is damaged, too large or none.
    """
    if not path.exists():
        raise fault(f"{path}: no weights here; {advice}")
    size = check_weights(path, fault)
    with open_file(path, bounds.LARGEST_WEIGHTS, fault) as stream:
        start = stream.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= min(_LARGEST_FACTS, size - 8):
            raise fault(f"{path}: is no {_KIND} (no header); {advice}")
        header = parse_json(stream.read(length), path, fault=fault, advice=advice)
    with library_faults(path, _KIND, fault, advice):
        facts = header.pop(_FACTS, {})
        for name, entry in header.items():
            first, last = entry["data_offsets"]
            if not 0 <= first <= last <= size - 8 - length:
                raise ValueError(f"{name[:40]}: {first} to {last} of {size - 8 - length} bytes")
        if not all(isinstance(value, str) for value in facts.values()):
            raise ValueError("facts that are no texts")
        return dict(facts)


def check_torch_archive(path: Path, fault: type[BenchboxError] = DataError) -> None:
    """Raise `fault` for a zip of torch.save whose members unpack to more than they are.

    torch stores them as they are; one that is packed was not written by it.
    """
    size = check_weights(path, fault)
    with library_faults(path, "file of torch.save", fault):
        if not zipfile.is_zipfile(path):  # of torch before 1.6: as large as it is
            return
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > size:
        raise fault(f"{path}: {size} bytes unpack to {unpacked}; torch.save packs nothing")
