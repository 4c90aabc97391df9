"""Commands that read results: report, compare, check, explain."""

from __future__ import annotations

from pathlib import Path

import click

from .common import (
    FOLDER,
    data_option,
    data_root,
    exit_failed,
    json_option,
    main,
    print_json,
    print_note,
    require_results,
    results_option,
)


@main.command()
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
def report(
    results: Path, out: Path | None, check: bool, suffix: str | None, protocol: str, convention: str
) -> None:
    """Render the pages: leaderboards, curves, methods, runs.

    Or one table or its charts with --format.
    """
    if bool(suffix) != bool(protocol) or (convention and not suffix):
        raise click.UsageError("--format and --protocol go together; --convention needs both")
    from benchbox import report as pages

    if suffix in ("pdf", "png"):
        for file in pages.save_figures(
            results, protocol, suffix, out or Path("figures"), convention
        ):
            click.echo(file)
        return
    if suffix:
        click.echo(pages.export_table(results, protocol, suffix, convention), nl=False)
        return
    out = out or Path("site")
    if check:
        stale = pages.find_stale_files(results, out)
        for name in stale:
            click.echo(f"stale: {name}")
        if stale:
            print_note(f"{len(stale)} files of {out} are stale; `benchbox report` renders them")
            exit_failed()
        click.echo(f"{out} is up to date")
        return
    if results != Path("results"):
        require_results(results)
    written = pages.render_site(results, out)
    click.echo(f"{len(written)} files in {out}; open {out / 'index.html'}")


@main.command()
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
@results_option
@json_option
def compare(
    runs: tuple[str, ...], metrics: tuple[str, ...], everything: bool, results: Path, as_json: bool
) -> None:
    """Compare runs with the first one: paired differences, intervals, p-values.

    RUN is a run's folder, or a variant's folder for all its seeds: PROTOCOL/METHOD/VARIANT[/SEED].
    """
    from benchbox.analysis import compare as comparing

    found = comparing.compare_runs(runs, results, metrics, everything=everything)
    if as_json:
        print_json(comparing.comparison_to_json(found))
    else:
        click.echo(comparing.format_comparison(found))


@main.command()
@results_option
@data_option
@click.option("--facts/--no-facts", default=False, help="Count networks, too (loads torch).")
@click.option("--rescore", is_flag=True, help="Derive every score again from its predictions.")
@click.option(
    "--baseline",
    type=FOLDER,
    metavar="FILE",
    help="Fail where results got worse than in this file.",
)
@click.option(
    "--write-baseline",
    type=FOLDER,
    metavar="FILE",
    help="Write such a file from the results as they are.",
)
@json_option
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
    from benchbox.analysis import check_papers as checking
    from benchbox.analysis import regression_gate as gate
    from benchbox.runs import run_folders

    require_results(results)
    if write_baseline is not None:
        count = gate.write_baseline(results, write_baseline)
        click.echo(f"{write_baseline}: a baseline of {count} runs")
        return
    verdicts = checking.check_results(results, facts=facts)
    for item in run_folders.list_runs(results):
        if isinstance(item, run_folders.UnreadableRun):
            print_note(f"note: left out, as it cannot be read: {item.reason}")
    changes = gate.find_changes(results, baseline) if baseline else []
    if rescore:
        again, left = gate.rescore_runs(results, data_root(data))
        changes += again
        for line in left:
            print_note(f"note: {line}")
    if as_json:
        changed = [{"run": c.place, "change": c.text, "regression": c.regression} for c in changes]
        print_json({**checking.verdicts_to_json(verdicts), "changes": changed})
    else:
        click.echo(checking.format_verdicts(verdicts))
        for change in changes:
            click.echo(
                f"{'REGRESSION' if change.regression else 'changed':<12}{change.place}: {change.text}"
            )
    if any(change.regression for change in changes):
        print_note(
            "results got worse; if that is meant, say so in CHANGELOG.md and write a new baseline"
        )
        exit_failed()


@main.command()
@click.argument("predictions", type=FOLDER, required=False)
@click.option("--protocol", metavar="NAME", help="What the number was measured against.")
@click.option("--claimed", metavar="X", help="The number as it is printed.")
@click.option(
    "--measured", type=float, metavar="Y", help="Instead of PREDICTIONS: the number that came out."
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
@json_option
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

    With a file of PREDICTIONS, known conventions are tried on it; without --claimed, its constant
    offset and the reference rows that it approaches are told.
    """
    from benchbox.analysis import explain as explaining

    if predictions is None:
        if measured is None or claimed is None:
            raise click.UsageError(
                "give a file of PREDICTIONS with --protocol, or --claimed X with --measured Y"
            )
        claim = explaining.Claim.read(claimed)
        guesses = explaining.guess_factors(claim, measured)
        if as_json:
            print_json(
                [
                    {"factor": guess.factor, "means": guess.means, "exact": guess.exact}
                    for guess in guesses
                ]
            )
        else:
            click.echo(explaining.format_guesses(claim, measured, guesses))
        return
    if protocol is None or measured is not None:
        raise click.UsageError("PREDICTIONS go with --protocol NAME and without --measured")
    found = explaining.explain_predictions(
        predictions, protocol, data_root(data), claimed, metric, group
    )
    if as_json:
        print_json(explaining.explanation_to_json(found))
    else:
        click.echo(explaining.format_explanation(found))
