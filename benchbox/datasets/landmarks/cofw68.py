"""COFW-68: the 507 test faces of COFW with 68 points and occlusion, to test what 300-W trained.

The points were annotated anew. `test_annotations/<n>_points.mat` holds `Points` (68 x 2) and `Occ`
(1 = occluded); `cofw68_test_bboxes.mat` holds boxes x y width height stored as int16, some of which
begin left of the picture. n counts from 1 and is the row of COFW's own test file, where the
pictures are: `benchbox` reads them from `cofw/`. Ids are those of COFW, `test/0001`. Points count
pixels from 1 (`Index.origin`); two faces have points with negative coordinates.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchbox.datasets import sample_checks
from benchbox.datasets.index import name_place
from benchbox.errors import DataError
from benchbox.file_readers import matlab_files
from benchbox.geometry import tight_box
from benchbox.types import Access, Finding, Index

from . import cofw

if TYPE_CHECKING:
    from benchbox.types import Bools, Bytes, Floats

ACCESS = Access(
    title="COFW-68 (COFW's test faces with 68 points)",
    folder="cofw68",
    where=(
        "https://github.com/golnazghiasi/cofw68-benchmark (annotations and boxes); pictures: "
        "COFW_color.zip of COFW"
    ),
    terms="no licence stated; research use by custom, pictures under COFW's terms",
    citation=(
        "G. Ghiasi, C. C. Fowlkes: Occlusion Coherence: Detecting and Localizing Occluded Faces. "
        "arXiv 1506.08347, 2015"
    ),
    layout="""\
cofw68/test_annotations/<n>_points.mat    n = 1 … 507
cofw68/cofw68_test_bboxes.mat             507 boxes x y width height
cofw/COFW_test_color.mat                  the pictures, row n (not needed to score a file)""",
)
FACES = 507
_LARGEST_FILE = 1024 * 1024  # bytes; an annotation takes 1 KiB


def index(root: Path, *, pixels: bool = True) -> Index:
    """Read annotations and boxes under `root/cofw68`.

    Values are (N, 68, 2) px, counted from 1. With `pixels`, COFW's test file must be there too,
    else no rows; an absent folder gives no rows and a note.

    Raises
    ------
    DataError
        An annotation or the file of boxes is malformed.
    """
    folder = root / ACCESS.folder
    notes: list[str] = []
    numbers = _annotation_numbers(folder)
    if not numbers:
        notes.append(f"there is no <n>_points.mat in {folder / 'test_annotations'}")
    cofw_folder = root / cofw.ACCESS.folder
    picture_file = cofw.find_file(cofw_folder, "test")
    if pixels and picture_file is None:
        notes.append(
            f"the pictures are COFW's: there is no file {cofw_folder / 'COFW_test_color.mat'}"
        )
        numbers = []
    values = np.empty((len(numbers), 68, 2))
    visible = np.empty((len(numbers), 68), bool)
    for row, number in enumerate(numbers):
        values[row], visible[row] = _read_face(folder, number)
    ids = np.array([_face_id(number) for number in numbers], np.str_)
    return Index(
        dataset="cofw68",
        ids=ids,
        parts=np.array(["test"] * len(ids), np.str_),
        values=values,
        boxes={
            "detector": _read_boxes(folder, numbers, notes),
            "ground_truth": tight_box(values),
        },
        clusters=ids,
        read=partial(_read_picture, picture_file, tuple(numbers), values),
        origin=1.0,
        visible=visible,
        notes=tuple(notes),
        label_place=partial(name_place, [f"{number}_points.mat" for number in numbers]),
    )


def _face_id(number: int) -> str:
    """Return the id of a face: split and row of COFW's test file, counted from 1.

    >>> _face_id(7)
    'test/0007'
    """
    return f"test/{number:04d}"


def _annotation_numbers(folder: Path) -> list[int]:
    """Return the n of every `<n>_points.mat`, in order."""
    numbers = []
    for path in (folder / "test_annotations").glob("*_points.mat"):
        stem = path.name.removesuffix("_points.mat")
        if stem.isdecimal() and 0 < int(stem) <= FACES:
            numbers.append(int(stem))
    return sorted(numbers)


def _read_face(folder: Path, number: int) -> tuple[Floats, Bools]:
    """Return the points (68, 2) px and their visibility (68,) of one face."""
    path = folder / "test_annotations" / f"{number}_points.mat"
    content = matlab_files.read_v5(path, ("Points", "Occ"), _LARGEST_FILE)
    points = matlab_files.check_numbers(content["Points"], (68, 2), f"{path}: Points")
    occluded = matlab_files.check_numbers(np.asarray(content["Occ"]).ravel(), (68,), f"{path}: Occ")
    if not np.isin(occluded, (0, 1)).all():
        raise DataError(f"{path}: Occ holds something other than 0 and 1")
    return points, occluded == 0


def _read_boxes(folder: Path, numbers: list[int], notes: list[str]) -> Floats:
    """Return corner boxes (N, 4) px, NaN where the file is absent."""
    path = folder / "cofw68_test_bboxes.mat"
    if not path.is_file():
        notes.append(f"there is no file {path}; +box=ground_truth needs none")
        return np.full((len(numbers), 4), np.nan)
    stored = matlab_files.read_v5(path, ("bboxes",), _LARGEST_FILE)["bboxes"]
    # int16 in the file: sums would wrap
    boxes = matlab_files.check_numbers(stored, (FACES, 4), f"{path}: bboxes")
    corners = cofw.corners_of_sizes(boxes, f"{path}: bboxes")
    return corners[np.array(numbers, np.intp) - 1]


def _read_picture(path: Path | None, numbers: tuple[int, ...], values: Floats, row: int) -> Bytes:
    if path is None:
        raise DataError(
            f"{_face_id(numbers[row])}: COFW_test_color.mat is not under the data root's cofw/"
        )
    pixels = cofw.read_picture(path, "test", numbers[row] - 1)
    height, width = pixels.shape[:2]
    where = Path(f"{path}#{numbers[row]}")
    sample_checks.check_points_fit(where, values[row] - 1.0, (width, height))
    return pixels


# --- examination ----------------------------------------------------------------------------------


def verify(root: Path) -> list[Finding]:
    """Examine a copy: annotations, occlusion, boxes, COFW's pictures against the points."""
    try:
        faces = index(root, pixels=False)
    except DataError as error:
        return [Finding("wrong", str(error))]
    findings = [sample_checks.check_count("test_annotations", len(faces.ids), FACES, "faces")]
    if not len(faces.ids):
        return findings
    assert faces.visible is not None
    findings.append(Finding("ok", f"{1 - faces.visible.mean():.1%} of the points are occluded"))
    without_box = int(np.isnan(faces.boxes["detector"][:, 0]).sum())
    text = f"{without_box} faces have no box of cofw68_test_bboxes.mat"
    if without_box:
        findings.append(Finding("missing", text))
    else:
        findings.append(Finding("ok", text))
    if cofw.find_file(root / cofw.ACCESS.folder, "test") is None:
        text = "COFW_test_color.mat with the pictures is not in cofw/"
        return [*findings, Finding("missing", text)]
    return [*findings, *sample_checks.check_decoding(faces)]
