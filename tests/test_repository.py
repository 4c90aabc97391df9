"""Files that a host of repositories reads: workflows that are safe, templates, a citation."""

import re
import tomllib
from pathlib import Path

import pytest

import benchbox

TOP = Path(__file__).parents[1]
WORKFLOWS = sorted((TOP / ".github" / "workflows").glob("*.yml"))
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]


def test_code_of_a_pull_request_never_runs_where_a_token_may_write():
    """Trap: `pull_request_target` with a checkout of the pull request hands out the token."""
    text = (TOP / ".github" / "workflows" / "submission.yml").read_text()
    assert "pull_request_target" in text
    steps = text.partition("steps:")[2]
    assert "ref:" not in steps
    assert "github.event.pull_request.head" not in text
    assert "secrets." not in text
    assert text.index("persist-credentials: false") < text.index("git fetch")
    for block in re.findall(r"run: \|?\n?((?:.+\n?)+?)(?=      - |$)", steps):
        assert "${{" not in block, "a stranger's text must not become part of a script"
    # names that would be read as options or as several words
    assert "'^submissions/[A-Za-z0-9._+=-]+/[a-z0-9._-]+/submission" in text
    taken = steps.partition("git archive FETCH_HEAD")[2]
    assert "pip install ." in taken
    assert "handed-in" in taken


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_no_workflow_has_more_rights_than_it_says(path):
    text = path.read_text()
    assert "\npermissions:\n" in text
    assert "write-all" not in text


def test_every_python_and_both_ends_of_all_ranges_are_tried():
    text = (TOP / ".github" / "workflows" / "tests.yml").read_text()
    least = PROJECT["requires-python"].removeprefix(">=")
    assert f'python: "{least}", resolution: lowest-direct' in text
    for minor in range(int(least.partition(".")[2]), 15):
        assert f'python: "3.{minor}"' in text
    assert "bash .ci/run" in text
    assert "resolution: highest" in text


def test_the_citation_names_this_version():
    text = (TOP / "CITATION.cff").read_text()
    assert f"version: {benchbox.__version__}\n" in text
    assert f"license: {PROJECT['license']}\n" in text


def test_the_site_is_published_and_nothing_else():
    text = (TOP / ".github" / "workflows" / "pages.yml").read_text()
    assert "path: site\n" in text
