"""A small part of Markdown as HTML: enough for a method's README, nothing that could carry a script or a picture.

Headings, paragraphs, lists, fenced code, pipe tables; `code`, **bold**, *emphasis* and links to
https pages. Everything else is text, and all text is escaped before it is marked up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from markupsafe import Markup, escape

_HEADING = re.compile(r"(#{1,6})\s+(.*?)\s*#*$")
_ITEM = re.compile(r"\s*(?:[-*+]|(\d+)[.)])\s+(.*)")
_RULE = re.compile(r"\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?")
_IMAGE = re.compile(r"!\[([^\]]*)\]\([^)]*\)")
_LINK = re.compile(r"\[([^\]]+)\]\((https://[^\s()*&\"'<>]+)\)")
_ANY_LINK = re.compile(r"\[([^\]]+)\]\([^)]*\)")
_BOLD = re.compile(r"\*\*(\S(?:.*?\S)?)\*\*")
_EMPHASIS = re.compile(r"(?<![\w*])\*(\S(?:[^*]*?\S)?)\*(?![\w*])")


def render_markdown(text: str, *, level: int = 3) -> Markup:
    """Render text; its first-level headings become `<h{level}>`."""
    return Markup("\n").join(_blocks(text.replace("\t", "    ").splitlines(), level))


def _blocks(lines: list[str], level: int) -> Iterator[Markup]:
    position = 0
    while position < len(lines):
        line = lines[position]
        if not line.strip():
            position += 1
        elif line.lstrip().startswith("```"):
            stop = next(
                (i for i in range(position + 1, len(lines)) if lines[i].lstrip()[:3] == "```"),
                len(lines),
            )
            code = "\n".join(lines[position + 1 : stop])
            yield Markup('<pre tabindex="0"><code>{}</code></pre>').format(code)
            position = stop + 1
        elif match := _HEADING.fullmatch(line):
            rank = min(level - 1 + len(match[1]), 6)
            yield Markup("<h{0}>{1}</h{0}>").format(rank, render_inline(match[2]))
            position += 1
        else:
            stop = next((i for i in range(position + 1, len(lines)) if _ends(lines[i])), len(lines))
            yield _block(lines[position:stop])
            position = stop


def _ends(line: str) -> bool:
    return (
        not line.strip() or line.lstrip().startswith("```") or _HEADING.fullmatch(line) is not None
    )


def _block(lines: list[str]) -> Markup:
    """Render neighbouring lines: a table, a list or a paragraph, which may run into a list."""
    if len(lines) > 1 and "|" in lines[0] and _RULE.fullmatch(lines[1].strip()):
        return _table(lines)
    first = next((i for i, line in enumerate(lines) if _ITEM.fullmatch(line)), None)
    if first is None:
        return Markup("<p>{}</p>").format(render_inline(" ".join(line.strip() for line in lines)))
    if first > 0:
        return Markup("\n").join([_block(lines[:first]), _block(lines[first:])])
    return _list(lines)


def _list(lines: list[str]) -> Markup:
    items: list[str] = []
    for line in lines:
        match = _ITEM.fullmatch(line)
        if match:
            items.append(match[2])
        else:
            items[-1] += " " + line.strip()
    first = _ITEM.fullmatch(lines[0])
    tag = "ol" if first and first[1] else "ul"
    body = Markup("").join(Markup("<li>{}</li>").format(render_inline(item)) for item in items)
    return Markup("<{0}>{1}</{0}>").format(tag, body)


def _table(lines: list[str]) -> Markup:
    head, *body = [_cells(line) for line in (lines[0], *lines[2:])]
    top = Markup("").join(
        Markup('<th scope="col">{}</th>').format(render_inline(cell)) for cell in head
    )
    rows = (
        Markup("").join(Markup("<td>{}</td>").format(render_inline(cell)) for cell in row)
        for row in body
    )
    inner = Markup("").join(Markup("<tr>{}</tr>").format(row) for row in rows)
    return Markup(
        '<div class="scroll" tabindex="0" role="region" aria-label="table">'
        '<table><caption class="hidden">{}</caption><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>'
    ).format(", ".join(filter(None, head)), top, inner)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def render_inline(text: str) -> Markup:
    """Mark up one run of text; what stands between backticks stays as it is."""
    pieces = re.split(r"`([^`]+)`", text)
    return Markup("").join(
        Markup("<code>{}</code>").format(piece) if number % 2 else _marked(piece)
        for number, piece in enumerate(pieces)
    )


def _marked(text: str) -> Markup:
    safe = str(escape(text))
    safe = _IMAGE.sub(r"\1", safe)
    safe = _LINK.sub(r'<a href="\2">\1</a>', safe)
    safe = _ANY_LINK.sub(r"\1", safe)  # a link inside the checkout leads nowhere from the site
    safe = _BOLD.sub(r"<strong>\1</strong>", safe)
    # escaped above; only the patterns here add markup
    return Markup(_EMPHASIS.sub(r"<em>\1</em>", safe))
