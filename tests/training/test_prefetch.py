"""Batches made ahead: in order, bounded, faults at their step, and the waiting that is counted."""

import threading
import time

import pytest

from benchbox.training.prefetch import (
    PREFETCH_BATCHES,
    batches_in_turn,
    count_data_wait,
    data_wait_s,
    prefetch_batches,
)


def test_batches_come_in_order_and_no_further_ahead_than_said():
    """More batches in flight would overwrite a pinned buffer that is still being read."""
    made = []
    for step, batch in prefetch_batches(lambda step: made.append(step) or 10 * step, range(3, 12)):
        assert batch == 10 * step
        time.sleep(0.005)
        assert max(made) <= step + PREFETCH_BATCHES
    assert made == list(range(3, 12))


def test_a_fault_is_raised_at_its_step_and_ends_the_making():
    made = []

    def make(step):
        made.append(step)
        if step == 2:
            raise OSError("disk gone")
        return step

    batches = prefetch_batches(make, range(100))
    assert [next(batches), next(batches)] == [(0, 0), (1, 1)]
    with pytest.raises(OSError, match="disk gone"):
        next(batches)
    assert not list(batches)
    assert len(made) <= 3 + PREFETCH_BATCHES


def test_a_caller_that_stops_leaves_no_thread():
    for _ in prefetch_batches(lambda step: step, range(100)):
        break
    assert not [
        thread
        for thread in threading.enumerate()
        if thread.name.startswith("ahead") and thread.is_alive()
    ]


def test_waiting_counts_on_its_own_thread_only():
    before = data_wait_s()
    with count_data_wait():
        time.sleep(0.02)
    assert data_wait_s() - before >= 0.02

    def elsewhere():
        with count_data_wait():
            time.sleep(0.05)

    thread = threading.Thread(target=elsewhere)
    middle = data_wait_s()
    thread.start()
    thread.join()
    assert data_wait_s() == middle


def test_batches_in_turn_are_made_by_the_thread_that_asks_and_waited_for_once():
    """A second thread that calls into torch halves the speed of a small network on two cores."""
    before, threads = data_wait_s(), []

    def make(step):
        threads.append(threading.current_thread())
        with count_data_wait():  # as views do inside
            time.sleep(0.02)
        return 10 * step

    batches = batches_in_turn(make, range(3, 6))
    assert next(batches) == (3, 30)
    assert len(threads) == 1, "none is made before it is asked for"
    assert list(batches) == [(4, 40), (5, 50)]
    assert set(threads) == {threading.main_thread()}
    assert 0.06 <= data_wait_s() - before < 0.11
