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
