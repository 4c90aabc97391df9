"""References: committed rows hold what papers print; a wrong file is refused by line and column."""

import re
from collections import Counter
from pathlib import Path

import pytest

from benchbox.errors import DataError
from benchbox.metrics import metric_names
from benchbox.papers import reference_rows
from benchbox.papers.reference_rows import COLUMNS, PAPER_COLUMNS, ReferenceRow, read_references
from benchbox.protocols import protocol_card

PAPERS = (
    f"{','.join(PAPER_COLUMNS)}\ndemo,Demo,A title,A. Author,Venue,2020,https://example.org/p\n"
)
ROW = {
    "table": "Table 1",
    "method": "M",
    "measure": "NME",
    "dataset": "300-W",
    "subset": "full",
    "normaliser": "inter_ocular",
    "value": "3.40",
    "unit": "%",
    "own": "1",
    "protocols": "300w-full 300w-full+box=ground_truth",
    "group": "full",
    "metric": "nme_inter_ocular",
}


def folder(tmp_path: Path, *rows: dict[str, str], papers: str = PAPERS) -> Path:
    lines = [",".join(COLUMNS)] + [
        ",".join((ROW | row).get(name, "") for name in COLUMNS) for row in rows
    ]
    (tmp_path / "papers.csv").write_text(papers)
    (tmp_path / "demo.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def committed(paper: str, table: str, method: str) -> list[ReferenceRow]:
    rows = reference_rows.load_references().rows
    return [r for r in rows if (r.paper, r.table, r.method) == (paper, table, method)]


def test_a_row_keeps_the_printed_digits(tmp_path):
    row = read_references(folder(tmp_path, {})).rows[0]
    assert (row.printed, row.value, row.line, row.own) == ("3.40", 3.4, 2, True)
    assert row.protocols == ("300w-full", "300w-full+box=ground_truth")


def test_a_dash_is_no_number(tmp_path):
    row = read_references(folder(tmp_path, {"value": ""})).rows[0]
    assert row.value is None
    assert row.printed == ""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"value": "3,40"}, "expected 18"),
        ({"value": "abc"}, r"demo\.csv, line 2, column value: 'abc' is no plain number"),
        ({"value": "nan"}, "column value"),
        ({"value": "340"}, "no NME in %"),
        ({"unit": "percent"}, "column unit: 'percent' is none of"),
        ({"unit": "1"}, "no NME in %"),
        ({"normaliser": "pupils"}, "column normaliser"),
        ({"own": "yes"}, "column own"),
        ({"year": "soon"}, "column year: 'soon' is not a year"),
        ({"method": ""}, "column method: empty"),
        ({"method": " M"}, "blanks around it"),
        ({"protocols": "../x"}, "column protocols: '../x' holds what is no protocol name"),
        ({"protocols": ""}, "column group"),
        ({"metric": "NME"}, "no metric name"),
        ({"metric": "nme_inter_pupil"}, "contradicts the stated normaliser inter_ocular"),
        ({"protocols": "", "group": "", "metric": "", "apart": "why"}, "column apart"),
    ],
)
def test_a_wrong_row_names_line_and_column(tmp_path, change, message):
    with pytest.raises(DataError, match=message):
        read_references(folder(tmp_path, change))


def test_a_contradicted_normaliser_is_allowed_with_its_reason(tmp_path):
    row = read_references(
        folder(tmp_path, {"metric": "nme_inter_pupil", "apart": "the table is wrong"})
    ).rows[0]
    assert row.normaliser == "inter_ocular"
    assert row.metric == "nme_inter_pupil"


def test_the_same_cell_twice_names_both_lines(tmp_path):
    with pytest.raises(DataError, match="line 3: the cell of line 2 again"):
        read_references(folder(tmp_path, {}, {"value": "9.99"}))


def test_a_paper_without_description_is_refused(tmp_path):
    with pytest.raises(DataError, match="does not describe 'demo'"):
        read_references(folder(tmp_path, {}, papers=PAPERS.replace("demo,", "other,")))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("2020", "MMXX", "column year"),
        ("https:", "javascript:", "column url"),
        ("A title", "", "column title"),
    ],
)
def test_a_wrong_paper_is_refused(tmp_path, old, new, message):
    with pytest.raises(DataError, match=message):
        read_references(folder(tmp_path, {}, papers=PAPERS.replace(old, new)))


def test_wrong_columns_and_wrong_bytes_are_refused(tmp_path):
    place = folder(tmp_path, {})
    (place / "demo.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="the columns must be table,method"):
        read_references(place)
    (place / "demo.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="is not a CSV file in UTF-8"):
        read_references(place)
    (place / "demo.csv").write_text(",".join(COLUMNS) + '\n"open')
    with pytest.raises(DataError, match=r"demo\.csv:2: is not a CSV file"):
        read_references(place)


def committed_in(paper, method):
    rows = reference_rows.load_references().rows
    return [row for row in rows if (row.paper, row.method) == (paper, method)]


# --- the committed files --------------------------------------------------------------------------


def test_committed_rows_hold_what_the_papers_print():
    """651 cells of the five papers, and newer figures that other people list."""
    counts = Counter(row.paper for row in reference_rows.load_references().rows)
    assert counts.pop("cross-dataset") == 414
    assert counts == {"glsr": 383, "ts3": 89, "sir": 91, "tat": 85, "sscr": 3, "later-papers": 1120}
    ours = {r.group: r.printed for r in committed("glsr", "Table 8", "G&LSR_ω")}
    assert ours == {"common": "4.52", "challenging": "7.82", "full": "5.17"}
    assert {r.printed for r in committed("sir", "Table 2", "SIR")} == {"4.29", "8.14", "5.04"}
    rows = committed("glsr", "Table 3", "B1")
    boxes = {r.protocols: r.printed for r in rows if r.group == "full"}
    assert boxes == {
        ("300w-full",): "5.72",
        ("300w-full+box=ground_truth",): "5.56",
        ("300w-full+box=mtcnn",): "6.29",
        ("300w-full+box=retinaface",): "6.31",
    }


def test_sbr_in_glsr_table_8_stands_apart_as_inter_ocular():
    """The trap: its numbers are inter-ocular, so in an inter-pupil table it would seem to win."""
    rows = committed("glsr", "Table 8", "SBR")
    assert {r.normaliser for r in rows} == {"inter_pupil"}
    assert {r.metric for r in rows} == {"nme_inter_ocular"}
    assert all("inter-ocular" in r.apart for r in rows)


def test_an_auc_in_percent_is_a_fraction_beside_ours():
    (row,) = [r for r in committed("sir", "Table 3", "SIR") if r.metric == "auc_0.08_inter_ocular"]
    assert (row.printed, row.unit) == ("46.56", "%")
    assert row.value == pytest.approx(0.4656)


def test_calibrated_gaze_rows_are_no_leave_one_person_out():
    """The traps: FAZE's 3.14 is trained on GazeCapture; 2.553 and 2.418 rest on a grid of frames.

    Listed as MPIIGaze, leave one person out, FAZE would lead a board that it was never run on.
    """
    (faze,) = committed_in("later-papers", "FAZE")
    assert (faze.printed, faze.protocols) == ("3.14", ("mpiifacegaze",))
    assert faze.trained_on.startswith("GazeCapture")
    pperle = committed_in("later-papers", "gaze decomposition (pperle)")
    drawn = {row.printed: row.setting.rpartition(" ")[2] for row in pperle}
    assert drawn == {
        **{"2.584": "random", "2.422": "random"},
        **{"2.553": "grid", "2.418": "grid", "2.409": "frames"},
    }
    assert all("last 500" in row.apart for row in (faze, *pperle))


def test_rows_across_datasets_say_how_much_of_the_target_was_seen():
    """The trap: a net adapted to 500 target pictures leads those that saw none."""
    tracks = {
        f"{source}-to-{target}"
        for source in ("eth-xgaze", "gaze360")
        for target in ("mpiifacegaze", "eyediap")
    }
    rows = [r for r in reference_rows.load_references().rows if r.paper == "cross-dataset"]
    printed = [r for r in rows if tracks & set(r.protocols) and "target seen" in r.setting]
    assert len(printed) == 247
    for row in printed:
        seen = row.setting.partition("target seen: ")[2]
        assert (f"saw {seen}" in row.apart) == (seen != "none")
    comparable = [r for r in printed if not r.apart]
    assert not any("PnP-GA" in r.method or "fine-tuned" in r.method for r in comparable)
    # a quarter of what is printed is no better than a constant that knows the target's mean
    errors = [r.value for r in printed if r.protocols[0].endswith("to-eyediap")]
    assert (len(errors), sum(e > 10.04 for e in errors), sum(e > 16.31 for e in errors)) == (
        120,
        31,
        13,
    )


def test_newer_figures_stand_apart_for_their_unknown_boxes():
    rows = [
        r
        for r in reference_rows.load_references().rows
        if r.paper == "later-papers" and r.metric.startswith(("nme", "auc", "fr"))
    ]
    assert len(rows) > 1000
    assert {r.box for r in rows} == {"", "annotated square"}
    assert all(r.year is None or 2012 <= r.year <= 2026 for r in rows)


def test_part_labels_and_unverified_normalisers_stand_apart():
    """Trained with 10 % of the labels is the card's option of that name, never the plain card."""
    for row in reference_rows.load_references().rows:
        share = re.search(r"labels used: ([125]0?)%", row.setting)
        if row.protocols and share:
            assert all(f"+labelled={int(share[1]) / 100:g}" in name for name in row.protocols)
    assert all(r.apart for r in committed("ts3", "Table 1", "MDM"))
    assert all(r.apart for r in committed("glsr", "Table 8", "SA"))


def test_every_tied_row_names_cards_groups_and_metrics_that_exist():
    """The trap: a row tied to a group or an option that no card has would vanish from its page."""
    cards = {
        name: protocol_card.load_protocol(name)
        for row in reference_rows.load_references().rows
        for name in row.protocols
    }
    metrics = {name: set(metric_names.list_metrics(card)) for name, card in cards.items()}
    for row in reference_rows.load_references().rows:
        for name in row.protocols:
            assert row.group in cards[name].groups, (row.paper, row.line)
            assert row.metric in metrics[name], (row.paper, row.line)


def test_the_guide_names_every_gaze_figure_that_no_board_shows():
    """Trap: a collected figure without a card is nowhere to be seen, and nobody says so."""
    rows = reference_rows.load_references().rows
    gaze = [row for row in rows if row.unit in ("deg", "cm") and not row.protocols]
    reasons = ("RT-GENE", "VRGaze", "mean of the four", "GazeCapture")
    counted = [sum(reason in row.dataset for row in gaze) for reason in reasons]
    assert counted == [9, 6, 4, 1]
    assert sum(counted) == len(gaze)
    guide = (Path(__file__).parents[2] / "benchbox/report/site_text/gaze.md").read_text()
    for count, words in zip(
        counted, ("on RT-GENE", "on VRGaze", "means of the four", "of Kannan"), strict=True
    ):
        assert f"| {count} {words}" in guide
