"""Commands for results that travel: submit, results accept, results export."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchbox.errors import BenchboxError
from benchbox.text_table import terminal_width

from .headline_text import headline_with_rank
from .main_group import exit_failed, main
from .printing import print_document, print_note
from .shared_options import (
    FOLDER,
    complete_protocol,
    data_option,
    data_root,
    gaze_reading_options,
    landmark_file_options,
    results_option,
    row_statement_options,
)
from .stored_results import results_group

if TYPE_CHECKING:
    from benchbox.runs.run_outcome import ScoreResult


@main.command(name="submit")
@click.argument("predictions", type=FOLDER)
@click.option(
    "--protocol",
    required=True,
    metavar="NAME",
    shell_complete=complete_protocol,
    help="What they answer.",
)
@click.option("--method", required=True, metavar="NAME", help="The method's name, small letters.")
@click.option(
    "--out",
    type=FOLDER,
    metavar="DIR",
    default=Path("submissions"),
    show_default=True,
    help="Where the folder to hand in goes.",
)
@data_option
@results_option
@landmark_file_options
@gaze_reading_options
@row_statement_options
def submit_command(
    predictions: Path,
    protocol: str,
    method: str,
    out: Path,
    data: Path | None,
    results: Path,
    stated: dict[str, str],
    **written: Any,
) -> None:
    """Check PREDICTIONS row by row, preview their rank, write the folder that a pull request adds.

    They are read as `benchbox score` reads them. What is said of the method, --title to
    --seen-test, stands in its row. Exit 1 where rows are missing.
    """
    if "trained_on" not in stated or "seen_test" not in stated:
        raise click.UsageError(
            "say what it has learnt from and whether it may have seen the test items: "
            "--trained-on TEXT --seen-test no|unknown|yes"
        )
    from benchbox.protocols import protocol_card
    from benchbox.runs import reading_options, submissions
    from benchbox.scoring import score

    card = protocol_card.load_protocol(protocol)
    root = data_root(data)
    rows = submissions.check_rows(predictions, card, root)
    if rows is not None:
        for line in rows.lines:
            click.echo(line)
        if not rows.whole:
            print_note("nothing was written: every test item must have one row, if only `failed`")
            exit_failed()
    given = {key: value for key, value in written.items() if value is not None}
    reading, hints = reading_options.read_options(**given)
    wanted = submissions.Submission(
        protocol=protocol,
        card="",
        method=method,
        stated=stated,
        read_as=shlex.join([*reading.words, *hints.words]),
        predictions="",
    )
    folder, scored = submissions.make_submission(
        predictions, wanted, root, out, print_note, reading, hints
    )
    click.echo(score.format_scores(scored.scores, scored.protocol, terminal_width()))
    click.echo(f"score: {headline_with_rank(scored, results, stated=stated)}")
    click.echo(f"wrote {folder}: commit it and open a pull request; nothing else is needed")


@results_group.command(name="accept")
@click.argument("folders", metavar="FOLDER…", type=FOLDER, nargs=-1, required=True)
@results_option
@click.option("--markdown", type=FOLDER, metavar="FILE", help="Write the scores there, for people.")
@data_option
def accept_command(
    folders: tuple[Path, ...], results: Path, markdown: Path | None, data: Path | None
) -> None:
    """Score submissions (FOLDERs that `benchbox submit` wrote) and keep them; run nothing of them.

    Exit 1 where one cannot be scored; the others are.
    """
    from benchbox.report.tables import submission_table
    from benchbox.runs import score_file, submissions

    outcomes: list[tuple[Path, ScoreResult | BenchboxError, str]] = []
    for folder in folders:
        try:
            scored = submissions.accept_submission(folder, data_root(data), results, print_note)
        except BenchboxError as fault:
            outcomes.append((folder, fault, ""))
            print_note(f"error: {folder}: {fault}")
            continue
        method = scored.document["method"]
        own = score_file.submission_folder(results, scored.protocol.name, method)
        text = headline_with_rank(scored, results, own)
        outcomes.append((folder, scored, text))
        click.echo(f"{folder}: {text}")
    if markdown is not None:
        submission_table.write_markdown(outcomes, markdown)
    if any(isinstance(outcome, BenchboxError) for _, outcome, _ in outcomes):
        exit_failed()


@results_group.command(name="export")
@click.argument("runs", metavar="RUN…", type=FOLDER, nargs=-1, required=True)
@click.option(
    "--format",
    "schema",
    required=True,
    type=click.Choice(["eval-results", "every-eval-ever"]),
    help="Hugging Face's .eval_results, or the schema of Every Eval Ever.",
)
@click.option(
    "--dataset-id",
    default="",
    metavar="ORG/NAME",
    help="eval-results: the Hub's dataset that is the benchmark.",
)
@click.option("--model-id", default="", metavar="ORG/NAME", help="The model on the Hub.")
@click.option("--source", default="", metavar="URL", help="Where the result can be looked up.")
@click.option(
    "--organization", default="", metavar="NAME", help="every-eval-ever: who evaluated it."
)
@results_option
def export_command(
    runs: tuple[Path, ...],
    schema: str,
    dataset_id: str,
    model_id: str,
    source: str,
    organization: str,
    results: Path,
) -> None:
    """Print runs in an open schema.

    RUN is a run's folder, or PROTOCOL/METHOD/VARIANT/SEED below the results.
    """
    from benchbox.report.inputs.results import read_result
    from benchbox.report.tables import open_schemas
    from benchbox.runs import run_folders

    folders = [run_folders.find_folder(run, results) for run in runs]
    read = [read_result(run_folders.read_run(folder)) for folder in folders]
    if schema == "eval-results":
        if not dataset_id:
            raise click.UsageError("--format eval-results needs --dataset-id ORG/NAME")
        print_document(open_schemas.format_eval_results(read, dataset_id, source))
        return
    if len(read) > 1:
        raise click.UsageError("--format every-eval-ever is one document: name one RUN")
    if not organization:
        raise click.UsageError("--format every-eval-ever needs --organization NAME")
    print_document(open_schemas.format_every_eval_ever(read[0], organization, model_id, source))
