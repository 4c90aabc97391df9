"""Commands for who writes a method: profile, new, test."""

from __future__ import annotations

from pathlib import Path

import click

from benchbox.plugins import method_card

from .main_group import exit_failed, main
from .printing import print_json, print_note
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
def new_method(name: str, methods: Path) -> None:
    """Write a small working method folder to start from."""
    from benchbox.authoring import scaffold

    folder = scaffold.new_method(name, methods)
    click.echo(f"wrote {folder}")
    click.echo(f"next: benchbox test method {name} --methods {methods}")
    click.echo(f"      benchbox run --method {name} --methods {methods} --protocol synth-300w-full")


@main.group(name="test")
def test_group() -> None:
    """Try whether something keeps its contract."""


@test_group.command(name="method")
@click.argument("name")
@variant_option
@data_option
@methods_option
def test_method(name: str, variant: str, data: Path | None, methods: tuple[Path, ...]) -> None:
    """Train and try a method on a few synthetic faces.

    Exit 1 and say what to change if it breaks the contract.
    """
    card = method_card.find_card(name, methods)
    method_card.merge_params(card, variant, "smoke")
    from benchbox.authoring import conformance

    checks = conformance.check_method(card, variant=variant, data=data_root(data))
    for check in checks:
        mark = "ok"
        if not check.ok:
            mark = "FAIL"
        click.echo(f"{mark:<6}{check.name}: {check.detail}")
    if not all(check.ok for check in checks):
        exit_failed()
