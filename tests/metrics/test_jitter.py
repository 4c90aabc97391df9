"""Jitter and bias: hand-made tracks, a slow twin, and the traps of gaps, lag and answers that are
missing.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchbox.metrics import jitter


def still(count, points=3):
    """A face that walks one pixel a frame."""
    return (
        np.arange(count)[:, None, None] * np.array([1.0, 0.0]) + np.arange(points)[:, None] * 10.0
    )


def slow(truth, predictions, codes, count, frames):
    jitter, bias = [], []
    for code in range(count):
        rows = [row for row in range(len(truth)) if codes[row] == code]
        steps, sums, answered = [], np.zeros(truth.shape[1:]), 0
        for place, row in enumerate(rows):
            offset = predictions[row] - truth[row]
            if not np.isnan(offset).any():
                sums, answered = sums + offset, answered + 1
            if place and frames[row] == frames[rows[place - 1]] + 1:
                change = offset - (predictions[rows[place - 1]] - truth[rows[place - 1]])
                step = sum(math.dist((0, 0), point) for point in change) / len(change)
                if not math.isnan(step):
                    steps.append(step)
        jitter.append(sum(steps) / len(steps) if steps else math.nan)
        points = sums / answered if answered else np.full_like(sums, math.nan)
        bias.append(sum(math.dist((0, 0), point) for point in points) / len(points))
    return jitter, bias


def test_a_constant_offset_is_bias_and_no_jitter():
    truth = still(5)
    codes = np.zeros(5, int)
    assert jitter.jitter_px(truth, truth + np.array([3, 4]), codes, 1)[0] == 0
    assert jitter.bias_px(truth, truth + np.array([3, 4]), codes, 1)[0] == 5


def test_trembling_about_the_truth_is_jitter_and_no_bias():
    truth = still(4)
    predictions = truth + np.array([1.0, -1.0, 1.0, -1.0])[:, None, None] * [1, 0]
    codes = np.zeros(4, int)
    assert jitter.jitter_px(truth, predictions, codes, 1)[0] == 2
    assert jitter.bias_px(truth, predictions, codes, 1)[0] == 0


def test_a_frozen_answer_is_not_steady():
    """Trap: measured on predictions alone, a method that never moves is the best.

    The face walks one pixel a frame.
    """
    truth = still(6)
    assert jitter.jitter_px(truth, np.repeat(truth[:1], 6, axis=0), np.zeros(6, int), 1)[0] == 1


def test_a_gap_is_no_step():
    """Trap: frames 0, 1, 7, 8: the 6 px between 1 and 7 are no trembling."""
    truth = still(4)
    predictions = truth + np.array([0.0, 0.5, 6.5, 7.0])[:, None, None] * [1, 0]
    codes = np.zeros(4, int)
    assert jitter.jitter_px(truth, predictions, codes, 1, np.array([0, 1, 7, 8]))[0] == 0.5
    assert jitter.jitter_px(truth, predictions, codes, 1)[0] == pytest.approx(7 / 3)


def test_a_missing_answer_ends_the_stretch():
    truth = still(5)
    predictions = truth + np.array([0.0, 1.0, 0.0, 9.0, 10.0])[:, None, None] * [0, 1]
    predictions[2] = np.nan
    codes = np.zeros(5, int)
    assert jitter.jitter_px(truth, predictions, codes, 1)[0] == 1
    assert jitter.bias_px(truth, predictions, codes, 1)[0] == 5


def test_sequences_may_be_interleaved_and_never_mix():
    truth = np.zeros((6, 1, 2))
    predictions = np.array([0.0, 100.0, 1.0, 103.0, 2.0, 106.0])[:, None, None] * [1, 0]
    codes = np.array([0, 1, 0, 1, 0, 1])
    np.testing.assert_array_equal(jitter.jitter_px(truth, predictions, codes, 2), [1, 3])
    np.testing.assert_array_equal(jitter.bias_px(truth, predictions, codes, 2), [1, 103])


def test_one_frame_has_no_jitter_and_rows_outside_sequences_count_nowhere():
    truth = np.zeros((3, 2, 2))
    codes = np.array([0, -1, -1])
    assert np.isnan(jitter.jitter_px(truth, truth + 1, codes, 2)).all()
    bias = jitter.bias_px(truth, truth + 1, codes, 2)
    assert bias[0] == pytest.approx(math.sqrt(2))
    assert np.isnan(bias[1])


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 999), count=st.integers(1, 40))
def test_both_equal_a_slow_loop(seed, count):
    rng = np.random.default_rng(seed)
    truth, predictions = rng.normal(0, 10, (2, count, 3, 2))
    predictions[rng.random(count) < 0.2] = np.nan
    codes = rng.integers(-1, 3, count)
    frames = np.cumsum(rng.integers(1, 3, count))
    expected, bias = slow(truth, predictions, codes, 3, frames)
    found = jitter.jitter_px(truth, predictions, codes, 3, frames)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    np.testing.assert_allclose(jitter.bias_px(truth, predictions, codes, 3), bias, rtol=1e-12)


def test_chunks_do_not_show(monkeypatch):
    rng = np.random.default_rng(1)
    truth, predictions = rng.normal(0, 10, (2, 50, 3, 2))
    codes = np.arange(50) // 7
    expected = (
        jitter.jitter_px(truth, predictions, codes, 8),
        jitter.bias_px(truth, predictions, codes, 8),
    )
    monkeypatch.setattr(jitter, "CHUNK_FRAMES", 4)
    np.testing.assert_allclose(
        jitter.jitter_px(truth, predictions, codes, 8), expected[0], rtol=1e-13
    )
    np.testing.assert_allclose(
        jitter.bias_px(truth, predictions, codes, 8), expected[1], rtol=1e-13
    )


@settings(max_examples=20, deadline=None)
@given(st.tuples(st.floats(-50, 50), st.floats(-50, 50)), st.floats(0.1, 9))
def test_a_shift_moves_bias_only_and_scale_scales_both(shift, scale):
    truth, predictions = np.random.default_rng(2).normal(0, 3, (2, 9, 2, 2))
    codes = np.zeros(9, int)
    wobble = jitter.jitter_px(truth, predictions, codes, 1)
    np.testing.assert_allclose(
        jitter.jitter_px(truth, predictions + shift, codes, 1), wobble, rtol=1e-9
    )
    np.testing.assert_allclose(
        jitter.jitter_px(truth * scale, predictions * scale, codes, 1), wobble * scale, rtol=1e-9
    )


def test_time_runs_forward():
    truth = np.zeros((2, 1, 2))
    with pytest.raises(ValueError, match="row 1: its frame number does not rise"):
        jitter.jitter_px(truth, truth, np.zeros(2, int), 1, np.array([5, 5]))


def test_shapes_are_checked():
    with pytest.raises(ValueError, match="must both be"):
        jitter.bias_px(np.zeros((2, 1, 2)), np.zeros((2, 1, 3)), np.zeros(2, int), 1)
