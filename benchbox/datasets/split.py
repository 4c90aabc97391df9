"""From a dataset's index and a protocol to what a method sees and what the scorer compares with.

This is where the dataset's own frame ends: boxes and values of samples leave here with
`Index.origin` subtracted, truth keeps the frame of the annotation files. It is also where
completeness is enforced: a test set is whole or the protocol refuses to run, a training set may be
partial and then gives the data a name of their own.

With folds the same items are trained and tested on, never by one model: each fold leaves out whole
clusters, trains on all the others, and is tested on those that it left out. The data of a protocol
with folds are described as a whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, overload

import numpy as np

from benchbox import geometry
from benchbox.errors import DataError
from benchbox.types import Examples, Index, Protocol, Sample, Truth

from . import DATASETS, open_protocol_dataset, select
from .assemble import EXTRA
from .cluster_draw import draw_clusters, hash_order
from .index import take_column

if TYPE_CHECKING:
    from benchbox.types import Bools, Floats, Strings

GROUND_TRUTH = "ground_truth"  # boxes drawn tight about the true points
DETECTOR = "detector"


@dataclass(frozen=True)
class DataRecord:
    """What a run or a score says about its data."""

    dataset: str
    variant: str  # "complete", "train 2012 of 3148, moved annotations"
    fingerprint: str  # "sha256:…" over ids, values and boxes, training rows first, then test rows
    notes: tuple[str, ...]
    train: int  # training items used, validation and unlabelled ones included
    test: int


@dataclass(frozen=True, eq=False)
class Split:
    """A protocol's data: samples in the pixel frame, truth in the dataset's own frame.

    Test rows stand in one order in both.
    """

    labelled: Examples
    validation: Examples | None
    unlabelled: Sequence[Sample]
    test: Sequence[Sample]
    truth: Truth
    data: DataRecord


def fold_names(protocol: Protocol, index: Index) -> tuple[str, ...]:
    """Name the folds of a protocol, "" alone where it has none.

    Raises
    ------
    DataError
        The test set is not whole, or makes fewer than two folds.
    """
    if not protocol.folds:
        return ("",)
    test = _test_rows(protocol, index)
    names = np.unique(_fold_per_row(protocol, index.clusters[test]))
    if len(names) < 2:
        raise _incomplete_error(
            protocol, index, f"needs two folds or more, this copy has one {protocol.cluster}"
        )
    return tuple(str(name) for name in names)


def split_index(protocol: Protocol, index: Index, fold: str = "") -> Split:
    """Divide an index as a protocol's card says, for one of its folds; touches no pixel.

    The labelled share is drawn first and the validation share, the hold-out split, from it, both by
    whole clusters in the order of a hash, so protocols with the same training parts share one
    division and a partial copy keeps the order of the whole one.

    Raises
    ------
    DataError
        The test set is not whole, nothing is left to train on, an item is doubled, or a box is
        missing; says where the data are had, under which terms, and what runs without them.
    """
    all_train, all_test = _train_and_test_rows(protocol, index)
    train, test = all_train, all_test
    if protocol.folds:
        in_fold = _fold_per_row(protocol, index.clusters[test]) == fold
        train, test = test[~in_fold], test[in_fold]
        if not len(test):
            raise DataError(f"{protocol.name}: there is no fold {fold!r}")
    _check_disjoint(protocol, index, train, test)
    own_validation = np.flatnonzero(select.select_rows(index, protocol.validation_parts))
    extra = np.flatnonzero(index.parts == EXTRA)
    boxes = _SampleBoxes(
        _method_boxes(protocol, index, np.concatenate([train, test, own_validation, extra])),
        _extra_boxes(protocol, index),
        _detector_boxes(protocol, index, train),
    )
    division = _divide_training_rows(protocol, index.clusters[train])
    validation_rows = np.concatenate([train[division.validation], own_validation])
    validation = None
    if len(validation_rows):
        validation = _examples(index, boxes, validation_rows)
    unlabelled_rows = np.concatenate([train[division.unlabelled], extra])
    data = _training_record(protocol, index, all_train, all_test)
    return Split(
        labelled=_examples(index, boxes, train[division.labelled]),
        validation=validation,
        unlabelled=Samples(index, boxes, unlabelled_rows),
        test=Samples(index, boxes, test),
        truth=_truth_of_rows(protocol, index, test, all_test),
        data=_add_unlabelled(protocol, index, data, train[~division.unlabelled], extra),
    )


def test_samples(protocol: Protocol, index: Index) -> Sequence[Sample]:
    """Return every test item as a method sees it, in the order of the truth; no training set.

    Raises
    ------
    DataError
        The test set is not whole, or a box is missing.
    """
    rows = _test_rows(protocol, index)
    boxes = _SampleBoxes(_method_boxes(protocol, index, rows), _extra_boxes(protocol, index))
    return Samples(index, boxes, rows)


def ground_truth(protocol: Protocol, index: Index) -> Truth:
    """Return what the scorer compares with, in the dataset's own frame; needs annotations only.

    Raises
    ------
    DataError
        The test set is not whole, or a group is empty.
    """
    rows = _test_rows(protocol, index)
    return _truth_of_rows(protocol, index, rows, rows)


def fingerprint_test(protocol: Protocol, index: Index) -> str:
    """Hash ids, values and boxes of the test items: what a model that is trained is given."""
    return _fingerprint_rows(index, (_test_rows(protocol, index),), protocol.box)


def describe_data(protocol: Protocol, index: Index) -> DataRecord:
    """Describe the data of a score that involves no training: test annotations only, no boxes.

    Raises
    ------
    DataError
        The test set is not whole.
    """
    test = _test_rows(protocol, index)
    fingerprint = _fingerprint_rows(index, (test,), None)
    return DataRecord(index.dataset, index.variant, fingerprint, index.notes, 0, len(test))


# --- rows -----------------------------------------------------------------------------------------


def _train_and_test_rows(protocol: Protocol, index: Index) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows to train and to test on.

    With folds they are the same, and a card may have none to train on.
    """
    test = _test_rows(protocol, index)
    chosen = np.flatnonzero(select.select_rows(index, protocol.train_parts))
    train = _without_absent_points(index, chosen)
    if protocol.train_parts and not len(train):
        parts = ", ".join(protocol.train_parts)
        raise _incomplete_error(
            protocol, index, f"needs training faces ({parts}), this copy has none"
        )
    return train, test


def _without_absent_points(index: Index, rows: np.ndarray) -> np.ndarray:
    """Return the rows whose every point is there: recipes need them all."""
    if index.absent is None:
        return rows
    complete: np.ndarray = rows[~index.absent[rows].any(axis=1)]
    return complete


def _test_rows(protocol: Protocol, index: Index) -> np.ndarray:
    """Return the rows of the test set, in the order of the index.

    Raises DataError unless it is whole.
    """
    _check_unique_ids(index)
    members = protocol.groups[protocol.overall]
    rows = np.flatnonzero(select.select_rows(index, members))
    clusters = len(np.unique(index.clusters[rows]))
    if protocol.test_clusters and clusters != protocol.test_clusters:
        raise _incomplete_error(
            protocol,
            index,
            f"needs {protocol.test_clusters} {protocol.cluster}s to test on, "
            f"this copy has {clusters}",
        )
    if protocol.test_expected and len(rows) != protocol.test_expected:
        counts = []
        for member in members:
            counts.append(f"{member} {int(select.select_rows(index, [member]).sum())}")
        raise _incomplete_error(
            protocol,
            index,
            f"needs {protocol.test_expected} test items, "
            f"this copy has {len(rows)} ({', '.join(counts)})",
        )
    return rows


def _check_unique_ids(index: Index) -> None:
    names, counts = np.unique(index.ids, return_counts=True)
    doubled = names[counts > 1]
    if len(doubled):
        raise DataError(
            f"{index.dataset}: {str(doubled[0])!r} is there twice; an id names one item"
        )


def _check_disjoint(protocol: Protocol, index: Index, train: np.ndarray, test: np.ndarray) -> None:
    both = np.intersect1d(train, test)
    if len(both):
        first = str(index.ids[both[0]])
        raise DataError(f"{protocol.name}: {first!r} would be trained and tested on; mend the card")
    _check_no_face_twice(protocol, index, train, test)


def _check_no_face_twice(
    protocol: Protocol, index: Index, train: np.ndarray, test: np.ndarray
) -> None:
    """Refuse one annotated face of own files that is in training and test under two ids.

    Another face of the same photograph is none: its points lie elsewhere.
    """
    if protocol.source is None or protocol.task != "landmarks" or index.images is None:
        return
    trained = {(str(index.images[row]), index.values[row].tobytes()): row for row in train}
    for row in test:
        same = trained.get((str(index.images[row]), index.values[row].tobytes()))
        if same is not None:
            raise DataError(
                f"{protocol.name}: {str(index.ids[same])!r} and {str(index.ids[row])!r} are one "
                "face with the same points, and would be trained and tested on; mend the files"
            )


def _shared_clusters(index: Index, train: np.ndarray, test: np.ndarray) -> list[str]:
    return [str(name) for name in np.intersect1d(index.clusters[train], index.clusters[test])]


def _fold_per_row(protocol: Protocol, clusters: Strings) -> Strings:
    """Name the fold (N,) that leaves out each of some items, given their clusters (N,)."""
    if protocol.folds == "cluster":
        return clusters
    number = int(protocol.folds)
    names, cluster_of_row = np.unique(clusters, return_inverse=True)
    parts = ",".join(sorted(protocol.train_parts))
    order = hash_order(names, f"{protocol.dataset}:{parts}:folds")
    fold_of_cluster = np.empty(len(names), int)
    fold_of_cluster[order] = np.arange(len(names)) % number
    fold_labels = np.array([f"{fold + 1}-of-{number}" for fold in range(number)])
    return fold_labels[fold_of_cluster[cluster_of_row]]


# --- boxes ----------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _SampleBoxes:
    """The boxes that methods are given, of every row of the index, pixel frame."""

    face: Floats  # (N, 4)
    extra: Mapping[str, Floats]  # source → (N, 4)
    detector: Floats | None = None  # (N, 4) as Examples.detector_boxes


def _method_boxes(protocol: Protocol, index: Index, rows: np.ndarray) -> Floats:
    """Return the boxes (N, 4) that methods are given, pixel frame.

    Raises DataError when one of the rows has none.
    """
    boxes = _require_source(protocol, index, protocol.box)
    absent = rows[~np.isfinite(boxes[rows]).all(axis=1)]
    if len(absent):
        parts = ", ".join(np.unique(index.parts[absent]))
        first = str(index.ids[absent[0]])
        raise _incomplete_error(
            protocol,
            index,
            f"needs {protocol.box} boxes and {len(absent)} items have none "
            f"({parts}; first {first!r}){_other_boxes_hint(protocol)}",
        )
    return geometry.expand_boxes(boxes - index.origin, protocol.box_expansion)


def _require_source(protocol: Protocol, index: Index, source: str) -> Floats:
    if source not in index.boxes:
        raise DataError(
            f"{protocol.name}: {index.dataset} has no {source!r} boxes, "
            f"only {', '.join(index.boxes)}"
        )
    return index.boxes[source]


def _other_boxes_hint(protocol: Protocol) -> str:
    others = []
    for source in protocol.options.get("box", ()):
        if source != protocol.box:
            others.append(f"+box={source}")
    if not others:
        return ""
    return f"; or add {' or '.join(others)} to the protocol's name"


def _extra_boxes(protocol: Protocol, index: Index) -> dict[str, Floats]:
    """Return the further boxes (N, 4) that the card names, pixel frame; a row may have none (NaN).

    A preparation of its own comes whole: with `itracker_face` as the box, `left_eye` is what
    `itracker_left_eye` holds.
    """
    preparation = ""
    if protocol.box.endswith("_face"):
        preparation = protocol.box.removesuffix("face")
    boxes = {}
    for name in protocol.extra_boxes:
        boxes[name] = _require_source(protocol, index, preparation + name) - index.origin
    return boxes


def _detector_boxes(protocol: Protocol, index: Index, train: np.ndarray) -> Floats | None:
    """Return the boxes (N, 4) that tell how a detector errs, pixel frame, or None.

    A test on boxes about the true points is no reason to train on nothing else.
    """
    source = _detector_source(protocol, index, train)
    if not source:
        return None
    return geometry.expand_boxes(index.boxes[source] - index.origin, protocol.box_expansion)


def _detector_source(protocol: Protocol, index: Index, train: np.ndarray) -> str:
    """Name the boxes that training learns the errors of boxes from, "" where there are none.

    The protocol's own; where those are drawn about the true points, a detector's boxes of the
    training rows, else those that come with the data set.
    """
    if protocol.box != GROUND_TRUTH:
        return protocol.box
    for source in sorted(index.boxes, key=lambda name: name != DETECTOR):
        if source != GROUND_TRUTH and np.isfinite(index.boxes[source][train]).all(axis=1).any():
            return source
    return ""


# --- labelled share and hold-out split ------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Division:
    """Which of the training rows (N,) are labelled, held out for validation, or unlabelled."""

    labelled: Bools
    validation: Bools
    unlabelled: Bools


def _divide_training_rows(protocol: Protocol, clusters: Strings) -> _Division:
    """Divide training rows, given their clusters (N,), by whole clusters."""
    dataset = protocol.train_dataset or protocol.dataset
    salt = f"{dataset}:{','.join(sorted(protocol.train_parts))}"
    with_labels = np.ones(len(clusters), bool)
    if protocol.labelled < 1:
        labelled_salt = f"{salt}:labelled"
        if protocol.draw:
            labelled_salt += f":{protocol.draw}"
        quota = _share_of_rows(protocol.labelled, with_labels)
        with_labels = draw_clusters(with_labels, clusters, quota, labelled_salt)
    quota = _share_of_rows(protocol.validation, with_labels)
    validation = draw_clusters(with_labels, clusters, quota, f"{salt}:validation")
    return _Division(with_labels & ~validation, validation, ~with_labels)


def _share_of_rows(share: float, among: Bools) -> int:
    """Return how many rows a share of the marked ones is, rounded down as papers do.

    Where only floating point falls short, it is rounded up.

    >>> _share_of_rows(0.1, np.ones(3148, bool))
    314
    >>> _share_of_rows(0.29, np.ones(100, bool))  # 0.29 * 100 is 28.999999999999996
    29
    """
    return int(share * int(among.sum()) + 1e-6)


# --- values ---------------------------------------------------------------------------------------


class Samples(Sequence[Sample]):
    """Some rows of an index as samples, each made when it is asked for.

    A million at once would take gigabytes.
    """

    def __init__(self, index: Index, boxes: _SampleBoxes, rows: np.ndarray) -> None:
        self._index, self._boxes, self._rows = index, boxes, rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, position: int) -> Sample: ...

    @overload
    def __getitem__(self, position: slice) -> Samples: ...

    def __getitem__(self, position: int | slice) -> Sample | Samples:
        if isinstance(position, slice):
            return Samples(self._index, self._boxes, self._rows[position])
        row, index = int(self._rows[position]), self._index
        cache_key = None
        if index.cache_key:
            cache_key = partial(index.cache_key, row)
        return Sample(
            id=str(index.ids[row]),
            # copies: a method that moves a box in place moves its own
            box=self._boxes.face[row].copy(),
            pixels=partial(index.read, row),
            boxes={source: boxes[row].copy() for source, boxes in self._boxes.extra.items()},
            meta={key: column[row] for key, column in index.meta.items()},
            cache_key=cache_key,
        )


def _examples(index: Index, boxes: _SampleBoxes, rows: np.ndarray) -> Examples:
    values = index.values[rows]
    if values.ndim == 3:  # only landmarks live in a picture's frame; gaze has no origin
        values = values - index.origin
    return Examples(
        samples=Samples(index, boxes, rows),
        values=values,
        clusters=index.clusters[rows],
        visible=take_column(index.visible, rows),
        detector_boxes=take_column(boxes.detector, rows),
    )


def _truth_of_rows(
    protocol: Protocol, index: Index, rows: np.ndarray, all_test: np.ndarray
) -> Truth:
    """Return the truth of some test rows; `all_test` are those of every fold."""
    if protocol.masked and index.visible is None:
        raise DataError(
            f"{protocol.name}: masked = true, but {protocol.dataset} says of no point what is "
            "visible"
        )
    groups = _check_groups(protocol, index, all_test)
    if protocol.folds:  # what each left-out cluster scored
        for name in np.unique(index.clusters[rows]):
            groups.setdefault(str(name), index.clusters == name)
    return Truth(
        ids=index.ids[rows],
        values=index.values[rows],
        groups={group: in_group[rows] for group, in_group in groups.items()},
        clusters=index.clusters[rows],
        visible=take_column(index.visible, rows),
        boxes=_scale_boxes(protocol, index, rows),
        sequences=take_column(index.sequences, rows),
        absent=take_column(index.absent, rows),
    )


def _scale_boxes(protocol: Protocol, index: Index, rows: np.ndarray) -> Floats | None:
    """Return the face boxes (M, 4) of some rows, None where the dataset has none at all.

    Raises DataError when some items have one and a scored one has not: `face_size` would divide it
    by something else.
    """
    if index.scale_boxes is None:
        return None
    boxes = np.asarray(index.scale_boxes[rows])
    lacking = np.flatnonzero(~np.isfinite(boxes).all(axis=1))
    if not len(lacking):
        return boxes
    if "face_size" in protocol.normalisers:
        first = rows[lacking[0]]
        place = f" ({index.label_place(int(first))})" if index.label_place else ""
        raise DataError(
            f"{protocol.name}: face_size divides by box_size, which {len(lacking)} of {len(rows)} "
            f"test items lack and others of {index.dataset} have; first {index.ids[first]}{place}: "
            "add it or take it out of every file"
        )
    return None


def _check_groups(protocol: Protocol, index: Index, all_test: np.ndarray) -> dict[str, Bools]:
    """Return the rows (N,) of each group; a group lies in the test set and is not empty."""
    groups = {}
    for group, members in protocol.groups.items():
        in_group = select.select_rows(index, members)
        fault = ""
        if not in_group.any():
            fault = "is empty"
        elif in_group.sum() != in_group[all_test].sum():
            fault = f"has items outside the overall group {protocol.overall!r}"
        if fault:
            raise DataError(
                f"{protocol.name}: the group {group!r} {fault}; "
                "mend the card or the copy of the data"
            )
        groups[group] = in_group
    return groups


# --- what a record says ---------------------------------------------------------------------------


def _training_record(
    protocol: Protocol, index: Index, train: np.ndarray, test: np.ndarray
) -> DataRecord:
    available = train
    if protocol.holdout:
        available = np.concatenate([train, _without_absent_points(index, test)])
    variant = _train_completeness(protocol, index, available)
    if index.variant != "complete":
        variant += f", {index.variant}"
    notes = list(index.notes)
    if protocol.holdout:
        notes.append(
            f"tested on {len(test)} of {len(train) + len(test)} training items, not on the test set"
        )
    row_sets: tuple[np.ndarray, ...] = (test,)
    if not protocol.folds:
        row_sets = (train, test)
        shared = _shared_clusters(index, train, test)
        if shared:
            notes.append(
                f"trained and tested on items of {len(shared)} {protocol.cluster} "
                f"({', '.join(shared[:3])})"
            )
    fingerprint = _fingerprint_rows(index, row_sets, protocol.box)
    source = _detector_source(protocol, index, train)
    if source and source != protocol.box:
        fingerprint = _fingerprint_rows(index, (train,), source, fingerprint)
    return DataRecord(index.dataset, variant, fingerprint, tuple(notes), len(train), len(test))


def _add_unlabelled(
    protocol: Protocol, index: Index, data: DataRecord, labelled: np.ndarray, extra: np.ndarray
) -> DataRecord:
    """Add what a record says of training without all labels: who keeps theirs, what joins."""
    notes, variant, fingerprint = list(data.notes), data.variant, data.fingerprint
    if protocol.labelled < 1:
        names = sorted(str(name).replace(" ", "") for name in index.ids[labelled])
        digest = hashlib.sha256("\n".join(names).encode()).hexdigest()
        notes.append(
            f"draw {protocol.draw}: {len(labelled)} items keep their labels, "
            f"sha256 of their ids {digest}"
        )
    if protocol.extra:
        expected = protocol.extras[protocol.extra].expected
        fingerprint = _fingerprint_rows(index, (extra,), protocol.box, fingerprint)
        notes.append(f"{len(extra)} pictures of {protocol.extra} join without labels")
        if len(extra) != expected:
            variant += f", {protocol.extra} {len(extra)} of {expected}"
    return replace(
        data,
        notes=tuple(notes),
        variant=variant,
        fingerprint=fingerprint,
        train=data.train + len(extra),
    )


def _train_completeness(protocol: Protocol, index: Index, train: np.ndarray) -> str:
    if protocol.train_clusters:
        count, expected = len(np.unique(index.clusters[train])), protocol.train_clusters
        unit = f" {protocol.cluster}s"
    else:
        count, expected = len(train), protocol.train_expected
        unit = ""
    if count == expected:
        return "complete"
    return f"train {count} of {expected}{unit}"


def _fingerprint_rows(
    index: Index, row_sets: Sequence[np.ndarray], box: str | None, before: str = ""
) -> str:
    """Hash ids, values and boxes of sets of rows.

    Blanks in ids are left out: copies spell one 300-W name both ways.
    """
    digest = hashlib.sha256(before.encode())
    for rows in row_sets:
        names = [str(name).replace(" ", "") for name in index.ids[rows]]
        pieces = ["\n".join(names).encode(), _little_endian(index.values[rows])]
        if box:
            pieces.append(_little_endian(index.boxes[box][rows]))
        for piece in pieces:
            digest.update(len(piece).to_bytes(8, "little") + piece)
    return "sha256:" + digest.hexdigest()


def _little_endian(column: Floats) -> bytes:
    return np.ascontiguousarray(column, "<f8").tobytes()


def _incomplete_error(protocol: Protocol, index: Index, fault: str) -> DataError:
    """Say in one line what is missing, where it is had on which terms, and what runs without it."""
    sentences = [f"{protocol.name} {fault}", *index.notes]
    if protocol.source is not None:
        sentences.append(
            "correct `expected` in the card, or complete the files that its source names"
        )
    elif protocol.dataset in DATASETS:
        access = open_protocol_dataset(protocol).ACCESS
        sentences.append(f"get {access.title} at {access.where} ({access.terms})")
    if protocol.twin:
        sentences.append(f"the protocol {protocol.twin} needs no data and runs now")
    return DataError("; ".join(sentences))
