"""Rendering pages of stored runs: the first time, and again when nothing has changed."""

import pytest

from benchbox import report

from .runs import fabricate
from .sizes import pick

COUNT = pick(6, 1_000)
GROUP = f"pages of {COUNT:,} runs"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages") / "results"
    fabricate(folder, COUNT)
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return tmp_path_factory.mktemp("pages") / "site"


def test_render(results, site, measure):
    made = measure(
        lambda: report.render_site(results, site),
        GROUP,
        "render",
        COUNT,
        "runs/s",
        ours=True,
        rounds=1,
        warmup=0,
    )
    assert len(made) > COUNT


def test_render_again(results, site, measure):
    made = measure(
        lambda: report.render_site(results, site),
        GROUP,
        "again, nothing changed",
        COUNT,
        "runs/s",
        rounds=1,
    )
    assert len(made) > COUNT


def test_check(results, site, measure):
    stale = measure(
        lambda: report.find_stale_files(results, site),
        GROUP,
        "check",
        COUNT,
        "runs/s",
        rounds=1,
        warmup=0,
    )
    assert stale == []
