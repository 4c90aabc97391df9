"""Commands about stored results: results rename, move, prune, rescore, predictions."""

from __future__ import annotations

from pathlib import Path

import click

from .main_group import main, require_results
from .printing import print_note
from .shared_options import FOLDER, ORIGINS, data_option, data_root, results_option


def _name_unreadable(results: Path) -> None:
    """Name the runs that a command leaves as they are, because nobody can tell what they are."""
    from benchbox.runs import run_folders

    for run in run_folders.list_runs(results):
        if isinstance(run, run_folders.UnreadableRun):
            print_note(f"note: left as it is, as it cannot be read: {run.reason}")


@main.group(name="results")
def results_group() -> None:
    """Rename, move, delete or score stored results again; their records stay true."""


@results_group.command(name="rename")
@click.argument("what", type=click.Choice(["method", "protocol"]))
@click.argument("old")
@click.argument("new")
@results_option
def rename_command(what: str, old: str, new: str, results: Path) -> None:
    """Give the results of a method or a protocol another name: rename method OLD NEW.

    A protocol needs its card under the new name, alike but for the name.
    """
    from benchbox.runs import result_changes

    require_results(results)
    _name_unreadable(results)
    if what == "method":
        renamed = result_changes.rename_method(results, old, new)
    else:
        renamed = result_changes.rename_protocol(results, old, new)
    for folder in renamed:
        click.echo(folder)
    print_note(f"{len(renamed)} runs; a baseline and a site name the old places until made anew")


@results_group.command(name="move")
@click.argument("places", metavar="PLACE…", nargs=-1, required=True)
@click.option("--to", "other", type=FOLDER, metavar="DIR", required=True, help="Another folder.")
@results_option
def move_command(places: tuple[str, ...], other: Path, results: Path) -> None:
    """Move results to another folder of results, where nothing is overwritten.

    PLACE is PROTOCOL, PROTOCOL/METHOD, PROTOCOL/METHOD/VARIANT or PROTOCOL/METHOD/VARIANT/SEED.
    """
    from benchbox.runs import result_changes

    require_results(results)
    _name_unreadable(results)
    for folder in result_changes.move_runs(results, places, other):
        click.echo(folder)


@results_group.command(name="prune")
@results_option
@click.option("--yes", is_flag=True, help="Delete them; without it they are only named.")
def prune_command(results: Path, yes: bool) -> None:
    """Name, or delete, runs of another version of a protocol's card or a method's parameters."""
    from benchbox.runs import result_changes

    require_results(results)
    _name_unreadable(results)
    stale = result_changes.find_stale_runs(results)
    for found in stale:
        if yes:
            result_changes.delete_run(found.run)
        click.echo(f"{found.run.folder}: {found.reason}")
    if yes:
        print_note(f"{len(stale)} runs deleted")
    else:
        print_note(
            f"{len(stale)} runs are out of date; --yes deletes them, `run --stale` redoes one"
        )


@results_group.command(name="rescore")
@click.argument("folders", metavar="RUN…", type=FOLDER, nargs=-1, required=True)
@data_option
@results_option
def rescore_command(folders: tuple[Path, ...], data: Path | None, results: Path) -> None:
    """Derive scores and error tables of runs again from their predictions; needs annotations.

    RUN is a run's folder, or PROTOCOL/METHOD/VARIANT/SEED below the results.
    """
    from benchbox.runs import result_changes, run_folders

    for named in folders:
        folder = run_folders.find_folder(named, results)
        result_changes.rescore_run(run_folders.read_record(folder), data_root(data))
        click.echo(folder)


@results_group.command(name="predictions")
@click.argument("folder", metavar="RUN", type=FOLDER)
@click.option("--out", type=FOLDER, metavar="FILE", required=True, help="Where to, .csv or .npz.")
@click.option(
    "--origin",
    type=click.Choice(list(ORIGINS)),
    help="What FILE calls the first pixel's centre; else as the annotations count.",
)
@data_option
@results_option
def predictions_command(
    folder: Path, out: Path, origin: str | None, data: Path | None, results: Path
) -> None:
    """Write the predictions of a run for another program.

    RUN is a run's folder, or PROTOCOL/METHOD/VARIANT/SEED below the results. An origin needs the
    annotations, which know their own.
    """
    from benchbox.runs import prediction_export, run_folders

    run = run_folders.read_run(run_folders.find_folder(folder, results))
    count = prediction_export.export_predictions(
        run, out, data_root(data), ORIGINS.get(origin or "")
    )
    click.echo(f"{out}: {count} rows")
