"""The synthetic data set: shape of 300-W, and a cache that is trusted only when it is whole."""

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from benchbox.datasets.synthetic import ibug300w
from benchbox.errors import DataError
from benchbox.face_renderer import GENERATOR_VERSION, cache
from benchbox.geometry import tight_box

SMALL = cache.RenderPlan("small", (("train", 5), ("common", 3)))


@pytest.fixture(autouse=True)
def one_worker(monkeypatch):
    """Start one process instead of one per core: a start costs a second, eight faces do not."""
    monkeypatch.setattr(cache.os, "cpu_count", lambda: 1)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """Eight faces in a cache, rendered once for the tests that look at a finished one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCHBOX_CACHE", str(tmp_path_factory.mktemp("cache")))
        cache.load_columns(SMALL, workers=1)
        return cache.cache_folder(SMALL)


@pytest.fixture(scope="module")
def annotations(tmp_path_factory):
    """The whole data set without pixels: geometry alone, a second or two."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("none")
        patch.setenv("BENCHBOX_CACHE", str(folder))
        index = ibug300w.index(Path(), pixels=False)
        assert not any(folder.iterdir())
        return index


@pytest.fixture
def cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCHBOX_CACHE", str(tmp_path))
    return tmp_path / f"face-renderer-v{GENERATOR_VERSION}"


@pytest.fixture
def small_plan(monkeypatch):
    """Let the data set be eight faces, so that the whole path runs in a second or two."""
    monkeypatch.setattr(ibug300w, "PLAN", SMALL)
    monkeypatch.setattr(ibug300w, "SIZES", dict(SMALL.parts))


def test_annotations_have_the_shape_of_300w_and_need_no_picture(annotations):
    index = annotations
    assert index.values.shape == (3148 + 554 + 135, 68, 2)
    assert index.values.dtype == np.float64
    assert {p: int((index.parts == p).sum()) for p in ibug300w.SIZES} == {
        "train": 3148,
        "common": 554,
        "challenging": 135,
    }
    assert index.ids[3148 + 17] == "common/00017"
    assert len(set(index.ids)) == len(index.ids)
    assert index.origin == 0.0
    assert set(index.boxes) == {"detector", "ground_truth"}
    np.testing.assert_allclose(index.boxes["ground_truth"], tight_box(index.values))
    # A person of the training set is never in a test set; some persons have several training faces.
    train, test = index.clusters[index.parts == "train"], index.clusters[index.parts != "train"]
    assert not set(train) & set(test)
    assert 1500 < len(set(train)) < 3148


def test_detector_boxes_err_as_the_official_300w_boxes_do(annotations):
    """datasets.md 1.4: mean IoU of official detector boxes with tight ones .867, .854."""
    index = annotations
    a, b = index.boxes["detector"], index.boxes["ground_truth"]
    sides = np.clip(np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2]), 0, None)
    shared = sides.prod(1)
    union = (a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1) - shared
    overlap = shared / union
    assert overlap[index.parts == "common"].mean() == pytest.approx(0.867, abs=0.02)
    assert overlap[index.parts == "challenging"].mean() == pytest.approx(0.854, abs=0.03)
    assert overlap.min() > 0.4


def test_the_mean_shape_is_far_off_and_farther_on_challenging(annotations):
    """Hard enough that methods differ.

    The mean shape in the box errs by 12-20 % on common, well more on the rest.
    """
    index = annotations
    box = index.boxes["detector"]
    low, size = box[:, None, :2], (box[:, 2:] - box[:, :2])[:, None]
    mean = ((index.values - low) / size)[index.parts == "train"].mean(0)
    apart = np.linalg.norm(index.values[:, 36] - index.values[:, 45], axis=1)
    error = np.linalg.norm(mean * size + low - index.values, axis=2).mean(1) / apart
    common, hard = (error[index.parts == part].mean() for part in ("common", "challenging"))
    assert 0.12 < common < 0.20
    assert 1.5 * common < hard < 0.5


def test_tiny_is_the_same_faces_as_the_whole_set():
    index = ibug300w.tiny(train=2, test=1)
    assert list(index.ids) == ["train/00000", "train/00001", "common/00000", "challenging/00000"]
    assert list(index.parts) == ["train", "train", "common", "challenging"]
    faces = ibug300w.render_faces("train", 1, start=1)
    np.testing.assert_array_equal(index.read(1), faces.images[0])
    np.testing.assert_array_equal(index.values[1], faces.values[0])
    np.testing.assert_array_equal(index.boxes["detector"][1], faces.boxes[0])
    assert index.read(3).shape == (256, 256, 3)
    assert index.read(3).dtype == np.uint8
    assert faces.visible.shape == (1, 68)


def test_what_is_read_may_be_written_to_without_harm():
    index = ibug300w.tiny(train=1, test=1)
    index.read(0)[:] = 0
    assert index.read(0).any()


def test_the_cache_holds_the_same_faces_whoever_rendered_them(cache_folder, small_plan, capfd):
    index = ibug300w.index(Path())
    # progress is shown, and not on standard output
    assert "rendering small" in capfd.readouterr().err
    faces = ibug300w.render_faces("common", 3)
    for row in range(3):
        np.testing.assert_array_equal(index.read(5 + row), faces.images[row])
    np.testing.assert_array_equal(index.values[5:], faces.values)
    assert sorted(p.name for p in cache_folder.iterdir()) == ["small"]
    assert [f.level for f in ibug300w.verify(Path())] == ["ok", "ok"]
    without = ibug300w.index(Path(), pixels=False)
    np.testing.assert_array_equal(without.values, index.values)
    ibug300w.index(Path())
    assert "rendering" not in capfd.readouterr().err  # the second time nothing is rendered


def test_values_are_the_same_with_and_without_pixels(cache_folder, small_plan, rendered):
    bare = ibug300w.index(Path(), pixels=False)
    assert not cache_folder.exists()
    np.testing.assert_array_equal(bare.values, np.load(rendered / "values.npy"))
    np.testing.assert_array_equal(bare.boxes["detector"], np.load(rendered / "detected.npy"))


@pytest.mark.parametrize(
    "name", ["pixels.npy", "values.npy", "detected.npy", "visible.npy", "manifest.json"]
)
def test_a_truncated_cache_is_seen(cache_folder, small_plan, rendered, name):
    shutil.copytree(rendered, cache_folder / "small")
    assert ibug300w.verify(Path())[0].level == "ok"
    path = cache_folder / "small" / name
    os.truncate(path, path.stat().st_size // 2)
    found = ibug300w.verify(Path())
    assert found[0].level == "wrong"
    assert name in found[0].what


def test_a_truncated_cache_is_made_again(cache_folder, small_plan, rendered):
    shutil.copytree(rendered, cache_folder / "small")
    os.truncate(cache_folder / "small" / "pixels.npy", 1000)
    np.testing.assert_array_equal(
        ibug300w.index(Path()).read(4), np.load(rendered / "pixels.npy")[4]
    )
    assert ibug300w.verify(Path())[0].level == "ok"
    assert sorted(p.name for p in cache_folder.iterdir()) == ["small"]


def test_nothing_rendered_yet_is_reported_as_missing(cache_folder, small_plan):
    found = ibug300w.verify(Path())
    assert [f.level for f in found] == ["missing"]
    assert "the first run renders it" in found[0].what


def test_a_cache_folder_that_cannot_be_made_is_one_clear_line(tmp_path, small_plan, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("BENCHBOX_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(DataError, match="set BENCHBOX_CACHE to a folder that can be written"):
        ibug300w.index(Path())


@pytest.fixture
def submitted(monkeypatch):
    """Collect the chunks that are handed to worker processes."""
    chunks = []

    class Pool(cache.ProcessPoolExecutor):
        def submit(self, function, kind, partial, chunk):
            chunks.append(chunk)
            return super().submit(function, kind, partial, chunk)

    monkeypatch.setattr(cache, "ProcessPoolExecutor", Pool)
    return chunks


def test_chunks_that_an_interrupted_maker_finished_are_kept(cache_folder, monkeypatch, submitted):
    """A marker says that a chunk is done; only a chunk with its marker is taken over."""
    monkeypatch.setattr(cache, "CHUNK_SIZE", 1)

    def interrupt_after_two(tasks):
        finished = cache_as_completed(tasks)
        yield next(finished)
        yield next(finished)
        raise KeyboardInterrupt

    cache_as_completed = cache.as_completed
    monkeypatch.setattr(cache, "as_completed", interrupt_after_two)
    with pytest.raises(KeyboardInterrupt):
        cache.load_columns(SMALL, workers=1)
    assert not (cache_folder / "small").exists()
    assert multiprocessing.active_children() == []
    markers = {path.name for path in (cache_folder / "small.partial" / "done").iterdir()}
    assert 2 <= len(markers) < SMALL.count  # what was begun is finished, nothing else is begun
    monkeypatch.setattr(cache, "as_completed", cache_as_completed)
    submitted.clear()
    columns = cache.load_columns(SMALL, workers=1)
    again = {f"{chunk.part}-{chunk.first:05d}" for chunk in submitted}
    assert not again & markers
    assert len(again | markers) == SMALL.count
    for part, start in (("train", 0), ("common", 5)):
        count = dict(SMALL.parts)[part]
        np.testing.assert_array_equal(
            columns["pixels"][start : start + count], ibug300w.render_faces(part, count).images
        )


def test_a_killed_worker_is_one_clear_line_and_its_chunks_are_made_again(cache_folder, monkeypatch):
    monkeypatch.setattr(cache, "CHUNK_SIZE", 1)

    def kill_after_one(tasks):
        finished = cache_as_completed(tasks)
        yield next(finished)
        for process in multiprocessing.active_children():
            process.kill()
        yield from finished

    cache_as_completed = cache.as_completed
    monkeypatch.setattr(cache, "as_completed", kill_after_one)
    plan = cache.RenderPlan("killed", (("train", 40),))
    with pytest.raises(DataError, match="was killed; finished faces are kept, run the command"):
        cache.load_columns(plan, workers=1)
    assert multiprocessing.active_children() == []
    assert not (cache_folder / "killed").exists()


def test_a_fault_in_a_worker_is_told_where_the_set_is_asked_for(cache_folder, monkeypatch):
    monkeypatch.setattr(cache, "_lay_out_columns", lambda plan, partial: None)
    with pytest.raises(
        DataError, match=r"small.*values.npy: cannot be read: there is no such file"
    ):
        cache.load_columns(SMALL, workers=1)


SCRIPT = """
from benchbox.face_renderer import cache
cache.load_columns(cache.RenderPlan("small", (("train", {count}),)), workers=1)
print("made")
"""


def start_script(path: Path, count: int, **options) -> subprocess.Popen[str]:
    path.write_text(SCRIPT.format(count=count))
    return subprocess.Popen([sys.executable, str(path)], text=True, **options)


def wait_until(condition) -> None:
    for _ in range(400):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("waited for 20 s")


def has_chunks(done: Path) -> bool:
    return done.is_dir() and any(done.iterdir())


def test_a_script_without_a_main_guard_renders_once(cache_folder, tmp_path):
    """Trap: spawned processes import the caller's script, which would ask for the set again."""
    process = start_script(
        tmp_path / "script.py", 4, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert output == "made\n"


def test_a_killed_process_leaves_nothing_that_is_trusted(cache_folder, tmp_path):
    process = start_script(
        tmp_path / "script.py", 400, stderr=subprocess.DEVNULL, start_new_session=True
    )
    wait_until(lambda: has_chunks(cache_folder / "small.partial" / "done"))
    process.kill()  # the parent alone: its workers see that it is gone
    process.wait()
    wait_until(lambda: not group_is_alive(process.pid))
    assert not (cache_folder / "small").exists()
    assert cache.find_fault(cache.RenderPlan("small", (("train", 400),))) == "not rendered yet"


def group_is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_ctrl_c_ends_all_processes_with_one_traceback(cache_folder, tmp_path):
    process = start_script(
        tmp_path / "script.py", 400, stderr=subprocess.PIPE, start_new_session=True
    )
    wait_until(lambda: has_chunks(cache_folder / "small.partial" / "done"))
    os.killpg(process.pid, signal.SIGINT)  # as a terminal sends it: to parent and workers
    errors = process.communicate(timeout=60)[1]
    assert errors.count("Traceback") == 1
    assert errors.rstrip().endswith("KeyboardInterrupt")
    wait_until(lambda: not group_is_alive(process.pid))
    assert not (cache_folder / "small").exists()


def test_two_makers_at_once_both_get_the_whole_set(cache_folder):
    """Threads here; processes share nothing but the folder either."""
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: cache.load_columns(SMALL, workers=1), range(2))
    np.testing.assert_array_equal(first["pixels"], second["pixels"])
    np.testing.assert_array_equal(first["pixels"][5:], ibug300w.render_faces("common", 3).images)
    assert cache.find_fault(SMALL) == ""
