"""A record names the repository of benchbox, whoever calls it."""

import subprocess
from pathlib import Path

import pytest

from benchbox.runs import provenance


@pytest.fixture(scope="module")
def other_repository(tmp_path_factory):
    """Return a repository with one commit that is not benchbox's."""
    folder = tmp_path_factory.mktemp("theirs")
    (folder / "a.txt").write_text("a")
    names = ["-c", "user.name=n", "-c", "user.email=e@example.com"]
    for words in (["init", "-q"], ["add", "a.txt"], [*names, "commit", "-q", "-m", "first"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


@pytest.mark.parametrize(
    ("variable", "inside"),
    [
        ("GIT_DIR", ".git"),
        ("GIT_WORK_TREE", "."),
        ("GIT_INDEX_FILE", ".git/index"),
        ("GIT_OBJECT_DIRECTORY", ".git/objects"),
        ("GIT_CEILING_DIRECTORIES", ""),
    ],
)
def test_a_hook_of_another_repository_does_not_reach_the_record(
    monkeypatch, other_repository, variable, inside
):
    """Trap: git sets these in its hooks, and the record names the hook's repository."""
    before = provenance.code_version(None)
    place = str(other_repository / inside) if inside else str(Path(provenance.__file__).parents[2])
    monkeypatch.setenv(variable, place)
    assert provenance.code_version(None) == before


def test_outside_a_checkout_there_is_no_commit(monkeypatch, other_repository):
    """Trap: an installed package inside somebody else's checkout takes that one's commit."""
    package = other_repository / "venv" / "benchbox" / "runs"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").write_text("")
    monkeypatch.setattr(provenance, "__file__", str(package / "provenance.py"))
    found = provenance.code_version(None)
    assert (found.commit, found.dirty) == (None, None)
