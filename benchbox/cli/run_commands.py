"""Commands that make runs: run, sweep, score."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from benchbox.process_rank import process_count, process_number
from benchbox.text_table import terminal_width

from .headline_text import headline_with_rank
from .left_out import note_left_out_cards
from .main_group import exit_failed, exit_interrupted, main
from .printing import is_quiet, is_verbose, print_columns, print_json, print_note
from .shared_options import (
    FOLDER,
    SEED,
    accept_option,
    budget_option,
    complete_protocol,
    data_option,
    data_root,
    device_option,
    gaze_reading_options,
    json_option,
    landmark_file_options,
    method_option,
    methods_option,
    parse_overrides,
    results_option,
    row_statement_options,
    stale_option,
    variant_option,
)

if TYPE_CHECKING:
    from benchbox.runs.run_outcome import RunOutcome
    from benchbox.runs.run_plan import RunRequest
    from benchbox.runs.sweep_watch import Watch


@main.command(name="run")
@method_option
@variant_option
@click.option(
    "--protocol",
    required=True,
    metavar="NAME",
    shell_complete=complete_protocol,
    help="A protocol, options appended: 300w-full+box=….",
)
@click.option(
    "--seed",
    type=SEED,
    default=0,
    show_default=True,
    help="Decides every random draw.",
)
@device_option
@budget_option
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="K=V",
    help="Change a parameter; such a row is not ranked.",
)
@data_option
@results_option
@methods_option
@click.option(
    "--resume/--fresh", default=True, help="Go on with what is there (default), or delete it first."
)
@stale_option
@accept_option
@click.option(
    "--tensorboard",
    is_flag=True,
    help="Write events of TensorBoard beside the CSV log of a training, in work/events.",
)
@json_option
@click.option(
    "--weights-of",
    type=FOLDER,
    metavar="RUN",
    help="Train nothing: test the weights of this finished run, PROTOCOL/METHOD/VARIANT/SEED.",
)
@click.option(
    "--isolate",
    is_flag=True,
    help="Run the method in a process of its own; what it takes down with it is that alone.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0),
    metavar="S",
    help="With --isolate: end it after so long.",
)
@click.option(
    "--memory-gb",
    type=click.FloatRange(min=0),
    metavar="GB",
    help="With --isolate: end it when it holds more memory.",
)
@click.pass_context
def run_command(
    context: click.Context,
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
    stale: bool,
    accept: tuple[str, ...],
    tensorboard: bool,
    as_json: bool,
    weights_of: Path | None,
    isolate: bool,
    seconds: float | None,
    memory_gb: float | None,
) -> None:
    """Train a method, predict the test items, score, and leave a record.

    With --weights-of a finished training is tested on another protocol. What it was trained on
    must be here: a training that saw a test item is refused.
    """
    if tensorboard:
        os.environ["BENCHBOX_TENSORBOARD"] = "1"
    _check_isolation(isolate=isolate, limited=seconds is not None or memory_gb is not None)
    changes = parse_overrides(overrides)
    if not isolate:
        note_left_out_cards(methods)
    from benchbox.runs import execute, run_plan
    from benchbox.scoring import score

    request = run_plan.RunRequest(
        method=method,
        protocol=protocol,
        variant=variant,
        seed=seed,
        device=device,
        budget=budget,
        overrides=changes,
        data=data_root(data),
        results=results,
        methods=methods,
        fresh=not resume,
        stale=stale,
        accept=accept,
        weights_of=weights_of,
    )
    if weights_of is not None:
        _require_trained_so(context, request)
    if isolate:
        _run_isolated(request, seconds or 0.0, memory_gb or 0.0, as_json=as_json)
        return
    try:
        outcome = execute.run_method(request, print_note)
    except KeyboardInterrupt:
        exit_interrupted(f"interrupted; {run_plan.describe_resumption(request)}")
    if process_number():
        return
    _say_notes(outcome)
    headline = headline_with_rank(outcome.scored, results, outcome.run.folder)
    if as_json:
        document = {"run": outcome.run.folder.as_posix(), "headline": headline}
        print_json({**outcome.scored.document, **document, "notes": list(outcome.notes)})
        return
    width = terminal_width()
    click.echo(score.format_scores(outcome.scored.scores, outcome.scored.protocol, width))
    _print_kept(headline, outcome.run.folder, results, methods)


def _print_kept(headline: str, folder: Path, results: Path, methods: Sequence[Path] = ()) -> None:
    """Print the one number of a run, where it is kept, and what shows it."""
    click.echo(f"score: {headline}")
    click.echo(f"run:  {folder}")
    next_command = ["benchbox", "report"]
    if results != Path("results"):
        next_command += ["--results", str(results)]
    for collection in methods:
        next_command += ["--methods", str(collection)]
    click.echo(f"next: {shlex.join(next_command)}")


def _say_notes(outcome: RunOutcome) -> None:
    for note in outcome.notes:
        print_note(f"note: {note}")
    if is_verbose():
        for stage, seconds in outcome.run.record.seconds.items():
            print_note(f"{stage}: {seconds:.1f} s")


def _check_isolation(*, isolate: bool, limited: bool) -> None:
    """Refuse limits without a process that they are of, and such a process below torchrun."""
    if not isolate and limited:
        raise click.UsageError("--seconds and --memory-gb go with --isolate")
    if isolate and process_count() > 1:
        raise click.UsageError("--isolate is a process of its own: run it without torchrun")


def _run_isolated(request: RunRequest, seconds: float, memory_gb: float, *, as_json: bool) -> None:
    """Run a request in a process of its own and end with its exit code."""
    from benchbox.runs import isolated_run

    if not isolated_run.is_supported():
        raise click.UsageError("--isolate needs a POSIX system")
    options = ["--json"] if as_json else []
    if is_verbose():
        options.append("-v")
    if is_quiet():
        options.append("-q")
    try:
        code = isolated_run.run_isolated(request, seconds, memory_gb, options)
    except KeyboardInterrupt:
        raise click.exceptions.Exit(130) from None  # the process has said so
    if code:
        raise click.exceptions.Exit(code)


def _require_trained_so(context: click.Context, request: RunRequest) -> None:
    """Refuse a variant, seed, budget or parameter that is typed and not that of the training."""
    from benchbox.runs import other_training

    assert request.weights_of is not None
    run = other_training.find_training(request.weights_of, request.results)
    trained = other_training.ask_as_trained(request, run)
    for name in ("variant", "seed", "budget", "overrides"):
        typed = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        value, own = getattr(request, name), getattr(trained, name)
        if typed and value != own:
            option = "set" if name == "overrides" else name
            raise click.UsageError(
                f"--{option}: {run.folder} was trained with {own or 'none'}, not {value}; "
                "with --weights-of leave it out"
            )


@main.command(name="sweep")
@click.option(
    "--methods",
    "names",
    required=True,
    metavar="M,…",
    help="Methods: NAME, NAME:VARIANT, or NAME:* for all variants.",
)
@click.option(
    "--protocols",
    required=True,
    metavar="P,…",
    help="Protocols; a method runs on those of its task.",
)
@click.option(
    "--test-on",
    default="",
    metavar="P,…",
    help="Protocols that each training is tested on, too, without training again.",
)
@click.option("--seeds", default="0", show_default=True, metavar="N,…", help="Seeds: 1,2,3 or 1-3.")
@device_option
@budget_option
@click.option(
    "--executor",
    type=click.Choice(["local", "ray", "slurm"]),
    default="local",
    show_default=True,
    help="One after the other here, over a ray cluster, or a script for slurm (--dry-run).",
)
@click.option(
    "--processes",
    type=click.IntRange(1, 1024),
    default=1,
    show_default=True,
    metavar="N",
    help="Compute each training on N processes of one machine, a GPU each, as torchrun does.",
)
@click.option("--dry-run", is_flag=True, help="Print the commands; run none.")
@data_option
@results_option
@click.option(
    "--methods-from",
    "methods",
    type=FOLDER,
    metavar="DIR",
    multiple=True,
    help="As --methods of `run`.",
)
@click.option(
    "--resume/--fresh", default=True, help="Keep what is finished (default), or run it all again."
)
@stale_option
@accept_option
@json_option
def sweep_command(
    names: str,
    protocols: str,
    test_on: str,
    seeds: str,
    device: str,
    budget: str,
    executor: str,
    processes: int,
    dry_run: bool,
    data: Path | None,
    results: Path,
    methods: tuple[Path, ...],
    resume: bool,
    stale: bool,
    accept: tuple[str, ...],
    as_json: bool,
) -> None:
    """Run methods on protocols with seeds.

    What is finished stays, what fails does not stop the others.
    """
    from benchbox.runs import run_plan, sweep

    like = run_plan.RunRequest(
        method="",
        protocol="",
        device=device,
        budget=budget,
        data=data_root(data),
        results=results,
        methods=methods,
        fresh=not resume,
        stale=stale,
        accept=accept,
        processes=processes,
    )
    requests = sweep.sweep_requests(
        names.split(","), protocols.split(","), sweep.parse_seeds(seeds), like, print_note
    )
    tests = sweep.test_requests(requests, [name for name in test_on.split(",") if name], print_note)
    if dry_run and executor == "slurm":
        click.echo(sweep.slurm_script(requests, tests), nl=False)
        return
    if dry_run:
        for request in [*requests, *tests]:
            click.echo(sweep.paste_command(request))
        return
    if executor == "slurm":
        raise click.UsageError("--executor slurm: --dry-run prints the script, sbatch runs it")
    total = len(requests) + len(tests)
    ended: list[tuple[run_plan.RunRequest, str]] = []

    watch = _watch_of(executor, [*requests, *tests])

    def run_all(some: Sequence[run_plan.RunRequest]) -> None:
        with closing(sweep.EXECUTORS[executor](some, watch)) as codes:
            for request, code in codes:
                outcome = sweep.judge_outcome(request, code)
                ended.append((request, outcome))
                watch.heard(f"[{len(ended)}/{total}] {run_plan.repeat_command(request)}: {outcome}")
                watch.ended(request, outcome)

    try:
        run_all(requests)
        # tests come when the trainings are there, on a cluster too
        ready, waiting = sweep.part_tests(tests, ended)
        ended += [(request, sweep.NOT_TRAINED) for request in waiting]
        if ready:
            run_all(ready)
    except KeyboardInterrupt:
        note = "the same command goes on from here"
        if not resume:
            note += " (without --fresh)"
        exit_interrupted(f"interrupted after {len(ended)} of {total}; {note}")
    finally:
        watch.close()
    rows = [sweep.outcome_row(request, outcome) for request, outcome in ended]
    if as_json:
        print_json(rows)
    else:
        widest = max(len(row) for row in rows)
        texts = [[*map(str, row.values())] for row in rows]
        print_columns([text + [""] * (widest - len(text)) for text in texts])
    if any(outcome != sweep.DONE for _, outcome in ended):
        exit_failed()


def _watch_of(executor: str, cells: Sequence[RunRequest]) -> Watch:
    """Return what shows how a sweep goes: a table where the runs are elsewhere and a person looks.

    Runs that are here show their own progress.
    """
    from benchbox.runs import sweep_watch

    watch = sweep_watch.Watch()
    if executor == "ray" and sys.stderr.isatty() and not is_quiet():
        watch = sweep_watch.LiveTable(cells)
    watch.verbose = is_verbose()
    return watch


@main.command(name="score")
@click.argument("predictions", type=FOLDER)
@click.option(
    "--protocol",
    required=True,
    metavar="NAME",
    shell_complete=complete_protocol,
    help="What to score against.",
)
@click.option("--method", required=True, metavar="NAME", help="The name to score under.")
@data_option
@click.option(
    "--results", type=FOLDER, metavar="DIR", help="Keep them as a submitted run in this folder."
)
@click.option("--fresh", is_flag=True, help="With --results: replace what is under this name.")
@landmark_file_options
@gaze_reading_options
@accept_option
@row_statement_options
@json_option
def score_command(
    predictions: Path,
    protocol: str,
    method: str,
    data: Path | None,
    results: Path | None,
    fresh: bool,
    columns: str,
    positive: str,
    unit: str | None,
    origin: str | None,
    frame: str | None,
    in_order: bool,
    layout: str,
    field: str,
    frames: Path | None,
    sizes: Path | None,
    names: Path | None,
    missing: str | None,
    accept: tuple[str, ...],
    stated: dict[str, str],
    as_json: bool,
) -> None:
    """Score a file or folder of PREDICTIONS.

    .npz, .csv and the .txt of COFW-68; of landmarks also folders of .pts, COCO results, dlib XML,
    OpenFace, OpenSeeFace, MediaPipe, InsightFace, .mat, .npy, Parquet; of gaze .txt, .mat, .h5 and
    Parquet.
    Needs annotations, no pictures. Gaze is read as the labels of the protocol are written, unless
    options say otherwise; the record keeps how it was read.

    What is said of the method, --title to --seen-test, stands in its row of the leaderboard; it is
    ranked only where --seen-test no is said.
    """
    from benchbox.runs import reading_options, score_file
    from benchbox.scoring import score

    if stated and results is None:
        raise click.UsageError(f"--{min(stated).replace('_', '-')} goes with --results DIR")
    reading, hints = reading_options.read_options(
        columns=columns,
        positive=positive,
        unit=unit or "",
        origin=origin or "",
        frame=frame or "",
        in_order=in_order,
        layout=layout,
        field=field,
        frames=frames,
        sizes=sizes,
        names=names,
        missing=missing or "",
    )
    scored = score_file.score_predictions_file(
        predictions,
        protocol,
        method,
        data_root(data),
        results,
        print_note,
        reading,
        hints,
        fresh=fresh,
        accept=accept,
        stated=stated,
    )
    kept = None
    if results is not None:
        kept = score_file.submission_folder(results, scored.protocol.name, method)
    if as_json:
        where = {} if kept is None else {"run": kept.as_posix()}
        print_json({**scored.document, **where})
        return
    click.echo(score.format_scores(scored.scores, scored.protocol, terminal_width()))
    if results is not None and kept is not None:
        _print_kept(headline_with_rank(scored, results, kept), kept, results)
