"""Predictions that came as a file, scored without pictures and kept on demand."""

from pathlib import Path

import numpy as np
import pytest

from benchbox.errors import PluginError, ResultError
from benchbox.runs import run_folders, score_file
from benchbox.types import Run


def shifted(world, folder: Path) -> Path:
    points = world.truth
    np.savez(
        folder / "mine.npz",
        ids=np.array(world.tested)[::-1],
        values=points[::-1] + np.array([3.0, 4.0]),
    )
    return folder / "mine.npz"


def test_external_predictions_are_scored_without_pictures_and_nothing_is_written(world, tmp_path):
    """A shift by (3, 4) px is an error of exactly 5 px at every point."""
    file = shifted(world, tmp_path)
    for picture in (world.data / "ytf68" / "training").iterdir():
        picture.unlink()
    before = sorted(tmp_path.rglob("*"))
    found = score_file.score_predictions_file(file, "tiny", "mine", world.data)
    points = world.truth
    expected = 100 * np.mean(5 / np.linalg.norm(points[:, 36] - points[:, 45], axis=1))
    assert found.document["scores"]["unseen"]["nme_inter_ocular"]["value"] == pytest.approx(
        expected, rel=1e-9
    )
    assert found.document["kind"] == "submitted"
    assert sorted(tmp_path.rglob("*")) == before


def test_external_predictions_become_a_submitted_run_when_asked(world, tmp_path):
    file = shifted(world, tmp_path)
    found = score_file.score_predictions_file(file, "tiny", "mine", world.data, world.results)
    (run,) = run_folders.list_runs(world.results)
    assert isinstance(run, Run)
    assert (run.record.kind, run.variant, run.record.seed) == ("submitted", "submitted", None)
    assert run_folders.read_score_document(run) == found.document
    assert run.record.digests.source == run_folders.hash_file(file)
    with pytest.raises(ResultError, match="holds submitted predictions of 'mine'"):
        score_file.score_predictions_file(file, "tiny", "mine", world.data, world.results)
    with pytest.raises(PluginError, match="it names a folder of results"):
        score_file.score_predictions_file(file, "tiny", "../mine", world.data, world.results)


def test_ids_of_another_protocol_are_recognised(world, tmp_path):
    np.savez(tmp_path / "p.npz", ids=np.array(["ibug/image_003_1"]), values=np.zeros((1, 68, 2)))
    with pytest.raises(
        ResultError,
        match=r"unknown to tiny: they look like those of 300w-challenging; try --protocol",
    ):
        score_file.score_predictions_file(tmp_path / "p.npz", "tiny", "mine", world.data)
