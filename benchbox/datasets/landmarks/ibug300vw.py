"""300-VW: 114 videos, each frame with 68 points.

50 videos to train, 64 to test in categories A (1), B (2), C (3).

An id is video and frame as the annotation counts it, from 1: `410/000001`. Frame k of the decoded video belongs to
`annot/%06d.pts` number k. Some decoders drop or double frames and the count in a video's header is not to be trusted,
so the first use of a video decodes it once to count: another number than annotations is refused. Frames extracted
before (`extraction/%06d.png` or `imgs/`, beside the video, counted from 1) are read instead where they are there.

Points count pixels from 1 (`Index.origin`). 2,127 frames of 16 test videos are known to be
annotated badly (the dataset's own `extra.zip`; frame numbers as two independent scripts list them):
attribute `broken`. Most papers do not say whether they dropped them. A video is a cluster and a
sequence: its frames are no independent faces. There are no detector boxes.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.resources import files as resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox.datasets import sample_checks
from benchbox.datasets.formats import images, paths, pts
from benchbox.errors import DataError
from benchbox.geometry import tight_box
from benchbox.types import Access, Finding, Index

if TYPE_CHECKING:
    from benchbox.types import Bytes, Floats

ACCESS = Access(
    title="300-VW (300 Videos in the Wild)",
    folder="300vw",
    where="https://ibug.doc.ic.ac.uk/resources/300-VW/ (form; 300VW_Dataset_2015_12_14.zip)",
    terms="research only, no commercial use; the videos belong to their owners",
    citation=(
        "J. Shen, S. Zafeiriou, G. Chrysos, J. Kossaifi, G. Tzimiropoulos, M. Pantic: The First Facial Landmark "
        "Tracking in-the-Wild Challenge: Benchmark and Results. ICCV Workshops 2015"
    ),
    layout="""\
300vw/300VW_Dataset_2015_12_14/<video>/vid.avi             114 videos: 50 train, 31 A, 19 B, 14 C
300vw/300VW_Dataset_2015_12_14/<video>/annot/000001.pts    one per frame, counted from 1
(300vw/<video>/ too; frames extracted to <video>/extraction/000001.png or imgs/ are read first; ids: 410/000001)""",
)
_A = (
    "114 124 125 126 150 158 401 402 505 506 507 508 509 510 511 514 515 518 519 520 521 522 524 525 537 538 540 541 "
    "546 547 548"
)
_B = "203 208 211 212 213 214 218 224 403 404 405 406 407 408 409 412 550 551 553"
_C = "410 411 516 517 526 528 529 530 531 533 557 558 559 562"
_TRAIN = (
    "001 002 003 004 007 009 010 011 013 015 016 017 018 019 020 022 025 027 028 029 031 033 034 035 037 039 041 043 "
    "044 046 047 048 049 053 057 059 112 113 115 119 120 123 138 143 144 160 204 205 223 225"
)
PARTS: Mapping[str, tuple[str, ...]] = {
    part: tuple(text.split()) for part, text in (("train", _TRAIN), ("a", _A), ("b", _B), ("c", _C))
}
BROKEN = 2127
_RELEASE = "300VW_Dataset_2015_12_14"
_EXTRACTED = ("extraction", "imgs", "frames")
_KEPT = 32  # decoded frames: readers on several threads ask a little out of order


# --- which frames ---------------------------------------------------------------------------------


def broken_frames() -> Mapping[str, frozenset[int]]:
    """Return the frames that are known to be annotated badly: video → frames, counted from 1."""
    text = (
        resources(__package__).joinpath("ibug300vw_broken_frames.txt").read_text(encoding="utf-8")
    )
    found = {}
    for line in text.splitlines():
        video, colon, runs = line.partition(":")
        if colon and not line.startswith("#"):
            found[video] = frozenset(frame for run in runs.split() for frame in _parse_run(run))
    return found


def _parse_run(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def _release_folder(folder: Path) -> Path:
    return folder / _RELEASE if (folder / _RELEASE).is_dir() else folder


def _annotation_files(place: Path) -> list[Path]:
    """List a video's annotations.

    Raises DataError unless they are numbered 000001, 000002 and so on without a gap.
    """
    annotations = place / "annot"
    names = sorted(entry.name for entry in os.scandir(annotations) if entry.name.endswith(".pts"))
    for number, name in enumerate(names, start=1):
        if name != f"{number:06d}.pts":
            raise DataError(
                f"{annotations}: {number:06d}.pts is not there ({name} is); fetch the video again"
            )
    return [annotations / name for name in names]


# --- index ----------------------------------------------------------------------------------------


def index(root: Path, *, pixels: bool = True) -> Index:
    """Read the annotations of every video under `root/300vw`.

    With `pixels`, videos without a picture are left out.

    Raises DataError for a malformed annotation and for a gap in their numbers.
    """
    home = _release_folder(root / ACCESS.folder)
    notes: list[str] = []
    chosen: list[tuple[str, str, list[Path]]] = []
    for part, names in PARTS.items():
        present = [video for video in names if (home / video / "annot").is_dir()]
        if len(present) < len(names):
            notes.append(
                f"{part}: {len(names) - len(present)} of {len(names)} videos are not in {home}"
            )
        shown = [
            video
            for video in present
            if not pixels or _video_file(home / video) or _extracted_folder(home / video)
        ]
        if len(shown) < len(present):
            notes.append(
                f"{part}: {len(present) - len(shown)} videos have no vid.avi and no frames and are left out"
            )
        chosen += [(part, video, _annotation_files(home / video)) for video in shown]
    values = _read_points([path for _, _, paths in chosen for path in paths])
    videos = np.array([video for _, video, paths in chosen for _ in paths], np.str_)
    numbers = np.array(
        [number for _, _, paths in chosen for number in range(1, len(paths) + 1)], np.intp
    )
    return Index(
        dataset="300vw",
        ids=np.array(
            [f"{video}/{number:06d}" for video, number in zip(videos, numbers, strict=True)],
            np.str_,
        ),
        parts=np.array([part for part, _, paths in chosen for _ in paths], np.str_),
        values=values,
        boxes={"ground_truth": tight_box(values) if len(values) else np.empty((0, 4))},
        clusters=videos,
        read=_FrameReader(
            home,
            videos.tolist(),
            numbers.tolist(),
            {video: len(paths) for _, video, paths in chosen},
        ),
        origin=1.0,
        attributes={"broken": _mark_broken(videos, numbers)},
        notes=tuple(notes),
        sequences=videos,
    )


def _read_points(paths: Sequence[Path]) -> Floats:
    values = np.empty((len(paths), 68, 2))
    for row, path in enumerate(_with_progress(paths, "annotations", "file")):
        values[row] = pts.read_pts(path)
    return values


def _with_progress(items: Sequence[Any], what: str, unit: str) -> Iterable[Any]:
    """Show progress where it takes more than a moment."""
    if len(items) < 20_000 and unit == "file":
        return items
    from tqdm import tqdm

    bar: Iterable[Any] = tqdm(items, desc=f"300-VW {what}", unit=unit, disable=None, leave=False)
    return bar


def _mark_broken(videos: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    known = broken_frames()
    return np.array(
        [n in known.get(v, ()) for v, n in zip(videos.tolist(), numbers.tolist(), strict=True)],
        bool,
    )


# --- frames ---------------------------------------------------------------------------------------


def _video_file(place: Path) -> Path | None:
    return next(
        (
            path
            for path in sorted(place.glob("vid.*"))
            if path.suffix.lower() in (".avi", ".mp4", ".mkv")
        ),
        None,
    )


def _extracted_folder(place: Path) -> Path | None:
    return next((place / name for name in _EXTRACTED if (place / name).is_dir()), None)


class _FrameReader:
    """Reads frames by row: from extracted pictures, else from the video, forwards, one video open at a time."""

    def __init__(
        self, home: Path, videos: list[str], numbers: list[int], lengths: Mapping[str, int]
    ) -> None:
        self._home, self._videos, self._numbers, self._lengths = home, videos, numbers, lengths
        self._lock = threading.Lock()
        self._counted: set[str] = set()
        self._film: Iterator[Bytes] = iter(())
        self._open = ""  # the video that `_film` is of
        self._next = 1  # the frame that `_film` yields next
        self._recent: OrderedDict[tuple[str, int], Bytes] = OrderedDict()

    def __call__(self, row: int) -> Bytes:
        video, number = self._videos[row], self._numbers[row]
        folder = _extracted_folder(self._home / video)
        if folder is not None:
            return images.decode_picture(_extracted_frame(folder, number))
        with self._lock:
            return self._decode(video, number).copy()

    def _decode(self, video: str, number: int) -> Bytes:
        if (video, number) in self._recent:
            return self._recent[video, number]
        path = _video_file(self._home / video)
        if path is None:
            raise DataError(f"{self._home / video}: no vid.avi and no extracted frames")
        if video not in self._counted:
            _check_length(path, self._lengths[video])
            self._counted.add(video)
        if video != self._open or number < self._next:
            self._film, self._open, self._next = decode_frames(path), video, 1
        for found in self._film:
            self._recent[video, self._next] = found
            self._next += 1
            while len(self._recent) > _KEPT:
                self._recent.popitem(last=False)
            if self._next > number:
                return found
        raise DataError(
            f"{path}: ends before frame {number}, though it was counted; is it being written to?"
        )


def _extracted_frame(folder: Path, number: int) -> Path:
    stem = folder / f"{number:06d}"
    return next(
        (stem.with_suffix(s) for s in paths.PICTURE_SUFFIXES if stem.with_suffix(s).is_file()),
        stem.with_suffix(".png"),
    )


def _open_video(path: Path) -> Any:
    import cv2

    film = cv2.VideoCapture(str(path))
    if not film.isOpened():
        raise DataError(
            f"{path}: no decoder opens this video; fetch it again, or extract its frames beside it"
        )
    return film


def decode_frames(path: Path) -> Iterator[Bytes]:
    """Decode a video from its start, frame by frame, as RGB (H, W, 3) uint8."""
    import cv2

    film = _open_video(path)
    try:
        while True:
            there, picture = film.read()
            if not there:
                return
            yield cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    finally:
        film.release()


def count_frames(path: Path) -> int:
    """Count a video's frames by decoding all of them: headers lie."""
    film = _open_video(path)
    try:
        count = 0
        while film.grab():
            count += 1
        return count
    finally:
        film.release()


def _check_length(path: Path, expected: int) -> None:
    found = count_frames(path)
    if found != expected:
        raise DataError(
            f"{path}: {found} frames decode and {expected} are annotated, so frame and annotation cannot be matched; "
            "fetch it again, or extract its frames (ffmpeg -i vid.avi extraction/%06d.png) and compare"
        )


# --- examination ----------------------------------------------------------------------------------


def verify(root: Path) -> list[Finding]:
    """Examine a copy: videos per category, frames against annotations (decodes everything), known bad frames."""
    home = _release_folder(root / ACCESS.folder)
    try:
        found = index(root, pixels=False)
    except DataError as error:
        return [Finding("wrong", str(error))]
    findings = [
        sample_checks.check_count(
            part, len(set(found.clusters[found.parts == part].tolist())), len(videos), "videos"
        )
        for part, videos in PARTS.items()
    ]
    there, counts = np.unique(found.clusters, return_counts=True)
    good = 0
    for video, count in _with_progress(
        list(zip(there.tolist(), counts.tolist(), strict=True)), "videos", "video"
    ):
        fault = _check_video(home / video, count)
        good += not fault
        if fault:
            findings.append(fault)
    findings.append(
        Finding("ok" if good else "missing", f"{good} videos have as many frames as annotations")
    )
    for part in PARTS:
        rows = found.parts == part
        bad = int(found.attributes["broken"][rows].sum())
        findings.append(
            Finding(
                "ok", f"{part}: {int(rows.sum())} frames, {bad} of them known to be annotated badly"
            )
        )
    if len(there) == sum(map(len, PARTS.values())):
        total = int(found.attributes["broken"].sum())
        findings.append(
            sample_checks.check_count("frames known to be annotated badly", total, BROKEN, "frames")
        )
    return findings


def _check_video(place: Path, annotated: int) -> Finding | None:
    folder, film = _extracted_folder(place), _video_file(place)
    try:
        if folder is not None:
            count = sum(
                entry.name.lower().endswith(paths.PICTURE_SUFFIXES) for entry in os.scandir(folder)
            )
        elif film is not None:
            count = count_frames(film)
        else:
            return Finding("missing", f"{place}: no vid.avi and no extracted frames")
    except DataError as error:
        return Finding("wrong", str(error))
    if count == annotated:
        return None
    return Finding("wrong", f"{place}: {count} frames and {annotated} annotations")
