"""The two students, convolutional pose machine and stacked hourglass.

And their teacher (reproduction spec, section 5).

A student answers one map (n, maps, h, w) per stage. CPM's stride is 8, HG's 4. `width` scales every
channel count but those of maps and pictures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchbox.training.pretrained import copy_pretrained, imagenet_pixel_map

STAGES, STACKS, DEPTH, MODULES = 3, 4, 4, 2


def _conv_layers(channels: Sequence[int], kernel: int) -> list[nn.Module]:
    """Chain convolutions that keep the side, each with its ReLU."""
    made: list[nn.Module] = []
    for before, after in pairwise(channels):
        made += [nn.Conv2d(before, after, kernel, padding=kernel // 2), nn.ReLU(inplace=True)]
    return made


class Cpm(nn.Module):
    """VGG-16 up to conv4_3, two convolutions.

    Three stages of which the later two see the map before.
    """

    stride = 8

    def __init__(self, maps: int, width: float = 1.0, trunk: str = "he") -> None:
        super().__init__()
        a, b, c, d = (round(n * width) for n in (64, 128, 256, 512))
        self.trunk = nn.Sequential(
            *_conv_layers((3, a, a), 3),
            nn.MaxPool2d(2),
            *_conv_layers((a, b, b), 3),
            nn.MaxPool2d(2),
            *_conv_layers((b, c, c, c), 3),
            nn.MaxPool2d(2),
            *_conv_layers((c, d, d, d), 3),
        )
        self.features = nn.Sequential(*_conv_layers((d, c, b), 3))
        self.stages = nn.ModuleList()
        first = nn.Sequential(
            *_conv_layers((b, b, b, b, b), 3), *_conv_layers((b, d), 1), nn.Conv2d(d, maps, 1)
        )
        self.stages.append(first)
        for _ in range(1, STAGES):
            wide, narrow = _conv_layers((b + maps, b, b, b), 7), _conv_layers((b, b, b, b, b), 3)
            self.stages.append(
                nn.Sequential(*wide, *narrow, *_conv_layers((b, b), 1), nn.Conv2d(b, maps, 1))
            )
        self._start(trunk)

    def _start(self, trunk: str) -> None:
        """Set N(0, 0.01) and no bias, or He's start: the former needs a pre-trained trunk."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                if trunk == "he":
                    nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                else:
                    nn.init.normal_(module.weight, std=0.01)
                assert module.bias is not None
                nn.init.zeros_(module.bias)
        _init_near_zero(stage[-1] for stage in self.stages if isinstance(stage, nn.Sequential))

    @torch.no_grad()
    def load_trunk(self, tensors: Mapping[str, Tensor], where: str) -> None:
        """Take over conv1_1 to conv4_3 of VGG-16 from a public state dict.

        Its names are `features.0.weight` to `features.21.bias`; its pixels are ImageNet's
        normalised ones. The first layer is changed to see ours, exact but for the padded border.
        Raises DataError naming the first tensor that does not fit: such weights need the full
        `width`.
        """
        copy_pretrained(nn.ModuleDict({"features": self.trunk}), tensors, "features.", where)
        first = self.trunk[0]
        assert isinstance(first, nn.Conv2d)
        assert first.bias is not None
        scale, offset = imagenet_pixel_map()
        first.bias += (first.weight * offset[:, None, None]).sum(dim=(1, 2, 3))
        first.weight *= scale[:, None, None]

    def forward(self, images: Tensor) -> list[Tensor]:
        """Answer pictures (n, 3, side, side) with a map per stage."""
        features = self.features(self.trunk(images))
        found: list[Tensor] = [self.stages[0](features)]
        for stage in list(self.stages)[1:]:
            found.append(stage(torch.cat([features, found[-1]], dim=1)))
        return found


def _init_near_zero(answers: Iterable[nn.Module]) -> None:
    """Let the layers that answer with maps start at N(0, 0.01).

    Most cells of a target are empty.
    """
    for layer in answers:
        assert isinstance(layer, nn.Conv2d)
        assert layer.bias is not None
        nn.init.normal_(layer.weight, std=0.01)
        nn.init.zeros_(layer.bias)


class Residual(nn.Module):
    """Pre-activated bottleneck; every convolution has a bias."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        half = after // 2
        self.body = nn.Sequential(
            *_preactivated_conv(before, half, 1),
            *_preactivated_conv(half, half, 3),
            *_preactivated_conv(half, after, 1),
        )
        self.skip = (
            nn.Sequential(*_preactivated_conv(before, after, 1))
            if before != after
            else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        """Add the bottleneck to its input."""
        y: Tensor = self.body(x) + self.skip(x)
        return y


def _preactivated_conv(before: int, after: int, kernel: int) -> list[nn.Module]:
    return [
        nn.BatchNorm2d(before),
        nn.ReLU(),
        nn.Conv2d(before, after, kernel, padding=kernel // 2),
    ]


def _residual_modules(channels: int) -> nn.Sequential:
    return nn.Sequential(*[Residual(channels, channels) for _ in range(MODULES)])


class Hourglass(nn.Module):
    """Halve the side `depth` times and come back, with a branch at every side."""

    def __init__(self, depth: int, channels: int) -> None:
        super().__init__()
        self.upper, self.before, self.after = (_residual_modules(channels) for _ in range(3))
        self.inner = Hourglass(depth - 1, channels) if depth > 1 else _residual_modules(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape (n, c, h, w)."""
        lower = self.after(self.inner(self.before(F.max_pool2d(x, 2))))
        y: Tensor = self.upper(x) + F.interpolate(lower, size=x.shape[-2:], mode="nearest")
        return y


class StackedHourglass(nn.Module):
    """Hourglasses one after another, four in the paper; each map is handed on."""

    stride = 4

    def __init__(self, maps: int, width: float = 1.0, stacks: int = STACKS) -> None:
        super().__init__()
        a, b, c = (round(n * width) for n in (64, 128, 256))
        self.stem = nn.Sequential(
            nn.Conv2d(3, a, 7, stride=2, padding=3),
            nn.BatchNorm2d(a),
            nn.ReLU(inplace=True),
            Residual(a, b),
            nn.MaxPool2d(2),
            Residual(b, b),
            Residual(b, c),
        )
        head = [
            nn.Sequential(
                Hourglass(DEPTH, c),
                _residual_modules(c),
                nn.Conv2d(c, c, 1),
                nn.BatchNorm2d(c),
                nn.ReLU(inplace=True),
            )
            for _ in range(stacks)
        ]
        self.stacks = nn.ModuleList(head)
        self.answers = nn.ModuleList(nn.Conv2d(c, maps, 1) for _ in range(stacks))
        self.hand_on = nn.ModuleList(nn.Conv2d(c, c, 1) for _ in range(stacks - 1))
        self.hand_map = nn.ModuleList(nn.Conv2d(maps, c, 1) for _ in range(stacks - 1))
        _init_near_zero(self.answers)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Answer pictures (n, 3, side, side) with a map per stack."""
        x, found = self.stem(images), []
        last = len(self.stacks) - 1
        for k, stack in enumerate(self.stacks):
            y = stack(x)
            found.append(self.answers[k](y))
            if k < last:
                x = x + self.hand_on[k](y) + self.hand_map[k](found[-1])
        return found


class Teacher(nn.Module):
    """PatchGAN discriminator of three layers on a picture and its maps, enlarged.

    Its mean is the quality.
    """

    def __init__(self, maps: int, width: float = 1.0) -> None:
        super().__init__()
        a, b, c, d = (round(n * width) for n in (64, 128, 256, 512))
        self.patches = nn.Sequential(
            nn.Conv2d(3 + maps, a, 4, 2, 1),
            nn.LeakyReLU(0.2),
            *_discriminator_layers(a, b, 2),
            *_discriminator_layers(b, c, 2),
            *_discriminator_layers(c, d, 1),
            nn.Conv2d(d, 1, 4, 1, 1),
        )

    def forward(self, images: Tensor, maps: Tensor) -> Tensor:
        """Judge maps (n, maps, h, w) of pictures (n, 3, side, side): the quality (n,)."""
        wide = F.interpolate(maps, size=images.shape[-2:], mode="bilinear", align_corners=False)
        found: Tensor = self.patches(torch.cat([images, wide], dim=1)).mean(dim=(1, 2, 3))
        return found


def _discriminator_layers(before: int, after: int, stride: int) -> list[nn.Module]:
    return [nn.Conv2d(before, after, 4, stride, 1), nn.InstanceNorm2d(after), nn.LeakyReLU(0.2)]
