"""Locks without fcntl: Windows has none, and imports must not ask for it."""

import ast
import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchbox import file_lock

TOP = Path(__file__).parents[1]
POSIX_ONLY = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}


def top_imports(tree: ast.Module) -> set[str]:
    """The modules that an import of this file needs on every system."""
    names = set()
    for node in tree.body:  # not those inside `if sys.platform …` and functions
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def test_no_import_needs_a_posix_system():
    """Trap: `import fcntl` at the head of run_folders.py: `benchbox list results` ends on Windows
    with a traceback."""
    files = [*TOP.glob("benchbox/**/*.py"), *TOP.glob("methods/**/*.py")]
    assert len(files) > 300
    for file in files:
        found = top_imports(ast.parse(file.read_text(encoding="utf-8"))) & POSIX_ONLY
        assert not found, f"{file.relative_to(TOP)} imports {found}"


@pytest.mark.parametrize(("wait", "mode"), [(True, "LK_LOCK"), (False, "LK_NBLCK")])
def test_windows_locks_one_byte_that_nobody_reads(tmp_path, monkeypatch, wait, mode):
    calls = []
    fake = SimpleNamespace(LK_LOCK="LK_LOCK", LK_NBLCK="LK_NBLCK")
    with (tmp_path / "lock").open("w+") as stream:
        fake.locking = lambda number, how, count: calls.append((how, stream.tell(), count))
        monkeypatch.setitem(sys.modules, "msvcrt", fake)
        monkeypatch.setattr(sys, "platform", "win32")
        windows = importlib.util.module_from_spec(file_lock.__spec__)
        file_lock.__spec__.loader.exec_module(windows)
        stream.write("123")
        windows.lock_file(stream, wait=wait)
        assert calls == [(mode, 1 << 30, 1)]
        assert stream.tell() == 3


def test_a_second_process_does_not_get_the_lock(tmp_path):
    place = tmp_path / "lock"
    with place.open("w") as first, place.open("w") as second:
        file_lock.lock_file(first, wait=False)
        with pytest.raises(BlockingIOError):
            file_lock.lock_file(second, wait=False)
