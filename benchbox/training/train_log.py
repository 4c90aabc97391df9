"""Progress that a person can watch and a log that they can plot."""

from __future__ import annotations

import csv
import io
import json
import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import torch

from benchbox.atomic_write import write_whole
from benchbox.csv_cells import guard_cell
from benchbox.errors import BenchboxError, ResultError
from benchbox.file_readers.json_files import read_json_table
from benchbox.progress import progress_bar

from . import dead_units, process_memory
from .prefetch import batches_in_turn, data_wait_s, prefetch_batches

T = TypeVar("T")

_COLUMNS = ("stage", "step", "epoch", "loss", "samples_per_s", "seconds")
_LINES_PER_STAGE = 50
EVENTS_VARIABLE = "BENCHBOX_TENSORBOARD"


class TrainLog:
    """Count one stage: a bar on stderr, rows in `log.csv`.

    Totals in `training.json` under the job's folder. Rows beyond `start` are of steps that were
    lost with an interrupted training and are made again: they are dropped.

    `loss` is a tensor or a float; it is read only when a row is due, so the device is not waited
    for at every step. The share of the time that steps stand still for data is recorded: for
    `batches`, and for the views of a CPU. So are the shares of units and layers that got no
    gradient at the end (`dead_units`), where the stage was trained with `TrainStep`.
    """

    def __init__(
        self,
        out: Path,
        stage: str,
        steps: int,
        batch: int,
        examples: int,
        start: int = 0,
        device: str = "cpu",
    ) -> None:
        self.out, self.stage, self.steps, self.batch, self.examples = (
            out,
            stage,
            steps,
            batch,
            examples,
        )
        self.device = device
        self.every = max(1, steps // _LINES_PER_STAGE)
        self.before_s = data_wait_s()
        self.first, self.done, self.start_s = start, start, time.perf_counter()
        dead_units.forget_steps()
        _forget_undone(out, stage, start)
        self.bar = progress_bar(
            total=steps,
            initial=start,
            desc=stage,
            unit="step",
            mininterval=1.0,
            dynamic_ncols=True,
        )
        self.events = open_events(out)

    def __enter__(self) -> TrainLog:
        return self

    def batches(self, make: Callable[[int], T]) -> Iterator[tuple[int, T]]:
        """Yield (step, make(step)) for the steps that are left, counted from 0.

        For a GPU made ahead, by a thread.
        """
        steps = range(self.first, self.steps)
        if self.device == "cuda":
            return prefetch_batches(make, steps)
        return batches_in_turn(make, steps)

    def step(self, number: int, loss: object) -> None:
        """Note that step `number` (from 1) is done."""
        self.bar.update(number - self.done)
        self.done = number  # a bar that is not shown does not count
        if number % self.every and number != self.steps:
            return
        elapsed = time.perf_counter() - self.start_s
        rate = (number - self.first) * self.batch / elapsed
        epoch = number * self.batch / max(1, self.examples)
        value = float(loss)  # type: ignore[arg-type]
        self.bar.set_postfix_str(
            f"epoch {epoch:.1f}, loss {value:.4f}, {rate:.0f} images/s", refresh=False
        )
        if self.events is not None:
            self.events.add_scalar(f"{self.stage}/loss", value, number)
            self.events.add_scalar(f"{self.stage}/images_per_s", rate, number)
        log = self.out / "log.csv"
        fresh = not log.exists()
        with log.open("a", newline="") as file:
            writer = csv.writer(file)
            if fresh:
                writer.writerow(_COLUMNS)
            writer.writerow(
                [
                    guard_cell(self.stage),
                    number,
                    f"{epoch:.3f}",
                    f"{value:.6g}",
                    f"{rate:.1f}",
                    f"{elapsed:.2f}",
                ]
            )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.bar.close()
        if self.events is not None:
            self.events.close()
        seconds = time.perf_counter() - self.start_s
        done = self.done - self.first
        path = self.out / "training.json"
        record = _read_record(self.out)
        before = record["stages"].get(self.stage, {"samples": 0, "seconds": 0.0, "waited_s": 0.0})
        record["stages"][self.stage] = {
            **before,
            "samples": before["samples"] + done * self.batch,
            "seconds": round(before["seconds"] + seconds, 3),
            "waited_s": round(before["waited_s"] + data_wait_s() - self.before_s, 3),
        }
        dead = dead_units.collect_shares()
        if dead is not None:
            record["stages"][self.stage] |= {"dead_units": dead.units, "dead_layers": dead.layers}
        _update_totals(record)
        peak_mb = process_memory.peak_memory_mb()
        if peak_mb is not None:
            record["peak_memory_mb"] = peak_mb
        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            record["peak_gpu_memory_mb"] = round(torch.cuda.max_memory_allocated() / 2**20)
        _write_record(path, record)


def _forget_undone(out: Path, stage: str, start: int) -> None:
    """Drop the rows of a stage beyond the step that it goes on from; from 0, its totals, too."""
    log = out / "log.csv"
    if log.exists():
        lines = log.read_text().splitlines(keepends=True)
        begin = io.StringIO()
        csv.writer(begin, lineterminator="").writerow([guard_cell(stage), ""])
        kept = [line for line in lines if not _is_beyond(line, begin.getvalue(), start)]
        if kept != lines:
            write_whole(log, "".join(kept))
    if start or not (out / "training.json").exists():
        return
    record = _read_record(out)
    if record["stages"].pop(stage, None) is not None:
        _update_totals(record)
        _write_record(out / "training.json", record)


def _is_beyond(line: str, begin: str, start: int) -> bool:
    """Tell whether a row that begins with a stage and a comma is of a step beyond one."""
    step = line.removeprefix(begin).partition(",")[0]
    return line.startswith(begin) and step.isdecimal() and int(step) > start


def open_events(out: Path) -> Any:
    """Return a writer of TensorBoard events below `out`, where a run asks for them; else None.

    Raises BenchboxError where TensorBoard is not here.
    """
    if not os.environ.get(EVENTS_VARIABLE):
        return None
    try:
        from torch.utils.tensorboard.writer import SummaryWriter
    except ImportError as fault:
        raise BenchboxError("--tensorboard needs it: pip install tensorboard") from fault
    return SummaryWriter(str(out / "events"))


def record_adopted_stage(out: Path, name: str, totals: Mapping[str, Any]) -> None:
    """Count a stage that was trained before, elsewhere.

    With what is known of it, unless it is counted already.
    """
    path, record = out / "training.json", _read_record(out)
    if name not in record["stages"]:
        record["stages"][name] = dict(totals)
        _update_totals(record)
        _write_record(path, record)


def keep_adopted_stages(out: Path, stages: Collection[str]) -> None:
    """Of a training that was copied here from another run keep some stages alone, in notes and log.

    Only once.
    """
    path, log = out / "training.json", out / "log.csv"
    record = _read_record(out)
    if "stages" in record.get("taken_over", {"stages": ()}):
        return
    record["taken_over"]["stages"] = sorted(stages)
    record["stages"] = {name: totals for name, totals in record["stages"].items() if name in stages}
    _update_totals(record)
    if log.exists():
        head, *rows = log.read_text().splitlines(keepends=True)
        kept = [row for row in rows if row.partition(",")[0] in stages]
        log.write_text("".join([head, *kept]))
    _write_record(path, record)


def _update_totals(record: dict[str, Any]) -> None:
    totals = record["stages"].values()
    record["samples"] = sum(s["samples"] for s in totals)
    record["seconds"] = round(sum(s["seconds"] for s in totals), 3)
    record["samples_per_s"] = round(record["samples"] / max(record["seconds"], 1e-9), 1)
    record["waiting_share"] = round(
        sum(s["waited_s"] for s in totals) / max(record["seconds"], 1e-9), 4
    )
    for name in ("dead_units", "dead_layers"):  # of the stage that is worst
        share = _worst_share(totals, name)
        if share is not None:
            record[name] = share


def _worst_share(stages: Collection[Mapping[str, Any]], name: str) -> float | None:
    """Return the largest share of a name over the stages that know it."""
    shares = [stage[name] for stage in stages if name in stage]
    return max(shares, default=None)


def record_facts(out: Path, **facts: object) -> None:
    """Add facts that a recipe wants in the run's record to the job's `training.json`."""
    _write_record(out / "training.json", {**_read_record(out), **facts})


def _read_record(out: Path) -> dict[str, Any]:
    """Read a job's `training.json`; one without stages where there is none yet."""
    path = out / "training.json"
    if not path.exists():
        return {"stages": {}}
    record = read_json_table(path, fault=ResultError, advice="run again with --fresh")
    if not isinstance(record.get("stages"), dict):
        raise ResultError(f"{path}: has no table of stages; run again with --fresh")
    return record


def _write_record(path: Path, record: Mapping[str, object]) -> None:
    write_whole(path, json.dumps(record, indent=2) + "\n")
