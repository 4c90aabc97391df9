"""What another program needs to predict: an item a row, with its picture and its boxes.

Everything is in the pixel frame, in which the centre of a picture's first pixel is (0, 0); `origin`
says what the dataset's own annotation files call it, and what `benchbox score` expects unless it is
told `--origin 0`. Test labels are never written.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from benchbox.atomic_write import replace_when_done, write_whole
from benchbox.csv_cells import guard_cell, guard_cells
from benchbox.errors import DataError
from benchbox.types import Sample, Task

if TYPE_CHECKING:
    from benchbox.types import Bytes, Floats

SCHEMA = 1
PATH_COLUMN = "path"
_CORNERS = ("x0", "y0", "x1", "y1")


@dataclass(frozen=True, eq=False)
class ManifestItem:
    """One item: all that a method sees of it, its picture as a file."""

    id: str
    path: str
    box: Floats  # (4,) px
    boxes: Mapping[str, Floats]  # further boxes, e.g. left_eye; NaN: none
    rotation: float  # degrees that the file's picture must be turned by about the box's centre
    meta: Mapping[str, Any]
    label: Floats | None = None  # of training items, where asked for


@dataclass(frozen=True, eq=False)
class Manifest:
    """The items of one part of a protocol's split, and what is alike for all of them."""

    task: Task
    points: int | None  # of each face; None for gaze
    origin: float
    items: Sequence[ManifestItem]
    split: str = "test"
    protocol: str = ""
    card: str = ""  # hash of the protocol's card


def manifest_item(
    sample: Sample, file: Path, rotation: float = 0.0, label: Floats | None = None
) -> ManifestItem:
    """Return the row of a sample whose picture lies in a file."""
    boxes, meta = dict(sample.boxes), dict(sample.meta)
    path = "" if file == Path() else str(file)
    return ManifestItem(sample.id, path, sample.box, boxes, rotation, meta, label)


# --- pictures -------------------------------------------------------------------------------------


def write_pictures(samples: Sequence[Sample], folder: Path) -> list[Path]:
    """Write the picture of each sample as a PNG without loss; return the files.

    A file that is there is kept: the same command goes on where it was stopped. Raises DataError
    where the folder cannot be written.
    """
    folder = folder.absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise DataError(f"{folder}: cannot be made: {fault.strerror}") from fault
    files = []
    for number, sample in enumerate(samples):
        file = folder / f"{number:07d}.png"
        if not file.is_file():
            _write_png(sample.pixels(), file)
        files.append(file)
    return files


def _write_png(pixels: Bytes, file: Path) -> None:
    import cv2

    done, content = cv2.imencode(".png", pixels[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not done:
        raise DataError(f"{file}: the picture cannot be encoded")
    try:
        with replace_when_done(file, flush=False) as beside:
            beside.write_bytes(content.tobytes())
    except OSError as fault:
        raise DataError(f"{file}: cannot be written: {fault.strerror}") from fault


# --- text -----------------------------------------------------------------------------------------


def manifest_columns(manifest: Manifest) -> list[str]:
    """Name the columns: id, path, box_x0 … box_y1, further boxes, rotation, origin, the rest."""
    columns = ["id", PATH_COLUMN, *(f"box_{corner}" for corner in _CORNERS)]
    if manifest.items:
        first = manifest.items[0]
        for name in first.boxes:
            columns += [f"{name}_{corner}" for corner in _CORNERS]
        columns += ["rotation", "origin", *first.meta]
        if first.label is not None:
            columns += _label_columns(manifest.task, first.label)
    else:
        columns += ["rotation", "origin"]
    return columns


def manifest_rows(manifest: Manifest) -> Iterator[list[Any]]:
    """Yield the cells of each item, in the order of the columns; a box that is not there is NaN."""
    for item in manifest.items:
        row: list[Any] = [item.id, item.path, *map(float, item.box)]
        for box in item.boxes.values():
            row += map(float, box)
        row += [item.rotation, manifest.origin, *map(_plain, item.meta.values())]
        if item.label is not None:
            row += map(float, np.ravel(item.label))
        yield row


def format_csv(manifest: Manifest) -> str:
    """Return a manifest as CSV; a number that is not there is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(guard_cells(manifest_columns(manifest)))
    for row in manifest_rows(manifest):
        writer.writerow(["" if _is_absent(cell) else guard_cell(cell) for cell in row])
    return text.getvalue()


def format_json(manifest: Manifest) -> str:
    """Return a manifest as one JSON document; a box that is not there is null."""
    items = []
    for item in manifest.items:
        entry: dict[str, Any] = {
            "id": item.id,
            "path": item.path,
            "box": _numbers(item.box),
            "boxes": {name: _numbers(box) for name, box in item.boxes.items()},
            "rotation": item.rotation,
            "meta": {key: _plain(value) for key, value in item.meta.items()},
        }
        if item.label is not None:
            entry["label"] = np.asarray(item.label).tolist()
        items.append(entry)
    document = {
        "schema": SCHEMA,
        "protocol": manifest.protocol,
        "card": manifest.card,
        "split": manifest.split,
        "task": manifest.task,
        "points": manifest.points,
        "origin": manifest.origin,
        "items": items,
    }
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def write_manifest(
    manifest: Manifest, file: Path, form: Literal["csv", "json"] | None = None
) -> None:
    """Write a manifest, as JSON where the name or `form` says so, else as CSV.

    Raises DataError where it cannot be written.
    """
    as_json = form == "json" or (form is None and file.suffix.lower() == ".json")
    text = format_json(manifest) if as_json else format_csv(manifest)
    try:
        write_whole(file, text)
    except OSError as fault:
        raise DataError(f"{file}: cannot be written: {fault.strerror}") from fault


def _label_columns(task: Task, label: Floats) -> list[str]:
    if task == "landmarks":
        columns = []
        for point in range(len(label)):
            columns += [f"label_x{point}", f"label_y{point}"]
        return columns
    return [f"label_{axis}" for axis in "xyz"[: len(label)]]


def _numbers(box: Floats) -> list[float] | None:
    if not np.isfinite(box).all():
        return None
    return [float(number) for number in box]


def _is_absent(cell: Any) -> bool:
    return isinstance(cell, float) and math.isnan(cell)


def _plain(value: Any) -> Any:
    """Return a NumPy value as Python writes it."""
    if hasattr(value, "tolist"):
        return value.tolist()
    return value
