"""Pages made by several processes: the same files in the same order, and every fault told."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool

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
    assert 1 <= len(set(makers.values())) <= 3
    assert os.getpid() not in makers.values()
    # a group stays together
    assert all(makers[f"{k}.html"] == makers[f"{k + 5}.html"] for k in range(15))


def test_the_group_with_the_most_work_comes_first():
    wanted = {
        f"{name}.html": SiteFile(str, bytes, group, work)
        for name, group, work in [("a", "x", 1.0), ("b", "y", 2.5), ("c", "x", 2.0)]
    }
    assert parallel._group_files(wanted) == [["a.html", "c.html"], ["b.html"]]
    assert parallel.make_files({}, lambda name, file: name) == {}


def test_a_fault_that_a_user_can_mend_is_raised_here():
    def make(name, file):
        if name == "7.html":
            raise ResultError("7.html: cannot be written; choose --out DIR")

    with pytest.raises(ResultError, match=r"7.html: cannot be written; choose --out DIR"):
        parallel.make_files(files(20), make)


def test_a_bug_shows_where_it_was():
    here = os.getpid()

    def make(name, file):
        assert os.getpid() != here
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug") as caught:
        parallel.make_files(files(20), make)
    assert "in make" in str(caught.value.__cause__)


def test_a_process_that_dies_is_no_success():
    with pytest.raises(BrokenProcessPool):
        parallel.make_files(files(20), lambda name, file: os._exit(1))


def test_no_file_is_begun_after_a_fault(tmp_path):
    """The trap: a fault is told only when all the rest has been made."""

    def make(name, file):
        (tmp_path / name).write_text("")
        if name == "0.html":
            raise ResultError("stop")
        time.sleep(0.05)

    with pytest.raises(ResultError, match="stop"):
        parallel.make_files(files(200), make)
    assert len(list(tmp_path.iterdir())) < 100


INTERRUPTED = """
import os, pathlib, sys, time
from benchbox.report.site_build import parallel
from benchbox.report.site_build.output import SiteFile
parallel._MIN_WORK = 0.0
os.sched_getaffinity = lambda pid: range(3)
folder = pathlib.Path(sys.argv[1])
def make(name, file):
    (folder / f"{name}.begun").touch()
    time.sleep(0.2)
    (folder / f"{name}.done").touch()
wanted = {str(k): SiteFile(str, bytes, str(k % 5)) for k in range(500)}
try:
    parallel.make_files(wanted, make)
except KeyboardInterrupt:
    sys.exit("stopped")
"""


def begin_interrupted(folder):
    """Start a process whose pool makes files, and wait for the first one."""
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, str(folder)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not list(folder.glob("*.done")):
        assert process.poll() is None
        time.sleep(0.05)
    return process


def test_no_process_outlives_one_that_is_killed(tmp_path):
    process = begin_interrupted(tmp_path)
    process.kill()
    process.communicate(timeout=60)  # ends when the last process has closed stderr


def test_ctrl_c_ends_all_processes_and_leaves_no_half_of_a_file(tmp_path):
    process = begin_interrupted(tmp_path)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, told = process.communicate(timeout=60)
    assert told.strip() == "stopped"
    begun, done = list(tmp_path.glob("*.begun")), list(tmp_path.glob("*.done"))
    assert len(begun) == len(done) < 250
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def test_a_few_files_need_no_process(monkeypatch):
    monkeypatch.setattr(parallel, "_MIN_WORK", 21.0)
    assert set(parallel.make_files(files(20), lambda name, file: os.getpid()).values()) == {
        os.getpid()
    }
