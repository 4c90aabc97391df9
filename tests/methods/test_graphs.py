"""Trap: a training step that a CUDA graph cannot follow, or that lets the host wait.

Shows on a GPU only.

A CPU can tell as well: each step of a real training is watched for operations that would make the
host wait, and for tensors that it reads but did not make, which must be the batch, the networks'
own or the optimiser's, at fixed places.
"""

import gc
from dataclasses import dataclass, field

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from benchbox.layouts import IBUG68
from benchbox.plugins import method_card
from benchbox.training import crops
from benchbox.training import train_step as steps
from benchbox.types import Job

from . import gaze_job, landmark_job

# The host hears from the device, sends it numbers of its own, or checks whether a solver could.
WAITS = {
    "_local_scalar_dense",
    "nonzero",
    "masked_select",
    "lift_fresh",
    "_linalg_check_errors",
    "_linalg_solve_ex",
}


class Watch(TorchDispatchMode):
    """Note what would wait, and tensors that are read but were not made here."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[str] = []
        self.read: dict[int, torch.Tensor] = {}
        self.made: dict[int, torch.UntypedStorage] = {}  # held, so that no place is used twice

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        leaves = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        for leaf in leaves:
            if place(leaf) not in self.made:
                self.read[place(leaf)] = leaf
        name = func.overloadpacket.__name__
        masked = name in ("index", "index_put_", "index_put") and any(
            leaf.dtype == torch.bool
            for leaf in tree_leaves(args[1])
            if isinstance(leaf, torch.Tensor)
        )
        if name in WAITS or masked:
            self.waits.append(name)
        found = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(found):
            if isinstance(leaf, torch.Tensor) and place(leaf) not in self.read:
                self.made[place(leaf)] = leaf.untyped_storage()
        return found


def place(tensor):
    return tensor.untyped_storage().data_ptr()


@pytest.mark.parametrize(
    "wait",
    [
        lambda x: float(x.sum()),
        lambda x: x[x > 0],
        lambda x: x + torch.tensor([1.0, 2.0]),
        lambda x: torch.linalg.solve(x.T @ x, x.T),
        lambda x: x.clamp(max=x.new_tensor([1.0, 2.0])),
    ],
)
def test_a_wait_is_seen(wait):
    with Watch() as watch:
        wait(torch.randn(3, 2))
    assert watch.waits


def test_a_tensor_from_elsewhere_is_seen():
    elsewhere, given = torch.tensor([0, 1]), torch.randn(3, 2)
    with Watch() as watch:
        (given * 2)[:, elsewhere].sum()
    assert set(watch.read) == {place(given), place(elsewhere)}


def owned(update):
    """Places of the networks' parameters and buffers, and of the optimiser's state."""
    modules = [thing for thing in gc.get_objects() if issubclass(type(thing), nn.Module)]
    tensors = [t for module in modules for t in (*module.parameters(False), *module.buffers(False))]
    states = [
        t
        for state in update.optimiser.state.values()
        for t in state.values()
        if isinstance(t, torch.Tensor)
    ]
    return {place(t) for t in [*tensors, *states]}


@dataclass
class Kept:
    """What the steps of one kind read from elsewhere.

    The step is held, so that no other gets its id.
    """

    step: steps.TrainStep
    strange: set[int]
    steps: int = 0
    shapes: set[tuple[int, ...]] = field(default_factory=set)


@pytest.fixture
def watched(monkeypatch):
    """Watch every step that is made, on views as a GPU makes them.

    Returns what was found by step and constants.
    """
    eager, found = steps.TrainStep._eager, {}

    def look(views, rows, colour=None, touch=None):
        pictures = torch.from_numpy(views.stored.take(rows))
        return crops.DeviceSampler(lambda: pictures, colour, touch)

    def watch_one(self, batch, *constants):
        given = {place(tensor) for tensor in steps.batch_tensors(batch)}
        with Watch() as watch:
            loss = eager(self, batch, *constants)
        assert not watch.waits
        strange = set(watch.read) - given - owned(self)
        kept = found.setdefault((id(self), constants), Kept(self, strange))
        kept.steps += 1
        kept.shapes |= {tuple(watch.read[one].shape) for one in strange}
        assert strange == kept.strange
        return loss

    monkeypatch.setattr(crops.CropViews, "sampler", look)
    monkeypatch.setattr(steps.TrainStep, "_eager", watch_one)
    return found


LANDMARKS = [
    *(("glsr", variant) for variant in ("glsr", "b2", "stn", "glsr-star", "b1-l2")),
    *(("sir", variant) for variant in ("sir", "cr", "sir-stack")),
    *(("ts3", variant) for variant in ("ts3", "supervised")),
]
GAZE = [
    ("tat", "tat", "gaze2d"),
    ("tat", "itracker", "gaze3d"),
    ("dwo", "dwo", "gaze2d"),
    ("sscr", "sscr", "gaze3d"),
    ("sscr", "full-ft", "gaze3d"),
    ("sscr", "barlow", "gaze3d"),
]


@pytest.mark.parametrize(("method", "variant"), LANDMARKS)
def test_steps_of_landmark_methods(method, variant, watched, tmp_path):
    card = method_card.find_card(method)
    params = method_card.merge_params(card, variant, "smoke")
    known, rest = landmark_job.examples(8), landmark_job.examples(4, first=8).samples
    method_card.import_method(card).train(
        Job("landmarks", IBUG68, known, rest, None, tmp_path, 0, "cpu", "smoke", params)
    )
    check(watched, {(68, 2)} if method == "glsr" else set())


@pytest.mark.parametrize(("method", "variant", "task"), GAZE)
def test_steps_of_gaze_methods(method, variant, task, watched, tmp_path):
    card = method_card.find_card(method)
    eyes = task == "gaze2d"
    method_card.import_method(card).train(gaze_job.job(card, tmp_path, task, variant, eyes=eyes))
    check(watched, set())


def check(watched, allowed):
    """Nothing is read from elsewhere but tensors of the allowed shapes.

    Made once before the training.
    """
    assert max(kept.steps for kept in watched.values()) > 1
    assert set().union(*(kept.shapes for kept in watched.values())) <= allowed
