"""A face that a program found, before it is known which annotated face it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from benchbox.errors import ResultError
from benchbox.file_readers.csv_files import open_csv
from benchbox.number_text import parse_integer

if TYPE_CHECKING:
    from benchbox.types import Floats


@dataclass(frozen=True, eq=False)
class FoundFace:
    """One detection, or one row that names its item."""

    points: Floats  # (K, 2) in the writer's frame; NaN where a point has no answer
    image: str = ""  # the picture's name; "" where `item` says which face it is
    item: str = ""  # the id of the test item
    number: int = 0  # which annotated face of the picture, from 1; 0: by overlap


@dataclass(frozen=True, eq=False)
class FoundFaces:
    """What a file holds."""

    faces: Sequence[FoundFace]
    origin: float | None = None  # that the writer fixes; None: see `origin_reason`
    origin_reason: str = ""
    in_own_frame: bool = False  # of the annotations, as benchbox's own files are
    layout: str = ""  # that the writer fixes; "": by the number of points
    notes: Sequence[str] = field(default_factory=tuple)
    shares: bool = False  # points were shares of the picture, times its width and height


@dataclass(frozen=True)
class Hints:
    """What a person says of a file of predictions; "" or None is not said."""

    origin: float | None = None
    layout: str = ""  # a layout, or a map to the layout of the card
    field: str = ""  # which of several things a file holds
    frames: Path | None = None  # a CSV frame,image
    sizes: Path | None = None  # a CSV image,width,height
    names: Path | None = None  # a text: the item of each row
    missing_failed: bool = False  # items without a prediction count as failed

    @property
    def words(self) -> list[str]:
        """Return the options as they are typed, word by word, for the record."""
        words = []
        if self.origin is not None:
            words += ["--origin", f"{self.origin:g}"]
        for key in ("layout", "field"):
            if getattr(self, key):
                words += [f"--{key}", str(getattr(self, key))]
        for key in ("frames", "sizes", "names"):
            if getattr(self, key) is not None:
                words += [f"--{key}", str(getattr(self, key).name)]
        if self.missing_failed:
            words += ["--missing", "failed"]
        return words


NO_HINTS = Hints()


def read_frame_names(path: Path | None, where: str) -> Mapping[int, str]:
    """Read which picture a frame is; raises ResultError when nobody said."""
    if path is None:
        raise ResultError(
            f"{where}: frames carry no picture's name: say --frames FILE, a CSV with frame,image"
        )
    names = {}
    for row in read_rows(path):
        try:
            names[parse_integer(row["frame"])] = row["image"]
        except (KeyError, ValueError) as fault:
            raise ResultError(f"{path}: needs the columns frame,image") from fault
    return names


def read_sizes(path: Path) -> Mapping[str, tuple[int, int]]:
    """Read width and height of pictures; raises ResultError."""
    sizes = {}
    for row in read_rows(path):
        try:
            sizes[row["image"]] = (parse_integer(row["width"]), parse_integer(row["height"]))
        except (KeyError, ValueError) as fault:
            raise ResultError(f"{path}: needs the columns image,width,height") from fault
    return sizes


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read a CSV with a header; blanks about names and cells are taken off.

    Raises DataError for what is no text, ResultError for a row of another length.
    """
    rows = []
    with open_csv(path) as lines:
        header = [name.strip() for name in next(lines, [])]
        for cells in lines:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                raise ResultError(
                    f"{path}:{lines.line_num}: {len(cells)} cells, the header names {len(header)}"
                )
            plain = [cell.strip() for cell in cells]
            rows.append(dict(zip(header, plain, strict=True)))
    return rows
