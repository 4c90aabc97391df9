"""What each version of a generator is known to draw: a table in the tree, asked when a set is used.

`set_digests.csv` holds, for every set and version, a digest of all columns that take no picture:
points, boxes, gaze, people. Lengths and directions are rounded to hundredths, because their last
bits differ between processors and libraries. A set in the cache that another generator drew under
the same version is refused, and a change of a generator without a new version fails a test. Pixels
differ by a grey level between builds of OpenCV, so tests pin them coarsely, and a checksum beside
the set (`cache`) says whether they are what was written.

    python -m benchbox.face_renderer.set_digests     # writes the table anew
"""

from __future__ import annotations

import csv
import hashlib
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox.errors import DataError
from benchbox.file_readers.csv_files import read_records

if TYPE_CHECKING:
    from .cache import RenderPlan

_TABLE = Path(__file__).with_name("set_digests.csv")
_HEADER = ("set", "version", "items", "labels")
_OF_PICTURES = ("pixels", "visible", "visible68")  # columns that take a picture
_STEPS = 100  # of one pixel, centimetre or unit, that are told apart

Columns = Mapping[str, np.ndarray[Any, Any]]


def hash_labels(columns: Columns) -> str:
    """Hash the columns (N, …) of a set that take no picture, numbers rounded to hundredths."""
    total = hashlib.sha256()
    for name in sorted({*columns} - {*_OF_PICTURES}):
        column = columns[name]
        total.update(f"{name} {list(column.shape)}\n".encode())
        if column.dtype.kind == "f":
            total.update(np.rint(column * _STEPS).astype("<i8").tobytes())
        elif column.dtype.kind == "U":
            total.update("\n".join(column.tolist()).encode())
        else:
            total.update(column.astype("<i8").tobytes())
    return f"sha256:{total.hexdigest()}"


@cache
def known_digests() -> Mapping[tuple[str, int], str]:
    """Return (set, version) → digest of its labels."""
    rows = read_records(_TABLE)
    return {(row["set"], int(row["version"])): row["labels"] for row in rows}


def require_known_labels(plan: RenderPlan, columns: Columns) -> None:
    """Raise DataError unless the labels of a whole set are those that its version is known by.

    What is no whole set is not in the table.
    """
    if plan.parts != plan.image_set.parts:
        return
    known = known_digests().get((plan.kind, plan.image_set.version))
    if known is not None and known != hash_labels(columns):
        raise DataError(
            f"{plan.name}, generator version {plan.image_set.version}: the labels in the cache are "
            "not those that this version draws; delete its folder there, and give a generator that "
            "has changed a new version"
        )


def main() -> None:
    """Write the table anew, with the labels that the generators draw now."""
    from .cache import draw_labels, plan_set
    from .image_sets import SETS

    with _TABLE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_HEADER)
        for kind in SETS:
            plan = plan_set(kind)
            digest = hash_labels(draw_labels(plan))
            writer.writerow((kind, plan.image_set.version, plan.count, digest))
            print(kind, file=sys.stderr)


if __name__ == "__main__":
    main()
