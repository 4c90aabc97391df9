"""How much may differ before a check calls it worse: a TOML file, which a repository keeps.

    [training]
    tolerance = 0.02        # share of a printed number within which a training reproduces it

    [[scores]]              # how much worse than its baseline a score may be
    protocol = "300w-*"     # patterns as of a shell; all where a key is left out
    method = "mine"
    variant = "*"
    group = "*"
    metric = "nme_*"
    absolute = 0.05         # in the metric's unit
    relative = 0.01         # share of the baseline's; the larger of both counts

The first entry of `scores` that fits a score decides; without one, nothing may get worse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from benchbox.errors import ResultError
from benchbox.file_readers.toml_files import read_toml
from benchbox.plugins.card_values import (
    TEXT,
    CardKey,
    CardPlace,
    check_keys,
    number_where,
    read_values,
)

from .judge_cells import TRAINING_TOLERANCE

_MAX_BYTES = 1_000_000
_SHARE = number_where(lambda share: 0 <= share < 1, "a share from 0 to below 1: 0.02")
_AMOUNT = number_where(lambda amount: amount >= 0, "a number from 0, in the metric's unit")


@dataclass(frozen=True)
class ScoreTolerance:
    """How much worse the scores that fit some patterns may be."""

    protocol: str = "*"
    method: str = "*"
    variant: str = "*"
    group: str = "*"
    metric: str = "*"
    absolute: float = 0.0
    relative: float = 0.0

    def fits(self, place: str, group: str, metric: str) -> bool:
        """Tell whether it is about a score of a run "protocol/method/variant/seed"."""
        protocol, method, variant, _ = place.split("/")
        pairs = (
            (protocol, self.protocol),
            (method, self.method),
            (variant, self.variant),
            (group, self.group),
            (metric, self.metric),
        )
        return all(fnmatchcase(name, pattern) for name, pattern in pairs)


@dataclass(frozen=True)
class Tolerances:
    """What a check tolerates."""

    training: float = TRAINING_TOLERANCE
    scores: Sequence[ScoreTolerance] = ()

    def allowance(self, place: str, group: str, metric: str, before: float) -> float:
        """Return how much worse than `before` a score may be, in its unit."""
        for entry in self.scores:
            if entry.fits(place, group, metric):
                return max(entry.absolute, entry.relative * abs(before))
        return 0.0


_TRAINING_KEYS = (CardKey("tolerance", _SHARE, default=TRAINING_TOLERANCE),)
_SCORE_KEYS = (
    *(CardKey(name, TEXT, default="*") for name in ("protocol", "method", "variant", "group")),
    CardKey("metric", TEXT, default="*"),
    CardKey("absolute", _AMOUNT, default=0.0),
    CardKey("relative", _SHARE, default=0.0),
)


def read_tolerances(file: Path) -> Tolerances:
    """Read a file of tolerances; raises ResultError naming file, entry and key of a fault."""
    place = CardPlace(str(file), ResultError)
    content = read_toml(file, largest=_MAX_BYTES, fault=ResultError)
    check_keys(content, ("training", "scores"), place)
    training = _read_table(content, "training", file)
    entries = content.get("scores", [])
    if not isinstance(entries, list):
        raise ResultError(f"{file}: scores must be written as [[scores]], one for each tolerance")
    scores = []
    for number, entry in enumerate(entries, start=1):
        of_entry = CardPlace(f"{file}: scores {number}", ResultError)
        if not isinstance(entry, dict):
            raise ResultError(f"{of_entry.file}: is no table [[scores]]")
        values = read_values(entry, _SCORE_KEYS, of_entry)
        if not values["absolute"] and not values["relative"]:
            raise ResultError(
                f"{of_entry.file}: tolerates nothing; give absolute = … or relative = …"
            )
        scores.append(ScoreTolerance(**values))
    return Tolerances(training["tolerance"], tuple(scores))


def _read_table(content: dict[str, Any], name: str, file: Path) -> dict[str, Any]:
    table = content.get(name, {})
    if not isinstance(table, dict):
        raise ResultError(f"{file}: {name} must be a table [{name}]")
    return read_values(table, _TRAINING_KEYS, CardPlace(f"{file}: {name}", ResultError))
