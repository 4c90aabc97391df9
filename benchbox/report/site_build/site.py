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
from .output import SiteFile

ASSETS = ("atlas.js", "chart.js", "compare.js", "mark.svg", "search.js", "site.css", "table.js")
_HERE = Path(__file__).parents[1]


def render_site(results_folder: Path, out: Path) -> list[Path]:
    """Write the site of a results folder below `out`; return the files, sorted.

    Every file appears whole or not at all; pages of an earlier rendering that are not made any more
    are removed, and no other file is touched. Raises ResultError when `out` holds a foreign file in
    the way or cannot be written.
    """
    return output.write_site(plan_files(gather_sources(results_folder)), out)


def find_stale_files(results_folder: Path, out: Path) -> list[str]:
    """Say how the site below `out` differs from what `render` would write, one line per file.

    [] when it does not.

    Every file is rendered and its bytes compared, a picture's by what they show; nothing beside the
    pages is believed.
    """
    return output.find_differences(plan_files(gather_sources(results_folder)), out)


def gather_sources(results_folder: Path) -> Sources:
    """Read everything that the pages are made from: cards, references, runs."""
    found, problems = results.read_results(results_folder)
    known = {card.name: card for card in protocol_card.read_cards()}
    for name in dict.fromkeys(result.run.protocol for result in found):
        _add_protocol_card(known, name, problems)
    claimed = claims.load_claims()
    return Sources(
        protocols=tuple(known[name] for name in sorted(known)),
        methods=tuple(sorted(method_card.read_cards(), key=lambda card: card.name)),
        references=contradictions.annotate_references(
            reference_rows.load_references(), known.values()
        ),
        results=tuple(found),
        profiles=_read_profiles(results_folder, problems),
        problems=tuple(problems),
        verdicts=cache(lambda: _judge_claims(found, results_folder)),
        systems=claimed.systems,
        facts=claimed.facts,
    )


def _read_profiles(results_folder: Path, problems: list[Problem]) -> costs.Profiles:
    """Read what was saved of networks, or say why it cannot be used."""
    try:
        return run_folders.read_profiles(results_folder)
    except ResultError as fault:
        problems.append(
            Problem("results/profiles", "", str(fault).replace(f"{results_folder}/", ""))
        )
        return {}


def _judge_claims(found: Iterable[Result], results_folder: Path) -> tuple[Verdict, ...]:
    """Hold the readable runs against papers' claims.

    Reasons name places inside the results folder.
    """
    held = check_papers.judge_runs([result.run for result in found], results_folder)
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

    sources = gather_sources(results_folder)
    offered = _offered_conventions(sources, name)
    wanted = convention or next(iter(offered), "")
    _require_convention(name, wanted, offered)
    path = rows.board_path(name, "" if wanted == offered[0] else wanted)
    (page,) = [draft.content() for draft in plan.plan_pages(sources) if draft.path == path]
    if not isinstance(page, BoardPage) or not page.charts:
        raise ResultError(
            f"{name}: nothing to draw under {wanted}; `benchbox run --protocol {name} …` makes a result"
        )
    written = []
    for chart in page.charts:
        file = out / f"{results.file_slug(name)}-{wanted}-{chart.name}.{suffix}"
        output.write_file(file, pdf.draw_figure(chart, suffix))
        written.append(file)
    return written


def _add_protocol_card(known: dict[str, Protocol], name: str, problems: list[Problem]) -> None:
    """Load the card of a protocol that has results, with its options, or say that there is none."""
    try:
        if name not in known:
            known[name] = protocol_card.load_protocol(name)
    except ProtocolError as fault:
        problems.append(Problem(f"results/{name}", name, f"has no leaderboard: {fault}"))


def export_table(results_folder: Path, name: str, suffix: str, convention: str = "") -> str:
    """Return one table of a protocol, ranked, as csv, md, tex or json, or its references as bib.

    Raises ProtocolError for an unknown protocol, ResultError where nothing is known under it or the
    convention.
    """
    sources = gather_sources(results_folder)
    offered = _offered_conventions(sources, name)
    wanted = convention or next(iter(offered), "")
    _require_convention(name, wanted, offered)
    path = exports.export_path(name, "" if suffix == "bib" else wanted, suffix)
    return plan_files(sources)[path].content().decode()


def _offered_conventions(sources: Sources, name: str) -> list[str]:
    """Return the conventions under which anything is known of a protocol.

    Raises ProtocolError for an unknown one.
    """
    own = [result for result in sources.results if result.run.protocol == name]
    return leaderboard.list_conventions(protocol_card.load_protocol(name), own, sources.references)


def _require_convention(name: str, wanted: str, offered: list[str]) -> None:
    if wanted not in offered:
        known = ", ".join(offered) or "nothing yet"
        raise ResultError(
            f"{name}: nothing is known under {wanted or 'any convention'}; there is {known}"
        )


def plan_files(sources: Sources) -> dict[str, SiteFile]:
    """Plan every file of the site but the manifest: path inside the site → file, sorted by path."""
    environment = templates.template_environment()
    made = {
        f"assets/{name}": SiteFile(str, (_HERE / "assets" / name).read_bytes) for name in ASSETS
    }
    for draft in plan.plan_pages(sources):
        made[draft.path] = SiteFile(
            draft.inputs,
            partial(templates.print_planned, environment, draft),
            draft.near,
            draft.work,
        )
    return dict(sorted(made.items()))


def render_files(sources: Sources) -> dict[str, bytes]:
    """Render every file of the site: path inside the site → bytes, sorted by path, the manifest included."""
    made = {name: file.content() for name, file in plan_files(sources).items()}
    noted = {name: output.manifest_entry(name, content) for name, content in made.items()}
    return {**made, output.MANIFEST: output.encode_manifest(noted)}
