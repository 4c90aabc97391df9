"""Tables as a notebook shows them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def format_table(head: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> str:
    """Return a table as HTML; every cell is escaped.

    >>> format_table(["group", "NME"], [["full", "5.83 < 6"]])
    '<table><tr><th>group</th><th>NME</th></tr><tr><td>full</td><td>5.83 &lt; 6</td></tr></table>'
    """
    lines = [_row("th", head)]
    lines += [_row("td", row) for row in rows]
    caption = ""
    if title:
        caption = f"<p><strong>{escape(title)}</strong></p>"
    return f"{caption}<table>{''.join(lines)}</table>"


def format_notes(notes: Iterable[str]) -> str:
    """Return notes as paragraphs."""
    return "".join(f"<p>{escape(note)}</p>" for note in notes)


def _row(tag: str, cells: Sequence[object]) -> str:
    inside = "".join(f"<{tag}>{escape(str(cell))}</{tag}>" for cell in cells)
    return f"<tr>{inside}</tr>"
