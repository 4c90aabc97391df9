"""Verdicts on papers' claims stand on methods' pages; a changed claim makes those pages anew."""

from dataclasses import replace

import pytest

from benchbox import report
from benchbox.analysis import check_papers
from benchbox.analysis.verdicts import VERDICTS, Verdict
from benchbox.papers import claims, reference_rows
from benchbox.papers.claims import Claims, OrderingClaim
from benchbox.papers.reference_rows import References
from benchbox.protocols import protocol_card
from benchbox.report.pages import claims_page
from benchbox.report.site_build import site

from .invented import fabricate

SYSTEM = "method-000/v0"


@pytest.fixture
def claimed(monkeypatch, demo_references):
    """Return a function that has a paper claim a number for the invented method."""

    def say(printed: str) -> None:
        row = replace(
            demo_references.rows[0],
            method="<Ours>",
            protocols=("300w-challenging",),
            group="challenging",
            printed=printed,
            value=float(printed),
        )
        known = References(demo_references.papers, (row,))
        monkeypatch.setattr(reference_rows, "load_references", lambda: known)
        monkeypatch.setattr(
            claims, "load_claims", lambda: Claims({(row.paper, row.method): SYSTEM}, (), ())
        )

    return say


def test_a_method_page_says_what_check_says_and_follows_the_claim(tmp_path, claimed):
    results, out = tmp_path / "results", tmp_path / "site"
    fabricate(results, 4, (protocol_card.load_protocol("300w-challenging"),))
    claimed("7.77")
    report.render_site(results, out)
    page = out / "method" / "method-000.html"
    (verdict,) = check_papers.check_results(results)
    text = page.read_text()
    assert "&lt;Ours&gt;: challenging" in text
    assert f'<td data-head="Claimed">{verdict.claimed}</td>' in text
    assert f'<td data-head="Measured">{verdict.measured:.4g}' in text
    assert f'<td data-head="Verdict">{verdict.verdict}</td>' in text
    assert "; ".join(verdict.reasons) in text
    assert verdict.reasons == ("smaller budget: quick",)
    claimed("7.78")  # no run has changed
    report.render_site(results, out)
    assert '<td data-head="Claimed">7.78</td>' in page.read_text()
    assert report.find_stale_files(results, out) == []


def test_the_page_of_a_method_that_no_paper_speaks_of_has_no_such_table(
    tmp_path, claimed, monkeypatch
):
    results, out = tmp_path / "results", tmp_path / "site"
    fabricate(results, 4, (protocol_card.load_protocol("300w-challenging"),))
    claimed("7.77")
    monkeypatch.setattr(claims, "load_claims", lambda: Claims({}, (), ()))
    report.render_site(results, out)
    assert "Against the papers" not in (out / "method" / "method-000.html").read_text()


def test_a_claim_that_no_run_speaks_to_is_named_on_the_page_of_claims(
    tmp_path, claimed, monkeypatch
):
    """Trap: the page said how many claims are not measured and never which."""
    results, out = tmp_path / "results", tmp_path / "site"
    fabricate(results, 4, (protocol_card.load_protocol("300w-challenging"),))
    claimed("7.77")
    known = claims.load_claims()
    ordering = OrderingClaim(
        id="none-ran",
        paper=next(iter(known.systems))[0],
        table="Table <9>",
        text="Larger <networks> err less",
        order=("nobody/large", "nobody/small"),
        metric="nme_inter_ocular",
        group="challenging",
        protocols=("300w-challenging",),
    )
    monkeypatch.setattr(claims, "load_claims", lambda: replace(known, orderings=(ordering,)))
    report.render_site(results, out)
    text = (out / "claims.html").read_text()
    folded = text[text.index("Claims that our runs say nothing of") :]
    assert "<li>Larger &lt;networks&gt; err less <span" in folded  # words before ids
    assert "Table &lt;9&gt;; not measured" in folded
    assert "none-ran" not in folded
    assert "not comparable: smaller budget: quick" in folded  # the printed number of <Ours>


def test_a_table_of_one_protocol_asks_for_no_verdict(tmp_path, claimed, monkeypatch):
    """Comparing runs takes seconds; `report --format` shows none of it."""
    results = tmp_path / "results"
    fabricate(results, 2, (protocol_card.load_protocol("300w-challenging"),))
    monkeypatch.setattr(
        check_papers, "judge_runs", lambda *_: pytest.fail("verdicts were asked for")
    )
    assert "method-000" in site.export_table(results, "300w-challenging", "csv")


def test_every_verdict_counts_for_its_claim_against_it_or_not_at_all():
    """The trap: an order that more draws explain was counted among those that hold."""
    said: dict[str, list[str]] = {}
    for name in VERDICTS:
        verdict = Verdict(
            *("ordering", "m", "Table 5", "id: words", "m/a", "300w-full", "full", "nme"),
            *("m/a < m/b", None, None, None, "%", name, ()),
        )
        said.setdefault(claims_page.says(verdict), []).append(name)
    one = " (these faces, one training)"
    assert said == {
        "supported": ["reproduced", "better", "holds", f"holds{one}", "met"],
        "contradicted": ["worse", "does not hold", f"does not hold{one}", "not met"],
        "undecided": [
            "holds (with more draws)",
            "too close to tell",
            "does not hold (with more draws)",
            "not better than a baseline",
        ],
        "": ["not comparable", "not measured"],
    }
