"""The documentation inside the site: prose beside this module, cards in words, metric definitions from the code.

What a card fixes is written by `protocol.describe`, what a metric means by the module that computes
it, so that the pages cannot say anything else than the code does.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from benchbox import metrics
from benchbox.protocols import protocol_card as cards
from benchbox.types import Protocol

from . import markdown

_FOLDER = Path(__file__).parents[1] / "site_text"
_METRICS = ("landmarks", "gaze", "jitter", "curves", "bootstrap", "ranks", "paired_tests")
GUIDES = {  # name → title, in the order of the menu
    "protocols": "Protocol cards in words",
    "metrics": "What the numbers mean",
    "method": "Add a method",
    "submit": "Submit predictions",
    "data": "Get the data",
    "faq": "Why does my number differ?",
}
_RULE = re.compile(r"=+( +=+)+")


@dataclass(frozen=True)
class GuidePage:
    """One page of the documentation."""

    path: str
    name: str
    title: str
    guides: tuple[tuple[str, str, str], ...]  # name, title, page
    sections: tuple[tuple[str, str, str], ...]  # anchor, title, page of a leaderboard or ""
    bodies: tuple[Markup, ...]  # before the sections' first one, or one for each of them


def guide_path(name: str) -> str:
    """Return the path of a guide inside the site."""
    return f"docs/{name}.html"


def build_guide_page(name: str, protocols: Iterable[Protocol]) -> GuidePage:
    """Lay out one guide."""
    sections: list[tuple[str, str, str]] = []
    if name == "protocols":
        found = list(protocols)
        sections = [(f"card-{number}", card.title, card.name) for number, card in enumerate(found)]
        bodies = [
            Markup('<pre tabindex="0">{}</pre>').format(cards.describe_protocol(card))
            for card in found
        ]
    elif name == "metrics":
        texts = {module: read_docstring(module) for module in _METRICS}
        sections = [
            (module, text.split("\n", 1)[0].partition(":")[0], "") for module, text in texts.items()
        ]
        bodies = [
            markdown.render_markdown(docstring_to_markdown(text), level=2)
            for text in texts.values()
        ]
    else:
        bodies = [
            markdown.render_markdown((_FOLDER / f"{name}.md").read_text(encoding="utf-8"), level=2)
        ]
    return GuidePage(
        path=guide_path(name),
        name=name,
        title=GUIDES[name],
        guides=tuple((key, title, guide_path(key)) for key, title in GUIDES.items()),
        sections=tuple(sections),
        bodies=tuple(bodies),
    )


def read_docstring(module: str) -> str:
    """Return what a metric module says of itself, without importing it."""
    file = Path(next(iter(metrics.__path__))) / f"{module}.py"
    return ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""


def docstring_to_markdown(text: str) -> str:
    """Turn a docstring's underlined headings, indented blocks and ruled tables into Markdown."""
    return "\n".join(_markdown_lines(text.splitlines()))


def _markdown_lines(lines: list[str]) -> Iterator[str]:
    position = 0
    while position < len(lines):
        line, after = lines[position], lines[position + 1] if position + 1 < len(lines) else ""
        if line and re.fullmatch(r"-{4,}", after):
            yield f"## {line}"
            position += 2
        elif _RULE.fullmatch(line):
            stop = max(
                i
                for i in range(position, len(lines))
                if _RULE.fullmatch(lines[i]) and _is_unbroken(lines, position, i)
            )
            yield from ["```", *lines[position : stop + 1], "```"]
            position = stop + 1
        elif line.startswith("    "):
            stop = next(
                (i for i in range(position, len(lines)) if lines[i] and lines[i][0] != " "),
                len(lines),
            )
            block = "\n".join(lines[position:stop]).rstrip().splitlines()
            yield from ["```", *(row.removeprefix("    ") for row in block), "```"]
            position = stop
        else:
            yield line.removesuffix(":") if line.endswith("::") else line
            position += 1


def _is_unbroken(lines: list[str], start: int, stop: int) -> bool:
    """Tell whether a table runs without a blank line between two of its rules."""
    return all(lines[i].strip() for i in range(start, stop))
