"""Boxes of the phone twins behave as those of a real recording do, measured by the same program.

Trap: the twins' face box jumped within a stare (2.8 % in place, 5.5 % in size) while eye boxes were
the true lids. In GazeCapture it is the other way round; the jumps made half of MSD's variance.
"""

from typing import NamedTuple

import numpy as np
import pytest

from benchbox.datasets.gaze import gazecapture
from benchbox.face_renderer import image_sets

# GazeCapture's subject 00002, as `measure_boxes` says it: 32 frames of 8 dots with the phone
# upright, 22 frames of 8 dots with the phone on its side. Lengths are widths of the face box;
# x, y of the left eye, then of the right one.
REAL_UPRIGHT = (0.0117, 0.0096, 0.0131, 0.0111)
REAL_ASIDE = (0.0181, 0.0233, 0.0302, 0.0245)
# without the eyes' own movement, which is read off the pictures by phase correlation of each eye's
# surroundings with the dot's first frame; upright it is 0.0016 and 0.0019, next to nothing
REAL_ASIDE_STILL = (0.018, 0.024)
REAL_ALIKE = (0.31, 0.57)  # both eyes' x, both eyes' y
REAL_LAG = (0.25, 0.14, 0.07, 0.05)  # correlation of neighbouring frames, upright
REAL_SIDE = 0.300
REAL_GRID = 0.015
# Standard deviations over the six face boxes that the recording has with eyes in them: the eyes'
# midpoint x, y, and their distance. Of six, the true one is 0.62 to 2.45 times as large (95 %).
REAL_BETWEEN = (0.060, 0.054, 0.050)
OF_SIX = (0.62, 2.45)
COLUMNS = ("face", "left_eye", "right_eye", "dot", "orientation")


class Boxes(NamedTuple):
    """Boxes of frames, and which dot each frame belongs to."""

    face: np.ndarray  # (N, 4)
    eyes: np.ndarray  # (2, N, 4) left, right
    dots: np.ndarray  # (N,)
    upright: np.ndarray  # (N,) bool

    def of(self, chosen):
        return Boxes(
            self.face[chosen], self.eyes[:, chosen], self.dots[chosen], self.upright[chosen]
        )

    @property
    def side(self):
        return self.face[:, 2] - self.face[:, 0]

    @property
    def corners(self):
        """Return corners (N, 4) of the eyes' boxes in the face's, x, y left, then right."""
        return np.hstack([eye[:, :2] - self.face[:, :2] for eye in self.eyes]) / self.side[:, None]


def read_boxes(face, left_eye, right_eye, dots, orientation):
    eyes = np.stack([left_eye, right_eye])
    return Boxes(face, eyes, np.asarray(dots), np.isin(orientation, (1, 2)))


def twin_boxes(kind, part, count):
    columns = image_sets.SETS[kind].render_columns(part, range(count), pixels=False)
    return read_boxes(*(columns[name] for name in COLUMNS))


@pytest.fixture(scope="module")
def stares():
    return twin_boxes("gazestare", "stare", 28 * 30)


@pytest.fixture(scope="module")
def frames():
    """Devices held in any way."""
    return twin_boxes("gazecapture", "test", 84 * 12)


def within_dots(boxes):
    """Return standard deviation, lag-1 correlation (4,), and both eyes' correlation (2,)."""
    dots = [boxes.corners[boxes.dots == dot] for dot in np.unique(boxes.dots)]
    dots = [places for places in dots if len(places) > 1]
    off = np.concatenate([places - places.mean(axis=0) for places in dots])
    steps = np.concatenate([np.diff(places, axis=0) for places in dots])
    variance = (off**2).sum(axis=0) / (len(off) - len(dots))
    lag = 1 - (steps**2).mean(axis=0) / 2 / variance
    alike = np.corrcoef(off.T)
    return np.sqrt(variance), lag, np.array([alike[0, 2], alike[1, 3]])


def between_faces(boxes):
    """Return standard deviations (3,) over face boxes of the eyes' midpoint and distance."""
    rows = []
    for face in np.unique(boxes.face, axis=0):
        places = boxes.corners[(boxes.face == face).all(axis=1)].mean(axis=0)
        rows.append([*(places[:2] + places[2:]) / 2, np.hypot(*(places[:2] - places[2:]))])
    return np.std(rows, axis=0, ddof=1)


def test_the_face_box_stays_while_a_dot_is_looked_at_and_errs_from_dot_to_dot(stares, frames):
    for boxes in (stares, frames):
        for dot in np.unique(boxes.dots):
            assert np.ptp(boxes.face[boxes.dots == dot], axis=0).max() == 0
    assert len(np.unique(stares.face, axis=0)) == len(np.unique(stares.dots)) == 56
    for twin, real in zip(between_faces(frames), REAL_BETWEEN, strict=True):
        assert OF_SIX[0] * real < twin < OF_SIX[1] * real


def test_eye_boxes_move_in_every_frame_as_the_real_ones_do(stares, frames):
    spread, lag, alike = within_dots(stares)
    pooled = np.sqrt(np.square(REAL_UPRIGHT).reshape(2, 2).mean(axis=0))
    np.testing.assert_allclose(spread, np.tile(pooled, 2), rtol=0.12)
    np.testing.assert_allclose(alike, REAL_ALIKE, atol=0.1)
    assert np.abs(lag - REAL_LAG).max() < 0.25  # of 24 steps: nothing that lasts
    aside, _, _ = within_dots(frames.of(~frames.upright))
    # the twin's head is stiller than that one, which moved by 0.013 and 0.007 (REAL_ASIDE has it)
    np.testing.assert_allclose(aside, np.tile(REAL_ASIDE_STILL, 2), rtol=0.12)


def test_eye_boxes_are_squares_on_the_detectors_grid(stares):
    for eye in stares.eyes:
        np.testing.assert_allclose(
            (eye[:, 2:] - eye[:, :2]) / stares.side[:, None], REAL_SIDE, atol=1e-9
        )
    steps = stares.corners / REAL_GRID
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-6)


def test_the_real_recording_has_the_numbers_named_here(data_root):
    index = gazecapture.index(data_root, pixels=False)
    mine = np.char.startswith(index.ids, "00002")
    names = ("face", "left_eye", "right_eye")
    boxes = read_boxes(
        *(index.boxes[name] for name in names), index.sequences, index.meta["orientation"]
    ).of(mine)
    spread, lag, alike = within_dots(boxes.of(boxes.upright))
    np.testing.assert_allclose(spread, REAL_UPRIGHT, atol=1e-4)
    np.testing.assert_allclose(lag, REAL_LAG, atol=0.01)
    np.testing.assert_allclose(alike, REAL_ALIKE, atol=0.01)
    np.testing.assert_allclose(within_dots(boxes.of(~boxes.upright))[0], REAL_ASIDE, atol=1e-4)
    np.testing.assert_allclose(between_faces(boxes), REAL_BETWEEN, atol=1e-3)
    for dot in np.unique(boxes.dots):
        assert np.ptp(boxes.face[boxes.dots == dot], axis=0).max() == 0
