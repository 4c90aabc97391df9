"""The command line. Every heavy import is inside its command, so help and listings start at once.

Exit codes: 0 done, 1 a check failed, 2 wrong use or missing data (one line on stderr), 130 interrupted. Anything else
is a bug and keeps its traceback. `--json` prints one document on stdout; progress and notes go to stderr.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from . import __version__, plugins
from .errors import BenchboxError, DataError

if TYPE_CHECKING:
    from .types import Dataset, MethodCard, Protocol

Command = Callable[..., Any]


class _Fault(click.ClickException):
    """A BenchboxError on its way out: one line, exit code 2."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        click.echo(f"error: {' '.join(self.format_message().split())}", err=True, file=file)


class _Benchbox(click.Group):
    """The command group: faults that the user can mend end as one line."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BenchboxError as fault:
            raise _Fault(str(fault)) from fault
        except click.UsageError as fault:
            if "\n" in fault.message:  # a group without a command: its help
                raise
            where = fault.ctx.command_path if fault.ctx else ctx.command_path
            raise _Fault(f"{fault.format_message().rstrip('.')}; `{where} --help` says how it is used") from fault
        except KeyboardInterrupt:
            _say("interrupted")
            raise click.exceptions.Exit(130) from None


def _say(line: str) -> None:
    click.echo(line, err=True)


def _print_json(document: Any) -> None:
    click.echo(json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False))


def _fail() -> NoReturn:
    raise click.exceptions.Exit(1)


def _data(given: Path | None) -> Path:
    return given or Path(os.environ.get("BENCHBOX_DATA") or "data")


_FOLDER = click.Path(path_type=Path)
_data_option = click.option("--data", type=_FOLDER, metavar="ROOT", help="Data root; else BENCHBOX_DATA, else ./data.")
_results_option = click.option(
    "--results", type=_FOLDER, metavar="DIR", default=Path("results"), show_default=True, help="Where runs are kept."
)
_methods_option = click.option(
    "--methods",
    type=_FOLDER,
    metavar="DIR",
    multiple=True,
    help="A method's folder, or a folder of them, for this call.",
)
_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@click.group(
    "benchbox", cls=_Benchbox, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="benchbox")
def main() -> None:
    """Benchmark suite and leaderboard for facial landmarks and gaze.

    Start with `benchbox run --method glsr --protocol synth-300w-full`; it needs no data.
    """


# --- run, score, report ------------------------------------------------------------------------------------------


@main.command()
@click.option("--method", required=True, metavar="NAME", help="A method; `benchbox list methods` names them.")
@click.option("--variant", default="", metavar="V", help="A variant of it; its card's default if not given.")
@click.option("--protocol", required=True, metavar="NAME", help="A protocol, options appended: 300w-full+box=….")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--budget", type=click.Choice(plugins.BUDGETS), default="quick", show_default=True)
@click.option("--set", "overrides", multiple=True, metavar="K=V", help="Change a parameter; such a row is not ranked.")
@_data_option
@_results_option
@_methods_option
@click.option("--resume/--fresh", default=True, help="Go on with what is there (default), or delete it first.")
def run(
    method: str,
    variant: str,
    protocol: str,
    seed: int,
    device: str,
    budget: str,
    overrides: tuple[str, ...],
    data: Path | None,
    results: Path,
    methods: tuple[Path, ...],
    resume: bool,
) -> None:
    """Train a method, predict the test faces, score, and leave a record."""
    changes = dict(_pair(text) for text in overrides)
    from . import pipeline, score

    request = pipeline.Request(
        method=method,
        protocol=protocol,
        variant=variant,
        seed=seed,
        device=device,
        budget=budget,
        overrides=changes,
        data=_data(data),
        results=results,
        methods=methods,
        fresh=not resume,
    )
    try:
        outcome = pipeline.run(request, _say)
    except KeyboardInterrupt:
        _say("interrupted; the same command goes on from here" + ("" if resume else " (without --fresh)"))
        raise click.exceptions.Exit(130) from None
    for note in outcome.notes:
        _say(f"note: {note}")
    click.echo(score.format_table(outcome.scored.scores, outcome.scored.protocol))
    click.echo(f"run:  {outcome.run.folder}")
    away = "" if results == Path("results") else f" --results {results}"
    click.echo(f"next: benchbox report{away}")


@main.command()
@click.option(
    "--methods", "names", required=True, metavar="M,…", help="Methods: NAME, NAME:VARIANT, or NAME:* for all variants."
)
@click.option("--protocols", required=True, metavar="P,…", help="Protocols; a method runs on those of its task.")
@click.option("--seeds", default="0", show_default=True, metavar="N,…", help="Seeds: 1,2,3 or 1-3.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--budget", type=click.Choice(plugins.BUDGETS), default="quick", show_default=True)
@click.option("--executor", type=click.Choice(["local", "ray"]), default="local", show_default=True)
@click.option("--dry-run", is_flag=True, help="Print the commands; run none.")
@_data_option
@_results_option
@click.option("--methods-from", "methods", type=_FOLDER, metavar="DIR", multiple=True, help="As --methods of `run`.")
@_json_option
def sweep(
    names: str,
    protocols: str,
    seeds: str,
    device: str,
    budget: str,
    executor: str,
    dry_run: bool,
    data: Path | None,
    results: Path,
    methods: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Run methods on protocols with seeds; what is finished stays, what fails does not stop the others."""
    from . import pipeline
    from . import sweep as sweeping

    like = pipeline.Request(
        method="", protocol="", device=device, budget=budget, data=_data(data), results=results, methods=methods
    )
    todo = sweeping.requests(names.split(","), protocols.split(","), sweeping.seeds(seeds), like, _say)
    if dry_run:
        for request in todo:
            click.echo(pipeline.command(request))
        return
    ended: list[tuple[pipeline.Request, int]] = []
    try:
        for request, code in sweeping.EXECUTORS[executor](todo):
            ended.append((request, code))
            _say(f"[{len(ended)}/{len(todo)}] {pipeline.command(request)}: {sweeping.outcome(code)}")
    except KeyboardInterrupt:
        _say(f"interrupted after {len(ended)} of {len(todo)}; the same command goes on from here")
        raise click.exceptions.Exit(130) from None
    rows = [sweeping.row(request, code) for request, code in ended]
    if as_json:
        _print_json(rows)
    else:
        _columns([tuple(str(value) for value in row.values()) for row in rows])
    if any(code for _, code in ended):
        _fail()


@main.command()
@click.argument("predictions", type=_FOLDER)
@click.option("--protocol", required=True, metavar="NAME", help="What to score against.")
@click.option("--method", required=True, metavar="NAME", help="The name to score under.")
@_data_option
@click.option("--results", type=_FOLDER, metavar="DIR", help="Keep them as a submitted run in this folder.")
@_json_option
def score(
    predictions: Path, protocol: str, method: str, data: Path | None, results: Path | None, as_json: bool
) -> None:
    """Score a file of PREDICTIONS (.npz, .csv, or the .txt of COFW-68); needs annotations, no pictures."""
    from . import external
    from . import score as scoring

    scored = external.score_file(predictions, protocol, method, _data(data), results, _say)
    if as_json:
        _print_json(scored.document)
    else:
        click.echo(scoring.format_table(scored.scores, scored.protocol))


@main.command()
@_results_option
@click.option("--out", type=_FOLDER, metavar="DIR", default=Path("site"), show_default=True, help="Where pages go.")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if the pages are stale.")
@click.option("--format", "suffix", type=click.Choice(["csv", "md", "tex", "json", "bib"]), help="Print one table.")
@click.option("--protocol", default="", metavar="NAME", help="With --format: the leaderboard to print.")
@click.option("--convention", default="", metavar="C", help="With --format: inter_pupil, inter_ocular_51, …")
def report(results: Path, out: Path, check: bool, suffix: str | None, protocol: str, convention: str) -> None:
    """Render the pages: leaderboards, curves, methods, runs; or print one table with --format."""
    if bool(suffix) != bool(protocol) or (convention and not suffix):
        raise click.UsageError("--format and --protocol go together; --convention needs both")
    from . import report as pages

    if suffix:
        click.echo(pages.export(results, protocol, suffix, convention), nl=False)
        return
    if check:
        stale = pages.stale(results, out)
        for name in stale:
            click.echo(f"stale: {name}")
        if stale:
            _say(f"{len(stale)} files of {out} are stale; `benchbox report` renders them")
            _fail()
        click.echo(f"{out} is up to date")
        return
    if results != Path("results") and not results.is_dir():
        raise DataError(f"{results}: no such folder of results; `benchbox run --results {results} …` makes one")
    written = pages.render(results, out)
    click.echo(f"{len(written)} files in {out}; open {out / 'index.html'}")


# --- compare, check, explain -------------------------------------------------------------------------------------


@main.command()
@click.argument("runs", metavar="RUN RUN…", nargs=-1, required=True)
@click.option("--metric", "metrics", multiple=True, metavar="NAME", help="Compare this metric; may be repeated.")
@click.option("--all", "everything", is_flag=True, help="Compare all metrics, not the first convention's alone.")
@_results_option
@_json_option
def compare(runs: tuple[str, ...], metrics: tuple[str, ...], everything: bool, results: Path, as_json: bool) -> None:
    """Compare runs with the first one: paired differences, intervals, p-values.

    RUN is a run's folder, or a variant's folder for all its seeds: PROTOCOL/METHOD/VARIANT[/SEED].
    """
    from . import compare as comparing

    found = comparing.compare(runs, results, metrics, everything=everything)
    if as_json:
        _print_json(comparing.to_json(found))
    else:
        click.echo(comparing.format_table(found))


@main.command()
@_results_option
@_data_option
@click.option("--facts/--no-facts", default=False, help="Count networks, too (loads torch).")
@click.option("--rescore", is_flag=True, help="Derive every score again from its predictions.")
@click.option("--baseline", type=_FOLDER, metavar="FILE", help="Fail where results got worse than in this file.")
@click.option("--write-baseline", type=_FOLDER, metavar="FILE", help="Write such a file from the results as they are.")
@_json_option
def check(
    results: Path,
    data: Path | None,
    facts: bool,
    rescore: bool,
    baseline: Path | None,
    write_baseline: Path | None,
    as_json: bool,
) -> None:
    """Hold results against the claims of papers, and against a baseline; exit 1 on a regression."""
    from . import baseline as gate
    from . import check as checking

    if write_baseline is not None:
        count = gate.write(results, write_baseline)
        click.echo(f"{write_baseline}: a baseline of {count} runs")
        return
    verdicts = checking.check(results, facts=facts)
    changes = gate.changes(results, baseline) if baseline else []
    if rescore:
        again, left = gate.rescored(results, _data(data))
        changes += again
        for line in left:
            _say(f"note: {line}")
    if as_json:
        changed = [{"run": c.place, "change": c.text, "regression": c.regression} for c in changes]
        _print_json({**checking.to_json(verdicts), "changes": changed})
    else:
        click.echo(checking.format_text(verdicts))
        for change in changes:
            click.echo(f"{'REGRESSION' if change.regression else 'changed':<12}{change.place}: {change.text}")
    if any(change.regression for change in changes):
        _say("results got worse; if that is meant, say so in CHANGELOG.md and write a new baseline")
        _fail()


@main.command()
@click.argument("predictions", type=_FOLDER, required=False)
@click.option("--protocol", metavar="NAME", help="What the number was measured against.")
@click.option("--claimed", metavar="X", help="The number as it is printed.")
@click.option("--measured", type=float, metavar="Y", help="Instead of PREDICTIONS: the number that came out.")
@click.option("--metric", default="", metavar="NAME", help="What X claims to be; the card's first metric if not given.")
@click.option("--group", default="", metavar="NAME", help="Which faces; the card's overall group if not given.")
@_data_option
@_json_option
def explain(
    predictions: Path | None,
    protocol: str | None,
    claimed: str | None,
    measured: float | None,
    metric: str,
    group: str,
    data: Path | None,
    as_json: bool,
) -> None:
    """Say which convention would give a claimed number.

    With a file of PREDICTIONS, known conventions are tried on it; without --claimed, its constant offset and the
    reference rows that it approaches are told.
    """
    from . import explain as explaining

    if predictions is None:
        if measured is None or claimed is None:
            raise click.UsageError("give a file of PREDICTIONS with --protocol, or --claimed X with --measured Y")
        claim = explaining.Claim.read(claimed)
        guesses = explaining.guesses(claim, measured)
        if as_json:
            _print_json([{"factor": guess.factor, "means": guess.means, "exact": guess.exact} for guess in guesses])
        else:
            click.echo(explaining.format_guesses(claim, measured, guesses))
        return
    if protocol is None or measured is not None:
        raise click.UsageError("PREDICTIONS go with --protocol NAME and without --measured")
    found = explaining.explain(predictions, protocol, _data(data), claimed, metric, group)
    if as_json:
        _print_json(explaining.to_json(found))
    else:
        click.echo(explaining.format_text(found))


# --- list, show --------------------------------------------------------------------------------------------------


@main.group(name="list")
def list_() -> None:
    """List methods, protocols or results."""


@list_.command(name="methods")
@_methods_option
@_json_option
def list_methods(methods: tuple[Path, ...], as_json: bool) -> None:
    """List the methods that are installed."""
    cards, faults = plugins.scan(methods)
    for fault in faults:
        _say(f"broken: {fault.error}")
    if as_json:
        _print_json([_method_row(card) for card in cards])
        return
    _columns([(card.name, card.title, "variants " + ", ".join(card.variants), card.source) for card in cards])


def _method_row(card: MethodCard) -> dict[str, Any]:
    return {
        "name": card.name,
        "title": card.title,
        "task": list(card.task),
        "variants": [{"name": variant.name, "title": variant.title} for variant in card.variants.values()],
        "budgets": list(card.budgets),
        "paper": dict(card.paper),
        "source": card.source,
    }


@list_.command(name="protocols")
@_json_option
def list_protocols(as_json: bool) -> None:
    """List the protocols that are installed."""
    from . import protocol as protocols

    found, faults = protocols.scan()
    for fault in faults:
        _say(f"broken: {fault}")
    if as_json:
        _print_json([_protocol_row(protocol) for protocol in found])
        return
    _columns(
        [
            (
                p.name,
                p.title,
                f"{protocols.amount(p, p.test_expected, p.test_clusters)} to test",
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
@_results_option
@_json_option
def list_results(results: Path, as_json: bool) -> None:
    """List the finished runs."""
    from . import store

    rows = []
    for run in store.runs(results):
        if isinstance(run, store.Unreadable):
            _say(f"unreadable: {run.reason}")
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
        _print_json(rows)
        return
    if not rows:
        _say(f"no finished run below {results}; `benchbox run` makes one")
    _columns([tuple("" if value is None else str(value) for value in row.values()) for row in rows])


@main.group()
def show() -> None:
    """Show one method or protocol."""


@show.command(name="method")
@click.argument("name")
@_methods_option
def show_method(name: str, methods: tuple[Path, ...]) -> None:
    """Show a method's card: what it is, its variants, its parameters."""
    card = plugins.card(name, methods)
    click.echo(f"{card.name}: {card.title}\n  {card.summary}")
    lines = [("task", ", ".join(card.task)), ("from", card.source)]
    if card.paper:
        lines.append(("paper", ", ".join(card.paper[key] for key in sorted(card.paper, key=_paper_order))))
    click.echo("\n".join(f"  {key:<10}{text}" for key, text in lines))
    for variant in card.variants.values():
        mark = " (default)" if variant.name == card.default else ""
        click.echo(f"  variant   {variant.name}{mark}: {variant.title}{_listed(variant.params)}")
    for budget, params in card.budgets.items():
        click.echo(f"  budget    {budget}{_listed(params)}")
    for key, value in card.params.items():
        click.echo(f"  --set     {key}={_written(value)}")


def _paper_order(key: str) -> int:
    return ("authors", "title", "venue", "year", "url").index(key)


def _listed(params: Any) -> str:
    return "".join(f", {key}={_written(value)}" for key, value in params.items())


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return ",".join(_written(item) for item in value) if isinstance(value, list) else str(value)


@show.command(name="protocol")
@click.argument("name")
def show_protocol(name: str) -> None:
    """Show what a protocol fixes, in words."""
    from . import protocol as protocols

    click.echo(protocols.describe(protocols.load(name)))


# --- data --------------------------------------------------------------------------------------------------------


@main.group()
def data() -> None:
    """Say what data are needed, where they are had, whether they are whole."""


@data.command(name="list")
@_data_option
def data_list(data: Path | None) -> None:
    """List the datasets and whether they are here."""
    from . import datasets

    root = _data(data)
    rows: list[tuple[str, ...]] = []
    for name in datasets.DATASETS:
        access = datasets.open(name).ACCESS
        made = "named by a card" if name == "files" else "made by benchbox"
        here = made if not access.folder else "here" if (root / access.folder).is_dir() else "not here"
        rows.append((name, access.title, here, access.terms))
    _columns(rows)


@data.command(name="where")
@click.argument("dataset")
@_data_option
def data_where(dataset: str, data: Path | None) -> None:
    """Say where a DATASET is had, under which terms, and how it must lie on disk."""
    from . import datasets

    access = datasets.open(dataset).ACCESS
    place = _data(data) / access.folder if access.folder else "made by benchbox when needed"
    click.echo(f"{dataset}: {access.title}")
    for key, text in (("from", access.where), ("terms", access.terms), ("cite", access.citation), ("folder", place)):
        click.echo(f"  {key:<8}{text}")
    for line in access.layout.splitlines():
        click.echo(f"    {line}")


@data.command(name="verify")
@click.argument("dataset")
@_data_option
@_json_option
def data_verify(dataset: str, data: Path | None, as_json: bool) -> None:
    """Say what of a DATASET (or of a card's own files) is complete, partial, missing or wrong; exit 1 unless whole."""
    from . import datasets, doctor
    from . import protocol as protocols

    root = _data(data)
    cards = [protocols.load(dataset)] if dataset.endswith(".toml") else _cards_of(dataset)
    module = datasets.of(cards[0]) if dataset.endswith(".toml") else datasets.open(dataset)
    _demand(module, root, dataset)
    findings = []
    for finding in doctor.examine(cards[0].dataset if cards else dataset, module, root, cards):
        findings.append(finding)
        if not as_json:
            click.echo(f"{finding.level:<8}{finding.what}")
    if as_json:
        _print_json([{"level": finding.level, "what": finding.what} for finding in findings])
    if any(finding.level not in ("ok", "note") for finding in findings):
        _fail()


def _cards_of(dataset: str) -> list[Protocol]:
    """Return the cards that test on a dataset; a broken one is another command's business."""
    from . import protocol as protocols

    found = []
    for name in protocols.names():
        try:
            card = protocols.load(name)
        except BenchboxError:
            continue
        if card.dataset == dataset:
            found.append(card)
    return found


@data.command(name="ids")
@click.option("--protocol", required=True, metavar="NAME", help="A protocol, options appended: 300w-full+labelled=0.1.")
@click.option("--of", "which", type=click.Choice(["labelled", "validation", "unlabelled", "test"]), default="labelled")
@_data_option
def data_ids(protocol: str, which: str, data: Path | None) -> None:
    """Print the ids that a protocol gives a method, one a line: the lists that draws are kept by."""
    from . import pipeline
    from . import protocol as protocols
    from .datasets import split

    card = protocols.load(protocol)
    found = split.split(card, pipeline.open_index(card, _data(data)))
    held_out = found.validation.samples if found.validation else ()
    sets = {
        "labelled": found.labelled.samples,
        "validation": held_out,
        "unlabelled": found.unlabelled,
        "test": found.test,
    }
    for sample in sets[which]:
        click.echo(sample.id)


def _demand(module: Dataset, root: Path, name: str) -> None:
    access = module.ACCESS
    if access.folder and not (root / access.folder).is_dir():
        raise DataError(
            f"{access.title} is missing: no folder {root / access.folder}; get it at {access.where} ({access.terms}), "
            f"`benchbox data where {name}` shows how it must lie"
        )


@data.command(name="submission")
@click.argument("source", type=_FOLDER)
@click.option("--out", type=_FOLDER, metavar="FILE", default=Path("test_results.txt"), show_default=True)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@_data_option
@_methods_option
def data_submission(source: Path, out: Path, device: str, data: Path | None, methods: tuple[Path, ...]) -> None:
    """Write the answer file that ETH-XGaze's authors score, from SOURCE: a run's folder or a predictions file."""
    from . import submission

    count = submission.write(source, _data(data), out, device=device, methods=methods)
    click.echo(f"{out}: {count} lines of pitch,yaw in radians, in the order of the official list")


# --- profile -----------------------------------------------------------------------------------------------------


@main.command()
@click.option("--method", required=True, metavar="NAME", help="A method; `benchbox list methods` names them.")
@click.option("--variant", default="", metavar="V", help="A variant of it; its card's default if not given.")
@click.option("--layout", default="ibug68", show_default=True, metavar="NAME", help="Landmark scheme; gaze has none.")
@click.option("--budget", type=click.Choice(plugins.BUDGETS), default="paper", show_default=True, help="Whose sizes.")
@click.option("--set", "overrides", multiple=True, metavar="K=V", help="Change a parameter.")
@click.option("--save", is_flag=True, help="Keep it under the results, where `benchbox report` reads it.")
@_methods_option
@_results_option
@_json_option
def profile(
    method: str,
    variant: str,
    layout: str,
    budget: str,
    overrides: tuple[str, ...],
    save: bool,
    methods: tuple[Path, ...],
    results: Path,
    as_json: bool,
) -> None:
    """Count parameters and MACs of a method's networks and time them; needs neither data nor weights."""
    from . import profile as profiling
    from . import store

    changes = dict(_pair(text) for text in overrides)
    if save:
        profiling.require_kept(layout, budget, changes)
    document = profiling.profile(
        method, variant, layout=layout, budget=budget, overrides=changes, methods=methods, say=_say
    )
    if save:
        _say(f"wrote {store.save_profile(results, document)}")
    if as_json:
        _print_json(document)
    else:
        click.echo(profiling.format_table(document))


# --- new, test ---------------------------------------------------------------------------------------------------


@main.group()
def new() -> None:
    """Start something of your own."""


@new.command(name="method")
@click.argument("name")
@click.option("--methods", type=_FOLDER, metavar="DIR", default=Path("methods"), show_default=True, help="Where to.")
def new_method(name: str, methods: Path) -> None:
    """Write a small working method folder to start from."""
    from . import scaffold

    folder = scaffold.new_method(name, methods)
    click.echo(f"wrote {folder}")
    click.echo(f"next: benchbox test method {name} --methods {methods}")
    click.echo(f"      benchbox run --method {name} --methods {methods} --protocol synth-300w-full")


@main.group(name="test")
def test_() -> None:
    """Try whether something keeps its contract."""


@test_.command(name="method")
@click.argument("name")
@click.option("--variant", default="", metavar="V", help="A variant of it; its card's default if not given.")
@_methods_option
def test_method(name: str, variant: str, methods: tuple[Path, ...]) -> None:
    """Train and try a method on a few synthetic faces; exit 1 and say what to change if it breaks the contract."""
    card = plugins.card(name, methods)
    plugins.settings(card, variant, "smoke")
    from . import conformance

    checks = conformance.check(card, variant=variant)
    for check in checks:
        click.echo(f"{'ok  ' if check.ok else 'FAIL'}  {check.name}: {check.detail}")
    if not all(check.ok for check in checks):
        _fail()


# --- text --------------------------------------------------------------------------------------------------------


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise click.UsageError(f"--set {text}: write key=value")
    return key.strip(), value.strip()


def _columns(rows: list[tuple[str, ...]]) -> None:
    """Print rows in aligned columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
