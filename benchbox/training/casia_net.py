"""The network of TAT and DwO.

One ten-convolution stream per patch, joined by fully connected layers.

The stream is the network of Yi et al., "Learning face representation from scratch" (CASIA-Net), as
the papers cite it, with batch normalisation after each convolution, which TAT's equation 6 needs;
its layers are called Conv11 … Conv52 there. Layer table: 309.4 M multiply-accumulates and 1,795,872
parameters per 64-px stream.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor, nn

# deviation of a picture of [-1, 1] below which it counts as flat: its noise is not blown up
_FLAT_DEVIATION = 0.05
CHANNEL_PAIRS = ((32, 64), (64, 128), (96, 192), (128, 256), (160, 320))
FEATURE_COUNT = 128


class PatchStream(nn.Module):
    """(n, 3, h, w) → (n, 128): five pairs of 3x3 convolutions.

    The first `pools` of them followed by 2x2 max-pooling.

    Four pools are the original; small pictures take fewer, with the same weights. Conv52 has no
    ReLU, as in the source. `width` is a share of the channels of all convolutions.
    """

    def __init__(self, pools: int = 4, width: float = 1.0) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for pair, widths in enumerate(CHANNEL_PAIRS):
            for full in widths:
                outputs = round(full * width)
                layers += [
                    nn.Conv2d(channels, outputs, 3, padding=1, bias=False),
                    nn.BatchNorm2d(outputs),
                    nn.ReLU(inplace=True),
                ]
                channels = outputs
            if pair < len(CHANNEL_PAIRS) - 1:
                layers.append(nn.MaxPool2d(2) if pair < pools else nn.Identity())
        layers.pop()
        self.trunk = nn.Sequential(*layers)
        self.fc = nn.Linear(channels, FEATURE_COUNT)

    def forward(self, x: Tensor) -> Tensor:
        """Describe patches (n, 3, h, w) by (n, 128)."""
        found: Tensor = self.fc(self.trunk(x).mean(dim=(2, 3)))
        return found


class CasiaNet(nn.Module):
    """Streams side by side → 128 features → one linear layer.

    `outputs` logits, or the axes themselves.

    `inputs` is how many patches the forward pass takes; with `share_eyes` every patch after the
    first goes through the same stream. One patch alone, the adaptation to sets without eye boxes,
    keeps the layer after it. With `standardise` each patch is brought to mean 0 and deviation 1
    first, so that a stream need not learn what light and skin are.
    """

    def __init__(
        self,
        outputs: int,
        inputs: int = 3,
        pools: int = 4,
        *,
        share_eyes: bool = False,
        standardise: bool = False,
        width: float = 1.0,
    ) -> None:
        super().__init__()
        self.standardise = standardise
        self.which = tuple(range(inputs))
        if share_eyes:
            self.which = tuple(min(k, 1) for k in range(inputs))
        self.streams = nn.ModuleList(PatchStream(pools, width) for _ in range(max(self.which) + 1))
        self.join = nn.Linear(FEATURE_COUNT * inputs, FEATURE_COUNT)
        self.head = nn.Linear(FEATURE_COUNT, outputs)

    def features(self, *patches: Tensor) -> Tensor:
        """Return the final features z (n, 128) of patches (n, 3, h, w)."""
        described = []
        for k, patch in zip(self.which, patches, strict=True):
            if self.standardise:
                patch = standardise_images(patch)  # noqa: PLW2901 - the same patch, standardised
            described.append(self.streams[k](patch))
        return torch.relu(self.join(torch.relu(torch.cat(described, dim=1))))

    def forward(self, *patches: Tensor) -> Tensor:
        """Return logits or axes (n, outputs)."""
        found: Tensor = self.head(self.features(*patches))
        return found


def standardise_images(pictures: Tensor) -> Tensor:
    """Bring each of some pictures (n, 3, h, w) to mean 0 and deviation 1.

    Over its pixels and channels together.
    """
    deviation, mean = torch.std_mean(pictures, dim=(1, 2, 3), correction=0, keepdim=True)
    return (pictures - mean) / (deviation + _FLAT_DEVIATION)


def conv_norm_pairs(network: nn.Module) -> Iterator[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """Pair each convolution with the batch normalisation that follows it.

    In the order of the network.
    """
    for first, second in pairwise(network.modules()):
        if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
            yield first, second
