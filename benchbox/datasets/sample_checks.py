"""What the examination of every picture dataset shares: counts, headers, points against pictures, doubles."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchbox.errors import DataError
from benchbox.types import Finding, Index

from .formats import images

if TYPE_CHECKING:
    from benchbox.types import Floats


def check_count(what: str, found: int, expected: int, noun: str) -> Finding:
    """Compare a count with what the complete dataset has."""
    text = f"{what}: {found} of {expected} {noun}"
    if found == expected:
        return Finding("ok", text)
    if found > expected:
        return Finding("wrong", f"{text}; {found - expected} do not belong to the official release")
    return Finding("partial" if found else "missing", text)


def count_outside(points: Floats, size: tuple[int, int]) -> int:
    """Count the points (K, 2), pixel frame, that lie outside a picture of (width, height).

    NaN lies nowhere.
    """
    return int(((points < -0.5) | (points > np.array(size) - 0.5)).any(axis=1).sum())


def check_points_fit(path: Path, points: Floats, size: tuple[int, int]) -> None:
    """Raise DataError when most of a face's points (K, 2), pixel frame, lie outside its picture of (width, height).

    A few points outside are real: faces are cut by picture borders. Most of them outside means that picture and
    annotation come from different copies, or that the picture was rotated.
    """
    off = count_outside(points, size)
    if 2 * off > len(points):
        raise DataError(_misfit_message(path, off, len(points), size))


def _misfit_message(path: Path, off: int, total: int, size: tuple[int, int]) -> str:
    return (
        f"{path}: {off} of {total} points lie outside the {size[0]} x {size[1]} picture; picture and annotation are "
        "not of the same copy (cropped, resized or rotated)"
    )


def check_pictures(
    ids: Sequence[str], paths: Sequence[Path | None], values: Floats
) -> list[Finding]:
    """Check that every item has a picture with a whole header that its points (N, K, 2), pixel frame, fit into."""
    lacking = [name for name, path in zip(ids, paths, strict=True) if path is None]
    broken, misfits, beyond = [], [], 0
    for path, points in zip(paths, values, strict=True):
        if path is None:
            continue
        try:
            size = images.picture_size(path)
            if not images.has_end_marker(path):
                raise DataError(f"{path}: the picture stops before its end marker; fetch it again")
        except DataError as error:
            broken.append(str(error))
            continue
        off = count_outside(points, size)
        if 2 * off > len(points):
            misfits.append(_misfit_message(path, off, len(points), size))
        else:
            beyond += off
    findings = []
    if lacking:
        findings.append(
            Finding("missing", f"{len(lacking)} items have no picture; first {lacking[0]}")
        )
    if broken:
        findings.append(
            Finding("wrong", f"{len(broken)} pictures cannot be read; first {broken[0]}")
        )
    if misfits:
        findings.append(
            Finding("wrong", f"{len(misfits)} pictures do not fit their points; first {misfits[0]}")
        )
    good = len(ids) - len(lacking) - len(broken) - len(misfits)
    findings.append(
        Finding("ok" if good else "missing", f"{good} pictures are whole and hold their points")
    )
    if beyond:
        findings.append(Finding("ok", f"{beyond} points lie outside their picture and are kept"))
    return findings


def check_decoding(found: Index) -> list[Finding]:
    """Decode every picture of an index, one at a time, for sets whose pictures are no files of their own."""
    from tqdm import tqdm

    broken = []
    for row in tqdm(
        range(len(found.ids)), desc="decode", unit="picture", disable=None, leave=False
    ):
        try:
            found.read(row)
        except DataError as error:
            broken.append(str(error))
    findings = (
        [Finding("wrong", f"{len(broken)} pictures are broken or do not fit; first {broken[0]}")]
        if broken
        else []
    )
    good = len(found.ids) - len(broken)
    return [
        *findings,
        Finding("ok" if good else "missing", f"{good} pictures are whole and hold their points"),
    ]


def check_duplicates(
    train: Sequence[tuple[str, Path]], test: Sequence[tuple[str, Path]]
) -> list[Finding]:
    """Find picture files that are byte for byte in both train and test, given as (id, path)."""
    sizes = {path.stat().st_size for _, path in train}
    candidates = [(name, path) for name, path in test if path.stat().st_size in sizes]
    wanted = {path.stat().st_size for _, path in candidates}
    known = {_file_digest(path): name for name, path in train if path.stat().st_size in wanted}
    same = [
        (known[found], name) for name, path in candidates if (found := _file_digest(path)) in known
    ]
    if same:
        return [
            Finding(
                "wrong",
                f"{len(same)} pictures are in train and in test; first {same[0][0]} = {same[0][1]}",
            )
        ]
    return [Finding("ok", "no picture file is in train and in test")]


def _file_digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
