"""A leaderboard as a file for other programs and papers: CSV, Markdown, LaTeX, JSON, BibTeX.

Each holds what the page shows, in its order: ranks, intervals, seeds with the spread between them, sources, the rows
that stand apart with the reason, and (but for CSV, whose lines are rows) what the test set can tell in each column.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from benchbox.metrics import metric_names, number_format
from benchbox.papers.reference_rows import Paper
from benchbox.report.inputs.results import file_slug
from benchbox.types import MethodCard, Protocol

from . import rows
from .rows import Cell, Column, Row, Table

_TEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
_TEX |= {letter: "\\" + letter for letter in "&%$#_{}"}
_TEX |= {
    "σ": r"$\sigma$",
    "ω": r"$\omega$",
    "θ": r"$\theta$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "→": r"$\to$",
    "≤": r"$\leq$",
}


def as_csv(protocol: Protocol, table: Table) -> str:
    """Write one line per row; every column of numbers has its ends beside it."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    names = [_column_name(column) for column in table.columns]
    head = [
        "rank",
        "name",
        "kind",
        "details",
        "seeds",
        "sources",
        "apart",
        "params",
        "macs",
        "latency_ms",
    ]
    writer.writerow(
        [*head, *(f"{name}{end}" for name in names for end in ("", ".low", ".high", ".std"))]
    )
    for row in rows.all_rows(table):
        numbers = [value for cell in row.cells for value in _csv_numbers(cell)]
        cost = [row.cost.params, row.cost.macs, row.cost.latency_ms]
        words = [row.rank, _safe_text(row.name), row.kind, "; ".join(row.details)]
        words += [" ".join(seed.name for seed in row.seeds), _source_words(row), row.not_comparable]
        writer.writerow(["" if value is None else value for value in (*words, *cost, *numbers)])
    del protocol  # its name is the file's
    return stream.getvalue()


def _safe_text(text: str) -> str:
    """Keep a spreadsheet from taking a name for a formula."""
    return f"'{text}" if text[:1] in "=+-@\t\r" else text


def as_json(protocol: Protocol, table: Table) -> str:
    """Write the table as one document; a value that does not exist is left out."""
    document = {
        "schema": 1,
        "protocol": protocol.name,
        "card": protocol.card,
        "convention": table.convention,
        "ranked_by": _column_name(table.ranking_column),
        "can_tell_from": {
            _column_name(c): reach
            for c, reach in zip(table.columns, table.detectable, strict=False)
        },
        "rows": [_json_row(row, table.columns) for row in rows.all_rows(table)],
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _json_row(row: Row, columns: Sequence[Column]) -> dict[str, Any]:
    scores: dict[str, dict[str, Any]] = {}
    for column, cell in zip(columns, row.cells, strict=True):
        if cell:
            ends = dict(zip(("low", "high"), cell.ends, strict=False))
            spread = {} if cell.std is None else {"std": cell.std}
            score = {"value": cell.value, **ends, **spread, "unit": column.metric.unit}
            scores.setdefault(column.group, {})[column.metric.name] = score
    words = {"rank": row.rank, "name": row.name, "kind": row.kind, "details": list(row.details)}
    words["seeds"] = [seed.name for seed in row.seeds]
    notes = {
        "sources": [source.text for source in row.sources],
        "notes": list(row.notes),
        "apart": row.not_comparable,
    }
    cost: dict[str, Any] = {
        "params": row.cost.params,
        "macs": row.cost.macs,
        "latency_ms": row.cost.latency_ms,
    }
    cost |= {
        "cost_at": "the paper's sizes" if row.cost.paper else None,
        "latency_on": row.cost.machine,
    }
    given = {**words, **notes, **cost}
    return {key: value for key, value in given.items() if value not in (None, "", [])} | {
        "scores": scores
    }


def as_markdown(protocol: Protocol, table: Table) -> str:
    """Write a pipe table; rows that stand apart follow in one of their own for each reason."""
    head = [
        "#",
        "method",
        "kind",
        *(f"{c.metric.title}, {c.group}{_unit(c)}" for c in table.columns),
    ]
    rule = ["--:", "---", "---", *("--:" for _ in table.columns)]
    lines = [
        f"{protocol.title}; {metric_names.describe_convention(table.convention)}",
        "",
        _markdown_line(head),
        _markdown_line(rule),
    ]
    lines += [_markdown_line(_markdown_cells(row)) for row in table.rows]
    if table.detectable:
        lines.append(_markdown_line(["", "*can tell from*", "", *_detectable_words(table)]))
    for part in table.not_comparable:
        lines += [
            "",
            f"Apart: {_escape_markdown(part.reason)}",
            "",
            _markdown_line(head),
            _markdown_line(rule),
            *map(_markdown_line, map(_markdown_cells, part.rows)),
        ]
    notes = [
        f"{number}. {_escape_markdown(note)}"
        for number, note in enumerate(table.footnotes, start=1)
    ]
    return "\n".join([*lines, *(["", *notes] if notes else [])]) + "\n"


def _markdown_cells(row: Row) -> list[str]:
    marks = "".join(f" ({mark})" for mark in row.marks)
    more = "; ".join(
        (*row.details, *filter(None, [row.seeds_text]), *(source.text for source in row.sources))
    )
    cells = [_markdown_number(cell) if cell else "" for cell in row.cells]
    return [
        str(row.rank or ""),
        _escape_markdown(row.name) + marks + (f" ({_escape_markdown(more)})" if more else ""),
        row.kind,
        *cells,
    ]


def _markdown_number(cell: Cell) -> str:
    spread = f" ± {cell.std_text}" if cell.std_text else ""
    return cell.text + spread + (f" ({cell.interval})" if cell.interval else "")


def _detectable_words(table: Table) -> list[str]:
    """Print the smallest difference that the test set can tell in each column."""
    pairs = zip(table.columns, table.detectable, strict=True)
    return [
        "" if reach is None else number_format.format_number(reach, column.metric.unit)
        for column, reach in pairs
    ]


def _escape_markdown(text: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>|])", r"\\\1", text)


def _markdown_line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def as_latex(protocol: Protocol, table: Table) -> str:
    """Write a booktabs table of the rows beside each other: best bold, second underlined, ± half an interval, σ."""
    first = {"", *table.thresholds[:1]}
    places = [i for i, column in enumerate(table.columns) if column.metric.threshold_text in first]
    columns = [table.columns[i] for i in places]
    styles = [
        _tex_styles([row.cells[i] for row in table.rows], table.columns[i].metric.lower_is_better)
        for i in places
    ]
    spans: dict[str, int] = {}
    for column in columns:
        title = column.metric.title + _unit(column)
        spans[title] = spans.get(title, 0) + 1
    body = []
    for line, row in enumerate(table.rows):
        marks = f"$^{{{','.join(map(str, row.marks))}}}$" if row.marks else ""
        cells = [
            _tex_cell(row.cells[i], style[line]) for i, style in zip(places, styles, strict=True)
        ]
        more = "; ".join(source.text for source in row.sources) or ", ".join(
            filter(None, [*row.details, row.seeds_text])
        )
        body.append(
            " & ".join(
                [str(row.rank or ""), f"{_escape_tex(row.name)}{marks}", _escape_tex(more), *cells]
            )
            + r" \\"
        )
    notes = [
        rf"\par $^{{{n}}}$ {_escape_tex(note)}" for n, note in enumerate(table.footnotes, start=1)
    ]
    if table.detectable:
        reached = _detectable_words(table)
        body += [
            r"\midrule",
            " & ".join(["", "can tell from", "", *(reached[i] for i in places)]) + r" \\",
        ]
    caption = f"{protocol.title}; {metric_names.describe_convention(table.convention)}. Equal ranks: the test set cannot tell."
    caption += f" ±: half the {protocol.interval:.0%} interval over {protocol.cluster}s."
    caption += " σ: standard deviation between seeds." if table.has_seeds else ""
    return "\n".join(
        [
            r"% needs \usepackage{booktabs}",
            r"\begin{table}",
            rf"\caption{{{_escape_tex(caption)}}}",
            rf"\begin{{tabular}}{{rll{'r' * len(columns)}}}",
            r"\toprule",
            " & ".join(
                [
                    "",
                    "",
                    "",
                    *(rf"\multicolumn{{{n}}}{{c}}{{{_escape_tex(t)}}}" for t, n in spans.items()),
                ]
            )
            + r" \\",
            " & ".join([r"\#", "method", "", *(_escape_tex(column.group) for column in columns)])
            + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            *([r"\footnotesize", *notes] if notes else []),
            r"\end{table}",
            "",
        ]
    )


def _tex_styles(cells: Sequence[Cell | None], falls: bool) -> list[str]:
    """Return a LaTeX command for every cell: the best printed number is bold, the second underlined."""
    known = sorted({float(cell.text) for cell in cells if cell}, reverse=not falls)
    commands = dict(zip(known, (r"\textbf", r"\underline"), strict=False))
    return [commands.get(float(cell.text), "") if cell else "" for cell in cells]


def _tex_cell(cell: Cell | None, command: str) -> str:
    if cell is None:
        return "--"
    text = f"{command}{{{cell.text}}}" if command else cell.text
    spread = rf" ($\sigma$ {cell.std_text})" if cell.std_text else ""
    if not cell.ends:
        return text + spread
    digits = len(cell.text.partition(".")[2])
    return rf"{text} $\pm$ {(cell.ends[1] - cell.ends[0]) / 2:.{digits}f}{spread}"


def _escape_tex(text: str) -> str:
    return "".join(_TEX.get(letter, letter) for letter in text)


def as_bibtex(papers: Iterable[Paper], cards: Iterable[MethodCard]) -> str:
    """Write an entry for every paper that is quoted and for every method that was measured."""
    entries = {
        paper.key: {
            "title": paper.title,
            "author": paper.authors,
            "venue": paper.venue,
            "year": str(paper.year),
            "url": paper.url,
        }
        for paper in papers
    }
    for card in cards:
        if card.paper.get("title"):
            facts = {"author": card.paper.get("authors", ""), **card.paper}
            entries.setdefault(
                card.name,
                {key: facts.get(key, "") for key in ("title", "author", "venue", "year", "url")},
            )
    return "\n".join(_bibtex_entry(key, facts) for key, facts in sorted(entries.items()))


def _bibtex_entry(key: str, facts: Mapping[str, str]) -> str:
    names = " and ".join(name.strip() for name in facts["author"].split(",") if name.strip())
    fields = {
        "title": f"{{{_escape_tex(facts['title'])}}}",
        "author": _escape_tex(names),
        "booktitle": _escape_tex(facts["venue"]),
    }
    fields |= {"year": facts["year"], "url": facts["url"]}
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join([f"@inproceedings{{{re.sub(r'[^A-Za-z0-9-]', '', key)},", *lines, "}", ""])


TABLE_FORMATS: Mapping[str, Callable[[Protocol, Table], str]] = {
    "csv": as_csv,
    "md": as_markdown,
    "tex": as_latex,
    "json": as_json,
}


def export_path(protocol: str, convention: str, suffix: str) -> str:
    """Return the path of an exported table inside the site.

    The references of a protocol have no convention.
    """
    name = file_slug(convention) if convention else "references"
    return f"export/{file_slug(protocol)}/{name}.{suffix}"


# --- words ----------------------------------------------------------------------------------------


def _column_name(column: Column) -> str:
    return f"{column.metric.name}.{column.group}"


def _csv_numbers(cell: Cell | None) -> tuple[float | None, ...]:
    if cell is None:
        return (None,) * 4
    return (cell.value, *(cell.ends or (None, None)), cell.std)


def _unit(column: Column) -> str:
    word = number_format.unit_word(column.metric.unit)
    return f" ({word})" if word else ""


def _source_words(row: Row) -> str:
    return "; ".join(source.text for source in row.sources)
