"""ETH-XGaze, normalised faces: 80 people with labels; 15 that everyone is compared on.

15 for calibration, not read.

What the files hold: `eth_xgaze_files.py`. Angles are turned into the vectors of `angles.py`, whose
convention is this dataset's own. Parts: `train` (70 people) and `validation`, the ten of the 80
that the field customarily holds out, so that a split exists for whoever has the dataset alone;
cards call it a split of the training people. Where the labels that the authors put beside their
code lie in the folder, `test` holds the official test people. Ids are person and row:
`subject0000/000012`, `test/subject0001/000003`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchbox.datasets import sample_checks
from benchbox.datasets.formats import hdf5
from benchbox.datasets.index import name_place
from benchbox.errors import DataError
from benchbox.types import Access, Finding, Index, Sample

from . import eth_xgaze_files
from .eth_xgaze_files import Person

if TYPE_CHECKING:
    from benchbox.types import Floats

ACCESS = Access(
    title="ETH-XGaze",
    folder="eth-xgaze",
    where="https://ait.ethz.ch/xgaze (form; ask for the 224 x 224 faces)",
    terms="CC BY-NC-SA 4.0 with further terms; no redistribution",
    citation=(
        "X. Zhang, S. Park, T. Beeler, D. Bradley, S. Tang, O. Hilliges: ETH-XGaze: A Large Scale "
        "Dataset for Gaze Estimation under Extreme Head Pose and Gaze Variation. ECCV 2020"
    ),
    layout="""\
eth-xgaze/[xgaze_224/]train_test_split.json                    80 + 15 + 15 people
eth-xgaze/[xgaze_224/]train/subject0000.h5 …                   80 files with labels
eth-xgaze/[xgaze_224/]test/subject0001.h5 …                    15 files without
eth-xgaze/reference_within/{index,within_test_labels}.txt      \
their labels, from the authors' code on GitHub:
                                                               \
evaluation_test_set_within_dataset_setting/ref""",
)
EXPECTED_PEOPLE = {"train": 80, "test": 15, "test_person_specific": 15}
VALIDATION_PEOPLE = ("0003", "0032", "0033", "0048", "0052", "0062", "0080", "0088", "0101", "0109")


def index(root: Path, *, pixels: bool = True) -> Index:
    """Read the labels under `root/eth-xgaze`; reads no picture.

    Rows without a label are left out and noted, as are absent people. Raises DataError for what is
    malformed.
    """
    del pixels  # labels and pictures share their files
    folder = eth_xgaze_files.find_folder(root / ACCESS.folder)
    listed: list[str] = []
    people: list[Person] = []
    if (folder / eth_xgaze_files.SPLIT).is_file():
        listed = sorted(eth_xgaze_files.read_split(folder)["train"])
        for name in listed:
            path = folder / "train" / name
            if path.is_file():
                people.append(eth_xgaze_files.read_labelled(path))
    notes = _missing_notes(folder, listed, people)
    if listed:
        people += eth_xgaze_files.read_official(folder, root / ACCESS.folder)

    ids, parts, clusters, places, sides = [], [], [], [], []
    for person in people:
        count = len(person.rows)
        ids += [f"{person.name}/{row:06d}" for row in person.rows]
        parts += [_part_of(person)] * count
        clusters += [person.name] * count
        places += [(person.path, int(row)) for row in person.rows]
        sides += [person.side] * count
    return Index(
        dataset="eth-xgaze",
        ids=np.array(ids, np.str_),
        parts=np.array(parts, np.str_),
        values=np.concatenate([np.empty((0, 3)), *(person.values for person in people)]),
        boxes={"patch": _patch_boxes(sides)},
        clusters=np.array(clusters, np.str_),
        read=partial(eth_xgaze_files.read_picture, tuple(places)),
        meta={
            "head_pose": np.concatenate([np.empty((0, 2)), *(person.head for person in people)]),
            "camera": np.concatenate([np.empty(0, int), *(person.camera for person in people)]),
        },
        notes=notes,
        cache_key=partial(hdf5.row_cache_key, tuple(places)),
        label_place=partial(name_place, tuple(places)),
    )


def _part_of(person: Person) -> str:
    if person.name.startswith("test/"):
        return "test"
    if person.name.removeprefix("subject") in VALIDATION_PEOPLE:
        return "validation"
    return "train"


def _patch_boxes(sides: Sequence[int]) -> Floats:
    """Return boxes (N, 4) about whole square patches, given their sides in px."""
    boxes = np.full((len(sides), 4), -0.5)
    boxes[:, 2:] += np.array(sides, np.float64)[:, None]
    return boxes


def _missing_notes(
    folder: Path, listed: Sequence[str], trained: Sequence[Person]
) -> tuple[str, ...]:
    if not (folder / eth_xgaze_files.SPLIT).is_file():
        return (f"there is no file {folder / eth_xgaze_files.SPLIT}",)
    notes = []
    absent = len(listed) - len(trained)
    if absent > 0:
        notes.append(f"{absent} of {len(listed)} labelled people are not in {folder / 'train'}")
    unlabelled = sum(person.bare for person in trained)
    if unlabelled:
        notes.append(f"{unlabelled} pictures have no label and are left out")
    return tuple(notes)


# --- a submission ---------------------------------------------------------------------------------


def list_test_samples(root: Path) -> list[Sample]:
    """List the pictures of the test people in the order of a submission.

    That is the split list's order of people, then that of their files. Ids are
    `test/subject0001/000000`. Raises DataError when a person is absent: a submission answers for
    everyone.
    """
    folder = eth_xgaze_files.find_folder(root / ACCESS.folder)
    if not (folder / eth_xgaze_files.SPLIT).is_file():
        raise DataError(_absent_split(folder))
    places: list[tuple[Path, int]] = []
    sides: list[int] = []
    for path in eth_xgaze_files.list_test_files(folder):
        count = eth_xgaze_files.count_pictures(path)
        places += [(path, number) for number in range(count)]
        sides += [eth_xgaze_files.picture_side(path)] * count
    boxes = _patch_boxes(sides)
    samples = []
    for row, (path, number) in enumerate(places):
        read = partial(eth_xgaze_files.read_picture, places, row)
        samples.append(Sample(f"test/{path.stem}/{number:06d}", boxes[row], read))
    return samples


def _absent_split(folder: Path) -> str:
    path = folder / eth_xgaze_files.SPLIT
    return f"there is no file {path}; get {ACCESS.title} at {ACCESS.where} ({ACCESS.terms})"


# --- examination ----------------------------------------------------------------------------------


def verify(root: Path) -> list[Finding]:
    """Examine a copy: lists, the files that they name, labels, and that test files have none."""
    folder = eth_xgaze_files.find_folder(root / ACCESS.folder)
    if not (folder / eth_xgaze_files.SPLIT).is_file():
        return [Finding("missing", _absent_split(folder))]
    try:
        lists, pictures = eth_xgaze_files.read_split(folder), index(root)
    except DataError as error:
        return [Finding("wrong", str(error))]
    findings = []
    for key, expected in EXPECTED_PEOPLE.items():
        listed = f"{eth_xgaze_files.SPLIT}: {key}"
        files = [name for name in lists[key] if (folder / key / name).is_file()]
        findings += [
            sample_checks.check_count(listed, len(lists[key]), expected, "people"),
            sample_checks.check_count(key, len(files), expected, "files"),
        ]
    held_out = {f"subject{number}" for number in VALIDATION_PEOPLE}
    count = len(held_out & set(pictures.clusters.tolist()))
    findings.append(sample_checks.check_count("held out of train", count, len(held_out), "people"))
    carrying = 0
    for name in lists["test"]:
        path = folder / "test" / name
        carrying += path.is_file() and hdf5.has_dataset(path, "face_gaze")
    if carrying:
        findings.append(
            Finding("wrong", f"{carrying} test files carry labels, which the release withholds")
        )
    scored = int((pictures.parts == "test").sum())
    what = f"{scored} labels of test people, from {eth_xgaze_files.LABELS.parent}"
    findings.append(Finding("ok" if scored else "missing", what))
    if len(pictures.ids):
        findings.append(Finding("ok", f"{len(pictures.ids)} labels, pitch and yaw in radians"))
    return findings
