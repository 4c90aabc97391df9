"""The convention resolver: each known slip is made on purpose and named.

Nothing is named where nothing is wrong.
"""

import numpy as np
import pytest

from benchbox import geometry
from benchbox.metrics import gaze_convention_search


def labels(count=400, seed=0):
    return np.random.default_rng(seed).uniform([-0.5, -0.4], [0.2, 0.6], (count, 2))


def learnt(angles, seed=1, off_rad=0.06):
    """What a fair method answers about training labels."""
    return angles + np.random.default_rng(seed).normal(0, off_rad, angles.shape)


SLIPS = {
    "pitch and yaw exchanged": lambda v: geometry.angles_to_vectors(
        geometry.vectors_to_angles(v)[:, ::-1]
    ),
    "yaw reversed": lambda v: v * [-1, 1, 1],
    "pitch reversed": lambda v: v * [1, -1, 1],
    "pitch reversed, yaw reversed": lambda v: v * [-1, -1, 1],
    "axes (-x, -y, -z)": lambda v: -v,
    "axes (x, y, -z)": lambda v: v * [1, 1, -1],
}


@pytest.mark.parametrize("name", SLIPS)
def test_every_slip_of_direction_is_named(name):
    wanted = labels()
    given = SLIPS[name](geometry.angles_to_vectors(learnt(wanted)))
    found = gaze_convention_search.search_direction_convention(wanted, given)
    assert found.best.name == name
    assert found.certain
    assert found.best.error == pytest.approx(4.3, abs=0.5)
    assert found.identity.error > 2 * found.best.error
    assert name in found.warning
    assert found.best.means in found.warning


def test_one_order_of_the_axes_alone_is_a_vector_that_points_the_other_way():
    vectors = geometry.angles_to_vectors(labels(5))
    readings = list(gaze_convention_search._axes(vectors))
    assert len(readings) == len({name for name, _, _ in readings}) == 47
    backwards = [name for name, means, _ in readings if "points the other way" in means]
    assert backwards == ["axes (-x, -y, -z)"]
    other = [name for name, means, _ in readings if "other names or signs" in means]
    assert len(other) == 46
    for name, _, read in readings:
        for place, axis in enumerate(name.removeprefix("axes (").removesuffix(")").split(", ")):
            sign = -1 if axis.startswith("-") else 1
            np.testing.assert_array_equal(read[:, place], sign * vectors[:, "xyz".index(axis[-1])])


def test_nothing_is_warned_of_where_nothing_is_wrong():
    wanted = labels()
    found = gaze_convention_search.search_direction_convention(wanted, learnt(wanted))
    assert (found.best.name, found.warning, found.certain) == ("as given", "", False)


def test_a_method_that_has_learnt_nothing_is_not_blamed():
    """Trap: of some sixty readings of noise the best always beats the identity a little."""
    rng = np.random.default_rng(3)
    for seed in range(5):
        wanted = rng.normal(0, 0.05, (60, 2))
        found = gaze_convention_search.search_direction_convention(
            wanted, np.random.default_rng(seed).normal(0, 0.05, (60, 2))
        )
        assert not found.certain


def test_degrees_taken_for_radians():
    wanted = labels()
    found = gaze_convention_search.search_direction_convention(wanted, np.degrees(learnt(wanted)))
    assert found.best.name == "degrees"
    assert found.certain


def test_the_heads_frame_is_found_with_the_rotations():
    """Trap: labels in the head's frame, predictions in the camera's: no fixed swap of axes mends
    it.
    """
    rng = np.random.default_rng(4)
    turns = np.linalg.qr(np.eye(3) + 0.5 * rng.normal(size=(400, 3, 3)))[0]
    turns *= np.sign(np.linalg.det(turns))[:, None, None]
    wanted = geometry.angles_to_vectors(labels())
    given = np.einsum("nji,nj->ni", turns, geometry.angles_to_vectors(learnt(labels())))
    assert not gaze_convention_search.search_direction_convention(wanted, given).best.error < 8
    found = gaze_convention_search.search_direction_convention(wanted, given, rotations=turns)
    assert found.best.name == "turned into the head's frame"
    assert "labels are in the head's frame" in found.best.means


POINT_SLIPS = {
    "x and y exchanged": lambda p: p[:, ::-1],
    "x reversed": lambda p: p * [-1, 1],
    "y reversed": lambda p: p * [1, -1],
    "in mm": lambda p: p * 10,
    "in inch": lambda p: p / 2.54,
}


@pytest.mark.parametrize("name", POINT_SLIPS)
def test_every_slip_of_points_is_named(name):
    wanted = np.random.default_rng(5).uniform([-2, -9], [6, -1], (300, 2))
    found = gaze_convention_search.search_point_convention(
        wanted, POINT_SLIPS[name](learnt(wanted, off_rad=1.0))
    )
    assert found.best.name == name
    assert found.certain
    assert found.unit == "cm"


def test_another_origin_is_named_with_its_shift():
    wanted = np.random.default_rng(6).uniform(-5, 5, (300, 2))
    found = gaze_convention_search.search_point_convention(
        wanted, learnt(wanted, off_rad=0.5) - [3.0, -1.0]
    )
    assert found.best.name.startswith("moved by (+3.0")
    assert "different origins" in found.best.means


@pytest.mark.parametrize(
    ("shift", "off_cm"), [((1.5, -1.0), 0.2), ((4.0, 0.0), 2.0), ((0.8, 0.3), 1.0)]
)
def test_a_bias_of_a_trained_method_is_listed_and_not_warned_of(shift, off_cm):
    """The trap: a shift that is fitted to the labels always helps."""
    wanted = np.random.default_rng(6).uniform(-5, 5, (300, 2))
    found = gaze_convention_search.search_point_convention(
        wanted, learnt(wanted, off_rad=off_cm) - np.array(shift)
    )
    assert (found.best.name, found.warning) == ("as given", "")
    assert found.readings[-1].name.startswith("moved by (")


def test_frames_of_few_people_leave_doubt():
    """With two people a reversal may be chance; sixty frames of each are not sixty witnesses."""
    wanted = np.repeat([[0.0, 0.02], [0.0, -0.01]], 60, axis=0)
    given = np.repeat([[0.0, -0.02], [0.0, -0.012]], 60, axis=0)
    people = np.repeat([0, 1], 60)
    assert not gaze_convention_search.search_direction_convention(
        wanted, given, clusters=people
    ).certain


def test_a_reversal_shows_with_a_single_person():
    wanted = labels()
    given = -geometry.angles_to_vectors(learnt(wanted))
    assert gaze_convention_search.search_direction_convention(
        wanted, given, clusters=np.zeros(len(wanted))
    ).certain


@pytest.mark.parametrize("people", [3, 6, 10, 15, 40])
def test_a_reversal_is_certain_with_any_number_of_people(people):
    wanted = labels()
    given = learnt(wanted)[:, ::-1]
    assert gaze_convention_search.search_direction_convention(
        wanted, given, clusters=np.arange(len(wanted)) % people
    ).certain


def test_rows_without_an_answer_are_left_out():
    wanted = labels()
    given = learnt(wanted)
    given[::3] = np.nan
    assert gaze_convention_search.search_direction_convention(wanted, given).best.name == "as given"
    with pytest.raises(ValueError, match="no row has both"):
        gaze_convention_search.search_direction_convention(wanted, np.full_like(wanted, np.nan))


def test_large_sets_are_thinned(monkeypatch):
    monkeypatch.setattr(gaze_convention_search, "MAX_ROWS", 50)
    wanted = labels(1000)
    assert gaze_convention_search.search_direction_convention(
        wanted, -geometry.angles_to_vectors(learnt(wanted))
    ).certain


@pytest.mark.parametrize(("given", "kept"), [(50, 50), (51, 26), (99, 50), (120, 40), (500, 50)])
def test_never_more_rows_than_the_limit_and_evenly_spaced(monkeypatch, given, kept):
    """Trap: 99 rows divided by 50 is 1, and all were taken; rows without an answer count not."""
    monkeypatch.setattr(gaze_convention_search, "MAX_ROWS", 50)
    labels, answers = np.zeros((given + 5, 2)), np.zeros((given + 5, 2))
    answers[:5] = np.nan
    rows = gaze_convention_search._sampled_rows(labels, answers)
    assert len(rows) == kept
    assert rows[0] == 5
    assert len(np.unique(np.diff(rows))) == 1
