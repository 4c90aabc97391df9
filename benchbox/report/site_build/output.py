"""A folder of rendered files, with a manifest of what was written there so that nothing else is ever touched."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from benchbox.atomic_write import write_whole
from benchbox.errors import ResultError
from benchbox.report.charts import face_drawings

from . import cache, parallel

MANIFEST = "manifest.json"
PICTURE = ".jpg"  # drawn here; another JPEG library may write other bytes for it
_MAKER = "benchbox report"
_SUFFIXES = {".html", ".css", ".js", ".svg", ".json", ".csv", ".md", ".tex", ".bib", PICTURE}


@dataclass(frozen=True)
class SiteFile:
    """A file of the site before it is rendered."""

    inputs: Callable[[], str]  # digest of what it is made from, the code and templates aside
    content: Callable[[], bytes]
    near: str = ""  # files of one group read much the same
    work: float = 1.0  # about how much it is to make it; a run's page is 1


def write_site(wanted: Mapping[str, SiteFile], out: Path) -> list[Path]:
    """Render and write the files of a site that have changed and remove those of an earlier one.

    See `render`.
    """
    before = _files_in_manifest(out)
    for name in (*wanted, MANIFEST):
        if (out / name).exists() and name not in before and name != MANIFEST:
            raise ResultError(
                f"{out / name}: was not written by benchbox report; choose another folder with --out"
            )
    with _explain_write_errors(out):
        # an interrupted rendering must still know its files, old and new
        if before != wanted.keys():
            out.mkdir(parents=True, exist_ok=True)
            _replace_file(
                out / MANIFEST, encode_manifest(dict.fromkeys(sorted(before | wanted.keys()), ""))
            )
    known = cache.load_digests(out)
    came = {name for name in before if name.endswith(PICTURE)}
    made = parallel.make_files(
        wanted,
        lambda name, file: _render_if_changed(
            out / name, file, known.get(name), drawn=name in came
        ),
    )
    with _explain_write_errors(out):
        known_as = {
            name: "drawn" if name.endswith(PICTURE) else digest
            for name, (_, digest) in made.items()
        }
        _replace_file(out / MANIFEST, encode_manifest(known_as))
        for name in sorted(before - wanted.keys()):
            (out / name).unlink(missing_ok=True)
            _remove_empty_folders(out, name)
    cache.save_digests(out, made)
    return sorted(out / name for name in (*made, MANIFEST))


def find_differences(wanted: Mapping[str, SiteFile], out: Path) -> list[str]:
    """Render every file of a site and say where the one below `out` differs.

    Nothing beside the files is believed.
    """

    def compared(name: str, file: SiteFile) -> tuple[str, list[str]]:
        content = file.content()
        return manifest_entry(name, content), _describe_difference(out, name, content)

    made = parallel.make_files(wanted, compared)
    digests = {name: digest for name, (digest, _) in made.items()}
    faults = [fault for _, found in made.values() for fault in found]
    faults += _describe_difference(out, MANIFEST, encode_manifest(digests))
    faults += [
        f"{name}: left over"
        for name in _files_in_manifest(out)
        if name not in wanted and (out / name).is_file()
    ]
    return sorted(faults)


def _describe_difference(out: Path, name: str, content: bytes) -> list[str]:
    if not (out / name).is_file():
        return [f"{name}: missing"]
    written = (out / name).read_bytes()
    same = written == content or (
        name.endswith(PICTURE) and face_drawings.same_picture(written, content)
    )
    return [] if same else [f"{name}: differs"]


def manifest_entry(name: str, content: bytes) -> str:
    """Return what the manifest says of a file.

    A drawing is known by its name, which says what it shows.
    """
    return "drawn" if name.endswith(PICTURE) else content_digest(content)


def content_digest(content: bytes) -> str:
    """Return the SHA-256 of a file's content, as the manifest writes it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def encode_manifest(digests: Mapping[str, str]) -> bytes:
    """Write the manifest of files that are known by their digests."""
    return (
        json.dumps({"schema": 1, "made_by": _MAKER, "files": digests}, indent=1) + "\n"
    ).encode()


def _render_if_changed(
    path: Path, file: SiteFile, before: cache.PageDigests | None, *, drawn: bool
) -> cache.PageDigests:
    """Render one file unless it was rendered from the same inputs and nobody has touched it since.

    A picture that was `drawn` on another machine and came along stays: its name says what it shows
    and which generator drew it. `differences` draws it again and tells.
    """
    inputs = file.inputs()
    if drawn and before is None and path.is_file():
        return inputs, content_digest(path.read_bytes())
    if (
        before
        and before[0] == inputs
        and path.is_file()
        and content_digest(path.read_bytes()) == before[1]
    ):
        return before
    content = file.content()
    write_file(path, content)
    return inputs, content_digest(content)


def write_file(path: Path, content: bytes) -> None:
    """Write one file whole; raises ResultError when it cannot be written."""
    with _explain_write_errors(path):
        _replace_file(path, content)


@contextmanager
def _explain_write_errors(place: Path) -> Iterator[None]:
    """Turn a fault of writing into one line that says what to do."""
    try:
        yield
    except OSError as fault:
        raise ResultError(
            f"{place}: cannot be written: {fault.strerror or fault}; choose --out DIR"
        ) from fault


def _replace_file(path: Path, content: bytes) -> None:
    if path.is_file() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    # not flushed: thousands of pages, which the same command makes again
    write_whole(path, content, flush=False)


def _remove_empty_folders(out: Path, name: str) -> None:
    """Remove the folders that a removed page leaves empty."""
    for parent in PurePosixPath(name).parents:
        folder = out / parent
        if parent == PurePosixPath(".") or not folder.is_dir() or any(folder.iterdir()):
            return
        folder.rmdir()


def _files_in_manifest(out: Path) -> set[str]:
    """Return the files that the manifest below `out` names; empty without one.

    Raises ResultError when it is wrong.
    """
    path = out / MANIFEST
    if not path.is_file():
        return set()
    try:
        listing = json.loads(path.read_text(encoding="utf-8"))
        names = set(listing["files"]) if listing["made_by"] == _MAKER else None
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise ResultError(
            f"{path}: is no manifest of benchbox report; delete it or choose --out DIR"
        ) from fault
    if names is None or not all(_is_site_path(name) for name in names):
        raise ResultError(
            f"{path}: is no manifest of benchbox report; delete it or choose --out DIR"
        )
    return names


def _is_site_path(name: str) -> bool:
    """Tell whether a manifest's path stays below the site and looks like one of its files."""
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and path.suffix in _SUFFIXES
