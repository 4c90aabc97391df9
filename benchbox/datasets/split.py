"""From a dataset's index and a protocol to what a method sees and what the scorer compares with.

This is where the dataset's own frame ends: boxes and values of samples leave here with
`Index.origin` subtracted, truth keeps the frame of the annotation files. It is also where
completeness is enforced: a test set is whole or the protocol refuses to run, a training set may be
partial and then gives the data a name of their own.

With folds the same items are trained and tested on, never by one model: each fold leaves out whole clusters, trains on
all the others, and is tested on those that it left out. The data of a protocol with folds are described as a whole.
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

if TYPE_CHECKING:
    from benchbox.types import Bools, Floats, Strings


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
    """A protocol's data: samples in the pixel frame, truth in the dataset's own frame, test rows in one order."""

    labelled: Examples
    validation: Examples | None
    unlabelled: Sequence[Sample]
    test: Sequence[Sample]
    truth: Truth
    data: DataRecord


def fold_names(protocol: Protocol, index: Index) -> tuple[str, ...]:
    """Name the folds of a protocol, "" alone where it has none.

    Raises DataError when the test set is not whole.
    """
    if not protocol.folds:
        return ("",)
    found = _fold_per_row(protocol, index.clusters[_test_rows(protocol, index)])
    names = tuple(str(name) for name in np.unique(found))
    if len(names) < 2:
        raise _incomplete_error(
            protocol, index, f"needs two folds or more, this copy has one {protocol.cluster}"
        )
    return names


def split_index(protocol: Protocol, index: Index, fold: str = "") -> Split:
    """Divide an index as a protocol's card says, for one of its folds; touches no pixel.

    The labelled share is drawn first and the validation share from it, both by whole clusters in
    the order of a hash, so protocols with the same training parts share one division and a partial
    copy keeps the order of the whole one.

    Raises
    ------
    DataError
        The test set is not whole, nothing is left to train on, an item is doubled, or a box is
        missing; says where the data are had, under which terms, and what runs without them.
    """
    train, test = everything, whole = _train_and_test_rows(protocol, index)
    if protocol.folds:
        left_out = _fold_per_row(protocol, index.clusters[test]) == fold
        train, test = test[~left_out], test[left_out]
        if not len(test):
            raise DataError(f"{protocol.name}: there is no fold {fold!r}")
    _check_disjoint(protocol, index, train, test)
    held_out, extra = _validation_rows(protocol, index), np.flatnonzero(index.parts == EXTRA)
    rows = np.concatenate([train, test, held_out, extra])
    boxes = _SampleBoxes(_method_boxes(protocol, index, rows), _extra_boxes(protocol, index))
    labelled, validation, unlabelled = _divide_training_rows(protocol, index.clusters[train])
    held_out = np.concatenate([train[validation], held_out])
    return Split(
        labelled=_examples(index, boxes, train[labelled]),
        validation=_examples(index, boxes, held_out) if len(held_out) else None,
        unlabelled=Samples(index, boxes, np.concatenate([train[unlabelled], extra])),
        test=Samples(index, boxes, test),
        truth=_truth_of_rows(protocol, index, test, whole),
        data=_add_unlabelled(
            protocol,
            index,
            _training_record(protocol, index, everything, whole),
            train[~unlabelled],
            extra,
        ),
    )


def ground_truth(protocol: Protocol, index: Index) -> Truth:
    """Return what the scorer compares with; needs annotations only.

    Raises DataError when the test set is not whole.
    """
    rows = _test_rows(protocol, index)
    return _truth_of_rows(protocol, index, rows, rows)


def describe_data(protocol: Protocol, index: Index) -> DataRecord:
    """Describe the data of a score that involves no training: test annotations only, boxes left out."""
    test = _test_rows(protocol, index)
    variant = index.variant
    return DataRecord(
        index.dataset, variant, _fingerprint_rows(index, (test,), None), index.notes, 0, len(test)
    )


# --- rows -----------------------------------------------------------------------------------------


def _train_and_test_rows(protocol: Protocol, index: Index) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows to train and to test on.

    With folds they are the same, and a card may have none to train on.
    """
    test = _test_rows(protocol, index)
    train = np.flatnonzero(select.select_rows(index, protocol.train_parts))
    if protocol.train_parts and not len(train):
        raise _incomplete_error(
            protocol,
            index,
            f"needs training faces ({', '.join(protocol.train_parts)}), this copy has none",
        )
    return train, test


def _validation_rows(protocol: Protocol, index: Index) -> np.ndarray:
    """Return the rows of the dataset's own validation set, if the card names it.

    A partial copy may have none.
    """
    return np.flatnonzero(select.select_rows(index, protocol.validation_parts))


def _fold_per_row(protocol: Protocol, clusters: Strings) -> Strings:
    """Name the fold (N,) that leaves out each of some items, given their clusters (N,)."""
    if protocol.folds == "cluster":
        return clusters
    number = int(protocol.folds)
    names, rows = np.unique(clusters, return_inverse=True)
    order = _hash_order(names, f"{protocol.dataset}:{','.join(sorted(protocol.train_parts))}:folds")
    dealt = np.empty(len(names), int)
    dealt[order] = np.arange(len(names)) % number
    return np.array([f"{k + 1}-of-{number}" for k in range(number)])[dealt[rows]]


def _test_rows(protocol: Protocol, index: Index) -> np.ndarray:
    """Return the rows of the test set, in the order of the index.

    Raises DataError unless it is whole.
    """
    names, counts = np.unique(index.ids, return_counts=True)
    if (counts > 1).any():
        raise DataError(
            f"{index.dataset}: {str(names[counts > 1][0])!r} is there twice; an id names one item"
        )
    members = protocol.groups[protocol.overall]
    rows = np.flatnonzero(select.select_rows(index, members))
    people = len(np.unique(index.clusters[rows]))
    if protocol.test_clusters and people != protocol.test_clusters:
        what = (
            f"needs {protocol.test_clusters} {protocol.cluster}s to test on, this copy has {people}"
        )
        raise _incomplete_error(protocol, index, what)
    if protocol.test_expected and len(rows) != protocol.test_expected:
        has = ", ".join(
            f"{member} {int(select.select_rows(index, [member]).sum())}" for member in members
        )
        raise _incomplete_error(
            protocol,
            index,
            f"needs {protocol.test_expected} test items, this copy has {len(rows)} ({has})",
        )
    return rows


def _check_disjoint(protocol: Protocol, index: Index, train: np.ndarray, test: np.ndarray) -> None:
    both = np.intersect1d(train, test)
    if len(both):
        raise DataError(
            f"{protocol.name}: {str(index.ids[both[0]])!r} would be trained and tested on; mend the card"
        )


def _shared_clusters(index: Index, train: np.ndarray, test: np.ndarray) -> list[str]:
    return [str(name) for name in np.intersect1d(index.clusters[train], index.clusters[test])]


def _method_boxes(protocol: Protocol, index: Index, rows: np.ndarray) -> Floats:
    """Return the boxes (N, 4) that methods are given, pixel frame.

    Raises DataError when one of the rows has none.
    """
    if protocol.box not in index.boxes:
        raise DataError(
            f"{protocol.name}: {index.dataset} has no {protocol.box!r} boxes, only {', '.join(index.boxes)}"
        )
    boxes = index.boxes[protocol.box]
    absent = rows[~np.isfinite(boxes[rows]).all(axis=1)]
    if len(absent):
        others = [
            f"+box={choice}" for choice in protocol.options.get("box", ()) if choice != protocol.box
        ]
        instead = f"; or add {' or '.join(others)} to the protocol's name" if others else ""
        parts = ", ".join(np.unique(index.parts[absent]))
        first = f"first {str(index.ids[absent[0]])!r}"
        what = f"needs {protocol.box} boxes and {len(absent)} items have none ({parts}; {first}){instead}"
        raise _incomplete_error(protocol, index, what)
    return geometry.expand_boxes(boxes - index.origin, protocol.box_expansion)


def _extra_boxes(protocol: Protocol, index: Index) -> dict[str, Floats]:
    """Return the further boxes (N, 4) that the card names, pixel frame; a row may have none (NaN).

    A preparation of its own comes whole: with `itracker_face` as the box, `left_eye` is what `itracker_left_eye` holds.
    """
    preparation = protocol.box.removesuffix("face") if protocol.box.endswith("_face") else ""
    boxes = {}
    for name in protocol.extra_boxes:
        source = preparation + name
        if source not in index.boxes:
            raise DataError(
                f"{protocol.name}: {index.dataset} has no {source!r} boxes, only {', '.join(index.boxes)}"
            )
        boxes[name] = index.boxes[source] - index.origin
    return boxes


def _divide_training_rows(protocol: Protocol, clusters: Strings) -> tuple[Bools, Bools, Bools]:
    """Divide training rows into labelled, validation and unlabelled, by whole clusters."""
    everything = np.ones(len(clusters), bool)
    salt = f"{protocol.train_dataset or protocol.dataset}:{','.join(sorted(protocol.train_parts))}"
    with_labels = everything
    if protocol.labelled < 1:
        again = f":{protocol.draw}" if protocol.draw else ""
        with_labels = _draw_clusters(
            everything, clusters, _quota(protocol.labelled, everything), f"{salt}:labelled{again}"
        )
    validation = _draw_clusters(
        with_labels, clusters, _quota(protocol.validation, with_labels), f"{salt}:validation"
    )
    return with_labels & ~validation, validation, ~with_labels


def _quota(share: float, among: Bools) -> int:
    """Round a share of items down, as papers do (10 % of 3148 are 314), unless only floating point falls short."""
    return int(share * int(among.sum()) + 1e-6)


def _draw_clusters(among: Bools, clusters: Strings, quota: int, salt: str) -> Bools:
    """Mark whole clusters, in the order of a salted hash, as long as they fit into the quota."""
    names, first, sizes = np.unique(clusters[among], return_inverse=True, return_counts=True)
    order = _hash_order(names, salt)
    taken = np.zeros(len(names), bool)
    for k in order:
        if sizes[k] <= quota:
            taken[k] = True
            quota -= int(sizes[k])
    drawn = np.zeros(len(clusters), bool)
    drawn[among] = taken[first]
    return drawn


def _hash_order(names: Strings, salt: str) -> list[int]:
    """Return the places of names in the order of a salted hash."""
    return sorted(
        range(len(names)), key=lambda k: hashlib.sha256(f"{salt}:{names[k]}".encode()).digest()
    )


# --- values ---------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _SampleBoxes:
    """The boxes that methods are given, of every row of the index, pixel frame."""

    face: Floats  # (N, 4)
    extra: Mapping[str, Floats]  # source → (N, 4)


class Samples(Sequence[Sample]):
    """Some rows of an index as samples, each made when it is asked for: a million at once would take gigabytes."""

    def __init__(self, index: Index, boxes: _SampleBoxes, rows: np.ndarray) -> None:
        self._index, self._boxes, self._rows = index, boxes, rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, place: int) -> Sample: ...

    @overload
    def __getitem__(self, place: slice) -> Samples: ...

    def __getitem__(self, place: int | slice) -> Sample | Samples:
        if isinstance(place, slice):
            return Samples(self._index, self._boxes, self._rows[place])
        row, index = int(self._rows[place]), self._index
        return Sample(
            id=str(index.ids[row]),
            box=self._boxes.face[row],
            pixels=partial(index.read, row),
            boxes={source: columns[row] for source, columns in self._boxes.extra.items()},
            meta={key: column[row] for key, column in index.meta.items()},
            stamp=partial(index.stamp, row) if index.stamp else None,
        )


def _examples(index: Index, boxes: _SampleBoxes, rows: np.ndarray) -> Examples:
    values = index.values[rows]
    return Examples(
        samples=Samples(index, boxes, rows),
        # Only landmarks live in a picture's frame; gaze has no origin to subtract.
        values=values - index.origin if values.ndim == 3 else values,
        clusters=index.clusters[rows],
        visible=None if index.visible is None else index.visible[rows],
    )


def _truth_of_rows(protocol: Protocol, index: Index, rows: np.ndarray, whole: np.ndarray) -> Truth:
    """Return the truth of some test rows; `whole` are all of them."""
    groups = {
        group: select.select_rows(index, members) for group, members in protocol.groups.items()
    }
    for group, inside in groups.items():
        if inside.sum() != inside[whole].sum() or not inside.any():
            what = (
                "is empty"
                if not inside.any()
                else f"has items outside the overall group {protocol.overall!r}"
            )
            raise DataError(
                f"{protocol.name}: the group {group!r} {what}; mend the card or the copy of the data"
            )
    if protocol.folds:  # what each left-out cluster scored
        groups |= {
            str(name): index.clusters == name
            for name in np.unique(index.clusters[rows])
            if name not in groups
        }
    return Truth(
        ids=index.ids[rows],
        values=index.values[rows],
        groups={group: inside[rows] for group, inside in groups.items()},
        clusters=index.clusters[rows],
        visible=None if index.visible is None else index.visible[rows],
        boxes=None if index.scale_boxes is None else index.scale_boxes[rows],
        sequences=None if index.sequences is None else index.sequences[rows],
    )


# --- words ----------------------------------------------------------------------------------------


def _training_record(
    protocol: Protocol, index: Index, train: np.ndarray, test: np.ndarray
) -> DataRecord:
    named = [_train_completeness(protocol, index, train)]
    if index.variant != "complete":
        named.append(index.variant)
    notes = list(index.notes)
    shared = [] if protocol.folds else _shared_clusters(index, train, test)
    if shared:
        notes.append(
            f"trained and tested on items of {len(shared)} {protocol.cluster} ({', '.join(shared[:3])})"
        )
    fingerprint = _fingerprint_rows(
        index, (test,) if protocol.folds else (train, test), protocol.box
    )
    return DataRecord(
        index.dataset, ", ".join(named), fingerprint, tuple(notes), len(train), len(test)
    )


def _add_unlabelled(
    protocol: Protocol, index: Index, data: DataRecord, labelled: np.ndarray, extra: np.ndarray
) -> DataRecord:
    """Add what a record says of training without all labels: which items keep theirs, what joins without any."""
    notes, variant, fingerprint = list(data.notes), data.variant, data.fingerprint
    if protocol.labelled < 1:
        ids = "\n".join(sorted(str(name).replace(" ", "") for name in index.ids[labelled]))
        digest = hashlib.sha256(ids.encode()).hexdigest()
        notes.append(
            f"draw {protocol.draw}: {len(labelled)} items keep their labels, sha256 of their ids {digest}"
        )
    if protocol.extra:
        whole = protocol.extras[protocol.extra].expected
        fingerprint = _fingerprint_rows(index, (extra,), protocol.box, fingerprint)
        notes.append(f"{len(extra)} pictures of {protocol.extra} join without labels")
        variant += "" if len(extra) == whole else f", {protocol.extra} {len(extra)} of {whole}"
    return replace(
        data,
        notes=tuple(notes),
        variant=variant,
        fingerprint=fingerprint,
        train=data.train + len(extra),
    )


def _train_completeness(protocol: Protocol, index: Index, train: np.ndarray) -> str:
    if protocol.train_clusters:
        people, whole = len(np.unique(index.clusters[train])), protocol.train_clusters
        return "complete" if people == whole else f"train {people} of {whole} {protocol.cluster}s"
    return (
        "complete"
        if len(train) == protocol.train_expected
        else f"train {len(train)} of {protocol.train_expected}"
    )


def _fingerprint_rows(
    index: Index, sets: Sequence[np.ndarray], box: str | None, before: str = ""
) -> str:
    """Hash ids, values and boxes of sets of rows.

    Blanks in ids are left out: copies spell one 300-W name both ways.
    """
    digest = hashlib.sha256(before.encode())
    for rows in sets:
        ids = "\n".join(str(name).replace(" ", "") for name in index.ids[rows])
        columns = [index.values[rows]] + ([index.boxes[box][rows]] if box else [])
        for piece in (ids.encode(), *(np.ascontiguousarray(c, "<f8").tobytes() for c in columns)):
            digest.update(len(piece).to_bytes(8, "little") + piece)
    return "sha256:" + digest.hexdigest()


def _incomplete_error(protocol: Protocol, index: Index, what: str) -> DataError:
    """Say in one line what is missing, where it is had, under which terms, and what runs without it."""
    said = [f"{protocol.name} {what}", *index.notes]
    if protocol.source is not None:
        said.append("correct `expected` in the card, or complete the files that its source names")
    elif protocol.dataset in DATASETS:
        access = open_protocol_dataset(protocol).ACCESS
        said.append(f"get {access.title} at {access.where} ({access.terms})")
    if protocol.twin:
        said.append(f"--protocol {protocol.twin} needs no data and runs now")
    return DataError("; ".join(said))
