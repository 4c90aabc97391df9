"""What our results say of a claim: one value for cells, orderings and facts alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

ONE_TRAINING = " (these faces, one training)"
MORE_DRAWS = " (with more draws)"  # of who is ahead: an idea that it says nothing of
TOO_CLOSE, NOT_COMPARABLE, NOT_MEASURED = "too close to tell", "not comparable", "not measured"
NOT_ABOVE_BASELINE = "not better than a baseline"
VERDICTS = (
    *("reproduced", "better", "worse", NOT_COMPARABLE),  # cells
    *("holds", f"holds{ONE_TRAINING}", f"holds{MORE_DRAWS}"),  # orderings
    TOO_CLOSE,  # orderings and cells
    *("does not hold", f"does not hold{ONE_TRAINING}", f"does not hold{MORE_DRAWS}"),
    NOT_ABOVE_BASELINE,
    *("met", "not met"),  # facts
    NOT_MEASURED,
)
# how good a verdict is for its claim; the regression gate lets none fall. 0: all others
_STANDINGS: Mapping[str, int] = {
    "reproduced": 2,
    "better": 1,
    "holds": 2,
    f"holds{ONE_TRAINING}": 1,
    "met": 1,
}


@dataclass(frozen=True)
class Verdict:
    """One claim and what our results say of it."""

    kind: str  # cell | ordering | fact
    paper: str
    table: str
    claim: str  # in words
    system: str  # "method/variant"; the first of an ordering
    protocol: str
    group: str
    metric: str
    claimed: str  # as printed
    measured: float | None
    low: float | None  # of cells: prints from here to `high` would be reproduced
    high: float | None
    unit: str
    verdict: str
    reasons: tuple[str, ...]
    budget: str = ""  # of the runs
    line: int = 0  # of a cell: where its row stands in the paper's file

    @property
    def id(self) -> str:
        """Return the id of an ordering in claims.toml, "" for cells and facts."""
        return self.claim.partition(": ")[0] if self.kind == "ordering" else ""

    @property
    def words(self) -> str:
        """Return the claim in words alone, without an ordering's id."""
        return self.claim.removeprefix(f"{self.id}: ")

    @property
    def identity(self) -> str:
        """Return what names the claim in a baseline, whatever our results say of it."""
        claim = self.id or self.claim  # words may be mended
        parts = [self.kind, self.paper, self.table, claim, self.system, self.protocol]
        parts += [self.claimed, self.budget]
        return " | ".join(parts)

    @property
    def standing(self) -> int:
        """Tell how good the verdict is for its claim."""
        return standing_of(self.verdict)


def standing_of(verdict: str) -> int:
    """Tell how good a verdict is for its claim: 0 where it says nothing for it.

    >>> standing_of("holds") > standing_of("holds (these faces, one training)") > 0
    True
    >>> standing_of("too close to tell"), standing_of("worse")
    (0, 0)
    """
    return _STANDINGS.get(verdict, 0)


def count_verdicts(verdicts: Iterable[Verdict]) -> dict[str, int]:
    """Count the verdicts, in the order of `VERDICTS`; those that are there."""
    counts = dict.fromkeys(VERDICTS, 0)
    for verdict in verdicts:
        counts[verdict.verdict] += 1
    return {name: count for name, count in counts.items() if count}


def verdicts_to_json(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Return the document of `benchbox check --json`."""
    return {
        "schema": 1,
        "summary": count_verdicts(verdicts),
        "verdicts": [asdict(verdict) for verdict in verdicts],
    }


def format_verdicts(verdicts: Sequence[Verdict]) -> str:
    """Write one line per claim that something was measured for, and a line of counts."""
    lines = []
    for verdict in verdicts:
        if verdict.verdict != NOT_MEASURED or verdict.kind == "fact":
            lines.append(describe_verdict(verdict))
    if verdicts:
        counts = ", ".join(f"{count} {name}" for name, count in count_verdicts(verdicts).items())
        lines.append(f"{len(verdicts)} claims: {counts}")
    else:
        lines.append("no claim has anything to stand on")
    return "\n".join(lines)


def describe_verdict(v: Verdict) -> str:
    """Say a verdict in one line: what it is, of what, the print, the measurement, the reasons."""
    line = f"{v.verdict:<18}{name_claim(v)}: claimed {v.claimed}"
    if len(v.verdict) >= 18:
        line = f"{v.verdict} {name_claim(v)}: claimed {v.claimed}"
    if v.measured is not None:
        line += f", measured {measured_text(v)}"
    if v.reasons:
        line += f" ({'; '.join(v.reasons)})"
    return line


def name_claim(v: Verdict) -> str:
    """Name a claim in words: "glsr, Table 5: … on 300w-full"."""
    name = f"{v.paper}, {v.table}: {v.claim}"
    if v.protocol:
        name += f" on {v.protocol}"
    return name


def measured_text(v: Verdict) -> str:
    """Write what was measured, with what it would reproduce."""
    if v.measured is None:
        return ""
    if v.kind == "fact":
        return f"{v.measured:,.0f}"
    if v.low is None or v.high is None:
        return f"{v.measured:.4g}"
    return f"{v.measured:.4g} [{v.low:.4g}, {v.high:.4g}]"


def claimed_methods(verdicts: Iterable[Verdict], method: str) -> list[Verdict]:
    """Return the verdicts that a method's page shows."""
    return [verdict for verdict in verdicts if verdict.system.partition("/")[0] == method]
