"""The classifiers of manet's second stage: four networks, plain, with masks or with CBAM."""

from dataclasses import dataclass

from torch import Tensor, nn
from torchvision import models

from covidlib.models.cbam import add_cbam
from covidlib.models.mask_attention import MaskAttention, last_linear
from covidlib.models.mask_pooling import BORDERS

BACKBONES = ("resnet34", "resnet50", "vgg16", "inceptionv3")
ATTENTIONS = ("none", "mask", "cbam")
# What manet trains: CBAM only in the ResNets (sec. 4.2, Table 2).
PAPER_MODELS = (
    ("resnet34", "none"), ("resnet34", "mask"), ("resnet34", "cbam"),
    ("resnet50", "none"), ("resnet50", "mask"), ("resnet50", "cbam"),
    ("vgg16", "none"), ("vgg16", "mask"),
    ("inceptionv3", "none"), ("inceptionv3", "mask"),
)  # fmt: skip
LAST = ("layer4", "features", "Mixed_7c")


@dataclass(frozen=True)
class CxrClassifierSettings:
    """One of the ten networks of manet Tables 2 and 3.

    Args:
        backbone: one of ``BACKBONES``; vgg16 has batch norm (manet Table 3, see the page on cost).
        attention: "none", "mask" (manet sec. 3.3) or "cbam" (residual networks only).
        borders: what lies outside the image, "zeros" or "visible"; ours, manet does not say.
        reduction: of CBAM; 16 fits manet Table 3.
        channels: of the image; 1 fits manet Table 3.

    Raises:
        ValueError: another word, or CBAM in a network without residual blocks.
    """

    backbone: str = "resnet50"
    attention: str = "none"
    borders: str = "zeros"
    reduction: int = 16
    channels: int = 1

    def __post_init__(self) -> None:
        for name, allowed in (
            ("backbone", BACKBONES), ("attention", ATTENTIONS), ("borders", BORDERS)
        ):  # fmt: skip
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is one of {allowed}, not {getattr(self, name)!r}")
        if self.attention == "cbam" and not self.backbone.startswith("resnet"):
            raise ValueError(f"CBAM stands in residual blocks, and {self.backbone} has none")

    @property
    def slug(self) -> str:
        """Short name for keys and legends: "resnet50-mask"."""
        return self.backbone if self.attention == "none" else f"{self.backbone}-{self.attention}"

    @property
    def least(self) -> int:
        """The smallest side of an image, pixels: InceptionV3 halves it five times, unpadded."""
        return 75 if self.backbone == "inceptionv3" else 32

    def build(self, classes: int) -> "Unmasked | MaskAttention":
        """Return the network with random weights from torch's global generator."""
        network = narrow_stem(_plain(self.backbone, classes), self.channels)
        if self.attention == "mask":
            return MaskAttention(network, self.borders)
        return Unmasked(add_cbam(network, self.reduction) if self.attention == "cbam" else network)


class Unmasked(nn.Module):
    """A torchvision network that is called like one with mask attention, and ignores the mask.

    As there, the parameters have torchvision's names under ``backbone``, so weights of a plain
    network load into its version with mask attention and back.

    Shape:
        images (N, C, H, W), mask (N, H, W) or none, output logits (N, classes).
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.backbone = network

    def forward(self, images: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the logits."""
        return self.backbone(images)

    @property
    def classifier(self) -> nn.Linear:
        """The last layer, which belongs to its classes."""
        return last_linear(self.backbone)

    @property
    def last_convolution(self) -> nn.Module:
        """What the global pooling sees, where Grad-CAM looks (manet sec. 4.3)."""
        children = dict(self.backbone.named_children())
        return next(children[name] for name in LAST if name in children)


def narrow_stem(network: nn.Module, channels: int) -> nn.Module:
    """Let the first convolution see fewer channels, in place.

    The first of its input channels are kept. torchvision draws them from a distribution that does
    not depend on their number, so the narrowed network starts as one built for so many channels.

    Raises:
        ValueError: no channel, or more than the convolution has.
    """
    first = next(m for m in network.modules() if isinstance(m, nn.Conv2d))
    if not 1 <= channels <= first.in_channels:
        raise ValueError(f"the stem takes 1 to {first.in_channels} channels, not {channels}")
    first.weight = nn.Parameter(first.weight.detach()[:, :channels].clone())
    first.in_channels = channels
    return network


def _plain(backbone: str, classes: int) -> nn.Module:
    if backbone == "vgg16":
        return models.vgg16_bn(num_classes=classes)
    if backbone == "inceptionv3":
        return models.inception_v3(
            num_classes=classes, aux_logits=False, transform_input=False, init_weights=True
        )
    return getattr(models, backbone)(num_classes=classes)
