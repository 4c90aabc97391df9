"""AFLW with 19 points: 24,386 faces as CVPR'16 divided them, 20,000 to train and 4,386 to test.

Everything but the pictures comes from `AFLWinfo_release.mat`: names, boxes **[left right top bottom]**, points
[x1 … x19, y1 … y19], visibility, and `ra`, a permutation that counts from 1. Train are the first 20,000 of `ra`, test
the rest: slicing the list itself without `ra` is a known bug. An id is the picture and the row of the list, counted
from 1: `0/image12345-00017`, for up to a dozen faces share a picture; they form a cluster. 800 photographs have faces
in both splits, officially.

Points that are not visible carry coordinates too (inferred by the authors); `visible` says which. What counts pixels
from where is unknown; nobody shifts, nor does this reader. The face box (`rect`, also the scale of `face_size`) was not
detected: AFLW computed it from the true points by a pose fit, so it gives the face's extent away; it may leave the
picture, and 8 of them are not square.

"Frontal" means all 19 points visible: 1,314 test faces (`frontal`). Its authors' public list also asks that every point
lie strictly inside the box: 1,211 (`frontal_inside`). The 1,165 that papers print can be made by no rule known to us.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox.datasets import sample_checks
from benchbox.datasets.formats import images, matlab, paths
from benchbox.errors import DataError
from benchbox.geometry import tight_box
from benchbox.types import Access, Finding, Index

if TYPE_CHECKING:
    from benchbox.types import Bools, Bytes, Floats

ACCESS = Access(
    title="AFLW, 19 points (AFLW-19)",
    folder="aflw",
    where=(
        "pictures: https://www.tugraz.at/institute/icg/research/team-bischof/lrs/downloads/aflw/ (request, personal "
        "login); AFLWinfo_release.mat: http://mmlab.ie.cuhk.edu.hk/projects/compositional.html"
    ),
    terms="not-for-profit research only; the photographs belong to their owners",
    citation=(
        "M. Köstinger, P. Wohlhart, P. Roth, H. Bischof: Annotated Facial Landmarks in the Wild. ICCV Workshops 2011; "
        "19 points and splits: S. Zhu, C. Li, C. C. Loy, X. Tang: Unconstrained Face Alignment via Cascaded "
        "Compositional Learning. CVPR 2016"
    ),
    layout="""\
aflw/AFLWinfo_release.mat                24386 faces: 20000 train, 4386 test
aflw/data/flickr/{0,2,3}/image*.jpg      21121 pictures
(pictures are found below aflw/ by <folder>/<stem>, jpg or png; ids: 0/image12345-00017, 17 the row of the list)""",
)
FACES = 24386
TRAINING_FACES = 20000
FRONTAL = 1314
FRONTAL_INSIDE = 1211
_INFO = "AFLWinfo_release.mat"
_VARIABLES = ("bbox", "data", "mask_new", "nameList", "ra")
_LARGEST_FILE = 64 * 1024 * 1024  # bytes; the original takes a few MiB


def index(root: Path, *, pixels: bool = True) -> Index:
    """Read `root/aflw/AFLWinfo_release.mat`.

    With `pixels`, faces without a picture are left out and noted.

    Raises DataError for a file that is not the official one in type, shape or meaning; an absent
    one gives no rows.
    """
    folder = root / ACCESS.folder
    path = folder / _INFO
    if not path.is_file():
        return _build_index(folder, {}, _empty_table(), [], [f"there is no file {path}"])
    table = _read_table(path)
    there = _find_pictures(folder) if pixels else {}
    rows = [
        row
        for row, name in enumerate(table["names"])
        if not pixels or paths.drop_suffix(name) in there
    ]
    notes = []
    if len(rows) < len(table["names"]):
        notes.append(
            f"{len(table['names']) - len(rows)} of {len(table['names'])} faces have no picture and are left out"
        )
    return _build_index(folder, there, table, rows, notes)


def _empty_table() -> dict[str, Any]:
    return {
        "names": (),
        "boxes": np.empty((0, 4)),
        "values": np.empty((0, 19, 2)),
        "visible": np.empty((0, 19), bool),
        "trained": np.empty(0, bool),
    }


def _build_index(
    folder: Path,
    there: Mapping[str, Path],
    table: Mapping[str, Any],
    rows: Sequence[int],
    notes: Sequence[str],
) -> Index:
    chosen = np.asarray(rows, np.intp)
    names = tuple(paths.drop_suffix(table["names"][row]) for row in rows)
    values, boxes, visible = (
        table["values"][chosen],
        table["boxes"][chosen],
        table["visible"][chosen],
    )
    frontal = visible.all(axis=1)
    return Index(
        dataset="aflw",
        ids=np.array(
            [f"{name}-{row + 1:05d}" for name, row in zip(names, rows, strict=True)], np.str_
        ),
        parts=np.where(table["trained"][chosen], "train", "test").astype(np.str_),
        values=values,
        boxes={"rect": boxes, "ground_truth": tight_box(values) if len(rows) else np.empty((0, 4))},
        clusters=np.array(names, np.str_),
        read=partial(_read_picture, folder, there, names, values, visible),
        stamp=lambda row: images.file_cache_key(_file(folder, there, names[row])),
        visible=visible,
        attributes={"frontal": frontal, "frontal_inside": frontal & _all_inside(values, boxes)},
        notes=tuple(notes),
        scale_boxes=boxes,
    )


def _all_inside(values: Floats, boxes: Floats) -> Bools:
    """Say which faces have every point (N, K, 2) strictly inside their box (N, 4)."""
    return np.asarray(
        ((values > boxes[:, None, :2]) & (values < boxes[:, None, 2:])).all(axis=(1, 2))
    )


def _read_table(path: Path) -> dict[str, Any]:
    content = matlab.read_v5(path, _VARIABLES, _LARGEST_FILE)
    data = matlab.check_numbers(content["data"], (-1, 38), f"{path}: data")
    count = len(data)
    corners = matlab.check_numbers(content["bbox"], (count, 4), f"{path}: bbox")
    mask = matlab.check_numbers(content["mask_new"], (count, 19), f"{path}: mask_new")
    if not np.isin(mask, (0, 1)).all():
        raise DataError(f"{path}: mask_new holds something other than 0 and 1")
    left, right, top, bottom = corners.T
    if not ((right > left) & (bottom > top)).all():
        row = int(np.argmin((right > left) & (bottom > top)))
        raise DataError(f"{path}: bbox row {row + 1} {corners[row]} is not [left right top bottom]")
    return {
        "names": _names(content["nameList"], count, path),
        "boxes": np.stack([left, top, right, bottom], axis=1),
        "values": np.stack([data[:, :19], data[:, 19:]], axis=-1),
        "visible": mask == 1,
        "trained": _training_rows(content["ra"], count, path),
    }


def _names(cells: Any, count: int, path: Path) -> tuple[str, ...]:
    flat = np.asarray(cells).ravel()
    if len(flat) != count:
        raise DataError(f"{path}: nameList has {len(flat)} rows, data has {count}")
    names = []
    for row, cell in enumerate(flat, start=1):
        words = np.asarray(cell).ravel()
        if len(words) != 1 or words.dtype.kind != "U":
            raise DataError(f"{path}: nameList row {row} is not a name '0/image12345.jpg'")
        names.append(
            paths.check_relative_path(str(words[0]).strip(), f"{path}: nameList row {row}")
        )
    return tuple(names)


def _training_rows(order: Any, count: int, path: Path) -> Bools:
    """Return which rows train: the first 20,000 of the permutation `ra`, which counts from 1."""
    ra = matlab.check_numbers(np.asarray(order).ravel(), (-1,), f"{path}: ra")
    if not np.array_equal(np.sort(ra), np.arange(1, count + 1)):
        raise DataError(
            f"{path}: ra is no permutation of 1 … {count}; without it the split is unknown"
        )
    trained = np.zeros(count, bool)
    trained[ra[:TRAINING_FACES].astype(np.intp) - 1] = True
    return trained


def _find_pictures(folder: Path) -> dict[str, Path]:
    """Map `0/image12345` to its picture, wherever the folders 0, 2 and 3 lie below the dataset's."""
    found: dict[str, Path] = {}
    for name, path in paths.pictures_below(folder).items():
        found.setdefault("/".join(name.split("/")[-2:]), path)
    return found


def _file(folder: Path, there: Mapping[str, Path], name: str) -> Path:
    return there.get(name, folder / "data" / "flickr" / f"{name}.jpg")


def _read_picture(
    folder: Path,
    there: Mapping[str, Path],
    names: Sequence[str],
    values: Floats,
    visible: Bools,
    row: int,
) -> Bytes:
    path = _file(folder, there, names[row])
    pixels = images.decode_picture(path)
    # inferred points may lie far outside
    seen = visible[row] if visible[row].any() else slice(None)
    sample_checks.check_points_fit(path, values[row][seen], (pixels.shape[1], pixels.shape[0]))
    return pixels


def picture_files(root: Path) -> dict[str, Path]:
    """Map ids to picture files, for the examination."""
    found, there = index(root, pixels=False), _find_pictures(root / ACCESS.folder)
    paths = {
        str(name): there.get(str(photo))
        for name, photo in zip(found.ids, found.clusters, strict=True)
    }
    return {name: path for name, path in paths.items() if path}


# --- examination ----------------------------------------------------------------------------------


def verify(root: Path) -> list[Finding]:
    """Examine a copy: rows, split, both definitions of frontal, boxes, pictures, photographs in both splits."""
    try:
        found = index(root, pixels=False)
    except DataError as error:
        return [Finding("wrong", str(error))]
    test = found.parts == "test"
    there = _find_pictures(root / ACCESS.folder)
    paths = [there.get(str(name)) for name in found.clusters]
    seen = (
        np.where(found.visible[..., None], found.values, np.nan)
        if found.visible is not None
        else found.values
    )
    findings = [
        sample_checks.check_count(_INFO, len(found.ids), FACES, "faces"),
        sample_checks.check_count("test", int(test.sum()), FACES - TRAINING_FACES, "faces"),
    ]
    if len(found.ids) == FACES:
        frontal, inside = (
            int(found.attributes[key][test].sum()) for key in ("frontal", "frontal_inside")
        )
        findings += [
            sample_checks.check_count(
                "test faces with all 19 points visible", frontal, FRONTAL, "faces"
            ),
            sample_checks.check_count(
                "of these, with all points inside the box", inside, FRONTAL_INSIDE, "faces"
            ),
        ]
    hidden = int((~found.visible).sum()) if found.visible is not None else 0
    size = found.boxes["rect"][:, 2:] - found.boxes["rect"][:, :2]
    findings += [
        *sample_checks.check_pictures(found.ids.tolist(), paths, seen),
        Finding("ok", f"{hidden} points are not visible and carry inferred coordinates"),
    ]
    oblong = int((np.abs(size[:, 0] - size[:, 1]) > 0.5).sum())
    what = f"{oblong} of {len(size)} face boxes are not square"
    if 20 * oblong > len(size):
        findings.append(
            Finding("wrong", f"{what}; 8 of the release are: is bbox [left right top bottom]?")
        )
    else:
        findings.append(Finding("ok", what))
    shared = set(found.clusters[test].tolist()) & set(found.clusters[~test].tolist())
    if shared:
        what = f"{len(shared)} photos have faces in train and in test, as in the official split; first {min(shared)}"
        findings.append(Finding("ok", what))
    return findings
