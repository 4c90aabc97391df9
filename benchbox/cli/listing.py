"""Commands that say what is installed: list, show."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchbox.plugins import method_card

from .common import (
    json_option,
    main,
    methods_option,
    print_columns,
    print_json,
    print_note,
    results_option,
)

if TYPE_CHECKING:
    from benchbox.types import MethodCard, Protocol


@main.group(name="list")
def list_() -> None:
    """List methods, protocols or results."""


@list_.command(name="methods")
@methods_option
@json_option
def list_methods(methods: tuple[Path, ...], as_json: bool) -> None:
    """List the methods that are installed."""
    cards, faults = method_card.scan_cards(methods)
    for fault in faults:
        print_note(f"broken: {fault.error}")
    if as_json:
        print_json([_method_row(card) for card in cards])
        return
    print_columns(
        [
            (card.name, card.title, "variants " + ", ".join(card.variants), card.source)
            for card in cards
        ]
    )


def _method_row(card: MethodCard) -> dict[str, Any]:
    return {
        "name": card.name,
        "title": card.title,
        "task": list(card.task),
        "variants": [
            {"name": variant.name, "title": variant.title} for variant in card.variants.values()
        ],
        "budgets": list(card.budgets),
        "paper": dict(card.paper),
        "source": card.source,
    }


@list_.command(name="protocols")
@json_option
def list_protocols(as_json: bool) -> None:
    """List the protocols that are installed."""
    from benchbox.protocols import protocol_card as protocols

    found, faults = protocols.scan_cards()
    for fault in faults:
        print_note(f"broken: {fault}")
    if as_json:
        print_json([_protocol_row(protocol) for protocol in found])
        return
    print_columns(
        [
            (
                p.name,
                p.title,
                f"{protocols.describe_size(p, p.test_expected, p.test_clusters)} to test",
                p.twin and f"twin {p.twin}",
            )
            for p in found
        ]
    )


def _protocol_row(protocol: Protocol) -> dict[str, Any]:
    return {
        "name": protocol.name,
        "title": protocol.title,
        "task": protocol.task,
        "dataset": protocol.dataset,
        "card": protocol.card,
        "groups": list(protocol.groups),
        "normalisers": list(protocol.normalisers),
        "auc": list(protocol.auc),
        "fr": list(protocol.fr),
        "points": list(protocol.points),
        "options": {key: list(values) for key, values in protocol.options.items()},
        "metrics": _metrics(protocol),
        "twin": protocol.twin,
    }


def _metrics(protocol: Protocol) -> list[str]:
    """Name a protocol's metrics as `scores.json` does, without loading what computes them."""
    names = []
    for suffix in ("", *(f"_{count}" for count in protocol.points)):
        for normaliser in protocol.normalisers:
            names.append(f"nme_{normaliser}{suffix}")
            names += [f"nme_{normaliser}{suffix}_visible"] if protocol.masked else []
            names += [f"auc_{end:g}_{normaliser}{suffix}" for end in protocol.auc]
            names += [f"fr_{end:g}_{normaliser}{suffix}" for end in protocol.fr]
    return [*names, *protocol.metrics]


@list_.command(name="results")
@results_option
@json_option
def list_results(results: Path, as_json: bool) -> None:
    """List the finished runs."""
    from benchbox.runs import run_folders

    rows = []
    for run in run_folders.list_runs(results):
        if isinstance(run, run_folders.UnreadableRun):
            print_note(f"unreadable: {run.reason}")
            continue
        record = run.record
        rows.append(
            {
                "protocol": run.protocol,
                "method": run.method,
                "variant": run.variant,
                "seed": record.get("seed"),
                "budget": record.get("budget"),
                "kind": record["kind"],
                "data": record["data"].get("variant"),
                "started": record.get("started"),
            }
        )
    if as_json:
        print_json(rows)
        return
    if not rows:
        print_note(f"no finished run below {results}; `benchbox run` makes one")
    print_columns(
        [tuple("" if value is None else str(value) for value in row.values()) for row in rows]
    )


@main.group()
def show() -> None:
    """Show one method or protocol."""


@show.command(name="method")
@click.argument("name")
@methods_option
def show_method(name: str, methods: tuple[Path, ...]) -> None:
    """Show a method's card: what it is, its variants, its parameters.

    What its paper states and what was chosen.
    """
    card = method_card.find_card(name, methods)
    click.echo(f"{card.name}: {card.title}\n  {card.summary}")
    lines = [("task", ", ".join(card.task)), ("from", card.source)]
    if card.paper:
        lines.append(
            (
                "paper",
                ", ".join(card.paper[key] for key in sorted(card.paper, key=_paper_key_order)),
            )
        )
    click.echo("\n".join(f"  {key:<10}{text}" for key, text in lines))
    for variant in card.variants.values():
        mark = " (default)" if variant.name == card.default else ""
        click.echo(
            f"  variant   {variant.name}{mark}: {variant.title}{_params_text(variant.params)}"
        )
    for budget, params in card.budgets.items():
        click.echo(f"  budget    {budget}{_params_text(params)}")
    for key, value in card.params.items():
        click.echo(f"  --set     {key}={_value_text(value)}")
    if said := method_card.readme_notes(card):
        click.echo(f"\n{said}", nl=False)


def _paper_key_order(key: str) -> int:
    return ("authors", "title", "venue", "year", "url").index(key)


def _params_text(params: Any) -> str:
    return "".join(f", {key}={_value_text(value)}" for key, value in params.items())


def _value_text(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return ",".join(_value_text(item) for item in value) if isinstance(value, list) else str(value)


@show.command(name="protocol")
@click.argument("name")
def show_protocol(name: str) -> None:
    """Show what a protocol fixes, in words."""
    from benchbox.protocols import protocol_card as protocols

    click.echo(protocols.describe_protocol(protocols.load_protocol(name)))
