"""Every layout reads off one head.

Shared points coincide, mirrored ones mirror, pupils follow the eyes.
"""

import numpy as np
import pytest

from benchbox.face_renderer.camera import Pose
from benchbox.face_renderer.head import model
from benchbox.face_renderer.head.deformation import Shape
from benchbox.face_renderer.head.eyes import gaze_direction
from benchbox.face_renderer.head.layout_points import mirror_points
from benchbox.face_renderer.scenes.scene import parallel_axes
from benchbox.layouts import RENDERED_LAYOUTS

REST = Shape(expression={"closed": 0.9})


def at(layout, shape=REST, axes=None):
    return model.model_points(layout).at(
        shape, Pose(0.0, 0.0, 0.0), parallel_axes(0, 0) if axes is None else axes
    )


@pytest.mark.parametrize("layout", RENDERED_LAYOUTS)
def test_every_point_of_a_layout_has_a_place_and_its_mirror_image(layout):
    points = at(layout)
    assert points.shape == (RENDERED_LAYOUTS[layout].count, 3)
    assert np.isfinite(points).all()
    np.testing.assert_allclose(mirror_points(points, layout), points, atol=0.15)
    assert len(np.unique(points.round(3), axis=0)) == len(points)


def test_the_68_points_are_the_ones_that_synth_300w_rests_on():
    shape = Shape({"nose_length": 1.0}, {"smile": 0.8, "closed": 0.5}, 0.1)
    np.testing.assert_array_equal(
        model.model_points("ibug68").of(shape), model.model_points68().of(shape)
    )


def test_points_that_mean_the_same_are_the_same_place():
    """WFLW keeps iBUG's nose, mouth and every second point of the contour (datasets.md 6)."""
    big, wflw, cofw, aflw = (at(name) for name in ("ibug68", "wflw98", "cofw29", "aflw19"))
    np.testing.assert_allclose(wflw[0:33:2], big[0:17])
    np.testing.assert_allclose(wflw[51:60], big[27:36])
    np.testing.assert_allclose(wflw[76:96], big[48:68])
    np.testing.assert_allclose(wflw[[60, 64, 68, 72]], big[[36, 39, 42, 45]])
    np.testing.assert_allclose(cofw[[8, 10, 11, 9]], big[[36, 39, 42, 45]])
    np.testing.assert_allclose(cofw[[18, 19, 20, 22, 23, 28]], big[[31, 35, 30, 48, 54, 8]])
    np.testing.assert_allclose(aflw[[6, 8, 9, 11]], big[[36, 39, 42, 45]])
    np.testing.assert_allclose(aflw[[12, 13, 14, 15, 17, 18]], big[[31, 30, 35, 48, 54, 8]])
    np.testing.assert_allclose(aflw[[0, 2, 3, 5]], cofw[[0, 2, 3, 1]])


def test_upper_rims_lie_above_lower_ones_and_lids_go_around_the_eye():
    wflw, cofw = at("wflw98"), at("cofw29")
    assert (wflw[[34, 35, 36, 37], 1] < wflw[[41, 40, 39, 38], 1] - 2).all()
    assert (wflw[[61, 62, 63], 1] < wflw[[67, 66, 65], 1] - 4).all()
    assert (np.diff(wflw[60:65, 0]) > 0).all()  # from the outer corner to the inner one
    assert (
        cofw[4, 1]
        < cofw[5, 1]
        < cofw[12, 1]
        < cofw[16, 1]
        < cofw[13, 1]
        < cofw[20, 1]
        < cofw[24, 1]
    )
    assert (np.diff(cofw[24:29, 1]) > 0).all()  # down the lips to the chin
    assert at("aflw19")[16, 0] == pytest.approx(0, abs=1e-9)


def test_pupils_turn_with_the_eyes_and_nothing_else_does():
    ahead = at("wflw98")
    turned = at("wflw98", axes=np.stack([gaze_direction(0.3, 0.0), gaze_direction(0.0, 0.2)]))
    moved = turned - ahead
    assert moved[96, 0] == pytest.approx(12.4 * (np.sin(0.3) - np.sin(0.02)), abs=0.01)
    assert moved[97, 1] == pytest.approx(12.4 * np.sin(0.2), abs=0.01)
    np.testing.assert_array_equal(moved[:96], 0)
