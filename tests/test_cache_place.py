"""Where caches lie, also where nobody has a home."""

from pathlib import Path

import platformdirs
import pytest

from benchbox import cache_place


@pytest.fixture(autouse=True)
def forget():
    cache_place._users_cache.cache_clear()
    yield
    cache_place._users_cache.cache_clear()


def test_the_variable_decides_and_may_name_the_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("BENCHBOX_CACHE", "~/mine")
    assert cache_place.cache_root() == tmp_path / "mine"


@pytest.mark.parametrize("answer", [RuntimeError("no home"), "~/.cache/benchbox"])
def test_without_a_home_caches_lie_below_the_temporary_folder_and_it_is_said_once(
    monkeypatch, capsys, tmp_path, answer
):
    def no_home(name):
        if isinstance(answer, str):
            return answer
        raise answer

    monkeypatch.delenv("BENCHBOX_CACHE", raising=False)
    monkeypatch.setattr(platformdirs, "user_cache_dir", no_home)
    monkeypatch.setattr(cache_place.tempfile, "gettempdir", lambda: str(tmp_path))
    found = cache_place.cache_root()
    assert found.parent == Path(tmp_path)
    assert cache_place.cache_root() == found
    assert capsys.readouterr().err.count("set BENCHBOX_CACHE or HOME") == 1
