"""Row lint: each rule on numbers made for it, and what it finds in the five papers."""

import dataclasses

import pytest

from benchbox.papers import contradictions, reference_rows
from benchbox.papers.reference_rows import ReferenceRow, References
from benchbox.protocols import protocol_card

ROW = ReferenceRow(
    paper="demo",
    line=2,
    table="Table 1",
    method="M",
    cites="[1]",
    setting="",
    dataset="300-W",
    subset="",
    measure="NME",
    normaliser="inter_ocular",
    threshold="",
    printed="4.00",
    value=4.0,
    unit="%",
    own=True,
    year=None,
    protocols=("300w-full",),
    group="full",
    metric="nme_inter_ocular",
    apart="",
    note="",
)


def row(printed: str, **changes) -> ReferenceRow:
    value = float(printed) / (
        100 if changes.get("metric", "").startswith("auc") and changes.get("unit") == "%" else 1
    )
    return dataclasses.replace(ROW, printed=printed, value=value, **changes)


def found(*rows: ReferenceRow) -> list[str]:
    numbered = tuple(dataclasses.replace(one, line=line) for line, one in enumerate(rows, start=2))
    return [
        doubt.rule
        for doubt in contradictions.find_contradictions(
            References({}, numbered), protocol_card.read_cards()
        )
    ]


def three(common: str, challenging: str, full: str) -> list[ReferenceRow]:
    return [row(common, group="common"), row(challenging, group="challenging"), row(full)]


def test_full_is_the_weighted_mean_of_its_parts_within_rounding():
    # (554 * 2.98 + 135 * 5.21) / 689 = 3.417
    assert found(*three("2.98", "5.21", "3.42")) == []
    assert found(*three("2.98", "5.21", "3.41")) == []
    assert found(*three("2.98", "5.21", "3.44")) == ["parts"]
    assert found(*three("2.9", "5.2", "3.4")) == []  # fewer digits allow more


@pytest.mark.parametrize(
    ("metric", "printed", "unit", "doubted"),
    [
        ("auc_0.08_inter_ocular", "0.50", "1", False),  # 1 - 4.00/8 = 0.5: the least possible
        ("auc_0.08_inter_ocular", "0.48", "1", True),
        ("auc_0.08_inter_ocular", "48.00", "%", True),
        ("fr_0.08_inter_ocular", "50.00", "%", False),  # as many as Markov allows
        ("fr_0.08_inter_ocular", "52.00", "%", True),
        ("auc_0.1_inter_ocular", "0.48", "1", True),
        ("auc_0.08_inter_pupil", "0.30", "1", False),  # another normaliser says nothing
    ],
)
def test_auc_and_failure_rate_have_bounds(metric, printed, unit, doubted):
    pair = row("4.00", group="common"), row(printed, group="common", metric=metric, unit=unit)
    assert found(*pair) == (["bounds"] if doubted else [])


def test_no_auc_exceeds_one_minus_the_failure_rate():
    rate = row("20.00", group="common", metric="fr_0.08_inter_ocular")
    assert found(rate, row("0.80", group="common", metric="auc_0.08_inter_ocular", unit="1")) == []
    assert found(rate, row("0.82", group="common", metric="auc_0.08_inter_ocular", unit="1")) == [
        "bounds"
    ]


def test_a_failure_rate_counts_whole_faces():
    assert found(row("1.45", metric="fr_0.08_inter_ocular")) == []  # 10 of 689
    assert found(row("1.50", metric="fr_0.08_inter_ocular")) == ["steps"]
    assert found(row("1.5", metric="fr_0.08_inter_ocular")) == []  # within its rounding


def test_units_slip():
    assert found(row("58.11", metric="auc_0.08_inter_ocular", unit="1")) == ["units"]
    assert found(row("0.5811", metric="auc_0.08_inter_ocular", unit="%")) == ["units"]
    assert found(row("0.034")) == ["units"]


def test_a_ratio_of_normalisers_that_no_face_has():
    centres = row("4.00", normaliser="inter_pupil", metric="nme_inter_pupil", table="Table 2")
    assert found(row("4.00"), centres) == ["normalisers"]
    assert found(row("2.86"), centres) == []


def test_printed_twice():
    assert found(row("4.00"), row("4.10", table="Table 2")) == ["twice", "twice"]
    assert found(row("4.00"), row("4.0", table="Table 2")) == []


# --- the papers -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def papers() -> set[tuple[str, str, str, str]]:
    doubts = contradictions.find_contradictions(
        reference_rows.load_references(), protocol_card.read_cards()
    )
    return {
        (doubt.rule, one.paper, one.method, one.printed) for doubt in doubts for one in doubt.rows
    }


@pytest.mark.parametrize(
    ("paper", "method", "full"),
    [
        ("ts3", "SBR", "4.10"),
        ("ts3", "TS3", "5.64"),
        ("ts3", "TS3", "3.78"),
        ("ts3", "CPM only", "8.28"),
        ("ts3", "HG only", "6.25"),
        ("ts3", "CPM only", "6.68"),
        ("glsr", "SSST", "4.54"),
        ("glsr", "DeepReg", "6.31"),
        ("glsr", "G&LSR_ω/L", "3.95"),
    ],
)
def test_the_known_rows_whose_parts_do_not_make_the_whole_are_found(papers, paper, method, full):
    assert ("parts", paper, method, full) in papers


def test_exactly_these_rows_of_the_five_papers_violate_the_weights():
    doubts = contradictions.find_contradictions(
        reference_rows.load_references(), protocol_card.read_cards()
    )
    wholes = {
        (d.rows[-1].paper, d.rows[-1].printed)
        for d in doubts
        if d.rule == "parts" and d.rows[0].paper != "later-papers"
    }
    in_ts3 = {("ts3", printed) for printed in ("4.10", "5.64", "3.78", "8.28", "6.25", "6.68")}
    assert wholes == in_ts3 | {("glsr", printed) for printed in ("4.54", "6.31", "3.95", "4.10")}


def test_sbr_and_mdm_are_found_under_two_normalisers(papers):
    """The trap: inter-ocular figures in an inter-pupil table seem to win."""
    assert ("normalisers", "glsr", "SBR", "7.10") in papers
    assert ("normalisers", "ts3", "MDM", "5.88") in papers


def test_mdm_is_printed_as_5_88_and_as_5_61(papers):
    assert ("twice", "sir", "MDM", "5.61") in papers
    assert ("twice", "sir", "MDM", "5.88") in papers


def test_notes_are_found_by_line():
    doubts = contradictions.find_contradictions(
        reference_rows.load_references(), protocol_card.read_cards()
    )
    texts = contradictions.contradiction_notes(doubts)
    (ssst,) = [
        r
        for r in reference_rows.load_references().rows
        if (r.paper, r.method, r.printed) == ("glsr", "SSST", "4.54")
    ]
    assert texts["glsr", ssst.line] == (
        "full is printed as 4.54, common 3.98 and challenging 7.21 give 4.61",
    )


def test_doubts_become_notes_of_their_rows():
    cards = protocol_card.read_cards()
    noted = {
        (r.paper, r.line): r.note
        for r in contradictions.annotate_references(reference_rows.load_references(), cards).rows
    }
    (mdm,) = [
        r
        for r in reference_rows.load_references().rows
        if (r.paper, r.table, r.method, r.group) == ("sir", "Table 4", "MDM", "full")
    ]
    assert noted["sir", mdm.line].endswith(
        "printed as 5.88 in glsr, Table 8; printed as 5.88 in sir, Table 2"
    )
