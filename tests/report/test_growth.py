"""A growing results folder: what has not changed is not made again, and work grows linearly.

Nothing here depends on a clock; `tests/bench/rendering.py` measures.
"""

import cProfile
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import benchbox
from benchbox import report
from benchbox.papers import reference_rows
from benchbox.protocols import protocol_card
from benchbox.report.pages import run_page
from benchbox.report.site_build import cache, output, site, templates
from benchbox.report.tables import leaderboard
from benchbox.types import Protocol

from .invented import fabricate


@pytest.fixture
def small() -> tuple[Protocol, ...]:
    return protocol_card.load_protocol("300w-challenging"), protocol_card.load_protocol(
        "synth-300w-challenging"
    )


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of all pages that are laid out and printed from now on."""
    paths: list[str] = []
    real = templates.print_page

    def noted(environment: Any, page: Any) -> bytes:
        paths.append(page.path)
        return real(environment, page)

    monkeypatch.setattr(templates, "print_page", noted)
    return paths


def test_a_second_rendering_makes_no_page(tmp_path, small, made):
    results, out = tmp_path / "results", tmp_path / "site"
    fabricate(results, 20, small)
    files = report.render_site(results, out)
    assert len(made) == sum(file.suffix == ".html" for file in files)
    made.clear()
    for path in results.rglob("*"):
        os.utime(path)  # a fresh clone has other times
    report.render_site(results, out)
    assert made == []


@pytest.mark.parametrize(
    "name", ["scores.json", "run.json", "errors.npy", "predictions.npz", "log.csv"]
)
def test_a_changed_file_of_a_run_makes_its_own_pages_anew(tmp_path, small, made, name):
    results, out = tmp_path / "results", tmp_path / "site"
    fabricate(results, 20, small)
    report.render_site(results, out)
    made.clear()
    path = results / "300w-challenging" / "method-000" / "v0" / "3" / name
    content = path.read_bytes()
    path.unlink()  # the runs share their files
    changed = (
        content.replace(b'"schema": 1', b'"schema": 1, "note": 1')
        if name.endswith(".json")
        else content[:-9]
    )
    assert changed != content
    path.write_bytes(changed)
    report.render_site(results, out)
    boards = [path for path in made if path.startswith("protocol/300w-challenging")]
    assert len(boards) == 6  # one for each convention
    page = "run/300w-challenging/method-000/v0/3.html"
    runs = [path for path in made if path.startswith("run/")]
    assert {"index.html", "method/method-000.html", "compare/300w-challenging.html"} <= set(made)
    # the others' pages say a rank among those that are left
    assert all(path.startswith("run/300w-challenging/") for path in runs), "another board's run"
    # it does not fit its record: left out and named, on what every board may rest on
    assert not (out / page).exists()
    assert report.find_stale_files(results, out) == []


def test_changed_references_and_cards_make_their_pages_anew(tmp_path, small, made, monkeypatch):
    results, out = tmp_path / "results", tmp_path / "site"
    fabricate(results, 4, small)
    report.render_site(results, out)
    made.clear()
    none = reference_rows.References({}, ())
    monkeypatch.setattr(reference_rows, "load_references", lambda: none)
    report.render_site(results, out)
    assert {path for path in made if path.startswith("protocol/") and path.count("/") < 2} == {
        f"protocol/{name}.html" for name in protocol_card.protocol_names()
    }
    # charts of methods show printed numbers, the page of claims the papers' titles
    told = ("protocol/", "compare/", "atlas/", "method/", "index", "claims")
    assert all(path.startswith(told) for path in made)
    made.clear()
    cards = [
        replace(card, title="Another") if card == small[0] else card
        for card in protocol_card.read_cards()
    ]
    monkeypatch.setattr(protocol_card, "scan_cards", lambda: (cards, []))
    report.render_site(results, out)
    assert {path for path in made if path.startswith("run/")} == {
        f"run/300w-challenging/method-000/v0/{seed}.html" for seed in (0, 1)
    }
    assert "protocol/300w-challenging.html" in made
    assert "method/method-000.html" in made
    assert report.find_stale_files(results, out) == []


def test_a_page_edited_by_hand_is_found_and_made_anew(tmp_path, small, made):
    results, out = tmp_path / "results", tmp_path / "site"
    fabricate(results, 4, small)
    report.render_site(results, out)
    page = out / "run" / "300w-challenging" / "method-000" / "v0" / "0.html"
    page.write_text(page.read_text().replace("Hardest faces", "Easiest faces"))
    assert report.find_stale_files(results, out) == [
        "run/300w-challenging/method-000/v0/0.html: differs"
    ]
    made.clear()
    report.render_site(results, out)
    assert made == ["run/300w-challenging/method-000/v0/0.html"]
    assert report.find_stale_files(results, out) == []


def test_a_forged_memo_and_manifest_do_not_hide_an_edit(tmp_path, small):
    """The trap: whoever edits a page can edit what lies beside it, too."""
    results, out = tmp_path / "results", tmp_path / "site"
    fabricate(results, 4, small)
    report.render_site(results, out)
    page = out / "protocol" / "300w-challenging.html"
    before = output.content_digest(page.read_bytes())
    page.write_text(page.read_text().replace("method-000", "method-001"))
    for path in (out / "manifest.json", out / ".cache" / "pages.json"):
        assert before in path.read_text()
        path.write_text(path.read_text().replace(before, output.content_digest(page.read_bytes())))
    assert "protocol/300w-challenging.html: differs" in report.find_stale_files(results, out)


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"generator": "@", "pages": {"index.html": 3}}', "[" * 100_000]
)
def test_a_damaged_memo_costs_time_only(tmp_path, small, made, text):
    results, out = tmp_path / "results", tmp_path / "site"
    fabricate(results, 2, small)
    files = report.render_site(results, out)
    (out / ".cache" / "pages.json").write_text(text.replace("@", cache.generator_digest()))
    made.clear()
    assert report.render_site(results, out) == files
    assert "index.html" in made
    assert report.find_stale_files(results, out) == []


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("report/templates/run.html", "Make it again", "Once more"),
        ("report/site_build/templates.py", "_SHORT_CHARS = 22", "_SHORT_CHARS = 2"),
        ("protocols/describe.py", "faces that fail", "failing faces"),
    ],
)
def test_a_changed_generator_is_found_and_makes_all_pages_anew(tmp_path, small, file, old, new):
    """With the memo of the code before it: nothing of that may be believed."""
    results, out = tmp_path / "results", tmp_path / "site"
    fabricate(results, 4, small)
    report.render_site(results, out)
    shutil.copytree(Path(benchbox.__file__).parent, tmp_path / "code" / "benchbox")
    changed = tmp_path / "code" / "benchbox" / file
    assert old in changed.read_text()
    changed.write_text(changed.read_text().replace(old, new))

    def command(*options: str) -> subprocess.CompletedProcess[str]:
        words = [
            sys.executable,
            "-m",
            "benchbox",
            "report",
            "--results",
            str(results),
            "--out",
            str(out),
            *options,
        ]
        surroundings = {**os.environ, "PYTHONPATH": str(tmp_path / "code")}
        return subprocess.run(
            words, cwd=tmp_path, env=surroundings, capture_output=True, text=True, check=False
        )

    stale = command("--check")
    assert stale.returncode == 1, stale.stderr
    assert "differs" in stale.stdout
    assert command().returncode == 0
    assert command("--check").returncode == 0


def test_checking_pages_does_not_load_torch(tmp_path, small):
    results, out = tmp_path / "results", tmp_path / "site"
    fabricate(results, 2, small)
    report.render_site(results, out)
    words = [sys.executable, "-X", "importtime", "-m", "benchbox", "report", "--check"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "benchbox.report.site_build.site" in loaded
    assert not {name.partition(".")[0] for name in loaded} & {
        "torch",
        "cv2",
        "pandas",
        "matplotlib",
    }


def test_work_grows_in_a_straight_line(tmp_path, small):
    """Calls instead of seconds: twice the runs, twice the calls, few when none changed."""
    calls: dict[str, list[int]] = {"first": [], "again": []}
    for size in (100, 200):
        results, out = tmp_path / str(size) / "results", tmp_path / str(size) / "site"
        fabricate(results, size, small)
        for counts in calls.values():
            profile = cProfile.Profile()
            profile.runcall(report.render_site, results, out)
            counts.append(sum(entry.callcount for entry in profile.getstats()))
    assert calls["first"][1] < 2.1 * calls["first"][0]
    assert calls["again"][1] < 2.1 * calls["again"][0]
    assert calls["again"][1] < 0.3 * calls["first"][1]


def test_a_board_of_five_hundred_runs_weighs_less_than_a_megabyte(tmp_path):
    card = protocol_card.load_protocol("300w-full")
    fabricate(tmp_path / "results", 500, (card,), seeds=1)
    planned = site.plan_files(site.gather_sources(tmp_path / "results"))
    board = planned["protocol/300w-full.html"].content()
    assert len(board) < 1_000_000
    text = board.decode()
    table = text[text.index("<tbody>") : text.index("</table>")]
    assert len(set(re.findall(r"run/300w-full/[^\"]+", table))) == 500
    keys = [float(value) for value in re.findall(r'<td class="key">([\d.]+)', table)]
    assert keys == sorted(keys)
    ranks = [int(rank) for rank in re.findall(r'<td class="rank">(\d+)</td>', table)]
    assert ranks == sorted(ranks)
    assert all(rank in (ranks[place - 1], place + 1) for place, rank in enumerate(ranks) if place)


@pytest.mark.parametrize("name", ["300w-full", "wflw"])
def test_rows_of_many_seeds_and_many_groups_stay_below_a_megabyte(tmp_path, name):
    """The trap: 500 rows that are each twice as long.

    The weakest give way, and their number is said.
    """
    fabricate(tmp_path / "results", 1500, (protocol_card.load_protocol(name),), seeds=3)
    board = site.plan_files(site.gather_sources(tmp_path / "results"))[
        f"protocol/{name}.html"
    ].content()
    assert 600_000 < len(board) < 1_000_000
    assert b"weaker rows have no room here" in board


def test_rows_that_a_page_has_no_room_for_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(leaderboard, "_MOST_ROWS", 30)
    fabricate(tmp_path / "results", 40, (protocol_card.load_protocol("300w-challenging"),), seeds=1)
    planned = site.plan_files(site.gather_sources(tmp_path / "results"))
    text = planned["protocol/300w-challenging.html"].content().decode()
    assert "10 weaker rows have no room here" in text
    methods = b"".join(
        file.content() for name, file in planned.items() if name.startswith("method/")
    )
    assert methods.count(b"run/300w-challenging/") == 40


def test_runs_of_a_large_board_say_their_rank_though_made_apart_from_it(
    tmp_path, small, monkeypatch
):
    """The trap: a rank for boards of 120 runs at most; beyond the board's room there is none."""
    monkeypatch.setattr(run_page, "_FEW_RUNS", 5)
    monkeypatch.setattr(leaderboard, "_MOST_ROWS", 8)
    fabricate(tmp_path / "results", 20, small[:1], seeds=1)
    planned = site.plan_files(site.gather_sources(tmp_path / "results"))
    pages = {name: file for name, file in planned.items() if name.startswith("run/")}
    assert {file.group for file in pages.values()} == {"runs 300w-challenging 0"}
    texts = [file.content().decode() for file in pages.values()]
    ranks = [re.search(r"rank (\d+) of the best 8<|weaker than all rows", text) for text in texts]
    assert all(ranks)
    assert sum(found[1] is None for found in ranks) == 12
    assert sorted(int(found[1]) for found in ranks if found[1])[0] == 1


def test_a_chart_shows_variants_before_seeds(tmp_path):
    """Five seeds of each variant: eight curves are eight variants, by their best seeds."""
    fabricate(tmp_path / "results", 40, (protocol_card.load_protocol("300w-challenging"),))
    text = (
        site.plan_files(site.gather_sources(tmp_path / "results"))["protocol/300w-challenging.html"]
        .content()
        .decode()
    )
    curves = next(
        figure
        for figure in re.findall(r"<figure.*?</figure>", text, re.DOTALL)
        if "<h3>Cumulative error distribution" in figure
    )
    chart = re.findall(r'<text class="label[^>]*>([^<]+)</text>', curves)
    assert len(chart) == 8
    assert len({label.partition(", seed")[0] for label in chart}) == 8
