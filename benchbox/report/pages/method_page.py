"""The page of a method: card, README, results, networks, what papers claim of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from benchbox.analysis.verdicts import Verdict
from benchbox.metrics import metric_names
from benchbox.metrics.metric_names import Metric
from benchbox.report.charts import error_vs_msd, error_vs_perturbation
from benchbox.report.charts.chart_values import AnyChart
from benchbox.report.inputs import group_by_seed
from benchbox.report.inputs.group_by_seed import SeedGroup
from benchbox.report.tables import network_table, rows
from benchbox.report.tables.network_table import NetworkTable
from benchbox.report.tables.rows import Cell, Seed
from benchbox.types import MethodCard, Protocol

from . import claims_page, index_page, markdown
from .claims_page import ClaimCount
from .shared_data import SharedData, hash_values

_README_CHARS = 200_000
_FACT_WORDS = (
    ("paper", "Paper"),
    ("url", "Read at"),
    ("year", "Year"),
    ("code", "Code"),
    ("box", "Box"),
    ("trained_on", "Trained on"),
    ("extra_data", "Extra data"),
    ("seen_test", "Training saw the test items"),
    ("checkpoint", "Checkpoint"),
)


@dataclass(frozen=True)
class MethodRow:
    """One run on its method's page, or all seeds of one variant."""

    protocol: str
    board: str  # page
    name: str
    page: str  # of the first run
    seeds: tuple[Seed, ...]  # () where nothing was trained
    kind: str
    details: tuple[str, ...]
    metric: str  # in words
    cell: Cell | None
    not_comparable: str  # why, "" where it is


@dataclass(frozen=True)
class MethodPage:
    """One method: its card, its README, its results."""

    path: str
    name: str
    card: MethodCard | None
    title: str
    authors: str  # as a sentence, "" where the card names none
    link: str  # of the paper, "" where it has none that may be followed
    origin: str  # where its runs come from, where no card says so
    facts: tuple[tuple[str, str], ...]  # what is said of its training and code
    readme: Markup
    rows: tuple[MethodRow, ...]
    verdicts: tuple[Verdict, ...]  # on what papers claim of it, where something was measured
    count: ClaimCount  # of the verdicts
    charts: tuple[AnyChart, ...]
    networks: NetworkTable

    @property
    def seeded(self) -> bool:
        """Tell whether any row is a mean over seeds."""
        return any(len(row.seeds) > 1 for row in self.rows)


@dataclass(frozen=True)
class PlannedMethod:
    """The page of a method before it is laid out."""

    path: str
    name: str
    group: str = ""
    work: float = 1.0

    def hash_inputs(self, shared: SharedData) -> str:
        """Hash card, README, runs and the verdicts on its claims."""
        card = shared.methods.get(self.name)
        return hash_values(
            card,
            read_readme(card),
            shared.sources.protocols,
            shared.common_digest,
            shared.verdicts_on(self.name),
            *shared.run_digests(shared.by_method.get(self.name, [])),
        )

    def build(self, shared: SharedData) -> MethodPage:
        """Lay out the page."""
        return build_method_page(self.name, shared)


def plan_pages(shared: SharedData) -> list[PlannedMethod]:
    """Plan a page for every method that has a card or a run."""
    names = index_page.method_names(shared)
    return [PlannedMethod(rows.method_path(name), name) for name in names]


def build_method_page(name: str, shared: SharedData) -> MethodPage:
    """Lay out the page of a method."""
    sources, card = shared.sources, shared.methods.get(name)
    runs = shared.by_method.get(name, [])
    title, authors, link = name, "", ""
    stated = stated_facts(name, shared)
    verdicts = shared.verdicts_on(name)
    if card is None and stated.get("title"):
        title = stated["title"]
    if card:
        title = card.title
        if card.paper.get("authors"):
            authors = card.paper["authors"].rstrip(".") + "."  # "et al." ends in its own
        url = card.paper.get("url", "")
        paper = sources.references.find_title(card.paper.get("title", ""))
        if paper:
            url = url or paper.url
            stated = rows.follow_links_only({"code": paper.code, **stated})
        if url.startswith(("https://", "http://")):
            link = url
    seed_groups = group_by_seed.group_runs(runs, shared.methods)
    differing = group_by_seed.differing_params(seed_groups, shared.methods)
    known = name, sources.protocols, runs, sources.references, sources.systems, shared.methods
    return MethodPage(
        path=rows.method_path(name),
        name=name,
        card=card,
        title=title,
        authors=authors,
        link=link,
        origin=index_page.describe_origin(runs),
        facts=tuple((words, stated[key]) for key, words in _FACT_WORDS if stated.get(key)),
        readme=markdown.render_markdown(read_readme(card), pages=_readme_links(shared.methods)),
        rows=tuple(
            _method_row(
                seed_group,
                shared.protocols.get(seed_group[0].run.protocol),
                params,
                shared.methods,
            )
            for seed_group, params in zip(seed_groups, differing, strict=True)
        ),
        verdicts=tuple(verdicts),
        count=claims_page.count_claims(verdicts),
        charts=(*error_vs_perturbation.method_charts(*known), *error_vs_msd.method_charts(*known)),
        networks=network_table.describe_networks(name, card, sources.profiles, sources.facts),
    )


def stated_facts(name: str, shared: SharedData) -> Mapping[str, str]:
    """Return what its card says of a method, or whoever handed its predictions in."""
    card = shared.methods.get(name)
    if card:
        facts = card.describe_row(card.default, "")
        return rows.follow_links_only({**facts, "paper": "", "url": "", "year": ""})
    for result in shared.by_method.get(name, []):
        if result.run.record.stated:
            return rows.follow_links_only(result.run.record.stated)
    return {}


def read_readme(card: MethodCard | None) -> str:
    """Return the text of a method's README, "" where there is none."""
    if card is None:
        return ""
    file = card.folder / "README.md"
    if not file.is_file():
        return ""
    with file.open(encoding="utf-8", errors="replace") as stream:
        return stream.read(_README_CHARS)


def _readme_links(methods: Mapping[str, MethodCard]) -> dict[str, str]:
    """Return the page that a README's link to another method's README leads to."""
    links = {}
    for name, card in methods.items():
        page = rows.method_path(name).removeprefix("method/")
        links[f"../{card.folder.name}/README.md"] = page
    return links


def _method_row(
    seed_group: SeedGroup,
    protocol: Protocol | None,
    differing: Sequence[str],
    methods: Mapping[str, MethodCard],
) -> MethodRow:
    first = seed_group[0]
    row = MethodRow(
        protocol=first.run.protocol,
        board="",
        name=rows.variant_words(first) or "predictions",
        page=first.page + ".html",
        seeds=rows.row_seeds(seed_group),
        kind=first.kind,
        details=rows.row_details(seed_group, tuple(differing)),
        metric="",
        cell=None,
        not_comparable="no card of this protocol is installed",
    )
    if protocol is None:
        return row
    overall = group_by_seed.mean_scores(seed_group).get(protocol.overall, {})
    by_convention = metric_names.group_by_convention(overall, protocol)
    words, cell = "", None
    for metrics in by_convention.values():
        words = _metric_words(metrics[0], protocol)
        cell = rows.print_cell(overall.get(metrics[0].name))
        break
    return replace(
        row,
        protocol=protocol.title,
        board=rows.board_path(first.run.protocol),
        metric=words,
        cell=cell,
        not_comparable=rows.why_not_comparable(first, protocol, methods),
    )


def _metric_words(metric: Metric, protocol: Protocol) -> str:
    words = f"{metric.title}, {metric_names.short_convention(metric.convention)}"
    if metric.unit == "%":
        words += f" ({protocol.overall}), {metric.unit}"
    return words
