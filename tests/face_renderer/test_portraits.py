"""Faces whose difficulty is chosen mean what their attributes say; videos move without a jump."""

import numpy as np
import pytest

from benchbox.face_renderer import image_sets
from benchbox.face_renderer.head import appearance
from benchbox.face_renderer.render import render_picture
from benchbox.face_renderer.scenes import videos
from benchbox.face_renderer.scenes.portraits import ATTRIBUTES, draw_portrait


@pytest.fixture(scope="module")
def faces():
    return [draw_portrait(image_sets.WFLW, "test", number) for number in range(200)]


def having(faces, trait, value=True):
    return [p.scene for p in faces if p.traits[trait] is value]


def test_each_attribute_is_as_common_as_in_wflw(faces):
    """datasets.md 6: 326, 314, 698, 206, 736, 773 of 2,500."""
    shares = {name: np.mean([p.traits[name] for p in faces]) for name in ATTRIBUTES}
    official = dict(zip(ATTRIBUTES, np.array([326, 314, 698, 206, 736, 773]) / 2500, strict=True))
    for name in ATTRIBUTES:
        assert shares[name] == pytest.approx(official[name], abs=0.08)


def test_attributes_are_what_the_scene_is_made_with(faces):
    turn = {
        v: [max(abs(s.pose.yaw), abs(s.pose.pitch)) for s in having(faces, "largepose", v)]
        for v in (True, False)
    }
    assert np.degrees(min(turn[True])) > 20
    assert np.degrees(max(turn[False])) < 30
    jaw = {v: np.mean([s.shape.jaw for s in having(faces, "expression", v)]) for v in (True, False)}
    assert jaw[True] > 3 * jaw[False]
    assert all(s.conditions.blur_px > 1.5 for s in having(faces, "blur"))
    assert all(s.conditions.blur_px == 0 for s in having(faces, "blur", False))
    assert all(s.conditions.harsh for s in having(faces, "illumination"))
    assert all(s.changes["makeup"] > 0.7 for s in having(faces, "makeup"))
    assert all(s.changes["makeup"] <= 0.25 for s in having(faces, "makeup", False))
    for scene in having(faces, "occlusion", False):
        assert scene.conditions.cover == "nothing"
        assert scene.changes["glasses"] != 4
    for scene in having(faces, "occlusion"):
        assert scene.conditions.cover != "nothing" or scene.changes["glasses"] == 4


def test_what_comes_before_a_face_hides_points_and_blur_takes_detail_away(faces):
    calm = [p for p in faces if not p.traits["largepose"]]
    hidden = {
        v: np.mean([~render_picture(s).visible[17:68] for s in having(calm, "occlusion", v)[:12]])
        for v in (True, False)
    }
    assert hidden[True] > 0.08 > 4 * hidden[False]
    detail = {
        v: np.median(
            [
                np.abs(np.diff(render_picture(s).pixels.astype(float), axis=0)).mean()
                for s in having(calm, "blur", v)[:12]
            ]
        )
        for v in (True, False)
    }
    assert detail[False] > 1.3 * detail[True]


def test_cofw_hides_about_a_quarter_of_the_points():
    """datasets.md 5.1: some 23 % of COFW's points are occluded."""
    hidden = [
        ~render_picture(draw_portrait(image_sets.COFW, "test", n).scene).visible[68:]
        for n in range(60)
    ]
    assert 0.15 < np.mean(hidden) < 0.35


def test_aflw_turns_to_profiles():
    yaws = np.degrees(
        [abs(draw_portrait(image_sets.AFLW, "train", n).scene.pose.yaw) for n in range(100)]
    )
    assert (yaws > 60).mean() > 0.1
    assert (yaws < 20).mean() > 0.2


def test_the_person_of_a_face_is_its_own():
    first, second = (draw_portrait(image_sets.WFLW, part, 3).scene for part in ("train", "test"))
    assert first.person != second.person
    one, other = (
        appearance.draw_look(scene.person_rng(), child=False) for scene in (first, second)
    )
    assert not np.allclose(one.skin, other.skin)


# --- videos ---------------------------------------------------------------------------------------


def test_a_video_is_one_person_before_one_camera_and_moves_without_a_jump():
    scenes = [
        videos.draw_frame(image_sets.VIDEOS, "c", number)
        for number in range(image_sets.VIDEOS.frames)
    ]
    assert len({scene.person for scene in scenes}) == 1
    assert len({scene.look_key for scene in scenes}) == 1
    assert len({scene.grain_key for scene in scenes}) == len(scenes)
    points = np.array([scene.landmarks for scene in scenes])
    steps = np.linalg.norm(np.diff(points, axis=0), axis=2)
    assert steps.mean(1).max() < 6  # px from frame to frame
    assert points.std(0).mean() > 1  # it does move
    assert (
        videos.draw_frame(image_sets.VIDEOS, "c", image_sets.VIDEOS.frames).person
        != scenes[0].person
    )


def test_frames_of_a_video_differ_by_motion_and_noise_alone():
    a, b, c = (
        render_picture(videos.draw_frame(image_sets.VIDEOS, "c", n)).pixels.astype(float)
        for n in (0, 1, image_sets.VIDEOS.frames)
    )
    assert np.abs(a - b).mean() < 0.4 * np.abs(a - c).mean()
