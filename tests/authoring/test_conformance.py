"""`test method` passes what keeps the contract and says what to change: one fake a promise."""

import pytest
from click.testing import CliRunner

from benchbox.authoring import conformance
from benchbox.cli import main
from benchbox.datasets.landmarks import ytf68
from benchbox.plugins import method_card
from benchbox.protocols import protocol_card as protocols

GOOD = """
import numpy as np

def train(job):
    rng = np.random.default_rng(job.seed)
    np.save(job.out / "w.npy", rng.normal(size=(68, 2)))

def predictor(weights, device):
    shape = np.load(weights / "w.npy")
    def predict(samples):
        return np.stack([s.box[:2] + s.pixels().mean() + shape for s in samples]).astype(np.float32)
    return predict
"""
NAMES = [
    "loads",
    "shape and type",
    "answers",
    "batch size",
    "order of samples",
    "writes only under job.out",
    "leaves what is shared as it was",
    "leaves nothing running",
    "under 60 s",
    "same seed, same output",
    "goes on after a kill",
]


@pytest.fixture
def check(world):
    def run(code: str, card: str = "") -> dict[str, conformance.Check]:
        world.method("mine", code, card)
        checks = conformance.check_method(
            method_card.find_card("mine", [world.methods]),
            protocol=protocols.load_protocol("tiny"),
            index=ytf68.index(world.data),
        )
        return {one.name: one for one in checks}

    return run


def test_what_keeps_the_contract_passes_every_check(check):
    found = check(GOOD)
    assert list(found) == NAMES
    assert all(one.ok for one in found.values()), [one for one in found.values() if not one.ok]


@pytest.mark.parametrize(
    ("old", "new", "advice"),
    [
        (
            ").astype(np.float32)",
            ").tolist()",
            "must return a NumPy array of floats (6, 68, 2), not list",
        ),
        (
            "shape for s in samples]",
            "shape for s in samples[:1]]",
            "floats (6, 68, 2), not (1, 68, 2)",
        ),
        (
            "import numpy as np\n",
            "import nothing_of_the_kind\n",
            "cannot be imported: ModuleNotFoundError",
        ),
        (
            "    rng =",
            "    raise ValueError('no good')\n    rng =",
            "ValueError at __init__.py:5: no good",
        ),
    ],
)
def test_what_cannot_be_tried_further_ends_with_its_reason(check, old, new, advice):
    assert old in GOOD
    last = list(check(GOOD.replace(old, new, 1)).values())[-1]
    assert (last.name, last.ok) == ("runs", False)
    assert advice in last.detail


def test_broken_promises_are_each_named_with_what_to_change(check):
    code = GOOD.replace("default_rng(job.seed)", "default_rng()")
    code = code.replace("    rng =", "    open('stray.txt', 'w').close()\n    rng =")
    code = code.replace(
        "shape for s in samples]",
        "shape + len(samples) for s in sorted(samples, key=lambda s: s.id)]",
    )
    found = check(code)
    assert {name: one.detail for name, one in found.items() if not one.ok}.keys() == {
        "batch size",
        "order of samples",
        "writes only under job.out",
        "same seed, same output",
        "goes on after a kill",
    }
    assert "use no batch statistics" in found["batch size"].detail
    assert "in the order given" in found["order of samples"].detail
    assert "stray.txt" in found["writes only under job.out"].detail
    assert "seeded with job.seed" in found["same seed, same output"].detail


def test_weights_that_hold_the_time_of_their_making_are_caught(check):
    """Digests in records could never be compared."""
    code = GOOD.replace(
        "    np.save(",
        "    from safetensors.numpy import save_file\n"
        "    facts = {'at': str(os.times().elapsed) + os.urandom(4).hex()}\n"
        "    save_file({'w': np.zeros(2)}, job.out / 'w.safetensors', metadata=facts)\n"
        "    np.save(",
    ).replace("import numpy as np", "import os\nimport numpy as np")
    found = check(code)
    assert found["same seed, same output"].ok
    assert not found["same seed, same weights"].ok
    assert "w.safetensors: write no time" in found["same seed, same weights"].detail


def test_a_thread_that_is_left_running_is_caught(check):
    code = GOOD.partition("def train")[0] + GOOD[GOOD.index("def predictor") :]
    code = code.replace(
        'np.load(weights / "w.npy")',
        "np.zeros((68, 2))\n    threading.Thread(target=time.sleep, args=(4,)).start()",
    ).replace("import numpy as np", "import threading\nimport time\nimport numpy as np")
    found = check(code)["leaves nothing running"]
    assert not found.ok
    assert "end what it starts, or make it a daemon" in found.detail


def test_a_recipe_that_cannot_go_on_after_a_kill_is_caught(check):
    """It leaves a marker early and trusts it later: after a kill it has learned nothing."""
    code = GOOD.replace(
        "    np.save(",
        "    import time\n"
        "    marker = job.out / 'started'\n"
        "    if marker.exists(): rng = np.random.default_rng(99)\n"
        "    marker.write_text('')\n"
        "    time.sleep(1.0)\n"
        "    np.save(",
    )
    found = check(code)
    assert found["same seed, same output"].ok
    assert not found["goes on after a kill"].ok
    assert "killed half-way and started again" in found["goes on after a kill"].detail


def test_a_method_without_training_is_tried_without_it(check):
    code = GOOD.partition("def train")[0] + GOOD[GOOD.index("def predictor") :].replace(
        'np.load(weights / "w.npy")', "np.zeros((68, 2))"
    )
    assert list(check(code)) == [*NAMES[:9], "variants differ"]


def test_the_smoke_budget_is_what_is_tried(check):
    code = GOOD.replace(
        "    rng =", "    assert job.params['steps'] == 1 and job.budget == 'smoke'\n    rng ="
    )
    found = check(code, "[params]\nsteps = 9\n[budgets.smoke]\nsteps = 1\n")
    assert all(one.ok for one in found.values()), [one for one in found.values() if not one.ok]


def test_the_command_tries_a_new_method_on_synthetic_faces_and_passes(world):
    runner = CliRunner()
    assert (
        runner.invoke(main, ["new", "method", "mine", "--methods", str(world.methods)]).exit_code
        == 0
    )
    result = runner.invoke(main, ["test", "method", "mine", "--methods", str(world.methods)])
    assert result.exit_code == 0, result.output
    assert [line[:2] for line in result.stdout.splitlines()] == ["ok"] * len(NAMES)
    code = world.methods / "mine" / "__init__.py"
    code.write_text(
        code.read_text().replace("return geometry", "return 1 * len(samples) + geometry")
    )


def test_the_command_exits_with_1_when_a_promise_is_broken(world):
    world.method("mine", GOOD.replace("+ shape for", "+ np.nan * shape for"))
    result = CliRunner().invoke(main, ["test", "method", "mine", "--methods", str(world.methods)])
    assert result.exit_code == 1
    assert "FAIL  answers: 0 of 12 samples: every row is NaN" in result.stdout


GAZE = """
import numpy as np

def train(job):
    rng = np.random.default_rng(job.seed)
    values = job.labelled.values
    np.save(job.out / "w.npy", values.mean(axis=0) + 1e-3 * rng.normal(size=values.shape[1]))

def predictor(weights, device):
    mean = np.load(weights / "w.npy")
    def predict(samples):
        return np.stack([mean + 1e-6 * s.pixels().mean() for s in samples])
    return predict
"""


@pytest.fixture
def gaze_method(world):
    def make(name: str, tasks: str, code: str = GAZE) -> list[conformance.Check]:
        card = world.method(name, code) / "method.toml"
        card.write_text(card.read_text().replace('["landmarks"]', tasks))
        return conformance.check_method(method_card.find_card(name, [world.methods]))

    return make


@pytest.mark.parametrize(("task", "unit"), [("gaze2d", "cm"), ("gaze3d", "of a unit vector")])
def test_gaze_methods_are_tried_on_drawn_eyes_in_their_own_unit(gaze_method, task, unit):
    found = gaze_method("good", f'["{task}"]')
    assert [one.name for one in found] == NAMES
    assert all(one.ok for one in found), found
    code = GAZE.partition("def train")[0] + GAZE[GAZE.index("def predictor") :]
    code = code.replace(
        'np.load(weights / "w.npy")', f"np.arange({2 if task == 'gaze2d' else 3}) + 1.0"
    )
    broken = gaze_method(
        "bad", f'["{task}"]', code.replace("mean + 1e-6", "mean + len(samples) + 1e-6")
    )
    assert f"{unit} (allowed" in next(one.detail for one in broken if not one.ok)


def test_a_method_of_two_tasks_is_tried_on_each(gaze_method):
    found = gaze_method("mine", '["gaze2d", "gaze3d"]')
    assert [one.name for one in found] == [
        f"{task}: {name}" for task in ("gaze2d", "gaze3d") for name in NAMES
    ]
    assert all(one.ok for one in found), found
