"""One index of several datasets: frames, boxes, parts, and no label where there must be none."""

from dataclasses import replace

import numpy as np
import pytest

from benchbox.datasets import assemble, split
from benchbox.errors import DataError
from benchbox.protocols import protocol_card
from benchbox.types import Access, Index

PRIVATE = replace(
    protocol_card.load_protocol("300w-private"),
    train_parts=("afw",),
    train_expected=6,
    test_expected=3,
    resamples=100,
)


def index(dataset, parts, origin, count=68, boxes=("ground_truth",), start=0):
    rows = len(parts)
    values = np.random.default_rng(rows + start).uniform(20, 80, (rows, count, 2))
    ids = np.array([f"{part}/{start + row}" for row, part in enumerate(parts)])
    return Index(
        dataset=dataset,
        ids=ids,
        parts=np.array(parts, np.str_),
        values=values,
        boxes={name: np.tile([10.0, 10, 90, 90], (rows, 1)) + start for name in boxes},
        clusters=ids,
        read=lambda row: np.full((100, 100, 3), start + row, np.uint8),
        origin=origin,
        variant=f"{dataset} odd" if start else "complete",
        notes=(f"{dataset} note",),
    )


class Fake:
    """A dataset in memory."""

    def __init__(self, found):
        self.found = found
        self.ACCESS = Access(found.dataset, found.dataset, "nowhere", "none", "none", "")

    def index(self, root, *, pixels=True):
        return self.found


@pytest.fixture
def sets(monkeypatch):
    made = {
        "300w-private": Fake(index("300w-private", ["indoor"] * 2 + ["outdoor"], 1.0)),
        "300w": Fake(
            index("300w", ["afw"] * 6 + ["ibug"], 0.0, boxes=("detector", "ground_truth"), start=50)
        ),
        "aflw": Fake(index("aflw", ["train"] * 4 + ["test"], 0.0, 19, ("rect",), start=90)),
        "300vw": Fake(index("300vw", ["train"] * 2 + ["c"], 1.0, start=20)),
    }
    monkeypatch.setattr(assemble, "open_protocol_dataset", lambda p: made[p.dataset])
    monkeypatch.setattr(assemble, "open_dataset", made.__getitem__)
    return made


def test_training_rows_of_another_dataset_come_into_the_frame_of_the_tested_one(sets, tmp_path):
    """Trap: 300-W counts from 1 here and the other from 0.

    Unmoved, every training point is off by one.
    """
    got = assemble.assemble_index(PRIVATE, tmp_path)
    # ibug is not asked for
    assert got.parts.tolist() == ["indoor", "indoor", "outdoor", *["afw"] * 6]
    other = sets["300w"].found
    np.testing.assert_array_equal(got.values[3:], other.values[:6] + 1.0)
    np.testing.assert_array_equal(
        got.boxes["ground_truth"][3:], other.boxes["ground_truth"][:6] + 1.0
    )
    assert np.isnan(got.boxes["detector"][:3]).all()  # no box is made up
    assert (got.read(2)[0, 0, 0], got.read(3)[0, 0, 0]) == (2, 50)
    assert got.variant == "300w 300w odd"
    parts = split.split_index(PRIVATE, got)
    np.testing.assert_allclose(parts.labelled.values, other.values[:6])  # the pixel frame again
    assert (len(parts.labelled), len(parts.test)) == (6, 3)


def test_scoring_reads_the_tested_dataset_alone(sets, tmp_path):
    del sets["300w"]
    got = assemble.assemble_index(PRIVATE, tmp_path, pixels=False, training=False)
    assert len(got.ids) == 3
    assert split.ground_truth(PRIVATE, got).ids.tolist() == got.ids.tolist()


def test_extras_join_without_labels_whatever_points_they_have(sets, tmp_path):
    card = replace(PRIVATE, extra="aflw")
    got = assemble.assemble_index(card, tmp_path)
    parts = split.split_index(card, got)
    assert [sample.id for sample in parts.unlabelled] == [
        "train/90",
        "train/91",
        "train/92",
        "train/93",
    ]
    # 19 points, and nobody may see them
    assert np.isnan(got.values[got.parts == assemble.EXTRA]).all()
    assert len(parts.labelled) == 6
    # aflw's rect, pixel frame
    np.testing.assert_array_equal(parts.unlabelled[0].box, [100, 100, 180, 180])
    assert parts.unlabelled[1].pixels()[0, 0, 0] == 91
    assert "4 pictures of aflw join without labels" in parts.data.notes
    assert parts.data.variant.endswith("aflw 4 of 20000")
    assert parts.data.train == 10
    assert (
        parts.data.fingerprint
        != split.split_index(PRIVATE, assemble.assemble_index(PRIVATE, tmp_path)).data.fingerprint
    )


def test_an_extra_may_be_the_tested_datasets_own_training_part(sets, tmp_path):
    card = replace(
        protocol_card.load_protocol("300vw-c"),
        train_parts=("afw",),
        train_expected=6,
        test_clusters=1,
        groups={"all": ("c",)},
        extra="300vw",
    )
    sets["300vw"].found = replace(sets["300vw"].found, sequences=sets["300vw"].found.clusters)
    parts = split.split_index(card, assemble.assemble_index(card, tmp_path))
    assert [sample.id for sample in parts.unlabelled] == ["train/20", "train/21"]
    assert [sample.id for sample in parts.test] == ["c/22"]


def test_a_box_source_that_is_a_file_must_be_there(sets, tmp_path):
    card = replace(PRIVATE, box="mtcnn")
    with pytest.raises(
        DataError, match=r"there is no file .*300w-private/boxes/mtcnn\.csv; run the detector"
    ):
        assemble.assemble_index(card, tmp_path)
    for name in ("300w-private", "300w"):
        path = tmp_path / name / "boxes/mtcnn.csv"
        path.parent.mkdir(parents=True)
        found = sets[name].found
        path.write_text("id,x0,y0,x1,y1\n" + "".join(f"{key},1,2,30,40\n" for key in found.ids))
    parts = split.split_index(card, assemble.assemble_index(card, tmp_path))
    assert parts.test[0].box.tolist() == [0, 1, 29, 39]  # counted from 1 in the file
    # from 0 in that of the other dataset
    assert parts.labelled.samples[0].box.tolist() == [1, 2, 30, 40]
    assert any("mtcnn boxes from boxes/mtcnn.csv, sha256:" in note for note in parts.data.notes)


def test_points_of_another_layout_are_never_trained_on(sets, tmp_path):
    card = replace(PRIVATE, train_dataset="aflw", train_parts=("train",))
    with pytest.raises(DataError, match=r"aflw has other points than 300w-private"):
        assemble.assemble_index(card, tmp_path)


# --- disturbances through a card ------------------------------------------------------------------


def test_scale_and_translation_touch_test_boxes_only(sets, tmp_path):
    plain = split.split_index(PRIVATE, assemble.assemble_index(PRIVATE, tmp_path))
    card = replace(PRIVATE, scale=0.5, translation=0.1)
    moved = split.split_index(card, assemble.assemble_index(card, tmp_path))
    for one, two in zip(plain.labelled.samples, moved.labelled.samples, strict=True):
        np.testing.assert_array_equal(one.box, two.box)
    for one, two in zip(plain.test, moved.test, strict=True):
        np.testing.assert_allclose(two.box[2:] - two.box[:2], 1.5 * (one.box[2:] - one.box[:2]))
        centre = (two.box[:2] + two.box[2:] - one.box[:2] - one.box[2:]) / 2
        assert np.linalg.norm(centre) == pytest.approx(0.1 * 1.5 * 80)
    np.testing.assert_array_equal(plain.truth.values, moved.truth.values)
    assert plain.data.fingerprint != moved.data.fingerprint


def test_noise_touches_training_labels_only(sets, tmp_path):
    plain = split.split_index(PRIVATE, assemble.assemble_index(PRIVATE, tmp_path))
    card = replace(PRIVATE, noise=10.0)
    noisy = split.split_index(card, assemble.assemble_index(card, tmp_path))
    distance = np.linalg.norm(noisy.labelled.values - plain.labelled.values, axis=-1)
    assert 0 < distance.mean() < distance.max() <= 10 * 80 / 256  # an 80-px face
    np.testing.assert_array_equal(plain.truth.values, noisy.truth.values)


def test_scoring_asks_for_no_box_that_only_training_or_prediction_needs(sets, tmp_path):
    bare = index("300w-private", ["indoor"] * 2 + ["outdoor"] + ["afw"] * 6, 1.0)
    sets["300w-private"].found = replace(bare, boxes={"ground_truth": np.full((9, 4), np.nan)})
    card = replace(PRIVATE, train_dataset="", noise=5.0, scale=0.1)
    with pytest.raises(DataError, match=r"'afw/3' has no ground_truth box to go by"):
        assemble.assemble_index(card, tmp_path)
    truth = split.ground_truth(
        card, assemble.assemble_index(card, tmp_path, pixels=False, training=False)
    )
    np.testing.assert_array_equal(truth.values, bare.values[:3])


def test_rotation_turns_truth_and_picture_of_the_test_and_scoring_agrees(sets, tmp_path):
    card = replace(PRIVATE, rotation=15.0)
    got = split.split_index(card, assemble.assemble_index(card, tmp_path))
    alone = split.ground_truth(
        card, assemble.assemble_index(card, tmp_path, pixels=False, training=False)
    )
    np.testing.assert_allclose(got.truth.values, alone.values)
    plain = sets["300w-private"].found
    corners = (36, 45)
    for row in range(3):
        before, after = plain.values[row, corners, :], got.truth.values[row, corners, :]
        assert np.linalg.norm(before[0] - before[1]) == pytest.approx(
            np.linalg.norm(after[0] - after[1])
        )
        assert not np.allclose(before, after)
    np.testing.assert_allclose(got.labelled.values, sets["300w"].found.values[:6])
    assert (
        got.test[0].cache_key is None
    )  # crops kept of the upright pictures are not taken for these


# --- labelled shares ------------------------------------------------------------------------------


def test_draws_are_kept_and_differ_and_are_recorded():
    parts = ["afw"] * 200 + ["indoor"] * 2 + ["outdoor"]
    whole = index("300w-private", parts, 1.0)
    drawn = []
    for draw in range(3):
        card = replace(PRIVATE, train_dataset="", labelled=0.1, draw=draw)
        got = split.split_index(card, whole)
        assert (len(got.labelled), len(got.unlabelled)) == (20, 180)
        again = split.split_index(card, whole)
        assert [s.id for s in got.labelled.samples] == [s.id for s in again.labelled.samples]
        assert any(
            note.startswith(f"draw {draw}: 20 items keep their labels, sha256")
            for note in got.data.notes
        )
        drawn.append({sample.id for sample in got.labelled.samples})
    assert len(drawn[0] | drawn[1] | drawn[2]) > 45
