"""The training log: what a person plots, and what the run record sums up."""

import csv
import json
import re
import time

from benchbox import progress
from benchbox.training.train_log import (
    TrainLog,
    keep_adopted_stages,
    record_adopted_stage,
    record_facts,
)


def rows_of(folder):
    return list(csv.DictReader((folder / "log.csv").read_text().splitlines()))


def stages_of(out):
    """What `training.json` holds by stage."""
    return json.loads((out / "training.json").read_text())["stages"]


def test_rows_and_totals(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(progress, "_SHORTEST_S", 0.0)  # else a log mentions no step under 1 s
    with TrainLog(tmp_path, "one", steps=4, batch=8, examples=16) as meter:
        for step in range(4):
            meter.step(step + 1, 0.5 / (step + 1))
    rows = rows_of(tmp_path)
    assert [(r["stage"], int(r["step"]), float(r["epoch"]), float(r["loss"])) for r in rows] == [
        ("one", 1, 0.5, 0.5),
        ("one", 2, 1.0, 0.25),
        ("one", 3, 1.5, 0.166667),
        ("one", 4, 2.0, 0.125),
    ]
    record = json.loads((tmp_path / "training.json").read_text())
    assert record["samples"] == 32
    assert record["samples_per_s"] > 0
    assert record["peak_memory_mb"] > 10
    said = capsys.readouterr().err
    assert re.fullmatch(
        r"one: 4 steps in 00:[0-9]{2}, epoch 2\.0, loss 0\.1250, [1-9][0-9]* images/s\n", said
    )


def test_steps_are_counted_where_no_bar_is_shown(tmp_path, monkeypatch):
    """Trap: the bar counted, and a bar of `run -q` does not: ten records said zero samples."""
    monkeypatch.setattr(progress, "_quiet", True)
    with TrainLog(tmp_path, "one", steps=4, batch=8, examples=16, start=1) as meter:
        for step in (2, 3):
            meter.step(step, 0.5)
    assert stages_of(tmp_path)["one"]["samples"] == 2 * 8


def test_an_interrupted_stage_adds_up_and_keeps_its_rows(tmp_path):
    class StopError(Exception):
        pass

    try:
        with TrainLog(tmp_path, "one", steps=10, batch=2, examples=4) as meter:
            for step in range(6):
                meter.step(step + 1, 1.0)
            raise StopError
    except StopError:
        pass
    with TrainLog(tmp_path, "one", steps=10, batch=2, examples=4, start=6) as meter:
        for step in range(6, 10):
            meter.step(step + 1, 1.0)
    assert json.loads((tmp_path / "training.json").read_text())["stages"]["one"]["samples"] == 20
    assert len(rows_of(tmp_path)) == 10


def log_steps(folder, stage, first, last):
    with TrainLog(folder, stage, steps=10, batch=2, examples=4, start=first) as meter:
        for step in range(first, last):
            meter.step(step + 1, 1.0)


def test_steps_that_are_made_again_are_in_the_log_once(tmp_path):
    """The trap: a killed training left rows beyond its checkpoint, or had none at all."""
    log_steps(tmp_path, "zero", 0, 10)
    log_steps(tmp_path, "one", 0, 6)
    log_steps(tmp_path, "one", 4, 8)  # from a checkpoint at 4
    steps = [int(row["step"]) for row in rows_of(tmp_path) if row["stage"] == "one"]
    assert steps == [1, 2, 3, 4, 5, 6, 7, 8]
    log_steps(tmp_path, "one", 0, 10)  # from nothing
    rows = [(row["stage"], int(row["step"])) for row in rows_of(tmp_path)]
    assert rows == [(stage, step + 1) for stage in ("zero", "one") for step in range(10)]
    assert stages_of(tmp_path)["one"]["samples"] == 20
    assert json.loads((tmp_path / "training.json").read_text())["samples"] == 40


def test_time_spent_waiting_is_a_share(tmp_path):
    """Slow batches must show; batches that were ready must not."""

    def slow(step):
        time.sleep(0.05)
        return step

    for name, make in (("slow", slow), ("fast", lambda step: step)):
        with TrainLog(tmp_path / name, "one", steps=8, batch=1, examples=1) as meter:
            (tmp_path / name).mkdir()
            for step, batch in meter.batches(make):
                assert step == batch
                meter.step(step + 1, 0.0)
    shares = {
        k: json.loads((tmp_path / k / "training.json").read_text())["waiting_share"]
        for k in ("slow", "fast")
    }
    assert shares["slow"] > 0.6
    assert shares["fast"] < shares["slow"]


def test_batches_go_on_where_the_stage_was_left(tmp_path):
    with TrainLog(tmp_path, "one", steps=5, batch=1, examples=1, start=3) as meter:
        assert [step for step, _ in meter.batches(lambda step: None)] == [3, 4]


def test_of_a_training_taken_over_only_the_stages_in_common_are_counted_and_only_once(tmp_path):
    """Else a row that shares one stage with another would count its second as its own."""
    for name, steps in (("one", 4), ("two", 6)):
        with TrainLog(tmp_path, name, steps, 10, 100) as meter:
            for number in range(steps):
                meter.step(number + 1, 1.0)
    keep_adopted_stages(tmp_path, ["one"])
    assert stages_of(tmp_path)["two"]["samples"] == 60  # its own training: nothing is forgotten
    record_facts(tmp_path, taken_over={"variant": "other"})
    keep_adopted_stages(tmp_path, ["one"])
    record = json.loads((tmp_path / "training.json").read_text())
    assert (list(record["stages"]), record["samples"]) == (["one"], 40)
    assert record["taken_over"] == {"variant": "other", "stages": ["one"]}
    assert {row.partition(",")[0] for row in (tmp_path / "log.csv").read_text().splitlines()} == {
        "stage",
        "one",
    }
    with TrainLog(tmp_path, "two", 2, 10, 100) as meter:
        meter.step(2, 1.0)
    keep_adopted_stages(tmp_path, ["one"])  # the run went on, and was begun again
    assert stages_of(tmp_path)["two"]["samples"] == 20
    record_adopted_stage(tmp_path, "two", {"samples": 7, "seconds": 1.0, "waited_s": 0.0})
    record_adopted_stage(tmp_path, "zero", {"samples": 5, "seconds": 1.0, "waited_s": 0.0})
    assert json.loads((tmp_path / "training.json").read_text())["samples"] == 65
