"""What was rendered from what: so that a page whose inputs have not changed is not made again.

The cache lies beside the pages, in a folder that Git ignores. It only ever saves work on the
machine that wrote it: it counts for nothing once a line of benchbox or a library has changed, a
page counts only while its bytes are the ones noted, and `find_stale_files` never looks at it.
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
from benchbox.errors import DataError
from benchbox.file_readers.json_files import read_json_table

_FOLDER, _FILE = ".cache", "pages.json"
_PACKAGE = Path(__file__).parents[2]
_CODE = {".py", ".html", ".css", ".js", ".svg", ".md", ".csv"}
_LIBRARIES = ("jinja2", "markdown-it-py", "markupsafe", "numpy")

PageDigests = tuple[str, str]  # of a page's inputs, of its bytes


def load_digests(out: Path) -> dict[str, PageDigests]:
    """Return what was noted for each file below `out`.

    Empty where nothing that this code wrote can be read.
    """
    generator = generator_digest()  # before any page is made: a line changed meanwhile counts
    try:
        document = read_json_table(out / _FOLDER / _FILE)
        if document["generator"] != generator:
            return {}
        digests = {}
        for name, (inputs, content) in document["pages"].items():
            digests[str(name)] = str(inputs), str(content)
        return digests
    except (DataError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def save_digests(out: Path, pages: Mapping[str, PageDigests]) -> None:
    """Note what the files below `out` were made from.

    A folder that cannot be written costs time only.
    """
    folder = out / _FOLDER
    document = {"generator": generator_digest(), "pages": dict(pages)}
    with suppress(OSError):
        folder.mkdir(exist_ok=True)
        (folder / ".gitignore").write_text("*\n", encoding="utf-8")
        write_whole(folder / _FILE, json.dumps(document), flush=False)


@cache
def generator_digest() -> str:
    """Hash what turns inputs into pages: benchbox with templates and assets, Python, libraries."""
    versions = (platform.python_version(), *map(version, _LIBRARIES))
    total = hashlib.sha256(repr(versions).encode())
    for path in sorted(_PACKAGE.rglob("*")):
        if path.suffix in _CODE:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            total.update(f"{path.relative_to(_PACKAGE)}\0{content}\n".encode())
    return total.hexdigest()
