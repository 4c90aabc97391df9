"""What a pull request is told of the submissions in it: scores with intervals, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchbox.atomic_write import write_whole
from benchbox.errors import BenchboxError, ResultError
from benchbox.runs.run_outcome import ScoreResult

Outcome = tuple[Path, ScoreResult | BenchboxError, str]  # folder, what came of it, its headline


def write_markdown(outcomes: Sequence[Outcome], file: Path) -> None:
    """Write a section for each submission; texts of strangers are quoted as code.

    Raises ResultError where the file cannot be written.
    """
    sections = [_format_outcome(*outcome) for outcome in outcomes]
    try:
        write_whole(file, "\n".join(sections))
    except OSError as fault:
        raise ResultError(f"{file}: cannot be written: {fault.strerror}") from fault


def _format_outcome(folder: Path, outcome: ScoreResult | BenchboxError, headline: str) -> str:
    lines = [f"### {_as_code('/'.join(folder.parts[-2:]))}", ""]
    if isinstance(outcome, BenchboxError):
        return "\n".join([*lines, f"Not scored: {_as_code(str(outcome))}", ""])
    lines += [f"**{headline}**", "", "| group | metric | value | interval | unit |"]
    lines.append("|---|---|---|---|---|")
    for group, scores in outcome.scores.groups.items():
        for name, score in scores.items():
            interval, value = "", "–"
            if score.low is not None and score.high is not None:
                interval = f"{score.low:.4g} … {score.high:.4g}"
            if score.value is not None:
                value = f"{score.value:.4g}"
            lines.append(f"| {group} | {name} | {value} | {interval} | {score.unit} |")
    failed = outcome.document["failed"]
    lines += ["", f"{outcome.document['n']} test items, {failed} without an answer.", ""]
    return "\n".join(lines)


def _as_code(text: str) -> str:
    """Quote a stranger's text, so that Markdown and mentions in it mean nothing."""
    plain = " ".join(text.replace("`", "'").split())
    return f"`{plain}`"
