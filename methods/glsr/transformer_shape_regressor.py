"""TSR, the conference version of G&LSR, with Caffe's networks of its day.

Source: J. Lv et al., CVPR 2017. The stages are the same.

A 60-px localisation net straightens the face, VGG-S regresses it at 224 px, and four 60-px part
networks refine, each behind one layer that maps the part's points to its affine map. Layers follow
the public prototxt; poolings round up. Where it leaves no choice the counts decide: PReLU slopes
are one per channel, and the part networks end in one too.
"""

from __future__ import annotations

import itertools

from torch import Tensor, nn

from .model import start_at_identity

F0_SIDE = 60
PATCH_SIDE = 60
FACE_SIDE = 224
# channels, kernel, stride, pad
_VGG_LAYERS = ((96, 7, 2, 0), (256, 5, 1, 0), (512, 3, 1, 1), (512, 3, 1, 1), (512, 3, 1, 1))
_POOLS = {0: (3, 3), 1: (2, 2), 4: (3, 3)}  # after which convolution: kernel, stride


def _small_layers(inputs: int, outputs: tuple[int, ...]) -> list[nn.Module]:
    """List the layers of a 60-px network.

    Four valid convolutions to 80x3x3, then fully connected layers.
    """
    layers: list[nn.Module] = []
    for channels, kernel, pool in ((20, 5, True), (48, 5, True), (64, 3, True), (80, 3, False)):
        layers += [nn.Conv2d(inputs, channels, kernel), nn.PReLU(channels)]
        layers += [nn.MaxPool2d(2, ceil_mode=True)] if pool else []
        inputs = channels
    layers.append(nn.Flatten())
    for before, after in itertools.pairwise((720, *outputs)):
        layers += [nn.Linear(before, after), nn.PReLU(after)]
    return layers


class TsrReinit(nn.Module):
    """60-px box crop → θ_g (n, 2, 3)."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(*_small_layers(3, (512, 136)), nn.Linear(136, 6))
        start_at_identity(self.layers[-1])

    def forward(self, x: Tensor) -> Tensor:
        """Estimate θ_g (n, 2, 3) from (n, 3, 60, 60)."""
        return self.layers(x).view(-1, 2, 3)


class TsrLocalReinit(nn.Module):
    """One fully connected layer: the part's points → θ_l (n, 2, 3)."""

    def __init__(self, points: int) -> None:
        super().__init__()
        self.fc = nn.Sequential(nn.Linear(2 * points, 6))
        start_at_identity(self.fc[-1])

    def forward(self, shape: Tensor) -> Tensor:
        """Estimate θ_l (n, 2, 3) from points (n, k, 2)."""
        return self.fc(shape.flatten(1)).view(-1, 2, 3)


class TsrLocalRegression(nn.Module):
    """60-px patch of a part → offsets of its points."""

    def __init__(self, points: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*_small_layers(3, (512, 2 * points)))

    def forward(self, patch: Tensor) -> Tensor:
        """Regress (n, 3, 60, 60) to shape offsets (n, 2 * points)."""
        return self.layers(patch)


class VggS(nn.Module):
    """VGG-S.

    At 224 px its last map is 6x6, and a smaller side gives a smaller first fully connected layer.
    """

    def __init__(self, points: int, side: int = FACE_SIDE) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for number, (outputs, kernel, stride, pad) in enumerate(_VGG_LAYERS):
            layers += [nn.Conv2d(channels, outputs, kernel, stride, pad), nn.ReLU(inplace=True)]
            side = (side + 2 * pad - kernel) // stride + 1
            if number == 0:
                layers.append(nn.LocalResponseNorm(5, alpha=5e-4, k=2.0))
            if number in _POOLS:
                width, step = _POOLS[number]
                layers.append(nn.MaxPool2d(width, step, ceil_mode=True))
                side = -(-(side - width) // step) + 1
            channels = outputs
        self.trunk = nn.Sequential(*layers, nn.Flatten())
        self.head = nn.Sequential(
            *[nn.Linear(512 * side**2, 4096), nn.ReLU(inplace=True), nn.Dropout()],
            *[nn.Linear(4096, 4096), nn.ReLU(inplace=True), nn.Dropout()],
            nn.Linear(4096, 2 * points),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Regress (n, 3, side, side) to shape offsets (n, 2 * points)."""
        return self.head(self.trunk(x))
