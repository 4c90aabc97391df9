"""The one line that a person wants of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchbox.runs.execute import ScoreResult


def headline_with_rank(scored: ScoreResult, results: Path, own: Path | None = None) -> str:
    """Say the score that ranks a run, and which rank it would have among stored results.

    `own` is the run's folder, if it is stored: its variant is not held against itself.
    """
    from benchbox.report.tables import rank_preview
    from benchbox.scoring import headline

    text = headline.format_headline(scored.scores, scored.protocol)
    rank = rank_preview.preview_rank(results, scored.protocol, scored.scores, own=own)
    if rank is None:
        return text
    return f"{text}, would {rank}"
