"""The site on disk: pages → bytes → files, with a manifest of what was written so that nothing else is ever touched."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path, PurePosixPath

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from benchbox import check, lint, plugins, protocol, references
from benchbox.check import Verdict
from benchbox.errors import ProtocolError, ResultError
from benchbox.types import Protocol

from . import exports, faces, measures, memo, plan, results, standings
from .atlas import AtlasPage
from .compare import ComparePage
from .guide import GuidePage
from .pages import BoardPage, IndexPage, MethodPage, Page, Sources
from .plan import Draft
from .results import Problem, Result
from .runs import RunPage

MANIFEST = "manifest.json"
ASSETS = ("atlas.js", "chart.js", "compare.js", "mark.svg", "search.js", "site.css", "table.js")
COLOURS = ("#0072b2", "#c44e00", "#007a5a", "#a3337a", "#4a4a4a", "#8a6a00", "#2f7fc9", "#6d48c4")
DASHES = ("", "", "7 3", "", "2 3", "9 3 2 3", "5 2", "1 3", *("6 2 1 2",) * 8, *("12 4",) * 8)
_MAKER = "benchbox report"
_PICTURE = ".jpg"  # drawn here; another JPEG library may write other bytes for it
_SUFFIXES = {".html", ".css", ".js", ".svg", ".json", ".csv", ".md", ".tex", ".bib", _PICTURE}
_TEMPLATES: Mapping[type, str] = {
    IndexPage: "index.html",
    BoardPage: "board.html",
    MethodPage: "method.html",
    RunPage: "run.html",
    ComparePage: "compare.html",
    AtlasPage: "atlas.html",
    GuidePage: "guide.html",
}
_HERE = Path(__file__).parent
_WHOLE = 28  # characters


def render(results_folder: Path, out: Path) -> list[Path]:
    """Write the site of a results folder below `out`; return the files, sorted.

    Every file appears whole or not at all; pages of an earlier rendering that are not made any more are removed, and
    no other file is touched. Raises ResultError when `out` holds a foreign file in the way or cannot be written.
    """
    return write(planned(gather(results_folder)), out)


def stale(results_folder: Path, out: Path) -> list[str]:
    """Say how the site below `out` differs from what `render` would write, one line per file; [] when it does not.

    Every file is rendered and its bytes compared, a picture's by what they show; nothing beside the pages is believed.
    """
    wanted = planned(gather(results_folder))
    faults, digests = [], {}
    for name, file in wanted.items():
        content = file.content()
        digests[name] = _noted(name, content)
        faults += _difference(out, name, content)
    faults += _difference(out, MANIFEST, _manifest(digests))
    faults += [f"{name}: left over" for name in _written(out) if name not in wanted and (out / name).is_file()]
    return sorted(faults)


def _difference(out: Path, name: str, content: bytes) -> list[str]:
    if not (out / name).is_file():
        return [f"{name}: missing"]
    written = (out / name).read_bytes()
    same = written == content or (name.endswith(_PICTURE) and faces.alike(written, content))
    return [] if same else [f"{name}: differs"]


def gather(results_folder: Path) -> Sources:
    """Read everything that the pages are made from: cards, references, runs."""
    found, problems = results.read(results_folder)
    known = {card.name: card for card in protocol.cards()}
    for name in dict.fromkeys(result.run.protocol for result in found):
        _add_protocol(known, name, problems)
    return Sources(
        protocols=tuple(known[name] for name in sorted(known)),
        methods=tuple(sorted(plugins.cards(), key=lambda card: card.name)),
        references=lint.annotated(references.load(), known.values()),
        results=tuple(found),
        problems=tuple(problems),
        verdicts=cache(lambda: _verdicts(found, results_folder)),
    )


def _verdicts(found: Iterable[Result], results_folder: Path) -> tuple[Verdict, ...]:
    """Hold the readable runs against papers' claims; reasons name places inside the results folder."""
    held = check.held([result.run for result in found], results_folder)
    inside = f"{results_folder}/"
    return tuple(replace(one, reasons=tuple(r.replace(inside, "results/") for r in one.reasons)) for one in held)


def _add_protocol(known: dict[str, Protocol], name: str, problems: list[Problem]) -> None:
    """Load the card of a protocol that has results, with its options, or say that there is none."""
    try:
        if name not in known:
            known[name] = protocol.load(name)
    except ProtocolError as fault:
        problems.append(Problem(f"results/{name}", name, f"has no leaderboard: {fault}"))


def export(results_folder: Path, name: str, suffix: str, convention: str = "") -> str:
    """Return one table of a protocol, ranked, as csv, md, tex or json, or its references as bib.

    Raises ProtocolError for an unknown protocol, ResultError where nothing is known under it or the convention.
    """
    card, sources = protocol.load(name), gather(results_folder)
    own = [result for result in sources.results if result.run.protocol == name]
    offered = standings.conventions(card, own, sources.references)
    wanted = convention or next(iter(offered), "")
    if wanted not in offered:
        known = ", ".join(offered) or "nothing yet"
        raise ResultError(f"{name}: nothing is known under {wanted or 'any convention'}; there is {known}")
    path = exports.path(name, "" if suffix == "bib" else wanted, suffix)
    return planned(sources)[path].content().decode()


# --- bytes -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class File:
    """A file of the site before it is rendered."""

    inputs: Callable[[], str]  # digest of what it is made from, the code and templates aside
    content: Callable[[], bytes]


def planned(sources: Sources) -> dict[str, File]:
    """Plan every file of the site but the manifest: path inside the site → file, sorted by path."""
    environment = _environment()
    made = {f"assets/{name}": File(str, (_HERE / "assets" / name).read_bytes) for name in ASSETS}
    for draft in plan.drafts(sources):
        made[draft.path] = File(draft.inputs, partial(_printed, environment, draft))
    return dict(sorted(made.items()))


def files(sources: Sources) -> dict[str, bytes]:
    """Render every file of the site: path inside the site → bytes, sorted by path, the manifest included."""
    made = {name: file.content() for name, file in planned(sources).items()}
    return {**made, MANIFEST: _manifest({name: _noted(name, content) for name, content in made.items()})}


def _printed(environment: Environment, draft: Draft) -> bytes:
    made = draft.content()
    if isinstance(made, bytes):
        return made
    return made.encode() if isinstance(made, str) else _html(environment, made)


def _noted(name: str, content: bytes) -> str:
    """Return what the manifest says of a file; a drawing is known by its name, which says what it shows."""
    return "drawn" if name.endswith(_PICTURE) else _digest(content)


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _manifest(digests: Mapping[str, str]) -> bytes:
    return (json.dumps({"schema": 1, "made_by": _MAKER, "files": digests}, indent=1) + "\n").encode()


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "words": measures.words,
        "short": measures.short,
        "capitalise": _capitalise,
        "whole": _whole,
    }
    environment.filters |= {"size": measures.size, "milliseconds": measures.milliseconds, "printed": measures.number}
    environment.globals |= {"colours": COLOURS, "dashes": DASHES}
    return environment


def _capitalise(text: str) -> str:
    return text[:1].upper() + text[1:]


def _whole(text: str) -> str:
    """Keep a few words on one line."""
    return text.replace(" ", "\u00a0") if len(text) < _WHOLE else text


def _html(environment: Environment, page: Page) -> bytes:
    template = environment.get_template(_TEMPLATES[type(page)])
    return template.render(page=page, root="../" * page.path.count("/")).encode()


# --- files -------------------------------------------------------------------------------------------------------


def write(wanted: Mapping[str, File], out: Path) -> list[Path]:
    """Render and write the files of a site that have changed and remove those of an earlier one; see `render`."""
    before = _written(out)
    for name in (*wanted, MANIFEST):
        if (out / name).exists() and name not in before and name != MANIFEST:
            raise ResultError(f"{out / name}: was not written by benchbox report; choose another folder with --out")
    with _explained(out):
        if before != wanted.keys():  # an interrupted rendering must still know its files, old and new
            out.mkdir(parents=True, exist_ok=True)
            _replace(out / MANIFEST, _manifest(dict.fromkeys(sorted(before | wanted.keys()), "")))
    known = memo.load(out)
    made = {name: _refreshed(out / name, file, known.get(name)) for name, file in wanted.items()}
    with _explained(out):
        known_as = {name: "drawn" if name.endswith(_PICTURE) else digest for name, (_, digest) in made.items()}
        _replace(out / MANIFEST, _manifest(known_as))
        for name in sorted(before - wanted.keys()):
            (out / name).unlink(missing_ok=True)
            _prune(out, name)
    memo.save(out, made)
    return sorted(out / name for name in (*made, MANIFEST))


def _refreshed(path: Path, file: File, noted: memo.Noted | None) -> memo.Noted:
    """Render one file unless it was rendered from the same inputs and nobody has touched it since."""
    inputs = file.inputs()
    if noted and noted[0] == inputs and path.is_file() and _digest(path.read_bytes()) == noted[1]:
        return noted
    content = file.content()
    with _explained(path):
        _replace(path, content)
    return inputs, _digest(content)


@contextmanager
def _explained(place: Path) -> Iterator[None]:
    """Turn a fault of writing into one line that says what to do."""
    try:
        yield
    except OSError as fault:
        raise ResultError(f"{place}: cannot be written: {fault.strerror or fault}; choose --out DIR") from fault


def _replace(path: Path, content: bytes) -> None:
    if path.is_file() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _prune(out: Path, name: str) -> None:
    """Remove the folders that a removed page leaves empty."""
    for parent in PurePosixPath(name).parents:
        folder = out / parent
        if parent == PurePosixPath(".") or not folder.is_dir() or any(folder.iterdir()):
            return
        folder.rmdir()


def _written(out: Path) -> set[str]:
    """Return the files that the manifest below `out` names; empty without one. Raises ResultError when it is wrong."""
    path = out / MANIFEST
    if not path.is_file():
        return set()
    try:
        listing = json.loads(path.read_text(encoding="utf-8"))
        names = set(listing["files"]) if listing["made_by"] == _MAKER else None
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise ResultError(f"{path}: is no manifest of benchbox report; delete it or choose --out DIR") from fault
    if names is None or not all(_inside(name) for name in names):
        raise ResultError(f"{path}: is no manifest of benchbox report; delete it or choose --out DIR")
    return names


def _inside(name: str) -> bool:
    """Tell whether a manifest's path stays below the site and looks like one of its files."""
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and path.suffix in _SUFFIXES
