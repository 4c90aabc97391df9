"""Picture files to RGB arrays, with every silent conversion made explicit.

* The format is what the bytes say, not what the suffix says: PNGs named .jpg occur.
* EXIF orientation is ignored here: points of public sets were drawn on the pixels as stored, and a
  rotated picture would not fit them; of one's own pictures `datasets.picture_turns` decides it.
* Grey becomes three equal channels, alpha is dropped, 16 bits become 8, palettes and CMYK become
  RGB, of an animation the first frame is taken, and the order is RGB. `unusual_mode` names what
  loses something by it.
* Width and height are read from the header first, so that a small file cannot unfold into all of
  the memory; a file that stops early is refused, since decoders fill the rest with grey.
"""

from __future__ import annotations

import io
import struct
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from benchbox.errors import DataError
from benchbox.file_readers.bounds import LARGEST_PICTURE, LARGEST_PICTURE_FILE
from benchbox.file_readers.regular_files import open_file, read_bytes, stat_file

if TYPE_CHECKING:
    from benchbox.types import Bytes

_TAIL = 4096  # bytes
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_END = b"IEND"
_JPEG = b"\xff\xd8\xff"
_JPEG_END = b"\xff\xd9"
_JPEG_SCAN = b"\xff\xda"
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # start-of-frame markers: they hold the size
_WITH_ALPHA = (4, 6)  # colour types of PNG
_CMYK_CHANNELS = 4
_BARE = {0x01, *range(0xD0, 0xD8)}  # markers without a length


def decode_picture(path: Path) -> Bytes:
    """Decode a PNG or JPEG file to RGB (H, W, 3) uint8, as stored.

    Raises
    ------
    DataError
        The file is absent, too large, truncated, or no such picture; names file and reason.
    """
    import cv2

    raw = read_bytes(path, LARGEST_PICTURE_FILE)
    width, height = _read_size(io.BytesIO(raw), path)
    if width * height > LARGEST_PICTURE:
        raise DataError(
            f"{path}: {width} x {height} pixels are more than {LARGEST_PICTURE}; "
            "shrink it or leave it out"
        )
    if not _holds_end_marker(raw):
        raise DataError(f"{path}: the picture stops before its end marker; fetch it again")
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        bgr = cv2.imdecode(np.frombuffer(raw, np.uint8), flags)
    except cv2.error as error:
        raise DataError(f"{path}: cannot be decoded ({error.err})") from error
    if bgr is None or bgr.shape != (height, width, 3):
        raise DataError(f"{path}: cannot be decoded; fetch it again")
    rgb: Bytes = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
    return rgb


def picture_size(path: Path) -> tuple[int, int]:
    """Return (width, height) in pixels, from the header alone.

    Raises
    ------
    DataError
        The file is absent, no PNG or JPEG, or its header is broken.
    """
    with _open_file(path) as file:
        return _read_size(file, path)


def has_sixteen_bits(path: Path) -> bool:
    """Say whether a file is a PNG of 16 bits a channel, from its header alone.

    Raises
    ------
    DataError
        The file is not there.
    """
    with _open_file(path) as file:
        header = file.read(26)
    return header.startswith(_PNG) and len(header) == 26 and header[24] == 16


def unusual_mode(path: Path) -> str:
    """Say what of a picture file is not simply taken over, from its header; "" for nothing.

    Raises
    ------
    DataError
        The file is not there.
    """
    with _open_file(path) as file:
        start = file.read(26)
        try:
            if start.startswith(_PNG):
                return _unusual_png(file, start[25])
            if start.startswith(_JPEG) and _jpeg_frame(file)[2] == _CMYK_CHANNELS:
                return "CMYK, turned into RGB without a colour profile"
        except (struct.error, ValueError, IndexError):
            return ""  # whoever decodes it says so
    return ""


def _unusual_png(file: BinaryIO, colours: int) -> str:
    kinds = []
    file.seek(len(_PNG))
    while True:
        length, kind = struct.unpack(">I4s", file.read(8))
        if kind in (b"IDAT", _PNG_END):
            break
        kinds.append(kind)
        file.seek(length + 4, io.SEEK_CUR)
    if b"acTL" in kinds:
        return "animated, the first frame is taken"
    if colours in _WITH_ALPHA or b"tRNS" in kinds:
        return "with transparency, what lies beneath is taken"
    return ""


def file_cache_key(path: Path) -> str:
    """Return what changes when a file does, "length:time of its last change"; does not read it.

    Raises
    ------
    DataError
        The file is not there.
    """
    facts = stat_file(path)
    return f"{facts.st_size}:{facts.st_mtime_ns}"


def has_end_marker(path: Path) -> bool:
    """Say whether a picture file has its end marker; reads the file's end, decodes nothing.

    Raises
    ------
    DataError
        The file is not there.
    """
    with _open_file(path) as file:
        start = file.read(8)
        marker = _JPEG_END
        if start.startswith(_PNG):
            marker = _PNG_END
        file.seek(max(0, path.stat().st_size - _TAIL))
        # Junk may follow the marker: only a file without one near its end is read whole.
        if marker in file.read(_TAIL):
            return True
        file.seek(0)
        return _holds_end_marker(file.read(LARGEST_PICTURE_FILE))


def _open_file(path: Path) -> AbstractContextManager[BinaryIO]:
    return open_file(path, LARGEST_PICTURE_FILE)


def _holds_end_marker(raw: bytes) -> bool:
    if raw.startswith(_PNG):
        return _PNG_END in raw
    # Inside scan data 0xFF is always escaped, so the marker after the last start-of-scan is the
    # picture's own end.
    return raw.rfind(_JPEG_END) > raw.rfind(_JPEG_SCAN)


# --- headers --------------------------------------------------------------------------------------


def _read_size(file: BinaryIO, path: Path) -> tuple[int, int]:
    start = file.read(8)
    try:
        if start.startswith(_PNG):
            width, height = _png_size(file)
        elif start.startswith(_JPEG):
            width, height = _jpeg_size(file)
        else:
            raise DataError(
                f"{path}: is neither a PNG nor a JPEG picture (it begins with {start[:4]!r}); "
                "convert it to PNG"
            )
    except (struct.error, ValueError) as error:
        raise DataError(f"{path}: its header is broken; fetch the picture again") from error
    if not width or not height:
        raise DataError(f"{path}: is {width} x {height} pixels large; fetch the picture again")
    return width, height


def _png_size(file: BinaryIO) -> tuple[int, int]:
    """Return (width, height) of an open PNG file.

    >>> header = _PNG + struct.pack(">I4sII", 13, b"IHDR", 640, 480)
    >>> _png_size(io.BytesIO(header))
    (640, 480)
    """
    file.seek(8)
    _, kind, width, height = struct.unpack(">I4sII", file.read(16))
    if kind != b"IHDR":
        raise ValueError(kind)
    return width, height


def _jpeg_size(file: BinaryIO) -> tuple[int, int]:
    """Return (width, height) of an open JPEG file."""
    width, height, _ = _jpeg_frame(file)
    return width, height


def _jpeg_frame(file: BinaryIO) -> tuple[int, int, int]:
    """Return width, height and channels of an open JPEG file: of its first start of frame."""
    file.seek(2)
    while True:
        (lead, marker) = struct.unpack(">BB", file.read(2))
        if lead != 0xFF:
            raise ValueError(lead)
        while marker == 0xFF:  # fill bytes
            (marker,) = struct.unpack(">B", file.read(1))
        if marker in _BARE:
            continue
        (length,) = struct.unpack(">H", file.read(2))
        if marker in _FRAMES:
            _, height, width, channels = struct.unpack(">BHHB", file.read(6))
            return width, height, channels
        if marker in (0xD9, 0xDA) or length < 2:
            raise ValueError(marker)
        file.seek(length - 2, io.SEEK_CUR)
