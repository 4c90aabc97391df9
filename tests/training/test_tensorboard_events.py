"""TensorBoard's events of a training, read back with TensorBoard itself, where it is installed."""

import pytest

from benchbox.training import train_log


def test_events_hold_the_loss_and_the_rate_of_each_logged_step(tmp_path, monkeypatch):
    """Beside the CSV log, not instead of it; a second stage goes on in the same folder."""
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monkeypatch.setenv(train_log.EVENTS_VARIABLE, "1")
    for stage in ("first", "second"):
        with train_log.TrainLog(tmp_path, stage, steps=4, batch=2, examples=8) as log:
            for step in range(1, 5):
                log.step(step, 1.0 / step)
    events = EventAccumulator(str(tmp_path / "events"))
    events.Reload()
    assert sorted(events.Tags()["scalars"]) == [
        "first/images_per_s",
        "first/loss",
        "second/images_per_s",
        "second/loss",
    ]
    losses = [(event.step, round(event.value, 4)) for event in events.Scalars("second/loss")]
    assert losses == [(1, 1.0), (2, 0.5), (3, 0.3333), (4, 0.25)]
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 1 + 8


def test_nothing_is_written_unless_asked(tmp_path, monkeypatch):
    monkeypatch.delenv(train_log.EVENTS_VARIABLE, raising=False)
    with train_log.TrainLog(tmp_path, "first", steps=1, batch=1, examples=1) as log:
        log.step(1, 1.0)
    assert not (tmp_path / "events").exists()
