"""A network with what it is shown and what it answers.

The unit that is trained, saved, taught by and loaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchbox.errors import PluginError
from benchbox.training.casia_net import CasiaNet
from benchbox.training.checkpoint import load_facts, load_into, load_weights, save_weights
from benchbox.training.gaze_inputs import GazePatches, GazeSet, Jitter, PatchForm, gaze_distances
from benchbox.training.host_to_device import upload_array
from benchbox.types import Sample, Task

from . import targets
from .itracker import GRID_CELLS, SIDE_PX, FacePath, ITracker, face_grid

_BATCH = 64  # of evaluation


@dataclass(frozen=True, eq=False)
class GazeNetwork:
    """One network: its kind (`casia` | `itracker`), the form of its patches.

    And the target it answers in.
    """

    kind: str
    task: Task
    form: PatchForm
    target: targets.Target
    network: nn.Module
    share_eyes: bool
    standardise: bool
    width: float = 1.0

    def inputs(
        self, patches: GazePatches, rows: np.ndarray, jitter: Jitter | None = None
    ) -> tuple[Tensor, ...]:
        """Return what the network takes for some rows: patches, and the face grid for iTracker."""
        found = patches.batch(rows, jitter)
        if self.kind != "itracker" or len(found) == 1:
            return found
        grid = face_grid([patches.samples[int(row)] for row in rows])
        return (*found, upload_array(grid, patches.device))

    @torch.inference_mode()
    def answer(self, patches: GazePatches) -> np.ndarray:
        """Answer every row in axes (n, 2), in evaluation mode."""
        self.network.eval()
        found = []
        for start in range(0, len(patches), _BATCH):
            rows = np.arange(start, min(start + _BATCH, len(patches)))
            found.append(
                self.target.decode(self.network(*self.inputs(patches, rows))).double().cpu()
            )
        return torch.cat(found).numpy()

    def error(self, gazes: GazeSet) -> float:
        """Return the mean distance from the truth in cm or degrees."""
        return float(gaze_distances(self.task, gazes.axes, self.answer(gazes.patches)).mean())

    def save(self, path: Path, **more: str) -> None:
        """Write weights and all that is needed to use them."""
        facts = {"kind": self.kind, "task": self.task, "share_eyes": str(self.share_eyes)}
        facts |= {"standardise": str(self.standardise), "channels": str(self.width)}
        facts |= self.form.facts() | self.target.facts() | more
        save_weights(path, {"network": self.network}, facts)


def patch_form(params: Mapping[str, Any], samples: Sequence[Sample]) -> PatchForm:
    """Choose what is cut out of the pictures; iTracker's layers fit one size only."""
    found = PatchForm.of(samples, params["side"], params["face_side"])
    if params["network"] == "itracker":
        return replace(found, height=SIDE_PX, width=SIDE_PX)
    return found


def build_network(
    params: Mapping[str, Any], task: Task, form: PatchForm, target: targets.Target, device: str
) -> GazeNetwork:
    """Make the untrained system that a set of parameters names."""
    return _assemble_network(
        params["network"],
        task,
        form,
        target,
        params["share_eyes"],
        params["standardise"],
        params["width"],
        device,
    )


def load_network(path: Path, device: str) -> GazeNetwork:
    """Load a saved system in evaluation mode."""
    facts = load_facts(path)
    target = targets.target_from_facts(facts).to(device)
    task: Task = "gaze3d" if facts["task"] == "gaze3d" else "gaze2d"
    form = PatchForm.from_facts(facts)
    share_eyes, standardise = (facts[name] == "True" for name in ("share_eyes", "standardise"))
    width = float(facts.get("channels", 1.0))  # weights of earlier versions do not say
    found = _assemble_network(
        facts["kind"], task, form, target, share_eyes, standardise, width, device
    )
    load_into(found.network, "network", load_weights(path))
    found.network.eval()
    return found


def _assemble_network(
    kind: str,
    task: Task,
    form: PatchForm,
    target: targets.Target,
    share_eyes: bool,
    standardise: bool,
    width: float,
    device: str,
) -> GazeNetwork:
    network: nn.Module
    if kind == "casia":
        network = CasiaNet(
            target.outputs,
            len(form.sources),
            form.pools,
            share_eyes=share_eyes,
            standardise=standardise,
            width=width,
        )
    elif kind == "itracker":
        network = ITracker(target.outputs) if len(form.sources) == 3 else FacePath(target.outputs)
    else:
        raise PluginError(f"network = {kind!r}: must be casia or itracker")
    network = network.to(device, memory_format=torch.channels_last)
    return GazeNetwork(kind, task, form, target, network, share_eyes, standardise, width)


def example_networks(params: Mapping[str, Any]) -> dict[str, tuple[nn.Module, tuple[Tensor, ...]]]:
    """Return the network of the paper's own setting, three patches, with inputs of batch 1."""
    if params["network"] == "itracker":
        patch = torch.zeros(1, 3, SIDE_PX, SIDE_PX)
        return {
            "itracker": (ITracker(), (patch, patch, patch, torch.zeros(1, GRID_CELLS * GRID_CELLS)))
        }
    patch = torch.zeros(1, 3, params["side"], params["side"])
    outputs = 2
    if params["loss"] == "ordinal":
        outputs = sum(params["bins"])
    network = CasiaNet(outputs, share_eyes=params["share_eyes"], width=params["width"])
    return {"casia": (network, (patch, patch, patch))}
