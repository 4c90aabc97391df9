"""Where caches lie: `BENCHBOX_CACHE`, else the user's cache folder, else a temporary one.

In a container the user may have no home (`docker -u`, OpenShift, some schedulers); what is cached
can be made again, so that is no reason to stop.
"""

from __future__ import annotations

import os
import tempfile
from functools import cache
from pathlib import Path

VARIABLE = "BENCHBOX_CACHE"


def cache_root() -> Path:
    """Return the folder that all caches live in; it need not exist."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    return _users_cache()


@cache
def _users_cache() -> Path:
    """Return the user's cache folder; without a home one below the temporary folder, said once."""
    from platformdirs import user_cache_dir

    try:
        folder = Path(user_cache_dir("benchbox"))
        # without a home "~" stays as it is, and would be a folder of that name here
        if folder.is_absolute():
            return folder
    except RuntimeError:
        pass
    owner = ""
    if hasattr(os, "getuid"):
        owner = f"-{os.getuid()}"
    instead = Path(tempfile.gettempdir()) / f"benchbox-cache{owner}"
    from benchbox import progress  # rarely needed, and slow to load

    progress.print_note(
        f"no home folder is known, so caches lie in {instead}; set {VARIABLE} or HOME"
    )
    return instead
