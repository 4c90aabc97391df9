"""People who look at known points.

The label, the eyes in the picture and the geometry between them agree.
"""

import numpy as np
import pytest

from benchbox.face_renderer import image_sets, light
from benchbox.face_renderer.camera import rotation_matrix
from benchbox.face_renderer.head.eyes import gaze_direction
from benchbox.face_renderer.render import render_picture
from benchbox.face_renderer.scenes import (
    device_screens,
    gaze_targets,
    multi_camera,
    phone_and_tablet,
)
from benchbox.face_renderer.scenes.scene import random_stream
from benchbox.geometry import angles_to_vectors


@pytest.mark.parametrize(
    ("orientation", "expected_cm"),
    [(1, (-0.86, -2.8)), (2, (-2.99, 9.2)), (3, (1.8, 1.99)), (4, (-10.2, -0.14))],
)
def test_a_point_of_the_screen_lies_where_gazecapture_says(orientation, expected_cm):
    """By hand, from GazeCapture's rules, for a screen of 58.5 x 104 mm.

    Camera 18.6 right of its corner, 8 above.
    """
    at = device_screens.screen_to_camera_cm(
        device_screens.DEVICES_BY_NAME["phone-middle"], orientation, 10.0, 20.0
    )
    np.testing.assert_allclose(at, expected_cm)


def test_an_unknown_orientation_is_refused():
    with pytest.raises(ValueError, match="orientation 0 is none of 1 to 4"):
        device_screens.screen_to_camera_cm(device_screens.DEVICES[0], 0, 1.0, 1.0)


def test_upright_screens_hang_below_their_camera_and_upside_down_ones_rise_above():
    """The sign trap: YCam is negative in orientation 1 and positive in 2."""
    rng = np.random.default_rng(0)
    for device in device_screens.DEVICES:
        assert all(device_screens.draw_dot_cm(device, 1, rng)[1] < 0 for _ in range(9))
        assert all(device_screens.draw_dot_cm(device, 2, rng)[1] > 0 for _ in range(9))
        assert all(
            device_screens.draw_dot_cm(device, 3, rng)[0]
            > 0
            > device_screens.draw_dot_cm(device, 4, rng)[0]
            for _ in range(9)
        )


@pytest.mark.parametrize("number", [0, 9, 30, 200, 215])
def test_both_lines_of_sight_meet_the_dot(number):
    """From each eyeball's axis, the person's kappa and the head's pose back to the point.

    Within 2 mm of the dot.
    """
    shot = phone_and_tablet.draw_shot(image_sets.GAZECAPTURE, "train", number)
    scene = shot.scene
    who = gaze_targets.draw_person(*scene.person_key[:-1])
    eyes = gaze_targets.eyeball_positions(who, scene.pose, scene.shape.expression)
    dot = scene.camera.position + 10 * np.array([-shot.target_cm[0], -shot.target_cm[1], 0])
    for eye, axis, (kappa_yaw, kappa_pitch) in zip(eyes, scene.axes, who.kappa, strict=True):
        yaw, pitch = np.arctan2(axis[0], axis[2]) + kappa_yaw, np.arcsin(axis[1]) + kappa_pitch
        line = rotation_matrix(scene.pose) @ gaze_direction(yaw, pitch)
        reach = (dot[2] - eye[2]) / line[2]
        # where an eye rests wanders by a millimetre
        np.testing.assert_allclose(eye + reach * line, dot, atol=4.0)


def test_pupils_in_the_picture_move_against_xcam_and_down_with_minus_ycam():
    """The mirror trap.

    The user's right is the picture's left, and so is the way the pupils move.
    """
    from benchbox.face_renderer.head.model import model_points

    moved, labels = [], []
    for number in range(0, 480, 2):
        shot = phone_and_tablet.draw_shot(image_sets.GAZECN, "train", number)
        scene = shot.scene
        flat = scene.camera.project(model_points("wflw98").at(scene.shape, scene.pose, scene.axes))[
            0
        ]
        wide = flat[72, 0] - flat[60, 0]
        corners = flat[[60, 64, 68, 72]].mean(0)
        moved.append((flat[[96, 97]].mean(0) - corners) / wide)
        labels.append(shot.target_cm)
    moved, labels = np.array(moved), np.array(labels)
    assert np.corrcoef(moved[:, 0], labels[:, 0])[0, 1] < -0.5
    assert np.corrcoef(moved[:, 1], labels[:, 1])[0, 1] < -0.5


def test_eye_boxes_hold_the_eyes_and_left_is_the_subjects_own_left():
    for number in (0, 100, 2000):
        shot = phone_and_tablet.draw_shot(image_sets.GAZECAPTURE, "train", number)
        rows, columns = phone_and_tablet.frame_slices(shot.orientation)
        flat = shot.scene.landmarks - [columns.start, rows.start]
        for box, lids in ((shot.left_eye, flat[42:48]), (shot.right_eye, flat[36:42])):
            assert (lids > box[:2]).all()
            assert (lids < box[2:]).all()
        assert shot.left_eye[0] > shot.right_eye[0]


def test_the_face_grid_lies_over_the_square_around_the_frame():
    """Checked on a real recording.

    A face 13.4 cells of the square wide, 17.9 of the frame, is said to be 13 wide.
    """
    # 132 px in 216 x 288 and 288 x 216
    faces = np.array([[40.0, 100.0, 172.0, 232.0], [100.0, 40.0, 232.0, 172.0]])
    grid = phone_and_tablet.face_grid(faces, np.array([1, 3]))
    side = 132 / 288 * 25
    expected = [
        [(40.5 + 36) / 288 * 25, 100.5 / 288 * 25, side, side],
        [100.5 / 288 * 25, 76.5 / 288 * 25, side, side],
    ]
    np.testing.assert_array_equal(grid, np.round(expected))
    # a square face is square on the grid, however the device is held
    assert (grid[:, 2] == grid[:, 3]).all()


def test_a_stare_keeps_its_dot_while_the_head_moves_a_little_from_frame_to_frame():
    _, frames = image_sets.GAZESTARE.shown("stare")
    shots = [
        phone_and_tablet.draw_shot(image_sets.GAZESTARE, "stare", 2 * frames + k)
        for k in range(frames)
    ]
    assert len({shot.dot for shot in shots}) == 1
    assert np.ptp([shot.target_cm for shot in shots], axis=0).max() == 0
    nose = np.array([shot.scene.landmarks[30] for shot in shots])
    assert 0.5 < nose.std(0).max() < 8
    assert np.linalg.norm(np.diff(nose, axis=0), axis=1).max() < 4


def test_a_part_of_single_frames_shows_as_many_frames_each_of_a_dot_of_its_own():
    """What is learned from is never shown twice.

    What is tested on has several frames of each dot.
    """
    study = image_sets.GAZECAPTURE
    assert (study.shown("train"), study.shown("test")) == ((12, 1), (6, 2))
    assert dict(study.sizes())["test"] == 84 * 12
    assert phone_and_tablet.split_number(study, "train", 12 * 5 + 7) == (5, 7, 0)
    assert phone_and_tablet.split_number(study, "test", 12 * 5 + 7) == (5, 3, 1)
    dots = {
        part: [phone_and_tablet.draw_shot(study, part, n).dot for n in range(12)]
        for part in ("train", "test")
    }
    assert [len(set(dots[part])) for part in ("train", "test")] == [12, 6]
    turns = [phone_and_tablet.draw_shot(study, "train", n).orientation for n in range(12)]
    assert turns == sorted(turns) == [1] * 8 + [3] * 2 + [4] * 2


# --- normalised patches ---------------------------------------------------------------------------


def test_directions_follow_the_one_formula_and_agree_with_the_scene():
    """v = -(camera's gaze, z away): a person who looks at the camera has v = (0, 0, 1)."""
    for number in (0, 7, 100):
        patch = multi_camera.draw_patch(image_sets.ETH_XGAZE, "train", number)
        assert np.linalg.norm(patch.gaze) == pytest.approx(1)
        np.testing.assert_allclose(
            angles_to_vectors(multi_camera.pitch_yaw(patch.head)), patch.head, atol=1e-12
        )
        forward = rotation_matrix(patch.scene.pose)[:, 2]
        np.testing.assert_allclose(patch.head, forward * [-1, -1, 1])
        turned = np.degrees(np.arccos(np.clip(patch.head @ patch.gaze, -1, 1)))
        assert turned < 60  # eyes turn no further in their heads


def test_notebook_users_look_below_the_camera_and_to_both_sides_alike():
    """What the readers of MPIIGaze hold every copy against.

    Mean pitch negative, and by more than yaw is off 0.
    """
    for study, part in ((image_sets.MPIIGAZE, "eyes"), (image_sets.MPIIFACEGAZE, "faces")):
        angles = np.array(
            [
                multi_camera.pitch_yaw(multi_camera.draw_patch(study, part, n).gaze)
                for n in range(0, 1500, 7)
            ]
        )
        pitch, yaw = angles.mean(0)
        assert pitch < -0.08
        assert abs(yaw) < abs(pitch) / 2


def test_right_eyes_are_mirrored_with_their_directions():
    """Eyes take turns.

    Unmirrored, the middle yaw of right and left eyes would have opposite signs for a near point.
    """
    patches = [multi_camera.draw_patch(image_sets.MPIIGAZE, "eyes", n) for n in range(4)]
    assert [p.mirrored for p in patches] == [True, False, True, False]
    shown = patches[0]
    plain = multi_camera.cut_patch(shown, np.arange(60 * 60 * 3, dtype=np.uint8).reshape(60, 60, 3))
    assert plain.shape == (36, 60, 3)
    np.testing.assert_array_equal(
        plain[:, ::-1], np.arange(10800, dtype=np.uint8).reshape(60, 60, 3)[12:48]
    )


def test_cameras_see_one_moment_from_eighteen_sides():
    patches = [multi_camera.draw_patch(image_sets.ETH_XGAZE, "train", n) for n in range(18)]
    assert [p.camera for p in patches] == list(range(18))
    heads = np.array([multi_camera.pitch_yaw(p.head) for p in patches])
    assert np.ptp(heads[:, 1]) > np.radians(70)
    assert np.ptp(heads[:, 0]) > np.radians(30)
    assert len({p.person for p in patches}) == 1


def test_a_laboratory_has_one_wall_and_the_light_of_the_moment():
    """A wall, a grade and a light of its own would tell each picture from all others."""
    n = image_sets.ETH_XGAZE.frames
    scenes = [
        multi_camera.draw_patch(image_sets.ETH_XGAZE, "train", k).scene for k in (0, 3, 18, n)
    ]
    assert scenes[0].look_key == scenes[1].look_key == scenes[2].look_key != scenes[3].look_key
    assert scenes[0].room.light_key == scenes[1].room.light_key != scenes[2].room.light_key
    assert len({scene.grain_key for scene in scenes}) == 4  # the noise is each picture's own
    lamps = [
        light.draw_light(random_stream(*s.room.light_key), hard=False).rotated(s.room.turn)
        for s in scenes[:2]
    ]
    keys = [s.room.turn.T @ lamp.key for s, lamp in zip(scenes[:2], lamps, strict=True)]
    np.testing.assert_allclose(keys[0], keys[1], atol=1e-12)  # one lamp in the room ...
    assert np.degrees(np.arccos(lamps[0].key @ lamps[1].key)) > 40  # ... seen from two sides
    walls = [render_picture(s).pixels[:6, :6].reshape(-1, 3).mean(axis=0) for s in scenes[:2]]
    np.testing.assert_allclose(walls[0], walls[1], atol=25)
    assert multi_camera.draw_patch(image_sets.MPIIGAZE, "eyes", 0).scene.room is None
