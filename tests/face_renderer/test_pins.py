"""Each family of sets is pinned to its version.

A change that moves a label or a pixel would leave stale caches behind.

To change one on purpose: raise the family's version, look at the sheets (`python -m
benchbox.face_renderer.twin_contact_sheets`), and write the new values here. Bytes differ by a grey
level between builds of OpenCV, so pictures are pinned coarsely.
"""

import hashlib

import numpy as np
import pytest

from benchbox.face_renderer import image_sets
from benchbox.face_renderer.render import render_picture
from benchbox.face_renderer.scenes import multi_camera, phone_and_tablet, portraits, videos

LANDMARKS = {
    ("WFLW", "test", 1): [(104.409, 138.879), (64.098, 106.189), (152.836, 95.941)],
    ("COFW", "test", 1): [(108.438, 135.404), (63.509, 88.415), (164.862, 81.223)],
    ("AFLW", "test", 1): [(159.249, 142.251), (106.613, 120.396), (160.587, 98.303)],
    ("PRIVATE", "outdoor", 1): [(162.869, 148.96), (114.275, 113.3), (175.582, 104.184)],
}
TILES = {
    "WFLW": [165, 127, 119, 168, 157, 120, 99, 134, 157, 124, 113, 169, 168, 130, 96, 161],
    "GAZECAPTURE": [37, 134, 107, 116, 63, 115, 86, 96, 79, 124, 90, 47, 73, 117, 74, 47],
    "ETH_XGAZE": [100, 142, 140, 72, 138, 126, 134, 87, 127, 130, 127, 70, 113, 127, 115, 48],
    "MPIIGAZE": [78, 81, 97, 93, 60, 82, 83, 106, 62, 75, 83, 114, 59, 55, 70, 77],
    "VIDEOS": [201, 104, 77, 146, 239, 135, 166, 172, 245, 162, 155, 193, 238, 209, 144, 184],
}


def test_versions_belong_to_the_pins_below():
    assert (portraits.PORTRAIT_VERSION, multi_camera.RIG_VERSION) == (1, 1)
    phones = (image_sets.GAZECAPTURE, image_sets.GAZECN, image_sets.GAZESTARE)
    assert [study.version for study in phones] == [4, 4, 4]
    assert [
        study.version
        for study in (image_sets.ETH_XGAZE, image_sets.MPIIGAZE, image_sets.MPIIFACEGAZE)
    ] == [
        2,
        1,
        1,
    ]


@pytest.mark.parametrize("face", LANDMARKS)
def test_landmarks_are_pinned(face):
    name, part, number = face
    scene = portraits.draw_portrait(getattr(image_sets, name), part, number).scene
    np.testing.assert_allclose(scene.landmarks[[30, 36, 45]], LANDMARKS[face], atol=0.01)


def test_labels_of_devices_are_pinned():
    shots = [
        phone_and_tablet.draw_shot(image_sets.GAZECAPTURE, "test", 99),
        phone_and_tablet.draw_shot(image_sets.GAZECN, "test", 5),
    ]
    np.testing.assert_allclose(
        [s.target_cm for s in shots], [(2.1977, -8.5158), (-1.2003, -5.0849)], atol=1e-3
    )
    stare = phone_and_tablet.draw_shot(image_sets.GAZESTARE, "stare", 40)
    np.testing.assert_allclose(stare.target_cm, (0.886, -2.9465), atol=1e-3)
    np.testing.assert_allclose(stare.scene.landmarks[30], (111.2485, 260.528), atol=0.01)


def test_labels_of_patches_are_pinned():
    patches = [
        multi_camera.draw_patch(image_sets.ETH_XGAZE, "validation", 8),
        multi_camera.draw_patch(image_sets.MPIIGAZE, "eyes", 3),
    ]
    np.testing.assert_allclose(
        [p.gaze for p in patches],
        [(-0.42128, 0.3348, 0.84287), (-0.19933, -0.06068, 0.97805)],
        atol=1e-4,
    )
    face = multi_camera.draw_patch(image_sets.MPIIFACEGAZE, "faces", 130)
    np.testing.assert_allclose(face.head, (-0.2057, -0.2879, 0.93531), atol=1e-4)


@pytest.mark.parametrize("name", TILES)
def test_pictures_are_pinned_coarsely(name):
    scene = {
        "WFLW": lambda: portraits.draw_portrait(image_sets.WFLW, "test", 1).scene,
        "GAZECAPTURE": lambda: phone_and_tablet.draw_shot(image_sets.GAZECAPTURE, "test", 99).scene,
        "ETH_XGAZE": lambda: multi_camera.draw_patch(image_sets.ETH_XGAZE, "validation", 8).scene,
        "MPIIGAZE": lambda: multi_camera.draw_patch(image_sets.MPIIGAZE, "eyes", 3).scene,
        "VIDEOS": lambda: videos.draw_frame(image_sets.VIDEOS, "c", 5),
    }[name]()
    grey = render_picture(scene).pixels.astype(float).mean(axis=2)
    side = len(grey) // 4
    tiles = grey[: 4 * side, : 4 * side].reshape(4, side, 4, side).mean(axis=(1, 3)).ravel()
    np.testing.assert_allclose(tiles, TILES[name], atol=1.5)


def test_a_picture_of_a_settled_person_is_the_same_whoever_was_pictured_before():
    """Skin and hair are kept per person.

    What is kept must not depend on the frame that it was made for.
    """
    from benchbox.face_renderer import render

    first, later = (
        phone_and_tablet.draw_shot(image_sets.GAZECN, "train", number).scene for number in (0, 17)
    )
    render._APPEARANCES.clear()
    alone = hashlib.sha256(render_picture(later).pixels.tobytes()).hexdigest()
    render._APPEARANCES.clear()
    render_picture(first)
    assert hashlib.sha256(render_picture(later).pixels.tobytes()).hexdigest() == alone
