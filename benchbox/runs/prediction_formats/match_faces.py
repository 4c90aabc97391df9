"""Which detection answers which annotated face: by id, by number, else by overlap.

On each picture the pair that overlaps most is taken first, every face and every detection once.
Never by order, and never by the highest score alone where a picture has two faces. A face that
nothing overlaps has no answer and counts as failed; detections that are left over are counted.
Where nothing overlaps at all the points are of another frame, and no number is made of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from benchbox.datasets.annotated_files import box_of_marked
from benchbox.datasets.box_checks import box_iou
from benchbox.datasets.face_checks import LARGEST_SHARE
from benchbox.errors import ResultError

from .found_face import FoundFace

if TYPE_CHECKING:
    from benchbox.types import Floats, Truth

Value = TypeVar("Value")

_PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")


def name_of_picture(name: str) -> str:
    r"""Return the name of a picture without suffix and case, with forward slashes.

    >>> name_of_picture("Set\\P1.JPG")
    'set/p1'
    """
    plain = name.replace("\\", "/").strip().lower()
    suffix = PurePosixPath(plain).suffix
    if suffix in _PICTURES:
        plain = plain[: -len(suffix)]
    return plain


class NamedPictures(Generic[Value]):
    """Values of pictures that are found by their names, with more or fewer folders before them.

    One name must be the end of the other: `train/1` is not `test/1`, whatever their last parts.

    >>> pictures = NamedPictures([("helen/testset/1.jpg", "a"), ("lfpw/testset/1.png", "b")])
    >>> pictures.find("300w/helen/testset/1.jpg"), pictures.find("1"), pictures.find("ibug/1.jpg")
    (['a'], ['a', 'b'], [])
    """

    def __init__(self, named: Iterable[tuple[str, Value]]) -> None:
        self._by_last: dict[str, list[tuple[str, Value]]] = {}
        for picture, value in named:
            name = name_of_picture(picture)
            self._by_last.setdefault(name.rpartition("/")[2], []).append((name, value))

    def find(self, name: str) -> list[Value]:
        """Return the values of the pictures that may be called so; the exact name's alone."""
        wanted = name_of_picture(name)
        near = self._by_last.get(wanted.rpartition("/")[2], [])
        exact = [value for known, value in near if known == wanted]
        return exact or [value for known, value in near if _is_end(known, wanted)]

    def find_elsewhere(self, name: str) -> list[Value]:
        """Return the values of the pictures whose last part alone is the same."""
        last = name_of_picture(name).rpartition("/")[2]
        return [value for _, value in self._by_last.get(last, [])]


def _is_end(one: str, other: str) -> bool:
    return f"/{one}".endswith(f"/{other}") or f"/{other}".endswith(f"/{one}")


def answer_by_picture(
    faces: Sequence[FoundFace], truth: Truth, images: Mapping[str, str], where: str
) -> tuple[dict[str, Floats], list[str]]:
    """Return points by id of the test item, and what to say.

    Parameters
    ----------
    faces
        Detections with pictures, in the frame and the layout of the truth.
    truth
        What is to be answered.
    images
        Id of an item → its picture.
    where
        The file, for messages.

    Raises
    ------
    ResultError
        A picture's name is unknown or may be one of several, a face's number is none, or no
        detection lies where the annotated face is.
    """
    rows_of: dict[str, list[int]] = {}
    for row, item in enumerate(truth.ids.tolist()):
        rows_of.setdefault(name_of_picture(images[item]), []).append(row)
    by_picture, strangers = _sort_by_picture(faces, rows_of, where)
    if strangers and not by_picture:
        name = next(iter(strangers))
        advice = f"the protocol has {next(iter(images.values()))!r}"
        other = NamedPictures((known, known) for known in rows_of).find_elsewhere(name)
        if other:
            advice = (
                f"{other[0]!r} differs in the folder; where the picture is the same, strike the "
                "folder out"
            )
        raise ResultError(f"{where}: no picture of it is tested: it has {name!r}, {advice}")
    answers: dict[str, Floats] = {}
    left_over = 0
    apart: list[Floats] = []  # the only detection of a picture with one face, and elsewhere
    for key, found in by_picture.items():
        pairs = _pair_faces(found, truth.values[rows_of[key]], f"{where}: {key}")
        left_over += len(found) - len(pairs)
        if not pairs and len(found) == len(rows_of[key]) == 1:
            apart += [face.points for face in found if np.isfinite(face.points).all()]
        for place, points in pairs.items():
            answers[str(truth.ids[rows_of[key][place]])] = points
    if apart and not answers:
        raise ResultError(
            f"{where}: no detection lies where the annotated face of its picture is, on "
            f"{len(apart)} pictures with one of each{_describe_apart(apart)}"
        )
    notes = []
    if left_over:
        notes.append(f"{left_over} detections answer no annotated face, left out")
    if strangers:
        names = ", ".join(list(strangers)[:3])
        notes.append(f"{len(strangers)} pictures are not tested, left out: {names}")
    without = [item for item in truth.ids.tolist() if item not in answers]
    if without:
        names = ", ".join(without[:4])
        notes.append(f"{len(without)} faces have no detection and count as failed: {names}")
    if apart:
        notes.append(
            f"{len(apart)} pictures have one face and one detection, which lies elsewhere"
            f"{_describe_apart(apart)}"
        )
    return answers, notes


def _describe_apart(apart: Sequence[Floats]) -> str:
    """Say what may be the matter with detections that lie beside the faces of their pictures."""
    shares = sum(bool((np.abs(points) <= LARGEST_SHARE).all()) for points in apart)
    if shares:
        return f"; {shares} of them between 0 and 1: shares of the picture, where pixels belong?"
    return "; of another frame (size, crop or turn of the picture), or a false detection?"


def _sort_by_picture(
    faces: Sequence[FoundFace], rows_of: Mapping[str, list[int]], where: str
) -> tuple[dict[str, list[FoundFace]], Counter[str]]:
    """Return the detections of each tested picture, and how many there are of each other one."""
    by_picture: dict[str, list[FoundFace]] = {}
    strangers: Counter[str] = Counter()
    known = NamedPictures((name, name) for name in rows_of)
    for face in faces:
        key = _known_picture(face.image, known, where)
        if key:
            by_picture.setdefault(key, []).append(face)
        else:
            strangers[face.image] += 1
    return by_picture, strangers


def _known_picture(name: str, known: NamedPictures[str], where: str) -> str:
    """Return the key of a picture, "" if it is none of the protocol's."""
    found = known.find(name)
    if len(found) > 1:
        raise ResultError(f"{where}: {name!r} may be {found[0]!r} or {found[1]!r}: give the folder")
    return found[0] if found else ""


def _pair_faces(found: Sequence[FoundFace], labels: Floats, where: str) -> dict[int, Floats]:
    """Return points by place among the annotated faces (M, K, 2) of one picture."""
    pairs: dict[int, Floats] = {}
    free = []
    for face in found:
        if not face.number:
            free.append(face)
            continue
        place = face.number - 1
        if place >= len(labels) or place in pairs:
            raise ResultError(
                f"{where}: face {face.number} is there twice, or beyond its {len(labels)} faces"
            )
        pairs[place] = face.points
    if not free:
        return pairs
    boxes = box_of_marked(np.stack([face.points for face in free]))
    overlaps = box_iou(
        np.repeat(box_of_marked(labels), len(free), axis=0), np.tile(boxes, (len(labels), 1))
    )
    table = np.nan_to_num(overlaps).reshape(len(labels), len(free))
    for place in pairs:
        table[place] = 0
    while table.size and table.max() > 0:
        best, row = divmod(int(table.argmax()), len(free))
        pairs[best] = free[row].points
        table[best] = 0
        table[:, row] = 0
    return pairs
