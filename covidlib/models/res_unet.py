"""The segmentation network of manet's first stage: a U-Net of residual blocks (sec. 3.2)."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class ResUNetSettings:
    """How wide and how deep the network is.

    The paper gives neither: "UNet with ResNet backbone", with "the residual connection in all
    convolutional blocks" (sec. 3.2).

    Args:
        widths: channels of each level; ours: a quarter of the first U-Net's, so that one core
            trains it in minutes.
        channels: of the image; 1, as the classifiers of Table 3.

    Raises:
        ValueError: fewer than two levels, or a width below 1.
    """

    widths: tuple[int, ...] = (16, 32, 64, 128, 256)
    channels: int = 1

    def __post_init__(self) -> None:
        if len(self.widths) < 2 or min(self.widths) < 1:
            raise ValueError(f"a U-Net has two levels or more, not the widths {self.widths}")

    @property
    def slug(self) -> str:
        """Short name for keys: "resunet"."""
        return "resunet"

    def build(self, classes: int) -> "ResUNet":
        """Return the network with random weights; its one output is lung, whatever the classes."""
        return ResUNet(self.widths, self.channels)


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions beside a shortcut (manet figure 4b).

    Shape:
        (N, inputs, H, W) to (N, outputs, H, W).
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if inputs != outputs:  # as in a ResNet, where the number of channels changes
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, features: Tensor) -> Tensor:
        """Return the activated sum of branch and shortcut."""
        branch = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(features)))))
        return F.relu(branch + self.shortcut(features))


class ResUNet(nn.Module):
    """Residual blocks going down, and the same number coming up again (manet sec. 3.2).

    Between levels the way down pools by 2, the way up doubles with a transposed convolution, and
    each level hands its features across by concatenation, as in the first U-Net.

    Args:
        widths: channels of each level.
        channels: of the image.

    Shape:
        images (N, channels, S, S), output logits of lung (N, 1, S, S); S a multiple of
        ``2 ** (levels - 1)``.
    """

    def __init__(self, widths: tuple[int, ...], channels: int = 1) -> None:
        super().__init__()
        inputs = (channels, *widths[:-1])
        self.down = nn.ModuleList(map(ResidualBlock, inputs, widths))
        pairs = list(zip(widths[:0:-1], widths[-2::-1], strict=True))  # deep first
        self.widen = nn.ModuleList(nn.ConvTranspose2d(deep, up, 2, 2) for deep, up in pairs)
        self.up = nn.ModuleList(ResidualBlock(2 * up, up) for _, up in pairs)
        self.classifier = nn.Conv2d(widths[0], 1, 1)
        self.apply(start)

    @property
    def factor(self) -> int:
        """What a side must be a multiple of."""
        return 2 ** len(self.up)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits.

        Raises:
            ValueError: a side that does not halve often enough.
        """
        if any(side % self.factor for side in images.shape[2:]):
            raise ValueError(f"sides are multiples of {self.factor}, not {tuple(images.shape[2:])}")
        features, across = images, []
        for number, block in enumerate(self.down):
            features = block(F.max_pool2d(features, 2) if number else features)
            across.append(features)
        for widen, block, kept in zip(self.widen, self.up, across[-2::-1], strict=True):
            features = block(torch.cat([kept, widen(features)], 1))
        return self.classifier(features)


def start(layer: nn.Module) -> None:
    """Give one layer its first weights: Kaiming normal; batch norm one and zero (sec. 4.1)."""
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    elif isinstance(layer, nn.BatchNorm2d):
        nn.init.ones_(layer.weight)
        nn.init.zeros_(layer.bias)
