"""Options that several commands have, and how their values are read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from benchbox.plugins import method_card

FOLDER = click.Path(path_type=Path)

method_option = click.option(
    "--method", required=True, metavar="NAME", help="A method; `benchbox list methods` names them."
)
variant_option = click.option(
    "--variant", default="", metavar="V", help="A variant of it; its card's default if not given."
)
methods_option = click.option(
    "--methods",
    type=FOLDER,
    metavar="DIR",
    multiple=True,
    help="A method's folder, or a folder of them, for this call.",
)
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
device_option = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Where networks run; auto: a GPU where there is one.",
)
budget_option = click.option(
    "--budget",
    type=click.Choice(method_card.BUDGETS),
    default="quick",
    show_default=True,
    help="How much a training may cost; paper: the paper's schedule.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


def data_root(given: Path | None) -> Path:
    """Return the data root: as given, else `BENCHBOX_DATA`, else `./data`."""
    return given or Path(os.environ.get("BENCHBOX_DATA") or "data")


def parse_overrides(texts: Sequence[str]) -> dict[str, str]:
    """Read the `key=value` of every --set; the last one of a key counts.

    >>> parse_overrides(["loss=l1", "lr = 0.1"])
    {'loss': 'l1', 'lr': '0.1'}
    """
    overrides = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise click.UsageError(f"--set {text}: write key=value")
        overrides[key.strip()] = value.strip()
    return overrides
