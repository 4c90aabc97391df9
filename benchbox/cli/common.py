"""What all commands share: the group, how faults end, options, and how things are printed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import click

from benchbox import __version__
from benchbox.errors import BenchboxError, DataError
from benchbox.plugins import method_card

Command = Callable[..., Any]


class UserError(click.ClickException):
    """A BenchboxError on its way out: one line, exit code 2."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        """Print it."""
        click.echo(f"error: {' '.join(self.format_message().split())}", err=True, file=file)


class BenchboxGroup(click.Group):
    """The command group: faults that the user can mend end as one line."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Read the options before a command; wrong use of them ends in one line, too."""
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.UsageError as fault:
            raise _usage_error(fault, "benchbox") from fault

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; end what a user can mend, and Ctrl-C, in one line."""
        try:
            return super().invoke(ctx)
        except BenchboxError as fault:
            raise UserError(str(fault)) from fault
        except click.UsageError as fault:
            raise _usage_error(fault, ctx.command_path) from fault
        except KeyboardInterrupt:
            print_note("interrupted")
            raise click.exceptions.Exit(130) from None


def _usage_error(fault: click.UsageError, where: str) -> click.ClickException:
    """Say in one line what was used wrongly and who tells how.

    A group without a command keeps its help.
    """
    if "\n" in fault.message:
        return fault
    where = fault.ctx.command_path if fault.ctx else where
    return UserError(f"{fault.format_message().rstrip('.')}; `{where} --help` says how it is used")


def require_results(results: Path) -> None:
    """Raise DataError for a folder of results that is not there."""
    if not results.is_dir():
        raise DataError(
            f"{results}: no such folder of results; `benchbox run --results {results} …` makes one"
        )


def print_note(line: str) -> None:
    """Print progress or a note: on stderr."""
    click.echo(line, err=True)


def print_json(document: Any) -> None:
    """Print the one document of `--json`."""
    click.echo(json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False))


def exit_failed() -> NoReturn:
    """End with exit code 1: a check failed."""
    raise click.exceptions.Exit(1)


def data_root(given: Path | None) -> Path:
    """Return the data root: as given, else `BENCHBOX_DATA`, else `./data`."""
    return given or Path(os.environ.get("BENCHBOX_DATA") or "data")


FOLDER = click.Path(path_type=Path)
data_option = click.option(
    "--data", type=FOLDER, metavar="ROOT", help="Data root; else BENCHBOX_DATA, else ./data."
)
results_option = click.option(
    "--results",
    type=FOLDER,
    metavar="DIR",
    default=Path("results"),
    show_default=True,
    help="Where runs are kept.",
)
methods_option = click.option(
    "--methods",
    type=FOLDER,
    metavar="DIR",
    multiple=True,
    help="A method's folder, or a folder of them, for this call.",
)
device_option = click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True
)
budget_option = click.option(
    "--budget", type=click.Choice(method_card.BUDGETS), default="quick", show_default=True
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@click.group(
    "benchbox",
    cls=BenchboxGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="benchbox")
def main() -> None:
    """Benchmark suite and leaderboard for facial landmarks and gaze.

    Start with `benchbox run --method glsr --protocol synth-300w-full`; it needs no data.
    """


def print_columns(rows: list[tuple[str, ...]]) -> None:
    """Print rows in aligned columns."""
    widths = (
        [max(len(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    )
    for row in rows:
        click.echo(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )


def parse_assignment(text: str) -> tuple[str, str]:
    """Read `key=value` of --set."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise click.UsageError(f"--set {text}: write key=value")
    return key.strip(), value.strip()
