"""`sweep --executor ray` on a cluster: a stand-in for the rules, a real one (slow)."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from benchbox.errors import PluginError
from benchbox.runs import (
    cluster_nodes,
    execute,
    ray_cluster,
    run_folders,
    run_plan,
    sweep,
    sweep_watch,
)

SLOW = """
import time
import numpy as np
def train(job):
    for number in range(12):
        part = job.out / f"part{number}.npy"
        if not part.exists():
            time.sleep(0.5)
            np.save(job.out / "part.npy", job.labelled.values[number % 4] * (1 + job.seed))
            (job.out / "part.npy").rename(part)
def predictor(weights, device):
    shift = float(np.load(weights / "part11.npy").mean()) % 7
    def predict(samples):
        boxes = np.stack([s.box for s in samples])
        return np.repeat((boxes[:, None, :2] + boxes[:, None, 2:]) / 2 + shift, 68, axis=1)
    return predict
"""
BROKEN = "def predictor(weights, device):\n    return lambda samples: None\n"


@pytest.fixture
def like(world):
    world.method("slow", SLOW)
    return run_plan.RunRequest(
        "slow",
        "tiny",
        device="cpu",
        budget="smoke",
        data=world.data,
        results=world.results,
        methods=(world.methods,),
    )


class FakeRay:
    """A cluster whose nodes say `facts` of themselves and are lost as often as `losses` says."""

    class RayError(Exception):
        pass

    class RayTaskError(RayError):
        pass

    exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)

    def __init__(self, nodes, losses=(), facts=()):
        self.present = {name: {"CPU": 1.0, **more} for name, more in nodes.items()}
        self.losses, self.facts = dict(losses), dict(facts)
        self.calls: list[tuple[str, list[str]]] = []
        self.asked: list[dict] = []
        self.open = False
        self.util = SimpleNamespace(
            scheduling_strategies=SimpleNamespace(
                NodeAffinitySchedulingStrategy=lambda number, soft: number
            )
        )

    def init(self, **_):
        self.open = True

    def shutdown(self):
        self.open = False

    def cluster_resources(self):
        return {}

    def nodes(self):
        return [
            {"NodeID": name, "Alive": True, "NodeManagerAddress": name, "Resources": resources}
            for name, resources in self.present.items()
        ]

    def remote(self, function):
        del function
        return SimpleNamespace(options=self.options)

    def options(self, **asked):
        self.asked.append(asked)
        return SimpleNamespace(remote=self.submit)

    def submit(self, words, *_):
        self.calls.append((self.asked[-1]["scheduling_strategy"], words))
        return len(self.calls) - 1

    def wait(self, waiting, **_):
        return [waiting[0]], waiting[1:]

    def cancel(self, *_, **__):
        pass

    def get(self, number):
        node, words = self.calls[number]
        if "--seed" not in words:
            return 0, json.dumps(self.facts.get(node, {"results": "True"})), b""
        seed = words[words.index("--seed") + 1]
        if self.losses.get((node, seed), 0):
            self.losses[node, seed] -= 1
            raise self.RayError("the node is gone")
        return 0, "", b""

    def seeds(self):
        """Where each seed was run, in order, with whether it began anew."""
        return [
            (node, words[words.index("--seed") + 1], "--fresh" in words)
            for node, words in self.calls
            if "--seed" in words
        ]


@pytest.fixture
def cluster(monkeypatch):
    def make(*details):
        fake = FakeRay(*details)
        for name in ("ray", "ray.util", "ray.util.scheduling_strategies"):
            module = ModuleType(name)
            module.__dict__.update({key: getattr(fake, key) for key in dir(fake)})
            monkeypatch.setitem(sys.modules, name, module)
        return fake

    return make


def run_all(requests):
    return {request.seed: code for request, code in ray_cluster.run_on_ray(requests)}


def test_a_lost_node_costs_a_try_and_stops_no_other(cluster, like):
    """A cluster that lost a node lost 7 of 8 cells, and ended in a traceback."""
    fake = cluster({"a": {}}, {("a", "0"): 2, ("a", "1"): 5})
    ended = run_all([replace(like, seed=n, fresh=True) for n in range(3)])
    assert ended == {0: 0, 1: sweep_watch.LOST, 2: 0}
    tries = [seed for _, seed, _ in fake.seeds()]
    assert [tries.count(seed) for seed in "012"] == [3, 3, 1]
    # what a lost try has left is gone on with
    assert [fresh for _, seed, fresh in fake.seeds() if seed == "0"] == [True, False, False]
    assert "lost with its node" in sweep.judge_outcome(like, sweep_watch.LOST)
    assert not fake.open


def test_a_node_that_lost_a_cell_is_looked_at_before_it_gets_another(cluster, like):
    """Trap: Ray takes a dead node for alive for seconds, in which it took all three tries."""
    fake = cluster({"a": {}}, {("a", "0"): 1})
    run_all([like])
    assert ["--seed" in words for _, words in fake.calls] == [False, True, False, True]


def test_a_node_that_differs_gets_no_work_and_is_named(cluster, like, capsys):
    """Trap: such a node took cells and ended them in errors, or scored another version."""
    fake = cluster({"a": {}, "b": {}}, {}, {"b": {"benchbox": "0.0.1", "results": "True"}})
    assert run_all([replace(like, seed=n) for n in range(3)]) == {0: 0, 1: 0, 2: 0}
    assert {node for node, *_ in fake.seeds()} == {"a"}
    assert "warning: node b (b) gets no work: benchbox is 0.0.1, here " in capsys.readouterr().err
    fake.present.pop("a")
    with pytest.raises(PluginError, match=r"no node is fit for work: b \(b\): benchbox is 0.0.1"):
        run_all([like])


def test_where_results_are_not_shared_they_are_written_elsewhere_and_fetched(cluster, like):
    fake = cluster({"a": {}}, {}, {"a": {"results": "False"}})
    run_all([like])
    words = fake.calls[-1][1]
    assert words[words.index("--results") + 1].startswith("{temporary}/benchbox-sweep-")


def test_a_card_says_what_a_process_asks_of_a_node(cluster, like, world):
    card = world.methods / "slow" / "method.toml"
    digest = run_plan.plan_run(like).code
    card.write_text(card.read_text() + "\n[needs]\ncpus = 2\ngpus = 0.5\nmemory_gb = 1.5\n")
    assert run_plan.plan_run(like).code == digest  # it decides no number
    fake = cluster({"a": {"CPU": 8.0, "GPU": 1.0, "memory": 4e9}})
    run_all([replace(like, device="cuda", processes=2)])
    asked = fake.asked[-1]
    assert (asked["num_cpus"], asked["num_gpus"], asked["memory"]) == (4, 1.0, 3 * 2**30)
    ended = run_all([replace(like, processes=8), replace(like, seed=1)])
    assert ended == {0: sweep_watch.NO_ROOM, 1: 0}


def test_ray_is_asked_for_by_name_where_it_is_missing(monkeypatch, like):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(PluginError, match="pip install ray"):
        next(sweep.run_on_ray([like]))


def test_this_machine_has_all_in_common_with_itself(like, world):
    token = world.data / "token"
    token.touch()
    here = cluster_nodes.describe_here([like], token)
    assert here["results"] == "True"
    assert {"benchbox", "numpy", "protocol tiny", "data of ytf68", "method slow"} <= here.keys()
    there = cluster_nodes.describe_here([like], token)
    assert cluster_nodes.name_differences(here, there) == []
    picture = next((world.data / "ytf68" / "training").iterdir())
    picture.write_bytes(picture.read_bytes() + b"\0")
    there = cluster_nodes.describe_here([like], token)
    assert cluster_nodes.name_differences(here, there) == ["data of ytf68 differs"]


# --- a real cluster -------------------------------------------------------------------------------

# Ray's own Cluster leaves pipes and processes for the collector to find
IGNORES_RAY = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def two_nodes(monkeypatch, tmp_path):
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    store = {"object_store_memory": 80_000_000}
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **store})
    nodes = [made.add_node(num_cpus=2, **store) for _ in range(2)]
    made.wait_for_nodes()
    monkeypatch.setenv("RAY_ADDRESS", made.address)
    yield made, nodes
    made.shutdown()


def begin(like, results: Path, methods: str = "slow,broken", seeds: str = "0-3"):
    words = ["sweep", "--executor", "ray", "--methods", methods, "--seeds", seeds, "--json"]
    words += ["--protocols", "tiny", "--budget", "smoke", "--device", "cpu"]
    words += ["--methods-from", str(like.methods[0]), "--data", str(like.data)]
    return subprocess.Popen(
        [sys.executable, "-m", "benchbox", *words, "--results", str(results)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def await_parts(results: Path, runs: int) -> None:
    """Wait until so many runs are in the middle of their training."""
    for _ in range(1200):
        if len({path.parent for path in results.rglob("part2.npy")}) >= runs:
            return
        time.sleep(0.1)
    raise AssertionError("no cell began")


def predictions(results: Path) -> dict[int, np.ndarray]:
    found = {}
    for run in run_folders.list_runs(results):
        with np.load(run_folders.predictions_file(run.folder)) as arrays:
            found[run.seed] = arrays["values"]
    return found


def runs_left(results: Path) -> list[str]:
    """Processes of cells of these results that this machine runs."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            found.append((place / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return [line for line in found if "cell_process.begin" in line and str(results) in line]


@IGNORES_RAY
@pytest.mark.slow
def test_every_cell_survives_a_node_that_is_killed(two_nodes, like, world, tmp_path):
    """Trap: the run of a dead worker lived on and held its folder against the next try."""
    cluster, nodes = two_nodes
    world.method("broken", BROKEN)
    driver = begin(like, tmp_path / "far")
    await_parts(tmp_path / "far", 2)
    cluster.remove_node(nodes[0], allow_graceful=False)
    told, said = driver.communicate(timeout=300)
    outcomes = {(row["method"], row["seed"]): row["outcome"] for row in json.loads(told)}
    refused = "refused, see its error above"
    wanted = {("slow", seed): sweep.DONE for seed in range(4)}
    assert outcomes == wanted | {("broken", seed): refused for seed in range(4)}
    assert said.count("error: method 'broken': ") == 4
    for seed in range(4):
        execute.run_method(replace(like, seed=seed, results=tmp_path / "here"))
    here, far = predictions(tmp_path / "here"), predictions(tmp_path / "far")
    assert here.keys() == far.keys()
    assert all(np.array_equal(here[seed], far[seed]) for seed in here)


@IGNORES_RAY
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_driver_that_is_stopped_leaves_no_orphan_and_goes_on(two_nodes, like, tmp_path, number):
    results = tmp_path / "far"
    driver = begin(like, results, "slow", "0-1")
    await_parts(results, 1)
    assert runs_left(results)
    os.kill(driver.pid, number)
    said = driver.communicate(timeout=60)[1]
    assert driver.returncode == (130 if number != signal.SIGKILL else -number), said
    for _ in range(300):
        if not runs_left(results):
            break
        time.sleep(0.1)
    assert not runs_left(results)
    again = begin(like, results, "slow", "0-1")
    told = again.communicate(timeout=300)[0]
    assert [row["outcome"] for row in json.loads(told)] == [sweep.DONE, sweep.DONE]
