"""What a method promises by being one, tried out on a few synthetic faces or drawn eyes.

A method of several tasks is tried on each, at smoke budget.

Trains twice: once undisturbed, once in a process that is killed half-way and started again. Equal
weights then show both that a seed decides the outcome and that a kill costs nothing; only when they
differ a third training tells which of the two promises was broken.
"""

from __future__ import annotations

import os
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbox.errors import BenchboxError
from benchbox.plugins import guest_code, method_call, method_card, shared_state
from benchbox.runs import external_program, inference, run_data
from benchbox.types import Index, Job, MethodCard, Predict, Protocol, Sample, Task

from . import label_free_checks
from .check_result import Check
from .smoke_job import make_smoke_job
from .training_process import train_in_process

if TYPE_CHECKING:
    from benchbox.types import Floats

TIME_LIMIT_S = 60.0


@dataclass(frozen=True)
class _Tolerance:
    """How far two predictions of the same may lie apart, in the unit of the task."""

    unit: str
    repeat: float  # two trainings of one seed
    # one sample alone or among others: other kernels sum in another order, nothing more
    batch: float


_TOLERANCES = {
    "landmarks": _Tolerance("px", 1e-4, 1e-2),
    "gaze2d": _Tolerance("cm", 1e-4, 1e-3),
    "gaze3d": _Tolerance("of a unit vector", 1e-5, 1e-4),
}
_CHECKPOINT_ADVICE = (
    "save the state and the generators' states with benchbox.training.checkpoint,"
    " or finish whole stages with its make_once"
)


def check_method(
    method: MethodCard,
    *,
    variant: str = "",
    protocol: Protocol | None = None,
    index: Index | None = None,
    data: Path = Path("data"),
    pictures: Sequence[Sample] = (),
) -> list[Check]:
    """Try a method.

    Without a protocol and an index on a tiny set of each of its tasks, named where there are
    several. Weights that it does not bring along are looked for under `data`. One that brings its
    weights is tried without labels, too, on `pictures` or on that set.

    Stops at the first fault that ends a trial.
    """
    if protocol is not None:
        return _check_task(method, variant, data, pictures, protocol.task, protocol, index)
    checks = []
    for task in method.task:
        for check in _check_task(method, variant, data, pictures, task):
            name = check.name
            if len(method.task) > 1:
                name = f"{task}: {name}"
            checks.append(replace(check, name=name))
    return checks


def _check_task(
    method: MethodCard,
    variant: str,
    data: Path,
    pictures: Sequence[Sample],
    task: Task,
    protocol: Protocol | None = None,
    index: Index | None = None,
) -> list[Check]:
    checks: list[Check] = []
    with tempfile.TemporaryDirectory(prefix="benchbox-") as folder:
        job, test = make_smoke_job(task, protocol, index)
        trial = _Trial(method, variant, data, Path(folder), job, test, pictures)
        try:
            for check in trial.run():
                checks.append(check)
        except BenchboxError as fault:
            checks.append(Check("runs", False, str(fault)))
        except Exception as fault:  # noqa: BLE001 - a plugin can raise anything: say where
            frame = traceback.extract_tb(fault.__traceback__)[-1]
            line = f"{Path(frame.filename).name}:{frame.lineno}"
            checks.append(Check("runs", False, f"{type(fault).__name__} at {line}: {fault}"))
    return checks


class _Trial:
    """One method being tried in a temporary folder."""

    def __init__(
        self,
        method: MethodCard,
        variant: str,
        data: Path,
        root: Path,
        job: Job,
        test: Sequence[Sample],
        without_labels: Sequence[Sample],
    ) -> None:
        self.method, self.data, self.root, self.test = method, data, root, test
        self.folder = method.folder.absolute()  # a trial runs in a folder of its own
        self.blame = method_card.blame_method(method)
        self.variant = variant or method.default
        self.without_labels = without_labels
        params = method_card.merge_params(method, variant, "smoke")
        if "weights" in params:
            # a trial has no data root, so no pretrained weights either
            params["weights"] = run_data.SCRATCH
        self.job = replace(job, params=params)
        self.shape = job.labelled.values.shape[1:]
        self.tolerance = _TOLERANCES[job.task]

    def run(self) -> Iterator[Check]:
        from benchbox.training import process_setup

        process_setup.prepare_process("cpu", self.job.seed)
        module = external_program.open_method(self.method)
        trains = hasattr(module, "train")
        offered = "predictor found"
        if trains:
            offered += ", train found"
        yield Check("loads", True, offered)

        out = self._make_out("first")
        running = shared_state.list_running()
        start, start_cpu = time.perf_counter(), time.process_time()
        with self._watch_files(out) as strays, guest_code.watch_guests() as guests:
            process_setup.prepare_process("cpu", self.job.seed)
            method_call.train(module, replace(self.job, out=out), self.blame)
            train_s = time.perf_counter() - start
            predict = self._make_predictor(module, out)
            together = self._predict(predict, self.test)
        # A busy machine stretches the wall clock, many threads the CPU's; the smaller of the two is
        # the method's own.
        seconds = min(time.perf_counter() - start, time.process_time() - start_cpu)
        yield from self._check_predictions(predict, together)
        yield _check_strays(strays)
        yield _check_guests(guests)
        yield _check_leftovers(guest_code.find_leftovers(running))
        yield _check_time(seconds)
        if trains:
            yield from self._check_repeats(module, together, train_s)
        else:
            yield from self._check_variants(module, out, together)
        if self._brings_weights(module):
            samples = self.without_labels or [*self.job.labelled.samples, *self.test]
            yield from label_free_checks.check_without_labels(
                lambda some: self._predict(predict, some), samples, self.job.layout
            )

    def _brings_weights(self, module: Any) -> bool:
        """Tell whether it reads weights of its own; a program says so by `run.files`."""
        if self.method.program is not None:
            return bool(self.method.program.files)
        return hasattr(module, "weights_files")

    def _check_predictions(
        self, predict: Callable[[Sequence[Sample]], Any], together: Floats
    ) -> Iterator[Check]:
        yield Check("shape and type", True, f"{together.shape} floats")
        finite = np.isfinite(together.reshape(len(together), -1))
        predicted = int(finite.all(axis=1).sum())
        detail = f"{predicted} of {len(together)} samples"
        if not predicted:
            detail += ": every row is NaN"
        yield Check("answers", predicted > 0, detail)
        alone = np.concatenate([self._predict(predict, [sample]) for sample in self.test])
        yield self._compare(
            "batch size",
            together,
            alone,
            self.tolerance.batch,
            "call eval() and use no batch statistics",
        )
        backwards = self._predict(predict, list(reversed(self.test)))[::-1]
        yield self._compare(
            "order of samples",
            together,
            backwards,
            self.tolerance.batch,
            "return one row per sample, in the order given",
        )

    def _check_variants(self, module: Any, out: Path, first: Floats) -> Iterator[Check]:
        """Without a training, only its parameters can tell one variant from another."""
        alike = []
        for name in self.method.variants:
            params = method_card.merge_params(self.method, name, "smoke")
            if name == self.variant or params == self.job.params:
                continue
            values = self._predict(self._make_predictor(module, out, params), self.test)
            if np.array_equal(values, first, equal_nan=True):
                alike.append(name)
        detail = f"{len(self.method.variants)} named"
        if alike:
            detail = (
                f"{', '.join(alike)} predict exactly as {self.variant}: use the parameters,"
                " as predictor(weights, device, params) is given them"
            )
        yield Check("variants differ", not alike, detail)

    def _check_repeats(self, module: Any, first: Floats, train_s: float) -> Iterator[Check]:
        """Kill a training half-way, start it again, and hold what it learned against the first."""
        out = self._make_out("killed")
        job = replace(self.job, out=out)
        killed = train_in_process(self.method, job, kill_after_s=train_s / 2)
        train_in_process(self.method, job)
        resumed = self._predict(self._make_predictor(module, out), self.test)
        history = "too quick to kill, so trained again on its own output"
        if killed:
            history = "killed half-way and started again"
        tolerance = self.tolerance.repeat
        difference = _largest_difference(first, resumed)
        if difference <= tolerance:
            detail = f"within {difference:.1g} {self.tolerance.unit}"
            yield Check("same seed, same output", True, detail)
            yield Check("goes on after a kill", True, history)
            weights = _weights_files(out.with_name("first"))
            if difference == 0 and weights:
                yield _check_weights_files(weights, _weights_files(out))
            return
        out = self._make_out("again")
        train_in_process(self.method, replace(self.job, out=out))
        repeated = self._predict(self._make_predictor(module, out), self.test)
        yield self._compare(
            "same seed, same output",
            first,
            repeated,
            tolerance,
            "draw every random number from generators seeded with job.seed",
        )
        advice = f"{history}; {_CHECKPOINT_ADVICE}"
        yield self._compare("goes on after a kill", first, resumed, tolerance, advice)

    def _make_predictor(
        self, module: Any, weights: Path, params: Mapping[str, Any] | None = None
    ) -> Predict:
        setting = method_call.MethodSetting(
            params=params or self.job.params,
            task=self.job.task,
            layout=self.job.layout,
            folder=self.folder,
            data=self.data.absolute(),
        )
        return method_call.make_predictor(module, weights, "cpu", setting, self.blame)

    def _compare(
        self, name: str, first: Floats, second: Floats, tolerance: float, advice: str
    ) -> Check:
        difference, unit = _largest_difference(first, second), self.tolerance.unit
        if difference <= tolerance:
            return Check(name, True, f"within {difference:.1g} {unit}")
        return Check(
            name,
            False,
            f"predictions move by {difference:.3g} {unit} (allowed {tolerance:g}): {advice}",
        )

    def _predict(
        self, predict: Callable[[Sequence[Sample]], Any], samples: Sequence[Sample]
    ) -> Floats:
        prediction = predict(samples)
        return inference.check_prediction(prediction, samples, self.shape, blame=self.method.name)

    def _make_out(self, name: str) -> Path:
        out = self.root / "out" / name
        out.mkdir(parents=True)
        return out

    @contextmanager
    def _watch_files(self, out: Path) -> Iterator[list[str]]:
        """Work in a folder of its own and list the files that appear or change outside `out`."""
        previous, working = Path.cwd(), self.root / "cwd"
        working.mkdir()
        watched = (self.root, self.method.folder.absolute())
        before = [_file_states(folder) for folder in watched]
        strays: list[str] = []
        os.chdir(working)
        try:
            yield strays
        finally:
            os.chdir(previous)
        for folder, old_states in zip(watched, before, strict=True):
            for name, state in _file_states(folder).items():
                if old_states.get(name) != state and not name.startswith(str(out)):
                    strays.append(name)


def _check_strays(strays: Sequence[str]) -> Check:
    detail = "nothing elsewhere"
    if strays:
        detail = f"it wrote {', '.join(strays[:3])}: put every file under job.out"
    return Check("writes only under job.out", not strays, detail)


def _check_guests(guests: Sequence[guest_code.GuestChanges]) -> Check:
    """Say what the method changed that it shares; what it prints is only told."""
    changed: list[str] = []
    for guest in guests:
        changed += guest.changed
    name = "leaves what is shared as it was"
    if changed:
        words = ", ".join(dict.fromkeys(changed))
        return Check(name, False, f"it changed {words}: work on copies, and put back the rest")
    if any(guest.printed for guest in guests):
        return Check(name, True, "what it prints goes to stderr")
    return Check(name, True, "nothing changed, nothing printed")


def _check_leftovers(left: Sequence[str]) -> Check:
    detail = "no thread, no process"
    if left:
        detail = f"it left {', '.join(left[:3])}: end what it starts, or make it a daemon"
    return Check("leaves nothing running", not left, detail)


def _weights_files(out: Path) -> dict[str, bytes]:
    """Read the safetensors files that a training left, by their path below its folder."""
    files = sorted(out.rglob("*.safetensors"))
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}


def _check_weights_files(first: Mapping[str, bytes], again: Mapping[str, bytes]) -> Check:
    """Hold the weights of two trainings that predict the same against each other.

    Digests in records are to be compared.
    """
    other = [name for name in first if first[name] != again.get(name)]
    detail = ", ".join(list(first)[:3])
    if other:
        detail = f"{', '.join(other[:3])}: write no time and no path into them, facts in one order"
    return Check("same seed, same weights", not other, detail)


def _check_time(seconds: float) -> Check:
    in_time = seconds < TIME_LIMIT_S
    detail = f"{seconds:.1f} s"
    if not in_time:
        detail += ": shrink [budgets.smoke] in method.toml"
    return Check(f"under {TIME_LIMIT_S:.0f} s", in_time, detail)


def _largest_difference(first: Floats, second: Floats) -> float:
    """Return the largest difference; infinite when one predicts where the other does not."""
    if not np.array_equal(np.isnan(first), np.isnan(second)):
        return float("inf")
    return float(np.nanmax(np.abs(first - second), initial=0.0))


def _file_states(folder: Path) -> dict[str, tuple[int, int]]:
    """Map each file below a folder to its size and time; caches of Python itself aside."""
    states = {}
    for path in folder.rglob("*"):
        if "__pycache__" in path.parts or not path.is_file():
            continue
        with suppress(FileNotFoundError):  # somebody else's temporary file
            stat = path.stat()
            states[str(path)] = (stat.st_size, stat.st_mtime_ns)
    return states
