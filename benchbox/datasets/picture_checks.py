"""Pictures are decoded before anything is trained or measured on them.

A file may begin and end well and be damaged between: decoders of JPEG then fill in what they like
and write a line to the standard error, without the name of the file. Here the line is caught and
the file named. A picture may also ask to be turned when it is shown (EXIF), may hold ten bits in
sixteen, which read as eight are nearly black.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from benchbox.errors import DataError
from benchbox.layouts import layouts_with
from benchbox.types import Finding, Index

from . import shape_fit
from .formats import exif, images
from .label_fault import LabelFault

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
    dark = describe_dark_pictures(good)
    findings += [Finding("wrong", fault) for fault in dark]
    faults, notes = describe_orientations(ids, files, values, turns)
    findings += [Finding("wrong", fault) for fault in faults]
    findings += [Finding("note", text) for text in notes + describe_modes(good)]
    return findings


def describe_modes(paths: Sequence[Path]) -> list[str]:
    """Count the pictures of which something is not simply taken over: transparency, CMYK."""
    first_of: dict[str, Path] = {}
    counts: Counter[str] = Counter()
    for path in paths:
        mode = images.unusual_mode(path)
        if mode:
            first_of.setdefault(mode, path)
            counts[mode] += 1
    return [f"{counts[mode]} pictures are {mode}; first {path}" for mode, path in first_of.items()]


def describe_dark_pictures(paths: Sequence[Path]) -> list[str]:
    """Find pictures of 16 bits whose values use a few of them; [] or one line."""
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
    return [f"{text}: stretch them to the whole range"]


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


def find_picture_faults(
    index: Index,
    tested: np.ndarray,
    trained: np.ndarray,
    files: Mapping[str, Path],
    turned: Mapping[str, int] = MappingProxyType({}),
) -> tuple[list[LabelFault], list[str]]:
    """Decode what a run is about to use, test pictures first.

    Parameters
    ----------
    index
        The data.
    tested
        Rows that are tested on.
    trained
        Further rows, that are trained on.
    files
        Id → picture file, where the pictures are files.
    turned
        Id → EXIF orientation by which its picture is turned when read.

    Returns
    -------
    tuple
        Faults and notes.
    """
    faults: list[LabelFault] = []
    notes: list[str] = []
    for rows, what in ((tested, "test pictures"), (trained, "training pictures")):
        chosen = _choose_rows(index, rows)
        if len(chosen) == LOOKED_AT:
            notes.append(
                f"{LOOKED_AT:,} of {len(rows):,} {what} are decoded before the run; "
                "`benchbox data verify --deep` decodes all"
            )
        faults += _damage_faults(index, chosen, what)
        of_chosen = [files.get(str(name)) for name in index.ids[chosen]]
        present = list(dict.fromkeys(path for path in of_chosen if path is not None))
        faults += [LabelFault("bits", fault) for fault in describe_dark_pictures(present)]
        notes += describe_modes(present)
    rows = np.union1d(tested, trained)
    of_rows = [files.get(str(name)) for name in index.ids[rows]]
    values = index.values[rows]
    if values.ndim == 3:
        turns = [turned.get(str(name), exif.UPRIGHT) for name in index.ids[rows]]
        upright, asking = describe_orientations(
            index.ids[rows], of_rows, values - index.origin, turns
        )
        faults += [LabelFault("orientation", fault) for fault in upright]
        notes += asking
    shared = find_shared_pictures(index, tested, trained, files)
    if shared and index.dataset == "files":
        notes.append(shared)  # who made the set knows whether that is meant
    elif shared:
        faults.append(LabelFault("pictures in train and test", shared))
    return faults, notes


def find_shared_pictures(
    index: Index, tested: np.ndarray, trained: np.ndarray, files: Mapping[str, Path]
) -> str:
    """Name pictures that are byte for byte among rows tested and trained on; "" for none."""
    return name_shared_pictures(_files_of(index, trained, files), _files_of(index, tested, files))


def _files_of(index: Index, rows: np.ndarray, files: Mapping[str, Path]) -> list[tuple[str, Path]]:
    names = index.ids[rows].tolist()
    return [(name, files[name]) for name in names if name in files]


def _choose_rows(index: Index, rows: np.ndarray) -> np.ndarray:
    """Return the rows whose pictures are looked at: at most `LOOKED_AT`, of a video its first."""
    chosen = np.asarray(rows, np.intp)
    if index.sequences is not None:
        sequences = index.sequences[chosen]
        _, first = np.unique(sequences, return_index=True)
        alone = np.flatnonzero(sequences == "")  # in no sequence: each for itself
        chosen = chosen[np.union1d(first, alone)]
    if len(chosen) > LOOKED_AT:
        chosen = chosen[np.linspace(0, len(chosen) - 1, LOOKED_AT).round().astype(np.intp)]
    return chosen


def _damage_faults(index: Index, rows: np.ndarray, what: str) -> Iterator[LabelFault]:
    broken, noisy = find_damage(index.read, rows.tolist(), what)
    if broken:
        row, fault = next(iter(broken.items()))
        text = f"{len(broken)} of {len(rows)} {what} looked at cannot be read"
        yield LabelFault("damage", f"{text}; first {index.ids[row]}: {fault}", final=True)
    if noisy:
        row, line = next(iter(noisy.items()))
        text = f"{len(noisy)} of {len(rows)} {what} looked at are damaged inside"
        yield LabelFault("damage", f"{text}; first {index.ids[row]}: {line}")


def name_shared_pictures(
    train: Sequence[tuple[str, Path]], test: Sequence[tuple[str, Path]]
) -> str:
    """Name files that are byte for byte in train and in test, given as (id, path); "" for none.

    Only files of one length can be equal, and only those are read.
    """
    train_sizes = {path.stat().st_size for _, path in train}
    candidates = [(name, path) for name, path in test if path.stat().st_size in train_sizes]
    sizes = {path.stat().st_size for _, path in candidates}
    name_of: dict[bytes, str] = {}
    for name, path in train:
        if path.stat().st_size in sizes:
            name_of[_file_digest(path)] = name
    pairs = []
    for name, path in candidates:
        twin = name_of.get(_file_digest(path))
        if twin is not None:
            pairs.append(f"{twin} = {name}")
    if not pairs:
        return ""
    return f"{len(pairs)} pictures are in train and in test, byte for byte; first {pairs[0]}"


def _file_digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
