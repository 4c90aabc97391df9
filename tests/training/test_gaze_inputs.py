"""Patches of gaze networks: what is cut, what may move, who is held out; axes and angles."""

import numpy as np
import pytest

from benchbox.errors import DataError
from benchbox.training import gaze_inputs
from benchbox.training.gaze_inputs import GazePatches, GazeSet, Jitter, PatchForm
from benchbox.types import Examples, Sample

RAMP = np.stack(
    np.broadcast_arrays(np.arange(200)[None, :], np.arange(200)[:, None], 7), axis=-1
).astype(np.uint8)


def phone(name: str = "a", *, eye: float = 80.0) -> Sample:
    """A picture whose red is x and whose green is y, with a face and two eyes."""
    boxes = {
        "left_eye": np.array([120, 60, 150, 90.0]),
        "right_eye": np.array([eye, 60, eye + 30, 90.0]),
    }
    return Sample(name, np.array([60.0, 50, 160, 150]), lambda: RAMP, boxes)


def examples(samples, clusters=None) -> Examples:
    n = len(samples)
    values = np.stack([np.arange(n), -np.arange(n)], axis=1).astype(np.float64)
    return Examples(samples, values, np.array(clusters or [str(k) for k in range(n)]))


# --- forms ----------------------------------------------------------------------------------------


def test_three_patches_where_there_are_eyes_one_where_not_and_a_strip_for_tiny_pictures():
    one = Sample("b", np.array([0.0, 0, 224, 224]), lambda: RAMP)
    tiny = Sample("c", np.array([-0.5, -0.5, 14.5, 8.5]), lambda: RAMP[:9, :15])
    assert PatchForm.of([phone()], 64, 112) == PatchForm(("", "left_eye", "right_eye"), 64, 64, 4)
    assert PatchForm.of([one], 64, 112) == PatchForm(("",), 112, 112, 4)
    assert PatchForm.of([tiny], 64, 112) == PatchForm(("",), 20, 32, 3)
    assert PatchForm.of([tiny], 24, 112) == PatchForm(
        ("",), 12, 16, 3
    )  # 9 x 15 px are not shrunk to 8 x 12


def test_a_form_survives_its_weights_file():
    for form in (PatchForm(("", "left_eye", "right_eye"), 64, 64, 4), PatchForm(("",), 20, 32, 3)):
        assert PatchForm.from_facts(form.facts()) == form


def test_a_network_of_three_patches_refuses_a_card_without_eyes():
    form = PatchForm(("", "left_eye", "right_eye"), 64, 64, 4)
    with pytest.raises(DataError, match=r"no box left_eye, right_eye.*also"):
        gaze_inputs.patch_boxes([Sample("b", np.array([0.0, 0, 9, 9]), lambda: RAMP)], form)


# --- patches --------------------------------------------------------------------------------------


def test_patches_show_their_own_boxes_centred():
    """The middle of each view is the middle of its box.

    Left and right eye are not mixed up, nothing is off by half.
    """
    samples = [phone()]
    patches = GazePatches(samples, PatchForm.of(samples, 60, 112), "cpu")
    middles = []
    for view in patches.batch(np.array([0])):
        assert view.shape == (1, 3, 60, 60)
        grey = (view[0].numpy() + 1) * 127.5
        middles.append(grey[:2, 29:31, 29:31].mean(axis=(1, 2)))
    assert np.array(middles) == pytest.approx(np.array([[110, 100], [135, 75], [95, 75]]), abs=0.6)


def test_a_patch_spans_its_box():
    samples = [phone()]
    (face, left, _) = GazePatches(samples, PatchForm.of(samples, 60, 112), "cpu").batch(
        np.array([0])
    )
    for view, (first, last) in (
        (face, (60 + 5 / 6, 160 - 5 / 6)),
        (left, (120 + 1 / 4, 150 - 1 / 4)),
    ):
        row = (view[0, 0, 30].numpy() + 1) * 127.5
        assert (row[0], row[-1]) == pytest.approx((first, last), abs=0.6)


def test_a_strip_keeps_all_rows_of_a_tiny_picture():
    """9 x 15 px become 20 x 32 with the first and the last picture row inside."""
    picture = np.zeros((9, 15, 3), np.uint8)
    picture[0], picture[8] = 200, 100
    tiny = [Sample("c", np.array([-0.5, -0.5, 14.5, 8.5]), lambda: picture)]
    (view,) = GazePatches(tiny, PatchForm.of(tiny, 64, 112), "cpu").batch(np.array([0]))
    column = (view[0, 0, :, 16].numpy() + 1) * 127.5
    assert view.shape == (1, 3, 20, 32)
    assert column[:3].max() > 150
    assert column[-3:].max() > 75
    assert column[8:12] == pytest.approx(np.zeros(4), abs=0.1)


def test_pictures_are_decoded_once():
    reads = []

    def read() -> np.ndarray:
        reads.append(1)
        return RAMP

    one = phone()
    samples = [Sample("a", one.box, read, one.boxes)]
    GazePatches(samples, PatchForm.of(samples, 64, 112), "cpu").batch(np.array([0, 0]))
    assert reads == [1]


def test_jitter_neither_mirrors_nor_turns():
    """Either would change the gaze and not the label."""
    drawn = Jitter.draw(np.random.default_rng(0), 500, 3, shift=0.1, scale=0.1, colour=0.3)
    assert (drawn.maps[..., 0, 1] == 0).all()
    assert (drawn.maps[..., 1, 0] == 0).all()
    assert (drawn.maps[..., 0, 0] == drawn.maps[..., 1, 1]).all()
    assert drawn.maps[..., 0, 0].min() >= 0.9
    assert np.abs(drawn.maps[..., 2]).max() <= 0.2


def test_still_and_jittered_views_agree_when_nothing_moves():
    samples = [phone()]
    patches = GazePatches(samples, PatchForm.of(samples, 64, 112), "cpu")
    none = Jitter.draw(np.random.default_rng(0), 1, 3, shift=0, scale=0, colour=0)
    for still, moved in zip(
        patches.batch(np.array([0])), patches.batch(np.array([0]), none), strict=True
    ):
        assert np.allclose(still, moved, atol=1e-6)


def test_coloured_views_are_still_pictures():
    """Else a later clip to the valid range.

    As adversarial training does it, would move pixels by more than ε.
    """
    samples = [phone()]
    patches = GazePatches(samples, PatchForm.of(samples, 64, 112), "cpu")
    drawn = Jitter.draw(np.random.default_rng(0), 50, 3, shift=0, scale=0, colour=0.9)
    views = patches.batch(np.zeros(50, int), drawn)
    assert max(view.max().item() for view in views) == 1
    assert min(view.min().item() for view in views) == -1


# --- rows -----------------------------------------------------------------------------------------


def test_whole_persons_are_held_out():
    clusters = [person for person in "abcdefghij" for _ in range(3)]
    kept, out = gaze_inputs.split_holdout(
        examples([phone(str(k)) for k in range(30)], clusters), 0.2, np.random.default_rng(0)
    )
    assert len(set(out.clusters)) == 2
    assert len(out) == 6
    assert not set(kept.clusters) & set(out.clusters)
    assert {s.id for s in kept.samples} | {s.id for s in out.samples} == {str(k) for k in range(30)}


def test_samples_without_an_eye_are_left_out_of_training():
    chosen = examples([phone("a"), phone("b", eye=np.nan), phone("c")])
    form = PatchForm.of(chosen.samples, 64, 112)
    gazes = GazeSet.of(chosen, form, "gaze2d", "cpu", np.random.default_rng(0), 0)
    assert gazes.axes.tolist() == [[0, 0], [2, -2]]
    assert len(gazes.patches) == len(gazes) == 2
    with pytest.raises(DataError, match="none has all its boxes"):
        GazeSet.of(
            examples([phone("b", eye=np.nan)]), form, "gaze2d", "cpu", np.random.default_rng(0), 0
        )


def test_most_limits_what_is_decoded():
    nine, form = examples([phone(str(k)) for k in range(9)]), PatchForm.of([phone()], 64, 112)
    gazes = GazeSet.of(nine, form, "gaze2d", "cpu", np.random.default_rng(0), 4)
    assert len(gazes) == len(gazes.patches) == 4
    assert gazes.first(2).axes.tolist() == gazes.axes[:2].tolist()
    assert len(gazes.first(2).patches) == 2


# --- axes -----------------------------------------------------------------------------------------


def test_axes_are_cm_as_they_are_and_pitch_and_yaw_in_degrees():
    assert gaze_inputs.to_axes("gaze2d", np.array([[1.0, -2]])).tolist() == [[1, -2]]
    down = np.array([[0, -np.sin(np.radians(10)), np.cos(np.radians(10))]])
    assert gaze_inputs.to_axes("gaze3d", down) == pytest.approx(np.array([[-10.0, 0]]))
    aside = np.array([[np.sin(np.radians(20)), 0, np.cos(np.radians(20))]])
    assert gaze_inputs.to_axes("gaze3d", aside) == pytest.approx(np.array([[0, 20.0]]))
    assert gaze_inputs.from_axes("gaze3d", np.array([[0, 20.0]])) == pytest.approx(aside)


def test_distances_by_hand():
    assert gaze_inputs.gaze_distances(
        "gaze2d", np.array([[0.0, 0]]), np.array([[3.0, -4]])
    ).tolist() == [5]
    # at 60° of pitch a yaw of 90° is not 90° apart: cos = sin²60
    found = gaze_inputs.gaze_distances(
        "gaze3d", np.array([[60.0, 0], [0, 0]]), np.array([[60.0, 90], [0, 7]])
    )
    assert found == pytest.approx([np.degrees(np.arccos(0.75)), 7])
