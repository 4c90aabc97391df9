"""COFW-68: the 507 test faces of COFW annotated anew with 68 points and occlusion, to test what 300-W trained.

`test_annotations/<n>_points.mat` holds `Points` (68 x 2) and `Occ` (1 = occluded); `cofw68_test_bboxes.mat` holds boxes
x y width height stored as int16, some of which begin left of the picture. n counts from 1 and is the row of COFW's own
test file, where the pictures are: `benchbox` reads them from `cofw/`. Ids are those of COFW, `test/0001`. Points count
pixels from 1 (`Index.origin`); two faces have points with negative coordinates.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchbox.datasets import sample_checks
from benchbox.datasets.formats import matlab
from benchbox.errors import DataError
from benchbox.geometry import tight_box
from benchbox.types import Access, Finding, Index

from . import cofw

if TYPE_CHECKING:
    from benchbox.types import Bools, Bytes, Floats

ACCESS = Access(
    title="COFW-68 (COFW's test faces with 68 points)",
    folder="cofw68",
    where="https://github.com/golnazghiasi/cofw68-benchmark (annotations and boxes); pictures: COFW_color.zip of COFW",
    terms="no licence stated; research use by custom, pictures under COFW's terms",
    citation=(
        "G. Ghiasi, C. C. Fowlkes: Occlusion Coherence: Detecting and Localizing Occluded Faces. arXiv 1506.08347, 2015"
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

    With `pixels`, COFW's test file must be there too, else no rows.

    Raises DataError for a malformed or missing annotation in between; an absent folder gives no
    rows and a note.
    """
    folder = root / ACCESS.folder
    notes: list[str] = []
    numbers = _annotation_numbers(folder)
    if not numbers:
        notes.append(f"there is no <n>_points.mat in {folder / 'test_annotations'}")
    pictures = cofw.find_file(root / cofw.ACCESS.folder, "test")
    if pixels and pictures is None:
        notes.append(
            f"the pictures are COFW's: there is no file {root / cofw.ACCESS.folder / 'COFW_test_color.mat'}"
        )
        numbers = []
    faces = [_read_face(folder, number) for number in numbers]
    values = np.array([points for points, _ in faces]).reshape(-1, 68, 2)
    visible = np.array([seen for _, seen in faces], bool).reshape(-1, 68)
    ids = np.array([f"test/{number:04d}" for number in numbers], np.str_)
    return Index(
        dataset="cofw68",
        ids=ids,
        parts=np.array(["test"] * len(ids), np.str_),
        values=values,
        boxes={
            "detector": _read_boxes(folder, numbers, notes),
            "ground_truth": tight_box(values) if numbers else np.empty((0, 4)),
        },
        clusters=ids,
        read=partial(_read_picture, pictures, tuple(numbers), values),
        origin=1.0,
        visible=visible,
        notes=tuple(notes),
    )


def _annotation_numbers(folder: Path) -> list[int]:
    place = folder / "test_annotations"
    stems = (
        [path.name.removesuffix("_points.mat") for path in place.glob("*_points.mat")]
        if place.is_dir()
        else []
    )
    return sorted(int(stem) for stem in stems if stem.isdecimal() and 0 < int(stem) <= FACES)


def _read_face(folder: Path, number: int) -> tuple[Floats, Bools]:
    path = folder / "test_annotations" / f"{number}_points.mat"
    content = matlab.read_v5(path, ("Points", "Occ"), _LARGEST_FILE)
    points = matlab.check_numbers(content["Points"], (68, 2), f"{path}: Points")
    occluded = matlab.check_numbers(np.asarray(content["Occ"]).ravel(), (68,), f"{path}: Occ")
    if not np.isin(occluded, (0, 1)).all():
        raise DataError(f"{path}: Occ holds something other than 0 and 1")
    return points, occluded == 0


def _read_boxes(folder: Path, numbers: list[int], notes: list[str]) -> Floats:
    """Return corner boxes, NaN where the file is absent."""
    path = folder / "cofw68_test_bboxes.mat"
    if not path.is_file():
        notes.append(f"there is no file {path}; +box=ground_truth needs none")
        return np.full((len(numbers), 4), np.nan)
    stored = matlab.read_v5(path, ("bboxes",), _LARGEST_FILE)["bboxes"]
    # int16 in the file: sums would wrap
    boxes = matlab.check_numbers(stored, (FACES, 4), f"{path}: bboxes")
    flat = np.flatnonzero(~(boxes[:, 2:] > 0).all(axis=1))
    if len(flat):
        raise DataError(
            f"{path}: bboxes row {flat[0] + 1} {boxes[flat[0]]} is not x y width height"
        )
    corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
    return corners[np.array(numbers, np.intp) - 1]


def _read_picture(path: Path | None, numbers: tuple[int, ...], values: Floats, row: int) -> Bytes:
    if path is None:
        raise DataError(
            f"test/{numbers[row]:04d}: COFW_test_color.mat is not under the data root's cofw/"
        )
    pixels = cofw.read_picture(path, "test", numbers[row] - 1)
    sample_checks.check_points_fit(
        Path(f"{path}#{numbers[row]}"), values[row] - 1.0, (pixels.shape[1], pixels.shape[0])
    )
    return pixels


def verify(root: Path) -> list[Finding]:
    """Examine a copy: annotations, occlusion, boxes, COFW's pictures against the points."""
    try:
        found = index(root, pixels=False)
    except DataError as error:
        return [Finding("wrong", str(error))]
    findings = [sample_checks.check_count("test_annotations", len(found.ids), FACES, "faces")]
    if not len(found.ids):
        return findings
    assert found.visible is not None
    findings.append(Finding("ok", f"{1 - found.visible.mean():.1%} of the points are occluded"))
    lacking = int(np.isnan(found.boxes["detector"][:, 0]).sum())
    findings.append(
        Finding(
            "missing" if lacking else "ok", f"{lacking} faces have no box of cofw68_test_bboxes.mat"
        )
    )
    if cofw.find_file(root / cofw.ACCESS.folder, "test") is None:
        return [
            *findings,
            Finding("missing", "COFW_test_color.mat with the pictures is not in cofw/"),
        ]
    return [*findings, *sample_checks.check_decoding(found)]
