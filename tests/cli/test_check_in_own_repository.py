"""The regression check as somebody else's repository runs it: cards, claims, results and a baseline
of its own, a verdict broken, exit 1 and the XML that a CI shows.

What the guide `check` tells is what happens here.
"""

import csv
import io
import json
import shutil
import subprocess
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner

from benchbox.cli import main
from benchbox.papers.reference_rows import COLUMNS, PAPER_COLUMNS

CODE = """
from pathlib import Path
import numpy as np
from benchbox.datasets import shape_fit

def predictor(weights, device):
    off_px = float(Path(__file__).with_name("off_px.txt").read_text())
    mean = shape_fit.mean_face("ibug68")[:, :2]
    mean = (mean - mean.min(axis=0)) / np.ptp(mean, axis=0)
    def predict(samples):
        faces = [s.box[:2] + mean * (s.box[2:] - s.box[:2]) + off_px for s in samples]
        return np.stack(faces).astype(np.float32)
    return predict
"""
CLAIMS = """
[[systems]]
paper = "ours"
labels = { "Mine" = "mine/v" }
"""
TOLERANCES = """
[[scores]]
metric = "nme_*"
relative = 0.5

[[scores]]
absolute = 1.0
"""


def as_csv(columns, *rows):
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


class Repository:
    """A repository of somebody else's, and the steps that its CI takes."""

    def __init__(self, folder, world):
        self.folder, self.world = folder, world
        self.method = folder / "methods" / "mine"
        self.references = folder / "protocols" / "references"

    def benchbox(self, *words):
        return CliRunner().invoke(main, [*map(str, words), "--results", str(self.results)])

    @property
    def results(self):
        return self.folder / "results"

    def run(self, *more):
        words = ("run", "--method", "mine", "--methods", self.folder / "methods")
        done = self.benchbox(*words, "--protocol", "own", "--data", self.world.data, *more)
        assert done.exit_code == 0, done.output

    def move_answers(self, off_px):
        """Edit the method: all it answers lies so many pixels further right and down."""
        (self.method / "off_px.txt").write_text(str(off_px))

    def check(self, *more):
        files = ("--junit", self.folder / "check.xml", "--markdown", self.folder / "check.md")
        return self.benchbox("check", "--baseline", self.folder / "baseline.json", *files, *more)

    def print_number(self, printed):
        """Write the table of the repository's own paper, with this NME."""
        place = {"dataset": "own", "subset": "unseen", "group": "unseen", "protocols": "own"}
        metric = {"measure": "NME", "metric": "nme_inter_ocular", "unit": "%"}
        row = {"table": "Table 1", "method": "Mine", "own": "1", "value": printed}
        self.references.mkdir(exist_ok=True)
        paper = {"key": "ours", "short": "Ours", "title": "T", "authors": "A", "venue": "V"}
        text = as_csv(PAPER_COLUMNS, {**paper, "year": "2026"})
        (self.references / "papers.csv").write_text(text)
        (self.references / "ours.csv").write_text(as_csv(COLUMNS, {**row, **place, **metric}))
        (self.references / "claims.toml").write_text(CLAIMS)

    def suites(self):
        root = ElementTree.parse(self.folder / "check.xml").getroot()
        return root, {suite.get("name"): suite for suite in root}

    def git(self, *words):
        identity = ("-c", "user.name=CI", "-c", "user.email=ci@example.org")
        command = [shutil.which("git"), *identity, *words]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=True)
        return done.stdout


@pytest.fixture
def repository(world, tmp_path, monkeypatch):
    """A repository with one run that reproduces what its paper prints, and a baseline of it."""
    folder = tmp_path / "repository"
    (folder / "protocols").mkdir(parents=True)
    card = (world.site / "tiny_cards" / "tiny.toml").read_text()
    (folder / "protocols" / "own.toml").write_text(card.replace('name = "tiny"', 'name = "own"'))
    method = world.method("mine", CODE)
    shutil.move(method.parent, folder / "methods")
    monkeypatch.setenv("BENCHBOX_PROTOCOLS", str(folder / "protocols"))
    made = Repository(folder, world)
    made.move_answers(0.0)
    made.run()
    (scores,) = made.results.rglob("scores.json")
    measured = json.loads(scores.read_text())["scores"]["unseen"]["nme_inter_ocular"]["value"]
    made.print_number(f"{measured:.2f}")
    (folder / "tolerances.toml").write_text(TOLERANCES)
    done = made.benchbox("check", "--write-baseline", folder / "baseline.json")
    assert done.exit_code == 0, done.output
    if shutil.which("git"):
        made.git("init", "-q")
        made.git("add", "protocols", "methods", "results", "baseline.json", "tolerances.toml")
        made.git("commit", "-q", "-m", "Results and their baseline")
    return made


def test_what_is_committed_passes_and_says_how_much_it_compared(repository):
    done = repository.check()
    assert done.exit_code == 0, done.output
    assert "reproduced        ours, Table 1: Mine: unseen nme_inter_ocular on own" in done.stdout
    assert "  ours: 1 cells, 1 measured, of which 1 comparable; 0 not measured" in done.stdout
    said = "compared with the baseline: 1 run, digests of 1 as they were; "
    assert said in done.stdout
    assert "nothing got worse" in done.stdout
    root, suites = repository.suites()
    assert root.get("failures") == "0"
    assert set(suites) == {"runs", "claims"}
    (run,) = suites["runs"]
    assert (run.get("classname"), run.get("name")) == ("runs.own", "mine/v/0")
    names = {case.get("name"): case for case in suites["claims"]}
    case = names["ours, Table 1: Mine: unseen nme_inter_ocular on own"]
    assert case.find("failure") is None
    assert case.find("skipped") is None
    summary = (repository.folder / "check.md").read_text()
    assert "**Passed:** nothing got worse." in summary
    assert "| ours | 1 | 1 | 1 | 0 |" in summary


def test_a_worse_method_fails_in_exit_code_xml_and_summary(repository):
    """Somebody edits the method; the run made anew is worse, and reproduces its paper no more.

    A tolerance that lets the error grow by half leaves the broken verdict.
    """
    repository.move_answers(0.2)
    repository.run("--fresh")
    if shutil.which("git"):
        assert "scores.json" in repository.git("status", "--porcelain")
    done = repository.check()
    assert done.exit_code == 1
    root, suites = repository.suites()
    assert int(root.get("failures")) >= 2
    (run,) = suites["runs"]
    messages = [failure.get("message") for failure in run.findall("failure")]
    assert any(message.startswith("unseen nme_inter_ocular was ") for message in messages)
    (claim,) = [case for case in suites["claims"] if case.find("failure") is not None]
    assert claim.find("failure").get("message").startswith("was: reproduced; is: worse (±")
    summary = (repository.folder / "check.md").read_text()
    assert "**Failed:** results got worse." in summary
    assert "### Got worse" in summary
    assert "was: reproduced; is: worse" in summary
    tolerant = repository.check("--tolerances", repository.folder / "tolerances.toml")
    assert tolerant.exit_code == 1
    _, suites = repository.suites()
    assert suites["runs"].get("failures") == "0"
    assert suites["claims"].get("failures") == "1"
    assert tolerant.stdout.count("REGRESSION") == 1
    assert "REGRESSION  cell | ours | Table 1 | Mine: unseen nme_inter_ocular" in tolerant.stdout


def test_a_print_that_is_corrected_is_no_longer_reproduced(repository):
    """No run has changed: the number that they are held against has."""
    repository.print_number("9.99")
    done = repository.check()
    assert done.exit_code == 1
    _, suites = repository.suites()
    failed = [case for case in suites["claims"] if case.find("failure") is not None]
    assert len(failed) == 1
    assert "is no longer judged" in failed[0].find("failure").get("message")


def test_changed_predictions_are_found_by_their_digest(repository):
    (file,) = repository.results.rglob("predictions.npz")
    with np.load(file) as stored:
        arrays = dict(stored)
    arrays["values"] = arrays["values"] + 1
    np.savez(file, **arrays)
    done = repository.check()
    assert done.exit_code == 1
    _, suites = repository.suites()
    assert "cannot be read" in suites["runs"][0].find("failure").get("message")


def test_a_file_that_cannot_be_written_is_named(repository):
    done = repository.benchbox("check", "--junit", repository.folder / "gone" / "check.xml")
    assert done.exit_code == 2
    assert "check.xml: cannot be written" in done.stderr
