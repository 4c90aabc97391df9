"""Commands that read results: report, compare, check, explain."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchbox.atomic_write import write_whole
from benchbox.errors import ResultError
from benchbox.text_table import terminal_width

from .left_out import note_left_out
from .main_group import exit_failed, main, require_results, require_right_level
from .printing import paint, print_document, print_json, print_note
from .shared_options import (
    FOLDER,
    NUMBER,
    data_option,
    data_root,
    gaze_reading_options,
    json_option,
    landmark_file_options,
    methods_option,
    results_option,
)

if TYPE_CHECKING:
    from benchbox.analysis.check_files import CheckOutcome
    from benchbox.analysis.regression_gate import Change


@main.command(name="report")
@results_option
@click.option(
    "--out", type=FOLDER, metavar="DIR", help="Where pages (site) or pdf and png (figures) go."
)
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if the pages are stale.")
@click.option(
    "--format",
    "suffix",
    type=click.Choice(["csv", "md", "tex", "json", "bib", "pdf", "png"]),
    help="Print one table; write its charts as pdf or png.",
)
@click.option(
    "--protocol", default="", metavar="NAME", help="With --format: the leaderboard to print."
)
@click.option(
    "--convention", default="", metavar="C", help="With --format: inter_pupil, inter_ocular_51, …"
)
@methods_option
def report_command(
    results: Path,
    out: Path | None,
    check: bool,
    suffix: str | None,
    protocol: str,
    convention: str,
    methods: tuple[Path, ...],
) -> None:
    """Render the pages: leaderboards, curves, methods, runs.

    Or one table or its charts with --format.
    """
    if bool(suffix) != bool(protocol) or (convention and not suffix):
        raise click.UsageError("--format and --protocol go together; --convention needs both")
    from benchbox import report

    note_left_out()
    require_right_level(results)
    if suffix in ("pdf", "png"):
        folder = out or Path("figures")
        asked = (results, protocol, suffix, folder, convention, methods)
        for file in report.save_figures(*asked, print_note):
            click.echo(file)
    elif suffix:
        asked_table = (results, protocol, suffix, convention, methods)
        print_document(report.export_table(*asked_table, print_note))
    elif check:
        _check_site(results, out or Path("site"), methods)
    else:
        _render_site(results, out or Path("site"), methods)


def _check_site(results: Path, site: Path, methods: Sequence[Path]) -> None:
    """Exit 1 if the pages are not those that the results give."""
    from benchbox import report

    stale = report.find_stale_files(results, site, print_note, methods)
    for name in stale:
        click.echo(f"stale: {name}")
    if stale:
        print_note(f"{len(stale)} files of {site} are stale; `benchbox report` renders them")
        exit_failed()
    click.echo(f"{site} is up to date")


def _render_site(results: Path, site: Path, methods: Sequence[Path]) -> None:
    from benchbox import report

    if results != Path("results"):
        require_results(results)
    written = report.render_site(results, site, print_note, methods)
    click.echo(f"{len(written)} files in {site}; open {site / 'index.html'}")


@main.command(name="compare")
@click.argument("runs", metavar="RUN RUN…", nargs=-1, required=True)
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="NAME",
    help="Compare this metric; may be repeated.",
)
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Compare all metrics, not the first convention's alone.",
)
@click.option(
    "--any-training",
    is_flag=True,
    help="Compare trainings on different data or boxes, too.",
)
@results_option
@json_option
def compare_command(
    runs: tuple[str, ...],
    metrics: tuple[str, ...],
    everything: bool,
    any_training: bool,
    results: Path,
    as_json: bool,
) -> None:
    """Compare runs with the first one: paired differences, intervals, p-values.

    RUN is a run's folder, or a variant's folder for all its seeds: PROTOCOL/METHOD/VARIANT[/SEED].
    """
    from benchbox.analysis import compare

    comparison = compare.compare_runs(
        runs, results, metrics, everything=everything, any_training=any_training
    )
    if as_json:
        print_json(compare.comparison_to_json(comparison))
    else:
        click.echo(compare.format_comparison(comparison, terminal_width()))


@main.command(name="check")
@results_option
@data_option
@click.option("--facts/--no-facts", default=False, help="Count networks, too (loads torch).")
@click.option("--rescore", is_flag=True, help="Derive every score again from its predictions.")
@click.option(
    "--baseline",
    type=FOLDER,
    metavar="FILE",
    help="Fail where results or verdicts got worse than in this file.",
)
@click.option(
    "--write-baseline",
    type=FOLDER,
    metavar="FILE",
    help="Write such a file from the results as they are.",
)
@click.option(
    "--tolerances",
    "tolerance_file",
    type=FOLDER,
    metavar="FILE",
    help="How much may differ before it is worse (TOML).",
)
@click.option("--junit", type=FOLDER, metavar="FILE", help="Write JUnit XML there, too.")
@click.option("--markdown", type=FOLDER, metavar="FILE", help="Write a summary there, too.")
@json_option
def check_command(
    results: Path,
    data: Path | None,
    facts: bool,
    rescore: bool,
    baseline: Path | None,
    write_baseline: Path | None,
    tolerance_file: Path | None,
    junit: Path | None,
    markdown: Path | None,
    as_json: bool,
) -> None:
    """Hold results against the claims of papers and, as a regression gate, against a baseline.

    Exit 1 where a score, a claim, a fact or a reproduced cell got worse, 2 where nothing could be
    compared. A new baseline is written last, and only where nothing got worse.
    """
    from benchbox.analysis import check_files, check_papers, regression_gate
    from benchbox.analysis.tolerances import Tolerances, read_tolerances

    tolerances = read_tolerances(tolerance_file) if tolerance_file else Tolerances()
    require_results(results)
    note_left_out()
    if baseline is None:  # else a run that is gone is what it tells
        regression_gate.require_runs(results)
    verdicts = check_papers.check_results(results, facts=facts, tolerance=tolerances.training)
    if write_baseline is not None and not (baseline or rescore or facts or as_json):
        count = regression_gate.write_baseline(results, write_baseline, verdicts)
        click.echo(f"{write_baseline}: a baseline of {count} runs")
        return
    places, notes = _list_readable(results)
    compared, rescored = None, None
    if baseline:
        compared = regression_gate.compare_baseline(results, baseline, verdicts, tolerances)
        notes += compared.notes
    if rescore:
        rescored, left_out = regression_gate.rescore_runs(results, data_root(data))
        notes += left_out
        if len(left_out) == len(places) and not baseline:
            raise ResultError(f"--rescore: no run could be scored again; {left_out[0]}")
    outcome = check_files.CheckOutcome(
        check_papers.summarise_verdicts(verdicts), places, compared, rescored, notes
    )
    for note in notes:
        print_note(f"note: {note}")
    _print_outcome(outcome, as_json=as_json)
    for file, text in (
        (junit, check_files.format_junit),
        (markdown, check_files.format_markdown),
    ):
        if file:
            _write_file(file, text(outcome))
    if outcome.has_failed:
        print_note(
            "results got worse; if that is meant, say so in CHANGELOG.md and write a new baseline: "
            "--write-baseline FILE without --baseline"
        )
        exit_failed()
    if write_baseline is not None:
        count = regression_gate.write_baseline(results, write_baseline, verdicts)
        print_note(f"{write_baseline}: a baseline of {count} runs")


def _list_readable(results: Path) -> tuple[list[str], list[str]]:
    """Return which runs can be read, and which are not looked at, and why."""
    from benchbox.analysis import comparable
    from benchbox.runs import run_folders

    scored, unreadable = run_folders.list_scored_runs(results)
    notes = [f"left out, as it cannot be read: {left_out.reason}" for left_out in unreadable]
    for other, words in comparable.part_by_data(scored)[1]:
        notes.append(f"left out of the claims: {other.folder}: {words}")
    places = ["/".join((run.protocol, run.method, run.variant, run.seed)) for run in scored]
    return places, notes


def _print_outcome(outcome: CheckOutcome, *, as_json: bool) -> None:
    from benchbox.analysis import cell_account
    from benchbox.analysis import verdicts as words

    check, baseline = outcome.check, outcome.baseline
    if as_json:
        document = words.verdicts_to_json(check.verdicts)
        document["cells"] = cell_account.counts_to_json(check.papers)
        if baseline:
            document["baseline"] = {
                "runs": baseline.runs,
                "digests": baseline.digests,
                "verdicts": baseline.verdicts,
            }
        print_json({**document, "changes": [_change_json(change) for change in outcome.changes]})
        return
    click.echo(words.format_verdicts(check.verdicts))
    if check.papers:
        click.echo(cell_account.format_counts(check.papers))
    for change in outcome.changes:
        label = "changed"
        if change.regression:
            label = "REGRESSION"
        line = f"{label:<12}{change.place}: {change.text}"
        click.echo(paint(line, "red", label) if change.regression else line)
    if baseline:
        click.echo(baseline.describe())


def _write_file(file: Path, text: str) -> None:
    """Write a file for other programs; raise ResultError where it cannot be written."""
    try:
        write_whole(file, text, flush=False)
    except OSError as fault:
        raise ResultError(f"{file}: cannot be written ({fault.strerror})") from fault


def _change_json(change: Change) -> dict[str, Any]:
    return {"run": change.place, "change": change.text, "regression": change.regression}


@main.command(name="explain")
@click.argument("predictions", type=FOLDER, required=False)
@click.option("--protocol", metavar="NAME", help="What the number was measured against.")
@click.option("--claimed", metavar="X", help="The number as it is printed.")
@click.option(
    "--measured", type=NUMBER, metavar="Y", help="Instead of PREDICTIONS: the number that came out."
)
@click.option(
    "--metric",
    default="",
    metavar="NAME",
    help="What X claims to be; the card's first metric if not given.",
)
@click.option(
    "--group",
    default="",
    metavar="NAME",
    help="Which faces; the card's overall group if not given.",
)
@data_option
@landmark_file_options
@gaze_reading_options
@json_option
def explain_command(
    predictions: Path | None,
    protocol: str | None,
    claimed: str | None,
    measured: float | None,
    metric: str,
    group: str,
    data: Path | None,
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
    as_json: bool,
) -> None:
    """Say which convention would give a claimed number.

    With a file or folder of PREDICTIONS, whatever `benchbox score` reads, known conventions are
    tried on it; without --claimed, its constant offset and the reference rows that it approaches
    are told.
    """
    if predictions is None:
        if measured is None or claimed is None:
            raise click.UsageError(
                "give a file of PREDICTIONS with --protocol, or --claimed X with --measured Y"
            )
        _explain_ratio(claimed, measured, as_json)
        return
    if protocol is None or measured is not None:
        raise click.UsageError("PREDICTIONS go with --protocol NAME and without --measured")
    from benchbox.analysis import explain
    from benchbox.runs import reading_options

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
    explanation = explain.explain_predictions(
        predictions, protocol, data_root(data), claimed, metric, group, reading, hints
    )
    if as_json:
        print_json(explain.explanation_to_json(explanation))
    else:
        click.echo(explain.format_explanation(explanation))


def _explain_ratio(claimed: str, measured: float, as_json: bool) -> None:
    """Say which known factor lies between a claimed and a measured number."""
    from benchbox.analysis import explain

    claim = explain.Claim.read(claimed)
    guesses = explain.guess_factors(claim, measured)
    if not as_json:
        click.echo(explain.format_guesses(claim, measured, guesses))
        return
    documents = []
    for guess in guesses:
        documents.append({"factor": guess.factor, "means": guess.means, "exact": guess.exact})
    print_json(documents)
