"""The data of a run: opened under the data root, or a fault that says what is missing and where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from benchbox.data_place import describe_missing_root
from benchbox.datasets import assemble, presence
from benchbox.datasets import split as splits
from benchbox.errors import DataError
from benchbox.types import Index, Protocol

from . import run_identity
from .run_record import DataFacts

SCRATCH = "scratch"  # as the parameter `weights` of a method: nothing to begin with


def open_index(
    protocol: Protocol, root: Path, *, pixels: bool = True, training: bool | None = None
) -> Index:
    """Read a protocol's dataset; what is trained on, too, unless `training` or `pixels` is False.

    Raises DataError saying what is missing, where it is had and what runs without it.
    """
    if training is None:
        training = pixels
    require_data(protocol, root, training=training)
    # Pictures are read while a method runs, which may have moved to another directory. Notes are
    # kept in the record, where no folder of this machine belongs.
    whole = root.absolute()
    index = assemble.assemble_index(protocol, whole, pixels=pixels, training=training)
    notes = tuple(note.replace(str(whole), str(root)) for note in index.notes)
    return replace(index, notes=notes)


def open_test_index(protocol: Protocol, root: Path) -> Index:
    """Read what a protocol tests on alone, pictures and boxes as methods are given them.

    Raises DataError as `open_index`.
    """
    require_data(protocol, root, training=False)
    whole = root.absolute()
    index = assemble.assemble_test_index(protocol, whole)
    notes = tuple(note.replace(str(whole), str(root)) for note in index.notes)
    return replace(index, notes=notes)


def require_data(protocol: Protocol, root: Path, *, training: bool = True) -> None:
    """Raise DataError unless the data root and a protocol's folders are there.

    Says where they are had; what is rendered needs neither.
    """
    for name, module in assemble.required_datasets(protocol, training=training).items():
        custom = protocol.source is not None and name == protocol.dataset
        presence.require_dataset(name, module, root, custom=custom, twin=protocol.twin or "")


def pretrained_weights(params: Mapping[str, Any], root: Path) -> Path | None:
    """Return the file or folder that the parameter `weights` names under the data root.

    None for "scratch" or none. Raises DataError when it is not there or lies elsewhere: a path of
    this machine has no place in a record.
    """
    name = params.get("weights", SCRATCH)
    if name == SCRATCH:
        return None
    path = Path(str(name))
    if path.is_absolute() or ".." in path.parts:
        raise DataError(
            f"weights = {name!r}: must be a path under the data root {root}, or {SCRATCH}"
        )
    if not (root / path).exists():
        absence = describe_missing_root(root) or "no such weights"
        raise DataError(
            f"{root / path}: {absence}; "
            f"put them there, or `benchbox run … --set weights={SCRATCH}` begins without"
        )
    return (root / path).absolute()


def describe_all_data(protocol: Protocol, root: Path, *, pixels: bool) -> DataFacts:
    """Describe what a protocol trains and tests on, as the record of a run does."""
    index = assemble.assemble_index(protocol, root, pixels=pixels)
    fold = splits.fold_names(protocol, index)[0]
    data = splits.split_index(protocol, index, fold).data
    truth = splits.describe_data(protocol, index).fingerprint
    return DataFacts(**asdict(data), truth=truth)


def _describe_truth(protocol: Protocol, index: Index) -> DataFacts:
    """Describe the test annotations alone."""
    data = splits.describe_data(protocol, index)
    return DataFacts(**asdict(data), truth=data.fingerprint)


def has_truth_of(protocol: Protocol, index: Index, record: DataFacts) -> bool:
    """Tell whether an index holds the test annotations that a record was scored with."""
    now = _describe_truth(protocol, index)
    return run_identity.name_truth(now) == run_identity.name_truth(record)
