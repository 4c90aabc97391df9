"""What our runs say of the papers' claims: a count for each paper, then every judged claim."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchbox.analysis.verdicts import MORE_DRAWS, Verdict
from benchbox.report.tables import rows

from .shared_data import SharedData, hash_values

PATH = "claims.html"
_SAYS_NOTHING = ("not comparable", "not measured")
_AGAINST = ("worse", "does not hold", "not met")
_UNDECIDED = ("too close", "not better than a baseline")


@dataclass(frozen=True)
class ClaimCount:
    """How many claims our runs speak for and against."""

    supported: int = 0
    contradicted: int = 0
    undecided: int = 0
    not_comparable: int = 0
    not_measured: int = 0

    @property
    def judged(self) -> int:
        """Return how many claims our runs say anything of."""
        return self.supported + self.contradicted + self.undecided

    @property
    def total(self) -> int:
        """Return how many claims there are."""
        return self.judged + self.not_comparable + self.not_measured


@dataclass(frozen=True)
class PaperClaims:
    """The claims of one paper."""

    short: str
    title: str
    url: str
    method: str  # page of its method, "" where none is installed
    count: ClaimCount


@dataclass(frozen=True)
class JudgedClaim:
    """A claim with what our runs say of it."""

    verdict: Verdict
    standing: str  # supported, contradicted, undecided
    paper: str
    board: str  # page of its protocol, "" where there is none
    method: str  # page of its method


@dataclass(frozen=True)
class ClaimsPage:
    """All verdicts on one page."""

    path: str
    count: ClaimCount
    papers: tuple[PaperClaims, ...]
    claims: tuple[JudgedClaim, ...]
    open_claims: tuple[tuple[str, tuple[Verdict, ...]], ...]  # paper, what no run speaks to


@dataclass(frozen=True)
class PlannedClaims:
    """The page of claims before it is laid out."""

    path: str = PATH
    group: str = ""
    work: float = 1.0

    def hash_inputs(self, shared: SharedData) -> str:
        """Hash the verdicts and what they name."""
        return hash_values(shared.sources.verdicts(), shared.common_digest)

    def build(self, shared: SharedData) -> ClaimsPage:
        """Lay out the page."""
        verdicts = shared.sources.verdicts()
        papers = shared.sources.references.papers
        counted = []
        open_claims = []
        for key in dict.fromkeys(verdict.paper for verdict in verdicts):
            of_paper = [verdict for verdict in verdicts if verdict.paper == key]
            count = count_claims(of_paper)
            page = rows.method_path(key) if key in shared.methods else ""
            paper = papers.get(key)
            if paper is None:
                counted.append(PaperClaims(key, "", "", page, count))
            else:
                counted.append(PaperClaims(paper.short, paper.title, paper.url, page, count))
            unanswered = tuple(verdict for verdict in of_paper if not says(verdict))
            if unanswered:
                open_claims.append((counted[-1].short, unanswered))
        claims = [_judged_claim(verdict, shared) for verdict in verdicts if says(verdict)]
        claims.sort(key=lambda claim: _ORDER.index(claim.standing))
        return ClaimsPage(
            PATH, count_claims(verdicts), tuple(counted), tuple(claims), tuple(open_claims)
        )


_ORDER = ("contradicted", "supported", "undecided")


def plan_pages(shared: SharedData) -> Sequence[PlannedClaims]:
    """Plan the page of claims."""
    del shared
    return [PlannedClaims()]


def says(verdict: Verdict) -> str:
    """Return whether a verdict supports its claim, contradicts it or is undecided; else ""."""
    if verdict.verdict in _SAYS_NOTHING:
        return ""
    if verdict.verdict.startswith(_UNDECIDED) or verdict.verdict.endswith(MORE_DRAWS):
        return "undecided"
    if verdict.verdict.startswith(_AGAINST):
        return "contradicted"
    return "supported"


def count_claims(verdicts: Iterable[Verdict]) -> ClaimCount:
    """Count verdicts by what they say of their claims."""
    counts = {"supported": 0, "contradicted": 0, "undecided": 0, "not comparable": 0}
    not_measured = 0
    for verdict in verdicts:
        standing = says(verdict) or verdict.verdict
        if standing in counts:
            counts[standing] += 1
        else:
            not_measured += 1
    supported, contradicted, undecided, not_comparable = counts.values()
    return ClaimCount(supported, contradicted, undecided, not_comparable, not_measured)


def _judged_claim(verdict: Verdict, shared: SharedData) -> JudgedClaim:
    paper = shared.sources.references.papers.get(verdict.paper)
    board = ""
    if verdict.protocol in shared.protocols:
        board = rows.board_path(verdict.protocol)
    method = verdict.system.partition("/")[0]
    page = rows.method_path(method) if method in shared.methods else ""
    short = paper.short if paper else verdict.paper
    return JudgedClaim(verdict, says(verdict), short, board, page)
