"""The elements of a MATLAB v5 file, walked before SciPy makes arrays of them.

A file is a header of 128 bytes and elements: a tag (type and length) and content; a variable is an
element `miMATRIX`, mostly inside one `miCOMPRESSED`. What is wrong raises ValueError; the reader
says of which file. Format: MathWorks, MAT-File Format, version 5.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from . import bounds

_HEADER = 128
_MATRIX, _COMPRESSED = 14, 15
# bytes of a value of each type of element
_WIDTHS = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8, 16: 1, 17: 2, 18: 4}
_CELL, _STRUCT, _OBJECT, _CHAR, _SPARSE = 1, 2, 3, 4, 5
_NUMBERS = range(6, 16)
_COMPLEX = 0x08
_HEAD_BYTES = 4096  # of a variable, in which its name stands
_MOST_AXES = 8


@dataclass
class _Counter:
    """How many elements were met so far."""

    left: int = bounds.MOST_MATLAB_ELEMENTS

    def take(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise ValueError(f"more than {bounds.MOST_MATLAB_ELEMENTS} cells and fields")


def list_variables(content: bytes) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of the variables; raises ValueError for no v5 file."""
    order = _byte_order(content)
    found = {}
    for kind, start, size in _top_elements(content, order):
        head = content[start : start + min(size, _HEAD_BYTES)]
        if kind == _COMPRESSED:
            head = zlib.decompressobj().decompress(content[start : start + size], _HEAD_BYTES)[8:]
        shape, name = _Walker(head, order, _Counter()).describe()
        found[name] = shape
    return found


def unpack_variables(
    content: bytes, names: Sequence[str] | None, largest: int = bounds.LARGEST_UNPACKED
) -> tuple[bytes, dict[str, tuple[int, ...]]]:
    """Return a v5 file of the named variables alone, unpacked and walked, and their shapes.

    All variables where `names` is None, `largest` bytes of them at most. Raises ValueError for what
    is no such file or beyond the bounds.
    """
    order = _byte_order(content)
    # the subsystem's offset would point to where nothing is any more
    parts = [content[:116], b"\0" * 8, content[124:_HEADER]]
    bound = bounds.unpacked_bound(len(content), largest)
    allowed = bound
    counter = _Counter()
    found = {}
    for kind, start, size in _top_elements(content, order):
        matrix = content[start : start + size]
        if kind == _COMPRESSED:
            head = zlib.decompressobj().decompress(matrix, _HEAD_BYTES)[8:]
        else:
            head = matrix[:_HEAD_BYTES]
        shape, name = _Walker(head, order, _Counter()).describe()
        if names is not None and name not in names:
            continue
        if kind == _COMPRESSED:
            matrix = _inflate(matrix, order, allowed)
        allowed -= len(matrix)
        if allowed < 0:
            raise ValueError(f"unpacks to more than {bound} bytes")
        _Walker(matrix, order, counter).walk()
        parts += [struct.pack(f"{order}II", _MATRIX, len(matrix)), matrix]
        found[name] = shape
    return b"".join(parts), found


def _byte_order(content: bytes) -> str:
    if len(content) < _HEADER:
        raise ValueError(f"{len(content)} bytes, a header alone has {_HEADER}")
    order = {b"IM": "<", b"MI": ">"}.get(content[126:128])
    if order is None or struct.unpack_from(f"{order}H", content, 124)[0] != 0x0100:
        raise ValueError("its header names no version 5")
    return order


def _top_elements(content: bytes, order: str) -> Iterator[tuple[int, int, int]]:
    """Yield type, start and size of each variable's element."""
    position = _HEADER
    while position + 8 <= len(content):
        kind, size = struct.unpack_from(f"{order}II", content, position)
        position += 8
        if kind not in (_MATRIX, _COMPRESSED):
            raise ValueError(f"an element of type {kind} where a variable belongs")
        if size > len(content) - position:
            raise ValueError(f"a variable of {size} bytes, {len(content) - position} are left")
        yield kind, position, size
        position += size


def _inflate(packed: bytes, order: str, allowed: int) -> bytes:
    """Return the content of the matrix inside a packed element."""
    begin = zlib.decompressobj().decompress(packed, 8)
    if len(begin) == 8 and struct.unpack_from(f"{order}I", begin, 4)[0] > allowed:
        raise ValueError(f"a variable unpacks to more than {allowed} bytes")
    stream = zlib.decompressobj()
    plain = stream.decompress(packed, allowed + 9)
    if len(plain) > allowed + 8:
        raise ValueError(f"a variable unpacks to more than {allowed} bytes")
    if not stream.eof:
        raise ValueError("a packed variable is cut short")
    if len(plain) < 8:
        raise ValueError("a packed variable of no bytes")
    kind, size = struct.unpack_from(f"{order}II", plain)
    if kind != _MATRIX or size > len(plain) - 8:
        raise ValueError("a packed variable that is cut short")
    return plain[8 : 8 + size]


class _Walker:
    """Walks the content of one matrix and everything inside it, making nothing."""

    def __init__(self, content: bytes, order: str, counter: _Counter) -> None:
        self.content, self.order, self.counter = content, order, counter
        self.position = 0

    def describe(self) -> tuple[tuple[int, ...], str]:
        """Read the head of the matrix; return shape and name."""
        _, shape, name = self._head(len(self.content))
        return shape, name

    def walk(self) -> None:
        """Walk the whole content; raises ValueError for what does not fit together."""
        self._matrix(len(self.content), 0)

    def _tag(self, end: int) -> tuple[int, int, int, int]:
        """Return type, start, size of the next element, and where the one after it begins."""
        if end - self.position < 8:
            raise ValueError("cut short inside a variable")
        first, second = struct.unpack_from(f"{self.order}II", self.content, self.position)
        if first >> 16:  # a small one: its size is the upper half
            kind, size, start = first & 0xFFFF, first >> 16, self.position + 4
            following = self.position + 8
            if size > 4:
                raise ValueError(f"a small element of {size} bytes")
        else:
            kind, size, start = first, second, self.position + 8
            following = start + size + (-size % 8)
        if start + size > end:
            raise ValueError(f"an element of {size} bytes, {end - start} are left")
        return kind, start, size, min(following, end)

    def _plain(self, end: int) -> tuple[int, bytes]:
        """Return type and bytes of the next element, which holds plain values."""
        kind, start, size, self.position = self._tag(end)
        if kind not in _WIDTHS:
            raise ValueError(f"an element of type {kind} where values belong")
        return kind, self.content[start : start + size]

    def _head(self, end: int) -> tuple[int, tuple[int, ...], str]:
        """Return flags, shape and name of a matrix."""
        _, flags = self._plain(end)
        kind, axes = self._plain(end)
        _, name = self._plain(end)
        if len(flags) != 8 or kind != 5 or len(axes) % 4 or not 8 <= len(axes) <= 4 * _MOST_AXES:
            raise ValueError("a variable without type or shape")
        shape = struct.unpack(f"{self.order}{len(axes) // 4}i", axes)
        if min(shape) < 0:
            raise ValueError(f"the shape {shape}")
        return struct.unpack_from(f"{self.order}I", flags)[0], shape, name.decode("latin-1")

    def _matrix(self, end: int, depth: int) -> None:
        if depth > bounds.DEEPEST_TABLE:
            raise ValueError(f"cells within cells, more than {bounds.DEEPEST_TABLE} deep")
        flags, shape, _ = self._head(end)
        kind, count = flags & 0xFF, math.prod(shape)
        if kind == _CELL:
            self._matrices(count, end, depth)
        elif kind in (_STRUCT, _OBJECT):
            if kind == _OBJECT:
                self._plain(end)
            self._matrices(count * self._field_count(end), end, depth)
        elif kind == _CHAR or kind in _NUMBERS:
            self._values(count, end)
            if flags >> 8 & _COMPLEX:
                self._values(count, end)
        else:
            raise ValueError(f"a variable of class {kind} (sparse, function, table), which is not")
        self.position = end

    def _field_count(self, end: int) -> int:
        _, length = self._plain(end)
        _, names = self._plain(end)
        width = struct.unpack(f"{self.order}i", length)[0] if len(length) == 4 else 0
        if not 0 < width <= 256:
            raise ValueError("a struct whose fields have no names")
        return len(names) // width

    def _matrices(self, count: int, end: int, depth: int) -> None:
        if count > (end - self.position) // 8:
            raise ValueError(f"{count} cells in {end - self.position} bytes")
        self.counter.take(count)
        for _ in range(count):
            kind, start, size, following = self._tag(end)
            if kind != _MATRIX:
                raise ValueError(f"an element of type {kind} where a cell belongs")
            self.position = start
            if size:
                self._matrix(start + size, depth + 1)
            self.position = following

    def _values(self, count: int, end: int) -> None:
        kind, values = self._plain(end)
        # a text in UTF-8 has more bytes than characters, an empty one none at all
        if count > len(values) // _WIDTHS[kind]:
            raise ValueError(f"{count} values in {len(values)} bytes")
