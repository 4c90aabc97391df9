"""Landmarks are points of the surface.

What moves the head moves them, by amounts that follow from geometry.
"""

import numpy as np
import pytest

from benchbox.face_renderer import camera
from benchbox.face_renderer.head import deformation, landmarks, model
from benchbox.face_renderer.head.deformation import Shape
from benchbox.face_renderer.head.surface import (
    EYE_INNER,
    EYE_OUTER,
    EYE_RADIUS,
    MOUTH_HALF,
    neutral_surface,
)
from benchbox.layouts import IBUG68


def points(shape=None):
    return model.model_points68().of(shape or Shape())


def test_neutral_landmarks_lie_where_the_mark_up_puts_them():
    p = points()
    assert p.shape == (68, 3)
    # Eye corners on the slit's ends; outer corner first on the picture's left, inner first on its
    # right.
    np.testing.assert_allclose(
        np.abs(p[[36, 39, 42, 45], 0]), [EYE_OUTER, EYE_INNER, EYE_INNER, EYE_OUTER], atol=0.6
    )
    assert p[36, 0] < p[39, 0] < 0 < p[42, 0] < p[45, 0]
    assert p[30, 2] == p[:, 2].max()  # the tip of the nose is the foremost point
    np.testing.assert_allclose(np.abs(p[[48, 54], 0]), MOUTH_HALF, atol=0.6)
    # Down the face: brows, lids, nose, lips, chin.
    assert (
        p[17:27, 1].max()
        < p[[37, 38, 43, 44], 1].max()
        < p[[40, 41, 46, 47], 1].min()
        < p[33, 1]
        < p[51, 1]
    )
    assert p[51, 1] < p[62, 1] < p[66, 1] < p[57, 1] < p[8, 1]
    assert p[8, 1] == p[:, 1].max()


def test_the_neutral_head_is_symmetric_under_the_layouts_flip():
    p = points()
    np.testing.assert_allclose(p[list(IBUG68.flip)], p * [-1, 1, 1], atol=0.15)


def test_landmarks_lie_on_the_deformed_mesh():
    """The few carried vertices and the whole mesh go through the same code.

    A split between them would show here.
    """
    shape = Shape(
        {"nose_length": 1.5, "eye_apart": -1.0}, {"smile": 1.0, "closed": 0.9}, 0.2, (0.6, -0.2)
    )
    balls = deformation.eyeball_centres(model.eye_corner_body(), shape)
    whole = deformation.deform_points(model.head_mesh(), shape, balls)
    np.testing.assert_allclose(landmarks.ibug68_points().of(whole), points(shape), atol=1e-4)


def test_a_closed_lid_meets_the_lower_one_and_stays_on_the_eyeball():
    opened, closed = points(), points(Shape(lids=(1.0, 0.0)))
    gap_before = opened[[40, 41], 1] - opened[[38, 37], 1]
    gap_after = closed[[40, 41], 1] - closed[[38, 37], 1]
    assert (gap_before > 7).all()
    assert (np.abs(gap_after) < 1.6).all()
    # the other eye does not move
    np.testing.assert_allclose(closed[42:48], opened[42:48], atol=1e-9)
    middle = deformation.eyeball_centres(model.eye_corner_body(), Shape())[0]
    assert (np.linalg.norm(closed[36:42] - middle, axis=1) >= EYE_RADIUS - 0.2).all()


def test_an_open_jaw_lowers_the_lower_lip_and_the_chin_but_not_the_upper_lip():
    shut, wide = (
        points(Shape(expression={"closed": 1.0})),
        points(Shape(expression={"closed": 1.0}, jaw=0.3)),
    )
    moved = wide - shut
    assert moved[66, 1] > 20
    assert moved[8, 1] > 18
    assert moved[8, 2] < -15  # a hinge: the chin also goes back
    assert np.abs(moved[62]).max() < 1.0
    np.testing.assert_allclose(moved[17:36], 0, atol=0.25)  # the wings of the nose give a little
    assert 0 < moved[48, 1] < moved[66, 1] * 0.7  # the corner goes half the way


def test_closing_the_lips_brings_the_inner_lip_points_together():
    p = points(Shape(expression={"closed": 1.0}))
    np.testing.assert_allclose(p[[61, 62, 63], 1], p[[67, 66, 65], 1], atol=0.9)


def test_every_field_moves_something_and_none_more_than_a_head_bears():
    body = model.head_mesh()
    size = np.abs(body.fields).max(axis=(1, 2))
    assert (size > 0.4).all()
    assert (size < 17).all()
    assert (
        len(deformation.field_weights(Shape()))
        == len(body.fields)
        == len(deformation.IDENTITY) + len(deformation.EXPRESSION)
    )


def test_lids_and_lips_part_without_folding_the_surface():
    """Rows of the grid must stay in order, or the mesh folds over itself at a slit."""
    grid = neutral_surface().points
    face = np.abs(neutral_surface().azimuth) < 0.7
    rows = (grid[:, face, 1] > -60).all(axis=1) & (grid[:, face, 1] < 95).all(axis=1)
    assert (np.diff(grid[rows][:, face, 1], axis=0) > 0).all()


@pytest.mark.parametrize("yaw", [0.0, 0.5, -1.2])
def test_projection_agrees_with_a_pinhole_worked_out_by_hand(yaw):
    pose = camera.Pose(yaw, 0.0, 0.0)
    turned = camera.place_points(np.array([[0.0, 30.0, 0.0], [10.0, 30.0, 0.0]]), np.zeros(2), pose)
    # the middle of the head stays before the camera
    np.testing.assert_allclose(turned[0], 0, atol=1e-12)
    np.testing.assert_allclose(turned[1], [10 * np.cos(yaw), 0, -10 * np.sin(yaw)], atol=1e-12)
    lens = camera.Camera(500.0, 1000.0, np.array([127.5, 127.5]))
    flat, depth = lens.project(turned)
    assert depth[1] == pytest.approx(500 + 10 * np.sin(yaw))
    assert flat[1, 0] == pytest.approx(127.5 + 1000 * 10 * np.cos(yaw) / depth[1])


def test_a_resized_camera_keeps_pixel_centres():
    """A picture twice as large has its first centre at (-0.25) of the old grid.

    The half-pixel trap.
    """
    lens = camera.Camera(500.0, 1000.0, np.array([100.0, 50.0]))
    small, _ = lens.project(np.array([[3.0, 4.0, 0.0]]))
    large, _ = lens.resized(2.0).project(np.array([[3.0, 4.0, 0.0]]))
    np.testing.assert_allclose(large, small * 2 + 0.5)


def test_aim_puts_the_landmark_box_where_it_is_told():
    p = camera.place_points(points(), np.zeros(68), camera.Pose(0.4, 0.1, -0.2))
    flat, _ = camera.aim_camera(p, 700.0, 140.0, np.array([120.0, 131.0])).project(p)
    low, high = flat.min(0), flat.max(0)
    assert (high - low).max() == pytest.approx(140)
    np.testing.assert_allclose((low + high) / 2, [120, 131])
