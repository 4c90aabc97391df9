"""The page "Formats" holds every reader, layout and map, as the readers say them."""

from benchbox.datasets.formats.annotation_writers import WRITERS
from benchbox.layouts import LAYOUTS, MAPS
from benchbox.report.pages.format_tables import format_sections
from benchbox.runs.prediction_formats.prediction_writers import FACTS, TITLES


def test_every_reader_layout_and_map_has_a_row():
    """Trap: a reader that is added and not documented."""
    texts = {title: text for _, title, text in format_sections()}
    assert set(FACTS) == set(TITLES)
    for title, names in (
        ("Annotations", WRITERS),
        ("Layouts", LAYOUTS),
        ("Maps between layouts", MAPS),
    ):
        assert all(f"`{name}`" in texts[title] for name in names)
    assert all(title in texts["Predictions"] for title in TITLES.values())
    rows = [line for line in texts["Annotations"].splitlines() if line.startswith("| LabelMe")]
    assert "| 0.5: its canvas begins at the corner" in rows[0]


def test_no_cell_breaks_its_table():
    for _, _, text in format_sections():
        rows = [line for line in text.splitlines() if line.startswith("|")]
        assert len({line.count("|") for line in rows}) == 1
