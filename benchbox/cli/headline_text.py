"""The one line that a person wants of a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchbox.runs.run_outcome import ScoreResult


def headline_with_rank(
    scored: ScoreResult,
    results: Path,
    own: Path | None = None,
    stated: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Say the score that ranks a run, and which rank it would have among stored results.

    Or why it would have none. `own` is the run's folder, if it is stored: its variant is not held
    against itself. Else `stated` is what is said of a submission.
    """
    from benchbox.plugins import method_card
    from benchbox.report.tables import rank_preview
    from benchbox.scoring import headline

    text = headline.format_headline(scored.scores, scored.protocol)
    methods = {card.name: card for card in method_card.read_cards()}
    reason = rank_preview.why_not_ranked(
        scored.protocol, stored=own, stated=stated, methods=methods
    )
    if reason:
        return f"{text}, not ranked: {reason}"
    rank = rank_preview.preview_rank(
        results, scored.protocol, scored.scores, own=own, methods=methods
    )
    if rank is None:
        return text
    return f"{text}, would {rank}"
