"""The examination of a dataset: what its reader finds, then what is asked of every landmark set.

Counts, pictures and known traps are the reader's (`verify`, with `sample_checks`). Here come the
ranges of points, how boxes lie about them, faces of the training set that come back in a test set,
the fingerprint of the copy, and for each card whether it runs on this copy and what the run will
be called.

Look-alikes are found by perceptual hash (64 bits) of the *face*, cut out by its points at 1.3 times
their box: so one photograph is known again under another crop, size or grading, which hashes of
whole pictures miss. Two faces look alike if at most 6 bits differ and their 32 x 32 greys correlate
above 0.95; on 300-W, what lies below that are other people. One face is decoded at a time and 1 KiB
of it is kept. From videos one frame of each is taken.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from benchbox import datasets, geometry
from benchbox.errors import DataError
from benchbox.file_readers.bounds import LARGEST_PICTURE, LARGEST_PICTURE_FILE
from benchbox.file_readers.regular_files import read_bytes
from benchbox.layouts import LAYOUTS, find_layout, layouts_with
from benchbox.types import Dataset, Finding, Index, Protocol

from . import (
    assemble,
    box_checks,
    face_checks,
    label_bounds,
    label_checks,
    picture_checks,
    select,
    split,
)
from .formats import images, paths
from .gaze import direction_checks
from .index import take_rows

if TYPE_CHECKING:
    from benchbox.types import Floats

_FACE_PX = 64  # side of the face that is hashed
_GREY_PX = 32  # side of the grey face that is correlated
_MARGIN = 1.3
_MOST_BITS = 6
_LEAST_CORRELATION = 0.95
_CHUNK = 256  # test faces compared at a time
_PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")
_LABEL_SUFFIXES = (
    ".pts",
    ".csv",
    ".json",
    ".xml",
    ".mat",
    ".h5",
    ".hdf5",
    ".npz",
    ".txt",
    ".parquet",
)


def examine_dataset(
    name: str, module: Dataset, root: Path, cards: Sequence[Protocol], *, deep: bool = False
) -> Iterator[Finding]:
    """Yield what is found out about a dataset under a root, as it is found.

    `cards` are those that test on it; `deep` reads the picture of every row. Faults of the data are
    findings and raise nothing.
    """
    complete = True
    for finding in module.verify(root):
        complete = complete and finding.level in ("ok", "note")
        yield finding
    try:
        annotated = module.index(root, pixels=False)
        pictured = module.index(root)
    except DataError:
        return  # `verify` has said it, with file and line
    try:
        label_bounds.check_numbers(annotated)
    except DataError as error:
        yield Finding("wrong", str(error))
        return
    if not len(annotated.ids):
        return
    is_landmarks = annotated.values.ndim == 3
    layout = _layout_of(annotated, cards)
    for fault in label_checks.find_faults(annotated, layout):
        yield Finding("wrong", fault.what)
    if is_landmarks:
        gaps = face_checks.describe_gaps(layout, annotated.values.shape[1])
        if gaps:
            yield Finding("note", gaps)
        yield from _check_points(annotated, cards)
        yield from _check_boxes(annotated)
    yield from _check_directions(name, annotated)
    variant = annotated.variant
    if variant == "complete" and not complete:
        variant = "partial"
    fingerprint = fingerprint_index(annotated)
    yield Finding(
        "note", f"fingerprint {fingerprint} over ids, values and parts; variant: {variant}"
    )
    for note in dict.fromkeys((*annotated.notes, *pictured.notes)):
        yield Finding("note", note)
    yield from _note_passed_over(module, annotated, root)
    if deep:
        yield from picture_checks.check_rows(pictured)
    known = {name: pictured}
    if is_landmarks and not name.startswith("synth-"):
        yield from _check_look_alikes({name: module}, root, cards, known)
    for card in cards:
        yield from _check_protocol(card, root, known, complete=complete)


def _check_directions(name: str, index: Index) -> Iterator[Finding]:
    """Say where gaze points in a set of directions, and what constants leave of it."""
    if name in direction_checks.EXPECTED_OF_SETS:
        yield from direction_checks.check_known_set(name, index)


def fingerprint_index(index: Index) -> str:
    """Hash ids, parts and values of a copy, whatever the order of its rows: "sha256:…"."""
    rows = []
    for name, part, value in zip(index.ids, index.parts, index.values, strict=True):
        key = f"{name}\0{part}\0".replace(" ", "").encode()
        rows.append(key + np.ascontiguousarray(value, "<f8").tobytes())
    digest = hashlib.sha256()
    for row in sorted(rows):
        digest.update(len(row).to_bytes(8, "little") + row)
    return "sha256:" + digest.hexdigest()


# --- points and boxes -----------------------------------------------------------------------------


def _check_points(index: Index, cards: Sequence[Protocol]) -> Iterator[Finding]:
    """Say what range the points span, and which faces have no size."""
    values = index.values - index.origin
    finite = np.isfinite(values).all(axis=(1, 2))
    if not finite.any():
        return
    left, top = values[finite].min(axis=(0, 1))
    right, bottom = values[finite].max(axis=(0, 1))
    yield Finding(
        "note",
        f"points span x {left:.1f} … {right:.1f}, y {top:.1f} … {bottom:.1f} px, counted from 0",
    )
    for layout in {card.layout for card in cards}:
        corners = LAYOUTS[layout].eye_corners if layout in LAYOUTS else None
        if corners is None:
            continue
        first_corner, second_corner = corners
        offsets = values[finite][:, first_corner] - values[finite][:, second_corner]
        yield from _check_eye_distances(np.linalg.norm(offsets, axis=1), index.ids[finite])


def _check_eye_distances(distances_px: Floats, ids: np.ndarray) -> Iterator[Finding]:
    degenerate = np.flatnonzero(distances_px <= 0)
    if len(degenerate):
        first = ids[degenerate[0]]
        yield Finding(
            "wrong", f"{len(degenerate)} faces have both eye corners in one place; first {first}"
        )
    yield Finding(
        "note",
        f"eye corners are {np.median(distances_px):.1f} px apart "
        f"(median; smallest {distances_px.min():.1f})",
    )


def _check_boxes(index: Index) -> Iterator[Finding]:
    """Say of every source how many boxes there are and how they lie about the points."""
    tight = geometry.tight_box(index.values)
    for source, boxes in index.boxes.items():
        present = np.isfinite(boxes).all(axis=1)
        if source == "ground_truth" or not present.any():
            continue
        if not (boxes[present, 2:] > boxes[present, :2]).all():
            continue  # said below
        iou = box_checks.box_iou(boxes[present], tight[present])
        worst = index.ids[present][np.argmin(iou)]
        yield Finding(
            "note",
            f"{source}: {int(present.sum())} of {len(boxes)} boxes; "
            f"they share {np.median(iou):.2f} of their area "
            f"with that of the points (median; least {iou.min():.2f}, {worst})",
        )
    for fault in box_checks.find_box_faults(index, tuple(index.boxes)):
        yield Finding("wrong", fault.what)
    for source in index.boxes:
        single = box_checks.note_single_boxes(index, source)
        if single:
            yield Finding("note", single)


def _note_passed_over(module: Dataset, index: Index, root: Path) -> Iterator[Finding]:
    """Count what lies beside the files that are read and is not: pictures, label files, folders."""
    # some readers know whole paths, others paths below the root as it was given
    pictures = {path.absolute() for path in _picture_files(module, root).values()}
    labels = {path.absolute() for path in _label_files(index, root / module.ACCESS.folder)}
    named = {path.with_suffix("") for path in pictures}
    unread = []
    for path in _files_beside(pictures):
        if paths.is_picture(path.name) and path.with_suffix("") not in named:
            unread.append(path)
    if unread:
        text = f"{len(unread)} pictures are named by no annotation and passed over; first "
        yield Finding("note", f"{text}{unread[0]}")
    suffixes = {path.suffix.lower() for path in labels}
    unread = []
    for path in _files_beside(labels):
        if path.suffix.lower() in suffixes and path not in labels and path not in pictures:
            unread.append(path)
    if unread:
        text = f"{len(unread)} files lie beside those that labels are read from and are not read"
        yield Finding("note", f"{text}; first {unread[0]}")
    yield from _note_unread_folders(module, root, pictures | labels)


def _note_unread_folders(module: Dataset, root: Path, read: Set[Path]) -> Iterator[Finding]:
    """Count the folders of a dataset of which no file is read, though others beside them are."""
    if not read:
        return
    top = (root / module.ACCESS.folder).absolute()
    if not module.ACCESS.folder:  # a card's own files: what they have in common
        top = Path(os.path.commonpath([path.parent for path in read]))
    used: set[Path] = set()
    for path in read:
        used.update(path.parents)
    unread = []
    for folder in sorted(used | {top}):
        if not (folder == top or folder.is_relative_to(top)) or not folder.is_dir():
            continue
        for child in sorted(folder.iterdir()):
            known = child in used or child.name in module.ACCESS.layout
            if child.is_dir() and not known and not paths.is_dropping(child.name):
                unread.append(child)
    unread = [child for child in unread if _holds_data(child)]
    if unread:
        text = f"{len(unread)} folders hold pictures or label files and are passed over"
        yield Finding("note", f"{text}; first {unread[0]}")


def _holds_data(folder: Path) -> bool:
    """Say whether a folder has a picture or a table or list of labels in it, however deep."""
    for _, _, names in os.walk(folder):
        for name in names:
            if not paths.is_dropping(name) and Path(name).suffix.lower() in (
                *_PICTURE_SUFFIXES,
                *_LABEL_SUFFIXES,
            ):
                return True
    return False


def _files_beside(files: Set[Path]) -> Iterator[Path]:
    """Yield the files of the folders that some files lie in, droppings left out."""
    for folder in sorted({path.parent for path in files}):
        for path in sorted(folder.iterdir()):
            if path.is_file() and not paths.is_dropping(path.name):
                yield path


def _label_files(index: Index, folder: Path) -> set[Path]:
    """Return the files that labels are read from, of readers that say where a label stands."""
    if index.label_place is None:
        return set()
    files: set[Path] = set()
    for row in range(len(index.ids)):
        place = index.label_place(row)
        file = place.split(", ")[0]
        for text in (place, file, file.rpartition(":")[0]):
            path = folder / text  # the text itself where it is a whole path
            if text and (path in files or path.is_file()):
                files.add(path)
                break
    return files


def _layout_of(index: Index, cards: Sequence[Protocol]) -> str:
    """Name the layout of a set's labels: that of the cards, else the one with as many points."""
    if index.values.ndim != 3:
        return ""
    for card in cards:
        layout = find_layout(card)
        if card.own_layout is None and layout and layout.count == index.values.shape[1]:
            return card.layout
        if card.own_layout is not None:
            return ""  # of which no mean face is known
    for name in layouts_with(index.values.shape[1]):
        return name
    return ""


# --- look-alikes ----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _FacePrints:
    """How faces look: hashes and small greys."""

    ids: np.ndarray  # (N,)
    hashes: np.ndarray  # (N,) uint64
    greys: Floats  # (N, 1024), mean 0, length 1


def _check_look_alikes(
    modules: dict[str, Dataset], root: Path, cards: Sequence[Protocol], known: dict[str, Index]
) -> Iterator[Finding]:
    """Compare each training set that is here with what is tested.

    Within the set, and across where cards cross.
    """
    (name,) = modules
    tested = _tested_parts(cards)
    sources = {}
    for card in cards:
        if not card.folds:
            sources[card.train_dataset or name] = select.member_parts(card.train_parts)
    if not tested or not sources:
        return
    try:
        tests = _face_prints(modules[name], known[name], tested, root)
        for source, trained in sources.items():
            if source not in known:
                modules[source] = datasets.open_dataset(source)
                if not (root / modules[source].ACCESS.folder).is_dir():
                    continue
                known[source] = label_bounds.read_index(modules[source], root)
            trains = _face_prints(modules[source], known[source], trained, root)
            if len(trains.ids) and len(tests.ids):
                yield _compare_faces(source, trains, tests)
    except ImportError:
        yield Finding(
            "note",
            "look-alikes were not searched: pip install ImageHash brings what it takes",
        )


def _tested_parts(cards: Sequence[Protocol]) -> set[str]:
    parts = set()
    for card in cards:
        for members in card.groups.values():
            parts |= select.member_parts(members)
    return parts


def _compare_faces(source: str, trains: _FacePrints, tests: _FacePrints) -> Finding:
    pairs = list(_look_alike_pairs(trains, tests))
    compared = (
        f"{len(trains.ids)} faces of the training set ({source}) "
        f"and {len(tests.ids)} of the test set"
    )
    if not pairs:
        return Finding("ok", f"no face looks like one of the other set: {compared}")
    shown = ", ".join(f"{train} = {test}" for train, test in pairs[:12])
    if len(pairs) > 12:
        shown += ", …"
    return Finding(
        "note",
        f"{len(pairs)} faces look alike in train and in test (perceptual hash), of {compared}: "
        f"{shown}; look at them, and take those of one photograph out of the training set",
    )


def _look_alike_pairs(trains: _FacePrints, tests: _FacePrints) -> Iterator[tuple[str, str]]:
    """Yield (train id, test id) of faces that look alike.

    Memory is bounded by a chunk of the test.
    """
    bit_counts = np.array([number.bit_count() for number in range(1 << 16)], np.uint8)
    for start in range(0, len(tests.ids), _CHUNK):
        chunk = tests.hashes[start : start + _CHUNK]
        differing = np.ascontiguousarray(chunk[:, None] ^ trains.hashes[None]).view(np.uint16)
        distance = bit_counts[differing.reshape(-1, len(trains.ids), 4)].sum(axis=-1)
        for test, train in np.argwhere(distance <= _MOST_BITS):
            if tests.greys[start + test] @ trains.greys[train] > _LEAST_CORRELATION:
                yield str(trains.ids[train]), str(tests.ids[start + test])


def _face_prints(module: Dataset, index: Index, parts: set[str], root: Path) -> _FacePrints:
    """Look at the faces of some parts, on all cores.

    A face that cannot be read is left to the reader's findings.
    """
    import imagehash  # noqa: F401 - said at once if it is not there

    from benchbox.progress import progress_bar

    rows = _comparable_rows(index, parts)
    paths = _picture_files(module, root)

    def look(row: int) -> tuple[int, np.ndarray] | None:
        return _face_print(index, row, paths.get(str(index.ids[row])))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        prints = list(
            progress_bar(
                pool.map(look, rows.tolist()),
                total=len(rows),
                desc=f"faces of {index.dataset}",
                unit="face",
                leave=False,
            )
        )
    kept, hashes, greys = [], [], []
    for row, face_print in zip(rows.tolist(), prints, strict=True):
        if face_print is not None:
            kept.append(row)
            hashes.append(face_print[0])
            greys.append(face_print[1])
    return _FacePrints(
        index.ids[np.array(kept, np.intp)], np.array(hashes, np.uint64), _normalise_greys(greys)
    )


def _comparable_rows(index: Index, parts: set[str]) -> np.ndarray:
    """Return the rows of some parts whose points are known, of each video one."""
    in_parts = np.isin(index.parts, sorted(parts))
    rows = np.flatnonzero(in_parts & np.isfinite(index.values).all(axis=(1, 2)))
    if index.sequences is None:
        return rows
    _, first_of_sequence = np.unique(index.sequences[rows], return_index=True)
    return rows[first_of_sequence]


def _picture_files(module: Dataset, root: Path) -> Mapping[str, Path]:
    """Map ids to picture files, of a reader that can say where they are."""
    find = getattr(module, "picture_files", None)
    if find is None:
        return {}
    files: Mapping[str, Path] = find(root)
    return files


def _normalise_greys(greys: Sequence[np.ndarray]) -> Floats:
    """Return small greys as rows (N, 1024) of mean 0 and length 1, so that products correlate."""
    rows = np.array(greys, np.float64).reshape(len(greys), _GREY_PX * _GREY_PX)
    rows -= rows.mean(axis=1, keepdims=True)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    return rows


def _face_print(index: Index, row: int, path: Path | None) -> tuple[int, np.ndarray] | None:
    """Return the hash of a face and its 32 x 32 grey; None where its picture cannot be decoded."""
    import cv2
    import imagehash
    from PIL import Image

    points = index.values[row] - index.origin
    low, high = points.min(axis=0), points.max(axis=0)
    side_px = float((high - low).max()) * _MARGIN
    if not side_px > 1:
        return None
    try:
        grey, shrink = _decode_grey(index, row, path, side_px)
    except (DataError, cv2.error):
        return None
    zoom = _FACE_PX / side_px
    centre = (low + high) / 2
    crop = np.array([[zoom, 0, 31.5 - zoom * centre[0]], [0, zoom, 31.5 - zoom * centre[1]]])
    crop[:, :2] *= shrink  # from the shrunken picture, whose pixels are larger
    crop[:, 2] += zoom * (shrink - 1) / 2
    if zoom * shrink < 1:
        grey = cv2.GaussianBlur(grey, (0, 0), 0.5 / (zoom * shrink))
    face = cv2.warpAffine(
        grey, crop, (_FACE_PX, _FACE_PX), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    bits = np.packbits(imagehash.phash(Image.fromarray(face)).hash)
    small = cv2.resize(face, (_GREY_PX, _GREY_PX), interpolation=cv2.INTER_AREA)
    return int.from_bytes(bits.tobytes(), "big"), small.ravel()


def _decode_grey(index: Index, row: int, path: Path | None, side_px: float) -> tuple[Any, float]:
    """Decode a picture in grey, no larger than its face needs.

    Return it and by which factor it was shrunk: 1, 2, 4 or 8.
    """
    import cv2

    if path is None:
        return cv2.cvtColor(index.read(row), cv2.COLOR_RGB2GRAY), 1.0
    modes = {
        8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
        4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
        2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
        1: cv2.IMREAD_GRAYSCALE,
    }
    shrink = 1
    for factor in (8, 4, 2):
        if side_px / factor >= 1.5 * _FACE_PX:
            shrink = factor
            break
    width, height = images.picture_size(path)
    if width * height > LARGEST_PICTURE:
        raise DataError(f"{path}: too large a picture")
    mode = modes[shrink] | cv2.IMREAD_IGNORE_ORIENTATION
    grey = cv2.imdecode(np.frombuffer(read_bytes(path, LARGEST_PICTURE_FILE), np.uint8), mode)
    if grey is None:
        raise DataError(f"{path}: cannot be decoded")
    return grey, float(shrink)


# --- protocols ------------------------------------------------------------------------------------


def _check_protocol(
    card: Protocol, root: Path, known: Mapping[str, Index], *, complete: bool
) -> Iterator[Finding]:
    """Say whether a protocol runs on this copy, and under which name of the data.

    A card that does not run on a `complete` copy of what it tests on, or on its own files, is
    wrong; on a copy that is not whole, or without the other dataset that it trains on, the data are
    missing.
    """
    try:
        index = assemble.assemble_index(card, root, known=known)
        fold = split.fold_names(card, index)[0]
        parts = split.split_index(card, index, fold)
    except DataError as error:
        reason = str(error).split("; ")[0]
        level: Literal["missing", "wrong"] = "wrong"
        if card.source is None and (not complete or card.train_dataset or card.extra):
            level = "missing"
        yield Finding(level, f"{card.name} does not run here: {reason}")
        return
    rows = label_checks.used_rows(card, index)
    used = take_rows(index, rows)
    if card.dataset not in known or card.box not in known[card.dataset].boxes:
        for fault in box_checks.find_box_faults(used, (card.box,)):
            yield Finding("wrong", f"{card.name}: {fault.what}")
    if card.source is not None:
        files = _picture_files(datasets.open_protocol_dataset(card), root)
        tested = label_checks.used_rows(card, index, training=False)
        shared = picture_checks.find_shared_pictures(
            index, tested, np.setdiff1d(rows, tested), files
        )
        if shared:
            yield Finding("note", f"{card.name}: {shared}")
    data = parts.data
    yield Finding(
        "note", f"{card.name} runs here, as {data.variant!r}, fingerprint {data.fingerprint}"
    )
