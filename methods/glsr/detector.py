"""The whole of G&LSR as one module.

What is computed, stage by stage, in the frames of `frames.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from benchbox.errors import PluginError
from benchbox.types import Layout

from . import backbones, release, transformer_shape_regressor
from .frames import (
    compose_maps,
    identity_maps,
    invert_maps,
    part_box,
    transform_points,
    upright_box,
)
from .model import Backbone, GlobalReinit, LocalRegression, LocalReinit

# (maps from a view's frame to the stored crop's frame (n, 2, 3), side) → views (n, 3, side, side)
ViewSampler = Callable[[Tensor, int], Tensor]

# What decides the networks and the frames of a system.
STRUCTURE_PARAMS = (
    "backbone",
    "head",
    "side",
    "side_pooled",
    "reinit",
    "cascade",
    "local",
    "local_reinit",
    "expansion",
)


@dataclass(frozen=True)
class StageNetworks:
    """What a backbone's stages are built of, and the sides of what they look at.

    `from_mean`: the backbone answers with offsets from the mean shape, not with places.
    """

    reinit: Callable[[], nn.Module]
    backbone: Callable[[int, Mapping[str, Any]], nn.Module]  # (points, params)
    side: Callable[[Mapping[str, Any]], int]  # of the normalised face
    local_reinit: Callable[[int], nn.Module] = LocalReinit
    local_regression: Callable[[int], nn.Module] = LocalRegression
    f0_side: int = 128
    patch_side: int = 64
    from_mean: bool = True


def _face_side(params: Mapping[str, Any]) -> int:
    return int(params["side"])


def _pooled_side(params: Mapping[str, Any]) -> int:
    return int(params["side_pooled"])


def _tsr_side(params: Mapping[str, Any]) -> int:
    return int(params["side"]) * transformer_shape_regressor.FACE_SIDE // 256


def _small_backbone(points: int, params: Mapping[str, Any]) -> nn.Module:
    return Backbone(points, _face_side(params), params["head"])


def _medium_backbone(points: int, params: Mapping[str, Any]) -> nn.Module:
    del params
    return backbones.MobileNetV2(points)


def _large_backbone(points: int, params: Mapping[str, Any]) -> nn.Module:
    del params
    return backbones.ResNet50(points)


def _residual_backbone(points: int, params: Mapping[str, Any]) -> nn.Module:
    del params
    return backbones.IntegralBackbone(points)


def _vgg_s_backbone(points: int, params: Mapping[str, Any]) -> nn.Module:
    return transformer_shape_regressor.VggS(points, _tsr_side(params))


def _release_backbone(points: int, params: Mapping[str, Any]) -> nn.Module:
    return release.ReleaseBackbone(points, _face_side(params))


STAGE_NETWORKS: Mapping[str, StageNetworks] = {
    "small": StageNetworks(GlobalReinit, _small_backbone, _face_side),
    "medium": StageNetworks(GlobalReinit, _medium_backbone, _pooled_side),
    "large": StageNetworks(GlobalReinit, _large_backbone, _pooled_side),
    "residual": StageNetworks(GlobalReinit, _residual_backbone, _face_side, from_mean=False),
    "vgg-s": StageNetworks(
        transformer_shape_regressor.TsrReinit,
        _vgg_s_backbone,
        _tsr_side,
        transformer_shape_regressor.TsrLocalReinit,
        transformer_shape_regressor.TsrLocalRegression,
        f0_side=transformer_shape_regressor.F0_SIDE,
        patch_side=transformer_shape_regressor.PATCH_SIDE,
    ),
    "release": StageNetworks(release.ReleaseReinit, _release_backbone, _face_side),
}


class GlsrDetector(nn.Module):
    """Global reinitialisation, global regression and the local stage.

    The parts a variant lacks are None or empty.

    `first` is the first of B2's two networks: its shape gives the crop that the second one sees.
    """

    def __init__(self, layout: Layout, params: Mapping[str, Any]) -> None:
        super().__init__()
        self.networks = made = _choose_networks(params["backbone"])
        points = layout.count
        self.side, self.eyes, self.expansion = (
            made.side(params),
            layout.eye_corners,
            params["expansion"],
        )
        self.reinit: nn.Module | None = None
        if params["reinit"] and not params["cascade"]:
            self.reinit = made.reinit()
        self.backbone = made.backbone(points, params)
        # S_g0: mean of the training shapes in F_g (b1: in F0); 0 where a backbone needs none
        self.register_buffer("start", torch.zeros(points, 2))
        parts: list[list[int]] = []
        if params["local"]:
            parts = glsr_parts(layout.parts)
        self.part_names = [f"part{number + 1}" for number in range(len(parts))]
        for name, part in zip(self.part_names, parts, strict=True):
            self.register_buffer(name, torch.as_tensor(part), persistent=False)
        self.local_reinit = nn.ModuleList()
        if params["local_reinit"]:
            self.local_reinit.extend(made.local_reinit(len(part)) for part in parts)
        self.local_regression = nn.ModuleList(made.local_regression(len(part)) for part in parts)
        self.first: nn.Module | None = None
        if params["cascade"]:
            self.first = made.backbone(points, params)
            # mean of the training shapes in F0
            self.register_buffer("first_start", torch.zeros(points, 2))

    @property
    def parts(self) -> list[Tensor]:
        """List the points of each local part, as indices on the device."""
        return [self.get_buffer(name) for name in self.part_names]

    def global_theta(self, sampler: ViewSampler, frame: Tensor) -> Tensor:
        """Estimate θ_g (n, 2, 3), F_g → F0.

        The identity where the variant has no global reinitialisation.
        """
        if self.first is not None:
            return upright_box(self.first_shape(sampler, frame).detach(), self.eyes, self.expansion)
        if self.reinit is None:
            return identity_maps(len(frame), frame)
        return self.reinit(sampler(frame, self.networks.f0_side))

    def first_shape(self, sampler: ViewSampler, frame: Tensor) -> Tensor:
        """Regress B2's first shape (n, K, 2) in F0."""
        assert self.first is not None
        return self.first_start + self.first(sampler(frame, self.side)).view(-1, *self.start.shape)

    def global_shape(self, sampler: ViewSampler, to_crop: Tensor) -> Tensor:
        """Regress S_g (n, K, 2) in F_g, from the map F_g → stored crop."""
        offsets = self.backbone(sampler(to_crop, self.side))
        return self.start + offsets.view(-1, *self.start.shape)

    def local_theta(self, part: int, shape: Tensor) -> Tensor:
        """Estimate θ_l (n, 2, 3), patch → F_g, from the part's points of S_g.

        G&LSR* takes their upright box.
        """
        points = shape[:, self.parts[part]]
        if len(self.local_reinit):
            return self.local_reinit[part](points)
        return part_box(points.detach())

    def local_shape(
        self, part: int, sampler: ViewSampler, to_crop: Tensor, theta: Tensor, shape: Tensor
    ) -> Tensor:
        """Refine the part's points (n, k, 2) in the patch's frame, starting from S_g seen there."""
        patch = sampler(compose_maps(to_crop, theta), self.networks.patch_side)
        start = transform_points(invert_maps(theta), shape[:, self.parts[part]])
        return start + self.local_regression[part](patch).view_as(start)

    def forward(self, sampler: ViewSampler, frame: Tensor) -> Tensor:
        """Predict the shape (n, K, 2) in the stored crop's frame, from the map F0 → stored crop."""
        to_crop = compose_maps(frame, self.global_theta(sampler, frame))
        shape = self.global_shape(sampler, to_crop)
        final = shape.clone()
        for part, points in enumerate(self.parts):
            theta = self.local_theta(part, shape)
            final[:, points] = transform_points(
                theta, self.local_shape(part, sampler, to_crop, theta, shape)
            )
        return transform_points(to_crop, final)

    def named_networks(self) -> dict[str, tuple[nn.Module, tuple[Tensor, ...]]]:
        """List the networks that a prediction runs, each with an input of batch 1."""
        found: dict[str, tuple[nn.Module, tuple[Tensor, ...]]] = {}
        face, patch = (
            torch.zeros(1, 3, side, side) for side in (self.side, self.networks.patch_side)
        )
        if self.first is not None:
            found["first regression"] = (self.first, (face,))
        if self.reinit is not None:
            side = self.networks.f0_side
            found["global reinitialisation"] = (self.reinit, (torch.zeros(1, 3, side, side),))
        found["global regression"] = (self.backbone, (face,))
        for part, points in enumerate(self.parts):
            if len(self.local_reinit):
                found[f"local reinitialisation {part + 1}"] = (
                    self.local_reinit[part],
                    (torch.zeros(1, len(points), 2),),
                )
            found[f"local regression {part + 1}"] = (self.local_regression[part], (patch,))
        return found


_FEWEST_POINTS = 3  # that an affine frame is fitted to


def _choose_networks(name: str) -> StageNetworks:
    if name not in STAGE_NETWORKS:
        raise PluginError(f"backbone = {name!r}: must be one of {', '.join(STAGE_NETWORKS)}")
    return STAGE_NETWORKS[name]


def glsr_parts(parts: Mapping[str, Sequence[int]]) -> list[list[int]]:
    """List the four local parts of the paper: each eye with its brow, nose, mouth.

    The contour stays global. Of a layout of one's own, those of three points or more: an affine
    frame of fewer is not determined. Raises PluginError for a layout that has none.
    """
    found = []
    for names in (("left_brow", "left_eye"), ("right_brow", "right_eye"), ("nose",), ("mouth",)):
        points = [point for name in names for point in parts.get(name, ())]
        if len(points) >= _FEWEST_POINTS:
            found.append(points)
    if not found:
        raise PluginError(
            "the local stages need parts of three points or more: name them in the card, [layout] "
            "parts = {left_eye = [0, 1, 2], right_eye = …, nose = …, mouth = …}, or take --variant "
            "gsr, which has no local stage"
        )
    return found
