"""Splits: frames, boxes, completeness, clusters kept whole, names of partial data, fingerprints."""

from dataclasses import replace

import numpy as np
import pytest

from benchbox.datasets import split
from benchbox.datasets.landmarks import ibug300w, ytf68
from benchbox.errors import DataError
from benchbox.protocols import protocol_card
from benchbox.types import Index

CARD = replace(
    protocol_card.load_protocol("300w-full"),
    train_parts=("afw", "helen/trainset"),
    train_expected=40,
    groups={"full": ("helen/testset", "ibug"), "challenging": ("ibug",)},
    test_expected=5,
    validation=0.1,
)


def make(train=40, test=3, hard=2, **changes):
    # test rows before and after training rows
    parts = ["ibug"] * hard + ["afw"] * train + ["helen/testset"] * test
    count = len(parts)
    values = np.random.default_rng(0).uniform(10, 90, (count, 68, 2))
    columns = {
        "dataset": "300w",
        "ids": np.array([f"{part}/{row}" for row, part in enumerate(parts)], np.str_),
        "parts": np.array(parts, np.str_),
        "values": values,
        "boxes": {
            "detector": np.tile([11.0, 21.0, 31.0, 61.0], (count, 1)) + np.arange(count)[:, None],
            "ground_truth": np.tile([1.0, 1.0, 3.0, 3.0], (count, 1)),
        },
        # Pairs of neighbours share a photo.
        "clusters": np.array(
            [f"{part}/photo{row // 2}" for row, part in enumerate(parts)], np.str_
        ),
        "read": lambda row: np.full((4, 4, 3), row, np.uint8),
        "origin": 1.0,
    }
    return Index(**{**columns, **changes})


# --- frames and boxes -----------------------------------------------------------------------------


def test_samples_leave_the_datasets_frame_and_truth_stays_in_it():
    index = make()
    got = split.split_index(CARD, index)
    rows = {str(name): row for row, name in enumerate(index.ids)}
    for number, sample in enumerate(got.labelled.samples):
        row = rows[sample.id]
        np.testing.assert_array_equal(got.labelled.values[number], index.values[row] - 1)
        np.testing.assert_array_equal(sample.box, [10 + row, 20 + row, 30 + row, 60 + row])
    for number, sample in enumerate(got.test):
        row = rows[sample.id]
        np.testing.assert_array_equal(sample.box, [10 + row, 20 + row, 30 + row, 60 + row])
        np.testing.assert_array_equal(got.truth.values[number], index.values[row])


def test_a_sample_of_the_test_set_holds_nothing_of_its_truth():
    sample = split.split_index(CARD, make()).test[0]
    assert (dict(sample.boxes), dict(sample.meta)) == ({}, {})


def test_gaze_has_no_origin_to_subtract():
    index = make(values=np.arange(90, dtype=float).reshape(45, 2))
    got = split.split_index(CARD, index)
    np.testing.assert_array_equal(
        got.labelled.values, index.values[[int(s.id[4:]) for s in got.labelled.samples]]
    )


def test_the_box_is_the_cards_and_grows_about_its_centre():
    index = make()
    box = split.split_index(replace(CARD, box_expansion=1.5), index).test[0].box
    np.testing.assert_allclose(box, [5, 10, 35, 70])  # 20 x 40 about (20, 40) becomes 30 x 60
    box = split.split_index(replace(CARD, box="ground_truth"), index).test[0].box
    np.testing.assert_array_equal(box, [0, 0, 2, 2])


def test_pixels_are_read_when_asked_for_and_belong_to_the_row():
    opened = []

    def read(row):
        opened.append(row)
        return np.full((4, 4, 3), row, np.uint8)

    got = split.split_index(CARD, make(read=read))
    assert opened == []
    for sample in (*got.test, *got.labelled.samples[:3]):
        assert sample.pixels()[0, 0, 0] == int(sample.id.rpartition("/")[2])


def test_the_stamp_is_of_the_row_too_and_absent_where_the_dataset_has_none():
    """A cache key of another row would let a cache hand out another face."""
    got = split.split_index(CARD, make(cache_key=lambda row: f"key {row}"))
    for sample in (*got.labelled.samples, *got.test):
        assert sample.cache_key() == f"key {sample.id.rpartition('/')[2]}"
    assert split.split_index(CARD, make()).test[0].cache_key is None


def test_truth_groups_and_clusters_are_in_the_order_of_the_test_samples():
    index = make()
    got = split.split_index(CARD, index)
    assert got.truth.ids.tolist() == [sample.id for sample in got.test]
    assert got.truth.ids.tolist() == [
        "ibug/0",
        "ibug/1",
        "helen/testset/42",
        "helen/testset/43",
        "helen/testset/44",
    ]
    assert got.truth.groups["full"].all()
    assert got.truth.groups["challenging"].tolist() == [True, True, False, False, False]
    assert got.truth.clusters.tolist()[:2] == ["ibug/photo0", "ibug/photo0"]
    alone = split.ground_truth(CARD, index)
    np.testing.assert_array_equal(alone.values, got.truth.values)


def test_visibility_travels_along():
    visible = np.random.default_rng(1).random((45, 68)) < 0.5
    got = split.split_index(CARD, make(visible=visible))
    np.testing.assert_array_equal(got.truth.visible[:2], visible[:2])
    assert got.labelled.visible.shape == (len(got.labelled), 68)


# --- who trains and who is tested -----------------------------------------------------------------


def names(examples):
    return {
        sample.id for sample in (examples.samples if hasattr(examples, "samples") else examples)
    }


def test_training_validation_and_test_are_apart_and_whole_together():
    got = split.split_index(CARD, make())
    labelled, validation, test = names(got.labelled), names(got.validation), names(got.test)
    assert (len(labelled), len(validation), len(test)) == (36, 4, 5)
    assert len(labelled | validation | test) == 45
    assert len(got.unlabelled) == 0
    # Validation is carved out by whole photos: neighbours on one photo never part.


def test_without_a_share_there_is_no_validation():
    got = split.split_index(replace(CARD, validation=0.0), make())
    assert got.validation is None
    assert len(got.labelled) == 40


def test_the_labelled_share_is_drawn_first_and_holds_the_validation():
    got = split.split_index(replace(CARD, labelled=0.5, validation=0.2), make())
    assert (len(got.labelled), len(got.validation), len(got.unlabelled)) == (16, 4, 20)
    assert len(names(got.labelled) | names(got.validation) | names(got.unlabelled)) == 40
    outside = {
        str(c)
        for c, name in zip(make().clusters, make().ids, strict=True)
        if name in names(got.unlabelled)
    }
    assert not outside & (set(got.labelled.clusters) | set(got.validation.clusters))


def test_ten_per_cent_of_3148_are_314():
    # The count that TS3 states; single faces per cluster leave no remainder.
    clusters = np.array([f"lfpw/{k}" for k in range(3148)], np.str_)
    got = split._divide_training_rows(replace(CARD, labelled=0.1, validation=0.0), clusters)
    counts = (got.labelled.sum(), got.validation.sum(), got.unlabelled.sum())
    assert counts == (314, 0, 2834)


def test_protocols_with_one_training_set_share_one_division():
    # So that one training serves 300w-full, -common and -challenging, boxes aside.
    base = names(split.split_index(CARD, make()).validation)
    other = replace(
        CARD, name="other", groups={"full": ("ibug",)}, test_expected=2, box="ground_truth"
    )
    assert names(split.split_index(other, make()).validation) == base
    assert (
        names(
            split.split_index(
                replace(CARD, train_parts=("helen/trainset", "afw")), make()
            ).validation
        )
        == base
    )


def test_the_division_does_not_hang_on_the_order_of_the_rows():
    index = make()
    back = np.arange(len(index.ids))[::-1]
    turned = replace(
        index,
        ids=index.ids[back],
        parts=index.parts[back],
        values=index.values[back],
        clusters=index.clusters[back],
        boxes={key: boxes[back] for key, boxes in index.boxes.items()},
    )
    assert names(split.split_index(CARD, turned).validation) == names(
        split.split_index(CARD, index).validation
    )


def test_an_item_that_is_there_twice_is_refused():
    index = make()
    ids = index.ids.copy()
    ids[3] = ids[0]  # a test item among the training rows
    with pytest.raises(DataError, match=r"300w: 'ibug/0' is there twice"):
        split.split_index(CARD, replace(index, ids=ids))


def test_a_part_that_is_trained_and_tested_on_is_refused():
    with pytest.raises(DataError, match=r"300w-full: 'ibug/0' would be trained and tested on"):
        split.split_index(replace(CARD, train_parts=("afw", "ibug")), make())


def test_a_photo_with_faces_in_train_and_test_is_noted_and_kept():
    index = make()
    clusters = index.clusters.copy()
    clusters[[2, 44]] = "helen/296814969"
    got = split.split_index(CARD, replace(index, clusters=clusters))
    assert got.data.notes == ("trained and tested on items of 1 photo (helen/296814969)",)
    assert (got.data.train, got.data.test) == (40, 5)


# --- completeness ---------------------------------------------------------------------------------

WHERE = (
    r"get 300-W at https://ibug\.doc\.ic\.ac\.uk/\S+ \(research only, .*\); "
    r"the protocol synth-300w-full needs no data"
)


def test_an_incomplete_test_set_is_refused_in_one_line_with_a_way_out():
    index = make(hard=0, notes=("ibug: 2 of 2 faces have no picture and are left out",))
    message = (
        r"^300w-full needs 5 test items, this copy has 3 \(helen/testset 3, ibug 0\); "
        rf"ibug: 2 of 2 faces have no picture and are left out; {WHERE} and runs now$"
    )
    for verb in (split.split_index, split.ground_truth, split.describe_data):
        with pytest.raises(DataError, match=message) as caught:
            verb(CARD, index)
        assert "\n" not in str(caught.value)


def test_too_many_test_items_are_refused_too():
    with pytest.raises(DataError, match=r"needs 5 test items, this copy has 6"):
        split.ground_truth(CARD, make(test=4))


def test_an_absent_dataset_names_its_folder(tmp_path):
    with pytest.raises(DataError, match=rf"this copy has 0 .*there is no folder .*300w; {WHERE}"):
        split.split_index(protocol_card.load_protocol("300w-full"), ibug300w.index(tmp_path))
    with pytest.raises(
        DataError,
        match=r"training_frames_keypoints\.csv; get YouTube Faces .*synth-300w-common needs",
    ):
        split.split_index(protocol_card.load_protocol("ytf68"), ytf68.index(tmp_path))


def test_nothing_to_train_on_is_refused_but_can_be_scored():
    index = make(train=0)
    with pytest.raises(
        DataError,
        match=rf"needs training faces \(afw, helen/trainset\), this copy has none; {WHERE}",
    ):
        split.split_index(CARD, index)
    assert len(split.ground_truth(CARD, index).ids) == 5


def test_a_partial_training_set_gives_the_data_a_name():
    assert split.split_index(CARD, make()).data.variant == "complete"
    assert split.split_index(CARD, make(train=30)).data.variant == "train 30 of 40"
    moved = make(train=30, variant="moved annotations")
    assert split.split_index(CARD, moved).data.variant == "train 30 of 40, moved annotations"
    # A score needs no training set, so none is missing from it.
    assert split.describe_data(CARD, moved).variant == "moved annotations"
    assert (split.describe_data(CARD, moved).train, split.describe_data(CARD, moved).test) == (0, 5)


def test_missing_boxes_stop_a_run_but_not_a_score():
    index = make()
    index.boxes["detector"][:2] = np.nan
    message = (
        r"needs detector boxes and 2 items have none \(ibug; first 'ibug/0'\); "
        r"or add \+box=ground_truth"
    )
    with pytest.raises(DataError, match=message):
        split.split_index(CARD, index)
    assert len(split.ground_truth(CARD, index).ids) == 5
    assert split.describe_data(CARD, index).test == 5
    assert len(split.split_index(replace(CARD, box="ground_truth"), index).test) == 5


def test_boxes_of_rows_that_nobody_needs_may_be_missing():
    index = make()
    index.boxes["detector"][:2] = np.nan
    card = replace(CARD, groups={"full": ("helen/testset",)}, test_expected=3)
    assert len(split.split_index(card, index).test) == 3


def test_an_unknown_box_source_is_refused():
    with pytest.raises(DataError, match=r"300w has no 'mtcnn' boxes, only detector, ground_truth"):
        split.split_index(replace(CARD, box="mtcnn"), make())


# --- fingerprint ----------------------------------------------------------------------------------


def fingerprint(index, card=CARD):
    return split.split_index(card, index).data.fingerprint


def test_the_fingerprint_covers_ids_values_and_boxes_of_train_and_test():
    base = fingerprint(make())
    assert base == fingerprint(make())
    assert base.startswith("sha256:")
    for row in (0, 10, 44):
        index = make()
        index.values[row, 5, 1] += 1e-9
        assert fingerprint(index) != base
        index = make()
        index.boxes["detector"][row, 2] += 1e-9
        assert fingerprint(index) != base
        index = make()
        index = make(ids=index.ids.astype("<U40"))
        index.ids[row] += "x"
        assert fingerprint(index) != base


def test_training_knows_the_detectors_boxes_whatever_boxes_are_tested_on():
    """Trap: a card with ground-truth boxes showed training nothing of how a detector errs."""
    index = make()
    on_truth = split.split_index(replace(CARD, box="ground_truth"), index)
    rows = [int(sample.id.split("/")[-1]) for sample in on_truth.labelled.samples]
    expected = index.boxes["detector"][rows] - 1
    np.testing.assert_array_equal(on_truth.labelled.detector_boxes, expected)
    np.testing.assert_array_equal(on_truth.labelled.samples[0].box, [0, 0, 2, 2])
    # and a test item carries no other box than the card's
    assert dict(on_truth.test[0].boxes) == {}
    own = split.split_index(CARD, index).labelled
    boxes = np.stack([sample.box for sample in own.samples])
    np.testing.assert_array_equal(own.detector_boxes, boxes)


def test_a_set_without_a_detector_lends_its_own_boxes_or_none():
    boxes = make().boxes
    rect = {"ground_truth": boxes["ground_truth"], "rect": boxes["detector"]}
    card = replace(CARD, box="ground_truth")
    labelled = split.split_index(card, make(boxes=rect)).labelled
    assert labelled.detector_boxes is not None
    only = {"ground_truth": boxes["ground_truth"]}
    assert split.split_index(card, make(boxes=only)).labelled.detector_boxes is None
    missed = {**only, "detector": np.full_like(boxes["detector"], np.nan)}
    assert split.split_index(card, make(boxes=missed)).labelled.detector_boxes is None


def test_the_fingerprint_covers_the_detectors_boxes_that_training_learned_from():
    card = replace(CARD, box="ground_truth")
    first = split.split_index(card, make()).data.fingerprint
    boxes = make().boxes
    moved = {**boxes, "detector": boxes["detector"] + [0, 0, 1, 0]}
    assert split.split_index(card, make(boxes=moved)).data.fingerprint != first
    # where none are learned from, as before
    only = make(boxes={"ground_truth": boxes["ground_truth"]})
    assert split.split_index(card, only).data.fingerprint != first


def test_the_fingerprint_ignores_what_the_protocol_does_not_use():
    base = fingerprint(make())
    index = make()
    index.boxes["ground_truth"][:] = 7
    assert fingerprint(index) == base
    common = replace(CARD, groups={"full": ("helen/testset",)}, test_expected=3)
    before = fingerprint(make(), common)
    index = make()
    index.values[0] += 1  # an ibug row
    assert fingerprint(index, common) == before


def test_two_spellings_of_one_name_have_one_fingerprint():
    ids = make().ids.astype("<U30")
    ids[0] = "ibug/image_092 _01"
    other = ids.copy()
    other[0] = "ibug/image_092_01"
    assert fingerprint(make(ids=ids)) == fingerprint(make(ids=other))


def test_the_fingerprint_of_a_score_does_not_hang_on_training_or_boxes():
    base = split.describe_data(CARD, make()).fingerprint
    index = make()
    index.values[10] += 1
    index.boxes["detector"][:] = np.nan
    assert split.describe_data(CARD, index).fingerprint == base
    index.values[0] += 1
    assert split.describe_data(CARD, index).fingerprint != base


# --- the licensed samples -------------------------------------------------------------------------


@pytest.mark.data
def test_the_samples_run_common_under_their_own_name(data_root):
    index = ibug300w.index(data_root)
    got = split.split_index(protocol_card.load_protocol("300w-common"), index)
    assert got.data.variant == "train 2012 of 3148, moved annotations"
    assert (got.data.train, got.data.test) == (2012, 554)
    # the papers train on everything, so the card holds nothing out
    assert len(got.labelled) == 2012
    assert got.validation is None
    sample = next(s for s in got.test if s.id == "helen/testset/296814969_3")
    inside = got.truth.values[got.truth.ids == sample.id][0] - index.origin
    height, width, _ = sample.pixels().shape
    assert (inside > 0).all()
    assert (inside < [width, height]).all()
    with pytest.raises(
        DataError, match=r"300w-full needs 689 test items, this copy has 554 .*ibug 0"
    ):
        split.split_index(protocol_card.load_protocol("300w-full"), index)


@pytest.mark.data
def test_the_published_annotations_score_all_689(data_root):
    index = ibug300w.index(data_root / "300w-published" / "annotations", pixels=False)
    truth = split.ground_truth(protocol_card.load_protocol("300w-full"), index)
    assert {group: int(rows.sum()) for group, rows in truth.groups.items()} == {
        "full": 689,
        "common": 554,
        "challenging": 135,
    }
    assert (
        split.describe_data(protocol_card.load_protocol("300w-full"), index).variant
        == "original annotations"
    )


@pytest.mark.data
def test_ytf68_holds_people_out(data_root):
    got = split.split_index(protocol_card.load_protocol("ytf68"), ytf68.index(data_root))
    assert got.data.variant == "complete"
    assert (got.data.train, got.data.test) == (2991, 471)
    trained = set(got.labelled.clusters)
    assert (len(trained), len(set(got.truth.clusters))) == (300, 47)
    assert not trained & set(got.truth.clusters)


def test_samples_are_made_when_they_are_asked_for():
    """The trap: a million samples at once take gigabytes before the first picture is read."""
    got = split.split_index(CARD, make())
    samples = got.labelled.samples
    part = samples[2:5]
    assert [one.id for one in part] == [samples[k].id for k in (2, 3, 4)]
    assert samples[-1].id == list(samples)[-1].id
    assert samples[0] is not samples[0]
    with pytest.raises(IndexError):
        samples[len(samples)]
