"""What is asked of the data before a method meets them, or a file is scored against them.

`run` refuses what `data verify` calls wrong of the rows that it uses. A fault that somebody accepts
by the name of its check is kept in the notes of the record, and the data are called so on boards:
such a row stands apart from those on labels that nobody had to accept.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchbox.datasets import assemble, box_checks, check_table, label_checks, picture_checks
from benchbox.types import Index, Protocol

ACCEPTED = "faults accepted"  # in the name of the data


def require_sound_data(
    protocol: Protocol,
    index: Index,
    root: Path,
    accepted: Collection[str],
    say: Callable[[str], None],
    *,
    training: bool = True,
) -> Index:
    """Look at labels, boxes and pictures that a run uses; return the index with what was accepted.

    `training=False` looks at what is tested alone.

    Rendered sets are left out of what is asked of pictures: they are no files of others.

    Raises
    ------
    CheckError
        Something is not what it should be; says what, and what to do.
    """
    check_table.require_known_checks(accepted)
    notes = label_checks.refuse_faults(protocol, index, accepted, training=training)
    rows = label_checks.used_rows(protocol, index, training=training)
    single = box_checks.note_single_boxes(index, protocol.box)
    if single:
        say(f"note: {single}")
    if not protocol.dataset.startswith("synth-") or protocol.train_dataset:
        tested = label_checks.used_rows(protocol, index, training=False)
        trained = np.setdiff1d(rows, tested)
        files = _of_readers(protocol, root, "picture_files", training=training)
        turned = _of_readers(protocol, root, "picture_turns", training=training)
        faults, said = picture_checks.find_picture_faults(index, tested, trained, files, turned)
        notes += label_checks.refuse_unless_accepted(protocol.name, faults, accepted)
        for note in said:
            say(f"note: {note}")
    return _with_accepted(index, notes, root, say)


def require_sound_truth(
    protocol: Protocol,
    index: Index,
    root: Path,
    accepted: Collection[str],
    say: Callable[[str], None],
) -> Index:
    """Look at the labels that a score rests on; return the index with what was accepted.

    Raises CheckError as `require_sound_data` does.
    """
    check_table.require_known_checks(accepted)
    notes = label_checks.refuse_faults(protocol, index, accepted, training=False)
    return _with_accepted(index, notes, root, say)


def _with_accepted(index: Index, found: list[str], root: Path, say: Callable[[str], None]) -> Index:
    # no folder of this machine belongs into a record
    notes = [note.replace(f"{root.absolute()}/", "").replace(f"{root}/", "") for note in found]
    if not notes:
        return index
    for note in notes:
        say(f"warning: {note}")
    variant = ACCEPTED
    if index.variant != "complete":
        variant = f"{index.variant}, {ACCEPTED}"
    return replace(index, variant=variant, notes=(*index.notes, *notes))


def _of_readers(protocol: Protocol, root: Path, name: str, *, training: bool) -> dict[str, Any]:
    """Return what the readers of a protocol know of their items by id, of those that know it."""
    known: dict[str, Any] = {}
    for module in assemble.required_datasets(protocol, training=training).values():
        find = getattr(module, name, None)
        if find is not None:
            known.update(find(root))
    return known
