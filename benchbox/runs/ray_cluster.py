"""`sweep --executor ray`: many runs over the nodes of a Ray cluster, each node looked at first.

This process places the cells itself: it knows which nodes are fit, what each has left and where a
cell was lost. A cell that was lost with its node or worker is tried again elsewhere; what it left
on shared storage is gone on with.
"""

from __future__ import annotations

import hashlib
import io
import os
import platform
import secrets
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchbox.errors import DataError, PluginError, ResultError
from benchbox.file_readers.json_files import parse_json
from benchbox.file_readers.regular_files import short_reason
from benchbox.plugins import method_card

from . import cell_process, cluster_nodes, fetched_runs, kept_cards, node_work, run_plan
from .limited_process import heed_sigterm
from .run_plan import RunRequest
from .sweep_watch import LOST, NO_ROOM, TRIES, Watch

_LOOK_S = 2.0  # between two looks at which nodes there are
_PATIENCE_S = 60.0  # for a node, when all are gone
_CHECK_PATIENCE_S = 300.0  # for a node to describe itself
_STOP_PATIENCE_S = 25.0  # for runs that were asked to stop
_RUN_LEVELS = 4  # folders between results and a record
# of the driver's variables those that decide what a run does
_SURROUNDINGS = ("BENCHBOX_", "OMP_NUM_THREADS", "PYTHONPATH", "CUBLAS_WORKSPACE_CONFIG")


@dataclass(eq=False)
class _Cell:
    """A request and what it takes of a node."""

    request: RunRequest
    needs: Mapping[str, float]  # by Ray's names of resources
    tries: int = 0


@dataclass(eq=False)
class _Node:
    """A machine of the cluster."""

    name: str
    total: Mapping[str, float]
    left: dict[str, float]
    fit: bool | None = None  # None: not told yet
    shares_results: bool = False

    def holds(self, needs: Mapping[str, float], *, empty: bool = False) -> bool:
        """Tell whether it has room for a cell, or would have if it were empty."""
        room = self.total if empty else self.left
        return all(room.get(name, 0.0) >= much - 1e-6 for name, much in needs.items())

    def take(self, needs: Mapping[str, float], sign: int) -> None:
        """Give room to a cell, or take it back (`sign` 1)."""
        for name, much in needs.items():
            self.left[name] = self.left.get(name, 0.0) + sign * much


def run_on_ray(
    requests: Sequence[RunRequest], watch: Watch | None = None
) -> Generator[tuple[RunRequest, int], None, None]:
    """Run on a Ray cluster (`RAY_ADDRESS`, else this machine).

    The installation and the data must be at the same paths on every node, and are compared; one
    that differs gets no work and is named. Results are written where they are shared, fetched where
    they are not. After `TRIES` losses a cell is given up with `LOST`; one that no node has room for
    ends with `NO_ROOM`. Raises PluginError without Ray, where no cluster answers, and where no node
    is fit.
    """
    try:
        import ray.util.scheduling_strategies
    except ImportError:
        raise PluginError("--executor ray needs Ray: pip install ray") from None
    try:
        ray.init(
            ignore_reinit_error=True,
            log_to_driver=False,
            include_dashboard=False,
            logging_level="ERROR",
        )
    except (ConnectionError, RuntimeError, ValueError, OSError) as fault:
        raise PluginError(f"--executor ray: no cluster answers: {short_reason(fault)}") from fault
    watch = watch or Watch()
    token = requests[0].results / f".sweep-{secrets.token_hex(8)}"
    try:
        token.parent.mkdir(parents=True, exist_ok=True)
        token.write_text("shared\n", encoding="ascii")
        # what Ray itself says goes to stdout, where results of commands go
        with heed_sigterm(), redirect_stdout(_RayWords(watch)):
            yield from _Driver(ray, requests, token, watch).run()
    except OSError as fault:
        raise ResultError(f"{token}: cannot be written: {fault.strerror or fault}") from fault
    finally:
        with suppress(OSError):
            token.unlink(missing_ok=True)
        ray.shutdown()


class _RayWords(io.StringIO):
    """Hears what Ray says; only who asked for more is told."""

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self._watch = watch

    def write(self, text: str) -> int:
        """Hand on a text."""
        self._watch.more(text)
        return len(text)


class _Driver:
    """What is known of nodes and cells, and what is under way."""

    def __init__(self, ray: Any, requests: Sequence[RunRequest], token: Path, watch: Watch) -> None:
        self.ray, self.watch = ray, watch
        self.here = cluster_nodes.describe_here(requests, token)
        self.question = cluster_nodes.question(requests, token)
        self.work = ray.remote(node_work.make_worker())
        self.nodes: dict[str, _Node] = {}
        self.checks: dict[Any, tuple[str, float]] = {}  # under way: the node, until when
        self.running: dict[Any, tuple[_Cell, str]] = {}
        self.ready: list[tuple[RunRequest, int]] = []
        self.looked_s = self.idle_since_s = -float("inf")
        has_gpus = ray.cluster_resources().get("GPU", 0) > 0
        self.waiting = [_Cell(request, _needs_of(request, has_gpus)) for request in requests]
        self.silent: dict[str, int] = {}  # how often a node was lost while it described itself
        self.faults: dict[str, str] = {}  # why a node is not fit, by its name

    def run(self) -> Iterator[tuple[RunRequest, int]]:
        """Yield requests with their exit codes, as they end."""
        try:
            self.idle_since_s = time.monotonic()
            while self.waiting or self.running:
                self._look_at_nodes()
                self._place_cells()
                self._give_up_what_nobody_takes()
                self._wait()
                while self.ready:
                    yield self.ready.pop(0)
        finally:
            self._stop_all()

    # --- nodes ------------------------------------------------------------------------------------

    def _look_at_nodes(self) -> None:
        """Ask new nodes to describe themselves, and forget those that are gone."""
        if time.monotonic() < self.looked_s + _LOOK_S:
            return
        self.looked_s = time.monotonic()
        alive = {one["NodeID"]: one for one in self.ray.nodes() if one["Alive"]}
        for gone in self.nodes.keys() - alive.keys():
            self.watch.heard(f"note: node {self.nodes.pop(gone).name} is gone")
        for number, one in alive.items():
            total = one["Resources"]
            if number in self.nodes or total.get("CPU", 0) <= 0:
                continue
            name = f"{one['NodeManagerAddress']} ({number[:8]})"
            self.nodes[number] = _Node(name, total, dict(total))
            self._check(number)

    def _check(self, number: str) -> None:
        """Let a node describe itself; until it has, it gets no work."""
        self.nodes[number].fit = None
        words = cell_process.own_command("runs.cluster_nodes", "answer")
        asked = self._submit(node_work.Order(words, _surroundings(), self.question), number, {})
        self.checks[asked] = (number, time.monotonic() + _CHECK_PATIENCE_S)

    def _end_check(self, done: Any) -> None:
        number, _ = self.checks.pop(done)
        node = self.nodes.get(number)
        if node is None:
            return
        try:
            code, said, _ = self.ray.get(done)
            facts = _read_facts(said, node.name) if code == 0 else {"": _last_line(said)}
        except self.ray.exceptions.RayTaskError as fault:  # no such Python there
            facts = {"": str(fault.cause)}
        except self.ray.exceptions.RayError as fault:  # gone, or its worker was: looked at again
            self.silent[number] = self.silent.get(number, 0) + 1
            if self.silent[number] < TRIES:
                del self.nodes[number]
                return
            facts = {"": short_reason(fault)}
        except DataError:
            facts = {"": f"it said {_last_line(said)}"}
        node.shares_results = facts.get(cluster_nodes.SHARED) == "True"
        self._judge(node, cluster_nodes.name_differences(self.here, facts))

    def _judge(self, node: _Node, differences: Sequence[str]) -> None:
        node.fit = not differences
        self.idle_since_s = time.monotonic()
        if differences:
            self.faults[node.name] = "; ".join(differences)
            self.watch.heard(f"warning: node {node.name} gets no work: {self.faults[node.name]}")

    # --- cells ------------------------------------------------------------------------------------

    def _place_cells(self) -> None:
        for cell in list(self.waiting):
            fit = [
                (number, node)
                for number, node in self.nodes.items()
                if node.fit and node.holds(cell.needs)
            ]
            if not fit:
                continue
            number, node = max(fit, key=lambda each: each[1].left.get("CPU", 0.0))
            self.waiting.remove(cell)
            cell.tries += 1
            node.take(cell.needs, -1)
            made = self._submit(_order(cell, node), number, cell.needs)
            self.running[made] = (cell, number)
            self.watch.started(cell.request, node.name)

    def _submit(self, order: node_work.Order, number: str, needs: Mapping[str, float]) -> Any:
        only_there = self.ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
        call = self.work.options(
            num_cpus=needs.get("CPU", 0),
            num_gpus=needs.get("GPU", 0),
            memory=int(needs.get("memory", 0)) or None,
            max_retries=0,
            scheduling_strategy=only_there(number, soft=False),
        )
        return call.remote(
            list(order.words),
            dict(order.surroundings),
            order.question,
            dict(order.laid),
            order.fetched,
            order.dropped,
            node_work.LONGEST_SAID,
            node_work.IN_TEMPORARY,
        )

    def _wait(self) -> None:
        """Wait a little for something to end, and take in what did."""
        under_way = [*self.checks, *self.running]
        if not under_way:
            if not self.ready:
                time.sleep(_LOOK_S / 4)
            return
        ended, _ = self.ray.wait(under_way, num_returns=len(under_way), timeout=0)
        if not ended:
            ended, _ = self.ray.wait(under_way, timeout=_LOOK_S)
        for one in ended:
            if one in self.checks:
                self._end_check(one)
            else:
                self._end_cell(one)
        for asked, (number, until) in list(self.checks.items()):
            if time.monotonic() > until:
                del self.checks[asked]
                self.ray.cancel(asked, force=True)
                if number in self.nodes:
                    self._judge(self.nodes[number], ["it does not answer"])

    def _end_cell(self, done: Any) -> None:
        cell, number = self.running.pop(done)
        self.idle_since_s = time.monotonic()
        if number in self.nodes:
            self.nodes[number].take(cell.needs, 1)
        try:
            code, said, packed = self.ray.get(done)
            if packed:
                _keep_fetched(cell.request, packed)
        except ResultError as fault:
            code, said = 1, f"error: {fault}"
        except self.ray.exceptions.RayError as fault:  # the worker or its node is gone
            where = f"({number[:8]})"
            if number in self.nodes:
                where = self.nodes[number].name
                # Ray takes a dead node for alive for some seconds: it would take every try
                self._check(number)
            again = "given up" if cell.tries == TRIES else "tried again"
            command = run_plan.repeat_command(cell.request)
            self.watch.heard(f"note: lost with node {where}, {again}: {command}")
            self.watch.more(f"{type(fault).__name__}: {short_reason(fault)}")
            if cell.tries == TRIES:
                self.ready.append((cell.request, LOST))
                return
            # what it began is there: to begin again would lose it
            cell.request = replace(cell.request, fresh=False)
            self.waiting.insert(0, cell)
            self.looked_s = -float("inf")
            return
        if code > 0:  # a run that was killed says nothing of it
            self.watch.error(_last_line(said))
        self.watch.more(said)
        self.ready.append((cell.request, code))

    def _give_up_what_nobody_takes(self) -> None:
        """End cells that no node has room for, and all when there is no node for long."""
        if self.checks:
            return
        fit = [node for node in self.nodes.values() if node.fit]
        if not fit and not self.running:
            if self.nodes and all(cell.tries == 0 for cell in self.waiting):
                told = "; ".join(f"{name}: {text}" for name, text in self.faults.items())
                raise PluginError(f"--executor ray: no node is fit for work: {told}")
            if time.monotonic() < self.idle_since_s + _PATIENCE_S:
                return
            self.ready += [(cell.request, LOST) for cell in self.waiting]
            self.waiting.clear()
        for cell in list(self.waiting):
            if fit and not any(node.holds(cell.needs, empty=True) for node in fit):
                self.waiting.remove(cell)
                self.watch.error(f"error: no node has {_describe_needs(cell.needs)}")
                self.ready.append((cell.request, NO_ROOM))

    def _stop_all(self) -> None:
        """Ask what is under way to stop, and wait for it; a second Ctrl-C does not wait."""
        under_way = [*self.checks, *self.running]
        if not under_way:
            return
        for one in under_way:
            with suppress(self.ray.exceptions.RayError):
                self.ray.cancel(one)
        with suppress(KeyboardInterrupt, self.ray.exceptions.RayError):
            self.ray.wait(under_way, num_returns=len(under_way), timeout=_STOP_PATIENCE_S)


def _needs_of(request: RunRequest, has_gpus: bool) -> dict[str, float]:
    """Return what a cell takes of a node, from the card of its method."""
    card = method_card.find_card(request.method, request.methods)
    needs = {"CPU": card.needs.cpus * request.processes}
    if request.device == "cuda" or (request.device == "auto" and has_gpus):
        needs["GPU"] = card.needs.gpus * request.processes
    memory_gb = card.needs.memory_gb
    if not memory_gb and card.program is not None:
        memory_gb = card.program.memory_gb
    if memory_gb:
        needs["memory"] = float(int(memory_gb * request.processes * 2**30))
    return needs


def _describe_needs(needs: Mapping[str, float]) -> str:
    texts = []
    for name, much in needs.items():
        texts.append(f"{much / 2**30:g} GB" if name == "memory" else f"{much:g} {name}")
    return ", ".join(texts)


def _surroundings() -> dict[str, str]:
    return {key: text for key, text in os.environ.items() if key.startswith(_SURROUNDINGS)}


def _order(cell: _Cell, node: _Node) -> node_work.Order:
    """Return what a node is to do for a cell: where results are not shared, in a place of its own.

    That place is the same at every try, so that a try goes on with what one before it left there.
    """
    request = cell.request
    if node.shares_results:
        return node_work.Order(cell_process.run_command(request), _surroundings())
    results = request.results.absolute()
    own = hashlib.sha256(f"{platform.node()}\0{results}".encode()).hexdigest()[:16]
    place, dropped = f"benchbox-sweep-{own}", ""
    if request.weights_of is not None:  # a test is short, and its training lies beside it
        place = dropped = f"{place}-{secrets.token_hex(4)}"
    fetched = run_plan.plan_run(request).place.absolute().relative_to(results).as_posix()
    laid = {f"{place}/{fetched}": fetched_runs.pack_run(results / fetched)}
    words = cell_process.run_command(request)
    there = f"{node_work.IN_TEMPORARY}/{place}"
    words[words.index("--results") + 1] = there
    if request.weights_of is not None:
        training = "/".join(request.weights_of.parts[-_RUN_LEVELS:])
        laid[f"{place}/{training}"] = fetched_runs.pack_run(request.weights_of)
        words[words.index("--weights-of") + 1] = f"{there}/{training}"
    return node_work.Order(
        words, _surroundings(), laid=laid, fetched=f"{place}/{fetched}", dropped=dropped
    )


def _keep_fetched(request: RunRequest, packed: bytes) -> None:
    """Put a fetched run into the results, with the card that it was asked for by its path."""
    plan = run_plan.plan_run(request)
    fetched_runs.put_run(plan.place, packed)
    kept_cards.keep_card(request.results, request.protocol, plan.protocol.name)


def _read_facts(said: str, node: str) -> dict[str, str]:
    """Return what a node says of itself, behind what its libraries may have printed.

    Raises DataError where it is no JSON table.
    """
    facts = parse_json(said[said.find("{") :], f"node {node}")
    if not isinstance(facts, dict):
        raise DataError(f"node {node}: its facts are no table")
    return {str(name): str(value) for name, value in facts.items()}


def _last_line(said: str) -> str:
    """Return the error in what a run said, else its last line."""
    lines = [line for line in said.splitlines() if line.strip()] or ["it said nothing"]
    errors = [line for line in lines if line.startswith("error: ")]
    return (errors or lines)[-1]
