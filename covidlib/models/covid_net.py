"""COVID-Net: projection, expansion, projection, extension (Wang et al. 2020)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTHS = (256, 512, 1024, 2048)
BLOCKS = (3, 4, 6, 3)


@dataclass(frozen=True)
class COVIDNetSettings:
    """The large COVID-Net, a rival of magsd Table 3.

    33.9 million parameters with two classes. Ours: batch norm after every convolution, and the
    mean over positions in place of a flattened 7×7 grid (which would add 101 million parameters
    and fix the size of the images).

    Args:
        widths: channels of the stages.
        blocks: modules in each stage.

    Raises:
        ValueError: another number of widths than of blocks, or a width that 4 does not divide.
    """

    widths: tuple[int, ...] = WIDTHS
    blocks: tuple[int, ...] = BLOCKS

    def __post_init__(self) -> None:
        if len(self.widths) != len(self.blocks) or any(w % 4 for w in self.widths):
            raise ValueError(f"widths {self.widths} and blocks {self.blocks} do not go together")

    @property
    def slug(self) -> str:
        """Short name for keys and legends."""
        return "covid-net"

    @property
    def least(self) -> int:
        """The smallest side of an image, pixels."""
        return 32

    def build(self, classes: int) -> "COVIDNet":
        """Return the network with random weights from torch's global generator."""
        return COVIDNet(self, classes)


def _convolution(inputs: int, outputs: int, side: int = 1, groups: int = 1, stride: int = 1):
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, side, stride, side // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class PEPX(nn.Sequential):
    """Projection to half the channels, expansion to three quarters, a depth-wise 3×3 convolution,
    projection to a half again, extension to the channels of the output.

    Args:
        inputs, outputs: channels.

    Shape:
        (N, inputs, H, W) to (N, outputs, H, W).
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        half, more = inputs // 2, 3 * inputs // 4
        super().__init__(
            _convolution(inputs, half),
            _convolution(half, more),
            _convolution(more, more, 3, groups=more),
            _convolution(more, half),
            _convolution(half, outputs),
        )


class Stage(nn.Module):
    """Modules that each see the sum of all before, and one 1×1 convolution that passes them by.

    Args:
        inputs, outputs: channels.
        blocks: how many modules.
        halve: whether the grid is halved first.

    Shape:
        (N, inputs, H, W) to (N, outputs, H/2, W/2) or, not halved, (N, outputs, H, W).
    """

    def __init__(self, inputs: int, outputs: int, blocks: int, halve: bool) -> None:
        super().__init__()
        self.halve = halve
        self.bypass = _convolution(inputs, outputs)
        self.modules_ = nn.ModuleList(
            PEPX(outputs if place else inputs, outputs) for place in range(blocks)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum of the bypass and of every module."""
        if self.halve:
            x = F.max_pool2d(x, 2)
        total = self.bypass(x)
        for place, module in enumerate(self.modules_):
            total = total + module(total if place else x)
        return total


class COVIDNet(nn.Module):
    """A 7×7 convolution, four stages of PEPX modules, three fully connected layers.

    Shape:
        images (N, 3, H, W), output logits (N, classes).
    """

    def __init__(self, settings: COVIDNetSettings, classes: int) -> None:
        super().__init__()
        widths: Sequence[int] = (64, *settings.widths)
        self.stem = _convolution(3, widths[0], 7, stride=2)
        self.stages = nn.ModuleList(
            # The stem's maximum pool stands for the first halving.
            Stage(widths[k], widths[k + 1], blocks, halve=True)
            for k, blocks in enumerate(settings.blocks)
        )
        self.hidden = nn.Sequential(
            nn.Linear(widths[-1], 1024), nn.ReLU(), nn.Linear(1024, 256), nn.ReLU()
        )
        self.classifier = nn.Linear(256, classes)

    @property
    def last_convolution(self) -> nn.Module:
        """What the global pooling sees."""
        return self.stages[-1]

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        x = self.stem(images)
        for stage in self.stages:
            x = stage(x)
        return self.classifier(self.hidden(torch.mean(x, (2, 3))))
