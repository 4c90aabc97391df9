"""A leaderboard as a file for other programs and papers: CSV, Markdown, LaTeX, JSON, BibTeX.

Each holds what the page shows, in its order: ranks, intervals, seeds with the standard deviation
between them, sources, the rows that are not comparable with the reason, and (but for CSV, whose
lines are rows) the smallest detectable difference in each column.
"""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from benchbox.csv_cells import guard_cells
from benchbox.metrics import metric_names, number_format
from benchbox.papers.reference_rows import Paper
from benchbox.report.inputs.results import file_slug
from benchbox.types import MethodCard, Protocol

from . import rows
from .rows import Cell, Column, Row, Table

_CSV_HEAD = (
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
)
_TEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
_TEX |= {letter: "\\" + letter for letter in "&%$#_{}"}
_FEW_COLUMNS = 4  # beside which an interval has room
_WIDE_NAME, _NARROW_NAME = 0.44, 0.22  # of the text's width
_NOT_IN_OT1 = "ÐÞðþĄąĐđĘęĦħĮįĸĿŀŉŊŋŦŧŲųſ"
_TYPESET_MARKS = "–—‘’“”…§¶"
_GREEK = (
    *("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa"),
    *("lambda", "mu", "nu", "xi", "pi", "rho", "sigma", "tau", "upsilon", "phi"),
    *("chi", "psi", "omega"),
)
# capitals that LaTeX has; the others look as letters of ours
_GREEK_CAPITALS = (
    *("gamma", "delta", "theta", "lambda", "xi", "pi", "sigma", "phi", "psi", "omega"),
)
_JOURNALS = ("TPAMI", "IJCV", "TIP", "TNNLS", "IVC", "SPL", "TMM", "PRL", "IEEE TPAMI", "CVIU")
_TEX |= dict(zip("ÐðĐđĦħĸŊŋŦŧ", "DdDdHhkNnTt", strict=True))
_TEX |= dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧο", "ABEZHIKMNOPTYXo", strict=True))
_TEX |= {"Þ": "Th", "þ": "th", "ŉ": "'n", "Ŀ": "L", "ŀ": "l", "ς": r"$\varsigma$"}
_TEX |= {
    "†": r"$\dagger$",
    "°": r"$^\circ$",
    "−": r"$-$",
    "≈": r"$\approx$",
    "≥": r"$\geq$",
    "∞": r"$\infty$",
    "σ": r"$\sigma$",
    "ω": r"$\omega$",
    "θ": r"$\theta$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "→": r"$\to$",
    "≤": r"$\leq$",
}


# --- CSV ------------------------------------------------------------------------------------------


def as_csv(protocol: Protocol, table: Table) -> str:
    """Write one line per row; every column of numbers has its ends beside it."""
    del protocol  # its name is the file's
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    head = list(_CSV_HEAD)
    for column in table.columns:
        name = _column_name(column)
        head += [name, f"{name}.low", f"{name}.high", f"{name}.std"]
    writer.writerow(guard_cells(head))
    for row in rows.all_rows(table):
        writer.writerow(guard_cells(_csv_cells(row)))
    return stream.getvalue()


def _csv_cells(row: Row) -> list[object]:
    cells: list[object] = [
        row.rank,
        row.name,
        row.kind,
        "; ".join(row.details),
        " ".join(seed.name for seed in row.seeds),
        _source_words(row),
        row.not_comparable,
        row.cost.params,
        row.cost.macs,
        row.cost.latency_ms,
    ]
    for cell in row.cells:
        if cell is None:
            cells += [None] * 4
        else:
            low, high = cell.ends or (None, None)
            cells += [cell.value, low, high, cell.std]
    return cells


# --- JSON -----------------------------------------------------------------------------------------


def as_json(protocol: Protocol, table: Table) -> str:
    """Write the table as one document; a value that does not exist is left out."""
    detectable = {}
    for column, difference in zip(table.columns, table.detectable, strict=False):
        detectable[_column_name(column)] = difference
    document = {
        "schema": 1,
        "protocol": protocol.name,
        "card": protocol.card,
        "convention": table.convention,
        "ranked_by": _column_name(table.ranking_column),
        "can_tell_from": detectable,
        "rows": [_json_row(row, table.columns) for row in rows.all_rows(table)],
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _json_row(row: Row, columns: Sequence[Column]) -> dict[str, Any]:
    scores: dict[str, dict[str, Any]] = {}
    for column, cell in zip(columns, row.cells, strict=True):
        if cell:
            scores.setdefault(column.group, {})[column.metric.name] = _json_score(cell, column)
    cost_at = None
    if row.cost.paper:
        cost_at = "the paper's sizes"
    facts = {
        "rank": row.rank,
        "name": row.name,
        "kind": row.kind,
        "details": list(row.details),
        "seeds": [seed.name for seed in row.seeds],
        "sources": [source.text for source in row.sources],
        "notes": list(row.notes),
        "apart": row.not_comparable,
        "params": row.cost.params,
        "macs": row.cost.macs,
        "latency_ms": row.cost.latency_ms,
        "cost_at": cost_at,
        "latency_on": row.cost.machine,
    }
    known: dict[str, Any] = {key: fact for key, fact in facts.items() if fact not in (None, "", [])}
    known["scores"] = scores
    return known


def _json_score(cell: Cell, column: Column) -> dict[str, Any]:
    score: dict[str, Any] = {"value": cell.value}
    if cell.ends:
        score["low"], score["high"] = cell.ends
    if cell.std is not None:
        score["std"] = cell.std
    score["unit"] = column.metric.unit
    return score


# --- Markdown -------------------------------------------------------------------------------------


def as_markdown(protocol: Protocol, table: Table) -> str:
    """Write a pipe table; rows that are not comparable follow in further ones, by reason."""
    head = ["#", "method", "kind"]
    rule = ["--:", "---", "---"]
    for column in table.columns:
        head.append(f"{column.metric.title}, {column.group}{_unit(column)}")
        rule.append("--:")
    table_head = [_markdown_line(head), _markdown_line(rule)]
    title = _one_line(protocol.title)
    lines = [f"{title}; {metric_names.describe_convention(table.convention)}", ""]
    lines += table_head
    lines += [_markdown_line(_markdown_cells(row)) for row in table.rows]
    if table.detectable:
        label = "*smallest detectable difference (80 % power)*"
        lines.append(_markdown_line(["", label, "", *_detectable_words(table)]))
    for part in table.not_comparable:
        lines += ["", f"Not comparable: {_escape_markdown(part.reason)}", "", *table_head]
        lines += [_markdown_line(_markdown_cells(row)) for row in part.rows]
    if table.footnotes:
        lines.append("")
    for number, note in enumerate(table.footnotes, start=1):
        lines.append(f"{number}. {_escape_markdown(note)}")
    return "\n".join(lines) + "\n"


def _markdown_cells(row: Row) -> list[str]:
    name = _escape_markdown(row.name)
    for mark in row.marks:
        name += f" ({mark})"
    words = [*row.details, row.seeds_text, *(source.text for source in row.sources)]
    details = "; ".join(filter(None, words))
    if details:
        name += f" ({_escape_markdown(details)})"
    cells = [str(row.rank or ""), name, row.kind]
    for cell in row.cells:
        if cell is None:
            cells.append("")
        else:
            cells.append(_markdown_number(cell))
    return cells


def _markdown_number(cell: Cell) -> str:
    text = cell.text
    if cell.std_text:
        text += f" ± {cell.std_text}"
    if cell.interval:
        text += f" ({cell.interval})"
    return text


def _detectable_words(table: Table) -> list[str]:
    """Print the smallest detectable difference in each column."""
    words = []
    for column, difference in zip(table.columns, table.detectable, strict=True):
        if difference is None:
            words.append("")
        else:
            words.append(number_format.format_number(difference, column.metric.unit))
    return words


def _escape_markdown(text: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>|])", r"\\\1", _one_line(text))


def _one_line(text: str) -> str:
    """Take line breaks out of a text: they would end its row."""
    return " ".join(text.split())


def _markdown_line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


# --- LaTeX ----------------------------------------------------------------------------------------


def as_latex(protocol: Protocol, table: Table) -> str:
    """Write a table of booktabs that breaks over pages and is no wider than a text.

    The comparable rows, or all with a dagger where there are none; ablation lines are left out.
    Every row cites its publication by the key that `as_bibtex` gives it. The best is bold, the
    second underlined; ± half an interval, σ between seeds.
    """
    shown = _latex_columns(table)
    columns = [table.columns[i] for i in shown]
    printed = [row for row in table.rows if not row.ablation]
    if not printed:
        printed = [row for row in table.merged if not row.ablation]
    width = _WIDE_NAME if len(columns) <= _FEW_COLUMNS else _NARROW_NAME
    head = _tex_line([r"\#", "method", *(_escape_tex(c.group) for c in columns)])
    notes = list(dict.fromkeys(note for row in printed for note in row.notes))
    lines = [
        r"% needs \usepackage{booktabs,longtable}",
        r"\begingroup\footnotesize\setlength{\tabcolsep}{3pt}",
        rf"\begin{{longtable}}{{@{{}}rp{{{width}\linewidth}}{'r' * len(columns)}@{{}}}}",
        rf"\caption{{{_escape_tex(_latex_caption(protocol, table))}}}\\",
        r"\toprule",
        _metric_head(columns),
        head,
        r"\midrule",
        r"\endfirsthead",
        r"\toprule",
        head,
        r"\midrule",
        r"\endhead",
        *_latex_rows(printed, table, shown, notes),
    ]
    if table.detectable:
        words = _detectable_words(table)
        lines.append(r"\midrule")
        label = r"smallest detectable difference (80 \% power)"
        lines.append(_tex_line(["", label, *(words[i] for i in shown)]))
    lines += [r"\bottomrule", r"\end{longtable}"]
    for number, note in enumerate(notes, start=1):
        lines.append(rf"\par\noindent $^{{{number}}}$ {_escape_tex(note)}")
    return "\n".join([*lines, r"\endgroup", ""])


def _latex_columns(table: Table) -> list[int]:
    """Return the indices of the columns that fit on paper: those that a page shows at first."""
    return sorted(table.shown_at_first)


def _latex_caption(protocol: Protocol, table: Table) -> str:
    convention = metric_names.describe_convention(table.convention)
    caption = f"{protocol.title}; {convention}."
    if not table.rows:
        caption += " No row was made under all conditions of the protocol: † marks each other."
    caption += " Equal ranks: the test set shows no difference."
    caption += f" ±: half the {protocol.interval:.0%} interval over {protocol.cluster}s."
    if table.has_seeds:
        caption += " σ: standard deviation between seeds."
    return caption


def _metric_head(columns: Sequence[Column]) -> str:
    spans: dict[str, int] = {}
    for column in columns:
        title = column.metric.title + _unit(column)
        spans[title] = spans.get(title, 0) + 1
    cells = ["", ""]
    for title, span in spans.items():
        cells.append(rf"\multicolumn{{{span}}}{{c}}{{{_escape_tex(title)}}}")
    return _tex_line(cells)


def _latex_rows(
    printed: Sequence[Row], table: Table, shown: Sequence[int], notes: Sequence[str]
) -> list[str]:
    commands = {}
    for index in shown:
        cells = [row.cells[index] for row in printed]
        lower_is_better = table.columns[index].metric.lower_is_better
        commands[index] = _tex_commands(cells, lower_is_better)
    lines = []
    for number, row in enumerate(printed):
        line = [str(row.rank or ""), _tex_name(row, notes)]
        for index in shown:
            interval = index == table.ranked_by and len(shown) <= _FEW_COLUMNS
            line.append(_tex_cell(row.cells[index], commands[index][number], interval=interval))
        lines.append(_tex_line(line))
    return lines


def _tex_name(row: Row, notes: Sequence[str]) -> str:
    """Print a row's name with its citation, what tells it from others, and its marks."""
    name = _escape_tex(row.name)
    if row.not_comparable:
        name += r"$^{\dagger}$"
    if row.cite:
        name += rf"~\cite{{{_cite_key(row.cite)}}}"
    words = ", ".join(filter(None, [*row.details, row.seeds_text]))
    if not row.cite:
        words = words or _source_words(row)
    if words:
        name += f" ({_escape_tex(words)})"
    if row.notes:
        name += f"$^{{{','.join(str(notes.index(note) + 1) for note in row.notes)}}}$"
    return name


def _tex_line(cells: Iterable[str]) -> str:
    return " & ".join(cells) + r" \\"


def _tex_commands(cells: Sequence[Cell | None], lower_is_better: bool) -> list[str]:
    """Return a LaTeX command for every cell: the best number is bold, the second underlined."""
    numbers = {float(cell.text) for cell in cells if cell}
    best_first = sorted(numbers, reverse=not lower_is_better)
    command_of = dict(zip(best_first, (r"\textbf", r"\underline"), strict=False))
    commands = []
    for cell in cells:
        if cell is None:
            commands.append("")
        else:
            commands.append(command_of.get(float(cell.text), ""))
    return commands


def _tex_cell(cell: Cell | None, command: str, *, interval: bool) -> str:
    if cell is None:
        return "--"
    text = cell.text
    if command:
        text = f"{command}{{{cell.text}}}"
    if cell.ends and interval:
        low, high = cell.ends
        digits = len(cell.text.partition(".")[2])
        text += rf" $\pm$ {(high - low) / 2:.{digits}f}"
    if cell.std_text and interval:
        text += rf" ($\sigma$ {cell.std_text})"
    return text


def _escape_tex(text: str) -> str:
    r"""Write a text for LaTeX, whatever letters it has: what a plain one lacks is named by number.

    >>> print(_escape_tex("G&LSR_ω, 中"))
    G\&LSR\_$\omega$, \texttt{U+4E2D}
    """
    composed = unicodedata.normalize("NFC", _one_line(text))
    return "".join(_tex_letter(letter) for letter in composed)


def _tex_letter(letter: str) -> str:
    if letter in _TEX:
        return _TEX[letter]
    if letter.isascii() or letter in _TYPESET_MARKS or _is_latin(letter):
        return letter if letter.isprintable() else ""
    # an accent that the standard encoding lacks, as a hook below, is left out
    parts = unicodedata.normalize("NFKD", letter)
    plain = "".join(part for part in parts if not unicodedata.combining(part))
    if plain and plain != letter:
        return "".join(map(_tex_letter, plain))
    script, _, name = unicodedata.name(letter, "").partition(" ")
    greek = name.rpartition(" ")[2].lower().replace("lamda", "lambda")
    if script == "GREEK" and greek in (_GREEK_CAPITALS if "CAPITAL" in name else _GREEK):
        return rf"$\{greek.capitalize() if 'CAPITAL' in name else greek}$"
    return rf"\texttt{{U+{ord(letter):04X}}}"


def _is_latin(letter: str) -> bool:
    """Tell whether LaTeX's standard encoding has a letter of Latin-1 or Latin Extended-A."""
    return 0xC0 <= ord(letter) <= 0x17F and letter not in "×÷" + _NOT_IN_OT1


# --- BibTeX ---------------------------------------------------------------------------------------


def as_bibtex(
    papers: Iterable[Paper],
    cards: Iterable[MethodCard],
    stated: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
) -> str:
    """Write an entry for every paper that is cited and for every method that was measured.

    `stated` holds what was said of methods without a card: name → of WORK_KEYS. What is not known
    of a publication is left out; lists of other people's figures are none.
    """
    entries: dict[str, Mapping[str, str]] = {}
    for paper in papers:
        if paper.kind == "collection":
            continue
        entries[paper.key] = {
            "title": paper.title,
            "author": paper.authors,
            "venue": paper.venue,
            "year": paper.year,
            "url": paper.url,
            "kind": paper.kind,
        }
    for card in cards:
        if card.paper.get("title"):
            facts = {"author": card.paper.get("authors", ""), **card.paper}
            entries.setdefault(card.name, facts)
    for name, words in stated.items():
        if words.get("paper"):
            facts = {key: words.get(key, "") for key in ("url", "year")}
            entries.setdefault(name, {"title": words["paper"], **facts})
    return "\n".join(_bibtex_entry(key, entries[key]) for key in sorted(entries))


def _cite_key(key: str) -> str:
    return re.sub(r"[^A-Za-z0-9-]", "", key)


def _bibtex_entry(key: str, facts: Mapping[str, str]) -> str:
    authors = _split_authors(facts.get("author", ""))
    venue, url = facts.get("venue", ""), facts.get("url", "")
    kind, place = _entry_kind(venue, facts.get("kind", ""))
    fields = {
        "title": f"{{{_escape_tex(facts.get('title', ''))}}}",
        "author": _escape_tex(" and ".join(authors)),
        place: _escape_tex(venue),
        "year": facts.get("year", ""),
        **_identifiers(url),
        "url": url,
    }
    lines = [f"@{kind}{{{_cite_key(key)},"]
    for name, value in fields.items():
        if value:
            lines.append(f"  {name} = {{{value}}},")
    return "\n".join([*lines, "}", ""])


def _entry_kind(venue: str, kind: str) -> tuple[str, str]:
    """Return BibTeX's type of an entry and where its venue stands."""
    if venue in _JOURNALS:
        return "article", "journal"
    if kind == "software" or not venue or venue == "arXiv":
        return "misc", "howpublished"
    return "inproceedings", "booktitle"


def _identifiers(url: str) -> dict[str, str]:
    """Return what a link says of arXiv's number or the DOI."""
    if match := re.fullmatch(r"https://arxiv\.org/abs/([\d.]+)", url):
        return {"eprint": match[1], "archiveprefix": "arXiv"}
    if url.startswith("https://doi.org/"):
        return {"doi": url.removeprefix("https://doi.org/")}
    return {}


def _split_authors(text: str) -> list[str]:
    """Split a text of authors into names, as BibTeX wants them.

    Commas, semicolons or "and" stand between names; a comma beside a single word stands within one.

    >>> _split_authors("X. Shao, J. Xing et al.")
    ['X. Shao', 'J. Xing', 'others']
    >>> _split_authors("Doe, Jane and van der Roe, Rik")
    ['Doe, Jane', 'van der Roe, Rik']
    """
    names: list[str] = []
    for piece in re.split(r";|\band\b", text):
        parts = [" ".join(part.split()) for part in piece.split(",")]
        whole = [" " in part or "." in part for part in parts if part]
        if ";" in text or not all(whole):
            parts = [" ".join(piece.split())]  # family name first: the comma is a part of it
        names += parts
    authors: list[str] = []
    for name in names:
        before, others, _ = name.partition("et al")
        authors.append(before.strip())
        if others:
            authors.append("others")
    return [name for name in authors if name]


TABLE_FORMATS: Mapping[str, Callable[[Protocol, Table], str]] = {
    "csv": as_csv,
    "md": as_markdown,
    "tex": as_latex,
    "json": as_json,
}

SITE_FORMATS = ("csv", "json")  # those that the pages offer; `report --format` prints all


def export_path(protocol: str, convention: str, suffix: str) -> str:
    """Return the path of an exported table inside the site."""
    return f"export/{file_slug(protocol)}/{file_slug(convention)}.{suffix}"


# --- words ----------------------------------------------------------------------------------------


def _column_name(column: Column) -> str:
    return f"{column.metric.name}.{column.group}"


def _unit(column: Column) -> str:
    word = number_format.unit_word(column.metric.unit)
    if not word:
        return ""
    return f" ({word})"


def _source_words(row: Row) -> str:
    return "; ".join(source.text for source in row.sources)
