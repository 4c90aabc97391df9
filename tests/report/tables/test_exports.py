"""Tables for other programs: every format says what the page says."""

import csv
import io
import json
import re
import shutil
import subprocess
from dataclasses import replace

import pytest

from benchbox import report
from benchbox.errors import ProtocolError, ResultError
from benchbox.papers.reference_rows import Paper, References
from benchbox.plugins import method_card
from benchbox.report.inputs import results as stored
from benchbox.report.tables import exports, leaderboard, ranked_rows


@pytest.fixture
def table(results, demo, demo_card, demo_references):
    found, _ = stored.read_results(results)
    first = leaderboard.build_leaderboard(
        demo, found, demo_references, {demo_card.name: demo_card}
    ).tables[0]
    return ranked_rows.rank_table(first, demo, {result.page + ".html": result for result in found})[
        0
    ]


def test_csv_has_a_line_for_every_row_with_value_and_ends(demo, table):
    lines = list(csv.DictReader(io.StringIO(exports.as_csv(demo, table))))
    assert len(lines) == len(table.rows) + sum(len(part.rows) for part in table.not_comparable)
    second = lines[1]
    assert (second["rank"], second["name"], second["kind"]) == ("1", "demo-a", "trained")
    value = float(second["nme_inter_ocular.full"])
    assert f"{value:.2f}" == "4.99"
    assert second["seeds"] == "0 1"
    assert float(second["nme_inter_ocular.full.std"]) == pytest.approx(
        0.05 * value / 1.025 / 2**0.5, rel=1e-4
    )
    assert lines[2]["nme_inter_ocular.full.std"] == "", "one seed has no spread"
    assert float(second["nme_inter_ocular.full.low"]) == pytest.approx(0.95 * value, rel=1e-5)
    assert second["auc_0.08_inter_ocular.full.low"] == ""
    assert lines[0]["sources"] == "Paper X, Table 1; Paper X, Table 2"
    assert lines[-1]["apart"] == "reported under demo-full+box=ground_truth"


def test_no_column_of_a_csv_is_a_formula(demo, table):
    """Details, sources and reasons come from cards and papers of strangers, too."""
    first = replace(table.rows[0], details=("+cmd|' /C calc'!A0",), not_comparable="@SUM(1)")
    evil = replace(table, rows=(first,), not_comparable=())
    row = next(csv.DictReader(io.StringIO(exports.as_csv(demo, evil))))
    assert [row["details"], row["apart"]] == ["'+cmd|' /C calc'!A0", "'@SUM(1)"]
    numbers = replace(
        table.rows[0],
        cells=tuple(cell and replace(cell, value=-1.5) for cell in table.rows[0].cells),
    )
    negative = replace(table, rows=(numbers,), not_comparable=())
    assert "'-" not in exports.as_csv(demo, negative)  # a number below 0 stays a number


def test_a_name_is_no_formula(demo, table):
    """The trap: a spreadsheet runs what begins with =."""
    evil = replace(table, rows=(replace(table.rows[0], name="=1+1"),), not_comparable=())
    assert next(csv.DictReader(io.StringIO(exports.as_csv(demo, evil))))["name"] == "'=1+1"


def test_json_says_what_the_page_says(demo, table):
    document = json.loads(exports.as_json(demo, table))
    assert (document["protocol"], document["card"], document["convention"]) == (
        "demo-full",
        demo.card,
        "inter_ocular",
    )
    row = document["rows"][1]
    assert row["rank"] == 1
    assert set(row["scores"]) == {"common", "challenging", "full"}
    score = row["scores"]["full"]["nme_inter_ocular"]
    assert score["low"] < score["value"] < score["high"]
    assert score["unit"] == "%"
    assert "rank" not in document["rows"][0]
    assert row["seeds"] == ["0", "1"]
    assert score["std"] > 0
    reach = document["can_tell_from"]
    assert set(reach) == {f"{m}.{g}" for g in demo.groups for m in row["scores"]["full"]}
    assert 0 < reach["nme_inter_ocular.common"] < reach["nme_inter_ocular.challenging"], (
        "ten faces tell less"
    )


def test_markdown_escapes_and_keeps_columns(demo, table):
    evil = replace(table, rows=(replace(table.rows[1], name="a|b*c*<i>"),))
    text = exports.as_markdown(demo, evil)
    assert r"a\|b\*c\*\<i\>" in text
    piped = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.replace(r"\|", "").count("|") for line in piped}) == 1
    assert "Not comparable: parameters changed by hand: loss = l1" in text
    assert "4.99 ± 0.17 (4.74–5.29)" in text
    assert "mean of 2 seeds: 0, 1" in text


def test_latex_marks_the_best_and_the_second_of_what_stands_beside_each_other(demo, table):
    text = exports.as_latex(demo, table)
    rows = [
        line
        for line in text.splitlines()
        if line.endswith(r"\\") and ("demo" in line or "Alpha" in line)
    ]
    assert r"\textbf{4.10}" in rows[0], "the paper's value is the best of the ranking column"
    assert r"\underline{4.99} $\pm$ 0.27 ($\sigma$ 0.17)" in rows[1]
    assert "mean of 2 seeds: 0, 1" in rows[1]
    assert (
        "variant wide, budget paper, 2 of 40 without a prediction, means over 38, one seed: 0"
        in text
    )
    assert r"smallest detectable difference (80 \% power)" in text
    assert not any("demo-e" in row for row in rows), (
        "a row that is not comparable is not in the table"
    )
    assert {row.count("&") for row in rows} == {1 + 3}, "name and groups of the first metric"
    assert "$^{1}$" in rows[0]
    assert r"\par\noindent $^{1}$ a note" in text


def test_latex_breaks_over_pages_and_cites_what_the_bibliography_holds(tmp_path):
    """The trap: a float of 111 rows was 691 pt too tall, and cited nothing."""
    text = report.export_table(tmp_path / "results", "300w-full", "tex", "inter_pupil")
    bibliography = report.export_table(tmp_path / "results", "300w-full", "bib")
    assert r"\begin{longtable}" in text
    cited = set(re.findall(r"\\cite\{([^}]+)\}", text))
    assert cited >= {"glsr", "sir"}
    assert cited <= set(re.findall(r"^@\w+\{([^,]+),", bibliography, re.MULTILINE))
    assert "later-papers" not in bibliography, "a list of other people's figures is no publication"
    assert "author = {}" not in bibliography
    assert "  eprint = {2306.02763}," in bibliography


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a_b & 50 %", r"a\_b \& 50 \%"),
        ("\\x{}", r"\textbackslash{}x\{\}"),
        ("G&LSR_ω", r"G\&LSR\_$\omega$"),
        ("Ωμέγα", r"$\Omega$$\mu$$\epsilon$$\gamma$$\alpha$"),
        ("Dollár, Żak", "Dollár, Żak"),
        ("中\x00 ﬁ", r"\texttt{U+4E2D} fi"),
        ("Ąęł Đŋ Þ ŉ", "Aeł Dn Th 'n"),
        ("ΑΒΓ Λλ ο υς", r"AB$\Gamma$ $\Lambda$$\lambda$ o $\upsilon$$\varsigma$"),
    ],
)
def test_latex_escapes(text, wanted):
    assert exports._escape_tex(text) == wanted


def test_latex_compiles_whatever_letters_a_title_has(tmp_path):
    """The trap: Ð, ę, Α and λ stopped the page with an undefined command."""
    latex = shutil.which("pdflatex")
    if latex is None:
        pytest.skip("no pdflatex (Debian: texlive-latex-recommended)")
    spans = [(0x20, 0x250), (0x370, 0x400), (0x2010, 0x2070), (0x2190, 0x2200), (0x4E2D, 0x4E30)]
    letters = "".join(chr(code) for start, end in spans for code in range(start, end))
    body = "\n\n".join(exports._escape_tex(f"x {letter} x") for letter in letters)
    page = tmp_path / "page.tex"
    head = r"\documentclass{article}\usepackage{booktabs,longtable}\begin{document}"
    page.write_text(head + body + r"\end{document}", encoding="utf-8")
    words = [latex, "-interaction=nonstopmode", "-halt-on-error", page.name]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, check=False, timeout=120)
    text = done.stdout.decode(errors="replace")
    assert done.returncode == 0, re.findall(r"^!.*", text, re.MULTILINE)


def test_bibtex_holds_papers_and_methods(demo_card):
    paper = Paper(
        "paper-x", "X", "100 % & more", "A. One, B. Two", "Venue", "2020", "https://example.org/x"
    )
    text = exports.as_bibtex([paper], [demo_card])
    assert text.count("@inproceedings{") == 2
    assert exports.as_bibtex([replace(paper, authors="", venue="arXiv")], []).startswith("@misc{")
    assert "author = {A. One and B. Two}" in text
    assert r"title = {{100 \% \& more}}" in text
    assert "@inproceedings{demo-b," in text


def test_one_table_is_had_without_a_site(tmp_path):
    text = report.export_table(tmp_path / "results", "300w-full", "csv", "inter_pupil")
    assert "G&LSR_ω" in text
    assert "@article{glsr," in report.export_table(tmp_path / "results", "300w-full", "bib")
    with pytest.raises(ResultError, match="nothing is known under face_size; there is inter_"):
        report.export_table(tmp_path / "results", "300w-full", "csv", "face_size")
    with pytest.raises(ProtocolError):
        report.export_table(tmp_path / "results", "no-such", "csv")


def test_a_line_break_in_a_name_ends_no_row(make, demo, tmp_path):
    """The trap: a Markdown row that a title cuts in two."""
    make("demo-a", 0.04, overrides={"loss": "l1\n| 1 | best"})
    table = leaderboard.build_leaderboard(
        demo, stored.read_results(tmp_path / "results")[0], References({}, ()), {}
    ).tables[0]
    for write in (exports.as_markdown, exports.as_latex):
        text = write(replace(demo, title="Faces\n\n| of mine"), table)
        assert not [line for line in text.splitlines() if line.startswith(("| of", "| 1 | best"))]


def test_what_was_submitted_is_not_the_work_of_the_method_whose_name_it_bears(make, demo, tmp_path):
    make("glsr", 0.04, kind="submitted", variant="submitted", budget=None)
    methods = {card.name: card for card in method_card.read_cards()}
    (row,) = (
        leaderboard.build_leaderboard(
            demo, stored.read_results(tmp_path / "results")[0], References({}, ()), methods
        )
        .tables[0]
        .rows
    )
    assert (row.name, row.year) == ("glsr", "")
