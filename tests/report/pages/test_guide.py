"""The documentation inside the site says what the code says."""

import re

from benchbox.datasets import check_table, picture_checks, shape_fit
from benchbox.protocols import protocol_card
from benchbox.report.pages import guide


def test_docstrings_become_headings_blocks_and_tables():
    text = "Title: more.\n\nDefinition\n----------\nWith e::\n\n    a = b\n\nso.\n\n"
    text += "===  ===\na    b\n===  ===\n1    2\n===  ===\n"
    assert guide.docstring_to_markdown(text).splitlines() == [
        *("Title: more.", "", "## Definition", "With e:", "", "```", "a = b", "```", "so.", ""),
        *("```", "===  ===", "a    b", "===  ===", "1    2", "===  ===", "```"),
    ]


def test_metrics_are_defined_by_the_modules_that_compute_them():
    page = guide.build_guide_page("metrics", ())
    text = "".join(page.bodies)
    assert "1 − mean(min(e, T)) / T" in text
    assert "Known differences of other code" in text
    assert "atan2" in text
    assert "::" not in re.sub(r"<(code|pre).*?</\1>", "", text, flags=re.DOTALL)
    assert [anchor for anchor, _, _ in page.sections][:2] == ["landmarks", "gaze"]


def test_every_card_stands_in_words():
    cards = protocol_card.read_cards()
    page = guide.build_guide_page("protocols", cards)
    assert [name for _, _, name in page.sections] == [card.name for card in cards]
    assert len(page.bodies) == len(cards)
    assert protocol_card.describe_protocol(cards[0]).splitlines()[0].split(":")[0] in page.bodies[0]


def test_the_checks_are_those_of_the_code_with_their_limits():
    page = guide.build_guide_page("checks", ())
    text = "".join(page.bodies)
    checks = [check for _, rows in check_table.SECTIONS for check in rows]
    for check in checks:
        assert check.name in text
        assert "|" not in check.looks_at + check.limit + check.evidence + check.outcome
    # header rows aside, a row of the page for each
    assert text.count("<tr>") == len(checks) + len(check_table.SECTIONS)
    assert f"at most {shape_fit.MOST_RESIDUAL} of the face" in text
    assert f"up to {picture_checks.LOOKED_AT:,} to test" in text
    predictions = [title for _, title, _ in page.sections if title.startswith("Predictions: ")]
    assert len(predictions) == 3
    assert "more than half of the points, or all within a" in text


def test_every_guide_is_there_and_names_real_commands():
    from benchbox.cli import main

    for name in guide.GUIDES:
        page = guide.build_guide_page(name, ())
        assert page.title == guide.GUIDES[name]
        for command in re.findall(r"^benchbox ([a-z]+)", "".join(page.bodies), flags=re.MULTILINE):
            assert command in main.commands, (name, command)
