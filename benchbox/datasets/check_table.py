"""All checks of data in words: the rows that stand beside the limits of labels and pictures.

`report` makes the page "What is checked before a number is made" of it.
"""

from __future__ import annotations

from collections.abc import Iterable

from benchbox.errors import DataError
from benchbox.file_readers.bounds import LARGEST_PICTURE, LARGEST_PICTURE_FILE

from . import label_checks, picture_checks
from .check_row import Check

FILE_CHECKS = (
    Check(
        "ids",
        "ids of items, of a json's images and annotations",
        "each once, over all files of a card",
        "exports put together begin again at 1, and the later picture won",
        "verify: wrong; run, score: refused with both places",
    ),
    Check(
        "columns and keys",
        "columns of a CSV, keys of a json's annotations",
        "each is read, or named in a note; some of a group (v0 …, box_x0 …) without the others",
        "visibility in columns of another name was dropped",
        "note; a broken group is refused",
    ),
    Check(
        "names of points",
        "`categories[].keypoints` of a json",
        "where all hold numbers, 0 … or 1 …, the points are put in that order",
        "exporters sort names as text: p0, p1, p10",
        "note; numbers that are no order are refused",
    ),
    Check(
        "what one file lacks",
        "flags of visibility, boxes, box_size in some files or rows only",
        "scored items all have box_size, or none has, where face_size divides",
        "one training row without it changed the divisor of every test face",
        "note with the file; run, score: refused for a scored item",
    ),
    Check(
        "names of files",
        "pictures that are not there",
        "the path that was looked for is said, and a file that differs in case, blanks, suffix or "
        "Unicode form",
        "cameras write .JPG",
        "verify: missing; run: refused where the test set is not whole",
    ),
    Check(
        "droppings",
        "`._*`, `.DS_Store`, `Thumbs.db`, `desktop.ini`, `__MACOSX`",
        "passed over",
        "file managers leave them beside every file",
        "nothing",
    ),
    Check(
        "frames of videos",
        "extracted frames of 300-VW",
        "as many as annotations, numbered as they are: 000001, 000002 …",
        "ffmpeg writes what it is told: four digits, from 0",
        "verify: wrong; run: refused with the name that was looked for",
    ),
    Check(
        "text",
        "CSV, json and lists",
        "a byte order mark and blank lines are read; semicolons are named",
        "tools for Windows write them",
        "nothing, or refused",
    ),
    Check(
        "the card",
        "whether a protocol runs on the copy, and is what it says",
        "test set whole, faces to train on, boxes for every item, flags where it masks",
        "a card that did not run was a note",
        "verify: wrong, missing for a copy that is not whole; run: refused with the same words",
    ),
)

PICTURE_CHECKS = (
    Check(
        "damage",
        "every picture, decoded: what the decoder refuses or complains of",
        "none",
        "a JPEG damaged inside is filled in with a line on the error stream that names no file",
        f"verify: wrong, all pictures; run: up to {picture_checks.LOOKED_AT:,} to test and as many "
        "to train on, of each video the first frame, before it trains: refused",
    ),
    Check(
        "orientation",
        "the EXIF orientation against the roll of the face's points, stated sizes and borders",
        f"points within {picture_checks.UPRIGHT_DEG:.0f}° of upright on a picture stored turned",
        "phones store turned; tools show upright",
        "own pictures are read as their points fit, and the note and the record say so; of public "
        "sets, read as stored, verify: wrong and run: refused, unless accepted, where points and "
        "pixels disagree",
    ),
    Check(
        "stated size",
        "width and height that a json says of its pictures",
        "equal to those of the picture",
        "labels of an original are put beside a resized copy",
        "verify: wrong; run: refused",
    ),
    Check(
        "points in the picture",
        "points against width and height",
        "half of a face's points or more inside",
        "a few points outside are real: faces are cut by borders",
        "verify: wrong; run: refused",
    ),
    Check(
        "small faces",
        "the size of each face in its picture, against the others",
        "0.35 times the usual size, where nine of ten faces are within half and twice of it",
        "labels of a small face beside the one that is meant look like a face; with boxes of the "
        "labels themselves nothing else shows them, and in sets of whole scenes nothing does",
        "verify: note",
    ),
    Check(
        "bits",
        "PNG of 16 bits a channel",
        f"{picture_checks.FEWEST_BITS} bits or more are used",
        "ten bits in sixteen read as eight are nearly black",
        "verify: wrong; run: refused, unless accepted",
    ),
    Check(
        "pictures in train and test",
        "files that are byte for byte the same",
        "none",
        "a method has seen the test then; look-alikes are named in a note",
        "of one's own files a note; of public sets verify: wrong, run: refused, unless accepted",
    ),
    Check(
        "modes",
        "transparency, animation, CMYK; the formats that are read are PNG and JPEG, by their bytes",
        "what is lost is said",
        "a decoder drops alpha and keeps what lies beneath",
        "note; other formats: verify: wrong, run: refused",
    ),
    Check(
        "size",
        "width x height and bytes, from the header",
        f"at most {LARGEST_PICTURE // 10**6} million pixels and "
        f"{LARGEST_PICTURE_FILE // 2**20} MiB",
        "a small file may unfold into all of the memory",
        "verify: wrong; run: refused",
    ),
)

ACCEPTED_BY_NAME = frozenset(check.name for check in (*label_checks.CHECKS, *PICTURE_CHECKS))


def require_known_checks(names: Iterable[str]) -> None:
    """Raise DataError for a name that is that of no check of labels or pictures."""
    for name in names:
        if name not in ACCEPTED_BY_NAME:
            known = ", ".join(sorted(ACCEPTED_BY_NAME))
            raise DataError(f"no check is called {name!r}; there are {known}")


SECTIONS: tuple[tuple[str, tuple[Check, ...]], ...] = (
    ("Labels and boxes", label_checks.CHECKS),
    ("Pictures", PICTURE_CHECKS),
    ("Files and ids", FILE_CHECKS),
)
