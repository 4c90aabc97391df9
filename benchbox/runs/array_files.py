"""Arrays on disk as compressed `.npz`: every reader of NumPy opens them.

Compressed bytes differ between builds of a compressor, so no digest is taken of them. The digest of
such a file is that of its content in one canonical form: the arrays in their order, each a `.npy`
of version 1.0, in a zip that stores them uncompressed under a fixed date. Files that earlier
versions wrote are in that form on disk, so the digests in their records stay what they were.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from benchbox.atomic_write import replace_when_done
from benchbox.errors import ResultError
from benchbox.file_readers.numpy_files import open_npz

if TYPE_CHECKING:
    from typing import Literal

    Packing = Literal["small", "fast"]

_EPOCH = (1980, 1, 1, 0, 0, 0)
# LZMA takes an eighth off coordinates and is read at 20 MB/s, DEFLATE at 200 MB/s.
_METHODS = {"small": zipfile.ZIP_LZMA, "fast": zipfile.ZIP_DEFLATED}


def write_npz(path: Path, columns: Mapping[str, np.ndarray], packing: Packing = "small") -> None:
    """Write arrays atomically; raises ResultError when the file cannot be written."""
    try:
        with replace_when_done(path) as beside:
            _write_archive(beside, columns, _METHODS[packing])
    except OSError as fault:
        raise ResultError(f"{path}: cannot be written: {fault.strerror or fault}") from fault


def hash_content(path: Path) -> str:
    """Hash the arrays of a file that benchbox wrote, "sha256:…", however they are packed.

    Raises ResultError for a file that is damaged or unpacks beyond the bounds.
    """
    canonical = io.BytesIO()
    with open_npz(path, fault=ResultError) as arrays:
        _write_archive(canonical, arrays, zipfile.ZIP_STORED)
    return f"sha256:{hashlib.sha256(canonical.getbuffer()).hexdigest()}"


def _write_archive(
    target: Path | IO[bytes], columns: Mapping[str, np.ndarray], method: int
) -> None:
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, column in columns.items():
            member = zipfile.ZipInfo(f"{name}.npy", date_time=_EPOCH)
            member.create_system = 3
            member.external_attr = 0o644 << 16
            member.compress_type = method
            content = io.BytesIO()
            np.lib.format.write_array(content, column, version=(1, 0), allow_pickle=False)
            archive.writestr(member, content.getvalue())
