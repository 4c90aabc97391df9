"""The documentation inside the site: prose of `site_text`, cards in words, metrics' definitions.

What a card fixes is written by `protocols.describe`, what a metric means by the module that
computes it, so that the pages cannot say anything else than the code does.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from benchbox import metrics
from benchbox.datasets import check_table
from benchbox.protocols import protocol_card
from benchbox.types import Protocol

from . import markdown
from .format_tables import format_sections
from .shared_data import SharedData, hash_values

_FOLDER = Path(__file__).parents[1] / "site_text"
# read without being imported, as the metrics are
_SCORING = Path(__file__).parents[2] / "scoring"
_PREDICTION_CHECKS = {  # module → title
    "prediction_checks": "Predictions: placeholders",
    "wrong_frame": "Predictions: landmarks far from every face",
    "wrong_gaze": "Predictions: gaze worse than a constant",
}
_METRICS = (
    "landmarks",
    "gaze",
    "calibration",
    "jitter",
    "curves",
    "bootstrap",
    "ranks",
    "unanswered",
    "paired_tests",
)
GUIDES = {  # name → title, in the order of the menu
    "tutorial": "Ten minutes to a row of your own",
    "protocols": "Protocol cards in words",
    "metrics": "What the numbers mean",
    "method": "Add a method",
    "program": "Another program as a method",
    "onnx": "My detector from an ONNX file",
    "gaze": "My gaze data",
    "submit": "Submit predictions",
    "reproduce": "Reproduce a paper's table",
    "cluster": "Many runs, logs, where it runs",
    "check": "Check results in your own repository",
    "formats": "Formats of annotations and predictions",
    "data": "Get the data",
    "checks": "What is checked before a number is made",
    "faq": "Why does my number differ?",
    "why": "Why numbers are made so",
    "python": "Reference: Python",
    "commands": "Reference: commands",
    "cards": "Reference: cards",
}
_TABLE_RULE = re.compile(r"=+( +=+)+")
_UNDERLINE = re.compile(r"-{4,}")


@dataclass(frozen=True)
class GuidePage:
    """One page of the documentation."""

    path: str
    name: str
    title: str
    guides: tuple[tuple[str, str, str], ...]  # name, title, page
    sections: tuple[tuple[str, str, str], ...]  # anchor, title, page of a leaderboard or ""
    bodies: tuple[Markup, ...]  # before the sections' first one, or one for each of them


@dataclass(frozen=True)
class PlannedGuide:
    """A guide before it is laid out."""

    path: str
    name: str
    group: str = ""
    work: float = 1.0

    def hash_inputs(self, shared: SharedData) -> str:
        """Hash the protocols: the prose is part of the code."""
        return hash_values(self.name, shared.sources.protocols)

    def build(self, shared: SharedData) -> GuidePage:
        """Lay out the guide."""
        return build_guide_page(self.name, shared.sources.protocols)


def plan_pages(shared: SharedData) -> list[PlannedGuide]:
    """Plan every guide."""
    return [PlannedGuide(guide_path(name), name) for name in GUIDES]


def guide_path(name: str) -> str:
    """Return the path of a guide inside the site."""
    return f"docs/{name}.html"


def build_guide_page(name: str, protocols: Iterable[Protocol]) -> GuidePage:
    """Lay out one guide."""
    sections: list[tuple[str, str, str]] = []
    bodies: list[Markup] = []
    if name == "protocols":
        for number, protocol in enumerate(protocols):
            sections.append((f"card-{number}", protocol.title, protocol.name))
            words = protocol_card.describe_protocol(protocol)
            bodies.append(Markup('<pre tabindex="0">{}</pre>').format(words))
    elif name == "formats":
        for anchor, title, text in format_sections():
            sections.append((anchor, title, ""))
            bodies.append(markdown.render_markdown(text, level=2))
    elif name == "checks":
        for anchor, title, text in _check_sections():
            sections.append((anchor, title, ""))
            bodies.append(markdown.render_markdown(text, level=2))
    elif name == "metrics":
        for module in _METRICS:
            text = read_docstring(module)
            title = text.split("\n", 1)[0].partition(":")[0]
            sections.append((module, title, ""))
            bodies.append(markdown.render_markdown(docstring_to_markdown(text), level=2))
    else:
        text = (_FOLDER / f"{name}.md").read_text(encoding="utf-8")
        bodies.append(markdown.render_markdown(text, level=2))
    return GuidePage(
        path=guide_path(name),
        name=name,
        title=GUIDES[name],
        guides=tuple((key, title, guide_path(key)) for key, title in GUIDES.items()),
        sections=tuple(sections),
        bodies=tuple(bodies),
    )


def _check_sections() -> Iterator[tuple[str, str, str]]:
    """Yield anchor, title and Markdown of every group of checks, as the checks say them."""
    for number, (title, checks) in enumerate(check_table.SECTIONS):
        lines = [
            "| check | looks at | limit | rests on | what comes of it |",
            "|---|---|---|---|---|",
        ]
        for check in checks:
            cells = (check.name, check.looks_at, check.limit, check.evidence, check.outcome)
            lines.append(f"| {' | '.join(cells)} |")
        yield f"checks-{number}", title, "\n".join(lines)
    for module, title in _PREDICTION_CHECKS.items():
        source = (_SCORING / f"{module}.py").read_text(encoding="utf-8")
        text = ast.get_docstring(ast.parse(source)) or ""
        yield f"checks-{module.replace('_', '-')}", title, docstring_to_markdown(text)


def read_docstring(module: str) -> str:
    """Return what a metric module says of itself, without importing it."""
    file = Path(next(iter(metrics.__path__))) / f"{module}.py"
    return ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""


def docstring_to_markdown(text: str) -> str:
    """Turn a docstring into Markdown.

    Underlined headings become marked ones; indented blocks, examples and ruled tables become code.
    """
    return "\n".join(_markdown_lines(text.splitlines()))


def _markdown_lines(lines: list[str]) -> Iterator[str]:
    position = 0
    while position < len(lines):
        line = lines[position]
        if line and _UNDERLINE.fullmatch(_line_at(lines, position + 1)):
            yield f"## {line}"
            position += 2
        elif _TABLE_RULE.fullmatch(line):
            stop = _end_of_table(lines, position)
            yield from ["```", *lines[position:stop], "```"]
            position = stop
        elif line.startswith(("    ", ">>> ")):
            stop = _end_of_block(lines, position)
            block = "\n".join(lines[position:stop]).rstrip().splitlines()
            yield from ["```", *(row.removeprefix("    ") for row in block), "```"]
            position = stop
        elif line.endswith("::"):
            yield line.removesuffix(":")
            position += 1
        else:
            yield line
            position += 1


def _line_at(lines: list[str], position: int) -> str:
    if position < len(lines):
        return lines[position]
    return ""


def _end_of_table(lines: list[str], start: int) -> int:
    """Return where a table ends: after its last rule with no blank line before it."""
    end = start + 1
    for position in range(start, len(lines)):
        if not lines[position].strip():
            break
        if _TABLE_RULE.fullmatch(lines[position]):
            end = position + 1
    return end


def _end_of_block(lines: list[str], start: int) -> int:
    """Return where a block ends: an example at a blank line, an indented one at the margin."""
    is_example = lines[start].startswith(">>> ")
    for position in range(start, len(lines)):
        line = lines[position]
        if is_example:
            if not line.strip():
                return position
        elif line and line[0] != " ":
            return position
    return len(lines)
