"""Whether the files of a dataset are under a data root, and what to say where they are not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from benchbox.data_place import describe_missing_root
from benchbox.errors import DataError

if TYPE_CHECKING:
    from benchbox.types import Dataset


def require_root(root: Path) -> None:
    """Raise DataError unless the data root is a folder."""
    missing = describe_missing_root(root)
    if missing:
        raise DataError(missing)


def require_dataset(
    name: str, dataset: Dataset, root: Path, *, custom: bool = False, twin: str = ""
) -> None:
    """Raise DataError unless a dataset's folder is there.

    A `custom` one has no folder of its own but files anywhere under the root. Rendered ones need
    none. The message says where it is had, and which protocol runs without it (`twin`).
    """
    if custom:
        require_root(root)
    access = dataset.ACCESS
    if not access.folder or (root / access.folder).is_dir():
        return
    absence = describe_missing_root(root) or f"no folder {root / access.folder}"
    message = (
        f"{access.title} is missing: {absence}; get it at "
        f"{access.where} ({access.terms}), `benchbox data where {name}` shows how it must lie"
    )
    if twin:
        message += f"; without it, the protocol {twin} runs now on synthetic faces"
    raise DataError(message)
