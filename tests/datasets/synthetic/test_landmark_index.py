"""The twins of the landmark sets have the shape of the real ones."""

import numpy as np
import pytest

from benchbox.datasets.synthetic import landmark_index
from benchbox.datasets.synthetic.twin_table import (
    AFLW,
    COFW,
    COFW68,
    IBUG300VW,
    IBUG300W_PRIVATE,
    WFLW,
)
from benchbox.face_renderer.scenes.portraits import ATTRIBUTES
from benchbox.geometry import tight_box

POINTS = {WFLW: 98, COFW: 29, COFW68: 68, AFLW: 19, IBUG300W_PRIVATE: 68, IBUG300VW: 68}


@pytest.fixture(scope="module")
def tiny():
    return {twin: twin.tiny() for twin in POINTS}


@pytest.mark.parametrize("twin", POINTS, ids=lambda twin: twin.dataset)
def test_rows_are_whole_and_no_cluster_is_in_two_parts(tiny, twin):
    index = tiny[twin]
    assert index.values.shape == (len(index.ids), POINTS[twin], 2)
    assert np.isfinite(index.values).all()
    assert len(set(index.ids)) == len(index.ids)
    assert index.origin == 0.0
    homes = set(zip(index.clusters.tolist(), index.parts.tolist(), strict=True))
    assert len(homes) == len(set(index.clusters))
    np.testing.assert_allclose(index.boxes["ground_truth"], tight_box(index.values))
    for boxes in index.boxes.values():
        assert np.isfinite(boxes).all()
    for row in (0, len(index.ids) - 1):
        assert index.read(row).shape == (256, 256, 3)
    if index.visible is not None:
        assert index.visible.shape == index.values.shape[:2]


def test_wflw_has_its_six_attributes_and_rectangles_that_reach_up(tiny):
    index = tiny[WFLW]
    assert tuple(index.attributes) == ATTRIBUTES
    assert index.visible is None
    tall = (index.boxes["rect"][:, 3] - index.boxes["rect"][:, 1]) / np.ptp(
        index.values[..., 1], axis=1
    )
    assert 1.15 < np.median(tall) < 1.45  # 1.29 in WFLW
    assert {name for name in ATTRIBUTES if index.attributes[name].any()} == set(ATTRIBUTES)


def test_aflw_keeps_hidden_points_and_scales_by_its_own_square_boxes(tiny):
    index = tiny[AFLW]
    boxes = index.scale_boxes
    np.testing.assert_array_equal(boxes, index.boxes["rect"])
    np.testing.assert_allclose(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    assert not index.visible.all()
    np.testing.assert_array_equal(index.attributes["frontal"], index.visible.all(axis=1))
    assert (index.attributes["frontal_inside"] <= index.attributes["frontal"]).all()
    assert 0 < index.attributes["frontal"].sum() < len(index.ids)
    wide = (boxes[:, 2] - boxes[:, 0]) / np.ptp(index.values[..., 1], axis=1)
    assert 0.8 < np.median(wide) < 2.2


def test_cofw68_is_the_test_faces_of_cofw_annotated_anew(tiny):
    new, old = tiny[COFW68], tiny[COFW]
    assert set(new.parts) == {"test"}
    ours = np.arange(len(new.ids))
    theirs = np.flatnonzero(old.parts == "test")
    np.testing.assert_array_equal(new.read(int(ours[2])), old.read(int(theirs[2])))
    np.testing.assert_allclose(
        new.values[ours][:, [36, 45, 8]], old.values[theirs][:, [8, 9, 28]], atol=1e-9
    )
    np.testing.assert_array_equal(new.visible[ours][:, 8], old.visible[theirs][:, 28])


def test_a_video_is_a_cluster_and_a_sequence_in_the_order_of_time(tiny):
    index = tiny[IBUG300VW]
    own = index.parts == "c"
    np.testing.assert_array_equal(index.sequences[own], index.clusters[own])
    assert len(set(index.clusters[own])) == 2
    for video in set(index.clusters[own]):
        numbers = [int(str(name).rpartition("-")[2]) for name in index.ids[index.clusters == video]]
        assert numbers == sorted(numbers)


def test_one_part_of_an_index_keeps_its_rows_together():
    index = COFW.tiny()
    part = landmark_index.select_part(index, "test")
    rows = np.flatnonzero(index.parts == "test")
    np.testing.assert_array_equal(part.values, index.values[rows])
    np.testing.assert_array_equal(part.visible, index.visible[rows])
    np.testing.assert_array_equal(part.read(1), index.read(int(rows[1])))
