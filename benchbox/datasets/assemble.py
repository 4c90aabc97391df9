"""All that a protocol needs as one index: the tested dataset, another one that is trained on, unlabelled extras.

Rows of another dataset come after those of the tested one, their points and boxes moved into its
frame. Unlabelled extras are the part `EXTRA`; their points are NaN here, so that no label of theirs
can reach a method. Boxes of a detector of one's own are added from `boxes/<name>.csv`, and what the
card's options disturb is disturbed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox.errors import DataError
from benchbox.types import ExtraPictures, Index, Protocol

from . import open_dataset, open_protocol_dataset, perturb, select
from .formats import box_csv

if TYPE_CHECKING:
    from benchbox.types import Dataset, Floats

EXTRA = "extra"


def required_datasets(protocol: Protocol, *, training: bool = True) -> Mapping[str, Dataset]:
    """Return the datasets that a protocol reads, by name: the tested one alone where nothing is trained."""
    found = {protocol.dataset: open_protocol_dataset(protocol)}
    if training and protocol.train_dataset:
        found[protocol.train_dataset] = open_dataset(protocol.train_dataset)
    if training and protocol.extra:
        name = protocol.extras[protocol.extra].dataset
        found.setdefault(name, open_dataset(name))
    return found


def assemble_index(
    protocol: Protocol,
    root: Path,
    *,
    pixels: bool = True,
    training: bool = True,
    known: Mapping[str, Index] = MappingProxyType({}),
) -> Index:
    """Read a protocol's data under a root; with `training=False` the tested dataset alone.

    `known` are indices by dataset that were read before and are not read again. Raises DataError
    for malformed files and for a box source that neither the dataset nor a file has.
    """
    indices = {
        name: _add_detector_boxes(
            protocol,
            known.get(name) or module.index(root, pixels=pixels),
            root / module.ACCESS.folder,
        )
        for name, module in required_datasets(protocol, training=training).items()
    }
    index = indices[protocol.dataset]
    if training and protocol.train_dataset:
        index = _appended(
            index,
            _chosen(
                indices[protocol.train_dataset], (*protocol.train_parts, *protocol.validation_parts)
            ),
        )
    if training and protocol.extra:
        extra = protocol.extras[protocol.extra]
        if extra.dataset == protocol.dataset:
            index = _mark_unlabelled(index, extra, protocol.box)
        else:
            index = _appended(
                index,
                _strip_labels(
                    _chosen(indices[extra.dataset], extra.parts), extra.box, protocol.box
                ),
            )
    # A scorer meets the turned pictures' truth; boxes and training labels are not its business.
    return perturb.perturb_index(
        protocol if training else replace(protocol, scale=0.0, translation=0.0, noise=0.0), index
    )


def _add_detector_boxes(protocol: Protocol, index: Index, folder: Path) -> Index:
    found = box_csv.add_boxes(index, folder, protocol.box)
    offered = protocol.options.get("box", ())
    if (
        protocol.box not in found.boxes
        and protocol.box in offered
        and index.dataset == protocol.dataset
    ):
        path = box_csv.box_file(folder, protocol.box)
        raise DataError(
            f"{protocol.name}: there is no file {path}; run the detector on the pictures and write id,x0,y0,x1,y1 in "
            "the dataset's own frame there"
        )
    return found


def _chosen(index: Index, members: tuple[str, ...]) -> Index:
    """Keep the rows that a list of members chooses."""
    rows = np.flatnonzero(select.select_rows(index, members))
    read = index.read

    def some(column: Any) -> Any:
        return None if column is None else column[rows]

    return replace(
        index,
        ids=index.ids[rows],
        parts=index.parts[rows],
        values=index.values[rows],
        boxes={source: boxes[rows] for source, boxes in index.boxes.items()},
        clusters=index.clusters[rows],
        read=lambda row: read(int(rows[row])),
        visible=some(index.visible),
        attributes={key: column[rows] for key, column in index.attributes.items()},
        sequences=some(index.sequences),
        meta={key: column[rows] for key, column in index.meta.items()},
        scale_boxes=some(index.scale_boxes),
        stamp=_stamp(index.stamp, rows),
    )


def _stamp(stamp: Callable[[int], Any] | None, rows: np.ndarray) -> Callable[[int], Any] | None:
    return None if stamp is None else lambda row: stamp(int(rows[row]))


def _mark_unlabelled(index: Index, extra: ExtraPictures, name: str) -> Index:
    """Turn rows of the tested dataset itself into extras, where they stand."""
    if extra.box not in index.boxes:
        raise DataError(
            f"{index.dataset} has no {extra.box!r} boxes, only {', '.join(index.boxes)}"
        )
    rows = select.select_rows(index, extra.parts)
    boxes = np.where(rows[:, None], index.boxes[extra.box], index.boxes[name])
    values = np.where(rows[:, None, None], np.nan, index.values)
    parts = np.where(rows, EXTRA, index.parts)
    return replace(index, parts=parts, values=values, boxes={**index.boxes, name: boxes})


def _strip_labels(index: Index, box: str, name: str) -> Index:
    """Take the labels away, and call the box source what the protocol calls its own."""
    if box not in index.boxes:
        raise DataError(f"{index.dataset} has no {box!r} boxes, only {', '.join(index.boxes)}")
    return replace(
        index,
        parts=np.array([EXTRA] * len(index.ids), np.str_),
        values=np.full_like(index.values, np.nan),
        boxes={name: index.boxes[box]},
        visible=None,
        attributes={},
        scale_boxes=None,
    )


def _appended(first: Index, second: Index) -> Index:
    """Return one index of both; the frame, the name and the columns are those of the first."""
    one, two = len(first.ids), len(second.ids)
    shift = first.origin - second.origin
    values = np.full((two, *first.values.shape[1:]), np.nan)
    if first.values.shape[1:] == second.values.shape[1:]:
        values = second.values + (shift if first.values.ndim == 3 else 0.0)
    elif not np.isnan(second.values).all():
        raise DataError(
            f"{second.dataset} has other points than {first.dataset}: it cannot be trained on for it"
        )
    if set(first.parts.tolist()) & set(second.parts.tolist()):
        raise DataError(
            f"{first.dataset} and {second.dataset} share the name of a part; mend the card"
        )

    def column(a: Any, b: Any, absent: Callable[[int], Any]) -> Any:
        if a is None and b is None:
            return None
        return np.concatenate([absent(one) if a is None else a, absent(two) if b is None else b])

    return replace(
        first,
        ids=np.concatenate([first.ids, second.ids]),
        parts=np.concatenate([first.parts, second.parts]),
        values=np.concatenate([first.values, values]),
        boxes={
            source: column(
                first.boxes.get(source), _moved(second.boxes.get(source), shift), _no_boxes
            )
            for source in {**first.boxes, **second.boxes}
        },
        clusters=np.concatenate([first.clusters, second.clusters]),
        read=_either(first.read, second.read, one),
        visible=column(
            first.visible, second.visible, lambda n: np.ones((n, first.values.shape[1]), bool)
        ),
        attributes={
            key: np.concatenate([flags, np.zeros(two, bool)])
            for key, flags in first.attributes.items()
        },
        sequences=column(first.sequences, second.sequences, lambda n: np.array([""] * n, np.str_)),
        meta={
            key: np.concatenate([values, second.meta[key]])
            for key, values in first.meta.items()
            if key in second.meta
        },
        scale_boxes=column(first.scale_boxes, _moved(second.scale_boxes, shift), _no_boxes),
        stamp=_either(first.stamp, second.stamp, one) if first.stamp and second.stamp else None,
        notes=(*first.notes, *(f"{second.dataset}: {note}" for note in second.notes)),
        variant=_variant(first, second),
    )


def _variant(first: Index, second: Index) -> str:
    """Name the data by what is unusual in either."""
    unusual = [first.variant] if first.variant != "complete" else []
    if second.variant != "complete" and not np.isnan(second.values).all():
        unusual.append(f"{second.dataset} {second.variant}")
    return ", ".join(unusual) or "complete"


def _no_boxes(count: int) -> Floats:
    return np.full((count, 4), np.nan)


def _moved(boxes: Floats | None, shift: float) -> Floats | None:
    return None if boxes is None else boxes + shift


def _either(
    first: Callable[[int], Any], second: Callable[[int], Any], size: int
) -> Callable[[int], Any]:
    return lambda row: first(row) if row < size else second(row - size)
