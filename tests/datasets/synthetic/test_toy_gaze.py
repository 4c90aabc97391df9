"""Drawn eyes: the gaze is in the picture, and the sets have the shape of the real ones."""

import numpy as np
import pytest

from benchbox.datasets.synthetic import toy_gaze


@pytest.mark.parametrize("task", ["gaze2d", "gaze3d"])
def test_the_gaze_can_be_read_off_the_pupil(task):
    """A least-squares fit on the mean of an eye's dark pixels explains nearly all of the label."""
    index = toy_gaze.draw_toy_set(task, train=80, test=20)
    places = []
    for row in range(len(index.ids)):
        eye = index.read(row)[20:45, 18:43].sum(axis=2) < 150
        places.append(np.argwhere(eye).mean(axis=0))
    wanted = index.values[:, :2]
    if task == "gaze2d":  # cm for a given device
        keep = index.attributes["phone"]
        wanted, places = wanted[keep], np.array(places)[keep]
    design = np.column_stack([places, np.ones(len(places))])
    left = wanted - design @ np.linalg.lstsq(design, wanted, rcond=None)[0]
    assert (left.var(axis=0) / wanted.var(axis=0)).max() < 0.02


def test_the_sets_have_the_shape_of_the_real_ones():
    screens, directions = toy_gaze.draw_toy_set("gaze2d"), toy_gaze.draw_toy_set("gaze3d")
    assert set(screens.parts.tolist()) == {"train", "test"}
    assert set(directions.parts.tolist()) == {"train", "validation"}
    assert {"face", "left_eye", "right_eye"} == set(screens.boxes)
    assert set(screens.meta) == {"device", "orientation", "face_grid"}
    np.testing.assert_allclose(np.linalg.norm(directions.values, axis=1), 1)
    train = screens.parts == "train"
    assert not set(screens.clusters[train].tolist()) & set(screens.clusters[~train].tolist())
    assert screens.sequences is not None
    assert np.unique(screens.sequences, return_counts=True)[1].tolist() == [2] * 12
    again = toy_gaze.draw_toy_set("gaze2d")
    np.testing.assert_array_equal(screens.read(3), again.read(3))
