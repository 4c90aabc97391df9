"""Pages printed: the templates, what they may call, and which one prints which page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from benchbox.metrics import metric_names, number_format
from benchbox.report.charts.chart_values import COLOURS, DASHES
from benchbox.report.charts.svg import draw_svg
from benchbox.report.pages import markdown
from benchbox.report.pages.compare_page import ComparePage
from benchbox.report.pages.guide import GuidePage
from benchbox.report.pages.page_types import BoardPage, IndexPage, MethodPage, Page
from benchbox.report.pages.pseudo_label_page import PseudoLabelPage
from benchbox.report.pages.run_page import RunPage
from benchbox.report.pages.sample_atlas import AtlasPage

from .plan import PlannedPage

_TEMPLATES: Mapping[type, str] = {
    IndexPage: "index.html",
    BoardPage: "board.html",
    MethodPage: "method.html",
    RunPage: "run.html",
    ComparePage: "compare.html",
    AtlasPage: "atlas.html",
    GuidePage: "guide.html",
    PseudoLabelPage: "labels.html",
}
_TEMPLATES_FOLDER = Path(__file__).parents[1] / "templates"
_WHOLE = 22  # characters


def template_environment() -> Environment:
    """Return the templates with all that they may call; whatever they print is escaped."""
    made = Environment(
        loader=FileSystemLoader(_TEMPLATES_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {
        "words": metric_names.describe_convention,
        "short": metric_names.short_convention,
        "capitalise": _capitalise,
        "whole": _whole,
    }
    made.filters |= {
        "size": number_format.format_count,
        "milliseconds": number_format.format_milliseconds,
        "printed": number_format.format_number,
        "one": number_format.item_singular,
        "inline": markdown.render_inline,
        "drawing": draw_svg,
    }
    made.globals |= {"colours": COLOURS, "dashes": DASHES, "tasks": metric_names.TASKS}
    return made


def _capitalise(text: str) -> str:
    return text[:1].upper() + text[1:]


def _whole(text: str) -> str:
    """Keep a few words on one line."""
    return text.replace(" ", "\u00a0") if len(text) < _WHOLE else text


def print_page(environment: Environment, page: Page) -> bytes:
    """Print a page."""
    template = environment.get_template(_TEMPLATES[type(page)])
    return template.render(page=page, root="../" * page.path.count("/")).encode()


def print_planned(environment: Environment, draft: PlannedPage) -> bytes:
    """Lay out and print a page, or return what a file holds."""
    made = draft.content()
    if isinstance(made, bytes):
        return made
    return made.encode() if isinstance(made, str) else print_page(environment, made)
