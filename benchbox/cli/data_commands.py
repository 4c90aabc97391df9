"""Commands about data: list, where, verify, ids, manifest, constants, submission."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from benchbox.errors import BenchboxError

from .main_group import exit_failed, main
from .printing import paint, print_columns, print_document, print_json
from .shared_options import (
    FOLDER,
    complete_protocol,
    data_option,
    data_root,
    device_option,
    json_option,
    methods_option,
)

if TYPE_CHECKING:
    from benchbox.types import Access, Dataset, Protocol


_LEVEL_COLOURS = {
    "ok": "green",
    "note": "cyan",
    "partial": "yellow",
    "missing": "red",
    "wrong": "red",
}


@main.group(name="data")
def data_group() -> None:
    """Say what data are needed, where they are had, whether they are whole."""


@data_group.command(name="list")
@data_option
def list_datasets(data: Path | None) -> None:
    """List the datasets and whether they are here."""
    from benchbox import datasets

    root = data_root(data)
    rows = []
    for name in datasets.DATASETS:
        access = datasets.open_dataset(name).ACCESS
        rows.append((name, access.title, _presence(name, access, root), access.terms))
    print_columns(rows, wrap={1, 3})


def _presence(name: str, access: Access, root: Path) -> str:
    if name == "files":
        return "named by a card"
    if not access.folder:
        return "made by benchbox"
    if (root / access.folder).is_dir():
        return "here"
    return "not here"


@data_group.command(name="where")
@click.argument("dataset")
@data_option
def show_access(dataset: str, data: Path | None) -> None:
    """Say where a DATASET (or a card's) is had, under which terms, and how it must lie on disk."""
    module, card = _open_named(dataset)
    access = module.ACCESS
    folder = "made by benchbox when needed"
    if access.folder or (card is not None and card.source is not None):
        folder = str(data_root(data) / access.folder)
    click.echo(f"{dataset}: {access.title}")
    click.echo(f"  from    {access.where}")
    click.echo(f"  terms   {access.terms}")
    click.echo(f"  cite    {access.citation}")
    click.echo(f"  folder  {folder}")
    for line in access.layout.splitlines():
        click.echo(f"    {line}")


@data_group.command(name="verify")
@click.argument("dataset")
@click.option(
    "--deep",
    is_flag=True,
    help="Decode every picture, of videos and recordings, too, where else some are.",
)
@data_option
@json_option
def verify_dataset(dataset: str, deep: bool, data: Path | None, as_json: bool) -> None:
    """Say what of a DATASET (or of a card's own files) is complete, partial, missing or wrong.

    A card goes by its path or name, as for `run`.

    Exit 1 unless whole.
    """
    from benchbox.datasets import presence, verify

    root = data_root(data)
    module, card = _open_named(dataset)
    name = dataset if card is None else card.dataset
    cards = _cards_testing_on(dataset) if card is None else [card]
    is_own = card is not None and card.source is not None
    presence.require_dataset(name, module, root, custom=is_own)
    findings = []
    for finding in verify.examine_dataset(name, module, root, cards, deep=deep):
        findings.append(finding)
        if not as_json:
            line = f"{finding.level:<8}{finding.what}"
            click.echo(paint(line, _LEVEL_COLOURS[finding.level], finding.level))
    if as_json:
        print_json([{"level": finding.level, "what": finding.what} for finding in findings])
    if any(finding.level not in ("ok", "note") for finding in findings):
        exit_failed()


def _open_named(name: str) -> tuple[Dataset, Protocol | None]:
    """Open a dataset by its name, or that of a card by its path or name, as `run` takes them.

    A name that is both is that of the dataset; one that is neither is refused as a dataset.
    """
    from benchbox import datasets
    from benchbox.protocols import protocol_card

    base = name.partition("+")[0]
    is_card = protocol_card.is_card_file(name)
    if not is_card and name not in datasets.DATASETS:
        is_card = Path(f"{base}.toml").is_file() or base in protocol_card.protocol_names()
    if not is_card:
        return datasets.open_dataset(name), None
    card = protocol_card.load_protocol(name)
    return datasets.open_protocol_dataset(card), card


def _cards_testing_on(dataset: str) -> list[Protocol]:
    """Return the cards that test on a dataset; a broken one is another command's business."""
    from benchbox.protocols import protocol_card

    cards = []
    for name in protocol_card.protocol_names():
        try:
            card = protocol_card.load_protocol(name)
        except BenchboxError:
            continue
        if card.dataset == dataset:
            cards.append(card)
    return cards


@data_group.command(name="ids")
@click.option(
    "--protocol",
    required=True,
    metavar="NAME",
    shell_complete=complete_protocol,
    help="A protocol, options appended: 300w-full+labelled=0.1.",
)
@click.option(
    "--of",
    "which",
    type=click.Choice(["labelled", "validation", "unlabelled", "test"]),
    default="labelled",
    show_default=True,
    help="Of which part of the split.",
)
@data_option
def print_ids(protocol: str, which: str, data: Path | None) -> None:
    """Print the ids that a protocol gives a method, one a line: draws are kept as such lists."""
    from benchbox.datasets import split
    from benchbox.protocols import protocol_card
    from benchbox.runs import run_data

    card = protocol_card.load_protocol(protocol)
    parts = split.split_index(card, run_data.open_index(card, data_root(data)))
    samples = {
        "labelled": parts.labelled.samples,
        "validation": (),
        "unlabelled": parts.unlabelled,
        "test": parts.test,
    }
    if parts.validation:
        samples["validation"] = parts.validation.samples
    for sample in samples[which]:
        click.echo(sample.id)


@data_group.command(name="manifest")
@click.option(
    "--protocol",
    required=True,
    metavar="NAME",
    shell_complete=complete_protocol,
    help="A protocol, options appended: 300w-full+box=….",
)
@click.option(
    "--split",
    type=click.Choice(["test", "labelled", "validation", "unlabelled"]),
    default="test",
    show_default=True,
    help="Which part of it.",
)
@click.option(
    "--out", type=FOLDER, metavar="FILE", help="Where to, .csv or .json; else it is printed."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "json"]),
    help="What it is; else the name of --out says so, else CSV.",
)
@click.option(
    "--pictures",
    type=FOLDER,
    metavar="DIR",
    help="Write each item's picture there as PNG, where they are no files of their own.",
)
@click.option("--labels", is_flag=True, help="Add labels; of test items there are none.")
@data_option
def write_manifest_command(
    protocol: str,
    split: str,
    out: Path | None,
    form: Literal["csv", "json"] | None,
    pictures: Path | None,
    labels: bool,
    data: Path | None,
) -> None:
    """List what another program needs to predict: id, picture, boxes, rotation, origin.

    Pixels count from 0; `benchbox score PREDICTIONS --origin 0` takes answers in that frame.
    """
    from benchbox.runs import manifest as manifests
    from benchbox.runs import protocol_manifest

    root = data_root(data)
    made = protocol_manifest.make_manifest(protocol, split, root, pictures=pictures, labels=labels)
    if out is not None:
        manifests.write_manifest(made, out, form)
        click.echo(f"{out}: {len(made.items)} items of {made.protocol}, {split}")
    elif form == "json":
        print_document(manifests.format_json(made))
    else:
        print_document(manifests.format_csv(made))


@data_group.command(name="constants")
@click.argument("protocol")
@click.option(
    "--results",
    type=FOLDER,
    metavar="DIR",
    help="Keep the target's mean direction there, as a row of the board that stands apart.",
)
@data_option
def print_constants(protocol: str, results: Path | None, data: Path | None) -> None:
    """Print what constant answers leave of a protocol of gaze directions."""
    from benchbox.runs import gaze_constants

    constants = gaze_constants.measure_constants(protocol, data_root(data))
    groups = list(constants[0].groups)
    rows = [("answer", "knows", *(f"{group}, degrees" for group in groups))]
    for constant in constants:
        errors = [f"{constant.groups[group]:.2f}" for group in groups]
        rows.append((constant.answer, constant.knows, *errors))
    print_columns(rows)
    if results is not None:
        gaze_constants.store_target_mean(protocol, data_root(data), results)


@data_group.command(name="submission")
@click.argument("source", type=FOLDER)
@click.option(
    "--out",
    type=FOLDER,
    metavar="FILE",
    default=Path("test_results.txt"),
    show_default=True,
    help="Where to.",
)
@device_option
@data_option
@methods_option
def write_eth_xgaze_submission(
    source: Path, out: Path, device: str, data: Path | None, methods: tuple[Path, ...]
) -> None:
    """Write the predictions file that ETH-XGaze's authors score.

    SOURCE is a run's folder or a predictions file.
    """
    from benchbox.runs import eth_xgaze_submission

    count = eth_xgaze_submission.write_submission(
        source, data_root(data), out, device=device, methods=methods
    )
    click.echo(f"{out}: {count} lines of pitch,yaw in radians, in the order of the official list")
