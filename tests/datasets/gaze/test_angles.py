"""One convention for every direction.

What cannot be right about a copy is refused, and the message says what.
"""

import numpy as np
import pytest

from benchbox.datasets.gaze import angles
from benchbox.errors import DataError


def test_one_axis_at_a_time():
    """The trap: a swapped order trains normally and shows up as 20 degrees of error.

    One axis alone tells.
    """
    up, aside = angles.gaze_vectors(np.array([[0.3, 0.0], [0.0, 0.3]]), "here")
    np.testing.assert_allclose(up, [0, np.sin(0.3), np.cos(0.3)])
    np.testing.assert_allclose(aside, [np.sin(0.3), 0, np.cos(0.3)])


def test_the_vector_is_the_gaze_of_a_camera_frame_with_every_sign_turned():
    # right, down, towards the camera
    gaze = np.array([0.2, 0.5, -0.8]) / np.linalg.norm([0.2, 0.5, -0.8])
    pitch, yaw = np.arcsin(-gaze[1]), np.arctan2(-gaze[0], -gaze[2])
    np.testing.assert_allclose(angles.gaze_vectors(np.array([[pitch, yaw]]), "here")[0], -gaze)


@pytest.mark.parametrize(
    "row", [[17.0, -3.0], [1.6, 0.0], [0.0, 3.2], [np.nan, 0.0], [np.inf, 0.0]]
)
def test_degrees_and_damage_are_refused_by_row(row):
    given = np.array([[0.1, 0.1], row, row])
    with pytest.raises(
        DataError, match=r"file: row 1: pitch .* are no radians .* 2 rows like it: degrees"
    ):
        angles.gaze_vectors(given, "file")


def test_gaze_at_a_screen_below_its_camera_tells_order_and_sign():
    right = np.array([[-0.2, 0.1], [-0.1, -0.1]])  # (pitch, yaw)
    angles.check_below_camera(right, "file")
    with pytest.raises(
        DataError, match=r"file: mean pitch \+0\.000 rad, mean yaw -0\.150 rad: .*look swapped"
    ):
        angles.check_below_camera(right[:, ::-1], "file")
    with pytest.raises(
        DataError, match=r"mean pitch \+0\.150 rad.* the sign of pitch looks turned"
    ):
        angles.check_below_camera(right * [-1, 1], "file")


def test_a_turned_yaw_shows_when_many_people_are_looked_at_together():
    """The trap: no person's mean betrays the sign of yaw.

    Gaze that goes with the head does, over many.
    """
    rng = np.random.default_rng(1)
    people = np.repeat(np.array([f"p{k:02d}" for k in range(10)]), 50)
    head = rng.normal(0, 0.3, (500, 2))
    gaze = np.stack([np.full(500, -0.1), 0.3 * head[:, 1] + rng.normal(0, 0.1, 500)], axis=1)
    (found,) = angles.compare_head_yaw(angles.gaze_vectors(gaze, "file"), head, people)
    assert (found.level, found.what[:40]) == ("ok", "yaw goes with the head's yaw, correlatio")
    (turned,) = angles.compare_head_yaw(angles.gaze_vectors(gaze * [1, -1], "file"), head, people)
    assert turned.level == "wrong"
    assert "goes against the head's yaw" in turned.what
    assert (
        angles.compare_head_yaw(angles.gaze_vectors(gaze[:450], "file"), head[:450], people[:450])
        == []
    )
