"""Ordinal coding of continuous targets.

One sigmoid per bin says whether the value lies above that bin's edge.

Source: TAT + DwO (ICCVW 2019), equations 1-3. With g the value shifted to start at 0, y_b =
1[b·size ≤ g] for b = 1 … B, and a prediction is size·(Σ_b 1[P_b ≥ 1/2] + 1/2). Each axis (x and y,
or pitch and yaw) has bins of its own; codes (n, B₁ + B₂ + …) hold the axes one after another.

Bin size and offset are not stated: `Ordinal.fit` puts the offset at the training minimum and makes
B + 1 intervals of equal width up to the training maximum, so inside that range a round trip is off
by half a bin at most, and a value outside it is answered by the nearest interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class OrdinalCode:
    """The code of A axes: `offset` and `size` (A,) in the target's unit, `bins` per axis.

    >>> code = OrdinalCode.fit(torch.tensor([[0.0], [8.0]]), bins=[3])
    >>> code.size
    tensor([2.])
    >>> code.encode(torch.tensor([[0.5], [4.5], [8.0]]))
    tensor([[0., 0., 0.],
            [1., 1., 0.],
            [1., 1., 1.]])
    >>> logits = torch.tensor([[3.0, 1.0, -2.0]])
    >>> code.counts(logits), code.decode(logits)
    (tensor([[2]]), tensor([[5.]]))
    """

    offset: Tensor
    size: Tensor
    bins: tuple[int, ...]

    @classmethod
    def fit(cls, values: Tensor, bins: Sequence[int]) -> OrdinalCode:
        """Choose offset and bin size from training values (n, A).

        Axes that never move get bins of width 1.
        """
        low, high = values.amin(dim=0), values.amax(dim=0)
        count = torch.tensor(bins, dtype=values.dtype, device=values.device)
        size = (high - low) / (count + 1)
        return cls(low, torch.where(size > 0, size, torch.ones_like(size)), tuple(bins))

    def encode(self, values: Tensor) -> Tensor:
        """Turn values (n, A) into codes (n, ΣB) of zeros and ones (equation 1)."""
        codes = []
        for axis, count in enumerate(self.bins):
            edges = (
                torch.arange(1, count + 1, device=values.device, dtype=values.dtype)
                * self.size[axis]
            )
            codes.append(edges <= (values[:, axis, None] - self.offset[axis]))
        return torch.cat(codes, dim=1).to(torch.float32)

    def counts(self, logits: Tensor) -> Tensor:
        """Count the bins of each axis with P ≥ 1/2, from logits (n, ΣB).

        Returns (n, A) integers.
        """
        return torch.stack(
            [part.ge(0).sum(dim=1) for part in torch.split(logits, list(self.bins), dim=1)], dim=1
        )

    def decode(self, logits: Tensor) -> Tensor:
        """Turn logits (n, ΣB) into values (n, A) (equation 3)."""
        return self.offset + self.size * (self.counts(logits).to(self.size.dtype) + 0.5)

    def to(self, device: str) -> OrdinalCode:
        """Move the code to a device."""
        return OrdinalCode(self.offset.to(device), self.size.to(device), self.bins)

    def facts(self) -> dict[str, str]:
        """Describe the code in words that a weights file can hold.

        `from_facts` reads them back exactly.
        """
        exact = {"offset": self.offset, "size": self.size}
        words = {
            f"ordinal_{name}": " ".join(value.hex() for value in t.tolist())
            for name, t in exact.items()
        }
        return words | {"ordinal_bins": " ".join(map(str, self.bins))}

    @classmethod
    def from_facts(cls, facts: Mapping[str, str]) -> OrdinalCode:
        """Read a code back from a weights file's facts."""
        offset, size = (
            torch.tensor([float.fromhex(word) for word in facts[f"ordinal_{name}"].split()])
            for name in ("offset", "size")
        )
        return cls(offset, size, tuple(int(word) for word in facts["ordinal_bins"].split()))


def init_ordinal_head(head: nn.Linear, codes: Tensor, bins: Sequence[int]) -> None:
    """Let a last layer begin as one number per axis against thresholds.

    `codes` (n, ΣB) of the training set.

    The bins of an axis begin with one row of weights, the first one's, and with biases at the
    training set's share of each bin. Else a short training is spent on them: biases must travel to
    ± 4, and as the bins pull at the features along as many random directions as there are bins,
    what they agree on is lost in the noise of the rest.
    """
    shares = codes.mean(dim=0).clamp(0.02, 0.98)
    with torch.no_grad():
        head.bias.copy_(torch.logit(shares))
        for rows in torch.split(head.weight, list(bins)):
            rows.copy_(rows[:1].clone().expand_as(rows))


def ordinal_loss(logits: Tensor, codes: Tensor, weight: Tensor | None = None) -> Tensor:
    """Binary cross-entropy of logits (n, ΣB) against codes or soft codes, summed over bins.

    Mean over faces (eq. 2, 4).

    `weight` (n, ΣB) switches bins on and off.
    """
    return F.binary_cross_entropy_with_logits(logits, codes, weight=weight, reduction="sum") / len(
        logits
    )
