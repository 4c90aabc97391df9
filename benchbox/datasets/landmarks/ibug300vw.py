"""300-VW: 114 videos, each frame with 68 points.

50 videos to train, 64 to test in categories A (1), B (2), C (3).

An id is video and frame as the annotation counts it, from 1: `410/000001`. Frame k of the decoded
video belongs to `annot/%06d.pts` number k. Some decoders drop or double frames and the count in a
video's header is not to be trusted, so the first use of a video decodes it once to count: another
number than annotations is refused. Frames extracted before (`extraction/%06d.png` or `imgs/`,
beside the video, counted from 1) are read instead where they are there.

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
from functools import partial
from importlib.resources import files as resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox.datasets import sample_checks
from benchbox.datasets.formats import images, paths, pts
from benchbox.datasets.index import name_place
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
        "J. Shen, S. Zafeiriou, G. Chrysos, J. Kossaifi, G. Tzimiropoulos, M. Pantic: The First "
        "Facial Landmark "
        "Tracking in-the-Wild Challenge: Benchmark and Results. ICCV Workshops 2015"
    ),
    layout="""\
300vw/300VW_Dataset_2015_12_14/<video>/vid.avi             114 videos: 50 train, 31 A, 19 B, 14 C
300vw/300VW_Dataset_2015_12_14/<video>/annot/000001.pts    one per frame, counted from 1
(300vw/<video>/ too; frames extracted to <video>/extraction/000001.png or imgs/ are read first;
ids: 410/000001)""",
)
_A = (
    "114 124 125 126 150 158 401 402 505 506 507 508 509 510 511 514 515 518 519 520 521 522 524 "
    "525 537 538 540 541 "
    "546 547 548"
)
_B = "203 208 211 212 213 214 218 224 403 404 405 406 407 408 409 412 550 551 553"
_C = "410 411 516 517 526 528 529 530 531 533 557 558 559 562"
_TRAIN = (
    "001 002 003 004 007 009 010 011 013 015 016 017 018 019 020 022 025 027 028 029 031 033 034 "
    "035 037 039 041 043 "
    "044 046 047 048 049 053 057 059 112 113 115 119 120 123 138 143 144 160 204 205 223 225"
)
PARTS: Mapping[str, tuple[str, ...]] = {
    "train": tuple(_TRAIN.split()),
    "a": tuple(_A.split()),
    "b": tuple(_B.split()),
    "c": tuple(_C.split()),
}
BROKEN = 2127
_RELEASE = "300VW_Dataset_2015_12_14"
_EXTRACTED = ("extraction", "imgs", "frames")
_KEPT = 32  # decoded frames: readers on several threads ask a little out of order


# --- which frames ---------------------------------------------------------------------------------


def broken_frames() -> Mapping[str, frozenset[int]]:
    """Return the frames that are known to be annotated badly: video → frames, counted from 1.

    Examples
    --------
    >>> sum(len(frames) for frames in broken_frames().values())
    2127
    """
    table = resources(__package__).joinpath("ibug300vw_broken_frames.txt")
    broken = {}
    for line in table.read_text(encoding="utf-8").splitlines():
        video, colon, runs = line.partition(":")
        if not colon or line.startswith("#"):
            continue
        frames: set[int] = set()
        for run in runs.split():
            frames.update(_parse_run(run))
        broken[video] = frozenset(frames)
    return broken


def _parse_run(text: str) -> range:
    """Return the frames of "7-9" or "7".

    >>> list(_parse_run("7-9")), list(_parse_run("7"))
    ([7, 8, 9], [7])
    """
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def _release_folder(folder: Path) -> Path:
    if (folder / _RELEASE).is_dir():
        return folder / _RELEASE
    return folder


def _file_names(folder: Path) -> list[str]:
    """List the names of a folder, without the droppings of file managers."""
    return sorted(entry.name for entry in os.scandir(folder) if not paths.is_dropping(entry.name))


def _annotation_files(video_folder: Path) -> list[Path]:
    """List a video's annotations.

    Raises DataError unless they are numbered 000001, 000002 and so on without a gap.
    """
    annotations = video_folder / "annot"
    names = [name for name in _file_names(annotations) if name.endswith(".pts")]
    for number, name in enumerate(names, start=1):
        if name != f"{number:06d}.pts":
            raise DataError(
                f"{annotations}: {number:06d}.pts is not there ({name} is); fetch the video again"
            )
    return [annotations / name for name in names]


# --- index ----------------------------------------------------------------------------------------


def index(root: Path, *, pixels: bool = True) -> Index:
    """Read the annotations of every video under `root/300vw`.

    Values are (N, 68, 2) px, counted from 1, a row per frame. With `pixels`, videos without a
    picture are left out and noted.

    Raises
    ------
    DataError
        An annotation is malformed, or their numbers have a gap.
    """
    release = _release_folder(root / ACCESS.folder)
    notes: list[str] = []
    ids: list[str] = []
    parts: list[str] = []
    videos: list[str] = []
    numbers: list[int] = []  # of frames, counted from 1
    annotations: list[Path] = []
    lengths: dict[str, int] = {}  # video → annotated frames
    for part in PARTS:
        for video in _present_videos(release, part, pixels, notes):
            files = _annotation_files(release / video)
            if pixels:
                _check_extracted(release / video, len(files))
            frame_numbers = range(1, len(files) + 1)
            ids += [f"{video}/{number:06d}" for number in frame_numbers]
            parts += [part] * len(files)
            videos += [video] * len(files)
            numbers += frame_numbers
            annotations += files
            lengths[video] = len(files)
    values = _read_points(annotations)
    clusters = np.array(videos, np.str_)
    return Index(
        dataset="300vw",
        ids=np.array(ids, np.str_),
        parts=np.array(parts, np.str_),
        values=values,
        boxes={"ground_truth": tight_box(values)},
        clusters=clusters,
        read=_FrameReader(release, videos, numbers, lengths),
        origin=1.0,
        attributes={"broken": _mark_broken(videos, numbers)},
        notes=tuple(notes),
        sequences=clusters,
        label_place=partial(name_place, tuple(annotations)),
    )


def _present_videos(release: Path, part: str, pixels: bool, notes: list[str]) -> list[str]:
    """Return the videos of a part that are here, and note how many are not."""
    names = PARTS[part]
    annotated = [video for video in names if (release / video / "annot").is_dir()]
    if len(annotated) < len(names):
        notes.append(
            f"{part}: {len(names) - len(annotated)} of {len(names)} videos are not in {release}"
        )
    if not pixels:
        return annotated
    pictured = [video for video in annotated if _has_pictures(release / video)]
    if len(pictured) < len(annotated):
        notes.append(
            f"{part}: {len(annotated) - len(pictured)} videos have no vid.avi and no frames "
            "and are left out"
        )
    return pictured


def _has_pictures(video_folder: Path) -> bool:
    return bool(_video_file(video_folder) or _extracted_folder(video_folder))


def _read_points(annotations: Sequence[Path]) -> Floats:
    values = np.empty((len(annotations), 68, 2))
    files: Iterable[Path] = annotations
    if len(annotations) >= 20_000:  # takes more than a moment
        files = _with_progress(annotations, "annotations", "file")
    for row, path in enumerate(files):
        values[row] = pts.read_pts(path)
    return values


def _with_progress(items: Sequence[Any], what: str, unit: str) -> Iterable[Any]:
    from benchbox.progress import progress_bar

    bar: Iterable[Any] = progress_bar(items, desc=f"300-VW {what}", unit=unit, leave=False)
    return bar


def _mark_broken(videos: Sequence[str], numbers: Sequence[int]) -> np.ndarray:
    """Mark the frames (N,), given as video and number, that are known to be annotated badly."""
    known = broken_frames()
    marks = np.zeros(len(videos), bool)
    for row, (video, number) in enumerate(zip(videos, numbers, strict=True)):
        marks[row] = number in known.get(video, ())
    return marks


# --- frames ---------------------------------------------------------------------------------------


def _video_file(video_folder: Path) -> Path | None:
    for path in sorted(video_folder.glob("vid.*")):
        if path.suffix.lower() in (".avi", ".mp4", ".mkv"):
            return path
    return None


def _extracted_folder(video_folder: Path) -> Path | None:
    for name in _EXTRACTED:
        if (video_folder / name).is_dir():
            return video_folder / name
    return None


class _FrameReader:
    """Reads frames by row: from extracted pictures, else from the video.

    A video is decoded forwards, and one is open at a time.
    """

    def __init__(
        self,
        release: Path,
        videos: Sequence[str],
        numbers: Sequence[int],
        lengths: Mapping[str, int],
    ) -> None:
        self._release, self._videos, self._numbers = release, videos, numbers
        self._lengths = lengths
        self._lock = threading.Lock()
        self._counted: set[str] = set()
        self._frames: Iterator[Bytes] = iter(())
        self._open = ""  # the video that `_frames` is of
        self._next = 1  # the frame that `_frames` yields next
        self._recent: OrderedDict[tuple[str, int], Bytes] = OrderedDict()

    def __call__(self, row: int) -> Bytes:
        video, number = self._videos[row], self._numbers[row]
        folder = _extracted_folder(self._release / video)
        if folder is not None:
            return images.decode_picture(_extracted_frame(folder, number))
        with self._lock:
            return self._decode(video, number).copy()

    def _decode(self, video: str, number: int) -> Bytes:
        if (video, number) in self._recent:
            return self._recent[video, number]
        path = _video_file(self._release / video)
        if path is None:
            raise DataError(f"{self._release / video}: no vid.avi and no extracted frames")
        if video not in self._counted:
            _check_length(path, self._lengths[video])
            self._counted.add(video)
        if video != self._open or number < self._next:
            self._frames, self._open, self._next = decode_frames(path), video, 1
        for frame in self._frames:
            self._recent[video, self._next] = frame
            self._next += 1
            while len(self._recent) > _KEPT:
                self._recent.popitem(last=False)
            if self._next > number:
                return frame
        raise DataError(
            f"{path}: ends before frame {number}, though it was counted; is it being written to?"
        )


def _check_extracted(video_folder: Path, annotated: int) -> None:
    """Raise DataError unless extracted frames are as many as annotations, and named alike.

    Frames counted from 0, or by four digits, would be given another frame's points.
    """
    folder = _extracted_folder(video_folder)
    if folder is None:
        return
    frames = [name for name in _file_names(folder) if name.lower().endswith(paths.PICTURE_SUFFIXES)]
    if len(frames) != annotated:
        raise DataError(f"{video_folder}: {len(frames)} frames and {annotated} annotations")
    stems = {Path(name).stem for name in frames}
    for number in range(1, annotated + 1):
        if f"{number:06d}" not in stems:
            raise DataError(
                f"{folder}: {number:06d}.png (or .jpg) is not there; there are {frames[0]} … "
                f"{frames[-1]}: frames are numbered as annotations are, from 000001"
            )


def _extracted_frame(folder: Path, number: int) -> Path:
    stem = folder / f"{number:06d}"
    for suffix in paths.PICTURE_SUFFIXES:
        if stem.with_suffix(suffix).is_file():
            return stem.with_suffix(suffix)
    return stem.with_suffix(".png")


def _open_video(path: Path) -> Any:
    import cv2

    video = cv2.VideoCapture(str(path))
    if not video.isOpened():
        raise DataError(
            f"{path}: no decoder opens this video; fetch it again, or extract its frames beside it"
        )
    return video


def decode_frames(path: Path) -> Iterator[Bytes]:
    """Decode a video from its start, frame by frame, as RGB (H, W, 3) uint8.

    Raises
    ------
    DataError
        No decoder opens the video.
    """
    import cv2

    video = _open_video(path)
    try:
        while True:
            decoded, bgr = video.read()
            if not decoded:
                return
            yield cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
    finally:
        video.release()


def count_frames(path: Path) -> int:
    """Count a video's frames by decoding all of them: headers lie.

    Raises
    ------
    DataError
        No decoder opens the video.
    """
    video = _open_video(path)
    try:
        count = 0
        while video.grab():
            count += 1
        return count
    finally:
        video.release()


def _check_length(path: Path, expected: int) -> None:
    count = count_frames(path)
    if count != expected:
        raise DataError(
            f"{path}: {count} frames decode and {expected} are annotated, so frame and annotation "
            "cannot be matched; fetch it again, or extract its frames "
            "(ffmpeg -i vid.avi extraction/%06d.png) and compare"
        )


# --- examination ----------------------------------------------------------------------------------


def verify(root: Path) -> list[Finding]:
    """Examine a copy: videos per category, frames against annotations, known bad frames.

    Decodes every video.
    """
    release = _release_folder(root / ACCESS.folder)
    try:
        frames = index(root, pixels=False)
    except DataError as error:
        return [Finding("wrong", str(error))]
    findings = []
    for part, names in PARTS.items():
        count = len(set(frames.clusters[frames.parts == part].tolist()))
        findings.append(sample_checks.check_count(part, count, len(names), "videos"))
    videos, counts = np.unique(frames.clusters, return_counts=True)
    annotated = list(zip(videos.tolist(), counts.tolist(), strict=True))
    faults = []
    for video, count in _with_progress(annotated, "videos", "video"):
        fault = _check_video(release / video, count)
        if fault:
            faults.append(fault)
    findings += faults
    good = len(annotated) - len(faults)
    text = f"{good} videos have as many frames as annotations"
    findings.append(sample_checks.missing_unless(good, text))
    broken = frames.attributes["broken"]
    for part in PARTS:
        rows = frames.parts == part
        text = (
            f"{part}: {int(rows.sum())} frames, "
            f"{int(broken[rows].sum())} of them known to be annotated badly"
        )
        findings.append(Finding("ok", text))
    if len(videos) == sum(map(len, PARTS.values())):
        what = "frames known to be annotated badly"
        findings.append(sample_checks.check_count(what, int(broken.sum()), BROKEN, "frames"))
    return findings


def _check_video(video_folder: Path, annotated: int) -> Finding | None:
    """Return what is wrong with a video's number of frames, None where nothing is."""
    folder, video = _extracted_folder(video_folder), _video_file(video_folder)
    try:
        if folder is not None:
            _check_extracted(video_folder, annotated)
            return None
        if video is not None:
            count = count_frames(video)
        else:
            return Finding("missing", f"{video_folder}: no vid.avi and no extracted frames")
    except DataError as error:
        return Finding("wrong", str(error))
    if count == annotated:
        return None
    return Finding("wrong", f"{video_folder}: {count} frames and {annotated} annotations")
