"""How a gaze becomes what a network is trained on, and back.

Ordinal codes, or the plain numbers for l2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from benchbox.errors import PluginError
from benchbox.training.ordinal_coding import OrdinalCode, ordinal_loss


@dataclass(frozen=True, eq=False)
class OrdinalTarget:
    """Equations 1-4: bins, cross-entropy summed over them, probabilities as a teacher's word."""

    code: OrdinalCode

    @property
    def outputs(self) -> int:
        """Count the network's outputs."""
        return sum(self.code.bins)

    def encode(self, axes: Tensor) -> Tensor:
        """Turn axes (n, A) into what the loss compares with (n, outputs)."""
        return self.code.encode(axes)

    def decode(self, found: Tensor) -> Tensor:
        """Turn outputs (n, outputs) into axes (n, A)."""
        return self.code.decode(found)

    def loss(self, found: Tensor, wanted: Tensor) -> Tensor:
        """Return the loss of outputs against codes, mean over samples."""
        return ordinal_loss(found, wanted)

    def soft(self, found: Tensor) -> Tensor:
        """Return outputs as a code for a student."""
        return found.sigmoid()

    def to(self, device: str) -> OrdinalTarget:
        """Move to a device."""
        return OrdinalTarget(self.code.to(device))

    def facts(self) -> dict[str, str]:
        """Describe the target in words that a weights file can hold."""
        return {"loss": "ordinal", **self.code.facts()}


@dataclass(frozen=True, eq=False)
class PlainTarget:
    """Axes less their training mean, over one deviation for both.

    Squared error, summed over axes.
    """

    mean: Tensor  # (A,)
    deviation: Tensor  # ()

    @property
    def outputs(self) -> int:
        """Count the network's outputs."""
        return len(self.mean)

    def encode(self, axes: Tensor) -> Tensor:
        """Turn axes (n, A) into what the loss compares with (n, outputs)."""
        return ((axes - self.mean) / self.deviation).float()

    def decode(self, found: Tensor) -> Tensor:
        """Turn outputs (n, outputs) into axes (n, A)."""
        return found * self.deviation + self.mean

    def loss(self, found: Tensor, wanted: Tensor) -> Tensor:
        """Return the loss of outputs against codes, mean over samples."""
        return (found - wanted).square().sum() / len(found)

    def soft(self, found: Tensor) -> Tensor:
        """Return outputs as a code for a student."""
        return found

    def to(self, device: str) -> PlainTarget:
        """Move to a device."""
        return PlainTarget(self.mean.to(device), self.deviation.to(device))

    def facts(self) -> dict[str, str]:
        """Describe the target in words that a weights file can hold."""
        words = " ".join(value.hex() for value in [*self.mean.tolist(), self.deviation.item()])
        return {"loss": "l2", "plain": words}


Target = OrdinalTarget | PlainTarget


def fit_target(loss: str, axes: Tensor, bins: Sequence[int]) -> Target:
    """Choose offset, scale and bins from training axes (n, A).

    Raises PluginError for an unknown loss.
    """
    if loss == "ordinal":
        return OrdinalTarget(OrdinalCode.fit(axes, bins))
    if loss == "l2":
        mean = axes.mean(dim=0)
        deviation = (axes - mean).square().mean().sqrt()
        return PlainTarget(mean, deviation if deviation > 0 else torch.ones_like(deviation))
    raise PluginError(f"loss = {loss!r}: must be ordinal or l2")


def target_from_facts(facts: Mapping[str, str]) -> Target:
    """Read a target back from a weights file's facts."""
    if facts["loss"] == "ordinal":
        return OrdinalTarget(OrdinalCode.from_facts(facts))
    *mean, deviation = (float.fromhex(word) for word in facts["plain"].split())
    return PlainTarget(torch.tensor(mean), torch.tensor(deviation))
