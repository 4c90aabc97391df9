"""The whole of G&LSR as one module: what is computed, stage by stage, in the frames of `frames.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from .frames import compose, identity, invert, transform
from .model import Backbone, GlobalReinit, LocalRegression, LocalReinit

F0_SIDE = 128
PATCH_SIDE = 64

# (maps from a view's frame to the stored crop's frame (n, 2, 3), side) → views (n, 3, side, side)
Look = Callable[[Tensor, int], Tensor]


class System(nn.Module):
    """Global reinitialisation, global regression and the local stage; the parts a variant lacks are None."""

    def __init__(self, points: int, parts: Sequence[Sequence[int]], side: int, head: str, reinit: bool, local: bool):
        super().__init__()
        self.side = side
        self.reinit = GlobalReinit() if reinit else None
        self.backbone = Backbone(points, side, head)
        self.register_buffer("start", torch.zeros(points, 2))  # S_g0: mean of the training shapes in F_g (b1: in F0)
        self.parts = [torch.as_tensor(list(part)) for part in parts] if local else []
        self.local_reinit = nn.ModuleList(LocalReinit(len(part)) for part in self.parts)
        self.local_regression = nn.ModuleList(LocalRegression(len(part)) for part in self.parts)

    def global_theta(self, look: Look, frame: Tensor) -> Tensor:
        """Estimate θ_g (n, 2, 3), F_g → F0; the identity where the variant has no global reinitialisation."""
        if self.reinit is None:
            return identity(len(frame), frame)
        return self.reinit(look(frame, F0_SIDE))

    def global_shape(self, look: Look, to_crop: Tensor) -> Tensor:
        """Regress S_g (n, K, 2) in F_g, from the map F_g → stored crop."""
        offsets = self.backbone(look(to_crop, self.side))
        return self.start + offsets.view(-1, *self.start.shape)

    def local_theta(self, part: int, shape: Tensor) -> Tensor:
        """Estimate θ_l (n, 2, 3), patch → F_g, from the part's points of S_g."""
        return self.local_reinit[part](shape[:, self.parts[part]])

    def local_shape(self, part: int, look: Look, to_crop: Tensor, theta: Tensor, shape: Tensor) -> Tensor:
        """Refine the part's points (n, k, 2) in the patch's frame, starting from S_g seen there."""
        patch = look(compose(to_crop, theta), PATCH_SIDE)
        start = transform(invert(theta), shape[:, self.parts[part]])
        return start + self.local_regression[part](patch).view_as(start)

    def forward(self, look: Look, frame: Tensor) -> Tensor:
        """Predict the shape (n, K, 2) in the stored crop's frame, from the map F0 → stored crop."""
        to_crop = compose(frame, self.global_theta(look, frame))
        shape = self.global_shape(look, to_crop)
        final = shape.clone()
        for part, points in enumerate(self.parts):
            theta = self.local_theta(part, shape)
            final[:, points] = transform(theta, self.local_shape(part, look, to_crop, theta, shape))
        return transform(to_crop, final)


def glsr_parts(parts: Mapping[str, Sequence[int]]) -> list[list[int]]:
    """List the four local parts of the paper: each eye with its brow, nose, mouth; the contour stays global."""
    return [
        [*parts["left_brow"], *parts["left_eye"]],
        [*parts["right_brow"], *parts["right_eye"]],
        [*parts["nose"]],
        [*parts["mouth"]],
    ]


def networks(system: System) -> dict[str, tuple[nn.Module, tuple[Tensor, ...]]]:
    """List the networks of a system, each with an input of batch 1."""
    found: dict[str, tuple[nn.Module, tuple[Tensor, ...]]] = {}
    if system.reinit is not None:
        found["global reinitialisation"] = system.reinit, (torch.zeros(1, 3, F0_SIDE, F0_SIDE),)
    found["global regression"] = system.backbone, (torch.zeros(1, 3, system.side, system.side),)
    for part, points in enumerate(system.parts):
        found[f"local reinitialisation {part + 1}"] = system.local_reinit[part], (torch.zeros(1, len(points), 2),)
        patch = torch.zeros(1, 3, PATCH_SIDE, PATCH_SIDE)
        found[f"local regression {part + 1}"] = system.local_regression[part], (patch,)
    return found
