"""The larger backbones of G&LSR, and one of today that is ours.

MobileNetV2 (/M) and ResNet-50 (/L), with the names of their public ImageNet weights.

Both end in a global average and FC 256-256-2n, so any side that leaves a map will do. MobileNetV2
keeps its 1x1 expansion in the first block and has stride 2 in the sixth stage, which the printed
counts demand; ResNet-50 has its strides in the 3x3 convolutions, as its public weights were
trained.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from benchbox.training.batch_norm import BatchNorm2d
from benchbox.training.integral_network import Decoder, IntegralHead, Trunk, trunk_widths
from benchbox.training.pretrained import copy_pretrained, imagenet_pixel_map

from .model import make_mlp

MOBILENET_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 2),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
MOBILENET_OUT = 1280
RESNET_STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))
RESNET_OUT = 2048


def _conv_bn_relu6(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, BatchNorm2d(outputs), nn.ReLU6(inplace=True))


class InvertedResidual(nn.Module):
    """Block of MobileNetV2, always with its 1x1 expansion."""

    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.residual = stride == 1 and inputs == outputs
        self.conv = nn.Sequential(
            _conv_bn_relu6(inputs, hidden, 1),
            _conv_bn_relu6(hidden, hidden, 3, stride, groups=hidden),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            BatchNorm2d(outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Transform (n, inputs, h, w) to (n, outputs, h / stride, w / stride)."""
        return x + self.conv(x) if self.residual else self.conv(x)


class MobileNetV2(nn.Module):
    """Width 1; the map of a 256-px face is 4x4."""

    def __init__(self, points: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [_conv_bn_relu6(3, 32, 3, 2)]
        channels = 32
        for expansion, outputs, repeats, stride in MOBILENET_STAGES:
            for repeat in range(repeats):
                layers.append(
                    InvertedResidual(channels, outputs, expansion, stride if repeat == 0 else 1)
                )
                channels = outputs
        layers.append(_conv_bn_relu6(channels, MOBILENET_OUT, 1))
        self.features = nn.Sequential(*layers)
        self.head = make_mlp((MOBILENET_OUT, 256, 256, 2 * points), nn.ReLU)

    def forward(self, x: Tensor) -> Tensor:
        """Regress (n, 3, side, side) to shape offsets (n, 2 * points)."""
        return self.head(self.features(x).mean(dim=(2, 3)))

    def load_trunk(self, tensors: Mapping[str, Tensor], where: str) -> None:
        """Take over the convolutions of a public state dict.

        The first block there has no expansion: ours becomes the identity, which changes nothing on
        what ReLU6 leaves.
        """
        renamed = {
            _rename_first_block(key): value
            for key, value in tensors.items()
            if key.startswith("features.")
        }
        nn.init.dirac_(self.features[1].conv[0][0].weight)
        expansion = self.features[1].conv[0].state_dict(prefix="features.1.conv.0.")
        renamed.update(expansion)
        copy_pretrained(self, renamed, "features.", where)
        _adapt_input(self.features[0][0], self.features[0][1])


def _rename_first_block(key: str) -> str:
    """Make room for the expansion in the names of the first block.

    Conv.0 … conv.2 become conv.1 … conv.3.
    """
    start = "features.1.conv."
    if not key.startswith(start):
        return key
    number, _, rest = key.removeprefix(start).partition(".")
    return f"{start}{int(number) + 1}.{rest}"


class IntegralBackbone(nn.Module):
    """A residual trunk whose heat maps are read by their centre of mass; not the paper's.

    The network of the method `heatmap`, so that what the paper's frames and local stage bring can
    be told on a trunk of today.
    """

    WIDTH = 48  # channels of the decoder, as in `heatmap`

    def __init__(self, points: int) -> None:
        super().__init__()
        widths = trunk_widths(self.WIDTH)
        self.trunk = Trunk(widths)
        self.decoder = Decoder(widths[1:], self.WIDTH)
        self.head = IntegralHead(self.WIDTH, points)

    def forward(self, x: Tensor) -> Tensor:
        """Find points (n, 2 * points) of the frame [-1, 1]² in faces (n, 3, side, side)."""
        places: Tensor = self.head(self.decoder(self.trunk(x)))
        return places.flatten(1)


class BottleneckV15(nn.Module):
    """Residual block of ResNet-50: 1x1, 3x3 with the stride, 1x1 to four times the width."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, width, 1, bias=False), BatchNorm2d(width)
        self.conv2, self.bn2 = (
            nn.Conv2d(width, width, 3, stride, 1, bias=False),
            BatchNorm2d(width),
        )
        self.conv3, self.bn3 = nn.Conv2d(width, 4 * width, 1, bias=False), BatchNorm2d(4 * width)
        self.downsample: nn.Module | None = None
        if stride != 1 or inputs != 4 * width:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, 4 * width, 1, stride, bias=False), BatchNorm2d(4 * width)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Transform (n, inputs, h, w) to (n, 4 width, h / stride, w / stride)."""
        y = torch.relu_(self.bn1(self.conv1(x)))
        y = torch.relu_(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return torch.relu_(y + (x if self.downsample is None else self.downsample(x)))


class ResNet50(nn.Module):
    """ResNet-50; the map of a 256-px face is 8x8."""

    def __init__(self, points: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), BatchNorm2d(64)
        self.pool = nn.MaxPool2d(3, 2, 1)
        channels = 64
        for number, (width, repeats, stride) in enumerate(RESNET_STAGES, start=1):
            blocks = []
            for repeat in range(repeats):
                blocks.append(BottleneckV15(channels, width, stride if repeat == 0 else 1))
                channels = 4 * width
            setattr(self, f"layer{number}", nn.Sequential(*blocks))
        self.head = make_mlp((RESNET_OUT, 256, 256, 2 * points), nn.ReLU)

    def forward(self, x: Tensor) -> Tensor:
        """Regress (n, 3, side, side) to shape offsets (n, 2 * points)."""
        x = self.pool(torch.relu_(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.head(x.mean(dim=(2, 3)))

    def load_trunk(self, tensors: Mapping[str, Tensor], where: str) -> None:
        """Take over the convolutions of a public state dict."""
        copy_pretrained(self, tensors, ("conv1.", "bn1.", "layer"), where)
        _adapt_input(self.conv1, self.bn1)


@torch.no_grad()
def _adapt_input(conv: nn.Conv2d, bn: nn.BatchNorm2d) -> None:
    """Let a first layer trained on ImageNet's normalised pixels see [-1, 1].

    Exact but for the padded border.
    """
    scale, offset = imagenet_pixel_map()
    assert bn.running_mean is not None
    bn.running_mean -= (conv.weight * offset[:, None, None]).sum(dim=(1, 2, 3))
    conv.weight *= scale[:, None, None]
