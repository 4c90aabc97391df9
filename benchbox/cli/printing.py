"""What commands print: results or one JSON document on stdout, progress and notes on stderr."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Collection, Sequence
from typing import Any

import click

from benchbox.process_rank import process_number
from benchbox.text_table import align_columns, stack_columns, terminal_width

_loudness = {"quiet": False, "verbose": False}


def set_loudness(*, quiet: bool = False, verbose: bool = False) -> None:
    """Leave notes and progress out, or say more: the causes of errors and where time went."""
    _loudness.update(quiet=quiet, verbose=verbose)


def is_verbose() -> bool:
    """Tell whether more is to be said."""
    return _loudness["verbose"]


def is_quiet() -> bool:
    """Tell whether warnings and errors alone are to be said."""
    return _loudness["quiet"]


def show_controls(line: str) -> str:
    r"""Write what a terminal would obey as its number: names in files are a stranger's words.

    >>> show_controls("ä b\x1b[2J\u202e")
    'ä b\\x1b[2J\\u202e'
    """
    if line.isprintable():
        return line
    plain = []
    for letter in line:
        keeps = letter.isprintable() or letter in " \n\t\u00a0\u202f"
        plain.append(letter if keeps else ascii(letter)[1:-1])
    return "".join(plain)


def print_note(line: str) -> None:
    """Print progress or a note on stderr; quiet commands print warnings and errors alone."""
    if process_number():
        return  # the first process of a run speaks for all
    line = show_controls(line)
    for word, colour in _COLOURS.items():
        if line.startswith(word):
            click.echo(paint(line, colour, word), err=True)
            return
    if not _loudness["quiet"]:
        click.echo(line, err=True)


_COLOURS = {"warning": "yellow", "error": "red", "broken": "red", "unreadable": "red"}


def paint(line: str, colour: str, word: str = "") -> str:
    """Colour a line, or its first word, where a terminal has colours and NO_COLOR is not set.

    `click.echo` takes the colour off again where there is no terminal.
    """
    if os.environ.get("NO_COLOR"):
        return line
    head = word or line
    return click.style(head, fg=colour) + line[len(head) :]


def print_check(ok: bool, text: str) -> None:
    """Print the outcome of one check."""
    mark, colour = ("ok", "green") if ok else ("FAIL", "red")
    click.echo(paint(f"{mark:<6}{show_controls(text)}", colour, mark))


def print_json(document: Any) -> None:
    """Print the one document of `--json`."""
    print_document(json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def print_document(text: str) -> None:
    """Print what another program reads: in UTF-8, whatever the terminal's code page is."""
    click.echo(text.encode(), nl=False)


def allow_narrow_streams() -> None:
    """Let letters that the terminal's code page lacks be replaced: no command ends by one."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def print_columns(rows: Sequence[Sequence[str]], *, wrap: Collection[int] = ()) -> None:
    """Print rows in aligned columns; those of words in `wrap` are wrapped to the terminal."""
    for line in align_columns(rows, wrap=wrap, width=terminal_width()):
        click.echo(line)


def print_table(rows: Sequence[Sequence[str]], *, keys: int, right: Collection[int] = ()) -> None:
    """Print rows of numbers; a table that is too wide goes on below, its first columns again."""
    for line in stack_columns(rows, keys=keys, right=right, width=terminal_width()):
        click.echo(line)
