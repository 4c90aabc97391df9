"""Predictions that came as a file, scored without pictures and kept on demand."""

from pathlib import Path

import numpy as np
import pytest

from benchbox.datasets import split
from benchbox.errors import PluginError, ResultError
from benchbox.protocols import protocol_card
from benchbox.runs import run_data, run_folders, run_outcome, run_plan, score_file
from benchbox.runs.run_identity import OtherRunError
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
    with pytest.raises(PluginError, match="it names a folder of results"):
        score_file.score_predictions_file(file, "tiny", "../mine", world.data, world.results)


def correct_a_test_label(world) -> None:
    """Move one point of a face that is tested."""
    table = world.data / "ytf68" / "training_frames_keypoints.csv"
    lines = table.read_text().splitlines()
    number = next(n for n, line in enumerate(lines) if n and "Train" not in line)
    name, x, *others = lines[number].split(",")
    lines[number] = ",".join([name, str(float(x) + 3), *others])
    table.write_text("\n".join(lines) + "\n")


def test_what_is_submitted_twice_is_the_same_or_refused(world, tmp_path):
    """Trap: scored again after a correction, the first number is returned under the new labels."""

    def submit(file: Path, **options: bool) -> tuple[run_outcome.ScoreResult, list[str]]:
        said: list[str] = []
        scored = score_file.score_predictions_file(
            file, "tiny", "mine", world.data, world.results, said.append, **options
        )
        return scored, said

    file = shifted(world, tmp_path)
    first, _ = submit(file)
    again, said = submit(file)
    assert again.document == first.document
    assert "holds these predictions already" in said[-1]
    with pytest.raises(OtherRunError, match=r"made with another file; --fresh replaces them"):
        submit(spoilt(world, tmp_path, 2))
    correct_a_test_label(world)
    with pytest.raises(OtherRunError, match="other test annotations"):
        submit(file)
    assert submit(file, fresh=True)[0].document != first.document


def test_a_runs_own_predictions_on_other_annotations_are_named(world, tmp_path):
    """Trap: a corrected set gives a trained run another number, which looks like its own."""
    file = shifted(world, tmp_path)
    score_file.score_predictions_file(file, "tiny", "mine", world.data, world.results)
    own = world.results / "tiny" / "mine" / "submitted" / "0" / "predictions.npz"
    assert not any("warning" in line for line in scored(world, own)[1])
    correct_a_test_label(world)
    _, said = scored(world, own)
    assert any("not those that this run was scored with" in line for line in said)


def test_ids_of_another_protocol_are_recognised(world, tmp_path):
    np.savez(tmp_path / "p.npz", ids=np.array(["ibug/image_003_1"]), values=np.zeros((1, 68, 2)))
    with pytest.raises(
        ResultError,
        match=r"unknown to tiny: they look like those of 300w-challenging; try --protocol",
    ):
        score_file.score_predictions_file(tmp_path / "p.npz", "tiny", "mine", world.data)


def scored(world, file: Path) -> tuple[dict, list[str]]:
    said: list[str] = []
    found = score_file.score_predictions_file(file, "tiny", "mine", world.data, say=said.append)
    return found.document, said


def spoilt(world, tmp_path: Path, *rows: int) -> Path:
    """The truth moved by (3, 4) px, some faces of which were lost: zeros."""
    values = world.truth + np.array([3.0, 4.0])
    values[list(rows)] = 0
    np.savez(tmp_path / "lost.npz", ids=np.array(world.tested), values=values)
    return tmp_path / "lost.npz"


def test_zeros_of_a_lost_face_are_failures_and_the_mean_is_that_of_the_others(world, tmp_path):
    """The trap: zeros as coordinates moved a published method from 4.70 to 9.29 %, failed 0."""
    document, said = scored(world, spoilt(world, tmp_path, 2))
    points = np.delete(world.truth, 2, axis=0)
    expected = 100 * np.mean(5 / np.linalg.norm(points[:, 36] - points[:, 45], axis=1))
    scores = document["scores"]["unseen"]
    assert (document["n"], document["failed"]) == (6, 1)
    assert scores["nme_inter_ocular"]["value"] == pytest.approx(expected, rel=1e-6)
    assert scores["fr_0.08_inter_ocular"]["value"] >= 100 / 6
    assert [line for line in said if world.tested[2] in line and "counts as failed" in line]


def test_a_submitted_run_keeps_lost_faces_as_failed(world, tmp_path):
    file = spoilt(world, tmp_path, 1, 4)
    score_file.score_predictions_file(file, "tiny", "mine", world.data, world.results)
    (run,) = run_folders.list_runs(world.results)
    with np.load(run_folders.predictions_file(run.folder)) as stored:
        assert stored["failed"].tolist() == [False, True, False, False, True, False]
        assert np.isnan(stored["values"][[1, 4]]).all()


def test_what_a_run_of_ours_has_left_is_taken_as_it_stands(world, tmp_path):
    """A method says NaN where it has no answer; a collapsed one is not let off."""
    card = protocol_card.load_protocol("tiny")
    index = run_data.open_index(card, world.data, pixels=False)
    truth = split.ground_truth(card, index)
    own = run_folders.predictions_file(tmp_path)
    spoilt(world, tmp_path, 1).rename(own)

    def failed() -> list[bool]:
        read = score_file.read_submitted(own, card, index, truth, run_plan.say_nothing)[0]
        return read.failed.tolist()

    assert failed() == [False, True, False, False, False, False]
    (tmp_path / "run.json").write_text("{}")  # its presence says that the run is finished
    assert failed() == [False] * 6


def test_shares_of_the_picture_are_refused(world, tmp_path):
    np.savez(tmp_path / "p.npz", ids=np.array(world.tested), values=world.truth / 96)
    with pytest.raises(ResultError, match=r"p\.npz: the points of 6 rows .* no pixels"):
        scored(world, tmp_path / "p.npz")


def test_faces_far_off_are_told_with_the_command_that_says_more(world, tmp_path):
    rows = np.roll(np.arange(6), 1)
    np.savez(tmp_path / "p.npz", ids=np.array(world.tested), values=world.truth[rows])
    _, said = scored(world, tmp_path / "p.npz")
    (line,) = [line for line in said if line.startswith("warning: p.npz")]
    assert "the rows are in another order than their ids" in line
    assert line.endswith("benchbox explain p.npz --protocol tiny says more")
