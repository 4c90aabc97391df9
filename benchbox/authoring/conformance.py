"""What a method promises by being one, tried out on a few synthetic faces or drawn eyes at smoke budget.

A method of several tasks is tried on each.

Trains twice: once undisturbed, once in a process that is killed half-way and started again. Equal weights then show
both that a seed decides the outcome and that a kill costs nothing; only when they differ a third training tells which
of the two promises was broken.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox import layouts
from benchbox.datasets import select
from benchbox.errors import BenchboxError
from benchbox.plugins import method_card
from benchbox.runs import execute, inference
from benchbox.types import Examples, Index, Job, MethodCard, Protocol, Sample, Task

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from benchbox.types import Bytes, Floats

TIME_LIMIT_S = 60.0
_START_S = 120.0  # for a child to import torch on a busy machine


@dataclass(frozen=True)
class _Tolerance:
    """How far two answers to the same question may lie apart, in the unit of the task."""

    unit: str
    repeat: float  # two trainings of one seed
    # one sample alone or among others: other kernels sum in another order, nothing more
    batch: float


_TOLERANCES = {
    "landmarks": _Tolerance("px", 1e-4, 1e-2),
    "gaze2d": _Tolerance("cm", 1e-4, 1e-3),
    "gaze3d": _Tolerance("of a unit vector", 1e-5, 1e-4),
}


@dataclass(frozen=True)
class Check:
    """One promise: whether it was kept and, if not, what to change."""

    name: str
    ok: bool
    detail: str


def check_method(
    method: MethodCard,
    *,
    variant: str = "",
    protocol: Protocol | None = None,
    index: Index | None = None,
) -> list[Check]:
    """Try a method.

    Without a protocol and an index on a tiny set of each of its tasks, named where there are
    several.

    Stops at the first fault that ends a trial.
    """
    if protocol is not None:
        return _check_task(method, variant, protocol.task, protocol, index)
    several = len(method.task) > 1
    return [
        replace(outcome, name=f"{task}: {outcome.name}") if several else outcome
        for task in method.task
        for outcome in _check_task(method, variant, task, None, None)
    ]


def _check_task(
    method: MethodCard, variant: str, task: Task, protocol: Protocol | None, index: Index | None
) -> list[Check]:
    checks: list[Check] = []
    with tempfile.TemporaryDirectory(prefix="benchbox-") as folder:
        trial = _Trial(method, variant, Path(folder), *_smoke_job(task, protocol, index))
        try:
            for outcome in trial.run():
                checks.append(outcome)
        except BenchboxError as fault:
            checks.append(Check("runs", False, str(fault)))
        except Exception as fault:  # noqa: BLE001 - a plugin can raise anything, and its author wants to see where
            where = traceback.extract_tb(fault.__traceback__)[-1]
            place = f"{Path(where.filename).name}:{where.lineno}"
            checks.append(Check("runs", False, f"{type(fault).__name__} at {place}: {fault}"))
    return checks


class _Trial:
    """One method being tried in a temporary folder."""

    def __init__(
        self, method: MethodCard, variant: str, root: Path, job: Job, test: Sequence[Sample]
    ) -> None:
        self.method, self.root, self.test = method, root, test
        params = method_card.merge_params(method, variant, "smoke")
        if "weights" in params:
            # a trial has no data root, so no published weights either
            params["weights"] = execute.SCRATCH
        self.job = replace(job, params=params)
        self.shape = job.labelled.values.shape[1:]
        self.allowed = _TOLERANCES[job.task]

    def run(self) -> Iterator[Check]:
        from benchbox.training import process_setup

        process_setup.prepare_process("cpu", self.job.seed)
        module = method_card.import_method(self.method)
        yield Check(
            "loads", True, "predictor found" + (", train found" if hasattr(module, "train") else "")
        )
        trains = hasattr(module, "train")

        first = self._out("first")
        start, start_cpu = time.perf_counter(), time.process_time()
        with self._watched(first) as strays:
            if trains:
                process_setup.prepare_process("cpu", self.job.seed)
                module.train(replace(self.job, out=first))
            train_s = time.perf_counter() - start
            predict = module.predictor(first, "cpu")
            together = inference.check_prediction(
                predict(self.test), self.test, self.shape, blame=self.method.name
            )
        # A busy machine stretches the wall clock, many threads the CPU's; the smaller of the two is
        # the method's own.
        seconds = min(time.perf_counter() - start, time.process_time() - start_cpu)
        yield from self._answers(predict, together)
        yield Check(
            "writes only under job.out",
            not strays,
            f"it wrote {', '.join(strays[:3])}: put every file under job.out"
            if strays
            else "nothing elsewhere",
        )
        yield Check(
            f"under {TIME_LIMIT_S:.0f} s",
            seconds < TIME_LIMIT_S,
            f"{seconds:.1f} s"
            + ("" if seconds < TIME_LIMIT_S else ": shrink [budgets.smoke] in method.toml"),
        )
        if trains:
            yield from self._repeats(module, together, train_s)

    def _answers(
        self, predict: Callable[[Sequence[Sample]], Any], together: Floats
    ) -> Iterator[Check]:
        blame = self.method.name
        yield Check("shape and type", True, f"{together.shape} floats")
        answered = np.isfinite(together.reshape(len(together), -1)).all(axis=1, keepdims=True)
        yield Check(
            "answers",
            bool(answered.any()),
            f"{answered.sum()} of {len(together)} samples"
            + ("" if answered.any() else ": every row is NaN"),
        )
        alone = [
            inference.check_prediction(predict([one]), [one], self.shape, blame=blame)
            for one in self.test
        ]
        yield self._close(
            "batch size", together, np.concatenate(alone), "call eval() and use no batch statistics"
        )
        turned = list(reversed(self.test))
        back = inference.check_prediction(predict(turned), turned, self.shape, blame=blame)[::-1]
        yield self._close(
            "order of samples", together, back, "return one row per sample, in the order given"
        )

    def _repeats(self, module: Any, first: Floats, train_s: float) -> Iterator[Check]:
        """Kill a training half-way, start it again, and hold what it learned against the undisturbed one."""
        out = self._out("killed")
        job = replace(self.job, out=out)
        killed = _train_in_process(self.method, job, kill_after_s=train_s / 2)
        _train_in_process(self.method, job)
        resumed = self._predicted(module, out)
        how = (
            "killed half-way and started again"
            if killed
            else "too quick to kill, so trained again on its own output"
        )
        gap = _largest_difference(first, resumed)
        if gap <= self.allowed.repeat:
            yield Check("same seed, same output", True, f"within {gap:.1g} {self.allowed.unit}")
            yield Check("goes on after a kill", True, how)
            return
        again = self._out("again")
        _train_in_process(self.method, replace(self.job, out=again))
        yield self._close(
            "same seed, same output",
            first,
            self._predicted(module, again),
            "draw every random number from generators seeded with job.seed",
            repeat=True,
        )
        advice = "save the state and the generators' states with kit.checkpoint, or finish whole stages with once"
        yield self._close("goes on after a kill", first, resumed, f"{how}; {advice}", repeat=True)

    def _close(
        self, name: str, first: Floats, second: Floats, advice: str, *, repeat: bool = False
    ) -> Check:
        gap, unit = _largest_difference(first, second), self.allowed.unit
        tolerance = self.allowed.repeat if repeat else self.allowed.batch
        if gap <= tolerance:
            return Check(name, True, f"within {gap:.1g} {unit}")
        return Check(
            name, False, f"answers move by {gap:.3g} {unit} (allowed {tolerance:g}): {advice}"
        )

    def _predicted(self, module: Any, out: Path) -> Floats:
        answer = module.predictor(out, "cpu")(self.test)
        return inference.check_prediction(answer, self.test, self.shape, blame=self.method.name)

    def _out(self, name: str) -> Path:
        out = self.root / "out" / name
        out.mkdir(parents=True)
        return out

    @contextmanager
    def _watched(self, mine: Path) -> Iterator[list[str]]:
        """Work in a folder of its own and list the files that appear or change outside `mine`."""
        here, cwd = Path.cwd(), self.root / "cwd"
        cwd.mkdir()
        watched = (self.root, self.method.folder.absolute())
        before = [_file_states(folder) for folder in watched]
        strays: list[str] = []
        os.chdir(cwd)
        try:
            yield strays
        finally:
            os.chdir(here)
        for folder, old in zip(watched, before, strict=True):
            now = _file_states(folder)
            strays += [
                name
                for name in now
                if old.get(name) != now[name] and not name.startswith(str(mine))
            ]


def _smoke_job(
    task: Task, protocol: Protocol | None, index: Index | None
) -> tuple[Job, tuple[Sample, ...]]:
    """Return a job and the test samples, pictures decoded: they travel to other processes."""
    from benchbox.datasets import split as splits

    if protocol is None or index is None:
        protocol, index = _tiny_dataset(task)
    test = int(select.select_rows(index, protocol.groups[protocol.overall]).sum())
    small = replace(protocol, test_expected=test, test_clusters=0)
    parts = splits.split_index(small, index)
    job = Job(
        task=protocol.task,
        layout=layouts.LAYOUTS.get(protocol.layout),
        labelled=_decode_examples(parts.labelled),
        unlabelled=_decode_samples(parts.unlabelled),
        validation=_decode_examples(parts.validation) if parts.validation else None,
        out=Path(),
        seed=0,
        device="cpu",
        budget="smoke",
        params={},
    )
    return job, _decode_samples(parts.test)


def _tiny_dataset(task: Task) -> tuple[Protocol, Index]:
    """Return the protocol and the tiny set that a task is tried on."""
    from benchbox.datasets.synthetic import ibug300w, toy_gaze
    from benchbox.protocols import protocol_card as protocols

    if task == "landmarks":
        return protocols.load_protocol("synth-300w-full"), ibug300w.tiny(train=16, test=6)
    return protocols.load_protocol(
        "gazecapture" if task == "gaze2d" else "eth-xgaze"
    ), toy_gaze.draw_toy_set(task)


def _decode_examples(examples: Examples) -> Examples:
    return replace(examples, samples=_decode_samples(examples.samples))


def _decode_samples(samples: Sequence[Sample]) -> tuple[Sample, ...]:
    return tuple(
        replace(sample, pixels=partial(_return_pixels, sample.pixels()), stamp=None)
        for sample in samples
    )


def _return_pixels(pixels: Bytes) -> Bytes:
    return pixels


# --- comparing ------------------------------------------------------------------------------------


def _largest_difference(first: Floats, second: Floats) -> float:
    """Return the largest difference; infinite when one answers where the other does not."""
    if not np.array_equal(np.isnan(first), np.isnan(second)):
        return float("inf")
    return float(np.nanmax(np.abs(first - second), initial=0.0))


def _file_states(folder: Path) -> dict[str, tuple[int, int]]:
    """Map each file below a folder to its size and time; caches of Python itself aside."""
    found = {}
    for path in folder.rglob("*"):
        if "__pycache__" in path.parts or not path.is_file():
            continue
        with suppress(FileNotFoundError):  # somebody else's temporary file
            stat = path.stat()
            found[str(path)] = (stat.st_size, stat.st_mtime_ns)
    return found


# --- another process ------------------------------------------------------------------------------


def _train_in_process(method: MethodCard, job: Job, kill_after_s: float | None = None) -> bool:
    """Train in a process of its own, killing it some time after training began.

    Return whether it was killed.
    """
    context = multiprocessing.get_context("spawn")
    near, far = context.Pipe(duplex=False)
    child = context.Process(target=_child_main, args=(method, job, far))
    child.start()
    far.close()
    if not near.poll(_START_S):
        child.kill()
        raise BenchboxError(
            f"method {method.name!r}: a training process did not start within {_START_S:.0f} s"
        )
    with suppress(EOFError):  # it died before it began; its exit code says so below
        near.recv()
    if kill_after_s is not None:
        child.join(kill_after_s)
        if child.is_alive():
            child.kill()
    child.join()
    near.close()
    if child.exitcode == 0:
        return False
    if kill_after_s is not None and child.exitcode == -signal.SIGKILL:
        return True
    raise BenchboxError(
        f"method {method.name!r}: training ended with {child.exitcode}; its traceback is above"
    )


def _child_main(method: MethodCard, job: Job, ready: Connection) -> None:
    from tqdm import tqdm

    from benchbox.training import process_setup

    # A progress bar's lock between processes would be reported as leaked when this one is killed.
    tqdm.set_lock(threading.RLock())
    module = method_card.import_method(method)
    process_setup.prepare_process("cpu", job.seed)
    ready.send("begins")
    module.train(job)
