"""Bilinear CNNs (Lin et al. 2015), plain and with magsd's attention: rivals of magsd Table 3."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from covidlib.models.backbones import Backbone
from covidlib.models.heads import in_float32
from covidlib.models.ma_net import AttentionGenerator, attention_pooling

TINY = 1e-12  # keeps the gradient of the square root finite at 0


@dataclass(frozen=True)
class BilinearSettings:
    """BCNN, or BCNN(Attention(Ours)) of magsd Table 3.

    Both see VGG16's last features before its last pooling (14×14 at 224 pixels), as Lin et al. do;
    magsd names no backbone. Parameters with two classes: 15.2 million, with attention 14.8.

    Args:
        attention: "multiscale attention and attention pooling were transported to BCNN" (magsd
            sec. 4.4.1): the second of the two streams is then the attention, as in equation 1.
        maps: attention maps (magsd sec. 3.2.2).
        scales: feature maps that give attention, the deepest first.

    Raises:
        ValueError: no map, or other than 1 to 3 scales.
    """

    attention: bool = False
    maps: int = 32
    scales: int = 2

    def __post_init__(self) -> None:
        if self.maps < 1 or self.scales not in (1, 2, 3):
            raise ValueError(f"maps {self.maps} or scales {self.scales} are out of range")

    @property
    def slug(self) -> str:
        """Short name for keys and legends: "bcnn", "bcnn-attention"."""
        return "bcnn-attention" if self.attention else "bcnn"

    @property
    def least(self) -> int:
        """The smallest side of an image, pixels."""
        return 32

    def build(self, classes: int) -> "Bilinear":
        """Return the network with random weights from torch's global generator."""
        return Bilinear(self, classes)


def bilinear_pooling(one: Tensor, two: Tensor) -> Tensor:
    """Return the outer products of two streams, averaged over positions (Lin et al. 2015, eq. 1).

    Args:
        one: (N, C, H, W).
        two: (N, D, H, W).

    Returns:
        (N, C, D).
    """
    return torch.einsum("nchw,ndhw->ncd", one, two) / (one.shape[2] * one.shape[3])


def signed_root(features: Tensor) -> Tensor:
    """Return signed square roots of length 1, float32 (Lin et al. 2015, sec. 3).

    Args:
        features: (N, D).
    """
    features = features.float()
    return F.normalize(features.sign() * (features.abs() + TINY).sqrt(), dim=1)


class Bilinear(nn.Module):
    """VGG16, bilinear pooling, signed roots, a linear classifier.

    Shape:
        images (N, 3, H, W), output logits (N, classes).
    """

    def __init__(self, settings: BilinearSettings, classes: int) -> None:
        super().__init__()
        # The deepest map of VGG16 follows a pooling; it is computed and left alone.
        self.backbone = Backbone("vgg16", settings.scales + 1)
        widths = self.backbone.widths[:-1]
        self.attention = AttentionGenerator(widths, settings.maps) if settings.attention else None
        second = settings.maps if settings.attention else widths[-1]
        self.classifier = nn.Linear(widths[-1] * second, classes)

    @property
    def last_convolution(self) -> nn.Module:
        """The layer whose features are pooled."""
        return self.backbone.network.get_submodule(self.backbone.taps[-2])

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        maps = self.backbone(images)[:-1]
        if self.attention is None:
            pooled = bilinear_pooling(maps[-1], maps[-1])
        else:
            pooled = attention_pooling(maps[-1], self.attention(maps))
        return in_float32(self.classifier, signed_root(pooled.flatten(1)))
