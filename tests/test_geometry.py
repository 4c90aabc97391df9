"""Boxes and affine maps: hand-computed cases, round trips, and the half pixel between corners and
centres.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchbox import geometry

coordinates = st.floats(-500, 500)
QUARTER = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0]])  # x to y, y to -x


@st.composite
def affine_maps(draw):
    """Maps that are far from singular: two rotations about unequal scales of either sign, and a
    shift.
    """
    first, second = (turn(draw(st.floats(-math.pi, math.pi))) for _ in range(2))
    scales = [draw(st.floats(0.2, 5)) * draw(st.sampled_from([-1, 1])) for _ in range(2)]
    shift = np.array([[draw(coordinates)], [draw(coordinates)]])
    return np.concatenate([first @ np.diag(scales) @ second, shift], axis=1)


def turn(angle):
    return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


def cloud(seed, count=12, offset=300.0):
    return np.random.default_rng(seed).normal(offset, 40, (count, 2))


def test_transform_by_hand():
    stretch = np.array([[2.0, 0.0, 5.0], [0.0, 3.0, -1.0]])
    np.testing.assert_array_equal(
        geometry.transform_points(stretch, np.array([[1.0, 1.0], [0.0, 2.0]])), [[7, 2], [5, 5]]
    )
    np.testing.assert_array_equal(
        geometry.transform_points(QUARTER, np.array([[1.0, 0.0], [0.0, 1.0]])), [[0, 1], [-1, 0]]
    )


def test_a_batch_of_maps_meets_its_own_points():
    maps = np.stack([QUARTER, np.array([[2.0, 0.0, 5.0], [0.0, 3.0, -1.0]])])
    points = np.array([[[1.0, 2.0]], [[1.0, 2.0]]])
    np.testing.assert_array_equal(geometry.transform_points(maps, points), [[[-2, 1]], [[7, 5]]])
    np.testing.assert_array_equal(geometry.transform_points(maps, points[0]), [[[-2, 1]], [[7, 5]]])


def test_compose_applies_the_inner_map_first():
    """Trap: the other order is another map.

    A shift by (1, 0) then a quarter turn ends at (0, 1).
    """
    shift = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    origin = np.zeros((1, 2))
    np.testing.assert_array_equal(
        geometry.transform_points(geometry.compose_maps(QUARTER, shift), origin), [[0, 1]]
    )
    np.testing.assert_array_equal(
        geometry.transform_points(geometry.compose_maps(shift, QUARTER), origin), [[1, 0]]
    )


@settings(max_examples=50, deadline=None)
@given(outer=affine_maps(), inner=affine_maps())
def test_composition_is_application_one_after_the_other(outer, inner):
    points = cloud(0)
    step = geometry.transform_points(outer, geometry.transform_points(inner, points))
    np.testing.assert_allclose(
        geometry.transform_points(geometry.compose_maps(outer, inner), points), step, atol=1e-8
    )


@settings(max_examples=50, deadline=None)
@given(forward=affine_maps())
def test_inverse_undoes_on_either_side(forward):
    identity = np.eye(2, 3)
    back = geometry.invert_maps(forward)
    np.testing.assert_allclose(geometry.compose_maps(back, forward), identity, atol=1e-8)
    np.testing.assert_allclose(geometry.compose_maps(forward, back), identity, atol=1e-8)


def test_inverse_by_hand_and_of_nothing():
    np.testing.assert_allclose(
        geometry.invert_maps(np.array([[2.0, 0.0, 6.0], [0.0, 4.0, -4.0]])),
        [[0.5, 0, -3], [0, 0.25, 1]],
        rtol=1e-15,
    )
    with pytest.raises(np.linalg.LinAlgError, match="Singular"):
        geometry.invert_maps(np.zeros((2, 3)))


@settings(max_examples=50, deadline=None)
@given(forward=affine_maps(), seed=st.integers(0, 1000))
def test_fit_affine_finds_the_map_that_made_the_points(forward, seed):
    points = cloud(seed)
    np.testing.assert_allclose(
        geometry.fit_affine(points, geometry.transform_points(forward, points)), forward, atol=1e-5
    )


@settings(max_examples=50, deadline=None)
@given(angle=st.floats(-math.pi, math.pi), scale=st.floats(0.1, 10), x=coordinates, y=coordinates)
def test_fit_similarity_finds_the_map_that_made_the_points(angle, scale, x, y):
    forward = np.concatenate([scale * turn(angle), [[x], [y]]], axis=1)
    points = cloud(3)
    np.testing.assert_allclose(
        geometry.fit_similarity(points, geometry.transform_points(forward, points)),
        forward,
        atol=1e-8,
    )


def test_fits_take_batches_and_broadcast_one_template():
    template = cloud(1)
    maps = np.stack(
        [
            np.array([[1.1, 0.2, 5.0], [-0.2, 1.1, 9.0]]),
            np.array([[0.5, -0.1, 0.0], [0.1, 0.5, -3.0]]),
        ]
    )
    targets = geometry.transform_points(maps, template)
    for fit in (geometry.fit_affine, geometry.fit_similarity):
        np.testing.assert_allclose(fit(template, targets), maps, atol=1e-6)


def test_fit_similarity_is_the_best_of_its_kind_and_affine_no_worse():
    source, target = cloud(1), cloud(2)

    def cost(candidate):
        return float(((geometry.transform_points(candidate, source) - target) ** 2).sum())

    best = geometry.fit_similarity(source, target)
    assert best[0, 0] == pytest.approx(best[1, 1])
    assert best[0, 1] == pytest.approx(-best[1, 0])
    for angle, scale in [(0.01, 1.0), (-0.01, 1.0), (0.0, 1.01), (0.0, 0.99)]:
        worse = best.copy()
        worse[:, :2] = scale * turn(angle) @ best[:, :2]
        centre = source.mean(axis=0)
        worse[:, 2] += best[:, :2] @ centre - worse[:, :2] @ centre
        assert cost(worse) > cost(best)
    assert cost(geometry.fit_affine(source, target)) <= cost(best)


def test_fit_similarity_does_not_mirror():
    """Trap: swapped eyes would be fitted perfectly by a reflection.

    No face is its own mirror image.
    """
    source = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
    fitted = geometry.fit_similarity(source, source * [-1, 1])
    assert np.linalg.det(fitted[:, :2]) > 0


def test_boxes_by_hand():
    points = np.array([[3.0, 9.0], [1.0, 5.0], [2.0, 4.0]])
    np.testing.assert_array_equal(geometry.tight_box(points), [1, 4, 3, 9])
    np.testing.assert_array_equal(
        geometry.tight_box(np.stack([points, points + 1])), [[1, 4, 3, 9], [2, 5, 4, 10]]
    )
    box = np.array([0.0, 0.0, 10.0, 4.0])
    np.testing.assert_array_equal(geometry.square_boxes(box), [0, -3, 10, 7])
    np.testing.assert_array_equal(geometry.square_boxes(box, 2.0), [-5, -8, 15, 12])
    np.testing.assert_array_equal(geometry.expand_boxes(box, 1.5), [-2.5, -1, 12.5, 5])
    np.testing.assert_array_equal(geometry.expand_boxes(box, 1.0), box)


def test_box_to_unit_puts_corners_on_corners():
    boxes = np.array([[10.0, 20.0, 30.0, 60.0], [-5.0, -5.0, 5.0, 5.0]])
    maps = geometry.box_to_unit(boxes)
    corners = np.stack([boxes[:, :2], boxes[:, 2:], (boxes[:, :2] + boxes[:, 2:]) / 2], axis=1)
    np.testing.assert_allclose(
        geometry.transform_points(maps, corners), [[[-1, -1], [1, 1], [0, 0]]] * 2, atol=1e-15
    )


def test_a_crop_of_the_whole_picture_is_the_picture():
    """Trap: edges lie half a pixel outside the outer centres.

    Corners on centres would stretch by size / (size - 1).
    """
    whole = np.array([-0.5, -0.5, 63.5, 63.5])
    np.testing.assert_allclose(geometry.box_to_crop(whole, 64), np.eye(2, 3), atol=1e-14)
    half = geometry.box_to_crop(whole, 32)
    np.testing.assert_allclose(
        geometry.transform_points(half, np.array([[0.5, 0.5], [62.5, 62.5]])), [[0, 0], [31, 31]]
    )


@settings(max_examples=50, deadline=None)
@given(
    x=coordinates,
    y=coordinates,
    width=st.floats(5, 400),
    height=st.floats(5, 400),
    size=st.integers(16, 512),
)
def test_crop_round_trip(x, y, width, height, size):
    box = np.array([x, y, x + width, y + height])
    into = geometry.box_to_crop(box, size)
    edges = geometry.transform_points(into, box.reshape(2, 2))
    np.testing.assert_allclose(edges, [[-0.5, -0.5], [size - 0.5, size - 0.5]], atol=1e-8)
    np.testing.assert_allclose(
        geometry.transform_points(geometry.invert_maps(into), edges), box.reshape(2, 2), atol=1e-8
    )


def test_directions_and_angles_are_each_others_inverse():
    angles = np.random.default_rng(0).uniform([-1.5, -3.1], [1.5, 3.1], (50, 2))
    vectors = geometry.angles_to_vectors(angles)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(50))
    assert geometry.vectors_to_angles(3 * vectors) == pytest.approx(angles)


def test_pitch_comes_first():
    """The trap: sets differ in the order of the two angles, and a swapped one trains normally."""
    up, aside = geometry.angles_to_vectors(np.radians([[30.0, 0.0], [0.0, 30.0]]))
    assert up == pytest.approx([0, 0.5, np.sqrt(0.75)])
    assert aside == pytest.approx([0.5, 0, np.sqrt(0.75)])


def test_methods_of_others_find_the_names_that_they_were_written_with():
    unit = geometry.box_to_unit(np.array([[0.0, 0.0, 10.0, 20.0]]))
    back = geometry.transform(geometry.invert(unit), geometry.transform(unit, np.ones((1, 3, 2))))
    assert back == pytest.approx(np.ones((1, 3, 2)))
