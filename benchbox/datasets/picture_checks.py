"""Pictures are decoded before anything is trained or measured on them.

A file may begin and end well and be damaged between: decoders of JPEG then fill in what they like
and write a line to the standard error, without the name of the file. Here the line is caught and
the file named. A picture may also ask to be turned when it is shown (EXIF), may hold ten bits in
sixteen, which read as eight are nearly black.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchbox.errors import DataError
from benchbox.layouts import layouts_with
from benchbox.types import Finding, Index

from . import shape_fit
from .formats import exif, images

if TYPE_CHECKING:
    from benchbox.types import Floats

LOOKED_AT = 2000  # pictures of training and of test that `run` decodes, each
FEWEST_BITS = 13  # of 16: a picture that uses fewer reads as nearly black in 8
UPRIGHT_DEG = 45.0  # roll of a face that stands upright


# --- damage ---------------------------------------------------------------------------------------


def find_damage(
    decode: Callable[[int], object], rows: Sequence[int], what: str = "pictures"
) -> tuple[dict[int, str], dict[int, str]]:
    """Decode some pictures, on all cores, one held in memory at a time on each.

    Parameters
    ----------
    decode
        Row → picture; raises DataError for one that cannot be read.
    rows
        What it is called with.
    what
        What the progress bar says.

    Returns
    -------
    tuple
        Row → why it cannot be read, and row → what the decoder complained of while it filled in.
    """
    broken: dict[int, str] = {}
    noisy: dict[int, str] = {}
    with _decoder_messages() as messages:
        for row, fault in _decode_all(decode, rows, what):
            if fault:
                broken[row] = fault
        if not messages():
            return broken, noisy
        # somebody complained, without a name: once more, one by one
        for row in rows:
            if row in broken:
                continue
            _decode_one(decode, row)
            lines = messages()
            if lines:
                noisy[row] = lines.splitlines()[0][:120]
    return broken, noisy


def _decode_all(
    decode: Callable[[int], object], rows: Sequence[int], what: str
) -> Iterator[tuple[int, str]]:
    from benchbox.progress import progress_bar

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        faults = pool.map(lambda row: _decode_one(decode, row), rows)
        bar = progress_bar(
            faults, total=len(rows), desc=f"decode {what}", unit="picture", leave=False
        )
        yield from zip(rows, bar, strict=True)


def _decode_one(decode: Callable[[int], object], row: int) -> str:
    try:
        decode(row)
    except DataError as error:
        return str(error)
    return ""


@contextmanager
def _decoder_messages() -> Iterator[Callable[[], str]]:
    """Catch what libraries in C write to the standard error; yields what was written since."""
    try:
        sys.stderr.flush()
        kept = os.dup(2)
    except (OSError, AttributeError, ValueError):  # a process without a standard error
        yield lambda: ""
        return
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        seen = 0

        def messages() -> str:
            nonlocal seen
            caught.seek(seen)
            written = caught.read()
            seen += len(written)
            lines = []
            for line in written.decode("utf-8", "replace").splitlines():
                if "JPEG" in line or "libpng" in line or "jpeg" in line:
                    lines.append(line.strip())
            return "\n".join(lines)

        try:
            yield messages
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def check_files(
    ids: Sequence[str], files: Sequence[Path | None], values: Floats, turns: Sequence[int] = ()
) -> list[Finding]:
    """Decode every picture file once, and hold what it says of itself against the points.

    Parameters
    ----------
    ids
        N names.
    files
        N picture files, None where there is none or where it is known to be broken.
    values
        (N, K, 2) px, pixel frame.
    turns
        N EXIF orientations by which pictures are turned when read; (): none is.
    """
    row_of_file: dict[Path, int] = {}
    for row, path in enumerate(files):
        if path is not None:
            row_of_file.setdefault(path, row)
    paths = list(row_of_file)
    broken, noisy = find_damage(
        lambda number: images.decode_picture(paths[number]), range(len(paths))
    )
    findings = []
    if broken:
        first = next(iter(broken.values()))
        findings.append(Finding("wrong", f"{len(broken)} pictures are damaged; first {first}"))
    if noisy:
        number, line = next(iter(noisy.items()))
        text = f"{len(noisy)} pictures are damaged inside; first {paths[number]}: {line}"
        findings.append(Finding("wrong", f"{text}; fetch it again"))
    good = [path for number, path in enumerate(paths) if number not in broken]
    findings += _check_depth(good)
    faults, note = describe_orientations(ids, files, values, turns)
    findings += [Finding("wrong", fault) for fault in faults]
    findings += [Finding("note", text) for text in note]
    return findings


def _check_depth(paths: Sequence[Path]) -> list[Finding]:
    """Find pictures of 16 bits whose values use a few of them."""
    import cv2

    dark = []
    for path in paths:
        if not images.has_sixteen_bits(path):
            continue
        pixels = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
        bits = int(pixels.max()).bit_length() if pixels is not None else 16
        if bits < FEWEST_BITS:
            dark.append(f"{path} holds {bits} bits in 16")
    if not dark:
        return []
    text = f"{len(dark)} pictures would be read nearly black; first {dark[0]}"
    return [Finding("wrong", f"{text}: stretch them to the whole range")]


def check_rows(index: Index) -> list[Finding]:
    """Read the picture of every row: of sets that keep them in videos, recordings or tables."""
    broken, noisy = find_damage(index.read, range(len(index.ids)), f"of {index.dataset}")
    findings = []
    for faults, words in ((broken, "cannot be read"), (noisy, "are damaged inside")):
        if faults:
            row, fault = next(iter(faults.items()))
            text = f"the pictures of {len(faults)} items {words}; first {index.ids[row]}: {fault}"
            findings.append(Finding("wrong", text))
    if not findings:
        text = f"the pictures of all {len(index.ids)} items were read"
        findings.append(Finding("ok", text))
    return findings


# --- orientation ----------------------------------------------------------------------------------


def describe_orientations(
    ids: Sequence[str],
    files: Sequence[Path | None],
    values: Floats,
    turns: Sequence[int] = (),
) -> tuple[list[str], list[str]]:
    """Say which pictures ask to be turned, which is not done; those of `turns` are, and not named.

    A face that stands upright by its points (N, K, 2) lies on its side in a stored picture that
    asks for a quarter turn: then the points were marked on the turned one. Returns faults and
    notes.
    """
    asking: dict[int, int] = {}
    for row, path in enumerate(files):
        turned = bool(turns) and turns[row] != exif.UPRIGHT
        if path is not None and not turned and path.is_file():
            orientation = exif.read_orientation(path)
            if orientation != exif.UPRIGHT:
                asking[row] = orientation
    if not asking:
        return [], []
    rows = np.array(list(asking), np.intp)
    turned_away = []
    layout = _known_layout(values)
    if layout:
        fit = shape_fit.fit_mean_face(values[rows], layout)
        for row, roll_deg in zip(rows.tolist(), fit.roll_deg.tolist(), strict=True):
            if asking[row] in exif.TURN_DEG and abs(roll_deg) < UPRIGHT_DEG:
                turned_away.append(row)
    first = int(rows[0])
    note = (
        f"{len(rows)} pictures carry an EXIF orientation, which is not applied; first "
        f"{files[first]} ({ids[first]}, orientation {asking[first]})"
    )
    if not turned_away:
        return [], [note]
    row = turned_away[0]
    fault = (
        f"{len(turned_away)} pictures are stored turned (EXIF orientation, which is not applied) "
        f"and their points stand upright; first {files[row]} ({ids[row]}, orientation "
        f"{asking[row]}): turn the pixels, or remove the orientation where they are upright"
    )
    return [fault], []


def _known_layout(values: Floats) -> str:
    if values.ndim != 3:
        return ""
    for name in layouts_with(values.shape[1]):
        if shape_fit.has_mean_face(name):
            return name
    return ""


# --- before a run ---------------------------------------------------------------------------------


def check_before_run(index: Index, rows: Sequence[int] | np.ndarray, what: str) -> list[str]:
    """Decode the pictures of some rows that a run is about to use; return warnings.

    Of more than `LOOKED_AT` evenly spaced ones are taken, of a video its first frame.

    Raises
    ------
    DataError
        A picture cannot be read; names it.
    """
    chosen = np.asarray(rows, np.intp)
    if index.sequences is not None:
        sequences = index.sequences[chosen]
        _, first = np.unique(sequences, return_index=True)
        alone = np.flatnonzero(sequences == "")  # in no sequence: each for itself
        chosen = chosen[np.union1d(first, alone)]
    said = []
    if len(chosen) > LOOKED_AT:
        said.append(
            f"{LOOKED_AT:,} of {len(chosen):,} {what} are decoded before the run; "
            "`benchbox data verify --deep` decodes all"
        )
        chosen = chosen[np.linspace(0, len(chosen) - 1, LOOKED_AT).round().astype(np.intp)]
    broken, noisy = find_damage(index.read, chosen.tolist(), what)
    if broken:
        row, fault = next(iter(broken.items()))
        raise DataError(
            f"{len(broken)} of {len(chosen)} {what} looked at cannot be read; "
            f"first {index.ids[row]}: {fault}"
        )
    if noisy:
        row, line = next(iter(noisy.items()))
        said.append(
            f"{len(noisy)} of {len(chosen)} {what} looked at are damaged inside; first "
            f"{index.ids[row]}: {line}"
        )
    return said
