"""ETH-XGaze, normalised faces: 80 people with labels; 15 that everyone is compared on.

15 for calibration, not read.

What the files hold: `xgaze_files.py`. Angles are turned into the vectors of `angles.py`, whose convention is this
dataset's own. Parts: `train` (70 people) and `validation`, the ten of the 80 that the field customarily holds out, so
that a split exists for whoever has the dataset alone; cards call it a split of the training people. Where the labels
that the authors put beside their code lie in the folder, `test` holds the official test people. Ids are person and row:
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
        "X. Zhang, S. Park, T. Beeler, D. Bradley, S. Tang, O. Hilliges: ETH-XGaze: A Large Scale Dataset for Gaze "
        "Estimation under Extreme Head Pose and Gaze Variation. ECCV 2020"
    ),
    layout="""\
eth-xgaze/[xgaze_224/]train_test_split.json                    80 + 15 + 15 people
eth-xgaze/[xgaze_224/]train/subject0000.h5 …                   80 files with labels
eth-xgaze/[xgaze_224/]test/subject0001.h5 …                    15 files without
eth-xgaze/reference_within/{index,within_test_labels}.txt      their labels, from the authors' code on GitHub:
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
    listed = (
        eth_xgaze_files.read_split(folder)["train"]
        if (folder / eth_xgaze_files.SPLIT).is_file()
        else []
    )
    there = [
        folder / "train" / name for name in sorted(listed) if (folder / "train" / name).is_file()
    ]
    trained = [eth_xgaze_files.read_labelled(path) for path in there]
    people = [
        *trained,
        *(eth_xgaze_files.read_official(folder, root / ACCESS.folder) if listed else []),
    ]
    counts = [len(person.rows) for person in people]
    places = tuple((person.path, int(row)) for person in people for row in person.rows)
    return Index(
        dataset="eth-xgaze",
        ids=np.array(
            [f"{person.name}/{row:06d}" for person in people for row in person.rows], np.str_
        ),
        parts=np.array([_part_of(person) for person in people for _ in person.rows], np.str_),
        values=np.concatenate([np.empty((0, 3)), *(person.values for person in people)]),
        boxes={"patch": _patch_boxes(np.repeat([person.side for person in people], counts))},
        clusters=np.array([person.name for person in people for _ in person.rows], np.str_),
        read=partial(eth_xgaze_files.read_picture, places),
        meta={
            "head_pose": np.concatenate([np.empty((0, 2)), *(person.head for person in people)]),
            "camera": np.concatenate([np.empty(0, int), *(person.camera for person in people)]),
        },
        notes=_missing_notes(folder, listed, trained),
        stamp=partial(hdf5.row_cache_key, places),
    )


def _part_of(person: Person) -> str:
    if person.name.startswith("test/"):
        return "test"
    return "validation" if person.name.removeprefix("subject") in VALIDATION_PEOPLE else "train"


def _patch_boxes(sides: np.ndarray) -> Floats:
    low = np.full(len(sides), -0.5)
    return np.stack([low, low, sides - 0.5, sides - 0.5], axis=1)


def _missing_notes(
    folder: Path, listed: Sequence[str], trained: Sequence[Person]
) -> tuple[str, ...]:
    if not (folder / eth_xgaze_files.SPLIT).is_file():
        return (f"there is no file {folder / eth_xgaze_files.SPLIT}",)
    notes = []
    if len(trained) < len(listed):
        notes.append(
            f"{len(listed) - len(trained)} of {len(listed)} labelled people are not in {folder / 'train'}"
        )
    bare = sum(person.bare for person in trained)
    if bare:
        notes.append(f"{bare} pictures have no label and are left out")
    return tuple(notes)


# --- a submission ---------------------------------------------------------------------------------


def list_test_samples(root: Path) -> list[Sample]:
    """List the pictures of the test people in the order of a submission: the split list's, then the files' own.

    Ids are `test/subject0001/000000`. Raises DataError when a person is absent: a submission
    answers for everyone.
    """
    folder = eth_xgaze_files.find_folder(root / ACCESS.folder)
    if not (folder / eth_xgaze_files.SPLIT).is_file():
        raise DataError(
            f"there is no file {folder / eth_xgaze_files.SPLIT}; get {ACCESS.title} at {ACCESS.where} ({ACCESS.terms})"
        )
    people = [
        (path, eth_xgaze_files.count_pictures(path), eth_xgaze_files.picture_side(path))
        for path in eth_xgaze_files.list_test_files(folder)
    ]
    places = [(path, row) for path, count, _ in people for row in range(count)]
    boxes = _patch_boxes(
        np.repeat([side for *_, side in people], [count for _, count, _ in people])
    )
    return [
        Sample(
            f"test/{path.stem}/{number:06d}",
            boxes[row],
            partial(eth_xgaze_files.read_picture, places, row),
        )
        for row, (path, number) in enumerate(places)
    ]


# --- examination ----------------------------------------------------------------------------------


def verify(root: Path) -> list[Finding]:
    """Examine a copy: the lists, the files that they name, labels, and that the test files carry none themselves."""
    folder = eth_xgaze_files.find_folder(root / ACCESS.folder)
    if not (folder / eth_xgaze_files.SPLIT).is_file():
        what = f"there is no file {folder / eth_xgaze_files.SPLIT}; get {ACCESS.title} at {ACCESS.where} ({ACCESS.terms})"
        return [Finding("missing", what)]
    try:
        lists, found = eth_xgaze_files.read_split(folder), index(root)
    except DataError as error:
        return [Finding("wrong", str(error))]
    findings = []
    for key, expected in EXPECTED_PEOPLE.items():
        findings.append(
            sample_checks.check_count(
                f"{eth_xgaze_files.SPLIT}: {key}", len(lists[key]), expected, "people"
            )
        )
        there = [name for name in lists[key] if (folder / key / name).is_file()]
        findings.append(sample_checks.check_count(key, len(there), expected, "files"))
    here = {f"subject{number}" for number in VALIDATION_PEOPLE} & set(found.clusters.tolist())
    findings.append(
        sample_checks.check_count("held out of train", len(here), len(VALIDATION_PEOPLE), "people")
    )
    test = [folder / "test" / name for name in lists["test"] if (folder / "test" / name).is_file()]
    carrying = sum(hdf5.has_dataset(path, "face_gaze") for path in test)
    if carrying:
        findings.append(
            Finding("wrong", f"{carrying} test files carry labels, which the release withholds")
        )
    scored = int((found.parts == "test").sum())
    findings.append(
        Finding(
            "ok" if scored else "missing",
            f"{scored} labels of test people, from {eth_xgaze_files.LABELS.parent}",
        )
    )
    if len(found.ids):
        findings.append(Finding("ok", f"{len(found.ids)} labels, pitch and yaw in radians"))
    return findings
