"""Checks of pictures and points that `verify` of every picture dataset shares.

What is asked of a whole dataset afterwards (look-alikes, fingerprints, protocols) is in `verify`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchbox.errors import DataError
from benchbox.geometry import longer_sides
from benchbox.types import Finding, Index

from . import picture_checks
from .formats import exif, images, paths

if TYPE_CHECKING:
    from benchbox.types import Bytes, Floats, Strings

_FEWEST_CROPS = 8  # pictures of which a usual size of the face is known
_SMALL_SHARE = 0.35  # of that size
_MOSTLY_ALIKE = 0.9  # share of the faces that must be within half and twice of it


def check_count(what: str, found: int, expected: int, noun: str) -> Finding:
    """Compare a count with what the complete dataset has.

    Examples
    --------
    >>> check_count("helen/trainset", 2000, 2000, "faces").level
    'ok'
    >>> check_count("helen/trainset", 870, 2000, "faces")
    Finding(level='partial', what='helen/trainset: 870 of 2000 faces')
    >>> check_count("helen/trainset", 0, 2000, "faces").level
    'missing'
    >>> check_count("helen/trainset", 2001, 2000, "faces").level
    'wrong'
    """
    text = f"{what}: {found} of {expected} {noun}"
    if found == expected:
        return Finding("ok", text)
    if found > expected:
        return Finding("wrong", f"{text}; {found - expected} do not belong to the official release")
    if found:
        return Finding("partial", text)
    return Finding("missing", text)


def check_people(clusters: Strings, people: int, each: int, noun: str) -> list[Finding]:
    """Compare how many people (N,) there are, and the items of each who has not `each` of them.

    >>> check_people(np.array(["p00", "p00", "p01"]), 2, 2, "eyes")[1].what
    'p01: 1 of 2 eyes'
    """
    names, counts = np.unique(clusters, return_counts=True)
    findings = [check_count("people", len(names), people, "people")]
    for name, count in zip(names.tolist(), counts.tolist(), strict=True):
        if count != each:
            findings.append(check_count(name, count, each, noun))
    return findings


def missing_unless(number: int, text: str) -> Finding:
    """Return a finding that is ok where a number is not 0, and missing where it is.

    Examples
    --------
    >>> missing_unless(3, "3 videos have as many frames as annotations").level
    'ok'
    """
    if number:
        return Finding("ok", text)
    return Finding("missing", text)


# --- points against pictures ----------------------------------------------------------------------


def count_outside(points: Floats, size: tuple[int, int]) -> int:
    """Count the points (K, 2), pixel frame, that lie outside a picture of (width, height).

    A picture of width W spans -0.5 … W - 0.5, for coordinates name pixel centres. NaN lies nowhere.

    Examples
    --------
    >>> points = np.array([[0.0, 0.0], [99.5, 10.0], [100.0, 10.0], [np.nan, np.nan]])
    >>> count_outside(points, (100, 50))
    1
    """
    outside = (points < -0.5) | (points > np.array(size) - 0.5)
    return int(outside.any(axis=1).sum())


def check_points_fit(path: Path, points: Floats, size: tuple[int, int]) -> None:
    """Refuse a face whose points (K, 2), pixel frame, lie mostly outside a (width, height) picture.

    A few points outside are real: faces are cut by picture borders. Most of them outside means
    that picture and annotation come from different copies, or that the picture was rotated.

    Raises
    ------
    DataError
        More than half of the points lie outside; names `path`.
    """
    off = count_outside(points, size)
    if 2 * off > len(points):
        raise DataError(_misfit_message(path, off, len(points), size))


def decode_fitting_picture(path: Path, points: Floats, turn: int = exif.UPRIGHT) -> Bytes:
    """Decode a picture as RGB (H, W, 3) uint8 that a face's points (K, 2), pixel frame, fit into.

    `turn` is the EXIF orientation by which it is turned, 1: as stored.

    Raises
    ------
    DataError
        The picture is absent or broken, or most of the points lie outside it.
    """
    pixels = np.ascontiguousarray(exif.turn_pixels(images.decode_picture(path), turn))
    height, width = pixels.shape[:2]
    check_points_fit(path, points, (width, height))
    return pixels


def _misfit_message(path: Path, off: int, total: int, size: tuple[int, int]) -> str:
    width, height = size
    return (
        f"{path}: {off} of {total} points lie outside the {width} x {height} picture; "
        "picture and annotation are not of the same copy (cropped, resized or rotated)"
    )


def check_pictures(
    ids: Sequence[str],
    pictures: Sequence[Path | None],
    values: Floats,
    wanted: Sequence[Path] = (),
    turns: Sequence[int] = (),
) -> list[Finding]:
    """Check that every item has a picture with a whole header that its points fit into.

    Parameters
    ----------
    ids
        N names.
    pictures
        N picture files, None where an item has none.
    values
        (N, K, 2) px, pixel frame; NaN where a point is not looked at.
    wanted
        N paths that were looked for, where a reader can name them.
    turns
        N EXIF orientations by which pictures are turned when read; (): none is.
    """
    applied = turns or [exif.UPRIGHT] * len(ids)
    without_picture: list[str] = []
    broken = []
    misfits = []
    points_outside = 0
    whole: list[Path | None] = [None] * len(ids)
    sides = np.full(len(ids), np.nan)
    for row, (name, path, points) in enumerate(zip(ids, pictures, values, strict=True)):
        if path is None:
            without_picture.append(_name_absent(name, wanted[row : row + 1]))
            continue
        try:
            size = exif.turn_size(_whole_picture_size(path), applied[row])
        except DataError as error:
            broken.append(str(error))
            continue
        whole[row], sides[row] = path, max(size)
        off = count_outside(points, size)
        if 2 * off > len(points):
            misfits.append(_misfit_message(path, off, len(points), size))
        else:
            points_outside += off
    findings = []
    if without_picture:
        text = f"{len(without_picture)} items have no picture; first {without_picture[0]}"
        findings.append(Finding("missing", text))
    if broken:
        text = f"{len(broken)} pictures cannot be read; first {broken[0]}"
        findings.append(Finding("wrong", text))
    if misfits:
        text = f"{len(misfits)} pictures do not fit their points; first {misfits[0]}"
        findings.append(Finding("wrong", text))
    damage = picture_checks.check_files(ids, whole, values, applied)
    findings += damage
    good = len(ids) - len(without_picture) - len(broken) - len(misfits)
    if all(finding.level != "wrong" for finding in damage):
        findings.append(missing_unless(good, f"{good} pictures are whole and hold their points"))
    if points_outside:
        text = f"{points_outside} points lie outside their picture and are kept"
        findings.append(Finding("ok", text))
    return findings + _note_small_faces(ids, values, sides)


def _note_small_faces(ids: Sequence[str], values: Floats, sides: Floats) -> list[Finding]:
    """Name faces far smaller in their picture than others are, where those are of about one size.

    Labels of a small face beside the one that is meant look like a face; only its size may tell,
    and only in sets of crops. `sides` (N,) are the longer sides of the pictures, NaN if unknown.
    """
    if not values.shape[1]:
        return []
    shares = longer_sides(values) / sides
    rows = np.flatnonzero(np.isfinite(shares) & (shares > 0))
    if len(rows) < _FEWEST_CROPS:
        return []
    middle = float(np.median(shares[rows]))
    is_small = shares[rows] < _SMALL_SHARE * middle
    small, others = rows[is_small], shares[rows[~is_small]]
    alike = (others > middle / 2) & (others < middle * 2)
    if not 0 < len(small) < (1 - _MOSTLY_ALIKE) * len(rows) + 1 or alike.mean() < _MOSTLY_ALIKE:
        return []
    names = ", ".join(ids[row] for row in small[:4])
    return [
        Finding(
            "note",
            f"{len(small)} faces are less than {_SMALL_SHARE:g} times as large in their picture as "
            f"the others: is it the face that is meant? {names}{', …' if len(small) > 4 else ''}",
        )
    ]


def size_fault(
    stated: tuple[int, int] | None, path: Path, size: tuple[int, int], where: str
) -> str:
    """Say that a picture is not as large as its annotation file states; "" where it is.

    `size` is its width and height as it is read; one that is turned may be stated as stored.
    """
    if stated is None or stated == size:
        return ""
    words = " x ".join(map(str, stated))
    measured = " x ".join(map(str, size))
    return (
        f"{path}: is {measured} pixels large, {where} says {words}; "
        "points and picture are not of one copy (resized, cropped or turned)"
    )


def check_stated_sizes(
    stated: Sequence[tuple[int, int] | None],
    pictures: Sequence[Path | None],
    places: Sequence[str],
    turns: Sequence[int],
) -> list[Finding]:
    """Compare N pictures with the width and height that their annotation files state."""
    faults = []
    for size, path, where, turn in zip(stated, pictures, places, turns, strict=True):
        if path is None or size is None:
            continue
        try:
            stored = images.picture_size(path)
        except DataError:
            continue  # said by the check of pictures
        if turn != exif.UPRIGHT and size == stored:
            continue
        fault = size_fault(size, path, exif.turn_size(stored, turn), where)
        if fault:
            faults.append(fault)
    if not faults:
        return []
    what = f"{len(faults)} pictures are not as large as their annotation file says; first "
    return [Finding("wrong", what + faults[0])]


def _name_absent(name: str, wanted: Sequence[Path]) -> str:
    """Name an item without a picture and, where it is known, the path that was looked for."""
    if not wanted:
        return name
    return f"{name}: {paths.describe_absence(wanted[0])}"


def _whole_picture_size(path: Path) -> tuple[int, int]:
    size = images.picture_size(path)
    if not images.has_end_marker(path):
        raise DataError(f"{path}: the picture stops before its end marker; fetch it again")
    return size


def check_decoding(index: Index) -> list[Finding]:
    """Decode every picture of an index, for sets whose pictures are no files of their own.

    One picture is held in memory at a time on each core.
    """
    broken, _ = picture_checks.find_damage(index.read, range(len(index.ids)))
    findings = []
    if broken:
        first = next(iter(broken.values()))
        text = f"{len(broken)} pictures are broken or do not fit; first {first}"
        findings.append(Finding("wrong", text))
    good = len(index.ids) - len(broken)
    findings.append(missing_unless(good, f"{good} pictures are whole and hold their points"))
    return findings


# --- duplicates -----------------------------------------------------------------------------------


def check_duplicates(
    train: Sequence[tuple[str, Path]], test: Sequence[tuple[str, Path]]
) -> list[Finding]:
    """Find picture files that are byte for byte in both train and test, given as (id, path)."""
    shared = picture_checks.name_shared_pictures(train, test)
    if shared:
        return [Finding("wrong", shared)]
    return [Finding("ok", "no picture file is in train and in test")]
