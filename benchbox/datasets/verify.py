"""The examination of a dataset: what its own reader finds, then what is asked of every set of landmarks.

Counts, pictures and known traps are the reader's (`verify`). Here come the ranges of points, how
boxes lie about them, faces of the training set that come back in a test set, the fingerprint of the
copy, and for each card whether it runs on this copy and what the run will be called.

Look-alikes are found by perceptual hash (64 bits) of the *face*, cut out by its points at 1.3 times
their box: so one photograph is known again under another crop, size or grading, which hashes of
whole pictures miss. Two faces look alike if at most 6 bits differ and their 32 x 32 greys correlate
above 0.95; on 300-W, what lies below that are other people. One face is decoded at a time and 1 KiB
of it is kept. From videos one frame of each is taken.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox import datasets, geometry
from benchbox.errors import DataError
from benchbox.layouts import LAYOUTS
from benchbox.types import Dataset, Finding, Index, Protocol

from . import assemble, select, split
from .formats import images

if TYPE_CHECKING:
    from benchbox.types import Floats

_FACE_PX = 64  # side of the face that is hashed
_MARGIN = 1.3
_MOST_BITS = 6
_LEAST_CORRELATION = 0.95
_CHUNK = 256  # test faces compared at a time


def examine_dataset(
    name: str, module: Dataset, root: Path, cards: Sequence[Protocol]
) -> Iterator[Finding]:
    """Yield what is found out about a dataset under a root, as it is found.

    `cards` are those that test on it.
    """
    whole = True
    for finding in module.verify(root):
        whole = whole and finding.level in ("ok", "note")
        yield finding
    try:
        found = module.index(root, pixels=False)
        seen = module.index(root)
    except DataError:
        return  # `verify` has said it, with file and line
    if not len(found.ids):
        return
    if found.values.ndim == 3:
        yield from _check_points(found, cards)
        yield from _check_boxes(found)
    variant = "partial" if found.variant == "complete" and not whole else found.variant
    yield Finding(
        "note",
        f"fingerprint {fingerprint_index(found)} over ids, values and parts; variant: {variant}",
    )
    yield from (Finding("note", note) for note in dict.fromkeys((*found.notes, *seen.notes)))
    known = {name: seen}
    if found.values.ndim == 3 and not name.startswith("synth-"):
        yield from _check_look_alikes({name: module}, root, cards, known)
    yield from (_check_protocol(card, root, known) for card in cards)


def fingerprint_index(index: Index) -> str:
    """Hash ids, parts and values of a copy, whatever the order of its rows."""
    rows = sorted(
        f"{name}\0{part}\0".replace(" ", "").encode() + np.ascontiguousarray(value, "<f8").tobytes()
        for name, part, value in zip(index.ids, index.parts, index.values, strict=True)
    )
    digest = hashlib.sha256()
    for row in rows:
        digest.update(len(row).to_bytes(8, "little") + row)
    return "sha256:" + digest.hexdigest()


# --- points and boxes -----------------------------------------------------------------------------


def _check_points(found: Index, cards: Sequence[Protocol]) -> Iterator[Finding]:
    """Say what range the points span, and which faces have no size."""
    values = found.values - found.origin
    finite = np.isfinite(values).all(axis=(1, 2))
    if not finite.all():
        first = found.ids[np.argmin(finite)]
        yield Finding(
            "wrong",
            f"{int((~finite).sum())} faces have a point that is not a number; first {first}",
        )
    (left, top), (right, bottom) = values[finite].min(axis=(0, 1)), values[finite].max(axis=(0, 1))
    yield Finding(
        "note",
        f"points span x {left:.1f} … {right:.1f}, y {top:.1f} … {bottom:.1f} px, counted from 0",
    )
    for layout in {card.layout for card in cards}:
        a, b = LAYOUTS[layout].eye_corners
        apart = np.linalg.norm(values[finite][:, a] - values[finite][:, b], axis=1)
        flat = np.flatnonzero(apart <= 0)
        if len(flat):
            first = found.ids[finite][flat[0]]
            yield Finding(
                "wrong", f"{len(flat)} faces have both eye corners in one place; first {first}"
            )
        yield Finding(
            "note",
            f"eye corners are {np.median(apart):.1f} px apart (median; smallest {apart.min():.1f})",
        )


def _check_boxes(found: Index) -> Iterator[Finding]:
    """Say of every source how many boxes there are and how they lie about the points."""
    tight = geometry.tight_box(found.values)
    for source, boxes in found.boxes.items():
        there = np.isfinite(boxes).all(axis=1)
        if source == "ground_truth" or not there.any():
            continue
        size = boxes[there, 2:] - boxes[there, :2]
        if not (size > 0).all():
            yield Finding(
                "wrong", f"{source}: {int((size <= 0).any(axis=1).sum())} boxes have no area"
            )
            continue
        overlap = _box_iou(boxes[there], tight[there])
        worst = found.ids[there][np.argmin(overlap)]
        text = f"{source}: {int(there.sum())} of {len(boxes)} boxes; they share {np.median(overlap):.2f} of their area"
        yield Finding(
            "note", f"{text} with that of the points (median; least {overlap.min():.2f}, {worst})"
        )
        if np.median(overlap) < 0.2:
            yield Finding(
                "wrong",
                f"{source}: most boxes hardly touch their points; other order, unit or copy?",
            )


def _box_iou(a: Floats, b: Floats) -> Floats:
    """Return the intersection over union (N,) of boxes (N, 4)."""
    sides = np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])
    common = np.prod(np.clip(sides, 0, None), axis=1)
    areas = np.prod(a[:, 2:] - a[:, :2], axis=1) + np.prod(b[:, 2:] - b[:, :2], axis=1)
    return np.asarray(common / np.maximum(areas - common, 1e-9))


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
    """Compare each training set that is here with what is tested: within the set, and across where cards cross."""
    (name,) = modules
    tested = {
        part
        for card in cards
        for members in card.groups.values()
        for part in select.member_parts(members)
    }
    sources = {
        (card.train_dataset or name): select.member_parts(card.train_parts)
        for card in cards
        if not card.folds
    }
    if not tested or not sources:
        return
    try:
        tests = _face_prints(modules[name], known[name], tested, root)
        for source, trained in sources.items():
            if source not in known:
                modules[source] = datasets.open_dataset(source)
                if not (root / modules[source].ACCESS.folder).is_dir():
                    continue
                known[source] = modules[source].index(root)
            trains = _face_prints(modules[source], known[source], trained, root)
            if len(trains.ids) and len(tests.ids):
                yield _compare_faces(source, trains, tests)
    except ImportError:
        yield Finding(
            "note",
            "look-alikes were not searched: pip install 'benchbox[data]' brings what it takes",
        )


def _compare_faces(source: str, trains: _FacePrints, tests: _FacePrints) -> Finding:
    pairs = list(_look_alike_pairs(trains, tests))
    seen = f"{len(trains.ids)} faces of the training set ({source}) and {len(tests.ids)} of the test set"
    if not pairs:
        return Finding("ok", f"no face looks like one of the other set: {seen}")
    shown = ", ".join(f"{a} = {b}" for a, b in pairs[:12]) + (", …" if len(pairs) > 12 else "")
    return Finding(
        "note", f"{len(pairs)} faces are the same picture in train and in test, of {seen}: {shown}"
    )


def _look_alike_pairs(trains: _FacePrints, tests: _FacePrints) -> Iterator[tuple[str, str]]:
    """Yield (train id, test id) of faces that look alike.

    Memory is bounded by a chunk of the test.
    """
    bits = np.array([number.bit_count() for number in range(1 << 16)], np.uint8)
    for start in range(0, len(tests.ids), _CHUNK):
        rows = slice(start, start + _CHUNK)
        differing = np.ascontiguousarray(tests.hashes[rows, None] ^ trains.hashes[None]).view(
            np.uint16
        )
        distance = bits[differing.reshape(-1, len(trains.ids), 4)].sum(axis=-1)
        for test, train in np.argwhere(distance <= _MOST_BITS):
            if tests.greys[start + test] @ trains.greys[train] > _LEAST_CORRELATION:
                yield str(trains.ids[train]), str(tests.ids[start + test])


def _face_prints(module: Dataset, index: Index, parts: set[str], root: Path) -> _FacePrints:
    """Look at the faces of some parts, on all cores.

    A face that cannot be read is left to the reader's findings.
    """
    import imagehash  # noqa: F401 - said at once if it is not there
    from tqdm import tqdm

    rows = np.flatnonzero(
        np.isin(index.parts, sorted(parts)) & np.isfinite(index.values).all(axis=(1, 2))
    )
    if index.sequences is not None:
        rows = rows[np.unique(index.sequences[rows], return_index=True)[1]]
    find = getattr(module, "pictures", None)
    paths: Mapping[str, Path] = find(root) if find else {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        looks = pool.map(
            lambda row: _face_print(index, int(row), paths.get(str(index.ids[row]))), rows
        )
        seen = list(
            tqdm(
                looks,
                total=len(rows),
                desc=f"faces of {index.dataset}",
                unit="face",
                disable=None,
                leave=False,
            )
        )
    kept = [(row, look) for row, look in zip(rows, seen, strict=True) if look is not None]
    greys = np.array([grey for _, (_, grey) in kept], np.float64).reshape(len(kept), 32 * 32)
    greys -= greys.mean(axis=1, keepdims=True)
    greys /= np.maximum(np.linalg.norm(greys, axis=1, keepdims=True), 1e-9)
    ids = index.ids[[row for row, _ in kept]] if kept else np.empty(0, np.str_)
    return _FacePrints(ids, np.array([value for _, (value, _) in kept], np.uint64), greys)


def _face_print(index: Index, row: int, path: Path | None) -> tuple[int, np.ndarray] | None:
    """Return the hash of a face and its 32 x 32 grey; None where its picture cannot be decoded."""
    import cv2
    import imagehash
    from PIL import Image

    points = index.values[row] - index.origin
    low, high = points.min(axis=0), points.max(axis=0)
    side = float((high - low).max()) * _MARGIN
    if not side > 1:
        return None
    try:
        grey, shrink = _decode_grey(index, row, path, side)
    except (DataError, cv2.error):
        return None
    zoom = _FACE_PX / side
    centre = (low + high) / 2
    own = np.array([[zoom, 0, 31.5 - zoom * centre[0]], [0, zoom, 31.5 - zoom * centre[1]]])
    own[:, :2] *= shrink  # from the shrunken picture, whose pixels are larger
    own[:, 2] += zoom * (shrink - 1) / 2
    if zoom * shrink < 1:
        grey = cv2.GaussianBlur(grey, (0, 0), 0.5 / (zoom * shrink))
    face = cv2.warpAffine(
        grey, own, (_FACE_PX, _FACE_PX), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    digest = np.packbits(imagehash.phash(Image.fromarray(face)).hash)
    return int.from_bytes(digest.tobytes(), "big"), cv2.resize(
        face, (32, 32), interpolation=cv2.INTER_AREA
    ).ravel()


def _decode_grey(index: Index, row: int, path: Path | None, side: float) -> tuple[Any, float]:
    """Decode a picture in grey, no larger than its face needs.

    Return it and how often it was halved, as a factor.
    """
    import cv2

    if path is None:
        return cv2.cvtColor(index.read(row), cv2.COLOR_RGB2GRAY), 1.0
    shrink = next((k for k in (8, 4, 2) if side / k >= 1.5 * _FACE_PX), 1)
    modes = {
        1: cv2.IMREAD_GRAYSCALE,
        2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
        4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    }
    width, height = images.picture_size(path)
    if width * height > images.LARGEST_PICTURE or path.stat().st_size > images.LARGEST_FILE:
        raise DataError(f"{path}: too large a picture")
    mode = modes.get(shrink, cv2.IMREAD_REDUCED_GRAYSCALE_8) | cv2.IMREAD_IGNORE_ORIENTATION
    grey = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), mode)
    if grey is None:
        raise DataError(f"{path}: cannot be decoded")
    return grey, float(shrink)


# --- protocols ------------------------------------------------------------------------------------


def _check_protocol(card: Protocol, root: Path, known: Mapping[str, Index]) -> Finding:
    """Say whether a protocol runs on this copy, and under which name of the data."""
    try:
        index = assemble.assemble_index(card, root, known=known)
        fold = split.fold_names(card, index)[0]
        data = split.split_index(card, index, fold).data
    except DataError as fault:
        return Finding("note", f"{card.name} does not run here: {str(fault).split('; ')[0]}")
    return Finding(
        "note", f"{card.name} runs here, as {data.variant!r}, fingerprint {data.fingerprint}"
    )
