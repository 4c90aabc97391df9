"""The orientation that a picture file asks for: one number of its EXIF data, read with suspicion.

benchbox reads pixels as stored. A camera held upright stores them turned and writes how they are
meant to be seen; a labelling tool may show, and have its points counted on, the turned picture.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

from benchbox.errors import DataError

UPRIGHT = 1
# EXIF orientation → degrees clockwise by which the stored picture is turned to be seen; the
# mirrored ones (2, 4, 5, 7) are written by no camera
TURN_DEG = {3: 180, 6: 90, 8: 270}
_LARGEST_SEGMENT = 1 << 16  # bytes
_ORIENTATION = 0x0112


def read_orientation(path: Path) -> int:
    """Return the EXIF orientation of a JPEG or PNG file, 1 … 8; 1 where it says none.

    Raises
    ------
    DataError
        The file cannot be opened.
    """
    try:
        with path.open("rb") as file:
            start = file.read(2)
            if start == b"\xff\xd8":
                block = _find_jpeg_block(file)
            elif start == b"\x89P":
                block = _find_png_block(file)
            else:
                block = b""
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    return parse_orientation(block)


def _find_jpeg_block(file: BinaryIO) -> bytes:
    """Return the TIFF block of the first Exif segment before the scan, b"" without one."""
    while True:
        head = file.read(4)
        if len(head) < 4 or head[0] != 0xFF or head[1] in (0xD9, 0xDA):
            return b""
        (length,) = struct.unpack(">H", head[2:])
        content = file.read(max(length - 2, 0))
        if head[1] == 0xE1 and content.startswith(b"Exif\0\0"):
            return content[6:]


def _find_png_block(file: BinaryIO) -> bytes:
    file.seek(8)
    while True:
        head = file.read(8)
        if len(head) < 8 or head[4:] == b"IEND":
            return b""
        (length,) = struct.unpack(">I", head[:4])
        if head[4:] == b"eXIf":
            return file.read(min(length, _LARGEST_SEGMENT))
        file.seek(length + 4, 1)


def parse_orientation(block: bytes) -> int:
    r"""Return the orientation of a TIFF block, 1 where it holds none or is broken.

    Examples
    --------
    >>> entry = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)
    >>> parse_orientation(b"II*\0" + struct.pack("<IH", 8, 1) + entry)
    6
    >>> parse_orientation(b"II*\0")
    1
    """
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None:
        return UPRIGHT
    try:
        (start,) = struct.unpack_from(f"{order}I", block, 4)
        (count,) = struct.unpack_from(f"{order}H", block, start)
        for entry in range(count):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", block, start + 2 + 12 * entry)
            if tag == _ORIENTATION and UPRIGHT <= value <= 8:
                return int(value)
    except struct.error:
        return UPRIGHT
    return UPRIGHT
