"""The habits of the house, held by the suite itself: style, types, commands that agree, nothing
foreign committed."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[1]
# committed runs whose truth is not ours to give
# of published predictions on 300w-full scores alone are kept
LICENSED = {"300w-common", "300w-full", "ytf68", "glsr-release", "mpiigaze-small"}
README = (TOP / "README.md").read_text()


def tool(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = Path(sys.executable).with_name(name)
    if not path.exists():
        pytest.skip(f"{name} is not installed here; pip install -e '.[test]' brings it")
    return subprocess.run([path, *arguments], cwd=TOP, capture_output=True, text=True, check=False)


def test_ruff_has_nothing_to_say():
    found = tool("ruff", "check", ".")
    assert found.returncode == 0, found.stdout


def test_ruff_would_format_nothing():
    found = tool("ruff", "format", "--check", ".")
    assert found.returncode == 0, found.stdout


def test_mypy_strict_on_the_package():
    found = tool("mypy")
    assert found.returncode == 0, found.stdout


def test_ci_runs_the_readmes_test_command():
    command = re.search(r"<!-- test -->\s+```\w*\n(.+?)\n```", README, re.S)
    assert command, "the README marks its test command with <!-- test -->"
    assert command[1] in (TOP / ".ci/run").read_text()


def test_every_dependency_has_its_line_in_contributing():
    text = (TOP / "CONTRIBUTING.md").read_text()
    named = re.findall(r'^\s+"([A-Za-z0-9-]+)[><=\[]', (TOP / "pyproject.toml").read_text(), re.M)
    assert len(named) > 10
    missing = {name for name in named if name != "benchbox-faces" and f"`{name}`" not in text}
    assert not missing, f"CONTRIBUTING.md does not say why {sorted(missing)}"


def tracked() -> list[Path]:
    git = shutil.which("git")
    if git is None or not (TOP / ".git").exists():
        pytest.skip("not a git checkout")
    listing = subprocess.run(
        [git, "ls-files", "-z"], cwd=TOP, capture_output=True, text=True, check=True
    ).stdout
    return [TOP / name for name in listing.split("\0") if name]


def test_the_committed_site_is_what_the_committed_results_render():
    from benchbox import report

    git = shutil.which("git")
    own = subprocess.run(
        [git or "true", "status", "--porcelain", "results"],
        cwd=TOP,
        capture_output=True,
        text=True,
        check=False,
    )
    if own.stdout.strip():
        pytest.skip("results/ holds runs that are not committed")
    assert report.find_stale_files(TOP / "results", TOP / "site") == []


def test_the_committed_results_are_no_worse_than_their_baseline():
    """The regression gate, as `benchbox check --baseline results/baseline.json` is."""
    from benchbox.analysis import regression_gate

    results = TOP / "results"
    assert [
        change
        for change in regression_gate.find_changes(results, results / "baseline.json")
        if change.regression
    ] == []


# what hides a point is known once the picture is drawn: minutes for two whole sets
DRAWN_LABELS = ("synth-cofw*", "synth-aflw*")


def test_the_committed_results_are_scored_again_to_the_same(tmp_path):
    """As `benchbox check --rescore` does: runs on rendered faces from their predictions; the others
    where the licensed annotations are. Those on `DRAWN_LABELS` are in a slow test."""
    score_again(tmp_path / "results", shutil.ignore_patterns(*DRAWN_LABELS))


@pytest.mark.slow
def test_the_committed_results_on_drawn_labels_are_scored_again_to_the_same(tmp_path):
    kept = {path for pattern in DRAWN_LABELS for path in (TOP / "results").glob(pattern)}

    def leave_others_out(folder, names):
        if Path(folder) != TOP / "results":
            return []
        return [name for name in names if TOP / "results" / name not in kept]

    assert kept
    score_again(tmp_path / "results", leave_others_out)


def score_again(results, ignore):
    """Copy the runs that are not to be ignored, and score them again."""
    from benchbox.analysis import regression_gate

    shutil.copytree(TOP / "results", results, ignore=ignore)
    data = Path(os.environ.get("BENCHBOX_DATA", TOP / "data"))
    again, left = regression_gate.rescore_runs(results, data)
    assert again == []
    # without the options of a card
    sets = {line.partition("/")[0].partition("+")[0] for line in left}
    assert sets <= LICENSED


def test_no_dataset_file_is_tracked():
    """Public data keep their own terms: no photograph, annotation or weights file of others is in
    the tree."""
    # drawn by the face world; `report --check` draws them again
    own_pictures = {TOP / "docs", TOP / "site" / "face"}
    for path in tracked():
        assert path.suffix not in {
            ".pts",
            ".mat",
            ".h5",
            ".hdf5",
            ".pth",
            ".tar",
            ".safetensors",
            ".pkl",
        }, path
        if path.suffix in {".jpg", ".jpeg", ".png"}:
            assert path.parent in own_pictures, path


def test_no_path_of_a_machine_is_tracked():
    pattern = re.compile(rb"/(home|root|work|Users)/[A-Za-z]")
    for path in tracked():
        if (
            path.is_file()
            and path != Path(__file__)
            and path.suffix not in {".png", ".jpg", ".npz", ".npy"}
        ):
            found = pattern.search(path.read_bytes())
            assert not found, (
                f"{path.relative_to(TOP)} holds a path of a machine: {found and found[0]!r}"
            )


def test_the_version_is_said_once():
    from benchbox import __version__

    assert f'version = "{__version__}"' in (TOP / "pyproject.toml").read_text()
    assert f"## {__version__}" in (TOP / "CHANGELOG.md").read_text()
