"""Many runs from one command: every method on every protocol with every seed, each in a process.

What can be told beforehand is told before the first run: unknown names, data that are missing. A
run that fails does not stop the others, and the same command again does what is left, because a
finished run is returned as it stands.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from benchbox.errors import PluginError, ResultError
from benchbox.plugins import method_card
from benchbox.protocols import protocol_card as protocols

from . import execute
from .execute import RunRequest

# request and exit code, as they end
Executor = Callable[[Sequence[RunRequest]], Iterator[tuple[RunRequest, int]]]

ALL_VARIANTS = "*"
_STDERR = 2  # what a run prints is progress here
_MAX_SEEDS = 1000
_SPAN = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")
_EXIT_CODES = {0: "done", 2: "refused, see its error above", 130: "interrupted"}


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
    say: execute.Say = execute.say_nothing,
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
    opened = [protocols.load_protocol(name) for name in dict.fromkeys(cards)]
    fitting: list[RunRequest] = []
    left_out: set[tuple[str, str]] = set()
    for card in opened:
        for method, variant in variants:
            if card.task in method_card.find_card(method, like.methods).task:
                request = replace(like, method=method, variant=variant, protocol=card.name)
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
    for card in opened:
        if card.name in used:
            execute.require_data(card, like.data)
    requests: list[RunRequest] = []
    for seed in seeds:
        requests += [replace(request, seed=seed) for request in fitting]
    for request in requests:
        execute.plan_run(request)
    return requests


def _parse_method(text: str, like: RunRequest) -> list[tuple[str, str]]:
    """Return (method, variant) pairs that `NAME`, `NAME:VARIANT` or `NAME:*` stands for."""
    name, _, variant = text.partition(":")
    card = method_card.find_card(name, like.methods)
    if variant == ALL_VARIANTS:
        return [(name, each) for each in card.variants]
    return [(name, variant or card.default)]


def run_command(request: RunRequest) -> list[str]:
    """Return the words that run a request in a process of its own."""
    words = [sys.executable, "-m", "benchbox", "run"]
    words += ["--method", request.method, "--variant", request.variant]
    words += ["--protocol", request.protocol, "--seed", str(request.seed)]
    words += ["--device", request.device, "--budget", request.budget]
    words += ["--data", str(request.data.absolute())]
    words += ["--results", str(request.results.absolute())]
    for folder in request.methods:
        words += ["--methods", str(folder.absolute())]
    return words


def run_locally(requests: Sequence[RunRequest]) -> Iterator[tuple[RunRequest, int]]:
    """Run here, one after the other.

    On Ctrl-C the run that is under way is asked to stop and waited for.
    """
    for request in requests:
        # A session of its own: Ctrl-C reaches the child once, through us, and never while it is
        # already stopping.
        child = subprocess.Popen(run_command(request), stdout=_STDERR, start_new_session=True)
        try:
            code = child.wait()
        except BaseException:
            child.send_signal(signal.SIGINT)
            child.wait()
            raise
        yield request, code


def run_on_ray(requests: Sequence[RunRequest]) -> Iterator[tuple[RunRequest, int]]:
    """Run on a Ray cluster (`RAY_ADDRESS`, else this machine), one GPU a run where there are GPUs.

    Data, results and this installation must be at the same paths on every node. Raises PluginError
    without Ray.
    """
    try:
        import ray
    except ImportError:
        raise PluginError("--executor ray needs Ray: pip install 'benchbox[ray]'") from None
    ray.init(ignore_reinit_error=True, log_to_driver=True, include_dashboard=False)
    try:
        gpus = 0
        if requests[0].device != "cpu":
            gpus = min(1, int(ray.cluster_resources().get("GPU", 0)))
        call = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=0)(subprocess.call)
        waiting = {call.remote(run_command(request)): request for request in requests}
        while waiting:
            (done,), _ = ray.wait(list(waiting))
            yield waiting.pop(done), ray.get(done)
    finally:
        ray.shutdown()


def outcome_text(code: int) -> str:
    """Say what an exit code of a run means."""
    return _EXIT_CODES.get(code, f"failed, exit code {code}")


def outcome_row(request: RunRequest, code: int) -> dict[str, str | int]:
    """Return one line of what a sweep reports."""
    return {
        "protocol": request.protocol,
        "method": request.method,
        "variant": request.variant,
        "seed": request.seed,
        "outcome": outcome_text(code),
    }


EXECUTORS: dict[str, Executor] = {"local": run_locally, "ray": run_on_ray}
