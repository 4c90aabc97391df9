"""The site: everything that is known → planned pages → files (`output`), or one table of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from benchbox.analysis import check_papers
from benchbox.analysis.verdicts import Verdict
from benchbox.errors import ProtocolError, ResultError
from benchbox.papers import claims, contradictions, reference_rows
from benchbox.plugins import method_card
from benchbox.protocols import protocol_card
from benchbox.report.inputs import results
from benchbox.report.inputs.results import Problem, Result
from benchbox.report.pages import export_files
from benchbox.report.pages.leaderboard_page import BoardPage
from benchbox.report.pages.shared_data import SharedData, Sources
from benchbox.report.tables import costs, leaderboard, rows
from benchbox.runs import kept_cards, run_folders
from benchbox.types import Protocol

from . import output, plan, templates
from .output import SiteFile

Say = Callable[[str], None]


def say_nothing(line: str) -> None:
    """Take the place of `say` where nobody listens."""


ASSETS = ("atlas.js", "chart.js", "compare.js", "mark.svg", "search.js", "site.css", "table.js")
_ASSETS_FOLDER = Path(__file__).parents[1] / "assets"


def render_site(
    results_folder: Path, out: Path, say: Say = say_nothing, methods: Sequence[Path] = ()
) -> list[Path]:
    """Write the site of a results folder below `out`; return the files, sorted.

    `methods` are folders of methods' cards beside the installed ones.
    Every file appears whole or not at all; pages of an earlier rendering that are not made any more
    are removed, and no other file is touched. Raises ResultError when `out` holds a foreign file in
    the way or cannot be written.
    """
    sources = gather_sources(results_folder, methods)
    _say_problems(sources, say)
    return output.write_site(plan_files(sources), out)


def find_stale_files(
    results_folder: Path, out: Path, say: Say = say_nothing, methods: Sequence[Path] = ()
) -> list[str]:
    """Say how the site below `out` differs from what `render_site` would write, one line per file.

    [] when it does not. Every file is rendered and its bytes compared, a picture's by what they
    show; nothing beside the pages is believed.
    """
    sources = gather_sources(results_folder, methods)
    _say_problems(sources, say)
    return output.find_differences(plan_files(sources), out)


def _say_problems(sources: Sources, say: Say) -> None:
    """Say what of the results was left out, and why."""
    for problem in sources.problems:
        say(f"note: left out: {problem.place}: {problem.reason}")


def gather_sources(results_folder: Path, methods: Sequence[Path] = ()) -> Sources:
    """Read everything that the pages are made from: cards, references, runs.

    `methods` as in `render_site`; raises PluginError where one of them holds no card.
    """
    runs, problems = results.read_results(results_folder)
    protocols = {card.name: card for card in protocol_card.scan_cards()[0]}
    for name in dict.fromkeys(result.run.protocol for result in runs):
        _add_protocol_card(protocols, name, results_folder, problems)
    claimed = claims.load_claims()
    references = reference_rows.load_references()
    return Sources(
        protocols=tuple(protocols[name] for name in sorted(protocols)),
        methods=tuple(sorted(method_card.read_cards(methods), key=lambda card: card.name)),
        references=contradictions.annotate_references(references, protocols.values()),
        results=tuple(runs),
        profiles=_read_profiles(results_folder, problems),
        problems=tuple(problems),
        verdicts=cache(lambda: _judge_claims(runs, results_folder)),
        systems=claimed.systems,
        facts=claimed.facts,
    )


def _add_protocol_card(
    protocols: dict[str, Protocol], name: str, results_folder: Path, problems: list[Problem]
) -> None:
    """Load the card of a protocol that has results, with its options, or say that there is none."""
    try:
        if name not in protocols:
            card = kept_cards.locate_card(results_folder, name)
            protocols[name] = protocol_card.load_protocol(card)
    except ProtocolError as fault:
        problems.append(Problem(f"results/{name}", name, f"has no leaderboard: {fault}"))


def _read_profiles(results_folder: Path, problems: list[Problem]) -> costs.Profiles:
    """Read what was saved of networks; what cannot be used is named and left out."""
    profiles = {}
    for path in run_folders.list_profiles(results_folder):
        try:
            profiles[path.parent.name, path.stem] = run_folders.read_profile(path)
        except ResultError as fault:
            reason = str(fault).replace(f"{results_folder}/", "")
            problems.append(Problem("results/profiles", "", reason))
    return profiles


def _judge_claims(runs: Sequence[Result], results_folder: Path) -> tuple[Verdict, ...]:
    """Hold the readable runs against papers' claims.

    Reasons name places inside the results folder.
    """
    inside = f"{results_folder}/"
    verdicts = []
    for verdict in check_papers.judge_runs([result.run for result in runs], results_folder):
        reasons = tuple(reason.replace(inside, "results/") for reason in verdict.reasons)
        verdicts.append(replace(verdict, reasons=reasons))
    return tuple(verdicts)


# --- one table or chart ---------------------------------------------------------------------------


def export_table(
    results_folder: Path,
    name: str,
    suffix: str,
    convention: str = "",
    methods: Sequence[Path] = (),
    say: Say = say_nothing,
) -> str:
    """Return one table of a protocol, ranked, as csv, md, tex or json, or its references as bib.

    `say` is told what was left out. Raises ProtocolError for an unknown protocol, ResultError where
    nothing is known under it or the convention.
    """
    sources, protocol = _gather_with_protocol(results_folder, name, methods, say)
    chosen, _ = _choose_convention(sources, protocol, convention)
    shared = SharedData(sources)
    if suffix == "bib":
        return export_files.write_bibliography(shared, protocol)
    return export_files.write_table(shared, protocol, chosen, suffix)


def save_figures(
    results_folder: Path,
    name: str,
    suffix: str,
    out: Path,
    convention: str = "",
    methods: Sequence[Path] = (),
    say: Say = say_nothing,
) -> list[Path]:
    """Write every chart of a leaderboard as pdf or png below `out`, for papers; return the files.

    Raises as `export_table`, and ResultError where matplotlib is not installed, nothing is drawn or
    `out` cannot be written.
    """
    from benchbox.report.charts import pdf

    sources, protocol = _gather_with_protocol(results_folder, name, methods, say)
    name = protocol.name
    chosen, is_first = _choose_convention(sources, protocol, convention)
    path = rows.board_path(name, chosen)
    if is_first:
        path = rows.board_path(name)
    shared = SharedData(sources)
    (page,) = [page.build(shared) for page in plan.plan_pages(shared) if page.path == path]
    if not isinstance(page, BoardPage) or not page.charts:
        command = f"benchbox run --protocol {name} …"
        raise ResultError(f"{name}: nothing to draw under {chosen}; `{command}` makes a result")
    written = []
    for chart in page.charts:
        file = out / f"{results.file_slug(name)}-{chosen}-{chart.name}.{suffix}"
        output.write_file(file, pdf.draw_figure(chart, suffix))
        written.append(file)
    return written


def _gather_with_protocol(
    results_folder: Path, asked: str, methods: Sequence[Path], say: Say
) -> tuple[Sources, Protocol]:
    """Read everything, and the card of a protocol that is named or given as a file.

    Raises ProtocolError for an unknown one.
    """
    protocol = protocol_card.load_protocol(kept_cards.locate_card(results_folder, asked))
    sources = gather_sources(results_folder, methods)
    _say_problems(sources, say)
    others = [card for card in sources.protocols if card.name != protocol.name]
    protocols = sorted([*others, protocol], key=lambda card: card.name)
    return replace(sources, protocols=tuple(protocols)), protocol


def _choose_convention(sources: Sources, protocol: Protocol, convention: str) -> tuple[str, bool]:
    """Return the wanted convention, else a protocol's first one, and whether it is the first.

    Raises ResultError where nothing is known under it.
    """
    name = protocol.name
    runs = [result for result in sources.results if result.run.protocol == name]
    offered = leaderboard.list_conventions(protocol, runs, sources.references)
    if offered and not convention:
        convention = offered[0]
    if convention not in offered:
        known = ", ".join(offered) or "nothing yet"
        wanted = convention or "any convention"
        raise ResultError(f"{name}: nothing is known under {wanted}; there is {known}")
    return convention, convention == offered[0]


# --- files ----------------------------------------------------------------------------------------


def plan_files(sources: Sources) -> dict[str, SiteFile]:
    """Plan every file of the site but the manifest: path inside the site → file, sorted by path."""
    environment, shared = templates.template_environment(), SharedData(sources)
    files = {f"assets/{name}": SiteFile(str, (_ASSETS_FOLDER / name).read_bytes) for name in ASSETS}
    files[output.NO_JEKYLL] = SiteFile(str, bytes)
    for planned in plan.plan_pages(shared):
        files[planned.path] = SiteFile(
            partial(planned.hash_inputs, shared),
            partial(templates.print_planned, environment, planned, shared),
            planned.group,
            planned.work,
        )
    return dict(sorted(files.items()))


def render_files(sources: Sources) -> dict[str, bytes]:
    """Render every file of the site, the manifest included: path inside the site → bytes."""
    files = {name: file.content() for name, file in plan_files(sources).items()}
    entries = {name: output.manifest_entry(name, content) for name, content in files.items()}
    return {**files, output.MANIFEST: output.encode_manifest(entries)}
