"""Pages made by several processes: the same files in the same order, and every fault told."""

import os
import sys

import pytest

from benchbox.errors import ResultError
from benchbox.report.site_build import parallel
from benchbox.report.site_build.output import SiteFile

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere one process makes all pages"
)


@pytest.fixture(autouse=True)
def three(monkeypatch):
    monkeypatch.setattr(parallel, "_MAX_PROCESSES", 3)
    monkeypatch.setattr(parallel, "_MIN_WORK", 0.0)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(3)))


def files(count, work=1.0):
    return {
        f"{k}.html": SiteFile(str, lambda k=k: str(k).encode(), f"group {k % 5}", work)
        for k in range(count)
    }


def test_files_come_in_their_order_from_three_processes():
    wanted = files(20)
    made = parallel.make_files(wanted, lambda name, file: (file.content(), os.getpid()))
    assert list(made) == list(wanted)
    assert [content for content, _ in made.values()] == [str(k).encode() for k in range(20)]
    makers = {name: maker for name, (_, maker) in made.items()}
    assert len(set(makers.values())) == 3
    assert os.getpid() in makers.values()
    # a group stays together
    assert all(makers[f"{k}.html"] == makers[f"{k + 5}.html"] for k in range(15))


def test_work_is_dealt_evenly():
    wanted = {
        f"{k}.html": SiteFile(str, bytes, str(k), work)
        for k, work in enumerate([8.0, 5.0, 4.0, 3.0, 2.0, 1.0, 1.0])
    }
    shares = parallel._deal_shares(wanted, 3)
    assert sorted(sum(wanted[name].work for name in share) for share in shares) == [8.0, 8.0, 8.0]
    assert sorted(name for share in shares for name in share) == sorted(wanted)
    assert parallel._deal_shares({}, 3) == [[]]


def test_a_fault_that_a_user_can_mend_is_raised_here():
    def make(name, file):
        if name == "7.html":
            raise ResultError("7.html: cannot be written; choose --out DIR")

    with pytest.raises(ResultError, match=r"7.html: cannot be written; choose --out DIR"):
        parallel.make_files(files(20), make)


def test_a_process_that_dies_is_no_success(capfd):
    here = os.getpid()

    def make(name, file):
        if os.getpid() != here:
            raise RuntimeError("a bug")

    with pytest.raises(EOFError):
        parallel.make_files(files(20), make)
    assert "a bug" in capfd.readouterr().err


def test_a_few_files_need_no_process(monkeypatch):
    monkeypatch.setattr(parallel, "_MIN_WORK", 21.0)
    assert set(parallel.make_files(files(20), lambda name, file: os.getpid()).values()) == {
        os.getpid()
    }
