"""Commands that say what is installed or was run: list, show."""

from __future__ import annotations

import textwrap
from fnmatch import fnmatchcase
from functools import cache, partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchbox.errors import BenchboxError
from benchbox.metrics.metric_names import list_metrics, parse_stored_metric
from benchbox.plugins import method_card
from benchbox.plugins.method_schema import describe_range
from benchbox.text_table import terminal_width

from .main_group import main, require_right_level
from .printing import print_columns, print_json, print_note
from .shared_options import (
    complete_method,
    complete_protocol,
    json_option,
    methods_option,
    results_option,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchbox.types import MethodCard, Protocol, Run

_PAPER_KEYS = ("authors", "title", "venue", "year", "url")  # in the order of a citation


@main.group(name="list")
def list_group() -> None:
    """List methods, protocols or results."""


@list_group.command(name="methods")
@methods_option
@json_option
def list_methods(methods: tuple[Path, ...], as_json: bool) -> None:
    """List the methods that are installed."""
    cards, faults = method_card.scan_cards(methods)
    for fault in faults:
        print_note(f"broken: {fault.error}")
    if as_json:
        print_json([_method_json(card) for card in cards])
        return
    for card in cards:
        click.echo(f"{card.name}  {card.title} ({', '.join(card.task)}; {card.source})")
        _echo_below(f"variants {', '.join(card.variants)}")


def _echo_below(text: str) -> None:
    """Print what belongs to the line above, indented, in as many lines as it takes."""
    indent = "    "
    lines = textwrap.wrap(
        text,
        terminal_width(),
        initial_indent=indent,
        subsequent_indent=indent,
        break_on_hyphens=False,
    )
    click.echo("\n".join(lines))


def _method_json(card: MethodCard) -> dict[str, Any]:
    variants = card.variants.values()
    return {
        "name": card.name,
        "title": card.title,
        "task": list(card.task),
        "variants": [{"name": variant.name, "title": variant.title} for variant in variants],
        "budgets": list(card.budgets),
        "paper": dict(card.paper),
        "source": card.source,
    }


@list_group.command(name="protocols")
@json_option
def list_protocols(as_json: bool) -> None:
    """List the protocols that are installed."""
    from benchbox.protocols import protocol_card

    cards, faults = protocol_card.scan_cards()
    for fault in faults:
        print_note(f"broken: {fault}")
    if as_json:
        print_json([_protocol_json(card) for card in cards])
        return
    for card in cards:
        size = protocol_card.describe_size(card, card.test_expected, card.test_clusters)
        click.echo(f"{card.name}  {size} to test")
        twin = ""
        if card.twin:
            twin = f"; twin {card.twin}"
        _echo_below(f"{card.title} ({card.task}){twin}")


def _protocol_json(protocol: Protocol) -> dict[str, Any]:
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
        "metrics": list_metrics(protocol),
        "twin": protocol.twin,
    }


@list_group.command(name="results")
@results_option
@click.option(
    "--protocol", default="*", metavar="NAME", help="Of this protocol or card alone; * stands."
)
@click.option("--method", default="*", metavar="NAME", help="Of this method alone; * stands.")
@click.option(
    "--kind",
    type=click.Choice(["trained", "weights", "submitted"]),
    help="Trained here, weights of others, or predictions handed in.",
)
@click.option("--budget", type=click.Choice(method_card.BUDGETS), help="Of this budget alone.")
@click.option(
    "--sort",
    type=click.Choice(["name", "score", "started"]),
    default="name",
    show_default=True,
    help="In which order; by score within each protocol, the best first.",
)
@json_option
def list_results(
    results: Path,
    protocol: str,
    method: str,
    kind: str | None,
    budget: str | None,
    sort: str,
    as_json: bool,
) -> None:
    """List the finished runs with the score that ranks each."""
    from benchbox.runs import run_folders

    require_right_level(results)
    protocol = _protocol_of_file(protocol)
    rows: list[dict[str, Any]] = []
    passed = 0
    for run in run_folders.list_runs(results):
        if isinstance(run, run_folders.UnreadableRun):
            print_note(f"unreadable: {run.reason}")
            continue
        record = run.record
        of_name = fnmatchcase(run.protocol, protocol) and fnmatchcase(run.method, method)
        of_kind = kind in (None, record.kind) and budget in (None, record.budget)
        if not (of_name and of_kind):
            passed += 1
            continue
        origin = ""
        if record.trained_by is not None:
            origin = record.trained_by.run
        rows.append(
            {
                "protocol": run.protocol,
                "method": run.method,
                "variant": run.variant,
                "seed": record.seed,
                "budget": record.budget,
                "kind": record.kind,
                "data": record.data.variant,
                "started": record.started,
                **_ranking_score(run),
                "weights_of": origin,
            }
        )
    rows.sort(key=partial(_sort_key, sort))
    if as_json:
        print_json(rows)
        return
    if passed and not rows:
        print_note(f"none of the {passed} finished runs below {results} is asked for")
    elif not rows:
        print_note(f"no finished run below {results}; `benchbox run` makes one")
    for heading, same in groupby(rows, _result_heading):
        click.echo(heading)
        print_columns([_result_cells(row) for row in same], wrap={1, 2})


def _protocol_of_file(protocol: str) -> str:
    """Return the name under which runs of a card's file are kept; a name as it is."""
    if not protocol.partition("+")[0].endswith(".toml"):
        return protocol
    from benchbox.protocols import protocol_card

    return protocol_card.load_protocol(protocol).name


def _ranking_score(run: Run) -> dict[str, Any]:
    """Return metric and value that rank a run; {"score": None} where its scores are not here."""
    from benchbox.runs import run_folders
    from benchbox.scoring import headline

    try:
        found = headline.first_score(run_folders.read_scores(run).groups, _find_card(run.protocol))
    except BenchboxError:
        found = None
    if found is None:
        return {"metric": None, "group": None, "score": None, "text": ""}
    group, metric, score = found
    text = headline.format_value(score)
    return {"metric": metric, "group": group, "score": score.value, "text": text}


@cache
def _find_card(protocol: str) -> Protocol | None:
    from benchbox.protocols import protocol_card

    try:
        return protocol_card.load_protocol(protocol)
    except BenchboxError:
        return None


def _sort_key(order: str, row: Mapping[str, Any]) -> tuple[Any, ...]:
    name = (row["protocol"], row["method"], row["variant"], row["seed"] or 0)
    if order == "started":
        return (row["started"], *name)
    if order == "score":
        score = row["score"]
        if score is None:
            return (row["protocol"], True, 0.0, *name)
        falls = parse_stored_metric(row["metric"]).lower_is_better
        return (row["protocol"], False, score if falls else -score, *name)
    return name


def _result_heading(row: Mapping[str, Any]) -> str:
    """Name what the rows below have in common: the protocol, and what their scores are."""
    from benchbox.scoring import headline

    if row["metric"] is None:
        return f"{row['protocol']}"
    return f"{row['protocol']}: {headline.metric_words(row['metric'])} on {row['group']}"


def _result_cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the columns for a person: what it is, how it was made, its score."""
    what = f"{row['method']}/{row['variant']}"
    kind = None if row["kind"] == "trained" and row["budget"] else row["kind"]
    made = " ".join(str(word) for word in (kind, row["budget"]) if word is not None)
    if row["seed"] is not None:
        made += f", seed {row['seed']}"
    if row["data"] != "complete":
        made += f", {row['data']}"
    return "", what, made, row["text"]


@main.group(name="show")
def show_group() -> None:
    """Show one method or protocol."""


@show_group.command(name="method")
@click.argument("name", shell_complete=complete_method)
@methods_option
@json_option
def show_method(name: str, methods: tuple[Path, ...], as_json: bool) -> None:
    """Show a method's card: what it is, its variants, its parameters.

    What its paper states and what was chosen.
    """
    card = method_card.find_card(name, methods)
    if as_json:
        variants = []
        for variant in card.variants.values():
            entry = {"name": variant.name, "title": variant.title, "params": dict(variant.params)}
            variants.append(entry)
        more = {"summary": card.summary, "default": card.default, "params": dict(card.params)}
        print_json({**_method_json(card), **more, "variants": variants})
        return
    click.echo(f"{card.name}: {card.title}\n  {card.summary}")
    click.echo(f"  task      {', '.join(card.task)}")
    click.echo(f"  from      {card.source}")
    if card.paper:
        cited = [card.paper[key] for key in _PAPER_KEYS if key in card.paper]
        click.echo(f"  paper     {', '.join(cited)}")
    for variant in card.variants.values():
        mark = ""
        if variant.name == card.default:
            mark = " (default)"
        params = _params_text(variant.params)
        click.echo(f"  variant   {variant.name}{mark}: {variant.title}{params}")
    for budget, changes in card.budgets.items():
        click.echo(f"  budget    {budget}{_params_text(changes)}")
    for key, value in card.params.items():
        allowed = ""
        if key in card.ranges:
            allowed = f" ({describe_range(card.ranges[key])})"
        if key in card.allowed:
            allowed = f" (or {', '.join(_value_text(other) for other in card.allowed[key])})"
        click.echo(f"  --set     {key}={_value_text(value)}{allowed}")
    notes = method_card.readme_notes(card)
    if notes:
        click.echo(f"\n{notes}", nl=False)


def _params_text(params: Mapping[str, Any]) -> str:
    return "".join(f", {key}={_value_text(value)}" for key, value in params.items())


def _value_text(value: Any) -> str:
    """Write a parameter as `--set` takes it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return ",".join(_value_text(item) for item in value)
    return str(value)


@show_group.command(name="protocol")
@click.argument("name", shell_complete=complete_protocol)
@json_option
def show_protocol(name: str, as_json: bool) -> None:
    """Show what a protocol fixes, in words."""
    from benchbox.protocols import protocol_card

    if as_json:
        print_json(_protocol_json(protocol_card.load_protocol(name)))
        return
    click.echo(protocol_card.describe_protocol(protocol_card.load_protocol(name)))
