"""Files that appear whole or not at all."""

import pytest

from benchbox import atomic_write


def test_a_file_appears_with_all_its_bytes_and_nothing_beside_it(tmp_path):
    path = tmp_path / "a.txt"
    atomic_write.write_whole(path, "Gesicht ☺\n")
    atomic_write.write_whole(path, b"\x00\x01", flush=False)
    assert path.read_bytes() == b"\x00\x01"
    assert list(tmp_path.iterdir()) == [path]


def test_a_fault_half_way_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("before")

    def interrupted():
        with atomic_write.replace_when_done(path) as beside:
            beside.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        atomic_write.write_whole(tmp_path / "nowhere" / "a", "text")


def test_what_killed_writers_left_is_swept_up_and_nothing_else(tmp_path):
    """Trap: each kill leaves a file of some hundred MB beside the checkpoint, for ever."""
    work = tmp_path / "work"
    work.mkdir()
    kept = [tmp_path / "run.json", work / ".lock", work / ".hidden", work / "a.12.34"]
    left = [tmp_path / ".scores.json.12.140236", work / ".stage.pt.7.1"]
    for path in kept + left:
        path.write_text("x")
    atomic_write.remove_leftovers(tmp_path)
    assert all(path.exists() for path in kept)
    assert not any(path.exists() for path in left)
