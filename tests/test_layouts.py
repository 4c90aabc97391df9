"""Facts about landmark schemes: what any layout must satisfy, and the numbers of the 68 points as published."""

import numpy as np
import pytest

from benchbox.layouts import IBUG68, LAYOUTS

every_layout = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)


@every_layout
def test_flipping_twice_changes_nothing(layout):
    flip = np.array(layout.flip)
    assert sorted(layout.flip) == list(range(layout.count))
    np.testing.assert_array_equal(flip[flip], np.arange(layout.count))


@every_layout
def test_a_mirrored_picture_swaps_the_eyes(layout):
    left, right = layout.eye_corners
    assert (layout.flip[left], layout.flip[right]) == (right, left)
    assert {layout.flip[k] for k in layout.eyes[0]} == set(layout.eyes[1])
    assert left in layout.eyes[0]
    assert right in layout.eyes[1]


@every_layout
def test_parts_hold_every_point_once_and_mirror_into_parts(layout):
    points = [k for part in layout.parts.values() for k in part]
    assert sorted(points) == list(range(layout.count))
    sets = {frozenset(part) for part in layout.parts.values()}
    assert {frozenset(layout.flip[k] for k in part) for part in sets} == sets


@every_layout
def test_subsets_have_their_size_in_order_and_survive_mirroring(layout):
    for count, points in layout.subsets.items():
        assert len(points) == count
        assert list(points) == sorted(set(points))
        assert 0 <= points[0] <= points[-1] < layout.count
        assert {layout.flip[k] for k in points} == set(points)


def test_flip_pairs_of_the_68_points():
    pairs = [(i, 16 - i) for i in range(8)] + [(17 + i, 26 - i) for i in range(5)]
    pairs += [(31, 35), (32, 34), (36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)]
    pairs += [(48, 54), (49, 53), (50, 52), (55, 59), (56, 58), (60, 64), (61, 63), (65, 67)]
    on_the_midline = [8, 27, 28, 29, 30, 33, 51, 57, 62, 66]
    assert 2 * len(pairs) + len(on_the_midline) == 68
    expected = list(range(68))
    for a, b in pairs:
        expected[a], expected[b] = b, a
    assert list(IBUG68.flip) == expected


def test_subsets_of_the_68_points():
    assert IBUG68.subsets[51] == tuple(range(17, 68))
    assert IBUG68.subsets[49] == (*range(17, 60), 61, 62, 63, 65, 66, 67)
    assert IBUG68.subsets[66] == (*range(60), 61, 62, 63, 65, 66, 67)


def test_outer_eye_corners_are_19_and_28_among_the_inner_points():
    """Trap: 36 and 45 of the 51 or 49 points are lips, and no error would tell."""
    assert IBUG68.eye_corners == (36, 45)
    for count in (51, 49):
        assert [IBUG68.subsets[count].index(k) for k in IBUG68.eye_corners] == [19, 28]
