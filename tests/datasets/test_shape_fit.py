"""The fit that tells a face of a layout from points in another order, mirrored or turned."""

import time

import numpy as np
import pytest

from benchbox.datasets import shape_fit
from benchbox.face_renderer.head.deformation import Shape
from benchbox.face_renderer.head.model import model_points
from benchbox.layouts import RENDERED_LAYOUTS

NAMES = sorted(RENDERED_LAYOUTS)


def posed(layout, yaw_deg=0.0, roll_deg=0.0):
    """One face (1, K, 2) px, turned by yaw and roll, 200 px from the corner."""
    yaw, roll = np.radians([yaw_deg, roll_deg])
    face = shape_fit.mean_face(layout) @ shape_fit._rotation(yaw, 0.1).T
    plane = face[:, :2] @ [[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]]
    return plane[None] + 200


@pytest.mark.parametrize("layout", NAMES)
def test_the_table_is_the_renderers_neutral_head(layout):
    np.testing.assert_allclose(
        shape_fit.mean_face(layout), model_points(layout).of(Shape()), atol=0.06
    )


@pytest.mark.parametrize("layout", NAMES)
@pytest.mark.parametrize("yaw_deg", [-60, 0, 40])
def test_a_turned_head_is_a_face_and_its_roll_is_found(layout, yaw_deg):
    fit = shape_fit.fit_mean_face(posed(layout, yaw_deg, roll_deg=30), layout)
    assert fit.residual[0] < 0.2
    assert fit.roll_deg[0] == pytest.approx(30, abs=6)
    assert not fit.is_upside_down[0]


@pytest.mark.parametrize("layout", NAMES)
@pytest.mark.parametrize("spoil", ["mirrored", "flipped", "swapped", "reversed", "shuffled"])
def test_what_is_no_face_of_the_layout_is_none(layout, spoil):
    face = posed(layout, yaw_deg=10)
    order = np.random.default_rng(0).permutation(RENDERED_LAYOUTS[layout].count)
    wrong = {
        "mirrored": face * [-1, 1],
        "flipped": face[:, list(RENDERED_LAYOUTS[layout].flip)],
        "swapped": face[..., ::-1],
        "reversed": face[:, ::-1],
        "shuffled": face[:, order],
    }[spoil]
    fit = shape_fit.fit_mean_face(wrong, layout)
    assert fit.residual[0] > 0.55
    assert not fit.is_face[0]


def test_a_face_on_its_head_is_named_and_one_on_its_side_is_measured():
    fit = shape_fit.fit_mean_face(posed("ibug68", roll_deg=175), "ibug68")
    assert fit.is_upside_down[0]
    fit = shape_fit.fit_mean_face(posed("ibug68", roll_deg=-90), "ibug68")
    assert fit.roll_deg[0] == pytest.approx(-90, abs=1)


def test_unknown_points_are_left_out_and_a_displaced_one_is_measured_in_sizes():
    face = posed("ibug68")
    face[0, :10] = np.nan
    fit = shape_fit.fit_mean_face(face, "ibug68")
    assert fit.residual[0] < 0.15
    assert np.isnan(fit.off[0, :10]).all()
    face[0, 30] += [2 * fit.size_px[0], 0]
    off = shape_fit.fit_mean_face(face, "ibug68").off[0]
    assert np.nanargmax(off) == 30
    assert 1.5 < off[30] < 2.2


def test_points_in_one_place_or_too_few_are_unknown_and_raise_no_warning():
    faces = np.full((3, 68, 2), 7.0)
    faces[1, 3:] = np.nan
    faces[2] = np.nan
    fit = shape_fit.fit_mean_face(faces, "ibug68")
    assert np.isnan(fit.residual).all()
    assert not fit.is_face.any()


def test_an_unknown_point_is_placed_where_the_others_want_it():
    face = 3 * posed("ibug68", yaw_deg=20)
    hidden = face.copy()
    hidden[0, 8] = np.nan
    fit = shape_fit.fit_mean_face(hidden, "ibug68")
    gap = np.linalg.norm(fit.places[0, 8] - face[0, 8]) / fit.size_px[0]
    assert gap < 0.3
    assert np.isnan(fit.off[0, 8])


def test_no_faces_have_no_fit():
    assert shape_fit.fit_mean_face(np.empty((0, 19, 2)), "aflw19").off.shape == (0, 19)


def test_other_points_than_the_layouts_are_refused():
    with pytest.raises(ValueError, match=r"aflw19 has \(N, 19, 2\)"):
        shape_fit.fit_mean_face(np.zeros((1, 68, 2)), "aflw19")


def test_ten_thousand_faces_take_seconds_at_most():
    faces = np.repeat(posed("ibug68"), 10_000, axis=0)
    start = time.process_time()
    shape_fit.fit_mean_face(faces, "ibug68")
    assert time.process_time() - start < 20


@pytest.mark.data
def test_no_real_face_of_300w_is_called_none(data_root):
    from benchbox.datasets import open_dataset

    values = open_dataset("300w").index(data_root, pixels=False).values
    fit = shape_fit.fit_mean_face(values, "ibug68")
    assert fit.is_face.all()
    assert fit.residual.max() < 0.32
    assert np.abs(fit.roll_deg).max() < 40
