"""The twins of the gaze sets have the shape of the real ones, and hold no person in two parts."""

import numpy as np
import pytest

from benchbox.datasets import split
from benchbox.datasets.synthetic import (
    from_renderer,
    gazecapture_index,
    gazestare,
    ibug300w,
    twin_table,
)
from benchbox.face_renderer import cache
from benchbox.face_renderer.image_sets import ETH_XGAZE
from benchbox.geometry import vectors_to_angles
from benchbox.protocols import protocol_card

DEVICES = {
    "gazecapture": twin_table.GAZECAPTURE,
    "gazecn": twin_table.GAZECN,
    "gazestare": gazestare,
}
PATCHES = {
    "eth-xgaze": twin_table.ETH_XGAZE,
    "mpiigaze": twin_table.MPIIGAZE,
    "mpiifacegaze": twin_table.MPIIFACEGAZE,
}


@pytest.fixture(scope="module")
def tiny():
    return {name: module.tiny() for name, module in (DEVICES | PATCHES).items()}


@pytest.mark.parametrize("name", [*DEVICES, *PATCHES])
def test_rows_are_whole_and_no_person_is_in_two_parts(tiny, name):
    index = tiny[name]
    assert index.dataset == f"synth-{name}"
    assert index.variant.startswith("tiny")
    assert len(set(index.ids)) == len(index.ids)
    assert np.isfinite(index.values).all()
    cache_keys = {index.cache_key(row) for row in range(len(index.ids))}
    assert len(cache_keys) == len(
        index.ids
    )  # each picture's own: a cache of decoded pixels goes by it
    homes = {(person, part) for person, part in zip(index.clusters, index.parts, strict=True)}
    assert len(homes) == len({person for person, _ in homes})
    for row in (0, len(index.ids) - 1):
        picture = index.read(row)
        assert picture.dtype == np.uint8
        assert picture.std() > 5
        picture[:] = 0
        assert index.read(row).any()  # what is read may be written to without harm


@pytest.mark.parametrize("name", DEVICES)
def test_frames_carry_what_gazecapture_carries(tiny, name):
    index = tiny[name]
    assert index.values.shape[1:] == (2,)
    assert set(index.boxes) == {"face", "left_eye", "right_eye"}
    assert set(index.meta) == {"device", "orientation", "face_grid"}
    assert set(index.attributes) == {"phone", "tablet", *(f"orientation_{k}" for k in (1, 2, 3, 4))}
    assert (index.attributes["phone"] ^ index.attributes["tablet"]).all()
    assert index.sequences is not None
    for dot in np.unique(index.sequences):
        assert np.ptp(index.values[index.sequences == dot], axis=0).max() == 0
    for row in (0, len(index.ids) // 2):
        high, wide = index.read(row).shape[:2]
        assert (high > wide) == (index.meta["orientation"][row] in (1, 2))
        assert sorted((high, wide)) == [216, 288]


def test_gazecapture_has_both_kinds_of_device_held_all_ways(tiny):
    index = tiny["gazecapture"]
    assert set(index.parts) == {"train", "val", "test"}
    for part in ("train", "test"):
        assert {bool(t) for t in index.attributes["tablet"][index.parts == part]} == {True, False}
    assert set(index.meta["orientation"]) == {1, 2, 3, 4}


def test_gazestare_stands_behind_the_set_that_is_trained_on(tiny):
    index = tiny["gazestare"]
    assert set(index.parts) == {"gazecn/train", "gazecn/test", "stare"}
    assert all(
        str(i).startswith("gazecn/") == str(p).startswith("gazecn/")
        for i, p in zip(index.ids, index.parts, strict=True)
    )
    first = int(np.flatnonzero(index.parts == "stare")[0])
    np.testing.assert_array_equal(index.read(0), DEVICES["gazecn"].tiny().read(0))
    assert index.read(first).shape == (288, 216, 3)


@pytest.mark.parametrize("name", PATCHES)
def test_patches_carry_directions_and_head_poses(tiny, name):
    index = tiny[name]
    np.testing.assert_allclose(np.linalg.norm(index.values, axis=1), 1)
    assert index.meta["head_pose"].shape == (len(index.ids), 2)
    high, wide = index.read(0).shape[:2]
    np.testing.assert_array_equal(index.boxes["patch"][0], [-0.5, -0.5, wide - 0.5, high - 0.5])
    # Eyes and heads mostly turn the same way: the order (pitch, yaw) and both signs agree between
    # the two columns.
    gaze, head = vectors_to_angles(index.values), index.meta["head_pose"]
    assert np.corrcoef(gaze[:, 1], head[:, 1])[0, 1] > 0.2


def test_xgaze_and_mpiigaze_name_their_parts_as_the_real_ones(tiny):
    assert set(tiny["eth-xgaze"].parts) == {"train", "validation"}
    assert "camera" in tiny["eth-xgaze"].meta
    assert set(tiny["mpiigaze"].parts) == {"eyes"}
    assert set(tiny["mpiigaze"].attributes) == {"left", "right"}
    assert set(tiny["mpiifacegaze"].parts) == {"faces"}


@pytest.mark.parametrize(("share", "people"), [(0.01, 1), (0.05, 5), (0.1, 10), (0.2, 20)])
def test_each_share_of_labels_is_one_of_whole_people(share, people):
    """Persons in both shares would make the few labels look better than they are."""
    card = protocol_card.load_protocol(f"synth-eth-xgaze+labelled={share}")
    persons = np.repeat([f"train-{k:03d}" for k in range(100)], ETH_XGAZE.frames)
    division = split._divide_training_rows(card, persons)
    assert card.train_expected == len(persons)
    assert len(set(persons[division.labelled])) == people
    assert division.labelled.sum() == share * len(persons)
    assert not division.validation.any()
    assert not set(persons[division.labelled]) & set(persons[division.unlabelled])


def test_a_tiny_set_is_rows_of_the_whole_one(tiny):
    small = tiny["gazecapture"]
    plan = twin_table.GAZECAPTURE.PLAN
    row = int(np.flatnonzero(small.parts == "test")[3])
    number = int(str(small.ids[row]).rpartition("/")[2])
    again = plan.image_set.render_columns("test", [number])
    np.testing.assert_array_equal(again["values"][0], small.values[row])
    np.testing.assert_array_equal(again["pixels"][0], small.read(row).ravel())


def test_labels_come_without_pixels_and_are_the_same_with_them(tmp_path, monkeypatch):
    """`score` needs no picture: a set of two chunks, by geometry alone and from the cache."""
    monkeypatch.setenv("BENCHBOX_CACHE", str(tmp_path))
    plan = cache.RenderPlan("small", (("train", 4), ("test", 3)), "gazecn")
    bare = cache.read_columns(plan, pixels=False)
    assert not any(tmp_path.iterdir())
    bare["values"] += 1  # whoever writes into his columns harms no later reader
    bare = cache.read_columns(plan, pixels=False)
    drawn = cache.read_columns(plan, pixels=True)
    for name in bare:
        np.testing.assert_array_equal(bare[name], drawn[name])
    rows = from_renderer.read_rows(plan, pixels=True)
    assert rows.parts.tolist() == ["train"] * 4 + ["test"] * 3
    assert rows.numbers.tolist() == [0, 1, 2, 3, 0, 1, 2]
    index = gazecapture_index.build_index("small", plan, rows)
    assert index.read(6).shape == (288, 216, 3)


def test_many_runs_are_scored_with_one_look_at_the_geometry(tmp_path, monkeypatch):
    """Trap: on an empty cache scoring 152 committed runs took eight minutes, each its geometry."""
    monkeypatch.setenv("BENCHBOX_CACHE", str(tmp_path))
    plan = cache.RenderPlan("counted", (("stare", 2),), "gazestare")
    cache.read_columns(plan, pixels=False)
    before = cache.draw_labels.cache_info().misses
    for _ in range(3):
        cache.read_columns(plan, pixels=False)
    assert cache.draw_labels.cache_info().misses == before


def test_the_quick_way_to_a_tiny_set_of_either_task():
    assert ibug300w.tiny_gaze2d().values.shape[1] == 2
    assert ibug300w.tiny_gaze3d().values.shape[1] == 3
