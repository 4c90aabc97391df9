"""Where datasets lie: as given, else `BENCHBOX_DATA`, else `./data`."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "BENCHBOX_DATA"


def data_root(given: str | Path | None = None) -> Path:
    """Return the data root; it need not exist.

    >>> data_root("faces").name
    'faces'
    """
    return Path(given or os.environ.get(VARIABLE) or "data").expanduser()


def describe_missing_root(root: Path) -> str:
    """Say that a data root is no folder, and how another is named; "" where it is one."""
    if root.is_dir():
        return ""
    # "data" alone reads as any data
    shown = f"./{root}" if len(root.parts) == 1 else f"{root}"
    what = f"there is no data root {shown}"
    if root.exists():
        what = f"the data root {shown} is a file, not a folder"
    return f"{what}: say --data DIR (in Python data=DIR) or set {VARIABLE}"
