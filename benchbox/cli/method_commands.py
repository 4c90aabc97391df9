"""Commands for who writes a method: profile, new, test."""

from __future__ import annotations

from pathlib import Path

import click

from benchbox.plugins import method_card
from benchbox.protocols import protocol_card
from benchbox.types import Sample

from .main_group import exit_failed, main
from .printing import print_check, print_json, print_note
from .shared_options import (
    FOLDER,
    data_option,
    data_root,
    json_option,
    method_option,
    methods_option,
    parse_overrides,
    results_option,
    variant_option,
)


@main.command(name="profile")
@method_option
@variant_option
@click.option(
    "--layout",
    default="ibug68",
    show_default=True,
    metavar="NAME",
    help="Landmark layout; gaze has none.",
)
@click.option(
    "--budget",
    type=click.Choice(method_card.BUDGETS),
    default="paper",
    show_default=True,
    help="Whose sizes.",
)
@click.option("--set", "overrides", multiple=True, metavar="K=V", help="Change a parameter.")
@click.option(
    "--count-only",
    is_flag=True,
    help="Time nothing: a busy machine has no latencies worth keeping.",
)
@click.option(
    "--save", is_flag=True, help="Keep it under the results, where `benchbox report` reads it."
)
@methods_option
@results_option
@json_option
def profile_command(
    method: str,
    variant: str,
    layout: str,
    budget: str,
    overrides: tuple[str, ...],
    count_only: bool,
    save: bool,
    methods: tuple[Path, ...],
    results: Path,
    as_json: bool,
) -> None:
    """Count parameters and MACs of a method's networks and time them.

    Needs neither data nor weights.
    """
    from benchbox.authoring import profile_method
    from benchbox.runs import run_folders

    changes = parse_overrides(overrides)
    if save:
        profile_method.require_storable(layout, budget, changes)
    document = profile_method.make_profile(
        method,
        variant,
        layout=layout,
        budget=budget,
        overrides=changes,
        methods=methods,
        timed=not count_only,
        say=print_note,
    )
    if save:
        print_note(f"wrote {run_folders.save_profile(results, document)}")
    if as_json:
        print_json(document)
    else:
        click.echo(profile_method.format_profile(document))


# protocols whose data benchbox renders itself
_TRY_ON = {
    "landmarks": "synth-300w-full",
    "gaze3d": "synth-eth-xgaze",
    "gaze2d": "synth-gazecapture",
}


@main.group(name="new")
def new_group() -> None:
    """Start something of your own."""


@new_group.command(name="method")
@click.argument("name")
@click.option(
    "--methods",
    type=FOLDER,
    metavar="DIR",
    default=Path("methods"),
    show_default=True,
    help="Where to.",
)
@click.option(
    "--template",
    type=click.Choice(["python", "torch", "onnx", "external"]),
    default="python",
    show_default=True,
    help="Code of your own; a small network of torch and its training; the card of a network "
    "in an ONNX file; another program in any language.",
)
@click.option(
    "--task",
    type=click.Choice(["landmarks", "gaze3d", "gaze2d"]),
    default="landmarks",
    show_default=True,
    help="What the network or program of --template onnx or external predicts.",
)
def new_method(name: str, methods: Path, template: str, task: str) -> None:
    """Write a small working method folder to start from."""
    from benchbox.authoring import scaffold

    folder = scaffold.new_method(name, methods, template=template, task=task)
    click.echo(f"wrote {folder}")
    if template == "onnx":
        click.echo(f"put the network there as {folder / 'network.onnx'}, fill in network.toml")
    click.echo(f"next: benchbox test method {name} --methods {methods}")
    protocol = _TRY_ON[task]
    click.echo(f"      benchbox run --method {name} --methods {methods} --protocol {protocol}")


@main.group(name="test")
def test_group() -> None:
    """Try whether something keeps its contract."""


@test_group.command(name="method")
@click.argument("name")
@variant_option
@click.option(
    "--protocol",
    default="",
    metavar="P",
    help="Whose training pictures a method without training is tried on, instead of rendered ones.",
)
@data_option
@methods_option
def test_method(
    name: str, variant: str, protocol: str, data: Path | None, methods: tuple[Path, ...]
) -> None:
    """Train and try a method on a few synthetic faces.

    One that brings its weights is tried without labels, too: mirrored, moved, channels exchanged.
    Exit 1 and say what to change if it breaks the contract.
    """
    card = method_card.find_card(name, methods)
    method_card.merge_params(card, variant, "smoke")
    from benchbox.authoring import conformance, smoke_job

    pictures: tuple[Sample, ...] = ()
    if protocol:
        chosen = protocol_card.load_protocol(protocol)
        pictures = smoke_job.training_pictures(chosen, data_root(data))
    checks = conformance.check_method(
        card, variant=variant, data=data_root(data), pictures=pictures
    )
    for check in checks:
        print_check(check.ok, f"{check.name}: {check.detail}")
    if not all(check.ok for check in checks):
        exit_failed()
