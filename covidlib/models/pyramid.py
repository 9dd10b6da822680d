"""Feature pyramid and U-Net as classifiers: the multiscale rivals of magsd Table 3."""

from collections import OrderedDict
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import FeaturePyramidNetwork

from covidlib.models.backbones import Backbone


@dataclass(frozen=True)
class FPNSettings:
    """A feature pyramid on ResNet50 (Lin et al. 2017) that classifies.

    26.9 million parameters with two classes. magsd says only that FPN makes "multiple prediction"
    from its scales (sec. 2.4): here one classifier sees the mean of each level, and the logits are
    averaged (ours).

    Args:
        width: channels of the pyramid (Lin et al. 2017: 256).
        levels: of the backbone, the deepest first.
    """

    width: int = 256
    levels: int = 4

    @property
    def slug(self) -> str:
        """Short name for keys and legends."""
        return "fpn"

    @property
    def least(self) -> int:
        """The smallest side of an image, pixels."""
        return 32

    def build(self, classes: int) -> "FPN":
        """Return the network with random weights from torch's global generator."""
        return FPN(self, classes)


class FPN(nn.Module):
    """ResNet50, its pyramid, one linear classifier for all levels.

    Shape:
        images (N, 3, H, W), output logits (N, classes).
    """

    def __init__(self, settings: FPNSettings, classes: int) -> None:
        super().__init__()
        self.backbone = Backbone("resnet50", settings.levels)
        self.pyramid = FeaturePyramidNetwork(list(self.backbone.widths), settings.width)
        self.classifier = nn.Linear(settings.width, classes)

    @property
    def last_convolution(self) -> nn.Module:
        """The deepest layer of the backbone."""
        return self.backbone.last

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, averaged over the levels."""
        levels = OrderedDict((str(k), x) for k, x in enumerate(self.backbone(images)))
        means = [level.mean((2, 3)) for level in self.pyramid(levels).values()]
        return self.classifier(torch.stack(means)).mean(0)


@dataclass(frozen=True)
class UNetSettings:
    """U-Net (Ronneberger et al. 2015) that classifies.

    31.0 million parameters with two classes. The finest features of the decoder are averaged over
    the image in place of a mask, and batch norm follows every convolution (both ours; magsd does
    not say how its U-Net classifies).

    Args:
        width: channels of the first level; each level doubles them.
        depth: number of halvings.
    """

    width: int = 64
    depth: int = 4

    @property
    def slug(self) -> str:
        """Short name for keys and legends."""
        return "unet"

    @property
    def least(self) -> int:
        """The smallest side of an image, pixels."""
        return 2**self.depth * 2

    def build(self, classes: int) -> "UNet":
        """Return the network with random weights from torch's global generator."""
        return UNet(self, classes)


def _twice(inputs: int, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers += [
            nn.Conv2d(channels, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """Encoder, decoder with skips, mean over positions, a linear classifier.

    Shape:
        images (N, 3, H, W) of any side from ``least`` on, output logits (N, classes).
    """

    def __init__(self, settings: UNetSettings, classes: int) -> None:
        super().__init__()
        widths = [settings.width * 2**k for k in range(settings.depth + 1)]
        self.down = nn.ModuleList(_twice(*pair) for pair in zip([3, *widths], widths, strict=False))
        self.up = nn.ModuleList(nn.ConvTranspose2d(w, w // 2, 2, 2) for w in widths[:0:-1])
        self.merge = nn.ModuleList(_twice(w, w // 2) for w in widths[:0:-1])
        self.classifier = nn.Linear(settings.width, classes)

    @property
    def last_convolution(self) -> nn.Module:
        """What the global pooling sees."""
        return self.merge[-1]

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        skips, x = [], images
        for place, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if place else x)
            skips.append(x)
        for up, merge, skip in zip(self.up, self.merge, skips[-2::-1], strict=True):
            x = up(x)
            rows, columns = (a - b for a, b in zip(skip.shape[2:], x.shape[2:], strict=True))
            x = F.pad(x, (0, columns, 0, rows))  # an odd side was rounded down on the way
            x = merge(torch.cat([skip, x], 1))
        return self.classifier(x.mean((2, 3)))
