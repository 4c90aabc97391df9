"""What a person asks for, and what that comes to: cards, parameters, place of a run.

Nothing here opens a data set.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchbox import __version__, layouts
from benchbox.errors import PluginError
from benchbox.plugins import code_digest, method_call, method_card
from benchbox.plugins.code_digest import CodeDigests
from benchbox.process_rank import process_count
from benchbox.protocols import protocol_card as protocols
from benchbox.types import MethodCard, Protocol

from . import other_training, own_detector, run_folders, run_identity
from .other_training import Training
from .run_identity import RunIdentity
from .run_record import DataFacts

Say = Callable[[str], None]


def say_nothing(line: str) -> None:
    """Take the place of `say` where nobody listens."""


@dataclass(frozen=True)
class RunRequest:
    """What a person asks `run_method` for."""

    method: str
    protocol: str
    variant: str = ""  # "" is the card's default
    seed: int = 0
    device: str = "auto"
    budget: str = "quick"
    overrides: Mapping[str, str] = field(default_factory=dict)
    data: Path = Path("data")
    results: Path = Path("results")
    methods: tuple[Path, ...] = ()
    fresh: bool = False  # delete what is there first
    stale: bool = False  # delete it only where it is not the run that is asked for
    accept: tuple[str, ...] = ()  # checks of the data whose faults are accepted
    # a finished run whose training is tested, by folder or as PROTOCOL/METHOD/VARIANT/SEED; its
    # variant, seed, budget and parameters count
    weights_of: Path | None = None
    processes: int = 1  # that a sweep gives it; in such a process torchrun's own count holds


@dataclass(frozen=True)
class RunPlan:
    """A request resolved against the cards: what will be done and where."""

    protocol: Protocol
    method: MethodCard
    variant: str
    budget: str
    seed: int
    params: Mapping[str, Any]
    overrides: Mapping[str, Any]  # those of the params that --set moved
    code: CodeDigests
    place: Path
    training: Training | None = None  # another run's, which is tested; None: trained here

    @property
    def identity(self) -> RunIdentity:
        """Return what a finished run must have been made from, the data aside."""
        return RunIdentity(self.protocol.card, dict(self.params), self.seed, self.budget)

    def job_identity(self, data: DataFacts) -> dict[str, Any]:
        """Return what must be equal for an interrupted job to be continued."""
        return {
            "card": self.protocol.card,
            "params": dict(self.params),
            "seed": self.seed,
            "budget": self.budget,
            "method": self.code.content,
            "benchbox": __version__,
            "data": run_identity.name_data(data),
            **self._weights_identity(),
        }

    def _weights_identity(self) -> dict[str, Any]:
        if self.training is None:
            return {}
        return {"weights": dict(self.training.origin.weights)}


def plan_run(request: RunRequest) -> RunPlan:
    """Resolve a request.

    Raises ProtocolError or PluginError for what is unknown or does not fit together.
    """
    request = own_detector.choose_variant(request)
    protocol = protocols.load_protocol(request.protocol)
    method = method_card.find_card(request.method, request.methods)
    if protocol.task not in method.task:
        raise PluginError(
            f"method {method.name!r} does {', '.join(method.task)}; "
            f"{protocol.name} is {protocol.task}"
        )
    training = None
    if request.weights_of is not None:
        training = other_training.open_training(request.weights_of, request.results, protocol)
        request = other_training.ask_as_trained(request, training.run)
    variant = request.variant or method.default
    standard = method_card.merge_params(method, variant, request.budget)
    params = method_card.merge_params(method, variant, request.budget, request.overrides)
    overrides = {key: params[key] for key in request.overrides if params[key] != standard[key]}
    trained_under = ""
    if training is not None:
        trained_under = training.run.protocol
    folder = run_folders.variant_folder(variant, request.budget, overrides, trained_under)
    plan = RunPlan(
        protocol=protocol,
        method=method,
        variant=variant,
        budget=request.budget,
        seed=request.seed,
        params=params,
        overrides=overrides,
        code=code_digest.digest_code(method),
        place=run_folders.run_folder(
            request.results, protocol.name, method.name, folder, request.seed
        ),
        training=training,
    )
    if training is not None:
        other_training.require_same_method(training.run, method, plan.params, plan.code)
    return plan


def describe_resumption(request: RunRequest) -> str:
    """Say what the command of an interrupted run does when it is given again."""
    if not run_folders.has_work_to_go_on_from(plan_run(request).place):
        return "the same command starts again: nothing was left to go on from"
    if request.fresh:
        return "the same command goes on from here (without --fresh)"
    return "the same command goes on from here"


def repeat_command(request: RunRequest) -> str:
    """Return the command that repeats a run, for a POSIX shell, without paths of this machine."""
    words = ["benchbox", "run", "--method", request.method]
    if process_count() > 1:
        words = ["torchrun", "--nproc-per-node", str(process_count()), "-m", *words]
    protocol = ["--protocol", _name_card(request.protocol)]
    if request.weights_of is not None:
        words += ["--weights-of", "/".join(request.weights_of.parts[-4:]), *protocol]
    else:
        if request.variant:
            words += ["--variant", request.variant]
        words += [*protocol, "--seed", str(request.seed), "--budget", request.budget]
        for key, value in sorted(request.overrides.items()):
            words += ["--set", f"{key}={value}"]
    for name in request.accept:
        words += ["--accept", name]
    return shlex.join(words)


def _name_card(protocol: str) -> str:
    """Name a protocol as in the command that ran it, a card's file without its folders."""
    if not protocols.is_card_file(protocol):
        return protocol
    path, *options = protocol.split("+")
    return "+".join([Path(path).name, *options])


def make_setting(plan: RunPlan, data: Path) -> method_call.MethodSetting:
    """Return what the predictor of a plan's method may ask for."""
    return method_call.MethodSetting(
        params=plan.params,
        task=plan.protocol.task,
        layout=layouts.find_layout(plan.protocol),
        folder=plan.method.folder.absolute(),
        data=data.absolute(),
    )
