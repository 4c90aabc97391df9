"""Many runs from one command: every method on every protocol with every seed, each in a process of its own.

What can be told beforehand is told before the first run: unknown names, data that are missing. A run that fails does
not stop the others, and the same command again does what is left, because a finished run is returned as it stands.
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
_SEEDS_MOST = 1000
_SPAN = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")


def parse_seeds(text: str) -> list[int]:
    """Read `1,3,5-7`; raises ResultError when it is not that."""
    found: list[int] = []
    for part in text.split(","):
        match = _SPAN.fullmatch(part.strip())
        if not match:
            raise ResultError(f"--seeds {text}: {part.strip()!r} is no seed; write 1,2,3 or 1-3")
        first, last = int(match[1]), int(match[2] or match[1])
        if not first <= last < first + _SEEDS_MOST:
            raise ResultError(
                f"--seeds {text}: {part.strip()} must rise, by fewer than {_SEEDS_MOST}"
            )
        found += range(first, last + 1)
    return list(dict.fromkeys(found))


def sweep_requests(
    methods: Iterable[str],
    cards: Iterable[str],
    numbers: Iterable[int],
    like: RunRequest,
    say: execute.Say = execute.say_nothing,
) -> list[RunRequest]:
    """Return a request per seed, protocol and method whose tasks agree; `like` gives the rest.

    A method is `NAME`, `NAME:VARIANT` or `NAME:*`. All methods of one seed come before the next
    seed, so that a sweep that is cut short has something to compare. `say` is told what is left
    out. Raises BenchboxError for an unknown name, for missing data, and when no method does the
    task of any protocol.
    """
    wanted = dict.fromkeys(pair for text in methods for pair in _parse_method(text, like))
    opened = [protocols.load_protocol(name) for name in dict.fromkeys(cards)]
    fitting = [
        (card, method, variant)
        for card in opened
        for method, variant in wanted
        if card.task in method_card.find_card(method, like.methods).task
    ]
    if not fitting:
        raise PluginError(
            "no method here does the task of any protocol here; `benchbox list methods` names tasks"
        )
    left_out = {(card.name, method) for card in opened for method, _ in wanted} - {
        (card.name, method) for card, method, _ in fitting
    }
    for name, method in sorted(left_out):
        say(f"note: left out: {method} does not do the task of {name}")
    for card, _, _ in fitting:
        execute.require_data(card, like.data)
    made = [
        replace(like, method=method, variant=variant, protocol=card.name, seed=seed)
        for seed in numbers
        for card, method, variant in fitting
    ]
    for request in made:
        execute.plan_run(request)
    return made


def _parse_method(text: str, like: RunRequest) -> list[tuple[str, str]]:
    name, _, variant = text.partition(":")
    card = method_card.find_card(name, like.methods)
    return [
        (name, each)
        for each in (card.variants if variant == ALL_VARIANTS else (variant or card.default,))
    ]


def run_command(request: RunRequest) -> list[str]:
    """Return the words that run a request in a process of its own."""
    words = [
        sys.executable,
        "-m",
        "benchbox",
        "run",
        "--method",
        request.method,
        "--variant",
        request.variant,
    ]
    words += [
        "--protocol",
        request.protocol,
        "--seed",
        str(request.seed),
        "--device",
        request.device,
    ]
    words += ["--budget", request.budget]
    folders = [
        ("--data", request.data),
        ("--results", request.results),
        *(("--methods", one) for one in request.methods),
    ]
    return words + [word for option, folder in folders for word in (option, str(folder.absolute()))]


def run_locally(todo: Sequence[RunRequest]) -> Iterator[tuple[RunRequest, int]]:
    """Run here, one after the other.

    On Ctrl-C the run that is under way is asked to stop and waited for.
    """
    for request in todo:
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


def run_on_ray(todo: Sequence[RunRequest]) -> Iterator[tuple[RunRequest, int]]:
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
        gpus = 0 if todo[0].device == "cpu" else min(1, int(ray.cluster_resources().get("GPU", 0)))
        far = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=0)(subprocess.call)
        waiting = {far.remote(run_command(request)): request for request in todo}
        while waiting:
            (done,), _ = ray.wait(list(waiting))
            yield waiting.pop(done), ray.get(done)
    finally:
        ray.shutdown()


def outcome_text(code: int) -> str:
    """Say what an exit code of a run means."""
    return {0: "done", 2: "refused, see its error above", 130: "interrupted"}.get(
        code, f"failed, exit code {code}"
    )


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
