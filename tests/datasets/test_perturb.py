"""Disturbances: exact amounts, drawn by the id alone, pictures and points moved alike."""

import dataclasses

import cv2
import numpy as np
import pytest

from benchbox import geometry
from benchbox.datasets import perturb
from benchbox.protocols import protocol_card
from benchbox.types import Index

IDS = np.array([f"afw/{k}_1" for k in range(400)])
BOXES = np.tile([10.0, 20, 110, 70], (400, 1))


def test_a_box_is_extended_about_its_centre():
    np.testing.assert_allclose(perturb.extend_boxes(BOXES[:1], 0.5), [[-15, 7.5, 135, 82.5]])


def test_a_box_moves_by_the_stated_share_of_its_own_sides_in_all_directions():
    moved = perturb.translate_boxes(BOXES, IDS, 0.25)
    shift = (moved - BOXES)[:, :2] / [100, 50]
    np.testing.assert_allclose(np.linalg.norm(shift, axis=1), 0.25)
    np.testing.assert_allclose(moved[:, 2:] - moved[:, :2], np.tile([100, 50], (400, 1)))
    assert np.abs(shift.mean(axis=0)).max() < 0.25 * 0.1  # no direction is preferred
    assert len(np.unique(shift.round(6), axis=0)) == 400


def test_draws_depend_on_the_id_alone():
    """Trap: a draw by row would differ between a partial and a whole copy."""
    some = [7, 3, 200]
    np.testing.assert_array_equal(
        perturb.translate_boxes(BOXES[some], IDS[some], 0.1),
        perturb.translate_boxes(BOXES, IDS, 0.1)[some],
    )
    blank = np.array(["ibug/image_092 _01"]), np.array(["ibug/image_092_01"])
    np.testing.assert_array_equal(
        *(perturb.translate_boxes(BOXES[:1], name, 0.1) for name in blank)
    )
    # Pinned: a change of these would silently make another test set.
    np.testing.assert_allclose(
        perturb.translate_boxes(BOXES[:1], IDS[:1], 0.1)[0] - BOXES[0],
        [-9.982171337, 0.298435675] * 2,
        atol=1e-8,
    )


def test_noise_fills_the_disc_of_a_face_of_256_px():
    values = np.zeros((400, 68, 2))
    boxes = np.tile([0.0, 0, 512, 128], (400, 1))  # twice as wide, half as high as the resized face
    moved = perturb.add_label_noise(values, boxes, IDS, 10) / [2, 0.5]
    radii = np.linalg.norm(moved, axis=2)
    assert radii.max() <= 10
    # Uniform in a disc: mean radius 2/3 R, a quarter of the points within R/2.
    assert radii.mean() == pytest.approx(20 / 3, rel=0.01)
    assert (radii < 5).mean() == pytest.approx(0.25, abs=0.01)
    assert np.abs(moved.mean(axis=(0, 1))).max() < 0.1
    some = perturb.add_label_noise(values[:2], boxes[:2], IDS[:2], 10)
    np.testing.assert_array_equal(some, perturb.add_label_noise(values, boxes, IDS, 10)[:2])


@pytest.mark.parametrize("origin", [0.0, 1.0])
def test_a_turned_picture_carries_its_points_along(origin):
    """Trap: turning in a frame that is off by one moves every point against its picture."""
    size, rows = 120, np.array([1, 2, 3])
    spots = np.array([[40.0, 60], [70, 50], [60, 75]])
    picture = np.zeros((size, size, 3), np.uint8)
    for x, y in spots.astype(int):
        cv2.circle(picture, (x, y), 2, (255, 255, 255), -1)
    boxes = np.tile([30.0, 30, 90, 90], (4, 1)) + origin
    index = Index(
        "300w",
        IDS[:4],
        np.full(4, "a"),
        np.tile(spots + origin, (4, 1, 1)),
        {},
        IDS[:4],
        lambda row: picture,
        origin,
    )
    found = perturb.rotate_pictures(index, rows, boxes, 25)
    np.testing.assert_array_equal(found.values[0], index.values[0])  # a row that was not asked for
    np.testing.assert_array_equal(found.read(0), picture)
    angles = set()
    for row in rows:
        bright = found.read(int(row))[..., 0].astype(float)
        for x, y in found.values[row] - origin:
            patch = bright[round(y) - 5 : round(y) + 6, round(x) - 5 : round(x) + 6]
            grid = np.mgrid[round(y) - 5 : round(y) + 6, round(x) - 5 : round(x) + 6]
            centre = (grid * patch).sum(axis=(1, 2)) / patch.sum()
            assert np.abs(centre - [y, x]).max() < 0.25
        fitted = geometry.fit_similarity(index.values[row], found.values[row])
        angles.add(round(float(np.degrees(np.arctan2(fitted[1, 0], fitted[0, 0])))))
        np.testing.assert_allclose(
            geometry.transform_points(fitted, np.array([[60.0, 60]]) + origin), [[60 + origin] * 2]
        )
    assert angles <= {25, -25}


def test_faces_turn_to_both_sides_about_equally_often():
    index = Index("300w", IDS, IDS, np.ones((400, 1, 2)) * [60.0, 10], {}, IDS, lambda row: None)
    found = perturb.rotate_pictures(index, np.arange(400), BOXES, 10)
    assert 0.4 < (found.values[:, 0, 0] > 60).mean() < 0.6


# --- a protocol's options -------------------------------------------------------------------------


def perturbed(**options):
    """Apply options to four faces, two to train and two to test; returns both indexes."""
    protocol = dataclasses.replace(protocol_card.load_protocol("300w-full"), **options)
    protocol = dataclasses.replace(
        protocol, groups={"full": ("test",)}, train_parts=("train",), box="detector"
    )
    points = np.random.default_rng(0).uniform(20, 100, (4, 68, 2))
    index = Index(
        "300w",
        IDS[:4],
        np.array(["train", "train", "test", "test"]),
        points,
        {"detector": BOXES[:4], "ground_truth": BOXES[:4] + 1},
        IDS[:4],
        lambda row: np.zeros((120, 120, 3), np.uint8),
    )
    return index, perturb.perturb_index(protocol, index)


def test_scale_extends_the_boxes_that_are_tested_and_no_others():
    """Trap: an option that is parsed and recorded and changes nothing."""
    before, after = perturbed(scale=0.2)
    np.testing.assert_allclose(after.boxes["detector"][2:], [[0, 15, 120, 75]] * 2)
    np.testing.assert_array_equal(after.boxes["detector"][:2], BOXES[:2])
    np.testing.assert_array_equal(after.boxes["ground_truth"], before.boxes["ground_truth"])
    np.testing.assert_array_equal(after.values, before.values)


def test_scale_and_translation_go_together_the_scaled_box_moves_by_its_own_side():
    _, after = perturbed(scale=0.2, translation=0.1)
    extended = perturb.extend_boxes(BOXES[2:4], 0.2)
    np.testing.assert_allclose(
        after.boxes["detector"][2:], perturb.translate_boxes(extended, IDS[2:4], 0.1)
    )
    sides = after.boxes["detector"][2:, 2:] - after.boxes["detector"][2:, :2]
    np.testing.assert_allclose(sides, [[120, 60]] * 2)


def test_noise_moves_training_points_alone():
    before, after = perturbed(noise=5.0)
    assert (after.values[:2] != before.values[:2]).all()
    np.testing.assert_array_equal(after.values[2:], before.values[2:])
    np.testing.assert_array_equal(after.boxes["detector"], BOXES[:4])


def test_rotation_turns_the_points_that_are_tested_alone():
    before, after = perturbed(rotation=30.0)
    np.testing.assert_array_equal(after.values[:2], before.values[:2])
    assert np.abs(after.values[2:] - before.values[2:]).max() > 5
