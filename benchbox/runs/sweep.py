"""Many runs from one command: every method on every protocol with every seed, each in a process.

What can be told beforehand is told before the first run: unknown names, data that are missing. A
run that fails does not stop the others, and the same command again does what is left, because a
finished run is returned as it stands. A cell is done when its record is there and fits what was
asked for, whatever its process ended with.
"""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from benchbox import progress
from benchbox.errors import PluginError, ProtocolError, ResultError
from benchbox.plugins import method_card
from benchbox.protocols import protocol_card as protocols
from benchbox.types import Protocol

from . import other_training, run_data, run_folders, run_identity, run_plan
from .cell_process import request_words, run_command
from .limited_process import describe_code, heed_sigterm
from .ray_cluster import run_on_ray
from .run_plan import RunRequest
from .sweep_watch import LOST, NO_ROOM, TRIES, Watch

# request and exit code, as they end
Executor = Callable[
    [Sequence[RunRequest], Watch | None], Generator[tuple[RunRequest, int], None, None]
]

ALL_VARIANTS = "*"
_STDERR = 2  # what a run prints is progress here
_MAX_SEEDS = 1000
_SPAN = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")
DONE = "done"
NOT_TRAINED = "not tested, its training is not done"
_EXIT_CODES = {
    2: "refused, see its error above",
    130: "interrupted",
    LOST: f"lost with its node {TRIES} times; the same command goes on with it",
    NO_ROOM: "no node has what it needs",
}


def parse_seeds(text: str) -> list[int]:
    """Read a list of seeds; raises ResultError when it is none.

    >>> parse_seeds("1,3,5-7")
    [1, 3, 5, 6, 7]
    """
    seeds: list[int] = []
    for part in text.split(","):
        match = _SPAN.fullmatch(part.strip())
        if not match:
            raise ResultError(f"--seeds {text}: {part.strip()!r} is no seed; write 1,2,3 or 1-3")
        first, last = int(match[1]), int(match[2] or match[1])
        if not first <= last < first + _MAX_SEEDS:
            raise ResultError(
                f"--seeds {text}: {part.strip()} must rise, by fewer than {_MAX_SEEDS}"
            )
        seeds += range(first, last + 1)
    return list(dict.fromkeys(seeds))


def sweep_requests(
    methods: Iterable[str],
    cards: Iterable[str],
    seeds: Iterable[int],
    like: RunRequest,
    say: run_plan.Say = run_plan.say_nothing,
) -> list[RunRequest]:
    """Return a request per seed, protocol and method whose tasks agree; `like` gives the rest.

    A method is `NAME`, `NAME:VARIANT` or `NAME:*`. All methods of one seed come before the next
    seed, so that a sweep that is cut short has something to compare. `say` is told what is left
    out. Raises BenchboxError for an unknown name, for missing data, and when no method does the
    task of any protocol.
    """
    variants: dict[tuple[str, str], None] = {}  # an ordered set
    for text in methods:
        variants.update(dict.fromkeys(_parse_method(text, like)))
    opened = _open_cards(cards)
    fitting: list[RunRequest] = []
    left_out: set[tuple[str, str]] = set()
    for name, card in opened.items():
        for method, variant in variants:
            if card.task in method_card.find_card(method, like.methods).task:
                request = replace(like, method=method, variant=variant, protocol=name)
                fitting.append(request)
            else:
                left_out.add((card.name, method))
    if not fitting:
        raise PluginError(
            "no method here does the task of any protocol here; `benchbox list methods` names tasks"
        )
    for name, method in sorted(left_out):
        say(f"note: left out: {method} does not do the task of {name}")
    used = {request.protocol for request in fitting}
    for name, card in opened.items():
        if name in used:
            run_data.require_data(card, like.data)
    requests: list[RunRequest] = []
    for seed in seeds:
        requests += [replace(request, seed=seed) for request in fitting]
    for request in requests:
        run_plan.plan_run(request)
    return requests


def test_requests(
    trainings: Sequence[RunRequest],
    cards: Sequence[str],
    say: run_plan.Say,
) -> list[RunRequest]:
    """Return a request per training and further card: to test its weights there, without training.

    What a training cannot be tested on is left out, and `say` is told. Raises BenchboxError for an
    unknown card, for missing data, and for a card that fits no training.
    """
    requests = []
    for name, card in _open_cards(cards).items():
        run_data.require_data(card, trainings[0].data, training=False)
        fitting, reason = [], f"is what {card.name} trains itself"
        for training in trainings:
            plan = run_plan.plan_run(training)
            if plan.protocol.name == card.name:
                continue
            try:
                other_training.require_fit(plan.protocol, card)
            except ProtocolError as fault:
                reason = str(fault)
                continue
            # it trains nothing, which is the work of one process
            fitting.append(replace(training, protocol=name, weights_of=plan.place, processes=1))
        if not fitting:
            raise ProtocolError(f"--test-on {name}: fits no training here: {reason}")
        left_out = len(trainings) - len(fitting)
        if left_out:
            say(
                f"note: {left_out} of {len(trainings)} trainings are not tested on {name}: {reason}"
            )
        requests += fitting
    return requests


def part_tests(
    tests: Sequence[RunRequest], ended: Sequence[tuple[RunRequest, str]]
) -> tuple[list[RunRequest], list[RunRequest]]:
    """Part tests into those whose training is done and those whose training is not."""
    trained = {run_plan.plan_run(request).place for request, outcome in ended if outcome == DONE}
    ready = [test for test in tests if test.weights_of in trained]
    return ready, [test for test in tests if test.weights_of not in trained]


def _open_cards(names: Iterable[str]) -> dict[str, Protocol]:
    """Read cards by the names or paths that a request can use for them, each once."""
    opened = {}
    for name in names:
        card = protocols.load_protocol(name)
        if protocols.is_card_file(name):
            opened[name] = card
        else:
            opened[card.name] = card
    return opened


def _parse_method(text: str, like: RunRequest) -> list[tuple[str, str]]:
    """Return (method, variant) pairs that `NAME`, `NAME:VARIANT` or `NAME:*` stands for."""
    name, _, variant = text.partition(":")
    card = method_card.find_card(name, like.methods)
    if variant == ALL_VARIANTS:
        return [(name, each) for each in card.variants]
    return [(name, variant or card.default)]


def _child_stdout() -> int:
    """Return where results of a child go: they are progress here, which quiet sweeps lack."""
    return subprocess.DEVNULL if progress.is_quiet() else _STDERR


def paste_command(request: RunRequest) -> str:
    """Return the line that runs a request, quoted for a POSIX shell, in whatever folder."""
    start = ["benchbox"]
    if request.processes > 1:
        start = ["torchrun", "--standalone", "--nproc-per-node", str(request.processes), "-m"]
        start.append("benchbox")
    return shlex.join([*start, *request_words(request)])


def slurm_script(requests: Sequence[RunRequest], tests: Sequence[RunRequest]) -> str:
    """Return an array script for Slurm: a task per training, its tests behind it.

    Every task may be killed and queued again: a run goes on where it was, and what is finished
    stays. The folders must be the same on every node.
    """
    of_training: dict[Path | None, list[RunRequest]] = {}
    for test in tests:
        of_training.setdefault(test.weights_of, []).append(test)
    lines = [
        "#!/bin/sh",
        "#SBATCH --job-name=benchbox",
        f"#SBATCH --array=0-{len(requests) - 1}",
        "#SBATCH --cpus-per-task=4",
        "#SBATCH --requeue",
        "#SBATCH --open-mode=append",
    ]
    if requests[0].device != "cpu":
        lines.append(f"#SBATCH --gpus-per-task={requests[0].processes}")
    lines += ["set -e", 'case "$SLURM_ARRAY_TASK_ID" in']
    for number, request in enumerate(requests):
        lines.append(f"{number})")
        lines.append(f"  {paste_command(request)}")
        for test in of_training.get(run_plan.plan_run(request).place, []):
            lines.append(f"  {paste_command(test)}")
        lines.append("  ;;")
    return "\n".join([*lines, "esac", ""])


def run_locally(
    requests: Sequence[RunRequest], watch: Watch | None = None
) -> Generator[tuple[RunRequest, int], None, None]:
    """Run here, one after the other.

    On Ctrl-C and SIGTERM the run that is under way is asked to stop and waited for.
    """
    del watch  # each run shows its own progress
    for request in requests:
        # A session of its own: Ctrl-C reaches the child once, through us, and never while it is
        # already stopping. Its stdin ends with this process, whatever ends that.
        child = subprocess.Popen(
            run_command(request),
            stdin=subprocess.PIPE,
            stdout=_child_stdout(),
            start_new_session=True,
        )
        try:
            with heed_sigterm():
                code = child.wait()
        except BaseException:
            child.send_signal(signal.SIGINT)
            child.wait()
            raise
        finally:
            if child.stdin is not None:
                child.stdin.close()
        yield request, code


def judge_outcome(request: RunRequest, code: int) -> str:
    """Say how a cell ended, given the exit code of its process: DONE with a record that fits."""
    if code != 0:
        ended = describe_code(code) if code < 0 else f"exit code {code}"
        return _EXIT_CODES.get(code, f"failed, {ended}")
    plan = run_plan.plan_run(request)
    if not run_folders.is_finished(plan.place):
        return "failed: its process ended without a fault and left no record"
    try:
        record = run_folders.read_run(plan.place).record
    except ResultError as fault:
        return f"failed: {fault}"
    differences = run_identity.describe_differences(record, plan.identity, plan.method.before)
    differences += filter(None, [run_identity.describe_code_difference(record, plan.code)])
    if differences:
        return f"failed: the record there is of {', '.join(differences)}"
    return DONE


def outcome_row(request: RunRequest, outcome: str) -> dict[str, str | int]:
    """Return one line of what a sweep reports."""
    row: dict[str, str | int] = {
        "protocol": request.protocol,
        "method": request.method,
        "variant": request.variant,
        "seed": request.seed,
        "outcome": outcome,
    }
    if request.weights_of is not None:
        row["weights_of"] = "/".join(request.weights_of.parts[-4:])
    return row


EXECUTORS: dict[str, Executor] = {"local": run_locally, "ray": run_on_ray}
