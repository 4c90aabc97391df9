"""Habits that people have: -q, -v, NO_COLOR, 80 columns, --json, one headline, one line a step."""

import io
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchbox import progress
from benchbox.cli import main, printing


def call(*words, **options):
    return CliRunner().invoke(main, [str(word) for word in words], **options)


def run_words(world, *more):
    return [
        "run", "--method", "mean-shape", "--protocol", "tiny", "--data", world.data,
        "--results", world.results, *more,
    ]  # fmt: skip


@pytest.fixture
def ran(world):
    done = call(*run_words(world))
    assert done.exit_code == 0, done.output
    return done


def test_a_run_ends_with_its_score_in_one_line_and_fits_80_columns(ran, world):
    (line,) = [line for line in ran.stdout.splitlines() if line.startswith("score: ")]
    assert re.fullmatch(r"score: [0-9.]+ \[[0-9.]+, [0-9.]+\] % NME inter-ocular on unseen", line)
    assert max(map(len, ran.stdout.splitlines()[:-3])) <= 80
    wide = call(*run_words(world), env={"COLUMNS": "140"})
    assert max(map(len, wide.stdout.splitlines())) > 80


def test_a_second_method_is_told_its_rank(ran, world):
    """Trap: the seeds of a variant would be ranked against each other."""
    again = call(*run_words(world, "--seed", "1"))
    assert "would" not in again.stdout
    ids, points = world.tested, world.truth + np.array([1.0, 0.0])
    np.savez(world.results / "p.npz", ids=ids, values=points)
    words = ["score", world.results / "p.npz", "--protocol", "tiny", "--data", world.data]
    words += ["--method", "near", "--results", world.results, "--seen-test", "no"]
    done = call(*words)
    assert done.exit_code == 0, done.output
    third = call(*run_words(world, "--fresh"))
    assert re.search(r"would rank [12] of 2$", third.stdout, re.M), third.stdout


def test_run_as_json_is_one_document(world):
    done = call(*run_words(world, "--json"))
    document = json.loads(done.stdout)
    assert document["protocol"] == "tiny"
    assert document["headline"].startswith(
        f"{document['scores']['unseen']['nme_inter_ocular']['value']:.2f} ["
    )
    assert document["run"].endswith("tiny/mean-shape/mean-shape/0")


def test_quiet_leaves_progress_and_notes_out_but_no_warning(world):
    loud = call(*run_words(world))
    quiet = call(*run_words(world, "-q", "--fresh"))
    assert "12 labelled faces" in loud.stderr
    assert "12 labelled faces" not in quiet.stderr
    assert "note:" not in quiet.stderr
    assert "score: " in quiet.stdout
    assert not progress.is_quiet()
    bad = call("run", "-q", "--method", "none", "--protocol", "tiny")
    assert bad.exit_code == 2
    assert bad.stderr.startswith("error: unknown method 'none'")


def test_quiet_holds_for_notes_of_parts_that_have_no_command_at_hand(capsys):
    """Trap: notes about caches and memory went past -q, straight to stderr."""
    progress.print_note("a cache is damaged")
    progress.set_quiet(True)
    try:
        progress.print_note("a cache is damaged")
    finally:
        progress.set_quiet(False)
    assert capsys.readouterr().err == "note: a cache is damaged\n"
    package = Path(progress.__file__).parent
    for file in {*package.rglob("*.py")} - {Path(progress.__file__)}:
        text = file.read_text(encoding="utf-8")
        assert not re.search(r'(print|stderr\.write)\(\s*f?"note: ', text), file


def test_verbose_says_where_time_goes_and_what_is_behind_an_error(world):
    done = call(*run_words(world, "-v"))
    assert re.search(r"^predict: [0-9.]+ s$", done.stderr, re.M)
    bad = call("show", "protocol", "none", "-v")
    assert bad.exit_code == 2
    assert "Traceback" in bad.stderr
    assert bad.stderr.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in call("show", "protocol", "none").stderr


def test_colour_is_for_terminals_and_no_color_is_honoured(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert call("show", "protocol", "none", color=True).stderr.startswith("\x1b[31merror:")
    assert "\x1b" not in call("show", "protocol", "none").stderr
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in call("show", "protocol", "none", color=True).stderr
    assert printing.paint("ok", "green") == "ok"


def test_results_are_listed_with_scores_sorted_and_filtered(ran, world):
    ids, points = world.tested, world.truth + np.array([1.0, 0.0])
    np.savez(world.results / "p.npz", ids=ids, values=points)
    words = ["score", world.results / "p.npz", "--protocol", "tiny", "--data", world.data]
    call(*words, "--method", "near", "--results", world.results)
    listed = ["list", "results", "--results", world.results]
    done = call(*listed, "--sort", "score")
    lines = done.stdout.splitlines()
    assert lines[0] == "tiny: % NME inter-ocular on unseen"
    assert lines[1].split()[:2] == ["near/submitted", "submitted"]
    assert max(map(len, lines)) <= 80
    card = next(world.site.rglob("tiny.toml"))
    assert call(*listed, "--protocol", card).stdout.splitlines()[0] == lines[0]
    nothing = call(*listed, "--protocol", "another")
    assert "none of the 2 finished runs" in nothing.stderr
    found = json.loads(call(*listed, "--kind", "submitted", "--json").stdout)
    assert [row["method"] for row in found] == ["near"]
    assert found[0]["metric"] == "nme_inter_ocular"
    assert 0 < found[0]["score"] < 5
    assert not json.loads(call(*listed, "--protocol", "300w-*", "--json").stdout)
    assert len(json.loads(call(*listed, "--budget", "quick", "--json").stdout)) == 1


def test_show_as_json(world):
    method = json.loads(call("show", "method", "mean-shape", "--json").stdout)
    assert (method["name"], method["default"]) == ("mean-shape", "mean-shape")
    protocol = json.loads(call("show", "protocol", "tiny", "--json").stdout)
    assert protocol["groups"] == ["unseen"]
    assert "nme_inter_ocular" in protocol["metrics"]


def test_progress_in_a_log_is_one_line_for_a_step(monkeypatch):
    """Trap: a CI log of a training holds a thousand states of one bar."""
    log = io.StringIO()
    monkeypatch.setattr(sys, "stderr", log)
    list(progress.progress_bar(range(9), desc="a moment", unit="face"))
    assert log.getvalue() == ""
    monkeypatch.setattr(progress, "_SHORTEST_S", 0.0)
    with progress.progress_bar(total=1000, desc="decoding", unit="batch") as bar:
        for _ in range(1000):
            bar.update()
    assert re.fullmatch(r"decoding: 1,000 batches in 00:\d\d\n", log.getvalue())
    assert list(progress.progress_bar([1, 2, 3], desc="looking", unit="face")) == [1, 2, 3]
    assert "looking: 3 faces in" in log.getvalue()
    progress.set_quiet(True)
    try:
        list(progress.progress_bar([1], desc="unseen", unit="face"))
    finally:
        progress.set_quiet(False)
    assert "unseen" not in log.getvalue()


@pytest.mark.parametrize(
    ("variable", "words", "wanted"),
    [
        ("run --method mean", "run --method mean", "mean-shape"),
        ("run --protocol 300w-f", "run --protocol 300w-f", "300w-full"),
        ("run --method glsr --variant b", "run --method glsr --variant b", "b1"),
        ("show protocol wf", "show protocol wf", "wflw"),
        ("show method si", "show method si", "sir"),
    ],
)
def test_methods_protocols_and_variants_are_completed(variable, words, wanted):
    count = len(words.split())
    env = {
        "_BENCHBOX_COMPLETE": "bash_complete",
        "COMP_WORDS": f"benchbox {words}",
        "COMP_CWORD": str(count),
    }
    done = CliRunner().invoke(main, [], prog_name="benchbox", env=env)
    offered = [line.partition(",")[2] for line in done.stdout.splitlines()]
    assert wanted in offered, done.output


def test_lists_fit_80_columns_and_a_name_stands_alone_with_its_task():
    """The trap: titles were broken into columns of sixteen letters, and no task was said."""
    methods = call("list", "methods", env={"COLUMNS": "80"}).stdout.splitlines()
    protocols = call("list", "protocols", env={"COLUMNS": "80"}).stdout.splitlines()
    assert max(map(len, methods + protocols)) <= 80
    assert [line for line in methods if line.startswith("glsr  G&LSR (landmarks; ")]
    assert len([line for line in methods if not line.startswith(" ")]) >= 15
    place = protocols.index("300w-common  554 items to test")
    assert protocols[place + 1].strip().startswith("300-W, common test set (HELEN")
    assert "(landmarks); twin synth-300w-common" in protocols[place + 1]
