"""The site: everything that is known → planned pages → files (`folder`), or one table of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from benchbox.analysis import check_papers
from benchbox.analysis.check_papers import Verdict
from benchbox.errors import ProtocolError, ResultError
from benchbox.papers import claims, contradictions, reference_rows
from benchbox.plugins import method_card
from benchbox.protocols import protocol_card
from benchbox.report.inputs import results
from benchbox.report.inputs.results import Problem, Result
from benchbox.report.pages.page_types import BoardPage, Sources
from benchbox.report.tables import costs, exports, leaderboard, rows
from benchbox.runs import run_folders
from benchbox.types import Protocol

from . import output, plan, templates
from .output import File

ASSETS = ("atlas.js", "chart.js", "compare.js", "mark.svg", "search.js", "site.css", "table.js")
_HERE = Path(__file__).parents[1]


def render(results_folder: Path, out: Path) -> list[Path]:
    """Write the site of a results folder below `out`; return the files, sorted.

    Every file appears whole or not at all; pages of an earlier rendering that are not made any more
    are removed, and no other file is touched. Raises ResultError when `out` holds a foreign file in
    the way or cannot be written.
    """
    return output.write(planned(gather(results_folder)), out)


def stale(results_folder: Path, out: Path) -> list[str]:
    """Say how the site below `out` differs from what `render` would write, one line per file.

    [] when it does not.

    Every file is rendered and its bytes compared, a picture's by what they show; nothing beside the
    pages is believed.
    """
    return output.differences(planned(gather(results_folder)), out)


def gather(results_folder: Path) -> Sources:
    """Read everything that the pages are made from: cards, references, runs."""
    found, problems = results.read(results_folder)
    known = {card.name: card for card in protocol_card.cards()}
    for name in dict.fromkeys(result.run.protocol for result in found):
        _add_protocol(known, name, problems)
    claimed = claims.load()
    return Sources(
        protocols=tuple(known[name] for name in sorted(known)),
        methods=tuple(sorted(method_card.cards(), key=lambda card: card.name)),
        references=contradictions.annotated(reference_rows.load(), known.values()),
        results=tuple(found),
        profiles=_profiles(results_folder, problems),
        problems=tuple(problems),
        verdicts=cache(lambda: _verdicts(found, results_folder)),
        systems=claimed.systems,
        facts=claimed.facts,
    )


def _profiles(results_folder: Path, problems: list[Problem]) -> costs.Profiles:
    """Read what was saved of networks, or say why it cannot be used."""
    try:
        return run_folders.profiles(results_folder)
    except ResultError as fault:
        problems.append(
            Problem("results/profiles", "", str(fault).replace(f"{results_folder}/", ""))
        )
        return {}


def _verdicts(found: Iterable[Result], results_folder: Path) -> tuple[Verdict, ...]:
    """Hold the readable runs against papers' claims.

    Reasons name places inside the results folder.
    """
    held = check_papers.held([result.run for result in found], results_folder)
    inside = f"{results_folder}/"
    return tuple(
        replace(one, reasons=tuple(r.replace(inside, "results/") for r in one.reasons))
        for one in held
    )


def save_figures(
    results_folder: Path, name: str, suffix: str, out: Path, convention: str = ""
) -> list[Path]:
    """Write every chart of a leaderboard as pdf or png below `out`, for papers; return the files.

    Raises as `export`, and ResultError where matplotlib is not installed, nothing is drawn or `out`
    cannot be written.
    """
    from benchbox.report.charts import pdf

    sources = gather(results_folder)
    offered = _offered(sources, name)
    wanted = convention or next(iter(offered), "")
    _demand(name, wanted, offered)
    path = rows.board_path(name, "" if wanted == offered[0] else wanted)
    (page,) = [draft.content() for draft in plan.drafts(sources) if draft.path == path]
    if not isinstance(page, BoardPage) or not page.charts:
        raise ResultError(
            f"{name}: nothing to draw under {wanted}; `benchbox run --protocol {name} …` makes a result"
        )
    written = []
    for chart in page.charts:
        file = out / f"{results.slug(name)}-{wanted}-{chart.name}.{suffix}"
        output.save(file, pdf.draw(chart, suffix))
        written.append(file)
    return written


def _add_protocol(known: dict[str, Protocol], name: str, problems: list[Problem]) -> None:
    """Load the card of a protocol that has results, with its options, or say that there is none."""
    try:
        if name not in known:
            known[name] = protocol_card.load(name)
    except ProtocolError as fault:
        problems.append(Problem(f"results/{name}", name, f"has no leaderboard: {fault}"))


def export(results_folder: Path, name: str, suffix: str, convention: str = "") -> str:
    """Return one table of a protocol, ranked, as csv, md, tex or json, or its references as bib.

    Raises ProtocolError for an unknown protocol, ResultError where nothing is known under it or the
    convention.
    """
    sources = gather(results_folder)
    offered = _offered(sources, name)
    wanted = convention or next(iter(offered), "")
    _demand(name, wanted, offered)
    path = exports.path(name, "" if suffix == "bib" else wanted, suffix)
    return planned(sources)[path].content().decode()


def _offered(sources: Sources, name: str) -> list[str]:
    """Return the conventions under which anything is known of a protocol.

    Raises ProtocolError for an unknown one.
    """
    own = [result for result in sources.results if result.run.protocol == name]
    return leaderboard.conventions(protocol_card.load(name), own, sources.references)


def _demand(name: str, wanted: str, offered: list[str]) -> None:
    if wanted not in offered:
        known = ", ".join(offered) or "nothing yet"
        raise ResultError(
            f"{name}: nothing is known under {wanted or 'any convention'}; there is {known}"
        )


def planned(sources: Sources) -> dict[str, File]:
    """Plan every file of the site but the manifest: path inside the site → file, sorted by path."""
    environment = templates.environment()
    made = {f"assets/{name}": File(str, (_HERE / "assets" / name).read_bytes) for name in ASSETS}
    for draft in plan.drafts(sources):
        made[draft.path] = File(
            draft.inputs, partial(templates.printed, environment, draft), draft.near, draft.work
        )
    return dict(sorted(made.items()))


def files(sources: Sources) -> dict[str, bytes]:
    """Render every file of the site: path inside the site → bytes, sorted by path, the manifest included."""
    made = {name: file.content() for name, file in planned(sources).items()}
    noted = {name: output.noted(name, content) for name, content in made.items()}
    return {**made, output.MANIFEST: output.manifest(noted)}
