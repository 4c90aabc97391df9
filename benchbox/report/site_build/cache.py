"""What was rendered from what: so that a page whose inputs have not changed is not made again.

The memo lies beside the pages, in a folder that Git ignores. It only ever saves work on the machine
that wrote it: it counts for nothing once a line of benchbox or a library has changed, a page counts
only while its bytes are the ones noted, and `stale` never looks at it.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

from benchbox.atomic_write import write_whole

_FOLDER, _FILE = ".cache", "pages.json"
_PACKAGE = Path(__file__).parents[2]
_CODE = {".py", ".html", ".css", ".js", ".svg", ".md", ".csv"}
_LIBRARIES = ("jinja2", "markdown-it-py", "markupsafe", "numpy")

PageDigests = tuple[str, str]  # digest of a page's inputs, digest of its bytes


def load_digests(out: Path) -> dict[str, PageDigests]:
    """Return what was noted for each file below `out`.

    Empty where nothing that this code wrote can be read.
    """
    try:
        document = json.loads((out / _FOLDER / _FILE).read_text(encoding="utf-8"))
        if document["generator"] != generator_digest():
            return {}
        return {
            str(name): (str(inputs), str(content))
            for name, (inputs, content) in document["pages"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def save_digests(out: Path, pages: Mapping[str, PageDigests]) -> None:
    """Note what the files below `out` were made from.

    A folder that cannot be written costs time only.
    """
    folder = out / _FOLDER
    with suppress(OSError):
        folder.mkdir(exist_ok=True)
        (folder / ".gitignore").write_text("*\n", encoding="utf-8")
        document = {"generator": generator_digest(), "pages": dict(pages)}
        write_whole(folder / _FILE, json.dumps(document), flush=False)


@cache
def generator_digest() -> str:
    """Hash everything that turns inputs into pages: benchbox, its templates and assets, Python and the libraries."""
    total = hashlib.sha256(repr((platform.python_version(), *map(version, _LIBRARIES))).encode())
    for path in sorted(path for path in _PACKAGE.rglob("*") if path.suffix in _CODE):
        total.update(
            f"{path.relative_to(_PACKAGE)}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode()
        )
    return total.hexdigest()
