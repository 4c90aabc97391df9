"""The training log: what a person plots, and what the run record sums up."""

import csv
import json
import time

from benchbox.kit.meter import Meter


def rows_of(folder):
    return list(csv.DictReader((folder / "log.csv").read_text().splitlines()))


def test_rows_and_totals(tmp_path, capsys):
    with Meter(tmp_path, "one", steps=4, batch=8, examples=16) as meter:
        for step in range(4):
            meter.step(step + 1, 0.5 / (step + 1))
    rows = rows_of(tmp_path)
    assert [(r["stage"], int(r["step"]), float(r["epoch"]), float(r["loss"])) for r in rows] == [
        ("one", 1, 0.5, 0.5), ("one", 2, 1.0, 0.25), ("one", 3, 1.5, 0.166667), ("one", 4, 2.0, 0.125),
    ]  # fmt: skip
    record = json.loads((tmp_path / "training.json").read_text())
    assert record["samples"] == 32
    assert record["samples_per_s"] > 0
    assert record["peak_memory_mb"] > 10
    assert "images/s" in capsys.readouterr().err


def test_an_interrupted_stage_adds_up_and_keeps_its_rows(tmp_path):
    class StopError(Exception):
        pass

    try:
        with Meter(tmp_path, "one", steps=10, batch=2, examples=4) as meter:
            for step in range(6):
                meter.step(step + 1, 1.0)
            raise StopError
    except StopError:
        pass
    with Meter(tmp_path, "one", steps=10, batch=2, examples=4, start=6) as meter:
        for step in range(6, 10):
            meter.step(step + 1, 1.0)
    assert json.loads((tmp_path / "training.json").read_text())["stages"]["one"]["samples"] == 20
    assert len(rows_of(tmp_path)) == 10


def test_time_spent_waiting_is_a_share(tmp_path):
    """Slow batches must show; batches that were ready must not."""

    def slow(step):
        time.sleep(0.05)
        return step

    for name, make in (("slow", slow), ("fast", lambda step: step)):
        with Meter(tmp_path / name, "one", steps=8, batch=1, examples=1) as meter:
            (tmp_path / name).mkdir()
            for step, batch in meter.batches(make):
                assert step == batch
                meter.step(step + 1, 0.0)
    shares = {k: json.loads((tmp_path / k / "training.json").read_text())["waiting_share"] for k in ("slow", "fast")}
    assert shares["slow"] > 0.6
    assert shares["fast"] < shares["slow"]


def test_batches_go_on_where_the_stage_was_left(tmp_path):
    with Meter(tmp_path, "one", steps=5, batch=1, examples=1, start=3) as meter:
        assert [step for step, _ in meter.batches(lambda step: None)] == [3, 4]
