"""MA-Net: attention from several scales, and features pooled under it (magsd sec. 3.2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from covidlib.models.backbones import Backbone
from covidlib.models.heads import in_float32
from covidlib.settings.variants import Variants

POOLINGS = ("attention", "gap", "gmp")  # magsd Table 6
SCALE = 100.0  # of normalised features; magsd's released code
TINY = 1e-12  # keeps the gradient of a square root finite at 0


@dataclass(frozen=True)
class MANetSettings(Variants):
    """MA-Net around a backbone.

    Parameters with two classes: 23.7 million (ResNet50, two scales), of which 0.2 million are not
    the backbone's.

    The defaults follow the paper's text. Where the authors' released code differs, ``AUTHORS``
    holds the change under a name: ``replace(settings, **MANetSettings.AUTHORS["features"])`` makes
    one of them, ``MANetSettings.variant("authors")`` all.

    Args:
        backbone: most convolutional classifiers of torchvision, see
            ``covidlib.models.backbones``; "resnet50" (magsd sec. 4.1).
        scales: 1, 2 or 3 grids that give attention, the deepest first: 7, 14 and 28 for 224
            pixels. The text takes three, the results called "proposed" are those of two (Table 5).
        pooling: "attention" (equation 1), or "gap" or "gmp" of the features alone (Table 6). With
            these the maps steer the augmentation only, and learn nothing.
        maps: attention maps (magsd sec. 3.2.2).
        features: "plain", or "normalised": signed square root, unit length, times 100, and a
            classifier without bias.
        channels: of the image; the training's ``channels`` must be as many.

    Raises:
        ValueError: a value that is none of these.
    """

    backbone: str = "resnet50"
    scales: int = 2
    pooling: str = "attention"
    maps: int = 32
    features: str = "plain"
    channels: int = 3

    AUTHORS: ClassVar[dict[str, dict[str, Any]]] = {
        "features": {"features": "normalised"},
        "channels": {"channels": 1},  # goes with ``MAGSDSettings.AUTHORS["channels"]``
    }

    def __post_init__(self) -> None:
        for name, allowed in (
            ("scales", (1, 2, 3)),
            ("pooling", POOLINGS),
            ("features", ("plain", "normalised")),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is one of {allowed}, not {getattr(self, name)!r}")
        if self.maps < 1:
            raise ValueError(f"maps is at least 1, not {self.maps}")

    @property
    def slug(self) -> str:
        """Short name for keys and legends: "ma-resnet50", "ma-resnet50-3scales-gap"."""
        scales = "" if self.scales == 2 else f"-{self.scales}scales"
        return f"ma-{self.backbone}{scales}" + (
            "" if self.pooling == "attention" else f"-{self.pooling}"
        )

    def build(self, classes: int) -> "MANet":
        """Return the network with random weights from torch's global generator."""
        return MANet(self, classes)


class AttentionGenerator(nn.Module):
    """Attention maps from feature maps of several scales (magsd sec. 3.2.2, figure 3).

    Each scale passes a 1×1 convolution to M maps, batch norm and ReLU; the maps are averaged down
    to the deepest grid and summed ("connected residually").

    Args:
        widths: channels of each scale.
        maps: M.

    Shape:
        feature maps (N, width, H', W'), the deepest last; output (N, M, H, W) on its grid.
    """

    def __init__(self, widths: Sequence[int], maps: int) -> None:
        super().__init__()
        self.scales = nn.ModuleList(
            nn.Sequential(nn.Conv2d(width, maps, 1, bias=False), nn.BatchNorm2d(maps), nn.ReLU())
            for width in widths
        )

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Return the summed maps, none of them negative."""
        grid = features[-1].shape[2:]
        maps = [scale(x) for scale, x in zip(self.scales, features, strict=True)]
        return torch.stack([F.adaptive_avg_pool2d(each, grid) for each in maps]).sum(0)


def attention_pooling(features: Tensor, attention: Tensor) -> Tensor:
    """Pool features under each attention map (magsd sec. 3.2.3, equation 1).

    Equal to averaging each of the M part feature maps A_j ⊙ f over its grid, but none of these
    (N·M·C·H·W numbers) comes to be.

    Args:
        features: f, (N, C, H, W).
        attention: A, (N, M, H, W).

    Returns:
        The feature matrix, (N, M, C).
    """
    positions = features.shape[2] * features.shape[3]
    return torch.einsum("nmhw,nchw->nmc", attention, features) / positions


def normalised(features: Tensor) -> Tensor:
    """Return what magsd's released code makes of pooled features, float32 of length 100.

    Args:
        features: (N, D).
    """
    features = features.float()
    rooted = features.sign() * (features.abs() + TINY).sqrt()
    return SCALE * F.normalize(rooted, dim=1)


class MANet(nn.Module):
    """A backbone, attention from its scales, and a linear classifier on what they pool.

    Args:
        settings: of the network.
        classes: K.

    Shape:
        images (N, C, S, S), output logits (N, K). With ResNet50 at 224 pixels the classifier sees
        32 · 2048 = 65,536 features (magsd sec. 3.2.3).
    """

    def __init__(self, settings: MANetSettings, classes: int) -> None:
        super().__init__()
        self.settings = settings
        self.backbone = Backbone(settings.backbone, settings.scales, settings.channels)
        self.attention = AttentionGenerator(self.backbone.widths, settings.maps)
        width, pooled = self.backbone.widths[-1], settings.pooling == "attention"
        # Without attention pooling no gradient reaches the maps; several processes would wait
        # for it.
        self.attention.requires_grad_(pooled)
        bias = settings.features == "plain"
        self.classifier = nn.Linear(settings.maps * width if pooled else width, classes, bias)

    @property
    def last_convolution(self) -> nn.Module:
        """The layer that gives the features which are pooled."""
        return self.backbone.last

    def attend(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits (N, K) and the attention maps (N, M, H, W)."""
        scales = self.backbone(images)
        maps = self.attention(scales)
        pooled = self._pooled(scales[-1], maps)
        if self.settings.features == "normalised":
            pooled = normalised(pooled)
        return in_float32(self.classifier, pooled), maps

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, (N, K)."""
        return self.attend(images)[0]

    def _pooled(self, features: Tensor, maps: Tensor) -> Tensor:
        """Return what the classifier sees, (N, D)."""
        if self.settings.pooling == "attention":
            return attention_pooling(features, maps).flatten(1)
        return features.mean((2, 3)) if self.settings.pooling == "gap" else features.amax((2, 3))
