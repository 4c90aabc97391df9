"""The memory that this process took."""

from __future__ import annotations

import sys


def peak_memory_mb() -> int | None:
    """Return the most memory that was resident at a time, in MB; None where nobody counts it."""
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kB here
    return round(peak * unit / 2**20)
