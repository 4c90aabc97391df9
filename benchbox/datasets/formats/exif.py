"""The orientation that a picture file asks for: one number of its EXIF data, read with suspicion.

Public sets are read as stored, since their points were. A camera held upright stores pixels turned
and writes how they are meant to be seen; a labelling tool may show, and have its points counted on,
the turned picture: `datasets.picture_turns` decides it for pictures of one's own.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from benchbox.file_readers.bounds import LARGEST_PICTURE_FILE
from benchbox.file_readers.regular_files import open_file

if TYPE_CHECKING:
    from benchbox.types import Bytes, Floats

UPRIGHT = 1
# EXIF orientation → degrees clockwise by which the stored picture is turned to be seen; the
# mirrored ones (2, 4, 5, 7) are written by no camera
TURN_DEG = {3: 180, 6: 90, 8: 270}
MIRRORED = (2, 4, 5, 7)
SIDEWAYS = (5, 6, 7, 8)  # width and height change places
_LARGEST_SEGMENT = 1 << 16  # bytes
_ORIENTATION = 0x0112


def read_orientation(path: Path) -> int:
    """Return the EXIF orientation of a JPEG or PNG file, 1 … 8; 1 where it says none.

    Raises
    ------
    DataError
        The file cannot be opened.
    """
    with open_file(path, LARGEST_PICTURE_FILE) as file:
        start = file.read(2)
        if start == b"\xff\xd8":
            block = _find_jpeg_block(file)
        elif start == b"\x89P":
            block = _find_png_block(file)
        else:
            block = b""
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


# --- turning --------------------------------------------------------------------------------------


def turn_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Return (width, height) of the picture as it is meant to be seen.

    >>> turn_size((640, 480), 6), turn_size((640, 480), 3)
    ((480, 640), (640, 480))
    """
    if orientation in SIDEWAYS:
        return size[1], size[0]
    return size


def turn_pixels(pixels: Bytes, orientation: int) -> Bytes:
    """Return stored pixels (H, W, …) as they are meant to be seen.

    >>> turn_pixels(np.array([[1, 2, 3], [4, 5, 6]]), 6).tolist()  # a quarter turn clockwise
    [[4, 1], [5, 2], [6, 3]]
    """
    turned = pixels
    if orientation in SIDEWAYS:
        turned = turned.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        turned = turned[:, ::-1]
    if orientation in (3, 4, 7, 8):
        turned = turned[::-1]
    return turned


def turn_points(points: Floats, orientation: int, stored: tuple[int, int]) -> Floats:
    """Move points (…, 2), pixel frame, from the stored picture to the one that is meant.

    `stored` is the width and height of the stored picture.

    >>> pixels = np.arange(6).reshape(2, 3)
    >>> [turn_points(np.array([2.0, 0.0]), turn, (3, 2)).tolist() for turn in (3, 6, 8)]
    [[0.0, 1.0], [1.0, 2.0], [0.0, 0.0]]
    >>> turn_pixels(pixels, 6)[2, 1] == pixels[0, 2]
    np.True_
    """
    turned = np.array(points, np.float64)
    if orientation in SIDEWAYS:
        turned = turned[..., ::-1].copy()
    width, height = turn_size(stored, orientation)
    if orientation in (2, 3, 6, 7):
        turned[..., 0] = width - 1 - turned[..., 0]
    if orientation in (3, 4, 7, 8):
        turned[..., 1] = height - 1 - turned[..., 1]
    return turned


def unturn_points(points: Floats, orientation: int, stored: tuple[int, int]) -> Floats:
    """Move points (…, 2), pixel frame, from the picture that is meant to the stored one.

    >>> moved = turn_points(np.array([[5.0, 7.0]]), 6, (30, 20))
    >>> unturn_points(moved, 6, (30, 20)).tolist()
    [[5.0, 7.0]]
    """
    back = {6: 8, 8: 6}.get(orientation, orientation)
    return turn_points(points, back, turn_size(stored, orientation))
