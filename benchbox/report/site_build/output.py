"""A folder of rendered files, with a manifest of them so that nothing else is ever touched."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from benchbox.atomic_write import write_whole
from benchbox.errors import ResultError
from benchbox.file_readers.json_files import parse_json
from benchbox.file_readers.regular_files import read_text
from benchbox.report.charts import face_drawings

from . import cache, parallel
from .cache import PageDigests

MANIFEST = "manifest.json"
PICTURE = ".jpg"  # drawn here; another JPEG library may write other bytes for it
_MAKER = "benchbox report"
_DRAWN = "drawn"
_CONFLICT = re.compile(r"^(<{7} |={7}$|>{7} )", re.MULTILINE)
# a line of the manifest's table of files
_ENTRY = re.compile(r'\s*"(?P<name>[^"]+)": "(sha256:[0-9a-f]*|drawn|)",?')
NO_JEKYLL = ".nojekyll"  # GitHub Pages serves the files as they are
_SUFFIXES = {".html", ".css", ".js", ".svg", ".json", ".csv", ".md", ".tex", ".bib", PICTURE}


@dataclass(frozen=True)
class SiteFile:
    """A file of the site before it is rendered."""

    inputs: Callable[[], str]  # digest of what it is made from, the code and templates aside
    content: Callable[[], bytes]
    group: str = ""  # files of one group read much the same
    work: float = 1.0  # about how much it is to make it; a run's page is 1


def write_site(wanted: Mapping[str, SiteFile], out: Path) -> list[Path]:
    """Render and write the files of a site that have changed and remove those of an earlier one.

    See `site.render_site`.
    """
    before = _files_in_manifest(out)
    _refuse_foreign_files(wanted, before, out)
    if before != wanted.keys():
        # an interrupted rendering must still know its files, old and new
        with _explain_write_errors(out):
            out.mkdir(parents=True, exist_ok=True)
            names = sorted(before | wanted.keys())
            _replace_file(out / MANIFEST, encode_manifest(dict.fromkeys(names, "")))
    digests = cache.load_digests(out)

    def make(name: str, file: SiteFile) -> PageDigests:
        drawn_before = name in before and name.endswith(PICTURE)
        return _render_if_changed(out / name, file, digests.get(name), drawn=drawn_before)

    made = parallel.make_files(wanted, make)
    entries = {name: _entry_of(name, content_hash) for name, (_, content_hash) in made.items()}
    with _explain_write_errors(out):
        _replace_file(out / MANIFEST, encode_manifest(entries))
        for name in sorted(before - wanted.keys()):
            (out / name).unlink(missing_ok=True)
            _remove_empty_folders(out, name)
    cache.save_digests(out, made)
    return sorted(out / name for name in (*made, MANIFEST))


def _refuse_foreign_files(wanted: Mapping[str, SiteFile], before: set[str], out: Path) -> None:
    for name in wanted:
        if name == NO_JEKYLL:  # empty, whoever put it there
            continue
        if name not in before and (out / name).exists():
            if (out / MANIFEST).is_file():
                remedy = "choose another folder with --out"
            else:
                remedy = (
                    f"{out / MANIFEST}, which names the files of a site, is not there: if {out} is"
                    " an earlier site, delete the whole folder; else choose another with --out"
                )
            raise ResultError(f"{out / name}: was not written by benchbox report; {remedy}")


def find_differences(wanted: Mapping[str, SiteFile], out: Path) -> list[str]:
    """Render every file of a site and say where the one below `out` differs.

    Nothing beside the files is believed.
    """

    def compare(name: str, file: SiteFile) -> tuple[str, str]:
        content = file.content()
        return manifest_entry(name, content), _describe_difference(out, name, content)

    entries = {}
    differences = []
    for name, (entry, difference) in parallel.make_files(wanted, compare).items():
        entries[name] = entry
        differences.append(difference)
    differences.append(_describe_difference(out, MANIFEST, encode_manifest(entries)))
    for name in _files_in_manifest(out):
        if name not in wanted and (out / name).is_file():
            differences.append(f"{name}: left over")
    return sorted(difference for difference in differences if difference)


def _describe_difference(out: Path, name: str, content: bytes) -> str:
    """Say how a written file differs from its content, "" where it does not."""
    if not (out / name).is_file():
        return f"{name}: missing"
    written = (out / name).read_bytes()
    if written == content:
        return ""
    if name.endswith(PICTURE) and face_drawings.same_picture(written, content):
        return ""
    return f"{name}: differs"


# --- the manifest ---------------------------------------------------------------------------------


def manifest_entry(name: str, content: bytes) -> str:
    """Return what the manifest says of a file."""
    return _entry_of(name, content_digest(content))


def _entry_of(name: str, digest: str) -> str:
    """Know a drawing by its name, which says what it shows, and every other file by its digest."""
    if name.endswith(PICTURE):
        return _DRAWN
    return digest


def content_digest(content: bytes) -> str:
    """Return the SHA-256 of a file's content, as the manifest writes it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def encode_manifest(entries: Mapping[str, str]) -> bytes:
    """Write the manifest of files that are known by their digests."""
    manifest = {"schema": 1, "made_by": _MAKER, "files": entries}
    return (json.dumps(manifest, indent=1) + "\n").encode()


def _files_in_manifest(out: Path) -> set[str]:
    """Return the files that the manifest below `out` names; empty without one.

    Where git left a conflict in it, the files of both sides belong to the site. Raises ResultError
    when it is wrong.
    """
    path = out / MANIFEST
    if not path.is_file():
        return set()
    wrong = (
        f"{path}: is no manifest of benchbox report; if {out} is an earlier site, delete the whole"
        " folder; else choose another with --out"
    )
    try:
        text = read_text(path, fault=ResultError)
        if _CONFLICT.search(text):
            return _files_of_both_sides(text, wrong)
        manifest = parse_json(text, path, fault=ResultError)
        names, maker = set(manifest["files"]), manifest["made_by"]
    except (ResultError, KeyError, TypeError) as fault:
        raise ResultError(wrong) from fault
    if maker != _MAKER or not all(isinstance(name, str) and _is_site_path(name) for name in names):
        raise ResultError(wrong)
    return names


def _files_of_both_sides(text: str, wrong: str) -> set[str]:
    """Return the files that either side of a merge conflict names; raises ResultError for others.

    The lines are read one by one: together they are no JSON.
    """
    names = set()
    maker = False
    for line in text.splitlines():
        entry = _ENTRY.fullmatch(line)
        maker = maker or line.strip().rstrip(",") == f'"made_by": "{_MAKER}"'
        if entry is None or entry["name"] in ("schema", "made_by"):
            continue
        name = parse_json(entry["name"].join('""'), wrong, fault=ResultError)
        if not _is_site_path(name):
            raise ResultError(wrong)
        names.add(name)
    if not maker:
        raise ResultError(wrong)
    return names


def _is_site_path(name: str) -> bool:
    """Tell whether a manifest's path stays below the site and looks like one of its files."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        return False
    return path.suffix in _SUFFIXES or name == NO_JEKYLL


# --- writing --------------------------------------------------------------------------------------


def _render_if_changed(
    path: Path, file: SiteFile, before: PageDigests | None, *, drawn: bool
) -> PageDigests:
    """Render one file unless it was rendered from the same inputs and nobody has touched it since.

    A picture that was `drawn` on another machine and came along stays: its name says what it shows
    and which generator drew it. `find_differences` draws it again and tells.
    """
    inputs = file.inputs()
    if path.is_file():
        written = content_digest(path.read_bytes())
        if before == (inputs, written) or (drawn and before is None):
            return inputs, written
    content = file.content()
    write_file(path, content)
    return inputs, content_digest(content)


def write_file(path: Path, content: bytes) -> None:
    """Write one file whole; raises ResultError when it cannot be written."""
    with _explain_write_errors(path):
        _replace_file(path, content)


@contextmanager
def _explain_write_errors(path: Path) -> Iterator[None]:
    """Turn a fault of writing into one line that says what to do."""
    try:
        yield
    except OSError as fault:
        raise ResultError(
            f"{path}: cannot be written: {_reason(path, fault)}; choose --out DIR"
        ) from fault


def _reason(path: Path, fault: OSError) -> str:
    """Say why a path cannot be written: a file where a folder is needed by its name."""
    if isinstance(fault, FileExistsError | NotADirectoryError):
        for place in (path, *path.parents):
            if place.exists() and not place.is_dir():
                return f"{place} is a file, not a folder"
    return fault.strerror or str(fault)


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
