"""Pages printed: the templates, what they may call, and which one prints which page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from benchbox.metrics import metric_names, number_format
from benchbox.report.charts.chart_values import COLOURS, DASHES
from benchbox.report.charts.svg import draw_svg
from benchbox.report.pages import markdown
from benchbox.report.pages.atlas_page import AtlasPage
from benchbox.report.pages.claims_page import ClaimsPage
from benchbox.report.pages.compare_page import ComparePage
from benchbox.report.pages.guide import GuidePage
from benchbox.report.pages.index_page import IndexPage
from benchbox.report.pages.leaderboard_page import BoardPage
from benchbox.report.pages.method_page import MethodPage
from benchbox.report.pages.page_types import Page, PlannedPage
from benchbox.report.pages.pseudo_label_page import PseudoLabelPage
from benchbox.report.pages.run_page import RunPage
from benchbox.report.pages.shared_data import SharedData

_TEMPLATES: Mapping[type, str] = {
    IndexPage: "index.html",
    ClaimsPage: "claims.html",
    BoardPage: "board.html",
    MethodPage: "method.html",
    RunPage: "run.html",
    ComparePage: "compare.html",
    AtlasPage: "atlas.html",
    GuidePage: "guide.html",
    PseudoLabelPage: "labels.html",
}
_TEMPLATES_FOLDER = Path(__file__).parents[1] / "templates"
_SHORT_CHARS = 22  # a text that is shorter stays on one line


def template_environment() -> Environment:
    """Return the templates with all that they may call; whatever they print is escaped."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES_FOLDER),
        autoescape=True,
        auto_reload=False,  # every page would look at the times of four files
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "words": metric_names.describe_convention,
        "short": metric_names.short_convention,
        "capitalise": _capitalise,
        "whole": _keep_on_one_line,
        "size": number_format.format_count,
        "milliseconds": number_format.format_milliseconds,
        "printed": number_format.format_number,
        "one": number_format.item_singular,
        "drawing": draw_svg,
        "inline": markdown.render_inline,
    }
    environment.globals |= {"colours": COLOURS, "dashes": DASHES, "tasks": metric_names.TASKS}
    return environment


def _capitalise(text: str) -> str:
    return text[:1].upper() + text[1:]


def _keep_on_one_line(text: str) -> str:
    """Keep a few words together."""
    if len(text) < _SHORT_CHARS:
        return text.replace(" ", "\u00a0")
    return text


def print_page(environment: Environment, page: Page) -> bytes:
    """Print a page."""
    template = environment.get_template(_TEMPLATES[type(page)])
    return template.render(page=page, root="../" * page.path.count("/")).encode()


def print_planned(environment: Environment, planned: PlannedPage, shared: SharedData) -> bytes:
    """Lay out and print a page, or return what a file holds."""
    built = planned.build(shared)
    if isinstance(built, bytes):
        return built
    if isinstance(built, str):
        return built.encode()
    return print_page(environment, built)
