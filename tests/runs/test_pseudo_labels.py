"""Pseudo-labels beside a run: errors by hand, what may be published, size, damaged files."""

from dataclasses import replace

import numpy as np
import pytest

from benchbox.datasets.synthetic import ibug300w
from benchbox.errors import PluginError, ResultError
from benchbox.protocols import protocol_card
from benchbox.runs import array_files, execute, pseudo_labels, run_folders, run_plan

CARD = protocol_card.load_protocol("synth-300w-full+labelled=0.1")


@pytest.fixture(scope="module")
def index():
    return ibug300w.tiny(train=16, test=2)


def left(folder, index, name="round1.cpm", shift_px=3.0, **changes):
    """Write a recipe's file: the training faces' true points, moved.

    The first half of the scores is the best.
    """
    rows = np.flatnonzero(index.parts == "train")
    held = {
        "ids": index.ids[rows],
        "round": np.array(1),
        "student": np.array("cpm"),
        "scores": -np.arange(len(rows), dtype=np.float32),
        "accepted": np.arange(len(rows)) < len(rows) // 2,
        "points": index.values[rows] - index.origin + [shift_px, 0.0],
    } | changes
    folder.mkdir(exist_ok=True)
    np.savez_compressed(
        folder / f"{name}.npz", **{key: value for key, value in held.items() if value is not None}
    )
    return rows


def test_errors_are_those_of_the_moved_points_over_the_eyes(tmp_path, index):
    rows = left(tmp_path / "raw", index)
    left(tmp_path / "raw", index, "round10.hg", 5.0, round=np.array(10), student=np.array("hg"))
    left(tmp_path / "raw", index, "round2.hg", 4.0, round=np.array(2), student=np.array("hg"))
    found = pseudo_labels.gather_pseudo_labels(tmp_path / "raw", CARD, index, ours=True)
    # not as texts sort
    assert (found.rounds.tolist(), found.students.tolist()) == ([1, 2, 10], ["cpm", "hg", "hg"])
    eyes = np.linalg.norm(index.values[rows, 36] - index.values[rows, 45], axis=1)
    assert found.errors == pytest.approx(np.array([3.0, 4.0, 5.0])[:, None] / eyes, rel=1e-6)
    assert found.metric == "nme_inter_ocular"
    assert found.accepted.sum() == 3 * 8
    assert found.scores[0, :3].tolist() == [0, -1, -2]


def test_points_come_back_in_the_frame_of_the_data_set(tmp_path, index):
    """Recipes work in the pixel frame; 300-W counts from 1.

    An origin forgotten is an error of 1.14 points of NME.
    """
    counted = replace(index, values=index.values + 1, origin=1.0)
    left(tmp_path / "raw", counted, shift_px=0.0)
    found = pseudo_labels.gather_pseudo_labels(tmp_path / "raw", CARD, counted, ours=True)
    assert np.abs(found.errors).max() < 1e-9
    assert found.points[0, 0] == pytest.approx(counted.values[0])
    assert found.truth[0, 0] == pytest.approx(counted.values[0])


def test_examples_are_the_ends_of_both_parts(tmp_path, index, monkeypatch):
    monkeypatch.setattr(pseudo_labels, "EXAMPLES", 2)
    left(tmp_path / "raw", index, accepted=np.arange(16) < 3)
    found = pseudo_labels.gather_pseudo_labels(tmp_path / "raw", CARD, index, ours=True)
    assert found.shown.tolist() == [[0, 1, 2, 3, 4, 14, 15, -1]]
    assert np.isnan(found.points[0, -1]).all()
    assert not np.isnan(found.points[0, :-1]).any()


def test_points_of_other_peoples_pictures_are_not_kept(tmp_path, index):
    left(tmp_path / "raw", index)
    found = pseudo_labels.gather_pseudo_labels(tmp_path / "raw", CARD, index, ours=False)
    assert found.points is found.truth is None
    pseudo_labels.write_pseudo_labels(tmp_path / "kept.npz", found)
    with np.load(tmp_path / "kept.npz", allow_pickle=False) as kept:
        assert not {"points", "truth"} & set(kept.files)
        assert not any(kept[name].ndim > 2 for name in kept.files)


def test_a_face_without_truth_has_no_error(tmp_path, index):
    values = index.values.copy()
    values[index.ids == "train/00004"] = np.nan
    left(tmp_path / "raw", index)
    found = pseudo_labels.gather_pseudo_labels(
        tmp_path / "raw", CARD, replace(index, values=values), ours=True
    )
    assert np.flatnonzero(np.isnan(found.errors[0])).tolist() == [4]


def test_many_faces_are_thinned_evenly(tmp_path, index, monkeypatch):
    monkeypatch.setattr(pseudo_labels, "MAX_FACES", 6)
    left(tmp_path / "raw", index)
    found = pseudo_labels.gather_pseudo_labels(tmp_path / "raw", CARD, index, ours=True)
    assert (len(found.ids), found.total) == (6, 16)
    assert found.ids.tolist() == [f"train/{k:05d}" for k in (0, 3, 6, 9, 12, 15)]
    assert found.points[0, 1] == pytest.approx(index.values[3] + [3.0, 0.0])


def test_what_is_written_is_read_back_and_has_the_same_bytes_each_time(tmp_path, index):
    left(tmp_path / "raw", index)
    found = pseudo_labels.gather_pseudo_labels(tmp_path / "raw", CARD, index, ours=True)
    for name in ("a.npz", "b.npz"):
        pseudo_labels.write_pseudo_labels(tmp_path / name, found)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    again = pseudo_labels.read_pseudo_labels(tmp_path / "a.npz")
    for key in ("errors", "scores", "points", "truth"):
        assert getattr(again, key) == pytest.approx(getattr(found, key), rel=1e-6, nan_ok=True)
    for key in ("ids", "rounds", "students", "accepted", "shown"):
        assert getattr(again, key).tolist() == getattr(found, key).tolist()
    assert (again.metric, again.total) == ("nme_inter_ocular", 16)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"accepted": None}, "accepted is missing; it must hold ids, round"),
        ({"scores": np.full(16, np.nan)}, "a score is no number"),
        ({"scores": np.zeros(3)}, "arrays are not as"),
        (
            {"ids": np.array([f"face {k}" for k in range(16)])},
            "'face 0' is no face of synth-300w-full",
        ),
        ({"ids": np.array([object()] * 16)}, "holds pickled objects, which are refused"),
    ],
)
def test_a_recipe_that_leaves_something_else_is_told(tmp_path, index, changes, message):
    left(tmp_path / "raw", index, **changes)
    with pytest.raises(PluginError, match=message):
        pseudo_labels.gather_pseudo_labels(tmp_path / "raw", CARD, index, ours=True)


def test_files_about_different_faces_are_refused(tmp_path, index):
    left(tmp_path / "raw", index)
    left(tmp_path / "raw", index, "round1.hg", ids=index.ids[:16][::-1])
    with pytest.raises(PluginError, match="about different faces"):
        pseudo_labels.gather_pseudo_labels(tmp_path / "raw", CARD, index, ours=True)


@pytest.mark.parametrize(
    "damage",
    [
        {"accepted": np.zeros((1, 3), bool)},
        {"shown": np.full((1, 24), 99)},
        {"metric": None},
        {"truth": 1.0},
    ],
)
def test_a_damaged_file_is_no_number(tmp_path, index, damage):
    left(tmp_path / "raw", index)
    pseudo_labels.write_pseudo_labels(
        tmp_path / "a.npz",
        pseudo_labels.gather_pseudo_labels(tmp_path / "raw", CARD, index, ours=True),
    )
    with np.load(tmp_path / "a.npz") as held:
        arrays = dict(held) | damage
    np.savez(
        tmp_path / "b.npz", **{key: value for key, value in arrays.items() if value is not None}
    )
    with pytest.raises(ResultError, match="run again with --fresh"):
        pseudo_labels.read_pseudo_labels(tmp_path / "b.npz")


def test_no_files_no_pseudo_labels(tmp_path, index):
    assert pseudo_labels.gather_pseudo_labels(tmp_path / "none", CARD, index, ours=True) is None


LABELLING = """
import numpy as np
def train(job):
    folder = job.out / "pseudo_labels"
    folder.mkdir()
    ids = np.array([s.id for s in job.unlabelled])
    boxes = np.stack([s.box for s in job.unlabelled])
    points = np.repeat((boxes[:, None, :2] + boxes[:, None, 2:]) / 2, 68, axis=1)
    scores, accepted = np.arange(len(ids)) * 1.0, np.arange(len(ids)) > 1
    about = dict(ids=ids, round=np.array(1), student=np.array(""))
    np.savez(folder / "round1.npz", **about, scores=scores, accepted=accepted, points=points)
def predictor(weights, device):
    return lambda samples: np.zeros((len(samples), 68, 2))
"""


def test_a_run_keeps_them_beside_its_predictions_and_in_its_digests(world):
    """ytf68 is other people's: scores and errors are kept, points are not.

    `--fresh` takes them away with the rest.
    """
    card = world.site / "tiny_cards" / "tiny.toml"
    card.write_text(card.read_text().replace("labelled = 1.0", "labelled = 0.5"))
    world.method("labelling", LABELLING)
    asked = run_plan.RunRequest(
        method="labelling", protocol="tiny", budget="smoke", device="cpu", data=world.data,
        results=world.results, methods=(world.methods,),
    )  # fmt: skip
    place = execute.run_method(asked).run.folder
    found = pseudo_labels.read_pseudo_labels(run_folders.pseudo_labels_file(place))
    assert (found.total, found.accepted.sum()) == (6, 4)
    assert np.isfinite(found.errors).all()
    assert found.points is None
    record = run_folders.read_run(place).record
    assert record.digests.pseudo_labels == array_files.hash_content(place / "pseudo_labels.npz")
    again = execute.run_method(replace(asked, fresh=True)).run
    assert again.record.digests.pseudo_labels == record.digests.pseudo_labels
