"""Limits of containers are those of the process, whichever version wrote them."""

import pytest

from benchbox.training import memory_limit
from benchbox.training.memory_limit import memory_limit_bytes


@pytest.mark.parametrize(
    ("own", "files", "wanted"),
    [
        ("0::/a/b\n", {"a/memory.max": "5000", "a/b/memory.max": "max"}, 5000),
        ("0::/a/b\n", {"a/memory.max": "5000", "a/b/memory.max": "3000"}, 3000),
        ("0::/outside/seen/from/within\n", {"memory.max": "4000"}, 4000),  # a container's view
        ("4:memory:/x\n1:cpu:/x\n", {"memory/x/memory.limit_in_bytes": "2000"}, 2000),
        ("4:memory:/x\n", {"memory/memory.limit_in_bytes": str(1 << 63)}, 9000),  # v1: no limit
        ("0::/../../etc\n", {"etc/memory.max": "no number"}, 9000),
        ("", {}, 9000),
    ],
)
def test_the_smallest_limit_counts(tmp_path, monkeypatch, own, files, wanted):
    """The trap: a container of 4 GB on a machine of 512 GB keeps 128 GB and is killed."""
    monkeypatch.setattr(memory_limit, "_machine_bytes", lambda: 9000)
    (tmp_path / "own").write_text(own)
    for name, text in files.items():
        file = tmp_path / "groups" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")
    assert memory_limit_bytes(tmp_path / "groups", tmp_path / "own") == wanted


def test_without_groups_it_is_the_machines(tmp_path):
    assert memory_limit_bytes(tmp_path, tmp_path / "none") == memory_limit._machine_bytes()
