"""What commands print: results or one JSON document on stdout, progress and notes on stderr."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Collection, Sequence
from typing import Any

import click

from benchbox.text_table import align_columns, terminal_width


def print_note(line: str) -> None:
    """Print progress or a note: on stderr."""
    click.echo(line, err=True)


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
