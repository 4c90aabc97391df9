"""Commands about data: list, where, verify, ids, submission."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from benchbox.errors import BenchboxError, DataError

from .common import (
    FOLDER,
    data_option,
    data_root,
    device_option,
    exit_failed,
    json_option,
    main,
    methods_option,
    print_columns,
    print_json,
)

if TYPE_CHECKING:
    from benchbox.types import Dataset, Protocol


@main.group()
def data() -> None:
    """Say what data are needed, where they are had, whether they are whole."""


@data.command(name="list")
@data_option
def data_list(data: Path | None) -> None:
    """List the datasets and whether they are here."""
    from benchbox import datasets

    root = data_root(data)
    rows: list[tuple[str, ...]] = []
    for name in datasets.DATASETS:
        access = datasets.open_dataset(name).ACCESS
        made = "named by a card" if name == "files" else "made by benchbox"
        here = (
            made if not access.folder else "here" if (root / access.folder).is_dir() else "not here"
        )
        rows.append((name, access.title, here, access.terms))
    print_columns(rows)


@data.command(name="where")
@click.argument("dataset")
@data_option
def data_where(dataset: str, data: Path | None) -> None:
    """Say where a DATASET is had, under which terms, and how it must lie on disk."""
    from benchbox import datasets

    access = datasets.open_dataset(dataset).ACCESS
    place = data_root(data) / access.folder if access.folder else "made by benchbox when needed"
    click.echo(f"{dataset}: {access.title}")
    for key, text in (
        ("from", access.where),
        ("terms", access.terms),
        ("cite", access.citation),
        ("folder", place),
    ):
        click.echo(f"  {key:<8}{text}")
    for line in access.layout.splitlines():
        click.echo(f"    {line}")


@data.command(name="verify")
@click.argument("dataset")
@data_option
@json_option
def data_verify(dataset: str, data: Path | None, as_json: bool) -> None:
    """Say what of a DATASET (or of a card's own files) is complete, partial, missing or wrong.

    Exit 1 unless whole.
    """
    from benchbox import datasets
    from benchbox.datasets import verify
    from benchbox.protocols import protocol_card as protocols

    root = data_root(data)
    cards = (
        [protocols.load_protocol(dataset)]
        if dataset.endswith(".toml")
        else _cards_testing_on(dataset)
    )
    module = (
        datasets.open_protocol_dataset(cards[0])
        if dataset.endswith(".toml")
        else datasets.open_dataset(dataset)
    )
    _require_dataset(module, root, dataset)
    findings = []
    for finding in verify.examine_dataset(
        cards[0].dataset if cards else dataset, module, root, cards
    ):
        findings.append(finding)
        if not as_json:
            click.echo(f"{finding.level:<8}{finding.what}")
    if as_json:
        print_json([{"level": finding.level, "what": finding.what} for finding in findings])
    if any(finding.level not in ("ok", "note") for finding in findings):
        exit_failed()


def _cards_testing_on(dataset: str) -> list[Protocol]:
    """Return the cards that test on a dataset; a broken one is another command's business."""
    from benchbox.protocols import protocol_card as protocols

    found = []
    for name in protocols.protocol_names():
        try:
            card = protocols.load_protocol(name)
        except BenchboxError:
            continue
        if card.dataset == dataset:
            found.append(card)
    return found


@data.command(name="ids")
@click.option(
    "--protocol",
    required=True,
    metavar="NAME",
    help="A protocol, options appended: 300w-full+labelled=0.1.",
)
@click.option(
    "--of",
    "which",
    type=click.Choice(["labelled", "validation", "unlabelled", "test"]),
    default="labelled",
)
@data_option
def data_ids(protocol: str, which: str, data: Path | None) -> None:
    """Print the ids that a protocol gives a method, one a line: the lists that draws are kept by."""
    from benchbox.datasets import split
    from benchbox.protocols import protocol_card as protocols
    from benchbox.runs import execute

    card = protocols.load_protocol(protocol)
    found = split.split_index(card, execute.open_index(card, data_root(data)))
    held_out = found.validation.samples if found.validation else ()
    sets = {
        "labelled": found.labelled.samples,
        "validation": held_out,
        "unlabelled": found.unlabelled,
        "test": found.test,
    }
    for sample in sets[which]:
        click.echo(sample.id)


def _require_dataset(module: Dataset, root: Path, name: str) -> None:
    access = module.ACCESS
    if access.folder and not (root / access.folder).is_dir():
        raise DataError(
            f"{access.title} is missing: no folder {root / access.folder}; get it at {access.where} ({access.terms}), "
            f"`benchbox data where {name}` shows how it must lie"
        )


@data.command(name="submission")
@click.argument("source", type=FOLDER)
@click.option(
    "--out", type=FOLDER, metavar="FILE", default=Path("test_results.txt"), show_default=True
)
@device_option
@data_option
@methods_option
def data_submission(
    source: Path, out: Path, device: str, data: Path | None, methods: tuple[Path, ...]
) -> None:
    """Write the answer file that ETH-XGaze's authors score, from SOURCE: a run's folder or a predictions file."""
    from benchbox.runs import eth_xgaze_submission

    count = eth_xgaze_submission.write_submission(
        source, data_root(data), out, device=device, methods=methods
    )
    click.echo(f"{out}: {count} lines of pitch,yaw in radians, in the order of the official list")
