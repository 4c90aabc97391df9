"""NME and its normalisers: hand-computed cases, a slow twin, invariances, and the traps that move
published numbers.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchbox.errors import DataError
from benchbox.layouts import IBUG68
from benchbox.metrics import landmarks

BY_POINTS = ("inter_ocular", "inter_pupil")
BY_BOX = ("face_size", "diagonal", "height")


def faces(count: int, seed: int = 0) -> np.ndarray:
    """Random points with eyes where eyes belong, so that every normaliser is healthy."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 200, (count, 68, 2))
    points[:, 36:42] = np.array([60, 80]) + rng.uniform(-9, 9, (count, 6, 2))
    points[:, 42:48] = np.array([140, 80]) + rng.uniform(-9, 9, (count, 6, 2))
    return points


def slow_nme(truth, predictions, scale, points):
    result = []
    for face in range(len(truth)):
        total = 0.0
        for k in points:
            dx = float(truth[face][k][0]) - float(predictions[face][k][0])
            dy = float(truth[face][k][1]) - float(predictions[face][k][1])
            total += math.sqrt(dx * dx + dy * dy)
        result.append(total / len(points) / scale[face])
    return np.array(result)


def test_point_errors_by_hand():
    truth = np.array([[[0.0, 0.0], [10.0, 10.0]]])
    predictions = np.array([[[3.0, 4.0], [10.0, 8.0]]])
    np.testing.assert_array_equal(landmarks.point_errors(truth, predictions), [[5.0, 2.0]])


def test_nme_by_hand():
    truth = np.zeros((2, 2, 2))
    predictions = np.array([[[3.0, 4.0], [0.0, 1.0]], [[0.0, 0.0], [6.0, 8.0]]])
    # (5 + 1) / 2 / 30 and (0 + 10) / 2 / 50
    np.testing.assert_allclose(
        landmarks.nme(truth, predictions, np.array([30.0, 50.0])), [0.1, 0.1], rtol=1e-15
    )


@pytest.mark.parametrize(
    "count", [1, landmarks.CHUNK_FACES - 1, landmarks.CHUNK_FACES, landmarks.CHUNK_FACES + 3]
)
@pytest.mark.parametrize("points", [(0, 1, 2, 3, 4), (1, 2, 3), (0, 2, 4), (3,)])
def test_nme_equals_a_slow_loop_on_both_sides_of_a_chunk(count, points):
    rng = np.random.default_rng(count)
    truth, predictions = rng.normal(100, 40, (2, count, 5, 2))
    scale = rng.uniform(50, 90, count)
    expected = slow_nme(truth, predictions, scale, points)
    np.testing.assert_allclose(
        landmarks.nme(truth, predictions, scale, points), expected, rtol=1e-13
    )


def test_all_points_is_the_default():
    truth, predictions = faces(4), faces(4, seed=1)
    np.testing.assert_array_equal(
        landmarks.mean_errors(truth, predictions),
        landmarks.mean_errors(truth, predictions, range(68)),
    )


def test_subsets_average_their_own_points_only():
    truth, predictions = faces(6), faces(6, seed=1)
    every = landmarks.point_errors(truth, predictions)
    for count in (66, 51, 49):
        chosen = IBUG68.subsets[count]
        got = landmarks.mean_errors(truth, predictions, chosen)
        np.testing.assert_allclose(got, every[:, list(chosen)].mean(axis=1), rtol=1e-14)


def test_float32_predictions_give_float64_errors():
    truth, predictions = faces(3), faces(3, seed=1)
    single = landmarks.mean_errors(truth, predictions.astype(np.float32))
    assert single.dtype == np.float64
    np.testing.assert_allclose(single, landmarks.mean_errors(truth, predictions), rtol=1e-6)
    # The difference itself is taken in float64: far from the origin float32 would lose the third
    # digit.
    near = np.full((1, 1, 2), 100_000.0)
    assert landmarks.mean_errors(near, (near + 0.25).astype(np.float32))[0] == pytest.approx(
        0.25 * math.sqrt(2)
    )


def test_unsigned_annotations_do_not_wrap_around():
    """Trap: annotations from MATLAB files arrive as uint16, and 3 - 5 becomes 65,534."""
    truth = np.array([[[3, 3]]], np.uint16)
    assert landmarks.mean_errors(truth, np.array([[[5, 3]]], np.uint16))[0] == 2.0


@settings(max_examples=40, deadline=None)
@given(
    angle=st.floats(-math.pi, math.pi),
    scale=st.floats(0.01, 100),
    shift=st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)),
    name=st.sampled_from(BY_POINTS),
)
def test_nme_by_eyes_survives_any_similarity(angle, scale, shift, name):
    truth, predictions = faces(3), faces(3, seed=1)
    turn = scale * np.array(
        [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    )

    def error(points):
        moved = points @ turn.T + shift, predictions @ turn.T + shift
        return landmarks.nme(*moved, landmarks.normaliser_lengths(name, moved[0], IBUG68))

    expected = landmarks.nme(truth, predictions, landmarks.normaliser_lengths(name, truth, IBUG68))
    np.testing.assert_allclose(error(truth), expected, rtol=1e-7)


@settings(max_examples=40, deadline=None)
@given(scale=st.floats(0.01, 100), shift=st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)))
def test_nme_by_box_survives_scale_and_shift(scale, shift):
    truth, predictions = faces(3), faces(3, seed=1)
    for name in BY_BOX:
        before = landmarks.nme(
            truth, predictions, landmarks.normaliser_lengths(name, truth, IBUG68)
        )
        moved = truth * scale + shift
        after = landmarks.nme(
            moved, predictions * scale + shift, landmarks.normaliser_lengths(name, moved, IBUG68)
        )
        np.testing.assert_allclose(after, before, rtol=1e-7)


def test_a_face_does_not_depend_on_its_neighbours():
    """Bit for bit: chunks and vector lanes must not leak into a number."""
    count = landmarks.CHUNK_FACES + 37
    truth, predictions = faces(count), faces(count, seed=1)
    order = np.random.default_rng(2).permutation(count)
    every = landmarks.mean_errors(truth, predictions)
    np.testing.assert_array_equal(
        landmarks.mean_errors(truth[order], predictions[order]), every[order]
    )
    np.testing.assert_array_equal(landmarks.mean_errors(truth[7:8], predictions[7:8]), every[7:8])


def test_points_then_faces_is_not_one_pool_of_points():
    """Trap: with masks, pooling gives a face with few visible points less weight (per image 6.0,
    pooled 4.5).
    """
    truth = np.zeros((2, 4, 2))
    predictions = np.zeros((2, 4, 2))
    predictions[0, :, 0] = 3.0
    predictions[1, 0, 0] = 9.0
    visible = np.array([[True, True, True, False], [True, False, False, False]])
    per_face = landmarks.mean_errors(truth, predictions, visible=visible)
    np.testing.assert_array_equal(per_face, [3.0, 9.0])
    assert per_face.mean() == 6.0
    assert landmarks.point_errors(truth, predictions)[visible].mean() == 4.5


def test_hidden_points_may_be_missing_and_a_face_without_points_is_nan():
    truth = np.zeros((2, 2, 2))
    truth[:, 1] = np.nan
    visible = np.array([[True, False], [False, False]])
    predictions = np.full((2, 2, 2), 2.0)
    got = landmarks.nme(truth, predictions, np.array([4.0, 4.0]), visible=visible)
    assert got[0] == pytest.approx(math.sqrt(8) / 4)
    assert np.isnan(got[1])


def test_a_row_without_an_answer_is_nan_alone():
    truth, predictions = faces(3), faces(3, seed=1)
    predictions[1] = np.nan
    assert np.isnan(landmarks.mean_errors(truth, predictions)).tolist() == [False, True, False]


def test_parts_are_divided_by_the_whole_faces_normaliser():
    truth = faces(5)
    predictions = truth.copy()
    predictions[:, :17, 0] += 6.0  # the jaw only
    scale = np.full(5, 60.0)
    parts = landmarks.nme_by_part(truth, predictions, scale, IBUG68)
    assert parts["contour"] == pytest.approx(np.full(5, 0.1))
    assert all((errors == 0).all() for name, errors in parts.items() if name != "contour")


def test_parts_add_up_to_the_whole():
    truth, predictions = faces(6), faces(6, seed=1)
    scale = landmarks.normaliser_lengths("inter_ocular", truth, IBUG68)
    parts = landmarks.nme_by_part(truth, predictions, scale, IBUG68)
    total = sum(len(points) * parts[name] for name, points in IBUG68.parts.items()) / 68
    np.testing.assert_allclose(total, landmarks.nme(truth, predictions, scale), rtol=1e-13)


@pytest.mark.parametrize("count", [3, landmarks.CHUNK_FACES + 5])
def test_points_equal_a_slow_loop(count):
    rng = np.random.default_rng(count)
    truth, predictions = rng.normal(100, 40, (2, count, 5, 2))
    predictions[1] = np.nan  # no answer
    scale, visible = rng.uniform(50, 90, count), rng.random((count, 5)) < 0.7
    visible[:, 4] = False
    for mask in (None, visible):
        got = landmarks.nme_by_point(truth, predictions, scale, mask)
        for k in range(5):
            rows = [i for i in range(count) if i != 1 and (mask is None or mask[i, k])]
            each = [math.dist(truth[i, k], predictions[i, k]) / scale[i] for i in rows]
            assert got[k] == pytest.approx(
                sum(each) / len(each) if each else math.nan, rel=1e-12, nan_ok=True
            )


def plain_face() -> np.ndarray:
    """Eyes at (40, 50) and (100, 50) with corners 10 px further out, box 0 … 140 by 10 … 106."""
    face = np.full((1, 68, 2), 50.0)
    face[0, 36:42], face[0, 42:48] = (40.0, 50.0), (100.0, 50.0)
    face[0, 36], face[0, 39] = (30.0, 50.0), (50.0, 50.0)
    face[0, 42], face[0, 45] = (90.0, 50.0), (110.0, 50.0)
    face[0, 0], face[0, 8], face[0, 16] = (0.0, 30.0), (70.0, 106.0), (140.0, 10.0)
    return face


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("inter_ocular", 80.0),
        ("inter_pupil", 60.0),
        ("face_size", math.sqrt(140 * 96)),
        ("diagonal", math.hypot(140, 96)),
        ("height", 96.0),
    ],
)
def test_normalisers_by_hand(name, expected):
    assert landmarks.normaliser_lengths(name, plain_face(), IBUG68)[0] == pytest.approx(
        expected, rel=1e-15
    )


def test_pupil_is_the_mean_of_all_six_points_of_an_eye():
    """Trap: the mean of the two corners is another point as soon as a lid is open more above than
    below.
    """
    face = plain_face()
    face[0, 37] = (40.0, 62.0)  # moves the left centre by (0, 2); its corners stay
    assert landmarks.normaliser_lengths("inter_pupil", face, IBUG68)[0] == pytest.approx(
        math.hypot(60, 2), rel=1e-15
    )


def test_the_dataset_box_matters_to_face_size_only():
    boxes = np.array([[0.0, 0.0, 40.0, 90.0]])
    assert landmarks.normaliser_lengths("face_size", plain_face(), IBUG68, boxes)[0] == 60.0
    for name in (*BY_POINTS, "diagonal", "height"):
        without = landmarks.normaliser_lengths(name, plain_face(), IBUG68)
        np.testing.assert_array_equal(
            landmarks.normaliser_lengths(name, plain_face(), IBUG68, boxes), without
        )


def test_coinciding_eye_corners_are_named():
    truth = faces(3)
    truth[2, 45] = truth[2, 36]
    with pytest.raises(DataError, match=r"row 2: normaliser inter_ocular is 0 px.*1 of 3 faces"):
        landmarks.normaliser_lengths("inter_ocular", truth, IBUG68)
    truth[1] = truth[2]  # of several, the first one is named
    with pytest.raises(DataError, match=r"^b: .*2 of 3 faces"):
        landmarks.normaliser_lengths(
            "inter_ocular", truth, IBUG68, ids=np.array(["a", "b", "helen/testset/7_1"])
        )
    truth[1] = faces(3)[1]
    with pytest.raises(DataError, match=r"^helen/testset/7_1: "):
        landmarks.normaliser_lengths(
            "inter_ocular", truth, IBUG68, ids=np.array(["a", "b", "helen/testset/7_1"])
        )


@pytest.mark.parametrize("name", ["inter_ocular", "inter_pupil"])
def test_a_missing_eye_point_is_no_normaliser(name):
    truth = faces(2)
    truth[1, 36] = np.nan
    with pytest.raises(DataError, match=f"row 1: normaliser {name} is nan px"):
        landmarks.normaliser_lengths(name, truth, IBUG68)


@pytest.mark.parametrize("name", ["face_size", "diagonal", "height"])
def test_a_tight_box_is_made_of_the_points_that_are_there(name):
    """A missing point, and one that is hidden and lies far away, change nothing."""
    truth = faces(2)
    without = np.delete(np.arange(68), [5, 36])
    kept = truth[:, without]
    sides = np.ptp(kept, axis=1)
    expected = {
        "face_size": np.sqrt(sides.prod(axis=1)),
        "diagonal": np.hypot(*sides.T),
        "height": sides[:, 1],
    }
    there = np.ones((2, 68), bool)
    there[:, 5] = False
    truth[:, 36], truth[:, 5] = np.nan, -1e4
    got = landmarks.normaliser_lengths(name, truth, IBUG68, there=there)
    np.testing.assert_allclose(got, expected[name], rtol=1e-12)


@pytest.mark.parametrize(
    "box", [(10, 10, 10, 50), (50, 50, 10, 10), (50, 10, 10, 50), (0, 0, np.inf, 5)]
)
def test_an_inverted_or_flat_box_is_no_face_size(box):
    """Trap: two negative sides have a positive product."""
    with pytest.raises(DataError, match="row 0: normaliser face_size"):
        landmarks.normaliser_lengths("face_size", faces(1), IBUG68, np.array([box], float))


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 68, 2\) and predictions \(2, 51, 2\)"):
        landmarks.point_errors(faces(2), faces(2)[:, 17:])
    with pytest.raises(ValueError, match=r"\(2, 51, 2\), layout ibug68 needs"):
        landmarks.normaliser_lengths("inter_ocular", faces(2)[:, 17:], IBUG68)
    with pytest.raises(ValueError, match=r"visible is \(2, 3\)"):
        landmarks.mean_errors(faces(2), faces(2), visible=np.ones((2, 3), bool))
    with pytest.raises(ValueError, match="indices of 0 … 67"):
        landmarks.mean_errors(faces(2), faces(2), [66, 68])
    with pytest.raises(ValueError, match="one or more indices"):
        landmarks.mean_errors(faces(2), faces(2), [])


def published_truth(data_root):
    folder = data_root / "300w-published" / "annotations" / "300w"
    if not folder.is_dir():
        pytest.skip("the 689 published annotations of 300-W are not here")
    names, points = [], []
    for path in sorted(folder.rglob("*.pts")):
        text = path.read_text(encoding="utf-8")
        numbers = text[text.index("{") + 1 : text.index("}")].split()
        points.append(np.array(numbers, float).reshape(68, 2))
        names.append(path.relative_to(folder).with_suffix("").as_posix())
    return names, np.stack(points)


@pytest.mark.data
def test_no_constant_turns_inter_ocular_into_inter_pupil(data_root):
    """Trap: tables mix the two.

    The ratio over the 689 test faces of 300-W, as datasets.md has it.
    """
    _, truth = published_truth(data_root)
    ratio = landmarks.normaliser_lengths(
        "inter_ocular", truth, IBUG68
    ) / landmarks.normaliser_lengths("inter_pupil", truth, IBUG68)
    assert len(ratio) == 689
    assert ratio.mean() == pytest.approx(1.397, abs=5e-4)
    assert (ratio.min(), ratio.max()) == (
        pytest.approx(1.28, abs=5e-3),
        pytest.approx(1.61, abs=5e-3),
    )


@pytest.mark.data
def test_a_shift_of_one_pixel_costs_more_than_a_hundredth(data_root):
    """Trap: 0-based predictions against 1-based files.

    0.0114 of inter-ocular distance, even for a perfect method.
    """
    _, truth = published_truth(data_root)
    error = landmarks.nme(
        truth, truth + 1, landmarks.normaliser_lengths("inter_ocular", truth, IBUG68)
    )
    assert error.mean() == pytest.approx(0.0114, abs=5e-5)


@pytest.mark.data
def test_mean_of_ratios_is_not_the_ratio_of_sums(data_root):
    """The numbers of the module's docstring: 4.70 % per image, 4.04 % weighted by size."""
    names, truth = published_truth(data_root)
    with np.load(data_root / "300w-published" / "predictions" / "CFSS.npz") as file:
        place = {name: row for row, name in enumerate(file["ids"].tolist())}
        predictions = file["values"][[place[name] for name in names]]
    scale = landmarks.normaliser_lengths("inter_ocular", truth, IBUG68)
    errors_px = landmarks.mean_errors(truth, predictions)
    assert (errors_px / scale).mean() == pytest.approx(0.04697, abs=5e-6)
    assert errors_px.sum() / scale.sum() == pytest.approx(0.04037, abs=5e-6)


@pytest.mark.parametrize("name", [*BY_POINTS, *BY_BOX])
def test_normalisers_do_not_show_their_chunks(name):
    count = landmarks.CHUNK_FACES + 3
    truth = faces(count)
    boxes = np.tile([0.0, 0.0, 1.0, 1.0], (count, 1)) * np.arange(1, count + 1)[:, None]
    whole = landmarks.normaliser_lengths(name, truth, IBUG68, boxes)
    for rows in (slice(0, 2), slice(landmarks.CHUNK_FACES - 1, count)):
        np.testing.assert_array_equal(
            landmarks.normaliser_lengths(name, truth[rows], IBUG68, boxes[rows]), whole[rows]
        )


def test_several_sets_of_points_at_once_are_each_alone():
    """Distances are shared between the sets; the bits must be those of one set at a time."""
    rng = np.random.default_rng(0)
    truth = rng.uniform(0, 300, (1100, 68, 2))
    guess = truth + rng.normal(0, 3, truth.shape)
    visible = rng.random((1100, 68)) < 0.8
    subsets = [None, range(17, 68), [0, 5, 60]]
    for seen in (None, visible):
        found = landmarks.mean_errors_by_subset(truth, guess, subsets, seen)
        for points, errors in zip(subsets, found, strict=True):
            rows = slice(None) if points is None else list(points)
            distance = np.sqrt(((truth[:, rows] - guess[:, rows]) ** 2).sum(axis=-1))
            wanted = (
                distance.mean(axis=1)
                if seen is None
                else np.ma.array(distance, mask=~seen[:, rows]).mean(axis=1)
            )
            np.testing.assert_allclose(errors, wanted, rtol=1e-12)
            np.testing.assert_array_equal(errors, landmarks.mean_errors(truth, guess, points, seen))


@pytest.mark.parametrize("chosen", [[68], [70], [0, 100], [-1], []])
def test_points_beyond_the_layout_are_refused(chosen):
    truth = faces(1)
    with pytest.raises(ValueError, match="one or more indices of 0 … 67"):
        landmarks.mean_errors(truth, truth, chosen)
