"""What a check found, for machines that run it: JUnit XML and a Markdown summary.

The XML has a suite for the runs of the baseline, one for the claims of papers and, with --rescore,
one for scores that were derived again. A test case fails where something got worse, so that the
file has a failure exactly where the command exits 1; what was not measured is skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from . import verdicts as words
from .check_papers import PaperCheck
from .regression_gate import CLAIM, BaselineComparison, Change
from .verdicts import NOT_COMPARABLE, NOT_MEASURED, Verdict

_SKIPPED = (NOT_COMPARABLE, NOT_MEASURED)
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TITLES = {"worse": "Got worse", "changed": "Changed"}


@dataclass(frozen=True)
class CheckOutcome:
    """Everything that one call of `benchbox check` found."""

    check: PaperCheck
    runs: Sequence[str]  # "protocol/method/variant/seed" of every readable run
    baseline: BaselineComparison | None = None
    rescored: Sequence[Change] | None = None
    notes: Sequence[str] = ()

    @property
    def changes(self) -> list[Change]:
        """Return everything that differs from the baseline or from what scoring again gives."""
        changes = list(self.baseline.changes) if self.baseline else []
        return [*changes, *(self.rescored or ())]

    @property
    def has_failed(self) -> bool:
        """Tell whether anything got worse."""
        return any(change.regression for change in self.changes)


# --- JUnit ----------------------------------------------------------------------------------------


def format_junit(outcome: CheckOutcome) -> str:
    """Return the JUnit XML of a check."""
    compared = outcome.baseline.changes if outcome.baseline else ()
    runs = _group_changes(change for change in compared if change.about != CLAIM)
    claims = _group_changes(change for change in compared if change.about == CLAIM)
    suites = [_run_suite("runs", outcome.runs, runs), _claim_suite(outcome.check.verdicts, claims)]
    if outcome.rescored is not None:
        rescored = _group_changes(outcome.rescored)
        suites.append(_run_suite("scored again", outcome.runs, rescored))
    root = ElementTree.Element("testsuites", name="benchbox check")
    for key in ("tests", "failures", "skipped"):
        root.set(key, str(sum(int(suite.get(key, "0")) for suite in suites)))
    root.extend(suites)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _group_changes(changes: Iterable[Change]) -> dict[str, list[Change]]:
    by_place: dict[str, list[Change]] = {}
    for change in changes:
        by_place.setdefault(change.place, []).append(change)
    return by_place


def _run_suite(
    name: str, runs: Sequence[str], changes: Mapping[str, Sequence[Change]]
) -> ElementTree.Element:
    cases = []
    for place in sorted({*runs, *changes}):
        protocol, _, rest = place.partition("/")
        cases.append(_make_case(f"{name}.{protocol}", rest, changes.get(place, ())))
    return _make_suite(name, cases)


def _claim_suite(
    verdicts: Sequence[Verdict], changes: Mapping[str, Sequence[Change]]
) -> ElementTree.Element:
    cases = []
    judged = {verdict.identity for verdict in verdicts}
    for verdict in verdicts:
        of_claim = changes.get(verdict.identity, ())
        case = _make_case(f"claims.{verdict.paper}", words.name_claim(verdict), of_claim)
        if verdict.verdict in _SKIPPED and not any(change.regression for change in of_claim):
            message = f"{verdict.verdict}: {'; '.join(verdict.reasons)}"
            ElementTree.SubElement(case, "skipped", message=_clean(message))
        _add_output(case, words.describe_verdict(verdict))
        cases.append(case)
    for identity, of_claim in changes.items():
        if identity not in judged:
            cases.append(_make_case("claims", identity, of_claim))
    return _make_suite("claims", cases)


def _make_case(group: str, name: str, changes: Sequence[Change]) -> ElementTree.Element:
    case = ElementTree.Element("testcase", classname=_clean(group), name=_clean(name))
    for change in changes:
        if change.regression:
            failure = ElementTree.SubElement(case, "failure", message=_clean(change.text))
            failure.text = _clean(f"{change.place}: {change.text}")
    said = "\n".join(change.text for change in changes if not change.regression)
    if said:
        _add_output(case, said)
    return case


def _add_output(case: ElementTree.Element, text: str) -> None:
    output = case.find("system-out")
    if output is None:
        output = ElementTree.SubElement(case, "system-out")
    output.text = "\n".join(filter(None, (output.text, _clean(text))))


def _make_suite(name: str, cases: Sequence[ElementTree.Element]) -> ElementTree.Element:
    suite = ElementTree.Element("testsuite", name=name, tests=str(len(cases)), errors="0")
    for key, tag in (("failures", "failure"), ("skipped", "skipped")):
        suite.set(key, str(sum(case.find(tag) is not None for case in cases)))
    suite.extend(cases)
    return suite


def _clean(text: str) -> str:
    """Drop what XML cannot hold; names of folders may hold anything."""
    return _NOT_IN_XML.sub("�", text)


# --- Markdown -------------------------------------------------------------------------------------


def format_markdown(outcome: CheckOutcome) -> str:
    """Return the summary of a check as Markdown: what got worse first."""
    lines = ["## benchbox check", ""]
    if outcome.has_failed:
        lines.append("**Failed:** results got worse.")
    else:
        lines.append("**Passed:** nothing got worse.")
    if outcome.baseline:
        lines += ["", f"{outcome.baseline.describe()}."]
    else:
        lines += ["", f"{len(outcome.runs)} runs, held against no baseline."]
    worse = [change for change in outcome.changes if change.regression]
    changed = [change for change in outcome.changes if not change.regression]
    for key, changes in (("worse", worse), ("changed", changed)):
        if changes:
            lines += ["", f"### {_TITLES[key]}", "", "| where | what |", "|---|---|"]
            lines += [f"| {_cell(change.place)} | {_cell(change.text)} |" for change in changes]
    lines += _claim_lines(outcome.check)
    if outcome.notes:
        lines += ["", "### Notes", "", *(f"- {_cell(note)}" for note in outcome.notes)]
    return "\n".join(lines) + "\n"


def _claim_lines(check: PaperCheck) -> list[str]:
    lines = ["", "### Claims of papers", "", "| verdict | claims |", "|---|---|"]
    lines += [f"| {name} | {count} |" for name, count in check.counts.items()]
    shown = [verdict for verdict in check.verdicts if verdict.verdict not in _SKIPPED]
    if shown:
        lines += ["", "| claim | verdict | claimed | measured | why |", "|---|---|---|---|---|"]
    for verdict in shown:
        cells = (
            words.name_claim(verdict),
            verdict.verdict,
            verdict.claimed,
            words.measured_text(verdict),
            "; ".join(verdict.reasons),
        )
        lines.append(f"| {' | '.join(map(_cell, cells))} |")
    if check.papers:
        lines += ["", "### Printed cells", ""]
        lines += [
            "| paper | cells | measured | comparable | not measured |",
            "|---|---|---|---|---|",
        ]
    for count in check.papers:
        numbers = (count.cells, count.measured, count.comparable, count.not_measured)
        lines.append(f"| {_cell(count.paper)} | {' | '.join(map(str, numbers))} |")
    return lines


def _cell(text: str) -> str:
    """Write a text so that it stays in its cell of a Markdown table and is no markup of its own."""
    for sign in ("\\", "|", "*", "_", "`", "<", "["):
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.split())
