"""A protocol's data as one index: the tested dataset, a training dataset, unlabelled extras.

Rows of another dataset come after those of the tested one, their points and boxes moved into its
frame. Unlabelled extras are the part `EXTRA`; their points are NaN here, so that no label of theirs
can reach a method. Boxes of a detector of one's own are added from `boxes/<name>.csv`, and the
hold-out and the perturbations that the card's options name are applied. `split` divides the index
afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from benchbox.errors import DataError
from benchbox.types import ExtraPictures, Index, Protocol

from . import open_dataset, open_protocol_dataset, perturb, presence, select
from .formats import box_csv
from .holdout import hold_out
from .index import join_indexes, take_rows
from .label_bounds import read_index

if TYPE_CHECKING:
    from benchbox.types import Dataset

EXTRA = "extra"


def required_datasets(protocol: Protocol, *, training: bool = True) -> Mapping[str, Dataset]:
    """Return the datasets that a protocol reads, by name.

    With `training=False` the tested one alone.

    Raises
    ------
    DataError
        The card names a dataset that does not exist.
    """
    datasets = {protocol.dataset: open_protocol_dataset(protocol)}
    if not training:
        return datasets
    if protocol.train_dataset:
        datasets[protocol.train_dataset] = open_dataset(protocol.train_dataset)
    if protocol.extra:
        name = protocol.extras[protocol.extra].dataset
        datasets.setdefault(name, open_dataset(name))
    return datasets


def assemble_index(
    protocol: Protocol,
    root: Path,
    *,
    pixels: bool = True,
    training: bool = True,
    known: Mapping[str, Index] = MappingProxyType({}),
) -> Index:
    """Read a protocol's data under a root as one index, in the frame of the tested dataset.

    Parameters
    ----------
    protocol
        The card with its options.
    root
        The data root, which holds a folder per dataset.
    pixels
        Leave out faces without a picture; False needs annotations only, but for a hold-out: which
        faces it holds depends on which are there.
    training
        Read what is trained on, too; False reads the tested dataset alone.
    known
        Indexes by dataset that were read before and are not read again.

    Raises
    ------
    DataError
        A file is malformed, or neither the dataset nor a file has the card's boxes.
    """
    pixels = pixels or bool(protocol.holdout)
    indexes = {}
    for name, dataset in required_datasets(protocol, training=training).items():
        index = known.get(name) or read_index(dataset, root, pixels=pixels)
        indexes[name] = _add_detector_boxes(protocol, index, root, dataset.ACCESS.folder)
    index = indexes[protocol.dataset]
    if not training:
        # A scorer meets the truth of turned pictures; boxes and training labels do not concern it.
        unmoved = replace(protocol, scale=0.0, translation=0.0, noise=0.0)
        return perturb.perturb_index(unmoved, hold_out(protocol, index))
    if protocol.train_dataset:
        members = (*protocol.train_parts, *protocol.validation_parts)
        source = _select(indexes[protocol.train_dataset], members)
        index = _append(_drop_untested(protocol, index, source), source)
    if protocol.extra:
        extra = protocol.extras[protocol.extra]
        index = _add_extras(protocol, index, indexes[extra.dataset], extra)
    return perturb.perturb_index(protocol, hold_out(protocol, index))


def assemble_test_index(protocol: Protocol, root: Path) -> Index:
    """Read what a protocol tests on, with the boxes and pictures that a method is given there.

    Raises DataError as `assemble_index`.
    """
    dataset = open_protocol_dataset(protocol)
    index = dataset.index(root, pixels=True)
    index = _add_detector_boxes(protocol, index, root, dataset.ACCESS.folder)
    return perturb.perturb_index(replace(protocol, noise=0.0), hold_out(protocol, index))


def _add_detector_boxes(protocol: Protocol, index: Index, root: Path, name: str) -> Index:
    folder = root / name
    with_boxes = box_csv.add_boxes(index, folder, protocol.box)
    is_option = protocol.box in protocol.options.get("box", ())
    is_tested = index.dataset == protocol.dataset
    if protocol.box not in with_boxes.boxes and is_option and is_tested:
        path = box_csv.box_file(folder, protocol.box)
        presence.require_root(root)
        raise DataError(
            f"{protocol.name}: there is no file {path}; run the detector on the pictures and write "
            "id,x0,y0,x1,y1 in the dataset's own frame there"
        )
    return with_boxes


def _select(index: Index, members: tuple[str, ...]) -> Index:
    return take_rows(index, np.flatnonzero(select.select_rows(index, members)))


# --- unlabelled extras ----------------------------------------------------------------------------


def _add_extras(protocol: Protocol, index: Index, source: Index, extra: ExtraPictures) -> Index:
    if extra.dataset == protocol.dataset:
        return _mark_unlabelled(index, extra, protocol.box)
    chosen = _select(source, extra.parts)
    return _append(index, _strip_labels(chosen, extra.box, protocol.box))


def _mark_unlabelled(index: Index, extra: ExtraPictures, box: str) -> Index:
    """Turn rows of the tested dataset itself into extras, in their places."""
    _require_boxes(index, extra.box)
    rows = select.select_rows(index, extra.parts)
    boxes = np.where(rows[:, None], index.boxes[extra.box], index.boxes[box])
    values = np.where(rows[:, None, None], np.nan, index.values)
    parts = np.where(rows, EXTRA, index.parts)
    return replace(index, parts=parts, values=values, boxes={**index.boxes, box: boxes})


def _strip_labels(index: Index, source: str, box: str) -> Index:
    """Take the labels away, and call the box source what the protocol calls its own."""
    _require_boxes(index, source)
    return replace(
        index,
        parts=np.array([EXTRA] * len(index.ids), np.str_),
        values=np.full_like(index.values, np.nan),
        boxes={box: index.boxes[source]},
        visible=None,
        absent=None,
        attributes={},
        scale_boxes=None,
    )


def _require_boxes(index: Index, source: str) -> None:
    if source not in index.boxes:
        raise DataError(f"{index.dataset} has no {source!r} boxes, only {', '.join(index.boxes)}")


# --- another dataset's rows -----------------------------------------------------------------------


def _drop_untested(protocol: Protocol, index: Index, source: Index) -> Index:
    """Drop the tested dataset's own training rows where what is trained on is called alike.

    They are neither trained nor tested on: `train` means the other dataset's there.
    """
    tested = select.member_parts(chain.from_iterable(protocol.groups.values()))
    hidden = set(source.parts.tolist()) - tested
    if not hidden & set(index.parts.tolist()):
        return index
    return take_rows(index, np.flatnonzero(~np.isin(index.parts, sorted(hidden))))


def _append(first: Index, second: Index) -> Index:
    """Put another dataset's rows below the tested ones, whose attributes alone select rows."""
    notes = tuple(f"{second.dataset}: {note}" for note in second.notes)
    joined = join_indexes(first, replace(second, attributes={}, notes=notes))
    if set(first.parts.tolist()) & set(second.parts.tolist()):
        raise DataError(
            f"{first.dataset} and {second.dataset} share the name of a part; mend the card"
        )
    return replace(joined, variant=_joined_variant(first, second))


def _joined_variant(first: Index, second: Index) -> str:
    """Name the data by what is unusual in either; of unlabelled rows nothing is."""
    unusual = []
    if first.variant != "complete":
        unusual.append(first.variant)
    if second.variant != "complete" and not np.isnan(second.values).all():
        unusual.append(f"{second.dataset} {second.variant}")
    return ", ".join(unusual) or "complete"
