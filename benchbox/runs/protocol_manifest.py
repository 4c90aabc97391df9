"""The manifest of a protocol: the items that it tests or trains on, for another program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from benchbox import layouts
from benchbox.datasets import assemble, perturb
from benchbox.datasets import split as splits
from benchbox.errors import BenchboxError, DataError
from benchbox.protocols import protocol_card
from benchbox.types import Index, Protocol, Sample

from . import run_data
from .manifest import Manifest, manifest_item, write_pictures

if TYPE_CHECKING:
    from benchbox.types import Floats

SPLITS = ("test", "labelled", "validation", "unlabelled")


def make_manifest(
    name: str | Protocol,
    split: str,
    data: Path,
    *,
    pictures: Path | Literal[False] | None = None,
    labels: bool = False,
) -> Manifest:
    """List the items that a protocol tests or trains on.

    Parameters
    ----------
    name
        The protocol, options appended, or its card.
    split
        One of `SPLITS`. A protocol with folds trains once for each; its first fold is listed.
    data
        The data root.
    pictures
        Write what a method would see there, a PNG for each item, and list those: needed where
        pictures are no files of their own (videos, HDF5, rendered sets). False: without pictures.
    labels
        Add the labels of training items.

    Raises DataError for data that are missing, for labels of test items, and for pictures that are
    no files.
    """
    if split not in SPLITS:
        raise BenchboxError(f"split {split!r}: one of {', '.join(SPLITS)}")
    if labels and split not in ("labelled", "validation"):
        raise DataError(f"labels of the {split} items are not given out")
    protocol = name if isinstance(name, Protocol) else protocol_card.load_protocol(name)
    with_pixels = pictures is not False
    index = run_data.open_index(protocol, data, pixels=with_pixels, training=split != "test")
    values = None
    if split == "test":
        # what is read for a scorer leaves out: boxes that were moved
        index = perturb.perturb_index(replace(protocol, rotation=0.0, noise=0.0), index)
        samples = splits.test_samples(protocol, index)
    else:
        samples, values = _training_samples(protocol, index, split)
    if not labels:
        values = None
    if pictures is False:
        files, turned = [Path()] * len(samples), 0.0
    elif pictures is None:
        files = _picture_files(protocol, data, samples)
        turned = protocol.rotation if split == "test" else 0.0
    else:
        files, turned = write_pictures(samples, pictures), 0.0
    items = []
    for row, (sample, file) in enumerate(zip(samples, files, strict=True)):
        rotation = perturb.rotation_of_item(sample.id, turned) if turned else 0.0
        label = None if values is None else values[row]
        items.append(manifest_item(sample, file, rotation, label))
    layout = layouts.find_layout(protocol)
    return Manifest(
        task=protocol.task,
        points=None if layout is None else layout.count,
        origin=index.origin,
        items=items,
        split=split,
        protocol=protocol.name,
        card=protocol.card,
    )


def _training_samples(
    protocol: Protocol, index: Index, split: str
) -> tuple[Sequence[Sample], Floats | None]:
    """Return training items and their labels, with folds those of the first one."""
    parts = splits.split_index(protocol, index, splits.fold_names(protocol, index)[0])
    if split == "unlabelled":
        return parts.unlabelled, None
    examples = parts.labelled if split == "labelled" else parts.validation
    if examples is None:
        return (), None
    return examples.samples, examples.values


def _picture_files(protocol: Protocol, data: Path, samples: Sequence[Sample]) -> list[Path]:
    """Return the file of each sample's picture; raises DataError where there is none."""
    advice = "--pictures DIR writes what a method would see, a PNG for each item"
    files: dict[str, Path] = {}
    for module in assemble.required_datasets(protocol).values():
        find = getattr(module, "picture_files", None)
        if find is not None:
            files |= find(data.absolute())
    found = []
    for sample in samples:
        if sample.id not in files:
            raise DataError(
                f"{protocol.name}: the picture of {sample.id!r} is no file of its own; {advice}"
            )
        found.append(files[sample.id])
    return found
