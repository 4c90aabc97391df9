"""The way in: what was measured comes first, then what is only printed; gaze counts no faces."""

import re
from dataclasses import replace
from email.message import Message

import pytest

from benchbox.errors import ResultError
from benchbox.metrics import number_format
from benchbox.papers.reference_rows import References
from benchbox.report.inputs import results as stored
from benchbox.report.pages import index_page
from benchbox.report.pages.shared_data import Sources
from benchbox.report.site_build import site


@pytest.fixture
def index(make, demo, demo_references, tmp_path):
    """The index of three cards of one task: only printed, measured, neither.

    Their names would sort otherwise.
    """
    make("demo-a", 0.04, protocol="demo-measured")
    make("demo-a", 0.05, protocol="demo-measured", seed=1)
    rows = tuple(replace(row, protocols=("demo-a-printed",)) for row in demo_references.rows)
    cards = [
        replace(demo, name=name, title=name)
        for name in ("demo-0-neither", "demo-a-printed", "demo-measured")
    ]
    found, problems = stored.read_results(tmp_path / "results")
    sources = Sources(
        tuple(cards), (), replace(demo_references, rows=rows), tuple(found), tuple(problems)
    )
    return site.render_files(sources)["index.html"].decode()


def text_of(index, name):
    """Return the words of a board's row on the index."""
    start = index.index(f'href="protocol/{name}.html"') - 3
    return re.sub(r"<[^>]+>", " ", index[start : index.index("</tr>", start)])


def test_measured_boards_stand_before_printed_ones_before_empty_ones(index):
    places = [
        index.index(f'href="protocol/{name}.html"')
        for name in ("demo-measured", "demo-a-printed", "demo-0-neither")
    ]
    assert places == sorted(places)
    assert index.index("2 further boards on photographs") < places[0]
    assert index.index("1 protocol without a row yet") < places[2]


def test_a_board_names_its_best_measured_row(index):
    words = " ".join(text_of(index, "demo-measured").split())
    assert words.startswith("demo-measured NME, inter-ocular, %")
    assert words.endswith("– 5.48 demo-a the same row 1 1 measured"), "two seeds are one row"


def test_a_board_names_its_best_printed_row(index):
    words = " ".join(text_of(index, "demo-a-printed").split())
    assert "1.00 Delta" in words


def test_a_baseline_leads_no_board(make, demo, demo_card, tmp_path):
    """The trap: what looks at no pixel was called the leader of its board."""
    make("demo-b", 0.04, variant="wide")
    card = replace(demo_card, baseline=True)
    found, problems = stored.read_results(tmp_path / "results")
    sources = Sources((demo,), (card,), References({}, ()), tuple(found), tuple(problems))
    index = site.render_files(sources)["index.html"].decode()
    assert " ".join(text_of(index, "demo-full").split()).endswith("– – – 1 1 measured")
    assert '<span class="tag">baseline</span>' in index


def test_a_number_that_does_not_compare_says_so_beside_it(demo, demo_references):
    row = replace(demo_references.rows[0], protocols=("demo-full",), box="")
    sources = Sources((demo,), (), replace(demo_references, rows=(row,)), (), ())
    words = text_of(site.render_files(sources)["index.html"].decode(), "demo-full")
    assert "not comparable: face box not stated" in words


def test_the_repository_is_linked_where_it_is_known_and_never_invented(demo, monkeypatch):
    sources = Sources((demo,), (), References({}, ()), (), ())
    monkeypatch.setattr(index_page.metadata, "metadata", lambda name: Message())

    def index():
        return site.render_files(sources)["index.html"].decode()

    monkeypatch.delenv("BENCHBOX_REPOSITORY", raising=False)
    assert "Source code" not in index()
    monkeypatch.setenv("BENCHBOX_REPOSITORY", "https://example.org/benchbox")
    assert '<a href="https://example.org/benchbox" rel="noreferrer">Source code</a>' in index()
    monkeypatch.setenv("BENCHBOX_REPOSITORY", "javascript:alert(1)")
    with pytest.raises(ResultError, match="BENCHBOX_REPOSITORY='javascript"):
        index()


@pytest.mark.parametrize(
    ("task", "word"), [("landmarks", "faces"), ("gaze2d", "frames"), ("gaze3d", "samples")]
)
def test_items_have_the_name_of_their_task(demo, task, word):
    assert number_format.item_plural(replace(demo, task=task)) == word
    assert number_format.item_singular(replace(demo, task=task)) == word[:-1]


def test_an_auc_printed_in_per_cent_stands_in_the_column_as_a_fraction(demo, demo_references):
    """The trap: 59.65 in a column of 0.6, sorted to the top."""
    row = replace(
        demo_references.rows[0],
        printed="59.65",
        value=0.5965,
        unit="%",
        metric="auc_0.08_inter_ocular",
        measure="AUC",
    )
    made = site.render_files(Sources((demo,), (), replace(demo_references, rows=(row,)), (), ()))
    assert ">0.5965</td>" in made["protocol/demo-full.html"].decode()
    assert "59.65" not in made["export/demo-full/inter_ocular.csv"].decode()


def test_no_page_of_gaze_counts_faces(make, demo, tmp_path):
    make("demo-a", 0.04)
    make("demo-b", 0.05)
    found, problems = stored.read_results(tmp_path / "results")
    card = replace(
        demo,
        task="gaze3d",
        title="Demo",
        dataset="eth-xgaze",
        notes=(),
        layout="",
        metrics=("error_deg",),
    )
    made = site.render_files(
        Sources((card,), (), References({}, ()), tuple(found), tuple(problems))
    )
    pages = [
        name
        for name in made
        if name.startswith(("protocol/", "run/", "compare/")) and name.endswith(".html")
    ]
    assert len(pages) == 6, "three conventions, two runs, one comparison"
    for name in pages:
        text = re.sub(r"<pre.*?</pre>|<[^>]+>|demo/face_\d\d", " ", made[name].decode(), flags=re.S)
        assert not re.findall(r".{20}\bfaces?\b.{20}", text, re.I), name
        assert "sample" in text
